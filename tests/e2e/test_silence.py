#!/usr/bin/env python3
"""It says why nothing comes (DESIGN 8): each case once, as a warning, with the flag to add, and not when something does come.

`silence` shortens the ten seconds, to what a machine needs for what does come.
"""
import socket

import harness
import eventlog
import eventlog_writer as writer

SILENCE = f"{500 + 500 * harness.PATIENCE:.0f}ms"
LONGER = f"{1000 + 1000 * harness.PATIENCE:.0f}ms"
HEAP = """
    sources:
      app: {plugin: socket, unix: "%s", silence: SILENCE}
    filters:
      heap: {plugin: heap, from: app}
    sinks:
      out: {plugin: print, from: [app, heap], format: json, path: /dev/null}
""".replace("SILENCE", SILENCE)
EVENTS = """
    sources:
      app: {plugin: socket, unix: "%s", silence: SILENCE}
    sinks:
      out: {plugin: print, from: app, format: json, path: /dev/null}
""".replace("SILENCE", SILENCE)
WATCHED = """
    control: {unix: "%s"}
    sources:
      app: {plugin: socket, unix: "%s", silence: SILENCE}
      evpipe: {plugin: internal, interval: 50ms}
    filters:
      heap: {plugin: heap, from: app}
    sinks:
      none: {plugin: print, from: heap, format: json, path: /dev/null}
      out: {plugin: print, from: evpipe, format: json}
""".replace("SILENCE", SILENCE)
NO_HEADER, NO_EVENTS, NO_CENSUS = r"warn.*no eventlog header", r"warn.*header.*no events", r"warn.*no heap census"


