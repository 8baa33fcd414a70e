/**
 * Ordered trees in the arena: nodes in the order of their scores and, where
 * scores are equal, of their keys, with ranks.
 *
 * A counted B+tree. Each entry is a score and the reference of a node
 * (node.ts); scores stand beside each other, so that a search reads few cache
 * lines and looks at a key only where scores are equal.
 *
 * ```text
 * header (6 words)  [ top ][ height ][ leaves ][ branches ][ entries ][ - ]
 * top               a branch or, at height 0, a leaf   (tree_pages.ts)
 * ```
 *
 * Invariants: all leaves have the same depth, the height; no page is empty; a
 * branch notes the least entry of each child but the first, whose note is never
 * read; counts are exact; leaves are linked in order. A leaf that is the whole
 * tree may be small, and doubles until it has the full size.
 *
 * Full pages are split on the way down, so that a split always finds room above
 * it, and a split alone leaves a good tree: an insertion may run out of memory
 * at any point before it has put the entry in, and nothing is lost. At the ends
 * a page is split unevenly, so that entries which come in order fill pages up. A
 * page that is three quarters empty is merged with a neighbour where both
 * together leave a quarter free, and dropped once it is empty; as pages are
 * never filled up from neighbours, taking entries from one end costs nothing but
 * the entries.
 *
 * The trees that one object serves are named by the references of their headers,
 * all zero for an empty tree. Scores are never NaN; zeros of either sign are
 * equal.
 *
 * Cost: insert, remove, rank and select are O(log n); 12 bytes per entry where
 * pages are full, about 18 after insertions at random.
 *
 * Source: Comer, "The Ubiquitous B-Tree" (1979).
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "./arena.ts";
import type { Heap } from "./heap.ts";
import {
  BRANCH_UNITS,
  CAPACITY,
  CHILD,
  CHILDREN,
  COUNT,
  LEAF_ENTRIES,
  LEAF_ENTRIES_MIN,
  LEAF_UNITS,
  LEAST,
  LENGTH,
  TreePages,
} from "./tree_pages.ts";
import { TreeSearch } from "./tree_search.ts";

/** Units of a tree's header. */
export const TREE_HEADER_UNITS = 3;

/** Header words. */
const TOP = 0;
const HEIGHT = 1;
const LEAVES = 2;
const BRANCHES = 3;
const ENTRIES = 4;

/** No tree of 2^31 entries is as high. */
const HEIGHT_MAX = 16;

/** Takes the nodes that a removal took out. */
export type RemovedNode = (node: number) => void;

/** Operations on the trees of one heap. */
export class OrderedTree {
  /** Place in the leaf that {@linkcode OrderedTree.leafOf} found. */
  index = 0;
  /** The pages of all trees. */
  readonly pages: TreePages;
  readonly #heap: Heap;
  readonly #search: TreeSearch;
  readonly #i32: Int32Array[];
  /** The branches from the top down, and which child was taken in each. */
  #path = new Int32Array(HEIGHT_MAX);
  #slots = new Int32Array(HEIGHT_MAX);
  /** Another path, see {@linkcode OrderedTree.move}. */
  #otherPath = new Int32Array(HEIGHT_MAX);
  #otherSlots = new Int32Array(HEIGHT_MAX);
  /** Where the search has ended in the page that was split last. */
  #place = 0;
  /** Whether the last insertion has changed more pages than one leaf. */
  #hasSplit = false;

  /** One object serves all trees of a heap. */
  constructor(arena: Arena, heap: Heap) {
    this.#heap = heap;
    this.pages = new TreePages(arena, heap);
    this.#search = new TreeSearch(arena);
    this.#i32 = arena.i32;
  }

  /** Entries of a tree. */
  count(header: number): number {
    return this.pages.word(header, ENTRIES);
  }

  /** Puts in a node that is not in the tree; may throw before it has. */
  insert(header: number, score: number, node: number): void {
    this.#search.upToEntry(score, node);
    this.#insert(header, score, node);
  }

