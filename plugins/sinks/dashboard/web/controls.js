// What the reader works: each button and key, and what of the page it calls.

import { listen } from "./keyboard.js";
import { rangeOf } from "./range.js";

const element = (id) => document.getElementById(id);

export function wire(page) {
  const onClick = (id, action) => element(id).addEventListener("click", action);
  element("program").addEventListener("change", () => page.selectProgram(Number(element("program").value)));
  onClick("ranges", ({ target }) => target.dataset.range && page.setRange(rangeOf(target.dataset.range)));
  onClick("zoom-in", () => page.zoomBy(0.5));
  onClick("zoom-out", () => page.zoomBy(2));
  onClick("back", () => page.back());
  onClick("pause", () => page.pause());
  onClick("theme", () => page.nextTheme());
  onClick("help-button", () => element("help").showModal());
  for (const button of element("control").querySelectorAll("button")) {
    button.addEventListener("click", () => page.command(button.dataset.command, button.textContent));
  }
  document.querySelector("details.distribution").addEventListener("toggle", () => page.draw());
  document.addEventListener("visibilitychange", () => page.visibilityChanged());
  listen(keys(page));
}

function keys(page) {
  const ranges = [[60, "1", "the last minute"], [300, "2", "the last 5 minutes"], [900, "3", "the last 15 minutes"], [3600, "4", "the last hour"], [null, "5", "all that is kept"]];
  const focus = (id) => () => element(id).focus();
  return [
    [[" "], "hold still, go on; of a recording: play, hold", () => (page.playback.available ? page.playback.toggle() : page.pause())],
    ...ranges.map(([range, key, words]) => [[key], words, () => page.setRange(range)]),
    [["+", "="], "zoom in", () => page.zoomBy(0.5)],
    [["-"], "zoom out", () => page.zoomBy(2)],
    [["ArrowLeft"], "earlier", () => page.pan(-0.25)],
    [["ArrowRight"], "later", () => page.pan(0.25)],
    [["b", "Backspace", "Escape"], "back to the range before", () => page.back()],
    [["/"], "search the bands", focus("band-search")],
    [["f"], "filter markers and messages", focus("log-filter")],
    [["p"], "the next program", () => page.nextProgram()],
    [["c"], "ask for a census", () => page.command("census", "Census")],
    [["t"], "light, dark, or as the system", () => page.nextTheme()],
    [["?"], "this list", () => element("help").showModal()],
  ];
}
