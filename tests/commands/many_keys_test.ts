/**
 * Commands of very many keys, which go through them in slices: they answer and
 * leave what the same keys would, one by one; nobody sees half of one, whoever
 * looks, and nobody waits for ever, whatever keys are asked for in which order.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import {
  seeded,
  seedsToRun,
  startServer,
  type TestServer,
} from "../_harness.ts";
import { until } from "../_patience.ts";
import { Random } from "../_random.ts";
import {
  type Argument,
  type Plain,
  plain,
  type TestClient,
} from "../_resp_client.ts";
import { heard } from "./_heard.ts";
import { expectNothingLocked, Holder, texts } from "./_locks.ts";
import { ask } from "./_replies.ts";
import { settled, slicesSuite, statistic } from "./_slices.ts";
import { Crowd } from "./_waiting.ts";

/** More keys are gone through in slices. */
const AT_ONCE = 40;
const COUNT = 3 * AT_ONCE;
/** Keys that take several turns. */
const MANY = 2500;

const more = ["--background-threshold-keys", String(AT_ONCE)];
const EVENTS = "KEAn";
const { suite, servers } = slicesSuite({ events: EVENTS, more });

const sliced = (client: TestClient) =>
  statistic(client, "sherd_sliced_commands");

/** Names of keys on all shards. */
function names(count: number, prefix = "key:"): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

const pairs = (keys: readonly string[], value: string) =>
  keys.flatMap((key) => [key, value]);

const run = (client: TestClient, ...argv: Argument[]) => ask(client, argv);

suite(
  "very many keys are stored, read, counted and deleted",
  async (client) => {
    const keys = names(COUNT);
    const long = "long".repeat(30_000);
    const values = keys.map((_, i) => i % 9 === 0 ? String(i) : `value ${i}`);
    values[5] = long;
    values[6] = "";
    values[7] = "\0\r\n\xff";
    const before = await sliced(client);
    await run(client, "SET", keys[1]!, "old", "EX", "1000");
    await run(client, "RPUSH", keys[2]!, "a", "b");
    await run(client, "SET", keys[3]!, long);
    const given = keys.flatMap((key, i) => [key, values[i]!]);
    assertEquals(await run(client, "MSET", ...given), "OK");
    assertEquals(await run(client, "MGET", ...keys), values);
    assertEquals(await run(client, "TTL", keys[1]!), -1);
    assertEquals(await run(client, "OBJECT", "ENCODING", keys[9]!), "int");
    await run(client, "DEL", keys[0]!, keys[4]!);
    await run(client, "LPUSH", keys[4]!, "no string");
    const asked = [...keys, "none", keys[8]!, keys[8]!, ...keys.slice(0, 5)];
    const expected = asked.map((key) => {
      const i = keys.indexOf(key);
      return i <= 0 || i === 4 ? null : values[i]!;
    });
    assertEquals(await run(client, "MGET", ...asked), expected);
    const there =
      asked.filter((key) => key !== "none" && key !== keys[0]).length;
    assertEquals(await run(client, "EXISTS", ...asked), there);
    assertEquals(await run(client, "TOUCH", ...asked), there);
    assertEquals(await run(client, "DEL", ...asked.slice(0, 80)), 79);
    assertEquals(await run(client, "UNLINK", ...asked), COUNT - 80);
    assertEquals(await run(client, "DBSIZE"), 0);
    assertEquals(await sliced(client) - before, 7);
  },
);

suite("of a key that is given twice the last value stays", async (client) => {
  const keys = names(AT_ONCE);
  const twice = [...pairs(keys, "first"), ...pairs(keys, "second")];
  assertEquals(await run(client, "MSET", ...twice), "OK");
  assertEquals(await run(client, "DBSIZE"), AT_ONCE);
  const values = await run(client, "MGET", ...keys, ...keys) as string[];
  assertEquals(new Set(values), new Set(["second"]));
  assertEquals(await run(client, "DEL", ...keys, ...keys), AT_ONCE);
  const same = Array.from({ length: COUNT }, (_, i) => ["same", String(i)]);
  assertEquals(await run(client, "MSET", ...same.flat()), "OK");
  assertEquals(await run(client, "GET", "same"), String(COUNT - 1));
  assertEquals(
    await run(client, "EXISTS", ...same.map(([key]) => key!)),
    COUNT,
  );
});

