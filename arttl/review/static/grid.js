// A grid of any number of cells, of which only those in sight are elements; the scroll bar is that of the whole list.

import { picture } from "./api.js";
import { VERDICTS, counted, labelsText, make, percent, verdictOf } from "./elements.js";

const CELL_WIDTH = 176;
const CELL_HEIGHT = 236;
const MORE = 1; // rows of cells beyond the edges
const TALLEST = 8_000_000; // pixels: browsers draw nothing beyond some 16 to 33 million

export class Grid {
  constructor(scroller, track, rows, { moved }) {
    this.scroller = scroller;
    this.track = track;
    this.rows = rows;
    this.moved = moved;
    this.cells = new Map(); // index to element
    this.spare = [];
    this.columns = 1;
    this.current = 0;
    this.selected = new Set();
    this.anchor = 0;
    scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    scroller.addEventListener("click", (event) => this.#clicked(event));
    new ResizeObserver(() => this.#resized()).observe(scroller);
  }

  replace() {
    this.selected.clear();
    this.current = 0;
    this.anchor = 0;
    this.#forget();
    this.#measure();
    this.scroller.scrollTop = 0;
    this.draw();
  }

  get pageSize() {
    return this.columns * Math.max(1, Math.floor(this.scroller.clientHeight / CELL_HEIGHT));
  }

  #forget() {
    for (const cell of this.cells.values()) this.#free(cell);
    this.cells.clear();
  }

  #resized() {
    this.#forget();
    this.#measure();
    this.show(this.current);
    this.draw();
  }

