/**
 * Commands about cells, whose order matters: `MIX "cell cell ..." value` makes
 * each of the cells depend on all of them.
 *
 * @module
 */
import type { Arguments } from "../../../../src/core/resp/arguments.ts";

/** The cells of a command, and its value. */
export function numbersOf(args: Arguments): [cells: number[], value: number] {
  const text = (i: number) => String.fromCharCode(...args.copy(i));
  return [text(1).split(" ").map(Number), Number(text(2))];
}

/** Runs a command; a negative value is an error. */
export function applyTo(cells: Int32Array, args: Arguments): string | null {
  const [names, value] = numbersOf(args);
  return mix(cells, names, value);
}

/** The same, for who has the numbers. */
export function mix(
  cells: Int32Array,
  names: readonly number[],
  value: number,
): string | null {
  if (value < 0) return "ERR negative";
  let sum = value;
  for (const name of names) sum = Math.imul(sum, 31) + cells[name]! | 0;
  for (const name of names) cells[name] = sum + name | 0;
  return null;
}
