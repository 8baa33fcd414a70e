/**
 * Large sorted sets: a table that finds members, and a tree that orders them.
 *
 * ```text
 * root   words 0-7    table of the members
 *        words 8-13   tree of the same nodes
 * node   score, a double; member bytes     (node_table.ts)
 * ```
 *
 * The score stands in the node and in the tree. A set is named by its root, a
 * member by its node.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { compareBytes } from "../base/bytes.ts";
import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "../memory/arena.ts";
import type { NodeVisitor } from "../memory/dict.ts";
import type { Heap } from "../memory/heap.ts";
import {
  EXPIRE_BYTES,
  KEY_LENGTH_MASK,
  NODE_HEADER_BYTES,
  NODE_KEY,
} from "../memory/node.ts";
import { OrderedTree, TREE_HEADER_UNITS } from "../memory/ordered_tree.ts";
import { NodeTable, TABLE_UNITS } from "./node_table.ts";
import type { ValueMemory } from "./value_type.ts";
import {
  GREATEST_BOUND,
  LEAST_BOUND,
  type LexBound,
  type LexRange,
  type ScoredVisitor,
  type ScoreSieve,
} from "./zset_range.ts";

const ROOT_UNITS = TABLE_UNITS + TREE_HEADER_UNITS;
/** Members whose places in the tree are made at once. */
const BATCH = 512;
/** How members come that are loaded. */
const ANY_WAY = 0;
const UPWARDS = 1;
const DOWNWARDS = -1;

/** Where the member begins in its node: behind the score. */
const MEMBER_OFFSET = NODE_HEADER_BYTES + EXPIRE_BYTES;

/** Operations on the large sorted sets of one heap. */
export class ZsetTree {
  /** The table of members. */
  readonly nodes: NodeTable;
  /** First rank of the range that {@linkcode ZsetTree.findRange} found. */
  from = 0;
  /** The rank behind its last one. */
  to = 0;
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #tree: OrderedTree;
  /** Hash of the member that was looked for last. */
  #hash = 0;
  /** The set that members are removed from. */
  #shrinking = 0;
  readonly #removeNode: NodeVisitor;
  /** Members that were loaded and have no place in the tree yet. */
  readonly #scores = new Float64Array(BATCH);
  readonly #loaded = new Int32Array(BATCH);
  #batched = 0;
  /** How they have come so far; undefined before there are two. */
  #direction: number | undefined;
  /** The one before, or 0. */
  #before = 0;

  /** One object per keyspace. */
  constructor(memory: ValueMemory) {
    this.nodes = new NodeTable(memory);
    this.#arena = memory.arena;
    this.#heap = memory.heap;
    this.#tree = new OrderedTree(memory.arena, memory.heap);
    this.#removeNode = (node) => this.nodes.remove(this.#shrinking, node);
  }

  /** A set without members. */
  create(): number {
    return this.nodes.create(ROOT_UNITS);
  }

  /** The node of a member, or 0. */
  find(root: number, buf: Uint8Array, off: number, length: number): number {
    const hash = this.nodes.hash(buf, off, length);
    return this.findHashed(root, buf, off, length, hash);
  }

  /** As {@linkcode ZsetTree.find}, of a member whose hash is known. */
  findHashed(
    root: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): number {
    this.#hash = hash;
    return this.nodes.findHashed(root, buf, off, length, hash);
  }

  /**
   * Adds a member that is not there and lies in a run of pages, behind the room for
   * its score; the run is the heap's from now on, or has been freed.
   */
  insertRun(
    root: number,
    run: number,
    length: number,
    hash: number,
    score: number,
  ): void {
    this.nodes.adoptNode(run, length, hash, true, 0);
    this.nodes.setDouble(run, score);
    this.#insertNode(root, run, score);
  }

  /** Adds a member that {@linkcode ZsetTree.find} just did not find. */
  insertMissing(
    root: number,
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
  ): void {
    const node = this.#makeNode(buf, off, length, this.#hash, score);
    this.#insertNode(root, node, score);
  }

