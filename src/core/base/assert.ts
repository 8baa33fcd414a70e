/**
 * Invariants. What fails here is a bug of sherd, never a mistake of a user: it
 * must not be caught, but ends the process with the text of the invariant.
 *
 * @module
 */

/** An invariant does not hold; its message names the invariant. */
export class InvariantError extends Error {
  override name = "InvariantError";
}

/** Throws an {@linkcode InvariantError} if the invariant does not hold. */
export function assert(cond: unknown, text: string): asserts cond {
  if (!cond) throw new InvariantError(text);
}

/** The value, which must be there. */
export function must<T>(value: T, text: string): NonNullable<T> {
  if (value === undefined || value === null) throw new InvariantError(text);
  return value;
}

/**
 * Where nothing is left over: the compiler rejects the call as long as `v` can
 * still be something.
 */
export function unreachable(v: never): never {
  throw new InvariantError(`unreachable: ${String(v)}`);
}
