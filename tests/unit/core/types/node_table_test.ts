/** Tables of nodes: src/core/types/node_table.ts. */
import { assert, assertEquals } from "@std/assert";
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  NodeTable,
  TABLE_UNITS,
} from "../../../../src/core/types/node_table.ts";
import { seeded } from "../../../_harness.ts";
import { Memory, randomMix, ROUNDS } from "../memory/_memory.ts";
import { valueMemory } from "./_hashes.ts";

const OPERATIONS = 6000;

/** One table of texts, each with some bytes behind it. */
class Table {
  readonly memory: Memory;
  readonly nodes: NodeTable;
  readonly root: number;

  constructor(bytes: number) {
    this.memory = new Memory(bytes);
    this.nodes = new NodeTable(valueMemory(this.memory));
    this.root = this.nodes.create();
  }

  find(key: string): number {
    const buf = latin1BytesOf(`--${key}`);
    return this.nodes.find(this.root, buf, 2, key.length);
  }

  make(key: string, more: number, double?: number): number {
    const buf = latin1BytesOf(`--${key}`);
    const { nodes } = this;
    const hash = nodes.hash(buf, 2, key.length);
    const has = double !== undefined;
    const node = nodes.makeNode(buf, 2, key.length, hash, has, more);
    if (has) nodes.setDouble(node, double);
    nodes.bytesOf(node).fill(
      more,
      nodes.keyOff(node) + key.length,
      nodes.keyOff(node) + key.length + more,
    );
    return node;
  }

  insert(key: string, more: number, double?: number): number {
    const node = this.make(key, more, double);
    this.nodes.insert(this.root, node);
    return node;
  }

  key(node: number): string {
    const { nodes } = this;
    const off = nodes.keyOff(node);
    return asciiOf(nodes.bytesOf(node), off, nodes.keyLength(node));
  }

  /** The keys, from bucket to bucket. */
  keys(): string[] {
    const { nodes, root } = this;
    const keys: string[] = [];
    for (let bucket = 0; bucket < nodes.buckets(root); bucket++) {
      const found = nodes.gather(root, bucket);
      for (let i = 0; i < found; i++) keys.push(this.key(nodes.gathered(i)));
    }
    return keys;
  }

  verify(): void {
    const { arena, dict } = this.memory;
    const words = arena.i32[this.root >>> 27]!;
    dict.verify(words, (this.root & (1 << 27) - 1) << 1);
  }

  free(): void {
    this.nodes.clear(this.root);
    this.memory.heap.free(this.root);
  }
}

Deno.test("a NodeTable has nodes with keys, doubles and bytes behind", () => {
  const table = new Table(1 << 20);
  const { nodes, root } = table;
  assertEquals([nodes.count(root), nodes.buckets(root)], [0, 0]);
  assertEquals(table.find("a"), 0);
  const a = table.insert("a", 5);
  const b = table.insert("b", 0, 1.5);
  assertEquals(table.find("a"), a);
  assertEquals(table.find("b"), b);
  assertEquals([nodes.hasDouble(a), nodes.hasDouble(b)], [false, true]);
  assertEquals(nodes.double(b), 1.5);
  assertEquals([nodes.more(a), nodes.more(b)], [5, 0]);
  nodes.setMore(a, 4);
  assertEquals(nodes.more(a), 4);
  assertEquals(nodes.bytes(root, 0), table.memory.heap.usedBytes - 32);
  assertEquals(TABLE_UNITS * 8, 32);

  const other = table.make("a", 0);
  nodes.replace(root, a, other);
  table.memory.heap.free(a);
  assertEquals(table.find("a"), other);
  nodes.take(root, other);
  assertEquals(table.find("a"), 0);
  nodes.insert(root, other);
  nodes.remove(root, b);
  assertEquals(table.keys(), ["a"]);
  table.free();
  assertEquals(table.memory.heap.usedBytes, 0);
});

