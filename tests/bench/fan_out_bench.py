"""Rows of scripts/bench on fan-out: what more sinks cost, a sink that is stuck, the way to a ZeroMQ subscriber, many programs."""
import contextlib
import os
import pathlib
import re
import select
import socket
import subprocess
import threading
import time

SINK = "  s{}: {{plugin: BENCH/sink-discard.so, from: app, signals: [bytes]}}\n"
FILE = 'sources:\n  app: {plugin: file, path: "${LOG}"}\n'
# Decodes every event, whatever else there is.
COUNT = FILE + "filters:\n  count: {plugin: BENCH/filter-count-events.so, from: app}\nsinks:\n  count_out: {plugin: BENCH/sink-discard.so, from: count}\n"
LIVE = ('sources:\n  app: {plugin: socket, unix: "${LOG}", reconnect: {initial: 1h, max: 1h}}\nfilters:\n  heap: {plugin: heap, from: app}\n'
        "sinks:\n  discard: {plugin: BENCH/sink-discard.so, from: heap}\n")
BESIDE = "  beside: {{plugin: BENCH/sink-discard.so, from: app, signals: [bytes], {}queue: {{max_size: 8MiB}}}}\n"
ZMQ = 'sources:\n  app: {plugin: socket, unix: "SOCKET"}\nsinks:\n  fan: {plugin: zmq, from: app, bind: "ENDPOINT"}\n'
MANY = ('sources:\n  apps: {plugin: socket, each: "FOLDER/*.sock", unix: "{each}", labels: {service: "{name}"}}\nfilters:\n'
        "  heap: {plugin: heap, from: apps}\nsinks:\n  discard: {plugin: BENCH/sink-discard.so, from: heap}\n")


def extra_sinks(bench):
    """CPU of the first sink of bytes beside a filter that decodes every event, and of each more in a fan-out of two, four and eight; part of decoding.
    The first pays for that what was read stays in use: the next read goes into other memory. Runs in turn, each compared with those of its round."""
    log, _ = bench.logs.get("scheduler")
    numbers = (0, 1, 2, 4, 8)
    pipelines = {n: bench.pipeline(f"sinks-{n}", COUNT + "".join(SINK.format(i) for i in range(n))) for n in numbers}
    rounds = [{n: bench.evpipe(pipelines[n], log).cpu for n in numbers} for _ in range(bench.pairs)]
    bench.table.ratio("the first sink of bytes, part of decoding's CPU", [cpu[1] / cpu[0] - 1 for cpu in rounds], None)
    for n in (2, 4, 8):
        bench.table.ratio(f"{n} sinks of bytes: each more than the first, part of decoding's CPU", [(cpu[n] - cpu[1]) / (n - 1) / cpu[0] for cpu in rounds], 0.05,
                          at_least=False)


def stuck_sink(bench):
    """Throughput of the others beside a sink that stands still, against what it is while that sink works, and without it; wall time from connection to
    the stream's end, from a socket. And what a reader that only receives loses when it, too, has 8 MiB of buffers in use instead of one."""
    log, _ = bench.logs.get("scheduler")
    pipelines = {name: bench.pipeline(f"stuck-{name}", LIVE + sink) for name, sink in
                 (("stuck", BESIDE.format("delay: 1h, ")), ("works", BESIDE.format("")), ("without", ""))}
    walls = {name: [] for name in [*pipelines, "one", "many"]}
    for _ in range(bench.pairs):
        for name, pipeline in pipelines.items():
            with bench.serving(log, 0) as path:
                walls[name].append(bench.until_ended(pipeline, path))
        for name, buffers in (("one", 1), ("many", 32)):
            with bench.serving(log, 0) as path:
                walls[name].append(bench.only_receive(path, buffers))

    def ratios(above, below):
        return [one / other for one, other in zip(walls[above], walls[below])]

    bench.table.ratio("throughput beside a sink that is stuck / while it works", ratios("works", "stuck"), 0.95)
    bench.table.ratio("throughput beside a sink that is stuck / without it", ratios("without", "stuck"), None)
    bench.table.ratio("only receiving: into 8 MiB / into 256 KiB", ratios("one", "many"), None)


