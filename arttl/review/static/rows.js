// The rows of the queue: their numbers are known whole, what they hold is fetched where it is looked at.

import { get } from "./api.js";

const MOST_KEPT = 20000;
const MOST_AT_ONCE = 200;

export class Rows {
  constructor(changed, failed) {
    this.numbers = new Int32Array(0);
    this.task = "";
    this.kept = new Map();
    this.waiting = new Set();
    this.fetching = false;
    this.changed = changed;
    this.failed = failed;
  }

  get length() {
    return this.numbers.length;
  }

  replace(task, numbers) {
    if (task !== this.task) this.kept.clear();
    this.task = task;
    this.numbers = numbers;
    this.waiting.clear();
  }

  at(index) {
    return this.kept.get(this.numbers[index]);
  }

  set(task, row, state) {
    const known = task === this.task ? this.kept.get(row) : undefined;
    if (known) this.kept.set(row, { ...known, state });
  }

  // Fetch these rows soon, and forget about others that were asked for before: they have been scrolled past.
  want(indices) {
    this.waiting.clear();
    for (const index of indices) {
      const row = this.numbers[index];
      if (row !== undefined && !this.kept.has(row)) this.waiting.add(row);
    }
    if (this.waiting.size && !this.fetching) this.#fetch();
  }

  async #fetch() {
    this.fetching = true;
    try {
      while (this.waiting.size) {
        const rows = [...this.waiting].slice(0, MOST_AT_ONCE);
        for (const row of rows) this.waiting.delete(row);
        await this.load(rows);
        this.changed();
      }
    } catch (error) {
      this.failed(error);
    } finally {
      this.fetching = false;
    }
  }

  // What rows hold, fetched anew.
  async load(rows) {
    const task = this.task;
    const loaded = [];
    for (let start = 0; start < rows.length; start += MOST_AT_ONCE) {
      loaded.push(...(await get("rows", { task, rows: rows.slice(start, start + MOST_AT_ONCE).join(",") })));
    }
    if (task !== this.task) return [];
    for (const each of loaded) {
      this.kept.delete(each.row);
      this.kept.set(each.row, each);
    }
    for (const row of this.kept.keys()) {
      if (this.kept.size <= MOST_KEPT) break;
      this.kept.delete(row);
    }
    return loaded;
  }
}
