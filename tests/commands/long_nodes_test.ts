/**
 * Values, members and entries that are nodes before their command has its latches:
 * what is there and what is replied is redis-server's, the log has the same, and
 * no memory is lost, whatever becomes of the command.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { hasRedisServer, startRedisServer } from "../_redis_server.ts";
import { type Argument, plain, type TestClient } from "../_resp_client.ts";
import { until } from "../_patience.ts";
import { Random } from "../_random.ts";
import {
  assertNothingLost,
  assertSame,
  assertSameReplies,
  assertSameValues,
} from "./_long_values.ts";
import { settled, slicesSuite } from "./_slices.ts";

const { suite } = slicesSuite();

const HASH = "{a}hash";
const SET = "{a}set";
const ZSET = "{a}zset";
const STREAM = "{b}stream";
const OTHER = "{b}list";
const MOVED = "{c}set";
const GEO = "{c}geo";
const HLL = "{c}hll";
const KEYS = [HASH, SET, ZSET, STREAM, OTHER, MOVED, GEO, HLL];
const LENGTHS = [66_000, 600_000];
const NAMES = ["a", "b", "c", "d"];

function textOf(random: Random): Argument {
  if (random.below(2) === 0) return String(random.below(100));
  const length = random.pick(LENGTHS) + random.below(2);
  return new Uint8Array(length).fill(65 + random.below(3));
}

/** Commands at random; some are refused, or change nothing. */
function commandOf(random: Random, round: number): Argument[] {
  const name = random.pick(NAMES);
  const text = () => textOf(random);
  const pairs = (count: number) =>
    Array.from({ length: count }, () => [random.pick(NAMES), text()]).flat();
  const score = () => String(random.below(5));
  switch (random.below(21)) {
    case 0:
    case 1:
      return ["HSET", HASH, name, text()];
    case 2:
      return ["HSET", HASH, ...pairs(3)];
    case 3:
      return ["HMSET", HASH, ...pairs(5)];
    case 4:
      return ["HSETNX", HASH, name, text()];
    case 5:
      return ["HDEL", HASH, name];
    case 6:
      return ["HMGET", HASH, ...NAMES];
    case 7:
      return ["HSET", random.pick([OTHER, SET]), name, text()];
    case 8:
      return ["HSET", HASH, text(), "v", name];
    case 9:
      return ["SADD", SET, text()];
    case 10:
      return ["SADD", SET, text(), text(), text()];
    case 11:
      return ["SADD", random.pick([SET, OTHER]), ...pairs(5).slice(1)];
    case 12:
      return ["SREM", SET, text()];
    case 13:
      return ["XADD", STREAM, `${round}-${random.below(9)}`, name, text()];
    case 14:
      return ["XADD", STREAM, "MAXLEN", "3", `${round}-*`, ...pairs(2)];
    case 15:
      return ["ZADD", random.pick([ZSET, ZSET, OTHER]), score(), text()];
    case 16:
      return ["ZADD", ZSET, random.pick(["NX", "XX", "GT"]), score(), text()];
    case 17:
      return [
        ...["ZADD", ZSET, random.pick(["CH", "NX"])],
        ...Array.from({ length: 5 }, () => [score(), text()]).flat(),
      ];
    case 18:
      return ["ZINCRBY", ZSET, score(), text()];
    case 19:
      return ["ZPOPMIN", ZSET];
    default:
      return ["XADD", STREAM, random.pick(["NOMKSTREAM", "*"]), ...pairs(1)];
  }
}

