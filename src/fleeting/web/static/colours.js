// The colours of the style sheet for what is drawn on a canvas, and light or dark.

import { remember, remembered } from "./dom.js";

const NAMES = /** @type {const} */ ([
  "page", "sheet", "ink", "dim", "line", "soft", "micro", "macro", "blink", "note-line", "accent", "poor", "left", "right", "middle", "good",
]);

/** @typedef {Record<(typeof NAMES)[number], string>} Colours */

/** @type {Colours | null} */
let known = null;
/** @type {Set<() => void>} */
const watchers = new Set();

/** @returns {Colours} */
export function colours() {
  if (known) return known;
  const probe = document.createElement("i");
  document.body.append(probe);
  const found = /** @type {Colours} */ ({});
  for (const name of NAMES) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  known = found;
  return found;
}

/** Call when the colours change. Returns what stops it. @param {() => void} changed */
export function onColours(changed) {
  watchers.add(changed);
  return () => watchers.delete(changed);
}

function change() {
  known = null;
  for (const changed of watchers) changed();
}

/** @param {string} theme "light", "dark", or empty for that of the system */
function apply(theme) {
  document.documentElement.dataset.theme = theme;
  change();
}

export function startTheme() {
  apply(remembered("theme", ""));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", change);
}

/** Whether the page is dark now. */
export function isDark() {
  const theme = document.documentElement.dataset.theme;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export function toggleTheme() {
  const theme = isDark() ? "light" : "dark";
  remember("theme", theme);
  apply(theme);
}
