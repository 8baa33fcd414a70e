/** Counted trees: src/core/memory/counted_tree.ts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  CountedTree,
  TREE_HEADER_UNITS,
  TreeCursor,
} from "../../../../src/core/memory/counted_tree.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { Memory, randomMix, ROUNDS } from "./_memory.ts";

const OPERATIONS = 3000;

interface Item {
  item: number;
  count: number;
}

/** A tree and what should be in it. Items are numbers, not references. */
class Sequence {
  readonly memory: Memory;
  readonly tree: CountedTree;
  readonly cursor = new TreeCursor();
  readonly header: number;
  readonly model: Item[] = [];
  readonly counts = new Map<number, number>();
  #nextItem = 1;

  constructor(bytes = 1 << 24) {
    this.memory = new Memory(bytes);
    const { arena, heap } = this.memory;
    this.tree = new CountedTree(arena, heap);
    this.header = heap.allocate(TREE_HEADER_UNITS);
    this.tree.initialize(this.header);
  }

  make(count: number): Item {
    const item = this.#nextItem++;
    this.counts.set(item, count);
    return { item, count };
  }

  append(count: number, atHead = false): void {
    const { header, tree, cursor } = this;
    const made = this.make(count);
    tree.insertAtEnd(header, atHead, cursor, made.item, count);
    if (atHead) this.model.unshift(made);
    else this.model.push(made);
  }

  /** Goes to the item with an index; says whether what is there is right. */
  seek(index: number, random?: Random): void {
    const { header, tree, cursor, model } = this;
    const before = sumOf(model.slice(0, index));
    const { item, count } = model[index]!;
    tree.seek(header, before + (random?.below(count) ?? 0), cursor);
    assertEquals([cursor.item, cursor.count, cursor.before], [
      item,
      count,
      before,
    ]);
  }

  verify(): void {
    this.tree.verify(this.header, (item) => this.counts.get(item)!);
    assertEquals(this.tree.items(this.header), this.model.length);
    assertEquals(this.tree.total(this.header), sumOf(this.model));
  }

  /** All items, forward or backward, by steps. */
  items(forward: boolean): Item[] {
    const { header, tree, cursor } = this;
    const found: Item[] = [];
    let before = forward ? 0 : tree.total(header);
    let goesOn = tree.toEnd(header, forward, cursor);
    while (goesOn) {
      const { item, count } = cursor;
      if (!forward) before -= count;
      assertEquals(cursor.before, before);
      if (forward) before += count;
      found.push({ item, count });
      goesOn = tree.step(header, cursor, forward);
    }
    return found;
  }

  close(): void {
    const { header, tree, cursor, memory } = this;
    while (tree.toEnd(header, false, cursor)) tree.remove(header, cursor);
    memory.heap.free(header);
    assertEquals(memory.heap.usedBytes, 0);
    memory.heap.verify();
  }
}

function sumOf(items: readonly Item[]): number {
  return items.reduce((sum, { count }) => sum + count, 0);
}

Deno.test("a counted tree finds the item that a sum falls into", () => {
  const sequence = new Sequence();
  for (const count of [10, 1, 5]) sequence.append(count);
  sequence.append(3, true);
  const { header, tree, cursor } = sequence;
  const found = [0, 2, 3, 12, 13, 14, 18].map((sum) => {
    tree.seek(header, sum, cursor);
    return [cursor.item, cursor.before];
  });
  assertEquals(found, [
    ...[[4, 0], [4, 0], [1, 3], [1, 3], [2, 13], [3, 14], [3, 14]],
  ]);
  tree.seek(header, 13, cursor);
  tree.add(header, cursor, 6);
  tree.seek(header, 19, cursor);
  assertEquals(cursor.item, 2);
  assertEquals(tree.total(header), 25);
});

for (const atHead of [false, true]) {
  const end = atHead ? "head" : "tail";
  Deno.test(`a counted tree that grows at its ${end} has full nodes`, () => {
    const sequence = new Sequence();
    for (let i = 0; i < 63 * 63 + 1; i++) sequence.append(2, atHead);
    sequence.verify();
    const { tree, header } = sequence;
    // 63 full leaves, one more, and two levels above them.
    assertEquals(tree.bytes(header), (63 + 1 + 2 + 1) * 512);
    sequence.seek(2000);
    sequence.close();
  });
}

Deno.test("a small counted tree is small", () => {
  const sequence = new Sequence();
  sequence.append(1);
  assertEquals(sequence.tree.bytes(sequence.header), 32);
  for (let i = 0; i < 4; i++) sequence.append(1);
  assertEquals(sequence.tree.bytes(sequence.header), 64);
});

Deno.test("a counted tree that loses most of its items shrinks", () => {
  const sequence = new Sequence();
  for (let i = 0; i < 10_000; i++) sequence.append(1);
  const { tree, header, cursor } = sequence;
  for (let at = 0; at < tree.total(header); at++) {
    for (let i = 0; i < 49 && at < tree.total(header); i++) {
      tree.seek(header, at, cursor);
      tree.remove(header, cursor);
    }
  }
  assertEquals(tree.total(header), 200);
  tree.verify(header, () => 1);
  assert(tree.bytes(header) < 20 * 512, `${tree.bytes(header)} bytes`);
});

