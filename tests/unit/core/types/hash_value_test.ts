/** Hashes: src/core/types/hash_value.ts and hash_table.ts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { Prng } from "../../../../src/core/base/prng.ts";
import { IntegerSet } from "../../../../src/core/base/sampling.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import {
  ChosenFields,
  type HashValue,
  KEEP_EXPIRE,
} from "../../../../src/core/types/hash_value.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { randomMix, ROUNDS } from "../memory/_memory.ts";
import { collector, Hashes } from "./_hashes.ts";

const OPERATIONS = 4000;
const RANDOM = new Prng(1);

/** How to get each encoding; the limits are those of the tests' hashes. */
const ENCODINGS: Readonly<
  Record<string, (hashes: Hashes, ref: number) => void>
> = {
  listpack: () => {},
  listpackex: (hashes, ref) => hashes.values.makeExpiring(ref),
  hashtable: (hashes, ref) => hashes.values.makeTable(ref),
};

for (const [encoding, make] of Object.entries(ENCODINGS)) {
  Deno.test(`a hash (${encoding}) has what was set`, () => {
    const hashes = new Hashes(1 << 22);
    const { values } = hashes;
    const ref = hashes.entry();
    make(hashes, ref);
    assertEquals(values.length(ref), 0);
    assertEquals(hashes.get(ref, "a"), null);
    assert(hashes.set(ref, "a", "1"));
    assert(hashes.set(ref, "b", "two"));
    assert(hashes.set(ref, "", ""));
    assert(!hashes.set(ref, "a", "eleven"));
    assertEquals(hashes.encoding(ref), encoding);
    assertEquals(values.length(ref), 3);
    assertEquals(hashes.get(ref, "a"), "eleven");
    assertEquals(hashes.get(ref, ""), "");
    assertEquals(hashes.get(ref, "c"), null);
    assertEquals(Object.fromEntries(hashes.all(ref)), {
      a: ["eleven", 0],
      b: ["two", 0],
      "": ["", 0],
    });
    assert(hashes.locate(ref, "b"));
    values.removeFound(ref);
    assert(!hashes.locate(ref, "b"));
    assert(!values.isExpiredFound);
    assertEquals(values.length(ref), 2);
    hashes.free(ref);
    assertEquals(hashes.memory.heap.usedBytes, 0);
  });

  Deno.test(`a hash (${encoding}) changes the field that was found`, () => {
    const hashes = new Hashes(1 << 22);
    const { values } = hashes;
    const ref = hashes.entry();
    make(hashes, ref);
    hashes.set(ref, "n", "5");
    hashes.set(ref, "far", "9007199254740993");
    hashes.set(ref, "text", "5a");
    for (
      const [field, expected] of [["n", 5], ["far", NaN], [
        "text",
        NaN,
      ]] as const
    ) {
      assert(hashes.locate(ref, field));
      assertEquals(values.foundInteger(ref), expected);
    }
    for (const n of [6, -1, 4096, 2 ** 31, -(2 ** 53 - 1), 0]) {
      assert(hashes.locate(ref, "n"));
      assert(values.setFoundInteger(ref, n));
      assertEquals(hashes.get(ref, "n"), String(n));
      assertEquals(hashes.get(ref, "text"), "5a");
    }
    const buf = latin1BytesOf("some text");
    assert(hashes.locate(ref, "far"));
    assert(values.setFound(ref, buf, 5, 4, KEEP_EXPIRE));
    assertEquals(hashes.get(ref, "far"), "text");
    hashes.limits.hashMaxListpackValue = 3;
    assert(hashes.locate(ref, "n"));
    const isTable = encoding === "hashtable";
    assertEquals(values.setFoundInteger(ref, 1000), isTable);
    assertEquals(hashes.get(ref, "n"), isTable ? "1000" : "0");
    hashes.free(ref);
    assertEquals(hashes.memory.heap.usedBytes, 0);
  });
}

