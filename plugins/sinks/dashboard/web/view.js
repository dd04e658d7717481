// The data of what is on the screen: a bounded number of columns, loaded from the history and gone on with by what comes live.
// What one update costs depends on the number of columns and on what is new, never on how long the history is.

/** How a sample joins a column that has one already. */
export const keepLarger = (which) => (columns, at, time, row) => {
  if (!(row[which] > columns.cells[which][at])) return;
  columns.put(at, time, row);
};

/**
 * The largest of each value by itself, of those that were measured. Behind the values of a row stand as many flags: 1 if it was
 * measured; 0 if it is held from before, which says nothing about the column.
 */
export function keepLargest(columns, at, time, row) {
  const { cells } = columns;
  const values = cells.length / 2;
  columns.times[at] = time;
  for (let which = 0; which < values; which++) {
    const was = cells[values + which][at], is = row[values + which];
    if (is < was || (is === 1 && was === 1 && cells[which][at] >= row[which])) continue;
    cells[which][at] = row[which];
    cells[values + which][at] = is;
  }
}

export const keepLast = (columns, at, time, row) => columns.put(at, time, row);

/** Of pauses the longest shows, with its time; collections and seconds add up. */
export function addUpPauses(columns, at, time, row) {
  const [longest, collections, seconds] = columns.cells;
  if (row[0] > longest[at]) {
    longest[at] = row[0];
    columns.times[at] = Math.max(time, columns.times[at]);
  }
  collections[at] += row[1];
  seconds[at] += row[2];
}

/** Rows of numbers by time, appended at the end and forgotten at the beginning. */
export class Columns {
  constructor(width, join, room) {
    this.join = join;
    this.room = room;
    this.times = new Float64Array(room);
    this.cells = Array.from({ length: width }, () => new Float64Array(room));
    this.begin = 0;
    this.end = 0;
  }

  get length() {
    return this.end - this.begin;
  }

  get last() {
    return this.length ? this.times[this.end - 1] : -Infinity;
  }

  /** Views, not copies. */
  time() {
    return this.times.subarray(this.begin, this.end);
  }

  cell(which) {
    return this.cells[which].subarray(this.begin, this.end);
  }

  put(at, time, row) {
    this.times[at] = time;
    for (let which = 0; which < this.cells.length; which++) this.cells[which][at] = row[which];
  }

  /** One more row of cells, 0 for what was before. */
  widen() {
    this.cells.push(new Float64Array(this.room));
    return this.cells.length - 1;
  }

  load(times, lists) {
    const from = Math.max(0, times.length - this.room);
    this.begin = 0;
    this.end = times.length - from;
    for (let at = 0; at < this.end; at++) this.times[at] = times[from + at];
    lists.forEach((list, which) => {
      for (let at = 0; at < this.end; at++) this.cells[which][at] = list[from + at] ?? NaN;
    });
  }

  /** Into the column that is there, or a new one; where its time belongs, which is the end but for what comes late. */
  append(time, row, step) {
    const column = (at) => Math.floor(this.times[at] / step);
    const mine = Math.floor(time / step);
    let at = this.length && time < this.last ? this.begin + this.upTo(time) : this.end - 1;
    if (at >= this.begin && column(at) === mine) return this.join(this, at, time, row);
    if (at + 1 < this.end && column(at + 1) === mine) return this.join(this, at + 1, this.times[at + 1], row);
    if (this.end === this.room) {
      this.makeRoom();
      at = this.begin + this.upTo(time);
    }
    this.insert(at + 1, time, row);
  }

  insert(at, time, row) {
    if (at < this.end) {
      this.times.copyWithin(at + 1, at, this.end);
      for (const cell of this.cells) cell.copyWithin(at + 1, at, this.end);
    }
    this.end++;
    this.put(at, time, row);
  }

  makeRoom() {
    if (this.begin < this.room / 4) return this.thin();
    this.times.copyWithin(0, this.begin, this.end);
    for (const cell of this.cells) cell.copyWithin(0, this.begin, this.end);
    this.end -= this.begin;
    this.begin = 0;
  }

  /** Two columns become one. */
  thin() {
    const row = new Float64Array(this.cells.length);
    let to = 0;
    for (let at = this.begin; at < this.end; at++) {
      const time = this.times[at];
      for (let which = 0; which < row.length; which++) row[which] = this.cells[which][at];
      if ((at - this.begin) % 2) this.join(this, to++, time, row);
      else this.put(to, time, row);
    }
    this.end = to + (this.length % 2);
    this.begin = 0;
  }

  /** Keeps one column from before that time, for the line that comes in from the left. */
  forgetBefore(time) {
    while (this.length > 2 && this.times[this.begin + 1] < time) this.begin++;
  }

