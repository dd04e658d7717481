#!/usr/bin/env python3
"""The systemd units: sound by systemd's own tools, allowing what evpipe does; and what evpipe tells the service manager."""
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402

UNITS = harness.BUILD / "config" / "systemd"
THRESHOLD = 20  # of systemd-analyze: the exposure, times ten
PIPELINE = """\
control: {unix: control.sock}
sources:
  log: {plugin: file, path: "%s"}
  gone: {plugin: socket, unix: nobody.sock}
  remote: {plugin: socket, tcp: "localhost:%d", reconnect: {max: 100ms}}
  started: {plugin: exec, command: /bin/true}
  many: {plugin: socket, each: "*.sock", unix: "{each}"}
  own: {plugin: internal, interval: 100ms}
filters:
  sorted: {plugin: sort, from: log, window: none}
  heap: {plugin: heap, from: [sorted, gone, remote, started, many]}
  logs: {plugin: logs, from: log}
sinks:
  influx: {plugin: influxdb, from: [heap, logs, own], url: "http://localhost:%d", database: d, spool: {path: spool}, retry: {initial: 10ms}, dead_letter: dead}
  shown: {plugin: print, from: sorted, format: show, path: shown}
  archive: {plugin: recorder, from: log, path: "{service}-{start}.eventlog"}
  readers: {plugin: relay, from: log, unix: relay.sock}
  queue: {plugin: zmq, from: [log, heap], bind: "tcp://127.0.0.1:*"}
shutdown_timeout: 1s
"""


def need(tool):
    if not shutil.which(tool):
        harness.skip(f"{tool} is not installed")


def analyze(*words):
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False)


def settings(unit):
    """(key, value) of each line that sets something."""
    return re.findall(r"(?m)^([A-Z]\w+)=(.*)$", (UNITS / unit).read_text())


class Units(harness.Case):
    def setUp(self):
        super().setUp()
        need("systemd-analyze")
        for unit in ("evpipe.service", "evpipe@.service"):  # as installed, but with the program that was built
            text = (UNITS / unit).read_text()
            (self.folder / unit).write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={harness.EVPIPE}", text))

    def test_verify(self):
        for unit in ("evpipe.service", "evpipe@web.service"):
            result = analyze("verify", "--man=no", "--recursive-errors=no", self.folder / unit)
            self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_verify_can_fail(self):
        unit = self.folder / "evpipe.service"
        unit.write_text(unit.read_text().replace("NoNewPrivileges=yes", "NoNewPrivilege=yes"))
        self.assertIn("NoNewPrivilege", analyze("verify", "--man=no", "--recursive-errors=no", unit).stderr)

    def test_security(self):
        for unit in ("evpipe.service", "evpipe@.service"):
            result = analyze("security", "--offline=true", f"--threshold={THRESHOLD}", self.folder / unit)
            self.assertEqual(result.returncode, 0, result.stdout[-400:] + result.stderr)
        loose = self.folder / "evpipe.service"
        loose.write_text(re.sub(r"(?m)^(DynamicUser|SystemCallFilter|CapabilityBoundingSet|Restrict\w+|Protect\w+)=.*\n", "", loose.read_text()))
        self.assertNotEqual(analyze("security", "--offline=true", f"--threshold={THRESHOLD}", loose).returncode, 0)

    def test_the_two_are_alike(self):
        one, many = ([pair for pair in settings(unit) if pair[0] != "Description"] for unit in ("evpipe.service", "evpipe@.service"))
        instance = [(key, value.replace("evpipe-%i", "evpipe").replace("%i.environment", "environment").replace("%i.yaml", "pipeline.yaml")) for key, value in many]
        self.assertEqual(one, instance)

    def test_time_to_stop(self):
        """Longer than evpipe's own timeout, as the schema has it, and the five seconds of the spools."""
        page = (harness.SOURCE / "docs" / "configuration.md").read_text()
        own = int(re.search(r"`shutdown_timeout` \| duration \| `(\d+)s`", page)[1])
        self.assertGreater(int(dict(settings("evpipe.service"))["TimeoutStopSec"].removesuffix("s")), own + 5)


