import { assert, assertEquals } from "@std/assert";
import { until } from "../_patience.ts";
import { plain, type TestClient } from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { statistic } from "./_slices.ts";
import { commandSuite } from "./_suite.ts";

const BAD_CURSOR = "-ERR invalid cursor";
const SYNTAX = "-ERR syntax error";

function namesOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `key:${i}`);
}

async function fill(client: TestClient, names: readonly string[]) {
  await client.pipeline(names.map((name) => ["SET", name, "v"]));
}

/** All calls of a scan from its start to its end. */
async function scan(client: TestClient, ...options: string[]) {
  const calls: string[][] = [];
  let cursor = "0";
  do {
    const reply = await ask(client, ["SCAN", cursor, ...options]);
    const [next, keys] = reply as [string, string[]];
    calls.push(keys);
    cursor = next;
  } while (cursor !== "0");
  return calls;
}

commandSuite(
  "SCAN finds every key once when nothing changes",
  async ({ client }) => {
    const names = namesOf(2000);
    await fill(client, names);
    const calls = await scan(client);
    assertEquals(calls.flat().sort(), names.toSorted());
    const most = Math.max(...calls.map((keys) => keys.length));
    assert(calls.length > 60 && most < 120, `${calls.length} calls, ${most}`);
    const wide = await scan(client, "COUNT", "500");
    assertEquals(wide.flat().length, 2000);
    assert(wide.length < 10);
  },
);

commandSuite("SCAN filters by pattern and type", async ({ client }) => {
  await fill(client, namesOf(300));
  const matching = (await scan(client, "MATCH", "key:1?")).flat().sort();
  assertEquals(matching, namesOf(20).slice(10));
  assertEquals((await scan(client, "TYPE", "STRING")).flat().length, 300);
  assertEquals((await scan(client, "TYPE", "list")).flat(), []);
  assertEquals((await scan(client, "type", "bogus")).flat(), []);
  const all = await scan(client, "match", "*", "count", "1000");
  assertEquals(all.flat().length, 300);
});

commandSuite("SCAN takes a small database in one call", async ({ client }) => {
  await fill(client, namesOf(5));
  assertEquals((await scan(client)).length, 1);
});

commandSuite("SCAN refuses bad cursors and options", async ({ client }) => {
  await expectReplies(client, [
    ["SCAN abc", BAD_CURSOR],
    [["SCAN", " 0"], BAD_CURSOR],
    ["SCAN 18446744073709551616", BAD_CURSOR],
    ["SCAN x COUNT x", BAD_CURSOR],
    ["SCAN 0 COUNT x", "-ERR value is not an integer or out of range"],
    ["SCAN 0 COUNT 0", SYNTAX],
    ["SCAN 0 COUNT -1", SYNTAX],
    ["SCAN 0 MATCH", SYNTAX],
    ["SCAN 0 BOGUS x", SYNTAX],
    [["SCAN", ""], ["0", []]],
    ["SCAN -1", ["0", []]],
    ["SCAN +0", ["0", []]],
  ]);
});

commandSuite(
  "SCAN deletes expired keys that match",
  async ({ client, workers }) => {
    await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "0");
    await client.pipeline(
      namesOf(100).map((name) => ["SET", name, "v", "PX", "1"]),
    );
    // The last one that was made is the last one to expire.
    while (await ask(client, "GET key:99") !== null);
    assertEquals((await scan(client, "MATCH", "*:1*")).flat(), []);
    const left = await ask(client, "DBSIZE") as number;
    assert(workers > 0 && left <= 89, `${left} left`);
    await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "1");
  },
);

commandSuite("SCAN with a large COUNT goes on in turns", async ({ client }) => {
  const names = namesOf(30_000);
  await fill(client, names);
  await client.run("SADD", "set", "member");
  await client.run("SET", `long:${"x".repeat(10_000)}`, "v");
  const all = await scan(client, "COUNT", "1000000");
  assertEquals(all.length, 1);
  assertEquals(all[0]!.length, names.length + 2);
  const some = await scan(client, "COUNT", "1000000", "MATCH", "key:*7");
  assertEquals(
    some.flat().sort(),
    names.filter((name) => name.endsWith("7")).sort(),
  );
  const long = await scan(client, "MATCH", "long:*", "COUNT", "1000000");
  assertEquals(long.flat().map(({ length }) => length), [10_005]);
  const sets = await scan(client, "COUNT", "1000000", "TYPE", "set");
  assertEquals(sets, [["set"]]);
  // Several calls, each of several turns.
  const parts = await scan(client, "COUNT", "11000");
  assert(parts.length >= 3, `${parts.length} calls`);
  assertEquals(new Set(parts.flat()).size, names.length + 2);
  // Replies keep their order, and a transaction does it at once.
  const replies = await client.pipeline([
    ["ECHO", "before"],
    ["SCAN", "0", "COUNT", "20000"],
    ["ECHO", "behind"],
    ["MULTI"],
    ["SCAN", "0", "COUNT", "1000000"],
    ["EXEC"],
  ]);
  assertEquals(plain(replies[0]!), "before");
  assertEquals(plain(replies[2]!), "behind");
  const [[, inside]] = plain(replies[5]!) as [[string, string[]]];
  assertEquals(inside.length, names.length + 2);
});

