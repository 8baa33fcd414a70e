/**
 * Ordered trees of records with an ID for a key: what a stream's nodes are found
 * by, and the entries that are pending in a group or with a consumer.
 *
 * ```text
 * header (3 words of the owner's)  [ top ][ height ][ records ]
 * leaf     [ records ][ leaf before ][ leaf behind ][ - ]  record*
 * record   [ ID : 4 words ][ payload ]
 * inner    [ children ][ - ][ - ][ - ]  ( [ ID : 4 words ][ child ] )*
 * ```
 *
 * A B+ tree (Bayer and McCreight, 1972) of 1 KiB nodes. The ID beside a child is
 * not greater than any of its subtree and greater than all before it; that of
 * the first child is never looked at. Leaves form a chain, so walks in either
 * direction need no path.
 *
 * IDs come in ascending order nearly always. A full leaf at the end is therefore
 * left full, and a new one is begun; only others are halved. What is taken away
 * leaves holes: a node joins a neighbour once it is a quarter full and both fit
 * into three quarters of one.
 *
 * The only leaf of a small tree takes as much memory as its records, doubling.
 * An all-zero header is an empty tree; an emptied tree has no nodes.
 *
 * Insertion splits full nodes on its way down, one complete step after the
 * other, so OutOfMemory leaves a good tree behind, without the new record.
 * Removal never allocates.
 *
 * Cost: find, insert and remove are O(log n); the next record, O(1).
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import {
  type Arena,
  SEGMENT_SHIFT,
  UNIT_MASK,
  wordOf,
} from "../memory/arena.ts";
import type { Heap } from "../memory/heap.ts";
import { ID_WORDS, StreamId } from "./stream_id.ts";

/** Words of a tree's header. */
export const TREE_HEADER_WORDS = 3;
const TOP = 0;
const HEIGHT = 1;
/** Word of the header that counts the records. */
export const TREE_RECORDS = 2;

const NODE_UNITS = 128;
const NODE_WORDS = NODE_UNITS * 2;
/** Words of a node before its records or children. */
const HEAD = 4;
const COUNT = 0;
const BEFORE = 1;
const BEHIND = 2;
const CHILD = ID_WORDS;
const INNER_STRIDE = ID_WORDS + 1;
const INNER_MAX = Math.floor((NODE_WORDS - HEAD) / INNER_STRIDE);
/** Records of the only leaf of a new tree. */
const FIRST_RECORDS = 4;
/** Levels of the highest tree: more records than the arena has words. */
const LEVELS_MAX = 16;

/** A record: a leaf and an index in it. Leaf 0 is none. */
export class TreePlace {
  /** The leaf. */
  leaf = 0;
  /** Which of its records. */
  index = 0;
}

/** Operations on the trees of one heap whose records have one kind of payload. */
export class IdTree {
  /** Words of a record's payload. */
  readonly payloadWords: number;
  readonly #i32: Int32Array[];
  readonly #heap: Heap;
  readonly #stride: number;
  /** Records of a full leaf. */
  readonly #leafMax: number;
  /** The inner nodes from the top to the leaf that was looked for, by level. */
  readonly #path = new Int32Array(LEVELS_MAX);
  /** The child of each that was taken. */
  readonly #taken = new Int32Array(LEVELS_MAX);

  /** `payloadWords` belong to each record, after its ID. */
  constructor(arena: Arena, heap: Heap, payloadWords: number) {
    this.payloadWords = payloadWords;
    this.#i32 = arena.i32;
    this.#heap = heap;
    this.#stride = ID_WORDS + payloadWords;
    this.#leafMax = Math.floor((NODE_WORDS - HEAD) / this.#stride);
  }