  /** As {@linkcode OrderedTree.insert}, for one that belongs at the end. */
  append(header: number, score: number, node: number): void {
    this.#search.toTheEnd();
    this.#insert(header, score, node);
  }

  /**
   * Puts in `count` nodes one after the other, each of which belongs at the end,
   * or, if `atFront`, at the beginning; may throw when some are in.
   */
  extend(
    header: number,
    atFront: boolean,
    scores: Float64Array,
    nodes: Int32Array,
    count: number,
  ): void {
    const { pages } = this;
    for (let i = 0; i < count;) {
      if (atFront) this.#search.toTheFront();
      else this.#search.toTheEnd();
      const leaf = this.#insert(header, scores[i]!, nodes[i]!);
      i++;
      // Whatever else the leaf has room for belongs there too.
      const room = pages.word(leaf, CAPACITY) - pages.length(leaf);
      const more = Math.min(room, count - i);
      pages.putMany(leaf, atFront, scores, nodes, i, more);
      const height = pages.word(header, HEIGHT);
      for (let level = 0; level < height; level++) {
        pages.addWord(this.#path[level]!, COUNT + this.#slots[level]!, more);
      }
      pages.addWord(header, ENTRIES, more);
      i += more;
    }
  }

  /** Takes a node out, which must be in the tree with this score. */
  remove(header: number, score: number, node: number): void {
    this.#search.upToEntry(score, node);
    const leaf = this.#descend(header);
    this.#cut(header, leaf, this.#entryIn(leaf, node), 1);
  }

  /**
   * Gives a node of the tree another score, which is not equal; may throw before
   * it has. The entry stays where it is if its neighbours' scores allow it.
   */
  move(header: number, score: number, node: number, to: number): void {
    this.#search.upToEntry(score, node);
    const leaf = this.#descend(header);
    const index = this.#entryIn(leaf, node);
    if (this.#fitsBetween(leaf, index, to)) {
      this.pages.setScore(leaf, index, to);
      if (index === 0) {
        this.#noteLeast(this.pages.word(header, HEIGHT), to, node);
      }
      return;
    }
    this.#exchangePaths();
    this.insert(header, to, node);
    this.#exchangePaths();
    if (this.#hasSplit) return this.remove(header, score, node);
    // The old entry is where it was, or one place behind.
    const isThere = this.pages.node(leaf, index) === node &&
      this.pages.score(leaf, index) === score;
    this.#cut(header, leaf, isThere ? index : index + 1, 1);
  }

  /** Rank of a node that is in the tree with this score; the least has 0. */
  rank(header: number, score: number, node: number): number {
    this.#search.upToEntry(score, node);
    return this.#countPassed(header) - 1;
  }

  /** Entries whose score is less than one, or, with `orEqual`, that one. */
  countBelowScore(header: number, score: number, orEqual: boolean): number {
    this.#search.belowScore(score, orEqual);
    return this.#countPassed(header);
  }

  /**
   * Entries whose key is less than one, or, with `orEqual`, that one, in a tree
   * all of whose scores are equal.
   */
  countBelowKey(
    header: number,
    buf: Uint8Array,
    off: number,
    length: number,
    orEqual: boolean,
  ): number {
    this.#search.belowKey(buf, off, length, orEqual);
    return this.#countPassed(header);
  }

  /**
   * The first node with which a search would compare a long key although their
   * order is not known (known_keys.ts), or 0: a search among those of a score, or
   * by keys alone, with or without an equal one, if that is NaN. `node` has the key
   * already, or is 0.
   */
  firstUnknown(
    header: number,
    score: number,
    node: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    this.#search.beginTrial(score, node, buf, off, length);
    this.#countPassed(header);
    if (Number.isNaN(score)) {
      // Behind an equal key the search goes another way.
      this.#search.tryUpToKey();
      this.#countPassed(header);
    }
    return this.#search.endTrial();
  }

  /** The leaf of an entry by its rank; `index` is its place there. */
  leafOf(header: number, rank: number): number {
    const words = this.#i32[header >>> SEGMENT_SHIFT]!;
    const at = (header & UNIT_MASK) << 1;
    const height = words[at + HEIGHT]!;
    let page = words[at + TOP]!;
    let left = rank;
    for (let level = 0; level < height; level++) {
      const branch = this.#i32[page >>> SEGMENT_SHIFT]!;
      const base = (page & UNIT_MASK) << 1;
      let slot = 0;
      while (left >= branch[base + COUNT + slot]!) {
        left -= branch[base + COUNT + slot]!;
        slot++;
      }
      this.#path[level] = page;
      this.#slots[level] = slot;
      page = branch[base + CHILD + slot]!;
    }
    this.index = left;
    return page;
  }

  /**
   * The leaf with the first entry whose score is not less than one, or, if that
   * is the first of a leaf, the leaf before; 0 for an empty tree. `index` is the
   * place there, perhaps behind the last entry.
   */
  leafFrom(header: number, score: number): number {
    if (this.pages.word(header, TOP) === 0) return 0;
    this.#search.belowScore(score, false);
    const leaf = this.#descend(header);
    this.index = this.#search.indexIn(leaf);
    return leaf;
  }

  /** Takes out the entries of ranks `from` to `to`, exclusive. */
  removeRange(
    header: number,
    from: number,
    to: number,
    removed: RemovedNode,
  ): void {
    for (let left = to - from; left > 0;) {
      const leaf = this.leafOf(header, from);
      const { index } = this;
      const count = Math.min(left, this.pages.length(leaf) - index);
      for (let i = 0; i < count; i++) removed(this.pages.node(leaf, index + i));
      this.#cut(header, leaf, index, count);
      left -= count;
    }
  }

  /**
   * Frees about `budget` pages; says whether none are left. The nodes are the
   * caller's; what is left is no tree any more.
   */
  freeSlice(header: number, budget: number): boolean {
    const words = this.#i32[header >>> SEGMENT_SHIFT]!;
    const at = (header & UNIT_MASK) << 1;
    const top = words[at + TOP]!;
    if (top === 0) return true;
    for (let left = budget; left > 0; left--) {
      if (this.#freeLast(top, words[at + HEIGHT]!)) {
        words.fill(0, at, at + 2 * TREE_HEADER_UNITS);
        return true;
      }
    }
    return false;
  }

  /** Pages of a tree. */
  pageCount(header: number): number {
    return this.pages.word(header, LEAVES) +
      this.pages.word(header, BRANCHES);
  }

  /** Bytes of all pages. */
  bytes(header: number): number {
    const words = this.#i32[header >>> SEGMENT_SHIFT]!;
    const at = (header & UNIT_MASK) << 1;
    if (words[at + TOP] === 0) return 0;
    if (words[at + HEIGHT] === 0) {
      return this.#heap.unitsOf(words[at + TOP]!) << 3;
    }
    return (words[at + LEAVES]! * LEAF_UNITS +
      words[at + BRANCHES]! * BRANCH_UNITS) * 8;
  }

  /** Checks the invariants; for tests. */
  verify(header: number): void {
    const words = this.#i32[header >>> SEGMENT_SHIFT]!;
    const at = (header & UNIT_MASK) << 1;
    const top = words[at + TOP]!;
    const found: Found = { leaves: 0, branches: 0, last: 0 };
    const count = top === 0
      ? 0
      : this.#verifyPage(top, words[at + HEIGHT]!, found);
    assert(count === words[at + ENTRIES], "entries are counted");
    assert(found.leaves === words[at + LEAVES], "leaves are counted");
    assert(found.branches === words[at + BRANCHES], "branches are counted");
    if (found.last !== 0) {
      assert(
        this.pages.behind(found.last) === 0,
        "the last leaf ends the chain",
      );
    }
  }

  /** The place of the node that was looked for. */
  #entryIn(leaf: number, node: number): number {
    const index = this.#search.indexIn(leaf) - 1;
    assert(
      index >= 0 && this.pages.node(leaf, index) === node,
      "a node is where its score says",
    );
    return index;
  }

  /** Goes down to the leaf where the search ends, and notes the path. */
  #descend(header: number): number {
    const words = this.#i32[header >>> SEGMENT_SHIFT]!;
    const at = (header & UNIT_MASK) << 1;
    const height = words[at + HEIGHT]!;
    let page = words[at + TOP]!;
    for (let level = 0; level < height; level++) {
      const slot = this.#search.slotIn(page);
      this.#path[level] = page;
      this.#slots[level] = slot;
      page = this.pages.word(page, CHILD + slot);
    }
    return page;
  }

