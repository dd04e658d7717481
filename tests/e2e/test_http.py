"""The HTTP server that sinks share, with `prometheus` as its carrier: what it answers, to whom, and what it does not put up with."""
import base64
import contextlib
import gzip
import http.client
import os
import random
import re
import resource
import shutil
import socket
import ssl
import subprocess
import time

import harness

PIPELINE = """
sources:
  self:
    plugin: internal
sinks:
  page:
    plugin: prometheus
    from: self
    {{listen}}
    {{more}}
"""
TOKEN = "0123456789abcdef-geheim"


class HttpCase(harness.Case):
    def server(self, more="", listen="listen: 127.0.0.1:0", config=None, **values):
        """Starts evpipe; `self.port` is where it listens."""
        process = self.evpipe(harness.copies(config or PIPELINE, listen=listen, more=more, **values))
        match = self.wait_err(process, r"listens on https?://\S+:(\d+)")
        self.port = int(match.group(1))
        return process

    def connect(self, seconds=60):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=seconds * harness.PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def request(self, path="/metrics", method="GET", headers=None, body=None):
        """(status, headers with small names, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60 * harness.PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()

    def raw(self, data, seconds=60):
        """What comes back until the server closes; the client does not."""
        connection = self.connect(seconds)
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                got += part
        return got

    def status_of(self, data):
        return int(self.raw(data).split(b" ", 2)[1])

    def get(self, target, host="localhost", version="1.1", more=""):
        host = f"Host: {host}\r\n" if host else ""
        return f"GET {target} HTTP/{version}\r\n{host}{more}Connection: close\r\n\r\n".encode("latin-1")

    def end(self, process):
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)


class Answers(HttpCase):
    def test_a_page(self):
        process = self.server()
        harness.wait_for("the first values", lambda: b"evpipe_build_info" in self.request()[2])
        status, headers, _ = self.request()
        self.assertEqual(status, 200)
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertIn(b"/metrics", self.request("/")[2])
        self.end(process)

    def test_head(self):
        process = self.server()
        status, headers, body = self.request("/", "HEAD")
        self.assertEqual((status, body), (200, b""))
        self.assertEqual(int(headers["content-length"]), len(self.request("/")[2]))
        self.end(process)

    def test_compressed_if_wanted(self):
        process = self.server()
        harness.wait_for("a page worth compressing", lambda: len(self.request()[2]) > 1024)
        for accepted, compressed in (("gzip", True), ("deflate, gzip;q=0.5", True), ("*", True), ("gzip;q=0", False), ("br", False), ("identity", False)):
            _, headers, body = self.request(headers={"Accept-Encoding": accepted})
            self.assertEqual(headers.get("content-encoding"), "gzip" if compressed else None, accepted)
            self.assertIn(b"evpipe_build_info", gzip.decompress(body) if compressed else body)
            self.assertEqual(headers["vary"], "Accept-Encoding")
        self.end(process)

    def test_what_is_not_there(self):
        process = self.server()
        self.assertEqual(self.request("/nothing")[0], 404)
        self.assertEqual(self.request("/metrics/")[0], 404)
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"):
            status, headers, _ = self.request(method=method)
            self.assertEqual((status, headers["allow"]), (405, "GET, HEAD"), method)
        self.end(process)

    def test_one_connection_for_many_requests(self):
        process = self.server()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60 * harness.PATIENCE)
        for _ in range(5):
            connection.request("GET", "/livez")
            first = connection.sock
            self.assertEqual(connection.getresponse().read(), b'{"status":"ok"}\n')
            self.assertIs(connection.sock, first)
        connection.close()
        one = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
        self.assertEqual(self.raw(one * 10 + self.get("/livez")).count(b"HTTP/1.1 200 OK"), 11)  # all at once: pipelined
        self.end(process)

    def test_http_1_0(self):
        process = self.server()
        for host in ("localhost", None):
            got = self.raw(self.get("/livez", host=host, version="1.0"))
            self.assertRegex(got, rb"^HTTP/1\.[01] 200 ")
            self.assertTrue(got.endswith(b'{"status":"ok"}\n'))
        self.end(process)

    def test_health(self):
        process = self.server(config=PIPELINE.replace("sinks:", "  app:\n    plugin: socket\n    unix: {{path}}\nfilters:\n  heap:\n    plugin: heap\n    from: app\nsinks:")
                              .replace("from: self", "from: [self, heap]"), path=self.folder / "app.sock")
        self.assertEqual(self.request("/livez")[0], 200)
        status, headers, body = self.request("/readyz")
        self.assertEqual((status, headers["content-type"]), (503, "application/json"))
        self.assertEqual(body, b"{\"status\":\"not ready\",\"reasons\":[\"source 'app' is not connected\"]}\n")
        self.replay(harness.OWN_LOG, "--now", "--end", "hold", name="app")
        harness.wait_for("readiness", lambda: self.request("/readyz")[0] == 200)
        self.end(process)


class OtherSites(HttpCase):
    def test_pages_of_other_sites_are_refused(self):
        process = self.server()
        link = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        image = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
        frame = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
        for site in ("cross-site", "same-site"):
            for more in (image, frame, {}):
                for method in ("GET", "HEAD"):
                    self.assertEqual(self.request("/metrics", method, headers={"Sec-Fetch-Site": site, **more})[0], 403, (site, more))
            self.assertEqual(self.request("/nothing", headers={"Sec-Fetch-Site": site, **link})[0], 403)
            for path in ("/", "/metrics"):
                self.assertEqual(self.request(path, headers={"Sec-Fetch-Site": site, **link})[0], 200)
            self.assertEqual(self.request("/livez", headers={"Sec-Fetch-Site": site, **image})[0], 200)
        for site in ("same-origin", "none"):
            self.assertEqual(self.request("/metrics", headers={"Sec-Fetch-Site": site, **image})[0], 200)
        self.assertEqual(self.request("/metrics")[0], 200)  # Prometheus, curl
        self.end(process)


class Addresses(HttpCase):
    def test_tricks_with_paths(self):
        process = self.server()
        for target in ("/../metrics", "/./metrics", "/%2e%2e/etc/passwd", "/a/%2E%2e/metrics", "/..%2fmetrics", "/%00", "/metrics%00", "/%", "/%g0", "/\xff",
                       "/%ff", "/%0d%0aX:%20y", "metrics", "http://localhost/metrics", "*"):
            self.assertEqual(self.status_of(self.get(target)), 400, target)
        for target in ("//metrics", "/metrics//", "/METRICS", "/metrics;x", "/metrics%20", "/%252e%252e/x"):
            self.assertEqual(self.status_of(self.get(target)), 404, target)
        for target in ("/%6detrics", "/metrics?", "/metrics?x=%C3%A4&y"):
            self.assertEqual(self.status_of(self.get(target)), 200, target)
        self.assertEqual(self.status_of(self.get("/metrics?" + "a&" * 100)), 400)
        self.end(process)

    def test_hosts(self):
        process = self.server(more="hosts: [metrics.example, Other.Example]")
        for host in ("localhost", "LOCALHOST:80", "localhost.", "127.0.0.1", "127.1.2.3:9464", "[::1]:80", "metrics.example", "other.example:1"):
            self.assertEqual(self.status_of(self.get("/livez", host=host)), 200, host)
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]", "0.0.0.0"):
            self.assertEqual(self.status_of(self.get("/livez", host=host)), 421, host)
        for host in ("[::1", "localhost:x", ":80", "a" * 300):
            self.assertEqual(self.status_of(self.get("/livez", host=host)), 400, host)
        self.assertEqual(self.status_of(self.get("/livez", host=None)), 400)  # HTTP/1.1 has to say
        self.assertRegex(process.err(), "warning page .*a request for the host 'evil.example' is refused; .*add it to hosts")
        self.assertEqual(process.err().count("is refused"), 1)
        self.end(process)

    def test_options_that_are_wrong(self):
        for more, said in (("hosts: [evpipe, 'evpipe.example:80']", r"'hosts': 'evpipe.example:80' must be a name or an address alone"),
                           ("hosts: ['http://evpipe']", r"'hosts': 'http://evpipe' must be"),
                           ("hosts: ['']", "'hosts': '' must be"),
                           ("basic: {password: hunter2}", r"'basic.username': must not be empty"),
                           ("basic: {username: 'a:b', password: hunter2}", r"'basic.username': must not have a colon"),
                           ("basic: {username: me}", r"'basic.password': must not be empty"),
                           ("token: short", "'token': must be 8 to 256 letters"),
                           ("tls: {key_file: key.pem}", "'tls.key_file': needs cert_file")):
            status, _, err = self.run_evpipe(harness.copies(PIPELINE, listen="", more=more), "--check")
            self.assertEqual(status, 2, more)
            self.assertRegex(err, said)
            self.assertNotIn("hunter2", err)
        status, _, err = self.run_evpipe(harness.copies(PIPELINE, listen="", more="hosts: [evpipe, 10.0.0.1, '::1', 'fd00::7']"), "--check")
        self.assertEqual(status, 0, err)

    def test_other_machines(self):
        status, _, err = self.run_evpipe(harness.copies(PIPELINE, listen="listen: 0.0.0.0:0", more=""), "--check")
        self.assertEqual(status, 2)
        self.assertRegex(err, r"is not an address of this machine alone; say allow_remote: true.*\n.*listen: 0\.0\.0\.0:0\n.*\^~")
        process = self.server(listen="listen: 0.0.0.0:0", more="allow_remote: true")
        self.assertEqual(self.status_of(self.get("/livez", host="10.1.2.3")), 200)
        self.assertEqual(self.status_of(self.get("/livez", host="evil.example")), 421)
        self.assertIn("whoever reaches 0.0.0.0:0 sees everything", process.err())
        self.end(process)

    def test_ipv6_and_localhost(self):
        with contextlib.closing(socket.socket(socket.AF_INET6)) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError:
                harness.skip("no IPv6 here")
        process = self.server(listen='listen: "[::1]:0"')
        self.assertIn(f"listens on http://[::1]:{self.port}", process.err())
        with contextlib.closing(http.client.HTTPConnection("::1", self.port, timeout=60 * harness.PATIENCE)) as connection:
            connection.request("GET", "/livez")
            self.assertEqual(connection.getresponse().status, 200)
        self.end(process)

    def test_the_port_is_taken(self):
        with contextlib.closing(socket.socket()) as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            status, _, err = self.run_evpipe(harness.copies(PIPELINE, listen=f"listen: 127.0.0.1:{port}", more=""))
        self.assertEqual(status, 1)
        self.assertRegex(err, rf"error page .*can not listen on 127.0.0.1:{port}: somebody else listens on that port")

    def test_two_sinks_on_one_port(self):
        port = harness.free_port()
        two = PIPELINE + "  second:\n    plugin: prometheus\n    from: self\n    {{listen}}\n"
        status, _, err = self.run_evpipe(harness.copies(two, listen=f"listen: 127.0.0.1:{port}", more=""))
        self.assertEqual(status, 1)
        self.assertRegex(err, r"error second .*: somebody else listens on that port")


class Credentials(HttpCase):
    def check_refused(self, headers=None, path="/metrics"):
        status, answered, body = self.request(path, headers=headers)
        self.assertEqual(status, 401, headers)
        self.assertNotIn(b"evpipe_", body)
        return answered["www-authenticate"]

    def test_basic(self):
        process = self.server(more="basic: {username: me, password: hunter2}")

        def login(text):
            return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}
        self.assertTrue(self.check_refused().startswith("Basic "))
        self.assertNotIn(b"token", self.request("/")[2])
        for wrong in ("me:hunter", "me:hunter22", "me:hunter3", "you:hunter2", "", ":", "me:"):
            self.check_refused(login(wrong))
        for wrong in ("Basic", "Basic ", "Basic !!!!", "Bearer bWU6aHVudGVyMg==", "Digest x", "bWU6aHVudGVyMg=="):
            self.check_refused({"Authorization": wrong})
        self.assertEqual(self.request(headers=login("me:hunter2"))[0], 200)
        self.assertEqual(self.request(headers={"Authorization": login("me:hunter2")["Authorization"].replace("Basic", "bAsIc")})[0], 200)
        self.check_refused(path="/nothing")  # not even what there is
        self.assertEqual(self.request("/livez")[0], 200)
        self.assertNotIn("hunter2", process.err())
        self.end(process)

    def test_token(self):
        process = self.server(more=f"token: {TOKEN}")
        self.assertTrue(self.check_refused().startswith("Bearer "))
        self.assertIn(b"in a browser /?token=TOKEN", self.request("/")[2])
        for wrong in (TOKEN[:-1], TOKEN + "x", "", TOKEN.upper()):
            self.check_refused({"Authorization": "Bearer " + wrong})
            self.check_refused({"Cookie": f"evpipe_{self.port}={wrong}"})
            self.check_refused(path="/?token=" + wrong)
        self.check_refused(path="/metrics?token=" + TOKEN)
        self.assertEqual(self.request(headers={"Authorization": "Bearer " + TOKEN})[0], 200)
        status, headers, _ = self.request("/?token=" + TOKEN)
        self.assertEqual((status, headers["location"]), (303, "/"))
        cookie, *attributes = headers["set-cookie"].split("; ")
        self.assertEqual(sorted(attributes), ["HttpOnly", "Path=/", "SameSite=Strict"])
        self.assertEqual(self.request("/", headers={"Cookie": "a=b; " + cookie})[0], 200)
        self.assertRegex(process.err(), "warning page .*wrong credentials")
        self.assertNotIn(TOKEN, process.err())
        self.end(process)

    def test_either(self):
        process = self.server(more=f"token: {TOKEN}\n    basic: {{username: me, password: hunter2}}")
        self.assertEqual(self.request(headers={"Authorization": "Bearer " + TOKEN})[0], 200)
        self.assertEqual(self.request(headers={"Authorization": "Basic bWU6aHVudGVyMg=="})[0], 200)
        self.check_refused()
        self.end(process)

    def test_readiness_keeps_its_reasons(self):
        config = PIPELINE.replace("sinks:", "  app: {plugin: socket, unix: {{path}}}\nfilters:\n  heap: {plugin: heap, from: app}\nsinks:").replace("from: self", "from: [self, heap]")
        process = self.server(config=config, more=f"token: {TOKEN}", path=self.folder / "app.sock")
        self.assertEqual(self.request("/readyz")[::2], (503, b'{"status":"not ready"}\n'))
        self.assertIn(b"source 'app'", self.request("/readyz", headers={"Authorization": "Bearer " + TOKEN})[2])
        self.end(process)


class Tls(HttpCase):
    def certificate(self, name, issuer=None):
        """A certificate and key for localhost, made by openssl."""
        if not shutil.which("openssl"):
            harness.skip("openssl is not installed")
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        signed = ["-CA", f"{self.folder}/{issuer}.pem", "-CAkey", f"{self.folder}/{issuer}.key"] if issuer else []
        made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                               "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", *signed, "-keyout", key, "-out", certificate], capture_output=True, check=False)
        self.assertEqual(made.returncode, 0, made.stderr)
        return certificate, key

    def ask(self, trusted, own=None, path="/livez"):
        context = ssl.create_default_context(cafile=trusted)
        if own:
            context.load_cert_chain(*own)
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=60 * harness.PATIENCE, context=context)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def test_https(self):
        certificate, key = self.certificate("server")
        process = self.server(more=f"tls: {{cert_file: {certificate}, key_file: {key}}}")
        self.assertIn("listens on https://", process.err())
        self.assertEqual(self.ask(certificate), (200, b'{"status":"ok"}\n'))
        harness.wait_for("metrics", lambda: b"evpipe_build_info" in self.ask(certificate, path="/metrics")[1])
        self.assertEqual(self.raw(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").count(b"HTTP/"), 0)
        self.end(process)

    def test_clients_show_certificates(self):
        authority, _ = self.certificate("authority")
        certificate, key = self.certificate("server")
        process = self.server(more=f"tls: {{cert_file: {certificate}, key_file: {key}, ca_file: {authority}}}")
        self.assertEqual(self.ask(certificate)[0], 403)
        self.assertEqual(self.ask(certificate, self.certificate("stranger"))[0], 403)
        self.assertEqual(self.ask(certificate, self.certificate("friend", "authority"))[0], 200)
        self.end(process)

    def test_files_that_are_wrong(self):
        certificate, key = self.certificate("server")
        _, other = self.certificate("other")
        for tls, said in ((f"cert_file: {certificate}", "do tls.cert_file and tls.key_file hold"), (f"cert_file: {certificate}, key_file: {other}", "do tls.cert_file and tls.key_file hold"),
                          (f"cert_file: {self.folder}/none, key_file: {key}", "tls.cert_file: .*/none: No such file"), (f"cert_file: {certificate}, key_file: {self.folder}", "tls.key_file: .* is no file")):
            status, _, err = self.run_evpipe(harness.copies(PIPELINE, listen="listen: 127.0.0.1:0", more=f"tls: {{{tls}}}"))
            self.assertEqual(status, 1, tls)
            self.assertRegex(err, said)


class Hardening(HttpCase):
    def test_what_is_too_large(self):
        process = self.server()
        self.assertIn(self.status_of(self.get("/" + "a" * 40000)), (414, 431))
        self.assertEqual(self.status_of(self.get("/livez", more="X: " + "a" * 40000 + "\r\n")), 431)
        self.assertEqual(self.status_of(self.get("/livez", more="X: y\r\n" * 10000)), 431)
        self.assertEqual(self.status_of(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"), 413)
        self.assertEqual(self.raw(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b"x" * 4096 + b"\r\n"), b"")
        self.assertEqual(self.request("/livez")[0], 200)
        self.end(process)

    def test_what_is_no_http(self):
        process = self.server()
        for data in (b"GET\r\n\r\n", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"GET /livez HTTP/1.1\nHost: localhost\nContent-Length: -1\n\n",
                     b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999999\r\n\r\n"):
            connection = self.connect()
            with contextlib.suppress(OSError):
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
        chance = random.Random(4)
        words = [b"GET ", b"/", b"%", b"?", b"&", b"HTTP/1.1", b"\r\n", b"Host: localhost", b":", b"\0", b"\xff", b"Transfer-Encoding: chunked", b"\r\n\r\n", b"Cookie: a=b", b"5"]
        for _ in range(300):
            with contextlib.closing(socket.create_connection(("127.0.0.1", self.port), timeout=60 * harness.PATIENCE)) as connection, contextlib.suppress(OSError):
                connection.sendall(b"".join(chance.choice(words) for _ in range(chance.randrange(1, 40))))
        harness.wait_for("the others to be closed", lambda: self.request("/livez")[0] == 200)
        self.end(process)

    def test_slow_requests_are_cut_off(self):
        """One that says nothing, one that never ends, and what has not even begun to be HTTP; meanwhile others are answered."""
        process = self.server()
        begin = time.monotonic()
        said = {"silent": b"", "dripping": b"GET /livez HTTP/1.1\r\n", "zeros": b"\0" * 1000, "lines": b"\r\n" * 1000 + b"x",
                "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500}
        left = {name: self.connect() for name in said}
        for name, connection in left.items():
            connection.sendall(said[name])
            connection.settimeout(0.05)

        def all_over():
            for name, connection in list(left.items()):
                with contextlib.suppress(TimeoutError):
                    try:
                        if name == "dripping":
                            connection.sendall(b"X: y\r\n")
                        if connection.recv(100):
                            continue
                    except ConnectionError:
                        pass
                    self.assertGreater(time.monotonic() - begin, 8, name)
                    del left[name]
            self.assertEqual(self.request("/livez")[0], 200)
            return not left
        harness.wait_for(lambda: f"{list(left)} to be cut off", all_over)
        self.end(process)

    def open_files(self, process):
        return len(os.listdir(f"/proc/{process.pid}/fd"))

    def test_a_thousand_connections(self):
        process = self.server(more="max_connections: 20")
        before = self.open_files(process)
        answers, connections = [], []
        for _ in range(1000):
            connections.append(self.connect())
        self.assertLessEqual(self.open_files(process), before + 30)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for connection in connections:
            with contextlib.suppress(OSError):
                answers.append(connection.recv(1000)[:12])
        # Those of the first that had to wait for longer than 10 s are closed, and make room for others: on a slow machine many.
        self.assertGreater(answers.count(b"HTTP/1.1 200"), 0)
        self.assertGreater(answers.count(b"HTTP/1.1 503"), 100)
        self.assertGreater(answers.count(b"HTTP/1.1 200") + answers.count(b"HTTP/1.1 503"), 900)
        # These are idle now: who comes takes the place of one of them.
        self.assertEqual(self.request("/livez")[0], 200)
        self.assertRegex(process.err(), r"warning page .*connections are refused: 20 are open \(max_connections\)")
        self.assertLessEqual(process.err().count("are refused"), 3)
        for connection in connections:
            connection.close()
        harness.wait_for("its files to be closed", lambda: self.open_files(process) <= before + 1)
        self.end(process)

    def test_who_comes_when_no_files_are_left_waits(self):
        """Without a busy loop: each round of it would have tried to say so."""
        process = self.server()
        limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (self.open_files(process) + 2, limits[1]))
        connections = [self.connect() for _ in range(10)]
        self.wait_err(process, r"can not accept connections, which wait: Too many open files")
        next_one, last = connections[2], connections[-1]
        next_one.sendall(self.get("/livez"))
        last.sendall(self.get("/livez"))
        connections[0].close()  # makes room for one of the others only: they still wait, which is not said again
        self.assertIn(b" 200 ", next_one.recv(1000))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)
        self.assertIn(b" 200 ", last.recv(1000))
        self.assertEqual(process.err().count("can not accept"), 1)
        self.assertNotIn("left out", process.err())
        self.end(process)

    def test_who_does_not_read_the_answer_is_in_nobodys_way(self):
        """In each round others, for they are cut off after ten seconds; a machine may stand still in one of them."""
        process = self.server()
        waits = []
        for _ in range(3):
            for _ in range(10):
                connection = self.connect()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                with contextlib.suppress(OSError):
                    connection.setblocking(False)
                    connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000)
            begin = time.monotonic()
            self.assertEqual(self.request("/livez")[0], 200)
            waits.append(time.monotonic() - begin)
        self.assertLess(sorted(waits)[1], 8, waits)  # else it would have waited until they are cut off
        self.end(process)

    def test_under_load(self):
        """As many metrics as one source can make, and who asks is answered at once. (That it is so of a queue that is never empty is tests/engine/test_sink.c's.)"""
        config = """
        sources:
          app: {plugin: file, path: {{log}}, loop: true}
          self: {plugin: internal, interval: 200ms}
        filters:
          heap: {plugin: heap, from: app}
        sinks:
          page:
            plugin: prometheus
            from: [heap, self]
            {{listen}}
        """
        process = self.server(config=config, log=harness.OWN_LOG)

        def delivered():
            match = re.search(rb'evpipe_node_items_total\{direction="out",node="page".*\} (\d+)', self.request()[2])
            return int(match.group(1)) if match else 0
        harness.wait_for("load", lambda: delivered() > 50000)
        waits = []
        for _ in range(30):
            begin = time.monotonic()
            self.assertEqual(self.request()[0], 200)
            waits.append(time.monotonic() - begin)
        self.assertLess(sorted(waits)[15], 5 * harness.PATIENCE, waits)  # else it would never be
        self.end(process)


if __name__ == "__main__":
    harness.main()
