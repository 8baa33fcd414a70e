/**
 * The wall clock in microseconds. `Date.now()` counts milliseconds, the
 * monotonic clock has the fractions but does not follow when the time is set:
 * so the monotonic clock is used from a base that is taken anew as soon as the
 * two disagree.
 *
 * @module
 */

/** How far the two may be apart: one tick of `Date.now()`, and some. */
const DRIFT_MS = 2;

let baseMs = performance.timeOrigin;

/** Microseconds of the epoch. */
export function wallMicroseconds(): number {
  const nowMs = Date.now();
  const monotonicMs = performance.now();
  if (Math.abs(baseMs + monotonicMs - nowMs) > DRIFT_MS) {
    baseMs = nowMs - monotonicMs;
  }
  return Math.floor((baseMs + monotonicMs) * 1000);
}
