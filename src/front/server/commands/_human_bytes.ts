/**
 * Sizes for people, as INFO's `_human` fields have them.
 *
 * @module
 */

const UNITS = ["K", "M", "G", "T", "P"];

/** `1023B`, `1.50K`, `2.00G` */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let unit = -1;
  let size = bytes;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${size.toFixed(2)}${UNITS[unit]}`;
}