class Silence(harness.Case):
    def run_with(self, server, pipeline=HEAP):
        return self.evpipe(pipeline % server.path)

    def check_only(self, process, pattern):
        """It was said once, and no other reason was given."""
        self.assertEqual(process.stop(), 0)
        for each in (NO_HEADER, NO_EVENTS, NO_CENSUS):
            found = len(harness.re.findall(each, process.err()))
            self.assertEqual(found, 1 if each == pattern else 0, process.err())

    def test_no_header(self):
        empty = self.folder / "empty"
        empty.write_bytes(b"")
        process = self.run_with(self.replay(empty, "--raw", "--end", "hold"))
        self.wait_err(process, NO_HEADER)
        self.assertIn("another reader", process.err())
        self.check_only(process, NO_HEADER)

    def test_no_header_behind_another_reader(self):
        server = self.replay(harness.OWN_LOG, "--end", "hold")
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(str(server.path))
            other.recv(1)
            process = self.run_with(server)
            self.wait_err(process, NO_HEADER)
            self.check_only(process, NO_HEADER)

    def test_header_but_no_events(self):
        process = self.run_with(self.replay(harness.OWN_LOG, "--hold", "600"))
        self.wait_err(process, NO_EVENTS)
        self.assertIn("--eventlog-flush-interval", process.err())
        self.assertIn("9.2", process.err())
        self.check_only(process, NO_EVENTS)

    def test_only_who_logs(self):
        """Without -l a run-time system still says who it is, whenever somebody connects, and flushes: as GHC 9.6.6 does."""
        made = writer.Log()
        made.init()
        made.add(writer.OSPROCESS_PPID, bytes(8))
        made.info_table(0x4711, "name", "type", "Module", "Module.hs:1:1")
        made.block()
        for second in range(1, 4):
            made.time = second * 10**9
            made.block(0, [])
        for pipeline, name in ((HEAP, "heap"), (EVENTS, "events")):
            log = self.folder / (name + ".eventlog")
            log.write_bytes(made.data(end=False))
            process = self.evpipe(pipeline % self.replay(log, "--end", "hold", name=name).path, name=name + "-evpipe")
            self.wait_err(process, NO_EVENTS)
            self.assertIn("-l ", process.err())
            self.check_only(process, NO_EVENTS)

    def test_events_but_no_census(self):
        log = self.without_census()
        process = self.run_with(self.replay(log, "--end", "hold"))
        self.wait_err(process, NO_CENSUS)
        self.assertIn("-hT", process.err())
        self.assertIn("--no-automatic-heap-samples", process.err())
        self.check_only(process, NO_CENSUS)

    def test_it_is_a_state_as_long_as_it_lasts(self):
        """In the statistics, as metrics and on the control socket: nothing, no census, nothing again when the program has gone."""
        socket_path = self.folder / "control"
        pipeline = WATCHED % (socket_path, self.folder / "replay.sock")
        server = self.replay(self.without_census(), "--end", "hold")
        process = self.evpipe(pipeline)
        self.wait_err(process, NO_CENSUS)
        found = harness.wait_for("the state among the metrics", lambda: self.states(process) and self.states(process)[-1] == [0, 0, 1] and self.states(process))
        self.assertIn([0, 0, 0], found)
        shown = self.start([harness.EVPIPE, "ctl", "-s", socket_path, "stats"], "ctl")
        self.assertEqual(shown.wait(), 0, shown.err())
        self.assertIn("no heap census comes", shown.out().decode())
        server.stop()
        harness.wait_for("the end of the state", lambda: self.states(process)[-1] == [0, 0, 0])
        self.assertEqual(process.stop(), 0)

    def states(self, process):
        complete = process.out().rpartition(b"\n")[0]
        items = [item for item in harness.json_lines(complete) if item["name"] == "evpipe_source_silent"]
        reasons = [item["labels"]["reason"] for item in items[:3]]
        self.assertEqual(reasons, ["no_header", "no_events", "no_census"][:len(reasons)])
        return [[item["value"] for item in items[at:at + 3]] for at in range(0, len(items) - 2, 3)]

    def test_no_census_is_no_matter_where_no_heap_filter_waits(self):
        process = self.run_with(self.replay(self.without_census(), "--end", "hold"), EVENTS)
        self.wait_until_silent_for_long(process)
        self.check_only(process, None)

    def test_nothing_is_said_when_a_census_comes(self):
        process = self.run_with(self.replay(harness.OWN_LOG, "--end", "hold"))
        self.wait_until_silent_for_long(process)
        self.check_only(process, None)

    def test_nothing_is_said_where_that_is_wanted(self):
        process = self.run_with(self.replay(harness.OWN_LOG, "--hold", "600"), HEAP.replace(SILENCE, "never"))
        self.wait_until_silent_for_long(process)
        self.check_only(process, None)

    def test_nothing_is_said_too_early(self):
        """Without the key it takes ten seconds."""
        begin = harness.time.monotonic()
        process = self.run_with(self.replay(harness.OWN_LOG, "--hold", "600"), pipeline=HEAP.replace(f", silence: {SILENCE}", ""))
        self.wait_err(process, NO_EVENTS)
        self.assertGreater(harness.time.monotonic() - begin, 9.5)
        self.assertRegex(process.err(), r"1\d s")

    def wait_until_silent_for_long(self, process):
        """Another evpipe, begun later, has complained about its own server by now."""
        self.wait_err(process, "connected")
        empty = self.folder / "clock"
        empty.write_bytes(b"")
        server = self.replay(empty, "--raw", "--end", "hold", name="clock-replay")
        clock = self.evpipe(HEAP.replace(SILENCE, LONGER) % server.path, name="clock-evpipe")
        self.wait_err(clock, NO_HEADER)

    def without_census(self):
        """The first part of a log, up to its first census."""
        data = harness.OWN_LOG.read_bytes()
        stream, = eventlog.streams(data)
        census = next(stream.records({eventlog.SAMPLE_BEGIN}))
        blocks = [record.offset for record in stream.records({eventlog.BLOCK_MARKER}) if record.offset < census.offset]
        log = self.folder / "no-census.eventlog"
        log.write_bytes(data[:blocks[-1]])
        self.assertGreater(len(blocks), 2)
        return log


if __name__ == "__main__":
    harness.main()
