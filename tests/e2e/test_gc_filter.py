#!/usr/bin/env python3
"""The filter `gc` from a file to lines of JSON: every collection of every log at hand, compared with the reference decoder.

Each log, as it is, sorted by time, and cut anywhere: series, values and Unix times are exactly those of tests/reference/eventlog.py;
what comes beyond them is the three gauges that the filter takes back at the end of the stream. The sums are those of a
listing as `ghc-events show` gives it, too.
"""
import random
import re
import struct

import harness  # first: it finds the other modules

import eventlog
from test_heap_filter import epoch_of, labels_of

PAUSE, TOTAL = "ghc_gc_pause_seconds", "ghc_gc_total"


def value_of(point):
    value = point["value"]
    if not isinstance(value, dict):
        return value
    bounds = [bucket["le"] for bucket in value["buckets"]]
    assert bounds == [*eventlog.GC_BOUNDS, "+Inf"], bounds
    return value["count"], value["sum"], tuple(bucket["count"] for bucket in value["buckets"])


class Gc(harness.Case):
    def points(self, path, in_order=False, expect_status=(0,)):
        out = self.folder / "points.json"
        out.unlink(missing_ok=True)
        config = harness.copies("""
            sources:
              app: {plugin: file, path: "{{path}}", hold: {max_size: 1GiB}}
            filters:
              {{sort}}gc: {plugin: gc, from: {{origin}}}
            sinks:
              out: {plugin: print, from: gc, format: json, path: "{{out}}"}
            """, path=path, out=out, sort="ordered: {plugin: sort, from: app}\n  " if in_order else "", origin="ordered" if in_order else "app")
        status, _, self.err = self.run_evpipe(config)
        self.assertIn(status, expect_status, self.err)
        return harness.json_lines(out.read_bytes()) if out.exists() else []

    def compare(self, path, in_order=False, expect_status=(0,)):
        found = self.points(path, in_order, expect_status)
        wanted, newest, shown = [], 0, set()
        for stream in eventlog.streams(path.read_bytes()):
            points = list(eventlog.collection_points(stream, epoch_of(path, stream), eventlog.sorted_by_time(stream) if in_order else None))
            wanted += points
            newest = max([newest, *(point.time for point in points)])
            shown |= {point.name for point in points}
        taken_back = [point for point in found if point.get("last")]
        self.assertEqual({point["name"] for point in taken_back}, shown & set(eventlog.GC_GAUGES))
        for point in taken_back:
            self.assertEqual(point["value"], 0)
            self.assertGreater(point["time"], newest)
        got = [eventlog.Point(point["name"], labels_of(point), point["time"], value_of(point)) for point in found if not point.get("last")]
        self.assertEqual(got, wanted)  # and in this order
        self.grows(got)
        return got

    def grows(self, points):
        """In the order in which a sink gets them: neither a count nor the time of a count falls."""
        last = {}
        for point in points:
            if point.name in eventlog.GC_GAUGES:
                continue
            size = point.value[0] if isinstance(point.value, tuple) else point.value
            before = last.get((point.name, point.labels), (0, 0))
            self.assertGreaterEqual(point.time, before[0], point)
            self.assertGreaterEqual(size, before[1], point)
            last[point.name, point.labels] = point.time, size

    @staticmethod
    def at_end(points):
        return {(point.name, point.labels): point.value for point in points if point.name not in eventlog.GC_GAUGES}

    def test_every_log(self):
        compared = 0
        for path in harness.eventlogs():
            with self.subTest(log=path.name):
                # 3: a log that was cut within a record.
                points = self.compare(path, expect_status=(0, 3))
                ordered = self.compare(path, in_order=True, expect_status=(0, 3))
                self.assertEqual(self.at_end(points), self.at_end(ordered))
                compared += bool(points)
        self.assertGreater(compared, 0)

    def test_own_logs(self):
        """What came out when the logs were looked at record by record."""
        for name, total, pauses in (("oddball-966-hT.eventlog", {"0": 235, "1": 31}, 266), ("par-966-N2-lf.eventlog", {"0": 9, "1": 3}, 12),
                                    ("par-966-N3-qg.eventlog", {"0": 8, "1": 3}, 11), ("killed-966-flush.eventlog", {"0": 6, "1": 3}, 9)):
            with self.subTest(log=name):
                end = self.at_end(self.compare(harness.DATA / name, expect_status=(0, 3)))
                self.assertEqual({dict(labels)["generation"]: value for (name, labels), value in end.items() if name == TOTAL}, total)
                self.assertEqual(sum(value[0] for (name, _), value in end.items() if name == PAUSE), pauses)

    def test_without_collections(self):
        self.assertEqual(self.points(harness.DATA / "oddball-966-user-only.eventlog"), [])

    def test_ghc_7_0(self):
        """No GC_STATS_GHC, four capabilities: 41 pairs of begin and end are eleven collections."""
        end = self.at_end(self.compare(harness.eventlog("testlog.eventlog")))
        self.assertEqual(end[TOTAL, ()], 11)
        self.assertEqual(end[PAUSE, ()][0], 11)

    def test_sums_are_those_of_a_listing(self):
        """By the text that `print` gives as `ghc-events show` does: per capability, `starting GC` to `finished GC`, but for helpers'."""
        for path in (harness.OWN_LOG, harness.DATA / "par-966-N2-lf.eventlog"):
            with self.subTest(log=path.name):
                _, text, _ = self.run_evpipe(harness.copies("""
                    sources: {app: {plugin: file, path: "{{path}}"}}
                    filters: {ordered: {plugin: sort, from: app}}
                    sinks: {out: {plugin: print, from: ordered, format: show}}
                    """, path=path))
                begun, ended, nanoseconds, n = {}, {}, 0, 0
                for time, capability, what in re.findall(r"(?m)^\s*(\d+): cap (\d+): (starting GC|finished GC|GC stats for heap)", text.decode()):
                    if what == "starting GC":
                        begun[capability] = int(time)
                    elif what == "finished GC":
                        ended[capability] = int(time)
                    else:
                        nanoseconds += ended[capability] - begun[capability]
                        n += 1
                self.assertGreater(n, 10)
                sums = [value for (name, _), value in self.at_end(self.compare(path)).items() if name == PAUSE]
                self.assertEqual(sum(value[0] for value in sums), n)
                self.assertAlmostEqual(sum(value[1] for value in sums), nanoseconds / 10**9, places=9)

    def test_cut_anywhere(self):
        whole = (harness.DATA / "par-966-N2-lf.eventlog").read_bytes()
        header = next(eventlog.streams(whole)).header_size
        path, source = self.folder / "cut.eventlog", random.Random(966)
        unpaired = 0
        for cut in [source.randrange(header, len(whole)) for _ in range(12)] + self.cuts_in_collections(whole, 4):
            with self.subTest(cut=cut):
                path.write_bytes(whole[:cut])
                self.compare(path, expect_status=(0, 3))
                open_at_end = sum(not (one.begin and one.end) for one in eventlog.collections(next(eventlog.streams(whole[:cut]))))
                self.assertEqual(open_at_end, sum(map(int, re.findall(r"dropped (\d+) items: unpaired", self.err))), self.err)
                unpaired += open_at_end
        self.assertGreater(unpaired, 0)

    def test_joined_in_a_collection(self):
        """A reader that comes late: the header, and then records from the middle of a block on."""
        whole = (harness.DATA / "par-966-N2-lf.eventlog").read_bytes()
        stream = next(eventlog.streams(whole))
        found = list(eventlog.collections(stream))
        path = self.folder / "late.eventlog"
        for one in random.Random(2).sample(found, 4):
            for first, missing in ((one.begin, 0), (one.statistics, 1), (one.end, 0)):
                with self.subTest(first=first.offset):
                    path.write_bytes(self.from_record(whole, stream, first))
                    points = self.compare(path)
                    self.assertGreater(len(points), 0)
                    dropped = sum(map(int, re.findall(r"dropped (\d+) items: unpaired", self.err)))
                    self.assertEqual(dropped, missing, self.err)

    @staticmethod
    def from_record(data, stream, first):
        """The rest of the block that the record is in gets a marker of its own."""
        for block in stream.records({eventlog.BLOCK_MARKER}):
            length, end, capability = struct.unpack(">IQH", block.payload)
            if block.offset < first.offset < block.offset + length:
                length -= first.offset - block.offset - 24
                marker = struct.pack(">HQIQH", eventlog.BLOCK_MARKER, block.time, length, end, capability)
                return data[stream.begin:stream.begin + stream.header_size] + marker + data[first.offset:]
        raise AssertionError("a record in no block")

    @staticmethod
    def cuts_in_collections(data, n):
        """Just behind the statistics: the end is missing."""
        found = [one.end.offset for one in eventlog.collections(next(eventlog.streams(data)))]
        return random.Random(1).sample(found, n)

    def test_streams_one_after_the_other_share_nothing(self):
        log = harness.OWN_LOG.read_bytes()
        path = self.folder / "both.eventlog"
        path.write_bytes(log + log)
        found = self.points(path)
        half = len(found) // 2
        self.assertEqual([value_of(point) for point in found[:half]], [value_of(point) for point in found[half:]])


if __name__ == "__main__":
    harness.main()
