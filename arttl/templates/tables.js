"use strict";
// Tables of the class `sortable`: the headings with a column's number become buttons that sort by it, up, down and as the
// table was.
(() => {
  const NUMBER = /^[+\-\u2212]?\d[\d,]*(\.\d+)?/; // "98.3 (95.8–100.0)", "+4.3", "1,280", "12%"
  const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
  const { compare } = new Intl.Collator("en", { numeric: true });

  // The text of a column's cell; words that span several columns stand in the first.
  function textAt(row, column) {
    let first = 0;
    for (const cell of row.cells) {
      if (first === column) return cell.textContent.trim();
      first += cell.colSpan;
    }
    return "";
  }

  function numberIn(text) {
    const [found] = text.match(NUMBER) || [];
    return found === undefined ? null : Number(found.replaceAll(",", "").replace("\u2212", "-"));
  }

  // Rows with what they are sorted by: numbers if the column has any, else texts; null is missing and always last.
  function keysOf(rows, column) {
    const texts = rows.map((row) => textAt(row, column));
    const numbers = texts.map(numberIn);
    const isNumeric = numbers.some((number) => number !== null) && !rows[0].cells[column]?.matches("th");
    return rows.map((row, index) => ({ row, key: isNumeric ? numbers[index] : texts[index] || null }));
  }

  function sorted(rows, column, order) {
    const sign = order === "descending" ? -1 : 1;
    return keysOf(rows, column)
      .sort((a, b) => {
        if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
        return sign * (typeof a.key === "number" ? a.key - b.key : compare(a.key, b.key));
      })
      .map(({ row }) => row);
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    if (rows.length < 2) continue;
    const headings = [...table.querySelectorAll("th[data-column]")];
    for (const heading of headings) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const order = NEXT[heading.getAttribute("aria-sort") || "none"];
        for (const each of headings) each.removeAttribute("aria-sort");
        if (order !== "none") heading.setAttribute("aria-sort", order);
        body.append(...(order === "none" ? rows : sorted(rows, Number(heading.dataset.column), order)));
      });
    }
  }
})();
