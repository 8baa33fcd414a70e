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
 * Every method asks that the caller holds the shard's latch.
 *
 * @module
 */

import { NODE_META, NODE_VALUE } from "../memory/node.ts";
import { Key } from "./key.ts";
import type { KeyNotes } from "./key_notes.ts";
import {
  HOOK_WATCH,
  SHARD_HOOKS,
  SHARD_TOUCHED,
  SHARD_TOUCHES,
  TOUCHED_NODES,
} from "./shard_control.ts";

const VERSION = NODE_META;
const WATCHERS = NODE_VALUE;

/** The watched keys of one shard. */
export class WatchedKeys {
  readonly #notes: KeyNotes;
  readonly #control: Int32Array;
  readonly #key = new Key();

  /** The notes' qualifiers are databases; `control` has the hook word. */
  constructor(notes: KeyNotes, control: Int32Array) {
    this.#notes = notes;
    this.#control = control;
  }

  /** Keys that are watched. */
  get count(): number {
    return this.#notes.count;
  }

  /** Adds a watcher and returns the key's node; may throw OutOfMemory. */
  watch(db: number, key: Key): number {
    const notes = this.#notes;
    const node = notes.find(db, key.buf, key.off, key.length, key.hash) ||
      notes.add(db, key);
    notes.setWord(node, WATCHERS, notes.word(node, WATCHERS) + 1);
    this.#control[SHARD_HOOKS]! |= HOOK_WATCH;
    return node;
  }

  /** Drops a watcher. */
  unwatch(node: number): void {
    const watchers = this.#notes.word(node, WATCHERS) - 1;
    if (watchers > 0) return this.#notes.setWord(node, WATCHERS, watchers);
    this.#notes.remove(node);
    if (this.count === 0) this.#control[SHARD_HOOKS]! &= ~HOOK_WATCH;
  }

  /** How often the key has changed; wraps around. */
  version(node: number): number {
    return this.#notes.word(node, VERSION);
  }

  /** How often watched keys have changed; wraps around. */
  get touches(): number {
    return this.#control[SHARD_TOUCHES]!;
  }

  /**
   * The node of the key with which this count was left behind, one of the last
   * {@linkcode TOUCHED_NODES}.
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
   * Every key of a database that `exists` has changed; it is given each watched
   * key of the database.
   */
  touchAll(db: number, exists: (key: Key) => boolean): void {
    const key = this.#key;
    this.#notes.visit((node) => {
      if (this.databaseOf(node) !== db) return;
      this.keyOf(node, key);
      if (exists(key)) this.#raise(node);
    });
  }

  /** Fills in the key of a node. */
  keyOf(node: number, key: Key): void {
    this.#notes.readKey(node, key);
  }

  /** Database of a node's key. */
  databaseOf(node: number): number {
    return this.#notes.qualifier(node);
  }

  #raise(node: number): void {
    const version = this.#notes.word(node, VERSION);
    this.#notes.setWord(node, VERSION, (version + 1) | 0);
    const control = this.#control;
    const touches = control[SHARD_TOUCHES]!;
    control[SHARD_TOUCHED + (touches & TOUCHED_NODES - 1)] = node;
    control[SHARD_TOUCHES] = touches + 1;
  }
}
