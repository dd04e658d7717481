#!/usr/bin/env python3
"""Durable delivery: what was sealed reaches the back end, in order, whatever happens to back end, disk and evpipe.

The source counts (numbers_source.py), the filter `logs` makes points of it, the back end (http_backend.py) remembers what it took.
"""
import contextlib
import gzip
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import time

import harness
from http_backend import Answer, HttpBackend, split_lines
from numbers_source import Numbers, numbers

MAX_DELAY = 0.1
PIPELINE = """
shutdown_timeout: {{shutdown}}
sources:
  app: {plugin: socket, unix: "{{socket}}", reconnect: {initial: 10ms, max: 50ms}}
filters:
  said: {plugin: logs, from: app}
sinks:
  influx:
    plugin: influxdb
    from: said
    url: {{url}}
    database: ev
    timeout: 1h
    batch: {max_items: {{items}}, max_delay: 100ms}
    retry: {initial: 10ms, max: 50ms}
    {{more}}
"""
SPOOL = 'spool: {path: "{{folder}}/spool", max_size: {{max_size}}}'


def unpacked(message):
    return gzip.decompress(message) if message.startswith(b"\x1f\x8b\x08") else message


def checksum(data):
    """The spool's of a message (spool.c)."""
    total, mask = 0xcbf29ce484222325 ^ len(data), (1 << 64) - 1
    whole = len(data) // 8 * 8
    for at in range(0, whole, 8):
        total = (total ^ int.from_bytes(data[at:at + 8], "little")) * 0x9e3779b97f4a7c15 & mask
        total ^= total >> 32
    for byte in data[whole:]:
        total = (total ^ byte) * 0x100000001b3 & mask
    return total - (1 << 64) if total >> 63 else total


class SpoolCase(harness.Case):
    def setUp(self):
        super().setUp()
        self.spool = self.folder / "spool"

    def numbers(self, **more):
        source = Numbers(self.folder / "app.sock", **more)
        self.addCleanup(source.close)
        return source

    def backend(self, *arguments, **more):
        backend = HttpBackend(*arguments, **more)
        self.addCleanup(backend.close)
        return backend

    def pipeline(self, url, shutdown="300ms", items=200, more="", max_size="64MiB"):
        spool = harness.copies(SPOOL, folder=self.folder, max_size=max_size)
        return harness.copies(PIPELINE, socket=self.folder / "app.sock", url=url, shutdown=shutdown, items=items, more=spool + "\n    " + more)

    def nowhere(self):
        return f"http://127.0.0.1:{harness.free_port()}"

    def send(self, source, process, n):
        """So many numbers more, all of them read by evpipe."""
        goal = source.sent + n
        source.running.set()
        harness.wait_for(lambda: f"{goal} numbers to be sent: {process.err()}", lambda: source.sent >= goal)
        source.running.clear()
        source.wait_until_still()

    def check_counts(self, err):
        """in + recovered = delivered + rejected + dropped + spooled, for the sink; returns them."""
        line = re.findall(r"influx \(.*done: (.*)", err)[-1]
        counts = {name: int(n) for name, n in re.findall(r"(in|recovered|delivered|rejected|dropped|spooled) (\d+)", line)}
        got = {name: counts.get(name, 0) for name in ("in", "recovered", "delivered", "rejected", "dropped", "spooled")}
        self.assertEqual(got["in"] + got["recovered"], got["delivered"] + got["rejected"] + got["dropped"] + got["spooled"], line)
        return got

    def spooled_numbers(self):
        """What the spool of a process that was killed holds, read from a copy by another SQLite."""
        copy = self.folder / "copy"
        for ending in ("", "-wal"):
            (self.folder / f"copy{ending}").unlink(missing_ok=True)
            if (self.folder / f"spool{ending}").exists():
                shutil.copy(self.folder / f"spool{ending}", self.folder / f"copy{ending}")
        with sqlite3.connect(copy) as database:
            rows = database.execute("SELECT data FROM message ORDER BY id").fetchall()
        database.close()
        return numbers(line for row in rows for line in split_lines(unpacked(bytes(row[0])).decode()))


