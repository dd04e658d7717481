#!/usr/bin/env python3
"""Each query of the Grafana dashboards finds data in real back ends that evpipe filled from recorded programs.

Grafana itself is not here (no package of it is to be had): its queries are made as it makes them.
"""
import os
import pathlib
import re
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "live"))
import harness
import back_ends
import grafana
import influx

RECIPE = harness.SOURCE / "config" / "grafana.yaml"
# Beside the recipe's program: two others, profiled by other things, and a back end that is away, so that something is lost.
OTHERS = """
sources:
  ipe: {plugin: socket, unix: "{{ipe}}", labels: {service: ipe}}
  prof: {plugin: socket, unix: "{{prof}}", labels: {service: prof}}
  itself: {plugin: internal, interval: 1s}
filters:
  bands: {plugin: heap, from: [ipe, prof]}
  collections: {plugin: gc, from: [ipe, prof]}
sinks:
  store: {plugin: influxdb, from: [bands, collections, itself], url: "{{influxdb}}", database: eventlog, create_database: true, batch: {max_delay: 200ms}}
  page: {plugin: prometheus, from: [bands, collections, itself], listen: "{{listen}}"}
  away:
    plugin: influxdb
    from: bands
    url: "{{nowhere}}"
    database: eventlog
    queue: {max_size: 64KiB}
    batch: {max_items: 10}
    retry: {initial: 100ms, max: 500ms}
"""
PRINTED = """
sources:
  log: {plugin: file, path: {{log}}}
filters:
  heap: {plugin: heap, from: log, top: 50}
sinks:
  shown: {plugin: print, from: heap, format: json}
"""


class Filled(harness.Case):
    """A back end, filled by evpipe from the recipe `grafana` and a second pipeline; the programs are still connected when it is asked."""

    @classmethod
    def setUpClass(cls):
        for plugin in ("filter-gc", "sink-prometheus"):
            if not pathlib.Path(os.environ["EVPIPE_PLUGIN_PATH"].split(":")[0], plugin + ".so").exists():
                harness.skip(f"the plugin {plugin} is not built")

    def fill(self, influxdb=None, listening=None):
        """Starts everything. `listening` is called when evpipe can be scraped and no program has said anything yet."""
        nowhere = f"http://127.0.0.1:{harness.free_port()}"
        self.listen = [f"127.0.0.1:{harness.free_port()}" for _ in range(2)]
        logs = {"app": harness.OWN_LOG, "ipe": harness.DATA / "ipe-9103-hi.eventlog", "prof": harness.DATA / "prof-966-hc.eventlog"}
        paths = {name: self.folder / (name + ".sock") for name in logs}
        self.main = self.evpipe(RECIPE, name="recipe", environment={
            "GHC_EVENTLOG_UNIX_PATH": str(paths["app"]), "EVPIPE_SERVICE": "oddball", "INFLUXDB_URL": influxdb or nowhere,
            "INFLUXDB_DATABASE": "eventlog", "EVPIPE_PROMETHEUS": self.listen[0]})
        self.others = self.evpipe(harness.copies(OTHERS, ipe=paths["ipe"], prof=paths["prof"], influxdb=influxdb or nowhere, nowhere=nowhere,
                                                 listen=self.listen[1]), name="others")
        if listening:
            listening()
        servers = [self.replay(log, "--now", "--pace", "realtime", "--end", "hold", name=name) for name, log in logs.items()]
        for server in servers:
            harness.wait_for(lambda: f"the end of {server.name}: {self.main.err()}{self.others.err()}",
                             lambda: "end of the log" in server.err() or not self.main.running() or not self.others.running(), 60)
            self.assertIn("end of the log", server.err(), self.main.err() + self.others.err())

    def end(self):
        """Both end soundly; what a back end that is away has not got is given up by a second signal."""
        for process in (self.main, self.others):
            process.send(signal.SIGTERM)
        for process in (self.main, self.others):
            self.wait_err(process, "stopping: ")
            process.stop()
            self.check_sound(process)

    def last_census(self):
        """Band and bytes of the newest census of the recipe's program, by the sink print."""
        status, out, err = self.run_evpipe(harness.copies(PRINTED, log=harness.OWN_LOG), name="printed")
        self.assertEqual(status, 0, err)
        rows = [item for item in harness.json_lines(out) if item.get("name") == "ghc_heap_census_bytes"]
        # The end of the stream takes every band back, as 0: no census.
        newest = max(row["time"] for row in rows if row["value"])
        census = {row["labels"]["band"]: row["value"] for row in rows if row["time"] == newest and row["value"]}
        self.assertGreater(len(census), 10)
        return census

    def wait_data(self, query, found):
        """Batches, scrapes and rounds of `internal` take a moment: until the query finds something, or fails saying which it is.

        Of all queries together no longer than the first of them may take."""
        left = max(self.patience - time.monotonic(), 0.1)
        try:
            return harness.wait_for(f"data for {query.where}: {query.text}", found, left / harness.PATIENCE)
        except harness.Failed as failed:
            self.fail(str(failed))

    def check_all(self, board, values, choices):
        """Every variable, panel and annotation of a dashboard, for each of the choices (variable's name to value)."""
        self.patience = time.monotonic() + 30 * harness.PATIENCE
        for chosen in choices:
            interpolation = grafana.Interpolation(self.kind)
            for variable in board.variables:
                query = grafana.Query(f"{board.title}: variable {variable['name']}", self.kind, variable["query"], "variable", variable)
                name, value = variable["name"], chosen.get(variable["name"])
                wanted = {value} if isinstance(value, str) else set(value or [])
                with self.subTest(query.where, chosen=chosen):
                    # (A new time range each time: programs say more while we wait.)
                    self.wait_data(query, lambda: wanted <= set(values(query, self.ranged(interpolation))) and values(query, self.ranged(interpolation)))
                interpolation.choose(variable, value)
            for query in [*board.panel_queries(), *board.annotation_queries()]:
                with self.subTest(query.where, chosen=chosen):
                    self.wait_data(query, lambda: self.found(query, self.ranged(interpolation)))

    def ranged(self, interpolation):
        fresh = grafana.Interpolation(self.kind)
        fresh.variables = interpolation.variables
        return fresh


