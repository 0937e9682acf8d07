// The form of one event. Every change is put at once; what the server keeps is shown again.

import { choose, h, remember, remembered } from "./dom.js";
import { withMark } from "./coding.js";
import { keyOf } from "./keys.js";
import { isOpen, titleOf } from "./items.js";
import { INTENSITIES, NAMES, SIDES, readUnits, writeUnits } from "./units.js";
import { clock, fixed, lasting, percent, placeOf, words } from "./words.js";

/** @import {Item} from "./items.js" */
/** @import {Draft, FilmEvent, Kind, State} from "./types.js" */

/**
 * @typedef {object} FormCalls
 * @property {(how: (draft: Draft) => Draft) => void} change
 * @property {(mark: "onset" | "apex" | "offset") => void} here
 * @property {(frame: number) => void} go
 * @property {(action: string) => void} act an action of `keys.js`
 * @property {(problem: string) => void} refuse
 */

/** @type {[Kind, string][]} */
const KINDS = [["micro", "micro"], ["macro", "macro"], ["blink", "blink"], ["wink", "wink"], ["uncodable", "cannot be coded"]];
export const NEXT_KIND = /** @type {Record<Kind, Kind>} */ ({ micro: "macro", macro: "blink", blink: "wink", wink: "micro", uncodable: "micro" });

/** A scheme as people read it: `casme2-5` has the 5 classes of casme2. @param {string} name */
function schemeText(name) {
  const [source, count] = name.split("-");
  return count ? `${count} classes of ${source}` : `${name} classes`;
}

/** The scheme in which an event is named: its own, or the one that was used last. @param {Draft} draft @param {Record<string, string[]>} schemes */
export function schemeFor(draft, schemes) {
  if (draft.emotion && (draft.scheme in schemes || draft.scheme === "")) return draft.scheme;
  const last = remembered("scheme", "3");
  return last in schemes || last === "" ? last : "";
}

/**
 * @param {Item} item @param {Draft} draft @param {Float64Array} times @param {State} state @param {FormCalls} calls
 * @returns {HTMLElement}
 */
export function eventForm(item, draft, times, state, calls) {
  const { event } = item;
  const isMine = item.what !== "other";
  const machine = item.what === "proposal" ? event : event.proposal;
  const form = h("form", { class: `event-form ${draft.kind}`, "aria-label": "The chosen event", onsubmit: (/** @type {Event} */ e) => e.preventDefault() });
  form.append(
    h("header", {}, h("h2", {}, h("i", { class: `dot ${draft.kind}`, "aria-hidden": "true" }), titleOf(event)), h("p", { class: "dim" }, whose(item))),
    buttons(item, calls),
  );
  if (isMine) {
    form.append(kinds(draft, calls), marks(draft, times, calls));
    if (draft.kind !== "uncodable") {
      if (draft.kind === "micro" || draft.kind === "macro") form.append(emotion(draft, state.schemes, calls));
      form.append(units(draft, calls));
    }
    form.append(certainty(draft, calls), note(draft, calls));
  } else form.append(facts(event));
  if (machine) form.append(machinePart(machine, state, item.what === "event"));
  return form;
}

/** @param {Item} item */
function whose(item) {
  if (item.what === "proposal") return item.state === "refused" ? "A proposal that you refused" : "A proposal of the machine";
  const when = item.event.changed ? `, ${new Date(item.event.changed).toLocaleString()}` : "";
  const origin = item.event.origin === "machine" ? "proposed by the machine, accepted" : item.event.origin === "corrected" ? "proposed by the machine, corrected" : "added";
  return `${item.coder}: ${origin}${when}`;
}

/** @param {string} action @param {string} text @param {FormCalls} calls @param {string} [kind] */
function button(action, text, calls, kind = "") {
  return h("button", { type: "button", class: kind, "data-field": `do-${action}`, onclick: () => calls.act(action) }, text, " ", h("kbd", { "aria-hidden": "true" }, keyOf(action)));
}

/** @param {Item} item @param {FormCalls} calls */
function buttons(item, calls) {
  const row = h("div", { class: "actions" });
  if (item.what === "other") row.append(button("accept", "Take over", calls, "main"));
  else if (isOpen(item)) row.append(button("accept", "Accept", calls, "main"), button("correct", "Correct", calls), button("refuse", "Refuse", calls));
  else if (item.what === "proposal") row.append(button("accept", "Accept after all", calls));
  else row.append(button("loop", "Loop", calls), button("zoomEvent", "Zoom", calls), button("remove", "Delete", calls, "danger"));
  return row;
}

