"use strict";
const main = document.querySelector("main");
const PAGE = 50;

function add(parent, tag, text) {
  const made = parent.appendChild(document.createElement(tag));
  if (text !== undefined) made.textContent = text;
  return made;
}

function valueOf(column, row) {
  const cell = column.cells[row];
  return Array.isArray(cell) ? column.texts[cell[0]] : cell;
}

// Numbers before texts, and what is missing last in either direction.
function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return sign * (a < b ? -1 : a > b ? 1 : 0);
}

function table(title, columns) {
  add(main, "h2", title);
  const count = columns.length ? columns[0].cells.length : 0;
  const all = Array.from({ length: count }, (_, row) => row);
  const filter = add(main, "input");
  filter.placeholder = "Filter by text";
  filter.setAttribute("aria-label", "Filter " + title);
  const told = add(main, "p");
  const box = add(main, "div");
  box.className = "scroll";
  const shown = add(box, "table");
  const head = add(add(shown, "thead"), "tr");
  const body = add(shown, "tbody");
  const back = add(main, "button", "Previous");
  const on = add(main, "button", "Next");
  let rows = all, page = 0, sign = 1, sorted = null;
  function draw() {
    const from = page * PAGE, part = rows.slice(from, from + PAGE);
    body.replaceChildren();
    for (const row of part) {
      const line = add(body, "tr");
      for (const column of columns) add(line, "td", valueOf(column, row) ?? "");
    }
    told.textContent = `${part.length ? from + 1 : 0} to ${from + part.length} of ${rows.length}`;
    back.disabled = page === 0;
    on.disabled = from + PAGE >= rows.length;
  }
  function choose() {
    const text = filter.value.toLowerCase();
    rows = all.filter(row => columns.some(c => String(valueOf(c, row) ?? "").toLowerCase().includes(text)));
    if (sorted) rows.sort((a, b) => compare(valueOf(sorted, a), valueOf(sorted, b), sign));
    page = 0;
    draw();
  }
  for (const column of columns) {
    add(head, "th", column.name).addEventListener("click", () => {
      sign = sorted === column ? -sign : 1;
      sorted = column;
      choose();
    });
  }
  filter.addEventListener("input", choose);
  back.addEventListener("click", () => { page -= 1; draw(); });
  on.addEventListener("click", () => { page += 1; draw(); });
  draw();
}

async function read() {
  if (!("DecompressionStream" in window)) throw new Error("this browser is too old to unpack the data");
  const bytes = Uint8Array.from(atob(document.getElementById("data").textContent), c => c.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(plain).text());
}

function show(data) {
  const counts = Object.entries(data.counts).map(([status, n]) => n + " " + status).join(", ");
  add(main, "p", "As of " + data.as_of + ". " + counts);
  for (const doubt of data.doubts) add(main, "p", "Doubt: " + doubt);
  if (data.failures[0].cells.length) table("Failures", data.failures);
  table("Settings", data.groups);
  table("Runs", data.runs);
}

read().then(show).catch(error => add(main, "p", "The report cannot be shown: " + error.message));
