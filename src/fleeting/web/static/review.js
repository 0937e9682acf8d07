// One film: the picture, the lanes under it, the list of events, the form of one event.

import { Coding, draftOf, withMark } from "./coding.js";
import { h, remembered, say } from "./dom.js";
import { fillList, filterBar } from "./event_list.js";
import { NEXT_KIND, schemeFor } from "./form.js";
import { isOpen, itemsOf, lineOf, titleOf, tracksOf } from "./items.js";
import { Lanes } from "./lanes.js";
import { Panel } from "./panel.js";
import { server } from "./server.js";
import { Stage } from "./stage.js";
import { askCoder, coder, isBlind } from "./who.js";
import { clock, counted } from "./words.js";
import { filesMenu, filmFacts } from "./film_parts.js";

/** @import {Page} from "./main.js" */
/** @import {Filter, Item} from "./items.js" */
/** @import {Draft, FilmEvent, OpenFilm, State} from "./types.js" */

/** @param {State} state @param {string[]} place @param {URLSearchParams} query @returns {Promise<Page>} */
export async function reviewPage(state, [id], query) {
  if (!coder() && !(await askCoder(state.coders))) {
    location.hash = "#/";
    return { element: h("section"), title: "Films" };
  }
  const [film, times] = await Promise.all([server.film(id), server.times(id)]);
  const review = new Review(state, film, times);
  await review.open(query);
  return { element: review.element, title: film.name, act: (action) => review.act(action), close: () => review.close() };
}

class Review {
  /** @param {State} state @param {OpenFilm} film @param {Float64Array} times */
  constructor(state, film, times) {
    this.state = state;
    this.film = film;
    this.times = times;
    this.chosen = "";
    this.face = film.faces[0]?.id ?? 0;
    /** @type {Filter} */
    this.filter = { confidence: Number(remembered("confidence", "0")), refused: false, others: remembered("others", "") === "yes", blind: isBlind() };
    /** @type {Record<string, FilmEvent[]>} */
    this.others = {};
    this.coding = new Coding(film.id, coder(), () => this.update());
    this.stage = new Stage(film, times, { frame: (n) => this.lanes.set({ frame: n }), act: (action) => this.act(action), face: (face) => this.setFace(face) });
    this.lanes = new Lanes(times, this.stage.player.endOf(times.length - 1), {
      go: (n) => this.stage.player.step(n - this.stage.player.wanted),
      choose: (key) => this.choose(key, false),
      move: (key, mark, frame) => this.change(this.itemOf(key), (draft) => withMark(draft, mark, frame)),
      range: (first, last, points) => this.loadLanes(first, last, points),
    });
    this.list = h("ol", { class: "events", "aria-label": "Events" });
    this.panel = new Panel(times, state);
    this.count = h("p", { class: "dim" });
    this.undo = h("button", { type: "button", onclick: () => this.act("undo") }, "Undo");
    this.redo = h("button", { type: "button", onclick: () => this.act("redo") }, "Redo");
    this.notes = h("div", { class: "notes" });
    this.element = this.layOut();
    this.laneTimer = 0;
    this.laneTurn = new AbortController();
    this.refreshed = () => document.visibilityState === "visible" && void this.coding.edit(() => null).then(() => this.reload());
    document.addEventListener("visibilitychange", this.refreshed);
  }

  layOut() {
    const head = h("header", { class: "film-head" }, h("h1", {}, this.film.name), filmFacts(this.film), filesMenu(this.film.id, this.state.formats, coder(), () => this.reload()));
    const aside = h("aside", { "aria-label": "Coding" },
      h("div", { class: "list-head" }, h("h2", {}, "Events"), this.undo, this.redo, h("button", { type: "button", onclick: () => this.act("add") }, "New")),
      filterBar(this.filter, () => this.update()), this.count, this.list, this.panel.element, this.notes);
    return h("section", { class: "review" }, head, h("div", { class: "left" }, this.stage.element, this.lanes.element), aside);
  }

