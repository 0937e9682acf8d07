// All that is asked of the server. The cookie that the first address has set goes along by itself.

/** @import {Film, OpenFilm, CodingState, Edit, LaneData, State, Job, Agreement, FilmEvent} from "./types.js" */

/** What the server said in place of an answer. */
export class Refused extends Error {
  /** @param {number} status @param {string} message @param {any} body */
  constructor(status, message, body) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refused(0, "The server does not answer. Is 'fleeting serve' still running?", null);
  }
  const body = answer.headers.get("content-type")?.startsWith("application/json") ? await answer.json() : null;
  if (!answer.ok) throw new Refused(answer.status, said(answer.status, body), body);
  return body;
}

/** @param {number} status @param {any} body */
function said(status, body) {
  if (status === 401 || status === 403) return "This page may not ask the server. Open the address that 'fleeting serve' printed.";
  return typeof body?.error === "string" ? body.error : `The server answered ${status}.`;
}

/** @param {any} body @returns {RequestInit} */
const json = (body) => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

/** @param {string} id */
const film = (id) => `/api/films/${encodeURIComponent(id)}`;

/** @param {Record<string, string | number>} values */
const query = (values) => new URLSearchParams(Object.entries(values).map(([k, v]) => [k, String(v)])).toString();

/** What stands for the face in a frame in which it is not seen. */
function noFace() {
  const canvas = new OffscreenCanvas(420, 510);
  const pen = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.fillStyle = "#1d1a22";
  pen.fillRect(0, 0, 420, 510);
  pen.fillStyle = "#a7a1b3";
  pen.font = "20px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.fillText("This face is not seen in this frame", 210, 255);
  return createImageBitmap(canvas);
}

export const server = {
  /** @returns {Promise<State>} */
  state: () => ask("/api/state"),
  /** @returns {Promise<Film[]>} */
  films: () => ask("/api/films"),
  /** @param {string} id @returns {Promise<OpenFilm>} */
  film: (id) => ask(film(id)),
  /** @param {string} id */
  pictureOf: (id) => `${film(id)}/picture`,
  /** @param {string} id */
  videoOf: (id) => `${film(id)}/video`,
  /** @param {string} id @returns {Promise<{events: FilmEvent[]}>} */
  machine: (id) => ask(`${film(id)}/machine`),
  /** @param {string} id @returns {Promise<{name: string}[]>} */
  coders: (id) => ask(`${film(id)}/coders`),
  /** @param {string} id @param {string} name @param {boolean} blind */
  open: (id, name, blind) => ask(`${film(id)}/coders`, json({ name, blind })),
  /** @param {string} id @param {string} name @returns {Promise<CodingState>} */
  coding: (id, name) => ask(`${film(id)}/coders/${encodeURIComponent(name)}`),
  /** @param {string} id @param {string} name @param {Edit & {seq: number}} edit @returns {Promise<CodingState>} */
  edit: (id, name, edit) => ask(`${film(id)}/coders/${encodeURIComponent(name)}/edits`, { ...json(edit), keepalive: true }),
  /** @param {string} id @param {{first: number, last: number, points: number, face: number}} of @param {AbortSignal} signal @returns {Promise<LaneData>} */
  lanes: (id, of, signal) => ask(`${film(id)}/lanes?${query(of)}`, { signal }),
  /** @param {string} id @param {string} format @param {string} coder */
  exportOf: (id, format, coder) => `${film(id)}/export?${query({ format, coder })}`,
  /** @param {string} id @param {string} coder @param {File} file @returns {Promise<{added: number, known: number, notes: string[]}>} */
  importFile(id, coder, file) {
    const body = new FormData();
    body.append("file", file);
    return ask(`${film(id)}/import?${query({ coder })}`, { method: "POST", body });
  },
  /** @param {string | null} id @param {string} a @param {string} b @returns {Promise<Agreement>} */
  agreement: (id, a, b) => ask(`${id === null ? "/api" : film(id)}/agreement?${query({ a, b })}`),
  /** @param {string} coder @param {number} precision @returns {Promise<any>} */
  howGood: (coder, precision) => ask(`/api/machine?${query({ coder, precision })}`),
  /** @param {string} coder @returns {Promise<any>} */
  summary: (coder) => ask(`/api/study/summary?${query({ coder })}`),
  /** @param {string} coder */
  summaryOf: (coder) => `/api/study/summary?${query({ coder, format: "csv" })}`,
  /** @param {Record<string, {person: string, condition: string}>} rows by film */
  studyRows: (rows) => ask("/api/study", json(rows)),
  /** @param {string} text a csv */
  studyTable: (text) => ask("/api/study", { method: "POST", headers: { "content-type": "text/csv" }, body: text }),
  /** @returns {Promise<Job[]>} */
  jobs: () => ask("/api/jobs"),
  /** @param {string} id @param {string} kind @param {number} [fps] of a folder of images @returns {Promise<Job>} */
  start: (id, kind, fps) => ask("/api/jobs", json({ film: id, kind, fps })),
  /** @param {string} job */
  cancel: (job) => ask(`/api/jobs/${encodeURIComponent(job)}`, { method: "DELETE" }),

  /** Seconds of every frame. @param {string} id @returns {Promise<Float64Array>} */
  async times(id) {
    const answer = await fetch(`${film(id)}/times`);
    if (!answer.ok) throw new Refused(answer.status, said(answer.status, await answer.json().catch(() => null)), null);
    const view = new DataView(await answer.arrayBuffer());
    return Float64Array.from({ length: view.byteLength / 8 }, (_, i) => view.getFloat64(8 * i, true));
  },

  /**
   * One numbered picture. The number is the one that the server wrote on it.
   * @param {string} id @param {number} n @param {Record<string, string | number>} view
   * @returns {Promise<{number: number, bitmap: ImageBitmap}>}
   */
  async frame(id, n, view) {
    const answer = await fetch(`${film(id)}/frames/${n}?${query(view)}`);
    if (answer.status === 404 && view.view !== "whole") return { number: n, bitmap: await noFace() };
    if (!answer.ok) throw new Refused(answer.status, said(answer.status, await answer.json().catch(() => null)), null);
    const number = Number(answer.headers.get("x-frame") ?? NaN);
    return { number, bitmap: await createImageBitmap(await answer.blob()) };
  },

  /**
   * Send a film, with its progress of 0 to 1.
   * @param {File} file @param {(share: number) => void} progress @returns {Promise<Film>}
   */
  upload(file, progress) {
    const form = new FormData();
    form.append("file", file);
    const request = new XMLHttpRequest(); // fetch does not say how far it is
    request.open("POST", "/api/films");
    request.responseType = "json";
    request.upload.addEventListener("progress", (e) => progress(e.lengthComputable ? e.loaded / e.total : 0));
    return new Promise((done, failed) => {
      request.addEventListener("load", () =>
        request.status < 300 ? done(request.response) : failed(new Refused(request.status, said(request.status, request.response), request.response)),
      );
      request.addEventListener("error", () => failed(new Refused(0, "The upload was cut off. Is 'fleeting serve' still running, and is the film within the limit?", null)));
      request.send(form);
    });
  },

  /** Hear of jobs as they go on. @param {(job: Job) => void} heard @returns {() => void} */
  listen(heard) {
    const stream = new EventSource("/api/jobs/stream");
    const take = (/** @type {MessageEvent} */ e) => heard(JSON.parse(e.data));
    stream.addEventListener("message", take);
    stream.addEventListener("job", take);
    return () => stream.close();
  },
};
