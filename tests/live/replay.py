#!/usr/bin/env python3
"""Serves a recorded eventlog on a socket as the package eventlog-socket does in a running program.

One client at a time; others wait in the backlog. A client is noticed to have left when its end is closed. What it says is
never read, or, with --record, written down: a line for each piece that was received, in hexadecimal. When the log is at its end, so is the "program". Messages, with byte counts, go to stderr: "listening" is the first.
"""
import argparse
import fcntl
import os
import pathlib
import random
import select
import signal
import socket
import struct
import sys
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "reference"))
import eventlog

CHUNK = 256 * 1024
SECOND = 10**9
# The order in which logging is begun again (GHC 9.6 and 9.10): these, then info tables and cost centres.
FIRST_DEFINITIONS = (52, 32, 33, 29, 30, 43)
LATER_DEFINITIONS = (eventlog.IPE, eventlog.COST_CENTRE)


class Left(Exception):
    """The client is gone."""


class Ended(Exception):
    """This connection is over, by option."""


def say(text):
    print(f"replay: {text}", file=sys.stderr, flush=True)


class Recording:
    """The log in pieces: header (and what was in front of it), then (time it was written at, first byte, end) per block."""

    def __init__(self, data):
        self.data = bytearray(data)
        self.stream = next(eventlog.streams(data))
        self.begin = self.stream.begin + self.stream.header_size
        self.pieces = self._cut_at_blocks()
        self.end_time = max((piece[0] for piece in self.pieces), default=0)
        self.clocks = [record for record in self.stream.records({eventlog.WALL_CLOCK_TIME})]

    def _cut_at_blocks(self):
        pieces, at, now = [], self.begin, 0
        for marker in self.stream.records({eventlog.BLOCK_MARKER}):
            size, end_time = struct.unpack_from(">IQ", marker.payload)
            if marker.offset > at:  # records outside of any block
                pieces.append((now, at, marker.offset))
            now = max(now, end_time)
            at = min(marker.offset + size, len(self.data))
            pieces.append((now, marker.offset, at))
        if at < len(self.data):
            pieces.append((now, at, len(self.data)))
        return pieces

    def header(self):
        return bytes(self.data[:self.begin])

    def set_epoch(self, epoch):
        """Every WALL_CLOCK_TIME of the log says from now on that event time 0 was at this Unix time."""
        for record in self.clocks:
            struct.pack_into(">QI", self.data, record.offset + 10 + 4, *divmod(epoch + record.time, SECOND))

    def block(self, time, records):
        body = b"".join(records)
        return struct.pack(">HQIQH", eventlog.BLOCK_MARKER, time, 24 + len(body), time, eventlog.NO_CAPABILITY) + body

    def record(self, number, time, payload):
        size = struct.pack(">H", len(payload)) if self.stream.types[number][0] == eventlog.VARIABLE else b""
        return struct.pack(">HQ", number, time) + size + payload

    def clock(self, time, epoch):
        return self.record(eventlog.WALL_CLOCK_TIME, time, struct.pack(">IQI", 0, *divmod(epoch + time, SECOND)))

    def definitions(self, time, epoch):
        """What begins the stream when logging is begun again at that time, as one block."""
        kept = {number: [] for number in FIRST_DEFINITIONS + LATER_DEFINITIONS}
        for record in self.stream.records(set(kept)):
            kept[record.type].append(self.record(record.type, time, bytes(record.payload)))
        if eventlog.WALL_CLOCK_TIME in self.stream.types:
            kept[eventlog.WALL_CLOCK_TIME] = [self.clock(time, epoch)]
        return self.block(time, [record for number in kept for record in kept[number]])


