// Where the data on the screen come from: the history, then what comes live.
//
// The order that makes them fit: the live stream opens and says `hello`; then the history is asked for; what came live meanwhile waits, and
// of it only what is newer than the history (its `seq`) is appended.

import * as api from "./api.js";

const RANK_EVERY = 5000; // milliseconds: how often at most other bands are fetched because some have grown
const WAITING = 1000; // pushes; of more the history is asked for anew

export class Feed {
  /**
   * `owner`: query(), what history is asked for, null for none; newView(), empty; fit(), the frame to what is there; range and
   * breakdown, what is looked at; loaded(), appended(census), failed(error).
   */
  constructor(owner) {
    this.owner = owner;
    this.view = owner.newView();
    this.loading = null; // the request that is under way
    this.waiting = []; // what comes live meanwhile
    this.rankedAt = 0;
  }

  /** Nothing is known: what was drawn was of another program. */
  clear() {
    this.view = this.owner.newView();
  }

  async load() {
    const query = this.owner.query();
    if (!query) {
      this.clear();
      this.owner.appended(null);
      return;
    }
    const ticket = (this.loading = {});
    this.waiting = [];
    let history, problem = null;
    try {
      history = await api.history(query);
    } catch (error) {
      problem = error;
    }
    if (this.loading !== ticket) return;
    this.loading = null;
    if (problem) this.owner.failed(problem);
    else this.show(history);
  }

  show(history) {
    this.view = this.owner.newView();
    this.view.load(history);
    this.rankedAt = performance.now();
    this.owner.fit();
    const waiting = this.waiting;
    this.waiting = [];
    for (const delta of waiting) if (delta.seq > history.seq) this.append(delta);
    this.owner.loaded();
  }

  take(delta) {
    if (this.loading) this.waiting.push(delta);
    else this.append(delta);
    if (this.waiting.length > WAITING) this.load();
  }

  append(delta) {
    const { range, breakdown } = this.owner;
    if (!range.following) return;
    const { census } = delta;
    const shown = this.view.census.breakdown;
    if (census && shown !== null && census.breakdown !== shown) {
      // Bands of another kind: not to be mixed with these. What was chosen stays.
      if (breakdown === null) {
        this.load();
        return;
      }
      delete delta.census;
    }
    this.view.append(delta, range.frame);
    this.owner.fit();
    if (performance.now() - this.rankedAt > RANK_EVERY && this.view.census.outgrown()) this.load();
    this.owner.appended(census);
  }
}
