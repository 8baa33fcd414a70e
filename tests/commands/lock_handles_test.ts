/**
 * Lock handles: what code in the server may do with locked keys, and how its
 * locks end.
 *
 * Of the specification: KT18 (without a deadlock), KT19 and KT20 (what sorts
 * behind), KT21 (two readers), KT22 (only locked keys), KT24 (readers stop), KT29
 * (held for too long), KT31, KT33 and KT36 (snapshots), KT35, KT47; with KT1,
 * KT25, KT28, KT30 and KT38 in tests/unit/engine/locks.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { seeded, startServer, tagsOnDistinctSlots } from "../_harness.ts";
import { until } from "../_patience.ts";
import { type Plain, plain } from "../_resp_client.ts";
import { digestsIn } from "../persistence/_snapshots.ts";
import { type Holder, LockRoom, lockSuite, texts } from "./_locks.ts";
import { ask } from "./_replies.ts";
import { expectReply } from "./_waiting.ts";

/** What a holder is told that has waited. */
async function answer(holder: Holder): Promise<string> {
  return String(plain(await holder.client.readReply()));
}

lockSuite(
  "a handle may wait for what sorts behind its keys",
  async (room) => {
    const holder = await room.holder();
    // One shard, so that the bytes decide.
    await holder.take("READ {t}b");
    assertMatch(String(await holder.do("MORE", "READ", "{t}a")), /LOCKNEST/);
    assertMatch(String(await holder.do("MORE", "READ", "{t}b")), /LOCKTWICE/);
    assertMatch(
      String(await holder.do("TRYMORE", "WRITE", "{t}b")),
      /LOCKTWICE/,
    );
    assertEquals(await holder.do("TRYMORE", "READ", "{t}a"), "OK");
    assertEquals(await holder.do("MORE", "WRITE", "{t}c"), "OK");
    const other = await room.holder(holder);
    await other.take("WRITE {t}d");
    assertEquals(await holder.do("TRYMORE", "READ", "{t}d"), "BUSY");
    await other.close();
    assertEquals(await holder.do("TRYMORE", "READ", "{t}d"), "OK");
    await holder.close();
  },
);

lockSuite("a handle that waits for more passes the queue", async (room) => {
  const first = await room.holder();
  const second = await room.holder(first);
  const third = await room.holder(second);
  await first.take("WRITE {t}a");
  await second.take("WRITE {t}b");
  // Waits for a, in the queue of both in the end.
  await third.request("WRITE {t}a WRITE {t}b");
  await room.waitersOf("{t}b", 1);
  await first.client.sendCommands([
    ["DEBUG", "KEYLOCK", "MORE", first.name, "WRITE", "{t}b"],
  ]);
  await room.waitersOf("{t}b", 2);
  await second.close();
  assertEquals(await answer(first), "OK");
  await first.close();
  assertEquals(await answer(third), "OK");
  await third.close();
});

lockSuite("two readers never both become writers", async (room) => {
  await ask(room.admin, "SET k v");
  const first = await room.holder();
  const second = await room.holder(first);
  await first.take("READ k");
  await second.take("READ k");
  assertEquals(await first.do("UPGRADE", "k"), "LOCKUPGRADE");
  assertEquals(await second.do("UPGRADE", "k"), "LOCKUPGRADE");
  await first.close();
  assertEquals(await second.do("UPGRADE", "k"), "OK");
  const reader = await room.park("GET", "k");
  await second.close();
  await expectReply(reader, "v");
});

lockSuite(
  "only locked keys are touched, and only as locked",
  async (room) => {
    const holder = await room.holder();
    await holder.take("READ r WRITE w");
    const refusals: [string[], RegExp][] = [
      [["READ", "GET", "other"], /NOTLOCKED other/],
      [["STAGE", "SET", "r", "1"], /NOTLOCKED r/],
      [["STAGE", "COPY", "w", "r"], /NOTLOCKED r/],
      [["STAGE", "COPY", "r", "w", "DB", "2"], /NOTLOCKED w/],
      [["READ", "SET", "w", "1"], /COMMAND only commands that read/],
      [["STAGE", "FLUSHALL"], /COMMAND .*cannot be run on locked keys/],
      [["STAGE", "KEYS", "*"], /COMMAND/],
      [["STAGE", "SORT", "w", "BY", "x_*", "STORE", "w"], /COMMAND/],
      [["STAGE", "NOSUCH", "w"], /COMMAND .*unknown command/],
      [["STAGE", "GET"], /COMMAND .*wrong number/],
      [["RELEASE", "other"], /NOTLOCKED other/],
      [["UPGRADE", "other"], /NOTLOCKED other/],
    ];
    for (const [words, expected] of refusals) {
      const [what, ...rest] = words;
      assertMatch(String(await holder.do(what!, ...rest)), expected);
    }
    await holder.close();
    for (const words of [["READ", "GET", "w"], ["COMMIT"], ["RELEASE", "w"]]) {
      const [what, ...rest] = words;
      assertMatch(String(await holder.do(what!, ...rest)), /CLOSED/);
    }
  },
);

