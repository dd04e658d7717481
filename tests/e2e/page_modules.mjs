// Units of the dashboard's page that need no browser. Run by test_page.py, which puts the modules into the folder PAGE_MODULES.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import test from "node:test";

const load = (name) => import(pathToFileURL(`${process.env.PAGE_MODULES}/${name}`));
const format = await load("format.js");
const { Stack, rates } = await load("stack.js");
const { emptyWords, waitingWords } = await load("empty.js");
const { Columns, View, keepLarger, keepLargest, keepLast } = await load("view.js");
const { Slots, mix, slotColour, slotTexture } = await load("palette.js");

test("bytes are in powers of 1024, three digits that matter", () => {
  const cases = [[0, "0 B"], [1, "1 B"], [1023, "1023 B"], [1024, "1.00 KiB"], [10240, "10.0 KiB"], [1047961, "1023 KiB"], [1048571, "1.00 MiB"], [5.5 * 2 ** 30, "5.50 GiB"],
                 [2 ** 50, "1024 TiB"], [NaN, "–"], [null, "–"], [undefined, "–"]];
  for (const [value, text] of cases) assert.equal(format.bytes(value), text);
});

test("lengths of time", () => {
  const cases = [[0, "0 s"], [1.5e-6, "1.50 µs"], [0.00099949, "999 µs"], [0.0009996, "1.00 ms"], [0.0123, "12.3 ms"], [0.9999, "1.00 s"], [59.94, "59.9 s"], [125, "2 min 5 s"],
                 [3600, "1 h"], [12000, "3 h 20 min"], [90061, "1 d 1 h"]];
  for (const [value, text] of cases) assert.equal(format.seconds(value), text);
});

test("counts, shares, axes", () => {
  assert.deepEqual([0, 999, 1000, 1234, 999499, 999500, 2.5e9].map(format.count), ["0", "999", "1.00 k", "1.23 k", "999 k", "1.00 M", "2.50 G"]);
  assert.deepEqual([[1, 4], [1, 10000], [0, 5], [5, 5], [1, 0]].map(([part, whole]) => format.percent(part, whole)), ["25.0 %", "<0.1 %", "0.0 %", "100 %", "–"]);
  assert.deepEqual(["8.00 MiB", "1.50 k/s", "10.0 ms", "100 B", "0 B", "1.25 GiB"].map(format.brief), ["8 MiB", "1.5 k/s", "10 ms", "100 B", "0 B", "1.25 GiB"]);
  for (const value of [1e-9, 0.3, 1, 7, 1023, 1024, 99999, 3e12]) {
    for (const binary of [true, false]) {
      const end = format.ceiling(value, binary);
      assert.ok(end >= value && end <= 1.7 * value, `${value} ${end}`);
    }
  }
  assert.equal(format.roomFor(100), 120);
  assert.equal(format.roomFor(100000), 172800);
});

test("a stack adds up, and knows what lies where", () => {
  const stack = new Stack().build([[1, 2, NaN], [10, 0, 5]], 3);
  assert.deepEqual([...stack.tops[1].subarray(0, 3)], [11, 2, 5]);
  assert.equal(stack.highest(), 11);
  assert.equal(stack.highest(1), 5);
  assert.deepEqual([stack.levelAt(0, 0.5), stack.levelAt(0, 1), stack.levelAt(0, 11), stack.levelAt(0.5, 1.4), stack.levelAt(0.5, 1.6)], [0, 1, -1, 0, 1]);
});

test("rates: over a least time, none in the first column or where the total falls", () => {
  const rate = [...rates([0, 1, 2, 2.1, 3], [0, 10, 20, 29, 4], 5, 1, () => false).subarray(0, 5)];
  assert.ok(Number.isNaN(rate[0]) && Number.isNaN(rate[4]));
  assert.deepEqual(rate.slice(1, 3), [10, 10]);
  assert.ok(Math.abs(rate[3] - 19 / 1.1) < 1e-9, String(rate[3]));
  const runs = [...rates([0, 1, 2, 3, 4], [0, 10, 20, 30, 41], 5, 2, (before, after) => before < 3 && after >= 3).subarray(0, 5)];
  assert.deepEqual(runs, [NaN, 10, 10, NaN, 11]);
});

