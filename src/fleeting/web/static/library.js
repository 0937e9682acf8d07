// The films of the folder: what they are, how far they are, and what is to do.

import { choose, dialog, h, remember, remembered, say } from "./dom.js";
import { server } from "./server.js";
import { onFilms, send } from "./uploads.js";
import { counted, lasting, percent } from "./words.js";

/** @import {Page} from "./main.js" */
/** @import {Film, Job, State} from "./types.js" */

/** @type {[string, string, (a: Film, b: Film) => number][]} */
const ORDERS = [
  ["name", "by name", (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true })],
  ["state", "by state", (a, b) => rank(a) - rank(b)],
  ["length", "longest first", (a, b) => (b.seconds ?? 0) - (a.seconds ?? 0)],
  ["micro", "most micro-expressions first", (a, b) => (b.counts.micro ?? 0) - (a.counts.micro ?? 0)],
  ["quality", "worst quality first", (a, b) => quality(a) - quality(b)],
];
const VERDICTS = ["poor", "fair", "good"];
const STATES = /** @type {Record<string, string>} */ ({ new: "not analysed", queued: "waiting", cancelled: "stopped" });

/** @param {string} state */
const stateText = (state) => STATES[state] ?? state;
/** @param {Film} film */
const rank = (film) => ["running", "queued", "failed", "new", "cancelled", "done"].indexOf(film.state);
/** @param {Film} film */
const quality = (film) => (film.quality ? VERDICTS.indexOf(film.quality.verdict) : 3);

/** @param {State} state @returns {Promise<Page>} */
export async function libraryPage(state) {
  const library = new Library(state);
  await library.load();
  return { element: library.element, title: "Films", close: () => library.close() };
}

