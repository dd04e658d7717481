#!/usr/bin/env python3
"""The sink zmq against subscribers of its own library: what they record, how they come late, lose, are refused."""
import contextlib
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest.mock

import harness
import eventlog
import zmq_messages
from zmq_messages import END, GAP, NO_SYNC, SNAPSHOT

SYSTEM_PYTHON = "/usr/bin/python3"
SUBSCRIBER = harness.SOURCE / "tests" / "e2e" / "zmq_subscriber.py"
EXAMPLES = harness.SOURCE / "examples" / "zmq-subscriber"
PIPELINE = """
sources:
  app: {plugin: socket, unix: "{{path}}", reconnect: {initial: 10ms, max: 50ms}}
{{filters}}
sinks:
  fan:
    plugin: zmq
    from: {{inputs}}
    {{where}}
    {{more}}
"""
HEAP = "filters:\n  heap: {plugin: heap, from: app}\n"
NOTES = "  notes: {plugin: logs, from: app}\n"


# Pulls, but takes nothing.
STUCK = """
import sys, time, zmq
socket = zmq.Context().socket(zmq.PULL)
socket.rcvhwm = 1
monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
socket.connect(sys.argv[1])
monitor.recv()
print("connected", file=sys.stderr, flush=True)
time.sleep(60)
"""


def needs_zmq():
    if not pathlib.Path(SYSTEM_PYTHON).exists() or subprocess.run([SYSTEM_PYTHON, "-c", "import zmq"], capture_output=True).returncode:
        harness.skip(f"{SYSTEM_PYTHON} has no module zmq (python3-zmq)")


def tolerate_libzmq(case):
    """libzmq was not built for ThreadSanitizer: what its threads do looks like races."""
    if "TSAN_OPTIONS" in os.environ:
        suppressions = case.folder / "suppressions"
        suppressions.write_text("race:libzmq.so\n")
        case.enterContext(unittest.mock.patch.dict(os.environ, TSAN_OPTIONS=f"{os.environ['TSAN_OPTIONS']}:suppressions={suppressions}"))


class Program:
    """A program whose eventlog the test writes by hand."""

    def __init__(self, case):
        self.path = case.folder / "app.sock"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(1)
        self.client = None
        case.addCleanup(self.close)

    def write(self, data):
        if not self.client:
            self.listener.settimeout(60 * harness.PATIENCE)
            self.client, _ = self.listener.accept()
        self.client.sendall(data)

    def forget(self):
        """A connection of somebody who is gone."""
        self.listener.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.listener.accept()[0].close()

    def end(self):
        if self.client:
            self.client.close()
        self.client = None

    def close(self):
        self.end()
        self.listener.close()


class Subscriber:
    def __init__(self, case, address, *topics, name="subscriber", options=()):
        self.file = case.folder / (name + ".messages")
        self.looked = self.size = 0
        words = [word for topic in topics for word in ("--subscribe", topic)]
        self.process = case.start([SYSTEM_PYTHON, SUBSCRIBER, address, self.file, *words, *options], name)

    def messages(self):
        return zmq_messages.read(self.file)

    def logs(self):
        return zmq_messages.logs(self.messages())

    def bytes(self):
        """How many of `bytes` it got, snapshots left out; looks only at what is new."""
        new, self.looked = zmq_messages.read_from(self.file, self.looked)
        self.size += sum(message.items for message in new if not message.flags & SNAPSHOT)
        return self.size

    def place(self):
        """Up to where it has the stream, not counting what it lost before."""
        return max((message.offset + message.items for message in self.messages() if not message.flags & SNAPSHOT), default=0)

    def wait(self, what, condition):
        return harness.wait_for(lambda: f"{what}; it got {len(self.messages())} messages", lambda: condition(self.messages()))

    def wait_end(self, signals=("bytes",), n=1):
        self.wait(f"the end of {signals}", lambda messages: all(
            sum(bool(message.flags & END) and message.topic.startswith(signal + "/") for message in messages) >= n for signal in signals))


