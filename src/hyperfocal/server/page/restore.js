// One photograph through the service: estimate, send, follow, fetch; or stop.

import { pause } from "./api.js";
import { measure } from "./measure.js";
import { Problem, Stopped, Unreachable } from "./problems.js";

const ATTEMPTS = 8;
/** Seconds between attempts double from one to this, where the service does not say. */
const LONGEST_WAIT = 60;
/** Results beyond this many pixels are estimated first, or files beyond so many bytes where nobody knows. */
const LARGE_PIXELS = 50e6;
const LARGE_BYTES = 1e6;
/** An estimate below this many seconds is not worth a question. */
const LONG_SECONDS = 20;
const EMPTY = new Set(["failed", "cancelled", "expired"]);
const OVER = new Set([...EMPTY, "succeeded"]);

/** The fields of the request. */
export function form(file, options) {
  const fields = new FormData();
  for (const [name, value] of Object.entries(options)) fields.append(name, String(value));
  // Fields first: the service can refuse them before it has taken the picture.
  fields.append("image", file, file.name);
  return fields;
}

/** Whether to ask before starting; size: of the photograph, null where this browser cannot tell. */
export function isLarge(file, size, options) {
  if (!size) return file.size > LARGE_BYTES;
  const scale = options.scale ?? options.long_edge / Math.max(size.width, size.height);
  return size.width * size.height * scale * scale > LARGE_PIXELS;
}

/**
 * Restores item.file with item.options; update(changes) is told of every step. Gives
 * { job, blob }. confirm(estimate) resolves to whether to go on. Throws Problem or Stopped.
 */
export async function restore(api, item, { signal, update, confirm }) {
  if (!item.file.size) throw new Problem({ code: "empty-file" });
  if (!item.size) {
    // The list has not come to it yet, or the browser cannot show it.
    update({ state: "estimating" });
    const size = await measure(item.file, signal);
    if (size) update({ size });
  }
  if (isLarge(item.file, item.size, item.options)) {
    update({ state: "estimating" });
    const estimate = await patiently(
      () => api.consult("v1/estimate", form(item.file, item.options), { signal }),
      signal,
      update,
      "estimating",
      isBusy,
    );
    if (estimate.seconds >= LONG_SECONDS && !(await confirm(estimate))) throw new Stopped();
  }
  if (signal.aborted) throw new Stopped();
  const start = () => {
    update({ state: "sending", progress: 0 });
    return api.upload("v1/jobs", form(item.file, item.options), {
      // The same for every attempt: an answer lost on the way must not make a second job.
      headers: { "Idempotency-Key": item.token },
      signal,
      onProgress: (progress) => update({ state: "sending", progress }),
    });
  };
  let job = await patiently(start, signal, update, "sending", isBusy);
  try {
    job = await follow(api, job, signal, update);
    if (job.status === "cancelled") throw new Stopped();
    if (job.status === "expired") throw new Problem({ status: 410, code: "expired" });
    if (job.status !== "succeeded") throw Problem.fromJob(job);
    update({ state: "fetching" });
    const fetchResult = () => api.download(`v1/jobs/${job.id}/result`, signal);
    // The work is done, and kept for a while: a connection that breaks must not lose it.
    return { job, blob: await patiently(fetchResult, signal, update, "fetching", mayPass) };
  } catch (error) {
    // What a job has made is taken away as well.
    if (error instanceof Stopped && !EMPTY.has(job.status)) await cancel(api, job.id);
    throw error;
  }
}

/** Stops a job; one that is over or gone needs no stopping. */
export async function cancel(api, id) {
  try {
    await api.ask(`v1/jobs/${id}`, { method: "DELETE", keepalive: true });
  } catch (problem) {
    if (problem.status !== 404 && problem.status !== 409) throw problem;
  }
}

// By events, and by asking where those break off or fall silent: a job outlives the connection.
async function follow(api, job, signal, update) {
  let failures = 0;
  for (;;) {
    tell(job, update);
    if (OVER.has(job.status)) return job;
    try {
      for await (const event of api.events(`v1/jobs/${job.id}/events`, signal)) {
        if (event.name !== "job") continue;
        job = JSON.parse(event.data);
        failures = 0;
        tell(job, update);
      }
      if (OVER.has(job.status)) return job;
      job = await api.ask(`v1/jobs/${job.id}`, { signal });
      if (!OVER.has(job.status)) await pause(500, signal);
    } catch (problem) {
      failures += 1;
      if (!mayPass(problem) || failures >= ATTEMPTS) throw problem;
      await wait(problem, failures, signal, update, job.status === "running" ? "running" : "queued");
      try {
        // Asking gets through where events do not, for instance where too many are followed.
        job = await api.ask(`v1/jobs/${job.id}`, { signal });
        failures = 0;
      } catch (again) {
        if (!mayPass(again)) throw again;
      }
    }
  }
}

const isBusy = (problem) => problem.passes;

/** Whether the same request may succeed later. */
export function mayPass(problem) {
  return problem instanceof Unreachable || problem.passes || [502, 504].includes(problem.status);
}

function tell(job, update) {
  if (job.status === "queued") update({ state: "queued", job });
  else if (job.status === "running") update({ state: "running", progress: job.progress, job });
}

// Again after what may pass, when the service says so.
async function patiently(attempt, signal, update, state, isPassing) {
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt();
    } catch (problem) {
      if (!isPassing(problem) || failures >= ATTEMPTS) throw problem;
      await wait(problem, failures, signal, update, state);
    }
  }
}

async function wait(problem, failures, signal, update, state) {
  const seconds = problem.retryAfter ?? Math.min(2 ** (failures - 1), LONGEST_WAIT);
  for (let left = Math.max(1, seconds); left > 0; left -= 1) {
    update({ state: "waiting", left, busy: problem.passes });
    await pause(1000, signal);
  }
  update({ state });
}
