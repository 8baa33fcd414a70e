/**
 * Tables of nodes: what large hashes, sets and sorted sets keep their fields and
 * members in.
 *
 * A table is a dictionary whose header is an allocation of its own (the root, or
 * the first words of it), with nodes as node.ts has them: the key, with a double
 * before and bytes behind it if the type wants so.
 *
 * The pages of its long nodes are counted, so that it is known at once what the
 * table holds even if they are few among many.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { copyBytes } from "../base/bytes.ts";
import { halfSipHash } from "../base/half_siphash.ts";
import type { Prng } from "../base/prng.ts";
import {
  type Arena,
  byteOf,
  PAGE_BYTES,
  PAGE_UNITS,
  SEGMENT_SHIFT,
  UNIT_BYTES,
  UNIT_MASK,
  wordOf,
} from "../memory/arena.ts";
import {
  type Dict,
  DICT_BUCKETS,
  DICT_COUNT,
  DICT_HEADER_WORDS,
  DICT_USER,
  type NodeVisitor,
} from "../memory/dict.ts";
import type { Heap } from "../memory/heap.ts";
import { KNOWN_KEYS, LONG_KEY_BYTES } from "../memory/known_keys.ts";
import {
  EXPIRE_BYTES,
  HAS_EXPIRE,
  KEY_LENGTH_MASK,
  keyOffset,
  NODE_HASH,
  NODE_HEADER_BYTES,
  NODE_KEY,
  NODE_META,
  NODE_VALUE,
} from "../memory/node.ts";
import { CLASS_UNITS_MAX } from "../memory/size_classes.ts";
import type { ValueMemory } from "./value_type.ts";

/** Units of a root that is nothing but a table. */
export const TABLE_UNITS: number = DICT_HEADER_WORDS / 2;

/** Word of the header: pages of long nodes. */
const LONG_PAGES = DICT_USER;
/** Nodes with so much room are long; they are runs of pages. */
const LONG_UNITS = 1 << 13;
/** Bytes of key and what is behind it that a long node has at least. */
const LONG_BYTES_MIN = 1 << 15;

/** Attempts to hit a node at random before one is looked for. */
const DRAWS_MAX = 200;

/** Operations on the tables of one heap; a table is named by its root. */
export class NodeTable {
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #dict: Dict;
  readonly #seed0: number;
  readonly #seed1: number;
  readonly #random: Prng;
  readonly #freeNode: NodeVisitor;

  /** One object per type and keyspace. */
  constructor(memory: ValueMemory) {
    this.#arena = memory.arena;
    this.#heap = memory.heap;
    this.#dict = memory.dict;
    this.#seed0 = memory.hashSeed0;
    this.#seed1 = memory.hashSeed1;
    this.#random = memory.random;
    this.#freeNode = (node) => this.#heap.free(node);
  }

  /** An empty table in an allocation of so many units, zero all of them. */
  create(units: number = TABLE_UNITS): number {
    const root = this.#heap.allocate(units);
    const at = wordOf(root);
    this.#arena.i32[root >>> SEGMENT_SHIFT]!.fill(0, at, at + units * 2);
    return root;
  }

