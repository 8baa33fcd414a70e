/**
 * MurmurHash64A, the 64-bit hash by Austin Appleby that Redis's HyperLogLogs
 * are made with, for bytes in little-endian order.
 *
 * 64 bits are two words here; the only hard part is the product with the
 * constant, whose upper word takes the products of 16-bit halves.
 *
 * @module
 */

const M_HIGH = 0xc6a4a793 | 0;
const M_LOW = 0x5bd1e995;
const M_LOW_HIGH = M_LOW >>> 16;
const M_LOW_LOW = M_LOW & 0xffff;
/** The distance of the hash's inner shifts, beyond a word. */
const SHIFT = 47 - 32;

/** Upper word of the product of `low` and the lower word of the constant. */
function carry(low: number): number {
  const a = low & 0xffff;
  const b = low >>> 16;
  const t = Math.imul(b, M_LOW_LOW) + (Math.imul(a, M_LOW_LOW) >>> 16) | 0;
  const w = Math.imul(a, M_LOW_HIGH) + (t & 0xffff) | 0;
  return Math.imul(b, M_LOW_HIGH) + (t >>> 16) + (w >>> 16) | 0;
}

/** Upper word of the product of a number of two words and the constant. */
function upper(high: number, low: number): number {
  return carry(low) + Math.imul(low, M_HIGH) + Math.imul(high, M_LOW) | 0;
}

/**
 * The hash of a run of bytes, with a seed of 32 bits: the lower word in
 * `out[0]`, the upper one in `out[1]`.
 */
export function murmurHash64A(
  buf: Uint8Array,
  off: number,
  len: number,
  seed: number,
  out: Int32Array,
): void {
  let high = upper(0, len);
  let low = Math.imul(len, M_LOW) ^ seed;
  const blocksEnd = off + (len & ~7);
  let at = off;
  for (; at < blocksEnd; at += 8) {
    let kLow = buf[at]! | buf[at + 1]! << 8 | buf[at + 2]! << 16 |
      buf[at + 3]! << 24;
    let kHigh = buf[at + 4]! | buf[at + 5]! << 8 | buf[at + 6]! << 16 |
      buf[at + 7]! << 24;
    kHigh = upper(kHigh, kLow);
    kLow = Math.imul(kLow, M_LOW);
    kLow ^= kHigh >>> SHIFT;
    kHigh = upper(kHigh, kLow);
    kLow = Math.imul(kLow, M_LOW);
    high ^= kHigh;
    low ^= kLow;
    high = upper(high, low);
    low = Math.imul(low, M_LOW);
  }
  const rest = len & 7;
  if (rest > 0) {
    for (let i = 0; i < rest; i++) {
      if (i < 4) low ^= buf[at + i]! << i * 8;
      else high ^= buf[at + i]! << (i - 4) * 8;
    }
    high = upper(high, low);
    low = Math.imul(low, M_LOW);
  }
  low ^= high >>> SHIFT;
  high = upper(high, low);
  low = Math.imul(low, M_LOW);
  low ^= high >>> SHIFT;
  out[0] = low;
  out[1] = high;
}
