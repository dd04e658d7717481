"""The sink recorder end to end: what it writes is what came, is an eventlog that others read, and outlives what goes wrong.

Files are read back by the reference decoder, by evpipe (exit status 0: nothing in it is damaged) and by ghc-events' library.
"""
import collections
import contextlib
import ctypes
import os
import pathlib
import re
import resource
import shutil
import signal
import struct
import subprocess

import harness

import eventlog
from relay_ends import Program

DATA = sorted(harness.DATA.glob("*.eventlog"))
SMALL = harness.DATA / "fork-902-child.eventlog"
LIVE = harness.DATA / "killed-966-flush.eventlog"
BLOCKS = harness.DATA / "par-966-N3-qg.eventlog"  # 345 of them, of three capabilities
END = b"\xff\xff"
FIRST = 400_000  # bytes of the repository's own log: more than a small disk holds, also when they are packed
# What a prologue holds, of the types in tests/data.
DEFINITIONS = {17, 23, 25, 27, 29, 30, 31, 32, 33, 42, 43, 44, 45, 46, 47, 48, 52, 55, 57, 26, 28, 160, 161, 168, 169, 210}

READ = """
sources:
{{sources}}
sinks:
  out: {plugin: print, from: [{{names}}], format: json, path: {{out}}}
"""


def records(data):
    """What is in it but for block markers: (type, time, capability, payload), in the order of the bytes."""
    stream = next(eventlog.streams(data))
    return [(record.type, record.time, record.capability, record.payload) for record in stream.records() if record.type != eventlog.BLOCK_MARKER]


class Recorder(harness.Case):
    def pipeline(self, options="", source="", path="{service}.eventlog", log=harness.OWN_LOG, more=""):
        source = source or f"plugin: file, path: {log}"
        return f"""
sources:
  app: {{{source}}}
{more}
sinks:
  recorder:
    plugin: recorder
    from: app
    path: "{self.folder}/out/{path}"
    {options}
"""

    def setUp(self):
        super().setUp()
        self.out = self.folder / "out"
        self.out.mkdir()

    def files(self):
        return sorted(path.name for path in self.out.iterdir())

    def record(self, *arguments, status=0, **more):
        got, _, err = self.run_evpipe(self.pipeline(*arguments, **more), "--log-level", "debug")
        self.assertEqual(got, status, err)
        return err

    def many(self, logs, options=""):
        """Records each of the logs, {name: bytes}, in one run; the recordings by name, the counts by node in the log."""
        sources = "".join(f"  {name}: {{plugin: file, path: {self.folder}/{name}.log}}\n" for name in logs)
        for name, data in logs.items():
            (self.folder / f"{name}.log").write_bytes(data)
        text = f'sources:\n{sources}sinks:\n  recorder: {{plugin: recorder, from: [{", ".join(logs)}], path: "{self.out}/{{service}}", {options}}}\n'
        status, _, err = self.run_evpipe(text, "--log-level", "debug", name="many")
        return {path.name: path.read_bytes() for path in self.out.iterdir()}, status, err

    def check_readable(self, paths, status=0):
        """evpipe finds nothing wrong in any of them."""
        names = [f"log{i}" for i, _ in enumerate(paths)]
        sources = "\n".join(f"  {name}: {{plugin: file, path: {path}}}" for name, path in zip(names, paths))
        text = harness.copies(READ, sources=sources, names=", ".join(names), out=os.devnull)
        got, _, err = self.run_evpipe(text, name="reader")
        self.assertEqual(got, status, err)
        if status == 0:
            self.assertNotIn("without an end marker", err)

    def check_counts(self, err, node="recorder"):
        """in = delivered + dropped"""
        line = re.search(rf"{node} \(.*\): done: (.*)", err).group(1)
        n = collections.Counter({word: int(count) for word, count in re.findall(r"(in|delivered|dropped) (\d+)", line)})
        self.assertEqual(n["in"], n["delivered"] + n["dropped"], line)
        return n


