// The page: what is looked at (program, range, bands), where it comes from (history, then what comes live), and who shows it.
//
// The order that makes history and live data fit: the live stream opens and says `hello`; then the history is asked for; what came live
// meanwhile waits, and of it only what is newer than the history (its `seq`) is appended.

import * as api from "./api.js";
import { BandsPanel, setText } from "./bands.js";
import { rangeOf, showControl, showPrograms, showTools } from "./bar.js";
import { emptyWords, waitingWords } from "./empty.js";
import * as format from "./format.js";
import { HealthPanel } from "./health.js";
import { inspect } from "./inspect.js";
import { listen } from "./keyboard.js";
import { Live } from "./live.js";
import { LogPanel } from "./log.js";
import { measures } from "./measures.js";
import { Playback } from "./playback.js";
import { keyOf, stateWords, titleOf } from "./program.js";
import * as theme from "./theme.js";
import { View } from "./view.js";

const element = (id) => document.getElementById(id);
const DRAW_EVERY = 250; // milliseconds; what the reader does is drawn at once
const RANK_EVERY = 5000; // how often at most other bands are fetched because some have grown
const HIDDEN_LONG = 60000; // a page that nobody sees for so long lets its connection go: a browser has six to a host
const SHORTEST = 0.01; // of a range, in seconds

class Page {
  constructor() {
    this.inputs = null;
    this.server = null; // evpipe's process, to know when it is another
    this.programs = [];
    this.program = null;
    this.wanted = theme.remembered("program"); // by name: identities are new with each evpipe
    this.range = rangeOf(theme.remembered("range"));
    this.top = Number(theme.remembered("top")) || 20;
    this.pins = new Map();
    this.lostPins = new Set(); // names of bands that were pinned, and are not there yet
    this.breakdown = null; // null: that of the newest census
    this.following = true;
    this.frame = { from: Date.now() / 1000 - 60, to: Date.now() / 1000 };
    this.trail = []; // where `back` leads
    this.view = new View(this.columns(), this.top);
    this.loading = null;
    this.waiting = []; // live data, while the history is fetched
    this.connection = "connecting";
    this.lostAt = null;
    this.lastDrawn = 0;
    this.drawTimer = 0;
    this.rankedAt = 0;
    this.chosenEntry = null;
    this.hovering = false;
    this.redraws = 0;
    this.had = new Set(); // what came of the program, though it may not lie in the range shown
    const actions = {
      zoom: (from, to) => this.zoom(from, to),
      top: (count) => this.setTop(count),
      breakdown: (name) => this.setBreakdown(name),
      pin: (band, wanted) => this.pin(band, wanted),
      isPinned: (id) => this.pins.has(id),
      hover: (time) => this.hover(time),
      choose: (entry) => this.choose(entry),
    };
    this.bands = new BandsPanel(actions);
    this.measures = measures(actions);
    this.log = new LogPanel(actions);
    this.health = new HealthPanel((source) => this.programs.some((program) => program.source === source && program.recorded));
    this.playback = new Playback(() => this.drawNow());
    this.live = new Live({
      state: (word) => this.connectionIs(word),
      refused: () => this.connect(),
      hello: () => this.begin(),
      samples: (delta) => this.take(delta),
      program: (program) => this.programChanged(program),
      programs: () => this.askPrograms(),
      health: (report) => this.healthCame(report),
      lost: () => this.load(),
    });
    this.wire();
  }

  // ------------------------------------------------------------------------------------------------- programs, connection

  /** Until evpipe answers; then the live stream of the program that is wanted. */
  async connect() {
    try {
      await this.fetchPrograms();
    } catch (error) {
      this.connectionIs("lost", error);
      this.live.askAgain();
      return;
    }
    this.live.open(this.program?.id ?? null);
  }

