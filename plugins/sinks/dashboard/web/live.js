// The stream of server-sent events, and what becomes of it: open, lost (the browser tries again), refused (the page has to ask anew).

import { liveAddress } from "./api.js";

const AGAIN = 1500;
// evpipe says something each second; after this long without a word the connection is dead, whatever the browser thinks.
const SILENCE = 20000;

export class Live {
  /** `heard` has a function for each kind of event, and `state(word)`: "connecting", "open", "lost". */
  constructor(heard) {
    this.heard = heard;
    this.source = null;
    this.program = null;
    this.timers = { again: 0, silence: 0 };
  }

  open(program) {
    this.close();
    this.program = program;
    this.heard.state("connecting");
    const source = (this.source = new EventSource(liveAddress(program)));
    for (const kind of ["hello", "samples", "program", "programs", "health", "lost"]) {
      source.addEventListener(kind, (event) => {
        if (source !== this.source) return;
        this.isAlive();
        if (kind === "hello") this.heard.state("open");
        this.heard[kind](JSON.parse(event.data));
      });
    }
    source.onerror = () => {
      if (source !== this.source) return;
      this.heard.state("lost");
      if (source.readyState === EventSource.CLOSED) this.askAgain();
    };
    this.isAlive();
  }

  /** A refusal (the program is no longer known, evpipe ends) is not tried again by the browser. */
  askAgain() {
    this.close();
    this.timers.again = setTimeout(() => this.heard.refused(), AGAIN);
  }

  isAlive() {
    clearTimeout(this.timers.silence);
    this.timers.silence = setTimeout(() => {
      this.heard.state("lost");
      this.askAgain();
    }, SILENCE);
  }

  close() {
    clearTimeout(this.timers.again);
    clearTimeout(this.timers.silence);
    this.source?.close();
    this.source = null;
  }
}
