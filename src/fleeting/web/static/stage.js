// The picture on a canvas, its number, and how one moves through the film.

import { SPEEDS, Player } from "./player.js";
import { Frames, viewQuery } from "./frames.js";
import { choose, dialog, h, remember, remembered, say } from "./dom.js";
import { keysText } from "./keys.js";
import { server } from "./server.js";
import { clock, placeOf } from "./words.js";

/** @import {View} from "./frames.js" */
/** @import {OpenFilm} from "./types.js" */

/** @type {[View["kind"], string][]} */
const VIEWS = [["whole", "Frame"], ["face", "Face"], ["enlarged", "Enlarged"]];
const WIDTHS = [480, 640, 960, 1280, 1920];

/**
 * @typedef {object} StageCalls
 * @property {(frame: number) => void} frame another frame is wanted
 * @property {(action: string) => boolean} act
 * @property {(face: number) => void} face
 */

export class Stage {
  /** @param {OpenFilm} film @param {Float64Array} times @param {StageCalls} calls */
  constructor(film, times, calls) {
    this.film = film;
    this.times = times;
    this.calls = calls;
    this.canvas = h("canvas", { role: "img", "aria-label": "Picture of the film" });
    this.pen = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.number = h("output", { class: "number", id: "frame-number" });
    this.time = h("output", { class: "time" });
    this.waits = h("span", { class: "waits", hidden: true });
    this.place = h("input", { type: "text", id: "goto", autocomplete: "off", placeholder: "frame or time", "aria-label": "Go to a frame or a time", onkeydown: (/** @type {KeyboardEvent} */ e) => e.key === "Enter" && this.goTo() });
    this.playButton = h("button", { type: "button", onclick: () => calls.act("toggle") });
    this.speed = choose({ "aria-label": "Speed", onchange: () => this.player.setSpeed(Number(this.speed.value)) }, SPEEDS.map((s) => [String(s), `${s} ×`]), "1");
    this.picture = h("div", { class: "picture", tabindex: "0", role: "group", "aria-label": "Picture; arrow keys step through the frames" }, this.canvas, h("p", { class: "stamp" }, "frame ", this.number, " · ", this.time), this.waits);
    this.timer = 0;
    const view = /** @type {View} */ ({ kind: "whole", face: film.faces[0]?.id ?? 0, factor: Number(remembered("factor", "8")), width: 960 });
    this.player = new Player(new Frames((n, v) => server.frame(film.id, n, viewQuery(v)), times.length), times, view, {
      draw: (bitmap, n) => this.draw(bitmap, n),
      waiting: (n) => this.wait(n),
      failed: (problem) => this.fail(problem),
      playing: () => this.showPlaying(),
    });
    this.views = h("div", { class: "picks", role: "group", "aria-label": "What is shown" }, ...VIEWS.map(([kind, text]) =>
      h("button", { type: "button", class: "pick", "data-view": kind, disabled: kind !== "whole" && !film.faces.length, onclick: () => this.look({ kind }) }, text)));
    this.factor = h("input", { type: "range", min: 2, max: 20, step: 1, value: String(view.factor), "aria-label": "How many times movements are enlarged", oninput: () => this.enlarge(Number(this.factor.value)) });
    this.factorText = h("output", {});
    this.faces = h("div", { class: "faces", role: "group", "aria-label": "Face" }, ...film.faces.map(({ id, picture_url }) =>
      h("button", { type: "button", "aria-label": `Face ${id}`, "data-face": id, onclick: () => this.look({ face: id }) }, h("img", { src: picture_url, alt: "", width: 30, height: 30 }))));
    this.element = this.layOut();
    this.resized = new ResizeObserver(() => this.fit());
    this.resized.observe(this.picture);
    this.showView();
    this.showPlaying();
  }

  layOut() {
    const step = (/** @type {string} */ action, /** @type {string} */ sign, /** @type {string} */ what) =>
      h("button", { type: "button", "aria-label": /\w/.test(sign) ? `${sign}: ${what}` : what, title: `${what} (${keysText(action)})`, onclick: () => this.calls.act(action) }, sign);
    const tools = h("div", { class: "bar" }, this.views, h("label", { class: "slide factor" }, this.factor, this.factorText), this.film.faces.length > 1 ? this.faces : null,
      h("button", { type: "button", class: "end", title: "Watch the film with its sound. Code on the numbered pictures", onclick: () => this.watch() }, "Watch"));
    const transport = h("div", { class: "bar transport" }, step("first", "|◀", "First frame"), step("back10", "−10", "Ten frames back"), step("back", "◀", "One frame back"), this.playButton,
      step("forth", "▶", "One frame forward"), step("forth10", "+10", "Ten frames forward"), step("last", "▶|", "Last frame"), step("loop", "Loop", "Loop the event"), this.speed, this.place,
      h("span", { class: "end" }, h("span", { class: "dim" }, "Zoom "), step("zoomOut", "−", "Zoom out of the timeline"), step("zoomIn", "+", "Zoom in on the timeline"), step("zoomEvent", "Event", "Zoom to the event"), step("zoomAll", "Film", "Show the whole film")));
    return h("div", { class: "stage" }, tools, this.picture, transport);
  }

