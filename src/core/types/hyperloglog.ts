/**
 * HyperLogLogs: how many different elements have been added, to 0.81 %, in at
 * most 12 kB. A HyperLogLog is a string, in Redis's own format:
 *
 * ```text
 * bytes 0-3    "HYLL"
 * byte  4      encoding: 0 dense, 1 sparse       bytes 5-7  unused
 * bytes 8-15   cardinality, little-endian, as last computed; the highest bit
 *              says that it is no longer right
 * dense        16384 registers of 6 bits, the lowest bits first
 * sparse       opcodes for runs of registers:
 *              00xxxxxx           ZERO   x+1 registers are 0
 *              01xxxxxx yyyyyyyy  XZERO  xy+1 registers are 0
 *              1vvvvvxx           VAL    x+1 registers are v+1
 * ```
 *
 * An element's hash names a register and how far to raise it: one more than the
 * zeros at the hash's end. The estimate is that of Otmar Ertl ("New cardinality
 * estimation algorithms for HyperLogLog sketches", 2017, algorithm 6), which
 * needs only how many registers have each value.
 *
 * A dense one is changed where it lies. A sparse one changes its length, so it
 * is changed in a buffer ({@linkcode HyperLogLogEditor}) and written back.
 *
 * @module
 */

import { copyBytes, latin1BytesOf } from "../base/bytes.ts";
import { murmurHash64A } from "../base/murmur_hash.ts";

/** Bytes before the registers. */
export const HLL_HEADER_BYTES = 16;
/** How many registers there are. */
export const HLL_REGISTERS = 1 << 14;
/** Bytes of a dense HyperLogLog. */
export const HLL_DENSE_BYTES = HLL_HEADER_BYTES + HLL_REGISTERS * 6 / 8;
/** Encoding byte of a dense one. */
export const HLL_DENSE = 0;
/** Encoding byte of a sparse one. */
export const HLL_SPARSE = 1;

/** No opcode covers fewer than one register, so this is the longest one. */
const SPARSE_BYTES_MAX = HLL_HEADER_BYTES + HLL_REGISTERS * 2;
/** Room for splitting each register of such a one off. */
const EDITOR_BYTES = SPARSE_BYTES_MAX + HLL_REGISTERS * 2 + 8;

const ENCODING_AT = 4;
const CARDINALITY_AT = 8;
/** The byte of the cardinality that has the bit for "no longer right". */
const STALE_AT = 15;
const STALE = 0x80;

const INDEX_BITS = 14;
const INDEX_MASK = HLL_REGISTERS - 1;
/** The highest value of a register is one more. */
const HASH_BITS = 64 - INDEX_BITS;
const HASH_SEED = 0xadc83b19 | 0;
const ALPHA = 0.721347520444481703680;

const MAGIC = latin1BytesOf("HYLL");
const VAL = 0x80;
const XZERO = 0x40;
const KIND_MASK = 0xc0;
const VALUE_MAX = 32;
const VALUE_RUN_MAX = 4;
const ZERO_RUN_MAX = 64;
/** Opcodes that are looked at for values to join after a change. */
const JOINED_OPCODES = 5;

/** Shift of the value in what {@linkcode placeOf} returns. */
const VALUE_SHIFT = INDEX_BITS;

const HASH = new Int32Array(2);
/** How many registers have each value. */
const HISTOGRAM = new Int32Array(64);
/** Bytes that take the place of an opcode. */
const SEQUENCE = new Uint8Array(5);

/** Whether a string can be a HyperLogLog, as far as its header tells. */
export function isHyperLogLog(
  bytes: Uint8Array,
  off: number,
  length: number,
): boolean {
  if (length < HLL_HEADER_BYTES) return false;
  for (let i = 0; i < 4; i++) if (bytes[off + i] !== MAGIC[i]) return false;
  const encoding = bytes[off + ENCODING_AT]!;
  return encoding === HLL_SPARSE ||
    encoding === HLL_DENSE && length === HLL_DENSE_BYTES;
}

