/**
 * The frame of a dumped value: what DUMP answers and RESTORE takes.
 *
 * ```text
 * [ kind : u8 ][ value ][ version of the format : u16 ][ CRC64 of all : u64 ]
 * ```
 * Both numbers have their low byte first. The version is the oldest that has the
 * value's kind, but no older than Redis 7.0's: so whatever is dumped here can be
 * restored by Redis 7.0 and all that came later, or, if fields of a hash expire,
 * by Redis 7.4. What is read may be of any version up to that.
 *
 * @module
 */

import { Crc64, CRC64_BYTES } from "../base/crc64.ts";
import { RDB_VERSION_7_4 } from "./rdb_types.ts";
import type { RdbWriter } from "./rdb_writer.ts";

const VERSION_BYTES = 2;
/** Bytes behind the value. */
export const FOOTER_BYTES: number = VERSION_BYTES + CRC64_BYTES;

/** Writes what comes behind a value. */
export function writeFooter(writer: RdbWriter, version: number): void {
  writer.byte(version & 0xff);
  writer.byte(version >>> 8);
  writer.checksum();
}

/** Whether bytes are of a version that can be read, and undamaged. */
export function hasGoodFooter(
  buf: Uint8Array,
  off: number,
  length: number,
): boolean {
  if (length < FOOTER_BYTES) return false;
  const at = off + length - FOOTER_BYTES;
  if ((buf[at]! | buf[at + 1]! << 8) > RDB_VERSION_7_4) return false;
  const crc = new Crc64();
  crc.update(buf, off, length - CRC64_BYTES);
  return crc.matches(buf, at + VERSION_BYTES);
}
