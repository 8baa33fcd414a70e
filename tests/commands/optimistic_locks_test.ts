/**
 * Optimistic locks (requirement K21) as other clients meet them: nobody waits,
 * and of those who have changed the same keys one has written nothing.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { seeded, startServer, tagsOnDistinctSlots } from "../_harness.ts";
import { until } from "../_patience.ts";
import { plain } from "../_resp_client.ts";
import { type Holder, LockRoom, lockSuite, texts } from "./_locks.ts";
import { ask, expectReplies } from "./_replies.ts";
import { expectReply } from "./_waiting.ts";

const CHANGED = /^-ERR LOCKCHANGED .* was changed by others$/;
const LOCKED = /^-ERR LOCKCHANGED .* is locked by others$/;

/** Keys of different shards. */
const [A, B] = tagsOnDistinctSlots(2).map((tag) => `{${tag}}k`) as [
  string,
  string,
];

/** A holder of these locks, on another worker than `other` if that is given. */
async function optimist(
  room: LockRoom,
  words: string,
  other?: Holder,
): Promise<Holder> {
  const holder = await room.holder(other);
  await holder.take(`${words} OPTIMISTIC`);
  return holder;
}

lockSuite("nobody waits for an optimistic holder", async (room) => {
  const { admin } = room;
  await ask(admin, ["MSET", A, "1", B, "2"]);
  const holder = await optimist(room, `READ ${A} WRITE ${B} WRITE missing`);
  await expectReplies(admin, [
    [["MGET", A, B], ["1", "2"]],
    [["OBJECT", "ENCODING", B], "int"],
    ["EXISTS missing", 0],
    // Of other keys, and of no key at all.
    ["SET other 1", "OK"],
    ["INCR other", 2],
    ["SETNX other 5", 0],
    ["DBSIZE", 3],
  ]);
  assertEquals(await holder.do("READ", "GET", B), "$1\r\n2\r\n");
  await holder.do("STAGE", "INCR", B);
  await holder.do("STAGE", "RPUSH", "missing", "x");
  assertEquals(await ask(admin, ["GET", B]), "2");
  assertEquals(await holder.do("COMMIT"), "*2\r\n:3\r\n:1\r\n");
  // Nothing is locked afterwards, either.
  await expectReplies(admin, [[["GET", B], "3"], [["INCR", B], 4]]);
  await holder.close();
});

lockSuite("a change by another client fails the commit", async (room) => {
  const { admin } = room;
  for (const changed of [A, B, "missing"]) {
    await ask(admin, ["MSET", A, "1", B, "2"]);
    await ask(admin, "DEL missing");
    const first = await room.holder();
    const holder = await optimist(
      room,
      `READ ${A} READ missing WRITE ${B} WRITE new`,
      first,
    );
    await holder.do("STAGE", "SET", B, "staged");
    await holder.do("STAGE", "SET", "new", "staged");
    // From another worker than the holder's, if there are several.
    assertEquals(
      plain(await first.client.run("SETRANGE", changed, "0", "9")),
      1,
    );
    for (const key of [A, B, "missing"]) {
      const value = String(await holder.do("READ", "GET", key));
      assertEquals(CHANGED.test(value), key === changed, value);
    }
    assertMatch(String(await holder.do("MORE", "READ", "more")), CHANGED);
    assertMatch(String(await holder.do("COMMIT")), CHANGED);
    assertMatch(String(await holder.do("COMMIT")), CHANGED);
    assertEquals(await ask(admin, ["MGET", B, "new"]), [
      changed === B ? "9" : "2",
      null,
    ]);
    await holder.close();
  }
});

/** What is done to the keys `k`, which exists, and `none`; and who sees it. */
const CHANGES: readonly [string, { k: boolean; none: boolean }][] = [
  ["SET k v", { k: true, none: false }],
  ["APPEND k x", { k: true, none: false }],
  ["DEL k none", { k: true, none: false }],
  ["EXPIRE k 100", { k: true, none: false }],
  ["RENAME k none", { k: true, none: true }],
  ["SETNX k w", { k: false, none: false }],
  ["SETNX none w", { k: false, none: true }],
  ["GET k", { k: false, none: false }],
  ["FLUSHALL", { k: true, none: false }],
  ["FLUSHDB", { k: true, none: false }],
  ["SWAPDB 0 1", { k: true, none: false }],
  ["SWAPDB 0 2", { k: true, none: true }],
  ["SWAPDB 1 2", { k: false, none: false }],
];

