"""The source exec end to end: what the program is given, what it may do, how both end, and that it never hangs for want of a reader.

Most programs here are fakes that write a recorded log (tests/live/fake_program.py); what should come out is what a plain run of
the file gives. Some are real ones, made with GHC.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import pty
import re
import resource
import signal
import subprocess

import harness
import programs
from http_backend import HttpBackend

FAKE = harness.SOURCE / "tests" / "live" / "fake_program.py"
LOG = harness.OWN_LOG
PIPELINE = """
    shutdown_timeout: {{timeout}}
    sources:
      app:
        plugin: exec
        command: {{command}}
        {{options}}
    sinks:
      out: {plugin: print, from: app, format: json, path: {{out}}}
"""


PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what evpipe leaves behind becomes ours to wait for, not init's


def gone(pid):
    with contextlib.suppress(ChildProcessError):  # not ours (yet)
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    return not pathlib.Path(f"/proc/{pid}").exists()


class ExecCase(harness.Case):
    def setUp(self):
        super().setUp()
        self.runtime = self.folder / "runtime"
        self.runtime.mkdir(mode=0o700)
        self.out = self.folder / "out.json"
        self.strays = []
        self.addCleanup(self.end_strays)

    def end_strays(self):
        for pid in self.strays:
            if not gone(pid):
                with contextlib.suppress(ProcessLookupError):  # in this very moment it is
                    os.kill(pid, signal.SIGKILL)

    def fake(self, *steps):
        return json.dumps([harness.sys.executable, str(FAKE), "{eventlog}", *(str(step) for step in steps)])

    def begin(self, command, options="", timeout="1h", environment=None, **more):
        text = harness.copies(PIPELINE, command=command, options=options, timeout=timeout, out=self.out)
        return self.evpipe(text, environment={"XDG_RUNTIME_DIR": str(self.runtime), **(environment or {})}, **more)

    def check_nothing_left(self):
        self.assertEqual(list(self.runtime.iterdir()), [])

    def run_exec(self, command, options="", **more):
        process = self.begin(command, options, **more)
        status = process.wait(60)
        self.check_sound(process)
        self.check_nothing_left()
        return status, process.err()

    def note(self, name):
        """What the fake wrote of itself, once it did."""
        path = self.folder / name
        harness.wait_for(f"the fake to write {path.name}", path.exists)
        known = json.loads(path.read_text())
        self.strays.append(known["pid"])
        return known

    def touch(self, name):
        (self.folder / name).touch()

    def events(self):
        return self.out.read_bytes()

    def plain(self, log=LOG):
        config = f"""
            sources: {{app: {{plugin: file, path: "{log}"}}}}
            sinks: {{out: {{plugin: print, from: app, format: json}}}}
        """
        status, out, err = self.run_evpipe(config, name="plain")
        self.assertIn(status, (0, 3), err)
        self.assertGreater(out.count(b"\n"), 1000)
        return out

    def keeper(self, process):
        """The pid of evpipe's keeper: nobody's child, and so ours. Not that of the test before, which may take a moment to end."""
        def find():
            for pid in pathlib.Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
                if pathlib.Path(f"/proc/{pid}/comm").read_text() == "evpipe-keeper\n" and not gone(int(pid)) and self.holds_our_fifo(pid):
                    return int(pid)
            return None
        pid = harness.wait_for("a keeper", find)
        self.strays.append(pid)
        return pid

    def holds_our_fifo(self, pid):
        with contextlib.suppress(OSError):  # it has just ended
            return any(os.readlink(link).startswith(str(self.runtime)) for link in pathlib.Path(f"/proc/{pid}/fd").iterdir())
        return False

    def check_keeper_ends(self, keeper):
        harness.wait_for("the keeper to end", lambda: gone(keeper))
        harness.wait_for("the FIFO to be removed", lambda: not list(self.runtime.iterdir()))


class Program(ExecCase):
    """What the program is given."""

    def test_its_eventlog_is_what_a_file_would_be(self):
        status, err = self.run_exec(self.fake("open", f"write={LOG}", "exit=0"))
        self.assertEqual(status, 0, err)
        self.assertEqual(self.events(), self.plain())
        self.assertRegex(err, "ended with status 0")
        self.assertNotRegex(err, "warning|error")

    def test_opened_as_ghc_8_8_does(self):
        status, err = self.run_exec(self.fake("open-to-write", f"write={LOG}", "exit=0"))
        self.assertEqual(status, 0, err)
        self.assertEqual(self.events(), self.plain())

    def test_options_for_the_run_time_system_are_appended(self):
        note = self.folder / "note"
        status, err = self.run_exec(f"{harness.sys.executable} {FAKE} none 'note={note}' exit=0 \"two words\" it\\'s")
        self.assertEqual(status, 3, err)
        arguments = self.note("note")["arguments"]
        self.assertEqual(arguments[3:6], ["exit=0", "two words", "it's"])
        self.assertEqual([arguments[6], arguments[7], arguments[9]], ["+RTS", "-l", "-RTS"])
        self.assertRegex(arguments[8], f"^-ol{self.runtime}/evpipe-[^/]+/eventlog$")

    def test_environment_and_directory(self):
        place = self.folder / "elsewhere"
        place.mkdir()
        options = f'directory: "{place}"\n    environment: {{GHCRTS: "-l -ol{{eventlog}}", HOME: /nowhere, EMPTY: ""}}'
        command = json.dumps([harness.sys.executable, str(FAKE), "none", "note=../note", "exit=0"])
        status, err = self.run_exec(command, options, environment={"HOME": "/home/x", "KEPT": "1"})
        self.assertEqual(status, 3, err)
        known = self.note("note")
        self.assertEqual(pathlib.Path(known["directory"]).resolve(), place.resolve())
        environment = known["environment"]
        self.assertEqual([environment[name] for name in ("HOME", "KEPT", "EMPTY")], ["/nowhere", "1", ""])
        self.assertRegex(environment["GHCRTS"], f"^-l -ol{self.runtime}/evpipe-[^/]+/eventlog$")
        self.assertEqual(known["arguments"][-1], "exit=0", "nothing is appended where {eventlog} was named")

    def test_without_a_runtime_directory(self):
        status, err = self.run_exec(f"{harness.sys.executable} {FAKE} none note={self.folder}/note exit=0", environment={"XDG_RUNTIME_DIR": "/nonexistent"})
        self.assertEqual(status, 3, err)
        fifo = pathlib.Path(self.note("note")["arguments"][-2].removeprefix("-ol"))
        self.assertRegex(str(fifo), "^/tmp/evpipe-[^/]+/eventlog$")
        self.assertFalse(fifo.parent.exists())

    def test_check_starts_nothing(self):
        process = self.evpipe(harness.copies(PIPELINE, command=f"touch {self.folder}/touched {{eventlog}}", options="", timeout="1s", out=self.out), "--check")
        self.assertEqual(process.wait(), 0, process.err())
        self.assertFalse((self.folder / "touched").exists())

    def test_found_by_the_path_it_will_have(self):
        (self.folder / "bin").mkdir()
        script = self.folder / "bin" / "only-here"
        script.write_text("#!/bin/sh\nexit 4\n")
        script.chmod(0o755)
        status, err = self.run_exec("only-here", f'environment: {{PATH: "/nowhere:{script.parent}"}}')
        self.assertEqual(status, 3, err)
        self.assertIn("only-here ended with status 4", err)

    def test_descriptors_and_modes(self):
        note = self.folder / "note"
        with open(self.folder / "leak", "w") as leak:  # one that evpipe itself was given by accident
            os.set_inheritable(leak.fileno(), True)
            status, err = self.run_exec(self.fake(f"note={note}", "open", f"write={LOG}", "exit=0"))
        self.assertEqual(status, 0, err)
        known = self.note("note")
        self.assertEqual(known["descriptors"], [0, 1, 2])
        self.assertEqual(known["modes"], [0o700, 0o600])
        self.assertEqual(known["stdin"], "/dev/null")

    def test_signals_are_as_a_shell_leaves_them(self):
        own = subprocess.run(["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"], check=True, capture_output=True).stdout  # nohup ignores one
        process = self.begin('[grep, -E, "Sig(Blk|Ign)", /proc/self/status, "--label={eventlog}"]')
        self.assertEqual(process.wait(), 3, process.err())
        self.assertEqual(process.out(), own)

    def test_standard_streams_are_its_own(self):
        text = self.folder / "input"
        text.write_text("a line\n")
        with open(text, "rb") as stdin:
            process = self.begin('["sh", "-c", "cat; echo words >&2; exit 6", "sh", "{eventlog}"]', "stdin: inherit", stdin=stdin)
            self.assertEqual(process.wait(), 3, process.err())
        self.assertEqual(process.out(), b"a line\n")
        self.assertIn("words\n", process.err())
        self.assertIn("ended with status 6", process.err())

    def test_two_eventlogs_one_after_the_other(self):
        """endEventLogging(), then startEventLogging(): two streams."""
        go = self.folder / "go"
        process = self.begin(self.fake("open", f"write={LOG}", "close", f"wait={go}", "open", f"write={LOG}", "exit=0"))
        plain = self.plain()
        harness.wait_for("the first stream", lambda: self.out.exists() and self.events().count(b"\n") >= plain.count(b"\n"))
        self.touch("go")
        self.assertEqual(process.wait(), 0, process.err())
        self.assertEqual(self.events(), plain + plain)

    def test_its_child_has_the_fifo_open(self):
        """The program's end is the end; its child goes on, and the FIFO is read for it as long as it has it."""
        go = self.folder / "go"
        process = self.begin(self.fake("open", f"write={LOG}", f"child={go}", "exit=9"))
        keeper = self.keeper(process)
        self.assertEqual(process.wait(), 9, process.err())
        self.assertEqual(self.events(), self.plain())
        self.check_nothing_left()
        self.assertFalse(gone(keeper))
        self.touch("go")
        harness.wait_for("the keeper to end", lambda: gone(keeper))

    def test_a_shells_operators_are_words(self):
        process = self.begin(f"{harness.sys.executable} {FAKE} {{eventlog}} open write={LOG} exit=0 ; touch {self.folder}/touched | cat")
        self.assertEqual(process.wait(), 0, process.err())
        self.assertIn("no shell is started: ';' is an argument", process.err())
        self.assertFalse((self.folder / "touched").exists())


