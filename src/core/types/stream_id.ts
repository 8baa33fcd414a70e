/**
 * IDs of stream entries: milliseconds and a sequence number, each an unsigned
 * integer of 64 bits, written `ms-seq`.
 *
 * Doubles hold them exactly only below 2^53, so an ID is four words; what is
 * added, compared and stored is words. Texts of up to fifteen digits go through
 * a double, all others through a BigInt, as nobody's clock is that far.
 *
 * What a client may write is what `strtoull` takes: Redis reads the parts of an
 * ID with it, so " 7" and "+7" and "-07" are numbers, the last one modulo 2^64.
 *
 * @module
 */

import { asciiOf } from "../base/bytes.ts";
import { writeInteger } from "../base/integer.ts";

const MINUS = 0x2d;
const PLUS = 0x2b;
const STAR = 0x2a;
const ZERO = 0x30;
const TWO_TO_32 = 4294967296;
/** Upper words below this one are those of exact doubles. */
const EXACT_HIGH = 1 << 21;
/** Digits whose number is exact in a double. */
const EXACT_DIGITS = 15;
const UINT64_MAX = 2n ** 64n - 1n;

/** Words of an ID. */
export const ID_WORDS = 4;
/** Bytes of the longest text of an ID. */
export const ID_BYTES_MAX = 41;
/** Redis refuses longer texts. */
const TEXT_BYTES_MAX = 127;

/** What {@linkcode StreamId.parse} says of a text that is no ID. */
export const ID_INVALID = 0;
/** Both parts were read, or the missing one was filled in. */
export const ID_READ = 1;
/** The sequence number is `*`. */
export const ID_ANY_SEQUENCE = 2;

/** One ID, filled anew by each read. The words are int32s without a sign. */
export class StreamId {
  /** Upper word of the milliseconds. */
  msHigh = 0;
  /** Lower word of the milliseconds. */
  msLow = 0;
  /** Upper word of the sequence number. */
  seqHigh = 0;
  /** Lower word of the sequence number. */
  seqLow = 0;

  /** Makes it 0-0. */
  setLeast(): void {
    this.msHigh =
      this.msLow =
      this.seqHigh =
      this.seqLow =
        0;
  }

  /** Makes it the greatest ID there is. */
  setGreatest(): void {
    this.msHigh =
      this.msLow =
      this.seqHigh =
      this.seqLow =
        -1;
  }

  /** Makes it `ms-0`; `ms` is a safe integer. */
  setTime(ms: number): void {
    this.msHigh = Math.floor(ms / TWO_TO_32);
    this.msLow = ms | 0;
    this.seqHigh = this.seqLow = 0;
  }

  /** Makes it the same as another. */
  set(other: StreamId): void {
    this.msHigh = other.msHigh;
    this.msLow = other.msLow;
    this.seqHigh = other.seqHigh;
    this.seqLow = other.seqLow;
  }

  /** Reads it from four words. */
  read(words: Int32Array, at: number): void {
    this.msHigh = words[at]!;
    this.msLow = words[at + 1]!;
    this.seqHigh = words[at + 2]!;
    this.seqLow = words[at + 3]!;
  }

  /** Writes it as four words. */
  write(words: Int32Array, at: number): void {
    words[at] = this.msHigh;
    words[at + 1] = this.msLow;
    words[at + 2] = this.seqHigh;
    words[at + 3] = this.seqLow;
  }

  /** Whether it is 0-0. */
  isLeast(): boolean {
    return (this.msHigh | this.msLow | this.seqHigh | this.seqLow) === 0;
  }

  /** Whether it is the greatest ID there is. */
  isGreatest(): boolean {
    return (this.msHigh & this.msLow & this.seqHigh & this.seqLow) === -1;
  }

  /** Negative, zero or positive, as it comes before or after another. */
  compare(other: StreamId): number {
    let a = this.msHigh;
    let b = other.msHigh;
    if (a === b) {
      a = this.msLow;
      b = other.msLow;
      if (a === b) {
        a = this.seqHigh;
        b = other.seqHigh;
        if (a === b) {
          a = this.seqLow;
          b = other.seqLow;
          if (a === b) return 0;
        }
      }
    }
    return a >>> 0 < b >>> 0 ? -1 : 1;
  }

  /** As {@linkcode compare}, with an ID in four words. */
  compareWords(words: Int32Array, at: number): number {
    let a = this.msHigh;
    let b = words[at]!;
    if (a === b) {
      a = this.msLow;
      b = words[at + 1]!;
      if (a === b) {
        a = this.seqHigh;
        b = words[at + 2]!;
        if (a === b) {
          a = this.seqLow;
          b = words[at + 3]!;
          if (a === b) return 0;
        }
      }
    }
    return a >>> 0 < b >>> 0 ? -1 : 1;
  }

  /** Makes it the next ID; false if there was none, and it is 0-0 then. */
  increment(): boolean {
    this.seqLow = this.seqLow + 1 | 0;
    if (this.seqLow !== 0) return true;
    this.seqHigh = this.seqHigh + 1 | 0;
    if (this.seqHigh !== 0) return true;
    this.msLow = this.msLow + 1 | 0;
    if (this.msLow !== 0) return true;
    this.msHigh = this.msHigh + 1 | 0;
    return this.msHigh !== 0;
  }

  /** Makes it the ID before; false if there was none, and it is the last then. */
  decrement(): boolean {
    this.seqLow = this.seqLow - 1 | 0;
    if (this.seqLow !== -1) return true;
    this.seqHigh = this.seqHigh - 1 | 0;
    if (this.seqHigh !== -1) return true;
    this.msLow = this.msLow - 1 | 0;
    if (this.msLow !== -1) return true;
    this.msHigh = this.msHigh - 1 | 0;
    return this.msHigh !== -1;
  }

