// The review app: which queue is shown, what keys do, and how decisions are saved.

import { get, post, rowNumbers } from "./api.js";
import { byId, counted, make, verdictOf } from "./elements.js";
import { Finder, Labels } from "./finder.js";
import { Grid } from "./grid.js";
import { ObjectPanel } from "./object.js";
import { Rows } from "./rows.js";
import { KEYS, ORDERS, QUEUES, SHOWS } from "./words.js";

const MOST_AT_ONCE = 500;
const ASK_ABOVE = 200;

const field = (name) => byId(name);
const shows = { label: "" };
const labels = new Map(); // task to a promise of Labels
let session, rows, grid, panel, finder;
let searching = null;
const undoable = []; // lists of [number of the decision, row], of this window

function fail(error) {
  if (error.name === "AbortError") return;
  field("saved").textContent = ""; // else it seems to be about the key that has failed
  field("failed").textContent = error.message;
}

function say(sentence) {
  field("failed").textContent = "";
  field("saved").textContent = sentence;
}

const task = () => field("task").value;
const isMultiple = () => session.tasks.find((each) => each.name === rows.task).multiple;

function labelsOf(name) {
  if (!labels.has(name)) {
    labels.set(name, get("labels", { task: name }).then((given) => new Labels(given, session.letters)));
    labels.get(name).catch(() => labels.delete(name));
  }
  return labels.get(name);
}

function fill(select, options, chosen) {
  select.replaceChildren(...Object.entries(options).map(([value, text]) => make("option", { value }, text)));
  if (chosen !== undefined) select.value = chosen;
}

// Fetch the numbers of the queue, and show it from its beginning.
async function search() {
  searching?.abort();
  searching = new AbortController();
  const values = {
    task: task(),
    queue: field("queue").value,
    show: field("show").value,
    order: field("order").value,
    search: field("search").value.trim(),
    label: shows.label,
    of: shows.label ? field("of").value : "",
  };
  try {
    const numbers = await rowNumbers(values, searching.signal);
    // Rows of another task are read anew, and so is the object: no decision names a newer state than the panel shows.
    if (values.task !== rows.task) panel.forgetAll();
    rows.replace(values.task, numbers);
    grid.replace();
    document.body.classList.remove("opened");
    field("nothing").hidden = numbers.length > 0;
    field("nothing").textContent = values.search || values.label
      ? "Nothing is found: choose another queue, show all, or empty the search (f) and the filter (l)."
      : "No object is left here: choose another queue, or show all.";
    moved();
    countQueues();
    labelsOf(values.task).catch(() => {}); // the type-ahead's, before they are asked for
  } catch (error) {
    fail(error);
  }
}

async function countQueues() {
  const name = task();
  try {
    const counts = await get("counts", { task: name });
    if (name !== task()) return;
    for (const option of field("queue").options) {
      const { open, rows: all } = counts[option.value];
      option.dataset.open = open;
      option.textContent = `${QUEUES[option.value]} (${counted(open)} of ${counted(all)})`;
    }
  } catch (error) {
    fail(error);
  }
}

// After the current object or the selection has changed.
function moved() {
  const number = rows.length ? grid.current + 1 : 0;
  field("position").textContent = `${counted(number)} of ${counted(rows.length)}`;
  field("selected").textContent = grid.selected.size ? `${counted(grid.selected.size)} selected` : "";
  if (!rows.length) {
    panel.clear("No object.");
    return;
  }
  panel.show(rows.numbers[grid.current], rows.task);
  const next = rows.numbers[grid.current + 1];
  if (next !== undefined) panel.expect(next);
}

// The rows that a key is about: those selected, or the current one.
function subjects() {
  const indices = grid.selected.size ? [...grid.selected].sort((a, b) => a - b) : [grid.current];
  return indices.map((index) => rows.numbers[index]);
}

// Keys that come while a decision is being saved wait for it, and are about the object that is shown then.
let doing = Promise.resolve();
const inTurn = (act) => (...values) => {
  doing = doing.then(() => act(...values));
  return doing;
};

