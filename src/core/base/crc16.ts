/**
 * CRC16 and the hash slot of a key, as Redis Cluster defines them.
 *
 * The checksum is CRC-16/XMODEM: polynomial 0x1021, start 0, the most
 * significant bit first, nothing inverted. A key's slot is the checksum modulo
 * 16384 of its hash tag: of what stands between its first `{` and the first `}`
 * after that, if that is not empty; otherwise of the whole key. So keys with
 * the same tag share a slot, and multi-key commands can rely on it.
 *
 * Every command computes slots, so four bytes are taken at a time ("slicing"):
 * a checksum is linear, and each of the four bytes has a table with what it
 * contributes from its distance to the end of the group. The four tables are
 * 2 KB together and stay in the processor's first cache.
 *
 * Source: the Redis Cluster specification, "Key distribution model" and "Hash
 * tags".
 *
 * @module
 */

/** How many hash slots there are. */
export const HASH_SLOTS = 16384;

const POLYNOMIAL = 0x1021;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** The contribution of a byte with 0, 1, 2 or 3 bytes after it. */
const TABLE_0 = firstTable();
const TABLE_1 = shifted(TABLE_0);
const TABLE_2 = shifted(TABLE_1);
const TABLE_3 = shifted(TABLE_2);

/** The checksum of the bytes from `from` to before `to`. */
export function crc16(buf: Uint8Array, from: number, to: number): number {
  let crc = 0;
  let at = from;
  for (; at + 4 <= to; at += 4) {
    crc = TABLE_3[(crc >> 8) ^ buf[at]!]! ^
      TABLE_2[(crc & 0xff) ^ buf[at + 1]!]! ^
      TABLE_1[buf[at + 2]!]! ^
      TABLE_0[buf[at + 3]!]!;
  }
  for (; at < to; at++) {
    crc = ((crc << 8) & 0xffff) ^ TABLE_0[(crc >> 8) ^ buf[at]!]!;
  }
  return crc;
}

/** The hash slot of a key. */
export function hashSlot(buf: Uint8Array, off: number, len: number): number {
  // As crc16(), but it looks for a tag on the way: one pass, not two, over the
  // keys that have none.
  const end = off + len;
  let crc = 0;
  let at = off;
  for (; at + 4 <= end; at += 4) {
    const a = buf[at]!;
    const b = buf[at + 1]!;
    const c = buf[at + 2]!;
    const d = buf[at + 3]!;
    if (a === OPEN || b === OPEN || c === OPEN || d === OPEN) {
      return taggedSlot(buf, off, at, end);
    }
    crc = TABLE_3[(crc >> 8) ^ a]! ^ TABLE_2[(crc & 0xff) ^ b]! ^
      TABLE_1[c]! ^ TABLE_0[d]!;
  }
  for (; at < end; at++) {
    const byte = buf[at]!;
    if (byte === OPEN) return taggedSlot(buf, off, at, end);
    crc = ((crc << 8) & 0xffff) ^ TABLE_0[(crc >> 8) ^ byte]!;
  }
  return crc & (HASH_SLOTS - 1);
}

/** The slot of a key that has a `{`, the first one at `at` or after it. */
function taggedSlot(
  buf: Uint8Array,
  off: number,
  at: number,
  end: number,
): number {
  while (buf[at] !== OPEN) at++;
  const tag = at + 1;
  let close = tag;
  while (close < end && buf[close] !== CLOSE) close++;
  const empty = close === end || close === tag;
  const crc = empty ? crc16(buf, off, end) : crc16(buf, tag, close);
  return crc & (HASH_SLOTS - 1);
}

function firstTable(): Uint16Array {
  const table = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 0x8000 ? (crc << 1) ^ POLYNOMIAL : crc << 1;
    }
    table[byte] = crc;
  }
  return table;
}

/** The table for bytes with one more zero byte after them. */
function shifted(table: Uint16Array): Uint16Array {
  return table.map((crc) => (crc << 8) ^ TABLE_0[crc >> 8]!);
}
