// Numbers and outcomes in plain words. Pure functions.

import { withoutExtension } from "./formats.js";

const number = (value, digits = 0) =>
  value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** 4_512_000 as "4.5 MB". */
export function bytes(count) {
  if (count < 1000) return `${number(count)} bytes`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = count / 1000;
  let unit = 0;
  // By what would be shown: 999,960 bytes are 1.0 MB, not 1,000 kB.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${number(value, value < 9.95 ? 1 : 0)} ${units[unit]}`;
}

/** "2,048 × 1,366", without megapixels. */
export const dimensions = (width, height) => `${number(width)} × ${number(height)}`;

/** "2.8 megapixels"; nothing below a tenth, which says nothing of a picture. */
export function megapixels(width, height) {
  const millions = (width * height) / 1e6;
  if (millions < 0.1) return "";
  return `${number(millions, millions < 10 ? 1 : 0)} megapixels`;
}

/** 0.84 as "0.8 s", 95 as "1 min 35 s", 4000 as "1 h 7 min". */
export function seconds(value) {
  if (value < 9.95) return `${number(value, 1)} s`;
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) {
    const rest = whole % 60;
    return rest ? `${Math.floor(whole / 60)} min ${rest} s` : `${whole / 60} min`;
  }
  const minutes = Math.round(whole / 60);
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

/** 0.437 as "43 %": never 100 before it is done. */
export const percent = (share) => `${Math.floor(share * 100)} %`;

// Where the words change, in dB between the input and the result reduced to its size.
const FIDELITY = [
  [45, "Very true", "Scaled back down, it matches your photograph more closely than any eye can tell."],
  [38, "True", "Scaled back down, it differs from your photograph by less than the eye can see."],
  [32, "Mostly true", "Fine edges have changed a little. Look closely at faces and lettering."],
  [26, "Loose", "Some of the detail is not from your photograph. Compare before you rely on it."],
  [-Infinity, "Far off", "Much has changed. Take it as a sketch of what might have been there."],
];

/** What a consistency in dB means: { figure, title, meaning }. */
export function fidelity(decibels) {
  const [, title, meaning] = FIDELITY.find(([least]) => decibels >= least);
  return { figure: `${number(decibels, 1)} dB`, title, meaning };
}

const EXTENSIONS = { jpeg: "jpg", tiff: "tif" };

/** "portrait.tif" restored at 2× as JPEG: "portrait@2x.jpg". */
export function resultName(name, result, options) {
  const stem = withoutExtension(name) || "photograph";
  const scale = Number(result.scale.toFixed(2));
  const size = options.long_edge ? `@${Math.max(result.width, result.height)}px` : `@${scale}x`;
  return `${stem}${size}.${EXTENSIONS[result.format] ?? result.format}`;
}

/** "1 photograph", "3 photographs". */
export const photographs = (count) => `${number(count)} photograph${count === 1 ? "" : "s"}`;

/** Of files that were left out. */
export const noPhotographs = (count) =>
  `${count === 1 ? "1 file was" : `${number(count)} files were`} left out: no ${count === 1 ? "photograph" : "photographs"} in a format that can be read.`;

/** With a capital and a full stop. */
export function sentence(text) {
  const trimmed = text.trim();
  if (!trimmed) return "";
  const first = trimmed[0].toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