async function decideNow(verdict, chosen = [], { isNew = false } = {}) {
  if (!rows.length) return;
  const isMany = grid.selected.size > 0;
  const numbers = subjects();
  if (numbers.length > ASK_ABOVE && !(await ask(`Decide about ${counted(numbers.length)} objects at once?`, "Decide"))) return;
  const name = rows.task; // of what is shown, while another task may be on its way
  try {
    const isLong = numbers.length > MOST_AT_ONCE;
    if (isLong) say(`Reading what is known of ${counted(numbers.length)} objects …`);
    let known = numbers.map((row) => rows.kept.get(row));
    // A decision names the state that was seen: of one object what the panel shows, of many what there is now.
    if (known.some((row) => !row)) known = await rows.load(numbers);
    const all = { saved: [], conflicts: [] };
    const usable = verdict === "accepted" || verdict === "rejected" ? known.filter((row) => row.suggested.length) : known;
    for (let start = 0; start < usable.length; start += MOST_AT_ONCE) {
      if (isLong) say(`${counted(start)} of ${counted(usable.length)} saved …`);
      const decisions = usable.slice(start, start + MOST_AT_ONCE).map((row) => ({
        row: row.row,
        version: row.state.version,
        verdict,
        ...(verdict === "corrected" ? { labels: chosen } : {}),
      }));
      const { saved, conflicts } = await post("decisions", { task: name, decisions, new_labels: isNew });
      all.saved.push(...saved);
      all.conflicts.push(...conflicts);
    }
    for (const { row, state } of [...all.saved, ...all.conflicts]) {
      rows.set(name, row, state);
      panel.forget(row);
    }
    countQueues();
    if (isNew) for (const label of chosen) (await labelsOf(name)).add(label);
    if (all.saved.length) undoable.push(all.saved.map(({ row, state }) => [state.decision.id, row]));
    report(verdict, all, known.length - usable.length);
    grid.selected.clear();
    if (all.conflicts.length || !all.saved.length || isMany || name !== rows.task) refresh();
    else next();
  } catch (error) {
    fail(error);
  }
}

const decide = inTurn(decideNow);

// Take a candidate of the object that the panel shows; a click is about the row that was clicked at.
const pick = inTurn(async (index, row = null) => {
  await panel.ready;
  if (row !== null && row !== panel.row) return;
  const label = panel.shown?.ranked[index]?.[0];
  if (label === undefined) return;
  if (isMultiple()) panel.toggle(label);
  else await decideNow("corrected", [label]);
});

// Save the candidates that were chosen one by one; where none were, open the object on a narrow screen.
const saveChosen = inTurn(async () => {
  await panel.ready;
  if (panel.chosen.length) await decideNow("corrected", panel.chosen);
  else document.body.classList.add("opened");
});

function report(verdict, { saved, conflicts }, without) {
  const first = saved[0]?.state.decision;
  const what = first?.labels.length ? ` ${first.labels.join("; ")}` : "";
  const parts = [];
  if (saved.length === 1) parts.push(`Saved: ${first.verdict}${what}`);
  else if (saved.length) parts.push(`Saved: ${counted(saved.length)} ${verdict}`);
  if (without) parts.push(`${counted(without)} without a suggestion left as they are`);
  say(parts.join(". "));
  if (conflicts.length) {
    const objects = conflicts.length === 1 ? "An object was" : `${counted(conflicts.length)} objects were`;
    field("failed").textContent = `${objects} decided elsewhere meanwhile: look again, then decide.`;
  }
}

// Draw what has changed, and stay.
function refresh() {
  grid.draw();
  moved();
}

// The next object that nobody has decided, as far as is known.
function next() {
  let index = grid.current + 1;
  while (index < rows.length && verdictOf(rows.at(index)?.state)) index += 1;
  if (index < rows.length) grid.moveTo(index);
  else refresh();
}

const undo = inTurn(async () => {
  const last = undoable.at(-1) ?? shownDecision();
  if (!last) {
    say("There is nothing to undo.");
    return;
  }
  try {
    let done = 0;
    for (let start = 0; start < last.length; start += MOST_AT_ONCE) {
      const ids = last.slice(start, start + MOST_AT_ONCE).map(([number]) => number);
      done += (await post("undo", { ids })).undone.length;
    }
    if (undoable.at(-1) === last) undoable.pop();
    countQueues();
    const numbers = last.map(([, row]) => row);
    for (const row of numbers) {
      rows.kept.delete(row);
      panel.forget(row);
    }
    const [first] = await rows.load(numbers.slice(0, 1000));
    const what = numbers.length === 1 && first ? `: ${first.object || first.picture}` : "";
    say(numbers.length === 1 ? `Undone${what}.` : `${counted(done)} undone.`);
    if (done < numbers.length) {
      if (!done) say("");
      const are = numbers.length === 1 ? "Not undone" : `${counted(numbers.length - done)} not undone`;
      field("failed").textContent = `${are}, since decided anew or undone meanwhile${what}.`;
    }
    const index = rows.numbers.indexOf(numbers[0]);
    if (index >= 0) grid.moveTo(index);
    else refresh();
  } catch (error) {
    fail(error);
  }
});

function shownDecision() {
  const decision = panel.shown?.state.decision;
  return decision ? [[decision.id, panel.row]] : null;
}

async function find() {
  if (!rows.length) return;
  try {
    const many = grid.selected.size ? ` of ${counted(grid.selected.size)} objects` : "";
    const choice = await finder.ask(`${rows.task}${many}`, labelsOf(rows.task), { allowNew: true });
    field("grid").focus();
    if (!choice) return;
    if (isMultiple() && !grid.selected.size && !choice.isNew) panel.toggle(choice.label);
    else decide("corrected", [choice.label], { isNew: choice.isNew });
  } catch (error) {
    fail(error);
  }
}

