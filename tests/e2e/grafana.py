"""The Grafana dashboards of config/grafana, and their queries as Grafana sends them.

A query has macros ($timeFilter, $__interval, $__rate_interval) and template variables. What Grafana puts in their place depends on
the data source: InfluxQL's are made regular expressions, PromQL's are escaped for its strings, too. "All" of a variable is its `allValue`.
"""
import dataclasses
import json
import re
import subprocess
import time

import harness

FOLDER = harness.SOURCE / "config" / "grafana"
BUILT_IN = "-- Grafana --"


@dataclasses.dataclass
class Query:
    where: str  # for people: dashboard, panel, letter
    kind: str  # of the data source
    text: str
    form: str  # table, time_series, heatmap; variable, annotation
    target: dict


class Dashboard:
    def __init__(self, path):
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.json = json.loads(self.text)
        self.title, self.uid = self.json["title"], self.json["uid"]

    @property
    def panels(self):
        return self.json["panels"]

    @property
    def variables(self):
        return self.json["templating"]["list"]

    @property
    def annotations(self):
        return [annotation for annotation in self.json["annotations"]["list"] if annotation["datasource"]["uid"] != BUILT_IN]

    def panel(self, title):
        panel, = [panel for panel in self.panels if panel["title"] == title]
        return panel

    def query(self, where, target):
        kind = target["datasource"]["type"]
        form = target["resultFormat"] if kind == "influxdb" else target["format"]
        return Query(f"{self.title}: {where}", kind, target["query" if kind == "influxdb" else "expr"], form, target)

    def panel_queries(self):
        for panel in self.panels:
            for target in panel.get("targets", []):
                yield self.query(f"{panel['title']} {target['refId']}", target)

    def annotation_queries(self):
        for annotation in self.annotations:
            yield Query(f"{self.title}: annotation {annotation['name']}", annotation["datasource"]["type"],
                        annotation.get("query") or annotation["expr"], "annotation", annotation)


def dashboards(kind=None):
    found = [Dashboard(path) for path in sorted((FOLDER / "dashboards").glob("*.json"))]
    return [dashboard for dashboard in found if kind is None or kind in dashboard.json["tags"]]


def read_yaml(path):
    """A YAML file as evpipe reads one; ends the test if that reader is not built."""
    reader = harness.BUILD / "tests" / "config" / "tree_to_json"
    if not reader.exists():
        harness.skip("tests/config/tree_to_json is not built")
    return json.loads(subprocess.run([reader, path], capture_output=True, check=True).stdout)


def provisioned(part):
    """The files of one part of the provisioning (datasources, dashboards)."""
    return [read_yaml(path) for path in sorted((FOLDER / "provisioning" / part).glob("*.yml"))]


# ------------------------------------------------------------------------------------------------------------- interpolation


def escaped_for_influxql(value):
    return re.sub(r"[\\^$*+?.()|\[\]{}/]", r"\\\g<0>", value)


def escaped_for_promql(value):
    """For a regular expression within a string: a backslash of the expression is two in the string."""
    return re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value.replace("\\", "\\\\\\\\"))


def in_promql_string(value):
    return value.replace("\\", "\\\\").replace("'", "\\\\'")


class Interpolation:
    """What Grafana puts in place of macros and variables, for one kind of data source, a time range and chosen values."""

    def __init__(self, kind, minutes=15, interval="1s", rate_interval="20s"):
        self.kind = kind
        self.end = time.time()
        self.begin = self.end - minutes * 60
        self.macros = {"timeFilter": f"time >= {int(self.begin * 1000)}ms and time <= {int(self.end * 1000)}ms", "__interval": interval,
                       "__interval_ms": str(int(float(interval[:-1]) * 1000)), "__rate_interval": rate_interval}
        self.variables = {}

    def choose(self, variable, value):
        """`value`: a text, a list of several, or None for "All"."""
        if value is None:
            text = variable["allValue"]
        elif self.kind == "influxdb":
            text = escaped_for_influxql(value) if isinstance(value, str) else "(" + "|".join(map(escaped_for_influxql, value)) + ")"
        elif not variable["multi"] and not variable["includeAll"]:
            text = in_promql_string(value)
        else:
            parts = [escaped_for_promql(part) for part in ([value] if isinstance(value, str) else value)]
            text = parts[0] if len(parts) == 1 else "(" + "|".join(parts) + ")"
        self.variables[variable["name"]] = text

    def __call__(self, text):
        def value(match):
            name = match.group(1)
            known = {**self.macros, **self.variables}
            if name not in known:
                raise harness.Failed(f"${name} is no macro and no variable of the dashboard: {text}")
            return known[name]
        return re.sub(r"\$(\w+)", value, text)
