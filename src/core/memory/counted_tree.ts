/**
 * Counted trees: a sequence of items, each of which counts for some number, so
 * that the item in which a sum of counts is reached is found in few steps. A
 * B-tree without keys: a place is a path, and the counts lead to it.
 *
 * ```text
 * header   word 0  sum of all counts     word 1  items
 *          word 2  root node, or 0       word 3  levels
 * node     word 0  first entry (bits 0-7) | entries (8-15) | places (16-23)
 *          word 1  unused
 *          words 2 to ...  [ reference, count ] * places
 * ```
 *
 * An entry of a leaf is an item with its count; one of another node is a node
 * with the sum of its counts. The header is part of an allocation of the user,
 * and so are the items: the tree only refers to them.
 *
 * Invariants: entries lie one behind the other anywhere among the places, so
 * those at the ends come and go without moving others. No node is empty; only
 * the root may have fewer places than {@linkcode ENTRIES_MAX}. All leaves are
 * equally deep. Where items are added at an end, nodes are filled completely;
 * elsewhere, a full node is halved, and neighbours that both have become small
 * are joined.
 *
 * Cost: logarithmic to the base of 63, at an end nearly always one entry per
 * level. Insertion throws OutOfMemory before it has changed anything; nothing
 * else needs memory. Sums stay below 2^31.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "./arena.ts";
import type { Heap } from "./heap.ts";

/** Units of the header. */
export const TREE_HEADER_UNITS = 2;

/** Word of the sum of all counts. */
export const TREE_TOTAL = 0;
const ITEMS = 1;
const ROOT = 2;
const LEVELS = 3;

/** Entries of a full node, which has 64 units. */
const ENTRIES_MAX = 63;
/** Entries of the first root. */
const ENTRIES_MIN = 3;
/** Two neighbours with no more entries together are joined. */
const JOINED_MAX = 40;
/** A node with fewer is worth looking at its neighbours. */
const SMALL_MAX = 16;
const LEVELS_MAX = 12;

/** Words before the first entry. */
const HEAD = 2;

/** A place in a tree: an item, and the path that leads to it. */
export class TreeCursor {
  /** The item. */
  item = 0;
  /** What it counts for. */
  count = 0;
  /** Sum of the counts of all items before it. */
  before = 0;
  /** Nodes of the path, the root first. */
  readonly nodes: Int32Array = new Int32Array(LEVELS_MAX);
  /** The entry of each of them. */
  readonly slots: Int32Array = new Int32Array(LEVELS_MAX);
}

/**
 * Operations on the trees of one heap, named by their headers. A cursor is good
 * until something is inserted or removed.
 */
export class CountedTree {
  readonly #arena: Arena;
  readonly #heap: Heap;
  /** Nodes that an insertion has allocated before it changes anything. */
  readonly #spares: number[] = [];

  /** `heap` gets and gives the memory. */
  constructor(arena: Arena, heap: Heap) {
    this.#arena = arena;
    this.#heap = heap;
  }

  /** Makes four words the header of an empty tree. */
  initialize(header: number): void {
    const words = this.#words(header);
    const at = index(header);
    words[at + TREE_TOTAL] = 0;
    words[at + ITEMS] = 0;
    words[at + ROOT] = 0;
    words[at + LEVELS] = 0;
  }

  /** Sum of all counts. */
  total(header: number): number {
    return this.#words(header)[index(header) + TREE_TOTAL]!;
  }

  /** Items. */
  items(header: number): number {
    return this.#words(header)[index(header) + ITEMS]!;
  }

  /** Goes to the first or last item; false if there is none. */
  toEnd(header: number, atHead: boolean, cursor: TreeCursor): boolean {
    const words = this.#words(header);
    const at = index(header);
    const node = words[at + ROOT]!;
    if (node === 0) return false;
    this.#descend(cursor, node, 0, words[at + LEVELS]!, atHead);
    cursor.before = atHead ? 0 : words[at + TREE_TOTAL]! - cursor.count;
    return true;
  }

