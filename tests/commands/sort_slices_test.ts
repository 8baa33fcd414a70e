/**
 * SORT with patterns of many elements, in slices: what it answers and stores is
 * what it does in a transaction, where it is done at once, and what there was at
 * the instant at which it began, whatever others change meanwhile. The keys lie on
 * all shards. Random calls are compared with redis-server's in
 * ../differential/sort_slices_test.ts.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { until } from "../_patience.ts";
import {
  type Argument,
  type Plain,
  plain,
  ReplyError,
  type TestClient,
} from "../_resp_client.ts";
import { runInline } from "./_background.ts";
import { heard } from "./_heard.ts";
import { Holder } from "./_locks.ts";
import { during, slicesSuite, statistic } from "./_slices.ts";

/** Elements from which on it is done in slices. */
const THRESHOLD = 50;
const COUNT = 240;
const TAGS = tagsOnDistinctSlots(6);
/** A time that never comes. */
const LATE = "9999999999999";
/** Bytes of a string that is sent from where it lies. */
const LONG_BYTES = 70_000;

const { suite } = slicesSuite({
  runs: [[2, 3], [3, 2]],
  more: [
    ...["--background-threshold", String(THRESHOLD)],
    // SORT is to be the only one.
    ...["--background-threshold-keys", "10000"],
  ],
});

const locks = (client: TestClient) => statistic(client, "sherd_lock_handles");
const sliced = (client: TestClient) =>
  statistic(client, "sherd_sliced_commands");

/** Element `i`, whose keys are in one shard. */
const element = (i: number) => `{${TAGS[i % TAGS.length]}}${i}`;
const ELEMENTS = Array.from({ length: COUNT }, (_, i) => element(i));
const NUMBERS = Array.from({ length: COUNT }, (_, i) => String(i * 7 % 251));

/** Makes the keys of all elements, some of them in odd ways. */
async function fill(client: TestClient): Promise<void> {
  const made: string[][] = [
    ["FLUSHALL"],
    ["RPUSH", "list", ...ELEMENTS, element(3), element(3)],
    ["SADD", "set", ...ELEMENTS],
    ["ZADD", "zset", ...ELEMENTS.flatMap((name, i) => [String(i % 9), name])],
    ["RPUSH", "numbers", ...NUMBERS],
    ["SADD", "integers", ...NUMBERS],
    ["RPUSH", "words", ...ELEMENTS.slice(1), "x\0y", ""],
  ];
  ELEMENTS.forEach((name, i) => {
    if (i % 5 !== 0) made.push(["SET", `w_${name}`, String(i * 31 % 97 / 4)]);
    if (i % 7 === 0) made.push(["RPUSH", `v_${name}`, "no string"]);
    else if (i % 7 === 1) made.push(["SET", `v_${name}`, String(i)]);
    else if (i % 40 === 2) {
      made.push(["SET", `v_${name}`, `${i} `.repeat(LONG_BYTES / 3)]);
    } else if (i % 7 < 5) made.push(["SET", `v_${name}`, `value ${i} \xff`]);
    made.push(["HSET", `h_${name}_h`, "f", String(i * 17 % 50), "g", `g${i}`]);
    if (i % 11 === 0) made.push(["HDEL", `h_${name}_h`, "f"]);
  });
  made.push(["SET", `w_${element(8)}`, "1", "PX", "1"]);
  made.push(["HPEXPIRE", `h_${element(9)}_h`, "1", "FIELDS", "1", "f"]);
  const replies = await client.pipeline(made);
  assert(replies.every(({ type }) => type !== "error"));
  await until("what expires has expired", async () => {
    const [ttl, fields] = await client.pipeline([
      ["PTTL", `w_${element(8)}`],
      ["HLEN", `h_${element(9)}_h`],
    ]);
    return plain(ttl!) === -2 && plain(fields!) === 1;
  });
}

