/**
 * `startsWith()`: how an array begins.
 *
 * @module
 */

/** Whether `source` begins with the bytes of `prefix`. */
export function startsWith(source: Uint8Array, prefix: Uint8Array): boolean {
  if (prefix.length > source.length) return false;
  for (let i = 0; i < prefix.length; i++) {
    if (source[i] !== prefix[i]) return false;
  }
  return true;
}
