#!/usr/bin/env python3
"""The sink relay: many readers of one program, each with the bytes that it would have had alone, whatever the others do."""
import contextlib
import os
import pathlib
import random
import re
import signal
import socket
import stat
import struct

import harness
import eventlog
from relay_ends import Program, Reader, block_ends, connect, redacted

PIPELINE = """
    sources:
      app: {plugin: socket, unix: "%s", reconnect: {initial: 10ms, max: 50ms}}
    sinks:
      fan: {plugin: relay, from: app, %s%s}
"""
SHOW = """
    sources:
      app: {plugin: socket, unix: "%s", reconnect: {initial: 10ms, max: 50ms}}
    sinks:
      out: {plugin: print, from: app, format: show, path: "%s"}
"""
OWN = harness.OWN_LOG.read_bytes()


class Case(harness.Case):
    def relay(self, options="", where=None, program="program.sock"):
        """evpipe between `program` and `where`, a path unless it is HOST:PORT; returns when it listens."""
        self.where = str(self.folder / "relay.sock")
        process = self.evpipe(PIPELINE % (self.folder / program, where or f'unix: "{self.where}"', options and ", " + options))
        self.wait_err(process, "listening on")
        return process

    def program(self, name="program.sock"):
        program = Program(self.folder / name)
        self.addCleanup(program.end)
        return program

    def reader(self, where=None):
        return Reader(where or self.where)

    def readers(self, process, n):
        """Readers that wait for a stream."""
        line = f"process {os.getpid()} of user {os.getuid()} reads: it waits for a stream"
        before = process.err().count(line)
        readers = [self.reader() for _ in range(n)]
        harness.wait_for("readers to be known", lambda: process.err().count(line) == before + n)
        return readers

    def end(self, process, status=0):
        self.assertEqual(process.stop(), status, process.err())
        self.check_sound(process)

    def check_same(self, got, wanted, what=""):
        """Bytes; a difference is told by its place."""
        if got != wanted:
            at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
            self.fail(f"{what} {len(got)} bytes are not the {len(wanted)} wanted; the first difference is at {at}")

    def small_logs(self):
        return sorted(harness.DATA.glob("*.eventlog"))

    def check_late(self, captured, data, place):
        """A log of its own, which has from `place` on what the program sent, and before that nothing but definitions."""
        tail = data[place:]
        self.check_same(captured[-len(tail):], tail, "the end:")
        head = captured[:len(captured) - (len(data) - place)]
        stream, = eventlog.streams(captured)
        original = next(eventlog.streams(data))
        self.check_same(head[:stream.header_size], data[original.begin:original.begin + original.header_size])
        all_records = [(record.type, record.time, bytes(record.payload)) for record in original.records()
                       if record.offset < place and record.type != eventlog.BLOCK_MARKER]
        early = [(record.type, record.time, bytes(record.payload)) for record in next(eventlog.streams(head)).records()
                 if record.type != eventlog.BLOCK_MARKER]
        self.assertFalse([record for record in early if record not in all_records])
        defined = {record[0] for record in early}
        wanted = {record[0] for record in all_records if record[0] in (29, 30, 43, 32, eventlog.IPE, eventlog.COST_CENTRE)}
        self.assertLessEqual(wanted, defined)
        return head


