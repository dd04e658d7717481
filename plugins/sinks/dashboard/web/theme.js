// Light and dark: what the reader chose, else what the system says; and the colours of the page's style sheet for canvases.

const ORDER = ["auto", "light", "dark"];
const listeners = new Set();
const system = matchMedia("(prefers-color-scheme: dark)");
let probe = null;

export function chosen() {
  const value = remembered("theme");
  return ORDER.includes(value) ? value : "auto";
}

export function isDark() {
  return chosen() === "dark" || (chosen() === "auto" && system.matches);
}

export function next() {
  remember("theme", ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length]);
  apply();
  return chosen();
}

export function start() {
  system.addEventListener("change", apply);
  apply();
}

export function onChange(listener) {
  listeners.add(listener);
}

function apply() {
  document.documentElement.dataset.theme = chosen();
  for (const listener of listeners) listener();
}

/** A custom property of the style sheet, as the browser resolves it now. */
export function colour(name) {
  if (!probe) {
    probe = document.createElement("span");
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/** Storage may be forbidden; then choices hold until the page is left. */
const memory = new Map();

export function remembered(name) {
  try {
    return localStorage.getItem("evpipe." + name) ?? memory.get(name) ?? null;
  } catch {
    return memory.get(name) ?? null;
  }
}

export function remember(name, value) {
  memory.set(name, value);
  try {
    localStorage.setItem("evpipe." + name, value);
  } catch {
    // Then it is in `memory` alone.
  }
}
