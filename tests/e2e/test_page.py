#!/usr/bin/env python3
"""The dashboard's page as people use it: a real evpipe, a real browser without a window.

What the page shows is read from its tables and from `window.evpipe.view`: what is on the screen, as plain arrays (page.js)."""
import collections
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request

import harness
import browser
import eventlog
import eventlog_writer
import programs

WEB = harness.SOURCE / "plugins" / "sinks" / "dashboard" / "web"
HAS_GC = any(pathlib.Path(folder, "filter-gc.so").exists() for folder in os.environ["EVPIPE_PLUGIN_PATH"].split(":"))
GC = "gc: {plugin: gc, from: app}" if HAS_GC else ""
PIPELINE = """
    sources:
      app: {{{source}}}
    filters:
      heap: {{plugin: heap, from: app}}
      logs: {{plugin: logs, from: app}}
      {gc}
    sinks:
      page: {{plugin: dashboard, from: [app, heap, logs{from_gc}], listen: "127.0.0.1:{port}", history: never{more}}}
"""
LOADED = "evpipe.view.census.time.length > 0 && !evpipe.view.loading"


def pipeline(source, port=0, more=""):
    return PIPELINE.format(source=source, port=port, more=more, gc=GC, from_gc=", gc" if HAS_GC else "")


class PageCase(harness.Case):
    """One browser for all the tests of a class; each visitor has a context of his own."""

    @classmethod
    def setUpClass(cls):
        if not browser.find():
            harness.skip("chromium is not installed")
        cls.browser = browser.Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()

    def setUp(self):
        super().setUp()
        self.pages = []
        self.served = []
        self.expected_problems = ""  # a pattern: what the console may complain of

    def tearDown(self):
        """Nobody complained, and nothing was fetched from anywhere else."""
        self.browser.drain()
        for page in self.pages:
            problems = [problem for problem in page.problems if not (self.expected_problems and re.search(self.expected_problems, problem))]
            self.assertEqual(problems, [])
            origin = self.origin + "/"
            self.assertEqual([url for url in page.requests if not url.startswith(origin) and not url.startswith("data:")], [])
            page.close()
        for process in self.served:
            if process.running():
                self.assertEqual(process.stop(), 0, process.err())
                self.check_sound(process)

    def serve(self, text, name="evpipe", **more):
        process = self.evpipe(text, name=name, **more)
        self.served.append(process)
        port = self.wait_err(process, r"http://127\.0\.0\.1:(\d+)").group(1)
        self.origin = f"http://127.0.0.1:{port}"
        return process

    def look(self, log=harness.OWN_LOG, **more):
        """A recording, read at once, and served until the test is over."""
        return self.serve(pipeline(f'plugin: file, path: "{log}"', more=", stay: true"), **more)

    def visit(self, until=LOADED, **more):
        page = self.browser.open(self.origin + "/", **more)
        self.pages.append(page)
        page.wait("window.evpipe && " + until)
        return page

    def view(self, page):
        return page.value("evpipe.view")

    def range_all(self, page):
        page.value("evpipe.page.setRange(null)")
        page.wait(LOADED)


# ------------------------------------------------------------------------------------------------------------ a recording


