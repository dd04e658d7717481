// The charts beside the bands: heap, allocation rate, GC pauses, events by class. Each has a table of its values below it.

import { setText } from "./bands.js";
import { Chart } from "./chart.js";
import * as format from "./format.js";
import { line, stack as paintStack, sticks } from "./paint.js";
import { Slots, fillOf, mix, slotColour, slotTexture, swatch } from "./palette.js";
import { Stack, rates } from "./stack.js";
import * as theme from "./theme.js";

const element = (id) => document.getElementById(id);

/** A table of values: a swatch, a name, a value, and what the value is of. */
class Values {
  constructor(id) {
    this.body = element(id).tBodies[0];
    this.lines = new Map();
  }

  /** `rows`: {key, name, value, note, looks: [colour, texture] or null}. */
  show(rows) {
    rows.forEach((row, at) => {
      const line = this.lines.get(row.key) ?? this.make(row);
      if (this.body.children[at] !== line.element) this.body.insertBefore(line.element, this.body.children[at] ?? null);
      setText(line.value, row.value);
      setText(line.note, row.note ?? "");
      const looks = row.looks ? row.looks.join() : "";
      if (looks !== line.looks) {
        line.looks = looks;
        if (row.looks) swatch(line.mark, ...row.looks);
      }
    });
    while (this.body.children.length > rows.length) {
      const last = this.body.lastElementChild;
      this.lines.delete(last.dataset.key);
      last.remove();
    }
  }

  make(row) {
    const line = document.createElement("tr");
    line.dataset.key = row.key;
    const head = document.createElement("th");
    head.scope = "row";
    const mark = document.createElement("span");
    mark.className = row.looks ? "swatch" : "swatch none";
    const name = document.createElement("span");
    name.textContent = row.name;
    head.append(mark, name);
    const value = document.createElement("td");
    value.className = "number";
    const note = document.createElement("td");
    note.className = "note";
    line.append(head, value, note);
    const made = { element: line, mark, value, note, looks: "" };
    this.lines.set(row.key, made);
    return made;
  }
}

class Panel {
  constructor(name, actions, options) {
    this.name = name;
    this.screen = null;
    this.hovered = null;
    this.values = new Values(name + "-values");
    this.chart = new Chart(element(name + "-chart"), {
      ...options,
      paint: (context, place) => this.screen && this.paint(context, place),
      hover: (time) => actions.hover(time),
      zoom: actions.zoom,
    });
  }

  colour(at) {
    return slotColour(at, theme.isDark());
  }

  update(screen) {
    this.screen = screen;
    this.prepare();
    this.chart.draw(screen, this.limits());
    this.tell();
  }

  setHovered(time) {
    this.hovered = time;
    if (this.screen) this.tell();
  }

  /** The column the table tells of: under the crosshair, else the last that is shown. */
  at(columns) {
    const last = columns.upTo(this.screen.until);
    return this.hovered === null ? last : Math.min(last, columns.nearest(this.hovered));
  }

  readout(columns) {
    const at = this.at(columns);
    setText(element(this.name + "-readout"), at < 0 ? "" : `at ${format.clock(columns.time()[at])}`);
    return at;
  }

  isBetweenRuns = (before, after) => this.screen.view.isBetweenRuns(before, after);

  prepare() {}

  highest(columns, cells) {
    let highest = 0;
    const begin = Math.max(0, columns.upTo(this.screen.frame.from));
    for (const cell of cells) for (let at = begin; at < columns.length; at++) if (cell[at] > highest) highest = cell[at];
    return highest;
  }
}

const MBLOCK = 1 << 20;

/** Over how long a rate is taken at least: programs write their events by buffers, so that what lies closer together is ragged. */
function rateLength({ view, frame }) {
  return Math.max(3 * view.step, Math.min(1, (frame.to - frame.from) / 15));
}

class HeapPanel extends Panel {
  constructor(actions) {
    super("heap", actions, { label: "Heap size, blocks and live bytes; values are in the table below", unit: format.bytes, binary: true });
  }

  limits() {
    const { heap } = this.screen.view;
    return [0, format.ceiling(this.highest(heap, [0, 1, 2].map((which) => heap.cell(which))), true)];
  }

  paint(context, place) {
    const { heap } = this.screen.view;
    const length = heap.upTo(this.screen.until) + 1;
    const draw = (which, looks) => line(context, place, heap.time(), heap.cell(which), length, this.isBetweenRuns, looks);
    draw(0, { colour: this.colour(0), fill: mix(this.colour(0), this.chart.colours.surface, 0.86) });
    draw(2, { colour: this.colour(1), dash: [6, 3] });
    draw(1, { colour: this.colour(2), width: 2, fill: mix(this.colour(2), this.chart.colours.surface, 0.72) });
  }

