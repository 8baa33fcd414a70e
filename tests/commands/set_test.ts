import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import {
  type Plain,
  plain,
  type TestClient,
  toBinary,
} from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const WRONGTYPE =
  "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_AN_INTEGER = "-ERR value is not an integer or out of range";
const NOT_POSITIVE = "-ERR value is out of range, must be positive";
const SYNTAX = "-ERR syntax error";
const INT64_MAX = "9223372036854775807";
const INT64_MIN = "-9223372036854775808";

/** Keys on different shards. */
const [T, U, V] = tagsOnDistinctSlots(3).map((tag) => `{${tag}}`);

/** The usual limits, which some tests change. */
const LIMITS = "CONFIG SET set-max-intset-entries 512 " +
  "set-max-listpack-entries 128 set-max-listpack-value 64";

function range(count: number, prefix = ""): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

/** Members of a reply that is a set in RESP3, sorted. */
function sorted(reply: Plain): string[] {
  assert(reply instanceof Set || Array.isArray(reply), String(reply));
  return [...reply].map(String).sort();
}

async function members(client: TestClient, key: string): Promise<string[]> {
  return sorted(await ask(client, ["SMEMBERS", key]));
}

/** Adds many members in several commands. */
async function fill(
  client: TestClient,
  key: string,
  all: readonly string[],
): Promise<void> {
  for (let at = 0; at < all.length; at += 5000) {
    const part = all.slice(at, at + 5000);
    assertEquals(await ask(client, ["SADD", key, ...part]), part.length);
  }
}

commandSuite("SADD, SREM and what asks about members", async ({ client }) => {
  await expectReplies(client, [
    ["SCARD s", 0],
    ["SISMEMBER s a", 0],
    ["SMISMEMBER s a b", [0, 0]],
    ["SREM s a", 0],
    ["SADD s a b a c", 3],
    ["SADD s a d", 1],
    ["SCARD s", 4],
    ["SISMEMBER s a", 1],
    ["SISMEMBER s A", 0],
    ["SMISMEMBER s a x d a", [1, 0, 1, 1]],
    ["TYPE s", "set"],
    ["SREM s a x a b", 2],
    ["SCARD s", 2],
    ["SREM s c d e", 2],
    ["EXISTS s", 0],
    [["SADD", "s", "", "\0\r\n\xff"], 2],
    [["SMISMEMBER", "s", "", "\0\r\n\xff", "\0"], [1, 1, 0]],
    [["SREM", "s", ""], 1],
  ]);
  assertEquals(await members(client, "s"), ["\0\r\n\xff"]);
});

commandSuite("sets of integers are sorted", async ({ client, resp }) => {
  const numbers = [INT64_MIN, "-70000", "-1", "0", "5", "300", INT64_MAX];
  await ask(client, ["SADD", "a", ...numbers.toReversed()]);
  await ask(client, ["SADD", "b", "5", "-1", "7", INT64_MAX]);
  const exact = async (...argv: string[]) => {
    const [frame] = await client.pipelineFrames([argv]);
    const { reply, raw } = frame!;
    assertEquals(reply.type, resp === 3 ? "set" : "array");
    return toBinary(raw).split("\r\n").filter((_, i) => i > 0 && i % 2 === 0);
  };
  assertEquals(await exact("SMEMBERS", "a"), numbers);
  assertEquals(await exact("SINTER", "a", "b"), ["-1", "5", INT64_MAX]);
  assertEquals(await exact("SDIFF", "b", "a"), ["7"]);
  assertEquals(
    await exact("SUNION", "b", "a"),
    [...numbers.slice(0, 5), "7", "300", INT64_MAX],
  );
  assertEquals(await ask(client, "SUNIONSTORE c b a"), 8);
  assertEquals((await exact("SMEMBERS", "c")).length, 8);
  assertEquals(await ask(client, "OBJECT ENCODING c"), "intset");
});