/** Commands at random that look for what may be long, in what is there. */
function lookupOf(random: Random): Argument[] {
  const text = () => textOf(random);
  const key = random.pick([HASH, HASH, OTHER]);
  switch (random.below(34)) {
    case 0:
      return ["HSET", HASH, text(), text()];
    case 1:
      return ["HSET", HASH, text(), "1", text(), text(), text(), "2"];
    case 2:
      return ["HSETNX", HASH, text(), text()];
    case 3:
      return ["HGET", key, text()];
    case 4:
      return ["HMGET", HASH, text(), text(), "a"];
    case 5:
      return ["HEXISTS", HASH, text()];
    case 6:
      return ["HSTRLEN", HASH, text()];
    case 7:
      return ["HDEL", HASH, text(), text()];
    case 8:
      return ["HINCRBY", HASH, text(), "1"];
    case 9:
      return ["HINCRBYFLOAT", HASH, text(), "0.5"];
    case 10:
    case 11:
      return ["SADD", random.pick([SET, MOVED]), text(), text()];
    case 12:
      return ["SISMEMBER", SET, text()];
    case 13:
      return ["SMISMEMBER", SET, text(), text(), text()];
    case 14:
      return ["SREM", SET, text(), text(), ...NAMES, text(), "e", "f", text()];
    case 15:
    case 16:
      return ["SMOVE", SET, random.pick([MOVED, MOVED, SET, OTHER]), text()];
    case 17:
      return ["SREM", MOVED, text()];
    case 18:
    case 19:
      return ["ZADD", ZSET, "1", text(), "2", text()];
    case 20:
      return ["ZSCORE", ZSET, text()];
    case 21:
      return ["ZMSCORE", ZSET, text(), text()];
    case 22:
      return [random.pick(["ZRANK", "ZREVRANK"]), ZSET, text()];
    case 23:
      return ["ZREM", ZSET, text()];
    case 24:
      return ["ZINCRBY", ZSET, "1", text()];
    case 25:
      return [random.pick(["ZPOPMIN", "ZPOPMAX"]), ZSET, "2"];
    case 26:
    case 27:
      return ["GEOADD", GEO, `${random.below(3)}`, "1", text(), "2", "2", "b"];
    case 28:
      return ["GEODIST", GEO, text(), text()];
    case 29:
      return [random.pick(["GEOPOS", "GEOHASH"]), GEO, text(), "b"];
    case 30:
      return ["GEOSEARCH", GEO, "FROMMEMBER", text(), ...AROUND];
    case 31:
      return ["GEOADD", GEO, "XX", "CH", "3", "3", text()];
    case 32:
      return ["PFADD", HLL, text(), text()];
    default:
      return ["XREADGROUP", "GROUP", "g", "c", "STREAMS", STREAM, ">"];
  }
}

const AROUND = ["BYRADIUS", "500", "km", "ASC", "COUNT", "1"];

/** What the keys have, in an order that all servers agree on. */
async function valuesOf(client: TestClient): Promise<Uint8Array[]> {
  const values: Uint8Array[] = [];
  for (
    const argv of [
      ["HMGET", HASH, ...NAMES],
      ["HLEN", HASH],
      ["SORT", SET, "ALPHA"],
      ["ZRANGE", ZSET, "0", "-1", "WITHSCORES"],
      ["XRANGE", STREAM, "-", "+"],
      ["LRANGE", OTHER, "0", "-1"],
      ["SORT", MOVED, "ALPHA"],
      ["ZRANGE", GEO, "0", "-1", "WITHSCORES"],
      ["GET", HLL],
    ]
  ) values.push((await client.runRaw(...argv)).slice());
  return values;
}

suite("long nodes are added as in redis-server", async (client) => {
  if (!hasRedisServer("long nodes")) return;
  await using redis = await startRedisServer();
  using reference = await redis.client({ resp: client.resp });
  for (let seed = 1; seed <= 2; seed++) {
    const random = new Random(seed);
    for (const each of [client, reference]) await each.run("RPUSH", OTHER, "a");
    for (let round = 1; round <= 14; round++) {
      const commands = Array.from(
        { length: 8 },
        () => commandOf(random, round),
      ).filter((argv) => argv[2] !== "*");
      if (round % 5 === 4) {
        commands.unshift(["MULTI"]);
        commands.push(["EXEC"]);
      }
      const name = `seed ${seed} round ${round}`;
      await assertSameReplies(client, reference, commands, name);
    }
    await assertSameValues(client, reference, KEYS, valuesOf);
  }
});

suite("long fields and members are found as in redis-server", async (
  client,
) => {
  if (!hasRedisServer("long fields and members")) return;
  await using redis = await startRedisServer();
  using reference = await redis.client({ resp: client.resp });
  const random = new Random(client.resp);
  const fill = [
    ["RPUSH", OTHER, "a"],
    ["XGROUP", "CREATE", STREAM, "g", "0", "MKSTREAM"],
    ["XADD", STREAM, "1-1", "f", "x".repeat(600_000)],
  ];
  for (const each of [client, reference]) await each.pipeline(fill);
  for (let round = 1; round <= 25; round++) {
    const commands = Array.from({ length: 9 }, () => lookupOf(random));
    if (round % 6 === 5) {
      commands.unshift(["MULTI"]);
      commands.push(["EXEC"]);
    }
    await assertSameReplies(client, reference, commands, `round ${round}`);
  }
  await assertSameValues(client, reference, KEYS, valuesOf);
});

const PREFIX = "p".repeat(66_000);

