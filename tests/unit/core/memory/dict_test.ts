/**
 * Dictionaries: src/core/memory/dict.ts.
 *
 * SHERD_LARGE=1 also runs a dictionary of nine million nodes.
 */
import { assert, assertEquals } from "@std/assert";
import { halfSipHash } from "../../../../src/core/base/half_siphash.ts";
import { PAGE_BYTES } from "../../../../src/core/memory/arena.ts";
import {
  DICT_BUCKETS,
  DICT_COUNT,
  DICT_HEADER_WORDS,
  DICT_OVERFLOW,
  DICT_USER,
  guessNode,
} from "../../../../src/core/memory/dict.ts";
import { NODE_HASH, NODE_VALUE } from "../../../../src/core/memory/node.ts";
import { Random, seeded } from "../../../_harness.ts";
import { DICTS_AT, Memory, randomMix, ROUNDS } from "./_memory.ts";

const OPERATIONS = 100_000;
/** Keys have numbers below this. */
const IDS = 1 << 20;
const IS_LARGE = Deno.env.get("SHERD_LARGE") !== undefined;

/** How the tests hash a key. */
type Hash = (key: Uint8Array) => number;

const HASHES: Readonly<Record<string, Hash>> = {
  good: (key) => halfSipHash(key, 0, key.length, 1, 2),
  "of few bits": (key) => halfSipHash(key, 0, key.length, 1, 2) & 0x7f,
  "of equal tags": (key) => halfSipHash(key, 0, key.length, 1, 2) | 0xff << 24,
  "of one bucket": (key) => halfSipHash(key, 0, key.length, 1, 2) & 0xff << 24,
  constant: () => 0,
};

/** A dictionary in a memory of its own. */
class Table {
  readonly memory: Memory;
  readonly control: Int32Array;
  readonly hash: Hash;

  constructor(bytes: number, hash: Hash) {
    this.memory = new Memory(bytes);
    this.control = this.memory.control;
    this.hash = hash;
  }

  header(word: number): number {
    return this.control[DICTS_AT + word]!;
  }

  find(key: Uint8Array): number {
    const { dict } = this.memory;
    // Off the start of its buffer, as keys of requests are.
    const buffer = new Uint8Array(key.length + 3);
    buffer.set(key, 3);
    const hash = this.hash(key);
    return dict.find(this.control, DICTS_AT, buffer, 3, key.length, hash);
  }

  insert(key: Uint8Array): number {
    const hash = this.hash(key);
    const node = this.memory.makeNode(key, hash);
    this.memory.dict.insert(this.control, DICTS_AT, node, hash);
    return node;
  }

  remove(node: number): void {
    const hash = this.memory.word(node, NODE_HASH);
    this.memory.dict.remove(this.control, DICTS_AT, node, hash);
    this.memory.heap.free(node);
  }

  verify(): number {
    return this.memory.dict.verify(this.control, DICTS_AT);
  }

  scan(cursor: number, visit: (node: number) => void): number {
    return this.memory.dict.scan(this.control, DICTS_AT, cursor, visit);
  }

  /** What must be left when all nodes are gone: nothing. */
  assertEmpty(): void {
    const { heap, pool } = this.memory;
    assertEquals(
      [...this.control.subarray(DICTS_AT, DICTS_AT + DICT_USER)],
      [0, 0, 0, 0, 0],
    );
    assertEquals(heap.usedBytes, 0);
    heap.releaseReserve();
    assertEquals(pool.verify(), 0);
  }
}

/** Key number `id`: text of its digits, of many lengths. */
function keyOf(id: number): Uint8Array {
  const key = new Uint8Array(4 + id % 13);
  new DataView(key.buffer).setInt32(0, id);
  return key.fill(id, 4);
}