const OPTIONS: readonly string[] = [
  "BY w_* GET v_*",
  "BY w_* GET # GET v_* GET h_*_h->g GET w_* DESC",
  "BY w_* LIMIT 10 30 GET v_*",
  "BY w_* LIMIT 200 1000 GET #",
  "BY w_* LIMIT 500 10 GET #",
  "BY w_* DESC",
  "BY h_*_h->f GET h_*_h->f GET h_*_h->none",
  "BY h_*_h->f ALPHA DESC GET h_*_h->g",
  "BY h_*_h->g ALPHA LIMIT 3 40",
  "BY v_* ALPHA GET #",
  "ALPHA GET v_* GET nothing GET w_*->f",
  "ALPHA LIMIT 3 100 DESC GET v_*",
  "BY nosort GET v_* GET #",
  "BY nosort DESC LIMIT 3 90 GET v_*",
  "BY * GET # ALPHA",
  "BY v_*",
  "GET w_*",
];

/** Those for elements without keys, most of them. */
const ODD_OPTIONS = [OPTIONS[0]!, "ALPHA GET v_* GET #", "DESC GET # GET w_*"];

/** What is left at a key. */
async function left(client: TestClient, key: string): Promise<Plain[]> {
  const replies = await client.pipeline([
    ["LRANGE", key, "0", "-1"],
    ["OBJECT", "ENCODING", key],
    ["PEXPIRETIME", key],
    ["EXISTS", key],
  ]);
  return replies.map(plain).map(shown);
}

function shown(reply: Plain): Plain {
  return reply instanceof ReplyError ? `-${reply.message}` : reply;
}

// First, as long as the log is short.
suite("what it has stored is in the log", async (client, server) => {
  const t = `{${TAGS[5]}}t`;
  let stored: Plain = null;
  await until("weights were changed before it was stored", async () => {
    await fill(client);
    const [, isCaught] = await during(
      server,
      client,
      ["SORT", "list", "BY", "w_*", "GET", "v_*", "STORE", t],
      () =>
        client.pipeline(ELEMENTS.map((name, i) => [
          ...["MSET", `w_${name}`, String(COUNT - i), `v_${name}`, "late"],
        ])),
    );
    stored = await left(client, t);
    return isCaught;
  });
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assertEquals(await left(client, t), stored);
  await client.run(
    "SORT",
    "list",
    "BY",
    "w_*",
    "LIMIT",
    "999",
    "1",
    "STORE",
    t,
  );
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assertEquals(plain(await client.run("EXISTS", t)), 0);
  assertEquals(await locks(client), 0);
});

suite("SORT in slices answers as it does at once", async (client) => {
  await fill(client);
  for (const key of ["list", "set", "zset", "numbers", "integers", "words"]) {
    const isOdd = !/^(list|set|zset)$/.test(key);
    // Some for sets, the others for sorted sets.
    const own = key === "set" ? 0 : key === "zset" ? 1 : -1;
    for (const [i, options] of (isOdd ? ODD_OPTIONS : OPTIONS).entries()) {
      if (own >= 0 && i % 2 !== own) continue;
      const argv = ["SORT", key, ...options.split(" ")];
      const name = argv.join(" ");
      const before = await sliced(client);
      const reply = shown(plain(await client.run(...argv)));
      const isSliced = await sliced(client) - before;
      assertEquals(isSliced, 1, name);
      assertEquals(reply, shown(await runInline(client, ...argv)), name);
      const [, ...rest] = argv;
      const ro = shown(plain(await client.run("SORT_RO", ...rest)));
      assertEquals(ro, reply, name);

      for (const target of isOdd ? [key] : [`{${TAGS[5]}}t`]) {
        const copy = `{${TAGS[4]}}copy`;
        await client.run("COPY", key, copy, "REPLACE");
        const stored: Plain[] = [];
        for (const isAtOnce of [false, true]) {
          await client.run("SET", `{${TAGS[5]}}t`, "old", "PXAT", LATE);
          const store = [...argv, "STORE", target];
          const count = isAtOnce
            ? await runInline(client, ...store)
            : plain(await client.run(...store));
          stored.push([shown(count), await left(client, target)]);
          await client.run("COPY", copy, key, "REPLACE");
        }
        assertEquals(stored[0], stored[1], `${name} STORE ${target}`);
      }
    }
  }
});