class Bytes(Case):
    def test_readers_that_were_there_get_every_byte(self):
        for seed, log in enumerate(self.small_logs()):
            with self.subTest(log.name):
                process = self.relay()
                readers = self.readers(process, 3)
                program = self.replay(log, "--cut", "1" if log.stat().st_size < 10_000 else "20000", "--seed", seed, name="program")
                self.assertEqual(program.wait(60), 0, program.err())
                for reader in readers:
                    self.check_same(reader.whole(), log.read_bytes())
                self.end(process)

    def test_late_readers(self):
        """They come while the program is silent, at any place between two blocks."""
        for log in ("oddball-966-hT", "ipe-9103-hi", "prof-966-hc", "par-966-N2-lf"):
            data = harness.eventlog(log + ".eventlog").read_bytes()
            places = block_ends(data)
            process, program = self.relay(), self.program()
            first, = self.readers(process, 1)
            program.accept()
            late, sent = [], 0
            for place in sorted(random.Random(log).sample(places[:-1], min(5, len(places) - 1))):
                program.send(data[sent:place])
                first.wait_for(place)
                sent = place
                late.append((self.reader(), place))
                late[-1][0].wait_for(len("hdrbhetb"))  # at once, although nothing comes
            program.send(data[sent:])
            program.end()
            self.check_same(first.whole(), data)
            for reader, place in late:
                with self.subTest(log, place=place):
                    self.check_late(reader.whole(), data, place)
            self.end(process)

    def test_reader_in_the_middle_of_a_block(self):
        """It begins with the next one."""
        places = block_ends(OWN)
        large = next(i for i, place in enumerate(places) if places[i + 1] - place > 2000)
        middle, place = places[large] + 500, places[large + 1]
        process, program = self.relay(), self.program()
        first, = self.readers(process, 1)
        program.accept()
        program.send(OWN[:middle])
        first.wait_for(middle)
        late = self.reader()
        self.wait_err(process, r"reads\n")
        program.send(OWN[middle:place])
        first.wait_for(place)
        program.send(OWN[place:])
        program.end()
        self.check_same(first.whole(), OWN)
        self.check_late(late.whole(), OWN, place)
        self.end(process)

    def test_reader_who_only_gets_the_prologue(self):
        process, program = self.relay(), self.program().accept()
        places = block_ends(OWN)
        program.send(OWN[:places[2]])
        first = self.reader()
        first.wait_for(places[0])
        program.end()
        stream, = eventlog.streams(first.whole())
        self.assertIn(eventlog.PROGRAM_ARGS, {record.type for record in stream.records()})
        self.end(process)

    def test_what_is_in_front_of_the_header_is_left_out(self):
        process = self.relay()
        reader, = self.readers(process, 1)
        program = self.program().accept()
        program.send(b"Hello, world\n" * 100 + OWN)
        program.end()
        self.check_same(reader.whole(), OWN)
        self.wait_err(process, r"dropped.*leading|leading")
        self.end(process)

    def test_tcp(self):
        port = harness.free_port()
        process = self.relay(where=f'tcp: "localhost:{port}"')
        readers = [self.reader(("127.0.0.1", port)) for _ in range(2)]
        self.wait_err(process, r"127\.0\.0\.1:\d+ reads: it waits[^$]*reads: it waits")
        readers[0].socket.shutdown(socket.SHUT_WR)  # half-closes: it gets all of it nevertheless
        readers[1].socket.sendall(b"\x0fwhatever it says")
        program = self.program().accept()
        program.send(OWN)
        program.end()
        for reader in readers:
            self.check_same(reader.whole(), OWN)
        self.end(process)


