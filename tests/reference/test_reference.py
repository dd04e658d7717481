#!/usr/bin/env python3
"""The reference decoder against what was counted by others: the tests' own yardstick must be right first."""
import pathlib
import re
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness
import eventlog


def wire_counts(path):
    """COUNT TYPE-NUMBER DESCRIPTION [...]: counted by a walk over the bytes."""
    found = re.findall(r"^(\d+) (\d+) .*\[(?:fixed|variable)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {int(number): int(count) for count, number in found}


class Reference(harness.Case):
    def test_counts(self):
        compared = 0
        for path in harness.eventlogs(smaller_than=2_000_000):
            wire = harness.EVENTLOGS / path.relative_to(harness.EVENTLOGS).parent / (path.name + ".wire") if harness.EVENTLOGS in path.parents else None
            if not wire or not wire.is_file():
                continue
            with self.subTest(path.name):
                stream, = eventlog.streams(path.read_bytes())
                self.assertEqual(dict(eventlog.counts(stream)), wire_counts(wire))
                self.assertEqual(stream.complete, "end_marker yes" in wire.read_text(encoding="utf-8"))
                compared += 1
        if not compared:
            harness.skip(f"no counted logs at {harness.EVENTLOGS}")

    def test_own_log(self):
        stream, = eventlog.streams(harness.OWN_LOG.read_bytes())
        found = eventlog.censuses(stream)
        self.assertEqual(len(found), 17)
        self.assertEqual({census.breakdown for census in found}, {"closure_type"})
        self.assertTrue(all(census.complete and census.rows for census in found))

    def test_bands_that_vanish_and_add_up(self):
        def row(band):
            return (("band", band), ("breakdown", "era"))

        found = [eventlog.Census(5, "era", {row("a"): 3, row("b"): 4}, True), eventlog.Census(9, "era", {row("b"): 1}, True)]
        points = {(point.time, dict(point.labels).get("band", "sum")): point.value for point in eventlog.census_points(found, 100)}
        self.assertEqual(points, {(105, "a"): 3, (105, "b"): 4, (105, "sum"): 7, (109, "a"): 0, (109, "b"): 1, (109, "sum"): 1})

    def test_stack_is_outermost_first(self):
        collector = eventlog.Censuses(type("stream", (), {"types": {}}))
        for number, label in ((1, b"inner"), (2, b"outer")):
            payload = struct.pack(">I", number) + label + b"\0M\0place\0\0"
            collector.record(eventlog.Record(eventlog.COST_CENTRE, 0, 0, payload, 0))
        row = struct.pack(">BQB3I", 0, 8, 3, 1, 7, 2)
        self.assertEqual(collector.stack(row)["band"], "M.outer;7;M.inner")


if __name__ == "__main__":
    harness.main()
