// The browser's camera: pictures go to the server on this machine, curves and events come back.

import { colours } from "./colours.js";
import { choose, h, say } from "./dom.js";
import { titleOf } from "./items.js";
import { clock, fixed, percent } from "./words.js";

/** @import {Page} from "./main.js" */
/** @import {FilmEvent, State} from "./types.js" */

const SHOWN_S = 20; // seconds of curves in view
const QUALITY = 0.85; // of the JPEG pictures
const AHEAD = 600e3; // bytes that wait to be sent before a picture is left out

/** @type {[string, RegExp][]} */
const ROWS = [["Brows", /brow/], ["Lids, nose, cheeks", /lid|nose|cheek/], ["Mouth, chin", /mouth|lip|chin/]];

/** @param {State} state @returns {Promise<Page>} */
export async function livePage(state) {
  const live = new Live(state);
  return { element: live.element, title: "Live", close: () => live.close() };
}

class Live {
  /** @param {State} state */
  constructor({ note, scores }) {
    this.video = h("video", { muted: true, playsinline: true, "aria-label": "The camera" });
    this.video.muted = true;
    this.shot = h("canvas");
    this.curves = h("canvas", { role: "img", "aria-label": "Movement of each part of the face; the list of events holds what was found" });
    this.list = h("ol", { class: "differences", "aria-label": "Events" }, h("li", { class: "empty" }, "No event yet."));
    this.state = h("p", { class: "dim", role: "status" }, "The camera is off.");
    this.size = choose({ "aria-label": "Size of the picture" }, [["640x480", "640 × 480"], ["1280x720", "1280 × 720"]], "640x480");
    this.keep = h("input", { type: "checkbox" });
    this.button = h("button", { type: "button", class: "main", onclick: () => (this.socket ? this.stop() : void this.start()) }, "Start the camera");
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {{at: number, values: Record<string, number>}[]} */
    this.points = [];
    this.sent = 0;
    this.began = 0;
    this.isBusy = false;
    this.due = false;
    this.element = h("section", { class: "page live" }, h("h1", {}, "Live"),
      h("p", { class: "sub" }, "The pictures go to the server on this machine and nowhere else. They are kept only if you tick the box."),
      h("div", { class: "bar" }, this.button, this.size, h("label", { class: "check" }, this.keep, h("span", {}, "Keep the film in the folder")), this.state),
      h("div", { class: "live-view" }, this.video, this.curves), h("h2", {}, "Events"), this.list,
      h("p", { class: "hint" }, note, scores.recogniser ? ` Names of micro-expressions, on people the network was not trained on: ${scores.recogniser}.` : ""));
  }