suite(
  "what is told of very many keys is what is told of few",
  async (client, server) => {
    const keys = names(COUNT);
    const commands = [
      ["MSETNX", ...pairs(keys, "a"), ...pairs(keys.slice(0, 5), "b")],
      ["MSETNX", ...pairs(keys, "b")],
      ["DEL", ...keys],
      ["SET", keys[3]!, "old"],
      ["MSET", ...pairs(keys, "a"), ...pairs(keys.slice(0, 5), "b")],
      ["MGET", ...keys, "none"],
      ["DEL", ...keys, keys[0]!, "none"],
    ];
    const play = () =>
      heard(server, client, async () => {
        for (const argv of commands) await client.run(...argv);
      });
    const many = await play();
    await client.run("CONFIG", "SET", "background-threshold-keys", "1000000");
    const few = await play();
    await client.run("CONFIG", "SET", "background-threshold-keys", AT_ONCE);
    assertEquals(many, few);
  },
);

suite("MSETNX stores all of very many keys, or none", async (client) => {
  const keys = names(COUNT);
  const before = await sliced(client);
  const one = keys.slice(0, AT_ONCE + 1);
  assertEquals(await run(client, "MSETNX", ...pairs(keys, "v")), 1);
  assertEquals(await run(client, "MSETNX", ...pairs(keys, "w")), 0);
  const other = names(AT_ONCE + 1, "other:");
  for (const there of [keys[0]!, keys.at(-1)!]) {
    const some = [...pairs(other, "x"), there, "y"];
    assertEquals(await run(client, "MSETNX", ...some), 0);
    assertEquals(await run(client, "EXISTS", ...other), 0);
  }
  assertEquals(new Set(await run(client, "MGET", ...one) as string[]).size, 1);
  for (const key of keys) await run(client, "PEXPIRE", key, 1);
  await until(
    "the keys have expired",
    async () => await run(client, "GET", keys.at(-1)!) === null,
  );
  const long = "long".repeat(30_000);
  const twice = [...pairs(one, "first"), ...pairs(one, "second")];
  twice.push("long", long);
  assertEquals(await run(client, "MSETNX", ...twice), 1);
  const values = await run(client, "MGET", ...one, "long") as string[];
  assertEquals(new Set(values), new Set(["second", long]));
  const error = "-ERR wrong number of arguments for 'msetnx' command";
  assertEquals(await run(client, "MSETNX", ...pairs(keys, "v"), "x"), error);
  assertEquals(await sliced(client) - before, 9);
});

/** Values of all kinds, some keys of which are not there. */
async function fill(client: TestClient): Promise<void> {
  const commands = names(AT_ONCE).flatMap((_, i) => [
    ["SET", `string:${i}`, `value ${i}`],
    ["SADD", `set:${i}`, "all", String(i % 7), `own ${i}`, String(i)],
    ["ZADD", `zset:${i}`, "1", "all", String(i), `own ${i}`],
    ["PFADD", `hll:${i}`, `a${i}`, `b${i % 5}`],
    ["XADD", `stream:${i}`, "1-1", "f", String(i)],
    ["XADD", `stream:${i}`, "2-1", "f", String(i)],
  ]);
  commands.push(
    ["SADD", "set:3", ...names(200), "long".repeat(1000)],
    ["SET", "string:5", "long".repeat(30_000)],
    ["SET", "string:6", "12345"],
    ["PFADD", "hll:4", ...names(500)],
    ["PFDEBUG", "TODENSE", "hll:7"],
    ["PEXPIRE", "set:2", "100000000"],
    ["DEL", "zset:9", "stream:9", "string:9", "hll:9"],
  );
  await client.pipeline(commands);
}

