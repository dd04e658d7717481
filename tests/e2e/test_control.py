#!/usr/bin/env python3
"""The control socket, `evpipe ctl`, and what of it arrives in the program: byte for byte, each command by itself."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import stat
import time

import harness

PIPELINE = """
    control: {unix: "%s"}
    shutdown_timeout: 1h
    sources:
      app: {plugin: socket, unix: "%s", controllable: %s, reconnect: {initial: 20ms, max: 50ms}}
    sinks:
      out: {plugin: print, from: app, format: json, path: /dev/null}
"""
NAME = b"eventlog-socket"


def command(number, name=NAME):
    return (b"\xf0\x9e\x97\x8c\x00" + bytes([len(name)]) + name + bytes([number])).hex()


class Control(harness.Case):
    def setUp(self):
        super().setUp()
        self.socket = self.folder / "control"
        self.record = self.folder / "record"

    def server(self, *arguments, **more):
        return self.replay(harness.OWN_LOG, "--end", "hold", "--record", self.record, *arguments, **more)

    def begin(self, server, controllable="true", **more):
        process = self.evpipe(PIPELINE % (self.socket, server.path, controllable), **more)
        self.wait_err(process, "connected")
        self.wait_err(process, "listening")
        harness.wait_for("the stream", lambda: self.stats()["nodes"][0]["in"]["bytes"] > 0)
        return process

    def ctl(self, *words, path=None):
        process = self.start([*harness.WRAPPER, harness.EVPIPE, "ctl", "-s", path or self.socket, *words], "ctl")
        status = process.wait()
        self.check_sound(process)
        return status, process.out().decode(), process.err()

    def ask(self, line):
        """One request on a connection of its own."""
        with self.client() as client:
            client.sendall(line if isinstance(line, bytes) else line.encode() + b"\n")
            return self.answer(client)

    def ask_many(self, lines):
        """All at once, on one connection that is closed for writing; the answers."""
        with self.client() as client:
            client.sendall(lines)
            client.shutdown(socket.SHUT_WR)
            answers = b""
            while part := client.recv(65536):
                answers += part
        return harness.json_lines(answers)

    def client(self):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.settimeout(60 * harness.PATIENCE)
        client.connect(str(self.socket))
        return client

    def answer(self, client):
        got = b""
        while not got.endswith(b"\n"):
            part = client.recv(65536)
            if not part:
                return None
            got += part
        return json.loads(got)

    def is_idle(self, process):
        """In a third of a second it uses no CPU to speak of."""
        def used():
            words = pathlib.Path("/proc", str(process.pid), "stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
            return int(words[11]) + int(words[12])
        before = used()
        time.sleep(0.3)
        return used() - before <= 5

    def stats(self):
        return self.ask("stats")

    def recorded(self):
        return self.record.read_text().split() if self.record.exists() else []

    def wait_recorded(self, commands):
        with contextlib.suppress(harness.Failed):
            harness.wait_for("the commands", lambda: len(self.recorded()) >= len(commands))
        self.assertEqual(self.recorded(), commands)


class Commands(Control):
    def test_each_byte_for_byte_and_alone(self):
        """The program is silent by now: a command goes out although nothing comes in."""
        process = self.begin(self.server())
        expected = []
        for word, number in (("start-profile", 1), ("stop-profile", 2), ("start-heap", 3), ("stop-heap", 4), ("census", 5)):
            self.assertEqual(self.ctl(word), (0, "queued for 1 of 1 open streams\n", ""))
            expected.append(command(number))
        for name, number in ((b"x", 0), (b"my-app", 255), (b"n" * 255, 7)):
            self.assertEqual(self.ctl("send", name.decode(), str(number), "--source", "app")[0], 0)
            expected.append(command(number, name))
        self.wait_recorded(expected)
        self.wait_err(process, r"info app .*command eventlog-socket 5 sent")
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)

    def test_many_at_once_stay_apart(self):
        """Queued in one go, each is received by itself."""
        process = self.begin(self.server())
        answers = self.ask_many(b"".join(b"send burst %d\n" % number for number in range(40)))
        self.assertEqual(answers, [{"ok": True, "queued": 1, "streams": 1}] * 40)
        self.wait_recorded([command(number, b"burst") for number in range(40)])
        self.assertEqual(process.stop(), 0, process.err())

    def test_after_a_reconnect(self):
        server = self.server()
        process = self.begin(server)
        self.assertEqual(self.ctl("census")[0], 0)
        self.wait_recorded([command(5)])
        server.stop()
        harness.wait_for("the end of the stream", lambda: not self.stats()["nodes"][0]["connected"])
        status, _, err = self.ctl("census")
        self.assertEqual(status, 1)
        self.assertIn("no open stream", err)
        self.server(name="replay")
        harness.wait_for("a second stream", lambda: self.ctl("start-heap", "--source", "app")[0] == 0)
        self.wait_recorded([command(5), command(3)])
        self.assertEqual(process.stop(), 0, process.err())

    def test_a_program_that_does_not_read(self):
        """The kernel's buffer takes one, 64 wait, the rest is refused; evpipe reads on, and costs nothing."""
        process = self.begin(self.replay(harness.OWN_LOG, "--end", "hold"))
        full_since = None

        def is_full():
            """For 0.3 s, in which thirty could have been sent, none of the next hundred was taken."""
            nonlocal full_since
            answers = self.ask_many(f"send {'n' * 255} 1\n".encode() * 100)
            full_since = (full_since or time.monotonic()) if not any(answer["ok"] for answer in answers) else None
            self.assertTrue(answers[-1]["ok"] or "64 commands wait already" in answers[-1]["error"])
            return full_since and time.monotonic() - full_since > 0.3
        harness.wait_for("a full buffer", is_full, 60)
        harness.wait_for("evpipe to be idle", lambda: self.is_idle(process))
        self.assertRegex(process.err(), "warning app .*a command was refused: 64 wait already")
        self.assertEqual(self.stats()["nodes"][0]["connected"], 1)
        self.assertEqual(process.stop(), 0, process.err())
        self.assertIn("64 commands were not sent", process.err())
        self.check_sound(process)

    def test_not_controllable(self):
        process = self.begin(self.server(), controllable="false")
        for words, expected in ((("census",), "no source is controllable"), (("census", "--source", "app"), "source 'app' is not controllable: it wants `controllable: true`"),
                                (("census", "--source", "out"), "'out' is not a source"), (("stats", "--source", "ap"), "there is no node 'ap'; did you mean 'app'?"),
                                (("send", "a", "1", "--source", "nothing-like-it"), "there is no node 'nothing-like-it'\n")):
            status, out, err = self.ctl(*words)
            self.assertEqual((status, out), (1, ""))
            self.assertIn(expected, err)
        self.assertEqual(process.stop(), 0, process.err())
        self.assertEqual(self.recorded(), [])

    def test_no_stream_yet(self):
        process = self.evpipe(PIPELINE % (self.socket, self.folder / "nothing.sock", "true"))
        self.wait_err(process, "nothing.sock")
        status, _, err = self.ctl("census")
        self.assertEqual(status, 1)
        self.assertIn("no open stream", err)
        self.assertEqual(process.stop(), 0, process.err())


