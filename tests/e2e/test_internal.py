#!/usr/bin/env python3
"""Source internal: exactly the metrics of docs/metrics.md, with totals that add up when evpipe ends, and true while it runs."""
import collections
import os
import re
import time

import harness
from http_backend import Answer, HttpBackend

PAGE = harness.SOURCE / "docs" / "metrics.md"
# Not in every run: what was not dropped has no reason, and a process may have no limit.
SOMETIMES = {"evpipe_node_dropped_items_total", "process_max_fds"}


def documented():
    """The rows of the page: name to kind, value, unit, labels."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \| (\w*) ?\| ([\w, ]*?) ?\|", PAGE.read_text(encoding="utf-8"), re.M)
    return {name: (kind, value, unit, set(labels.split(", ")) - {""}) for name, kind, value, unit, labels in rows if not name.startswith("ghc_")}


def rounds(data):
    """The metrics that were printed as JSON, by round: lists of objects with the same time."""
    found = collections.OrderedDict()
    for item in harness.json_lines(data):
        found.setdefault(item["time"], []).append(item)
    return list(found.values())


class Round:
    def __init__(self, items):
        self.values = {}
        for item in items:
            labels = {key: text for key, text in item["labels"].items() if key != "service"}
            key = (item["name"], frozenset(labels.items()))
            assert key not in self.values, f"{key} twice"
            self.values[key] = item["value"]

    def get(self, name, **labels):
        return self.values[(name, frozenset(labels.items()))]

    def sum(self, name, **labels):
        return sum(value for (each, pairs), value in self.values.items() if each == name and labels.items() <= dict(pairs).items())

    def balance(self, sink):
        """Items in, and what became of them."""
        items = {way: self.sum("evpipe_node_items_total", node=sink, direction=way) for way in ("in", "out")}
        lost = self.sum("evpipe_node_dropped_items_total", node=sink) + self.sum("evpipe_node_rejected_items_total", node=sink)
        return items["in"], items["out"] + lost


PIPELINE = """
    shutdown_timeout: %s
    sources:
      log: {plugin: %s}
      evpipe: {plugin: internal, interval: %s, labels: {site: here}}
    filters:
      heap: {plugin: heap, from: log}
    sinks:
      out: {plugin: print, from: [log, heap], format: json, path: %s}
      own: {plugin: print, from: evpipe, format: json}