  /** @param {URLSearchParams} query */
  async open(query) {
    await this.coding.open(this.filter.blind);
    await this.loadOthers();
    this.lanes.set({ cuts: this.film.cuts.map((c) => c.time_s) });
    const frame = Number(query.get("frame") ?? NaN);
    this.stage.player.go(Number.isInteger(frame) ? frame : 0);
    if (Number.isInteger(frame)) this.lanes.show(this.times[this.stage.player.wanted] - 1.5, this.times[this.stage.player.wanted] + 1.5);
    this.update();
  }

  async reload() {
    await this.coding.refresh();
    await this.loadOthers();
    this.update();
  }

  async loadOthers() {
    if (this.filter.blind) return;
    const me = this.coding.coder.toLowerCase();
    const names = (await server.coders(this.film.id)).map((c) => c.name).filter((name) => name.toLowerCase() !== me);
    const states = await Promise.all(names.map((name) => server.coding(this.film.id, name)));
    this.others = Object.fromEntries(names.map((name, i) => [name, states[i].events]));
  }

  /** @param {number} first @param {number} last @param {number} points */
  loadLanes(first, last, points) {
    if (this.filter.blind) return;
    clearTimeout(this.laneTimer);
    this.laneTimer = window.setTimeout(async () => {
      this.laneTurn.abort();
      this.laneTurn = new AbortController();
      try {
        this.lanes.set({ data: await server.lanes(this.film.id, { first, last, points, face: this.face }, this.laneTurn.signal) });
      } catch (error) {
        if (!(error instanceof DOMException)) say(error instanceof Error ? error.message : String(error), "warning");
      }
    }, this.lanes.data ? 80 : 0);
  }

  /** @param {number} face */
  setFace(face) {
    this.face = face;
    this.lanes.tell();
  }

  /** @returns {Item[]} */
  items() {
    return itemsOf(this.coding.state, this.others, coder(), this.filter);
  }

  /** The key of what a proposal has become. @param {string} key */
  resolved(key) {
    const proposal = key.startsWith("p:") ? this.coding.proposal(key.slice(2)) : undefined;
    return proposal?.id && (proposal.state === "accepted" || proposal.state === "corrected") ? `e:${proposal.id}` : key;
  }

  /** @param {string} asked @returns {Item | undefined} */
  itemOf(asked) {
    const key = this.resolved(asked);
    const found = this.items().find((item) => item.key === key);
    if (found || !key.startsWith("o:")) return found;
    return itemsOf(this.coding.state, this.others, coder(), { ...this.filter, others: true }).find((item) => item.key === key);
  }

  /** @param {string} key @param {boolean} [moves] whether the playhead goes there */
  choose(key, moves = true) {
    this.chosen = this.resolved(key);
    const item = this.itemOf(this.chosen);
    if (item && moves) {
      this.stage.player.stop();
      this.stage.player.go(item.event.apex_known === false ? item.event.onset_frame : item.event.apex_frame);
    }
    if (item) say(`${titleOf(item.event)}, frames ${item.event.onset_frame} to ${item.event.offset_frame}, ${lineOf(item).state}`);
    this.update();
  }

  /** Show what the server keeps. */
  update() {
    const { state } = this.coding;
    this.chosen = this.resolved(this.chosen);
    const items = this.items();
    this.undo.disabled = !state.can_undo;
    this.redo.disabled = !state.can_redo;
    const open = state.proposals.filter((p) => p.state === "open" || p.state === "new").length;
    const hidden = open - items.filter(isOpen).length;
    this.count.textContent = this.filter.blind
      ? counted(state.events.length, "event")
      : `${counted(state.events.length, "event")}, ${counted(open, "proposal")} to decide on${hidden ? ` (${hidden} hidden)` : ""}`;
    this.lanes.set({ tracks: tracksOf(state, this.others, coder(), this.filter), chosen: this.chosen });
    this.notes.replaceChildren(...[...state.notes, ...this.film.warnings].map((text) => h("p", { class: "hint" }, text)));
    fillList(this.list, items, this.chosen, (key) => this.choose(key));
    this.fillForm();
  }

