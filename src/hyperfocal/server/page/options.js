// The form of options: what it shows, and what it asks of the service.

const LOSSLESS = new Set(["png", "tiff"]);

export class Options {
  /** onStart: called when the form is submitted. */
  constructor(root, onStart) {
    this.root = root;
    this.fields = root.elements;
    this.purposes = new Map();
    root.addEventListener("input", () => this.#show());
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
      const { scales = [] } = families.get(family) ?? {};
      families.set(family, { scales: [...scales, scale].sort(), purpose });
    }
    for (const [family, { scales, purpose }] of families) {
      const times = scales.map((scale) => `${scale}×`).join(", ");
      // Cards of one family differ by the size they speak of; one sentence is enough here.
      this.purposes.set(family, `Trained for ${times}. ${purpose ?? ""}`.trim());
      this.fields.model.add(new Option(family, family));
    }
    this.#show();
  }

  /** The fields of a request, with only what differs from the service's own choice. */
  get values() {
    const { size, long_edge, model, format, quality, strip_metadata } = this.fields;
    const values = size.value === "edge" ? { long_edge: Number(long_edge.value) } : { scale: Number(size.value) };
    if (model.value) values.model = model.value;
    if (format.value) values.format = format.value;
    if (!LOSSLESS.has(format.value)) values.quality = Number(quality.value);
    if (strip_metadata.checked) values.strip_metadata = true;
    return values;
  }

  #show() {
    const { size, long_edge, model, format, quality, strip_metadata } = this.fields;
    const byEdge = size.value === "edge";
    this.root.querySelector("#edge").hidden = !byEdge;
    // A hidden field that is not valid would keep the form from being sent without a word.
    long_edge.disabled = !byEdge;
    const lossless = LOSSLESS.has(format.value);
    this.root.querySelector("#quality").hidden = lossless;
    quality.nextElementSibling.value = quality.value;
    this.root.querySelector("#purpose").textContent = this.purposes.get(model.value) ?? "";
    const parts = [
      model.value || "automatic model",
      format.value ? format.selectedOptions[0].text : "same format",
      !lossless && `quality ${quality.value}`,
      strip_metadata.checked && "no camera data",
    ];
    this.root.querySelector("#digest").textContent = parts.filter(Boolean).join(" · ");
  }
}
