// evpipe's own health: a line for each node of the pipeline, rates from one report to the next.

import * as format from "./format.js";
import { setText } from "./bands.js";

const element = (id) => document.getElementById(id);
const COLUMNS = ["In", "Out", "Queue", "Lag", "Dropped", "Errors"];

export class HealthPanel {
  /** `isRecording(source)`: what it reads is no running program. */
  constructor(isRecording) {
    this.isRecording = isRecording;
    this.before = null;
    this.report = null;
    this.lines = new Map();
  }

  /** Sources of which no connection is open. */
  waiting() {
    return (this.report?.nodes ?? []).filter((node) => node.kind === "source" && node.connected === 0);
  }

  forget() {
    this.before = null;
  }

  hear(report) {
    this.before = this.report;
    this.report = report;
  }

  show() {
    const { report, before } = this;
    if (!report) return;
    element("health-empty").hidden = true;
    const seconds = before ? report.time - before.time : 0;
    const earlier = new Map((before?.nodes ?? []).map((node) => [node.name, node]));
    report.nodes.forEach((node, at) => {
      const line = this.lines.get(node.name) ?? this.makeLine(node);
      const body = element("health-rows");
      if (body.children[at] !== line.element) body.insertBefore(line.element, body.children[at] ?? null);
      this.fill(line, node, earlier.get(node.name), seconds);
    });
    for (const [name, line] of this.lines) {
      if (report.nodes.some((node) => node.name === name)) continue;
      line.element.remove();
      this.lines.delete(name);
    }
    this.showProcess(report, before, seconds);
  }

  makeLine(node) {
    const line = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    const name = document.createElement("span"), kind = document.createElement("small");
    name.textContent = node.name;
    head.append(name, kind);
    line.append(head);
    const cells = {};
    for (const column of COLUMNS) {
      const cell = document.createElement("td");
      cell.dataset.label = column;
      if (column !== "Queue") cell.className = "number";
      line.append(cell);
      cells[column] = cell;
    }
    const bar = document.createElement("span"), level = document.createElement("span"), text = document.createElement("span");
    bar.className = "queue-bar";
    text.className = "queue-text";
    bar.append(level);
    cells.Queue.append(bar, text);
    const made = { element: line, kind, cells, level, text };
    this.lines.set(node.name, made);
    return made;
  }

  fill(line, node, earlier, seconds) {
    setText(line.kind, node.kind + this.trouble(node));
    setText(line.cells.In, rate(node.in, earlier?.in, seconds));
    setText(line.cells.Out, rate(node.out, earlier?.out, seconds));
    const limit = node.queue_limit, queue = node.queue ?? 0;
    line.element.classList.toggle("queued", Boolean(limit));
    line.level.style.width = limit ? `${Math.min(100, (100 * queue) / limit)}%` : "0";
    line.level.dataset.full = String(Boolean(limit) && queue > 0.8 * limit);
    setText(line.text, limit ? `${format.bytes(queue)}${node.spool ? ` + ${format.bytes(node.spool)} on disk` : ""}` : format.NONE);
    line.text.title = limit ? `of ${format.bytes(limit)}` : "";
    setText(line.cells.Lag, format.isNumber(node.lag) ? format.seconds(node.lag) : format.NONE);
    const drops = Object.entries(node.drops ?? {}).filter(([, n]) => n > 0);
    const dropped = drops.reduce((sum, [, n]) => sum + n, 0) + (node.rejected ?? 0);
    setText(line.cells.Dropped, format.count(dropped));
    line.cells.Dropped.title = [...drops, ...(node.rejected ? [["rejected", node.rejected]] : [])].map(([reason, n]) => `${reason.replaceAll("_", " ")}: ${n}`).join("\n");
    const errors = (node.errors ?? 0) + (node.decode_errors ?? 0);
    setText(line.cells.Errors, format.count(errors));
    line.cells.Errors.title = node.decode_errors ? `${node.decode_errors} places in the input were not understood, ${format.bytes(node.skipped_bytes ?? 0)} left out` : "";
    line.cells.Dropped.classList.toggle("bad", dropped > 0);
    line.cells.Errors.classList.toggle("bad", errors > 0);
  }

  trouble(node) {
    if (node.kind !== "source") return "";
    const words = [];
    if (node.connected === 0) words.push(this.isRecording(node.name) ? "read" : "not connected");
    if (node.clock === "estimated") words.push("clock estimated");
    if (node.late) words.push(`${format.count(node.late)} late`);
    return words.length ? " · " + words.join(" · ") : "";
  }

  showProcess(report, before, seconds) {
    const process = report.process ?? {};
    const cpu = before?.process && seconds > 0 ? (process.cpu - before.process.cpu) / seconds : NaN;
    const history = report.history ?? {};
    setText(element("health-process"), [
      Number.isFinite(cpu) && cpu >= 0 ? `CPU ${format.percent(cpu, 1)}` : "",
      format.isNumber(process.resident) ? `memory ${format.bytes(process.resident)}` : "",
      format.isNumber(history.size) ? `history ${format.bytes(history.size)} of ${format.bytes(history.limit)}` : "",
      report.visitors ? `${report.visitors} looking` : "",
    ].filter(Boolean).join(" · "));
  }
}

/** What comes in or goes out: bytes where bytes are counted, else the items of the signals. */
function rate(now, before, seconds) {
  if (!now) return format.NONE;
  const names = Object.keys(now);
  const name = names.find((each) => each === "bytes" && now.bytes > 0) ?? names.filter((each) => each !== "bytes");
  const value = (of) => (typeof name === "string" ? of?.[name] : name.reduce((sum, each) => sum + (of?.[each] ?? 0), 0)) ?? 0;
  if (!before || !(seconds > 0)) return format.NONE;
  const each = Math.max(0, value(now) - value(before)) / seconds;
  return typeof name === "string" ? format.bytesRate(each) : format.countRate(each);
}