  /** How many entries the search passes over. */
  #countPassed(header: number): number {
    const words = this.#i32[header >>> SEGMENT_SHIFT]!;
    const at = (header & UNIT_MASK) << 1;
    const height = words[at + HEIGHT]!;
    let page = words[at + TOP]!;
    if (page === 0) return 0;
    let passed = 0;
    for (let level = 0; level < height; level++) {
      const slot = this.#search.slotIn(page);
      const branch = this.#i32[page >>> SEGMENT_SHIFT]!;
      const base = (page & UNIT_MASK) << 1;
      for (let i = 0; i < slot; i++) passed += branch[base + COUNT + i]!;
      page = branch[base + CHILD + slot]!;
    }
    return passed + this.#search.indexIn(page);
  }

  #exchangePaths(): void {
    const path = this.#path;
    const slots = this.#slots;
    this.#path = this.#otherPath;
    this.#slots = this.#otherSlots;
    this.#otherPath = path;
    this.#otherSlots = slots;
  }

  /** Whether an entry may have another score without leaving its place. */
  #fitsBetween(leaf: number, index: number, score: number): boolean {
    if (index > 0) {
      if (this.pages.score(leaf, index - 1) >= score) return false;
    } else {
      const before = this.pages.before(leaf);
      if (
        before !== 0 &&
        this.pages.score(before, this.pages.length(before) - 1) >= score
      ) return false;
    }
    if (index + 1 < this.pages.length(leaf)) {
      return this.pages.score(leaf, index + 1) > score;
    }
    const behind = this.pages.behind(leaf);
    return behind === 0 || this.pages.score(behind, 0) > score;
  }

  /** Puts an entry where the search ends; returns the leaf, whose path is noted. */
  #insert(header: number, score: number, node: number): number {
    const words = this.#i32[header >>> SEGMENT_SHIFT]!;
    const at = (header & UNIT_MASK) << 1;
    const { pages } = this;
    this.#hasSplit = this.#makeRoomAtTop(header);
    const height = words[at + HEIGHT]!;
    let page = words[at + TOP]!;
    let isFirst = true;
    let isLast = true;
    // Where the search ends in the page, if that is known: to search in the half of
    // a page would be to compare with others.
    let place = -1;
    for (let level = 0; level < height; level++) {
      let slot = place < 0 ? this.#search.slotIn(page) : place;
      place = -1;
      const isLeaf = level === height - 1;
      isFirst = isFirst && slot === 0;
      isLast = isLast && slot === pages.length(page) - 1;
      let child = pages.word(page, CHILD + slot);
      if (pages.length(child) === (isLeaf ? LEAF_ENTRIES : CHILDREN)) {
        this.#hasSplit = true;
        const kept = isLeaf
          ? this.#splitLeaf(header, page, slot, isFirst, isLast)
          : this.#splitBranch(header, page, slot, isFirst, isLast);
        place = this.#place;
        if (isLeaf ? place > kept : place >= kept) {
          place -= kept;
          slot++;
          child = pages.word(page, CHILD + slot);
          isFirst = false;
        } else isLast = false;
      }
      this.#path[level] = page;
      this.#slots[level] = slot;
      page = child;
    }
    if (place < 0) place = this.#search.indexIn(page);
    pages.put(page, place, score, node);
    for (let level = 0; level < height; level++) {
      pages.addWord(this.#path[level]!, COUNT + this.#slots[level]!, 1);
    }
    words[at + ENTRIES] = words[at + ENTRIES]! + 1;
    return page;
  }

  /** Gives the tree a top that is not full; says whether that is new. */
  #makeRoomAtTop(header: number): boolean {
    const words = this.#i32[header >>> SEGMENT_SHIFT]!;
    const at = (header & UNIT_MASK) << 1;
    const { pages } = this;
    const top = words[at + TOP]!;
    if (top === 0) {
      words[at + TOP] = pages.makeLeaf(LEAF_ENTRIES_MIN);
      words[at + LEAVES] = 1;
      return true;
    }
    const length = pages.length(top);
    if (words[at + HEIGHT] === 0) {
      const capacity = pages.word(top, CAPACITY);
      if (length < capacity) return false;
      if (capacity < LEAF_ENTRIES) {
        const made = pages.makeLeaf(Math.min(capacity * 2, LEAF_ENTRIES));
        pages.splitEntries(top, 0, made);
        words[at + TOP] = made;
        pages.free(top);
        return true;
      }
    } else if (length < CHILDREN) return false;
    const branch = pages.makeBranch();
    pages.addChild(branch, 0, top, words[at + ENTRIES]!, 0, 0);
    words[at + TOP] = branch;
    words[at + HEIGHT] = words[at + HEIGHT]! + 1;
    words[at + BRANCHES] = words[at + BRANCHES]! + 1;
    return true;
  }

  /**
   * Splits a full leaf, the child of a branch that is not full, and returns how
   * many entries it keeps; notes where the search has ended in it.
   */
  #splitLeaf(
    header: number,
    branch: number,
    slot: number,
    isFirst: boolean,
    isLast: boolean,
  ): number {
    const { pages } = this;
    const leaf = pages.word(branch, CHILD + slot);
    const index = this.#search.indexIn(leaf);
    this.#place = index;
    let kept = LEAF_ENTRIES >> 1;
    if (isLast && index === LEAF_ENTRIES) kept = LEAF_ENTRIES - 1;
    else if (isFirst && index === 0) kept = 1;
    const made = pages.makeLeaf(LEAF_ENTRIES);
    const moved = LEAF_ENTRIES - kept;
    pages.splitEntries(leaf, kept, made);
    pages.link(leaf, made);
    pages.addWord(branch, COUNT + slot, -moved);
    pages.addChild(
      branch,
      slot + 1,
      made,
      moved,
      pages.score(made, 0),
      pages.node(made, 0),
    );
    pages.addWord(header, LEAVES, 1);
    return kept;
  }

  /** As {@linkcode OrderedTree.#splitLeaf}, of a full branch. */
  #splitBranch(
    header: number,
    branch: number,
    slot: number,
    isFirst: boolean,
    isLast: boolean,
  ): number {
    const { pages } = this;
    const child = pages.word(branch, CHILD + slot);
    const next = this.#search.slotIn(child);
    this.#place = next;
    let kept = CHILDREN >> 1;
    if (isLast && next === CHILDREN - 1) kept = CHILDREN - 1;
    else if (isFirst && next === 0) kept = 1;
    const made = pages.makeBranch();
    pages.splitChildren(child, kept, made);
    const moved = pages.countOf(made);
    pages.addWord(branch, COUNT + slot, -moved);
    pages.addChild(
      branch,
      slot + 1,
      made,
      moved,
      pages.score(made, 0),
      pages.word(made, LEAST),
    );
    pages.addWord(header, BRANCHES, 1);
    return kept;
  }

  /**
   * Takes `count` entries from a leaf, whose path is noted, and merges or drops
   * pages that have become too small.
   */
  #cut(header: number, leaf: number, index: number, count: number): void {
    const { pages } = this;
    const height = pages.word(header, HEIGHT);
    pages.cut(leaf, index, count);
    for (let level = 0; level < height; level++) {
      pages.addWord(this.#path[level]!, COUNT + this.#slots[level]!, -count);
    }
    pages.addWord(header, ENTRIES, -count);
    const left = pages.length(leaf);
    if (index === 0 && left > 0) {
      this.#noteLeast(height, pages.score(leaf, 0), pages.node(leaf, 0));
    }
    if (left < LEAF_ENTRIES >> 2) this.#shrink(header, leaf, height);
  }

  /** Makes up for a leaf that has become small, from the leaf to the top. */
  #shrink(header: number, leaf: number, height: number): void {
    const { pages } = this;
    let page = leaf;
    for (let level = height - 1; level >= 0; level--) {
      const branch = this.#path[level]!;
      const slot = this.#slots[level]!;
      const isLeaf = level === height - 1;
      if (pages.length(page) === 0) {
        this.#dropChild(level, slot);
        this.#freePage(header, page, isLeaf);
      } else if (!this.#merge(header, level, isLeaf)) return;
      page = branch;
      if (pages.length(branch) >= CHILDREN >> 2) break;
    }
    this.#lowerTop(header);
  }

  /** A top with one child gives way to it; an empty one is dropped. */
  #lowerTop(header: number): void {
    const words = this.#i32[header >>> SEGMENT_SHIFT]!;
    const at = (header & UNIT_MASK) << 1;
    const { pages } = this;
    while (words[at + HEIGHT]! > 0) {
      const top = words[at + TOP]!;
      const length = pages.length(top);
      if (length > 1) return;
      words[at + TOP] = length === 0 ? 0 : pages.word(top, CHILD);
      words[at + HEIGHT] = length === 0 ? 0 : words[at + HEIGHT]! - 1;
      this.#freePage(header, top, false);
    }
    if (words[at + ENTRIES] === 0 && words[at + TOP] !== 0) {
      this.#freePage(header, words[at + TOP]!, true);
      words[at + TOP] = 0;
    }
  }

  /**
   * Merges the page below a branch of the path with the one behind or before it,
   * if both together leave a quarter free; says whether it did.
   */
  #merge(header: number, level: number, isLeaf: boolean): boolean {
    const { pages } = this;
    const branch = this.#path[level]!;
    const slot = this.#slots[level]!;
    const capacity = isLeaf ? LEAF_ENTRIES : CHILDREN;
    const most = capacity - (capacity >> 2);
    const end = pages.length(branch) - 1;
    for (let front = slot; front >= 0 && front >= slot - 1; front--) {
      if (front === end) continue;
      const length = pages.word(pages.word(branch, CHILD + front), LENGTH) +
        pages.word(pages.word(branch, CHILD + front + 1), LENGTH);
      if (length > most) continue;
      this.#mergeInto(header, level, front, isLeaf);
      return true;
    }
    return false;
  }

  /** Moves what is in child `slot + 1` to the end of child `slot`. */
  #mergeInto(
    header: number,
    level: number,
    slot: number,
    isLeaf: boolean,
  ): void {
    const { pages } = this;
    const branch = this.#path[level]!;
    const to = pages.word(branch, CHILD + slot);
    const from = pages.word(branch, CHILD + slot + 1);
    const length = pages.length(to);
    const moved = pages.length(from);
    if (isLeaf) pages.copyEntries(from, 0, to, length, moved);
    else {
      pages.copyChildren(from, 0, to, length, moved);
      // The first child's note was of no use where it was, but here it is.
      pages.setLeast(
        to,
        length,
        pages.score(branch, slot + 1),
        pages.word(branch, LEAST + slot + 1),
      );
    }
    pages.setWord(to, LENGTH, length + moved);
    pages.addWord(branch, COUNT + slot, pages.word(branch, COUNT + slot + 1));
    this.#dropChild(level, slot + 1);
    this.#freePage(header, from, isLeaf);
  }

  /** Takes a child out of a branch of the path. */
  #dropChild(level: number, slot: number): void {
    const { pages } = this;
    const branch = this.#path[level]!;
    pages.removeChild(branch, slot);
    if (slot === 0 && pages.length(branch) > 0) {
      this.#noteLeast(level, pages.score(branch, 0), pages.word(branch, LEAST));
    }
  }

  /** Frees a page that no branch names any more. */
  #freePage(header: number, page: number, isLeaf: boolean): void {
    if (isLeaf) this.pages.unlink(page);
    this.pages.addWord(header, isLeaf ? LEAVES : BRANCHES, -1);
    this.pages.free(page);
  }

  /**
   * What is below the first `levels` branches of the path begins with another
   * entry now: the branch that has a note of it gets to know.
   */
  #noteLeast(levels: number, score: number, node: number): void {
    for (let level = levels - 1; level >= 0; level--) {
      const slot = this.#slots[level]!;
      if (slot === 0) continue;
      return this.pages.setLeast(this.#path[level]!, slot, score, node);
    }
  }

  /** Frees the last page of all; says whether it was the top. */
  #freeLast(top: number, height: number): boolean {
    const { pages } = this;
    let parent = 0;
    let page = top;
    for (let level = 0; level < height; level++) {
      const length = pages.length(page);
      if (length === 0) break;
      parent = page;
      page = pages.word(page, CHILD + length - 1);
    }
    pages.free(page);
    if (parent !== 0) pages.addWord(parent, LENGTH, -1);
    return page === top;
  }

  /** Checks a page and all below it; returns how many entries it has. */
  #verifyPage(page: number, height: number, found: Found): number {
    const { pages } = this;
    const length = pages.length(page);
    assert(length > 0, "no page is empty");
    if (height === 0) return this.#verifyLeaf(page, found);
    found.branches++;
    assert(length <= CHILDREN, "a branch holds what it has room for");
    let count = 0;
    for (let slot = 0; slot < length; slot++) {
      const child = pages.word(page, CHILD + slot);
      let first = child;
      for (let level = 1; level < height; level++) {
        first = pages.word(first, CHILD);
      }
      assert(
        slot === 0 ||
          pages.word(page, LEAST + slot) === this.pages.node(first, 0),
        "a branch notes the least entry of a child",
      );
      assert(
        slot === 0 || Object.is(pages.score(page, slot), pages.score(first, 0)),
        "a branch notes the least score of a child",
      );
      const entries = this.#verifyPage(child, height - 1, found);
      assert(
        entries === pages.word(page, COUNT + slot),
        "a branch counts what is in a child",
      );
      count += entries;
    }
    return count;
  }

  #verifyLeaf(leaf: number, found: Found): number {
    const length = this.pages.length(leaf);
    const capacity = this.pages.word(leaf, CAPACITY);
    const { last } = found;
    assert(length <= capacity, "a leaf holds what it has room for");
    assert(
      capacity === LEAF_ENTRIES || last === 0,
      "only the one leaf of a tree may be small",
    );
    assert(this.pages.before(leaf) === last, "leaves are linked");
    if (last !== 0) {
      assert(this.pages.behind(last) === leaf, "leaves are linked both ways");
      this.#verifyOrder(last, this.pages.length(last) - 1, leaf, 0);
    }
    for (let i = 1; i < length; i++) this.#verifyOrder(leaf, i - 1, leaf, i);
    found.leaves++;
    found.last = leaf;
    return length;
  }

  #verifyOrder(before: number, i: number, behind: number, j: number): void {
    const score = this.pages.score(before, i);
    const next = this.pages.score(behind, j);
    this.#search.upToEntry(next, this.pages.node(behind, j));
    assert(
      score < next ||
        score === next && this.#search.compare(this.pages.node(before, i)) < 0,
      "entries are in order",
    );
  }
}

/** What verification has met so far. */
interface Found {
  leaves: number;
  branches: number;
  /** The leaf before the next one. */
  last: number;
}