class Exact(Recorder):
    def test_every_log_with_garbage_and_cut(self):
        logs = {}
        for path in DATA:
            data = path.read_bytes()
            name = path.stem.lower()
            logs[name] = data
            logs[name + "-led"] = b"garbage hdrbhet" + bytes(range(256)) + data
            logs[name + "-cut"] = data[:len(data) - 7]
        logs["text"] = b"this is no eventlog\n" * 1000
        written, _, err = self.many(logs, "fidelity: exact")
        self.assertEqual({name: len(data) for name, data in written.items()}, {name: len(data) for name, data in logs.items()}, err)
        self.assertEqual(written, logs)
        self.check_counts(err)

    def test_rotation_is_refused(self):
        process = self.evpipe(self.pipeline("fidelity: exact\n    rotate: {max_size: 1MiB}"), "--check")
        self.assertEqual(process.wait(), 2)
        self.assertIn("does not go with fidelity: exact", process.err())


class Readable(Recorder):
    def test_every_log(self):
        logs = {path.stem.lower(): path.read_bytes() for path in DATA}
        written, status, err = self.many(logs)
        self.assertEqual(status, 0, err)
        for name, data in logs.items():
            with self.subTest(name):
                complete = bool(records(data)) and data.endswith(END)
                self.assertEqual(written[name], data if complete else data + END)
        self.check_readable([self.out / name for name in logs])
        self.check_counts(err)

    def test_what_is_before_the_header_is_left_out(self):
        data = SMALL.read_bytes()
        garbage = {"a": b"x" * 3, "b": b"\0\x12" + bytes(22), "c": b"hdr" * 50000, "d": b"h", "e": b"hdrbhetb", "f": b"hdrbhetbetb\0" + bytes(90000)}
        written, status, err = self.many({name: led + data for name, led in garbage.items()})
        self.assertEqual(status, 3, err)
        self.assertEqual({name for name, got in written.items() if got == data}, set(garbage), err)
        counts = self.check_counts(err)
        self.assertEqual(counts["dropped"], sum(map(len, garbage.values())), err)

    def test_cut_anywhere(self):
        """Each recording is sound, and holds all whole records."""
        for path in (SMALL, harness.DATA / "ipe-966-user.eventlog", BLOCKS):
            data = path.read_bytes()
            header = next(eventlog.streams(data)).header_size
            step = max(1, (len(data) - header) // 60)
            logs = {f"{path.stem.lower()}-{at}": data[:at] for at in [*range(header, len(data), step), *range(len(data) - 40, len(data))]}
            written, _, err = self.many(logs)
            self.check_counts(err)
            for name, log in logs.items():
                with self.subTest(name):
                    self.assertTrue(written[name].endswith(END))
                    expected, got = records(log), records(written[name])
                    self.assertEqual(got, expected[:len(got)])
                    self.assertEqual(len(got), len(expected))
            self.check_readable([self.out / name for name in logs])
            shutil.rmtree(self.out)
            self.out.mkdir()

    def test_no_header_no_file(self):
        written, status, err = self.many({"text": b"this is no eventlog\n" * 100, "half": SMALL.read_bytes()[:500]})
        self.assertEqual((written, status), ({}, 3), err)
        self.check_counts(err)

    def test_small_pieces(self):
        """Cut by the socket at any place: held back, not lost."""
        server = self.replay(SMALL, "--cut", "7")
        process = self.evpipe(self.pipeline(source=f"plugin: socket, unix: {server.path}"))
        harness.wait_for("the end", lambda: (self.out / "app.eventlog").exists() and (self.out / "app.eventlog").read_bytes().endswith(END))
        server.wait()
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)
        self.assertEqual((self.out / "app.eventlog").read_bytes(), SMALL.read_bytes())


