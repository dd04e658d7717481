"""What the end to end tests share: programs started and ended by pid, free ports, folders, logs, waiting for conditions.

A test module is a plain unittest file that ends with `harness.main()`. Meson sets EVPIPE (the program), EVPIPE_PLUGIN_PATH and
EVPIPE_SOURCE (the source folder); EVPIPE_WRAPPER puts words (valgrind) before the program. A test that lacks something
calls skip(); a module of which every test was skipped ends with status 77, which is meson's word for it.
"""
import atexit
import contextlib
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

SOURCE = pathlib.Path(os.environ.get("EVPIPE_SOURCE") or pathlib.Path(__file__).resolve().parents[2])
BUILD = pathlib.Path(os.environ.get("EVPIPE_BUILD") or SOURCE / "build")
EVPIPE = os.environ.get("EVPIPE") or str(BUILD / "core" / "evpipe")
DATA = SOURCE / "tests" / "data"
EVENTLOGS = pathlib.Path(os.environ.get("EVPIPE_EVENTLOGS") or SOURCE.parent / "shared" / "eventlogs")
OWN_LOG = DATA / "oddball-966-hT.eventlog"
WRAPPER = shlex.split(os.environ.get("EVPIPE_WRAPPER", ""))
# Sanitizers and valgrind make everything slower: every deadline is multiplied by this.
PATIENCE = float(os.environ.get("EVPIPE_PATIENCE", "1")) * (10 if WRAPPER else 1)

sys.path.insert(0, str(SOURCE / "tests" / "reference"))
sys.path.insert(0, str(SOURCE / "tests" / "live"))
os.environ.setdefault("EVPIPE_PLUGIN_PATH", str(BUILD / "plugins"))


def skip(reason):
    raise unittest.SkipTest(reason)


class Failed(AssertionError):
    pass