  async fetchPrograms() {
    const answer = await api.programs();
    const another = this.server !== null && this.server !== answer.pid;
    this.server = answer.pid;
    this.inputs = answer.inputs;
    this.version = answer.evpipe;
    this.programs = answer.programs;
    if (another) {
      this.health.forget();
      for (const band of this.pins.values()) this.lostPins.add(band.name);
      this.pins.clear();
    }
    this.chooseProgram();
  }

  /** Another evpipe has other numbers for the same bands: they are found again by their names, as they come. */
  async findPins() {
    const program = this.program.id;
    for (const name of [...this.lostPins]) {
      const { bands } = await api.bands(program, name).catch(() => ({ bands: [] }));
      this.findPinsAmong(bands);
    }
  }

  findPinsAmong(bands) {
    const found = bands.filter((band) => this.lostPins.delete(band.name));
    for (const band of found) this.pins.set(band.id, band);
    if (found.length) this.load();
  }

  /** The one that is wanted, else one that is live, else the one that ended last. */
  chooseProgram() {
    const best = this.programs.find((one) => keyOf(one) === this.wanted) ??
      [...this.programs].sort((a, b) => Number(b.live) - Number(a.live) || (b.last ?? 0) - (a.last ?? 0))[0] ?? null;
    const before = this.program;
    this.program = best;
    if (best && before && keyOf(best) !== keyOf(before)) this.forgetPins();
    this.showPrograms();
    return before?.id !== best?.id;
  }

  forgetPins() {
    this.pins.clear();
    this.lostPins.clear();
  }

  async askPrograms() {
    try {
      await this.fetchPrograms();
    } catch {
      return; // The live stream will tell that evpipe is gone.
    }
    if ((this.program?.id ?? null) !== this.live.program) this.live.open(this.program?.id ?? null);
  }

  selectProgram(id) {
    const program = this.programs.find((one) => one.id === id);
    if (!program) return;
    this.wanted = keyOf(program);
    theme.remember("program", this.wanted);
    this.forgetPins();
    this.breakdown = null;
    this.had.clear();
    this.bands.endSearch();
    this.program = program;
    this.trail = [];
    this.following = true;
    this.view = new View(this.columns(), this.top);
    this.playback.showAll();
    this.showPrograms();
    this.announce(`Program ${titleOf(program)}`);
    this.live.open(program.id);
  }

  programChanged(program) {
    const at = this.programs.findIndex((one) => one.id === program.id);
    if (at >= 0) this.programs[at] = program;
    else this.programs.push(program);
    if (this.program?.id !== program.id) return this.showPrograms();
    const { live: wasLive, state: before } = this.program;
    this.program = program;
    if (wasLive !== program.live) this.announce(program.live ? `${titleOf(program)} is running` : `${titleOf(program)} has ended: ${stateWords(program)}`);
    this.showPrograms();
    // An end is shown whole; what comes live needs no other history.
    if (!program.live && (wasLive || before !== program.state) && this.following) this.load();
    this.draw();
  }

  /** The stream is open: what was shown before may be from long ago. */
  async begin() {
    if (this.lostAt !== null) {
      this.lostAt = null;
      this.announce("Connected again");
      await this.askPrograms();
      if ((this.program?.id ?? null) !== this.live.program) return;
    }
    this.notice("none", "");
    this.load();
  }

  connectionIs(word) {
    this.connection = word;
    if (word === "lost" && this.lostAt === null) {
      this.lostAt = Date.now();
      this.announce("Connection to evpipe lost");
    }
    if (word === "open" && this.lostAt === null) this.notice("none", "");
    if (word === "lost") this.notice("bad", `evpipe has not answered since ${format.clock(this.lostAt / 1000, 0)}: what you see is from then. Trying again…`);
    document.documentElement.dataset.connection = word;
  }

  // ------------------------------------------------------------------------------------------------------------- data

  columns() {
    return innerWidth < 600 ? 300 : 600;
  }

