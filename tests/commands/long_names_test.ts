/**
 * Keys with long names: what is there and what is replied is redis-server's, the log
 * has the same, and no memory is lost.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { hasRedisServer, startRedisServer } from "../_redis_server.ts";
import { type Argument, plain, type TestClient } from "../_resp_client.ts";
import { Random } from "../_random.ts";
import { until } from "../_patience.ts";
import { heard } from "./_heard.ts";
import { assertNothingLost, assertSameReplies } from "./_long_values.ts";
import { settled, slicesSuite, statistic } from "./_slices.ts";

const { suite } = slicesSuite();

/** Some of them are as long as others, and differ at their ends. */
const NAMES = Array.from(
  { length: 12 },
  (_, i) => `${"n".repeat(66_000 + (i & 1))}${i + 10}`,
);

/** Commands at random. */
function commandOf(random: Random): Argument[] {
  const name = () => random.pick(NAMES);
  const text = () => "v".repeat(random.pick([1, 64, 65, 70_000]));
  if (random.chance(0.5)) return makingCommandOf(random, name, text);
  switch (random.below(18)) {
    case 0:
      return ["SET", name(), text()];
    case 1:
      return ["SET", name(), text(), "EX", "1000"];
    case 2:
      return ["GET", name()];
    case 3:
      return ["MSET", name(), text(), "short", text(), name(), text()];
    case 4:
      return ["MGET", name(), "short", name()];
    case 5:
      return ["EXPIRE", name(), "1000"];
    case 6:
      return ["PERSIST", name()];
    case 7:
      return ["TTL", name()];
    case 8:
      return ["RENAME", name(), name()];
    case 9:
      return ["COPY", name(), name(), "REPLACE"];
    case 10:
      return ["DEL", name(), name()];
    case 11:
      return ["APPEND", name(), "text"];
    case 12:
      return ["HSET", name(), "f", text()];
    case 13:
      return ["SADD", name(), "a", "b"];
    case 14:
      return ["SUNIONSTORE", name(), name(), name()];
    case 15:
      return ["EXISTS", name(), name(), name()];
    case 16:
      return ["GETDEL", name()];
    default:
      return ["TYPE", name()];
  }
}

/** Those that may make a key, or have its entry made anew. */
function makingCommandOf(
  random: Random,
  name: () => string,
  text: () => string,
): Argument[] {
  const number = () => `${random.below(10)}`;
  switch (random.below(24)) {
    case 0:
      return ["SET", name(), text(), random.pick(["NX", "XX", "KEEPTTL"])];
    case 1:
      return ["MSETNX", name(), text(), name(), text()];
    case 2:
      return ["INCR", name()];
    case 3:
      return ["SETRANGE", name(), random.pick(["10", "100", "70000"]), "text"];
    case 4:
      return ["SETBIT", name(), random.pick(["7", "700"]), "1"];
    case 5:
      return ["GETSET", name(), text()];
    case 6:
      return ["GETEX", name(), ...random.pick([["EX", "1000"], ["PERSIST"]])];
    case 7:
      return ["RPUSH", name(), text(), text()];
    case 8:
      return ["LMOVE", name(), name(), "LEFT", "RIGHT"];
    case 9:
      return ["HINCRBY", name(), "f", number()];
    case 10:
      return ["SADD", name(), number(), number(), number()];
    case 11:
      return ["SMOVE", name(), name(), number()];
    case 12:
      return ["SINTERSTORE", name(), name(), name()];
    case 13:
      return ["ZADD", name(), number(), number()];
    case 14:
      return ["ZRANGESTORE", name(), name(), "0", "-1"];
    case 15:
      return ["XADD", name(), `${random.below(100)}-1`, "f", text()];
    case 16:
      return ["XGROUP", "CREATE", name(), number(), "$", "MKSTREAM"];
    case 17:
      return ["SORT", name(), "ALPHA", "STORE", name()];
    case 18:
      return ["BITOP", "NOT", name(), name()];
    case 19:
      return ["PFADD", name(), number()];
    case 20:
      return ["RENAMENX", name(), name()];
    case 21:
      return ["MOVE", name(), "1"];
    case 22:
      return ["COPY", name(), name(), "DB", "1"];
    default:
      return ["SADD", name(), ...Array.from({ length: 600 }, (_, i) => `${i}`)];
  }
}

