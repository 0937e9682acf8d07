// One coder's work on one film: every edit is sent, one after the other, and what the server answers is what is shown.

import { say } from "./dom.js";
import { Refused, server } from "./server.js";

/** @import {CodingState, Draft, Edit, FilmEvent, Proposal} from "./types.js" */

/** @type {CodingState} */
const EMPTY = { events: [], proposals: [], can_undo: false, can_redo: false, notes: [], seq: 0 };

export class Coding {
  /**
   * @param {string} film
   * @param {string} coder
   * @param {() => void} changed
   */
  constructor(film, coder, changed) {
    this.film = film;
    this.coder = coder;
    this.changed = changed;
    this.state = EMPTY;
    /** @type {Promise<unknown>} */
    this.last = Promise.resolve();
    this.waiting = 0;
  }

  /** @param {boolean} blind */
  async open(blind) {
    await server.open(this.film, this.coder, blind);
    await this.refresh();
  }

  async refresh() {
    this.take(await server.coding(this.film, this.coder));
  }

  /** @param {CodingState} state */
  take(state) {
    this.state = state;
    this.changed();
  }

  /**
   * Do an edit after those before it. It is made from the state of that moment; null does nothing.
   * @param {(state: CodingState) => Edit | null | Promise<Edit | null>} make
   * @returns {Promise<CodingState | null>} the new state; null where nothing was done or it was refused
   */
  edit(make) {
    this.waiting += 1;
    const done = this.last.then(() => this.send(make)).finally(() => (this.waiting -= 1));
    this.last = done;
    return done;
  }

  /** @param {(state: CodingState) => Edit | null | Promise<Edit | null>} make */
  async send(make) {
    const edit = await make(this.state);
    if (!edit) return null;
    try {
      const state = await server.edit(this.film, this.coder, { ...edit, seq: this.state.seq });
      this.take(state);
      return state;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.status === 409 && error.body?.events) {
        this.take(error.body);
        say("Another window has changed this film's coding. Its newer state is shown; your last change was not made.", "warning");
      } else {
        say(`Not saved. ${error.message}`, "warning");
        this.changed();
      }
      return null;
    }
  }

  /** @param {string} id @returns {FilmEvent | undefined} */
  event(id) {
    return this.state.events.find((e) => e.id === id);
  }

  /** @param {string} key @returns {Proposal | undefined} */
  proposal(key) {
    return this.state.proposals.find((p) => p.key === key);
  }
}

/** What is put for an event as it is. @param {FilmEvent} event @returns {Draft} */
export function draftOf(event) {
  const { kind, face, onset_frame, offset_frame } = event;
  return {
    kind,
    face,
    onset_frame,
    apex_frame: event.apex_known === false || kind === "uncodable" ? null : event.apex_frame,
    offset_frame,
    emotion: event.emotion ?? null,
    scheme: event.scheme ?? "",
    action_units: event.action_units ?? "",
    certainty: event.certainty ?? "",
    note: event.note ?? "",
  };
}

/**
 * The frames with one mark moved; the others give way, so that onset <= apex <= offset holds.
 * @param {Draft} draft
 * @param {"onset" | "apex" | "offset"} mark
 * @param {number | null} frame null takes the apex away
 * @returns {Draft}
 */
export function withMark(draft, mark, frame) {
  let { onset_frame: onset, apex_frame: apex, offset_frame: offset } = draft;
  if (mark === "apex") apex = frame;
  else if (frame === null) return draft;
  else if (mark === "onset") onset = frame;
  else offset = frame;
  if (frame !== null && mark !== "offset") offset = Math.max(offset, frame);
  if (frame !== null && mark !== "onset") onset = Math.min(onset, frame);
  if (apex !== null) apex = Math.max(onset, Math.min(apex, offset));
  return { ...draft, onset_frame: onset, apex_frame: apex, offset_frame: offset };
}
