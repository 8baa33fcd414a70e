/**
 * Lists.
 *
 * ```text
 * encoding 0  listpack     one chunk, which is the root        (memory/chunk.ts)
 *          1  quicklist    chunks in a tree                      (large_list.ts)
 * ```
 *
 * A packed list becomes a large one when what is to be added would exceed
 * `list-max-listpack-size`, and a large one that has lost elements becomes packed
 * when one chunk of half that size is left; the sums are those of Redis 7.2,
 * which counts bytes of text before it adds and bytes of its listpack otherwise.
 * So who adds calls {@linkcode ListValue.prepare} before (`add` does so itself),
 * and who removes or replaces {@linkcode ListValue.pack} afterwards.
 *
 * To go through a list: {@linkcode ListValue.visitRun} from index 0 to the
 * length, each call giving the next index. To read one element:
 * {@linkcode ListValue.read} or `readEnd`, then `item`.
 *
 * @module
 */

import type { Arena } from "../memory/arena.ts";
import type { Chunks } from "../memory/chunk.ts";
import type { Heap } from "../memory/heap.ts";
import {
  LISTPACK_EMPTY_BYTES,
  LISTPACK_HEADER_BYTES,
  ListpackItem,
  type Listpacks,
} from "../memory/listpack.ts";
import {
  listpackElements,
  MALFORMED,
  NOT_CANONICAL,
} from "../memory/listpack_format.ts";
import { setValue, setValueRoot, valueEncoding, valueRoot } from "./entry.ts";
import { type ElementSearch, EqualRemoval } from "./equal_removal.ts";
import { LargeList, type MatchVisitor, type RunVisitor } from "./large_list.ts";
import { PACKED_BYTES_MAX } from "./packed_limits.ts";
import type { ValueMemory, ValueType } from "./value_type.ts";

export { ElementSearch, EqualRemoval } from "./equal_removal.ts";
export type { MatchVisitor, RunVisitor } from "./large_list.ts";

/** One chunk. */
export const LIST_LISTPACK = 0;
/** A tree of chunks. */
export const LIST_QUICKLIST = 1;

/** A packed list's chunk is not made for a certain size. */
const NO_CAPACITY_MAX = 1 << 30;
/** Bytes that an element of a short text has beside the text. */
const ELEMENT_EXTRA_BYTES = 2;

/** The lists of one keyspace, by their entries. */
export class ListValue implements ValueType {
  readonly encodingNames: readonly string[] = ["listpack", "quicklist"];
  /** The element that was read. */
  readonly item: ListpackItem = new ListpackItem();
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #listpacks: Listpacks;
  readonly #large: LargeList;
  readonly #chunks: Chunks;
  readonly #removal = new EqualRemoval();

  /** One object per keyspace. */
  constructor(memory: ValueMemory) {
    this.#arena = memory.arena;
    this.#heap = memory.heap;
    this.#listpacks = memory.listpacks;
    this.#large = new LargeList(memory);
    this.#chunks = this.#large.chunks;
  }

  /** Elements. */
  length(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return 0;
    return this.#isLarge(ref)
      ? this.#large.length(root)
      : this.#chunks.count(root);
  }

