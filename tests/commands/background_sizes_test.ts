/**
 * Values of few elements that are long, also among more that are not, or of few
 * entries and many pending, are large, too: what is done with them is done in the background. So is a step of a
 * scan through a packed value, which sees all of it.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { TestClient } from "../_resp_client.ts";
import {
  A,
  B,
  C,
  comparable,
  contents,
  D,
  runCounted,
  runInline,
  suite,
} from "./_background.ts";

const LIST = `{${A}}list`;
const SET = `{${B}}set`;
const ZSET = `{${C}}zset`;
const HASH = `{${C}}hash`;
const PACKED = `{${B}}packed`;
const NUMBERS = `{${B}}numbers`;
const SMALL = `{${B}}small`;
const STREAM = `{${D}}stream`;
const ONE_SET = `{${A}}one:set`;
const ONE_HASH = `{${B}}one:hash`;
const ONE_ZSET = `{${C}}one:zset`;
const TARGET = `{${D}}target`;

/** Two of them are more than the threshold allows. */
const long = (i: number) => `${i}`.padEnd(2500, "long");
/** One of them among others is more than that. */
const VERY_LONG = "very long".repeat(9000);
/** More pending entries than there are in the leaves of a small tree. */
const PENDING = 4000;

async function fill(client: TestClient, key: string): Promise<void> {
  if (key === STREAM) return await fillStream(client);
  const longs = [long(1), long(2), long(3)];
  const integers = Array.from({ length: 150 }, (_, i) => `${i}`);
  await client.pipeline([
    ["RPUSH", LIST, ...longs],
    ["SADD", SET, ...longs],
    ["ZADD", ZSET, "1", long(1), "2", long(4), "3", "short"],
    ["HSET", HASH, "f", long(1), "g", long(2), "h", "short"],
    ["HSET", PACKED, ...integers.flatMap((i) => [i, i])],
    ["SADD", NUMBERS, ...integers],
    ["SADD", SMALL, "a", "b"],
  ]);
  const others = integers.slice(0, 30);
  await client.pipeline([
    ["SADD", ONE_SET, ...others, VERY_LONG],
    ["HSET", ONE_HASH, "f", VERY_LONG, ...others.flatMap((i) => [i, i])],
    [
      ...["GEOADD", ONE_ZSET, "30", "30", VERY_LONG],
      ...others.flatMap((i) => ["1", `${i}`, i]),
    ],
  ]);
}

async function fillStream(client: TestClient): Promise<void> {
  await client.pipeline([
    ["XGROUP", "CREATE", STREAM, "group", "0", "MKSTREAM"],
    ...Array.from(
      { length: PENDING },
      (_, i) => ["XADD", STREAM, `${i + 1}`, "", ""],
    ),
    ["XREADGROUP", "GROUP", "group", "name", "STREAMS", STREAM, ">"],
    ["XTRIM", STREAM, "MAXLEN", "2"],
  ]);
}

const COMMANDS: readonly (readonly [isLong: boolean, argv: string[]])[] = [
  [true, ["COPY", LIST, TARGET]],
  [true, ["COPY", SET, TARGET]],
  [true, ["COPY", ZSET, TARGET]],
  [true, ["COPY", HASH, TARGET]],
  [true, ["COPY", STREAM, TARGET]],
  [true, ["DUMP", LIST]],
  [true, ["RENAME", LIST, TARGET]],
  [true, ["SORT", LIST, "ALPHA"]],
  [true, ["SORT_RO", SET, "ALPHA", "DESC"]],
  [true, ["SUNION", SET, SMALL]],
  [true, ["SDIFFSTORE", TARGET, SET, SMALL]],
  [true, ["ZUNION", "2", ZSET, SET]],
  [true, ["ZINTERCARD", "2", ZSET, SET]],
  [true, ["HSCAN", PACKED, "0", "COUNT", "1"]],
  [true, ["SSCAN", NUMBERS, "0", "MATCH", "none"]],
  [true, ["HSCAN", HASH, "0"]],
  [true, ["ZSCAN", ZSET, "0", "COUNT", "100"]],
  [true, ["COPY", ONE_SET, TARGET]],
  [true, ["COPY", ONE_HASH, TARGET]],
  [true, ["COPY", ONE_ZSET, TARGET]],
  [true, ["DUMP", ONE_HASH]],
  [true, ["SUNIONSTORE", TARGET, ONE_SET, SMALL]],
  [true, ["SINTER", ONE_SET, ONE_SET]],
  [true, ["ZUNIONSTORE", TARGET, "2", ONE_ZSET, SMALL]],
  [true, ["ZRANGESTORE", TARGET, ONE_ZSET, "30", "30"]],
  [false, ["ZRANGESTORE", TARGET, ONE_ZSET, "1", "5"]],
  [true, geosearch("30")],
  [false, geosearch("1")],
  [true, georadius("30", "STORE")],
  [true, georadius("30", "STOREDIST")],
  [false, georadius("1", "STORE")],
  [false, ["SSCAN", SMALL, "0"]],
  [false, ["COPY", SMALL, TARGET]],
  [false, ["SORT", SMALL, "ALPHA"]],
  [false, ["SUNION", SMALL, SMALL]],
];

function geosearch(place: string): string[] {
  return [
    ...["GEOSEARCHSTORE", TARGET, ONE_ZSET, "FROMLONLAT", place, place],
    ...["BYRADIUS", "10", "km"],
  ];
}

function georadius(place: string, store: string): string[] {
  return ["GEORADIUS", ONE_ZSET, place, place, "10", "km", store, TARGET];
}

suite("large values of few elements", async (client) => {
  for (const [isLong, argv] of COMMANDS) {
    const outcomes = [];
    for (const isInline of [false, true]) {
      await client.run("FLUSHALL");
      await fill(client, argv[1]!);
      if (isInline) {
        const reply = comparable(argv, await runInline(client, ...argv));
        outcomes.push([reply, await contents(client)]);
      } else {
        const [reply, count] = await runCounted(client, ...argv);
        assertEquals(count, isLong ? 1 : 0, argv.join(" ").slice(0, 40));
        outcomes.push([comparable(argv, reply), await contents(client)]);
      }
    }
    assertEquals(outcomes[0], outcomes[1], argv[0]);
  }
});
