// Requests to evpipe. Addresses are relative to the page's, so that it also works behind a proxy, in a folder.

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const PATIENCE = 15000;

async function request(path, options) {
  const response = await fetch(path, { ...options, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Refused(response.status, body?.error ?? `${response.status} ${response.statusText}`);
  return body;
}

const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ""));

export const programs = () => request("api/programs");

export function history({ program, from, to, columns, bands, pins, breakdown }) {
  return request("api/history?" + query({ program, from: from?.toFixed(6), to: to?.toFixed(6), columns, bands, pin: pins?.join(","), breakdown }));
}

export const bands = (program, text) => request("api/bands?" + query({ program, q: text }));

/** The header tells evpipe that this is its own page: one of another origin may not send it. */
export function control(program, command) {
  return request("api/control?" + query({ program, command }), { method: "POST", headers: { "X-Evpipe": "1" } });
}

export const liveAddress = (program) => "api/live" + (program === null ? "" : "?" + query({ program }));
