"""Rows of scripts/bench on the sink dashboard: ten visitors at ten censuses a second of 300 bands, and a day of those.

By itself, with the release build of scripts/bench (or any other): dashboard_bench.py BUILD [first_band|page|day]"""
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import types

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "e2e"), str(TESTS / "reference")]
import browser  # noqa: E402
import eventlog_writer as writer  # noqa: E402
import page_client  # noqa: E402

BANDS, PER_SECOND, VISITORS = 300, 10, 10
PIPELINE = """sources:
  app: {plugin: file, path: "%s", clock: %s, pace: %s}
filters:
  heap: {plugin: heap, from: app}
sinks:
  page: {plugin: dashboard, from: [app, heap], listen: "127.0.0.1:0", stay: true, history: never, queue: {max_size: 4MiB, when_full: wait}}
"""
ROW = struct.Struct(">HBQ")


class Censuses:
    """Bytes of a program that has a census every tenth of a second. The sizes are those of 64 different ones, in turn."""

    def __init__(self):
        labels = [writer.string(f"package-1.2.3:Some.Module.Name.constructor{j}") for j in range(BANDS)]
        number = struct.pack(">H", writer.SAMPLE_STRING)
        rows = [[ROW.pack(9 + len(label), 0, 8 * (1 + (i * 7919 + j * 104729) % 100003)) + label for j, label in enumerate(labels)] for i in range(64)]
        # A row is its type, its time, the rest: what stands between the times of a census.
        self.pieces = [[number, *(row + number for row in of_one[:-1]), of_one[-1]] for of_one in rows]

    def header(self):
        log = writer.Log()
        log.init(breakdown=7)
        return log.data(end=False)

    def census(self, i):
        now = (i + 1) * 10**9 // PER_SECOND
        body = (writer.record(writer.SAMPLE_BEGIN, now, bytes(8)) + struct.pack(">Q", now).join(self.pieces[i % 64]) + writer.heap_size(now, (100 + i % 50) << 20) +
                writer.record(writer.SAMPLE_END, now, bytes(8)))
        return writer.record(writer.BLOCK_MARKER, now, struct.pack(">IQH", 24 + len(body), now, 0xFFFF)) + body


class Page:
    """A running evpipe with the page."""

    def __init__(self, folder, build, log, clock, pace):
        config = pathlib.Path(folder, "pipeline.yaml")
        config.write_text(PIPELINE % (log, clock, pace))
        self.log = open(pathlib.Path(folder, "log"), "w+")
        self.process = subprocess.Popen([build / "core" / "evpipe", "-c", config], stderr=self.log,
                                        env={**os.environ, "EVPIPE_PLUGIN_PATH": str(build / "plugins")})
        while not (found := re.search(r"listens on http://127\.0\.0\.1:(\d+)", pathlib.Path(self.log.name).read_text())):
            if self.process.poll() is not None:
                raise RuntimeError(pathlib.Path(self.log.name).read_text())
            time.sleep(0.005)
        self.page = page_client.Page(int(found.group(1)))

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self, peak=False):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{'VmHWM' if peak else 'VmRSS'}:\s+(\d+) kB", status).group(1)) * 1024

    def program(self):
        return next(iter(self.page.programs()), None)

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


def write(path, censuses, n):
    with open(path, "wb") as file:
        file.write(censuses.header())
        for i in range(n):
            file.write(censuses.census(i))
        file.write(b"\xff\xff")


def share(page, seconds):
    """CPU in percent of a core."""
    cpu, begin = page.cpu(), time.monotonic()
    time.sleep(seconds)
    return (page.cpu() - cpu) / (time.monotonic() - begin) * 100


def page(bench):
    """A page with ten visitors, and with none: CPU and memory at ten censuses a second of 300 bands."""
    seconds = 10 if bench.options.quick else 30
    log = pathlib.Path(bench.folder, "page.eventlog")
    write(log, Censuses(), (2 * seconds + 10) * PER_SECOND)
    running = Page(bench.folder, bench.build, log, "now", "realtime")
    visitors = []
    try:
        while not (running.program() or {}).get("last"):
            time.sleep(0.05)
        if not running.page.history()["census"]:
            raise RuntimeError("no census is shown")
        nobody = share(running, seconds)
        visitors = [page_client.Live(running.page.port, 1) for _ in range(VISITORS)]
        for _ in range(VISITORS):
            running.page.history(columns=600, bands=20)
        visited = share(running, seconds)
        lost = sum(len(live.all("lost")) for live in visitors)
        censuses = sum(len(event.data["census"]["time"]) for event in visitors[0].all("samples") if "census" in event.data)
        bench.table.add("page: CPU with nobody, % of a core", f"{nobody:.2f}", note=f"{PER_SECOND} censuses a second of {BANDS} bands")
        bench.table.add(f"page: CPU with {VISITORS} visitors, % of a core", f"{visited:.2f}",
                        note=f"{censuses} censuses pushed to each, {lost} times lost")
        bench.table.add("page: resident memory, MiB", f"{running.resident() / 2**20:.1f}", note=f"after {2 * seconds} s")
    finally:
        for live in visitors:
            live.close()
        running.end()
    log.unlink()


