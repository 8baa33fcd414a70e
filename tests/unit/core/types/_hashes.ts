/**
 * Hashes without a keyspace: values that hang on bare entries, and texts as
 * fields.
 *
 * @module
 */
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { Prng } from "../../../../src/core/base/prng.ts";
import { Listpacks } from "../../../../src/core/memory/listpack.ts";
import { NODE_VALUE } from "../../../../src/core/memory/node.ts";
import {
  type FieldVisitor,
  HashValue,
} from "../../../../src/core/types/hash_value.ts";
import type { ValueMemory } from "../../../../src/core/types/value_type.ts";
import { Memory } from "../memory/_memory.ts";

/** Thresholds that a test can change. */
export const LIMITS = {
  hashMaxListpackEntries: 128,
  hashMaxListpackValue: 64,
  listMaxListpackSize: -2,
  setMaxIntsetEntries: 512,
  setMaxListpackEntries: 128,
  setMaxListpackValue: 64,
  zsetMaxListpackEntries: 128,
  zsetMaxListpackValue: 64,
  streamNodeMaxBytes: 4096,
  streamNodeMaxEntries: 100,
};

/** What types are made with, on a heap of their own. */
export function valueMemory(
  memory: Memory,
  limits = LIMITS,
  seed = 1,
): ValueMemory {
  const { arena, heap, dict } = memory;
  return {
    arena,
    heap,
    dict,
    listpacks: new Listpacks(arena, heap),
    hashSeed0: 1,
    hashSeed1: 2,
    limits,
    random: new Prng(seed),
  };
}

/** Hashes of one heap. */
export class Hashes {
  readonly memory: Memory;
  readonly limits = { ...LIMITS };
  readonly values: HashValue;

  constructor(bytes: number) {
    this.memory = new Memory(bytes);
    this.values = new HashValue(valueMemory(this.memory, this.limits));
  }

  /** An entry with an empty hash. */
  entry(): number {
    const ref = this.memory.heap.allocate(2);
    for (let i = 0; i < 4; i++) this.memory.setWord(ref, i, 0);
    return ref;
  }

  /** Frees an entry and its hash. */
  free(ref: number): void {
    this.values.free(ref);
    this.memory.heap.free(ref);
  }

  encoding(ref: number): string {
    return this.values.encodingNames[this.memory.word(ref, 0) >> 4 & 15]!;
  }

  root(ref: number): number {
    return this.memory.word(ref, NODE_VALUE);
  }

  set(ref: number, field: string, value: string, expireAtMs = 0): boolean {
    const buf = latin1BytesOf(`-${field}${value}`);
    const at = 1 + field.length;
    return this.values.set(
      ref,
      buf,
      1,
      field.length,
      buf,
      at,
      value.length,
      expireAtMs,
    );
  }

  locate(ref: number, field: string, nowMs = 0): boolean {
    const buf = latin1BytesOf(`-${field}`);
    return this.values.locate(ref, buf, 1, field.length, nowMs);
  }

  get(ref: number, field: string, nowMs = 0): string | null {
    const buf = latin1BytesOf(`-${field}`);
    if (!this.values.find(ref, buf, 1, field.length, nowMs)) return null;
    const { value } = this.values;
    return asciiOf(value.buf, value.off, value.length);
  }

  /** All fields that are live, as the visitor of `visit` sees them. */
  all(ref: number, nowMs = 0): Map<string, [value: string, expire: number]> {
    const found = new Map<string, [string, number]>();
    this.values.visitAll(ref, collector(found), nowMs);
    return found;
  }
}

/** Puts what it visits into a map. */
export function collector(
  found: Map<string, [value: string, expireAtMs: number]>,
): FieldVisitor {
  return {
    field(field, value, expireAtMs) {
      const text = asciiOf(value.buf, value.off, value.length);
      found.set(asciiOf(field.buf, field.off, field.length), [
        text,
        expireAtMs,
      ]);
    },
  };
}