  /** What is asked for: what is followed, or the frame that is held. */
  span() {
    if (!this.following) return this.frame;
    const last = this.view.last ?? this.program.last;
    // A history shorter than the range is asked for as it is, so that it comes as fine as it can be shown.
    if (this.range === null || !format.isNumber(last) || last - this.range <= (this.view.first ?? this.program.first)) return { from: null, to: null };
    return { from: last - this.range, to: null };
  }

  async load() {
    if (!this.program) {
      // What was drawn may be of a program that evpipe no longer knows.
      this.view = new View(this.columns(), this.top);
      this.draw();
      return;
    }
    const ticket = (this.loading = {});
    this.waiting = [];
    const program = this.program.id;
    const { from, to } = this.span();
    let history;
    try {
      history = await api.history({ program, from, to, columns: this.columns(), bands: this.top, pins: [...this.pins.keys()], breakdown: this.breakdown });
    } catch (error) {
      if (this.loading !== ticket) return;
      this.loading = null;
      if (error.status === 404) this.askPrograms();
      else if (error.status) this.notice("bad", `evpipe gave no history: ${error.message}`);
      return;
    }
    if (this.loading !== ticket) return;
    this.loading = null;
    const view = new View(this.columns(), this.top);
    view.load(history);
    this.view = view;
    this.rankedAt = performance.now();
    this.updateFrame();
    const waiting = this.waiting;
    this.waiting = [];
    for (const delta of waiting) if (delta.seq > history.seq) this.append(delta);
    this.drawNow();
    if (this.lostPins.size) this.findPins();
  }

  take(delta) {
    if (this.loading) this.waiting.push(delta);
    else this.append(delta);
    if (this.waiting.length > 1000) this.load();
  }

  append(delta) {
    if (!this.following) return;
    const { census } = delta;
    if (census && this.view.census.breakdown !== null && census.breakdown !== this.view.census.breakdown) {
      // Bands of another kind: not to be mixed with these. What was chosen stays.
      if (this.breakdown === null) return this.load();
      delete delta.census;
    }
    this.view.append(delta, this.frame);
    this.updateFrame();
    if (this.lostPins.size && census?.new_bands) this.findPinsAmong(census.new_bands);
    if (performance.now() - this.rankedAt > RANK_EVERY && this.view.census.outgrown()) this.load();
    this.draw();
  }

  /** What is followed begins at the left and fills the frame, which grows by steps; then it moves. An ended program fits exactly. */
  updateFrame() {
    if (!this.following || !format.isNumber(this.view.last)) return;
    const { last } = this.view;
    const first = Math.min(this.view.first ?? last, last);
    const extent = Math.max(last - first, SHORTEST);
    if (!this.program?.live) this.frame = { from: Math.max(first, this.range === null ? first : last - this.range), to: Math.max(last, first + SHORTEST) };
    else if (this.range !== null && extent >= this.range) this.frame = { from: last - this.range, to: last };
    else {
      const room = format.roomFor(extent * 1.02);
      this.frame = { from: first, to: first + (this.range === null ? room : Math.min(this.range, room)) };
    }
    this.view.fit(this.frame);
  }

  healthCame(report) {
    this.health.hear(report);
    if (!document.hidden) this.health.show();
    if (!this.program || !this.program.live) this.showEmpty();
  }

  // -------------------------------------------------------------------------------------------------- what is looked at

  setRange(range) {
    this.range = range;
    theme.remember("range", range === null ? "all" : String(range));
    this.trail = [];
    this.following = true;
    this.announce(range === null ? "All that is kept" : `The last ${format.span(range)}`);
    this.showTools();
    this.load();
  }

  go(frame) {
    this.trail.push({ following: this.following, frame: this.frame });
    if (this.trail.length > 50) this.trail.shift();
    this.following = false;
    this.frame = frame;
    this.showTools();
    this.drawNow();
    this.load();
  }

  zoom(from, to) {
    const middle = (from + to) / 2, half = Math.max(SHORTEST, to - from) / 2;
    this.go({ from: middle - half, to: middle + half });
    this.announce(`${format.seconds(to - from)} from ${format.clock(from)}`);
  }

