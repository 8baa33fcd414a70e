/**
 * The chunks of a large list in their order, with the elements of each.
 *
 * ```text
 * root   words 0-3   header of a counted tree of chunks        (counted_tree.ts)
 *        word 4      first chunk, 0 if it must be looked up
 *        word 5      elements that it has and the tree does not know of
 *        words 6, 7  the same of the last chunk
 * ```
 *
 * Invariant: an item of the tree counts for the elements of its chunk, words 5
 * and 7 apart.
 *
 * What comes and goes at an end of a list changes its chunk and a word of the
 * root. The tree is told ({@linkcode ChunkSequence.tell}) before anything else of
 * it is used or changed; who only reads goes by {@linkcode ChunkSequence.seek} and
 * the like, which take the two words into account, for a list that is shared must
 * not be written to.
 *
 * @module
 */

import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "../memory/arena.ts";
import {
  CountedTree,
  TREE_HEADER_UNITS,
  TREE_TOTAL,
  TreeCursor,
} from "../memory/counted_tree.ts";
import type { Heap } from "../memory/heap.ts";

const ROOT_UNITS = TREE_HEADER_UNITS + 2;
/** Word of the first chunk; the elements that the tree does not know follow. */
export const SEQUENCE_FIRST = 4;
/** Word of the last chunk. */
export const SEQUENCE_LAST = 6;
const FIRST = SEQUENCE_FIRST;
const LAST = SEQUENCE_LAST;

/** Operations on the sequences of one heap, by their roots. */
export class ChunkSequence {
  /** To be used once it was told. */
  readonly tree: CountedTree;
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #cursor = new TreeCursor();

  /** `heap` gets and gives the memory. */
  constructor(arena: Arena, heap: Heap) {
    this.#arena = arena;
    this.#heap = heap;
    this.tree = new CountedTree(arena, heap);
  }

  /** A sequence without chunks. */
  create(): number {
    const root = this.#heap.allocate(ROOT_UNITS);
    const words = this.#arena.i32[root >>> SEGMENT_SHIFT]!;
    const at = (root & UNIT_MASK) << 1;
    this.tree.initialize(root);
    words.fill(0, at + FIRST, at + ROOT_UNITS * 2);
    return root;
  }

  /** Elements of all chunks. */
  length(root: number): number {
    const words = this.#arena.i32[root >>> SEGMENT_SHIFT]!;
    const at = (root & UNIT_MASK) << 1;
    return words[at + TREE_TOTAL]! + words[at + FIRST + 1]! +
      words[at + LAST + 1]!;
  }

  /** The chunk at an end, or 0. */
  chunkAt(root: number, atHead: boolean): number {
    const known = this.#arena.i32[root >>> SEGMENT_SHIFT]![
      ((root & UNIT_MASK) << 1) + (atHead ? FIRST : LAST)
    ]!;
    if (known !== 0) return known;
    return this.tree.toEnd(root, atHead, this.#cursor) ? this.#cursor.item : 0;
  }

  /** Notes that a chunk at an end has more elements, or less. */
  count(root: number, atHead: boolean, chunk: number, change: number): void {
    const words = this.#arena.i32[root >>> SEGMENT_SHIFT]!;
    const at = ((root & UNIT_MASK) << 1) + (atHead ? FIRST : LAST);
    words[at] = chunk;
    words[at + 1] = words[at + 1]! + change;
  }

  /** Tells the tree of what came and went at the ends, and forgets the ends. */
  tell(root: number): void {
    const words = this.#arena.i32[root >>> SEGMENT_SHIFT]!;
    const at = (root & UNIT_MASK) << 1;
    for (let end = at + FIRST; end <= at + LAST; end += LAST - FIRST) {
      if (words[end] === 0) continue;
      const change = words[end + 1]!;
      words[end] = 0;
      words[end + 1] = 0;
      if (change === 0) continue;
      this.tree.toEnd(root, end === at + FIRST, this.#cursor);
      this.tree.add(root, this.#cursor, change);
    }
  }

  /** As {@linkcode CountedTree.seek}, by what is there. */
  seek(root: number, index: number, cursor: TreeCursor): void {
    const words = this.#arena.i32[root >>> SEGMENT_SHIFT]!;
    const at = (root & UNIT_MASK) << 1;
    const atFirst = words[at + FIRST + 1]!;
    const told = Math.max(0, index - atFirst);
    this.tree.seek(root, Math.min(told, this.tree.total(root) - 1), cursor);
    if (cursor.item === words[at + FIRST]) cursor.count += atFirst;
    else cursor.before += atFirst;
    if (cursor.item === words[at + LAST]) cursor.count += words[at + LAST + 1]!;
  }

  /** As {@linkcode CountedTree.toEnd}, by what is there. */
  toEnd(root: number, atHead: boolean, cursor: TreeCursor): boolean {
    const length = this.length(root);
    if (length === 0) return false;
    this.seek(root, atHead ? 0 : length - 1, cursor);
    return true;
  }

  /** As {@linkcode CountedTree.step}, by what is there. */
  step(root: number, cursor: TreeCursor, forward: boolean): boolean {
    if (!this.tree.step(root, cursor, forward)) return false;
    const words = this.#arena.i32[root >>> SEGMENT_SHIFT]!;
    const at = ((root & UNIT_MASK) << 1) + (forward ? LAST : FIRST);
    if (cursor.item === words[at]) {
      cursor.count += words[at + 1]!;
      if (!forward) cursor.before -= words[at + 1]!;
    }
    return true;
  }
}