class SystemCalls(harness.Case):
    def allowed(self, name="@system-service"):
        found = set()
        for word in re.findall(r"(?m)^    (@?[\w-]+)", analyze("syscall-filter", name).stdout):
            found |= self.allowed(word) if word.startswith("@") else {word}
        return found

    def test_what_evpipe_calls_is_allowed(self):
        """One run with nearly every plugin, under strace."""
        need("strace")
        need("systemd-analyze")
        if harness.PATIENCE > 1:
            harness.skip("a sanitizer or valgrind makes calls of its own")
        rules = [value for key, value in settings("evpipe.service") if key == "SystemCallFilter"]
        self.assertEqual(rules, ["@system-service", "~@privileged"])
        allowed = self.allowed() - self.allowed("@privileged")
        self.assertIn("epoll_wait", allowed)
        self.assertNotIn("mount", allowed)
        config = self.config(PIPELINE % (harness.OWN_LOG, harness.free_port(), harness.free_port()))
        trace = self.folder / "trace"
        evpipe = self.start(["strace", "-f", "-qq", "-o", trace, harness.EVPIPE, "-c", config], "evpipe", directory=self.folder)
        harness.wait_for(lambda: "the log to be shown: " + evpipe.err(), lambda: (self.folder / "shown").exists() and evpipe.err().count("waiting for it") >= 2, 30)
        answer = subprocess.run([harness.EVPIPE, "ctl", "-s", self.folder / "control.sock", "stats"], capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        for pid in (self.folder / "trace").read_text().split(None, 1)[:1]:
            harness.os.kill(int(pid), signal.SIGTERM)  # strace's own end would not wait for the spool
        evpipe.wait(30)
        calls = trace.read_text()
        used = set(re.findall(r"(?m)^\d+ +(\w+)\(", calls))
        self.assertIn("epoll_wait", used)
        for_root = {"fchown"} if harness.os.geteuid() == 0 else set()  # SQLite gives its files to the folder's owner if root makes them
        self.assertEqual(used - allowed - for_root, set())
        both = re.findall(r"(?m)^.*PROT_READ\|PROT_WRITE\|PROT_EXEC.*$", calls)
        self.assertEqual(both, [], "MemoryDenyWriteExecute would refuse this")
        families = set(re.findall(r"\bsocket\((AF_\w+)", calls))
        self.assertLessEqual(families, set(dict(settings("evpipe.service"))["RestrictAddressFamilies"].split()))


class Notify(harness.Case):
    """The protocol of sd_notify."""

    def manager(self, address):
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(address)
        manager.settimeout(60 * harness.PATIENCE)
        return manager

    def run_one(self, address, shown):
        manager = self.manager(address)
        evpipe = self.evpipe("sources: {app: {plugin: socket, unix: nobody.sock}}\nsinks: {out: {plugin: print, from: app, path: out}}\n",
                             environment={"NOTIFY_SOCKET": shown}, directory=self.folder)
        self.assertEqual(manager.recv(100), b"READY=1")
        self.assertTrue((self.folder / "out").exists(), "sinks have started by then")
        manager.settimeout(0.2)
        self.assertRaises(TimeoutError, manager.recv, 100)
        manager.settimeout(60 * harness.PATIENCE)
        self.assertTrue(evpipe.running())
        evpipe.send(signal.SIGTERM)
        self.assertEqual(manager.recv(100), b"STOPPING=1")
        self.assertEqual(evpipe.wait(), 0, evpipe.err())

    def test_path(self):
        self.run_one(str(self.folder / "notify"), str(self.folder / "notify"))

    def test_abstract(self):
        name = f"evpipe-test-{harness.os.getpid()}"
        self.run_one("\0" + name, "@" + name)

    def test_a_failed_start_is_not_ready(self):
        manager = self.manager(str(self.folder / "notify"))
        evpipe = self.evpipe(f"sources: {{app: {{plugin: file, path: {harness.OWN_LOG}}}}}\nsinks: {{out: {{plugin: print, from: app, path: /nonexistent/out}}}}\n",
                             environment={"NOTIFY_SOCKET": str(self.folder / "notify")})
        self.assertNotEqual(evpipe.wait(), 0)
        manager.settimeout(0.1)
        with self.assertRaises(TimeoutError):
            while True:
                self.assertNotEqual(manager.recv(100), b"READY=1")


if __name__ == "__main__":
    harness.main()