  #measure() {
    this.columns = Math.max(1, Math.floor(this.scroller.clientWidth / CELL_WIDTH));
    this.width = this.scroller.clientWidth / this.columns;
    this.total = Math.ceil(this.rows.length / this.columns) * CELL_HEIGHT;
    this.height = Math.min(this.total, TALLEST);
    this.track.style.height = `${this.height}px`;
  }

  // Where in the whole list the upper edge is, in pixels: with very long lists the track is shorter than it.
  get #top() {
    const room = this.height - this.scroller.clientHeight;
    if (this.total === this.height || room <= 0) return this.scroller.scrollTop;
    return (this.scroller.scrollTop / room) * (this.total - this.scroller.clientHeight);
  }

  set #top(top) {
    const room = this.height - this.scroller.clientHeight;
    const whole = this.total - this.scroller.clientHeight;
    this.scroller.scrollTop = this.total === this.height || whole <= 0 ? top : (top / whole) * room;
  }

  // Bring a cell into sight.
  show(index) {
    const begin = Math.floor(index / this.columns) * CELL_HEIGHT;
    const top = this.#top;
    if (begin < top) this.#top = begin;
    else if (begin + CELL_HEIGHT > top + this.scroller.clientHeight) {
      this.#top = begin + CELL_HEIGHT - this.scroller.clientHeight;
    }
  }

  moveTo(index, { extend = false } = {}) {
    if (!this.rows.length) return;
    this.current = Math.max(0, Math.min(this.rows.length - 1, index));
    if (extend) {
      this.selected.clear();
      const [first, last] = [this.anchor, this.current].sort((a, b) => a - b);
      for (let each = first; each <= last; each += 1) this.selected.add(each);
    } else this.anchor = this.current;
    this.show(this.current);
    this.draw();
    this.moved();
  }

  toggle(index) {
    if (!this.selected.delete(index)) this.selected.add(index);
    this.anchor = index;
    this.draw();
    this.moved();
  }

  select(indices) {
    this.selected = new Set(indices);
    this.draw();
    this.moved();
  }

  #clicked(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const index = Number(cell.dataset.index);
    if (event.shiftKey) this.moveTo(index, { extend: true });
    else if (event.ctrlKey || event.metaKey) {
      this.current = index;
      this.toggle(index);
    } else this.moveTo(index);
  }

  draw() {
    const top = this.#top;
    const shift = this.scroller.scrollTop - top;
    const begin = Math.max(0, Math.floor(top / CELL_HEIGHT) - MORE);
    const end = Math.ceil((top + this.scroller.clientHeight) / CELL_HEIGHT) + MORE;
    const first = begin * this.columns;
    const last = Math.min(this.rows.length, end * this.columns);
    for (const [index, cell] of this.cells) {
      if (index < first || index >= last) {
        this.#free(cell);
        this.cells.delete(index);
      }
    }
    const inSight = [];
    for (let index = first; index < last; index += 1) {
      inSight.push(index);
      const row = Math.floor(index / this.columns);
      const y = row * CELL_HEIGHT + shift;
      this.#fill(index, (index % this.columns) * this.width, y);
    }
    const current = this.cells.get(this.current);
    if (current) this.scroller.setAttribute("aria-activedescendant", current.id);
    else this.scroller.removeAttribute("aria-activedescendant");
    this.rows.want(inSight);
  }

  #free(cell) {
    cell.hidden = true;
    cell.classList.remove("current");
    cell.image.removeAttribute("src");
    this.spare.push(cell);
  }

  #fill(index, x, y) {
    let cell = this.cells.get(index);
    if (!cell) {
      cell = this.spare.pop() ?? this.#made();
      this.cells.set(index, cell);
      cell.hidden = false;
      cell.shown = null;
      cell.id = `cell-${index}`;
      cell.dataset.index = index;
      cell.setAttribute("aria-posinset", index + 1);
      cell.frame.classList.remove("missing");
      cell.image.src = picture(this.rows.numbers[index], "thumbnail");
    }
    cell.style.transform = `translate(${x}px, ${y}px)`;
    cell.style.width = `${this.width}px`;
    cell.setAttribute("aria-setsize", this.rows.length);
    cell.setAttribute("aria-selected", this.selected.has(index));
    cell.classList.toggle("current", index === this.current);
    const row = this.rows.at(index);
    if (cell.shown !== row) this.#write(cell, row);
  }

  #made() {
    const image = make("img", { alt: "", decoding: "async" });
    const mark = make("span", { className: "mark", hidden: true });
    const frame = make("div", { className: "frame" }, image, mark);
    const number = make("div", { className: "number" });
    const was = make("div", { className: "was" });
    const now = make("div", { className: "now" });
    const text = make("div", { className: "text" }, number, was, now);
    const cell = make("div", { className: "cell", role: "option" }, make("div", { className: "card" }, frame, text));
    cell.style.height = `${CELL_HEIGHT}px`;
    image.addEventListener("error", () => frame.classList.add("missing"));
    Object.assign(cell, { image, mark, frame, number, was, now });
    this.track.append(cell);
    return cell;
  }

  #write(cell, row) {
    cell.shown = row;
    const verdict = verdictOf(row?.state);
    cell.mark.hidden = !verdict;
    cell.mark.className = `mark ${verdict ?? ""}`;
    cell.mark.textContent = verdict ? VERDICTS[verdict].mark : "";
    if (!row) {
      cell.number.textContent = "…";
      cell.was.textContent = "";
      cell.now.textContent = "";
      cell.removeAttribute("aria-label");
      return;
    }
    const name = row.object || row.picture;
    const decision = row.state.decision;
    const labels = decision?.labels.length ? decision.labels : row.suggested;
    const share = percent(row.probability);
    cell.number.textContent = name;
    cell.was.textContent = `catalogue: ${labelsText(row.catalogued)}`;
    cell.now.replaceChildren(verdict === "disputed" ? row.state.differing.map((each) => labelsText(each.labels)).join(" ≠ ") : labelsText(labels));
    if (!decision?.labels.length && verdict !== "disputed" && share) cell.now.append(make("span", { className: "share" }, ` ${share}`));
    const said = verdict ? VERDICTS[verdict].text : "not decided";
    const place = `${counted(Number(cell.dataset.index) + 1)}`;
    cell.setAttribute(
      "aria-label",
      `${place}: ${name}, catalogue ${labelsText(row.catalogued, "nothing")}, suggested ${labelsText(row.suggested, "nothing")} ${share}, ${said}`,
    );
  }
}
