#!/usr/bin/env python3
"""The pages, recipes, units, images and examples agree with each other and with the program: links, pipelines, commands, flags, paths, ports, names.

What is read: every text of those that git knows. A new kind of fact to compare is a function here; what is right comes from the
program (`--plugin`, `--help`, its sources) wherever it can, else from one table at the head.
"""
import functools
import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402

SOCKET = "/tmp/ghc-eventlog.sock"
VARIABLES = {"GHC_EVENTLOG_UNIX_PATH", "GHC_EVENTLOG_INET_HOST", "GHC_EVENTLOG_INET_PORT", "GHC_EVENTLOG_WAIT"}  # eventlog-socket's
OF_COMPOSE = {"GHC_EVENTLOG_TCP", "GHC_EVENTLOG_FOLDER"}  # of our own, in the compose files
# Ports that are named anywhere, and what answers there: the first word must be in the host, the key or the line.
PORTS = {8086: "influx|ur?lr?: ", 3000: "grafana", 9090: "prometheus", 9464: "prometheus|metrics|evpipe", 7464: "dashboard|page|evpipe", 5556: "zmq|tcp|subscriber", 4242: "tcp|INET"}
SERVERS = {"dashboard": 7464, "prometheus": 9464}  # sinks that listen, and where they must by default
PLACES = ("README.md", "CONTRIBUTING.md", "docs/", "plugins/", "config/", "dockerfiles/", "examples/", "scripts/demo")
SUFFIXES = (".md", ".yaml", ".yml", ".cabal", ".project", ".in", ".hs", ".1", ".json")
ENVIRONMENT = {"EVENTLOG": "x", "EVPIPE_COMMAND": "./my-app", "EVPIPE_SINK": str(harness.BUILD / "tests" / "e2e" / "count.so")}