class Manners(Case):
    def test_evpipe_reads_from_evpipe(self):
        """Three of them: one that reads, one that is stopped and cut off, one that leaves. And one that comes late."""
        process = self.relay("slow_reader: {max_size: 64KiB}")
        names = ["reads", "slow", "leaves"]
        pipes = [self.evpipe(SHOW % (self.where, self.folder / (name + ".txt")), name=name) for name in names]
        harness.wait_for("readers", lambda: process.err().count("waits for a stream") == 3)
        pipes[1].send(signal.SIGSTOP)
        program = self.program().accept()
        half = block_ends(OWN)[10]
        program.send(OWN[:half])
        harness.wait_for("output", lambda: (self.folder / "leaves.txt").exists() and (self.folder / "leaves.txt").stat().st_size > 10_000)
        pipes[2].kill()
        self.wait_err(process, "has left")
        late = self.evpipe(SHOW % (self.where, self.folder / "late.txt"), name="late")
        self.wait_err(process, r"reads\n")
        places, records = block_ends(OWN), list(next(eventlog.streams(OWN)).records())
        outputs = [self.folder / name for name in ("reads.txt", "late.txt")]
        for at in range(half, len(OWN), 40_000):  # never more at once than a reader may lag behind
            program.send(OWN[at:at + 40_000])
            whole = max(place for place in places if place <= at + 40_000)
            last = [record.time for record in records if record.offset < whole][-2]
            for output in outputs:
                harness.wait_for(lambda: f"time {last} in {output.name}", lambda: f"\n{last}: " in output.read_text())
        self.wait_err(process, "is cut off: it reads too slowly")
        program.end()
        pipes[1].send(signal.SIGCONT)
        for pipe in (pipes[0], pipes[1], late):
            self.wait_err(pipe, "connected[^$]*connected")
            self.assertEqual(pipe.stop(), 0, pipe.err())
            self.check_sound(pipe)
        self.end(process)
        wanted = self.folder / "wanted.txt"
        status, _, err = self.run_evpipe(f"""
            sources: {{log: {{plugin: file, path: "{harness.OWN_LOG}"}}}}
            sinks: {{out: {{plugin: print, from: log, format: show, path: "{wanted}"}}}}
        """, name="file")
        self.assertEqual(status, 0, err)
        wanted = wanted.read_text()
        self.check_same((self.folder / "reads.txt").read_text(), wanted)
        slow = (self.folder / "slow.txt").read_text()
        self.assertLess(len(slow), len(wanted))
        late_text = (self.folder / "late.txt").read_text()
        self.assertTrue(late_text.splitlines()[-1] == wanted.splitlines()[-1])
        self.assertGreater(late_text.count("\n"), 1000)

    def test_slow_reader_is_cut_off_and_counted(self):
        process = self.relay("slow_reader: {max_size: 64KiB}")
        reads, = self.readers(process, 1)
        stuck = connect(self.where)
        self.addCleanup(stuck.close)
        harness.wait_for("two readers", lambda: process.err().count("waits for a stream") == 2)
        program = self.program().accept()
        for at in range(0, len(OWN), 40_000):  # never more at once than a reader may lag behind
            program.send(OWN[at:at + 40_000])
            reads.wait_for(min(at + 40_000, len(OWN)))
        program.end()
        self.check_same(reads.whole(), OWN)
        left = int(self.wait_err(process, r"is cut off: it reads too slowly.*; (\d+) bytes were left")[1])
        self.end(process)
        self.assertRegex(process.err(), rf"dropped.*\b{left}\b.*slow_reader|{left}.*slow_reader")
        got = b""
        while part := stuck.recv(1 << 16):
            got += part
        self.assertTrue(OWN.startswith(got) and len(got) < len(OWN))

    def test_a_reader_that_does_not_take_the_rest(self):
        """After its stream's end it is given `linger`, and another program is served meanwhile."""
        process = self.relay("slow_reader: {linger: 300ms}")
        stuck = connect(self.where)
        self.addCleanup(stuck.close)
        self.wait_err(process, "waits for a stream")
        program = self.program().accept()
        program.send(OWN)
        program.end()
        self.wait_err(process, r"is cut off: its stream is over")
        self.end(process)

    def test_a_signal_ends_the_lingering(self):
        """Also of one that would be waited for without end: shutdown_timeout is for all."""
        self.where = str(self.folder / "relay.sock")
        config = "    shutdown_timeout: 500ms" + PIPELINE % (self.folder / "program.sock", f'unix: "{self.where}"', ", slow_reader: {linger: never}")
        process = self.evpipe(config)
        self.wait_err(process, "listening on")
        stuck = connect(self.where)
        self.addCleanup(stuck.close)
        self.wait_err(process, "waits for a stream")
        reads, = self.readers(process, 1)
        program = self.program().accept()
        program.send(OWN)
        program.end()
        self.check_same(reads.whole(), OWN)  # the stream is over for the sink, too: nothing but the lingering is left to be ended
        self.end(process)
        self.assertRegex(process.err(), "is cut off: evpipe ends")

    def test_readers_come_and_go(self):
        process = self.relay()
        reads, = self.readers(process, 1)
        before = len(os.listdir(f"/proc/{process.pid}/fd"))
        program = self.program().accept()
        places = block_ends(OWN)
        for i in range(200):
            program.send(OWN[places[i] if i else 0:places[i + 1]]) if i + 1 < len(places) - 1 else None
            client = connect(self.where)
            if i % 3 == 0:
                client.recv(100)
            client.close()
        program.send(OWN[places[min(200, len(places) - 2)]:])
        program.end()
        self.check_same(reads.whole(), OWN)
        harness.wait_for("all fds to be closed", lambda: len(os.listdir(f"/proc/{process.pid}/fd")) <= before)
        self.end(process)

    def test_half_closed_and_talking_readers(self):
        process = self.relay(", ".join(["max_readers: 3"]))
        half, talks = self.readers(process, 2)
        half.socket.shutdown(socket.SHUT_WR)
        talks.socket.sendall(b"\x0fEVENTLOG command" * 10_000)
        program = self.program().accept()
        program.send(OWN)
        program.end()
        self.check_same(half.whole(), OWN)
        self.check_same(talks.whole(), OWN)
        self.end(process)

    def test_more_readers_than_allowed(self):
        process = self.relay("max_readers: 2")
        readers = self.readers(process, 2)
        self.assertEqual(self.reader().whole(), b"")
        self.wait_err(process, r"is refused: there are 2 readers \(max_readers\)")
        readers[0].leave()
        self.wait_err(process, "has left")
        self.readers(process, 1)
        self.end(process)

    def test_who_makes_room_breaks_at_the_same_time(self):
        """Both are news of one look at the sockets: the new one, and the end of the old one, which is gone by then."""
        where = "127.0.0.1", harness.free_port()
        process = self.relay("max_readers: 1", 'tcp: "%s:%d"' % where)
        new = connect(where)
        for _ in range(3):
            old = new
            self.wait_err(process, rf":{old.getsockname()[1]} reads")
            old.shutdown(socket.SHUT_WR)
            harness.wait_for("the half-closed one to be known", lambda: self.unwatched(process))
            process.send(signal.SIGSTOP)
            new = connect(where)
            old.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            old.close()
            process.send(signal.SIGCONT)
        self.wait_err(process, rf":{new.getsockname()[1]} reads")
        program = self.program().accept()
        program.send(OWN[:-2])
        self.assertEqual(new.recv(8), OWN[:8])
        new.close()
        program.end()
        self.end(process)

    def unwatched(self, process):
        """Is there a socket of which evpipe wants to know nothing but that it broke?"""
        folder = pathlib.Path(f"/proc/{process.pid}/fdinfo")
        for fd in os.listdir(folder):
            with contextlib.suppress(OSError):  # closed meanwhile
                if re.search(r"tfd:.* events: +18 ", (folder / fd).read_text()):
                    return True
        return False

    def test_many_stuck_readers_cost_one_backlog(self):
        """They share what waits for them."""
        process = self.relay("slow_reader: {max_size: 8MiB}, max_readers: 100")
        stuck = [connect(self.where) for _ in range(60)]
        for client in stuck:
            self.addCleanup(client.close)
        harness.wait_for("readers", lambda: len(os.listdir(f"/proc/{process.pid}/fd")) > 60)
        program = self.program().accept()
        before = self.resident(process)
        begin, end = block_ends(OWN)[0], block_ends(OWN)[-2]
        program.send(OWN[:begin])
        for _ in range(32):  # 16 MB
            program.send(OWN[begin:end])
        self.wait_err(process, "is cut off")
        harness.wait_for("all to be cut off", lambda: len(os.listdir(f"/proc/{process.pid}/fd")) < 60)
        if not harness.WRAPPER and harness.PATIENCE == 1:
            self.assertLess(self.resident(process) - before, 40_000)
        program.end()
        self.end(process)

    def resident(self, process):
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1])


