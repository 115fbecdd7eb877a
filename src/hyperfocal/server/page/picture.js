// Showing photographs: by the browser where it can, else by way of the service.

import { form } from "./restore.js";

/** Bytes beyond which no preview is asked of the service. */
const PREVIEW_BYTES = 45e6;
/** What was asked for, by picture: it is looked at more than once. */
const previews = new WeakMap();

/** An <img> of a blob, decoded; null where this browser cannot show it. */
export async function show(blob) {
  const picture = new Image();
  picture.src = URL.createObjectURL(blob);
  try {
    await picture.decode();
    return picture;
  } catch {
    release(picture);
    return null;
  }
}

export function release(picture) {
  if (picture) URL.revokeObjectURL(picture.src);
}

/**
 * The same picture as JPEG, made by the service at its own size, for a browser that cannot show
 * the format; signal stops it, for good. Throws what Api.request does; null where it would be too large.
 */
export async function preview(api, blob, name, signal) {
  if (blob.size > PREVIEW_BYTES) return null;
  if (!previews.has(blob)) {
    const file = new File([blob], name, { type: blob.type });
    const options = { scale: 1, model: "bicubic", format: "jpeg", quality: 90, strip_metadata: true };
    const asked = api.request("v1/upscale", form(file, options), { signal });
    previews.set(blob, asked);
    asked.catch(() => previews.delete(blob));
  }
  return show(await previews.get(blob));
}

/** Draws the outline of a picture, for one that this browser cannot show. */
export function drawBlank(canvas) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  // A grey that is seen on light and on dark.
  context.strokeStyle = "#8a8a86";
  context.lineWidth = width / 40;
  context.lineJoin = context.lineCap = "round";
  context.strokeRect(width * 0.27, height * 0.32, width * 0.46, height * 0.36);
  context.beginPath();
  context.moveTo(width * 0.29, height * 0.66);
  context.lineTo(width * 0.43, height * 0.5);
  context.lineTo(width * 0.53, height * 0.59);
  context.lineTo(width * 0.6, height * 0.52);
  context.lineTo(width * 0.71, height * 0.64);
  context.stroke();
}

/** Draws a picture into a square canvas, cut to fill it. */
export function drawThumbnail(canvas, picture) {
  const side = Math.min(picture.naturalWidth, picture.naturalHeight);
  const left = (picture.naturalWidth - side) / 2;
  const top = (picture.naturalHeight - side) / 2;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, left, top, side, side, 0, 0, canvas.width, canvas.height);
}
