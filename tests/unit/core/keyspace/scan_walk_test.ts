import { assert, assertEquals } from "@std/assert";
import { ScanWalk } from "../../../../src/core/keyspace/scan_walk.ts";
import { seeded } from "../../../_harness.ts";
import { nameOf, Shards } from "./_fixture.ts";

/** One call of SCAN: some steps of a new walk from a cursor. */
function scan(shards: Shards, cursor: number, count: number, found: string[]) {
  const walk = new ScanWalk(shards.keyspaces, shards.latches, 0, cursor);
  do {
    walk.step((space, ref) => found.push(nameOf(space, ref)), 1e9, count);
  } while (!walk.isDone && walk.entries < count);
  return walk.cursor;
}

Deno.test("ScanWalk meets every key once when nothing changes", () => {
  const shards = new Shards();
  for (let i = 0; i < 3000; i++) shards.set(`key:${i}`, "v");
  const found: string[] = [];
  let cursor = 0;
  do cursor = scan(shards, cursor, 10, found); while (cursor !== 0);
  assertEquals(found.length, 3000);
  assertEquals(new Set(found).size, 3000);
});

Deno.test("ScanWalk takes any cursor", () => {
  const shards = new Shards();
  for (let i = 0; i < 100; i++) shards.set(`key:${i}`, "v");
  for (const cursor of [1, 2, 3, 1e6, 2 ** 31 + 1, 2 ** 32 - 1, 2 ** 52 - 1]) {
    const found: string[] = [];
    let at = cursor;
    for (let calls = 0; calls === 0 || at !== 0; calls++) {
      assert(calls < 200);
      at = scan(shards, at, 10, found);
    }
  }
});

Deno.test("ScanWalk holds a latch for some dozens of entries", () => {
  const shards = new Shards({ shards: 1 });
  for (let i = 0; i < 20_000; i++) shards.set(`key:${i}`, "v");
  const walk = new ScanWalk(shards.keyspaces, shards.latches, 0, 0);
  while (!walk.isDone) {
    const before = walk.entries;
    walk.step(() => {}, Infinity, Infinity);
    assert(walk.entries - before < 120, `${walk.entries - before} entries`);
  }
  assertEquals(walk.entries, 20_000);
});

Deno.test("ScanWalk tells that a dictionary has shrunk", () => {
  const shards = new Shards({ shards: 1 });
  for (let i = 0; i < 2000; i++) shards.set(`key:${i}`, "v");
  const walk = new ScanWalk(shards.keyspaces, shards.latches, 0, 0);
  walk.step(() => {}, Infinity, Infinity);
  walk.step(() => {}, Infinity, Infinity);
  assert(!walk.hasShrunk);
  for (let i = 0; i < 1990; i++) shards.delete(`key:${i}`);
  walk.step(() => {}, Infinity, Infinity);
  assert(walk.hasShrunk);
});

seeded("a scan meets every key that is there all the time", (random) => {
  const shards = new Shards({ shards: 2 });
  const others = new Set<string>();
  const constant = Array.from(
    { length: random.between(1, 400) },
    (_, i) => `constant:${i}`,
  );
  for (const name of constant) shards.set(name, "v");
  for (let round = 0; round < 12; round++) {
    // Grow or shrink by a lot while the scan is under way.
    const growth = random.pick([0, 0.1, 0.5, 0.9, 1]);
    const found: string[] = [];
    let cursor = 0;
    do {
      cursor = scan(shards, cursor, random.between(1, 40), found);
      for (let i = random.below(200); i > 0; i--) {
        if (random.chance(growth)) {
          const name = `other:${random.below(3000)}`;
          shards.set(name, "v");
          others.add(name);
        } else {
          const [name] = others;
          if (name === undefined) break;
          shards.delete(name);
          others.delete(name);
        }
      }
    } while (cursor !== 0);
    const met = new Set(found);
    for (const name of constant) assert(met.has(name), name);
    assertEquals(shards.count(), constant.length + others.size);
  }
  shards.verify();
});