Deno.test("Dict finds what was inserted until it is removed", () => {
  const table = new Table(1 << 20, HASHES.good!);
  const { dict } = table.memory;
  const a = table.insert(keyOf(1));
  const b = table.insert(keyOf(2));
  assertEquals(table.find(keyOf(1)), a);
  assertEquals(table.find(keyOf(2)), b);
  assertEquals(table.find(keyOf(3)), 0);
  assertEquals(table.header(DICT_COUNT), 2);

  // The node moves: the dictionary is told.
  const moved = table.memory.makeNode(keyOf(1), table.hash(keyOf(1)));
  dict.replace(table.control, DICTS_AT, a, moved, table.hash(keyOf(1)));
  table.memory.heap.free(a);
  assertEquals(table.find(keyOf(1)), moved);

  table.control[DICTS_AT + DICT_USER] = 42;
  table.remove(moved);
  table.remove(b);
  assertEquals(table.find(keyOf(1)), 0);
  assertEquals(table.header(DICT_USER), 42);
  table.assertEmpty();
});

Deno.test("Dict tells whether a node is in it, living or not", () => {
  const table = new Table(1 << 20, HASHES["of few bits"]!);
  const { dict } = table.memory;
  const has = (node: number, hash: number) =>
    dict.has(table.control, DICTS_AT, node, hash);
  assertEquals(has(512, 1), false);
  const nodes = Array.from({ length: 300 }, (_, id) => table.insert(keyOf(id)));
  const hashes = nodes.map((node) => table.memory.word(node, NODE_HASH));
  nodes.forEach((node, i) => assert(has(node, hashes[i]!)));
  assertEquals(has(nodes[0]!, hashes[0]! ^ 1), false);
  table.remove(nodes[0]!);
  assertEquals(has(nodes[0]!, hashes[0]!), false);
});

Deno.test("Dict's hints read whatever is there and change nothing", () => {
  const table = new Table(4 << 20, HASHES.good!);
  const { dict } = table.memory;
  const { i32 } = table.memory.arena;
  const random = new Random(1);
  const warm = (header: Int32Array, at: number) => {
    for (let i = 0; i < 1000; i++) {
      const hash = random.uint32() | 0;
      const before = header.slice();
      guessNode(i32, dict.guessBucket(header, at, hash), hash);
      assertEquals(header, before);
    }
  };
  warm(table.control, DICTS_AT);
  for (let id = 0; id < 5000; id++) table.insert(keyOf(id));
  const key = keyOf(4711);
  const hash = table.hash(key);
  const bucket = dict.guessBucket(table.control, DICTS_AT, hash);
  const guess = guessNode(i32, bucket, hash);
  assertEquals(table.memory.word(guess, NODE_HASH), hash);
  warm(table.control, DICTS_AT);
  // A header that is being changed by somebody else.
  const torn = Int32Array.from({ length: 64 }, () => random.uint32());
  for (let at = 0; at < 56; at++) warm(torn, at);
});

Deno.test("Dict.gather keeps its nodes while another dictionary grows", () => {
  const table = new Table(16 << 20, HASHES.good!);
  const { memory, control } = table;
  const { dict } = memory;
  for (let id = 0; id < 20_000; id++) table.insert(keyOf(id));
  const copies = DICTS_AT + DICT_HEADER_WORDS;
  for (let bucket = 0; bucket < table.header(DICT_BUCKETS); bucket++) {
    const count = dict.gather(control, DICTS_AT, bucket);
    for (let i = 0; i < count; i++) {
      const node = dict.gathered(i);
      dict.insert(control, copies, node, memory.word(node, NODE_HASH));
    }
  }
  assertEquals(dict.verify(control, copies), 20_000);
  const seen = new Set<number>();
  for (let bucket = 0; bucket < control[copies + DICT_BUCKETS]!; bucket++) {
    const count = dict.gather(control, copies, bucket);
    for (let i = 0; i < count; i++) seen.add(dict.gathered(i));
  }
  assertEquals(seen.size, 20_000);
});

Deno.test("Dict compares keys of every length to the last byte", () => {
  const table = new Table(1 << 20, HASHES.constant!);
  const keys: Uint8Array[] = [];
  for (let length = 0; length < 20; length++) {
    keys.push(new Uint8Array(length).fill(200));
    for (let at = 0; at < length; at++) {
      const other = new Uint8Array(length).fill(200);
      other[at] = 201;
      keys.push(other);
    }
  }
  const nodes = keys.map((key) => table.insert(key));
  keys.forEach((key, i) => assertEquals(table.find(key), nodes[i]));
});

