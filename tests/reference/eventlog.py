#!/usr/bin/env python3
"""A small decoder of GHC eventlogs, for tests to compare evpipe with. Slow, strict and dull on purpose.

It was written from the description of the format alone and shares no code, table or generated file with evpipe. It knows the
frame (header, records, blocks) and what heap metrics are made of; damaged logs are not its business, cut ones are.

    eventlog.py FILE            what is in it, for people
    eventlog.py --points FILE   every metric point that the filter `heap` should make of it, one JSON object a line
"""
import json
import struct
import sys
from collections import Counter, defaultdict, namedtuple

BLOCK_MARKER, USER_MESSAGE, USER_MARKER = 18, 19, 58
RTS_IDENTIFIER, PROGRAM_ARGS, OSPROCESS_PID, WALL_CLOCK_TIME = 29, 30, 32, 43
THREAD_LABEL, LOG_MESSAGE = 44, 16
STARTUP, GC_START, GC_END, REQUEST_SEQ_GC, REQUEST_PAR_GC, GC_STATS = 17, 9, 10, 11, 12, 53
HEAP_ALLOCATED, HEAP_SIZE, HEAP_LIVE, MEM_RETURN, BLOCKS_SIZE = 49, 50, 51, 90, 91
PROF_BEGIN, COST_CENTRE, SAMPLE_BEGIN, SAMPLE_STACK, SAMPLE_STRING, SAMPLE_END, BIO_SAMPLE_BEGIN = 160, 161, 162, 163, 164, 165, 166
IPE = 169
END_OF_DATA = 0xFFFF
VARIABLE = 0xFFFF
NO_CAPABILITY = 0xFFFF
MAGIC = b"hdrbhetb"
GHC_6_12_SIZES = {0: 4, 1: 4, 3: 4, 5: 4, 15: 4, 2: 6, 4: 6, 6: 6, 8: 6, 17: 2}
BREAKDOWNS = {1: "cost_centre", 2: "module", 3: "closure", 4: "type", 5: "retainer", 6: "biography", 7: "closure_type", 8: "info_table", 9: "era"}
BREAKDOWN_FLAGS = dict(zip("cmdyrbTie", (BREAKDOWNS[code] for code in range(1, 10))))
LABEL_LIMIT = 1024

Record = namedtuple("Record", "type time capability payload offset")
Point = namedtuple("Point", "name labels time value")


class Malformed(Exception):
    pass


class Stream:
    """One header and what follows it, up to the end marker or the end of the input."""

    def __init__(self, data, offset):
        self.data, self.begin = data, offset
        self.types = {}
        self.header_size = self._read_header(offset)
        self.end = None  # where the stream ends, known once records() is exhausted
        self.complete = False  # its end marker was seen
        self.trailing = 0  # bytes of a record that was cut
        self.blocks = 0

    def _read_header(self, begin):
        data, at = self.data, begin

        def expect(marker):
            nonlocal at
            if data[at:at + 4] != marker:
                raise Malformed(f"{marker!r} expected at {at}")
            at += 4

        expect(b"hdrb")
        expect(b"hetb")
        while data[at:at + 4] == b"etb\0":
            number, size, length = struct.unpack_from(">HHI", data, at + 4)
            description = data[at + 12:at + 12 + length]
            at += 12 + length
            extension, = struct.unpack_from(">I", data, at)
            at += 4 + extension
            expect(b"ete\0")
            self.types[number] = (size, description.decode("utf-8", "replace"))
        expect(b"hete")
        expect(b"hdre")
        expect(b"datb")
        return at - begin

    def sizes(self):
        sizes = {number: size for number, (size, _) in self.types.items()}
        if sizes.get(0) == 8:  # GHC 6.12 declares sizes that it does not write
            sizes.update({number: size for number, size in GHC_6_12_SIZES.items() if number in sizes})
        return sizes

    def records(self, wanted=None):
        """The records of the types wanted (None: all), in the order of the bytes."""
        data, sizes, size_of_data = self.data, self.sizes(), len(self.data)
        at = self.begin + self.header_size
        capability, block_end = NO_CAPABILITY, 0
        while at + 2 <= size_of_data:
            number, = struct.unpack_from(">H", data, at)
            if number == END_OF_DATA:
                self.complete, self.end = True, at + 2
                return
            if number not in sizes:
                raise Malformed(f"type {number} at {at} is not declared")
            size, head = sizes[number], 10
            if size == VARIABLE:
                head = 12
                if at + head > size_of_data:
                    break
                size, = struct.unpack_from(">H", data, at + 10)
            if at + head + size > size_of_data and not (number == IPE and at + head + size == size_of_data + 1):
                break
            if number == IPE:
                size = self._true_size_of_ipe(at + head, size)
            if number == BLOCK_MARKER:
                length, _, capability = struct.unpack_from(">IQH", data, at + head)
                block_end = at + length
                self.blocks += 1
            elif at >= block_end:
                capability = NO_CAPABILITY
            if wanted is None or number in wanted:
                time, = struct.unpack_from(">Q", data, at + 2)
                yield Record(number, time, capability, data[at + head:at + head + size], at)
            at += head + size
        self.end, self.trailing = size_of_data, size_of_data - at

    def _true_size_of_ipe(self, payload, declared):
        """GHC 9.4 to 9.10 declare one byte more than they write: 8 bytes and six strings say how many there are."""
        at = payload + 8
        for _ in range(6):
            at = self.data.find(b"\0", at) + 1
            if at == 0:
                return declared
        return declared - 1 if at == payload + declared - 1 else declared


