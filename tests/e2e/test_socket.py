#!/usr/bin/env python3
"""Live streams: captured ones with odd cuts and pauses, further clients, reconnects, programs that die at any byte."""
import random
import re
import socket

import harness
import eventlog
import points

PIPELINE = """
    shutdown_timeout: 1h
    sources:
      app: {plugin: socket, %s, reconnect: {initial: 10ms, max: 100ms}}
    filters:
      heap: {plugin: heap, from: app}
    sinks:
      out: {plugin: print, from: heap, format: json, path: "%s"}
"""


class Socket(harness.Case):
    def pipe(self, where, name="evpipe"):
        process = self.evpipe(PIPELINE % (where, self.folder / (name + ".json")), name=name)
        process.json = self.folder / (name + ".json")
        return process

    def unix(self, server, name="evpipe"):
        return self.pipe(f'unix: "{server.path}"', name)

    def points_of(self, process):
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)
        return points.of_json(process.json.read_bytes())

    def check_same(self, data, found):
        """Every point that the bytes make, and nothing else but what the ends take back."""
        first = next(eventlog.streams(data))
        if eventlog.stream_epoch(first) is None:
            return self.check_same_but_for_the_clock(data, found)
        wanted = points.expected(data)
        got, _ = points.apart(found, wanted)
        self.assertEqual(points.difference(wanted, got), "")
        return got

    def check_same_but_for_the_clock(self, data, found):
        """A stream that does not say when it was: the times are estimated, all by the same amount."""
        wanted = points.expected(data, 0)
        if not wanted:
            return self.assertEqual(found, [])
        epoch = min(point.time for point in found) - min(point.time for point in wanted)
        wanted = points.expected(data, epoch)
        got, _ = points.apart(found, wanted)
        self.assertEqual(points.difference(wanted, got), "")
        return got

    # ----------------------------------------------------------------------------------------------- captured streams

    def test_captured_streams_with_cuts_and_pauses(self):
        logs = [log for log in harness.eventlogs(smaller_than=10_000_000) if log.name.startswith("socket-")]
        if not logs:
            harness.skip(f"no folder of eventlogs at {harness.EVENTLOGS}")
        for seed, log in enumerate(logs):
            with self.subTest(log.name):
                server = self.replay(log, "--cut", "40000", "--pause", "0.05", "--seed", seed, name=f"replay{seed}")
                process = self.unix(server, f"evpipe{seed}")
                self.assertEqual(server.wait(60), 0, server.err())
                self.wait_err(process, r"there is no socket|nobody listens|refused|waiting for it|ends |ended")
                self.check_same(log.read_bytes(), self.points_of(process))

    def test_the_stray_marker_of_ghc_9_0(self):
        """It is no warning; what else is skipped is one, and one byte too many is something else."""
        log = harness.OWN_LOG.read_bytes()
        marker = bytes.fromhex("0012" "00000000437403bf" "00000a98" "0000000043740f85" "ffff")
        for name, data, told in (("marker", marker, "info app .* 24 bytes before the header"), ("more", b"x" + marker, "warning app .* 25 bytes skipped"),
                                 ("other", b"x" * 24, "warning app .* 24 bytes skipped"), ("twice", marker + marker, "warning app .* 48 bytes skipped")):
            with self.subTest(name):
                path = self.folder / (name + ".eventlog")
                path.write_bytes(data + log)
                server = self.replay(path, "--raw", name="replay-" + name)
                process = self.unix(server, "evpipe-" + name)
                self.assertEqual(server.wait(60), 0, server.err())
                self.wait_err(process, told)
                self.check_same(log, self.points_of(process))
                self.assertEqual("damaged" in process.err(), name != "marker")
                self.assertRegex(process.err(), r"app .*\b%d\b" % len(data))

    def test_one_byte_at_a_time(self):
        log = harness.eventlog("par-966-N2-numa.eventlog")
        server = self.replay(log, "--cut", "1")
        process = self.unix(server)
        self.assertEqual(server.wait(60), 0, server.err())
        self.check_same(log.read_bytes(), self.points_of(process))

    def test_tcp(self):
        port = harness.free_port()
        server = self.start([harness.sys.executable, harness.SOURCE / "tests" / "live" / "replay.py", harness.OWN_LOG, "--tcp", f"127.0.0.1:{port}"],
                            "replay")
        self.wait_listening(server)
        process = self.pipe(f'tcp: "127.0.0.1:{port}"')
        self.assertEqual(server.wait(60), 0, server.err())
        self.check_same(harness.OWN_LOG.read_bytes(), self.points_of(process))

    def test_connections_that_bring_nothing(self):
        """socat without a program behind it takes every connection and closes it: that is said once, and once when it changes."""
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(self.folder / "socat.sock"))
            server.listen()
            server.settimeout(30 * harness.PATIENCE)
            process = self.pipe(f'unix: "{self.folder}/socat.sock", pace: realtime')
            for _ in range(5):
                server.accept()[0].close()
            with server.accept()[0] as program:
                program.sendall(harness.OWN_LOG.read_bytes())
                self.wait_err(process, "connected: something comes, after 5 connections that brought nothing")
            server.accept()[0].close()
            self.wait_err(process, "a byte came.*(.|\n)* a byte came")
        found = self.points_of(process)
        self.check_same(harness.OWN_LOG.read_bytes(), found)
        self.assertEqual(len(re.findall(": connected$", process.err(), re.MULTILINE)), 2)
        self.assertEqual(process.err().count("'pace: realtime' is for recordings"), 1)

    # -------------------------------------------------------------------------------------------------- further clients

    def test_second_client_of_a_running_program(self):
        """The first client leaves in the middle. The second gets header, definitions and the rest, and no breakdown but from the
        arguments."""
        server = self.replay(harness.OWN_LOG, "--again", "restart")
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(server.path))
            got = b""
            while len(got) < 200_000:
                got += first.recv(200_000 - len(got))
        process = self.unix(server)
        self.assertEqual(server.wait(60), 0, server.err())
        found = self.points_of(process)
        censuses = {point.time for point in found if point.name == "ghc_heap_profiled_bytes" and point.value}
        all_censuses = {point.time for point in points.expected(harness.OWN_LOG.read_bytes()) if point.name == "ghc_heap_profiled_bytes"}
        self.assertTrue(0 < len(censuses) < len(all_censuses))
        self.assertLess(censuses, all_censuses)
        self.assertEqual({dict(point.labels)["breakdown"] for point in points.census_only(found)}, {"closure_type"})

    def test_captured_second_client(self):
        first = harness.eventlog("socket-seed-9103-first-client.eventlog")
        second = harness.eventlog("socket-seed-966-busy-reconnect.eventlog")
        server = self.replay(first, second, "--end", "close", "--cut", "30000")
        process = self.unix(server)
        self.wait_err(server, "client 3", 60)
        found = self.points_of(process)
        wanted = points.expected(first.read_bytes()) + points.expected(second.read_bytes())
        missing = set(wanted) - set(found)
        self.assertEqual(missing, set())

    def test_waits_in_the_backlog_behind_another_reader(self):
        server = self.replay(harness.OWN_LOG, "--hold", "600", "--again", "same")
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(server.path))
            other.recv(100_000)
            process = self.unix(server)
            self.wait_err(process, "connected")
            other.close()
            self.wait_err(server, "client 2")
        self.assertEqual(process.stop(), 0, process.err())

    # ------------------------------------------------------------------------------------------------------ restarts

    def test_program_is_killed_and_started_again(self):
        """evpipe reconnects, nothing is mixed, and the bands of the run that is over are taken back."""
        size = 300_000
        server = self.replay(harness.OWN_LOG, "--kill-at", size)
        process = self.unix(server)
        self.assertEqual(server.wait(), -9)
        again = self.replay(harness.OWN_LOG)
        self.assertEqual(again.wait(60), 0, again.err())
        data = harness.OWN_LOG.read_bytes()
        found = self.points_of(process)
        wanted = points.expected(data[:size]) + points.expected(data)
        got, taken_back = points.apart(found, wanted)
        self.assertEqual(points.difference(wanted, got), "")
        self.assertGreater(len(taken_back), 80)

    def test_storm_of_kills(self):
        """Programs that die at any byte, in the header too; after them one that lives is read to its end."""
        chance = random.Random(7)
        data = harness.OWN_LOG.read_bytes()
        sizes = [1, 7, 8, 1000, 3091, 3092, 3093] + [chance.randrange(len(data)) for _ in range(8)]
        process = self.pipe(f'unix: "{self.folder / "replay.sock"}"')
        for size in sizes:
            server = self.replay(harness.OWN_LOG, "--kill-at", size, "--cut", "5000")
            self.assertEqual(server.wait(), -9)
        last = self.replay(harness.OWN_LOG)
        self.assertEqual(last.wait(60), 0, last.err())
        found = self.points_of(process)
        self.assertEqual(set(points.expected(data)) - set(found), set())

    def test_no_stream_makes_it_fail(self):
        """What is no eventlog is said, and the next connection is another try: a live source never causes status 3."""
        chance = random.Random(3)
        noise = self.folder / "noise"
        noise.write_bytes(chance.randbytes(300_000))
        zeros = self.folder / "zeros"
        zeros.write_bytes(bytes(300_000))
        server = self.replay(noise, zeros, harness.OWN_LOG, "--raw", "--end", "close", "--cut", "20000")
        process = self.unix(server)
        self.wait_err(server, "client 4", 60)
        self.assertIn("header", process.err())
        found = self.points_of(process)
        self.assertEqual(set(points.expected(harness.OWN_LOG.read_bytes())) - set(found), set())

    def test_slow_sink_does_not_hold_the_program(self):
        """A sink that takes nothing: the socket is drained all the same."""
        fifo = self.folder / "fifo"
        harness.os.mkfifo(fifo)
        log = harness.eventlog("socket-seed-966-busy-reconnect.eventlog")
        server = self.replay(log, "--end", "exit")
        keep = harness.os.open(fifo, harness.os.O_RDWR)  # a reader that never reads
        self.addCleanup(harness.os.close, keep)
        self.evpipe(f"""
            shutdown_timeout: 1s
            sources:
              app: {{plugin: socket, unix: "{server.path}"}}
            sinks:
              out: {{plugin: print, from: app, format: json, path: "{fifo}"}}
        """)
        self.assertEqual(server.wait(60), 0, server.err())


if __name__ == "__main__":
    harness.main()