commandSuite("KEYS names what matches", async ({ client }) => {
  const names = namesOf(3000);
  await fill(client, names);
  const sorted = async (pattern: string) =>
    (await ask(client, ["KEYS", pattern]) as string[]).sort();
  assertEquals(await sorted("*"), names.toSorted());
  assertEquals(await sorted("key:12?"), namesOf(130).slice(120));
  assertEquals(await sorted("nothing*"), []);
  assertEquals(await sorted("key:7"), ["key:7"]);
  await expectReplies(client, [["SELECT 1", "OK"], ["KEYS *", []]]);
});

commandSuite("KEYS lists names of kilobytes in steps", async ({ client }) => {
  // Some of a slice, of a buffer, and of a turn.
  const sizes = [100, 1500, 12_000, 30_000, 60_000];
  const names = Array.from(
    { length: 400 },
    (_, i) => `${i % 7}:${i}:${"n".repeat(sizes[i % sizes.length]!)}`,
  );
  await fill(client, names);
  const replies = await client.pipeline([
    ["KEYS", "*"],
    ["KEYS", "3:*"],
    // Only the listed ones are named, however late the reply is.
    ["DEL", ...names.slice(100)],
    ["KEYS", "*"],
  ]);
  const [all, some, , left] = replies.map((reply) => plain(reply));
  const sorted = (reply: unknown) => (reply as string[]).sort().join();
  assert(sorted(all) === names.toSorted().join());
  const wanted = names.filter((name) => name.startsWith("3:"));
  assert(sorted(some) === wanted.sort().join());
  assert(sorted(left) === names.slice(0, 100).sort().join());
});

commandSuite("RANDOMKEY names any key", async ({ client }) => {
  await expectReplies(client, [
    ["RANDOMKEY", null],
    ["SET one 1", "OK"],
    ["RANDOMKEY", "one"],
  ]);
  await fill(client, namesOf(20));
  const replies = await client.pipeline(
    Array.from({ length: 600 }, () => ["RANDOMKEY"]),
  );
  const seen = new Set(replies.map((reply) => String(plain(reply))));
  assertEquals(seen.size, 21);
});

commandSuite("RANDOMKEY lets others have their turn", async (context) => {
  const { client, server } = context;
  using other = await server.client();
  const parked = () => statistic(client, "sherd_lock_parked_commands");
  await ask(client, "DEBUG SET-ACTIVE-EXPIRE 0");
  const names = namesOf(500);
  const expired = names.map((name) => ["SET", name, "v", "PX", "1"]);
  const letExpire = async () => {
    await client.pipeline(expired);
    await until("all have expired", async () => {
      return await ask(client, ["EXISTS", names.at(-1)!]) === 0;
    });
  };
  for (const live of [null, "live"]) {
    await letExpire();
    if (live !== null) await ask(client, "SET live v");
    const before = await parked();
    const replies = await Promise.all([
      client.pipeline([["RANDOMKEY"], ["PING"]]),
      other.pipeline([["PING"], ["RANDOMKEY"]]),
    ]);
    assertEquals(replies.map((two) => two.map(plain)), [
      [live, "PONG"],
      ["PONG", live],
    ]);
    if (live === null) {
      assert(await parked() > before, "none had to wait");
      await expectReplies(client, [["DBSIZE", 0]]);
    }
  }
  await letExpire();
  const replies = await client.pipeline([["MULTI"], ["RANDOMKEY"], ["EXEC"]]);
  assertEquals(plain(replies[2]!), ["live"]);
  await ask(client, "DEBUG SET-ACTIVE-EXPIRE 1");
});
