// Numbered pictures of a film, fetched ahead in the direction of travel and kept as long as there is room.

/** @typedef {{kind: "whole" | "face" | "enlarged", face: number, factor: number, width: number}} View */
/** @typedef {(n: number, view: View) => Promise<{number: number, bitmap: ImageBitmap}>} Fetch */

const ROOM = 256e6; // bytes of decoded pictures
const AT_ONCE = 2; // prefetches under way: a browser has six connections to a host, for all its tabs
const AHEAD = 24;
const BEHIND = 6;

/**
 * The query of a view; only what matters for it, so that equal pictures have equal addresses.
 * @param {View} view
 * @returns {Record<string, string | number>}
 */
export function viewQuery(view) {
  const { kind, face, factor, width } = view;
  if (kind === "whole") return { view: kind, width };
  return kind === "face" ? { view: kind, face, width } : { view: kind, face, factor, width };
}

export class Frames {
  /**
   * @param {Fetch} fetch
   * @param {number} count frames of the film
   */
  constructor(fetch, count) {
    this.fetch = fetch;
    this.count = count;
    /** @type {Map<string, ImageBitmap>} the last used at the end */
    this.kept = new Map();
    /** @type {Map<string, Promise<ImageBitmap>>} */
    this.coming = new Map();
    this.bytes = 0;
    /** @type {(() => Promise<unknown>)[]} */
    this.queue = [];
    this.busy = 0;
  }

  /** @param {number} n @param {View} view */
  key(n, view) {
    return `${n}?${JSON.stringify(viewQuery(view))}`;
  }

  /** The picture, where it is here. @param {number} n @param {View} view @returns {ImageBitmap | undefined} */
  at(n, view) {
    const key = this.key(n, view);
    const found = this.kept.get(key);
    if (found) {
      this.kept.delete(key);
      this.kept.set(key, found);
    }
    return found;
  }

  /**
   * The picture of a frame. A picture with another number than was asked for is an error, never a picture.
   * @param {number} n @param {View} view
   * @returns {Promise<ImageBitmap>}
   */
  get(n, view) {
    const here = this.at(n, view);
    if (here) return Promise.resolve(here);
    const key = this.key(n, view);
    const underWay = this.coming.get(key);
    if (underWay) return underWay;
    const coming = this.fetch(n, view).then(({ number, bitmap }) => {
      if (number !== n) throw new Error(`Frame ${n} was asked for, and the server sent frame ${number}.`);
      this.keep(key, bitmap);
      return bitmap;
    });
    this.coming.set(key, coming);
    const over = () => this.coming.get(key) === coming && this.coming.delete(key);
    coming.then(over, over);
    return coming;
  }

  /** @param {string} key @param {ImageBitmap} bitmap */
  keep(key, bitmap) {
    this.kept.set(key, bitmap);
    this.bytes += 4 * bitmap.width * bitmap.height;
    for (const [old, picture] of this.kept) {
      if (this.bytes <= ROOM || this.kept.size <= 2 || old === key) break;
      this.kept.delete(old);
      this.bytes -= 4 * picture.width * picture.height;
    }
  }

  /**
   * Fetch what will be looked at next; what was planned before and has not begun is dropped.
   * @param {number} n @param {-1 | 0 | 1} direction @param {View} view
   */
  prefetch(n, direction, view) {
    this.queue = this.window(n, direction, view).map((frame) => () => this.get(frame, view));
    this.pump();
  }

  /** Frames that are not here yet, the next one first. @param {number} n @param {-1 | 0 | 1} direction @param {View} view */
  window(n, direction, view) {
    const share = view.kind === "enlarged" ? 3 : 1; // these cost the server more
    const [on, back] = [Math.ceil(AHEAD / share), Math.ceil(BEHIND / share)];
    const forth = direction < 0 ? back : on;
    const before = direction < 0 ? on : back;
    const first = direction < 0 ? -1 : 1;
    const found = [];
    for (let i = 1; i <= Math.max(forth, before); i++) {
      for (const step of [first * i, -first * i]) {
        if (step > forth || -step > before) continue;
        const frame = n + step;
        if (frame >= 0 && frame < this.count && !this.kept.has(this.key(frame, view))) found.push(frame);
      }
    }
    return found;
  }

  pump() {
    while (this.busy < AT_ONCE) {
      const next = this.queue.shift();
      if (!next) return;
      this.busy += 1;
      const over = () => {
        this.busy -= 1;
        this.pump();
      };
      next().then(over, over); // a prefetch that failed is asked for again when it is looked at
    }
  }
}
