/**
 * Runs of bytes: compare, copy, and to and from text.
 *
 * A run is `(buf, off, len)` rather than a subarray, because making a subarray
 * allocates. Loops move both offsets on; adding an index to them takes V8 twice
 * the time. Any buffer may lie in shared memory, which `TextDecoder` refuses;
 * what becomes text goes through this file.
 *
 * @module
 */

import { viewOf } from "./byte_view.ts";

/**
 * Up to here a loop is faster than `set`, which needs a subarray for its
 * argument: 40 ns whatever the length, against 0.85 ns per byte.
 */
const COPY_LOOP_MAX = 48;
/** Bytes that long runs are compared by. */
const ALIKE_STEP = 32;
/** Two runs of so many bytes are compared faster in such steps. */
export const LONG_RUN_BYTES: number = 1 << 10;

/**
 * Shared memory is copied byte by byte, 0.2 ns each, where the two runs do not lie
 * alike within words of eight bytes, and else ten times as fast. From here on a
 * copy between, in memory that is not shared, takes less.
 */
const BETWEEN_MIN = 1024;
/** Bytes that lie between at a time. */
const BETWEEN_BYTES = 16 * 1024;
const WORD_MASK = 7;

let between: Uint8Array<ArrayBuffer> | null = null;

/** Characters that one call of `String.fromCharCode` may be given. */
const CHARS_AT_ONCE = 4096;

const ENCODER = new TextEncoder();

/**
 * Order of two runs as `memcmp` has it, a prefix before what it begins:
 * negative, zero or positive.
 */
export function compareBytes(
  a: Uint8Array,
  aOff: number,
  aLen: number,
  b: Uint8Array,
  bOff: number,
  bLen: number,
): number {
  const end = aOff + (aLen < bLen ? aLen : bLen);
  while (aOff < end) {
    const difference = a[aOff++]! - b[bOff++]!;
    if (difference !== 0) return difference;
  }
  return aLen - bLen;
}

/** Whether two runs have the same bytes. */
export function equalBytes(
  a: Uint8Array,
  aOff: number,
  aLen: number,
  b: Uint8Array,
  bOff: number,
  bLen: number,
): boolean {
  if (aLen !== bLen) return false;
  const end = aOff + aLen;
  while (aOff < end) if (a[aOff++] !== b[bOff++]) return false;
  return true;
}

/** As {@linkcode equalBytes}, for two long runs of the same length. */
export function equalLong(
  a: Uint8Array,
  aOff: number,
  b: Uint8Array,
  bOff: number,
  length: number,
): boolean {
  const isSamePlace = a.buffer === b.buffer &&
    a.byteOffset + aOff === b.byteOffset + bOff;
  if (isSamePlace) return true;
  const done = alikeBytes(a, aOff, b, bOff, length);
  const left = length - done;
  return equalBytes(a, aOff + done, left, b, bOff + done, left);
}

/** As {@linkcode compareBytes}, for long runs. */
export function compareLong(
  a: Uint8Array,
  aOff: number,
  aLen: number,
  b: Uint8Array,
  bOff: number,
  bLen: number,
): number {
  const done = alikeBytes(a, aOff, b, bOff, Math.min(aLen, bLen));
  return compareBytes(a, aOff + done, aLen - done, b, bOff + done, bLen - done);
}

/**
 * Bytes in which two runs begin alike, in steps: 6 GB/s wherever they lie. Not in
 * numbers of 64 bits, which code that is not compiled yet would allocate.
 */
function alikeBytes(
  a: Uint8Array,
  aOff: number,
  b: Uint8Array,
  bOff: number,
  length: number,
): number {
  const [x, y] = [viewOf(a), viewOf(b)];
  let done = 0;
  for (; done + ALIKE_STEP <= length; done += ALIKE_STEP) {
    const xAt = aOff + done;
    const yAt = bOff + done;
    const difference = x.getInt32(xAt) ^ y.getInt32(yAt) |
      x.getInt32(xAt + 4) ^ y.getInt32(yAt + 4) |
      x.getInt32(xAt + 8) ^ y.getInt32(yAt + 8) |
      x.getInt32(xAt + 12) ^ y.getInt32(yAt + 12) |
      x.getInt32(xAt + 16) ^ y.getInt32(yAt + 16) |
      x.getInt32(xAt + 20) ^ y.getInt32(yAt + 20) |
      x.getInt32(xAt + 24) ^ y.getInt32(yAt + 24) |
      x.getInt32(xAt + 28) ^ y.getInt32(yAt + 28);
    if (difference !== 0) break;
  }
  return done;
}

