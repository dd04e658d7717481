// Which range of time is looked at: what is followed, or a frame that is held, and where `back` leads. Nothing here touches the page.

import * as format from "./format.js";

const SHORTEST = 0.01; // seconds
const TRAIL = 50; // ranges that `back` can go back to
const DEFAULT = 300;

/** Seconds of a range by its word, or what is remembered of it; null: all that is kept. */
export function rangeOf(word) {
  if (word === null || word === undefined) return DEFAULT;
  return word === "all" ? null : Number(word) || DEFAULT;
}

export class Range {
  /** `seconds` back from now; null: all that is kept. `now`: where the frame ends as long as nothing is known. */
  constructor(seconds, now) {
    this.seconds = seconds;
    this.following = true;
    this.frame = { from: now - 60, to: now };
    this.trail = [];
  }

  follow(seconds = this.seconds) {
    this.seconds = seconds;
    this.trail = [];
    this.following = true;
  }

  /** The frame stays, and what comes is not taken; it is there when one goes on. */
  hold() {
    this.following = false;
  }

  go(frame) {
    this.trail.push({ following: this.following, frame: this.frame });
    if (this.trail.length > TRAIL) this.trail.shift();
    this.following = false;
    this.frame = frame;
  }

  zoom(from, to) {
    const middle = (from + to) / 2, half = Math.max(SHORTEST, to - from) / 2;
    this.go({ from: middle - half, to: middle + half });
  }

  /** What is asked of the middle of the frame: `factor` times as wide. */
  scaled(factor) {
    const { from, to } = this.frame;
    const middle = (from + to) / 2, half = ((to - from) / 2) * factor;
    return [middle - half, middle + half];
  }

  pan(part) {
    const { from, to } = this.frame;
    const way = (to - from) * part;
    this.go({ from: from + way, to: to + way });
  }

  /** False: there is nothing to go back to. */
  back() {
    const before = this.trail.pop();
    if (!before) return false;
    this.following = before.following;
    this.frame = before.frame;
    return true;
  }

  /** What is asked for of a history from `first` to `last`: what is followed, or the frame. */
  span(first, last) {
    if (!this.following) return this.frame;
    // A history shorter than the range is asked for as it is, so that it comes as fine as it can be shown.
    if (this.seconds === null || !format.isNumber(last) || last - this.seconds <= first) return { from: null, to: null };
    return { from: last - this.seconds, to: null };
  }

  /** What is followed begins at the left and fills the frame, which grows by steps; then it moves. An ended program fits exactly. */
  fit(first, last, live) {
    if (!this.following || !format.isNumber(last)) return false;
    const begin = Math.min(first ?? last, last);
    const extent = Math.max(last - begin, SHORTEST);
    if (!live) this.frame = { from: Math.max(begin, this.seconds === null ? begin : last - this.seconds), to: Math.max(last, begin + SHORTEST) };
    else if (this.seconds !== null && extent >= this.seconds) this.frame = { from: last - this.seconds, to: last };
    else {
      const room = format.roomFor(extent * 1.02);
      this.frame = { from: begin, to: begin + (this.seconds === null ? room : Math.min(this.seconds, room)) };
    }
    return true;
  }
}
