/**
 * Heaps and dictionaries in arenas that are full: what fails has changed
 * nothing, what need not be done is put off.
 */
import { assert, assertEquals } from "@std/assert";
import { halfSipHash } from "../../../../src/core/base/half_siphash.ts";
import { PAGE_BYTES } from "../../../../src/core/memory/arena.ts";
import {
  DICT_BUCKETS,
  DICT_COUNT,
  DICT_HEADER_WORDS,
} from "../../../../src/core/memory/dict.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import { NODE_HASH } from "../../../../src/core/memory/node.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { DICTS_AT, Memory, randomMix, ROUNDS } from "./_memory.ts";

const OPERATIONS = 100_000;
const DICTS = 2;

/** Nodes with plain numbers as hashes, at a full or a roomy heap at will. */
class Numbered {
  readonly memory: Memory;
  readonly nodes: number[] = [];
  #fillers: number[] = [];

  constructor(bytes: number, hashes: readonly number[]) {
    this.memory = new Memory(bytes);
    for (const hash of hashes) {
      this.nodes.push(this.memory.makeNode(new Uint8Array(4), hash));
    }
  }

  get buckets(): number {
    return this.memory.control[DICTS_AT + DICT_BUCKETS]!;
  }

  insert(node: number): void {
    const hash = this.memory.word(node, NODE_HASH);
    this.memory.dict.insert(this.memory.control, DICTS_AT, node, hash);
  }

  remove(node: number): void {
    const hash = this.memory.word(node, NODE_HASH);
    this.memory.dict.remove(this.memory.control, DICTS_AT, node, hash);
  }

  verify(): number {
    return this.memory.dict.verify(this.memory.control, DICTS_AT);
  }

  takeAll(): void {
    for (let units = 1 << 14; units > 0; units >>= 1) {
      for (let ref; (ref = this.memory.heap.tryAllocate(units)) !== 0;) {
        this.#fillers.push(ref);
      }
    }
  }

