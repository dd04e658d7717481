#!/usr/bin/env python3
"""The sink `dashboard` without a browser: its numbers against those of print, pushes, visitors, commands, bounds of memory."""
import collections
import concurrent.futures
import gzip
import json
import os
import re
import shutil
import struct
import threading
import time

import dashboard_numbers
import eventlog_writer
import harness
import page_client
import relay_ends
from dashboard_numbers import micros

LARGEST = 6_000_000
PIPELINE = """
    sources:
      app: {plugin: file, path: "{{log}}", clock: {{clock}}, pace: {{pace}}}
    filters:
      heap: {plugin: heap, from: app}
      gc: {plugin: gc, from: app}
      logs: {plugin: logs, from: app}
    sinks:
      page: {plugin: dashboard, from: [app, heap, gc, logs], listen: "127.0.0.1:0", stay: true, history: {{history}}{{more}}}
"""
LIVE = """
    sources:
      app: {plugin: socket, unix: "{{socket}}", controllable: {{controllable}}, reconnect: {initial: 20ms, max: 50ms}}
    filters:
      heap: {plugin: heap, from: app}
      gc: {plugin: gc, from: app}
      logs: {plugin: logs, from: app}
    sinks:
      page: {plugin: dashboard, from: [app, heap, gc, logs], listen: "127.0.0.1:{{port}}"{{more}}}
"""


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Case(harness.Case):
    def page_of(self, process):
        port = int(self.wait_err(process, r"listens on http://127\.0\.0\.1:(\d+)").group(1))
        return page_client.Page(port, harness.PATIENCE)

    def look(self, log, clock="recorded", pace="max", history="never", more="", extra="", **options):
        """A page of a recording, when all of it has been read."""
        process = self.evpipe(harness.copies(PIPELINE, log=log, clock=clock, pace=pace, history=history, more=more) + extra, **options)
        page = self.page_of(process)
        if pace == "max":
            self.wait_over(page)
        return process, page

    def live(self, path, controllable="false", port=0, more="", **options):
        text = harness.copies(LIVE, socket=path, controllable=controllable, port=port, more=more)
        process = self.evpipe(text, **options)
        return process, self.page_of(process)

    def wait_over(self, page, program=1, seconds=60):
        def over():
            return [program_["state"] != "open" for program_ in page.programs() if program_["id"] == program] == [True]
        harness.wait_for("the recording to be read", over, seconds)

    def wait_program(self, page, program=1, **facts):
        def there():
            found = [each for each in page.programs() if each["id"] == program]
            return found and all(found[0][key] == value for key, value in facts.items()) and found[0]
        return harness.wait_for(lambda: f"a program with {facts}: {page.programs()}", there)

    def end(self, process, status=0):
        self.assertEqual(process.stop(), status, process.err())
        self.check_sound(process)

    def visitor(self, page, program=1, **more):
        live = page.live(program, patience=harness.PATIENCE, **more)
        self.addCleanup(live.close)
        return live

    def wait_census(self, visitors, total):
        """Until all of them were told of a census of so many bytes."""
        for live in visitors:
            harness.wait_for("the last census", lambda live=live: any(total in totals(event.data) for event in reversed(live.all("samples"))))

    def hello(self, live):
        return harness.wait_for("hello", lambda: live.all("hello"))[0].data["seq"]


def totals(told):
    """Of the censuses in a history or a push."""
    return (told.get("census") or {}).get("total", [])


class Program(relay_ends.Program):
    """A live one, which says what it is told to: a push has no more in it than what was said since the one before, however long
    somebody had to wait for a processor."""

    def __init__(self, case):
        self.log = eventlog_writer.Log()
        self.log.epoch = time.time_ns() - 10**10  # so that none of it lies in the future
        self.log.init(breakdown=7)
        self.path = case.folder / "program.sock"
        super().__init__(self.path)
        case.addCleanup(self.end)

    def begin(self):
        self.accept().client.settimeout(60 * harness.PATIENCE)
        self.send(self.log.data(end=False))

    def say(self):
        """All that was put into the log's records."""
        self.log.block()
        self.send(self.log.blocks[-1])