  /** The last column that is not later (counted from the first one); -1: all are. */
  upTo(time) {
    let low = this.begin, high = this.end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= time) low = middle + 1;
      else high = middle;
    }
    return low - 1 - this.begin;
  }

  nearest(time) {
    const at = this.upTo(time);
    if (at < 0) return this.length ? 0 : -1;
    if (at + 1 >= this.length) return at;
    return time - this.times[this.begin + at] <= this.times[this.begin + at + 1] - time ? at : at + 1;
  }

  value(which, at) {
    return at >= 0 && at < this.length ? this.cells[which][this.begin + at] : NaN;
  }
}

const TOTAL = 0;
const KINDS_DRAWN = new Set(["marker", "message"]);
const MOST_LOGS = 1000;
const MOST_BREAKS = 200;

/** Censuses: the bands that are shown, each with a row of its own, and the sum of all others. */
class Censuses {
  constructor(room, top) {
    this.room = room;
    this.top = top;
    this.columns = new Columns(1, keepLarger(TOTAL), room);
    this.bands = [];
    this.rowOf = new Map();
    this.names = new Map(); // of bands that are not shown (yet)
    this.peaks = new Map(); // of bands that are not shown, since the view was loaded
    this.hidden = 0;
    this.breakdown = null;
    this.breakdowns = [];
  }

  load(census) {
    this.breakdown = census.breakdown;
    this.breakdowns = census.breakdowns ?? [];
    this.hidden = census.rest_count ?? 0;
    for (const { values, ...band } of census.bands) this.show(band);
    this.columns.load(census.time, [census.total, ...census.bands.map((band) => band.values)]);
    for (const cell of this.columns.cells) for (let at = 0; at < this.columns.end; at++) cell[at] ||= 0;
  }

  show(band) {
    this.rowOf.set(band.id, this.columns.widen());
    this.bands.push(band);
  }

  append(delta, step) {
    this.breakdown = delta.breakdown ?? this.breakdown;
    for (const band of delta.new_bands ?? []) {
      if (this.rowOf.has(band.id)) continue;
      if (this.bands.length < this.top) this.show({ ...band, peak: 0 });
      else this.names.set(band.id, band), this.hidden++;
    }
    const row = new Float64Array(this.columns.cells.length);
    delta.time.forEach((time, at) => {
      row.fill(0);
      row[TOTAL] = delta.total[at];
      for (const [id, bytes] of delta.rows[at]) {
        const which = this.rowOf.get(id);
        if (which !== undefined) row[which] = bytes;
        else if (bytes > (this.peaks.get(id) ?? 0)) this.peaks.set(id, bytes);
      }
      this.columns.append(time, row, step);
    });
  }

  /** A band that is not shown has grown larger than the smallest one that is. */
  outgrown() {
    if (!this.peaks.size || this.bands.length < this.top) return false;
    let smallest = Infinity;
    for (const band of this.bands) {
      let peak = 0;
      for (const value of this.columns.cell(this.rowOf.get(band.id))) if (value > peak) peak = value;
      smallest = Math.min(smallest, peak);
    }
    for (const peak of this.peaks.values()) if (peak > smallest) return true;
    return false;
  }

  total() {
    return this.columns.cell(TOTAL);
  }

  values(band) {
    return this.columns.cell(this.rowOf.get(band.id));
  }

  /** What the bands that are not shown have together, into a buffer. */
  rest(into) {
    const total = this.total();
    const rest = into && into.length >= total.length ? into : new Float64Array(2 * total.length);
    rest.set(total);
    for (const band of this.bands) {
      const values = this.values(band);
      for (let at = 0; at < total.length; at++) rest[at] -= values[at];
    }
    for (let at = 0; at < total.length; at++) if (rest[at] < 0.5) rest[at] = 0;
    return rest.subarray(0, total.length);
  }
}

/** Where nothing was said, the value before holds, but not from one run to the next. */
function held(list, times, isBetweenRuns) {
  let value = NaN;
  return list.map((next, at) => {
    if (at && isBetweenRuns(times[at - 1], times[at])) value = NaN;
    return (value = next ?? value);
  });
}

const isMeasured = (value) => Number(value !== null && value !== undefined);

export class View {
  /** At most `columns` of them are asked for; half as many again may come live before they are thinned. */
  constructor(columns, top) {
    this.columns = columns;
    const room = 2 * columns + 64;
    this.room = room;
    this.step = 1;
    this.first = null;
    this.last = null;
    this.heap = new Columns(6, keepLargest, room);
    this.memory = new Columns(6, keepLargest, room);
    this.allocated = new Columns(1, keepLast, room);
    this.pauses = []; // {generation, columns: longest, collections, seconds}
    this.buckets = [];
    this.classes = []; // names, in the order of the cells of `events`
    this.events = new Columns(0, keepLast, room);
    this.census = new Censuses(room, top);
    this.breaks = [];
    this.logs = [];
    this.logIds = new Set();
  }