commandSuite("sets have the encodings of Redis 7.2", async ({ client }) => {
  const long = "x".repeat(65);
  const rows: [members: string[], more: string[], encoding: string][] = [
    [range(512), [], "intset"],
    [range(513), [], "hashtable"],
    [range(512), ["600"], "hashtable"],
    [range(128), ["x"], "hashtable"],
    [range(127), ["x"], "listpack"],
    [["x"], range(127), "listpack"],
    [["x"], range(128), "hashtable"],
    [["x", ...range(127)], ["1"], "listpack"],
    [["1", long], [], "hashtable"],
    [["1", long.slice(1)], [], "listpack"],
    // The number of arguments counts, not that of members.
    [["x"], Array(128).fill("x"), "listpack"],
    [["x"], Array(129).fill("x"), "hashtable"],
    [["1"], Array(513).fill("1"), "hashtable"],
    [Array(129).fill("y"), [], "hashtable"],
    [Array(513).fill("1"), [], "hashtable"],
  ];
  for (const [first, more, encoding] of rows) {
    await ask(client, "DEL s");
    await ask(client, ["SADD", "s", ...first]);
    if (more.length > 0) await ask(client, ["SADD", "s", ...more]);
    const label = `${first.length} ${more.length}`;
    assertEquals(await ask(client, "OBJECT ENCODING s"), encoding, label);
    const all = [...new Set([...first, ...more])];
    assertEquals(await members(client, "s"), all.sort(), label);
  }
});

commandSuite("limits of sets can be set at run time", async ({ client }) => {
  try {
    await expectReplies(client, [
      ["CONFIG SET set-max-intset-entries 2 set-max-listpack-entries 3", "OK"],
      ["SADD i 1 2", 2],
      ["OBJECT ENCODING i", "intset"],
      ["SADD i 3", 1],
      ["OBJECT ENCODING i", "hashtable"],
      ["SADD j 1 2 3", 3],
      ["OBJECT ENCODING j", "listpack"],
      ["SADD j 4", 1],
      ["OBJECT ENCODING j", "hashtable"],
      ["CONFIG SET set-max-listpack-value 2", "OK"],
      ["SADD k 333", 1],
      ["SADD k a", 1],
      ["OBJECT ENCODING k", "hashtable"],
      ["CONFIG SET set-max-intset-entries 0 set-max-listpack-entries 0", "OK"],
      ["SADD l 1", 1],
      ["OBJECT ENCODING l", "hashtable"],
      [LIMITS, "OK"],
      // A table stays one.
      ["SREM i 1 2", 2],
      ["OBJECT ENCODING i", "hashtable"],
    ]);
  } finally {
    await ask(client, LIMITS);
  }
});

commandSuite("SMOVE, also from shard to shard", async ({ client }) => {
  const [a, b] = [`${T}a`, `${U}b`];
  await expectReplies(client, [
    [`SMOVE ${a} ${b} x`, 0],
    [`SADD ${a} x y 1`, 3],
    [`SMOVE ${a} ${b} z`, 0],
    [`EXISTS ${b}`, 0],
    [`SMOVE ${a} ${b} x`, 1],
    [`SMISMEMBER ${a} x y`, [0, 1]],
    [`SMISMEMBER ${b} x y`, [1, 0]],
    [`SMOVE ${a} ${b} 1`, 1],
    [`SADD ${a} x`, 1],
    [`EXPIRE ${b} 1000`, 1],
    [`SMOVE ${a} ${b} x`, 1],
    [`TTL ${b}`, 1000],
    [`SCARD ${b}`, 2],
    [`SMOVE ${a} ${a} y`, 1],
    [`SMOVE ${a} ${a} z`, 0],
    [`SMOVE ${a} ${T}c y`, 1],
    [`EXISTS ${a}`, 0],
    [`SMOVE ${T}c ${V}d y`, 1],
    [`EXISTS ${T}c`, 0],
    [`OBJECT ENCODING ${V}d`, "listpack"],
    [`SMOVE ${b} ${V}e 1`, 1],
    [`OBJECT ENCODING ${V}e`, "intset"],
    [`SET ${U}string s`, "OK"],
    [`SMOVE ${b} ${U}string x`, WRONGTYPE],
    [`SMOVE ${U}string ${b} x`, WRONGTYPE],
    [`SMOVE ${T}none ${U}string x`, 0],
    [`SCARD ${b}`, 1],
  ]);
});