class Recording(PageCase):
    def printed(self, log):
        """What `print` says of the same log, by metric: [(time in seconds, labels, value)]; and the logs."""
        status, out, err = self.run_evpipe(f"""
            sources:
              app: {{plugin: file, path: "{log}"}}
            filters:
              heap: {{plugin: heap, from: app}}
              logs: {{plugin: logs, from: app}}
              {GC}
            sinks:
              out: {{plugin: print, from: [heap, logs{", gc" if HAS_GC else ""}], format: json}}
            """, name="print")
        self.assertEqual(status, 0, err)
        found, logs = collections.defaultdict(list), []
        for item in harness.json_lines(out):
            if "message" in item:
                logs.append(item)
            else:
                found[item["name"]].append((item["time"] / 1e9, item["labels"], item.get("value")))
        return found, logs

    def test_numbers(self):
        """Every band of every census, sizes, totals: as `print` has them."""
        printed, logs = self.printed(harness.OWN_LOG)
        self.look()
        page = self.visit()
        self.range_all(page)
        page.choose("#top", "500")
        page.wait("evpipe.view.census.hidden === 0 && " + LOADED)
        view = self.view(page)
        self.check_census(printed, view)
        self.check_gauges(printed, view)
        self.check_legend(page, view)
        self.assertEqual(view["logs"], min(500, len(logs)))
        classes = view["events"]["classes"]
        self.assertGreater(classes["gc"][-1], 100)
        self.assertGreater(classes["messages"][-1], 100)

    def check_census(self, printed, view):
        censuses = collections.defaultdict(dict)
        taken_back = max(time for time, _, _ in printed["ghc_heap_profiled_bytes"])
        for moment, labels, value in printed["ghc_heap_census_bytes"]:
            censuses[round(moment, 5)][labels["band"]] = value
        totals = {round(moment, 5): value for moment, _, value in printed["ghc_heap_profiled_bytes"] if moment < taken_back or value}
        shown = view["census"]
        self.assertEqual(shown["breakdown"], "closure_type")
        self.assertGreater(len(totals), 10)
        self.assertEqual({round(moment, 5): total for moment, total in zip(shown["time"], shown["total"])}, totals)
        for at, moment in enumerate(shown["time"]):
            bands = {band["name"]: band["values"][at] for band in shown["bands"] if band["values"][at]}
            self.assertEqual(bands, {name: value for name, value in censuses[round(moment, 5)].items() if value}, f"census at {moment}")

    def check_gauges(self, printed, view):
        """Every value that the page has was measured; of each column it is the largest, so that the largest of all is there, too."""
        for name, cell in (("size", "ghc_heap_size_bytes"), ("live", "ghc_heap_live_bytes"), ("blocks", "ghc_heap_blocks_bytes")):
            measured = [value for _, _, value in printed[cell]]
            shown = [value for value in view["heap"][name] if value]
            self.assertGreater(len(set(shown)), 10)
            self.assertLessEqual(set(shown), set(measured), name)
            self.assertEqual(max(shown), max(measured), name)
            self.assertIn(shown[-1], [value for moment, _, value in printed[cell] if moment >= view["last"] - 0.3], name)
        allocated = {}
        for _, labels, value in printed["ghc_heap_allocated_bytes_total"]:
            allocated[labels["capability"]] = value
        self.assertEqual(view["allocated"]["bytes"][-1], sum(allocated.values()))
        if HAS_GC:
            last = {labels["generation"]: value for _, labels, value in printed["ghc_gc_total"]}
            shown = {str(one["generation"]): sum(one["collections"]) for one in view["pauses"]}
            self.assertEqual(shown, {generation: value for generation, value in last.items() if value})

    def check_legend(self, page, view):
        """The table tells what is drawn: the last census, and what part of it each band is."""
        rows = page.value("[...document.querySelectorAll('#bands-rows tr')].map((row) => [row.querySelector('.name .main').textContent, row.cells[1].textContent, row.cells[2].textContent])")
        names = [band["name"].rsplit(".", 1)[-1] if re.match(r"[\w.-]+:[A-Z]", band["name"]) else band["name"] for band in view["census"]["bands"]]
        self.assertEqual(len(rows), len(names))
        total = view["census"]["total"][-1]
        for (shown, value, share), name, band in zip(rows, names, view["census"]["bands"]):
            last = band["values"][-1]
            self.assertTrue(name.endswith(shown) or shown.endswith(name), (shown, name))
            self.assertTrue(close(value, last), (value, last))
            self.assertEqual(share, "0.0 %" if not last else "<0.1 %" if last / total < 0.001 else f"{100 * last / total:.1f} %")

    def test_search_top_and_pin(self):
        self.look()
        page = self.visit()
        self.range_all(page)
        for top in (5, 10):
            page.choose("#top", top)
            page.wait(f"evpipe.view.census.bands.length === {top} && " + LOADED)
            self.assertIn(f"{top} of ", page.text("#bands-foot"))
        whole, shown = page.value("[evpipe.view.census.total, evpipe.view.census.bands.map((band) => band.values)]")
        self.assertTrue(all(sum(values[at] for values in shown) <= total for at, total in enumerate(whole)))
        self.assertIn("all others", page.text("#bands-rows"))

        page.click("#band-search")
        page.type("mut_arr")
        page.wait("document.querySelectorAll('#search-results li').length > 0")
        found = page.value("[...document.querySelectorAll('#search-results .main')].map((name) => name.textContent)")
        self.assertTrue(all("MUT_ARR" in name for name in found), found)
        hidden = page.value("""(() => { const shown = new Set(evpipe.view.census.bands.map((band) => String(band.id)));
                                return [...document.querySelectorAll("#search-results li")].find((line) => !shown.has(line.dataset.band)).dataset.band; })()""")
        page.click(f"#search-results li[data-band='{hidden}'] .pin")
        page.wait(f"evpipe.view.census.bands.length === 11 && evpipe.view.census.bands.at(-1).id === {hidden}")
        page.key("Escape")
        page.wait("!document.getElementById('bands-table').hidden")
        self.assertEqual(page.value(f"document.querySelector(\"#bands-rows tr[data-band='{hidden}'] .pin\").getAttribute('aria-pressed')"), "true")
        page.click(f"#bands-rows tr[data-band='{hidden}'] .pin")
        page.wait("evpipe.view.census.bands.length === 10")
        page.click("#band-search")
        page.type("no such band <b>")
        page.wait("/No band/.test(document.getElementById('search-results').textContent)")
        self.assertIn("no such band <b>", page.text(".results-note"))

    def test_the_pins_are_one_stop(self):
        """Of the Tab key; up and down go from one to the next, also when other bands are shown then."""
        self.look()
        page = self.visit()
        self.range_all(page)
        focused = "document.activeElement.closest('tr, li')?.dataset.band"
        stops = "[...document.querySelectorAll('#bands-rows .pin')].filter((pin) => pin.tabIndex === 0).map((pin) => pin.closest('tr').dataset.band)"
        bands = page.value("[...document.querySelectorAll('#bands-rows tr')].filter((line) => line.querySelector('.pin')).map((line) => line.dataset.band)")
        self.assertGreater(len(bands), 10)
        self.assertEqual(page.value(stops), bands[:1])
        page.value("document.getElementById('top').focus()")
        page.key("Tab")
        self.assertEqual(page.value(focused), bands[0])
        for key, at in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("End", -1), ("ArrowDown", -1), ("Home", 0), ("ArrowUp", 0), ("ArrowDown", 1)):
            page.key(key)
            self.assertEqual((page.value(focused), page.value(stops)), (bands[at], [bands[at]]), key)
        self.assertTrue(page.value("document.activeElement.closest('tr').classList.contains('lit')"))
        page.key(" ", text=" ")
        page.wait(f"evpipe.page.pins.has({bands[1]}) && {LOADED}")
        self.assertEqual((page.value(focused), page.value(stops)), (bands[1], [bands[1]]))
        page.key("Tab")
        self.assertIsNone(page.value("document.activeElement.closest('.legend-scroll')"), "the next stop is behind the legend")
        page.choose("#top", 5)
        page.wait("evpipe.view.census.bands.length === 5 && " + LOADED)
        self.assertEqual(page.value(stops), [bands[1]])
        page.click("#band-search")
        page.type("mut")
        page.wait("document.querySelectorAll('#search-results li').length > 1")
        self.assertEqual(page.value("[...document.querySelectorAll('#search-results .pin')].map((pin) => pin.tabIndex).sort().slice(-2)"), [-1, 0])

    def test_zoom_range_pause_keys_theme(self):
        self.look()
        page = self.visit()
        self.range_all(page)
        whole = self.view(page)
        self.assertAlmostEqual(whole["from"], whole["first"], places=3)
        page.drag("#bands-chart .u-over", 0.25, 0.5)
        page.wait("!evpipe.view.following && " + LOADED)
        part = self.view(page)
        length = whole["to"] - whole["from"]
        self.assertAlmostEqual((part["from"] - whole["from"]) / length, 0.25, delta=0.02)
        self.assertAlmostEqual((part["to"] - whole["from"]) / length, 0.5, delta=0.02)
        self.assertLess(part["step"], whole["step"] / 3)
        self.assertTrue(all(part["from"] - part["step"] <= moment <= part["to"] + part["step"] for moment in part["census"]["time"]))
        page.drag("#heap-chart .u-over", 0.2, 0.8)
        page.wait(f"evpipe.view.to - evpipe.view.from < {0.7 * (part['to'] - part['from'])} && !evpipe.view.loading")
        for _ in range(2):
            page.click("#back")
        page.wait("evpipe.view.following && " + LOADED)
        self.assertTrue(page.value("document.getElementById('back').disabled"))
        self.assertAlmostEqual(self.view(page)["to"], whole["to"], places=3)

        page.value("document.activeElement.blur()")
        page.key("+")
        page.wait("!evpipe.view.following && " + LOADED)
        zoomed = self.view(page)
        self.assertAlmostEqual(zoomed["to"] - zoomed["from"], length / 2, delta=length / 50)
        page.key("ArrowLeft")
        page.wait(f"evpipe.view.from < {zoomed['from']} && !evpipe.view.loading")
        page.key("b")
        page.key("b")
        page.wait("evpipe.view.following && " + LOADED)
        page.key("1")
        page.wait("document.querySelector('#ranges [data-range=\"60\"]').getAttribute('aria-pressed') === 'true'")
        page.click("#pause")
        page.wait("!evpipe.view.following")
        self.assertEqual(page.text("#pause"), "Follow")
        page.click("#pause")
        page.wait("evpipe.view.following && " + LOADED)
        page.key("?")
        page.wait("document.getElementById('help').open")
        self.assertIn("search the bands", page.text("#help"))
        page.key("Escape")
        page.wait("!document.getElementById('help').open")
        page.key("/")
        page.wait("document.activeElement.id === 'band-search'")
        self.check_theme(page)

    def check_theme(self, page):
        surface = "getComputedStyle(document.querySelector('.panel')).backgroundColor"
        light = page.value(surface)
        page.scheme("dark")
        dark = page.wait(f"(({surface}) !== '{light}') && ({surface})")
        page.click("#theme")  # light
        page.wait(f"({surface}) === '{light}'")
        page.click("#theme")  # dark
        page.wait(f"({surface}) === '{dark}'")
        page.reload()
        page.wait(f"window.evpipe && ({surface}) === '{dark}' && " + LOADED, what="the choice holds over a reload")

    def test_playback(self):
        self.look()
        page = self.visit()
        self.range_all(page)
        self.assertEqual(page.value("evpipe.page.playback.until"), None, "all at once")
        for value, text in ((0, "1×"), (30, "1000×"), (10, "10×")):
            page.value(f"(() => {{ const pace = document.getElementById('pace'); pace.value = {value}; pace.dispatchEvent(new Event('input')); }})()")
            self.assertEqual(page.text("#pace-text"), text)
        last = page.text("#bands-readout")
        page.value("(() => { const scrubber = document.getElementById('scrubber'); scrubber.value = 500; scrubber.dispatchEvent(new Event('input')); })()")
        then = page.wait(f"(() => {{ const text = document.getElementById('bands-readout').textContent; return text !== {last!r} && text; }})()")
        view = self.view(page)
        middle = (view["from"] + view["to"]) / 2
        at = max(at for at, moment in enumerate(view["census"]["time"]) if moment <= middle)
        self.assertTrue(close(then.split(" at ")[0], view["census"]["total"][at]), (then, view["census"]["total"][at]))
        page.value("document.activeElement.blur()")
        page.key(" ")
        page.wait(f"evpipe.page.playback.head > {middle} + 0.5", what="it plays")
        page.click("#play")
        page.wait("!evpipe.page.playback.playing")
        page.click("#all-at-once")
        page.wait(f"document.getElementById('bands-readout').textContent === {last!r}")

    def test_a_recording_without_censuses(self):
        """Nothing comes any more: neither is it "not yet", nor is the source away. Of a day that is not today one is told the day."""
        self.look(harness.DATA / "par-966-N3-qg.eventlog")
        page = self.visit("evpipe.view.heap.time.length > 0 && !evpipe.page.program.live")
        self.assertRegex(page.text("#bands-empty"), r"No census\. Run the program with \+RTS -l -hT")
        self.assertEqual(page.text("#state"), "cut off")
        self.assertRegex(page.text("#facts"), r"20\d\d-\d\d-\d\d$")
        page.wait("/source · read/.test(document.getElementById('health-rows').textContent)")
        self.assertNotIn("not connected", page.text("#health-rows"))
        labels = page.value("evpipe.page.bands.chart.plot.axes[0]._values")
        self.assertTrue(all(not label or re.fullmatch(r"\d\d:\d\d:\d\d\.\d+", label) for label in labels) and any(labels), labels)

    def test_what_is_grey(self):
        self.look()
        page = self.visit()
        page.value("evpipe.page.setTop(5)")
        page.wait(f"{LOADED} && evpipe.view.census.bands.length === 5")
        self.assertRegex(page.text("#bands-foot"), r"^5 of \d+ bands, by their peak; grey: all others, [\d.]+ [KMG]?i?B$")
        page.value("evpipe.page.setTop(500)")
        page.wait("/^(\\d+) of \\1 bands, by their peak$/.test(document.getElementById('bands-foot').textContent)")

    def test_hover_tells_of_one_band(self):
        self.look()
        page = self.visit()
        self.range_all(page)
        page.move("#bands-chart .u-over", 0.6, 0.95)
        lit = page.wait("document.querySelector('#bands-rows tr.lit .main')?.textContent")
        self.assertEqual(lit, page.value("document.querySelector('#bands-rows tr .main').textContent"), "the largest lies at the bottom")
        view = self.view(page)
        there = view["from"] + 0.6 * (view["to"] - view["from"])
        at = min(range(len(view["census"]["time"])), key=lambda at: abs(view["census"]["time"][at] - there))
        value = page.value("document.querySelector('#bands-rows tr.lit').cells[1].textContent")
        self.assertTrue(close(value, view["census"]["bands"][0]["values"][at]), value)
        self.assertIn("at ", page.text("#heap-readout"))
        page.value("document.getElementById('heap-chart').focus()")
        before = page.text("#heap-readout")
        for _ in range(4):
            page.key("ArrowLeft")
        page.wait(f"document.getElementById('heap-readout').textContent !== {before!r}", what="keys move the crosshair")
        self.assertTrue(page.value("evpipe.view.following"), "and nothing else")

    def test_log_filter(self):
        self.look()
        page = self.visit()
        self.range_all(page)
        page.wait("document.querySelectorAll('#log li').length > 10")
        page.click("#log-kinds [data-kind='message']")
        page.click("#log-kinds [data-kind='label']")
        page.wait("[...document.querySelectorAll('#log li')].every((line) => line.dataset.kind === 'marker')")
        some = page.value("document.querySelector('#log .body').textContent")
        page.click("#log-filter")
        page.type(some)
        page.wait(f"[...document.querySelectorAll('#log .body')].every((body) => body.textContent.includes({some!r}))")
        page.type("nothing has this")
        page.wait("/matches/.test(document.getElementById('log-empty').textContent) && !document.getElementById('log-empty').hidden")

    def test_what_a_program_says_is_text(self):
        """Names and messages that would be markup, were they taken for it."""
        log = eventlog_writer.Log()
        log.init(7)  # closure type
        hostile = "<img src=x onerror=alert(1)>"
        log.add(eventlog_writer.USER_MARKER, eventlog_writer.string("<script>alert(2)</script>"), 10**8)
        log.add(eventlog_writer.USER_MESSAGE, eventlog_writer.string("\u202eleft <b>bold</b>\n\ttab"), 2 * 10**8)
        for moment in (3, 4):
            log.census(moment * 10**8, [(hostile, 1000), ("a;<b>b</b>;<i>c", 500)])
        path = self.folder / "hostile.eventlog"
        path.write_bytes(log.data())
        self.look(path)
        page = self.visit()
        page.wait("document.querySelectorAll('#bands-rows tr').length === 2 && document.querySelectorAll('#log li').length === 2")
        self.assertEqual(page.value("document.querySelectorAll('main img, main script, main b, main i').length"), 0)
        self.assertIn(hostile, page.text("#bands-rows"))
        self.assertIn("<script>alert(2)</script>", page.text("#log"))

    def test_two_kinds_of_census(self):
        log = eventlog_writer.Log()
        log.init(7)
        log.census(10**8, [("THUNK", 1000), ("ARR_WORDS", 500)])
        log.profile(2)
        log.census(2 * 10**8, [("Main", 300), ("Data.Map", 200), ("GHC.Base", 100)])
        path = self.folder / "kinds.eventlog"
        path.write_bytes(log.data())
        self.look(path)
        page = self.visit()
        page.wait("!document.getElementById('breakdown').hidden")
        for kind, bands in (("closure_type", ["THUNK", "ARR_WORDS"]), ("module", ["Main", "Data.Map", "GHC.Base"])):
            page.choose("#breakdown", kind)
            page.wait(f"evpipe.view.census.breakdown === {kind!r} && {LOADED}")
            self.assertEqual([band["name"] for band in self.view(page)["census"]["bands"]], bands)

    def test_buttons_that_do_nothing_say_why(self):
        self.look()
        page = self.visit()
        self.assertIn("recording", page.text("#control-reason").lower())
        for command in ("census", "start-heap", "stop-heap"):
            self.assertEqual(page.value(f"document.querySelector('[data-command={command}]').getAttribute('aria-disabled')"), "true")
        page.click("[data-command=census]")
        self.browser.drain()
        self.assertFalse([url for url in page.requests if "api/control" in url])

    def test_names_for_all_who_can_not_see(self):
        self.look()
        page = self.visit()
        nodes = page.tree()
        controls = {"button", "combobox", "searchbox", "slider", "textbox", "link", "checkbox", "table", "region", "group", "dialog"}
        unnamed = [role for role, name in nodes if role in controls and not name.strip()]
        self.assertEqual(unnamed, [])
        names = [name for _, name in nodes]
        for wanted in ("Program", "Search all bands", "Range of time", "Place in the recording", "Heap profiling of the program"):
            self.assertIn(wanted, names)
        self.assertGreaterEqual(len([1 for role, _ in nodes if role == "table"]), 5, "values as text")
        # From the first control on every one can be reached, and it shows.
        page.value("document.activeElement.blur()")
        reached = []
        for _ in range(14):
            page.key("Tab")
            reached.append(page.value("[document.activeElement.id || document.activeElement.textContent, getComputedStyle(document.activeElement).outlineStyle]"))
        self.assertTrue(all(outline != "none" for _, outline in reached), reached)
        self.assertTrue({"program", "pause", "theme"} <= {name for name, _ in reached}, reached)

    def test_contrast(self):
        """At least 4.5 to 1 for text, in light and in dark."""
        self.look()
        page = self.visit()
        pairs = [("text", "surface"), ("text", "page"), ("text-soft", "surface"), ("text-soft", "page"), ("text-soft", "grid"), ("accent", "accent-soft"), ("accent", "surface"),
                 ("good", "good-soft"), ("bad", "bad-soft"), ("bad", "surface"), ("marker", "surface"), ("text", "accent-soft"), ("text-soft", "accent-soft"), ("text", "raised")]
        for scheme in ("light", "dark"):
            page.scheme(scheme)
            names = sorted({name for pair in pairs for name in pair})
            colours = page.value("import('./assets/theme.js').then((theme) => Object.fromEntries(" + str(names) + ".map((name) => [name, theme.colour(name)])))")
            for text, behind in pairs:
                self.assertGreaterEqual(contrast(colours[text], colours[behind]), 4.5, f"{scheme}: {text} on {behind}")

    def test_narrow_and_wide(self):
        self.look()
        for width, height in ((320, 700), (390, 844), (768, 1024), (2560, 1300)):
            page = self.visit(width=width, height=height)
            page.wait("document.querySelectorAll('#bands-rows tr').length > 3 && document.querySelectorAll('#health-rows tr').length > 0")
            self.assertEqual(page.value("[innerWidth, document.documentElement.scrollWidth]"), [width, width], f"no scrolling sideways at {width}")
            cut = page.value("""[...document.querySelectorAll("button, h2, select, input")].filter((element) => { const box = element.getBoundingClientRect();
                                return box.width && (box.right > innerWidth + 0.5 || box.left < -0.5); }).map((element) => element.id || element.textContent)""")
            self.assertEqual(cut, [], f"at {width}")
            # A band's name and its pin are on one line.
            middles = page.value("""[...document.querySelectorAll("#bands-rows tr")].filter((line) => line.querySelector(".pin")).map((line) => {
                                    const [name, pin] = [".name", ".pin"].map((what) => line.querySelector(what).getBoundingClientRect());
                                    return Math.abs((name.top + name.bottom) / 2 - (pin.top + pin.bottom) / 2); })""")
            self.assertLess(max(middles), 2, f"at {width}")
            page.close()
            self.pages.remove(page)

    def test_nothing_is_drawn_while_hidden(self):
        self.look()
        page = self.visit()
        page.value("Object.defineProperty(document, 'hidden', {get: () => true, configurable: true})")
        before = page.value("evpipe.view.redraws")
        page.value("(() => { for (let at = 0; at < 5; at++) evpipe.page.draw(); evpipe.page.drawNow(); })()")
        self.assertEqual(page.value("evpipe.view.redraws"), before)


UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def close(text, value):
    """"1.23 MiB" is what is written of that many bytes."""
    number, unit = text.split(" ")
    return abs(float(number) * UNITS[unit] - value) <= 0.006 * max(value, 1)


def contrast(first, second):
    def luminance(colour):
        parts = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


# ------------------------------------------------------------------------------------------------------------------ live


class Live(PageCase):
    def follow(self, *arguments, port=0, more="", **options):
        """A program that runs now, played from a recording, and evpipe with its page."""
        self.program = self.replay(harness.OWN_LOG, "--pace", "realtime", "--now", *arguments)
        source = f'plugin: socket, unix: "{self.program.path}", reconnect: {{initial: 20ms, max: 100ms}}, labels: {{service: oddball}}{more}'
        return self.serve(pipeline(source, port), **options)

    def test_grows_and_is_there_after_a_reload(self):
        self.follow("--end", "hold")
        page = self.visit(until="evpipe.view.heap.time.length > 3")
        self.assertEqual(page.text("#state"), "live")
        first = self.view(page)
        page.choose("#top", "500")
        page.wait(f"evpipe.view.census.time.length >= {len(first['census']['time']) + 4} && evpipe.view.census.hidden === 0", what="censuses come live")
        before = self.view(page)
        self.assertGreater(before["last"], first["last"])
        self.assertAlmostEqual(before["heap"]["time"][0], first["heap"]["time"][0], 4, "what was there stays")
        page.reload()
        page.wait("window.evpipe && " + LOADED)
        after = self.view(page)
        self.assertEqual(after["census"]["time"][: len(before["census"]["time"])], before["census"]["time"])
        self.assertEqual(after["census"]["total"][: len(before["census"]["time"])], before["census"]["total"])
        values = {band["name"]: band["values"] for band in after["census"]["bands"]}
        for band in before["census"]["bands"]:
            self.assertEqual(values[band["name"]][: len(band["values"])], band["values"], band["name"])
        # Live and from the history a visitor sees the same.
        late = self.visit()
        page.wait(f"evpipe.view.census.time.length >= {len(self.view(late)['census']['time'])}")
        there = self.view(late)["census"]
        self.assertEqual(self.view(page)["census"]["total"][: len(there["total"])], there["total"])

    def test_at_most_four_redraws_a_second(self):
        self.follow("--end", "hold")
        page = self.visit()
        drawn, began, last = page.value("[evpipe.view.redraws, performance.now() / 1000, evpipe.view.last]")
        page.wait(f"evpipe.view.last > {last + 3}")
        more, took = page.value(f"[evpipe.view.redraws - {drawn}, performance.now() / 1000 - {began}]")
        self.assertGreater(more, 2)
        self.assertLessEqual(more, 4 * took + 3)  # bands that have grown are fetched, and drawn at once

    def test_held_still(self):
        self.follow("--end", "hold")
        page = self.visit()
        page.click("#pause")
        page.wait("!evpipe.view.following")
        held = self.view(page)
        other = self.visit()
        other.wait(f"evpipe.view.last > {held['last'] + 1}")
        self.assertEqual(self.view(page)["heap"], held["heap"])
        self.assertEqual(self.view(page)["to"], held["to"])
        page.click("#pause")
        page.wait(f"evpipe.view.following && evpipe.view.last > {held['last'] + 1}")

    def test_the_program_comes_back(self):
        self.follow("--end", "hold")
        page = self.visit()
        before = self.view(page)
        self.program.kill()
        page.wait("document.getElementById('state').dataset.state !== 'live'")
        self.assertIn("cut off", page.text("#state"))
        self.program.path.unlink(missing_ok=True)
        self.program = self.replay(harness.OWN_LOG, "--pace", "realtime", "--now", "--end", "hold", name="replay")
        page.wait("document.getElementById('state').dataset.state === 'live'")
        page.wait(f"evpipe.view.breaks.length > 0 && evpipe.view.census.time.at(-1) > evpipe.view.breaks.at(-1) && {LOADED}")
        self.assertEqual(self.view(page)["census"]["time"][0], before["census"]["time"][0], "what was before is there")
        self.assertIn("run 2", page.text("#facts"))

    def test_evpipe_killed_and_started_again(self):
        """Then with the program, and without: what the page asks for is no longer known."""
        self.expected_problems = r"ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|Failed to load resource"
        port = harness.free_port()
        process = self.follow("--end", "hold", "--again", "restart", port=port)
        page = self.visit()
        pinned = page.value("(() => { const band = evpipe.view.census.bands.at(-1); evpipe.page.pin(band, true); return band.name; })()")
        process.kill()
        page.wait("document.documentElement.dataset.connection === 'lost' && /has not answered/.test(document.getElementById('notice').textContent)")
        self.assertGreater(self.view(page)["heap"]["time"], [], "what was drawn stays")
        source = f'plugin: socket, unix: "{self.program.path}", reconnect: {{initial: 20ms, max: 100ms}}, labels: {{service: oddball}}'
        process = self.serve(pipeline(source, port), name="again")
        self.back_again(page)
        page.wait(LOADED)
        self.assertEqual(page.text("#state"), "live")
        page.wait(f"[...evpipe.page.pins.values()].some((band) => band.name === {pinned!r}) && evpipe.view.census.bands.some((band) => band.name === {pinned!r})",
                  what="what was pinned is found again")

        process.kill()
        self.program.kill()
        self.program.path.unlink(missing_ok=True)
        self.serve(pipeline(source, port), name="and-again")
        self.back_again(page)
        page.wait("document.getElementById('state').textContent === 'waiting' && /Waiting for the program: app/.test(document.getElementById('bands-empty').textContent)")
        self.program = self.replay(harness.OWN_LOG, "--pace", "realtime", "--now", "--end", "hold")
        page.wait("document.getElementById('state').textContent === 'live' && " + LOADED)

    def back_again(self, page):
        page.wait("document.documentElement.dataset.connection === 'lost'")
        page.wait("document.documentElement.dataset.connection === 'open' && document.getElementById('notice').textContent === ''")

    def test_ten_at_once(self):
        self.serve(pipeline(f'plugin: file, path: "{harness.OWN_LOG}", pace: realtime, clock: now, loop: true'))
        pages = [self.visit() for _ in range(10)]
        last = max(self.view(page)["last"] for page in pages)
        for page in pages:
            page.wait(f"evpipe.view.last > {last + 0.5} && evpipe.view.connection === 'open'")
        pages[0].wait("/10 looking/.test(document.getElementById('health-process').textContent)")

    def test_health(self):
        self.follow("--end", "hold")
        page = self.visit()
        page.wait("document.querySelectorAll('#health-rows tr').length >= 4")
        page.wait("/B\\/s$/.test([...document.querySelectorAll('#health-rows tr')].find((row) => /^app/.test(row.textContent)).cells[1].textContent)", what="what comes in is told")
        names = page.value("[...document.querySelectorAll('#health-rows th span')].map((name) => name.textContent)")
        self.assertTrue({"app", "heap", "logs", "page"} <= set(names), names)

    def test_two_programs(self):
        first = self.replay(harness.OWN_LOG, "--pace", "realtime", "--now", "--end", "hold", name="first")
        second = self.replay(harness.eventlog("killed-966-flush.eventlog"), "--pace", "realtime", "--now", "--end", "hold", name="second")
        self.serve(f"""
            sources:
              one: {{plugin: socket, unix: "{first.path}", labels: {{service: first}}}}
              two: {{plugin: socket, unix: "{second.path}", labels: {{service: second}}}}
            filters:
              heap: {{plugin: heap, from: [one, two]}}
              logs: {{plugin: logs, from: [one, two]}}
            sinks:
              page: {{plugin: dashboard, from: [one, two, heap, logs], listen: "127.0.0.1:0"}}
            """)
        page = self.visit(until="evpipe.page.programs.list.length === 2 && evpipe.view.heap.time.length > 0")
        options = page.value("[...document.getElementById('program').options].map((option) => [option.value, option.textContent])")
        self.assertEqual(sorted(text.split(" – ")[0] for _, text in options), ["first", "second"])
        for value, text in options:
            page.choose("#program", value)
            page.wait(f"evpipe.view.program === {value} && evpipe.view.heap.time.length > 0 && !evpipe.view.loading")
            self.assertIn(text.split(" – ")[0], page.value("document.title"))
        page.value("document.activeElement.blur()")
        page.key("p")
        page.wait(f"evpipe.view.program === {options[0][0]}")
        page.reload()
        page.wait(f"window.evpipe && evpipe.view.program === {options[0][0]} && evpipe.view.heap.time.length > 0", what="the choice holds over a reload")

    def test_waiting_says_for_what(self):
        self.serve(pipeline(f'plugin: socket, unix: "{self.folder}/nobody.sock"'))
        page = self.visit(until="/Waiting for the program: app/.test(document.getElementById('bands-empty').textContent)")
        self.assertEqual(page.text("#state"), "waiting")
        self.assertIn("No program", page.text("#control-reason"))

    def test_says_which_filter_is_missing(self):
        self.serve(f"""
            sources:
              app: {{plugin: file, path: "{harness.OWN_LOG}"}}
            filters:
              logs: {{plugin: logs, from: app}}
            sinks:
              page: {{plugin: dashboard, from: logs, listen: "127.0.0.1:0", stay: true}}
            """)
        page = self.visit(until="document.querySelectorAll('#log li').length > 0")
        self.assertIn("put a filter `heap`", page.text("#bands-empty"))
        self.assertIn("put a filter `gc`", page.text("#pauses-empty"))
        self.assertIn("put the source itself", page.text("#events-empty"))


