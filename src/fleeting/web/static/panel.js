// Where the form of the chosen event lies: it is made anew with every state, and what is being typed is not taken away.

import { h, say } from "./dom.js";
import { eventForm } from "./form.js";

/** @import {FormCalls} from "./form.js" */
/** @import {Item} from "./items.js" */
/** @import {Draft, State} from "./types.js" */

export class Panel {
  /** @param {Float64Array} times @param {State} state */
  constructor(times, state) {
    this.times = times;
    this.state = state;
    this.element = h("div", { class: "panel" });
    this.key = "";
  }

  /**
   * @param {Item | undefined} item @param {(item: Item) => Draft} draftOf @param {Omit<FormCalls, "refuse">} calls
   * @param {(key: string) => string} resolved the key of what a proposal has become
   */
  fill(item, draftOf, calls, resolved) {
    const again = () => this.fill(item, draftOf, calls, resolved);
    const focus = document.activeElement;
    const field = focus instanceof HTMLElement && this.element.contains(focus) ? focus : null;
    const isSame = resolved(this.key) === item?.key;
    if (isSame && isBeingTyped(field)) return;
    const scroll = this.element.scrollTop;
    this.key = item?.key ?? "";
    if (!item) {
      this.element.replaceChildren(h("p", { class: "empty" }, "Choose an event of the list or in the lanes. Press ? for the keys."));
      return;
    }
    const refuse = (/** @type {string} */ problem) => {
      say(problem, "warning");
      this.key = "";
      again();
    };
    const form = eventForm(item, draftOf(item), this.times, this.state, { ...calls, refuse });
    for (const input of form.querySelectorAll("input")) {
      if (input.type !== "text") continue;
      input.defaultValue = input.value;
      input.addEventListener("change", () => (input.defaultValue = input.value)); // it is on its way to the server
    }
    this.element.replaceChildren(form);
    if (isSame) this.element.scrollTop = scroll;
    if (isSame && field?.dataset.field) this.find(field.dataset.field)?.focus();
  }

  /** @param {string} name @returns {HTMLElement | null} the field of this name */
  find(name) {
    return this.element.querySelector(`[data-field="${CSS.escape(name)}"]`);
  }
}

/** @param {HTMLElement | null} field */
function isBeingTyped(field) {
  if (field instanceof HTMLTextAreaElement) return true;
  return field instanceof HTMLInputElement && field.type === "text" && field.value !== field.defaultValue;
}
