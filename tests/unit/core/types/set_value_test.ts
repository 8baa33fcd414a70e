/** Sets: src/core/types/set_value.ts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { asciiOf } from "../../../../src/core/base/bytes.ts";
import { byteOf, SEGMENT_SHIFT } from "../../../../src/core/memory/arena.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import { Listpacks } from "../../../../src/core/memory/listpack.ts";
import { NODE_VALUE } from "../../../../src/core/memory/node.ts";
import { TYPE_SET, valueEncoding } from "../../../../src/core/types/entry.ts";
import type { SetMember } from "../../../../src/core/types/set_member.ts";
import {
  SET_INTSET,
  SET_LISTPACK,
  SET_TABLE,
  SetValue,
} from "../../../../src/core/types/set_value.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { randomMix, ROUNDS } from "../memory/_memory.ts";
import { run, TwoShards } from "./_two_shards.ts";

const OPERATIONS = 2000;
const DRAWS = 20_000;

/** The sets of two shards in one memory. */
class World extends TwoShards<SetValue> {
  readonly sets: SetValue = this.values;
  readonly otherSets: SetValue = this.otherValues;
  readonly listpacks: Listpacks = new Listpacks(
    this.memory.arena,
    this.memory.heap,
  );

  constructor(bytes?: number, seed?: number) {
    super(SetValue, TYPE_SET, bytes, seed);
  }

  /** An entry with a set. */
  of(...members: string[]): number {
    const ref = this.entry();
    for (const text of members) assert(this.add(ref, text));
    return ref;
  }

  add(ref: number, text: string): boolean {
    return this.sets.add(ref, ...run(text));
  }

  remove(ref: number, text: string): boolean {
    return this.sets.remove(ref, ...run(text));
  }

  has(ref: number, text: string): boolean {
    return this.sets.has(ref, ...run(text));
  }

  members(ref: number, sets = this.sets): string[] {
    const found: string[] = [];
    sets.visitAll(ref, { member: (m) => found.push(textOf(m)) });
    assertEquals(found.length, sets.length(ref));
    return found;
  }
}

function textOf(member: SetMember): string {
  const buf = member.text();
  return asciiOf(buf, member.off, member.length);
}

function range(count: number, prefix = ""): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

/** Members that give a set each of the encodings. */
const ENCODED: Readonly<Record<string, readonly string[]>> = {
  intset: [...range(60), "-9223372036854775808", "9007199254740993"],
  listpack: [...range(30), ...range(30, "m"), "9223372036854775807", ""],
  hashtable: [...range(200), ...range(200, "m"), "", "x".repeat(300)],
};

Deno.test("a set of integers is sorted, whatever else it meets", () => {
  const world = new World();
  const ref = world.of("5", "-70000", "300", "9007199254740993", "0");
  assertEquals(world.encoding(ref), "intset");
  assertEquals(
    world.members(ref),
    ["-70000", "0", "5", "300", "9007199254740993"],
  );
  assert(!world.add(ref, "300"));
  assert(!world.has(ref, "05") && !world.has(ref, "x") && !world.has(ref, ""));
  assert(!world.remove(ref, "4") && world.remove(ref, "-70000"));
  assert(world.add(ref, "05"));
  assertEquals(world.encoding(ref), "listpack");
  assertEquals(world.members(ref), ["0", "5", "300", "9007199254740993", "05"]);
  world.drop(ref);
  world.verifyEmpty();
});

Deno.test("sets change their encoding where Redis 7.2 does", () => {
  const rows: [members: string[], more: string, expected: string][] = [
    [range(512), "0", "intset"],
    [range(512), "512", "hashtable"],
    [range(127), "x", "listpack"],
    [range(128), "x", "hashtable"],
    [["1"], "x".repeat(64), "listpack"],
    [["1"], "x".repeat(65), "hashtable"],
    [["a", ...range(127)], "a", "listpack"],
    [["a", ...range(127)], "b", "hashtable"],
    [["a"], "x".repeat(64), "listpack"],
    [["a"], "1".repeat(65), "hashtable"],
    [[], "", "listpack"],
    [[], "1", "intset"],
    [[], "9223372036854775808", "listpack"],
    [[], "y".repeat(65), "hashtable"],
  ];
  for (const [members, more, expected] of rows) {
    const world = new World();
    const ref = world.of(...members);
    const isNew = !members.includes(more);
    assertEquals(world.add(ref, more), isNew);
    assertEquals(world.encoding(ref), expected, `${members.length} ${more}`);
    const all = isNew ? [...members, more] : members;
    assertEquals(world.members(ref).sort(), all.toSorted());
    for (const text of all) {
      assert(world.has(ref, text) && !world.add(ref, text));
    }
    world.drop(ref);
    world.verifyEmpty();
  }
});

