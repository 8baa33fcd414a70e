/**
 * Key locks as other clients meet them: who waits, who passes, in which order
 * they go on, and that nothing is left behind.
 *
 * Of the specification: KT3 to KT13 and KT14 to KT17 in their order, KT23, KT39
 * (EXEC), KT40 (WATCH), KT42 (expires), KT44 (FLUSHALL), KT45 (SWAPDB), KT46
 * (blocking commands), KT48 (PFCOUNT).
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { until, untilQuickEnough } from "../_patience.ts";
import { type Plain, plain } from "../_resp_client.ts";
import { lockSuite, texts } from "./_locks.ts";
import { ask, expectReplies } from "./_replies.ts";
import { expectReply } from "./_waiting.ts";

lockSuite("a read lock lets reads pass and parks writes", async (room) => {
  const { admin } = room;
  await ask(admin, "SADD s x y");
  const holder = await room.holder();
  await holder.take("READ s");
  assertEquals(await ask(admin, "SCARD s"), 2);
  assertEquals(await ask(admin, "SISMEMBER s x"), 1);
  const writer = await room.park("SADD", "s", "z");
  assertEquals(await ask(admin, "SCARD s"), 2);
  await holder.close();
  await expectReply(writer, 1);
  assertEquals(await ask(admin, "SCARD s"), 3);
});

lockSuite("a write lock parks every command on the key", async (room) => {
  const { admin } = room;
  await ask(admin, "SET k v");
  const holder = await room.holder();
  await holder.take("WRITE k");
  const waiting = [];
  for (
    const command of [
      "GET k",
      "EXISTS k",
      "TTL k",
      "TYPE k",
      "STRLEN k",
      "OBJECT ENCODING k",
      "DUMP k",
      "TOUCH k",
    ]
  ) waiting.push(await room.park(...command.split(" ")));
  await expectReplies(admin, [["SET other 1", "OK"], ["GET other", "1"]]);
  await holder.close();
  const replies = [];
  for (const client of waiting) replies.push(await client.reply());
  replies[6] = "dump";
  const expected = ["v", 1, -1, "string", 1, "embstr", "dump", 1];
  assertEquals(replies, expected);
});

lockSuite("a writer waits for all readers", async (room) => {
  const { admin } = room;
  const first = await room.holder();
  const second = await room.holder(first);
  await first.take("READ s");
  await second.take("READ s");
  const writer = await room.park("SADD", "s", "x");
  await first.close();
  assertEquals(await ask(admin, "SCARD s"), 0);
  await room.waitsForLock(writer);
  await second.close();
  await expectReply(writer, 1);
});

lockSuite("read locks queue behind a waiting write lock", async (room) => {
  const first = await room.holder();
  const writer = await room.holder(first);
  const reader = await room.holder(writer);
  await first.take("READ k");
  await writer.request("WRITE k");
  await room.waitersOf("k", 1);
  await reader.request("READ k");
  await room.waitersOf("k", 2);
  // Commands that read pass them.
  assertEquals(await ask(room.admin, "GET k"), null);
  await first.close();
  assertEquals(plain(await writer.client.readReply()), "OK");
  await room.waitersOf("k", 1);
  await writer.close();
  assertEquals(plain(await reader.client.readReply()), "OK");
  await reader.close();
});

lockSuite("downgrading lets readers in and no writer", async (room) => {
  await ask(room.admin, "SET k v");
  const holder = await room.holder();
  await holder.take("WRITE k");
  const reader = await room.park("GET", "k");
  const writer = await room.park("SET", "k", "w");
  assertEquals(await holder.do("DOWNGRADE", "k"), "OK");
  await expectReply(reader, "v");
  await room.waitsForLock(writer);
  await holder.close();
  await expectReply(writer, "OK");
});

lockSuite("a missing key can be locked", async (room) => {
  const holder = await room.holder();
  await holder.take("READ k");
  const writer = await room.park("SET", "k", "v");
  assertEquals(await ask(room.admin, "GET k"), null);
  await holder.close();
  await expectReply(writer, "OK");
  assertEquals(await ask(room.admin, "GET k"), "v");
});

lockSuite("parked writers run in the order of arrival", async (room) => {
  const holder = await room.holder();
  await holder.take("READ l");
  const waiting = [];
  for (let i = 0; i < 6; i++) {
    waiting.push(await room.park("RPUSH", "l", `${i}`));
  }
  await holder.close();
  for (let i = 0; i < 6; i++) await expectReply(waiting[i]!, i + 1);
  assertEquals(
    await ask(room.admin, "LRANGE l 0 -1"),
    ["0", "1", "2", "3", "4", "5"],
  );
});

lockSuite("replies keep the order of their requests", async (room) => {
  const { admin } = room;
  await ask(admin, "SET y 1");
  const holder = await room.holder();
  await holder.take("READ s");
  const waiting = await room.crowd.join();
  await waiting.client.sendCommands([
    ["INCR", "y"],
    ["SADD", "s", "x"],
    ["INCR", "y"],
    ["GET", "y"],
  ]);
  await room.waitsForLock(waiting);
  assertEquals(await ask(admin, "GET y"), "2");
  await holder.close();
  for (const expected of [2, 1, 3, "3"]) await expectReply(waiting, expected);
});

lockSuite("a hundred parked commands all run once", async (room) => {
  const { admin } = room;
  const holder = await room.holder();
  await holder.take("WRITE n");
  const waiting = [];
  for (let i = 0; i < 100; i++) {
    const client = await room.crowd.join();
    await client.client.sendCommands([
      i % 3 === 0 ? ["GET", "n"] : ["INCR", "n"],
    ]);
    waiting.push(client);
  }
  await room.waitersOf("n", 100);
  const info = String(await ask(admin, "INFO clients"));
  assertMatch(info, /sherd_blocked_on_locks:100\r/);
  await holder.close();
  const counted = new Set<Plain>();
  for (const [i, client] of waiting.entries()) {
    const reply = await client.reply();
    if (i % 3 === 0) continue;
    assertEquals(counted.has(reply), false);
    counted.add(reply);
  }
  assertEquals(await ask(admin, "GET n"), "66");
});

lockSuite("lock-wait-timeout ends the wait with an error", async (room) => {
  const { admin } = room;
  await ask(admin, "CONFIG SET lock-wait-timeout 50");
  const holder = await room.holder();
  await holder.take("WRITE k");
  const waiting = await room.crowd.join();
  await waiting.client.sendCommands([["GET", "k"], ["PING"], ["MULTI"], [
    "GET",
    "k",
  ], ["EXEC"]]);
  const locked = "-LOCKED key is locked by a background operation";
  await expectReply(waiting, locked);
  for (const expected of ["PONG", "OK", "QUEUED"]) {
    await expectReply(waiting, expected);
  }
  await expectReply(
    waiting,
    "-EXECABORT Transaction discarded because of: " + locked.slice(1),
  );
  await room.waitersOf("k", 0);
  await holder.close();
  await ask(admin, "CONFIG SET lock-wait-timeout 0");
});

lockSuite("CLIENT UNBLOCK and CLIENT KILL end the wait", async (room) => {
  const { admin } = room;
  const holder = await room.holder();
  await holder.take("WRITE k");
  const first = await room.park("GET", "k");
  const second = await room.park("LRANGE", "k", "0", "-1");
  const third = await room.park("SET", "k", "v");
  const killed = await room.park("SET", "k", "w");
  assertEquals(await ask(admin, `CLIENT UNBLOCK ${first.id}`), 1);
  await expectReply(first, null);
  assertEquals(await ask(admin, `CLIENT UNBLOCK ${second.id} TIMEOUT`), 1);
  await expectReply(second, null);
  assertEquals(await ask(admin, `CLIENT UNBLOCK ${third.id} ERROR`), 1);
  await expectReply(third, "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
  assertEquals(await ask(admin, `CLIENT UNBLOCK ${third.id}`), 0);
  assertEquals(await ask(admin, `CLIENT KILL ID ${killed.id}`), 1);
  await room.waitersOf("k", 0);
  await holder.close();
  assertEquals(await ask(admin, "GET k"), null);
});

lockSuite("a client that disconnects leaves the queue", async (room) => {
  const holder = await room.holder();
  await holder.take("READ k");
  const gone = await room.park("SET", "k", "1");
  await gone.client.sendCommands([["PING"], ["SET", "k", "x".repeat(20_000)]]);
  const next = await room.park("APPEND", "k", "2");
  gone.client.close();
  await room.waitersOf("k", 1);
  await holder.close();
  await expectReply(next, 1);
});

lockSuite("several keys: a command waits for all of them", async (room) => {
  const { admin } = room;
  const [a, b] = tagsOnDistinctSlots(2).map((tag) => `{${tag}}k`);
  await ask(admin, ["MSET", a!, "1", b!, "2"]);
  for (const order of [0, 1]) {
    const first = await room.holder();
    const second = await room.holder(first);
    await first.take(`WRITE ${a}`);
    await second.take(`WRITE ${b}`);
    const reader = await room.park("MGET", a!, b!);
    const holders = order === 0 ? [first, second] : [second, first];
    await holders[0]!.close();
    await room.waitsForLock(reader);
    await holders[1]!.close();
    await expectReply(reader, ["1", "2"]);
  }
});

lockSuite("a key that is locked again in between", async (room) => {
  const { admin } = room;
  const [a, b] = tagsOnDistinctSlots(2).map((tag) => `{${tag}}k`);
  const first = await room.holder();
  const second = await room.holder(first);
  const third = await room.holder(second);
  await first.take(`WRITE ${a}`);
  await second.take(`WRITE ${b}`);
  const reader = await room.park("MGET", a!, b!);
  await first.close();
  // It waits for b alone, and holds nothing.
  await room.waitersOf(a!, 0);
  await third.take(`WRITE ${a}`);
  await second.close();
  await room.waitersOf(a!, 1);
  await room.waitersOf(b!, 0);
  await third.close();
  await expectReply(reader, [null, null]);
  assertEquals(await ask(admin, "DBSIZE"), 0);
});

lockSuite("both names of RENAME, COPY and MOVE", async (room) => {
  const { admin } = room;
  const [a, b] = tagsOnDistinctSlots(2).map((tag) => `{${tag}}k`);
  const holder = await room.holder();
  await ask(admin, ["SET", a!, "1"]);
  await holder.take(`READ ${b}`);
  const rename = await room.park("RENAME", a!, b!);
  await holder.close();
  await expectReply(rename, "OK");
  assertEquals(await ask(admin, ["GET", b!]), "1");

  await holder.take(`READ ${b}`);
  // Reading its source is no harm.
  assertEquals(await ask(admin, ["COPY", b!, a!]), 1);
  await holder.close();

  await holder.take(`WRITE ${b} DB 3`);
  const copy = await room.park("COPY", a!, b!, "DB", "3");
  const move = await room.park("MOVE", b!, "3");
  await holder.close();
  await expectReply(copy, 1);
  await expectReply(move, 0);
});

lockSuite("EXEC waits for all keys, and stays atomic", async (room) => {
  const { admin } = room;
  const [a, b] = tagsOnDistinctSlots(2).map((tag) => `{${tag}}k`);
  const holder = await room.holder();
  await holder.take(`READ ${a} READ late DB 2`);
  const other = await room.holder(holder);
  await other.take(`READ ${a}`);
  const client = await room.crowd.join();
  await client.client.sendCommands([
    ["MULTI"],
    ["INCR", b!],
    ["INCR", a!],
    ["SELECT", "2"],
    ["INCR", "late"],
    ["EXEC"],
  ]);
  await room.waitsForLock(client);
  assertEquals(await ask(admin, ["GET", b!]), null);
  await other.close();
  await room.waitsForLock(client);
  assertEquals(await ask(admin, ["GET", b!]), null);
  await holder.close();
  const queued = "QUEUED";
  for (const expected of ["OK", queued, queued, queued, queued]) {
    await expectReply(client, expected);
  }
  await expectReply(client, [1, 1, "OK", 1]);
});

lockSuite("WATCH: a read lock is no change, a commit is one", async (room) => {
  const { admin } = room;
  const holder = await room.holder();
  await expectReplies(admin, [["SET k 1", "OK"], ["WATCH k", "OK"]]);
  await holder.take("READ k");
  await holder.close();
  await expectReplies(admin, [["MULTI", "OK"], ["GET k", "QUEUED"], [
    "EXEC",
    ["1"],
  ]]);
  await ask(admin, "WATCH k");
  await holder.take("WRITE k");
  await holder.do("STAGE", "SET", "k", "2");
  await holder.do("COMMIT");
  await holder.close();
  await expectReplies(admin, [["MULTI", "OK"], ["GET k", "QUEUED"], [
    "EXEC",
    null,
  ]]);
});

lockSuite("a watched key that changes ends the wait of EXEC", async (room) => {
  const { admin } = room;
  const holder = await room.holder();
  const client = await room.crowd.join();
  await client.client.sendCommands([["WATCH", "w"], ["MULTI"], [
    "SET",
    "k",
    "1",
  ]]);
  for (const expected of ["OK", "OK", "QUEUED"]) {
    await expectReply(client, expected);
  }
  await holder.take("READ k");
  await client.client.sendCommands([["EXEC"]]);
  await room.waitsForLock(client);
  await ask(admin, "SET w 1");
  await holder.close();
  await expectReply(client, null);
});

lockSuite("a key whose time comes while it is locked", async (room) => {
  const { admin } = room;
  const holder = await room.holder();
  await untilQuickEnough(async (factor) => {
    const px = `PX ${100 * factor}`;
    await admin.pipeline(
      ["k", "other"].map((key) => `SET ${key} v ${px}`.split(" ")),
    );
    await holder.take("READ k");
    if (await holder.do("ENTRY", "k") === 1) return true;
    await holder.close();
    return false;
  });
  await until("the key has expired", async () => {
    return await ask(admin, "GET other") === null;
  });
  // Another one is deleted by the cycle or the lookup, this one stays.
  assertEquals(await ask(admin, "EXISTS k other"), 0);
  assertEquals(await holder.do("ENTRY", "k"), 1);
  assertEquals(await holder.do("READ", "GET", "k"), "$1\r\nv\r\n");
  assertEquals(await ask(admin, "DBSIZE"), 1);
  assertEquals(await ask(admin, "RANDOMKEY"), null);
  await holder.close();
  assertEquals(await ask(admin, "DBSIZE"), 0);
});

lockSuite("fields whose time comes while the hash is locked", async (room) => {
  const { admin } = room;
  const holder = await room.holder();
  await untilQuickEnough(async (factor) => {
    await ask(admin, "HSET h f 1 g 2");
    await ask(admin, `HPEXPIRE h ${100 * factor} FIELDS 1 f`);
    await holder.take("READ h");
    if (await holder.do("READ", "HLEN", "h") === ":2\r\n") return true;
    await holder.close();
    return false;
  });
  await until("the field has expired", async () => {
    return await ask(admin, "HGET h f") === null;
  });
  assertEquals(await ask(admin, "HLEN h"), 2);
  assertEquals(await holder.do("READ", "HGET", "h", "f"), "$1\r\n1\r\n");
  await holder.close();
  await expectReplies(admin, [["HGET h f", null], ["HLEN h", 1]]);
});

lockSuite("FLUSHALL leaves a reader its value", async (room) => {
  const { admin } = room;
  await ask(admin, "RPUSH l a b c");
  await ask(admin, "SET t v");
  const holder = await room.holder();
  await holder.take("READ l");
  assertEquals(await ask(admin, "FLUSHALL"), "OK");
  assertEquals(await ask(admin, "DBSIZE"), 0);
  assertEquals(await ask(admin, "EXISTS l"), 0);
  assertEquals(await holder.do("ENTRY", "l"), 1);
  assertEquals(await holder.do("READ", "LLEN", "l"), ":3\r\n");
  assertEquals(await ask(admin, "EXISTS l"), 0);
  const writer = await room.park("RPUSH", "l", "d");
  await holder.close();
  await expectReply(writer, 1);
});

lockSuite("FLUSHALL waits for writers, SWAPDB for all", async (room) => {
  const { admin } = room;
  await ask(admin, "SET k v");
  const holder = await room.holder();
  await holder.take("WRITE k");
  const flush = await room.park("FLUSHALL");
  const swap = await room.park("SWAPDB", "0", "1");
  // Who waits for a whole database does not keep other commands.
  assertEquals(await ask(admin, "SET other 1"), "OK");
  assertEquals(await ask(admin, "DBSIZE"), 2);
  await holder.close();
  await expectReply(flush, "OK");
  await expectReply(swap, "OK");

  await ask(admin, "SET k v");
  await holder.take("READ k");
  const again = await room.park("SWAPDB", "0", "1");
  const client = await room.crowd.join();
  await client.client.sendCommands([["MULTI"], ["SWAPDB", "0", "1"], ["EXEC"]]);
  await room.waitsForLock(client);
  assertEquals(await ask(admin, "GET k"), "v");
  await holder.close();
  await expectReply(again, "OK");
  await expectReply(client, "OK");
  await expectReply(client, "QUEUED");
  await expectReply(client, ["OK"]);
});

lockSuite("blocking commands wait for the lock first", async (room) => {
  const { admin } = room;
  const holder = await room.holder();
  await ask(admin, "RPUSH l a");
  await holder.take("WRITE l");
  const first = await room.park("BLPOP", "l", "0");
  const second = await room.park("BRPOP", "l", "0");
  await holder.do("STAGE", "RPUSH", "l", "b", "c");
  assertEquals(await holder.do("COMMIT"), "*1\r\n:3\r\n");
  await holder.close();
  await expectReply(first, ["l", "a"]);
  await expectReply(second, ["l", "c"]);
});

lockSuite(
  "who waits for elements is served when the key is free",
  async (room) => {
    const { admin } = room;
    const holder = await room.holder();
    const first = await room.crowd.wait("BLPOP", "l", "0");
    const second = await room.crowd.wait("BLPOP", "l", "0");
    await holder.take("WRITE l");
    await holder.do("STAGE", "RPUSH", "l", "a", "b", "c");
    await holder.do("COMMIT");
    const late = await room.park("LLEN", "l");
    assertEquals(await holder.do("READ", "LLEN", "l"), ":3\r\n");
    await holder.close();
    await expectReply(first, ["l", "a"]);
    await expectReply(second, ["l", "b"]);
    assertEquals([1, 3].includes(Number(await late.reply())), true);
    assertEquals(await ask(admin, "LRANGE l 0 -1"), ["c"]);
  },
);

lockSuite("BLMOVE is served when its target is free", async (room) => {
  const { admin } = room;
  const [a, b] = tagsOnDistinctSlots(2).map((tag) => `{${tag}}l`);
  const mover = await room.crowd.wait("BLMOVE", a!, b!, "LEFT", "LEFT", "0");
  const holder = await room.holder();
  await holder.take(`READ ${b}`);
  assertEquals(await ask(admin, ["RPUSH", a!, "x"]), 1);
  assertEquals(await ask(admin, ["LLEN", a!]), 1);
  await holder.close();
  await expectReply(mover, "x");
  assertEquals(await ask(admin, ["LRANGE", b!, "0", "-1"]), ["x"]);
});

lockSuite("SORT does not look at a key that is being written", async (room) => {
  const { admin } = room;
  await ask(admin, "RPUSH l 1 2");
  await ask(admin, "MSET w_1 2 w_2 1");
  const holder = await room.holder();
  await holder.take("WRITE w_2");
  const locked = "-LOCKED key is locked by a background operation";
  await expectReplies(admin, [
    ["SORT l BY w_*", locked],
    ["SORT l GET w_*", locked],
    ["SORT l BY w_* STORE to", locked],
    ["EXISTS to", 0],
    ["SORT l", ["1", "2"]],
  ]);
  await holder.close();
  assertEquals(await ask(admin, "SORT l BY w_*"), ["2", "1"]);
});

lockSuite("PFCOUNT of a locked key changes no byte", async (room) => {
  const { admin } = room;
  await ask(admin, "PFADD h a b c");
  const before = await admin.runRaw("DUMP", "h");
  const holder = await room.holder();
  await holder.take("READ h");
  assertEquals(await ask(admin, "PFCOUNT h"), 3);
  assertEquals(await admin.runRaw("DUMP", "h"), before);
  await holder.close();
  assertEquals(await ask(admin, "PFCOUNT h"), 3);
});

lockSuite(
  "CLIENT PAUSE and CLIENT REPLY SKIP of a parked command",
  async (room) => {
    const { admin } = room;
    const holder = await room.holder();
    await holder.take("WRITE k WRITE other");
    const silent = await room.crowd.join();
    await silent.client.sendCommands([["CLIENT", "REPLY", "SKIP"], [
      "SET",
      "k",
      "1",
    ], ["PING"]]);
    await room.waitsForLock(silent);
    const paused = await room.park("APPEND", "other", "2");
    await ask(admin, "CLIENT PAUSE 60000 WRITE");
    await holder.client.sendCommands([[
      "DEBUG",
      "KEYLOCK",
      "CLOSE",
      holder.name,
    ]]);
    assertEquals(plain(await holder.client.readReply()), "OK");
    await ask(admin, "CLIENT UNPAUSE");
    await expectReply(silent, "PONG");
    await expectReply(paused, 1);
    assertEquals(await ask(admin, "MGET k other"), ["1", "2"]);
  },
);

lockSuite("LOCKS tells who holds and who waits", async (room, context) => {
  const { admin } = room;
  const holder = await room.holder();
  await holder.take("READ k WRITE w");
  const writer = await room.park("SET", "k", "v");
  const list = await ask(admin, "LOCKS LIST");
  const words = texts(list);
  assertEquals(words.includes(holder.name), true);
  const id = words[words.indexOf("id") + 1]!;
  assertEquals(words[words.indexOf("read-keys") + 1], "1");
  assertEquals(words[words.indexOf("write-keys") + 1], "1");
  assertEquals(words[words.indexOf("worker") + 1], `${holder.worker}`);
  assertEquals(texts(await ask(admin, "LOCKS INFO k")), [
    ...["mode", "read", "holders", id],
    ...["waiters", `command write worker=${writer.worker}`],
  ]);
  assertEquals(texts(await ask(admin, "LOCKS INFO other")), [
    ...["mode", "none", "holders", "waiters"],
  ]);
  assertEquals(await ask(admin, "LOCKS KILL 4000000000"), "-ERR No such lock");
  assertEquals(await ask(admin, ["LOCKS", "KILL", id]), "OK");
  await expectReply(writer, "OK");
  assertEquals(await holder.do("CLOSE"), "OK");
  assertMatch(
    String(await holder.do("READ", "GET", "w")),
    /ABORTED LOCKS KILL/,
  );
  const help = await ask(admin, "LOCKS HELP");
  assertEquals(texts(help).length, 9);
  assertEquals(context.workers > 0, true);
});

lockSuite(
  "long waits are in the slow log and the latency events",
  async (room) => {
    const { admin } = room;
    await ask(admin, "SLOWLOG RESET");
    await ask(admin, "LATENCY RESET");
    await ask(admin, "CONFIG SET latency-monitor-threshold 20");
    const holder = await room.holder();
    await holder.take("WRITE k");
    const writer = await room.park("SET", "k", "slow");
    assertEquals(await holder.do("CLOSEIN", "60"), "OK");
    await expectReply(writer, "OK");
    const slow = texts(await ask(admin, "SLOWLOG GET"));
    assertEquals(slow.includes("slow"), true);
    // Beside it, whatever else was slow.
    const latest = texts(await ask(admin, "LATENCY LATEST"));
    assertEquals(latest.includes("key-lock"), true);
    await ask(admin, "CONFIG SET latency-monitor-threshold 0");
  },
);

lockSuite("with lock-fairness fifo reads wait behind writers", async (room) => {
  const { admin } = room;
  await ask(admin, "CONFIG SET lock-fairness fifo");
  const holder = await room.holder();
  await holder.take("READ k");
  assertEquals(await ask(admin, "GET k"), null);
  const writer = await room.park("SET", "k", "v");
  const reader = await room.park("GET", "k");
  await holder.close();
  await expectReply(writer, "OK");
  await expectReply(reader, "v");
  await ask(admin, "CONFIG SET lock-fairness readers-pass");
});

lockSuite(
  "a command with more locked keys than it queues for",
  async (room) => {
    const { admin } = room;
    const keys = Array.from({ length: 300 }, (_, i) => `k${i}`);
    await ask(admin, ["MSET", ...keys.flatMap((key) => [key, "1"])]);
    const holder = await room.holder();
    await holder.take(keys.map((key) => `WRITE ${key}`).join(" "));
    const reader = await room.park("MGET", ...keys);
    const writer = await room.park("DEL", ...keys);
    assertEquals(await holder.do("RELEASE", ...keys.slice(0, 200)), "OK");
    await room.waitsForLock(reader);
    await holder.close();
    const values = keys.map(() => "1");
    assertEquals(
      [values, keys.map(() => null)].map(String).includes(
        String(await reader.reply()),
      ),
      true,
    );
    await expectReply(writer, 300);
  },
);

lockSuite(
  "a client that does not read keeps nobody in the queue",
  async (room) => {
    const { admin } = room;
    await ask(admin, ["SET", "big", "x".repeat(900_000)]);
    const holder = await room.holder();
    await holder.take("WRITE k");
    const lazy = await room.crowd.join();
    await lazy.client.sendCommands([
      ...Array.from({ length: 8 }, () => ["GET", "big"]),
      ["APPEND", "k", "1"],
      ...Array.from({ length: 8 }, () => ["GET", "big"]),
    ]);
    const next = await room.park("APPEND", "k", "2");
    await holder.close();
    const first = await next.reply();
    assertEquals(first === 1 || first === 2, true);
    for (let i = 0; i < 17; i++) await lazy.reply();
    assertEquals(String(await ask(admin, "GET k")).length, 2);
  },
);
