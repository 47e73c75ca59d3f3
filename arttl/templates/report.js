"use strict";
// All cards are in the page already. This takes them out of it, and puts back those that are looked for, some at a time:
// browsers take seconds to hide thousands.
(() => {
  const list = document.getElementById("cards");
  if (!list) return;
  const byId = (id) => document.getElementById(id);
  const form = byId("filters");
  const { compare } = new Intl.Collator("en", { numeric: true });
  const valueOf = (id) => byId(id)?.value || ""; // a page of an audit lacks some
  const cards = Array.from(list.children, (element, index) => ({
    element,
    index,
    number: element.dataset.number,
    text: element.textContent.toLowerCase(),
    claims: Array.from(element.querySelectorAll(".claim"), ({ dataset }) => ({
      task: dataset.task,
      status: dataset.status,
      agreement: dataset.agreement,
      doubt: Number(dataset.doubt),
      probability: dataset.probability === undefined ? null : Number(dataset.probability),
      labels: JSON.parse(dataset.labels),
    })),
  }));

  // The labels of a task, the most frequent first.
  function fillLabels() {
    const task = byId("task").value;
    const counts = new Map();
    for (const { claims } of cards)
      for (const claim of claims)
        if (!task || claim.task === task)
          for (const label of claim.labels) counts.set(label, (counts.get(label) || 0) + 1);
    const options = [new Option("all", "")];
    for (const [label, count] of [...counts].sort((a, b) => b[1] - a[1] || compare(a[0], b[0])))
      options.push(new Option(`${label} (${count})`, label));
    byId("label").replaceChildren(...options);
  }

  // Whether a claim is looked for; null where all cards are.
  function wantedClaims() {
    const [task, label, status, agreement] = ["task", "label", "status", "agreement"].map(valueOf);
    const least = Number(byId("least").value || 0) / 100;
    const most = Number(byId("most").value || 100) / 100;
    const anyConfidence = least <= 0 && most >= 1;
    if (anyConfidence && !task && !label && !status && !agreement) return null;
    return (claim) =>
      (!task || claim.task === task) &&
      (!label || claim.labels.includes(label)) &&
      (!status || claim.status === status) &&
      (!agreement || claim.agreement === agreement) &&
      (anyConfidence || (claim.probability !== null && claim.probability >= least && claim.probability <= most));
  }

  const AT_ONCE = 60;
  let found = cards;
  let shownCount = 0;

  function show(count) {
    const more = found.slice(shownCount, count).map((card) => card.element);
    shownCount += more.length;
    list.append(...more);
    const rest = found.length - shownCount;
    byId("more").hidden = byId("all").hidden = rest === 0;
    byId("more").textContent = `Show ${Math.min(AT_ONCE, rest)} more`;
    byId("all").textContent = `Show all ${found.length.toLocaleString("en")}`;
  }

  function filter() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = wantedClaims();
    const withoutClaims = byId("status").value === "none";
    found = cards.filter((card) => {
      card.matching = wanted ? card.claims.filter(wanted) : card.claims;
      const matches = withoutClaims ? !card.claims.length : !wanted || card.matching.length;
      return matches && words.every((word) => card.text.includes(word));
    });
    order();
    const all = `${cards.length.toLocaleString("en")} ${cards.length === 1 ? "picture" : "pictures"}`;
    byId("count").textContent =
      found.length === cards.length ? all : `${found.length.toLocaleString("en")} of ${all}`;
    list.replaceChildren();
    shownCount = 0;
    show(AT_ONCE);
    makeReachable(found[0]);
  }

  // By the claims that are looked for: "surest first" of those that differ from the catalogue is by these alone.
  function order() {
    const name = byId("order").value;
    if (name === "number") {
      found.sort((a, b) => compare(a.number, b.number) || a.index - b.index);
    } else if (name !== "file") {
      const value = name === "doubt" ? (claim) => claim.doubt : (claim) => claim.probability ?? -1;
      for (const card of found) card.key = Math.max(-1, ...card.matching.map(value));
      found.sort((a, b) => b.key - a.key || a.index - b.index);
    }
  }

  // One card is in the order of the Tab key; the arrow keys lead from it to the others.
  let reachable = null;
  function makeReachable(card) {
    reachable?.element.removeAttribute("tabindex");
    reachable = card;
    reachable?.element.setAttribute("tabindex", "0");
  }

  function perRow() {
    const [first, ...others] = list.children;
    const second = others.findIndex((element) => element.offsetTop > first.offsetTop);
    return second < 0 ? list.children.length : second + 1;
  }

  list.addEventListener("keydown", (event) => {
    if (!event.target.classList.contains("card") || event.ctrlKey || event.altKey || event.metaKey) return;
    const at = found.findIndex((card) => card.element === event.target);
    const steps = {
      ArrowRight: () => at + 1,
      ArrowLeft: () => at - 1,
      ArrowDown: () => at + perRow(),
      ArrowUp: () => at - perRow(),
      Home: () => 0,
      End: () => found.length - 1,
    };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = steps[event.key]();
    if (next < 0 || next >= found.length) return;
    if (next >= shownCount) show(next + AT_ONCE);
    makeReachable(found[next]);
    found[next].element.focus();
  });
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "/" && !typing) {
      event.preventDefault();
      byId("search").focus();
    }
  });
  form.addEventListener("input", (event) => {
    if (event.target.id === "maps") {
      list.classList.toggle("maps", event.target.checked);
      return;
    }
    if (event.target.id === "task") fillLabels();
    filter();
  });
  byId("more").addEventListener("click", () => {
    const first = found[shownCount];
    show(shownCount + AT_ONCE);
    makeReachable(first);
    first.element.focus(); // the button may be gone
  });
  byId("all").addEventListener("click", () => show(found.length));
  window.addEventListener("beforeprint", () => show(found.length));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () =>
    setTimeout(() => {
      list.classList.remove("maps");
      fillLabels();
      filter();
      if (isNamed) showNamed();
      isNamed = false;
    })
  );

  // The search over all pages leads to a card by its number.
  let isNamed = true;
  window.addEventListener("hashchange", () => {
    isNamed = true;
    form.reset();
  });

  function showNamed() {
    const at = found.findIndex(({ element }) => `#${element.id}` === location.hash);
    if (at < 0) return;
    if (at >= shownCount) show(at + AT_ONCE);
    makeReachable(found[at]);
    found[at].element.focus();
  }
  form.reset();
  list.classList.add("live");
  form.hidden = false;
})();
