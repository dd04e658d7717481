// Playback of a recording over the history that is loaded: all at once, or a place in it that moves.

import * as format from "./format.js";

const element = (id) => document.getElementById(id);
const FRAMES = 100; // milliseconds between two
const STEPS = 1000; // of the scrubber

/** 1 to 1000, in thirty steps. */
export function paceOf(step) {
  const pace = 10 ** (step / 10);
  return pace < 10 ? Math.round(pace * 10) / 10 : Math.round(pace);
}

export class Playback {
  /** `moved()` when there is something else to draw. */
  constructor(moved) {
    this.moved = moved;
    this.head = null; // null: all of it
    this.playing = false;
    this.span = { from: 0, to: 0 };
    this.timer = 0;
    element("play").addEventListener("click", () => this.toggle());
    element("all-at-once").addEventListener("click", () => this.showAll());
    element("pace").addEventListener("input", () => this.tell());
    element("scrubber").addEventListener("input", () => {
      const place = Number(element("scrubber").value) / STEPS;
      this.stop();
      this.head = this.span.from + place * (this.span.to - this.span.from);
      this.tell();
      this.moved();
    });
    this.tell();
  }

  get until() {
    return this.head ?? Infinity;
  }

  get available() {
    return !element("playback").hidden;
  }

  /** Only for what has ended: what is live is at its end. */
  offer(available, span) {
    element("playback").hidden = !available;
    this.span = span;
    if (!available && (this.head !== null || this.playing)) this.showAll();
    if (this.head !== null) this.head = Math.min(span.to, Math.max(span.from, this.head));
    this.tell();
  }

  pace() {
    return paceOf(Number(element("pace").value));
  }

  toggle() {
    if (this.playing) this.stop();
    else this.play();
    this.tell();
  }

  play() {
    if (this.head === null || this.head >= this.span.to) this.head = this.span.from;
    this.playing = true;
    let before = performance.now();
    this.timer = setInterval(() => {
      const now = performance.now();
      this.head = Math.min(this.span.to, this.head + ((now - before) / 1000) * this.pace());
      before = now;
      if (this.head >= this.span.to) this.stop();
      this.tell();
      this.moved();
    }, FRAMES);
  }

  stop() {
    clearInterval(this.timer);
    this.playing = false;
    this.tell();
  }

  showAll() {
    this.stop();
    this.head = null;
    this.tell();
    this.moved();
  }

  tell() {
    element("play").textContent = this.playing ? "Hold" : "Play";
    element("pace-text").textContent = `${this.pace()}×`;
    element("pace").setAttribute("aria-valuetext", `${this.pace()} times`);
    const { from, to } = this.span;
    const place = this.head === null ? 1 : to > from ? (this.head - from) / (to - from) : 1;
    element("scrubber").value = String(Math.round(place * STEPS));
    const text = this.head === null ? "all of it" : `${format.clock(this.head)}, ${format.seconds(this.head - from)} of ${format.seconds(to - from)}`;
    element("head-text").textContent = text;
    element("scrubber").setAttribute("aria-valuetext", text);
    element("all-at-once").disabled = this.head === null;
  }
}