  /** Makes an empty table large enough; as {@linkcode Dict.expect}. */
  expect(root: number, count: number): void {
    this.#dict.expect(
      this.#arena.i32[root >>> SEGMENT_SHIFT]!,
      wordOf(root),
      count,
    );
  }

  /** Nodes of a table. */
  count(root: number): number {
    return this.#arena.i32[root >>> SEGMENT_SHIFT]![
      ((root & UNIT_MASK) << 1) + DICT_COUNT
    ]!;
  }

  /** Buckets, for loops over {@linkcode NodeTable.gather}. */
  buckets(root: number): number {
    return this.#arena.i32[root >>> SEGMENT_SHIFT]![
      ((root & UNIT_MASK) << 1) + DICT_BUCKETS
    ]!;
  }

  /** As {@linkcode Dict.gather}. */
  gather(root: number, bucket: number): number {
    return this.#dict.gather(
      this.#arena.i32[root >>> SEGMENT_SHIFT]!,
      wordOf(root),
      bucket,
    );
  }

  /** As {@linkcode Dict.gathered}. */
  gathered(i: number): number {
    return this.#dict.gathered(i);
  }

  /** Hash of a key. */
  hash(buf: Uint8Array, off: number, length: number): number {
    return length < LONG_KEY_BYTES
      ? halfSipHash(buf, off, length, this.#seed0, this.#seed1)
      : KNOWN_KEYS.hash(buf, off, length, this.#seed0, this.#seed1);
  }

  /** The node of a key, or 0. */
  find(root: number, buf: Uint8Array, off: number, length: number): number {
    const hash = this.hash(buf, off, length);
    return this.findHashed(root, buf, off, length, hash);
  }

  /** The node of a key whose hash is known, or 0. */
  findHashed(
    root: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): number {
    return this.#dict.find(
      this.#arena.i32[root >>> SEGMENT_SHIFT]!,
      (root & UNIT_MASK) << 1,
      buf,
      off,
      length,
      hash,
    );
  }

  /** As {@linkcode Dict.visitLike}. */
  visitLike(
    root: number,
    length: number,
    hash: number,
    visit: NodeVisitor,
  ): void {
    this.#dict.visitLike(
      this.#arena.i32[root >>> SEGMENT_SHIFT]!,
      wordOf(root),
      length,
      hash,
      visit,
    );
  }

  /**
   * A node that is in no table yet, with room for `more` bytes behind the key;
   * `hasDouble` leaves room for one.
   */
  makeNode(
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
    hasDouble: boolean,
    more: number,
  ): number {
    const head = hasDouble
      ? NODE_HEADER_BYTES + EXPIRE_BYTES
      : NODE_HEADER_BYTES;
    const units = (head + length + more + 7) >>> 3;
    const node = this.#heap.allocate(units);
    if (units > CLASS_UNITS_MAX) this.#heap.setSteady(node);
    const words = this.#arena.i32[node >>> SEGMENT_SHIFT]!;
    const at = (node & UNIT_MASK) << 1;
    words[at + NODE_META] = 0;
    words[at + NODE_KEY] = hasDouble ? length | HAS_EXPIRE : length;
    words[at + NODE_VALUE] = more;
    words[at + NODE_HASH] = hash;
    copyBytes(
      buf,
      off,
      this.#arena.u8[node >>> SEGMENT_SHIFT]!,
      byteOf(node) + head,
      length,
    );
    return node;
  }

  /**
   * Makes a run of pages, which is the heap's from now on, a node: its key, of that
   * length, and `more` bytes behind it have been written already.
   */
  adoptNode(
    run: number,
    length: number,
    hash: number,
    hasDouble: boolean,
    more: number,
  ): void {
    this.#heap.adoptRun(run);
    this.#heap.setSteady(run);
    const words = this.#arena.i32[run >>> SEGMENT_SHIFT]!;
    const at = (run & UNIT_MASK) << 1;
    words[at + NODE_META] = 0;
    words[at + NODE_KEY] = hasDouble ? length | HAS_EXPIRE : length;
    words[at + NODE_VALUE] = more;
    words[at + NODE_HASH] = hash;
  }

  /** Puts a node in; may throw OutOfMemory. */
  insert(root: number, node: number): void {
    this.#dict.insert(
      this.#arena.i32[root >>> SEGMENT_SHIFT]!,
      wordOf(root),
      node,
      this.hashOf(node),
    );
    if (this.#mayBeLong(node)) this.#countLong(root, node, 1);
  }

  /** Lets the table point at another node instead, of the same key. */
  replace(root: number, from: number, to: number): void {
    this.#dict.replace(
      this.#arena.i32[root >>> SEGMENT_SHIFT]!,
      wordOf(root),
      from,
      to,
      this.hashOf(to),
    );
    if (this.#mayBeLong(from)) this.#countLong(root, from, -1);
    if (this.#mayBeLong(to)) this.#countLong(root, to, 1);
  }

  /** Takes a node out, which is the caller's to free. */
  take(root: number, node: number): void {
    this.#dict.remove(
      this.#arena.i32[root >>> SEGMENT_SHIFT]!,
      wordOf(root),
      node,
      this.hashOf(node),
    );
    if (this.#mayBeLong(node)) this.#countLong(root, node, -1);
  }

  /** Takes a node out and frees it. */
  remove(root: number, node: number): void {
    this.take(root, node);
    this.#heap.free(node);
  }

  /** Visits the nodes of one cursor position; see {@linkcode Dict.scan}. */
  scan(root: number, cursor: number, visit: NodeVisitor): number {
    return this.#dict.scan(
      this.#arena.i32[root >>> SEGMENT_SHIFT]!,
      wordOf(root),
      cursor,
      visit,
    );
  }

  /** A node at random, all equally likely; the table is not empty. */
  draw(root: number): number {
    const header = this.#arena.i32[root >>> SEGMENT_SHIFT]!;
    const at = wordOf(root);
    for (let i = 0; i < DRAWS_MAX; i++) {
      const node = this.#dict.draw(header, at, this.#random.nextUint32());
      if (node !== 0) return node;
    }
    // Only a table that has lost nearly all of its nodes comes here.
    const buckets = this.buckets(root);
    let bucket = this.#random.below(buckets);
    for (let i = 0; i <= buckets; i++) {
      const found = this.#dict.gather(header, at, bucket);
      if (found > 0) return this.#dict.gathered(this.#random.below(found));
      bucket = bucket + 1 === buckets ? 0 : bucket + 1;
    }
    assert(false, "a node is drawn from a table that has one");
  }

  /** Frees the nodes and the table, but not the allocation of the header. */
  clear(root: number): void {
    this.clearSlice(root, Infinity);
  }

  /** Frees about `budget` nodes; says whether none are left. */
  clearSlice(root: number, budget: number): boolean {
    return this.clearNodes(root, budget, this.#freeNode);
  }

  /** As {@linkcode NodeTable.clearSlice}, where `visit` frees the nodes. */
  clearNodes(root: number, budget: number, visit: NodeVisitor): boolean {
    const header = this.#arena.i32[root >>> SEGMENT_SHIFT]!;
    const at = wordOf(root);
    for (let left = budget; left > 0; left -= 8) {
      if (this.#dict.popBucket(header, at, visit)) continue;
      header[at + LONG_PAGES] = 0;
      return true;
    }
    return false;
  }

  /** Bytes of those nodes that are long. */
  longBytes(root: number): number {
    const words = this.#arena.i32[root >>> SEGMENT_SHIFT]!;
    return words[wordOf(root) + LONG_PAGES]! * PAGE_BYTES;
  }

  /**
   * Bytes of the table and its nodes, the header not counted; of those that are
   * not long about `samples` are looked at, or all if that is 0.
   */
  bytes(root: number, samples: number): number {
    const count = this.count(root);
    const buckets = this.buckets(root);
    let seen = 0;
    let bytes = 0;
    for (let bucket = 0; bucket < buckets; bucket++) {
      if (samples > 0 && seen >= samples) break;
      const found = this.gather(root, bucket);
      for (let i = 0; i < found; i++) {
        const units = this.#heap.unitsOf(this.#dict.gathered(i));
        if (units < LONG_UNITS) bytes += units << 3;
      }
      seen += found;
    }
    const short = seen === 0 ? 0 : Math.round(bytes / seen * count);
    return short + this.longBytes(root) + this.#dict.tableBytes(
      this.#arena.i32[root >>> SEGMENT_SHIFT]!,
      wordOf(root),
    );
  }

  /** Checks the count of pages; for tests. */
  verify(root: number): void {
    let bytes = 0;
    for (let bucket = 0; bucket < this.buckets(root); bucket++) {
      const found = this.gather(root, bucket);
      for (let i = 0; i < found; i++) {
        const units = this.#heap.unitsOf(this.gathered(i));
        if (units >= LONG_UNITS) bytes += units * UNIT_BYTES;
      }
    }
    assert(bytes === this.longBytes(root), "pages of long nodes are counted");
  }

  /** Whether a node has as many bytes as long ones. */
  #mayBeLong(node: number): boolean {
    const words = this.#arena.i32[node >>> SEGMENT_SHIFT]!;
    const at = (node & UNIT_MASK) << 1;
    return (words[at + NODE_KEY]! & KEY_LENGTH_MASK) +
        words[at + NODE_VALUE]! >=
      LONG_BYTES_MIN;
  }

  /** Counts a node if it is long, or no longer so with `sign` -1. */
  #countLong(root: number, node: number, sign: number): void {
    const units = this.#heap.unitsOf(node);
    if (units < LONG_UNITS) return;
    const words = this.#arena.i32[root >>> SEGMENT_SHIFT]!;
    const at = wordOf(root) + LONG_PAGES;
    words[at] = words[at]! + sign * (units / PAGE_UNITS);
  }

  /** The byte view that holds a node. */
  bytesOf(node: number): Uint8Array {
    return this.#arena.u8[node >>> SEGMENT_SHIFT]!;
  }

  /** Where a node's key begins in that view. */
  keyOff(node: number): number {
    return byteOf(node) + keyOffset(
      this.#arena.i32[node >>> SEGMENT_SHIFT]![
        ((node & UNIT_MASK) << 1) + NODE_KEY
      ]!,
    );
  }

  /** Bytes of a node's key. */
  keyLength(node: number): number {
    return this.#arena.i32[node >>> SEGMENT_SHIFT]![
      ((node & UNIT_MASK) << 1) + NODE_KEY
    ]! & KEY_LENGTH_MASK;
  }

  /** Whether a node has a double. */
  hasDouble(node: number): boolean {
    return this.#arena.i32[node >>> SEGMENT_SHIFT]![
      ((node & UNIT_MASK) << 1) + NODE_KEY
    ]! < 0;
  }

  /** The double of a node that has one. */
  double(node: number): number {
    return this.#arena.f64[node >>> SEGMENT_SHIFT]![(node & UNIT_MASK) + 2]!;
  }

  /** Sets the double of a node that has one. */
  setDouble(node: number, x: number): void {
    this.#arena.f64[node >>> SEGMENT_SHIFT]![(node & UNIT_MASK) + 2] = x;
  }

  /** Bytes behind a node's key. */
  more(node: number): number {
    return this.#arena.i32[node >>> SEGMENT_SHIFT]![
      ((node & UNIT_MASK) << 1) + NODE_VALUE
    ]!;
  }

  /** Says how many bytes behind the key there are; they must have room. */
  setMore(node: number, length: number): void {
    this.#arena.i32[node >>> SEGMENT_SHIFT]![
      ((node & UNIT_MASK) << 1) + NODE_VALUE
    ] = length;
  }

  /** Sets the hash of a node's key. */
  setHash(node: number, hash: number): void {
    this.#arena.i32[node >>> SEGMENT_SHIFT]![
      ((node & UNIT_MASK) << 1) + NODE_HASH
    ] = hash;
  }

  /** Hash of a node's key. */
  hashOf(node: number): number {
    return this.#arena.i32[node >>> SEGMENT_SHIFT]![
      ((node & UNIT_MASK) << 1) + NODE_HASH
    ]!;
  }
}
