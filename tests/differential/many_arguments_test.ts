/**
 * Commands with very many arguments, which are gone through in slices, beside
 * redis-server: replies, what is left, events, and what is recorded.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { startServer } from "../_harness.ts";
import { hasRedisServer, startRedisServer } from "../_redis_server.ts";
import { sameElements } from "./_compare.ts";
import { RecordingRedis } from "./_effects.ts";
import type { Step } from "./_generate.ts";
import { runEffects } from "./_run_effects.ts";
import { runEvents } from "./_run_events.ts";
import { runScript, showStep } from "./_run_script.ts";

const ignore = !hasRedisServer("many arguments compared with redis-server's");

/** Workers, protocol, and arguments: more than are gone through at once. */
const RUNS = [[1, 3, 2002], [3, 2, 3002]] as const;
const MOST = 3002;

/** So many strings, each of `argument`. */
function many(count: number, argument: (i: number) => string): string[] {
  return Array.from({ length: count }, (_, i) => argument(i));
}

function pairs(count: number, ...of: ((i: number) => string)[]): string[] {
  return Array.from({ length: count }, (_, i) => of.map((each) => each(i)))
    .flat();
}

const member = (i: number) => `member:${i * 7 % 2500}`;
const integer = (i: number) => String(i * 7 % 2500);
const score = (i: number) => String(i % 40 / 8);
const text = (i: number) => `text ${i % 1000}`;
const longitude = (i: number) => String((i * 17 % 3600) / 10 - 180);
const latitude = (i: number) => String((i * 13 % 1700) / 10 - 85);

/** Every command, on a key that it makes and then on what it has made. */
function scriptOf(count: number): Step[] {
  const half = count >> 1;
  const third = Math.floor(count / 3);
  const adds: string[][] = [
    ["SADD", "set", ...many(count, member)],
    ["SADD", "set", "one", ...many(count, member)],
    ["SADD", "set", ...many(count, (i) => member(i + 900))],
    ["SADD", "integers", "7", "8", "9"],
    ["SADD", "integers", ...many(count, integer), "no integer"],
    ["HSET", "hash", ...pairs(half, member, text)],
    ["HSET", "hash", ...pairs(half, (i) => member(i + 300), score)],
    ["HMSET", "hash2", ...pairs(half, (i) => `${i % 10}`, text)],
    ["HSET", "hash3", "1", "x", "new", "y"],
    ["HMSET", "hash3", ...pairs(half, integer, text)],
    ["HSET", "hash", ...many(count + 1, text)],
    ["HSET", "set", ...many(count + 1, text)],
    ["HSET", "set", ...pairs(half, member, text)],
    ["ZADD", "zset", ...pairs(half, score, member)],
    ["ZADD", "zset", "CH", ...pairs(half, (i) => `${i}`, member)],
    ["ZADD", "zset", "NX", "CH", ...pairs(half, score, (i) => member(i + 400))],
    ["ZADD", "zset", "XX", ...pairs(half, score, (i) => member(i + 800))],
    ["ZADD", "zset", "GT", "CH", ...pairs(half, integer, member)],
    ["ZADD", "zset", "LT", ...pairs(half, score, (i) => member(i + 100))],
    ["ZADD", "none", "XX", ...pairs(half, score, member)],
    ["ZADD", "zset", ...pairs(half, score, member), "none", "member"],
    ["ZADD", "new", ...pairs(half, score, member), "nan", "member"],
    ["ZADD", "set", ...pairs(half, score, member), "none", "member"],
    ["ZADD", "set", ...pairs(half, score, member)],
    ["ZADD", "zset", "INCR", ...pairs(half, score, member)],
    ["ZADD", "zset", "GT", "NX", ...pairs(half, score, member)],
    ["ZADD", "zset", ...pairs(half, score, member), "1"],
    ["GEOADD", "geo", ...pairs(third, longitude, latitude, member)],
    ["GEOADD", "geo", "CH", ...pairs(third, latitude, latitude, member)],
    ["GEOADD", "geo", "NX", ...pairs(third, longitude, latitude, text)],
    ["GEOADD", "geo", ...pairs(third, longitude, latitude, member)]
      .concat("181", "1", "member"),
    ["GEOADD", "geo", ...pairs(third, longitude, latitude, member)]
      .concat("1", "x", "member"),
    ["GEOADD", "none", "XX", ...pairs(third, longitude, latitude, member)],
    ["RPUSH", "list", ...many(count, member)],
    ["LPUSH", "list", ...many(count, text)],
    ["RPUSHX", "list", ...many(count, integer)],
    ["LPUSHX", "none", ...many(count, integer)],
    ["LPUSHX", "list", ...many(count, integer)],
    ["LPUSH", "list2", ...many(count, integer)],
    ["RPUSH", "set", ...many(count, integer)],
    ["SADD", "list", ...many(count, integer)],
    ["PFADD", "hll", ...many(count, member)],
    ["PFADD", "hll", ...many(count, member)],
    ["PFADD", "hll", ...many(count, (i) => `${i}`)],
    ["PFADD", "list", ...many(count, member)],
    ["SET", "text", "text"],
    ["PFADD", "text", ...many(count, member)],
  ];
  const removals: string[][] = [
    ["HDEL", "hash", ...many(count, (i) => member(i + 200))],
    ["HDEL", "hash3", ...many(count, integer)],
    ["HDEL", "hash3", "new", ...many(count, (i) => `${i}`)],
    ["HDEL", "set", ...many(count, integer)],
    ["SREM", "set", ...many(count, (i) => member(i + 200))],
    ["ZREM", "zset", ...many(count, (i) => member(i + 200))],
    ["ZREM", "geo", ...many(count, member), ...many(count, text)],
  ];
  const reads = ["set", "none"].map((key) => [
    ["SMISMEMBER", key, ...many(count, (i) => member(i + 700))],
    ["HMGET", key, ...many(count, member)],
    ["ZMSCORE", key, ...many(count, member)],
  ]).flat().concat([
    ["HMGET", "hash", ...many(count, (i) => member(i + 1900))],
    ["ZMSCORE", "zset", ...many(count, (i) => member(i + 100))],
    ["GEOPOS", "geo", ...many(count, (i) => member(i * 3))],
    ["GEOHASH", "geo", ...many(count, (i) => member(i * 3))],
  ]);
  const id = (i: number) => `${i}-1`;
  const entries = many(1000, (i) => id(i + 1)).map((each) => [
    ...["XADD", "stream", each, "", ""],
  ]);
  const streams: string[][] = [
    ["XGROUP", "CREATE", "stream", "group", "0"],
    ["XREADGROUP", "GROUP", "group", "a", "COUNT", "800", "STREAMS"]
      .concat("stream", ">"),
    ["XACK", "stream", "group", ...many(count, id), "1-x"],
    ["XACK", "stream", "group", ...many(count, (i) => id(i + 200))],
    ["XACK", "stream", "group", ...many(count, (i) => id(i + 200))],
    ["XACK", "stream", "none", ...many(count, id)],
    ["XACK", "set", "group", ...many(count, id)],
    ["XPENDING", "stream", "group"],
    ["XDEL", "stream", ...many(count, id), "x"],
    ["XDEL", "stream", ...many(count, (i) => id(i + 100))],
    ["XDEL", "none", ...many(count, id)],
    ["XLEN", "stream"],
  ];
  return [
    ...adds.map((argv) => ({ argv })),
    ...pictures(),
    ...[...entries, ...streams].map((argv) => ({ argv })),
    ...reads.map((argv) => ({ argv })),
    ...removals.map((argv) => ({ argv })),
    ...pictures(),
  ];
}

