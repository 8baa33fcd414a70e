/**
 * Several long members in one command: what is there and what is replied is
 * redis-server's, in one hold or in slices, and the log has the same.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { hasRedisServer, startRedisServer } from "../_redis_server.ts";
import { type Argument, plain, type TestClient } from "../_resp_client.ts";
import { Random } from "../_random.ts";
import {
  assertNothingLost,
  assertSameReplies,
  assertSameValues,
} from "./_long_values.ts";
import { settled, slicesSuite, statistic } from "./_slices.ts";

const { suite } = slicesSuite();

const ZSET = "{a}zset";
const GEO = "{b}geo";
const SET = "{c}set";
const HASH = "{c}hash";
const KEYS = [ZSET, GEO, SET, HASH];
/** So long that members stream into the arena. */
const PREFIX = "p".repeat(66_000);

/** Commands at random on members that begin alike, some of them named twice. */
function commandOf(random: Random): Argument[] {
  const member = () =>
    random.below(4) === 0
      ? `short${random.below(5)}`
      : PREFIX + String(10 + random.below(30));
  const score = () => String(random.below(2));
  const place = () => String(random.below(2) * 10);
  const many = (each: () => string[]) =>
    Array.from({ length: 2 + random.below(3) }, each).flat();
  const scored = () => many(() => [score(), member()]);
  switch (random.below(9)) {
    case 0:
    case 1:
      return ["ZADD", ZSET, ...scored()];
    case 2: {
      const option = random.pick(["NX", "XX", "GT", "LT"]);
      return ["ZADD", ZSET, option, "CH", ...scored()];
    }
    case 3:
      return ["ZADD", ZSET, ...scored(), "none", member()];
    case 4:
      return ["ZREM", ZSET, ...many(() => [member()])];
    case 5:
      return ["GEOADD", GEO, ...many(() => [place(), place(), member()])];
    case 6: {
      const places = many(() => [place(), place(), member()]);
      return ["GEOADD", GEO, random.pick(["NX", "XX", "CH"]), ...places];
    }
    case 7:
      return [random.pick(["SADD", "SREM"]), SET, ...many(() => [member()])];
    default:
      return ["HSET", HASH, ...many(() => [member(), score()])];
  }
}

async function valuesOf(client: TestClient): Promise<Uint8Array[]> {
  const values: Uint8Array[] = [];
  for (
    const argv of [
      ["ZRANGE", ZSET, "0", "-1", "WITHSCORES"],
      ["ZRANGE", GEO, "0", "-1", "WITHSCORES"],
      ["SORT", SET, "ALPHA"],
      ["HLEN", HASH],
    ]
  ) values.push((await client.runRaw(...argv)).slice());
  return values;
}

suite("several long members are changed as in redis-server", async (client) => {
  if (!hasRedisServer("several long members")) return;
  await using redis = await startRedisServer();
  using reference = await redis.client({ resp: client.resp });
  const random = new Random(client.resp);
  const sliced = await statistic(client, "sherd_sliced_commands");
  for (let round = 1; round <= 12; round++) {
    const some = Array.from({ length: 5 }, () => commandOf(random));
    const commands = round % 4 === 0 ? [["MULTI"], ...some, ["EXEC"]] : some;
    await assertSameReplies(client, reference, commands, `round ${round}`);
  }
  assert(await statistic(client, "sherd_sliced_commands") > sliced + 10);
  await assertSameValues(client, reference, KEYS, valuesOf);
});

