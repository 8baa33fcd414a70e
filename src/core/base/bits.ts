/**
 * Runs of bits: count, find, read and write. Bit 0 is the most significant bit
 * of the first byte, as Redis numbers them.
 *
 * A run lies in a byte view; where speed matters, `words` is an Int32Array over
 * the same memory from the same first byte, so that byte `i` lies in word
 * `i >>> 2`. The order of bytes in a word does not matter to any of them.
 *
 * @module
 */

/** Words whose bits are added up byte by byte before a byte can overflow. */
const WORDS_AT_ONCE = 8;

/** Most bits of a field that {@linkcode readBits} can read. */
export const FIELD_BITS_MAX = 53;

/** How many bits of a word are set. */
export function countWordBits(word: number): number {
  let n = word - (word >>> 1 & 0x55555555);
  n = (n & 0x33333333) + (n >>> 2 & 0x33333333);
  return Math.imul(n + (n >>> 4) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** How many bits of `len` bytes are set. */
export function countBits(
  bytes: Uint8Array,
  words: Int32Array,
  off: number,
  len: number,
): number {
  const end = off + len;
  let count = 0;
  while ((off & 3) !== 0 && off < end) count += countWordBits(bytes[off++]!);
  const wordEnd = end >>> 2;
  let at = off >>> 2;
  if (at < wordEnd) {
    const groupEnd = at + (wordEnd - at & ~(WORDS_AT_ONCE - 1));
    while (at < groupEnd) {
      const stop = at + WORDS_AT_ONCE;
      // Four sums of bytes, of at most 64 each.
      let sums = 0;
      for (; at < stop; at++) {
        const word = words[at]!;
        let n = word - (word >>> 1 & 0x55555555);
        n = (n & 0x33333333) + (n >>> 2 & 0x33333333);
        sums += n + (n >>> 4) & 0x0f0f0f0f;
      }
      count += (sums & 0xff) + (sums >>> 8 & 0xff) + (sums >>> 16 & 0xff) +
        (sums >>> 24);
    }
    while (at < wordEnd) count += countWordBits(words[at++]!);
    off = at << 2;
  }
  while (off < end) count += countWordBits(bytes[off++]!);
  return count;
}

/**
 * The number of the first bit that is `bit`, counted from byte `off`; `len * 8`
 * if there is none.
 */
export function findBit(
  bytes: Uint8Array,
  words: Int32Array,
  off: number,
  len: number,
  bit: number,
): number {
  const end = off + len;
  const skippedByte = bit === 0 ? 0xff : 0;
  const skippedWord = bit === 0 ? -1 : 0;
  let at = off;
  while (at < end && bytes[at] === skippedByte) {
    at++;
    if ((at & 3) !== 0) continue;
    const wordEnd = end >>> 2;
    let word = at >>> 2;
    while (word < wordEnd && words[word] === skippedWord) word++;
    if (word > at >>> 2) at = word << 2;
  }
  if (at === end) return len * 8;
  return (at - off) * 8 + Math.clz32(bytes[at]! ^ skippedByte) - 24;
}

/**
 * The unsigned number in `bits` bits, at most {@linkcode FIELD_BITS_MAX}, from
 * bit `bitOffset` of a run of `len` bytes on; beyond its end are zeros.
 */
export function readBits(
  bytes: Uint8Array,
  off: number,
  len: number,
  bitOffset: number,
  bits: number,
): number {
  let at = Math.floor(bitOffset / 8);
  let room = 8 - (bitOffset - at * 8);
  let value = 0;
  while (bits > 0) {
    const byte = at < len ? bytes[off + at]! : 0;
    const taken = bits < room ? bits : room;
    const size = 1 << taken;
    value = value * size + (byte >>> (room - taken) & (size - 1));
    bits -= taken;
    room = 8;
    at++;
  }
  return value;
}

/** Writes what {@linkcode readBits} reads; the bits lie inside the run. */
export function writeBits(
  bytes: Uint8Array,
  off: number,
  bitOffset: number,
  bits: number,
  value: number,
): void {
  const end = bitOffset + bits;
  let at = Math.floor(end / 8);
  /** Bits of the byte that lie before the end of the field. */
  let used = end - at * 8;
  if (used === 0) {
    at--;
    used = 8;
  }
  at += off;
  while (bits > 0) {
    const taken = bits < used ? bits : used;
    const size = 1 << taken;
    const rest = Math.floor(value / size);
    const low = value - rest * size;
    const shift = 8 - used;
    bytes[at] = bytes[at]! & ~((size - 1) << shift) | low << shift;
    value = rest;
    bits -= taken;
    used = 8;
    at--;
  }
}