class Many(Control):
    """The programs of `each` are one node: all are told, and counted together; sources of items end after them."""
    PIPELINE = """
    control: {unix: "%s"}
    shutdown_timeout: 1h
    sources:
      apps:
        plugin: socket
        each: "%s/*.sock"
        unix: "{each}"
        labels: {service: "{name}"}
        controllable: true
        reconnect: {initial: 20ms, max: 50ms}
      evpipe: {plugin: internal, interval: 1h}
    sinks:
      out: {plugin: print, from: apps, format: json, path: /dev/null}
      own: {plugin: print, from: evpipe, format: json}
"""

    def setUp(self):
        super().setUp()
        self.programs = self.folder / "programs"
        self.programs.mkdir()

    def apps(self):
        return self.stats()["nodes"][0]

    def test_all_are_told_and_counted(self):
        servers = [self.server(name="programs/one"), self.server(name="programs/two")]
        process = self.evpipe(self.PIPELINE % (self.socket, self.programs))
        self.wait_err(process, "listening")
        size = harness.OWN_LOG.stat().st_size
        harness.wait_for("both streams", lambda: self.apps()["in"]["bytes"] == 2 * size)
        self.assertEqual((self.apps()["connected"], self.apps()["controllable"]), (2, True))
        self.assertEqual(self.ctl("census", "--source", "apps"), (0, "queued for 2 of 2 open streams\n", ""))
        self.wait_recorded([command(5)] * 2)
        self.wait_err(process, r"info apps\[.*/one.sock\] .*command eventlog-socket 5 sent")
        servers[0].stop()
        harness.wait_for("one alone", lambda: self.apps()["connected"] == 1)
        self.assertEqual(self.ctl("start-heap"), (0, "queued for 1 of 1 open streams\n", ""))
        self.wait_recorded([command(5)] * 2 + [command(3)])
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)
        items = [item for item in harness.json_lines(process.out()) if item["name"] == "evpipe_node_items_total"]
        last = [item["value"] for item in items if (item["labels"]["node"], item["labels"]["direction"]) == ("apps", "in")]
        self.assertEqual(last[-1], 2 * size)