# --------------------------------------------------------------------------------------------------------------- control


class Controlled:
    """A program that takes its censuses when it is told to: each time one more of a recording's is let go.

    Commands are those of eventlog-socket: magic bytes, the length and name of who is meant, a number (docs/control.md)."""

    CENSUS = 5

    def __init__(self, path, log):
        data = log.read_bytes()
        stream = next(eventlog.streams(data))
        ends = [record.offset for record in stream.records({eventlog.BLOCK_MARKER})]
        samples = [record.offset for record in stream.records({SAMPLE_END})]
        # A piece ends with the block that has the end of a census in it.
        cuts = [min((end for end in ends if end > sample), default=len(data)) for sample in samples]
        self.pieces = [data[begin:end] for begin, end in zip([0, *cuts], cuts)]
        # The first piece goes out by itself, but for its census.
        first = max(end for end in ends if end <= samples[0])
        self.pieces[0:1] = [data[:first], data[first:cuts[0]]]
        self.heard = []
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        self.listening.listen()
        self.client = None
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        self.client, _ = self.listening.accept()
        client = self.client
        client.sendall(self.pieces.pop(0))
        received = b""
        while part := client.recv(4096):
            received += part
            while len(received) >= 6 and len(received) >= 7 + received[5]:
                size = 7 + received[5]
                self.heard.append(received[size - 1])
                received = received[size:]
                if self.heard[-1] == self.CENSUS and self.pieces:
                    client.sendall(self.pieces.pop(0))

    def close(self):
        self.listening.close()
        if self.client:
            self.client.shutdown(socket.SHUT_RDWR)
            self.client.close()


