"""What a page does, without a browser: requests of the sink `dashboard`, and its server-sent events."""
import contextlib
import functools
import gzip
import http.client
import json
import socket
import threading
import urllib.parse


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        body = response.read()
        self.body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body

    @property
    def json(self):
        return json.loads(self.body)


class Page:
    def __init__(self, port, patience=1.0):
        self.port, self.patience = port, patience

    def request(self, method, path, headers=(), **query):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60 * self.patience)
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        try:
            connection.request(method, target, headers={"Accept-Encoding": "gzip", **dict(headers)})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **query):
        answer = self.request("GET", path, **query)
        if answer.status != 200:
            raise AssertionError(f"{path} {query}: {answer.status} {answer.body!r}")
        return answer.json

    def programs(self):
        return self.get("/api/programs")["programs"]

    def history(self, program=1, **query):
        return self.get("/api/history", program=program, **query)

    def control(self, program, command, headers=(("X-Evpipe", "1"),)):
        return self.request("POST", "/api/control", headers, program=program, command=command)

    def live(self, program=None, **more):
        return Live(self.port, program, **more)


class Event:
    """Parsed when somebody asks: whoever only reads has to keep up with evpipe, ten visitors in one process of Python as well."""

    def __init__(self, name, number, text):
        self.name, self.id, self.size, self.text = name, number, len(text), text

    @functools.cached_property
    def data(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.name} {self.id} {str(self.data)[:200]}"


class Live:
    """A visitor: a thread collects what comes, until the stream ends. One that is `deaf` reads nothing before listen()."""

    def __init__(self, port, program, deaf=False, patience=1.0):
        self.events, self.head, self.over, self.retry = [], "", False, None
        self.lock = threading.Lock()
        self.socket = socket.socket()
        if deaf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(60 * patience)
        self.socket.connect(("127.0.0.1", port))
        target = "/api/live" + (f"?program={program}" if program else "")
        self.socket.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost:{port}\r\nAccept: text/event-stream\r\n\r\n".encode())
        self.thread = None
        if not deaf:
            self.listen()

    def listen(self):
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def lines(self):
        """The body's, whatever its chunks."""
        file = self.socket.makefile("rb")
        self.head = ""
        while (line := file.readline().decode("latin-1")).strip():
            self.head += line
        chunked, rest = "chunked" in self.head.lower(), []
        while True:
            size = int(file.readline() or b"0", 16) if chunked else 0
            part = file.read(size) if chunked else file.readline()
            if chunked:
                file.readline()
            if not part:
                return
            rest.append(part)
            if b"\n" in part:
                *whole, last = b"".join(rest).split(b"\n")
                rest = [last]
                yield from whole

    def read(self):
        fields = {}
        try:
            for line in self.lines():
                line = line.decode("utf-8").rstrip("\r")
                if line.startswith(":"):
                    continue
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = fields[name] + "\n" + value if name in fields and name == "data" else value
                elif "retry" in fields:
                    self.retry, fields = int(fields["retry"]), {}
                elif fields:
                    event = Event(fields.get("event"), int(fields["id"]) if "id" in fields else None, fields["data"])
                    fields = {}
                    with self.lock:
                        self.events.append(event)
        except (OSError, ValueError):
            pass
        self.over = True

    def all(self, name):
        with self.lock:
            return [event for event in self.events if event.name == name]

    def close(self):
        if self.thread:
            with contextlib.suppress(OSError):  # closed already, by us or by the other end
                self.socket.shutdown(socket.SHUT_RDWR)
            self.thread.join(10)
        self.socket.close()