class Status(ExecCase):
    def test_the_programs_status_is_evpipes(self):
        for step, expected in (("exit=0", 0), ("exit=7", 7), ("exit=255", 255), (f"kill={signal.SIGKILL}", 137), (f"kill={signal.SIGTERM}", 143)):
            with self.subTest(step):
                status, err = self.run_exec(self.fake("open", f"write={LOG}", step))
                self.assertEqual(status, expected, err)
        self.assertIn("was ended by signal 15 (SIGTERM)", err)

    def test_evpipes_own_status_goes_first(self):
        size = LOG.stat().st_size
        status, err = self.run_exec(self.fake("open", f"write={LOG},0,{size - 70000}", f"write={LOG},{size - 50000},", "exit=7"))
        self.assertEqual(status, 3, err)
        self.assertRegex(err, "damaged: .* skipped")

    def test_a_cut_record(self):
        status, err = self.run_exec(self.fake("open", f"write={LOG},0,100001", "exit=0"))
        self.assertEqual(status, 3, err)
        self.assertIn("ends within a record", err)

    def test_no_eventlog(self):
        for command, ended, hint in (("'true'", "status 0", "Is it a Haskell program"), ('[sh, -c, "exit 1"]', "status 1", "-rtsopts")):
            with self.subTest(command):
                status, err = self.run_exec(command)
                self.assertEqual(status, 3, err)
                self.assertRegex(err, f"warning app .*{ended}.*{hint}")

    def test_no_eventlog_yet(self):
        process = self.begin(self.fake("wait=/nonexistent"), "silence: 100ms")
        self.wait_err(process, "warning app .*has written no eventlog yet")
        self.assertEqual(process.stop(), 143, process.err())
        self.assertEqual(process.err().count("no eventlog"), 1)
        self.check_nothing_left()

    def test_what_can_not_be_started(self):
        plain_file = self.folder / "file"
        plain_file.write_text("words")
        no_format = self.folder / "no-format"
        no_format.write_text("words")
        no_format.chmod(0o755)
        for command, options, said in (("/nonexistent/program", "", "No such file"), ("no-such-program", "", "No such file"),
                                       (plain_file, "", "Permission denied"), (self.folder, "", "Permission denied"),
                                       (no_format, "", "Exec format error; a script needs a first line"),
                                       ("'true'", "directory: /nonexistent", "directory /nonexistent: No such file")):
            with self.subTest(command):
                status, err = self.run_exec(command, options)
                self.assertEqual(status, 1, err)
                self.assertRegex(err, f"error app .*{re.escape(said)}")

    def test_a_pipeline_that_does_not_start_takes_the_program_along(self):
        note = self.folder / "note"
        config = f"""
            sources:
              app: {{plugin: exec, command: {self.fake("take=TERM", f"note={note}", "await=1", "exit=0")}}}
              late: {{plugin: file, path: /nonexistent}}
            sinks:
              out: {{plugin: print, from: [app, late], path: /dev/null}}
        """
        process = self.evpipe(config, environment={"XDG_RUNTIME_DIR": str(self.runtime)})
        self.assertEqual(process.wait(), 1, process.err())
        program = int(re.search(r"runs as process (\d+)", process.err()).group(1))
        harness.wait_for("the program to end", lambda: gone(program))
        harness.wait_for("the FIFO to be removed", lambda: not list(self.runtime.iterdir()))

    def test_several_programs(self):
        sources = "\n".join(f"              s{status}: {{plugin: exec, command: {self.fake('open', f'write={LOG}', f'exit={status}')}}}" for status in (0, 5, 0))
        process = self.evpipe(f"""
            sources:
{sources.replace("s0", "a", 1)}
            sinks:
              out: {{plugin: print, from: [a, s5, s0], format: json, path: "{self.out}"}}
        """, environment={"XDG_RUNTIME_DIR": str(self.runtime)})
        self.assertEqual(process.wait(), 5, process.err())
        self.assertEqual(self.events().count(b"\n"), 3 * self.plain().count(b"\n"))
        self.check_nothing_left()


