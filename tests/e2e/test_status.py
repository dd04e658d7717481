#!/usr/bin/env python3
"""Exit statuses, signals, and bad input from outside: what DESIGN 9 promises."""
import gzip
import os
import random
import signal
import socket
import subprocess

import harness
import eventlog

FILE = """
    sources:
      log: {plugin: file, path: "%s"}
    sinks:
      out: {plugin: print, from: log, format: json, path: "%s"}
"""
SOCKET = """
    shutdown_timeout: 1h
    sources:
      app: {plugin: socket, unix: "%s", reconnect: {initial: 10ms, max: 100ms}}
    sinks:
      out: {plugin: print, from: app, format: json, path: "%s"}
"""


class Damage(harness.Case):
    """Status 3: an input that ends by itself was damaged. 0 with a warning: it was only cut between two records."""

    def run_file(self, data, name="log"):
        path = self.folder / name
        path.write_bytes(data)
        status, out, err = self.run_evpipe(FILE % (path, "-"), name=name)
        return status, len(out.splitlines()), err

    def setUp(self):
        super().setUp()
        self.log = harness.OWN_LOG.read_bytes()
        self.stream, = eventlog.streams(self.log)

    def test_whole(self):
        status, events, err = self.run_file(self.log)
        self.assertEqual((status, events), (0, 28209), err)
        self.assertNotIn("warn", err)

    def test_no_header(self):
        for name, data, hint in (("empty", b"", ""), ("text", b"this is no eventlog\n" * 50, ""), ("gzip", gzip.compress(self.log), "gzip"),
                                 ("zeros", bytes(100_000), ""), ("git-lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", ""),
                                 ("noise", random.Random(1).randbytes(100_000), "")):
            with self.subTest(name):
                status, events, err = self.run_file(data, name)
                self.assertEqual((status, events), (3, 0), err)
                self.assertRegex(err, "(?i)header|empty")
                self.assertIn(hint, err)

    def test_header_cut_at_every_byte(self):
        """For every length, all lengths in steps: never a crash, always 3."""
        for size in [*range(1, 40), *range(40, self.stream.header_size, 97), self.stream.header_size - 1]:
            status, events, err = self.run_file(self.log[:size])
            self.assertEqual((status, events), (3, 0), f"{size} bytes: {err}")

    def test_bare_header(self):
        status, events, err = self.run_file(self.log[:self.stream.header_size])
        self.assertEqual((status, events), (0, 0), err)
        self.assertRegex(err, "end marker")

    def test_killed_program(self):
        """Cut between two records: 0, with a warning."""
        record = list(self.stream.records())[5000]
        status, events, err = self.run_file(self.log[:record.offset])
        self.assertEqual((status, events), (0, 5000), err)
        self.assertRegex(err, "warn.*end marker")

    def test_cut_inside_a_record(self):
        record = list(self.stream.records())[5000]
        for more in (1, 5, 9):
            status, events, err = self.run_file(self.log[:record.offset + more])
            self.assertEqual((status, events), (3, 5000), err)
            self.assertIn(str(record.offset), err.replace(",", ""))

    def test_damage_in_the_middle(self):
        """Bytes are skipped up to the next block, which is read: offset and count are said."""
        blocks = [record.offset for record in self.stream.records({eventlog.BLOCK_MARKER})]
        data = bytearray(self.log)
        data[blocks[10] + 24:blocks[10] + 40] = b"\xee" * 16
        status, events, err = self.run_file(bytes(data))
        self.assertEqual(status, 3, err)
        self.assertTrue(20_000 < events < 28_209, events)
        self.assertRegex(err, "skipped")

    def test_random_flips_never_crash(self):
        chance = random.Random(11)
        small = harness.eventlog("par-966-N2-numa.eventlog").read_bytes()
        for _ in range(40):
            data = bytearray(small)
            for _ in range(chance.choice((1, 3, 30))):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            status, _, err = self.run_file(bytes(data))
            self.assertIn(status, (0, 3), err)

    def test_leading_bytes_are_counted(self):
        status, events, err = self.run_file(b"stray bytes" + self.log)
        self.assertEqual((status, events), (3, 28209), err)
        self.assertIn("11", err)

    def test_missing_file_and_directory(self):
        for path in (self.folder / "missing", self.folder):
            status, out, err = self.run_evpipe(FILE % (path, "-"))
            self.assertEqual((status, out), (1, b""), err)
            self.assertIn(str(path), err)