class Streams(Case):
    def test_program_is_killed_and_started_again(self):
        process = self.relay()
        first, = self.readers(process, 1)
        cut = 300_001
        program = self.program().accept()
        program.send(OWN[:cut])
        program.end()
        self.check_same(first.whole(), OWN[:cut])
        second, = self.readers(process, 1)
        program = self.program().accept()
        program.send(OWN)
        program.end()
        self.check_same(second.whole(), OWN)
        self.end(process)

    def test_evpipe_is_stopped(self):
        """What was read is still given to the readers, and the socket is gone."""
        process, program = self.relay(), self.program()
        first, = self.readers(process, 1)
        program.accept()
        program.send(OWN)
        first.wait_for(1000)
        self.end(process)
        got = first.whole()
        self.assertTrue(OWN.startswith(got))
        self.assertFalse(os.path.lexists(self.where))

    def test_two_programs(self):
        """One is served; the other after it, from a place where a reader may begin."""
        self.where = str(self.folder / "relay.sock")
        a, b = self.program("a.sock"), self.program("b.sock")
        process = self.evpipe(f"""
            sources:
              a: {{plugin: socket, unix: "{self.folder}/a.sock"}}
              b: {{plugin: socket, unix: "{self.folder}/b.sock"}}
            sinks:
              fan: {{plugin: relay, from: [a, b], unix: "{self.where}"}}
        """)
        self.wait_err(process, "listening on")
        first, = self.readers(process, 1)
        a.accept().send(OWN[:200_000])
        first.wait_for(200_000)
        places = block_ends(OWN)
        b.accept().send(OWN[:places[5]])
        self.wait_err(process, "a stream of 'b' is left out as long as one of 'a' is served")
        self.wait_err(process, "other_stream")
        a.send(OWN[200_000:])
        a.end()
        self.check_same(first.whole(), OWN)
        second = self.reader()
        second.wait_for(places[0])
        b.send(OWN[places[5]:])
        b.end()
        self.check_late(second.whole(), OWN, places[5])
        self.end(process)

    def test_a_lost_place_ends_the_connections(self):
        """A queue that overflows: no reader is given a stream with a hole."""
        self.where = str(self.folder / "relay.sock")
        process = self.evpipe(PIPELINE % (self.folder / "program.sock", f'unix: "{self.where}"', ", queue: {max_size: 1KiB}"))
        self.wait_err(process, "listening on")
        first, = self.readers(process, 1)
        program = self.program().accept()
        program.send(OWN)
        program.end()
        got = first.whole()
        if not OWN.startswith(got):  # it was lost before the reader's first byte: prologue, and a piece without a hole
            begins = [(place, OWN.find(got[place:place + 24])) for place in block_ends(got)]
            self.assertTrue(any(got[place:] == OWN[at:at + len(got) - place] for place, at in begins if at >= 0))
        self.end(process)


