// The dialog of `?`: every key, and how to change it.

import { dialog, h } from "./dom.js";
import { KEYS, bind, keysText, pressed, resetKeys } from "./keys.js";

export async function showKeys() {
  const body = h("div", { class: "keys" });
  const fill = () => {
    const groups = [...new Set(KEYS.map(([, group]) => group))];
    body.replaceChildren(...groups.map(groupOf));
  };
  const groupOf = (/** @type {string} */ group) => {
    const rows = KEYS.filter(([, of]) => of === group).map(([name, , text]) =>
      h("div", {}, h("dt", {}, text), h("dd", {}, h("button", { type: "button", "data-key": name, "aria-label": `${text}: ${keysText(name) || "no key"}. Press to change`, onclick: (/** @type {MouseEvent} */ e) => learn(name, /** @type {HTMLElement} */ (e.currentTarget)) }, keysText(name) || "none"))));
    return h("section", {}, h("h3", {}, group), h("dl", {}, ...rows));
  };
  const learn = (/** @type {string} */ name, /** @type {HTMLElement} */ button) => {
    button.textContent = "press a key";
    const stop = () => {
      removeEventListener("keydown", take, true);
      fill();
      /** @type {HTMLElement | null} */ (body.querySelector(`[data-key=${name}]`))?.focus();
    };
    const take = (/** @type {KeyboardEvent} */ e) => {
      const key = pressed(e);
      if (!key || key === "Tab" || key === "Shift+Tab") return;
      e.preventDefault();
      e.stopPropagation();
      if (e.key !== "Escape") bind(name, key);
      stop();
    };
    addEventListener("keydown", take, true);
    button.addEventListener("blur", () => removeEventListener("keydown", take, true), { once: true });
  };
  fill();
  const reset = h("button", { type: "button", onclick: () => { resetKeys(); fill(); } }, "Reset all keys");
  await dialog("Keys", () => [h("p", { class: "dim" }, "Press a key's button to change it. Keys do not work while you type in a field. Escape leaves the field."), body, h("div", { class: "actions" }, reset)], "wide");
}
