/**
 * Slow steps: lets tests make a worker slow at the points between which others
 * may act: before a latch and after it, with a claim in the hand, before a
 * message is handled, before a wait is cancelled.
 *
 * How often and how long is one word of shared memory, which DEBUG SLOW-STEPS
 * sets; nothing looks at it unless the server was started with checks.
 *
 * @module
 */

import type { Prng } from "../../core/base/prng.ts";

/** How often a step is slow is given in parts of so many. */
export const SLOW_STEPS_PARTS = 1000;
/** Longest delay, in microseconds. */
export const SLOW_STEPS_MICROSECONDS_MAX: number = 2 ** 21 - 1;
const PARTS_BITS = 10;

/** The word that means: so many of a thousand, up to so many microseconds. */
export function slowStepsWord(parts: number, microseconds: number): number {
  return parts | microseconds << PARTS_BITS;
}

/** One per worker. */
export class SlowSteps {
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #random: Prng;
  readonly #never = new Int32Array(new SharedArrayBuffer(4));

  /** `words[at]` says how slow. */
  constructor(words: Int32Array, at: number, random: Prng) {
    this.#words = words;
    this.#at = at;
    this.#random = random;
  }

  /** A point at which the worker may be slow. */
  step(): void {
    const word = this.#words[this.#at]!;
    if (word === 0) return;
    const parts = word & (1 << PARTS_BITS) - 1;
    if (this.#random.below(SLOW_STEPS_PARTS) >= parts) return;
    const microseconds = this.#random.below((word >>> PARTS_BITS) + 1);
    Atomics.wait(this.#never, 0, 0, microseconds / 1000);
  }
}
