/**
 * Large lists: a deque of chunks.
 *
 * ```text
 * root   a sequence of chunks, as a counted tree            (chunk_sequence.ts)
 * chunk  elements, or a single one that is too large to share        (chunk.ts)
 * ```
 *
 * Invariants: no chunk is empty. A chunk exceeds the limits of {@linkcode
 * NodeLimits} only if it has one element, was made under other limits, or came as
 * a whole from elsewhere.
 *
 * The chunks at the ends have room to grow, up to what the limit allows; when
 * another takes their place they give back what they do not need. A new one
 * begins with an eighth of the limit for each chunk that is there. In the
 * middle, a full chunk is halved; small neighbours are joined.
 *
 * Cost: an element at an end is constant, a chunk more or less there costs the
 * few steps of the tree. An index is found in logarithmic time and a walk of at
 * most half a chunk.
 *
 * Size: one structure, whose operations share its tree and cursors.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "../memory/arena.ts";
import { CHUNK_HEADER_BYTES, Chunks, isShortString } from "../memory/chunk.ts";
import {
  type CountedTree,
  TREE_TOTAL,
  TreeCursor,
} from "../memory/counted_tree.ts";
import { type Heap, OutOfMemory } from "../memory/heap.ts";
import type { ListpackItem, Listpacks } from "../memory/listpack.ts";
import {
  ChunkSequence,
  SEQUENCE_FIRST as FIRST,
  SEQUENCE_LAST as LAST,
} from "./chunk_sequence.ts";
import type { ElementSearch, EqualRemoval } from "./equal_removal.ts";
import { NodeLimits } from "./node_limits.ts";
import type { ValueMemory } from "./value_type.ts";

/** Most elements of a list; counts are words. */
const LENGTH_MAX = 0x7fffffff;

/** Chunks from which on a new one begins with all of its room. */
const EIGHTHS = 8;

/** Takes the elements of a list, in runs of those that lie together. */
export interface RunVisitor {
  /**
   * `count` elements as listpacks have them, the first at byte `at`. Theirs are
   * among the next `bytes` bytes; all of them, if the chunk's last is one.
   */
  packed(buf: Uint8Array, at: number, count: number, bytes: number): void;
  /** An element by itself: its text. */
  plain(buf: Uint8Array, off: number, length: number): void;
}

/** Takes the indices of elements that were looked for. */
export interface MatchVisitor {
  /** Says whether to go on. */
  match(index: number): boolean;
}

/** Work beside that of a chunk's bytes, in bytes. */
const CHUNK_WORK_BYTES = 64;

/** Operations on the large lists of one heap, by their roots. */
export class LargeList {
  /** The pieces. */
  readonly chunks: Chunks;
  /** What a chunk may have; the owner refreshes it. */
  readonly limits: NodeLimits;
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #listpacks: Listpacks;
  readonly #sequence: ChunkSequence;
  readonly #tree: CountedTree;
  readonly #cursor = new TreeCursor();
  /** The place beside the cursor, or in the other list. */
  readonly #other = new TreeCursor();

  /** One object per keyspace. */
  constructor(memory: ValueMemory) {
    const { arena } = memory;
    this.#arena = arena;
    this.#heap = memory.heap;
    this.#listpacks = memory.listpacks;
    this.chunks = new Chunks(arena, memory.heap, memory.listpacks);
    this.limits = new NodeLimits(memory.limits);
    this.#sequence = new ChunkSequence(arena, memory.heap);
    this.#tree = this.#sequence.tree;
  }

  /** A list without elements. */
  create(): number {
    return this.#sequence.create();
  }

  /** A list of the elements of one chunk, which is its own from now on. */
  createFrom(chunk: number): number {
    const root = this.create();
    const count = this.chunks.count(chunk);
    try {
      this.#tree.insertAtEnd(root, false, this.#cursor, chunk, count);
    } catch (cause) {
      this.#heap.free(root);
      throw cause;
    }
    return root;
  }

  /** Elements. */
  length(root: number): number {
    return this.#sequence.length(root);
  }

  /** Chunks. */
  chunkCount(root: number): number {
    return this.#tree.items(root);
  }