def streams(data):
    """All streams in the data: what comes before the first header is skipped, what follows an end may be another."""
    at = data.find(MAGIC)
    if at < 0:
        raise Malformed("no header")
    while True:
        stream = Stream(data, at)
        yield stream
        if stream.end is None:
            for _ in stream.records(()):
                pass
        at = stream.end
        if data[at:at + len(MAGIC)] != MAGIC:
            return


# ------------------------------------------------------------------------------------------------------------ censuses

Census = namedtuple("Census", "time breakdown rows complete")  # rows: Counter of labels, each a sorted tuple of pairs


def strings(payload):
    return [part.decode("utf-8", "replace") for part in payload.split(b"\0")]


def arguments_breakdown(payload):
    """What -h asks for between +RTS and -RTS; None if nothing does."""
    found, inside = None, False
    for argument in strings(payload[4:]):
        if argument == "--RTS" or (argument == "--" and not inside):
            break
        if argument in ("+RTS", "-RTS"):
            inside = argument == "+RTS"
        elif inside and len(argument) == 3 and argument.startswith("-h"):
            found = BREAKDOWN_FLAGS.get(argument[2], found)
    return found


class Censuses:
    """Collects the censuses of one stream."""

    def __init__(self, stream):
        self.has_end = SAMPLE_END in stream.types
        self.declared = self.of_arguments = self.of_labels = None
        self.cost_centres, self.info_tables = {}, {}
        self.open_time = None
        self.rows = []
        self.done = []

    def record(self, record):
        kind, payload = record.type, record.payload
        if kind == PROF_BEGIN:
            self.declared = BREAKDOWNS.get(struct.unpack_from(">I", payload, 9)[0], "unknown")
        elif kind == PROGRAM_ARGS:
            self.of_arguments = arguments_breakdown(payload) or self.of_arguments
        elif kind == COST_CENTRE:
            label, module = strings(payload[4:])[:2]
            self.cost_centres[struct.unpack_from(">I", payload)[0]] = f"{module}.{label}" if module else label
        elif kind == IPE:
            self.info_tables[struct.unpack_from(">Q", payload)[0]] = strings(payload[8:])[:6]
        elif kind in (SAMPLE_BEGIN, BIO_SAMPLE_BEGIN):
            self.finish(True)
            self.open_time = record.time if kind == SAMPLE_BEGIN else struct.unpack_from(">Q", payload, 8)[0]
        elif kind in (SAMPLE_STRING, SAMPLE_STACK) and self.open_time is not None:
            self.rows.append((kind, payload))
        elif kind == SAMPLE_END:
            self.finish(True)

    def finish(self, complete):
        if self.open_time is None:
            return
        rows = Counter()
        for kind, payload in self.rows:
            labels = self.stack(payload) if kind == SAMPLE_STACK else self.label(payload)
            rows[tuple(sorted(labels.items()))] += struct.unpack_from(">Q", payload, 1)[0]
        self.done.append(Census(self.open_time, self.breakdown(), rows, complete))
        self.open_time, self.rows = None, []

    def breakdown(self):
        return self.declared or self.of_arguments or self.of_labels or "unknown"

    def stack(self, payload):
        self.of_labels = self.of_labels or "cost_centre"
        depth = payload[9]
        ids = struct.unpack_from(f">{depth}I", payload, 10)
        band = ";".join(self.cost_centres.get(number, str(number)) for number in reversed(ids)) or "MAIN"
        return {"breakdown": self.declared or "cost_centre", "band": band}

    def label(self, payload):
        text = payload[9:].split(b"\0")[0].decode("utf-8", "replace")
        address = self.address(text)
        if not self.of_labels:
            lives = ("VOID", "LAG", "USE", "INHERENT_USE", "DRAG")
            self.of_labels = "info_table" if address is not None else "biography" if text in lives else "unknown"
        breakdown = self.breakdown()
        labels = {"breakdown": breakdown, "band": text or "(empty)"}
        if breakdown != "info_table" or address is None:
            return labels
        if address not in self.info_tables:
            return {**labels, "band": "(unresolved)"}
        name, _, kind, _, module, place = self.info_tables[address]
        named = {"breakdown": breakdown, "band": name, "type": kind, "module": module, "srcloc": place}
        return {key: value for key, value in named.items() if value}

    @staticmethod
    def address(text):
        if text == "(nil)":
            return 0
        try:
            return int(text, 16) if text.startswith("0x") else None
        except ValueError:
            return None


