/**
 * Ready keys: the keys that this worker has changed and that somebody waits for,
 * in the order of the changes.
 *
 * Noted while a command runs, and looked at when it has given its latches back.
 * The bytes are copied, as a key may be gone by then.
 *
 * @module
 */

import { copyBytes, equalBytes } from "../base/bytes.ts";
import type { Key } from "./key.ts";

/** Buffers that grew beyond this are not kept. */
const KEPT_BYTES = 1 << 16;

/** One per worker. */
export class ReadyKeys {
  /** Keys noted and not yet taken back. */
  count = 0;
  /** Keys before this one have been looked at. */
  #from = 0;
  readonly #shards: number[] = [];
  readonly #databases: number[] = [];
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];
  readonly #hashes: number[] = [];
  #bytes = new Uint8Array(256);
  #end = 0;

  /** Notes a key, unless it already waits to be looked at. */
  note(
    shard: number,
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): void {
    for (let i = this.#from; i < this.count; i++) {
      if (
        this.#hashes[i] === hash && this.#databases[i] === db &&
        equalBytes(
          this.#bytes,
          this.#offsets[i]!,
          this.#lengths[i]!,
          buf,
          off,
          length,
        )
      ) return;
    }
    const end = this.#end + length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(end * 2);
      grown.set(this.#bytes.subarray(0, this.#end));
      this.#bytes = grown;
    }
    copyBytes(buf, off, this.#bytes, this.#end, length);
    this.#shards.push(shard);
    this.#databases.push(db);
    this.#offsets.push(this.#end);
    this.#lengths.push(length);
    this.#hashes.push(hash);
    this.#end = end;
    this.count++;
  }

  /** Whether there is a key to look at. */
  isLeft(): boolean {
    return this.#from < this.count;
  }

  /** Fills in the key at hand and returns its database. */
  read(key: Key): number {
    const i = this.#from;
    key.buf = this.#bytes;
    key.off = this.#offsets[i]!;
    key.length = this.#lengths[i]!;
    key.hash = this.#hashes[i]!;
    key.shard = this.#shards[i]!;
    return this.#databases[i]!;
  }

  /** Is done with the key at hand. */
  advance(): void {
    this.#from++;
    if (this.#from < this.count) return;
    this.#from = this.count = this.#end = 0;
    this.#shards.length = this.#databases.length = this.#offsets.length = 0;
    this.#lengths.length = this.#hashes.length = 0;
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = new Uint8Array(256);
  }
}