/** GET, and a pattern, of so many. */
const gets = (count: number, pattern: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => ["GET", pattern(i)]).flat();

suite("SORT in slices may have very many patterns", async (client) => {
  await fill(client);
  const long = "x".repeat(20_000);
  await client.run("SET", `${long}_${element(5)}`, "far");
  const sort = ["SORT", "list", "BY", "w_*", "LIMIT", "0", "3"];
  const of = (i: number) => `{${TAGS[i % TAGS.length]}}${i}`;
  const cases: [string[], number][] = [
    [[...sort, "GET", "v_*", ...gets(300, (i) => `w_${of(i)}`)], 1],
    [[...sort, ...gets(300, (i) => `${i % 2 ? "v" : "w"}_*${i}`)], 1],
    [[...sort, ...gets(900, () => "h_*_h->f")], 1],
    [["SORT", "list", "BY", `${long}_*`, "GET", "v_*"], 1],
    [[...sort, ...gets(300, (i) => `h_*_h->${i === 7 ? "g" : i}`)], 1],
    [["SORT", "list", "LIMIT", "x", "1", ...gets(900, () => "#")], 0],
  ];
  for (const [argv, slices] of cases) {
    const before = await sliced(client);
    const reply = shown(plain(await client.run(...argv)));
    const name = argv.slice(0, 9).join(" ").slice(0, 80);
    assertEquals(await sliced(client) - before, slices, name);
    assertEquals(reply, shown(await runInline(client, ...argv)), name);
  }
});

suite(
  "SORT in slices of very many patterns sees no change since it began",
  async (client, server) => {
    const argv = ["SORT", "list", "BY", "w_*", "LIMIT", "0", "40"];
    argv.push("GET", "v_*", ...gets(300, (i) => `none${i}_*`));
    const changes = ELEMENTS.map((name, i) => [
      ...["MSET", `w_${name}`, String(COUNT - i), `v_${name}`, "late"],
      ...[`none${i}_${name}`, "new"],
    ]);
    await until("all changes came while it was sorted", async () => {
      await fill(client);
      const expected = await runInline(client, ...argv);
      const change = () => client.pipeline(changes);
      const [reply, isCaught] = await during(server, client, argv, change);
      assertEquals(reply, expected);
      return isCaught;
    });
    assertEquals(await locks(client), 0);
  },
);

suite("SORT in slices tells of what it has stored", async (client, server) => {
  await fill(client);
  const t = `{${TAGS[5]}}t`;
  const sort = ["SORT", "list", "BY", "w_*", "GET", "v_*", "STORE", t];
  const none = ["SORT", "list", "BY", "w_*", "LIMIT", "999", "1", "GET", "v_*"];
  for (const argv of [sort, sort, [...none, "STORE", t], none]) {
    const tell = async (run: () => Promise<unknown>) => {
      await client.run("SELECT", "0");
      return await heard(server, client, async () => void await run());
    };
    const before = await client.run("DUMP", t);
    const events = await tell(() => client.run(...argv));
    await client.run("DEL", t);
    const dump = plain(before);
    if (dump !== null) {
      const { value } = before as { value: Argument };
      await client.run("RESTORE", t, "0", value);
    }
    assertEquals(events, await tell(() => runInline(client, ...argv)));
  }
  await client.run("WATCH", t);
  using other = await server.client();
  assertEquals(plain(await other.run(...sort)), COUNT + 2);
  assertEquals(
    await client.pipeline([["MULTI"], ["GET", "x"], ["EXEC"]])
      .then((replies) => plain(replies[2]!)),
    null,
  );
});