class Stopping(ExecCase):
    def setUp(self):
        super().setUp()
        self.ready = self.folder / "ready"

    def lingering(self, *steps, take="TERM,INT"):
        """Writes half of its log, is ready, then does the rest."""
        half = LOG.stat().st_size // 2
        return self.fake(f"take={take}", "open", f"write={LOG},0,{half}", f"note={self.ready}", *steps), f"write={LOG},{half},"

    def test_a_signal_is_passed_on_and_the_rest_is_read(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                self.ready.unlink(missing_ok=True)
                done = self.folder / "done"
                _, rest = self.lingering()
                command, _ = self.lingering("await=1", rest, f"note={done}", "exit=5")
                process = self.begin(command)
                self.note("ready")
                self.assertEqual(process.stop(number), 5, process.err())
                self.assertEqual(self.events(), self.plain())
                self.assertEqual(self.note("done")["signals"], [number])
                self.assertIn("its end is waited for", process.err())
                self.check_nothing_left()

    def test_a_program_that_dies_of_the_signal_within_a_record_is_no_damaged_input(self):
        process = self.begin(self.fake("open", f"write={LOG},0,100001", f"note={self.ready}", "wait=/nonexistent"))
        self.note("ready")
        harness.wait_for("events", lambda: self.out.exists() and self.events())
        self.assertEqual(process.stop(), 143, process.err())

    def test_control_c_in_a_terminal_comes_once(self):
        """The terminal sends it to both; stdin is the terminal."""
        done, go = self.folder / "done", self.folder / "go"
        command, rest = self.lingering("await=1", f"wait={go}")
        command = command[:-1] + ", " + json.dumps([rest, f"note={done}", "exit=0"])[1:]
        config = self.config(harness.copies(PIPELINE, command=command, options="stdin: inherit", timeout="1h", out=self.out))
        said = self.folder / "terminal.err"
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        launcher = ("import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.tcsetpgrp(0, os.getpgrp());"
                    "os.execvp(sys.argv[1], sys.argv[1:])")
        with open(said, "wb") as err:
            process = harness.subprocess.Popen([harness.sys.executable, "-c", launcher, *harness.WRAPPER, harness.EVPIPE, "-c", str(config)], stdin=slave,
                                               stdout=harness.subprocess.DEVNULL, stderr=err, env={**os.environ, "XDG_RUNTIME_DIR": str(self.runtime)})
        os.close(slave)
        self.addCleanup(process.kill)
        self.assertTrue(self.note("ready")["stdin"].startswith("/dev/pts/"))
        os.write(master, b"\x03")
        harness.wait_for("evpipe to have its signal", lambda: "from the terminal" in said.read_text())
        self.touch("go")
        self.assertEqual(process.wait(60 * harness.PATIENCE), 0, said.read_text())
        self.assertEqual(self.note("done")["signals"], [signal.SIGINT])
        self.assertEqual(self.events(), self.plain())

    def ignoring(self, *steps):
        """A program that takes its signals and goes on until it is told, with more to write than a FIFO holds."""
        go, done = self.folder / "go", self.folder / "done"
        return self.lingering(*steps, f"wait={go}", *[f"write={LOG}"] * 4, f"note={done}", "exit=0")[0]

    def check_it_finishes_alone(self, process, keeper):
        self.assertFalse(gone(keeper))
        self.touch("go")
        done = self.note("done")
        self.check_keeper_ends(keeper)
        harness.wait_for("the program to end", lambda: gone(done["pid"]))
        return done

    def test_a_program_that_ignores_the_signal_is_left_to_the_keeper(self):
        process = self.begin(self.ignoring(), timeout="300ms")
        keeper, known = self.keeper(process), self.note("ready")
        self.assertEqual(process.stop(), 1, process.err())
        self.assertRegex(process.err(), rf"warning app .*process {known['pid']}\) still runs")
        self.assertEqual(self.check_it_finishes_alone(process, keeper)["signals"], [signal.SIGTERM])

    def test_a_second_signal_is_passed_on_too_and_ends_evpipe(self):
        process = self.begin(self.ignoring("await=1", f"note={self.folder / 'first'}"), timeout="1h")
        keeper, _ = self.keeper(process), self.note("ready")
        process.send(signal.SIGTERM)
        self.wait_err(process, "has got SIGTERM")
        self.note("first")  # of two that wait for a busy program SIGINT, the lower number, would be taken first
        self.assertEqual(process.stop(signal.SIGINT), 1, process.err())
        self.assertEqual(self.check_it_finishes_alone(process, keeper)["signals"], [signal.SIGTERM, signal.SIGINT])

    def test_evpipe_is_killed(self):
        process = self.begin(self.ignoring())
        keeper, _ = self.keeper(process), self.note("ready")
        self.assertEqual(process.stop(signal.SIGKILL), -signal.SIGKILL)
        self.check_it_finishes_alone(process, keeper)

    def test_evpipe_is_killed_before_the_eventlog_is_opened(self):
        for way in ("open", "open-to-write"):
            with self.subTest(way):
                for name in ("go", "done", "ready"):
                    (self.folder / name).unlink(missing_ok=True)
                process = self.begin(self.fake(f"note={self.ready}", f"wait={self.folder / 'go'}", way, *[f"write={LOG}"] * 3, "close", way,
                                               *[f"write={LOG}"] * 3, f"note={self.folder / 'done'}", "exit=0"), name=way)
                keeper, _ = self.keeper(process), self.note("ready")
                self.assertEqual(process.stop(signal.SIGKILL), -signal.SIGKILL)
                self.check_it_finishes_alone(process, keeper)

    def test_a_group_that_is_killed_spares_the_keeper(self):
        """As a supervisor does: everybody is sent SIGTERM, the keeper as well."""
        process = self.begin(self.ignoring())
        keeper, known = self.keeper(process), self.note("ready")
        os.kill(keeper, signal.SIGTERM)
        os.kill(known["pid"], signal.SIGTERM)
        self.assertEqual(process.stop(signal.SIGKILL), -signal.SIGKILL)
        self.assertEqual(os.getpgid(known["pid"]), known["group"])
        self.assertNotEqual(os.getpgid(keeper), known["group"])
        self.check_it_finishes_alone(process, keeper)

    def test_no_zombie_is_kept_while_the_pipeline_goes_on(self):
        config = f"""
            sources:
              app: {{plugin: exec, command: {self.fake("open", f"write={LOG}", "exit=0")}}}
              late: {{plugin: socket, unix: {self.folder}/late.sock}}
            sinks:
              out: {{plugin: print, from: [app, late], format: json, path: "{self.out}"}}
        """
        process = self.evpipe(config, environment={"XDG_RUNTIME_DIR": str(self.runtime)})
        self.wait_err(process, "ended with status 0")
        children = lambda: pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        harness.wait_for(lambda: f"no child, not {children()}", lambda: not children())
        self.assertEqual(process.stop(), 0, process.err())
        self.check_nothing_left()

    def test_the_keeper_holds_nothing_of_evpipes(self):
        process = self.begin(self.ignoring())
        keeper, _ = self.keeper(process), self.note("ready")

        def held():
            for number in os.listdir(f"/proc/{keeper}/fd"):
                with contextlib.suppress(FileNotFoundError):  # it has just been closed
                    yield os.readlink(f"/proc/{keeper}/fd/{number}")
        harness.wait_for(lambda: f"three descriptors, not {list(held())}", lambda: len(list(held())) == 3)
        self.assertEqual(sorted(re.sub(r"[^a-z]*$|^.*/evpipe-[^/]*/", "", name) for name in held()), ["anon_inode:[pidfd", "eventlog", "socket"])
        self.assertEqual(process.stop(signal.SIGKILL), -signal.SIGKILL)
        self.check_it_finishes_alone(process, keeper)

    def test_the_program_goes_on_when_no_sink_is_left(self):
        reader, writer = os.pipe()
        process = self.evpipe(f"""
            sources: {{app: {{plugin: exec, command: {self.fake("open", f"write={LOG}", f"wait={self.folder / 'go'}", *[f"write={LOG}"] * 4, "exit=8")}}}}}
            sinks: {{out: {{plugin: print, from: app, format: json}}}}
        """, stdout=writer, environment={"XDG_RUNTIME_DIR": str(self.runtime)})
        os.close(writer)
        self.assertTrue(os.read(reader, 100))
        os.close(reader)
        self.wait_err(process, "app .*no sink is left")
        self.touch("go")
        self.assertEqual(process.wait(), 8, process.err())
        self.check_nothing_left()

    def test_its_limit_of_open_files_is_evpipes_first_one(self):
        """Under `each` evpipe raises its own, for it may have many connections."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        (self.folder / "one.run").touch()
        process = self.evpipe(f"""
            sources: {{apps: {{plugin: exec, each: "{self.folder}/*.run", command: "sh -c 'ulimit -Sn; ulimit -Hn; : {{eventlog}}'", environment: {{NAME: "{{name}}"}}}}}}
            sinks: {{out: {{plugin: print, from: apps, format: json, path: "{self.out}"}}}}
        """, environment={"XDG_RUNTIME_DIR": str(self.runtime)})
        self.wait_err(process, "wrote no eventlog")
        self.assertGreater(resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[0], 300)
        process.stop()
        self.assertEqual(process.out().split()[0], b"300")

    def test_many_programs_go_on_when_no_sink_is_left(self):
        for name in ("one.run", "two.run"):
            (self.folder / name).touch()
        reader, writer = os.pipe()
        process = self.evpipe(f"""
            shutdown_timeout: {500 * harness.PATIENCE:.0f}ms
            sources:
              apps:
                plugin: exec
                each: "{self.folder}/*.run"
                command: {self.fake("open", f"write={LOG}", f"wait={self.folder / 'go'}", *[f"write={LOG}"] * 4, "exit=8")}
                environment: {{NAME: "{{name}}"}}
            sinks: {{out: {{plugin: print, from: apps, format: json}}}}
        """, stdout=writer, environment={"XDG_RUNTIME_DIR": str(self.runtime)})
        os.close(writer)
        self.assertTrue(os.read(reader, 100))
        os.close(reader)
        self.wait_err(process, "apps .*no sink is left")
        self.touch("go")
        self.assertEqual(process.wait(), 8, process.err())
        self.assertNotIn("SIG", process.err())
        self.check_nothing_left()


class Ghc(ExecCase):
    """Real programs, of the machine's own GHC."""

    def setUp(self):
        super().setUp()
        programs.need_ghc()

    def messages(self):
        return re.findall(rb'"message (\d+)\.', self.events())

    def test_a_program_as_it_is(self):
        """No -rtsopts, nothing in the command but the program's own."""
        chatter = programs.chatter("plain", "-eventlog")
        process = self.begin(f"{chatter} 5000")
        self.assertEqual(process.wait(), 0, process.err())
        self.assertEqual(process.out(), b"chatter: 12502500\n")
        self.assertEqual(self.messages(), [b"%d" % i for i in range(1, 5001)])
        self.assertNotRegex(process.err(), "warning|error|without an end marker")
        self.check_nothing_left()

    def test_a_heap_profile(self):
        chatter = programs.chatter("rtsopts", "-eventlog", "-rtsopts")
        status, err = self.run_exec(f'{chatter} 2000 +RTS -l -hT -ol{{eventlog}} -RTS', f"directory: {self.folder}")
        self.assertEqual(status, 0, err)
        self.assertTrue(b'"HEAP_PROF_BEGIN"' in self.events())
        self.assertEqual(len(self.messages()), 2000)

    def test_the_recipe(self):
        """config/exec.yaml: the census and the messages arrive, and evpipe ends with the program."""
        chatter = programs.chatter("rtsopts", "-eventlog", "-rtsopts")
        backend = HttpBackend()
        self.addCleanup(backend.close)
        process = self.evpipe(harness.SOURCE / "config" / "exec.yaml", directory=self.folder,
                              environment={"EVPIPE_COMMAND": f"'{chatter}' 300", "INFLUXDB_URL": backend.url, "XDG_RUNTIME_DIR": str(self.runtime)})
        self.assertEqual(process.wait(), 0, process.err())
        lines = backend.lines()
        self.assertEqual(sum(line.startswith("ghc_log,") for line in lines), 300)
        self.assertTrue([line for line in lines if line.startswith("ghc_heap_size_bytes,")])
        self.check_nothing_left()

    def test_the_run_time_system_refuses(self):
        chatter = programs.chatter("plain", "-eventlog")
        status, err = self.run_exec(f"{chatter} +RTS -hT -RTS")
        self.assertEqual(status, 3, err)
        self.assertIn("Most RTS options are disabled", err)
        self.assertRegex(err, "warning app .*ended with status 1 before it wrote an eventlog.*-rtsopts")

    def test_built_without_eventlog(self):
        chatter = programs.chatter("without")
        status, err = self.run_exec(chatter)
        if status == 0:
            harness.skip("GHC 9.4 and later have it always")
        self.assertEqual(status, 3, err)
        self.assertRegex(err, "warning app .*-eventlog before GHC 9.4")

    def test_evpipe_is_killed(self):
        """More eventlog than the run-time system's buffer and the FIFO hold: without a reader it would never end."""
        chatter = programs.chatter("plain", "-eventlog")
        said = self.folder / "said"
        process = self.begin(json.dumps(["sh", "-c", f'"$0" 300000 +RTS -l -ol{{eventlog}} -RTS > {said}.part; echo status $? >> {said}.part; mv {said}.part {said}', str(chatter)]))
        keeper = self.keeper(process)
        harness.wait_for("events", lambda: self.out.exists() and self.events())
        process.stop(signal.SIGKILL)
        harness.wait_for("the program to end", said.exists, 60)
        self.assertEqual(said.read_text(), "chatter: 45000150000\nstatus 0\n")
        self.check_keeper_ends(keeper)


if __name__ == "__main__":
    harness.main()
