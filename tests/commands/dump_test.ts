/** DUMP and RESTORE, but for what redis-server makes of their bytes. */
import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { framed } from "../_dump_frame.ts";
import { plain, type TestClient } from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const LARGE_BYTES = 3_000_000;

async function dump(client: TestClient, key: string): Promise<Uint8Array> {
  const reply = await client.run("DUMP", key);
  if (reply.type !== "bulk") throw new Error(`DUMP ${key}: ${reply.type}`);
  return reply.value;
}

commandSuite(
  "DUMP and RESTORE copy keys between shards",
  async ({ client }) => {
    const tags = tagsOnDistinctSlots(4);
    for (const [i, tag] of tags.entries()) {
      await client.run("SET", `{${tag}}s`, `value ${i}`);
      await client.run(
        "HSET",
        `{${tag}}h`,
        "f",
        `${i}`,
        "g",
        "x".repeat(i * 30),
      );
    }
    for (const [i, tag] of tags.entries()) {
      const other = tags[(i + 1) % tags.length];
      const string = await dump(client, `{${tag}}s`);
      const hash = await dump(client, `{${tag}}h`);
      await expectReplies(client, [
        [["RESTORE", `{${other}}s2`, "0", string], "OK"],
        [`GET {${other}}s2`, `value ${i}`],
        [`TTL {${other}}s2`, -1],
        [["RESTORE", `{${other}}h2`, "0", hash], "OK"],
        [`HMGET {${other}}h2 f g`, [`${i}`, "x".repeat(i * 30)]],
        [
          `OBJECT ENCODING {${other}}h2`,
          i === 3 ? "hashtable" : "listpack",
        ],
      ]);
    }
    await expectReplies(client, [["DUMP nothing", null]]);
  },
);

commandSuite(
  "RESTORE tells what is wrong, first things first",
  async ({ client }) => {
    await client.run("SET", "k", "v");
    const good = await dump(client, "k");
    const bad = good.slice();
    bad[2]! ^= 1;
    const newer = good.slice();
    newer[newer.length - 10] = 13;
    const busy = "-BUSYKEY Target key name already exists.";
    const syntax = "-ERR syntax error";
    const integer = "-ERR value is not an integer or out of range";
    const ttl = "-ERR Invalid TTL value, must be >= 0";
    const wrong = "-ERR DUMP payload version or checksum are wrong";
    await expectReplies(client, [
      [
        ["RESTORE", "k", "0"],
        "-ERR wrong number of arguments for 'restore' command",
      ],
      [["RESTORE", "k", "x", bad, "REPLACED"], syntax],
      [["RESTORE", "k", "x", bad, "IDLETIME"], syntax],
      [["RESTORE", "k", "x", bad, "IDLETIME", "x"], integer],
      [
        ["RESTORE", "k", "x", bad, "IDLETIME", "-1"],
        "-ERR Invalid IDLETIME value, must be >= 0",
      ],
      [["RESTORE", "k", "x", bad, "IDLETIME", "1", "FREQ", "1"], syntax],
      [["RESTORE", "k", "x", bad, "FREQ", "1", "IDLETIME", "1"], syntax],
      [
        ["RESTORE", "k", "x", bad, "FREQ", "256"],
        "-ERR Invalid FREQ value, must be >= 0 and <= 255",
      ],
      [["RESTORE", "k", "x", bad, "ABSTTL"], busy],
      [["RESTORE", "k", "x", bad, "REPLACE"], integer],
      [["RESTORE", "k", "-1", bad, "REPLACE"], ttl],
      [["RESTORE", "k", "0", bad, "REPLACE"], wrong],
      [["RESTORE", "k", "0", newer, "REPLACE"], wrong],
      [["RESTORE", "k", "0", "", "REPLACE"], wrong],
      [["RESTORE", "k", "0", good.slice(3), "REPLACE"], wrong],
      ["GET k", "v"],
      [["RESTORE", "k", "0", good, "replace", "absttl"], "OK"],
      [
        ["RESTORE", "k", "0", good, "Replace", "REPLACE", "IDLETIME", "3"],
        "OK",
      ],
      ["GET k", "v"],
      // What a cluster sends that moves a key.
      [["RESTORE-ASKING", "k", "0", good], busy],
      [["RESTORE-ASKING", "moved", "0", good], "OK"],
      ["GET moved", "v"],
    ]);
  },
);

commandSuite("RESTORE refuses what is no value", async ({ client }) => {
  await client.run("SET", "k", "v");
  const values = ["", "\0", "\0\x05sho", "\x04\0", "\x08\0", "\xff"];
  for (const value of values) {
    const bytes = framed(Uint8Array.from(value, (c) => c.charCodeAt(0)));
    for (const key of ["k", "other"]) {
      assertEquals(
        await ask(client, ["RESTORE", key, "0", bytes, "REPLACE"]),
        "-ERR Bad data format",
        value,
      );
    }
  }
  await expectReplies(client, [["GET k", "v"], ["EXISTS other", 0]]);
});