Deno.test("a packed hash becomes a table at the limits", () => {
  const hashes = new Hashes(1 << 22);
  hashes.limits.hashMaxListpackEntries = 3;
  hashes.limits.hashMaxListpackValue = 8;
  const many = hashes.entry();
  for (const field of ["a", "b", "c", "a"]) hashes.set(many, field, "12345678");
  assertEquals(hashes.encoding(many), "listpack");
  hashes.set(many, "d", "1");
  assertEquals(hashes.encoding(many), "hashtable");
  assertEquals([...hashes.all(many).keys()].sort(), ["a", "b", "c", "d"]);

  for (const [field, value] of [["123456789", ""], ["a", "123456789"]]) {
    const long = hashes.entry();
    hashes.set(long, field!, value!);
    assertEquals(hashes.encoding(long), "hashtable");
    assertEquals(hashes.get(long, field!), value!);
  }
  hashes.limits.hashMaxListpackEntries = 0;
  const none = hashes.entry();
  hashes.set(none, "a", "1");
  assertEquals(hashes.encoding(none), "hashtable");

  const prepared = hashes.entry();
  hashes.limits.hashMaxListpackEntries = 3;
  hashes.values.prepare(prepared, 3, 6);
  assertEquals(hashes.encoding(prepared), "listpack");
  hashes.values.prepare(prepared, 4, 8);
  assertEquals(hashes.encoding(prepared), "hashtable");
});

Deno.test("a packed hash does not grow beyond 128 KB", () => {
  const hashes = new Hashes(1 << 24);
  hashes.limits.hashMaxListpackValue = 1 << 30;
  const ref = hashes.entry();
  const value = "x".repeat(40_000);
  for (const field of ["a", "b", "c"]) hashes.set(ref, field, value);
  assertEquals(hashes.encoding(ref), "listpack");
  hashes.set(ref, "d", value);
  assertEquals(hashes.encoding(ref), "hashtable");
  assertEquals(hashes.get(ref, "d"), value);
  hashes.free(ref);
  assertEquals(hashes.memory.heap.usedBytes, 0);
});

seeded("long values are set and expire, and are weighed", (random) => {
  const hashes = new Hashes(1 << 25);
  const { values, memory: { heap } } = hashes;
  const ref = hashes.entry();
  const own = heap.usedBytes;
  for (let i = 0; i < 20; i++) hashes.set(ref, `short ${i}`, "v");
  values.makeTable(ref);
  for (let i = 0; i < 200; i++) {
    const field = `f${random.below(4)}`;
    const value = "x".repeat(random.between(30_000, 150_000));
    if (random.chance(0.2)) {
      if (hashes.locate(ref, field)) values.removeFound(ref);
    } else hashes.set(ref, field, value, random.chance(0.3) ? 5000 : 0);
    values.verify(ref);
    assertEquals(values.memoryBytes(ref, 0), heap.usedBytes - own);
  }
  hashes.free(ref);
  assertEquals(heap.usedBytes, 0);
});

