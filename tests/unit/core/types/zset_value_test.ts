/** Sorted sets: src/core/types/zset_value.ts, zset_listpack.ts, zset_tree.ts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  asciiOf,
  compareBytes,
  latin1BytesOf,
} from "../../../../src/core/base/bytes.ts";
import { byteOf, SEGMENT_SHIFT } from "../../../../src/core/memory/arena.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import { TYPE_ZSET } from "../../../../src/core/types/entry.ts";
import {
  GREATEST_BOUND,
  LEAST_BOUND,
  type LexBound,
  LexRange,
  MEMBER_BOUND,
  ScoreRange,
} from "../../../../src/core/types/zset_range.ts";
import { ZsetValue } from "../../../../src/core/types/zset_value.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { randomMix, ROUNDS } from "../memory/_memory.ts";
import { run, TwoShards } from "./_two_shards.ts";

const OPERATIONS = 3000;
const DRAWS = 20_000;

type Pair = readonly [member: string, score: number];

/** The sorted sets of two shards in one memory. */
class World extends TwoShards<ZsetValue> {
  readonly zsets: ZsetValue = this.values;
  readonly otherZsets: ZsetValue = this.otherValues;

  constructor(bytes?: number, seed?: number) {
    super(ZsetValue, TYPE_ZSET, bytes, seed);
  }

  /** An entry with a set. */
  of(...pairs: readonly Pair[]): number {
    const ref = this.entry();
    for (const pair of pairs) assert(this.add(ref, pair));
    return ref;
  }

  add(ref: number, [member, score]: Pair): boolean {
    return this.zsets.add(ref, ...run(member), score);
  }

  remove(ref: number, member: string): boolean {
    return this.zsets.remove(ref, ...run(member));
  }

  score(ref: number, member: string): number | null {
    return this.zsets.find(ref, ...run(member)) ? this.zsets.score : null;
  }

  rank(ref: number, member: string): number {
    assert(this.zsets.find(ref, ...run(member)));
    return this.zsets.rankOfFound(ref);
  }

  pairs(ref: number, zsets = this.zsets): Pair[] {
    const found: Pair[] = [];
    zsets.visit(ref, 0, zsets.length(ref), false, collect(found));
    return found;
  }

  /** The members of a range, as it was found last. */
  found(ref: number): string[] {
    const { from, to } = this.zsets;
    const found: Pair[] = [];
    this.zsets.visit(ref, from, to - from, false, collect(found));
    return found.map(([member]) => member);
  }
}

function collect(found: Pair[]) {
  return {
    member(buf: Uint8Array, off: number, length: number, score: number) {
      found.push([asciiOf(buf, off, length), score]);
    },
  };
}

function compare([a, x]: Pair, [b, y]: Pair): number {
  if (x !== y) return x < y ? -1 : 1;
  return compareBytes(
    latin1BytesOf(a),
    0,
    a.length,
    latin1BytesOf(b),
    0,
    b.length,
  );
}

function sorted(model: ReadonlyMap<string, number>): Pair[] {
  return [...model].sort(compare);
}

/** As many pairs, of few different scores. */
function pairs(count: number): Pair[] {
  return Array.from({ length: count }, (_, i) => [`m${i}`, i % 7 - 3]);
}

/** Sets of both encodings: how many members they have. */
const ENCODED: Readonly<Record<string, number>> = {
  listpack: 100,
  skiplist: 3000,
};