test("rates: a burst at the beginning is not made a rate of", () => {
  const burst = [...rates([0, 0.1, 0.3, 0.6, 1.2], [0, 90, 90, 90, 100], 5, 1, () => false).subarray(0, 5)];
  assert.deepEqual(burst.slice(0, 4), [NaN, NaN, NaN, 150]);
  assert.ok(Math.abs(burst[4] - 10 / 1.1) < 1e-9 || Math.abs(burst[4] - 100 / 1.2) < 1e-9, String(burst[4]));
});

test("columns: one a step, late rows where they belong, room that does not grow", () => {
  const columns = new Columns(1, keepLarger(0), 64);
  for (const [time, value] of [[1.1, 5], [1.2, 7], [1.3, 6], [3.5, 1], [2.5, 9], [2.6, 8]]) columns.append(time, [value], 1);
  assert.deepEqual([[...columns.time()], [...columns.cell(0)]], [[1.2, 2.5, 3.5], [7, 9, 1]]);
  assert.deepEqual([1, 1.2, 2.4, 99].map((time) => columns.upTo(time)), [-1, 0, 0, 2]);
  assert.deepEqual([0, 1.8, 1.9, 99].map((time) => columns.nearest(time)), [0, 0, 1, 2]);
  for (let time = 4; time < 10000; time++) {
    columns.append(time, [time % 10], 1);
    if (time > 5000) columns.forgetBefore(time - 20);
  }
  assert.equal(columns.times.length, 64);
  assert.equal(columns.last, 9999);
  assert.equal(columns.length, 22); // twenty seconds, and the column that the line comes in from
  for (let at = 1; at < columns.length; at++) assert.ok(columns.time()[at] > columns.time()[at - 1]);
});

test("columns that are thinned keep measured values", () => {
  const columns = new Columns(1, keepLarger(0), 64);
  columns.load([1, 2, 3, 4, 5], [[3, 9, 4, 1, 7]]);
  columns.thin();
  assert.deepEqual([[...columns.time()], [...columns.cell(0)]], [[2, 3, 5], [9, 4, 7]]);
  const largest = new Columns(4, keepLargest, 8);
  largest.load([1, 2], [[3, 1], [null, 5], [1, 1], [0, 1]]);
  largest.thin();
  assert.deepEqual([largest.value(0, 0), largest.value(1, 0)], [3, 5]);
  const last = new Columns(1, keepLast, 8);
  last.load([1, 2, 3], [[10, 20, 30]]);
  last.thin();
  assert.deepEqual([...last.cell(0)], [20, 30]);
});

const HISTORY = {
  step: 1, seq: 5, first: 10, last: 12, breaks: [],
  heap: { time: [10, 11], size: [100, null], live: [null, 40], blocks: [90, null] },
  pauses: [{ generation: 1, time: [11], longest: [0.5], collections: [2], seconds: [0.7] }],
  events: { time: [10, 11], classes: { gc: [1, 2] } },
  census: { breakdown: "closure_type", time: [10, 12], total: [30, 36], bands: [{ id: 1, name: "A", values: [20, 21] }, { id: 2, name: "B", values: [8, null] }], rest: [2, 15], rest_count: 1 },
  logs: [{ id: 1, time: 11, kind: "marker", body: "m" }],
};

