"""The decoder against real logs, and against the facts that others found out about them.

usage: test_logs.py EVENTLOG-DUMP WHAT LOGS...
  counts    each log has the events that its .counts (ghc-events) and .wire (an independent walk) say
  cuts      each log is the same in 20 random cuts; those up to 1 MB also byte by byte
  short     one small log of each version, cut short at every byte
  splices   the prologue, as it was at places where a reader may begin, and the rest are a sound log
  flips     damaged copies: no crash, no hang, every byte accounted for, the same in all cuts
The logs are those in $EVPIPE_EVENTLOGS, else in the first of the folders LOGS that is there. Skipped (77) without any.
$EVPIPE_LARGEST_LOG leaves out those of more bytes, and tries fewer cuts and flips: a sanitizer's build takes many times as long.
"""
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

MEGABYTE = 1_000_000
LARGEST = int(os.environ.get("EVPIPE_LARGEST_LOG", "0"))

# ghc-events' constructors, by number.
CONSTRUCTORS = {
    "CreateThread": 0, "RunThread": 1, "StopThread": 2, "ThreadRunnable": 3, "MigrateThread": 4, "Shutdown": 7,
    "WakeupThread": 8, "StartGC": 9, "EndGC": 10, "RequestSeqGC": 11, "RequestParGC": 12, "CreateSparkThread": 15,
    "Message": 16, "Startup": 17, "UserMessage": 19, "GCIdle": 20, "GCWork": 21, "GCDone": 22, "Version": 23,
    "ProgramInvocation": 24, "CapsetCreate": 25, "CapsetDelete": 26, "CapsetAssignCap": 27, "CapsetRemoveCap": 28,
    "RtsIdentifier": 29, "ProgramArgs": 30, "ProgramEnv": 31, "OsProcessPid": 32, "OsProcessParentPid": 33,
    "SparkCounters": 34, "SparkCreate": 35, "SparkDud": 36, "SparkOverflow": 37, "SparkRun": 38, "SparkSteal": 39,
    "SparkFizzle": 40, "SparkGC": 41, "InternString": 42, "WallClockTime": 43, "ThreadLabel": 44, "CapCreate": 45,
    "CapDelete": 46, "CapDisable": 47, "CapEnable": 48, "HeapAllocated": 49, "HeapSize": 50, "HeapLive": 51,
    "HeapInfoGHC": 52, "GCStatsGHC": 53, "GlobalSyncGC": 54, "TaskCreate": 55, "TaskMigrate": 56, "TaskDelete": 57,
    "UserMarker": 58, "EdenStartReceive": 60, "EdenEndReceive": 61, "CreateProcess": 62, "KillProcess": 63,
    "AssignThreadToProcess": 64, "CreateMachine": 65, "KillMachine": 66, "SendMessage": 67, "ReceiveMessage": 68,
    "SendReceiveLocalMessage": 69, "MemReturn": 90, "BlocksSize": 91, "HeapProfBegin": 160, "HeapProfCostCentre": 161,
    "HeapProfSampleBegin": 162, "HeapProfSampleCostCentre": 163, "HeapProfSampleString": 164, "HeapProfSampleEnd": 165,
    "HeapBioProfSampleBegin": 166, "ProfSampleCostCentre": 167, "ProfBegin": 168, "InfoTableProv": 169,
    "UserBinaryMessage": 181, "ConcMarkBegin": 200, "ConcMarkEnd": 201, "ConcSyncBegin": 202, "ConcSyncEnd": 203,
    "ConcSweepBegin": 204, "ConcSweepEnd": 205, "ConcUpdRemSetFlush": 206, "NonmovingHeapCensus": 207,
    "NonmovingPrunedSegments": 208, "TickyCounterDef": 210, "TickyCounterSample": 211, "TickyBeginSample": 212,
}

# One small log of each version there is.
SMALL = [
    "ghc-events/testlog", "ghc-events/parallelTest", "ghc-events/hello-ghc-8.2.2", "ghc-events/trace-binary-event",
    "ghc-events/biographical-samples", "ghc-events/nonmoving-gc", "ghc-events/ticky-ticky", "ghc-events/sleep.h",
    "fork-902-child", "fork-902-parent", "ipe-966-user", "oddball-966-user-only", "ticky-966-dbg", "fork-9103-parent",
]


def logs_of(folder):
    return sorted(folder.glob("**/*.eventlog")) + sorted(folder.glob("**/*.eventlog.zst"))


class Plain:
    """The path of a log, decompressed if need be; None if it can not be."""

    def __init__(self, path):
        self.path = path
        self.file = None

    def __enter__(self):
        if self.path.suffix != ".zst":
            return self.path
        self.file = tempfile.NamedTemporaryFile(suffix=".eventlog")
        try:
            subprocess.run(["zstd", "-dc", self.path], stdout=self.file, check=True)
        except FileNotFoundError:
            return None
        return pathlib.Path(self.file.name)

    def __exit__(self, *_):
        if self.file:
            self.file.close()