class Restarts(SpoolCase):
    def test_the_back_end_is_away_over_a_restart(self):
        source, url = self.numbers(), self.nowhere()
        process = self.evpipe(self.pipeline(url))
        self.send(source, process, 3000)
        first = source.sent
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)
        match = re.search(r"(\d+) messages \((\d+) items\) stay in the spool", process.err())
        self.assertEqual(int(match.group(2)), first)
        self.assertEqual(self.check_counts(process.err()), {"in": first, "recovered": 0, "delivered": 0, "rejected": 0, "dropped": 0, "spooled": first})
        self.assertEqual(self.spooled_numbers(), list(range(first)))

        backend = self.backend(port=int(url.rsplit(":", 1)[1]))
        process = self.evpipe(self.pipeline(url, shutdown="1h"), name="again")
        self.wait_err(process, rf"{match.group(1)} messages \({first} items, \d+ bytes\) of an earlier run")
        self.send(source, process, 1000)
        self.assertEqual(process.stop(), 0, process.err())
        self.assertEqual(numbers(backend.lines()), list(range(source.sent)))
        counts = self.check_counts(process.err())
        self.assertEqual((counts["recovered"], counts["delivered"], counts["spooled"]), (first, source.sent, 0))

    def test_another_compression(self):
        """What one process packed, or did not, is delivered by one that does not, or does."""
        for first, then in (("gzip", "none"), ("none", "gzip")):
            with self.subTest(first=first, then=then):
                self.deliver_with_another(first, then)

    def deliver_with_another(self, first, then):
        source, url = self.numbers(), self.nowhere()
        process = self.evpipe(self.pipeline(url, more=f"compression: {first}"), name=first)
        self.send(source, process, 1000)
        self.assertEqual(process.stop(), 0, process.err())
        backend = self.backend(port=int(url.rsplit(":", 1)[1]))
        process = self.evpipe(self.pipeline(url, shutdown="1h", more=f"compression: {then}"), name=f"then-{then}")
        harness.wait_for("what was spooled", lambda: len(backend.lines()) >= source.sent)
        self.assertEqual(process.stop(), 0, process.err())
        self.assertEqual(numbers(backend.lines()), list(range(source.sent)))
        self.assertEqual({request.gzip for request in backend.requests}, {then == "gzip"})
        source.close()
        (self.folder / "app.sock").unlink()

    def test_a_second_signal_goes_straight_to_the_spool(self):
        source = self.numbers()
        process = self.evpipe(self.pipeline(self.nowhere(), shutdown="600s"))
        self.send(source, process, 3000)
        process.send(signal.SIGTERM)
        self.wait_err(process, "stopping")
        self.assertTrue(process.running())
        harness.wait_for("its end after a second signal", lambda: not process.running() or process.send(signal.SIGTERM))
        self.assertEqual(process.wait(), 0, process.err())
        self.assertNotIn("dropped", process.err())
        self.assertEqual(self.spooled_numbers(), list(range(source.sent)))

    def test_a_file_ends_while_the_back_end_is_away(self):
        """A natural end: all of the file is in the spool, and the next run, of another file, delivers it."""
        url = self.nowhere()
        text = self.pipeline(url).replace(f'plugin: socket, unix: "{self.folder}/app.sock", reconnect: {{initial: 10ms, max: 50ms}}',
                                          f"plugin: file, path: {harness.OWN_LOG}")
        status, _, err = self.run_evpipe(text)
        self.assertEqual(status, 0, err)
        items = self.check_file_counts(err, recovered=False)
        backend = self.backend(port=int(url.rsplit(":", 1)[1]))
        status, _, err = self.run_evpipe(text.replace("300ms", "1h"), "--log-level", "debug", name="again")
        self.assertEqual(status, 0, err)
        self.assertEqual(self.check_file_counts(err, recovered=True), items)
        lines = backend.lines()
        self.assertEqual(lines[:items], lines[items:])

    def check_file_counts(self, err, recovered):
        counts = self.check_counts(err)
        self.assertGreater(counts["in"], 100)
        self.assertEqual(counts, {"in": counts["in"], "recovered": counts["in"] * recovered, "delivered": 2 * counts["in"] * recovered,
                                  "rejected": 0, "dropped": 0, "spooled": counts["in"] * (not recovered)})
        return counts["in"]

    def test_halves_are_not_sent_again_after_a_restart(self):
        """413 is answered by halves; those that were taken before a kill are not in what is delivered after it."""
        source = self.numbers(at_once=50)
        small = []

        def script(request):
            if len(request.body) > 1000:
                return Answer(413)
            small.append(request)
            return Answer() if len(small) < 4 else Answer(503)
        backend = self.backend(script)
        process = self.evpipe(self.pipeline(backend.url))
        self.send(source, process, 200)
        harness.wait_for("some parts to arrive", lambda: len(small) >= 5)
        self.assertTrue(all(request.gzip for request in backend.requests))
        process.kill()
        got = numbers(backend.lines())
        self.assertTrue(got)
        backend.script = []
        process = self.evpipe(self.pipeline(backend.url, shutdown="1h"), name="again")
        harness.wait_for("the rest", lambda: len(set(numbers(backend.lines()))) >= 150)
        self.assertEqual(process.stop(), 0, process.err())
        after = numbers(backend.lines())[len(got):]
        self.assertEqual(after[0], got[-1] + 1)


