import { assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import {
  type Argument,
  type Plain,
  plain,
  type TestClient,
} from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const NOT_DOUBLES = "-ERR One or more scores can't be converted into double";
const SYNTAX = "-ERR syntax error";
const WRONG_TYPE =
  "-WRONGTYPE Operation against a key holding the wrong kind of value";

/** Names of keys on four shards. */
const TAGS = tagsOnDistinctSlots(4);

/** Weights and data of elements 1 to 4, each on a shard of its own. */
async function fillWeights(client: TestClient): Promise<void> {
  await client.pipeline([
    ["RPUSH", "list", "1", "2", "3", "4"],
    ...["30", "10", "40", "20"].map((weight, i): Argument[] => [
      ...["SET", `w_${i + 1}`, weight],
    ]),
    ...["c", "a", "b"].map((name, i): Argument[] => [
      ...["HSET", `data_${i + 1}`, "name", name, "age", `${50 - i}`],
    ]),
  ]);
}

commandSuite(
  "SORT orders numbers, and letters with ALPHA",
  async ({ client }) => {
    await expectReplies(client, [
      ["RPUSH l 10 9 -1.5 1e3 9 0x10", 6],
      ["SORT l", ["-1.5", "9", "9", "10", "0x10", "1e3"]],
      ["SORT l DESC", ["1e3", "0x10", "10", "9", "9", "-1.5"]],
      ["SORT l ALPHA", ["-1.5", "0x10", "10", "1e3", "9", "9"]],
      ["SORT l desc alpha", ["9", "9", "1e3", "10", "0x10", "-1.5"]],
      ["SADD s b a C 1", 4],
      ["SORT s", NOT_DOUBLES],
      ["SORT s ALPHA", ["1", "C", "a", "b"]],
      ["ZADD z 3 a 2 b 1 c", 3],
      ["SORT z ALPHA DESC", ["c", "b", "a"]],
      ["SORT none", []],
      ["SORT_RO l LIMIT 1 2", ["9", "9"]],
    ]);
  },
);

commandSuite(
  "SORT takes scores of equal numbers in the order of bytes",
  async ({ client }) => {
    await expectReplies(client, [
      ["RPUSH l 1.0 1 01 1e0 +1", 5],
      ["SORT l", ["+1", "01", "1", "1.0", "1e0"]],
      ["SORT l DESC", ["1e0", "1.0", "1", "01", "+1"]],
      [["RPUSH", "e", "", "0", "-1"], 3],
      ["SORT e", ["-1", "", "0"]],
    ]);
  },
);

commandSuite("SORT LIMIT takes what there is", async ({ client }) => {
  await expectReplies(client, [
    ["RPUSH l 3 1 2", 3],
    ["SORT l LIMIT 0 2", ["1", "2"]],
    ["SORT l LIMIT 1 -1", ["2", "3"]],
    ["SORT l LIMIT -5 2", ["1", "2"]],
    ["SORT l LIMIT 3 1", []],
    ["SORT l LIMIT 1 0", []],
    ["SORT l LIMIT 2 9223372036854775807", ["3"]],
    ["SORT l LIMIT x 1", "-ERR value is not an integer or out of range"],
    ["SORT l LIMIT 1", SYNTAX],
  ]);
});

commandSuite("SORT BY looks weights up on all shards", async ({ client }) => {
  await fillWeights(client);
  await expectReplies(client, [
    ["SORT list BY w_*", ["2", "4", "1", "3"]],
    ["SORT list BY w_* DESC", ["3", "1", "4", "2"]],
    ["SORT list BY w_* LIMIT 1 2", ["4", "1"]],
    ["SORT list BY data_*->age", ["4", "3", "2", "1"]],
    ["SORT list BY data_*->name ALPHA", ["4", "2", "3", "1"]],
    ["SORT list BY data_*->name ALPHA DESC", ["1", "3", "2", "4"]],
    ["SORT list BY data_*->name", NOT_DOUBLES],
    ["SORT list BY none_*", ["1", "2", "3", "4"]],
    ["SORT_RO list BY w_* GET #", ["2", "4", "1", "3"]],
  ]);
});

commandSuite(
  "SORT BY without a star keeps the order there is",
  async ({ client }) => {
    await expectReplies(client, [
      ["RPUSH l b c a", 3],
      ["SORT l BY nosort", ["b", "c", "a"]],
      ["SORT l BY nosort DESC", ["a", "c", "b"]],
      ["SORT l BY nosort DESC LIMIT 1 5", ["c", "b"]],
      ["ZADD z 1 b 2 c 3 a 4 d", 4],
      ["SORT z BY nosort", ["b", "c", "a", "d"]],
      ["SORT z BY nosort LIMIT 1 2", ["c", "a"]],
      ["SORT z BY nosort DESC LIMIT 1 2", ["a", "c"]],
      ["SORT z BY nosort LIMIT 9 2", []],
      ["SADD s b c a", 3],
      ["SORT s BY nosort STORE d", 3],
      ["LRANGE d 0 -1", ["a", "b", "c"]],
    ]);
  },
);

commandSuite("SORT GET replies what other keys hold", async ({ client }) => {
  await fillWeights(client);
  await expectReplies(client, [
    ["SORT list BY w_* GET # GET w_* GET data_*->name", [
      ...["2", "10", "a", "4", "20", null, "1", "30", "c", "3", "40", "b"],
    ]],
    ["SORT list LIMIT 0 1 GET none GET none_* GET data_* GET w_*->f", [
      ...[null, null, null, null],
    ]],
    ["SORT list LIMIT 0 1 GET data_*->", [null]],
    ["DEL w_1", 1],
    ["SET w_1 gone PX 1", "OK"],
  ]);
  const long = "0123456789".repeat(20_000);
  await client.run("SET", "w_2", long);
  await client.run("PEXPIRE", "w_1", "0");
  assertEquals(await ask(client, "SORT list LIMIT 0 2 GET w_*"), [null, long]);
});

commandSuite("SORT STORE makes a list on any shard", async ({ client }) => {
  await fillWeights(client);
  for (const tag of TAGS) {
    const target = `{${tag}}target`;
    await expectReplies(client, [
      [`SET ${target} text EX 100`, "OK"],
      [`SORT list BY w_* GET # GET data_*->name STORE ${target}`, 8],
      [`TYPE ${target}`, "list"],
      [`TTL ${target}`, -1],
      [`LRANGE ${target} 0 -1`, ["2", "a", "4", "", "1", "c", "3", "b"]],
      [`SORT ${target} STORE ${target}`, NOT_DOUBLES],
      [`SORT ${target} ALPHA STORE ${target}`, 8],
      [`LRANGE ${target} 0 -1`, ["", "1", "2", "3", "4", "a", "b", "c"]],
      [`SORT ${target} ALPHA LIMIT 9 9 STORE ${target}`, 0],
      [`EXISTS ${target}`, 0],
      [`SORT none STORE ${target}`, 0],
      [`SORT list STORE other STORE ${target}`, 4],
      [`EXISTS other ${target}`, 1],
    ]);
  }
});

commandSuite(
  "SORT complains as Redis does, and then changes nothing",
  async ({ client }) => {
    await expectReplies(client, [
      ["RPUSH l 1 x", 2],
      ["SET d kept", "OK"],
      ["SORT l STORE d", NOT_DOUBLES],
      ["GET d", "kept"],
      ["HSET h f v", 1],
      ["SORT h", WRONG_TYPE],
      ["SORT d", WRONG_TYPE],
      ["SORT h BY", SYNTAX],
      ["SORT h GET", SYNTAX],
      ["SORT h STORE", SYNTAX],
      ["SORT_RO l STORE d", SYNTAX],
      ["SORT l BOGUS", SYNTAX],
      ["SORT", "-ERR wrong number of arguments for 'sort' command"],
    ]);
  },
);

commandSuite(
  "SORT replies a large list while the peer takes it",
  async ({ client }) => {
    const count = 20_000;
    const numbers = Array.from({ length: count }, (_, i) => i * 7919 % count);
    await client.run("RPUSH", "l", ...numbers);
    const expected: Plain = numbers.map((_, i) => String(i));
    const [sorted, , stored] = await client.pipeline([
      ["SORT", "l"],
      ["DEL", "l"],
      ["EXISTS", "l"],
    ]);
    assertEquals(plain(sorted!), expected);
    assertEquals(plain(stored!), 0);
  },
);

commandSuite(
  "SORT GET sees the keys of all shards at one instant",
  async ({ client, server }) => {
    const rounds = 300;
    const keys = TAGS.flatMap((tag) => [0, 1, 2].map((i) => `{${tag}}${i}`));
    await client.run("RPUSH", "l", ...keys);
    const set = (round: number) => [
      "MSET",
      ...keys.flatMap((key) => [`d_${key}`, String(round)]),
    ];
    await client.run(...set(0));
    using writer = await server.client();
    const [sorted] = await Promise.all([
      client.pipeline(
        Array.from({ length: rounds }, () => [
          ...["SORT", "l", "BY", "d_*", "ALPHA", "GET", "d_*"],
        ]),
      ),
      writer.pipeline(Array.from({ length: rounds }, (_, i) => set(i + 1))),
    ]);
    for (const reply of sorted) {
      assertEquals(new Set(plain(reply) as string[]).size, 1);
    }
  },
);
