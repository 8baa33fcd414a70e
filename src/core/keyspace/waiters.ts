/**
 * Waiters: the commands that wait for a shard's keys, in the order in which they
 * came.
 *
 * ```text
 * dictionary of the shard          queue of a key, first in first out
 *   node, see key_notes.ts,          node word 0: last     node word 2: first
 *   its qualifier the database              |                     |
 *                                           v                     v
 *                                  registration <-> ... <-> registration
 *
 * registration   word 0  previous    word 4  record, see waiter_records.ts
 *                     1  next             5  the record's next registration
 *                     2  node             6  shard
 *                     3  place in time    7  number of the key among the record's
 * ```
 *
 * A command has one record and a registration per key. A key has a node only
 * while somebody waits for it, and a shard without waiters pays nothing. Places
 * in time are numbers that grow within a shard, and wrap around.
 *
 * Who goes through a long queue gives the latch back in between: a *bookmark*, a
 * registration of no command, keeps the place, whoever comes and goes.
 *
 * Every method asks that the caller holds the shard's latch. Nothing moves.
 *
 * @module
 */

import { type Heap, OutOfMemory } from "../memory/heap.ts";
import { NODE_KEY, NODE_META, NODE_VALUE } from "../memory/node.ts";
import { Key } from "./key.ts";
import type { KeyNotes } from "./key_notes.ts";
import { HOOK_WAITERS, SHARD_HOOKS } from "./shard_control.ts";
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
const NUMBER = 7;
const REGISTRATION_UNITS = 4;

/** Called with a key that is waited for, and its node; the key is lent. */
export type WaitedVisitor = (db: number, key: Key, node: number) => void;

/** The waiters of one shard. */
export class Waiters {
  readonly #notes: KeyNotes;
  readonly #heap: Heap;
  readonly #control: Int32Array;
  readonly #places: number;
  readonly #shard: number;
  readonly #key = new Key();

  /** `places` is the index of the word in `control` that counts the places. */
  constructor(
    notes: KeyNotes,
    heap: Heap,
    control: Int32Array,
    places: number,
    shard: number,
  ) {
    this.#notes = notes;
    this.#heap = heap;
    this.#control = control;
    this.#places = places;
    this.#shard = shard;
  }

  /** Keys that are waited for. */
  get count(): number {
    return this.#notes.count;
  }

  /** The node of a key, or 0 if nobody waits for it. */
  find(
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): number {
    return this.#notes.find(db, buf, off, length, hash);
  }

  /**
   * Puts a command behind those that wait for a key, which is its key of that
   * number; once only. May throw OutOfMemory.
   */
  add(
    db: number,
    key: Key,
    record: number,
    records: WaiterRecords,
    number = 0,
  ): void {
    let node = this.find(db, key.buf, key.off, key.length, key.hash);
    if (node !== 0) {
      const last = this.#word(node, LAST);
      if (this.#word(last, RECORD) === record) return;
    }
    const made = this.#heap.allocate(REGISTRATION_UNITS);
    if (node === 0) {
      try {
        node = this.#notes.add(db, key);
      } catch (cause) {
        this.#heap.free(made);
        throw cause;
      }
    }
    const last = this.#word(node, LAST);
    this.#set(made, PREVIOUS, last);
    this.#set(made, NEXT, 0);
    this.#set(made, NODE, node);
    this.#set(made, PLACE, this.#control[this.#places]!++);
    this.#set(made, RECORD, record);
    this.#set(made, SIBLING, records.registrations(record));
    this.#set(made, SHARD, this.#shard);
    this.#set(made, NUMBER, number);
    records.setRegistrations(record, made);
    if (last === 0) this.#set(node, FIRST, made);
    else this.#set(last, NEXT, made);
    this.#set(node, LAST, made);
    if (records.kind(record) === WAITS_FOR_GROUP) {
      this.#set(node, NODE_KEY, this.#word(node, NODE_KEY) | HAS_GROUPS);
    }
    this.#control[SHARD_HOOKS]! |= HOOK_WAITERS;
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
    this.#notes.remove(node);
    if (this.count === 0) this.#control[SHARD_HOOKS]! &= ~HOOK_WAITERS;
  }

  /** Whether consumers of groups may be in the queue of a node. */
  hasGroups(node: number): boolean {
    return (this.#word(node, NODE_KEY) & HAS_GROUPS) !== 0;
  }

  /** First registration in the queue of a node. */
  first(node: number): number {
    return this.#word(node, FIRST);
  }

  /** Whether none is before it in its queue. */
  isFirst(registration: number): boolean {
    return this.#word(registration, PREVIOUS) === 0;
  }

  /** The one behind another, or 0. */
  next(registration: number): number {
    return this.#word(registration, NEXT);
  }

  /**
   * Puts a bookmark before a registration, or returns 0 if memory is short:
   * {@linkcode passBookmark} goes on there, or {@linkcode firstFrom} by place.
   */
  addBookmark(before: number): number {
    let made = 0;
    try {
      made = this.#heap.allocate(REGISTRATION_UNITS);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      return 0;
    }
    const node = this.#word(before, NODE);
    const previous = this.#word(before, PREVIOUS);
    this.#set(made, PREVIOUS, previous);
    this.#set(made, NEXT, before);
    this.#set(made, NODE, node);
    this.#set(made, PLACE, this.place(before));
    this.#set(made, RECORD, 0);
    if (previous === 0) this.#set(node, FIRST, made);
    else this.#set(previous, NEXT, made);
    this.#set(before, PREVIOUS, made);
    return made;
  }

  /** Takes a bookmark out and returns the registration behind it, or 0. */
  passBookmark(bookmark: number): number {
    const next = this.next(bookmark);
    this.remove(bookmark);
    return next;
  }

  /** The first one in the queue of a node that is not before a place, or 0. */
  firstFrom(node: number, place: number): number {
    let at = this.first(node);
    while (at !== 0 && ((this.place(at) - place) | 0) < 0) at = this.next(at);
    return at;
  }

  /** When it was made, as a number that grows. */
  place(registration: number): number {
    return this.#word(registration, PLACE);
  }

  /** Number of the key among those of its command. */
  number(registration: number): number {
    return this.#word(registration, NUMBER);
  }

  /** The command that waits; 0 for a bookmark. */
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

  /**
   * Visits the keys that are waited for at so many positions from one on, and
   * returns the next; see {@linkcode KeyNotes.visitFrom}.
   */
  visitFrom(from: number, positions: number, visit: WaitedVisitor): number {
    const key = this.#key;
    const visitNode = (node: number): void => {
      this.#notes.readKey(node, key);
      key.shard = this.#shard;
      visit(this.#notes.qualifier(node), key, node);
    };
    let cursor = from;
    for (let i = 0; i < positions; i++) {
      cursor = this.#notes.visitFrom(cursor, visitNode);
      if (cursor === 0) break;
    }
    return cursor;
  }

  #word(ref: number, index: number): number {
    return this.#notes.word(ref, index);
  }

  #set(ref: number, index: number, value: number): void {
    this.#notes.setWord(ref, index, value);
  }
}
