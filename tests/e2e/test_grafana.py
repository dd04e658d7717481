#!/usr/bin/env python3
"""The files of config/grafana are sound in themselves, and agree with each other, with docs/metrics.md and with the compose files."""
import json
import re
import unittest

import harness
import grafana


class Files(unittest.TestCase):
    maxDiff = 4000

    def test_there_are_four(self):
        self.assertEqual([(len(grafana.dashboards(kind)), kind) for kind in ("influxdb", "prometheus")], [(2, "influxdb"), (2, "prometheus")])
        self.assertEqual(len(grafana.dashboards()), 4)

    def test_are_as_grafana_exports_them(self):
        """Sorted keys, two blanks: what was changed in Grafana and exported again differs from the file only where it was changed."""
        for dashboard in grafana.dashboards():
            self.assertTrue(json.dumps(dashboard.json, indent=2, sort_keys=True, ensure_ascii=False) + "\n" == dashboard.text, dashboard.path)

    def test_uids_and_titles_are_unique(self):
        everything = grafana.dashboards()
        for what in ([board.uid for board in everything], [board.title for board in everything]):
            self.assertEqual(len(set(what)), len(what))
        for board in everything:
            self.assertRegex(board.uid, r"^[a-z0-9-]{1,40}$")
            self.assertIsNone(board.json["id"])  # given by the Grafana that reads it

    def test_panels_have_ids_and_places_of_their_own(self):
        for board in grafana.dashboards():
            ids = [panel["id"] for panel in board.panels]
            self.assertEqual(len(set(ids)), len(ids), board.path)
            taken = {}
            for panel in board.panels:
                place = panel["gridPos"]
                self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
                for x in range(place["x"], place["x"] + place["w"]):
                    for y in range(place["y"], place["y"] + place["h"]):
                        self.assertIsNone(taken.setdefault((x, y), None), f"{board.path}: {panel['title']} and {taken[x, y]}")
                        taken[x, y] = panel["title"]

    def test_targets_have_letters_of_their_own(self):
        for board in grafana.dashboards():
            for panel in board.panels:
                letters = [target["refId"] for target in panel.get("targets", [])]
                self.assertEqual(len(set(letters)), len(letters), panel["title"])

    def test_data_sources_are_provisioned(self):
        sources = [source for file in grafana.provisioned("datasources") for source in file["datasources"]]
        known = {(source["type"], source["uid"]) for source in sources}
        self.assertEqual(len(known), len(sources))
        for board in grafana.dashboards():
            used = [place["datasource"] for panel in board.panels for place in [panel, *panel.get("targets", [])] if "datasource" in place]
            used += [part["datasource"] for part in board.variables + board.annotations]
            self.assertGreater(len(used), 10)
            self.assertLessEqual({(source["type"], source["uid"]) for source in used}, known, board.path)
            self.assertEqual(len({source["uid"] for source in used}), 1, board.path)  # one can be without the other

    def test_scrape_interval_of_the_compose_files(self):
        """$__rate_interval is made from what Grafana is told of it."""
        scrape = harness.SOURCE / "config" / "prometheus" / "prometheus.yml"
        if not scrape.exists():
            harness.skip("config/prometheus/prometheus.yml is not there")
        told, = [source["jsonData"]["timeInterval"] for file in grafana.provisioned("datasources") for source in file["datasources"]
                 if source["type"] == "prometheus"]
        self.assertEqual(told, grafana.read_yaml(scrape)["global"]["scrape_interval"])

    def test_annotations_say_the_same_twice(self):
        """Grafana 11 and 12 look for the query in different places."""
        for board in grafana.dashboards():
            self.assertTrue(board.annotations, board.title)
            for annotation in board.annotations:
                for key in ("query", "expr", "textColumn"):
                    self.assertEqual(annotation.get(key), annotation["target"].get(key), annotation["name"])

    def test_no_password_is_in_the_provisioning(self):
        """They come from the environment."""
        for path in (grafana.FOLDER / "provisioning" / "datasources").glob("*.yml"):
            for value in re.findall(r"^ *(?:password|user|dbName): (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE):
                self.assertRegex(value, r"^\$[A-Z_]+$")

    def test_every_metric_is_documented(self):
        page = (harness.SOURCE / "docs" / "metrics.md").read_text(encoding="utf-8")
        documented = dict(re.findall(r"^\| `([a-z_]+)` \| (\w+) \|", page, re.MULTILINE))
        for board in grafana.dashboards():
            texts = [query.text for query in [*board.panel_queries(), *board.annotation_queries()]] + [variable["query"] for variable in board.variables]
            for text in texts:
                names = set(re.findall(r"\b(?:ghc|evpipe|process)_[a-z_]+\b", text)) - {"ghc_log"}
                self.assertTrue(names or "ghc_log" in text, text)
                for name in names:
                    plain = re.sub(r"_(bucket|sum|count)$", "", name)
                    self.assertTrue(name in documented or documented.get(plain) == "histogram", f"{board.path}: {name}")

    def test_both_kinds_show_the_same(self):
        """Heap Stats has the predecessor's panels; for Prometheus it is the same, but for what Prometheus can not have."""
        only = {"Markers and messages", "What runs", "Mean pause", "Pauses", "Thread labels"}
        titles = {board.uid: {panel["title"] for panel in board.panels} for board in grafana.dashboards()}
        self.assertLessEqual({"Memory Usage", "Latest Heap Census", "Heap Samples"}, titles["evpipe-heap-influxdb"])
        for subject in ("heap", "gc"):
            self.assertEqual(titles[f"evpipe-{subject}-influxdb"] - only, titles[f"evpipe-{subject}-prometheus"] - only)

    def test_the_recipe_of_the_compose_files_feeds_them_too(self):
        recipe, compose = (harness.SOURCE / "config" / name for name in ("grafana.yaml", "compose.yaml"))
        if not compose.exists():
            harness.skip("config/compose.yaml is not there")
        feeds = [{sink["plugin"]: sink["from"] for sink in grafana.read_yaml(path)["sinks"].values()} for path in (recipe, compose)]
        for plugin in ("influxdb", "prometheus"):
            self.assertEqual(feeds[0][plugin], feeds[1][plugin])

    def test_the_page_has_all_of_them(self):
        page = (harness.SOURCE / "docs" / "grafana.md").read_text(encoding="utf-8")
        self.assertEqual(sorted(re.findall(r"^\| `(\S+\.json)` \| ([^|]+) \|", page, re.MULTILINE)),
                         sorted((board.path.name, board.title) for board in grafana.dashboards()))

    def test_refresh_and_range_are_the_predecessors(self):
        for board in grafana.dashboards():
            self.assertEqual((board.json["refresh"], board.json["time"]), ("5s", {"from": "now-15m", "to": "now"}))


if __name__ == "__main__":
    harness.main()