def probe(bench, reader):
    """Median and p99 in microseconds, with `reader(socket, endpoint)` starting what stands between."""
    path, endpoint = bench.folder / "probe.sock", f"ipc://{bench.folder}/probe.ipc"
    path.unlink(missing_ok=True)
    prober = subprocess.Popen([bench.programs / "latency", "probe", path, endpoint, "2000"], stdout=subprocess.PIPE, text=True)
    while not path.exists():
        time.sleep(0.01)
    between = reader(path, endpoint)
    try:
        out, _ = prober.communicate(timeout=60)
    finally:
        prober.kill()
        between.terminate()
        between.wait()
    p50, p99 = re.search(r"p50 ([\d.]+) us, p99 ([\d.]+) us", out).groups()
    return float(p50), float(p99)


def latency(bench):
    """From a write into the program's socket to a ZeroMQ subscriber, against a bare relay loop; a probe every millisecond."""
    def evpipe(path, endpoint):
        pipeline = bench.pipeline("latency", ZMQ.replace("SOCKET", str(path)).replace("ENDPOINT", endpoint))
        return bench.start(pipeline)

    def bare(path, endpoint):
        return subprocess.Popen([bench.programs / "latency", "relay", path, endpoint])

    ours, theirs = [], []
    for _ in range(bench.pairs):
        theirs.append(probe(bench, bare))
        ours.append(probe(bench, evpipe))
    for index, name, goal in ((0, "p50", 1.5), (1, "p99", 2)):
        note = f"{sorted(pair[index] for pair in ours)[len(ours) // 2]:.0f} us, bare {sorted(pair[index] for pair in theirs)[len(theirs) // 2]:.0f} us"
        bench.table.ratio(f"to a ZeroMQ subscriber / bare relay, {name}", [a[index] / b[index] for a, b in zip(ours, theirs)], goal, at_least=False,
                          note=note)


class Programs(threading.Thread):
    """Many programs in one thread: each serves one client; the busy ones send the same piece of a log every 10 ms."""

    def __init__(self, folder, header, piece, n, busy):
        super().__init__(daemon=True)
        self.header, self.piece, self.busy, self.over, self.clients = header, piece, busy, False, {}
        self.listeners = {}
        for i in range(n):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(pathlib.Path(folder, f"program-{i:03}.sock")))
            listener.listen(1)
            self.listeners[listener] = i

    def run(self):
        next_send = time.monotonic()
        while not self.over:
            ready, _, _ = select.select([one for one, i in self.listeners.items() if i not in self.clients], [], [], max(0, next_send - time.monotonic()))
            for listener in ready:
                client = listener.accept()[0]
                client.sendall(self.header)
                self.clients[self.listeners[listener]] = client
            if time.monotonic() < next_send:
                continue
            next_send += 0.01
            for i, client in self.clients.items():
                if i < self.busy:
                    with contextlib.suppress(OSError):  # the reader was ended: so is the measurement
                        client.sendall(self.piece)

    def close(self):
        self.over = True
        self.join()
        for one in [*self.listeners, *self.clients.values()]:
            one.close()


def spent(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


@contextlib.contextmanager
def many(bench, n, busy):
    """An evpipe that is connected to n programs."""
    log, events = bench.logs.get("scheduler", 100_000_000)
    with open(log, "rb") as file:
        data = file.read(1_000_000)
    header = data.index(b"datb") + 4
    folder = bench.folder / f"programs-{n}-{busy}"
    folder.mkdir()
    programs = Programs(folder, data[:header], data[header:header + 2048], n, busy)
    programs.start()
    process = bench.start(bench.pipeline("many", MANY.replace("FOLDER", str(folder))))
    try:
        deadline = time.monotonic() + 30
        while len(programs.clients) < n:
            if time.monotonic() > deadline:
                raise RuntimeError(f"only {len(programs.clients)} of {n} programs have a reader")
            time.sleep(0.05)
        time.sleep(1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()
        programs.close()


def many_programs(bench):
    """200 programs that are idle, and 20 busy ones: threads, memory, CPU."""
    for n, busy in ((1, 0), (200, 0), (20, 20), (220, 20)):
        with many(bench, n, busy) as pid:
            before, begin = spent(pid), time.monotonic()
            time.sleep(5)
            share = (spent(pid) - before) / (time.monotonic() - begin) * 100
            threads = len(os.listdir(f"/proc/{pid}/task"))
            bench.table.add(f"{n - busy} idle programs, {busy} busy ones: % of a core", f"{share:.2f}", "", "", f"{threads} threads, {resident(pid):.1f} MiB")
