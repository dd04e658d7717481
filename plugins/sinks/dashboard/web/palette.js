// Colours. Ten hues that people with each kind of colour blindness can tell apart in this order (after Okabe and Ito, and Tol), in two
// sets, for light and for dark surfaces; five textures make fifty bands of them. A band keeps its colour for as long as it is known.

const LIGHT = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7a62b5", "#b3a62a", "#33a3a3", "#8f3f5f"];
const DARK = ["#3f9fe0", "#f0b13c", "#23b98c", "#dd8fbb", "#8bcdf5", "#ec7a3c", "#a08ade", "#cfc353", "#57c9c4", "#c2698f"];
export const TEXTURES = 5;

/** "r, g, b" mixed: 0 is the first, 1 the second. */
export function mix(first, second, part) {
  const [a, b] = [channels(first), channels(second)];
  return `rgb(${a.map((value, at) => Math.round(value + (b[at] - value) * part)).join(", ")})`;
}

export function channels(colour) {
  if (colour.startsWith("#")) return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return colour.match(/[\d.]+/g).slice(0, 3).map(Number);
}

/** Which colour and texture a band has: the first that nobody on the screen has. */
export class Slots {
  constructor() {
    this.taken = new Map();
  }

  /** Gives each a slot; who is no longer there gives its own back only when all are taken. */
  assign(ids) {
    const used = new Set(ids.map((id) => this.taken.get(id)).filter((slot) => slot !== undefined));
    for (const id of ids) {
      if (this.taken.has(id)) continue;
      let slot = 0;
      while (used.has(slot)) slot++;
      for (const [other, its] of this.taken) if (its === slot) this.taken.delete(other);
      used.add(slot);
      this.taken.set(id, slot);
    }
  }

  of(id) {
    return this.taken.get(id) ?? 0;
  }
}

export function slotColour(slot, dark) {
  const colours = dark ? DARK : LIGHT;
  return colours[slot % colours.length];
}

export function slotTexture(slot) {
  return Math.floor(slot / LIGHT.length) % TEXTURES;
}

const tiles = new Map();

/** A colour, or a tile of it with lines: what a canvas fills with. */
export function fillOf(context, colour, texture, scale) {
  if (texture === 0) return colour;
  const key = `${colour} ${texture} ${scale}`;
  if (!tiles.has(key)) {
    if (tiles.size > 500) tiles.clear();
    tiles.set(key, context.createPattern(tile(colour, texture, scale), "repeat"));
  }
  return tiles.get(key);
}

function tile(colour, texture, scale) {
  const size = Math.round(7 * scale);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const context = canvas.getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, size, size);
  context.strokeStyle = context.fillStyle = mix(colour, brightness(colour) > 140 ? "#000000" : "#ffffff", 0.45);
  context.lineWidth = 1.3 * scale;
  context.beginPath();
  for (const shift of [-size, 0, size]) {
    if (texture === 1) context.moveTo(shift, size), context.lineTo(shift + size, 0);
    if (texture === 2) context.moveTo(shift, 0), context.lineTo(shift + size, size);
  }
  if (texture === 3) context.moveTo(0, size / 2), context.lineTo(size, size / 2);
  context.stroke();
  if (texture === 4) context.arc(size / 2, size / 2, 1.2 * scale, 0, 2 * Math.PI), context.fill();
  return canvas;
}

function brightness(colour) {
  const [red, green, blue] = channels(colour);
  return 0.3 * red + 0.59 * green + 0.11 * blue;
}

/** The same as the canvas's tile, for the legend's swatch. */
export function swatch(element, colour, texture) {
  const line = mix(colour, brightness(colour) > 140 ? "#000000" : "#ffffff", 0.45);
  const lines = { 1: 135, 2: 45, 3: 0 }[texture];
  element.style.backgroundColor = colour;
  element.style.backgroundImage =
    texture === 0 ? "none"
    : texture === 4 ? `radial-gradient(${line} 26%, transparent 30%)`
    : `repeating-linear-gradient(${lines}deg, ${line} 0 1.5px, transparent 1.5px 5px)`;
  element.style.backgroundSize = texture === 4 ? "5px 5px" : "auto";
}
