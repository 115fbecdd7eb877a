// Requests to the service. Addresses are relative to the page, which may lie below a prefix.

import { Problem, Stopped, Unreachable } from "./problems.js";

const KEY = "hyperfocal-key";
/** Milliseconds without a byte before a job or its result is asked for anew; events come every 5 s. */
const SILENCE = 20_000;
/**
 * Milliseconds for the answer once a form has been sent, and for each part of one of which nothing
 * is kept. Longer, as what the system has taken counts as sent: on a slow line it is still under
 * way, and the service waits for it half a minute.
 */
const ANSWER = 60_000;

/** Waits, unless stopped first. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(new Stopped());
    const stop = () => {
      clearTimeout(timer);
      reject(new Stopped());
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

export class Api {
  #asking = null;
  #isRefused = false;

  /**
   * askForKey: called when the service wants a key; resolves to one, or to null, and then is not
   * called again before askAgain(), which is for what somebody does by hand. silence: in
   * milliseconds, after which a service that is followed, asked after a job or sends its result
   * counts as gone.
   */
  constructor(askForKey, { silence = SILENCE } = {}) {
    Object.assign(this, { askForKey, silence });
  }

  get key() {
    try {
      return sessionStorage.getItem(KEY);
    } catch {
      return this.heldKey ?? null;
    }
  }

  set key(value) {
    this.heldKey = value;
    this.askAgain();
    try {
      if (value) sessionStorage.setItem(KEY, value);
      else sessionStorage.removeItem(KEY);
    } catch {
      // Storage is off: the key is held by the page alone.
    }
    this.onKey?.(Boolean(value));
  }

  askAgain() {
    this.#isRefused = false;
  }

  /** A request by fetch; the Response of a success, or throws Problem, Unreachable, Stopped. */
  send(path, { headers, patience, signal = patience?.signal, ...rest } = {}) {
    return this.#withKey(async (authorization) => {
      let response;
      try {
        response = await fetch(path, { cache: "no-store", headers: { ...authorization, ...headers }, signal, ...rest });
      } catch (error) {
        throw error.name === "AbortError" ? new Stopped() : new Unreachable();
      }
      if (response.ok) return response;
      const text = await response.text().catch(() => "");
      throw Problem.fromAnswer(response.status, (name) => response.headers.get(name), text);
    }, patience);
  }

  /** The JSON of a success. */
  async json(path, options) {
    const response = await this.send(path, options);
    return readBody(() => response.json());
  }

  /** The JSON of a success that is there at once: Unreachable where nothing comes for too long. */
  async ask(path, { signal, ...options } = {}) {
    const patience = new Patience(this.silence, signal);
    try {
      return await this.json(path, { ...options, patience });
    } catch (error) {
      throw patience.blame(error);
    } finally {
      patience.end();
    }
  }

  /** The bytes of something that lies ready, as a Blob: Unreachable where nothing of it comes for too long. */
  async download(path, signal) {
    const patience = new Patience(this.silence, signal);
    try {
      const { headers, body } = await this.send(path, { patience });
      const heard = new TransformStream({
        transform(chunk, out) {
          patience.renew();
          out.enqueue(chunk);
        },
      });
      // A Response gathers it as the browser sees fit, on its disk where there is much of it.
      const whole = new Response(body.pipeThrough(heard), { headers: { "Content-Type": headers.get("Content-Type") ?? "" } });
      return await readBody(() => whole.blob());
    } catch (error) {
      throw patience.blame(error);
    } finally {
      patience.end();
    }
  }

  /**
   * Posts a form and gives the JSON of the answer. Stopping it counts only while it is being sent:
   * once everything has arrived there may be a job, and only the answer tells which one has to be
   * cancelled. Where that does not come, stopped or not, it is Unreachable, and nobody can tell
   * whether there is one.
   */
  async upload(path, form, options) {
    return readJson(await this.#post(path, form, { ...options, isBinding: true }));
  }

  /**
   * Posts a form, or JSON, that nothing comes of but its answer, and gives that as a Blob. Stopping
   * it counts at any time; Unreachable where nothing is taken and nothing comes for too long.
   */
  request(path, body, options) {
    return this.#post(path, body, { ...options, isBinding: false });
  }

  /** The same, of which the answer is JSON. */
  async consult(path, body, options) {
    return readJson(await this.request(path, body, options));
  }

  // fetch cannot tell how much has been sent, XMLHttpRequest can.
  #post(path, body, { headers = {}, signal, onProgress, isBinding }) {
    return this.#withKey(
      (authorization) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted) return reject(new Stopped());
          const request = new XMLHttpRequest();
          const stop = () => request.abort();
          signal?.addEventListener("abort", stop, { once: true });
          request.open("POST", path);
          request.responseType = "blob";
          for (const [name, value] of Object.entries({ ...authorization, ...headers })) {
            request.setRequestHeader(name, value);
          }
          let limit;
          const listen = () => {
            clearTimeout(limit);
            limit = setTimeout(() => {
              reject(new Unreachable());
              request.abort();
            }, ANSWER);
          };
          request.upload.onprogress = (event) => {
            if (!isBinding) listen();
            if (event.lengthComputable) onProgress?.(event.loaded / event.total);
          };
          request.upload.onload = () => {
            if (isBinding) signal?.removeEventListener("abort", stop);
            listen();
          };
          request.onprogress = listen;
          request.onloadend = () => {
            clearTimeout(limit);
            signal?.removeEventListener("abort", stop);
          };
          request.onabort = () => reject(new Stopped());
          request.onerror = async () => reject(await reasonOf(body));
          request.onload = async () => {
            if (request.status >= 200 && request.status < 300) return resolve(request.response);
            const header = (name) => request.getResponseHeader(name);
            reject(Problem.fromAnswer(request.status, header, await request.response.text()));
          };
          if (!isBinding) listen();
          request.send(body);
        }),
    );
  }

  /**
   * Server-sent events as { name, data }, until the service ends them; Unreachable where it says
   * nothing for too long, as a machine that is gone closes no connection. EventSource would be
   * shorter, but it cannot send a key.
   */
  async *events(path, signal) {
    const patience = new Patience(this.silence, signal);
    let reader = null;
    try {
      const response = await this.send(path, { patience, headers: { Accept: "text/event-stream" } });
      reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        patience.renew();
        const { done, value } = await readBody(() => reader.read());
        if (done) return;
        const blocks = (rest + value).replace(/\r\n?/g, "\n").split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          const event = parseEvent(block);
          if (event) yield event;
        }
      }
    } catch (error) {
      throw patience.blame(error);
    } finally {
      patience.end();
      reader?.cancel().catch(() => {});
    }
  }

  async #withKey(attempt, patience) {
    for (;;) {
      const key = this.key;
      try {
        return await attempt(key ? { Authorization: `Bearer ${key}` } : {});
      } catch (problem) {
        if (problem.status !== 401) throw problem;
        // Another request may have got a new key meanwhile.
        if (this.key !== key) continue;
        if (this.#isRefused) throw problem;
        // Several requests may be refused at once; the question is asked once.
        this.#asking ??= this.askForKey(Boolean(key)).finally(() => (this.#asking = null));
        // The service has answered; now it waits for somebody who has to look for a key.
        patience?.rest();
        const given = await this.#asking;
        patience?.renew();
        if (given) this.key = given;
        else {
          this.#isRefused = true;
          throw problem;
        }
      }
    }
  }
}

