/**
 * The lock table of a shard: src/core/keyspace/key_locks.ts, and what entries of
 * locked keys are spared: KT37 and KT43 of the specification.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../../../src/core/base/assert.ts";
import { AccessClock } from "../../../../src/core/keyspace/access_clock.ts";
import { CheckedKeyspace } from "../../../../src/core/keyspace/checked_keyspace.ts";
import { DefragmentSlice } from "../../../../src/core/keyspace/defragment.ts";
import { Evictor } from "../../../../src/core/keyspace/evict.ts";
import { ExpireSlice } from "../../../../src/core/keyspace/expire_cycle.ts";
import {
  PLACE_COMMAND,
  PLACE_NESTED,
  PLACE_WRITE,
} from "../../../../src/core/keyspace/key_locks.ts";
import { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import {
  lockKey,
  orphanReadKeys,
  unlockKey,
} from "../../../../src/core/keyspace/locking.ts";
import {
  SHARD_FLAGS,
  SHARD_LOCK_FILTER,
} from "../../../../src/core/keyspace/shard_control.ts";
import { Shards } from "./_fixture.ts";

/** One shard whose wake-ups are written down. */
class Locked {
  readonly woken: number[] = [];
  readonly shards = new Shards({ shards: 1 });
  readonly rules = {
    readersPass: true,
    isHolder: false,
    wake: (_worker: number, ticket: number) => void this.woken.push(ticket),
  };
  readonly space: Keyspace;

  constructor(Kind: typeof Keyspace = Keyspace) {
    const { arena, pages, counters, random, settings } = this.shards;
    const clock = new AccessClock(random);
    this.space = new Kind(
      {
        ...{ arena, pool: pages, counters, clock, random },
        hashSeed: [1, 2],
        limits: settings,
        locks: this.rules,
      },
      this.shards.keyspaces[0]!.control,
      0,
    );
  }

  key(name: string) {
    return this.shards.key(name);
  }

  hold(name: string, isWrite: boolean, owner = 1): number {
    return lockKey(this.space, 0, this.key(name), isWrite, owner, 0, 1000);
  }

  wait(name: string, kind: number, ticket: number): number {
    return this.space.locks.wait(0, this.key(name), kind, ticket, 0);
  }

  release(place: number, nowMs = 1000): void {
    unlockKey(this.space, place, nowMs);
  }

  node(name: string): number {
    const { buf, off, length, hash } = this.key(name);
    return this.space.locks.find(0, buf, off, length, hash);
  }

  /** Takes what was woken since the last time. */
  takeWoken(): number[] {
    return this.woken.splice(0);
  }

  expectNothing(): void {
    const { locks, control } = this.space;
    assertEquals(
      [locks.count, locks.readLocks, locks.writeLocks, locks.waits],
      [0, 0, 0, 0],
    );
    assertEquals(control[SHARD_FLAGS], 0);
    const filter = control.subarray(SHARD_LOCK_FILTER, SHARD_LOCK_FILTER + 512);
    assert(filter.every((word) => word === 0), "the filter is clear");
  }
}

Deno.test("KeyLocks counts holders, and forgets keys that are free", () => {
  const locked = new Locked();
  const { locks, control } = locked.space;
  const first = locked.hold("a", false);
  const second = locked.hold("a", false, 2);
  const third = locked.hold("b", true, 3);
  assertEquals([locks.count, locks.readLocks, locks.writeLocks], [2, 2, 1]);
  assert(control[SHARD_FLAGS] !== 0);
  assertEquals(locks.readers(locked.node("a")), 2);
  assert(locks.isWriteHeld(locked.node("b")));
  assertThrows(() => locked.hold("b", false, 4), InvariantError);
  assertEquals(locks.tryUpgrade(first), false);
  locked.release(second);
  assertEquals(locks.tryUpgrade(first), true);
  locks.downgrade(first);
  locked.release(first);
  locked.release(third);
});

Deno.test("KeyLocks wakes in the order of tickets, readers together", () => {
  const locked = new Locked();
  const { locks } = locked.space;
  const holder = locked.hold("k", true);
  // Registered out of order, as those are that look again.
  const waits = new Map([
    [30, locked.wait("k", PLACE_WRITE | PLACE_COMMAND, 30)],
    [10, locked.wait("k", 0, 10)],
    [20, locked.wait("k", 0, 20)],
    [40, locked.wait("k", PLACE_COMMAND, 40)],
    [50, locked.wait("k", 0, 50)],
  ]);
  const order: number[] = [];
  locks.visitWaiters(locked.node("k"), (ticket) => order.push(ticket));
  assertEquals(order, [10, 20, 30, 40, 50]);
  locked.release(holder);
  // A command that reads passes the writer; a lock that comes after does not.
  assertEquals(locked.takeWoken(), [10, 20, 40]);
  for (const ticket of [40, 10]) locks.endWait(waits.get(ticket)!);
  assertEquals(locked.takeWoken(), []);
  locks.endWait(waits.get(20)!);
  assertEquals(locked.takeWoken(), [30]);
  locks.endWait(waits.get(30)!);
  assertEquals(locked.takeWoken(), [50]);
  locks.endWait(waits.get(50)!);
  locked.expectNothing();
});

