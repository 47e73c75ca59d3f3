// The type-ahead over all labels of a task, other names and addresses of concepts included.

import { byId, counted, make } from "./elements.js";

const MOST_SHOWN = 50;

// A function of texts that takes off accents and letter case; `letters`: what is typed for letters that Unicode does
// not take apart into a letter and an accent, as of arttl/characters.py.
function folding(letters) {
  const special = new RegExp(`[${Object.keys(letters).join("")}]`, "g");
  return (text) =>
    text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(special, (letter) => letters[letter])
      .replace(/\s+/g, " ").trim();
}

// Labels, with all that they can be found by; the order of the server, in which labels are first met, is kept.
export class Labels {
  constructor({ labels, others, uris }, letters) {
    const fold = this.fold = folding(letters);
    this.names = labels;
    this.others = others;
    this.uris = uris;
    this.folded = labels.map(fold);
    this.beside = labels.map((_, index) => [...others[index].map(fold), ...uris[index].map(fold)]);
    this.known = new Set(labels);
  }

  add(label) {
    if (this.known.has(label)) return;
    this.known.add(label);
    this.names.push(label);
    this.others.push([]);
    this.uris.push([]);
    this.folded.push(this.fold(label));
    this.beside.push([]);
  }

  // Indices of labels: equal ones, those that begin so, that have a word that begins so, that hold it, other names.
  search(text, most = MOST_SHOWN) {
    const needle = this.fold(text);
    if (!needle) return { found: this.names.slice(0, most).map((_, index) => index), total: this.names.length };
    const ranks = [[], [], [], [], []];
    for (let index = 0; index < this.folded.length; index += 1) {
      const name = this.folded[index];
      const at = name.indexOf(needle);
      if (at === 0) ranks[name.length === needle.length ? 0 : 1].push(index);
      else if (at > 0) ranks[` -,('`.includes(name[at - 1]) || name.includes(` ${needle}`) ? 2 : 3].push(index);
      else if (this.beside[index].some((each) => each.includes(needle))) ranks[4].push(index);
    }
    const all = ranks.flat();
    return { found: all.slice(0, most), total: all.length };
  }
}

export class Finder {
  constructor() {
    this.dialog = byId("finder");
    this.text = byId("finder-text");
    this.list = byId("finder-list");
    this.note = byId("finder-note");
    this.text.addEventListener("input", () => this.#search());
    this.text.addEventListener("keydown", (event) => this.#pressed(event));
    this.list.addEventListener("click", (event) => {
      const item = event.target.closest("li");
      if (item) this.#choose(Number(item.dataset.index));
    });
    // The event may come when the next question is open already.
    this.dialog.addEventListener("close", () => { if (!this.dialog.open) this.#ended(null); });
  }

  // The label that a person chooses, as {label, isNew}; null where none was. It opens at once, so that no key that
  // follows is taken for another's, and `labels` may still be a promise. `allowNew`: any text may be chosen, after a
  // second Enter; `any`: the first choice stands for every label.
  ask(title, labels, { allowNew = false, any = "" } = {}) {
    this.#ended(null);
    Object.assign(this, { labels: null, allowNew, any, confirming: false, choices: [] });
    byId("finder-title").textContent = title;
    this.text.value = "";
    this.list.replaceChildren();
    this.note.textContent = "…";
    this.dialog.showModal();
    this.text.focus();
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.ready = labels.then((loaded) => {
        if (this.resolve !== resolve) return;
        this.labels = loaded;
        this.#search();
      });
      this.ready.catch((error) => {
        this.dialog.close();
        reject(error);
      });
    });
  }

  #search() {
    if (!this.labels) return;
    this.confirming = false;
    const typed = this.text.value.trim();
    const { found, total } = this.labels.search(typed);
    this.choices = found.map((index) => ({ label: this.labels.names[index], index, isNew: false }));
    if (this.any && !typed) this.choices.unshift({ label: "", text: this.any, isNew: false });
    if (this.allowNew && typed && !this.labels.known.has(typed)) {
      this.choices.push({ label: typed, text: `New label “${typed}”`, isNew: true });
    }
    this.at = 0;
    this.list.replaceChildren(...this.choices.map((choice, index) => this.#item(choice, index)));
    const more = total > found.length ? `, the first ${found.length} are shown` : "";
    this.note.textContent = `${counted(total)} ${total === 1 ? "label" : "labels"}${more}`;
    this.#mark();
  }

  #item(choice, index) {
    const item = make("li", { role: "option", id: `finder-${index}`, "data-index": index }, choice.text ?? choice.label);
    if (choice.index !== undefined) {
      const beside = [...this.labels.others[choice.index], ...this.labels.uris[choice.index]];
      if (beside.length) item.append(make("small", {}, ` ${beside.join(" · ")}`));
    }
    return item;
  }

  #mark() {
    for (const [index, item] of [...this.list.children].entries()) {
      item.setAttribute("aria-selected", index === this.at);
    }
    const item = this.list.children[this.at];
    if (item) {
      this.text.setAttribute("aria-activedescendant", item.id);
      item.scrollIntoView({ block: "nearest" });
    } else this.text.removeAttribute("aria-activedescendant");
  }

  #pressed(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
    if (event.key in steps) {
      event.preventDefault();
      this.at = Math.max(0, Math.min(this.choices.length - 1, this.at + steps[event.key]));
      this.confirming = false;
      this.#mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (this.labels) this.#choose(this.at);
      else this.ready.then(() => this.#choose(this.at));
    }
  }

  #choose(index) {
    const choice = this.choices[index];
    if (!choice) return;
    if (choice.isNew && !this.confirming) {
      this.at = index;
      this.#mark();
      this.confirming = true;
      this.note.textContent = `“${choice.label}” is no label so far. Enter again adds it.`;
      return;
    }
    this.#ended(choice);
    this.dialog.close();
  }

  #ended(choice) {
    const resolve = this.resolve;
    this.resolve = null;
    if (resolve) resolve(choice);
  }
}
