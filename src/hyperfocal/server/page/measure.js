// How large a photograph is, so far as this browser can tell.

import { pause } from "./api.js";

/** Milliseconds after which it counts as one of which it cannot. */
const LIMIT = 10_000;

/** { width, height }, or null; throws Stopped when signal aborts. */
export async function measure(file, signal) {
  const picture = new Image();
  const told = new Promise((resolve) => {
    // Without decoding it, which takes long where it is large.
    picture.onload = () => resolve(picture.naturalWidth ? { width: picture.naturalWidth, height: picture.naturalHeight } : null);
    picture.onerror = () => resolve(null);
  });
  picture.src = URL.createObjectURL(file);
  try {
    return await Promise.race([told, pause(LIMIT, signal).then(() => null)]);
  } finally {
    URL.revokeObjectURL(picture.src);
  }
}
