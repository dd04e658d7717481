#!/usr/bin/env python3
"""The replay server itself: what it sends must be what a program would send."""
import pathlib
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness
import eventlog

LOG = harness.OWN_LOG.read_bytes()


def receive(path, size=None):
    """Everything, or the first `size` bytes and then we leave."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30 * harness.PATIENCE)
        client.connect(str(path))
        data = bytearray()
        while size is None or len(data) < size:
            part = client.recv(65536 if size is None else min(65536, size - len(data)))
            if not part:
                break
            data += part
        return bytes(data)


class Replay(harness.Case):
    def test_same_bytes_whatever_the_cuts(self):
        self.assertEqual(receive(self.replay(harness.OWN_LOG).path), LOG)
        cut = self.replay(harness.OWN_LOG, "--cut", "997", "--seed", "5", "--pause", "0.01", name="cut")
        self.assertEqual(receive(cut.path), LOG)
        self.assertEqual(cut.wait(), 0)

    def test_plays_now(self):
        data = receive(self.replay(harness.OWN_LOG, "--now").path)
        stream, = eventlog.streams(data)
        end = eventlog.stream_epoch(stream) + eventlog.newest_block_end(stream)
        self.assertAlmostEqual(end / 10**9, time.time(), delta=20 * harness.PATIENCE)
        self.assertEqual(eventlog.censuses(stream), eventlog.censuses(next(eventlog.streams(LOG))))

    def test_paced_by_the_ends_of_blocks(self):
        server = self.replay(harness.OWN_LOG, "--pace", "8x")
        begin = time.monotonic()
        self.assertEqual(receive(server.path), LOG)
        stream, = eventlog.streams(LOG)
        self.assertGreater(time.monotonic() - begin, eventlog.newest_block_end(stream) / 8 / 10**9 - 0.05)

    def test_clock_is_inserted(self):
        stream, = eventlog.streams(LOG)
        without, other = bytearray(LOG), 0x4012  # the clock's records are made records of a type unknown to anybody
        for record in stream.records({eventlog.WALL_CLOCK_TIME}):
            struct.pack_into(">H", without, record.offset, other)
        table_end = without.find(b"hete")
        without[table_end:table_end] = struct.pack(">4sHHII", b"etb\0", other, 16, 0, 0) + b"ete\0"
        log = self.folder / "no-clock.eventlog"
        log.write_bytes(without)
        self.assertIsNone(eventlog.stream_epoch(next(eventlog.streams(bytes(without)))))
        served = next(eventlog.streams(receive(self.replay(log, "--now").path)))
        self.assertIsNotNone(eventlog.stream_epoch(served))

    def test_logging_begins_again_for_the_second_client(self):
        server = self.replay(harness.OWN_LOG, "--again", "restart")
        first = receive(server.path, 200_000)
        second = receive(server.path)
        self.assertEqual(first, LOG[:200_000])
        stream, = eventlog.streams(second)
        types = [record.type for record in stream.records()]
        self.assertEqual(types[:7], [eventlog.BLOCK_MARKER, 52, 32, 33, 29, 30, 43])
        self.assertNotIn(eventlog.PROF_BEGIN, types)
        self.assertTrue(stream.complete)
        self.assertLess(len(eventlog.censuses(stream)), 17)

    def test_one_client_at_a_time(self):
        server = self.replay(harness.OWN_LOG, "--hold", "600")
        with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
            first.connect(str(server.path))
            first.recv(65536)
            second.connect(str(server.path))
            second.setblocking(False)
            self.assertRaises(BlockingIOError, second.recv, 1)
            first.close()
            second.settimeout(15 * harness.PATIENCE)
            self.assertEqual(second.recv(8), eventlog.MAGIC)

    def test_disconnect_and_kill(self):
        self.assertEqual(receive(self.replay(harness.OWN_LOG, "--disconnect-at", "5000").path), LOG[:5000])
        killed = self.replay(harness.OWN_LOG, "--kill-at", "7001", name="killed")
        self.assertEqual(receive(killed.path), LOG[:7001])
        self.assertEqual(killed.wait(), -9)


if __name__ == "__main__":
    harness.main()
