/**
 * `assertAlmostEquals()`: two numbers are close.
 *
 * @module
 */
import { suffix } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";

/** How far numbers may lie apart, relative to the expected one. */
const RELATIVE_TOLERANCE = 1e-7;

/**
 * Throws an {@linkcode AssertionError} if the numbers lie more than `tolerance`
 * apart; by default, more than a ten millionth of the expected one.
 */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void {
  if (Object.is(actual, expected)) return;
  const limit = tolerance ??
    (Number.isFinite(expected)
      ? Math.abs(expected * RELATIVE_TOLERANCE)
      : RELATIVE_TOLERANCE);
  const delta = Math.abs(expected - actual);
  if (delta <= limit) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to be close to "${expected}": delta ` +
      `"${delta}" is greater than "${limit}"${suffix(msg)}`,
  );
}
