// The bands that stay in view. Another evpipe has other numbers for the same bands: they are found again by their names, as they come.

import { bands as searchBands } from "./api.js";

export class Pins {
  constructor() {
    this.bands = new Map(); // by their number
    this.lost = new Set(); // names of those that are not there yet
  }

  has(id) {
    return this.bands.has(id);
  }

  ids() {
    return [...this.bands.keys()];
  }

  values() {
    return this.bands.values();
  }

  set(band, wanted) {
    if (wanted) this.bands.set(band.id, band);
    else this.bands.delete(band.id);
  }

  forget() {
    this.bands.clear();
    this.lost.clear();
  }

  /** Their numbers say nothing any more. */
  lose() {
    for (const band of this.bands.values()) this.lost.add(band.name);
    this.bands.clear();
  }

  /** Some of the lost may be among these; true: they are. */
  findAmong(bands) {
    const found = bands.filter((band) => this.lost.delete(band.name));
    for (const band of found) this.bands.set(band.id, band);
    return found.length > 0;
  }

  /** Asks for the lost; true: some were found. */
  async find(program) {
    let any = false;
    for (const name of [...this.lost]) {
      const { bands } = await searchBands(program, name).catch(() => ({ bands: [] }));
      any = this.findAmong(bands) || any;
    }
    return any;
  }
}
