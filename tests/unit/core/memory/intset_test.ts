/** Intsets: src/core/memory/intset.ts. */
import { assert, assertEquals } from "@std/assert";
import { byteOf, SEGMENT_SHIFT } from "../../../../src/core/memory/arena.ts";
import { Intsets } from "../../../../src/core/memory/intset.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { Memory, randomMix, ROUNDS } from "./_memory.ts";

const OPERATIONS = 3000;

/** An intset in a memory of its own. */
class Subject {
  readonly memory = new Memory(1 << 22);
  readonly intsets = new Intsets(this.memory.arena, this.memory.heap);
  ref = this.intsets.create();

  search(n: bigint): number {
    return this.intsets.search(this.ref, ...words(n));
  }

  /** Whether the member is new. */
  add(n: bigint): boolean {
    const index = this.search(n);
    if (index >= 0) return false;
    this.ref = this.intsets.insert(this.ref, ~index, ...words(n));
    return true;
  }

  /** Whether the member was there. */
  remove(n: bigint): boolean {
    const index = this.search(n);
    if (index < 0) return false;
    this.ref = this.intsets.remove(this.ref, index);
    return true;
  }

  members(): bigint[] {
    const { intsets, ref } = this;
    return Array.from({ length: intsets.count(ref) }, (_, index) => {
      intsets.read(ref, index);
      const { hi, lo } = intsets.member;
      return BigInt(hi) << 32n | BigInt(lo >>> 0);
    });
  }

  blob(): Uint8Array {
    const at = byteOf(this.ref);
    return this.memory.arena.u8[this.ref >>> SEGMENT_SHIFT]!
      .slice(at, at + this.intsets.bytes(this.ref));
  }

  /** Checks that nothing is in use but the intset, and frees that. */
  end(): void {
    const { heap } = this.memory;
    assertEquals(heap.usedBytes, heap.unitsOf(this.ref) * 8);
    this.intsets.free(this.ref);
    assertEquals(heap.usedBytes, 0);
    heap.verify();
  }
}

function words(n: bigint): [hi: number, lo: number] {
  return [Number(n >> 32n), Number(BigInt.asIntN(32, n))];
}

Deno.test("an intset has the bytes that Redis gives it", () => {
  const subject = new Subject();
  for (const n of [5n, -1n, 300n]) assert(subject.add(n));
  assertEquals([...subject.blob()], [
    ...[2, 0, 0, 0, 3, 0, 0, 0],
    ...[0xff, 0xff, 5, 0, 0x2c, 1],
  ]);
  assert(subject.add(-70_000n));
  assertEquals([...subject.blob()], [
    ...[4, 0, 0, 0, 4, 0, 0, 0],
    ...[0x90, 0xee, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff],
    ...[5, 0, 0, 0, 0x2c, 1, 0, 0],
  ]);
  assert(subject.add(1n << 40n));
  assert(subject.remove(-70_000n) && subject.remove(300n));
  assertEquals([...subject.blob()], [
    ...[8, 0, 0, 0, 3, 0, 0, 0],
    ...Array(8).fill(0xff),
    ...[5, 0, 0, 0, 0, 0, 0, 0],
    ...[0, 0, 0, 0, 0, 1, 0, 0],
  ]);
  assertEquals(subject.search(5n), 1);
  assertEquals(subject.search(4n), ~1);
  assert(!subject.add(5n) && !subject.remove(4n));
  subject.end();
});

Deno.test("an intset grows wider at once, in both directions", () => {
  for (const wide of [2n ** 15n, 2n ** 31n, -(2n ** 31n) - 1n, -(2n ** 63n)]) {
    for (let count = 0; count < 12; count++) {
      const subject = new Subject();
      for (let i = 0; i < count; i++) subject.add(BigInt(i * 3 - 7));
      assertEquals(subject.search(wide), ~(wide < 0n ? 0 : count));
      subject.add(wide);
      const model = Array.from({ length: count }, (_, i) => BigInt(i * 3 - 7));
      model.push(wide);
      assertEquals(subject.members(), model.sort(compare));
      subject.end();
    }
  }
});

Deno.test("an intset from elsewhere is checked", () => {
  const { intsets } = new Subject();
  const load = (...bytes: number[]) =>
    intsets.load(Uint8Array.from([9, ...bytes]), 1, bytes.length);
  const one = [2, 0, 0, 0, 1, 0, 0, 0];
  const two = [2, 0, 0, 0, 2, 0, 0, 0];
  const ref = load(...two, 1, 0, 2, 0);
  assertEquals(intsets.count(ref), 2);
  assertEquals(load(...one, 1), 0, "half a member");
  assertEquals(load(...one, 1, 0, 2, 0), 0, "more members than it says");
  assertEquals(load(...two, 1, 0), 0, "fewer");
  assertEquals(load(...two, 2, 0, 1, 0), 0, "not in order");
  assertEquals(load(...two, 1, 0, 1, 0), 0, "twice the same");
  assertEquals(load(2, 0, 0, 0, 0, 0, 0, 0), 0, "no members");
  assertEquals(load(3, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3), 0, "no such width");
  assertEquals(load(2, 1, 0, 0, 1, 0, 0, 0, 1, 2), 0, "no such width");
  assertEquals(load(1, 2, 3), 0, "no head");
});

Deno.test("an intset of 100000 members in order", () => {
  const subject = new Subject();
  for (let i = 0n; i < 100_000n; i++) subject.add(i);
  subject.intsets.verify(subject.ref);
  assertEquals(subject.search(77_777n), 77_777);
  for (let i = 99_999n; i >= 10n; i--) assert(subject.remove(i));
  assertEquals(subject.members().length, 10);
  assert(subject.memory.heap.unitsOf(subject.ref) < 10);
  subject.end();
});

seeded("intsets do what a sorted array does", (random) => {
  const subject = new Subject();
  const { intsets } = subject;
  const model = new Set<bigint>();
  const number = numbers(random);
  const operation = randomMix(random, ["add", "remove", "take", "load"]);
  for (let i = 0; i < OPERATIONS; i++) {
    const n = number();
    switch (operation()) {
      case "add":
        assertEquals(subject.add(n), !model.has(n));
        model.add(n);
        break;
      case "remove":
        assertEquals(subject.remove(n), model.delete(n));
        break;
      case "take":
        if (model.size > 0) {
          const taken = random.pick([...model]);
          assert(subject.remove(taken) && model.delete(taken));
        }
        break;
      default: {
        const blob = subject.blob();
        const copy = intsets.copyTo(subject.ref, intsets);
        const loaded = intsets.load(blob, 0, blob.length);
        assertEquals(loaded === 0, model.size === 0);
        if (loaded !== 0) intsets.free(loaded);
        intsets.free(subject.ref);
        subject.ref = copy;
      }
    }
    assertEquals(intsets.count(subject.ref), model.size);
    intsets.verify(subject.ref);
    if (i % 100 === 0) {
      assertEquals(subject.members(), [...model].sort(compare));
    }
  }
  assertEquals(subject.members(), [...model].sort(compare));
  subject.end();
}, { count: ROUNDS });

/** Numbers around few places, of a width that grows as time goes by. */
function numbers(random: Random): () => bigint {
  let bits = 7;
  return () => {
    if (random.chance(0.001)) bits = random.between(bits, 63);
    const wide = BigInt(random.uint32()) << 32n | BigInt(random.uint32());
    return random.chance(0.7)
      ? BigInt(random.between(-60, 60))
      : BigInt.asIntN(64, wide) >> BigInt(64 - bits);
  };
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
