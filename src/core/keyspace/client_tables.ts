/**
 * Tables of clients, with the workers where their messages go: who has a tracked
 * key (tracked_keys.ts), whether two or a hundred thousand.
 *
 * ```text
 * table       [ client, worker ] ...     open addressing; client 0: free
 * directory   [ its first table, places of that ]
 *             [ table or 0, places, clients ] ...   by eight bits of the hash
 * ```
 *
 * A table doubles its places when it is nearly full. That of many clients stays as
 * it is, gets a directory instead, and others go to the tables of that: so no
 * addition moves more than some hundred clients.
 *
 * A client is a number other than 0. Every method that changes something asks that
 * the caller holds the shard's latch.
 *
 * @module
 */

import { type Arena, SEGMENT_SHIFT, wordOf } from "../memory/arena.ts";
import type { Heap } from "../memory/heap.ts";

/** Places of a first table: a power of two. */
const FIRST_PLACES = 4;
/** Places with which a table gets a directory instead of more. */
const PLACES_MAX = 1024;
/** What stands for the places of a directory. */
const DIRECTORY = -1;
const PART_BITS = 8;
const PARTS = 1 << PART_BITS;
/** Words of a directory: two, and for each of its tables three. */
const FIRST_TABLE = 0;
const FIRST_TABLE_PLACES = 1;
const PARTS_AT = 2;
const PART_WORDS = 3;
const PART_PLACES = 1;
const PART_CLIENTS = 2;
/** Spreads the clients' ids over a table: the golden ratio. */
const CLIENT_FACTOR = 0x9e3779b1;

/** Called with each client, and where its messages go. */
export type ClientVisitor = (client: number, worker: number) => void;

/** A table, or a directory of some. */
export interface ClientTable {
  table: number;
  places: number;
}

/** The tables of one shard. */
export class ClientTables {
  readonly #heap: Heap;
  readonly #arena: Arena;

  /** They lie in the heap. */
  constructor(heap: Heap, arena: Arena) {
    this.#heap = heap;
    this.#arena = arena;
  }

  /** Makes `root` a table with one client. May throw OutOfMemory. */
  create(root: ClientTable, client: number, worker: number): void {
    root.table = this.#allocate(FIRST_PLACES);
    root.places = FIRST_PLACES;
    this.#put(root.table, FIRST_PLACES, client, worker);
  }

  /**
   * Adds a client to a table that has so many, and may put another in its place;
   * says whether it was not there. May throw OutOfMemory, and has not added it
   * then.
   */
  add(
    root: ClientTable,
    count: number,
    client: number,
    worker: number,
  ): boolean {
    if (root.places === DIRECTORY) {
      return this.#addToPart(root.table, client, worker);
    }
    if (this.#has(root.table, root.places, client)) return false;
    if (isFull(count, root.places)) {
      if (root.places === PLACES_MAX) {
        const first = root.table;
        root.table = this.#allocate(PARTS_AT + PARTS * PART_WORDS >> 1);
        root.places = DIRECTORY;
        this.#set(root.table, FIRST_TABLE, first);
        this.#set(root.table, FIRST_TABLE_PLACES, PLACES_MAX);
        return this.#addToPart(root.table, client, worker);
      }
      const { table, places } = root;
      root.table = this.#enlarged(table, places);
      root.places = places * 2;
    }
    this.#put(root.table, root.places, client, worker);
    return true;
  }

  /** Visits all clients; nobody may change the table meanwhile. */
  visit({ table, places }: ClientTable, visit: ClientVisitor): void {
    if (places !== DIRECTORY) return this.#visitOne(table, places, visit);
    this.#visitOne(
      this.#word(table, FIRST_TABLE),
      this.#word(table, FIRST_TABLE_PLACES),
      visit,
    );
    for (let part = 0; part < PARTS; part++) {
      const at = PARTS_AT + part * PART_WORDS;
      const places = this.#word(table, at + PART_PLACES);
      if (places > 0) this.#visitOne(this.#word(table, at), places, visit);
    }
  }