Deno.test("a sorted set is in order of scores, then of bytes", () => {
  const world = new World();
  for (const limit of [128, 0]) {
    world.limits.zsetMaxListpackEntries = limit;
    const given: Pair[] = [
      ["b", 1],
      ["\xff", 1],
      ["a", 1],
      ["12", -2.5],
      ["-7", Infinity],
      ["", -Infinity],
      ["zz", 0.1],
      ["big", 2 ** 62],
      ["huge", 1e300],
      ["tiny", 5e-324],
      ["precise", 0.1 + 0.2],
    ];
    const ref = world.of(...given);
    const names = world.pairs(ref).map(([member]) => member);
    const all = ["", "12", "tiny", "zz", "precise", "a", "b", "\xff", "big"];
    assertEquals(names, [...all, "huge", "-7"]);
    assertEquals(world.encoding(ref), limit === 0 ? "skiplist" : "listpack");
    for (const [member, score] of given) {
      assertEquals(world.score(ref, member), score, member);
      assertEquals(world.rank(ref, member), names.indexOf(member));
    }
    assertEquals(world.score(ref, "c"), null);
    assertEquals(world.add(ref, ["a", 7]), false);
    assertEquals(world.add(ref, ["12", 0.35]), false);
    assertEquals(world.pairs(ref)[4], ["12", 0.35]);
    assertEquals(world.rank(ref, "a"), 7);
    assert(world.remove(ref, "a"));
    assert(!world.remove(ref, "a"));
    assertEquals(world.zsets.length(ref), 10);
    world.drop(ref);
  }
  world.verifyEmpty();
});

Deno.test("a packed sorted set has the bytes that Redis gives it", () => {
  const world = new World();
  const ref = world.of(["b", 3], ["a", 3], ["7", -0], ["c", 1.5]);
  const listpack = world.zsets.listpackOf(ref);
  const at = byteOf(listpack);
  const blob = world.memory.arena.u8[listpack >>> SEGMENT_SHIFT]!;
  assertEquals([...blob.slice(at, at + 29)], [
    ...[29, 0, 0, 0, 8, 0],
    ...[7, 1, 0, 1],
    ...[0x81, 0x63, 2, 0x83, 0x31, 0x2e, 0x35, 4],
    ...[0x81, 0x61, 2, 3, 1],
    ...[0x81, 0x62, 2, 3, 1],
    0xff,
  ]);
  world.drop(ref);
});

Deno.test("a sorted set becomes large at the limits, and stays so", () => {
  const world = new World();
  const ref = world.of(...pairs(128));
  assertEquals(world.encoding(ref), "listpack");
  world.add(ref, ["m0", 50]);
  assertEquals(world.encoding(ref), "listpack");
  world.add(ref, ["one more", 0]);
  assertEquals(world.encoding(ref), "skiplist");
  world.zsets.verify(ref);
  world.zsets.removeRange(ref, 0, 100);
  assertEquals(world.zsets.length(ref), 29);
  assertEquals(world.encoding(ref), "skiplist");

  const brief = world.of(["x".repeat(64), 1]);
  assertEquals(world.encoding(brief), "listpack");
  world.add(brief, ["y".repeat(65), 1]);
  assertEquals(world.encoding(brief), "skiplist");
  assertEquals(world.pairs(brief).map(([m]) => m[0]), ["x", "y"]);

  const expecting = world.of(["a", 1]);
  world.zsets.expect(expecting, 128);
  assertEquals(world.encoding(expecting), "listpack");
  world.zsets.expect(expecting, 129);
  assertEquals(world.encoding(expecting), "skiplist");
  for (const entry of [ref, brief, expecting]) world.drop(entry);
  world.verifyEmpty();
});

Deno.test("a sorted set without order gets it, and the encoding that is due", () => {
  const world = new World();
  const { zsets } = world;
  for (
    const [count, encoding] of [[0, "listpack"], [128, "listpack"], [
      129,
      "skiplist",
    ]] as const
  ) {
    const ref = world.entry();
    zsets.beginUnordered(ref);
    for (const [member] of [...pairs(count), ["gone", 0] as const]) {
      assert(!zsets.find(ref, ...run(member)));
      zsets.insertUnordered(ref, ...run(member), 99);
    }
    assert(zsets.find(ref, ...run("gone")));
    zsets.removeFoundUnordered(ref);
    for (const [member, score] of pairs(count)) {
      assert(zsets.find(ref, ...run(member)));
      zsets.setFoundUnordered(score);
    }
    zsets.putInOrder(ref);
    assertEquals(world.encoding(ref), encoding);
    assertEquals(world.pairs(ref), pairs(count).sort(compare));
    zsets.verify(ref);
    world.drop(ref);
  }
  // A long member does not fit.
  const ref = world.entry();
  zsets.beginUnordered(ref);
  zsets.find(ref, ...run("x".repeat(65)));
  zsets.insertUnordered(ref, ...run("x".repeat(65)), 1);
  zsets.putInOrder(ref);
  assertEquals(world.encoding(ref), "skiplist");
  world.drop(ref);
  world.verifyEmpty();
});