  tell() {
    const { heap, memory } = this.screen.view;
    const at = this.readout(heap), memoryAt = this.at(memory);
    const mblocks = (which) => memory.value(which, memoryAt) * MBLOCK;
    this.values.show([
      { key: "size", name: "size", value: format.bytes(heap.value(0, at)), note: "held by the heap", looks: [this.colour(0), 0] },
      { key: "blocks", name: "blocks", value: format.bytes(heap.value(2, at)), note: "of it, in use", looks: [this.colour(1), 0] },
      { key: "live", name: "live", value: format.bytes(heap.value(1, at)), note: "after the last major GC", looks: [this.colour(2), 0] },
      { key: "mblocks", name: "megablocks", value: format.bytes(mblocks(0)),
        note: memoryAt < 0 ? "" : `${format.bytes(mblocks(1))} needed, ${format.bytes(mblocks(2))} given back`, looks: null },
    ]);
  }
}

class AllocationPanel extends Panel {
  constructor(actions) {
    super("allocation", actions, { label: "Allocation rate; values are in the table below", unit: format.bytesRate, binary: true });
  }

  prepare() {
    const { allocated } = this.screen.view;
    this.rate = rates(allocated.time(), allocated.cell(0), allocated.length, rateLength(this.screen), this.isBetweenRuns, this.rate);
  }

  limits() {
    return [0, format.ceiling(this.highest(this.screen.view.allocated, [this.rate]), true)];
  }

  paint(context, place) {
    const { allocated } = this.screen.view;
    const length = allocated.upTo(this.screen.until) + 1;
    line(context, place, allocated.time(), this.rate, length, this.isBetweenRuns, { colour: this.colour(8), fill: mix(this.colour(8), this.chart.colours.surface, 0.8) });
  }

  tell() {
    const { allocated } = this.screen.view;
    const at = this.readout(allocated);
    const begin = Math.max(0, allocated.upTo(this.screen.frame.from)), last = allocated.upTo(this.screen.until);
    const took = last > begin ? allocated.time()[last] - allocated.time()[begin] : NaN;
    const more = allocated.value(0, last) - allocated.value(0, begin);
    this.values.show([
      { key: "rate", name: "rate", value: at > 0 ? format.bytesRate(this.rate[at]) : format.NONE, note: "", looks: [this.colour(8), 0] },
      { key: "mean", name: "mean", value: format.bytesRate(more / took), note: "over what is shown", looks: null },
      { key: "total", name: "total", value: format.bytes(allocated.value(0, at)), note: "since evpipe saw the program", looks: null },
    ]);
  }
}

class PausesPanel extends Panel {
  constructor(actions) {
    super("pauses", actions, { label: "GC pauses, the longest of each column by generation, logarithmic; values are in the table below", unit: format.seconds, logarithmic: true });
  }

  /** Whole decades, three of them at least. */
  limits() {
    let low = 1e-4, high = 1e-2;
    for (const { columns } of this.screen.view.pauses) {
      for (const longest of columns.cell(0)) {
        if (longest > 0 && longest < low) low = longest;
        if (longest > high) high = longest;
      }
    }
    return [Math.max(1e-7, 10 ** Math.floor(Math.log10(low) - 0.05)), 10 ** Math.ceil(Math.log10(high) + 0.05)];
  }

  looks(generation) {
    return [this.colour([0, 5, 2, 6][generation % 4]), 0];
  }

  paint(context, place) {
    this.screen.view.pauses.forEach(({ generation, columns }, at) => {
      const length = columns.upTo(this.screen.until) + 1;
      sticks(context, place, columns.time(), columns.cell(0), length, { colour: this.looks(generation)[0], shift: at * 1.5, radius: 1.8 + at * 0.7 });
    });
  }

  tell() {
    const { view, frame } = this.screen;
    const to = Math.min(frame.to, this.screen.until);
    let began = Infinity, ended = -Infinity;
    const sums = view.pauses.map(({ generation, columns }) => {
      const sum = { generation, longest: 0, collections: 0, seconds: 0 };
      const times = columns.time();
      for (let at = 0; at < columns.length; at++) {
        if (times[at] < frame.from || times[at] > to) continue;
        sum.longest = Math.max(sum.longest, columns.value(0, at));
        sum.collections += columns.value(1, at);
        sum.seconds += columns.value(2, at);
        began = Math.min(began, times[at]);
        ended = Math.max(ended, times[at]);
      }
      return sum;
    });
    const shown = Math.min(to, Math.max(view.last ?? ended, ended)) - Math.max(frame.from, view.first ?? began);
    const rows = sums.map(({ generation, longest, collections, seconds }) => ({
      key: String(generation), name: `generation ${generation}`, looks: this.looks(generation), value: collections ? format.seconds(longest) : format.NONE,
      note: collections ? `longest of ${format.count(collections)}; ${format.seconds(seconds)} in all, ${format.percent(seconds, shown)} of the time` : "none in this range",
    }));
    this.values.show(rows);
    this.tellPauseThere();
    this.tellDistribution();
  }