/** The encoding of a HyperLogLog. */
export function encodingOfHll(bytes: Uint8Array, off: number): number {
  return bytes[off + ENCODING_AT]!;
}

/** The register of an element and the value it asks for, in one number. */
export function placeOf(buf: Uint8Array, off: number, len: number): number {
  murmurHash64A(buf, off, len, HASH_SEED, HASH);
  const low = HASH[0]!;
  const high = HASH[1]!;
  const restLow = low >>> INDEX_BITS | high << (32 - INDEX_BITS);
  // The bit beyond the hash ends the search.
  const restHigh = high >>> INDEX_BITS | 1 << (HASH_BITS - 32);
  const value = restLow !== 0
    ? 32 - Math.clz32(restLow & -restLow)
    : 64 - Math.clz32(restHigh & -restHigh);
  return (low & INDEX_MASK) | value << VALUE_SHIFT;
}

/** Whether the cardinality in the header is right. */
export function isCardinalityKnown(bytes: Uint8Array, off: number): boolean {
  return (bytes[off + STALE_AT]! & STALE) === 0;
}

/** Says that the cardinality in the header is no longer right. */
export function forgetCardinality(bytes: Uint8Array, off: number): void {
  bytes[off + STALE_AT]! |= STALE;
}

/** The cardinality in the header; a double, exact up to 2^53. */
export function cardinalityOf(bytes: Uint8Array, off: number): number {
  let n = 0;
  for (let i = 7; i >= 0; i--) n = n * 256 + bytes[off + CARDINALITY_AT + i]!;
  return n;
}

/** As {@linkcode cardinalityOf}, for a header that somebody has written to. */
export function bigCardinalityOf(bytes: Uint8Array, off: number): bigint {
  let n = 0n;
  for (let i = 7; i >= 0; i--) {
    n = n << 8n | BigInt(bytes[off + CARDINALITY_AT + i]!);
  }
  return n;
}

/** Writes the cardinality into the header. */
export function setCardinality(
  bytes: Uint8Array,
  off: number,
  cardinality: number,
): void {
  let rest = cardinality < 0 ? cardinality + 2 ** 64 : cardinality;
  for (let i = 0; i < 8; i++) {
    const next = Math.floor(rest / 256);
    bytes[off + CARDINALITY_AT + i] = rest - next * 256;
    rest = next;
  }
}

/** Value of a register of a dense one. */
export function denseRegister(
  bytes: Uint8Array,
  off: number,
  index: number,
): number {
  const bit = index * 6;
  const at = off + HLL_HEADER_BYTES + (bit >>> 3);
  const shift = bit & 7;
  // The last register ends with the last byte, so nothing behind it is read.
  const next = shift > 2 ? bytes[at + 1]! : 0;
  return (bytes[at]! | next << 8) >>> shift & 63;
}

/** Raises a register of a dense one; says whether it was lower. */
export function raiseDense(
  bytes: Uint8Array,
  off: number,
  index: number,
  value: number,
): boolean {
  const bit = index * 6;
  const at = off + HLL_HEADER_BYTES + (bit >>> 3);
  const shift = bit & 7;
  const next = shift > 2 ? bytes[at + 1]! : 0;
  const pair = bytes[at]! | next << 8;
  if ((pair >>> shift & 63) >= value) return false;
  const raised = pair & ~(63 << shift) | value << shift;
  bytes[at] = raised & 0xff;
  if (shift > 2) bytes[at + 1] = raised >>> 8;
  return true;
}

/** Adds an element to a dense one; says whether a register was raised. */
export function addDense(
  bytes: Uint8Array,
  off: number,
  place: number,
): boolean {
  return raiseDense(bytes, off, place & INDEX_MASK, place >>> VALUE_SHIFT);
}

/** The estimate for one HyperLogLog, or -1 if it is corrupt. */
export function countHll(
  bytes: Uint8Array,
  off: number,
  length: number,
): number {
  HISTOGRAM.fill(0);
  if (encodingOfHll(bytes, off) === HLL_DENSE) {
    countDenseValues(bytes, off);
  } else if (!countSparseValues(bytes, off, length)) return -1;
  return estimate();
}