suite("a set is emptied of its long members, and made anew", async (client) => {
  const members = ["1", "2", "3"].map((end) => PREFIX + end);
  const scored = members.flatMap((member) => ["0", member]);
  const replies = await client.pipeline([
    ["ZADD", ZSET, ...scored],
    ["ZREM", ZSET, ...members, ...members],
    ["EXISTS", ZSET],
    ["GEOADD", GEO, ...members.flatMap((member) => ["1", "2", member])],
    ["GEOADD", GEO, ...members.flatMap((member) => ["1", "2", member])],
    ["ZREM", GEO, members[0]!, "none", members[2]!],
    ["ZADD", GEO, "XX", ...scored],
    ["ZCARD", GEO],
  ]);
  assertEquals(replies.map(plain), [3, 3, 0, 3, 0, 2, 0, 1]);
  await assertNothingLost(client, KEYS);
});

suite("long fields are counted up as in redis-server", async (client) => {
  if (!hasRedisServer("long fields that are counted up")) return;
  await using redis = await startRedisServer();
  using reference = await redis.client({ resp: client.resp });
  const random = new Random(client.resp);
  const bys = ["1", "-3", "007", "9007199254740993", "x", "1.50", "inf", "-0"];
  const huge = "9223372036854775807";
  for (let round = 1; round <= 6; round++) {
    const commands = Array.from({ length: 8 }, () => {
      const field = PREFIX + String(random.below(12));
      const by = random.pick([...bys, huge]);
      const name = random.pick(["HINCRBY", "HINCRBYFLOAT", "HSETNX"]);
      return random.below(5) === 0
        ? ["HDEL", HASH, field]
        : [name, HASH, field, by];
    });
    const all = round % 3 === 0 ? [["MULTI"], ...commands, ["EXEC"]] : commands;
    await assertSameReplies(client, reference, all, `round ${round}`);
    const fields = Array.from({ length: 12 }, (_, i) => PREFIX + i);
    const read = [["HMGET", HASH, ...fields], ["HLEN", HASH]];
    await assertSameReplies(client, reference, read, `after ${round}`);
  }
  const digest = ["DEBUG", "DIGEST-VALUE", HASH];
  const before = plain(await client.run(...digest));
  await settled(client);
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assertEquals(plain(await client.run(...digest)), before);
  await assertNothingLost(client, [HASH]);
});

/** Elements that are too long together to be copied at once, but none alone. */
const COUNT = 40;
const ELEMENTS = Array.from(
  { length: COUNT },
  (_, i) => `${i}`.padEnd(i % 8 === 0 ? 600_000 : 60_000, "."),
);

suite("many long members are popped in slices", async (client) => {
  for (const count of [15, 30, 38]) {
    const more = Array.from({ length: COUNT }, (_, i) => `${i}`);
    const members = count === 15 ? [...ELEMENTS, ...more] : ELEMENTS;
    await client.run("SADD", SET, ...members);
    const popped = plain(
      await client.run("SPOP", SET, String(count)),
    ) as string[];
    const left = plain(await client.run("SMEMBERS", SET)) as string[];
    assertEquals([...popped].length, count);
    assert([...popped, ...left].sort().join() === [...members].sort().join());
    await settled(client);
    assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
    const loaded = plain(await client.run("SMEMBERS", SET)) as string[];
    assert([...loaded].sort().join() === [...left].sort().join());
    await assertNothingLost(client, [SET]);
  }
});

suite("many long elements are drawn while the key goes", async (client) => {
  const drawn = "35";
  await client.run("SADD", SET, ...ELEMENTS);
  const scored = ELEMENTS.flatMap((member, i) => [String(i), member]);
  await client.run("ZADD", ZSET, ...scored);
  await client.run("HSET", HASH, ...ELEMENTS.flatMap((m, i) => [`${i}`, m]));
  const [members, , scores, , fields] = (await client.pipeline([
    ["SRANDMEMBER", SET, drawn],
    ["DEL", SET],
    ["ZRANDMEMBER", ZSET, drawn, "WITHSCORES"],
    ["ZREMRANGEBYRANK", ZSET, "0", "-1"],
    ["HRANDFIELD", HASH, drawn, "WITHVALUES"],
    ["HSET", HASH, "1", "changed"],
  ])).map(plain) as unknown[][];
  assertEquals(new Set(members).size, Number(drawn));
  assert(members!.every((each) => ELEMENTS.includes(String(each))));
  const scoredOnce = new Set<unknown>();
  for (const [member, score] of pairsOf(scores!)) {
    assert(ELEMENTS[Number(score)] === member, "a member has its score");
    scoredOnce.add(score);
  }
  assertEquals(scoredOnce.size, Number(drawn));
  const named = new Set<unknown>();
  for (const [field, value] of pairsOf(fields!)) {
    assert(ELEMENTS[Number(field)] === value, "a field has its value");
    named.add(field);
  }
  assertEquals(named.size, Number(drawn));
  await assertNothingLost(client, KEYS);
});

