/**
 * SORT with patterns that ask hashes for very many fields, or for long ones, and of
 * few elements that long values belong to: it is done in slices, and answers and
 * stores what it does in a transaction, where it is done at once.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { until } from "../_patience.ts";
import { type Plain, plain, type TestClient } from "../_resp_client.ts";
import { runInline } from "./_background.ts";
import { heard } from "./_heard.ts";
import { during, slicesSuite, statistic } from "./_slices.ts";

const COUNT = 60;
const TAGS = tagsOnDistinctSlots(6);
/** Fields of a hash that takes long to copy. */
const MANY_FIELDS = 3000;
/** Fields that are asked for. */
const ASKED = 40;
const LONG_FIELD = "y".repeat(70_000);

const { suite } = slicesSuite({
  runs: [[2, 3], [3, 2]],
  more: ["--background-threshold-keys", "50"],
});

const sliced = (client: TestClient) =>
  statistic(client, "sherd_sliced_commands");

/** Element `i`, whose keys are in one shard. */
const element = (i: number) => `{${TAGS[i % TAGS.length]}}${i}`;
const ELEMENTS = Array.from({ length: COUNT }, (_, i) => element(i));
const hash = (i: number) => `h_${element(i)}`;

const pairs = (count: number, version: string) =>
  Array.from({ length: count }, (_, f) => [`f${f}`, `${version}${f}`]).flat();

/** Hashes of all elements, packed, in tables, and in large ones. */
async function fill(client: TestClient): Promise<void> {
  await client.pipeline([
    ["FLUSHALL"],
    ["RPUSH", "list", ...ELEMENTS, ...ELEMENTS],
    ...ELEMENTS.map((_, i) => {
      const fields = i % 6 === 0 ? MANY_FIELDS : i % 3 === 0 ? 300 : 30;
      return ["HSET", hash(i), ...pairs(fields, `${i} `)];
    }),
    ...ELEMENTS.flatMap((_, i) =>
      i % 4 === 0 ? [["HSET", hash(i), LONG_FIELD, `long ${i}`]] : []
    ),
    ["HPEXPIRE", hash(1), "1", "FIELDS", "1", "f1"],
  ]);
  await until(
    "what expires has expired",
    async () => plain(await client.run("HLEN", hash(1))) === 29,
  );
}

/** GET, and a pattern, of many different fields and of a long one. */
const GETS = [
  ...Array.from({ length: ASKED }, (_, f) => ["GET", `h_*->f${f * 7}`]).flat(),
  ...["GET", `h_*->${LONG_FIELD}`, "GET", "h_*"],
];

suite("SORT asks for very many fields, and a long one", async (client) => {
  await fill(client);
  for (
    const argv of [
      ["SORT", "list", "BY", "nosort", ...GETS],
      ["SORT", "list", "BY", "h_*->f5", "ALPHA", "DESC", ...GETS],
      ["SORT", "list", "BY", `h_*->${LONG_FIELD}`, "ALPHA", ...GETS],
      ["SORT", "list", "BY", "nosort", ...GETS, "STORE", "{x}stored"],
    ]
  ) {
    const before = await sliced(client);
    const reply = plain(await client.run(...argv));
    assertEquals(await sliced(client) - before, 1);
    const stored = await client.run("LRANGE", "{x}stored", "0", "-1");
    assertEquals(reply, await runInline(client, ...argv));
    const again = await client.run("LRANGE", "{x}stored", "0", "-1");
    assertEquals(stored, again);
  }
});

suite(
  "SORT of very many fields sees no change since it began",
  async (client, server) => {
    const argv = ["SORT", "list", "BY", "nosort", ...GETS];
    const changes = ELEMENTS.flatMap((name, i): string[][] => {
      const key = hash(i);
      switch (i % 12) {
        case 0:
          return [["HSET", key, "f0", "new", "f7", "new"], [
            "HDEL",
            key,
            "f14",
          ]];
        case 1:
          return [["HSET", key, "f0", "new"], ["HSET", key, "f7", "newer"]];
        case 2:
          return [["DEL", key], ["HSET", key, "f0", "new"]];
        case 3:
          return [["HINCRBY", key, "n", "1"], ["HDEL", key, "f0", "f7"]];
        case 4:
          return [["RENAME", key, `x_${name}`], [
            "HSET",
            `x_${name}`,
            "f0",
            "new",
          ]];
        case 5:
          return [["SET", key, "string"]];
        case 6:
          return [["UNLINK", key]];
        case 7:
          return [["MULTI"], ["HDEL", key, "f0"], ["DEL", key], ["EXEC"]];
        case 8:
          return [["HPEXPIRE", key, "1", "FIELDS", "2", "f0", "f7"], [
            "HGET",
            key,
            "f0",
          ]];
        case 9:
          return [["HSETNX", key, "f0", "no"], ["PEXPIRE", key, "1"]];
        case 10:
          return [["COPY", hash(11), key, "REPLACE"], ["HDEL", key, "f0"]];
        default:
          return [["HGETDEL", key, "FIELDS", "1", "f7"]];
      }
    });
    await until("all changes came while it was sorted", async () => {
      await fill(client);
      const expected = await runInline(client, ...argv);
      const change = () => client.pipeline(changes);
      const [reply, isCaught] = await during(server, client, argv, change);
      assertEquals(reply, expected);
      const after = await runInline(client, ...argv);
      assert(JSON.stringify(after) !== JSON.stringify(expected));
      return isCaught;
    });
    // Hashes that were kept are as those who changed them have left them.
    const left: [number, string][] = [[0, "f0"], [12, "f14"], [1, "f7"]];
    for (const [i, field] of left) {
      const value = plain(await client.run("HGET", hash(i), field));
      assertEquals(value, i === 12 ? null : i === 0 ? "new" : "newer");
    }
  },
);

