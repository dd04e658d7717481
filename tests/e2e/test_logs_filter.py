#!/usr/bin/env python3
"""The filter `logs` from a file to lines of JSON: the messages, markers and labels of every log at hand, compared with the
reference decoder: text, time, capability, thread, in the order of the log."""
import codecs
import struct

import harness  # first: it finds the other modules

import eventlog
import eventlog_writer as writer

NAMES = {eventlog.USER_MESSAGE: "user_message", eventlog.USER_MARKER: "user_marker", eventlog.THREAD_LABEL: "thread_label",
         eventlog.LOG_MESSAGE: "rts_log"}
LIMIT = 32 * 1024


def body(kind, payload):
    if kind == eventlog.THREAD_LABEL:
        payload = payload[4:]
    if kind == eventlog.LOG_MESSAGE:
        payload = payload.rstrip(b"\n\0")
    return cut(replaced(payload))


# Each byte that is not part of UTF-8 becomes U+FFFD; Python's own "replace" makes one of several.
codecs.register_error("each_byte", lambda error: ("\ufffd", error.start + 1))


def replaced(data):
    return data.decode("utf-8", "each_byte")


def cut(text):
    return text.encode()[:LIMIT].decode("utf-8", "ignore")


class Logs(harness.Case):
    def logs(self, path, options="", expect_status=(0,)):
        config = harness.copies("""
            sources:
              app: {plugin: file, path: "{{path}}", hold: {max_size: 1GiB}}
            filters:
              said: {plugin: logs, from: app{{options}}}
            sinks:
              out: {plugin: print, from: said, format: json, path: "{{out}}"}
            """, path=path, options=options, out=self.folder / "logs.json")
        status, _, err = self.run_evpipe(config)
        self.assertIn(status, expect_status, err)
        return harness.json_lines((self.folder / "logs.json").read_bytes())

    def expected(self, path):
        for stream in eventlog.streams(path.read_bytes()):
            epoch = eventlog.stream_epoch(stream)
            if epoch is None:
                epoch = path.stat().st_mtime_ns - eventlog.newest_block_end(stream)
            for record in stream.records(set(NAMES)):
                thread = struct.unpack_from(">I", record.payload)[0] if record.type == eventlog.THREAD_LABEL else None
                capability = None if record.capability == eventlog.NO_CAPABILITY else record.capability
                yield NAMES[record.type], epoch + record.time, capability, thread, body(record.type, record.payload)

    def same(self, found, expected):
        """Not assertEqual: to show how two lists of long texts differ takes Python minutes."""
        for number, (one, other) in enumerate(zip(found, expected)):
            if one != other:
                self.fail(f"log {number}: {str(one)[:300]} != {str(other)[:300]}")
        self.assertEqual(len(found), len(expected))

    def test_every_log(self):
        seen = set()
        for path in harness.eventlogs():
            with self.subTest(log=path.name):
                found = [(log["name"], log["time"], log.get("capability"), log.get("thread"), log["message"])
                         for log in self.logs(path, expect_status=(0, 3))]
                self.same(found, list(self.expected(path)))
                seen |= {log[0] for log in found}
        self.assertIn("user_marker", seen)

    def made(self):
        log = writer.Log()
        log.init()
        log.add(writer.LOG_MESSAGE, b"the RTS says\n", 50)
        log.block()
        log.block(capability=1, records=[
            writer.record(writer.USER_MESSAGE, 90, b"before any thread is known"),
            writer.record(writer.RUN_THREAD, 100, struct.pack(">I", 7)),
            writer.record(writer.USER_MESSAGE, 110, b"in thread 7"),
            writer.record(writer.USER_BINARY, 115, b"\x00\xffA"),
            writer.record(writer.STOP_THREAD, 120, struct.pack(">IHI", 7, 3, 0)),
            writer.record(writer.USER_MARKER, 130, b"between threads"),
        ])
        path = self.folder / "made.eventlog"
        path.write_bytes(log.data())
        return path

    def test_threads_and_binary_messages(self):
        found = [(log["message"], log.get("thread")) for log in self.logs(self.made(), ", threads: true, binary: hex, rts: false")]
        self.assertEqual(found, [("before any thread is known", None), ("in thread 7", 7), ("00ff41", 7), ("between threads", None)])

    def test_defaults(self):
        found = [(log["name"], log["severity"], log["message"], log.get("thread")) for log in self.logs(self.made())]
        self.assertEqual(found, [("rts_log", "debug", "the RTS says", None), ("user_message", "debug", "before any thread is known", None),
                                 ("user_message", "debug", "in thread 7", None), ("user_marker", "trace", "between threads", None)])


if __name__ == "__main__":
    harness.main()
