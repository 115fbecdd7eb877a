// Where a picture lies on the stage. Lengths are CSS pixels; zoom is CSS pixels for each pixel of
// the picture, so 1:1 on a screen of density d is 1/d. No DOM in here.

const STEP = 1.25;
const CLOSEST = 16;

export class Viewport {
  stage = { width: 1, height: 1 };
  picture = { width: 1, height: 1 };
  density = 1;
  zoom = 1;
  left = 0;
  top = 0;
  /** What the zoom follows when the stage changes: "fit", "one" or "free". */
  mode = "fit";

  get fitZoom() {
    const { stage, picture } = this;
    return Math.min(stage.width / picture.width, stage.height / picture.height, CLOSEST / this.density);
  }

  get oneZoom() {
    return 1 / this.density;
  }

  get limits() {
    return [Math.min(this.fitZoom, this.oneZoom), Math.max(this.fitZoom, CLOSEST / this.density)];
  }

  /** Whether there is more picture than stage. */
  get overflows() {
    const slack = 0.5;
    return (
      this.picture.width * this.zoom > this.stage.width + slack ||
      this.picture.height * this.zoom > this.stage.height + slack
    );
  }

  resize(stage, density) {
    // What is in the middle stays there.
    const x = (this.stage.width / 2 - this.left) / this.zoom;
    const y = (this.stage.height / 2 - this.top) / this.zoom;
    Object.assign(this, { stage, density });
    if (this.mode === "fit") return this.fit();
    if (this.mode === "one") this.zoom = this.oneZoom;
    this.left = stage.width / 2 - x * this.zoom;
    this.top = stage.height / 2 - y * this.zoom;
    this.#settle();
  }

  show(picture) {
    this.picture = picture;
    this.fit();
  }

  fit() {
    this.mode = "fit";
    this.zoom = this.fitZoom;
    this.#settle();
  }

  one(x = this.stage.width / 2, y = this.stage.height / 2) {
    this.zoomTo(this.oneZoom, x, y);
    this.mode = "one";
  }

  /** Zoom with the point (x, y) of the stage staying where it is. */
  zoomTo(zoom, x = this.stage.width / 2, y = this.stage.height / 2) {
    const [least, most] = this.limits;
    const wanted = Math.min(Math.max(zoom, least), most);
    this.left = x - ((x - this.left) / this.zoom) * wanted;
    this.top = y - ((y - this.top) / this.zoom) * wanted;
    this.zoom = wanted;
    this.mode = "free";
    this.#settle();
  }

  step(direction, x, y) {
    this.zoomTo(this.zoom * STEP ** direction, x, y);
  }

  move(x, y) {
    this.left += x;
    this.top += y;
    this.#settle();
  }

  // Centred where it fits, else without a gap at any side; on whole device pixels, so that 1:1
  // is sharp.
  #settle() {
    const place = (start, size, room) => {
      const length = size * this.zoom;
      const inside = length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, start));
      return Math.round(inside * this.density) / this.density;
    };
    this.left = place(this.left, this.picture.width, this.stage.width);
    this.top = place(this.top, this.picture.height, this.stage.height);
  }
}
