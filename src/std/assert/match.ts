/**
 * `assertMatch()`: a text matches a regular expression.
 *
 * @module
 */
import { suffix } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";

/** Throws an {@linkcode AssertionError} unless `actual` matches `expected`. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  // Not test(): a global expression would remember where it stopped.
  if (actual.search(expected) >= 0) return;
  throw new AssertionError(
    `Expected ${JSON.stringify(actual)} to match ${expected}${suffix(msg)}`,
  );
}
