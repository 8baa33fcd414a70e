/**
 * The access clock of entries: when a key was used last (LRU), or how often
 * (LFU), in 24 bits.
 *
 * LRU: seconds modulo 2^24. LFU: 16 bits of minutes, then an 8-bit counter that
 * grows with the logarithm of the accesses and decays with idle minutes, as
 * Redis documents in "Key eviction".
 *
 * @module
 */

import type { Prng } from "../base/prng.ts";
import { CLOCK_MASK } from "../types/entry.ts";

/** Counter of a key that was just made, so that it survives its first minute. */
const LFU_INITIAL = 5;
const LFU_MAX = 255;

/** Computes clocks; one object per worker, told the time once per batch. */
export class AccessClock {
  /** Whether the policy counts accesses instead of noting their time. */
  isLfu = false;
  /** `lfu-log-factor`. */
  lfuLogFactor = 10;
  /** `lfu-decay-time`, minutes. */
  lfuDecayMinutes = 1;
  #seconds = 0;
  #minutes = 0;
  readonly #random: Prng;

  /** `random` decides which accesses count. */
  constructor(random: Prng) {
    this.#random = random;
  }

  /** Sets the time. */
  tell(nowMs: number): void {
    this.#seconds = Math.floor(nowMs / 1000) & CLOCK_MASK;
    this.#minutes = Math.floor(nowMs / 60000) & 0xffff;
  }

  /** Clock of an entry that is made now. */
  initial(): number {
    return this.isLfu ? this.#minutes << 8 | LFU_INITIAL : this.#seconds;
  }

  /** Clock of an entry with clock `clock` that is used now. */
  touched(clock: number): number {
    if (!this.isLfu) return this.#seconds;
    let counter = this.decayed(clock);
    if (counter < LFU_MAX) {
      const base = Math.max(0, counter - LFU_INITIAL);
      if (this.#random.nextFloat() < 1 / (base * this.lfuLogFactor + 1)) {
        counter++;
      }
    }
    return this.#minutes << 8 | counter;
  }

  /** LFU counter of a clock, less what its idle time costs. */
  decayed(clock: number): number {
    const counter = clock & 0xff;
    if (this.lfuDecayMinutes === 0) return counter;
    const idle = (this.#minutes - (clock >>> 8)) & 0xffff;
    return Math.max(0, counter - Math.floor(idle / this.lfuDecayMinutes));
  }

  /** LFU clock of an entry that is used now, with that counter. */
  withCounter(counter: number): number {
    return this.#minutes << 8 | counter;
  }

  /** Seconds since an entry with this LRU clock was used. */
  idleSeconds(clock: number): number {
    return (this.#seconds - clock) & CLOCK_MASK;
  }

  /** LRU clock of an entry that was used `seconds` ago. */
  idleSince(seconds: number): number {
    return (this.#seconds - seconds) & CLOCK_MASK;
  }
}
