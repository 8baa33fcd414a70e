/**
 * COPY to another database and RESTORE in the background: what they leave behind
 * is what they leave in place.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { startServer, type TestServer } from "../_harness.ts";
import { framed, unframed } from "../_dump_frame.ts";
import {
  type Plain,
  plain,
  type TestClient,
  toBinary,
} from "../_resp_client.ts";
import {
  A,
  C,
  contents,
  COUNT,
  fill,
  KEYS,
  runCounted,
  runInline,
  statistic,
  suite,
} from "./_background.ts";
import { heard } from "./_heard.ts";

const { set1, zset1, list, hash, stream, text1, target } = KEYS;

/** What databases 0 and 1 hold. */
async function bothContents(client: TestClient): Promise<Plain[]> {
  const first = await contents(client);
  await client.run("SELECT", "1");
  const second = await contents(client);
  await client.run("SELECT", "0");
  return [first, second];
}

/** Runs commands in the background and in place, and compares all they do. */
async function compare(
  client: TestClient,
  server: TestServer,
  commands: readonly (readonly string[])[],
  prepare: () => Promise<void>,
): Promise<void> {
  for (const argv of commands) {
    const text = argv.map((word) => word.slice(0, 30)).join(" ");
    const outcomes: Plain[][] = [];
    for (const isInline of [false, true]) {
      await prepare();
      let reply: Plain = null;
      const events = await heard(server, client, async () => {
        if (isInline) reply = await runInline(client, ...argv);
        else {
          const [answer, count] = await runCounted(client, ...argv);
          assertEquals(count, 1, text);
          reply = answer;
        }
      });
      outcomes.push([reply, events, await bothContents(client)]);
    }
    assertEquals(outcomes[0], outcomes[1], text);
  }
}

suite("COPY to another database", async (client, server) => {
  const commands = [
    ["COPY", set1, target, "DB", "1"],
    ["COPY", set1, set1, "DB", "1"],
    ["COPY", zset1, zset1, "DB", "1", "REPLACE"],
    ["COPY", list, set1, "DB", "1"],
    ["COPY", hash, `{${A}}there`, "REPLACE", "DB", "1"],
    ["COPY", hash, `{${A}}there`, "DB", "1"],
    ["COPY", stream, target, "DB", "0"],
    ["COPY", set1, target, "DB", "16"],
    ["COPY", set1, set1, "DB", "0"],
  ];
  await fill(client);
  await compare(client, server, commands, async () => {
    await client.pipeline([
      ["DEL", target],
      ["SELECT", "1"],
      ["FLUSHDB"],
      ["SADD", `{${A}}there`, "a"],
      ["SELECT", "0"],
    ]);
  });
});

/** What DUMP says of each key that was filled. */
async function dumps(client: TestClient): Promise<Map<string, Uint8Array>> {
  await fill(client);
  // Long enough to stream into the arena.
  const long = Array.from({ length: 9000 }, (_, i) => `member:${i}`);
  await client.run("SADD", `{${C}}long`, ...long);
  const text = Array.from({ length: 9000 }, (_, i) => (i * i) % 99_991).join(
    "",
  );
  await client.run("SET", `{${C}}text`, text);
  await client.run("SET", text1, text.slice(0, 2000));
  const all = new Map<string, Uint8Array>();
  const longs = [`{${C}}long`, `{${C}}text`];
  for (const key of [set1, zset1, list, hash, stream, text1, ...longs]) {
    const reply = await client.run("DUMP", key);
    assert(reply.type === "bulk");
    all.set(key, reply.value!);
  }
  await client.run("FLUSHALL");
  return all;
}

suite("RESTORE of large payloads", async (client, server) => {
  const dumped = await dumps(client);
  const commands: string[][] = [];
  for (const [key, bytes] of dumped) {
    commands.push(["RESTORE", key, "0", toBinary(bytes)]);
  }
  const payload = toBinary(dumped.get(zset1)!);
  const value = unframed(dumped.get(set1)!);
  const cut = toBinary(framed(value.slice(0, -3)));
  const damaged = payload.slice(0, -1) +
    String.fromCharCode(payload.charCodeAt(payload.length - 1) ^ 1);
  const soon = String(Date.now() + 100_000);
  commands.push(
    ["RESTORE", target, "100000", payload],
    ["RESTORE", target, "100000", payload, "REPLACE"],
    ["RESTORE", "there", "0", payload],
    ["RESTORE", "there", "0", payload, "REPLACE"],
    ["RESTORE", "there", soon, payload, "ABSTTL", "REPLACE"],
    ["RESTORE", "there", "1", payload, "ABSTTL", "REPLACE"],
    ["RESTORE", target, "1", payload, "ABSTTL"],
    ["RESTORE", target, "-1", payload],
    ["RESTORE", target, "x", payload],
    ["RESTORE", target, "0", payload, "IDLETIME", "-1"],
    ["RESTORE", target, "0", payload, "FREQ", "256"],
    ["RESTORE", target, "0", payload, "NONSENSE"],
    ["RESTORE", target, "0", damaged],
    ["RESTORE", target, "0", cut],
    ["RESTORE-ASKING", target, "0", payload],
  );
  await compare(client, server, commands, async () => {
    await client.pipeline([["FLUSHALL"], ["HSET", "there", "f", "v"]]);
  });
});

