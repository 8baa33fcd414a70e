import { assert, assertEquals } from "@std/assert";
import {
  canDetach,
  detachDatabase,
  detachedCount,
  hasDetached,
  reclaimSlice,
  usedDatabases,
} from "../../../../src/core/keyspace/reclaim.ts";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { TYPE_SET } from "../../../../src/core/types/entry.ts";
import { CHANGES } from "../../../../src/core/keyspace/counters.ts";
import { Shards } from "./_fixture.ts";

function fill(shards: Shards, count: number, db: number): void {
  for (let i = 0; i < count; i++) {
    const expireAtMs = i % 3 === 0 ? 5000 + i : 0;
    shards.set(`key:${i}`, "x".repeat(i % 200), expireAtMs, db);
  }
}

Deno.test("detachDatabase() hides all keys at once and keeps other databases", () => {
  const shards = new Shards({ shards: 1 });
  fill(shards, 1000, 0);
  fill(shards, 10, 2);
  const space = shards.keyspaces[0]!;
  const used = shards.usedBytes;
  assertEquals(detachDatabase(space, 0), 1000);
  assertEquals(space.count(0), 0);
  assertEquals(space.expiresCount(0), 0);
  assertEquals(space.count(2), 10);
  assertEquals(shards.get("key:7"), null);
  assertEquals(shards.get("key:7", 2), "x".repeat(7));
  assertEquals(shards.usedBytes, used);
  assertEquals(detachedCount(space), 1000);
  assertEquals(shards.counters[CHANGES], 1000);
  shards.set("key:7", "again");
  assertEquals(space.count(0), 1);
  shards.verify();
});

Deno.test("reclaimSlice() frees everything in slices within the budget", () => {
  const shards = new Shards({ shards: 1 });
  const space = shards.keyspaces[0]!;
  fill(shards, 20_000, 0);
  shards.set("long", "y".repeat(300_000));
  fill(shards, 500, 3);
  detachDatabase(space, 0);
  detachDatabase(space, 3);
  let slices = 0;
  for (let left = detachedCount(space); reclaimSlice(space, 100); slices++) {
    const now = detachedCount(space);
    assert(left - now < 200, `a slice freed ${left - now} entries`);
    left = now;
  }
  assert(slices > 200);
  assert(!hasDetached(space));
  shards.verifyEmpty();
});

Deno.test("canDetach() is true as long as a place for each database is free", () => {
  const shards = new Shards({ shards: 1, databases: 3 });
  const space = shards.keyspaces[0]!;
  for (let db = 0; db < 3; db++) fill(shards, 50, db);
  assertEquals(usedDatabases(space), 3);
  assert(canDetach(space, 3));
  for (let db = 0; db < 3; db++) detachDatabase(space, db);
  assert(canDetach(space, 0));
  assert(!canDetach(space, 1));
  assertEquals(detachDatabase(space, 1), 0);
  while (reclaimSlice(space, 1000));
  assert(canDetach(space, 3));
  shards.verifyEmpty();
});

Deno.test("reclaimSlice() is not done while a large value is put aside", () => {
  const shards = new Shards({ shards: 1 });
  const space = shards.keyspaces[0]!;
  const ref = space.create(0, shards.key("set"), TYPE_SET);
  for (let i = 0; i < 2000; i++) {
    const bytes = latin1BytesOf(`member:${i}`);
    space.values.sets.add(ref, bytes, 0, bytes.length);
  }
  detachDatabase(space, 0);
  let slices = 0;
  while (reclaimSlice(space, 100)) slices++;
  assert(slices > 10);
  shards.verifyEmpty();
});
