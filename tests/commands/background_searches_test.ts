/**
 * Searches in the background, and draws of many elements: of lists, and of sorted
 * sets of places.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Plain, plain, type TestClient } from "../_resp_client.ts";
import {
  A,
  B,
  C,
  contents,
  COUNT,
  D,
  runCounted,
  runInline,
  suite,
} from "./_background.ts";
import { heard } from "./_heard.ts";

const PLACES = `{${A}}places`;
const NUMBERS = `{${B}}numbers`;
const HASH = `{${B}}hash`;
const SET = `{${C}}set`;
const TARGET = `{${D}}target`;
const STREAM = `{${D}}stream`;
/** A stream of many groups, of which one has many consumers. */
const CROWD = `{${A}}crowd`;
const ELEMENTS = 2500;
/** A list of long elements. */
const LONGS = `{${C}}longs`;
const LONG_ELEMENTS = 100;
const long = (i: number) => "l".repeat(9000) + String(1000 + i);

/** Places in a spiral around 15, 45. */
async function fillPlaces(client: TestClient): Promise<void> {
  const places = Array.from({ length: COUNT }, (_, i) => {
    const [x, y] = [Math.cos(i) * i / 200, Math.sin(i) * i / 200];
    return [String(15 + x), String(45 + y), `place:${i}`];
  });
  await client.run("GEOADD", PLACES, ...places.flat());
}

async function fill(client: TestClient): Promise<void> {
  await fillPlaces(client);
  const numbers = Array.from({ length: ELEMENTS }, (_, i) => `n:${i % 1250}`);
  const replies = await client.pipeline([
    ["RPUSH", NUMBERS, ...numbers],
    ["SADD", SET, ...numbers],
    [
      "RPUSH",
      LONGS,
      ...Array.from({ length: LONG_ELEMENTS }, (_, i) => long(i)),
    ],
    ["HSET", HASH, ...numbers.flatMap((number, i) => [number, `${i}`])],
  ]);
  assert(replies.every(({ type }) => type !== "error"));
}

const FROM = ["FROMLONLAT", "15", "45"];
const ALL = ["BYRADIUS", "2000", "km"];

/** Searches, and whether they take long. */
const READS: readonly (readonly [isLong: boolean, argv: string[]])[] = [
  [true, ["GEOSEARCH", PLACES, ...FROM, ...ALL, "ASC"]],
  [true, ["GEOSEARCH", PLACES, ...FROM, ...ALL, "WITHDIST", "WITHHASH"]],
  [true, ["GEOSEARCH", PLACES, ...FROM, ...ALL, "WITHCOORD", "DESC"]],
  [true, ["GEOSEARCH", PLACES, ...FROM, "BYBOX", "900", "800", "km"]],
  [true, ["GEOSEARCH", PLACES, ...FROM, ...ALL, "COUNT", "3"]],
  [true, ["GEOSEARCH", PLACES, ...FROM, ...ALL, "COUNT", "3", "ANY"]],
  [true, ["GEOSEARCH", PLACES, "FROMMEMBER", "place:0", ...ALL, "ASC"]],
  [false, ["GEOSEARCH", PLACES, ...FROM, "BYRADIUS", "1", "m"]],
  [false, ["GEOSEARCH", PLACES, "FROMMEMBER", "nobody", ...ALL]],
  [false, ["GEOSEARCH", PLACES, ...FROM, ...ALL, "COUNT", "0"]],
  [false, ["GEOSEARCH", PLACES, "FROMLONLAT", "x", "45", ...ALL]],
  [false, ["GEOSEARCH", NUMBERS, ...FROM, ...ALL]],
  [true, ["GEORADIUS", PLACES, "15", "45", "900", "km", "WITHDIST"]],
  [true, ["GEORADIUS_RO", PLACES, "15", "45", "900", "km", "DESC"]],
  [false, ["GEORADIUS", PLACES, "0", "45", "9", "km"]],
  [true, ["GEORADIUSBYMEMBER", PLACES, "place:3", "900", "km"]],
  [true, ["GEORADIUSBYMEMBER_RO", PLACES, "place:3", "900", "km", "ASC"]],
  [true, ["LPOS", NUMBERS, "n:1249"]],
  [true, ["LPOS", NUMBERS, "nothing"]],
  [true, ["LPOS", NUMBERS, "nothing", "COUNT", "0"]],
  [true, ["LPOS", NUMBERS, "n:7", "COUNT", "0"]],
  [true, ["LPOS", NUMBERS, "n:7", "RANK", "-2"]],
  [true, ["LPOS", NUMBERS, "n:7", "RANK", "3"]],
  [true, ["LPOS", NUMBERS, "nothing", "MAXLEN", "101"]],
  [false, ["LPOS", NUMBERS, "n:7"]],
  [false, ["LPOS", NUMBERS, "n:1249", "RANK", "-1"]],
  [false, ["LPOS", NUMBERS, "n:1249", "MAXLEN", "100"]],
  [false, ["LPOS", NUMBERS, "n:7", "RANK", "0"]],
  [false, ["LPOS", LONGS, long(30)]],
  [true, ["LPOS", LONGS, long(80)]],
  [true, ["LPOS", LONGS, long(30), "RANK", "-1"]],
  [false, ["LPOS", LONGS, long(80), "RANK", "-1"]],
  [false, ["LPOS", LONGS, long(80), "MAXLEN", "50"]],
  [true, ["LPOS", LONGS, long(80), "MAXLEN", "90", "COUNT", "0"]],
  [false, ["LPOS", LONGS, long(80), "COUNT", "x"]],
  [false, ["LPOS", LONGS, "nothing", "MAXLEN", "90"]],
  [false, ["LPOS", SET, "n:7"]],
];

