import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { pause, until, untilQuickEnough } from "../_patience.ts";
import { type Argument, plain } from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite, type SuiteContext } from "./_suite.ts";
import { Crowd, expectReply } from "./_waiting.ts";

/** Keys on different shards. */
const [A, B, C] = tagsOnDistinctSlots(3).map((tag) => `{${tag}}`) as [
  string,
  string,
  string,
];

const WRONG_TYPE = "-WRONGTYPE Operation against a key holding the wrong " +
  "kind of value";
const TIMEOUT_FLOAT = "-ERR timeout is not a float or out of range";
const TIMEOUT_NEGATIVE = "-ERR timeout is negative";
const TIMEOUT_RANGE = "-ERR timeout is out of range";

interface Blocking extends SuiteContext {
  crowd: Crowd;
  /** Runs a command of words, or of arguments, on the asking connection. */
  run(command: string | readonly Argument[]): ReturnType<typeof ask>;
}

/** A test of clients that wait; afterwards nobody must be left. */
function blockingSuite(
  name: string,
  body: (context: Blocking) => Promise<void>,
  options: Parameters<typeof commandSuite>[2] = {},
): void {
  commandSuite(name, async (context) => {
    const { client, server, resp } = context;
    using crowd = new Crowd(server, client, resp);
    await body({ ...context, crowd, run: (command) => ask(client, command) });
    await crowd.expectNobody();
  }, options);
}

blockingSuite(
  "1, 14: an element goes to the one who waits longest, on any worker",
  async ({ crowd, run, workers }) => {
    const first = await crowd.wait("BLPOP", A, 0);
    const second = await crowd.waitElsewhere(first, "BRPOP", A, 0);
    const third = await crowd.waitElsewhere(second, "BLPOP", A, 0);
    for (const [waiting, element] of [[first, "x"], [second, "y"]] as const) {
      assertEquals(await run(`RPUSH ${A} ${element}`), 1);
      await expectReply(waiting, [A, element]);
    }
    assertEquals(await run(`EXISTS ${A}`), 0);
    assert(await crowd.isBlocked(third));
    assertEquals(await run(`RPUSH ${A} z`), 1);
    await expectReply(third, [A, "z"]);
    if (workers > 1) assert(crowd.workers > 1);
  },
);

blockingSuite("2, 16: of two ready keys the leftmost is popped", async ({
  client,
  crowd,
  run,
}) => {
  const waiting = await crowd.wait("BLPOP", A, B, 0);
  await client.pipeline([
    ["MULTI"],
    ["RPUSH", B, "b"],
    ["RPUSH", A, "a"],
    ["EXEC"],
  ]);
  await expectReply(waiting, [A, "a"]);
  assertEquals(await run(`LRANGE ${B} 0 -1`), ["b"]);
  assertEquals(await run(`EXISTS ${A}`), 0);
});

blockingSuite("3, 26: one key twice, and keys on three shards", async ({
  crowd,
  run,
}) => {
  const waiting = await crowd.wait("BLPOP", A, A, B, C, A, 0);
  assertEquals(await run("DEBUG WAITERS"), 3);
  await run(`RPUSH ${C} 1 2`);
  await expectReply(waiting, [C, "1"]);
  await crowd.expectNobody();
  assertEquals(await run(`LRANGE ${C} 0 -1`), ["2"]);
});

blockingSuite("4: a key that has data serves at once", async ({
  client,
  resp,
}) => {
  await expectReplies(client, [
    [`RPUSH ${B} 1 2 3 4`, 4],
    [`BLPOP ${A} ${B} 0`, [B, "1"]],
    [`BRPOP ${A} ${B} 0`, [B, "4"]],
    [`BLMPOP 0 2 ${A} ${B} LEFT COUNT 5`, [B, ["2", "3"]]],
    [`RPUSH ${B} 1`, 1],
    [`BLMOVE ${B} ${C} LEFT RIGHT 0`, "1"],
    [`BRPOPLPUSH ${C} ${A} 0`, "1"],
    [`LRANGE ${A} 0 -1`, ["1"]],
    [`ZADD ${B} 1 a 2 b 3 c`, 3],
    [`BZPOPMIN ${C} ${B} 0`, [B, "a", resp === 3 ? 1 : "1"]],
    [`BZPOPMAX ${C} ${B} 0`, [B, "c", resp === 3 ? 3 : "3"]],
    [`BZMPOP 0 1 ${B} MIN`, [B, [["b", resp === 3 ? 2 : "2"]]]],
  ]);
});