for (const [encoding, count] of Object.entries(ENCODED)) {
  Deno.test(`a ${encoding} finds ranges of scores`, () => {
    const world = new World();
    const ref = world.of(...pairs(count));
    assertEquals(world.encoding(ref), encoding);
    const model = pairs(count);
    const range = new ScoreRange();
    for (const min of [-Infinity, -3, -2.5, 0, 3, 4, Infinity]) {
      for (const max of [-Infinity, -4, -0, 1.5, 3, Infinity]) {
        for (const isOpen of [false, true]) {
          Object.assign(range, {
            min,
            max,
            isMinOpen: isOpen,
            isMaxOpen: !isOpen,
          });
          const expected = model.filter(([, score]) =>
            (isOpen ? score > min : score >= min) &&
            (isOpen ? score <= max : score < max)
          );
          world.zsets.rangeOfScores(ref, range);
          const found = world.found(ref);
          assertEquals(found, expected.sort(compare).map(([m]) => m));
        }
        const visited: Pair[] = [];
        world.zsets.visitScores(ref, min, max, collect(visited));
        assertEquals(
          visited.length,
          model.filter(([, s]) => s >= min && s < max).length,
        );
      }
    }
    world.drop(ref);
    world.verifyEmpty();
  });

  Deno.test(`a ${encoding} finds ranges of members`, () => {
    const world = new World();
    const members = pairs(count).map(([member]) => member);
    const ref = world.of(...members.map((member): Pair => [member, 0]));
    const range = new LexRange();
    const bounds = ["-", "+", "[", "(m", "[m1", "(m1", "[m5", "(m50", "[zz"];
    for (const min of bounds) {
      for (const max of bounds) {
        setBound(range.min, min);
        setBound(range.max, max);
        const expected = members.filter((member) =>
          isWithin(member, min, 1) && isWithin(member, max, -1)
        ).sort();
        for (const isReverse of [false, true]) {
          world.zsets.rangeOfMembers(ref, range, isReverse);
          assertEquals(world.found(ref), expected, `${min} ${max}`);
        }
      }
    }
    world.drop(ref);
  });

  Deno.test(`a ${encoding} is visited, chosen from and scanned`, () => {
    const world = new World();
    const { zsets } = world;
    const ref = world.of(...pairs(count));
    const model = pairs(count).sort(compare);
    for (const [rank, many] of [[0, 3], [count - 3, 3], [50, 20]] as const) {
      const up: Pair[] = [];
      zsets.visit(ref, rank, many, false, collect(up));
      assertEquals(up, model.slice(rank, rank + many));
      const down: Pair[] = [];
      zsets.visit(ref, rank + many - 1, many, true, collect(down));
      assertEquals(down, up.toReversed());
    }
    for (const rank of [0, 7, count - 1]) {
      zsets.select(ref, rank);
      const { member, score } = zsets;
      const text = asciiOf(member.buf, member.off, member.length);
      assertEquals([text, score], model[rank] as [string, number]);
    }
    const scanned: Pair[] = [];
    let cursor = 0;
    do cursor = zsets.scan(ref, cursor, collect(scanned)); while (cursor !== 0);
    assertEquals(scanned.sort(compare), model);

    for (const wanted of [1, 5, count - 1, count, count + 5]) {
      const chosen: Pair[] = [];
      zsets.sample(ref, wanted, collect(chosen));
      assertEquals(chosen.length, Math.min(wanted, count));
      assertEquals(new Set(chosen.map(([m]) => m)).size, chosen.length);
      for (const [member, score] of chosen) {
        assertEquals(world.score(ref, member), score);
      }
    }
    world.drop(ref);
    world.verifyEmpty();
  });

  Deno.test(`a ${encoding} is drawn from without preference`, () => {
    const world = new World();
    const ref = world.of(...pairs(count));
    const drawn = new Map<string, number>();
    for (let i = 0; i < DRAWS; i++) {
      world.zsets.draw(ref);
      const { member } = world.zsets;
      const text = asciiOf(member.buf, member.off, member.length);
      drawn.set(text, (drawn.get(text) ?? 0) + 1);
    }
    const expected = DRAWS / count;
    let chiSquare = (count - drawn.size) * expected;
    for (const n of drawn.values()) {
      chiSquare += (n - expected) ** 2 / expected;
    }
    assert(Math.abs(chiSquare - count) < 6 * Math.sqrt(2 * count));
    world.drop(ref);
  });

  Deno.test(`a ${encoding} is copied to another shard and freed`, () => {
    const world = new World();
    const ref = world.of(...pairs(count));
    const copy = world.entry(world.otherHeap);
    world.otherZsets.copyFrom(world.zsets, ref, copy);
    world.drop(ref);
    assertEquals(world.memory.heap.usedBytes, 0);
    assertEquals(world.encoding(copy), encoding);
    const { otherZsets: zsets, otherHeap: heap } = world;
    assertEquals(world.pairs(copy, zsets), pairs(count).sort(compare));
    zsets.verify(copy);
    const bytes = zsets.memoryBytes(copy, 0);
    assertEquals(bytes, heap.usedBytes - 16);
    const estimated = zsets.memoryBytes(copy, 10);
    assert(Math.abs(estimated - bytes) < bytes / 10);
    const slices = Math.ceil(zsets.weight(copy) / 100);
    let done = 1;
    while (!zsets.freeSlice(copy, 100)) done++;
    assert(done >= slices / 2 && done <= slices * 2, `${done} of ${slices}`);
    heap.free(copy);
    world.verifyEmpty();
  });
}

