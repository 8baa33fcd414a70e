import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { type Plain, plain, type TestClient } from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const WRONGTYPE =
  "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_AN_INTEGER = "-ERR value is not an integer or out of range";
const NOT_A_FLOAT = "-ERR value is not a valid float";
const HASH_NOT_AN_INTEGER = "-ERR hash value is not an integer";
const HASH_NOT_A_FLOAT = "-ERR hash value is not a float";
const OVERFLOW = "-ERR increment or decrement would overflow";
const SYNTAX = "-ERR syntax error";
const OUT_OF_RANGE = "-ERR value is out of range";
const INT64_MAX = "9223372036854775807";
const INT64_MIN = "-9223372036854775808";
/** 1e70 in the 64 bits of a long double. */
const FAR =
  "10000000000000000000222479489586148259025995410601157579323600873" +
  "193472";
/** More than a reply has at once. */
const LARGE = 10_000;

/** Keys on different shards. */
const [T, U] = tagsOnDistinctSlots(2).map((tag) => `{${tag}}`);

/** The usual limits, which some tests change. */
const LIMITS = "CONFIG SET hash-max-listpack-entries 512 " +
  "hash-max-listpack-value 64";

function wrongCount(command: string): string {
  return `-ERR wrong number of arguments for '${command}' command`;
}

/** A reply of fields and values, by field. */
function pairs(reply: Plain): Record<string, Plain> {
  if (reply instanceof Map) return Object.fromEntries(reply);
  assert(Array.isArray(reply), `${reply}`);
  const found: Record<string, Plain> = {};
  for (let i = 0; i < reply.length; i += 2) {
    found[`${reply[i]}`] = reply[i + 1]!;
  }
  return found;
}

async function hgetall(client: TestClient, key: string) {
  return pairs(await ask(client, ["HGETALL", key]));
}

/** Makes a hash of fields `f0`, `f1` ... with values `v0`, `v1` ... */
async function fill(client: TestClient, key: string, count: number) {
  for (let at = 0; at < count; at += 1000) {
    const argv = ["HSET", key];
    for (let i = at; i < Math.min(count, at + 1000); i++) {
      argv.push(`f${i}`, `v${i}`);
    }
    await client.run(...argv);
  }
}

commandSuite("HSET, HGET and what asks about fields", async ({ client }) => {
  await expectReplies(client, [
    ["HSET h a 1", 1],
    ["HSET h a 2 b 3", 1],
    ["HSET h c 4 c 5", 1],
    ["HGET h a", "2"],
    ["HGET h x", null],
    ["HGET none a", null],
    ["HMGET h a x c a", ["2", null, "5", "2"]],
    ["HMGET none a b", [null, null]],
    ["HLEN h", 3],
    ["HLEN none", 0],
    ["HEXISTS h a", 1],
    ["HEXISTS h x", 0],
    ["HEXISTS none a", 0],
    [["HSET", "h", "", "\0\r\n\xff"], 1],
    [["HGET", "h", ""], "\0\r\n\xff"],
    [["HSTRLEN", "h", ""], 4],
    ["HSTRLEN h a", 1],
    ["HSTRLEN h x", 0],
    ["HSTRLEN none x", 0],
    ["TYPE h", "hash"],
    ["HSET h a", wrongCount("hset")],
    ["HSET h a 1 b", wrongCount("hset")],
    ["HMSET h a 1 b", wrongCount("hmset")],
    ["HMSET h a 1 d 2", "OK"],
    ["HSETNX h a 9", 0],
    ["HSETNX h e 9", 1],
    ["HSETNX new e 9", 1],
  ]);
  assertEquals(await hgetall(client, "h"), {
    ...{ a: "1", b: "3", c: "5", d: "2", e: "9" },
    "": "\0\r\n\xff",
  });
});

commandSuite(
  "HDEL removes fields, and the last one the key",
  async ({ client }) => {
    await expectReplies(client, [
      ["HSET h a 1 b 2 c 3 d 4", 4],
      ["HDEL h x", 0],
      ["HDEL h a x b a", 2],
      ["HLEN h", 2],
      ["HDEL h c d", 2],
      ["EXISTS h", 0],
      ["HDEL h c", 0],
      ["HDEL h", wrongCount("hdel")],
    ]);
  },
);