suite(
  "values of very many keys are combined in the background",
  async (client, server) => {
    const of = (kind: string) => names(AT_ONCE, `${kind}:`);
    const [sets, zsets, streams] = [of("set"), of("zset"), of("stream")];
    const numbered = [String(AT_ONCE), ...zsets];
    const commands: string[][] = [
      ["SUNION", ...sets],
      ["SINTER", ...sets],
      ["SDIFF", "set:3", ...sets.slice(10)],
      ["SINTERCARD", String(AT_ONCE), ...sets, "LIMIT", "5"],
      ["SUNIONSTORE", "out", ...sets, "none", "set:1"],
      ["SINTERSTORE", "out", ...sets],
      ["SDIFFSTORE", "set:1", "set:3", "set:1", ...sets.slice(10)],
      ["SUNION", ...sets, "string:1"],
      ["SUNIONSTORE", "out", ...zsets],
      ["SINTERSTORE", "out", ...sets, "none"],
      ["ZUNION", ...numbered, "WEIGHTS", ...zsets.map(() => "2")],
      ["ZUNION", ...numbered, "WITHSCORES"],
      ["ZINTER", ...numbered, "WITHSCORES", "AGGREGATE", "MAX"],
      ["ZDIFF", ...numbered],
      ["ZINTERCARD", ...numbered],
      ["ZUNIONSTORE", "zset:1", ...numbered],
      ["ZINTERSTORE", "out", ...numbered],
      ["ZDIFFSTORE", "out", ...numbered],
      ["ZUNION", "40", ...sets.slice(0, 3)],
      ["BITOP", "OR", "out", ...of("string")],
      ["BITOP", "AND", "string:2", ...of("string")],
      ["BITOP", "XOR", "out", ...sets],
      ["PFCOUNT", ...of("hll")],
      ["PFMERGE", "hll:1", ...of("hll")],
      ["PFMERGE", "out", ...of("string")],
      ["XREAD", "STREAMS", ...streams, ...streams.map(() => "1-1")],
      ["XREAD", "STREAMS", ...streams, ...streams.map(() => "$")],
      ["XREAD", "COUNT", "1", "STREAMS", ...streams, ...streams.map(() => "0")],
      ["XREAD", "STREAMS", ...streams, ...sets],
    ];
    const play = async () => {
      await client.run("FLUSHALL");
      await fill(client);
      await client.run("CONFIG", "RESETSTAT");
      const replies: Plain[] = [];
      const events = await heard(server, client, async () => {
        for (const argv of commands) {
          const reply = plain(await client.run(...argv));
          const isSet = /^S(UNION|INTER|DIFF)$/.test(argv[0]!);
          replies.push(
            isSet && Array.isArray(reply) ? reply.toSorted() : reply,
          );
        }
      });
      const counts = [
        await statistic(client, "keyspace_hits"),
        await statistic(client, "keyspace_misses"),
        await statistic(client, "total_error_replies"),
      ];
      const digest = await ask(client, "DEBUG DIGEST");
      assertEquals(await ask(client, "DEBUG LOADAOF"), "OK");
      assertEquals(await ask(client, "DEBUG DIGEST"), digest);
      return { replies, events, counts, digest };
    };
    const many = await play();
    assertEquals(await sliced(client), commands.length - 1);
    await client.run("CONFIG", "SET", "background-threshold-keys", "1000000");
    const few = await play();
    await client.run("CONFIG", "SET", "background-threshold-keys", AT_ONCE);
    assertEquals(many, few);
    await expectNothingLocked(client);
  },
);

suite(
  "what the background cannot end of very many keys changes nothing",
  async (client) => {
    const sets = names(COUNT, "set:");
    await client.pipeline(sets.map((key, i) => ["SADD", key, `${i}`]));
    await run(client, "SADD", "out", "old");
    await run(client, "DEBUG", "COMPUTE-FAILURES", "1");
    const error = await run(client, "SUNIONSTORE", "out", ...sets);
    assertEquals(error, "-ERR background worker died");
    assertEquals(await run(client, "SCARD", "out"), 1);
    await run(client, "CONFIG", "SET", "background-queue", "0");
    assertEquals(await run(client, "SUNIONSTORE", "out", ...sets), COUNT);
    await run(client, "CONFIG", "SET", "background-queue", "64");
    assertEquals(await run(client, "SUNIONSTORE", "out", ...sets), COUNT);
    await expectNothingLocked(client);
  },
);