  /** The picture and its number in one go. @param {ImageBitmap} bitmap @param {number} n */
  draw(bitmap, n) {
    if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
      this.canvas.width = bitmap.width;
      this.canvas.height = bitmap.height;
      this.fit();
    }
    this.pen.drawImage(bitmap, 0, 0);
    this.number.textContent = String(n);
    this.time.textContent = clock(this.times[n]);
    this.picture.dataset.frame = String(n);
    if (n === this.player.wanted) this.ready();
    this.calls.frame(n);
  }

  /** @param {number} n */
  wait(n) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      this.waits.textContent = `frame ${n} …`;
      this.waits.hidden = false;
    }, 120);
  }

  ready() {
    clearTimeout(this.timer);
    this.waits.hidden = true;
    clearTimeout(this.sayTimer);
    if (!this.player?.running) this.sayTimer = window.setTimeout(() => say(`frame ${this.number.textContent}, ${this.time.textContent}`), 400);
  }

  /** @param {string} problem */
  fail(problem) {
    clearTimeout(this.timer);
    this.waits.textContent = problem;
    this.waits.hidden = false;
    say(problem, "warning");
  }

  /** Fit the canvas into its box without changing its shape. */
  fit() {
    const [width, height] = [this.picture.clientWidth, this.picture.clientHeight];
    if (!width || !height) return;
    const scale = Math.min(width / this.canvas.width, height / this.canvas.height);
    this.canvas.style.width = `${Math.floor(this.canvas.width * scale)}px`;
    this.canvas.style.height = `${Math.floor(this.canvas.height * scale)}px`;
    const wanted = Math.min(width * devicePixelRatio, this.film.width ?? 1920);
    const step = WIDTHS.find((w) => w >= wanted) ?? 1920;
    if (step > this.player.view.width || step < this.player.view.width / 2) this.look({ width: step });
  }

  /** @param {Partial<View>} change */
  look(change) {
    this.player.look(change);
    this.showView();
    if (change.face !== undefined) this.calls.face(change.face);
  }

  showView() {
    const { kind, face, factor } = this.player.view;
    for (const button of this.views.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.view === kind));
    for (const button of this.faces.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.face === String(face)));
    this.factor.disabled = kind !== "enlarged";
    this.factorText.textContent = `${factor} ×`;
  }

  /** @param {number} factor */
  enlarge(factor) {
    const kept = Math.max(2, Math.min(20, factor));
    this.factor.value = String(kept);
    remember("factor", String(kept));
    this.look({ factor: kept });
  }

  showPlaying() {
    const isPlaying = Boolean(this.player?.running);
    this.playButton.textContent = isPlaying ? "Stop" : "Play";
    this.playButton.title = `${keysText("toggle")}; ${keysText("reverse")} backwards`;
    this.speed.value = String(this.player?.speed ?? 1);
  }

  /** @param {[number, number]} range */
  loop(range) {
    if (this.player.running && this.player.range?.join() === range.join()) return this.player.stop();
    this.player.stop();
    return this.player.play(1, range);
  }

  goTo() {
    const frame = placeOf(this.place.value, this.times);
    if (frame === null) return say(`${this.place.value} is no frame or time of this film. Write a frame such as 120, or a time such as 4.5 s or 1:02.5.`, "warning");
    this.player.step(frame - this.player.wanted);
    this.place.value = "";
    return this.picture.focus();
  }

  async watch() {
    this.player.stop();
    const url = server.videoOf(this.film.id);
    const box = h("div", { class: "watch" }, h("p", { class: "dim" }, "Opening the film …"));
    let isOpen = true;
    const shown = dialog(this.film.name, () => [box, h("p", { class: "dim" }, "For watching only. Frames are coded on the numbered pictures.")], "wide");
    void shown.then(() => (isOpen = false));
    while (isOpen) {
      const answer = await fetch(url, { headers: { range: "bytes=0-0" } });
      if (answer.status !== 202) {
        box.replaceChildren(answer.ok ? h("video", { controls: true, src: url }) : h("p", { class: "empty" }, (await answer.json().catch(() => null))?.error ?? "This film cannot be played."));
        return;
      }
      const { progress } = await answer.json();
      box.replaceChildren(h("p", { class: "dim" }, "Making a copy that this browser can play."), h("progress", { max: 1, value: progress ?? 0, "aria-label": "Copy for watching" }));
      await new Promise((go_on) => setTimeout(go_on, 500));
    }
  }

  /** @param {string} action @returns {boolean} */
  act(action) {
    const { player } = this;
    const at = SPEEDS.indexOf(player.speed);
    /** @type {Record<string, () => unknown>} */
    const actions = {
      back: () => player.step(-1),
      forth: () => player.step(1),
      back10: () => player.step(-10),
      forth10: () => player.step(10),
      first: () => player.step(-player.wanted),
      last: () => player.step(this.times.length - 1 - player.wanted),
      goto: () => this.place.focus(),
      reverse: () => player.play(-1),
      pause: () => player.stop(),
      play: () => player.play(1),
      toggle: () => (player.running ? player.stop() : player.play(1)),
      slower: () => player.setSpeed(SPEEDS[Math.max(at - 1, 0)]),
      faster: () => player.setSpeed(SPEEDS[Math.min(at + 1, SPEEDS.length - 1)]),
      view: () => this.film.faces.length && this.look({ kind: VIEWS[(VIEWS.findIndex(([kind]) => kind === player.view.kind) + 1) % VIEWS.length][0] }),
      enlarge: () => this.enlarge(player.view.factor + 1),
      reduce: () => this.enlarge(player.view.factor - 1),
      leave: () => this.picture.focus(),
    };
    if (!(action in actions)) return false;
    actions[action]();
    return true;
  }

  close() {
    this.resized.disconnect();
    clearTimeout(this.timer);
    clearTimeout(this.sayTimer);
    this.player.close();
  }

  sayTimer = 0;
}