blockingSuite("5: $ is the last ID when the command comes", async ({
  client,
  crowd,
  run,
}) => {
  await run(`XADD ${A} 1-1 f old`);
  const waiting = await crowd.wait(
    "XREAD",
    "BLOCK",
    0,
    "STREAMS",
    A,
    B,
    "$",
    "$",
  );
  const later = await crowd.wait("XREAD", "BLOCK", 0, "STREAMS", A, "1-5");
  await client.pipeline([
    ["MULTI"],
    ["XADD", A, "1-2", "f", "new"],
    ["XADD", A, "1-3", "f", "newer"],
    ["EXEC"],
  ]);
  const entries = [["1-2", ["f", "new"]], ["1-3", ["f", "newer"]]];
  await expectReply(
    waiting,
    waiting.client.resp === 3 ? new Map([[A, entries]]) : [[A, entries]],
  );
  assert(await crowd.isBlocked(later));
  await run(`XADD ${A} 1-6 f late`);
  assert(await later.reply() !== null);
}, { resp: [2] });

blockingSuite("6: one who is tried in vain keeps the place", async ({
  client,
  crowd,
  run,
}) => {
  const first = await crowd.wait("BLPOP", A, 0);
  const second = await crowd.waitElsewhere(first, "BLPOP", A, 0);
  await client.pipeline([["MULTI"], ["RPUSH", A, "x"], ["DEL", A], ["EXEC"]]);
  assert(await crowd.isBlocked(first) && await crowd.isBlocked(second));
  await run(`RPUSH ${A} 1`);
  await expectReply(first, [A, "1"]);
  await run(`RPUSH ${A} 2`);
  await expectReply(second, [A, "2"]);
});

blockingSuite("7, 10, 24: a timeout ends the wait and nothing else", async ({
  crowd,
  run,
  resp,
}) => {
  const commands = [
    ["BLPOP", A, B, 0.02],
    ["BRPOP", A, 0.001],
    ["BLMOVE", A, B, "LEFT", "LEFT", 0.02],
    ["BRPOPLPUSH", A, B, 0.02],
    ["BLMPOP", 0.02, 1, A, "LEFT"],
    ["BZPOPMIN", A, 0.02],
    ["BZPOPMAX", A, 0.02],
    ["BZMPOP", 0.02, 1, A, "MAX"],
    ["XREAD", "BLOCK", 20, "STREAMS", A, "$"],
  ];
  const waiting = await crowd.join();
  for (const argv of commands) {
    const startMs = performance.now();
    const [timedOut, pong] = await waiting.client.pipeline([argv, ["PING"]]);
    // 13: the null is that of an array, whatever the command.
    const form = resp === 3 ? "resp3" : "array";
    assertEquals(timedOut, { type: "null", form }, `${argv}`);
    assertEquals(plain(pong!), "PONG");
    assert(performance.now() - startMs >= 1);
  }
  await crowd.expectNobody();
  await run(`RPUSH ${A} 1`);
  assertEquals(await run(`LRANGE ${A} 0 -1`), ["1"]);
});