  /** Goes to the item in which the sum reaches `wanted`, which is below total. */
  seek(header: number, wanted: number, cursor: TreeCursor): void {
    const words = this.#words(header);
    const at = index(header);
    const levels = words[at + LEVELS]!;
    let node = words[at + ROOT]!;
    let before = 0;
    for (let level = 0; level < levels; level++) {
      const entries = this.#arena.i32[node >>> SEGMENT_SHIFT]!;
      const start = (node & UNIT_MASK) << 1;
      let slot = entries[start]! & 0xff;
      let entry = start + HEAD + slot * 2;
      let count = entries[entry + 1]!;
      while (wanted - before >= count) {
        before += count;
        slot++;
        entry += 2;
        count = entries[entry + 1]!;
      }
      cursor.nodes[level] = node;
      cursor.slots[level] = slot;
      node = entries[entry]!;
      cursor.count = count;
    }
    cursor.item = node;
    cursor.before = before;
  }

  /** Goes to the next item, or to the one before; false if there is none. */
  step(header: number, cursor: TreeCursor, forward: boolean): boolean {
    const levels = this.#levels(header);
    for (let level = levels - 1; level >= 0; level--) {
      const node = cursor.nodes[level]!;
      const slot = cursor.slots[level]! + (forward ? 1 : -1);
      const first = this.#first(node);
      if (slot < first || slot >= first + this.#entries(node)) continue;
      const { before, count } = cursor;
      cursor.slots[level] = slot;
      const entry = index(node) + HEAD + slot * 2;
      const words = this.#words(node);
      if (level + 1 === levels) {
        cursor.item = words[entry]!;
        cursor.count = words[entry + 1]!;
      } else {
        this.#descend(cursor, words[entry]!, level + 1, levels, forward);
      }
      cursor.before = forward ? before + count : before - cursor.count;
      return true;
    }
    return false;
  }

  /** Changes what the cursor's item counts for. */
  add(header: number, cursor: TreeCursor, change: number): void {
    this.#addAbove(header, cursor, this.#levels(header), change);
    cursor.count += change;
  }

  /** Puts another reference in the place of the cursor's item. */
  replace(header: number, cursor: TreeCursor, item: number): void {
    const leaf = this.#levels(header) - 1;
    this.#setEntryReference(cursor.nodes[leaf]!, cursor.slots[leaf]!, item);
    cursor.item = item;
  }

  /** Inserts an item before or after all others. */
  insertAtEnd(
    header: number,
    atHead: boolean,
    cursor: TreeCursor,
    item: number,
    count: number,
  ): void {
    if (this.toEnd(header, atHead, cursor)) {
      return this.insert(header, cursor, !atHead, item, count);
    }
    const root = this.#makeNode(ENTRIES_MIN);
    this.#setFirst(root, atHead ? ENTRIES_MIN - 1 : 0, 1);
    this.#setEntry(root, this.#first(root), item, count);
    const words = this.#words(header);
    const at = index(header);
    words[at + ROOT] = root;
    words[at + LEVELS] = 1;
    words[at + ITEMS] = 1;
    words[at + TREE_TOTAL] = count;
  }

  /** Inserts an item before or behind the cursor's, which is not good then. */
  insert(
    header: number,
    cursor: TreeCursor,
    behind: boolean,
    item: number,
    count: number,
  ): void {
    this.#prepare(header, cursor);
    const words = this.#words(header);
    const at = index(header);
    words[at + ITEMS] = words[at + ITEMS]! + 1;
    let level = words[at + LEVELS]! - 1;
    let reference = item;
    let added = count;
    let isBehind = behind;
    // A node that is full gives a new neighbour, to be entered one level up.
    for (; level >= 0; level--) {
      const node = cursor.nodes[level]!;
      const slot = cursor.slots[level]! + (isBehind ? 1 : 0);
      if (this.#entries(node) < ENTRIES_MAX && this.#hasRoom(node)) {
        this.#insertEntry(node, slot, reference, added);
        this.#addAbove(header, cursor, level, count);
        return;
      }
      const made = this.#spares.pop()!;
      const first = this.#first(node);
      const atFirst = slot === first && this.#isOutermost(cursor, level, true);
      const atLast = slot === first + this.#entries(node) &&
        this.#isOutermost(cursor, level, false);
      if (atFirst || atLast) {
        // Nodes at the ends of the sequence stay full.
        this.#setFirst(made, atFirst ? ENTRIES_MAX - 1 : 0, 1);
        this.#setEntry(made, this.#first(made), reference, added);
        isBehind = atLast;
      } else {
        this.#split(node, made);
        const half = first + this.#entries(node);
        if (slot <= half) this.#insertEntry(node, slot, reference, added);
        else {
          const moved = slot - half + this.#first(made);
          this.#insertEntry(made, moved, reference, added);
        }
        isBehind = true;
      }
      if (level > 0) {
        this.#setEntryCount(
          cursor.nodes[level - 1]!,
          cursor.slots[level - 1]!,
          this.#sum(node),
        );
      }
      reference = made;
      added = this.#sum(made);
    }
    this.#raise(header, cursor.nodes[0]!, reference, isBehind);
    words[at + TREE_TOTAL] = words[at + TREE_TOTAL]! + count;
  }