  load(history) {
    const { heap, memory, allocated, pauses, events, census } = history;
    this.step = history.step > 0 ? history.step : 1;
    this.first = history.first;
    this.last = history.last;
    this.breaks = history.breaks ?? [];
    const hold = (times, lists) => [...lists.map((list) => held(list, times, (before, after) => this.isBetweenRuns(before, after))),
                                    ...lists.map((list) => times.map((_, at) => isMeasured(list?.[at])))];
    if (heap) this.heap.load(heap.time, hold(heap.time, [heap.size, heap.live, heap.blocks]));
    if (memory) this.memory.load(memory.time, hold(memory.time, [memory.current, memory.needed, memory.returned]));
    if (allocated) this.allocated.load(allocated.time, [allocated.bytes]);
    for (const one of pauses ?? []) this.pausesOf(one.generation).load(one.time, [one.longest, one.collections, one.seconds]);
    this.buckets = history.pause_buckets ?? [];
    if (events) {
      for (const name of Object.keys(events.classes)) this.classOf(name);
      this.events.load(events.time, Object.values(events.classes));
    }
    if (census) this.census.load(census);
    this.addLogs(history.logs ?? []);
  }

  append(delta, frame) {
    const { heap, memory, allocated, pauses, events, census } = delta;
    const step = this.step;
    if (delta.breaks) this.breaks = [...this.breaks, ...delta.breaks].slice(-MOST_BREAKS);
    if (heap) this.appendAll(this.heap, heap.time, [heap.size, heap.live, heap.blocks], step, true);
    if (memory) this.appendAll(this.memory, memory.time, [memory.current, memory.needed, memory.returned], step, true);
    if (allocated) this.appendAll(this.allocated, allocated.time, [allocated.bytes], step);
    for (const one of pauses ?? []) this.appendAll(this.pausesOf(one.generation), one.time, [one.longest, one.collections, one.seconds], step);
    if (delta.pause_buckets) this.buckets = delta.pause_buckets;
    if (events) this.appendEvents(events, step);
    if (census) {
      this.census.append(census, step);
      this.reach(census.time);
    }
    this.addLogs(delta.logs ?? []);
    if (frame) this.fit(frame);
  }

  /** With `hold` a value that does not come with the others of its row stays what it was. */
  appendAll(columns, times, lists, step, hold = false) {
    const row = new Float64Array(hold ? 2 * lists.length : lists.length);
    times.forEach((time, at) => {
      let before = hold ? columns.upTo(time) : -1;
      if (before >= 0 && this.isBetweenRuns(columns.time()[before], time)) before = -1;
      lists.forEach((list, which) => (row[which] = list?.[at] ?? columns.value(which, before)));
      if (hold) lists.forEach((list, which) => (row[lists.length + which] = isMeasured(list?.[at])));
      columns.append(time, row, step);
    });
    this.reach(times);
  }

  /** Classes of which nothing is said stay where they were: their totals are running ones. */
  appendEvents(events, step) {
    for (const name of Object.keys(events.classes)) this.classOf(name);
    const before = this.classes.map((_, which) => this.events.value(which, this.events.length - 1) || 0);
    this.appendAll(this.events, events.time, this.classes.map((name, which) => events.classes[name] ?? events.time.map(() => before[which])), step);
  }

  reach(times) {
    if (!times.length) return;
    this.first ??= times[0];
    this.last = Math.max(this.last ?? -Infinity, times[times.length - 1]);
  }

  all() {
    return [this.heap, this.memory, this.allocated, this.events, this.census.columns, ...this.pauses.map((one) => one.columns)];
  }

  /** Keeps to what the frame shows: what left it is forgotten, what is too fine for it becomes coarser. */
  fit(frame) {
    this.step = (frame.to - frame.from) / this.columns;
    for (const columns of this.all()) {
      columns.forgetBefore(frame.from);
      if (columns.length > 1.5 * this.columns) columns.thin();
    }
    this.breaks = this.breaks.filter((time) => time >= frame.from - this.step);
  }

  pausesOf(generation) {
    let one = this.pauses.find((each) => each.generation === generation);
    if (!one) {
      one = { generation, columns: new Columns(3, addUpPauses, this.room) };
      this.pauses.push(one);
      this.pauses.sort((a, b) => a.generation - b.generation);
    }
    return one.columns;
  }

  classOf(name) {
    if (!this.classes.includes(name)) {
      this.classes.push(name);
      this.events.widen();
    }
  }

  /** In the order of their times: capabilities write their buffers one after the other. */
  addLogs(entries) {
    let late = false;
    for (const entry of entries) {
      if (this.logIds.has(entry.id)) continue;
      late ||= this.logs.length > 0 && entry.time < this.logs.at(-1).time;
      this.logIds.add(entry.id);
      this.logs.push(entry);
      this.reach([entry.time]);
    }
    if (late) this.logs.sort((a, b) => a.time - b.time || a.id - b.id);
    while (this.logs.length > MOST_LOGS) this.logIds.delete(this.logs.shift().id);
  }

  /** What is drawn over the charts. */
  annotations(frame, until) {
    return this.logs.filter((entry) => KINDS_DRAWN.has(entry.kind) && entry.time >= frame.from && entry.time <= Math.min(frame.to, until));
  }

  isBetweenRuns(before, after) {
    for (const time of this.breaks) if (time > before && time <= after) return true;
    return false;
  }
}