HEAP_CHOICES = [{"service": "oddball", "breakdown": "closure_type"},
                {"service": "oddball", "breakdown": "closure_type", "band": ["ghc-prim:GHC.Types.:", "STACK"]}]
GC_CHOICES = [{}, {"service": ["oddball"]}, {"service": ["ipe", "prof", "oddball"]}]


class InfluxDB(Filled):
    kind = "influxdb"

    def ask(self, query, interpolation):
        return self.influx.query(interpolation(query.text))

    def values(self, query, interpolation):
        series = self.ask(query, interpolation)[:1]  # Grafana takes the first only
        return [value for part in series for _, value in part["values"]]

    def found(self, query, interpolation):
        """Its rows; empty if there is no number or text in it, only times and tags."""
        series = self.ask(query, interpolation)
        rows = [row for part in series for row in part["values"] if any(value is not None for value in row[1:])]
        if query.form in ("table", "annotation"):
            self.assertLessEqual(len(series), 1, "a table of several series has their tags in any order in Grafana 11")
            self.assertTrue(all(None not in row[1:2] for row in rows))
        if "alias" in query.target:
            for tag in re.findall(r"\$tag_(\w+)", query.target["alias"]):
                self.assertTrue(all(tag in part["tags"] for part in series), tag)
        if query.form == "annotation":
            self.assertTrue(all(query.target["textColumn"] in part["columns"] for part in series))
        return rows

    def test_every_query_finds_data(self):
        self.influx = influx.Influx(self)
        self.fill(influxdb=self.influx.url)
        boards = {board.uid: board for board in grafana.dashboards(self.kind)}
        self.check_all(boards["evpipe-heap-influxdb"], self.values, HEAP_CHOICES)
        self.check_all(boards["evpipe-gc-influxdb"], self.values, GC_CHOICES)
        self.check_latest_census(boards["evpipe-heap-influxdb"])
        self.check_bands_add_up(boards["evpipe-heap-influxdb"])
        self.check_info_tables(boards["evpipe-heap-influxdb"])
        self.check_pauses(boards["evpipe-gc-influxdb"])
        self.end()

    def chosen(self, board, **values):
        interpolation = grafana.Interpolation(self.kind)
        for variable in board.variables:
            interpolation.choose(variable, values.get(variable["name"]))
        return interpolation

    def asked(self, board, title, number=0, **values):
        query = board.query(title, board.panel(title)["targets"][number])
        return self.ask(query, self.chosen(board, **values))

    def check_latest_census(self, board):
        """The panel "Latest Heap Census" has the bands and numbers that `print` has for the log."""
        wanted = self.last_census()

        def got():
            series, = self.asked(board, "Latest Heap Census", service="oddball", breakdown="closure_type")
            columns = series["columns"]
            return {row[columns.index("band")]: row[columns.index("residency")] for row in series["values"]}
        harness.wait_for(lambda: f"the newest census to be there: {wanted}, not {got()}", lambda: got() == wanted)

    def check_bands_add_up(self, board):
        """Stacked, the bands reach the sum of the census, in every interval."""
        bands = {}
        for series in self.asked(board, "Heap Samples", service="oddball", breakdown="closure_type"):
            for at, value in series["values"]:
                bands[at] = bands.get(at, 0) + value
        total, = self.asked(board, "Profiled", service="oddball", breakdown="closure_type")
        self.assertGreater(len(bands), 3)
        self.assertEqual(bands, {at: value for at, value in total["values"]})

    def check_info_tables(self, board):
        """Bands of info tables are told apart by module and place, which the table and the legend show."""
        series, = self.asked(board, "Latest Heap Census", service="ipe", breakdown="info_table")
        self.assertTrue(any(row[series["columns"].index("srcloc")] for row in series["values"]))
        tags = [part["tags"] for part in self.asked(board, "Heap Samples", service="ipe", breakdown="info_table")]
        self.assertTrue(any(tag["srcloc"] for tag in tags))
        self.assertEqual(len({tuple(sorted(tag.items())) for tag in tags}), len(tags))

    def check_pauses(self, board):
        """The bars of all lengths together are the pauses there were: the counter's rise."""
        series, = self.asked(board, "Pauses by length", service="oddball")
        bars = sum(value or 0 for row in series["values"] for value in row[1:])
        counts = [value for part in self.influx.query("SELECT count FROM ghc_gc_pause_seconds WHERE service = 'oddball' GROUP BY generation")
                  for value in [max(row[1] for row in part["values"])]]
        self.assertGreater(bars, 50)
        self.assertLessEqual(bars, sum(counts))
        self.assertTrue(all(value >= 0 for row in series["values"] for value in row[1:] if value is not None))


