/**
 * Nodes that are kept for a command (page_pool.ts), so that what was found out of
 * them without a latch is still so when it runs.
 *
 * @module
 */

import type { Heap } from "../memory/heap.ts";

/** Nodes in runs of pages. */
export class KeptNodes {
  readonly #heaps: Heap[] = [];
  readonly #nodes: number[] = [];

  /** Keeps a node, of which the caller is sure that it is there. */
  keep(heap: Heap, node: number): void {
    heap.keep(node);
    this.add(heap, node);
  }

  /** Adds a node that has been kept. */
  add(heap: Heap, node: number): void {
    this.#heaps.push(heap);
    this.#nodes.push(node);
  }

  /** Lets go of all. */
  drop(): void {
    this.#nodes.forEach((node, i) => this.#heaps[i]!.letGo(node));
    this.#heaps.length = 0;
    this.#nodes.length = 0;
  }
}