/** All that is there. */
function pictures(): Step[] {
  return [
    { argv: ["SMEMBERS", "set"], check: sameElements },
    { argv: ["SMEMBERS", "integers"], check: sameElements },
    { argv: ["HLEN", "hash"] },
    { argv: ["HKEYS", "hash"], check: sameElements },
    { argv: ["HVALS", "hash"], check: sameElements },
    { argv: ["HKEYS", "hash3"], check: sameElements },
    { argv: ["ZRANGE", "zset", "0", "-1", "WITHSCORES"] },
    { argv: ["ZRANGE", "geo", "0", "-1", "WITHSCORES"] },
    { argv: ["LRANGE", "list", "0", "-1"] },
    { argv: ["LRANGE", "list2", "0", "-1"] },
    { argv: ["GET", "hll"] },
    { argv: ["PFCOUNT", "hll"] },
    { argv: ["DBSIZE"] },
    ...["set", "hash", "zset", "geo", "list", "hash3"].map((key) => ({
      argv: ["OBJECT", "ENCODING", key],
    })),
    ...["hash", "hash2", "zset"].map((key) => ({
      argv: [key === "zset" ? "ZSCORE" : "HGET", key, member(5)],
    })),
  ];
}

Deno.test({
  name: "replies and events of commands with many arguments are redis-server's",
  ignore,
  fn: async () => {
    await using reference = await startRedisServer();
    for (const [workers, resp, count] of RUNS) {
      await using subject = await startServer({ workers });
      const script = scriptOf(count);
      const found = await runScript(script, resp, reference, subject);
      assertEquals(found, null, shown(script, found?.index));
      const events = await runEvents(script, {
        ...{ reference, subject, classes: "AKEmn", ignored: [] },
      });
      assertEquals(events, null);
    }
  },
});

Deno.test({
  name: "they are recorded as in redis-server's append-only file",
  ignore,
  fn: async () => {
    await using recording = await RecordingRedis.start();
    const script = scriptOf(MOST);
    const found = await runEffects(script, recording);
    assertEquals(found, null, shown(script, found?.index));
  },
});

function shown(script: readonly Step[], index = 0): string {
  return script[index] === undefined
    ? "at the end"
    : showStep(script[index]).slice(0, 200);
}