  /** Takes the cursor's item out; the cursor is not good then. */
  remove(header: number, cursor: TreeCursor): void {
    const words = this.#words(header);
    const at = index(header);
    words[at + ITEMS] = words[at + ITEMS]! - 1;
    this.add(header, cursor, -cursor.count);
    let level = words[at + LEVELS]! - 1;
    for (; level >= 0; level--) {
      const node = cursor.nodes[level]!;
      this.#removeEntry(node, cursor.slots[level]!);
      if (this.#entries(node) > 0) break;
      this.#heap.free(node);
    }
    if (level < 0) return this.initialize(header);
    for (; level > 0; level--) this.#join(cursor, level);
    while (words[at + LEVELS]! > 1) {
      const root = words[at + ROOT]!;
      if (this.#entries(root) > 1) break;
      words[at + ROOT] = this.#reference(root, this.#first(root));
      words[at + LEVELS] = words[at + LEVELS]! - 1;
      this.#heap.free(root);
    }
  }

  /** Bytes of all nodes. */
  bytes(header: number): number {
    const root = this.#words(header)[index(header) + ROOT]!;
    return root === 0 ? 0 : this.#bytesBelow(root, this.#levels(header));
  }

  /** Checks a tree; `countOf` says what each item counts for. For tests. */
  verify(header: number, countOf: (item: number) => number): void {
    const levels = this.#levels(header);
    const root = this.#words(header)[index(header) + ROOT]!;
    let items = 0;
    const check = (node: number, level: number): number => {
      const first = this.#first(node);
      const entries = this.#entries(node);
      assert(entries > 0, "no node is empty");
      assert(first + entries <= this.#places(node), "entries have places");
      assert(
        level === 0 || this.#places(node) === ENTRIES_MAX,
        "only a root is small",
      );
      let sum = 0;
      for (let slot = first; slot < first + entries; slot++) {
        const reference = this.#reference(node, slot);
        const isItem = level === levels - 1;
        if (isItem) items++;
        const count = isItem ? countOf(reference) : check(reference, level + 1);
        assert(this.#count(node, slot) === count, "counts are right");
        sum += count;
      }
      return sum;
    };
    assert(
      (root === 0) === (levels === 0),
      "a tree without root has no levels",
    );
    const sum = root === 0 ? 0 : check(root, 0);
    assert(sum === this.total(header), "the total is right");
    assert(items === this.items(header), "items are counted");
  }

  /** Goes down to the first or last item below a node. */
  #descend(
    cursor: TreeCursor,
    from: number,
    fromLevel: number,
    levels: number,
    atHead: boolean,
  ): void {
    let node = from;
    for (let level = fromLevel; level < levels; level++) {
      const words = this.#arena.i32[node >>> SEGMENT_SHIFT]!;
      const at = (node & UNIT_MASK) << 1;
      const head = words[at]!;
      const first = head & 0xff;
      const slot = atHead ? first : first + (head >>> 8 & 0xff) - 1;
      cursor.nodes[level] = node;
      cursor.slots[level] = slot;
      node = words[at + HEAD + slot * 2]!;
      cursor.count = words[at + HEAD + slot * 2 + 1]!;
    }
    cursor.item = node;
  }

  /** Changes the counts of a path, above a level, and the total. */
  #addAbove(
    header: number,
    cursor: TreeCursor,
    below: number,
    change: number,
  ): void {
    for (let level = 0; level < below; level++) {
      const node = cursor.nodes[level]!;
      const words = this.#arena.i32[node >>> SEGMENT_SHIFT]!;
      const at = ((node & UNIT_MASK) << 1) + HEAD + cursor.slots[level]! * 2 +
        1;
      words[at] = words[at]! + change;
    }
    const words = this.#words(header);
    const at = index(header) + TREE_TOTAL;
    words[at] = words[at]! + change;
  }

  /** Allocates all nodes that an insertion will need. */
  #prepare(header: number, cursor: TreeCursor): void {
    const levels = this.#levels(header);
    if (levels === 1) this.#growRoot(header, cursor);
    let full = 0;
    let level = levels - 1;
    while (level >= 0 && this.#entries(cursor.nodes[level]!) === ENTRIES_MAX) {
      level--;
      full++;
    }
    if (level < 0) full++;
    try {
      while (this.#spares.length < full) {
        this.#spares.push(this.#makeNode(ENTRIES_MAX));
      }
    } catch (cause) {
      while (this.#spares.length > 0) this.#heap.free(this.#spares.pop()!);
      throw cause;
    }
  }

  /** Gives a root that is full, but has not all places, more of them. */
  #growRoot(header: number, cursor: TreeCursor): void {
    const root = cursor.nodes[0]!;
    const places = this.#places(root);
    const entries = this.#entries(root);
    if (entries < places || places === ENTRIES_MAX) return;
    const made = this.#makeNode(Math.min(ENTRIES_MAX, places * 2 + 1));
    const first = (this.#places(made) - entries) >> 1;
    this.#setFirst(made, first, entries);
    this.#copyEntries(root, this.#first(root), made, first, entries);
    cursor.slots[0] = cursor.slots[0]! - this.#first(root) + first;
    cursor.nodes[0] = made;
    this.#words(header)[index(header) + ROOT] = made;
    this.#heap.free(root);
  }

  /** Puts a root above the old one and its new neighbour. */
  #raise(
    header: number,
    root: number,
    neighbour: number,
    isBehind: boolean,
  ): void {
    const made = this.#spares.pop()!;
    const first = ENTRIES_MAX >> 1;
    this.#setFirst(made, first, 2);
    const [left, right] = isBehind ? [root, neighbour] : [neighbour, root];
    this.#setEntry(made, first, left, this.#sum(left));
    this.#setEntry(made, first + 1, right, this.#sum(right));
    const words = this.#words(header);
    const at = index(header);
    words[at + ROOT] = made;
    words[at + LEVELS] = words[at + LEVELS]! + 1;
    assert(words[at + LEVELS]! <= LEVELS_MAX, "a path has room for all levels");
  }

  /** Whether a path is the first or the last one above a level. */
  #isOutermost(cursor: TreeCursor, below: number, atHead: boolean): boolean {
    for (let level = 0; level < below; level++) {
      const node = cursor.nodes[level]!;
      const first = this.#first(node);
      const end = atHead ? first : first + this.#entries(node) - 1;
      if (cursor.slots[level] !== end) return false;
    }
    return true;
  }