class Prometheus(Filled):
    kind = "prometheus"
    back_end = back_ends.Prometheus

    def values(self, query, interpolation):
        series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", interpolation(query.text)).groups()
        return self.server.label_values(label, series, interpolation.begin, interpolation.end)

    def found(self, query, interpolation):
        """Its samples that are numbers: a quantile of nothing is NaN."""
        text = interpolation(query.text)
        if query.form == "table":
            samples = [series["value"] for series in self.server.instant(text)]
        else:
            step = query.target.get("step", "1s")
            found = self.server.range(text, interpolation.begin, interpolation.end, step)
            for label in re.findall(r"\{\{(\w+)\}\}", query.target.get("legendFormat", "")):
                if label not in ("module", "srcloc", "signal"):
                    self.assertTrue(all(label in series["metric"] for series in found), f"{query.where}: {label}")
            samples = [sample for series in found for sample in series["values"]]
        return [sample for sample in samples if sample[1] != "NaN"]

    def test_every_query_finds_data(self):
        def listening():
            self.server = self.back_end(self, self.listen)
            self.server.wait_scraped(2)
        self.fill(listening=listening)
        boards = {board.uid: board for board in grafana.dashboards(self.kind)}
        self.check_all(boards["evpipe-heap-prometheus"], self.values, HEAP_CHOICES)
        self.check_all(boards["evpipe-gc-prometheus"], self.values, GC_CHOICES)
        self.check_latest_census(boards["evpipe-heap-prometheus"])
        self.end()

    def check_latest_census(self, board):
        interpolation = grafana.Interpolation(self.kind)
        for variable in board.variables:
            interpolation.choose(variable, {"service": "oddball", "breakdown": "closure_type"}.get(variable["name"]))
        text = interpolation(board.panel("Latest Heap Census")["targets"][0]["expr"])
        wanted = self.last_census()

        def got():
            return {series["metric"]["band"]: int(float(series["value"][1])) for series in self.server.instant(text)}
        harness.wait_for(lambda: f"the newest census to be scraped: {wanted}, not {got()}", lambda: got() == wanted)


class VictoriaMetrics(Prometheus):
    back_end = back_ends.VictoriaMetrics


if __name__ == "__main__":
    harness.main()