suite(
  "who reads very many keys is no hindrance to what comes after",
  async (client, server) => {
    const sets = names(COUNT, "set:");
    const fill = sets.map((key, i) => ["SADD", key, `${i}`]);
    using other = await server.client();
    let writers = 2;
    const write = async () => {
      using own = await server.client();
      for (let round = 0; round < 4; round++) {
        await own.pipeline([["MULTI"], ["FLUSHALL"], ...fill, ["EXEC"]]);
        await own.pipeline([["SADD", sets[7]!, "more"], ["DEL", sets[8]!]]);
        await own.pipeline([["FLUSHALL"], ["SWAPDB", "0", "1"]]);
        await own.run("FLUSHALL");
      }
      writers--;
    };
    const read = async () => {
      while (writers > 0) {
        // All of them, or none, or what the two commands have left.
        const count = await run(
          other,
          "SINTERSTORE",
          "out",
          sets[0]!,
          sets[0]!,
        );
        assert(count === 0 || count === 1, String(count));
        const members = await run(other, "SUNION", ...sets) as string[];
        const counts = [0, 1, COUNT - 1, COUNT, COUNT + 1];
        assert(counts.includes(members.length), `${members.length} members`);
      }
    };
    await Promise.all([write(), write(), read()]);
    await expectNothingLocked(client);
  },
);

suite(
  "errors, and what is queued, are for the command in place",
  async (client) => {
    const keys = names(COUNT);
    const before = await sliced(client);
    const error = "-ERR wrong number of arguments for 'mset' command";
    assertEquals(await run(client, "MSET", ...pairs(keys, "v"), "x"), error);
    await run(client, "MULTI");
    assertEquals(
      await run(client, "WATCH", ...keys),
      "-ERR WATCH inside MULTI is not allowed",
    );
    await run(client, "MSET", ...pairs(keys, "v"));
    await run(client, "EXISTS", ...keys);
    await run(client, "DEL", ...keys);
    assertEquals(await run(client, "EXEC"), ["OK", COUNT, COUNT]);
    assertEquals(await sliced(client), before);
  },
);

suite("WATCH of very many keys sees every change", async (client, server) => {
  using other = await server.client();
  const keys = names(COUNT);
  const isAborted = async (...argv: string[]) => {
    assertEquals(await run(client, "WATCH", ...keys, ...keys), "OK");
    await run(other, ...argv);
    await run(client, "MULTI");
    await run(client, "PING");
    return await run(client, "EXEC") === null;
  };
  assertEquals(await isAborted("SET", keys.at(-1)!, "v"), true);
  assertEquals(await isAborted("SET", "other", "v"), false);
  assertEquals(await isAborted("MSET", ...pairs(keys, "v")), true);
  assertEquals(await isAborted("MGET", ...keys), false);
  assertEquals(await isAborted("DEL", ...keys), true);
  assertEquals(await isAborted("DEL", ...keys), false);
  assertEquals(await isAborted("FLUSHALL"), false);
  await run(other, "SET", keys[3]!, "v");
  assertEquals(await isAborted("SWAPDB", "0", "1"), true);
  assertEquals(await isAborted("SWAPDB", "0", "1"), true);
  await run(other, "SET", keys[3]!, "v");
  assertEquals(await isAborted("FLUSHALL"), true);
  // Many others that are watched, too, change.
  using third = await server.client();
  const others = names(MANY, "other:");
  await run(third, "WATCH", ...others);
  assertEquals(await isAborted("MSET", ...pairs(others, "v")), false);
  await run(third, "UNWATCH");
  // A key expires, which nobody finds out before EXEC does.
  await run(other, "DEBUG", "SET-ACTIVE-EXPIRE", "0");
  for (let lifeMs = 20;; lifeMs *= 2) {
    await run(other, "SET", keys[3]!, "v", "PX", String(lifeMs));
    await run(client, "WATCH", ...keys);
    const endMs = await run(other, "PEXPIRETIME", keys[3]!) as number;
    if (endMs < 0) continue;
    await until(
      "the key has expired",
      () => Promise.resolve(Date.now() > endMs),
    );
    await run(client, "MULTI");
    await run(client, "PING");
    assertEquals(await run(client, "EXEC"), null);
    break;
  }
  await run(other, "DEBUG", "SET-ACTIVE-EXPIRE", "1");
});

