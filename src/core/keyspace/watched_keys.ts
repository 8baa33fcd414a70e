/**
 * Watched keys: what WATCH knows of a shard's keys, so that EXEC can tell
 * whether one of them has changed; so can code in the server that has not locked
 * its keys (engine/locks/watched_claims.ts).
 *
 * A watched key, whether it exists or not, has a node in a dictionary of its
 * shard (key_notes.ts): word 0 is its version, which every change of the key
 * raises, word 2 counts those who watch it. A session notes node and
 * version when it begins to watch, and compares when it executes: so there is no
 * false alarm, and nothing is missed whoever makes the change. While a shard has
 * no watched keys, a change costs one test of its hook word.
 *
 * The nodes that were raised last stand in a ring, for one who watches so many
 * that he does not want to compare all of them at one instant.
 *
 * A database that is emptied or exchanged changes for those who watch a key that
 * was there, or is now. However many they are, only its epoch is raised, and each
 * node is *settled* when it is looked at next:
 *
 * ```text
 * node   the epoch that it knows, and whether the key was there when its last watch
 *        began: since then it is so, or the version has changed
 * ```
 *
 * If the node's epoch is behind, the version is raised if the key was there, or if
 * it is there now. What an exchange has brought can be seen only until the next
 * exchange, or until the database is emptied: so all nodes are settled before these.
 *
 * Every method asks that the caller holds the shard's latch.
 *
 * @module
 */

import { NODE_META, NODE_VALUE } from "../memory/node.ts";
import { LONG_KEY_BYTES } from "../memory/known_keys.ts";
import { Key } from "./key.ts";
import type { KeyNotes } from "./key_notes.ts";
import type { Keyspace } from "./keyspace.ts";
import {
  databaseEpochsAt,
  databasesOf,
  HOOK_WATCH,
  SHARD_EXCHANGES,
  SHARD_HOOKS,
  SHARD_SETTLED,
  SHARD_TOUCHED,
  SHARD_TOUCHES,
  TOUCHED_NODES,
} from "./shard_control.ts";

const VERSION = NODE_META;
const WATCHERS = NODE_VALUE;
/** Bit of that word: the key was there when it was last watched. */
const WAS_THERE = 1;
/** What one who watches adds to that word. */
const WATCHER = 2;
/** Words behind the key: the epoch of its database that the node knows. */
const MORE_WORDS = 1;

/** The watched keys of one shard. */
export class WatchedKeys {
  readonly #notes: KeyNotes;
  readonly #control: Int32Array;
  readonly #epochs: number;
  readonly #space: Keyspace;
  readonly #key = new Key();

  /** The notes' qualifiers are databases. */
  constructor(notes: KeyNotes, space: Keyspace) {
    const { control } = space;
    this.#notes = notes;
    this.#control = control;
    this.#epochs = databaseEpochsAt(databasesOf(control));
    this.#space = space;
  }

  /** Keys that are watched. */
  get count(): number {
    return this.#notes.count;
  }