def run(dump, *arguments):
    result = subprocess.run([dump, *map(str, arguments)], capture_output=True, text=True, timeout=600, check=False)
    return result.returncode, result.stdout + result.stderr


def summary(dump, path):
    status, text = run(dump, path)
    assert status == 0, text
    types, facts = {}, {}
    for line in text.splitlines():
        words = line.split(maxsplit=2)
        if words[0] == "type":
            types[int(words[1])] = int(words[2])
        else:
            facts[words[0]] = line.partition(" ")[2]
    return types, facts


def read_counts(path):
    """{number: count} of a .counts file, and its facts."""
    types, facts = {}, {}
    for line in path.read_text().splitlines():
        first, _, rest = line.partition(" ")
        if not first.isdigit():
            facts[first] = rest
        else:
            types[int(rest[1:]) if rest.startswith("#") else CONSTRUCTORS[rest]] = int(first)
    return types, facts


def read_wire(path):
    types, facts = {}, {}
    for line in path.read_text().splitlines():
        words = line.split(" ", 2)
        if words[0].isdigit():
            types[int(words[1])] = int(words[0])
        else:
            facts[words[0]] = words[1]
    return types, facts


def sibling(log, suffix):
    return log.with_name(log.name.removesuffix(".zst") + suffix)


def check_counts(dump, log):
    problems = []
    with Plain(log) as path:
        if not path:
            return [f"{log.name}: no zstd, left out"]
        types, facts = summary(dump, path)
    expected, wire = read_wire(sibling(log, ".wire"))
    if types != expected:
        problems.append(f"types {types}, the wire has {expected}")
    expected, counted = read_counts(sibling(log, ".counts"))
    without_markers = {number: count for number, count in types.items() if number != 18}
    if without_markers != expected:
        problems.append(f"types {without_markers}, ghc-events has {expected}")
    for name, got, want in [
        ("blocks", facts["blocks"], wire["blocks"]),
        ("ended", facts["ended"], "1" if wire["end_marker"] == "yes" else "0"),
        ("walked", facts["walked"], wire["wire_total"]),
        ("newest time", facts["newest_time"], wire.get("max_ns", "0") if types else "0"),
    ]:
        if got != want:
            problems.append(f"{name} {got}, not {want}")
    spare = int(facts["skipped_bytes"]) + int(facts["cut_bytes"])
    known = {"socket-seed-902-head": 24 + 8, "socket-seed-966-busy-reconnect": 7}
    if spare != known.get(log.name.split(".")[0], 0):
        problems.append(f"{spare} bytes are not decoded")
    return [f"{log.name}: {problem}" for problem in problems]


def check_cuts(dump, log):
    with Plain(log) as path:
        if not path:
            return []
        single = ["--single"] if path.stat().st_size <= MEGABYTE else []
        status, text = run(dump, "--cuts", 20, *single, path)
    return [f"{log.name}: {text}"] if status else []


def check_splices(dump, log):
    with Plain(log) as path:
        if not path:
            return []
        status, text = run(dump, "--splice", 20, path)
    return [f"{log.name}: {text}"] if status else []


def check_short(dump, log):
    status, text = run(dump, "--every-cut", 7 if LARGEST else 1, log)  # no divisor of a record's size
    return [f"{log.name}: {text}"] if status else []


def check_flips(dump, log):
    if log.suffix == ".zst" or log.stat().st_size > 200_000:
        return []
    status, text = run(dump, "--flip", max(100, (4_000_000 if LARGEST else 20_000_000) // log.stat().st_size), log)
    return [f"{log.name}: {text[-3000:]}"] if status else []


def main():
    dump, what, *folders = sys.argv[1:]
    folders = [path for path in [os.environ.get("EVPIPE_EVENTLOGS"), *folders] if path and os.path.isdir(path)]
    folder = pathlib.Path(folders[0] if folders else ".")
    logs = logs_of(folder) if folders else []
    if what == "short":
        logs = [path for path in (folder / f"{name}.eventlog" for name in SMALL) if path.exists()]
    logs = [log for log in logs if not LARGEST or log.stat().st_size <= LARGEST]
    if not logs:
        print("skipped: there are no logs")
        return 77
    check = {
        "counts": check_counts, "cuts": check_cuts, "short": check_short, "splices": check_splices, "flips": check_flips,
    }[what]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        problems = [problem for found in pool.map(lambda log: check(dump, log), logs) for problem in found]
    for problem in problems:
        print(problem)
    print(f"{what}: {len(logs)} logs, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
