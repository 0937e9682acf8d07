// Films that are dropped anywhere on the page, or chosen, go to the folder of films.

import { h, say } from "./dom.js";
import { server } from "./server.js";
import { percent, size } from "./words.js";

/** @type {Set<() => void>} */
const watchers = new Set();

/** Call when films have come. Returns what stops it. @param {() => void} changed */
export function onFilms(changed) {
  watchers.add(changed);
  return () => watchers.delete(changed);
}

/** A drop beside a drop zone would replace the page, so all of the page is one. */
export function uploads() {
  const hasFiles = (/** @type {DragEvent} */ e) => e.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragover", (e) => {
    if (!hasFiles(e)) return;
    e.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (e) => {
    if (!e.relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", (e) => {
    document.body.classList.remove("dropping");
    if (!hasFiles(e)) return;
    e.preventDefault();
    void send([...(e.dataTransfer?.files ?? [])]);
  });
}

/** @param {File[]} files */
export async function send(files) {
  for (const file of files) {
    const bar = h("progress", { max: 1, value: 0, "aria-label": `Upload of ${file.name}` });
    const line = h("div", { class: "toast" }, h("p", {}, `${file.name} (${size(file.size)})`), bar);
    document.getElementById("toasts")?.append(line);
    let told = 0;
    try {
      await server.upload(file, (share) => {
        bar.value = share;
        if (share - told > 0.25) say(`${file.name}: ${percent((told = share))}`);
      });
      say(`${file.name} is in the folder.`);
    } catch (error) {
      say(`${file.name}: ${error instanceof Error ? error.message : error}`, "warning");
    }
    line.remove();
    for (const changed of watchers) changed();
  }
}
