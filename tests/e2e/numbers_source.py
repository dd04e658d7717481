"""A live program that only counts: an eventlog on a Unix socket, as eventlog-socket serves it, of user messages "n=0", "n=1", ...

It goes on counting over all its clients, and while nobody listens it waits. It knows when it sent which number, so that a test can say
what became of each. It runs in a thread of the test's own process.
"""
import bisect
import contextlib
import fcntl
import re
import select
import socket
import struct
import termios
import threading
import time

import eventlog_writer as writer
import harness

NUMBER = re.compile(r'message="n=(\d+)"')


def numbers(lines):
    """Those in lines of line protocol, in order."""
    return [int(match.group(1)) for line in lines if (match := NUMBER.search(line))]


class Numbers:
    def __init__(self, path, at_once=20, pause=0.002):
        """Sends `at_once` numbers in a block, then pauses; may be held (`running`)."""
        self.path, self.at_once, self.pause = path, at_once, pause
        self.sent = 0
        self.begins = []  # the first number of each client
        self.blocks = []  # (first number, monotonic time): when each block was sent
        self.running, self.ended, self.held = threading.Event(), threading.Event(), threading.Event()
        self.client = None
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        threading.Thread(target=self._serve_all, daemon=True).start()

    def close(self):
        self.ended.set()
        self.running.set()
        self.listener.close()

    def sent_at(self, number):
        """When it was sent; None: not yet, or to nobody."""
        i = bisect.bisect_right(self.blocks, (number, float("inf"))) - 1
        return self.blocks[i][1] if i >= 0 and number < self.sent else None

    def wait_until_still(self):
        """After running.clear(): what was under way is sent, too, and all is taken."""
        self.held.clear()
        harness.wait_for("the source to be held, or its client to be gone", lambda: self.held.is_set() or self.client is None)
        harness.wait_for("evpipe to read everything", self.all_taken)

    def all_taken(self):
        """The client has read everything (SIOCOUTQ: what the kernel still holds)."""
        client = self.client
        if client is None:
            return False
        waiting = bytearray(4)
        with contextlib.suppress(OSError, ValueError):
            fcntl.ioctl(client, termios.TIOCOUTQ, waiting)
            return not struct.unpack("=i", waiting)[0]
        return False

    def _serve_all(self):
        while not self.ended.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                self.client = client
                self._serve(client)
            self.client = None

    def _serve(self, client):
        log = writer.Log()
        log.epoch = time.time_ns()
        log.init()
        client.sendall(log.data(end=False))
        self.begins.append(self.sent)
        gone = select.poll()
        gone.register(client, select.POLLRDHUP)
        while not self.ended.is_set() and not gone.poll(0):
            if not self.running.wait(0.01):
                self.held.set()
                continue
            first, self.sent = self.sent, self.sent + self.at_once  # before they are sent: the other side may be quick
            self.blocks.append((first, time.monotonic()))
            client.sendall(self._block(time.time_ns() - log.epoch, range(first, self.sent)))
            self.ended.wait(self.pause)

    @staticmethod
    def _block(event_time, which):
        log = writer.Log()
        for number in which:
            log.add(writer.USER_MESSAGE, f"n={number}".encode(), event_time)
        log.block()
        return log.blocks[0]
