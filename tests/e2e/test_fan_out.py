#!/usr/bin/env python3
"""One live program to a real InfluxDB, two recorders, two ZeroMQ subscribers and a relay's reader, while one after the other fails.

The program counts; so what each got can be told to the number. With --full the database is away for a minute instead of ten seconds."""
import collections
import ctypes
import os
import re
import signal
import socket
import sys
import threading
import time

import harness
import eventlog
import influx
import test_zmq
from numbers_source import Numbers, numbers

OUTAGE = 60 if "--full" in sys.argv else 10
NUMBER = re.compile(rb"n=(\d+)")
PIPELINE = """
    sources:
      app: {plugin: socket, unix: "{{program}}", reconnect: {initial: 10ms, max: 50ms}}
    filters:
      notes: {plugin: logs, from: app}
    sinks:
      influx:
        plugin: influxdb
        from: notes
        url: "{{url}}"
        database: eventlog
        create_database: true
        batch: {max_delay: 200ms}
        retry: {initial: 100ms, max: 500ms}
        spool: {path: "{{folder}}/spool", max_size: 64MiB}
      archive: {plugin: recorder, from: app, fidelity: exact, path: "{{folder}}/archive-{start}.eventlog"}
      small: {plugin: recorder, from: app, path: "{{disk}}/small-{start}.eventlog"}
      fan: {plugin: zmq, from: app, bind: "{{address}}", high_water_mark: 4MiB}  # 64 messages: some seconds of a busy machine; of 256 KiB, four
      readers: {plugin: relay, from: app, unix: "{{relay}}"}
"""


