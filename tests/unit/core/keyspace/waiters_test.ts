import { assertEquals } from "@std/assert";
import { bytesOf } from "../../../../src/core/base/bytes.ts";
import type { Key } from "../../../../src/core/keyspace/key.ts";
import { ReadyKeys } from "../../../../src/core/keyspace/ready_keys.ts";
import {
  HOOK_WAITERS,
  SHARD_HOOKS,
} from "../../../../src/core/keyspace/shard_control.ts";
import {
  WaiterRecords,
  WAITS_FOR_GROUP,
  WAITS_FOR_LIST,
} from "../../../../src/core/keyspace/waiter_records.ts";
import { Arguments } from "../../../../src/core/resp/arguments.ts";
import { seeded } from "../../../_harness.ts";
import { Shards } from "./_fixture.ts";

/** Commands that wait, over a few shards. */
class Fixture {
  readonly shards = new Shards();
  readonly records = new WaiterRecords(this.shards.arena);

  record(session: number, words: string, kind = WAITS_FOR_LIST): number {
    const args = new Arguments();
    args.buf = bytesOf(words);
    let off = 0;
    for (const word of words.split(" ")) {
      args.add(off, word.length);
      off += word.length + 1;
    }
    const { heap } = this.shards.keyspaces[0]!;
    const waiter = {
      worker: 1,
      session,
      db: 2,
      resp: 3 as const,
      kind,
      cacheWorker: -1,
    };
    return this.records.create(heap, waiter, args, null);
  }

  free(record: number): void {
    this.shards.keyspaces[0]!.heap.free(record);
  }

  wait(name: string, record: number, db = 0): void {
    const key = this.shards.key(name);
    this.shards.space(key).hooks.waiters.add(db, key, record, this.records);
  }

  /** Takes a command out of all its queues. */
  remove(record: number): void {
    const { waiters } = this.shards.keyspaces[0]!.hooks;
    let at = this.records.registrations(record);
    this.records.setRegistrations(record, 0);
    while (at !== 0) {
      const next = waiters.sibling(at);
      this.shards.keyspaces[waiters.shardOf(at)]!.hooks.waiters.remove(at);
      at = next;
    }
  }

  /** Those who wait for a key, in their order. */
  queue(name: string, db = 0): number[] {
    const key = this.shards.key(name);
    const { waiters } = this.shards.space(key).hooks;
    const node = waiters.find(db, key.buf, key.off, key.length, key.hash);
    const found: number[] = [];
    let at = node === 0 ? 0 : waiters.first(node);
    for (; at !== 0; at = waiters.next(at)) found.push(waiters.record(at));
    return found;
  }

  hasHook(key: Key): boolean {
    const { control } = this.shards.space(key);
    return (control[SHARD_HOOKS]! & HOOK_WAITERS) !== 0;
  }
}

Deno.test("a record says what its command needs", () => {
  const made = new Fixture();
  const ref = made.record(77, "BLPOP some key 0", WAITS_FOR_GROUP);
  const args = new Arguments();
  made.records.load(ref, args);
  const words = Array.from(
    { length: args.count },
    (_, i) => new TextDecoder().decode(args.copy(i)),
  );
  assertEquals(words, ["BLPOP", "some", "key", "0"]);
  assertEquals(made.records.session(ref), 77);
  assertEquals(made.records.worker(ref), 1);
  assertEquals(made.records.db(ref), 2);
  assertEquals(made.records.resp(ref), 3);
  assertEquals(made.records.kind(ref), WAITS_FOR_GROUP);
});

Deno.test("the claim word has one winner", () => {
  const fixture = new Fixture();
  const { records } = fixture;
  const ref = fixture.record(1, "BLPOP k 0");
  assertEquals(records.isWaiting(ref), true);
  assertEquals([records.claim(ref), records.claim(ref)], [true, false]);
  records.unclaim(ref);
  assertEquals(records.cancel(ref), true);
  assertEquals([records.cancel(ref), records.claim(ref)], [false, false]);
  const served = fixture.record(2, "BLPOP k 0");
  records.claim(served);
  records.end(served);
  assertEquals(records.cancel(served), false);
});

Deno.test("a queue keeps its order, each command once", () => {
  const fixture = new Fixture();
  const [a, b, c] = [1, 2, 3].map((i) => fixture.record(i, "BLPOP k 0"));
  for (const ref of [a!, b!, c!]) fixture.wait("k", ref);
  fixture.wait("k", c!);
  fixture.wait("k", a!, 1);
  assertEquals(fixture.queue("k"), [a, b, c]);
  assertEquals(fixture.queue("k", 1), [a]);
  fixture.remove(b!);
  assertEquals(fixture.queue("k"), [a, c]);
  fixture.remove(a!);
  assertEquals(fixture.queue("k", 1), []);
  const key = fixture.shards.key("k");
  assertEquals(fixture.hasHook(key), true);
  fixture.remove(c!);
  assertEquals(fixture.hasHook(key), false);
  for (const ref of [a!, b!, c!]) fixture.free(ref);
  fixture.shards.verifyEmpty();
});

Deno.test("ready keys are noted once and read in their order", () => {
  const ready = new ReadyKeys();
  const shards = new Shards();
  const note = (name: string, db: number) => {
    const { shard, buf, off, length, hash } = shards.key(name);
    ready.note(shard, db, buf, off, length, hash);
  };
  const seen: string[] = [];
  const key = shards.key("");
  note("a", 0);
  note("b", 0);
  note("a", 0);
  note("a", 1);
  for (; ready.isLeft(); ready.advance()) {
    const db = ready.read(key);
    const bytes = key.buf.subarray(key.off, key.off + key.length);
    seen.push(`${db} ${new TextDecoder().decode(bytes)}`);
    if (seen.length === 2) note("a", 0);
  }
  assertEquals(seen, ["0 a", "0 b", "1 a", "0 a"]);
  assertEquals(ready.count, 0);
});

seeded("queues agree with lists", (random) => {
  const fixture = new Fixture();
  const names = ["a", "bb", "c".repeat(100), ""];
  const model = new Map<string, number[]>(names.map((name) => [name, []]));
  const live: number[] = [];
  for (let step = 0; step < 3000; step++) {
    if (live.length < 40 && random.chance(0.55)) {
      const record = fixture.record(step, "BLPOP key 0");
      live.push(record);
      for (const name of names) {
        if (!random.chance(0.4)) continue;
        fixture.wait(name, record);
        model.get(name)!.push(record);
      }
    } else if (live.length > 0) {
      const [record] = live.splice(random.below(live.length), 1);
      fixture.remove(record!);
      fixture.free(record!);
      for (const [name, queue] of model) {
        model.set(name, queue.filter((other) => other !== record));
      }
    }
    const name = random.pick(names);
    assertEquals(fixture.queue(name), model.get(name));
  }
  for (const record of live) {
    fixture.remove(record);
    fixture.free(record);
  }
  fixture.shards.verifyEmpty();
}, { count: 3 });
