/**
 * `assertExists()`: a value is there.
 *
 * @module
 */
import { suffix } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";

/** Throws an {@linkcode AssertionError} if `actual` is null or undefined. */
export function assertExists<T>(
  actual: T,
  msg?: string,
): asserts actual is NonNullable<T> {
  if (actual !== undefined && actual !== null) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to not be null or undefined${suffix(msg)}`,
  );
}
