#!/usr/bin/env python3
"""What the compose file of the example starts, without containers: the example program with the flags of its cabal file, evpipe with the
same pipeline and the same environment, a real InfluxDB that wants the same login. Only hosts, ports and folders are the test's own."""
import pathlib
import sys
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness
import compose
import dockerfile
import influx
import programs

FILE = harness.SOURCE / "dockerfiles" / "docker-compose-oddball-grafana.yml"
PIPELINE = harness.SOURCE / "config" / "compose.yaml"
SECONDS = 10  # from the start of all to the first bands in the database


class Stack(harness.Case):
    def setUp(self):
        super().setUp()
        self.program = programs.debian_13()
        services = compose.filled_in(compose.load(FILE))["services"]
        self.evpipe_environment, database = (services[name]["environment"] for name in ("evpipe", "influxdb"))
        self.login = database["INFLUXDB_ADMIN_USER"], database["INFLUXDB_ADMIN_PASSWORD"]
        self.database = database["INFLUXDB_DB"]
        self.path = self.folder / "ghc-eventlog.sock"
        self.control = self.folder / "control.sock"
        self.page, self.metrics = harness.free_port(), harness.free_port()

    def begin(self):
        self.influx = influx.Influx(self, self.login)
        own = {"GHC_EVENTLOG_UNIX_PATH": str(self.path), "EVPIPE_CONTROL": str(self.control), "INFLUXDB_URL": self.influx.url,
               "EVPIPE_DASHBOARD": f"127.0.0.1:{self.page}", "EVPIPE_PROMETHEUS": f"127.0.0.1:{self.metrics}"}
        self.process = self.evpipe(PIPELINE, environment={**self.evpipe_environment, **own})
        self.first = self.oddball()

    def oddball(self, name="oddball"):
        return self.start(self.program, name, directory=self.folder, environment={"GHC_EVENTLOG_UNIX_PATH": str(self.path)})

    def query(self, text):
        return self.influx.query(text, self.database)

    def get(self, port, path, host="localhost"):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": f"{host}:{port}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def bands(self):
        """The bands that were not 0 in the latest census that each of them was in."""
        found = self.query('SELECT last(value) FROM ghc_heap_census_bytes WHERE "service" = \'oddball\' GROUP BY band')
        return {series["tags"]["band"]: series["values"][0][1] for series in found}

    def wait(self, what, condition, seconds=SECONDS):
        return harness.wait_for(lambda: f"{what}; {self.process.err()[-2000:]}", condition, seconds)

    def test_whole(self):
        self.begin()
        self.wait("bands in InfluxDB", lambda: len(self.bands()) >= 10)
        self.assertIn("ghc-prim:GHC.Types.:", self.bands())
        self.check_database()
        self.check_page()
        self.check_metrics()
        self.check_health()
        self.check_restart()
        self.assertEqual(self.process.stop(), 0, self.process.err())
        self.check_sound(self.process)
        complaints = [line for line in self.process.err().splitlines() if harness.re.search(r" (warning|error) |dropped|rejected", line)]
        self.assertEqual([line for line in complaints if "elsewhere.example" not in line], [])

    def check_database(self):
        """Sizes, collections, markers, and evpipe itself; and nobody gets in without the login."""
        for name in ("ghc_heap_size_bytes", "ghc_heap_live_bytes", "ghc_heap_blocks_bytes", "ghc_heap_allocated_bytes_total"):
            self.wait(name, lambda name=name: self.query(f"SELECT last(value) FROM {name}"))
        self.wait("collections", lambda: self.query("SELECT last(count) FROM ghc_gc_pause_seconds"))
        self.wait("a marker", lambda: self.query("SELECT message FROM ghc_log WHERE kind = 'marker' AND message =~ /Summing [0-9]+ numbers/"))
        self.wait("evpipe itself", lambda: self.query("SELECT last(value) FROM evpipe_node_items_total"), 15)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{self.influx.url}/query?q=SHOW+DATABASES", timeout=10)
        self.assertEqual(refused.exception.code, 401)

    def check_page(self):
        self.assertIn("<html", self.get(self.page, "/"))
        self.assertIn("ok", self.get(self.page, "/livez"))
        program, = harness.json.loads(self.get(self.page, "/api/programs"))["programs"]
        self.assertEqual((program["service"], program["live"]), ("oddball", True))
        history = harness.json.loads(self.get(self.page, f"/api/history?program={program['id']}"))
        self.assertIn("ghc-prim:GHC.Types.:", [band["name"] for band in history["census"]["bands"]])

    def check_metrics(self):
        """By the name that Prometheus calls evpipe by; by no other."""
        text = self.get(self.metrics, "/metrics", "evpipe")
        for pattern in (r'ghc_heap_census_bytes\{.*band="ARR_WORDS".*service="oddball".*\} \d', r"ghc_gc_pause_seconds_count\{", r"evpipe_node_items_total\{"):
            self.assertRegex(text, pattern)
        with self.assertRaises(urllib.error.HTTPError):
            self.get(self.metrics, "/metrics", "elsewhere.example")

    def check_health(self):
        """The health check of the image, with this control socket."""
        _, _, command = dockerfile.stages(harness.SOURCE / "dockerfiles" / "Dockerfile.evpipe")[-1].last("HEALTHCHECK").partition("CMD ")
        folder = pathlib.Path(harness.EVPIPE).parent
        for control, healthy in ((self.control, True), (self.folder / "nobody", False)):
            check = self.start(["sh", "-c", command], "health", environment={"EVPIPE_CONTROL": str(control), "PATH": f"{folder}:{harness.os.environ['PATH']}"})
            self.assertEqual(check.wait() == 0, healthy, check.err())

    def check_restart(self):
        """The program is killed, and started again, as `restart` says: its points go on."""
        self.first.kill()
        self.wait_err(self.process, "ends without an end marker")
        latest = self.query("SELECT last(value) FROM ghc_heap_profiled_bytes")[0]["values"][0][0]
        self.oddball("again")
        self.wait("a census of the second run", lambda: self.query(f"SELECT value FROM ghc_heap_profiled_bytes WHERE time > {latest} AND value > 0"))


if __name__ == "__main__":
    harness.main()