  /** Goes to the record of an ID; false if there is none. */
  find(
    header: Int32Array,
    at: number,
    id: StreamId,
    place: TreePlace,
  ): boolean {
    const leaf = this.#leafOf(header, at, id);
    if (leaf === 0) return false;
    const words = this.#i32[leaf >>> SEGMENT_SHIFT]!;
    const base = (leaf & UNIT_MASK) << 1;
    const index = this.#countLess(words, base, id);
    if (index === words[base + COUNT]) return false;
    place.leaf = leaf;
    place.index = index;
    return id.compareWords(words, base + HEAD + index * this.#stride) === 0;
  }

  /** Goes to the first record whose ID is not less; false if there is none. */
  findFrom(
    header: Int32Array,
    at: number,
    id: StreamId,
    place: TreePlace,
  ): boolean {
    const leaf = this.#leafOf(header, at, id);
    place.leaf = leaf;
    if (leaf === 0) return false;
    const words = this.#i32[leaf >>> SEGMENT_SHIFT]!;
    const base = (leaf & UNIT_MASK) << 1;
    place.index = this.#countLess(words, base, id);
    if (place.index < words[base + COUNT]!) return true;
    place.leaf = words[base + BEHIND]!;
    place.index = 0;
    return place.leaf !== 0;
  }

  /** Goes to the last record whose ID is not greater; false if there is none. */
  findUpTo(
    header: Int32Array,
    at: number,
    id: StreamId,
    place: TreePlace,
  ): boolean {
    const leaf = this.#leafOf(header, at, id);
    place.leaf = leaf;
    if (leaf === 0) return false;
    const words = this.#i32[leaf >>> SEGMENT_SHIFT]!;
    const base = (leaf & UNIT_MASK) << 1;
    let index = this.#countLess(words, base, id);
    if (
      index < words[base + COUNT]! &&
      id.compareWords(words, base + HEAD + index * this.#stride) === 0
    ) index++;
    place.index = index;
    return this.previous(place);
  }

  /** Goes to the first record; false if there is none. */
  first(header: Int32Array, at: number, place: TreePlace): boolean {
    let node = header[at + TOP]!;
    for (let level = header[at + HEIGHT]!; level > 0; level--) {
      node = this.#word(node, HEAD + CHILD);
    }
    place.leaf = node;
    place.index = 0;
    return node !== 0;
  }

  /** Goes to the last record; false if there is none. */
  last(header: Int32Array, at: number, place: TreePlace): boolean {
    let node = header[at + TOP]!;
    for (let level = header[at + HEIGHT]!; level > 0; level--) {
      const count = this.#word(node, COUNT);
      node = this.#word(node, HEAD + (count - 1) * INNER_STRIDE + CHILD);
    }
    place.leaf = node;
    place.index = node === 0 ? 0 : this.#word(node, COUNT) - 1;
    return node !== 0;
  }

  /** Goes to the next record; false if there is none, and the place is none. */
  next(place: TreePlace): boolean {
    const words = this.#i32[place.leaf >>> SEGMENT_SHIFT]!;
    const base = (place.leaf & UNIT_MASK) << 1;
    if (++place.index < words[base + COUNT]!) return true;
    place.leaf = words[base + BEHIND]!;
    place.index = 0;
    return place.leaf !== 0;
  }

  /** Goes to the record before; false if there is none, and the place is none. */
  previous(place: TreePlace): boolean {
    if (--place.index >= 0) return true;
    place.leaf = this.#word(place.leaf, BEFORE);
    if (place.leaf === 0) return false;
    place.index = this.#word(place.leaf, COUNT) - 1;
    return true;
  }

  /** Reads the ID of a record. */
  readId(place: TreePlace, id: StreamId): void {
    id.read(
      this.#i32[place.leaf >>> SEGMENT_SHIFT]!,
      wordOf(place.leaf) + HEAD + place.index * this.#stride,
    );
  }

  /** Index of the ID of a record in the view that has it. */
  idAt(place: TreePlace): number {
    return ((place.leaf & UNIT_MASK) << 1) + HEAD + place.index * this.#stride;
  }

  /** The word view that has a record. */
  words(place: TreePlace): Int32Array {
    return this.#i32[place.leaf >>> SEGMENT_SHIFT]!;
  }

  /** Index of a record's payload in that view. */
  payloadAt(place: TreePlace): number {
    return ((place.leaf & UNIT_MASK) << 1) + HEAD + ID_WORDS +
      place.index * this.#stride;
  }

  /**
   * Adds up a word of the payloads of the records from a place on and before
   * another, or the end if that is none, but goes through no more than so many
   * leaves. The place is the next record then, or none if all are added up.
   */
  sumUpTo(
    place: TreePlace,
    before: TreePlace,
    word: number,
    leaves: number,
  ): number {
    const stride = this.#stride;
    let sum = 0;
    for (let left = leaves; place.leaf !== 0 && left > 0; left--) {
      const words = this.#i32[place.leaf >>> SEGMENT_SHIFT]!;
      const base = (place.leaf & UNIT_MASK) << 1;
      const isEnd = place.leaf === before.leaf;
      const end = isEnd ? before.index : words[base + COUNT]!;
      const first = base + HEAD + ID_WORDS + word;
      for (let i = place.index; i < end; i++) sum += words[first + i * stride]!;
      place.leaf = isEnd ? 0 : words[base + BEHIND]!;
      place.index = 0;
    }
    return sum;
  }

  /** Records of a leaf. */
  leafRecords(leaf: number): number {
    return this.#word(leaf, COUNT);
  }

  /**
   * Goes to the record of an ID, which is added if it is not there: its payload
   * is arbitrary then, and the answer is true. Throws OutOfMemory before
   * anything is added.
   */
  insert(
    header: Int32Array,
    at: number,
    id: StreamId,
    place: TreePlace,
  ): boolean {
    this.#makeRoomOnTop(header, at);
    let node = header[at + TOP]!;
    let isLast = true;
    for (let level = header[at + HEIGHT]!; level > 0; level--) {
      let index = this.#childIndex(node, id);
      const child = this.#word(node, HEAD + index * INNER_STRIDE + CHILD);
      if (index < this.#word(node, COUNT) - 1) isLast = false;
      if (this.#isFull(child, level - 1)) {
        this.#split(node, index, child, level - 1, id, isLast);
        index = this.#childIndex(node, id);
        if (index < this.#word(node, COUNT) - 1) isLast = false;
      }
      node = this.#word(node, HEAD + index * INNER_STRIDE + CHILD);
    }
    const words = this.#i32[node >>> SEGMENT_SHIFT]!;
    const base = (node & UNIT_MASK) << 1;
    const count = words[base + COUNT]!;
    const index = this.#countLess(words, base, id);
    const record = base + HEAD + index * this.#stride;
    place.leaf = node;
    place.index = index;
    if (index < count) {
      if (id.compareWords(words, record) === 0) return false;
      const end = base + HEAD + count * this.#stride;
      words.copyWithin(record + this.#stride, record, end);
    }
    id.write(words, record);
    words[base + COUNT] = count + 1;
    header[at + TREE_RECORDS] = header[at + TREE_RECORDS]! + 1;
    return true;
  }

  /** Removes the record of an ID; false if there is none. */
  remove(header: Int32Array, at: number, id: StreamId): boolean {
    const leaf = this.#leafOf(header, at, id);
    if (leaf === 0) return false;
    const words = this.#i32[leaf >>> SEGMENT_SHIFT]!;
    const base = (leaf & UNIT_MASK) << 1;
    const count = words[base + COUNT]!;
    const index = this.#countLess(words, base, id);
    const record = base + HEAD + index * this.#stride;
    if (index === count || id.compareWords(words, record) !== 0) return false;
    if (index < count - 1) {
      const end = base + HEAD + count * this.#stride;
      words.copyWithin(record, record + this.#stride, end);
    }
    words[base + COUNT] = count - 1;
    header[at + TREE_RECORDS] = header[at + TREE_RECORDS]! - 1;
    if ((count - 1) * 4 <= this.#leafMax) this.#repair(header, at, leaf);
    return true;
  }

  /**
   * Puts a leaf that was taken out of a tree into a pile of leaves, which is
   * only good for being taken apart again; an empty tree is an empty pile.
   */
  pileLeaf(header: Int32Array, at: number, leaf: number): void {
    const top = header[at + TOP]!;
    this.#setWord(leaf, BEFORE, 0);
    this.#setWord(leaf, BEHIND, top);
    if (top !== 0) this.#setWord(top, BEFORE, leaf);
    header[at + TOP] = leaf;
    header[at + TREE_RECORDS] = header[at + TREE_RECORDS]! +
      this.#word(leaf, COUNT);
  }

  /**
   * Takes the first leaf out of a tree or a pile that is not empty, with its
   * records, and returns it; it is the caller's.
   */
  takeFirstLeaf(header: Int32Array, at: number): number {
    let leaf = header[at + TOP]!;
    if (header[at + HEIGHT] === 0) {
      header[at + TREE_RECORDS] = header[at + TREE_RECORDS]! -
        this.#word(leaf, COUNT);
      header[at + TOP] = this.#word(leaf, BEHIND);
      this.#unchain(leaf);
      return leaf;
    }
    for (let level = header[at + HEIGHT]!; level > 0; level--) {
      this.#path[level] = leaf;
      this.#taken[level] = 0;
      leaf = this.#word(leaf, HEAD + CHILD);
    }
    const records = this.#word(leaf, COUNT);
    header[at + TREE_RECORDS] = header[at + TREE_RECORDS]! - records;
    this.#unchain(leaf);
    this.#dropChild(header, at, 1);
    this.#lowerTop(header, at);
    return leaf;
  }

  /**
   * Frees about `budget` leaves of a tree whose records need no care; says
   * whether nothing is left.
   */
  clear(header: Int32Array, at: number, budget: number): boolean {
    for (let left = budget; left > 0; left--) {
      if (header[at + TOP] === 0) return true;
      this.#heap.free(this.takeFirstLeaf(header, at));
    }
    return header[at + TOP] === 0;
  }

  /**
   * Fills an empty tree with the records of one of the same kind, in this or
   * another heap, payloads included. After OutOfMemory it is empty again.
   */
  copy(
    from: IdTree,
    source: Int32Array,
    sourceAt: number,
    header: Int32Array,
    at: number,
  ): void {
    const place = new TreePlace();
    const made = new TreePlace();
    const id = new StreamId();
    try {
      let isThere = from.first(source, sourceAt, place);
      for (; isThere; isThere = from.next(place)) {
        from.readId(place, id);
        this.insert(header, at, id, made);
        const words = from.words(place);
        const payload = from.payloadAt(place);
        const into = this.words(made);
        const intoAt = this.payloadAt(made);
        for (let i = 0; i < this.payloadWords; i++) {
          into[intoAt + i] = words[payload + i]!;
        }
      }
    } catch (cause) {
      this.clear(header, at, Infinity);
      throw cause;
    }
  }

  /** About how many leaves there are. */
  leaves(header: Int32Array, at: number): number {
    return Math.ceil(header[at + TREE_RECORDS]! / this.#leafMax);
  }

  /** Bytes of all nodes. */
  bytes(header: Int32Array, at: number): number {
    const top = header[at + TOP]!;
    if (top === 0) return 0;
    const height = header[at + HEIGHT]!;
    if (height === 0) return this.#heap.unitsOf(top) << 3;
    return this.#nodesUnder(top, height) * NODE_UNITS * 8;
  }

  #nodesUnder(node: number, level: number): number {
    const count = this.#word(node, COUNT);
    if (level === 1) return 1 + count;
    let nodes = 1;
    for (let i = 0; i < count; i++) {
      const child = this.#word(node, HEAD + i * INNER_STRIDE + CHILD);
      nodes += this.#nodesUnder(child, level - 1);
    }
    return nodes;
  }

  /** Checks the invariants; for tests. */
  verify(header: Int32Array, at: number): void {
    const top = header[at + TOP]!;
    const records = header[at + TREE_RECORDS]!;
    assert((top === 0) === (records === 0), "an empty tree has no nodes");
    if (top === 0) return assert(header[at + HEIGHT] === 0, "nor a height");
    const leaves: number[] = [];
    this.#verifyNode(top, header[at + HEIGHT]!, leaves, true);
    const place = new TreePlace();
    const id = new StreamId();
    const before = new StreamId();
    let count = 0;
    let leaf = 0;
    for (
      let is = this.first(header, at, place);
      is;
      is = this.next(place), count++
    ) {
      this.readId(place, id);
      assert(count === 0 || before.compare(id) < 0, "IDs ascend");
      before.set(id);
      if (place.leaf === leaf) continue;
      assert(this.#word(place.leaf, BEFORE) === leaf, "leaves know both sides");
      leaf = place.leaf;
      assert(leaves.shift() === leaf, "the chain has the leaves in order");
    }
    assert(leaves.length === 0, "the chain has all leaves");
    assert(count === records, "records are counted exactly");
  }

  #verifyNode(
    node: number,
    level: number,
    leaves: number[],
    isTop: boolean,
  ): void {
    const count = this.#word(node, COUNT);
    assert(count > 0, "no node is empty");
    if (!isTop) {
      assert(this.#heap.unitsOf(node) >= NODE_UNITS, "nodes have one size");
    }
    if (level === 0) {
      assert(count <= this.#capacity(node), "records have room");
      leaves.push(node);
      return;
    }
    assert(count <= INNER_MAX, "children have room");
    const id = new StreamId();
    const words = this.#i32[node >>> SEGMENT_SHIFT]!;
    for (let i = 0; i < count; i++) {
      const child = this.#word(node, HEAD + i * INNER_STRIDE + CHILD);
      const known = leaves.length;
      this.#verifyNode(child, level - 1, leaves, false);
      if (i === 0) continue;
      id.read(words, wordOf(node) + HEAD + i * INNER_STRIDE);
      const before = this.#recordAt(leaves[known - 1]!, -1);
      const first = this.#recordAt(leaves[known]!, 0);
      assert(before.compare(id) < 0, "a child has no ID of those before");
      assert(id.compare(first) <= 0, "a child has no lesser ID");
    }
  }

  #recordAt(leaf: number, index: number): StreamId {
    const id = new StreamId();
    const from = index < 0 ? this.#word(leaf, COUNT) + index : index;
    id.read(
      this.#i32[leaf >>> SEGMENT_SHIFT]!,
      wordOf(leaf) + HEAD + from * this.#stride,
    );
    return id;
  }

  /** The leaf in which an ID is or would be, or 0; notes the path. */
  #leafOf(header: Int32Array, at: number, id: StreamId): number {
    let node = header[at + TOP]!;
    for (let level = header[at + HEIGHT]!; level > 0; level--) {
      const index = this.#childIndex(node, id);
      this.#path[level] = node;
      this.#taken[level] = index;
      node = this.#word(node, HEAD + index * INNER_STRIDE + CHILD);
    }
    return node;
  }

  /** The last child whose ID is not greater, or the first one. */
  #childIndex(node: number, id: StreamId): number {
    const words = this.#i32[node >>> SEGMENT_SHIFT]!;
    const first = ((node & UNIT_MASK) << 1) + HEAD;
    let low = 1;
    let high = words[first - HEAD + COUNT]!;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (id.compareWords(words, first + middle * INNER_STRIDE) < 0) {
        high = middle;
      } else low = middle + 1;
    }
    return low - 1;
  }

  /** How many records of a leaf have a lesser ID. */
  #countLess(words: Int32Array, base: number, id: StreamId): number {
    const stride = this.#stride;
    const first = base + HEAD;
    let low = 0;
    let high = words[base + COUNT]!;
    // What is added comes last nearly always.
    if (
      high > 0 && id.compareWords(words, first + (high - 1) * stride) > 0
    ) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (id.compareWords(words, first + middle * stride) > 0) {
        low = middle + 1;
      } else high = middle;
    }
    return low;
  }

  #capacity(leaf: number): number {
    const words = this.#heap.unitsOf(leaf) * 2;
    return Math.min(
      this.#leafMax,
      Math.floor((words - HEAD) / this.#stride),
    );
  }

  #isFull(node: number, level: number): boolean {
    return this.#word(node, COUNT) === (level > 0 ? INNER_MAX : this.#leafMax);
  }

  /** Makes the first leaf, or sees to it that the top can take one more. */
  #makeRoomOnTop(header: Int32Array, at: number): void {
    const top = header[at + TOP]!;
    if (top === 0) {
      header[at + TOP] = this.#newLeaf(FIRST_RECORDS);
      return;
    }
    const height = header[at + HEIGHT]!;
    if (height === 0) {
      const count = this.#word(top, COUNT);
      if (count < this.#leafMax) {
        if (count === this.#capacity(top)) {
          header[at + TOP] = this.#growLeaf(top, count);
        }
        return;
      }
    } else if (!this.#isFull(top, height)) return;
    const made = this.#heap.allocate(NODE_UNITS);
    const words = this.#i32[made >>> SEGMENT_SHIFT]!;
    const base = wordOf(made);
    words.fill(0, base, base + HEAD + INNER_STRIDE);
    words[base + COUNT] = 1;
    words[base + HEAD + CHILD] = top;
    header[at + TOP] = made;
    header[at + HEIGHT] = height + 1;
  }

  #newLeaf(records: number): number {
    const units = records >= this.#leafMax
      ? NODE_UNITS
      : (HEAD + records * this.#stride + 1) >> 1;
    const leaf = this.#heap.allocate(units);
    const base = wordOf(leaf);
    this.#i32[leaf >>> SEGMENT_SHIFT]!.fill(0, base, base + HEAD);
    return leaf;
  }

  /** The only leaf is moved to a place of twice the records. */
  #growLeaf(leaf: number, count: number): number {
    const made = this.#newLeaf(Math.min(this.#leafMax, count * 2));
    this.#moveRecords(leaf, 0, made, 0, count, this.#stride);
    this.#setWord(made, COUNT, count);
    this.#heap.free(leaf);
    return made;
  }

  /**
   * Splits a full child; at the end of the tree, so that the left part stays
   * full.
   */
  #split(
    parent: number,
    index: number,
    child: number,
    level: number,
    id: StreamId,
    isLast: boolean,
  ): void {
    const isLeaf = level === 0;
    const stride = isLeaf ? this.#stride : INNER_STRIDE;
    const count = this.#word(child, COUNT);
    let moved = count >> 1;
    if (isLast) {
      const from = this.#i32[child >>> SEGMENT_SHIFT]!;
      const last = wordOf(child) + HEAD + (count - 1) * stride;
      if (id.compareWords(from, last) > 0) moved = isLeaf ? 0 : 1;
    }
    const made = isLeaf
      ? this.#newLeaf(this.#leafMax)
      : this.#heap.allocate(NODE_UNITS);
    this.#moveRecords(child, count - moved, made, 0, moved, stride);
    this.#setWord(child, COUNT, count - moved);
    this.#setWord(made, COUNT, moved);
    if (isLeaf) {
      const behind = this.#word(child, BEHIND);
      this.#setWord(made, BEFORE, child);
      this.#setWord(made, BEHIND, behind);
      this.#setWord(child, BEHIND, made);
      if (behind !== 0) this.#setWord(behind, BEFORE, made);
    }
    const children = this.#word(parent, COUNT);
    this.#moveRecords(
      parent,
      index + 1,
      parent,
      index + 2,
      children - index - 1,
      INNER_STRIDE,
    );
    this.#setWord(parent, COUNT, children + 1);
    const words = this.#i32[parent >>> SEGMENT_SHIFT]!;
    const entry = wordOf(parent) + HEAD + (index + 1) * INNER_STRIDE;
    if (moved === 0) id.write(words, entry);
    else {
      const from = this.#i32[made >>> SEGMENT_SHIFT]!;
      const first = wordOf(made) + HEAD;
      for (let i = 0; i < ID_WORDS; i++) words[entry + i] = from[first + i]!;
    }
    words[entry + CHILD] = made;
  }

  /** Joins what has become small on the noted path, from the leaf up. */
  #repair(header: Int32Array, at: number, leaf: number): void {
    const height = header[at + HEIGHT]!;
    let node = leaf;
    for (let level = 0; level < height; level++) {
      const count = this.#word(node, COUNT);
      const most = level > 0 ? INNER_MAX : this.#leafMax;
      if (count === 0) {
        if (level === 0) this.#unchain(node);
        this.#heap.free(node);
        return this.#dropAndRepair(header, at, level + 1);
      }
      if (count * 4 > most) return;
      if (!this.#join(level)) return;
      node = this.#path[level + 1]!;
    }
    if (height === 0 && this.#word(node, COUNT) === 0) {
      this.#heap.free(node);
      header[at + TOP] = 0;
      return;
    }
    this.#lowerTop(header, at);
  }

  #dropAndRepair(header: Int32Array, at: number, level: number): void {
    this.#dropChild(header, at, level);
    this.#lowerTop(header, at);
  }

  /**
   * Forgets the child that the noted path takes at a level, and the nodes above
   * that are empty by that.
   */
  #dropChild(header: Int32Array, at: number, level: number): void {
    const height = header[at + HEIGHT]!;
    for (let l = level; l <= height; l++) {
      const node = this.#path[l]!;
      const count = this.#word(node, COUNT);
      if (count > 1) return this.#removeChild(node, this.#taken[l]!, count);
      this.#heap.free(node);
    }
    header[at + TOP] = 0;
    header[at + HEIGHT] = 0;
  }

  #removeChild(node: number, index: number, count: number): void {
    this.#moveRecords(
      node,
      index + 1,
      node,
      index,
      count - index - 1,
      INNER_STRIDE,
    );
    this.#setWord(node, COUNT, count - 1);
  }

  /** A top with a single child gives way to it. */
  #lowerTop(header: Int32Array, at: number): void {
    while (header[at + HEIGHT]! > 0) {
      const top = header[at + TOP]!;
      if (this.#word(top, COUNT) > 1) return;
      header[at + TOP] = this.#word(top, HEAD + CHILD);
      header[at + HEIGHT] = header[at + HEIGHT]! - 1;
      this.#heap.free(top);
    }
  }

  /** Joins a node of the noted path with a neighbour; false if both are full. */
  #join(level: number): boolean {
    const parent = this.#path[level + 1]!;
    const index = this.#taken[level + 1]!;
    return (index > 0 && this.#joinPair(parent, index - 1, level)) ||
      (index + 1 < this.#word(parent, COUNT) &&
        this.#joinPair(parent, index, level));
  }

  #joinPair(parent: number, index: number, level: number): boolean {
    const entry = HEAD + index * INNER_STRIDE;
    const left = this.#word(parent, entry + CHILD);
    const right = this.#word(parent, entry + INNER_STRIDE + CHILD);
    const count = this.#word(left, COUNT);
    const more = this.#word(right, COUNT);
    const most = level > 0 ? INNER_MAX : this.#leafMax;
    if ((count + more) * 4 > most * 3) return false;
    if (level > 0) this.#nameFirst(parent, index + 1, right);
    const stride = level > 0 ? INNER_STRIDE : this.#stride;
    this.#moveRecords(right, 0, left, count, more, stride);
    this.#setWord(left, COUNT, count + more);
    if (level === 0) this.#unchain(right);
    this.#heap.free(right);
    this.#removeChild(parent, index + 1, this.#word(parent, COUNT));
    return true;
  }

  /** The first child of a node gets the ID by which the parent knows the node. */
  #nameFirst(parent: number, index: number, node: number): void {
    const from = this.#i32[parent >>> SEGMENT_SHIFT]!;
    const entry = wordOf(parent) + HEAD + index * INNER_STRIDE;
    const into = this.#i32[node >>> SEGMENT_SHIFT]!;
    const first = wordOf(node) + HEAD;
    for (let i = 0; i < ID_WORDS; i++) into[first + i] = from[entry + i]!;
  }

  #unchain(leaf: number): void {
    const before = this.#word(leaf, BEFORE);
    const behind = this.#word(leaf, BEHIND);
    if (before !== 0) this.#setWord(before, BEHIND, behind);
    if (behind !== 0) this.#setWord(behind, BEFORE, before);
  }

  /** Moves records or children; inside one node the places may overlap. */
  #moveRecords(
    from: number,
    fromIndex: number,
    to: number,
    toIndex: number,
    count: number,
    stride: number,
  ): void {
    if (count === 0) return;
    const source = this.#i32[from >>> SEGMENT_SHIFT]!;
    const start = wordOf(from) + HEAD + fromIndex * stride;
    const target = wordOf(to) + HEAD + toIndex * stride;
    const words = count * stride;
    if (from === to) source.copyWithin(target, start, start + words);
    else {
      this.#i32[to >>> SEGMENT_SHIFT]!.set(
        source.subarray(start, start + words),
        target,
      );
    }
  }

  #word(ref: number, index: number): number {
    return this.#i32[ref >>> SEGMENT_SHIFT]![
      ((ref & UNIT_MASK) << 1) + index
    ]!;
  }

  #setWord(ref: number, index: number, value: number): void {
    this.#i32[ref >>> SEGMENT_SHIFT]![((ref & UNIT_MASK) << 1) + index] = value;
  }
}
