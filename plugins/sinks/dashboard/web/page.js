// The page: ties what is looked at (program, range, bands) to where it comes from (the feed, the live stream) and to who shows it.

import * as api from "./api.js";
import { BandsPanel, setText } from "./bands.js";
import { showControl, showPrograms, showTools } from "./bar.js";
import { wire } from "./controls.js";
import { emptyWords, waitingWords } from "./empty.js";
import { Feed } from "./feed.js";
import * as format from "./format.js";
import { HealthPanel } from "./health.js";
import { inspect } from "./inspect.js";
import { Live } from "./live.js";
import { LogPanel } from "./log.js";
import { measures } from "./measures.js";
import { Pins } from "./pins.js";
import { Playback } from "./playback.js";
import { stateWords, titleOf } from "./program.js";
import { Programs } from "./programs.js";
import { Range, rangeOf } from "./range.js";
import * as theme from "./theme.js";
import { View } from "./view.js";

const element = (id) => document.getElementById(id);
const DRAW_EVERY = 250; // milliseconds; what the reader does is drawn at once
const HIDDEN_LONG = 60000; // a page that nobody sees for so long lets its connection go: a browser has six to a host

class Page {
  constructor() {
    this.programs = new Programs();
    this.range = new Range(rangeOf(theme.remembered("range")), Date.now() / 1000);
    this.top = Number(theme.remembered("top")) || 20;
    this.pins = new Pins();
    this.breakdown = null; // null: that of the newest census
    this.feed = new Feed(this);
    this.connection = "connecting";
    this.lostAt = null;
    this.lastDrawn = 0;
    this.drawTimer = 0;
    this.chosenEntry = null;
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
    this.health = new HealthPanel((source) => this.programs.isRecorded(source));
    this.playback = new Playback(() => this.drawNow());
    this.live = new Live({
      state: (word) => this.connectionIs(word),
      refused: () => this.connect(),
      hello: () => this.begin(),
      samples: (delta) => this.feed.take(delta),
      program: (program) => this.programChanged(program),
      programs: () => this.askPrograms(),
      health: (report) => this.healthCame(report),
      lost: () => this.feed.load(),
    });
    wire(this);
    theme.onChange(() => this.showTheme());
    this.showTheme();
    this.showTools();
    this.showControl();
  }

  get program() {
    return this.programs.chosen;
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
    if (await this.programs.fetch()) {
      this.health.forget();
      this.pins.lose();
    }
    if (this.programs.choose()) this.pins.forget();
    this.showPrograms();
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
    const program = this.programs.select(id);
    if (!program) return;
    this.pins.forget();
    this.breakdown = null;
    this.had.clear();
    this.bands.endSearch();
    this.range.follow();
    this.feed.clear();
    this.playback.showAll();
    this.showPrograms();
    this.announce(`Program ${titleOf(program)}`);
    this.live.open(program.id);
  }

  nextProgram() {
    const next = this.programs.next();
    if (next !== null) this.selectProgram(next);
  }

