/** Ordered trees: src/core/memory/ordered_tree.ts and tree_pages.ts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { compareBytes, compareLong } from "../../../../src/core/base/bytes.ts";
import {
  byteOf,
  SEGMENT_SHIFT,
  wordOf,
} from "../../../../src/core/memory/arena.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import {
  KNOWN_KEYS,
  LONG_KEY_BYTES,
} from "../../../../src/core/memory/known_keys.ts";
import { keyOffset, NODE_KEY } from "../../../../src/core/memory/node.ts";
import {
  OrderedTree,
  TREE_HEADER_UNITS,
} from "../../../../src/core/memory/ordered_tree.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { Memory, randomMix, ROUNDS } from "./_memory.ts";

const OPERATIONS = 40_000;

interface Entry {
  score: number;
  key: Uint8Array;
  node: number;
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function order(a: Entry, b: Entry): number {
  if (a.score !== b.score) return a.score < b.score ? -1 : 1;
  return compareBytes(a.key, 0, a.key.length, b.key, 0, b.key.length);
}

/** A tree, and the same as an array. */
class Pair {
  readonly memory: Memory;
  readonly tree: OrderedTree;
  readonly header: number;
  readonly model: Entry[] = [];

  constructor(bytes: number) {
    this.memory = new Memory(bytes);
    const { arena, heap } = this.memory;
    this.tree = new OrderedTree(arena, heap);
    this.header = heap.allocate(TREE_HEADER_UNITS);
    const at = wordOf(this.header);
    arena.i32[0]!.fill(0, at, at + 2 * TREE_HEADER_UNITS);
  }

  make(score: number, text: string): Entry {
    const key = bytes(text);
    return { score, key, node: this.memory.makeNode(key, 0) };
  }

