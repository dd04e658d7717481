"""A program that lives as long as a test wants: an eventlog on a Unix socket, made as it goes, served as eventlog-socket does.

One client at a time; header and definitions again for each; what the client does not take is kept in memory, and how much
that ever was is `most_unsent`: a reader that stalls the program shows there. Each beat is a block with a number that is
never used again: as HEAP_SIZE and in a user message; every tenth beat also has a census whose rows add up to the number.
"""
import select
import socket
import struct
import threading
import time

import eventlog_writer as writer

ROWS = 20


class LivingProgram(threading.Thread):
    def __init__(self, path, beat=0.01, first=1):
        super().__init__(daemon=True)
        self.path, self.beat, self.number, self.first = path, beat, first - 1, first
        self.born, self.epoch = time.monotonic_ns(), time.time_ns()
        self.unsent, self.most_unsent, self.connections = bytearray(), 0, []
        self.client, self.over, self.lock = None, False, threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(5)
        self.start()

    # ------------------------------------------------------------------------------------------------ what it writes

    def _log(self):
        log = writer.Log()
        log.time = time.monotonic_ns() - self.born
        return log

    def _header(self):
        log = self._log()
        seconds, nanoseconds = divmod(self.epoch + log.time, 10**9)
        log.add(writer.WALL_CLOCK_TIME, struct.pack(">IQI", 1, seconds, nanoseconds))
        log.add(writer.OSPROCESS_PID, struct.pack(">II", 0, 4711))
        log.add(writer.RTS_IDENTIFIER, struct.pack(">I", 0) + b"GHC-9.10.3 rts_thr")
        log.add(writer.PROGRAM_ARGS, struct.pack(">I", 0) + b"./living\0--secret\0")
        log.profile(0x01000000)
        return log.data(end=False)

    def _block(self):
        self.number += 1
        log = self._log()
        log.add(writer.HEAP_SIZE, struct.pack(">IQ", 0, self.number))
        log.add(writer.USER_MESSAGE, b"message %d\0" % self.number)
        if self.number % 10 == 0:
            share = self.number // ROWS
            log.census(log.time, [(f"band {i:02}", share) for i in range(ROWS - 1)] + [("rest", self.number - share * (ROWS - 1))])
        log.block()
        return b"".join(log.blocks)

    # ------------------------------------------------------------------------------------------------------- serving

    def _accept(self):
        self.client = self.listener.accept()[0]
        self.client.setblocking(False)
        self.unsent = bytearray(self._header())
        with self.lock:
            self.connections.append([self.number + 1, self.number])

    def _lose(self):
        self.client.close()
        self.client, self.unsent = None, bytearray()

    def _send(self):
        try:
            while self.unsent:
                del self.unsent[:self.client.send(self.unsent[:65536])]
        except BlockingIOError:
            pass
        except OSError:
            self._lose()

    def _beat(self):
        block = self._block()
        if self.client is None:
            return
        self.unsent += block
        with self.lock:
            self.connections[-1][1] = self.number
            self.most_unsent = max(self.most_unsent, len(self.unsent))
        self._send()

    def _serve(self, until):
        waiting = [self.listener] if self.client is None else [self.client]
        ready, _, _ = select.select(waiting, [self.client] if self.unsent else [], [], max(0, until - time.monotonic()))
        if self.client is None and ready:
            self._accept()
        elif ready and not self._read():
            self._lose()
        if self.client is not None:
            self._send()

    def _read(self):
        try:
            return self.client.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            return b""

    def run(self):
        next_beat = time.monotonic()
        while not self.over:
            self._serve(next_beat)
            if time.monotonic() >= next_beat:
                next_beat += self.beat
                self._beat()

    def end(self):
        """The program ends in order: the end marker, then the socket goes."""
        self.over = True
        self.join()
        if self.client is not None:
            self.client.setblocking(True)
            self.client.settimeout(10)
            self.client.sendall(bytes(self.unsent) + b"\xff\xff")
            self.client.close()
        self.listener.close()
        self.path.unlink(missing_ok=True)

    # --------------------------------------------------------------------------------------------------- what it knows

    def numbers(self, connection=-1):
        """The numbers that were written for that connection."""
        with self.lock:
            first, last = self.connections[connection]
        return set(range(first, last + 1))

    def written(self):
        with self.lock:
            return self.connections[-1][1] if self.connections else 0