commandSuite("SINTER, SUNION and SDIFF over shards", async ({ client }) => {
  const [a, b, c, none] = [`${T}a`, `${U}b`, `${V}c`, `${U}none`];
  await ask(client, ["SADD", a, "1", "2", "3", "x", "y"]);
  await ask(client, ["SADD", b, "2", "3", "4", "y", "z"]);
  await ask(client, ["SADD", c, ...range(200), "y"]);
  const rows: [command: string, expected: string][] = [
    [`SINTER ${a}`, "1 2 3 x y"],
    [`SINTER ${a} ${b}`, "2 3 y"],
    [`SINTER ${c} ${b} ${a}`, "2 3 y"],
    [`SINTER ${a} ${a}`, "1 2 3 x y"],
    [`SINTER ${a} ${none}`, ""],
    [`SINTER ${none}`, ""],
    [`SUNION ${a} ${b}`, "1 2 3 4 x y z"],
    [`SUNION ${none} ${b} ${none}`, "2 3 4 y z"],
    [`SUNION ${none} ${none}`, ""],
    [`SUNION ${a} ${a}`, "1 2 3 x y"],
    [`SDIFF ${a} ${b}`, "1 x"],
    [`SDIFF ${a} ${b} ${c}`, "x"],
    [`SDIFF ${a} ${none}`, "1 2 3 x y"],
    [`SDIFF ${none} ${a}`, ""],
    [`SDIFF ${a} ${b} ${a}`, ""],
    [`SDIFF ${a}`, "1 2 3 x y"],
    [`SDIFF ${c} ${a} ${a} ${a} ${b}`, range(200).slice(5).join(" ") + " 0"],
  ];
  for (const [command, expected] of rows) {
    const want = expected.split(" ").filter((text) => text !== "").sort();
    assertEquals(sorted(await ask(client, command)), want, command);
    const [name, ...keys] = command.split(" ");
    for (const target of [`${V}target`, `${T}target`]) {
      await ask(client, `SADD ${target} old`);
      assertEquals(
        await ask(client, [`${name}STORE`, target, ...keys]),
        want.length,
        command,
      );
      assertEquals(await ask(client, `EXISTS ${target}`), +(want.length > 0));
      assertEquals(await members(client, target), want, command);
    }
    if (name === "SINTER") {
      const card = ["SINTERCARD", `${keys.length}`, ...keys];
      assertEquals(await ask(client, card), want.length, command);
      assertEquals(
        await ask(client, [...card, "LIMIT", "2"]),
        Math.min(2, want.length),
      );
    }
  }
});

commandSuite("STORE takes any target, its sources too", async ({ client }) => {
  const [a, b] = [`${T}a`, `${U}b`];
  await expectReplies(client, [
    [`SADD ${a} 1 2 x`, 3],
    [`SADD ${b} 2 x y`, 3],
    [`SET ${V}string s`, "OK"],
    [`SUNIONSTORE ${V}string ${a} ${b}`, 4],
    [`TYPE ${V}string`, "set"],
    [`EXPIRE ${a} 1000`, 1],
    [`SINTERSTORE ${a} ${b} ${a}`, 2],
    [`TTL ${a}`, -1],
    [`SMISMEMBER ${a} 1 2 x`, [0, 1, 1]],
    [`SDIFFSTORE ${b} ${b} ${a}`, 1],
    [`SMISMEMBER ${b} y x`, [1, 0]],
    [`SUNIONSTORE ${a} ${a} ${b} ${a}`, 3],
    [`SDIFFSTORE ${a} ${a} ${a}`, 0],
    [`EXISTS ${a}`, 0],
    [`SET ${V}string s`, "OK"],
    [`SINTERSTORE ${V}string ${a}`, 0],
    [`EXISTS ${V}string`, 0],
    [`SUNIONSTORE ${V}string ${a} ${T}none`, 0],
    [`EXISTS ${V}string`, 0],
  ]);
});

