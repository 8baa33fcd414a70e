/**
 * Elements of megabytes: they are replied as redis-server does, from where they
 * lie, whoever changes or deletes their key before they are sent.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { equalBytes } from "../../src/core/base/bytes.ts";
import { hasRedisServer, startRedisServer } from "../_redis_server.ts";
import { plain, type TestClient, toBinary } from "../_resp_client.ts";
import { until } from "../_patience.ts";
import { beginReading } from "./_long_values.ts";
import { slicesSuite } from "./_slices.ts";

const { suite, servers } = slicesSuite();

const K = "{a}key";
/** So long that the sockets do not take it while nobody reads. */
const UNSENT = 12 << 20;
/** Long enough not to be copied. */
const NOT_COPIED = 1 << 20;
/** Elements of which each is short enough to be copied. */
const SOME_COUNT = 64;

type Argv = readonly string[];

interface Case {
  readonly fill: readonly Argv[];
  /** They read it. */
  readonly reads: readonly Argv[];
  /** They change it. */
  readonly changes: readonly Argv[];
}

/** Values with an element of so many bytes, or of many shorter ones. */
function casesOf(bytes: number): Case[] {
  const LONG = "long".repeat(bytes >> 2);
  const SHORTER = "s".repeat(1 << 19);
  const SOME = Array.from(
    { length: SOME_COUNT },
    (_, i) => `${i}`.padEnd(bytes * 1.3 / SOME_COUNT, "."),
  );
  return [
    {
      fill: [["HSET", K, "f", LONG, "g", "v", "h", SHORTER]],
      reads: [
        ["HGET", K, "f"],
        ["HMGET", K, "f", "g", "none", "h", "f"],
        ["HGETALL", K],
        ["HVALS", K],
        ["HRANDFIELD", K, "3", "WITHVALUES"],
      ],
      changes: [
        ["HSET", K, "f", "new"],
        ["HDEL", K, "f"],
        ["HINCRBY", K, "n", "1"],
        ["HSET", K, "f", "other".repeat(bytes / 5)],
      ],
    },
    {
      fill: [
        ["HSET", K, "f", LONG, LONG, "1", "g", "v"],
        ["HEXPIRE", K, "1000", "FIELDS", "1", "g"],
      ],
      reads: [
        ["HGET", K, "f"],
        ["HMGET", K, "f", "g", "none"],
        ["HRANDFIELD", K, "-5"],
        ["HGETEX", K, "FIELDS", "2", "f", "g"],
      ],
      changes: [
        ["HINCRBYFLOAT", K, LONG, "1"],
        ["HGETEX", K, "EX", "10", "FIELDS", "2", "f", LONG],
        ["HGETDEL", K, "FIELDS", "2", LONG, "f"],
      ],
    },
    {
      fill: [
        ["XADD", K, "1-1", "f", LONG],
        ["XADD", K, "1-2", "f", "v", "g", "w"],
        ["XADD", K, "1-3", LONG, "v"],
        ["XGROUP", "CREATE", K, "g", "0"],
        ["XGROUP", "CREATE", K, "h", "0"],
        ["XCLAIM", K, "g", "c", "0", "1-1", "1-2", "1-3", "FORCE", "JUSTID"],
      ],
      reads: [
        ["XRANGE", K, "-", "+"],
        ["XREVRANGE", K, "+", "-", "COUNT", "2"],
        ["XREAD", "COUNT", "1", "STREAMS", K, "0"],
        ["XREADGROUP", "GROUP", "h", "c", "STREAMS", K, ">"],
        ["XREADGROUP", "GROUP", "g", "c", "STREAMS", K, "0"],
        ["XCLAIM", K, "g", "d", "0", "1-1", "1-3"],
        ["XAUTOCLAIM", K, "g", "d", "0", "0"],
      ],
      changes: [
        ["XADD", K, "2-*", "f", "v"],
        ["XDEL", K, "1-1", "1-3"],
        ["XTRIM", K, "MAXLEN", "0"],
      ],
    },
    {
      fill: SOME.map((value, i) => ["XADD", K, `1-${i + 1}`, "f", value]),
      reads: [
        ["XRANGE", K, "1-2", "+"],
        ["XREVRANGE", K, "1-60", "-", "COUNT", "50"],
        ["XREAD", "STREAMS", K, "1-1"],
      ],
      changes: [["XADD", K, "2-*", "f", "v"], ["XTRIM", K, "MAXLEN", "5"]],
    },
    {
      fill: [["GEOADD", K, "1", "1", LONG, "1", "1.001", "near"]],
      reads: [
        ["GEOSEARCH", K, "FROMLONLAT", "1", "1", "BYRADIUS", "9", "km", "ASC"],
        ["ZRANDMEMBER", K, "-1"],
      ],
      changes: [["GEOADD", K, "2", "2", LONG], ["ZPOPMIN", K, "5"]],
    },
    {
      fill: [["RPUSH", K, "a", LONG, "b", SHORTER]],
      reads: [["LINDEX", K, "1"], ["LRANGE", K, "0", "-1"]],
      changes: [["LSET", K, "1", "new"], ["LPOP", K, "2"], [
        "LTRIM",
        K,
        "2",
        "2",
      ]],
    },
    {
      fill: [["SADD", K, LONG]],
      reads: [
        ["SMEMBERS", K],
        ["SRANDMEMBER", K],
        ["SRANDMEMBER", K, "1"],
        ["SRANDMEMBER", K, "5"],
      ],
      changes: [["SADD", K, "new"], ["SPOP", K], ["SREM", K, LONG]],
    },
    {
      fill: [["ZADD", K, "1", "a", "2", LONG, "3", SHORTER]],
      reads: [
        ["ZRANGE", K, "0", "-1", "WITHSCORES"],
        ["ZREVRANGE", K, "0", "1"],
        ["ZRANGEBYSCORE", K, "2", "2"],
      ],
      changes: [["ZADD", K, "5", LONG], ["ZREM", K, LONG], ["ZPOPMAX", K, "2"]],
    },
    {
      fill: SOME.map((value, i) => ["HSET", K, `f${i}`, value]),
      reads: [["HGETALL", K], ["HVALS", K]],
      changes: [["HSET", K, "f1", "new"]],
    },
    {
      fill: [["ZADD", K, ...SOME.flatMap((member, i) => [`${i}`, member])]],
      reads: [["ZRANGE", K, "0", "-1"], ["ZRANGE", K, "0", "-1", "REV"]],
      changes: [["ZREM", K, SOME[1]!]],
    },
  ];
}

