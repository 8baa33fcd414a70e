/**
 * Reproducible randomness for tests: the same seed gives the same run on every
 * machine. The generator is splitmix32, good enough to spread test cases and
 * small enough to be read.
 *
 * @module
 */

/** A seeded source of numbers, choices and bytes. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
    // Neighbouring seeds start with neighbouring states: mix them apart.
    this.uint32();
    this.uint32();
  }

  /** An integer from 0 to 2^32 - 1. */
  uint32(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = this.#state ^ (this.#state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.uint32() / 0x100000000) * limit);
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uint32() < probability * 0x100000000;
  }

  /** One element of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** A binary string (one character per byte) of the given length. */
  binary(length: number): string {
    let text = "";
    for (let i = 0; i < length; i++) {
      text += String.fromCharCode(this.uint32() & 255);
    }
    return text;
  }
}