class Redaction(Case):
    def test_every_log(self):
        for seed, log in enumerate(self.small_logs()):
            with self.subTest(log.name):
                data = log.read_bytes()
                wanted = redacted(data)
                process = self.relay("redact: [arguments, environment]")
                reader, = self.readers(process, 1)
                program = self.replay(log, "--cut", "1" if len(data) < 10_000 else "3000", "--seed", seed, name="program")
                self.assertEqual(program.wait(60), 0, program.err())
                self.check_same(reader.whole(), wanted)
                self.end(process)

    def test_late_reader(self):
        places = block_ends(OWN)
        process, program = self.relay("redact: arguments"), self.program().accept()
        program.send(OWN[:places[4]])
        late = self.reader()
        late.wait_for(places[0])
        program.send(OWN[places[4]:])
        program.end()
        self.check_late(late.whole(), redacted(OWN), places[4])
        self.end(process)

    def test_what_is_not_understood(self):
        """It is left out; who reads has to begin anew behind it."""
        places = block_ends(OWN)
        damaged = bytearray(OWN)
        damaged[places[5] + 24:places[6]] = random.Random(5).randbytes(places[6] - places[5] - 24)
        process, program = self.relay("redact: [arguments, environment]"), self.program()
        first, = self.readers(process, 1)
        program.accept().send(damaged[:places[5]])
        first.wait_for(places[5])
        program.send(damaged[places[5]:places[7]])
        got = first.whole()
        self.assertTrue(redacted(OWN).startswith(got[:places[5]]))
        self.wait_err(process, "unframed")
        late = self.reader()
        late.wait_for(places[0])
        self.wait_err(process, r"reads\n")
        program.send(damaged[places[7]:])
        program.end()
        self.assertTrue(late.whole().endswith(OWN[places[-2]:]))
        self.end(process)