  async start() {
    const [width, height] = this.size.value.split("x").map(Number);
    try {
      if (!navigator.mediaDevices) throw new Error("This browser gives cameras to pages on this machine (127.0.0.1) or over https only.");
      this.stream = await navigator.mediaDevices.getUserMedia({ video: { width, height, frameRate: { ideal: 60 } } });
    } catch (error) {
      this.state.textContent = "The camera is off.";
      return say(`The camera cannot be used. ${error instanceof Error ? error.message : error}`, "warning");
    }
    this.video.srcObject = this.stream;
    await this.video.play();
    const fps = this.stream.getVideoTracks()[0].getSettings().frameRate ?? 30;
    [this.shot.width, this.shot.height] = [this.video.videoWidth, this.video.videoHeight];
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/live`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.points = [];
    this.began = 0;
    this.list.replaceChildren(h("li", { class: "empty" }, "No event yet."));
    socket.addEventListener("open", () => {
      socket.send(JSON.stringify({ width: this.shot.width, height: this.shot.height, fps, record: this.keep.checked }));
      this.next(socket);
    });
    socket.addEventListener("message", (e) => this.hear(JSON.parse(e.data)));
    socket.addEventListener("close", () => this.socket === socket && this.over("The server has ended the connection."));
    this.button.textContent = "Stop";
    this.size.disabled = this.keep.disabled = true;
    return undefined;
  }

  /** Send every picture of the camera once, with the time at which it was taken. @param {WebSocket} socket */
  next(socket) {
    this.video.requestVideoFrameCallback((now, about) => {
      if (this.socket !== socket || socket.readyState !== WebSocket.OPEN) return;
      const taken = about.captureTime ?? now;
      this.began ||= taken;
      if (!this.isBusy && socket.bufferedAmount < AHEAD) void this.send(socket, (taken - this.began) / 1000);
      this.next(socket);
    });
  }

  /** @param {WebSocket} socket @param {number} s */
  async send(socket, s) {
    this.isBusy = true;
    /** @type {CanvasRenderingContext2D} */ (this.shot.getContext("2d")).drawImage(this.video, 0, 0);
    const picture = await new Promise((/** @type {(blob: Blob | null) => void} */ done) => this.shot.toBlob(done, "image/jpeg", QUALITY));
    const time = new ArrayBuffer(8);
    new DataView(time).setFloat64(0, s, true);
    if (picture && socket.readyState === WebSocket.OPEN) socket.send(await new Blob([time, picture]).arrayBuffer());
    this.isBusy = false;
  }

  /** @param {any} said */
  hear(said) {
    if (said.ended) return this.over(said.problem || (said.film ? `The film is kept as ${said.film}.` : "Ended."), said.problem ? "warning" : "said");
    if (said.event) return this.add(said.event, said.delay_s);
    const faces = Object.values(said.faces);
    this.points.push({ at: said.at, values: /** @type {any} */ (faces[0] ?? {}) });
    while (this.points.length && this.points[0].at < said.at - SHOWN_S) this.points.shift();
    this.state.textContent = `${clock(said.at)} · ${faces.length ? `${faces.length} face${faces.length > 1 ? "s" : ""}` : "no face"}${said.dropped ? ` · ${said.dropped} pictures left out` : ""}`;
    if (!this.due) requestAnimationFrame(() => this.draw());
    this.due = true;
    return undefined;
  }

  /** @param {FilmEvent} event @param {number} delay */
  add(event, delay) {
    if (this.list.querySelector(".empty")) this.list.replaceChildren();
    const line = h("li", {}, h("p", {}, h("i", { class: `dot ${event.kind}`, "aria-hidden": "true" }), " ", h("span", { class: "when" }, clock(event.onset_s)), " ", titleOf(event), " ",
      h("span", { class: "dim" }, `confidence ${percent(event.confidence)}, reported ${fixed(delay, 1)} s after its end`)));
    this.list.prepend(line);
    say(`${titleOf(event)} at ${clock(event.onset_s)}`);
  }

  draw() {
    this.due = false;
    const { curves, points } = this;
    const [width, height, left] = [curves.clientWidth, curves.clientHeight, 130];
    if (!width || !points.length) return;
    curves.width = width * devicePixelRatio;
    curves.height = height * devicePixelRatio;
    const pen = /** @type {CanvasRenderingContext2D} */ (curves.getContext("2d"));
    pen.scale(devicePixelRatio, devicePixelRatio);
    pen.font = "12px system-ui, sans-serif";
    const c = colours();
    const end = points[points.length - 1].at;
    const tall = height / ROWS.length;
    ROWS.forEach(([title, which], i) => {
      const names = [...new Set(points.flatMap((p) => Object.keys(p.values)))].filter((name) => which.test(name));
      const most = Math.max(1, ...points.flatMap((p) => names.map((name) => p.values[name] ?? 0)));
      pen.fillStyle = c.sheet;
      pen.fillRect(left, i * tall + 2, width - left, tall - 4);
      pen.fillStyle = c.dim;
      pen.fillText(title, 4, (i + 0.5) * tall + 4);
      for (const name of names) {
        pen.strokeStyle = /left/.test(name) ? c.left : /right/.test(name) ? c.right : c.middle;
        pen.lineWidth = 1.3;
        pen.beginPath();
        let gap = true;
        for (const { at, values } of points) {
          const value = values[name];
          if (value === undefined) gap = true;
          else {
            const [x, y] = [left + (1 + (at - end) / SHOWN_S) * (width - left), (i + 1) * tall - 4 - (value / most) * (tall - 10)];
            if (gap) pen.moveTo(x, y);
            else pen.lineTo(x, y);
            gap = false;
          }
        }
        pen.stroke();
      }
    });
  }

  stop() {
    this.state.textContent = "Ending …";
    this.socket?.send(JSON.stringify({ end: true }));
    this.dark();
  }

  dark() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }

  /** @param {string} text @param {"said" | "warning"} [how] */
  over(text, how = "said") {
    this.socket = null;
    this.dark();
    this.state.textContent = text;
    this.button.textContent = "Start the camera";
    this.size.disabled = this.keep.disabled = false;
    say(text, how);
  }

  close() {
    const { socket } = this;
    this.socket = null;
    socket?.close();
    this.dark();
  }
}