Deno.test("Dict grows and shrinks by single buckets", () => {
  const table = new Table(64 << 20, HASHES.good!);
  const nodes: number[] = [];
  for (let id = 0, before = 0; id < 100_000; id++) {
    nodes.push(table.insert(keyOf(id)));
    const buckets = table.header(DICT_BUCKETS);
    assert(buckets - before <= 1);
    before = buckets;
  }
  const buckets = table.header(DICT_BUCKETS);
  assertEquals(buckets, 100_000 / 8);
  assert(table.header(DICT_OVERFLOW) < buckets / 4);
  const bytes = table.memory.dict.tableBytes(table.control, DICTS_AT);
  assert(bytes / nodes.length < 11, `${bytes / nodes.length} bytes a node`);
  for (let id = 0, before = buckets; id < 99_000; id++) {
    table.remove(nodes[id]!);
    const left = table.header(DICT_BUCKETS);
    assert(before - left <= 1);
    before = left;
  }
  assert(table.header(DICT_BUCKETS) <= Math.ceil(1000 / 3));
  assertEquals(table.verify(), 1000);
  assert(table.memory.dict.tableBytes(table.control, DICTS_AT) < 64_000);
  for (const node of nodes.slice(99_000)) table.remove(node);
  table.assertEmpty();
});

for (const [name, hash] of Object.entries(HASHES)) {
  seeded(`Dict does what a Map does, hash ${name}`, (random) => {
    new DictRun(random, hash, name === "good").run();
  }, { count: ROUNDS });
}

/** One random script against a Map, with scans under way all the time. */
class DictRun {
  readonly #random: Random;
  readonly #table: Table;
  readonly #isGood: boolean;
  /** Nodes by the key's number, 0 for none. */
  readonly #model = new Int32Array(IDS);
  /** Numbers of the keys in the model, in no order, and where each stands. */
  readonly #ids: number[] = [];
  readonly #placeOf = new Int32Array(IDS);
  /** Whether a key, by its number, was there all through the scan, unseen. */
  readonly #unseen = new Uint8Array(IDS);
  #unseenCount = 0;
  #cursor = 0;
  #scans = 0;

  constructor(random: Random, hash: Hash, isGood: boolean) {
    this.#random = random;
    this.#table = new Table(128 << 20, hash);
    this.#isGood = isGood;
  }

