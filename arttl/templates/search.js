"use strict";
// The cards of all pages, as text: each of the claims is here once, and a card has their numbers.
(() => {
  const byId = (id) => document.getElementById(id);
  const { cards, claims, per_page: perPage } = JSON.parse(byId("index").textContent);
  const names = cards.map(([title, below]) => `${title} ${below}`.toLowerCase());
  const lowerClaims = claims.map((claim) => claim.toLowerCase());
  const list = byId("results");
  const input = byId("search");
  const AT_ONCE = 100;
  let found = [];

  function find(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const withWord = words.map((word) => [word, lowerClaims.map((claim) => claim.includes(word))]);
    const numbers = [];
    cards.forEach(([, , own], number) => {
      if (withWord.every(([word, has]) => names[number].includes(word) || own.some((claim) => has[claim])))
        numbers.push(number);
    });
    return numbers;
  }

  function item(number) {
    const [title, below, own] = cards[number];
    const element = document.createElement("li");
    const link = document.createElement("a");
    const page = String(Math.floor(number / perPage) + 1).padStart(4, "0");
    link.href = `page-${page}.html#card-${number + 1}`;
    link.textContent = title;
    element.append(link, below ? ` ${below}` : "");
    for (const claim of own) {
      const line = document.createElement("small");
      line.textContent = claims[claim];
      element.append(document.createElement("br"), line);
    }
    return element;
  }

  function show(count) {
    list.append(...found.slice(list.children.length, count).map(item));
    const rest = found.length - list.children.length;
    byId("more").hidden = !rest;
    byId("more").textContent = `Show ${Math.min(AT_ONCE, rest)} more`;
  }

  function search() {
    found = find(input.value);
    list.replaceChildren();
    show(AT_ONCE);
    const all = `${cards.length.toLocaleString("en")} ${cards.length === 1 ? "picture" : "pictures"}`;
    byId("count").textContent = input.value.trim() ? `${found.length.toLocaleString("en")} of ${all}` : all;
    history.replaceState(null, "", `#${encodeURIComponent(input.value)}`); // for the way back
  }

  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", search);
  byId("more").addEventListener("click", () => {
    const first = list.children.length;
    show(first + AT_ONCE);
    list.children[first].querySelector("a").focus(); // the button may be gone
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target === input) return;
    event.preventDefault();
    input.focus();
  });
  byId("filters").hidden = false;
  try {
    input.value = decodeURIComponent(location.hash.slice(1));
  } catch {
    input.value = ""; // an address that nobody could have come by
  }
  search();
  input.focus();
})();