/** Commands at random on members that begin alike, and have few scores. */
function alikeOf(random: Random): Argument[] {
  const member = () => PREFIX + String(1000 + random.below(150));
  const bound = () => random.pick(["[", "("]) + member();
  const score = () => String(random.below(2));
  switch (random.below(9)) {
    case 0:
      return ["ZADD", ZSET, score(), member(), score(), member()];
    case 1:
      return ["ZADD", ZSET, random.pick(["XX", "NX", "CH"]), score(), member()];
    case 2:
      return ["ZADD", ZSET, "INCR", "1", member()];
    case 3:
      return ["ZINCRBY", ZSET, random.pick(["1", "-1"]), member()];
    case 4:
      return [random.pick(["ZRANK", "ZREVRANK"]), ZSET, member()];
    case 5:
      return ["ZREM", ZSET, member()];
    case 6:
      return ["ZLEXCOUNT", ZSET, bound(), bound()];
    case 7:
      return ["ZRANGE", ZSET, bound(), "+", "BYLEX", "LIMIT", "0", "1"];
    default:
      return ["ZRANGESTORE", MOVED, ZSET, bound(), "+", "BYLEX"];
  }
}

suite("long members that begin alike are in order", async (client) => {
  if (!hasRedisServer("long members that begin alike")) return;
  await using redis = await startRedisServer();
  using reference = await redis.client({ resp: client.resp });
  const random = new Random(client.resp);
  // Of one score, so that there is an order of members alone.
  const same = Array.from({ length: 90 }, (_, i) => ["0", `${PREFIX}1${i}5`]);
  const fill = ["ZADD", ZSET, ...same.flat()];
  for (const each of [client, reference]) await each.run(...fill);
  for (let round = 1; round <= 16; round++) {
    const commands = Array.from({ length: 9 }, () => {
      const argv = alikeOf(random);
      // Between members of other scores anything may lie.
      return round > 8 || !/^(ZADD|ZINCRBY)$/.test(String(argv[0]))
        ? argv
        : ["ZADD", ZSET, "0", argv.at(-1)!];
    }).filter(([name]) => round <= 8 || !/LEX|^ZRANGE/.test(String(name)));
    await assertSameReplies(client, reference, commands, `round ${round}`);
  }
  for (const each of [client, reference]) await each.run("DEL", MOVED);
  await assertSameValues(client, reference, [ZSET], async (one) => [
    (await one.runRaw("ZRANGE", ZSET, "0", "-1", "WITHSCORES")).slice(),
  ]);
});

suite("long members are drawn, and go as they are popped", async (client) => {
  const long = (byte: string) => byte.repeat(600_000);
  const few = [long("a"), long("b"), long("c"), "short"];
  const many = [...few, ...Array.from({ length: 20 }, (_, i) => `${i}`)];
  for (
    const [members, ...argv] of [
      [few, "SPOP", SET],
      [few, "SPOP", SET, "2"],
      [few, "SPOP", SET, "3"],
      [many, "SPOP", SET, "21"],
      [many, "SPOP", SET, "22"],
      [many, "SPOP", SET, "23"],
    ] as [string[], ...string[]][]
  ) {
    await client.run("SADD", SET, ...members);
    const reply = plain(await client.run(...argv));
    const popped = typeof reply === "string" ? [reply] : [...reply as string[]];
    const left = plain(await client.run("SORT", SET, "ALPHA")) as string[];
    assertEquals([...popped, ...left].sort(), [...members].sort());
    if (members === many) {
      // What stays is as if it had been made of these members.
      const isLong = left.some((member) => member.length > 64);
      assertEquals(
        plain(await client.run("OBJECT", "ENCODING", SET)),
        isLong ? "hashtable" : "listpack",
      );
    }
    await settled(client);
    assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
    assertEquals(plain(await client.run("SCARD", SET)), left.length);
    await client.run("DEL", SET);
  }
  await assertNothingLost(client, KEYS);
});

