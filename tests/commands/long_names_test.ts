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