async function assertSameKeys(
  client: TestClient,
  reference: TestClient,
): Promise<void> {
  const each = NAMES.flatMap((name) => [["TYPE", name], ["STRLEN", name]]);
  const asked = [...each, ["SELECT", "1"], ...each, ["SELECT", "0"]];
  await assertSameReplies(client, reference, asked, "keys");
}

/** The names that a walk through all keys finds. */
async function scanned(client: TestClient, count: string): Promise<string[]> {
  const names = new Set<string>();
  for (let cursor = "0";;) {
    const [next, found] = plain(
      await client.run("SCAN", cursor, "COUNT", count),
    ) as [string, string[]];
    for (const name of found) names.add(name);
    cursor = next;
    if (cursor === "0") return [...names].sort();
  }
}

suite("keys with long names are as in redis-server", async (client) => {
  if (!hasRedisServer("keys with long names")) return;
  await using redis = await startRedisServer();
  using reference = await redis.client({ resp: client.resp });
  const random = new Random(client.resp);
  for (let round = 1; round <= 24; round++) {
    const some = Array.from({ length: 8 }, () => commandOf(random));
    const commands = round % 4 === 0 ? [["MULTI"], ...some, ["EXEC"]] : some;
    await assertSameReplies(client, reference, commands, `round ${round}`);
  }
  const keys = plain(await reference.run("KEYS", "*")) as string[];
  assert((await scanned(client, "100")).join() === [...keys].sort().join());
  assert((await scanned(client, "1")).join() === [...keys].sort().join());
  await assertSameKeys(client, reference);
  await settled(client);
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  await assertSameKeys(client, reference);
  await client.pipeline([["SELECT", "1"], ["FLUSHDB"], ["SELECT", "0"]]);
  await assertNothingLost(client, [...NAMES, "short"]);
});

suite("a long name is replied while its key changes and goes", async (
  client,
) => {
  const name = "k".repeat(1 << 20);
  const [, drawn, , , [, found], , gone] = (await client.pipeline([
    ["SET", name, "v"],
    ["RANDOMKEY"],
    ["EXPIRE", name, "1000"],
    ["PERSIST", name],
    ["SCAN", "0", "COUNT", "1000"],
    ["RENAME", name, "{k}other"],
    ["RANDOMKEY"],
  ])).map(plain) as [
    null,
    string,
    null,
    null,
    [string, string[]],
    null,
    string,
  ];
  assert(drawn === name);
  assert(found.length === 1 && found[0] === name);
  assertEquals(gone, "{k}other");
  await client.run("DEL", "{k}other");
  await client.pipeline([["SET", name, "v", "PX", "1"], ["GET", name]]);
  await until(
    "it has expired",
    async () => plain(await client.run("EXISTS", name)) === 0,
  );
  await assertNothingLost(client, [name]);
});

suite("a key with a long name is changed in slices", async (client) => {
  const name = "k".repeat(1 << 20);
  const members = Array.from({ length: 3000 }, (_, i) => `${i}`);
  const replies = await client.pipeline([
    ["SADD", name, ...members],
    ["SREM", name, ...members.slice(10)],
    ["SCARD", name],
    ["DEL", name],
  ]);
  assertEquals(replies.map(plain), [3000, 2990, 10, 1]);
  await assertNothingLost(client, [name]);
});

