// What is drawn of a stack of bands: running sums, and which band lies at a point. Nothing here touches the page.

/** Sums of the first 1, 2, ... rows, column by column, into buffers that are used again. */
export class Stack {
  constructor() {
    this.length = 0;
    this.tops = [];
  }

  /** `rows` are arrays of at least `length` numbers; what is not a number counts as nothing. */
  build(rows, length) {
    this.length = length;
    while (this.tops.length < rows.length) this.tops.push(new Float64Array(0));
    this.tops.length = rows.length;
    let below = null;
    rows.forEach((row, level) => {
      let top = this.tops[level];
      if (top.length < length) top = this.tops[level] = new Float64Array(2 * length);
      for (let at = 0; at < length; at++) top[at] = (below ? below[at] : 0) + (row[at] > 0 ? row[at] : 0);
      below = top;
    });
    return this;
  }

  /** The largest sum, from the column `from` on. */
  highest(from = 0) {
    const top = this.tops.at(-1);
    let highest = 0;
    if (top) for (let at = from; at < this.length; at++) if (top[at] > highest) highest = top[at];
    return highest;
  }

  /** The row that a value falls into at a place between two columns (2.5: half way from 2 to 3); -1: above all. */
  levelAt(place, value) {
    if (value < 0 || this.length === 0) return -1;
    const left = Math.max(0, Math.min(this.length - 1, Math.floor(place)));
    const right = Math.min(this.length - 1, left + 1);
    const part = Math.max(0, Math.min(1, place - left));
    return this.tops.findIndex((top) => value < top[left] + (top[right] - top[left]) * part);
  }
}

/**
 * The rate of a running total in each of its columns, over `least` seconds or to the column before, whichever is longer: what lies closer
 * together says little. Not from one run to the next. NaN in the first column of each run, and where the total fell.
 */
export function rates(times, totals, length, least, isBetweenRuns, into) {
  const rate = into && into.length >= length ? into : new Float64Array(2 * length);
  let from = 0;
  for (let at = 0; at < length; at++) {
    if (at && isBetweenRuns(times[at - 1], times[at])) from = at;
    while (from + 1 < at && times[at] - times[from + 1] >= least) from++;
    const took = times[at] - times[from];
    const more = totals[at] - totals[from];
    rate[at] = took > 0 && took >= least / 2 && more >= 0 ? more / took : NaN; // what begins with a burst has no rate for a moment
  }
  return rate;
}
