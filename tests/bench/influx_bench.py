"""The sink influxdb against a bare client (influx_client.c) that sends the same bodies, gzipped alike, to the same influxd."""
import gzip
import os
import pathlib
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "e2e"), str(TESTS / "live"), str(TESTS / "reference")]
import harness
import influx

LINES = 5000  # of a body: batch.max_items
SOURCE = """sources:
  app: {plugin: file, path: "${LOG}"}
filters:
  heap: {plugin: heap, from: app}
sinks:
"""
SINK = SOURCE + "  influx: {plugin: influxdb, from: heap, url: \"${URL}\", database: bench, batch: {max_items: 5000, max_delay: 10s}}\n"
PRINT = SOURCE + "  out: {plugin: print, from: heap, format: influx, path: \"${OUT}\"}\n"


class Place:
    """What a real influxd needs of a test case."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def start(self, arguments, name):
        return harness.Process(arguments, self.folder, name)


class Bench:
    def __init__(self, folder, build, log):
        self.folder, self.client, self.program, self.log = pathlib.Path(folder), build / "tests/bench/bench-influx-client", build / "core/evpipe", log
        self.environment = {**os.environ, "EVPIPE_PLUGIN_PATH": str(build / "plugins"), "LOG": str(log)}

    def evpipe(self, pipeline, **environment):
        """Wall time of the whole program, its start included."""
        path = self.folder / "pipeline.yaml"
        path.write_text(pipeline)
        begin = time.monotonic()
        subprocess.run([self.program, "-c", path, "--log-level", "error"], check=True, env={**self.environment, **environment})
        return time.monotonic() - begin

    def bodies(self):
        """What the sink sends, as files: the same lines, as many in a body, compressed at the same level; and how many lines."""
        out = self.folder / "lines"
        self.evpipe(PRINT, OUT=str(out))
        paths, n = [], 0
        with open(out, "rb") as lines:
            while chunk := [line for _, line in zip(range(LINES), lines)]:
                n += len(chunk)
                paths.append(self.folder / f"body-{len(paths)}")
                paths[-1].write_bytes(gzip.compress(b"".join(chunk), 1))
        out.unlink()
        return paths, n

    def bare(self, server, bodies):
        words = subprocess.run([self.client, str(server.port), "/write?db=bench&precision=ns", *bodies], check=True, capture_output=True, text=True).stdout.split()
        return float(words[-2])


def measure(folder, build, log, pairs):
    """Points a second of the sink as parts of the bare client's, one for each pair; the bare client's; points."""
    bench = Bench(folder, build, log)
    bodies, points = bench.bodies()
    server = influx.Influx(Place(folder))
    try:
        ratios, rates = [], []
        for number in range(pairs):
            server.empty("bench")
            first = bench.bare(server, bodies) if number % 2 else bench.evpipe(SINK, URL=server.url)
            server.empty("bench")
            second = bench.evpipe(SINK, URL=server.url) if number % 2 else bench.bare(server, bodies)
            alone, sink = (first, second) if number % 2 else (second, first)
            ratios.append(alone / sink)
            rates.append(points / alone)
            stored = server.count("bench")
            if stored != points:
                raise RuntimeError(f"{stored} points are stored, not {points}")
        return ratios, sorted(rates)[len(rates) // 2], points
    finally:
        server.stop()