suite("values of keys with long names are combined in the background", async (
  client,
) => {
  const [a, b, c, d] = NAMES as [string, string, string, string];
  const some = (from: number) =>
    Array.from({ length: 12_000 }, (_, i) => `${from + i}`);
  const jobs = () => statistic(client, "sherd_background_commands");
  await client.run("SADD", a, ...some(0));
  await client.run("SADD", b, ...some(8_000));
  const before = await jobs();
  const replies = await client.pipeline([
    ["SUNIONSTORE", c, a, b],
    ["SINTERSTORE", a, a, b],
    ["ZUNIONSTORE", d, "2", b, c, "WEIGHTS", "1", "2"],
    ["ZCOUNT", d, "3", "3"],
    ["COPY", c, a],
    ["COPY", c, a, "REPLACE"],
    ["RENAME", d, b],
    ["SORT", c, "BY", "nosort", "STORE", c],
    ["SINTERCARD", "2", a, a],
  ]);
  assertEquals(
    replies.map(plain),
    [20_000, 4_000, 20_000, 12_000, 0, 1, "OK", 20_000, 20_000],
  );
  assert(await jobs() >= before + 5);
  const facts = ["TYPE", "SCARD", "ZCARD", "LLEN"].flatMap((command) =>
    [a, b, c, d].map((name) => [command, name])
  );
  const told = async () =>
    (await client.pipeline(facts)).map((frame) => String(plain(frame)));
  const expected = await told();
  assertEquals(expected.slice(0, 4), ["set", "zset", "list", "none"]);
  const none = Array.from({ length: 3000 }, (_, i) => `none${i}`);
  assertEquals(plain(await client.run("SUNIONSTORE", d, a, ...none)), 20_000);
  const failed = await client.run("SUNIONSTORE", d, b, ...none, a);
  assert(/WRONGTYPE/.test(String(plain(failed))));
  await client.run("DEL", d);
  await settled(client);
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assertEquals(await told(), expected);
  await assertNothingLost(client, [a, b, c, d]);
});

suite("very many keys, some of them with long names", async (client) => {
  const names = [
    ...NAMES.slice(0, 4),
    ...Array.from({ length: 5000 }, (_, i) => `k${i}`),
    ...NAMES.slice(2, 6),
  ];
  const pairs = (tag: string) => names.flatMap((name, i) => [name, tag + i]);
  const slices = () => statistic(client, "sherd_sliced_commands");
  const before = await slices();
  const stored = plain(await client.run("MSET", ...pairs("a")));
  assertEquals(stored, "OK");
  // Of a key that is given twice the last value stays.
  const last = (tag: string) =>
    names.map((name) => tag + names.lastIndexOf(name));
  assertEquals(plain(await client.run("MGET", ...names)), last("a"));
  assertEquals(plain(await client.run("MSETNX", ...pairs("b"))), 0);
  assertEquals(plain(await client.run("MSET", ...pairs("c"))), "OK");
  assertEquals(plain(await client.run("MGET", ...names)), last("c"));
  assertEquals(plain(await client.run("EXISTS", ...names)), names.length);
  assertEquals(plain(await client.run("DEL", ...names)), names.length - 2);
  assertEquals(plain(await client.run("MSETNX", ...pairs("d"))), 1);
  assertEquals(plain(await client.run("MGET", ...names)), last("d"));
  assert(await slices() >= before + 9);
  await settled(client);
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assertEquals(plain(await client.run("MGET", ...names)), last("d"));
  await client.run("DEL", ...names);
  await assertNothingLost(client, names.slice(0, 2));
});

