import { assert, assertEquals } from "@std/assert";
import { Random, tagsOnDistinctSlots } from "../_harness.ts";
import type { TestClient } from "../_resp_client.ts";
import { ask, type Exchange, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const NOT_AN_INTEGER = "-ERR value is not an integer or out of range";
const NOT_POSITIVE = "-ERR value is out of range, must be positive";
const SYNTAX = "-ERR syntax error";
const WRONG_TYPE = "-WRONGTYPE Operation against a key holding the wrong " +
  "kind of value";
const INT64_MAX = "9223372036854775807";
const INT64_MIN = "-9223372036854775808";
const NOT_SYMMETRIC = "-ERR value is out of range, value must between " +
  `-${INT64_MAX} and ${INT64_MAX}`;
const FUTURE_S = 4_102_444_800;

/** Keys on different shards. */
const [T, U, V] = tagsOnDistinctSlots(3).map((tag) => `{${tag}}`);

/** `list-max-listpack-size` of lists in one node, and of lists in several. */
const SIZES = ["-2", "2"];

function wrongArity(command: string): string {
  return `-ERR wrong number of arguments for '${command}' command`;
}

/** Registers a script for lists of both encodings. */
function listSuite(name: string, exchanges: readonly Exchange[]): void {
  commandSuite(name, async ({ client }) => {
    for (const size of SIZES) {
      await ask(client, `CONFIG SET list-max-listpack-size ${size}`);
      await ask(client, "FLUSHALL");
      await expectReplies(client, exchanges);
    }
    await ask(client, "CONFIG SET list-max-listpack-size -2");
  });
}

listSuite("LPUSH and RPUSH add in the order of their arguments", [
  ["RPUSH a 1 2 3", 3],
  ["LPUSH a 4 5", 5],
  ["LRANGE a 0 -1", ["5", "4", "1", "2", "3"]],
  ["LLEN a", 5],
  [["RPUSH", "a", "", "\0\r\n\xff"], 7],
  ["LRANGE a -2 -1", ["", "\0\r\n\xff"]],
  ["TYPE a", "list"],
  ["SET s x", "OK"],
  ["LPUSH s 1", WRONG_TYPE],
  ["RPUSH s 1", WRONG_TYPE],
  ["LPUSH a", wrongArity("lpush")],
  ["RPUSH a", wrongArity("rpush")],
  ["LLEN s", WRONG_TYPE],
  ["LLEN missing", 0],
  ["LLEN a b", wrongArity("llen")],
]);

listSuite("LPUSHX and RPUSHX make no key", [
  ["LPUSHX a 1", 0],
  ["RPUSHX a 1 2", 0],
  ["EXISTS a", 0],
  ["RPUSH a 1", 1],
  ["LPUSHX a 2 3", 3],
  ["RPUSHX a 4", 4],
  ["LRANGE a 0 -1", ["3", "2", "1", "4"]],
  ["SET s x", "OK"],
  ["LPUSHX s 1", WRONG_TYPE],
  ["RPUSHX s 1", WRONG_TYPE],
]);

commandSuite("LPOP and RPOP reply one element or an array", async (context) => {
  const { client } = context;
  await expectReplies(client, [
    ["LPOP a", null],
    ["LPOP a 1", null],
    ["RPOP a 0", null],
    ["RPUSH a 1 2 3 4 5 6 7 8", 8],
    ["LPOP a", "1"],
    ["RPOP a", "8"],
    ["LPOP a 2", ["2", "3"]],
    ["RPOP a 2", ["7", "6"]],
    ["LPOP a 0", []],
    [`RPOP a ${INT64_MAX}`, ["5", "4"]],
    ["EXISTS a", 0],
    ["RPUSH a 1", 1],
    ["LPOP a -1", NOT_POSITIVE],
    ["LPOP a x", NOT_POSITIVE],
    [`RPOP a ${INT64_MIN}`, NOT_POSITIVE],
    ["RPOP a 9223372036854775808", NOT_POSITIVE],
    ["LPOP a 1 2", wrongArity("lpop")],
    ["RPOP a 1 2", wrongArity("rpop")],
    ["RPOP a", "1"],
    ["EXISTS a", 0],
    ["SET s x", "OK"],
    ["LPOP s", WRONG_TYPE],
    ["RPOP s 0", WRONG_TYPE],
    ["LPOP s -1", NOT_POSITIVE],
  ]);
  // The null of a count is that of an array.
  const raw = await client.runRaw("LPOP", "missing", "1");
  const expected = context.resp === 3 ? "_\r\n" : "*-1\r\n";
  assertEquals(new TextDecoder().decode(raw), expected);
});

listSuite("LINDEX counts from both ends", [
  ["LINDEX a 0", null],
  ["LINDEX a x", null],
  ["RPUSH a 10 b 30 d", 4],
  ["LINDEX a 0", "10"],
  ["LINDEX a 3", "d"],
  ["LINDEX a 4", null],
  ["LINDEX a -1", "d"],
  ["LINDEX a -4", "10"],
  ["LINDEX a -5", null],
  [`LINDEX a ${INT64_MAX}`, null],
  [`LINDEX a ${INT64_MIN}`, null],
  ["LINDEX a x", NOT_AN_INTEGER],
  ["SET s x", "OK"],
  ["LINDEX s x", WRONG_TYPE],
]);

listSuite("LSET replaces an element", [
  ["LSET a 0 x", "-ERR no such key"],
  ["LSET a x x", "-ERR no such key"],
  ["RPUSH a 1 2 3", 3],
  ["LSET a 0 x", "OK"],
  ["LSET a -1 100000", "OK"],
  [["LSET", "a", "1", "y".repeat(100)], "OK"],
  ["LRANGE a 0 -1", ["x", "y".repeat(100), "100000"]],
  ["LSET a 3 x", "-ERR index out of range"],
  ["LSET a -4 x", "-ERR index out of range"],
  [`LSET a ${INT64_MAX} x`, "-ERR index out of range"],
  ["LSET a x x", NOT_AN_INTEGER],
  ["SET s x", "OK"],
  ["LSET s x x", WRONG_TYPE],
]);

listSuite("LINSERT inserts beside the first match", [
  ["LINSERT a BEFORE x y", 0],
  ["LINSERT a BESIDE x y", SYNTAX],
  ["RPUSH a 1 2 2 3", 4],
  ["LINSERT a before 2 x", 5],
  ["LINSERT a AFTER 2 y", 6],
  ["LINSERT a AFTER 3 z", 7],
  ["LINSERT a BEFORE 1 first", 8],
  ["LINSERT a AFTER 4 z", -1],
  ["LRANGE a 0 -1", ["first", "1", "x", "2", "y", "2", "3", "z"]],
  ["SET s x", "OK"],
  ["LINSERT s BESIDE x y", SYNTAX],
  ["LINSERT s AFTER x y", WRONG_TYPE],
  ["LINSERT a AFTER x", wrongArity("linsert")],
]);

listSuite("LRANGE takes what there is of a range", [
  ["LRANGE a 0 -1", []],
  ["RPUSH a 0 1 2 3 4", 5],
  ["LRANGE a 1 3", ["1", "2", "3"]],
  ["LRANGE a -3 -2", ["2", "3"]],
  ["LRANGE a 3 1", []],
  ["LRANGE a 5 9", []],
  ["LRANGE a -9 1", ["0", "1"]],
  ["LRANGE a 3 99", ["3", "4"]],
  [`LRANGE a ${INT64_MIN} ${INT64_MAX}`, ["0", "1", "2", "3", "4"]],
  ["LRANGE a 0 -6", []],
  ["LRANGE a x 1", NOT_AN_INTEGER],
  ["LRANGE a 1 x", NOT_AN_INTEGER],
  ["SET s x", "OK"],
  ["LRANGE s x 1", NOT_AN_INTEGER],
  ["LRANGE s 0 1", WRONG_TYPE],
]);

listSuite("LTRIM keeps a range", [
  ["LTRIM a 0 1", "OK"],
  ["RPUSH a 0 1 2 3 4 5 6 7", 8],
  [`LTRIM a ${INT64_MIN} ${INT64_MAX}`, "OK"],
  ["LTRIM a 1 -1", "OK"],
  ["LTRIM a 0 5", "OK"],
  ["LRANGE a 0 -1", ["1", "2", "3", "4", "5", "6"]],
  ["LTRIM a -4 -2", "OK"],
  ["LRANGE a 0 -1", ["3", "4", "5"]],
  ["LTRIM a x 1", NOT_AN_INTEGER],
  ["LTRIM a 3 9", "OK"],
  ["EXISTS a", 0],
  ["RPUSH a 0 1", 2],
  ["LTRIM a 1 0", "OK"],
  ["EXISTS a", 0],
  ["SET s x", "OK"],
  ["LTRIM s 0 1", WRONG_TYPE],
]);

listSuite("LREM removes from either end", [
  ["LREM a 0 x", 0],
  ["RPUSH a x 1 x 2 x 3 x", 7],
  ["LREM a 1 x", 1],
  ["LREM a -2 x", 2],
  ["LRANGE a 0 -1", ["1", "x", "2", "3"]],
  ["LREM a 0 y", 0],
  ["LREM a -5 x", 1],
  ["LREM a 0 2", 1],
  ["LREM a x x", NOT_AN_INTEGER],
  [`LREM a ${INT64_MIN} x`, NOT_SYMMETRIC],
  ["RPUSH a 1 1", 4],
  [`LREM a -${INT64_MAX} 1`, 3],
  ["LREM a 0 3", 1],
  ["EXISTS a", 0],
  ["SET s x", "OK"],
  ["LREM s x x", NOT_AN_INTEGER],
  ["LREM s 0 x", WRONG_TYPE],
]);

listSuite("LPOS finds by rank, count and length", [
  ["LPOS a x", null],
  ["LPOS a x COUNT 1", []],
  ["RPUSH a a b c 1 2 3 c c", 8],
  ["LPOS a c", 2],
  ["LPOS a 3", 5],
  ["LPOS a z", null],
  ["LPOS a c RANK 2", 6],
  ["LPOS a c RANK 4", null],
  ["LPOS a c RANK -1", 7],
  ["LPOS a c RANK -3", 2],
  ["LPOS a c COUNT 2", [2, 6]],
  ["LPOS a c COUNT 0", [2, 6, 7]],
  ["LPOS a c COUNT 0 RANK 2", [6, 7]],
  ["LPOS a c RANK -1 COUNT 2", [7, 6]],
  ["LPOS a c RANK -4 COUNT 2", []],
  ["LPOS a c COUNT 0 MAXLEN 7", [2, 6]],
  ["LPOS a c MAXLEN 2", null],
  ["LPOS a c RANK -1 COUNT 0 MAXLEN 1", [7]],
  ["LPOS a c COUNT 5 COUNT 1 rank 1", [2]],
  [`LPOS a c COUNT ${INT64_MAX} MAXLEN ${INT64_MAX}`, [2, 6, 7]],
  [
    "LPOS a c RANK 0",
    "-ERR RANK can't be zero: use 1 to start from the first match, 2 from " +
    "the second ... or use negative to start from the end of the list",
  ],
  [`LPOS a c RANK ${INT64_MIN}`, NOT_SYMMETRIC],
  ["LPOS a c RANK x", NOT_AN_INTEGER],
  ["LPOS a c COUNT -1", "-ERR COUNT can't be negative"],
  ["LPOS a c COUNT x", "-ERR COUNT can't be negative"],
  ["LPOS a c MAXLEN -1", "-ERR MAXLEN can't be negative"],
  ["LPOS a c MAXLEN", SYNTAX],
  ["LPOS a c WHAT 1", SYNTAX],
  ["SET s x", "OK"],
  ["LPOS s x WHAT 1", SYNTAX],
  ["LPOS s x", WRONG_TYPE],
]);

listSuite("LMOVE and RPOPLPUSH move between lists of any shards", [
  [`LMOVE ${T} ${U} LEFT RIGHT`, null],
  [`RPOPLPUSH ${T} ${U}`, null],
  [`RPUSH ${T} 1 2 3 four 5`, 5],
  [`LMOVE ${T} ${U} LEFT RIGHT`, "1"],
  [`LMOVE ${T} ${U} right left`, "5"],
  [`RPOPLPUSH ${T} ${U}`, "four"],
  [`LRANGE ${T} 0 -1`, ["2", "3"]],
  [`LRANGE ${U} 0 -1`, ["four", "5", "1"]],
  [`LMOVE ${U} ${U} LEFT RIGHT`, "four"],
  [`LMOVE ${U} ${U} RIGHT RIGHT`, "four"],
  [`LMOVE ${U} ${U} LEFT LEFT`, "5"],
  [`LRANGE ${U} 0 -1`, ["5", "1", "four"]],
  [`RPOPLPUSH ${U} ${U}`, "four"],
  [`LRANGE ${U} 0 -1`, ["four", "5", "1"]],
  [`RPOPLPUSH ${T} ${V}`, "3"],
  [`RPOPLPUSH ${T} ${V}`, "2"],
  [`EXISTS ${T}`, 0],
  [`LRANGE ${V} 0 -1`, ["2", "3"]],
  [`RPUSH ${T} only`, 1],
  [`RPOPLPUSH ${T} ${T}`, "only"],
  [`LRANGE ${T} 0 -1`, ["only"]],
  [`SET ${V}s x`, "OK"],
  [`LMOVE ${T} ${V}s LEFT LEFT`, WRONG_TYPE],
  [`LMOVE ${V}s ${T} LEFT LEFT`, WRONG_TYPE],
  [`LMOVE ${V}s ${T} MIDDLE LEFT`, SYNTAX],
  [`LMOVE ${T} ${U} LEFT MIDDLE`, SYNTAX],
  [`LMOVE missing ${V}s LEFT LEFT`, null],
  [`LRANGE ${T} 0 -1`, ["only"]],
]);

listSuite("LMPOP takes from the first list that is there", [
  [`LMPOP 2 ${T} ${U} LEFT`, null],
  [`RPUSH ${U} 1 2 3 4`, 4],
  [`RPUSH ${V} a b`, 2],
  [`LMPOP 3 ${T} ${U} ${V} LEFT`, [U!, ["1"]]],
  [`LMPOP 3 ${T} ${U} ${V} RIGHT COUNT 2`, [U!, ["4", "3"]]],
  [`LMPOP 3 ${V} ${U} ${T} LEFT COUNT ${INT64_MAX}`, [V!, ["a", "b"]]],
  [`EXISTS ${V}`, 0],
  [`LMPOP 1 ${U} RIGHT count 5`, [U!, ["2"]]],
  [`EXISTS ${U}`, 0],
  [`LMPOP 0 ${U} LEFT`, "-ERR numkeys should be greater than 0"],
  [`LMPOP x ${U} LEFT`, "-ERR numkeys should be greater than 0"],
  [`LMPOP 2 ${U} LEFT`, SYNTAX],
  [`LMPOP 1 ${U} MIDDLE`, SYNTAX],
  [`LMPOP 1 ${U} LEFT COUNT 0`, "-ERR count should be greater than 0"],
  [`LMPOP 1 ${U} LEFT COUNT x`, "-ERR count should be greater than 0"],
  [`LMPOP 1 ${U} LEFT COUNT 1 COUNT 1`, SYNTAX],
  [`LMPOP 1 ${U} LEFT COUNT`, SYNTAX],
  [`LMPOP 1 ${U} LEFT LIMIT 1`, SYNTAX],
  [`SET ${V} x`, "OK"],
  [`LMPOP 2 ${T} ${V} LEFT`, WRONG_TYPE],
]);

listSuite("changes of a list keep its expire", [
  ["RPUSH a 1 2 3 4 5 6", 6],
  [`EXPIREAT a ${FUTURE_S}`, 1],
  ["LPUSH a 0", 7],
  ["LPOP a", "0"],
  ["LSET a 0 x", "OK"],
  ["LTRIM a 0 3", "OK"],
  ["LREM a 0 x", 1],
  ["LINSERT a AFTER 2 y", 4],
  ["RPOPLPUSH a a", "4"],
  ["EXPIRETIME a", FUTURE_S],
  ["LPOP a 9", ["4", "2", "y", "3"]],
  ["RPUSH a 1", 1],
  ["EXPIRETIME a", -1],
]);

commandSuite("OBJECT ENCODING of lists", async ({ client }) => {
  const long = "x".repeat(4080);
  await expectReplies(client, [
    ["CONFIG SET list-max-listpack-size 3", "OK"],
    ["RPUSH a 1 2 3", 3],
    ["OBJECT ENCODING a", "listpack"],
    ["LPUSH a 0", 4],
    ["OBJECT ENCODING a", "quicklist"],
    ["LTRIM a 0 0", "OK"],
    ["OBJECT ENCODING a", "listpack"],
    ["CONFIG SET list-max-listpack-size -2", "OK"],
    [["RPUSH", "b", long, long], 2],
    ["OBJECT ENCODING b", "listpack"],
    [["RPUSH", "b", "x".repeat(20)], 3],
    ["OBJECT ENCODING b", "quicklist"],
    ["LPOP b", long],
    ["OBJECT ENCODING b", "quicklist"],
    ["LSET b 0 x", "OK"],
    ["LPOP b", "x"],
    ["OBJECT ENCODING b", "listpack"],
    [["RPUSH", "c", "x".repeat(9000)], 1],
    ["OBJECT ENCODING c", "quicklist"],
    ["CONFIG SET list-max-listpack-size -5", "OK"],
    [["RPUSH", "d", "x".repeat(60_000)], 1],
    ["OBJECT ENCODING d", "listpack"],
    ["CONFIG SET list-max-listpack-size -2", "OK"],
  ]);
});

const COUNT = 30_000;

/** Makes a list of elements `0` to `COUNT - 1`. */
async function fill(client: TestClient, key: string): Promise<void> {
  const step = 1000;
  for (let i = 0; i < COUNT; i += step) {
    const elements = Array.from({ length: step }, (_, j) => `${i + j}`);
    await ask(client, ["RPUSH", key, ...elements]);
  }
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `${from + i}`);
}