lockSuite("what is a change is what WATCH sees", async (room) => {
  const { admin } = room;
  const holders = {
    k: await room.holder(),
    none: await room.holder(),
  };
  for (const [command, seen] of CHANGES) {
    await ask(admin, "FLUSHALL");
    await expectReplies(admin, [
      ["SET k v", "OK"],
      ["SELECT 2", "OK"],
      ["SET none v", "OK"],
      ["SELECT 0", "OK"],
    ]);
    for (const key of ["k", "none"] as const) {
      await holders[key].take(`READ ${key} WRITE ${key}to OPTIMISTIC`);
      await holders[key].do("STAGE", "SET", `${key}to`, "staged");
    }
    await ask(admin, command);
    for (const key of ["k", "none"] as const) {
      const reply = String(await holders[key].do("COMMIT"));
      assertEquals(CHANGED.test(reply), seen[key], `${command}: ${reply}`);
      const isThere = await ask(admin, `EXISTS ${key}to`) === 1;
      assertEquals(isThere, !seen[key], command);
      await holders[key].close();
    }
  }
  await ask(admin, "FLUSHALL");
});

lockSuite("a key whose time comes has changed", async (room) => {
  const { admin } = room;
  const holder = await room.holder();
  await ask(admin, "SET k v PX 30");
  await holder.take("READ k WRITE to OPTIMISTIC");
  await holder.do("STAGE", "SET", "to", "1");
  const had = String(await holder.do("READ", "GET", "k"));
  assert(had.includes("v") || had === "_\r\n" || CHANGED.test(had), had);
  await until("the key has expired", async () => {
    return await ask(admin, "GET k") === null;
  });
  // If it had expired before the holder began, it has not changed since.
  const reply = String(await holder.do("COMMIT"));
  if (had === "_\r\n") assertEquals(reply, "*1\r\n+OK\r\n");
  else {
    assertMatch(reply, CHANGED);
    assertEquals(await ask(admin, "EXISTS to"), 0);
  }
  await holder.close();
});

lockSuite("of two optimistic holders one wins", async (room) => {
  const { admin } = room;
  const words = `WRITE ${A} WRITE ${B}`;
  const first = await optimist(room, words);
  const second = await optimist(room, words, first);
  const holders = [first, second];
  for (const { name, client } of holders) {
    await client.sendCommands([
      ["DEBUG", "KEYLOCK", "STAGE", name, "APPEND", A, name],
      ["DEBUG", "KEYLOCK", "STAGE", name, "APPEND", B, name],
      ["DEBUG", "KEYLOCK", "COMMIT", name],
    ]);
  }
  const winners: string[] = [];
  for (const { name, client } of holders) {
    for (let i = 0; i < 2; i++) await client.readReply();
    const reply = plain(await client.readReply());
    if (reply instanceof Error) assertMatch(`-${reply.message}`, CHANGED);
    else winners.push(name);
  }
  assertEquals(winners.length, 1);
  assertEquals(await ask(admin, ["MGET", A, B]), [winners[0]!, winners[0]!]);
  for (const holder of holders) await holder.close();
  // Those who only read the same keys are in nobody's way.
  const reader = await optimist(room, `READ ${A} WRITE one`);
  const other = await optimist(room, `READ ${A} WRITE two`, reader);
  await reader.do("STAGE", "SET", "one", "1");
  await other.do("STAGE", "SET", "two", "2");
  assertEquals(await other.do("COMMIT"), "*1\r\n+OK\r\n");
  assertEquals(await reader.do("COMMIT"), "*1\r\n+OK\r\n");
  await reader.close();
  await other.close();
});

lockSuite("EXEC and optimistic commits see each other", async (room) => {
  const { admin } = room;
  const holder = await optimist(room, `WRITE ${A}`);
  await expectReplies(admin, [[["WATCH", A], "OK"], ["MULTI", "OK"]]);
  await ask(admin, ["SET", A, "exec"]);
  await holder.do("STAGE", "SET", A, "holder");
  assertEquals(await holder.do("COMMIT"), "*1\r\n+OK\r\n");
  assertEquals(await ask(admin, "EXEC"), null);
  await holder.do("STAGE", "SET", A, "again");
  await expectReplies(admin, [
    ["MULTI", "OK"],
    [["APPEND", A, "!"], "QUEUED"],
    ["EXEC", [7]],
  ]);
  assertMatch(String(await holder.do("COMMIT")), CHANGED);
  assertEquals(await ask(admin, ["GET", A]), "holder!");
  await holder.close();
});