/** @param {Draft} draft @param {FormCalls} calls */
function kinds(draft, calls) {
  const choice = (/** @type {[Kind, string]} */ [kind, text]) =>
    h("label", { class: `pick ${kind}` }, h("input", { type: "radio", name: "kind", "data-field": `kind-${kind}`, value: kind, checked: draft.kind === kind, onchange: () => calls.change((d) => ({ ...d, kind })) }), h("span", {}, text));
  return h("fieldset", {}, h("legend", {}, "Kind"), h("div", { class: "picks" }, ...KINDS.map(choice)));
}

/** @param {Draft} draft @param {Float64Array} times @param {FormCalls} calls */
function marks(draft, times, calls) {
  const row = (/** @type {"onset" | "apex" | "offset"} */ mark, /** @type {number | null} */ frame) => {
    const set = (/** @type {HTMLInputElement} */ field) => {
      if (mark === "apex" && !field.value.trim()) return calls.change((d) => withMark(d, "apex", null));
      const place = placeOf(field.value, times);
      if (place === null) return calls.refuse(`${field.value} is no frame or time of this film. Write a frame such as 120, or a time such as 4.5 s or 1:02.5.`);
      return calls.change((d) => withMark(d, mark, place));
    };
    const field = (/** @type {string} */ what, /** @type {string} */ value) =>
      h("input", { type: "text", inputmode: "decimal", autocomplete: "off", value, "data-field": `${mark}-${what}`, "aria-label": `${mark}, ${what}`, onchange: (/** @type {Event} */ e) => set(/** @type {HTMLInputElement} */ (e.target)) });
    return h("div", { class: "mark" }, h("span", {}, mark), field("frame", frame === null ? "" : String(frame)), field("time", frame === null ? "" : clock(times[frame])),
      h("button", { type: "button", "data-field": `${mark}-go`, "aria-label": `Go to the ${mark}`, title: `Go to the ${mark}`, disabled: frame === null, onclick: () => frame !== null && calls.go(frame) }, "↦"),
      h("button", { type: "button", "data-field": `${mark}-here`, title: `${mark} at the frame that is shown (${keyOf(mark)})`, onclick: () => calls.here(mark) }, "here ", h("kbd", { "aria-hidden": "true" }, keyOf(mark))));
  };
  const length = times[draft.offset_frame] - times[draft.onset_frame];
  const apex = draft.kind === "uncodable" ? null : row("apex", draft.apex_frame);
  return h("fieldset", { class: "marks" }, h("legend", {}, "Frame and time"), row("onset", draft.onset_frame), apex, row("offset", draft.offset_frame),
    h("p", { class: "dim" }, `${draft.offset_frame - draft.onset_frame + 1} frames, ${lasting(length)} from onset to offset${draft.kind === "micro" && length > 0.5 ? ": longer than half a second" : ""}`));
}

/** @param {Draft} draft @param {Record<string, string[]>} schemes @param {FormCalls} calls */
function emotion(draft, schemes, calls) {
  const scheme = schemeFor(draft, schemes);
  const classes = schemes[scheme] ?? [];
  const list = choose(
    { "data-field": "scheme", "aria-label": "Scheme of emotions", onchange: (/** @type {Event} */ e) => {
      const chosen = /** @type {HTMLSelectElement} */ (e.target).value;
      remember("scheme", chosen);
      calls.change((d) => ({ ...d, scheme: chosen, emotion: d.emotion && (!chosen || schemes[chosen].includes(d.emotion)) ? d.emotion : null }));
    } },
    [...Object.keys(schemes).map((name) => /** @type {[string, string]} */ ([name, schemeText(name)])), ["", "own words"]],
    scheme,
  );
  const pick = (/** @type {string} */ name, /** @type {number} */ i) =>
    h("button", { type: "button", class: "pick", "aria-pressed": String(draft.emotion === name), "data-field": `class-${name}`, onclick: () => calls.change((d) => ({ ...d, scheme, emotion: d.emotion === name ? null : name })) },
      i < 7 ? h("kbd", { "aria-hidden": "true" }, keyOf(`name${i + 1}`)) : null, " ", name);
  const own = h("input", { type: "text", "data-field": "word", "aria-label": "Emotion in your own word", value: draft.emotion ?? "", placeholder: "your own word", onchange: (/** @type {Event} */ e) => calls.change((d) => ({ ...d, scheme: "", emotion: /** @type {HTMLInputElement} */ (e.target).value.trim() || null })) });
  return h("fieldset", {}, h("legend", {}, "Emotion"), list, h("div", { class: "picks" }, ...(scheme ? [...classes, "unsure"].map((name, i) => pick(name, name === "unsure" ? 9 : i)) : [own])));
}

