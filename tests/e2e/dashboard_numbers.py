"""What a page has to show of a log, worked out anew from what `print` says about it (format json): shares nothing with evpipe but
the rules of plugins/sinks/dashboard/protocol.md."""
import collections
import re

import harness

SLOT = 10**8  # what is counted is counted by tenths of a second
GAUGES = {"heap": {"size": "ghc_heap_size_bytes", "live": "ghc_heap_live_bytes", "blocks": "ghc_heap_blocks_bytes"},
          "memory": {"current": "ghc_memory_current_mblocks", "needed": "ghc_memory_needed_mblocks", "returned": "ghc_memory_returned_mblocks"}}
KINDS = {"user_message": "message", "user_marker": "marker", "thread_label": "label", "rts_log": "rts"}


def micros(seconds):
    return round(seconds * 1e6)


def classes():
    """Number of an event to its class, from docs/events.md."""
    text = (harness.SOURCE / "docs" / "events.md").read_text(encoding="utf-8")
    return {int(number): name for number, name in re.findall(r"(?m)^\| (\d+) \| \w+ \| [^|]* \| (\w+) \|", text)}


class Range:
    """Columns of a range of microseconds, both within, as evpipe cuts it."""

    def __init__(self, first, last, columns):
        self.first, self.last = first * 1000, last * 1000 + 999
        self.width = (self.last - self.first) // columns + 1

    def of(self, time):
        return (time - self.first) // self.width if self.first <= time <= self.last else None


class Numbers:
    def __init__(self, items):
        self.metrics = [item for item in items if "kind" in item]
        self.logs = [item for item in items if "message" in item]

    def of(self, name):
        return [metric for metric in self.metrics if metric["name"] == name]

    def gauges(self, key, within):
        """Column -> {member: (time, value)}: the largest, the first of equal ones."""
        columns = collections.defaultdict(dict)
        for member, name in GAUGES[key].items():
            for metric in sorted(self.of(name), key=lambda metric: metric["time"]):
                column = within.of(metric["time"])
                if column is None:
                    continue
                best = columns[column].get(member)
                if best is None or metric["value"] > best[1]:
                    columns[column][member] = (metric["time"], metric["value"])
        return columns

    def expected_gauges(self, key, within):
        rows = {"time": [], **{member: [] for member in GAUGES[key]}}
        for _, column in sorted(self.gauges(key, within).items()):
            rows["time"].append(next(column[member][0] for member in GAUGES[key] if member in column) // 1000)
            for member in GAUGES[key]:
                rows[member].append(column[member][1] if member in column else None)
        return rows

    def expected_allocated(self, within):
        """Of one run: the totals at the last sample of each column."""
        last, slots = collections.defaultdict(int), {}
        for metric in self.of("ghc_heap_allocated_bytes_total"):
            capability = metric["labels"]["capability"]
            more, last[capability] = metric["value"] - last[capability], metric["value"]
            if more:
                time, total = slots.get(metric["time"] // SLOT, (0, 0))
                slots[metric["time"] // SLOT] = (max(time, metric["time"]), total + more)
        total, columns = 0, {}
        for _, (time, more) in sorted(slots.items()):
            total += more
            if within.of(time) is not None:
                columns[within.of(time)] = (time // 1000, total)
        return {"time": [time for time, _ in columns.values()], "bytes": [total for _, total in columns.values()]}

    def expected_pauses(self, within):
        """Generation -> column -> [time of the longest, longest, collections, seconds]."""
        generations, last = collections.defaultdict(dict), {}
        for metric in self.of("ghc_gc_pause_seconds"):
            generation = int(metric["labels"].get("generation", 0))
            count, total = last.get(generation, (0, 0.0))
            more, seconds = metric["value"]["count"] - count, metric["value"]["sum"] - total
            last[generation] = (metric["value"]["count"], metric["value"]["sum"])
            column = within.of(metric["time"])
            if not more or column is None:
                continue
            rows = generations[generation]
            row = rows.setdefault(column, [metric["time"], 0.0, 0, 0.0])
            if seconds > row[1]:
                row[0], row[1] = metric["time"], seconds
            row[2] += more
            row[3] += seconds
            assert more == 1, "the longest of several is not known here"
        return generations

    def censuses(self):
        """[(time, breakdown, total, {band: bytes})], but for the one that takes all back when a stream ends."""
        rows, found = collections.defaultdict(list), []
        for metric in self.metrics:
            if metric["name"] == "ghc_heap_census_bytes":
                labels = metric["labels"]
                band = tuple(labels.get(key) for key in ("band", "module", "type", "srcloc"))
                rows[metric["time"], labels["breakdown"]].append((band, metric["value"]))
            elif metric["name"] == "ghc_heap_profiled_bytes":
                key = (metric["time"], metric["labels"]["breakdown"])
                bands = {band: value for band, value in rows[key] if value > 0}
                if bands or not rows[key]:
                    found.append((*key, metric["value"], bands))
        return found

    def expected_censuses(self, within, breakdown):
        """The shown ones: of each column that with the largest total."""
        columns = {}
        for census in self.censuses():
            column = within.of(census[0])
            if census[1] != breakdown or column is None:
                continue
            if column not in columns or census[2] > columns[column][2]:
                columns[column] = census
        return [columns[column] for column in sorted(columns)]

    def expected_logs(self):
        logs = sorted(self.logs, key=lambda log: log["time"])[-500:]
        return [(log["time"] // 1000, KINDS.get(log["name"], log["name"]), log["severity"], log["message"], log.get("capability"), log.get("thread"))
                for log in logs]
