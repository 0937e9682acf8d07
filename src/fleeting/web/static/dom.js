// Elements made by code: text is always text, never markup, so the name of a file cannot become a tag.

/**
 * Make an element. Keys that begin with "on" are listeners; `class`, `data-*`, `aria-*` and the like are attributes;
 * true and false set an attribute without a value or leave it out. Children that are null are passed over.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | number | null | undefined)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") /** @type {any} */ (element).value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child !== null && child !== undefined) element.append(child instanceof Node ? child : String(child));
  return element;
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes, ...children) {
  const element = /** @type {SVGElement} */ (document.createElementNS("http://www.w3.org/2000/svg", tag));
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * A select with choices of value and text.
 * @param {Record<string, any>} attributes
 * @param {[string, string][]} choices
 * @param {string} chosen
 */
export function choose(attributes, choices, chosen) {
  const list = h("select", attributes, ...choices.map(([value, text]) => h("option", { value }, text)));
  list.value = chosen;
  return list;
}

/**
 * A table with a header; the first cell of a row is its heading.
 * @param {string} label
 * @param {string[]} header
 * @param {(Node | string | number | null)[][]} rows
 */
export function table(label, header, rows) {
  const head = h("tr", {}, ...header.map((text) => h("th", { scope: "col" }, text.trim())));
  const lines = rows.map(([first, ...cells]) => h("tr", {}, h("th", { scope: "row" }, first), ...cells.map((c) => h("td", {}, c))));
  const body = h("table", {}, h("thead", {}, head), h("tbody", {}, ...lines));
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": label }, body);
}

/**
 * Say something to a screen reader, and at the foot of the page to everybody where it is a warning.
 * @param {string} text
 * @param {"said" | "warning"} [how]
 */
export function say(text, how = "said") {
  const region = /** @type {HTMLElement} */ (document.getElementById("live"));
  region.textContent = "";
  requestAnimationFrame(() => (region.textContent = text));
  if (how === "warning") toast(text);
}

/** @param {string} text */
function toast(text) {
  const box = /** @type {HTMLElement} */ (document.getElementById("toasts"));
  const close = h("button", { type: "button", "aria-label": "Close this message", onclick: () => note.remove() }, "×");
  const note = h("div", { class: "toast" }, h("p", {}, text), close);
  while (box.children.length > 2) box.firstChild?.remove();
  box.append(note);
  setTimeout(() => note.remove(), 12000);
}

/**
 * Open a dialog, return a promise of what it was closed with; Escape gives an empty text.
 * @param {string} title
 * @param {(close: (value: string) => void) => (Node | null)[]} body
 * @param {string} [kind]
 * @returns {Promise<string>}
 */
export function dialog(title, body, kind = "") {
  const box = h("dialog", { class: kind, "aria-labelledby": "dialog-title" });
  const parts = body((value) => box.close(value));
  const close = h("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => box.close("") }, "×");
  box.append(h("header", {}, h("h2", { id: "dialog-title" }, title), close));
  for (const part of parts) if (part) box.append(part);
  document.body.append(box);
  box.showModal();
  return new Promise((done) =>
    box.addEventListener("close", () => {
      box.remove();
      done(box.returnValue);
    }),
  );
}

/**
 * What this browser remembers; a browser that refuses remembers nothing.
 * @param {string} key
 * @param {string} otherwise
 */
export function remembered(key, otherwise) {
  try {
    return localStorage.getItem(`fleeting:${key}`) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/**
 * @param {string} key
 * @param {string} value
 */
export function remember(key, value) {
  try {
    localStorage.setItem(`fleeting:${key}`, value);
  } catch {
    // private windows may refuse; the page works without
  }
}
