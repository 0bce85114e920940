// The list of rows and what it is filtered and sorted by. Foreign text is only ever set as text; no markup is made of it.
const DIRECTION = /[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/g;
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufffe\uffff]/g;
const SIGNS = { supported: "✓", contradicted: "✗", unsupported: "?", check_failed: "!", not_a_claim: "·" };
const byId = (id) => document.getElementById(id);
const clean = (text) => text.replace(DIRECTION, "").replace(CONTROL, "\ufffd");
const dense = (text) => clean(text).replace(/\n[ \t]*(?=\n)/g, "");

/** An element with attributes (a value of false or null leaves one out) and children: elements, texts, nothing. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}
const foreign = (text) => make("bdi", {}, clean(text));

// -- the compressed parts ------------------------------------------------------------------------------------------

const opened = new Map();

/** A part of the data, opened once. */
function part(name) {
  if (!opened.has(name)) opened.set(name, unpack(document.querySelector(`script[data-part="${name}"]`)));
  return opened.get(name);
}

async function unpack(element) {
  const bytes = Uint8Array.from(atob(element.textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  element.remove();
  return JSON.parse(await new Response(stream).text());
}

async function piece(kind, place) {
  const size = index.textsPerChunk;
  return (await part(`${kind}-${Math.floor(place / size)}`))[place % size];
}

// -- which rows are shown ------------------------------------------------------------------------------------------

let index, shown = [], current = -1, chosen = 0, latest = 0;
const start = { find: "", tag: "", only: "", variant: "0", against: "", sort: "", order: "worst" };
let state = { ...start };
const ONLY = {
  "": "all rows", contradicted: "with a contradicted claim", unsupported: "with an unsupported claim",
  check_failed: "with a failed check", declined: "declined or withheld", error: "without an answer",
  missing: "with a missing figure", differ: "where variants differ in outcome", labelled: "with my labels",
};

const trialOf = (row, variant) => row.t.find((trial) => trial.v === variant);

function fits(row, number) {
  const variant = Number(state.variant);
  const trials = state.only === "differ" ? row.t : [trialOf(row, variant)].filter(Boolean);
  const counted = (verdict) => trials.some((trial) => trial.c[index.verdicts.indexOf(verdict)] > 0);
  const words = state.find.toLowerCase();
  if (words && !`${row.id} ${row.q} ${row.g.join(" ")}`.toLowerCase().includes(words)) return false;
  if (state.tag && !row.g.includes(state.tag)) return false;
  switch (state.only) {
    case "": return true;
    case "declined": return trials.some((trial) => trial.o !== "answered" && trial.o !== "error");
    case "error": return trials.some((trial) => trial.o === "error");
    case "missing": return trials.some((trial) => trial.m.includes(null));
    case "differ": return new Set(trials.map((trial) => trial.o)).size > 1;
    case "labelled": return [...labels.values()].some((label) => label.row === row.id);
    default: return counted(state.only);
  }
}

/** What a row is sorted by, least first; null comes last. */
function weight(row) {
  const metric = index.metrics.findIndex((each) => each.name === state.sort);
  const value = (variant) => trialOf(row, variant)?.m[metric] ?? null;
  const mine = value(Number(state.variant));
  if (state.order === "difference") {
    const other = value(state.against === "" ? (Number(state.variant) ? 0 : 1) : Number(state.against));
    return mine === null || other === null ? null : -Math.abs(mine - other);
  }
  return mine === null ? null : index.metrics[metric].better === "lower" ? -mine : mine;
}

function select() {
  const found = index.rows.map((row, number) => [row, number]).filter(([row, number]) => fits(row, number));
  if (index.metrics.some((each) => each.name === state.sort)) {
    const weights = new Map(found.map(([row]) => [row, weight(row)]));
    found.sort(([one, at], [other, place]) => {
      const a = weights.get(one), b = weights.get(other);
      return a === b ? at - place : a === null ? 1 : b === null ? -1 : a - b;
    });
  }
  shown = found.map(([, number]) => number);
  byId("count").textContent = `${shown.length} of ${index.rows.length} rows`;
  const list = byId("list");
  list.firstElementChild.style.height = `${shown.length * height()}px`;
  list.scrollTop = 0;
  draw();
}

// -- the list: only what can be seen is there ----------------------------------------------------------------------

let rowHeight = 0;
const height = () => (rowHeight ||= parseFloat(getComputedStyle(document.documentElement).fontSize) * 5.5);

function draw() {
  const list = byId("list"), space = list.firstElementChild;
  const first = Math.max(0, Math.floor(list.scrollTop / height()) - 4);
  const last = Math.min(shown.length, first + Math.ceil(list.clientHeight / height()) + 9);
  const focused = document.activeElement?.dataset?.place;
  space.replaceChildren(...Array.from({ length: last - first }, (_, at) => item(first + at)));
  if (focused !== undefined) space.querySelector(`[data-place="${focused}"]`)?.focus({ preventScroll: true });
}

function item(place) {
  const row = index.rows[shown[place]];
  const cells = row.t.map((trial) => make("span", {}, index.variants.length > 1 ? `${index.variants[trial.v]}: ` : "", sum(trial)));
  return make("div", { role: "listitem", "aria-setsize": shown.length, "aria-posinset": place + 1 },
    make("button", {
      type: "button", class: "row", "data-place": place, style: `top:${place * height()}px`,
      "aria-current": shown[place] === current ? "true" : null, onclick: () => open(shown[place], place),
    }, make("span", { class: "q", dir: "auto" }, clean(row.q)),
    make("span", { class: "cells" }, make("span", {}, row.id), cells, row.g.map((tag) => make("span", { class: "chip" }, tag)))));
}

/** What became of a row under one variant, in a few signs. */
function sum(trial) {
  const metric = index.metrics.findIndex((each) => each.name === state.sort);
  const value = metric < 0 ? "" : ` ${figure(trial.m[metric], index.metrics[metric])}`;
  if (trial.o !== "answered") return [make("b", { class: trial.o === "error" ? "contradicted" : "not_a_claim" }, trial.o.replaceAll("_", " ")), value];
  const parts = index.verdicts.map((verdict, at) => verdict !== "not_a_claim" && trial.c[at]
    ? make("b", { class: verdict, title: index.words[verdict] }, `${SIGNS[verdict]} ${trial.c[at]} `) : null);
  return [parts, value];
}

function figure(value, metric) {
  if (value === null || value === undefined) return "–";
  if (!metric.unit && metric.low === 0 && metric.high === 1) return `${(100 * value).toFixed(1)} %`;
  const shown = Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(3));
  return `${shown}${metric.unit ? ` ${metric.unit === "seconds" ? "s" : metric.unit}` : ""}`;
}

function move(by) {
  const place = Math.min(shown.length - 1, Math.max(0, (latest ?? 0) + by));
  latest = place;
  const list = byId("list"), top = place * height();
  if (top < list.scrollTop) list.scrollTop = top;
  if (top + height() > list.scrollTop + list.clientHeight) list.scrollTop = top + height() - list.clientHeight;
  draw();
  list.querySelector(`[data-place="${place}"]`)?.focus({ preventScroll: true });
}

// -- the form above the list ---------------------------------------------------------------------------------------

function filters() {
  const option = (value, text) => make("option", { value, selected: state[option.of] === value ? "" : null }, text);
  const choice = (name, label, options) => {
    option.of = name;
    return make("label", {}, label, make("select", { name }, Object.entries(options).map(([value, text]) => option(value, text))));
  };
  const sorts = { "|worst": "as in the data set" };
  for (const metric of index.metrics) {
    if (metric.better !== "neither") sorts[`${metric.name}|worst`] = `${metric.title}, worst first`;
    if (index.variants.length > 1) sorts[`${metric.name}|difference`] = `${metric.title}, largest difference`;
  }
  const tags = [...new Set(index.rows.flatMap((row) => row.g))];
  const form = byId("filters");
  form.replaceChildren(
    make("label", { class: "find" }, "Find in questions", make("input", { type: "search", name: "find", value: state.find })),
    choice("only", "Show", ONLY),
    tags.length ? choice("tag", "Tag", { "": "any", ...Object.fromEntries(tags.map((tag) => [tag, clean(tag)])) }) : "",
    index.variants.length > 1 ? choice("variant", "Variant", Object.fromEntries(index.variants.map((name, at) => [at, name]))) : "",
    make("label", {}, "Sort", make("select", { name: "sorted" }, Object.entries(sorts).map(([value, text]) =>
      make("option", { value, selected: value === `${state.sort}|${state.order}` ? "" : null }, text)))),
    make("button", { type: "button", id: "save", disabled: "", onclick: save }, "Save 0 labels"),
  );
  form.hidden = false;
  remember();
}

function changed() {
  const given = new FormData(byId("filters"));
  for (const name of ["find", "only", "tag", "variant"]) state[name] = given.get(name) ?? start[name];
  [state.sort, state.order] = given.get("sorted").split("|");
  state.against = "";
  select();
}

/** A figure elsewhere in the page links to the rows it was computed from: #rows?variant=1&sort=groundedness. */
function arrived() {
  const [place, given] = location.hash.split("?");
  if (place !== "#rows" || given === undefined) return;
  state = { ...start, ...Object.fromEntries([...new URLSearchParams(given)].filter(([name]) => name in start)) };
  filters();
  select();
  byId("rows").classList.remove("opened");
  byId("rows").scrollIntoView();
  byId("list").focus({ preventScroll: true });
}

async function begin() {
  index = await part("index");
  recall();
  filters();
  const list = byId("list");
  list.append(make("div", { class: "spacer" }));
  list.hidden = false;
  byId("filters").addEventListener("input", changed);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  let waiting = false;
  list.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  }, { passive: true });
  list.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 7, PageUp: -7, Home: -1e9, End: 1e9 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    move(steps[event.key]);
  });
  byId("detail").addEventListener("keydown", (event) => { if (event.key === "Escape") back(); });
  addEventListener("hashchange", arrived);
  select();
  arrived();
  const asked = new URLSearchParams(location.hash.split("?")[1] ?? "").get("row");
  const first = index.rows.findIndex((row) => row.id === asked);
  if (first >= 0) await open(first);
  else if (shown.length && matchMedia("(min-width: 52rem)").matches) { await open(shown[0], 0); document.activeElement?.blur(); }
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}

begin().catch((error) => { byId("count").textContent = `The rows cannot be shown: ${error.message}`; });
