/**
 * Queues of nodes by the time at which they expire: what a large hash finds its
 * expired fields with.
 *
 * A queue is a heap of four children a node, in blocks of doubling size, so that
 * it grows without moving what it has. The times stand beside the references:
 * four children are one cache line, and no node is touched to find the least.
 *
 * ```text
 * header   word 0     nodes
 *          word 1     blocks
 *          words 2-   references of the blocks
 * block b  4 << b times (doubles), then as many nodes (words)
 * ```
 *
 * Place `i` is in the block that `i / 4 + 1` has as many bits for; the children
 * of place `i` are at `4 i + 1` to `4 i + 4`.
 *
 * Invariants: no node expires before its parent; word 0 of each node is its
 * place; the time beside a node is the one in the node (node.ts).
 *
 * Cost: the first one is known; the rest take as many steps as the heap has
 * levels. Twelve bytes a node, and up to as much room again.
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
import { NODE_META } from "../memory/node.ts";

/** Places of the first block. */
const FIRST_PLACES = 4;
const FIRST_BITS = 2;
/** Blocks that the header has room for: 2^28 places. */
const BLOCKS_MAX = 26;
const COUNT = 0;
const BLOCKS = 1;
const BLOCK_REFS = 2;
const HEADER_UNITS = (BLOCK_REFS + BLOCKS_MAX) / 2;
/** Units from a node's start to its double. */
const NODE_TIME = 2;

/** How far the nodes of a queue have been counted, parents first. */
export class CountedNodes {
  /** The place to be looked at next; negative if there is none. */
  place = 0;
  /** Nodes so far. */
  count = 0;
}

/** Operations on the queues of one heap; a queue is named by its header. */
export class ExpireQueues {
  readonly #arena: Arena;
  readonly #heap: Heap;

  /** One object per type and keyspace. */
  constructor(arena: Arena, heap: Heap) {
    this.#arena = arena;
    this.#heap = heap;
  }

  /** A queue without nodes. */
  create(): number {
    const queue = this.#heap.allocate(HEADER_UNITS);
    const at = wordOf(queue);
    this.#words(queue).fill(0, at, at + HEADER_UNITS * 2);
    return queue;
  }

  /** Frees the queue; the nodes are the caller's. */
  free(queue: number): void {
    for (let block = this.#word(queue, BLOCKS) - 1; block >= 0; block--) {
      this.#heap.free(this.#word(queue, BLOCK_REFS + block));
    }
    this.#heap.free(queue);
  }

  /** Nodes in the queue. */
  count(queue: number): number {
    return this.#word(queue, COUNT);
  }

  /** The node that expires first; the queue is not empty. */
  first(queue: number): number {
    return this.#nodeAt(queue, 0);
  }

  /** When that is. */
  firstExpireAt(queue: number): number {
    return this.#timeAt(queue, 0);
  }

  /**
   * Nodes that expire up to and including a time, in the time they take; or `most`,
   * if they are at least that many.
   */
  countUntil(queue: number, nowMs: number, most = Infinity): number {
    const counted = new CountedNodes();
    this.countOn(queue, nowMs, counted, most);
    return counted.count;
  }

  /**
   * Goes on counting nodes that expire up to and including a time until they are
   * `most`; all are counted if that was not reached. The queue does not change
   * meanwhile.
   */
  countOn(
    queue: number,
    nowMs: number,
    counted: CountedNodes,
    most: number,
  ): void {
    const end = this.#word(queue, COUNT);
    let { place, count } = counted;
    while (place >= 0 && count < most) {
      if (place < end && this.#timeAt(queue, place) <= nowMs) {
        count++;
        place = place * 4 + 1;
        continue;
      }
      // Those below expire later: on with the next sibling, or that of a parent.
      while (place > 0 && (place & 3) === 0) place = (place >> 2) - 1;
      place = place === 0 ? -1 : place + 1;
    }
    counted.place = place;
    counted.count = count;
  }

  /** Adds a node that has a double; throws OutOfMemory before it has. */
  insert(queue: number, node: number): void {
    const count = this.#word(queue, COUNT);
    const blocks = this.#word(queue, BLOCKS);
    if (count === placesOf(blocks)) {
      assert(blocks < BLOCKS_MAX, "a queue has room for all nodes");
      // A time and half a unit for the reference.
      const made = this.#heap.allocate((FIRST_PLACES << blocks) * 3 / 2);
      this.#setWord(queue, BLOCK_REFS + blocks, made);
      this.#setWord(queue, BLOCKS, blocks + 1);
    }
    this.#setWord(queue, COUNT, count + 1);
    this.#rise(queue, count, node, this.#timeOf(node));
  }

