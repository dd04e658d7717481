#!/usr/bin/env python3
"""Every heap metric of every recorded log, to the byte and the nanosecond, as an independent decoder has it."""
import pathlib
import os
import shutil

import harness
import eventlog
import points

PIPELINE = """
    sources:
      log: {plugin: file, path: "%s"}
    filters:
      heap: {plugin: heap, from: log}
    sinks:
      out: {plugin: print, from: heap, format: json}
"""


class Census(harness.Case):
    def check_log(self, log):
        """Returns how many points of censuses there were, and how many series were taken back."""
        data = log.read_bytes()
        first = next(eventlog.streams(data))
        wanted = points.expected(data, os.stat(log).st_mtime_ns - eventlog.newest_block_end(first))
        status, out, err = self.run_evpipe(PIPELINE % log, seconds=120)
        self.assertIn(status, (0, 3), err)
        got, taken_back = points.apart(points.of_json(out), wanted)
        self.assertEqual(points.difference(wanted, got), "")
        self.check_taken_back(got, taken_back)
        return len(points.census_only(got)), len(taken_back)

    def check_taken_back(self, got, taken_back):
        """At the end of a stream each series of a census ends with a 0, after all else."""
        newest = max((point.time for point in got), default=0)
        self.assertTrue(all(point.time > newest for point in taken_back), "what is taken back comes last")
        ended = {(point.name, point.labels) for point in taken_back}
        last = {(point.name, point.labels): point.value for point in sorted(points.census_only(got), key=lambda point: point.time)}
        still_there = {series for series, value in last.items() if value}
        self.assertLessEqual(still_there, ended)

    def test_own_log(self):
        shown, taken_back = self.check_log(harness.OWN_LOG)
        self.assertGreater(shown, 17 * 40)
        self.assertGreater(taken_back, 40)

    def test_every_log(self):
        logs = harness.eventlogs(smaller_than=10_000_000)
        if len(logs) == 1:
            harness.skip(f"no folder of eventlogs at {harness.EVENTLOGS}")
        for log in logs:
            with self.subTest(log.name):
                self.check_log(log)

    def test_restarted_program_shares_nothing(self):
        """Two runs of one program in one file: the bands of the first are gone before the second begins."""
        log = self.folder / "twice.eventlog"
        data = harness.OWN_LOG.read_bytes()
        log.write_bytes(data + data)
        _, taken_back = self.check_log(log)
        self.assertGreater(taken_back, 80)

    def test_a_log_without_a_clock_is_dated_by_the_file(self):
        log = self.folder / "no-clock.eventlog"
        shutil.copy(harness.eventlog("socket-seed-902-head.eventlog"), log)
        os.utime(log, ns=(1_700_000_000 * 10**9,) * 2)
        self.check_log(log)
        self.assertIn("estimate", pathlib.Path(self.folder, "evpipe.err").read_text())


if __name__ == "__main__":
    harness.main()
