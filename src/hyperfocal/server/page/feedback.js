// Thumbs up or down for one result, with reasons; the photograph goes along only with consent.

import { explain } from "./problems.js";

export class Feedback {
  #item = null;
  #shown = null;
  #drafts = new WeakMap(); // by photograph: { job, verdict, reasons, comment, keep, isSending, judged, said }

  constructor(root, api) {
    const find = (selector) => root.querySelector(selector);
    Object.assign(this, {
      root,
      api,
      more: find("#feedback-more"),
      reasons: find("#reasons"),
      said: find("#feedback-said"),
      send: find("[type=submit]"),
      thumbs: [...root.querySelectorAll(".thumb")],
    });
    for (const thumb of this.thumbs) thumb.addEventListener("click", () => this.#choose(thumb.dataset.verdict));
    root.addEventListener("input", () => this.#note());
    root.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(this.#item, this.#draft(this.#item));
    });
  }

  /** Asks about this photograph, with what was said of this result before. */
  show(item) {
    this.#item = item;
    const draft = this.#draft(item);
    if (draft === this.#shown) return;
    this.#shown = draft;
    this.#fill(draft);
    this.#draw(draft);
  }

  #draft(item) {
    const held = this.#drafts.get(item);
    // Restored again it is another result.
    if (held?.job === item.job.id) return held;
    const draft = { job: item.job.id, verdict: null, reasons: [], comment: "", keep: false, isSending: false, judged: false, said: "" };
    this.#drafts.set(item, draft);
    return draft;
  }

  #fill({ reasons, comment, keep }) {
    const { elements } = this.root;
    for (const box of this.reasons.querySelectorAll("input")) box.checked = reasons.includes(box.value);
    elements.comment.value = comment;
    elements.keep_picture.checked = keep;
  }

  #note() {
    const { comment, keep_picture } = this.root.elements;
    const reasons = [...this.reasons.querySelectorAll(":checked")].map((box) => box.value);
    Object.assign(this.#draft(this.#item), { reasons, comment: comment.value, keep: keep_picture.checked });
  }

  // What was said of a photograph that is out of sight by now is there when it is looked at again.
  #draw(draft) {
    if (draft !== this.#shown) return;
    const { verdict, isSending, judged, said } = draft;
    for (const thumb of this.thumbs) {
      thumb.setAttribute("aria-pressed", String(thumb.dataset.verdict === verdict));
      thumb.disabled = judged || isSending;
    }
    this.reasons.hidden = verdict === "up";
    this.more.hidden = judged || !verdict;
    this.more.inert = isSending;
    this.send.disabled = isSending;
    if (this.said.textContent !== said) this.said.textContent = said;
  }

  #choose(verdict) {
    const draft = this.#draft(this.#item);
    Object.assign(draft, { verdict, said: "" });
    this.#draw(draft);
  }

  async #submit(item, draft) {
    const { verdict, reasons, comment, keep } = draft;
    const answer = {
      request_id: item.job.request_id,
      verdict,
      reasons: verdict === "down" ? reasons : [],
      comment: comment.trim(),
      keep_picture: keep,
    };
    Object.assign(draft, { isSending: true, said: "Sending …" });
    this.#draw(draft);
    this.api.askAgain();
    // The button that was pressed cannot keep the focus now.
    this.said.focus();
    try {
      await this.api.request("v1/feedback", ...message(answer, item.file));
      Object.assign(draft, { judged: true, said: "Thank you." });
    } catch (problem) {
      const { title, text } = explain(problem);
      draft.said = `${title}. ${text}`;
    }
    draft.isSending = false;
    this.#draw(draft);
    if (draft === this.#shown && !draft.judged && document.activeElement === this.said) this.send.focus();
  }
}

// A body, and what is said along with it.
function message(answer, file) {
  if (!answer.keep_picture) return [JSON.stringify(answer), { headers: { "Content-Type": "application/json" } }];
  const fields = new FormData();
  // Of a list, its parts with commas between, as the service wants reasons.
  for (const [name, value] of Object.entries(answer)) fields.append(name, String(value));
  fields.append("picture", file, file.name);
  return [fields];
}
