/**
 * CRC64 as Redis computes it over dumped values and snapshots: the polynomial
 * of Jones, 0xad93d23594c935a9, lowest bit first, start 0, nothing inverted.
 *
 * JavaScript has no 64-bit integers that are fast, so a checksum is two halves
 * of 32 bits. Eight bytes are taken at a time ("slicing"): a checksum is linear,
 * and each of the eight has a table with what it contributes from its distance
 * to the end of the group. The tables are 16 KB together.
 *
 * Source: the "Rocksoft" model by Ross Williams; David Jones, "An Improved
 * 64-bit Cyclic Redundancy Check for Protein Sequences".
 *
 * @module
 */

/** Bytes of a checksum. */
export const CRC64_BYTES = 8;

/** The polynomial with its bits reversed. */
const POLYNOMIAL_HIGH = 0x95ac9329 | 0;
const POLYNOMIAL_LOW = 0xac4bc9b5 | 0;

const SLICES = 8;
/** Of byte `b` with `k` bytes behind it: the words at `(k << 8 | b) << 1`. */
const TABLES = makeTables();

/** A checksum under way. */
export class Crc64 {
  /** The lower 32 bits. */
  low = 0;
  /** The upper 32 bits. */
  high = 0;

  /** Begins anew. */
  reset(): void {
    this.low = 0;
    this.high = 0;
  }

  /** Takes bytes in. */
  update(buf: Uint8Array, off: number, length: number): void {
    const tables = TABLES;
    let low = this.low;
    let high = this.high;
    let at = off;
    const end = off + length;
    for (const last = end - SLICES; at <= last; at += SLICES) {
      low ^= buf[at]! | buf[at + 1]! << 8 | buf[at + 2]! << 16 |
        buf[at + 3]! << 24;
      high ^= buf[at + 4]! | buf[at + 5]! << 8 | buf[at + 6]! << 16 |
        buf[at + 7]! << 24;
      const a = (low & 0xff | 0x700) << 1;
      const b = (low >>> 8 & 0xff | 0x600) << 1;
      const c = (low >>> 16 & 0xff | 0x500) << 1;
      const d = (low >>> 24 | 0x400) << 1;
      const e = (high & 0xff | 0x300) << 1;
      const f = (high >>> 8 & 0xff | 0x200) << 1;
      const g = (high >>> 16 & 0xff | 0x100) << 1;
      const h = (high >>> 24) << 1;
      low = tables[a]! ^ tables[b]! ^ tables[c]! ^ tables[d]! ^ tables[e]! ^
        tables[f]! ^ tables[g]! ^ tables[h]!;
      high = tables[a + 1]! ^ tables[b + 1]! ^ tables[c + 1]! ^
        tables[d + 1]! ^ tables[e + 1]! ^ tables[f + 1]! ^ tables[g + 1]! ^
        tables[h + 1]!;
    }
    for (; at < end; at++) {
      const i = ((low ^ buf[at]!) & 0xff) << 1;
      low = (low >>> 8 | high << 24) ^ tables[i]!;
      high = high >>> 8 ^ tables[i + 1]!;
    }
    this.low = low;
    this.high = high;
  }

  /** Writes the checksum, lowest byte first. */
  write(buf: Uint8Array, at: number): void {
    for (let i = 0; i < 4; i++) {
      buf[at + i] = this.low >>> 8 * i;
      buf[at + 4 + i] = this.high >>> 8 * i;
    }
  }

  /** Whether it is the one that was written there. */
  matches(buf: Uint8Array, at: number): boolean {
    for (let i = 0; i < 4; i++) {
      if (
        buf[at + i] !== (this.low >>> 8 * i & 0xff) ||
        buf[at + 4 + i] !== (this.high >>> 8 * i & 0xff)
      ) return false;
    }
    return true;
  }
}

function makeTables(): Int32Array {
  const tables = new Int32Array(SLICES << 9);
  for (let byte = 0; byte < 256; byte++) {
    let low = byte;
    let high = 0;
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (low & 1) !== 0;
      low = low >>> 1 | high << 31;
      high = high >>> 1;
      if (isOdd) {
        low ^= POLYNOMIAL_LOW;
        high ^= POLYNOMIAL_HIGH;
      }
    }
    tables[byte << 1] = low;
    tables[(byte << 1) + 1] = high;
  }
  // One zero byte more behind the byte.
  for (let i = 256; i < SLICES << 8; i++) {
    const low = tables[(i - 256) << 1]!;
    const high = tables[((i - 256) << 1) + 1]!;
    const step = (low & 0xff) << 1;
    tables[i << 1] = (low >>> 8 | high << 24) ^ tables[step]!;
    tables[(i << 1) + 1] = high >>> 8 ^ tables[step + 1]!;
  }
  return tables;
}
