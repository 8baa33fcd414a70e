/**
 * A latch: one 32-bit word of shared memory that excludes other workers for
 * microseconds.
 *
 * The word is 0 (free), 1 (held) or 2 (held, and somebody may sleep on it), as
 * in Drepper's "Futexes Are Tricky", mutex 2: release makes a system call only
 * when a sleeper may be there. A bounded spin comes first, because a holder on
 * another core is gone within a microsecond; the sleep has a time limit so that
 * a lost wake-up costs a millisecond and never a hang.
 *
 * Contract: the holder runs synchronously to its release: no await, no message,
 * no system call, no second latch below the first one's order.
 *
 * @module
 */

const FREE = 0;
const HELD = 1;
const CONTENDED = 2;

/** Looks at the word before the worker sleeps; about two microseconds. */
const SPIN_COUNT = 64;
/** Longest sleep between two looks at the word. */
const SLEEP_MS = 1;

/**
 * Takes the latch at `words[at]`; returns 0 if it was free, else 1 more than the
 * times it had to sleep, each about a millisecond at most.
 */
export function acquireLatch(words: Int32Array, at: number): number {
  if (Atomics.compareExchange(words, at, FREE, HELD) === FREE) return 0;
  return acquireContended(words, at);
}

function acquireContended(words: Int32Array, at: number): number {
  for (let i = 0; i < SPIN_COUNT; i++) {
    if (
      Atomics.load(words, at) === FREE &&
      Atomics.compareExchange(words, at, FREE, HELD) === FREE
    ) return 1;
    Atomics.pause();
  }
  let sleeps = 1;
  while (Atomics.exchange(words, at, CONTENDED) !== FREE) {
    Atomics.wait(words, at, CONTENDED, SLEEP_MS);
    sleeps++;
  }
  return sleeps;
}

/** Gives the latch back and wakes one sleeper, if any. */
export function releaseLatch(words: Int32Array, at: number): void {
  if (Atomics.exchange(words, at, FREE) === CONTENDED) {
    Atomics.notify(words, at, 1);
  }
}
