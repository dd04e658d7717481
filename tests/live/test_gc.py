#!/usr/bin/env python3
"""A real GHC program -> exec -> gc: collections are those that the program was asked for, and the numbers are those that the
run-time system prints at its end (`+RTS -t --machine-readable`)."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness
import programs

PIPELINE = """
    sources:
      app: {plugin: exec, command: [%s]}
    filters:
      gc: {plugin: gc, from: app}
    sinks:
      out: {plugin: print, from: gc, format: json, path: "%s"}
"""


class Collections(harness.Case):
    def collect(self, major, minor, threads=0, *flags):
        """What evpipe has of a program at its end, by series; and what its run-time system has."""
        points, statistics = self.folder / "points", self.folder / "statistics"
        points.unlink(missing_ok=True)
        words = [programs.collector(), major, minor, threads, "+RTS", "-l", "-I0", "-ol{eventlog}", f"-t{statistics}", "--machine-readable", *flags, "-RTS"]
        status, _, err = self.run_evpipe(PIPELINE % (", ".join(f'"{word}"' for word in words), points))
        self.assertEqual(status, 0, err)
        last = {}
        for point in harness.json_lines(points.read_bytes()):
            if not point.get("last"):
                last[point["name"], point["labels"].get("generation")] = point["value"]
        self.assertNotIn("dropped", err)
        return last, dict(re.findall(r'\("([^"]+)", "([^"]*)"\)', statistics.read_text()))

    def check(self, found, statistics):
        for generation in "01":
            count = int(statistics[f"gen_{generation}_collections"])
            pauses = found.get(("ghc_gc_pause_seconds", generation), {"count": 0, "sum": 0})
            self.assertEqual(found.get(("ghc_gc_total", generation), 0), count)
            self.assertEqual(pauses["count"], count)
            # Printed in microseconds.
            self.assertAlmostEqual(pauses["sum"], float(statistics[f"gen_{generation}_wall_seconds"]), delta=1e-6)
        self.assertEqual(found["ghc_gc_copied_bytes_total", None], int(statistics["copied_bytes"]))

    def test_collections_that_were_asked_for(self):
        before, statistics = self.collect(0, 0, 0, "-A64m")
        self.check(before, statistics)
        after, statistics = self.collect(5, 7, 0, "-A64m")
        self.check(after, statistics)
        for generation, asked in (("1", 5), ("0", 7)):
            key = "ghc_gc_total", generation
            self.assertEqual(after[key] - before.get(key, 0), asked)

    def test_parallel_collections(self):
        for flags in (["-N2"], ["-N4", "-A256k"], ["-N2", "--nonmoving-gc"], ["-N3", "-qg"]):
            with self.subTest(flags):
                found, statistics = self.collect(3, 3, 3, *flags)
                self.check(found, statistics)
                self.assertEqual(int(statistics["gen_0_par_collections"]) > 0, "-qg" not in flags)


if __name__ == "__main__":
    harness.main()