class Numbers(Case):
    """All that is shown of a log is what print says about it."""

    def printed(self, log):
        pipeline = f"""
            sources: {{app: {{plugin: file, path: "{log}"}}}}
            filters: {{heap: {{plugin: heap, from: app}}, gc: {{plugin: gc, from: app}}, logs: {{plugin: logs, from: app}}}}
            sinks:
              items: {{plugin: print, from: [heap, gc, logs], format: json, path: "{self.folder}/items"}}
              events: {{plugin: print, from: app, format: json, path: "{self.folder}/events"}}
        """
        for name in ("items", "events"):
            (self.folder / name).unlink(missing_ok=True)
        status, _, err = self.run_evpipe(pipeline, name="print")
        self.assertIn(status, (0, 3), err)  # 3: the log is damaged
        classes = dashboard_numbers.classes()
        counted = collections.Counter(classes.get(event["type"], "unknown") for event in harness.json_lines((self.folder / "events").read_bytes()))
        return dashboard_numbers.Numbers(harness.json_lines((self.folder / "items").read_bytes())), counted, status

    def check_gauges(self, numbers, history, within):
        for key in ("heap", "memory"):
            shown = dict(history[key])
            shown["time"] = [micros(time_) for time_ in shown["time"]]
            self.assertEqual(shown, numbers.expected_gauges(key, within))

    def check_allocated(self, numbers, history, within):
        shown = dict(history["allocated"])
        shown["time"] = [micros(time_) for time_ in shown["time"]]
        self.assertEqual(shown, numbers.expected_allocated(within))

    def check_pauses(self, numbers, history, within):
        expected = numbers.expected_pauses(within)
        self.assertEqual([each["generation"] for each in history["pauses"] if each["time"]], sorted(expected))
        for shown in history["pauses"]:
            rows = [row for _, row in sorted(expected.get(shown["generation"], {}).items())]
            self.assertEqual([micros(time_) for time_ in shown["time"]], [row[0] // 1000 for row in rows])
            self.assertEqual(shown["collections"], [row[2] for row in rows])
            for key, at in (("longest", 1), ("seconds", 3)):
                for value, row in zip(shown[key], rows, strict=True):
                    self.assertAlmostEqual(value, row[at], 9)
        for shown in history["pause_buckets"]:
            last = [metric for metric in numbers.of("ghc_gc_pause_seconds") if int(metric["labels"].get("generation", 0)) == shown["generation"]][-1]
            below = [bucket["count"] for bucket in last["value"]["buckets"]]
            self.assertEqual(shown["counts"], [b - a for a, b in zip([0, *below], below)])
            self.assertEqual(shown["bounds"], [bucket["le"] for bucket in last["value"]["buckets"][:-1]])

    def check_census(self, numbers, history, within):
        censuses = numbers.censuses()
        if not censuses:
            self.assertIsNone(history["census"])
            return
        shown = history["census"]
        expected = numbers.expected_censuses(within, censuses[-1][1])
        self.assertEqual(shown["breakdown"], censuses[-1][1])
        self.assertEqual([micros(time_) for time_ in shown["time"]], [census[0] // 1000 for census in expected])
        self.assertEqual(shown["total"], [census[2] for census in expected])
        peaks = collections.Counter()
        for census in expected:
            for band, value in census[3].items():
                peaks[band] = max(peaks[band], value)
        self.assertEqual(len(shown["bands"]) + shown["rest_count"], len(peaks))
        newest = [census for census in censuses if census[1] == shown["breakdown"] and within.of(census[0]) is not None][-1:]
        largest = [band["peak"] for band in shown["bands"]]
        self.assertEqual(largest, sorted(peaks.values(), reverse=True)[:len(largest)])
        for band in shown["bands"]:
            name = tuple(band[key] for key in ("name", "module", "type", "srcloc"))
            self.assertEqual(band["values"], [census[3].get(name, 0) for census in expected])
            self.assertEqual(band["peak"], peaks[name])
            self.assertEqual(band["latest"], newest[0][3].get(name, 0))
        for at, census in enumerate(expected):
            self.assertEqual(shown["rest"][at], census[2] - sum(band["values"][at] for band in shown["bands"]))

    def check_logs(self, numbers, history):
        shown = [tuple(log[key] for key in ("kind", "severity", "body", "capability", "thread")) for log in history["logs"]]
        self.assertEqual([micros(log["time"]) for log in history["logs"]], [log[0] for log in numbers.expected_logs()])
        self.assertEqual(collections.Counter(shown), collections.Counter(log[1:] for log in numbers.expected_logs()))

    def check_events(self, counted, history):
        shown = {name: values[-1] for name, values in history["events"]["classes"].items() if values}
        self.assertEqual(shown, {name: n for name, n in counted.items() if n})
        for values in history["events"]["classes"].values():
            self.assertEqual(values, sorted(values))

    def check_range(self, page, numbers, columns, first, last, bands):
        history = page.history(columns=columns, bands=bands, **{"from": f"{first / 1e6:.6f}", "to": f"{last / 1e6:.6f}"})
        within = dashboard_numbers.Range(first, last, columns)
        self.assertAlmostEqual(history["step"], within.width / 1e9, 8)
        self.check_gauges(numbers, history, within)
        self.check_allocated(numbers, history, within)
        self.check_pauses(numbers, history, within)
        self.check_census(numbers, history, within)

    def test_every_log(self):
        compared = collections.Counter()
        for log in {log.name: log for log in [*sorted(harness.DATA.glob("*.eventlog")), *harness.eventlogs(smaller_than=LARGEST)]}.values():
            with self.subTest(log.name):
                numbers, counted, status = self.printed(log)
                process, page = self.look(log, name=log.stem)
                whole = page.history(columns=2000, bands=500)
                self.check_events(counted, whole)
                self.check_logs(numbers, whole)
                self.check_identity(page, log)
                if numbers.metrics:
                    first, last = micros(whole["first"]), micros(whole["last"])
                    for columns, begin, end, bands in ((2000, first, last, 500), (37, first, last, 3), (500, first, first + (last - first) // 3, 20)):
                        self.check_range(page, numbers, columns, begin, end, bands)
                compared["metrics"] += len(numbers.metrics)
                compared["censuses"] += len(numbers.censuses())
                compared["logs"] += len(numbers.logs)
                self.end(process, status)
        for what, least in (("metrics", 5000), ("censuses", 50), ("logs", 200)):
            self.assertGreater(compared[what], least, "too few to have compared anything")

    def check_identity(self, page, log):
        """Which events a program is, its state, and that nothing is told twice."""
        answer = page.get("/api/programs")
        program = answer["programs"][0]
        self.assertEqual(len(answer["programs"]), 1)
        self.assertEqual((program["source"], program["recorded"], program["live"], program["runs"]), ("app", True, False, 1), log)
        self.assertEqual(program["labels"], {"service": "app"})
        self.assertIn(program["state"], ("complete", "cut", "damaged"))

    def test_search_and_pins(self):
        process, page = self.look(harness.OWN_LOG)
        everything = page.history(bands=500)["census"]
        found = page.get("/api/bands", program=1, q="map.internal")
        expected = {band["id"] for band in everything["bands"] if "map.internal" in band["name"].lower()}
        self.assertEqual({band["id"] for band in found["bands"]}, expected)
        self.assertGreater(len(expected), 0)
        self.assertEqual(found["more"], 0)
        smallest = everything["bands"][-1]
        pinned = page.history(bands=2, pin=f"{smallest['id']},999999")["census"]
        self.assertEqual([band["id"] for band in pinned["bands"]], [band["id"] for band in everything["bands"][:2]] + [smallest["id"]])
        self.assertEqual(pinned["rest_count"], len(everything["bands"]) - 3)
        self.assertEqual(page.history(bands=0)["census"]["rest"], page.history(bands=0)["census"]["total"])
        self.end(process)

    def test_names_of_any_bytes(self):
        log = eventlog_writer.Log()
        log.init(breakdown=2)
        names = ['quo"te', "back\\slash", "<script>alert(1)</script>", "λ→\U0001f600", "x" * 3000, "bad \udcff".encode("utf-8", "surrogateescape"), "\u2028\u2029"]
        log.census(10**9, [(name, 8 * (i + 1)) for i, name in enumerate(names)])
        log.add(eventlog_writer.USER_MESSAGE, 'say "\\\x01\u2028 λ'.encode() + b"\xff\x00end", 2 * 10**9)
        (self.folder / "log").write_bytes(log.data())
        process, page = self.look(self.folder / "log")
        history = page.history()
        shown = {band["peak"] // 8 - 1: band["name"] for band in history["census"]["bands"]}
        for i in (0, 1, 2, 3):
            self.assertEqual(shown[i], names[i])
        self.assertEqual(len(shown[4].encode()), 1024)
        self.assertEqual(shown[5], "bad \ufffd")
        self.assertEqual(history["logs"][0]["body"], 'say "\\\x01\u2028 λ\ufffd\x00end')
        self.end(process)


class Requests(Case):
    def test_the_page_and_its_parts(self):
        process, page = self.look(harness.OWN_LOG)
        folder = harness.SOURCE / "plugins" / "sinks" / "dashboard" / "web"
        names = [line for line in (folder / "FILES").read_text().splitlines() if line and not line.startswith("#")]
        self.assertIn("index.html", names)
        for name in names:
            path = "/" if name == "index.html" else "/assets/" + name.rsplit("/", 1)[-1]
            for encoding in ("gzip", "identity"):
                answer = page.request("GET", path, {"Accept-Encoding": encoding})
                self.assertEqual((answer.status, answer.body), (200, (folder / name).read_bytes()), name)
                self.assertEqual(answer.headers.get("content-encoding"), "gzip" if encoding == "gzip" else None)
            self.assertIn("frame-ancestors 'none'", answer.headers["content-security-policy"])
            self.assertNotIn("unsafe", answer.headers["content-security-policy"])
            self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
            again = page.request("GET", path, {"If-None-Match": answer.headers["etag"]})
            self.assertEqual((again.status, again.body), (304, b""))
        for path in ("/assets/", "/assets/FILES", "/assets/../api.c", "/index.html", "/assets/vendor/uPlot.iife.min.js", "/nothing"):
            self.assertIn(page.request("GET", path).status, (400, 404), path)
        self.end(process)

    def test_bad_parameters_are_refused(self):
        process, page = self.look(harness.OWN_LOG)
        for query in ({}, {"program": "x"}, {"program": "-1"}, {"program": 0}, {"program": 1, "columns": 9}, {"program": 1, "columns": 2001}, {"program": 1, "bands": 501},
                      {"program": 1, "pin": "1,x"}, {"program": 1, "pin": ",".join("1" * 501)}, {"program": 1, "from": "yesterday"}, {"program": 1, "to": "1e9"},
                      {"program": 1, "from": "9" * 30}, {"program": 1, "from": 2, "to": 1}):
            answer = page.request("GET", "/api/history", **query)
            self.assertEqual(answer.status, 400, query)
            self.assertIn("error", answer.json)
        for path in ("/api/history", "/api/live", "/api/bands"):
            self.assertEqual(page.request("GET", path, program=77).status, 404)
        self.assertEqual(page.request("POST", "/api/programs").status, 405)
        far = page.history(**{"from": -5, "to": 5})
        self.assertEqual((far["heap"]["time"], far["census"]["bands"], far["logs"]), ([], [], []))
        self.end(process)

    def test_health(self):
        server = self.replay(harness.OWN_LOG, "--end", "hold")
        process, page = self.live(server.path)
        harness.wait_for("readiness", lambda: page.request("GET", "/readyz").status == 200)
        self.assertEqual(page.request("GET", "/livez").json, {"status": "ok"})
        server.stop()
        harness.wait_for("no readiness", lambda: page.request("GET", "/readyz").status == 503)
        self.assertEqual(page.request("GET", "/readyz").json, {"status": "not ready", "reasons": ["source 'app' is not connected"]})
        self.assertEqual(page.request("GET", "/livez").status, 200)
        self.end(process)

    def test_pages_of_other_sites_are_refused(self):
        process, page = self.look(harness.OWN_LOG)
        for path, link in (("/", 200), ("/api/programs", 403), ("/api/history?program=1", 403), ("/api/bands?program=1", 403), ("/api/live", 403)):
            foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
            self.assertEqual(page.request("GET", path, headers=foreign).status, link)
            self.assertEqual(page.request("GET", path, headers={**foreign, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}).status, 403)
        self.end(process)

    def test_a_block_of_another_day_does_not_empty_the_history(self):
        """A recording of 30 s, in which three blocks that agree with each other lie a day ahead."""
        log = eventlog_writer.Log()
        log.init(breakdown=7)
        for i in range(303):
            leap = 86400 * 10**9 if 200 <= i < 203 else 0
            time_ = leap + (i + 1) * 10**8
            log.records.append(eventlog_writer.heap_size(time_, (900 if leap else 1) << 20))
            log.census(time_ + 1000, [("A", 8 * (i + 1))])
            log.block()
        (self.folder / "log").write_bytes(log.data())
        process, page = self.look(self.folder / "log", history="15m")
        history = page.history(columns=2000)
        self.assertEqual((len(history["heap"]["time"]), len(history["census"]["time"]), set(history["heap"]["size"])), (300, 300, {1 << 20}))
        self.assertAlmostEqual(history["last"] - history["first"], 30.2, places=2)
        self.end(process)
        self.assertRegex(process.err(), r"page .*wrong_time")

    def test_the_clock_of_programs_without_metrics(self):
        """It is that of their source, wherever that stands among the nodes."""
        for name, tells in (("a", True), ("b", True), ("c", False)):
            log = eventlog_writer.Log()
            if tells:
                log.init()
            log.records.append(eventlog_writer.heap_size(10**8, 1 << 20))
            log.block()
            (self.folder / name).write_bytes(log.data())
        sources = "".join(f'  {name}: {{plugin: file, path: "{self.folder / name}"}}\n' for name in "abc")
        process = self.evpipe(f'sources:\n{sources}sinks:\n  page: {{plugin: dashboard, from: [c, a], listen: "127.0.0.1:0", stay: true, history: never}}\n'
                              "  screen: {plugin: print, from: b}\n")
        page = self.page_of(process)
        harness.wait_for("both", lambda: [program["live"] for program in page.programs()] == [False, False])
        self.assertEqual({program["source"]: program["clock"] for program in page.programs()}, {"a": "exact", "c": "estimated"})
        self.end(process)

    def test_a_recording_that_was_read_is_ready(self):
        process, page = self.look(harness.OWN_LOG)
        harness.wait_for("the end of the source", lambda: page.request("GET", "/readyz").json == {"status": "finished"})
        self.assertEqual(page.request("GET", "/readyz").status, 200)
        self.end(process)

    def test_options_are_checked(self):
        for option, message in (("max_size: 1K", "max_size"), ("max_programs: 0", "max_programs"), ("history: 0s", "history"), ('listen: "0.0.0.0:7464"', "allow_remote")):
            text = f"sources: {{app: {{plugin: file, path: x}}}}\nsinks: {{page: {{plugin: dashboard, from: app, {option}}}}}\n"
            process = self.evpipe(text, "--check", name=re.sub(r"\W", "", option))
            self.assertEqual(process.wait(), 2)
            self.assertIn(message, process.err())


class Recipes(Case):
    def recipe(self, name, **environment):
        port = str(harness.free_port())
        process = self.evpipe(harness.SOURCE / "config" / name, environment={"DASHBOARD_PORT": port, **environment})
        return process, self.page_of(process)

    def test_look(self):
        """A recording: read at once, and shown until somebody ends it."""
        process, page = self.recipe("look.yaml", EVENTLOG=str(harness.OWN_LOG))
        self.wait_over(page)
        self.assertEqual(page.get("/api/programs")["inputs"], {"events": True, "metrics": ["heap", "gc"], "logs": True})
        history = page.history()
        for what in (history["heap"]["time"], history["census"]["bands"], history["pauses"], history["logs"], history["events"]["time"]):
            self.assertTrue(what)
        self.assertTrue(process.running())
        self.end(process)

    def test_dashboard(self):
        """A program that can be controlled."""
        server = self.replay(harness.OWN_LOG, "--end", "hold")
        process, page = self.recipe("dashboard.yaml", GHC_EVENTLOG_UNIX_PATH=str(server.path))
        self.wait_program(page, controllable=True, live=True, recorded=False, pid=4305)
        harness.wait_for("pauses", lambda: page.history()["pauses"])
        self.end(process)

    def test_without_stay_it_ends_with_its_sources(self):
        text = harness.copies(PIPELINE, log=harness.OWN_LOG, clock="recorded", pace="max", history="never", more="").replace("stay: true", "stay: false")
        status, _, err = self.run_evpipe(text)
        self.assertEqual(status, 0, err)


class Pushes(Case):
    def rows(self, live, after):
        """What a page has of the pushes behind a history: gauges, censuses, logs; and the totals that came last."""
        rows, totals = collections.defaultdict(list), {}
        sequence = None
        for event in live.all("samples"):
            data = event.data
            self.assertEqual(event.id, data["seq"])
            if sequence is not None:
                self.assertEqual(data["seq"], sequence + 1)
            sequence = data["seq"]
            if data["seq"] <= after:
                continue
            for member in ("size", "live", "blocks"):
                rows[member] += [(time_, value) for time_, value in zip(data.get("heap", {}).get("time", []), data.get("heap", {}).get(member, [])) if value is not None]
            rows["census"] += list(zip(data.get("census", {}).get("time", []), data.get("census", {}).get("total", [])))
            for bands, total in zip(data.get("census", {}).get("rows", []), data.get("census", {}).get("total", [])):
                self.assertEqual(sum(value for _, value in bands), total)
            rows["logs"] += [log["id"] for log in data.get("logs", [])]
            for generation in data.get("pauses", []):
                rows["collections"] += generation["collections"]
            totals.update({"bytes": data["allocated"]["bytes"][-1]} if "allocated" in data else {})
            totals.update({name: values[-1] for name, values in data.get("events", {}).get("classes", {}).items()})
        return rows, totals

    @staticmethod
    def rows_of(history):
        rows = {member: [(t, v) for t, v in zip(history["heap"]["time"], history["heap"][member]) if v is not None] for member in ("size", "live", "blocks")}
        rows["census"] = list(zip(history["census"]["time"], history["census"]["total"])) if history["census"] else []
        rows["logs"] = [log["id"] for log in history["logs"]]
        rows["collections"] = [sum(sum(generation["collections"]) for generation in history["pauses"])]
        return rows

    def test_history_and_pushes_make_no_gap_and_no_double(self):
        """Visitors come while a program runs, at different times; each has all of it in the end, once."""
        server = self.replay(harness.OWN_LOG, "--pace", "1x", "--now")
        process, page = self.live(server.path)
        self.wait_program(page)
        early = self.visitor(page)
        visitors = []
        for moment in (1, 2.5, 4):
            began = time.monotonic()
            harness.wait_for("more of the log", lambda: time.monotonic() - began > 1 or len(early.all("samples")) > 4 * moment)
            live = self.visitor(page)
            hello = self.hello(live)
            history = page.history(columns=2000)
            self.assertGreaterEqual(history["seq"], hello)
            visitors.append((live, history))
        self.wait_program(page, live=False)
        whole, censuses = page.history(columns=2000), 0
        self.assertGreater(whole["allocated"]["bytes"][-1], 10**9)
        for live, history in visitors:
            harness.wait_for("the last push", lambda live=live: live.all("samples") and live.all("samples")[-1].data["seq"] >= whole["seq"])
            before, expected = self.rows_of(history), self.rows_of(whole)
            self.assertGreater(len(before["size"]), 0)
            pushed, totals = self.rows(live, history["seq"])
            for what in ("size", "live", "blocks", "census"):
                both = sorted(map(tuple, before[what] + pushed[what]))
                self.assertEqual(len(both), len(set(both)), what)
            # The log has more in a second than a history's column or a push has room for: what is shown was measured.
            for what in ("logs",):
                self.assertEqual((before[what] + pushed[what])[-len(expected[what]):], expected[what])
            self.assertEqual(sum(before["collections"]) + sum(pushed["collections"]), expected["collections"][0])
            self.assertEqual(totals["bytes"], whole["allocated"]["bytes"][-1])
            self.assertEqual(totals["gc"], whole["events"]["classes"]["gc"][-1])
            censuses += len(pushed["census"])
        self.assertGreater(censuses, 5)
        self.end(process)

    def test_what_is_pushed_is_what_was_measured(self):
        """Of a program that waits until what it said has arrived, so that a push has room for it: every single sample and census."""
        program = Program(self)
        process, page = self.live(program.path)
        program.begin()

        def say(which):
            for i in which:
                program.log.records.append(eventlog_writer.heap_size((i + 1) * 10**8, (i + 1) << 20))
                program.log.census((i + 1) * 10**8 + 1000, [("A", 8 * (i + 1)), (f"B{i}", 16)])
            program.say()
        say(range(3))
        self.wait_program(page)
        harness.wait_for("the first censuses", lambda: 3 * 8 + 16 in totals(page.history(columns=2000)))
        live = self.visitor(page)
        history = page.history(columns=2000)
        for first in range(3, 30, 3):
            say(range(first, first + 3))
            self.wait_census([live], (first + 3) * 8 + 16)
        pushed, _ = self.rows(live, history["seq"])
        before = self.rows_of(history)
        self.assertEqual([value for _, value in before["size"] + pushed["size"]], [(i + 1) << 20 for i in range(30)])
        self.assertEqual([value for _, value in before["census"] + pushed["census"]], [8 * (i + 1) + 16 for i in range(30)])
        names = {band["name"]: band["id"] for event in live.all("samples") for band in event.data.get("census", {}).get("new_bands", [])}
        names.update({band["name"]: band["id"] for band in (history["census"] or {"bands": []})["bands"]})
        self.assertEqual(set(names), {"A"} | {f"B{i}" for i in range(30)})
        whole = self.rows_of(page.history(columns=2000))
        self.assertEqual(before["size"] + pushed["size"], whole["size"])
        self.assertEqual(before["census"] + pushed["census"], whole["census"])
        self.assertEqual(live.retry, 2000)
        self.end(process)

    def test_a_reconnect_and_a_restart_go_on_with_the_same_program(self):
        server = self.replay(harness.OWN_LOG, "--end", "close", "--again", "restart", "--now")
        process, page = self.live(server.path)
        harness.wait_for("a third run", lambda: any(program["runs"] >= 3 for program in page.programs()))  # who looks late sees the fourth
        self.assertEqual([program["id"] for program in page.programs()], [1])
        history = harness.wait_for("what came in the third run", lambda: len((found := page.history(columns=2000))["breaks"]) >= 2 and found)
        server.stop()
        self.assertEqual(history["breaks"], sorted(history["breaks"]))
        self.assertEqual(history["allocated"]["bytes"], sorted(history["allocated"]["bytes"]))
        self.end(process)

    def test_several_programs(self):
        servers = [self.replay(harness.OWN_LOG, "--end", "hold", name=name) for name in ("one", "two", "three")]
        process = self.evpipe(f"""
            sources: {{apps: {{plugin: socket, each: "{self.folder}/*.sock", unix: "{{each}}", labels: {{service: "{{name}}"}}}}}}
            filters: {{heap: {{plugin: heap, from: apps}}}}
            sinks: {{page: {{plugin: dashboard, from: heap, listen: "127.0.0.1:0"}}}}
        """)
        page = self.page_of(process)
        lobby = self.visitor(page, None)
        self.hello(lobby)
        harness.wait_for("three programs", lambda: len([p for p in page.programs() if p["last"]]) == 3)
        self.assertEqual(sorted(program["service"] for program in page.programs()), ["one", "three", "two"])
        live = self.visitor(page, page.programs()[0]["id"])
        self.hello(live)
        servers.append(self.replay(harness.OWN_LOG, "--end", "hold", name="four"))
        harness.wait_for("news of a fourth one", lambda: any(len(event.data["programs"]) == 4 for event in live.all("programs")))
        harness.wait_for("the same in the lobby", lambda: any(len(event.data["programs"]) == 4 for event in lobby.all("programs")))

        def histories():
            return [page.history(program["id"], columns=2000)["heap"] for program in page.programs()[:3]]
        harness.wait_for(lambda: f"the same of all: {histories()}", lambda: (each := histories())[0]["time"] and each[0] == each[1] == each[2])
        self.end(process)

    def test_programs_that_can_not_be_told_apart(self):
        """Are said to be so, once: what the page shows of them is no program's."""
        for name in ("one", "two", "three"):
            self.replay(harness.OWN_LOG, "--end", "hold", name=name)
        process = self.evpipe(f"""
            sources: {{apps: {{plugin: socket, each: "{self.folder}/*.sock", unix: "{{each}}"}}}}
            filters: {{heap: {{plugin: heap, from: apps}}}}
            sinks: {{page: {{plugin: dashboard, from: heap, listen: "127.0.0.1:0"}}}}
        """)
        page = self.page_of(process)
        harness.wait_for("three streams", lambda: [program["runs"] for program in page.programs()] == [3])
        self.assertEqual(len(re.findall(r"warning page .*two streams of 'apps' with the same labels are open at once", process.err())), 1)
        self.end(process)

    def test_health_is_pushed(self):
        process, page = self.look(harness.OWN_LOG)
        live = self.visitor(page)
        harness.wait_for("two healths", lambda: len(live.all("health")) > 1)
        late = self.visitor(page)
        for each in (live, late):
            facts = harness.wait_for("the program", lambda each=each: each.all("program"))[0].data
            self.assertEqual(facts, page.programs()[0])
        health = live.all("health")[-1].data
        nodes = {node["name"]: node for node in health["nodes"]}
        self.assertEqual(list(nodes), ["app", "heap", "gc", "logs", "page"])
        self.assertEqual(nodes["app"]["in"]["bytes"], harness.OWN_LOG.stat().st_size)
        self.assertEqual(nodes["page"]["in"]["events"], nodes["app"]["out"]["events"])
        self.assertEqual(nodes["page"]["drops"], {})
        self.assertGreater(health["process"]["resident"], 1 << 20)
        health = harness.wait_for("both", lambda: [each.data for each in live.all("health") if each.data["visitors"] == 2])[0]
        self.assertEqual((health["visitors"], health["history"]["limit"], health["history"]["thinned"]), (2, 64 << 20, 0))
        self.end(process)


class Control(Case):
    def command(self, number):
        return (b"\xf0\x9e\x97\x8c\x00" + bytes([15]) + b"eventlog-socket" + bytes([number])).hex()

    def test_commands_arrive(self):
        record = self.folder / "record"
        server = self.replay(harness.OWN_LOG, "--end", "hold", "--record", record)
        process, page = self.live(server.path, "true")
        self.wait_program(page, controllable=True)
        for word, number in (("census", 5), ("start-heap", 3), ("stop-heap", 4)):
            answer = page.control(1, word)
            self.assertEqual((answer.status, answer.json), (202, {}))
            harness.wait_for(word, lambda number=number: record.exists() and self.command(number) in record.read_text())
        for headers in ({}, {"X-Evpipe": "1", "Origin": "http://evil.example"}, {"X-Evpipe": "1", "Origin": "null"}):
            self.assertEqual(page.control(1, "census", headers).status, 403, headers)
        own = {"X-Evpipe": "1", "Origin": f"http://127.0.0.1:{page.port}"}
        self.assertEqual(page.control(1, "census", own).status, 202)
        self.assertEqual(page.control(1, "format-disk").status, 400)
        self.assertEqual(page.control(7, "census").status, 404)
        self.assertEqual(page.request("GET", "/api/control", {"X-Evpipe": "1"}, program=1, command="census").status, 405)
        server.stop()
        self.wait_program(page, live=False)
        self.assertEqual(page.control(1, "census").status, 409)
        self.end(process)

    def test_a_source_that_can_not_be_controlled(self):
        record = self.folder / "record"
        server = self.replay(harness.OWN_LOG, "--end", "hold", "--record", record)
        process, page = self.live(server.path)
        self.wait_program(page, controllable=False, live=True)
        answer = page.control(1, "census")
        self.assertEqual(answer.status, 409)
        self.assertIn("controllable", answer.json["error"])
        self.end(process)
        self.assertFalse(record.exists() and record.read_text().strip())


class Visitors(Case):
    BANDS = 10000

    def big_log(self, censuses, bands, step):
        """Censuses of many bands, `step` ns apart."""
        log = eventlog_writer.Log()
        log.init(breakdown=7)
        for i in range(censuses):
            log.census((i + 1) * step, [(f"Some.Module.band{j}", 8 * (1 + (i * 31 + j) % 1009)) for j in range(bands)])
            log.block()
        path = self.folder / "big"
        path.write_bytes(log.data())
        return path

    def test_visitors_and_one_that_does_not_read(self):
        program = Program(self)
        process, page = self.live(program.path)
        program.begin()
        said = 0

        def say(n):
            """Censuses of many bands; the total of the last one."""
            nonlocal said
            for _ in range(n):
                said += 1
                program.log.census(said * 10**8, [(f"Some.Module.band{j}", 8 * (said + j % 1009)) for j in range(self.BANDS)])
                program.say()
            return sum(8 * (said + j % 1009) for j in range(self.BANDS))
        # The push that names all bands for the first time is larger than what may wait for a visitor: nobody is there for it.
        total = say(1)
        self.wait_program(page)
        harness.wait_for("a census", lambda: total in totals(page.history()))
        # As few as will do: a visitor who takes nothing for 75 s is sent away, and that is how long a busy machine may take to the end of this.
        deaf = self.visitor(page, deaf=True)
        visitors = [self.visitor(page) for _ in range(3)]
        for live in visitors:
            self.hello(live)

        def read():
            return sum(event.size for event in visitors[0].all("samples"))
        while read() <= 6 << 20:  # a mebibyte may wait for one, and each say(4) is about half of that
            self.wait_census(visitors, say(4))
        harness.wait_for("four to be counted", lambda: visitors[0].all("health")[-1].data["visitors"] == 4)
        for live in visitors:
            sequences = [event.data["seq"] for event in live.all("samples")]
            self.assertEqual(sequences, list(range(sequences[0], sequences[0] + len(sequences))))
            self.assertGreater(len(sequences), 8)
            self.assertEqual(live.all("lost"), [])
        self.assertEqual(visitors[0].all("health")[-1].data["nodes"][-1]["drops"], {})
        deaf.listen()
        harness.wait_for("lost", lambda: deaf.all("lost"))
        lost = deaf.events.index(deaf.all("lost")[0])
        say(1)
        harness.wait_for("what comes then", lambda: any(event.name == "samples" for event in deaf.events[lost:]))
        self.assertLess(lost, len(visitors[0].events))
        self.end(process)

    def test_visitors_leave(self):
        process, page = self.look(harness.OWN_LOG)
        watcher = self.visitor(page)
        others = [self.visitor(page) for _ in range(5)]
        harness.wait_for("six", lambda: any(event.data["visitors"] == 6 for event in watcher.all("health")))
        for live in others:
            live.close()
        harness.wait_for("one", lambda: watcher.all("health")[-1].data["visitors"] == 1)
        self.end(process)

    def test_evpipe_ends_with_visitors_connected(self):
        server = self.replay(harness.OWN_LOG, "--end", "hold")
        process, page = self.live(server.path)
        self.wait_program(page)
        visitors = [self.visitor(page) for _ in range(5)] + [self.visitor(page, None), self.visitor(page, deaf=True)]
        for live in visitors[:6]:
            self.hello(live)
        self.end(process)
        for live in visitors[:6]:
            harness.wait_for("the end of the stream", lambda live=live: live.over)

    def test_a_visitor_comes_back_after_a_restart_of_evpipe(self):
        server = self.replay(harness.OWN_LOG, "--end", "hold", "--now")
        port = harness.free_port()
        for name in ("first", "second"):
            process, page = self.live(server.path, port=port, name=name)
            self.wait_program(page)
            live = self.visitor(page)
            self.hello(live)
            harness.wait_for("history", lambda: page.history()["heap"]["time"])
            self.end(process)
            harness.wait_for("the end of the stream", lambda live=live: live.over)

    def test_requests_while_the_queue_is_full(self):
        """A log is read as fast as it goes while eight clients ask without a pause: nothing of it is lost."""
        censuses = 1500 if harness.PATIENCE == 1 else 300
        log = self.big_log(censuses, 200, 10**9)
        text = harness.copies(PIPELINE, log=log, clock="recorded", pace="max", history="never", more=", queue: {max_size: 1MiB}")
        process = self.evpipe(text)
        page = self.page_of(process)
        stop, answers = threading.Event(), collections.Counter()

        def ask():
            while not stop.is_set():
                answer = page.request("GET", "/api/history", program=1, columns=2000, bands=500)
                answers[answer.status] += 1
                if answer.status == 200:
                    answer.json
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            asking = [pool.submit(ask) for _ in range(8)]
            try:
                harness.wait_for("the program", lambda: page.programs())
                self.wait_over(page, seconds=120)
                harness.wait_for("more than one answer for each", lambda: answers[200] > 8)
            finally:
                stop.set()
            for each in asking:
                each.result()
        self.assertEqual(set(answers) - {200, 404}, set())
        census = page.history(columns=2000, bands=500)["census"]
        self.assertEqual(len(census["time"]), censuses)
        self.assertEqual(census["total"], [sum(8 * (1 + (i * 31 + j) % 1009) for j in range(200)) for i in range(censuses)])
        self.end(process)


class Memory(Case):
    """24 hours of it, read at once, stay within the bound; and what is left was measured. (Under a sanitizer six, in a quarter of the memory.)"""

    SHARE = 1 if harness.PATIENCE == 1 else 4
    SECONDS, BANDS, LIMIT = 86400 // SHARE, 60, (8 << 20) // SHARE

    def value(self, i, j):
        return 8 * (1 + (i * 7919 + j * 104729) % 100003)

    def write_day(self, path):
        """As eventlog_writer does, but with only the sizes packed anew for each census."""
        log = eventlog_writer.Log()
        log.init(breakdown=7)
        begin = log.data(end=False)
        labels = [eventlog_writer.string(f"Some.Module.constructor{j}") for j in range(self.BANDS)]
        row = struct.Struct(">HQHBQ")
        with open(path, "wb") as file:
            file.write(begin)
            for i in range(self.SECONDS):
                now = (i + 1) * 10**9
                rows = b"".join(row.pack(eventlog_writer.SAMPLE_STRING, now, 9 + len(label), 0, self.value(i, j)) + label
                                for j, label in enumerate(labels))
                body = (eventlog_writer.record(eventlog_writer.SAMPLE_BEGIN, now, bytes(8)) + rows +
                        eventlog_writer.record(eventlog_writer.SAMPLE_END, now, bytes(8)))
                file.write(eventlog_writer.record(eventlog_writer.BLOCK_MARKER, now, struct.pack(">IQH", 24 + len(body), now, 0xFFFF)) + body)
            file.write(b"\xff\xff")

    def test_a_day_stays_within_the_bound(self):
        path = self.folder / "day"
        self.write_day(path)
        text = harness.copies(PIPELINE, log=path, clock="recorded", pace="max", history="never", more=f", max_size: {self.LIMIT >> 20}MiB, queue: {{max_size: 4MiB}}")
        process = self.evpipe(text)
        page = self.page_of(process)
        before, largest = resident(process.pid), 0

        def over():
            nonlocal largest
            largest = max(largest, resident(process.pid))
            return any(program["state"] != "open" for program in page.programs())
        harness.wait_for("the day to be over", over, 180)
        live = self.visitor(page)
        health = harness.wait_for("health", lambda: live.all("health"))[0].data
        self.assertLessEqual(health["history"]["size"], self.LIMIT)
        self.assertGreater(health["history"]["thinned"], 3)
        self.assertGreater(health["history"]["size"], self.LIMIT / 2)
        if harness.PATIENCE == 1:  # a sanitizer has memory of its own
            self.assertLess(largest - before, self.LIMIT + (8 << 20), f"{before >> 20} MiB, then {largest >> 20} MiB")
        history = page.history(columns=2000, bands=500)
        census = history["census"]
        self.assertGreater(census["time"][-1] - census["time"][0], 0.9 * self.SECONDS)
        begin = eventlog_writer.Log.epoch // 10**9 + 1
        for at, when in enumerate(census["time"]):
            i = round(when) - begin
            expected = {f"Some.Module.constructor{j}": self.value(i, j) for j in range(self.BANDS)}
            self.assertEqual({band["name"]: band["values"][at] for band in census["bands"]}, expected)
        self.end(process)
        print(f"{self.SECONDS // 3600} h: history {health['history']['size'] >> 10} KiB, thinned {health['history']['thinned']} times, resident {before >> 20} MiB before, {largest >> 20} MiB at most")


if __name__ == "__main__":
    harness.main()