commandSuite("hash commands refuse other types", async ({ client }) => {
  await client.run("SET", "s", "1");
  const commands = [
    ...["HSET s a 1", "HMSET s a 1", "HSETNX s a 1", "HGET s a", "HMGET s a"],
    ...["HDEL s a", "HEXISTS s a", "HLEN s", "HSTRLEN s a", "HKEYS s"],
    ...["HVALS s", "HGETALL s", "HINCRBY s a 1", "HINCRBYFLOAT s a 1"],
    ...["HRANDFIELD s", "HRANDFIELD s 1", "HRANDFIELD s -1 WITHVALUES"],
    ...["HSCAN s 0"],
  ];
  for (const command of commands) {
    assertEquals(await ask(client, command), WRONGTYPE, command);
  }
  await expectReplies(client, [
    ["HSET h a 1", 1],
    ["GET h", WRONGTYPE],
    ["INCR h", WRONGTYPE],
    ["SET h 1", "OK"],
    ["GET h", "1"],
  ]);
});

commandSuite(
  "HGETALL, HKEYS and HVALS reply everything",
  async ({ client, resp }) => {
    for (const count of [0, 1, 100, LARGE]) {
      await client.run("DEL", "h");
      await fill(client, "h", count);
      const all = plain(await client.run("HGETALL", "h"));
      assertEquals(all instanceof Map, resp === 3);
      const found = pairs(all);
      assertEquals(Object.keys(found).length, count);
      for (let i = 0; i < count; i++) assertEquals(found[`f${i}`], `v${i}`);
      const keys = await ask(client, "HKEYS h") as string[];
      const values = await ask(client, "HVALS h") as string[];
      assertEquals([keys.length, values.length], [count, count]);
      keys.forEach((key, i) => assertEquals(values[i], key.replace("f", "v")));
    }
  },
);

commandSuite(
  "a large reply shows the hash as it was",
  async ({ client, server }) => {
    await fill(client, "h", LARGE);
    using other = await server.client({ resp: client.resp });
    const sent = client.sendCommands([
      ["HGETALL", "h"],
      ["HSET", "h", "f0", "changed", "new", "1"],
      ["HKEYS", "h"],
      ["DEL", "h"],
      ["HLEN", "h"],
    ]);
    await other.run("HSET", "elsewhere", "a", "1");
    await sent;
    const before = pairs(plain(await client.readReply()));
    assertEquals(Object.keys(before).length, LARGE);
    assert(!("new" in before));
    assertEquals(plain(await client.readReply()), 1);
    const keys = plain(await client.readReply()) as string[];
    assertEquals(keys.length, LARGE + 1);
    assertEquals(plain(await client.readReply()), 1);
    assertEquals(plain(await client.readReply()), 0);
    assertEquals(await ask(client, "EXISTS h"), 0);
  },
);

commandSuite("HINCRBY adds integers of 64 bits", async ({ client }) => {
  const far = "9007199254740993";
  await expectReplies(client, [
    ["HINCRBY h n 5", 5],
    ["HINCRBY h n -7", -2],
    ["HINCRBY h n 300", 298],
    ["HGET h n", "298"],
    [`HINCRBY h n ${far}`, 9007199254741291n],
    ["HGET h n", "9007199254741291"],
    [`HINCRBY h n -${far}`, 298],
    [`HSET h n ${INT64_MAX}`, 0],
    ["HINCRBY h n 1", OVERFLOW],
    ["HINCRBY h n -1", 9223372036854775806n],
    [`HINCRBY h n ${INT64_MIN}`, -2],
    [`HINCRBY h new ${INT64_MIN}`, -9223372036854775808n],
    ["HINCRBY h new -1", OVERFLOW],
    [`HINCRBY h n ${INT64_MIN}0`, NOT_AN_INTEGER],
    ["HINCRBY h n 1.5", NOT_AN_INTEGER],
    ["HINCRBY h n", wrongCount("hincrby")],
    [["HSET", "h", "text", "abc", "empty", "", "spaced", " 1"], 3],
    ["HINCRBY h text 1", HASH_NOT_AN_INTEGER],
    ["HINCRBY h empty 1", HASH_NOT_AN_INTEGER],
    ["HINCRBY h spaced 1", HASH_NOT_AN_INTEGER],
    ["HSET h float 1.5", 1],
    ["HINCRBY h float 1", HASH_NOT_AN_INTEGER],
    ["HSET h zero 007", 1],
    ["HINCRBY h zero 1", HASH_NOT_AN_INTEGER],
    ["HINCRBY fresh n abc", NOT_AN_INTEGER],
    ["EXISTS fresh", 0],
  ]);
});

