// Two coders compared: the tables of `fleeting agree`, what they differ in, and a consensus.

import { choose, dialog, h, say, table } from "./dom.js";
import { draftOf } from "./coding.js";
import { server } from "./server.js";
import { clock, counted } from "./words.js";
import { coder, isBlind, setCoder } from "./who.js";
import { titleOf } from "./items.js";

/** @import {Page} from "./main.js" */
/** @import {Agreement, Disagreement, FilmEvent, State} from "./types.js" */

const CONSENSUS = "consensus";

/** @param {State} state @param {string[]} _place @param {URLSearchParams} query @returns {Promise<Page>} */
export async function agreementPage(state, _place, query) {
  const films = (await server.films()).filter((f) => f.state === "done");
  const sides = [...state.coders, "machine"];
  const first = query.get("a") ?? sides[0];
  const second = query.get("b") ?? sides.find((name) => name !== first) ?? "machine";
  const film = query.get("film") ?? "";
  const element = h("section", { class: "page" }, h("h1", {}, "Agreement"), h("p", { class: "sub" }, "Two coders, or a coder and the machine. Precision and recall take the first one as the truth."));
  if (!state.coders.length) {
    element.append(h("p", { class: "empty" }, "Nobody has coded a film yet. Press Review beside a film, and give your name."));
    return { element, title: "Agreement" };
  }
  if (isBlind()) {
    element.append(h("p", { class: "empty" }, "You code blind, so other coders and the machine stay hidden. Choose your name above to end it."));
    return { element, title: "Agreement" };
  }
  const names = sides.map((name) => /** @type {[string, string]} */ ([name, name]));
  const go = () => (location.hash = `#/agreement?${new URLSearchParams({ a: a.value, b: b.value, film: which.value })}`);
  const a = choose({ "aria-label": "First coder", onchange: go }, names, first);
  const b = choose({ "aria-label": "Second coder", onchange: go }, names, second);
  const which = choose({ "aria-label": "Film", onchange: go }, [["", "all films that both have coded"], ...films.map((f) => /** @type {[string, string]} */ ([f.id, f.name]))], film);
  element.append(h("div", { class: "bar" }, a, h("span", {}, "and"), b, h("span", {}, "on"), which));
  try {
    element.append(...found(await server.agreement(film || null, first, second)));
  } catch (error) {
    element.append(h("p", { class: "empty" }, error instanceof Error ? error.message : String(error)));
  }
  return { element, title: "Agreement" };
}

/** @param {Agreement} agreement @returns {Node[]} */
function found(agreement) {
  const { a, b, sections, disagreements, matched } = agreement;
  const tables = sections.flatMap(({ title, note, header, rows }) => [h("h2", {}, title), note ? h("p", { class: "hint" }, note) : null, table(title, header, cells(header, rows))]);
  const line = (/** @type {Disagreement} */ d) => h("li", {}, h("a", { href: `#/film/${encodeURIComponent(d.film)}?frame=${d.at_frame}` }, h("span", { class: "when" }, clock(d.at_s)), " ", wording(d, a, b), " ", h("span", { class: "dim" }, d.name)));
  const consensus = h("button", { type: "button", class: "main", onclick: () => void build(agreement) }, "Work on the consensus");
  const decide = h("div", { class: "actions" }, consensus, h("p", { class: "hint" }, `The consensus is a coder of its own. It begins with the ${counted(matched.length, "event")} that both have; you decide on the rest.`));
  return [
    h("p", {}, agreement.heading),
    h("h2", {}, "Differences"),
    disagreements.length ? h("ol", { class: "differences" }, ...disagreements.map(line)) : h("p", { class: "empty" }, "None."),
    ...(a === "machine" || b === "machine" ? [] : [decide]),
    .../** @type {Node[]} */ (tables.filter((t) => t !== null)),
  ];
}

/**
 * Numbers of a column with the same digits: counts without any, shares and means with two.
 * @param {string[]} header @param {(string | number | null)[][]} rows
 */
function cells(header, rows) {
  const isShare = header.map((name, i) => /precision|recall|F1|IoU|agreement|kappa|AC1|ICC/.test(name) || rows.some((row) => typeof row[i] === "number" && !Number.isInteger(row[i])));
  return rows.map((row) => row.map((v, i) => (v === null ? "–" : typeof v === "number" && isShare[i] ? v.toFixed(2) : String(v))));
}

/** @param {Disagreement} d @param {string} a @param {string} b */
function wording(d, a, b) {
  if (!d.b && d.a) return `${titleOf(d.a)}: only ${a}`;
  if (!d.a && d.b) return `${titleOf(d.b)}: only ${b}`;
  return d.a && d.b ? `${a}: ${titleOf(d.a)}; ${b}: ${titleOf(d.b)}` : d.kind;
}

/**
 * Give the consensus what both have, where it has nothing yet, and code as the consensus from now on.
 * @param {Agreement} agreement
 */
async function build({ a, matched, disagreements }) {
  const who = coder();
  const sure = await dialog("Work on the consensus", (close) => [
    h("p", {}, `From now on you code as "${CONSENSUS}". Events that ${a} and the other coder both have are taken from ${a}, once for each film. The other coders' events are in the lanes. Choose one and press Enter to take it over.`),
    h("div", { class: "actions" }, h("button", { type: "button", class: "main", autofocus: true, onclick: () => close("yes") }, "Begin")),
  ]);
  if (sure !== "yes") return;
  try {
    const films = [...new Set([...matched, ...disagreements].map((m) => m.film))];
    for (const film of films) await begin(film, matched.filter((m) => m.film === film).map((m) => m.a));
    setCoder(CONSENSUS, false);
    const at = disagreements[0];
    location.hash = at ? `#/film/${encodeURIComponent(at.film)}?frame=${at.at_frame}` : films.length ? `#/film/${encodeURIComponent(films[0])}` : "#/";
  } catch (error) {
    setCoder(who, false);
    say(error instanceof Error ? error.message : String(error), "warning");
  }
}

/** @param {string} film @param {FilmEvent[]} events */
async function begin(film, events) {
  await server.open(film, CONSENSUS, false);
  let state = await server.coding(film, CONSENSUS);
  if (state.events.length || state.can_undo || state.can_redo) return; // it has begun already
  for (const event of events) state = await server.edit(film, CONSENSUS, { action: "put", event: draftOf(event), seq: state.seq });
}
