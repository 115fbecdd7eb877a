// Before and after, one over the other, with a divider; zoom and pan in step.

import { Viewport } from "./viewport.js";

const PAN = 64;

export class Viewer {
  #view = new Viewport();
  #pictures = [];
  #pointers = new Map();
  #split = 50;

  constructor(root) {
    const find = (selector) => root.querySelector(selector);
    Object.assign(this, {
      root,
      stage: find(".stage"),
      before: find("#before"),
      after: find("#after"),
      divider: find("#divider"),
      noteText: find("#stage-note"),
      zoomText: find("#zoom"),
    });
    new ResizeObserver(() => this.#resized()).observe(this.stage);
    this.#listen();
  }

  /**
   * Shows two pictures (<img>, decoded) of one subject, or the one of them that there is, or
   * nothing. size: of the result in pixels, which the before is enlarged to.
   */
  show({ before, after, size }) {
    this.#pictures = [before, after].filter(Boolean);
    this.stage.classList.toggle("single", this.#pictures.length < 2);
    this.before.replaceChildren(...this.#pictures.slice(0, 1));
    this.after.replaceChildren(...this.#pictures.slice(1));
    if (size) {
      this.#view.show(size);
      this.root.style.setProperty("--aspect", String(size.width / size.height));
    }
    this.#split = 50;
    this.#resized();
  }

  /** A line on the stage, such as why there is nothing to see; "" for none. */
  note(text) {
    this.noteText.textContent = text;
    this.noteText.hidden = !text;
  }

  #resized() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!width || !height) return; // not on the page at present
    this.#view.resize({ width, height }, devicePixelRatio || 1);
    this.#draw();
  }

  #draw() {
    const view = this.#view;
    for (const picture of this.#pictures) {
      picture.style.width = `${view.picture.width * view.zoom}px`;
      picture.style.height = `${view.picture.height * view.zoom}px`;
      picture.style.transform = `translate(${view.left}px, ${view.top}px)`;
    }
    this.root.style.setProperty("--split", `${this.#split}%`);
    const share = Math.round(this.#split);
    this.divider.setAttribute("aria-valuenow", String(share));
    this.divider.setAttribute("aria-valuetext", `${share} % before, ${100 - share} % after`);
    this.stage.classList.toggle("zoomed", view.overflows);
    const zoom = view.zoom * view.density * 100;
    const text = `${zoom < 10 ? zoom.toFixed(1) : Math.round(zoom)} %`;
    if (this.zoomText.textContent !== text) this.zoomText.textContent = text;
    for (const mode of ["fit", "one"]) {
      this.#button(mode).setAttribute("aria-pressed", String(view.mode === mode));
    }
  }

  #button(name) {
    return this.root.querySelector(`[data-view="${name}"]`);
  }

  #listen() {
    const view = this.#view;
    const act = (change) => () => {
      change();
      this.#draw();
    };
    const actions = {
      fit: act(() => view.fit()),
      one: act(() => view.one()),
      in: act(() => view.step(1)),
      out: act(() => view.step(-1)),
      full: () => (document.fullscreenElement ? document.exitFullscreen() : this.root.requestFullscreen()),
    };
    for (const [name, action] of Object.entries(actions)) this.#button(name).addEventListener("click", action);
    this.#button("full").hidden = !this.root.requestFullscreen;

    // Single letters do something only while the focus is in here, as WCAG 2.1.4 asks.
    this.root.addEventListener("keydown", (event) => this.#key(event, actions));
    this.stage.addEventListener("pointerdown", (event) => this.#press(event));
    this.stage.addEventListener("pointermove", (event) => this.#drag(event));
    for (const name of ["pointerup", "pointercancel"]) {
      this.stage.addEventListener(name, (event) => this.#release(event));
    }
    this.stage.addEventListener("dblclick", (event) => {
      // A single picture is shown whole: it could not be moved.
      if (event.target.closest(".divider") || this.stage.classList.contains("single")) return;
      if (view.mode === "fit") view.one(...this.#point(event));
      else view.fit();
      this.#draw();
    });
    this.stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  #key(event, actions) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.stage.classList.contains("single")) return;
    const { key, shiftKey } = event;
    const named = { "+": "in", "=": "in", "-": "out", _: "out", 0: "fit", 1: "one" }[key];
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (named) actions[named]();
    else if (arrow && shiftKey) this.#view.move(-arrow[0] * PAN, -arrow[1] * PAN);
    else if (event.target === this.divider && arrow) this.#setSplit(this.#split + 2 * (arrow[0] - arrow[1]));
    else if (event.target === this.divider && key in { Home: 0, End: 0 }) this.#setSplit(key === "Home" ? 0 : 100);
    else if (event.target === this.divider && key in { PageUp: 0, PageDown: 0 }) {
      this.#setSplit(this.#split + (key === "PageUp" ? 10 : -10));
    } else return;
    event.preventDefault();
    this.#draw();
  }

  #setSplit(share) {
    this.#split = Math.min(100, Math.max(0, share));
  }

  #point(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #press(event) {
    if (event.button !== 0 || this.stage.classList.contains("single")) return;
    const onDivider = Boolean(event.target.closest(".divider"));
    this.#pointers.set(event.pointerId, { at: this.#point(event), onDivider });
    this.stage.setPointerCapture(event.pointerId);
    this.stage.classList.toggle("moving", !onDivider && this.#view.overflows);
    this.divider.focus({ preventScroll: true });
    event.preventDefault();
  }

  #drag(event) {
    const pressed = this.#pointers.get(event.pointerId);
    if (!pressed) return;
    const [x, y] = this.#point(event);
    const [lastX, lastY] = pressed.at;
    const others = [...this.#pointers.values()].filter((other) => other !== pressed);
    if (others.length) {
      // Two fingers: their distance zooms, their middle moves.
      const [otherX, otherY] = others[0].at;
      const distance = Math.hypot(x - otherX, y - otherY);
      const before = Math.hypot(lastX - otherX, lastY - otherY) || 1;
      this.#view.zoomTo(this.#view.zoom * (distance / before), (x + otherX) / 2, (y + otherY) / 2);
      this.#view.move((x - lastX) / 2, (y - lastY) / 2);
    } else if (pressed.onDivider) {
      this.#setSplit((x / this.stage.clientWidth) * 100);
    } else {
      this.#view.move(x - lastX, y - lastY);
    }
    pressed.at = [x, y];
    this.#draw();
  }

  #release(event) {
    this.#pointers.delete(event.pointerId);
    this.stage.classList.remove("moving");
  }

  // The wheel belongs to the page until the comparison has been clicked; a pinch (which comes as
  // a wheel with Ctrl) never does.
  #wheel(event) {
    const active = event.ctrlKey || event.metaKey || this.root.contains(document.activeElement);
    if (!active || this.stage.classList.contains("single")) return;
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 33 : 1;
    const speed = event.ctrlKey ? 0.01 : 0.002;
    event.preventDefault();
    this.#view.zoomTo(this.#view.zoom * Math.exp(-event.deltaY * lines * speed), ...this.#point(event));
    this.#draw();
  }
}