commandSuite("long lists are read and popped in pieces", async ({ client }) => {
  await fill(client, "a");
  await expectReplies(client, [
    ["LRANGE a 0 -1", numbers(0, COUNT)],
    ["LRANGE a 1000 25000", numbers(1000, 25_001)],
    [`LINDEX a ${COUNT / 2}`, `${COUNT / 2}`],
    ["LPOP a 5000", numbers(0, 5000)],
    ["RPOP a 5000", numbers(COUNT - 5000, COUNT).reverse()],
    ["LRANGE a 0 -1", numbers(5000, COUNT - 5000)],
    ["LMPOP 1 a LEFT COUNT 3000", ["a", numbers(5000, 8000)]],
    ["LTRIM a 2000 -2001", "OK"],
    ["LRANGE a 0 -1", numbers(10_000, COUNT - 7000)],
    ["RPOP a 99999", numbers(10_000, COUNT - 7000).reverse()],
    ["EXISTS a", 0],
  ]);
});

commandSuite("a long reply shows the list as it was", async (context) => {
  using other = await context.server.client();
  const { client } = context;
  await fill(client, "a");
  const reading = client.pipeline([
    ["LRANGE", "a", "0", "-1"],
    ["LLEN", "a"],
  ]);
  for (let i = 0; i < 20; i++) {
    await ask(other, "LPOP a 100");
    await ask(other, "RPUSH a new");
  }
  await ask(other, "DEL a");
  const [range] = await reading;
  assert(range!.type === "array");
  const length = range!.value.length;
  assert(length >= COUNT - 2000 && length <= COUNT, `${length} elements`);
});

commandSuite("lists hold elements of every length", async ({ client }) => {
  const random = new Random(1);
  const expected: string[] = [];
  for (const near of [0, 12, 63, 127, 4095, 8180, 16_380, 70_000, 300_000]) {
    for (const length of [near - 1, near, near + 1]) {
      if (length < 0) continue;
      const value = random.binary(length);
      expected.push(value);
      assertEquals(await ask(client, ["RPUSH", "a", value]), expected.length);
    }
  }
  await expectReplies(client, [
    ["LRANGE a 0 -1", expected],
    ["LRANGE a 5 9", expected.slice(5, 10)],
    [["LPOS", "a", expected.at(-2)!], expected.length - 2],
    [["LREM", "a", "0", expected.at(-5)!], 1],
    [["LINSERT", "a", "AFTER", expected[3]!, expected[20]!], expected.length],
    ["LINDEX a 4", expected[20]!],
    ["COPY a b", 1],
    ["RPOP a", expected.at(-1)!],
    ["RPOPLPUSH a c", expected.at(-2)!],
    ["LLEN b", expected.length],
  ]);
});
