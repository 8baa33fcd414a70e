/**
 * Messages to subscribers, as bytes that all of them share: RESP2 and RESP3
 * differ in the first byte only.
 *
 * @module
 */

import { latin1BytesOf } from "../../core/base/bytes.ts";

const encoder = new TextEncoder();
const LINE_END = encoder.encode("\r\n");

/** First byte of a push in RESP3. */
export const PUSH_BYTE = 0x3e;

/** The words that messages begin with. */
export const MESSAGE: Uint8Array = encoder.encode("message");
/** Of a message that a pattern matched. */
export const PATTERN_MESSAGE: Uint8Array = encoder.encode("pmessage");
/** Of a message to a shard channel. */
export const SHARD_MESSAGE: Uint8Array = encoder.encode("smessage");

/** An array of bulk strings. */
export function encodeMessage(parts: readonly Uint8Array[]): Uint8Array {
  const heads = parts.map((part) => latin1BytesOf(`$${part.length}\r\n`));
  const first = latin1BytesOf(`*${parts.length}\r\n`);
  let length = first.length;
  parts.forEach((part, i) => length += heads[i]!.length + part.length + 2);
  const bytes = new Uint8Array(length);
  bytes.set(first);
  let at = first.length;
  parts.forEach((part, i) => {
    bytes.set(heads[i]!, at);
    at += heads[i]!.length;
    bytes.set(part, at);
    at += part.length;
    bytes.set(LINE_END, at);
    at += 2;
  });
  return bytes;
}
