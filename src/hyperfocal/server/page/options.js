// The form of options: what it shows, and what it asks of the service.

const LOSSLESS = new Set(["png", "tiff"]);

export class Options {
  /** onStart: called when the form is submitted. */
  constructor(root, onStart) {
    this.root = root;
    this.fields = root.elements;
    this.purposes = new Map();
    this.quality = null; // The service's own, until one is chosen.
    root.addEventListener("input", (event) => {
      if (event.target === this.fields.quality) this.quality = Number(event.target.value);
      this.#show();
    });
    root.addEventListener("submit", (event) => {
      event.preventDefault();
      onStart();
    });
    this.#show();
  }

  /** Lists the families of models that the service has. */
  setModels(models) {
    const families = new Map();
    for (const { name, scale, purpose } of models) {
      const family = name.replace(/-x\d+$/, "");
      families.set(family, [...(families.get(family) ?? []), { scale, purpose: purpose ?? "" }]);
    }
    for (const [family, members] of families) {
      this.purposes.set(family, members.sort((one, other) => one.scale - other.scale));
      this.fields.model.add(new Option(family, family));
    }
    this.#show();
  }

  /** The fields of a request, with only what differs from the service's own choice. */
  get values() {
    const { size, long_edge, model, format, strip_metadata } = this.fields;
    const values = size.value === "edge" ? { long_edge: Number(long_edge.value) } : { scale: Number(size.value) };
    if (model.value) values.model = model.value;
    if (format.value) values.format = format.value;
    if (!LOSSLESS.has(format.value) && this.quality !== null) values.quality = this.quality;
    if (strip_metadata.checked) values.strip_metadata = true;
    return values;
  }

  // Of the member of a family that is used for this scale, so far as there is telling.
  #purpose(family, scale) {
    const members = this.purposes.get(family);
    if (!members) return "";
    const { purpose } = members.find((one) => one.scale >= scale) ?? members.at(-1);
    const scales = members.map((one) => `${one.scale}×`).join(", ");
    return `Made for ${scales}. ${purpose}`.trim();
  }

  #show() {
    const { size, long_edge, model, format, quality, strip_metadata } = this.fields;
    const byEdge = size.value === "edge";
    this.root.querySelector("#edge").hidden = !byEdge;
    // A hidden field that is not valid would keep the form from being sent without a word.
    long_edge.disabled = !byEdge;
    const lossless = LOSSLESS.has(format.value);
    this.root.querySelector("#quality").hidden = lossless;
    quality.nextElementSibling.value = this.quality ?? "auto";
    this.root.querySelector("#purpose").textContent = this.#purpose(model.value, Number(size.value));
    const parts = [
      model.value ? model.selectedOptions[0].text : "automatic model",
      format.value ? format.selectedOptions[0].text : "same format",
      !lossless && this.quality !== null && `quality ${this.quality}`,
      strip_metadata.checked && "no camera data",
    ];
    this.root.querySelector("#digest").textContent = parts.filter(Boolean).join(" · ");
  }
}
