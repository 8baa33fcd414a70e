/**
 * How many nodes Redis's radix tree would have for a set of IDs: XINFO STREAM
 * tells it, and there is no such tree here.
 *
 * In rax.c a node stands for a byte that tells keys apart, or for a run of bytes
 * that does not ("compressed"); each key ends in a leaf. All keys have sixteen
 * bytes. What two neighbours in order have in common is therefore all there is
 * to know: the tree is the one of their lengths, as with suffix arrays.
 *
 * Cost: linear in the IDs, constant room.
 *
 * @module
 */

import { ID_WORDS, StreamId } from "./stream_id.ts";

const KEY_BYTES = ID_WORDS * 4;

/** Counts the nodes while the IDs pass by in ascending order. */
export class RadixShape {
  readonly #before = new StreamId();
  /** Depths at which the keys that were seen last part, outermost first. */
  readonly #depths: number[] = [];
  #keys = 0;
  #nodes = 0;
  /** How deep the last key parts from the one before it. */
  #lastDepth = -1;

  /** Adds the next ID. */
  add(id: StreamId): void {
    if (this.#keys++ > 0) {
      const depth = commonBytes(this.#before, id);
      this.#endLeaf(Math.max(this.#lastDepth, depth));
      this.#part(depth);
      this.#lastDepth = depth;
    }
    this.#before.set(id);
  }

  /** All nodes; ends the counting. */
  count(): number {
    // A tree without keys has its head.
    if (this.#keys === 0) return 1;
    this.#endLeaf(this.#lastDepth);
    this.#close(-1);
    return this.#nodes;
  }

  /** A leaf, and the run that leads to it from where the key parts. */
  #endLeaf(depth: number): void {
    this.#nodes += KEY_BYTES > depth + 1 ? 2 : 1;
  }

  #part(depth: number): void {
    this.#close(depth);
    if (this.#depths.at(-1) !== depth) this.#depths.push(depth);
  }

  /** Counts the nodes where keys part that are deeper than `depth`. */
  #close(depth: number): void {
    const depths = this.#depths;
    while (depths.length > 0 && depths.at(-1)! > depth) {
      const closed = depths.pop()!;
      const outer = Math.max(depths.at(-1) ?? -1, depth);
      this.#nodes += closed > outer + 1 ? 2 : 1;
    }
  }
}

/** How many bytes two different IDs begin with alike. */
function commonBytes(a: StreamId, b: StreamId): number {
  if (a.msHigh !== b.msHigh) return Math.clz32(a.msHigh ^ b.msHigh) >> 3;
  if (a.msLow !== b.msLow) return 4 + (Math.clz32(a.msLow ^ b.msLow) >> 3);
  if (a.seqHigh !== b.seqHigh) {
    return 8 + (Math.clz32(a.seqHigh ^ b.seqHigh) >> 3);
  }
  return 12 + (Math.clz32(a.seqLow ^ b.seqLow) >> 3);
}