@functools.cache
def tracked():
    listed = subprocess.run(["git", "-C", str(harness.SOURCE), "ls-files", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True, check=False).stdout.split()
    return [name for name in listed if (harness.SOURCE / name).is_file()] or harness.skip("not in a clone")


@functools.cache
def text_of(name):
    return (harness.SOURCE / name).read_text(encoding="utf-8", errors="replace")


def pages():
    return [name for name in tracked() if name.endswith(".md") and not name.startswith("tests/data")]


def texts():
    """Everything a user reads or runs."""
    return [name for name in tracked() if name.startswith(PLACES) and (name.endswith(SUFFIXES) or "ockerfile" in name or name == "scripts/demo") and "frozen" not in name]


def lines():
    """(place, line) of all texts."""
    for name in texts():
        for number, line in enumerate(text_of(name).splitlines(), 1):
            yield f"{name}:{number}", line


def blocks(page, *languages):
    """(first line's number, text) of the fenced blocks."""
    text = text_of(page)
    for match in re.finditer(r"^```([\w-]*)\n(.*?)^```", text, re.M | re.S):
        if match[1] in languages:
            yield text.count("\n", 0, match.start()) + 2, match[2]


def without_blocks(page):
    return re.sub(r"^```.*?^```", "", text_of(page), flags=re.M | re.S)


def evpipe(*words, **more):
    return subprocess.run([*harness.WRAPPER, harness.EVPIPE, *words], capture_output=True, text=True, timeout=60 * harness.PATIENCE, check=False, **more)


@functools.cache
def plugins():
    """{kind: {name: description}}"""
    found = {"source": {}, "filter": {}, "sink": {}}
    for kind, name in re.findall(r"^(source|filter|sink) +(\S+)", evpipe("--plugins").stdout, re.M):
        found[kind][name] = json.loads(evpipe("--plugin", f"{kind}/{name}", "--format", "json").stdout)
    return found


def plugin_names():
    return {name for of_kind in plugins().values() for name in of_kind}


class Docs(harness.Case):
    def all_of(self, what, found, wrong, least):
        """There were enough to look at, and none was wrong."""
        self.assertGreaterEqual(len(found), least, f"too few {what} were found: does the test still see them?")
        self.assertEqual(wrong, [], what)


class Links(Docs):
    @staticmethod
    @functools.cache
    def anchors(name):
        """As GitHub makes them of headings."""
        found = set()
        for heading in re.findall(r"^#+ +(.*?) *$", without_blocks(name), re.M):
            slug = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
            n = sum(1 for other in found if re.fullmatch(re.escape(slug) + r"(-\d+)?", other))
            found.add(f"{slug}-{n}" if slug in found else slug)
        return found

    @staticmethod
    def links(page):
        return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", without_blocks(page)))

    @staticmethod
    def target(page, link):
        path, _, anchor = link.partition("#")
        return (os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page), anchor

    def test_links_lead_somewhere(self):
        found, wrong = [], []
        for page in pages():
            for link in self.links(page):
                if re.match(r"[a-z]+:", link):
                    continue
                found.append(link)
                name, anchor = self.target(page, link)
                if not (harness.SOURCE / name).exists():
                    wrong.append(f"{page}: {link}: there is no such file")
                elif anchor and name.endswith(".md") and anchor not in self.anchors(name):
                    wrong.append(f"{page}: {link}: no such heading")
        self.all_of("links", found, wrong, 70)

    def test_every_page_is_reached(self):
        """From the README, by links."""
        reached, next_ones = set(), ["README.md"]
        while next_ones:
            page = next_ones.pop()
            reached.add(page)
            for link in self.links(page):
                name, _ = self.target(page, link)
                if not name.endswith(".md"):  # one who looks at a folder, or at a file in it, is shown its page
                    folder = harness.SOURCE / name
                    name = os.path.relpath((folder if folder.is_dir() else folder.parent) / "README.md", harness.SOURCE)
                if name.endswith(".md") and name not in reached and (harness.SOURCE / name).exists():
                    next_ones.append(name)
        wanted = [page for page in pages() if page.startswith(("docs/", "plugins/", "examples/", "config/", "dockerfiles/"))]
        self.all_of("pages that no link leads to", wanted, sorted(set(wanted) - reached), 20)

    def test_each_plugin_has_its_page(self):
        wanted = [f"plugins/{kind}s/{name}/README.md" for kind, names in plugins().items() for name in names]
        self.all_of("plugins without a page", wanted, [name for name in wanted if name not in tracked()], 13)


class Pipelines(Docs):
    def check(self, text):
        config = self.config(text, "c.yaml")
        environment = {name: "x" for name in re.findall(r"\$\{(\w+)", text)}
        for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", text):
            environment[name] = default
        result = evpipe("-c", str(config), "--check", env={**os.environ, **environment, **ENVIRONMENT})
        return result.returncode, result.stderr

    def as_json(self, text):
        config = self.config(text, "fragment.yaml")
        result = subprocess.run([os.environ["TREE_TO_JSON"], str(config)], capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **ENVIRONMENT})
        self.assertEqual(result.returncode, 0, result.stderr + text)
        return json.loads(result.stdout)

    def completed(self, text):
        """A fragment, with what it takes from and who takes from it."""
        tree = self.as_json(text)
        sources, filters, sinks = (tree.setdefault(section, {}) for section in ("sources", "filters", "sinks"))
        taken = set()
        for node in [*filters.values(), *sinks.values()]:
            froms = node.get("from", [])
            taken |= {froms} if isinstance(froms, str) else set(froms)
        for name in sorted(taken - set(sources) - set(filters)):
            if name in plugins()["filter"]:
                sources.setdefault("made-up", {"plugin": "file", "path": "x"})
                filters[name] = {"plugin": name, "from": "made-up"}
            else:
                sources[name] = {"plugin": "file", "path": "x"}
        if idle := sorted((set(sources) | set(filters)) - taken - {"made-up"}):
            sinks["made-up-sink"] = {"plugin": "print", "from": idle}
        return json.dumps(tree)

    def test_pipelines_of_the_pages(self):
        whole, parts, wrong = [], [], []
        for page in pages():
            for line, text in blocks(page, "yaml"):
                sections = set(re.findall(r"^(sources|filters|sinks):", text, re.M))
                if not sections:
                    continue
                of_own = re.sub(r"\./[\w-]+\.so\b", ENVIRONMENT["EVPIPE_SINK"], text)
                if {"sources", "sinks"} <= sections:
                    whole.append(page)
                    status, said = self.check(of_own)
                else:
                    parts.append(page)
                    status, said = self.check(self.completed(of_own))
                if status or "warning" in said:
                    wrong.append(f"{page}:{line}: {said}")
        self.all_of("pipelines in pages", whole, wrong, 8)
        self.assertGreaterEqual(len(parts), 5)

    def test_a_wrong_one_is_seen(self):
        self.assertEqual(self.check("sources: {a: {plugin: file, path: x}}\nsinks: {b: {plugin: print, from: a, formt: json}}\n")[0], 2)
        self.assertEqual(self.check(self.completed("sinks: {b: {plugin: print, from: heap, formt: json}}\n"))[0], 2)
        self.assertEqual(self.check(self.completed("sinks: {b: {plugin: print, from: heap, format: json}}\n")), (0, ""))

    def test_plugins_that_are_named(self):
        """In YAML of any kind, also in parts of a node; and in prose: source `socket`."""
        found, wrong = [], []
        for place, line in lines():
            for name in re.findall(r"(?:^|[\s{(`])plugin: ([a-z][\w-]*)(?=[,}`]|$| +#)", line):
                found.append(name)
                if name not in plugin_names() and name != "count":
                    wrong.append(f"{place}: plugin: {name}")
            for kind, name in re.findall(r"\b[Tt]he (source|filter|sink) `([a-z][a-z-]*)`", line):
                found.append(name)
                if name not in plugins()[kind] and name not in ("count",):
                    wrong.append(f"{place}: {kind} `{name}`")
        self.all_of("plugins that are named", found, wrong, 60)


