// A chart: uPlot gives axes, crosshair and the selection by dragging, all charts together; what it shows is painted by whoever owns it.

import { Place, annotations, breaks } from "./paint.js";
import * as theme from "./theme.js";
import { BYTE_STEPS, brief } from "./format.js";

/* global uPlot */
const KEY = "evpipe";
const FONT = "11px system-ui, sans-serif";
const AXIS_WIDTH = 68;
const TIME_STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
                    86400, 2 * 86400, 7 * 86400, 30 * 86400];
const SHORTEST_ZOOM = 0.002; // seconds

let dragged = null; // the chart on which the button went down last

export class Chart {
  /**
   * `label` names it for screen readers, `unit` formats the values of its axis; `paint(context, place)` draws;
   * `hover(time, value)` is told where the crosshair is, with nulls when it has left; `zoom(from, to)` when a part was selected.
   */
  constructor(host, { label, unit, binary = false, logarithmic = false, paint, hover, zoom, labels = false }) {
    this.host = host;
    this.paint = paint;
    this.hover = hover;
    this.labels = labels;
    this.frame = { from: 0, to: 1 };
    this.limits = logarithmic ? [1e-5, 1] : [0, 1];
    this.entries = [];
    this.breaks = [];
    this.chosen = null;
    this.colours = this.readColours();
    host.tabIndex = 0;
    host.setAttribute("role", "group");
    host.setAttribute("aria-label", `${label}. Arrow keys move the crosshair.`);
    this.plot = new uPlot(this.options(unit, binary, logarithmic, zoom), [[0, 1], [null, null]], host);
    this.plot.root.setAttribute("aria-hidden", "true");
    host.addEventListener("keydown", (event) => this.moveByKey(event));
    this.followPointers();
    new ResizeObserver(() => this.resize()).observe(host);
    this.seen = true;
    this.stale = false;
    new IntersectionObserver((entries) => this.seenIs(entries.at(-1).isIntersecting), { rootMargin: "100px" }).observe(host);
    theme.onChange(() => {
      this.colours = this.readColours();
      this.plot.redraw(false, true);
    });
  }

  readColours() {
    const names = { text: "text", axis: "text-soft", grid: "grid", surface: "surface", marker: "marker", message: "message" };
    return Object.fromEntries(Object.entries(names).map(([key, name]) => [key, theme.colour(name)]));
  }

  options(unit, binary, logarithmic, zoom) {
    const axis = { font: FONT, stroke: () => this.colours.axis, grid: { stroke: () => this.colours.grid, width: 1 }, ticks: { show: false } };
    return {
      ...this.size(),
      legend: { show: false },
      padding: [8, 10, 0, 0],
      cursor: {
        sync: { key: KEY, scales: ["x", null], setSeries: false },
        drag: { x: true, y: false, setScale: false, dist: 4 },
        points: { show: false },
        y: false,
        focus: { prox: -1 },
      },
      scales: { x: { time: true, auto: false, min: 0, max: 1 }, y: { auto: false, min: this.limits[0], max: this.limits[1], distr: logarithmic ? 3 : 1 } },
      series: [{}, { paths: () => null, points: { show: false } }],
      axes: [
        { ...axis, space: 90, size: 26, gap: 6, incrs: TIME_STEPS, values: timeLabels },
        { ...axis, size: AXIS_WIDTH, gap: 6, space: 34, values: (_, values) => values.map((value) => (value === null ? "" : brief(unit(value)))),
          ...(binary ? { incrs: BYTE_STEPS } : {}), ...(logarithmic ? { splits: decades } : {}) },
      ],
      hooks: {
        draw: [(plot) => this.drawAll(plot)],
        setCursor: [(plot) => this.tellHover(plot)],
        setSelect: [(plot) => this.tellZoom(plot, zoom)],
      },
    };
  }

  size() {
    return { width: Math.max(120, this.host.clientWidth), height: Math.max(80, this.host.clientHeight) };
  }

