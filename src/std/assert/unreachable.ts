/**
 * `unreachable()`: nobody comes here.
 *
 * @module
 */
import { suffix } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";

/** Throws an {@linkcode AssertionError}. */
export function unreachable(reason?: string): never {
  throw new AssertionError(`Unreachable${suffix(reason)}`);
}