  /** Adds a watcher and returns the key's node; may throw OutOfMemory. */
  watch(db: number, key: Key): number {
    const notes = this.#notes;
    const ref = this.#space.peek(db, key);
    let node = notes.find(db, key.buf, key.off, key.length, key.hash);
    if (node === 0) {
      node = notes.add(db, this.#nameOf(ref, key), MORE_WORDS);
      this.#setEpoch(node, this.#epochOf(db));
    }
    notes.setWord(node, WATCHERS, notes.word(node, WATCHERS) + WATCHER);
    this.#control[SHARD_HOOKS]! |= HOOK_WATCH;
    this.#begin(node, ref !== 0);
    return node;
  }

  /** Begins a watch anew, with the version that the key has now. */
  renew(node: number): void {
    this.#begin(node, this.#isThere(node));
  }

  /** Drops a watcher. */
  unwatch(node: number): void {
    const watchers = this.#notes.word(node, WATCHERS) - WATCHER;
    if (watchers >= WATCHER) {
      return this.#notes.setWord(node, WATCHERS, watchers);
    }
    this.#notes.remove(node);
    if (this.count === 0) this.#control[SHARD_HOOKS]! &= ~HOOK_WATCH;
  }

  /** How often the key has changed; wraps around. */
  version(node: number): number {
    this.#settle(node);
    return this.#notes.word(node, VERSION);
  }

  /** How often watched keys have changed; wraps around. */
  get touches(): number {
    return this.#control[SHARD_TOUCHES]!;
  }

  /**
   * The node of the key with which this count was left behind, one of the last
   * {@linkcode TOUCHED_NODES}; if databases have changed, more keys than these
   * have.
   */
  touchedNode(touches: number): number {
    return this.#control[SHARD_TOUCHED + (touches & TOUCHED_NODES - 1)]!;
  }

  /** A key has changed. */
  touch(
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): void {
    const node = this.#notes.find(db, buf, off, length, hash);
    if (node !== 0) this.#raise(node);
  }

  /**
   * Every key of a database changes that is there, or will be when the latch is
   * given back. Takes long if not {@linkcode isSettled}.
   */
  touchAll(db: number): void {
    if (!this.isSettled) {
      this.settle(0, Infinity);
      this.setSettled(this.exchanges);
    }
    this.#control[this.#epochs + db]!++;
    // More than the ring can tell.
    this.#control[SHARD_TOUCHES]! += TOUCHED_NODES + 1;
  }

  /** Databases have been exchanged, each of which was touched before. */
  noteExchange(): void {
    this.#control[SHARD_EXCHANGES]!++;
  }

  /** Whether all that exchanges have brought is known. */
  get isSettled(): boolean {
    return this.exchanges === this.#control[SHARD_SETTLED];
  }

  /** How often databases have been exchanged; wraps around. */
  get exchanges(): number {
    return this.#control[SHARD_EXCHANGES]!;
  }

  /**
   * Settles the nodes of so many positions of their dictionary, from a cursor on,
   * and returns the next; the first and the end are 0. Who has come to the end says
   * so with {@linkcode setSettled}.
   */
  settle(cursor: number, positions: number): number {
    let at = cursor;
    for (let i = 0; i < positions; i++) {
      at = this.#notes.visitFrom(at, this.#settleNode);
      if (at === 0) break;
    }
    return at;
  }

  /** All nodes were settled, which began after so many exchanges. */
  setSettled(exchanges: number): void {
    const control = this.#control;
    const isNews = (exchanges - control[SHARD_SETTLED]! | 0) > 0;
    if (isNews) control[SHARD_SETTLED] = exchanges;
  }

  /** Fills in the key of a node. */
  keyOf(node: number, key: Key): void {
    this.#notes.readKey(node, key);
  }

  /** Database of a node's key. */
  databaseOf(node: number): number {
    return this.#notes.qualifier(node);
  }

  readonly #settleNode = (node: number): void => this.#settle(node);

  /** Begins a watch of a key that is there now, or is not. */
  #begin(node: number, isThere: boolean): void {
    this.#settle(node);
    const watchers = this.#notes.word(node, WATCHERS) & ~WAS_THERE;
    this.#notes.setWord(
      node,
      WATCHERS,
      isThere ? watchers | WAS_THERE : watchers,
    );
  }

  #settle(node: number): void {
    const epoch = this.#epochOf(this.databaseOf(node));
    if (this.#notes.word(node, this.#notes.moreAt(node)) === epoch) return;
    const wasThere = (this.#notes.word(node, WATCHERS) & WAS_THERE) !== 0;
    if (wasThere || this.#isThere(node)) this.#raise(node);
    else this.#setEpoch(node, epoch);
  }

  #isThere(node: number): boolean {
    const key = this.#key;
    this.keyOf(node, key);
    return this.#space.peek(this.databaseOf(node), key) !== 0;
  }

  /**
   * A name where it lies. A long one is best the entry's: so it is not compared
   * when the entry is looked for again.
   */
  #nameOf(ref: number, key: Key): Key {
    if (ref === 0 || key.length < LONG_KEY_BYTES) return key;
    this.#space.readName(ref, this.#key);
    return this.#key;
  }

  #epochOf(db: number): number {
    return this.#control[this.#epochs + db]!;
  }

  #setEpoch(node: number, epoch: number): void {
    this.#notes.setWord(node, this.#notes.moreAt(node), epoch);
  }

  #raise(node: number): void {
    this.#setEpoch(node, this.#epochOf(this.databaseOf(node)));
    const version = this.#notes.word(node, VERSION);
    this.#notes.setWord(node, VERSION, (version + 1) | 0);
    const control = this.#control;
    const touches = control[SHARD_TOUCHES]!;
    control[SHARD_TOUCHED + (touches & TOUCHED_NODES - 1)] = node;
    control[SHARD_TOUCHES] = touches + 1;
  }
}
