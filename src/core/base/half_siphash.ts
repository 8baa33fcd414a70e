/**
 * HalfSipHash-1-3: the seeded hash of keys, fields and members.
 *
 * A client that knows the seed's hash of chosen keys must not be able to find
 * keys that collide. SipHash (Aumasson and Bernstein, 2012) is made for that,
 * but needs 64-bit words; HalfSipHash is its variant with 32-bit words, a
 * 64-bit key and a 32-bit result, all of which JavaScript computes without
 * allocation. One round per word and three at the end are what the Linux kernel
 * uses for its hash tables (`hsiphash` in `include/linux/siphash.h`).
 *
 * It is no message authentication code: 64 bits of key are too few for that.
 *
 * The round is written out twice: V8 can not return four numbers from a
 * function without allocating.
 *
 * @module
 */

/**
 * The hash of a run of bytes under the key `(k0, k1)`, both int32, as an int32.
 */
export function halfSipHash(
  buf: Uint8Array,
  off: number,
  len: number,
  k0: number,
  k1: number,
): number {
  let v0 = k0;
  let v1 = k1;
  let v2 = 0x6c796765 ^ k0;
  let v3 = 0x74656462 ^ k1;

  let at = off;
  const wordsEnd = off + (len & ~3);
  for (; at < wordsEnd; at += 4) {
    const word = buf[at]! | buf[at + 1]! << 8 | buf[at + 2]! << 16 |
      buf[at + 3]! << 24;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }

  // The last word: what is left of the bytes, and the length on top.
  let last = len << 24;
  const left = len & 3;
  if (left > 0) last |= buf[at]!;
  if (left > 1) last |= buf[at + 1]! << 8;
  if (left > 2) last |= buf[at + 2]! << 16;

  v3 ^= last;
  for (let round = 0; round < 4; round++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    if (round === 0) {
      // After the last word's own round, the three that finish.
      v0 ^= last;
      v2 ^= 0xff;
    }
  }
  return v1 ^ v3;
}