  /** Frees a table; returns how many allocations that were. */
  free({ table, places }: ClientTable): number {
    let freed = 1;
    if (places === DIRECTORY) {
      this.#heap.free(this.#word(table, FIRST_TABLE));
      freed++;
      for (let part = 0; part < PARTS; part++) {
        const ref = this.#word(table, PARTS_AT + part * PART_WORDS);
        if (ref === 0) continue;
        this.#heap.free(ref);
        freed++;
      }
    }
    this.#heap.free(table);
    return freed;
  }

  #addToPart(directory: number, client: number, worker: number): boolean {
    const first = this.#word(directory, FIRST_TABLE);
    const firstPlaces = this.#word(directory, FIRST_TABLE_PLACES);
    if (this.#has(first, firstPlaces, client)) return false;
    const part = hashOf(client) >>> 32 - PART_BITS;
    const at = PARTS_AT + part * PART_WORDS;
    let table = this.#word(directory, at);
    let places = this.#word(directory, at + PART_PLACES);
    const count = this.#word(directory, at + PART_CLIENTS);
    if (table !== 0 && this.#has(table, places, client)) return false;
    if (table === 0 || isFull(count, places)) {
      table = table === 0
        ? this.#allocate(FIRST_PLACES)
        : this.#enlarged(table, places);
      places = places === 0 ? FIRST_PLACES : places * 2;
      this.#set(directory, at, table);
      this.#set(directory, at + PART_PLACES, places);
    }
    this.#put(table, places, client, worker);
    this.#set(directory, at + PART_CLIENTS, count + 1);
    return true;
  }

  /** A table with twice as many places, for one that is freed. */
  #enlarged(table: number, places: number): number {
    const made = this.#allocate(places * 2);
    this.#visitOne(table, places, (client, worker) => {
      this.#put(made, places * 2, client, worker);
    });
    this.#heap.free(table);
    return made;
  }

  #visitOne(table: number, places: number, visit: ClientVisitor): void {
    const words = this.#arena.i32[table >>> SEGMENT_SHIFT]!;
    const at = wordOf(table);
    for (let i = 0; i < places; i++) {
      const client = words[at + 2 * i]!;
      if (client !== 0) visit(client, words[at + 2 * i + 1]!);
    }
  }

  #has(table: number, places: number, client: number): boolean {
    return this.#word(table, this.#placeOf(table, places, client)) === client;
  }

  #put(table: number, places: number, client: number, worker: number): void {
    const at = this.#placeOf(table, places, client);
    this.#set(table, at, client);
    this.#set(table, at + 1, worker);
  }

  /** Word of a client's place in a table: its own, or the one it would get. */
  #placeOf(table: number, places: number, client: number): number {
    // The bits behind those that choose the table of a directory.
    let place = hashOf(client) << PART_BITS >>> Math.clz32(places - 1);
    for (;;) {
      const found = this.#word(table, 2 * place);
      if (found === client || found === 0) return 2 * place;
      place = place + 1 & places - 1;
    }
  }

  /** So many units, all 0. */
  #allocate(units: number): number {
    const made = this.#heap.allocate(units);
    const at = wordOf(made);
    this.#arena.i32[made >>> SEGMENT_SHIFT]!.fill(0, at, at + 2 * units);
    return made;
  }

  #word(ref: number, index: number): number {
    return this.#arena.i32[ref >>> SEGMENT_SHIFT]![wordOf(ref) + index]!;
  }

  #set(ref: number, index: number, value: number): void {
    this.#arena.i32[ref >>> SEGMENT_SHIFT]![wordOf(ref) + index] = value;
  }
}

function hashOf(client: number): number {
  return Math.imul(client, CLIENT_FACTOR);
}

/** Whether one client more would leave less than a quarter of the places free. */
function isFull(count: number, places: number): boolean {
  return (count + 1) * 4 > places * 3;
}