suite(
  "SORT in slices sees no change since it began, whatever it is",
  async (client, server) => {
    const sort = ["SORT", "long", "BY", "w_*", "GET", "#", "GET", "v_*"];
    const argv = [...sort, "GET", "h_*_h->f", "GET", "h_*_h->g"];
    const long = ["RPUSH", "long", ...ELEMENTS, ...ELEMENTS, ...ELEMENTS];
    const big = "x".repeat(LONG_BYTES);
    const changes = ELEMENTS.flatMap((name, i): string[][] => {
      const [w, v, h] = [`w_${name}`, `v_${name}`, `h_${name}_h`];
      switch (i % 16) {
        case 0:
          return [["SET", w, "-5"], ["SET", v, "new"], ["HSET", h, "f", "z"]];
        case 1:
          return [["DEL", w, v, h]];
        case 2:
          return [["APPEND", v, "more"], ["HDEL", h, "f"], [
            "SETRANGE",
            w,
            "0",
            "9",
          ]];
        case 3:
          return [["RENAME", h, v], ["INCRBYFLOAT", w, "100"]];
        case 4:
          return [["RENAME", `w_${element((i + 1) % COUNT)}`, w]];
        case 5:
          return [["MOVE", w, "1"], ["GETDEL", v], ["HDEL", h, "f", "g"]];
        case 6:
          return [["PEXPIRE", w, "1"], ["PEXPIRE", h, "1"]];
        case 7:
          return [["PEXPIREAT", w, "1"], [
            "HPEXPIRE",
            h,
            "1",
            "FIELDS",
            "1",
            "g",
          ]];
        case 8:
          return [["COPY", `w_${element(1)}`, w, "REPLACE"], ["SET", v, big]];
        case 9:
          return [["SETBIT", v, "7", "1"], ["HINCRBY", h, "f", "1"]];
        case 10:
          return [["MSET", w, "0", v, "x"], ["HGETDEL", h, "FIELDS", "1", "g"]];
        case 11:
          return [["MULTI"], ["SET", w, "7"], ["UNLINK", v, h], ["EXEC"]];
        case 12:
          return [["LPUSH", `x_${name}`, "1", "2"], ["DEL", v], [
            "LMOVE",
            `x_${name}`,
            v,
            "LEFT",
            "LEFT",
          ]];
        case 13:
          return [["SADD", `x_${name}`, "1"], ["SUNIONSTORE", w, `x_${name}`]];
        case 14:
          return [["GETEX", w, "PX", "1"], ["SETEX", v, "100", "s"], [
            "BITOP",
            "NOT",
            v,
            v,
          ]];
        default:
          return [["DEL", h], ["SET", h, "string"], [
            "HSETNX",
            `h_${name}_h`,
            "f",
            "1",
          ]];
      }
    });
    await until("all changes came while it was sorted", async () => {
      await fill(client);
      await client.run(...long);
      const expected = await runInline(client, ...argv);
      const change = async () => {
        await client.pipeline(changes);
        // What has expired goes when it is met.
        await client.pipeline(ELEMENTS.map((name) => ["GET", `w_${name}`]));
      };
      const [reply, isCaught] = await during(server, client, argv, change);
      assertEquals(reply, expected);
      assert(
        JSON.stringify(await runInline(client, ...argv)) !==
          JSON.stringify(expected),
      );
      return isCaught;
    });
  },
);

