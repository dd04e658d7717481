#!/usr/bin/env python3
"""Real GHC programs -> socket -> heap -> a real InfluxDB, compared with what each program says that it sent."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness
import eventlog
import influx
import points
import programs

PIPELINE = """
    sources:
      app: {plugin: socket, %s, labels: {service: oddball}, reconnect: {initial: 10ms, max: 100ms}}
    filters:
      heap: {plugin: heap, from: app}
    sinks:
      influx:
        plugin: influxdb
        from: heap
        url: "%s"
        database: eventlog
        create_database: true
        batch: {max_delay: 200ms}
"""
FLAGS_9_0 = ["+RTS", "-l", "-hT", "-i0.1", "-ol/dev/null", "-RTS"]
FLAGS_9_6 = ["+RTS", "-l", "-hT", "-i0.1", "--eventlog-flush-interval=0.5", "--null-eventlog-writer", "-RTS"]


class Ghc(harness.Case):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "app.sock"
        self.copies = self.folder / "copy"

    def begin(self, program, flags, seconds, name="oddball", **environment):
        """The program; for 0 seconds until it is killed."""
        where = {"GHC_EVENTLOG_UNIX_PATH": str(self.path)}
        return self.start([*program, *([seconds] if seconds else []), *flags], name, directory=self.folder, environment={**where, "EVENTLOG_COPY": str(self.copies), **environment})

    def await_end(self, app):
        """A regular end. But where logging is ended and begun again while GHC 9.6 runs, its exit hangs now and then: the
        timer's thread waits for a signal that has gone by, and the main thread for the timer's. All has been sent by
        then; the program is killed, and what evpipe made of the stream is compared all the same."""
        try:
            self.assertEqual(app.wait(20), 0, app.err())
        except harness.Failed:
            print(f"{app.name} hangs in the exit of its run-time system; killed", file=sys.stderr)
            app.kill()

    def pipe(self, where=None):
        self.influx = influx.Influx(self)
        return self.evpipe(PIPELINE % (where or f'unix: "{self.path}"', self.influx.url))

    def sent(self, number=1):
        return pathlib.Path(f"{self.copies}.{number}").read_bytes()

    def found(self):
        return self.influx.points(points.NAMES)

    def check(self, wanted):
        got, taken_back = points.apart(self.found(), wanted)
        self.assertEqual(points.difference(set(wanted), got), "")
        return taken_back

    # ------------------------------------------------------------------------------------------------------- GHC 9.6

    def test_9_6(self):
        program = programs.debian_13()
        evpipe = self.pipe()
        app = self.begin(program, FLAGS_9_6, 6)
        harness.wait_for("points while the program runs", lambda: self.found() and app.running())
        self.await_end(app)
        self.wait_err(evpipe, "waiting for it|nobody|no socket")
        self.assertEqual(evpipe.stop(), 0, evpipe.err())
        wanted = points.expected(self.sent())
        self.assertGreater(len({point.time for point in points.census_only(wanted)}), 1)
        taken_back = self.check(wanted)
        self.assertGreater(len(taken_back), 20)
        self.assertLess(abs(max(point.time for point in wanted) - time.time_ns()), 60 * 10**9)

    def test_9_6_killed_and_started_again(self):
        program = programs.debian_13()
        evpipe = self.pipe()
        first = self.begin(program, FLAGS_9_6, 0)
        harness.wait_for("a census of the first run", lambda: points.census_only(self.found()), 30)
        first.kill()
        self.wait_err(evpipe, "waiting for it")
        second = self.begin(program, FLAGS_9_6, 5, name="again", EVENTLOG_COPY=str(self.folder / "again"))
        self.await_end(second)
        self.wait_err(evpipe, r"waiting for it[\s\S]*waiting for it")
        self.assertEqual(evpipe.stop(), 0, evpipe.err())
        # What was sent last before the kill may be in the socket but not in the copy: it may be too much, never too little.
        first_run, second_run = points.expected(self.sent()), points.expected((self.folder / "again.1").read_bytes())
        got = set(self.found())
        self.assertEqual((set(first_run) | set(second_run)) - got, set())
        begin_of_second = min(point.time for point in second_run)
        bands = eventlog.censuses(next(eventlog.streams(self.sent())))[-1].rows
        for labels in bands:
            zeros = [point for point in got if point.labels == labels and point.value == 0]
            self.assertTrue([point for point in zeros if point.time < begin_of_second + 10**9], labels)
        extra = {point for point in got if point.value and point.time >= begin_of_second} - set(second_run)
        self.assertEqual(extra, set())

    def test_9_6_second_reader(self):
        """The first reader leaves; evpipe, the second, gets the header, the definitions and the rest, at the right times."""
        program = programs.debian_13()
        app = self.begin(program, FLAGS_9_6, 8)
        with harness.socket.socket(harness.socket.AF_UNIX) as first:
            harness.wait_for("the program to listen", lambda: self.path.exists())
            first.connect(str(self.path))
            got = 0
            while got < 20_000:
                got += len(first.recv(65536))
        evpipe = self.pipe()
        self.await_end(app)
        self.wait_err(evpipe, "waiting for it|nobody|no socket")
        self.assertEqual(evpipe.stop(), 0, evpipe.err())
        self.check(points.expected(self.sent(2)))

    def test_9_6_over_tcp(self):
        program = programs.debian_13()
        port = harness.free_port()
        evpipe = self.pipe(f'tcp: "127.0.0.1:{port}"')
        where = {"GHC_EVENTLOG_INET_HOST": "127.0.0.1", "GHC_EVENTLOG_INET_PORT": str(port), "EVENTLOG_COPY": str(self.copies)}
        app = self.start([*program, 3, *FLAGS_9_6], "oddball", directory=self.folder, environment=where)  # a heap profile goes where the program runs
        self.await_end(app)
        self.wait_err(evpipe, "waiting for it|refused")
        self.assertEqual(evpipe.stop(), 0, evpipe.err())
        self.check(points.expected(self.sent()))

    # ------------------------------------------------------------------------------------------------------- GHC 9.0

    def test_9_0(self):
        """No flush, no clock: everything comes at the exit, under an estimated epoch, at once."""
        program = programs.debian_12()
        evpipe = self.pipe()
        app = self.begin(program, FLAGS_9_0, 5)
        self.assertEqual(app.wait(30), 0, app.err())
        ended = time.time_ns()
        harness.wait_for("points within seconds of the data", self.found, 5)
        self.wait_err(evpipe, "estimate")
        self.wait_err(evpipe, "waiting for it|nobody|no socket")
        self.assertEqual(evpipe.stop(), 0, evpipe.err())
        self.check_times(self.sent(), ended)

    def check_times(self, data, ended):
        """All the points, every one off by the same small amount."""
        without_time = points.expected(data, 0)
        found = self.found()
        epoch = min(point.time for point in found) - min(point.time for point in without_time)
        self.check(points.expected(data, epoch))
        stream = next(eventlog.streams(data))
        self.assertIsNone(eventlog.stream_epoch(stream))
        true_end = ended - eventlog.newest_block_end(stream)
        self.assertLess(abs(epoch - true_end) / 10**9, 5 * harness.PATIENCE, "the estimate is within seconds of the truth")

    def test_9_0_restarts(self):
        program = programs.debian_12()
        evpipe = self.pipe()
        for run in (1, 2):
            app = self.begin(program, FLAGS_9_0, 2, name=f"run{run}", EVENTLOG_COPY=str(self.folder / f"run{run}"))
            self.assertEqual(app.wait(30), 0, app.err())
            harness.wait_for("the stream to be over", lambda: len(harness.re.findall("waiting for it", evpipe.err())) > run - 1)
        self.assertEqual(evpipe.stop(), 0, evpipe.err())
        found = points.census_only(self.found())
        for run in (1, 2):
            data = (self.folder / f"run{run}.1").read_bytes()
            wanted = {(point.name, point.labels, point.value) for point in points.census_only(points.expected(data, 0))}
            self.assertEqual(wanted - {(point.name, point.labels, point.value) for point in found}, set())


if __name__ == "__main__":
    harness.main()
