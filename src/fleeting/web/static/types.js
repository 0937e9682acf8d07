// What the server sends, for `tsc --checkJs` and for readers. Nothing here runs.

/**
 * @typedef {"micro" | "macro" | "blink" | "wink" | "uncodable"} Kind
 *
 * An event of the machine or of a coder; frames count from 0, onset and offset are both part of it.
 * @typedef {object} FilmEvent
 * @property {string} [id]
 * @property {number} face
 * @property {Kind} kind
 * @property {number} onset_frame
 * @property {number} apex_frame
 * @property {number} offset_frame
 * @property {number} onset_s
 * @property {number} apex_s
 * @property {number} offset_s
 * @property {boolean} [apex_known]
 * @property {string[]} [regions]
 * @property {number | null} [displacement_percent_iod]
 * @property {number | null} [confidence]
 * @property {string | null} [emotion]
 * @property {number | null} [probability]
 * @property {Record<string, number>} [probabilities]
 * @property {string} [scheme]
 * @property {string} [action_units]
 * @property {string} [certainty]
 * @property {string} [note]
 * @property {"machine" | "person" | "corrected"} [origin]
 * @property {string} [coder]
 * @property {string} [changed]
 * @property {FilmEvent | null} [proposal]
 *
 * @typedef {"open" | "new" | "accepted" | "corrected" | "refused"} ProposalState
 * @typedef {{key: string, event: FilmEvent, state: ProposalState, id: string | null}} Proposal
 *
 * @typedef {object} CodingState
 * @property {FilmEvent[]} events
 * @property {Proposal[]} proposals
 * @property {boolean} can_undo
 * @property {boolean} can_redo
 * @property {string[]} notes
 * @property {number} seq
 *
 * What an edit says; the server fills in times, origin and who.
 * @typedef {object} Draft
 * @property {Kind} kind
 * @property {number} face
 * @property {number} onset_frame
 * @property {number | null} apex_frame
 * @property {number} offset_frame
 * @property {string | null} emotion
 * @property {string} scheme
 * @property {string} action_units
 * @property {string} certainty
 * @property {string} note
 *
 * @typedef {object} Edit
 * @property {"put" | "remove" | "accept" | "refuse" | "undo" | "redo"} action
 * @property {string} [id]
 * @property {Draft} [event]
 * @property {string} [proposal]
 *
 * @typedef {object} Film
 * @property {string} id
 * @property {string} name
 * @property {number} bytes
 * @property {number | null} seconds
 * @property {number | null} fps
 * @property {number | null} frames
 * @property {number | null} width
 * @property {number | null} height
 * @property {"new" | "queued" | "running" | "done" | "failed" | "cancelled"} state
 * @property {number | null} progress
 * @property {string | null} problem
 * @property {Record<string, number>} counts
 * @property {Record<string, {done: number, total: number}>} reviewed
 * @property {{verdict: string, notes: string[]} | null} quality
 * @property {string | null} person
 * @property {string | null} condition
 *
 * @typedef {Film & {faces: {id: number, picture_url: string}[], cuts: {frame: number, time_s: number}[], warnings: string[]}} OpenFilm
 *
 * @typedef {{name: string, low: (number | null)[], high: (number | null)[]}} Curve
 * @typedef {{title: string, floor: number | null, curves: Curve[]}} LaneRow
 *
 * @typedef {object} LaneData
 * @property {number[]} time
 * @property {LaneRow[]} rows
 * @property {{curves: Curve[]} | null} eyes
 * @property {{time: number[], names: string[], percent: (number | null)[][]} | null} expressions
 * @property {[number, number][]} speaking
 *
 * @typedef {object} State
 * @property {string} version
 * @property {string} folder
 * @property {string[]} coders
 * @property {Record<string, string[]>} schemes
 * @property {Record<string, string>} formats
 * @property {string} note
 * @property {{recogniser: string, expression: string}} scores
 * @property {{upload_limit_bytes: number}} settings
 *
 * @typedef {{id: string, film: string, kind: string, state: Film["state"], progress: number | null, problem: string | null}} Job
 *
 * @typedef {{title: string, note: string, header: string[], rows: (string | number | null)[][]}} Section
 * @typedef {{film: string, name: string, face: number, kind: string, a: FilmEvent | null, b: FilmEvent | null,
 *   at_frame: number, at_s: number}} Disagreement
 * @typedef {{a: string, b: string, heading: string, sections: Section[], disagreements: Disagreement[],
 *   matched: {film: string, a: FilmEvent, b: FilmEvent}[], films_left_out: string[]}} Agreement
 *
 * @typedef {{precision: number | null, precision_interval: [number, number] | null, recall: number | null,
 *   recall_interval: [number, number] | null}} Rates
 * @typedef {{from: number, to: number, proposals: number, precision: number | null,
 *   precision_interval: [number, number] | null}} Bin
 * @typedef {Rates & {proposals: number, right: number, missed: number, by_confidence: Bin[],
 *   confidence: (Rates & {from: number, proposals: number}) | null}} KindScore
 */

export {};
