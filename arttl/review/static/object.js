// The panel of one object: the catalogue and the suggestion side by side, and all that helps to decide.

import { get, map, picture, sample } from "./api.js";
import { VERDICTS, labelsText, make, percent, pictureFrame, rounded, verdictOf } from "./elements.js";

const STATUSES = {
  suggested: "suggested: right at least as often as was promised",
  unsure: "unsure: no promise is made",
  outside: "outside: unlike the training pictures, or of no known class",
  audit: "doubt: the pictures contradict the catalogue",
};
const ABOUT_MAPS =
  "Bright: what speaks for the label that the network finds likeliest, in the part of the picture that it is given; " +
  "of a vision transformer which patches it is predicted from. A network that has no such maps shows where its " +
  "activations are strong, whatever the task.";
const MOST_KEPT = 200;
const PATIENCE = 200; // milliseconds for which the object before stays while the next one is read

export class ObjectPanel {
  constructor(element, { pick, saveChosen, decide, undo, find, back, maps, failed }) {
    Object.assign(this, { element, pick, saveChosen, decide, undo, find, back, maps, failed });
    this.details = new Map();
    this.row = null;
    this.task = "";
    this.chosen = [];
    this.showsMap = false;
    this.current = null; // what is known of the task of the object that is drawn
    this.ready = Promise.resolve(); // until the current object is drawn
  }

  clear(sentence) {
    this.row = null;
    this.#empty(sentence);
  }