suite(
  "EXEC of who watches very many keys comes at one instant",
  async (client, server) => {
    const keys = names(10 * AT_ONCE);
    const rounds = 3;
    let writers = 3;
    let done = 0;
    await run(client, "MSET", ...pairs(keys, "0"));
    /** Adds one to two keys of those that it watches. */
    const add = async (first: string, second: string) => {
      using own = await server.client();
      for (let round = 0; round < rounds;) {
        await run(own, "WATCH", ...keys);
        const [a, b] = await run(own, "MGET", first, second) as string[];
        const replies = await own.pipeline([
          ["MULTI"],
          ["SET", first, String(Number(a) + 1)],
          ["SET", second, String(Number(b) + 1)],
          ["EXEC"],
          ["PING"],
        ]);
        const last = replies.map(plain);
        assertEquals(last[4], "PONG");
        if (last[3] === null) continue;
        round++;
        done++;
      }
      writers--;
    };
    // They change keys that nobody else watches, and some that they do.
    const disturb = async () => {
      using own = await server.client();
      const others = names(200, "other:");
      let added = 0;
      await run(own, "WATCH", ...others);
      while (writers > 0) {
        await own.pipeline(others.map((key) => ["SET", key, "v"]));
        if (added++ % 4 === 0) await run(own, "INCR", keys[1]!);
        else if (added % 4 === 1) await run(own, "INCR", "none");
      }
      return Math.ceil(added / 4);
    };
    const [added] = await Promise.all([
      disturb(),
      add(keys[0]!, keys.at(-1)!),
      add(keys[1]!, keys[2]!),
      add(keys[0]!, keys[1]!),
    ]);
    assertEquals(done, 3 * rounds);
    const ends = [keys[0]!, keys[1]!, keys[2]!, keys.at(-1)!];
    const counts = (await run(client, "MGET", ...ends) as string[]).map(Number);
    assertEquals(counts, [2 * rounds, 2 * rounds + added, rounds, rounds]);
    await expectNothingLocked(client);
  },
);

suite(
  "who watches very many keys may leave, or be woken",
  async (client, server) => {
    const keys = names(MANY);
    for (let i = 0; i < 4; i++) {
      const gone = await server.client();
      await gone.sendCommands([
        ["WATCH", ...keys],
        ["MULTI"],
        ["SET", keys[i]!, "v"],
        ["EXEC"],
      ]);
      gone.close();
    }
    using other = await server.client();
    const id = await run(other, "CLIENT", "ID") as number;
    for (let i = 0; i < 5; i++) {
      await run(other, "WATCH", ...keys);
      await run(other, "MULTI");
      await run(other, "PING");
      await other.sendCommands([["EXEC"], ["ECHO", "next"]]);
      await run(client, "CLIENT", "UNBLOCK", id);
      const reply = plain((await other.readFrame()).reply);
      assert(reply === null || String(reply) === "PONG", String(reply));
      assertEquals(plain((await other.readFrame()).reply), "next");
    }
    await run(other, "WATCH", ...keys);
    await run(other, "MULTI");
    await run(other, "PING");
    assertEquals(await run(other, "DISCARD"), "OK");
    await expectNothingLocked(client);
  },
);

suite(
  "clients are told of what they keep of very many keys",
  async (client, server) => {
    using reader = await server.client({ resp: 3 });
    const keys = names(COUNT);
    await run(client, "MSET", ...pairs(keys, "v"));
    await run(reader, "CLIENT", "TRACKING", "ON");
    await run(reader, "MGET", ...keys);
    await run(client, "SET", keys[7]!, "w");
    await until("the client is told", async () => {
      await run(reader, "PING");
      return reader.pushes.length > 0;
    });
    const told = plain(reader.pushes.shift()!);
    assertEquals(told, ["invalidate", [keys[7]!]] as Plain);
    await run(client, "MSET", ...pairs(keys, "x"));
    await until("the client is told of all others", async () => {
      await run(reader, "PING");
      return reader.pushes.length === COUNT - 1;
    });
    // Fewer are many if somebody is to be told of them.
    const few = names(AT_ONCE / 2);
    await run(reader, "MGET", ...few);
    const before = await sliced(client);
    assertEquals(await run(client, "DEL", ...few), few.length);
    assertEquals(await sliced(client), before + 1);
    await until("the client is told of them", async () => {
      await run(reader, "PING");
      return reader.pushes.length === COUNT - 1 + few.length;
    });
    await run(reader, "CLIENT", "TRACKING", "OFF");
    // So they are with events, or if they are made.
    await run(client, "MSET", ...pairs(few, "y"));
    assertEquals(await run(client, "DEL", ...few), few.length);
    assertEquals(await sliced(client), before + 3);
    await run(client, "CONFIG", "SET", "notify-keyspace-events", "");
    await run(client, "MSET", ...pairs(few, "y"));
    assertEquals(await run(client, "DEL", ...few), few.length);
    assertEquals(await sliced(client), before + 4);
    await run(client, "CONFIG", "SET", "notify-keyspace-events", EVENTS);
  },
);