class Clients(Control):
    def test_statistics(self):
        process = self.begin(self.server("--now"))
        harness.wait_for("all events", lambda: self.stats()["nodes"][1]["delivered"] == 28209)
        status, out, err = self.ctl("stats")
        self.assertEqual((status, err), (0, ""))
        head, app, sink, source = out.splitlines()
        self.assertEqual(head.split(), ["NODE", "KIND", "IN", "OUT", "DROPPED", "REJECTED", "WAITS", "LAG"])
        self.assertRegex(app, r"^app +source +521886 bytes +28209 events +0 +- +- +-$")
        self.assertRegex(sink, r"^out +sink +28209 events +28209 +0 +0 +0 B +0\.0 s$")
        self.assertRegex(source, r"^app: connected, 1 connections so far, last event -?\d+\.\d s ago, times are exact, controllable$")
        status, out, _ = self.ctl("stats", "--format", "json", "--source", "out")
        answer = json.loads(out)
        self.assertEqual((status, answer["ok"], [node["name"] for node in answer["nodes"]]), (0, True, ["out"]))
        self.assertEqual(self.ctl("census", "--format", "json", "--source", "no")[1], '{"ok": false,"error": "there is no node \'no\'"}\n')
        self.assertEqual(process.stop(), 0, process.err())

    def test_the_socket_is_for_its_user_alone_and_goes_at_the_end(self):
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        process = self.begin(self.server())
        self.assertEqual(stat.S_IMODE(self.socket.stat().st_mode), 0o600)
        self.assertEqual(process.stop(), 0, process.err())
        self.assertFalse(self.socket.exists())

    def test_garbage(self):
        process = self.begin(self.server())
        for line in (b"\n", b"\0\0\0\n", b"\xff\xfe\x80\n", b"GET / HTTP/1.1\r\n", b"census now\n", b"stats a b c d e f\n", b"send\n", b"send a\n", b"send a b\n", b"send a -1\n",
                     b"send a 256\n", b"send a 99999999999999999999\n", b"send " + b"n" * 256 + b" 1\n", b"census source=\n", b"census source=app source=app\n", b"source=app\n",
                     b"${HOME}\n", b"x" * 1023 + b"\n"):
            answer = self.ask(line)
            self.assertEqual(answer["ok"], False, line)
            self.assertTrue(answer["error"])
        self.assertIn("too long", self.ask(b"x" * 1024)["error"])
        with self.client() as client:  # cut
            client.sendall(b"census")
        self.assertEqual(self.ask("send source=app 1")["ok"], True)  # a name space like any other
        self.wait_recorded([command(1, b"source=app")])
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)

    def test_a_hundred_clients_at_once(self):
        process = self.begin(self.server())
        clients = []
        for _ in range(100):
            clients.append(self.client())
            clients[-1].sendall(b"stats\n")  # at once: who is silent for a second makes room for the others
        for client in clients:
            self.assertTrue(self.answer(client)["ok"])
            client.close()
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)

    def test_silent_clients_make_room(self):
        """Some say nothing, some read nothing, for ever: who comes after them is served all the same, and SIGTERM is obeyed."""
        process = self.begin(self.server())
        silent = [self.client() for _ in range(20)]
        for client in silent[8:]:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            client.sendall(b"stats\n" * 200)
        self.assertEqual(self.ctl("census")[0], 0)
        self.wait_recorded([command(5)])
        for client in silent[:8]:  # the first eight are gone, or are served: none hangs
            with contextlib.suppress(OSError):
                client.sendall(b"stats\n")
        self.assertEqual(self.ctl("stats")[0], 0)
        harness.wait_for("evpipe to be idle", lambda: self.is_idle(process))
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)
        self.assertFalse(self.socket.exists())

    def test_clients_that_leave(self):
        """In the middle of a line, before the answer, after it."""
        process = self.begin(self.server())
        for line in (b"", b"sta", b"stats\n", b"stats\n" * 50) * 10:
            with self.client() as client:
                client.sendall(line)
        self.assertTrue(self.stats()["ok"])
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)

    def test_an_end_with_clients_connected(self):
        process = self.begin(self.server())
        clients = [self.client() for _ in range(5)]
        clients[0].sendall(b"stat")
        self.assertEqual(process.stop(), 0, process.err())
        for client in clients:
            with contextlib.suppress(ConnectionResetError):  # of the one whose words were not read
                self.assertEqual(client.recv(10), b"")
        self.check_sound(process)


