// A study: whose face a film shows and under which condition, and how many events a codable minute by condition.

import { choose, h, say, svg, table } from "./dom.js";
import { server } from "./server.js";
import { coder, isBlind } from "./who.js";
import { fixed } from "./words.js";

/** @import {Page} from "./main.js" */
/** @import {Film, State} from "./types.js" */
/** @typedef {{events: number, per_minute: number | null, interval: [number, number] | null}} Rate */
/** @typedef {Record<string, any> & {films: number, people: number, minutes: number}} Condition */

const KINDS = /** @type {Record<string, string>} */ ({ micro: "Micro-expressions", macro: "Macro-expressions", blink: "Blinks", wink: "Winks" });

/** @param {State} state @param {string[]} _place @param {URLSearchParams} query @returns {Promise<Page>} */
export async function studyPage(state, _place, query) {
  const films = await server.films();
  const me = coder().toLowerCase();
  const sides = isBlind() ? state.coders.filter((name) => name === me) : [...state.coders, "machine"];
  const who = query.get("coder") ?? (sides.includes(me) ? me : sides.at(-1) ?? "machine");
  const kind = KINDS[query.get("kind") ?? ""] ? String(query.get("kind")) : "micro";
  const results = h("div", { "aria-live": "polite" });
  const show = async () => {
    try {
      results.replaceChildren(...found(await server.summary(who), kind, who));
    } catch (error) {
      results.replaceChildren(h("p", { class: "empty" }, error instanceof Error ? error.message : String(error)));
    }
  };
  const go = () => (location.hash = `#/study?${new URLSearchParams({ coder: person.value, kind: of.value })}`);
  const person = choose({ "aria-label": "Events of", onchange: go }, sides.map((name) => [name, `events of ${name}`]), who);
  const of = choose({ "aria-label": "Kind of event", onchange: go }, Object.entries(KINDS), kind);
  const file = h("input", { type: "file", accept: ".csv", class: "unseen", tabindex: "-1", "aria-label": "Table of the study", onchange: async () => {
    const chosen = file.files?.[0];
    file.value = "";
    if (!chosen) return;
    try {
      await server.studyTable(await chosen.text());
      dispatchEvent(new HashChangeEvent("hashchange")); // the page again, with what was read
    } catch (error) {
      say(error instanceof Error ? error.message : String(error), "warning");
    }
  } });
  const element = h("section", { class: "page" }, h("h1", {}, "Study"),
    h("p", { class: "sub" }, "Give every film a person and a condition. Type them below, or read a csv with the columns film, person and condition."),
    h("div", { class: "bar" }, person, of, h("span", { class: "end" }, file, h("button", { type: "button", onclick: () => file.click() }, "Read a csv"), h("a", { class: "button", href: server.summaryOf(who), download: "" }, "Save as csv"))),
    results, h("h2", {}, "Films"), filmTable(films, show));
  await show();
  return { element, title: "Study" };
}

/** @param {Film[]} films @param {() => Promise<void>} changed */
function filmTable(films, changed) {
  const field = (/** @type {Film} */ film, /** @type {"person" | "condition"} */ what) => {
    const input = h("input", { type: "text", maxlength: 200, value: film[what] ?? "", list: `known-${what}`, "aria-label": `${what} of ${film.name}`, onchange: async () => {
      film[what] = input.value.trim();
      try {
        await server.studyRows({ [film.id]: { person: film.person ?? "", condition: film.condition ?? "" } });
        await changed();
      } catch (error) {
        say(`Not saved. ${error instanceof Error ? error.message : error}`, "warning");
      }
    } });
    return input;
  };
  const known = (/** @type {"person" | "condition"} */ what) =>
    h("datalist", { id: `known-${what}` }, ...[...new Set(films.map((f) => f[what]).filter((v) => v))].map((value) => h("option", { value: String(value) })));
  if (!films.length) return h("p", { class: "empty" }, "No film yet.");
  return h("div", {}, known("person"), known("condition"), table("Films of the study", ["film", "person", "condition"], films.map((f) => [f.name, field(f, "person"), field(f, "condition")])));
}

/** @param {{conditions: Record<string, Condition>, films_left_out: string[]}} summary @param {string} kind @param {string} who @returns {Node[]} */
function found({ conditions, films_left_out: left }, kind, who) {
  const entries = Object.entries(conditions);
  if (!entries.length) return [h("p", { class: "empty" }, `${who} has coded no film yet.`)];
  const between = (/** @type {Rate} */ r) => (r.interval ? `${fixed(r.interval[0])} to ${fixed(r.interval[1])}` : "–");
  const rows = entries.map(([name, c]) => [name || "no condition", c.films, c.people, fixed(c.minutes), c[kind].events, fixed(c[kind].per_minute), between(c[kind])]);
  return [
    h("h2", {}, `${KINDS[kind]} per codable minute`),
    entries.some(([, c]) => c[kind].per_minute !== null) ? plot(entries, kind) : h("p", { class: "empty" }, "No minute can be coded."),
    table(`${KINDS[kind]} by condition`, ["condition", "films", "people", "minutes", "events", "per minute", "95 % interval"], rows),
    h("p", { class: "hint" }, "A minute is codable if a face is in view and nobody marked it as not codable. Intervals come from bootstrap samples of people. With fewer than three people there is none."),
    ...(left.length ? [h("p", { class: "hint" }, `Left out, because ${who} has not coded them: ${left.join(", ")}.`)] : []),
  ];
}

/** @param {[string, Condition][]} entries @param {string} kind */
function plot(entries, kind) {
  const [width, row, left] = [640, 34, 150];
  const height = entries.length * row + 30;
  const most = Math.max(...entries.map(([, c]) => Math.max(c[kind].interval?.[1] ?? 0, c[kind].per_minute ?? 0))) * 1.08 || 1;
  const x = (/** @type {number} */ v) => left + (v / most) * (width - left - 16);
  const text = (/** @type {string} */ said, /** @type {Record<string, string | number>} */ at) => svg("text", at, document.createTextNode(said));
  const tenth = 10 ** Math.floor(Math.log10(most / 2));
  const step = tenth * ([1, 2, 5].find((s) => most / (s * tenth) < 6) ?? 10);
  const grid = Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step).flatMap((v) => [
    svg("line", { x1: x(v), x2: x(v), y1: 6, y2: height - 22, class: "grid" }),
    text(String(Number(v.toPrecision(3))), { x: x(v), y: height - 6, "text-anchor": "middle" }),
  ]);
  const marks = entries.flatMap(([name, c], i) => {
    const y = 6 + (i + 0.5) * row;
    const { per_minute: rate, interval } = /** @type {Rate} */ (c[kind]);
    const label = name || "no condition";
    return [
      text(label.length > 22 ? `${label.slice(0, 21)}…` : label, { x: left - 10, y: y + 4, "text-anchor": "end" }),
      ...(interval ? [svg("line", { x1: x(interval[0]), x2: x(interval[1]), y1: y, y2: y, class: "whisker" })] : []),
      ...(rate === null ? [] : [svg("circle", { cx: x(rate), cy: y, r: 5, class: "dot" })]),
    ];
  });
  const label = `${KINDS[kind]} per codable minute by condition; the table below has the numbers`;
  return h("figure", { class: "plot" }, svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...grid, ...marks));
}