Deno.test("KeyLocks: who must wait for whom", () => {
  const locked = new Locked();
  const { locks } = locked.space;
  const reader = locked.hold("k", false);
  const node = locked.node("k");
  const must = (kind: number, ticket = 0) => locks.mustWait(node, kind, ticket);
  const command = PLACE_COMMAND;
  assertEquals([must(command), must(0)], [false, false]);
  assertEquals([must(command | PLACE_WRITE), must(PLACE_WRITE)], [true, true]);
  const wait = locked.wait("k", PLACE_WRITE, 10);
  assertEquals([must(command), must(0), must(0, 5), must(0, 11)], [
    ...[false, true, false, true],
  ]);
  assertEquals(must(PLACE_NESTED), false);
  locked.rules.readersPass = false;
  assertEquals(must(command), true);
  locked.release(reader);
  assertEquals([must(PLACE_WRITE, 10), must(PLACE_WRITE, 11)], [false, true]);
  assertEquals(must(PLACE_WRITE | PLACE_NESTED, 11), false);
  locks.endWait(wait);
  locked.expectNothing();
});

Deno.test("KeyLocks: tickets that wrap around keep their order", () => {
  const locked = new Locked();
  const holder = locked.hold("k", true);
  const late = locked.wait("k", PLACE_WRITE, -2147483640);
  const early = locked.wait("k", PLACE_WRITE, 2147483640);
  locked.release(holder);
  assertEquals(locked.takeWoken(), [2147483640]);
  locked.space.locks.endWait(early);
  assertEquals(locked.takeWoken(), [-2147483640]);
  locked.space.locks.endWait(late);
  locked.expectNothing();
});

Deno.test("KeyLocks: who waits for the whole looks again at every release", () => {
  const locked = new Locked();
  const { locks } = locked.space;
  const a = locked.hold("a", false);
  const b = locked.hold("b", false);
  const wait = locks.waitForWhole(PLACE_WRITE, 5, 0);
  locked.release(a);
  assertEquals(locked.takeWoken(), [5]);
  locked.release(b);
  assertEquals(locked.takeWoken(), []);
  locks.keepWaiting(wait);
  locks.endWait(wait);
  const whole = locks.holdWhole(1, 0);
  assert(locks.isWriteHeld(locks.findWhole()));
  locked.release(whole);
  locked.expectNothing();
});

Deno.test("the expire cycle, defragmentation and eviction spare locked keys", () => {
  const locked = new Locked();
  const { space, shards } = locked;
  for (let i = 0; i < 50; i++) shards.set(`k${i}`, "v".repeat(100), 2000);
  const places = [3, 7].map((i) => locked.hold(`k${i}`, i === 3));
  const entry = space.peek(0, locked.key("k3"));
  const slice = new ExpireSlice();
  for (let i = 0; i < 20; i++) slice.run(space, 0, 3000);
  assertEquals(space.count(0), 2);
  const defragment = new DefragmentSlice();
  for (let at = 0;;) {
    at = defragment.run(space, 0, at);
    if (at === 0) break;
  }
  assertEquals(space.peek(0, locked.key("k3")), entry);
  assertEquals(space.lookupQuiet(0, locked.key("k7"), 3000), 0);
  assertEquals(space.count(0), 2);
  for (const place of places) locked.release(place, 3000);
  assertEquals(space.count(0), 0);
  locked.expectNothing();
});

for (const policy of ["allkeys-lru", "allkeys-random"]) {
  Deno.test(`eviction under ${policy} leaves locked keys`, () => {
    const locked = new Locked();
    const { space, shards } = locked;
    for (let i = 0; i < 40; i++) shards.set(`k${i}`, "v".repeat(100));
    const place = locked.hold("k5", false);
    const settings = {
      ...{ maxmemory: 1, maxmemorySamples: 5, maxmemoryEvictionTenacity: 100 },
      maxmemoryPolicy: policy === "allkeys-lru" ? 4 : 6,
    };
    const evictor = new Evictor({
      ...{ keyspaces: [space], latches: shards.latches, settings },
      ...{ counters: shards.counters, clock: shards.clock },
      ...{ random: shards.random, pages: shards.pages },
      pageCount: shards.pageCount,
      monotonicMs: shards.monotonicMs,
    });
    assertEquals(evictor.makeRoom(), false);
    assert(space.peek(0, locked.key("k5")) !== 0);
    assert(space.count(0) < 10, `${space.count(0)} keys are left`);
    locked.release(place);
    for (let i = 0; i < 20; i++) evictor.makeRoom();
    assertEquals(space.count(0), 0);
  });
}

Deno.test("an emptied database leaves its readers their entries", () => {
  const locked = new Locked();
  const { space, shards } = locked;
  shards.set("k", "value");
  const used = space.heap.usedBytes;
  const place = locked.hold("k", false);
  const ref = space.peek(0, locked.key("k"));
  assertEquals(orphanReadKeys(space, 0), 1);
  assertEquals(space.count(0), 0);
  assertEquals(space.locks.orphan(locked.node("k")), ref);
  locked.release(place);
  locked.expectNothing();
  assert(space.heap.usedBytes < used, "the entry is freed");
});

Deno.test("a key that is being written is not looked up by others", () => {
  const locked = new Locked(CheckedKeyspace);
  const { space, shards } = locked;
  shards.set("k", "v");
  const place = locked.hold("k", true);
  const look = () => space.lookupRead(0, locked.key("k"), 1000);
  assertThrows(look, InvariantError, "locked for writing");
  locked.rules.isHolder = true;
  assert(look() !== 0);
  locked.rules.isHolder = false;
  locked.release(place);
  assert(look() !== 0);
});
