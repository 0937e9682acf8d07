// Who codes in this browser, and whether blind.

import { dialog, h, remember, remembered } from "./dom.js";

export const coder = () => remembered("coder", "");
export const isBlind = () => remembered("blind", "") === "yes";

/** @param {HTMLElement} button */
export function showCoder(button) {
  button.textContent = coder() ? `Coder: ${coder()}${isBlind() ? " (blind)" : ""}` : "Who is coding?";
}

/** @param {string} name @param {boolean} blind */
export function setCoder(name, blind) {
  remember("coder", name.trim());
  remember("blind", blind ? "yes" : "");
}

/**
 * Ask for a name. False where it was not given.
 * @param {string[]} known
 * @returns {Promise<boolean>}
 */
export async function askCoder(known) {
  const field = h("input", { type: "text", id: "coder-name", maxlength: 60, autocomplete: "off", list: "coder-names", value: coder(), required: true, autofocus: true });
  const blind = h("input", { type: "checkbox", checked: isBlind() });
  const done = await dialog("Who is coding?", (close) => [
    h("form", { class: "stack", onsubmit: (/** @type {Event} */ e) => {
      e.preventDefault();
      if (field.value.trim()) close("yes");
    } },
      h("p", { class: "dim" }, "Your edits are saved under this name. Anna and anna are the same coder."),
      h("label", { class: "line" }, h("span", {}, "Name"), field),
      h("datalist", { id: "coder-names" }, ...known.map((name) => h("option", { value: name }))),
      h("label", { class: "check" }, blind, h("span", {}, "Code blind: hide the machine, its curves and the other coders")),
      h("div", { class: "actions" }, h("button", { type: "submit", class: "main" }, "Begin")),
    ),
  ]);
  if (done !== "yes") return false;
  setCoder(field.value, blind.checked);
  return true;
}