for (const encoding of ["listpackex", "hashtable"]) {
  Deno.test(`a hash (${encoding}) passes over what has expired`, () => {
    const hashes = new Hashes(1 << 22);
    const { values } = hashes;
    const ref = hashes.entry();
    ENCODINGS[encoding]!(hashes, ref);
    hashes.set(ref, "stays", "0");
    hashes.set(ref, "a", "1", 1000);
    hashes.set(ref, "b", "2", 3000);
    hashes.set(ref, "c", "3", 2000);
    assertEquals(hashes.encoding(ref), encoding);
    assert(values.hasExpires(ref));
    assertEquals(values.expiresFrom(ref), 1000);
    assertEquals(hashes.get(ref, "a", 999), "1");
    assertEquals(values.expireAtMs, 1000);
    assertEquals(hashes.get(ref, "a", 1000), null);
    assert(values.isExpiredFound);
    assertEquals(hashes.get(ref, "x", 1000), null);
    assert(!values.isExpiredFound);
    assertEquals(values.length(ref), 4);
    assertEquals(values.liveLength(ref, 999), 4);
    assertEquals(values.liveLength(ref, 2000), 2);
    assertEquals([...hashes.all(ref, 2000).keys()].sort(), ["b", "stays"]);

    // A value keeps the expire if it is told to, and loses it otherwise.
    hashes.set(ref, "b", "longer than before", KEEP_EXPIRE);
    assertEquals(hashes.get(ref, "b", 2999), "longer than before");
    assertEquals(hashes.get(ref, "b", 3000), null);
    hashes.set(ref, "b", "2");
    assertEquals(hashes.get(ref, "b", 9000), "2");
    hashes.set(ref, "b", "2", 500);
    assertEquals(values.expiresFrom(ref), 500);
    assert(hashes.locate(ref, "b"));
    values.setFoundExpire(ref, 4000);
    assertEquals(values.expiresFrom(ref), 1000);
    assert(hashes.locate(ref, "b"));
    values.setFoundExpire(ref, 0);

    assertEquals(values.removeExpired(ref, 999, 10), 0);
    assertEquals(values.removeExpired(ref, 2000, 1), 1);
    assertEquals(values.removeExpired(ref, 2000, 10), 1);
    assertEquals(values.length(ref), 2);
    assert(!values.hasExpires(ref));
    values.verify(ref);
    hashes.free(ref);
    assertEquals(hashes.memory.heap.usedBytes, 0);
  });
}

Deno.test("a hash is scanned as a whole, whatever comes and goes", () => {
  const hashes = new Hashes(1 << 24);
  const { values } = hashes;
  const ref = hashes.entry();
  for (let i = 0; i < 5000; i++) hashes.set(ref, `f${i}`, `${i}`, i % 2 * 1000);
  const found = new Map<string, [string, number]>();
  let cursor = 0;
  let steps = 0;
  do {
    cursor = values.scan(ref, cursor, collector(found));
    hashes.set(ref, `more${steps++}`, "x");
    if (hashes.locate(ref, `f${steps * 2 + 1000}`)) values.removeFound(ref);
  } while (cursor !== 0);
  assert(steps > 100);
  for (let i = 0; i < 1000; i += 2) assert(found.has(`f${i}`));
  for (let i = 1; i < 1000; i += 2) assertEquals(found.get(`f${i}`)![1], 1000);
});

Deno.test("draws of a hash are uniform in every encoding", () => {
  const draws = 40_000;
  for (const [encoding, make] of Object.entries(ENCODINGS)) {
    const hashes = new Hashes(1 << 22);
    const ref = hashes.entry();
    make(hashes, ref);
    // A quarter has expired, and a table's buckets are unevenly full.
    const canExpire = encoding !== "listpack";
    for (let i = 0; i < 80; i++) {
      hashes.set(ref, `f${i}`, `v${i}`, canExpire && i % 4 === 0 ? 500 : 0);
    }
    const live = canExpire ? 60 : 80;
    const drawn = new Map<string, number>();
    const count = (field: string) =>
      drawn.set(field, (drawn.get(field) ?? 0) + 1);
    for (let i = 0; i < draws; i++) {
      hashes.values.draw(ref, 1000);
      const { field, value } = hashes.values;
      const name = asciiOf(field.buf, field.off, field.length);
      assertEquals(
        asciiOf(value.buf, value.off, value.length),
        name.replace("f", "v"),
      );
      count(name);
    }
    assertUniform(drawn, live, draws / live, `draw, ${encoding}`);

    const places: number[] = [];
    const end = hashes.values.endPlace(ref);
    for (let place = hashes.values.firstPlace(ref); place < end;) {
      place = hashes.values.gatherLive(ref, place, 1000, places);
    }
    const gathered = places.map((at) => {
      hashes.values.readLive(ref, at);
      const { field, value } = hashes.values;
      const name = asciiOf(field.buf, field.off, field.length);
      const text = asciiOf(value.buf, value.off, value.length);
      assertEquals(text, name.replace("f", "v"));
      return name;
    });
    assertEquals(gathered.sort(), [...drawn.keys()].sort());

    for (const size of [1, 7, 30, live - 1]) {
      drawn.clear();
      const samples = 3000;
      for (let i = 0; i < samples; i++) {
        const sample = new Map<string, [string, number]>();
        sampleInto(sample, hashes, ref, size, live);
        assertEquals(sample.size, size);
        for (const field of sample.keys()) count(field);
      }
      const name = `sample of ${size}, ${encoding}`;
      assertUniform(drawn, live, samples * size / live, name);
    }
  }
});

