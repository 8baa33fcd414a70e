/**
 * `assertIsError()`: a value is an error, of some class, that says something.
 *
 * @module
 */
import { suffix } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";

/**
 * Throws an {@linkcode AssertionError} unless `error` is an `ErrorClass` whose
 * message includes or matches `msgMatches`.
 */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  // deno-lint-ignore no-explicit-any
  ErrorClass?: abstract new (...args: any[]) => E,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    throw new AssertionError(
      `Expected "error" to be an Error object${suffix(msg)}`,
    );
  }
  if (ErrorClass && !(error instanceof ErrorClass)) {
    throw new AssertionError(
      `Expected error to be instance of "${ErrorClass.name}", but was ` +
        `"${error.constructor.name}"${suffix(msg)}`,
      { cause: error },
    );
  }
  if (msgMatches === undefined) return;
  const matches = typeof msgMatches === "string"
    ? error.message.includes(msgMatches)
    : msgMatches.test(error.message);
  if (matches) return;
  const verb = typeof msgMatches === "string" ? "include" : "match";
  throw new AssertionError(
    `Expected error message to ${verb} ${Deno.inspect(msgMatches)}, but got ` +
      `${JSON.stringify(error.message)}${suffix(msg)}`,
    { cause: error },
  );
}
