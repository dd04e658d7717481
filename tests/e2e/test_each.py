#!/usr/bin/env python3
"""`each: GLOB`: one source for every path, made when it appears, let go when it is gone, and next to nothing while idle."""
import collections
import contextlib
import fcntl
import os
import resource
import selectors
import signal
import socket
import stat
import termios

import harness

LOG = harness.DATA / "prof-902-hb.eventlog"
MANY = 200
PIPELINE = """
    sources:
      apps:
        plugin: socket
        each: "{{sockets}}"
        unix: "{each}"
        labels: {service: "{name}", path: "{each}"}
        reconnect: {initial: 20ms, max: {{max}}}
        hold: {max_delay: 50ms}
    filters: {heap: {plugin: heap, from: apps}}
    sinks: {out: {plugin: print, from: heap, format: json}}
"""


class Programs:
    """Programs that serve a log on a socket each, as eventlog-socket does, and are then idle. All in this process, which
    serves them while it waits."""

    def __init__(self, folder, data):
        self.folder, self.data = folder, data
        self.selector = selectors.DefaultSelector()
        self.listeners, self.clients = {}, collections.defaultdict(list)
        self.served = collections.Counter()

    def path(self, name):
        return self.folder / (name + ".sock")

    def begin(self, *names):
        for name in names:
            self.path(name).unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(self.path(name)))
            listener.listen(5)
            self.selector.register(listener, selectors.EVENT_READ, name)
            self.listeners[name] = listener

    def end(self, *names, unlink=True):
        for name in names:
            if unlink:
                self.path(name).unlink()
            listener = self.listeners.pop(name)
            self.selector.unregister(listener)
            for each in [listener, *self.clients.pop(name, [])]:
                each.close()

    def serve(self):
        for key, _ in self.selector.select(0):
            client, _ = key.fileobj.accept()
            with contextlib.suppress(BrokenPipeError):  # it may end at any time
                client.sendall(self.data)
            self.clients[key.data].append(client)
            self.served[key.data] += 1

    def is_taken(self, name):
        waiting = bytearray(4)
        for client in self.clients[name]:
            fcntl.ioctl(client, termios.TIOCOUTQ, waiting)
            if any(waiting):
                return False
        return True

    def close(self):
        self.end(*list(self.listeners), unlink=False)
        self.selector.close()


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
        self.run = self.folder / "run"
        self.programs = Programs(self.run, LOG.read_bytes())
        self.addCleanup(self.programs.close)

    def each(self, sockets=None, maximum="100ms", pipeline=PIPELINE, arguments=("--log-level", "debug"), **more):
        return self.evpipe(harness.copies(pipeline, sockets=sockets or self.run / "*.sock", max=maximum), *arguments, **more)

    def wait_served(self, what, condition, seconds=30):
        def served():
            self.programs.serve()
            return condition()
        return harness.wait_for(what, served, seconds)

    def metrics(self, process):
        """What came, by service: how often each series and value."""
        services = collections.defaultdict(collections.Counter)
        data = process.out()
        for item in harness.json_lines(data[:data.rfind(b"\n") + 1]):
            labels = dict(item["labels"])
            service, path = labels.pop("service"), labels.pop("path")
            self.assertIn(path, (str(self.programs.path(service)), service))
            services[service][(item["name"], tuple(sorted(labels.items())), item["value"])] += 1
        return services

    def wait_taken(self, process, names, times=1):
        """Until each of them was connected to so often, and all that it said was read."""
        self.wait_served(lambda: f"all to be read: {self.programs.served}; {process.err()[-2000:]}",
                         lambda: all(self.programs.served[name] == times and self.programs.is_taken(name) for name in names))

    def wait_files(self, process, n):
        self.wait_served(lambda: f"{n} open files, not {files_of(process)}", lambda: files_of(process) == n)

    def expected(self):
        """What one stream of the log makes: without an `each`, alone."""
        server = self.replay(LOG, "--end", "hold", name="alone")
        process = self.evpipe(harness.copies("""
            sources: {app: {plugin: socket, unix: "{{path}}", labels: {service: alone, path: alone}}}
            filters: {heap: {plugin: heap, from: app}}
            sinks: {out: {plugin: print, from: heap, format: json}}
            """, path=server.path), name="expected")
        self.wait_err(server, "end of the log")
        self.assertEqual(process.stop(), 0, process.err())
        return self.metrics(process)["alone"]

    def stop(self, process, status=0):
        self.assertEqual(process.stop(), status, process.err())
        self.check_sound(process)