/** Draws fields, or chooses them, whichever is sooner. */
function sampleInto(
  sample: Map<string, [string, number]>,
  hashes: Hashes,
  ref: number,
  size: number,
  live: number,
): void {
  const { values } = hashes;
  const visitor = collector(sample);
  if (values.drawsFaster(ref, size, live)) {
    const drawn = new IntegerSet(size);
    for (let i = 0; i < size; i++) {
      values.drawOther(ref, drawn, 1000);
      visitor.field(values.field, values.value, 0);
    }
    return;
  }
  const chosen = new ChosenFields(RANDOM, visitor);
  chosen.begin(size, live);
  values.visitAll(ref, chosen, 1000);
}

/** Chi-squared, with a limit that chance exceeds once in a million times. */
function assertUniform(
  drawn: ReadonlyMap<string, number>,
  live: number,
  expected: number,
  name: string,
): void {
  assertEquals(drawn.size, live, name);
  let sum = 0;
  for (const count of drawn.values()) sum += (count - expected) ** 2 / expected;
  const freedom = live - 1;
  const limit = freedom + 4.75 * Math.sqrt(2 * freedom) + 15;
  assert(sum < limit, `${name}: ${sum} of ${limit}`);
}

Deno.test("nearly all fields of a table have expired: draws find the rest", () => {
  const hashes = new Hashes(1 << 24);
  const ref = hashes.entry();
  for (let i = 0; i < 20_000; i++) hashes.set(ref, `f${i}`, "v", 500);
  hashes.set(ref, "live", "v");
  for (let i = 0; i < 5; i++) {
    hashes.values.draw(ref, 1000);
    const { field } = hashes.values;
    assertEquals(asciiOf(field.buf, field.off, field.length), "live");
  }
});

Deno.test("a large hash is freed in slices", () => {
  const hashes = new Hashes(1 << 24);
  const { values, memory } = hashes;
  const ref = hashes.entry();
  for (let i = 0; i < 10_000; i++) {
    hashes.set(ref, `f${i}`, "v", i % 3 === 0 ? 5000 + i : 0);
  }
  assertEquals(values.weight(ref), 10_001);
  const exact = values.memoryBytes(ref, 0);
  assertEquals(exact, memory.heap.usedBytes - 16);
  const estimated = values.memoryBytes(ref, 100);
  assert(Math.abs(estimated - exact) < exact / 5, `${estimated} of ${exact}`);
  let slices = 1;
  for (; !values.freeSlice(ref, 64); slices++);
  assert(slices > 100, `${slices}`);
  assert(values.freeSlice(ref, 64));
  assertEquals(memory.heap.usedBytes, 16);
});

