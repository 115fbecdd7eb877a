// Thumbs up or down for one result, with reasons; the photograph goes along only with consent.

import { explain } from "./problems.js";

export class Feedback {
  #item = null;

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
    root.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /** Asks about this photograph. */
  show(item) {
    // Restored again it is another result.
    if (item === this.#item && item.job.id === this.job && item.judged === this.judged) return;
    this.#item = item;
    this.job = item.job.id;
    this.judged = item.judged;
    this.verdict = null;
    this.root.reset();
    this.more.hidden = true;
    this.said.textContent = item.judged ? "Thank you." : "";
    for (const thumb of this.thumbs) {
      thumb.setAttribute("aria-pressed", String(thumb.dataset.verdict === item.judged));
      thumb.disabled = Boolean(item.judged);
    }
  }

  #choose(verdict) {
    this.verdict = verdict;
    for (const thumb of this.thumbs) {
      thumb.setAttribute("aria-pressed", String(thumb.dataset.verdict === verdict));
    }
    this.reasons.hidden = verdict === "up";
    this.more.hidden = false;
    this.said.textContent = "";
  }

  async #submit() {
    const item = this.#item;
    const { id } = item.job;
    const { comment, keep_picture } = this.root.elements;
    const ticked = [...this.reasons.querySelectorAll(":checked")].map((box) => box.value);
    const answer = {
      request_id: item.job.request_id,
      verdict: this.verdict,
      reasons: this.verdict === "down" ? ticked : [],
      comment: comment.value.trim(),
      keep_picture: keep_picture.checked,
    };
    this.send.disabled = true;
    try {
      await this.api.send("v1/feedback", { method: "POST", ...body(answer, item.file) });
      if (item.job?.id !== id) return;
      item.judged = answer.verdict;
      if (item === this.#item) {
        this.show(item);
        this.said.focus();
      }
    } catch (problem) {
      const { title, text } = explain(problem);
      if (item === this.#item) this.said.textContent = `${title}. ${text}`;
    } finally {
      this.send.disabled = false;
    }
  }
}

function body(answer, file) {
  if (!answer.keep_picture) {
    return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(answer) };
  }
  const fields = new FormData();
  // Of a list, its parts with commas between, as the service wants reasons.
  for (const [name, value] of Object.entries(answer)) fields.append(name, String(value));
  fields.append("picture", file, file.name);
  return { body: fields };
}
