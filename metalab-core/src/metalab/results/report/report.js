"use strict";
const main = document.querySelector("main");
const PAGE = 50;
const WIDE = 20;
const SVG = "http://www.w3.org/2000/svg";
const HUES = 8;

// All text is put in as text: nothing in the data can become markup.
function add(parent, tag, text, name) {
  const made = parent.appendChild(document.createElement(tag));
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

function valueOf(column, row) {
  const cell = column.cells[row];
  return Array.isArray(cell) ? column.texts[cell[0]] : cell;
}

function short(value) {
  if (typeof value !== "number" || Number.isInteger(value)) return value === null ? "" : String(value);
  return String(Number(value.toPrecision(6)));
}

function addValue(parent, tag, value) {
  const made = add(parent, tag, short(value), typeof value === "number" ? "number" : undefined);
  if (value !== null && made.textContent !== String(value)) made.title = String(value);
  return made;
}

// Numbers before texts, and what is missing last in either direction.
function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return sign * (a < b ? -1 : a > b ? 1 : 0);
}

const TESTS = {
  "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b,
  "=": (a, b) => a === b, "==": (a, b) => a === b, "!=": (a, b) => a !== b,
};

// "lr < 0.1" asks a column, anything else is looked for in all of them; "and" joins.
function matcher(text, columns) {
  const tests = text.split(/\s+and\s+/i).filter(each => each.trim()).map(part => {
    const found = /^\s*(.+?)\s*(<=|>=|==|!=|<|>|=)\s*(.*?)\s*$/.exec(part);
    const column = found && columns.find(c => c.name === found[1] || c.name === "param_" + found[1]);
    if (column) {
      const wanted = found[3].replace(/^(["'])(.*)\1$/, "$2");
      const number = wanted === "" ? NaN : Number(wanted);
      return row => {
        const value = valueOf(column, row);
        if (value === null) return false;
        return TESTS[found[2]](value, typeof value === "number" ? number : wanted);
      };
    }
    const words = part.trim().toLowerCase();
    return row => columns.some(c => String(valueOf(c, row) ?? "").toLowerCase().includes(words));
  });
  return row => tests.every(test => test(row));
}

function table(parent, columns, options) {
  const count = columns.length ? columns[0].cells.length : 0;
  const all = Array.from({ length: count }, (_, row) => row);
  const filter = document.createElement("input");
  filter.type = "search";
  filter.placeholder = "Filter: any text, or a condition such as " + (options.example ?? "status = failed");
  filter.setAttribute("aria-label", "Filter " + options.name);
  if (count > 5) parent.append(filter);
  const box = add(parent, "div", undefined, "scroll");
  box.tabIndex = 0;
  const shown = add(box, "table");
  // On paper it cannot be scrolled: the more columns, the smaller they are printed.
  shown.style.setProperty("--columns", columns.length);
  shown.classList.toggle("wide", columns.length > WIDE);
  const head = add(add(shown, "thead"), "tr");
  const body = add(shown, "tbody");
  const foot = add(parent, "p", undefined, "pages");
  const back = add(foot, "button", "Previous");
  const told = add(foot, "span");
  const on = add(foot, "button", "Next");
  let rows = all, page = 0, sign = 1, sorted = null;
  function draw() {
    const from = page * PAGE, part = rows.slice(from, from + PAGE);
    body.replaceChildren();
    for (const row of part) {
      const line = add(body, "tr");
      for (const column of columns) {
        const value = valueOf(column, row);
        if (column.name === options.link) {
          const link = add(add(line, "td"), "a", String(value).slice(0, 12));
          link.href = "#run=" + encodeURIComponent(value);
          link.title = value;
        } else addValue(line, "td", value);
      }
      if (options.link) line.addEventListener("click", () => {
        if (String(getSelection()) === "") line.querySelector("a").click();
      });
    }
    told.textContent = `${part.length ? from + 1 : 0} to ${from + part.length} of ${rows.length}`;
    back.disabled = page === 0;
    on.disabled = from + PAGE >= rows.length;
    back.hidden = on.hidden = rows.length <= PAGE;
  }
  function choose() {
    rows = all.filter(matcher(filter.value, columns));
    if (sorted) rows.sort((a, b) => compare(valueOf(sorted, a), valueOf(sorted, b), sign));
    page = 0;
    draw();
  }
  for (const column of columns) {
    const cell = add(head, "th");
    const button = add(cell, "button", column.name);
    button.addEventListener("click", () => {
      sign = sorted === column ? -sign : 1;
      sorted = column;
      for (const each of head.children) each.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      choose();
    });
  }
  filter.addEventListener("input", choose);
  back.addEventListener("click", () => { page -= 1; draw(); });
  on.addEventListener("click", () => { page += 1; draw(); });
  draw();
}

function section(title, id) {
  const made = add(main, "section");
  if (id) made.id = id;
  add(made, "h2", title);
  return made;
}

function pairs(parent, list) {
  const made = add(parent, "dl");
  for (const [name, value] of list) {
    add(made, "dt", name);
    addValue(made, "dd", value);
  }
}

function draw(tag, parent, attributes) {
  const made = parent.appendChild(document.createElementNS(SVG, tag));
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function hueOf(number) {
  return "hue" + number % HUES + (number < HUES ? "" : " dashed");
}

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (typeof value !== "number") continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low === high) { low -= Math.abs(low) / 2 || 1; high += Math.abs(high) / 2 || 1; }
  return [low, high];
}

// Round numbers between two ends.
function ticks(low, high) {
  const raw = (high - low) / 5, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find(each => each * power >= raw) * power;
  const first = Math.ceil(low / step), count = Math.min(Math.floor(high / step) - first, 10);
  return Array.from({ length: count + 1 }, (_, i) => Number(((first + i) * step).toPrecision(6)));
}

// Lines: {name, x, y, low, high}; a band between low and high where they are lines, else bars.
function plot(parent, title, across, lines, areBands) {
  const figure = add(parent, "figure");
  add(figure, "figcaption", title);
  const svg = draw("svg", figure, { viewBox: "0 0 640 320", role: "img", "aria-label": title });
  const xs = lines.flatMap(l => l.x), ys = lines.flatMap(l => [...l.y, ...l.low, ...l.high]);
  const positive = xs.filter(x => x > 0);
  const isLog = !areBands && positive.length === xs.length && Math.max(...xs) / Math.min(...xs) >= 20;
  const scale = x => (isLog ? Math.log10(x) : x);
  const [left, right] = extent(xs.map(scale)), [bottom, top] = extent(ys);
  const px = x => 70 + 550 * (0.03 + 0.94 * (scale(x) - left) / (right - left));
  const py = y => 270 - 250 * (0.04 + 0.92 * (y - bottom) / (top - bottom));
  const label = (x, y, text, anchor) => {
    draw("text", svg, { x, y, "text-anchor": anchor, class: "label" }).textContent = text;
  };
  for (const y of ticks(bottom, top)) {
    draw("line", svg, { x1: 70, x2: 620, y1: py(y), y2: py(y), class: "grid" });
    label(64, py(y) + 4, String(y), "end");
  }
  const distinct = [...new Set(xs)].sort((a, b) => a - b);
  const even = ticks(left, right).map(x => (isLog ? 10 ** x : x));
  const marks = distinct.length <= 6 ? distinct : even;
  for (const x of marks) label(px(x), 288, String(Number(x.toPrecision(3))), "middle");
  label(345, 310, isLog ? across + " (logarithmic)" : across, "middle");
  lines.forEach((line, number) => {
    const hue = hueOf(number), points = line.x.map((x, i) => [px(x), py(line.y[i])]);
    const known = line.x.map((_, i) => i).filter(i => line.low[i] !== null && line.high[i] !== null);
    if (areBands && known.length) {
      const ends = known.map(i => [px(line.x[i]), py(line.high[i])]);
      ends.push(...known.reverse().map(i => [px(line.x[i]), py(line.low[i])]));
      draw("polygon", svg, { points: ends.join(" "), class: "band " + hue });
    }
    const isOne = new Set(line.x).size === line.x.length;
    if (isOne) draw("polyline", svg, { points: points.join(" "), class: "line " + hue });
    if (!areBands) {
      for (const i of known) draw("line", svg, {
        x1: px(line.x[i]), x2: px(line.x[i]), y1: py(line.low[i]), y2: py(line.high[i]), class: "line " + hue,
      });
      for (const [cx, cy] of points) draw("circle", svg, { cx, cy, r: 4, class: "dot " + hue });
    }
  });
  if (lines.length > 1) {
    const legend = add(figure, "p", undefined, "legend");
    lines.forEach((line, number) => add(legend, "span", line.name, "key " + hueOf(number)));
  }
}

function sweeps(parent, data, metric) {
  const find = name => data.groups.find(c => c.name === name);
  const count = data.groups[0].cells.length, rows = Array.from({ length: count }, (_, i) => i);
  const by = data.by.map(find);
  const kinds = c => new Set(rows.map(i => valueOf(c, i)));
  const swept = by.filter(c => kinds(c).size > 1 && rows.every(i => typeof valueOf(c, i) === "number"));
  const hue = by.find(c => kinds(c).size > 1 && kinds(c).size <= HUES && !swept.includes(c));
  const [mean, low, high] = ["mean", "low", "high"].map(what => find(metric + "." + what));
  for (const param of swept.slice(0, 6)) {
    const lines = new Map();
    const inOrder = rows.filter(i => typeof valueOf(mean, i) === "number");
    inOrder.sort((a, b) => valueOf(param, a) - valueOf(param, b));
    for (const i of inOrder.slice(0, 5000)) {
      const name = hue ? `${hue.name}=${valueOf(hue, i)}` : metric;
      if (!lines.has(name)) lines.set(name, { name, x: [], y: [], low: [], high: [] });
      const line = lines.get(name), end = c => (typeof valueOf(c, i) === "number" ? valueOf(c, i) : null);
      line.x.push(valueOf(param, i));
      line.y.push(valueOf(mean, i));
      line.low.push(end(low));
      line.high.push(end(high));
    }
    if (lines.size) plot(parent, `${metric} by ${param.name}: means and 95 % intervals`, param.name, [...lines.values()], false);
  }
}

function headline(data) {
  const made = section("Which setting is ahead", "headline");
  if (!data.headlines.length) {
    add(made, "p", "No successful run has a number, so there is nothing to compare.");
    return;
  }
  const chooser = document.createElement("select");
  chooser.setAttribute("aria-label", "Metric, and which end is better");
  data.headlines.forEach((each, i) => {
    const way = each.mode === "max" ? "higher is better" : "lower is better";
    add(chooser, "option", `${each.metric}: ${way}`).value = i;
  });
  if (data.headlines.length > 1) made.append(chooser);
  const told = add(made, "div"), plots = add(made, "div", undefined, "plots");
  let drawn = null;
  function show() {
    const chosen = data.headlines[Number(chooser.value)];
    told.replaceChildren();
    chosen.text.forEach((text, i) => add(told, "p", text, i ? undefined : "lead"));
    if (drawn === chosen.metric) return;
    drawn = chosen.metric;
    plots.replaceChildren();
    sweeps(plots, data, chosen.metric);
  }
  chooser.addEventListener("change", show);
  show();
}

function series(data) {
  if (!data.bands.series.length && !data.bands.left_out) return;
  const made = section("Series", "series");
  if (data.bands.left_out) add(made, "p", data.bands.left_out);
  const plots = add(made, "div", undefined, "plots");
  for (const each of data.bands.series) {
    const lines = each.lines.filter(l => l[1].length);
    const named = lines.map(([name, x, y, low, high]) => ({ name: name || each.name, x, y, low, high }));
    if (named.length) plot(plots, `${each.name}: mean over replicates and 95 % interval`, "step", named, true);
  }
}

function picture(parent, name, [media, content]) {
  const figure = add(parent, "figure");
  const image = add(figure, "img");
  image.alt = name;
  image.src = `data:${media};base64,${content}`;
  add(figure, "figcaption", name);
}

function oneRun(data, made) {
  const wanted = /^#run=(.+)$/.exec(location.hash);
  made.hidden = !wanted;
  if (!wanted) return;
  made.replaceChildren();
  let id = wanted[1];
  try { id = decodeURIComponent(id); } catch { /* An address is looked for as it stands. */ }
  const ids = data.runs.find(c => c.name === "run_id");
  const place = ids.cells.findIndex((_, i) => valueOf(ids, i) === id);
  add(made, "h2", "Run " + id);
  if (place < 0) {
    add(made, "p", "No such run is listed in this page.");
  } else {
    pairs(made, data.runs.filter(c => valueOf(c, place) !== null).map(c => [c.name, valueOf(c, place)]));
    const plots = add(made, "div", undefined, "plots");
    for (const [, name, x, y] of data.details.series.filter(each => each[0] === place)) {
      const none = x.map(() => null);
      plot(plots, name, "step", [{ name, x, y, low: none, high: none }], true);
    }
    for (const [, name, number] of data.pictures.shown.filter(each => each[0] === place)) {
      picture(plots, name, data.pictures.images[number]);
    }
    const artifacts = valueOf(data.artifacts[0], place);
    if (artifacts !== null) {
      pairs(made, [["artifacts", artifacts]]);
      if (data.pictures.left_out) add(made, "p", "This page has no room for all pictures; the store has them.", "note");
    }
    const trace = data.details.traces.find(each => each[0] === place);
    if (trace) {
      add(made, "h3", "Traceback");
      add(made, "pre", data.details.texts[trace[1]]);
    }
    const log = data.details.logs.find(each => each[0] === place);
    if (log) {
      add(made, "h3", log[2] ? "The end of its log" : "Log");
      add(made, "pre", log[1]);
    } else if (data.details.logs_of < data.runs_in_all) {
      add(made, "p", `Logs of ${data.details.logs_of} runs are kept in this page.`);
    }
  }
  add(made, "a", "Back to the runs").href = "#runs";
  made.scrollIntoView();
}

function show(data) {
  main.replaceChildren();
  add(main, "p", data.counts.map(([status, n]) => n + " " + status).join(", ") || "There are no runs.", "counts");
  for (const doubt of data.doubts) add(main, "p", "Doubt: " + doubt + ".", "doubt");
  if (data.runs_in_all) headline(data);
  series(data);
  if (data.failures[0].cells.length) table(section("Failures", "failures"), data.failures, { name: "failures", link: "example" });
  if (data.question.length) {
    const question = section("What was asked, and with what", "question");
    const folded = add(question, "details");
    add(folded, "summary", "Experiment, params, code, launches");
    pairs(folded, data.question);
  }
  if (data.runs_in_all) {
    const settings = section("Settings", "settings");
    if (data.groups_are_cut) add(settings, "p", "Of so many settings only means and intervals are kept, the ends of these to eight digits.");
    table(settings, data.groups, { name: "settings", example: "runs < 5" });
  }
  const runs = section("Runs", "runs");
  const listed = data.runs[0].cells.length;
  if (listed < data.runs_in_all) {
    add(runs, "p", `The first ${listed} of ${data.runs_in_all} runs are listed; ${data.runs_in_all - listed} are left out.`, "doubt");
  }
  table(runs, data.runs, { name: "runs", link: "run_id" });
  const own = add(main, "section");
  own.id = "one";
  addEventListener("hashchange", () => oneRun(data, own));
  oneRun(data, own);
}

async function read() {
  if (!("DecompressionStream" in window)) throw new Error("this browser is too old to unpack the data");
  const bytes = Uint8Array.from(atob(document.getElementById("data").textContent), c => c.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(plain).text());
}

read().then(show).catch(error => add(main, "p", "The report cannot be shown: " + error.message, "doubt"));