lockSuite("real locks and optimistic holders", async (room) => {
  const { admin } = room;
  await ask(admin, "SET k 1");
  const owner = await room.holder();
  const holder = await room.holder(owner);
  await owner.take("WRITE k");
  assertEquals(await holder.do("TRY", "READ", "k", "OPTIMISTIC"), "BUSY");
  await holder.request("READ k OPTIMISTIC");
  await room.waitersOf("k", 1);
  await owner.close();
  assertEquals(plain(await holder.client.readReply()), "OK");
  // It locks nobody out, not even those who lock.
  await owner.take("WRITE k");
  assertMatch(String(await holder.do("READ", "GET", "k")), LOCKED);
  assertMatch(String(await holder.do("COMMIT")), LOCKED);
  await owner.do("STAGE", "SET", "k", "2");
  await owner.do("COMMIT");
  await owner.close();
  assertMatch(String(await holder.do("READ", "GET", "k")), CHANGED);
  await holder.close();

  await owner.take("READ k");
  assertEquals(await holder.do("TRY", "WRITE", "k", "OPTIMISTIC"), "BUSY");
  await holder.take("READ k WRITE to OPTIMISTIC");
  await holder.do("STAGE", "SET", "to", "1");
  assertEquals(await holder.do("COMMIT"), "*1\r\n+OK\r\n");
  await holder.close();
  await owner.close();
});

lockSuite("large values are locked, small ones are not", async (room) => {
  const { admin } = room;
  await ask(admin, ["SET", A, "x".repeat(64 * 1024)]);
  await ask(admin, ["SET", B, "x".repeat(60 * 1024)]);
  const holder = await optimist(room, `WRITE ${A} WRITE ${B} WRITE none`);
  assertEquals(await holder.do("WATCHES", A, B, "none"), [0, 1, 1]);
  const words = texts(await ask(admin, "LOCKS LIST"));
  const fields = ["label", "read-keys", "write-keys", "watched-keys"];
  assertEquals(
    fields.map((name) => words[words.indexOf(name) + 1]),
    [holder.name, "0", "1", "2"],
  );
  const mode = async (key: string) =>
    texts(await ask(admin, ["LOCKS", "INFO", key]))[1];
  assertEquals([await mode(A), await mode(B)], ["write", "none"]);
  const parked = await room.park("STRLEN", A);
  assertEquals(await ask(admin, ["STRLEN", B]), 60 * 1024);
  await holder.do("STAGE", "SET", A, "1");
  await holder.do("STAGE", "SET", B, "2");
  assertEquals(await holder.do("COMMIT"), "*2\r\n+OK\r\n+OK\r\n");
  await ask(admin, ["APPEND", B, "!"]);
  await holder.do("STAGE", "SET", A, "lost");
  assertMatch(String(await holder.do("COMMIT")), CHANGED);
  await holder.close();
  await expectReply(parked, 1);
  assertEquals(await ask(admin, ["MGET", A, B]), ["1", "2!"]);
});

lockSuite("who waits for elements gets those of a commit", async (room) => {
  const { admin } = room;
  const waiting = await room.crowd.wait("BLPOP", A, "0");
  const holder = await optimist(room, `WRITE ${A} WRITE ${B}`);
  await holder.do("STAGE", "RPUSH", A, "x", "y");
  await holder.do("STAGE", "INCR", B);
  await holder.do("COMMIT");
  await expectReply(waiting, [A, "x"]);
  assertEquals(await ask(admin, ["LRANGE", A, "0", "-1"]), ["y"]);
  // That was another's change.
  assertMatch(String(await holder.do("COMMIT")), CHANGED);
  await holder.close();
});

lockSuite("watches end with the handle, however that ends", async (room) => {
  const { admin } = room;
  const killed = await optimist(room, `WRITE ${A}`);
  const words = texts(await ask(admin, "LOCKS LIST"));
  await ask(admin, ["LOCKS", "KILL", words[words.indexOf("id") + 1]!]);
  await until("the handle is gone", async () => {
    return /ABORTED/.test(String(await killed.do("COMMIT")));
  });
  const gone = await optimist(room, `READ ${A} READ ${B} CLIENT`);
  gone.client.close();
  const late = await optimist(room, `WRITE ${A} HOLD 20`);
  await until("its time is over", async () => {
    return /ABORTED/.test(String(await late.do("COMMIT")));
  });
});

