"""What is said of configurations and plugins that are wrong: each bad/NAME.yaml against bad/NAME.expected, to the letter.

`EVPIPE=... python3 test_bad.py --update` writes the expected files anew: read the difference before you commit it.
"""
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import harness  # noqa: E402

BAD = HERE / "bad"
ODD_PLUGINS = os.environ.get("ODD_PLUGINS", str(harness.BUILD / "tests" / "config"))


def check(config, *arguments, cwd=BAD, environment=None, seconds=20):
    """Status and what was said, without what differs between machines: folders, the loader's words on symbols."""
    result = subprocess.run([*harness.WRAPPER, harness.EVPIPE, "-c", config, "--check", *arguments], cwd=cwd, timeout=seconds * harness.PATIENCE,
                            env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL, capture_output=True)
    text = result.stderr.decode("utf-8", "replace")
    text = re.sub(r"(\(no \S+\.so in )[^)]*\)", r"\1...)", text)
    return result.returncode, text.replace(ODD_PLUGINS + "/", "ODD/")


class Golden(harness.Case):
    def compare(self, name, *arguments):
        status, text = check(name + ".yaml", *arguments)
        expected = BAD / (name + ".expected")
        if UPDATE:
            expected.write_text(text, encoding="utf-8")
        self.assertEqual(status, 2, text)
        self.assertEqual(text, expected.read_text(encoding="utf-8"))
        self.assertNotIn("geheim", text)

    def test_all(self):
        names = sorted(path.stem for path in BAD.glob("*.yaml"))
        self.assertGreater(len(names), 30)
        for name in names:
            with self.subTest(name):
                self.compare(name, "--plugin-dir", ODD_PLUGINS)

    def test_a_pipeline_that_is_wrong_does_not_run(self):
        result = subprocess.run([harness.EVPIPE, "-c", "unknown-key.yaml"], cwd=BAD, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr, (BAD / "unknown-key.expected").read_text())


GOOD = """\
sources: {app: {plugin: file, path: x}}
sinks: {screen: {plugin: print, from: app}}
"""