class Library {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    /** @type {Film[]} */
    this.films = [];
    /** @type {Map<string, Job>} the job of each film */
    this.jobs = new Map();
    /** @type {Map<string, {text: string, row: HTMLElement}>} */
    this.rows = new Map();
    this.search = h("input", { type: "search", placeholder: "search", "aria-label": "Search films", oninput: () => this.fill() });
    this.order = choose({ "aria-label": "Order", onchange: () => { remember("order", this.order.value); this.fill(); } }, ORDERS.map(([name, text]) => [name, text]), remembered("order", "name"));
    this.list = h("ul", { class: "films", "aria-label": "Films" });
    this.count = h("p", { class: "dim" });
    const file = h("input", { type: "file", multiple: true, class: "unseen", tabindex: "-1", "aria-label": "Films to add", onchange: () => void send([...(file.files ?? [])]).then(() => (file.value = "")) });
    this.all = h("button", { type: "button", onclick: () => this.analyseAll() }, "Analyse all new films");
    const bar = h("div", { class: "bar" }, this.search, this.order, this.count, h("span", { class: "end" }, file, h("button", { type: "button", onclick: () => file.click() }, "Add films"), this.all));
    const note = h("aside", { class: "note", "aria-label": "Responsible use" }, h("p", {}, state.note));
    this.element = h("section", { class: "page library" }, h("h1", {}, "Films"), h("p", { class: "sub" }, `${state.folder}. Drop films anywhere on this page. They are copied into this folder. Nothing leaves this machine.`), note, bar, this.list);
    this.unwatch = onFilms(() => this.load());
    this.unlisten = server.listen((job) => this.hear(job));
    this.timer = 0;
  }

  async load() {
    const [films, jobs] = await Promise.all([server.films(), server.jobs()]);
    this.films = films;
    for (const job of jobs) this.jobs.set(job.film, job);
    this.fill();
    clearTimeout(this.timer);
    if (films.some((f) => f.width === null && !f.problem)) this.timer = window.setTimeout(() => void this.load().catch(() => undefined), 3000);
  }

  /** @param {Job} job */
  hear(job) {
    this.jobs.set(job.film, job);
    const film = this.films.find((f) => f.id === job.film);
    const isOver = !["queued", "running"].includes(job.state);
    if (film) Object.assign(film, { state: job.kind === "analyse" || !isOver ? job.state : film.state, progress: job.progress, problem: job.problem });
    if (film && isOver) {
      say(`${film.name}: ${stateText(job.state)}${job.problem ? `. ${job.problem}` : ""}`, job.state === "failed" ? "warning" : "said");
      void this.load();
    } else this.fill();
  }

  fill() {
    const asked = this.search.value.trim().toLowerCase();
    const order = ORDERS.find(([name]) => name === this.order.value) ?? ORDERS[0];
    const shown = this.films.filter((f) => f.name.toLowerCase().includes(asked)).sort((a, b) => order[2](a, b) || ORDERS[0][2](a, b));
    this.count.textContent = shown.length === this.films.length ? counted(shown.length, "film") : `${shown.length} of ${counted(this.films.length, "film")}`;
    const rows = shown.map((film) => this.rowOf(film));
    if (rows.some((row, i) => this.list.children[i] !== row) || this.list.children.length !== rows.length) this.list.replaceChildren(...rows);
    if (!rows.length) this.list.append(h("li", { class: "empty" }, this.films.length ? "No film has this in its name. Clear the search to see all." : "No film yet. Drop one on this page, or copy it into the folder."));
    this.all.disabled = !this.films.some((f) => f.state === "new");
  }

  /** The row of a film, made anew only where something has changed. @param {Film} film */
  rowOf(film) {
    const text = JSON.stringify([film, this.jobs.get(film.id)]);
    const known = this.rows.get(film.id);
    if (known?.text === text) return known.row;
    const row = this.row(film);
    if (known) known.row.replaceWith(row);
    this.rows.set(film.id, { text, row });
    return row;
  }

  /** @param {Film} film */
  row(film) {
    const canOpen = film.state === "done" || film.seconds !== null;
    const address = `#/film/${encodeURIComponent(film.id)}`;
    const name = canOpen && film.state === "done" ? h("a", { href: address }, film.name) : h("span", {}, film.name);
    const facts = [lasting(film.seconds), film.width ? `${film.width} × ${film.height}` : "", film.fps ? `${Number(film.fps.toFixed(2))} frames/s` : "", film.person ?? "", film.condition ?? ""];
    return h("li", { class: `film ${film.state}`, "data-film": film.id }, h("img", { src: server.pictureOf(film.id), alt: "", loading: "lazy", width: 128, height: 72, onerror: (/** @type {Event} */ e) => /** @type {HTMLElement} */ (e.target).replaceWith(h("span", { class: "blank" })) }),
      h("div", { class: "what" }, h("h2", {}, name), h("p", { class: "dim" }, facts.filter((f) => f && f !== "–").join(" · ")), film.problem ? h("p", { class: "problem" }, film.problem) : null),
      this.stateOf(film), qualityOf(film), h("div", { class: "actions" }, ...this.buttons(film, address)));
  }

  /** @param {Film} film */
  stateOf(film) {
    const isBusy = film.state === "running" || film.state === "queued";
    const share = film.progress ?? 0;
    const micro = film.counts.micro ?? 0;
    const text = film.state === "running" ? percent(share) : film.state === "done" ? (film.counts.micro === undefined ? "analysed" : `${micro} micro, ${film.counts.macro ?? 0} macro`) : stateText(film.state);
    const reviewed = Object.entries(film.reviewed).map(([who, { done, total }]) => h("span", { class: "chip" }, `reviewed ${done} of ${total} by ${who}`));
    return h("div", { class: "state" }, h("p", {}, h("b", {}, text)), isBusy ? h("progress", { max: 1, value: share, "aria-label": `Analysis of ${film.name}` }) : null, h("p", { class: "chips" }, ...reviewed));
  }

  /** @param {Film} film @param {string} address */
  buttons(film, address) {
    const job = this.jobs.get(film.id);
    if (film.state === "running" || film.state === "queued") return [job ? h("button", { type: "button", "aria-label": `Stop the analysis of ${film.name}`, onclick: () => this.tell(server.cancel(job.id)) }, "Stop") : null];
    const again = film.state === "done" ? "Analyse again" : "Analyse";
    const analyse = h("button", { type: "button", title: film.state === "done" ? "What people have coded stays" : null, "aria-label": `${again}: ${film.name}`, onclick: () => this.analyse(film) }, again);
    if (film.state !== "done") return [analyse];
    return [h("a", { class: "button main", href: address, "aria-label": `Review ${film.name}` }, "Review"), h("a", { class: "button", href: `/reports/${encodeURIComponent(film.id)}/`, target: "_blank", rel: "noopener", "aria-label": `Report of ${film.name}` }, "Report"), analyse];
  }

  /** @param {Promise<unknown>} asked */
  async tell(asked) {
    try {
      await asked;
      await this.load();
    } catch (error) {
      say(error instanceof Error ? error.message : String(error), "warning");
    }
  }

  /** @param {Film} film */
  async analyse(film) {
    const isFolder = film.width !== null && film.fps === null; // a folder of images does not say its rate
    const fps = isFolder ? await askRate(film.name) : undefined;
    if (fps !== null) await this.tell(server.start(film.id, "analyse", fps));
  }

  async analyseAll() {
    for (const film of this.films.filter((f) => f.state === "new")) await this.analyse(film);
  }

  close() {
    clearTimeout(this.timer);
    this.unwatch();
    this.unlisten();
  }
}

/** @param {string} name @returns {Promise<number | null>} null where it was not given */
async function askRate(name) {
  const field = h("input", { type: "number", min: "0.1", step: "any", required: true, autofocus: true, "aria-label": "Frames per second" });
  const done = await dialog(name, (close) => [
    h("form", { onsubmit: (/** @type {Event} */ e) => { e.preventDefault(); close("yes"); } },
      h("p", {}, "These are single images. At how many frames per second were they filmed?"),
      h("div", { class: "actions" }, field, h("button", { type: "submit", class: "main" }, "Analyse"))),
  ]);
  return done === "yes" ? Number(field.value) : null;
}

/** @param {Film} film */
function qualityOf(film) {
  if (!film.quality) return h("div", { class: "quality dim" }, "–");
  const { verdict, notes } = film.quality;
  const sign = { good: "●", fair: "◐", poor: "○" }[verdict] ?? "";
  return h("div", { class: "quality" }, h("p", { class: `verdict ${verdict}` }, `${sign} ${verdict}`), notes.length ? h("p", { class: "dim", title: notes.join("\n") }, notes.join("; ")) : null);
}
