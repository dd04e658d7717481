"""The sink influxdb against a bare client that sends the same bodies, gzipped alike, to the same influxd."""
import contextlib
import gzip
import http.client
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # free_port, wait_for

LINES = 5000
PIPELINE = """sources:
  app: {plugin: file, path: "${LOG}"}
filters:
  heap: {plugin: heap, from: app}
sinks:
  influx: {plugin: influxdb, from: heap, url: "http://127.0.0.1:PORT", database: DATABASE, batch: {max_items: 5000, max_delay: 10s}}
"""


@contextlib.contextmanager
def influxd(folder, port):
    root = pathlib.Path(folder, "influxd")
    config = pathlib.Path(folder, "influxd.conf")
    config.write_text(f"""reporting-disabled = true
bind-address = "127.0.0.1:{harness.free_port()}"
[meta]
  dir = "{root}/meta"
[data]
  dir = "{root}/data"
  wal-dir = "{root}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
""")
    server = subprocess.Popen(["influxd", "run", "-config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        harness.wait_for("influxd", lambda: answers(port), 60)
        yield
    finally:
        server.terminate()
        server.wait()


def answers(port):
    try:
        return request(port, "GET", "/ping") == 204
    except OSError:
        return False


def request(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def database(port, name):
    request(port, "POST", "/query?" + urllib.parse.urlencode({"q": f"DROP DATABASE {name}"}))
    request(port, "POST", "/query?" + urllib.parse.urlencode({"q": f"CREATE DATABASE {name}"}))


def bodies_of(folder, evpipe, plugins, log):
    """What the sink sends: the same lines, 5,000 in a body, compressed at the same level."""
    out = pathlib.Path(folder, "lines.txt")
    pipeline = pathlib.Path(folder, "lines.yaml")
    pipeline.write_text(PIPELINE.split("sinks:")[0] + f"sinks:\n  out: {{plugin: print, from: heap, format: influx, path: {out}}}\n")
    subprocess.run([evpipe, "-c", pipeline, "--log-level", "error"], check=True, env={**os.environ, "LOG": str(log), "EVPIPE_PLUGIN_PATH": str(plugins)})
    lines = out.read_bytes().splitlines(keepends=True)
    out.unlink()
    return [gzip.compress(b"".join(lines[at:at + LINES]), 1) for at in range(0, len(lines), LINES)], len(lines)


def bare(port, name, bodies):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    begin = time.monotonic()
    for body in bodies:
        connection.request("POST", f"/write?db={name}&precision=ns", body, {"Content-Encoding": "gzip"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 204, answer.status
    return time.monotonic() - begin


def sink(port, name, folder, evpipe, plugins, log):
    """Wall time from the first connection to the end."""
    pipeline = pathlib.Path(folder, "influx.yaml")
    pipeline.write_text(PIPELINE.replace("PORT", str(port)).replace("DATABASE", name))
    begin = time.monotonic()
    subprocess.run([evpipe, "-c", pipeline, "--log-level", "error"], check=True, env={**os.environ, "LOG": str(log), "EVPIPE_PLUGIN_PATH": str(plugins)})
    return time.monotonic() - begin


def measure(folder, evpipe, plugins, log, pairs):
    port = harness.free_port()
    bodies, points = bodies_of(folder, evpipe, plugins, log)
    ratios, rates = [], []
    with influxd(folder, port):
        for _ in range(pairs):
            database(port, "bench")
            alone = bare(port, "bench", bodies)
            database(port, "bench")
            ratios.append(alone / sink(port, "bench", folder, evpipe, plugins, log))
            rates.append(points / alone)
    return ratios, sorted(rates)[len(rates) // 2]