WANTED = {PROGRAM_ARGS, WALL_CLOCK_TIME, PROF_BEGIN, COST_CENTRE, IPE, SAMPLE_BEGIN, BIO_SAMPLE_BEGIN, SAMPLE_STRING, SAMPLE_STACK, SAMPLE_END,
          HEAP_ALLOCATED, HEAP_SIZE, HEAP_LIVE, MEM_RETURN, BLOCKS_SIZE}


def wall_clock_epoch(record):
    seconds, nanoseconds = struct.unpack_from(">QI", record.payload, 4)
    return seconds * 10**9 + nanoseconds - record.time


def stream_epoch(stream):
    """Unix time in ns of the stream's time 0; None if it does not say."""
    for record in stream.records({WALL_CLOCK_TIME}):
        return wall_clock_epoch(record)
    return None


def censuses(stream):
    collector = Censuses(stream)
    for record in stream.records(WANTED):
        collector.record(record)
    collector.finish(not collector.has_end)
    return collector.done


def census_points(found, epoch):
    """The points of censuses: each band, 0 once for a band that vanished, and the sum."""
    shown = set()
    for census in found:
        time = epoch + census.time
        for labels, value in census.rows.items():
            yield Point("ghc_heap_census_bytes", labels, time, value)
        if census.complete:
            for labels in shown - set(census.rows):
                yield Point("ghc_heap_census_bytes", labels, time, 0)
            shown = set()
        shown |= set(census.rows)
        yield Point("ghc_heap_profiled_bytes", (("breakdown", census.breakdown),), time, sum(census.rows.values()))


GAUGES = {HEAP_SIZE: "ghc_heap_size_bytes", HEAP_LIVE: "ghc_heap_live_bytes", BLOCKS_SIZE: "ghc_heap_blocks_bytes"}
MEMORY = ("ghc_memory_current_mblocks", "ghc_memory_needed_mblocks", "ghc_memory_returned_mblocks")


def gauge_points(stream, epoch):
    for record in stream.records(WANTED):
        time = epoch + record.time
        if record.type in GAUGES:
            yield Point(GAUGES[record.type], (), time, struct.unpack_from(">Q", record.payload, 4)[0])
        elif record.type == HEAP_ALLOCATED:
            capability = (("capability", str(record.capability)),)
            yield Point("ghc_heap_allocated_bytes_total", capability, time, struct.unpack_from(">Q", record.payload, 4)[0])
        elif record.type == MEM_RETURN:
            for name, value in zip(MEMORY, struct.unpack_from(">III", record.payload, 4)):
                yield Point(name, (), time, value)


def points(data, estimated_epoch=None):
    """What the filter `heap` should make of a log but for what it takes back at the end of a stream."""
    for stream in streams(data):
        epoch = stream_epoch(stream)
        if epoch is None:
            epoch = estimated_epoch
        if epoch is None:
            raise Malformed("the stream does not say when it was")
        yield from census_points(censuses(stream), epoch)
        yield from gauge_points(stream, epoch)


# --------------------------------------------------------------------------------------------------------- collections

GC_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
GC_GAUGES = ("ghc_gc_slop_bytes", "ghc_gc_fragmentation_bytes", "ghc_gc_par_threads")

Collection = namedtuple("Collection", "generation begin end statistics")  # records, None if there is none


def collections(stream):
    """The collections of a program, each once, told by what stands beside what in the buffer of one capability."""
    relevant = {GC_START, GC_END, GC_STATS} if GC_STATS in stream.types else {GC_START, GC_END, REQUEST_SEQ_GC, REQUEST_PAR_GC}
    capabilities, by_capability = 0, defaultdict(list)
    for record in stream.records({STARTUP, *relevant}):
        if record.type == STARTUP:
            capabilities, = struct.unpack_from(">H", record.payload)
        else:
            by_capability[record.capability].append(record)
    for records in by_capability.values():
        for before, record, after in zip([None, *records], records, [*records[1:], None]):
            ended = after is not None and after.type == GC_END
            if record.type == GC_STATS:
                begun = before is not None and before.type == GC_START
                yield Collection(struct.unpack_from(">H", record.payload, 4)[0], before if begun else None, after if ended else None, record)
            elif GC_STATS not in stream.types and record.type == GC_START and ended:
                if capabilities == 1 or before is not None and before.type in (REQUEST_SEQ_GC, REQUEST_PAR_GC):
                    yield Collection(None, record, after, None)