SAMPLE_END = 165


class Control(PageCase):
    def test_a_census_on_request(self):
        path = self.folder / "app.sock"
        program = Controlled(path, harness.OWN_LOG)
        self.addCleanup(program.close)
        self.serve(pipeline(f'plugin: socket, unix: "{path}", controllable: true'))
        page = self.visit(until="evpipe.view.program !== null && evpipe.view.connection === 'open' && !evpipe.view.loading")
        page.wait("document.querySelector('[data-command=census]').getAttribute('aria-disabled') === 'false'")
        self.assertEqual(page.text("#control-reason"), "")
        self.assertEqual(page.value("evpipe.view.census.time.length"), 0)
        self.assertIn("press Census", page.text("#bands-empty"))
        for censuses in (1, 2):
            page.click("[data-command=census]")
            page.wait(f"evpipe.view.census.time.length === {censuses}", what="a census on request")
        page.wait("document.querySelectorAll('#bands-rows tr').length > 5")
        self.assertEqual(program.heard, [program.CENSUS] * 2)
        page.wait("/sent/.test(document.getElementById('control-reason').textContent)")
        page.value("document.activeElement.blur()")
        page.key("c")
        page.wait("evpipe.view.census.time.length === 3")
        page.click("[data-command=start-heap]")
        page.click("[data-command=stop-heap]")
        harness.wait_for(lambda: f"all commands: {program.heard}", lambda: len(program.heard) == 5)
        self.assertEqual(len(set(program.heard)), 3)

    def test_a_source_that_may_not_be_controlled(self):
        path = self.folder / "app.sock"
        program = Controlled(path, harness.OWN_LOG)
        self.addCleanup(program.close)
        self.serve(pipeline(f'plugin: socket, unix: "{path}"'))
        page = self.visit(until="evpipe.view.program !== null")
        page.wait("/controllable: true/.test(document.getElementById('control-reason').textContent)")
        page.click("[data-command=census]")
        self.browser.drain()
        self.assertFalse([url for url in page.requests if "api/control" in url])
        self.assertEqual(program.heard, [])


