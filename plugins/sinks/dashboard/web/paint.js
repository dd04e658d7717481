// What is painted into the plotting area of a chart: lines, stacks, sticks, annotations. The chart brings axes, crosshair and zoom.

/** From values to pixels of the canvas. */
export class Place {
  constructor(plot) {
    const { left, top, width, height } = plot.bbox;
    const { min, max } = plot.scales.x;
    this.scale = devicePixelRatio || 1;
    this.left = left;
    this.top = top;
    this.right = left + width;
    this.bottom = top + height;
    this.from = min;
    this.perSecond = width / (max - min);
    const y = plot.scales.y;
    this.logarithmic = y.distr === 3;
    this.low = this.logarithmic ? Math.log(y.min) : y.min;
    this.perUnit = height / ((this.logarithmic ? Math.log(y.max) : y.max) - this.low);
  }

  x(time) {
    return this.left + (time - this.from) * this.perSecond;
  }

  y(value) {
    return this.bottom - ((this.logarithmic ? Math.log(value) : value) - this.low) * this.perUnit;
  }
}

/** Calls for each run of columns between breaks. */
export function eachPiece(times, length, isBetweenRuns, each) {
  let begin = 0;
  for (let at = 1; at <= length; at++) {
    if (at < length && !isBetweenRuns(times[at - 1], times[at])) continue;
    each(begin, at);
    begin = at;
  }
}

export function line(context, place, times, values, length, isBetweenRuns, { colour, width = 1.6, dash = [], fill }) {
  context.strokeStyle = colour;
  context.lineWidth = width * place.scale;
  context.lineJoin = "round";
  context.setLineDash(dash.map((part) => part * place.scale));
  eachPiece(times, length, isBetweenRuns, (begin, end) => {
    let open = false, first = 0, last = 0, height = 0, points = 0;
    const finish = () => {
      if (!open) return;
      if (points === 1) context.lineTo(last + 1.5 * place.scale, height);
      context.stroke();
      if (fill) {
        context.lineTo(last, place.bottom);
        context.lineTo(first, place.bottom);
        context.fillStyle = fill;
        context.fill();
      }
      open = false;
    };
    for (let at = begin; at < end; at++) {
      const value = values[at];
      if (!Number.isFinite(value)) continue;
      const x = place.x(times[at]), y = place.y(value);
      if (!open) {
        context.beginPath();
        context.moveTo(x, y);
        first = x;
        points = 0;
        open = true;
      } else context.lineTo(x, y);
      last = x;
      height = y;
      points++;
    }
    finish();
  });
  context.setLineDash([]);
}

const OVERLAP = 1; // pixel

/** Areas one upon the other, the uppermost first: each reaches a little below its own, so that no seam shows between two. */
export function stack(context, place, times, stack, fills, isBetweenRuns, edge) {
  context.lineWidth = place.scale;
  context.lineJoin = "round";
  context.strokeStyle = edge;
  eachPiece(times, stack.length, isBetweenRuns, (begin, end) => {
    // A piece of a single column is a bar of two pixels.
    const last = end - begin === 1 ? 2 * place.scale : 0;
    const xs = Array.from({ length: end - begin }, (_, at) => place.x(times[begin + at]));
    for (let level = stack.tops.length - 1; level >= 0; level--) {
      const top = stack.tops[level], below = stack.tops[level - 1];
      const bottom = (at) => (below ? place.y(below[at]) + OVERLAP * place.scale : place.bottom);
      let thickest = 0;
      context.beginPath();
      for (let at = begin; at < end; at++) {
        thickest = Math.max(thickest, top[at] - (below ? below[at] : 0));
        context.lineTo(xs[at - begin], place.y(top[at]));
      }
      if (!(thickest > 0)) continue;
      if (last) context.lineTo(xs[0] + last, place.y(top[begin]));
      // Lines around what is thin would hide it.
      const outlined = edge && thickest * place.perUnit > 4 * place.scale;
      const line = outlined ? new Path2D() : null;
      if (outlined) for (let at = begin; at < end; at++) line.lineTo(xs[at - begin], place.y(top[at]));
      if (last) context.lineTo(xs[0] + last, bottom(begin));
      for (let at = end - 1; at >= begin; at--) context.lineTo(xs[at - begin], bottom(at));
      context.fillStyle = fills[level];
      context.fill();
      if (!outlined) continue;
      context.globalAlpha = 0.4;
      context.stroke(line);
      context.globalAlpha = 1;
    }
  });
}

