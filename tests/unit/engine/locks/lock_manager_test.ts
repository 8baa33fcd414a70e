/**
 * The lock manager without a server around it: who gets locks while others wait,
 * and what is left of functions that end otherwise than planned.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { argumentsOf } from "../../../_world.ts";
import { ReplyWriter } from "../../../../src/core/resp/reply_writer.ts";
import {
  LockError,
  type LockHandle,
} from "../../../../src/engine/locks/lock_spec.ts";
import { linesOf } from "../../core/keyspace/_effects.ts";
import { argv, bytes, LockWorld } from "./_lock_world.ts";

const K = bytes("k");

/** A test that leaves no lock behind. */
function lockTest(
  name: string,
  body: (room: LockWorld) => void | Promise<void>,
): void {
  Deno.test(name, async () => {
    const room = new LockWorld();
    await body(room);
    await room.settle();
    room.expectNothing();
  });
}

lockTest("KT1: without locks no command looks for keys to lock", (room) => {
  const { world } = room;
  let looks = 0;
  const { locks } = world;
  const begin = locks.begin.bind(locks);
  locks.begin = (session, passes) => {
    looks++;
    begin(session, passes);
  };
  const session = world.session();
  const reply = new ReplyWriter();
  const requests = [
    ...["SET k v", "GET k", "INCR n", "MSET a 1 b 2 c 3", "MGET a b c k"],
    ...["SADD s x", "SMEMBERS s", "RENAME a d", "DEL d", "LPUSH l x"],
    ...["LMOVE l m LEFT RIGHT", "LPOP m", "SUNIONSTORE t s s", "EXISTS k t"],
    ...["MULTI", "INCR n", "MGET k n", "EXEC", "COPY k c", "DBSIZE"],
  ].map((line) => argumentsOf(line.split(" ")));
  const runAll = (rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      world.executor.beginBatch(world.nowMs);
      for (const args of requests) {
        reply.reset();
        args.command = -1;
        world.executor.run(session, args);
      }
      world.executor.endBatch();
    }
  };
  runAll(5000);
  assertEquals(looks, 0);
  // It does look, with a key that is locked.
  const handle = room.manager.tryLockKeys({ read: [K] })!;
  world.run(world.session(), ["GET", "k"]);
  assertEquals(looks, 1);
  handle.close();
  runAll(1);
  assertEquals(looks, 1);
});

lockTest(
  "a command that has its turn gets its locks before those who wait",
  async (room) => {
    const { manager } = room;
    const reader = manager.tryLockKeys({ read: [K] })!;
    const waiting = manager.lockKeys({ write: [K], label: "waits" });
    const command = room.send("SET k parked");
    await room.settle();
    assertEquals([manager.pendingCount, command.reply], [1, ""]);

    // One that only reads does without, lest readers by turns starve a writer.
    const denied = manager.tryLockKeys({ read: [K] });
    const readsOnly = room.latched(() => manager.tryLockHeld({ read: [K] }));
    assertEquals([denied, readsOnly], [null, null]);

    // Released; who waits has not looked again yet.
    reader.close();
    assertEquals(manager.tryLockKeys({ write: [K] }), null);
    assertEquals(room.latched(() => manager.tryLockHeld({ read: [K] })), null);
    const held = room.latched(() =>
      manager.tryLockHeld({ write: [K], read: [bytes("source")] })
    );
    assert(held !== null, "it writes, and has its turn");
    assertEquals(
      held.keys.map(({ isWrite }) => isWrite).sort(),
      [false, true],
    );
    await room.settle();
    assertEquals([manager.pendingCount, command.reply], [1, ""]);

    held.close();
    await room.settle();
    const second = await waiting;
    assertEquals(second.label, "waits");
    assertEquals(command.reply, "");
    second.close();
    await room.settle();
    assertEquals(command.reply, "+OK\r\n");
  },
);

lockTest("a command that has its turn does not get what is held", (room) => {
  const { manager } = room;
  const reader = manager.tryLockKeys({ read: [K] })!;
  const attempt = () =>
    room.latched(() => manager.tryLockHeld({ write: [bytes("a"), K] }));
  assertEquals(attempt(), null);
  // It has not locked a part.
  assert(
    room.manager.tryLockKeys({ write: [bytes("a")] })?.close() === undefined,
  );
  const second = room.latched(() => manager.tryLockHeld({ read: [K] }));
  assert(second !== null, "readers share while nobody waits");
  second.close();
  reader.close();
  const got = attempt();
  assert(got !== null);
  got.close();
});