class Paths(Control):
    FILE = f"""
        control: {{unix: "%s"}}
        sources:
          log: {{plugin: file, path: "{harness.OWN_LOG}"}}
        sinks:
          out: {{plugin: print, from: log, format: json, path: /dev/null}}
    """

    def test_a_socket_that_was_left_behind_is_taken_over(self):
        server = self.server()
        process = self.begin(server)
        process.stop(signal.SIGKILL)
        self.assertTrue(self.socket.exists())
        status, _, err = self.ctl("stats")
        self.assertEqual(status, 1)
        self.assertIn("nobody listens", err)
        process = self.begin(server, name="second")
        self.assertEqual(self.ctl("census")[0], 0)
        self.assertEqual(process.stop(), 0, process.err())
        self.assertFalse(self.socket.exists())

    def test_a_socket_in_use_is_not(self):
        process = self.begin(self.server())
        status, _, err = self.run_evpipe(self.FILE % self.socket, name="second")
        self.assertEqual(status, 1, err)
        self.assertRegex(err, "error control: .*another process listens there")
        self.assertTrue(self.stats()["ok"])
        self.assertEqual(process.stop(), 0, process.err())

    def test_of_many_that_start_at_once_one_gets_it(self):
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(self.socket))
        server = self.folder / "nothing.sock"
        processes = [self.evpipe(PIPELINE % (self.socket, server, "true"), name=f"one-of-{number}") for number in range(5)]
        harness.wait_for("all but one to give up", lambda: sum(process.running() for process in processes) == 1)
        last, = [process for process in processes if process.running()]
        self.assertTrue(self.stats()["ok"])
        self.assertEqual(last.stop(), 0, last.err())

    def test_what_is_no_socket_is_left_alone(self):
        self.socket.write_text("precious")
        status, _, err = self.run_evpipe(self.FILE % self.socket)
        self.assertEqual(status, 1, err)
        self.assertRegex(err, "error control: .*is there already, and is no socket")
        self.assertEqual(self.socket.read_text(), "precious")

    def test_a_folder_that_is_not_there(self):
        status, _, err = self.run_evpipe(self.FILE % (self.folder / "no" / "control"))
        self.assertEqual(status, 1, err)
        self.assertRegex(err, "error control: .*No such file or directory")

    def test_what_replaced_it_is_not_removed(self):
        process = self.begin(self.server())
        self.socket.unlink()
        self.socket.write_text("of somebody else")
        self.assertEqual(process.stop(), 0, process.err())
        self.assertTrue(self.socket.exists())

    def test_check_makes_none(self):
        status, _, err = self.run_evpipe(self.FILE % self.socket, "--check")
        self.assertEqual(status, 0, err)
        self.assertFalse(self.socket.exists())

    def test_nobody_there(self):
        (self.folder / "file").touch()
        for path, expected in ((self.folder / "none", "there is no such socket"), (self.folder / "file", "nobody listens"), ("x" * 200, "longer than the 107 bytes")):
            status, out, err = self.ctl("stats", path=path)
            self.assertEqual((status, out), (1, ""))
            self.assertIn(expected, err)

    def test_somebody_else_there(self):
        """Who answers what is not understood, and who leaves without an answer."""
        for answer, expected in ((b"HTTP/1.1 400 Bad Request: {\n", "not understood"), (b"[1, 2]\n", ": \n"), (b"", "gone before it answered")):
            path = self.folder / "other"
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(path))
                listener.listen()
                process = self.start([*harness.WRAPPER, harness.EVPIPE, "ctl", "-s", path, "stats"], "other")
                peer, _ = listener.accept()
                self.assertEqual(peer.recv(100), b"stats\n")
                peer.sendall(answer)
                peer.close()
                self.assertEqual(process.wait(), 1)
                self.assertIn(expected, process.err())
            path.unlink()

    def test_no_permission(self):
        if os.geteuid() == 0:
            harness.skip("root may do everything")
        process = self.begin(self.server())
        self.socket.chmod(0)
        status, _, err = self.ctl("stats")
        self.assertEqual(status, 1)
        self.assertIn("permission denied", err)
        self.assertEqual(process.stop(), 0, process.err())


if __name__ == "__main__":
    harness.main()
