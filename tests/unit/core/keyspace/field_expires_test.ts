/** Fields that expire, in keyspaces: src/core/keyspace/field_expires.ts. */
import { assert, assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  EXPIRED_KEYS,
  EXPIRED_SUBKEYS,
} from "../../../../src/core/keyspace/counters.ts";
import { ExpireCycle } from "../../../../src/core/keyspace/expire_cycle.ts";
import {
  FieldExpireSlice,
  setFieldExpires,
} from "../../../../src/core/keyspace/field_expires.ts";
import {
  releaseValue,
  shareValue,
} from "../../../../src/core/keyspace/shared_value.ts";
import {
  copyEntry,
  moveEntry,
} from "../../../../src/core/keyspace/transfer.ts";
import { TYPE_HASH } from "../../../../src/core/types/entry.ts";
import { seeded } from "../../../_harness.ts";
import { Shards } from "./_fixture.ts";
import { freeDetached } from "../../../../src/core/keyspace/detached_values.ts";

/** Shards with hashes, packed and large. */
class HashShards extends Shards {
  readonly cycle = new ExpireCycle(this.counters);

  constructor(shards = 4) {
    super({ shards });
    this.settings.load([]);
  }

  find(name: string, db = 0): number {
    const key = this.key(name);
    return this.space(key).peek(db, key);
  }

  hset(name: string, field: string, expireAtMs: number, db = 0): void {
    const key = this.key(name);
    const space = this.space(key);
    const ref = space.peek(db, key) || space.create(db, key, TYPE_HASH);
    if (expireAtMs !== 0) setFieldExpires(space, db, ref, true);
    const buf = latin1BytesOf(field);
    const { hashes } = space.values;
    hashes.set(ref, buf, 0, buf.length, buf, 0, buf.length, expireAtMs);
  }

  length(name: string, db = 0): number {
    const ref = this.find(name, db);
    return ref === 0 ? 0 : this.space(this.key(name)).values.hashes.length(ref);
  }

  run(nowMs: number, ms = 1000): boolean {
    return this.cycle.run(
      this.keyspaces,
      nowMs,
      ms,
      this.monotonicMs,
      this.latches,
    );
  }

  fieldExpires(db = 0): number {
    return this.keyspaces.reduce((n, s) => n + s.fieldExpiresCount(db), 0);
  }
}

Deno.test("the cycle removes fields that are due, and hashes that are empty", () => {
  const shards = new HashShards();
  for (let i = 0; i < 300; i++) {
    const db = i % 4;
    for (let j = 0; j < 10; j++) shards.hset(`all:${i}`, `f${j}`, 1000, db);
    for (let j = 0; j < 10; j++) {
      shards.hset(`some:${i}`, `f${j}`, j < 5 ? 1000 : 0, db);
    }
    shards.hset(`later:${i}`, "f", 5000, db);
    shards.hset(`never:${i}`, "f", 0, db);
  }
  assertEquals(shards.fieldExpires(), 225);
  assert(!shards.run(999));
  assertEquals(shards.counters[EXPIRED_SUBKEYS], 0);
  for (let i = 0; i < 60; i++) assert(!shards.run(1000));
  assertEquals(shards.counters[EXPIRED_SUBKEYS], 300 * 15);
  assertEquals(shards.counters[EXPIRED_KEYS], 0);
  for (let i = 0; i < 300; i++) {
    const db = i % 4;
    assertEquals(shards.find(`all:${i}`, db), 0);
    assertEquals(shards.length(`some:${i}`, db), 5);
    assertEquals(shards.length(`later:${i}`, db), 1);
  }
  assertEquals(shards.fieldExpires(), 75);
  for (let i = 0; i < 60; i++) shards.run(5000);
  assertEquals(shards.fieldExpires(), 0);
  assertEquals(shards.count(), 150);
  shards.verify();
});

Deno.test("a large hash is emptied over many slices", () => {
  const shards = new HashShards(1);
  for (let i = 0; i < 20_000; i++) shards.hset("big", `f${i}`, 1000);
  shards.hset("small", "f", 1000);
  const slice = new FieldExpireSlice(shards.counters);
  let slices = 0;
  while (shards.count() > 0) {
    slice.run(shards.keyspaces[0]!, 0, 1000);
    assert(slice.expired > 0 && slice.expired <= 64, `${slice.expired}`);
    slices++;
  }
  assert(slices > 300);
  assertEquals(shards.counters[EXPIRED_SUBKEYS], 20_001);
  shards.verifyEmpty();
});

Deno.test("the cycle stops when its time is up, and goes on from there", () => {
  const shards = new HashShards();
  for (let i = 0; i < 40; i++) {
    for (let j = 0; j < 500; j++) shards.hset(`hash:${i}`, `f${j}`, 1000);
  }
  let runs = 0;
  let before = 0;
  for (; shards.run(2000, 0.1); runs++) {
    const removed = shards.counters[EXPIRED_SUBKEYS]! - before;
    assert(removed > 0 && removed < 2000, `a run removed ${removed}`);
    before += removed;
  }
  assert(runs > 10);
  while (shards.count() > 0) shards.run(2000);
  assertEquals(shards.counters[EXPIRED_SUBKEYS], 20_000);
  shards.verifyEmpty();
});

