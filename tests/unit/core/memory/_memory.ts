/**
 * What the tests of memory stand on: a small arena with one heap, random choice
 * by weights, and how long the property tests run.
 *
 * SHERD_FUZZ_ROUNDS: seeds per property test. SHERD_SEED: only that seed.
 *
 * @module
 */
import { Arena, reserveArena } from "../../../../src/core/memory/arena.ts";
import { Dict, DICT_HEADER_WORDS } from "../../../../src/core/memory/dict.ts";
import { Heap, HEAP_WORDS } from "../../../../src/core/memory/heap.ts";
import {
  NODE_HASH,
  NODE_HEADER_BYTES,
  NODE_KEY,
} from "../../../../src/core/memory/node.ts";
import { PagePool } from "../../../../src/core/memory/page_pool.ts";
import {
  byteOf,
  SEGMENT_SHIFT,
  wordOf,
} from "../../../../src/core/memory/arena.ts";
import type { Random } from "../../../_harness.ts";

/** Seeds per property test. */
export const ROUNDS = Number(Deno.env.get("SHERD_FUZZ_ROUNDS") ?? "3");

/** First word of the first dictionary header in the control block. */
export const DICTS_AT = HEAP_WORDS;

/** An arena with one heap in it, and room for a few dictionary headers. */
export class Memory {
  readonly arena: Arena;
  readonly pool: PagePool;
  readonly control = new Int32Array(
    new SharedArrayBuffer((HEAP_WORDS + 8 * DICT_HEADER_WORDS) * 4),
  );
  readonly heap: Heap;
  readonly dict: Dict;

  constructor(bytes: number) {
    this.arena = new Arena(reserveArena(bytes));
    this.pool = new PagePool(this.arena, false);
    this.pool.format();
    this.heap = new Heap(this.arena, this.pool, this.control, 0, 7);
    this.dict = new Dict(this.arena, this.heap);
  }

  /** Makes a node; throws OutOfMemory. */
  makeNode(key: Uint8Array, hash: number): number {
    const ref = this.heap.allocate((NODE_HEADER_BYTES + key.length + 7) >>> 3);
    this.setWord(ref, NODE_KEY, key.length);
    this.setWord(ref, NODE_HASH, hash);
    const bytes = this.arena.u8[ref >>> SEGMENT_SHIFT]!;
    bytes.set(key, byteOf(ref) + NODE_HEADER_BYTES);
    return ref;
  }

  word(ref: number, index: number): number {
    return this.arena.i32[ref >>> SEGMENT_SHIFT]![wordOf(ref) + index]!;
  }

  setWord(ref: number, index: number, value: number): void {
    this.arena.i32[ref >>> SEGMENT_SHIFT]![wordOf(ref) + index] = value;
  }
}

/**
 * Draws the names of operations with weights that are themselves random, so
 * that some runs nearly lack an operation and others do little else.
 */
export function randomMix<T>(random: Random, names: readonly T[]): () => T {
  const ends: number[] = [];
  let total = 0;
  for (let i = 0; i < names.length; i++) {
    total += 1 + random.below(random.chance(0.5) ? 100 : 10);
    ends.push(total);
  }
  return () => {
    const at = random.below(total);
    return names[ends.findIndex((end) => at < end)]!;
  };
}