  /** The chunk of a list that has but one, or 0. */
  onlyChunk(root: number): number {
    if (this.#tree.items(root) !== 1) return 0;
    this.#tree.toEnd(root, true, this.#cursor);
    return this.#cursor.item;
  }

  /** Frees a list of one chunk, but not the chunk. */
  dissolve(root: number): void {
    this.#tree.toEnd(root, true, this.#cursor);
    this.#tree.remove(root, this.#cursor);
    this.#heap.free(root);
  }

  /** Adds a chunk of `count` elements behind all others, or frees it. */
  appendChunk(root: number, chunk: number, count: number): void {
    this.#enter(root, chunk, count);
  }

  /** Adds an element at an end; returns how many there are. */
  push(
    root: number,
    atHead: boolean,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    const { chunks } = this;
    const { bytesMax, countMax } = this.limits;
    const words = this.#arena.i32[root >>> SEGMENT_SHIFT]!;
    const at = (root & UNIT_MASK) << 1;
    const end = at + (atHead ? FIRST : LAST);
    const chunk = words[end]!;
    const pushed = words[at + TREE_TOTAL]! + words[at + FIRST + 1]! +
      words[at + LAST + 1]! + 1;
    // The usual case, which is worth being short.
    if (
      chunk !== 0 && pushed < LENGTH_MAX && isShortString(buf, off, length) &&
      chunks.tryPushShort(chunk, atHead, buf, off, length, bytesMax, countMax)
    ) words[end + 1] = words[end + 1]! + 1;
    else this.#pushAny(root, atHead, buf, off, length);
    return pushed;
  }

  /** As {@linkcode LargeList.push}, of any element and to any chunk. */
  #pushAny(
    root: number,
    atHead: boolean,
    buf: Uint8Array,
    off: number,
    length: number,
  ): void {
    const { chunks } = this;
    const { bytesMax, countMax } = this.limits;
    if (this.length(root) === LENGTH_MAX) throw new OutOfMemory();
    if (length > bytesMax) {
      const made = chunks.createPlain(buf, off, length);
      return this.#enterNew(root, atHead, made);
    }
    const bytes = this.#listpacks.encode(buf, off, length);
    const chunk = this.#sequence.chunkAt(root, atHead);
    if (
      chunk !== 0 && chunks.tryPush(chunk, atHead, bytes, bytesMax, countMax)
    ) this.#sequence.count(root, atHead, chunk, 1);
    else this.#pushMoving(root, atHead, chunk, bytes);
  }

