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
import { Holder, texts } from "./_locks.ts";
import { ask } from "./_replies.ts";
import { settled, slicesSuite, statistic } from "./_slices.ts";
import { Crowd } from "./_waiting.ts";

/** More keys are gone through in slices. */
const AT_ONCE = 40;
const COUNT = 3 * AT_ONCE;
/** Keys that take several turns. */
const MANY = 2500;

const more = ["--background-threshold-keys", String(AT_ONCE)];
const { suite, servers } = slicesSuite({ events: "KEAn", more });

const sliced = (client: TestClient) =>
  statistic(client, "sherd_sliced_commands");

/** Names of keys on all shards. */
function names(count: number, prefix = "key:"): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

const pairs = (keys: readonly string[], value: string) =>
  keys.flatMap((key) => [key, value]);

const run = (client: TestClient, ...argv: Argument[]) => ask(client, argv);

/** Nothing is locked any more, and nobody waits for a lock. */
function expectNothing(client: TestClient): Promise<void> {
  return until("nothing is locked", async () => {
    const counts = await ask(client, "DEBUG KEYLOCK COUNTS") as number[];
    return counts.every((count) => count === 0);
  });
}

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
});

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
    await run(client, "MSET", ...pairs(few, "y"));
    assertEquals(await sliced(client), before + 1);
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
    await expectNothing(client);
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
    await expectNothing(client);
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
        assertEquals(
          await run(own, "MSET", ...pairs(keys, value + round)),
          "OK",
        );
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
    await expectNothing(client);
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
    const digest = await ask(client, "DEBUG DIGEST");
    assertEquals(await ask(client, "DEBUG LOADAOF"), "OK");
    assertEquals(await ask(client, "DEBUG DIGEST"), digest);
    assertEquals(await run(client, "MGET", ...keys.slice(0, 3)), [
      ...["later", "last", "v"],
    ]);
    assertEquals(await run(client, "DBSIZE"), 50);
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
      [["MGET", ...some]],
      [[random.pick(["DEL", "UNLINK"]), ...some]],
      [[random.pick(["EXISTS", "TOUCH"]), ...some]],
      [["SET", some[0]!, value], ["GET", some[1]!], ["DEL", some[2]!]],
      [["MULTI"], ["MSET", ...pairs(some, value)], ["MGET", ...some], ["EXEC"]],
      [["WATCH", ...some], ["MULTI"], ["DBSIZE"], ["EXEC"]],
      [["SADD", some[3]!, "a"], ["SUNIONSTORE", some[4]!, some[3]!, some[5]!]],
      [
        ["DEBUG", "KEYLOCK", "TRY", holder, "WRITE", some[6]!],
        ["DEBUG", "KEYLOCK", "CLOSE", holder],
      ],
      [[random.pick(["FLUSHDB", "DBSIZE"])], ["SWAPDB", "0", "1"]],
      [["KEYS", "*"], ["RANDOMKEY"], ["SCAN", "0"]],
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
      for (const client of clients) {
        const keys = names(MANY);
        await client.sendCommands([["MSET", ...pairs(keys, "v")]]);
        client.close();
      }
      await expectNothing(admin);
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
