/** Values that replies are read from: src/engine/compute/value_holds.ts. */
import { assert, assertEquals } from "@std/assert";
import { Key } from "../../../../src/core/keyspace/key.ts";
import type { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import {
  isCopied,
  isShared,
  releaseValue,
  setCopied,
  shareValue,
} from "../../../../src/core/keyspace/shared_value.ts";
import {
  HOLD_FOR_JOB,
  HOLD_FOR_REPLY,
  HOLD_FOR_SNAPSHOT,
  ValueHolds,
  type WatchedHold,
} from "../../../../src/engine/compute/value_holds.ts";
import { LockWorld, type Sent } from "../locks/_lock_world.ts";

/** A world with holds, whose copies and timers are the test's to end. */
class HoldRoom {
  readonly room = new LockWorld();
  readonly holds: ValueHolds;
  /** Ends of the copies that are being made. */
  readonly copies: (() => void)[] = [];
  readonly #timers: [dueMs: number, run: () => void][] = [];
  readonly #keys = new Map<string, Key>();
  canCopy = true;

  constructor() {
    const { manager } = this.room;
    this.holds = new ValueHolds({
      smallMax: () => 5000,
      smallBytesMax: () => 1000,
      canCopy: () => this.canCopy,
      lock: (spec) => manager.tryLockHeld(spec),
      isWaitedFor: ({ id }) => manager.isWaitedFor(manager.handle(id)!),
      copyValue: (_space, _db, name, _root, done) => {
        const [space, ref] = this.find(new TextDecoder().decode(name));
        if (isCopied(space, ref)) return false;
        const reading = this.latched(() => shareValue(space, ref));
        setCopied(space, reading, true);
        this.copies.push(() => {
          setCopied(space, reading, false);
          this.latched(() => releaseValue(space, reading));
          done();
        });
        return true;
      },
      monotonicMs: () => this.room.elapsedMs,
      later: (run, delayMs) =>
        void this.#timers.push([this.room.elapsedMs + delayMs, run]),
    });
    // By their sizes: copied in place, soon in the background, and later.
    this.fill("small", 600);
    this.fill("middle", 3000);
    this.fill("large", 6000);
    this.run(["RPUSH", "list", "x".repeat(300_000), "y".repeat(300_000)]);
    this.run(["RPUSH", "few", ...Array.from({ length: 4000 }, String)]);
  }

  run(argv: readonly string[]): unknown {
    const { world } = this.room;
    return world.run(world.session(), argv);
  }

  fill(key: string, count: number): void {
    const members = Array.from({ length: count }, (_, i) => `m${i}`);
    this.run(["SADD", key, ...members]);
  }

  latched<T>(run: () => T): T {
    return this.room.latched(run);
  }

  find(name: string): [Keyspace, number] {
    const { call } = this.room.world;
    const key = this.#keys.get(name) ?? new Key();
    this.#keys.set(name, key);
    call.fillKey(key, new TextEncoder().encode(name), 0, name.length);
    const space = call.keyspaces[key.shard]!;
    return [space, space.peek(0, key)];
  }

  hold(key: string, purpose = HOLD_FOR_REPLY): WatchedHold | null {
    const [space, ref] = this.find(key);
    return this.latched(() => this.holds.hold(space, 0, ref, purpose));
  }

  /** Time passes. */
  async pass(ms: number): Promise<void> {
    await this.room.settle();
    this.room.elapsedMs += ms;
    const due = this.#timers.filter(([at]) => at <= this.room.elapsedMs);
    for (const timer of due) {
      this.#timers.splice(this.#timers.indexOf(timer), 1);
    }
    for (const [, run] of due) run();
    await this.room.settle();
  }

  async expect(sent: Sent, reply: string): Promise<void> {
    await this.room.settle();
    assertEquals(sent.reply, reply);
  }
}

Deno.test("a value that is copied in no time is not held", () => {
  const room = new HoldRoom();
  assertEquals([room.hold("small"), room.hold("few")], [null, null]);
  for (const key of ["middle", "large", "list"]) {
    const hold = room.hold(key);
    assert(hold !== null && !hold.isWanted(), key);
    hold.release();
  }
  room.room.expectNothing();
});

Deno.test("who waits has the rest of a reply written at once", async () => {
  const room = new HoldRoom();
  const hold = room.hold("middle")!;
  let hurried = 0;
  hold.hurry = () => {
    hurried++;
    hold.release();
  };
  const writer = room.room.send("SADD middle x");
  assertEquals([writer.reply, hurried], ["", 0]);
  await room.expect(writer, ":1\r\n");
  assertEquals([hurried, room.copies.length], [1, 0]);
  room.room.expectNothing();
});

Deno.test("a value of middle size is copied at once, a large one later", async () => {
  const room = new HoldRoom();
  for (const key of ["middle", "list", "large"]) {
    const hold = room.hold(key)!;
    let hurried = 0;
    // Too much is left to be written.
    hold.hurry = () => void hurried++;
    const writer = room.room.send(`DEL ${key}`);
    await room.room.settle();
    assert(hold.isWanted());
    if (key === "large") {
      await room.pass(150);
      assertEquals([hurried, room.copies.length], [0, 0]);
      await room.pass(50);
    }
    assertEquals([hurried, room.copies.length], [1, 1], key);
    // Who came in now would have to copy.
    hold.release();
    await room.expect(writer, "");
    room.copies.pop()!();
    await room.expect(writer, ":1\r\n");
  }
  room.room.expectNothing();
});

Deno.test("without threads the value is left to who waits", async () => {
  const room = new HoldRoom();
  room.canCopy = false;
  for (const key of ["middle", "large"]) {
    const hold = room.hold(key)!;
    const writer = room.room.send(`SADD ${key} x`);
    await room.expect(writer, ":1\r\n");
    assertEquals(room.copies.length, 0);
    hold.release();
  }
  room.room.expectNothing();
});

Deno.test("one who begins to read while others wait keeps them for a copy", async () => {
  const room = new HoldRoom();
  const first = room.hold("large")!;
  const writer = room.room.send("SADD large x");
  await room.room.settle();
  const second = room.hold("large", HOLD_FOR_JOB)!;
  assert(second.isWanted());
  assertEquals(room.copies.length, 0);
  await room.pass(0);
  assertEquals(room.copies.length, 1);
  // The copy is made for a third one, too.
  assertEquals(room.hold("large"), null);
  first.release();
  second.release();
  await room.expect(writer, "");
  room.copies.pop()!();
  await room.expect(writer, ":1\r\n");
  const [space, ref] = room.find("large");
  assert(!isShared(space, ref));
  room.room.expectNothing();
});

Deno.test("two who read the same value have it copied once", async () => {
  const room = new HoldRoom();
  const holds = [room.hold("middle")!, room.hold("middle")!];
  const writer = room.room.send("SADD middle x");
  await room.room.settle();
  assertEquals(room.copies.length, 1);
  room.copies.pop()!();
  await room.expect(writer, "");
  // The other one looks again, and finds it to be done: here it is not.
  await room.pass(5);
  assertEquals(room.copies.length, 1);
  room.copies.pop()!();
  await room.expect(writer, ":1\r\n");
  for (const hold of holds) hold.release();
  room.room.expectNothing();
});

Deno.test("a snapshot has time to write a value that others wait for", async () => {
  const room = new HoldRoom();
  const hold = room.hold("middle", HOLD_FOR_SNAPSHOT)!;
  const writer = room.room.send("SADD middle x");
  await room.room.settle();
  assert(hold.isWanted());
  await room.pass(50);
  assertEquals(room.copies.length, 0);
  hold.release();
  await room.expect(writer, ":1\r\n");
  room.room.expectNothing();
});

Deno.test("who waits for all keys is heard, too", async () => {
  const room = new HoldRoom();
  const hold = room.hold("middle")!;
  hold.hurry = () => hold.release();
  const swap = room.room.send("SWAPDB 0 1");
  assertEquals(swap.reply, "");
  await room.expect(swap, "+OK\r\n");
  room.room.expectNothing();
});
