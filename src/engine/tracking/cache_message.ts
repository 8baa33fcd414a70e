/**
 * Messages to clients with a cache of their own: which keys to drop.
 *
 * ```text
 * RESP3   push   invalidate, [key ...] or null
 * RESP2   array  message, __redis__:invalidate, [key ...] or null
 * ```
 * Null stands for all keys. RESP2 has no messages outside of pub/sub, so they go
 * to another connection that listens to channels.
 *
 * @module
 */

import { concat } from "@std/bytes";
import { latin1BytesOf } from "../../core/base/bytes.ts";

const PUSH_HEAD = latin1BytesOf("*2\r\n$10\r\ninvalidate\r\n");
const MESSAGE_HEAD = latin1BytesOf(
  "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n",
);
const NULL_PUSH = concat([PUSH_HEAD, latin1BytesOf("_\r\n")]);
const NULL_MESSAGE = concat([MESSAGE_HEAD, latin1BytesOf("$-1\r\n")]);
const LINE_END = latin1BytesOf("\r\n");

/** One message, encoded once for all who get it. */
export class CacheMessage {
  /** Null for all keys that there are. */
  readonly #keys: readonly Uint8Array[] | null;
  #push: Uint8Array | null = null;
  #message: Uint8Array | null = null;

  /** The keys' bytes must stay as they are. */
  constructor(keys: readonly Uint8Array[] | null) {
    this.#keys = keys;
  }

  /** For RESP3; its first byte is that of an array, see push_message.ts. */
  get push(): Uint8Array {
    return this.#push ??= this.#encode(PUSH_HEAD, NULL_PUSH);
  }

  /** For a listener to channels, in RESP2. */
  get message(): Uint8Array {
    return this.#message ??= this.#encode(MESSAGE_HEAD, NULL_MESSAGE);
  }

  #encode(head: Uint8Array, ofAll: Uint8Array): Uint8Array {
    const keys = this.#keys;
    if (keys === null) return ofAll;
    const parts = [head, latin1BytesOf(`*${keys.length}\r\n`)];
    for (const key of keys) {
      parts.push(latin1BytesOf(`$${key.length}\r\n`), key, LINE_END);
    }
    return concat(parts);
  }
}

/** The session that got a client's messages is gone. */
export function redirectionBroken(redirect: number): Uint8Array {
  return latin1BytesOf(
    `*2\r\n$21\r\ntracking-redir-broken\r\n:${redirect}\r\n`,
  );
}
