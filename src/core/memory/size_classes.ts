/**
 * Size classes of the shard heaps: every unit up to 128 bytes, then eight
 * classes per doubling, so that rounding up wastes at most an eighth.
 *
 * A slab is a run of 4 to 16 pages cut into objects of one class; its length is
 * chosen per class so that the cut leaves little over.
 *
 * @module
 */

import { PAGE_UNITS } from "./arena.ts";

/** Largest object that comes from a slab, in units; larger ones are runs. */
export const CLASS_UNITS_MAX = 1792;

/** Units of an object, by class. */
export const CLASS_UNITS: Int32Array = classUnits();
/** How many classes there are. */
export const CLASS_COUNT: number = CLASS_UNITS.length;
/** Pages of a slab, by class. */
export const SLAB_PAGES: Int32Array = CLASS_UNITS.map(slabPages);
/** Objects of a slab, by class. */
export const SLAB_OBJECTS: Int32Array = CLASS_UNITS.map((units, index) =>
  Math.floor(SLAB_PAGES[index]! * PAGE_UNITS / units)
);
/** Class of an object, by its units (index 0 is unused). */
export const CLASS_OF: Uint8Array = classOf();

function classUnits(): Int32Array {
  const units: number[] = [];
  for (let u = 1; u <= 16; u++) units.push(u);
  for (let step = 2; units.at(-1)! < CLASS_UNITS_MAX; step *= 2) {
    for (let i = 0; i < 8 && units.at(-1)! < CLASS_UNITS_MAX; i++) {
      units.push(units.at(-1)! + step);
    }
  }
  return Int32Array.from(units);
}

function slabPages(units: number): number {
  let best = 4;
  let bestWaste = 1;
  for (let pages = 4; pages <= 16; pages++) {
    const room = pages * PAGE_UNITS;
    const waste = (room % units) / room;
    if (room >= units * 4 && waste < bestWaste - 0.01) {
      best = pages;
      bestWaste = waste;
    }
  }
  return best;
}

function classOf(): Uint8Array {
  const table = new Uint8Array(CLASS_UNITS_MAX + 1);
  let index = 0;
  for (let u = 1; u <= CLASS_UNITS_MAX; u++) {
    if (u > CLASS_UNITS[index]!) index++;
    table[u] = index;
  }
  return table;
}

/** Whether objects of both sizes in bytes lie in the same class. */
export function areOneClass(from: number, to: number): boolean {
  const a = (from + 7) >>> 3;
  const b = (to + 7) >>> 3;
  if (a <= CLASS_UNITS_MAX && b <= CLASS_UNITS_MAX) {
    return CLASS_OF[a] === CLASS_OF[b];
  }
  return a > CLASS_UNITS_MAX && b > CLASS_UNITS_MAX &&
    (from + 4095) >>> 12 === (to + 4095) >>> 12;
}