Deno.test("limits are obeyed as they are now", () => {
  const world = new World();
  const { limits } = world;
  const ref = world.of("1", "2", "333333");
  limits.setMaxListpackValue = 5;
  assert(world.add(ref, "x"));
  assertEquals(world.encoding(ref), "hashtable", "an integer is too long");
  const other = world.of("1", "2");
  limits.setMaxIntsetEntries = 2;
  assert(!world.add(other, "2"));
  assertEquals(world.encoding(other), "intset");
  assert(world.add(other, "3"));
  assertEquals(world.encoding(other), "hashtable");
  const third = world.of("a", "b");
  limits.setMaxListpackEntries = 0;
  assert(!world.add(third, "b"));
  assertEquals(world.encoding(third), "listpack");
  assert(world.add(third, "c"));
  assertEquals(world.encoding(third), "hashtable");
  assertEquals(world.encoding(world.of("d")), "hashtable");
});

Deno.test("an expected number of members decides before they come", () => {
  const rows: [first: string, count: number, expected: string][] = [
    ["1", 512, "intset"],
    ["1", 513, "hashtable"],
    ["x", 128, "listpack"],
    ["x", 129, "hashtable"],
  ];
  for (const [first, count, expected] of rows) {
    const world = new World();
    const { sets } = world;
    const ref = world.entry();
    sets.expect(ref, ...run(first), count);
    assertEquals([world.encoding(ref), sets.length(ref)], [expected, 0]);
    assertEquals(world.members(ref), []);
    assert(!world.has(ref, first) && world.add(ref, first));
    assertEquals(world.encoding(ref), expected);
    const old = world.of(first);
    sets.expect(old, ...run("9"), count);
    assertEquals(world.encoding(old), expected);
    assertEquals(world.members(old), [first]);
    for (const ref_ of [ref, old]) world.drop(ref_);
    world.verifyEmpty();
  }
  const world = new World();
  world.limits.setMaxIntsetEntries = 10;
  const ref = world.entry();
  world.sets.expect(ref, ...run("1"), 11);
  assert(world.add(ref, "1"));
  assertEquals(world.encoding(ref), "listpack");
});

