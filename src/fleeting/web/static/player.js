// Which frame is wanted and which one is shown. The number that is shown is always that of the picture on the canvas.

import { Frames } from "./frames.js";
import { frameOn } from "./words.js";

/** @import {View} from "./frames.js" */

export const SPEEDS = [0.1, 0.25, 0.5, 1, 2];

/**
 * @typedef {object} Seen
 * @property {(bitmap: ImageBitmap, frame: number) => void} draw a picture and its number, together
 * @property {(frame: number) => void} waiting another frame is wanted than the one that is shown
 * @property {(problem: string) => void} failed
 * @property {() => void} playing play, direction or speed have changed
 */

export class Player {
  /**
   * @param {Frames} frames
   * @param {Float64Array} times
   * @param {View} view
   * @param {Seen} seen
   */
  constructor(frames, times, view, seen) {
    this.frames = frames;
    this.times = times;
    this.view = view;
    this.seen = seen;
    this.wanted = 0;
    this.shown = -1;
    this.asked = 0; // of the last request
    this.answered = 0; // of the request whose picture is shown
    this.busy = 0;
    this.again = false;
    /** @type {-1 | 0 | 1} */
    this.direction = 0;
    /** @type {-1 | 0 | 1} */
    this.running = 0;
    this.speed = 1;
    /** @type {[number, number] | null} frames, both included */
    this.range = null;
    /** @type {{frame: number, done: (shown: boolean) => void}[]} */
    this.waiters = [];
    this.closed = false;
  }

  /** Want a frame. @param {number} frame */
  go(frame) {
    const n = Math.max(0, Math.min(this.times.length - 1, Math.round(frame)));
    const step = n - this.wanted;
    if (step) this.direction = Math.abs(step) > 2 * 24 ? 0 : step > 0 ? 1 : -1;
    this.wanted = n;
    this.leave(n);
    this.show();
  }

  /** Step from the wanted frame, and stop. @param {number} by */
  step(by) {
    this.stop();
    this.go(this.wanted + by);
  }

  /** @param {Partial<View>} change */
  look(change) {
    this.view = { ...this.view, ...change };
    this.asked += 1;
    this.answered = this.asked; // pictures of the former view come too late
    this.shown = -1;
    this.show();
  }

  /** Wait until a frame is on the canvas. False where another one was wanted first. @param {number} frame @returns {Promise<boolean>} */
  until(frame) {
    if (this.shown === frame) return Promise.resolve(true);
    return new Promise((done) => this.waiters.push({ frame, done }));
  }

  /** Settle those who wait for a frame that is no longer wanted. @param {number} wanted */
  leave(wanted) {
    const over = this.waiters.filter((w) => w.frame !== wanted);
    this.waiters = this.waiters.filter((w) => w.frame === wanted);
    for (const waiter of over) waiter.done(false);
  }

  show() {
    if (this.shown === this.wanted || this.closed) return this.ahead();
    const here = this.frames.at(this.wanted, this.view);
    if (here) {
      this.answered = this.asked += 1;
      this.put(here, this.wanted);
      return this.ahead();
    }
    this.seen.waiting(this.wanted);
    this.frames.queue = []; // what was planned for another place would hold this picture up
    if (this.busy >= 2) {
      this.again = true; // the latest wish is asked for when one of the two has answered
      return undefined;
    }
    void this.fetch(this.wanted);
    return undefined;
  }

  /** @param {number} frame */
  async fetch(frame) {
    const serial = (this.asked += 1);
    this.busy += 1;
    try {
      const bitmap = await this.frames.get(frame, this.view);
      if (serial > this.answered && !this.closed) {
        this.answered = serial;
        this.put(bitmap, frame);
      }
    } catch (error) {
      if (frame === this.wanted && serial > this.answered && !this.closed) {
        this.leave(-1);
        this.stop();
        this.seen.failed(error instanceof Error ? error.message : String(error));
      }
    }
    this.busy -= 1;
    if (this.again) {
      this.again = false;
      this.show();
    } else if (this.shown === this.wanted) this.ahead();
  }

  /** @param {ImageBitmap} bitmap @param {number} frame */
  put(bitmap, frame) {
    this.shown = frame;
    this.seen.draw(bitmap, frame);
    const there = this.waiters.filter((w) => w.frame === frame);
    this.waiters = this.waiters.filter((w) => w.frame !== frame);
    for (const waiter of there) waiter.done(true);
  }

  ahead() {
    if (!this.closed) this.frames.prefetch(this.wanted, this.direction, this.view);
  }

  /** @param {-1 | 1} direction @param {[number, number] | null} [range] */
  play(direction, range = null) {
    if (this.running === direction && this.range === null && range === null) {
      this.setSpeed(SPEEDS[Math.min(SPEEDS.indexOf(this.speed) + 1, SPEEDS.length - 1)]);
      return;
    }
    const last = this.times.length - 1;
    if (!range && direction > 0 && this.wanted === last) this.go(0);
    if (!range && direction < 0 && this.wanted === 0) this.go(last);
    this.running = direction;
    this.range = range;
    if (range && (this.wanted < range[0] || this.wanted > range[1])) this.go(range[0]);
    this.seen.playing();
    this.start();
  }

  start() {
    const run = (this.run = {}); // an older run stops where a newer one has begun
    let media = this.times[this.wanted];
    let before = performance.now();
    const tick = (/** @type {number} */ now) => {
      if (this.run !== run || !this.running || this.closed) return;
      const passed = Math.min(Math.max(now - before, 0), 250) / 1000;
      before = now;
      media += passed * this.speed * this.running;
      const end = this.bounds();
      if (this.range && (media >= end[1] || media < end[0])) media = this.running > 0 ? end[0] : end[1] - 1e-6;
      else if (media >= end[1] || media < end[0]) return this.finish(media >= end[1] ? this.times.length - 1 : 0);
      const frame = frameOn(this.times, media);
      if (frame !== this.wanted) this.go(frame);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  /** Seconds in which it plays; a frame lasts until the next one. @returns {[number, number]} */
  bounds() {
    const [first, last] = this.range ?? [0, this.times.length - 1];
    return [this.times[first], this.endOf(last)];
  }

  /** When a frame ends. @param {number} frame */
  endOf(frame) {
    const n = this.times.length;
    if (frame + 1 < n) return this.times[frame + 1];
    return this.times[n - 1] + (n > 1 ? (this.times[n - 1] - this.times[0]) / (n - 1) : 0.04);
  }

  /** @param {number} frame */
  finish(frame) {
    this.stop();
    this.go(frame);
  }

  stop() {
    if (!this.running) return;
    this.running = 0;
    this.range = null;
    this.seen.playing();
  }

  /** @param {number} speed */
  setSpeed(speed) {
    this.speed = speed;
    this.seen.playing();
  }

  close() {
    this.closed = true;
    this.running = 0;
    this.leave(-1);
    this.frames.queue = [];
  }

  /** @type {object} */
  run = {};
}