lockTest(
  "KT28: a function that fails half-way has changed nothing",
  async (room) => {
    const { manager } = room;
    room.send("SET k before");
    const waiting = { reply: "" };
    await assertRejects(
      () =>
        manager.withLockedKeys({ write: [K] }, async (handle) => {
          for (let i = 0; i < 1000; i++) {
            handle.stage(argv(`SET k ${i}`));
            if (i === 500) {
              await Promise.resolve();
              Object.assign(waiting, room.send("GET nothing"));
              throw new Error("half-way");
            }
          }
        }),
      Error,
      "half-way",
    );
    assertEquals(waiting.reply, "$-1\r\n");
    assertEquals(room.send("GET k").reply, "$6\r\nbefore\r\n");
  },
);

lockTest(
  "KT25: what writes for a client that is gone is finished",
  async (room) => {
    const { manager } = room;
    for (const onDisconnect of [undefined, "finish", "abort"] as const) {
      room.send("DEL k");
      let goOn = () => {};
      const gate = new Promise<void>((resolve) => goOn = resolve);
      let isAborted = false;
      const done = manager.withLockedKeys(
        {
          write: [K],
          session: 7,
          ...onDisconnect !== undefined && { onDisconnect },
        },
        async (handle) => {
          handle.signal.addEventListener("abort", () => isAborted = true);
          handle.stage(argv("SET k v"));
          await gate;
        },
      ).catch((cause: unknown) => cause);
      await room.settle();
      const reader = room.send("GET k");
      assertEquals(reader.reply, "");
      manager.sessionGone(8);
      manager.sessionGone(7);
      await room.settle();
      const finishes = onDisconnect !== "abort";
      assertEquals([isAborted, reader.reply === ""], [!finishes, finishes]);
      goOn();
      await room.settle();
      const outcome = await done;
      // Once it is aborted nothing can be committed any more.
      assertEquals(outcome instanceof LockError, !finishes);
      assertEquals(reader.reply, finishes ? "$1\r\nv\r\n" : "$-1\r\n");
    }
  },
);

lockTest("KT30: a handle is of no use after its end", async (room) => {
  const { manager } = room;
  let kept: LockHandle | null = null;
  await manager.withLockedKeys({ write: [K] }, (handle) => {
    kept = handle;
  });
  const handle = kept! as LockHandle;
  const uses: (() => unknown)[] = [
    () => handle.read(argv("GET k")),
    () => handle.stage(argv("SET k v")),
    () => handle.commit(),
    () => handle.entry(K),
    () => handle.tryLock({ read: [bytes("a")] }),
    () => handle.tryUpgrade(K),
    () => handle.downgrade(K),
    () => handle.release(K),
  ];
  for (const use of uses) assertThrows(use, LockError, "CLOSED");
  await assertRejects(() => handle.lock({ read: [K] }), LockError, "CLOSED");
});

lockTest(
  "KT42: what expires while it is locked is logged when it goes",
  async (room) => {
    const { world, manager } = room;
    const { drain, effects } = world;
    world.run(world.session(), ["SET", "k", "v", "PX", "100"]);
    const reader = manager.tryLockKeys({ read: [K] })!;
    drain.discard();
    world.nowMs += 1000;
    assertEquals(room.send("GET k").reply, "$-1\r\n");
    world.runExpireCycle();
    assertEquals(drain.take(), []);
    assertEquals(
      new TextDecoder().decode(reader.read(argv("GET k"))),
      "$1\r\nv\r\n",
    );
    const writer = room.send("SETNX k new");
    reader.close();
    await room.settle();
    effects.publish();
    assertEquals(linesOf(drain.take()), ["DEL k", "SETNX k new"]);
    assertEquals(writer.reply, ":1\r\n");
  },
);

lockTest("K36: a commit is logged as one, in its place", async (room) => {
  const { world, manager } = room;
  const { drain, effects } = world;
  world.run(world.session(), ["SET", "{t}a", "0"]);
  drain.discard();
  const handle = await manager.lockKeys({ write: [bytes("{t}a"), bytes("b")] });
  handle.stage(argv("INCR {t}a"));
  handle.stage(argv("GET b"));
  handle.stage(argv("RPUSH b x"));
  effects.publish();
  assertEquals(drain.take(), []);
  handle.commit();
  effects.publish();
  const lines = linesOf(drain.take());
  handle.close();
  assertEquals(lines, ["INCR {t}a; RPUSH b x"]);
});
