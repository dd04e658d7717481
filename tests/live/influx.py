"""A real InfluxDB 1.x of a test's own: free ports, data in the test's folder, ended by pid."""
import json
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request

import eventlog
import harness

CONFIGURATION = """
reporting-disabled = true
bind-address = "127.0.0.1:{backup_port}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
  max-series-per-database = 0
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
  auth-enabled = {authentication}
"""


def as_stored(point):
    """InfluxDB's line protocol has no way to write a backslash at the end of a tag's value, or before a blank, comma or equals
    sign in it: the sink writes one that looks the same (its page says so)."""
    labels = tuple((key, re.sub(r"\\(?=[ ,=]|$)", "\uff3c", text)) for key, text in point.labels)
    return point._replace(labels=labels)


class Influx:
    def __init__(self, case, login=None):
        """`case` has a folder, and start(arguments, name) for a program in it: a harness.Case. With a login, a user name and a password,
        it answers nobody else."""
        if not shutil.which("influxd"):
            harness.skip("influxd (Debian package influxdb) is not installed")
        self.case = case
        self.folder = case.folder / "influx"
        self.folder.mkdir()
        self.port = harness.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.configuration = self.folder / "influxdb.conf"
        self.login = dict(zip("up", login)) if login else {}
        self.configuration.write_text(CONFIGURATION.format(folder=self.folder, port=self.port, backup_port=harness.free_port(),
                                                           authentication=str(bool(login)).lower()))
        self.process = None
        self.start()
        if login:
            self.change(f"""CREATE USER "{login[0]}" WITH PASSWORD '{login[1]}' WITH ALL PRIVILEGES""")

    def start(self):
        self.process = self.case.start(["influxd", "run", "-config", self.configuration], "influxd")
        harness.wait_for(lambda: f"influxd to answer; its log ends with {self.process.err()[-500:]}", self.answers, 30)

    def stop(self):
        self.process.stop()

    def answers(self):
        try:
            return urllib.request.urlopen(self.url + "/ping", timeout=20).status == 204
        except OSError:
            return False

    def query(self, text, database="eventlog"):
        """The series of the answer; none if the database is not there yet."""
        arguments = urllib.parse.urlencode({"db": database, "epoch": "ns", "q": text, **self.login})
        with urllib.request.urlopen(f"{self.url}/query?{arguments}", timeout=60) as answer:
            result = json.load(answer)["results"][0]
        if "error" in result and "database not found" not in result["error"]:
            raise harness.Failed(result["error"])
        return result.get("series", [])

    def empty(self, database):
        """A database of that name with nothing in it."""
        for statement in ("DROP DATABASE", "CREATE DATABASE"):
            self.change(f'{statement} "{database}"')

    def change(self, statement):
        body = urllib.parse.urlencode({"q": statement, **self.login}).encode()
        with urllib.request.urlopen(f"{self.url}/query", body, timeout=60) as answer:
            answer.read()

    def count(self, database):
        """All points in it."""
        return sum(series["values"][0][1] for series in self.query("SELECT count(value) FROM /.*/", database))

    def points(self, names, service=None):
        """All points of the measurements, with `service` taken off the tags; only those of that service if it is given."""
        found = []
        for name in names:
            for series in self.query(f'SELECT value FROM "{name}" GROUP BY *'):
                tags = {key: text for key, text in series["tags"].items() if text}
                if tags.pop("service", None) != service and service is not None:
                    continue
                labels = tuple(sorted(tags.items()))
                found += [eventlog.Point(name, labels, time, value) for time, value in series["values"]]
        return found

    def histograms(self, name, service):
        """All points of that measurement and service, each value as eventlog.buckets_of() has it, the number of all last."""
        found = []
        for series in self.query(f'SELECT * FROM "{name}" WHERE service = \'{service}\' GROUP BY *'):
            labels = tuple(sorted((key, text) for key, text in series["tags"].items() if text and key != "service"))
            for row in series["values"]:
                fields = dict(zip(series["columns"], row))
                time, count, total = fields.pop("time"), fields.pop("count"), fields.pop("sum")
                below = tuple(number for _, number in sorted((float(bound), number) for bound, number in fields.items()))
                found.append(eventlog.Point(name, labels, time, (count, total, (*below, count))))
        return found