  giveBack(): void {
    for (const ref of this.#fillers) this.memory.heap.free(ref);
    this.#fillers = [];
  }
}

Deno.test("Dict puts growth and shrinking off while memory is short", () => {
  // Enough for a second directory: 16 blocks of 256 buckets of 8 nodes.
  const count = 16 * 256 * 8 + 100;
  const hashes = Array.from({ length: count }, (_, i) => i);
  const table = new Numbered(4 << 20, hashes);
  const atBorder = () => (table.buckets & (table.buckets - 1)) === 0;
  let delays = 0;
  table.nodes.forEach((node, nodes) => {
    const buckets = table.buckets;
    const splits = nodes > 0 && nodes === buckets * 8;
    if (!splits || !atBorder()) return table.insert(node);
    table.takeAll();
    table.insert(node);
    assertEquals([table.verify(), table.buckets], [nodes + 1, buckets]);
    table.giveBack();
    delays++;
  });
  assert(delays > 10, `${delays} splits were put off`);
  assertEquals(table.verify(), count);
  for (const node of table.nodes.toReversed()) {
    const isFull = atBorder();
    if (isFull) table.takeAll();
    table.remove(node);
    if (isFull) {
      table.verify();
      table.giveBack();
    }
  }
  assertEquals(table.verify(), 0);
});

Deno.test("Dict puts a merge off that needs a bucket more", () => {
  // Buckets 7 and 15 are full, and the table has sixteen buckets.
  const full = Array.from({ length: 24 }, (_, i) => i * 16 + (i < 12 ? 7 : 15));
  const others = Array.from({ length: 97 }, (_, i) => i * 16 + i % 7);
  const table = new Numbered(1 << 20, [...full, ...others]);
  for (const node of table.nodes) table.insert(node);
  assertEquals(table.buckets, 16);
  const extra = table.nodes.slice(24);
  for (const node of extra.splice(0, 73)) table.remove(node);
  assertEquals([table.verify(), table.buckets], [48, 16]);

  table.takeAll();
  table.remove(extra.pop()!);
  assertEquals([table.verify(), table.buckets], [47, 16]);
  table.giveBack();
  table.remove(extra.pop()!);
  assertEquals([table.verify(), table.buckets], [46, 15]);
});

seeded("dictionaries in a full arena lose nothing", (random) => {
  new FullRun(random).run();
}, { count: ROUNDS * 4 });

/** Dictionaries and plain objects that compete for a tiny arena. */
class FullRun {
  readonly #random: Random;
  readonly #memory: Memory;
  readonly #models = Array.from(
    { length: DICTS },
    () => new Map<number, number>(),
  );
  /** Objects beside the dictionaries, so that the arena is full at any size. */
  readonly #fillers: number[] = [];
  readonly #hashMask: number;
  #failures = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#memory = new Memory(random.between(16, 256) * PAGE_BYTES);
    this.#hashMask = random.pick([-1, -1, 0xff00000f, 0]);
  }

  run(): void {
    const names = ["insert", "remove", "find", "fill", "unfill"] as const;
    const draw = randomMix(this.#random, names);
    for (let i = 0; i < OPERATIONS; i++) {
      const which = this.#random.below(DICTS);
      const name = draw();
      if (name === "insert") this.#insert(which);
      else if (name === "remove") this.#remove(which);
      else if (name === "find") this.#find(which);
      else if (name === "fill") this.#fill();
      else this.#unfill();
      if (i % 2000 === 0) this.#check();
      if (i % 5000 === 4999) this.#exhaust();
    }
    this.#check();
    this.#empty();
  }

  #at(which: number): number {
    return DICTS_AT + which * DICT_HEADER_WORDS;
  }

  #key(id: number): Uint8Array {
    return new Uint8Array([id, id >> 8, id >> 16, which(id)]);
  }

  #hash(id: number): number {
    return halfSipHash(this.#key(id), 0, 4, 1, 2) & this.#hashMask;
  }

  #insert(which: number): void {
    const { heap, dict, control } = this.#memory;
    const model = this.#models[which]!;
    const id = this.#random.below(this.#hashMask === -1 ? 30_000 : 600);
    if (model.has(id)) return this.#removeId(which, id);
    const at = this.#at(which);
    const before = [...control.subarray(at, at + DICT_HEADER_WORDS)];
    let node = 0;
    try {
      node = this.#memory.makeNode(this.#key(id), this.#hash(id));
      dict.insert(control, at, node, this.#hash(id));
    } catch (error) {
      assert(error instanceof OutOfMemory);
      if (node !== 0) heap.free(node);
      assertEquals([...control.subarray(at, at + DICT_HEADER_WORDS)], before);
      this.#failures++;
      return;
    }
    model.set(id, node);
  }

  #remove(which: number): void {
    const [id] = this.#models[which]!.keys();
    if (id !== undefined) this.#removeId(which, id);
  }

  #removeId(which: number, id: number): void {
    const { heap, dict, control } = this.#memory;
    const node = this.#models[which]!.get(id)!;
    const hash = this.#memory.word(node, NODE_HASH);
    dict.remove(control, this.#at(which), node, hash);
    heap.free(node);
    this.#models[which]!.delete(id);
  }

  #find(which: number): void {
    const { dict, control } = this.#memory;
    const id = this.#random.below(30_000);
    const at = this.#at(which);
    assertEquals(
      dict.find(control, at, this.#key(id), 0, 4, this.#hash(id)),
      this.#models[which]!.get(id) ?? 0,
    );
  }

  /** Takes a little, or all that there is. */
  #fill(): void {
    const { heap } = this.#memory;
    const units = this.#random.pick([2, 3, 8, 64, 2048]);
    const most = this.#random.chance(0.01) ? Infinity : 3;
    for (let i = 0; i < most; i++) {
      const ref = heap.tryAllocate(units);
      if (ref === 0) return;
      this.#fillers.push(ref);
    }
  }

  /** Takes what there is until an insert fails. */
  #exhaust(): void {
    const before = this.#failures;
    for (let i = 0; this.#failures === before; i++) {
      for (const units of [2048, 64, 8, 3]) {
        for (let ref; (ref = this.#memory.heap.tryAllocate(units)) !== 0;) {
          this.#fillers.push(ref);
        }
      }
      this.#insert(this.#random.below(DICTS));
      assert(i < 10_000, "a full arena makes an insert fail");
    }
  }

  #unfill(): void {
    const { heap } = this.#memory;
    const all = this.#random.chance(0.005);
    for (let i = all ? this.#fillers.length : 4; i > 0; i--) {
      if (this.#fillers.length === 0) return;
      const at = this.#random.below(this.#fillers.length);
      heap.free(this.#fillers[at]!);
      this.#fillers[at] = this.#fillers.at(-1)!;
      this.#fillers.pop();
    }
  }

  #check(): void {
    const { dict, heap, pool, control } = this.#memory;
    heap.verify();
    assertEquals(pool.verify() * PAGE_BYTES, heap.heldBytes);
    for (let which = 0; which < DICTS; which++) {
      const at = this.#at(which);
      const model = this.#models[which]!;
      assertEquals(dict.verify(control, at), model.size);
      for (const [id, node] of model) {
        const key = this.#key(id);
        const found = dict.find(control, at, key, 0, 4, this.#hash(id));
        if (found !== node) throw new Error(`key ${id} is lost`);
      }
    }
  }

  #empty(): void {
    const { heap, pool, control } = this.#memory;
    for (let which = 0; which < DICTS; which++) {
      for (const id of [...this.#models[which]!.keys()]) {
        this.#removeId(which, id);
      }
      assertEquals(control[this.#at(which) + DICT_COUNT], 0);
    }
    for (const ref of this.#fillers) heap.free(ref);
    assertEquals(heap.usedBytes, 0);
    heap.releaseReserve();
    assertEquals(pool.verify(), 0);
  }
}

function which(id: number): number {
  return id % 251;
}
