"""The sink influxdb against a server that answers from a script: each answer, what arrived, what was counted, what was said.

What should arrive is what the sink `print` writes as line protocol in the same run.
"""
import collections
import datetime
import email.utils
import shutil
import signal
import subprocess

import harness
from http_backend import Answer, HttpBackend, split_lines

PIPELINE = """
shutdown_timeout: {{shutdown}}
sources:
  app:
    plugin: file
    path: {{log}}
filters:
  heap:
    plugin: heap
    from: app
  logs:
    plugin: logs
    from: app
sinks:
  expected:
    plugin: print
    from: [heap, logs]
    format: influx
    path: {{folder}}/expected
  influx:
    plugin: influxdb
    from: [heap, logs]
    url: {{url}}
    {{target}}
    timeout: {{timeout}}
    batch: {max_items: {{items}}, max_delay: 100ms}
    retry: {initial: 20ms, max: 100ms}
    {{more}}
"""

ALL = 2242  # points and logs that are made of the log


class InfluxdbCase(harness.Case):
    def backend(self, script=(), **more):
        backend = HttpBackend(script, **more)
        self.addCleanup(backend.close)
        return backend

    def pipeline(self, url, target="database: ev", more="", timeout="1h", items=400, shutdown="1h"):
        return harness.copies(PIPELINE, log=harness.OWN_LOG, folder=self.folder, url=url, target=target, more=more, timeout=timeout,
                              items=items, shutdown=shutdown)

    def run_against(self, backend, status=0, **more):
        """Runs to the end; returns what was said."""
        got, _, err = self.run_evpipe(self.pipeline(backend.url, **more))
        self.assertEqual(got, status, err)
        return err

    def end_at_once(self, process):
        """The first signal only says that nobody wants to wait for ever, the second one that nobody wants to wait."""
        harness.wait_for("its end after a second signal", lambda: not process.running() or process.send(signal.SIGTERM))
        self.assertEqual(process.wait(), 1, process.err())
        self.assertIn("a second signal came: what is not delivered is dropped", process.err())
        self.check_sound(process)

    def expected(self):
        return split_lines((self.folder / "expected").read_text(encoding="utf-8"))

    def check_all_once(self, backend):
        self.assertGreater(len(self.expected()), 1500)
        self.assertEqual(collections.Counter(backend.lines()), collections.Counter(self.expected()))