  /** Moves the second half of a full node to a new one. */
  #split(node: number, made: number): void {
    const first = this.#first(node);
    const entries = this.#entries(node);
    const kept = entries >> 1;
    const moved = entries - kept;
    const to = (ENTRIES_MAX - moved) >> 1;
    this.#setFirst(made, to, moved);
    this.#copyEntries(node, first + kept, made, to, moved);
    this.#setFirst(node, first, kept);
  }

  /** Joins the node of a path with a neighbour if both are small. */
  #join(cursor: TreeCursor, level: number): void {
    if (this.#entries(cursor.nodes[level]!) >= SMALL_MAX) return;
    const parent = cursor.nodes[level - 1]!;
    const slot = cursor.slots[level - 1]!;
    const first = this.#first(parent);
    const end = first + this.#entries(parent);
    if (slot + 1 < end && this.#joinEntries(parent, slot)) return;
    if (slot > first) this.#joinEntries(parent, slot - 1);
  }

  /** Joins the node of an entry with the next one, unless they are too large. */
  #joinEntries(parent: number, slot: number): boolean {
    const left = this.#reference(parent, slot);
    const right = this.#reference(parent, slot + 1);
    const leftEntries = this.#entries(left);
    const rightEntries = this.#entries(right);
    const total = leftEntries + rightEntries;
    if (total > JOINED_MAX) return false;
    const to = (ENTRIES_MAX - total) >> 1;
    this.#copyEntries(left, this.#first(left), left, to, leftEntries);
    const rightTo = to + leftEntries;
    this.#copyEntries(right, this.#first(right), left, rightTo, rightEntries);
    this.#setFirst(left, to, total);
    const count = this.#count(parent, slot) + this.#count(parent, slot + 1);
    this.#setEntryCount(parent, slot, count);
    this.#removeEntry(parent, slot + 1);
    this.#heap.free(right);
    return true;
  }

  /** Inserts an entry before a slot, moving the shorter side if it can. */
  #insertEntry(
    node: number,
    slot: number,
    reference: number,
    count: number,
  ): void {
    const first = this.#first(node);
    const entries = this.#entries(node);
    const before = slot - first;
    const after = entries - before;
    const hasBack = first + entries < this.#places(node);
    if (first > 0 && (before < after || !hasBack)) {
      this.#copyEntries(node, first, node, first - 1, before);
      this.#setFirst(node, first - 1, entries + 1);
      return this.#setEntry(node, slot - 1, reference, count);
    }
    this.#copyEntries(node, slot, node, slot + 1, after);
    this.#setFirst(node, first, entries + 1);
    this.#setEntry(node, slot, reference, count);
  }

  #removeEntry(node: number, slot: number): void {
    const first = this.#first(node);
    const entries = this.#entries(node);
    const before = slot - first;
    const after = entries - before - 1;
    if (before < after) {
      this.#copyEntries(node, first, node, first + 1, before);
      this.#setFirst(node, first + 1, entries - 1);
    } else {
      this.#copyEntries(node, slot + 1, node, slot, after);
      this.#setFirst(node, first, entries - 1);
    }
  }

  #makeNode(places: number): number {
    const node = this.#heap.allocate(1 + places);
    this.#words(node)[index(node)] = places << 16;
    return node;
  }

  #copyEntries(
    from: number,
    fromSlot: number,
    to: number,
    toSlot: number,
    count: number,
  ): void {
    const words = this.#words(from);
    const start = index(from) + HEAD + fromSlot * 2;
    const target = index(to) + HEAD + toSlot * 2;
    if (from === to) {
      words.copyWithin(target, start, start + count * 2);
      return;
    }
    const into = this.#words(to);
    for (let i = 0; i < count * 2; i++) into[target + i] = words[start + i]!;
  }

  #sum(node: number): number {
    const words = this.#words(node);
    let at = index(node) + HEAD + this.#first(node) * 2 + 1;
    let sum = 0;
    for (let left = this.#entries(node); left > 0; left--, at += 2) {
      sum += words[at]!;
    }
    return sum;
  }

  #bytesBelow(node: number, levels: number): number {
    let bytes = this.#heap.unitsOf(node) << 3;
    if (levels === 1) return bytes;
    const first = this.#first(node);
    for (let slot = first; slot < first + this.#entries(node); slot++) {
      bytes += this.#bytesBelow(this.#reference(node, slot), levels - 1);
    }
    return bytes;
  }

  #levels(header: number): number {
    return this.#words(header)[index(header) + LEVELS]!;
  }

  #hasRoom(node: number): boolean {
    return this.#entries(node) < this.#places(node);
  }

  #first(node: number): number {
    return this.#words(node)[index(node)]! & 0xff;
  }

  #entries(node: number): number {
    return this.#words(node)[index(node)]! >>> 8 & 0xff;
  }

  #places(node: number): number {
    return this.#words(node)[index(node)]! >>> 16;
  }

  #setFirst(node: number, first: number, entries: number): void {
    const places = this.#places(node);
    this.#words(node)[index(node)] = first | entries << 8 | places << 16;
  }

  #reference(node: number, slot: number): number {
    return this.#words(node)[index(node) + HEAD + slot * 2]!;
  }

  #count(node: number, slot: number): number {
    return this.#words(node)[index(node) + HEAD + slot * 2 + 1]!;
  }

  #setEntry(
    node: number,
    slot: number,
    reference: number,
    count: number,
  ): void {
    this.#setEntryReference(node, slot, reference);
    this.#setEntryCount(node, slot, count);
  }

  #setEntryReference(node: number, slot: number, reference: number): void {
    this.#words(node)[index(node) + HEAD + slot * 2] = reference;
  }

  #setEntryCount(node: number, slot: number, count: number): void {
    this.#words(node)[index(node) + HEAD + slot * 2 + 1] = count;
  }

  #words(ref: number): Int32Array {
    return this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
  }
}

function index(ref: number): number {
  return (ref & UNIT_MASK) << 1;
}