Deno.test("the cycle looks at little when little is due", () => {
  const shards = new HashShards();
  for (let i = 0; i < 2000; i++) shards.hset(`hash:${i}`, "f", 9000);
  assert(!shards.run(1000));
  // One slice per shard.
  assertEquals(shards.latches.holds, 4);
});

Deno.test("fields that replies read stay until they are read", () => {
  const shards = new HashShards(1);
  const space = shards.keyspaces[0]!;
  for (let i = 0; i < 10; i++) shards.hset("hash", `f${i}`, 1000);
  const reading = shareValue(space, shards.find("hash"));
  shards.run(2000);
  assertEquals(shards.length("hash"), 10);
  assertEquals(space.values.hashes.length(reading), 10);
  releaseValue(space, reading);
  shards.run(2000);
  shards.verifyEmpty();
});

Deno.test("a hash that is deleted, replaced or has its key expire is forgotten", () => {
  const shards = new HashShards(1);
  const space = shards.keyspaces[0]!;
  for (const name of ["a", "b", "c", "d"]) shards.hset(name, "f", 9000);
  assertEquals(shards.fieldExpires(), 4);
  shards.delete("a");
  shards.set("b", "a string");
  // A longer value moves the entry, an expire makes it larger.
  space.setExpire(0, shards.find("c"), 5000);
  space.create(0, shards.key("d"), TYPE_HASH, shards.find("d"));
  shards.delete("d");
  assertEquals(shards.fieldExpires(), 1);
  shards.verify();
  shards.run(6000);
  shards.run(6000);
  assertEquals(shards.fieldExpires(), 0);
  shards.delete("b");
  shards.verifyEmpty();
});

Deno.test("copies and moves carry the expires of fields", () => {
  for (const fields of [3, 1000]) {
    const shards = new HashShards(2);
    const names = Array.from({ length: 12 }, (_, i) => `h${i}`);
    const first = shards.key(names[0]!);
    const near = names.slice(1).find((n) =>
      shards.key(n).shard === first.shard
    );
    const far = names.find((n) => shards.key(n).shard !== first.shard);
    for (const target of [near!, far!]) {
      for (const moves of [false, true]) {
        for (let i = 0; i < fields; i++) {
          shards.hset(names[0]!, `f${i}`, i % 2 === 0 ? 1000 + i : 0);
        }
        const key = shards.key(target);
        const space = shards.space(first);
        const source = shards.find(names[0]!);
        if (moves) {
          moveEntry(space, 0, source, shards.space(key), 1, key, 0);
        } else copyEntry(space, source, shards.space(key), 1, key, 0);
        assertEquals(shards.count(), moves ? 0 : 1);
        assertEquals(shards.fieldExpires(1), 1);
        const { hashes } = shards.space(key).values;
        const ref = shards.find(target, 1);
        assertEquals(hashes.expiresFrom(ref), 1000);
        assertEquals(hashes.liveLength(ref, 9000), Math.floor(fields / 2));
        for (let i = 0; i < 200; i++) shards.run(9000);
        assertEquals(shards.length(target, 1), Math.floor(fields / 2));
        assertEquals(shards.fieldExpires(1), 0);
        shards.delete(target, 1);
        shards.delete(names[0]!);
      }
    }
    for (const space of shards.keyspaces) while (!freeDetached(space, 1000));
    shards.verifyEmpty();
  }
});

seeded("the cycle agrees with a model while fields come and go", (random) => {
  const shards = new HashShards(2);
  const model = new Map<string, Map<string, number>>();
  let nowMs = 10_000;
  for (let step = 0; step < 10_000; step++) {
    nowMs += random.below(3);
    const name = `h${random.below(random.chance(0.5) ? 4 : 100)}`;
    const field = `f${random.below(400)}`;
    const action = random.below(100);
    if (action < 80) {
      const expireAtMs = random.chance(0.2)
        ? 0
        : nowMs + 1 + random.below(4000);
      shards.hset(name, field, expireAtMs);
      if (!model.has(name)) model.set(name, new Map());
      model.get(name)!.set(field, expireAtMs);
    } else if (action < 82) {
      shards.delete(name);
      model.delete(name);
    } else if (action < 90) {
      shards.run(nowMs, 0.05);
      for (const [hash, fields] of model) {
        if (shards.find(hash) !== 0) continue;
        for (const at of fields.values()) assert(at !== 0 && at <= nowMs);
        model.delete(hash);
      }
    }
  }
  for (let i = 0; i < 300; i++) shards.run(nowMs, 1);
  for (const [name, fields] of model) {
    const live = [...fields.values()].filter((at) => at === 0 || at > nowMs);
    assertEquals(shards.length(name), live.length, name);
  }
  shards.verify();
});