suite("keys with long names are watched and waited for", async (
  client,
  server,
) => {
  using other = await server.client();
  const names = NAMES.slice(0, 4);
  const [first, last] = [names[0]!, names[3]!];
  await client.run("WATCH", ...names, ...names);
  // Others that are as long, and the same ones of another database, are not these.
  await other.pipeline([
    ["SET", NAMES[6]!, "v"],
    ["SELECT", "1"],
    ["SET", first, "v"],
    ["DEL", first],
    ["SELECT", "0"],
  ]);
  const exec = [["MULTI"], ["GET", last], ["EXEC"]];
  assertEquals(plain((await client.pipeline(exec))[2]!), [null]);
  await client.run("WATCH", ...names);
  await other.run("SET", last, "v");
  assertEquals(plain((await client.pipeline(exec))[2]!), null);
  const popped = client.run("BLPOP", first, names[1]!, "0");
  await until(
    "it waits",
    async () =>
      /blocked_clients:1\r/.test(
        String(plain(await other.run("INFO", "clients"))),
      ),
  );
  await other.run("RPUSH", names[2]!, "no");
  await other.run("RPUSH", names[1]!, "v");
  const [name, value] = plain(await popped) as string[];
  assert(name === names[1]);
  assertEquals(value, "v");
  await client.run("DEL", ...NAMES);
  await assertNothingLost(client, NAMES);
});

suite("KEYS lists long names", async (client) => {
  const names = Array.from(
    { length: 12 },
    (_, i) => `${"n".repeat(300_000)}${i}`,
  );
  await client.run("MSET", ...names.flatMap((name) => [name, "v"]), "n", "v");
  const listed = plain(await client.run("KEYS", "n*")) as string[];
  assert(listed.sort().join() === [...names, "n"].sort().join());
  assertEquals(plain(await client.run("KEYS", "x*")), []);
  const exec = [["MULTI"], ["KEYS", "n*"], ["EXEC"]];
  const [, , replies] = await client.pipeline(exec);
  const [inside] = plain(replies!) as [string[]];
  assert(inside.sort().join() === listed.join());
  await assertNothingLost(client, [...names, "n"]);
});

suite("long names are listed in steps while keys come and go", async (
  client,
  server,
) => {
  using other = await server.client();
  const name = (i: number) => `${"n".repeat(70_000)}${i % 7}:${i}`;
  const staying = Array.from({ length: 20 }, (_, i) => name(2 * i));
  const going = Array.from({ length: 20 }, (_, i) => name(2 * i + 1));
  await client.run("MSET", ...staying.flatMap((each) => [each, "v"]));
  await client.run("CONFIG", "SET", "background-threshold", "1");
  const random = new Random(client.resp);
  for (let round = 0; round < 8; round++) {
    const changes = Array.from({ length: 12 }, () => {
      const [from, to] = [random.pick(going), random.pick(going)];
      return random.pick([["SET", to, "v"], ["DEL", to], ["RENAME", from, to]]);
    });
    const pattern = random.pick(["*", "n*", "*n?:*"]);
    const [, listed] = await Promise.all([
      other.pipeline(changes),
      client.run("KEYS", pattern),
    ]);
    const names = plain(listed) as string[];
    const distinct = new Set(names);
    assertEquals(distinct.size, names.length, "each is listed once");
    assert(staying.every((each) => distinct.has(each)));
    const all = [...staying, ...going];
    assert(names.every((each) => all.includes(each)));
  }
  const [, few] = plain(
    await client.run("SCAN", "0", "COUNT", "1000", "MATCH", "*n6:*"),
  ) as [string, string[]];
  const wanted = plain(await client.run("KEYS", "*n6:*")) as string[];
  assert(few.sort().join() === wanted.sort().join());
  assert(wanted.every((each) => each.includes("n6:")));
  await client.run("CONFIG", "SET", "background-threshold", "5000");
  await assertNothingLost(client, [...staying, ...going]);
});