class Reader(threading.Thread):
    """Reads what a relay serves, connecting anew as long as the test runs; one capture for each connection."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.captures, self.over, self.connected = path, [], False, threading.Event()
        self.start()

    def run(self):
        while not self.over:
            with socket.socket(socket.AF_UNIX) as client:
                try:
                    client.connect(str(self.path))
                except OSError:
                    time.sleep(0.01)
                    continue
                self.captures.append(bytearray())
                self.connected.set()
                client.settimeout(0.1)
                while not self.over and self._read(client):
                    pass

    def _read(self, client):
        try:
            data = client.recv(65536)
        except TimeoutError:
            return True
        except OSError:
            return False
        self.captures[-1] += data
        return bool(data)

    def newest(self):
        found = NUMBER.findall(self.captures[-1][-4096:]) if self.captures else []
        return int(found[-1]) if found else -1


def messages_in(data):
    """The numbers in an eventlog, in order."""
    return [int(match[1]) for stream in eventlog.streams(bytes(data)) for record in stream.records({eventlog.USER_MESSAGE})
            if (match := NUMBER.match(bytes(record.payload)))]


def contiguous(values):
    return values == list(range(values[0], values[0] + len(values)))


class FanOut(harness.Case):
    def setUp(self):
        test_zmq.needs_zmq()
        super().setUp()
        test_zmq.tolerate_libzmq(self)
        self.influx = influx.Influx(self)
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"tmpfs", str(self.disk).encode(), b"tmpfs", 0, b"size=64k"):
            harness.skip(f"a small tmpfs can not be mounted: {os.strerror(ctypes.get_errno())}")
        self.addCleanup(libc.umount2, str(self.disk).encode(), 2)
        self.program, self.reader = None, None
        self.address, self.relay = f"ipc://{self.folder}/fan.ipc", self.folder / "relay.sock"

    def tearDown(self):
        if self.program:
            self.program.close()
        if self.reader:
            self.reader.over = True
            self.reader.join()

    def begin(self, name):
        text = harness.copies(PIPELINE, program=self.folder / "app.sock", url=self.influx.url, folder=self.folder, disk=self.disk,
                              address=self.address, relay=self.relay)
        return self.evpipe(text, "--log-level", "debug", name=name)

    def subscribe(self, process, name):
        known = process.err().count("somebody subscribed to")
        subscriber = test_zmq.Subscriber(self, self.address, "bytes/", name=name)
        harness.wait_for("the subscription", lambda: process.err().count("somebody subscribed to") > known)
        return subscriber

    def stored(self):
        """The numbers that InfluxDB has."""
        series = self.influx.query('SELECT message FROM "ghc_log"')
        return collections.Counter(int(text[2:]) for one in series for _, text in one["values"] if text.startswith("n="))

    @staticmethod
    def newest_of(subscriber):
        for message in reversed(subscriber.messages()):
            found = NUMBER.findall(message.parts[0])
            if found:
                return int(found[-1])
        return -1

    def check_current(self, process, *what):
        """Whoever is not disturbed has what the program writes now, while the others are away. Prints the longest delay."""
        self.assertTrue(process.running(), process.err())
        number, begin = self.program.sent, time.monotonic()
        for newest in what:
            harness.wait_for(lambda: f"number {number}; newest is {newest()}", lambda: newest() >= number)
        print(f"everybody else had number {number} after {time.monotonic() - begin:.2f} s")

    def check_never_stalled(self):
        """The program was never kept waiting, as it would be by a pipeline that stands still for as long as the database is away."""
        times = [when for _, when in self.program.blocks]
        begins = {first for first in self.program.begins}
        pauses = [after - before for (before, after, (first, _)) in zip(times, times[1:], self.program.blocks[1:]) if first not in begins]
        print(f"{len(times)} blocks, the longest pause between two was {max(pauses):.2f} s")
        self.assertLess(max(pauses), OUTAGE / 2)

    def check_counts(self, process):
        """In = delivered + rejected + dropped + what stays in the spool, of each sink; by the totals that evpipe tells."""
        totals = dict(re.findall(r"(\w+) \([^)]*\): done: (.*)", process.err()))
        for name in ("influx", "archive", "small", "fan", "readers"):
            total = {word: int(n) for word, n in re.findall(r"(in|delivered|rejected|dropped|recovered|spooled) (\d+)", totals[name])}
            got = sum(total.get(word, 0) for word in ("delivered", "rejected", "dropped", "spooled"))
            self.assertEqual(total["in"] + total.get("recovered", 0), got, f"{name}: {totals[name]}")
            print(f"{name}: {totals[name]}")
        return totals

    def test_one_after_the_other(self):
        process = self.begin("first")
        self.reader = Reader(self.relay)
        self.assertTrue(self.reader.connected.wait(60 * harness.PATIENCE))
        steady, stopped = self.subscribe(process, "steady"), self.subscribe(process, "stopped")
        self.program = Numbers(self.folder / "app.sock", at_once=20, pause=0.01)
        self.program.running.set()
        harness.wait_for("InfluxDB to have something", self.stored)

        # the database is away, a subscriber sleeps, and a disk is full: the others do not notice
        self.influx.stop()
        stopped.process.send(signal.SIGSTOP)
        end = time.monotonic() + OUTAGE
        self.wait_err(process, "small .*No space left on device")
        while time.monotonic() < end:
            self.check_current(process, self.reader.newest, lambda: self.newest_of(steady))
            time.sleep(1)
        stopped.process.send(signal.SIGCONT)
        self.check_current(process, self.reader.newest, lambda: self.newest_of(steady))
        self.assertTrue(process.running(), process.err())

        # evpipe itself dies while the database is away
        self.assertEqual(len(self.program.begins), 1)
        process.popen.send_signal(signal.SIGKILL)
        process.wait()
        killed = self.program.sent
        self.check_first_life(steady)
        second = self.begin("second")
        harness.wait_for(lambda: f"evpipe to come back: {second.err()}", lambda: len(self.program.begins) == 2)
        harness.wait_for("some numbers to go into the spool behind those of the first life",
                         lambda: self.program.sent >= self.program.begins[1] + 1000 and self.program.all_taken())
        self.influx.start()
        self.finish(second, killed)

    def check_first_life(self, steady):
        """The exact recording, the relay's reader and the steady subscriber have the same bytes, as far as each goes."""
        archive, = self.folder.glob("archive-*.eventlog*")
        recorded, relayed = archive.read_bytes(), bytes(self.reader.captures[0])
        short = min(len(recorded), len(relayed))
        self.assertGreater(short, 100000)
        self.assertEqual(recorded[:short], relayed[:short])
        log, = steady.logs().values()
        self.assertEqual(log.restarts, 0, "the steady subscriber has missed something")
        self.assertEqual(bytes(log.data[:short]), recorded[:len(log.data)][:short])
        self.assertTrue(contiguous(messages_in(recorded)))

    def finish(self, second, killed):
        self.program.running.clear()
        last = self.program.sent - 1
        harness.wait_for(lambda: f"InfluxDB to have number {last}", lambda: last in self.stored())
        self.assertEqual(second.stop(), 1, second.err())  # the full disk lost something
        self.check_sound(second)
        self.check_counts(second)
        self.check_never_stalled()
        stored = self.stored()
        self.assertEqual(set(stored.values()), {1})
        missing = sorted(set(range(self.program.sent)) - set(stored))
        print(f"{len(missing)} of {self.program.sent} numbers were read and not sealed when evpipe was killed, or written while none was there")
        for number in missing:
            self.assertLess(number, self.program.begins[1])
        # What was not sealed is no older than max_delay and what a busy machine adds: not all of the outage.
        self.assertTrue(not missing or self.program.sent_at(killed - 1) - self.program.sent_at(missing[0]) < OUTAGE / 2)
        recordings = [messages_in(path.read_bytes()) for path in sorted(self.folder.glob("archive-*.eventlog"))]
        self.assertEqual(recordings[-1], list(range(self.program.begins[1], self.program.sent)))


if __name__ == "__main__":
    sys.argv = [word for word in sys.argv if word != "--full"]
    harness.main()