suite("searches reply what they reply in place", async (client) => {
  await fill(client);
  for (const [isLong, argv] of READS) {
    const text = argv.map((argument) => argument.slice(-40)).join(" ");
    const [reply, count] = await runCounted(client, ...argv);
    assertEquals(count, Number(isLong), text);
    assertEquals(reply, await runInline(client, ...argv), text);
  }
});

/** Looks at all elements of a value that others look at bit by bit. */
const LOOKS: readonly (readonly [isLong: boolean, argv: string[]])[] = [
  [true, ["HSCAN", HASH, "0", "COUNT", "1000"]],
  [true, ["HSCAN", HASH, "0", "MATCH", "n:1*", "COUNT", "500", "NOVALUES"]],
  [true, ["SSCAN", SET, "0", "COUNT", "1000"]],
  [true, ["ZSCAN", PLACES, "0", "COUNT", "101", "MATCH", "*7*"]],
  [true, ["ZSCAN", PLACES, "0", "COUNT", "101", "NONSENSE"]],
  [false, ["SSCAN", SET, "0"]],
  [true, ["SSCAN", SET, "0", "COUNT", "60"]],
  [false, ["SSCAN", SET, "0", "COUNT", "45"]],
  [true, ["XPENDING", STREAM, "group", "-", "+", "1000"]],
  [true, ["XPENDING", STREAM, "group", "-", "+", "1000", "bob"]],
  [true, ["XPENDING", STREAM, "group", "IDLE", "999999", "-", "+", "5"]],
  [false, ["XPENDING", STREAM, "group", "-", "+", "10"]],
  [false, ["XPENDING", STREAM, "group"]],
  [false, ["XPENDING", STREAM, "nobody", "-", "+", "1000"]],
  [true, ["XINFO", "STREAM", STREAM, "FULL", "COUNT", "0"]],
  [true, ["XINFO", "STREAM", STREAM, "FULL", "COUNT", "150"]],
  [true, ["XINFO", "STREAM", STREAM, "FULL"]],
  [false, ["XINFO", "STREAM", STREAM, "FULL", "COUNT", "1"]],
  [false, ["XINFO", "GROUPS", STREAM]],
  [false, ["XINFO", "CONSUMERS", STREAM, "group"]],
  [true, ["XINFO", "STREAM", CROWD, "FULL", "COUNT", "1"]],
  [true, ["XINFO", "GROUPS", CROWD]],
  [true, ["XINFO", "CONSUMERS", CROWD, "g1"]],
  [false, ["XINFO", "CONSUMERS", CROWD, "g2"]],
  [false, ["XINFO", "CONSUMERS", CROWD, "nobody"]],
  [false, ["XINFO", "GROUPS", HASH]],
  [false, ["XINFO", "CONSUMERS", HASH, "g1"]],
  [false, ["XINFO", "STREAM", HASH, "FULL"]],
  [true, ["MEMORY", "USAGE", HASH, "SAMPLES", "0"]],
  [true, ["MEMORY", "USAGE", PLACES, "SAMPLES", "1000"]],
  [false, ["MEMORY", "USAGE", HASH]],
];

