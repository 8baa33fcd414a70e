/**
 * `assertEquals()`: two values are deeply equal.
 *
 * @module
 */
import { difference, format, suffix } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";
import { equal } from "./equal.ts";

/**
 * Throws an {@linkcode AssertionError} that shows the difference if the values
 * are not deeply equal.
 */
export function assertEquals<T>(
  actual: T,
  expected: T,
  msg?: string,
  options: { formatter?: (value: unknown) => string } = {},
): void {
  if (equal(actual, expected)) return;
  const text = options.formatter ?? format;
  throw new AssertionError(
    `Values are not equal${suffix(msg)}\n\n` +
      `${difference(text(actual), text(expected))}\n`,
  );
}
