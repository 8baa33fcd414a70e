/**
 * Many elements taken from an end at once: what is taken and what is left is what
 * an array would say, whether it is done in slices or not, and others are served
 * between the slices.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { until } from "../_patience.ts";
import { hasRedisServer, startRedisServer } from "../_redis_server.ts";
import { type Plain, plain, toBinary } from "../_resp_client.ts";
import { heard } from "./_heard.ts";
import { slicesSuite } from "./_slices.ts";

const K = "{a}key";
const OTHER = "{a}other";
const NONE = "{b}none";
const { suite, servers } = slicesSuite({ isLogged: false });

/** More than are ever taken at once from a list of small elements. */
const LENGTH = 9001;
const elements = Array.from(
  { length: LENGTH },
  (_, i) => i % 3 === 0 ? String(i) : `element:${i}`,
);
const MEMBERS = 1500;
const scoreOf = (i: number) => Math.floor(i / 2) / 4;
/** In the order of the sorted set: members of a score by their bytes. */
const members = Array.from(
  { length: MEMBERS },
  (_, i) => `member:${String(i).padStart(5, "0")}`,
);
const scored = members.flatMap((member, i) => [String(scoreOf(i)), member]);

/** Around what is taken at once whatever it is, and as much as there is. */
const LIST_COUNTS = [1, 1000, 1001, 8000, 8001, LENGTH - 1, LENGTH, LENGTH + 1];
const ZSET_COUNTS = [1, 1000, 1001, MEMBERS - 1, MEMBERS, MEMBERS + 1];

suite("LPOP, RPOP and LMPOP take what they would from an array", async (
  client,
) => {
  for (const [i, count] of LIST_COUNTS.entries()) {
    for (const atHead of [true, false]) {
      await client.run("RPUSH", K, ...elements);
      const ordered = atHead ? elements : elements.toReversed();
      const taken = ordered.slice(0, count);
      if (i % 2 === 0) {
        const name = atHead ? "LPOP" : "RPOP";
        assertEquals(plain(await client.run(name, K, String(count))), taken);
      } else {
        const side = atHead ? "LEFT" : "RIGHT";
        const argv = ["LMPOP", "2", NONE, K, side, "COUNT", String(count)];
        assertEquals(plain(await client.run(...argv)), [K, taken]);
      }
      const rest = ordered.slice(count);
      const left = plain(await client.run("LRANGE", K, "0", "-1"));
      assertEquals(left, atHead ? rest : rest.toReversed());
      await client.run("DEL", K);
    }
  }
});

suite("ZPOPMIN, ZPOPMAX and ZMPOP take what they would from an array", async (
  client,
) => {
  const pairs = members.map((member, i) => [member, scoreOf(i)] as const);
  const isResp3 = plain(await client.run("HELLO")) instanceof Map;
  const shown = (score: number) => isResp3 ? score : String(score);
  for (const [i, count] of ZSET_COUNTS.entries()) {
    for (const isMax of [false, true]) {
      await client.run("ZADD", K, ...scored);
      const ordered = isMax ? pairs.toReversed() : pairs;
      const taken = ordered.slice(0, count)
        .map(([member, score]) => [member, shown(score)]);
      if (i % 2 === 0) {
        const name = isMax ? "ZPOPMAX" : "ZPOPMIN";
        const reply = plain(await client.run(name, K, String(count)));
        assertEquals(reply, isResp3 ? taken : taken.flat());
      } else {
        const side = isMax ? "MAX" : "MIN";
        const argv = ["ZMPOP", "2", NONE, K, side, "COUNT", String(count)];
        assertEquals(plain(await client.run(...argv)), [K, taken]);
      }
      const rest = ordered.slice(count).map(([member]) => member);
      const left = plain(await client.run("ZRANGE", K, "0", "-1"));
      assertEquals(left, isMax ? rest.toReversed() : rest);
      await client.run("DEL", K);
    }
  }
});

/** Fills the key, and the commands that are to reply the same as Redis's. */
const LIKE_REDIS: readonly (readonly [
  fill: readonly string[],
  commands: readonly (readonly string[])[],
])[] = [
  [["RPUSH", K, ...elements, ...elements], [
    ["LPOP", K, "8500"],
    ["LMPOP", "1", K, "RIGHT", "COUNT", "9000"],
    ["RPOP", K, "10000"],
    ["LPOP", K, "10000"],
    ["LMPOP", "2", NONE, K, "LEFT", "COUNT", "10000"],
  ]],
  [["ZADD", K, ...scored, "inf", "~1", "-inf", "~2", "-0.5", "~3"], [
    ["ZPOPMIN", K],
    ["ZPOPMAX", K],
    ["ZPOPMAX", K, "1"],
    ["ZMPOP", "2", NONE, K, "MIN", "COUNT", "300"],
    ["ZPOPMIN", K, "1001"],
    ["ZPOPMAX", K, "10000"],
    ["ZPOPMIN", K, "10000"],
    ["ZPOPMIN", K],
    ["ZMPOP", "1", K, "MAX", "COUNT", "10000"],
  ]],
  [["ZADD", K, ...scored], [
    ["ZPOPMAX", K, "1001"],
    ["ZMPOP", "1", K, "MAX", "COUNT", "10000"],
  ]],
  [["ZADD", K, ...scored], [["BZMPOP", "0", "1", K, "MIN", "COUNT", "1001"]]],
];

Deno.test({
  name: "many elements are replied as redis-server does",
  ignore: !hasRedisServer("replies of many popped elements"),
  fn: async () => {
    await using redis = await startRedisServer();
    for (const resp of [2, 3] as const) {
      using reference = await redis.client({ resp });
      using client = await servers.get(3)!.client({ resp });
      for (const [fill, commands] of LIKE_REDIS) {
        for (const each of [reference, client]) {
          await each.run("FLUSHALL");
          await each.run(...fill);
        }
        for (const argv of commands) {
          const expected = toBinary(await reference.runRaw(...argv));
          assertEquals(toBinary(await client.runRaw(...argv)), expected);
        }
      }
    }
  },
});