suite("long looks reply what they reply in place", async (client) => {
  await fill(client);
  await client.pipeline([
    ...Array.from({ length: COUNT }, (_, i) => [
      ...["XADD", STREAM, `${i + 1}`, "f", `${i}`],
    ]),
    ["XGROUP", "CREATE", STREAM, "group", "0"],
    ["XREADGROUP", "GROUP", "group", "bob", "STREAMS", STREAM, ">"],
    ["XADD", CROWD, "1", "f", "v"],
    ...Array.from({ length: 9 }, (_, i) => [
      ...["XGROUP", "CREATE", CROWD, `g${i}`, "0"],
    ]),
    ...Array.from({ length: 9 }, (_, i) => [
      ...["XGROUP", "CREATECONSUMER", CROWD, "g1", `c${i}`],
    ]),
  ]);
  for (const [isLong, argv] of LOOKS) {
    const text = argv.join(" ");
    const [reply, count] = await runCounted(client, ...argv);
    assertEquals(count, Number(isLong), text);
    const inPlace = await runInline(client, ...argv);
    assertEquals(withoutTimes(reply), withoutTimes(inPlace), text);
  }
});

/** A reply without times that go on: those of pending entries. */
function withoutTimes(reply: Plain): string {
  const seen = JSON.stringify(
    reply,
    (_, value) => value instanceof Map ? [...value] : value,
  );
  return seen.replace(/("bob",|"idle",|"inactive",)\d+/g, "$1").replace(
    /\d{13}/g,
    "",
  );
}

suite("arguments and keys that stream into the arena", async (client) => {
  await fill(client);
  const long = "x".repeat(100_000);
  const key = `{${A}}${long}`;
  await client.run("RPUSH", NUMBERS, long);
  const search = ["LPOS", NUMBERS, long, "COUNT", "0"];
  assertEquals(await runCounted(client, ...search), [[ELEMENTS], 1]);
  const nowhere = ["LPOS", NUMBERS, `${long}y`];
  assertEquals(await runCounted(client, ...nowhere), [null, 1]);
  await client.run("COPY", SET, key);
  assertEquals(await runCounted(client, "COPY", key, TARGET), [1, 1]);
  assertEquals(plain(await client.run("SCARD", TARGET)), ELEMENTS / 2);
});

suite("ZRANGESTORE of a short range is run in place", async (client) => {
  await fillPlaces(client);
  const store = ["ZRANGESTORE", TARGET, PLACES];
  assertEquals(await runCounted(client, ...store, "0", "24"), [25, 0]);
  assertEquals(await runCounted(client, ...store, "0", "25"), [26, 1]);
  assertEquals(await runCounted(client, ...store, "5", "1"), [0, 0]);
  const [error] = await runCounted(client, ...store, "(x", "1", "BYSCORE");
  assert(error instanceof Error);
});

const STORES: readonly (readonly string[])[] = [
  ["GEOSEARCHSTORE", TARGET, PLACES, ...FROM, ...ALL],
  ["GEOSEARCHSTORE", TARGET, PLACES, ...FROM, ...ALL, "COUNT", "5"],
  ["GEOSEARCHSTORE", TARGET, PLACES, ...FROM, ...ALL, "STOREDIST"],
  ["GEOSEARCHSTORE", PLACES, PLACES, ...FROM, "BYRADIUS", "150", "km"],
  ["GEORADIUS", PLACES, "15", "45", "900", "km", "STORE", TARGET],
  ["GEORADIUS", PLACES, "15", "45", "900", "mi", "STOREDIST", TARGET],
  ["GEORADIUSBYMEMBER", PLACES, "place:3", "900", "km", "STORE", TARGET],
  ["GEORADIUSBYMEMBER", PLACES, "place:3", "900", "km", "STORE", PLACES],
];

suite("places are stored as they are in place", async (client, server) => {
  for (const argv of STORES) {
    const outcomes: Plain[][] = [];
    for (const isInline of [false, true]) {
      await client.run("FLUSHALL");
      await fillPlaces(client);
      await client.run("SET", TARGET, "before");
      let reply: Plain = null;
      const events = await heard(server, client, async () => {
        if (isInline) reply = await runInline(client, ...argv);
        else {
          const [answer, count] = await runCounted(client, ...argv);
          assertEquals(count, 1, argv.join(" "));
          reply = answer;
        }
      });
      outcomes.push([reply, events, await contents(client)]);
    }
    assertEquals(outcomes[0], outcomes[1], argv.join(" "));
  }
});

