/**
 * LZF: the compression of strings in Redis's dumps and snapshots.
 *
 * ```text
 * 000nnnnn                     n + 1 bytes follow as they are
 * nnnooooo oooooooo            n + 2 bytes of what came o + 1 bytes ago (n < 7)
 * 111ooooo nnnnnnnn oooooooo   n + 9 bytes of what came o + 1 bytes ago
 * ```
 *
 * A repetition may overlap the bytes that it makes. It reaches back 8 KB, and
 * nothing is kept of what lies behind that: memory does not grow with the
 * length. Both ways go once over the bytes.
 *
 * Source: LibLZF by Marc Lehmann.
 *
 * @module
 */

import { copyBytes } from "./bytes.ts";

/** Most bytes that one compressed byte can stand for; 3 make 264. */
export const LZF_RATIO_MAX = 88;

/** Longest run of bytes that are copied as they are. */
const LITERALS_MAX = 32;
/** Farthest distance of a repetition. */
const DISTANCE_MAX = 1 << 13;
/** Longest repetition. */
const REPEAT_MAX = (1 << 8) + 8;
/** Shortest one that is worth it. */
const REPEAT_MIN = 3;

/** After so many bytes without a repetition (2 to this) every other is tried. */
const SKIP_SHIFT = 8;

const HASH_BITS = 14;
/** Where three bytes of that hash were last seen, counted from `BASE`. */
const SEEN = new Int32Array(1 << HASH_BITS);
/** Places below belong to earlier calls, so that no call has to clear. */
let base = 1;
const BASE_MAX = 2 ** 30;

/** Bytes of a repetition that are copied at once. */
const STEP = 8;
/** Of what was decompressed to last. */
let viewed = new Uint8Array(0) as Uint8Array;
let view = new DataView(viewed.buffer);

/**
 * Compresses bytes into at most `room` bytes of `out` and returns how many these
 * are, or 0 if they are too few. The two buffers must not overlap.
 */
export function lzfCompress(
  buf: Uint8Array,
  off: number,
  length: number,
  out: Uint8Array,
  outOff: number,
  room: number,
): number {
  if (base + length > BASE_MAX) {
    SEEN.fill(0);
    base = 1;
  }
  /** What makes a position of `buf` a place of `SEEN`. */
  const shift = base - off;
  base += length;
  const end = off + length;
  const outEnd = outOff + room;
  let to = outOff;
  let literals = off;
  let at = off;
  for (const last = end - REPEAT_MIN; at <= last;) {
    const slot = hashAt(buf, at);
    const from = SEEN[slot]! - shift;
    SEEN[slot] = at + shift;
    if (
      from < off || at - from > DISTANCE_MAX || buf[from] !== buf[at] ||
      buf[from + 1] !== buf[at + 1] || buf[from + 2] !== buf[at + 2]
    ) {
      // Where nothing repeats, ever fewer places are looked at.
      at += 1 + (at - literals >>> SKIP_SHIFT);
      continue;
    }
    to = putLiterals(buf, literals, at, out, to, outEnd - 3);
    if (to < 0) return 0;
    const most = Math.min(REPEAT_MAX, end - at);
    let repeated = REPEAT_MIN;
    while (repeated < most && buf[from + repeated] === buf[at + repeated]) {
      repeated++;
    }
    to = putRepeat(out, to, repeated, at - from - 1);
    at += repeated;
    literals = at;
    // What comes next may go on with the bytes just passed.
    if (at <= last) {
      SEEN[hashAt(buf, at - 2)] = at - 2 + shift;
      SEEN[hashAt(buf, at - 1)] = at - 1 + shift;
    }
  }
  to = putLiterals(buf, literals, end, out, to, outEnd);
  return to < 0 ? 0 : to - outOff;
}

/**
 * Makes `outLength` bytes of `length` compressed ones; says whether they are
 * exactly that many. Nothing is read or written beyond the two runs, which must
 * not overlap, whatever the bytes are.
 */
export function lzfDecompress(
  buf: Uint8Array,
  off: number,
  length: number,
  out: Uint8Array,
  outOff: number,
  outLength: number,
): boolean {
  const end = off + length;
  const outEnd = outOff + outLength;
  const words = wordsOf(out);
  let at = off;
  let to = outOff;
  while (at < end) {
    const head = buf[at++]!;
    if (head < LITERALS_MAX) {
      const stop = to + head + 1;
      if (head >= end - at || stop > outEnd) return false;
      do out[to++] = buf[at++]!; while (to < stop);
      continue;
    }
    let count = (head >>> 5) + 2;
    if (count === 9) {
      if (at >= end) return false;
      count += buf[at++]!;
    }
    if (at >= end) return false;
    const distance = ((head & 31) << 8 | buf[at++]!) + 1;
    let from = to - distance;
    const stop = to + count;
    if (from < outOff || stop > outEnd) return false;
    if (distance >= STEP && stop + STEP <= outEnd) {
      // The last step may write too much, over which the next bytes go.
      do {
        words.setInt32(to, words.getInt32(from, true), true);
        words.setInt32(to + 4, words.getInt32(from + 4, true), true);
        to += STEP;
        from += STEP;
      } while (to < stop);
      to = stop;
      continue;
    }
    // One by one, as the bytes to be repeated may be among those made.
    do out[to++] = out[from++]!; while (to < stop);
  }
  return to === outEnd;
}

/** A view of the same bytes, in which words need not be aligned. */
function wordsOf(out: Uint8Array): DataView {
  if (out !== viewed) {
    view = new DataView(out.buffer, out.byteOffset, out.byteLength);
    viewed = out;
  }
  return view;
}

function hashAt(buf: Uint8Array, at: number): number {
  const three = buf[at]! | buf[at + 1]! << 8 | buf[at + 2]! << 16;
  return Math.imul(three, 0x9e3779b1) >>> (32 - HASH_BITS);
}

/** Writes bytes as they are; returns where they end, or -1 without room. */
function putLiterals(
  buf: Uint8Array,
  from: number,
  end: number,
  out: Uint8Array,
  to: number,
  outEnd: number,
): number {
  const runs = Math.ceil((end - from) / LITERALS_MAX);
  if (end - from + runs > outEnd - to) return -1;
  for (let at = from; at < end;) {
    const count = Math.min(LITERALS_MAX, end - at);
    out[to++] = count - 1;
    copyBytes(buf, at, out, to, count);
    at += count;
    to += count;
  }
  return to;
}

/** Writes a repetition, for which there is room; returns where it ends. */
function putRepeat(
  out: Uint8Array,
  to: number,
  count: number,
  back: number,
): number {
  if (count < 9) out[to++] = (count - 2) << 5 | back >>> 8;
  else {
    out[to++] = 7 << 5 | back >>> 8;
    out[to++] = count - 9;
  }
  out[to++] = back & 0xff;
  return to;
}
