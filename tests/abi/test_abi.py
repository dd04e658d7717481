"""The contract as others see it: the header alone, the exported symbols, plugins built out of this tree from an installed prefix."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import harness  # noqa: E402
sys.path.insert(0, str(harness.SOURCE / "tests" / "reference"))
import eventlog as reference  # noqa: E402

FROZEN = HERE / "frozen-1"
HEADER = harness.SOURCE / "core" / "include" / "evpipe.h"
COMPILERS = [pair for pair in (("gcc", "g++"), ("clang-14", "clang++-14")) if shutil.which(pair[0]) and shutil.which(pair[1])]
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-pedantic", "-Werror", "-fvisibility=hidden"]
SANITIZED = os.environ.get("EVPIPE_PATIENCE", "1") != "1"


def run(*words, **more):
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300, **more)
    if result.returncode:
        raise AssertionError(f"{' '.join(str(word) for word in words)}: {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


class Header(unittest.TestCase):
    def test_alone_and_layout(self):
        """C11 to C++20, gcc and clang, with nothing but the header; what lies where is asserted in layout.c."""
        if not COMPILERS:
            harness.skip("no compiler pair: gcc and g++, or clang-14 and clang++-14")
        for c, cxx in COMPILERS:
            for compiler, language, standards in ((c, "c", ("c11", "c17")), (cxx, "c++", ("c++17", "c++20"))):
                for standard in standards:
                    for header in (HEADER.parent, FROZEN):
                        with self.subTest(compiler=compiler, standard=standard, header=header.name):
                            run(compiler, "-x", language, f"-std={standard}", *WARNINGS, "-fsyntax-only", f"-I{header}", HERE / "layout.c")

    def test_wrong_type_of_an_option(self):
        """A table that does not fit its struct does not compile."""
        for compiler, language in ((COMPILERS[0][0], "c"), (COMPILERS[0][1], "c++")):
            result = subprocess.run([compiler, "-x", language, "-fsyntax-only", f"-I{HEADER.parent}", "-"], capture_output=True, text=True, timeout=60,
                                    input="#include <evpipe.h>\nstruct mine { int truth; };\n"
                                          'static const struct evp_option table[] = {EVP_BOOL(struct mine, truth, "true", "A truth."), EVP_OPTIONS_END};\n')
            self.assertNotEqual(result.returncode, 0)


class Symbols(unittest.TestCase):
    def listed(self):
        return set(re.findall(r"^\s*(\w+);", without_comments((harness.SOURCE / "core" / "evpipe.syms").read_text()), re.M))

    def test_list_is_what_the_header_declares(self):
        text = re.sub(r"static inline[^;{]*\{.*?^\}", "", without_comments(HEADER.read_text()), flags=re.S | re.M)
        text = re.sub(r"^#(?:.*\\\n)*.*$", "", text, flags=re.M)
        text = text[:text.index("struct evp_plugin {")]
        declared = set(re.findall(r"^[\w *]*?\b(evp_\w+)\([^;{}]*\)(?:\s*EVP_PRINTF\(\d, \d\))?;", text, re.M))
        self.assertGreater(len(declared), 40)
        self.assertEqual(self.listed(), declared)

    def test_program_exports_the_list(self):
        """All of it and, but for the C library's own variables, nothing else."""
        exported, others = set(), []
        for line in run("nm", "-D", "--defined-only", harness.EVPIPE).splitlines():
            symbol = line.split()[-1]
            if symbol.startswith("evp_"):
                exported.add(symbol)
            elif "@" not in symbol:
                others.append(symbol)
        self.assertEqual(exported, self.listed())
        if not SANITIZED:
            self.assertEqual([symbol for symbol in others if symbol not in ("_IO_stdin_used", "environ", "__environ", "_environ")], [])

    def test_plugins_export_one_symbol(self):
        plugins = sorted((harness.BUILD / "plugins").glob("*.so"))
        self.assertGreater(len(plugins), 5)
        for plugin in plugins:
            symbols = [line.split()[-1] for line in run("nm", "-D", "--defined-only", plugin).splitlines()]
            if SANITIZED:
                symbols = [symbol for symbol in symbols if symbol.startswith("evp")]
            self.assertEqual(symbols, ["evp_plugin_entry"], plugin.name)


def number_of_events(path):
    return sum(1 for stream in reference.streams(path.read_bytes()) for _ in stream.records())


