/**
 * Tracked keys: which clients may have which key of a shard in a cache of their
 * own (CLIENT TRACKING), so that whoever changes the key can tell them.
 *
 * A read on behalf of such a client notes the client with the key, under the
 * latch of the read; whoever changes the key takes the note under his. So no
 * change can fall between a read and its note. A key that exists in several
 * databases has one note, as in Redis.
 *
 * A key has a node in a dictionary of its shard (key_notes.ts): word 0 counts its
 * clients, word 2 is 0 or refers to a table of them.
 *
 * ```text
 * behind the name   places in the table, or 0 | client, worker   (a first one)
 * table             see client_tables.ts
 * ```
 *
 * A client is the id of its session, which is never used again; the worker is
 * where its messages go. A client that is gone leaves its notes behind.
 *
 * To empty a database is to forget all notes at once: the dictionary is exchanged
 * with an empty one, and the shard's owner frees what was there (reclaim.ts).
 *
 * Every method asks that the caller holds the shard's latch.
 *
 * @module
 */

import type { Arena } from "../memory/arena.ts";
import {
  type Dict,
  DICT_BUCKETS,
  DICT_COUNT,
  DICT_HEADER_WORDS,
} from "../memory/dict.ts";
import type { Heap } from "../memory/heap.ts";
import { NODE_META, NODE_VALUE } from "../memory/node.ts";
import {
  type ClientTable,
  ClientTables,
  type ClientVisitor,
} from "./client_tables.ts";
import { Key } from "./key.ts";
import type { KeyNotes } from "./key_notes.ts";
import {
  HOOK_TRACKED,
  SHARD_FORGOTTEN,
  SHARD_HOOKS,
  SHARD_TRACKED,
  SHARD_TRACKED_ITEMS,
} from "./shard_control.ts";

const COUNT = NODE_META;
const TABLE = NODE_VALUE;
/** Words behind the name. */
const PLACES = 0;
const CLIENT = 1;
const WORKER = 2;
const MORE_WORDS = 3;

/** Keys are noted whatever their database. */
export const TRACKED_QUALIFIER = 0;
/** Up to here the clients of a key are few. */
const FEW_CLIENTS = 8;
/** Draws from the dictionary before its first node is taken. */
const DRAWS_MAX = 32;

/** The client had been noted before. */
export const KNOWN = 0;
/** The client was noted with a key that others have noted. */
export const NOTED = 1;
/** The client is the first one of the key. */
export const NOTED_FIRST = 2;

/** The tracked keys of one shard. */
export class TrackedKeys {
  readonly #notes: KeyNotes;
  readonly #dict: Dict;
  readonly #tables: ClientTables;
  readonly #control: Int32Array;
  readonly #key = new Key();
  /** The table at hand. */
  readonly #root: ClientTable = { table: 0, places: 0 };

  /** `notes` are those of the header {@linkcode SHARD_TRACKED}. */
  constructor(
    notes: KeyNotes,
    heap: Heap,
    dict: Dict,
    arena: Arena,
    control: Int32Array,
  ) {
    this.#notes = notes;
    this.#dict = dict;
    this.#tables = new ClientTables(heap, arena);
    this.#control = control;
  }

  /** Keys that are tracked. */
  get count(): number {
    return this.#notes.count;
  }

  /** Clients of all these keys. */
  get items(): number {
    return this.#control[SHARD_TRACKED_ITEMS]!;
  }

  /** The node of a key, or 0. */
  find(buf: Uint8Array, off: number, length: number, hash: number): number {
    return this.#notes.find(TRACKED_QUALIFIER, buf, off, length, hash);
  }

  /** Clients of a key. */
  clients(node: number): number {
    return this.#notes.word(node, COUNT);
  }