lockSuite(
  "staged writes are seen at the commit, all at once",
  async (room) => {
    const { admin } = room;
    const [a, b] = tagsOnDistinctSlots(2).map((tag) => `{${tag}}k`);
    await ask(admin, ["SET", a!, "old"]);
    const holder = await room.holder();
    await holder.take(`WRITE ${a} WRITE ${b}`);
    await holder.do("STAGE", "SET", a!, "new");
    await holder.do("STAGE", "RPUSH", b!, "x", "y");
    await holder.do("STAGE", "INCR", b!);
    await holder.do("STAGE", "GET", a!);
    assertEquals(await holder.do("READ", "GET", a!), "$3\r\nold\r\n");
    const reader = await room.park("EXISTS", a!, b!);
    const replies = String(await holder.do("COMMIT"));
    assertMatch(
      replies,
      /^\*4\r\n\+OK\r\n:2\r\n-WRONGTYPE.*\r\n\$3\r\nnew\r\n$/s,
    );
    await room.waitsForLock(reader);
    await holder.close();
    await expectReply(reader, 2);
  },
);

lockSuite(
  "KT47: others are told of a commit once, and find what is final",
  async (room, { server }) => {
    const { admin } = room;
    using cache = await server.client({ resp: 3, timeoutMs: 8000 });
    using listener = await server.client({ resp: 2, timeoutMs: 8000 });
    using looker = await server.client({ timeoutMs: 8000 });
    const { readsNext, next } = {
      readsNext: async () => plain(await cache.readReply()),
      next: async () => (plain(await listener.readReply()) as Plain[]).slice(2),
    };
    await ask(admin, "CONFIG SET notify-keyspace-events KA");
    await ask(cache, "CLIENT TRACKING ON");
    await ask(cache, "MGET k l");
    await ask(listener, "PSUBSCRIBE __keyspace@*");
    const holder = await room.holder();
    await holder.take("WRITE k WRITE l");
    await holder.do("STAGE", "SET", "k", "a");
    await holder.do("STAGE", "APPEND", "k", "b");
    await holder.do("STAGE", "RPUSH", "l", "x", "y");
    await holder.do("STAGE", "RPUSH", "l", "z");
    // Nothing is told before.
    await ask(admin, "SET other 1");
    assertEquals(await next(), ["__keyspace@0__:other", "set"]);
    await holder.do("COMMIT");
    const events = [];
    for (let i = 0; i < 4; i++) {
      events.push(await next());
      // Whoever looks as soon as it is told finds the last value.
      if (i > 0) continue;
      await looker.sendCommands([["GET", "k"], ["LRANGE", "l", "0", "-1"]]);
    }
    assertEquals(events, [
      ["__keyspace@0__:k", "set"],
      ["__keyspace@0__:k", "append"],
      ["__keyspace@0__:l", "rpush"],
      ["__keyspace@0__:l", "rpush"],
    ]);
    await holder.close();
    assertEquals(plain(await looker.readReply()), "ab");
    assertEquals(plain(await looker.readReply()), ["x", "y", "z"]);
    // One message about each key, then nothing.
    const dropped = [await readsNext(), await readsNext()];
    const keys = dropped.map((message) => (message as Plain[])[1]);
    assertEquals(keys.map(String).sort(), ["k", "l"]);
    await cache.sendCommands([["PING"]]);
    assertEquals(await readsNext(), "PONG");
    await ask(admin, "SET other 2");
    assertEquals(await next(), ["__keyspace@0__:other", "set"]);
    await ask(admin, ["CONFIG", "SET", "notify-keyspace-events", ""]);
  },
);

