// One row, down to the words that decided, and what a person says of a claim. Shares its scope with evaluation.js.
// -- one row -------------------------------------------------------------------------------------------------------

async function open(number, place = shown.indexOf(number)) {
  current = number;
  latest = place;
  const row = index.rows[number];
  const wanted = row.t.findIndex((trial) => trial.v === Number(state.variant));
  if (!row.t[chosen]) chosen = 0;
  if (wanted >= 0) chosen = wanted;
  byId("rows").classList.add("opened");
  draw();
  await show(true);
}

async function show(focus = false) {
  const number = current, row = index.rows[number], size = index.rowsPerChunk;
  const trials = (await part(`rows-${Math.floor(number / size)}`))[number % size];
  const detail = byId("detail"), trial = trials[chosen];
  const tabs = row.t.length < 2 ? null : make("div", { class: "tabs", role: "group", "aria-label": "Variant" },
    row.t.map((each, at) => make("button", {
      type: "button", "aria-pressed": at === chosen ? "true" : "false",
      onclick: async () => { chosen = at; await show(); byId("detail").querySelector(".tabs [aria-pressed=true]")?.focus(); },
    }, index.variants[each.v])));
  const content = [
    make("button", { type: "button", class: "back", onclick: back }, "← Back to the rows"),
    make("h3", { id: "asked", dir: "auto" }, clean(row.q)),
    make("p", { class: "soft" }, foreign(row.id), row.g.map((tag) => [" ", make("span", { class: "chip" }, tag)])),
    tabs,
    ...(trial ? await told(row, row.t[chosen], trial) : ["There is nothing to show."]),
  ];
  if (number !== current) return;
  detail.replaceChildren(...content.filter(Boolean));
  detail.hidden = false;
  detail.scrollTop = 0;
  if (focus) detail.focus({ preventScroll: matchMedia("(min-width: 52rem)").matches });
}

function back() {
  byId("rows").classList.remove("opened");
  draw();
  byId("list").querySelector(`[data-place="${latest}"]`)?.focus();
}

async function told(row, summed, trial) {
  const found = [];
  if (trial.problem) {
    const [error, message, fix] = trial.problem;
    found.push(make("div", { class: "note problem" }, make("b", {}, "No answer. "), foreign(`${error}: ${message} ${fix}`)));
  }
  if (trial.headline) found.push(make("p", {}, make("b", {}, trial.headline)));
  if (trial.changed) found.push(make("p", { class: "note" }, trial.changed));
  if (trial.answer) found.push(make("h4", {}, "Answer"), await answer(row, summed, trial, trial.answer, true));
  if (trial.written) found.push(make("h4", {}, "The answer as it was written"), await answer(row, summed, trial, trial.written, false));
  for (const note of [...(trial.notes ?? []), ...(trial.warnings ?? [])]) found.push(make("p", { class: "note" }, foreign(note)));
  found.push(make("h4", {}, "Figures"), values(trial));
  found.push(...await sources(trial));
  if (trial.messages.length) found.push(await prompt(trial));
  if (trial.facts) found.push(make("h4", {}, "Facts"), make("dl", { class: "facts" },
    trial.facts.map(([name, value]) => [make("dt", {}, name), make("dd", {}, foreign(value))])));
  return found;
}

async function answer(row, summed, trial, report, may) {
  const shown = make("div", { class: "answer", dir: "auto" });
  for (const [text, number] of report.pieces) {
    if (number === null) shown.append(foreign(text));
    else shown.append(await claim(row, summed, trial, text, report.claims[number], number, may));
  }
  if (report.stray?.length) shown.append(make("p", { class: "soft" }, "Markers outside the claims: ", cited(report.stray)));
  return shown;
}

async function claim(row, summed, trial, text, said, number, may) {
  const tag = `${SIGNS[said.verdict]} ${said.words}`;
  const body = make("div", { class: "why" });
  const fill = async () => {
    if (body.firstChild) return;
    const evidence = await Promise.all((said.evidence ?? []).map((each) => quote(trial, each)));
    body.append(
      make("p", {}, make("b", {}, tag), said.why ? [": ", foreign(said.why)] : ""),
      ...(said.parts ? [make("ul", {}, said.parts.map(([verdict, part, why]) => make("li", { class: verdict },
        make("b", {}, `${SIGNS[verdict]} ${index.words[verdict]}`), ": ", foreign(part), why ? [" – ", foreign(why)] : "")))] : []),
      ...evidence,
      ...(said.citations ? [make("p", {}, "Markers: ", cited(said.citations))] : []),
      make("p", { class: "soft" }, [`claim ${number + 1}`, said.facts].filter(Boolean).join(" · ")),
      ...(said.reviews ?? []).map((review) => make("p", { class: "soft" }, foreign(review))),
      ...(may ? [form(row, summed, text, said, number)] : []),
    );
  };
  const details = make("details", { class: `claim ${said.verdict}`, ontoggle: () => { if (details.open) fill(); } },
    make("summary", {}, make("span", { class: "said" }, foreign(text)), " ", make("span", { class: "tag" }, tag)), body);
  if (said.verdict !== "supported" && said.verdict !== "not_a_claim") {
    await fill();
    details.open = true;
  }
  return details;
}