def sorted_by_time(stream):
    """Where each record would be, by its offset, if all were put in order: of equal times in the order of the bytes."""
    return {record.offset: place for place, record in enumerate(sorted(stream.records(), key=lambda record: record.time))}


class Cumulative:
    """What only grows: never shown with a time before the one it had."""

    def __init__(self, name, labels):
        self.name, self.labels, self.time = name, labels, 0

    def point(self, time, value):
        self.time = max(self.time, time)
        return Point(self.name, self.labels, self.time, value)


def buckets_of(pauses):
    """As the sink print shows a histogram: count, sum, and how many are not above each bound."""
    total = sum(pauses)
    return len(pauses), total / 10**9, tuple(sum(pause <= bound * 10**9 for pause in pauses) for bound in (*GC_BOUNDS, float("inf")))


def collection_points(stream, epoch, place=None):
    """What the filter `gc` should make of the stream but for what it takes back; `place`: of each offset, if not that of the bytes."""
    steps = []

    def placed(record):
        return place[record.offset] if place else record.offset

    for collection in collections(stream):
        if collection.statistics:
            steps.append((placed(collection.statistics), 0, collection))
        if collection.begin and collection.end:
            steps.append((max(placed(collection.end), placed(collection.statistics or collection.end)), 1, collection))
    totals, copied, pauses, series = Counter(), 0, defaultdict(list), {}
    for _, is_pause, (generation, begin, end, statistics) in sorted(steps, key=lambda step: step[:2]):
        labels = () if generation is None else (("generation", str(generation)),)

        def grown(name, labels):
            return series.setdefault((name, labels), Cumulative(name, labels))

        if statistics is None or not is_pause:
            totals[generation] += 1
            yield grown("ghc_gc_total", labels).point(epoch + (statistics or end).time, totals[generation])
        if is_pause:
            pauses[generation].append(end.time - begin.time)
            yield grown("ghc_gc_pause_seconds", labels).point(epoch + end.time, buckets_of(pauses[generation]))
        else:
            more, slop, fragmentation, threads = struct.unpack_from(">QqqI", statistics.payload, 6)
            copied += more
            yield grown("ghc_gc_copied_bytes_total", ()).point(epoch + statistics.time, copied)
            for name, value in zip(GC_GAUGES, (slop, fragmentation, threads)):
                yield Point(name, (), epoch + statistics.time, value)


def newest_block_end(stream):
    """The latest end time of a block: what a file's modification time stands for when there is no clock."""
    return max((struct.unpack_from(">Q", record.payload, 4)[0] for record in stream.records({BLOCK_MARKER})), default=0)


def logs(stream):
    """Messages, markers and labels as (kind, time, text); text as bytes."""
    kinds = {USER_MESSAGE: ("message", 0), USER_MARKER: ("marker", 0), THREAD_LABEL: ("label", 4), LOG_MESSAGE: ("rts", 0)}
    for record in stream.records(set(kinds)):
        kind, skip = kinds[record.type]
        yield kind, record.time, record.payload[skip:]


def counts(stream):
    return Counter(record.type for record in stream.records())


def describe(path, data):
    for number, stream in enumerate(streams(data)):
        totals = counts(stream)
        found = censuses(stream)
        state = "complete" if stream.complete else f"cut, {stream.trailing} bytes of a record left"
        print(f"{path}: stream {number}: header of {stream.header_size} bytes, {len(stream.types)} types; {sum(totals.values())} records; {state}")
        for census in found:
            whole = "" if census.complete else " (incomplete)"
            print(f"  census at {census.time} by {census.breakdown}: {len(census.rows)} bands, {sum(census.rows.values())} bytes{whole}")


def main(arguments):
    path = arguments[-1]
    with open(path, "rb") as file:
        data = file.read()
    if arguments[0] != "--points":
        return describe(path, data)
    for point in points(data, 0):
        print(json.dumps({"name": point.name, "labels": dict(point.labels), "time": point.time, "value": point.value}, ensure_ascii=False))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        main(sys.argv[1:])
    except BrokenPipeError:
        sys.stderr.close()