lockSuite("a handle that is closed before drops its writes", async (room) => {
  await ask(room.admin, "SET k old");
  const holder = await room.holder();
  await holder.take("WRITE k");
  for (let i = 0; i < 1000; i++) await holder.do("STAGE", "SET", "k", `${i}`);
  await holder.close();
  assertEquals(await ask(room.admin, "GET k"), "old");
});

lockSuite("large values of a handle's replies", async (room) => {
  const value = "x".repeat(300_000);
  await ask(room.admin, ["SET", "k", value]);
  const holder = await room.holder();
  await holder.take("READ k");
  assertEquals(await holder.do("READ", "GET", "k"), `$300000\r\n${value}\r\n`);
  await holder.close();
});

lockSuite("a wait for locks has an end", async (room) => {
  const first = await room.holder();
  const second = await room.holder(first);
  await first.take("WRITE a");
  assertEquals(await second.do("TRY", "READ", "a"), "BUSY");
  const error = String(await second.do("TAKE", "READ", "a", "WAIT", "30"));
  assertMatch(error, /TIMEOUT/);
  await first.close();
});

lockSuite("INFO counts locks and those who wait", async (room) => {
  const { admin } = room;
  const NAMES = [
    ...["read_locks_granted", "write_locks_granted", "locks_queued"],
    ...["locks_denied", "locks_aborted", "lock_parked_commands"],
    ...["lock_wait_timeouts", "lock_handles", "locked_keys"],
  ];
  const figures = async () => {
    const info = String(await ask(admin, "INFO stats"));
    return NAMES.map((name) =>
      Number(new RegExp(`sherd_${name}:(\\d+)`).exec(info)![1])
    );
  };
  const before = await figures();
  const first = await room.holder();
  const second = await room.holder(first);
  await first.take("READ a READ b WRITE c");
  await second.do("TRY", "READ", "c");
  await second.do("TAKE", "WRITE", "b", "WAIT", "10");
  const parked = await room.park("SET", "a", "1");
  const differences = async () =>
    (await figures()).map((figure, i) => figure - before[i]!);
  assertEquals(await differences(), [2, 1, 1, 1, 0, 1, 0, 1, 3]);
  const words = texts(await ask(admin, "LOCKS LIST"));
  await ask(admin, ["LOCKS", "KILL", words[words.indexOf("id") + 1]!]);
  await expectReply(parked, "OK");
  await until("the handle is gone", async () => {
    return (await differences())[7] === 0;
  });
  assertEquals(await differences(), [2, 1, 1, 1, 1, 1, 0, 0, 0]);
});

lockSuite("the end of a connection: readers stop", async (room) => {
  const holder = await room.holder();
  await holder.take("READ k CLIENT");
  const writer = await room.park("SET", "k", "v");
  holder.client.close();
  await expectReply(writer, "OK");
});

lockSuite("the end of a connection: writers finish", async (room) => {
  const { admin } = room;
  const holder = await room.holder();
  await holder.take("WRITE k CLIENT");
  await holder.do("STAGE", "SET", "k", "v");
  await holder.do("CLOSEIN", "100");
  const reader = await room.park("GET", "k");
  holder.client.close();
  await room.waitsForLock(reader);
  await expectReply(reader, null);
  assertEquals(await ask(admin, "GET k"), null);
});

lockSuite(
  "the end of a connection whose locks are not there yet",
  async (room) => {
    const first = await room.holder();
    const second = await room.holder(first);
    await first.take("WRITE k");
    await second.request("WRITE k CLIENT");
    await room.waitersOf("k", 1);
    second.client.close();
    await room.waitersOf("k", 0);
    await first.close();
  },
);

lockSuite(
  "locks that are held for too long are taken away",
  async (room, context) => {
    const { admin } = room;
    await ask(admin, "CONFIG SET lock-hold-warning 50");
    const holder = await room.holder();
    const writer = await room.crowd.join();
    await holder.take("WRITE k HOLD 150");
    await writer.client.sendCommands([["SET", "k", "v"]]);
    await expectReply(writer, "OK");
    assertMatch(String(await holder.do("COMMIT")), /ABORTED/);
    await until("the log names the holder", () => {
      const { stdout, stderr } = context.server;
      const lines = (stdout + stderr).split("\n")
        .filter((line) => line.includes(`"${holder.name}"`));
      return Promise.resolve(
        lines.some((line) => line.includes("are held for")) &&
          lines.some((line) => line.includes("released now")),
      );
    });
    await ask(admin, "CONFIG SET lock-hold-warning 1000");
  },
);

