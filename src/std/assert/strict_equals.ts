/**
 * `assertStrictEquals()`: two values are the same.
 *
 * @module
 */
import { difference, format, suffix } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";

/**
 * Throws an {@linkcode AssertionError} unless the values are the same, as
 * `Object.is` understands it.
 */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const left = format(actual);
  const right = format(expected);
  throw new AssertionError(
    left === right
      ? `Values have the same structure but are not the same${suffix(msg)}` +
        `\n\n    ${left}\n`
      : `Values are not strictly equal${suffix(msg)}\n\n` +
        `${difference(left, right)}\n`,
  );
}