suite("many long fields are read and changed in slices", async (client) => {
  const fields = ELEMENTS.map((_, i) => `${i}`);
  const count = `${COUNT}`;
  await client.run("HSET", HASH, ...ELEMENTS.flatMap((m, i) => [`${i}`, m]));
  const sliced = await statistic(client, "sherd_sliced_commands");
  const asked = [...fields, "none", ...fields];
  const [values, , expires, got, gone, length] = (await client.pipeline([
    ["HMGET", HASH, ...asked],
    ["HEXPIRE", HASH, "1000", "FIELDS", count, ...fields],
    ["HTTL", HASH, "FIELDS", "2", "0", "39"],
    ["HGETEX", HASH, "PERSIST", "FIELDS", count, ...fields],
    ["HGETDEL", HASH, "FIELDS", count, ...fields],
    ["HLEN", HASH],
  ])).map(plain) as unknown[][];
  const isSame = (some: unknown[] | undefined, expected: unknown[]) =>
    some!.length === expected.length &&
    some!.every((each, i) => each === expected[i]);
  assert(isSame(values, [...ELEMENTS, null, ...ELEMENTS]));
  assertEquals(expires, [1000, 1000]);
  assert(isSame(got, ELEMENTS));
  assert(isSame(gone, ELEMENTS));
  assertEquals(length as unknown, 0);
  assert(await statistic(client, "sherd_sliced_commands") > sliced);
  await settled(client);
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assertEquals(plain(await client.run("EXISTS", HASH)), 0);
  await assertNothingLost(client, KEYS);
});

suite("a long element among short ones is matched", async (client) => {
  const long = ["x", "y"].map((end) => "p".repeat(300_000) + end);
  const names = [...long, ...Array.from({ length: 900 }, (_, i) => `${i}x`)];
  await client.run("SADD", SET, ...names);
  await client.run("ZADD", ZSET, ...names.flatMap((name) => ["1", name]));
  await client.run("HSET", HASH, ...names.flatMap((name) => [name, "v"]));
  for (
    const [name, key, step] of [
      ["SSCAN", SET, 1],
      ["ZSCAN", ZSET, 2],
      ["HSCAN", HASH, 2],
    ] as const
  ) {
    for (const count of ["10", "1000"]) {
      const found = new Set<string>();
      let cursor = "0";
      do {
        const argv = [name, key, cursor, "MATCH", "*x", "COUNT", count];
        const [next, some] = plain(await client.run(...argv)) as [
          string,
          string[],
        ];
        some.filter((_, i) => i % step === 0).forEach((each) =>
          found.add(each)
        );
        cursor = next;
      } while (cursor !== "0");
      assertEquals(found.size, 901, name);
      assert(found.has(long[0]!) && !found.has(long[1]!), name);
    }
  }
  await assertNothingLost(client, KEYS);
});

/** Pairs that are flat in RESP2, and arrays in RESP3. */
function pairsOf(replies: unknown[]): unknown[][] {
  if (Array.isArray(replies[0])) return replies as unknown[][];
  return Array.from(
    { length: replies.length / 2 },
    (_, i) => replies.slice(2 * i, 2 * i + 2),
  );
}
