// Numbers as people read them: with units, in few digits. Nothing here touches the page.

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"];
const THOUSANDS = ["", "k", "M", "G", "T"];
export const NONE = "–";

/** At most three digits that matter: 1.23, 12.3, 123. */
function digits(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 99.95 || size === 0 ? 0 : size >= 9.995 ? 1 : 2);
}

function scaled(value, base, units) {
  let unit = 0;
  // 999.5 would be written as 1000: the next unit says it shorter.
  while (unit < units.length - 1 && Math.abs(value) >= (base === 1000 ? 999.5 : 1023.5)) {
    value /= base;
    unit++;
  }
  return [unit === 0 && Number.isInteger(value) ? String(value) : digits(value), units[unit]];
}

/** For an axis, where every value is a round one: without zeros at the end. */
export function brief(text) {
  return text.replace(/\.0+(?= |$)|(\.\d*[1-9])0+(?= |$)/, "$1");
}

export function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

export function bytes(value) {
  return isNumber(value) ? scaled(value, 1024, BYTES).join(" ") : NONE;
}

export function bytesRate(value) {
  return isNumber(value) ? bytes(value) + "/s" : NONE;
}

export function count(value) {
  if (!isNumber(value)) return NONE;
  const [number, unit] = scaled(value, 1000, THOUSANDS);
  return unit ? `${number} ${unit}` : number;
}

export function countRate(value) {
  return isNumber(value) ? count(value) + "/s" : NONE;
}

/** A length of time as an instrument shows it: 12.3 µs, 4.56 ms, 7.89 s, 12 min. */
export function seconds(value) {
  if (!isNumber(value)) return NONE;
  const size = Math.abs(value);
  if (size === 0) return "0 s";
  if (size < 0.0009995) return digits(value * 1e6) + " µs";
  if (size < 0.9995) return digits(value * 1e3) + " ms";
  if (size < 99.95) return digits(value) + " s";
  return span(value);
}

/** A length of time in two units: 2 min 5 s, 3 h 20 min. */
export function span(value) {
  if (!isNumber(value)) return NONE;
  const whole = Math.round(Math.abs(value));
  const parts = [[Math.floor(whole / 86400), "d"], [Math.floor(whole / 3600) % 24, "h"], [Math.floor(whole / 60) % 60, "min"], [whole % 60, "s"]];
  const first = parts.findIndex(([number]) => number > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([number]) => number > 0).map(([number, unit]) => `${number} ${unit}`).join(" ");
}

export function percent(part, whole) {
  if (!isNumber(part) || !isNumber(whole) || whole <= 0) return NONE;
  const value = (100 * part) / whole;
  return value > 0 && value < 0.1 ? "<0.1 %" : value.toFixed(value >= 99.95 ? 0 : 1) + " %";
}

const two = (number) => String(number).padStart(2, "0");

/** Time of day, in the reader's zone; with tenths, or as many digits as asked for. */
export function clock(time, places = 1) {
  if (!isNumber(time)) return NONE;
  const date = new Date(time * 1000);
  const fraction = places ? "." + String(date.getMilliseconds()).padStart(3, "0").slice(0, places) : "";
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}${fraction}`;
}

export function day(time) {
  if (!isNumber(time)) return NONE;
  const date = new Date(time * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Distances between the lines of an axis of bytes: powers of two, so that they are whole KiB, MiB, GiB. */
export const BYTE_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);

/** The end of a scale that begins at 0: a little above the largest value, so that it does not move with each sample. */
export function ceiling(value, binary) {
  if (!(value > 0)) return 1;
  const base = binary ? 2 ** Math.floor(Math.log2(value)) : 10 ** Math.floor(Math.log10(value));
  const steps = binary ? [1, 1.25, 1.5, 1.75, 2, 2.5] : [1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12.5];
  return base * steps.find((step) => base * step >= value * 1.04);
}

/** The shortest of the lengths that a chart grows through which holds so many seconds. */
export function roomFor(extent) {
  const lengths = [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400];
  return lengths.find((length) => length >= extent) ?? Math.ceil(extent / 86400) * 86400;
}