/** What takes long enough for others to come in between, for certain. */
const LONG: readonly (readonly [
  fill: readonly string[],
  change: readonly string[],
])[] = [
  [["RPUSH", K, ...elements], ["LPOP", K, "8999"]],
  [["RPUSH", K, ...elements], [
    ...["BLMPOP", "0", "2", NONE, K, "RIGHT", "COUNT", "8999"],
  ]],
  [["ZADD", K, ...scored], ["ZPOPMAX", K, "1499"]],
  [["ZADD", K, ...scored], ["ZMPOP", "1", K, "MIN", "COUNT", "1499"]],
];

suite("others are served between two slices", async (client, server) => {
  using writer = await server.client();
  await client.run("CONFIG", "SET", "list-max-listpack-size", "1");
  await client.run("SET", OTHER, "value");
  for (const [fill, change] of LONG) {
    await until(`a GET while ${change[0]} is under way`, async () => {
      await client.run("DEL", K);
      await client.run(...fill);
      await writer.sendCommands([change]);
      // One answer after the other, from one turn of a worker.
      const [before, got, after] = (await client.pipeline([
        ["LOCKS", "LIST"],
        ["GET", OTHER],
        ["LOCKS", "LIST"],
      ])).map(plain);
      await writer.readReply();
      assertEquals(got, "value");
      return isInSlices(before!) && isInSlices(after!);
    });
  }
  await client.run("CONFIG", "SET", "list-max-listpack-size", "-2");
});

/** Whether LOCKS LIST shows a key that is changed in slices. */
function isInSlices(locks: Plain): boolean {
  return (locks as Plain[]).some((lock) =>
    (lock instanceof Map ? [...lock.values()] : lock as Plain[])
      .includes("slices")
  );
}

suite("who waits gets many at once", async (client, server) => {
  using waiter = await server.client();
  for (
    const [fill, wait, taken, left] of [
      [["RPUSH", K, ...elements], "BLMPOP 0 1 {a}key LEFT COUNT 8500", 8500, [
        "LLEN",
        K,
      ]],
      [["ZADD", K, ...scored], "BZMPOP 0 1 {a}key MAX COUNT 1400", 1400, [
        "ZCARD",
        K,
      ]],
    ] as const
  ) {
    await waiter.sendCommands([wait.split(" ")]);
    await until("the client waits", async () => {
      const info = String(plain(await client.run("INFO", "clients")));
      return info.includes("blocked_clients:1");
    });
    const length = Number(plain(await client.run(...fill)));
    const [, elements] = plain(await waiter.readReply()) as [Plain, Plain[]];
    assertEquals(elements.length, taken);
    assertEquals(plain(await client.run(...left)), length - taken);
    await client.run("DEL", K);
  }
});

suite("who waits for a key gets what slices leave", async (client, server) => {
  using writer = await server.client();
  await client.run("RPUSH", K, ...elements);
  await writer.sendCommands([["LPOP", K, String(LENGTH - 1)]]);
  let isBefore = false;
  const events = await heard(server, client, async () => {
    // Behind the slices or before them.
    const [, got] = plain(await client.run("BLPOP", K, "0")) as string[];
    const popped = plain(await writer.readReply()) as string[];
    isBefore = got === elements[0];
    assertEquals(
      popped,
      isBefore ? elements.slice(1) : elements.slice(0, LENGTH - 1),
    );
    assert(isBefore || got === elements.at(-1));
  });
  // Those of another worker may come later, or between.
  const deletion = `__keyspace@0__:${K} del`;
  assert(isBefore || events.includes(deletion), String(events));
  assertEquals(plain(await client.run("EXISTS", K)), 0);
});

suite("a key is free when all has been taken", async (client, server) => {
  // More than a socket takes from one who does not read.
  const large = Array(2100).fill("x".repeat(5000));
  using reader = await server.client();
  await client.run("CONFIG", "SET", "background-threshold", "100");
  await client.run("RPUSH", K, ...large);
  await reader.sendCommands([["LPOP", K, "2100"]]);
  await until(
    "all is taken",
    async () => plain(await client.run("EXISTS", K)) === 0,
  );
  assertEquals(plain(await client.run("LOCKS", "LIST")), []);
  assertEquals((plain(await reader.readReply()) as Plain[]).length, 2100);
  await client.run("CONFIG", "SET", "background-threshold", "5000");
});

suite("a watched key is touched, and caches are told", async (
  client,
  server,
) => {
  using watcher = await server.client();
  using cache = await server.client({ resp: 3 });
  await client.run("RPUSH", K, ...elements);
  await watcher.run("WATCH", K);
  for (const mode of [[], ["NOLOOP"]]) {
    await cache.run("CLIENT", "TRACKING", "OFF");
    await cache.run("CLIENT", "TRACKING", "ON", ...mode);
    await client.run("DEL", K);
    await client.run("RPUSH", K, ...elements);
    await cache.run("LLEN", K);
    await cache.sendCommands([["LPOP", K, "8500"], ["PING"]]);
    const types: string[] = [];
    const count = mode.length === 0 ? 3 : 2;
    while (types.length < count) types.push((await cache.readReply()).type);
    // Who has changed the key himself is told behind the reply.
    const told = mode.length === 0 ? ["push"] : [];
    assertEquals(types, ["array", ...told, "simple"]);
  }
  const replies = await watcher.pipeline([["MULTI"], ["PING"], ["EXEC"]]);
  assertEquals(plain(replies[2]!), null);
});
