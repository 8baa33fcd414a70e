/**
 * Key locks of one shard: which keys are locked, by whom, and who waits for them.
 *
 * The whole table lies in shared memory and is read and changed under the shard's
 * latch, by whichever worker needs to: to look whether a key is locked takes no
 * message, and keys of several shards are locked at one instant under several
 * latches.
 *
 * ```text
 * dictionary of the shard          holders and waiters of a key
 *   node, see key_notes.ts,          holders  place -> place -> ...
 *   its qualifier the database       waiters  place <-> place <-> ... by ticket
 *     word 0  state: 0 free, n readers, -1 a writer
 *          2  first waiter
 *     then    last waiter, first holder, orphan
 *
 * place  word 0  previous    word 3  owner: of a holder, its handle;
 *             1  next                of a waiter, its ticket
 *             2  node             4  worker of the owner
 *                                 5  bits of PLACE_*
 * ```
 *
 * - A node exists only while its key is locked or waited for, and while a shard
 *   has none its flag word says so: then a command pays nothing.
 * - A filter of hashes lets most commands of a shard with locked keys pass
 *   without a look into the dictionary.
 * - Tickets are drawn from one counter of the process, so the order of those who
 *   wait for several keys is the same in all their queues, and nobody waits in a
 *   circle: a waiter only ever waits for holders, and for smaller tickets.
 * - Waiters are woken, not served: each looks at all of its keys again, under
 *   their latches, and waits on if it has to.
 *
 * An *orphan* is the entry of a key with readers that FLUSHALL has taken out of
 * its database; the last reader frees it.
 *
 * One node of a shard, of no database and without a name, stands for *the whole*
 * shard: it is locked by who must have all keys, and waited for by those who
 * have to wait until all or many locks are gone.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Heap } from "../memory/heap.ts";
import { NODE_META, NODE_VALUE } from "../memory/node.ts";
import { Key } from "./key.ts";
import type { KeyNotes } from "./key_notes.ts";
import {
  FLAG_KEY_LOCKS,
  FLAG_WHOLE_LOCK,
  LOCK_FILTER_WORDS,
  SHARD_FLAGS,
  SHARD_LOCK_FILTER,
  SHARD_LOCK_WAITS,
  SHARD_ORPHANS,
  SHARD_READ_LOCKS,
  SHARD_WRITE_LOCKS,
} from "./shard_control.ts";

/** Place: it is about changing the key, or hiding it. */
export const PLACE_WRITE = 1;
/** Place: of a command, which is over as soon as it can begin. */
export const PLACE_COMMAND = 2;
/** Place: of somebody who has locks, and therefore lets nobody pass. */
export const PLACE_NESTED = 4;
/** Place: has been told to look again. */
const PLACE_WOKEN = 8;
/** Place: of a holder who changes the value bit by bit. */
export const PLACE_IN_PLACE = 16;
/** Place: of a holder who changes the value in one turn, his last. */
export const PLACE_AT_END = 32;

/** Place: of a holder who wants to know when the first one waits. */
export const PLACE_IS_TOLD = 64;

const STATE = NODE_META;
const FIRST_WAITER = NODE_VALUE;
/** Words behind a node's name. */
const LAST_WAITER = 0;
const FIRST_HOLDER = 1;
const ORPHAN = 2;
const MORE_WORDS = 3;

const PREVIOUS = 0;
const NEXT = 1;
const NODE = 2;
const OWNER = 3;
const WORKER = 4;
const KIND = 5;
const PLACE_UNITS = 3;

/** Qualifier of the node that stands for the whole shard. */
const WHOLE = -1;

/** State of a key that is locked for writing. */
const WRITER = -1;

/** What the locks of a worker have in common. */
export interface LockSurroundings {
  /** Whether commands that read pass those who wait to write. */
  readersPass: boolean;
  /** Whether commands run in the name of one who has their keys locked. */
  isHolder: boolean;
  /**
   * Tells a worker that one who waits there has to look again, or that others
   * wait for one who has locks there. Latches are held.
   */
  wake(worker: number, ticket: number): void;
}

/** Called for a holder or waiter. */
export type PlaceVisitor = (
  owner: number,
  worker: number,
  kind: number,
) => void;

/** The key locks of one shard. */
export class KeyLocks {
  readonly #notes: KeyNotes;
  readonly #heap: Heap;
  readonly #control: Int32Array;
  readonly #surroundings: LockSurroundings;
  readonly #whole = new Key();

