/**
 * Pages of an ordered tree (ordered_tree.ts): leaves and branches, their columns
 * and how entries and children move between them.
 *
 * ```text
 * leaf     [ entries ][ capacity ][ leaf before ][ leaf behind ]
 *          [ score, a double ] x capacity   [ node ] x capacity
 * branch   [ children ][ - ][ - ][ - ]
 *          [ least score in the child ] x 50   [ child ] x 50
 *          [ entries in the child ] x 50       [ node of its least entry ] x 50
 * ```
 *
 * Scores begin at the same place in both, so that one search serves them. All
 * moves are loops, since `copyWithin` takes longer to begin than a page to move.
 *
 * @module
 */

import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "./arena.ts";
import type { Heap } from "./heap.ts";

/** Word of a page: its entries or children. */
export const LENGTH = 0;
/** Word of a leaf: entries that it has room for. */
export const CAPACITY = 1;
/** Word of a leaf: the one before, or 0. */
const BEFORE = 2;
/** Word of a leaf: the one behind, or 0. */
const BEHIND = 3;
/** Words before the scores. */
export const PAGE_WORDS = 4;
/** Units before the scores. */
export const SCORES = 2;

/** Entries of a leaf. */
export const LEAF_ENTRIES = 62;
/** Entries of the smallest leaf. */
export const LEAF_ENTRIES_MIN = 8;
/** Units of a leaf. */
export const LEAF_UNITS = 96;
/** Children of a branch. */
export const CHILDREN = 50;
/** Units of a branch. */
export const BRANCH_UNITS = 128;
/** Word of a branch: the first of its children. */
export const CHILD: number = PAGE_WORDS + 2 * CHILDREN;
/** Word of a branch: how many entries the first child has. */
export const COUNT: number = CHILD + CHILDREN;
/** Word of a branch: node of the least entry of the first child. */
export const LEAST: number = COUNT + CHILDREN;

/** Operations on the pages of one heap. */
export class TreePages {
  readonly #heap: Heap;
  readonly #i32: Int32Array[];
  readonly #f64: Float64Array[];

  /** One object per heap. */
  constructor(arena: Arena, heap: Heap) {
    this.#heap = heap;
    this.#i32 = arena.i32;
    this.#f64 = arena.f64;
  }

  /** An empty leaf, linked to none; may throw OutOfMemory. */
  makeLeaf(capacity: number): number {
    const units = capacity === LEAF_ENTRIES ? LEAF_UNITS : leafUnits(capacity);
    const leaf = this.#heap.allocate(units);
    const words = this.#i32[leaf >>> SEGMENT_SHIFT]!;
    const base = (leaf & UNIT_MASK) << 1;
    words[base + LENGTH] = 0;
    words[base + CAPACITY] = capacity;
    words[base + BEFORE] = 0;
    words[base + BEHIND] = 0;
    return leaf;
  }

  /** An empty branch; may throw OutOfMemory. */
  makeBranch(): number {
    const branch = this.#heap.allocate(BRANCH_UNITS);
    this.setWord(branch, LENGTH, 0);
    return branch;
  }

  /** Gives a page back. */
  free(page: number): void {
    this.#heap.free(page);
  }

