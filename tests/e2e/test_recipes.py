#!/usr/bin/env python3
"""Each recipe in config/ loads and is what its first lines say; installed, it is found by its bare name."""
import shutil
import subprocess

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

    def test_demo_shows_the_heap(self):
        server = self.replay(harness.OWN_LOG, "--now", "--end", "hold")
        process = self.evpipe(harness.SOURCE / "config" / "demo.yaml", environment={"GHC_EVENTLOG_UNIX_PATH": str(server.path), "LC_ALL": "C.UTF-8"})
        self.wait_out(process, rb"census by closure_type")
        self.wait_out(process, rb"STACK +[0-9.]+ KiB")
        self.assertEqual(process.stop(), 0, process.err())
        self.check_sound(process)

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
    def test_demo_ends_by_itself(self):
        """scripts/demo: 20 s, status 0, the reconnect is seen, nothing is left behind."""
        if harness.os.environ.get("EVPIPE_PATIENCE", "1") != "1":
            harness.skip("the demo is timed; not with a sanitizer")
        temporary = self.folder / "tmp"
        temporary.mkdir()
        begin = harness.time.monotonic()
        demo = self.start([harness.SOURCE / "scripts" / "demo"], "demo",
                          environment={"BUILD": str(harness.BUILD), "SKIP_SETUP": "1", "TMPDIR": str(temporary), "LC_ALL": "C.UTF-8"})
        self.assertEqual(demo.wait(60), 0, demo.err())
        self.assertGreater(harness.time.monotonic() - begin, 19)
        self.assertEqual(list(temporary.iterdir()), [])
        self.assertIn(b"census by closure_type", demo.out())
        self.assertIn(b"stream 2", demo.out())
        self.assertRegex(demo.err(), "nobody listens|there is no socket")


if __name__ == "__main__":
    harness.main()