suite("long values leave a hash, and fields that expire lose it", async (
  client,
) => {
  const long = (byte: string) => byte.repeat(600_000);
  await client.run("HSET", HASH, "a", long("a"), "b", long("b"), "c", "short");
  await client.run("HEXPIRE", HASH, "1000", "FIELDS", "2", "a", "c");
  assertEquals(plain(await client.run("HSET", HASH, "a", long("x"))), 0);
  assertEquals(
    plain(await client.run("HTTL", HASH, "FIELDS", "2", "a", "c")),
    [-1, 1000],
  );
  await client.run("HEXPIRE", HASH, "1000", "FIELDS", "1", "b");
  assertEquals(
    plain(await client.run("HGETDEL", HASH, "FIELDS", "3", "b", "none", "a")),
    [long("b"), null, long("x")],
  );
  assertEquals(plain(await client.run("HLEN", HASH)), 1);
  for (
    const [options, times] of [
      [["EX", "500"], [500, 500]],
      [["KEEPTTL"], [500, 500]],
      [["FNX", "EX", "100"], [500, 500]],
      [[], [-1, -1]],
      [["FXX", "PX", "300000"], [300, 300]],
      [["EXAT", "1"], [-2, -2]],
      [["KEEPTTL"], [-1, -1]],
    ] as const
  ) {
    for (const more of [[], ["x", "1", "y", "2", "z", long("z")]]) {
      const isSet = plain(
        await client.run(
          ...["HSETEX", HASH, ...options, "FIELDS", `${2 + more.length / 2}`],
          ...["l", long(`${more.length}`), "m", long("m"), ...more],
        ),
      );
      const name = `${options} ${more.length}`;
      assertEquals(isSet, options[0] === "FNX" ? 0 : 1, name);
      assertEquals(
        plain(await client.run("HTTL", HASH, "FIELDS", "2", "l", "m")),
        [...times],
        name,
      );
      if (times[0] === -2 || isSet === 0) continue;
      assertEquals(
        plain(await client.run("HMGET", HASH, "l", "m")),
        [long(`${more.length}`), long("m")],
        name,
      );
    }
  }
  await client.run("HDEL", HASH, "l", "m", "x", "y", "z");
  await client.run("XADD", STREAM, "*", "field", long("s"));
  const [[, [, value]]] = plain(
    await client.run("XRANGE", STREAM, "-", "+"),
  ) as [[string, [string, string]]];
  assertEquals(value, long("s"));
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assertEquals(plain(await client.run("HLEN", HASH)), 1);
  assertEquals(plain(await client.run("XLEN", STREAM)), 1);
  await assertNothingLost(client, KEYS);
});

suite("long fields that expire are logged as deleted", async (client) => {
  const long = (byte: string) => byte.repeat(600_000);
  const [a, b, c, d] = ["a", "b", "c", "d"].map(long) as [
    ...[string, string, string, string],
  ];
  const expire = async (ms: string, ...fields: string[]) => {
    const count = `${fields.length}`;
    await client.run("HPEXPIRE", HASH, ms, "FIELDS", count, ...fields);
  };
  const fill = [a, "1", b, "2", c, "3", d, "4", "short", "5"];
  for (const more of [[], ["HSETNX", "HINCRBY"]]) {
    await client.run("HSET", HASH, ...fill);
    await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "0");
    await expire("1", a, b);
    await until("both have expired", async () => {
      const times = await client.run("HTTL", HASH, "FIELDS", "2", a, b);
      return String(plain(times)) === "-2,-2";
    });
    // Who asks finds them expired.
    assertEquals(plain(await client.run("HGET", HASH, a)), null);
    for (const name of more) {
      await client.run(name, HASH, name === "HSETNX" ? b : a, "7");
    }
    await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "1");
    await expire("1", c);
    await expire("0", d, "none");
    const left = 1 + more.length;
    await until(
      "what expires is deleted",
      async () => plain(await client.run("HLEN", HASH)) === left,
    );
    const before = plain(await client.run("DEBUG", "DIGEST-VALUE", HASH));
    await settled(client);
    assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
    assertEquals(
      plain(await client.run("DEBUG", "DIGEST-VALUE", HASH)),
      before,
    );
    await client.run("DEL", HASH);
  }
  await assertNothingLost(client, KEYS);
});

suite("long values stay packed where the settings say so", async (client) => {
  const names = ["hash-max-listpack-value", "set-max-listpack-value"];
  for (const name of names) await client.run("CONFIG", "SET", name, "100000");
  const long = "p".repeat(66_000);
  await client.run("HSET", HASH, "f", long);
  await client.run("SADD", SET, long, "other");
  for (const key of [HASH, SET]) {
    assertEquals(
      plain(await client.run("OBJECT", "ENCODING", key)),
      "listpack",
    );
  }
  assertEquals(plain(await client.run("HGET", HASH, "f")), long);
  assertEquals(plain(await client.run("SISMEMBER", SET, long)), 1);
  for (const name of names) await client.run("CONFIG", "SET", name, "64");
  await assertNothingLost(client, KEYS);
});

suite("a long entry is logged whose trim goes on in slices", async (client) => {
  const long = "t".repeat(1_100_000);
  for (const id of [client.resp === 2 ? "*" : "9999999999999-1"]) {
    await client.pipeline(
      Array.from({ length: 5500 }, () => ["XADD", STREAM, "*", "f", "v"]),
    );
    const trimmed = await client.run(
      ...["XADD", STREAM, "MAXLEN", "=", "3", id, "field", long],
    );
    assert(trimmed.type !== "error");
    const before = (await client.runRaw("XRANGE", STREAM, "-", "+")).slice();
    assert(before.length > long.length);
    assertEquals(plain(await client.run("XLEN", STREAM)), 3);
    await settled(client);
    assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
    const after = await client.runRaw("XRANGE", STREAM, "-", "+");
    assertSame(after, before, id);
    await client.run("DEL", STREAM);
  }
  await assertNothingLost(client, KEYS);
});
