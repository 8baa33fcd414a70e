/**
 * `assert()`: a condition holds.
 *
 * @module
 */
import { AssertionError } from "./assertion_error.ts";

/** Throws an {@linkcode AssertionError} if `expr` is falsy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}
