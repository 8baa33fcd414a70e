/**
 * Ready keys: the keys that this worker has changed and that somebody waits for,
 * in the order of the changes.
 *
 * Noted while a command runs, and looked at when it has given its latches back.
 * The names are copied or kept, as a key may be gone by then.
 *
 * Of a database that is emptied, or exchanged with another, all keys have changed:
 * noted is that those are to be found which somebody waits for (waiters.ts).
 *
 * @module
 */

import { equalBytes, equalLong, LONG_RUN_BYTES } from "../base/bytes.ts";
import type { Heap } from "../memory/heap.ts";
import { KNOWN_KEYS, LONG_KEY_BYTES } from "../memory/known_keys.ts";
import type { Key } from "./key.ts";
import { NotedBytes } from "./noted_bytes.ts";

/** Up to here keys are compared with all others that wait to be looked at. */
const FEW_KEYS = 16;

/** Databases of a shard of which all keys are to be looked at. */
export interface ReadyDatabases {
  readonly shard: number;
  readonly databases: ReadonlySet<number>;
}

/** One per worker. */
export class ReadyKeys {
  /** Keys noted and not yet taken back. */
  #count = 0;
  /** Keys before this one have been looked at. */
  #from = 0;
  /** The keys by their hash, where they are many: the last one of each. */
  readonly #byHash = new Map<number, number>();
  /** For each key in that map the one before with its hash, or -1. */
  readonly #before: number[] = [];
  /** By shard: databases of which all keys are to be looked at. */
  readonly #whole = new Map<number, Set<number>>();
  readonly #shards: number[] = [];
  readonly #databases: number[] = [];
  readonly #places: number[] = [];
  readonly #lengths: number[] = [];
  readonly #hashes: number[] = [];
  readonly #names: NotedBytes;

  /** `heap` gives any heap of the arena, or null: see {@linkcode NotedBytes}. */
  constructor(heap: () => Heap | null = () => null) {
    this.#names = new NotedBytes(heap);
  }

  /** Keys and shards that were noted and are not yet done with. */
  get count(): number {
    return this.#count + this.#whole.size;
  }

  /** Notes a key, unless it already waits to be looked at. */
  note(
    shard: number,
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): void {
    if (this.#has(db, buf, off, length, hash)) return;
    this.#shards.push(shard);
    this.#databases.push(db);
    this.#places.push(this.#names.add(buf, off, length));
    this.#lengths.push(length);
    this.#hashes.push(hash);
    this.#count++;
  }

  /** Notes all keys of a database of a shard. */
  noteAll(shard: number, db: number): void {
    const databases = this.#whole.get(shard);
    if (databases === undefined) this.#whole.set(shard, new Set([db]));
    else databases.add(db);
  }

  /** Takes back what {@linkcode noteAll} has noted of a shard; null for none. */
  takeDatabases(): ReadyDatabases | null {
    for (const [shard, databases] of this.#whole) {
      this.#whole.delete(shard);
      return { shard, databases };
    }
    return null;
  }

  /** Whether there is a key to look at. */
  isLeft(): boolean {
    return this.#from < this.#count;
  }

  /** Fills in the key at hand and returns its database. */
  read(key: Key): number {
    const i = this.#from;
    const place = this.#places[i]!;
    key.buf = this.#names.buf(place);
    key.off = this.#names.off(place);
    key.length = this.#lengths[i]!;
    key.hash = this.#hashes[i]!;
    key.shard = this.#shards[i]!;
    return this.#databases[i]!;
  }

  /** Is done with the key at hand. */
  advance(): void {
    this.#from++;
    if (this.#from < this.#count) return;
    this.#from = this.#count = 0;
    this.#byHash.clear();
    this.#before.length = 0;
    this.#shards.length = this.#databases.length = this.#places.length = 0;
    this.#lengths.length = this.#hashes.length = 0;
    this.#names.clear();
  }

  #has(
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): boolean {
    if (this.#count - this.#from <= FEW_KEYS) {
      for (let i = this.#from; i < this.#count; i++) {
        if (this.#is(i, db, buf, off, length, hash)) return true;
      }
      return false;
    }
    for (let i = this.#before.length; i < this.#count; i++) {
      this.#before.push(this.#byHash.get(this.#hashes[i]!) ?? -1);
      this.#byHash.set(this.#hashes[i]!, i);
    }
    let at = this.#byHash.get(hash) ?? -1;
    for (; at >= this.#from; at = this.#before[at]!) {
      if (this.#is(at, db, buf, off, length, hash)) return true;
    }
    return false;
  }

  /** Whether the key that was noted as number `i` is this one. */
  #is(
    i: number,
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): boolean {
    if (
      this.#hashes[i] !== hash || this.#databases[i] !== db ||
      this.#lengths[i] !== length
    ) return false;
    const own = this.#names.buf(this.#places[i]!);
    const at = this.#names.off(this.#places[i]!);
    if (length < LONG_RUN_BYTES) {
      return equalBytes(own, at, length, buf, off, length);
    }
    if (length < LONG_KEY_BYTES) return equalLong(own, at, buf, off, length);
    const known = KNOWN_KEYS.find(own, at, length);
    return known !== undefined && known === KNOWN_KEYS.find(buf, off, length) ||
      equalLong(own, at, buf, off, length);
  }
}