for (const [encoding, members] of Object.entries(ENCODED)) {
  Deno.test(`a set is copied, scanned and freed in slices: ${encoding}`, () => {
    const world = new World();
    const { sets, otherSets, otherHeap } = world;
    const ref = world.of(...members);
    assertEquals(world.encoding(ref), encoding);
    assertEquals(sets.length(ref), members.length);

    const near = world.entry();
    sets.copyFrom(sets, ref, near);
    const far = world.entry(otherHeap);
    otherSets.copyFrom(sets, ref, far);
    for (const text of members) {
      assert(world.has(near, text) && otherSets.has(far, ...run(text)));
    }
    assertEquals(world.members(near).sort(), members.toSorted());
    assertEquals(world.members(far, otherSets).sort(), members.toSorted());
    assertEquals(world.encoding(near), encoding);
    assert(sets.memoryBytes(near, 0) <= sets.memoryBytes(ref, 0));

    const found = new Set<string>();
    let cursor = 0;
    do {
      cursor = sets.scan(ref, cursor, {
        member: (member) => found.add(textOf(member)),
      });
    } while (cursor !== 0);
    assertEquals([...found].sort(), members.toSorted());

    const { heap } = world.memory;
    const before = heap.usedBytes;
    const bytes = sets.memoryBytes(ref, 0);
    assert(sets.weight(ref) >= (encoding === "hashtable" ? 400 : 1));
    let slices = 1;
    while (!sets.freeSlice(ref, 32)) slices++;
    assertEquals(before - heap.usedBytes, bytes);
    assert(encoding === "hashtable" ? slices > 5 : slices === 1);
    heap.free(ref);
    world.drop(near);
    otherSets.free(far);
    otherHeap.free(far);
    world.verifyEmpty();
  });

  Deno.test(`members are drawn with equal chances: ${encoding}`, () => {
    const world = new World();
    const { sets } = world;
    const ref = world.of(...members);
    const drawn = new Map(members.map((text) => [text, 0]));
    const chosen = new Map(drawn);
    const count = (tally: Map<string, number>, member: SetMember) => {
      const text = textOf(member);
      tally.set(text, tally.get(text)! + 1);
    };
    for (let i = 0; i < DRAWS; i++) count(drawn, sets.draw(ref));
    checkEvenness(drawn, DRAWS / members.length);
    // Few of many, and most of them: two ways for tables.
    for (const size of [7, members.length - 5]) {
      const rounds = DRAWS / size;
      for (let i = 0; i < rounds; i++) {
        sets.choose(ref, size);
        for (let j = 0; j < size; j++) count(chosen, sets.chosen(ref, j));
      }
    }
    checkEvenness(chosen, 2 * DRAWS / members.length);
  });

  Deno.test(`what was chosen is removed: ${encoding}`, () => {
    for (const size of [1, 7, members.length - 5, members.length]) {
      const world = new World();
      const { sets } = world;
      const ref = world.of(...members);
      sets.choose(ref, size);
      const chosen = Array.from(
        { length: size },
        (_, i) => textOf(sets.chosen(ref, i)),
      );
      assertEquals(new Set(chosen).size, size);
      sets.removeChosen(ref);
      assertEquals(
        world.members(ref).sort(),
        members.filter((text) => !chosen.includes(text)).sort(),
      );
      world.drop(ref);
      world.verifyEmpty();
    }
  });
}

/**
 * A chi-square test with a bound that a fair choice passes in all but one of a
 * million runs (Wilson and Hilferty's approximation, 4.8 deviations).
 */
function checkEvenness(
  tally: ReadonlyMap<string, number>,
  expected: number,
): void {
  let sum = 0;
  for (const count of tally.values()) sum += (count - expected) ** 2 / expected;
  const freedom = tally.size - 1;
  const ninth = 2 / (9 * freedom);
  const bound = freedom * (1 - ninth + 4.8 * Math.sqrt(ninth)) ** 3;
  assert(sum < bound, `chi-square ${sum.toFixed(1)} of ${bound.toFixed(1)}`);
}

Deno.test("members go from set to set, in any encodings", () => {
  const world = new World();
  const { sets, otherSets, otherHeap } = world;
  const all = Object.values(ENCODED);
  for (const from of all) {
    for (const to of all) {
      const source = world.of(...from);
      const target = world.entry(otherHeap);
      for (const text of to) otherSets.add(target, ...run(text));
      const common = from.filter((text) => to.includes(text));
      const found: string[] = [];
      sets.visitAll(source, {
        member(member) {
          const isCommon = otherSets.hasMember(target, member);
          if (isCommon) found.push(textOf(member));
          assertEquals(otherSets.addMember(target, member), !isCommon);
        },
      });
      assertEquals(found.sort(), common.toSorted());
      const union = [...new Set([...from, ...to])];
      assertEquals(world.members(target, otherSets).sort(), union.sort());
      sets.visitAll(source, {
        member: (member) => assert(otherSets.removeMember(target, member)),
      });
      const left = to.filter((text) => !from.includes(text));
      assertEquals(world.members(target, otherSets).sort(), left.sort());
      otherSets.free(target);
      otherHeap.free(target);
      world.drop(source);
    }
  }
  world.verifyEmpty();
});