async function quote(trial, each) {
  const tone = each.relation === "supports" ? "supported" : "contradicted";
  let before = "", text = each.text ?? "", after = "", where = each.place ?? "", link = null;
  if (each.passage !== undefined) {
    const [whole, place, uri] = await piece("passages", each.passage);
    before = whole.slice(Math.max(0, each.start - 200), each.start);
    text = whole.slice(each.start, each.end);
    after = whole.slice(each.end, each.end + 200);
    if (each.start > 200) before = `…${before}`;
    if (each.end + 200 < whole.length) after = `${after}…`;
    where = `${place} · source ${each.number}`;
    link = uri ? make("a", { href: uri, rel: "noreferrer noopener" }, clean(place)) : null;
  }
  return make("figure", { class: `evidence ${tone}` },
    make("blockquote", { dir: "auto" }, make("span", {}, dense(before)), make("mark", {}, dense(text)), make("span", {}, dense(after))),
    make("figcaption", {}, make("b", {}, `${SIGNS[tone]} ${each.relation}`), ": ", link ?? foreign(where), each.standing ? [" · ", foreign(each.standing)] : ""));
}

const cited = (markers) => markers.map(([marker, status, title], at) =>
  [at ? "; " : "", foreign(marker), ` ${status}`, title ? [" · ", foreign(title)] : ""]);

function values(trial) {
  return make("div", { class: "scroll", role: "region", "aria-label": "Figures of this answer", tabindex: "0" },
    make("table", { class: "values" }, make("tbody", {}, trial.values.map((each, at) => {
      const metric = index.metrics[at];
      if (!each) return null;
      const counted = each.of !== undefined ? ` (${Number(each.count.toPrecision(4))} of ${each.of})` : "";
      const value = each.status === "measured" ? figure(each.value, metric) + counted : each.status.replace("_", " ");
      const by = [each.by ? `judged by ${each.by}` : "", each.agreement !== undefined ? `agreement ${Math.round(100 * each.agreement)} %` : ""].filter(Boolean).join(", ");
      return make("tr", {}, make("th", { scope: "row" }, metric.title), make("td", { class: each.status === "measured" ? "" : each.status === "failed" ? "failed" : "none" }, value),
        make("td", {}, foreign(each.reason ?? ""), by ? make("span", { class: "soft" }, ` ${clean(by)}`) : ""));
    }))));
}

async function sources(trial) {
  if (!trial.passages.length && !trial.retrieved.length) return [];
  const listed = async (place, number, score) => {
    const [text, title, uri] = await piece("passages", place);
    return make("details", { class: "passage" }, make("summary", {}, number ? `[${number}] ` : "", foreign(title || `passage ${place + 1}`),
      score === null || score === undefined ? "" : make("span", { class: "soft" }, ` score ${Number(score.toPrecision(3))}`)),
    make("p", { dir: "auto" }, clean(text)), uri ? make("a", { href: uri, rel: "noreferrer noopener" }, clean(uri)) : "");
  };
  const used = await Promise.all(trial.passages.map((place, at) => listed(place, at + 1, trial.scores[at])));
  const rest = trial.retrieved.filter((place) => !trial.passages.includes(place));
  const left = await Promise.all(rest.map((place) => listed(place, 0, null)));
  return [make("h4", {}, "Passages"), ...used, ...(left.length ? [make("h4", {}, "Found, and left out of the prompt"), ...left] : [])];
}

async function prompt(trial) {
  const text = async (place) => (place >= 0 ? (await piece("passages", place))[0] : piece("texts", -place - 1));
  const body = make("div", {});
  return make("details", {
    class: "message", ontoggle: async () => {
      if (body.firstChild) return;
      for (const [role, pieces] of trial.messages) {
        const content = (await Promise.all(pieces.map(text))).join("");
        body.append(make("p", { class: "soft" }, role), make("pre", { dir: "auto", tabindex: "0" }, clean(content)));
      }
    },
  }, make("summary", {}, make("b", {}, "Prompt as sent")), body);
}

// -- labels: what a person says of a claim -------------------------------------------------------------------------

const labels = new Map();
let reviewer = "";

function form(row, summed, text, said, number) {
  const variant = index.variants[summed.v], key = JSON.stringify([row.id, variant, number]);
  const known = labels.get(key);
  const verdict = make("select", { "aria-label": "The right verdict" }, make("option", { value: "" }, "not labelled"),
    ["supported", "contradicted", "unsupported", "not_a_claim"].map((each) => make("option", { value: each, selected: known?.label === each ? "" : null }, index.words[each])));
  const reason = make("input", { placeholder: "Why", "aria-label": "Why", value: known?.reason ?? "" });
  const keep = () => {
    if (!verdict.value) labels.delete(key);
    else labels.set(key, { row: row.id, variant, claim: number + 1, text: clean(text), label: verdict.value, reason: reason.value, at: new Date().toISOString() });
    remember();
  };
  verdict.addEventListener("change", keep);
  reason.addEventListener("change", keep);
  return make("div", { class: "label-form" }, make("span", {}, "You say:"), verdict, reason);
}

function remember() {
  const button = byId("save");
  button.textContent = `Save ${labels.size} label${labels.size === 1 ? "" : "s"}`;
  button.disabled = !labels.size;
  try { localStorage.setItem(store, JSON.stringify([...labels])); } catch { /* a page opened from a file may not keep anything */ }
}

let store = "";

function recall() {
  store = `grounded:${index.dataset}:${index.name}`;
  try { for (const [key, label] of JSON.parse(localStorage.getItem(store) ?? "[]")) labels.set(key, label); } catch { /* as above */ }
}

function save() {
  reviewer = (prompted() ?? "").trim();
  if (!reviewer) return;
  const lines = [...labels.values()].map((label) => JSON.stringify({ experiment: index.name, dataset: index.dataset, ...label, by: reviewer }));
  const link = make("a", { href: URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "application/jsonl" })), download: "labels.jsonl" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
const prompted = () => window.prompt("Your name, to stand beside the labels:", reviewer);