class Addresses(Case):
    def listen_error(self, options):
        status, _, err = self.run_evpipe(PIPELINE % (self.folder / "program.sock", options, ""))
        return status, err

    def test_mode_and_stale_socket(self):
        self.where = str(self.folder / "relay.sock")
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(self.where)
        for options, mode in (("", 0o600), ('mode: "0666"', 0o666)):
            process = self.relay(options)
            self.assertEqual(stat.S_IMODE(os.stat(self.where).st_mode), mode)
            self.end(process)
            self.assertFalse(os.path.lexists(self.where))
            with socket.socket(socket.AF_UNIX) as stale:
                stale.bind(self.where)

    def test_killed_and_started_again(self):
        process = self.relay()
        process.kill()
        self.assertTrue(os.path.lexists(self.where))
        again = self.relay()
        self.assertIn("removed, a socket that nobody listens on", again.err())
        self.end(again)

    def test_somebody_else_is_there(self):
        process = self.relay()
        status, err = self.listen_error(f'unix: "{self.where}"')
        self.assertEqual(status, 1, err)
        self.assertIn("somebody else listens on it", err)
        self.readers(process, 1)  # and is still reached
        self.end(process)

    def test_path_is_a_file(self):
        path = self.folder / "notes.txt"
        path.write_text("mine")
        status, err = self.listen_error(f'unix: "{path}"')
        self.assertEqual(status, 1, err)
        self.assertIn("is there already, and is no socket", err)
        self.assertEqual(path.read_text(), "mine")

    def test_no_folder(self):
        status, err = self.listen_error(f'unix: "{self.folder}/none/relay.sock"')
        self.assertEqual(status, 1, err)
        self.assertIn("none/relay.sock: can not listen: there is no such folder; make it first", err)

    def test_port_is_taken(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            status, err = self.listen_error(f'tcp: "127.0.0.1:{other.getsockname()[1]}"')
        self.assertEqual(status, 1, err)
        self.assertIn("somebody else listens on that port", err)

    def test_option_errors(self):
        for options, said in (("", "needs either unix: PATH or tcp: HOST:PORT"), ('unix: /tmp/x, tcp: "localhost:1"', "does not go with unix"),
                              ('tcp: "0.0.0.0:4242"', "say allow_remote: true"), ('tcp: "example.org:4242"', "say allow_remote: true"),
                              ('tcp: "localhost"', "has no port"), ("unix: /tmp/x, mode: 999", "is no file mode"),
                              ("unix: /tmp/x, redact: [args]", "'args' is neither"), ("unix: /tmp/x, max_readers: 0", "must be at least 1")):
            with self.subTest(options):
                config = self.config(PIPELINE % ("/tmp/p", options, ""))
                process = self.evpipe(config, "--check")
                self.assertEqual(process.wait(), 2, process.err())
                self.assertIn(said, process.err())
        process = self.evpipe(self.config(PIPELINE % ("/tmp/p", 'tcp: "0.0.0.0:4242", allow_remote: true', "")), "--check")
        self.assertEqual(process.wait(), 0, process.err())


if __name__ == "__main__":
    harness.main()
