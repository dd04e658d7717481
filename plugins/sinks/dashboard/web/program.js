// Words about a program: what it is called, how it is, what is known of it.

import * as format from "./format.js";

/** Programs are the same over restarts of evpipe if source and labels are. */
export function keyOf(program) {
  return JSON.stringify([program.source, Object.entries(program.labels ?? {}).sort()]);
}

export function titleOf(program) {
  const labels = Object.entries(program.labels ?? {}).filter(([name]) => name !== "service").map(([name, value]) => `${name}=${value}`);
  return [program.service ?? program.source, ...labels].join(" ");
}

export function stateWords(program) {
  if (program.live) return program.recorded ? "replayed" : "live";
  return { complete: "ended", cut: "cut off", damaged: "damaged", open: "ended" }[program.state] ?? program.state ?? "ended";
}

export function factsOf(program) {
  return [
    program.program && program.program !== program.service ? program.program : "",
    isThere(program.pid) ? `pid ${program.pid}` : "",
    program.rts ?? "",
    program.runs > 1 ? `run ${program.runs}` : "",
    program.clock === "estimated" ? "clock estimated" : "",
    isThere(program.first) && format.day(program.first) !== format.day(Date.now() / 1000) ? format.day(program.first) : "",
  ].filter(Boolean).join(" · ");
}

function isThere(value) {
  return value !== null && value !== undefined;
}