  /**
   * Makes the sequence number the next one; false, with nothing changed, if
   * there is none.
   */
  incrementSequence(): boolean {
    if ((this.seqLow & this.seqHigh) === -1) return false;
    return this.increment();
  }

  /** Makes it `base` plus two integers of 64 bits, both modulo 2^64. */
  setSum(
    base: StreamId,
    msHigh: number,
    msLow: number,
    seqHigh: number,
    seqLow: number,
  ): void {
    const ms = (base.msLow >>> 0) + (msLow >>> 0);
    this.msLow = ms | 0;
    this.msHigh = base.msHigh + msHigh + (ms >= TWO_TO_32 ? 1 : 0) | 0;
    const seq = (base.seqLow >>> 0) + (seqLow >>> 0);
    this.seqLow = seq | 0;
    this.seqHigh = base.seqHigh + seqHigh + (seq >= TWO_TO_32 ? 1 : 0) | 0;
  }

  /**
   * Reads a text: `ms`, whose sequence number is then the least or the
   * greatest one, or `ms-seq`, or `ms-*`. Bytes from a NUL on do not count.
   */
  parse(
    buf: Uint8Array,
    off: number,
    length: number,
    missingIsGreatest = false,
  ): number {
    if (length > TEXT_BYTES_MAX) return ID_INVALID;
    const end = off + lengthToNul(buf, off, length);
    let dash = off;
    while (dash < end && buf[dash] !== MINUS) dash++;
    if (!parsePart(buf, off, dash)) return ID_INVALID;
    this.msHigh = PART.high;
    this.msLow = PART.low;
    if (dash === end) {
      this.seqHigh = this.seqLow = missingIsGreatest ? -1 : 0;
      return ID_READ;
    }
    if (end - dash === 2 && buf[dash + 1] === STAR) {
      this.seqHigh = this.seqLow = 0;
      return ID_ANY_SEQUENCE;
    }
    if (!parsePart(buf, dash + 1, end)) return ID_INVALID;
    this.seqHigh = PART.high;
    this.seqLow = PART.low;
    return ID_READ;
  }

  /** Writes the text and returns where it ends. */
  writeText(out: Uint8Array, at: number): number {
    return this.writeSequence(out, this.writeTime(out, at));
  }

  /** Writes the text up to its dash and returns where that belongs. */
  writeTime(out: Uint8Array, at: number): number {
    return writeUnsigned(this.msHigh, this.msLow, out, at);
  }

  /** Writes the text from its dash on and returns where it ends. */
  writeSequence(out: Uint8Array, at: number): number {
    out[at] = MINUS;
    if (this.seqHigh === 0 && this.seqLow >>> 0 < 10) {
      out[at + 1] = ZERO + this.seqLow;
      return at + 2;
    }
    return writeUnsigned(this.seqHigh, this.seqLow, out, at + 1);
  }

  /** The text, for messages and tests. */
  toString(): string {
    const text = new Uint8Array(ID_BYTES_MAX);
    return asciiOf(text, 0, this.writeText(text, 0));
  }
}

/** Bytes of a text up to its first NUL, where text ends for Redis. */
function lengthToNul(
  buf: Uint8Array,
  off: number,
  length: number,
): number {
  for (let i = 0; i < length; i++) if (buf[off + i] === 0) return i;
  return length;
}

/** The part that was read last. */
const PART = { high: 0, low: 0 };

/** Reads an unsigned integer of 64 bits into {@linkcode PART}. */
function parsePart(buf: Uint8Array, off: number, end: number): boolean {
  if (end - off > EXACT_DIGITS || end === off) {
    return parseAnyPart(buf, off, end);
  }
  let n = 0;
  for (let at = off; at < end; at++) {
    const digit = buf[at]! - ZERO;
    if (digit < 0 || digit > 9) return parseAnyPart(buf, off, end);
    n = n * 10 + digit;
  }
  PART.high = Math.floor(n / TWO_TO_32);
  PART.low = n | 0;
  return true;
}

/** As `strtoull`; but what is canonical text of a negative is refused. */
function parseAnyPart(buf: Uint8Array, off: number, end: number): boolean {
  let at = off;
  while (at < end && (buf[at] === 0x20 || buf[at]! - 9 >>> 0 < 5)) at++;
  const sign = at < end ? buf[at]! : 0;
  const isNegative = sign === MINUS;
  if (isNegative || sign === PLUS) at++;
  if (at === end) return false;
  const first = at;
  while (at < end && buf[at]! - ZERO >>> 0 <= 9) at++;
  if (at < end) return false;
  const n = BigInt(asciiOf(buf, first, end - first));
  if (n > UINT64_MAX) return false;
  const isCanonical = isNegative && first === off + 1 && buf[first] !== ZERO;
  if (isCanonical && n <= 1n << 63n) return false;
  const value = isNegative ? -n : n;
  PART.high = Number(BigInt.asIntN(32, value >> 32n));
  PART.low = Number(BigInt.asIntN(32, value));
  return true;
}

function writeUnsigned(
  high: number,
  low: number,
  out: Uint8Array,
  at: number,
): number {
  if (high >>> 0 < EXACT_HIGH) {
    return writeInteger(high * TWO_TO_32 + (low >>> 0), out, at);
  }
  const text = String(BigInt(high >>> 0) << 32n | BigInt(low >>> 0));
  for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i);
  return at + text.length;
}
