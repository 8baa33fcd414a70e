/**
 * `assertInstanceOf()`: a value is made by a class.
 *
 * @module
 */
import { format, suffix } from "./_format.ts";
import { AssertionError } from "./assertion_error.ts";

/** Any class, abstract ones too. */
// deno-lint-ignore no-explicit-any
export type AnyConstructor = abstract new (...args: any[]) => any;

/** What a class makes. */
export type GetConstructorType<T extends AnyConstructor> = InstanceType<T>;

/** Throws an {@linkcode AssertionError} unless `actual` is an instance. */
export function assertInstanceOf<T extends AnyConstructor>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is GetConstructorType<T> {
  if (actual instanceof expectedType) return;
  throw new AssertionError(
    `Expected object to be an instance of "${expectedType.name}" but was ` +
      `${format(actual)}${suffix(msg)}`,
  );
}