suite(
  "a key that expires is not there for DEL, EXISTS and MGET",
  async (client) => {
    const keys = names(COUNT);
    await run(client, "MSET", ...pairs(keys, "v"));
    for (const key of keys.slice(0, 3)) await run(client, "PEXPIRE", key, 1);
    await until(
      "the keys have expired",
      async () => await run(client, "GET", keys[2]!) === null,
    );
    assertEquals(await run(client, "EXISTS", ...keys), COUNT - 3);
    const values = await run(client, "MGET", ...keys) as Plain[];
    assertEquals(values.slice(0, 4), [null, null, null, "v"]);
    assertEquals(await run(client, "DEL", ...keys), COUNT - 3);
  },
);

suite(
  "who reads a stream's group is woken when DEL takes its key",
  async (client, server) => {
    const keys = names(COUNT);
    await run(client, "MSET", ...pairs(keys, "v"));
    await run(client, "XGROUP", "CREATE", "stream", "g", "$", "MKSTREAM");
    using crowd = new Crowd(server, client, 2);
    const read = ["XREADGROUP", "GROUP", "g", "me", "BLOCK", "0"];
    const waiting = await crowd.wait(...read, "STREAMS", "stream", ">");
    assertEquals(await run(client, "DEL", ...keys, "stream"), COUNT + 1);
    const error = String(await waiting.reply());
    assert(/NOGROUP|UNBLOCKED/.test(error), error);
  },
);

suite(
  "a command waits for a locked key with no lock in its hands",
  async (client, server) => {
    const keys = names(COUNT);
    await run(client, "MSET", ...pairs(keys, "old"));
    using crowd = new Crowd(server, client, 2);
    for (const mode of ["READ", "WRITE"]) {
      for (const key of [keys[0]!, keys[COUNT - 1]!]) {
        const holder = new Holder(await crowd.join());
        await holder.take(`${mode} ${key}`);
        const { client: writer, reply } = await crowd.join();
        await writer.sendCommands([["MSET", ...pairs(keys, mode)]]);
        await until("it waits", async () => {
          const info = texts(await ask(client, ["LOCKS", "INFO", key]));
          return info.some((text) => text.startsWith("lock write"));
        });
        for (const other of keys) {
          if (other !== key) assert(await run(client, "GET", other) !== mode);
        }
        await holder.close();
        assertEquals(await reply(), "OK");
        assertEquals(await run(client, "GET", key), mode);
        await run(client, "MSET", ...pairs(keys, "old"));
      }
    }
    await expectNothingLocked(client);
  },
);

suite(
  "what waits for a locked key ends with its time, or its client",
  async (client, server) => {
    const keys = names(COUNT);
    using crowd = new Crowd(server, client, 2);
    const holder = new Holder(await crowd.join());
    await holder.take(`WRITE ${keys[9]!}`);
    await run(client, "CONFIG", "SET", "lock-wait-timeout", "20");
    for (const argv of [["MSET", ...pairs(keys, "v")], ["MGET", ...keys]]) {
      const error = String(await run(client, ...argv));
      assert(error.startsWith("-LOCKED"), error);
    }
    await run(client, "CONFIG", "SET", "lock-wait-timeout", "0");
    const gone = await server.client();
    await gone.sendCommands([["MSET", ...pairs(keys, "v")]]);
    await until("it waits", async () => {
      const info = texts(await ask(client, ["LOCKS", "INFO", keys[9]!]));
      return info.some((text) => text.startsWith("lock write"));
    });
    const isGone = async () =>
      String(await ask(client, "CLIENT LIST")).includes("cmd=mset") === false;
    gone.close();
    await until("the server has seen it go", isGone);
    await holder.close();
    await settled(client);
    assertEquals(await run(client, "EXISTS", ...keys), 0);
    await expectNothingLocked(client);
  },
);

