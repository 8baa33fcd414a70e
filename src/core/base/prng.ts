/**
 * A small seeded generator of pseudorandom numbers: xoshiro128** by Blackman
 * and Vigna (2018), its state filled by splitmix32.
 *
 * It chooses samples (eviction, expiry, RANDOMKEY) and keeps nothing secret:
 * who sees a few outputs can foretell the rest.
 *
 * @module
 */

/** The golden ratio, in 32 bits: the step of splitmix32. */
const GOLDEN = 0x9e3779b9;

/** A seeded source of numbers; the same seed gives the same numbers. */
export class Prng {
  // Kept as signed integers, so that V8 does not box them.
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    this.#a = mix((seed + GOLDEN) | 0);
    this.#b = mix((seed + GOLDEN * 2) | 0);
    this.#c = mix((seed + GOLDEN * 3) | 0);
    this.#d = mix((seed + GOLDEN * 4) | 0);
  }

  /** An integer from 0 to 2^32 - 1. */
  nextUint32(): number {
    const b = this.#b;
    const scrambled = Math.imul(rotate(Math.imul(b, 5), 7), 9);
    this.#c ^= this.#a;
    this.#d ^= b;
    this.#b = b ^ this.#c;
    this.#a ^= this.#d;
    this.#c ^= b << 9;
    this.#d = rotate(this.#d, 11);
    return scrambled >>> 0;
  }

  /** A number of 53 random bits, 0 or more and less than 1. */
  nextFloat(): number {
    const high = this.nextUint32() >>> 5;
    const low = this.nextUint32() >>> 6;
    return (high * 0x4000000 + low) / 0x20000000000000;
  }

  /**
   * An integer from 0 to `n` - 1, for an `n` up to 2^32. Some numbers are more
   * likely than others by a part in 2^32 / n, which no sample notices.
   */
  below(n: number): number {
    return Math.floor(this.nextUint32() / 0x100000000 * n);
  }
}

function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

/** The output function of splitmix32; no two inputs have the same output. */
function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}