blockingSuite("24: timeouts that are none, or huge", async ({
  client,
  crowd,
  run,
}) => {
  await expectReplies(client, [
    [`BLPOP ${A} x`, TIMEOUT_FLOAT],
    [`BLPOP ${A} -1`, TIMEOUT_NEGATIVE],
    [`BLPOP ${A} 1e300`, TIMEOUT_RANGE],
    [`BLPOP ${A} 9223372036854775`, TIMEOUT_RANGE],
    [`BLMPOP x 1 ${A} LEFT`, TIMEOUT_FLOAT],
    [`BLMOVE ${A} ${B} LEFT LEFT -0.1`, TIMEOUT_NEGATIVE],
    [`BLMOVE ${A} ${B} LEFT UP 0`, "-ERR syntax error"],
    [`BZPOPMIN ${A} inf`, TIMEOUT_RANGE],
    [
      `XREAD BLOCK x STREAMS ${A} 0`,
      "-ERR timeout is not an integer or out of range",
    ],
    [`XREAD BLOCK -1 STREAMS ${A} 0`, TIMEOUT_NEGATIVE],
  ]);
  const waiting = await crowd.wait("BLPOP", A, 1e9);
  await run(`RPUSH ${A} 1`);
  await expectReply(waiting, [A, "1"]);
});

blockingSuite("8: one who has left gets nothing", async ({ crowd, run }) => {
  const gone = await crowd.wait("BLPOP", A, B, 0);
  const next = await crowd.waitElsewhere(gone, "BLPOP", A, 0);
  gone.client.close();
  await until("the first has left", async () => !await crowd.isBlocked(gone));
  await run(`RPUSH ${A} 1`);
  await expectReply(next, [A, "1"]);
});

blockingSuite("8, 29: what was popped for one who left goes back", async ({
  crowd,
  run,
  workers,
}) => {
  if (workers === 1) return;
  const cases = [
    [["BLPOP", A, 0], `RPUSH ${A} 1 2 3`, `LRANGE ${A} 0 -1`, "1 2 3"],
    [["BRPOP", A, 0], `RPUSH ${A} 1 2 3`, `LRANGE ${A} 0 -1`, "1 2 3"],
    [
      ["BLMPOP", 0, 1, A, "LEFT", "COUNT", 2],
      `RPUSH ${A} 1 2 3`,
      `LRANGE ${A} 0 -1`,
      "1 2 3",
    ],
    [
      ["BLMPOP", 0, 1, A, "RIGHT", "COUNT", 2],
      `RPUSH ${A} 1 2 3`,
      `LRANGE ${A} 0 -1`,
      "1 2 3",
    ],
    [["BZPOPMIN", A, 0], `ZADD ${A} 1.5 a 2 b`, `ZRANGE ${A} 0 -1`, "a b"],
    [
      ["BZMPOP", 0, 1, A, "MAX", "COUNT", 2],
      `ZADD ${A} 1.5 a 2 b`,
      `ZRANGE ${A} 0 -1`,
      "a b",
    ],
  ] as const;
  for (const [argv, push, look, expected] of cases) {
    await untilQuickEnough(async (factor) => {
      await run("FLUSHALL");
      const gone = await crowd.wait(...argv);
      const pusher = await crowd.joinElsewhere(gone);
      const killer = await crowd.joinAt(pusher.worker);
      const sleeper = await crowd.joinAt(gone.worker);
      // While its worker sleeps, the client is to be closed first, then served.
      await sleeper.client.sendCommands([["DEBUG", "SLEEP", 0.1 * factor]]);
      await pause(30 * factor);
      await killer.client.sendCommands([["CLIENT", "KILL", "ID", gone.id]]);
      await pause(20 * factor);
      await ask(pusher.client, push);
      const left = String(await ask(pusher.client, look));
      await sleeper.reply();
      // Or its worker has woken up and closed it before there was anything,
      if (left === expected.replaceAll(" ", ",")) return false;
      // or was told of what serves it before it was told to close it.
      const bytes = await gone.client.readBytes();
      if (bytes !== null) return false;
      await until(
        `${argv} gives back`,
        async () =>
          String(await ask(pusher.client, look)) ===
            expected.replaceAll(" ", ","),
      );
      return true;
    });
  }
});