def day(bench):
    """24 hours of these censuses, read at once from a FIFO: memory, and how long an answer takes behind them."""
    hours = 2 if bench.options.quick else 24
    fifo = pathlib.Path(bench.folder, "day.fifo")
    os.mkfifo(fifo)
    n, censuses = hours * 3600 * PER_SECOND, Censuses()
    feeder = threading.Thread(target=write, args=(fifo, censuses, n), daemon=True)
    feeder.start()
    running = Page(bench.folder, bench.build, fifo, "recorded", "max")
    try:
        begin = time.monotonic()
        while (running.program() or {"state": "open"})["state"] == "open":
            time.sleep(0.2)
        wall = time.monotonic() - begin
        feeder.join()
        began = time.monotonic()
        history = running.page.history(columns=600, bands=20)
        answer = time.monotonic() - began
        first, last = history["census"]["time"][0], history["census"]["time"][-1]
        if last - first < 0.9 * hours * 3600:
            raise RuntimeError(f"only {last - first} s of {hours} hours are left")
        if running.program()["state"] != "complete":
            raise RuntimeError("the log is damaged")
        live = page_client.Live(running.page.port, 1)
        while not live.all("health"):
            time.sleep(0.05)
        health = live.all("health")[0].data
        live.close()
        bench.table.add(f"page: resident memory after {hours} h, MiB", f"{running.resident() / 2**20:.1f}",
                        note=f"at most {running.resident(True) / 2**20:.1f}, of which the sink's queue at most 4; history {health['history']['size'] / 2**20:.1f} of 64, thinned "
                             f"{health['history']['thinned']} times; {n * BANDS / wall / 1e6:.1f} M rows a second")
        bench.table.add(f"page: history of {hours} h, ms to the answer", f"{answer * 1000:.0f}", note="600 columns, 20 bands, gzip")
    finally:
        running.end()
    fifo.unlink()


def first_band(bench):
    """From the start of scripts/demo, which is built, to the first band in a browser that is open already; the recording."""
    if not browser.find():
        bench.table.add("first_band", "skipped", note="chromium is not there")
        return
    seconds = []
    for _ in range(3):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with browser.Browser() as window:
            page = window.open("about:blank")
            begin = time.monotonic()
            demo = subprocess.Popen([TESTS.parent / "scripts" / "demo", "--recording", "--seconds", "60", "--port", str(port)], stdout=subprocess.PIPE, text=True,
                                    stderr=subprocess.DEVNULL, env={**os.environ, "BUILD": str(bench.build), "SKIP_SETUP": "1"})
            try:
                while "http://" not in (line := demo.stdout.readline()):
                    if not line:
                        raise RuntimeError("scripts/demo said no address")
                page.go(f"http://127.0.0.1:{port}/")
                page.wait("window.evpipe && evpipe.view.census && evpipe.view.census.bands.length > 0 && evpipe.view.redraws > 0", 30)
                seconds.append(time.monotonic() - begin)
            finally:
                demo.terminate()
                demo.wait()
    middle = sorted(seconds)[1]
    bench.table.add("demo: start to first band in the browser, s", f"{middle:.2f}", f"{min(seconds):.2f} .. {max(seconds):.2f}", "< 3", "met" if max(seconds) < 3 else "missed")


def main():
    """Alone: without the table of scripts/bench."""
    def add(name, value, between="", goal="", word="", note=""):
        print(f"{name}: {value} {note}", flush=True)
    with tempfile.TemporaryDirectory(prefix="evpipe-bench-") as folder:
        bench = types.SimpleNamespace(folder=folder, build=pathlib.Path(sys.argv[1]).resolve(), options=types.SimpleNamespace(quick="--quick" in sys.argv),
                                      table=types.SimpleNamespace(add=add))
        for row in (first_band, page, day):
            if row.__name__ in sys.argv[2:] or not {"first_band", "page", "day"} & set(sys.argv[2:]):
                row(bench)


if __name__ == "__main__":
    main()
