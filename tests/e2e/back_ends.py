"""A real Prometheus, and a real VictoriaMetrics, of a test's own: free ports, data in the test's folder, ended by pid.

VictoriaMetrics is not installed for it: the Debian package is fetched into a folder that is kept (EVPIPE_CACHE).
"""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import textwrap
import urllib.error
import urllib.parse
import urllib.request

import harness

CACHE = pathlib.Path(os.environ.get("EVPIPE_CACHE") or harness.BUILD / "test-cache")
SCRAPE = """
global: {scrape_interval: 1s, scrape_timeout: 900ms}
scrape_configs:
- job_name: evpipe
  static_configs:
  - targets: [%s]
"""


class PromQL:
    """What Prometheus and those that speak its API have in common."""

    path = ""

    def get(self, path, **arguments):
        text = urllib.parse.urlencode(arguments, doseq=True)
        try:
            with urllib.request.urlopen(f"{self.url}{path}?{text}", timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise harness.Failed(f"{path} {arguments}: HTTP {error.code}: {error.read().decode()}") from None

    def answers(self):
        try:
            return urllib.request.urlopen(self.url + self.ready, timeout=20).status == 200
        except OSError:
            return False

    def start(self, case, arguments, name):
        self.process = case.start(arguments, name)
        harness.wait_for(lambda: f"{name} to answer; its log ends with {self.process.err()[-500:]}", self.answers)

    def instant(self, query):
        return self.get("/api/v1/query", query=query)["data"]["result"]

    def values(self, query):
        """{labels without job and instance, as a frozenset: the value as a text}"""
        return {frozenset((key, text) for key, text in series["metric"].items() if key not in ("job", "instance")): series["value"][1] for series in self.instant(query)}

    def value(self, query):
        """Of a query with one result; None without."""
        values = list(self.values(query).values())
        return float(values[0]) if len(values) == 1 else None

    def wait_value(self, query, wanted, seconds=20):
        harness.wait_for(lambda: f"{query} to be {wanted}: it is {self.values(query)}", lambda: self.value(query) == wanted, seconds)

    def range(self, query, begin, end, step):
        return self.get("/api/v1/query_range", query=query, start=begin, end=end, step=step)["data"]["result"]

    def label_values(self, label, series, begin, end):
        return self.get(f"/api/v1/label/{label}/values", **{"match[]": series, "start": begin, "end": end})["data"]

    def wait_scraped(self, targets):
        """Until each target was scraped with success, twice at least."""
        harness.wait_for(lambda: f"scrapes of {targets}: {self.instant('up')}; {self.process.err()[-1000:]}",
                         lambda: sum(float(series["value"][1]) >= 2 for series in self.instant("sum_over_time(up[1m])")) == targets, 30)


class Prometheus(PromQL):
    ready = "/-/ready"

    def __init__(self, case, targets, more=""):
        """`more`: lines of the scrape configuration."""
        if not shutil.which("prometheus"):
            harness.skip("prometheus (Debian package prometheus) is not installed")
        configuration = case.folder / "prometheus.yml"
        configuration.write_text(SCRAPE % ", ".join(targets) + textwrap.indent(textwrap.dedent(more), "  "))
        port = harness.free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.start(case, ["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={case.folder}/prometheus",
                          f"--web.listen-address=127.0.0.1:{port}"], "prometheus")


    def target(self):
        """What it says of the only one; empty until it knows of it."""
        targets = self.get("/api/v1/targets")["data"]["activeTargets"]
        return targets[0] if targets else {}

    def wait_up(self):
        """The first scrape comes 4.5 s after the start."""
        harness.wait_for(lambda: f"a scrape: {self.target()}", lambda: self.target().get("health") == "up")


class VictoriaMetrics(PromQL):
    ready = "/health"

    def __init__(self, case, targets):
        program = victoria_metrics()
        configuration = case.folder / "scrape.yml"
        configuration.write_text(SCRAPE % ", ".join(targets))
        port = harness.free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.start(case, [program, f"-storageDataPath={case.folder}/victoria", f"-httpListenAddr=127.0.0.1:{port}", "-search.latencyOffset=0s",
                          "-memory.allowedBytes=256MB", f"-promscrape.config={configuration}"], "victoria-metrics")


def victoria_metrics():
    """The program, fetched from Debian without being installed."""
    if shutil.which("victoria-metrics"):
        return "victoria-metrics"
    folder = CACHE / "victoria-metrics"
    program = folder / "usr" / "bin" / "victoria-metrics"
    if not program.exists():
        if not shutil.which("apt-get"):
            harness.skip("victoria-metrics is not installed, and this is no Debian to fetch it from")
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as fresh:
            got = subprocess.run(["apt-get", "-q", "download", "victoria-metrics"], cwd=fresh, capture_output=True, text=True, check=False, timeout=120)
            packages = list(pathlib.Path(fresh).glob("*.deb"))
            if got.returncode or not packages:
                harness.skip(f"victoria-metrics could not be fetched: {got.stderr.strip()[-300:]}")
            subprocess.run(["dpkg", "-x", packages[0], f"{fresh}/root"], check=True)
            pathlib.Path(fresh, "root").replace(folder)
    return str(program)
