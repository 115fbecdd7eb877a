// What is known of a result, as a list of terms and values.

import { bytes, dimensions, fidelity, megapixels, seconds } from "./words.js";

const FORMATS = { jpeg: "JPEG", png: "PNG", webp: "WebP", avif: "AVIF", tiff: "TIFF", heic: "HEIC", bmp: "BMP" };

// Where there is no room for a line it is broken at the arrow.
const together = (text) => text.replaceAll(" ", "\u00a0");

/** Rows of { term, value, more, figure, wide }. */
export function facts(item) {
  const { result, file, size, blob, elapsed } = item;
  const rows = [];
  if (result.consistency_db !== null && result.consistency_db !== undefined) {
    const { figure, title, meaning } = fidelity(result.consistency_db);
    rows.push({ term: "Fidelity", value: `${title}, ${figure}`, more: meaning, figure: true, wide: true });
  }
  const large = together(dimensions(result.width, result.height));
  rows.push({
    term: "Size",
    value: size ? `${together(dimensions(size.width, size.height))} → ${large}` : large,
    more: [megapixels(result.width, result.height), `${Number(result.scale.toFixed(2))}× as wide`].filter(Boolean).join(", "),
  });
  rows.push({
    term: "File",
    value: `${together(bytes(file.size))} → ${together(bytes(blob.size))}`,
    more: FORMATS[result.format] ?? result.format,
  });
  const { total, model } = result.timing_ms ?? {};
  if (total !== undefined) {
    const parts = [model !== undefined && `${seconds(model / 1000)} in the model`, `${seconds(elapsed)} with sending and waiting`];
    rows.push({ term: "Time", value: seconds(total / 1000), more: parts.filter(Boolean).join(", ") });
  }
  const why = (result.choice?.reasons ?? []).join(", ");
  const chosen = [why && `chosen because ${why}`, result.model_version && `version ${result.model_version}`];
  rows.push({ term: "Model", value: result.model, more: chosen.filter(Boolean).join("; ") });
  if (result.depth?.share > 0) {
    const { source, share, blur, given_back: back } = result.depth;
    const map = source === "given" ? "the depth map" : "the depth map in the file";
    rows.push({
      term: "Depth",
      value: `${Math.max(1, Math.round(share * 100))} % out of focus`,
      more: `by ${map}, up to ${blur.toFixed(1)} pixels${back > 0 ? "; kept so" : ""}`,
    });
  }
  return rows;
}

/** Fills a <dl>. */
export function drawFacts(list, item) {
  const rows = facts(item).map(({ term, value, more, figure, wide }) => {
    const row = document.createElement("div");
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = term;
    const main = document.createElement("span");
    main.textContent = value;
    if (figure) main.className = "figure";
    if (wide) row.className = "wide";
    dd.append(main);
    if (more) {
      const small = document.createElement("span");
      small.className = "fine";
      small.textContent = more;
      dd.append(small);
    }
    row.append(dt, dd);
    return row;
  });
  list.replaceChildren(...rows);
}