Deno.test("a hash that runs out of memory stays as it was", () => {
  for (const [encoding, make] of Object.entries(ENCODINGS)) {
    const hashes = new Hashes(1 << 20);
    hashes.limits.hashMaxListpackValue = 1000;
    const { heap } = hashes.memory;
    const ref = hashes.entry();
    make(hashes, ref);
    for (let i = 0; i < 40; i++) {
      hashes.set(ref, `f${i}`, `v${i}`, encoding === "listpack" ? 0 : i * 100);
    }
    const before = hashes.all(ref);
    const used = heap.usedBytes;
    const fillers: number[] = [];
    for (let units = 1 << 14; units > 0; units >>= 1) {
      for (let made; (made = heap.tryAllocate(units)) !== 0;) {
        fillers.push(made);
      }
    }
    const attempts: (() => unknown)[] = [
      () => hashes.set(ref, "f1", "x".repeat(900)),
      () => hashes.set(ref, "f1", "x".repeat(5000)),
      () => hashes.set(ref, "new", "x".repeat(900), 5000),
      () => hashes.set(ref, "new", "x".repeat(5000)),
    ];
    if (encoding === "listpack") {
      attempts.push(() => hashes.values.makeExpiring(ref));
    }
    for (const attempt of attempts) assertThrows(attempt, OutOfMemory);
    for (let i = 0; i < 20; i++) {
      // What needs no memory may succeed, and then does so as a whole.
      const field = `f${i}`;
      hashes.locate(ref, field, -Infinity);
      const had = before.get(field)!;
      try {
        hashes.set(ref, field, had[0] + "longer", had[1] + 1e12);
        before.set(field, [had[0] + "longer", had[1] + 1e12]);
      } catch (cause) {
        assert(cause instanceof OutOfMemory);
      }
    }
    for (const filler of fillers) heap.free(filler);
    assertEquals(hashes.all(ref, -Infinity), before, encoding);
    hashes.values.verify(ref);
    assert(heap.usedBytes >= used);
    hashes.free(ref);
    assertEquals(heap.usedBytes, 0);
  }
});

seeded("hashes do what a map does", (random) => {
  const hashes = new Hashes(1 << 24);
  hashes.limits.hashMaxListpackEntries = random.pick([4, 30, 300]);
  hashes.limits.hashMaxListpackValue = random.pick([8, 64]);
  new Run(random, hashes).run();
}, { count: ROUNDS * 4 });

/** A field's value and expire. */
type Field = [value: string, expireAtMs: number];

const ACTIONS = [
  ...["set", "setFound", "integer", "remove", "expire", "persist", "get"],
  ...["sweep", "copy", "wait", "clear"],
] as const;

/** One hash and its model. */
class Run {
  readonly random: Random;
  readonly hashes: Hashes;
  readonly values: HashValue;
  readonly model = new Map<string, Field>();
  readonly fields: number;
  ref: number;
  nowMs = 1000;

  constructor(random: Random, hashes: Hashes) {
    this.random = random;
    this.hashes = hashes;
    this.values = hashes.values;
    this.ref = hashes.entry();
    this.fields = random.pick([3, 20, 500]);
  }

  run(): void {
    const { hashes, model } = this;
    const next = randomMix(this.random, ACTIONS);
    for (let i = 0; i < OPERATIONS; i++) {
      this.step(next());
      if (i % 100 === 0) this.check();
    }
    this.check();
    model.clear();
    hashes.free(this.ref);
    assertEquals(hashes.memory.heap.usedBytes, 0);
    hashes.memory.heap.verify();
  }