async function filterByLabel() {
  try {
    const of = field("of").value;
    const choice = await finder.ask(`Only objects with this ${of}`, labelsOf(of), { any: "any label" });
    field("grid").focus();
    if (!choice) return;
    shows.label = choice.label;
    field("label").textContent = choice.label || "any label";
    search();
  } catch (error) {
    fail(error);
  }
}

function ask(sentence, yes, number = null) {
  field("asker-text").textContent = sentence;
  field("asker-yes").textContent = yes;
  const input = field("asker-number");
  input.hidden = number === null;
  input.value = "";
  if (number !== null) input.max = number;
  const dialog = field("asker");
  dialog.returnValue = "";
  dialog.showModal();
  if (number !== null) input.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      field("grid").focus();
      resolve(dialog.returnValue === "yes" ? (number === null ? true : Number(input.value)) : null);
    }, { once: true });
  });
}

async function goTo() {
  const number = await ask(`Go to number, 1 to ${counted(rows.length)}`, "Go", rows.length);
  if (number) grid.moveTo(number - 1);
}

function pressed(event) {
  if (event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input, select, textarea")) {
    const isSearch = event.target === field("search");
    if (event.key === "Escape" && isSearch && field("search").value) { // the browser empties it, and tells nobody
      field("search").value = "";
      search();
    }
    if (event.key === "Escape" || (event.key === "Enter" && isSearch)) field("grid").focus();
    return;
  }
  const isButton = event.target.matches("button");
  if (isButton && (event.key === "Enter" || event.key === " ")) return;
  if (event.ctrlKey) {
    if (event.key !== "a") return;
    event.preventDefault();
    grid.select(Array(rows.length).keys());
    return;
  }
  const steps = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -grid.columns,
    ArrowDown: grid.columns,
    PageUp: -grid.pageSize,
    PageDown: grid.pageSize,
    Home: -Infinity,
    End: Infinity,
  };
  const acts = {
    a: () => decide("accepted"),
    x: () => decide("rejected"),
    s: () => decide("skipped"),
    u: undo,
    n: next,
    g: goTo,
    m: () => panel.toggleMap(),
    l: filterByLabel,
    "/": find,
    f: () => field("search").focus(),
    " ": () => grid.toggle(grid.current),
    "?": () => field("help").showModal(),
    Enter: saveChosen,
    Escape: () => {
      document.body.classList.remove("opened");
      grid.select([]);
    },
  };
  if (event.key in steps) grid.moveTo(grid.current + steps[event.key], { extend: event.shiftKey });
  else if (/^[1-9]$/.test(event.key)) pick(Number(event.key) - 1);
  else if (event.key in acts) acts[event.key]();
  else return;
  event.preventDefault();
}

async function start() {
  session = await get("session");
  rows = new Rows(() => { grid.draw(); }, fail);
  grid = new Grid(field("grid"), field("track"), rows, { moved });
  finder = new Finder();
  panel = new ObjectPanel(field("object"), {
    pick,
    saveChosen,
    decide,
    undo,
    find,
    back: () => { document.body.classList.remove("opened"); field("grid").focus(); },
    maps: session.maps,
    failed: fail,
  });
  const names = Object.fromEntries(session.tasks.map(({ name }) => [name, name]));
  fill(field("task"), names);
  fill(field("of"), names);
  fill(field("queue"), Object.fromEntries(session.queues.map((queue) => [queue, QUEUES[queue]])));
  fill(field("show"), SHOWS, "open");
  fill(field("order"), ORDERS, "queue");
  field("help-list").replaceChildren(...KEYS.flatMap(([keys, text]) => [make("dt", {}, make("kbd", {}, keys)), make("dd", {}, text)]));
  field("who").textContent = `${session.reviewer}${session.blind ? ", blind" : ""}`;
  for (const name of ["task", "queue", "show", "order"]) {
    field(name).addEventListener("change", () => { field("grid").focus(); search(); });
  }
  field("of").addEventListener("change", filterByLabel);
  field("label").addEventListener("click", filterByLabel);
  field("keys").addEventListener("click", () => field("help").showModal());
  let typing = 0;
  field("search").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(search, 120); });
  field("grid").addEventListener("dblclick", () => document.body.classList.add("opened"));
  document.addEventListener("keydown", pressed);
  field("grid").focus();
  await countQueues();
  const options = [...field("queue").options];
  field("queue").value = (options.find((option) => Number(option.dataset.open)) ?? options[0]).value;
  await search();
  document.documentElement.dataset.ready = "yes";
}

start().catch(fail);
