// How lanes are drawn: curves, strips and events on one time axis. No state but what comes in.

import { clock } from "./words.js";

/** @import {Colours} from "./colours.js" */
/** @import {Curve, LaneData} from "./types.js" */
/** @typedef {CanvasRenderingContext2D} Pen */

/**
 * An event in a lane. `mine`: can be dragged. `state`: how it is drawn.
 * @typedef {{key: string, kind: string, onset: number, apex: number | null, offset: number, mine: boolean, state: string,
 *   label: string}} Bar
 * @typedef {{name: string, title: string, bars: Bar[]}} Track
 * @typedef {{kind: "axis" | "track" | "curves" | "expressions" | "speaking", title: string, y: number, height: number,
 *   track?: Track, curves?: Curve[], floor?: number | null}} Row
 * @typedef {{from: number, to: number, left: number, width: number}} Span seconds and pixels
 */

export const GUTTER = 132;
const HEIGHTS = { axis: 24, track: 24, curves: 42, expressions: 64, speaking: 16 };

/**
 * What lies under what.
 * @param {Track[]} tracks @param {LaneData | null} data @returns {Row[]}
 */
export function rowsOf(tracks, data) {
  /** @type {Row[]} */
  const rows = [{ kind: "axis", title: "", y: 0, height: HEIGHTS.axis }];
  for (const track of tracks) rows.push({ kind: "track", title: track.title, y: 0, height: HEIGHTS.track, track });
  for (const { title, curves, floor } of data?.rows ?? []) rows.push({ kind: "curves", title, y: 0, height: HEIGHTS.curves, curves, floor });
  if (data?.eyes) rows.push({ kind: "curves", title: "Eyes", y: 0, height: HEIGHTS.curves, curves: data.eyes.curves, floor: null });
  if (data?.expressions) rows.push({ kind: "expressions", title: "Whole face", y: 0, height: HEIGHTS.expressions });
  if (data?.speaking.length) rows.push({ kind: "speaking", title: "Speaking", y: 0, height: HEIGHTS.speaking });
  let y = 0;
  for (const row of rows) {
    row.y = y;
    y += row.height + (row.kind === "track" ? 2 : 5);
  }
  return rows;
}

/** @param {Row[]} rows */
export const heightOf = (rows) => rows.reduce((most, row) => Math.max(most, row.y + row.height), 0) + 4;

/** @param {Span} span @param {number} s */
export const xOf = (span, s) => span.left + ((s - span.from) / (span.to - span.from)) * span.width;

/** @param {Span} span @param {number} x */
export const timeAt = (span, x) => span.from + ((x - span.left) / span.width) * (span.to - span.from);

const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

/** @param {Pen} pen @param {Row} row @param {Span} span @param {Colours} c */
export function drawAxis(pen, row, span, c) {
  const step = STEPS.find((s) => (s / (span.to - span.from)) * span.width >= 90) ?? 7200;
  pen.fillStyle = c.dim;
  pen.strokeStyle = c.line;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.beginPath();
  for (let i = Math.ceil(span.from / step - 1e-9); i * step <= span.to; i++) {
    const x = Math.round(xOf(span, i * step)) + 0.5;
    pen.moveTo(x, row.y + 6);
    pen.lineTo(x, row.y + row.height);
    const text = clock(i * step);
    pen.fillText(step >= 1 ? text.replace(/\.000$/, "") : step >= 0.1 ? text.replace(/00$/, "") : text, x + 4, row.y + 11);
  }
  pen.stroke();
}

/** @param {Pen} pen @param {Row} row @param {Span} span @param {number[]} time @param {Colours} c */
export function drawCurves(pen, row, span, time, c) {
  const bottom = row.y + row.height;
  pen.fillStyle = c.sheet;
  pen.fillRect(span.left, row.y, span.width, row.height);
  const curves = row.curves ?? [];
  let most = row.floor ?? 0;
  let least = 0;
  for (const { low, high } of curves) {
    for (const v of high) if (v !== null && v > most) most = v;
    for (const v of low) if (v !== null && v < least) least = v;
  }
  const scale = (row.height - 6) / Math.max(most - least, 1e-9);
  const yOf = (/** @type {number} */ v) => bottom - 3 - (v - least) * scale;
  if (row.floor) {
    pen.globalAlpha = 0.13;
    pen.fillStyle = c.dim;
    pen.fillRect(span.left, yOf(row.floor), span.width, bottom - yOf(row.floor));
    pen.globalAlpha = 1;
  }
  const colourOf = (/** @type {string} */ name) => (/left/.test(name) ? c.left : /right/.test(name) ? c.right : c.middle);
  pen.lineJoin = "round";
  for (const { name, low, high } of curves) {
    pen.strokeStyle = colourOf(name);
    pen.lineWidth = 1.3;
    pen.beginPath();
    let gap = true;
    for (let i = 0; i < time.length; i++) {
      const [a, b] = [low[i], high[i]];
      if (a === null || b === null || a === undefined || b === undefined) {
        gap = true;
        continue;
      }
      const x = xOf(span, time[i]);
      if (gap) pen.moveTo(x, yOf(b));
      else pen.lineTo(x, yOf(b));
      if (b - a > 1e-9) pen.lineTo(x, yOf(a));
      gap = false;
    }
    pen.stroke();
  }
}