commandSuite("STORE chooses encodings as Redis 7.2", async ({ client }) => {
  const [i, l, t] = [`${T}i`, `${U}l`, `${V}t`];
  await ask(client, ["SADD", i, ...range(100)]);
  await ask(client, ["SADD", l, ...range(100), "x"]);
  await ask(client, ["SADD", t, ...range(300), "x", "y"]);
  const rows: [command: string, encoding: string][] = [
    [`SINTERSTORE k ${i} ${t}`, "intset"],
    [`SINTERSTORE k ${l} ${t}`, "listpack"],
    [`SINTERSTORE k ${l} ${i} ${t}`, "intset"],
    [`SINTERSTORE k ${t}`, "hashtable"],
    [`SUNIONSTORE k ${i} ${i}`, "intset"],
    [`SUNIONSTORE k ${i} ${l}`, "listpack"],
    [`SUNIONSTORE k ${t} ${i}`, "hashtable"],
    [`SDIFFSTORE k ${t} ${i}`, "hashtable"],
    [`SDIFFSTORE k ${l} ${i}`, "listpack"],
    [`SDIFFSTORE k ${i} ${T}none`, "intset"],
  ];
  for (const [command, encoding] of rows) {
    await ask(client, command);
    assertEquals(await ask(client, "OBJECT ENCODING k"), encoding, command);
  }
  // Tables of integers meet in an intset; by a copy, a large set stays a table.
  await ask(client, ["SADD", "n", ...range(600)]);
  await ask(client, ["SADD", "m", ...range(400), "x"]);
  await expectReplies(client, [
    ["OBJECT ENCODING n", "hashtable"],
    ["SINTERSTORE k n m", 400],
    ["OBJECT ENCODING k", "intset"],
    [["SADD", "few", ...range(599)], 599],
    ["SADD one a", 1],
    ["SDIFFSTORE k n one one one few few few", 1],
    ["OBJECT ENCODING k", "intset"],
    ["SDIFFSTORE k n one one one one few", 1],
    ["OBJECT ENCODING k", "hashtable"],
  ]);
});

commandSuite("SINTERCARD checks its arguments", async ({ client }) => {
  const NUMKEYS = "-ERR numkeys should be greater than 0";
  const TOO_MANY = "-ERR Number of keys can't be greater than number of args";
  const NEGATIVE = "-ERR LIMIT can't be negative";
  await ask(client, `SADD ${T}a 1 2 3 4`);
  await ask(client, `SADD ${U}b 2 3 4 5 x`);
  const keys = `${T}a ${U}b`;
  await expectReplies(client, [
    [`SINTERCARD 2 ${keys}`, 3],
    [`SINTERCARD 2 ${keys} LIMIT 0`, 3],
    [`SINTERCARD 2 ${keys} LIMIT 2`, 2],
    [`SINTERCARD 2 ${keys} limit 10`, 3],
    [`SINTERCARD 2 ${keys} LIMIT 1 LIMIT 2`, 2],
    [`SINTERCARD 2 ${keys} LIMIT ${INT64_MAX}`, 3],
    [`SINTERCARD 1 ${keys}`, SYNTAX],
    [`SINTERCARD 2 ${keys} LIMIT`, SYNTAX],
    [`SINTERCARD 2 ${keys} LIMIT -1`, NEGATIVE],
    [`SINTERCARD 2 ${keys} LIMIT x`, NEGATIVE],
    [`SINTERCARD 0 ${keys}`, NUMKEYS],
    [`SINTERCARD -1 ${keys}`, NUMKEYS],
    [`SINTERCARD x ${keys}`, NUMKEYS],
    [`SINTERCARD 3 ${keys}`, TOO_MANY],
    [`SINTERCARD ${INT64_MAX} ${keys}`, TOO_MANY],
    [`SINTERCARD 4 ${keys} LIMIT 1`, 0],
    [`SET ${V}s x`, "OK"],
    [`SINTERCARD 2 ${T}none ${V}s`, WRONGTYPE],
    [`SINTERCARD 2 ${V}s ${T}none LIMIT x`, NEGATIVE],
  ]);
});

