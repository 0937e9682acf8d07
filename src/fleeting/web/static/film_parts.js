// What stands about a film at the head of its page: its facts, and its exports.

import { h, say } from "./dom.js";
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

/**
 * Files of other programs, out and in.
 * @param {string} id @param {Record<string, string>} formats @param {string} coder
 * @param {() => unknown} imported called when events have come in
 */
export function filesMenu(id, formats, coder, imported) {
  const file = h("input", { type: "file", class: "unseen", tabindex: "-1", "aria-label": "File to import", accept: ".eaf,.boris,.json,.csv,.tsv,.txt,.xlsx", onchange: async () => {
    const chosen = file.files?.[0];
    file.value = "";
    if (!chosen) return;
    try {
      const { added, known, notes } = await server.importFile(id, coder, chosen);
      say([`${chosen.name}: ${counted(added, "event")} added, ${known} known already.`, ...notes].join(" "), "warning");
      await imported();
    } catch (error) {
      say(error instanceof Error ? error.message : String(error), "warning");
    }
  } });
  const link = (/** @type {[string, string]} */ [format, what]) =>
    h("li", {}, h("a", { href: server.exportOf(id, format, coder), download: "" }, what));
  return h("details", { class: "menu" }, h("summary", {}, "Export and import"),
    h("div", { class: "sheet" }, h("p", { class: "dim" }, `Export the events of ${coder}`), h("ul", {}, ...Object.entries(formats).map(link)),
      h("div", { class: "actions" }, file, h("button", { type: "button", onclick: () => file.click() }, "Import a file"), h("span", { class: "dim" }, "ELAN, BORIS, a table, or timeline.json"))));
}
