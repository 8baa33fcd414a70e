/**
 * `indexOfNeedle()`: where an array occurs in another.
 *
 * @module
 */

/**
 * The first index, not before `start`, where `source` has the bytes of
 * `needle`, or -1. A negative `start` counts from the end.
 */
export function indexOfNeedle(
  source: Uint8Array,
  needle: Uint8Array,
  start = 0,
): number {
  if (start < 0) start = Math.max(0, source.length + start);
  if (needle.length === 0) return 0;
  const first = needle[0]!;
  let at = source.indexOf(first, start);
  while (at >= 0 && at + needle.length <= source.length) {
    let same = 1;
    while (same < needle.length && source[at + same] === needle[same]) same++;
    if (same === needle.length) return at;
    at = source.indexOf(first, at + 1);
  }
  return -1;
}