suite(
  "SORT in slices sees keys that are changed together as one has left them",
  async (client, server) => {
    const keys = ELEMENTS.slice(0, 120);
    await client.run("RPUSH", "l", ...keys);
    // The order and what is got both say which version there was.
    const weight = (i: number, version: number) => (i * 31 + version * 7) % 127;
    const set = (version: number) => [
      "MSET",
      ...keys.flatMap((name, i) => [
        ...[`w_${name}`, String(weight(i, version))],
        ...[`v_${name}`, String(version)],
      ]),
    ];
    const hset = (version: number) => [
      ["MULTI"],
      ...keys.filter((_, i) => i % 3 === 0).map((name) => [
        ...["HSET", `h_${name}_h`, "f", String(version)],
      ]),
      ["EXEC"],
    ];
    await client.run(...set(0));
    await client.pipeline(hset(0));
    let isOver = false;
    const write = async () => {
      using writer = await server.client();
      for (let version = 1; !isOver; version++) {
        await writer.run(...set(version));
        await writer.pipeline(hset(version));
      }
    };
    const read = async (store: boolean) => {
      using reader = await server.client();
      const t = `{${TAGS[1]}}target`;
      const gets = ["GET", "#", "GET", "v_*", "GET", "h_*_h->f"];
      const argv = ["SORT", "l", "BY", "w_*", ...gets];
      for (let round = 0; round < 12; round++) {
        const reply = store
          ? plain(
            (await reader.pipeline([
              [...argv, "STORE", t],
              ["LRANGE", t, "0", "-1"],
            ]))[1]!,
          )
          : plain(await reader.run(...argv));
        const values = reply as string[];
        const version = Number(values[1]);
        const expected = keys.map((name, i) => [weight(i, version), name])
          .sort(([a, x], [b, y]) =>
            Number(a) - Number(b) || (x! < y! ? -1 : 1)
          );
        assertEquals(
          values.filter((_, i) => i % 3 === 0),
          expected.map(([, name]) => name),
        );
        const versions = new Set(values.filter((_, i) => i % 3 === 1));
        assertEquals([...versions], [String(version)]);
        const fields = new Set(
          values.filter((value, i) =>
            i % 3 === 2 && value !== null && value !== ""
          ),
        );
        assertEquals(fields.size, 1);
        assert(Math.abs(Number([...fields][0]) - version) <= 1);
      }
    };
    const before = await sliced(client);
    const writing = write();
    try {
      await Promise.all([read(false), read(true), read(false)]);
    } finally {
      isOver = true;
      await writing;
    }
    assertEquals(await sliced(client) - before, 36);
  },
);

suite("databases that are emptied or exchanged", async (client, server) => {
  const argv = ["SORT", "list", "BY", "w_*", "GET", "v_*"];
  await until("it was emptied meanwhile", async () => {
    await fill(client);
    const expected = await runInline(client, ...argv);
    const [reply, isCaught] = await during(
      server,
      client,
      argv,
      async () => {
        await client.run("FLUSHDB");
        await client.run("SET", `v_${element(2)}`, "later");
        await client.run("SET", `w_${element(2)}`, "later");
      },
    );
    if ((reply as Plain[]).length > 0) assertEquals(reply, expected);
    await client.run("FLUSHALL");
    return isCaught || (reply as Plain[]).length === 0;
  });

  await fill(client);
  const expected = await runInline(client, ...argv);
  const store = [...argv, "STORE", `{${TAGS[5]}}t`];
  for (const each of [argv, store]) {
    const [reply] = await during(server, client, each, async () => {
      await client.run("SWAPDB", "0", "1");
      await client.run("SET", `v_${element(2)}`, "later");
      await client.run("SWAPDB", "0", "1");
    });
    if (each === argv) assertEquals(reply, expected);
    else {
      const list = plain(await client.run("LRANGE", store.at(-1)!, "0", "-1"));
      assertEquals(list, (expected as Plain[]).map((value) => value ?? ""));
    }
  }
});

suite("a weight that is no number is an error", async (client) => {
  await fill(client);
  await client.run("SET", `w_${element(100)}`, "no number");
  await client.run("SET", "t", "old");
  await client.run("CONFIG", "RESETSTAT");
  for (const store of [[], ["STORE", "t"]]) {
    const argv = ["SORT", "list", "BY", "w_*", "GET", "v_*", ...store];
    const reply = plain(await client.run(...argv));
    assert(reply instanceof ReplyError);
    assertEquals(
      reply.message,
      "ERR One or more scores can't be converted into double",
    );
  }
  assertEquals(plain(await client.run("GET", "t")), "old");
  const stats = String(plain(await client.run("INFO", "commandstats")));
  assert(/cmdstat_sort:.*failed_calls=2/.test(stats), stats);
});

