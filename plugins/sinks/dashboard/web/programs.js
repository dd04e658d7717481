// The programs that evpipe knows, and the one that is looked at.

import * as api from "./api.js";
import { keyOf } from "./program.js";
import * as theme from "./theme.js";

export class Programs {
  constructor() {
    this.server = null; // evpipe's process, to know when it is another
    this.inputs = null;
    this.list = [];
    this.chosen = null;
    this.wanted = theme.remembered("program"); // by name: numbers are new with each evpipe
  }

  /** True: it is another evpipe than before, which has other numbers for everything. */
  async fetch() {
    const answer = await api.programs();
    const another = this.server !== null && this.server !== answer.pid;
    this.server = answer.pid;
    this.inputs = answer.inputs;
    this.list = answer.programs;
    return another;
  }

  /** Chooses the one that is wanted, else one that is live, else the one that ended last. True: it is of another name than before. */
  choose() {
    const before = this.chosen;
    this.chosen = this.list.find((one) => keyOf(one) === this.wanted) ??
      [...this.list].sort((a, b) => Number(b.live) - Number(a.live) || (b.last ?? 0) - (a.last ?? 0))[0] ?? null;
    return Boolean(this.chosen && before && keyOf(this.chosen) !== keyOf(before));
  }

  /** The reader chooses; null: it is not there any more. */
  select(id) {
    const program = this.list.find((one) => one.id === id) ?? null;
    if (!program) return null;
    this.wanted = keyOf(program);
    theme.remember("program", this.wanted);
    return (this.chosen = program);
  }

  /** What is new of a program; if it is the chosen one what was known of it before, else null. */
  update(program) {
    const at = this.list.findIndex((one) => one.id === program.id);
    if (at >= 0) this.list[at] = program;
    else this.list.push(program);
    if (this.chosen?.id !== program.id) return null;
    const before = this.chosen;
    this.chosen = program;
    return before;
  }

  /** The number of the one behind the chosen one, in a circle; null: there is no other. */
  next() {
    const at = this.list.findIndex((one) => one.id === this.chosen?.id);
    const next = this.list[(at + 1) % this.list.length];
    return next && next.id !== this.chosen?.id ? next.id : null;
  }

  isRecorded(source) {
    return this.list.some((program) => program.source === source && program.recorded);
  }
}