  /** The notes' qualifiers are databases. */
  constructor(
    notes: KeyNotes,
    heap: Heap,
    control: Int32Array,
    surroundings: LockSurroundings,
  ) {
    this.#notes = notes;
    this.#heap = heap;
    this.#control = control;
    this.#surroundings = surroundings;
  }

  /** Keys that are locked or waited for. */
  get count(): number {
    return this.#notes.count;
  }

  /** Read locks, each reader of a key counted. */
  get readLocks(): number {
    return this.#control[SHARD_READ_LOCKS]!;
  }

  /** Write locks. */
  get writeLocks(): number {
    return this.#control[SHARD_WRITE_LOCKS]!;
  }

  /** Places of those who wait. */
  get waits(): number {
    return this.#control[SHARD_LOCK_WAITS]!;
  }

  /** The node of a key, or 0 if it is neither locked nor waited for. */
  find(
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): number {
    return mayBeLocked(this.#control, hash)
      ? this.#notes.find(db, buf, off, length, hash)
      : 0;
  }

  /** The node of the whole shard, or 0. */
  findWhole(): number {
    if ((this.#control[SHARD_FLAGS]! & FLAG_WHOLE_LOCK) === 0) return 0;
    const { buf } = this.#whole;
    return this.#notes.find(WHOLE, buf, 0, 0, 0);
  }

  /** Whether a node's key is locked by anybody. */
  isHeld(node: number): boolean {
    return this.#word(node, STATE) !== 0;
  }

  /** Whether anybody waits for a node's key. */
  isWaitedFor(node: number): boolean {
    return this.#word(node, FIRST_WAITER) !== 0;
  }

  /** Whether a node's key is locked for writing. */
  isWriteHeld(node: number): boolean {
    return this.#word(node, STATE) === WRITER;
  }

  /** Whether a node's key is locked by one who changes its value bit by bit. */
  isChangedInPlace(node: number): boolean {
    return this.#isChanged(node, PLACE_IN_PLACE);
  }

  /** Whether it is locked by one who has not changed it, and will end with that. */
  isChangedAtEnd(node: number): boolean {
    return this.#isChanged(node, PLACE_AT_END);
  }

  #isChanged(node: number, how: number): boolean {
    if (this.#word(node, STATE) !== WRITER) return false;
    const holder = this.#more(node, FIRST_HOLDER);
    return (this.#word(holder, KIND) & how) !== 0;
  }

  /** Whether the entry of a node's key need not stay for anybody else. */
  mayDelete(node: number): boolean {
    const state = this.#word(node, STATE);
    return state === 0 || state === WRITER && this.#surroundings.isHolder;
  }

  /** Whether a node's key is one that only its holder may look at. */
  isHidden(node: number): boolean {
    return this.#word(node, STATE) === WRITER && !this.#surroundings.isHolder;
  }

  /** Readers of a node's key. */
  readers(node: number): number {
    return Math.max(0, this.#word(node, STATE));
  }

  /**
   * Whether one with this ticket, or without one (0), must wait for a node's key:
   * for its holders, or for those who came before and want what excludes it.
   */
  mustWait(node: number, kind: number, ticket: number): boolean {
    const state = this.#word(node, STATE);
    const isWrite = (kind & PLACE_WRITE) !== 0;
    if (isWrite ? state !== 0 : state === WRITER) return true;
    if ((kind & PLACE_NESTED) !== 0) return false;
    if (!isWrite && (kind & PLACE_COMMAND) !== 0 && this.#readersPass()) {
      return false;
    }
    let place = this.#word(node, FIRST_WAITER);
    for (; place !== 0; place = this.#word(place, NEXT)) {
      if (ticket !== 0 && !isBefore(this.#word(place, OWNER), ticket)) break;
      if (isWrite || (this.#word(place, KIND) & PLACE_WRITE) !== 0) return true;
    }
    return false;
  }

  /**
   * Locks a key, which nothing may stand against; returns the place. `how` says
   * how one who writes changes the value, if he knows ({@linkcode PLACE_IN_PLACE} or
   * {@linkcode PLACE_AT_END}), and whether he is told of those who wait
   * ({@linkcode PLACE_IS_TOLD}); `known` is the key's node or 0, if that has been
   * looked up. May throw OutOfMemory.
   */
  hold(
    db: number,
    key: Key,
    isWrite: boolean,
    owner: number,
    worker: number,
    how = 0,
    known = -1,
  ): number {
    const kind = isWrite ? PLACE_WRITE | how : how & PLACE_IS_TOLD;
    const place = this.#makePlace(db, key, owner, worker, kind, known);
    const node = this.#word(place, NODE);
    const state = this.#word(node, STATE);
    assert(isWrite ? state === 0 : state >= 0, "a lock is compatible");
    this.#set(node, STATE, isWrite ? WRITER : state + 1);
    const first = this.#more(node, FIRST_HOLDER);
    this.#set(place, NEXT, first);
    if (first !== 0) this.#set(first, PREVIOUS, place);
    this.#setMore(node, FIRST_HOLDER, place);
    this.#control[isWrite ? SHARD_WRITE_LOCKS : SHARD_READ_LOCKS]!++;
    return place;
  }

  /** Locks the whole shard, as {@linkcode KeyLocks.hold} does a key. */
  holdWhole(owner: number, worker: number): number {
    return this.hold(WHOLE, this.#whole, true, owner, worker);
  }

  /**
   * Releases what a place holds, and wakes who may go on now. The node stays
   * until {@linkcode KeyLocks.prune}.
   */
  release(place: number): void {
    const node = this.#word(place, NODE);
    const isWrite = (this.#word(place, KIND) & PLACE_WRITE) !== 0;
    const state = this.#word(node, STATE);
    this.#set(node, STATE, isWrite ? 0 : state - 1);
    const previous = this.#word(place, PREVIOUS);
    const next = this.#word(place, NEXT);
    if (previous === 0) this.#setMore(node, FIRST_HOLDER, next);
    else this.#set(previous, NEXT, next);
    if (next !== 0) this.#set(next, PREVIOUS, previous);
    this.#heap.free(place);
    this.#control[isWrite ? SHARD_WRITE_LOCKS : SHARD_READ_LOCKS]!--;
    // While others still read, nobody can go on who could not before.
    if (this.#word(node, STATE) === 0) this.#wake(node, true);
    this.#wakeWhole();
  }

  /** Makes a place's read lock one to write; false if others read, too. */
  tryUpgrade(place: number): boolean {
    const node = this.#word(place, NODE);
    if (this.#word(node, STATE) !== 1) return false;
    this.#set(node, STATE, WRITER);
    this.#set(place, KIND, this.#word(place, KIND) | PLACE_WRITE);
    this.#control[SHARD_READ_LOCKS]!--;
    this.#control[SHARD_WRITE_LOCKS]!++;
    return true;
  }

  /** Makes a place's write lock one to read. */
  downgrade(place: number): void {
    const node = this.#word(place, NODE);
    this.#set(node, STATE, 1);
    this.#set(place, KIND, this.#word(place, KIND) & ~PLACE_WRITE);
    this.#control[SHARD_WRITE_LOCKS]!--;
    this.#control[SHARD_READ_LOCKS]!++;
    this.#wake(node, true);
    this.#wakeWhole();
  }

  /**
   * Puts one who waits into the queue of a key, by its ticket; returns the place.
   * May throw OutOfMemory.
   */
  wait(
    db: number,
    key: Key,
    kind: number,
    ticket: number,
    worker: number,
  ): number {
    const place = this.#makePlace(db, key, ticket, worker, kind);
    const node = this.#word(place, NODE);
    let before = this.#more(node, LAST_WAITER);
    while (before !== 0 && isBefore(ticket, this.#word(before, OWNER))) {
      before = this.#word(before, PREVIOUS);
    }
    const next = before === 0
      ? this.#word(node, FIRST_WAITER)
      : this.#word(before, NEXT);
    this.#set(place, PREVIOUS, before);
    this.#set(place, NEXT, next);
    if (before === 0) this.#set(node, FIRST_WAITER, place);
    else this.#set(before, NEXT, place);
    if (next === 0) this.#setMore(node, LAST_WAITER, place);
    else this.#set(next, PREVIOUS, place);
    this.#control[SHARD_LOCK_WAITS]!++;
    this.#tellHolders(node);
    return place;
  }

  /** As {@linkcode KeyLocks.wait}, for the whole shard. */
  waitForWhole(kind: number, ticket: number, worker: number): number {
    const place = this.wait(WHOLE, this.#whole, kind, ticket, worker);
    for (const node of this.nodesOf(-1)) this.#tellHolders(node);
    return place;
  }

  /** Tells those who hold a node's key, once, if they want to know. */
  #tellHolders(node: number): void {
    let place = this.#more(node, FIRST_HOLDER);
    for (; place !== 0; place = this.#word(place, NEXT)) {
      const kind = this.#word(place, KIND);
      if ((kind & PLACE_IS_TOLD) === 0) continue;
      this.#set(place, KIND, kind & ~PLACE_IS_TOLD);
      this.#surroundings.wake(
        this.#word(place, WORKER),
        this.#word(place, OWNER),
      );
    }
  }

  /** Ends a wait, and wakes who may go on now. */
  endWait(place: number): void {
    const node = this.#word(place, NODE);
    const previous = this.#word(place, PREVIOUS);
    const next = this.#word(place, NEXT);
    if (previous === 0) this.#set(node, FIRST_WAITER, next);
    else this.#set(previous, NEXT, next);
    if (next === 0) this.#setMore(node, LAST_WAITER, previous);
    else this.#set(next, PREVIOUS, previous);
    this.#heap.free(place);
    this.#control[SHARD_LOCK_WAITS]!--;
    if (this.#notes.qualifier(node) === WHOLE) this.#wakeWhole();
    else this.#wake(node, false);
    this.prune(node);
  }

  /** One that was told to look again has done so, and waits on. */
  keepWaiting(place: number): void {
    this.#set(place, KIND, this.#word(place, KIND) & ~PLACE_WOKEN);
  }

  /** The node that a place belongs to. */
  nodeOf(place: number): number {
    return this.#word(place, NODE);
  }

  /** Forgets a node that is neither locked nor waited for. */
  prune(node: number): void {
    if (
      this.#word(node, FIRST_WAITER) !== 0 ||
      this.#more(node, FIRST_HOLDER) !== 0
    ) return;
    const control = this.#control;
    if (this.#notes.qualifier(node) === WHOLE) {
      control[SHARD_FLAGS]! &= ~FLAG_WHOLE_LOCK;
    }
    this.#notes.remove(node);
    if (this.#notes.count > 0) return;
    control[SHARD_FLAGS]! &= ~FLAG_KEY_LOCKS;
    control.fill(0, SHARD_LOCK_FILTER, SHARD_LOCK_FILTER + LOCK_FILTER_WORDS);
  }

  /** Fills in the key of a node; returns its database, -1 for the whole. */
  readKey(node: number, key: Key): number {
    this.#notes.readKey(node, key);
    return this.#notes.qualifier(node);
  }

  /** The entry that only the readers of a node's key still have, or 0. */
  orphan(node: number): number {
    return this.#more(node, ORPHAN);
  }

  /** Leaves an entry to the readers of a node's key, or takes it back (0). */
  setOrphan(node: number, ref: number): void {
    const change = Number(ref !== 0) - Number(this.orphan(node) !== 0);
    this.#control[SHARD_ORPHANS]! += change;
    this.#setMore(node, ORPHAN, ref);
  }

  /** How many orphans there are. */
  get orphans(): number {
    return this.#control[SHARD_ORPHANS]!;
  }

  /** Visits who has locked a node's key. */
  visitHolders(node: number, visitor: PlaceVisitor): void {
    this.#visitPlaces(this.#more(node, FIRST_HOLDER), visitor);
  }

  /** Visits who waits for a node's key, in their order. */
  visitWaiters(node: number, visitor: PlaceVisitor): void {
    this.#visitPlaces(this.#word(node, FIRST_WAITER), visitor);
  }

  /** Nodes of a database, each once; of all for -1. The whole is not among them. */
  nodesOf(db: number): number[] {
    const nodes = new Set<number>();
    if (this.#notes.count === 0) return [];
    this.#notes.visit((node) => {
      const own = this.#notes.qualifier(node);
      if (own !== WHOLE && (db < 0 || own === db)) nodes.add(node);
    });
    return [...nodes];
  }

  /**
   * Whether a key of a database, of any for -1, is locked: for writing, or, if
   * `forReaders`, at all. Ends with the first that is.
   */
  isAnyHeld(db: number, forReaders: boolean): boolean {
    let isFound = false;
    let cursor = 0;
    if (this.#notes.count === 0) return false;
    do {
      cursor = this.#notes.visitFrom(cursor, (node) => {
        const own = this.#notes.qualifier(node);
        if (own === WHOLE || db >= 0 && own !== db) return;
        isFound ||= forReaders ? this.isHeld(node) : this.isWriteHeld(node);
      });
    } while (cursor !== 0 && !isFound);
    return isFound;
  }

  #readersPass(): boolean {
    return this.#surroundings.readersPass;
  }

  #makePlace(
    db: number,
    key: Key,
    owner: number,
    worker: number,
    kind: number,
    known = -1,
  ): number {
    const place = this.#heap.allocate(PLACE_UNITS);
    let node = known >= 0
      ? known
      : this.#notes.find(db, key.buf, key.off, key.length, key.hash);
    if (node === 0) {
      try {
        node = this.#notes.add(db, key, MORE_WORDS);
      } catch (cause) {
        this.#heap.free(place);
        throw cause;
      }
      this.#announce(db, key.hash);
    }
    this.#set(place, PREVIOUS, 0);
    this.#set(place, NEXT, 0);
    this.#set(place, NODE, node);
    this.#set(place, OWNER, owner);
    this.#set(place, WORKER, worker);
    this.#set(place, KIND, kind);
    return place;
  }

  #announce(db: number, hash: number): void {
    const control = this.#control;
    control[SHARD_FLAGS]! |= db === WHOLE
      ? FLAG_KEY_LOCKS | FLAG_WHOLE_LOCK
      : FLAG_KEY_LOCKS;
    control[filterWord(hash)]! |= 1 << hash;
  }

  /**
   * Wakes those who need not wait any more. Who wants to write excludes all
   * behind, but for those who pass: these are looked for only when a holder has
   * gone (`isThorough`), as nothing else can have kept them.
   */
  #wake(node: number, isThorough: boolean): void {
    const state = this.#word(node, STATE);
    let hasWaiter = false;
    let hasWriter = false;
    let place = this.#word(node, FIRST_WAITER);
    for (; place !== 0; place = this.#word(place, NEXT)) {
      const kind = this.#word(place, KIND);
      const isWrite = (kind & PLACE_WRITE) !== 0;
      const passes = (kind & PLACE_NESTED) !== 0 ||
        !isWrite && (kind & PLACE_COMMAND) !== 0 && this.#readersPass();
      const isFree = isWrite ? state === 0 : state !== WRITER;
      if (isFree && (passes || (isWrite ? !hasWaiter : !hasWriter))) {
        this.#tell(place, kind);
      }
      hasWaiter = true;
      hasWriter ||= isWrite;
      if (hasWriter && !isThorough) return;
    }
  }

  /** Wakes who waits for the whole: what they wait for, only they know. */
  #wakeWhole(): void {
    const node = this.findWhole();
    if (node === 0) return;
    let place = this.#word(node, FIRST_WAITER);
    for (; place !== 0; place = this.#word(place, NEXT)) {
      this.#tell(place, this.#word(place, KIND));
    }
  }

  #tell(place: number, kind: number): void {
    if ((kind & PLACE_WOKEN) !== 0) return;
    this.#set(place, KIND, kind | PLACE_WOKEN);
    this.#surroundings.wake(
      this.#word(place, WORKER),
      this.#word(place, OWNER),
    );
  }

  #visitPlaces(first: number, visitor: PlaceVisitor): void {
    for (let at = first; at !== 0; at = this.#word(at, NEXT)) {
      visitor(
        this.#word(at, OWNER),
        this.#word(at, WORKER),
        this.#word(at, KIND),
      );
    }
  }

  #more(node: number, index: number): number {
    return this.#notes.word(node, this.#notes.moreAt(node) + index);
  }

  #setMore(node: number, index: number, value: number): void {
    this.#notes.setWord(node, this.#notes.moreAt(node) + index, value);
  }

  #word(ref: number, index: number): number {
    return this.#notes.word(ref, index);
  }

  #set(ref: number, index: number, value: number): void {
    this.#notes.setWord(ref, index, value);
  }
}

/** Whether a key of this hash may be locked in the shard with this block. */
export function mayBeLocked(control: Int32Array, hash: number): boolean {
  return (control[filterWord(hash)]! & 1 << hash) !== 0;
}

/** A shift counts modulo 32, so the low bits of the hash choose the bit. */
function filterWord(hash: number): number {
  return SHARD_LOCK_FILTER + ((hash >>> 5) & LOCK_FILTER_WORDS - 1);
}

/** Whether a ticket was drawn before another; they wrap around. */
export function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}