commandSuite("SPOP takes members away", async ({ client, resp }) => {
  const types = async (...argv: string[]) => (await client.run(...argv)).type;
  const empty = resp === 3 ? "set" : "array";
  await expectReplies(client, [
    ["SPOP s", null],
    ["SPOP s -1", NOT_POSITIVE],
    ["SPOP s x", NOT_POSITIVE],
    [`SPOP s ${INT64_MIN}`, NOT_POSITIVE],
    ["SPOP s 1 2", SYNTAX],
    ["SADD s a", 1],
    ["SPOP s", "a"],
    ["EXISTS s", 0],
  ]);
  assertEquals(await types("SPOP", "s", "2"), empty);
  for (
    const all of [
      range(100),
      range(100, "m"),
      range(400, "member of a table "),
    ]
  ) {
    // One, few, most (the rest is built anew), all but one, all, and more.
    const counts = [1, 7, all.length - 10, all.length - 1, all.length, 1000];
    for (const count of counts) {
      await ask(client, ["SADD", "s", ...all]);
      await ask(client, "EXPIRE s 1000");
      assertEquals(sorted(await ask(client, "SPOP s 0")), []);
      const popped = sorted(await ask(client, `SPOP s ${count}`));
      assertEquals(popped.length, Math.min(count, all.length));
      const left = await members(client, "s");
      assertEquals(await ask(client, "SCARD s"), left.length);
      assertEquals([...popped, ...left].sort(), all.toSorted());
      const isLeft = count < all.length;
      assertEquals(await ask(client, "TTL s"), isLeft ? 1000 : -2);
      await ask(client, "DEL s");
    }
    await ask(client, ["SADD", "s", ...all]);
    const popped: string[] = [];
    while (await ask(client, "EXISTS s") === 1) {
      popped.push(String(await ask(client, "SPOP s")));
    }
    assertEquals(popped.sort(), all.toSorted());
  }
});

commandSuite("SPOP of most members packs what is left", async ({ client }) => {
  const rows: [all: string[], count: number, encoding: string][] = [
    [range(100), 95, "intset"],
    [range(600), 590, "listpack"],
    [range(600), 300, "hashtable"],
    [range(2000, "m"), 1900, "listpack"],
    [range(2000, "m"), 1700, "hashtable"],
    [range(100, "m"), 95, "listpack"],
  ];
  for (const [all, count, encoding] of rows) {
    await ask(client, "DEL s");
    await fill(client, "s", all);
    const popped = sorted(await ask(client, `SPOP s ${count}`));
    assertEquals(await ask(client, "OBJECT ENCODING s"), encoding);
    const left = await members(client, "s");
    assertEquals([...popped, ...left].sort(), all.toSorted());
  }
});

commandSuite("SRANDMEMBER draws members", async ({ client }) => {
  const TOO_LOW = "-ERR value is out of range, value must between " +
    `-${INT64_MAX} and ${INT64_MAX}`;
  await expectReplies(client, [
    ["SRANDMEMBER s", null],
    ["SRANDMEMBER s 3", []],
    ["SRANDMEMBER s -3", []],
    ["SRANDMEMBER s x", NOT_AN_INTEGER],
    ["SRANDMEMBER s 1.0", NOT_AN_INTEGER],
    [`SRANDMEMBER s ${INT64_MIN}`, TOO_LOW],
    ["SRANDMEMBER s 1 2", SYNTAX],
    ["SADD s a", 1],
    ["SRANDMEMBER s", "a"],
    ["SRANDMEMBER s 0", []],
    ["SRANDMEMBER s 5", ["a"]],
    [`SRANDMEMBER s ${INT64_MAX}`, ["a"]],
    ["SRANDMEMBER s -3", ["a", "a", "a"]],
  ]);
  for (const all of [range(100), range(100, "m"), range(400, "m")]) {
    await ask(client, "DEL s");
    await ask(client, ["SADD", "s", ...all]);
    for (const count of [1, 2, 50, 99, 100, 399, 400, 500]) {
      const reply = await ask(client, `SRANDMEMBER s ${count}`);
      assert(Array.isArray(reply));
      assertEquals(reply.length, Math.min(count, all.length));
      assertEquals(new Set(reply).size, reply.length);
      assert(reply.every((member) => all.includes(String(member))));
    }
    const many = await ask(client, "SRANDMEMBER s -5000");
    assert(Array.isArray(many));
    assertEquals(many.length, 5000);
    assert(new Set(many).size > all.length * 0.9);
    assert(many.every((member) => all.includes(String(member))));
    assertEquals(await ask(client, "SCARD s"), all.length);
  }
});

