// The lanes under the picture, on one canvas: go to a place, choose an event, drag its borders and its apex, zoom.

import { colours, onColours } from "./colours.js";
import { h } from "./dom.js";
import { GUTTER, drawAxis, drawBar, drawCurves, drawExpressions, drawSpeaking, heightOf, rowsOf, timeAt, xOf } from "./lanes_draw.js";
import { firstFrom, frameOn, nearest } from "./words.js";

/** @import {Bar, Row, Span, Track} from "./lanes_draw.js" */
/** @import {LaneData} from "./types.js" */

const NEAR = 6; // pixels within which a border is taken hold of

/**
 * @typedef {"onset" | "apex" | "offset"} Mark
 * @typedef {{bar: Bar, mark: Mark, frame: number}} Drag
 * @typedef {object} LaneCalls
 * @property {(frame: number) => void} go
 * @property {(key: string) => void} choose
 * @property {(key: string, mark: Mark, frame: number) => void} move when a drag is over
 * @property {(first: number, last: number, points: number) => void} range other frames are in view
 */

export class Lanes {
  /**
   * @param {Float64Array} times
   * @param {number} end seconds at which the last frame ends
   * @param {LaneCalls} calls
   */
  constructor(times, end, calls) {
    this.times = times;
    this.end = Math.max(end, 1e-3);
    this.calls = calls;
    this.canvas = h("canvas", { role: "img", "aria-label": "Lanes of the film over time; the list of events holds the same events" });
    this.element = h("div", { class: "lanes" }, this.canvas);
    this.pen = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.from = 0;
    this.to = this.end;
    /** @type {Track[]} */
    this.tracks = [];
    /** @type {LaneData | null} */
    this.data = null;
    /** @type {number[]} */
    this.cuts = [];
    this.frame = 0;
    this.chosen = "";
    /** @type {Drag | null} */
    this.drag = null;
    this.dropped = false; // the drag is over, and its edit is on the way
    this.scrubs = false;
    this.due = false;
    /** @type {Row[]} */
    this.rows = rowsOf([], null);
    this.size = { width: 0, height: 0 };
    this.listen();
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.element);
    this.unwatch = onColours(() => this.draw());
  }

  close() {
    this.observer.disconnect();
    this.unwatch();
  }

  /** @returns {Span} */
  get span() {
    return { from: this.from, to: this.to, left: GUTTER, width: Math.max(this.size.width - GUTTER - 8, 1) };
  }

  /** @param {Partial<{tracks: Track[], data: LaneData | null, cuts: number[], frame: number, chosen: string}>} change */
  set(change) {
    const moved = change.frame !== undefined && change.frame !== this.frame;
    Object.assign(this, change);
    if (change.tracks && this.dropped) {
      this.drag = null;
      this.dropped = false;
    }
    if (change.tracks || change.data !== undefined) this.layOut();
    if (moved) this.follow();
    this.draw();
  }

  layOut() {
    this.rows = rowsOf(this.tracks, this.data);
    this.resize();
  }

  resize() {
    const [width, height, ratio] = [this.element.clientWidth, heightOf(this.rows), devicePixelRatio];
    if (!width) return;
    const isWider = width !== this.size.width;
    this.size = { width, height };
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    if (isWider) this.tell();
    this.paint();
  }

  /** Show these seconds. @param {number} from @param {number} to */
  show(from, to) {
    const least = Math.min(this.end, 12 * (this.end / this.times.length));
    const length = Math.min(Math.max(to - from, least), this.end);
    const middle = (from + to) / 2;
    this.from = Math.max(0, Math.min(middle - length / 2, this.end - length));
    this.to = this.from + length;
    this.tell();
    this.draw();
  }

  /** Closer or further around a moment. @param {number} factor @param {number} [at] */
  zoom(factor, at = this.times[this.frame]) {
    const length = (this.to - this.from) * factor;
    const share = (at - this.from) / (this.to - this.from);
    const from = at - Math.max(0, Math.min(share, 1)) * length;
    this.show(from, from + length);
  }

  /** @param {number} s */
  pan(s) {
    const by = Math.max(-this.from, Math.min(s, this.end - this.to));
    if (by) this.show(this.from + by, this.to + by);
  }

  /** Keep the playhead in view. */
  follow() {
    const s = this.times[this.frame];
    const length = this.to - this.from;
    if (s < this.from || s > this.to) this.show(s - length * 0.3, s + length * 0.7);
  }

  tell() {
    const first = Math.max(0, firstFrom(this.times, this.from) - 1);
    const last = Math.min(this.times.length - 1, firstFrom(this.times, this.to) + 1);
    this.calls.range(first, last, Math.round(this.span.width));
  }

  /** @param {number} frame when it ends */
  endOf(frame) {
    return frame + 1 < this.times.length ? this.times[frame + 1] : this.end;
  }

  draw() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.paint();
    });
  }

  paint() {
    const { pen, span, size } = this;
    if (!size.width) return;
    const c = colours();
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    pen.clearRect(0, 0, size.width, size.height);
    pen.font = "12px system-ui, sans-serif";
    pen.save();
    pen.beginPath();
    pen.rect(GUTTER, 0, span.width, size.height);
    pen.clip();
    for (const row of this.rows) this.paintRow(row, span);
    this.paintMarks(span);
    pen.restore();
    pen.textBaseline = "middle";
    for (const row of this.rows) this.paintTitle(row, c);
  }

  /** @param {Row} row @param {Span} span */
  paintRow(row, span) {
    const c = colours();
    const { pen, data } = this;
    if (row.kind === "axis") drawAxis(pen, row, span, c);
    else if (row.kind === "curves") drawCurves(pen, row, span, data?.time ?? [], c);
    else if (row.kind === "expressions" && data?.expressions) drawExpressions(pen, row, span, data.expressions, c);
    else if (row.kind === "speaking" && data) drawSpeaking(pen, row, span, data.speaking, c);
    else if (row.track) {
      pen.fillStyle = c.soft;
      pen.fillRect(span.left, row.y, span.width, row.height);
      const inView = row.track.bars.filter((bar) => this.endOf(bar.offset) >= this.from && this.times[bar.onset] <= this.to);
      for (const bar of inView) drawBar(pen, row, bar, this.xsOf(this.dragged(bar), span), bar.key === this.chosen, c);
    }
  }

  /** @param {Span} span */
  paintMarks(span) {
    const { pen } = this;
    const c = colours();
    pen.strokeStyle = c.ink;
    pen.setLineDash([5, 4]);
    pen.beginPath();
    for (const s of this.cuts) {
      pen.moveTo(xOf(span, s), 24);
      pen.lineTo(xOf(span, s), this.size.height);
    }
    pen.globalAlpha = 0.6;
    pen.stroke();
    pen.setLineDash([]);
    const [from, to] = [xOf(span, this.times[this.frame]), xOf(span, this.endOf(this.frame))];
    pen.fillStyle = c["note-line"];
    pen.globalAlpha = 0.28;
    pen.fillRect(from, 0, Math.max(to - from, 1), this.size.height);
    pen.globalAlpha = 1;
    pen.fillRect(from - 0.75, 0, 1.5, this.size.height);
    pen.beginPath();
    pen.moveTo(from - 6, 0);
    pen.lineTo(from + 6, 0);
    pen.lineTo(from, 8);
    pen.fill();
  }

  /** @param {Row} row @param {import("./colours.js").Colours} c */
  paintTitle(row, c) {
    const { pen } = this;
    pen.textAlign = "left";
    pen.fillStyle = row.kind === "track" ? c.ink : c.dim;
    if (row.kind === "expressions" && this.data?.expressions) {
      const { names } = this.data.expressions;
      pen.font = "9px system-ui, sans-serif";
      names.forEach((name, i) => pen.fillText(name, GUTTER - 52, row.y + row.height - (i + 0.5) * (row.height / names.length)));
      pen.font = "12px system-ui, sans-serif";
    }
    pen.fillText(row.title, 4, row.y + row.height / 2, GUTTER - (row.kind === "expressions" ? 60 : 10));
  }

  /** @param {Bar} bar */
  dragged(bar) {
    if (this.drag?.bar.key !== bar.key) return bar;
    const { mark, frame } = this.drag;
    return { ...bar, [mark]: frame };
  }

  /** @param {Bar} bar @param {Span} span @returns {[number, number | null, number]} */
  xsOf(bar, span) {
    const apex = bar.apex === null ? null : (xOf(span, this.times[bar.apex]) + xOf(span, this.endOf(bar.apex))) / 2;
    return [xOf(span, this.times[bar.onset]), apex, xOf(span, this.endOf(bar.offset))];
  }

  /**
   * What lies under the pointer: a bar, and which of its marks can be taken hold of.
   * @param {number} x @param {number} y @returns {{bar: Bar, mark: Mark | null} | null}
   */
  under(x, y) {
    const row = this.rows.find((r) => r.track && y >= r.y && y < r.y + r.height);
    const bars = row?.track?.bars ?? [];
    const sorted = [...bars].sort((a, b) => Number(b.key === this.chosen) - Number(a.key === this.chosen) || a.offset - a.onset - (b.offset - b.onset));
    for (const bar of sorted) {
      const [from, apex, end] = this.xsOf(bar, this.span);
      const wide = Math.max(end - from, 3);
      if (x < from - NEAR || x > from + wide + NEAR) continue;
      if (!bar.mine || bar.state === "refused") {
        if (x >= from - 2 && x <= from + wide + 2) return { bar, mark: null };
        continue;
      }
      if (apex !== null && Math.abs(x - apex) <= NEAR && wide > 3 * NEAR && y > (row?.y ?? 0) + 8) return { bar, mark: "apex" };
      if (Math.abs(x - from) <= NEAR && x - from < wide / 3) return { bar, mark: "onset" };
      if (Math.abs(x - from - wide) <= NEAR) return { bar, mark: "offset" };
      return { bar, mark: null };
    }
    return null;
  }

  /** The frame that a mark would be at: an offset's frame ends under the pointer. @param {Drag} drag @param {number} s */
  frameFor(drag, s) {
    const { bar, mark } = drag;
    const frame = mark === "apex" ? frameOn(this.times, s) : mark === "onset" ? nearest(this.times, s) : nearest(this.times, s) - 1;
    if (mark === "onset") return Math.max(0, Math.min(frame, bar.apex ?? bar.offset));
    if (mark === "offset") return Math.min(this.times.length - 1, Math.max(frame, bar.apex ?? bar.onset));
    return Math.max(bar.onset, Math.min(frame, bar.offset));
  }

  listen() {
    const { canvas } = this;
    const place = (/** @type {PointerEvent | WheelEvent} */ e) => {
      const box = canvas.getBoundingClientRect();
      return /** @type {[number, number]} */ ([e.clientX - box.left, e.clientY - box.top]);
    };
    canvas.addEventListener("pointerdown", (e) => {
      if (e.button !== 0) return;
      const [x, y] = place(e);
      if (x < GUTTER) return;
      canvas.setPointerCapture(e.pointerId);
      this.drag = null;
      this.dropped = false;
      const found = this.under(x, y);
      if (found) {
        this.calls.choose(found.bar.key);
        if (found.mark) this.drag = { bar: found.bar, mark: found.mark, frame: /** @type {number} */ (found.bar[found.mark]) };
        if (this.drag) this.calls.go(this.drag.frame);
      } else {
        this.scrubs = true;
        this.calls.go(frameOn(this.times, timeAt(this.span, x)));
      }
    });
    canvas.addEventListener("pointermove", (e) => {
      const [x, y] = place(e);
      const s = timeAt(this.span, x);
      if (this.drag && !this.dropped) {
        this.drag.frame = this.frameFor(this.drag, s);
        this.calls.go(this.drag.frame);
        this.draw();
      } else if (this.scrubs) this.calls.go(frameOn(this.times, s));
      else {
        const found = x < GUTTER ? null : this.under(x, y);
        canvas.style.cursor = found ? (found.mark ? "ew-resize" : "pointer") : "default";
        canvas.title = found?.bar.label ?? "";
      }
    });
    const over = (/** @type {boolean} */ isKept) => {
      const drag = this.drag;
      this.scrubs = false;
      if (!drag || this.dropped) return;
      if (isKept && drag.frame !== drag.bar[drag.mark]) {
        this.dropped = true;
        this.calls.move(drag.bar.key, drag.mark, drag.frame);
      } else this.drag = null;
      this.draw();
    };
    canvas.addEventListener("pointerup", () => over(true));
    canvas.addEventListener("pointercancel", () => over(false));
    canvas.addEventListener(
      "wheel",
      (e) => {
        const across = e.shiftKey && !e.deltaX ? e.deltaY : e.deltaX;
        if (e.ctrlKey || e.metaKey) this.zoom(Math.exp(e.deltaY / 300), timeAt(this.span, place(e)[0]));
        else if (Math.abs(across) > 0) this.pan((across / this.span.width) * (this.to - this.from));
        else return;
        e.preventDefault();
      },
      { passive: false },
    );
  }
}