class Answers(InfluxdbCase):
    def test_all_is_well(self):
        backend = self.backend()
        self.run_against(backend)
        self.check_all_once(backend)
        self.assertEqual(backend.connections, 1)  # kept open
        for request in backend.requests:
            self.assertEqual((request.method, request.path), ("POST", "/write"))
            self.assertEqual(request.query, {"db": "ev", "precision": "ns"})
            self.assertTrue(request.gzip)
            self.assertNotIn("authorization", request.headers)
            self.assertLessEqual(len(split_lines(request.body.decode())), 400 + 256)

    def test_options_of_api_1(self):
        backend = self.backend()
        err = self.run_against(backend, target="database: my db\n    retention_policy: a&b\n    username: me\n    password: hunter2",
                               more="compression: none")
        self.check_all_once(backend)
        self.assertEqual(backend.requests[0].query, {"db": "my db", "rp": "a&b", "precision": "ns"})
        self.assertEqual(backend.requests[0].login, "me:hunter2")
        self.assertFalse(backend.requests[0].gzip)
        self.assertNotIn("hunter2", err)

    def test_options_of_api_2(self):
        backend = self.backend()
        err = self.run_against(backend, target="api: 2\n    org: o\n    bucket: b\n    token: s3cret")
        self.check_all_once(backend)
        self.assertEqual(backend.requests[0].path, "/api/v2/write")
        self.assertEqual(backend.requests[0].query, {"org": "o", "bucket": "b", "precision": "ns"})
        self.assertEqual(backend.requests[0].headers["authorization"], "Token s3cret")
        self.assertNotIn("s3cret", err)

    def passing(self, *answers, said, **more):
        """Trouble that passes: everything arrives once, in the end, and both is said."""
        backend = self.backend(answers)
        err = self.run_against(backend, **more)
        self.check_all_once(backend)
        self.assertRegex(err, said)
        self.assertIn("delivers again", err)
        return backend, err

    def test_500_and_503(self):
        self.passing(Answer(500, '{"error":"timeout"}'), Answer(503), Answer(502), said="HTTP 500: timeout; trying again")

    def test_reset(self):
        self.passing(Answer("reset"), Answer("reset"), said="warning influx .*trying again")

    def test_close_in_the_middle_of_an_answer(self):
        self.passing(Answer("close"), said="trying again")

    def test_garbage(self):
        self.passing(Answer("garbage"), said="trying again")

    def test_a_web_page(self):
        self.passing(Answer(200, "<html>log in", taken=False), said="error influx .*not the answer of an InfluxDB; check url")

    def test_a_redirect_is_not_followed(self):
        other = self.backend()
        self.passing(Answer(301, headers={"Location": other.url}), said="redirect is not followed")
        self.assertEqual(other.requests, [])

    def test_hang(self):
        # The answers that come must come in that time, or what they are for comes twice.
        self.passing(Answer("hang"), said="(?i)timed? ?out", timeout=f"{2 * harness.PATIENCE:g}s")

    def test_slow(self):
        backend = self.backend([Answer("slow")])
        err = self.run_against(backend)
        self.check_all_once(backend)
        self.assertNotIn("warning", err)

    def test_a_body_without_end(self):
        self.passing(Answer("endless"), said="HTTP 500: x+; trying again")

    def test_401_is_repaired_while_it_runs(self):
        said = r"error influx .*HTTP 401: authorization failed; check username and password \(or token\)"
        self.passing(*[Answer(401, '{"error":"authorization failed"}')] * 3, said=said)

    def test_429_says_when(self):
        backend, _ = self.passing(Answer(429, headers={"Retry-After": "1"}), said="HTTP 429")
        self.assertGreaterEqual(self.delay(backend), 0.9)

    def test_503_says_when_by_date(self):
        backend = self.backend(lambda _: self.not_before() if len(backend.requests) == 1 else None)
        self.run_against(backend)
        self.check_all_once(backend)
        self.assertGreaterEqual(self.delay(backend), 1)

    @staticmethod
    def not_before():
        """The date has whole seconds: it is more than two from now."""
        then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)
        return Answer(503, headers={"Retry-After": email.utils.format_datetime(then, usegmt=True)})

    def delay(self, backend):
        return backend.requests[1].time - backend.requests[0].time

    def test_404_creates_the_database(self):
        there = []

        def script(request):
            if request.path == "/query":
                there.append(request.query["q"])
                return Answer(200, '{"results":[{"statement_id":0}]}\n')
            return None if there else Answer(404, '{"error":"database not found: \\"ev\\""}\n')
        backend = self.backend(script)
        err = self.run_against(backend, more="create_database: true")
        self.check_all_once(backend)
        self.assertEqual(there, ['CREATE DATABASE "ev"'])
        self.assertIn("created database ev", err)

    def test_404_without_the_wish(self):
        self.passing(Answer(404, '{"error":"database not found: \\"ev\\""}'), said="create it, or set create_database: true")

    def test_413_is_halved(self):
        def script(request):
            return Answer(413, '{"error":"Request Entity Too Large"}') if len(request.body) > 3000 else None
        backend = self.backend(script)
        err = self.run_against(backend)
        self.check_all_once(backend)
        self.assertNotIn("rejected", err)

    def test_what_is_lost_of_a_halved_message_is_only_the_rest(self):
        """The server takes some pieces of a message and is gone then: what it has is counted as delivered, and nothing twice."""
        refused = []

        def script(request):
            if len(request.body) > 3000:
                return Answer(413)
            if len(backend.taken) < 2:
                return None
            refused.append(request)
            return Answer(503)
        backend = self.backend(script)
        process = self.evpipe(self.pipeline(backend.url, items=2000))
        harness.wait_for("a piece to be refused", lambda: refused)
        self.wait_err(process, "HTTP 503; trying again")
        harness.wait_for("the log to be read to its end", lambda: len(self.expected()) == ALL)
        self.end_at_once(process)
        there = len(backend.lines())
        self.assertGreater(there, 2)
        self.assertRegex(process.err(), rf"influx .*done: .*delivered {there},.*dropped {ALL - there}\b")

    def test_a_line_that_is_too_large_is_counted(self):
        def script(request):
            return Answer(413) if len(request.body) > 145 else None
        backend = self.backend(script)
        err = self.run_against(backend)
        small = [line for line in self.expected() if len(line.encode()) < 145]
        self.assertLess(len(small), len(self.expected()))
        self.assertEqual(collections.Counter(backend.lines()), collections.Counter(small))
        self.assertRegex(err, rf"done: .*rejected {len(self.expected()) - len(small)}\b")

    def test_400_partial_write(self):
        body = '{"error":"partial write: field type conflict: input field \\"value\\" on measurement \\"a\\" dropped=7"}'
        backend = self.backend([Answer(400, body, taken=True), Answer(400, body, taken=True)])
        err = self.run_against(backend)
        self.check_all_once(backend)
        self.assertRegex(err, "warning influx .*rejected 7 points: HTTP 400: partial write: field type conflict")
        self.assertEqual(err.count("field type conflict"), 1)  # at most once a minute
        self.assertRegex(err, r"influx .*done: .*rejected 14\b")

    def test_400_of_all(self):
        backend = self.backend([Answer(400, '{"error":"unable to parse \'x\': missing fields"}')])
        err = self.run_against(backend)
        refused = split_lines(backend.requests[0].body.decode())
        self.assertEqual(collections.Counter(backend.lines()) + collections.Counter(refused), collections.Counter(self.expected()))
        self.assertRegex(err, rf"influx .*done: .*rejected {len(refused)}\b")

    def test_400_of_one_line_with_api_2(self):
        def script(request):
            return Answer(400, '{"code":"invalid","message":"unable to parse"}') if b"unicode" in request.body else None
        backend = self.backend(script)
        self.run_against(backend, target="api: 2\n    org: o\n    bucket: b", items=50)
        bad = [line for line in self.expected() if "unicode" in line]
        good = [line for line in self.expected() if "unicode" not in line]
        self.assertTrue(bad)
        self.assertEqual(collections.Counter(backend.lines()), collections.Counter(good))


