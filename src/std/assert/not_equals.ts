/**
 * `assertNotEquals()`: two values are not deeply equal.
 *
 * @module
 */
import { format, suffix } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";
import { equal } from "./equal.ts";

/** Throws an {@linkcode AssertionError} if the values are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  throw new AssertionError(
    `Expected a value that is not equal to ${format(expected)}${suffix(msg)}`,
  );
}