  zoomBy(factor) {
    const { from, to } = this.frame;
    const middle = (from + to) / 2, half = ((to - from) / 2) * factor;
    this.zoom(middle - half, middle + half);
  }

  pan(part) {
    const { from, to } = this.frame;
    const way = (to - from) * part;
    this.go({ from: from + way, to: to + way });
  }

  back() {
    const before = this.trail.pop();
    if (!before) return;
    this.following = before.following;
    this.frame = before.frame;
    this.announce("The range before");
    this.showTools();
    this.load();
  }

  /** Held still: the frame stays, and what comes is not taken; it is there when one goes on. */
  pause() {
    if (this.following) {
      this.following = false;
      this.announce("Held");
      this.showTools();
    } else {
      this.trail = [];
      this.following = true;
      this.announce("Following");
      this.showTools();
      this.load();
    }
    this.draw();
  }

  setTop(count) {
    this.top = count;
    theme.remember("top", String(count));
    this.announce(count >= 500 ? "All bands" : `The ${count} largest bands`);
    this.load();
  }

  setBreakdown(breakdown) {
    this.breakdown = breakdown;
    this.forgetPins();
    this.announce(`Heap by ${breakdown.replaceAll("_", " ")}`);
    this.load();
  }

  pin(band, wanted) {
    if (wanted) this.pins.set(band.id, band);
    else this.pins.delete(band.id);
    this.announce(`${band.name} ${wanted ? "stays in view" : "need not stay in view"}`);
    this.load();
  }

  hover(time) {
    this.bands.setHovered(time);
    for (const panel of this.measures) panel.setHovered(time);
  }

  choose(entry) {
    this.chosenEntry = entry;
    this.draw();
  }

  async command(command, words) {
    if (!this.controllable()) return;
    try {
      await api.control(this.program.id, command);
      this.announce(`${words}: sent to ${titleOf(this.program)}`);
      setText(element("control-reason"), `${words}: sent at ${format.clock(Date.now() / 1000, 0)}`);
    } catch (error) {
      setText(element("control-reason"), `${words}: ${error.message}`);
      this.announce(`${words} failed: ${error.message}`);
    }
  }

  // ---------------------------------------------------------------------------------------------------------- drawing

  /** Soon, at most four times a second, and not while nobody sees it. */
  draw() {
    if (this.drawTimer || document.hidden) return;
    const wait = Math.max(0, this.lastDrawn + DRAW_EVERY - performance.now());
    this.drawTimer = setTimeout(() => requestAnimationFrame(() => this.drawNow()), wait);
  }

  drawNow() {
    clearTimeout(this.drawTimer);
    this.drawTimer = 0;
    this.lastDrawn = performance.now();
    if (document.hidden) return;
    this.redraws++;
    this.playback.offer(Boolean(this.program) && !this.program.live && format.isNumber(this.view.last), this.frame);
    const until = this.playback.until;
    const screen = { view: this.view, frame: this.frame, until, program: this.program, chosenEntry: this.chosenEntry, annotations: this.view.annotations(this.frame, until) };
    this.bands.update(screen);
    for (const panel of this.measures) panel.update(screen);
    this.log.update(screen);
    this.showTools();
    this.showEmpty();
  }

  notice(kind, text) {
    element("notice").dataset.kind = kind;
    setText(element("notice"), text);
  }

  announce(text) {
    setText(element("announcement"), text);
  }

  controllable() {
    return Boolean(this.program?.controllable && this.program.live);
  }

  showPrograms() {
    showPrograms(this.programs, this.program);
    this.showControl();
  }

  showTools() {
    showTools({ range: this.range, following: this.following, trail: this.trail, top: this.top });
  }

  showControl() {
    this.reason = showControl(this.program, this.reason);
  }

