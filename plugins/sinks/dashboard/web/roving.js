// Many buttons that are one stop of the Tab key: one of them can be reached by it, the arrow keys go to the others.

const STEPS = { ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity };

export class Roving {
  /** `box`: what they are in; `selector`: which they are. They may come and go: then call refresh(). */
  constructor(box, selector) {
    this.box = box;
    this.selector = selector;
    this.current = null; // the one that was in focus last
    box.addEventListener("focusin", ({ target }) => target.matches(selector) && this.choose(target));
    box.addEventListener("keydown", (event) => this.key(event));
    this.refresh();
  }

  all() {
    return [...this.box.querySelectorAll(this.selector)];
  }

  refresh() {
    const all = this.all();
    this.choose(all.includes(this.current) ? this.current : (all[0] ?? null), all);
  }

  choose(button, all = this.all()) {
    this.current = button;
    for (const each of all) each.tabIndex = each === button ? 0 : -1;
  }

  key(event) {
    const step = STEPS[event.key];
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey || !event.target.matches(this.selector)) return;
    event.preventDefault();
    const all = this.all();
    all[Math.min(all.length - 1, Math.max(0, all.indexOf(event.target) + step))].focus();
  }
}