class Trouble(SpoolCase):
    def test_one_process_owns_it(self):
        source, backend = self.numbers(), self.backend()
        process = self.evpipe(self.pipeline(backend.url))
        self.send(source, process, 100)
        status, _, err = self.run_evpipe(self.pipeline(backend.url), name="second")
        self.assertEqual(status, 1, err)
        self.assertRegex(err, r"error influx .*spool .*/spool: is in use")
        self.assertEqual(process.stop(), 0, process.err())

    def refuses(self, why):
        status, _, err = self.run_evpipe(self.pipeline(self.nowhere()), name="refused")
        self.assertEqual(status, 1, err)
        self.assertRegex(err, f"error influx .*{why}")

    def test_what_is_no_spool(self):
        self.spool.write_text("my diary\n" * 1000)
        self.refuses(f"spool {self.spool}: is no spool of evpipe")
        self.assertEqual(self.spool.read_text(), "my diary\n" * 1000)

    def test_a_damaged_one(self):
        source = self.numbers()
        process = self.evpipe(self.pipeline(self.nowhere()))
        self.send(source, process, 3000)
        self.assertEqual(process.stop(), 0, process.err())
        os.truncate(self.spool, self.spool.stat().st_size // 2)
        self.refuses("is damaged .*move it and its -wal away")

    def test_a_folder_that_is_not_there(self):
        self.spool = self.folder / "none" / "spool"
        status, _, err = self.run_evpipe(self.pipeline(self.nowhere()).replace("/spool", "/none/spool"))
        self.assertEqual(status, 1, err)
        self.assertRegex(err, "none/spool: can not be opened: No such file or directory; make its folder first")

    def test_check_touches_nothing(self):
        status, _, err = self.run_evpipe(self.pipeline(self.nowhere()), "--check")
        self.assertEqual(status, 0, err)
        self.assertFalse(self.spool.exists())

    def test_a_full_spool_lets_a_file_wait(self):
        """The producer can wait, so nothing is lost: it is read on as the back end takes what is spooled."""
        log = self.folder / "log"
        log.write_bytes(self.large_log())
        url = self.nowhere()
        text = self.pipeline(url, max_size="1MiB", shutdown="60s", more="compression: none\n    queue: {max_size: 1MiB}")
        text = text.replace(f'plugin: socket, unix: "{self.folder}/app.sock", reconnect: {{initial: 10ms, max: 50ms}}', f"plugin: file, path: {log}")
        process = self.evpipe(text)
        self.wait_err(process, "spool .* is full")
        size = sum(path.stat().st_size for path in self.folder.glob("spool*"))
        self.assertLessEqual(size, 1 << 20)
        backend = self.backend(port=int(url.rsplit(":", 1)[1]))
        self.assertEqual(process.wait(60), 0, process.err())
        self.assertEqual(numbers(backend.lines()), list(range(40_000)))

    @staticmethod
    def large_log():
        import eventlog_writer as writer
        log = writer.Log()
        log.init()
        for number in range(40_000):
            log.add(writer.USER_MESSAGE, f"n={number}".encode(), number * 1000)
            if number % 1000 == 999:
                log.block()
        return log.data()

    def test_a_full_spool_drops_from_a_live_queue_by_policy_and_counts(self):
        source = self.numbers(at_once=1000, pause=0.001)
        process = self.evpipe(self.pipeline(self.nowhere(), max_size="1MiB", more="queue: {max_size: 1MiB}"))
        source.running.set()
        self.wait_err(process, "spool .* is full")
        self.wait_err(process, "dropped .*queue_full")
        source.running.clear()
        source.wait_until_still()
        self.assertEqual(process.stop(), 1, process.err())
        counts = self.check_counts(process.err())
        self.assertEqual(counts["in"], source.sent)
        self.assertEqual(len(self.spooled_numbers()), counts["spooled"])

    def test_a_full_disk(self):
        """The limit of a process's files stands for the disk's: the spool can not grow. The back end is there: nothing is lost."""
        source, backend = self.numbers(), self.backend()
        config = self.config(self.pipeline(backend.url, shutdown="1h"))
        process = self.start(["sh", "-c", 'ulimit -f 100; exec "$@"', "sh", *harness.WRAPPER, harness.EVPIPE, "-c", config], "limited")
        backend.script = lambda _: Answer(503) if not self.told(process) else None
        source.running.set()
        self.wait_err(process, "error influx .*spool .*trying again")
        self.send(source, process, 2000)
        self.assertEqual(process.stop(), 0, process.err())
        self.assertEqual(numbers(backend.lines()), list(range(source.sent)))
        self.check_counts(process.err())

    def test_a_disk_that_takes_it_packed_only(self):
        """The back end wants smaller pieces, and the disk has no room for the message when it is unpacked: it is cut in memory."""
        def script(request):
            return Answer(413) if len(request.body) > 20_000 else None
        source, backend = self.numbers(at_once=1000), self.backend(script)
        config = self.config(self.pipeline(backend.url, shutdown="1h", items=2000, max_size="1MiB"))
        process = self.start(["sh", "-c", 'ulimit -f 400; exec "$@"', "sh", *harness.WRAPPER, harness.EVPIPE, "-c", config], "limited")
        source.running.set()
        self.wait_err(process, "error influx .*spool .*(come again whole|trying again)", 30)  # said of what came first
        self.send(source, process, 4000)
        self.assertEqual(process.stop(), 0, process.err())
        self.assertEqual(numbers(backend.lines()), list(range(source.sent)))
        self.check_counts(process.err())

    @staticmethod
    def told(process):
        return "trying again" in process.err() and "spool" in process.err()


class DeadLetters(SpoolCase):
    def letters(self):
        """(head, body) of each."""
        data, letters = (self.folder / "dead").read_bytes(), []
        while data:
            head, _, data = data.partition(b"\n")
            head = json.loads(head)
            letters.append((head, data[:head["size"]]))
            self.assertEqual(data[head["size"]:head["size"] + 1], b"\n")
            data = data[head["size"] + 1:]
        return letters

    def test_what_is_refused_can_be_sent_again(self):
        source = self.numbers()
        backend = self.backend([Answer(400, '{"error":"unable to parse"}'), Answer(), Answer(400, '{"error":"unable to parse"}')])
        process = self.evpipe(self.pipeline(backend.url, shutdown="1h", more=f"dead_letter: {self.folder}/dead"))
        self.send(source, process, 2000)
        self.assertEqual(process.stop(), 0, process.err())
        letters = self.letters()
        self.assertEqual([head["reason"] for head, _ in letters], ["rejected"] * 2)
        self.assertEqual([(head["node"], head["plugin"]) for head, _ in letters], [("influx", "influxdb")] * 2)
        dead = [number for _, body in letters for number in numbers(split_lines(body.decode()))]
        self.assertEqual(sum(head["items"] for head, _ in letters), len(dead))
        self.assertEqual(self.check_counts(process.err())["rejected"], len(dead))
        self.assertEqual(sorted(dead + numbers(backend.lines())), list(range(source.sent)))
        self.assertEqual((self.folder / "dead").stat().st_mode & 0o777, 0o600)

    def damage(self):
        """Of four or more messages in the spool: the second has another byte, the third, too, but the spool does not see it."""
        with contextlib.closing(sqlite3.connect(self.spool)) as database, database:
            rows = database.execute("SELECT id, data FROM message ORDER BY id").fetchall()
            self.assertGreater(len(rows), 3)
            for number, (key, data) in enumerate(rows[1:3]):
                data = data[:len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1:]
                database.execute("UPDATE message SET data = ? WHERE id = ?", (data, key))
                if number:
                    database.execute("UPDATE message SET checksum = ? WHERE id = ?", (checksum(data), key))
        return [numbers(split_lines(unpacked(data).decode())) for _, data in rows]

    def test_damaged_ones_are_there_as_they_are(self):
        source, url = self.numbers(), self.nowhere()
        process = self.evpipe(self.pipeline(url))
        self.send(source, process, 2000)
        self.assertEqual(process.stop(), 0, process.err())
        messages = self.damage()
        backend = self.backend(port=int(url.rsplit(":", 1)[1]))
        process = self.evpipe(self.pipeline(url, shutdown="1h", more=f"compression: none\n    dead_letter: {self.folder}/dead"), name="again")
        harness.wait_for("all but two", lambda: len(backend.taken) >= len(messages) - 2)
        self.assertEqual(process.stop(), 1, process.err())
        self.assertEqual(numbers(backend.lines()), [number for message in [messages[0], *messages[3:]] for number in message])
        self.assertEqual([(head["reason"], head["items"], head["sealed"]) for head, _ in self.letters()],
                         [("damaged_in_spool", len(messages[1]), True), ("not_unsealed", len(messages[2]), True)])
        self.assertEqual(self.check_counts(process.err())["dropped"], len(messages[1]) + len(messages[2]))
        self.assertRegex(process.err(), "error influx .*can not be unsealed, and is there as it is")

    def test_a_full_disk_is_told(self):
        source = self.numbers()
        backend = self.backend([Answer(400, '{"error":"unable to parse"}')])
        process = self.evpipe(self.pipeline(backend.url, shutdown="1h", more="dead_letter: /dev/full"))
        self.send(source, process, 1000)
        self.assertEqual(process.stop(), 0, process.err())
        self.assertRegex(process.err(), "error influx .*dead_letter /dev/full: No space left on device")
        self.check_counts(process.err())


class Kills(SpoolCase):
    """kill -9 at random moments under load. Nothing that was sealed is lost, all comes in order, what comes twice comes at the seams, and
    what is lost, because it was not sealed, is no older than max_delay (and the time the machine took to get to it)."""

    def setUp(self):
        super().setUp()
        self.random = random.Random(os.environ.get("EVPIPE_SEED", "7"))
        self.trouble = False

    def answer(self, _):
        time.sleep(0.002)
        return Answer(503) if self.trouble else None

    def life(self, source, backend, i):
        """One process, from its start to its death. Returns when it was killed, and what was sealed until then."""
        self.trouble = self.random.random() < 0.4
        clients, taken = len(source.begins), len(backend.taken)  # before it runs: it may be quick
        process = self.evpipe(self.pipeline(backend.url, items=100), name=f"life{i}")
        harness.wait_for(lambda: f"evpipe to read: {process.err()}", lambda: len(source.begins) > clients)
        harness.wait_for("evpipe to spool or to deliver", lambda: self.trouble or len(backend.taken) > taken)
        time.sleep(self.random.random() * 0.25)  # the moment is the matter of this test
        killed = time.monotonic()
        process.popen.send_signal(signal.SIGKILL)
        process.wait()
        delivered = numbers(backend.lines())
        spooled = self.spooled_numbers()
        return killed, delivered, spooled

    def run_lives(self, n):
        source, backend = self.numbers(), self.backend(self.answer)
        source.running.set()
        deaths = [self.life(source, backend, i) for i in range(n)]
        self.trouble = False
        process = self.evpipe(self.pipeline(backend.url, shutdown="1h"), name="last")
        clients = len(source.begins)
        harness.wait_for("the last one to read", lambda: len(source.begins) > n and len(source.begins) >= clients)
        self.send(source, process, 100)
        self.assertEqual(process.stop(), 0, process.err())
        self.check_all(source, numbers(backend.lines()), deaths)

    def check_all(self, source, arrived, deaths):
        seen = set()
        firsts = [number for number in arrived if not (number in seen or seen.add(number))]
        self.assertEqual(firsts, sorted(firsts), "out of order")
        twice = self.check_seams(arrived, deaths)
        lost, oldest = 0, 0.0
        for i, (killed, delivered, spooled) in enumerate(deaths):
            for number in spooled:
                self.assertIn(number, seen, f"sealed before kill {i}, and lost")
            sealed = max(delivered + spooled, default=source.begins[i] - 1)
            gone = [number for number in range(max(sealed + 1, source.begins[i]), source.begins[i + 1]) if number not in seen]
            lost += len(gone)
            oldest = max([oldest, *(killed - source.sent_at(number) for number in gone[:1])])
        self.assertEqual(source.sent - len(seen), lost, "something is missing that was lost at no kill")
        print(f"{len(deaths)} kills: {source.sent} numbers, {lost} lost unsealed, the oldest {oldest * 1000:.0f} ms before its kill, {twice} twice")
        self.assertLess(oldest, MAX_DELAY + 5 * harness.PATIENCE)

    def check_seams(self, arrived, deaths):
        """A number comes again only as part of the first message after a kill: that which was under way. Returns how many did."""
        twice, at = 0, 0
        ends = [len(delivered) for _, delivered, _ in deaths] + [len(arrived)]
        for end in ends:
            life, before = arrived[at:end], set(arrived[:at])
            again = [number for number in life if number in before]
            self.assertEqual(again, life[:len(again)], "twice, and not at a seam")
            self.assertLessEqual(len(again), 200, "more than one message came twice")
            twice += len(again)
            at = end
        return twice

    lives = 5

    def test_kills(self):
        self.run_lives(self.lives)


class ManyKills(Kills):
    """In the suite `long`."""

    lives = 50


if __name__ == "__main__":
    harness.main()
