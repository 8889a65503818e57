"use strict";
// The page works without this: it adds zooming, the table of sign-ins, and copying.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const reveal = (section) => {
  for (const part of section.querySelectorAll("[hidden]")) part.hidden = false;
};

function timeline(chart) {
  const section = byId("timeline");
  const figure = section.querySelector("figure");
  const plots = [...section.querySelectorAll(".plot")];
  const words = byId("timeline-words");
  const days = chart.attempts.length;
  const fewest = Math.min(7, days);
  let from = 0;
  let to = days;
  let start = null;

  const date = (day) =>
    new Date(Date.parse(chart.first) + day * 864e5).toISOString().slice(0, 10);
  const sum = (counts) => counts.slice(from, to).reduce((a, b) => a + b, 0).toLocaleString("en");
  const inWords = (attempts, entries, successes) =>
    `${attempts} attempts, ${entries} successes that follow the pattern, ` +
    `${successes} successes of the tenant`;

  function show(first, last) {
    const length = Math.max(fewest, Math.min(days, Math.round(last - first)));
    from = Math.max(0, Math.min(days - length, Math.round(first)));
    to = from + length;
    for (const plot of plots) plot.setAttribute("viewBox", `${from} 0 ${length} 100`);
    byId("from").textContent = date(from);
    byId("to").textContent = date(to - 1);
    words.textContent = `${date(from)} to ${date(to - 1)}: ` +
      inWords(sum(chart.attempts), sum(chart.entries), sum(chart.successes)) + ".";
  }
  const zoom = (factor) => {
    const middle = (from + to) / 2;
    const half = ((to - from) * factor) / 2;
    show(middle - half, middle + half);
  };
  const move = (share) => {
    const by = Math.sign(share) * Math.max(1, Math.round(Math.abs(share) * (to - from)));
    show(from + by, to + by);
  };
  const actions = {
    in: () => zoom(0.5), out: () => zoom(2), left: () => move(-0.25), right: () => move(0.25),
    all: () => show(0, days),
  };
  const keys = {
    "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", 0: "all", Home: "all",
  };
  for (const button of section.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", actions[button.dataset.zoom]);
  }
  figure.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    event.preventDefault();
    actions[keys[event.key]]();
  });

  const under = (event) => {
    const box = plots[0].getBoundingClientRect();
    const day = from + Math.floor(((event.clientX - box.left) / box.width) * (to - from));
    return Math.max(from, Math.min(to - 1, day));
  };
  for (const plot of plots) {
    plot.addEventListener("pointerdown", (event) => { start = under(event); });
    plot.addEventListener("pointermove", (event) => {
      const day = under(event);
      const figures = [chart.attempts, chart.entries, chart.successes].map(
        (counts) => counts[day].toLocaleString("en"));
      words.textContent = start === null || start === day
        ? `${date(day)}: ${inWords(...figures)}.`
        : `${date(Math.min(start, day))} to ${date(Math.max(start, day))}`;
    });
  }
  window.addEventListener("pointerup", (event) => {
    if (start === null) return;
    const end = under(event);
    if (end !== start) show(Math.min(start, end), Math.max(start, end) + 1);
    start = null;
  });
  reveal(section);
}