  programChanged(program) {
    const before = this.programs.update(program);
    if (!before) return this.showPrograms();
    if (before.live !== program.live) this.announce(program.live ? `${titleOf(program)} is running` : `${titleOf(program)} has ended: ${stateWords(program)}`);
    this.showPrograms();
    // An end is shown whole; what comes live needs no other history.
    if (!program.live && (before.live || before.state !== program.state) && this.range.following) this.feed.load();
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
    this.feed.load();
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

  healthCame(report) {
    this.health.hear(report);
    if (!document.hidden) this.health.show();
    if (!this.program || !this.program.live) this.showEmpty();
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

  // ---------------------------------------------------------------------------------------------- what the feed asks and tells

  columns() {
    return innerWidth < 600 ? 300 : 600;
  }

  newView() {
    return new View(this.columns(), this.top);
  }

  query() {
    if (!this.program) return null;
    const { view } = this.feed;
    const { from, to } = this.range.span(view.first ?? this.program.first, view.last ?? this.program.last);
    return { program: this.program.id, from, to, columns: this.columns(), bands: this.top, pins: this.pins.ids(), breakdown: this.breakdown };
  }

  fit() {
    const { view } = this.feed;
    if (this.range.fit(view.first, view.last, this.program?.live)) view.fit(this.range.frame);
  }

  async loaded() {
    this.drawNow();
    if (this.pins.lost.size && (await this.pins.find(this.program.id))) this.feed.load();
  }

  appended(census) {
    if (this.pins.lost.size && census?.new_bands && this.pins.findAmong(census.new_bands)) this.feed.load();
    this.draw();
  }

  failed(error) {
    if (error.status === 404) this.askPrograms();
    else if (error.status) this.notice("bad", `evpipe gave no history: ${error.message}`);
  }

  // -------------------------------------------------------------------------------------------------- what is looked at

  setRange(seconds) {
    theme.remember("range", seconds === null ? "all" : String(seconds));
    this.range.follow(seconds);
    this.announce(seconds === null ? "All that is kept" : `The last ${format.span(seconds)}`);
    this.showTools();
    this.feed.load();
  }

  zoom(from, to) {
    this.range.zoom(from, to);
    this.gone();
    this.announce(`${format.seconds(to - from)} from ${format.clock(from)}`);
  }

  zoomBy(factor) {
    this.zoom(...this.range.scaled(factor));
  }

  pan(part) {
    this.range.pan(part);
    this.gone();
  }

  /** Another frame is held than before. */
  gone() {
    this.showTools();
    this.drawNow();
    this.feed.load();
  }

  back() {
    if (!this.range.back()) return;
    this.announce("The range before");
    this.showTools();
    this.feed.load();
  }

  pause() {
    const hold = this.range.following;
    if (hold) this.range.hold();
    else this.range.follow();
    this.announce(hold ? "Held" : "Following");
    this.showTools();
    if (!hold) this.feed.load();
    this.draw();
  }

  setTop(count) {
    this.top = count;
    theme.remember("top", String(count));
    this.announce(count >= 500 ? "All bands" : `The ${count} largest bands`);
    this.feed.load();
  }

  setBreakdown(breakdown) {
    this.breakdown = breakdown;
    this.pins.forget();
    this.announce(`Heap by ${breakdown.replaceAll("_", " ")}`);
    this.feed.load();
  }

  pin(band, wanted) {
    this.pins.set(band, wanted);
    this.announce(`${band.name} ${wanted ? "stays in view" : "need not stay in view"}`);
    this.feed.load();
  }

  hover(time) {
    this.bands.setHovered(time);
    for (const panel of this.measures) panel.setHovered(time);
  }

  choose(entry) {
    this.chosenEntry = entry;
    this.draw();
  }

  controllable() {
    return Boolean(this.program?.controllable && this.program.live);
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

  nextTheme() {
    this.announce(`Theme: ${theme.next()}`);
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
    const { view } = this.feed, { frame } = this.range;
    this.playback.offer(Boolean(this.program) && !this.program.live && format.isNumber(view.last), frame);
    const until = this.playback.until;
    const screen = { view, frame, until, program: this.program, chosenEntry: this.chosenEntry, annotations: view.annotations(frame, until) };
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

  showPrograms() {
    showPrograms(this.programs.list, this.program);
    this.showControl();
  }

  showTools() {
    showTools(this.range, this.top);
  }

  showControl() {
    this.reason = showControl(this.program, this.reason);
  }

  showTheme() {
    setText(element("theme"), `Theme: ${theme.chosen()}`);
    this.draw();
  }

  showEmpty() {
    const { program } = this;
    const { view, loading } = this.feed;
    if (view.heap.length || view.census.columns.length) this.had.add("heap");
    if (view.pauses.length) this.had.add("gc");
    const asking = this.connection === "connecting" && !this.programs.server;
    const waiting = waitingWords({ asking, program, view, loading, sources: this.health.waiting() });
    const words = emptyWords({ view, program, inputs: this.programs.inputs, had: this.had, following: this.range.following, waiting,
                               controllable: this.controllable(), said: element("log").firstChild, unmatched: this.log.nothingFound });
    for (const [name, text] of Object.entries(words)) {
      const place = element(name + "-empty");
      place.hidden = text === null;
      if (text !== null) setText(place, text);
    }
  }
}

theme.start();
const page = new Page();
inspect(page);
page.connect();