class Commands(Docs):
    def words(self):
        """(place, the command) of shell blocks, of code in prose that starts with evpipe or scripts/, of comments in recipes."""
        for page in pages():
            for first, text in blocks(page, "sh", "console"):
                for number, line in enumerate(text.splitlines(), first):
                    yield f"{page}:{number}", line.split(" #")[0]
            for code in re.findall(r"`([^`\n]+)`", without_blocks(page)):
                if re.search(r"(^| )(evpipe|scripts/\w+)\b", code):
                    yield page, code
        for name in tracked():
            if re.match(r"config/.*\.yaml$", name):
                for number, line in enumerate(text_of(name).splitlines(), 1):
                    if line.startswith("#") and " evpipe " in line:
                        yield f"{name}:{number}", line

    def test_recipes_and_scripts_exist(self):
        recipes = {pathlib.Path(name).stem for name in tracked() if re.fullmatch(r"config/[\w-]+\.yaml", name)}
        found, wrong = [], []
        for place, line in self.words():
            for name in re.findall(r"\bevpipe (?:-c|--config) ([\w./-]+)", line):
                found.append(name)
                made_up = name in ("FILE", "pipeline.yaml", "x.yaml") or name.startswith("/etc/")
                if not made_up and name.removesuffix(".yaml") not in recipes and name not in tracked():
                    wrong.append(f"{place}: {name}: no such recipe")
            for name in re.findall(r"(?:^|[\s`/(])((?:scripts|tests|config|dockerfiles|examples|docs)/[\w./-]*\w)", line):
                found.append(name)
                if not (harness.SOURCE / name).exists():
                    wrong.append(f"{place}: {name}: no such file")
            for name in re.findall(r"--plugin (?:(?:source|filter|sink)/)?([a-z]\w+)\b(?!\.so)", line):
                if name not in plugin_names():
                    wrong.append(f"{place}: --plugin {name}")
        self.all_of("recipes and scripts", found, wrong, 30)

    def test_flags_of_evpipe(self):
        help_text = evpipe("--help").stdout + evpipe("ctl", "--help").stdout
        known = set(re.findall(r"--[a-z-]+", help_text)) | set(re.findall(r"(?<=[\s|[])-[a-z]\b", help_text))
        commands = set(re.findall(r"^  ([a-z][a-z-]*(?:, [a-z-]+)*)", evpipe("ctl", "--help").stdout, re.M))
        commands = {word for group in commands for word in group.split(", ")}
        found, wrong = [], []
        for place, line in self.words():
            for command in re.findall(r"\bevpipe ((?:[^|>#&'\"]|'[^']*'|\"[^\"]*\")*)", line):
                for flag in re.findall(r"(?:^|\s)(--?[a-z][a-z-]*)", re.split(r"\+RTS", command)[0]):
                    found.append(flag)
                    if flag not in known:
                        wrong.append(f"{place}: {flag}")
                asked = re.match(r"ctl (?:-s \S+ |\.\.\. )(?:--\w+ \w+ )*([a-z-]+)", command)
                if asked and asked[1] not in commands:
                    wrong.append(f"{place}: ctl {asked[1]}")
        self.all_of("flags of evpipe", found, wrong, 30)
        self.assertIn("census", commands)

    def test_manual_has_the_commands_of_ctl(self):
        manual = text_of("docs/evpipe.1")
        offered = re.findall(r"^  ([a-z][a-z-]*(?:, [a-z-]+)*)", evpipe("ctl", "--help").stdout, re.M)
        self.assertGreaterEqual(len(offered), 5)
        for group in offered:
            for command in group.split(", "):
                self.assertRegex(manual, rf"(?m)^\.It Cm ([a-z-]+ , )?{command}\b", command)

    def test_manual_has_the_environment(self):
        """Variables that the program and its plugins look at, but for those that other libraries look at."""
        sources = [name for name in tracked() if re.match(r"(core|plugins)/.*\.[ch]$", name)]
        read = {name for source in sources for name in re.findall(r"getenv\(\"(\w+)\"\)", text_of(source))}
        self.assertIn("NOTIFY_SOCKET", read)
        manual = set(re.findall(r"^\.It Ev (\w+)", text_of("docs/evpipe.1"), re.M))
        terminal = {"TERM", "COLUMNS", "LINES", "LC_ALL", "LC_CTYPE", "LANG", "PATH"}
        self.assertEqual(read - manual - terminal, set())

    def test_readme_has_every_recipe(self):
        recipes = {pathlib.Path(name).stem for name in tracked() if re.fullmatch(r"config/[\w-]+\.yaml", name)}
        self.assertGreaterEqual(len(recipes), 8)
        self.assertEqual({f"evpipe -c {recipe}" for recipe in recipes if f"evpipe -c {recipe}`" not in text_of("README.md") and f"scripts/{recipe}" not in text_of("README.md")}, set(),
                         "recipes that the README's table does not have")