// A spreadsheet runs a cell that begins like this.
const FORMULA = /^(?:\s*[=+\-@\uff0b\uff0d\uff1d\uff20]|[\t\r\n])/;
const csvCell = (text) => `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;

function signins(columns, name) {
  const ROWS = 100;
  const section = byId("members");
  const table = byId("signins");
  const length = columns[0].rows ? columns[0].rows.length : columns[0].values.length;
  const code = (column, row) => (column.rows ? column.rows[row] : row);
  const value = (column, row) => column.values[code(column, row)];
  const outcome = columns.find((column) => column.name === "Outcome");
  const all = Array.from({ length }, (_, row) => row);
  const collator = new Intl.Collator("en", { numeric: true });
  let rows = all;
  let page = 0;
  let sorted = null;
  let descending = false;

  // Values repeat: each is looked at once, not once a row.
  function matching(words) {
    const hits = words.map((word) =>
      columns.map((column) => column.values.map((text) => text.toLowerCase().includes(word))));
    return all.filter((row) => hits.every((of) =>
      columns.some((column, i) => of[i][code(column, row)])));
  }
  function order(column) {
    const ranked = column.values.map((_, i) => i)
      .sort((a, b) => collator.compare(column.values[a], column.values[b]));
    const rank = new Int32Array(ranked.length);
    ranked.forEach((i, place) => { rank[i] = place; });
    const sign = descending ? -1 : 1;
    rows = [...rows].sort((a, b) =>
      sign * (rank[code(column, a)] - rank[code(column, b)]) || a - b);
  }
  function refresh() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    rows = words.length ? matching(words) : all;
    if (sorted) order(sorted);
    page = 0;
    draw();
  }
  // What is not seen, or turns the text around, is shown as a mark.
  const visible = (text) => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\ufffd");

  function draw() {
    const pages = Math.max(1, Math.ceil(rows.length / ROWS));
    page = Math.max(0, Math.min(pages - 1, page));
    const body = document.createElement("tbody");
    for (const row of rows.slice(page * ROWS, (page + 1) * ROWS)) {
      const line = body.insertRow();
      for (const column of columns) {
        const cell = document.createElement("bdi");
        cell.textContent = visible(value(column, row));
        line.insertCell().append(cell);
      }
      line.classList.toggle("success", value(outcome, row) === "success");
    }
    table.tBodies[0].replaceWith(body);
    byId("found").textContent = rows.length === length
      ? `${length.toLocaleString("en")} sign-ins`
      : `${rows.length.toLocaleString("en")} of ${length.toLocaleString("en")} sign-ins`;
    byId("page").textContent = `Page ${page + 1} of ${pages}`;
    for (const button of section.querySelectorAll("[data-page]")) {
      const back = ["first", "previous"].includes(button.dataset.page);
      button.disabled = back ? page === 0 : page === pages - 1;
    }
    columns.forEach((column, i) => {
      const kind = descending ? "descending" : "ascending";
      table.tHead.rows[0].cells[i].ariaSort = column === sorted ? kind : "none";
      table.tHead.rows[0].cells[i].querySelector("i").textContent =
        column === sorted ? (descending ? " ▼" : " ▲") : "";
    });
  }

  const head = table.createTHead().insertRow();
  for (const column of columns) {
    const cell = document.createElement("th");
    cell.scope = "col";
    const button = document.createElement("button");
    button.type = "button";
    button.append(column.name, document.createElement("i"));
    button.addEventListener("click", () => {
      descending = sorted === column && !descending;
      sorted = column;
      refresh();
    });
    cell.append(button);
    head.append(cell);
  }
  table.createTBody();
  let waiting;
  byId("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(refresh, 150);
  });
  const turns = {
    first: () => 0, previous: () => page - 1, next: () => page + 1, last: () => Infinity,
  };
  for (const button of section.querySelectorAll("[data-page]")) {
    button.addEventListener("click", () => { page = turns[button.dataset.page](); draw(); });
  }
  byId("csv").addEventListener("click", () => {
    const lines = [columns.map((column) => csvCell(column.name)).join(",")];
    for (const row of rows) {
      lines.push(columns.map((column) => csvCell(value(column, row))).join(","));
    }
    // By the mark at the beginning, spreadsheets recognise UTF-8.
    const file = new Blob(["\ufeff", lines.join("\r\n"), "\r\n"], { type: "text/csv" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = `${name}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });
  reveal(section);
  draw();
}

function copying(button) {
  const text = button.parentElement.querySelector("pre");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text);
      button.textContent = "Selected: now Ctrl+C";
    }
  });
}

if (data.timeline) timeline(data.timeline);
if (data.members) signins(data.members, data.name);
document.querySelectorAll(".copy").forEach(copying);
