"""Metric points as evpipe gives them, made comparable with those of the reference decoder."""
import collections

import eventlog
import harness

NAMES = {"ghc_heap_census_bytes", "ghc_heap_profiled_bytes", "ghc_heap_allocated_bytes_total", *eventlog.GAUGES.values(), *eventlog.MEMORY}
CENSUS = {"ghc_heap_census_bytes", "ghc_heap_profiled_bytes"}


def point(name, labels, time, value):
    return eventlog.Point(name, tuple(sorted((key, text) for key, text in labels.items() if key != "service")), time, value)


def of_json(data):
    """What the sink print wrote with `format: json`."""
    return [point(item["name"], item["labels"], item["time"], item["value"]) for item in harness.json_lines(data) if item.get("name") in NAMES]


def apart(found, wanted):
    """The points found in two: those of censuses and gauges, and the zeros by which a stream's end takes its bands back: those at no
    census's time."""
    times = {point.time for point in wanted if point.name in CENSUS}
    taken_back = [point for point in found if point.name in CENSUS and point.value == 0 and point.time not in times]
    known = set(taken_back)
    return [point for point in found if point not in known], taken_back


def expected(data, estimated_epoch=None):
    return list(eventlog.points(data, estimated_epoch))


def census_only(points):
    return [point for point in points if point.name in CENSUS]


def difference(wanted, got, limit=6):
    """Empty if the two are the same points, however ordered; else what is missing and what is too much, for people."""
    missing, extra = collections.Counter(wanted), collections.Counter(got)
    missing.subtract(got)
    extra.subtract(wanted)
    lines = [f"missing: {item}" for item in (+missing)][:limit] + [f"too much: {item}" for item in (+extra)][:limit]
    if not lines:
        return ""
    return "\n".join([f"{sum((+missing).values())} missing, {sum((+extra).values())} too much, of {len(wanted)}", *lines])
