/** Lists: src/core/types/list_value.ts and large_list.ts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import type { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import { freeDetached } from "../../../../src/core/keyspace/detached_values.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import {
  ListpackItem,
  readElement,
} from "../../../../src/core/memory/listpack.ts";
import { elementBytes } from "../../../../src/core/memory/listpack_format.ts";
import { TYPE_LIST } from "../../../../src/core/types/entry.ts";
import {
  ElementSearch,
  EqualRemoval,
  type ListValue,
  type RunVisitor,
} from "../../../../src/core/types/list_value.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { Shards } from "../keyspace/_fixture.ts";
import { randomMix, ROUNDS } from "../memory/_memory.ts";

const OPERATIONS = 1500;
const LARGE_LENGTH = 10_000_000;

/** Keeps what lists hand out. */
class Collected implements RunVisitor {
  readonly texts: string[] = [];
  runs = 0;
  readonly #item = new ListpackItem();

  packed(buf: Uint8Array, at: number, count: number, bytes: number): void {
    let pos = at;
    for (let i = 0; i < count; i++) {
      readElement(buf, pos, this.#item);
      const { buf: text, off, length } = this.#item;
      this.texts.push(asciiOf(text, off, length));
      pos += elementBytes(buf, pos);
    }
    assert(pos <= at + bytes, "elements are among the bytes");
    this.runs++;
  }

  plain(buf: Uint8Array, off: number, length: number): void {
    this.texts.push(asciiOf(buf, off, length));
    this.runs++;
  }
}

/** A list on an entry of its own, and what should be in it. */
class Tested {
  readonly shards: Shards;
  readonly space: Keyspace;
  readonly lists: ListValue;
  readonly ref: number;
  model: string[] = [];

  constructor(size: number, arenaBytes = 64 << 20) {
    this.shards = new Shards({ shards: 2, arenaBytes });
    this.limit(size);
    this.space = this.shards.keyspaces[0]!;
    this.lists = this.space.values.lists;
    this.ref = this.space.begun.begin(TYPE_LIST);
  }

  limit(size: number): void {
    Object.assign(this.shards.settings, { listMaxListpackSize: size });
  }

  get length(): number {
    return this.lists.length(this.ref);
  }

  get encoding(): string {
    return this.lists.encodingNames[this.space.encoding(this.ref)]!;
  }

  push(text: string, atHead = false): void {
    const buf = latin1BytesOf(text);
    this.lists.prepare(this.ref, buf.length, 1, atHead);
    this.lists.push(this.ref, atHead, buf, 0, buf.length);
    if (atHead) this.model.unshift(text);
    else this.model.push(text);
  }

  drop(atHead: boolean): void {
    this.lists.drop(this.ref, atHead);
    this.lists.pack(this.ref, true);
    if (atHead) this.model.shift();
    else this.model.pop();
  }

  text(index: number): string {
    const { item } = this.lists;
    this.lists.read(this.ref, index);
    return asciiOf(item.buf, item.off, item.length);
  }

  texts(from = 0, to = this.length): string[] {
    return textsOf(this.lists, this.ref, from, to);
  }

  indexOf(text: string): number {
    const buf = latin1BytesOf(text);
    let found = -1;
    this.lists.search(this.ref, buf, 0, buf.length, false, Infinity, {
      match(index) {
        found = index;
        return false;
      },
    });
    return found;
  }

  check(): void {
    this.lists.verify(this.ref);
    assertEquals(this.length, this.model.length);
    assertEquals(this.texts(), this.model);
  }