  run(): void {
    const names = ["change", "find", "replace", "scan", "draw"] as const;
    const draw = randomMix(this.#random, names);
    // Every operation on a chain of equal hashes walks it.
    const most = this.#isGood ? 40_000 : 400;
    let limit = 0;
    let grows = false;
    for (let i = 0; i < OPERATIONS; i++) {
      if (this.#ids.length >= limit && grows) grows = false;
      if (this.#ids.length <= limit / 20 && !grows) {
        grows = true;
        limit = this.#random.between(1, this.#random.chance(0.5) ? most : 200);
      }
      const name = this.#ids.length === 0 ? "change" : draw();
      if (name === "change") {
        for (let n = this.#random.between(1, 50); n > 0; n--) {
          this.#change(this.#random.chance(grows ? 0.9 : 0.1));
        }
      } else if (name === "find") this.#find();
      else if (name === "replace") this.#replace();
      else if (name === "scan") this.#scan();
      else this.#draw();
      if (i % 20_000 === 0) this.#verify();
    }
    this.#verify();
    assert(this.#scans > 3, "scans came to their end");
    this.#end();
  }

  #verify(): void {
    assertEquals(this.#table.verify(), this.#ids.length);
    assertEquals(this.#table.header(DICT_COUNT), this.#ids.length);
  }

  #anyId(): number {
    return this.#ids[this.#random.below(this.#ids.length)]!;
  }

  #change(inserts: boolean): void {
    if (!inserts && this.#ids.length > 0) return this.#remove(this.#anyId());
    const id = this.#random.below(IDS);
    if (this.#model[id] !== 0) return this.#remove(id);
    this.#model[id] = this.#table.insert(keyOf(id));
    this.#placeOf[id] = this.#ids.length;
    this.#ids.push(id);
  }

  #remove(id: number): void {
    this.#table.remove(this.#model[id]!);
    this.#forget(id);
  }

  #forget(id: number): void {
    this.#model[id] = 0;
    this.#note(id);
    const last = this.#ids.pop()!;
    if (last === id) return;
    const place = this.#placeOf[id]!;
    this.#ids[place] = last;
    this.#placeOf[last] = place;
  }

  #find(): void {
    const id = this.#random.chance(0.7)
      ? this.#anyId()
      : this.#random.below(IDS);
    assertEquals(this.#table.find(keyOf(id)), this.#model[id]);
  }

  #replace(): void {
    const { memory, control } = this.#table;
    const id = this.#anyId();
    const from = this.#model[id]!;
    const hash = memory.word(from, NODE_HASH);
    const to = memory.makeNode(keyOf(id), hash);
    memory.dict.replace(control, DICTS_AT, from, to, hash);
    memory.heap.free(from);
    this.#model[id] = to;
  }

  /** One step of the scan, whose guarantee is checked at its end. */
  #scan(): void {
    if (this.#cursor === 0) {
      for (const id of this.#ids) this.#unseen[id] = 1;
      this.#unseenCount = this.#ids.length;
    }
    // Large steps, so that a scan ends before all of its keys are gone.
    for (let n = 1 + this.#ids.length / 300; n > 0; n--) {
      this.#cursor = this.#table.scan(this.#cursor, (node) => {
        const id = this.#idOf(node);
        assertEquals(this.#model[id], node);
        this.#note(id);
      });
      if (this.#cursor !== 0) continue;
      assertEquals(this.#unseenCount, 0, "every key that stayed was returned");
      this.#scans++;
      return;
    }
  }

  /** A key was seen by the scan, or is gone. */
  #note(id: number): void {
    this.#unseenCount -= this.#unseen[id]!;
    this.#unseen[id] = 0;
  }

  #draw(): void {
    const { memory, control } = this.#table;
    const node = memory.dict.draw(control, DICTS_AT, this.#random.uint32());
    if (node !== 0) assertEquals(this.#model[this.#idOf(node)], node);
  }

  #idOf(node: number): number {
    const word = this.#table.memory.word(node, 4);
    // Keys begin with their number, the highest byte first.
    return word << 24 | (word & 0xff00) << 8 | word >> 8 & 0xff00 | word >>> 24;
  }

  /** Empties the table by one of three ways; nothing may be left. */
  #end(): void {
    const { memory, control } = this.#table;
    const way = this.#random.pick(["remove", "clear", "pop"]);
    if (way === "remove") {
      while (this.#ids.length > 0) this.#remove(this.#anyId());
    } else if (way === "clear") {
      memory.dict.clear(control, DICTS_AT);
      for (const id of this.#ids) memory.heap.free(this.#model[id]!);
    } else {
      const free = (node: number) => {
        const id = this.#idOf(node);
        assertEquals(this.#model[id], node);
        this.#forget(id);
        memory.heap.free(node);
      };
      for (let i = 0; memory.dict.popBucket(control, DICTS_AT, free); i++) {
        if (i % 64 === 0) this.#verify();
      }
      assertEquals(this.#ids.length, 0);
    }
    this.#table.assertEmpty();
  }
}

seeded("Dict.draw is fair", (random) => {
  const table = new Table(16 << 20, HASHES.good!);
  const count = random.between(300, 3000);
  const hits = new Map<number, number>();
  for (let id = 0; id < count; id++) hits.set(table.insert(keyOf(id)), 0);
  const { dict } = table.memory;
  const expected = 100;
  for (let drawn = 0; drawn < count * expected;) {
    const node = dict.draw(table.control, DICTS_AT, random.uint32());
    if (node === 0) continue;
    hits.set(node, hits.get(node)! + 1);
    drawn++;
  }
  // Chains of more than two buckets share their chances; they are few.
  const counts = [...hits.values()].sort((a, b) => b - a);
  const rare = counts.filter((n) => n < expected / 2).length;
  assert(rare <= count / 100, `${rare} of ${count} are drawn rarely`);
  assert(counts.at(-1)! > 0, "every node is drawn");
  let chiSquare = 0;
  for (const n of counts) {
    if (n >= expected / 2) chiSquare += (n - expected) ** 2 / expected;
  }
  const limit = count + 5 * Math.sqrt(2 * count);
  assert(chiSquare < limit, `chi square ${chiSquare}, limit ${limit}`);
}, { count: 5 });

Deno.test("Dict.draw reaches the end of long chains", () => {
  const table = new Table(1 << 20, HASHES.constant!);
  const random = new Random(1);
  const missing = new Set<number>();
  for (let id = 0; id < 200; id++) missing.add(table.insert(keyOf(id)));
  const { dict } = table.memory;
  for (let i = 0; i < 200_000 && missing.size > 0; i++) {
    missing.delete(dict.draw(table.control, DICTS_AT, random.uint32()));
  }
  assertEquals(missing.size, 0);
});

Deno.test("Dict.scan ends while the table halves and doubles at each step", () => {
  const table = new Table(16 << 20, HASHES.good!);
  const stays = Array.from({ length: 300 }, (_, id) => table.insert(keyOf(id)));
  const seen = new Set<number>();
  let extra: number[] = [];
  let cursor = 0;
  let steps = 0;
  do {
    cursor = table.scan(cursor, (node) => seen.add(node));
    if (extra.length > 0) {
      extra.forEach((node) => table.remove(node));
      extra = [];
    } else {
      for (let id = 0; id < 4000; id++) {
        extra.push(table.insert(keyOf(10_000 + id)));
      }
    }
    assert(++steps < 2000, "a scan ends");
  } while (cursor !== 0);
  for (const node of stays) assert(seen.has(node));
});

Deno.test("Dict.scan takes any cursor", () => {
  const table = new Table(1 << 20, HASHES.good!);
  assertEquals(table.scan(12345, () => {}), 0);
  for (let id = 0; id < 100; id++) table.insert(keyOf(id));
  for (const cursor of [-1, 2 ** 31, 2 ** 32 + 5, 2 ** 52, 0x7fffffff]) {
    let steps = 0;
    for (let c = table.scan(cursor, () => {}); c !== 0;) {
      c = table.scan(c, () => {});
      assert(++steps < 100);
    }
  }
});

Deno.test("Dict.popBucket frees a dictionary in slices", () => {
  const table = new Table(64 << 20, HASHES.good!);
  const { memory } = table;
  for (let id = 0; id < 50_000; id++) table.insert(keyOf(id));
  memory.setWord(table.find(keyOf(7)), NODE_VALUE, 77);
  let most = 0;
  let left = 50_000;
  for (let more = true; more;) {
    let visited = 0;
    more = memory.dict.popBucket(table.control, DICTS_AT, (node) => {
      memory.heap.free(node);
      visited++;
    });
    left -= visited;
    assertEquals(table.header(DICT_COUNT), left);
    most = Math.max(most, visited);
    // What is left can be used, even to grow again.
    if (left === 25_000) table.remove(table.insert(keyOf(60_000)));
  }
  assert(most < 64, `${most} nodes in a bucket`);
  assertEquals(left, 0);
  table.assertEmpty();
});

Deno.test({
  name: "Dict of nine million nodes",
  ignore: !IS_LARGE,
  fn: () => fillAndEmpty(9_000_000),
});

Deno.test("Dict of 300 000 nodes", () => fillAndEmpty(300_000));

/** Beyond 256 buckets there is a directory, which grows and shrinks too. */
function fillAndEmpty(count: number): void {
  const table = new Table(count * 64 + (64 << 20), HASHES.good!);
  const nodes = new Int32Array(count);
  for (let id = 0; id < count; id++) nodes[id] = table.insert(keyOf(id));
  assertEquals(table.header(DICT_BUCKETS), Math.ceil(count / 8));
  assertEquals(table.verify(), count);
  for (let id = 0; id < count; id += 97) {
    assertEquals(table.find(keyOf(id)), nodes[id]);
  }
  const before = table.memory.dict.tableBytes(table.control, DICTS_AT);
  assert(before < count * 11);
  for (let id = 0; id < count - 1000; id++) table.remove(nodes[id]!);
  assertEquals(table.verify(), 1000);
  const bytes = table.memory.dict.tableBytes(table.control, DICTS_AT);
  assert(bytes < 20 * PAGE_BYTES, `${bytes} bytes for 1000 nodes`);
  for (let id = count - 1000; id < count; id++) table.remove(nodes[id]!);
  table.assertEmpty();
}
