/**
 * Who listens to which channel: for every channel and pattern, how many
 * subscribers each worker has.
 *
 * It lies in shared memory, so that PUBLISH knows, at the instant it runs, how
 * many will get its message and on which workers they are, without asking. The
 * subscribers themselves are known to their own workers only.
 *
 * A name has a node in a dictionary of its shard (key_notes.ts), qualified by its
 * kind: word 2 counts the subscribers of all workers, the words behind the name
 * those of each worker. A channel belongs to the shard of its slot, as if its
 * name were a key.
 *
 * Every worker wants to know all patterns, and each change of one makes a version.
 * The nodes of the last changes stand in a ring, by version, so that who knows an
 * older one learns what has changed since. A pattern that nobody has any more is
 * freed when it leaves the ring. All of them are, and the changes so far forgotten,
 * when the last pattern is gone, or one that takes much memory.
 *
 * ```text
 * ring   [ node of version v, at v modulo its length ] ...
 * node   word 0: version of its last change
 * ```
 *
 * Every method asks that the caller holds the shard's latch.
 *
 * @module
 */

import { NODE_META, NODE_VALUE } from "../memory/node.ts";
import { Key } from "./key.ts";
import type { KeyNotes } from "./key_notes.ts";
import {
  CHANGED_PATTERNS,
  SHARD_PATTERNS,
  SHARD_PATTERNS_FORGOTTEN,
} from "./shard_control.ts";

/** A channel of SUBSCRIBE. */
export const CHANNEL = 0;
/** A channel of SSUBSCRIBE. */
export const SHARD_CHANNEL = 1;
/** A pattern of PSUBSCRIBE. */
export const PATTERN = 2;
/** A prefix of keys, of CLIENT TRACKING. */
export const PREFIX = 3;

const TOTAL = NODE_VALUE;
const VERSION = NODE_META;
/** Names of patterns up to this length may be kept when nobody has them. */
const KEPT_BYTES_MAX = 256;

/** Called with a name and its node. */
export type NameVisitor = (
  buf: Uint8Array,
  off: number,
  length: number,
  node: number,
) => void;

/** The channels and patterns of one shard. */
export class SubscriberCounts {
  readonly #notes: KeyNotes;
  readonly #control: Int32Array;
  readonly #key = new Key();

  /** The notes' qualifiers are kinds; `control` has the ring. */
  constructor(notes: KeyNotes, control: Int32Array) {
    this.#notes = notes;
    this.#control = control;
  }

  /** What is known of a name: its node, or 0 if nobody listens. */
  find(kind: number, name: Key): number {
    return this.#notes.find(kind, name.buf, name.off, name.length, name.hash);
  }

  /**
   * Adds a subscriber on a worker; says whether it is the first one of all. May
   * throw OutOfMemory.
   */
  add(kind: number, name: Key, worker: number, workers: number): boolean {
    const found = this.find(kind, name);
    const node = found || this.#notes.add(kind, name, workers);
    this.#count(node, worker, 1);
    return found === 0;
  }

  /** Takes one away; says whether it was the last one. */
  remove(kind: number, name: Key, worker: number): boolean {
    const node = this.find(kind, name);
    this.#count(node, worker, -1);
    if (this.total(node) > 0) return false;
    this.#notes.remove(node);
    return true;
  }

  /**
   * Counts a subscription to a pattern that begins or ends (`by` 1 or -1), which
   * makes a version; `patterns` are those that there were. Says whether it is the
   * first one or was the last of the pattern. May throw OutOfMemory.
   */
  countPattern(
    name: Key,
    by: 1 | -1,
    { version, patterns, worker, workers }: {
      readonly version: number;
      readonly patterns: number;
      readonly worker: number;
      readonly workers: number;
    },
  ): boolean {
    const notes = this.#notes;
    const found = this.find(PATTERN, name);
    const node = found || notes.add(PATTERN, name, workers);
    this.#count(node, worker, by);
    const isGone = this.total(node) === 0;
    if (isGone) notes.takeOut(node);
    notes.setWord(node, VERSION, version);
    const at = SHARD_PATTERNS + (version & CHANGED_PATTERNS - 1);
    const before = this.#control[at]!;
    // Later changes of that pattern would still be in the ring.
    const isLast = before !== 0 && this.total(before) === 0 &&
      notes.word(before, VERSION) === (version - CHANGED_PATTERNS | 0);
    if (isLast) notes.free(before);
    this.#control[at] = node;
    if (isGone && (patterns === 1 || name.length > KEPT_BYTES_MAX)) {
      this.#forgetChanges(version);
    }
    return found === 0 || isGone;
  }

  /** Forgets all changes of patterns, of which this was the last version. */
  #forgetChanges(last: number): void {
    const control = this.#control;
    for (let i = 1; i <= CHANGED_PATTERNS; i++) {
      const version = last - CHANGED_PATTERNS + i | 0;
      const at = SHARD_PATTERNS + (version & CHANGED_PATTERNS - 1);
      const node = control[at]!;
      control[at] = 0;
      // From the oldest change on: one that is gone is freed with its last one.
      if (
        node !== 0 && this.total(node) === 0 &&
        this.#notes.word(node, VERSION) === version
      ) this.#notes.free(node);
    }
    control[SHARD_PATTERNS_FORGOTTEN] = last;
  }

  /**
   * Visits the patterns that have changed after a version until another, some of
   * them more than once; false if that is not known any more. Those without
   * subscribers are gone.
   */
  visitChanged(after: number, until: number, visit: NameVisitor): boolean {
    const count = until - after | 0;
    const forgotten = this.#control[SHARD_PATTERNS_FORGOTTEN]!;
    if (count > CHANGED_PATTERNS || (after - forgotten | 0) < 0) return false;
    const key = this.#key;
    for (let i = 1; i <= count; i++) {
      const slot = after + i & CHANGED_PATTERNS - 1;
      const node = this.#control[SHARD_PATTERNS + slot]!;
      this.#notes.readKey(node, key);
      visit(key.buf, key.off, key.length, node);
    }
    return true;
  }

  /** Subscribers of a node's name on all workers. */
  total(node: number): number {
    return this.#notes.word(node, TOTAL);
  }

  /** Subscribers of a node's name on one worker. */
  on(node: number, worker: number): number {
    return this.#notes.word(node, this.#notes.moreAt(node) + worker);
  }

  /** Visits the names of a kind. */
  visit(kind: number, visitor: NameVisitor): void {
    let cursor = 0;
    do cursor = this.visitFrom(kind, cursor, 1, visitor); while (cursor !== 0);
  }

  /**
   * Visits the names of a kind at so many positions from one on, and returns the
   * next; see {@linkcode KeyNotes.visitFrom}.
   */
  visitFrom(
    kind: number,
    from: number,
    positions: number,
    visitor: NameVisitor,
  ): number {
    const key = this.#key;
    const visitNode = (node: number): void => {
      if (this.#notes.qualifier(node) !== kind) return;
      this.#notes.readKey(node, key);
      visitor(key.buf, key.off, key.length, node);
    };
    let cursor = from;
    for (let i = 0; i < positions; i++) {
      cursor = this.#notes.visitFrom(cursor, visitNode);
      if (cursor === 0) break;
    }
    return cursor;
  }

  #count(node: number, worker: number, by: number): void {
    const notes = this.#notes;
    const at = notes.moreAt(node) + worker;
    notes.setWord(node, TOTAL, notes.word(node, TOTAL) + by);
    notes.setWord(node, at, notes.word(node, at) + by);
  }
}