commandSuite("SSCAN goes through a set", async ({ client }) => {
  const all = range(3000, "m");
  await fill(client, "s", all);
  const scan = async (key: string, ...options: string[]) => {
    const found: string[] = [];
    let cursor = "0";
    let calls = 0;
    do {
      const reply = await ask(client, ["SSCAN", key, cursor, ...options]);
      const [next, part] = reply as [string, string[]];
      found.push(...part);
      cursor = next;
      calls++;
    } while (cursor !== "0");
    return { found: found.sort(), calls };
  };
  const whole = await scan("s");
  assertEquals(whole.found, all.toSorted());
  assert(whole.calls > 100);
  assert((await scan("s", "COUNT", "1000")).calls < 10);
  assertEquals((await scan("s", "MATCH", "m12?")).found, range(10, "m12"));
  for (const packed of [range(100), range(100, "m")]) {
    await ask(client, ["SADD", "packed", ...packed]);
    const { found, calls } = await scan("packed", "COUNT", "1");
    assertEquals([found, calls], [packed.toSorted(), 1]);
    await ask(client, "DEL packed");
  }
  await expectReplies(client, [
    ["SSCAN none 0", ["0", []]],
    ["SSCAN none x", "-ERR invalid cursor"],
    ["SSCAN none 0 BOGUS", ["0", []]],
    ["SSCAN s 0 BOGUS", SYNTAX],
    ["SSCAN s 0 NOVALUES", SYNTAX],
    ["SSCAN s 0 COUNT 0", SYNTAX],
    ["SSCAN s 0 COUNT x", NOT_AN_INTEGER],
    ["SSCAN s 0 MATCH", SYNTAX],
    ["SET string x", "OK"],
    ["SSCAN string 0 BOGUS", WRONGTYPE],
    ["SSCAN string x", "-ERR invalid cursor"],
  ]);
});

commandSuite("SSCAN finds what stays while others go", async ({ client }) => {
  const staying = range(1000, "s");
  const going = range(4000, "g");
  await fill(client, "s", [...staying, ...going]);
  const found = new Set<string>();
  let cursor = "0";
  do {
    const [next, part] = await ask(client, ["SSCAN", "s", cursor]) as [
      string,
      string[],
    ];
    for (const member of part) found.add(member);
    cursor = next;
    await ask(client, ["SREM", "s", ...going.splice(-40)]);
    await ask(client, ["SADD", "s", ...range(20, `new ${cursor} `)]);
  } while (cursor !== "0");
  assert(staying.every((member) => found.has(member)));
});

commandSuite("commands of sets refuse other types", async ({ client }) => {
  await ask(client, `SET ${T}string s`);
  await ask(client, `SADD ${U}set 1`);
  const [string, set] = [`${T}string`, `${U}set`];
  const commands = [
    ...["SADD # a", "SREM # a", "SISMEMBER # a", "SMISMEMBER # a", "SCARD #"],
    ...["SMEMBERS #", "SPOP #", "SPOP # 0", "SRANDMEMBER #", "SSCAN # 0"],
    ...["SRANDMEMBER # 0", `SMOVE # ${set} a`, `SMOVE ${set} # 1`],
    ...[`SINTER ${set} #`, `SINTER ${V}none #`, `SUNION ${set} #`],
    ...[`SDIFF ${V}none #`, `SINTERSTORE ${set} #`, `SUNIONSTORE ${set} #`],
    ...[`SDIFFSTORE ${set} ${V}none #`, `SINTERCARD 2 ${set} #`],
  ];
  for (const command of commands) {
    const line = command.replaceAll("#", string);
    assertEquals(await ask(client, line), WRONGTYPE, line);
  }
  await expectReplies(client, [
    [`GET ${set}`, WRONGTYPE],
    [`SMISMEMBER ${set} 1 a`, [1, 0]],
    [`GET ${string}`, "s"],
  ]);
});

commandSuite("empty results are empty sets", async ({ client, resp }) => {
  await ask(client, "SADD s a");
  const commands = [
    ...["SMEMBERS none", "SINTER none s", "SUNION none", "SDIFF none s"],
    ...["SDIFF s s", "SPOP none 1", "SPOP s 0"],
  ];
  for (const command of commands) {
    const [frame] = await client.pipelineFrames([command.split(" ")]);
    const head = resp === 3 ? "~" : "*";
    assertEquals(toBinary(frame!.raw), `${head}0\r\n`, command);
  }
  for (const command of ["SRANDMEMBER none 2", "SRANDMEMBER s 0"]) {
    const [frame] = await client.pipelineFrames([command.split(" ")]);
    assertEquals(toBinary(frame!.raw), "*0\r\n", command);
  }
});