Deno.test("members go from set to set of one shard that changes encoding", () => {
  const world = new World();
  const { sets } = world;
  world.limits.setMaxListpackEntries = 4;
  const source = world.of("1", "2", "3", "a", "4");
  world.limits.setMaxListpackEntries = 2;
  const target = world.entry();
  sets.visitAll(source, { member: (m) => assert(sets.addMember(target, m)) });
  assertEquals(world.members(target).sort(), ["1", "2", "3", "4", "a"]);
});

Deno.test("packed sets from elsewhere are adopted", () => {
  const world = new World();
  const { sets, memory: { arena }, listpacks } = world;
  for (const limit of [512, 10]) {
    world.limits.setMaxIntsetEntries = limit;
    world.limits.setMaxListpackEntries = limit;
    const numbers = world.of(...range(10));
    const texts = world.of("x", ...range(9));
    if (limit === 10) world.limits.setMaxIntsetEntries = 9;
    if (limit === 10) world.limits.setMaxListpackEntries = 9;
    const intset = sets.intsetOf(numbers);
    const blob = arena.u8[intset >>> SEGMENT_SHIFT]!.slice(
      byteOf(intset),
      byteOf(intset) + sets.intsets.bytes(intset),
    );
    const a = world.entry();
    sets.adoptIntset(a, sets.intsets.load(blob, 0, blob.length));
    assertEquals(world.members(a).sort(), range(10));
    const b = world.entry();
    sets.adoptListpack(b, listpacks.copyTo(sets.listpackOf(texts), listpacks));
    assertEquals(world.members(b).sort(), [...range(9), "x"]);
    assertEquals(
      [world.encoding(a), world.encoding(b)],
      limit === 10 ? ["hashtable", "hashtable"] : ["intset", "listpack"],
    );
    assertEquals([sets.listpackOf(a), sets.intsetOf(b)], [0, 0]);
    for (const ref of [numbers, texts, a, b]) world.drop(ref);
    world.verifyEmpty();
  }
});

Deno.test("a set of integers becomes an intset when asked", () => {
  const world = new World();
  const { sets, limits } = world;
  const listpack = world.entry();
  sets.begin(listpack, SET_LISTPACK);
  const table = world.entry();
  sets.begin(table, SET_TABLE);
  for (const text of ["7", "-9223372036854775808", "300"]) {
    assert(world.add(listpack, text) && world.add(table, text));
  }
  for (const ref of [listpack, table]) {
    limits.setMaxIntsetEntries = 2;
    const before = world.encoding(ref);
    sets.makeIntset(ref);
    assertEquals(world.encoding(ref), before);
    limits.setMaxIntsetEntries = 3;
    sets.makeIntset(ref);
    assertEquals(valueEncoding(world.memory.arena, ref), SET_INTSET);
    assertEquals(world.members(ref), ["-9223372036854775808", "7", "300"]);
    world.drop(ref);
  }
  world.verifyEmpty();
});

seeded("sets do what a Set does", (random, seed) => {
  const world = new World(1 << 24, seed);
  const { sets, limits } = world;
  const model = new Set<string>();
  let ref = world.entry();
  const text = texts(random);
  const operation = randomMix(random, [
    ...["add", "add", "remove", "expect", "draw", "choose", "copy", "limits"],
    ...["intset", "new"],
  ]);
  for (let i = 0; i < OPERATIONS; i++) {
    const one = text();
    switch (operation()) {
      case "add":
        assertEquals(world.add(ref, one), !model.has(one));
        model.add(one);
        break;
      case "remove":
        assertEquals(world.remove(ref, one), model.delete(one));
        break;
      case "expect":
        sets.expect(ref, ...run(one), random.between(1, 20));
        break;
      case "draw":
        if (model.size > 0) {
          assert(model.delete(textOf(sets.draw(ref))));
          sets.removeDrawn(ref);
        }
        break;
      case "choose": {
        const count = random.below(model.size + 1) >> random.below(5);
        sets.choose(ref, count);
        for (let j = 0; j < count; j++) {
          assert(model.delete(textOf(sets.chosen(ref, j))));
        }
        sets.removeChosen(ref);
        break;
      }
      case "copy": {
        const copy = world.entry();
        sets.copyFrom(sets, ref, copy);
        world.drop(ref);
        ref = copy;
        break;
      }
      case "limits":
        limits.setMaxIntsetEntries = random.pick([0, 3, 10, 40]);
        limits.setMaxListpackEntries = random.pick([0, 3, 10, 40]);
        limits.setMaxListpackValue = random.pick([0, 3, 20, 70]);
        break;
      case "intset":
        if (model.size > 0 && [...model].every(isInteger)) {
          sets.makeIntset(ref);
        }
        break;
      default:
        world.drop(ref);
        model.clear();
        ref = world.entry();
        sets.begin(ref, random.pick([SET_INTSET, SET_LISTPACK, SET_TABLE]));
    }
    assertEquals(sets.length(ref), model.size);
    assertEquals(world.has(ref, one), model.has(one));
    if (i % 50 === 0) {
      assertEquals(world.members(ref).sort(), [...model].sort());
    }
  }
  assertEquals(world.members(ref).sort(), [...model].sort());
  world.drop(ref);
  world.verifyEmpty();
}, { count: ROUNDS * 3 });

