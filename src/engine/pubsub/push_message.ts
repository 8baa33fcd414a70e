/**
 * Messages to subscribers, as bytes that all of them share: RESP2 and RESP3
 * differ in the first byte only.
 *
 * @module
 */

import { copyBytes } from "../../core/base/bytes.ts";
import { writeInteger } from "../../core/base/integer.ts";

/** Bytes of a log that is kept between turns. */
const KEPT_BYTES = 256 * 1024;
const FIRST_BYTES = 4096;
/** The longest head of an array or a string. */
const HEAD_BYTES_MAX = 16;

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

  /** Forgets the messages; nobody is to be sent any. */
  clear(): void {
    this.at = 0;
    if (this.buf.length > KEPT_BYTES) this.buf = new Uint8Array(FIRST_BYTES);
  }

  /** Begins an array of bulk strings. */
  head(kind: number, count: number): void {
    this.#room(HEAD_BYTES_MAX);
    const { buf } = this;
    buf[this.at] = kind;
    const end = writeInteger(count, buf, this.at + 1);
    buf[end] = CR;
    buf[end + 1] = LF;
    this.at = end + 2;
  }

  /** A bulk string. */
  bulk(bytes: Uint8Array): void {
    const { length } = bytes;
    this.head(BULK, length);
    this.#room(length + 2);
    const { buf, at } = this;
    copyBytes(bytes, 0, buf, at, length);
    buf[at + length] = CR;
    buf[at + length + 1] = LF;
    this.at = at + length + 2;
  }

  #room(bytes: number): void {
    const end = this.at + bytes;
    if (end <= this.buf.length) return;
    const grown = new Uint8Array(Math.max(end, this.buf.length * 2));
    grown.set(this.buf.subarray(0, this.at));
    this.buf = grown;
  }
}

/**
 * A message on its way to the subscribers of a worker. There is one object per
 * worker, as each message reaches all of them before the next one comes.
 */
export class PushMessage {
  readonly #logs: readonly PushLog[];
  #word = MESSAGE;
  #pattern: Uint8Array | null = null;
  #channel = MESSAGE;
  #body = MESSAGE;
  #place2 = -1;
  #place3 = -1;

  /** `logs` are those of the worker's turn in RESP2 and in RESP3. */
  constructor(logs: readonly PushLog[]) {
    this.#logs = logs;
  }

  /** Makes it another message; the bytes are not kept. */
  become(
    word: Uint8Array,
    pattern: Uint8Array | null,
    channel: Uint8Array,
    body: Uint8Array,
  ): void {
    this.#word = word;
    this.#pattern = pattern;
    this.#channel = channel;
    this.#body = body;
    this.#place2 = this.#place3 = -1;
  }

  /** Where it begins in the log of a protocol; it ends there, or is the last. */
  placeIn(resp: 2 | 3): number {
    if (resp === 3) {
      return this.#place3 < 0
        ? this.#place3 = this.#write(this.#logs[1]!, PUSH_BYTE)
        : this.#place3;
    }
    return this.#place2 < 0
      ? this.#place2 = this.#write(this.#logs[0]!, ARRAY)
      : this.#place2;
  }

  #write(log: PushLog, kind: number): number {
    const from = log.at;
    log.head(kind, this.#pattern === null ? 3 : 4);
    log.bulk(this.#word);
    if (this.#pattern !== null) log.bulk(this.#pattern);
    log.bulk(this.#channel);
    log.bulk(this.#body);
    return from;
  }
}