lockSuite("functions that begin anew lose nothing", async (room) => {
  const { admin } = room;
  const tags = tagsOnDistinctSlots(3).map((tag) => `{${tag}}k`);
  const holders = [];
  for (let i = 0; i < 4; i++) holders.push(await room.holder());
  const orders = [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]];
  for (const [i, { client, name }] of holders.entries()) {
    const keys = orders[i]!.map((at) => tags[at]!);
    await client.sendCommands([
      ["DEBUG", "KEYLOCK", "ATTEMPT", name, "2", "3", ...keys],
    ]);
  }
  for (const { client } of holders) {
    assert(Number(plain(await client.readReply())) >= 1);
  }
  const values = new Set<string>();
  for (const key of tags) values.add(String(await ask(admin, ["GET", key])));
  // Each read all three keys as one of the others had left them.
  assertEquals(values.size, 1);
  for (const { name } of holders) {
    assertEquals([...values][0]!.split(name).length, 2);
  }
});

lockSuite("a function locks its keys after some conflicts", async (room) => {
  const { admin } = room;
  const holder = await room.holder();
  await ask(admin, ["SET", A, "0"]);
  const conflicts = async () => {
    const info = String(await ask(admin, "INFO stats"));
    return Number(/sherd_lock_conflicts:(\d+)/.exec(info)![1]);
  };
  const before = await conflicts();
  await holder.client.sendCommands([
    ["DEBUG", "KEYLOCK", "ATTEMPT", holder.name, "8", "30", A, B],
  ]);
  let isOver = false;
  const reply = holder.client.readReply().finally(() => isOver = true);
  let changes = 0;
  // Parked while the key is locked, so that the function comes to its end.
  while (!isOver) {
    await ask(admin, ["APPEND", A, "."]);
    changes++;
  }
  const runs = Number(plain(await reply));
  assertEquals(runs, await conflicts() - before + 1);
  assert(runs >= 1 && runs <= 4, `${runs} runs`);
  const [a, b] = await ask(admin, ["MGET", A, B]) as string[];
  assertEquals(b, holder.name);
  assertEquals(a!.replace(holder.name, ""), "0" + ".".repeat(changes));
});

/**
 * Counters that clients on several workers read, and set to one more, trying
 * again after a conflict; others increment them by command. The work is bounded.
 */
seeded("no increment is lost", async (random) => {
  const workers = random.pick([2, 3]);
  await using server = await startServer({ workers });
  using admin = await server.client();
  const context = { client: admin, server, resp: 2, workers } as const;
  using room = new LockRoom(context);
  const keys = tagsOnDistinctSlots(3).map((tag) => `{${tag}}n`);
  const counts = new Map(keys.map((key) => [key, 0]));
  const counted = (key: string) => counts.set(key, counts.get(key)! + 1);
  let conflicts = 0;

  const increment = async () => {
    const holder = await room.holder();
    for (let round = 0; round < 15; round++) {
      const some = keys.filter(() => random.chance(0.6));
      if (some.length === 0) some.push(random.pick(keys));
      const words = some.map((key) => `WRITE ${key}`).join(" ");
      for (let isDone = false; !isDone;) {
        // One in six does it the other way.
        const isReal = random.below(6) === 0;
        await holder.take(isReal ? words : `${words} OPTIMISTIC`);
        const replies = [];
        for (const key of some) {
          const reply = String(await holder.do("READ", "GET", key));
          const value = reply === "_\r\n" ? 0 : Number(reply.split("\r\n")[1]);
          replies.push(reply);
          if (reply.startsWith("-")) break;
          await holder.do("STAGE", "SET", key, `${value + 1}`);
        }
        if (!replies.at(-1)!.startsWith("-")) {
          replies.push(String(await holder.do("COMMIT")));
        }
        const last = replies.at(-1)!;
        isDone = last.startsWith("*");
        if (isDone) some.forEach(counted);
        else {
          assertMatch(last, /LOCKCHANGED/);
          assert(!isReal, "locks have no conflicts");
          conflicts++;
        }
        await holder.close();
      }
    }
  };
  const command = async () => {
    using client = await server.client();
    for (let round = 0; round < 40; round++) {
      const key = random.pick(keys);
      if (random.below(3) > 0) await client.run("INCR", key);
      else await client.pipeline([["MULTI"], ["INCR", key], ["EXEC"]]);
      counted(key);
    }
  };
  await Promise.all([
    ...Array.from({ length: 6 }, increment),
    ...Array.from({ length: 2 }, command),
  ]);
  assertEquals(
    await ask(admin, ["MGET", ...keys]),
    keys.map((key) => `${counts.get(key)}`),
  );
  const info = String(await ask(admin, "INFO stats"));
  assert(Number(/sherd_lock_conflicts:(\d+)/.exec(info)![1]) >= conflicts);
  await room.expectNothing();
}, { count: 2 });
