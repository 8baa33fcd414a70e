/**
 * The server where the system's library may not be called: Deno's own network,
 * timers and bells.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { sharedServers, startServer, type TestServer } from "../_harness.ts";
import { until } from "../_patience.ts";
import { plain } from "../_resp_client.ts";

const OPTIONS = {
  workers: 3,
  deniesFfi: true,
  args: ["--appendonly", "yes", "--appendfsync", "always"],
};
const CLIENTS = 6;

let server: TestServer;
sharedServers(async (stack) => {
  server = stack.use(await startServer(OPTIONS));
});

Deno.test("without FFI: pipelines, long values, several workers", async () => {
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, () => server.client()),
  );
  const long = "y".repeat(3_000_000);
  await Promise.all(clients.map(async (client, i) => {
    const commands = Array.from(
      { length: 500 },
      (_, j) => ["SET", `key:${i}:${j}`, `${i * j}`],
    );
    await client.sendCommands(commands);
    for (const _ of commands) {
      assertEquals(plain(await client.readReply()), "OK");
    }
    assertEquals(plain(await client.run("SET", `long:${i}`, long)), "OK");
  }));
  await Promise.all(clients.map(async (client, i) => {
    const other = (i + 1) % CLIENTS;
    assertEquals(plain(await client.run("GET", `long:${other}`)), long);
    assertEquals(
      plain(await client.run("MGET", `key:${other}:499`, `key:${i}:2`)),
      [`${other * 499}`, `${i * 2}`],
    );
  }));
  assertEquals(plain(await clients[0]!.run("DBSIZE")), CLIENTS * 501);
  const info = String(plain(await clients[0]!.run("INFO", "server")));
  assertStringIncludes(info, "multiplexing_api:deno\r\n");
  for (const client of clients) client.close();
});

Deno.test("without FFI: messages and consumers on other workers", async () => {
  using publisher = await server.client();
  const subscribers = await Promise.all(
    Array.from({ length: CLIENTS }, () => server.client()),
  );
  for (const subscriber of subscribers) {
    assertEquals(
      plain(await subscriber.run("SUBSCRIBE", "news")),
      ["subscribe", "news", 1],
    );
  }
  for (let i = 0; i < 50; i++) {
    assertEquals(
      plain(await publisher.run("PUBLISH", "news", `${i}`)),
      CLIENTS,
    );
  }
  for (const subscriber of subscribers) {
    for (let i = 0; i < 50; i++) {
      assertEquals(plain(await subscriber.readReply()), [
        "message",
        "news",
        `${i}`,
      ]);
    }
    subscriber.close();
  }
  const consumers = await Promise.all(
    Array.from({ length: CLIENTS }, () => server.client()),
  );
  for (let round = 0; round < 20; round++) {
    const waiting = consumers.map((client) => client.run("BLPOP", "jobs", "0"));
    await until("all wait", async () => {
      const info = String(plain(await publisher.run("INFO", "clients")));
      return info.includes(`blocked_clients:${CLIENTS}`);
    });
    const jobs = consumers.map((_, i) => `${round}:${i}`);
    await publisher.run("RPUSH", "jobs", ...jobs);
    const got = await Promise.all(waiting);
    assertEquals(
      got.map((reply) => (plain(reply) as string[])[1]).sort(),
      jobs.toSorted(),
    );
  }
  assertEquals(plain(await consumers[0]!.run("BLPOP", "none", "0.01")), null);
  for (const consumer of consumers) consumer.close();
});

Deno.test("without FFI: clients that leave, a log that is written again", async () => {
  using client = await server.client();
  for (let i = 0; i < 10; i++) {
    const other = await server.client();
    await other.sendCommands([["BLPOP", "never", "0"]]);
    other.close();
  }
  await until("they are gone", async () => {
    const info = String(plain(await client.run("INFO", "clients")));
    return info.includes("connected_clients:1\r");
  });
  const before = plain(await client.run("DEBUG", "DIGEST"));
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assertEquals(plain(await client.run("DEBUG", "DIGEST")), before);
});