class ZmqCase(harness.Case):
    def setUp(self):
        needs_zmq()
        super().setUp()
        tolerate_libzmq(self)
        self.program = Program(self)
        self.address = f"ipc://{self.folder}/fan.ipc"

    def begin(self, inputs="app", filters="", where=None, more="", name="evpipe", text=PIPELINE):
        where = where or f'bind: "{self.address}"'
        config = harness.copies(text, path=self.program.path, inputs=inputs, filters=filters, where=where, more=more)
        process = self.evpipe(config, "--log-level", "debug", name=name)
        if "bind" in where:
            self.wait_err(process, "listening on")
        return process

    def subscribe(self, evpipe, *topics, name="subscriber", options=(), address=None):
        """A subscriber of whom evpipe knows."""
        known = evpipe.err().count("somebody subscribed to")
        subscriber = Subscriber(self, address or self.address, *topics, name=name, options=options)
        harness.wait_for(lambda: f"the subscription: {evpipe.err()} {subscriber.process.err()}",
                         lambda: evpipe.err().count("somebody subscribed to") >= known + len(topics))
        return subscriber

    def finish(self, evpipe, status=0):
        self.assertEqual(evpipe.stop(), status, evpipe.err())
        self.check_sound(evpipe)
        return evpipe.err()

    def check_tail(self, data, log):
        """What a late subscriber has: the definitions, and from some block on each record of the source, once."""
        source, mine = next(eventlog.streams(data)), next(eventlog.streams(bytes(log.data)))
        self.assertEqual(mine.types, source.types)
        wanted = [record._replace(offset=0) for record in source.records() if record.offset >= log.begin]
        got = [record._replace(offset=0) for record in mine.records() if record.offset >= log.prologue]
        self.assertEqual(got, wanted)
        self.assertEqual((mine.complete, mine.trailing), (source.complete, source.trailing))
        return mine

    def show(self, data, name):
        """What evpipe prints of a log."""
        log = self.folder / (name + ".eventlog")
        log.write_bytes(data)
        status, out, err = self.run_evpipe(f"""
            sources: {{log: {{plugin: file, path: "{log}"}}}}
            filters: {{order: {{plugin: sort, from: log}}}}
            sinks: {{out: {{plugin: print, from: order}}}}
            """, name=name)
        self.assertEqual(status, 0, err)
        return out