class NobodyThere(InfluxdbCase):
    def test_refused_then_there(self):
        port = harness.free_port()
        process = self.evpipe(self.pipeline(f"http://127.0.0.1:{port}"))
        self.wait_err(process, "(?i)connect.*trying again")
        backend = self.backend(port=port)
        self.assertEqual(process.wait(), 0, process.err())
        self.check_all_once(backend)

    def test_what_can_not_be_delivered_is_counted(self):
        url = f"http://127.0.0.1:{harness.free_port()}"
        status, _, err = self.run_evpipe(self.pipeline(url, shutdown="300ms"))
        self.assertEqual(status, 1, err)
        self.assertRegex(err, r"influx .*dropped (\d+)")

    def test_a_hanging_server_does_not_hold_up_the_end(self):
        backend = self.backend([Answer("hang")] * 100)
        process = self.evpipe(self.pipeline(backend.url, shutdown="500ms", timeout="1h"))
        self.assertEqual(process.wait(), 1, process.err())


class Tls(InfluxdbCase):
    def setUp(self):
        super().setUp()
        if not shutil.which("openssl"):
            harness.skip("openssl is not installed")

    def openssl(self, *words):
        subprocess.run(["openssl", *map(str, words)], cwd=self.folder, check=True, capture_output=True)

    def certificates(self):
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA",
                     "-days", "2")
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
        (self.folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        self.openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.pem",
                     "-days", "2", "-extfile", "names")
        return self.folder / "server.pem", self.folder / "server.key"

    def test_with_its_own_authority(self):
        backend = self.backend(tls=self.certificates())
        self.run_against(backend, more=f"tls: {{ca_file: {self.folder}/ca.pem}}")
        self.check_all_once(backend)

    def test_an_unknown_authority_is_refused(self):
        backend = self.backend(tls=self.certificates())
        process = self.evpipe(self.pipeline(backend.url, shutdown="60s"))
        self.wait_err(process, "(?i)certificate.*trying again")
        self.end_at_once(process)
        self.assertEqual(backend.requests, [])

    def test_without_verification(self):
        backend = self.backend(tls=self.certificates())
        self.run_against(backend, more="tls: {verify: false}")
        self.check_all_once(backend)


if __name__ == "__main__":
    harness.main()