  step(action: typeof ACTIONS[number]): void {
    const { random, hashes, values, model, ref } = this;
    const field = this.field();
    const known = this.live(field);
    switch (action) {
      case "set": {
        const value = this.value();
        const expireAtMs = random.chance(0.5)
          ? 0
          : random.chance(0.3)
          ? KEEP_EXPIRE
          : this.later();
        this.dropExpired(field);
        assertEquals(
          hashes.set(ref, field, value, expireAtMs),
          known === undefined,
        );
        const kept = expireAtMs === KEEP_EXPIRE ? known?.[1] ?? 0 : expireAtMs;
        model.set(field, [value, kept]);
        break;
      }
      case "setFound": {
        if (!this.locate(field)) break;
        const value = this.value();
        const buf = latin1BytesOf(value);
        if (values.setFound(ref, buf, 0, buf.length, KEEP_EXPIRE)) {
          model.set(field, [value, known![1]]);
        }
        break;
      }
      case "integer": {
        if (!this.locate(field)) break;
        const n = Number(known![0]);
        const isInteger = Number.isSafeInteger(n) && String(n) === known![0];
        assertEquals(values.foundInteger(ref), isInteger ? n : NaN);
        const next = isInteger ? n + random.between(-200, 200) : 1;
        if (values.setFoundInteger(ref, next)) {
          model.set(field, [String(next), known![1]]);
        }
        break;
      }
      case "remove":
        if (this.locate(field) || values.isExpiredFound) {
          values.removeFound(ref);
          model.delete(field);
        }
        break;
      case "expire": {
        values.makeExpiring(ref);
        if (!this.locate(field)) break;
        const expireAtMs = this.later();
        values.setFoundExpire(ref, expireAtMs);
        model.set(field, [known![0], expireAtMs]);
        break;
      }
      case "persist":
        if (!this.locate(field) || known![1] === 0) break;
        values.setFoundExpire(ref, 0);
        model.set(field, [known![0], 0]);
        break;
      case "get":
        assertEquals(hashes.get(ref, field, this.nowMs), known?.[0] ?? null);
        break;
      case "sweep": {
        const budget = random.between(1, 20);
        const due = [...model.values()].filter((f) => this.isExpired(f));
        const removed = values.removeExpired(ref, this.nowMs, budget);
        assertEquals(removed, Math.min(budget, due.length));
        const left = hashes.all(ref, -Infinity);
        for (const name of model.keys()) {
          if (!left.has(name)) model.delete(name);
        }
        break;
      }
      case "copy": {
        if (random.chance(0.9)) break;
        const copy = hashes.entry();
        this.hashes.memory.setWord(copy, 0, 4);
        values.copyFrom(values, ref, copy);
        hashes.free(ref);
        this.ref = copy;
        break;
      }
      case "wait":
        this.nowMs += random.below(50);
        break;
      default:
        if (random.chance(0.95)) break;
        values.free(ref);
        model.clear();
    }
  }

  check(): void {
    const { hashes, values, ref, model, nowMs } = this;
    values.verify(ref);
    assertEquals(values.length(ref), model.size);
    const live = new Map([...model].filter(([, f]) => !this.isExpired(f)));
    assertEquals(values.liveLength(ref, nowMs), live.size);
    assertEquals(hashes.all(ref, nowMs), live);
    const times = [...model.values()].map(([, at]) => at).filter((at) => at);
    assertEquals(values.expiresFrom(ref), Math.min(...times));
    assertEquals(values.hasExpires(ref), times.length > 0);
    const used = hashes.memory.heap.usedBytes - 16;
    assertEquals(values.memoryBytes(ref, 0), used);
  }

  locate(field: string): boolean {
    const isThere = this.hashes.locate(this.ref, field, this.nowMs);
    assertEquals(isThere, this.live(field) !== undefined);
    return isThere;
  }

  dropExpired(field: string): void {
    if (this.locate(field) || !this.values.isExpiredFound) return;
    this.values.removeFound(this.ref);
    this.model.delete(field);
  }

  live(field: string): Field | undefined {
    const known = this.model.get(field);
    return known === undefined || this.isExpired(known) ? undefined : known;
  }

  isExpired([, expireAtMs]: Field): boolean {
    return expireAtMs !== 0 && expireAtMs <= this.nowMs;
  }

  later(): number {
    return this.nowMs + 1 + this.random.below(this.random.pick([100, 5e9]));
  }

  field(): string {
    const n = this.random.below(this.fields);
    return n % 3 === 0 ? String(n) : `field ${n}`;
  }

  value(): string {
    const { random } = this;
    return random.pick([
      () => "",
      () => String(random.between(-5000, 5000)),
      () => String(random.uint32() * 2 ** 21),
      () => "9223372036854775807",
      () => random.binary(random.below(12)),
      () => "x".repeat(random.below(200)),
    ])();
  }
}