  fillForm() {
    const item = this.itemOf(this.chosen);
    const calls = {
      change: (/** @type {(draft: Draft) => Draft} */ how) => void this.change(item && this.itemOf(item.key), how),
      here: (/** @type {string} */ mark) => this.act(mark),
      go: (/** @type {number} */ frame) => this.stage.player.step(frame - this.stage.player.wanted),
      act: (/** @type {string} */ action) => this.act(action),
    };
    this.panel.fill(item, (one) => this.draftOf(one), calls, (key) => this.resolved(key));
  }

  /** @param {Item} item @returns {Draft} */
  draftOf(item) {
    const draft = draftOf(item.event);
    if (draft.emotion && item.event.scheme === undefined) {
      draft.scheme = ["3", "fer2013-7"].find((s) => draft.emotion === "unsure" || this.state.schemes[s]?.includes(draft.emotion ?? "")) ?? "";
    }
    return draft;
  }

  /**
   * Put a changed event; a proposal becomes the coder's by it.
   * @param {Item | undefined} item @param {(draft: Draft) => Draft} how
   * @param {() => Promise<boolean>} [ready] what the edit, and those after it, wait for; false makes no edit
   */
  async change(item, how, ready) {
    if (!item) return say("Choose an event first, or press E for a new one.", "warning");
    if (item.what === "other") return say(`This event is ${item.coder}'s. Press Enter to take it over.`, "warning");
    const key = item.key;
    const state = await this.coding.edit(async () => {
      if (ready && !(await ready())) return null;
      const now = this.itemOf(key);
      if (!now) return null; // it was removed meanwhile
      const before = this.draftOf(now);
      const event = how(before);
      if (JSON.stringify(event) === JSON.stringify(before)) return null;
      return now.what === "event" ? { action: "put", id: now.id, event } : { action: "put", proposal: now.id, event };
    });
    if (!state) this.update();
    return undefined;
  }

  /** @param {Draft} event @param {() => Promise<boolean>} [ready] */
  async add(event, ready) {
    let before = new Set([""]);
    const state = await this.coding.edit(async (now) => {
      before = new Set(now.events.map((e) => e.id ?? ""));
      return ready && !(await ready()) ? null : { action: "put", event };
    });
    const added = state?.events.find((e) => !before.has(e.id ?? ""));
    if (added) this.choose(`e:${added.id}`, false);
  }

  /** Stop, and return what waits until the picture of the wanted frame is there. @param {number} frame @returns {() => Promise<boolean>} */
  seen(frame) {
    const { player } = this.stage;
    player.stop();
    const shown = player.until(frame);
    return async () => (await shown) || player.wanted !== frame; // false: the picture did not come
  }

  /** @param {"onset" | "apex" | "offset"} mark */
  async mark(mark) {
    const item = this.itemOf(this.chosen);
    const frame = this.stage.player.wanted;
    await this.change(item, (draft) => withMark(draft, mark, frame), this.seen(frame));
    if (item && item.what !== "other") say(`${mark} at frame ${frame}, ${clock(this.times[frame])}`);
  }

  /** @param {"accept" | "refuse"} action */
  async decide(action) {
    const item = this.itemOf(this.chosen);
    if (!item) return say("Choose a proposal first: press N for the next one.", "warning");
    if (item.what === "other" && action === "accept") return this.add(this.draftOf(item));
    if (item.what !== "proposal") return say("This is no open proposal. Undo takes a decision back.", "warning");
    const state = await this.coding.edit((now) => (now.proposals.some((p) => p.key === item.id) ? { action, proposal: item.id } : null));
    if (!state) return undefined;
    const left = this.items().filter(isOpen).length;
    say(`${action === "accept" ? "Accepted" : "Refused"}. ${counted(left, "proposal")} left.`);
    return left ? this.next(1, isOpen, item.event.onset_frame) : this.update();
  }

  /** @param {1 | -1} by @param {(item: Item) => boolean} which @param {number} [from] */
  next(by, which, from) {
    const items = this.items();
    const now = items.findIndex((item) => item.key === this.chosen);
    const frame = from ?? this.stage.player.wanted;
    const order = items.map((item, i) => ({ item, i })).filter(({ item }) => which(item));
    if (!order.length) return say("There is none.");
    const isPast = (/** @type {{item: Item, i: number}} */ { item, i }) => (now >= 0 ? (i - now) * by > 0 : (item.event.onset_frame - frame) * by >= 0);
    const found = by > 0 ? (order.find(isPast) ?? order[0]) : (order.findLast(isPast) ?? order[order.length - 1]);
    return this.choose(found.item.key);
  }