  /** Frees the list; nothing may be left in use. */
  close(): void {
    this.space.begun.drop();
    while (!freeDetached(this.space, 10));
    this.shards.verifyEmpty();
  }
}

function textsOf(
  lists: ListValue,
  ref: number,
  from: number,
  to: number,
): string[] {
  const collected = new Collected();
  for (let at = from; at < to;) at = lists.visitRun(ref, at, to, collected);
  return collected.texts;
}

Deno.test("a list becomes large by bytes, and packed again below half", () => {
  const tested = new Tested(-2);
  for (let i = 0; tested.encoding === "listpack"; i++) tested.push(`text ${i}`);
  // 7 bytes of the listpack, and before the last one 2 for each element.
  const bytes = tested.model.join("").length + 2 * (tested.length - 1) + 7;
  assert(bytes > 8192 && bytes <= 8192 + 8, `${bytes} bytes`);
  assertEquals(tested.lists.nodes(tested.ref), 2);
  while (tested.encoding === "quicklist") tested.drop(false);
  const left = tested.model.join("").length + 2 * tested.length + 7;
  assert(left <= 4096 && left > 4096 - 12, `${left} bytes`);
  tested.check();
  tested.close();
});

Deno.test("a list becomes large by elements, and packed again at half", () => {
  const tested = new Tested(4);
  for (let i = 0; i < 4; i++) tested.push("x");
  assertEquals(tested.encoding, "listpack");
  tested.push("x");
  assertEquals(tested.encoding, "quicklist");
  assertEquals(tested.lists.nodes(tested.ref), 2);
  tested.drop(true);
  tested.drop(true);
  assertEquals(tested.encoding, "quicklist");
  tested.drop(true);
  tested.check();
  assertEquals(tested.encoding, "quicklist", "there are two nodes");
  tested.drop(true);
  assertEquals(tested.encoding, "listpack");
  tested.close();
});

Deno.test("an element larger than a node is one by itself", () => {
  const tested = new Tested(-1);
  const large = "l".repeat(4097);
  tested.push("a");
  tested.push(large);
  tested.push("b");
  tested.push("c", true);
  assertEquals(tested.encoding, "quicklist");
  assertEquals(tested.lists.nodes(tested.ref), 3);
  tested.check();
  assertEquals(tested.indexOf(large), 2);
  tested.drop(true);
  tested.drop(true);
  tested.drop(false);
  assertEquals(tested.encoding, "quicklist", "as in Redis");
  tested.check();
  tested.close();
});

for (const atHead of [true, false]) {
  const end = atHead ? "head" : "tail";
  Deno.test(`a list filled at its ${end} takes little more than its bytes`, () => {
    const tested = new Tested(-2);
    const count = 100_000;
    for (let i = 0; i < count; i++) {
      const buf = latin1BytesOf(`v:${String(i).padStart(12, "0")}`);
      tested.lists.prepare(tested.ref, buf.length, 1, atHead);
      tested.lists.push(tested.ref, atHead, buf, 0, buf.length);
    }
    const bytes = tested.lists.memoryBytes(tested.ref, 0);
    assert(bytes / count < 16.3, `${bytes / count} bytes per element`);
    const guess = tested.lists.memoryBytes(tested.ref, 5);
    assert(Math.abs(guess / bytes - 1) < 0.05, `${guess} of ${bytes}`);
    tested.close();
  });
}

Deno.test("a small list takes little more than its bytes", () => {
  const tested = new Tested(-2);
  for (let i = 0; i < 10; i++) tested.push(`element ${i}`);
  const { lists, ref } = tested;
  assert(lists.memoryBytes(ref, 0) <= (16 + 11 * 10) * 1.25 + 8);
  while (tested.length > 1) tested.drop(true);
  assert(lists.memoryBytes(ref, 0) < 64);
  tested.close();
});

Deno.test("ten million elements are a list like any other", () => {
  const tested = new Tested(-2, 256 << 20);
  const { lists, ref } = tested;
  const buf = new Uint8Array(14).fill(0x30);
  const startMs = performance.now();
  for (let i = 0; i < LARGE_LENGTH; i++) {
    let rest = i;
    for (let at = 13; rest > 0; at--, rest = rest / 10 | 0) {
      buf[at] = 0x30 + rest % 10;
    }
    buf[0] = 0x76;
    lists.prepare(ref, 14, 1, false);
    lists.push(ref, false, buf, 0, 14);
  }
  assertEquals(tested.length, LARGE_LENGTH);
  const name = (i: number) => `v${String(i).padStart(13, "0")}`;
  for (let i = 0; i < 1000; i++) {
    const index = Math.floor(i * LARGE_LENGTH / 1000);
    assertEquals(tested.text(index), name(index));
  }
  lists.removeRange(ref, 1000, LARGE_LENGTH - 2000);
  lists.verify(ref);
  assertEquals(tested.texts(999, 1001), [999, LARGE_LENGTH - 1000].map(name));
  const tookMs = performance.now() - startMs;
  assert(tookMs < 60_000, `${tookMs} ms`);
  tested.close();
});

Deno.test("a list goes through listpacks and comes back", () => {
  const tested = new Tested(-1);
  for (let i = 0; i < 1000; i++) tested.push(`e${i}`, i % 3 === 0);
  tested.push("x".repeat(5000));
  const { lists, model } = tested;
  const other = tested.shards.keyspaces[1]!;
  const ref = other.begun.begin(TYPE_LIST);
  let nodes = 0;
  const rebuild: RunVisitor = {
    packed(buf, at, count, bytes) {
      const blob = listpackOf(buf.slice(at, at + bytes), count);
      assert(
        other.values.lists.appendListpack(ref, blob, 0, blob.length),
      );
      nodes++;
    },
    plain(buf, off, length) {
      other.values.lists.prepare(ref, length, 1, false);
      other.values.lists.push(ref, false, buf, off, length);
      nodes++;
    },
  };
  for (let at = 0; at < tested.length;) {
    at = lists.visitRun(tested.ref, at, tested.length, rebuild);
  }
  assertEquals(nodes, lists.nodes(tested.ref));
  other.values.lists.pack(ref, false);
  other.values.lists.verify(ref);
  assertEquals(textsOf(other.values.lists, ref, 0, 1001), model);
  // An integer that is written as a string is one again.
  const odd = listpackOf(Uint8Array.of(0x82, 0x31, 0x32, 3), 1);
  assert(other.values.lists.appendListpack(ref, odd, 0, odd.length));
  assertEquals(textsOf(other.values.lists, ref, 1001, 1002), ["12"]);
  odd[odd.length - 1] = 0;
  assert(!other.values.lists.appendListpack(ref, odd, 0, odd.length));
  other.begun.drop();
  while (!freeDetached(other, 10));
});

function listpackOf(elements: Uint8Array, count: number): Uint8Array {
  const blob = new Uint8Array(elements.length + 7);
  new DataView(blob.buffer).setUint32(0, blob.length, true);
  new DataView(blob.buffer).setUint16(4, count, true);
  blob.set(elements, 6);
  blob[blob.length - 1] = 0xff;
  return blob;
}

Deno.test("a packed list from elsewhere may stay packed", () => {
  const tested = new Tested(-2);
  const blob = listpackOf(Uint8Array.of(0x81, 0x61, 2, 7, 1), 2);
  assert(tested.lists.appendListpack(tested.ref, blob, 0, blob.length));
  assertEquals(tested.encoding, "quicklist");
  tested.lists.pack(tested.ref, false);
  assertEquals(tested.encoding, "listpack");
  assertEquals(tested.texts(), ["a", "7"]);
  tested.close();
});

for (const size of [-1, -2, 1, 2, 5, 128]) {
  seeded(`lists of ${size} do what an array does`, (random) => {
    const tested = new Tested(size);
    const operations = Object.keys(OPERATION) as (keyof typeof OPERATION)[];
    const draw = randomMix(random, operations);
    const kinds = random.pick([[SHORT], [SHORT, LONG], [SHORT, LONG, HUGE]]);
    const start = random.pick([0, 0, 100, 2000]);
    for (let i = 0; i < start; i++) tested.push(anyText(random, kinds));
    for (let i = 0; i < OPERATIONS; i++) {
      if (random.chance(0.002)) tested.limit(random.pick([-1, -2, 3, size]));
      OPERATION[draw()](tested, random, kinds);
      if (i % 10 === 0 || tested.model.length < 20) tested.check();
      if (tested.model.length > 3000) {
        tested.lists.removeRange(tested.ref, 100, tested.length - 300);
        tested.model.splice(100, tested.model.length - 300);
      }
    }
    tested.check();
    tested.close();
  }, { count: ROUNDS });
}

type Maker = (random: Random) => string;

const SHORT: Maker = (random) =>
  random.chance(0.5)
    ? String(random.between(-200, 200))
    : "v".repeat(random.below(20));
const LONG: Maker = (random) => "l".repeat(random.between(50, 1500));
const HUGE: Maker = (random) => "h".repeat(random.between(3000, 9000));

function anyText(random: Random, kinds: readonly Maker[]): string {
  return random.chance(0.8) ? kinds[0]!(random) : random.pick(kinds)(random);
}

const OPERATION = {
  push(tested: Tested, random: Random, kinds: readonly Maker[]): void {
    const atHead = random.chance(0.5);
    for (let i = random.below(8); i >= 0; i--) {
      tested.push(anyText(random, kinds), atHead);
    }
  },
  drop(tested: Tested, random: Random): void {
    const atHead = random.chance(0.5);
    for (let i = random.below(10); i >= 0 && tested.length > 0; i--) {
      const { item } = tested.lists;
      tested.lists.readEnd(tested.ref, atHead);
      const text = asciiOf(item.buf, item.off, item.length);
      assertEquals(text, tested.model.at(atHead ? 0 : -1));
      tested.drop(atHead);
    }
  },
  insert(tested: Tested, random: Random, kinds: readonly Maker[]): void {
    const { lists, ref, model } = tested;
    const text = anyText(random, kinds);
    const buf = latin1BytesOf(text);
    const index = random.below(model.length + 1);
    if (model.length === 0) return tested.push(text);
    lists.prepare(ref, buf.length, 1, false);
    lists.insert(ref, index, buf, 0, buf.length);
    model.splice(index, 0, text);
  },
  replace(tested: Tested, random: Random, kinds: readonly Maker[]): void {
    const { lists, ref, model } = tested;
    if (model.length === 0) return;
    const text = anyText(random, kinds);
    const buf = latin1BytesOf(text);
    const index = random.below(model.length);
    lists.prepare(ref, buf.length, 1, false);
    lists.replace(ref, index, buf, 0, buf.length);
    lists.pack(ref, true);
    model[index] = text;
  },
  removeRange(tested: Tested, random: Random): void {
    const { lists, ref, model } = tested;
    const from = random.below(model.length + 1);
    const most = Math.min(model.length - from, random.chance(0.1) ? 1000 : 30);
    const count = random.between(0, most);
    lists.removeRange(ref, from, count);
    lists.pack(ref, true);
    model.splice(from, count);
  },
  removeEqual(tested: Tested, random: Random): void {
    const { lists, ref, model } = tested;
    if (model.length === 0) return;
    const text = random.pick(model);
    const buf = latin1BytesOf(text);
    const most = random.pick([1, 2, 5, Infinity]);
    const fromTail = random.chance(0.5);
    const order = fromTail ? model.toReversed() : model;
    let removed = 0;
    const left = order.filter((other) =>
      other !== text || removed === most || (removed++, false)
    );
    const work = new EqualRemoval();
    work.begin(lists.length(ref));
    const budget = random.pick([1, 100, 5000, Infinity]);
    while (
      lists.removeEqualPart(
        ref,
        buf,
        0,
        buf.length,
        most,
        fromTail,
        work,
        budget,
      )
    ) lists.verify(ref);
    assertEquals(work.removed, removed);
    lists.pack(ref, true);
    tested.model = fromTail ? left.reverse() : left;
  },
  search(tested: Tested, random: Random, kinds: readonly Maker[]): void {
    const { lists, ref, model } = tested;
    const text = model.length > 0 && random.chance(0.8)
      ? random.pick(model)
      : anyText(random, kinds);
    const buf = latin1BytesOf(text);
    const most = random.pick([1, 10, 100, Infinity]);
    const wanted = random.pick([1, 3, Infinity]);
    const backward = random.chance(0.5);
    const found: number[] = [];
    lists.search(ref, buf, 0, buf.length, backward, most, {
      match(index) {
        found.push(index);
        return found.length < wanted;
      },
    });
    const all = model.flatMap((other, index) => other === text ? [index] : []);
    const expected = backward
      ? all.reverse().filter((index) => index >= model.length - most)
      : all.filter((index) => index < most);
    assertEquals(found, expected.slice(0, wanted));
    if (model.length === 0) return;
    let first = -1;
    const budget = random.pick([1, 100, 5000]);
    const work = new ElementSearch();
    while (first < 0 && work.from < model.length) {
      lists.searchPart(ref, buf, 0, buf.length, work, budget, {
        match(index) {
          first = index;
          return false;
        },
      });
    }
    assertEquals(first, model.indexOf(text));
  },
  visit(tested: Tested, random: Random): void {
    const { lists, ref, model } = tested;
    const from = random.below(model.length + 1);
    const to = random.between(from, model.length);
    assertEquals(tested.texts(from, to), model.slice(from, to));
    const backward = new Collected();
    for (let at = to; at > from;) {
      at = lists.visitBackward(ref, at, from, backward);
    }
    assertEquals(backward.texts, model.slice(from, to).reverse());
    if (to > from) assertEquals(tested.text(from), model[from]);
  },
  copy(tested: Tested, random: Random): void {
    const { lists, ref, model, shards } = tested;
    const other = shards.keyspaces[1]!;
    const made = other.begun.begin(TYPE_LIST);
    const from = random.below(model.length + 1);
    const to = random.between(from, model.length);
    if (random.chance(0.5) || to === from) {
      other.values.lists.copyFrom(lists, ref, made);
      assertEquals(other.encoding(made), tested.space.encoding(ref));
      const copied = textsOf(other.values.lists, made, 0, tested.length);
      assertEquals(copied, model);
    } else {
      other.values.lists.copyRange(lists, ref, from, to - from, made);
      const copied = textsOf(other.values.lists, made, 0, to - from);
      assertEquals(copied, model.slice(from, to));
    }
    other.values.lists.verify(made);
    other.begun.drop();
    while (!freeDetached(other, 10));
    assertEquals(other.heap.usedBytes, 0);
  },
};

seeded("a list in a full arena loses nothing", (random) => {
  const tested = new Tested(random.pick([-1, 2, 20]), 1 << 20);
  const { heap } = tested.space;
  const blocks: number[] = [];
  let refused = 0;
  for (let i = 0; i < 4000; i++) {
    if (i % 7 === 0) fillUp(heap, blocks, random);
    if (random.chance(0.05) && blocks.length > 0) heap.free(blocks.pop()!);
    const text = anyText(random, [SHORT, LONG, HUGE]);
    const buf = latin1BytesOf(text);
    const { lists, ref, model } = tested;
    const index = random.below(model.length + 1);
    try {
      if (model.length === 0 || random.chance(0.4)) {
        tested.push(text, random.chance(0.5));
      } else if (index < model.length && random.chance(0.5)) {
        lists.replace(ref, index, buf, 0, buf.length);
        model[index] = text;
      } else {
        lists.insert(ref, index, buf, 0, buf.length);
        model.splice(index, 0, text);
      }
    } catch (error) {
      assert(error instanceof OutOfMemory, `${error}`);
      refused++;
      tested.check();
    }
    if (model.length > 300) {
      lists.removeRange(ref, 20, 200);
      lists.pack(ref, true);
      model.splice(20, 200);
    }
  }
  assert(refused > 0, "memory has been short");
  tested.check();
  for (const block of blocks) heap.free(block);
  tested.close();
}, { count: ROUNDS });

function fillUp(
  heap: Keyspace["heap"],
  blocks: number[],
  random: Random,
): void {
  for (let units = 1 << random.below(11); units > 0; units >>= 1) {
    for (let block = 0; (block = heap.tryAllocate(units)) !== 0;) {
      blocks.push(block);
    }
  }
  for (let i = random.below(5); i > 0 && blocks.length > 0; i--) {
    const [block] = blocks.splice(random.below(blocks.length), 1);
    heap.free(block!);
  }
}

Deno.test("elements of megabytes are compared in parts", () => {
  const tested = new Tested(-2);
  const { lists, ref } = tested;
  const long = "x".repeat(300_001);
  const texts = [long + "a", "short", long + "b", long + "a", "y" + long, "z"];
  for (const text of texts) tested.push(text);
  tested.model = [...texts];
  for (const text of new Set([...texts, long + "c", "nothing"])) {
    const buf = latin1BytesOf(text);
    const work = new ElementSearch();
    let found = -1;
    let parts = 0;
    while (found < 0 && work.from < texts.length) {
      parts++;
      lists.searchPart(ref, buf, 0, buf.length, work, 100_000, {
        match: (index) => (found = index, false),
      });
    }
    assertEquals(found, texts.indexOf(text));
    if (text.startsWith("xx")) assert(parts > 2, "no part is long");
  }
  for (const fromTail of [false, true]) {
    const buf = latin1BytesOf(long + "a");
    const work = new EqualRemoval();
    work.begin(lists.length(ref));
    let parts = 1;
    while (
      lists.removeEqualPart(
        ...[ref, buf, 0, buf.length, 1, fromTail, work, 100_000] as const,
      )
    ) parts++;
    assert(parts > 2, "no part is long");
    assertEquals(work.removed, 1);
    tested.model.splice(tested.model.indexOf(long + "a"), 1);
    tested.check();
  }
  tested.close();
});

Deno.test("a list that cannot become large stays as it is", () => {
  const tested = new Tested(3, 1 << 18);
  const { heap } = tested.space;
  for (let i = 0; i < 3; i++) tested.push("x");
  const blocks: number[] = [];
  for (const units of [64, 16, 4, 2, 1]) {
    for (let block = 0; (block = heap.tryAllocate(units)) !== 0;) {
      blocks.push(block);
    }
  }
  assertThrows(() => tested.push("y"), OutOfMemory);
  tested.check();
  for (const block of blocks) heap.free(block);
  tested.push("y");
  tested.check();
  tested.close();
});
