// The frame around the pages: which page the address names, who codes, light or dark, films dropped anywhere.

import { toggleTheme, startTheme } from "./colours.js";
import { dialog, h, say } from "./dom.js";
import { showKeys } from "./help.js";
import { actionOf, isTaken } from "./keys.js";
import { server } from "./server.js";
import { uploads } from "./uploads.js";
import { askCoder, showCoder } from "./who.js";
import { agreementPage } from "./agreement.js";
import { libraryPage } from "./library.js";
import { livePage } from "./live.js";
import { machinePage } from "./machine.js";
import { reviewPage } from "./review.js";
import { studyPage } from "./study.js";

/** @import {State} from "./types.js" */

/**
 * A page that is shown: its element, what a key does (true where it took it), and how it ends.
 * @typedef {{element: HTMLElement, title: string, act?: (action: string) => boolean, close?: () => void}} Page
 * @typedef {(state: State, place: string[], query: URLSearchParams) => Promise<Page>} PageOf
 */

/** @type {Record<string, PageOf>} */
const PAGES = { "": libraryPage, film: reviewPage, agreement: agreementPage, machine: machinePage, study: studyPage, live: livePage };

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const who = /** @type {HTMLElement} */ (document.getElementById("who"));
/** @type {Page | null} */
let page = null;
let turn = 0;

async function show() {
  const mine = (turn += 1);
  const [path, search] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...place] = path.split("/").map(decodeURIComponent);
  const make = PAGES[name] ?? libraryPage;
  main.setAttribute("aria-busy", "true");
  /** @type {Page} */
  let next;
  try {
    next = await make(await server.state(), place, new URLSearchParams(search ?? ""));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    next = { element: h("section", { class: "page" }, h("h1", {}, "This page cannot be shown"), h("p", { class: "empty" }, text)), title: "Problem" };
  }
  if (mine !== turn) return next.close?.(); // another page was asked for meanwhile
  page?.close?.();
  page = next;
  document.title = `${next.title} · Fleeting`;
  main.replaceChildren(next.element);
  main.removeAttribute("aria-busy");
  showCoder(who);
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = link.getAttribute("href") === `#/${name === "film" ? "" : name}`;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  say(next.title);
  return undefined;
}

addEventListener("hashchange", show);
addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || isTaken(event)) return;
  const action = actionOf(event);
  if (action === "help") void showKeys();
  else if (!action || !page?.act?.(action)) return;
  event.preventDefault();
});

document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault(); // the address names the page
  main.focus();
});
document.getElementById("help")?.addEventListener("click", showKeys);
document.getElementById("theme")?.addEventListener("click", toggleTheme);
document.getElementById("use")?.addEventListener("click", async () => {
  const { note, scores } = await server.state();
  await dialog("Responsible use", () => [
    h("p", {}, note),
    scores.recogniser ? h("p", {}, `Names of micro-expressions, on people the network was not trained on: ${scores.recogniser}.`) : null,
    scores.expression ? h("p", {}, `Expressions of the whole face: ${scores.expression}.`) : null,
  ]);
});
who.addEventListener("click", async () => {
  const { coders } = await server.state();
  if (await askCoder(coders)) await show();
});
startTheme();
uploads();
void show();
