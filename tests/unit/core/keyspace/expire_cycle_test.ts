import { assert, assertEquals } from "@std/assert";
import {
  EXPIRE_CYCLE_CAPPED,
  EXPIRE_CYCLE_STALE,
  EXPIRED_KEYS,
} from "../../../../src/core/keyspace/counters.ts";
import {
  ExpireCycle,
  expireCycleShare,
  ExpireSlice,
} from "../../../../src/core/keyspace/expire_cycle.ts";
import { seeded } from "../../../_harness.ts";
import { Shards } from "./_fixture.ts";

function run(shards: Shards, cycle: ExpireCycle, nowMs: number, ms = 1000) {
  return cycle.run(
    shards.keyspaces,
    nowMs,
    ms,
    shards.monotonicMs,
    shards.latches,
  );
}

Deno.test("ExpireCycle deletes what is due and nothing else", () => {
  const shards = new Shards();
  for (let i = 0; i < 2000; i++) shards.set(`due:${i}`, "v", 1000, i % 4);
  for (let i = 0; i < 500; i++) shards.set(`later:${i}`, "v", 5000, i % 4);
  for (let i = 0; i < 500; i++) shards.set(`never:${i}`, "v", 0, i % 4);
  const cycle = new ExpireCycle(shards.counters);
  assert(!run(shards, cycle, 999));
  assertEquals(shards.counters[EXPIRED_KEYS], 0);
  // A tenth of a dictionary may stay behind for later runs.
  for (let i = 0; i < 60; i++) assert(!run(shards, cycle, 1000));
  assertEquals(shards.counters[EXPIRED_KEYS], 2000);
  for (let i = 0; i < 60; i++) run(shards, cycle, 5000);
  assertEquals(shards.counters[EXPIRED_KEYS], 2500);
  for (let i = 0; i < 500; i++) {
    assertEquals(shards.get(`never:${i}`, i % 4), "v");
  }
  shards.verify();
});

Deno.test("ExpireCycle stops when its time is up, and goes on from there", () => {
  const shards = new Shards();
  for (let i = 0; i < 20_000; i++) shards.set(`key:${i}`, "v", 1000);
  const cycle = new ExpireCycle(shards.counters);
  let runs = 0;
  let before = shards.count();
  for (; run(shards, cycle, 2000, 0.1); runs++) {
    const deleted = before - shards.count();
    assert(deleted > 0 && deleted < 2000, `a run deleted ${deleted}`);
    before = shards.count();
  }
  assert(runs > 10);
  assertEquals(shards.counters[EXPIRE_CYCLE_CAPPED], runs);
  assert(shards.counters[EXPIRE_CYCLE_STALE]! > 10);
  assertEquals(shards.count(), 0);
  shards.verifyEmpty();
});

Deno.test("ExpireCycle looks at little when little is stale", () => {
  const shards = new Shards({ databases: 2 });
  for (let i = 0; i < 10_000; i++) shards.set(`key:${i}`, "v", 9000);
  const cycle = new ExpireCycle(shards.counters);
  assert(!run(shards, cycle, 1000));
  // One slice per shard with keys.
  assertEquals(shards.latches.holds, 4);
});

Deno.test("ExpireSlice deletes a few dozen in one hold", () => {
  const shards = new Shards({ shards: 1 });
  for (let i = 0; i < 20_000; i++) shards.set(`key:${i}`, "v", 1000);
  const slice = new ExpireSlice();
  while (shards.count() > 0) {
    slice.run(shards.keyspaces[0]!, 0, 1000);
    assert(slice.expired > 0 && slice.expired <= 64, `${slice.expired}`);
  }
  shards.verifyEmpty();
});

Deno.test("expireCycleShare() is a quarter by default", () => {
  assertEquals(expireCycleShare(1), 0.25);
  assertEquals(expireCycleShare(10), 0.43);
});

seeded("ExpireCycle agrees with a model while keys come and go", (random) => {
  const shards = new Shards({ shards: 2, databases: 2 });
  const cycle = new ExpireCycle(shards.counters);
  const model = new Map<string, number>();
  let nowMs = 10_000;
  for (let step = 0; step < 20_000; step++) {
    nowMs += random.below(3);
    const name = `k${random.below(3000)}`;
    const action = random.below(100);
    if (action < 60) {
      const expireAtMs = random.chance(0.3) ? 0 : nowMs + random.below(4000);
      shards.set(name, "v".repeat(random.below(60)), expireAtMs);
      model.set(name, expireAtMs);
    } else if (action < 70) {
      shards.delete(name);
      model.delete(name);
    } else if (action < 80) run(shards, cycle, nowMs, 0.05);
  }
  for (let i = 0; i < 200; i++) run(shards, cycle, nowMs, 1);
  for (const [name, expireAtMs] of model) {
    const isThere = shards.get(name) !== null;
    if (expireAtMs === 0 || expireAtMs > nowMs) assert(isThere, name);
    if (!isThere) model.delete(name);
  }
  assertEquals(shards.count(), model.size);
  shards.verify();
});