commandSuite("changes of sets are counted", async ({ client }) => {
  const changes = async (command: string) => {
    const count = async () => {
      const info = String(await ask(client, "INFO persistence"));
      return Number(/rdb_changes_since_last_save:(\d+)/.exec(info)![1]);
    };
    const before = await count();
    await ask(client, command);
    return await count() - before;
  };
  const [a, b] = [`${T}a`, `${U}b`];
  const rows: [command: string, changes: number][] = [
    [`SADD ${a} 1 2 3 2`, 3],
    [`SADD ${a} 1`, 0],
    [`SREM ${a} 1 9`, 1],
    [`SREM ${a} 9`, 0],
    [`SMOVE ${a} ${b} 2`, 2],
    [`SADD ${a} 2`, 1],
    [`SMOVE ${a} ${b} 2`, 1],
    [`SMOVE ${a} ${b} 9`, 0],
    [`SMOVE ${a} ${a} 3`, 0],
    [`SADD ${b} 4 5 6`, 3],
    [`SPOP ${b}`, 1],
    [`SPOP ${b} 2`, 2],
    [`SPOP ${b} 0`, 0],
    [`SPOP ${b} 100`, 1],
    [`SUNIONSTORE ${b} ${a}`, 1],
    [`SINTERSTORE ${b} ${V}none`, 1],
    [`SINTERSTORE ${b} ${V}none`, 0],
    [`SDIFFSTORE ${b} ${a}`, 1],
    [`SMEMBERS ${a}`, 0],
  ];
  for (const [command, expected] of rows) {
    assertEquals(await changes(command), expected, command);
  }
});

commandSuite("long members are kept whole", async ({ client }) => {
  const long = "\xfe".repeat(300_000);
  await expectReplies(client, [
    [["SADD", `${T}a`, long, "b"], 2],
    [["SADD", `${T}a`, long], 0],
    [["SISMEMBER", `${T}a`, long], 1],
    [["SISMEMBER", `${T}a`, long.slice(1)], 0],
    [["SMOVE", `${T}a`, `${U}b`, long], 1],
    [`SRANDMEMBER ${U}b`, long],
    [`SUNIONSTORE ${V}c ${T}a ${U}b`, 2],
    [["SREM", `${V}c`, long], 1],
    [`SPOP ${U}b`, long],
  ]);
});

commandSuite(
  "replies of large sets are as they were asked for",
  async ({ client, server, resp }) => {
    const all = range(30_000, "member ").sort();
    const [a, b] = [`${T}a`, `${U}b`];
    await fill(client, a, all);
    await fill(client, b, all.slice(10_000));
    using other = await server.client({ resp });
    const changing = async (...argv: string[]) => {
      const reply = client.run(...argv);
      await other.run("SADD", a, "new");
      await other.run("SREM", a, "new");
      return await reply;
    };
    await changing("SMEMBERS", a);
    assertEquals(await members(client, a), all);
    const replies = await client.pipeline([
      ["SMEMBERS", a],
      ["SREM", a, ...all.slice(0, 1000)],
      ["SUNION", a, b],
      ["SINTER", a, b],
      ["SDIFF", a, b],
      ["SADD", a, ...all.slice(0, 1000)],
      ["SRANDMEMBER", a, "-40000"],
      ["SPOP", a, "28000"],
      ["SCARD", a],
      ["SPOP", b, "100000"],
      ["EXISTS", b],
      ["PING"],
    ]);
    const [whole, removed, union, inter, diff, added, drawn, popped, ...rest] =
      replies.map(plain);
    assertEquals([removed, added, rest[0]], [1000, 1000, 2000]);
    assertEquals([sorted(rest[1]!).length, ...rest.slice(2)], [
      20_000,
      0,
      "PONG",
    ]);
    assertEquals(sorted(whole!), all);
    assertEquals(sorted(union!), all.slice(1000));
    assertEquals(sorted(inter!), all.slice(10_000));
    assertEquals(sorted(diff!), all.slice(1000, 10_000));
    assertEquals(sorted(drawn!).length, 40_000);
    const left = await members(client, a);
    assertEquals(left.length, 2000);
    assertEquals([...sorted(popped!), ...left].sort(), all);
  },
);
