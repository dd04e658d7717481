#!/usr/bin/env python3
"""The filter `heap` from a file to lines of JSON: every census and gauge of every log at hand, compared with the reference decoder.

Each log: bands, bytes and Unix times are exactly those of tests/reference/eventlog.py; what comes beyond them is what the filter
takes back at the end of the stream, and ghc_program_info.
"""
import os

import harness  # first: it finds the other modules

import eventlog
import eventlog_writer as writer

CENSUS, SUM, INFO = "ghc_heap_census_bytes", "ghc_heap_profiled_bytes", "ghc_program_info"


def labels_of(point):
    return tuple(sorted((key, value) for key, value in point["labels"].items() if key != "service"))


def epoch_of(path, stream):
    """As evpipe has it: from the stream's clock, or else the file's time of modification stands for the newest block's end."""
    exact = eventlog.stream_epoch(stream)
    return exact if exact is not None else path.stat().st_mtime_ns - eventlog.newest_block_end(stream)


class Heap(harness.Case):
    def points(self, path, options="", expect_status=(0,)):
        config = harness.copies("""
            sources:
              app: {plugin: file, path: "{{path}}", hold: {max_size: 1GiB}}
            filters:
              heap: {plugin: heap, from: app{{options}}}
            sinks:
              out: {plugin: print, from: heap, format: json, path: "{{out}}"}
            """, path=path, options=options, out=self.folder / "points.json")
        status, _, err = self.run_evpipe(config)
        self.err = err
        self.assertIn(status, expect_status, err)
        return harness.json_lines((self.folder / "points.json").read_bytes())

    def compare(self, path, expect_status=(0,)):
        found = self.points(path, expect_status=expect_status)
        expected, shown, newest = {}, {}, 0
        for stream in eventlog.streams(path.read_bytes()):
            epoch = epoch_of(path, stream)
            censuses = eventlog.censuses(stream)
            for point in [*eventlog.census_points(censuses, epoch), *eventlog.gauge_points(stream, epoch)]:
                key = (point.name, point.labels, point.time)
                self.assertNotIn(key, expected)
                expected[key] = point.value
                newest = max(newest, point.time)
                if point.name in (CENSUS, SUM):
                    shown[point.name, point.labels] = point.value
        taken_back = set()
        for point in found:
            key = (point["name"], labels_of(point), point["time"])
            if point["name"] == INFO:
                continue
            if key in expected:
                self.assertEqual(point["value"], expected.pop(key), key)
            else:
                self.assertEqual(point["value"], 0, key)
                self.assertGreater(point["time"], newest, key)
                self.assertNotIn(key[:2], taken_back)
                taken_back.add(key[:2])
        self.assertEqual(expected, {})
        at_end = {key for key, _ in shown.items()}
        self.assertLessEqual(taken_back, at_end)
        # Those whose last value was the 0 of a band that vanished have been taken back already.
        self.assertLessEqual({key for key in at_end if shown[key] != 0}, taken_back)
        return found

    def test_every_log(self):
        for path in harness.eventlogs():
            with self.subTest(log=path.name):
                # 3: a log that was cut within a record.
                self.compare(path, expect_status=(0, 3))

    def test_own_log_is_not_empty(self):
        found = self.compare(harness.OWN_LOG)
        self.assertEqual(len({point["time"] for point in found if point["name"] == SUM}), 18)  # 17 censuses, and the end
        info = [point for point in found if point["name"] == INFO]
        self.assertEqual([point["value"] for point in info], [1, 0])
        self.assertEqual(info[0]["labels"]["program"], "oddball")
        self.assertIn("9.6.6", info[0]["labels"]["rts"])

    def test_top_of_own_log(self):
        stream = next(eventlog.streams(harness.OWN_LOG.read_bytes()))
        epoch = epoch_of(harness.OWN_LOG, stream)
        found = {}
        for point in self.points(harness.OWN_LOG, ", top: 5"):
            if point["name"] == CENSUS and point["value"]:
                found.setdefault(point["time"], {})[point["labels"]["band"]] = point["value"]
        censuses = eventlog.censuses(stream)
        self.assertEqual(len(found), len(censuses))
        for census in censuses:
            rows = sorted(((value, dict(labels)["band"]) for labels, value in census.rows.items()), key=lambda row: (-row[0], row[1]))
            expected = {band: value for value, band in rows[:5]}
            expected["(other)"] = sum(value for value, _ in rows[5:])
            self.assertEqual(found[epoch + census.time], expected)

    # ------------------------------------------------------------------------------------------ logs made by hand

    def made(self, log, name="made.eventlog"):
        path = self.folder / name
        path.write_bytes(log.data())
        return path

    def test_era_profile(self):
        log = writer.Log()
        log.init(breakdown=9)
        log.census(1000, [("0", 8), ("12", 16)])
        log.census(2000, [("0", 8), ("13", 4)])
        found = self.compare(self.made(log))
        self.assertIn((("band", "12"), ("breakdown", "era")), {labels_of(point) for point in found})

    def test_ghc_8_2_without_sample_end(self):
        log = writer.Log(without={writer.SAMPLE_END})
        log.init(breakdown=7)
        log.census(1000, [("THUNK", 8), ("FUN", 16)])
        log.census(2000, [("THUNK", 9)])
        log.census(3000, [("THUNK", 10)])
        self.compare(self.made(log))

    def test_equal_labels_are_added_up(self):
        log = writer.Log()
        log.init(breakdown=7)
        log.census(1000, [("THUNK", 8), ("FUN", 1), ("THUNK", 16)])
        found = self.compare(self.made(log))
        self.assertEqual([point["value"] for point in found if point["labels"].get("band") == "THUNK"], [24, 0])

    def test_second_profile_begins_with_another_breakdown(self):
        log = writer.Log()
        log.init(breakdown=7)
        log.census(1000, [("Main", 8)])
        log.profile(2)
        log.census(2000, [("Main", 16)])
        path = self.made(log)
        found = [(point["time"] - log.epoch, point["labels"]["breakdown"], point["value"]) for point in self.points(path)
                 if point["name"] == CENSUS]
        self.assertEqual(found[:3], [(1000, "closure_type", 8), (2000, "module", 16), (2000, "closure_type", 0)])

    def test_census_cut_by_blocks_of_other_buffers(self):
        log = writer.Log()
        log.init(breakdown=7)
        log.begin(1000)
        log.row("THUNK", 8)
        log.block()  # the global buffer was full
        log.block(capability=0, records=[writer.heap_size(99, 4096), writer.heap_size(900000, 8192)])
        log.row("FUN", 16)
        log.row("THUNK", 1)
        log.end(1010)
        self.compare(self.made(log))

    def test_census_cut_by_the_end(self):
        log = writer.Log()
        log.init(breakdown=7)
        log.census(1000, [("THUNK", 8), ("FUN", 16)])
        log.begin(2000)
        log.row("THUNK", 9)
        found = self.compare(self.made(log))
        self.assertIn("incomplete", self.err)
        self.assertEqual([point["value"] for point in found if point["labels"].get("band") == "THUNK"], [8, 9, 0])

    def test_a_damaged_time_moves_no_other(self):
        """No clock in the stream: points are dated by the newest block's end. One flipped bit of one time must not date them all."""
        log = writer.Log()
        log.profile(7)
        for number in range(1, 6):
            log.census(number * 10**9, [("THUNK", number)])
            log.block()
        path = self.made(log)
        sound_log = path.read_bytes()

        def dated(offset, bit):
            damaged = bytearray(sound_log)
            damaged[offset] ^= bit
            path.write_bytes(damaged)
            os.utime(path, (1_700_000_000, 1_700_000_000))
            found = self.points(path, expect_status=(0, 3))
            self.assertLess(max(point["time"] for point in found), 1_700_000_002 * 10**9)  # what is taken back, too
            return [(point["time"], point["value"]) for point in found if point["name"] == CENSUS and point["value"]]

        sound = dated(0, 0)
        self.assertEqual([value for _, value in sound], [1, 2, 3, 4, 5])
        self.assertEqual({time // 10**11 for time, _ in sound}, {17_000_000 - 1})
        at = len(sound_log) - 2 - sum(map(len, log.blocks))
        for block in log.blocks[:5]:
            for offset in (2, 14):  # where its begin and its end stand
                self.assertEqual(dated(at + offset, 0x20), sound, (at, offset))
            self.assertLess(set(dated(at + 24 + 2, 0x20)), set(sound) | {at})  # of its first record: a census is lost
            at += len(block)

    def test_labels_at_the_edges(self):
        log = writer.Log()
        log.init(breakdown=3)
        long = "λ" * 30000
        log.census(1000, [(long, 8), (long + "x", 16), ("", 1), (b"\xff\xfe", 2), ("a\nb\tc", 4), (' ,="\\', 32)])
        bands = {point["labels"]["band"]: point["value"] for point in self.points(self.made(log))
                 if point["name"] == CENSUS and point["value"]}
        cut = sorted(band for band in bands if band.startswith("λ"))
        self.assertEqual(len(cut), 2)
        for band in cut:
            self.assertLessEqual(len(band.encode()), 1024)
            self.assertRegex(band, r"^λ+#[0-9a-f]{16}$")
        self.assertEqual({bands.pop(band) for band in cut}, {8, 16})
        self.assertEqual(bands, {"(empty)": 1, "\ufffd\ufffd": 2, "a\ufffdb\ufffdc": 4, ' ,="\\': 32})

    def test_hundred_thousand_bands(self):
        log = writer.Log()
        log.init(breakdown=3)
        for time in (1000, 2000):
            log.census(time, [(f"package:Module.Function{n}.closure", n + 8) for n in range(100000)])
        found = self.points(self.made(log))
        self.assertEqual(sum(1 for point in found if point["name"] == CENSUS), 300000)
        self.assertEqual(self.err.count("`top: 50`"), 1)
        total = sum(n + 8 for n in range(100000))
        self.assertEqual([point["value"] for point in found if point["name"] == SUM], [total, total, 0])

    def test_more_bands_than_are_remembered(self):
        log = writer.Log()
        log.init(breakdown=3)
        log.census(1000, [(f"band{n}", 1) for n in range(1000)])
        found = {point["labels"]["band"]: point["value"] for point in self.points(self.made(log), ", max_bands: 10")
                 if point["name"] == CENSUS and point["value"]}
        self.assertEqual(len(found), 11)
        self.assertEqual(found["(other)"], 990)
        self.assertIn("max_bands", self.err)

    def info_table_log(self, entries):
        log = writer.Log()
        log.init()
        for n in range(entries):
            log.info_table(0x400000 + 16 * n, f"fun{n}_info", "Int", "Main", f"Main.hs:{n}:1-9")
        log.profile(8)
        log.census(1000, [("0x400000", 8), ("0x7fffffffffff", 16), (hex(0x400000 + 16 * (entries - 1)), 32)])
        return self.made(log)

    def test_info_tables(self):
        found = self.compare(self.info_table_log(1000))
        self.assertIn("fun999_info", {point["labels"].get("band") for point in found})

    def test_info_table_map_over_its_bound(self):
        found = self.points(self.info_table_log(20000), ", info_tables: {max_size: 64KiB}")
        bands = {point["labels"]["band"]: point["value"] for point in found if point["name"] == CENSUS and point["value"]}
        self.assertEqual(bands, {"fun0_info": 8, "(unresolved)": 48})
        self.assertEqual(self.err.count("max_size"), 1)

    def test_addresses_are_kept_on_request(self):
        found = self.points(self.info_table_log(10), ", addresses: true")
        self.assertIn("0x7fffffffffff", {point["labels"].get("band") for point in found})

    def test_second_reader_of_a_socket(self):
        """No HEAP_PROF_BEGIN: the arguments tell, or the rows."""
        for arguments, rows, expected in ((["./a", "+RTS", "-hT", "-RTS"], [("THUNK", 8)], "closure_type"),
                                          (["./a", "+RTS", "-hy", "-hcbuild"], [("THUNK", 8)], "type"),
                                          (["./a", "-hT"], [("THUNK", 8)], "unknown"), (["./a"], [("0x12", 8)], "info_table"),
                                          (["./a"], [("VOID", 8), ("DRAG", 1)], "biography")):
            with self.subTest(expected=expected):
                log = writer.Log()
                log.init(arguments=arguments)
                log.census(1000, rows)
                found = self.compare(self.made(log))
                self.assertEqual({point["labels"]["breakdown"] for point in found if point["name"] == SUM}, {expected})

    def test_cost_centres(self):
        log = writer.Log()
        log.init(breakdown=1)
        log.cost_centre(1, "main", "Main")
        log.cost_centre(2, "build", "Data.Tree")
        log.begin(1000)
        log.stack([2, 1], 8)
        log.stack([], 16)
        log.stack([77, 1], 32)
        log.end(1001)
        found = self.compare(self.made(log))
        bands = {point["labels"].get("band") for point in found if point["name"] == CENSUS}
        self.assertEqual(bands, {"Main.main;Data.Tree.build", "MAIN", "Main.main;77"})

    def test_streams_one_after_the_other_share_nothing(self):
        """A restarted program: its cost centres have other meanings, and the old bands are taken back."""
        logs = []
        for name in ("first", "second"):
            log = writer.Log()
            log.init(breakdown=1)
            log.cost_centre(1, name, "Main")
            log.begin(1000)
            log.stack([1] if name == "first" else [1, 2], 8)
            log.end(1001)
            logs.append(log.data())
        path = self.folder / "both.eventlog"
        path.write_bytes(b"".join(logs))
        found = [(point["labels"]["band"], point["value"]) for point in self.points(path) if point["name"] == CENSUS]
        self.assertEqual(found, [("Main.first", 8), ("Main.first", 0), ("2;Main.second", 8), ("2;Main.second", 0)])


if __name__ == "__main__":
    harness.main()
