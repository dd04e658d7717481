// The bands of the census: the stacked chart, its legend, search, top N, pins.

import { bands as searchBands } from "./api.js";
import { Chart } from "./chart.js";
import * as format from "./format.js";
import { stack as paintStack } from "./paint.js";
import { Slots, fillOf, mix, slotColour, slotTexture, swatch } from "./palette.js";
import { Roving } from "./roving.js";
import { Stack } from "./stack.js";
import * as theme from "./theme.js";

const SEARCH_DELAY = 200;
const REST = "rest";
const DIMMED = 0.72;
const element = (id) => document.getElementById(id);

const CONSTRUCTOR = /^([\w.-]+:(?:[A-Z][\w']*\.)*[A-Z][\w']*)\.(.+)$/; // package:Module.Name.Constructor, as -hT and -hi give it

/** A name in two parts: what one looks for, and where it is. Of a stack of cost centres the innermost comes first. */
export function nameParts(band) {
  const frames = band.name.split(";");
  if (frames.length > 1) return [frames.at(-1), frames.slice(0, -1).reverse().join(" ← ")];
  const [, module, constructor] = CONSTRUCTOR.exec(band.name) ?? [];
  const where = [module, band.type && band.type !== band.name ? band.type : "", band.module, band.srcloc].filter(Boolean).join(" · ");
  return [constructor ?? band.name, where];
}

export class BandsPanel {
  /** `actions`: zoom(from, to), top(n), breakdown(name), pin(band, wanted), isPinned(id), hover(time). */
  constructor(actions) {
    this.actions = actions;
    this.slots = new Slots();
    this.stack = new Stack();
    this.rest = null;
    this.rows = []; // of the legend: {id, band, line, cells}
    this.fills = new Map();
    this.highlighted = null;
    this.screen = null;
    this.hovered = null;
    this.searching = "";
    this.searchTimer = 0;
    this.chart = new Chart(element("bands-chart"), {
      label: "Heap by band, stacked; values are in the table of bands", unit: format.bytes, binary: true, labels: true,
      paint: (context, place) => this.paint(context, place),
      hover: (time, value) => this.hover(time, value),
      zoom: actions.zoom,
    });
    this.pinStops = new Roving(element("bands-rows"), ".pin");
    this.resultStops = new Roving(element("search-results"), ".pin");
    element("breakdown").addEventListener("change", () => actions.breakdown(element("breakdown").value));
    element("top").addEventListener("change", () => actions.top(Number(element("top").value)));
    element("band-search").addEventListener("input", () => this.searchSoon());
    element("bands-search-box").addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.searching) return;
      event.preventDefault();
      this.endSearch();
      element("band-search").focus();
    });
    theme.onChange(() => {
      this.fills.clear();
      this.rows.forEach((row) => this.colourSwatch(row));
    });
  }

  // ------------------------------------------------------------------------------------------------------- drawing

  update(screen) {
    this.screen = screen;
    const { view, frame } = screen;
    const census = view.census;
    this.length = census.columns.upTo(screen.until) + 1;
    this.rest = census.rest(this.rest);
    const levels = census.bands.map((band) => census.values(band));
    this.stack.build([...levels, this.rest], this.length);
    this.slots.assign(census.bands.map((band) => band.id));
    const highest = this.stack.highest(Math.max(0, census.columns.upTo(frame.from)));
    this.syncRows(census);
    this.updateRows();
    this.chart.draw(screen, [0, format.ceiling(highest, true)]);
    this.tellBreakdown(census);
  }

  /** Of what the bands are; a choice where the history has censuses of several kinds. */
  tellBreakdown(census) {
    const { breakdown, breakdowns } = census;
    const words = breakdown && breakdown !== "unknown" ? breakdown.replaceAll("_", " ") : "band";
    setText(element("bands-title"), breakdowns.length > 1 ? "Heap by" : `Heap by ${words}`);
    const select = element("breakdown");
    select.hidden = breakdowns.length < 2;
    if (select.hidden) return;
    if ([...select.options].map((option) => option.value).join() !== breakdowns.join()) {
      select.replaceChildren(...breakdowns.map((name) => new Option(name.replaceAll("_", " "), name)));
    }
    select.value = breakdown;
  }

  paint(context, place) {
    if (!this.screen) return;
    const { view } = this.screen;
    const fills = [...view.census.bands.map((band) => this.fill(context, band.id, place.scale)), this.fill(context, REST, place.scale)];
    const times = view.census.columns.time();
    paintStack(context, place, times, this.stack, fills, (before, after) => view.isBetweenRuns(before, after), this.chart.colours.surface);
  }

  fill(context, id, scale) {
    const dimmed = this.highlighted !== null && this.highlighted !== id;
    const key = `${id} ${dimmed} ${scale}`;
    let fill = this.fills.get(key);
    if (!fill) {
      const [colour, texture] = this.looks(id);
      fill = dimmed ? mix(colour, this.chart.colours.surface, DIMMED) : fillOf(context, colour, texture, scale);
      if (this.fills.size > 2000) this.fills.clear();
      this.fills.set(key, fill);
    }
    return fill;
  }

  looks(id) {
    if (id === REST) return [theme.isDark() ? "#5d6670" : "#b4bcc4", 0];
    const slot = this.slots.of(id);
    return [slotColour(slot, theme.isDark()), slotTexture(slot)];
  }

  // -------------------------------------------------------------------------------------------------------- legend

  /** The table's lines: made anew only when other bands are shown. */
  syncRows(census) {
    const wanted = [...census.bands.map((band) => band.id), ...(census.hidden ? [REST] : [])];
    if (wanted.length === this.rows.length && wanted.every((id, at) => this.rows[at].id === id && this.rows[at].pinned === this.actions.isPinned(id))) return;
    const before = new Map(this.rows.map((row) => [row.id, row]));
    const bands = new Map(census.bands.map((band) => [band.id, band]));
    this.fills.clear();
    this.rows = wanted.map((id) => {
      const old = before.get(id);
      const row = old && old.name === (bands.get(id)?.name ?? REST) ? old : this.makeRow(id, bands.get(id));
      row.pinned = this.actions.isPinned(id);
      row.pin?.setAttribute("aria-pressed", String(row.pinned));
      this.colourSwatch(row);
      return row;
    });
    const focused = document.activeElement;
    element("bands-rows").replaceChildren(...this.rows.map((row) => row.line));
    if (focused?.isConnected && focused !== document.body) focused.focus();
    this.pinStops.refresh();
    if (this.highlighted !== null && !wanted.includes(this.highlighted)) this.highlight(null);
  }

  makeRow(id, band) {
    const line = document.createElement("tr");
    line.dataset.band = id;
    const head = document.createElement("th");
    head.scope = "row";
    const mark = document.createElement("span");
    mark.className = "swatch";
    const text = document.createElement("span");
    text.className = "name";
    const [main, where] = band ? nameParts(band) : ["all others", ""];
    text.append(bandName("span", "main", main), ...(where ? [bandName("small", "where", where)] : []));
    if (band) text.title = [band.name, band.type, band.module, band.srcloc].filter(Boolean).join("\n");
    head.append(mark, text);
    const value = cell("number"), share = cell("number share");
    const last = cell("pin-cell");
    const pin = band ? this.pinButton(band) : null;
    if (pin) last.append(pin);
    line.append(head, value, share, last);
    line.addEventListener("pointerenter", () => this.highlight(id));
    line.addEventListener("pointerleave", () => this.highlight(null));
    line.addEventListener("focusin", () => this.highlight(id));
    line.addEventListener("focusout", () => this.highlight(null));
    return { id, band, name: band?.name ?? REST, line, mark, value, share, pin, text };
  }

  pinButton(band) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pin";
    button.title = "Keep in view";
    button.setAttribute("aria-label", `Keep ${band.name} in view`);
    button.setAttribute("aria-pressed", String(this.actions.isPinned(band.id)));
    button.addEventListener("click", () => this.actions.pin(band, !this.actions.isPinned(band.id)));
    return button;
  }

  colourSwatch(row) {
    swatch(row.mark, ...this.looks(row.id));
  }

  /** The column that the legend shows: under the crosshair, else the last. */
  shownColumn() {
    const columns = this.screen.view.census.columns;
    if (this.hovered === null) return this.length - 1;
    return Math.min(this.length - 1, columns.nearest(this.hovered));
  }

  updateRows() {
    const { census } = this.screen.view;
    const at = this.shownColumn();
    const total = census.columns.value(0, at);
    for (const row of this.rows) {
      const value = at < 0 ? NaN : row.id === REST ? this.rest[at] : census.values(row.band)[at];
      setText(row.value, format.bytes(value));
      setText(row.share, format.percent(value, total));
    }
    setText(element("bands-value-head"), this.hovered === null ? (this.screen.until < Infinity ? "Then" : "Latest") : "There");
    setText(element("bands-readout"), at < 0 ? "" : `${format.bytes(total)} at ${format.clock(census.columns.time()[at])}${this.hovered === null ? "" : this.annotationNear()}`);
    const shown = census.bands.length, all = shown + census.hidden;
    setText(element("bands-foot"), all ? `${shown} of ${all} bands, by their peak${census.hidden && at >= 0 ? `; grey: all others, ${format.bytes(this.rest[at])}` : ""}` : "");
  }

  /** What was said at the crosshair, within four pixels of it. */
  annotationNear() {
    const { from, to } = this.screen.frame;
    const reach = (4 * (to - from)) / Math.max(1, this.chart.plot.over.clientWidth);
    let near = null;
    for (const entry of this.screen.annotations) {
      const distance = Math.abs(entry.time - this.hovered);
      if (distance <= reach && (!near || distance < near.distance || (entry.kind === "marker" && near.entry.kind !== "marker"))) near = { entry, distance };
    }
    return near ? ` · ${near.entry.kind}: ${near.entry.body}` : "";
  }

  hover(time, value) {
    this.actions.hover(time);
    if (!this.screen || value === null) return this.highlight(null);
    const census = this.screen.view.census.columns;
    const at = census.upTo(time);
    if (at < 0 || at >= this.length) return this.highlight(null);
    const next = census.time()[at + 1];
    const place = next === undefined ? at : at + (time - census.time()[at]) / (next - census.time()[at]);
    const level = this.stack.levelAt(place, value);
    this.highlight(level < 0 ? null : this.screen.view.census.bands[level]?.id ?? REST, true);
  }

  /** The crosshair is somewhere, on this chart or another. */
  setHovered(time) {
    this.hovered = time;
    if (this.screen) this.updateRows();
  }

  highlight(id, scroll = false) {
    if (id === this.highlighted) return;
    this.highlighted = id;
    for (const row of this.rows) row.line.classList.toggle("lit", row.id === id);
    if (scroll && id !== null) this.revealRow(this.rows.find((row) => row.id === id));
    this.chart.redraw();
  }

  /** Scrolls the legend, never the page. */
  revealRow(row) {
    if (!row) return;
    const box = row.line.closest(".legend-scroll");
    const [line, view] = [row.line.getBoundingClientRect(), box.getBoundingClientRect()];
    const head = box.querySelector("thead")?.getBoundingClientRect().height ?? 0;
    if (line.top < view.top + head) box.scrollTop -= view.top + head - line.top;
    else if (line.bottom > view.bottom) box.scrollTop += line.bottom - view.bottom;
  }

  // -------------------------------------------------------------------------------------------------------- search

  searchSoon() {
    clearTimeout(this.searchTimer);
    this.searching = element("band-search").value.trim();
    if (!this.searching) this.endSearch();
    else this.searchTimer = setTimeout(() => this.search(), SEARCH_DELAY);
  }

  async search() {
    const text = this.searching, program = this.screen?.program;
    if (!program) return;
    let found;
    try {
      found = await searchBands(program.id, text);
    } catch (error) {
      found = { bands: [], more: 0, error: String(error.message) };
    }
    if (text !== this.searching) return;
    this.showResults(found, text);
  }

  showResults(found, text) {
    const list = document.createElement("ul");
    for (const band of found.bands) list.append(this.resultLine(band));
    const said = found.error ?? (found.bands.length ? `${found.bands.length + (found.more ?? 0)} found for “${text}”${found.more ? `, the largest ${found.bands.length} shown` : ""}. Pin one to see it in the chart.`
                                                    : `No band's name has “${text}” in it.`);
    const note = document.createElement("p");
    note.className = "results-note";
    note.setAttribute("role", "status");
    note.textContent = said;
    element("search-results").replaceChildren(note, list);
    this.resultStops.refresh();
    element("search-results").hidden = false;
    element("bands-table").hidden = true;
  }

  resultLine(band) {
    const line = document.createElement("li");
    line.dataset.band = band.id;
    const text = document.createElement("span");
    text.className = "name";
    const [main, where] = nameParts(band);
    text.append(bandName("span", "main", main), ...(where ? [bandName("small", "where", where)] : []));
    text.title = band.name;
    const peak = document.createElement("span");
    peak.className = "number";
    peak.textContent = format.bytes(band.peak);
    peak.title = "its largest value";
    const pin = this.pinButton(band);
    pin.addEventListener("click", () => pin.setAttribute("aria-pressed", String(this.actions.isPinned(band.id))));
    line.append(text, peak, pin);
    return line;
  }

  endSearch() {
    clearTimeout(this.searchTimer);
    this.searching = "";
    element("band-search").value = "";
    element("search-results").hidden = true;
    element("bands-table").hidden = false;
  }
}

function bandName(kind, name, text) {
  const part = document.createElement(kind);
  part.className = name;
  part.textContent = text;
  return part;
}

function cell(name) {
  const made = document.createElement("td");
  made.className = name;
  return made;
}

export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