const CASES = casesOf(NOT_COPIED);
/** The order of what they reply is the server's own. */
const UNORDERED = /HGETALL|HVALS|HRANDFIELD|SMEMBERS/;
/** These redis-server does not know. */
const UNKNOWN = /HEXPIRE/;

/** Whether a reply is another one each time. */
function isRandom(argv: Argv): boolean {
  return argv[0]!.includes("RAND") && Number(argv[2]) < 0;
}

async function refill(client: TestClient, { fill }: Case): Promise<void> {
  await client.run("DEL", K);
  for (const argv of fill) await client.run(...argv);
}

function assertSame(actual: Uint8Array, expected: Uint8Array, name: string) {
  const { length } = expected;
  assert(
    actual.length === length &&
      equalBytes(actual, 0, length, expected, 0, length),
    name,
  );
}

Deno.test({
  name: "long elements are replied as redis-server does",
  ignore: !hasRedisServer("replies of long elements"),
  fn: async () => {
    await using redis = await startRedisServer();
    for (const resp of [2, 3] as const) {
      using reference = await redis.client({ resp });
      using client = await servers.get(3)!.client({ resp });
      for (const each of CASES) {
        if (each.fill.some(([name]) => UNKNOWN.test(name!))) continue;
        await refill(reference, each);
        await refill(client, each);
        for (const argv of each.reads) {
          const expected = (await reference.runRaw(...argv)).slice();
          const raw = await client.runRaw(...argv);
          if (isRandom(argv)) continue;
          if (UNORDERED.test(argv[0]!)) {
            assertEquals(raw.length, expected.length, argv[0]);
          } else assertSame(raw, expected, argv[0]!);
        }
      }
      await client.run("DEL", K);
    }
  },
});

