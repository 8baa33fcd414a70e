/**
 * `fail()`: the test has failed already.
 *
 * @module
 */
import { suffix } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";

/** Throws an {@linkcode AssertionError}. */
export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${suffix(msg)}`);
}