  /** Adds a node, or frees it. */
  #insertNode(root: number, node: number, score: number): void {
    try {
      const tree = treeOf(root);
      this.#tree.insert(tree, score, node);
      try {
        this.nodes.insert(root, node);
      } catch (cause) {
        this.#tree.remove(tree, score, node);
        throw cause;
      }
    } catch (cause) {
      this.#heap.free(node);
      throw cause;
    }
  }

  /** Adds a member that is not there and comes behind all others. */
  append(
    root: number,
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
  ): void {
    const hash = this.nodes.hash(buf, off, length);
    const node = this.#makeNode(buf, off, length, hash, score);
    try {
      this.nodes.insert(root, node);
      try {
        this.#tree.append(treeOf(root), score, node);
      } catch (cause) {
        this.nodes.take(root, node);
        throw cause;
      }
    } catch (cause) {
      this.#heap.free(node);
      throw cause;
    }
  }

  /**
   * As {@linkcode ZsetTree.insertMissing}, but the member has no rank until
   * {@linkcode ZsetTree.order}; only finding and scores work until then. Returns
   * its node.
   */
  insertUnordered(
    root: number,
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
  ): number {
    const node = this.#makeNode(buf, off, length, this.#hash, score);
    try {
      this.nodes.insert(root, node);
    } catch (cause) {
      this.#heap.free(node);
      throw cause;
    }
    return node;
  }

  /** Begins to load about `count` members into an empty set. */
  beginLoading(root: number, count: number): void {
    this.nodes.expect(root, count);
    this.#batched = 0;
    this.#direction = undefined;
    this.#before = 0;
  }

  /**
   * Adds a member, unless it is there: then it returns false. Members that come
   * in order, up or down, are cheap.
   */
  load(
    root: number,
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
  ): boolean {
    if (this.find(root, buf, off, length) !== 0) return false;
    const node = this.insertUnordered(root, buf, off, length, score);
    if (this.#direction === ANY_WAY) return true;
    const before = this.#before;
    this.#before = node;
    if (before !== 0) {
      const way = this.#isBelow(before, node, score) ? UPWARDS : DOWNWARDS;
      this.#direction ??= way;
      if (way !== this.#direction) {
        this.#direction = ANY_WAY;
        this.#tree.freeSlice(treeOf(root), Infinity);
        return true;
      }
    }
    this.#scores[this.#batched] = score;
    this.#loaded[this.#batched++] = node;
    if (this.#batched === BATCH) this.#placeBatch(root);
    return true;
  }

  /** Ends: all members have ranks now. */
  finishLoading(root: number): void {
    if (this.#direction === ANY_WAY) this.order(root);
    else this.#placeBatch(root);
  }

  /** Puts all members in order, none of which is so far. */
  order(root: number): void {
    const { nodes } = this;
    const tree = treeOf(root);
    const buckets = nodes.buckets(root);
    for (let bucket = 0; bucket < buckets; bucket++) {
      const found = nodes.gather(root, bucket);
      for (let i = 0; i < found; i++) {
        const node = nodes.gathered(i);
        this.#tree.insert(tree, nodes.double(node), node);
      }
    }
  }

  /** Score of a member. */
  score(node: number): number {
    return this.nodes.double(node);
  }

  /** Gives a member another score, not equal to the old one. */
  setScore(root: number, node: number, score: number): void {
    this.#tree.move(treeOf(root), this.nodes.double(node), node, score);
    this.nodes.setDouble(node, score);
  }

  /** Gives a member without rank another score. */
  setUnorderedScore(node: number, score: number): void {
    this.nodes.setDouble(node, score);
  }

  /** Removes a member. */
  remove(root: number, node: number): void {
    this.#tree.remove(treeOf(root), this.nodes.double(node), node);
    this.nodes.remove(root, node);
  }

  /** Removes the members of ranks `from` to `to`, exclusive. */
  removeRange(root: number, from: number, to: number): void {
    this.#shrinking = root;
    this.#tree.removeRange(treeOf(root), from, to, this.#removeNode);
  }

  /** Rank of a member. */
  rank(root: number, node: number): number {
    return this.#tree.rank(treeOf(root), this.nodes.double(node), node);
  }

  /** As {@linkcode OrderedTree.firstUnknown}. */
  firstUnknown(
    root: number,
    score: number,
    node: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    const tree = treeOf(root);
    return this.#tree.firstUnknown(tree, score, node, buf, off, length);
  }

  /** The node of a rank, which there must be. */
  select(root: number, rank: number): number {
    const leaf = this.#tree.leafOf(treeOf(root), rank);
    return this.#tree.pages.node(leaf, this.#tree.index);
  }

  /** Members whose score is less than one, or, with `orEqual`, that one. */
  countBelowScore(root: number, score: number, orEqual: boolean): number {
    return this.#tree.countBelowScore(treeOf(root), score, orEqual);
  }

  /**
   * Finds the range of members between two bounds: `from` and `to`, exclusive.
   * All scores are equal; if not, any range may be found.
   */
  findRange(root: number, range: LexRange): void {
    this.from = this.#countBelow(root, range.min, range.min.isOpen);
    this.to = Math.max(
      this.from,
      this.#countBelow(root, range.max, !range.max.isOpen),
    );
  }

  /** Visits `count` members from a rank on, up or down. */
  visit(
    root: number,
    rank: number,
    count: number,
    isReverse: boolean,
    visitor: ScoredVisitor,
  ): void {
    const tree = this.#tree;
    let leaf = tree.leafOf(treeOf(root), rank);
    let { index } = tree;
    for (let left = count; left > 0 && leaf !== 0;) {
      if (isReverse) {
        left -= this.#visitDown(leaf, index, left, visitor);
        leaf = tree.pages.before(leaf);
        index = leaf === 0 ? 0 : tree.pages.length(leaf) - 1;
      } else {
        left -= this.#visitUp(leaf, index, left, visitor);
        leaf = tree.pages.behind(leaf);
        index = 0;
      }
    }
  }

  /**
   * Visits, up to where it is full, what a sieve wants of the members with scores
   * from `min` to `end`, exclusive; members that it does not want are not read.
   */
  sift(root: number, min: number, end: number, sieve: ScoreSieve): void {
    const { pages } = this.#tree;
    let leaf = this.#tree.leafFrom(treeOf(root), min);
    let { index } = this.#tree;
    while (leaf !== 0) {
      const words = this.#arena.i32[leaf >>> SEGMENT_SHIFT]!;
      const scores = this.#arena.f64[leaf >>> SEGMENT_SHIFT]!;
      const nodes = pages.nodesAt(leaf);
      const first = pages.scoresAt(leaf);
      const length = pages.length(leaf);
      for (let i = index; i < length; i++) {
        const score = scores[first + i]!;
        if (score >= end) return;
        if (!sieve.wants(score)) continue;
        this.#visitNode(words[nodes + i]!, score, sieve);
        if (sieve.isFull) return;
      }
      leaf = pages.behind(leaf);
      index = 0;
    }
  }

  /** Visits up to `most` members of a leaf; returns how many. */
  #visitUp(
    leaf: number,
    from: number,
    most: number,
    visitor: ScoredVisitor,
  ): number {
    const { pages } = this.#tree;
    const words = this.#arena.i32[leaf >>> SEGMENT_SHIFT]!;
    const scores = this.#arena.f64[leaf >>> SEGMENT_SHIFT]!;
    const nodes = pages.nodesAt(leaf);
    const first = pages.scoresAt(leaf);
    const count = Math.min(most, pages.length(leaf) - from);
    for (let i = from, end = from + count; i < end; i++) {
      this.#visitNode(words[nodes + i]!, scores[first + i]!, visitor);
    }
    return count;
  }

  #visitDown(
    leaf: number,
    from: number,
    most: number,
    visitor: ScoredVisitor,
  ): number {
    const { pages } = this.#tree;
    const words = this.#arena.i32[leaf >>> SEGMENT_SHIFT]!;
    const scores = this.#arena.f64[leaf >>> SEGMENT_SHIFT]!;
    const nodes = pages.nodesAt(leaf);
    const first = pages.scoresAt(leaf);
    const count = Math.min(most, from + 1);
    for (let i = from, end = from - count; i > end; i--) {
      this.#visitNode(words[nodes + i]!, scores[first + i]!, visitor);
    }
    return count;
  }

  #visitNode(node: number, score: number, visitor: ScoredVisitor): void {
    const segment = node >>> SEGMENT_SHIFT;
    const at = node & UNIT_MASK;
    const words = this.#arena.i32[segment]!;
    visitor.member(
      this.#arena.u8[segment]!,
      (at << 3) + MEMBER_OFFSET,
      words[(at << 1) + NODE_KEY]! & KEY_LENGTH_MASK,
      score,
      words,
    );
  }

  /** Visits the members of one cursor position; see `Dict.scan`. */
  scan(root: number, cursor: number, visitor: ScoredVisitor): number {
    return this.nodes.scan(
      root,
      cursor,
      (node) => this.#visitNode(node, this.nodes.double(node), visitor),
    );
  }

  /** About how many allocations there are. */
  weight(root: number): number {
    return this.nodes.count(root) + this.#tree.pageCount(treeOf(root)) + 1;
  }

  /** Frees about `budget` allocations; says whether nothing is left. */
  freeSlice(root: number, budget: number): boolean {
    if (!this.nodes.clearSlice(root, budget)) return false;
    if (!this.#tree.freeSlice(treeOf(root), budget)) return false;
    this.#heap.free(root);
    return true;
  }

  /** Bytes of everything; see {@linkcode NodeTable.bytes}. */
  bytes(root: number, samples: number): number {
    return (this.#heap.unitsOf(root) << 3) + this.nodes.bytes(root, samples) +
      this.#tree.bytes(treeOf(root));
  }

  /** Checks that table and tree agree; for tests. */
  verify(root: number): void {
    this.#tree.verify(treeOf(root));
    assert(
      this.#tree.count(treeOf(root)) === this.nodes.count(root),
      "table and tree have the same members",
    );
    this.nodes.verify(root);
  }

  /** Gives the members of the batch their places in the tree. */
  #placeBatch(root: number): void {
    const count = this.#batched;
    this.#batched = 0;
    this.#tree.extend(
      treeOf(root),
      this.#direction === DOWNWARDS,
      this.#scores,
      this.#loaded,
      count,
    );
  }

  /** Whether a member comes before another one, whose score is passed too. */
  #isBelow(node: number, other: number, score: number): boolean {
    const { nodes } = this;
    const before = nodes.double(node);
    if (before !== score) return before < score;
    return compareBytes(
      nodes.bytesOf(node),
      nodes.keyOff(node),
      nodes.keyLength(node),
      nodes.bytesOf(other),
      nodes.keyOff(other),
      nodes.keyLength(other),
    ) < 0;
  }

  #makeNode(
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
    score: number,
  ): number {
    const node = this.nodes.makeNode(buf, off, length, hash, true, 0);
    this.nodes.setDouble(node, score);
    return node;
  }

  #countBelow(root: number, bound: LexBound, orEqual: boolean): number {
    if (bound.kind === LEAST_BOUND) return 0;
    if (bound.kind === GREATEST_BOUND) return this.nodes.count(root);
    const { buf, off, length } = bound;
    return this.#tree.countBelowKey(treeOf(root), buf, off, length, orEqual);
  }
}

/** Reference of the header of the tree. */
function treeOf(root: number): number {
  return root + TABLE_UNITS;
}