class Recording(ZmqCase):
    def test_bytes_metrics_and_logs_as_they_came(self):
        data = harness.OWN_LOG.read_bytes()
        evpipe = self.begin("[app, heap, notes]", HEAP + NOTES, text=PIPELINE + """
  objects: {plugin: print, from: [heap, notes], format: json, path: "%s/objects"}
""" % self.folder)
        subscriber = self.subscribe(evpipe, "bytes/", "metrics/app/heap/", "logs/")
        self.program.write(data)
        self.program.end()
        subscriber.wait_end(("bytes", "metrics", "logs"))
        self.finish(evpipe)
        messages = subscriber.messages()
        self.assertEqual({message.topic for message in messages}, {"bytes/app/app/", "metrics/app/heap/", "logs/app/notes/"})
        log, = zmq_messages.logs(messages).values()
        self.assertTrue(log.data == data and log.ended)
        self.assertEqual(self.show(bytes(log.data), "recorded"), self.show(data, "source"))
        self.assertFalse(any(zmq_messages.missing(messages).values()))
        got = zmq_messages.objects(messages, "metrics") + zmq_messages.objects(messages, "logs")
        wanted = (self.folder / "objects").read_bytes().splitlines()
        self.assertGreater(len(wanted), 1000)
        self.assertEqual(sorted(got), sorted(wanted))
        self.check_headers(messages)

    def test_histograms(self):
        """A part has all buckets, as `print` shows them; a subscriber that comes late gets the last value of each series."""
        evpipe = self.begin("gc", "filters:\n  gc: {plugin: gc, from: app}\n", text=PIPELINE + """
  objects: {plugin: print, from: gc, format: json, path: "%s/objects"}
""" % self.folder)
        subscriber = self.subscribe(evpipe, "metrics/")
        data = harness.OWN_LOG.read_bytes()
        self.program.write(data[:len(data) // 2])
        subscriber.wait("histograms", lambda messages: any(b"ghc_gc_pause_seconds" in part for part in zmq_messages.objects(messages, "metrics")))
        late = self.subscribe(evpipe, "metrics/", name="late")
        late.wait("last values", lambda messages: zmq_messages.objects(messages, "metrics", snapshot=True))
        self.program.write(data[len(data) // 2:])
        self.program.end()
        subscriber.wait_end(("metrics",))
        late.wait_end(("metrics",))
        self.finish(evpipe)
        wanted = (self.folder / "objects").read_bytes().splitlines()
        self.assertEqual(zmq_messages.objects(subscriber.messages(), "metrics"), wanted)
        kept = zmq_messages.objects(late.messages(), "metrics", snapshot=True)
        self.assertIn(b"ghc_gc_pause_seconds", b"".join(kept))
        self.assertLessEqual(set(kept), set(wanted))
        value = json.loads(next(part for part in reversed(wanted) if b"ghc_gc_pause_seconds" in part))["value"]
        self.assertEqual((value["count"], len(value["buckets"]), value["buckets"][-1]), (31, 15, {"le": "+Inf", "count": 31}))

    def check_headers(self, messages):
        epoch = eventlog.stream_epoch(next(eventlog.streams(harness.OWN_LOG.read_bytes())))
        for message in messages:
            self.assertEqual((message.magic, message.version, message.lost), (b"EVPZ", 1, 0))
            count = len(message.parts[0]) if message.topic.startswith("bytes/") else len(message.parts)
            self.assertEqual(message.items, count)
            self.assertLessEqual(sum(map(len, message.parts)), 64 * 1024)
        self.assertEqual({message.epoch for message in messages if message.topic.startswith("metrics/")}, {epoch})
        self.assertEqual(len({message.publisher for message in messages}), 1)
        sizes = [len(message.parts[0]) for message in messages if message.topic.startswith("bytes/")]
        self.assertGreater(sum(sizes) / len(sizes), 4096)

    def test_filtered_events_are_an_eventlog_again(self):
        data = harness.OWN_LOG.read_bytes()
        evpipe = self.begin("few", 'filters:\n  few: {plugin: select, from: app, events: ["HEAP_*", "GC_*", "THREAD_LABEL"]}\n')
        subscriber = self.subscribe(evpipe, "events/")
        half = len(data) // 2
        self.program.write(data[:half])
        subscriber.wait("the first half", lambda messages: messages)
        late = self.subscribe(evpipe, "events/", name="late")
        self.program.write(data[half:])
        self.program.end()
        subscriber.wait_end(("events",))
        late.wait_end(("events",))
        self.finish(evpipe)
        log, = subscriber.logs().values()
        self.assertEqual((log.ended, log.restarts), (True, 0))
        got = [record[:4] for record in next(eventlog.streams(bytes(log.data))).records() if record.type != eventlog.BLOCK_MARKER]
        source = next(eventlog.streams(data))
        names = {record.type for record in map(lambda record: record, source.records())}
        wanted = [record[:4] for record in source.records() if record.type in {item[0] for item in got}]
        self.assertGreater(len(names), len({item[0] for item in got}))
        self.assertEqual(got, wanted)
        tail, = late.logs().values()
        self.assertGreater(tail.prologue, 0)
        records = [record[:4] for record in next(eventlog.streams(bytes(tail.data))).records()
                   if record.offset >= tail.prologue and record.type != eventlog.BLOCK_MARKER]
        self.assertGreater(len(records), 100)
        self.assertEqual(records, wanted[-len(records):])

    def test_two_sources_and_a_restarted_program(self):
        logs = [(harness.DATA / name).read_bytes() for name in ("par-966-N2-lf.eventlog", "par-966-N3-qg.eventlog")]
        second = self.replay(harness.DATA / "ticky-966.eventlog", "--hold", "0", name="second")
        evpipe = self.begin("[app, other]", text=PIPELINE.replace("{{filters}}", """\
  other: {plugin: socket, unix: "%s", labels: {service: "a/b c"}}
""" % second.path))
        subscriber = self.subscribe(evpipe, "")
        for log in logs:
            self.program.write(log)
            self.program.end()
        subscriber.wait_end(("bytes/app/app",), n=2)  # the other's may come at any time, or have come before
        self.finish(evpipe)
        found = subscriber.logs()
        self.assertEqual([bytes(log.data) for (topic, _), log in found.items() if topic == "bytes/app/app/"], logs)
        self.assertEqual(len({stream for _, stream in found}), len(found))
        self.assertLessEqual({topic for topic, _ in found}, {"bytes/app/app/", "bytes/a%2Fb%20c/other/"})
        self.assertEqual([number for (topic, _), gone in zmq_messages.missing(subscriber.messages()).items() for number in gone], [])

    def test_a_secret_is_not_sent(self):
        data = harness.OWN_LOG.read_bytes()
        evpipe = self.begin(more="redact: [arguments, environment]")
        subscriber = self.subscribe(evpipe, "bytes/")
        self.program.write(data[:400_000])
        subscriber.wait("the first part", lambda messages: sum(message.items for message in messages) > 300_000)
        late = self.subscribe(evpipe, "bytes/", name="late")
        self.program.write(data[400_000:])
        self.program.end()
        subscriber.wait_end()
        late.wait_end()
        self.finish(evpipe)
        secret = next(record for record in next(eventlog.streams(data)).records({eventlog.PROGRAM_ARGS})).payload[4:]
        for log in (*subscriber.logs().values(), *late.logs().values()):
            args = next(record for record in next(eventlog.streams(bytes(log.data))).records({eventlog.PROGRAM_ARGS})).payload[4:]
            self.assertEqual(args, bytes(byte and ord("x") for byte in secret))
            self.assertTrue(log.ended)


class Late(ZmqCase):
    def test_while_the_stream_goes_on(self):
        data = harness.OWN_LOG.read_bytes()
        evpipe = self.begin()
        early = self.subscribe(evpipe, "bytes/", name="early")
        late = []
        for number, begin in enumerate(range(0, len(data), 150_001)):
            self.program.write(data[begin:begin + 150_001])
            early.wait("what was written", lambda messages: sum(
                message.items for message in messages if not message.flags & SNAPSHOT) >= min(begin + 150_001, len(data)) - 1)
            if number < 2:
                late.append(self.subscribe(evpipe, "bytes/app/", name=f"late{number}"))
                late[-1].wait("the prologue", lambda messages: messages)
        self.program.end()
        early.wait_end()
        for subscriber in late:
            subscriber.wait_end()
        self.finish(evpipe)
        log, = early.logs().values()
        self.assertTrue(log.data == data)
        for subscriber in late:
            log, = subscriber.logs().values()
            self.assertGreater(log.prologue, 0)
            self.check_tail(data, log)
            self.show(bytes(log.data), subscriber.process.name)

    def test_while_every_stream_is_idle(self):
        data = harness.OWN_LOG.read_bytes()
        evpipe = self.begin("[app, heap]", HEAP)
        self.wait_err(evpipe, "connect")
        self.program.write(data[:300_001])
        early = self.subscribe(evpipe, "", name="early")
        early.wait("values", lambda messages: zmq_messages.objects(messages, "metrics", snapshot=True))
        for number in range(100):  # until evpipe is through with what was written
            subscriber = self.subscribe(evpipe, "bytes/", "metrics/", name=f"late{number}")
            subscriber.wait("a prologue and last values", lambda messages: {message.topic for message in messages} == {
                "bytes/app/app/", "metrics/app/heap/"})
            if not zmq_messages.objects(subscriber.messages(), "metrics"):
                break
        values = zmq_messages.objects(subscriber.messages(), "metrics", snapshot=True)
        self.assertTrue(any(b"ghc_heap_live_bytes" in value for value in values))
        self.assertFalse(zmq_messages.objects(subscriber.messages(), "metrics"))
        self.program.write(data[300_001:])
        self.program.end()
        subscriber.wait_end(("bytes", "metrics"))
        self.finish(evpipe)
        log, = subscriber.logs().values()
        self.check_tail(data, log)

    def test_what_is_defined_between_the_snapshot_and_its_begin_comes_too(self):
        data = (harness.DATA / "ipe-9103-hi.eventlog").read_bytes()
        source = next(eventlog.streams(data))
        tables = [data[record.offset:record.offset + 12 + len(record.payload)] for record in source.records({eventlog.IPE})]
        blocks = [self.block(tables[at::3]) for at in range(3)]
        data = data[:source.header_size] + b"".join(blocks) + b"\xff\xff"
        half = source.header_size + len(blocks[0]) + len(blocks[1]) // 2
        evpipe = self.begin()
        early = self.subscribe(evpipe, "bytes/", name="early")
        self.program.write(data[:half])
        harness.wait_for("what was written", lambda: early.bytes() >= half - 1)  # or the late one would not be late
        subscriber = Subscriber(self, self.address, "bytes/")
        subscriber.wait("the prologue", lambda messages: messages)
        self.program.write(data[half:])
        self.program.end()
        subscriber.wait_end()
        self.finish(evpipe)
        log, = subscriber.logs().values()
        self.assertEqual(log.begin, source.header_size + len(blocks[0]) + len(blocks[1]))
        self.check_tail(data, log)
        self.assertEqual(len(list(next(eventlog.streams(bytes(log.data))).records({eventlog.IPE}))), len(tables))

    def block(self, records):
        body = b"".join(records)
        return struct.pack(">HQIQH", eventlog.BLOCK_MARKER, 0, 24 + len(body), 0, 0) + body

    def test_many_subscriptions_make_few_snapshots(self):
        data = harness.OWN_LOG.read_bytes()
        evpipe, begin = self.begin(), time.monotonic()
        subscriber = self.subscribe(evpipe, "bytes/")
        self.program.write(data[:300_000])
        subscriber.wait("bytes", lambda messages: messages)
        crowd = Subscriber(self, self.address, *[f"bytes/app/app/"[:6 + at % 8] for at in range(200)], name="crowd")
        crowd.wait("a prologue", lambda messages: messages)
        self.program.write(data[300_000:])
        self.program.end()
        subscriber.wait_end()
        self.finish(evpipe)
        firsts = [message for message in subscriber.messages() if message.flags & SNAPSHOT and message.offset == 0]
        self.assertLessEqual(len(firsts), 2 + time.monotonic() - begin)  # at most one a second


class Losing(ZmqCase):
    def big(self, times):
        """A log whose blocks come again and again."""
        data = harness.OWN_LOG.read_bytes()
        begin = next(eventlog.streams(data)).header_size
        marks = [record.offset for record in next(eventlog.streams(data)).records({eventlog.BLOCK_MARKER})]
        return data[:begin] + data[marks[0]:-2] * times + data[-2:], data[:begin] + data[begin:marks[0]]

    def test_one_that_stands_still(self):
        """It costs the others nothing, every byte that it misses is counted, and it begins again by itself."""
        data, _ = self.big(16)
        evpipe = self.begin(more="high_water_mark: 256KiB")
        healthy = self.subscribe(evpipe, "bytes/", name="healthy")
        stopped = self.subscribe(evpipe, "bytes/", name="stopped", options=("--rcvhwm", "1"))
        stopped.process.send(signal.SIGSTOP)
        last = 6_000_000
        self.feed(data, 0, last, lambda: healthy.bytes())
        stopped.process.send(signal.SIGCONT)
        stopped.wait("the new begin", lambda messages: any(message.flags & SNAPSHOT for message in messages))
        got = sum(message.items for message in stopped.messages() if not message.flags & SNAPSHOT)
        self.feed(data, last, len(data), lambda: min(healthy.bytes(), stopped.place()))  # it is not to lose anything again
        self.program.end()
        healthy.wait_end()
        stopped.wait_end()
        err = self.finish(evpipe)
        log, = healthy.logs().values()
        self.assertTrue(log.data == data)
        lost = last - got
        self.assertGreater(lost, 1_000_000)
        self.assertRegex(err, rf"(?s){lost} .*high_water_mark|high_water_mark.* {lost}")
        self.assertTrue(any(zmq_messages.missing(stopped.messages()).values()))
        log, = stopped.logs().values()
        self.assertEqual(log.restarts, 1)
        self.check_tail(data, log)

    def test_a_signal_ends_the_lingering(self):
        data, _ = self.big(10)
        evpipe = self.begin(more="linger: 1h", text="shutdown_timeout: 1h\n" + PIPELINE)
        stopped = self.subscribe(evpipe, "bytes/", name="stopped", options=("--rcvhwm", "1"))
        stopped.process.send(signal.SIGSTOP)
        self.program.write(data)
        self.program.end()
        self.wait_err(evpipe, "stream ended")
        evpipe.send(signal.SIGTERM)
        # The socket's file goes when all threads are joined, just before the lingering: that is what the next signal ends.
        harness.wait_for("evpipe to linger", lambda: not (self.folder / "fan.ipc").exists())
        self.finish(evpipe)
        lost = int(re.search(r"dropped (\d+) items: linger", evpipe.err())[1])
        self.assertRegex(evpipe.err(), rf"delivered {len(data) - lost}\b")

    def feed(self, data, begin, end, place):
        """At the pace of the subscribers that are well, as they need not have room for all."""
        for at in range(begin, end, 64 * 1024):
            stop = min(at + 64 * 1024, end)
            self.program.write(data[at:stop])
            harness.wait_for("the healthy ones to get it", lambda: place() >= stop)

    def test_an_announced_gap(self):
        """What evpipe's own queue dropped: the next message says so, and a new prologue comes by itself."""
        data, _ = self.big(60)
        evpipe = self.begin(more="queue: {max_size: 512KiB, when_full: drop_oldest}\n    high_water_mark: 64MiB")
        subscriber = self.subscribe(evpipe, "bytes/")
        evpipe.send(signal.SIGSTOP)
        writer = threading.Thread(target=self.program.write, args=(data,))
        writer.start()
        evpipe.send(signal.SIGCONT)
        writer.join()
        self.program.end()
        subscriber.wait_end()
        err = self.finish(evpipe)
        messages = subscriber.messages()
        if "queue_full" not in err:
            harness.skip("the sink was never slower than the source")
        gaps = [message for message in messages if message.flags & GAP]
        self.assertGreater(len(gaps), 0)
        got = sum(message.items for message in messages if not message.flags & SNAPSHOT)
        self.assertEqual(sum(message.lost for message in gaps) + got, len(data))
        self.assertFalse(any(zmq_messages.missing(messages).values()))
        log, = zmq_messages.logs(messages).values()
        if log.ended:
            self.check_tail(data, log)


class Connecting(ZmqCase):
    def test_a_restarted_publisher_shows(self):
        data = (harness.DATA / "ticky-966.eventlog").read_bytes()
        self.address = f"tcp://127.0.0.1:{harness.free_port()}"
        first = self.begin()
        subscriber = self.subscribe(first, "bytes/")
        self.program.write(data)
        self.program.end()
        subscriber.wait_end()
        first.kill()
        self.program.forget()
        second = self.begin(name="second")
        self.wait_err(second, "somebody subscribed")
        self.program.write(data)
        self.program.end()
        subscriber.wait_end(n=2)
        self.finish(second)
        messages = subscriber.messages()
        publishers = list(dict.fromkeys(message.publisher for message in messages))
        self.assertEqual(len(publishers), 2)
        self.assertLess(publishers[0], publishers[1])
        for publisher in publishers:
            self.assertEqual(next(message.sequence for message in messages if message.publisher == publisher), 0)
        self.assertEqual([bytes(log.data) for log in subscriber.logs().values()], [data, data])

    def test_somebody_else_is_there(self):
        """Neither a file nor a socket that somebody listens on is taken away; one that was left behind is."""
        path = self.folder / "fan.ipc"
        path.write_text("mine")
        for said in ("is there already, and is no socket", "somebody else listens on it"):
            status, _, err = self.run_evpipe(harness.copies(PIPELINE, path=self.program.path, inputs="app", filters="", where=f"bind: {self.address}", more=""), name="second")
            self.assertEqual(status, 1, err)
            self.assertIn(said, err)
            if path.is_file():
                self.assertEqual(path.read_text(), "mine")
                path.unlink()
                first = self.begin()
        first.kill()
        self.assertTrue(path.is_socket())
        self.program.forget()
        third = self.begin(name="third")
        self.subscribe(third, "bytes/")
        self.finish(third)
        self.assertFalse(path.exists())

    def test_connect(self):
        data = (harness.DATA / "ticky-966.eventlog").read_bytes()
        self.address = f"tcp://127.0.0.1:{harness.free_port()}"
        subscriber = Subscriber(self, self.address, "bytes/", options=("--bind",))
        evpipe = self.begin(where=f"connect: {self.address}")
        self.wait_err(evpipe, "somebody subscribed")
        self.program.write(data)
        self.program.end()
        subscriber.wait_end()
        self.finish(evpipe)
        log, = subscriber.logs().values()
        self.assertEqual(bytes(log.data), data)

    def test_push_waits_for_who_pulls_and_shares_out(self):
        data = harness.OWN_LOG.read_bytes()
        config = harness.copies("""
            sources: {log: {plugin: file, path: "{{log}}"}}
            sinks: {fan: {plugin: zmq, from: log, bind: "{{address}}", pattern: push, high_water_mark: 64KiB}}
            """, log=harness.OWN_LOG, address=self.address)
        evpipe = self.evpipe(config)
        self.wait_err(evpipe, "listening on")
        pullers = [Subscriber(self, self.address, name=f"puller{number}", options=("--pull",)) for number in range(2)]
        self.assertEqual(evpipe.wait(), 0, evpipe.err())
        self.check_sound(evpipe)

        def all_messages():
            return sorted(itertools.chain.from_iterable(puller.messages() for puller in pullers), key=lambda message: message.sequence)
        harness.wait_for("everything", lambda: sum(message.items for message in all_messages()) == len(data))
        messages = all_messages()
        self.assertEqual([message.sequence for message in messages], list(range(len(messages))))
        self.assertEqual(b"".join(message.parts[0] for message in messages), data)

    def test_push_without_anybody_is_counted(self):
        status, _, err = self.run_evpipe(harness.copies("""
            shutdown_timeout: 300ms
            sources: {log: {plugin: file, path: "{{log}}"}}
            sinks: {fan: {plugin: zmq, from: log, bind: "{{address}}", pattern: push, linger: 100ms}}
            """, log=harness.DATA / "par-966-N2-lf.eventlog", address=self.address))
        size = (harness.DATA / "par-966-N2-lf.eventlog").stat().st_size
        self.assertRegex(err, rf"{size} ")
        self.assertRegex(err, "nobody_pulls")


    def test_push_counts_each_byte_once(self):
        """Of a batch that was begun with, and dropped when time was up, part waits here and part in ZeroMQ."""
        log = self.folder / "big.eventlog"
        log.write_bytes(harness.OWN_LOG.read_bytes() * 10)
        for pulls in (False, True):
            with self.subTest(pulls=pulls):
                evpipe = self.evpipe(harness.copies("""
                    shutdown_timeout: 300ms
                    sources: {log: {plugin: file, path: "{{log}}"}}
                    sinks: {fan: {plugin: zmq, from: log, bind: "{{address}}", pattern: push, high_water_mark: 64KiB, linger: 100ms, queue: {max_size: 1MiB}}}
                    """, log=log, address=self.address), "--log-level", "debug", name=f"evpipe-{pulls}")
                self.wait_err(evpipe, "listening on")
                if pulls:
                    puller = self.start([SYSTEM_PYTHON, "-c", STUCK, self.address], "puller")
                    self.wait_err(puller, "connected")
                harness.wait_for("more to be read than one batch", lambda: self.place(evpipe, log) > 512 << 10)
                self.assertEqual(evpipe.stop(), 1, evpipe.err())
                line = re.search(r"fan \(.*done: (.*)", evpipe.err())[1]
                counts = {word: int(n) for word, n in re.findall(r"(in|delivered|dropped) (\d+)", line)}
                self.assertEqual(counts["in"], counts.get("delivered", 0) + counts["dropped"], evpipe.err())

    def place(self, process, path):
        """How far the process has read the file."""
        folder = pathlib.Path("/proc", str(process.pid))
        for number in os.listdir(folder / "fd"):
            with contextlib.suppress(OSError):
                if os.readlink(folder / "fd" / number) == str(path):
                    return int((folder / "fdinfo" / number).read_text().split()[1])
        return 0


class Curve(ZmqCase):
    def setUp(self):
        super().setUp()
        self.keys = [subprocess.run([SYSTEM_PYTHON, "-c", "import zmq; print(*[key.decode() for key in zmq.curve_keypair()])"],
                                    capture_output=True, text=True, check=True).stdout.split() for _ in range(3)]
        self.address = f"tcp://127.0.0.1:{harness.free_port()}"

    def curve(self, more):
        return f"curve: {{secret_key: {{file: {self.secret()}}}, {more}}}"

    def secret(self):
        path = self.folder / "secret"
        path.write_text(self.keys[0][1])
        path.chmod(0o600)
        return path

    def client(self, number, server=0):
        return ("--curve=" + ",".join((self.keys[server][0], *self.keys[number])),)

    def test_only_listed_keys_come_in(self):
        data = (harness.DATA / "ticky-966.eventlog").read_bytes()
        listed = self.folder / "keys"
        listed.write_text(f"# who may\n\n  {self.keys[1][0]}  # the first\n")
        evpipe = self.begin(more=self.curve(f'allowed_keys_file: "{listed}"'))
        refused = Subscriber(self, self.address, "", name="refused", options=self.client(2))
        bare = Subscriber(self, self.address, "", name="bare")
        allowed = self.subscribe(evpipe, "", options=self.client(1))
        self.wait_err(evpipe, "refused 127.0.0.1 with the public key")
        self.program.write(data)
        self.program.end()
        allowed.wait_end()
        err = self.finish(evpipe)
        log, = allowed.logs().values()
        self.assertEqual(bytes(log.data), data)
        self.assertEqual((refused.messages(), bare.messages()), ([], []))
        self.assertEqual(err.count("somebody subscribed"), 1)
        self.assertNotIn(self.keys[0][1], err)

    def test_any_key_if_it_is_said(self):
        evpipe = self.begin(more=self.curve("allow_any: true"))
        self.subscribe(evpipe, "", options=self.client(2))
        bare = Subscriber(self, self.address, "", name="bare")
        self.program.write((harness.DATA / "ticky-966.eventlog").read_bytes())
        self.program.end()
        self.wait_err(evpipe, "ended|end of")
        self.finish(evpipe)
        self.assertEqual(bare.messages(), [])

    def test_without_a_list_it_does_not_start(self):
        for more, words in (("", "allow_any: true"), ("allowed_keys: [abc]", "no public key"), ("server_key: x", "is for connect")):
            with self.subTest(more):
                config = harness.copies(PIPELINE, path=self.program.path, inputs="app", filters="", where="bind: tcp://127.0.0.1:1",
                                        more=self.curve(more or "allow_any: false"))
                status, _, err = self.run_evpipe(config, "--check")
                self.assertEqual(status, 2)
                self.assertIn(words, err)

    def test_a_list_that_is_none(self):
        listed = self.folder / "keys"
        listed.write_text(self.keys[1][0] + "\nnonsense\n")
        config = harness.copies(PIPELINE, path=self.program.path, inputs="app", filters="", where=f"bind: {self.address}",
                                more=self.curve(f'allowed_keys_file: "{listed}"'))
        status, _, err = self.run_evpipe(config)
        self.assertEqual(status, 1)
        self.assertIn(f"{listed}:2: is no public key", err)


class Examples(ZmqCase):
    def test_the_page_has_them(self):
        page = (harness.SOURCE / "plugins" / "sinks" / "zmq" / "README.md").read_text(encoding="utf-8")
        for name, word in (("subscriber.py", "python"), ("subscriber.c", "c")):
            self.assertIn(f"```{word}\n{(EXAMPLES / name).read_text(encoding='utf-8')}```\n", page)

    def test_python(self):
        data = harness.OWN_LOG.read_bytes()
        evpipe = self.begin()
        self.program.write(data[:300_000])
        late = self.start([SYSTEM_PYTHON, EXAMPLES / "subscriber.py", self.address, self.folder / "late"], "late")
        self.wait_err(evpipe, "somebody subscribed")
        self.program.write(data[300_000:])
        self.program.end()
        self.assertEqual(late.wait(), 0, late.err())
        self.finish(evpipe)
        self.show((self.folder / "late").read_bytes(), "shown")
        mine = next(eventlog.streams((self.folder / "late").read_bytes()))
        list(mine.records())
        self.assertEqual((mine.complete, mine.trailing), (True, 0))

    def test_c(self):
        compiler = shutil.which("cc") or harness.skip("no C compiler")
        program = self.folder / "subscriber"
        if subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-o", program, EXAMPLES / "subscriber.c", "-lzmq"]).returncode:
            self.fail("the example does not compile")
        evpipe = self.begin("heap", HEAP, text=PIPELINE + """
  objects: {plugin: print, from: [heap], format: json, path: "%s/objects"}
""" % self.folder)
        subscriber = self.start([program, self.address, "metrics/"], "subscriber")
        self.wait_err(evpipe, "somebody subscribed")
        self.program.write(harness.OWN_LOG.read_bytes())
        self.program.end()
        self.assertEqual(subscriber.wait(), 0)
        self.finish(evpipe)
        self.assertEqual(subscriber.out().splitlines(), (self.folder / "objects").read_bytes().splitlines())


if __name__ == "__main__":
    harness.main()