class Names(Recorder):
    def test_program_and_pid(self):
        path = "{service}-{program}-{pid}-{start}-{seq}.eventlog"
        self.record(path=path, log=BLOCKS)
        name, = self.files()
        facts = {number: payload for number, _, _, payload in records(BLOCKS.read_bytes())}
        pid = struct.unpack(">II", facts[eventlog.OSPROCESS_PID])[1]
        self.assertRegex(name, rf"^app-\w+-{pid}-\d{{8}}T\d{{6}}Z-1\.eventlog$")

    def test_part_until_it_is_known(self):
        """The header says no program: the file is a .part until the first flush, or for ever."""
        server = self.replay(LIVE, "--hold", "1000", "--end", "hold")
        process = self.evpipe(self.pipeline(source=f"plugin: socket, unix: {server.path}", path="{program}.eventlog"))
        harness.wait_for("a file", lambda: self.files() == ["unknown.eventlog.part"] and (self.out / "unknown.eventlog.part").stat().st_size)
        self.assertEqual(process.stop(), 0, process.err())
        self.assertEqual(self.files(), ["unknown.eventlog"])
        self.check_sound(process)

    def test_nothing_is_overwritten(self):
        for name in ("app.eventlog", "app-2.eventlog"):
            (self.out / name).write_text("mine")
        os.symlink("/nonexistent", self.out / "app-3.eventlog")
        err = self.record(log=SMALL)
        self.assertEqual((self.out / "app-4.eventlog").read_bytes(), SMALL.read_bytes())
        self.assertEqual((self.out / "app.eventlog").read_text(), "mine")
        self.assertRegex(err, r"a file of that name exists: recording to .*app-4\.eventlog")

    def test_mode(self):
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.record(log=SMALL)
        self.assertEqual((self.out / "app.eventlog").stat().st_mode & 0o7777, 0o600)
        os.umask(0o777)
        self.record(log=SMALL)
        os.umask(0)
        self.assertEqual((self.out / "app-2.eventlog").stat().st_mode & 0o7777, 0o600)

    def test_folders(self):
        err = self.record(path="a/{service}/x.eventlog", log=SMALL, status=1)
        self.assertIn("No such file or directory", err)
        self.assertEqual(self.files(), [])
        self.check_counts(err)
        self.record("create_directories: true", path="a/{service}/x.eventlog", log=SMALL)
        self.assertEqual((self.out / "a" / "app" / "x.eventlog").read_bytes(), SMALL.read_bytes())

    def test_a_restarted_program_has_another_file(self):
        server = self.replay(SMALL, LIVE, "--end", "close")
        process = self.evpipe(self.pipeline(source=f"plugin: socket, unix: {server.path}, reconnect: {{initial: 10ms, max: 10s}}"))
        harness.wait_for(lambda: f"two files: {process.err()[-1000:]}", lambda: (self.out / "app-2.eventlog").exists() and (self.out / "app-2.eventlog").read_bytes().endswith(END))
        self.assertEqual(process.stop(), 0, process.err())
        self.assertEqual((self.out / "app.eventlog").read_bytes(), SMALL.read_bytes())
        self.assertEqual(records((self.out / "app-2.eventlog").read_bytes()), records(LIVE.read_bytes()))

    def test_two_runs_in_one_input(self):
        both = self.folder / "both.eventlog"
        both.write_bytes(SMALL.read_bytes() + BLOCKS.read_bytes())
        self.record(log=both)
        self.assertEqual((self.out / "app.eventlog").read_bytes(), SMALL.read_bytes())
        self.assertEqual((self.out / "app-2.eventlog").read_bytes(), BLOCKS.read_bytes() + END)