class Installed(harness.Case):
    """An installation in a folder of its own: everything is found from there, nothing from this tree."""

    @classmethod
    def setUpClass(cls):
        for tool in ("pkg-config", "meson"):
            if not shutil.which(tool):
                harness.skip(f"{tool} is not installed")
        if SANITIZED:
            harness.skip("plugins of a sanitizer's build need its options")
        if not COMPILERS:
            harness.skip("no compilers for C and C++")
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="evpipe-installed-"))
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        run("meson", "install", "-C", harness.BUILD, "--no-rebuild", "--quiet", "--destdir", cls.root)
        cls.pc = next(cls.root.rglob("evpipe.pc"))
        cls.prefix = next(cls.root.rglob("bin/evpipe")).parent.parent
        cls.program = cls.prefix / "bin" / "evpipe"

    def pkg_config(self, *words):
        environment = {**os.environ, "PKG_CONFIG_PATH": str(self.pc.parent)}
        return run("pkg-config", f"--define-variable=prefix={self.prefix}", *words, "evpipe", env=environment).strip()

    def build(self, source, target, *flags):
        compiler = COMPILERS[0][1] if source.suffix == ".cpp" else COMPILERS[0][0]
        standard = "-std=c++17" if source.suffix == ".cpp" else "-std=gnu11"
        run(compiler, standard, *WARNINGS, "-shared", "-fPIC", *flags, source, "-o", target)

    def evpipe_installed(self, *words, **more):
        environment = {key: value for key, value in os.environ.items() if key != "EVPIPE_PLUGIN_PATH"}
        return subprocess.run([*harness.WRAPPER, self.program, *words], capture_output=True, text=True, timeout=60 * harness.PATIENCE, cwd=self.folder,
                              env={**environment, **more})

    def test_pkg_config(self):
        self.assertEqual(self.pkg_config("--libs"), "")
        self.assertEqual(self.pkg_config("--cflags").split(), [f"-I{self.prefix}/include"])
        plugin_dir = pathlib.Path(self.pkg_config("--variable=plugindir"))
        self.assertTrue((plugin_dir / "sink-print.so").exists(), plugin_dir)
        self.assertTrue((self.prefix / "include" / "evpipe" / "events.h").exists())
        self.assertEqual(self.pkg_config("--modversion"), re.search(r"version: '([\d.]+)'", (harness.SOURCE / "meson.build").read_text()).group(1))

    def test_pkg_config_of_a_build(self):
        """What is not installed: sources in one folder, what is made of them in another."""
        environment = {**os.environ, "PKG_CONFIG_PATH": str(harness.BUILD / "meson-uninstalled")}
        flags = run("pkg-config", "--cflags", "--libs", "evpipe", env=environment).split()
        self.build(harness.SOURCE / "tests" / "abi" / "frozen-1" / "sink.c", self.folder / "sink.so", *flags)

    def test_a_moved_prefix_finds_its_plugins_and_recipes(self):
        moved = self.root / "moved"
        shutil.copytree(self.prefix, moved)
        self.addCleanup(shutil.rmtree, moved)
        listed = subprocess.run([moved / "bin" / "evpipe", "--plugins"], capture_output=True, text=True, timeout=60,
                                env={key: value for key, value in os.environ.items() if key != "EVPIPE_PLUGIN_PATH"}).stdout
        for plugin in ("socket", "file", "heap", "print"):
            self.assertRegex(listed, rf"(?m)^\w+ +{plugin} ")
        checked = subprocess.run([moved / "bin" / "evpipe", "-c", "show", "--check"], capture_output=True, text=True, timeout=60,
                                 env={**os.environ, "EVENTLOG": str(harness.OWN_LOG), "EVPIPE_PLUGIN_PATH": ""}, cwd=self.folder)
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def run_frozen(self, *flags):
        for source, target in (("source.c", "source-frozen.so"), ("filter.c", "filter-frozen.so"), ("sink.c", "sink-frozen.so"),
                               ("delivering_sink.cpp", "sink-frozen_delivering.so")):
            self.build(FROZEN / source, self.folder / target, *flags)
        (self.folder / "secret").write_text("from a file\n")
        (self.folder / "secret").chmod(0o600)
        config = self.config(f"""
            sources:
              log: {{plugin: frozen, path: "{harness.OWN_LOG}", chunk: 777, labels: {{service: oddball, tier: test}}}}
            filters:
              count: {{plugin: frozen, from: log}}
            sinks:
              screen:
                plugin: frozen
                from: count
                truth: yes
                real: 2.5
                size: 1.5KiB
                wait: 250ms
                secret: {{file: secret}}
                choice: three
                list: [a, "b c"]
                map: {{x: 1, y: "2"}}
                group: {{yes: true}}
              file: {{plugin: frozen_delivering, from: count, path: delivered}}
            """)
        result = self.evpipe_installed("-c", str(config), "--plugin-dir", str(self.folder))
        self.assertEqual(result.returncode, 0, result.stderr)
        events = number_of_events(harness.OWN_LOG)
        self.assertGreater(events, 1000)
        self.assertEqual(result.stdout.splitlines(), [
            "options 1 -7 2.5 1536 250000000 1 text from a file 2 a b c x=1 y=2 1 none", "screen begins oddball of log",
            f"frozen_events_total kind=all service=oddball tier=test {events}", "log frozen: the end", "ends after 2 items, state 1"])
        self.assertEqual((self.folder / "delivered").read_text(), f"frozen_events_total {events}\nsealed\n")

    def test_plugins_built_with_pkg_config(self):
        """The sources of frozen-1 against the header that is installed."""
        self.run_frozen(*self.pkg_config("--cflags", "--libs").split())

    def test_frozen_abi_1(self):
        """The same against the header as it was released."""
        self.run_frozen(f"-I{FROZEN}")

    def test_example_count_events(self):
        """The command of its page, to the letter; the code is the frame's."""
        folder = self.folder / "count-events"
        shutil.copytree(harness.SOURCE / "examples" / "count-events", folder)
        commands = re.findall(r"```sh\n(.*?)```", (folder / "README.md").read_text(), re.S)
        shell = ["sh", "-euc", commands[0].replace("pkg-config", f"pkg-config --define-variable=prefix={self.prefix}")]
        run(*shell, cwd=folder, env={**os.environ, "PKG_CONFIG_PATH": str(self.pc.parent)})
        result = self.evpipe_installed("-c", "count-events/pipeline.yaml", EVENTLOG=str(harness.OWN_LOG))
        self.assertEqual((result.returncode, result.stdout), (0, f"events in all {number_of_events(harness.OWN_LOG)}\n"), result.stderr)
        self.assertIn("evpipe -c pipeline.yaml", commands[1])


if __name__ == "__main__":
    harness.main()