"""
FILE = f'file, path: "{harness.OWN_LOG}"'


class Internal(harness.Case):
    def run_file(self, path="/dev/null", status=0, shutdown="1h"):
        ended, out, err = self.run_evpipe(PIPELINE % (shutdown, FILE, "1h", path))
        self.assertEqual(ended, status, err)
        return [Round(items) for items in rounds(out)], harness.json_lines(out)

    def test_exactly_what_the_page_has(self):
        _, items = self.run_file()
        page = documented()
        self.assertGreater(len(page), 20)
        labels = collections.defaultdict(set)
        for item in items:
            kind, value, unit, _ = page[item["name"]]
            self.assertEqual((item["kind"], item.get("unit", "")), (kind, unit), item)
            self.assertTrue(value != "integer" or isinstance(item["value"], int), item)
            self.assertEqual((item["labels"]["service"], item["labels"]["site"]), ("evpipe", "here"))
            labels[item["name"]] |= set(item["labels"]) - {"service", "site"}
        self.assertEqual(set(page) - set(labels) - SOMETIMES, set())
        for name, found in labels.items():
            self.assertEqual(found, page[name][3], name)

    def test_a_short_run_ends_with_its_totals(self):
        """Also with an interval of an hour: a last round when all is written, and a first one if the run was not over before it."""
        begin = time.time()
        found, items = self.run_file()
        self.assertIn(len(found), (1, 2))
        last = found[-1]
        site = {"site": "here"}
        self.assertEqual(last.get("evpipe_node_items_total", node="log", direction="out", signal="events", **site), 28209)
        self.assertEqual(last.get("evpipe_node_bytes_total", node="log", direction="in", **site), harness.OWN_LOG.stat().st_size)
        self.assertEqual(last.balance("out"), (30220, 30220))
        self.assertEqual(last.sum("evpipe_node_queue_bytes"), 0)
        self.assertEqual(last.sum("evpipe_node_lag_seconds"), 0)
        self.assertEqual(last.get("evpipe_source_connected", node="log", **site), 0)
        self.assertEqual(last.get("evpipe_source_connects_total", node="log", **site), 1)
        self.assertEqual(last.get("evpipe_stream_clock_exact", node="log", **site), 1)
        self.assertEqual(last.get("evpipe_build_info", version=self.version(), **site), 1)
        self.assertTrue(all(begin - 1 < item["time"] / 1e9 < time.time() + 1 for item in items))
        self.assertTrue(begin - 60 < last.get("process_start_time_seconds", **site) < time.time() + 2)
        self.assertTrue(5 < last.get("process_open_fds", **site) < 100)

    def version(self):
        process = self.start([*harness.WRAPPER, harness.EVPIPE, "--version"], "version")
        process.wait()
        return process.out().split()[1].decode()

    def test_what_a_failed_sink_did_not_get_is_in_the_balance(self):
        found, _ = self.run_file(path="/dev/full", status=1)
        taken, accounted = found[-1].balance("out")
        self.assertEqual((taken, accounted), (30220, 30220))
        self.assertGreater(found[-1].sum("evpipe_node_dropped_items_total", node="out", reason="node_failed"), 0)
        self.assertGreater(found[-1].sum("evpipe_node_errors_total", node="out"), 0)

    def test_a_sink_that_hangs_shows_its_lag(self):
        """It is not waited for longer than half of the shutdown timeout: the others hear of it."""
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDWR)  # never reads
        self.addCleanup(os.close, reader)
        found, _ = self.run_file(path=fifo, status=1, shutdown="4s")
        last = found[-1]
        self.assertGreater(last.sum("evpipe_node_lag_seconds", node="out"), 1)
        self.assertGreater(last.sum("evpipe_node_queue_bytes", node="out"), 0)
        self.assertEqual(last.sum("evpipe_node_queue_limit_bytes", node="out"), 64 << 20)
        self.assertEqual(last.sum("evpipe_node_lag_seconds", node="own"), 0)

    def test_messages_are_delivered_before_the_totals(self):
        """However long a message may wait for more. What the back end refuses is in the balance."""
        backend = HttpBackend([Answer(), Answer(400, '{"error":"unable to parse"}')])
        self.addCleanup(backend.close)
        status, out, err = self.run_evpipe(harness.copies("""
            sources:
              log: {plugin: file, path: "{{log}}"}
              evpipe: {plugin: internal, interval: 1h}
            filters:
              heap: {plugin: heap, from: log}
            sinks:
              influx: {plugin: influxdb, from: heap, url: "{{url}}", database: ev, batch: {max_items: 900, max_delay: 1h}}
              own: {plugin: print, from: evpipe, format: json}
        """, log=harness.OWN_LOG, url=backend.url))
        self.assertEqual(status, 0, err)
        last = Round(rounds(out)[-1])
        self.assertEqual(last.balance("influx"), (2011, 2011))
        self.assertEqual(last.sum("evpipe_node_rejected_items_total"), 900)
        self.assertGreater(last.sum("evpipe_node_bytes_total", node="influx", direction="out"), 10_000)
        self.assertEqual(last.sum("evpipe_node_queue_limit_bytes", node="influx"), 128 << 20)
        self.assertEqual(last.sum("evpipe_node_lag_seconds"), 0)

    def test_goes_on_while_it_runs(self):
        """Connections come and go; counters only grow; times are now."""
        server = self.replay(harness.OWN_LOG, "--now", "--end", "hold")
        process = self.evpipe(PIPELINE % ("1h", f'socket, unix: "{server.path}"', "20ms", "/dev/null"))

        def newest():
            complete = process.out()[:process.out().rfind(b"\n") + 1]
            found = rounds(complete)
            return Round(found[-2]) if len(found) > 1 else None
        harness.wait_for("all events in the metrics", lambda: newest() and newest().sum("evpipe_node_items_total", node="log", direction="out") >= 28209)
        self.assertEqual(newest().sum("evpipe_source_connected"), 1)
        self.assertLess(abs(newest().sum("evpipe_source_last_event_timestamp_seconds") - time.time()), 60 * harness.PATIENCE)
        server.stop()
        harness.wait_for("the connection to be gone", lambda: newest().sum("evpipe_source_connected") == 0)
        self.replay(harness.OWN_LOG, "--now", "--end", "hold")
        harness.wait_for("a second connection", lambda: newest().sum("evpipe_source_connects_total") == 2)
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)
        before = {}
        for each in map(Round, rounds(process.out())):
            for key, value in each.values.items():
                self.assertTrue(not key[0].endswith("_total") or value >= before.get(key, 0), key)
            before.update(each.values)
        taken, accounted = Round(rounds(process.out())[-1]).balance("out")
        self.assertEqual(taken, accounted)

    def test_alone(self):
        process = self.evpipe("""
            sources: {a: {plugin: internal, interval: 30ms}, b: {plugin: internal, interval: 50ms}}
            sinks: {own: {plugin: print, from: [a, b], format: json}}
        """)
        harness.wait_for("six rounds", lambda: process.out().count(b"evpipe_build_info") >= 6)
        self.assertEqual(process.stop(), 0, process.err())
        self.assertEqual({item["labels"]["service"] for item in harness.json_lines(process.out())}, {"a", "b"})

    def test_damage_is_counted(self):
        data = bytearray(harness.OWN_LOG.read_bytes())
        log = self.folder / "damaged.eventlog"
        log.write_bytes(b"stray" + bytes(data[:300_000]))
        status, out, err = self.run_evpipe(PIPELINE % ("1h", f'file, path: "{log}"', "1h", "/dev/null"))
        self.assertEqual(status, 3, err)
        self.assertGreaterEqual(Round(rounds(out)[-1]).sum("evpipe_skipped_bytes_total"), 5)

    def test_intervals_that_are_refused(self):
        for interval in ("0s", "1ms", "never", "2d"):
            status, _, err = self.run_evpipe(PIPELINE % ("1h", FILE, interval, "-"), "--check")
            self.assertEqual(status, 2, err)
            self.assertIn("'interval': must be at least 10ms and at most 1d", err)


if __name__ == "__main__":
    harness.main()
