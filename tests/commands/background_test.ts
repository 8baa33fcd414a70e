/**
 * Commands in the background: those that would take long are run by compute
 * threads on values that stay as they were. What they answer and leave behind is
 * what they would in place, which is how a transaction runs them.
 *
 * KT50 to KT58 of the key locks; their sizes are in bench/background_bench.ts.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { startServer } from "../_harness.ts";
import {
  type Plain,
  plain,
  type TestClient,
  toBinary,
} from "../_resp_client.ts";
import {
  A,
  B,
  C,
  comparable,
  contents,
  COUNT,
  D,
  fill,
  KEYS,
  runCounted,
  runInline,
  statistic,
  suite,
  THRESHOLD,
} from "./_background.ts";
import { heard } from "./_heard.ts";

/** Makes replies longer than sockets hold. */
const PADDING = "p".repeat(3000);

const { set1, set2, zset1, zset2, list, hash, stream, text1, text2 } = KEYS;
const { target, small } = KEYS;

/** Commands that only read; `sets` have no order. */
const READS: readonly (readonly string[])[] = [
  ["SUNION", set1, set2],
  ["SINTER", set1, set2],
  ["SDIFF", set1, set2],
  ["SDIFF", set1, set2, small],
  ["SINTERCARD", "2", set1, set2],
  ["SINTERCARD", "2", set1, set2, "LIMIT", "7"],
  ["ZUNION", "2", zset1, zset2, "WITHSCORES"],
  ["ZUNION", "2", zset1, set2, "WEIGHTS", "2", "3", "AGGREGATE", "MAX"],
  ["ZINTER", "2", zset1, zset2, "WITHSCORES"],
  ["ZDIFF", "2", zset1, zset2],
  ["ZINTERCARD", "2", zset1, zset2],
  ["SORT", list],
  ["SORT", list, "DESC", "LIMIT", "5", "10"],
  ["SORT_RO", set1, "ALPHA"],
  ["SORT", zset1, "ALPHA", "GET", "#"],
  ["BITCOUNT", text1],
  ["BITCOUNT", text1, "1", "-2"],
  ["BITPOS", text1, "0"],
  ["LCS", text1, text2, "LEN"],
  ["LCS", text1, text2],
  ["DUMP", set1],
  ["DUMP", zset1],
  ["DUMP", list],
  ["DUMP", hash],
  ["DUMP", stream],
  ["DUMP", text1],
  ["SUNION", set1, list],
  ["SORT", set1],
];

suite("KT53, KT54: replies are those of commands in place", async (client) => {
  await fill(client);
  for (const argv of READS) {
    const [reply, count] = await runCounted(client, ...argv);
    assertEquals(count, 1, argv.join(" "));
    assertEquals(
      comparable(argv, reply),
      comparable(argv, await runInline(client, ...argv)),
      argv.join(" "),
    );
  }
});

/** Commands that write; `target` is what they make. */
const WRITES: readonly (readonly string[])[] = [
  ["SUNIONSTORE", target, set1, set2],
  ["SINTERSTORE", target, set1, set2],
  ["SDIFFSTORE", target, set1, set2],
  ["SUNIONSTORE", set1, set1, set2],
  ["SINTERSTORE", target, set1, "nothing"],
  ["ZUNIONSTORE", target, "2", zset1, zset2, "WEIGHTS", "2", "1"],
  ["ZINTERSTORE", target, "2", zset1, zset2],
  ["ZDIFFSTORE", target, "2", zset1, zset2],
  ["ZDIFFSTORE", target, "2", zset1, zset1],
  ["ZRANGESTORE", target, zset1, "10", "300"],
  ["SORT", list, "STORE", target],
  ["SORT", list, "STORE", list],
  ["BITOP", "XOR", target, text1, text2],
  ["BITOP", "NOT", text1, text1],
  ["COPY", set1, target],
  ["COPY", zset1, target, "REPLACE"],
  ["COPY", hash, target],
  ["COPY", stream, target],
  ["COPY", list, set1],
  ["RENAME", zset1, target],
  ["RENAME", hash, target],
  ["RENAMENX", list, target],
  ["RENAMENX", list, set2],
  ["SUNIONSTORE", target, set1, list],
];

/** Whether there is nothing to do: no value, or one that need not be copied. */
function isShort(argv: readonly string[]): boolean {
  return argv.includes("nothing") ||
    argv[0] === "RENAMENX" && argv[2] === set2;
}

