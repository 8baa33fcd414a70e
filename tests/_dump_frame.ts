/**
 * The frame around a dumped value, for tests that change what is in it.
 *
 * @module
 */
import { Crc64 } from "../src/core/base/crc64.ts";

/** Bytes behind the value. */
export const FOOTER_BYTES = 10;

/** Kind and value without the frame. */
export function unframed(dumped: Uint8Array): Uint8Array {
  return dumped.slice(0, dumped.length - FOOTER_BYTES);
}

/** Kind and value with version and checksum. */
export function framed(value: Uint8Array, version = 10): Uint8Array {
  const all = new Uint8Array(value.length + FOOTER_BYTES);
  all.set(value);
  all[value.length] = version;
  const crc = new Crc64();
  crc.update(all, 0, value.length + 2);
  crc.write(all, value.length + 2);
  return all;
}