lockSuite("functions that find out which keys they need", async (room) => {
  const { admin } = room;
  const tags = tagsOnDistinctSlots(4).map((tag) => `{${tag}}k`);
  const clients = [];
  for (let i = 0; i < 4; i++) clients.push(await room.holder());
  // Each in an order of its own, so that somebody has to begin anew.
  const orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]];
  for (const [i, holder] of clients.entries()) {
    const keys = orders[i]!.map((at) => tags[at]!);
    await holder.client.sendCommands([
      ["DEBUG", "KEYLOCK", "DEMAND", holder.name, "3", "3", ...keys],
    ]);
  }
  for (const holder of clients) {
    const runs = Number(await answer(holder));
    assert(runs >= 1 && runs <= 6, `${runs} runs`);
  }
  const values = new Set<string>();
  for (const key of tags) values.add(String(await ask(admin, ["GET", key])));
  // All four appended to all keys in the same order.
  assertEquals(values.size, 1);
  for (const { name } of clients) {
    assertEquals([...values][0]!.split(name).length, 2);
  }
});

lockSuite(
  "a function that must begin anew asks for all its keys",
  async (room) => {
    const { admin } = room;
    const [first, last] = ["{t}a", "{t}b"];
    const blocker = await room.holder();
    const holder = await room.holder(blocker);
    await blocker.take(`WRITE ${first}`);
    await holder.client.sendCommands([
      ["DEBUG", "KEYLOCK", "DEMAND", holder.name, "3", "1", last, first],
    ]);
    await room.waitersOf(first, 1);
    assertEquals(await ask(admin, ["GET", last]), null);
    await blocker.close();
    assertEquals(await answer(holder), "2");
    assertEquals(await ask(admin, ["GET", first]), holder.name);
  },
);

lockSuite(
  "a function that never gets through locks everything",
  async (room) => {
    const { admin } = room;
    const [first, last] = ["{t}a", "{t}b"];
    const blocker = await room.holder();
    const holder = await room.holder(blocker);
    const late = await room.holder();
    await blocker.take(`WRITE ${first}`);
    await holder.client.sendCommands([
      ["DEBUG", "KEYLOCK", "DEMAND", holder.name, "0", "40", last, first],
    ]);
    await until("everything is asked for", async () => {
      const stats = String(await ask(admin, "INFO stats"));
      return /sherd_locked_keys:[2-9]/.test(stats);
    });
    // Commands go on, and who has locks gets more; nobody else does.
    assertEquals(await ask(admin, "SET other 1"), "OK");
    assertEquals(await blocker.do("MORE", "WRITE", last), "OK");
    await late.request("WRITE other");
    assertEquals(await ask(admin, "FLUSHDB ASYNC x"), "-ERR syntax error");
    await blocker.close();
    // Now it is alone.
    await until("everything is locked", async () => {
      const words = texts(await ask(admin, "LOCKS LIST"));
      return words.includes(holder.name);
    });
    const reader = await room.park("GET", "other");
    const swap = await room.park("SWAPDB", "1", "2");
    assertEquals(await answer(holder), "2");
    assertEquals(await answer(late), "OK");
    await late.close();
    await expectReply(reader, "1");
    await expectReply(swap, "OK");
  },
);

/**
 * Holders and commands on random keys, in any order: all get through, and
 * nothing is left. The time is bounded.
 */