  tellPauseThere() {
    let nearest = null;
    if (this.hovered !== null) {
      for (const { generation, columns } of this.screen.view.pauses) {
        const at = Math.min(columns.nearest(this.hovered), columns.upTo(this.screen.until));
        if (at < 0) continue;
        const time = columns.time()[at];
        if (!nearest || Math.abs(time - this.hovered) < Math.abs(nearest.time - this.hovered)) nearest = { generation, time, longest: columns.value(0, at) };
      }
    }
    setText(element("pauses-readout"), nearest ? `${format.seconds(nearest.longest)}, generation ${nearest.generation}, at ${format.clock(nearest.time)}` : "");
  }

  /** A table: a line for each length that occurred, and a bar for each generation. */
  tellDistribution() {
    const buckets = this.screen.view.buckets.filter((one) => one.counts.some((n) => n > 0));
    const key = JSON.stringify(buckets);
    if (key === this.drawnBuckets || !element("pauses-distribution").closest("details").open) return;
    this.drawnBuckets = key;
    element("pauses-distribution").replaceChildren(...(buckets.length ? [distributionTable(buckets, (generation) => this.looks(generation))] : ["No pause yet."]));
  }
}

function distributionTable(buckets, looks) {
  const table = document.createElement("table");
  table.className = "buckets";
  const head = table.createTHead().insertRow();
  for (const text of ["pause", ...buckets.map((one) => `generation ${one.generation}`)]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = text;
    head.append(cell);
  }
  const bounds = buckets[0].bounds;
  const used = bounds.concat(Infinity).map((_, at) => buckets.some((one) => one.counts[at] > 0));
  const most = Math.max(...buckets.flatMap((one) => one.counts));
  const body = table.createTBody();
  for (let at = used.indexOf(true); at <= used.lastIndexOf(true); at++) {
    const row = body.insertRow();
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = at < bounds.length ? `≤ ${format.seconds(bounds[at])}` : `> ${format.seconds(bounds.at(-1))}`;
    row.append(name);
    for (const one of buckets) {
      const cell = row.insertCell();
      const bar = document.createElement("span");
      bar.className = "bucket";
      bar.style.width = `${one.counts[at] ? Math.max(1, (60 * one.counts[at]) / most) : 0}%`;
      bar.style.backgroundColor = looks(one.generation)[0];
      cell.append(bar, one.counts[at] ? format.count(one.counts[at]) : "");
    }
  }
  return table;
}

class EventsPanel extends Panel {
  constructor(actions) {
    super("events", actions, { label: "Events a second by class, stacked; values are in the table below", unit: format.countRate });
    this.stack = new Stack();
    this.slots = new Slots();
    this.rates = [];
  }

  prepare() {
    const { events, classes } = this.screen.view;
    this.slots.assign(classes);
    this.rates = classes.map((_, which) => rates(events.time(), events.cell(which), events.length, rateLength(this.screen), this.isBetweenRuns, this.rates[which]));
    this.length = events.upTo(this.screen.until) + 1;
    this.stack.build(this.rates, this.length);
  }

  limits() {
    return [0, format.ceiling(this.stack.highest(Math.max(1, this.screen.view.events.upTo(this.screen.frame.from))), false)];
  }

  looks(name) {
    const slot = this.slots.of(name);
    return [this.colour(slot), slotTexture(slot)];
  }

  paint(context, place) {
    // The first column has no rate: there is none before it.
    const times = this.screen.view.events.time();
    const fills = this.screen.view.classes.map((name) => fillOf(context, ...this.looks(name), place.scale));
    if (this.length < 2) return;
    const rest = { length: this.length - 1, tops: this.stack.tops.map((top) => top.subarray(1)) };
    paintStack(context, place, times.subarray(1), rest, fills, this.isBetweenRuns, null);
  }

  tell() {
    const { events, classes } = this.screen.view;
    const at = this.readout(events);
    const rows = classes.map((name, which) => ({ key: name, name, value: at > 0 ? format.countRate(this.rates[which][at]) : format.NONE,
                                                 note: `${format.count(events.value(which, at))} in all`, looks: this.looks(name), total: events.value(which, events.length - 1) }));
    this.values.show(rows.filter((row) => row.total > 0));
  }
}

export function measures(actions) {
  return [new HeapPanel(actions), new AllocationPanel(actions), new PausesPanel(actions), new EventsPanel(actions)];
}