  /** @param {string} action @returns {boolean} whether this page knows it */
  act(action) {
    const item = this.itemOf(this.chosen);
    /** @type {Record<string, () => unknown>} */
    const actions = {
      onset: () => this.mark("onset"),
      apex: () => this.mark("apex"),
      offset: () => this.mark("offset"),
      nextProposal: () => this.next(1, isOpen),
      previousProposal: () => this.next(-1, isOpen),
      nextEvent: () => this.next(1, () => true),
      previousEvent: () => this.next(-1, () => true),
      accept: () => this.decide("accept"),
      refuse: () => this.decide("refuse"),
      correct: () => this.correct(item),
      add: () => this.add(this.blank("micro"), this.seen(this.stage.player.wanted)),
      uncodable: () => this.add(this.blank("uncodable"), this.seen(this.stage.player.wanted)),
      remove: () => this.remove(item),
      undo: () => this.coding.edit((s) => (s.can_undo ? { action: "undo" } : null)).then((s) => say(s ? "Undone." : "Nothing to undo.")),
      redo: () => this.coding.edit((s) => (s.can_redo ? { action: "redo" } : null)).then((s) => say(s ? "Done again." : "Nothing to redo.")),
      kind: () => this.change(item, (d) => ({ ...d, kind: NEXT_KIND[d.kind] })),
      unnamed: () => this.change(item, (d) => ({ ...d, emotion: null })),
      loop: () => item && this.stage.loop([item.event.onset_frame, item.event.offset_frame]),
      zoomIn: () => this.lanes.zoom(0.5),
      zoomOut: () => this.lanes.zoom(2),
      zoomAll: () => this.lanes.show(0, this.lanes.end),
      zoomEvent: () => item && this.zoomTo(item.event),
    };
    const name = /^name(\d)$/.exec(action);
    if (name) void this.name(item, Number(name[1]) - 1);
    else if (action in actions) void actions[action]();
    else return this.stage.act(action);
    return true;
  }

  /** @param {FilmEvent} event */
  zoomTo(event) {
    const room = Math.max(event.offset_s - event.onset_s, 0.1);
    this.lanes.show(event.onset_s - room, event.offset_s + room);
  }

  /** @param {Item | undefined} item @param {number} index of the class */
  name(item, index) {
    return this.change(item, (draft) => {
      const scheme = schemeFor(draft, this.state.schemes);
      const emotion = this.state.schemes[scheme]?.[index];
      if (emotion === undefined || draft.kind === "uncodable") return draft;
      return { ...draft, scheme, emotion };
    });
  }

  /** Make a proposal the coder's own as it is, and go to its form. @param {Item | undefined} item */
  async correct(item) {
    if (item?.what === "proposal") {
      await this.coding.edit(() => ({ action: "accept", proposal: item.id }));
      this.update();
    }
    this.panel.find("onset-frame")?.focus();
  }

  /** @param {Item | undefined} item */
  async remove(item) {
    if (item?.what === "proposal") return this.decide("refuse");
    if (item?.what !== "event") return say("Choose one of your events first.", "warning");
    const state = await this.coding.edit((now) => (now.events.some((e) => e.id === item.id) ? { action: "remove", id: item.id } : null));
    if (state) say("Deleted. Undo brings it back.");
    return undefined;
  }

  /** @param {"micro" | "uncodable"} kind @returns {Draft} */
  blank(kind) {
    const frame = this.stage.player.wanted;
    return { kind, face: this.face, onset_frame: frame, apex_frame: null, offset_frame: frame, emotion: null, scheme: "", action_units: "", certainty: "", note: "" };
  }

  close() {
    clearTimeout(this.laneTimer);
    this.laneTurn.abort();
    document.removeEventListener("visibilitychange", this.refreshed);
    this.stage.close();
    this.lanes.close();
  }
}