suite("RESTORE says when, and how often, a key was used", async (client) => {
  const payload = toBinary((await dumps(client)).get(set1)!);
  await client.run("RESTORE", target, "0", payload, "IDLETIME", "1000");
  const idle = plain(await client.run("OBJECT", "IDLETIME", target)) as number;
  assert(idle >= 1000 && idle < 1010, String(idle));
  await client.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu");
  const [reply, count] = await runCounted(
    client,
    ...["RESTORE", target, "0", payload, "REPLACE", "FREQ", "77"],
  );
  assertEquals([reply, count], ["OK", 1]);
  assertEquals(plain(await client.run("OBJECT", "FREQ", target)), 77);
  // A key keeps that when it is renamed.
  assertEquals((await runCounted(client, "RENAME", target, list))[1], 1);
  const often = plain(await client.run("OBJECT", "FREQ", list)) as number;
  assert(often === 77 || often === 78, `${often}: RENAME may have counted`);
  await client.run("CONFIG", "SET", "maxmemory-policy", "noeviction");
});

suite("RESTORE and COPY beside others", async (client, server) => {
  const all = await dumps(client);
  const payload = toBinary(all.get(`{${C}}long`)!);
  await fill(client);
  using other = await server.client({ resp: 2 });
  for (let round = 0; round < 6; round++) {
    const restore = ["RESTORE", target, "0", payload, "REPLACE"];
    const [replies, set] = await Promise.all([
      client.pipeline([restore, ["COPY", set1, target, "DB", "1"]]),
      other.run("SET", target, "other"),
    ]);
    assertEquals(plain(replies[0]!), "OK");
    assertEquals(plain(set), "OK");
    const size = plain(await client.run("TYPE", target));
    assertMatch(String(size), /^(string|set)$/);
    using leaver = await server.client();
    await leaver.sendCommands([restore, ["COPY", set1, set1, "DB", "1"]]);
  }
  // Whoever waits for the database sees all that was begun before.
  await other.run("SELECT", "1");
  assertEquals(plain(await other.run("SCARD", target)), COUNT);
  const replies = await client.pipeline([
    ["COPY", set1, `{${A}}swapped`, "DB", "1"],
    ["SWAPDB", "0", "1"],
    ["SCARD", `{${A}}swapped`],
  ]);
  assertEquals(replies.map(plain), [1, "OK", COUNT]);
  await client.run("FLUSHALL");
});

suite("WATCH sees keys of the other database", async (client, server) => {
  await fill(client);
  using other = await server.client();
  await other.run("SELECT", "1");
  await other.run("WATCH", target);
  await client.run("COPY", set1, target, "DB", "1");
  const replies = await other.pipeline([["MULTI"], ["PING"], ["EXEC"]]);
  assertEquals(plain(replies[2]!), null);
});

suite("nothing of them is left in memory", async (client) => {
  const all = await dumps(client);
  for (const [key, bytes] of all) {
    const payload = toBinary(bytes);
    await client.run("RESTORE", key, "0", payload);
    await client.run("RESTORE", key, "0", payload);
    await client.run("RESTORE", key, "90000", payload, "REPLACE");
    await client.run("RESTORE", key, "1", payload, "REPLACE", "ABSTTL");
    await client.run("RESTORE", key, "0", `${payload}x`, "REPLACE");
    await client.run("RESTORE", key, "90000", payload);
    await client.run("COPY", key, key, "DB", "1", "REPLACE");
  }
  await client.run("FLUSHALL");
  const endMs = performance.now() + 10_000;
  while (await datasetBytes(client) >= 1000) {
    assert(performance.now() < endMs, "all memory is free");
  }
});

async function datasetBytes(client: TestClient): Promise<number> {
  const info = String(plain(await client.run("INFO", "memory")));
  return Number(/used_memory_dataset:(\d+)/.exec(info)![1]);
}

Deno.test("what they write is in the log", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sherd_background_" });
  try {
    await using server = await startServer({
      workers: 2,
      args: [
        ...["--background-threshold", "100", "--appendonly", "yes"],
        ...["--background-threshold-bytes", "1000", "--dir", dir],
      ],
    });
    using client = await server.client();
    const all = await dumps(client);
    await fill(client);
    const payload = toBinary(all.get(`{${C}}long`)!);
    await client.run("SET", "gone", "v");
    const commands = [
      ["COPY", set1, target, "DB", "1"],
      ["RESTORE", "a", "100000", payload],
      ["RESTORE", "b", "0", payload],
      ["RESTORE", "gone", "1", payload, "ABSTTL", "REPLACE"],
      ["RESTORE", set1, "100000", payload, "REPLACE"],
    ];
    for (const argv of commands) await client.run(...argv);
    assertEquals(
      await statistic(client, "sherd_background_commands") >= commands.length,
      true,
    );
    const before = await bothContents(client);
    assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
    assertEquals(await bothContents(client), before);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