class Defaults(Docs):
    def test_the_socket(self):
        found, wrong = [], []
        for place, line in lines():
            for path in re.findall(r"(?:/[\w.-]+)*/[\w-]*ghc[-_]eventlog[\w-]*\.sock", line):
                found.append(path)
                inside_a_container = path.startswith("/run/") and path.endswith("/" + pathlib.Path(SOCKET).name)
                if path not in (SOCKET, "/tmp/ghc-eventlog-relay.sock") and not inside_a_container:
                    wrong.append(f"{place}: {path}")
        self.all_of("paths of the program's socket", found, wrong, 15)

    def test_variables_have_one_default(self):
        seen, found = {}, []
        for place, line in lines():
            for name, default in re.findall(r"\$\{([A-Z]\w+):?-([^}$]+)\}", line):
                if name not in ("NAME", "RECORDINGS", "SERVICE"):
                    found.append(name)
                    seen.setdefault(name, {}).setdefault(default, place)
        several = {name: defaults for name, defaults in seen.items() if len(defaults) > 1}
        self.all_of("variables with several defaults", found, [f"{name}: {defaults}" for name, defaults in several.items()], 15)
        self.assertEqual(list(seen["GHC_EVENTLOG_UNIX_PATH"]), [SOCKET])

    def test_variables_of_eventlog_socket(self):
        found, wrong = [], []
        for place, line in lines():
            for name in re.findall(r"\bGHC_EVENTLOG_\w+", line):
                found.append(name)
                if name not in VARIABLES | OF_COMPOSE:
                    wrong.append(f"{place}: {name}")
        self.all_of("variables of eventlog-socket", found, wrong, 20)
        self.assertEqual(set(found) - OF_COMPOSE, VARIABLES)

    def test_variables_of_evpipe(self):
        """One that a page names is one that a recipe, an image, a script or the program takes."""
        takers = [name for name in tracked() if re.match(r"(core|plugins|config|dockerfiles|scripts|examples)/", name) and not name.endswith(".md")]
        taken = {variable for name in takers for variable in re.findall(r"\bEVPIPE_\w+", text_of(name))}
        found, wrong = [], []
        for place, line in lines():
            if ".md:" in place:
                for name in re.findall(r"\bEVPIPE_[A-Z_]+\b", line):
                    found.append(name)
                    if name not in taken and "tests" not in line and not place.startswith("CONTRIBUTING.md"):
                        wrong.append(f"{place}: {name}")
        self.all_of("variables of evpipe", found, wrong, 5)

    def test_ports(self):
        found, wrong = [], []
        for place, line in lines():
            if place.endswith(".json") or place.startswith("examples/"):
                continue
            for port in re.findall(r"(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0|host\.docker\.internal|influxdb|grafana|prometheus|evpipe|oddball):(\d{2,5})\b", line):
                found.append(port)
                if int(port) not in PORTS:
                    wrong.append(f"{place}: port {port}; if it is right, add it to PORTS")
                elif not place.startswith("dockerfiles/docker-compose") and not re.search(PORTS[int(port)], line, re.I) and not re.search(PORTS[int(port)], place, re.I):
                    wrong.append(f"{place}: port {port} stands for {PORTS[int(port)]}: {line.strip()}")
        self.all_of("ports", found, wrong, 15)

    def test_servers_listen_where_the_pages_say(self):
        for name, port in SERVERS.items():
            if name in plugins()["sink"]:
                options = {option["key"]: option for option in plugins()["sink"][name]["options"]}
                self.assertEqual(options["listen"]["default"], f"127.0.0.1:{port}")

    def test_metrics_that_are_named(self):
        known = set(re.findall(r"`((?:ghc|evpipe|process)_\w+)`", text_of("docs/metrics.md")))
        self.assertGreater(len(known), 30)
        found, wrong = [], []
        for place, line in lines():
            if place.startswith("docs/events.md"):
                continue
            for name in re.findall(r"(?<![\w/.-])(?:ghc|evpipe)_[a-z]+_[a-z_]+[a-z](?![\w(*]|\.[a-z])", line):
                found.append(name)
                if re.sub(r"_(bucket|count|sum)$", "", name) not in known and not name.startswith(("ghc_eventlog_",)):
                    wrong.append(f"{place}: {name}")
        self.all_of("metrics", found, wrong, 30)