commandSuite("HINCRBYFLOAT adds as precisely as Redis", async ({ client }) => {
  await expectReplies(client, [
    ["HINCRBYFLOAT h x 10.5", "10.5"],
    ["HINCRBYFLOAT h x 0.1", "10.6"],
    ["HINCRBYFLOAT h x -5", "5.6"],
    ["HSET h x 5.0e3", 0],
    ["HINCRBYFLOAT h x 2.0e2", "5200"],
    ["HINCRBYFLOAT h n 3", "3"],
    ["HINCRBY h n 1", 4],
    ["HINCRBYFLOAT h x abc", NOT_A_FLOAT],
    ["HINCRBYFLOAT h x inf", "-ERR value is NaN or Infinity"],
    ["HSET h text abc", 1],
    ["HINCRBYFLOAT h text 1", HASH_NOT_A_FLOAT],
    ["HINCRBYFLOAT h text", wrongCount("hincrbyfloat")],
    ["HINCRBYFLOAT h y 1e70", FAR],
    ["HGET h y", FAR],
    ["OBJECT ENCODING h", "hashtable"],
  ]);
});

commandSuite(
  "hashes change their encoding at the limits",
  async ({ client }) => {
    await expectReplies(client, [
      [
        "CONFIG SET hash-max-listpack-entries 3 hash-max-listpack-value 5",
        "OK",
      ],
      ["HSET h a 1 b 2 c 3", 3],
      ["OBJECT ENCODING h", "listpack"],
      ["HSET h a 12345", 0],
      ["OBJECT ENCODING h", "listpack"],
      ["HSET h d 4", 1],
      ["OBJECT ENCODING h", "hashtable"],
      ["HDEL h a b c", 3],
      ["OBJECT ENCODING h", "hashtable"],
      ["HSET field 123456 1", 1],
      ["OBJECT ENCODING field", "hashtable"],
      ["HSET value a 123456", 1],
      ["OBJECT ENCODING value", "hashtable"],
      ["HSET number a 1234", 1],
      ["HINCRBY number a 100000", 101234],
      ["OBJECT ENCODING number", "hashtable"],
      ["HSET many a 1 a 2 a 3 a 4", 1],
      ["OBJECT ENCODING many", "hashtable"],
      ["CONFIG SET hash-max-listpack-entries 0", "OK"],
      ["HSET none a 1", 1],
      ["OBJECT ENCODING none", "hashtable"],
      [LIMITS, "OK"],
      ["HSET h e 5", 1],
      ["OBJECT ENCODING h", "hashtable"],
    ]);
  },
);

commandSuite("HRANDFIELD draws fields", async ({ client, resp }) => {
  await expectReplies(client, [
    ["HRANDFIELD none", null],
    ["HRANDFIELD none 3", []],
    ["HRANDFIELD none -3 WITHVALUES", []],
    ["HRANDFIELD none abc", NOT_AN_INTEGER],
    ["HRANDFIELD none 1 BOGUS", SYNTAX],
    ["HRANDFIELD none 1 WITHVALUES 1", SYNTAX],
    [
      `HRANDFIELD none ${INT64_MIN}`,
      `${OUT_OF_RANGE}, value must between -${INT64_MAX} and ${INT64_MAX}`,
    ],
    ["HRANDFIELD none -9223372036854775807", []],
    ["HRANDFIELD none 4611686018427387904 WITHVALUES", OUT_OF_RANGE],
    ["HRANDFIELD none -4611686018427387904 WITHVALUES", OUT_OF_RANGE],
  ]);
  for (const count of [5, 1000, LARGE]) {
    await client.run("DEL", "h");
    await fill(client, "h", count);
    const one = await ask(client, "HRANDFIELD h");
    assertEquals(await ask(client, ["HEXISTS", "h", `${one}`]), 1);
    assertEquals(await ask(client, "HRANDFIELD h 0"), []);
    for (const wanted of [1, 4, 600, 3000, LARGE, 10 * LARGE]) {
      const drawn = await ask(client, `HRANDFIELD h ${wanted}`) as string[];
      assertEquals(drawn.length, Math.min(wanted, count));
      assertEquals(new Set(drawn).size, drawn.length);
      const again = await ask(client, `HRANDFIELD h -${wanted}`) as string[];
      assertEquals(again.length, wanted);
      for (const field of [...drawn, ...again]) {
        assert(Number(field.slice(1)) < count, field);
      }
      const both = await ask(client, `HRANDFIELD h ${wanted} WITHVALUES`);
      const flat = (both as Plain[]).flat();
      assertEquals(flat.length, 2 * Math.min(wanted, count));
      assertEquals(Array.isArray((both as Plain[])[0]), resp === 3);
      for (let i = 0; i < flat.length; i += 2) {
        assertEquals(flat[i + 1], `${flat[i]}`.replace("f", "v"));
      }
    }
    const repeated = await ask(client, "HRANDFIELD h -3 WITHVALUES");
    assertEquals((repeated as Plain[]).flat().length, 6);
  }
});

