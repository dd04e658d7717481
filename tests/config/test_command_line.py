"""The command line, and the printers of the option tables: --plugins, --plugin, --schema, --graph, the plugins' pages.

With --update the tables of the pages are written anew.
"""
import copy
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "e2e"))
import harness  # noqa: E402
import json_schema  # noqa: E402

PLUGINS = ["filter/gc", "filter/heap", "filter/logs", "filter/select", "filter/sort",
           "sink/dashboard", "sink/influxdb", "sink/print", "sink/prometheus", "sink/recorder", "sink/relay", "sink/zmq",
           "source/exec", "source/file", "source/internal", "source/socket"]
PIPELINE = """\
sources: {app: {plugin: file, path: x, labels: {service: "quo\\"te"}}}
filters: {heap: {plugin: heap, from: app}}
sinks:
  influx: {plugin: influxdb, from: heap, url: "http://x", database: d, username: u, password: geheim}
  screen: {plugin: print, from: [app, heap]}
"""


def evpipe(*words, cwd=None, environment=None):
    return subprocess.run([*harness.WRAPPER, harness.EVPIPE, *words], cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=60 * harness.PATIENCE, env={**os.environ, **(environment or {})})


class CommandLine(harness.Case):
    def expect(self, status, out, err, *words, **more):
        result = evpipe(*words, cwd=self.folder, **more)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertRegex(result.stdout, out)
        self.assertRegex(result.stderr, err)
        return result

    def test_help_and_version(self):
        text = self.expect(0, "^usage: evpipe -c FILE", "^$", "--help").stdout
        for word in ("-c,", "--check", "--graph", "--plugins", "--plugin ", "--schema", "--plugin-dir", "--log-level", "--log-format", "--version", "exit status"):
            self.assertIn(word, text)
        self.expect(0, r"^evpipe \d+\.\d+\.\d+ \(plugin ABI 1\)\n$", "^$", "--version")

    def test_manual(self):
        """docs/evpipe.1, --help and ctl --help name the same options."""
        manual = (harness.SOURCE / "docs" / "evpipe.1").read_text()
        described = set(re.findall(r"^\.It (?:Fl \w , )?Fl -([a-z-]+)|^\.It Fl \w , -([a-z-]+)", manual, re.M))
        described = {"--" + (first or second) for first, second in described}
        self.assertEqual(described, set(re.findall(r"--[a-z-]+", evpipe("--help").stdout + evpipe("ctl", "--help").stdout)))

    def test_writing_a_plugin(self):
        """The sink of the page is the example, which tests/abi builds and runs."""
        page = (harness.SOURCE / "docs" / "writing-a-plugin.md").read_text()
        self.assertIn("```c\n" + (harness.SOURCE / "examples" / "count-events" / "count.c").read_text() + "```", page)

    def test_wrong_usage(self):
        for words, message in (((), "name a pipeline with -c FILE"), (("-c",), "requires an argument"), (("--nonsense",), "unrecognized option"), (("x.yaml",), "not understood: x.yaml"),
                               (("-c", "x", "--log-level", "loud"), "error, warning, info or debug, not: loud"), (("-c", "x", "--log-format", "xml"), "text or json, not: xml"),
                               (("--plugin", "print", "--format", "xml"), "text, json or markdown, not: xml"), (("--check", "--schema"), "at a time"),
                               (("--plugin", "nothing"), "there is no plugin 'nothing'"), (("--plugin", "./nothing.so"), "there is no such file"), (("--plugin", "sink/heap"), "'heap' is a filter"),
                               (("--check",), "name a pipeline"), (("ctl", "stats"), "name the socket with -s PATH"), (("ctl", "-s", "x"), "name a command"),
                               (("ctl", "-s", "x", "cenus"), "unknown command 'cenus'; did you mean 'census'?"),
                               (("ctl", "-s", "x", "stats", "more"), "not understood: more"), (("ctl", "-s", "x", "send", "a"), "it is: send NAMESPACE ID"),
                               (("ctl", "-s", "x", "send", "a", "256"), "an ID is a number from 0 to 255"), (("ctl", "-s", "x", "send", "", "1"), "a name space has"),
                               (("ctl", "-s", "x", "--source", "A b", "stats"), "no name of a node"), (("ctl", "-s", "x", "--format", "xml", "stats"), "--format is text or json")):
            with self.subTest(words):
                self.expect(2, "^$", message, *words)

    def test_check_says_nothing_and_touches_nothing(self):
        self.config(PIPELINE, "c.yaml")
        before = sorted(self.folder.iterdir())
        self.expect(0, "^$", "^$", "-c", "c.yaml", "--check")
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_log_format_of_errors(self):
        """Errors of a configuration are for people, whatever the log's form."""
        self.config("sources: {}\nsinks: {}\n", "c.yaml")
        self.expect(2, "^$", "^c.yaml:1:1: error: there is no source", "-c", "c.yaml", "--log-format", "json")

    def test_graph(self):
        self.config(PIPELINE, "c.yaml")
        text = self.expect(0, r"^digraph pipeline \{\n", "^$", "-c", "c.yaml", "--graph").stdout
        for edge in ('"app" -> "heap" [label="events"]', '"heap" -> "influx" [label="metrics"]', '"heap" -> "screen" [label="metrics"]', '"app" -> "screen" [label="events"]'):
            self.assertIn(edge, text)
        self.assertNotIn("geheim", text)
        if harness.shutil.which("dot"):
            subprocess.run(["dot", "-Tsvg"], input=text, text=True, check=True, capture_output=True, timeout=60)

    def test_graph_of_a_wrong_pipeline(self):
        self.config(PIPELINE.replace("from: app", "from: ap"), "c.yaml")
        self.expect(2, "^$", "there is no node 'ap'", "-c", "c.yaml", "--graph")

    def test_full_disk(self):
        for words in (("--schema",), ("--plugins",), ("--plugin", "print")):
            with open("/dev/full", "w") as full:
                result = subprocess.run([*harness.WRAPPER, harness.EVPIPE, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
            self.assertEqual(result.returncode, 1)
            self.assertIn("No space left", result.stderr)

    def test_recipe_by_name(self):
        self.expect(2, "^$", "show.yaml:.*error: EVENTLOG", "-c", "show", "--check", environment={"EVENTLOG": ""})
        (self.folder / "show").mkdir()  # a folder of that name is none
        self.expect(0, "^$", "^$", "-c", "show", "--check", environment={"EVENTLOG": "x"})
        self.expect(2, "^$", "^no-such-recipe: error: No such file here, and no recipe of that name in /", "-c", "no-such-recipe", "--check")


class Printers(harness.Case):
    def test_plugins(self):
        result = evpipe("--plugins")
        self.assertEqual(result.returncode, 0)
        for name in PLUGINS:
            kind, plugin = name.split("/")
            self.assertRegex(result.stdout, rf"(?m)^{kind} +{plugin} +\S+ +\S+ +\w")
        self.assertNotIn("not loaded", result.stdout)
        (self.folder / "sink-broken.so").write_text("no ELF")
        (self.folder / "sink-print.so").write_text("no ELF")
        text = evpipe("--plugins", "--plugin-dir", str(self.folder)).stdout
        loaded, failed = text.split("not loaded:\n")
        self.assertRegex(failed, rf"(?m)^  {self.folder}/sink-broken\.so: is no shared library")
        self.assertRegex(failed, rf"(?m)^  {self.folder}/sink-print\.so: is no shared library")
        self.assertNotRegex(loaded, r"(?m)^sink +print ")  # it is hidden by the one that does not load

    def test_plugin_text(self):
        text = evpipe("--plugin", "sink/influxdb").stdout
        self.assertTrue(text.startswith("sink influxdb: "))
        for part in ("\n  url: string, required\n      ", "\n  api: 1 | 2, default 1\n", "\n    verify: bool, default true\n", "\n    max_items: int, default 5000\n", "\n  from: list, required\n"):
            self.assertIn(part, text)

    def test_plugin_json(self):
        for name in PLUGINS:
            described = json.loads(evpipe("--plugin", name, "--format", "json").stdout)
            self.assertEqual(f"{described['kind']}/{described['name']}", name)
            self.assertTrue(pathlib.Path(described["file"]).is_file())
            self.assertEqual(described["abi"], 1)
            for option in described["options"] + described["core_options"]:
                self.assertGreaterEqual(set(option), {"key", "type", "required", "default", "help"})
                self.assertTrue(option["help"].endswith(".") or option["help"].endswith(":"), option)

    def test_pages(self):
        """The table of a plugin's page is the one that the plugin brings; no plugin is without a page."""
        for name in PLUGINS:
            kind, plugin = name.split("/")
            page = harness.SOURCE / "plugins" / (kind + "s") / plugin / "README.md"
            table = evpipe("--plugin", name, "--format", "markdown").stdout
            if UPDATE and table.count("\n") > 2:
                page.write_text(re.sub(r"(?m)^\| option \|.*\n(^\|.*\n)*", lambda _: table, page.read_text(), count=1))
            with self.subTest(name):
                if table.count("\n") > 2:
                    self.assertIn(table, page.read_text())
                else:  # it has no options, and says so
                    self.assertIn("It has no options.", page.read_text())

    def test_every_plugin_is_looked_at(self):
        found = re.findall(r"^(source|filter|sink) +(\S+)", evpipe("--plugins").stdout, re.M)
        self.assertEqual(sorted(f"{kind}/{plugin}" for kind, plugin in found), PLUGINS)


GOOD = {"bool": [True, "yes"], "int": [1, "1"], "number": [0.5, "0.5"], "size": [65536, "64KiB", "1.5 MiB"], "duration": ["1s", "none", "250 ms"], "string": ["x", 5, "${HOME}"],
        "secret": ["x", 5], "list": ["x", ["x", 2]], "map": [{"a": "b", "c": 1}], "group": [{}, None, {"x-any": 1}]}
BAD = {"bool": ["maybe", 3, {}], "int": ["x", 1.5, []], "number": ["x", {}], "size": ["x", "1s", -1, "1e3", []], "duration": ["x", 5, "1 parsec", {}], "string": [[], {"a": "b"}],
       "secret": [[], {"a": "b"}], "choice": ["nope", []], "list": [{"a": "b"}, [["x"]]], "map": ["x", {"a": []}], "group": ["x", [], {"nope": 1}]}
COMPLAINT = re.compile(r"error: .*?('[\w.-]+' must be|'[\w.-]+' is missing|an item of|in '\w+' must be|unknown option|here must stand|can not be read)")


class Schema(harness.Case):
    """What the schema says of a pipeline is what the binder says of it."""

    @classmethod
    def setUpClass(cls):
        cls.schema = json.loads(evpipe("--schema").stdout)

    def wrong(self, pipeline):
        return json_schema.errors(pipeline, self.schema, self.schema)

    def complaints(self, pipeline):
        """JSON is YAML."""
        (self.folder / "c.yaml").write_text(json.dumps(pipeline))
        result = evpipe("-c", "c.yaml", "--check", cwd=self.folder)
        self.assertIn(result.returncode, (0, 2))
        return COMPLAINT.findall(result.stderr)

    def test_of_the_standard(self):
        self.assertEqual(self.schema["$schema"], "https://json-schema.org/draft/2020-12/schema")
        try:
            import jsonschema
        except ImportError:
            self.skipTest("the Python package jsonschema is not installed; our own checker is all")
        jsonschema.Draft202012Validator.check_schema(self.schema)

    def test_recipes(self):
        recipes = sorted((harness.SOURCE / "config").glob("*.yaml"))
        self.assertGreaterEqual(len(recipes), 3)
        for recipe in recipes:
            with self.subTest(recipe.name):
                environment = {**os.environ, "EVENTLOG": "x", "INFLUX_URL": "http://x", "EVPIPE_COMMAND": "x", "EVPIPE_SINK": "./x.so"}
                as_json = subprocess.run([os.environ["TREE_TO_JSON"], str(recipe)], capture_output=True, text=True, timeout=60, env=environment)
                self.assertEqual(as_json.returncode, 0, as_json.stderr)
                self.assertEqual(self.wrong(json.loads(as_json.stdout)), [])

    def options(self, described):
        """Every option of a plugin and of the core: where it stands, what it is like, and what must stand beside it in its group."""
        def walk(options, path, beside):
            for option in options:
                yield path + [option["key"]], option, beside
                inner = option.get("options", [])
                yield from walk(inner, path + [option["key"]], self.required(inner))
        return walk(described["options"] + described["core_options"], [], {})

    @staticmethod
    def required(options):
        return {option["key"]: "x" for option in options if option["required"]}

    def values(self, option):
        """(value, whether it is good). A group is good with what is required in it, and without it is not."""
        good, bad = option["choices"] if option["type"] == "choice" else GOOD[option["type"]], BAD[option["type"]]
        if option["type"] == "group" and (needed := self.required(option["options"])):
            good, bad = [{**needed, **(value or {})} for value in good], [*bad, {}, None]
        return [(value, True) for value in good] + [(value, False) for value in bad]

    def pipeline(self, described):
        pipeline = {"sources": {"s": {"plugin": "file", "path": "x"}}, "filters": {"f": {"plugin": "heap", "from": "s"}}, "sinks": {"k": {"plugin": "print", "from": "f"}}}
        node = {"plugin": described["name"], **self.required(described["options"])}
        if described["kind"] != "source":
            node["from"] = "s" if described["takes"] == ["events"] else "f"
        pipeline[described["kind"] + "s"]["it"] = node
        return pipeline, node

    def test_agrees_with_the_binder(self):
        """Every option of every plugin; under a sanitizer each kind of option and value once."""
        tried, kinds = 0, set()
        for name in PLUGINS:
            described = json.loads(evpipe("--plugin", name, "--format", "json").stdout)
            base, _ = self.pipeline(described)
            self.assertEqual((self.wrong(base), self.complaints(base)), ([], []))
            for path, option, beside in self.options(described):
                if path == ["plugin"]:
                    continue
                for value, is_good in self.values(option):
                    if path in (["from"], ["signals"]) and is_good or path[-1] == "nope":
                        continue
                    kind = option["type"], len(path), repr(value)
                    if harness.PATIENCE > 1 and kind in kinds:
                        continue
                    kinds.add(kind)
                    pipeline, node = self.pipeline(described)
                    for key in path[:-1]:
                        node = node.setdefault(key, {})
                    node.update({**beside, path[-1]: value})
                    with self.subTest(plugin=name, option=".".join(path), value=value):
                        wrong, complaints = self.wrong(pipeline), self.complaints(pipeline)
                        self.assertEqual(not wrong, is_good, wrong)
                        self.assertTrue(is_good or complaints)
                        if is_good and path != ["pace"] and not re.search("0|batch|retry|timeout|initial|max", " ".join(path)):
                            self.assertEqual(complaints, [])
                    tried += 1
        self.assertGreater(tried, 300 if harness.PATIENCE == 1 else 80)

    def test_shape(self):
        good = {"sources": {"s": {"plugin": "file", "path": "x"}}, "sinks": {"k": {"plugin": "print", "from": "s"}}, "lanes": 2, "shutdown_timeout": "1s", "x-any": [1]}
        self.assertEqual((self.wrong(good), self.complaints(good)), ([], []))
        for change in (lambda p: p.update(nonsense=1), lambda p: p.update(lanes="many"), lambda p: p["sinks"]["k"].update(nonsense=1), lambda p: p["sinks"].update(k=3),
                       lambda p: p["sinks"]["k"].update(queue={"max_size": "x"}), lambda p: p.update(sinks=[1])):
            pipeline = copy.deepcopy(good)
            change(pipeline)
            self.assertTrue(self.wrong(pipeline))
            self.assertNotEqual(evpipe_status(self.folder, pipeline), 0)
        for change in (lambda p: p.pop("sinks"), lambda p: p["sinks"]["k"].pop("from"), lambda p: p["sinks"]["k"].pop("plugin"), lambda p: p["sources"]["s"].pop("path"),
                       lambda p: p["sinks"].update(Upper=p["sinks"]["k"]), lambda p: p["sinks"]["k"].update(plugin="nothing")):
            pipeline = copy.deepcopy(good)
            change(pipeline)
            self.assertTrue(self.wrong(pipeline))
            self.assertEqual(evpipe_status(self.folder, pipeline), 2)

    def test_plugin_by_path_may_have_any_option(self):
        pipeline = {"sources": {"s": {"plugin": "file", "path": "x"}}, "sinks": {"k": {"plugin": "./mine.so", "from": "s", "anything": [1]}}}
        self.assertEqual(self.wrong(pipeline), [])
        pipeline["sinks"]["k"]["queue"] = {"max_size": "much"}
        self.assertTrue(self.wrong(pipeline))


def evpipe_status(folder, pipeline):
    (folder / "c.yaml").write_text(json.dumps(pipeline))
    return evpipe("-c", "c.yaml", "--check", cwd=folder).returncode


UPDATE = "--update" in sys.argv
if __name__ == "__main__":
    sys.argv = [argument for argument in sys.argv if argument != "--update"]
    harness.main()