  #empty(sentence) {
    this.current = null;
    this.drawn = null;
    this.element.replaceChildren(make("p", { className: "note" }, sentence));
  }

  forget(row) {
    this.details.delete(row);
  }

  forgetAll() {
    this.details.clear();
  }

  async load(row) {
    if (!this.details.has(row)) {
      const loaded = get(`objects/${row}`);
      this.details.set(row, loaded);
      for (const each of this.details.keys()) {
        if (this.details.size <= MOST_KEPT) break;
        this.details.delete(each);
      }
      loaded.catch(() => this.details.delete(row));
    }
    return this.details.get(row);
  }

  // What the person is likely to look at next.
  expect(row) {
    this.load(row).catch(() => {});
    new Image().src = picture(row, "large");
  }

  show(row, task) {
    if (row !== this.row || task !== this.task) {
      this.chosen = [];
      this.showsMap = false;
    }
    Object.assign(this, { row, task });
    this.ready = this.#show(row, task);
  }

  // Nobody shall decide about one object in view of another: one that takes long, or fails, leaves the panel empty.
  async #show(row, task) {
    const isCurrent = () => row === this.row && task === this.task;
    const late = setTimeout(() => { if (isCurrent() && this.drawn !== row) this.#empty("…"); }, PATIENCE);
    try {
      const details = await this.load(row);
      if (isCurrent()) this.#draw(details);
    } catch (error) {
      if (!isCurrent()) return;
      this.#empty("This object cannot be read now.");
      this.failed(error);
    } finally {
      clearTimeout(late);
    }
  }

  get shown() {
    return this.current?.row === this.row ? this.current : null;
  }

  toggle(label) {
    this.chosen = this.chosen.includes(label) ? this.chosen.filter((each) => each !== label) : [...this.chosen, label];
    this.#draw(this.whole);
  }

  toggleMap() {
    if (!this.maps || !this.shown) return;
    this.showsMap = !this.showsMap;
    this.#draw(this.whole);
  }

  #draw(details) {
    const task = details.tasks[this.task];
    this.whole = details;
    this.current = task ?? null;
    if (!task) {
      this.clear(details.problem ?? "Nothing is suggested here.");
      return;
    }
    const parts = [
      make("button", { type: "button", className: "back", onclick: this.back }, "← all objects"),
      this.#photo(details, task),
      this.showsMap ? make("p", { className: "note" }, ABOUT_MAPS) : null,
      this.#titles(details, task),
      this.#sides(task),
      this.#buttons(task),
      this.#ranks(details, task),
      this.#beside(details, task),
      this.#nearest(details),
      this.#history(task),
    ];
    const top = this.drawn === this.row ? this.element.scrollTop : 0;
    this.element.replaceChildren(...parts.filter((part) => part));
    this.element.scrollTop = top;
    this.drawn = this.row;
  }

  #photo(details, task) {
    const shown = this.showsMap ? map(this.row, this.task) : picture(this.row, "large");
    const frame = pictureFrame(shown, `photograph of ${task.object || task.picture}`, { isExplained: true });
    frame.classList.add("photo");
    if (this.showsMap) { // the first map takes seconds; until it is there the photograph stays
      frame.style.background = `center / contain no-repeat url("${picture(this.row, "large")}")`;
    }
    this.image = frame.querySelector("img");
    return frame;
  }

  #titles(details, task) {
    const name = task.object || task.picture;
    const more = [details.title, details.date, task.institution, task.object ? task.picture : ""].filter((text) => text);
    return make(
      "div",
      { className: "titles" },
      make("h2", {}, name),
      make("span", {}, more.join(" · ")),
      this.maps
        ? make("button", { type: "button", onclick: () => this.toggleMap(), "aria-pressed": this.showsMap }, "Map ", make("kbd", {}, "m"))
        : null,
    );
  }

  #sides(task) {
    const decision = task.state.decision;
    const verdict = verdictOf(task.state);
    const kind = { accepted: "decided", corrected: "decided", rejected: "refused", disputed: "refused" }[verdict] ?? "";
    const { mark, text } = VERDICTS[verdict] ?? {};
    const decided = decision
      ? make(
        "div",
        { className: `side ${kind}` },
        make("div", { className: "what" }, verdict === "disputed" ? `${mark} ${text}` : `${mark} ${text} by ${decision.reviewer}`),
        ...(verdict === "disputed" ? task.state.differing : [decision]).map((each) =>
          make(
            "div",
            { className: "value" },
            labelsText(each.labels),
            verdict === "disputed" ? make("small", {}, ` ${VERDICTS[each.verdict].text} by ${each.reviewer}`) : null,
          )),
      )
      : null;
    return make(
      "div",
      {},
      make(
        "div",
        { className: "sides" },
        make(
          "div",
          { className: "side" },
          make("div", { className: "what" }, "Catalogue"),
          make("div", { className: "value" }, labelsText(task.catalogued)),
        ),
        make(
          "div",
          { className: "side" },
          make("div", { className: "what" }, make("span", {}, "Suggested"), make("span", { className: "share" }, percent(task.probability))),
          make("div", { className: "value" }, labelsText(task.suggested)),
        ),
      ),
      decided,
    );
  }

  #buttons(task) {
    const button = (text, key, act, extra = {}) =>
      make("button", { type: "button", onclick: act, ...extra }, `${text} `, make("kbd", {}, key));
    const chosen = this.chosen.length
      ? button(`Save ${this.chosen.join("; ")}`, "Enter", () => this.saveChosen(), { className: "main" })
      : null;
    return make(
      "div",
      { className: "buttons" },
      chosen,
      button("Accept", "a", () => this.decide("accepted"), { className: chosen ? "" : "main", disabled: !task.suggested.length }),
      button("Reject", "x", () => this.decide("rejected"), { disabled: !task.suggested.length }),
      button("Skip", "s", () => this.decide("skipped")),
      button("Other label", "/", this.find),
      button("Undo", "u", this.undo),
    );
  }

  #ranks(details, task) {
    const inSet = new Set(task.set ?? []);
    const items = task.ranked.map(([label, probability], index) => {
      const name = make("span", { className: inSet.has(label) ? "name in" : "name" }, label);
      const isKnown = probability !== null; // of a number none is
      const meter = isKnown ? make("meter", { min: 0, max: 1, value: probability, "aria-hidden": "true" }) : make("span");
      const item = make(
        "button",
        { type: "button", onclick: () => this.pick(index, details.row), "aria-pressed": this.chosen.includes(label) },
        make("kbd", {}, index < 9 ? `${index + 1}` : "·"),
        name,
        meter,
        make("span", { className: "share" }, percent(probability)),
      );
      return make("li", {}, item);
    });
    const notes = [STATUSES[task.status] ?? ""];
    if (task.set) notes.push(`candidates: ${labelsText(task.set)}`);
    if (task.interval) notes.push(`interval: ${task.interval.map(rounded).join(" to ")}`);
    if (task.uris.length) notes.push(task.uris.join(" "));
    return make(
      "div",
      {},
      make("ol", { className: "ranks" }, ...items),
      ...notes.filter((note) => note).map((note) => make("p", { className: "note" }, note)),
    );
  }

  #beside(details, task) {
    const parts = [];
    const others = Object.entries(details.tasks).filter(([name]) => name !== this.task);
    if (others.length) {
      const rows = others.map(([name, other]) =>
        make(
          "tr",
          {},
          make("th", { scope: "row" }, name),
          make("td", {}, labelsText(other.catalogued)),
          make("td", {}, `${labelsText(other.suggested)} ${percent(other.probability)}`),
          make("td", {}, other.state.decision ? `${VERDICTS[verdictOf(other.state)].mark} ${labelsText(other.state.decision.labels)}` : ""),
        ));
      const heads = ["Task", "Catalogue", "Suggested", "Decided"].map((text) => make("th", { scope: "col" }, text));
      parts.push(make("h3", {}, "Other tasks"), make("table", { className: "plain" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows)));
    }
    if (details.doubt) {
      const { kind, label, probability, split, networks } = details.doubt;
      const what = kind === "pair" ? "occurs with another label nowhere else" : "is doubted";
      const words = [`${label ?? "A missing label"} ${what}${probability === null ? "" : `, its probability is ${percent(probability)}`}`, split ? `in the ${split} split` : ""];
      for (const each of networks) words.push(`${each.network}: ${each.agrees ? "agrees" : "does not agree"} (${each.likeliest ?? "–"})`);
      parts.push(make("h3", {}, "Audit"), make("p", { className: "note" }, words.filter((word) => word).join(" · ")));
    }
    const photographs = details.photographs.filter((row) => row !== this.row);
    if (photographs.length) {
      const thumbs = photographs.slice(0, 24).map((row, index) =>
        make(
          "figure",
          {},
          make(
            "button",
            { type: "button", onclick: () => { this.image.src = picture(row, "large"); } },
            pictureFrame(picture(row, "thumbnail"), `photograph ${index + 2} of ${task.object}`),
          ),
        ));
      parts.push(make("h3", {}, `Other photographs (${photographs.length})`), make("div", { className: "thumbs" }, ...thumbs));
    }
    return parts.length ? make("div", {}, ...parts) : null;
  }

  #nearest(details) {
    if (!details.nearest.length) return null;
    const figures = details.nearest.map((each) => {
      const labels = each.labels[this.task];
      const rest = Object.entries(each.labels).filter(([name]) => name !== this.task).map(([, of]) => of.join(", "));
      const known = each.sample !== null ? sample(each.sample, "thumbnail") : each.row !== null ? picture(each.row, "thumbnail") : "";
      return make(
        "figure",
        {},
        known ? pictureFrame(known, `photograph of ${each.object}`) : null,
        make("figcaption", {}, make("strong", {}, labelsText(labels ?? [])), make("br"), `${each.object} ${percent(each.similarity)}`, make("br"), make("small", {}, rest.join(" · "))),
      );
    });
    return make("div", {}, make("h3", {}, "Nearest catalogued objects"), make("div", { className: "thumbs" }, ...figures));
  }

  #history(task) {
    if (!task.history.length) return null;
    const items = task.history.map((each) => {
      const what = each.undoes === null ? `${VERDICTS[each.verdict].text} ${each.labels.join("; ")}` : `undid ${each.undoes}`;
      return make("li", { value: each.id }, `${what} · ${each.reviewer} · ${new Date(each.time).toLocaleString("en-GB")}`);
    });
    return make("div", {}, make("h3", {}, "Decisions"), make("ol", { className: "history" }, ...items));
  }
}