commandSuite("RESTORE sets when the key expires", async ({ client }) => {
  await client.run("SET", "k", "v", "EX", "1000");
  const bytes = await dump(client, "k");
  await client.run("RESTORE", "a", "50000", bytes);
  const left = Number(await ask(client, "PTTL a"));
  assertLessOrEqual(left, 50_000);
  assertGreater(left, 40_000);
  const atMs = Date.now() + 70_000;
  await expectReplies(client, [
    [["RESTORE", "b", `${atMs}`, bytes, "ABSTTL"], "OK"],
    ["PEXPIRETIME b", atMs],
    [["RESTORE", "b", "0", bytes, "ABSTTL", "REPLACE"], "OK"],
    ["PEXPIRETIME b", -1],
    // What has expired is not there, nor what it replaces.
    [["RESTORE", "c", "1", bytes, "ABSTTL"], "OK"],
    ["EXISTS c", 0],
    [["RESTORE", "b", "1", bytes, "ABSTTL", "REPLACE"], "OK"],
    ["EXISTS b", 0],
    [["RESTORE", "b", "9223372036854775807", bytes], "OK"],
    ["EXISTS b", 0],
    ["DBSIZE", 2],
  ]);
});

commandSuite("RESTORE sets how the key was used", async ({ client }) => {
  await client.run("SET", "k", "v");
  const bytes = await dump(client, "k");
  await client.run("RESTORE", "a", "0", bytes, "IDLETIME", "1000");
  const idle = Number(await ask(client, "OBJECT IDLETIME a"));
  assertGreaterOrEqual(idle, 1000);
  assertLess(idle, 1010);
  await expectReplies(client, [
    [["RESTORE", "b", "0", bytes, "IDLETIME", "99999999999"], "OK"],
    ["CONFIG SET maxmemory-policy allkeys-lfu", "OK"],
    [["RESTORE", "a", "0", bytes, "FREQ", "123", "REPLACE"], "OK"],
    ["OBJECT FREQ a", 123],
    [["RESTORE", "a", "0", bytes, "REPLACE"], "OK"],
    ["OBJECT FREQ a", 5],
    ["CONFIG SET maxmemory-policy noeviction", "OK"],
  ]);
  assertGreater(Number(await ask(client, "OBJECT IDLETIME b")), 8_000_000);
});

commandSuite("DUMP and RESTORE of long values", async ({ client }) => {
  // The first is sent from where it lies, the others from a run.
  const noise = Array.from({ length: 1000 }, (_, i) => `${i * 7919 % 1009}`);
  const long = noise.join(",").repeat(1000).slice(0, LARGE_BYTES);
  await client.run("SET", "long", long);
  await client.run("SET", "half", long.slice(0, 500_000));
  await client.run("HSET", "hash", "a", long, "b", "1", "c", long);
  for (const key of ["long", "half", "hash"]) {
    const [bytes, , ping] = await client.pipeline([
      ["DUMP", key],
      ["DEL", `${key}2`],
      ["PING"],
    ]);
    assertEquals(plain(ping!), "PONG");
    assert(bytes!.type === "bulk");
    assertEquals(
      await ask(client, ["RESTORE", `${key}2`, "0", bytes.value]),
      "OK",
    );
  }
  await expectReplies(client, [
    ["GET long2", long],
    ["GET half2", long.slice(0, 500_000)],
    ["HMGET hash2 a b c", [long, "1", long]],
    ["CONFIG SET rdbcompression no", "OK"],
  ]);
  assertGreater((await dump(client, "half")).length, 500_000);
  await client.run("CONFIG", "SET", "rdbcompression", "yes");
  assertLess((await dump(client, "half")).length, 100_000);
});

commandSuite(
  "RESTORE is seen by who watches the key",
  async ({ client, server }) => {
    using other = await server.client();
    await client.run("SET", "k", "v");
    const bytes = await dump(client, "k");
    for (
      const argv of [
        ["RESTORE", "k", "0", bytes, "REPLACE"],
        // It deletes the key.
        ["RESTORE", "k", "1", bytes, "REPLACE", "ABSTTL"],
        ["RESTORE", "k", "0", bytes],
      ]
    ) {
      await client.run("WATCH", "k");
      assertEquals(await ask(other, argv), "OK");
      await expectReplies(client, [
        ["MULTI", "OK"],
        ["SET k changed", "QUEUED"],
        ["EXEC", null],
      ]);
    }
  },
);

commandSuite(
  "DUMP of a long string inside of a transaction",
  async ({ client }) => {
    const long = "0123456789".repeat(200_000);
    await client.run("SET", "k", long);
    const bytes = await dump(client, "k");
    const replies = await client.pipeline([
      ["MULTI"],
      ["DUMP", "k"],
      ["GET", "k"],
      ["RESTORE", "k2", "0", bytes],
      ["EXEC"],
    ]);
    const done = replies.at(-1)!;
    assert(done.type === "array" && done.value.length === 3);
    const [dumped, read, restored] = done.value;
    assert(dumped!.type === "bulk" && dumped!.value.length === bytes.length);
    assertEquals(dumped!.value, bytes);
    assertEquals(plain(read!), long);
    assertEquals(plain(restored!), "OK");
    await expectReplies(client, [["GET k2", long]]);
  },
);