Deno.test("a NodeTable draws its nodes equally often", () => {
  const table = new Table(1 << 20);
  const count = 100;
  for (let i = 0; i < count; i++) table.insert(`key ${i}`, 0);
  const drawn = new Map<number, number>();
  const draws = 50_000;
  for (let i = 0; i < draws; i++) {
    const node = table.nodes.draw(table.root);
    drawn.set(node, (drawn.get(node) ?? 0) + 1);
  }
  assertEquals(drawn.size, count);
  for (const times of drawn.values()) {
    const expected = draws / count;
    assert(Math.abs(times - expected) < 5.5 * Math.sqrt(expected), `${times}`);
  }
});

Deno.test("a NodeTable that lost nearly all nodes still draws one", () => {
  const table = new Table(1 << 24);
  const { nodes, root } = table;
  for (let i = 0; i < 20_000; i++) table.insert(`key ${i}`, 0);
  while (nodes.count(root) > 1) nodes.remove(root, nodes.draw(root));
  assertEquals(table.key(nodes.draw(root)), table.keys()[0]);
});

Deno.test("a NodeTable is cleared in slices", () => {
  const table = new Table(1 << 22);
  const { nodes, root } = table;
  for (let i = 0; i < 5000; i++) table.insert(`key ${i}`, i % 50);
  let slices = 1;
  for (; !nodes.clearSlice(root, 64); slices++) table.verify();
  assert(slices > 50, `${slices}`);
  assertEquals(nodes.count(root), 0);
  table.free();
  assertEquals(table.memory.heap.usedBytes, 0);
});

Deno.test("a NodeTable knows a long node among many", () => {
  const table = new Table(1 << 24);
  const { nodes, root, memory: { heap } } = table;
  for (let i = 0; i < 2000; i++) table.insert(`key ${i % 10}${i}`, 20);
  const before = nodes.bytes(root, 5);
  const used = heap.usedBytes;
  const long = table.make("long", 1 << 20);
  const longBytes = heap.usedBytes - used;
  nodes.insert(root, long);
  assertEquals(nodes.longBytes(root), longBytes);
  const more = nodes.bytes(root, 5) - before - nodes.longBytes(root);
  assert(Math.abs(more) < 1000, `${more}`);
  const other = table.make("long", 1 << 19);
  nodes.replace(root, long, other);
  heap.free(long);
  assertEquals(nodes.longBytes(root), heap.unitsOf(other) * 8);
  nodes.remove(root, other);
  assertEquals(nodes.longBytes(root), 0);
  table.insert("long", 1 << 20);
  table.free();
  assertEquals(heap.usedBytes, 0);
});

seeded("NodeTables do what a map does", (random) => {
  const table = new Table(1 << 26);
  const { nodes, root } = table;
  const model = new Map<string, number>();
  const keys = random.pick([10, 300, 3000]);
  const next = randomMix(random, ["insert", "remove", "replace", "find"]);
  for (let i = 0; i < OPERATIONS; i++) {
    const key = `k${random.below(keys)}`.padEnd(random.below(20), "-");
    const node = table.find(key);
    assertEquals(node === 0 ? undefined : nodes.more(node), model.get(key));
    const more = random.chance(0.02)
      ? random.between(30_000, 100_000)
      : random.below(40);
    switch (next()) {
      case "insert":
        if (node !== 0) break;
        table.insert(key, more, random.chance(0.5) ? i : undefined);
        model.set(key, more);
        break;
      case "remove":
        if (node === 0) break;
        nodes.remove(root, node);
        model.delete(key);
        break;
      case "replace": {
        if (node === 0) break;
        nodes.replace(root, node, table.make(key, more));
        table.memory.heap.free(node);
        model.set(key, more);
      }
    }
    if (i % 300 > 0) continue;
    table.verify();
    nodes.verify(root);
    assertEquals(nodes.count(root), model.size);
    assertEquals(table.keys().sort(), [...model.keys()].sort());
    assertEquals(nodes.bytes(root, 0), table.memory.heap.usedBytes - 32);
  }
  table.free();
  assertEquals(table.memory.heap.usedBytes, 0);
}, { count: ROUNDS });