function isInteger(text: string): boolean {
  return /^(0|-?[1-9]\d*)$/.test(text) &&
    BigInt.asIntN(64, BigInt(text)) === BigInt(text);
}

/** Texts from a small world; for some seeds, integers only. */
function texts(random: Random): () => string {
  const integers = random.pick([1, 0.9, 0.3]);
  const size = random.pick([8, 60]);
  const wide = random.pick(["", "000000", "000000000000000"]);
  return () => {
    const n = random.below(size);
    if (random.chance(integers)) return `${random.pick(["", "-"])}1${n}${wide}`;
    return random.pick([`m${n}`, `0${n}`, "x".repeat(n), ""]);
  };
}

seeded("sets in a full arena lose nothing", (random, seed) => {
  const world = new World(1 << 17, seed);
  const { sets, limits, memory: { heap } } = world;
  limits.setMaxIntsetEntries = 200;
  const ref = world.entry();
  const model = new Set<string>();
  const fillers: number[] = [];
  let failures = 0;
  for (let i = 0; i < 4000; i++) {
    if (random.chance(0.02)) {
      for (const filler of fillers.splice(0)) heap.free(filler);
    }
    if (random.chance(0.3)) {
      const filler = heap.tryAllocate(1 << random.below(9));
      if (filler !== 0) fillers.push(filler);
    }
    const one = random.chance(0.9) || model.size < 150
      ? `${random.below(400)}`
      : `m${random.below(400)}`;
    if (random.chance(0.3)) {
      assertEquals(world.remove(ref, one), model.delete(one));
    } else {
      try {
        assertEquals(world.add(ref, one), !model.has(one));
        model.add(one);
      } catch (cause) {
        if (!(cause instanceof OutOfMemory)) throw cause;
        failures++;
      }
    }
    assertEquals(world.has(ref, one), model.has(one));
    assertEquals(sets.length(ref), model.size);
  }
  assertEquals(world.members(ref).sort(), [...model].sort());
  assert(failures > 10, `${failures} failures`);
  for (const filler of fillers) heap.free(filler);
  world.drop(ref);
  world.verifyEmpty();
}, { count: ROUNDS });

Deno.test("a set is not begun where there is no memory for it", () => {
  const world = new World(1 << 20);
  const { heap } = world.memory;
  const refs = ["1", "x", "y".repeat(100)].map((text) => ({
    ref: world.entry(),
    text,
  }));
  const fillers: number[] = [];
  for (let units = 512; units > 0; units >>= 1) {
    for (let ref; (ref = heap.tryAllocate(units)) !== 0;) fillers.push(ref);
  }
  for (const { ref, text } of refs) {
    assertThrows(() => world.add(ref, text), OutOfMemory);
    assertEquals(world.sets.length(ref), 0);
    assertEquals(world.memory.word(ref, NODE_VALUE), 0);
  }
  for (const filler of fillers) heap.free(filler);
  for (const { ref, text } of refs) {
    assert(world.add(ref, text));
    world.drop(ref);
  }
  world.verifyEmpty();
});
