/** Ordered trees of IDs: src/core/types/id_tree.ts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  IdTree,
  TREE_HEADER_WORDS,
  TREE_RECORDS,
  TreePlace,
} from "../../../../src/core/types/id_tree.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import { StreamId } from "../../../../src/core/types/stream_id.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { Memory, randomMix, ROUNDS } from "../memory/_memory.ts";

const OPERATIONS = 20_000;

/** A tree whose payload is one word, which tests give a meaning. */
class Tree {
  readonly memory: Memory;
  readonly tree: IdTree;
  readonly header = new Int32Array(TREE_HEADER_WORDS);

  constructor(bytes: number, payloadWords = 1) {
    this.memory = new Memory(bytes);
    this.tree = new IdTree(this.memory.arena, this.memory.heap, payloadWords);
  }

  get records(): number {
    return this.header[TREE_RECORDS]!;
  }

  insert(n: number, payload: number): boolean {
    const place = new TreePlace();
    const isNew = this.tree.insert(this.header, 0, idOf(n), place);
    this.tree.words(place)[this.tree.payloadAt(place)] = payload;
    return isNew;
  }

  remove(n: number): boolean {
    return this.tree.remove(this.header, 0, idOf(n));
  }

  /** All records in order, read forward. */
  entries(): [number, number][] {
    const found: [number, number][] = [];
    const place = new TreePlace();
    let is = this.tree.first(this.header, 0, place);
    for (; is; is = this.tree.next(place)) found.push(this.entry(place));
    return found;
  }

  backward(): [number, number][] {
    const found: [number, number][] = [];
    const place = new TreePlace();
    let is = this.tree.last(this.header, 0, place);
    for (; is; is = this.tree.previous(place)) found.push(this.entry(place));
    return found;
  }

  entry(place: TreePlace): [number, number] {
    const id = new StreamId();
    this.tree.readId(place, id);
    return [
      numberOf(id),
      this.tree.words(place)[this.tree.payloadAt(place)]!,
    ];
  }
}

/** Numbers up to 2^20 as IDs that differ in all of their words. */
function idOf(n: number): StreamId {
  const id = new StreamId();
  id.msHigh = n >> 15 << 27;
  id.msLow = (n >> 10 & 31) << 27;
  id.seqHigh = (n >> 5 & 31) << 27;
  id.seqLow = (n & 31) << 27;
  return id;
}

function numberOf({ msHigh, msLow, seqHigh, seqLow }: StreamId): number {
  return msHigh >>> 27 << 15 | msLow >>> 27 << 10 | seqHigh >>> 27 << 5 |
    seqLow >>> 27;
}

Deno.test("a tree has its records in order and finds them from either side", () => {
  const t = new Tree(1 << 22);
  for (const n of [50, 10, 30, 20, 40]) t.insert(n, -n);
  assertEquals(t.entries(), [10, 20, 30, 40, 50].map((n) => [n, -n]));
  assertEquals(t.backward(), t.entries().reverse());
  const place = new TreePlace();
  assert(t.tree.find(t.header, 0, idOf(30), place));
  assertEquals(t.entry(place), [30, -30]);
  assertEquals(t.tree.find(t.header, 0, idOf(31), place), false);
  assert(t.tree.findFrom(t.header, 0, idOf(31), place));
  assertEquals(t.entry(place), [40, -40]);
  assert(t.tree.findUpTo(t.header, 0, idOf(31), place));
  assertEquals(t.entry(place), [30, -30]);
  assertEquals(t.tree.findFrom(t.header, 0, idOf(51), place), false);
  assertEquals(t.tree.findUpTo(t.header, 0, idOf(9), place), false);
  assertEquals([t.remove(30), t.remove(30)], [true, false]);
  assertEquals(t.entries().map(([n]) => n), [10, 20, 40, 50]);
});

Deno.test("a tree that only grows at its end is full", () => {
  const t = new Tree(1 << 24);
  const count = 20_000;
  for (let n = 0; n < count; n++) t.insert(n, n);
  t.tree.verify(t.header, 0);
  const bytesPerRecord = t.tree.bytes(t.header, 0) / count;
  assert(bytesPerRecord < 20 * 1.06, `${bytesPerRecord} bytes a record`);
  // What is taken from the front gives its memory back.
  for (let n = 0; n < count - 10; n++) assert(t.remove(n));
  t.tree.verify(t.header, 0);
  assertEquals(t.entries().length, 10);
  assert(t.tree.bytes(t.header, 0) <= 3 * 1024);
});

Deno.test("a tree gives up its leaves one by one", () => {
  const t = new Tree(1 << 24);
  for (let n = 0; n < 5000; n++) t.insert(n, n);
  let taken = 0;
  while (t.records > 0) {
    const leaf = t.tree.takeFirstLeaf(t.header, 0);
    taken += t.tree.leafRecords(leaf);
    t.memory.heap.free(leaf);
    t.tree.verify(t.header, 0);
    assertEquals(taken + t.records, 5000);
  }
  assertEquals(t.memory.heap.usedBytes, 0);
});