/** From the bottom up to each value, with a point on top. */
export function sticks(context, place, times, values, length, { colour, shift = 0, radius = 2 }) {
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = place.scale;
  context.globalAlpha = 0.45;
  context.beginPath();
  for (let at = 0; at < length; at++) {
    if (!(values[at] > 0)) continue;
    const x = place.x(times[at]) + shift * place.scale;
    context.moveTo(x, place.bottom);
    context.lineTo(x, place.y(values[at]));
  }
  context.stroke();
  context.globalAlpha = 1;
  context.beginPath();
  for (let at = 0; at < length; at++) {
    if (!(values[at] > 0)) continue;
    const x = place.x(times[at]) + shift * place.scale, y = place.y(values[at]);
    context.moveTo(x + radius * place.scale, y);
    context.arc(x, y, radius * place.scale, 0, 2 * Math.PI);
  }
  context.fill();
}

/** Where one run of the program ends and the next begins. */
export function breaks(context, place, times, colour) {
  context.strokeStyle = colour;
  context.lineWidth = place.scale;
  context.setLineDash([1.5 * place.scale, 3 * place.scale]);
  context.globalAlpha = times.length > 12 ? 0.35 : 0.8;
  context.beginPath();
  for (const time of times) {
    const x = Math.round(place.x(time)) + 0.5;
    context.moveTo(x, place.top);
    context.lineTo(x, place.bottom);
  }
  context.stroke();
  context.setLineDash([]);
  context.globalAlpha = 1;
}

const MANY = 16, CROWD = 8; // pixels that there are for each of them, on the average

/** What is drawn of annotations of a kind: how strong, down to where, how many pixels apart at least. */
export function annotationStrokes(kind, place, count) {
  const room = (place.right - place.left) / place.scale / Math.max(1, count);
  if (room >= MANY) return [[0.45, place.bottom, 1]];
  const marker = kind === "marker";
  const ticks = [0.85, place.top + (marker ? 8 : 5) * place.scale, 2];
  return marker && room >= CROWD ? [ticks, [0.13, place.bottom, 6]] : [ticks];
}

/** Markers and messages: lines from top to bottom; where they are many, ticks at the top and faint lines for markers; of a crowd only ticks. */
export function annotations(context, place, entries, colours, { labels, chosen }) {
  context.lineWidth = place.scale;
  for (const kind of ["message", "marker"]) {
    context.strokeStyle = colours[kind];
    const strokes = annotationStrokes(kind, place, entries.length);
    for (const [alpha, bottom, apart] of strokes) {
      context.globalAlpha = alpha;
      context.setLineDash(kind === "message" && bottom === place.bottom ? [2 * place.scale, 3 * place.scale] : []);
      context.beginPath();
      let before = -Infinity;
      for (const entry of entries) {
        if (entry.kind !== kind) continue;
        const x = Math.round(place.x(entry.time)) + 0.5;
        if (x - before < apart * place.scale) continue;
        before = x;
        context.moveTo(x, place.top);
        context.lineTo(x, bottom);
      }
      context.stroke();
    }
  }
  context.setLineDash([]);
  context.globalAlpha = 1;
  if (labels) annotationLabels(context, place, entries, colours);
  if (chosen) chosenAnnotation(context, place, chosen, colours);
}

function annotationLabels(context, place, entries, colours) {
  context.font = `${11 * place.scale}px system-ui, sans-serif`;
  context.textBaseline = "top";
  context.textAlign = "left";
  let free = -Infinity;
  for (const entry of entries) {
    if (entry.kind !== "marker") continue;
    const x = place.x(entry.time) + 4 * place.scale;
    if (x < free) continue;
    const body = entry.body.replace(/[\u0000-\u001f\u007f]+/g, " ").trim();
    const text = body.length > 24 ? body.slice(0, 23) + "…" : body;
    const width = context.measureText(text).width;
    if (x + width > place.right) continue;
    context.fillStyle = colours.surface;
    context.globalAlpha = 0.8;
    context.fillRect(x - 2 * place.scale, place.top + 9 * place.scale, width + 4 * place.scale, 14 * place.scale);
    context.globalAlpha = 1;
    context.fillStyle = colours.text;
    context.fillText(text, x, place.top + 10 * place.scale);
    free = x + width + 16 * place.scale;
  }
}

function chosenAnnotation(context, place, entry, colours) {
  const x = Math.round(place.x(entry.time)) + 0.5;
  context.strokeStyle = colours.text;
  context.lineWidth = 2 * place.scale;
  context.beginPath();
  context.moveTo(x, place.top);
  context.lineTo(x, place.bottom);
  context.stroke();
}
