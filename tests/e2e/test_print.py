"""The sink print end to end: readers that leave, full disks, and the summary on a terminal."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading

import harness

PIPELINE = """
sources:
  app:
    plugin: {{plugin}}
filters:
  heap:
    plugin: heap
    from: app
sinks:
  out:
    plugin: print
    from: {{from}}
    format: {{format}}
    {{more}}
"""


def pipeline(plugin, from_="[app, heap]", format="json", more=""):
    return harness.copies(PIPELINE.replace("{{from}}", from_), plugin=plugin, format=format, more=more)


FILE = f"file\n    path: {harness.OWN_LOG}"


class Screen:
    """A terminal's screen, as far as the summary uses one; what scrolls out at the top is kept in `gone`."""

    TOKEN = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])|(.)", re.DOTALL)

    def __init__(self, width, height):
        self.width, self.height = width, height
        self.lines, self.gone = [""] * height, []
        self.row = self.column = 0
        self.cursor_shown = True

    def feed(self, text):
        for question, number, final, plain in self.TOKEN.findall(text):
            if plain:
                self.put(plain)
            elif final == "A":
                self.row = max(0, self.row - int(number or 1))
            elif final == "K":
                self.lines[self.row] = self.lines[self.row][:self.column]
            elif final == "J":
                self.lines[self.row:] = [self.lines[self.row][:self.column]] + [""] * (self.height - self.row - 1)
            elif final in "hl" and question:
                self.cursor_shown = final == "h"
            elif final != "m":
                raise AssertionError(f"unknown sequence {number}{final}")

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.newline()
        else:
            if self.column == self.width:
                self.column = 0
                self.newline()
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[:self.column] + character + line[self.column + 1:]
            self.column += 1

    def newline(self):
        self.row += 1
        if self.row == self.height:
            self.gone.append(self.lines.pop(0))
            self.lines.append("")
            self.row -= 1

    def text(self):
        return "\n".join(line.rstrip() for line in self.gone + self.lines).rstrip()


class Output(harness.Case):
    def test_a_reader_that_leaves(self):
        process = subprocess.Popen([harness.EVPIPE, "-c", self.config(pipeline(FILE + "\n    loop: true"))], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.assertTrue(process.stdout.readline().startswith(b"{"))
        process.stdout.close()
        err = process.stderr.read().decode()
        self.assertEqual(process.wait(60 * harness.PATIENCE), 0, err)
        process.stderr.close()
        self.assertNotRegex(err, "warning|error")

    def test_a_full_disk(self):
        status, _, err = self.run_evpipe(pipeline(FILE, more="path: /dev/full"))
        self.assertEqual(status, 1)
        self.assertEqual(len(re.findall("No space left on device", err)), 1, err)

    def test_a_folder_that_is_not_there(self):
        status, _, err = self.run_evpipe(pipeline(FILE, more="path: /nonexistent/x"))
        self.assertEqual(status, 1)
        self.assertRegex(err, "error out .*/nonexistent/x: can not be written: No such file or directory")

    def test_influx_of_events_is_a_configuration_error(self):
        status, out, err = self.run_evpipe(pipeline(FILE, format="influx"))
        self.assertEqual((status, out), (2, b""))
        self.assertIn("influx is for metrics and logs", err)

    def test_json_is_json(self):
        status, out, err = self.run_evpipe(pipeline(FILE))
        self.assertEqual(status, 0, err)
        items = harness.json_lines(out)
        metrics = [item for item in items if "kind" in item]
        self.assertEqual({item["labels"]["service"] for item in metrics}, {"app"})
        self.assertGreater(len(metrics), 1000)
        self.assertGreater(len(items), 20000)
        self.assertLess(sum("type" in item for item in items), len(items))

    def test_summary_of_a_file(self):
        status, out, err = self.run_evpipe(pipeline(FILE, format="summary"), environment={"LC_ALL": "C"})
        self.assertEqual(status, 0, err)
        last = out.decode().rsplit("\n\n", 1)[-1]
        self.assertRegex(last, r"^app: ended, stream 1, oddball, pid 4305, GHC-9.6.6 rts_thr\n  events +28,2\d\d\b")
        self.assertRegex(last, r"census by closure_type at \d\d:\d\d:\d\dZ: [0-9.]+ MiB in \d+ bands\n +THUNK_0_1 .* % #+\n")
        self.assertNotIn("\x1b", out.decode())


class Terminal(harness.Case):
    def run_on_terminal(self, config, screen, environment, stop_after, with_text=""):
        """Runs evpipe with both outputs on a terminal, and stops it after so many pictures, and when that text was in one."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", screen.height, screen.width, 0, 0))
        process = subprocess.Popen([harness.EVPIPE, "-c", self.config(config)], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
                                   env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm", **environment})
        self.addCleanup(process.kill)
        os.close(theirs)
        sent = []

        def read():
            try:
                while data := os.read(ours, 65536):
                    sent.append(data)
            except OSError:
                pass  # a terminal's other end is gone

        reader = threading.Thread(target=read)
        reader.start()
        harness.wait_for(lambda: b"".join(sent), lambda: b"".join(sent).count(b"\x1b[?25h") >= stop_after and with_text.encode() in b"".join(sent))
        process.terminate()
        status = process.wait(60 * harness.PATIENCE)
        reader.join()
        os.close(ours)
        text = b"".join(sent).decode()
        screen.feed(text)
        return status, text

    def test_the_picture_is_replaced_and_the_log_stays(self):
        server = self.replay(harness.OWN_LOG, "--pace", "4x")
        screen = Screen(120, 40)
        status, text = self.run_on_terminal(pipeline(f"socket\n    unix: {server.path}", format="summary"), screen, {}, 4, "THUNK_0_1")
        shown = screen.text()
        self.assertEqual(status, 0, shown)
        self.assertTrue(screen.cursor_shown)
        self.assertEqual(screen.column, 0)
        self.assertEqual(len(re.findall("^app: ", shown, re.M)), 1, shown)  # the last picture only
        self.assertRegex(shown, r"info app \S+ connected\n")  # whole, above it
        self.assertRegex(shown, r"\n    THUNK_0_1 +[0-9.]+ [KM]iB +[0-9.]+ % █+")
        self.assertIn("\x1b[1m", text)

    def test_no_colour(self):
        server = self.replay(harness.OWN_LOG, "--pace", "4x")
        _, text = self.run_on_terminal(pipeline(f"socket\n    unix: {server.path}", format="summary"), Screen(60, 20), {"NO_COLOR": "1"}, 3)
        self.assertNotRegex(text, r"\x1b\[[0-9;]*m")

    def test_a_small_terminal(self):
        server = self.replay(harness.OWN_LOG, "--pace", "4x")
        screen = Screen(50, 10)
        _, text = self.run_on_terminal(pipeline(f"socket\n    unix: {server.path}", format="summary"), screen, {}, 3)
        for picture in re.findall(r"\x1b\[\?25l(.*?)\x1b\[\?25h", text, re.DOTALL)[:-1]:
            lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", picture).split("\n")
            self.assertLess(len(lines), 10)
            self.assertLessEqual(max(map(len, lines)), 50)


if __name__ == "__main__":
    harness.main()
