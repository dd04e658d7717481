#!/usr/bin/env python3
"""file -> sort -> print and file -> select -> print: what `ghc-events show` prints, and an independent stable sort."""
import json

import harness
import eventlog as reference

SHOW = """
sources:
  log: {plugin: file, path: {{path}}}
filters:
  ordered: {plugin: sort, from: log, max_memory: {{memory}}}
sinks:
  text: {plugin: print, from: ordered, format: {{format}}}
"""

LIVE = """
sources:
  app: {plugin: socket, unix: {{path}}}
filters:
  ordered: {plugin: sort, from: app{{window}}}
sinks:
  text: {plugin: print, from: ordered, format: json}
"""
# So long a machine may stand still between two blocks that were written at the same time; 2 s without it.
WINDOW = f", window: {2 * harness.PATIENCE:g}s" if harness.PATIENCE > 1 else ""

SELECT = """
sources:
  log: {plugin: file, path: {{path}}}
filters:
  ordered: {plugin: sort, from: log}
  some: {plugin: select, from: ordered, {{options}}}
sinks:
  text: {plugin: print, from: some, format: json}
"""


def records_in_order(path):
    """Every record of a log with one stream, by time; of equal times in the order of the file."""
    stream = next(reference.streams(path.read_bytes()))
    return sorted(stream.records(), key=lambda record: record.time)


def identity(record):
    return record.time, record.type, None if record.capability == reference.NO_CAPABILITY else record.capability


class Order(harness.Case):
    def printed(self, path, format="show", memory="256MiB"):
        text = harness.copies(SHOW, path=path, format=format, memory=memory)
        status, out, err = self.run_evpipe(text, seconds=120)
        self.assertEqual(status, 3 if reference_is_cut(path) else 0, err)
        return out

    def test_references(self):
        """Byte for byte what the ghc-events project's own files hold."""
        references = harness.eventlogs(".eventlog.reference")
        if references == [harness.OWN_LOG]:
            harness.skip("there are no .reference files")
        for expected in references:
            with self.subTest(log=expected.stem):
                self.assertEqual(self.printed(expected.with_suffix("")).decode(), expected.read_text("utf-8"))

    def test_stable_sort(self):
        """The order of all logs, against a stable sort in Python."""
        for path in harness.eventlogs(smaller_than=2_000_000):
            with self.subTest(log=path.name):
                out = self.printed(path, "json")
                printed = [(event["time"], event["type"], event["cap"]) for event in harness.json_lines(out)]
                self.assertEqual(printed, [identity(record) for record in records_in_order(path)])

    def test_memory_makes_no_difference(self):
        """The same bytes come out when events go through the temporary file."""
        for path in harness.eventlogs(smaller_than=2_000_000):
            with self.subTest(log=path.name):
                self.assertEqual(self.printed(path, memory="64KiB"), self.printed(path))

    def test_live(self):
        """A program that is still running: all it sent comes out in order, though the stream does not end."""
        path = harness.eventlog("par-966-N3-qg.eventlog")  # 345 blocks of four buffers, flushed each 10 ms
        server = self.replay(path, "--pace", "realtime", "--now", "--end", "hold")
        process = self.evpipe(harness.copies(LIVE, path=server.path, window=WINDOW))
        expected = [identity(record) for record in records_in_order(path)]
        harness.wait_for(lambda: f"{len(expected)} events of {process.out().count(b'{')}: {process.err()}",
                         lambda: process.out().count(b"\n") == len(expected))
        self.assertTrue(server.running())
        process.stop()
        printed = [(event["time"], event["type"], event["cap"]) for event in harness.json_lines(process.out())]
        self.assertEqual(printed, expected)

    def test_sizes_of_7_0_are_not_decoded(self):
        """ghc-events prints the header's description for a layout that it no longer knows; JSON has the fields."""
        path = harness.eventlog("testlog.eventlog")
        lines = [line for line in self.printed(path).decode().splitlines() if line.endswith("Stop thread")]
        self.assertEqual(len(lines), 164)
        stops = [event for event in harness.json_lines(self.printed(path, "json")) if event["type"] == 2]
        names = [event["fields"]["status_name"] for event in stops]
        self.assertEqual({name: names.count(name) for name in names}, {
            "heap_overflow": 11, "stack_overflow": 6, "yielding": 98, "blocked": 26, "finished": 18, "foreign_call": 5})


class Select(harness.Case):
    def selected(self, path, options):
        text = harness.copies(SELECT, path=path, options=options)
        status, out, err = self.run_evpipe(text)
        self.assertEqual(status, 0, err)
        return [(event["time"], event["type"], event["cap"]) for event in harness.json_lines(out)]

    def expected(self, path, keep):
        return [identity(record) for record in records_in_order(path) if keep(record)]

    def test_by_type(self):
        path = harness.eventlog("oddball-966-hT.eventlog")
        self.assertEqual(self.selected(path, 'events: ["HEAP_PROF_*", GC_START, "50-51"]'),
                         self.expected(path, lambda record: record.type in {9, 50, 51, *range(160, 166)}))

    def test_by_capability(self):
        path = harness.eventlog("par-966-N2-numa.eventlog")
        self.assertEqual(self.selected(path, "capabilities: [1, none]"),
                         self.expected(path, lambda record: record.capability in (1, reference.NO_CAPABILITY)))

    def test_between_markers(self):
        path = harness.eventlog("oddball-966-hT.eventlog")
        records = records_in_order(path)
        markers = [record.payload.decode() for record in records if record.type == reference.USER_MARKER]
        first, last = markers[0], markers[-1]
        self.assertNotEqual(first, last)
        inside, expected = False, []
        for record in records:
            text = record.payload.decode() if record.type == reference.USER_MARKER else None
            begins = not inside and text == first
            if inside or begins:
                expected.append(identity(record))
            inside = (inside or begins) and not (inside and text == last)
        self.assertEqual(self.selected(path, f"between: [{json.dumps(first)}, {json.dumps(last)}]"), expected)

    def test_by_thread(self):
        """All that names the thread is there, and nothing that names another one but what it did itself."""
        path = harness.eventlog("oddball-9103-l-N2.eventlog")
        runs = [record for record in records_in_order(path) if record.type == 1]
        thread = int.from_bytes(runs[len(runs) // 2].payload, "big")
        named = [identity(record) for record in records_in_order(path)
                 if record.type in (0, 1, 2) and int.from_bytes(record.payload[:4], "big") == thread]
        selected = self.selected(path, f"threads: {thread}")
        self.assertEqual([event for event in selected if event[1] in (1, 2)], [event for event in named if event[1] in (1, 2)])
        self.assertTrue(set(named) <= set(selected))

    def test_wrong_name(self):
        path = harness.eventlog("oddball-966-hT.eventlog")
        status, _, err = self.run_evpipe(harness.copies(SELECT, path=path, options="events: [HEAP_LIV]"))
        self.assertEqual(status, 2)
        self.assertRegex(err, r"HEAP_LIV'.*did you mean 'HEAP_LIVE'")


def reference_is_cut(path):
    """A log that ends within a record, or has bytes in front of its header, is damaged: status 3."""
    data = path.read_bytes()
    stream = next(reference.streams(data))
    return stream.begin > 0 or bool(stream.trailing)


if __name__ == "__main__":
    harness.main()