  /** Takes a node out. */
  remove(queue: number, node: number): void {
    const place = this.#placeOf(node);
    assert(this.#nodeAt(queue, place) === node, "a removed node is queued");
    const last = this.#word(queue, COUNT) - 1;
    this.#setWord(queue, COUNT, last);
    if (place !== last) {
      const moved = this.#nodeAt(queue, last);
      this.#settle(queue, place, moved, this.#timeAt(queue, last));
    }
    // One empty block stays, so that one node that comes and goes costs nothing.
    const blocks = this.#word(queue, BLOCKS);
    if (blocks < 2 || last > placesOf(blocks - 2)) return;
    this.#heap.free(this.#word(queue, BLOCK_REFS + blocks - 1));
    this.#setWord(queue, BLOCKS, blocks - 1);
  }

  /** Puts another node, with a time of its own, in the place of one. */
  replace(queue: number, from: number, to: number): void {
    this.#settle(queue, this.#placeOf(from), to, this.#timeOf(to));
  }

  /** Moves a node whose time was changed to where it belongs. */
  update(queue: number, node: number): void {
    this.replace(queue, node, node);
  }

  /** Bytes of the queue. */
  bytes(queue: number): number {
    let units = this.#heap.unitsOf(queue);
    for (let block = 0; block < this.#word(queue, BLOCKS); block++) {
      units += this.#heap.unitsOf(this.#word(queue, BLOCK_REFS + block));
    }
    return units << 3;
  }

  /** Checks the invariants; for tests. */
  verify(queue: number): void {
    const count = this.#word(queue, COUNT);
    const blocks = this.#word(queue, BLOCKS);
    assert(count <= placesOf(blocks), "there is room for all nodes");
    for (let place = 0; place < count; place++) {
      const node = this.#nodeAt(queue, place);
      const time = this.#timeAt(queue, place);
      assert(this.#placeOf(node) === place, "a node knows its place");
      assert(this.#timeOf(node) === time, "times are those of the nodes");
      if (place === 0) continue;
      const parent = this.#timeAt(queue, (place - 1) >> 2);
      assert(parent <= time, "no node expires before its parent");
    }
  }

  /** Puts a node where it belongs, the place given being free. */
  #settle(queue: number, place: number, node: number, time: number): void {
    if (place > 0 && this.#timeAt(queue, (place - 1) >> 2) > time) {
      this.#rise(queue, place, node, time);
    } else this.#sink(queue, place, node, time);
  }

  #rise(queue: number, from: number, node: number, time: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 2;
      const above = this.#timeAt(queue, parent);
      if (above <= time) break;
      this.#put(queue, place, this.#nodeAt(queue, parent), above);
      place = parent;
    }
    this.#put(queue, place, node, time);
  }

  #sink(queue: number, from: number, node: number, time: number): void {
    const count = this.#word(queue, COUNT);
    let place = from;
    for (let child = place * 4 + 1; child < count; child = place * 4 + 1) {
      const end = Math.min(count, child + 4);
      let least = child;
      let leastTime = this.#timeAt(queue, child);
      while (++child < end) {
        const other = this.#timeAt(queue, child);
        if (other >= leastTime) continue;
        least = child;
        leastTime = other;
      }
      if (leastTime >= time) break;
      this.#put(queue, place, this.#nodeAt(queue, least), leastTime);
      place = least;
    }
    this.#put(queue, place, node, time);
  }

  #put(queue: number, place: number, node: number, time: number): void {
    const block = blockOf(place);
    const ref = this.#word(queue, BLOCK_REFS + block);
    const index = place - placesOf(block);
    this.#arena.f64[ref >>> SEGMENT_SHIFT]![(ref & UNIT_MASK) + index] = time;
    this.#words(ref)[wordOf(ref) + (FIRST_PLACES * 2 << block) + index] = node;
    this.#words(node)[wordOf(node) + NODE_META] = place;
  }

  #nodeAt(queue: number, place: number): number {
    const block = blockOf(place);
    const ref = this.#word(queue, BLOCK_REFS + block);
    return this.#words(ref)[
      wordOf(ref) + (FIRST_PLACES * 2 << block) + place - placesOf(block)
    ]!;
  }

  #timeAt(queue: number, place: number): number {
    const block = blockOf(place);
    const ref = this.#word(queue, BLOCK_REFS + block);
    return this.#arena.f64[ref >>> SEGMENT_SHIFT]![
      (ref & UNIT_MASK) + place - placesOf(block)
    ]!;
  }

  #timeOf(node: number): number {
    return this.#arena.f64[node >>> SEGMENT_SHIFT]![
      (node & UNIT_MASK) + NODE_TIME
    ]!;
  }

  #placeOf(node: number): number {
    return this.#words(node)[wordOf(node) + NODE_META]!;
  }

  #words(ref: number): Int32Array {
    return this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
  }

  #word(queue: number, index: number): number {
    return this.#words(queue)[wordOf(queue) + index]!;
  }

  #setWord(queue: number, index: number, value: number): void {
    this.#words(queue)[wordOf(queue) + index] = value;
  }
}

/** The block that a place is in. */
function blockOf(place: number): number {
  return 31 - Math.clz32((place >> FIRST_BITS) + 1);
}

/** Places of so many blocks, which is the first place of the next one. */
function placesOf(blocks: number): number {
  return (FIRST_PLACES << blocks) - FIRST_PLACES;
}
