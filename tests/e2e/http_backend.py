"""An HTTP server that answers from a script, and remembers what it was sent.

Each request takes the next Answer of the script; when that is used up, all is well (204). It runs in threads of the test's own
process. A request counts as `taken` when its answer says so; the lines in it are `lines`.
"""
import base64
import gzip
import re
import socket
import ssl
import struct
import threading
import time
import urllib.parse


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.headers, self.time = method, headers, time.monotonic()
        parts = urllib.parse.urlsplit(target)
        self.path, self.query = parts.path, dict(urllib.parse.parse_qsl(parts.query))
        self.gzip = headers.get("content-encoding") == "gzip"
        self.body = gzip.decompress(body) if self.gzip else body

    @property
    def login(self):
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        return base64.b64decode(value).decode() if scheme == "Basic" else value


class Answer:
    """status, or what happens instead: "hang", "reset" (before an answer), "close" (in the middle of one), "garbage",
    "slow" (byte by byte, then well), "endless" (a body that never ends). `taken`: the server stores what it was sent."""

    def __init__(self, what=204, body="", headers=None, taken=None):
        self.what, self.body, self.headers = what, body, headers or {}
        self.taken = what in (204, 200, "slow") if taken is None else taken


REASONS = {200: "OK", 204: "No Content", 301: "Moved Permanently", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
           413: "Request Entity Too Large", 429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}


class HttpBackend:
    def __init__(self, script=(), tls=None, port=0):
        """`tls`: (certificate, key) files. `script` may be a function of a request that returns an Answer or None (well)."""
        self.script = script if callable(script) else list(script)
        self.requests, self.taken = [], []
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def close(self):
        self.ended.set()
        self.listener.close()

    def lines(self):
        """Of all that was taken, in order; a newline in a string is part of its line."""
        with self.lock:
            text = b"".join(request.body for request in self.taken).decode()
        return split_lines(text)

    def _accept(self):
        while not self.ended.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while (request := read_request(stream)) and self._answer(connection, request):
                    pass
        except (OSError, ValueError):
            pass

    def _next(self, request):
        with self.lock:
            self.requests.append(request)
            if callable(self.script):
                answer = self.script(request) or Answer()
            else:
                answer = self.script.pop(0) if self.script else Answer()
            if answer.taken and request.path.endswith("/write"):
                self.taken.append(request)
            return answer

    def _answer(self, connection, request):
        """False: the connection is over."""
        answer = self._next(request)
        body = answer.body.encode()
        if answer.what == "hang":
            self.ended.wait(60)
            return False
        if answer.what == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if answer.what == "garbage":
            connection.sendall(b"\x00\xff this is not HTTP \r\n\r\n" * 20)
            return False
        if answer.what == "close":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
            return False
        if answer.what == "endless":
            connection.sendall(b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n")
            while not self.ended.is_set():
                connection.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
            return False
        status = 204 if answer.what == "slow" else answer.what
        head = f"HTTP/1.1 {status} {REASONS.get(status, 'X')}\r\n"
        head += "".join(f"{key}: {value}\r\n" for key, value in answer.headers.items())
        head += "\r\n" if status == 204 else f"Content-Length: {len(body)}\r\n\r\n"
        if answer.what == "slow":
            for byte in head.encode():
                connection.sendall(bytes([byte]))
                self.ended.wait(0.005)
        else:
            connection.sendall(head.encode() + (b"" if status == 204 else body))
        return True


def read_request(stream):
    first = stream.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = {}
    while (line := stream.readline().decode("latin-1").strip()):
        key, _, value = line.partition(":")
        headers[key.lower()] = value.strip()
    size = int(headers.get("content-length", 0))
    body = stream.read(size)
    return Request(first[0], first[1], headers, body) if len(body) == size else None


LINE = re.compile(r'(?:[^"\n]|"(?:[^"\\]|\\.)*")+\n?', re.DOTALL)


def split_lines(text):
    return [line.rstrip("\n") for line in LINE.findall(text)]
