/**
 * Waiters: the commands that wait for a shard's keys, in the order in which they
 * came.
 *
 * ```text
 * dictionary of the shard          queue of a key, first in first out
 *   node  key: database (4 bytes,    node word 0: last     node word 2: first
 *         little endian), then              |                     |
 *         the key's own bytes               v                     v
 *                                  registration <-> ... <-> registration
 *
 * registration   word 0  previous    word 4  record, see waiter_records.ts
 *                     1  next             5  the record's next registration
 *                     2  node             6  shard
 *                     3  place in time    7  unused
 * ```
 *
 * A command has one record and a registration per key. A key has a node only
 * while somebody waits for it, and a shard without waiters pays nothing. Places
 * in time are numbers that grow within a shard, and wrap around.
 *
 * Every method asks that the caller holds the shard's latch. Nothing moves.
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
import type { Key } from "./key.ts";
import type { ReadyKeys } from "./ready_keys.ts";
import { type WaiterRecords, WAITS_FOR_GROUP } from "./waiter_records.ts";

const LAST = NODE_META;
const FIRST = NODE_VALUE;

/** Flag of a node's key word: consumers of groups have been in the queue. */
const HAS_GROUPS = 1 << 29;

const PREVIOUS = 0;
const NEXT = 1;
const NODE = 2;
const PLACE = 3;
const RECORD = 4;
const SIBLING = 5;
const SHARD = 6;
const REGISTRATION_UNITS = 4;

const DATABASE_BYTES = 4;
/** Spreads the same key of several databases: the golden ratio. */
const DATABASE_FACTOR = 0x9e3779b1;

/** The waiters of one shard. */
export class Waiters {
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #dict: Dict;
  readonly #control: Int32Array;
  readonly #header: number;
  readonly #shard: number;
  /** The key of a node that is looked for. */
  #name = new Uint8Array(64);

  /**
   * `header` is the index of the dictionary's header in `control`; the word
   * before it counts the places in time.
   */
  constructor(
    arena: Arena,
    heap: Heap,
    dict: Dict,
    control: Int32Array,
    header: number,
    shard: number,
  ) {
    this.#arena = arena;
    this.#heap = heap;
    this.#dict = dict;
    this.#control = control;
    this.#header = header;
    this.#shard = shard;
  }

  /** Keys that are waited for. */
  get count(): number {
    return this.#control[this.#header + DICT_COUNT]!;
  }

  /** The node of a key, or 0 if nobody waits for it. */
  find(
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): number {
    const total = this.#readName(db, buf, off, length);
    return this.#dict.find(
      this.#control,
      this.#header,
      this.#name,
      0,
      total,
      hashIn(db, hash),
    );
  }

  /**
   * Puts a command behind those that wait for a key; once only. May throw
   * OutOfMemory.
   */
  add(db: number, key: Key, record: number, records: WaiterRecords): void {
    let node = this.find(db, key.buf, key.off, key.length, key.hash);
    if (node !== 0) {
      const last = this.#word(node, LAST);
      if (this.#word(last, RECORD) === record) return;
    }
    const made = this.#heap.allocate(REGISTRATION_UNITS);
    if (node === 0) {
      try {
        node = this.#makeNode(db, key);
      } catch (cause) {
        this.#heap.free(made);
        throw cause;
      }
    }
    const last = this.#word(node, LAST);
    this.#set(made, PREVIOUS, last);
    this.#set(made, NEXT, 0);
    this.#set(made, NODE, node);
    this.#set(made, PLACE, this.#control[this.#header - 1]!++);
    this.#set(made, RECORD, record);
    this.#set(made, SIBLING, records.registrations(record));
    this.#set(made, SHARD, this.#shard);
    records.setRegistrations(record, made);
    if (last === 0) this.#set(node, FIRST, made);
    else this.#set(last, NEXT, made);
    this.#set(node, LAST, made);
    if (records.kind(record) === WAITS_FOR_GROUP) {
      this.#set(node, NODE_KEY, this.#word(node, NODE_KEY) | HAS_GROUPS);
    }
  }

  /** Takes a registration of this shard out of its queue, and frees it. */
  remove(registration: number): void {
    const node = this.#word(registration, NODE);
    const previous = this.#word(registration, PREVIOUS);
    const next = this.#word(registration, NEXT);
    if (previous === 0) this.#set(node, FIRST, next);
    else this.#set(previous, NEXT, next);
    if (next === 0) this.#set(node, LAST, previous);
    else this.#set(next, PREVIOUS, previous);
    this.#heap.free(registration);
    if (this.#word(node, FIRST) !== 0) return;
    const hash = this.#word(node, NODE_HASH);
    this.#dict.remove(this.#control, this.#header, node, hash);
    this.#heap.free(node);
  }

  /** Whether consumers of groups may be in the queue of a node. */
  hasGroups(node: number): boolean {
    return (this.#word(node, NODE_KEY) & HAS_GROUPS) !== 0;
  }

  /** First registration in the queue of a node. */
  first(node: number): number {
    return this.#word(node, FIRST);
  }

  /** The one behind another, or 0. */
  next(registration: number): number {
    return this.#word(registration, NEXT);
  }

  /** When it was made, as a number that grows. */
  place(registration: number): number {
    return this.#word(registration, PLACE);
  }

  /** The command that waits. */
  record(registration: number): number {
    return this.#word(registration, RECORD);
  }

  /** The next registration of the same command, on any shard; 0 for none. */
  sibling(registration: number): number {
    return this.#word(registration, SIBLING);
  }

  /** The shard of a registration, which need not be this one. */
  shardOf(registration: number): number {
    return this.#word(registration, SHARD);
  }

  /** Notes all keys of a database that are waited for. */
  noteAll(db: number, ready: ReadyKeys): void {
    const visit = (node: number): void => {
      const buf = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
      const off = byteOf(node) + NODE_HEADER_BYTES;
      const found = buf[off]! | buf[off + 1]! << 8 | buf[off + 2]! << 16 |
        buf[off + 3]! << 24;
      if (found !== db) return;
      ready.note(
        this.#shard,
        db,
        buf,
        off + DATABASE_BYTES,
        (this.#word(node, NODE_KEY) & KEY_LENGTH_MASK) - DATABASE_BYTES,
        hashIn(db, this.#word(node, NODE_HASH)),
      );
    };
    let cursor = 0;
    do {
      cursor = this.#dict.scan(this.#control, this.#header, cursor, visit);
    } while (cursor !== 0);
  }

  #makeNode(db: number, key: Key): number {
    const length = this.#readName(db, key.buf, key.off, key.length);
    const node = this.#heap.allocate((NODE_HEADER_BYTES + length + 7) >>> 3);
    const hash = hashIn(db, key.hash);
    this.#set(node, FIRST, 0);
    this.#set(node, LAST, 0);
    this.#set(node, NODE_KEY, length);
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

  #readName(
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    const total = DATABASE_BYTES + length;
    if (total > this.#name.length) this.#name = new Uint8Array(total * 2);
    const name = this.#name;
    name[0] = db & 0xff;
    name[1] = db >>> 8 & 0xff;
    name[2] = db >>> 16 & 0xff;
    name[3] = db >>> 24;
    copyBytes(buf, off, name, DATABASE_BYTES, length);
    return total;
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