test("a view: history, then what comes live", () => {
  const view = new View(600, 2);
  view.load(HISTORY);
  assert.deepEqual([...view.heap.cell(0)], [100, 100]);
  view.append({
    heap: { time: [13], size: [null], live: [60], blocks: [null] },
    pauses: [{ generation: 1, time: [11.5], longest: [0.6], collections: [1], seconds: [0.6] }, { generation: 0, time: [13], longest: [0.1], collections: [1], seconds: [0.1] }],
    events: { time: [13], classes: { scheduler: [7] } },
    census: { breakdown: "closure_type", new_bands: [{ id: 9, name: "C" }], time: [13], total: [50], rows: [[[1, 10], [9, 40]]] },
    logs: [{ id: 1, time: 11, kind: "marker", body: "m" }, { id: 2, time: 13, kind: "message", body: "n" }, { id: 3, time: 10.5, kind: "marker", body: "late" }],
  });
  assert.deepEqual(view.logs.map((entry) => entry.id), [3, 1, 2]);
  assert.deepEqual(view.annotations({ from: 10, to: 14 }, 12).map((entry) => entry.id), [3, 1]);
  assert.deepEqual([100, 60, 90], [0, 1, 2].map((which) => view.heap.value(which, 2)));
  assert.deepEqual(view.pauses.map((one) => [one.generation, [...one.columns.cell(0)], [...one.columns.cell(1)]]), [[0, [0.1], [1]], [1, [0.6], [3]]]);
  assert.deepEqual(view.classes, ["gc", "scheduler"]);
  assert.deepEqual([...view.events.cell(0)], [1, 2, 2]);
  assert.deepEqual(view.census.bands.map((band) => [...view.census.values(band)]), [[20, 21, 10], [8, 0, 0]]);
  assert.deepEqual([...view.census.rest()], [2, 15, 40]);
  assert.ok(view.census.outgrown(), "a band of 40 is not among the two that are shown");
  assert.deepEqual([view.first, view.last], [10, 13]);
});

test("what one run said does not hold in the next", () => {
  const view = new View(600, 2);
  view.load({ ...HISTORY, breaks: [11], heap: { time: [10, 11, 12], size: [100, null, 50], live: [40, null, null], blocks: [90, 10, 20] } });
  assert.deepEqual([...view.heap.cell(0)], [100, NaN, 50]);
  assert.deepEqual([...view.heap.cell(1)], [40, NaN, NaN]);
  view.append({ breaks: [13], heap: { time: [13, 14], size: [60, null], live: [null, 5], blocks: [null, null] } });
  assert.deepEqual([...view.heap.cell(0)], [100, NaN, 50, 60, 60]);
  assert.deepEqual([...view.heap.cell(2)], [90, 10, 20, NaN, NaN]);
});

test("a view costs what it shows, however long it is followed", () => {
  const view = new View(100, 5);
  for (let at = 0; at < 20000; at++) {
    const time = at / 10;
    view.append({ heap: { time: [time], size: [at], live: [1], blocks: [2] }, census: { breakdown: "x", new_bands: at ? [] : [{ id: 1, name: "A" }], time: [time], total: [at], rows: [[[1, at]]] } },
                { from: 0, to: Math.max(10, time) });
  }
  assert.ok(view.heap.length <= 150 && view.census.columns.length <= 150, `${view.heap.length} ${view.census.columns.length}`);
  assert.equal(view.heap.cell(0).at(-1), 19999);
});

test("a size that is held is not measured: it gives way to the one that comes in the same column", () => {
  const view = new View(600, 2);
  view.load({ ...HISTORY, census: null, heap: { time: [10, 10.5], size: [100, null], live: [90, null], blocks: [96, null] } });
  view.append({ heap: { time: [13.1, 13.2, 13.3], size: [50, null, null], live: [null, null, 20], blocks: [null, 40, null] } });
  view.append({ heap: { time: [13.4, 14.1], size: [45, null], live: [null, null], blocks: [30, null] } });
  assert.deepEqual([0, 1, 2].map((which) => view.heap.value(which, view.heap.length - 2)), [50, 20, 40]);
  assert.deepEqual([0, 1, 2].map((which) => view.heap.value(which, view.heap.length - 1)), [50, 20, 40]);
});

test("colours: each band its own, kept while it is shown", () => {
  const slots = new Slots();
  slots.assign([7, 8, 9]);
  slots.assign([9, 10, 7]);
  assert.deepEqual([7, 8, 9, 10].map((id) => slots.of(id)), [0, 0, 2, 1]);
  const looks = new Set(Array.from({ length: 50 }, (_, slot) => slotColour(slot, false) + slotTexture(slot)));
  assert.equal(looks.size, 50);
  assert.equal(mix("#000000", "rgb(200, 100, 50)", 0.5), "rgb(100, 50, 25)");
});