  resize() {
    const { width, height } = this.size();
    if (width !== this.plot.width || height !== this.plot.height) this.plot.setSize({ width, height });
  }

  /** Draws anew; `limits` are the ends of the scale of values. Out of sight it waits. */
  draw({ frame, annotations, chosenEntry, view }, limits) {
    Object.assign(this, { frame, limits, entries: annotations, chosen: chosenEntry, breaks: view.breaks });
    this.stale = !this.seen;
    if (this.seen) this.drawScales();
  }

  drawScales() {
    const { frame, limits } = this;
    this.plot.batch(() => {
      this.plot.setScale("x", { min: frame.from, max: frame.to });
      this.plot.setScale("y", { min: limits[0], max: limits[1] });
    });
    // Equal scales make uPlot do nothing.
    this.plot.redraw(false, false);
  }

  redraw() {
    this.plot.redraw(false, false);
  }

  seenIs(seen) {
    this.seen = seen;
    if (seen && this.stale) this.drawScales();
    if (seen) this.stale = false;
  }

  drawAll(plot) {
    const context = plot.ctx;
    const { left, top, width, height } = plot.bbox;
    const place = new Place(plot);
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    this.paint(context, place);
    breaks(context, place, this.breaks, this.colours.axis);
    annotations(context, place, this.entries, this.colours, { labels: this.labels, chosen: this.chosen });
    context.restore();
  }

  tellHover(plot) {
    const { left, top } = plot.cursor;
    if (left < 0) this.hover(null, null);
    else this.hover(plot.posToVal(left, "x"), plot.cursor.event && top >= 0 ? plot.posToVal(top, "y") : null);
  }

  /** Every chart is told of one drag; the one on which it began answers. */
  tellZoom(plot, zoom) {
    const { left, width } = plot.select;
    if (width < 2) return;
    const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (dragged !== this) return;
    dragged = null;
    if (to - from >= SHORTEST_ZOOM) zoom(from, to);
  }

  moveByKey(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    const width = this.plot.over.clientWidth;
    const left = this.plot.cursor.left < 0 ? (step < 0 ? width : 0) : this.plot.cursor.left + step * Math.max(1, width / 100);
    this.plot.setCursor({ left: Math.max(0, Math.min(width, left)), top: -10 });
  }

  /** A finger that moves sideways takes the crosshair with it; up and down it scrolls the page. */
  followPointers() {
    const over = this.plot.over;
    over.addEventListener("mousedown", () => (dragged = this));
    over.style.touchAction = "pan-y";
    over.addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") return;
      const box = over.getBoundingClientRect();
      this.plot.setCursor({ left: event.clientX - box.left, top: event.clientY - box.top });
    });
  }
}

function decades(_, __, min, max) {
  const found = [];
  for (let power = Math.ceil(Math.log10(min) - 1e-9); power <= Math.log10(max) + 1e-9; power++) found.push(10 ** power);
  return found;
}

const two = (number) => String(number).padStart(2, "0");

/** Hours and minutes; seconds and parts of them where lines are close; the date where the day changes. None that the edge would cut. */
function timeLabels(plot, times, __, ___, apart) {
  let day = null;
  const { min, max } = plot.scales.x;
  const room = plot.bbox.width / devicePixelRatio;
  return times.map((time, at) => {
    if (((max - time) / (max - min)) * room < (apart < 60 ? 16 : 6)) return "";
    const date = new Date(time * 1000);
    const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
    const dayChanged = at > 0 && day !== null && date.getDate() !== day;
    day = date.getDate();
    if (dayChanged || apart >= 86400) return `${two(date.getMonth() + 1)}-${two(date.getDate())} ${apart >= 86400 ? "" : clock}`;
    if (apart >= 60) return clock;
    if (apart >= 1) return `${clock}:${two(date.getSeconds())}`;
    return `${clock}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0").slice(0, apart >= 0.1 ? 1 : apart >= 0.01 ? 2 : 3)}`;
  });
}