commandSuite("HSCAN goes through a hash", async ({ client }) => {
  await expectReplies(client, [
    ["HSCAN none 0", ["0", []]],
    ["HSCAN none abc", "-ERR invalid cursor"],
    ["HSET h a 1 b 2 ab 3", 3],
    ["HSCAN h 0 COUNT 0", SYNTAX],
    ["HSCAN h 0 COUNT abc", NOT_AN_INTEGER],
    ["HSCAN h 0 BOGUS", SYNTAX],
    ["HSCAN h 0 MATCH", SYNTAX],
    ["HSCAN h 0", ["0", ["a", "1", "b", "2", "ab", "3"]]],
    ["HSCAN h 0 MATCH a*", ["0", ["a", "1", "ab", "3"]]],
    ["HSCAN h 0 NOVALUES MATCH *b", ["0", ["b", "ab"]]],
    ["HSCAN h 0 match x count 100", ["0", []]],
  ]);
  await fill(client, "big", LARGE);
  for (const options of [[], ["NOVALUES"]]) {
    const found = new Set<string>();
    let cursor = "0";
    let steps = 0;
    do {
      const argv = ["HSCAN", "big", cursor, "COUNT", "100", ...options];
      const [next, part] = await ask(client, argv) as [string, string[]];
      const step = options.length === 0 ? 2 : 1;
      for (let i = 0; i < part.length; i += step) {
        if (step === 2) assertEquals(part[i + 1], part[i]!.replace("f", "v"));
        found.add(part[i]!);
      }
      cursor = next;
      // What comes and goes meanwhile changes nothing for the others.
      await client.run("HSET", "big", `fx${steps}`, `vx${steps}`);
      steps++;
    } while (cursor !== "0");
    assert(steps > 50, `${steps}`);
    for (let i = 0; i < LARGE; i++) assert(found.has(`f${i}`), `f${i}`);
  }
});

commandSuite("COPY, RENAME and MOVE take hashes along", async ({ client }) => {
  for (const count of [3, LARGE]) {
    await client.run("FLUSHALL");
    await fill(client, `${T}h`, count);
    await expectReplies(client, [
      [`COPY ${T}h ${U}copy`, 1],
      [`COPY ${T}h ${T}copy`, 1],
      [`RENAME ${T}h ${U}moved`, "OK"],
      [`RENAME ${U}moved ${U}again`, "OK"],
      [`COPY ${U}again ${T}other DB 1`, 1],
      [`MOVE ${U}again 1`, 1],
      [`EXISTS ${T}h ${U}moved ${U}again`, 0],
      [`HSET ${T}copy new 1`, 1],
      [`HLEN ${U}copy`, count],
      [`HLEN ${T}copy`, count + 1],
      ["SELECT 1", "OK"],
      [`HLEN ${T}other`, count],
      [`HLEN ${U}again`, count],
    ]);
    const found = await hgetall(client, `${U}again`);
    assertEquals(Object.keys(found).length, count);
    assertEquals(found.f2, "v2");
    await client.run("SELECT", "0");
  }
});

commandSuite("MEMORY USAGE counts a hash", async ({ client }) => {
  const usage = async (key: string, samples = "") =>
    Number(await ask(client, `MEMORY USAGE ${key}${samples}`));
  await client.run("HSET", "small", "f", "v");
  const small = await usage("small");
  assert(small > 32 && small < 200, `${small}`);
  await fill(client, "big", LARGE);
  const exact = await usage("big", " SAMPLES 0");
  assert(exact > LARGE * 30 && exact < LARGE * 80, `${exact}`);
  const estimate = await usage("big");
  assert(Math.abs(estimate - exact) < exact / 3, `${estimate} of ${exact}`);
});
