// The photographs of this page and what is being done with them, a few at a time.

import { mayPass, restore } from "./restore.js";
import { Stopped } from "./problems.js";

/** One is being sent while another is being worked on; more would only wait at the service. */
const AT_ONCE = 2;
const BUSY = new Set(["line", "estimating", "asking", "sending", "waiting", "queued", "running", "fetching", "stopping"]);

export const isBusy = (item) => BUSY.has(item.state);

/** Whether there is a result that was not saved. */
export const isUnsaved = (item) => item.state === "done" && item.saved !== item.blob;

// crypto.randomUUID is there only on https and localhost; the page may be on a plain intranet.
function token() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// What makes up a result.
const pick = ({ job, result, blob, elapsed, options }) => ({ job, result, blob, elapsed, options });

/**
 * Items: { id, file, name, size, state, progress, options, job, result, blob, problem, … };
 * begin: called when its turn has come; answer: takes the answer to the question about it, or null;
 * removal: aborted when it is taken off the page;
 * saved: the result that was last saved, of which there may be a newer one; earlier: of the result
 * before, while another is made; setback: { problem } of an attempt that left the earlier result,
 * problem null where it was stopped; unsure: { token, options } of a job that may have been taken.
 * state: ready, line (waiting its turn here), estimating, asking, sending, waiting (for a busy
 * service), queued, running, fetching, done, stopping, stopped, failed.
 * Events: "change" with the item in detail, "list" when items come or go.
 */
export class Queue extends EventTarget {
  items = [];
  #working = 0;

  constructor(api) {
    super();
    this.api = api;
  }

  add(files) {
    const added = files.map((file) => ({ id: token(), file, name: file.name, size: null, state: "ready", removal: new AbortController() }));
    this.items.push(...added);
    this.dispatchEvent(new Event("list"));
    return added;
  }

  remove(item) {
    this.items = this.items.filter((other) => other !== item);
    item.removal.abort();
    this.dispatchEvent(new Event("list"));
  }

  /** Puts photographs in line with the options of this moment. */
  start(items, options) {
    this.api.askAgain();
    for (const item of items) {
      if (isBusy(item)) continue;
      // Where nobody knows whether the job has been taken, the same one is asked for again.
      const isSame = item.unsure && JSON.stringify(options) === JSON.stringify(item.unsure.options);
      const key = isSame ? item.unsure.token : token();
      if (item.state === "done") item.earlier = pick(item);
      Object.assign(item, { token: key, options: { ...options }, control: new AbortController() });
      item.begin = () => this.#work(item);
      this.update(item, { state: "line", progress: 0, problem: null, setback: null, job: null, result: null, blob: null });
    }
    this.#next();
  }

  /** Stops a photograph; its job at the service too. */
  stop(item) {
    if (!isBusy(item) || item.state === "stopping") return;
    if (item.state === "line") this.#fallBack(item, { state: "stopped" });
    else this.update(item, { state: "stopping" });
    item.answer?.(false);
    item.control.abort();
  }

  update(item, changes) {
    // A step that was under way when it was stopped must not bring it back to life.
    const isOver = changes.setback || ["stopped", "failed"].includes(changes.state);
    if (item.state === "stopping" && changes.state && !isOver) return;
    Object.assign(item, changes);
    this.dispatchEvent(new CustomEvent("change", { detail: item }));
  }

  #next() {
    while (this.#working < AT_ONCE) {
      const item = this.items.find((other) => other.state === "line");
      if (!item) return;
      this.#working += 1;
      this.update(item, { state: "sending", progress: 0 });
      item.begin();
    }
  }

  #leave() {
    this.#working -= 1;
    this.#next();
  }

  async #work(item) {
    const started = performance.now();
    try {
      const { job, blob } = await restore(this.api, item, {
        signal: item.control.signal,
        update: (changes) => this.update(item, changes),
        confirm: (estimate) => this.#ask(item, estimate),
      });
      const elapsed = (performance.now() - started) / 1000;
      if (item.control.signal.aborted) throw new Stopped();
      this.update(item, { state: "done", job, result: job.result, blob, elapsed, earlier: null, unsure: null });
    } catch (problem) {
      const isStop = problem instanceof Stopped;
      item.unsure = !isStop && mayPass(problem) ? { token: item.token, options: item.options } : null;
      // What was stopped while it waited its turn is over already.
      if (isBusy(item)) this.#fallBack(item, isStop ? { state: "stopped" } : { state: "failed", problem });
      if (problem.status === 401) this.#putBack();
    } finally {
      this.#leave();
    }
  }

  // Nobody gives a key: what waits its turn would be refused as well. It can be started again.
  #putBack() {
    for (const item of this.items) {
      // What has got as far as a question, and an answer to it, had a key.
      if (item.state === "line" && !item.answer) this.#fallBack(item, { state: "ready" });
    }
  }

  // An attempt that made nothing costs nothing: the earlier result, where there is one, is there again.
  #fallBack(item, changes) {
    const { earlier } = item;
    if (!earlier) return this.update(item, changes);
    this.update(item, { ...earlier, state: "done", earlier: null, setback: { problem: changes.problem ?? null } });
  }

  #ask(item, estimate) {
    return new Promise((resolve) => {
      const end = (yes) => {
        item.answer = null;
        resolve(yes);
      };
      item.answer = (yes) => {
        if (yes) {
          // Its place may be another's by now. While it waits for one it can still be stopped.
          item.begin = () => end(true);
          this.update(item, { state: "line" });
          this.#next();
        } else {
          // Over at once, whoever has the places; what ends leaves one.
          this.#working += 1;
          end(false);
        }
      };
      this.update(item, { state: "asking", estimate });
      // Others go on meanwhile: nobody may be there to answer.
      this.#leave();
    });
  }
}