/** The estimate for registers of a byte each. */
export function countRegisters(registers: Uint8Array): number {
  HISTOGRAM.fill(0);
  for (let i = 0; i < HLL_REGISTERS; i++) HISTOGRAM[registers[i]!]!++;
  return estimate();
}

/** Three bytes are four registers. */
function countDenseValues(bytes: Uint8Array, off: number): void {
  const counts = HISTOGRAM;
  const end = off + HLL_DENSE_BYTES;
  for (let at = off + HLL_HEADER_BYTES; at < end; at += 3) {
    const four = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16;
    counts[four & 63]!++;
    counts[four >>> 6 & 63]!++;
    counts[four >>> 12 & 63]!++;
    counts[four >>> 18]!++;
  }
}

function countSparseValues(
  bytes: Uint8Array,
  off: number,
  length: number,
): boolean {
  const end = off + length;
  let index = 0;
  let at = off + HLL_HEADER_BYTES;
  while (at < end) {
    const opcode = bytes[at]!;
    const run = runOf(bytes, at);
    HISTOGRAM[valueOf(opcode)]! += run;
    index += run;
    at += bytesOfOpcode(opcode);
  }
  // An opcode that is cut off reaches beyond the end.
  return index === HLL_REGISTERS && at === end;
}

/** The estimate from {@linkcode HISTOGRAM}. */
function estimate(): number {
  const m = HLL_REGISTERS;
  let z = m * tau((m - HISTOGRAM[HASH_BITS + 1]!) / m);
  for (let value = HASH_BITS; value >= 1; value--) {
    z = (z + HISTOGRAM[value]!) * 0.5;
  }
  z += m * sigma(HISTOGRAM[0]! / m);
  const rounded = Math.round(ALPHA * m * m / z);
  // What 64 bits cannot hold turns into their lowest number.
  return rounded < 2 ** 63 ? rounded : -(2 ** 63);
}

function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let before: number;
  let y = 1;
  let z = 1 - x;
  do {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (before !== z);
  return z / 3;
}

function sigma(x: number): number {
  if (x === 1) return Infinity;
  let before: number;
  let y = 1;
  let z = x;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (before !== z);
  return z;
}

/**
 * Raises registers of a byte each to those of a HyperLogLog; false if it is
 * corrupt.
 */
export function mergeInto(
  registers: Uint8Array,
  bytes: Uint8Array,
  off: number,
  length: number,
): boolean {
  if (encodingOfHll(bytes, off) === HLL_DENSE) {
    mergeDense(registers, bytes, off);
    return true;
  }
  const end = off + length;
  let index = 0;
  let at = off + HLL_HEADER_BYTES;
  while (at < end) {
    const opcode = bytes[at]!;
    const run = runOf(bytes, at);
    const value = valueOf(opcode);
    if (value > 0) {
      if (index + run > HLL_REGISTERS) return false;
      for (let i = index; i < index + run; i++) {
        if (registers[i]! < value) registers[i] = value;
      }
    }
    index += run;
    at += bytesOfOpcode(opcode);
  }
  return index === HLL_REGISTERS && at === end;
}

function mergeDense(
  registers: Uint8Array,
  bytes: Uint8Array,
  off: number,
): void {
  let at = off + HLL_HEADER_BYTES;
  for (let i = 0; i < HLL_REGISTERS; i += 4) {
    const four = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16;
    const a = four & 63;
    const b = four >>> 6 & 63;
    const c = four >>> 12 & 63;
    const d = four >>> 18;
    if (registers[i]! < a) registers[i] = a;
    if (registers[i + 1]! < b) registers[i + 1] = b;
    if (registers[i + 2]! < c) registers[i + 2] = c;
    if (registers[i + 3]! < d) registers[i + 3] = d;
    at += 3;
  }
}