class Rotation(Recorder):
    def rotated(self, log, options):
        server = self.replay(log, "--cut", "3000", "--taken")
        process = self.evpipe(self.pipeline(options, source=f"plugin: socket, unix: {server.path}", path="{start}-{seq}.eventlog"), "--log-level", "debug")
        server.wait()
        self.wait_err(process, "stream ended")
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)
        self.check_counts(process.err())
        return sorted(self.out.iterdir(), key=lambda path: int(re.search(r"-(\d+)\.", path.name).group(1)))

    def check_together(self, files, log):
        """Each event is in one file, definitions in several; the order is kept."""
        expected, got = records(log.read_bytes()), [record for path in files for record in records(path.read_bytes())]
        extra = collections.Counter(got) - collections.Counter(expected)
        self.assertEqual(collections.Counter(expected) - collections.Counter(got), {})
        self.assertLessEqual({record[0] for record in extra}, DEFINITIONS)
        self.assertEqual([record for record in got if record not in extra], [record for record in expected if record not in extra])

    def test_by_size(self):
        for log in (BLOCKS, LIVE, harness.OWN_LOG):
            with self.subTest(log.name):
                shutil.rmtree(self.out)
                self.out.mkdir()
                files = self.rotated(log, "rotate: {max_size: 4KiB}")
                self.assertGreater(len(files), 1)
                self.check_together(files, log)
                self.check_readable(files)

    def test_by_age_and_keep(self):
        files = self.rotated(BLOCKS, "rotate: {max_age: 1us}\n    keep: {files: 3}")
        self.assertEqual(len(files), 3)
        self.assertTrue(records(files[-1].read_bytes()))
        self.check_readable(files)

    def test_keep_deletes_recordings_only(self):
        mine = ["notes.eventlog", "20261124T014859Z.txt", "20261124T014859Z-1.eventlog.bak", "x20261124T014859Z-1.eventlog"]
        old = ["20161124T014859Z-1.eventlog", "20161124T014859Z-1-2.eventlog", "20161124T014859Z-7.eventlog.part"]
        for name in mine + old:
            (self.out / name).write_text("old")
            os.utime(self.out / name, (1, 1))
        (self.out / "20161124T014859Z-8.eventlog").mkdir()
        self.record("keep: {files: 1}", path="{start}-{seq}.eventlog", log=SMALL)
        self.assertEqual(len(set(self.files()) - set(mine)), 2, self.files())
        self.assertFalse(set(self.files()) & set(old))

    def test_ghc_events_reads_them(self):
        program = self.folder / "check"
        if not shutil.which("ghc"):
            harness.skip("ghc is not installed")
        built = subprocess.run(["ghc", "-v0", "-O0", "-package", "ghc-events", "-outputdir", self.folder / "objects", "-o", program,
                                harness.SOURCE / "tests" / "e2e" / "CheckEventlog.hs"], capture_output=True, text=True, check=False)
        if built.returncode:
            harness.skip(f"ghc has no ghc-events: {built.stderr[:300]}")
        files = self.rotated(harness.OWN_LOG, "rotate: {max_size: 32KiB}")
        self.assertGreater(len(files), 1)
        self.record("signals: [events]", path="events", log=BLOCKS)
        data = SMALL.read_bytes()
        self.many({f"cut{at}": data[:at] for at in range(3000, len(data), 501)})
        paths = sorted(self.out.iterdir())
        got = subprocess.run([program, *paths], capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
        expected = [str(len(records(path.read_bytes()))) for path in paths]
        self.assertEqual(dict(zip(paths, got)), dict(zip(paths, expected)))


class Events(Recorder):
    SHOW = """
sources:
  app: {plugin: file, path: {{log}}}
filters:
  chosen: {plugin: select, from: app, events: [{{events}}]}
sinks:
  out: {plugin: print, from: {{source}}, path: {{out}}}
  {{more}}
"""

    def show(self, log, source, out, events='"*"', more=""):
        text = harness.copies(self.SHOW, log=log, events=events, source=source, out=self.folder / out, more=more)
        if source == "app":
            text = re.sub(r"filters:\n.*\n", "", text)
        status, _, err = self.run_evpipe(text, "--log-level", "debug", name=out)
        self.assertEqual(status, 0, err)
        return (self.folder / out).read_text("utf-8", "replace"), err

    def test_filtered(self):
        """What `show` prints of the recording is what it prints of the filter, but for the new block markers."""
        for log in (BLOCKS, harness.DATA / "ipe-9103-hi.eventlog", harness.DATA / "prof-902-hb.eventlog"):
            with self.subTest(log.name):
                recording = self.out / log.name
                wanted, err = self.show(log, "chosen", "wanted", "RUN_THREAD, HEAP_*, USER_*, IPE, CAPSET_*, 43",
                                        f'recorder: {{plugin: recorder, from: chosen, path: "{recording}"}}')
                self.check_counts(err)
                got, _ = self.show(recording, "app", "got")
                markers = r"(?m)^\d+: (cap \d+: )?event block: cap.*\n\n"
                self.assertEqual(re.sub(markers, "", got), wanted)
                self.assertGreater(len(re.findall(markers, got)), 0)
                self.check_readable([recording])

    def test_all_events_of_every_log(self):
        logs = {path.stem.lower(): path.read_bytes() for path in DATA}
        written, _, err = self.many(logs, "signals: [events]")
        self.check_counts(err)
        for name, data in logs.items():
            with self.subTest(name):
                self.assertEqual(records(written[name]), records(data))
        self.check_readable([self.out / name for name in logs])

    def test_nothing_passes(self):
        log, _ = self.show(SMALL, "chosen", "wanted", "TICKY_*", f'recorder: {{plugin: recorder, from: chosen, path: "{self.out}/x"}}')
        data = (self.out / "x").read_bytes()
        self.assertEqual((records(data), data[-2:]), ([], END), log)
        self.check_readable([self.out / "x"])

    def test_rotated(self):
        server = self.replay(BLOCKS, "--cut", "3000", "--taken")
        process = self.evpipe(self.pipeline("signals: [events]\n    rotate: {max_size: 4KiB}", source=f"plugin: socket, unix: {server.path}",
                                            path="{seq}.eventlog"), "--log-level", "debug")
        server.wait()
        self.wait_err(process, "stream ended")
        self.assertEqual(process.stop(), 0, process.err())
        self.check_counts(process.err())
        files = sorted(self.out.iterdir(), key=lambda path: int(path.stem))
        self.assertGreater(len(files), 1)
        Rotation.check_together(self, files, BLOCKS)
        self.check_readable(files)


class Secrets(Recorder):
    SECRETS = {eventlog.PROGRAM_ARGS, 31}

    def redacted(self, log):
        return [(number, when, cap, payload if number not in self.SECRETS else payload[:4] + re.sub(rb"[^\0]", b"x", payload[4:]))
                for number, when, cap, payload in records(log.read_bytes())]

    def test_bytes_and_events(self):
        """The same records in the same places, but for the arguments; nothing of them is anywhere in the files."""
        for signal_name in ("bytes", "events"):
            log = harness.DATA / "prof-902-hb.eventlog"
            self.record(f"redact: [arguments, environment]\n    signals: [{signal_name}]", path=signal_name, log=log)
            data = (self.out / signal_name).read_bytes()
            expected = self.redacted(log)
            self.assertNotEqual(expected, records(log.read_bytes()))
            self.assertEqual(records(data), expected)
            self.check_readable([self.out / signal_name])

    def test_prologue_of_rotated_files(self):
        files = Rotation.rotated(self, BLOCKS, "redact: arguments\n    rotate: {max_size: 4KiB}")
        self.assertGreater(len(files), 1)
        expected = set(self.redacted(BLOCKS))
        for path in files:
            self.assertLessEqual(set(records(path.read_bytes())), expected)


class Gaps(Recorder):
    """A disk that hangs: the sink's thread is held, a live program does not wait, and the queue loses its oldest."""

    def setUp(self):
        super().setUp()
        self.libc = ctypes.CDLL(None, use_errno=True)

    def ptrace(self, request, thread):
        if self.libc.ptrace(ctypes.c_long(request), ctypes.c_long(thread), None, None):
            harness.skip(f"a thread can not be held: ptrace: {os.strerror(ctypes.get_errno())}")

    @contextlib.contextmanager
    def held_sink(self, process):
        """Its thread is the one beside the main thread that polls; a lane waits by epoll."""
        thread = harness.wait_for("the sink's thread to wait", lambda: self.hold_waiting(pathlib.Path(f"/proc/{process.pid}/task"), process.pid))
        try:
            yield
        finally:
            self.ptrace(17, thread)  # PTRACE_DETACH

    def hold_waiting(self, folder, main):
        """The thread that polls, held; None: there is none, or it was at work when it was held, maybe with a lock that the others need."""
        waiting = [task for task in folder.iterdir() if task.name != str(main) and (task / "wchan").read_text().startswith("poll_schedule")]
        if len(waiting) != 1:
            return None
        thread, call = int(waiting[0].name), waiting[0] / "syscall"
        try:
            before = call.read_text()
        except OSError as error:
            harness.skip(f"what a thread waits in can not be seen: {error}")
        self.ptrace(0x4206, thread)  # PTRACE_SEIZE
        self.ptrace(0x4207, thread)  # PTRACE_INTERRUPT
        os.waitpid(thread, 0x40000000)  # __WALL
        if before[0].isdigit() and call.read_text() == before:
            return thread
        self.ptrace(17, thread)  # PTRACE_DETACH
        return None

    def gap(self, options, path="app.eventlog"):
        data = harness.OWN_LOG.read_bytes()
        program = Program(self.folder / "app.sock")
        self.addCleanup(program.end)
        source = f"plugin: socket, unix: {self.folder}/app.sock"
        process = self.evpipe(self.pipeline(f"{options}\n    queue: {{max_size: 64KiB}}", source=source), "--log-level", "debug")
        program.accept().send(data[:100_000])
        harness.wait_for("a file", (self.out / path).exists)
        with self.held_sink(process):
            program.send(data[100_000:400_000])
            self.wait_err(process, "dropped .* queue_full")
        program.send(data[400_000:])
        program.end()
        self.wait_err(process, "stream ended")
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)
        counts = self.check_counts(process.err())
        self.assertEqual(counts["in"], len(data))
        self.assertGreater(counts["dropped"], 0)
        return data, (self.out / path).read_bytes(), counts

    def check_records(self, data, got):
        """Each once, in their order, but for definitions, which come again from the prologue."""
        expected, found = records(data), records(got)
        self.assertEqual(set(found) - set(expected), set())
        self.assertEqual(found[-1], expected[-1])
        self.assertLess(len(found), len(expected))
        needed = {record for record in expected if record[0] in DEFINITIONS}
        self.assertEqual(needed - set(found), set())

    def test_readable(self):
        data, got, _ = self.gap("")
        self.check_readable([self.out / "app.eventlog"])
        self.check_records(data, got)

    def test_exact(self):
        data, got, counts = self.gap("fidelity: exact")
        self.assertEqual(len(got), counts["delivered"])
        begin = next(i for i, (one, other) in enumerate(zip(data, got)) if one != other)
        self.assertTrue(data.endswith(got[begin:]))

    def test_compressed(self):
        data, got, _ = self.gap("compression: zstd", "app.eventlog.zst")
        unpacked = subprocess.run(["zstd", "-dc"], input=got, capture_output=True, check=True).stdout
        self.check_records(data, unpacked)


