// Drives the page of an experiment as a person would, and leaves what came of each step in the document.
setTimeout(async () => {
  const log = [];
  const id = (name) => document.getElementById(name);
  const wait = (time) => new Promise((done) => setTimeout(done, time));
  const filters = id("filters"), list = id("list"), detail = id("detail");
  const choose = (name, value) => {
    filters.querySelector(`[name=${name}]`).value = value;
    filters.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const press = (element, key) => element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));

  choose("only", "contradicted");
  log.push(`contradicted: ${id("count").textContent}`);
  choose("only", "");
  choose("find", "express");
  log.push(`found: ${id("count").textContent}`);
  choose("find", "");
  press(list, "ArrowDown");
  press(list, "End");
  await wait(200);
  log.push(`focused: ${document.activeElement.dataset.place}, drawn: ${list.querySelectorAll(".row").length}`);
  choose("only", "contradicted");
  list.querySelector(".row").click();
  await wait(400);
  const label = detail.querySelector(".label-form select");
  label.value = "supported";
  label.dispatchEvent(new Event("change", { bubbles: true }));
  log.push(id("save").textContent);
  detail.querySelectorAll(".tabs button")[1].click();
  await wait(300);
  log.push(`shown: ${detail.querySelector(".tabs [aria-pressed=true]").textContent}`);
  const prompt = detail.querySelector("details.message");
  prompt.open = true;
  await wait(300);
  log.push(`messages: ${prompt.querySelectorAll("pre").length}`);
  press(detail, "Escape");
  log.push(`back to: ${document.activeElement.className}`);
  choose("only", "labelled");
  log.push(`labelled: ${id("count").textContent}`);
  location.hash = "#rows?variant=1&sort=groundedness&tag=delivery";
  await wait(300);
  log.push(`linked: ${filters.querySelector("[name=tag]").value} ${filters.querySelector("[name=variant]").value}`);
  document.body.dataset.log = log.join("; ");
}, 1500);