suite("clients that go while it works", async (client, server) => {
  await fill(client);
  const t = `{${TAGS[5]}}t`;
  for (const how of ["close", "kill", "unblock"]) {
    await client.run("DEL", t);
    const sorter = await server.client();
    const id = plain(await sorter.run("CLIENT", "ID"));
    const before = await sliced(client);
    await client.run("DEBUG", "SLOW-STEPS", "1000", "100");
    await sorter.sendCommands([
      ["SORT", "list", "BY", "w_*", "GET", "v_*", "STORE", t],
    ]);
    await until("SORT has begun", async () => await sliced(client) > before);
    if (how === "kill") await client.run("CLIENT", "KILL", "ID", String(id));
    if (how === "close") sorter.close();
    if (how === "unblock") {
      assertEquals(
        plain(await client.run("CLIENT", "UNBLOCK", String(id))),
        0,
      );
    }
    await client.run("DEBUG", "SLOW-STEPS", "0", "0");
    // Others wait for what is stored.
    assertEquals(plain(await client.run("LLEN", t)), COUNT + 2, how);
    if (how !== "close") sorter.close();
  }
  await client.run("RPUSH", "list", "1");
});

suite("keys that others have locked", async (client, server) => {
  await fill(client);
  const argv = ["SORT", "list", "BY", "w_*", "GET", "v_*"];
  const small = ["SORT", "short", "BY", "w_*", "GET", "v_*"];
  await client.run("RPUSH", "short", element(1), element(2), element(3));
  const expected = await runInline(client, ...argv);
  const holder = new Holder({
    client: await server.client(),
    worker: 0,
  } as never);
  await holder.take(`WRITE w_${element(2)} READ w_${element(3)}`);
  // It may wait for others, so nobody waits for it.
  for (const each of [argv, small, [...small, "STORE", "short"]]) {
    for (
      const run of [runInline, async () => plain(await client.run(...each))]
    ) {
      const reply = await run(client, ...each);
      assert(reply instanceof ReplyError, each.join(" "));
      assertEquals(
        reply.message,
        "LOCKED key is locked by a background operation",
      );
    }
  }
  assertEquals(plain(await client.run("LLEN", "short")), 3);
  await holder.close();
  assertEquals(plain(await client.run(...argv)), expected);
  // What it has locked itself it sees.
  const own = [...argv, "STORE", `v_${element(2)}`];
  assertEquals(plain(await client.run(...own)), COUNT + 2);
  const list = plain(await client.run("LRANGE", own.at(-1)!, "0", "-1"));
  assertEquals(list, (expected as Plain[]).map((value) => value ?? ""));
  holder.client.close();
});

suite("keys that are half changed are waited for", async (client, server) => {
  const hash = `h_${element(1)}_h`;
  await client.run("RPUSH", "short", element(1), element(1));
  const fields = (version: number) =>
    Array.from({ length: 20_000 }, (_, i) => [`f${i}`, String(version)]).flat();
  const gets = [0, 1, 10_000, 19_998, 19_999].flatMap((i) => [
    "GET",
    `h_*_h->f${i}`,
  ]);
  await client.run("HSET", hash, ...fields(0));
  using writer = await server.client();
  let version = 0;
  await until("SORT came while the hash was changed", async () => {
    const before = await sliced(client);
    const writing = writer.run("HSET", hash, ...fields(++version));
    await until("HSET has begun", async () => await sliced(client) > before);
    const reply = plain(await client.run("SORT", "short", "ALPHA", ...gets));
    assert(Array.isArray(reply), String(reply));
    assertEquals(new Set(reply), new Set([String(version)]));
    await writing;
    return await sliced(client) - before === 2;
  });
});
