// How good is the machine on my films? What was accepted, corrected, refused and added says.

import { choose, h, svg, table } from "./dom.js";
import { server } from "./server.js";
import { coder } from "./who.js";
import { interval, percent } from "./words.js";

/** @import {Page} from "./main.js" */
/** @import {Bin, KindScore, State} from "./types.js" */

const KINDS = ["micro", "macro", "blink", "wink", "all"];
const NAMES = /** @type {Record<string, string>} */ ({ all: "micro + macro" });

/** @param {State} state @param {string[]} _place @param {URLSearchParams} query @returns {Promise<Page>} */
export async function machinePage(state, _place, query) {
  const element = h("section", { class: "page" }, h("h1", {}, "How good is the machine on my films?"));
  const who = query.get("coder") ?? (state.coders.includes(coder().toLowerCase()) ? coder().toLowerCase() : state.coders[0]);
  if (!who) {
    element.append(h("p", { class: "empty" }, "Nobody has coded a film yet. Accept, correct or refuse some proposals first."));
    return { element, title: "The machine" };
  }
  const asked = Number(query.get("precision") ?? 0.9);
  const go = () => (location.hash = `#/machine?${new URLSearchParams({ coder: person.value, precision: wish.value })}`);
  const person = choose({ "aria-label": "Coder", onchange: go }, state.coders.map((name) => [name, name]), who);
  const wish = choose({ "aria-label": "Precision that is asked for", onchange: go }, [0.5, 0.7, 0.8, 0.9, 0.95, 1].map((p) => [String(p), `${Math.round(100 * p)} % right`]), String(asked));
  element.append(
    h("p", { class: "sub" }, "What a coder accepted, corrected, refused and added is taken as the truth."),
    h("div", { class: "bar" }, h("label", { class: "line" }, h("span", {}, "As judged by"), person), h("label", { class: "line" }, h("span", {}, "I want proposals that are"), wish)),
  );
  try {
    element.append(...found(await server.howGood(who, asked), asked));
  } catch (error) {
    element.append(h("p", { class: "empty" }, error instanceof Error ? error.message : String(error)));
  }
  return { element, title: "The machine" };
}

/** @param {any} score @param {number} asked @returns {Node[]} */
function found(score, asked) {
  const done = Object.entries(score.done).map(([name, count]) => `${count} ${name}`).join(", ");
  const kinds = KINDS.filter((kind) => score[kind].proposals || score[kind].missed);
  if (!kinds.length) return [h("p", {}, `Proposals: ${done}.`), h("p", { class: "empty" }, "No proposal has been decided on yet.")];
  const rows = kinds.map((kind) => {
    const s = /** @type {KindScore} */ (score[kind]);
    return [NAMES[kind] ?? kind, s.proposals, s.right, s.missed, percent(s.precision), interval(s.precision_interval), percent(s.recall), interval(s.recall_interval)];
  });
  const reach = kinds.map((kind) => {
    const { confidence: c } = /** @type {KindScore} */ (score[kind]);
    return c ? [NAMES[kind] ?? kind, percent(c.from), c.proposals, percent(c.precision), interval(c.precision_interval), percent(c.recall)] : [NAMES[kind] ?? kind, "none", "–", "–", "–", "–"];
  });
  return [
    h("p", {}, `Proposals: ${done}.`),
    table("Precision and recall by kind", ["kind", "decided", "right", "missed", "precision", "95 % interval", "recall", "95 % interval"], rows),
    h("p", { class: "hint" }, "Precision is the share of proposals that are right. Recall is the share of your events that were proposed; it holds only for films that you looked through to the end. The intervals treat events as independent."),
    h("h2", {}, `Confidence from which ${percent(asked)} are right`),
    table("Confidence for the asked precision", ["kind", "confidence from", "proposals", "precision", "95 % interval", "recall"], reach),
    h("p", { class: "hint" }, "The same films choose this confidence and measure it, so expect a little less on new ones."),
    ...kinds.filter((kind) => score[kind].by_confidence.length).map((kind) => plot(NAMES[kind] ?? kind, score[kind].by_confidence)),
  ];
}

/** Precision with its interval in each bin of confidence. @param {string} title @param {Bin[]} bins */
function plot(title, bins) {
  const [width, height, left, foot] = [560, 190, 44, 28];
  const x = (/** @type {number} */ v) => left + v * (width - left - 10);
  const y = (/** @type {number} */ v) => 10 + (1 - v) * (height - foot - 10);
  const grid = [0, 0.25, 0.5, 0.75, 1].flatMap((v) => [
    svg("line", { x1: left, x2: width - 10, y1: y(v), y2: y(v), class: "grid" }),
    svg("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, document.createTextNode(percent(v))),
    svg("text", { x: x(v), y: height - 10, "text-anchor": "middle" }, document.createTextNode(String(v))),
  ]);
  const marks = bins.flatMap((bin) => {
    const middle = x((bin.from + bin.to) / 2);
    const [low, high] = bin.precision_interval ?? [0, 1];
    return [svg("line", { x1: middle, x2: middle, y1: y(low), y2: y(high), class: "whisker" }), svg("circle", { cx: middle, cy: y(bin.precision ?? 0), r: 4.5, class: "dot" })];
  });
  const label = `Precision of ${title} by confidence; the table below has the numbers`;
  const rows = bins.map((bin) => [`${bin.from} to ${bin.to}`, bin.proposals, percent(bin.precision), interval(bin.precision_interval)]);
  return h("section", {}, h("h2", {}, `Precision by confidence: ${title}`), h("figure", { class: "plot" }, svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...grid, ...marks)),
    table(`Precision of ${title} by confidence`, ["confidence", "decided", "precision", "95 % interval"], rows));
}