class Files(harness.Case):
    def expect(self, data, pattern, seconds=10):
        path = self.folder / "c.yaml"
        path.write_bytes(data)
        status, text = check("c.yaml", cwd=self.folder, seconds=seconds)
        self.assertEqual(status, 2, text[:2000])
        self.assertIsNotNone(re.search(pattern, text), f"{pattern} in {text[:2000]}")
        return text

    def test_good(self):
        """The frame of the other tests is itself no error."""
        for data in (GOOD.encode(), b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n").encode(), GOOD.replace("\n", "\r").encode()):
            (self.folder / "c.yaml").write_bytes(data)
            self.assertEqual(check("c.yaml", cwd=self.folder), (0, ""))

    def test_no_text(self):
        self.expect(GOOD.encode() + b"# caf\xe9\n", r"^c\.yaml:3:6: error: is not UTF-8\n$")
        self.expect(GOOD.encode() + b"# \0\n", r"^c\.yaml: error: is no text: there is a NUL byte at offset \d+\n$")
        self.expect(GOOD.encode() + b"x-a: \x07\n", r"^c\.yaml:3:\d+: error: this is not YAML: control characters")
        self.expect(b"\x7fELF\x02\x01\x01" + bytes(100), r"NUL byte")
        self.expect(GOOD.encode() + b'x-a: "\\0"\n', r"^c\.yaml:3:6: error: has a NUL character in it\n")

    def test_size(self):
        self.expect(b"# x\n" * 2_600_000, r"^c\.yaml: error: is larger than 1 MiB: .*\n$")
        text = self.expect(GOOD.encode() + b"".join(b"k%d: 1\n" % i for i in range(150)), "50 more errors are not shown\n$")
        self.assertEqual(len(re.findall(": error: ", text)), 100)

    def test_hostile_shapes(self):
        """Each took a reader by documents minutes or gigabytes, or could."""
        for data, pattern in ((b"[" * 500_000, "too deep"), (b"- " * 400_000, "too deep"), (b"? " * 400_000, "too deep"), (b"{a: " * 200_000, "too deep"),
                              (b"x-a:\n" + b"".join(b"- &a%d 1\n" % i for i in range(80_000)), "too many anchors"),
                              (b"x-a: &a 1\nx-b:\n" + b"- *a\n" * 150_000, "too many parts"), (b"{" + b"a," * 400_000 + b"}", "'a' stands here a second time"),
                              (b'"' + b"a\n" * 400_000, "unexpected end"), (b"a: " * 300_000, "not allowed"), (b"&a [*a]", "lies within"),
                              (b"x-a: " + b"\xf0\x9d\x84\x9e" * 250_000 + b"\nb: 1\n", "unknown option 'b'")):
            with self.subTest(data[:12]):
                self.expect(data, pattern)

    def test_not_a_file(self):
        for name, pattern in ((".", "is a directory"), ("./nowhere.yaml", "No such file"), ("no-such-recipe", "No such file"), ("/dev/zero", "larger than 1 MiB")):
            status, text = check(name, cwd=self.folder)
            self.assertEqual(status, 2)
            self.assertRegex(text, f"^{re.escape(name)}: error: .*{pattern}.*\n$")

    def test_variables(self):
        (self.folder / "c.yaml").write_text(GOOD.replace("path: x", 'path: x, labels: {service: "${A}-${B:-b}-${C:-}$$", other: "${A:?no}"}'))
        self.assertEqual(check("c.yaml", cwd=self.folder, environment={"A": "] } :", "B": ""}), (0, ""))
        self.assertRegex(check("c.yaml", cwd=self.folder, environment={"A": ""})[1], "error: A: no\n")

    def test_world_readable_secret(self):
        (self.folder / "secret").write_text("geheim\n")
        (self.folder / "c.yaml").write_text(
            "sources: {app: {plugin: file, path: x}}\nfilters: {heap: {plugin: heap, from: app}}\nsinks:\n"
            "  influx: {plugin: influxdb, from: heap, url: 'http://x', database: d, username: u, password: {file: secret}}\n")
        for mode, expected in ((0o644, r"^c\.yaml:4:\d+: warning: .*everybody may read"), (0o600, "^$")):
            (self.folder / "secret").chmod(mode)
            status, text = check("c.yaml", cwd=self.folder)
            self.assertEqual(status, 0, text)
            self.assertRegex(text, expected)
            self.assertNotIn("geheim", text)


class Plugins(harness.Case):
    """The plugins of odd.c, each given by its name."""

    def load(self, plugin, more=""):
        (self.folder / "c.yaml").write_text(f"sources: {{app: {{plugin: file, path: x}}}}\nsinks:\n  odd: {{plugin: {plugin}, from: app{more}}}\n")
        return check("c.yaml", "--plugin-dir", ODD_PLUGINS, cwd=self.folder)

    def test_good_ones(self):
        for plugin in ("good", "smaller", "larger_unused"):
            with self.subTest(plugin):
                self.assertEqual(self.load(plugin, ", number: 3"), (0, ""))

    def test_bad_ones(self):
        for plugin, pattern in (
                ("no_symbol", "no symbol evp_plugin_entry"), ("newer_abi", r"built for ABI 2, this evpipe has 1: it needs a newer evpipe"),
                ("older_abi", "ABI 0, .* build it again"), ("larger_used", "does not know: it needs a newer evpipe"), ("no_size", "no sensible size"),
                ("wrong_kind", "is a filter, and stands among the sinks"), ("unknown_kind", r"kind \(7\)"), ("no_name", "its name must be"),
                ("no_callback", r"it has no write\(\)"), ("both_ways", "it has no deliver"), ("unknown_signal", "signals that this evpipe does not know"),
                ("unresolved", "undefined symbol: evp_of_a_later_version"), ("bad_default", "the default 'many' of its option 'number' is not a whole number"),
                ("bad_offset", "'number' lies outside of its instance"), ("bad_type", r"of a type \(99\)"), ("no_end", "EVP_OPTIONS_END is missing"),
                ("no_choices", "'number' has no choices"), ("bad_defaults", r"the defaults of plugin 'odd' are wrong: .*much"),
                ("core_key", "'queue' is a key of the core"), ("create_fails", r"its create\(\) failed")):
            with self.subTest(plugin):
                status, text = self.load(plugin)
                self.assertEqual(status, 2, text)
                self.assertRegex(text, pattern)
                self.assertRegex(text, r"^c\.yaml:3:\d+: error: sink 'odd'")
                self.assertEqual(text.count(": error: "), 1)

    def test_create_points_at_its_option(self):
        status, text = self.load("create_fails", ", number: 3")
        self.assertEqual((status, text), (2, "c.yaml:3:50: error: sink 'odd': 'number': is not to my liking\n"
                                             "    3 |   odd: {plugin: create_fails, from: app, number: 3}\n      |" + " " * 50 + "^\n"))

    def test_not_loadable(self):
        (self.folder / "text.so").write_text("no ELF, but long enough to be looked at: " + "x" * 4000)
        (self.folder / "empty.so").write_text("")
        (self.folder / "folder.so").mkdir()
        (self.folder / "cut.so").write_bytes(pathlib.Path(ODD_PLUGINS, "sink-good.so").read_bytes()[:1000])
        for name, pattern in (("text", "not ELF"), ("empty", "not ELF"), ("cut", "is cut short"), ("folder", "is a directory"), ("none", "there is no such file")):
            with self.subTest(name):
                status, text = self.load(f"./{name}.so")
                self.assertEqual(status, 2)
                self.assertRegex(text, rf"error: sink 'odd': \./{name}\.so: .*{pattern}")

    def test_the_first_found_must_load(self):
        """A plugin that is broken is not passed over in favour of another one of its name."""
        (self.folder / "sink-print.so").write_text("broken")
        (self.folder / "c.yaml").write_text(GOOD)
        self.assertRegex(check("c.yaml", "--plugin-dir", str(self.folder), cwd=self.folder)[1], "sink-print.so: is no shared library")
        self.assertEqual(check("c.yaml", "--plugin-dir", str(self.folder / "none"), "--plugin-dir", str(harness.BUILD / "plugins"), cwd=self.folder), (0, ""))

    def test_path_is_relative_to_the_configuration(self):
        (self.folder / "sub").mkdir()
        (self.folder / "sub" / "mine.so").write_bytes(pathlib.Path(ODD_PLUGINS, "sink-good.so").read_bytes())
        (self.folder / "sub" / "c.yaml").write_text(GOOD.replace("print", "./mine.so"))
        for cwd, name in ((self.folder, "sub/c.yaml"), (self.folder / "sub", "c.yaml"), (pathlib.Path("/"), str(self.folder / "sub" / "c.yaml"))):
            self.assertEqual(check(name, cwd=cwd), (0, ""))


UPDATE = "--update" in sys.argv
if __name__ == "__main__":
    sys.argv = [argument for argument in sys.argv if argument != "--update"]
    harness.main()
