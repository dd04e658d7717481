#!/usr/bin/env python3
"""The JSON of the Grafana dashboards is of Grafana's own types (npm's @grafana/schema), down to the options of each panel."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import harness
import back_ends
import grafana

# Grafana's types have enumerations, which a text is not of even if it is one of their values: Plain<> makes them texts. An
# annotation has keys of its data source, which are not in Grafana's type: they are here.
TYPES = """
import type * as d from "@grafana/schema/dist/types/raw/dashboard/x/types.gen";
import type * as heatmap from "@grafana/schema/dist/types/raw/composable/heatmap/panelcfg/x/types.gen";
import type * as stat from "@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen";
import type * as table from "@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen";
import type * as text from "@grafana/schema/dist/types/raw/composable/text/panelcfg/x/types.gen";
import type * as timeseries from "@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen";

type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends (infer E)[] ? Plain<E>[] : T extends object ? {[K in keyof T]: Plain<T[K]>} : T;
type Deep<T> = T extends (infer E)[] ? E[] : T extends object ? {[K in keyof T]?: Deep<T[K]>} : T;

interface InfluxTarget {refId: string; datasource: d.DataSourceRef; query: string; rawQuery: true; resultFormat: "time_series" | "table"; alias?: string}
interface PromTarget {refId: string; datasource: d.DataSourceRef; expr: string; range: boolean; instant: boolean;
  format: "time_series" | "table" | "heatmap"; editorMode: "code"; legendFormat?: string}
interface PanelOf<Type extends string, Options, Custom> extends Omit<Plain<d.Panel>, "type" | "options" | "fieldConfig" | "targets"> {
  type: Type;
  options: Deep<Plain<Options>>;
  fieldConfig?: Omit<Plain<d.FieldConfigSource>, "defaults"> & {defaults: Omit<Plain<d.FieldConfig>, "custom"> & {custom?: Deep<Plain<Custom>>}};
  targets?: (InfluxTarget | PromTarget)[];
}
type Panel = Plain<d.RowPanel> | PanelOf<"timeseries", timeseries.Options, timeseries.FieldConfig> | PanelOf<"table", table.Options, table.FieldConfig>
  | PanelOf<"stat", stat.Options, {}> | PanelOf<"text", text.Options, {}> | PanelOf<"heatmap", heatmap.Options, heatmap.FieldConfig>;

interface Columns {textColumn: string; titleColumn: string; tagsColumn: string; timeEndColumn: string}
type BuiltIn = Plain<d.AnnotationQuery>;
type InfluxAnnotation = Omit<BuiltIn, "target"> & Columns & {query: string;
  target: Columns & {fromAnnotations: true; query: string; rawQuery: true; refId: string; resultFormat: "table"}};
type PromAnnotation = Omit<BuiltIn, "target"> & {expr: string; step: string; titleFormat: string; textFormat: string; tagKeys: string;
  useValueForTime: boolean; target: {expr: string; interval: string; refId: string}};
type Variable = Plain<d.VariableModel> & {definition: string};

export interface Checked extends Omit<Plain<d.Dashboard>, "panels" | "annotations" | "templating"> {
  panels: Panel[];
  annotations: {list: (BuiltIn | InfluxAnnotation | PromAnnotation)[]};
  templating: {list: Variable[]};
}
"""
TSC = ["--noEmit", "--strict", "--skipLibCheck", "--module", "commonjs", "--moduleResolution", "node10", "--target", "es2022"]


def npm_packages():
    """The folder in which @grafana/schema and typescript are; fetched once."""
    folder = back_ends.CACHE / "grafana-types"
    if not (folder / "node_modules" / "typescript" / "bin" / "tsc").exists() or not (folder / "node_modules" / "@grafana" / "schema").exists():
        if not shutil.which("npm") or not shutil.which("node"):
            harness.skip("npm and node are not installed")
        folder.mkdir(parents=True, exist_ok=True)
        got = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefix", folder, "@grafana/schema@12", "typescript@5"],
                             capture_output=True, text=True, check=False, timeout=120)
        if got.returncode:
            harness.skip(f"npm could not fetch @grafana/schema and typescript: {got.stderr.strip()[-300:]}")
    return folder


class Types(unittest.TestCase):
    def compiled(self, boards):
        """What TypeScript says of dashboards (names and JSON): empty if they are of Grafana's types."""
        packages = npm_packages()
        with tempfile.TemporaryDirectory(dir=packages) as folder:
            pathlib.Path(folder, "types.ts").write_text(TYPES)
            for name, content in boards:
                pathlib.Path(folder, name + ".ts").write_text(
                    f'import type {{Checked}} from "./types";\nexport const board: Checked = {json.dumps(content, indent=2)};\n')
            done = subprocess.run([packages / "node_modules" / ".bin" / "tsc", *TSC, *(f"{name}.ts" for name, _ in boards)], cwd=folder,
                                  capture_output=True, text=True, check=False, timeout=120)
        return done.stdout + done.stderr

    def test_dashboards_are_of_grafanas_types(self):
        self.assertEqual(self.compiled([(board.path.stem, board.json) for board in grafana.dashboards()]), "")

    def test_the_check_finds_mistakes(self):
        def broken(change):
            content = json.loads(grafana.dashboards("influxdb")[1].text)
            change(content)
            return content
        changes = {
            "misspelt": lambda board: board.update(refreshh="5s"),
            "number": lambda board: board["panels"][1]["gridPos"].update(w="14"),
            "drawn": lambda board: board["panels"][1]["fieldConfig"]["defaults"]["custom"].update(drawStyle="curve"),
            "colour": lambda board: board["panels"][1]["fieldConfig"]["defaults"]["color"].update(mode="rainbow"),
            "target": lambda board: board["panels"][1]["targets"][0].update(expression="up"),
        }
        said = self.compiled([(name, broken(change)) for name, change in changes.items()])
        for name in changes:
            self.assertRegex(said, rf"(?m)^{name}\.ts\(\d+,\d+\): error", name)


if __name__ == "__main__":
    harness.main()
