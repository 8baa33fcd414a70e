/**
 * The heap of one shard: objects of any size out of the arena, accounted
 * exactly.
 *
 * Small objects (up to 14 KiB) come from slabs: runs of pages cut into objects
 * of one size class. Freed objects are chained through their first word inside
 * their slab, never-used ones are counted, so a new slab is not touched before
 * it is needed. Slabs with room hang in one list per class, the fullest-looking
 * (most recently used) first. An empty slab goes back to the page pool. Larger
 * objects are runs of pages of their own.
 *
 * All of the state is words: the list heads and counters in the shard's control
 * block, the slab descriptors in the page map. Whoever holds the shard's latch
 * may allocate and free, from any worker.
 *
 * Words of a slab's first page in the map (see page_pool.ts):
 *
 * ```text
 * [0] SLAB | class << 8   [1] pages      [2] owner's shard number
 * [3] first freed object  [4] objects never used   [5] objects in use
 * [6] previous, [7] next slab with room (page number + 1)
 * ```
 * The other pages of a slab: `[0] SLAB_INNER  [2] first page`.
 *
 * Costs: allocate and free are constant time. Source of the idea: Bonwick, "The
 * Slab Allocator" (1994).
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { copyBytes } from "../base/bytes.ts";
import {
  type Arena,
  byteOf,
  PAGE_BYTES,
  PAGE_MAP_WORDS,
  PAGE_SHIFT,
  PAGE_UNITS,
  SEGMENT_SHIFT,
  UNIT_BYTES,
  UNIT_MASK,
} from "./arena.ts";
import { type PagePool, PAGES_PER_SEGMENT, RUN_USED } from "./page_pool.ts";
import {
  CLASS_COUNT,
  CLASS_OF,
  CLASS_UNITS,
  CLASS_UNITS_MAX,
  SLAB_OBJECTS,
  SLAB_PAGES,
} from "./size_classes.ts";

const SLAB = 3;
const SLAB_INNER = 4;
const STATE_MASK = 0xff;
const CLASS_SHIFT = 8;

const STATE = 0;
const LENGTH = 1;
const OWNER = 2;
const FREE_HEAD = 3;
const FRESH = 4;
const USED = 5;
const PREVIOUS = 6;
const NEXT = 7;

/** Words of the control block that a heap needs, in whole cache lines. */
export const HEAP_WORDS: number = Math.ceil((8 + CLASS_COUNT) / 16) * 16;
/** Double index of the bytes in use, from the heap's first word / 2. */
const USED_BYTES = 0;
/** Double index of the bytes of all pages held. */
const HELD_BYTES = 1;
/** Double index of the bytes moved by defragmentation so far. */
const MOVED_BYTES = 2;
const HEADS = 8;

/** Thrown by {@linkcode Heap.allocate} when the arena has no room left. */
export class OutOfMemory extends Error {
  override readonly name = "OutOfMemory";
  /** Nothing was changed by the call that threw. */
  constructor() {
    super("the arena is full");
  }
}

/** What a heap held, on its way to another one. */
export interface HeapContents {
  /** By class: first and last slab with room (page number + 1), or 0 and 0. */
  readonly slabs: Int32Array;
  /** Bytes in use. */
  readonly usedBytes: number;
  /** Bytes of all pages. */
  readonly heldBytes: number;
}

/** Allocates for one shard. One object per worker and shard, over shared words. */
export class Heap {
  readonly #arena: Arena;
  readonly #pool: PagePool;
  readonly #map: Int32Array;
  readonly #control: Int32Array;
  readonly #counters: Float64Array;
  readonly #base: number;
  readonly #shard: number;

