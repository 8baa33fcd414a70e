/**
 * Changes of keys that clients may have in their caches, from the instant at
 * which a change is made, under latches, to that at which it is told.
 *
 * ```text
 * words   [ length of the key, or -1 for all keys; session that made the change;
 *           count of clients, client, worker, client, worker ... ] ...
 * bytes   key, key, ...
 * ```
 *
 * @module
 */

import { copyBytes } from "../../core/base/bytes.ts";

/** Buffers that grew beyond this are not kept. */
const KEPT_BYTES = 64 * 1024;
const KEPT_WORDS = 16 * 1024;
const FIRST_BYTES = 1024;

/** Gets the notes one after the other. */
export interface CacheNoteReader {
  /** A key of some clients. The arrays are lent for the call. */
  key(key: Uint8Array, writer: number, clients: readonly number[]): void;
  /** All keys of all clients. */
  all(): void;
}

/** One worker's notes. */
export class CacheNotes {
  /** How many there are. */
  count = 0;
  #words: number[] = [];
  #countAt = 0;
  #bytes = new Uint8Array(FIRST_BYTES);
  #end = 0;

  /** Begins the note of a key; {@linkcode addClient} completes it. */
  begin(buf: Uint8Array, off: number, length: number, writer: number): void {
    const end = this.#end + length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(end * 2);
      grown.set(this.#bytes.subarray(0, this.#end));
      this.#bytes = grown;
    }
    copyBytes(buf, off, this.#bytes, this.#end, length);
    this.#end = end;
    this.#words.push(length, writer, 0);
    this.#countAt = this.#words.length - 1;
    this.count++;
  }

  /** Adds a client that has the key, and where its messages go. */
  readonly addClient = (client: number, worker: number): void => {
    this.#words.push(client, worker);
    this.#words[this.#countAt]!++;
  };

  /** Notes that all keys have changed. */
  addAll(): void {
    this.#words.push(-1, 0, 0);
    this.count++;
  }

  /** Hands the notes out, in their order, and forgets them. */
  take(reader: CacheNoteReader): void {
    const words = this.#words;
    let off = 0;
    for (let at = 0; at < words.length;) {
      const length = words[at]!;
      const writer = words[at + 1]!;
      const end = at + 3 + 2 * words[at + 2]!;
      if (length < 0) reader.all();
      else {
        // Messages may be kept until they are sent, so they get their own.
        const key = this.#bytes.slice(off, off += length);
        reader.key(key, writer, words.slice(at + 3, end));
      }
      at = end;
    }
    this.count = this.#end = 0;
    if (words.length > KEPT_WORDS) this.#words = [];
    else words.length = 0;
    if (this.#bytes.length > KEPT_BYTES) {
      this.#bytes = new Uint8Array(FIRST_BYTES);
    }
  }
}
