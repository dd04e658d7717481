// What a chart without data says: why, and what to do. Nothing here touches the page.

import * as format from "./format.js";

const NEW_PROGRAM = 10; // seconds in which nothing need have come yet

/** Why nothing comes from a program at all; null: it does. `sources`: those that are not connected. */
export function waitingWords({ asking, program, loading, view, sources }) {
  if (asking) return "Asking evpipe…";
  if (program) return loading && !format.isNumber(view.last) ? "Fetching the history…" : null;
  const names = sources.map((node) => (node.waits_for ? `${node.name} (${node.waits_for})` : node.name));
  return names.length ? `Waiting for the program: ${names.join(", ")} not connected yet. Has it been started, with +RTS -l?`
                      : "Waiting for the program: nothing has come from it yet.";
}

/**
 * Words for each chart, null for one that has data. `inputs`: what comes to the sink; `had`: what came of the program, though it may
 * not lie in the range shown; `waiting`: the words of waitingWords(); `said`: the log has lines, `unmatched`: but none for the filter.
 */
export function emptyWords({ view, program, inputs, had, following, waiting, controllable, said, unmatched }) {
  const has = (name) => !inputs || (inputs.metrics ?? []).includes(name) || had.has(name);
  const old = program && format.isNumber(view.last) && (!program.live || view.last - view.first > NEW_PROGRAM);
  // What is missing shows only when a program has been there for a while: evpipe knows of metrics when they come.
  const nothing = (there, missing, words) => (there ? null : (old && missing) || (waiting ? "Waiting for the program" : words));
  const elsewhere = following ? "" : " in this range";
  const yet = elsewhere || (program && !program.live ? "" : " yet"); // of a program that has ended nothing more will come
  const lacksHeap = has("heap") ? "" : "No heap metrics come here: put a filter `heap` into this sink's `from`; if it is there, run the program with +RTS -l.";
  const lacksGc = has("gc") ? "" : "No GC pauses come here: put a filter `gc` into this sink's `from`; if it is there, run the program with +RTS -l (its class g).";
  const lacksEvents = inputs && !inputs.events ? "No events come here: put the source itself into this sink's `from`." : "";
  const lacksLogs = inputs && !inputs.logs ? "No logs come here: put a filter `logs` into this sink's `from`." : "";
  const censuses = view.census.columns.length;
  return {
    bands: waiting && !censuses ? waiting : nothing(censuses, lacksHeap, `No census${yet}. Run the program with +RTS -l -hT (or -hc, -hi, …) -i1${controllable ? ", or press Census." : "."}`),
    heap: nothing(view.heap.length, lacksHeap, `No heap sizes${yet}: they come with each garbage collection, with +RTS -l (its class g).`),
    allocation: nothing(view.allocated.length > 1, lacksHeap, `No allocation${yet}: it is told with each garbage collection, with +RTS -l (its class g).`),
    pauses: nothing(view.pauses.some((one) => one.columns.length), lacksGc,
      old && elsewhere === "" ? "No GC pause was seen: has this sink a filter `gc` in its `from`, and the program +RTS -l (class g)?" : `No GC pause${yet}.`),
    events: nothing(view.events.length > 1, lacksEvents, `No events${yet}.`),
    log: unmatched ? "Nothing matches the filter." : nothing(said, lacksLogs, `Nothing was said${yet}: traceMarkerIO and traceEventIO of Debug.Trace write here.`),
  };
}
