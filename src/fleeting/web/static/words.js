// How numbers and names are worded, as in the report.

const NONE = "–";

/** @param {number | null | undefined} value @returns {value is number} */
export const finite = (value) => typeof value === "number" && Number.isFinite(value);

/** A place in the film: minutes and seconds. @param {number | null | undefined} s */
export function clock(s) {
  if (!finite(s)) return NONE;
  const whole = Math.round(Math.abs(s) * 1000);
  const text = `${Math.floor(whole / 60000)}:${((whole % 60000) / 1000).toFixed(3).padStart(6, "0")}`;
  return s < 0 && whole ? `-${text}` : text;
}

/** How long something lasts. @param {number | null | undefined} s */
export function lasting(s) {
  if (!finite(s)) return NONE;
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 120) return `${s.toFixed(s < 10 ? 2 : 1)} s`;
  return s < 3600 ? `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/** A share as whole percent; the ends are not claimed by rounding. @param {number | null | undefined} share */
export function percent(share) {
  if (!finite(share)) return NONE;
  if (share >= 0.995 && share < 1) return "> 99 %";
  if (share > 0 && share < 0.005) return "< 1 %";
  return `${Math.round(100 * share)} %`;
}

/** @param {[number, number] | null | undefined} ends */
export const interval = (ends) => (ends ? `${percent(ends[0])} to ${percent(ends[1])}` : NONE);

/** @param {number | null | undefined} value @param {number} [digits] */
export const fixed = (value, digits = 2) => (finite(value) ? value.toFixed(digits) : NONE);

/** @param {number} count @param {string} noun */
export const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** @param {string} name */
export const words = (name) => name.replaceAll("_", " ");

/** @param {number} bytes */
export const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`);

/**
 * The frame that a person means: "120" is a frame; "4.5 s", "1:02.5" are times. Null where it is neither.
 * @param {string} text
 * @param {Float64Array} times
 * @returns {number | null}
 */
export function placeOf(text, times) {
  const clean = text.trim().replace(",", ".").toLowerCase();
  if (/^\d+$/.test(clean)) return Number(clean) < times.length ? Number(clean) : null;
  const found = /^(?:(\d+):)?(?:(\d+):)?(\d+(?:\.\d*)?|\.\d+)\s*(s|ms)?$/.exec(clean);
  if (!found) return null;
  const [, first, second, last, unit] = found;
  const minutes = second === undefined ? Number(first ?? 0) : 60 * Number(first) + Number(second);
  const seconds = 60 * minutes + Number(last) * (unit === "ms" ? 0.001 : 1);
  return seconds > (times.at(-1) ?? 0) + 1 ? null : nearest(times, seconds);
}

/** Index of the time that is nearest. @param {Float64Array | number[]} times @param {number} s */
export function nearest(times, s) {
  const after = firstFrom(times, s);
  if (after === 0) return 0;
  if (after === times.length) return times.length - 1;
  return s - times[after - 1] <= times[after] - s ? after - 1 : after;
}

/** Index of the first time that is not before s; their number where there is none. @param {Float64Array | number[]} times @param {number} s */
export function firstFrom(times, s) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < s) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the frame that is on at s. @param {Float64Array | number[]} times @param {number} s */
export function frameOn(times, s) {
  const after = firstFrom(times, s + 1e-9);
  return Math.max(0, Math.min(after - 1, times.length - 1));
}