  /**
   * Gets ready for `added` more elements of `addedBytes` bytes of text together,
   * most of them at one end: chooses the encoding, and makes room for more than
   * one element at once.
   */
  prepare(
    ref: number,
    addedBytes: number,
    added: number,
    atHead: boolean,
  ): void {
    const { limits } = this.#large;
    limits.refresh();
    if (this.#isLarge(ref)) return;
    const root = valueRoot(this.#arena, ref);
    const bytes = LISTPACK_EMPTY_BYTES + addedBytes +
      (root === 0 ? 0 : this.#chunks.bytes(root));
    const count = added + (root === 0 ? 0 : this.#chunks.count(root));
    if (bytes > limits.bytesMax || count > limits.countMax) {
      return this.#makeLarge(ref);
    }
    if (added <= 1) return;
    const room = addedBytes + added * ELEMENT_EXTRA_BYTES;
    setValueRoot(
      this.#arena,
      ref,
      root === 0
        ? this.#chunks.create(room, atHead)
        : this.#chunks.reserve(root, atHead, room),
    );
  }

  /** Gets ready for one element and adds it; returns how many there are. */
  add(
    ref: number,
    atHead: boolean,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    if (this.#isLarge(ref)) {
      const large = this.#large;
      large.limits.refresh();
      const root = valueRoot(this.#arena, ref);
      return large.push(root, atHead, buf, off, length);
    }
    this.prepare(ref, length, 1, atHead);
    return this.push(ref, atHead, buf, off, length);
  }

  /** Adds an element at an end; returns how many there are. */
  push(
    ref: number,
    atHead: boolean,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    const chunks = this.#chunks;
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) {
      return this.#large.push(root, atHead, buf, off, length);
    }
    if (root !== 0 && chunks.bytes(root) > PACKED_BYTES_MAX) {
      this.#makeLarge(ref);
      return this.push(ref, atHead, buf, off, length);
    }
    const bytes = this.#listpacks.encode(buf, off, length);
    const chunk = root === 0 ? chunks.create(bytes, atHead) : root;
    const pushed = chunks.push(chunk, atHead, bytes, NO_CAPACITY_MAX);
    if (pushed !== root) setValueRoot(this.#arena, ref, pushed);
    return chunks.count(pushed);
  }

  /**
   * Whether an element of so many bytes lies by itself, once `prepare` is done,
   * so that an external string can become one where it lies.
   */
  takesRun(ref: number, length: number): boolean {
    return this.#isLarge(ref) && this.#large.isPlain(length);
  }

  /**
   * As {@linkcode ListValue.push}, of an external string that nobody else has; it
   * is the list's, or has been freed, if {@linkcode ListValue.takesRun} said so.
   */
  pushRun(ref: number, atHead: boolean, run: number, length: number): number {
    const chunk = this.#chunks.adoptRun(run, length);
    const root = valueRoot(this.#arena, ref);
    return this.#large.pushPlain(root, atHead, chunk);
  }

  /** As {@linkcode ListValue.insert}, of what `pushRun` takes. */
  insertRun(ref: number, index: number, run: number, length: number): void {
    const chunk = this.#chunks.adoptRun(run, length);
    this.#large.insertPlain(valueRoot(this.#arena, ref), index, chunk);
  }

  /** As {@linkcode ListValue.replace}, of what `pushRun` takes. */
  replaceRun(ref: number, index: number, run: number, length: number): void {
    this.insertRun(ref, index, run, length);
    this.removeRange(ref, index + 1, 1);
  }

  /**
   * Moves the element at an end to an end of a list in this or another shard,
   * which may be the other end of the same, if it has that many bytes and more
   * than fit beside others; false if it has not. Its bytes stay where they are.
   */
  moveEnd(
    ref: number,
    fromHead: boolean,
    target: ListValue,
    targetRef: number,
    toHead: boolean,
    bytesMin: number,
  ): boolean {
    const root = valueRoot(this.#arena, ref);
    if (!this.#isLarge(ref)) return false;
    const chunk = this.#large.plainAt(root, fromHead, bytesMin);
    if (chunk === 0) return false;
    target.prepare(targetRef, this.#chunks.bytes(chunk), 1, toHead);
    const targetRoot = valueRoot(target.#arena, targetRef);
    target.#large.pushShared(targetRoot, toHead, chunk);
    this.#large.takeChunk(root, fromHead);
    this.#chunks.disown(chunk);
    target.#chunks.own(chunk);
    return true;
  }

  /**
   * Visits the runs of pages in which elements of a length lie, which is more than
   * any shares, among the first so many pieces of the list.
   */
  visitLike(
    ref: number,
    length: number,
    chunksMax: number,
    visit: (run: number, buf: Uint8Array, off: number) => void,
  ): void {
    if (!this.#isLarge(ref)) return;
    const root = valueRoot(this.#arena, ref);
    this.#large.visitLike(root, length, chunksMax, visit);
  }

  /** Removes the element at an end, which must be there; see `pack`. */
  drop(ref: number, atHead: boolean): void {
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) this.#large.drop(root, atHead);
    else {
      this.#chunks.drop(root, atHead);
      this.#fit(ref, root);
    }
  }

  /** Reads the element at an end, which must be there. */
  readEnd(ref: number, atHead: boolean): void {
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) {
      return this.#large.readEnd(root, atHead, this.item);
    }
    const chunks = this.#chunks;
    const pos = atHead
      ? chunks.first(root)
      : chunks.previous(root, chunks.end(root));
    chunks.read(root, pos, this.item);
  }

  /** Reads the element with an index, which must be there. */
  read(ref: number, index: number): void {
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) this.#large.read(root, index, this.item);
    else {
      const pos = this.#chunks.seek(root, index);
      this.#chunks.read(root, pos, this.item);
    }
  }

  /**
   * Puts an element in the place of the one with an index, which must be there.
   * Its text does not lie in the list.
   */
  replace(
    ref: number,
    index: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): void {
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) {
      return this.#large.replace(root, index, buf, off, length);
    }
    const bytes = this.#listpacks.encode(buf, off, length);
    const made = this.#chunks.replace(root, index, bytes, NO_CAPACITY_MAX);
    setValueRoot(this.#arena, ref, made);
  }

  /** Inserts an element before the one with an index, or behind the last one. */
  insert(
    ref: number,
    index: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): void {
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) {
      return this.#large.insert(root, index, buf, off, length);
    }
    const bytes = this.#listpacks.encode(buf, off, length);
    const made = this.#chunks.insert(root, index, bytes, NO_CAPACITY_MAX);
    setValueRoot(this.#arena, ref, made);
  }

  /** Removes `count` elements from an index on; see `pack`. */
  removeRange(ref: number, from: number, count: number): void {
    if (count === 0) return;
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) {
      this.#large.limits.refresh();
      return this.#large.removeRange(root, from, count);
    }
    this.#chunks.cut(root, from, count);
    this.#fit(ref, root);
  }

  /**
   * Removes up to `most` elements that are the given text, the first ones or,
   * `fromTail`, the last ones; returns how many. See `pack`.
   */
  removeEqual(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    most: number,
    fromTail: boolean,
  ): number {
    const work = this.#removal;
    work.begin(this.length(ref));
    this.removeEqualPart(
      ref,
      buf,
      off,
      length,
      most,
      fromTail,
      work,
      Infinity,
    );
    return work.removed;
  }

  /**
   * Goes on with a removal as {@linkcode ListValue.removeEqual} has it, of which
   * so much has been done, over about `budget` bytes; says whether that was not
   * all. The list must not be packed before.
   */
  removeEqualPart(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    most: number,
    fromTail: boolean,
    work: EqualRemoval,
    budget: number,
  ): boolean {
    const root = valueRoot(this.#arena, ref);
    const large = this.#large;
    if (this.#isLarge(ref)) {
      large.limits.refresh();
      return large.removeEqual(
        root,
        buf,
        off,
        length,
        most,
        fromTail,
        work,
        budget,
      );
    }
    this.#listpacks.encode(buf, off, length);
    const removed = large.removeEqualFrom(root, most, fromTail);
    if (removed > 0) this.#fit(ref, root);
    work.from = work.to;
    work.removed += removed;
    return false;
  }

  /**
   * Looks for elements that are the given text among the first `most`, or the
   * last ones, last first, if `backward`. The list must not change meanwhile.
   */
  search(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    backward: boolean,
    most: number,
    visitor: MatchVisitor,
  ): void {
    const root = valueRoot(this.#arena, ref);
    const large = this.#large;
    if (root === 0) return;
    if (this.#isLarge(ref)) {
      return large.search(root, buf, off, length, backward, most, visitor);
    }
    this.#listpacks.encode(buf, off, length);
    const looked = Math.min(most, this.#chunks.count(root));
    large.searchChunk(root, 0, backward, looked, visitor);
  }

  /**
   * Goes on looking for the first element that is the given text, from where
   * `work` is or somewhat before, over about `budget` bytes. The list has elements,
   * and `work` is at one of them.
   */
  searchPart(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    work: ElementSearch,
    budget: number,
    visitor: MatchVisitor,
  ): void {
    if (this.#isLarge(ref)) {
      const root = valueRoot(this.#arena, ref);
      const large = this.#large;
      return large.searchFrom(root, buf, off, length, work, budget, visitor);
    }
    this.search(ref, buf, off, length, false, Infinity, visitor);
    work.from = this.length(ref);
  }

  /**
   * Visits the elements that lie together from index `from` on, not beyond index
   * `to`; returns the index behind them. From 0 to the length, each call visits
   * one node as a whole.
   */
  visitRun(
    ref: number,
    from: number,
    to: number,
    visitor: RunVisitor,
  ): number {
    const root = valueRoot(this.#arena, ref);
    if (this.#isLarge(ref)) {
      return this.#large.visitRun(root, from, to, visitor);
    }
    this.#large.visitChunk(root, from, to - from, visitor);
    return to;
  }

  /**
   * Visits the elements that lie together and end before index `to`, the last
   * one first and each by itself, not beyond index `from`; returns the index of
   * the last one visited.
   */
  visitBackward(
    ref: number,
    to: number,
    from: number,
    visitor: RunVisitor,
  ): number {
    const root = valueRoot(this.#arena, ref);
    const { item } = this;
    if (this.#isLarge(ref)) {
      return this.#large.visitBackward(root, to, from, visitor, item);
    }
    this.#large.visitChunkBackward(root, to, to - from, visitor, item);
    return from;
  }

  /** Nodes: runs that `visitRun` makes of the whole list. */
  nodes(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return 0;
    return this.#isLarge(ref) ? this.#large.chunkCount(root) : 1;
  }

  /**
   * Adds a node of elements as listpacks have them, head and end included, from
   * elsewhere; false if it is malformed. For RESTORE, which calls `pack` at last.
   */
  appendListpack(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): boolean {
    const elements = listpackElements(buf, off, length);
    if (elements === MALFORMED) return false;
    if (elements === NOT_CANONICAL) {
      const loaded = this.#listpacks.load(buf, off, length);
      try {
        this.#appendNode(
          ref,
          this.#chunks.bytesOf(loaded),
          this.#chunks.offsetOf(loaded, 0),
          this.#listpacks.bytes(loaded),
          this.#listpacks.count(loaded),
        );
      } finally {
        this.#listpacks.free(loaded);
      }
    } else if (elements > 0) {
      this.#appendNode(ref, buf, off, length, elements);
    }
    return true;
  }

  /**
   * Makes a large list packed if it is small enough: half of the limit if it
   * `hasShrunk`, the whole if it has just been made.
   */
  pack(ref: number, hasShrunk: boolean): void {
    if (!this.#isLarge(ref)) return;
    const root = valueRoot(this.#arena, ref);
    const large = this.#large;
    const chunk = large.onlyChunk(root);
    if (chunk === 0 || this.#chunks.isPlain(chunk)) return;
    const { limits } = large;
    limits.refresh();
    const share = hasShrunk ? 1 : 0;
    const size = limits.isByCount
      ? this.#chunks.count(chunk) > limits.countMax >> share
      : LISTPACK_EMPTY_BYTES + this.#chunks.bytes(chunk) >
        limits.bytesMax >> share;
    if (size) return;
    large.dissolve(root);
    setValue(this.#arena, ref, LIST_LISTPACK, this.#chunks.fit(chunk));
  }

  memoryBytes(ref: number, samples: number): number {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return 0;
    return this.#isLarge(ref)
      ? this.#large.bytes(root, samples)
      : this.#heap.unitsOf(root) << 3;
  }

  weight(ref: number): number {
    return this.nodes(ref) + 1;
  }

  free(ref: number): void {
    this.freeSlice(ref, Infinity);
  }

  freeSlice(ref: number, budget: number): boolean {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return true;
    if (!this.#isLarge(ref)) this.#chunks.free(root);
    else if (!this.#large.freeSlice(root, budget)) return false;
    setValue(this.#arena, ref, LIST_LISTPACK, 0);
    return true;
  }

  copyFrom(source: ListValue, sourceRef: number, ref: number): void {
    this.copyRange(source, sourceRef, 0, source.length(sourceRef), ref);
  }

  /**
   * Gives `ref`, whose value is empty, a copy of `count` elements, at least one
   * if there are any, of a list in this or another shard. Its encoding is the
   * same.
   */
  copyRange(
    source: ListValue,
    sourceRef: number,
    from: number,
    count: number,
    ref: number,
  ): void {
    const root = valueRoot(source.#arena, sourceRef);
    if (root === 0) return;
    const isLarge = source.#isLarge(sourceRef);
    setValue(
      this.#arena,
      ref,
      isLarge ? LIST_QUICKLIST : LIST_LISTPACK,
      isLarge
        ? this.#large.copyRange(source.#large, root, from, count)
        : this.#chunks.copyRange(source.#chunks, root, from, count),
    );
  }

  /** Checks a list; for tests. */
  verify(ref: number): void {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return;
    if (this.#isLarge(ref)) this.#large.verify(root);
    else this.#chunks.verify(root);
  }

  #isLarge(ref: number): boolean {
    return valueEncoding(this.#arena, ref) === LIST_QUICKLIST;
  }

  #fit(ref: number, root: number): void {
    const fitted = this.#chunks.fit(root);
    if (fitted !== root) setValueRoot(this.#arena, ref, fitted);
  }

  #makeLarge(ref: number): void {
    const root = valueRoot(this.#arena, ref);
    const large = this.#large;
    const isEmpty = root === 0 || this.#chunks.count(root) === 0;
    const made = isEmpty ? large.create() : large.createFrom(root);
    if (isEmpty && root !== 0) this.#chunks.free(root);
    setValue(this.#arena, ref, LIST_QUICKLIST, made);
  }

  /** Adds the elements of a listpack as a node. */
  #appendNode(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    elements: number,
  ): void {
    if (!this.#isLarge(ref)) this.#makeLarge(ref);
    const chunk = this.#chunks.adopt(
      buf,
      off + LISTPACK_HEADER_BYTES,
      length - LISTPACK_EMPTY_BYTES,
      elements,
    );
    this.#large.appendChunk(valueRoot(this.#arena, ref), chunk, elements);
  }
}
