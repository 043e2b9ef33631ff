// SPDX-License-Identifier: GPL-3.0-or-later
// Sorts, filters and searches tables, opens what is folded for a print, and tells which tables scroll. The page is whole
// without it. What it shows is text of the page's own cells, and becomes text again, never markup.
"use strict";
(() => {
  const make = (tag, text, attributes) => {
    const element = document.createElement(tag);
    if (text) { element.textContent = text; }
    for (const [name, value] of Object.entries(attributes || {})) { element.setAttribute(name, value); }
    return element;
  };
  const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const valueOf = (cell) => (cell ? cell.dataset.value ?? cell.textContent.trim() : "");
  const count = (number) => number.toLocaleString("en");

  const sortable = (table, rows, show) => {
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    heads.forEach((head, column) => {
      if (head.dataset.sort === undefined) { return; }
      const button = make("button", "", { type: "button", class: "sort" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const keyed = rows.map((row) => [valueOf(row.cells[column]), row]);
        // What is empty stays last, whichever way.
        keyed.sort(([one], [other]) => {
          if (!one || !other) { return Number(!one) - Number(!other); }
          return down ? order.compare(other, one) : order.compare(one, other);
        });
        rows.splice(0, rows.length, ...keyed.map(([, row]) => row));
        table.tBodies[0].append(...rows);
        show();
      });
    });
    return heads;
  };

  let tables = 0;
  const tools = (table) => {
    tables += 1;
    const name = `table-${tables}`;
    const rows = [...table.tBodies[0].rows];
    const bar = make("div", "", { class: "tools", role: "search", "aria-label": table.caption.textContent });
    const status = make("p", "", { class: "status", role: "status" });
    const texts = new Map();
    const textOf = (row) => {
      if (!texts.has(row)) { texts.set(row, row.textContent.toLowerCase()); }
      return texts.get(row);
    };
    const field = (label, control, id) => {
      control.id = `${name}-${id}`;
      const box = make("span", "", { class: "field" });
      box.append(make("label", label, { for: control.id }), control);
      bar.append(box);
      return control;
    };
    const filters = [];
    const search = make("input", "", { type: "search", autocomplete: "off", spellcheck: "false" });
    const show = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const chosen = filters.filter(([, select]) => select.selectedIndex > 0);
      let shown = 0;
      for (const row of rows) {
        const fits = chosen.every(([column, select]) => valueOf(row.cells[column]) === select.value)
          && words.every((word) => textOf(row).includes(word));
        row.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      status.textContent = shown === rows.length ? `${count(shown)} rows` : `${count(shown)} of ${count(rows.length)} rows`;
    };
    const heads = sortable(table, rows, show);
    if (table.dataset.tools === undefined) { return; }
    field("Search", search, "search");
    let waiting = 0;
    search.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(show, 100);
    });
    heads.forEach((head, column) => {
      if (head.dataset.filter === undefined) { return; }
      const numbers = new Map();
      for (const row of rows) {
        const value = valueOf(row.cells[column]);
        numbers.set(value, (numbers.get(value) || 0) + 1);
      }
      if (numbers.size < 2) { return; }
      const select = make("select");
      select.append(make("option", "all", { value: "" }));
      for (const value of [...numbers.keys()].sort(order.compare)) {
        select.append(make("option", `${value || "–"} (${count(numbers.get(value))})`, { value }));
      }
      select.addEventListener("change", show);
      filters.push([column, field(head.textContent.trim(), select, `filter-${column}`)]);
    });
    const clear = make("button", "Show all", { type: "button" });
    clear.addEventListener("click", () => {
      search.value = "";
      filters.forEach(([, select]) => { select.selectedIndex = 0; });
      show();
    });
    bar.append(clear, status);
    table.closest(".scrolling").before(bar);
    show();
  };

  document.querySelectorAll("table[data-sortable]").forEach(tools);

  const wide = [...document.querySelectorAll(".wide")];
  const measure = () => wide.forEach((box) => {
    box.parentElement.classList.toggle("scrolls", box.scrollWidth > box.clientWidth + 1);
  });
  document.documentElement.classList.add("scripted");
  new ResizeObserver(measure).observe(document.body);
  window.addEventListener("resize", measure);
  document.addEventListener("toggle", measure, true);
  measure();

  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((part) => { part.open = true; });
  });
  window.addEventListener("afterprint", () => folded.forEach((part) => { part.open = false; }));
})();
