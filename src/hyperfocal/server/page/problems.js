// What can go wrong, and how it is told to people.

import { sentence } from "./words.js";

/** An answer that is no success, from a problem document (RFC 9457) where there is one. */
export class Problem extends Error {
  constructor({ status = 0, code = "", detail = "", requestId = "", retryAfter = null } = {}) {
    super(detail || code || `HTTP ${status}`);
    Object.assign(this, { status, code, detail, requestId, retryAfter });
  }

  /** From the parts of an answer: status, a function giving a header, and the body as text. */
  static fromAnswer(status, header, text) {
    let document = {};
    try {
      document = JSON.parse(text) ?? {};
    } catch {
      // Something between us and the service answered in its own way.
    }
    return new Problem({
      status,
      code: typeof document.code === "string" ? document.code : "",
      detail: typeof document.detail === "string" ? document.detail : "",
      requestId: document.request_id || header("X-Request-ID") || "",
      retryAfter: retrySeconds(header("Retry-After")),
    });
  }

  /** From the problem document inside a failed job. */
  static fromJob(job) {
    const { status = 500, code = "", detail = "", request_id = job.request_id } = job.problem ?? {};
    return new Problem({ status, code, detail, requestId: request_id ?? "" });
  }

  /** Whether it goes away by waiting. */
  get passes() {
    return this.status === 503 || this.status === 429;
  }
}

/** The service could not be reached, or the connection broke. */
export class Unreachable extends Problem {
  constructor() {
    super({ code: "unreachable" });
  }
}

/** Stopped on request. */
export class Stopped extends Error {}

// Retry-After is a number of seconds or a date.
function retrySeconds(value) {
  if (!value) return null;
  const count = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(count) ? Math.max(0, Math.ceil(count)) : null;
}

// By code, then by status: [title, what to do]. The service's own sentence comes between.
const TOLD = {
  unreachable: ["The service cannot be reached", "Check the connection, then try again. A very large photograph can also be turned away like this."],
  "empty-file": ["The file is empty", "Choose another copy."],
  "file-changed": ["The file has changed or is gone", "Choose it again."],
  "unknown-format": ["This file cannot be read as a photograph", "JPEG, PNG, TIFF, WebP, AVIF, BMP and GIF can be read; HEIC by some services."],
  "broken-picture": ["The photograph is damaged", "Try another copy of it."],
  "body-too-large": ["The file is too large", "Save it smaller, or in a more compact format."],
  "too-large": ["The photograph is too large", "Choose a smaller size for the result, or reduce the photograph."],
  "out-of-memory": ["The photograph is too large", "Choose a smaller size for the result."],
  "queue-full": ["The service is busy", "Try again in a while."],
  draining: ["The service is restarting", "Try again in a moment."],
  deadline: ["It took too long", "Choose a smaller size for the result, or try again when the service is less busy."],
  "garbled-output": ["The result was not good enough and was discarded", "Try another model."],
  "model-missing": ["That model is not available", "Choose another one."],
  expired: ["The result is no longer kept", "Restore it again."],
  "request-id-reused": ["This result can no longer be judged", "Restore it again."],
  "not-found": ["The service no longer knows this job", "Restore it again."],
  401: ["A key is needed", "Ask whoever runs the service for one."],
  403: ["This key may not do that", "Ask whoever runs the service."],
  408: ["The photograph arrived too slowly", "Try again on a faster connection."],
  413: ["It is too large", "Choose a smaller size or a smaller photograph."],
  415: ["This file cannot be read as a photograph", ""],
  422: ["That cannot be done", ""],
  429: ["Too many requests", "Wait a little, then try again."],
  502: ["The service behind this page is not running", "Try again in a while."],
  503: ["The service is busy", "Try again in a while."],
  504: ["The service did not answer in time", "Try again in a while."],
};

const HOPELESS = new Set(["empty-file", "file-changed", "unknown-format", "broken-picture", "body-too-large"]);

/** Whether the same file would only be refused again. */
export const isHopeless = (problem) => HOPELESS.has(problem?.code);

/** A problem as { title, text, request }. */
export function explain(problem) {
  if (!(problem instanceof Problem)) {
    return { title: "Something went wrong on this page", text: sentence(String(problem?.message ?? problem)), request: "" };
  }
  const [title, advice] = TOLD[problem.code] ?? TOLD[problem.status] ?? ["The service failed", "Nothing is wrong with what you did. Try again."];
  const text = [sentence(problem.detail), advice].filter(Boolean).join(" ");
  return { title, text, request: problem.requestId };
}