/** @param {Pen} pen @param {Row} row @param {Span} span @param {NonNullable<LaneData["expressions"]>} found @param {Colours} c */
export function drawExpressions(pen, row, span, found, c) {
  const { time, names, percent } = found;
  const each = row.height / names.length;
  pen.fillStyle = c.sheet;
  pen.fillRect(span.left, row.y, span.width, row.height);
  names.forEach((name, i) => {
    const y = row.y + row.height - (i + 1) * each;
    pen.fillStyle = c.accent;
    for (let j = 0; j < time.length; j++) {
      const share = percent[i]?.[j];
      if (!share) continue;
      const from = xOf(span, j ? (time[j - 1] + time[j]) / 2 : time[j]);
      const to = xOf(span, j + 1 < time.length ? (time[j] + time[j + 1]) / 2 : time[j]);
      pen.globalAlpha = 0.85 * (share / 100);
      pen.fillRect(from, y + 0.5, Math.max(to - from, 1), each - 1);
    }
    pen.globalAlpha = 1;
  });
}

/** @param {Pen} pen @param {Row} row @param {Span} span @param {[number, number][]} spans @param {Colours} c */
export function drawSpeaking(pen, row, span, spans, c) {
  pen.fillStyle = c.sheet;
  pen.fillRect(span.left, row.y, span.width, row.height);
  pen.fillStyle = c["note-line"];
  for (const [from, to] of spans) pen.fillRect(xOf(span, from), row.y + 4, Math.max(xOf(span, to) - xOf(span, from), 1), row.height - 8);
}

/**
 * A bar from the beginning of its onset frame to the end of its offset frame.
 * @param {Pen} pen @param {Row} row @param {Bar} bar @param {[number, number | null, number]} xs onset, apex, end
 * @param {boolean} isChosen @param {Colours} c
 */
export function drawBar(pen, row, bar, xs, isChosen, c) {
  const [from, apex, end] = xs;
  const width = Math.max(end - from, 3);
  const [y, height] = [row.y + 4, row.height - 8];
  const colour = bar.kind === "micro" ? c.micro : bar.kind === "macro" ? c.macro : bar.kind === "uncodable" ? c["note-line"] : c.blink;
  const isOpen = bar.state === "open" || bar.state === "new";
  pen.beginPath();
  pen.roundRect(from, y, width, height, Math.min(4, width / 2));
  pen.globalAlpha = bar.state === "refused" ? 0.12 : isOpen ? 0.28 : bar.kind === "uncodable" ? 0.35 : 0.85;
  pen.fillStyle = colour;
  pen.fill();
  pen.globalAlpha = bar.state === "refused" ? 0.5 : 1;
  pen.strokeStyle = isChosen ? c.ink : colour;
  pen.lineWidth = isChosen ? 2 : 1.2;
  pen.setLineDash(isOpen && !isChosen ? [4, 3] : []);
  pen.stroke();
  pen.setLineDash([]);
  pen.globalAlpha = 1;
  if (apex !== null && width > 6) {
    pen.fillStyle = isChosen ? c.ink : isOpen ? colour : c.sheet;
    pen.beginPath();
    pen.moveTo(apex, y + height - 6.5);
    pen.lineTo(apex + 4.5, y + height);
    pen.lineTo(apex - 4.5, y + height);
    pen.fill();
  }
  if (isChosen && bar.mine && width > 14) {
    pen.fillStyle = c.ink;
    pen.fillRect(from - 2, y + 3, 4, height - 6);
    pen.fillRect(end - 2, y + 3, 4, height - 6);
  }
}
