#!/usr/bin/env python3
"""socket -> heap, logs, gc -> a real InfluxDB: what is queried back is what the log says; the database's absence costs nothing."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness
import eventlog
import influx
import points

PIPELINE = """
    sources:
      app:
        plugin: socket
        unix: "%s"
        labels: {service: %s}
        reconnect: {initial: 10ms, max: 100ms}
    filters:
      heap: {plugin: heap, from: app}
      logs: {plugin: logs, from: app}
      gc: {plugin: gc, from: app}
    sinks:
      influx:
        plugin: influxdb
        from: [heap, logs, gc]
        url: "%s"
        database: eventlog
        create_database: true
        batch: {max_delay: 200ms}
        retry: {initial: 100ms, max: 1s}
"""
OUTAGE_SECONDS = 60.0 if "--full" in sys.argv else 10.0


class InfluxDB(harness.Case):
    def setUp(self):
        super().setUp()
        self.influx = influx.Influx(self)

    def pipe(self, server, service, name="evpipe"):
        return self.evpipe(PIPELINE % (server.path, service, self.influx.url), name=name)

    def check(self, data, service):
        wanted = {influx.as_stored(point) for point in points.expected(data)}
        got, taken_back = points.apart(self.influx.points(points.NAMES, service), wanted)
        self.assertEqual(points.difference(wanted, got), "")
        return taken_back

    def test_replayed_logs(self):
        names = ["oddball-966-hT.eventlog", "prof-966-hc.eventlog", "prof-966-hb.eventlog", "ipe-966-hi.eventlog", "par-966-N2-numa.eventlog",
                 "messages-966.eventlog", "socket-control-9103-ipe.eventlog", "socket-control-9103-prof.eventlog"]
        logs = [log for log in harness.eventlogs(smaller_than=2_000_000) if log.name in names]
        for number, log in enumerate(logs):
            with self.subTest(log.name):
                service = f"program{number}"
                server = self.replay(log, "--cut", "50000", name=f"replay{number}")
                process = self.pipe(server, service, f"evpipe{number}")
                self.assertEqual(server.wait(60), 0, server.err())
                self.wait_err(process, "waiting for it")
                self.assertEqual(process.stop(), 0, process.err())
                data = log.read_bytes()
                self.check(data, service)
                self.check_logs(next(eventlog.streams(data)), service)
                self.check_collections(next(eventlog.streams(data)), service)

    def check_collections(self, stream, service):
        """Of several points of one series with one time the last is kept. A histogram is one point, its buckets cumulative."""
        wanted = {point[:3]: point.value for point in eventlog.collection_points(stream, eventlog.stream_epoch(stream))}
        self.assertTrue(wanted)
        numbers = {name for name, _, _ in wanted} - {"ghc_gc_pause_seconds"}
        got = {point[:3]: point.value for point in [*self.influx.points(numbers, service), *self.influx.histograms("ghc_gc_pause_seconds", service)]}
        taken_back = {key for key in set(got) - set(wanted) if got.pop(key) == 0}
        self.assertEqual({name for name, _, _ in taken_back}, set(eventlog.GC_GAUGES))
        self.assertEqual(got, wanted)

    def check_logs(self, stream, service):
        """Every marker and message, at its time, is there; how odd bytes are shown is the sink's own tests' business."""
        epoch = eventlog.stream_epoch(stream)
        wanted = {}
        for kind, at, text in eventlog.logs(stream):
            plain = text.decode("utf-8", "replace")
            if plain.isascii() and plain.isprintable() and plain:
                wanted[(kind, plain[:32768])] = epoch + at
        got = {}
        for series in self.influx.query(f"SELECT message FROM ghc_log WHERE service = '{service}' GROUP BY *"):
            for at, text in series["values"]:
                got.setdefault((series["tags"]["kind"], text), []).append(at)
        for (kind, text), at in wanted.items():
            near = [other for other in got.get((kind, text), []) if abs(other - at) < 1000]
            self.assertTrue(near, f"{kind} {text[:60]!r} at {at}")

    def test_program_restarts(self):
        """Killed in the middle and started again: nothing is mixed, and the bands of the first run end with a 0 between the runs."""
        data = harness.OWN_LOG.read_bytes()
        size = 300_000
        server = self.replay(harness.OWN_LOG, "--now", "--kill-at", size)
        process = self.pipe(server, "oddball")
        self.assertEqual(server.wait(), -9)
        self.wait_err(process, "waiting for it")
        between = time.time_ns()
        again = self.replay(harness.OWN_LOG, "--now")
        self.assertEqual(again.wait(60), 0, again.err())
        self.wait_err(process, r"waiting for it[\s\S]*waiting for it")
        self.assertEqual(process.stop(), 0, process.err())
        found = self.influx.points(points.CENSUS)
        runs = [self.at_the_end_of(data[:size]), self.at_the_end_of(data)]
        self.assertGreater(len(runs[0]), 30)
        for labels in runs[0]:
            series = sorted((point.time, point.value) for point in found if point.labels == labels)
            self.assertIn(0, [value for _, value in series], labels)
        self.assertGreater(between, 0)
        self.assertEqual({value for _, value in (max((point.time, point.value) for point in found if point.labels == labels) for labels in runs[1])}, {0})

    def at_the_end_of(self, data):
        """The bands of the last census."""
        return eventlog.censuses(next(eventlog.streams(data)))[-1].rows

    def test_database_is_away(self):
        """InfluxDB is stopped while points come, and started again: none is missing, none is doubled."""
        server = self.replay(harness.OWN_LOG, "--pace", "2x")
        process = self.pipe(server, "oddball")
        harness.wait_for("the first points", lambda: self.influx.points(points.NAMES))
        self.influx.stop()
        stopped = time.monotonic()
        self.assertEqual(server.wait(60), 0, server.err())
        self.wait_err(process, "refused|retry|try")
        harness.wait_for("the outage to last", lambda: time.monotonic() - stopped > OUTAGE_SECONDS, OUTAGE_SECONDS + 5)
        self.assertTrue(process.running(), process.err())
        self.influx.start()
        wanted = set(points.expected(harness.OWN_LOG.read_bytes()))
        harness.wait_for("all points", lambda: wanted <= set(self.influx.points(points.NAMES)), 30)
        self.assertEqual(process.stop(), 0, process.err())
        self.check(harness.OWN_LOG.read_bytes(), "oddball")

    def test_stops_with_the_database_away(self):
        """What can not be delivered within the shutdown timeout is counted, and the status says it."""
        server = self.replay(harness.OWN_LOG, "--end", "hold")
        text = "    shutdown_timeout: 500ms" + PIPELINE % (server.path, "oddball", f"http://127.0.0.1:{harness.free_port()}")
        process = self.evpipe(text)
        self.wait_err(server, "end of the log")
        self.wait_err(process, "(?i)refused|connect to")
        self.assertEqual(process.stop(), 1, process.err())
        self.assertRegex(process.err(), "drop")


if __name__ == "__main__":
    if "--full" in sys.argv:
        sys.argv.remove("--full")
    harness.main()