// A signal that aborts when another one does, or when it has not been renewed for too long.
class Patience {
  #control = new AbortController();
  #lose = () => this.#control.abort();

  constructor(milliseconds, other) {
    Object.assign(this, { milliseconds, other });
    if (other?.aborted) this.#lose();
    other?.addEventListener("abort", this.#lose);
    this.renew();
  }

  get signal() {
    return this.#control.signal;
  }

  renew() {
    this.rest();
    this.timer = setTimeout(this.#lose, this.milliseconds);
  }

  rest() {
    clearTimeout(this.timer);
  }

  end() {
    this.rest();
    this.other?.removeEventListener("abort", this.#lose);
  }

  /** What an error means: stopped, but by nobody, is the silence. */
  blame(error) {
    return error instanceof Stopped && !this.other?.aborted ? new Unreachable() : error;
  }
}

// A file that has changed since it was chosen cannot be read, and fails as a connection does.
async function reasonOf(body) {
  for (const part of body instanceof FormData ? body.values() : []) {
    if (!(part instanceof File)) continue;
    try {
      await part.slice(0, 1).arrayBuffer();
    } catch {
      return new Problem({ code: "file-changed" });
    }
  }
  return new Unreachable();
}

const readJson = (blob) => readBody(async () => JSON.parse(await blob.text()));

async function readBody(read) {
  try {
    return await read();
  } catch (error) {
    if (error.name === "AbortError") throw new Stopped();
    if (error instanceof SyntaxError) throw new Problem({ status: 502, detail: "the answer was not understood" });
    throw new Unreachable();
  }
}

function parseEvent(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === "event") name = value;
    else if (field === "data") data.push(value);
  }
  return data.length ? { name, data: data.join("\n") } : null;
}