  /** Where an entry is, or belongs. */
  place(entry: Entry): number {
    let low = 0;
    let high = this.model.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (order(this.model[middle]!, entry) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  insert(score: number, text: string): void {
    const entry = this.make(score, text);
    this.tree.insert(this.header, score, entry.node);
    this.model.splice(this.place(entry), 0, entry);
  }

  append(score: number, text: string): void {
    const entry = this.make(score, text);
    this.tree.append(this.header, score, entry.node);
    this.model.push(entry);
  }

  remove(index: number): void {
    const [entry] = this.model.splice(index, 1);
    this.tree.remove(this.header, entry!.score, entry!.node);
    this.memory.heap.free(entry!.node);
  }

  move(index: number, score: number): void {
    const [entry] = this.model.splice(index, 1);
    this.tree.move(this.header, entry!.score, entry!.node, score);
    entry!.score = score;
    this.model.splice(this.place(entry!), 0, entry!);
  }

  removeRange(from: number, to: number): void {
    const nodes: number[] = [];
    this.tree.removeRange(this.header, from, to, (node) => nodes.push(node));
    const expected = this.model.splice(from, to - from);
    assertEquals(nodes, expected.map((entry) => entry.node));
    for (const node of nodes) this.memory.heap.free(node);
  }

  /** The entry of a rank: its score and node. */
  select(rank: number): [number, number] {
    const leaf = this.tree.leafOf(this.header, rank);
    const { index, pages } = this.tree;
    return [pages.score(leaf, index), pages.node(leaf, index)];
  }

  rank({ score, node }: Entry): number {
    return this.tree.rank(this.header, score, node);
  }

  /** Checks everything, forwards and backwards. */
  verify(): void {
    const { tree, header, model } = this;
    tree.verify(header);
    assertEquals(tree.count(header), model.length);
    if (model.length === 0) {
      assertEquals([tree.pageCount(header), tree.bytes(header)], [0, 0]);
      return;
    }
    const { pages } = tree;
    const nodes: number[] = [];
    let leaf = tree.leafOf(header, 0);
    for (; leaf !== 0; leaf = pages.behind(leaf)) {
      for (let i = 0; i < pages.length(leaf); i++) {
        nodes.push(pages.node(leaf, i));
        assert(Object.is(pages.score(leaf, i), model[nodes.length - 1]!.score));
      }
    }
    assertEquals(nodes, model.map((entry) => entry.node));
    leaf = tree.leafOf(header, model.length - 1);
    for (; leaf !== 0; leaf = pages.before(leaf)) {
      for (let i = pages.length(leaf) - 1; i >= 0; i--) {
        assertEquals(pages.node(leaf, i), nodes.pop());
      }
    }
  }

  /** Removes what is left and checks that all memory came back. */
  end(): void {
    this.removeRange(0, this.model.length);
    this.verify();
    const { heap, pool } = this.memory;
    heap.free(this.header);
    heap.verify();
    assertEquals(heap.usedBytes, 0);
    heap.releaseReserve();
    assertEquals(pool.verify(), 0);
  }
}

Deno.test("an ordered tree keeps scores in order and tells ranks", () => {
  const pair = new Pair(1 << 20);
  const { tree, header } = pair;
  pair.insert(2, "b");
  pair.insert(1, "z");
  pair.insert(2, "a");
  pair.insert(-Infinity, "low");
  pair.insert(Infinity, "high");
  pair.insert(0, "zero");
  pair.insert(-0, "another zero");
  const keys = () =>
    pair.model.map((entry) => String.fromCharCode(...entry.key));
  assertEquals(keys(), ["low", "another zero", "zero", "z", "a", "b", "high"]);
  pair.verify();
  pair.model.forEach((entry, i) => assertEquals(pair.rank(entry), i));
  assertEquals(pair.select(1), [-0, pair.model[1]!.node]);

  assertEquals(tree.countBelowScore(header, 2, false), 4);
  assertEquals(tree.countBelowScore(header, 2, true), 6);
  assertEquals(tree.countBelowScore(header, 0, false), 1);
  assertEquals(tree.countBelowScore(header, -Infinity, false), 0);
  assertEquals(tree.countBelowScore(header, Infinity, true), 7);

  pair.move(3, 7);
  assertEquals(keys(), ["low", "another zero", "zero", "a", "b", "z", "high"]);
  pair.move(3, 1.5);
  pair.verify();
  pair.removeRange(1, 6);
  assertEquals(keys(), ["low", "high"]);
  pair.end();
});

Deno.test("an ordered tree counts keys where scores are equal", () => {
  const pair = new Pair(1 << 22);
  for (let i = 0; i < 2000; i++) pair.insert(5, `k${i % 50}-${i}`);
  pair.insert(5, "");
  const { tree, header } = pair;
  for (const text of ["", "k", "k1", "k10-10", "k10-10x", "k49-1999", "l"]) {
    const key = bytes(text);
    const compare = (entry: Entry) =>
      compareBytes(entry.key, 0, entry.key.length, key, 0, key.length);
    const count = (orEqual: boolean) =>
      tree.countBelowKey(header, key, 0, key.length, orEqual);
    const { model } = pair;
    assertEquals(count(false), model.filter((e) => compare(e) < 0).length);
    assertEquals(count(true), model.filter((e) => compare(e) <= 0).length);
  }
  pair.end();
});

Deno.test("entries that come in order fill the pages", () => {
  for (const step of [1, -1]) {
    const pair = new Pair(1 << 24);
    for (let i = 0; i < 50_000; i++) {
      if (step > 0) pair.append(i, "k");
      else {
        const entry = pair.make(-i, "k");
        pair.tree.insert(pair.header, -i, entry.node);
        pair.model.push(entry);
      }
    }
    if (step < 0) pair.model.reverse();
    pair.verify();
    assert(pair.tree.bytes(pair.header) / 50_000 < 13);
    // Taking them away again at one end needs no more.
    while (pair.model.length > 100) pair.removeRange(0, 100);
    pair.verify();
    assert(pair.tree.pageCount(pair.header) <= 4);
    pair.end();
  }
});

Deno.test("a small ordered tree takes little memory", () => {
  const pair = new Pair(1 << 20);
  pair.insert(1, "a");
  assertEquals(pair.tree.bytes(pair.header), 112);
  for (let i = 0; i < 8; i++) pair.insert(i, "b");
  assertEquals(pair.tree.bytes(pair.header), 208);
  pair.end();
});

Deno.test("an ordered tree is freed in slices", () => {
  const pair = new Pair(1 << 24);
  for (let i = 0; i < 30_000; i++) pair.append(i, "k");
  const { tree, header, memory } = pair;
  for (const { node } of pair.model.splice(0)) memory.heap.free(node);
  const pages = tree.pageCount(header);
  let slices = 0;
  while (!tree.freeSlice(header, 10)) slices++;
  assertEquals(slices, Math.ceil(pages / 10) - 1);
  pair.end();
});

Deno.test("an ordered tree stays whole when memory runs out", () => {
  const pair = new Pair(1 << 18);
  const { tree, header } = pair;
  let made = 0;
  assertThrows(() => {
    for (;; made++) {
      const score = made * 7919 % 10_007;
      const entry = pair.make(score, `k${made}`);
      try {
        tree.insert(header, score, entry.node);
      } catch (cause) {
        pair.memory.heap.free(entry.node);
        throw cause;
      }
      pair.model.splice(pair.place(entry), 0, entry);
    }
  }, OutOfMemory);
  assert(made > 1000);
  pair.verify();
  // What needs no page goes on.
  for (let i = 0; i < made; i += 3) {
    try {
      pair.tree.move(header, pair.model[i]!.score, pair.model[i]!.node, 1e6);
    } catch (cause) {
      assert(cause instanceof OutOfMemory);
      continue;
    }
    const [entry] = pair.model.splice(i, 1);
    entry!.score = 1e6;
    pair.model.splice(pair.place(entry!), 0, entry!);
  }
  pair.verify();
  pair.end();
});

type Operation = "insert" | "append" | "remove" | "move" | "nudge" | "cut";

seeded("ordered trees do what an array does", (random) => {
  const pair = new Pair(1 << 24);
  const { model } = pair;
  const score = scores(random);
  const next = randomMix<Operation>(
    random,
    ["insert", "append", "remove", "move", "nudge", "cut"],
  );
  let id = 0;
  let grows = true;
  for (let i = 0; i < OPERATIONS; i++) {
    // Up to some thousands, and down again, so that pages fill and empty.
    if (model.length > 4000) grows = false;
    if (model.length < 20) grows = true;
    let operation = next();
    const shrinks = operation === "remove" || operation === "cut";
    if (shrinks && (grows || model.length === 0)) operation = "insert";
    if (!shrinks && !grows && random.chance(0.7)) operation = "remove";
    if (model.length === 0) operation = "insert";
    apply(random, pair, operation, score, `k${random.below(99)}-${id++}`);
    if (i % 1500 === 0) pair.verify();
    if (i % 10 === 0) check(random, pair, score);
  }
  pair.verify();
  pair.end();
}, { count: ROUNDS });

/** Few different scores or many, with those at the limits. */
function scores(random: Random): () => number {
  const limit = random.pick([1, 3, 1000, 2 ** 31]);
  return () =>
    random.chance(0.02)
      ? random.pick([-0, 0, Infinity, -Infinity, 5e-324, -1.5e308])
      : random.below(limit) / random.pick([1, 1, 8]);
}

function apply(
  random: Random,
  pair: Pair,
  operation: Operation,
  score: () => number,
  key: string,
): void {
  const { model } = pair;
  const index = random.below(model.length);
  switch (operation) {
    case "insert":
      return pair.insert(score(), key);
    case "append": {
      const last = model.at(-1)!.score;
      if (last === Infinity) return pair.insert(score(), key);
      return pair.append(last < 0 ? last / 2 : last * 1.001 + 1, key);
    }
    case "remove":
      return pair.remove(random.pick([0, index, index, model.length - 1]));
    case "move": {
      const to = score();
      return to === model[index]!.score ? undefined : pair.move(index, to);
    }
    case "nudge": {
      const own = model[index]!.score;
      const behind = model[index + 1]?.score ?? own + 1;
      const to = (own + behind) / 2;
      return to < own || to > own ? pair.move(index, to) : undefined;
    }
    case "cut": {
      const count = random.below(random.pick([4, 200]));
      return pair.removeRange(index, Math.min(model.length, index + count));
    }
  }
}

function check(random: Random, pair: Pair, score: () => number): void {
  const { model, tree, header } = pair;
  const bound = score();
  const orEqual = random.chance(0.5);
  assertEquals(
    tree.countBelowScore(header, bound, orEqual),
    model.filter((e) => orEqual ? e.score <= bound : e.score < bound).length,
  );
  if (model.length === 0) return;
  const rank = random.below(model.length);
  const entry = model[rank]!;
  assertEquals(pair.rank(entry), rank);
  assertEquals(pair.select(rank), [entry.score, entry.node]);
}

/** Notes which orders were asked for that are not known. */
class Orders extends Map<number, number> {
  missing = 0;

  override get(node: number): number | undefined {
    const order = super.get(node);
    if (order === undefined) this.missing++;
    return order;
  }
}

seeded("what a search will compare is known before", (random) => {
  const pair = new Pair(64 << 20);
  const { tree, header, memory: { arena } } = pair;
  const prefix = "p".repeat(LONG_KEY_BYTES);
  // In an order that is none.
  const texts = Array.from(
    { length: 211 },
    (_, i) => `${prefix}${1000 + i * 37 % 211}`,
  );
  const place = (node: number): [Uint8Array, number] => {
    const word = arena.i32[node >>> SEGMENT_SHIFT]![wordOf(node) + NODE_KEY]!;
    return [arena.u8[node >>> SEGMENT_SHIFT]!, byteOf(node) + keyOffset(word)];
  };
  let compared = 0;
  for (const text of random.chance(0.5) ? texts : texts.toReversed()) {
    const { key, node } = pair.make(1, text);
    const [buf, off] = place(node);
    const orders = new Orders();
    KNOWN_KEYS.add(buf, off, key.length, {
      hash: 0,
      nodes: new Map(),
      orders,
      run: 0,
    });
    for (;;) {
      const own = [buf, off, key.length] as const;
      const unknown = tree.firstUnknown(header, 1, node, ...own);
      if (unknown === 0) break;
      const length = key.length;
      const order = compareLong(...place(unknown), length, buf, off, length);
      orders.set(unknown, order);
      compared++;
    }
    orders.missing = 0;
    const entry = { score: 1, key, node };
    tree.insert(header, 1, node);
    assertEquals(orders.missing, 0, "nothing is compared");
    pair.model.splice(pair.place(entry), 0, entry);
    KNOWN_KEYS.clear();
  }
  pair.verify();
  assert(compared < texts.length * 12, "few are compared");
  // Of equal scores, with bounds that are equal to a key: before and behind it.
  const encoder = new TextEncoder();
  for (const text of texts) {
    const bytes = encoder.encode(text);
    const bound = [bytes, 0, bytes.length] as const;
    const orders = new Orders();
    KNOWN_KEYS.add(...bound, { hash: 0, nodes: new Map(), orders, run: 0 });
    for (;;) {
      const unknown = tree.firstUnknown(header, NaN, 0, ...bound);
      if (unknown === 0) break;
      const order = compareLong(...place(unknown), bytes.length, ...bound);
      orders.set(unknown, order);
    }
    orders.missing = 0;
    const before = tree.countBelowKey(header, ...bound, false);
    const behind = tree.countBelowKey(header, ...bound, true);
    assertEquals(behind, before + 1);
    assertEquals(orders.missing, 0, "nothing is compared");
    KNOWN_KEYS.clear();
  }
}, { count: 1 });