suite(
  "nobody sees half of a command of very many keys",
  async (client, server) => {
    const keys = names(MANY);
    const rounds = 3;
    let writers = 2;
    const write = async (value: string) => {
      using own = await server.client();
      for (let round = 0; round < rounds; round++) {
        const given = pairs(keys, value + round);
        if (round === 1) await run(own, "MSETNX", ...given);
        else assertEquals(await run(own, "MSET", ...given), "OK");
        const order = round % 2 === 0 ? keys : keys.toReversed();
        const deleted = await run(own, "DEL", ...order);
        assert(deleted === 0 || deleted === MANY, `${deleted} keys`);
      }
      writers--;
    };
    const all = (reply: Plain) =>
      assert(reply === 0 || reply === MANY, `${reply}`);
    const look = async (look: (own: TestClient) => Promise<void>) => {
      using own = await server.client();
      while (writers > 0) await look(own);
    };
    const isWhole = (reply: Plain) => {
      const values = new Set(reply as string[]);
      assertEquals(values.size, 1, [...values].join(" "));
    };
    await Promise.all([
      write("a"),
      write("b"),
      look(async (own) =>
        isWhole(await run(own, "MGET", ...keys.toReversed()))
      ),
      look(async (own) => {
        isWhole(await run(own, "MGET", ...keys.slice(-20)));
        all(await run(own, "EXISTS", ...keys));
      }),
      look(async (own) => {
        all(await run(own, "DBSIZE"));
        all((await run(own, "KEYS", "*") as string[]).length);
        await run(own, "MULTI");
        await run(own, "DBSIZE");
        await run(own, "KEYS", "*");
        const [size, listed] = await run(own, "EXEC") as [number, string[]];
        all(size);
        assertEquals(listed.length, size);
      }),
      look(async (own) => {
        await run(own, "WATCH", keys[5]!, keys[MANY - 1]!);
        const first = await run(own, "GET", keys[0]!);
        const second = await run(own, "GET", keys[1]!);
        await run(own, "MULTI");
        await run(own, "PING");
        if (await run(own, "EXEC") !== null) assertEquals(first, second);
      }),
    ]);
    await expectNothingLocked(client);
  },
);

suite(
  "what very many keys got is there after the log was read",
  async (client) => {
    const keys = names(COUNT);
    await run(client, "MSET", ...pairs(keys, "v"), keys[1]!, "last");
    await run(client, "SET", keys[0]!, "later");
    await run(client, "DEL", ...keys.slice(50), "none");
    await run(client, "DEL", ...names(COUNT, "none:"));
    await run(client, "MSETNX", ...pairs(keys, "no"));
    await run(client, "MSETNX", ...pairs(names(COUNT, "new:"), "yes"));
    const digest = await ask(client, "DEBUG DIGEST");
    assertEquals(await ask(client, "DEBUG LOADAOF"), "OK");
    assertEquals(await ask(client, "DEBUG DIGEST"), digest);
    assertEquals(await run(client, "MGET", ...keys.slice(0, 3)), [
      ...["later", "last", "v"],
    ]);
    assertEquals(await run(client, "DBSIZE"), 50 + COUNT);
  },
);