suite("a scan meets no more elements than it was asked to", async (client) => {
  await fill(client);
  for (const [command, key] of [["SSCAN", SET], ["HSCAN", HASH]] as const) {
    const found = new Set<string>();
    let [cursor, steps] = ["0", 0];
    do {
      const argv = [command, key, cursor, "MATCH", "n:12?", "COUNT", "20"];
      const [next, items] = plain(await client.run(...argv)) as [
        string,
        string[],
      ];
      for (const item of items) if (item.startsWith("n:")) found.add(item);
      cursor = next;
      steps++;
    } while (cursor !== "0");
    assertEquals(found.size, 10, command);
    // A position has some seven elements, or more.
    assert(steps > 10, `${command}: ${steps}`);
  }
});

suite("many elements are drawn in the background", async (client) => {
  await fill(client);
  const draws: [isLong: boolean, key: string, argv: string[]][] = [
    [true, SET, ["SRANDMEMBER", SET, "150"]],
    [false, SET, ["SRANDMEMBER", SET, "20"]],
    [false, SET, ["SRANDMEMBER", SET, "-150"]],
    [false, SET, ["SRANDMEMBER", SET, "5000"]],
    [false, SET, ["SRANDMEMBER", SET]],
    [true, PLACES, ["ZRANDMEMBER", PLACES, "150"]],
    [false, PLACES, ["ZRANDMEMBER", PLACES, "20"]],
    [false, PLACES, ["ZRANDMEMBER", PLACES, "-150"]],
    [false, HASH, ["HRANDFIELD", HASH, "150"]],
    [false, HASH, ["HRANDFIELD", HASH, "-150"]],
    [false, HASH, ["HRANDFIELD", HASH, "800"]],
    [false, HASH, ["HRANDFIELD", HASH, "-800"]],
  ];
  for (const [isLong, key, argv] of draws) {
    const [reply, count] = await runCounted(client, ...argv);
    assertEquals(count, Number(isLong), argv.join(" "));
    const drawn = argv.length === 2 ? [reply] : reply as Plain[];
    const size = Math.abs(Number(argv[2] ?? 1));
    assertEquals(drawn.length, Math.min(size, 1250));
    if (Number(argv[2] ?? 1) > 0) {
      assertEquals(new Set(drawn).size, drawn.length);
    }
    const member = String(drawn[drawn.length >> 1]);
    const ask = key === SET ? "SISMEMBER" : key === HASH ? "HEXISTS" : "ZSCORE";
    const there = plain(await client.run(ask, key, member));
    assert(there !== null && there !== 0, argv.join(" "));
  }
  const scored = await client.run("ZRANDMEMBER", PLACES, "150", "WITHSCORES");
  assertEquals((plain(scored) as Plain[]).flat().length, 300);
});

suite(
  "fields of a large hash are drawn while the peer takes them",
  async (client) => {
    const all = Array.from({ length: 5000 }, (_, i) => `f${i}`);
    await client.run(
      "HSET",
      HASH,
      ...all.flatMap((name) => [name, `v${name}`]),
    );
    const argv = ["HRANDFIELD", HASH, "1000", "WITHVALUES"];
    const found: Plain[] = [];
    for (const resp of ["2", "3"]) {
      await client.run("HELLO", resp);
      found.push(
        ...(await client.pipeline([
          argv,
          ["HDEL", HASH, "f0"],
          ["MULTI"],
          argv,
          [
            "EXEC",
          ],
        ])).map(plain),
      );
    }
    for (const reply of [found[0], (found[4] as Plain[])[0], found[5]]) {
      const words = (reply as Plain[]).flat() as string[];
      const names = words.filter((_, i) => i % 2 === 0);
      assertEquals(new Set(names).size, 1000);
      assert(names.every((name, i) => words[2 * i + 1] === `v${name}`));
      assert(names.every((name) => /^f\d+$/.test(name)));
    }
  },
);

suite(
  "a search goes on while its target is overwritten",
  async (client, server) => {
    await fill(client);
    using other = await server.client();
    for (let round = 0; round < 10; round++) {
      const search = ["GEOSEARCHSTORE", TARGET, PLACES, ...FROM, ...ALL];
      const [stored, set] = await Promise.all([
        client.pipeline([search, ["TYPE", TARGET]]),
        other.run("SET", TARGET, "other"),
      ]);
      assertEquals(plain(stored[0]!), COUNT);
      assertEquals(plain(set), "OK");
      const type = plain(await client.run("TYPE", TARGET));
      assert(type === "zset" || type === "string");
      // A client that does not wait for its reply.
      using leaver = await server.client();
      await leaver.sendCommands([search, ["LPOS", NUMBERS, "nothing"]]);
    }
  },
);
