/**
 * Keys on their way between files and servers: each with its value as DUMP and
 * RESTORE have it.
 *
 * @module
 */

import { bytesOf } from "../../../core/base/bytes.ts";
import { Crc64, CRC64_BYTES } from "../../../core/base/crc64.ts";
import { FOOTER_BYTES } from "../../../core/rdb/dump_frame.ts";

/** A key. */
export interface DumpedKey {
  readonly db: number;
  readonly key: Uint8Array;
  /** Kind, value, version and checksum. */
  readonly payload: Uint8Array;
  /** When it expires, milliseconds of the epoch; 0 for never. */
  readonly expireAtMs: number;
  /** Seconds for which it was not used, or -1. */
  readonly idleSeconds: number;
  /** How often it was used, or -1. */
  readonly frequency: number;
}

/** Puts kind, version and checksum around the bytes of a value. */
export function framePayload(
  kind: number,
  value: Uint8Array,
  version: number,
): Uint8Array {
  const payload = new Uint8Array(1 + value.length + FOOTER_BYTES);
  payload[0] = kind;
  payload.set(value, 1);
  const at = 1 + value.length;
  payload[at] = version & 0xff;
  payload[at + 1] = version >>> 8;
  const crc = new Crc64();
  crc.update(payload, 0, payload.length - CRC64_BYTES);
  crc.write(payload, payload.length - CRC64_BYTES);
  return payload;
}

/** Kind and value of a payload, without version and checksum. */
export function recordOf(payload: Uint8Array): Uint8Array {
  return payload.subarray(0, payload.length - FOOTER_BYTES);
}

/** The version in a payload. */
export function versionOf(payload: Uint8Array): number {
  const at = payload.length - FOOTER_BYTES;
  return payload[at]! | payload[at + 1]! << 8;
}

const RESTORE = bytesOf("RESTORE");
const REPLACE = bytesOf("REPLACE");
const ABSTTL = bytesOf("ABSTTL");
const IDLETIME = bytesOf("IDLETIME");
const FREQ = bytesOf("FREQ");

/** The command that makes a key again. */
export function restoreCommand(dumped: DumpedKey): Uint8Array[] {
  const { key, payload, expireAtMs, idleSeconds, frequency } = dumped;
  const argv = [RESTORE, key, bytesOf(String(expireAtMs)), payload, REPLACE];
  if (expireAtMs !== 0) argv.push(ABSTTL);
  if (idleSeconds >= 0) argv.push(IDLETIME, bytesOf(String(idleSeconds)));
  else if (frequency >= 0) argv.push(FREQ, bytesOf(String(frequency)));
  return argv;
}

/** The command that chooses a database. */
export function selectCommand(db: number): Uint8Array[] {
  return [bytesOf("SELECT"), bytesOf(String(db))];
}

/** A command as it is sent. */
export function encodeCommand(argv: readonly Uint8Array[]): Uint8Array {
  const heads = argv.map((word) => bytesOf(`$${word.length}\r\n`));
  const first = bytesOf(`*${argv.length}\r\n`);
  let total = first.length;
  argv.forEach((word, i) => total += heads[i]!.length + word.length + 2);
  const bytes = new Uint8Array(total);
  bytes.set(first);
  let at = first.length;
  argv.forEach((word, i) => {
    bytes.set(heads[i]!, at);
    at += heads[i]!.length;
    bytes.set(word, at);
    at += word.length;
    bytes[at++] = 13;
    bytes[at++] = 10;
  });
  return bytes;
}