/** Copies `len` bytes; the runs may overlap, if both are of the same view. */
export function copyBytes(
  from: Uint8Array,
  fromOff: number,
  to: Uint8Array,
  toOff: number,
  len: number,
): void {
  if (len >= BETWEEN_MIN && liesApart(from, fromOff, to, toOff)) {
    copyApart(from, fromOff, to, toOff, len);
  } else if (len > COPY_LOOP_MAX) {
    const isAll = len === from.length;
    to.set(isAll ? from : from.subarray(fromOff, fromOff + len), toOff);
  } else if (toOff <= fromOff) {
    const end = fromOff + len;
    while (fromOff < end) to[toOff++] = from[fromOff++]!;
  } else {
    let at = fromOff + len;
    toOff += len;
    while (at > fromOff) to[--toOff] = from[--at]!;
  }
}

/** Whether words of the two runs begin at different places, in different views. */
function liesApart(
  from: Uint8Array,
  fromOff: number,
  to: Uint8Array,
  toOff: number,
): boolean {
  const fromAt = from.byteOffset + fromOff;
  const toAt = to.byteOffset + toOff;
  return ((fromAt ^ toAt) & WORD_MASK) !== 0 && from !== to;
}

/** Copies in steps, each of them between runs that lie alike if one is shared. */
function copyApart(
  from: Uint8Array,
  fromOff: number,
  to: Uint8Array,
  toOff: number,
  len: number,
): void {
  const isFromShared = from.buffer instanceof SharedArrayBuffer;
  const isToShared = to.buffer instanceof SharedArrayBuffer;
  if (!isFromShared && !isToShared) {
    return to.set(from.subarray(fromOff, fromOff + len), toOff);
  }
  between ??= new Uint8Array(BETWEEN_BYTES + WORD_MASK);
  const likeFrom = from.byteOffset + fromOff & WORD_MASK;
  const likeTo = to.byteOffset + toOff & WORD_MASK;
  const first = isFromShared ? likeFrom : likeTo;
  const last = isToShared ? likeTo : likeFrom;
  for (let done = 0; done < len; done += BETWEEN_BYTES) {
    const bytes = Math.min(BETWEEN_BYTES, len - done);
    const start = fromOff + done;
    between.set(from.subarray(start, start + bytes), first);
    if (first !== last) between.copyWithin(last, first, first + bytes);
    to.set(between.subarray(last, last + bytes), toOff + done);
  }
}

/**
 * Bytes that have their memory: what is merely new gets it, page by page, when it is
 * first written to.
 */
export function bytesInMemory(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(0);
}

/** The bytes of a text in UTF-8. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return ENCODER.encode(text);
}

/** One byte per character, as {@linkcode asciiOf} makes them. */
export function latin1BytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * A run as text, one character per byte, whatever the bytes are: for numbers,
 * names and messages.
 */
export function asciiOf(buf: Uint8Array, off: number, len: number): string {
  let text = "";
  const end = off + len;
  for (let at = off; at < end; at += CHARS_AT_ONCE) {
    const piece = buf.subarray(at, Math.min(end, at + CHARS_AT_ONCE));
    text += String.fromCharCode.apply(null, piece as unknown as number[]);
  }
  return text;
}

/** A run as text in UTF-8; what is not UTF-8 becomes U+FFFD. */
export function utf8Of(buf: Uint8Array, off: number, len: number): string {
  return new TextDecoder().decode(buf.slice(off, off + len));
}

/**
 * Whether a run is `lowerAscii` but for the case of letters. The expected bytes
 * must be lower case ASCII.
 */
export function equalsIgnoreCase(
  buf: Uint8Array,
  off: number,
  len: number,
  lowerAscii: Uint8Array,
): boolean {
  if (len !== lowerAscii.length) return false;
  for (let i = 0; i < len; i++) {
    const byte = buf[off + i]!;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (lower !== lowerAscii[i]) return false;
  }
  return true;
}
