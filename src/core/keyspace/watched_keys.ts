/**
 * Watched keys: what WATCH knows of a shard's keys, so that EXEC can tell
 * whether one of them has changed.
 *
 * A watched key, whether it exists or not, has a node in a dictionary of its
 * shard; every change of the key raises the node's version. A session notes node
 * and version when it begins to watch, and compares when it executes: so there
 * is no false alarm, and nothing is missed whoever makes the change. While a
 * shard has no watched keys, a change costs one test of its hook word.
 *
 * ```text
 * node   word 0  version        word 2  sessions that watch the key
 *        key     database (4 bytes, little endian), then the key's own bytes
 * ```
 *
 * Every method asks that the caller holds the shard's latch. Nodes never move.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import { type Arena, byteOf, SEGMENT_SHIFT, wordOf } from "../memory/arena.ts";
import { type Dict, DICT_COUNT } from "../memory/dict.ts";
import type { Heap } from "../memory/heap.ts";
import {
  KEY_LENGTH_MASK,
  NODE_HASH,
  NODE_HEADER_BYTES,
  NODE_KEY,
  NODE_META,
  NODE_VALUE,
} from "../memory/node.ts";
import { Key } from "./key.ts";

const DATABASE_BYTES = 4;
const VERSION = NODE_META;
const WATCHERS = NODE_VALUE;
/** Spreads the same key of several databases: the golden ratio. */
const DATABASE_FACTOR = 0x9e3779b1;

/** The watched keys of one shard. */
export class WatchedKeys {
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #dict: Dict;
  readonly #control: Int32Array;
  readonly #header: number;
  /** The key of a node that is looked for. */
  #name = new Uint8Array(64);
  /** Nodes that a walk has met. */
  readonly #met: number[] = [];
  readonly #meet = (node: number): void => {
    this.#met.push(node);
  };

  /** `header` is the index of the dictionary's header in `control`. */
  constructor(
    arena: Arena,
    heap: Heap,
    dict: Dict,
    control: Int32Array,
    header: number,
  ) {
    this.#arena = arena;
    this.#heap = heap;
    this.#dict = dict;
    this.#control = control;
    this.#header = header;
  }

  /** Keys that are watched. */
  get count(): number {
    return this.#control[this.#header + DICT_COUNT]!;
  }

  /** Adds a watcher and returns the key's node; may throw OutOfMemory. */
  watch(db: number, key: Key): number {
    const found = this.#find(db, key.buf, key.off, key.length, key.hash);
    if (found !== 0) {
      this.#set(found, WATCHERS, this.#word(found, WATCHERS) + 1);
      return found;
    }
    const length = DATABASE_BYTES + key.length;
    const node = this.#heap.allocate((NODE_HEADER_BYTES + length + 7) >>> 3);
    const hash = hashIn(db, key.hash);
    this.#set(node, VERSION, 0);
    this.#set(node, NODE_KEY, length);
    this.#set(node, WATCHERS, 1);
    this.#set(node, NODE_HASH, hash);
    copyBytes(
      this.#name,
      0,
      this.#arena.u8[node >>> SEGMENT_SHIFT]!,
      byteOf(node) + NODE_HEADER_BYTES,
      length,
    );
    try {
      this.#dict.insert(this.#control, this.#header, node, hash);
    } catch (cause) {
      this.#heap.free(node);
      throw cause;
    }
    return node;
  }

  /** Drops a watcher. */
  unwatch(node: number): void {
    const watchers = this.#word(node, WATCHERS) - 1;
    this.#set(node, WATCHERS, watchers);
    if (watchers > 0) return;
    const hash = this.#word(node, NODE_HASH);
    this.#dict.remove(this.#control, this.#header, node, hash);
    this.#heap.free(node);
  }

  /** How often the key has changed; wraps around. */
  version(node: number): number {
    return this.#word(node, VERSION);
  }

  /** A key has changed. */
  touch(
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): void {
    const node = this.#find(db, buf, off, length, hash);
    if (node !== 0) this.#raise(node);
  }

  /**
   * Every key of a database that `exists` has changed; it is given each watched
   * key of the database.
   */
  touchAll(db: number, exists: (key: Key) => boolean): void {
    const key = new Key();
    for (const node of this.#all()) {
      if (this.#readKey(node, key) === db && exists(key)) this.#raise(node);
    }
  }

  /** Fills in the key of a node and returns its database. */
  #readKey(node: number, key: Key): number {
    const buf = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
    const off = byteOf(node) + NODE_HEADER_BYTES;
    const db = this.databaseOf(node);
    key.buf = buf;
    key.off = off + DATABASE_BYTES;
    key.length = (this.#word(node, NODE_KEY) & KEY_LENGTH_MASK) -
      DATABASE_BYTES;
    key.hash = hashIn(db, this.#word(node, NODE_HASH));
    return db;
  }

  /** Fills in the key of a node. */
  keyOf(node: number, key: Key): void {
    this.#readKey(node, key);
  }

  /** Database of a node's key. */
  databaseOf(node: number): number {
    const buf = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
    const off = byteOf(node) + NODE_HEADER_BYTES;
    return buf[off]! | buf[off + 1]! << 8 | buf[off + 2]! << 16 |
      buf[off + 3]! << 24;
  }

  #all(): readonly number[] {
    this.#met.length = 0;
    let cursor = 0;
    do {
      cursor = this.#dict.scan(this.#control, this.#header, cursor, this.#meet);
    } while (cursor !== 0);
    return this.#met;
  }

  #find(
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): number {
    const total = DATABASE_BYTES + length;
    if (total > this.#name.length) this.#name = new Uint8Array(total * 2);
    const name = this.#name;
    name[0] = db & 0xff;
    name[1] = db >>> 8 & 0xff;
    name[2] = db >>> 16 & 0xff;
    name[3] = db >>> 24;
    copyBytes(buf, off, name, DATABASE_BYTES, length);
    return this.#dict.find(
      this.#control,
      this.#header,
      name,
      0,
      total,
      hashIn(db, hash),
    );
  }

  #raise(node: number): void {
    this.#set(node, VERSION, (this.#word(node, VERSION) + 1) | 0);
  }

  #word(ref: number, index: number): number {
    return this.#arena.i32[ref >>> SEGMENT_SHIFT]![wordOf(ref) + index]!;
  }

  #set(ref: number, index: number, value: number): void {
    this.#arena.i32[ref >>> SEGMENT_SHIFT]![wordOf(ref) + index] = value;
  }
}

/** Hash of a key together with its database; twice gives the key's again. */
function hashIn(db: number, hash: number): number {
  return hash ^ Math.imul(db, DATABASE_FACTOR);
}