suite("changes of watched keys with long names call transactions off", async (
  client,
  server,
) => {
  using other = await server.client();
  const name = NAMES[0]!;
  const changes = [
    ["SET", name, "v"],
    ["EXPIRE", name, "1000"],
    ["PERSIST", name],
    ["RENAME", name, NAMES[2]!],
    ["MSET", NAMES[1]!, "v", name, "w"],
    ["SADD", NAMES[4]!, "m"],
    ["SDIFFSTORE", name, NAMES[4]!],
    ["FLUSHALL"],
    ["RPUSH", name, "a", "b"],
    ["LMPOP", "2", NAMES[6]!, name, "LEFT"],
    ["DEL", name],
  ];
  const exec = [["MULTI"], ["PING"], ["EXEC"]];
  for (const change of changes) {
    await client.run("WATCH", name, "short");
    await other.run(...change);
    const isChanged = change[0] !== "SADD";
    const [, , reply] = await client.pipeline(exec);
    assertEquals(plain(reply!), isChanged ? null : ["PONG"], change[0]);
  }
  await assertNothingLost(client, NAMES);
});

suite("changes of keys with long names are told", async (client, server) => {
  const [first, second, third] = NAMES as [string, string, string];
  const changes = [
    ["MSET", first, "a", "short", "b", second, "c"],
    ["EXPIRE", second, "1000"],
    ["RENAME", first, third],
    ["DEL", second, third],
  ];
  const events = await heard(server, client, async () => {
    await client.pipeline(changes);
  });
  const keyspace = (name: string) => `__keyspace@0__:${name}`;
  const expected = [
    ...[first, "short", second].map((name) => `${keyspace(name)} set`),
    `${keyspace(second)} expire`,
    `${keyspace(first)} rename_from`,
    `${keyspace(third)} rename_to`,
    ...[second, third].map((name) => `${keyspace(name)} del`),
  ];
  // Those of several shards may be told in another order than redis-server's.
  assert(
    events.filter((event) => !event.endsWith(" new")).sort().join() ===
      expected.sort().join(),
  );
  using reader = await server.client({ resp: 3 });
  await reader.run("CLIENT", "TRACKING", "ON");
  await client.run("MSET", first, "a", second, "b");
  await reader.run("MGET", first, second, third, "short");
  await client.pipeline([["SET", first, "c"], ["SET", NAMES[4]!, "d"]]);
  const tell = async () => {
    const told = plain(await reader.readReply()) as [string, string[]];
    return told[1][0]!;
  };
  assert(await tell() === first);
  await client.run("DEL", third, second);
  assert(await tell() === second);
  await client.run("SET", "short", "e");
  assert(await tell() === "short");
  await reader.run("CLIENT", "TRACKING", "OFF");
  await reader.run("CLIENT", "TRACKING", "ON", "BCAST");
  await client.run("SET", first, "f");
  assert(await tell() === first);
  await assertNothingLost(client, [...NAMES, "short"]);
});

