// The list of photographs and what can be done with each.

import { drawBlank, drawThumbnail, release, show } from "./picture.js";
import { isBusy } from "./queue.js";
import { showProgress, stateText } from "./states.js";
import { turns } from "./turns.js";

/** A photograph is decoded whole for its thumbnail, and a folder has hundreds. */
const DECODED_AT_ONCE = 2;

export class List {
  #rows = new Map();
  #inTurn = turns(DECODED_AT_ONCE);

  /** onSelect: called with a photograph to show, or null when there is none left. */
  constructor({ queue, section, template, onSelect }) {
    Object.assign(this, { queue, section, template, onSelect, selected: null });
    this.items = section.querySelector("ul");
    queue.addEventListener("list", () => this.#arrange());
    queue.addEventListener("change", (event) => this.#draw(event.detail));
  }

  select(item) {
    this.selected = item;
    for (const [other, row] of this.#rows) {
      if (other === item) row.open.setAttribute("aria-current", "true");
      else row.open.removeAttribute("aria-current");
    }
    this.onSelect(item);
  }

  #arrange() {
    const { items } = this.queue;
    for (const [item, row] of this.#rows) {
      if (items.includes(item)) continue;
      row.element.remove();
      this.#rows.delete(item);
    }
    for (const item of items) {
      if (!this.#rows.has(item)) this.#add(item);
    }
    this.section.hidden = !items.length;
    if (!items.includes(this.selected)) this.select(items.at(-1) ?? null);
  }

  #add(item) {
    const element = this.template.content.firstElementChild.cloneNode(true);
    const find = (name) => element.querySelector(name);
    const row = {
      element,
      open: find(".item-open"),
      state: find(".item-state"),
      stop: find(".item-stop"),
      bar: find("progress"),
    };
    find(".item-name").textContent = item.name;
    row.bar.setAttribute("aria-label", `Progress of ${item.name}`);
    row.open.addEventListener("click", () => this.select(item));
    row.stop.addEventListener("click", () => this.#stop(item));
    this.#rows.set(item, row);
    this.items.append(element);
    this.#draw(item);
    this.#inTurn(() => this.#look(item, find("canvas")));
  }

  // The size and the thumbnail, where the browser can read the format.
  async #look(item, canvas) {
    if (!this.#rows.has(item)) return; // removed meanwhile
    const picture = await show(item.file);
    if (!picture) return drawBlank(canvas);
    drawThumbnail(canvas, picture);
    const size = { width: picture.naturalWidth, height: picture.naturalHeight };
    release(picture);
    this.queue.update(item, { size });
  }

  #stop(item) {
    if (isBusy(item)) return this.queue.stop(item);
    // The focus must not fall back to the top of the page with the button.
    const row = this.#rows.get(item).element;
    const next = row.nextElementSibling ?? row.previousElementSibling;
    this.queue.remove(item);
    (next?.querySelector(".item-open") ?? document.getElementById("files")).focus();
  }

  #draw(item) {
    const row = this.#rows.get(item);
    if (!row) return;
    const busy = isBusy(item);
    row.element.dataset.state = item.state;
    const text = stateText(item);
    if (row.state.textContent !== text) row.state.textContent = text;
    const stop = `${busy ? "Cancel" : "Remove"} ${item.name}`;
    row.stop.setAttribute("aria-label", stop);
    row.stop.title = busy ? "Cancel" : "Remove";
    row.stop.disabled = item.state === "stopping";
    showProgress(row.bar, item);
  }
}