class RealProgram(PageCase):
    """A Haskell program of GHC 9.6 that takes no census but on request, over a socket that obeys commands."""

    def test_a_census_on_request(self):
        program = programs.debian_13()
        path = self.folder / "app.sock"
        self.serve(pipeline(f'plugin: socket, unix: "{path}", controllable: true, reconnect: {{initial: 20ms, max: 100ms}}'))
        self.start([*program, 60, "+RTS", "-l", "-hT", "--no-automatic-heap-samples", "--eventlog-flush-interval=0.1", "-RTS"], "program", directory=self.folder,
                   environment={"GHC_EVENTLOG_UNIX_PATH": str(path)})
        page = self.visit(until="evpipe.view.heap.time.length > 3 && evpipe.page.controllable()")
        self.assertEqual(page.value("evpipe.view.census.time.length"), 0)
        for censuses in (1, 2):
            page.click("[data-command=census]")
            page.wait(f"evpipe.view.census.time.length === {censuses}", what="a census of the real program")
        page.wait("document.querySelectorAll('#bands-rows tr').length > 5")
        self.assertIn("closure type", page.text("#bands-title"))


# --------------------------------------------------------------------------------------------------------------- modules


class Modules(harness.Case):
    def test_units(self):
        """The modules that need no browser."""
        if not shutil.which("node"):
            harness.skip("node is not installed")
        for path in WEB.glob("*.js"):
            shutil.copy(path, self.folder)
        (self.folder / "package.json").write_text('{"type": "module"}', encoding="ascii")
        done = subprocess.run(["node", "--test", harness.SOURCE / "tests" / "e2e" / "page_modules.mjs"], capture_output=True, text=True, check=False,
                              env={**os.environ, "PAGE_MODULES": str(self.folder)})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_list(self):
        """What is embedded is what is there, and what the page asks for."""
        names = [line for line in (WEB / "FILES").read_text(encoding="ascii").splitlines() if line and not line.startswith("#")]
        there = {str(path.relative_to(WEB)) for path in WEB.rglob("*") if path.suffix in (".js", ".css", ".html")}
        self.assertEqual(set(names), there)
        asked = set(re.findall(r'(?:src|href)="assets/([^"]+)"', (WEB / "index.html").read_text(encoding="utf-8")))
        for path in WEB.glob("*.js"):
            asked |= set(re.findall(r'from "\./([^"]+)"', path.read_text(encoding="utf-8")))
        self.assertEqual(asked, {pathlib.Path(name).name for name in names} - {"index.html"})


if __name__ == "__main__":
    harness.main()