suite("those who wait for keys with long names are served", async (
  client,
  server,
) => {
  const [first, second, third] = NAMES as [string, string, string];
  const waits: [string[], string[], unknown][] = [
    [["BLPOP", second, first, "0"], ["RPUSH", first, "a"], [first, "a"]],
    [["BRPOP", first, first, "0"], ["RPUSH", first, "a", "b"], [first, "b"]],
    [
      ["BLMPOP", "0", "2", second, first, "LEFT", "COUNT", "9"],
      ["RPUSH", first, "c"],
      [first, ["c"]],
    ],
    [
      ["BLMPOP", "0", "2", second, third, "LEFT", "COUNT", "5000"],
      ["RPUSH", third, ...Array.from({ length: 4000 }, (_, i) => `${i}`)],
      [third, Array.from({ length: 4000 }, (_, i) => `${i}`)],
    ],
    [
      ["BLMOVE", second, third, "LEFT", "RIGHT", "0"],
      ["LPUSH", second, "m"],
      "m",
    ],
    [
      ["BZPOPMIN", third, second, "0"],
      ["ZADD", second, "1", "m"],
      [second, "m", client.resp === 3 ? 1 : "1"],
    ],
    [
      ["XREAD", "BLOCK", "0", "STREAMS", first, second, "$", "$"],
      ["XADD", second, "1-1", "f", "v"],
      client.resp === 3
        ? { [second]: [["1-1", ["f", "v"]]] }
        : [[second, [["1-1", ["f", "v"]]]]],
    ],
  ];
  using other = await server.client();
  for (const [wait, change, expected] of waits) {
    await other.run("DEL", first, second, third);
    using crowd = await server.client({ resp: client.resp });
    const replies = [client.run(...wait)];
    const waiting = async (count: number) =>
      await until("they wait", async () => {
        const info = String(plain(await other.run("INFO", "clients")));
        return info.includes(`blocked_clients:${count}\r`);
      });
    await waiting(1);
    replies.push(crowd.run(...wait));
    await waiting(2);
    // What is there for both is there for one at a time.
    await other.run(...change);
    const served = plain(await replies[0]!);
    assert(sameText(served, expected), wait[0]);
    if (wait[0] === "XREAD") {
      assert(sameText(plain(await replies[1]!), expected));
    } else {
      if (wait[0] !== "BRPOP") await other.run(...change);
      const next = wait[0] === "BRPOP" ? [first, "a"] : expected;
      assert(sameText(plain(await replies[1]!), next), wait[0]);
    }
    await waiting(0);
  }
  {
    // Who leaves meanwhile is given nothing.
    using gone = await server.client();
    gone.run("BLPOP", first, "0").catch(() => {});
    await until("it waits", async () => {
      const info = String(plain(await other.run("INFO", "clients")));
      return info.includes("blocked_clients:1\r");
    });
  }
  await until("it is gone", async () => {
    const info = String(plain(await other.run("INFO", "clients")));
    return info.includes("blocked_clients:0\r");
  });
  await other.run("DEL", first, second, third);
  assertEquals(plain(await client.run("BLPOP", first, "0.01")), null);
  await other.run("RPUSH", first, "x");
  assertEquals(plain(await other.run("LRANGE", first, "0", "-1")), ["x"]);
  await other.run("SET", second, "v", "PX", "1");
  await until(
    "it has expired",
    async () => plain(await other.run("EXISTS", second)) === 0,
  );
  await settled(client);
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assert(plain(await client.run("KEYS", "*"))!.toString() === first);
  assertEquals(plain(await other.run("LRANGE", first, "0", "-1")), ["x"]);
  await assertNothingLost(client, NAMES);
});

/** Whether two replies are the same, without printing megabytes. */
function sameText(a: unknown, b: unknown): boolean {
  const text = (value: unknown) =>
    JSON.stringify(
      value,
      (_, each) => each instanceof Map ? Object.fromEntries(each) : each,
    );
  return text(a) === text(b);
}

suite("keys with long names are saved, and their log is written anew", async (
  client,
) => {
  const random = new Random(client.resp + 10);
  const names = [...NAMES, "n".repeat(1_200_000)];
  const value = (name: string): string[] =>
    random.pick([
      ["SET", name, "v"],
      ["SET", name, "v".repeat(100_000), "EX", "1000"],
      ["SADD", name, "1", "2"],
      ["RPUSH", name, ...Array.from({ length: 3000 }, (_, i) => `${i}`)],
    ]);
  const digest = async () => plain(await client.run("DEBUG", "DIGEST"));
  for (const name of names) await client.run(...value(name));
  const before = await digest();
  assertEquals(plain(await client.run("DEBUG", "RELOAD")), "OK");
  assertEquals(await digest(), before);
  await client.pipeline([
    ["BGREWRITEAOF"],
    ...names.slice(0, 6).flatMap((name) => [
      random.pick([["DEL", name], ["RENAME", name, names.at(-1)!]]),
      ["DEL", name],
      value(name),
      ["EXPIRE", names.at(-2)!, "2000"],
    ]),
  ]);
  await until("the log is written anew", async () => {
    const info = String(plain(await client.run("INFO", "persistence")));
    return info.includes("aof_rewrite_in_progress:0\r") &&
      info.includes("aof_rewrite_scheduled:0\r");
  });
  const after = await digest();
  await settled(client);
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assertEquals(await digest(), after);
  await assertNothingLost(client, names);
});