Deno.test("ranges of members of different scores are those of Redis", () => {
  const world = new World();
  const ref = world.of(["b", 1], ["d", 2], ["a", 3], ["c", 4]);
  const range = new LexRange();
  const find = (min: string, max: string, isReverse: boolean) => {
    setBound(range.min, min);
    setBound(range.max, max);
    world.zsets.rangeOfMembers(ref, range, isReverse);
    return world.found(ref);
  };
  assertEquals(find("[b", "[c", false), ["b"]);
  assertEquals(find("[b", "[c", true), ["c"]);
  assertEquals(find("[a", "[d", false), ["b", "d", "a", "c"]);
  assertEquals(find("[a", "[d", true), ["b", "d", "a", "c"]);
  // The first member is behind the range.
  assertEquals(find("[a", "[a", false), []);
  world.drop(ref);
});

Deno.test("a sorted set is what it was when memory runs out", () => {
  const world = new World(1 << 21);
  const ref = world.entry();
  let made = 0;
  assertThrows(() => {
    for (;; made++) world.add(ref, [`member ${made}`, made * 7919 % 1000]);
  }, OutOfMemory);
  assert(made > 2000, `${made}`);
  assertEquals(world.zsets.length(ref), made);
  world.zsets.verify(ref);
  const copy = world.entry();
  assertThrows(
    () => world.zsets.copyFrom(world.zsets, ref, copy),
    OutOfMemory,
  );
  assertEquals(world.zsets.length(copy), 0);
  world.drop(copy);
  world.drop(ref);
  world.verifyEmpty();
});

type Operation =
  | "add"
  | "append"
  | "move"
  | "nudge"
  | "remove"
  | "cut"
  | "copy";

seeded("sorted sets do what a map does", (random, seed) => {
  const world = new World(1 << 24, seed);
  world.limits.zsetMaxListpackEntries = random.pick([0, 3, 20, 128]);
  const next = randomMix<Operation>(
    random,
    ["add", "append", "move", "nudge", "remove", "cut", "copy"],
  );
  const model = new Map<string, number>();
  let ref = world.entry();
  for (let i = 0; i < OPERATIONS; i++) {
    ref = step(random, world, ref, model, next());
    assertEquals(world.zsets.length(ref), model.size);
    if (i % 10 === 0) verify(random, world, ref, model);
  }
  world.drop(ref);
  world.verifyEmpty();
}, { count: ROUNDS });