test("an empty chart says why", () => {
  const empty = { length: 0 };
  const view = { heap: empty, allocated: empty, events: empty, pauses: [], census: { columns: empty }, first: 10, last: 60 };
  const inputs = { events: true, metrics: ["heap", "gc"], logs: false };
  const screen = { view, program: { live: true }, inputs, had: new Set(), following: true, waiting: null, controllable: true };
  const words = (more) => emptyWords({ ...screen, ...more });
  assert.match(words().bands, /^No census yet\. .*or press Census\.$/);
  assert.match(words({ program: { live: false }, controllable: false }).bands, /^No census\. [^P]*-i1\.$/);
  assert.match(words({ following: false }).heap, /^No heap sizes in this range:/);
  assert.match(words().log, /put a filter `logs`/);
  assert.equal(words({ unmatched: true }).log, "Nothing matches the filter.");
  assert.equal(words({ said: true }).log, null);
  assert.match(words({ inputs: { ...inputs, metrics: [] } }).pauses, /put a filter `gc` .* if it is there/);
  assert.equal(words({ inputs: { ...inputs, metrics: [] }, had: new Set(["gc"]), view: { ...view, last: 15 } }).pauses, "No GC pause yet.");
  assert.equal(words({ view: { ...view, heap: { length: 1 } } }).heap, null);
  const nobody = { asking: false, program: null, view, loading: null };
  assert.match(waitingWords({ ...nobody, sources: [{ name: "app", waits_for: "/tmp/x.sock" }] }), /app \(\/tmp\/x\.sock\) not connected yet/);
  assert.equal(waitingWords({ ...nobody, program: {}, sources: [] }), null);
});

test("a range is followed, held, and gone back to", async () => {
  const { Range, rangeOf } = await load("range.js");
  assert.deepEqual([rangeOf(null), rangeOf("all"), rangeOf("60"), rangeOf("x")], [300, null, 60, 300]);
  const range = new Range(60, 1000);
  assert.deepEqual(range.span(0, 50), { from: null, to: null }); // a history shorter than the range: as it is
  assert.deepEqual(range.span(0, 100), { from: 40, to: null });
  assert.ok(range.fit(0, 100, true));
  assert.deepEqual(range.frame, { from: 40, to: 100 });
  range.zoom(50, 60);
  assert.deepEqual([range.following, range.frame, range.span(0, 100)], [false, { from: 50, to: 60 }, { from: 50, to: 60 }]);
  assert.ok(!range.fit(0, 200, true));
  range.pan(0.5);
  assert.deepEqual(range.frame, { from: 55, to: 65 });
  assert.deepEqual(range.scaled(2), [50, 70]);
  assert.ok(range.back() && range.back() && !range.back());
  assert.deepEqual([range.following, range.frame], [true, { from: 40, to: 100 }]);
  for (let i = 0; i < 200; i++) range.pan(1);
  assert.equal(range.trail.length, 50);
  range.follow(null);
  assert.ok(range.fit(10, 100, false));
  assert.deepEqual([range.frame, range.trail.length], [{ from: 10, to: 100 }, 0]);
});

test("pins that were lost are found again by their names", async () => {
  const { Pins } = await load("pins.js");
  const pins = new Pins();
  pins.set({ id: 3, name: "a" }, true);
  pins.set({ id: 4, name: "b" }, true);
  pins.set({ id: 4, name: "b" }, false);
  pins.lose();
  assert.deepEqual([pins.ids(), [...pins.lost]], [[], ["a"]]);
  assert.ok(!pins.findAmong([{ id: 7, name: "b" }]));
  assert.ok(pins.findAmong([{ id: 8, name: "a" }]));
  assert.deepEqual([pins.ids(), pins.lost.size, pins.has(8)], [[8], 0, true]);
  pins.forget();
  assert.deepEqual(pins.ids(), []);
});

test("of a crowd of markers only ticks are drawn", async () => {
  const { annotationStrokes } = await load("paint.js");
  const place = { left: 50, right: 650, top: 0, bottom: 300, scale: 1 };
  const reach = (kind, count) => annotationStrokes(kind, place, count).map(([, bottom]) => bottom);
  assert.deepEqual([reach("marker", 30), reach("message", 30)], [[300], [300]]);
  assert.deepEqual([reach("marker", 60), reach("message", 60)], [[8, 300], [5]]);
  assert.deepEqual([reach("marker", 300), reach("message", 300)], [[8], [5]]);
  assert.deepEqual(reach("marker", 0), [300]);
});