Deno.test("leaves of a tree can be piled up and taken from the pile", () => {
  const t = new Tree(1 << 24);
  for (let n = 0; n < 5000; n++) t.insert(n, n);
  const pile = new Int32Array(TREE_HEADER_WORDS);
  while (t.records > 1000) {
    t.tree.pileLeaf(pile, 0, t.tree.takeFirstLeaf(t.header, 0));
  }
  assertEquals(t.records + pile[TREE_RECORDS]!, 5000);
  t.tree.verify(t.header, 0);
  assertEquals(t.tree.clear(pile, 0, 10), false);
  assert(t.tree.clear(pile, 0, Infinity));
  assert(t.tree.clear(t.header, 0, Infinity));
  assertEquals(t.memory.heap.usedBytes, 0);
});

Deno.test("a tree that finds no memory has what it had", () => {
  const t = new Tree(1 << 18);
  let count = 0;
  assertThrows(() => {
    for (; count < 1e6; count++) t.insert(count * 7 % 99991, count);
  }, OutOfMemory);
  t.tree.verify(t.header, 0);
  assertEquals(t.records, count);
  const copyHeader = new Int32Array(TREE_HEADER_WORDS);
  assertThrows(
    () => t.tree.copy(t.tree, t.header, 0, copyHeader, 0),
    OutOfMemory,
  );
  assertEquals([...copyHeader], [0, 0, 0]);
  assert(t.tree.clear(t.header, 0, Infinity));
  assertEquals(t.memory.heap.usedBytes, 0);
});

seeded("trees do what a sorted list does", (random) => {
  for (const payloadWords of [1, 5]) {
    checkAgainstModel(random, payloadWords);
  }
}, { count: ROUNDS });

function checkAgainstModel(random: Random, payloadWords: number): void {
  const t = new Tree(1 << 25, payloadWords);
  const model = new Map<number, number>();
  let last = 0;
  const draw = randomMix(
    random,
    ["append", "insert", "remove", "drain", "find", "leaf"] as const,
  );
  const some = () => random.below(last + 20);
  for (let i = 0; i < OPERATIONS; i++) {
    switch (draw()) {
      case "append":
        last += 1 + random.below(3);
        if (last < 1 << 20) put(last, i);
        break;
      case "insert":
        put(some(), i);
        break;
      case "remove": {
        const n = some();
        assertEquals(t.remove(n), model.delete(n));
        break;
      }
      case "drain": {
        if (!random.chance(0.02)) break;
        const from = some();
        for (let n = from; n < from + 2000; n++) {
          if (random.chance(0.9)) assertEquals(t.remove(n), model.delete(n));
        }
        break;
      }
      case "find":
        find(some());
        break;
      case "leaf": {
        if (t.records === 0 || !random.chance(0.02)) break;
        const keys = [...model.keys()].sort((a, b) => a - b);
        const leaf = t.tree.takeFirstLeaf(t.header, 0);
        for (const n of keys.slice(0, t.tree.leafRecords(leaf))) {
          model.delete(n);
        }
        t.memory.heap.free(leaf);
      }
    }
    if (i % 1000 === 0) t.tree.verify(t.header, 0);
  }
  t.tree.verify(t.header, 0);
  const sorted = [...model].sort(([a], [b]) => a - b);
  assertEquals(t.entries(), sorted);
  assertEquals(t.backward(), sorted.reverse());
  const copy = new Int32Array(TREE_HEADER_WORDS);
  t.tree.copy(t.tree, t.header, 0, copy, 0);
  t.tree.verify(copy, 0);
  assertEquals(copy[TREE_RECORDS], t.records);
  assert(t.tree.clear(copy, 0, Infinity));
  assert(t.tree.clear(t.header, 0, Infinity));
  assertEquals(t.memory.heap.usedBytes, 0);
  t.memory.heap.verify();

  function put(n: number, payload: number): void {
    assertEquals(t.insert(n, payload), !model.has(n));
    model.set(n, payload);
  }

  function find(n: number): void {
    const place = new TreePlace();
    assertEquals(t.tree.find(t.header, 0, idOf(n), place), model.has(n));
    const isFrom = t.tree.findFrom(t.header, 0, idOf(n), place);
    let from = n;
    while (from <= last + 20 && !model.has(from)) from++;
    assertEquals(isFrom ? t.entry(place)[0] : last + 21, from);
    const isUpTo = t.tree.findUpTo(t.header, 0, idOf(n), place);
    let upTo = n;
    while (upTo >= 0 && !model.has(upTo)) upTo--;
    assertEquals(isUpTo ? t.entry(place)[0] : -1, upTo);
  }
}