/** The opcodes of a sparse one as text, as PFDEBUG DECODE shows them. */
export function describeSparse(
  bytes: Uint8Array,
  off: number,
  length: number,
): string {
  const words: string[] = [];
  const end = off + length;
  let at = off + HLL_HEADER_BYTES;
  while (at < end) {
    const opcode = bytes[at]!;
    const run = runOf(bytes, at);
    if (opcode >= VAL) words.push(`v:${valueOf(opcode)},${run}`);
    else words.push(`${opcode >= XZERO ? "Z" : "z"}:${run}`);
    at += bytesOfOpcode(opcode);
  }
  return words.join(" ");
}

/** Value of the registers of an opcode. */
function valueOf(opcode: number): number {
  return opcode >= VAL ? (opcode >>> 2 & 31) + 1 : 0;
}

/** Registers of the opcode that begins at `at`. */
function runOf(bytes: Uint8Array, at: number): number {
  const opcode = bytes[at]!;
  if (opcode >= VAL) return (opcode & 3) + 1;
  if (opcode < XZERO) return opcode + 1;
  return ((opcode & 63) << 8 | bytes[at + 1]!) + 1;
}

function bytesOfOpcode(opcode: number): number {
  return (opcode & KIND_MASK) === XZERO ? 2 : 1;
}

/** Writes the opcode of a value, and returns where it ends. */
function writeValue(
  out: Uint8Array,
  at: number,
  value: number,
  run: number,
): number {
  out[at] = VAL | (value - 1) << 2 | run - 1;
  return at + 1;
}

/** Writes the opcode of a run of zeros, and returns where it ends. */
function writeZeros(out: Uint8Array, at: number, run: number): number {
  if (run <= ZERO_RUN_MAX) {
    out[at] = run - 1;
    return at + 1;
  }
  out[at] = XZERO | run - 1 >>> 8;
  out[at + 1] = run - 1 & 0xff;
  return at + 2;
}

/** What adding to a sparse HyperLogLog came to. */
export type Added = "raised" | "unchanged" | "corrupt";

/** A buffer in which a HyperLogLog is changed; loaded anew for each. */
export class HyperLogLogEditor {
  /** The HyperLogLog, from byte 0 on. */
  readonly bytes: Uint8Array = new Uint8Array(EDITOR_BYTES);
  /** Its length. */
  length = 0;
  readonly #dense = new Uint8Array(HLL_DENSE_BYTES);

  /** Whether the registers have six bits each. */
  get isDense(): boolean {
    return this.bytes[ENCODING_AT] === HLL_DENSE;
  }

  /** Begins with nothing added. */
  clear(): void {
    this.bytes.fill(0, 0, HLL_HEADER_BYTES);
    this.bytes.set(MAGIC);
    this.bytes[ENCODING_AT] = HLL_SPARSE;
    this.length = writeZeros(this.bytes, HLL_HEADER_BYTES, HLL_REGISTERS);
  }

  /** Begins with a copy; false if it is too long to be right. */
  load(from: Uint8Array, off: number, length: number): boolean {
    if (length > SPARSE_BYTES_MAX) return false;
    copyBytes(from, off, this.bytes, 0, length);
    this.length = length;
    return true;
  }

  /** Adds an element; a sparse one has at most `sparseBytesMax` bytes. */
  add(place: number, sparseBytesMax: number): Added {
    return this.raise(
      place & INDEX_MASK,
      place >>> VALUE_SHIFT,
      sparseBytesMax,
    );
  }

  /** Raises a register. */
  raise(index: number, value: number, sparseBytesMax: number): Added {
    if (!this.isDense) return this.#raiseSparse(index, value, sparseBytesMax);
    return raiseDense(this.bytes, 0, index, value) ? "raised" : "unchanged";
  }