blockingSuite("9: CLIENT UNBLOCK and CLIENT KILL", async ({ crowd, run }) => {
  const first = await crowd.wait("BLPOP", A, 0);
  assertEquals(await run(`CLIENT UNBLOCK ${first.id}`), 1);
  await expectReply(first, null);
  assertEquals(await run(`CLIENT UNBLOCK ${first.id}`), 0);
  await crowd.send(first, [["BLMOVE", A, B, "LEFT", "LEFT", 0]]);
  assertEquals(await run(`CLIENT UNBLOCK ${first.id} ERROR`), 1);
  await expectReply(first, "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
  await crowd.send(first, [["XREAD", "BLOCK", 0, "STREAMS", A, "$"]]);
  assertEquals(await run(`CLIENT UNBLOCK ${first.id} TIMEOUT`), 1);
  await expectReply(first, null);
  assertEquals(await run("CLIENT UNBLOCK 123456789"), 0);
  await crowd.send(first, [["BLPOP", A, B, 0]]);
  assertEquals(await run(`CLIENT KILL ID ${first.id}`), 1);
  await crowd.expectNobody();
  assertEquals(await run(`RPUSH ${A} 1`), 1);
  assertEquals(await run(`LLEN ${A}`), 1);
});

blockingSuite("12: BLMOVE onto a wrong type leaves the source", async ({
  crowd,
  run,
}) => {
  await run(`SET ${B} text`);
  const waiting = await crowd.wait("BLMOVE", A, B, "LEFT", "LEFT", 0);
  await run(`RPUSH ${A} 1`);
  await expectReply(waiting, WRONG_TYPE);
  assertEquals(await run(`LRANGE ${A} 0 -1`), ["1"]);
});

blockingSuite("15: three elements serve three, in order", async ({
  crowd,
  run,
}) => {
  const first = await crowd.wait("BLPOP", A, 0);
  const second = await crowd.waitElsewhere(first, "BLPOP", A, 0);
  const third = await crowd.waitElsewhere(second, "BLPOP", A, 0);
  assertEquals(await run(`LPUSH ${A} a b c d`), 4);
  await expectReply(first, [A, "d"]);
  await expectReply(second, [A, "c"]);
  await expectReply(third, [A, "b"]);
  assertEquals(await run(`LRANGE ${A} 0 -1`), ["a"]);
});

blockingSuite("17: every way in which a key gains a list wakes", async ({
  crowd,
  run,
}) => {
  const ways: readonly (readonly string[])[] = [
    [`LPUSH ${A} 1`],
    [`RPUSH ${B} 1`, `LMOVE ${B} ${A} LEFT LEFT`],
    [`RPUSH ${B} 1`, `RPOPLPUSH ${B} ${A}`],
    [`RPUSH ${B} 1`, `RENAME ${B} ${A}`],
    [`RPUSH ${B} 1`, `RENAMENX ${B} ${A}`],
    [`RPUSH ${B} 1`, `COPY ${B} ${A}`],
    [`SELECT 1`, `RPUSH ${A} 1`, `MOVE ${A} 0`, "SELECT 0"],
    [`SELECT 1`, `RPUSH ${A} 1`, "SWAPDB 0 1", "SELECT 0"],
    [`RPUSH ${B} 1`, `SORT ${B} STORE ${A}`],
    [`MULTI`, `RPUSH ${A} 1`, "EXEC"],
  ];
  for (const commands of ways) {
    await run("FLUSHALL");
    const waiting = await crowd.wait("BLPOP", A, 0);
    for (const command of commands) await run(command);
    await expectReply(waiting, [A, "1"]);
  }
});

blockingSuite("17: RESTORE wakes", async ({ client, crowd, run }) => {
  await run(`RPUSH ${B} 1`);
  const dump = await client.run("DUMP", B);
  assert(dump.type === "bulk");
  const waiting = await crowd.wait("BLPOP", A, 0);
  await run(["RESTORE", A, 0, dump.value]);
  await expectReply(waiting, [A, "1"]);
});

blockingSuite("17: every way in which a key gains a sorted set wakes", async ({
  crowd,
  run,
}) => {
  const ways: readonly (readonly string[])[] = [
    [`ZADD ${A} 1 a`],
    [`ZINCRBY ${A} 1 a`],
    [`ZADD ${B} 1 a`, `ZUNIONSTORE ${A} 1 ${B}`],
    [`ZADD ${B} 1 a`, `ZINTERSTORE ${A} 1 ${B}`],
    [`ZADD ${B} 1 a`, `ZDIFFSTORE ${A} 1 ${B}`],
    [`ZADD ${B} 1 a`, `ZRANGESTORE ${A} ${B} 0 -1`],
    [`ZADD ${B} 1 a`, `RENAME ${B} ${A}`],
  ];
  for (const commands of ways) {
    await run("FLUSHALL");
    const waiting = await crowd.wait("BZPOPMAX", A, 0);
    for (const command of commands) await run(command);
    await expectReply(waiting, [A, "a", "1"]);
  }
}, { resp: [2] });

blockingSuite("17: BLMOVE wakes those who wait for its destination", async ({
  crowd,
  run,
}) => {
  const last = await crowd.wait("BLPOP", C, 0);
  const second = await crowd.waitElsewhere(
    last,
    ...["BLMOVE", B, C, "LEFT", "RIGHT", 0],
  );
  const first = await crowd.waitElsewhere(
    second,
    ...["BRPOPLPUSH", A, B, 0],
  );
  await run(`RPUSH ${A} 1`);
  await expectReply(first, "1");
  await expectReply(second, "1");
  await expectReply(last, [C, "1"]);
});

blockingSuite("17: those who wait for another type are passed over", async ({
  crowd,
  run,
}) => {
  const forList = await crowd.wait("BLPOP", A, 0);
  const forZset = await crowd.waitElsewhere(forList, "BZPOPMIN", A, 0);
  const forList2 = await crowd.waitElsewhere(forZset, "BLPOP", A, 0);
  await run(`SET ${A} text`);
  await run(`DEL ${A}`);
  await run(`ZADD ${A} 1 a 2 b`);
  await expectReply(forZset, [A, "a", "1"]);
  await run(`DEL ${A}`);
  await run(`RPUSH ${A} x y`);
  await expectReply(forList, [A, "x"]);
  await expectReply(forList2, [A, "y"]);
}, { resp: [2] });

blockingSuite("19: one who pushes and pops at once wakes nobody", async ({
  client,
  crowd,
}) => {
  const waiting = await crowd.wait("BLPOP", A, 0);
  await client.pipeline([["MULTI"], ["RPUSH", A, "1"], ["LPOP", A], ["EXEC"]]);
  assert(await crowd.isBlocked(waiting));
  await ask(client, `CLIENT UNBLOCK ${waiting.id}`);
  await expectReply(waiting, null);
});

blockingSuite("20, 21: what comes behind a waiting command waits", async ({
  crowd,
  run,
}) => {
  const waiting = await crowd.join();
  await crowd.send(waiting, [
    ["BLPOP", A, 0],
    ["PING"],
    ["BLPOP", A, 0],
    ["ECHO", "x"],
  ]);
  await run(`RPUSH ${A} 1`);
  await expectReply(waiting, [A, "1"]);
  await expectReply(waiting, "PONG");
  await until("it waits again", () => crowd.isBlocked(waiting));
  await run(`RPUSH ${A} 2`);
  await expectReply(waiting, [A, "2"]);
  await expectReply(waiting, "x");
});

blockingSuite("21: behind a forwarded command", async ({ crowd, run }) => {
  const waiting = await crowd.join();
  await run("DEBUG ROUTE OWNER");
  try {
    await crowd.send(waiting, [["GET", B], ["BLPOP", A, B, 0], ["GET", C]]);
    await run(`RPUSH ${A} 1`);
    await expectReply(waiting, null);
    await expectReply(waiting, [A, "1"]);
    await expectReply(waiting, null);
  } finally {
    await run("DEBUG ROUTE IN-PLACE");
  }
});

blockingSuite("22: inside of MULTI nobody waits", async ({ client }) => {
  const replies = await client.pipeline([
    ["MULTI"],
    ["BLPOP", A, B, 0],
    ["BLMOVE", A, B, "LEFT", "LEFT", 0],
    ["BLMPOP", 0, 1, A, "LEFT"],
    ["BZPOPMIN", A, 0],
    ["XREAD", "BLOCK", 0, "STREAMS", A, "$"],
    ["RPUSH", A, 1],
    ["BLPOP", A, 0],
    ["EXEC"],
  ]);
  assertEquals(plain(replies.at(-1)!), [
    ...[null, null, null, null, null],
    ...[1, [A, "1"]],
  ]);
});

blockingSuite("23: XREADGROUP hears of the end of its group", async ({
  crowd,
  run,
}) => {
  const read = [
    "XREADGROUP",
    "GROUP",
    "g",
    "me",
    "BLOCK",
    0,
    "STREAMS",
    A,
    ">",
  ];
  const noGroup = `-NOGROUP No such key '${A}' or consumer group 'g' in ` +
    "XREADGROUP with GROUP option";
  const ends: readonly (readonly [string, string])[] = [
    [`XGROUP DESTROY ${A} g`, noGroup],
    [`DEL ${A}`, noGroup],
    [`SET ${A} text`, WRONG_TYPE],
    ["FLUSHALL", noGroup],
    [`RENAME ${A} ${B}`, noGroup],
    [`PEXPIRE ${A} 1`, noGroup],
  ];
  for (const [command, error] of ends) {
    await run("FLUSHALL");
    await run(`XGROUP CREATE ${A} g $ MKSTREAM`);
    const waiting = await crowd.wait(...read);
    await run(command);
    await expectReply(waiting, error);
  }
});

blockingSuite("23: each consumer of a group gets its own entry", async ({
  crowd,
  run,
}) => {
  await run(`XGROUP CREATE ${A} g $ MKSTREAM`);
  const argv = (
    name: string,
  ) => [
    "XREADGROUP",
    "GROUP",
    "g",
    name,
    "COUNT",
    1,
    "BLOCK",
    0,
    "STREAMS",
    A,
    ">",
  ];
  const first = await crowd.wait(...argv("one"));
  const second = await crowd.waitElsewhere(first, ...argv("two"));
  await run(`XADD ${A} 1-1 f 1`);
  await expectReply(first, [[A, [["1-1", ["f", "1"]]]]]);
  assert(await crowd.isBlocked(second));
  // A consumer is there from the moment when it asks.
  assertEquals(await run(`XGROUP CREATECONSUMER ${A} g two`), 0);
  await run(`XADD ${A} 1-2 f 2`);
  await expectReply(second, [[A, [["1-2", ["f", "2"]]]]]);
  assertEquals(await run(`XPENDING ${A} g`), [
    ...[2, "1-1", "1-2"],
    [["one", "1"], ["two", "1"]],
  ]);
}, { resp: [2] });

blockingSuite("25: FLUSHALL leaves them waiting; half-closed ones go", async ({
  crowd,
  run,
}) => {
  const stays = await crowd.wait("BLPOP", A, 0);
  const closes = await crowd.waitElsewhere(stays, "BLPOP", A, 0);
  await run("FLUSHALL");
  await (closes.client.conn as Deno.TcpConn).closeWrite();
  await until("it is gone", async () => !await crowd.isBlocked(closes));
  await run(`RPUSH ${A} 1 2`);
  await expectReply(stays, [A, "1"]);
  assertEquals(await run(`LRANGE ${A} 0 -1`), ["2"]);
});

blockingSuite("27: many waiters and one push: one reply", async ({
  crowd,
  run,
}) => {
  const first = await crowd.wait("BLPOP", A, 0);
  const others = [];
  for (let i = 0; i < 60; i++) others.push(await crowd.join());
  await Promise.all(
    others.map(({ client }) => client.sendCommands([["BLPOP", A, "0"]])),
  );
  await until(
    "all wait",
    async () => /blocked_clients:61\r/.test(String(await run("INFO clients"))),
  );
  await run(`RPUSH ${A} 1`);
  await expectReply(first, [A, "1"]);
  const info = String(await run("INFO clients"));
  assert(/blocked_clients:60\r/.test(info));
  assert(/total_blocking_keys:1\r/.test(info));
  for (const { id } of others) await run(`CLIENT UNBLOCK ${id}`);
  for (const other of others) await expectReply(other, null);
});

blockingSuite("29: a slow worker gets its reply when it wakes", async ({
  crowd,
  run,
  workers,
}) => {
  if (workers === 1) return;
  const slow = await crowd.join();
  const other = await crowd.joinElsewhere(slow);
  const sleeper = await crowd.joinAt(slow.worker);
  await untilQuickEnough(async (factor) => {
    await run(`DEL ${A}`);
    await slow.client.sendCommands([["BLPOP", A, 0.1 * factor]]);
    await pause(20 * factor);
    await sleeper.client.sendCommands([["DEBUG", "SLEEP", 0.3 * factor]]);
    await pause(30 * factor);
    // Served before its time is over; its worker hears of both together.
    assertEquals(await ask(other.client, `RPUSH ${A} 1`), 1);
    const isServed = await ask(other.client, `EXISTS ${A}`) === 0;
    await expectReply(slow, isServed ? [A, "1"] : null);
    await sleeper.reply();
    return isServed;
  });
  await run("PING");
});

blockingSuite(
  "8, 25: the end of a client is noticed behind its requests",
  async ({
    crowd,
    run,
  }) => {
    const gone = await crowd.wait("BLPOP", A, 0);
    await gone.client.sendCommands([["PING"]]);
    await pause(20);
    await gone.client.sendCommands([["PING"]]);
    gone.client.close();
    await until("it is gone", async () => !await crowd.isBlocked(gone));
    await run(`RPUSH ${A} 1`);
    assertEquals(await run(`LRANGE ${A} 0 -1`), ["1"]);
  },
);

blockingSuite("26: keys of several shards, each of which may serve", async ({
  crowd,
  run,
}) => {
  for (const key of [A, B, C]) {
    const waiting = await crowd.wait("BLMPOP", 0, 3, A, B, C, "LEFT");
    await run(`RPUSH ${key} 1`);
    await expectReply(waiting, [key, ["1"]]);
    const move = await crowd.waitElsewhere(
      waiting,
      ...["BLMOVE", key, key, "LEFT", "RIGHT", 0],
    );
    await run(`RPUSH ${key} 1 2`);
    await expectReply(move, "1");
    assertEquals(await run(`LRANGE ${key} 0 -1`), ["2", "1"]);
    await run(`DEL ${key}`);
  }
});

blockingSuite("databases are told apart", async ({ client, crowd, run }) => {
  const waiting = await crowd.wait("BLPOP", A, 0);
  await run("SELECT 1");
  await run(`RPUSH ${A} other`);
  assert(await crowd.isBlocked(waiting));
  await run("SELECT 0");
  await client.run("RPUSH", A, "mine");
  await expectReply(waiting, [A, "mine"]);
});

blockingSuite("elements of a megabyte travel whole", async ({
  client,
  crowd,
}) => {
  const big = "x".repeat(1 << 20);
  const first = await crowd.wait("BLPOP", A, 0);
  const second = await crowd.waitElsewhere(
    first,
    "BLMOVE",
    A,
    B,
    "LEFT",
    "LEFT",
    0,
  );
  await client.run("RPUSH", A, big, big);
  await expectReply(first, [A, big]);
  await expectReply(second, big);
});
