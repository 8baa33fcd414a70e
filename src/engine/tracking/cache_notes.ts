/**
 * Changes of keys that clients may have in their caches, from the instant at
 * which a change is made, under latches, to that at which it is told.
 *
 * ```text
 * words   [ length of the key, or -1 for all keys; its place; session that made the
 *           change; count of clients, client, worker, client, worker ... ] ...
 *         of many clients, in place of these: -1, shard, table, places
 * ```
 *
 * @module
 */

import type { ClientTable } from "../../core/keyspace/client_tables.ts";
import { NotedBytes } from "../../core/keyspace/noted_bytes.ts";
import type { Heap } from "../../core/memory/heap.ts";

/** An array that grew beyond this is not kept. */
const KEPT_WORDS = 16 * 1024;
/** Words of a note: before the clients, and of a table of them. */
const HEAD_WORDS = 4;
const TABLE_WORDS = 3;
/** Stands for the count of clients where they are in a table. */
const IN_TABLE = -1;

/** Gets the notes one after the other. */
export interface CacheNoteReader {
  /** A key of some clients. The arrays are lent for the call. */
  key(key: Uint8Array, writer: number, clients: readonly number[]): void;
  /** A key of many clients: their table, in a shard. */
  keyOfMany(
    key: Uint8Array,
    writer: number,
    shard: number,
    table: ClientTable,
  ): void;
  /** All keys of all clients. */
  all(): void;
}

/** One worker's notes. */
export class CacheNotes {
  /** How many there are. */
  count = 0;
  #words: number[] = [];
  #countAt = 0;
  readonly #keys: NotedBytes;

  /** `heap` gives any heap of the arena, or null: see {@linkcode NotedBytes}. */
  constructor(heap: () => Heap | null) {
    this.#keys = new NotedBytes(heap);
  }

  /** Begins the note of a key; {@linkcode addClient} completes it. */
  begin(buf: Uint8Array, off: number, length: number, writer: number): void {
    this.#words.push(length, this.#keys.add(buf, off, length), writer, 0);
    this.#countAt = this.#words.length - 1;
    this.count++;
  }

  /** Adds a client that has the key, and where its messages go. */
  readonly addClient = (client: number, worker: number): void => {
    this.#words.push(client, worker);
    this.#words[this.#countAt]!++;
  };

  /** Says that a table in a shard has the clients that have the key. */
  addTable(shard: number, { table, places }: ClientTable): void {
    this.#words[this.#countAt] = IN_TABLE;
    this.#words.push(shard, table, places);
  }

  /** Notes that all keys have changed. */
  addAll(): void {
    this.#words.push(-1, 0, 0, 0);
    this.count++;
  }

  /** Hands the notes out, in their order, and forgets them. */
  take(reader: CacheNoteReader): void {
    const words = this.#words;
    for (let at = 0; at < words.length;) {
      const length = words[at]!;
      const writer = words[at + 2]!;
      const count = words[at + 3]!;
      const first = at + HEAD_WORDS;
      const end = first + (count === IN_TABLE ? TABLE_WORDS : 2 * count);
      if (length < 0) reader.all();
      else {
        // Messages may be kept until they are sent, so they get their own.
        const key = this.#keys.copy(words[at + 1]!, length);
        if (count === IN_TABLE) {
          const [shard, table, places] = words.slice(first, end);
          const taken = { table: table!, places: places! };
          reader.keyOfMany(key, writer, shard!, taken);
        } else reader.key(key, writer, words.slice(first, end));
      }
      at = end;
    }
    this.count = 0;
    if (words.length > KEPT_WORDS) this.#words = [];
    else words.length = 0;
    this.#keys.clear();
  }
}