function randomMember(random: Random): string {
  if (random.chance(0.3)) return String(random.below(200) - 100);
  const text = random.pick(["a", "b", "\xff", "member:"]);
  return text.repeat(random.pick([1, 1, 1, 9, 70])) + random.below(60);
}

function randomScore(random: Random): number {
  if (random.chance(0.5)) return random.below(9) - 4;
  return random.pick([
    random.below(2 ** 31) * 2 ** 20,
    (random.below(2 ** 31) - 2 ** 30) / 8,
    random.below(1000) / 1000,
    Infinity,
    -Infinity,
    2 ** 62,
    -(2 ** 63),
    1e300,
  ]);
}

function step(
  random: Random,
  world: World,
  ref: number,
  model: Map<string, number>,
  operation: Operation,
): number {
  const { zsets } = world;
  const known = random.pick([...model.keys(), randomMember(random)]);
  switch (operation) {
    case "add":
    case "move": {
      const member = operation === "add" ? randomMember(random) : known;
      const score = randomScore(random);
      assertEquals(world.add(ref, [member, score]), !model.has(member));
      model.set(member, score);
      return ref;
    }
    case "nudge": {
      const score = (model.get(known) ?? 0) + 0.5;
      world.add(ref, [known, score]);
      model.set(known, score);
      return ref;
    }
    case "append": {
      const last = sorted(model).at(-1);
      const member = `append ${random.below(1e9)}`;
      if (last === undefined || last[1] > 1e200 || model.has(member)) {
        return ref;
      }
      const score = Math.abs(last[1]) * 2 + 1;
      zsets.append(ref, ...run(member), score);
      model.set(member, score);
      return ref;
    }
    case "remove":
      assertEquals(world.remove(ref, known), model.delete(known));
      return ref;
    case "cut": {
      const from = random.below(model.size + 1);
      const to = Math.min(model.size, from + random.below(20));
      zsets.removeRange(ref, from, to);
      for (const [member] of sorted(model).slice(from, to)) {
        model.delete(member);
      }
      return ref;
    }
    case "copy": {
      const copy = world.entry();
      zsets.copyFrom(zsets, ref, copy);
      assertEquals(world.encoding(copy), world.encoding(ref));
      world.drop(ref);
      if (random.chance(0.5)) zsets.pack(copy);
      return copy;
    }
  }
}

function verify(
  random: Random,
  world: World,
  ref: number,
  model: ReadonlyMap<string, number>,
): void {
  const { zsets } = world;
  zsets.verify(ref);
  const expected = sorted(model);
  assertEquals(world.pairs(ref), expected);
  if (expected.length === 0) return;
  const rank = random.below(expected.length);
  const [member, score] = expected[rank]!;
  assertEquals(world.score(ref, member), score);
  assertEquals(world.rank(ref, member), rank);
  const range = new ScoreRange();
  range.min = score;
  range.isMinOpen = true;
  range.max = Infinity;
  zsets.rangeOfScores(ref, range);
  const above = expected.filter(([, other]) => other > score).length;
  assertEquals([zsets.from, zsets.to], [
    expected.length - above,
    expected.length,
  ]);
}

function setBound(bound: LexBound, text: string): void {
  bound.kind = text === "-"
    ? LEAST_BOUND
    : text === "+"
    ? GREATEST_BOUND
    : MEMBER_BOUND;
  bound.isOpen = text[0] === "(";
  bound.buf = latin1BytesOf(text);
  bound.off = 1;
  bound.length = text.length - 1;
}

/** Whether a member is on the right side of a bound. */
function isWithin(member: string, bound: string, side: 1 | -1): boolean {
  if (bound === "-") return side === 1;
  if (bound === "+") return side === -1;
  const other = bound.slice(1);
  if (member === other) return bound[0] === "[";
  return side === 1 ? member > other : member < other;
}