seeded("locks and commands without a deadlock", async (random) => {
  const workers = random.pick([2, 4]);
  await using server = await startServer({ workers });
  using admin = await server.client();
  const context = { client: admin, server, resp: 2, workers } as const;
  using room = new LockRoom(context);
  const tags = tagsOnDistinctSlots(6).map((tag) => `{${tag}}k`);
  const some = (most: number) => {
    const count = random.between(1, most);
    return Array.from({ length: count }, () => random.pick(tags));
  };
  const endMs = performance.now() + 2500;

  const hold = async () => {
    const holder = await room.holder();
    while (performance.now() < endMs) {
      const words = some(3).map((key) =>
        `${random.pick(["READ", "WRITE"])} ${key}`
      );
      const kind = random.below(4);
      if (kind === 3) {
        const keys = some(4);
        const what = random.pick(["DEMAND", "ATTEMPT"]);
        assert(Number(await holder.do(what, "2", "0", ...keys)) > 0);
        continue;
      }
      if (random.chance(0.3)) words.push("OPTIMISTIC");
      const taken = await holder.do(
        kind === 0 ? "TRY" : "TAKE",
        ...words.join(" ").split(" "),
      );
      if (taken === "BUSY") continue;
      assertEquals(taken, "OK");
      const written = words.find((word) => word.startsWith("WRITE"));
      if (written !== undefined) {
        await holder.do("STAGE", "APPEND", written.slice(6), "x");
        await holder.do("COMMIT");
      }
      if (random.below(3) === 0) {
        await holder.do("TRYMORE", "READ", random.pick(tags));
        await holder.do("MORE", "WRITE", random.pick(tags));
      }
      if (random.below(3) === 0) await holder.do("UPGRADE", words[0]!.slice(5));
      await holder.close();
    }
  };
  const command = async () => {
    using client = await server.client();
    while (performance.now() < endMs) {
      const [a, b] = [random.pick(tags), random.pick(tags)];
      const argv = random.pick<string[]>([
        ["GET", a],
        ["APPEND", a, "y"],
        ["MGET", ...some(4)],
        ["MSET", a, "1", b, "2"],
        ["COPY", a, `${b}c`, "REPLACE"],
        ["DEL", a, b],
        ["DBSIZE"],
        ...random.below(10) === 0 ? [["FLUSHALL"], ["SWAPDB", "0", "1"]] : [],
      ]);
      const reply = plain(await client.run(...argv));
      assertEquals(reply instanceof Error, false, `${argv}: ${reply}`);
      if (random.below(5) > 0) continue;
      await client.pipeline([["MULTI"], argv, ["APPEND", b, "z"], ["EXEC"]]);
    }
  };
  await Promise.all([
    ...Array.from({ length: 8 }, hold),
    ...Array.from({ length: 8 }, command),
  ]);
  await room.expectNothing();
  assertEquals(texts(await ask(admin, "LOCKS LIST")), []);
}, { count: 2 });

Deno.test("snapshots do not wait for locks, and have what is committed", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await using server = await startServer({
      workers: 2,
      args: ["--dir", dir],
    });
    using admin = await server.client();
    const context = { client: admin, server, resp: 2, workers: 2 } as const;
    using room = new LockRoom(context);
    await ask(admin, "MSET k old r read");
    const writer = await room.holder();
    const reader = await room.holder(writer);
    await writer.take("WRITE k");
    await reader.take("READ r");
    await writer.do("STAGE", "SET", "k", "new");
    assertEquals(await ask(admin, "SAVE"), "OK");
    await writer.do("COMMIT");
    await writer.close();
    assertEquals(await ask(admin, "GET k"), "new");
    // All data is replaced under the reader, which keeps what it had.
    assertEquals(await ask(admin, "DEBUG RELOAD NOSAVE"), "OK");
    assertEquals(await ask(admin, "MGET k r"), ["old", "read"]);
    assertEquals(await reader.do("ENTRY", "r"), 1);
    await reader.close();
    assertEquals(await ask(admin, "MGET k r"), ["old", "read"]);
    await room.expectNothing();
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("KT35: no snapshot has keys apart that are written together", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await using server = await startServer({
      workers: 3,
      args: ["--dir", dir],
    });
    using admin = await server.client();
    const context = { client: admin, server, resp: 2, workers: 3 } as const;
    using room = new LockRoom(context);
    const [a, b, c] = tagsOnDistinctSlots(3).map((tag) => `{${tag}}k`);
    let isOver = false;
    const seen = new Set<string>();
    const writing = Array.from({ length: 3 }, async (_, number) => {
      const holder = await room.holder();
      for (let round = 0; !isOver; round++) {
        await holder.take(`WRITE ${a} WRITE ${b} WRITE ${c}`);
        for (const key of [a, b, c]) {
          await holder.do("STAGE", "SET", key!, `${number}:${round}`);
        }
        await holder.do("COMMIT");
        await holder.close();
      }
    });
    for (let round = 0; round < 20; round++) {
      assertEquals(await ask(admin, "SAVE"), "OK");
      const digests = new Set(digestsIn(`${dir}/dump.rdb`).values());
      assert(digests.size <= 1, "all keys have one value");
      for (const digest of digests) seen.add(digest);
    }
    isOver = true;
    await Promise.all(writing);
    assert(seen.size > 1, "the keys have changed between snapshots");
    await room.expectNothing();
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
