// Drives the page of an experiment as a person would, and leaves what came of each step in the document.
(async () => {
  const log = [];
  const id = (name) => document.getElementById(name);
  const wait = (time) => new Promise((done) => setTimeout(done, time));
  // Parts of the page are unpacked in the background, which a busy machine does later.
  const until = async (holds) => { for (let turn = 0; turn < 100 && !holds(); turn++) await wait(50); };
  const filters = id("filters"), list = id("list"), detail = id("detail");
  const choose = (name, value) => {
    filters.querySelector(`[name=${name}]`).value = value;
    filters.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const press = (element, key) => element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));

  await until(() => document.documentElement.dataset.ready && list.querySelector(".row"));
  choose("only", "contradicted");
  log.push(`contradicted: ${id("count").textContent}`);
  choose("only", "");
  choose("find", "express");
  log.push(`found: ${id("count").textContent}`);
  choose("find", "");
  press(list, "ArrowDown");
  press(list, "End");
  await wait(200); // the list draws what it has scrolled to
  await until(() => document.activeElement.dataset.place);
  log.push(`focused: ${document.activeElement.dataset.place}, drawn: ${list.querySelectorAll(".row").length}`);
  choose("only", "contradicted");
  await until(() => list.querySelector(".row"));
  list.querySelector(".row").click();
  await until(() => detail.querySelector(".label-form select"));
  const label = detail.querySelector(".label-form select");
  label.value = "supported";
  label.dispatchEvent(new Event("change", { bubbles: true }));
  log.push(id("save").textContent);
  const before = detail.querySelector(".tabs [aria-pressed=true]")?.textContent;
  detail.querySelectorAll(".tabs button")[1].click();
  await until(() => detail.querySelector(".tabs [aria-pressed=true]")?.textContent !== before && detail.querySelector("details.message"));
  log.push(`shown: ${detail.querySelector(".tabs [aria-pressed=true]").textContent}`);
  // What a screen reader says: every control has a name, the row is named by its question, rows of figures have heads.
  const name = (each) => each.getAttribute("aria-label") || each.closest("label")?.textContent || each.title || each.textContent;
  const controls = [...document.querySelectorAll("a, button, input, select, summary, [tabindex='0']")].filter((each) => each.checkVisibility());
  const named = (each) => name(each).trim() || document.getElementById(each.getAttribute("aria-labelledby"))?.textContent;
  log.push(`named: ${controls.length > 20 && controls.every(named)}`);
  log.push(`focus: ${document.activeElement.textContent}`);
  log.push(`row named: ${id(detail.getAttribute("aria-labelledby")) === detail.querySelector("h3")}, heads: ${detail.querySelectorAll(".values th[scope=row]").length}`);
  const prompt = detail.querySelector("details.message");
  prompt.open = true;
  await until(() => prompt.querySelector("pre"));
  log.push(`messages: ${prompt.querySelectorAll("pre").length}`);
  press(detail, "Escape");
  log.push(`back to: ${document.activeElement.className}`);
  choose("only", "labelled");
  log.push(`labelled: ${id("count").textContent}`);
  location.hash = "#rows?variant=1&sort=groundedness&tag=delivery";
  await until(() => filters.querySelector("[name=tag]").value === "delivery");
  log.push(`linked: ${filters.querySelector("[name=tag]").value} ${filters.querySelector("[name=variant]").value}`);
  document.body.dataset.log = log.join("; ");
})();