  /** A word of a page. */
  word(page: number, index: number): number {
    return this.#i32[page >>> SEGMENT_SHIFT]![
      ((page & UNIT_MASK) << 1) + index
    ]!;
  }

  /** Sets a word of a page. */
  setWord(page: number, index: number, value: number): void {
    this.#i32[page >>> SEGMENT_SHIFT]![
      ((page & UNIT_MASK) << 1) + index
    ] = value;
  }

  /** Adds to a word of a page. */
  addWord(page: number, index: number, by: number): void {
    const words = this.#i32[page >>> SEGMENT_SHIFT]!;
    const at = ((page & UNIT_MASK) << 1) + index;
    words[at] = words[at]! + by;
  }

  /** Entries of a leaf, children of a branch. */
  length(page: number): number {
    return this.word(page, LENGTH);
  }

  /** The leaf before, or 0. */
  before(leaf: number): number {
    return this.word(leaf, BEFORE);
  }

  /** The leaf behind, or 0. */
  behind(leaf: number): number {
    return this.word(leaf, BEHIND);
  }

  /** Score of an entry, or the least one of a child. */
  score(page: number, index: number): number {
    return this
      .#f64[page >>> SEGMENT_SHIFT]![(page & UNIT_MASK) + SCORES + index]!;
  }

  /** Sets the score of an entry. */
  setScore(leaf: number, index: number, score: number): void {
    const scores = this.#f64[leaf >>> SEGMENT_SHIFT]!;
    scores[(leaf & UNIT_MASK) + SCORES + index] = score;
  }

  /** Node of an entry. */
  node(leaf: number, index: number): number {
    return this.#i32[leaf >>> SEGMENT_SHIFT]![this.nodesAt(leaf) + index]!;
  }

  /** Index of the first node of a leaf in its segment's word view. */
  nodesAt(leaf: number): number {
    const base = (leaf & UNIT_MASK) << 1;
    return base + PAGE_WORDS +
      2 * this.#i32[leaf >>> SEGMENT_SHIFT]![base + CAPACITY]!;
  }

  /** Index of the first score of a page in its segment's double view. */
  scoresAt(page: number): number {
    return (page & UNIT_MASK) + SCORES;
  }

  /** Notes the least entry of a child. */
  setLeast(branch: number, slot: number, score: number, node: number): void {
    this.setScore(branch, slot, score);
    this.setWord(branch, LEAST + slot, node);
  }

  /** Puts an entry into a leaf that is not full. */
  put(leaf: number, index: number, score: number, node: number): void {
    const words = this.#i32[leaf >>> SEGMENT_SHIFT]!;
    const scores = this.#f64[leaf >>> SEGMENT_SHIFT]!;
    const base = (leaf & UNIT_MASK) << 1;
    const length = words[base + LENGTH]!;
    const nodes = this.nodesAt(leaf);
    const first = this.scoresAt(leaf);
    for (let i = first + length, end = first + index; i > end; i--) {
      scores[i] = scores[i - 1]!;
    }
    scores[first + index] = score;
    for (let i = nodes + length, end = nodes + index; i > end; i--) {
      words[i] = words[i - 1]!;
    }
    words[nodes + index] = node;
    words[base + LENGTH] = length + 1;
  }

  /**
   * Puts entries behind those of a leaf that has room for them, or before, and
   * then the first of them comes last.
   */
  putMany(
    leaf: number,
    atFront: boolean,
    scores: Float64Array,
    nodes: Int32Array,
    from: number,
    count: number,
  ): void {
    const length = this.word(leaf, LENGTH);
    if (atFront) this.copyEntries(leaf, 0, leaf, count, length);
    const intoScores = this.#f64[leaf >>> SEGMENT_SHIFT]!;
    const intoNodes = this.#i32[leaf >>> SEGMENT_SHIFT]!;
    const step = atFront ? -1 : 1;
    let index = atFront ? count - 1 : length;
    const firstScore = this.scoresAt(leaf);
    const firstNode = this.nodesAt(leaf);
    for (let i = from; i < from + count; i++, index += step) {
      intoScores[firstScore + index] = scores[i]!;
      intoNodes[firstNode + index] = nodes[i]!;
    }
    this.setWord(leaf, LENGTH, length + count);
  }

  /** Takes entries out of a leaf. */
  cut(leaf: number, index: number, count: number): void {
    const left = this.word(leaf, LENGTH) - count;
    this.copyEntries(leaf, index + count, leaf, index, left - index);
    this.setWord(leaf, LENGTH, left);
  }

  /** Moves the entries from `kept` on from a leaf to an empty one. */
  splitEntries(leaf: number, kept: number, made: number): void {
    const moved = this.word(leaf, LENGTH) - kept;
    this.copyEntries(leaf, kept, made, 0, moved);
    this.setWord(leaf, LENGTH, kept);
    this.setWord(made, LENGTH, moved);
  }

  /** Moves the children from `kept` on from a branch to an empty one. */
  splitChildren(branch: number, kept: number, made: number): void {
    const moved = this.word(branch, LENGTH) - kept;
    this.copyChildren(branch, kept, made, 0, moved);
    this.setWord(branch, LENGTH, kept);
    this.setWord(made, LENGTH, moved);
  }

  /** Entries below a branch. */
  countOf(branch: number): number {
    const length = this.word(branch, LENGTH);
    let count = 0;
    for (let i = 0; i < length; i++) count += this.word(branch, COUNT + i);
    return count;
  }

  /** Adds a child to a branch that is not full. */
  addChild(
    branch: number,
    slot: number,
    child: number,
    count: number,
    score: number,
    node: number,
  ): void {
    const length = this.word(branch, LENGTH);
    this.copyChildren(branch, slot, branch, slot + 1, length - slot);
    this.setWord(branch, CHILD + slot, child);
    this.setWord(branch, COUNT + slot, count);
    this.setLeast(branch, slot, score, node);
    this.setWord(branch, LENGTH, length + 1);
  }

  /** Takes a child out of a branch. */
  removeChild(branch: number, slot: number): void {
    const left = this.word(branch, LENGTH) - 1;
    this.copyChildren(branch, slot + 1, branch, slot, left - slot);
    this.setWord(branch, LENGTH, left);
  }

  /** Puts a leaf behind another one in the chain. */
  link(leaf: number, made: number): void {
    const behind = this.word(leaf, BEHIND);
    this.setWord(made, BEFORE, leaf);
    this.setWord(made, BEHIND, behind);
    this.setWord(leaf, BEHIND, made);
    if (behind !== 0) this.setWord(behind, BEFORE, made);
  }

  /** Takes a leaf out of the chain. */
  unlink(leaf: number): void {
    const before = this.word(leaf, BEFORE);
    const behind = this.word(leaf, BEHIND);
    if (before !== 0) this.setWord(before, BEHIND, behind);
    if (behind !== 0) this.setWord(behind, BEFORE, before);
  }

  /** Copies entries between leaves, or inside one. */
  copyEntries(
    from: number,
    fromIndex: number,
    to: number,
    toIndex: number,
    count: number,
  ): void {
    const fromWords = this.#i32[from >>> SEGMENT_SHIFT]!;
    const toWords = this.#i32[to >>> SEGMENT_SHIFT]!;
    const fromBase = (from & UNIT_MASK) << 1;
    const toBase = (to & UNIT_MASK) << 1;
    this.#copyScores(from, fromIndex, to, toIndex, count);
    copyWords(
      fromWords,
      fromBase + PAGE_WORDS + 2 * fromWords[fromBase + CAPACITY]! + fromIndex,
      toWords,
      toBase + PAGE_WORDS + 2 * toWords[toBase + CAPACITY]! + toIndex,
      count,
    );
  }

  /** Copies the columns of children between branches, or inside one. */
  copyChildren(
    from: number,
    fromSlot: number,
    to: number,
    toSlot: number,
    count: number,
  ): void {
    const fromWords = this.#i32[from >>> SEGMENT_SHIFT]!;
    const toWords = this.#i32[to >>> SEGMENT_SHIFT]!;
    const fromAt = ((from & UNIT_MASK) << 1) + fromSlot;
    const toAt = ((to & UNIT_MASK) << 1) + toSlot;
    this.#copyScores(from, fromSlot, to, toSlot, count);
    for (let column = CHILD; column <= LEAST; column += CHILDREN) {
      copyWords(fromWords, fromAt + column, toWords, toAt + column, count);
    }
  }

  #copyScores(
    from: number,
    fromIndex: number,
    to: number,
    toIndex: number,
    count: number,
  ): void {
    const fromScores = this.#f64[from >>> SEGMENT_SHIFT]!;
    const toScores = this.#f64[to >>> SEGMENT_SHIFT]!;
    const fromAt = (from & UNIT_MASK) + SCORES + fromIndex;
    const toAt = (to & UNIT_MASK) + SCORES + toIndex;
    if (from !== to || toAt <= fromAt) {
      for (let i = 0; i < count; i++) {
        toScores[toAt + i] = fromScores[fromAt + i]!;
      }
    } else {
      for (let i = count - 1; i >= 0; i--) {
        toScores[toAt + i] = fromScores[fromAt + i]!;
      }
    }
  }
}

function leafUnits(capacity: number): number {
  return SCORES + capacity + ((capacity + 1) >> 1);
}

/** Words may overlap if both are of one page. */
function copyWords(
  from: Int32Array,
  fromAt: number,
  to: Int32Array,
  toAt: number,
  count: number,
): void {
  if (toAt <= fromAt) {
    for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i]!;
  } else {
    for (let i = count - 1; i >= 0; i--) to[toAt + i] = from[fromAt + i]!;
  }
}
