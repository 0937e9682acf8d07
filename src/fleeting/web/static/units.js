// Action units as text (`LAU12B+AU06C`) and as rows of a form.

/** @typedef {{side: string, number: number, intensity: string, rest: string}} Unit */

/** @type {[string, string][]} */
export const SIDES = [["", "both sides"], ["L", "left"], ["R", "right"], ["A", "asymmetric"], ["T", "top"], ["B", "bottom"]];
/** @type {[string, string][]} */
export const INTENSITIES = [["", "–"], ["A", "A trace"], ["B", "B slight"], ["C", "C marked"], ["D", "D severe"], ["E", "E maximum"]];

/** Names of the usual units (Ekman, Friesen, Hager, 2002). @type {Record<number, string>} */
export const NAMES = {
  1: "inner brow raiser", 2: "outer brow raiser", 4: "brow lowerer", 5: "upper lid raiser", 6: "cheek raiser", 7: "lid tightener",
  9: "nose wrinkler", 10: "upper lip raiser", 11: "nasolabial deepener", 12: "lip corner puller", 13: "sharp lip puller",
  14: "dimpler", 15: "lip corner depressor", 16: "lower lip depressor", 17: "chin raiser", 18: "lip pucker", 20: "lip stretcher",
  22: "lip funneler", 23: "lip tightener", 24: "lip pressor", 25: "lips part", 26: "jaw drop", 27: "mouth stretch",
  28: "lip suck", 38: "nostril dilator", 39: "nostril compressor", 43: "eyes closed", 45: "blink", 46: "wink",
};

/**
 * Read units; a part that is written in another way stays as it is (`number` 0, all of it in `rest`).
 * @param {string} text
 * @returns {Unit[]}
 */
export function readUnits(text) {
  return text
    .split("+")
    .filter((part) => part.trim())
    .map((part) => {
      const found = /^([LRTBA]?)(?:AU)?\s*(\d{1,2})([A-E]?)(\?*)$/i.exec(part.trim());
      if (!found) return { side: "", number: 0, intensity: "", rest: part };
      return { side: found[1].toUpperCase(), number: Number(found[2]), intensity: found[3].toUpperCase(), rest: found[4] };
    });
}

/** @param {Unit[]} units */
export const writeUnits = (units) => units.map((u) => (u.number ? `${u.side}AU${String(u.number).padStart(2, "0")}${u.intensity}${u.rest}` : u.rest)).join("+");