def files_of(process):
    """How many it has open, but for folders: those are looked through now and then."""
    n = 0
    for number in os.listdir(f"/proc/{process.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # it has just been closed
            n += not stat.S_ISDIR(os.stat(f"/proc/{process.pid}/fd/{number}").st_mode)
    return n


def facts_of(process):
    """What stands behind the name in /proc/PID/stat: of its main thread the state, then numbers."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()


def state_of(process):
    return facts_of(process)[0]


def ticks_of(process):
    return sum(map(int, facts_of(process)[11:13]))


def memory_of(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


class Many(Case):
    def check_idle(self, process):
        """All are connected and silent: no thread more than for one, and no work at all."""
        lanes, sinks = os.cpu_count(), 1
        self.assertLessEqual(len(os.listdir(f"/proc/{process.pid}/task")), lanes + sinks + 2)
        if harness.PATIENCE > 1:
            return
        harness.wait_for(lambda: f"memory to be let go of: {memory_of(process)} KiB", lambda: memory_of(process) < 64 * 1024)
        harness.wait_for("a second without work", lambda: self.works_for(process, 1) <= 5)
        print(f"{memory_of(process)} KiB for {MANY} idle streams")

    @staticmethod
    def works_for(process, seconds):
        """The ticks of CPU time that it takes meanwhile."""
        before = ticks_of(process)
        harness.time.sleep(seconds)  # what is measured is that nothing happens
        return ticks_of(process) - before

    def test_two_hundred_that_come_and_go(self):
        wanted = self.expected()
        self.assertGreater(sum(wanted.values()), 100)
        self.run.mkdir()
        names = [f"app-{index}" for index in range(MANY)]
        self.programs.begin(*names[:150])
        process = self.each()
        self.wait_taken(process, names[:150])
        self.programs.begin(*names[150:])
        self.wait_taken(process, names)
        self.check_idle(process)
        full = files_of(process)
        self.programs.end(*names[20:])
        self.wait_files(process, full - 180)
        self.programs.begin(*names[20:40])
        self.wait_taken(process, names[20:40], 2)
        self.wait_files(process, full - 160)
        self.stop(process)
        twice = collections.Counter({key: 2 * n for key, n in wanted.items()})
        self.assertEqual(self.metrics(process), {name: twice if name in names[20:40] else wanted for name in names})
        self.assertNotIn("dropped", process.err())

    def test_thousand_at_once(self):
        self.run.mkdir()
        self.programs.data = b""
        process = self.each()
        self.wait_err(process, "nothing matches")
        before = files_of(process)
        names = [f"app-{index}" for index in range(1000)]
        self.programs.begin(*names)
        self.wait_files(process, before + 1000)
        self.programs.end(*names)
        self.wait_files(process, before)
        self.stop(process)


class Paths(Case):
    def test_the_directory_comes_later(self):
        process = self.each(sockets=self.folder / "a" / "*" / "run" / "x?.sock")
        self.assertIn(b"", process.out())
        self.programs.folder = self.folder / "a" / "b" / "run"
        self.programs.folder.mkdir(parents=True)
        self.programs.begin("x1", "y1")
        self.wait_served(process.err, lambda: self.programs.served["x1"])
        self.programs.end("x1", "y1")
        harness.shutil.rmtree(self.folder / "a")
        self.programs.folder.mkdir(parents=True)
        self.programs.begin("x2")
        self.wait_served(process.err, lambda: self.programs.served["x2"])
        self.stop(process)
        self.assertNotIn("/y1.sock", process.err())

    def test_a_program_starts_again(self):
        """Its socket was left behind; made anew, it is connected to at once, however long the delay has become."""
        self.run.mkdir()
        process = self.each(maximum="1h")
        for round_ in range(1, 4):
            self.programs.begin("web")
            self.wait_served(process.err, lambda: self.programs.served["web"] == round_)
            self.programs.end("web", unlink=False)
            harness.wait_for(process.err, lambda: process.err().count("stream ended") == round_)
            self.wait_err(process, "nobody listens")
        self.assertEqual(process.err().count("a source of its own"), 1)
        self.stop(process)

    def test_gone_and_made_again(self):
        self.run.mkdir()
        process = self.each()
        for round_ in range(1, 4):
            self.programs.begin("web")
            self.wait_served(process.err, lambda: self.programs.served["web"] == round_)
            self.programs.end("web")
            harness.wait_for(process.err, lambda: process.err().count("let go") == round_)
        self.stop(process)
        self.assertEqual(set(self.metrics(process)), {"web"})

    def test_nothing_matches(self):
        process = self.each()
        self.wait_err(process, "nothing matches")
        self.stop(process)
        self.assertEqual(process.out(), b"")
        self.assertIn("nothing came", process.err())

    def test_silence_names_the_program(self):
        self.run.mkdir()
        self.programs.data = b""
        self.programs.begin("one", "two")
        process = self.each(pipeline=PIPELINE.replace("plugin: socket", "plugin: socket\n        silence: 200ms"))
        for name in ("one", "two"):
            self.wait_served(process.err, lambda name=name: f"warning apps[{self.programs.path(name)}]" in process.err() and "no eventlog header came" in process.err())
        self.stop(process)

    def test_one_that_can_not_be_made_is_left_out(self):
        """The path of a Unix socket has 107 bytes. Made anew, it is tried again."""
        self.run.mkdir()
        self.programs.begin("short")
        (self.run / ("x" * 100 + ".sock")).touch()
        process = self.each()
        self.wait_served(process.err, lambda: self.programs.served["short"])
        self.wait_err(process, "left out until it is made anew")
        (self.run / ("x" * 100 + ".sock")).unlink()
        (self.run / ("x" * 100 + ".sock")).touch()
        harness.wait_for(process.err, lambda: process.err().count("left out until it is made anew") == 2)
        self.stop(process, 1)


FILES = """
    sources: {logs: {plugin: file, each: "{{sockets}}", path: "{each}", {{max}} labels: {service: "{name}", path: "{each}"}}}
    sinks: {out: {plugin: print, from: logs, signals: [events], format: show}}
"""


class Files(Case):
    @contextlib.contextmanager
    def stopped(self, process):
        """Meanwhile it sees nothing."""
        process.send(signal.SIGSTOP)
        harness.wait_for("evpipe to be stopped", lambda: state_of(process) == "T")
        yield
        process.send(signal.SIGCONT)

    def test_each_is_read_once(self):
        self.run.mkdir()
        for name in ("one", "two"):
            harness.shutil.copy(LOG, self.run / f"{name}.eventlog")
        process = self.each(self.run / "*.eventlog", "", FILES)
        harness.wait_for(process.err, lambda: process.err().count("stream ended") == 2)
        harness.shutil.copy(LOG, self.run / "three.part")
        (self.run / "three.part").rename(self.run / "three.eventlog")
        harness.wait_for(process.err, lambda: process.err().count("stream ended") == 3)
        with self.stopped(process):  # or it may look in the very moment in which the file is not there, and forget it
            os.utime(self.run / "one.eventlog")
            (self.run / "one.eventlog").rename(self.run / "one.old")
            (self.run / "one.old").rename(self.run / "one.eventlog")  # the same file, not another
        harness.shutil.copy(LOG, self.run / "two.part")
        (self.run / "two.part").rename(self.run / "two.eventlog")  # another under its name
        harness.wait_for(process.err, lambda: process.err().count("stream ended") == 4)
        self.assertTrue(process.running())
        self.stop(process)
        self.assertEqual(process.err().count("one.eventlog: a source"), 1)

    def test_replaced_while_it_is_read(self):
        """What lies under the name when the first is over is another file, and is read, too."""
        self.run.mkdir()
        harness.shutil.copy(harness.OWN_LOG, self.run / "one.eventlog")
        process = self.each(self.run / "*.eventlog", "pace: 8x,", FILES)
        self.wait_err(process, "connected")
        harness.shutil.copy(LOG, self.run / "one.part")
        (self.run / "one.part").rename(self.run / "one.eventlog")
        harness.wait_for(process.err, lambda: process.err().count("stream ended") == 2)
        self.stop(process)
        self.assertIn(f"stream ended: {LOG.stat().st_size} bytes", process.err())

    def test_its_directory_is_made_anew(self):
        """So fast that nobody saw it gone: the file in it is another all the same."""
        self.run.mkdir()
        (self.folder / "next").mkdir()
        for folder in (self.run, self.folder / "next"):
            harness.shutil.copy(LOG, folder / "one.eventlog")
        process = self.each(self.run / "*.eventlog", "", FILES)
        harness.wait_for(process.err, lambda: "eventlog: over" in process.err())
        self.run.rename(self.folder / "last")
        (self.folder / "next").rename(self.run)
        harness.wait_for(process.err, lambda: process.err().count("stream ended") == 2)
        self.stop(process)

    def test_a_followed_file_is_let_go_when_it_is_removed(self):
        self.run.mkdir()
        harness.shutil.copy(LOG, self.run / "one.eventlog")
        process = self.each(self.run / "*.eventlog", "follow: true,", FILES)
        self.wait_err(process, "connected")
        (self.run / "one.eventlog").unlink()
        self.wait_err(process, "let go")
        self.stop(process)


class Places(Case):
    def check(self, text, *words):
        process = self.evpipe(text, "--check")
        self.assertEqual(process.wait(), 2 if words else 0, process.err())
        for word in words:
            self.assertIn(word, process.err())

    def test_placeholders_are_checked_at_once(self):
        template = """
            sources: {apps: {plugin: socket, each: "/nowhere/*", %s}}
            sinks: {out: {plugin: print, from: apps, format: json}}
            """
        self.check(template % 'unix: "{eech}"', "evpipe.yaml:2:", "'{eech}' is not replaced", "did you mean '{each}'?", "^~~~~~~~")
        self.check(template % 'unix: /one', "no option has {each}")
        self.check(template % 'tcp: "{name}"', "evpipe.yaml:2:", "HOST:PORT")
        self.check(template % 'tcp: "localhost:{name}"')
        self.check(template % 'unix: "{each}", labels: {service: "{name}"}')


if __name__ == "__main__":
    harness.main()
