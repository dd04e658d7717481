"""The sources file and socket end to end: what they read, when they end, what they say, with which exit status.

What should come out is what a plain run of the file gives.
"""
import os
import shutil
import signal
import subprocess

import harness

PIPELINE = """
sources:
  app:
    plugin: {{plugin}}
    {{options}}
    reconnect: {initial: 20ms, max: 50ms}
sinks:
  out:
    plugin: print
    from: app
    format: json
"""


class SourceCase(harness.Case):
    def pipeline(self, plugin, options):
        return harness.copies(PIPELINE, plugin=plugin, options=options)

    def plain(self, log=harness.OWN_LOG):
        status, out, err = self.run_evpipe(self.pipeline("file", f"path: {log}"), name="plain")
        self.assertEqual(status, 0, err)
        self.assertGreater(len(out.splitlines()), 1000)
        return out

    def lines_of(self, process, n):
        harness.wait_for(lambda: f"{n} lines, not {process.out().count(10)}; {process.err()}", lambda: process.out().count(b"\n") >= n)


class File(SourceCase):
    def test_standard_input_that_is_a_file(self):
        with open(harness.OWN_LOG, "rb") as log:
            status, out, err = self.run_evpipe(self.pipeline("file", 'path: "-"'), stdin=log)
        self.assertEqual(status, 0, err)
        self.assertEqual(out, self.plain())

    def test_standard_input_that_is_a_pipe(self):
        feeder = subprocess.Popen(["cat", harness.OWN_LOG], stdout=subprocess.PIPE)
        self.addCleanup(feeder.wait)
        with feeder.stdout:
            status, out, err = self.run_evpipe(self.pipeline("file", 'path: "-"'), stdin=feeder.stdout)
        self.assertEqual(status, 0, err)
        self.assertNotIn("connected", err)  # nobody comes and goes there
        self.assertEqual(out, self.plain())

    def test_a_fifo(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        process = self.evpipe(self.pipeline("file", f"path: {fifo}"))
        self.wait_err(process, "is a FIFO: waiting")
        with open(fifo, "wb") as writer:
            self.assertNotIn("connected", process.err())
            writer.write(harness.OWN_LOG.read_bytes())
            self.wait_err(process, "info app .*: connected")
        self.assertEqual(process.wait(), 0, process.err())
        self.assertEqual(process.out(), self.plain())

    def test_a_fifo_that_nobody_opens(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        process = self.evpipe(self.pipeline("file", f"path: {fifo}"))
        self.wait_err(process, "is a FIFO: waiting")
        self.assertEqual(process.stop(), 0, process.err())
        self.assertNotIn("connected", process.err())

    def test_a_fifo_of_one_program_after_the_other(self):
        fifo, plain = self.folder / "fifo", self.plain()
        os.mkfifo(fifo)
        process = self.evpipe(self.pipeline("file", f"path: {fifo}\n    follow: true"))
        for number in (1, 2):
            with open(fifo, "wb") as writer:
                writer.write(harness.OWN_LOG.read_bytes())
            harness.wait_for("the next wait", lambda: process.err().count("waiting for the next program at") == number)
        self.assertEqual(process.stop(), 0, process.err())
        self.assertEqual(process.out(), plain * 2)
        self.assertEqual(process.err().count(": connected"), 2)

    def test_follow(self):
        """A file that grows in odd pieces, and is then written anew: two streams."""
        log, data, plain = self.folder / "x.eventlog", harness.OWN_LOG.read_bytes(), self.plain()
        n = plain.count(b"\n")
        log.write_bytes(data[:1234])
        process = self.evpipe(self.pipeline("file", f"path: {log}\n    follow: true"))
        with open(log, "ab") as more:
            for begin in range(1234, len(data), 100001):
                more.write(data[begin:begin + 100001])
                more.flush()
        self.lines_of(process, n)
        shutil.copyfile(harness.OWN_LOG, self.folder / "new")
        os.replace(self.folder / "new", log)
        self.lines_of(process, 2 * n)
        self.assertEqual(process.stop(), 0, process.err())
        self.assertEqual(process.out(), plain + plain)

    def test_loop(self):
        plain = self.plain()
        process = self.evpipe(self.pipeline("file", f"path: {harness.OWN_LOG}\n    loop: true"))
        self.lines_of(process, 3 * plain.count(b"\n"))
        self.assertEqual(process.stop(signal.SIGINT), 0, process.err())
        self.assertTrue(process.out().startswith(plain * 3))

    def test_what_can_not_be_read(self):
        for path, said in (("/nonexistent.eventlog", "there is no such file"), (self.folder, "is a directory")):
            with self.subTest(path=path):
                status, out, err = self.run_evpipe(self.pipeline("file", f"path: {path}"))
                self.assertEqual((status, out), (1, b""))
                self.assertRegex(err, f"error app .*{said}")

    def test_a_socket_is_not_a_file(self):
        server = self.replay(harness.OWN_LOG)
        status, _, err = self.run_evpipe(self.pipeline("file", f"path: {server.path}"))
        self.assertEqual(status, 1)
        self.assertIn("read it with the plugin socket", err)


class Socket(SourceCase):
    def test_waits_for_a_program_quietly(self):
        path = self.folder / "replay.sock"
        process = self.evpipe(self.pipeline("socket", f"unix: {path}"))
        self.wait_err(process, "there is no socket yet")
        self.replay(harness.OWN_LOG, "--end", "close")
        plain = self.plain()
        self.lines_of(process, plain.count(b"\n"))
        self.assertEqual(process.err().count("there is no socket yet"), 1)
        self.assertEqual(process.stop(), 0, process.err())
        self.assertTrue(process.out().startswith(plain))

    def test_reconnects_to_a_program_that_was_started_again(self):
        plain = self.plain()
        first = self.replay(harness.OWN_LOG)
        process = self.evpipe(self.pipeline("socket", f"unix: {first.path}"))
        self.lines_of(process, plain.count(b"\n"))
        self.assertEqual(first.wait(), 0)
        self.wait_err(process, "left behind by a program that has ended|there is no socket yet")
        if first.path.exists():
            first.path.unlink()
        self.replay(harness.OWN_LOG, "--end", "hold")
        self.lines_of(process, 2 * plain.count(b"\n"))
        self.assertEqual(process.stop(), 0, process.err())
        self.assertEqual(process.out(), plain + plain)

    def test_tcp_by_name(self):
        port = harness.free_port()
        server = self.start([harness.sys.executable, harness.SOURCE / "tests/live/replay.py", harness.OWN_LOG, "--tcp", f"127.0.0.1:{port}"],
                            "replay")
        self.wait_listening(server)
        process = self.evpipe(self.pipeline("socket", f"tcp: localhost:{port}"))
        plain = self.plain()
        self.lines_of(process, plain.count(b"\n"))
        self.assertEqual(process.stop(), 0, process.err())
        self.assertEqual(process.out(), plain)

    def test_a_file_is_not_a_socket(self):
        process = self.evpipe(self.pipeline("socket", f"unix: {harness.OWN_LOG}"))
        self.wait_err(process, "warning app .*is not a socket; a recorded eventlog is read with the plugin file")
        self.assertEqual(process.stop(), 0, process.err())


if __name__ == "__main__":
    harness.main()
