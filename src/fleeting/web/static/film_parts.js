// What stands about a film at the head of its page: its facts, and its exports.

import { h } from "./dom.js";
import { server } from "./server.js";
import { counted, lasting } from "./words.js";

/** @import {Film} from "./types.js" */

/** @param {Film} film */
export function filmFacts(film) {
  const parts = [
    film.width ? `${film.width} × ${film.height}` : "",
    film.fps ? `${Number(film.fps.toFixed(3))} frames/s` : "",
    lasting(film.seconds),
    film.frames ? counted(film.frames, "frame") : "",
  ];
  return h("p", { class: "sub" }, parts.filter(Boolean).join(" · "));
}

/** @param {string} id @param {Record<string, string>} formats @param {string} coder */
export function exportMenu(id, formats, coder) {
  const link = (/** @type {[string, string]} */ [format, what]) =>
    h("li", {}, h("a", { href: server.exportOf(id, format, coder), download: "" }, format), " ", h("span", { class: "dim" }, what));
  return h("details", { class: "menu" }, h("summary", {}, "Export"), h("div", { class: "sheet" }, h("p", { class: "dim" }, `Events of ${coder}`), h("ul", {}, ...Object.entries(formats).map(link))));
}
