// The page: what is on it, and who tells whom.

import { Api, pause } from "./api.js";
import { intake } from "./intake.js";
import { keyDialog } from "./key.js";
import { List } from "./list.js";
import { Options } from "./options.js";
import { Panel } from "./panel.js";
import { explain } from "./problems.js";
import { isBusy, isUnsaved, Queue } from "./queue.js";
import { cancel } from "./restore.js";
import { EARLIER } from "./states.js";
import { fidelity, noPhotographs, photographs, resultName } from "./words.js";

const find = (id) => document.getElementById(id);
/** So many results are saved at once, and then none for so many milliseconds. */
const SAVED_AT_ONCE = 5;
const SAVING = 1500;
const NARROW = matchMedia("(max-width: 59.99rem)");

const api = new Api(keyDialog(find("key-dialog")));
const queue = new Queue(api);
const options = new Options(find("options"), startAll);
const panel = new Panel({ root: find("panel"), api, queue, onRedo: startOne });
const list = new List({ queue, section: find("list"), template: find("item"), onSelect: (item) => panel.show(item) });

const waiting = () => queue.items.filter((item) => item.state === "ready");
const finished = () => queue.items.filter((item) => item.state === "done");

function startAll() {
  const items = waiting();
  if (!items.length) return;
  queue.start(items, options.values);
  list.select(items[0]);
  say(`Restoring ${photographs(items.length)}.`);
  toPanel();
}

function startOne(item) {
  if (!find("options").reportValidity()) return;
  queue.start([item], options.values);
  find("panel-title").focus();
}

// Below one another, the result would be out of sight.
function toPanel() {
  find("panel-title").focus({ preventScroll: !NARROW.matches });
  if (NARROW.matches) find("panel").scrollIntoView({ block: "start" });
}

function say(text, id = "said") {
  find(id).textContent = text;
}

intake(find("files"), (files, leftOut) => {
  say(leftOut ? noPhotographs(leftOut) : "", "left-out");
  if (!files.length) return;
  const added = queue.add(files);
  list.select(added[0]);
  say(`${photographs(added.length)} added.`);
  find("start").focus({ preventScroll: NARROW.matches });
});

// The row of a photograph was pressed: on a narrow page its panel lies further down.
find("items").addEventListener("click", (event) => {
  if (NARROW.matches && event.target.closest(".item-open")) toPanel();
});

const told = new Map();
queue.addEventListener("change", ({ detail: item }) => {
  drawButtons();
  const before = told.get(item);
  if (before === item.state) return;
  told.set(item, item.state);
  if (item.setback) {
    const { problem } = item.setback;
    const { title, text } = problem ? explain(problem) : { title: "Stopped", text: "" };
    say(`${item.name}: ${[`${title}.`, text, EARLIER].filter(Boolean).join(" ")}`, problem ? "alarm" : "said");
  } else if (item.state === "done") {
    listModels(); // The service may not have been there before.
    const decibels = item.result.consistency_db;
    const title = typeof decibels === "number" ? fidelity(decibels).title : "";
    say(`${item.name} is restored${title ? `, ${title.toLowerCase()} to the original` : ""}.`);
  } else if (item.state === "ready" && before) say(`Not started: ${photographs(waiting().length)}.`);
  else if (item.state === "stopped") say(`${item.name} was stopped.`);
  else if (item.state === "asking") say(`${item.name} is large; a question is waiting.`);
  else if (item.state === "failed") {
    const { title, text } = explain(item.problem);
    say(`${item.name}: ${title}. ${text}`, "alarm");
  }
});
queue.addEventListener("list", () => {
  for (const item of told.keys()) if (!queue.items.includes(item)) told.delete(item);
  drawButtons();
});

function drawButtons() {
  find("main").dataset.state = queue.items.length ? "work" : "empty";
  const count = waiting().length;
  find("start").disabled = !count;
  find("start").textContent = count ? `Restore ${photographs(count)}` : "Restore";
  find("download-all").hidden = finished().length < 2;
  find("clear").hidden = queue.items.length < 2 || !queue.items.some((item) => ["done", "failed", "stopped"].includes(item.state));
  const busy = queue.items.filter(isBusy).length;
  document.title = busy ? `(${busy}) Hyperfocal` : "Hyperfocal";
}

find("download-all").addEventListener("click", async () => {
  // As they are now: during a pause one may be removed, or restored again.
  const results = finished().map((item) => ({ item, blob: item.blob, name: resultName(item.name, item.result, item.options) }));
  for (const [index, { item, blob, name }] of results.entries()) {
    // Browsers drop what a page saves beyond ten at once, and say nothing.
    if (index && index % SAVED_AT_ONCE === 0) await pause(SAVING);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    item.saved = blob;
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
});

find("clear").addEventListener("click", () => {
  for (const item of queue.items.filter((other) => !isBusy(other) && other.state !== "ready")) queue.remove(item);
  (find("items").querySelector(".item-open") ?? find("files")).focus();
});

api.onKey = (held) => {
  find("forget-key").hidden = !held;
  if (held) listModels();
};
find("forget-key").addEventListener("click", () => {
  api.key = null;
  say("The key is forgotten.");
  find("theme").focus();
});

// Leaving asks first where it would cost something: a result that is nowhere but on this page, or
// work that is going on, which is then stopped at the service.
addEventListener("beforeunload", (event) => {
  if (queue.items.some((item) => isBusy(item) || isUnsaved(item))) event.preventDefault();
});
addEventListener("pagehide", (event) => {
  if (event.persisted) return;
  for (const item of queue.items) {
    if (isBusy(item) && item.job) cancel(api, item.job.id).catch(() => {});
  }
});

let isListed = false;

async function listModels() {
  if (isListed) return;
  try {
    const models = await api.json("v1/models");
    if (!isListed) options.setModels(models);
    isListed = true;
  } catch {
    // Without the list there is the automatic choice; whatever is wrong will show when it matters.
  }
}

find("forget-key").hidden = !api.key;
listModels();
