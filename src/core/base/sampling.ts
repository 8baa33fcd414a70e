/**
 * Drawing some of many, each at most once.
 *
 * @module
 */

import type { Prng } from "./prng.ts";

/**
 * Chooses `wanted` of `total` things while they pass by, all sets equally
 * likely. Source: Knuth, TAOCP volume 2, algorithm 3.4.2 S.
 */
export class SelectionSampler {
  /** How many are still to be taken. */
  wanted = 0;
  #left = 0;
  readonly #random: Prng;

  /** `random` decides. */
  constructor(random: Prng) {
    this.#random = random;
  }

  /** Begins: `wanted` of `total` things will be taken. */
  begin(wanted: number, total: number): void {
    this.wanted = wanted;
    this.#left = total;
  }

  /** Whether the next thing is one of them. */
  takesNext(): boolean {
    const takes = this.#random.below(this.#left) < this.wanted;
    this.#left--;
    if (takes) this.wanted--;
    return takes;
  }
}

/** A set of 32-bit integers other than 0, of a fixed capacity. */
export class IntegerSet {
  readonly #slots: Int32Array;
  readonly #shift: number;

  /** Room for that many integers. */
  constructor(capacity: number) {
    const bits = Math.max(2, 32 - Math.clz32(capacity * 2));
    this.#slots = new Int32Array(1 << bits);
    this.#shift = 32 - bits;
  }

  /** Adds an integer; false if it is there already. */
  add(n: number): boolean {
    const mask = this.#slots.length - 1;
    let at = Math.imul(n, 0x9e3779b1) >>> this.#shift;
    for (; this.#slots[at] !== 0; at = (at + 1) & mask) {
      if (this.#slots[at] === n) return false;
    }
    this.#slots[at] = n;
    return true;
  }
}
