/**
 * Commands that travel to the owner of their shard: the same replies, in the
 * same order, as when they run in place.
 *
 * @module
 */

import { assertEquals, assertGreater } from "@std/assert";
import { seeded, startServer, tagsOnDistinctSlots } from "../_harness.ts";
import { encodeCommands, plain, type TestClient } from "../_resp_client.ts";

async function info(client: TestClient, field: string): Promise<number> {
  const text = plain(await client.run("INFO", "all")) as string;
  const line = text.split("\r\n").find((l) => l.startsWith(`${field}:`));
  return Number(line?.slice(field.length + 1));
}

for (const resp of [2, 3] as const) {
  seeded(
    `forwarded commands answer as those in place (RESP${resp})`,
    async (random) => {
      await using server = await startServer({ workers: 4, resp });
      using admin = await server.client();
      using client = await server.client();
      using twin = await server.client();
      const tags = tagsOnDistinctSlots(8);
      const scripts: (string | number)[][] = [];
      for (let i = 0; i < 400; i++) {
        const key = `{${random.pick(tags)}}${random.below(5)}`;
        const other = `{${random.pick(tags)}}${random.below(5)}`;
        scripts.push(random.pick<(string | number)[]>([
          ["SET", key, `value ${i}`],
          ["SET", key, i],
          ["INCR", key],
          ["APPEND", key, "x".repeat(random.below(200_000))],
          ["GET", key],
          ["GETRANGE", key, -100, -1],
          ["MSET", key, `a${i}`, other, `b${i}`],
          ["MGET", key, other],
          ["RENAME", key, other],
          ["DEL", key, other],
          ["STRLEN", key],
          ["LCS", key, key, "LEN"],
          ["NOSUCH", key],
          ["GET"],
        ]));
      }
      const half = scripts.length / 2;
      const inPlace = await twin.pipeline(scripts);
      await admin.run("FLUSHALL");
      const before = await info(admin, "sherd_commands_forwarded");
      assertEquals(plain(await admin.run("DEBUG", "ROUTE", "OWNER")), "OK");
      // One pipeline after the other, to be cut anywhere.
      const first = await client.pipeline(scripts.slice(0, half));
      const second = await client.pipeline(scripts.slice(half));
      assertEquals([...first, ...second].map(plain), inPlace.map(plain));
      const after = await info(admin, "sherd_commands_forwarded");
      assertGreater(after - before, 100);
      assertEquals(plain(await admin.run("DEBUG", "ROUTE", "IN-PLACE")), "OK");
      assertEquals(await info(admin, "blocked_clients"), 0);
    },
    { count: 2 },
  );
}

Deno.test("SORT with patterns travels, and finds keys of all shards", async () => {
  await using server = await startServer({ workers: 4 });
  using client = await server.client();
  await client.run("DEBUG", "ROUTE", "OWNER");
  const tags = tagsOnDistinctSlots(8);
  await client.run("RPUSH", "list", ...tags);
  for (const [i, tag] of tags.entries()) {
    await client.run("SET", `w{${tag}}`, String(i * 3 % 8));
    await client.run("HSET", `h{${tag}}`, "f", `of ${tag}`);
  }
  const sorted = [...tags.keys()].sort((a, b) => a * 3 % 8 - b * 3 % 8)
    .map((i) => `of ${tags[i]}`);
  const line = ["SORT", "list", "BY", "w{*}", "GET", "h{*}->f"];
  assertEquals(plain(await client.run(...line)), sorted);
  const target = `{${tags[5]}}sorted`;
  assertEquals(plain(await client.run(...line, "STORE", target)), 8);
  assertEquals(plain(await client.run("LRANGE", target, 0, -1)), sorted);
});

Deno.test("values of megabytes travel to the owner and back without harm", async () => {
  await using server = await startServer({ workers: 3 });
  using client = await server.client();
  await client.run("DEBUG", "ROUTE", "OWNER");
  for (const tag of tagsOnDistinctSlots(6)) {
    const value = tag.repeat(3_000_000 / tag.length);
    assertEquals(plain(await client.run("SET", `{${tag}}`, value)), "OK");
    assertEquals(plain(await client.run("GET", `{${tag}}`)), value);
  }
  await client.run("FLUSHALL");
});

Deno.test("a long value that comes behind a parked command stays whole", async () => {
  await using server = await startServer({ workers: 3 });
  using client = await server.client();
  await client.run("DEBUG", "ROUTE", "OWNER");
  const numbers = Array.from({ length: 30_000 }, (_, i) => i);
  const value = numbers.join(" ");
  for (const tag of tagsOnDistinctSlots(6)) {
    const key = `{${tag}}`;
    const bytes = encodeCommands([["GET", key], ["SET", key, value]]);
    // The rest comes when the reply of GET has been there for long.
    await client.sendRaw(bytes.subarray(0, 5000));
    assertEquals(plain(await client.readReply()), null);
    await client.sendRaw(bytes.subarray(5000));
    assertEquals(plain(await client.readReply()), "OK");
    assertEquals(plain(await client.run("GET", key)), value);
  }
});

Deno.test("a client that vanishes while its command travels harms nobody", async () => {
  await using server = await startServer({ workers: 3 });
  using admin = await server.client();
  await admin.run("DEBUG", "ROUTE", "OWNER");
  const tags = tagsOnDistinctSlots(6);
  for (let round = 0; round < 20; round++) {
    const client = await server.client();
    await client.sendCommands(
      tags.map((tag) => ["SET", `{${tag}}${round}`, "v".repeat(100_000)]),
    );
    client.close();
  }
  assertEquals(plain(await admin.run("PING")), "PONG");
  for (const tag of tags) {
    assertEquals(plain(await admin.run("SET", `{${tag}}`, "v")), "OK");
    assertEquals(plain(await admin.run("GET", `{${tag}}`)), "v");
  }
});
