// The list of events of a review, and what it shows.

import { h, remember } from "./dom.js";
import { lineOf, titleOf } from "./items.js";
import { percent } from "./words.js";

/** @import {Filter, Item} from "./items.js" */

/** @param {Filter} filter is changed in place @param {() => void} changed */
export function filterBar(filter, changed) {
  if (filter.blind) return h("p", { class: "hint" }, "You code blind: the machine, its curves and the other coders are hidden.");
  const value = h("output", {}, percent(filter.confidence));
  const slider = h("input", { type: "range", min: 0, max: 1, step: 0.01, value: String(filter.confidence), "aria-label": "Hide proposals below this confidence", oninput: () => {
    filter.confidence = Number(slider.value);
    value.textContent = percent(filter.confidence);
    remember("confidence", slider.value);
    changed();
  } });
  const check = (/** @type {"refused" | "others"} */ name, /** @type {string} */ text) => {
    const box = h("input", { type: "checkbox", checked: filter[name], onchange: () => {
      filter[name] = box.checked;
      if (name === "others") remember("others", box.checked ? "yes" : "");
      changed();
    } });
    return h("label", { class: "check" }, box, h("span", {}, text));
  };
  return h("div", { class: "filters" }, h("label", { class: "slide" }, h("span", { title: "Hide proposals of which the machine is less sure" }, "Confidence from"), slider, value), check("refused", "show refused"), check("others", "show others' events"));
}

/**
 * @param {HTMLElement} list @param {Item[]} items @param {string} chosen key of the chosen one
 * @param {(key: string) => void} choose
 */
export function fillList(list, items, chosen, choose) {
  const hadFocus = list.contains(document.activeElement);
  const line = (/** @type {Item} */ item) => {
    const { place, state } = lineOf(item);
    const button = h("button", { type: "button", class: `${item.what} ${item.state}`, "aria-current": item.key === chosen ? "true" : null, onclick: () => choose(item.key) },
      h("i", { class: `dot ${item.event.kind}`, "aria-hidden": "true" }), h("span", { class: "when" }, place), h("span", {}, titleOf(item.event)), h("span", { class: "dim" }, state));
    return h("li", {}, button);
  };
  list.replaceChildren(...items.map(line));
  if (!items.length) list.append(h("li", { class: "empty" }, "No event yet. Press E to begin one at this frame."));
  const current = /** @type {HTMLElement | null} */ (list.querySelector("[aria-current]"));
  current?.scrollIntoView({ block: "nearest" });
  if (hadFocus) current?.focus();
}
