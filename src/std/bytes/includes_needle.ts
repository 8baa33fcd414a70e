/**
 * `includesNeedle()`: whether an array occurs in another.
 *
 * @module
 */
import { indexOfNeedle } from "./index_of_needle.ts";

/** Whether `source` has the bytes of `needle`, not before `start`. */
export function includesNeedle(
  source: Uint8Array,
  needle: Uint8Array,
  start = 0,
): boolean {
  return indexOfNeedle(source, needle, start) !== -1;
}
