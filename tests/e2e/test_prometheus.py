"""The sink prometheus: its formats by promtool and by a real Prometheus, its numbers against those of `print`, and what becomes of
series over reconnects and restarts of the program."""
import contextlib
import http.client
import re
import shutil
import socket
import struct
import subprocess
import threading
import time

import harness  # first: it finds the other modules

import eventlog_writer as writer
from back_ends import Prometheus

OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def samples(text):
    """{(name, frozenset of labels): value as text}; fails on what is no sample, and on what is there twice."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        assert match, line
        labels = match.group(2) or ""
        assert LABEL.sub("", labels) == "", line
        pairs = frozenset((key, re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found.group(1), found.group(1)), value)) for key, value in LABEL.findall(labels))
        assert (match.group(1), pairs) not in found, line
        found[match.group(1), pairs] = match.group(3)
    return found


class Program:
    """A live program that says what its heap is: a server on a Unix socket, as eventlog-socket, whose clients get what is said."""

    def __init__(self, path):
        self.path, self.client, self.log = path, None, None
        self.allocated = self.collections = 0
        self.epoch = time.time_ns()
        self.taken = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            log = writer.Log()
            log.types.update({49: 12, 50: 12})
            log.epoch = self.epoch
            log.init(breakdown=3)
            client.sendall(log.data(end=False))
            self.client = client
            self.taken.set()

    def say(self, *records):
        log = writer.Log()
        log.time = time.time_ns() - self.epoch
        log.records = [struct.pack(">HQ", number, log.time) + payload for number, payload in records]
        log.block(0)
        self.client.sendall(log.blocks[0])

    def allocate(self, size):
        self.allocated += size
        self.say((49, struct.pack(">IQ", 0, self.allocated)))

    def census(self, **bands):
        log = writer.Log()
        log.census(time.time_ns() - self.epoch, list(bands.items()))
        log.block()
        self.client.sendall(log.blocks[0])

    def hang_up(self):
        self.taken.clear()
        self.client.close()

    def restart(self):
        """Another process: it counts from 0, and its clock is another one."""
        self.allocated = 0
        self.epoch = time.time_ns()
        self.hang_up()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # closing alone would leave accept() waiting, and listening
        self.listener.close()
        if self.client:
            self.client.close()


class PrometheusCase(harness.Case):
    def start_sink(self, config, **values):
        process = self.evpipe(harness.copies(config, **values))
        self.port = int(self.wait_err(process, r"listens on https?://\S+:(\d+)").group(1))
        return process

    def scrape(self, accept=None):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20 * harness.PATIENCE)) as connection:
            connection.request("GET", "/metrics", headers={"Accept": accept} if accept else {})
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200)
            return answer.getheader("Content-Type"), answer.read().decode()

    def values(self):
        return samples(self.scrape()[1])

    def value(self, name, **labels):
        return self.values().get((name, frozenset(labels.items())))

    def wait_value(self, wanted, name, **labels):
        harness.wait_for(lambda: f"{name} {labels} to be {wanted}; there is:\n{self.scrape()[1]}", lambda: self.value(name, **labels) == wanted)

    def lint(self, text):
        if not shutil.which("promtool"):
            harness.skip("promtool is not installed")
        checked = subprocess.run(["promtool", "check", "metrics"], input=text.encode(), capture_output=True, check=False)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, b""), text[:2000])

    def end(self, process):
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)


class RealLogs(PrometheusCase):
    """Every log that the repository brings, each through a source of its own, at once."""

    def start_all(self):
        logs = sorted(harness.DATA.glob("*.eventlog"))
        names = [re.sub("[^a-z0-9]", "-", "a" + log.stem.lower()) for log in logs]
        sources = "".join(f"  {name}: {{plugin: socket, unix: {self.replay(log, '--now', '--end', 'hold', name=name).path}}}\n" for name, log in zip(names, logs))
        every = ", ".join(names)
        return names, self.start_sink(f"sources:\n  self: {{plugin: internal}}\n{sources}filters:\n  heap: {{plugin: heap, from: [{every}]}}\n  gc: {{plugin: gc, from: [{every}]}}\n"
                                      "sinks:\n  page: {plugin: prometheus, from: [self, heap, gc], listen: '127.0.0.1:0'}\n")

    def test_lint_and_both_formats(self):
        names, process = self.start_all()
        for server in self.processes:
            if server != process:
                self.wait_err(server, "end of the log")

        def ghc(text):
            return {key: value for key, value in samples(text).items() if key[0].startswith("ghc_")}

        def both():
            """When nothing of what the logs brought changes any more between the one and the other."""
            text, metrics = self.scrape()[1], self.scrape(OPEN)[1]
            ours = ghc(text)
            return len({dict(labels)["service"] for _, labels in ours}) >= len(names) - 1 and ours == ghc(metrics) and (text, metrics)
        text, metrics = harness.wait_for("a heap of each, and the same values in both formats", both)
        self.assertEqual([self.scrape(accept)[0] for accept in (None, OPEN)], [TEXT, OPEN])
        self.lint(text)
        self.assertTrue(metrics.endswith("\n# EOF\n"))
        self.assertIn("# UNIT ghc_heap_size_bytes bytes\n", metrics)
        self.assertIn("# TYPE ghc_heap_allocated_bytes counter\n", metrics)
        self.assertGreater(len(ghc(text)), 300)
        self.check_histograms(ghc(text))
        self.end(process)

    def check_histograms(self, found):
        checked = 0
        for (name, labels), value in found.items():
            if not name.endswith("_bucket"):
                continue
            rest = frozenset(pair for pair in labels if pair[0] != "le")
            if dict(labels)["le"] == "+Inf":
                self.assertEqual(found[name[:-7] + "_count", rest], value)
                bounds = sorted((float(dict(other)["le"]), int(count)) for (same, other), count in found.items()
                                if same == name and frozenset(pair for pair in other if pair[0] != "le") == rest)
                self.assertEqual([count for _, count in bounds], sorted(count for _, count in bounds))
                self.assertEqual(len(bounds), 15)
                self.assertLessEqual(0, float(found[name[:-7] + "_sum", rest]))
                checked += 1
        self.assertGreater(checked, 3)

    def test_numbers_are_those_of_print(self):
        """The last value of each series that `print` has is what is shown, and nothing else is."""
        for log in ("oddball-966-hT.eventlog", "prof-966-hc.eventlog", "par-966-N3-qg.eventlog"):
            with self.subTest(log):
                printed = self.run_evpipe(f"sources:\n  app: {{plugin: file, path: {harness.eventlog(log)}}}\nfilters:\n  heap: {{plugin: heap, from: app}}\n  gc: {{plugin: gc, from: app}}\n"
                                          "sinks:\n  out: {plugin: print, from: [heap, gc], format: json}\n")
                self.assertEqual(printed[0], 0, printed[2])
                wanted = {}
                for item in harness.json_lines(printed[1]):
                    if item.get("name", "").startswith("ghc_") and not isinstance(item["value"], dict) and item["name"] != "ghc_program_info":
                        wanted[item["name"], frozenset(item["labels"].items())] = item["value"]
                server = self.replay(harness.eventlog(log), "--end", "close", name=log)  # the end of the log is the end of the stream, for print as for us
                process = self.start_sink("sources:\n  app: {plugin: socket, unix: {{path}}, reconnect: {initial: 1h, max: 1h}}\nfilters:\n  heap: {plugin: heap, from: app}\n"
                                          "  gc: {plugin: gc, from: app}\nsinks:\n  page: {plugin: prometheus, from: [heap, gc], listen: '127.0.0.1:0', linger: 1h}\n", path=server.path)

                def shown():
                    return {key: float(value) for key, value in self.values().items() if not re.search("_(bucket|sum|count)$", key[0]) and key[0] != "ghc_program_info"}
                self.assertGreater(len(wanted), 10)
                harness.wait_for(lambda: f"the values of print: {set(shown().items()) ^ set(wanted.items())}", lambda: shown() == wanted)
                self.end(process)


class Series(PrometheusCase):
    PIPELINE = """
    sources:
      app: {plugin: socket, unix: {{path}}, reconnect: {initial: 20ms, max: 20ms}}
      self: {plugin: internal, interval: 500ms}
    filters:
      heap: {plugin: heap, from: app}
    sinks:
      page:
        plugin: prometheus
        from: [heap, self]
        listen: 127.0.0.1:0
        linger: {{linger}}
        {{more}}
    """

    def program(self, name="app"):
        program = Program(self.folder / f"{name}.sock")
        self.addCleanup(program.close)
        return program

    def pipeline(self, program, linger=f"{2 * harness.PATIENCE:g}s", more=""):
        process = self.start_sink(self.PIPELINE, path=program.path, linger=linger, more=more)
        self.assertTrue(program.taken.wait(60 * harness.PATIENCE))
        return process

    def test_a_real_prometheus_over_a_reconnect_and_a_restart(self):
        """What GHC counts goes on over a reconnect and begins anew with a new process; no series is there twice; what ends, leaves."""
        program = self.program()
        process = self.pipeline(program)
        prometheus = Prometheus(self, [f"127.0.0.1:{self.port}"])
        allocated = 'ghc_heap_allocated_bytes_total{service="app"}'
        program.allocate(1000)
        program.census(LIST=500, TREE=77)
        prometheus.wait_up()
        prometheus.wait_value(allocated, 1000)
        prometheus.wait_value('ghc_heap_census_bytes{band="LIST"}', 500)
        prometheus.wait_value("ghc_heap_profiled_bytes", 577)
        prometheus.wait_value('ghc_program_info{program="program",pid="4711"}', 1)
        metadata = {item["metric"]: item for item in prometheus.get("/api/v1/targets/metadata")["data"]}
        self.assertEqual((metadata["ghc_heap_census_bytes"]["type"], metadata["ghc_heap_census_bytes"]["unit"]), ("gauge", "bytes"))  # OpenMetrics
        self.assertEqual(metadata["ghc_heap_allocated_bytes"]["type"], "counter")

        program.census(LIST=400)  # TREE vanishes: 0, then gone
        prometheus.wait_value('min_over_time(ghc_heap_census_bytes{band="TREE"}[5m])', 0)
        harness.wait_for("the band to leave", lambda: not prometheus.values('ghc_heap_census_bytes{band="TREE"}'), 20)
        prometheus.wait_value('ghc_heap_census_bytes{band="LIST"}', 400)

        program.hang_up()  # a reconnect to the same process
        self.assertTrue(program.taken.wait(60 * harness.PATIENCE))
        program.allocate(500)
        prometheus.wait_value(allocated, 1500)
        prometheus.wait_value(f"resets({allocated}[5m])", 0)
        self.assertLess(prometheus.value("max_over_time(evpipe_source_connected{node=\"app\"}[1m])"), 2)
        prometheus.wait_value('evpipe_source_connects_total{node="app"}', 2)

        program.restart()
        self.assertTrue(program.taken.wait(60 * harness.PATIENCE))
        program.allocate(300)
        prometheus.wait_value(allocated, 300)
        prometheus.wait_value(f"resets({allocated}[5m])", 1)
        self.assertEqual(len(prometheus.values(f"count_over_time({allocated}[5m])")), 1)

        program.close()
        ours = '{__name__=~"ghc_.*"}'
        harness.wait_for(lambda: f"the program to leave: {prometheus.values(ours)}; shown:\n{self.scrape()[1]}", lambda: not prometheus.values(ours))
        prometheus.wait_up()
        self.assertEqual(prometheus.values("evpipe_node_dropped_items_total"), {})
        self.end(process)

    def test_what_evpipe_counts_begins_again(self):
        """The collections of a program that is connected to again and again, 8 s of log in 2 s: Prometheus sees that they begin at 0, and adds up."""
        server = self.replay(harness.OWN_LOG, "--now", "--pace", "4x", "--end", "close")
        process = self.start_sink("""
        sources:
          app: {plugin: socket, unix: {{path}}, reconnect: {initial: 20ms, max: 20ms}}
        filters:
          gc: {plugin: gc, from: app}
        sinks:
          page: {plugin: prometheus, from: gc, listen: "127.0.0.1:0"}
        """, path=server.path)
        prometheus = Prometheus(self, [f"127.0.0.1:{self.port}"], more="scrape_interval: 500ms\nscrape_timeout: 500ms")
        prometheus.wait_up()
        counter = 'ghc_gc_total{generation="0"}'
        harness.wait_for(lambda: f"two new beginnings: {prometheus.values(counter + '[1m]')}", lambda: (prometheus.value(f"resets({counter}[1m])") or 0) >= 2)
        # A scrape sees a part of each round, on a busy machine a small one; but they add up.
        harness.wait_for("more than there are in one round", lambda: (prometheus.value(f"increase({counter}[1m])") or 0) > 235)
        self.assertLessEqual(prometheus.value(f"max_over_time({counter}[1m])"), 235)
        harness.wait_for("the pauses", lambda: prometheus.value('ghc_gc_pause_seconds_count{generation="0"}') == prometheus.value(counter))
        self.assertEqual(len(prometheus.values('histogram_quantile(0.9, rate(ghc_gc_pause_seconds_bucket{generation="0"}[1m]))')), 1)
        self.end(process)

    def test_credentials_and_tls_of_a_real_prometheus(self):
        if not shutil.which("openssl"):
            harness.skip("openssl is not installed")
        certificate, key = self.folder / "c.pem", self.folder / "k.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=x", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], capture_output=True, check=True)
        program = self.program()
        process = self.pipeline(program, more=f"tls: {{cert_file: {certificate}, key_file: {key}}}\n    basic: {{username: me, password: hunter2}}")
        program.allocate(4711)
        prometheus = Prometheus(self, [f"127.0.0.1:{self.port}"], more=f"""
            scheme: https
            tls_config: {{ca_file: {certificate}}}
            basic_auth: {{username: me, password: hunter2}}
            """)
        prometheus.wait_up()
        prometheus.wait_value("ghc_heap_allocated_bytes_total", 4711)
        self.end(process)

    def test_a_program_that_was_short_is_seen(self):
        """Its last values wait for a scrape, and those who come within `linger` see them, too."""
        program = self.program()
        process = self.pipeline(program, linger="1h")
        program.allocate(123)
        program.hang_up()
        program.close()
        for _ in range(3):
            self.wait_value("123", "ghc_heap_allocated_bytes_total", service="app", capability="0")
        self.end(process)

    def test_without_linger_one_scrape_sees_the_end(self):
        program = self.program()
        process = self.pipeline(program, linger="0s")
        program.census(A=1, B=2)
        self.wait_value("2", "ghc_heap_census_bytes", service="app", band="B", breakdown="closure")
        program.census(A=5)
        seen = []
        harness.wait_for("the band to leave", lambda: seen.append(self.value("ghc_heap_census_bytes", service="app", band="B", breakdown="closure")) or seen[-1] is None)
        self.assertEqual(seen.count("0"), 1, seen)
        self.end(process)

    def test_several_programs(self):
        """Two with names of their own are apart; of two that are called the same the first is shown, and it is said."""
        first, second, third = self.program("first"), self.program("second"), self.program("third")
        process = self.start_sink("""
        sources:
          first: {plugin: socket, unix: {{folder}}/first.sock}
          second: {plugin: socket, unix: {{folder}}/second.sock, reconnect: {initial: 1h, max: 1h}}
          third: {plugin: socket, unix: {{folder}}/third.sock, labels: {service: second}}
          self: {plugin: internal, interval: 500ms}
        filters:
          heap: {plugin: heap, from: [first, second, third]}
        sinks:
          page: {plugin: prometheus, from: [heap, self], listen: "127.0.0.1:0", linger: 0s}
        """, folder=self.folder)
        for program in (first, second, third):
            self.assertTrue(program.taken.wait(60 * harness.PATIENCE))
        first.allocate(1)
        second.allocate(2)
        self.wait_value("1", "ghc_heap_allocated_bytes_total", service="first", capability="0")
        self.wait_value("2", "ghc_heap_allocated_bytes_total", service="second", capability="0")
        third.allocate(30)
        self.wait_err(process, "two streams at once, or two nodes of one, have a series 'ghc_.*' with the same labels")
        second.allocate(20)
        self.wait_value("22", "ghc_heap_allocated_bytes_total", service="second", capability="0")
        harness.wait_for("the loss to be counted", lambda: int(self.value("evpipe_node_dropped_items_total", node="page", reason="duplicate", service="self") or 0) > 0)
        second.hang_up()
        harness.wait_for("its series to leave", lambda: self.value("ghc_heap_allocated_bytes_total", service="second", capability="0") is None)
        third.allocate(3)
        self.wait_value("33", "ghc_heap_allocated_bytes_total", service="second", capability="0")
        self.end(process)

    def test_two_nodes_that_make_the_same(self):
        """Two heap filters of one program: the bands are those of one of them, not of both."""
        program = self.program("app")
        process = self.start_sink("""
        sources:
          app: {plugin: socket, unix: {{folder}}/app.sock}
        filters:
          few: {plugin: heap, from: app, top: 2}
          all: {plugin: heap, from: app}
        sinks:
          page: {plugin: prometheus, from: [few, all], listen: "127.0.0.1:0"}
        """, folder=self.folder)
        self.assertTrue(program.taken.wait(60 * harness.PATIENCE))
        program.census(A=80, B=40, C=24, D=16)
        self.wait_err(process, "two nodes of one, have a series")

        def bands():
            return [int(value) for (name, _), value in self.values().items() if name == "ghc_heap_census_bytes"]
        harness.wait_for("the bands", bands)
        self.assertIn(sorted(bands()), ([40, 40, 80], [16, 24, 40, 80]))
        self.end(process)

    def test_too_many_series(self):
        program = self.program()
        process = self.pipeline(program, more="max_series: 300")
        program.census(**{f"band{i}": i + 1 for i in range(1000)})
        self.wait_err(process, "more series than max_series: 'ghc_heap_census_bytes' and others are left out")
        harness.wait_for("the loss to be counted", lambda: int(self.value("evpipe_node_dropped_items_total", node="page", reason="max_series", service="self") or 0) >= 700
                         or len(self.values()) == 300)
        self.assertLessEqual(len(self.values()), 300)
        self.assertEqual(process.err().count("more series than"), 1)
        self.end(process)

    def test_labels_are_escaped(self):
        program = self.program()
        process = self.pipeline(program)
        program.census(**{'a"b\\c\nd{e},f="g"': 5})
        harness.wait_for("the band", lambda: any('a"b\\c' in dict(labels).get("band", "") for _, labels in self.values()))
        self.lint(self.scrape()[1])
        self.end(process)


class Recipe(PrometheusCase):
    def test_in_a_container(self):
        """As another container would scrape it: by a name, at an address that is not of the loopback."""
        server = self.replay(harness.OWN_LOG, "--now", "--end", "hold")
        process = self.evpipe(harness.SOURCE / "config" / "prometheus.yaml", environment={
            "GHC_EVENTLOG_UNIX_PATH": str(server.path), "EVPIPE_SERVICE": "oddball", "EVPIPE_PROMETHEUS": "0.0.0.0:0", "EVPIPE_ALLOW_REMOTE": "true", "EVPIPE_HOST": "evpipe"})
        self.port = int(self.wait_err(process, r"listens on http://0.0.0.0:(\d+)").group(1))
        harness.wait_for("the census", lambda: any(name == "ghc_heap_census_bytes" and ("service", "oddball") in labels for name, labels in self.values()))
        harness.wait_for("the pauses", lambda: any(name == "ghc_gc_pause_seconds_bucket" for name, _ in self.values()))
        self.lint(self.scrape()[1])
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            for host, status in (("evpipe:9464", 200), ("other:9464", 421)):
                connection.request("GET", "/metrics", headers={"Host": host})
                answer = connection.getresponse()
                answer.read()
                self.assertEqual(answer.status, status)
        self.end(process)


if __name__ == "__main__":
    harness.main()