class Failures(Recorder):
    def setUp(self):
        super().setUp()
        if not shutil.which("zstd"):
            harness.skip("zstd is not installed")

    def live(self, options="", path="{service}.eventlog", log=LIVE, *arguments):
        server = self.replay(log, *arguments)
        return server, self.evpipe(self.pipeline(options, source=f"plugin: socket, unix: {server.path}", path=path), "--log-level", "debug")

    def unpack(self, path):
        return subprocess.run(["zstd", "-dc", path], capture_output=True, check=False).stdout

    def test_killed(self):
        """kill -9 in the middle of a stream: the file can be read up to the last block that came."""
        for compression in ("none", "zstd"):
            with self.subTest(compression):
                server, process = self.live(f"compression: {compression}", f"{compression}.eventlog", LIVE, "--end", "hold")
                path = self.out / ("none.eventlog" if compression == "none" else "zstd.eventlog.zst")
                read = path.read_bytes if compression == "none" else lambda: self.unpack(path)
                harness.wait_for("all of it", lambda: path.exists() and len(read()) >= LIVE.stat().st_size)
                process.kill()
                server.kill()
                self.assertEqual(read(), LIVE.read_bytes())

    def test_zstd(self):
        logs = {path.stem.lower(): path.read_bytes() for path in DATA}
        plain, _, _ = self.many(logs)
        packed, _, err = self.many(logs, "compression: zstd, level: 1")
        self.check_counts(err)
        for name, data in logs.items():
            if data.endswith(END):
                self.assertEqual(self.unpack(self.out / (name + ".zst")), plain[name])
        self.assertLess(len(packed["oddball-966-ht.zst"]), len(logs["oddball-966-ht"]) / 2)

    def begin(self, options="", **more):
        """evpipe, and a program that says what it is told to: no clock is to run while a disk is full."""
        program = Program(self.folder / "app.sock")
        self.addCleanup(program.end)
        return program, self.evpipe(self.pipeline(options, source=f"plugin: socket, unix: {self.folder}/app.sock"), "--log-level", "debug", **more)

    def finish(self, process, status):
        self.wait_err(process, "stream ended")
        self.assertEqual(process.stop(), status, process.err())
        self.check_sound(process)
        return self.check_counts(process.err())

    def check_gap(self, path, log):
        got, expected = records(path.read_bytes()), records(log.read_bytes())
        self.check_readable([path])
        self.assertEqual(set(got) - set(expected), set())
        self.assertIn(expected[-1], got)
        self.assertLess(len(got), len(expected))

    def limit(self, process, size):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def test_a_limit_that_is_lifted(self):
        data = harness.OWN_LOG.read_bytes()
        program, process = self.begin()
        self.limit(process, 40000)
        program.accept().send(data[:FIRST])
        self.wait_err(process, "File too large; what comes is dropped")
        size = (self.out / "app.eventlog").stat().st_size
        self.assertLessEqual(size, 40000)
        self.wait_err(process, "dropped .* disk_full")
        self.limit(process, resource.RLIM_INFINITY)
        program.send(data[FIRST:])
        program.end()
        self.wait_err(process, "can be written again")
        counts = self.finish(process, 1)
        self.assertEqual(len(re.findall("File too large", process.err())), 1)
        self.assertGreater(counts["dropped"], 0)
        self.check_gap(self.out / "app.eventlog", harness.OWN_LOG)

    def test_a_full_disk_with_room_again(self):
        for compression in ("none", "zstd"):
            with self.subTest(compression):
                self.full_disk(compression)

    def full_disk(self, compression):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"tmpfs", str(self.out).encode(), b"tmpfs", 0, b"size=96k"):
            harness.skip(f"a small tmpfs can not be mounted: {os.strerror(ctypes.get_errno())}")
        try:
            (self.out / "ballast").write_bytes(bytes(48 * 1024))
            data = harness.OWN_LOG.read_bytes()
            program, process = self.begin(f"compression: {compression}", name=f"evpipe-{compression}")
            program.accept().send(data[:FIRST])
            self.wait_err(process, "No space left on device; what comes is dropped")
            self.wait_err(process, "dropped .* disk_full")
            self.assertEqual(libc.mount(b"tmpfs", str(self.out).encode(), b"tmpfs", 32, b"size=2m"), 0)  # MS_REMOUNT
            program.send(data[FIRST:])
            program.end()
            self.wait_err(process, "can be written again")
            counts = self.finish(process, 1)
            self.assertGreater(counts["dropped"], 0)
            path = self.out / "app.eventlog"
            if compression == "zstd":
                path = self.folder / "unpacked"
                path.write_bytes(self.unpack(self.out / "app.eventlog.zst"))
            self.check_gap(path, harness.OWN_LOG)
        finally:
            libc.umount2(str(self.out).encode(), 2)

    def test_a_disk_that_stays_full(self):
        process = self.evpipe(self.pipeline(log="/dev/stdin", source='plugin: file, path: "-"'), "--log-level", "debug", stdin=subprocess.PIPE)
        self.limit(process, 100000)
        data = harness.OWN_LOG.read_bytes()
        with process.popen.stdin as pipe:
            for at in range(0, len(data), 30000):
                pipe.write(data[at:at + 30000])
                pipe.flush()
        self.assertEqual(process.wait(), 1, process.err())
        counts = self.check_counts(process.err())
        self.assertLessEqual((self.out / "app.eventlog").stat().st_size, 100000)
        self.assertGreater(counts["dropped"], 400000)
        self.check_readable([self.out / "app.eventlog"])

    def test_no_room_at_all(self):
        process = self.evpipe(self.pipeline(source='plugin: file, path: "-"'), "--log-level", "debug", stdin=subprocess.PIPE)
        self.limit(process, 3000)  # the log of evpipe is a file, too
        with process.popen.stdin as pipe:
            pipe.write(SMALL.read_bytes())
        self.assertEqual(process.wait(), 1, process.err())
        self.assertEqual(self.files(), [])
        self.assertEqual(self.check_counts(process.err())["dropped"], SMALL.stat().st_size)


if __name__ == "__main__":
    harness.main()
