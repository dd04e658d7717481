// The bar and its buttons: which program, which range, and what can be asked of the program. Only shows; who acts is page.js.

import { setText } from "./bands.js";
import { factsOf, stateWords, titleOf } from "./program.js";
import { rangeOf } from "./range.js";

const element = (id) => document.getElementById(id);

export function showPrograms(programs, chosen) {
  const select = element("program");
  const options = programs.map((program) => new Option(`${titleOf(program)} – ${stateWords(program)}`, String(program.id)));
  if (!options.length) options.push(new Option("no program yet"));
  const before = [...select.options].map((option) => option.value + option.textContent).join("\n");
  if (before !== options.map((option) => option.value + option.textContent).join("\n")) select.replaceChildren(...options);
  select.disabled = !programs.length;
  if (chosen) select.value = String(chosen.id);
  const badge = element("state");
  badge.dataset.state = !chosen ? "none" : chosen.live ? "live" : chosen.state === "damaged" || chosen.state === "cut" ? "bad" : "ended";
  setText(badge, chosen ? stateWords(chosen) : "waiting");
  setText(element("facts"), chosen ? factsOf(chosen) : "");
  document.title = chosen ? `${titleOf(chosen)} – evpipe` : "evpipe";
}

export function showTools({ seconds, following, trail }, top) {
  for (const button of element("ranges").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(following && rangeOf(button.dataset.range) === seconds));
  }
  element("back").disabled = !trail.length;
  const pause = element("pause");
  setText(pause, following ? "Pause" : "Follow");
  pause.dataset.held = String(!following);
  pause.title = following ? "Hold the charts still (space)" : "Go on with what comes now (space)";
  if (element("top").value !== String(top)) element("top").value = String(top);
}

/** Why nothing can be asked of a program; "": it can. */
function reasonOf(program) {
  if (!program) return "No program to control yet.";
  if (program.recorded) return "A recording can not be controlled.";
  if (!program.controllable) return "Not controllable: its source needs `controllable: true`.";
  return program.live ? "" : "The program has ended.";
}

/** The reason, which it gives back; what stands there about a command stays while the reason `before` does. */
export function showControl(program, before) {
  const reason = reasonOf(program);
  for (const button of element("control").querySelectorAll("button")) {
    if (button.dataset.words === undefined) button.dataset.words = button.title;
    button.setAttribute("aria-disabled", String(Boolean(reason)));
    button.title = reason || button.dataset.words;
  }
  if (reason !== before) setText(element("control-reason"), reason);
  return reason;
}