class Flags(Docs):
    """Flags of GHC's run-time system: each that is written anywhere is explained in docs/your-program.md."""

    PAGE = "docs/your-program.md"

    def runs(self):
        """(place, flags) after +RTS, or within -with-rtsopts."""
        for place, line in lines():
            for flags in re.findall(r"(?:\+RTS |-with-rtsopts=\"?|GHCRTS[=:] *\"?)(-[^`\"'\n]*)", line):
                flags = re.split(r" -RTS|[,;.)](?:\s|$)|\s[a-z(]|\s#|\.\.\.|[…]", flags)[0]
                yield place, [flag for flag in flags.split() if flag.startswith("-")]

    def test_each_is_explained(self):
        explained = set(re.findall(r"(?<![\w-])-{1,2}[A-Za-z][\w/=-]*", " ".join(re.findall(r"`([^`\n]+)`", without_blocks(self.PAGE)))))
        found, wrong = [], []
        for place, flags in self.runs():
            for flag in flags:
                found.append(flag)
                general = re.sub(r"^-i[\d.]+$", "-i1", re.sub(r"^-ol.*$", "-ol/dev/null", re.sub(r"^-po.*$", "-po/dev/null", re.sub(r"(interval)=[\d.]+", r"\1=1", flag))))
                if general not in explained and not re.fullmatch(r"-N\d*|-T|-h", flag):
                    wrong.append(f"{place}: {flag}")
        self.all_of("flags of the run-time system", found, wrong, 20)

    def test_a_live_heap_needs_all_of_them(self):
        """Who shows how a program with a socket is run for its heap shows all that it takes, and not the flag that silences it."""
        found, wrong = [], []
        for place, flags in self.runs():
            words = " ".join(flags)
            if "-l" not in flags or not re.search(r"-h[Tcmdyrbie]\b", words) or "-ol" in words:
                continue
            found.append(words)
            if place.startswith(("plugins/sources/exec", "config/exec", "docs/writing", "plugins/filters/heap", self.PAGE)) or "record" in place:
                continue  # a program that is started, or a recording; the page that explains them
            interval = r"[\d.]+" if place.startswith("scripts/demo") else "1"  # there nobody is to wait
            if not re.search(rf"--eventlog-flush-interval={interval}(?![\d.])", words) or "--no-automatic-heap-samples" in words:
                wrong.append(f"{place}: {words}")
        self.all_of("ways to run a program", found, wrong, 5)

    def test_the_page_agrees_with_itself(self):
        page = text_of(self.PAGE)
        whole = re.findall(r"-l -hT -i1 --eventlog-flush-interval=1", page)
        self.assertGreaterEqual(len(whole), 1)
        for breakdown in "TicmdyrbeH"[:-1]:
            self.assertRegex(page, rf"(?m)^\| `-h{breakdown}` \|")
        for variable in VARIABLES:
            self.assertIn(f"`{variable}`", page)

    def test_what_evpipe_says(self):
        """The words that the page quotes are in the sources, with numbers and the system's own words left open."""
        table = re.search(r"\| evpipe says \| do \|\n\|---\|---\|\n((?:\|.*\n)+)", text_of(self.PAGE))[1]
        quoted = re.findall(r"^\| `([^`]+)` \|", table, re.M)
        self.assertGreaterEqual(len(quoted), 6)
        sources = " ".join(text_of(name) for name in tracked() if re.match(r"(core/engine|plugins/sources)/.*\.c$", name))
        sources = re.sub(r"\"\s*\n\s*\"", "", sources)
        for words in quoted:
            if words != "Permission denied":  # strerror's
                self.assertIn(re.sub(r"\b10\b", "%llu", words), sources)

    def test_the_dependency(self):
        page = text_of(self.PAGE)
        self.assertIn("1acb92ff60f4bbc87815466f904366ea5078ed9a", page)
        tags = {(name, tag) for name in texts() for tag in re.findall(r"tag: +([0-9a-f]{40})", text_of(name))}
        self.assertEqual({tag for _, tag in tags}, {"1acb92ff60f4bbc87815466f904366ea5078ed9a"})


if __name__ == "__main__":
    harness.main()
