// What a photograph's state is called.

import { explain } from "./problems.js";
import { bytes, dimensions, percent, seconds } from "./words.js";

const PLAIN = {
  line: "Waiting",
  estimating: "Checking its size",
  asking: "Waiting for your answer",
  queued: "Waiting for the service",
  fetching: "Fetching the result",
  stopping: "Stopping",
  stopped: "Stopped",
};

/** Where another attempt made nothing. */
export const EARLIER = "The earlier result is kept.";

/** The state in a few words. */
export function stateText(item) {
  const { state, progress = 0 } = item;
  if (state === "ready") return item.size ? `${dimensions(item.size.width, item.size.height)}, ${bytes(item.file.size)}` : bytes(item.file.size);
  if (state === "sending") return progress < 1 ? `Sending, ${percent(progress)}` : "Sent";
  if (state === "running") return `Restoring, ${percent(progress)}`;
  if (state === "waiting") return `${item.busy ? "The service is busy" : "Connection lost"}, again in ${seconds(item.left)}`;
  if (state === "failed") return explain(item.problem).title;
  if (item.setback) return `${item.setback.problem ? explain(item.setback.problem).title : PLAIN.stopped}. ${EARLIER}`;
  if (state === "done") return `${dimensions(item.result.width, item.result.height)}, ${bytes(item.blob.size)}`;
  return PLAIN[state];
}

/** How far it is, 0 to 1; null where there is no telling; undefined where nothing is going on. */
export function share(item) {
  if (item.state === "sending") return item.progress < 1 ? item.progress : null;
  if (item.state === "running") return item.progress;
  if (["line", "asking"].includes(item.state)) return 0;
  if (["estimating", "waiting", "queued", "fetching", "stopping"].includes(item.state)) return null;
  return undefined;
}

/** Sets a <progress> to that. */
export function showProgress(bar, item) {
  const value = share(item);
  bar.hidden = value === undefined;
  if (value === null) bar.removeAttribute("value");
  else if (value !== undefined) bar.value = value;
}