seeded("counted trees do what an array does", (random) => {
  const sequence = new Sequence();
  const operations = Object.keys(OPERATION) as (keyof typeof OPERATION)[];
  const draw = randomMix(random, operations);
  const start = random.pick([0, 10, 500]);
  for (let i = 0; i < start; i++) sequence.append(random.between(1, 9));
  for (let i = 0; i < OPERATIONS; i++) {
    OPERATION[draw()](sequence, random);
    if (i % 20 === 0) sequence.verify();
  }
  sequence.verify();
  assertEquals(sequence.items(true), sequence.model);
  assertEquals(sequence.items(false), sequence.model.toReversed());
  sequence.close();
}, { count: ROUNDS });

const OPERATION = {
  append(sequence: Sequence, random: Random): void {
    sequence.append(random.between(1, 9), random.chance(0.5));
  },
  insert(sequence: Sequence, random: Random): void {
    const { header, tree, cursor, model } = sequence;
    if (model.length === 0) return;
    // Mostly near a place, so that nodes there fill and split.
    const near = Math.min(model.length, 70);
    const index = random.below(random.chance(0.7) ? near : model.length);
    const behind = random.chance(0.5);
    const made = sequence.make(random.between(1, 9));
    sequence.seek(index, random);
    tree.insert(header, cursor, behind, made.item, made.count);
    model.splice(index + (behind ? 1 : 0), 0, made);
  },
  remove(sequence: Sequence, random: Random): void {
    const { header, tree, cursor, model } = sequence;
    const most = random.chance(0.05) ? model.length : 2;
    const from = random.below(model.length);
    for (let i = random.below(most); i >= 0 && from < model.length; i--) {
      sequence.seek(from, random);
      tree.remove(header, cursor);
      model.splice(from, 1);
    }
  },
  add(sequence: Sequence, random: Random): void {
    const { header, tree, cursor, model, counts } = sequence;
    if (model.length === 0) return;
    const index = random.below(model.length);
    sequence.seek(index, random);
    const entry = model[index]!;
    const count = random.between(1, 9);
    tree.add(header, cursor, count - entry.count);
    counts.set(entry.item, count);
    entry.count = count;
    sequence.seek(index);
  },
  replace(sequence: Sequence, random: Random): void {
    const { header, tree, cursor, model } = sequence;
    if (model.length === 0) return;
    const index = random.below(model.length);
    sequence.seek(index, random);
    const made = sequence.make(cursor.count);
    tree.replace(header, cursor, made.item);
    model[index] = made;
  },
  step(sequence: Sequence, random: Random): void {
    const { header, tree, cursor, model } = sequence;
    if (model.length === 0) return;
    let index = random.below(model.length);
    sequence.seek(index, random);
    for (let i = 0; i < 5; i++) {
      const forward = random.chance(0.5);
      const next = index + (forward ? 1 : -1);
      const isThere = next >= 0 && next < model.length;
      assertEquals(tree.step(header, cursor, forward), isThere);
      if (!isThere) return;
      index = next;
      assertEquals(cursor.item, model[index]!.item);
      assertEquals(cursor.before, sumOf(model.slice(0, index)));
    }
  },
};

seeded("an insertion that gets no memory changes nothing", (random) => {
  const sequence = new Sequence(4096 * 64);
  const { header, tree, cursor, model, memory } = sequence;
  const blocks: number[] = [];
  for (let i = 0; i < 3; i++) sequence.append(1);
  for (let block = 0; (block = memory.heap.tryAllocate(64)) !== 0;) {
    blocks.push(block);
  }
  let refused = 0;
  for (let i = 0; i < 20_000 && refused < 100; i++) {
    if (random.chance(0.002)) memory.heap.free(blocks.pop()!);
    const index = random.below(model.length);
    const made = sequence.make(random.between(1, 9));
    sequence.seek(index);
    try {
      tree.insert(header, cursor, false, made.item, made.count);
      model.splice(index, 0, made);
    } catch (error) {
      assert(error instanceof OutOfMemory);
      refused++;
      sequence.verify();
      sequence.seek(0);
      tree.remove(header, cursor);
      model.shift();
    }
  }
  assert(refused > 0, "memory has been short");
  sequence.verify();
  for (const block of blocks) memory.heap.free(block);
  sequence.close();
}, { count: ROUNDS });

Deno.test("the first item of a tree gets its node or fails", () => {
  const sequence = new Sequence(4096 * 5);
  const { heap } = sequence.memory;
  while (heap.tryAllocate(4) !== 0);
  assertThrows(() => sequence.append(1), OutOfMemory);
  assertEquals(sequence.tree.items(sequence.header), 0);
});
