/**
 * `assertStringIncludes()`: a text contains another.
 *
 * @module
 */
import { suffix } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";

/** Throws an {@linkcode AssertionError} unless `actual` has `expected` in it. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  if (actual.includes(expected)) return;
  throw new AssertionError(
    `Expected actual: ${JSON.stringify(actual)} to contain: ` +
      `${JSON.stringify(expected)}${suffix(msg)}`,
  );
}
