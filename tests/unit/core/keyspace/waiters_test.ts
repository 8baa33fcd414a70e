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
  readonly shards: Shards;
  readonly records: WaiterRecords;

  constructor(ready?: ReadyKeys) {
    this.shards = new Shards(ready === undefined ? {} : { ready });
    const { arena, keyspaces } = this.shards;
    this.records = new WaiterRecords(arena, keyspaces[0]!.externals);
  }

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

  /** The node of a key; 0 if nobody waits for it. */
  node(name: string, db = 0): number {
    const key = this.shards.key(name);
    const { waiters } = this.shards.space(key).hooks;
    return waiters.find(db, key.buf, key.off, key.length, key.hash);
  }

  /** Those who wait for a key, in their order. */
  queue(name: string, db = 0): number[] {
    const { waiters } = this.shards.space(this.shards.key(name)).hooks;
    const node = this.node(name, db);
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

Deno.test("a changed database visits no waiter", () => {
  const ready = new ReadyKeys();
  const fixture = new Fixture(ready);
  const records = Array.from(
    { length: 100 },
    (_, i) => fixture.record(i, "BLPOP k 0"),
  );
  records.forEach((record, i) => fixture.wait(`k${i}`, record, i % 3));
  for (const { hooks } of fixture.shards.keyspaces) {
    hooks.signalDatabase(2);
    hooks.signalExchanged(2, 0);
  }
  assertEquals(ready.isLeft(), false);
  const seen = new Set<string>();
  for (;;) {
    const whole = ready.takeDatabases();
    if (whole === null) break;
    assertEquals(whole.databases, new Set([2, 0]));
    const { waiters } = fixture.shards.keyspaces[whole.shard]!.hooks;
    let cursor = 0;
    do {
      cursor = waiters.visitFrom(cursor, 2, (db, { buf, off, length }) => {
        const bytes = buf.subarray(off, off + length);
        seen.add(`${db} ${new TextDecoder().decode(bytes)}`);
      });
    } while (cursor !== 0);
  }
  assertEquals(seen, new Set(records.map((_, i) => `${i % 3} k${i}`)));
  assertEquals(ready.count, 0);
});

seeded("very many ready keys are noted once", (random) => {
  const ready = new ReadyKeys();
  const shards = new Shards();
  const key = shards.key("");
  const noted: string[] = [];
  for (let step = 0; step < 2000; step++) {
    if (random.chance(0.1) && ready.isLeft()) {
      const db = ready.read(key);
      const bytes = key.buf.subarray(key.off, key.off + key.length);
      const name = `${db} ${new TextDecoder().decode(bytes)}`;
      assertEquals(name, noted.shift());
      ready.advance();
    }
    const db = random.below(3);
    const name = `k${random.below(300)}`;
    // Some with a hash that others have.
    const { shard, buf, off, length, hash } = shards.key(name);
    ready.note(shard, db, buf, off, length, hash & 0x3f);
    if (!noted.includes(`${db} ${name}`)) noted.push(`${db} ${name}`);
    assertEquals(ready.isLeft(), noted.length > 0);
  }
}, { count: 3 });

seeded("bookmarks keep their place in a queue", (random) => {
  const fixture = new Fixture();
  const { waiters } = fixture.shards.space(fixture.shards.key("k")).hooks;
  const live: number[] = [];
  /** The first command from a registration on; undefined for none. */
  const recordFrom = (first: number) => {
    let at = first;
    while (at !== 0 && waiters.record(at) === 0) at = waiters.next(at);
    return at === 0 ? undefined : waiters.record(at);
  };
  /** A bookmark, and who is behind it. */
  let marks: { bookmark: number; behind: number[] }[] = [];
  for (let step = 0; step < 2000; step++) {
    const queue = fixture.queue("k").filter((record) => record !== 0);
    assertEquals(queue, live);
    if (live.length < 20 && random.chance(0.5)) {
      const record = fixture.record(step, "BLPOP k 0");
      fixture.wait("k", record);
      live.push(record);
      for (const { behind } of marks) behind.push(record);
    } else if (live.length > 0 && random.chance(0.6)) {
      const [record] = live.splice(random.below(live.length), 1);
      fixture.remove(record!);
      fixture.free(record!);
      for (const { behind } of marks) {
        const at = behind.indexOf(record!);
        if (at >= 0) behind.splice(at, 1);
      }
    } else if (live.length > 0 && marks.length < 3) {
      const from = random.below(live.length);
      const record = live[from]!;
      const before = fixture.records.registrations(record);
      const bookmark = waiters.addBookmark(before);
      const again = waiters.firstFrom(
        fixture.node("k"),
        waiters.place(before),
      );
      assertEquals(recordFrom(again), record);
      marks.push({ bookmark, behind: live.slice(from) });
    } else if (marks.length > 0) {
      const mark = random.pick(marks);
      marks = marks.filter((other) => other !== mark);
      const next = waiters.passBookmark(mark.bookmark);
      assertEquals(recordFrom(next), mark.behind[0]);
    }
  }
  for (const { bookmark } of marks) waiters.passBookmark(bookmark);
  for (const record of live) {
    fixture.remove(record);
    fixture.free(record);
  }
  fixture.shards.verifyEmpty();
}, { count: 3 });

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
