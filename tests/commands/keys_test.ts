import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const [S, T] = tagsOnDistinctSlots(4).map((tag) => `{${tag}}`) as [
  string,
  string,
];
const SYNTAX = "-ERR syntax error";
const NO_DB = "-ERR DB index is out of range";
const SAME = "-ERR source and destination objects are the same";

commandSuite(
  "DEL and UNLINK count the keys they delete",
  async ({ client }) => {
    for (const name of ["DEL", "UNLINK"]) {
      await expectReplies(client, [
        [`MSET ${S}a 1 ${T}b 2 c 3`, "OK"],
        [`${name} ${S}a ${T}b missing ${S}a`, 2],
        [`EXISTS ${S}a ${T}b c`, 1],
        [`${name} c`, 1],
        [`${name} c`, 0],
      ]);
    }
  },
);

commandSuite("EXISTS and TOUCH count repeated keys", async ({ client }) => {
  await expectReplies(client, [
    ["SET a 1", "OK"],
    ["EXISTS a a b a", 3],
    ["TOUCH a a b", 2],
    ["EXISTS", "-ERR wrong number of arguments for 'exists' command"],
  ]);
});

commandSuite("TYPE names the type", async ({ client }) => {
  await expectReplies(client, [
    ["TYPE a", "none"],
    ["SET a 1", "OK"],
    ["TYPE a", "string"],
  ]);
});

commandSuite(
  "RENAME moves value and expire, over shards",
  async ({ client }) => {
    await expectReplies(client, [
      [`SET ${S}a one EX 1000`, "OK"],
      [`SET ${T}b two EX 5000`, "OK"],
      [`RENAME ${S}a ${T}b`, "OK"],
      [`GET ${T}b`, "one"],
      [`EXISTS ${S}a`, 0],
      [`RENAME ${T}b ${S}c`, "OK"],
      [`GET ${S}c`, "one"],
      [`SET ${S}d three`, "OK"],
      [`RENAME ${S}d ${S}c`, "OK"],
      [`GET ${S}c`, "three"],
      [`TTL ${S}c`, -1],
      ["RENAME missing other", "-ERR no such key"],
      ["RENAME missing missing", "-ERR no such key"],
      [`RENAME ${S}c ${S}c`, "OK"],
      [`GET ${S}c`, "three"],
    ]);
    await expectReplies(client, [
      [`SET ${S}a one EX 1000`, "OK"],
      [`RENAME ${S}a ${T}b`, "OK"],
    ]);
    const ttl = await ask(client, `TTL ${T}b`) as number;
    assert(ttl > 990 && ttl <= 1000, `${ttl}`);
  },
);

commandSuite("RENAMENX leaves a taken name alone", async ({ client }) => {
  await expectReplies(client, [
    [`MSET ${S}a one ${T}b two`, "OK"],
    [`RENAMENX ${S}a ${T}b`, 0],
    [`RENAMENX ${S}a ${S}a`, 0],
    [`GET ${S}a`, "one"],
    [`RENAMENX ${S}a ${T}c`, 1],
    [`GET ${T}c`, "one"],
    ["RENAMENX missing other", "-ERR no such key"],
  ]);
});

commandSuite("COPY copies value and expire", async ({ client }) => {
  await expectReplies(client, [
    [`SET ${S}a one`, "OK"],
    [`COPY ${S}a ${T}b`, 1],
    [`COPY ${S}a ${T}b`, 0],
    [`SET ${S}a two EX 1000`, "OK"],
    [`COPY ${S}a ${T}b REPLACE`, 1],
    [`MGET ${S}a ${T}b`, ["two", "two"]],
    ["COPY missing other", 0],
    [`COPY ${S}a ${S}a`, SAME],
    [`COPY ${S}a ${T}b DB 0 BOGUS`, SYNTAX],
    [`COPY ${S}a ${T}b DB`, SYNTAX],
    [`COPY ${S}a ${T}b DB 16`, NO_DB],
    [`COPY ${S}a ${T}b DB -1`, NO_DB],
    [`COPY ${S}a ${T}b DB x`, "-ERR value is not an integer or out of range"],
    [`COPY ${S}a ${S}a DB 3`, 1],
    [`COPY ${S}a ${S}a DB 3`, 0],
    [`COPY ${S}a ${T}c DB 3 REPLACE`, 1],
    ["SELECT 3", "OK"],
    [`MGET ${S}a ${T}c`, ["two", "two"]],
    ["DBSIZE", 2],
  ]);
  const ttl = await ask(client, `TTL ${S}a`) as number;
  assert(ttl > 990 && ttl <= 1000, `${ttl}`);
});

commandSuite(
  "a long value is copied, moved and changed apart",
  async ({ client }) => {
    const value = "0123456789".repeat(20_000);
    await expectReplies(client, [
      [["SET", `${S}a`, value], "OK"],
      [`COPY ${S}a ${T}b`, 1],
      [`COPY ${S}a ${T}b REPLACE`, 1],
      [`APPEND ${S}a x`, 200_001],
      [`SETRANGE ${T}b 5 y`, 200_000],
      [`RENAME ${T}b ${S}c`, "OK"],
      [`MOVE ${S}c 1`, 1],
      [`GET ${S}a`, `${value}x`],
      ["SELECT 1", "OK"],
      [`GET ${S}c`, `01234y${value.slice(6)}`],
      [`DEL ${S}c`, 1],
      ["SELECT 0", "OK"],
      [`GET ${S}a`, `${value}x`],
    ]);
  },
);

commandSuite("MOVE moves to another database", async ({ client }) => {
  await expectReplies(client, [
    ["SET a one EX 1000", "OK"],
    ["MOVE a 1", 1],
    ["MOVE a 1", 0],
    ["SET a two", "OK"],
    ["MOVE a 1", 0],
    ["GET a", "two"],
    ["MOVE a 0", SAME],
    ["MOVE a 16", NO_DB],
    ["MOVE a x", "-ERR value is not an integer or out of range"],
    [
      "MOVE a 99999999999",
      "-ERR value is out of range, value must between -2147483648 and 2147483647",
    ],
    ["SELECT 1", "OK"],
    ["GET a", "one"],
  ]);
  assert(await ask(client, "TTL a") as number > 990);
});

commandSuite("OBJECT tells about values", async ({ client }) => {
  await expectReplies(client, [
    ["MSET int 12 short abc", "OK"],
    [["SET", "long", "x".repeat(45)], "OK"],
    ["OBJECT ENCODING int", "int"],
    ["OBJECT ENCODING short", "embstr"],
    ["OBJECT ENCODING long", "raw"],
    ["OBJECT ENCODING missing", null],
    ["OBJECT REFCOUNT long", 1],
    ["OBJECT REFCOUNT missing", null],
    ["OBJECT IDLETIME short", 0],
    ["OBJECT IDLETIME missing", null],
    ["OBJECT FREQ missing", null],
    [
      "OBJECT FREQ short",
      "-ERR An LFU maxmemory policy is not selected, access frequency not " +
      "tracked. Please note that when switching between policies at runtime " +
      "LRU and LFU data will take some time to adjust.",
    ],
    ["OBJECT BOGUS x", "-ERR unknown subcommand 'BOGUS'. Try OBJECT HELP."],
    [
      "OBJECT ENCODING",
      "-ERR wrong number of arguments for 'object|encoding' command",
    ],
  ]);
  const help = await ask(client, "OBJECT HELP") as string[];
  assertEquals(
    help[0],
    "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  );
  assertEquals(help.at(-1), "    Prints this help.");
});