  showEmpty() {
    const { view, program } = this;
    if (view.heap.length || view.census.columns.length) this.had.add("heap");
    if (view.pauses.length) this.had.add("gc");
    const asking = this.connection === "connecting" && !this.server;
    const waiting = waitingWords({ asking, program, view, loading: this.loading, sources: this.health.waiting() });
    const words = emptyWords({ view, program, inputs: this.inputs, had: this.had, following: this.following, waiting, controllable: this.controllable(),
                               said: element("log").firstChild, unmatched: this.log.nothingFound });
    for (const [name, text] of Object.entries(words)) {
      const place = element(name + "-empty");
      place.hidden = text === null;
      if (text !== null) setText(place, text);
    }
  }

  // ------------------------------------------------------------------------------------------------------------- wiring

  wire() {
    element("program").addEventListener("change", () => this.selectProgram(Number(element("program").value)));
    element("ranges").addEventListener("click", ({ target }) => target.dataset.range && this.setRange(rangeOf(target.dataset.range)));
    element("zoom-in").addEventListener("click", () => this.zoomBy(0.5));
    element("zoom-out").addEventListener("click", () => this.zoomBy(2));
    element("back").addEventListener("click", () => this.back());
    element("pause").addEventListener("click", () => this.pause());
    element("theme").addEventListener("click", () => this.nextTheme());
    element("help-button").addEventListener("click", () => element("help").showModal());
    for (const button of element("control").querySelectorAll("button")) {
      button.addEventListener("click", () => this.command(button.dataset.command, button.textContent));
    }
    document.querySelector("details.distribution").addEventListener("toggle", () => this.draw());
    document.addEventListener("visibilitychange", () => this.visibilityChanged());
    theme.onChange(() => this.showTheme());
    this.showTheme();
    this.showTools();
    this.showControl();
    listen(this.keys());
  }

  keys() {
    const ranges = [[60, "1", "the last minute"], [300, "2", "the last 5 minutes"], [900, "3", "the last 15 minutes"], [3600, "4", "the last hour"], [null, "5", "all that is kept"]];
    const focus = (id) => () => element(id).focus();
    return [
      [[" "], "hold still, go on; of a recording: play, hold", () => (this.playback.available ? this.playback.toggle() : this.pause())],
      ...ranges.map(([range, key, words]) => [[key], words, () => this.setRange(range)]),
      [["+", "="], "zoom in", () => this.zoomBy(0.5)],
      [["-"], "zoom out", () => this.zoomBy(2)],
      [["ArrowLeft"], "earlier", () => this.pan(-0.25)],
      [["ArrowRight"], "later", () => this.pan(0.25)],
      [["b", "Backspace", "Escape"], "back to the range before", () => this.back()],
      [["/"], "search the bands", focus("band-search")],
      [["f"], "filter markers and messages", focus("log-filter")],
      [["p"], "the next program", () => this.nextProgram()],
      [["c"], "ask for a census", () => this.command("census", "Census")],
      [["t"], "light, dark, or as the system", () => this.nextTheme()],
      [["?"], "this list", () => element("help").showModal()],
    ];
  }

  nextProgram() {
    const at = this.programs.findIndex((one) => one.id === this.program?.id);
    const next = this.programs[(at + 1) % this.programs.length];
    if (next && next.id !== this.program?.id) this.selectProgram(next.id);
  }

  nextTheme() {
    this.announce(`Theme: ${theme.next()}`);
  }

  showTheme() {
    setText(element("theme"), `Theme: ${theme.chosen()}`);
    this.draw();
  }

  visibilityChanged() {
    clearTimeout(this.hiddenTimer);
    if (document.hidden) {
      this.hiddenTimer = setTimeout(() => this.live.close(), HIDDEN_LONG);
    } else if (!this.live.source) {
      this.connect();
    } else {
      this.health.show();
      this.draw();
    }
  }
}

theme.start();
const page = new Page();
inspect(page);
page.connect();