class Server:
    def __init__(self, options):
        self.options = options
        self.recordings = [Recording(path.read_bytes()) for path in options.logs] if not options.raw else []
        self.raw = [path.read_bytes() for path in options.logs] if options.raw else []
        self.random = random.Random(options.seed)
        self.clients = 0
        self.position = 0  # pieces that were served, or that nobody was there for
        self.begun = None  # monotonic time at which the program began
        self.poll = None

    # -------------------------------------------------------------------------------------------------------- socket

    def listen(self):
        if self.options.unix:
            pathlib.Path(self.options.unix).unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(self.options.unix)
        else:
            host, port = self.options.tcp.rsplit(":", 1)
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, int(port)))
        listener.listen(5)
        say("listening")
        return listener

    def wait(self, seconds):
        """Waits, unless the client leaves."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for _, events in self.poll.poll(min(left, 1) * 1000):
                if events & (select.POLLHUP | select.POLLERR | select.POLLRDHUP):
                    raise Left
                if events & select.POLLIN:
                    self.record()

    def record(self):
        with open(self.options.record, "a", encoding="ascii") as file:
            file.write(self.client.recv(4096).hex() + "\n")

    def send(self, data):
        """Sends in one piece, or cut and delayed as the options say."""
        options, at = self.options, 0
        while at < len(data):
            size = self.random.randint(1, options.cut) if options.cut else CHUNK
            if options.cut and options.pause and self.random.random() < 0.02:
                self.wait(self.random.random() * options.pause)
            part = data[at:at + size]
            if options.disconnect_at is not None:
                part = part[:max(0, options.disconnect_at - self.sent)]
            if options.kill_at is not None:
                part = part[:max(0, options.kill_at - self.sent)]
            try:
                self.client.sendall(part)
            except OSError:
                raise Left from None
            self.sent += len(part)
            at += len(part)
            if options.taken:
                self.wait_until_taken()
            if options.kill_at is not None and self.sent >= options.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if options.disconnect_at is not None and self.sent >= options.disconnect_at:
                raise Ended

    # --------------------------------------------------------------------------------------------------------- serve

    def serve_raw(self):
        self.send(self.raw[min(self.clients, len(self.raw)) - 1])

    def log_time(self):
        """Where the program is in the log, in ns; at `max` it is where the last piece was."""
        if self.options.pace:
            return int((time.monotonic() - self.begun) * SECOND * self.options.pace)
        return self.recording.pieces[self.position - 1][0] if self.position else 0

    def begin_log(self):
        """The recorded program begins, or goes on with a new client."""
        self.recording = self.recordings[min(self.clients, len(self.recordings)) - 1]
        goes_on = self.options.again == "restart" and self.begun is not None and len(self.recordings) == 1
        if not goes_on:
            self.begun, self.position, self.epoch = time.monotonic(), 0, None
        if self.epoch is None and self.options.now:
            # At a pace, event time 0 is now; otherwise the log's end is.
            self.epoch = time.time_ns() - (0 if self.options.pace else self.recording.end_time)
            self.recording.set_epoch(self.epoch)
        return goes_on

    def skip_what_is_past(self):
        """While nobody listens, a program's events are lost."""
        now = self.log_time()
        while self.options.pace and self.position < len(self.recording.pieces) and self.recording.pieces[self.position][0] <= now:
            self.position += 1

    def recorded_epoch(self):
        return self.epoch if self.epoch is not None else eventlog.stream_epoch(self.recording.stream) or 0

    def first_definitions(self, goes_on):
        recording, options = self.recording, self.options
        if goes_on:
            return recording.definitions(self.log_time(), self.recorded_epoch())
        if options.now and not recording.clocks and eventlog.WALL_CLOCK_TIME in recording.stream.types:
            return recording.block(0, [recording.clock(0, self.epoch)])
        return b""

    def serve_log(self):
        goes_on = self.begin_log()
        if goes_on:
            self.skip_what_is_past()
        recording = self.recording
        self.send(recording.header())
        if self.options.hold is not None:
            say(f"holding after the header, {self.sent} bytes")
            self.wait(self.options.hold)
        self.send(self.first_definitions(goes_on))
        while self.position < len(recording.pieces):
            written, begin, end = recording.pieces[self.position]
            if self.options.stop_at is not None and written > self.options.stop_at * SECOND:
                break
            if self.options.pace:
                self.wait(self.begun + written / SECOND / self.options.pace - time.monotonic())
            self.position += 1
            self.send(bytes(recording.data[begin:end]))

    def wait_until_taken(self):
        """Until the client has read everything (SIOCOUTQ: what the kernel still holds), so that tests may count on it."""
        while True:
            waiting = bytearray(4)
            fcntl.ioctl(self.client, termios.TIOCOUTQ, waiting)
            if not struct.unpack("=i", waiting)[0]:
                return
            self.wait(0.002)

    def serve(self, client):
        """One client. False when the program has ended."""
        self.client, self.sent = client, 0
        self.clients += 1
        self.poll = select.poll()
        self.poll.register(client, select.POLLRDHUP | (select.POLLIN if self.options.record else 0))
        say(f"client {self.clients}")
        try:
            self.serve_raw() if self.options.raw else self.serve_log()
            self.wait_until_taken()
            say(f"end of the log after {self.sent} bytes")
            if self.options.end == "hold":
                self.wait(float("inf"))
        except Left:
            say(f"client {self.clients} left after {self.sent} bytes")
            return True
        except Ended:
            say(f"disconnected client {self.clients} after {self.sent} bytes")
            return True
        finally:
            if self.options.reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        self.begun = None
        return self.options.end == "close"

    def run(self):
        with self.listen() as listener:
            while True:
                client, _ = listener.accept()
                if not self.serve(client):
                    return


def pace(text):
    if text == "max":
        return 0.0
    return 1.0 if text == "realtime" else float(text.removesuffix("x"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="A second LOG is what the second and later clients get.")
    parser.add_argument("logs", metavar="LOG", nargs="+", type=pathlib.Path)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--unix", metavar="PATH")
    where.add_argument("--tcp", metavar="HOST:PORT")
    parser.add_argument("--pace", type=pace, default=0.0, metavar="max|realtime|Nx", help="each block at the time at which it was written; default max")
    parser.add_argument("--now", action="store_true", help="the recording's clock is set so that it plays now")
    parser.add_argument("--again", choices=("same", "restart"), default="same",
                        help="a further client gets the log from its beginning, or header, definitions and what comes then")
    parser.add_argument("--end", choices=("exit", "close", "hold"), default="exit",
                        help="at the end of the log: end, begin again with the next client, or stay connected and silent")
    parser.add_argument("--cut", type=int, metavar="MAX", help="send 1 to MAX bytes at a time")
    parser.add_argument("--pause", type=float, default=0.0, metavar="SECONDS", help="with --cut: pause that long at most, now and then")
    parser.add_argument("--taken", action="store_true", help="with --cut: each piece is sent when the one before was read, however busy the client is")
    parser.add_argument("--seed", type=int, default=1, help="of cuts and pauses")
    parser.add_argument("--hold", type=float, metavar="SECONDS", help="be silent that long after the header")
    parser.add_argument("--stop-at", type=float, metavar="SECONDS", help="the log ends at this event time")
    parser.add_argument("--disconnect-at", type=int, metavar="BYTES", help="close each connection there")
    parser.add_argument("--reset", action="store_true", help="close with a reset (TCP)")
    parser.add_argument("--kill-at", type=int, metavar="BYTES", help="the program dies there, with SIGKILL")
    parser.add_argument("--record", metavar="FILE", help="append what clients send")
    parser.add_argument("--raw", action="store_true", help="the file is no eventlog, or a damaged one: only its bytes are served")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    Server(parser.parse_intermixed_args()).run()


if __name__ == "__main__":
    main()