  /** Makes it dense; false if it is corrupt. */
  makeDense(): boolean {
    if (this.isDense) return true;
    const dense = this.#dense;
    dense.fill(0);
    const { bytes, length } = this;
    let index = 0;
    let at = HLL_HEADER_BYTES;
    while (at < length) {
      const opcode = bytes[at]!;
      const end = index + runOf(bytes, at);
      const value = valueOf(opcode);
      if (value > 0) {
        if (end > HLL_REGISTERS) return false;
        for (let i = index; i < end; i++) raiseDense(dense, 0, i, value);
      }
      index = end;
      at += bytesOfOpcode(opcode);
    }
    if (index !== HLL_REGISTERS || at !== length) return false;
    copyBytes(bytes, 0, dense, 0, HLL_HEADER_BYTES);
    dense[ENCODING_AT] = HLL_DENSE;
    bytes.set(dense);
    this.length = HLL_DENSE_BYTES;
    return true;
  }

  /** Follows Redis step by step, so that the bytes become the same. */
  #raiseSparse(index: number, value: number, sparseBytesMax: number): Added {
    if (value > VALUE_MAX) return this.#raiseAsDense(index, value);
    const bytes = this.bytes;
    const length = this.length;
    let at = HLL_HEADER_BYTES;
    let before = at;
    let first = 0;
    let run = 0;
    while (at < length) {
      run = runOf(bytes, at);
      if (index < first + run) break;
      before = at;
      at += bytesOfOpcode(bytes[at]!);
      first += run;
    }
    if (at >= length) return "corrupt";

    const opcode = bytes[at]!;
    if (at + bytesOfOpcode(opcode) > length) return "corrupt";
    if (valueOf(opcode) >= value) return "unchanged";
    if (run === 1 && (opcode & KIND_MASK) !== XZERO) {
      writeValue(bytes, at, value, 1);
    } else {
      const size = splitOpcode(opcode, index - first, run, value);
      const grown = size - bytesOfOpcode(opcode);
      if (grown > 0 && length + grown > sparseBytesMax) {
        return this.#raiseAsDense(index, value);
      }
      const next = at + bytesOfOpcode(opcode);
      if (grown !== 0) bytes.copyWithin(next + grown, next, length);
      for (let i = 0; i < size; i++) bytes[at + i] = SEQUENCE[i]!;
      this.length = length + grown;
    }
    this.#joinValues(before);
    forgetCardinality(bytes, 0);
    return "raised";
  }

  #raiseAsDense(index: number, value: number): Added {
    if (!this.makeDense()) return "corrupt";
    return raiseDense(this.bytes, 0, index, value) ? "raised" : "unchanged";
  }

  /** Joins neighbours of the same value, a few opcodes from `at` on. */
  #joinValues(at: number): void {
    const bytes = this.bytes;
    for (let i = 0; i < JOINED_OPCODES && at < this.length; i++) {
      const opcode = bytes[at]!;
      if (opcode < VAL) {
        at += bytesOfOpcode(opcode);
        continue;
      }
      const next = at + 1 < this.length ? bytes[at + 1]! : 0;
      const run = (opcode & 3) + 1 + (next & 3) + 1;
      if (next >>> 2 === opcode >>> 2 && run <= VALUE_RUN_MAX) {
        writeValue(bytes, at + 1, valueOf(opcode), run);
        bytes.copyWithin(at, at + 1, this.length);
        this.length--;
      } else at++;
    }
  }
}

/**
 * Writes to {@linkcode SEQUENCE} what takes the place of an opcode of `run`
 * registers whose register `skipped` gets a value; returns the bytes.
 */
function splitOpcode(
  opcode: number,
  skipped: number,
  run: number,
  value: number,
): number {
  const old = valueOf(opcode);
  const left = run - skipped - 1;
  let at = 0;
  if (skipped > 0) {
    at = old > 0
      ? writeValue(SEQUENCE, at, old, skipped)
      : writeZeros(SEQUENCE, at, skipped);
  }
  at = writeValue(SEQUENCE, at, value, 1);
  if (left > 0) {
    at = old > 0
      ? writeValue(SEQUENCE, at, old, left)
      : writeZeros(SEQUENCE, at, left);
  }
  return at;
}