  /**
   * Notes that a client has read a key; says whether that is new. May throw
   * OutOfMemory, and has done nothing then.
   */
  note(key: Key, client: number, worker: number): number {
    const notes = this.#notes;
    const found = this.find(key.buf, key.off, key.length, key.hash);
    if (found === 0) {
      const node = notes.add(TRACKED_QUALIFIER, key, MORE_WORDS);
      this.#control[SHARD_HOOKS]! |= HOOK_TRACKED;
      const more = notes.moreAt(node);
      notes.setWord(node, more + CLIENT, client);
      notes.setWord(node, more + WORKER, worker);
      notes.setWord(node, COUNT, 1);
      this.#control[SHARD_TRACKED_ITEMS]!++;
      return NOTED_FIRST;
    }
    if (!this.#add(found, client, worker)) return KNOWN;
    notes.setWord(found, COUNT, notes.word(found, COUNT) + 1);
    this.#control[SHARD_TRACKED_ITEMS]!++;
    return NOTED;
  }

  /**
   * Forgets a key. If it has few clients they are visited; else returns their
   * table, which is the caller's from now on: see {@linkcode visitTaken}.
   */
  take(node: number, visit: ClientVisitor): ClientTable | null {
    const notes = this.#notes;
    const count = notes.word(node, COUNT);
    let taken: ClientTable | null = null;
    if (!this.#readTable(node)) {
      const more = notes.moreAt(node);
      visit(notes.word(node, more + CLIENT), notes.word(node, more + WORKER));
    } else if (count > FEW_CLIENTS) taken = { ...this.#root };
    else {
      this.#tables.visit(this.#root, visit);
      this.#tables.free(this.#root);
    }
    this.#control[SHARD_TRACKED_ITEMS]! -= count;
    notes.remove(node);
    if (this.count === 0) this.#control[SHARD_HOOKS]! &= ~HOOK_TRACKED;
    return taken;
  }

  /** Visits the clients in a taken table; the latch need not be held. */
  visitTaken(taken: ClientTable, visit: ClientVisitor): void {
    this.#tables.visit(taken, visit);
  }

  /** Frees a taken table. */
  freeTaken(taken: ClientTable): void {
    this.#tables.free(taken);
  }

  /** A node chosen by `random`, which gives 32 bits; 0 if there is none. */
  draw(random: () => number): number {
    if (this.count === 0) return 0;
    for (let i = 0; i < DRAWS_MAX; i++) {
      const node = this.#dict.draw(this.#control, SHARD_TRACKED, random());
      if (node !== 0) return node;
    }
    let first = 0;
    let cursor = 0;
    do {
      cursor = this.#dict.scan(
        this.#control,
        SHARD_TRACKED,
        cursor,
        (node) => first ||= node,
      );
    } while (first === 0 && cursor !== 0);
    return first;
  }

  /** The key of a node; good until the next one is asked for. */
  keyOf(node: number): Key {
    this.#notes.readKey(node, this.#key);
    return this.#key;
  }

  /** Whether {@linkcode forget} has room for what there is. */
  canForget(): boolean {
    return this.#control[SHARD_FORGOTTEN + DICT_BUCKETS] === 0 ||
      this.#control[SHARD_TRACKED + DICT_BUCKETS] === 0;
  }

  /** Forgets all keys, if {@linkcode canForget} says so; returns how many. */
  forget(): number {
    const control = this.#control;
    const { count } = this;
    if (count === 0 || !this.canForget()) return 0;
    for (let i = 0; i < DICT_HEADER_WORDS; i++) {
      const word = control[SHARD_TRACKED + i]!;
      control[SHARD_TRACKED + i] = control[SHARD_FORGOTTEN + i]!;
      control[SHARD_FORGOTTEN + i] = word;
    }
    control[SHARD_TRACKED_ITEMS] = 0;
    control[SHARD_HOOKS]! &= ~HOOK_TRACKED;
    return count;
  }

  /** Whether forgotten keys wait to be freed. */
  hasForgotten(): boolean {
    return this.#control[SHARD_FORGOTTEN + DICT_BUCKETS] !== 0;
  }

  /** Forgotten keys that wait to be freed. */
  forgotten(): number {
    return this.#control[SHARD_FORGOTTEN + DICT_COUNT]!;
  }

  /** Frees about `budget` forgotten keys; returns what is left of the budget. */
  freeForgotten(budget: number): number {
    let left = budget;
    const free = (node: number): void => {
      if (this.#readTable(node)) left -= this.#tables.free(this.#root);
      this.#notes.free(node);
      left--;
    };
    while (
      left > 0 && this.#dict.popBucket(this.#control, SHARD_FORGOTTEN, free)
    ) left--;
    return left;
  }

  /** Adds a client to those of a key; says whether it was not there. */
  #add(node: number, client: number, worker: number): boolean {
    const notes = this.#notes;
    const more = notes.moreAt(node);
    const root = this.#root;
    if (!this.#readTable(node)) {
      const first = notes.word(node, more + CLIENT);
      if (first === client) return false;
      this.#tables.create(root, first, notes.word(node, more + WORKER));
      this.#writeTable(node);
    }
    const { table } = root;
    const count = notes.word(node, COUNT);
    try {
      return this.#tables.add(root, count, client, worker);
    } finally {
      if (root.table !== table) this.#writeTable(node);
    }
  }

  /** Makes the table of a key's clients that at hand; false if there is none. */
  #readTable(node: number): boolean {
    const notes = this.#notes;
    const table = notes.word(node, TABLE);
    if (table === 0) return false;
    this.#root.table = table;
    this.#root.places = notes.word(node, notes.moreAt(node) + PLACES);
    return true;
  }

  #writeTable(node: number): void {
    const notes = this.#notes;
    notes.setWord(node, TABLE, this.#root.table);
    notes.setWord(node, notes.moreAt(node) + PLACES, this.#root.places);
  }
}