suite("KT55: what is left is what is left in place", async (client, server) => {
  for (const earlier of [null, "SADD"]) {
    for (const argv of WRITES) {
      const outcomes: Plain[][] = [];
      for (const isInline of [false, true]) {
        await client.run("FLUSHALL");
        await fill(client);
        if (earlier !== null) await client.run(earlier, target, "before");
        let reply: Plain = null;
        const events = await heard(server, client, async () => {
          if (isInline) reply = await runInline(client, ...argv);
          else {
            const [answer, count] = await runCounted(client, ...argv);
            assertEquals(count, isShort(argv) ? 0 : 1, argv.join(" "));
            reply = answer;
          }
        });
        outcomes.push([
          comparable(argv, reply),
          events,
          await contents(client),
        ]);
      }
      assertEquals(outcomes[0], outcomes[1], `${earlier}: ${argv.join(" ")}`);
    }
  }
});

suite(
  "KT57: below the threshold, and in a transaction, in place",
  async (client) => {
    await fill(client);
    assertEquals((await runCounted(client, "SUNION", small, small))[1], 0);
    assertEquals((await runCounted(client, "COPY", small, target))[1], 0);
    const before = await statistic(client, "sherd_background_commands");
    await runInline(client, "SUNION", set1, set2);
    await runInline(client, "SUNIONSTORE", target, set1, set2);
    assertEquals(await statistic(client, "sherd_background_commands"), before);
  },
);

suite(
  "members of a union count three times, of a difference, too",
  async (client) => {
    const most = Math.floor(THRESHOLD / 3);
    const more = (count: number) =>
      Array.from({ length: count }, (_, i) => `member ${i}`);
    await client.run("SADD", set1, ...more(most - 2));
    await client.run("SADD", set2, "a", "b");
    const cases = [
      ["SUNION", set1, set2],
      ["SDIFF", set1, set2],
      ["SUNIONSTORE", target, set1, set2],
      ["SDIFFSTORE", target, set1, set2],
    ];
    for (const isMany of [false, true]) {
      if (isMany) await client.run("SADD", set2, "c");
      for (const argv of cases) {
        const [, count] = await runCounted(client, ...argv);
        assertEquals(count, isMany ? 1 : 0, argv.join(" "));
      }
    }
  },
);

suite("KT58: replies keep their order", async (client) => {
  await fill(client);
  const replies = await client.pipeline([
    ["SET", "a", "1"],
    ["SUNION", set1, set2],
    ["INCR", "a"],
    ["SINTERCARD", "2", set1, set2],
    ["SUNIONSTORE", target, set1, set2],
    ["SCARD", target],
    ["SORT", list],
    ["INCR", "a"],
  ]);
  const plains = replies.map(plain);
  assertEquals(plains[2], 2);
  assertEquals(plains[3], COUNT / 2);
  assertEquals(plains[4], COUNT * 1.5);
  assertEquals(plains[5], COUNT * 1.5);
  assertEquals((plains[6] as Plain[]).length, COUNT);
  assertEquals(plains[7], 3);
});

suite("CLIENT REPLY OFF, and a client that leaves", async (client, server) => {
  await fill(client);
  using leaver = await server.client();
  await leaver.sendCommands([
    ["CLIENT", "REPLY", "OFF"],
    ["SUNION", set1, set2],
    ["SUNIONSTORE", target, set1, set2],
  ]);
  // The first one's reply is dropped, the other one runs nevertheless.
  const endMs = performance.now() + 120_000;
  while (plain(await client.run("SCARD", target)) !== COUNT * 1.5) {
    assert(performance.now() < endMs, "the command was run");
  }
  for (let i = 0; i < 10; i++) {
    using other = await server.client();
    await other.sendCommands([["SUNION", set1, set2], ["SORT", list]]);
  }
  while (await statistic(client, "sherd_lock_handles") > 0) {
    assert(performance.now() < endMs, "all jobs end");
  }
});

suite("WATCH sees what the background writes", async (client, server) => {
  await fill(client);
  using other = await server.client();
  await client.run("WATCH", target);
  await other.run("SUNIONSTORE", target, set1, set2);
  const replies = await client.pipeline([["MULTI"], ["PING"], ["EXEC"]]);
  assertEquals(plain(replies[2]!), null);
  await client.run("WATCH", set1);
  await other.run("SUNION", set1, set2);
  const again = await client.pipeline([["MULTI"], ["PING"], ["EXEC"]]);
  assertEquals(plain(again[2]!), ["PONG"]);
});

