/**
 * Values of one type in two shards that share a memory, on bare entries.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { Dict } from "../../../../src/core/memory/dict.ts";
import { Heap, HEAP_WORDS } from "../../../../src/core/memory/heap.ts";
import { Listpacks } from "../../../../src/core/memory/listpack.ts";
import { NODE_META, NODE_VALUE } from "../../../../src/core/memory/node.ts";
import { valueEncoding } from "../../../../src/core/types/entry.ts";
import type {
  ValueMemory,
  ValueType,
} from "../../../../src/core/types/value_type.ts";
import { Memory } from "../memory/_memory.ts";
import { LIMITS, valueMemory } from "./_hashes.ts";

/** The values of two shards. */
export class TwoShards<T extends ValueType> {
  readonly memory: Memory;
  readonly limits = { ...LIMITS };
  readonly values: T;
  readonly otherHeap: Heap;
  readonly otherValues: T;
  readonly #type: number;

  /** `type` is the number of the type that `make` makes. */
  constructor(
    make: new (memory: ValueMemory) => T,
    type: number,
    bytes = 1 << 24,
    seed = 1,
  ) {
    const { arena, pool } = this.memory = new Memory(bytes);
    this.#type = type;
    const control = new Int32Array(new SharedArrayBuffer(HEAP_WORDS * 4));
    const heap = this.otherHeap = new Heap(arena, pool, control, 0, 8);
    const own = valueMemory(this.memory, this.limits, seed);
    this.values = new make(own);
    this.otherValues = new make({
      ...own,
      heap,
      dict: new Dict(arena, heap),
      listpacks: new Listpacks(arena, heap),
    });
  }

  /** An entry with an empty value. */
  entry(heap = this.memory.heap): number {
    const ref = heap.allocate(2);
    this.memory.setWord(ref, NODE_META, this.#type);
    this.memory.setWord(ref, NODE_VALUE, 0);
    return ref;
  }

  encoding(ref: number): string {
    return this.values.encodingNames[valueEncoding(this.memory.arena, ref)]!;
  }

  drop(ref: number): void {
    this.values.free(ref);
    this.memory.heap.free(ref);
  }

  /** Checks that nothing is in use any more. */
  verifyEmpty(): void {
    for (const heap of [this.memory.heap, this.otherHeap]) {
      assertEquals(heap.usedBytes, 0);
      heap.verify();
    }
  }
}

/** A text somewhere in a buffer. */
export function run(text: string): [Uint8Array, number, number] {
  return [latin1BytesOf(`1${text}2`), 1, text.length];
}
