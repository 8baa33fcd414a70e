/**
 * Long strings that the log gets in other words than they came, or whose keys
 * change in slices: replies are redis-server's, and what the log has is the same.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { equalBytes } from "../../src/core/base/bytes.ts";
import { hasRedisServer, startRedisServer } from "../_redis_server.ts";
import { plain, type TestClient } from "../_resp_client.ts";
import {
  assertSameValues,
  longCommands,
  type Values,
  valuesOf,
} from "./_long_strings.ts";
import { slicesSuite } from "./_slices.ts";

const { suite } = slicesSuite({ runs: [[1, 3], [3, 2]] });

/** Sends them, a few at once; returns the replies as they are. */
async function replies(client: TestClient): Promise<Uint8Array[]> {
  const frames = await client.pipelineFrames(longCommands());
  return frames.map(({ raw }) => raw.slice());
}

async function reload(client: TestClient): Promise<Values> {
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  return await valuesOf(client);
}

suite("long strings are in the log as they are", async (client) => {
  const own = await replies(client);
  const before = await valuesOf(client);
  assertSameValues(await reload(client), before);
  if (!hasRedisServer("replies of long strings")) return;
  await using redis = await startRedisServer();
  using reference = await redis.client({ resp: client.resp });
  const commands = longCommands();
  for (const [i, expected] of (await replies(reference)).entries()) {
    const { length } = expected;
    const name = commands[i]!.map((word) => String(word).slice(0, 20));
    assert(
      own[i]!.length === length &&
        equalBytes(own[i]!, 0, length, expected, 0, length),
      `${name}: ${plain(await client.run("ECHO", own[i]!.slice(0, 99)))}`,
    );
  }
  const keys = plain(await reference.run("KEYS", "*")) as string[];
  assertEquals(keys.sort(), [...before.keys()]);
});

suite("long payloads are in the log as they were restored", async (client) => {
  await client.run("SET", "text", new Uint8Array(5 << 18).fill(65));
  await client.run("RPUSH", "list", new Uint8Array(5 << 18).fill(66), "b");
  const soon = String(Date.now() + 1_000_000);
  const keys = ["text", "list"];
  for (const key of ["text", "list"]) {
    const dumped = await client.run("DUMP", key);
    assert(dumped.type === "bulk");
    const payload = dumped.value!;
    const ways = [
      ["0"],
      ["0", "REPLACE"],
      ["900000", "REPLACE"],
      ["900000"],
      [soon, "ABSTTL"],
      ["1", "ABSTTL"],
    ];
    for (const [i, [ttl, ...options]] of ways.entries()) {
      const name = `${key}:${i}`;
      if (options[0] === "REPLACE") await client.run("HSET", name, "f", "v");
      const argv = ["RESTORE", name, ttl!, payload, ...options];
      assertEquals(plain(await client.run(...argv)), "OK");
      keys.push(name);
    }
  }
  const picture = async () => {
    const looks = keys.flatMap((key) => [
      ["DEBUG", "DIGEST-VALUE", key],
      ["PEXPIRETIME", key],
    ]);
    return (await client.pipeline(looks)).map(plain);
  };
  const before = await picture();
  assert(before.includes(Number(soon)), String(before));
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assertEquals(await picture(), before);
});

suite("a long string grows into the room behind it", async (client) => {
  const had = 10 << 20;
  const end = 12 << 20;
  await client.run("SET", "junk", new Uint8Array(2 * had).fill(90));
  await client.run("DEL", "junk");
  await client.run("SET", "text", new Uint8Array(had).fill(65));
  // A quarter more than asked, so that appending stays linear.
  await client.run("APPEND", "text", "b");
  await client.run("COPY", "text", "other");
  await client.run("APPEND", "other", "b");
  const [ranged, appended] = await client.pipeline([
    ["SETRANGE", "text", String(end + 100_000), "c"],
    ["APPEND", "other", new Uint8Array(end - had).fill(68)],
  ]);
  assertEquals(plain(ranged!), end + 100_001);
  assertEquals(plain(appended!), end + 2);
  const expected = new Uint8Array(end + 100_001);
  expected.fill(65, 0, had);
  expected[had] = 98;
  expected[end + 100_000] = 99;
  const text = await client.run("GET", "text");
  assert(text.type === "bulk" && text.value.length === expected.length);
  assert(
    equalBytes(text.value, 0, text.value.length, expected, 0, expected.length),
  );
  const other = await client.run("GET", "other");
  const longer = new Uint8Array(end + 2).fill(68);
  longer.fill(65, 0, had);
  longer.fill(98, had, had + 2);
  assert(other.type === "bulk" && other.value.length === longer.length);
  assert(equalBytes(other.value, 0, longer.length, longer, 0, longer.length));
});
