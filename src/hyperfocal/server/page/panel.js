// One photograph at a time, large: what it is, what is being done with it, what became of it.

import { drawFacts } from "./facts.js";
import { Feedback } from "./feedback.js";
import { preview, release, show } from "./picture.js";
import { explain, isHopeless } from "./problems.js";
import { isBusy } from "./queue.js";
import { EARLIER, showProgress, stateText } from "./states.js";
import { Viewer } from "./viewer.js";
import { bytes, fidelity, megapixels, resultName, seconds } from "./words.js";

const PREVIEWED = "This browser cannot show the format; what you see was made by the service to be looked at.";
const UNSEEN = "This browser cannot show it. If it is a photograph, the service may restore it all the same.";

export class Panel {
  #item = null;
  #shown = {}; // what the viewer shows: { item, blob, before, after, link }

  /** onRedo: called with a photograph to restore with the options of the moment. */
  constructor({ root, api, queue, onRedo }) {
    const find = (id) => document.getElementById(id);
    Object.assign(this, {
      root,
      api,
      queue,
      find,
      title: find("panel-title"),
      viewer: new Viewer(find("viewer")),
      feedback: new Feedback(find("feedback"), api),
    });
    find("panel-cancel").addEventListener("click", () => this.queue.stop(this.#item));
    find("go-on").addEventListener("click", () => this.#answer(true));
    find("leave-out").addEventListener("click", () => this.#answer(false));
    find("download").addEventListener("click", () => (this.#item.saved = this.#item.blob));
    find("redo").addEventListener("click", () => onRedo(this.#item));
    find("again").addEventListener("click", () => {
      if (!isHopeless(this.#item.problem)) return onRedo(this.#item);
      queue.remove(this.#item);
      (this.#item ? this.title : find("files")).focus();
    });
    queue.addEventListener("change", (event) => {
      if (event.detail === this.#item) this.#draw();
    });
  }

  /** Shows a photograph, or nothing (null). */
  show(item) {
    this.#item = item;
    this.root.hidden = !item;
    if (item) return this.#draw();
    this.#release();
    this.viewer.show({});
  }

  #answer(yes) {
    this.#item.answer?.(yes);
    this.title.focus();
  }

  #draw() {
    const item = this.#item;
    const { find } = this;
    const focused = document.activeElement;
    // Of a very long name only the beginning is seen.
    if (this.title.textContent !== item.name) this.title.title = this.title.textContent = item.name;
    const asking = item.state === "asking";
    const trouble = isOver(item) || Boolean(item.setback);
    const text = trouble ? "" : [stateText(item), fidelityText(item)].filter(Boolean).join(", ");
    const state = find("panel-state");
    if (state.textContent !== text) state.textContent = text;
    find("working").hidden = !isBusy(item) || asking;
    find("panel-cancel").disabled = item.state === "stopping";
    showProgress(find("panel-progress"), item);
    find("question").hidden = !asking;
    if (asking) find("question-text").textContent = question(item.estimate);
    find("trouble").hidden = !trouble;
    if (trouble) this.#drawTrouble(item);
    find("done").hidden = item.state !== "done";
    if (item.state === "done") this.#drawResult(item);
    this.#drawPictures(item);
    this.#drawViewer();
    // What had the focus may just have gone; the title is the nearest place that stays.
    if (focused !== document.body && this.root.contains(focused) && !focused.checkVisibility()) this.title.focus();
  }

  #drawTrouble(item) {
    const { problem } = item.setback ?? item;
    const { title, text, request } = problem
      ? explain(problem)
      : { title: "Stopped", text: item.setback ? "" : "Nothing is kept on the service.", request: "" };
    // Stopping is nobody's mistake.
    this.find("trouble").classList.toggle("calm", !problem);
    this.find("trouble-title").textContent = title;
    this.find("trouble-text").textContent = [text, item.setback && EARLIER].filter(Boolean).join(" ");
    this.find("trouble-request").textContent = request ? `Request ${request}` : "";
    this.find("trouble-request").hidden = !request;
    this.find("again").textContent = isHopeless(item.problem) ? "Remove" : problem ? "Try again" : "Start again";
    // With an earlier result there is something to stay for.
    this.find("again").hidden = isHopeless(item.setback?.problem);
  }

  #drawResult(item) {
    drawFacts(this.find("facts"), item);
    const notes = (item.result.notes ?? []).map((note) => {
      const line = document.createElement("li");
      line.textContent = note;
      return line;
    });
    this.find("notes").replaceChildren(...notes);
    this.find("notes").hidden = !notes.length;
    this.feedback.show(item);
  }

  // Pictures are decoded for the photograph in view only: results are large.
  async #drawPictures(item) {
    const blob = item.state === "done" ? item.blob : null;
    if (this.#shown.item === item && this.#shown.blob === blob) return;
    // The same photograph keeps its before, and the stage shows it until the after is there.
    const kept = this.#shown.item === item ? this.#shown.before : null;
    if (kept) this.#shown.before = null;
    this.#release();
    if (!kept) this.viewer.show({});
    this.viewer.note("");
    const shown = (this.#shown = { item, blob, before: kept });
    if (blob) {
      shown.link = URL.createObjectURL(blob);
      const link = this.find("download");
      link.href = shown.link;
      link.download = resultName(item.name, item.result, item.options);
    }
    const alone = !blob;
    let [before, after] = await Promise.all([kept ?? show(item.file), blob && show(blob)]);
    let note = "";
    if (this.#shown === shown && blob && !(before && after)) {
      this.viewer.note("The service is making a picture that this browser can show …");
      try {
        before ??= await preview(this.api, item.file, item.name, item.removal.signal);
        after ??= await preview(this.api, blob, this.find("download").download, item.removal.signal);
        note = before && after ? PREVIEWED : "This browser cannot show the format. The download is complete.";
      } catch (problem) {
        note = `This browser cannot show the format, and the service could not help: ${explain(problem).title.toLowerCase()}. The download is complete.`;
      }
    } else if (alone && !before) note = item.file.size ? UNSEEN : "The file is empty: choose another copy.";
    if (this.#shown !== shown) {
      // Another photograph was chosen meanwhile.
      release(before);
      release(after);
      return;
    }
    Object.assign(shown, { before, after, loaded: true });
    if (before) before.alt = blob ? `Before: ${item.name}, enlarged by the browser` : item.name;
    if (after) after.alt = `After: ${item.name}, restored`;
    const only = before ?? after;
    const size = item.result && blob ? item.result : only && { width: only.naturalWidth, height: only.naturalHeight };
    this.viewer.show({ before, after, size });
    this.viewer.note(note);
    this.#drawViewer();
  }

  // No empty stage below an error.
  #drawViewer() {
    const { item, loaded, before } = this.#shown;
    this.find("viewer").hidden = item === this.#item && loaded && !before && isOver(item);
  }

  #release() {
    const { before, after, link } = this.#shown;
    release(before);
    release(after);
    if (link) URL.revokeObjectURL(link);
    this.#shown = {};
  }
}

const isOver = (item) => item.state === "failed" || item.state === "stopped";

// The figure that matters most, where it is seen without scrolling.
function fidelityText(item) {
  const decibels = item.state === "done" ? item.result.consistency_db : null;
  if (typeof decibels !== "number") return "";
  const { title, figure } = fidelity(decibels);
  return `${title.toLowerCase()} (${figure})`;
}

function question({ output_width, output_height, seconds: time, memory_bytes }) {
  const large = output_width ? megapixels(output_width, output_height) : "";
  const size = large && ` of ${large}`;
  const memory = memory_bytes ? ` and ${bytes(memory_bytes)} of the service's memory` : "";
  return `This is a large one: the result${size} takes about ${seconds(time)}${memory}. Continue?`;
}