suite("DEL of many hashes while SORT has them", async (client, server) => {
  const argv = ["SORT", "list", "BY", "nosort", ...GETS];
  await until("DEL came while it was sorted", async () => {
    await fill(client);
    const expected = await runInline(client, ...argv);
    const remove = () => client.run("DEL", ...ELEMENTS.map((_, i) => hash(i)));
    const [reply, isCaught] = await during(server, client, argv, remove);
    assertEquals(reply, expected);
    assertEquals(plain(await client.run("EXISTS", hash(0), hash(1))), 0);
    return isCaught;
  });
});

/** Values of few elements, which take long to read, to compare or to copy. */
async function fillLong(client: TestClient): Promise<void> {
  const long = (text: string, i: number) => text.repeat(70_000) + i;
  const few = ELEMENTS.slice(0, 6);
  await client.pipeline([
    ["RPUSH", "few", ...few, "none"],
    ...few.flatMap((name, i) => [
      ["SET", `n_${name}`, long("0", 9 - i)],
      ["SET", `t_${name}`, long("x", i * 3 % 5)],
      ["SET", `s_${name}`, "s".repeat(60_000)],
      ["HSET", `h_${name}`, "n", long("0", i % 4), "t", long("y", i)],
    ]),
  ]);
}

suite("SORT of few elements with long values", async (client, server) => {
  await fillLong(client);
  for (
    const [options, isSliced] of [
      ["BY n_* GET #", 1],
      ["BY h_*->n GET # GET none_*", 1],
      ["BY t_* ALPHA DESC GET t_* GET h_*->t", 1],
      ["BY h_*->t ALPHA LIMIT 1 3", 1],
      ["BY nosort GET s_* GET s_* GET none_*", 1],
      ["BY nosort GET t_* GET none_*", 0],
      ["BY nosort GET t_* GET none_* STORE {x}stored", 1],
      ["BY t_* ALPHA GET h_*->t GET # STORE {x}stored", 1],
      ["BY t_* GET #", 1],
    ] as const
  ) {
    const argv = ["SORT", "few", ...options.split(" ")];
    const told: Plain[] = [];
    for (const isAtOnce of [false, true]) {
      const before = await sliced(client);
      const lookups = async () => [
        await statistic(client, "keyspace_hits"),
        await statistic(client, "keyspace_misses"),
      ];
      await client.run("DEL", "{x}stored");
      const [hits, misses] = await lookups();
      const reply = isAtOnce
        ? await runInline(client, ...argv)
        : plain(await client.run(...argv).catch((error) => error));
      const [hitsAfter, missesAfter] = await lookups();
      if (!isAtOnce) {
        assertEquals(await sliced(client) - before, isSliced, options);
      }
      const stored = plain(await client.run("LRANGE", "{x}stored", "0", "-1"));
      told.push([
        ...[String(reply), stored],
        ...[hitsAfter! - hits!, missesAfter! - misses!],
      ]);
    }
    assertEquals(told[0], told[1], options);
    const [, ...rest] = argv;
    const tell = (run: () => Promise<unknown>) =>
      heard(server, client, async () => void await run());
    assertEquals(
      await tell(() => client.run("SORT", ...rest)),
      await tell(() => runInline(client, "SORT", ...rest)),
    );
  }
  const argv = ["SORT", "few", "BY", "nosort", "GET", "t_*", "STORE", "{x}l"];
  await client.run(...argv);
  const list = await client.run("LRANGE", "{x}l", "0", "-1");
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assertEquals(await client.run("LRANGE", "{x}l", "0", "-1"), list);
});