suite("more than the queue takes are run in place", async (client, server) => {
  await fill(client);
  await client.run("CONFIG", "SET", "background-queue", "2");
  const expected = await client.runRaw("ZUNION", "2", zset1, zset2);
  const clients: TestClient[] = [];
  for (let i = 0; i < 12; i++) clients.push(await server.client());
  const replies = await Promise.all(
    clients.map((each) =>
      each.pipelineFrames(
        Array.from({ length: 10 }, () => ["ZUNION", "2", zset1, zset2]),
      )
    ),
  );
  for (const frame of replies.flat()) {
    assertEquals(frame.raw.length, expected.length);
  }
  for (const each of clients) each.close();
  await client.run("CONFIG", "SET", "background-queue", "64");
});

suite("settings reach the threads", async (client) => {
  await fill(client);
  const setting = "zset-max-listpack-entries";
  await client.run("CONFIG", "SET", setting, "512");
  await client.run("ZUNIONSTORE", target, "2", zset1, zset1);
  const packed = plain(await client.run("OBJECT", "ENCODING", target));
  await client.run("CONFIG", "SET", setting, "128");
  await client.run("ZUNIONSTORE", target, "2", zset1, zset1);
  const large = plain(await client.run("OBJECT", "ENCODING", target));
  assertEquals([packed, large], ["listpack", "skiplist"]);
});

suite("nothing is left in memory", async (client) => {
  const used = async () => {
    await client.run("FLUSHALL");
    const endMs = performance.now() + 120_000;
    for (;;) {
      const info = String(plain(await client.run("INFO", "memory")));
      const bytes = Number(/used_memory_dataset:(\d+)/.exec(info)![1]);
      if (bytes < 1000 || performance.now() > endMs) return bytes;
    }
  };
  for (let round = 0; round < 3; round++) {
    await client.run("FLUSHALL");
    await fill(client);
    for (const argv of [...READS, ...WRITES]) await client.run(...argv);
  }
  assert(await used() < 1000);
});

/** Reads of whole collections, whose replies are written bit by bit. */
const WHOLE: readonly {
  read: string[];
  add: (i: number) => string[];
  change: string[];
}[] = [
  {
    read: ["SMEMBERS", target],
    add: (i) => ["SADD", target, `${i}:${PADDING}`],
    change: ["SADD", target, "late"],
  },
  {
    read: ["HGETALL", target],
    add: (i) => ["HSET", target, `${i}:${PADDING}`, "v"],
    change: ["HSET", target, "late", "v"],
  },
  {
    read: ["LRANGE", target, "0", "-1"],
    add: (i) => ["RPUSH", target, `${i}:${PADDING}`],
    change: ["LPOP", target],
  },
  {
    read: ["ZRANGE", target, "0", "-1"],
    add: (i) => ["ZADD", target, String(i), `${i}:${PADDING}`],
    change: ["ZADD", target, "1", "late"],
  },
  {
    read: ["XRANGE", target, "-", "+"],
    add: (i) => ["XADD", target, `${i + 1}-1`, "f", PADDING],
    change: ["XADD", target, "*", "f", "late"],
  },
];

for (const { read, add, change } of WHOLE) {
  suite(
    `KT50, KT51: ${read[0]} by a client that is slow`,
    async (client, server) => {
      const count = 3000;
      const filled = await client.pipeline(
        Array.from({ length: count }, (_, i) => add(i)),
      );
      assert(filled.every(({ type }) => type !== "error"));
      const before = (await client.runRaw(...read)).slice();
      using reader = await server.client({ resp: client.resp });
      await reader.sendCommands([read]);
      // Its own worker has begun the reply, which is too long for the sockets.
      while (await statistic(client, "sherd_lock_handles") === 0);
      using other = await server.client();
      const [changed, got] = await other.pipeline([change, ["PING"]]);
      assert(changed!.type !== "error" && plain(got!) === "PONG");
      assertEquals(await statistic(client, "sherd_lock_handles"), 0);
      const { raw } = await reader.readFrame();
      assertEquals(raw.length, before.length);
      assert(raw.every((byte, i) => byte === before[i]));
      const after = await client.runRaw(...read);
      assert(after.length !== before.length, "the change has taken place");
    },
  );
}

suite("KT3: a reader that is fast is waited for", async (client, server) => {
  await fill(client);
  using other = await server.client();
  for (let round = 0; round < 20; round++) {
    const [replies, added] = await Promise.all([
      client.pipeline([["SMEMBERS", set1], ["SCARD", set1]]),
      other.run("SADD", set1, `late:${round}`),
    ]);
    assertEquals(plain(added), 1);
    const members = [...plain(replies[0]!) as Iterable<Plain>];
    assert(
      members.length === COUNT + round || members.length === COUNT + round + 1,
    );
  }
});