class Output(harness.Case):
    def test_reader_that_leaves(self):
        """evpipe | head: quietly 0."""
        config = self.config(FILE % (harness.OWN_LOG, "-"))
        read_end, write_end = os.pipe()
        process = self.evpipe(config, stdout=write_end)
        os.close(write_end)
        self.assertEqual(len(os.read(read_end, 100)), 100)
        os.close(read_end)
        self.assertEqual(process.wait(), 0, process.err())
        self.assertNotIn("error", process.err())

    def test_full_disk(self):
        status, _, err = self.run_evpipe(FILE % (harness.OWN_LOG, "/dev/full"))
        self.assertEqual(status, 1, err)
        self.assertEqual(err.count("No space left"), 1, err)

    def test_one_failing_sink_does_not_stop_the_other(self):
        status, out, err = self.run_evpipe(f"""
            sources:
              log: {{plugin: file, path: "{harness.OWN_LOG}"}}
            sinks:
              full: {{plugin: print, from: log, format: json, path: /dev/full}}
              good: {{plugin: print, from: log, format: json}}
        """)
        self.assertEqual((status, len(out.splitlines())), (1, 28209), err)

    def test_closed_standard_streams(self):
        config = self.config(FILE % (harness.OWN_LOG, self.folder / "out.json"))
        status = subprocess.run(["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', harness.EVPIPE, config], timeout=60 * harness.PATIENCE, check=False).returncode
        self.assertEqual(status, 0)
        self.assertEqual(len((self.folder / "out.json").read_bytes().splitlines()), 28209)


class Signals(harness.Case):
    def live(self, name="evpipe"):
        """evpipe in the middle of a stream: everything that the server sent was read, more may come."""
        server = self.replay(harness.OWN_LOG, "--end", "hold", name=name + "-replay")
        out = self.folder / (name + ".json")
        process = self.evpipe(SOCKET % (server.path, out), name=name)
        wait = harness.wait_for("all events to be written", lambda: out.exists() and out.read_bytes().count(b"\n") == 28209 or not process.running())
        self.assertTrue(wait and process.running(), process.err())
        return process, out

    def test_stops_cleanly(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            process, out = self.live(number.name)
            self.assertEqual(process.stop(number), 0, process.err())
            self.check_sound(process)
            self.assertEqual(len(out.read_bytes().splitlines()), 28209)

    def test_hangup_is_logged_and_ignored(self):
        process, _ = self.live()
        process.send(signal.SIGHUP)
        self.wait_err(process, "(?i)sighup|hang")
        self.assertTrue(process.running())
        self.assertEqual(process.stop(), 0)

    def test_drains_what_was_read(self):
        """A sink that is slow at the moment of the signal gets everything that was read before it."""
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        server = self.replay(harness.OWN_LOG, "--end", "hold")
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        process = self.evpipe(SOCKET % (server.path, fifo))
        self.wait_err(server, "end of the log")
        process.send(signal.SIGTERM)
        self.wait_err(process, "stopping")
        os.set_blocking(reader, True)
        got = bytearray()
        while part := os.read(reader, 1 << 20):
            got += part
        self.assertEqual(process.wait(), 0, process.err())
        self.assertEqual(got.count(b"\n"), 28209)

    def test_second_signal_cuts_the_drain_short(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        server = self.replay(harness.OWN_LOG, "--end", "hold")
        reader = os.open(fifo, os.O_RDWR)  # never reads
        self.addCleanup(os.close, reader)
        process = self.evpipe(SOCKET % (server.path, fifo))
        self.wait_err(server, "end of the log")
        process.send(signal.SIGTERM)
        self.wait_err(process, "stopping")
        self.assertTrue(process.running())
        process.send(signal.SIGTERM)
        self.assertEqual(process.wait(), 1, process.err())
        self.assertRegex(process.err(), "drop")

    def test_shutdown_timeout(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        server = self.replay(harness.OWN_LOG, "--end", "hold")
        reader = os.open(fifo, os.O_RDWR)
        self.addCleanup(os.close, reader)
        process = self.evpipe(SOCKET.replace("1h", "300ms") % (server.path, fifo))
        self.wait_err(server, "end of the log")
        self.assertEqual(process.stop(), 1, process.err())

    def test_stops_while_nobody_listens(self):
        process = self.evpipe(SOCKET % (self.folder / "nothing.sock", "-"))
        self.wait_err(process, "nothing.sock")
        self.assertEqual(process.stop(), 0, process.err())

    def test_stops_while_waiting_in_the_backlog(self):
        path = self.folder / "backlog.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(5)
            process = self.evpipe(SOCKET % (path, "-"))
            self.wait_err(process, "connected")
            self.assertEqual(process.stop(), 0, process.err())


class Usage(harness.Case):
    """Status 2 before anything is touched."""

    def test_wrong_configurations(self):
        for text in ("nonsense\n", "sources: {}\n", FILE.replace("from: log", "from: lag") % ("x", "-"), FILE.replace("file", "nosuch") % ("x", "-")):
            with self.subTest(text):
                status, out, err = self.run_evpipe(text + "\n")
                self.assertEqual((status, out), (2, b""), err)
                self.assertTrue(err)

    def test_missing_configuration(self):
        status, _, err = self.run_evpipe(self.folder / "missing.yaml")
        self.assertEqual(status, 2, err)
        self.assertIn("missing.yaml", err)


if __name__ == "__main__":
    harness.main()
