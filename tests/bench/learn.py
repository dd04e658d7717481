"""Learns from real eventlogs what the generator draws from, and writes it as a small table.

usage: learn.py OUTPUT LOG...

The header and the begin are those of the first log; of each log the first 60,000 events count. For capability buffers: which type follows which two, how long after (quantiles), payloads, sizes of blocks. For the global
buffer: what it begins with, labels of heap profile rows. Nothing else of the log is kept.
"""
import collections
import pathlib
import random
import struct
import subprocess
import sys

VARIABLE = 0xFFFF
NO_CAP = 0xFFFF
MARKER, SAMPLE_STRING = 18, 164
PAYLOADS = 24  # kept of each type
QUANTILES = 33
EVENTS = 60_000  # of each log
PRELUDE = {25, 27, 29, 30, 32, 33, 43, 45, 52, 160}


def read_header(data):
    at, types = 8, []
    while data[at:at + 4] == b"etb\0":
        number, size, length = struct.unpack_from(">HHI", data, at + 4)
        description = data[at + 12:at + 12 + length]
        extension = struct.unpack_from(">I", data, at + 12 + length)[0]
        types.append((number, size, description.decode()))
        at += 12 + length + 4 + extension + 4
    return types, at + 12


def records(data, at, sizes):
    """(capability, type, time, payload) of each record."""
    cap = NO_CAP
    while at < len(data):
        number = struct.unpack_from(">H", data, at)[0]
        if number == 0xFFFF:
            return
        time = struct.unpack_from(">Q", data, at + 2)[0]
        size, head = sizes[number], 10
        if size == VARIABLE:
            size, head = struct.unpack_from(">H", data, at + 10)[0], 12
        payload = data[at + head:at + head + size]
        if number == MARKER:
            cap = struct.unpack_from(">H", payload, 12)[0]
        yield cap, number, time, payload
        at += head + size


def quantiles(values):
    values = sorted(values)
    return [values[(len(values) - 1) * i // (QUANTILES - 1)] for i in range(QUANTILES)]


class Learnt:
    def __init__(self):
        self.types, self.prelude = [], []
        self.after = collections.defaultdict(collections.Counter)
        self.steps, self.payloads = collections.defaultdict(list), collections.defaultdict(list)
        self.blocks, self.labels = [], collections.Counter()
        self.keep = random.Random(1)

    def keep_payload(self, number, payload):
        kept, seen = self.payloads[number], len(self.steps[number])
        if len(kept) < PAYLOADS:
            kept.append(payload)
        elif self.keep.random() < PAYLOADS / seen:
            kept[self.keep.randrange(PAYLOADS)] = payload

    def log(self, data):
        types, begin = read_header(data)
        first = not self.types
        self.types = self.types or types
        context, last, events = {}, {}, 0
        for cap, number, time, payload in records(data, begin, {number: size for number, size, _ in types}):
            if number == MARKER:
                if cap != NO_CAP:
                    self.blocks.append(struct.unpack_from(">I", payload)[0])
            elif cap == NO_CAP:
                if number in PRELUDE and first:
                    self.prelude.append((number, time, payload))
                elif number == SAMPLE_STRING:
                    self.labels[payload[9:-1].decode()] += 1
            elif events < EVENTS:
                events += 1
                before = context.get(cap, (0, 0))
                self.after[before][number] += 1
                context[cap] = (before[1], number)
                self.steps[number].append(max(0, time - last.get(cap, time)))
                last[cap] = time
                self.keep_payload(number, payload)


def write(out, learnt):
    for number, size, description in learnt.types:
        print("type", number, size, description, file=out)
    for number, time, payload in learnt.prelude:
        print("prelude", number, time, payload.hex() or "-", file=out)
    print("blocks", *quantiles([size for size in learnt.blocks if size > 24]), file=out)
    for (first, second), following in sorted(learnt.after.items()):
        counts = " ".join(f"{number}:{count}" for number, count in sorted(following.items()))
        print("after", first, second, counts, file=out)
    for number in sorted(learnt.steps):
        print("steps", number, *quantiles(learnt.steps[number]), file=out)
        for payload in learnt.payloads[number]:
            print("payload", number, payload.hex() or "-", file=out)
    for label, _ in learnt.labels.most_common():
        print("label", label, file=out)


def main():
    learnt = Learnt()
    for path in map(pathlib.Path, sys.argv[2:]):
        if path.suffix == ".zst":
            learnt.log(subprocess.run(["zstd", "-dc", path], stdout=subprocess.PIPE, check=True).stdout)
        else:
            learnt.log(path.read_bytes())
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        print("# what learn.py found in", *(pathlib.Path(path).name for path in sys.argv[2:]), file=out)
        write(out, learnt)


if __name__ == "__main__":
    main()
