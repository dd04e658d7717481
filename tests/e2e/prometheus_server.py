"""A real Prometheus for tests: started on a free port with one job, asked in PromQL. Skips the test where there is none."""
import json
import shutil
import textwrap
import urllib.parse
import urllib.request

import harness


class Prometheus:
    """`more` is YAML of the scrape config, indented by nothing."""

    def __init__(self, case, target, more="", interval="500ms"):
        if not shutil.which("prometheus"):
            harness.skip("prometheus is not installed")
        self.port = harness.free_port()
        folder = case.folder / f"prometheus-{self.port}"
        folder.mkdir()
        config = folder / "prometheus.yml"
        config.write_text(textwrap.dedent(f"""\
            global: {{scrape_interval: {interval}, scrape_timeout: {interval}}}
            scrape_configs:
              - job_name: evpipe
                static_configs: [{{targets: ["{target}"]}}]
            """) + textwrap.indent(textwrap.dedent(more), "    "), encoding="utf-8")
        self.process = case.start(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{self.port}"],
                                  f"prometheus-{self.port}")

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=20 * harness.PATIENCE) as answer:
                return json.load(answer)["data"]
        except OSError:
            if not self.process.running():
                raise harness.Failed(f"prometheus has ended: {self.process.err()[-2000:]}") from None
            return None

    def query(self, promql):
        """{labels but job and instance, as a frozenset: value as text}"""
        data = self.get("/api/v1/query", query=promql) or {"result": []}
        return {frozenset((key, text) for key, text in item["metric"].items() if key not in ("job", "instance")): item["value"][1] for item in data["result"]}

    def value(self, promql):
        """Of a query with one result; None without."""
        values = list(self.query(promql).values())
        return float(values[0]) if len(values) == 1 else None

    def target(self):
        targets = (self.get("/api/v1/targets") or {"activeTargets": []})["activeTargets"]
        return targets[0] if targets else {}

    def wait_up(self):
        """The first scrape comes 4.5 s after the start."""
        harness.wait_for(lambda: f"a scrape: {self.target()}", lambda: self.target().get("health") == "up", 30)

    def wait_value(self, promql, wanted, seconds=20):
        harness.wait_for(lambda: f"{promql} to be {wanted}: it is {self.query(promql)}", lambda: self.value(promql) == wanted, seconds)