  /** Adds the encoded element to a chunk that moves, or to a new one. */
  #pushMoving(
    root: number,
    atHead: boolean,
    chunk: number,
    bytes: number,
  ): void {
    const { chunks } = this;
    this.#sequence.tell(root);
    if (chunk !== 0) {
      const hasRoom = this.#hasRoom(chunk, bytes);
      const moved = hasRoom
        ? chunks.push(chunk, atHead, bytes, this.limits.bytesMax)
        : chunks.trim(chunk);
      if (moved !== chunk) {
        this.#tree.toEnd(root, atHead, this.#cursor);
        this.#tree.replace(root, this.#cursor, moved);
      }
      if (hasRoom) return this.#sequence.count(root, atHead, moved, 1);
    }
    this.#enterNew(root, atHead, this.#makeChunk(root, atHead, bytes));
  }

  /** Whether an element of so many bytes is a chunk by itself. */
  isPlain(length: number): boolean {
    return length > this.limits.bytesMax;
  }

  /** Adds a plain chunk at an end, or frees it; returns how many elements. */
  pushPlain(root: number, atHead: boolean, chunk: number): number {
    if (this.length(root) === LENGTH_MAX) {
      this.chunks.free(chunk);
      throw new OutOfMemory();
    }
    this.#enterNew(root, atHead, chunk);
    return this.length(root);
  }

  /** Adds a plain chunk that another list has at an end, or throws. */
  pushShared(root: number, atHead: boolean, chunk: number): void {
    if (this.length(root) === LENGTH_MAX) throw new OutOfMemory();
    this.#sequence.tell(root);
    this.#tree.insertAtEnd(root, atHead, this.#cursor, chunk, 1);
  }

  /**
   * The plain chunk at an end if its element has that many bytes, else 0.
   */
  plainAt(root: number, atHead: boolean, bytesMin: number): number {
    const { chunks } = this;
    const chunk = this.#sequence.chunkAt(root, atHead);
    return chunks.isPlain(chunk) && chunks.bytes(chunk) >= bytesMin ? chunk : 0;
  }

  /** Takes the chunk at an end out of the list, and does not free it. */
  takeChunk(root: number, atHead: boolean): void {
    this.#sequence.tell(root);
    this.#tree.toEnd(root, atHead, this.#cursor);
    this.#tree.remove(root, this.#cursor);
  }

  /** Visits the runs with an element of a length among the first chunks. */
  visitLike(
    root: number,
    length: number,
    chunksMax: number,
    visit: (chunk: number, buf: Uint8Array, off: number) => void,
  ): void {
    const { chunks } = this;
    const cursor = this.#cursor;
    if (!this.#sequence.toEnd(root, true, cursor)) return;
    for (let looked = 0; looked < chunksMax; looked++) {
      const { item } = cursor;
      if (chunks.isPlain(item) && chunks.bytes(item) === length) {
        const off = chunks.offsetOf(item, chunks.first(item));
        visit(item, chunks.bytesOf(item), off);
      }
      if (!this.#sequence.step(root, cursor, true)) break;
    }
  }

  /** Removes the element at an end. */
  drop(root: number, atHead: boolean): void {
    const { chunks } = this;
    const chunk = this.#sequence.chunkAt(root, atHead);
    if (chunks.count(chunk) > 1) {
      chunks.drop(chunk, atHead);
      return this.#sequence.count(root, atHead, chunk, -1);
    }
    this.#sequence.tell(root);
    this.#tree.toEnd(root, atHead, this.#cursor);
    this.#removeChunk(root, this.#cursor);
  }

  /** Reads the element at an end. */
  readEnd(root: number, atHead: boolean, item: ListpackItem): void {
    const { chunks } = this;
    const chunk = this.#sequence.chunkAt(root, atHead);
    const pos = atHead
      ? chunks.first(chunk)
      : chunks.previous(chunk, chunks.end(chunk));
    chunks.read(chunk, pos, item);
  }

  /** Reads the element with an index, which must be there. */
  read(root: number, index: number, item: ListpackItem): void {
    const cursor = this.#cursor;
    this.#sequence.seek(root, index, cursor);
    const pos = this.chunks.seek(cursor.item, index - cursor.before);
    this.chunks.read(cursor.item, pos, item);
  }

  /** Puts another element in the place of the one with an index. */
  replace(
    root: number,
    index: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): void {
    const { chunks } = this;
    const { bytesMax } = this.limits;
    const cursor = this.#cursor;
    this.#sequence.tell(root);
    this.#tree.seek(root, index, cursor);
    const chunk = cursor.item;
    if (length <= bytesMax && !chunks.isPlain(chunk)) {
      const bytes = this.#listpacks.encode(buf, off, length);
      const skip = index - cursor.before;
      const moved = chunks.replace(chunk, skip, bytes, bytesMax);
      if (moved !== 0) return this.#moved(root, cursor, moved);
    }
    this.insert(root, index, buf, off, length);
    this.removeRange(root, index + 1, 1);
  }

  /** Inserts an element before the one with an index, or behind the last one. */
  insert(
    root: number,
    index: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): void {
    const { chunks } = this;
    const tree = this.#tree;
    const cursor = this.#cursor;
    if (index === 0 || index === this.length(root)) {
      this.push(root, index === 0, buf, off, length);
      return;
    }
    this.#sequence.tell(root);
    if (tree.total(root) === LENGTH_MAX) throw new OutOfMemory();
    if (length > this.limits.bytesMax) {
      return this.insertPlain(
        root,
        index,
        chunks.createPlain(buf, off, length),
      );
    }
    const bytes = this.#listpacks.encode(buf, off, length);
    for (;;) {
      tree.seek(root, index, cursor);
      const skip = index - cursor.before;
      if (this.#hasRoom(cursor.item, bytes)) {
        return this.#insertWithin(root, cursor, skip, bytes);
      }
      if (skip === 0) break;
      this.#split(root, cursor.before + ((cursor.count + 1) >> 1));
    }
    tree.seek(root, index - 1, cursor);
    if (this.#hasRoom(cursor.item, bytes)) {
      return this.#insertWithin(root, cursor, cursor.count, bytes);
    }
    const made = chunks.create(bytes, false);
    chunks.push(made, false, bytes, 0);
    tree.seek(root, index, cursor);
    this.#enterBefore(root, cursor, made);
  }

  /** Inserts a plain chunk before the element with an index, or frees it. */
  insertPlain(root: number, index: number, chunk: number): void {
    if (index === 0 || index === this.length(root)) {
      this.pushPlain(root, index === 0, chunk);
      return;
    }
    const tree = this.#tree;
    const cursor = this.#cursor;
    try {
      this.#sequence.tell(root);
      if (tree.total(root) === LENGTH_MAX) throw new OutOfMemory();
      this.#split(root, index);
    } catch (cause) {
      this.chunks.free(chunk);
      throw cause;
    }
    tree.seek(root, index, cursor);
    this.#enterBefore(root, cursor, chunk);
  }

  /** Removes `count` elements from an index on. */
  removeRange(root: number, from: number, count: number): void {
    const { chunks } = this;
    const cursor = this.#cursor;
    this.#sequence.tell(root);
    for (let left = count; left > 0;) {
      this.#tree.seek(root, from, cursor);
      const skip = from - cursor.before;
      const removed = Math.min(left, cursor.count - skip);
      if (removed < cursor.count) chunks.cut(cursor.item, skip, removed);
      this.#lost(root, removed);
      left -= removed;
    }
  }

  /**
   * Removes up to `most` elements that are the given text, the first ones or,
   * `fromTail`, the last ones, but looks at chunks of about `budget` bytes only;
   * says whether more is to be done, as `work` has it.
   */
  removeEqual(
    root: number,
    buf: Uint8Array,
    off: number,
    length: number,
    most: number,
    fromTail: boolean,
    work: EqualRemoval,
    budget: number,
  ): boolean {
    const tree = this.#tree;
    const cursor = this.#cursor;
    this.#sequence.tell(root);
    this.#listpacks.encode(buf, off, length);
    let left = budget;
    while (work.from < work.to && work.removed < most) {
      if (left <= 0) return true;
      tree.seek(root, fromTail ? work.to - 1 : work.from, cursor);
      const { item, before, count } = cursor;
      const bytes = this.#workBytes(item, length);
      let lost = 0;
      if (this.chunks.isPlain(item)) {
        const { equal } = work;
        work.equal = this.chunks
          .plainEqualTo(item, buf, off, length, equal, left);
        // More of it is to be compared.
        if (work.equal >= 0 && work.equal < length) return true;
        lost = work.equal < 0 ? 0 : 1;
        work.equal = 0;
      } else {
        lost = this.removeEqualFrom(item, most - work.removed, fromTail);
      }
      left -= bytes;
      if (fromTail) work.to = before;
      else {
        work.from = before + count - lost;
        work.to -= lost;
      }
      if (lost > 0) this.#lost(root, lost);
      work.removed += lost;
    }
    return false;
  }

  /** What it costs to look through a chunk for a text of so many bytes. */
  #workBytes(chunk: number, length: number): number {
    const { chunks } = this;
    const bytes = chunks.bytes(chunk);
    if (!chunks.isPlain(chunk)) return CHUNK_WORK_BYTES + bytes;
    return CHUNK_WORK_BYTES + (bytes === length ? length : 0);
  }

  /** As {@linkcode LargeList.removeEqual}, of the encoded one from a chunk. */
  removeEqualFrom(chunk: number, most: number, fromTail: boolean): number {
    if (!fromTail) return this.chunks.removeEncoded(chunk, 0, most);
    const found = this.chunks.countEncoded(chunk);
    return this.chunks.removeEncoded(chunk, Math.max(0, found - most), most);
  }

  /**
   * Looks for elements that are the given text among the first `most`, or the
   * last if `backward`, from there on.
   */
  search(
    root: number,
    buf: Uint8Array,
    off: number,
    length: number,
    backward: boolean,
    most: number,
    visitor: MatchVisitor,
  ): void {
    const cursor = this.#cursor;
    this.#listpacks.encode(buf, off, length);
    if (!this.#sequence.toEnd(root, !backward, cursor)) return;
    let left = most;
    do {
      const { item, before, count } = cursor;
      const looked = Math.min(left, count);
      const goesOn = this.chunks.isPlain(item)
        ? this.#searchPlain(item, before, buf, off, length, visitor)
        : this.searchChunk(item, before, backward, looked, visitor);
      if (!goesOn) return;
      left -= looked;
    } while (left > 0 && this.#sequence.step(root, cursor, !backward));
  }

  /**
   * Goes on looking for the first element that is the given text, in chunks of
   * about `budget` bytes; `work` is at the index behind them then. The visitor is
   * told of the match, and nothing follows.
   */
  searchFrom(
    root: number,
    buf: Uint8Array,
    off: number,
    length: number,
    work: ElementSearch,
    budget: number,
    visitor: MatchVisitor,
  ): void {
    const cursor = this.#cursor;
    this.#listpacks.encode(buf, off, length);
    this.#sequence.seek(root, work.from, cursor);
    let left = budget;
    let goesOn = true;
    do {
      const { item, before, count } = cursor;
      if (this.chunks.isPlain(item)) {
        const { equal } = work;
        work.equal = this.chunks
          .plainEqualTo(item, buf, off, length, equal, left);
        // More of it is to be compared.
        if (work.equal >= 0 && work.equal < length) return;
        goesOn = work.equal < 0 || visitor.match(before);
        work.equal = 0;
      } else goesOn = this.searchChunk(item, before, false, count, visitor);
      left -= this.#workBytes(item, length);
      work.from = before + count;
    } while (goesOn && left > 0 && this.#sequence.step(root, cursor, true));
  }

  /** As {@linkcode LargeList.searchChunk}, of a text in a plain chunk. */
  #searchPlain(
    chunk: number,
    before: number,
    buf: Uint8Array,
    off: number,
    length: number,
    visitor: MatchVisitor,
  ): boolean {
    return !this.chunks.isPlainEqual(chunk, buf, off, length) ||
      visitor.match(before);
  }

  /**
   * As {@linkcode LargeList.search}, of the encoded element in a chunk that is
   * not plain and has `before` elements before it; says whether to go on.
   */
  searchChunk(
    chunk: number,
    before: number,
    backward: boolean,
    most: number,
    visitor: MatchVisitor,
  ): boolean {
    const { chunks } = this;
    let left = most;
    if (backward) {
      let index = before + chunks.count(chunk);
      for (let pos = chunks.end(chunk); left > 0;) {
        pos = chunks.findBackward(chunk, pos, left);
        if (pos === 0) return true;
        index -= chunks.passed + 1;
        left -= chunks.passed + 1;
        if (!visitor.match(index)) return false;
      }
      return true;
    }
    let index = before;
    for (let pos = chunks.first(chunk); left > 0;) {
      pos = chunks.find(chunk, pos, left);
      if (pos === 0) return true;
      index += chunks.passed;
      left -= chunks.passed + 1;
      if (!visitor.match(index)) return false;
      index++;
      pos = chunks.next(chunk, pos);
    }
    return true;
  }

  /**
   * Visits the elements that lie together from an index on, not beyond index
   * `to`; returns the index behind them.
   */
  visitRun(
    root: number,
    from: number,
    to: number,
    visitor: RunVisitor,
  ): number {
    const cursor = this.#cursor;
    this.#sequence.seek(root, from, cursor);
    const skip = from - cursor.before;
    const count = Math.min(cursor.count - skip, to - from);
    this.visitChunk(cursor.item, skip, count, visitor);
    return from + count;
  }

  /** Visits some elements of a chunk. */
  visitChunk(
    chunk: number,
    skip: number,
    count: number,
    visitor: RunVisitor,
  ): void {
    const { chunks } = this;
    const buf = chunks.bytesOf(chunk);
    const pos = chunks.seek(chunk, skip);
    const at = chunks.offsetOf(chunk, pos);
    const bytes = chunks.end(chunk) - pos;
    if (chunks.isPlain(chunk)) visitor.plain(buf, at, bytes);
    else visitor.packed(buf, at, count, bytes);
  }

  /**
   * Visits the elements that lie together and end before index `to`, the last
   * one first and each by itself, not beyond index `from`; returns the index of
   * the last one visited.
   */
  visitBackward(
    root: number,
    to: number,
    from: number,
    visitor: RunVisitor,
    item: ListpackItem,
  ): number {
    const cursor = this.#cursor;
    this.#sequence.seek(root, to - 1, cursor);
    const { before } = cursor;
    const end = Math.max(from, before);
    this.visitChunkBackward(
      cursor.item,
      to - before,
      to - end,
      visitor,
      item,
    );
    return end;
  }

  /** Visits `count` elements of a chunk before the one with index `to` in it. */
  visitChunkBackward(
    chunk: number,
    to: number,
    count: number,
    visitor: RunVisitor,
    item: ListpackItem,
  ): void {
    const { chunks } = this;
    let pos = chunks.seek(chunk, to);
    for (let left = count; left > 0; left--) {
      pos = chunks.previous(chunk, pos);
      chunks.read(chunk, pos, item);
      visitor.plain(item.buf, item.off, item.length);
    }
  }

  /** A list in this heap of `count` elements of a list in any heap. */
  copyRange(
    source: LargeList,
    root: number,
    from: number,
    count: number,
  ): number {
    const made = this.create();
    try {
      for (let at = from; at < from + count;) {
        const cursor = source.#cursor;
        source.#sequence.seek(root, at, cursor);
        const skip = at - cursor.before;
        const copied = Math.min(cursor.count - skip, from + count - at);
        const { item } = cursor;
        const chunk = this.chunks.copyRange(source.chunks, item, skip, copied);
        this.#enter(made, chunk, copied);
        at += copied;
      }
    } catch (cause) {
      this.freeSlice(made, Infinity);
      throw cause;
    }
    return made;
  }

  /** Frees about `budget` chunks; says whether nothing is left. */
  freeSlice(root: number, budget: number): boolean {
    const cursor = this.#cursor;
    for (let left = budget; left > 0; left--) {
      if (!this.#tree.toEnd(root, false, cursor)) {
        this.#heap.free(root);
        return true;
      }
      this.#removeChunk(root, cursor);
    }
    return false;
  }

  /** Bytes of everything; of the chunks about `samples` are looked at, or all. */
  bytes(root: number, samples: number): number {
    const tree = this.#tree;
    const cursor = this.#cursor;
    let seen = 0;
    let bytes = 0;
    let goesOn = tree.toEnd(root, true, cursor);
    while (goesOn && (samples === 0 || seen < samples)) {
      bytes += this.chunks.allocatedBytes(cursor.item);
      seen++;
      goesOn = tree.step(root, cursor, true);
    }
    const all = seen === 0 ? 0 : Math.round(bytes / seen * tree.items(root));
    return (this.#heap.unitsOf(root) << 3) + tree.bytes(root) + all;
  }

  /** Checks a list, having told its tree; for tests. */
  verify(root: number): void {
    this.#sequence.tell(root);
    this.#tree.verify(root, (chunk) => {
      this.chunks.verify(chunk);
      const count = this.chunks.count(chunk);
      assert(count > 0, "no chunk is empty");
      return count;
    });
  }

  #hasRoom(chunk: number, bytes: number): boolean {
    const { chunks, limits } = this;
    return CHUNK_HEADER_BYTES + chunks.bytes(chunk) + bytes <=
        limits.bytesMax &&
      chunks.count(chunk) < limits.countMax &&
      !chunks.isPlain(chunk);
  }

  /** A chunk of the encoded element, with room for more at one end. */
  #makeChunk(root: number, atHead: boolean, bytes: number): number {
    const { bytesMax, countMax } = this.limits;
    const eighths = Math.min(EIGHTHS, this.#tree.items(root));
    const room = (bytesMax * eighths >>> 3) - CHUNK_HEADER_BYTES;
    const most = countMax < bytesMax ? bytes * countMax : bytesMax;
    const capacity = Math.max(bytes, Math.min(room, most));
    const made = this.chunks.create(capacity, atHead);
    return this.chunks.push(made, atHead, bytes, 0);
  }

  /** Adds a chunk of one element at an end, or frees it. */
  #enterNew(root: number, atHead: boolean, chunk: number): void {
    this.#sequence.tell(root);
    try {
      this.#tree.insertAtEnd(root, atHead, this.#cursor, chunk, 1);
    } catch (cause) {
      this.chunks.free(chunk);
      throw cause;
    }
  }

  /** Adds a chunk of one element before the cursor's, or frees it. */
  #enterBefore(root: number, cursor: TreeCursor, chunk: number): void {
    try {
      this.#tree.insert(root, cursor, false, chunk, 1);
    } catch (cause) {
      this.chunks.free(chunk);
      throw cause;
    }
  }

  /** Adds a chunk behind all others, or frees it. */
  #enter(root: number, chunk: number, count: number): void {
    this.#sequence.tell(root);
    try {
      this.#tree.insertAtEnd(root, false, this.#other, chunk, count);
    } catch (cause) {
      this.chunks.free(chunk);
      throw cause;
    }
  }

  #insertWithin(
    root: number,
    cursor: TreeCursor,
    skip: number,
    bytes: number,
  ): void {
    const { bytesMax } = this.limits;
    const moved = this.chunks.insert(cursor.item, skip, bytes, bytesMax);
    this.#moved(root, cursor, moved);
    this.#tree.add(root, cursor, 1);
  }

  /** Makes the element with an index the first one of a chunk. */
  #split(root: number, index: number): void {
    const { chunks } = this;
    const tree = this.#tree;
    const cursor = this.#cursor;
    tree.seek(root, index, cursor);
    const skip = index - cursor.before;
    if (skip === 0) return;
    const { item, before, count } = cursor;
    const made = chunks.copyRange(chunks, item, skip, count - skip);
    try {
      tree.insert(root, cursor, true, made, count - skip);
    } catch (cause) {
      chunks.free(made);
      throw cause;
    }
    tree.seek(root, before, cursor);
    chunks.cut(item, skip, count - skip);
    tree.add(root, cursor, skip - count);
    this.#fit(root, cursor);
  }

  /** Notes that the cursor's chunk has lost elements; all, if so many. */
  #lost(root: number, count: number): void {
    const cursor = this.#cursor;
    if (count === cursor.count) return this.#removeChunk(root, cursor);
    this.#tree.add(root, cursor, -count);
    if (!this.#joinNeighbour(root)) this.#fit(root, cursor);
  }

  #fit(root: number, cursor: TreeCursor): void {
    this.#moved(root, cursor, this.chunks.fit(cursor.item));
  }

  /** Notes where the cursor's chunk lies now. */
  #moved(root: number, cursor: TreeCursor, moved: number): void {
    if (moved !== cursor.item) this.#tree.replace(root, cursor, moved);
  }

  #removeChunk(root: number, cursor: TreeCursor): void {
    const chunk = cursor.item;
    this.#tree.remove(root, cursor);
    this.chunks.free(chunk);
  }

  /** Joins the cursor's chunk with one beside it if both are small. */
  #joinNeighbour(root: number): boolean {
    const { chunks, limits } = this;
    const tree = this.#tree;
    const cursor = this.#cursor;
    const { before, count } = cursor;
    if (chunks.bytes(cursor.item) * 4 > limits.bytesMax) return false;
    const end = before + count;
    if (end < tree.total(root)) {
      tree.seek(root, end, this.#other);
      if (this.#join(root, cursor, this.#other)) return true;
    }
    if (before === 0) return false;
    tree.seek(root, before - 1, this.#other);
    return this.#join(root, this.#other, cursor);
  }

  #join(root: number, left: TreeCursor, right: TreeCursor): boolean {
    const { chunks, limits } = this;
    const tree = this.#tree;
    const a = left.item;
    const b = right.item;
    const count = left.count + right.count;
    const bytes = chunks.bytes(a) + chunks.bytes(b);
    if (
      bytes * 2 > limits.bytesMax || count > limits.countMax ||
      chunks.isPlain(a) || chunks.isPlain(b)
    ) return false;
    const made = chunks.join(a, b);
    if (made === 0) return false;
    const { before, count: leftCount } = left;
    tree.remove(root, right);
    tree.seek(root, before, left);
    tree.replace(root, left, made);
    tree.add(root, left, count - leftCount);
    chunks.free(a);
    chunks.free(b);
    return true;
  }
}
