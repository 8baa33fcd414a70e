/**
 * Optimistic handles without a server around them: what they watch and what they
 * lock, what makes them fail, and how functions begin anew.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  LockError,
  type LockHandle,
} from "../../../../src/engine/locks/lock_spec.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import { LOCK_CONFLICTS } from "../../../../src/core/keyspace/counters.ts";
import { toBinary } from "../../../_resp_reply.ts";
import { linesOf } from "../../core/keyspace/_effects.ts";
import { argv, bytes, LockWorld } from "./_lock_world.ts";

const [A, B, C] = ["a", "b", "c"].map(bytes) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const LARGE = "x".repeat(70_000);
const mode = "optimistic";

/** A test that leaves neither a lock nor a watch behind. */
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

function read(handle: LockHandle, line: string): string {
  return toBinary(handle.read(argv(line)));
}

function isChanged(use: () => unknown): void {
  assertThrows(use, LockError, "LOCKCHANGED");
}

lockTest("others go on, and what they change fails the commit", (room) => {
  const { manager, world } = room;
  room.send("MSET a 1 b 2");
  const handle = manager.tryLockKeys({ read: [A], write: [B], mode })!;
  assertEquals(handle.keys.map((key) => key.isWatched), [true, true]);
  assertEquals(room.send("MGET a b").reply, "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  handle.stage(argv("INCRBY b 10"));
  assertEquals(toBinary(handle.commit()), "*1\r\n:12\r\n");
  assertEquals(room.send("GET b").reply, "$2\r\n12\r\n");
  // What it has changed itself is no change; it goes on from there.
  assertEquals(read(handle, "GET b"), "$2\r\n12\r\n");
  handle.stage(argv("INCRBY b 10"));
  assertEquals(room.send("SET a 5").reply, "+OK\r\n");
  // Only keys that are touched are looked at: this one is as it was.
  assertEquals(read(handle, "GET b"), "$2\r\n12\r\n");
  isChanged(() => handle.read(argv("GET a")));
  isChanged(() => handle.read(argv("EXISTS b a")));
  isChanged(() => handle.commit());
  assertEquals(handle.stagedCount, 0);
  isChanged(() => handle.commit());
  isChanged(() => handle.tryLock({ read: [C] }));
  assertEquals(room.send("GET b").reply, "$2\r\n12\r\n");
  assertEquals(world.counters[LOCK_CONFLICTS], 1);
  handle.close();
});

lockTest("a handle without watches looks at none", (room) => {
  const handle = room.manager.tryLockKeys({ write: [A] })!;
  assertEquals(handle.keys.map((key) => key.isWatched), [false]);
  for (const { hooks } of room.world.keyspaces) {
    assertEquals(hooks.watched.count, 0);
  }
  handle.close();
});

lockTest("expiry and eviction are changes", (room) => {
  const { manager, world } = room;
  const attempt = (during: () => void) => {
    const handle = manager.tryLockKeys({ read: [A], write: [B], mode })!;
    handle.stage(argv("SET b new"));
    during();
    isChanged(() => handle.commit());
    isChanged(() => handle.read(argv("GET a")));
    handle.close();
    assertEquals(room.send("EXISTS b").reply, ":0\r\n");
  };
  room.send("SET a 1 PX 100");
  attempt(() => world.nowMs += 1000);
  room.send("SET a 1 PX 100");
  attempt(() => {
    world.nowMs += 1000;
    world.runExpireCycle();
  });
  room.send("SET a 1");
  attempt(() => {
    world.settings.set([["maxmemory", "100"], [
      "maxmemory-policy",
      "allkeys-random",
    ]]);
    for (let i = 0; i < 20; i++) world.evictor.makeRoom();
    world.settings.set([["maxmemory", "0"]]);
    assertEquals(room.send("EXISTS a").reply, ":0\r\n");
  });
  // One that had expired before is not there, and does not change by that.
  room.send("SET a 1 PX 100");
  world.nowMs += 1000;
  const handle = manager.tryLockKeys({ read: [A], write: [B], mode })!;
  world.runExpireCycle();
  handle.stage(argv("SET b new"));
  handle.commit();
  handle.close();
});

lockTest("large values are locked at the same instant", async (room) => {
  const { manager } = room;
  room.send(`SET a ${LARGE}`);
  room.send("SET b 1");
  const reader = manager.tryLockKeys({ read: [A], mode })!;
  assertEquals(manager.tryLockKeys({ write: [A, B], mode }), null);
  const wanted = manager.lockKeys({ write: [A, B], mode });
  await room.settle();
  // It has not begun, so this is no conflict.
  room.send("SET b 2");
  reader.close();
  const handle = await wanted;
  const isWatched = Object.fromEntries(
    handle.keys.map(({ key, isWatched }) => [toBinary(key), isWatched]),
  );
  assertEquals(isWatched, { a: false, b: true });
  const parked = room.send("STRLEN a");
  assertEquals([parked.reply, room.send("GET b").reply], ["", "$1\r\n2\r\n"]);
  assert(handle.entry(A) !== 0);
  assertThrows(() => handle.entry(B), LockError, "NOTLOCKED");
  handle.stage(argv("SET a small"));
  handle.stage(argv("INCR b"));
  handle.commit();
  room.send("SET b 7");
  handle.stage(argv("SET a lost"));
  isChanged(() => handle.commit());
  handle.close();
  await room.settle();
  assertEquals(parked.reply, ":5\r\n");
});

lockTest("collections are small by what they take", (room) => {
  const { manager } = room;
  const made: [string, boolean][] = [
    [
      "SADD a " + Array.from({ length: 900 }, (_, i) => `m${i}`).join(" "),
      true,
    ],
    ["RPUSH a " + Array(9000).fill("0123456789").join(" "), false],
    ["HSET a f v", true],
    ["XADD a * f v", true],
    [`ZADD a 1 ${LARGE}`, false],
  ];
  for (const [line, isSmall] of made) {
    room.send("DEL a");
    room.send(line);
    const handle = manager.tryLockKeys({ write: [A], mode })!;
    assertEquals(handle.keys[0]!.isWatched, isSmall, line.slice(0, 10));
    handle.close();
  }
});

lockTest(
  "who has a key locked is waited for, and is a conflict",
  async (room) => {
    const { manager } = room;
    room.send("SET a 1");
    const reader = manager.tryLockKeys({ read: [A] })!;
    // A reader is in nobody's way who reads.
    manager.tryLockKeys({ read: [A], mode })!.close();
    assertEquals(manager.tryLockKeys({ write: [A], mode }), null);
    const wanted = manager.lockKeys({ write: [A], mode });
    await room.settle();
    assertEquals(manager.pendingCount, 1);
    reader.close();
    const handle = await wanted;
    handle.stage(argv("INCR a"));

    const late = manager.tryLockKeys({ read: [A] })!;
    assertEquals(read(handle, "GET a"), "$1\r\n1\r\n");
    assertThrows(() => handle.commit(), LockError, "is locked by others");
    late.close();
    const writer = manager.tryLockKeys({ write: [A] })!;
    const use = () => handle.read(argv("GET a"));
    assertThrows(use, LockError, "is locked by others");
    writer.close();
    // It had not been changed after all.
    handle.stage(argv("INCR a"));
    assertEquals(toBinary(handle.commit()), "*1\r\n:2\r\n");
    handle.close();
  },
);

lockTest("more keys do not go with what others have changed", async (room) => {
  const { manager } = room;
  room.send("MSET a 1 b 1 c 1");
  const handle = manager.tryLockKeys({ read: [A], mode })!;
  assert(handle.tryLock({ write: [B] }));
  // Nothing is locked, so it may wait for any key.
  const writer = manager.tryLockKeys({ write: [C] })!;
  assertEquals(handle.tryLock({ read: [C] }), false);
  const more = handle.lock({ read: [C] });
  await room.settle();
  room.send("INCR b");
  writer.close();
  await assertRejects(() => more, LockError, "LOCKCHANGED");
  handle.close();

  const other = manager.tryLockKeys({ read: [A], mode })!;
  assert(other.tryUpgrade(A));
  other.stage(argv("INCR a"));
  other.downgrade(A);
  assertThrows(() => other.stage(argv("INCR a")), LockError, "NOTLOCKED");
  other.release(A);
  room.send("SET a 5");
  assertThrows(() => read(other, "GET a"), LockError, "NOTLOCKED");
  other.close();
});

lockTest("going through a key that is watched", async (room) => {
  const { manager } = room;
  room.send("RPUSH a 1 2 3 4 5");
  const handle = manager.tryLockKeys({ write: [A], mode })!;
  const found: string[] = [];
  room.onRest = () => room.send("RPUSH a 6");
  for await (const batch of handle.iterate(A, { batch: 2 })) {
    found.push(...batch.map(([element]) => toBinary(element!)));
  }
  assertEquals(found, ["1", "2", "3", "4", "5"]);
  const again = () => handle.iterate(A)[Symbol.asyncIterator]().next();
  await assertRejects(again, LockError, "LOCKCHANGED");
  handle.close();
});

lockTest("a command that has its turn may watch its keys", (room) => {
  const { manager } = room;
  const handle = room.latched(() => manager.tryLockHeld({ write: [A], mode }))!;
  room.send("SET a 1");
  isChanged(() => handle.commit());
  handle.close();
});

lockTest(
  "a function fails with a conflict, and changes nothing",
  async (room) => {
    const { manager } = room;
    room.send("SET a 1");
    const run = (handle: LockHandle) => {
      handle.stage(argv("SET b 1"));
      room.send("INCR a");
    };
    const attempt = () =>
      manager.withLockedKeys({ read: [A], write: [B], mode }, run);
    await assertRejects(attempt, LockError, "LOCKCHANGED a was changed");
    assertEquals(room.send("EXISTS b").reply, ":0\r\n");
    // One that only reads has read what was there at one instant.
    const value = await manager.withLockedKeys(
      { read: [A], mode },
      (handle) => {
        const value = read(handle, "GET a");
        room.send("INCR a");
        return value;
      },
    );
    assertEquals(value, "$1\r\n2\r\n");
  },
);

lockTest(
  "a function begins anew, and locks its keys in the end",
  async (room) => {
    const { manager } = room;
    room.send("SET a 1");
    for (const swallows of [false, true]) {
      let runs = 0;
      const parked: { reply: string }[] = [];
      const value = await manager.withDiscoveredKeys(
        { mode },
        async (handle) => {
          runs++;
          await handle.demand({ read: [A] });
          const before = read(handle, "GET a");
          parked.push(room.send("INCR a"));
          try {
            await handle.demand({ write: [B] });
          } catch (cause) {
            if (!swallows) throw cause;
            return "nothing";
          }
          handle.stage(argv(`SET b ${parseInt(before.slice(4))}`));
          return before;
        },
      );
      await room.settle();
      assertEquals(runs, 4);
      assertEquals(parked.map(({ reply }) => reply.length > 0), [
        ...[true, true, true, true],
      ]);
      assertEquals(value, `$1\r\n${swallows ? 8 : 4}\r\n`);
      assertEquals(room.send("GET b").reply, value);
    }
  },
);

lockTest("a function that has committed is not begun anew", async (room) => {
  const { manager } = room;
  let runs = 0;
  await assertRejects(
    () =>
      manager.withDiscoveredKeys({ write: [A], mode }, (handle) => {
        runs++;
        handle.stage(argv("INCR a"));
        handle.commit();
        room.send("INCR a");
        handle.stage(argv("INCR a"));
      }),
    LockError,
    "LOCKCHANGED",
  );
  assertEquals([runs, room.send("GET a").reply], [1, "$1\r\n2\r\n"]);
});

lockTest("a handle that has locks, too, keeps to their order", async (room) => {
  const { manager } = room;
  const [first, second, last] = ["{t}a", "{t}b", "{t}c"].map(bytes);
  room.send(`SET {t}b ${LARGE}`);
  const owner = manager.tryLockKeys({ write: [first!] })!;
  const handle = manager.tryLockKeys({ write: [second!, last!], mode })!;
  await assertRejects(
    () => handle.lock({ read: [first!] }),
    LockError,
    "LOCKNEST",
  );
  handle.close();
  let runs = 0;
  const done = manager.withDiscoveredKeys({ mode }, async (handle) => {
    runs++;
    await handle.demand({ write: [second!] });
    await handle.demand({ write: [first!] });
    handle.stage(argv("SET {t}a 1"));
    handle.stage(argv("SET {t}b 1"));
  });
  await room.settle();
  assertEquals(manager.pendingCount, 1);
  owner.close();
  await done;
  assertEquals([runs, room.send("STRLEN {t}b").reply], [2, ":1\r\n"]);
});

lockTest("without memory for a watch nothing is watched or locked", (room) => {
  const { manager, world } = room;
  room.send(`SET {t}a ${LARGE}`);
  const keys = ["{t}a", "{t}b", "{t}c", "{t}d"].map(bytes);
  for (const { hooks: { watched } } of world.keyspaces) {
    const watch = watched.watch.bind(watched);
    watched.watch = (db, key) => {
      if (watched.count === 2) throw new OutOfMemory();
      return watch(db, key);
    };
  }
  const attempt = () => manager.tryLockKeys({ write: keys, mode });
  assertThrows(attempt, LockError, "OOM");
  room.expectNothing();
});

lockTest("watches end with whoever ends the handle", async (room) => {
  const { manager } = room;
  const controller = new AbortController();
  const { signal } = controller;
  manager.tryLockKeys({ read: [A], session: 7, mode });
  await manager.lockKeys({ write: [A], signal, mode });
  const late = manager.tryLockKeys({ write: [A], maxHoldMs: 100, mode })!;
  manager.sessionGone(7);
  controller.abort();
  room.elapsedMs += 1000;
  manager.watch();
  await room.settle();
  assertThrows(() => late.commit(), LockError, "ABORTED");
});

lockTest("a commit is logged as one, a failed one not at all", (room) => {
  const { world, manager } = room;
  const { drain, effects } = world;
  const handle = manager.tryLockKeys({ write: [A, B], mode })!;
  handle.stage(argv("INCR a"));
  handle.stage(argv("RPUSH b x"));
  handle.commit();
  handle.stage(argv("INCR a"));
  room.send("LPOP b");
  isChanged(() => handle.commit());
  handle.close();
  effects.publish();
  assertEquals(linesOf(drain.take()), ["INCR a; RPUSH b x", "LPOP b"]);
});