/** @param {Draft} draft @param {FormCalls} calls */
function units(draft, calls) {
  const rows = readUnits(draft.action_units);
  const put = (/** @type {typeof rows} */ changed) => calls.change((d) => ({ ...d, action_units: writeUnits(changed) }));
  const line = (/** @type {(typeof rows)[number]} */ unit, /** @type {number} */ i) => {
    const set = (/** @type {object} */ part) => put(rows.map((u, j) => (j === i ? { ...u, ...part } : u)));
    const value = (/** @type {Event} */ e) => /** @type {HTMLSelectElement} */ (e.target).value;
    const name = unit.number ? `AU${unit.number}` : unit.rest;
    return h("div", { class: "unit" }, h("span", { title: NAMES[unit.number] ?? "" }, name, " ", h("span", { class: "dim" }, NAMES[unit.number] ?? "")),
      unit.number ? choose({ "aria-label": `Side of ${name}`, "data-field": `side-${name}`, onchange: (/** @type {Event} */ e) => set({ side: value(e) }) }, SIDES, unit.side) : null,
      unit.number ? choose({ "aria-label": `Intensity of ${name}`, "data-field": `intensity-${name}`, onchange: (/** @type {Event} */ e) => set({ intensity: value(e) }) }, INTENSITIES, unit.intensity) : null,
      h("button", { type: "button", "aria-label": `Remove ${name}`, onclick: () => put(rows.filter((_, j) => j !== i)) }, "×"));
  };
  const add = h("input", { type: "text", autocomplete: "off", "data-field": "add-unit", "aria-label": "Add action units, such as L12B+6C", placeholder: "add: 4, or L12B+6C", onchange: () => {
    const added = readUnits(add.value.replace(/[ ,;]+/g, "+"));
    if (added.length) put([...rows, ...added]);
  } });
  return h("fieldset", {}, h("legend", {}, "Action units"), ...rows.map(line), add);
}

/** @param {Draft} draft @param {FormCalls} calls */
function certainty(draft, calls) {
  /** @type {[string, string][]} */
  const choices = [["", "not stated"], ["certain", "certain"], ["likely", "likely"], ["doubtful", "doubtful"]];
  const list = choose({ "data-field": "certainty", onchange: (/** @type {Event} */ e) => calls.change((d) => ({ ...d, certainty: /** @type {HTMLSelectElement} */ (e.target).value })) }, choices, draft.certainty);
  return h("label", { class: "line" }, h("span", {}, "Certainty"), list);
}

/** @param {Draft} draft @param {FormCalls} calls */
function note(draft, calls) {
  let timer = 0;
  const put = () => {
    clearTimeout(timer);
    const text = field.value;
    calls.change((d) => (d.note === text.trim() ? d : { ...d, note: text }));
  };
  const field = h("textarea", { rows: 2, "data-field": "note", onchange: put, oninput: () => {
    clearTimeout(timer);
    timer = window.setTimeout(put, 1500); // also without leaving the field
  } });
  field.value = draft.note;
  return h("label", { class: "line" }, h("span", {}, "Note"), field);
}

/** @param {FilmEvent} event */
function facts(event) {
  const rows = [["onset", event.onset_frame], ["apex", event.apex_known === false ? "not set" : event.apex_frame], ["offset", event.offset_frame], ["units", event.action_units || "–"], ["certainty", event.certainty || "–"], ["note", event.note || "–"]];
  return h("dl", {}, ...rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** What the machine says, with how good it is. @param {FilmEvent} event @param {State} state @param {boolean} isKept */
function machinePart(event, state, isKept) {
  const classes = Object.entries(event.probabilities ?? {});
  const bar = (/** @type {[string, number]} */ [name, share]) => {
    const fill = h("i");
    fill.style.width = `${100 * share}%`;
    return h("div", { class: `class ${name === event.emotion ? "chosen" : ""}` }, h("span", {}, name), h("span", { class: "bar" }, fill), h("span", { class: "share" }, percent(share)));
  };
  const score = event.kind === "macro" ? state.scores.expression : state.scores.recogniser;
  const rows = [
    ["onset, apex, offset", `${event.onset_frame}, ${event.apex_frame}, ${event.offset_frame}`],
    ["confidence in the event", percent(event.confidence)],
    ["regions", (event.regions ?? []).map(words).join(", ") || "–"],
    ["displacement", `${fixed(event.displacement_percent_iod)} % of eye distance`],
  ];
  return h("section", { class: "machine" }, h("h3", {}, isKept ? "What the machine proposed" : "What the machine says"),
    h("dl", {}, ...rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    ...classes.map(bar),
    event.emotion ? h("p", { class: "honest" }, event.emotion === "unsure" ? "No class is probable enough to be named. " : "", score ? `On people it was not trained on: ${score}. ` : "", "A movement is not proof of a feeling.") : null);
}
