/**
 * `assertGreater()`: a value is greater than another.
 *
 * @module
 */
import { format, suffix } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";

/** Throws an {@linkcode AssertionError} unless `actual` > `expected`. */
export function assertGreater<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (actual > expected) return;
  throw new AssertionError(
    `Expect ${format(actual)} > ${format(expected)}${suffix(msg)}`,
  );
}