/** What clients do with keys that overlap, in any order. */
async function play(
  client: TestClient,
  random: Random,
  steps: number,
): Promise<void> {
  const all = names(3 * COUNT);
  const holder = `holder${random.uint32()}`;
  for (let step = 0; step < steps; step++) {
    const from = random.below(all.length - AT_ONCE - 1);
    const some = all.slice(from, from + AT_ONCE + 1 + random.below(COUNT));
    for (let i = some.length - 1; i > 0; i--) {
      const j = random.below(i + 1);
      [some[i], some[j]] = [some[j]!, some[i]!];
    }
    const value = `${random.uint32()}`;
    const commands: readonly (readonly string[])[] = random.pick([
      [["MSET", ...pairs(some, value)]],
      [["MSETNX", ...pairs(some, value)]],
      [["MGET", ...some]],
      [[random.pick(["DEL", "UNLINK"]), ...some]],
      [[random.pick(["EXISTS", "TOUCH"]), ...some]],
      [["SET", some[0]!, value], ["GET", some[1]!], ["DEL", some[2]!]],
      [["MULTI"], ["MSET", ...pairs(some, value)], ["MGET", ...some], ["EXEC"]],
      [["WATCH", ...some], ["MULTI"], ["DBSIZE"], ["EXEC"]],
      [["WATCH", ...some], ["MULTI"], ["MSET", ...pairs(some, value)], [
        "EXEC",
      ]],
      [["SADD", some[3]!, "a"], ["SUNIONSTORE", some[4]!, some[3]!, some[5]!]],
      [
        ["DEBUG", "KEYLOCK", "TRY", holder, "WRITE", some[6]!],
        ["DEBUG", "KEYLOCK", "CLOSE", holder],
      ],
      [[random.pick(["FLUSHDB", "DBSIZE"])], ["SWAPDB", "0", "1"]],
      [["KEYS", "*"], ["RANDOMKEY"], ["SCAN", "0"]],
      [["DEL", ...some], ["SADD", some[3]!, "a"], ["SUNION", ...some]],
      [["SUNIONSTORE", some[5]!, ...some], ["SDIFF", ...some]],
      [["ZADD", `z${some[3]!}`, "1", "a"], [
        "ZUNIONSTORE",
        `z${some[4]!}`,
        `${some.length}`,
        ...some.map((key) => `z${key}`),
      ]],
      [["BITOP", "OR", some[2]!, ...some], ["PFCOUNT", ...some]],
      [["FLUSHALL"], ["PFMERGE", some[1]!, ...some]],
    ]);
    for (const reply of await client.pipeline(commands)) {
      const text = String(plain(reply));
      assert(!text.startsWith("ERR"), text);
    }
  }
}

for (const workers of [1, 3]) {
  seeded(
    `commands of very many keys in any order end (workers ${workers})`,
    async (random) => {
      const server: TestServer = servers.get(workers)!;
      using admin = await server.client();
      const clients = await Promise.all(
        Array.from({ length: 6 }, () => server.client()),
      );
      const seeds = clients.map(() => random.uint32());
      await Promise.all(
        clients.map((client, i) => play(client, new Random(seeds[i]!), 60)),
      );
      // Some vanish while theirs is under way.
      const keys = names(MANY);
      const commands = [
        ["MSET", ...pairs(keys, "v")],
        ["SUNIONSTORE", "out", ...keys],
        ["PFCOUNT", ...names(MANY, "other:")],
      ];
      for (const [i, client] of clients.entries()) {
        await client.sendCommands([commands[i % commands.length]!]);
        client.close();
      }
      await expectNothingLocked(admin);
      await admin.run("FLUSHALL");
    },
    { count: 1 },
  );
}

Deno.test("a snapshot that is taken meanwhile has all of it or nothing", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sherd_many_" });
  const random = new Random(seedsToRun(1)[0]!);
  const keys = names(MANY);
  const args = ["--dir", dir, "--appendonly", "no", ...more];
  try {
    {
      await using server = await startServer({ workers: 2, args });
      using writer = await server.client();
      using saver = await server.client();
      const writing = (async () => {
        for (let i = 0; i < 6; i++) {
          await run(writer, "MSET", ...pairs(keys, String(i)));
          if (random.chance(0.5)) await run(writer, "DEL", ...keys);
        }
      })();
      await saver.run("SAVE");
      await writing;
      await saver.run("SHUTDOWN", "NOSAVE").catch(() => {});
    }
    await using server = await startServer({ workers: 2, args });
    using client = await server.client();
    const values = new Set(await run(client, "MGET", ...keys) as string[]);
    assertEquals(values.size, 1, [...values].join(" "));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
