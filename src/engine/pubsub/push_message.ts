/**
 * Messages to subscribers, as bytes that all of them share: RESP2 and RESP3
 * differ in the first byte only.
 *
 * @module
 */

import { copyBytes } from "../../core/base/bytes.ts";
import { decimalLength, writeInteger } from "../../core/base/integer.ts";

/** Bytes of a log that is kept between turns. */
const KEPT_BYTES = 256 * 1024;
const FIRST_BYTES = 4096;

const CR = 13;
const LF = 10;
const ARRAY = 42;
const BULK = 36;

const encoder = new TextEncoder();

/** First byte of a push in RESP3. */
export const PUSH_BYTE = 0x3e;

/** The words that messages begin with. */
export const MESSAGE: Uint8Array = encoder.encode("message");
/** Of a message that a pattern matched. */
export const PATTERN_MESSAGE: Uint8Array = encoder.encode("pmessage");
/** Of a message to a shard channel. */
export const SHARD_MESSAGE: Uint8Array = encoder.encode("smessage");

/**
 * The messages of one turn in one protocol, one after the other: subscribers
 * that get the same ones are sent the same bytes.
 */
export class PushLog {
  /** The bytes. */
  buf: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BYTES);
  /** Where the next message goes. */
  at = 0;
  /** What messages begin with, or 0 to leave them as they are. */
  readonly #firstByte: number;

  /** A log of messages in RESP2 or RESP3. */
  constructor(resp: 2 | 3) {
    this.#firstByte = resp === 3 ? PUSH_BYTE : 0;
  }

  /** Adds a message; returns where it begins. */
  add(bytes: Uint8Array): number {
    const from = this.at;
    const end = from + bytes.length;
    if (end > this.buf.length) {
      const grown = new Uint8Array(Math.max(end, this.buf.length * 2));
      grown.set(this.buf.subarray(0, from));
      this.buf = grown;
    }
    copyBytes(bytes, 0, this.buf, from, bytes.length);
    if (this.#firstByte !== 0) this.buf[from] = this.#firstByte;
    this.at = end;
    return from;
  }

  /** Forgets the messages; nobody is to be sent any. */
  clear(): void {
    this.at = 0;
    if (this.buf.length > KEPT_BYTES) this.buf = new Uint8Array(FIRST_BYTES);
  }
}

/** A message on its way to the subscribers of a worker. */
export class PushMessage {
  /** As RESP2 has it. */
  readonly bytes: Uint8Array;
  #places: [number, number] = [-1, -1];

  /** An array of these bulk strings. */
  constructor(parts: readonly Uint8Array[]) {
    this.bytes = encodeMessage(parts);
  }

  /** Where it begins in the log of that protocol, in this turn. */
  placeIn(log: PushLog, resp: 2 | 3): number {
    let place = this.#places[resp - 2]!;
    if (place < 0) place = this.#places[resp - 2] = log.add(this.bytes);
    return place;
  }
}

/** An array of bulk strings. */
function encodeMessage(parts: readonly Uint8Array[]): Uint8Array {
  let length = headLength(parts.length);
  for (const part of parts) length += headLength(part.length) + part.length + 2;
  const bytes = new Uint8Array(length);
  let at = writeHead(bytes, 0, ARRAY, parts.length);
  for (const part of parts) {
    at = writeHead(bytes, at, BULK, part.length);
    copyBytes(part, 0, bytes, at, part.length);
    at += part.length;
    bytes[at] = CR;
    bytes[at + 1] = LF;
    at += 2;
  }
  return bytes;
}

function headLength(count: number): number {
  return decimalLength(count) + 3;
}

function writeHead(
  to: Uint8Array,
  at: number,
  kind: number,
  count: number,
): number {
  to[at] = kind;
  const end = writeInteger(count, to, at + 1);
  to[end] = CR;
  to[end + 1] = LF;
  return end + 2;
}