suite("long elements stay as they were while they are sent", async (
  client,
  server,
) => {
  let round = 0;
  for (const each of casesOf(UNSENT)) {
    const changes = [...each.changes, ["DEL", K], ["SET", K, "text"]];
    for (const read of each.reads) {
      // A few each: many megabytes are sent for each.
      if (round++ % 6 !== client.resp - 2) continue;
      const change = changes[round % changes.length]!;
      const name = `${read[0]} ${change[0]}`;
      await refill(client, each);
      const before = (await client.runRaw(...read)).slice();
      await refill(client, each);
      using reader = await server.client({ resp: client.resp });
      await beginReading(reader, client, [read, ["PING"]]);
      const changed = await client.run(...change);
      assert(changed.type !== "error", name);
      const { raw } = await reader.readFrame();
      if (read[0] === "HRANDFIELD" && !isRandom(read)) {
        assertEquals(raw.length, before.length);
      } else if (!isRandom(read)) assertSame(raw, before, name);
      assertEquals(toBinary((await reader.readFrame()).raw), "+PONG\r\n");
    }
  }
});

suite("a reader that vanishes leaves nothing", async (client, server) => {
  await client.run("DEL", K);
  for (const each of CASES) {
    await refill(client, each);
    for (const read of each.reads) {
      using reader = await server.client({ resp: client.resp });
      await reader.sendCommands([read, read]);
    }
    using silent = await server.client();
    await silent.sendCommands([["CLIENT", "REPLY", "OFF"], ...each.reads]);
    await client.run("DEL", K);
  }
  await until("all memory is free", async () => {
    const info = String(plain(await client.run("INFO", "memory")));
    return Number(/used_memory_dataset:(\d+)/.exec(info)![1]) < 1 << 20;
  });
});

suite("in a transaction long elements are replied, too", async (client) => {
  for (const each of CASES) {
    for (const read of each.reads) {
      await refill(client, each);
      const alone = (await client.runRaw(...read)).slice();
      if (isRandom(read)) continue;
      await refill(client, each);
      const inside = [read, ...each.changes, ["DEL", K]];
      const queued = [["MULTI"], ...inside];
      await client.sendCommands([...queued, ["EXEC"]]);
      for (const _ of queued) await client.readFrame();
      const { raw } = await client.readFrame();
      const start = `*${inside.length}\r\n`.length;
      const first = raw.subarray(start, start + alone.length);
      if (read[0] === "HRANDFIELD") assertEquals(first.length, alone.length);
      else assertSame(first, alone, read[0]!);
    }
  }
});

suite("long arguments come back from the log", async (client) => {
  const long = (letter: string) => letter.repeat(NOT_COPIED * 1.5);
  const replies = await client.pipeline([
    ["SET", K, long("a")],
    ["INCR", `${K}n`],
    ["SET", K, long("b"), "NX"],
    ["INCR", `${K}n`],
    ["GETSET", K, long("c")],
    ["SETEX", `${K}e`, "10000", long("d")],
    ["MSET", `${K}1`, long("e"), `${K}2`, long("f")],
    ["APPEND", K, long("g")],
    ["HSET", `${K}h`, "f", long("h")],
    ["RPUSH", `${K}l`, long("i"), long("j")],
    ["LMOVE", `${K}l`, `${K}m`, "LEFT", "RIGHT"],
    ["MULTI"],
    ["SET", `${K}t`, long("k")],
    ["DEL", `${K}1`],
    ["EXEC"],
    ["SET", `${K}x`, long("l"), "PX", "1"],
    ["SET", `${K}3`, long("m")],
    ["SET", `${K}3`, "short"],
  ]);
  assert(replies.every(({ type }) => type !== "error"));
  await until(
    "one has expired",
    async () => plain(await client.run("EXISTS", `${K}x`)) === 0,
  );
  const before = plain(await client.run("DEBUG", "DIGEST"));
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assertEquals(plain(await client.run("DEBUG", "DIGEST")), before);
});