Deno.test("what the background writes survives, also with snapshots beside it", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sherd_background_" });
  try {
    await using server = await startServer({
      workers: 3,
      args: [
        ...["--background-threshold", "100", "--appendonly", "yes"],
        ...["--background-threshold-bytes", "1000", "--dir", dir],
      ],
    });
    using client = await server.client();
    const digest = async () => plain(await client.run("DEBUG", "DIGEST"));
    for (const argv of WRITES) {
      await client.run("FLUSHALL");
      await fill(client);
      await client.run("SET", "before", argv.join(" "));
      await client.run(...argv);
      const before = await digest();
      assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
      assertEquals(await digest(), before, argv.join(" "));
    }
    await client.run("FLUSHALL");
    await fill(client);
    // Values are replaced, and changed in slices, while the log is written anew.
    const members = Array.from({ length: 6000 }, (_, i) => [`${i}`, `m:${i}`]);
    const writing = Array.from({ length: 6 }, async (_, number) => {
      using writer = await server.client();
      const key = `{${[A, B, C, D][number % 4]}}own:${number}`;
      for (let round = 0; round < 12; round++) {
        await writer.run("SUNIONSTORE", key, set1, set2);
        await writer.run("COPY", zset1, key, "REPLACE");
        await writer.run("ZADD", `${key}z`, ...members.flat());
        await writer.run(
          "ZREMRANGEBYRANK",
          `${key}z`,
          "0",
          String(3000 + round),
        );
        await writer.run("ZUNIONSTORE", `${key}u`, "2", `${key}z`, zset2);
        await writer.run("RENAME", `${key}u`, `{${A}}renamed:${number}`);
      }
    });
    let isOver = false;
    const rewriting = (async () => {
      while (!isOver) {
        await client.run("BGREWRITEAOF");
        for (;;) {
          const info = String(plain(await client.run("INFO", "persistence")));
          if (info.includes("aof_rewrite_in_progress:0")) break;
        }
      }
    })();
    await Promise.all(writing);
    isOver = true;
    await rewriting;
    const before = await digest();
    assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
    assertEquals(await digest(), before);
    assertEquals(plain(await client.run("DEBUG", "RELOAD")), "OK");
    assertEquals(await digest(), before);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

suite("KT56: KEYS is a picture of one instant", async (client, server) => {
  const many = Array.from({ length: 3000 }, (_, i) => [`key:${i}`, "v"]);
  await client.run("MSET", ...many.flat());
  const chains = 10;
  for (let i = 0; i < chains; i++) await client.run("SET", `chain${i}:0`, "v");
  using writer = await server.client();
  let isOver = false;
  let steps = 0;
  const writing = (async () => {
    for (let step = 0; !isOver; step++) {
      await writer.pipeline([
        ...Array.from({ length: chains }, (_, i) => [
          "RENAME",
          `chain${i}:${step}`,
          `chain${i}:${step + 1}`,
        ]),
        ["SET", `brief:${step}`, "v"],
        ["DEL", `brief:${step - 3}`],
      ]);
      steps++;
    }
  })();
  for (let round = 0; round < 10; round++) {
    const keys = plain(await client.run("KEYS", "*")) as string[];
    assertEquals(new Set(keys).size, keys.length, "no key comes twice");
    assertEquals(keys.filter((key) => key.startsWith("key:")).length, 3000);
    const links = keys.filter((key) => key.startsWith("chain"));
    assertEquals(links.length, chains, "each chain has one link");
    const brief = keys.filter((key) => key.startsWith("brief:"))
      .map((key) => Number(key.slice(6))).sort((a, b) => a - b);
    assert(brief.length <= 4);
    assertEquals(
      (brief.at(-1) ?? 0) - (brief[0] ?? 0),
      Math.max(0, brief.length - 1),
    );
    const some = plain(await client.run("KEYS", "chain*")) as string[];
    assertEquals(some.length, chains);
    assertEquals(plain(await client.run("KEYS", "")), []);
  }
  isOver = true;
  await writing;
  assert(steps > 0);
});

suite(
  "KEYS while databases are emptied and exchanged",
  async (client, server) => {
    using writer = await server.client();
    const many = Array.from({ length: 1000 }, (_, i) => [`key:${i}`, "v"])
      .flat();
    let isOver = false;
    const writing = (async () => {
      while (!isOver) {
        await writer.run("MSET", ...many);
        await writer.run("SWAPDB", "0", "1");
        await writer.run("FLUSHDB");
      }
    })();
    for (let round = 0; round < 8; round++) {
      const keys = plain(await client.run("KEYS", "*")) as string[];
      assert(keys.length === 0 || keys.length === 1000, `${keys.length} keys`);
      assertEquals(new Set(keys).size, keys.length);
    }
    isOver = true;
    await writing;
    await client.run("SELECT", "1");
    await client.run("FLUSHALL");
  },
);

suite("long replies arrive whole", async (client) => {
  const padding = "p".repeat(300);
  const members = Array.from({ length: 2000 }, (_, i) => `${i}:${padding}`);
  await client.run("SADD", set1, ...members.slice(0, 1500));
  await client.run("SADD", set2, ...members.slice(500));
  const replies = await client.pipeline([
    ["SUNION", set1, set2],
    ["PING"],
    ["SORT", set1, "ALPHA", "DESC"],
    ["SUNION", set1, set2],
    ["PING"],
  ]);
  const [union, ping, sorted] = replies.map(plain);
  const found = [...union as Iterable<Plain>].map(String).sort();
  assertEquals(found, [...members].sort());
  assertEquals(ping, "PONG");
  assertEquals(sorted, members.slice(0, 1500).sort().reverse());
  assertEquals(plain(replies[4]!), "PONG");
  assertEquals(toBinary(new Uint8Array(0)), "");
});

suite(
  "what is removed in slices is removed at one instant",
  async (client, server) => {
    using other = await server.client();
    const count = 6000;
    const members = Array.from({ length: count }, (_, i) => [`${i}`, `m:${i}`]);
    const numbers = Array.from({ length: 10 * count }, (_, i) => String(i));
    const removals: [string[], Plain][] = [
      [["ZREMRANGEBYRANK", zset1, "500", "4999"], 4500],
      [["ZREMRANGEBYSCORE", zset1, "(500", "+inf"], 5499],
      [["ZREMRANGEBYLEX", zset1, "-", "[m:4"], 3335],
      [["LTRIM", list, "30000", "-10001"], "OK"],
    ];
    for (const [argv, expected] of removals) {
      const isList = argv[0] === "LTRIM";
      await client.run("DEL", zset1, list);
      const byLex = argv[0] === "ZREMRANGEBYLEX";
      await client.run(
        "ZADD",
        zset1,
        ...members.flatMap((
          [score, member],
        ) => [byLex ? "0" : score!, member!]),
      );
      await client.run("RPUSH", list, ...numbers);
      const size = isList ? ["LLEN", list] : ["ZCARD", zset1];
      const before = plain(await client.run(...size));
      const sizes = new Set<Plain>();
      let isOver = false;
      const watching = (async () => {
        while (!isOver) sizes.add(plain(await other.run(...size)));
      })();
      const events = await heard(server, client, async () => {
        const replies = await client.pipeline([argv, size]);
        assertEquals(plain(replies[0]!), expected);
        sizes.add(plain(replies[1]!));
      });
      isOver = true;
      await watching;
      const after = plain(await client.run(...size));
      assert([...sizes].every((seen) => seen === before || seen === after));
      const inPlace = await runInline(client, ...argv);
      assert(inPlace === "OK" || typeof inPlace === "number");
      const key = argv[1]!;
      assertEquals(events, [`__keyspace@0__:${key} ${argv[0]!.toLowerCase()}`]);
    }
  },
);

Deno.test("without threads, everything is run in place", async () => {
  const args = [
    ...["--background-threads", "0", "--background-threshold", "100"],
    ...["--background-threshold-bytes", "1000"],
  ];
  await using server = await startServer({ workers: 2, args });
  using client = await server.client();
  await fill(client);
  for (const argv of [...READS, ...WRITES]) await client.run(...argv);
  assertEquals(await statistic(client, "sherd_background_commands"), 0);
  using reader = await server.client();
  const members = Array.from({ length: 3000 }, (_, i) => `${i}:${PADDING}`);
  await client.run("SADD", "large", ...members);
  await reader.sendCommands([["SMEMBERS", "large"]]);
  while (plain(await client.run("SADD", "large", "late")) !== 1);
  const { reply } = await reader.readFrame();
  assert((plain(reply) as Plain[]).length >= 3000);
});

suite(
  "CLIENT PAUSE holds up what the background has written",
  async (client, server) => {
    await fill(client);
    using other = await server.client();
    for (let round = 0; round < 10; round++) {
      await client.run("DEL", target);
      await other.sendCommands([["SUNIONSTORE", target, set1, set2]]);
      await client.run("CLIENT", "PAUSE", "60000", "WRITE");
      // What was done before the pause stays, nothing follows.
      const before = plain(await client.run("DBSIZE"));
      await new Promise((wake) => setTimeout(wake, 30));
      assertEquals(plain(await client.run("DBSIZE")), before);
      await client.run("CLIENT", "UNPAUSE");
      assertEquals(plain(await other.readReply()), COUNT * 1.5);
    }
  },
);
