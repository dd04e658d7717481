// The log of markers, messages, thread labels and words of the run-time system: filtered, the newest first.

import * as format from "./format.js";
import { setText } from "./bands.js";

const MOST_LINES = 200;
const element = (id) => document.getElementById(id);

export class LogPanel {
  /** `actions`: choose(entry) – null when none is. */
  constructor(actions) {
    this.actions = actions;
    this.kinds = new Set(["marker", "message", "label", "rts"]);
    this.text = "";
    this.lines = new Map();
    this.screen = null;
    element("log-filter").addEventListener("input", () => {
      this.text = element("log-filter").value.trim().toLowerCase();
      this.show();
    });
    for (const button of element("log-kinds").querySelectorAll("button")) {
      button.addEventListener("click", () => this.toggle(button));
    }
  }

  toggle(button) {
    const kind = button.dataset.kind;
    if (!this.kinds.delete(kind)) this.kinds.add(kind);
    button.setAttribute("aria-pressed", String(this.kinds.has(kind)));
    this.show();
  }

  update(screen) {
    this.screen = screen;
    this.show();
  }

  matches(entry) {
    return this.kinds.has(entry.kind) && (!this.text || entry.body.toLowerCase().includes(this.text));
  }

  /** Lines that stay are not made anew. */
  show() {
    if (!this.screen) return;
    const { view, frame } = this.screen;
    const to = Math.min(frame.to, this.screen.until);
    const there = view.logs.filter((entry) => entry.time >= frame.from && entry.time <= to);
    const found = there.filter((entry) => this.matches(entry));
    const wanted = found.slice(-MOST_LINES).reverse();
    const lines = new Map(wanted.map((entry) => [entry.id, this.lines.get(entry.id) ?? this.makeLine(entry)]));
    for (const [id, line] of this.lines) if (!lines.has(id)) line.remove();
    let before = null;
    for (const line of lines.values()) {
      const place = before ? before.nextSibling : element("log").firstChild;
      if (place !== line) element("log").insertBefore(line, place);
      before = line;
    }
    this.lines = lines;
    const more = found.length > MOST_LINES ? `, the newest ${MOST_LINES} shown` : "";
    setText(element("log-count"), there.length ? (found.length === there.length ? `${there.length}${more}` : `${found.length} of ${there.length}${more}`) : "");
    this.nothingFound = there.length > 0 && found.length === 0;
  }

  makeLine(entry) {
    const line = document.createElement("li");
    line.dataset.kind = entry.kind;
    const time = document.createElement("time");
    time.textContent = format.clock(entry.time, 3);
    time.title = format.day(entry.time);
    const kind = document.createElement("span");
    kind.className = "kind";
    kind.textContent = entry.kind === "rts" ? "RTS" : entry.kind;
    const body = document.createElement("span");
    body.className = "body";
    body.textContent = entry.body;
    const from = document.createElement("span");
    from.className = "from";
    from.textContent = [isThere(entry.thread) ? `thread ${entry.thread}` : "", isThere(entry.capability) ? `cap ${entry.capability}` : ""].filter(Boolean).join(" · ");
    line.append(time, kind, body, from);
    line.addEventListener("pointerenter", () => this.actions.choose(entry));
    line.addEventListener("pointerleave", () => this.actions.choose(null));
    return line;
  }
}

function isThere(value) {
  return value !== null && value !== undefined;
}
