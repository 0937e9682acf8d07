// Every key of the workbench. `?` shows this table; what a person changes is kept in the browser.

import { remember, remembered } from "./dom.js";

/**
 * Name of each action, its group, what it does, and its keys (`KeyboardEvent.key`; letters without regard to case,
 * before them Ctrl+ or Shift+). Ctrl stands for the Command key too.
 * @type {[string, string, string, string[]][]}
 */
export const KEYS = [
  ["back", "Go", "One frame back", ["ArrowLeft"]],
  ["forth", "Go", "One frame forward", ["ArrowRight"]],
  ["back10", "Go", "Ten frames back", ["Shift+ArrowLeft"]],
  ["forth10", "Go", "Ten frames forward", ["Shift+ArrowRight"]],
  ["first", "Go", "First frame", ["Home"]],
  ["last", "Go", "Last frame", ["End"]],
  ["goto", "Go", "Type a frame or a time", ["G"]],
  ["reverse", "Play", "Play backwards", ["J"]],
  ["pause", "Play", "Stop", ["K"]],
  ["play", "Play", "Play", ["L"]],
  ["toggle", "Play", "Play or stop", ["Space"]],
  ["loop", "Play", "Loop the event", ["R"]],
  ["slower", "Play", "Slower", ["["]],
  ["faster", "Play", "Faster", ["]"]],
  ["nextProposal", "Proposals", "Next proposal", ["N"]],
  ["previousProposal", "Proposals", "Previous proposal", ["P"]],
  ["accept", "Proposals", "Accept it (or take over another coder's event)", ["Enter"]],
  ["correct", "Proposals", "Correct it: make it yours and open its form", ["C"]],
  ["refuse", "Proposals", "Refuse it", ["X"]],
  ["nextEvent", "Events", "Next event in the list", ["ArrowDown"]],
  ["previousEvent", "Events", "Previous event in the list", ["ArrowUp"]],
  ["add", "Events", "New event here", ["E"]],
  ["uncodable", "Events", "Mark a stretch that cannot be coded", ["U"]],
  ["onset", "Events", "Onset here", ["I"]],
  ["apex", "Events", "Apex here", ["A"]],
  ["offset", "Events", "Offset here", ["O"]],
  ["kind", "Events", "Next kind", ["M"]],
  ["name1", "Events", "Emotion: class 1 of the scheme", ["1"]],
  ["name2", "Events", "Class 2", ["2"]],
  ["name3", "Events", "Class 3", ["3"]],
  ["name4", "Events", "Class 4", ["4"]],
  ["name5", "Events", "Class 5", ["5"]],
  ["name6", "Events", "Class 6", ["6"]],
  ["name7", "Events", "Class 7", ["7"]],
  ["unnamed", "Events", "No emotion", ["0"]],
  ["remove", "Events", "Delete the event", ["Delete", "Backspace"]],
  ["undo", "Events", "Undo", ["Ctrl+Z"]],
  ["redo", "Events", "Redo", ["Ctrl+Shift+Z", "Ctrl+Y"]],
  ["view", "Look", "Switch between frame, face and enlarged", ["V"]],
  ["enlarge", "Look", "Enlarge movements more", ["+"]],
  ["reduce", "Look", "Enlarge movements less", ["-"]],
  ["zoomIn", "Look", "Zoom in on the timeline", ["PageUp"]],
  ["zoomOut", "Look", "Zoom out of the timeline", ["PageDown"]],
  ["zoomEvent", "Look", "Zoom to the event", ["Z"]],
  ["zoomAll", "Look", "Show the whole film", ["F"]],
  ["leave", "Look", "Back to the picture", ["Escape"]],
  ["help", "Look", "Show these keys", ["?"]],
];

const STORE = "keys";

/** @returns {Map<string, string[]>} keys of each action, with what was changed */
export function bindings() {
  const found = new Map(KEYS.map(([name, , , keys]) => [name, keys]));
  for (const [name, keys] of Object.entries(changed())) {
    if (found.has(name) && Array.isArray(keys) && keys.every((k) => typeof k === "string")) found.set(name, keys);
  }
  return found;
}

/** @returns {Record<string, any>} */
function changed() {
  try {
    const kept = JSON.parse(remembered(STORE, "{}"));
    return typeof kept === "object" && kept !== null ? kept : {};
  } catch {
    return {};
  }
}

/**
 * Give an action one key in place of its own; an action that had the key loses it.
 * @param {string} name
 * @param {string} key
 */
export function bind(name, key) {
  const kept = changed();
  for (const [other, keys] of bindings()) if (other !== name && keys.includes(key)) kept[other] = keys.filter((k) => k !== key);
  kept[name] = [key];
  remember(STORE, JSON.stringify(kept));
}

/** Give every action its own keys again. */
export const resetKeys = () => remember(STORE, "{}");

/** Name of the pressed key as the table has it; empty for a modifier alone. @param {KeyboardEvent} event */
export function pressed(event) {
  if (["Control", "Shift", "Alt", "Meta", "AltGraph", "Dead"].includes(event.key) || event.altKey) return "";
  const isLetter = event.key.length === 1 && event.key.toLowerCase() !== event.key.toUpperCase();
  const key = event.key === " " ? "Space" : isLetter ? event.key.toUpperCase() : event.key;
  const shift = event.shiftKey && (isLetter || event.key.length > 1) ? "Shift+" : ""; // a sign such as ? has its Shift in it
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${shift}${key}`;
}

/** The action of a key press; empty where there is none. @param {KeyboardEvent} event */
export function actionOf(event) {
  const key = pressed(event);
  if (key) for (const [name, keys] of bindings()) if (keys.includes(key)) return name;
  return "";
}

/** Whether a key press belongs to a field or a button, which then keeps it. @param {KeyboardEvent} event */
export function isTaken(event) {
  const target = event.target;
  if (!(target instanceof HTMLElement) || event.key === "Escape") return false;
  if (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox])")) return true;
  const acts = target.matches("button:not([aria-current=true]), a, summary, input"); // the chosen event of the list is chosen already
  return acts && (event.key === "Enter" || event.key === " ");
}

const SHOWN = new Map([["ArrowLeft", "←"], ["ArrowRight", "→"], ["ArrowUp", "↑"], ["ArrowDown", "↓"], ["PageUp", "Page up"], ["PageDown", "Page down"]]);

/** A key as people read it. @param {string} key */
export const keyText = (key) => key.split(/\+(?=.)/).map((part) => SHOWN.get(part) ?? part).join(" ");

/** The first key of an action, for its button. @param {string} name */
export const keyOf = (name) => keyText((bindings().get(name) ?? [])[0] ?? "");

/** The keys of an action as people read them. @param {string} name */
export const keysText = (name) => (bindings().get(name) ?? []).map(keyText).join(" or ");