  /** `base` is the heap's first word in `control`, even. */
  constructor(
    arena: Arena,
    pool: PagePool,
    control: Int32Array,
    base: number,
    shard: number,
  ) {
    assert((base & 1) === 0, "a heap's control words are 8-byte aligned");
    this.#arena = arena;
    this.#pool = pool;
    this.#map = arena.pageMap;
    this.#control = control;
    this.#counters = new Float64Array(
      control.buffer,
      control.byteOffset + base * 4,
      3,
    );
    this.#base = base + HEADS;
    this.#shard = shard;
  }

  /** Bytes of all live objects, each rounded up to its class. */
  get usedBytes(): number {
    return this.#counters[USED_BYTES]!;
  }

  /** Bytes of all pages held, free objects in slabs included. */
  get heldBytes(): number {
    return this.#counters[HELD_BYTES]!;
  }

  /** Bytes that {@linkcode noteMoved} counted. */
  get movedBytes(): number {
    return this.#counters[MOVED_BYTES]!;
  }

  /**
   * Room for `units` units; throws {@linkcode OutOfMemory}. The content is
   * arbitrary.
   */
  allocate(units: number): number {
    const ref = this.tryAllocate(units);
    if (ref === 0) throw new OutOfMemory();
    return ref;
  }

  /** As {@linkcode allocate}, but returns 0 when there is no room. */
  tryAllocate(units: number): number {
    if (units > CLASS_UNITS_MAX) return this.#allocateRun(units);
    const index = CLASS_OF[units]!;
    const head = this.#control[this.#base + index]!;
    const page = head !== 0 ? head - 1 : this.#newSlab(index);
    if (page === 0) return 0;
    const at = page * PAGE_MAP_WORDS;
    const map = this.#map;
    let ref = map[at + FREE_HEAD]!;
    if (ref !== 0) {
      map[at + FREE_HEAD] = this.#arena
        .i32[ref >>> SEGMENT_SHIFT]![(ref & UNIT_MASK) << 1]!;
    } else {
      const fresh = map[at + FRESH]!;
      ref = (page << PAGE_SHIFT) + fresh * CLASS_UNITS[index]!;
      map[at + FRESH] = fresh + 1;
    }
    const used = map[at + USED]! + 1;
    map[at + USED] = used;
    if (used === SLAB_OBJECTS[index]!) this.#unlink(page, index);
    this.#counters[USED_BYTES] = this.#counters[USED_BYTES]! +
      CLASS_UNITS[index]! * UNIT_BYTES;
    return ref;
  }

  /** Gives an object back whose first bytes go to another, which it returns. */
  move(from: number, to: number, bytes: number): number {
    copyBytes(
      this.#arena.u8[from >>> SEGMENT_SHIFT]!,
      byteOf(from),
      this.#arena.u8[to >>> SEGMENT_SHIFT]!,
      byteOf(to),
      bytes,
    );
    this.free(from);
    return to;
  }

  /** Gives an object back. */
  free(ref: number): void {
    let page = ref >>> PAGE_SHIFT;
    const map = this.#map;
    let at = page * PAGE_MAP_WORDS;
    let state = map[at + STATE]!;
    if (state === RUN_USED) return this.#freeRun(ref);
    if (state === SLAB_INNER) {
      page = map[at + OWNER]!;
      at = page * PAGE_MAP_WORDS;
      state = map[at + STATE]!;
    }
    assert((state & STATE_MASK) === SLAB, "a freed object lies in a slab");
    assert(map[at + OWNER] === this.#shard, "an object is freed by its shard");
    const index = state >>> CLASS_SHIFT;
    this.#arena.i32[ref >>> SEGMENT_SHIFT]![(ref & UNIT_MASK) << 1] =
      map[at + FREE_HEAD]!;
    map[at + FREE_HEAD] = ref;
    const used = map[at + USED]! - 1;
    assert(used >= 0, "an object is freed once");
    map[at + USED] = used;
    this.#counters[USED_BYTES] = this.#counters[USED_BYTES]! -
      CLASS_UNITS[index]! * UNIT_BYTES;
    if (used === SLAB_OBJECTS[index]! - 1) this.#link(page, index);
    if (used === 0 && !this.#isOnlySlab(at)) this.#dropSlab(page, index);
  }

  /**
   * Cuts a run of pages down to those that so many units need, where it stands;
   * false if it is no run, or would be none of so few.
   */
  shrink(ref: number, units: number): boolean {
    if (units <= CLASS_UNITS_MAX || !this.isRun(ref)) return false;
    const page = ref >>> PAGE_SHIFT;
    const pages = Math.ceil(units / PAGE_UNITS);
    this.#countRun(pages - this.#pool.lengthOf(page));
    this.#pool.shrink(page, pages);
    return true;
  }

  /** Units that the object at `ref` may use. */
  unitsOf(ref: number): number {
    const at = (ref >>> PAGE_SHIFT) * PAGE_MAP_WORDS;
    const state = this.#map[at + STATE]!;
    if (state === RUN_USED) return this.#map[at + LENGTH]! * PAGE_UNITS;
    const first = state === SLAB_INNER
      ? this.#map[this.#map[at + OWNER]! * PAGE_MAP_WORDS + STATE]!
      : state;
    return CLASS_UNITS[first >>> CLASS_SHIFT]!;
  }

  /** Whether an object is a run of pages of its own. */
  isRun(ref: number): boolean {
    return this.#map[(ref >>> PAGE_SHIFT) * PAGE_MAP_WORDS + STATE]! ===
      RUN_USED;
  }

  /**
   * Takes over a run of pages that was filled outside of this heap, such as a
   * value that streamed in; from now on {@linkcode free} gives it back.
   */
  adoptRun(ref: number): void {
    this.#countRun(this.#pool.lengthOf(ref >>> PAGE_SHIFT));
  }

  /** As {@linkcode PagePool.setSteady}. */
  setSteady(ref: number, isSteady = true): void {
    this.#pool.setSteady(ref >>> PAGE_SHIFT, isSteady);
  }

  /** The run in which bytes of the arena lie, 0 for none. */
  runAt(buf: Uint8Array, off: number): number {
    const page = this.#pageAt(buf, off);
    return page < 0 ? 0 : this.#pool.runOf(page) << PAGE_SHIFT;
  }

  /** The same if it is a steady run. */
  steadyRunAt(buf: Uint8Array, off: number): number {
    const page = this.#pageAt(buf, off);
    return page < 0 ? 0 : this.#pool.steadyRunOf(page) << PAGE_SHIFT;
  }

  /** As {@linkcode PagePool.keep}. */
  keep(ref: number): void {
    this.#pool.keep(ref >>> PAGE_SHIFT);
  }

  /** As {@linkcode PagePool.letGo}. */
  letGo(ref: number): void {
    this.#pool.letGo(ref >>> PAGE_SHIFT);
  }

  /** As {@linkcode PagePool.keepersOf}. */
  keepersOf(ref: number): number {
    return this.#pool.keepersOf(ref >>> PAGE_SHIFT);
  }

  /** Stops accounting for a run that lives on outside of this heap. */
  disownRun(ref: number): void {
    this.#countRun(-this.#pool.lengthOf(ref >>> PAGE_SHIFT));
  }

  /**
   * Whether an object would be better off elsewhere: its slab is at most seven
   * eighths full while another slab with room is the one new objects go to.
   */
  isSparse(ref: number): boolean {
    let page = ref >>> PAGE_SHIFT;
    let at = page * PAGE_MAP_WORDS;
    let state = this.#map[at + STATE]!;
    if (state === RUN_USED) return false;
    if (state === SLAB_INNER) {
      page = this.#map[at + OWNER]!;
      at = page * PAGE_MAP_WORDS;
      state = this.#map[at + STATE]!;
    }
    const index = state >>> CLASS_SHIFT;
    const head = this.#control[this.#base + index]!;
    return head !== 0 && head - 1 !== page &&
      this.#map[at + USED]! * 8 <= SLAB_OBJECTS[index]! * 7;
  }

  /** Puts the fullest slab of each class first, for defragmentation to fill. */
  preferFullSlabs(): void {
    for (let index = 0; index < CLASS_COUNT; index++) {
      let best = -1;
      let bestUsed = -1;
      let page = this.#control[this.#base + index]! - 1;
      for (let step = 0; page >= 0 && step < 4096; step++) {
        const used = this.#map[page * PAGE_MAP_WORDS + USED]!;
        if (used > bestUsed) [best, bestUsed] = [page, used];
        page = this.#map[page * PAGE_MAP_WORDS + NEXT]! - 1;
      }
      if (best >= 0) {
        this.#unlink(best, index);
        this.#link(best, index);
      }
    }
  }

  /** Counts an object that defragmentation moved. */
  noteMoved(units: number): void {
    this.#counters[MOVED_BYTES] = this.#counters[MOVED_BYTES]! +
      units * UNIT_BYTES;
  }

  /** Gives back the empty slabs that were kept in reserve. */
  releaseReserve(): void {
    for (let index = 0; index < CLASS_COUNT; index++) {
      let page = this.#control[this.#base + index]! - 1;
      while (page >= 0) {
        const at = page * PAGE_MAP_WORDS;
        const next = this.#map[at + NEXT]! - 1;
        if (this.#map[at + USED] === 0) this.#dropSlab(page, index);
        page = next;
      }
    }
  }

  /**
   * Empties the heap of words, which must not be used any more; the memory lives
   * on in the heap that absorbs it. Takes time proportional to the slabs with
   * room.
   */
  surrender(): HeapContents {
    this.releaseReserve();
    const slabs = new Int32Array(2 * CLASS_COUNT);
    for (let index = 0; index < CLASS_COUNT; index++) {
      const head = this.#control[this.#base + index]!;
      let tail = head;
      while (tail !== 0) {
        const next = this.#map[(tail - 1) * PAGE_MAP_WORDS + NEXT]!;
        if (next === 0) break;
        tail = next;
      }
      slabs[2 * index] = head;
      slabs[2 * index + 1] = tail;
      this.#control[this.#base + index] = 0;
    }
    const { usedBytes, heldBytes } = this;
    this.#counters.fill(0);
    return { slabs, usedBytes, heldBytes };
  }

  /**
   * Takes over what another heap has surrendered that was made for the same
   * shard number. Constant time.
   */
  absorb({ slabs, usedBytes, heldBytes }: HeapContents): void {
    const map = this.#map;
    for (let index = 0; index < CLASS_COUNT; index++) {
      const first = slabs[2 * index]!;
      if (first === 0) continue;
      const last = slabs[2 * index + 1]!;
      const head = this.#control[this.#base + index]!;
      map[(last - 1) * PAGE_MAP_WORDS + NEXT] = head;
      if (head !== 0) map[(head - 1) * PAGE_MAP_WORDS + PREVIOUS] = last;
      this.#control[this.#base + index] = first;
    }
    this.#counters[USED_BYTES] = this.usedBytes + usedBytes;
    this.#counters[HELD_BYTES] = this.heldBytes + heldBytes;
  }

  /** Checks the slabs that have room and their free objects; for tests. */
  verify(): void {
    for (let index = 0; index < CLASS_COUNT; index++) {
      let previous = 0;
      for (let link = this.#control[this.#base + index]!; link !== 0;) {
        const at = (link - 1) * PAGE_MAP_WORDS;
        assert(
          this.#map[at + STATE] === (SLAB | index << CLASS_SHIFT),
          "lists hold slabs of their class",
        );
        assert(this.#map[at + OWNER] === this.#shard, "slabs know their shard");
        assert(this.#map[at + PREVIOUS] === previous, "lists go both ways");
        this.#verifySlab(link - 1, index);
        previous = link;
        link = this.#map[at + NEXT]!;
      }
    }
  }

  #verifySlab(page: number, index: number): void {
    const at = page * PAGE_MAP_WORDS;
    const units = CLASS_UNITS[index]!;
    const fresh = this.#map[at + FRESH]!;
    const seen = new Set<number>();
    for (let ref = this.#map[at + FREE_HEAD]!; ref !== 0;) {
      const object = (ref - (page << PAGE_SHIFT)) / units;
      assert(
        Number.isInteger(object) && object >= 0 && object < fresh,
        "a free object is one of its slab",
      );
      assert(!seen.has(object), "a free object is chained once");
      seen.add(object);
      ref = this.#arena.i32[ref >>> SEGMENT_SHIFT]![(ref & UNIT_MASK) << 1]!;
    }
    const used = this.#map[at + USED]!;
    assert(used + seen.size === fresh, "objects are counted exactly");
    assert(used < SLAB_OBJECTS[index]!, "a slab in a list has room");
  }

  /** The page in which bytes lie, -1 if they are not in the arena. */
  #pageAt(buf: Uint8Array, off: number): number {
    const { u8 } = this.#arena;
    const segment = u8.findIndex(({ buffer }) => buffer === buf.buffer);
    if (segment < 0) return -1;
    const at = buf.byteOffset - u8[segment]!.byteOffset + off;
    return segment * PAGES_PER_SEGMENT + Math.floor(at / PAGE_BYTES);
  }

  #allocateRun(units: number): number {
    const pages = Math.ceil(units / PAGE_UNITS);
    const first = this.#pool.take(pages);
    if (first === 0) return 0;
    this.#map[first * PAGE_MAP_WORDS + OWNER] = this.#shard;
    this.#countRun(pages);
    return first << PAGE_SHIFT;
  }

  #freeRun(ref: number): void {
    const page = ref >>> PAGE_SHIFT;
    // An entry with a long name may begin a unit behind the start of its run.
    const behind = ref - (page << PAGE_SHIFT);
    assert(
      behind === 0 || behind === 1 && this.#pool.steadyRunOf(page) === page,
      "a run is freed as a whole",
    );
    this.#countRun(-this.#pool.lengthOf(page));
    this.#pool.give(page);
  }

  #countRun(pages: number): void {
    const bytes = pages * PAGE_BYTES;
    this.#counters[USED_BYTES] = this.#counters[USED_BYTES]! + bytes;
    this.#counters[HELD_BYTES] = this.#counters[HELD_BYTES]! + bytes;
  }

  /** A slab's first page, or 0 when there is no room. */
  #newSlab(index: number): number {
    const pages = SLAB_PAGES[index]!;
    const first = this.#pool.take(pages);
    if (first === 0) return 0;
    const map = this.#map;
    for (let page = first + 1; page < first + pages; page++) {
      map[page * PAGE_MAP_WORDS + STATE] = SLAB_INNER;
      map[page * PAGE_MAP_WORDS + OWNER] = first;
    }
    const at = first * PAGE_MAP_WORDS;
    map[at + STATE] = SLAB | index << CLASS_SHIFT;
    map[at + OWNER] = this.#shard;
    map[at + FREE_HEAD] = 0;
    map[at + FRESH] = 0;
    map[at + USED] = 0;
    this.#link(first, index);
    this.#counters[HELD_BYTES] = this.#counters[HELD_BYTES]! +
      pages * PAGE_BYTES;
    return first;
  }

  /**
   * Whether the class has no other slab with room: such a slab stays although it
   * is empty, so that one object that comes and goes does not thrash.
   */
  #isOnlySlab(at: number): boolean {
    return this.#map[at + PREVIOUS] === 0 && this.#map[at + NEXT] === 0;
  }

  #dropSlab(page: number, index: number): void {
    this.#unlink(page, index);
    this.#map[page * PAGE_MAP_WORDS + STATE] = RUN_USED;
    // The pool has its keepers there.
    this.#map[page * PAGE_MAP_WORDS + FREE_HEAD] = 0;
    this.#counters[HELD_BYTES] = this.#counters[HELD_BYTES]! -
      SLAB_PAGES[index]! * PAGE_BYTES;
    this.#pool.give(page);
  }

  #link(page: number, index: number): void {
    const head = this.#control[this.#base + index]!;
    const at = page * PAGE_MAP_WORDS;
    this.#map[at + PREVIOUS] = 0;
    this.#map[at + NEXT] = head;
    if (head !== 0) {
      this.#map[(head - 1) * PAGE_MAP_WORDS + PREVIOUS] = page + 1;
    }
    this.#control[this.#base + index] = page + 1;
  }

  #unlink(page: number, index: number): void {
    const at = page * PAGE_MAP_WORDS;
    const previous = this.#map[at + PREVIOUS]!;
    const next = this.#map[at + NEXT]!;
    if (previous === 0) this.#control[this.#base + index] = next;
    else this.#map[(previous - 1) * PAGE_MAP_WORDS + NEXT] = next;
    if (next !== 0) {
      this.#map[(next - 1) * PAGE_MAP_WORDS + PREVIOUS] = previous;
    }
    this.#map[at + PREVIOUS] = 0;
    this.#map[at + NEXT] = 0;
  }
}
