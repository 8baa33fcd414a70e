/**
 * node-redis with `clientSideCache`: a real client whose reads are answered by
 * its own memory until the server says that they are no longer true.
 */
import { assert, assertEquals } from "@std/assert";
import { createClient } from "npm:redis@5.12.1";
import { sharedServers, startServer, type TestServer } from "../_harness.ts";

const WORKERS = [1, 4];
/** More reads than that a test makes in any case. */
const READS_MIN = 100;
const KEYS = Array.from({ length: 20 }, (_, i) => `k${i}`);

const servers = new Map<number, TestServer>();
sharedServers(async (stack) => {
  for (const workers of WORKERS) {
    servers.set(workers, stack.use(await startServer({ workers })));
  }
});

function plainClient(server: TestServer) {
  const client = createClient({
    socket: { host: "127.0.0.1", port: server.port },
  });
  client.on("error", () => {});
  return client;
}

function cachingClient(server: TestServer) {
  const client = createClient({
    RESP: 3,
    clientSideCache: { maxEntries: 1000, ttl: 0, evictPolicy: "LRU" },
    socket: { host: "127.0.0.1", port: server.port },
  });
  client.on("error", () => {});
  return client;
}

/** Commands that the server has run for reads of strings. */
async function getCalls(
  client: ReturnType<typeof plainClient>,
): Promise<number> {
  const text = await client.info("commandstats");
  return Number(/^cmdstat_get:calls=(\d+)/m.exec(text)?.[1] ?? 0);
}

for (const workers of WORKERS) {
  Deno.test(`node-redis: its cache is used and kept true (workers ${workers})`, async () => {
    const server = servers.get(workers)!;
    const writer = plainClient(server);
    const readers = [cachingClient(server), cachingClient(server)];
    await writer.connect();
    for (const reader of readers) await reader.connect();
    try {
      await writer.flushAll();
      for (let round = 0; round < 5; round++) {
        for (const key of KEYS) await writer.set(key, `${key}:${round}`);
        for (const reader of readers) {
          // A round trip brings what was told before.
          await reader.ping();
          const before = await getCalls(writer);
          for (let again = 0; again < 3; again++) {
            for (const key of KEYS) {
              assertEquals(await reader.get(key), `${key}:${round}`);
            }
          }
          assertEquals(await getCalls(writer) - before, KEYS.length);
        }
      }
      await writer.flushAll();
      for (const reader of readers) {
        await reader.ping();
        for (const key of KEYS) assertEquals(await reader.get(key), null);
      }
      await writer.hSet("h", "f", "1");
      assertEquals({ ...await readers[0]!.hGetAll("h") }, { f: "1" });
      await writer.hIncrBy("h", "f", 1);
      await readers[0]!.ping();
      assertEquals({ ...await readers[0]!.hGetAll("h") }, { f: "2" });
    } finally {
      for (const reader of readers) await reader.close();
      await writer.close();
    }
  });

  Deno.test(`node-redis: its cache under writes at the same time (workers ${workers})`, async () => {
    const server = servers.get(workers)!;
    const writer = plainClient(server);
    const reader = cachingClient(server);
    await writer.connect();
    await reader.connect();
    try {
      const untilMs = Date.now() + 700;
      const written = new Map<string, number>(KEYS.map((key) => [key, -1]));
      let reads = 0;
      const isOver = () => Date.now() >= untilMs && reads > READS_MIN;
      const write = async () => {
        for (let i = 0; !isOver(); i++) {
          const key = KEYS[i % KEYS.length]!;
          await writer.set(key, String(i));
          written.set(key, i);
        }
      };
      const read = async () => {
        await Promise.all(KEYS.map((key) => reader.get(key)));
        while (!isOver()) {
          const floors = new Map(written);
          await reader.ping();
          for (const [key, floor] of floors) {
            const value = Number(await reader.get(key) ?? -1);
            assert(value >= floor, `${key} is ${value}, was ${floor}`);
            reads++;
          }
        }
      };
      await Promise.all([write(), read()]);
    } finally {
      await reader.close();
      await writer.close();
    }
  });
}
