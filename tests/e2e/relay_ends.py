"""The two ends of a relay, for its tests: a program that says what and when it is told to, and readers of any manners."""
import contextlib
import socket
import struct
import threading

import harness
import eventlog


def connect(where):
    """A path, or (host, port)."""
    client = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
    client.settimeout(60 * harness.PATIENCE)
    client.connect(where)
    return client


class Program:
    """A program with eventlog-socket: serves one client what it is told to."""

    def __init__(self, path):
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.settimeout(60 * harness.PATIENCE)
        self.listener.bind(str(path))
        self.listener.listen()
        self.client = None

    def accept(self):
        self.client, _ = self.listener.accept()
        return self

    def send(self, data):
        self.client.sendall(data)

    def end(self):
        for end in (self.client, self.listener):
            if end:
                end.close()


class Reader:
    """Reads on a thread until the relay closes. `got` grows meanwhile."""

    def __init__(self, where):
        self.socket = connect(where)
        self.got = bytearray()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        with contextlib.suppress(OSError):
            while part := self.socket.recv(1 << 16):
                self.got += part

    def wait_for(self, size):
        harness.wait_for(lambda: f"{size} bytes; there are {len(self.got)}", lambda: len(self.got) >= size)

    def whole(self):
        """All there was, once the relay has closed."""
        self.thread.join(60 * harness.PATIENCE)
        if self.thread.is_alive():
            raise harness.Failed(f"the connection is still open after {len(self.got)} bytes")
        self.socket.close()
        return bytes(self.got)

    def leave(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def block_ends(data):
    """Places between two blocks, the first behind the header."""
    stream = next(eventlog.streams(data))
    places = [stream.begin + stream.header_size]
    for marker in stream.records({eventlog.BLOCK_MARKER}):
        places.append(marker.offset + struct.unpack_from(">I", marker.payload)[0])
    return [place for place in places if place <= len(data)]


def redacted(data, types=(eventlog.PROGRAM_ARGS, 31)):
    """The log as `redact` has to make it: the strings behind the capset are x, NULs stay."""
    result = bytearray(data)
    for stream in eventlog.streams(data):
        for record in stream.records(set(types)):
            head = 12 if stream.types[record.type][0] == eventlog.VARIABLE else 10
            begin = record.offset + head + 4
            for i in range(begin, record.offset + head + len(record.payload)):
                result[i] = result[i] and ord("x")
    return bytes(result)