def wait_for(what, condition, seconds=60):
    """Polls until the condition holds and returns what it returned; fails, saying what, after the deadline, which is far: a busy machine is no fault."""
    deadline = time.monotonic() + seconds * PATIENCE
    pause = 0.005
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Failed(f"after {seconds * PATIENCE:.0f} s still not: {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


_ports = []  # held until this process ends


def free_port():
    """A port that nobody listens on, for this process alone as long as it runs. Not one of those that the kernel gives to connections:
    whatever connects to anything, also in the tests beside this one, might be given it before it is listened on, or between two lives of a server."""
    for port in random.sample(range(12000, 32000), 1000):
        ours = socket.socket(socket.AF_UNIX)
        try:
            ours.bind(f"\0evpipe-test-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            ours.close()
            continue
        _ports.append(ours)
        return port
    raise Failed("no free port")


# ------------------------------------------------------------------------------------------------------------ programs


class Process:
    """A program with its output in files: nothing to drain, all of it to be looked at afterwards."""

    def __init__(self, arguments, folder, name, environment=None, stdin=subprocess.DEVNULL, stdout=None, directory=None):
        self.name = name
        self.out_path, self.err_path = pathlib.Path(folder, name + ".out"), pathlib.Path(folder, name + ".err")
        self.out_from = self.out_path.stat().st_size if self.out_path.exists() else 0
        self.err_from = self.err_path.stat().st_size if self.err_path.exists() else 0
        with open(self.out_path, "ab") as out, open(self.err_path, "ab") as err:
            self.popen = subprocess.Popen([str(word) for word in arguments], stdin=stdin, stdout=stdout or out, stderr=err, cwd=directory,
                                          env={**os.environ, **(environment or {})}, start_new_session=True)

    @property
    def pid(self):
        return self.popen.pid

    def out(self):
        return self.out_path.read_bytes()[self.out_from:]

    def err(self):
        return self.err_path.read_bytes()[self.err_from:].decode("utf-8", "replace")

    def running(self):
        return self.popen.poll() is None

    def send(self, number):
        if self.running():
            self.popen.send_signal(number)

    def wait(self, seconds=60):
        """Its exit status; negative for a signal, as in subprocess."""
        try:
            return self.popen.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end within {seconds * PATIENCE:.0f} s; stderr:\n{self.err()}") from None

    def stop(self, number=signal.SIGTERM, seconds=60):
        self.send(number)
        return self.wait(seconds)

    def kill(self):
        if self.running():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()


def fresh_folder():
    """Short, for the path of a Unix socket has 107 bytes; in consonants, for a name by chance must not hold what a test looks for in an output."""
    while True:
        folder = pathlib.Path(tempfile.gettempdir(), "evpipe-" + "".join(random.SystemRandom().choices("BCDFGHJKLMNPQRSTVWXZ", k=8)))
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder


class Case(unittest.TestCase):
    """A test with a folder and programs of its own, all of them gone when it ends."""

    maxDiff = 4000

    def setUp(self):
        self.folder = fresh_folder()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self._end_all)
        self.processes = []

    def _end_all(self):
        for process in reversed(self.processes):
            process.kill()

    def start(self, arguments, name, **more):
        process = Process(arguments, self.folder, name, **more)
        self.processes.append(process)
        return process

    def config(self, text, name="pipeline.yaml"):
        path = self.folder / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def evpipe(self, config, *arguments, name="evpipe", **more):
        """Starts evpipe with a configuration: a path, the name of a recipe, or YAML (several lines)."""
        if isinstance(config, str) and "\n" in config:
            config = self.config(config, name + ".yaml")
        return self.start([*WRAPPER, EVPIPE, "-c", config, *arguments], name, **more)

    def run_evpipe(self, config, *arguments, seconds=60, **more):
        process = self.evpipe(config, *arguments, **more)
        status = process.wait(seconds)
        self.check_sound(process)
        return status, process.out(), process.err()

    def check_sound(self, process):
        """Whatever it did, it did not crash, and no sanitizer complained."""
        self.assertNotIn(process.popen.returncode, (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE), process.err())
        for word in ("Sanitizer", "runtime error:"):
            self.assertNotIn(word, process.err())

    def replay(self, log, *arguments, name="replay"):
        """A replay server on a Unix socket; returns when it listens. Its `path` is the socket's."""
        path = self.folder / (name + ".sock")
        server = self.start([sys.executable, SOURCE / "tests" / "live" / "replay.py", log, "--unix", path, *arguments], name)
        server.path = path
        self.wait_listening(server)
        return server

    def wait_listening(self, server):
        wait_for(lambda: f"{server.name} to listen: {server.err()}", lambda: "listening" in server.err() or not server.running())
        self.assertIn("listening", server.err())

    def wait_err(self, process, pattern, seconds=60):
        """Until the program's log holds the pattern; returns the match."""
        return wait_for(lambda: f"{pattern!r} in the log of {process.name}, which is:\n{process.err()}",
                        lambda: re.search(pattern, process.err()), seconds)

    def wait_out(self, process, pattern, seconds=60):
        return wait_for(lambda: f"{pattern!r} in the output of {process.name}, which ends with {process.out()[-400:]!r}; stderr {process.err()}",
                        lambda: re.search(pattern, process.out()), seconds)


def copies(text, **values):
    """A YAML template with {{name}} filled in: braces are YAML's own."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: str(values[match.group(1)]), textwrap.dedent(text))


def json_lines(data):
    return [json.loads(line) for line in data.splitlines() if line.strip()]


# ---------------------------------------------------------------------------------------------------------------- logs

_unpacked = {}


def eventlogs(suffix=".eventlog", smaller_than=None):
    """Every recorded log at hand, by name: a list of paths, those packed with zstd unpacked into a folder of this run.

    Without the shared folder there is still the log that the repository brings; under a sanitizer, with EVPIPE_LARGEST_LOG, the logs that it
    brings are all: the numbers in the others are the plain build's business."""
    if not EVENTLOGS.is_dir():
        return [OWN_LOG]
    if suffix == ".eventlog" and os.environ.get("EVPIPE_LARGEST_LOG", "0") != "0":
        return [path for path in sorted(DATA.glob("*" + suffix)) if smaller_than is None or path.stat().st_size < smaller_than]
    paths = sorted(EVENTLOGS.glob("*" + suffix)) + sorted(EVENTLOGS.glob("ghc-events/*" + suffix))
    paths += [unpacked(path) for path in sorted(EVENTLOGS.glob("*" + suffix + ".zst")) if shutil.which("zstd")]
    return [path for path in paths if smaller_than is None or path.stat().st_size < smaller_than]


def eventlog(name):
    """One log by name; skips the test without it."""
    for folder in (DATA, EVENTLOGS, EVENTLOGS / "ghc-events"):
        if (folder / name).is_file():
            return folder / name
    if (EVENTLOGS / (name + ".zst")).is_file():
        if not shutil.which("zstd"):
            skip("zstd is not installed")
        return unpacked(EVENTLOGS / (name + ".zst"))
    return skip(f"{name}: not in tests/data, and no folder of eventlogs at {EVENTLOGS}")


def unpacked(path):
    if path not in _unpacked:
        folder = fresh_folder()
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        target = folder / path.stem
        subprocess.run(["zstd", "-q", "-d", path, "-o", target], check=True)
        stamp = path.stat().st_mtime_ns
        os.utime(target, ns=(stamp, stamp))
        _unpacked[path] = target
    return _unpacked[path]


# --------------------------------------------------------------------------------------------------------------- runner


def main():
    """Runs the tests of the calling module; 77 if all were skipped, each with its reason in the output."""
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    for test, reason in result.skipped:
        print(f"skipped: {test}: {reason}")
    ran = result.testsRun - len(result.skipped)
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(0 if ran else 77)
