#!/usr/bin/env python3
"""Each recipe in config/ loads and is what its first lines say; installed, it is found by its bare name."""
import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.request

import harness

RECIPES = sorted((harness.SOURCE / "config").glob("*.yaml"))
ENVIRONMENT = {"EVENTLOG": str(harness.OWN_LOG), "GHC_EVENTLOG_UNIX_PATH": "/tmp/ghc-eventlog.sock", "EVPIPE_COMMAND": "./my-app --port 80",
               "EVPIPE_SINK": str(harness.BUILD / "tests" / "e2e" / "count.so")}


class Recipes(harness.Case):
    def check_mode(self, config, mode="--check", environment=None):
        process = self.evpipe(config, mode, environment=environment or ENVIRONMENT)
        return process.wait(), process.out(), process.err()

    def test_each_loads(self):
        self.assertGreaterEqual(len(RECIPES), 3)
        for recipe in RECIPES:
            with self.subTest(recipe.name):
                status, _, err = self.check_mode(recipe)
                self.assertEqual(status, 0, err)

    def test_each_makes_a_picture(self):
        for recipe in RECIPES:
            with self.subTest(recipe.name):
                status, out, err = self.check_mode(recipe, "--graph")
                self.assertEqual(status, 0, err)
                self.assertTrue(out.lstrip().startswith(b"digraph"), out)

    def test_each_says_what_it_is(self):
        for recipe in RECIPES:
            self.assertTrue(recipe.read_text(encoding="utf-8").startswith("# "), recipe.name)

    def test_installed(self):
        """From an installed prefix with nothing in the environment: a bare name is found, and its plugins are."""
        if not (harness.BUILD / "build.ninja").exists() or not shutil.which("meson"):
            harness.skip("not in a build folder of meson")
        staged = self.folder / "staged"
        subprocess.run(["meson", "install", "-C", harness.BUILD, "--no-rebuild", "--quiet", "--destdir", staged], check=True, stdin=subprocess.DEVNULL)
        program, = staged.glob("**/bin/evpipe")
        recipes, = staged.glob("**/share/evpipe/config")
        self.assertEqual(sorted(path.name for path in recipes.glob("*.yaml")), [recipe.name for recipe in RECIPES])
        environment = {key: text for key, text in harness.os.environ.items() if not key.startswith("EVPIPE")}
        shown = subprocess.run([program, "-c", "show"], env={**environment, **ENVIRONMENT}, cwd=self.folder, capture_output=True, check=False,
                               timeout=60 * harness.PATIENCE)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertGreater(shown.stdout.count(b"\n"), 28209)


class Demo(harness.Case):
    def demo(self, *arguments):
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        return self.start([harness.SOURCE / "scripts" / "demo", *arguments], "demo",
                          environment={"BUILD": str(harness.BUILD), "SKIP_SETUP": "1", "TMPDIR": str(temporary)})

    def ask(self, port, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60 * harness.PATIENCE) as answer:
            return answer.read()

    def test_it_says_where_to_look_and_there_is_the_heap(self):
        port = harness.free_port()
        demo = self.demo("--seconds", "600", "--port", str(port), "--recording")
        self.wait_out(demo, f"http://127.0.0.1:{port}/".encode(), 60)
        self.assertIn(b"<html", self.ask(port, "/"))
        census = harness.wait_for("the heap", lambda: (found := json.loads(self.ask(port, "/api/history?program=1"))["census"])["bands"] and found)
        self.assertEqual(census["breakdown"], "closure_type")
        self.assertIn("STACK", [band["name"] for band in census["bands"]])
        os.kill(demo.pid, signal.SIGTERM)
        self.assertEqual(demo.wait(), 143, demo.err())
        self.assertEqual(list((self.folder / "tmp").iterdir()), [])
        self.assertRaises(OSError, self.ask, port, "/")

    def test_ctrl_c(self):
        """A terminal sends it to all; evpipe then ends in order, not by a second signal."""
        output = self.folder / "demo.txt"
        with open(output, "wb") as file:
            demo = subprocess.Popen([harness.SOURCE / "scripts" / "demo", "--seconds", "600", "--port", str(harness.free_port()), "--recording"], stdout=file, stderr=file,
                                    start_new_session=True, env={**os.environ, "BUILD": str(harness.BUILD), "SKIP_SETUP": "1"})
        try:
            harness.wait_for("the address", lambda: b"Look at" in output.read_bytes(), 60)
        finally:
            os.killpg(demo.pid, signal.SIGINT)
            status = demo.wait(60 * harness.PATIENCE)
        self.assertEqual(status, 130)
        self.assertNotRegex(output.read_text(encoding="utf-8"), "signal|dropped|error")

    def test_it_ends_by_itself(self):
        demo = self.demo("--seconds", "2", "--port", str(harness.free_port()), "--recording")
        self.assertEqual(demo.wait(60), 0, demo.err())
        self.assertIn(b"2 s", demo.out())
        self.assertEqual(list((self.folder / "tmp").iterdir()), [])

    def test_a_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            demo = self.demo("--port", str(taken.getsockname()[1]), "--recording")
            self.assertEqual(demo.wait(60), 1, demo.err())
            self.assertIn("--port", demo.err())
            self.assertRegex(demo.err(), "in use")

    def test_wrong_words(self):
        for words in (("--second", "3"), ("--seconds", "soon"), ("--port",)):
            demo = self.demo(*words)
            self.assertEqual(demo.wait(), 2)
            self.assertTrue(demo.err().startswith("demo: "), demo.err())


if __name__ == "__main__":
    harness.main()
