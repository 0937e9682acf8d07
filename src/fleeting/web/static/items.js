// What can be chosen in a review: the coder's events, the machine's proposals, events of other coders.

import { clock, percent } from "./words.js";

/** @import {CodingState, FilmEvent, ProposalState} from "./types.js" */
/** @import {Track} from "./lanes_draw.js" */

/**
 * @typedef {object} Item
 * @property {string} key "e:" and the id of an own event, "p:" and the key of a proposal, "o:" of another coder
 * @property {"event" | "proposal" | "other"} what
 * @property {string} id id or key without what stands before it
 * @property {FilmEvent} event
 * @property {ProposalState | ""} state
 * @property {string} coder
 *
 * @typedef {object} Filter
 * @property {number} confidence proposals below it are hidden
 * @property {boolean} refused show refused proposals
 * @property {boolean} others list the events of other coders
 * @property {boolean} blind
 */

/** Whether nobody has decided on it. @param {Item} item */
export const isOpen = (item) => item.what === "proposal" && (item.state === "open" || item.state === "new");

/**
 * All items in order of onset.
 * @param {CodingState} state @param {Record<string, FilmEvent[]>} others @param {string} coder @param {Filter} filter
 * @returns {Item[]}
 */
export function itemsOf(state, others, coder, filter) {
  /** @type {Item[]} */
  const items = state.events.map((event) => ({ key: `e:${event.id}`, what: "event", id: event.id ?? "", event, state: "", coder }));
  for (const { key, event, state: is } of filter.blind ? [] : state.proposals) {
    const isDone = is === "accepted" || is === "corrected";
    const isShown = is === "refused" ? filter.refused : !isDone && !((event.confidence ?? 1) < filter.confidence);
    if (isShown) items.push({ key: `p:${key}`, what: "proposal", id: key, event, state: is, coder: "machine" });
  }
  for (const [name, events] of Object.entries(filter.blind || !filter.others ? {} : others)) {
    for (const event of events) items.push({ key: `o:${name}:${event.id}`, what: "other", id: event.id ?? "", event, state: "", coder: name });
  }
  return items.sort((a, b) => a.event.onset_frame - b.event.onset_frame || a.event.offset_frame - b.event.offset_frame);
}

/** Lanes of events: the coder, the machine, the others. @param {CodingState} state @param {Record<string, FilmEvent[]>} others @param {string} coder @param {Filter} filter @returns {Track[]} */
export function tracksOf(state, others, coder, filter) {
  const own = { name: coder, title: coder, bars: state.events.map((e) => bar(`e:${e.id}`, e, true, "", coder)) };
  if (filter.blind) return [own];
  const shown = state.proposals.filter((p) => p.state !== "refused" || filter.refused).filter((p) => !((p.event.confidence ?? 1) < filter.confidence));
  const isMine = (/** @type {string} */ is) => is === "open" || is === "new";
  const machine = { name: "machine", title: "machine", bars: shown.map((p) => bar(`p:${p.key}`, p.event, isMine(p.state), p.state, "machine")) };
  const rest = Object.entries(others).map(([name, events]) => ({ name, title: name, bars: events.map((e) => bar(`o:${name}:${e.id}`, e, false, "", name)) }));
  return [own, machine, ...rest];
}

/** @param {string} key @param {FilmEvent} event @param {boolean} mine @param {string} state @param {string} who */
function bar(key, event, mine, state, who) {
  const apex = event.apex_known === false || event.kind === "uncodable" ? null : event.apex_frame;
  const label = `${who}: ${titleOf(event)}, frames ${event.onset_frame} to ${event.offset_frame}${state ? `, ${state}` : ""}`;
  return { key, kind: event.kind, onset: event.onset_frame, apex, offset: event.offset_frame, mine, state, label };
}

/** @param {FilmEvent} event */
export function titleOf(event) {
  const kind = event.kind === "uncodable" ? "cannot be coded" : event.kind;
  return event.emotion ? `${kind}, ${event.emotion}` : kind;
}

/** What a list says of an item. @param {Item} item */
export function lineOf(item) {
  const { event, state, what } = item;
  const place = `${clock(event.onset_s)}`;
  if (what === "other") return { place, state: `by ${item.coder}` };
  if (what === "event") return { place, state: event.origin === "person" || !event.origin ? "added" : event.origin === "machine" ? "accepted" : "corrected" };
  return { place, state: state === "refused" ? "refused" : `${state === "new" ? "new, " : ""}proposed ${percent(event.confidence)}` };
}
