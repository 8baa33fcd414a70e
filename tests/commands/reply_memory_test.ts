/**
 * KT51: the reply of a huge set to a client that reads slowly is never in the
 * server's memory as a whole, which is measured as the process's resident bytes.
 *
 * The set is smaller than the specification's, and so is the bound: less than
 * half of what the reply has.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { startServer } from "../_harness.ts";
import { until } from "../_patience.ts";
import { plain, type TestClient } from "../_resp_client.ts";
import { statistic } from "./_slices.ts";

const MEMBERS = 16_000;
const MEMBER_BYTES = 4000;
const BATCH = 200;
/** By how much memory may grow. */
const GROWTH_BYTES_MAX = 24 << 20;
/** What is read between two looks at the memory. */
const READ_BYTES = 4 << 20;

/** Bytes of the reply: its head, and each member with length and line ends. */
const REPLY_BYTES = `*${MEMBERS}\r\n`.length +
  MEMBERS * (MEMBER_BYTES + `$${MEMBER_BYTES}\r\n\r\n`.length);

/** Resident bytes of the process, and those of the data. */
async function memory(client: TestClient): Promise<number[]> {
  const info = String(plain(await client.run("INFO", "memory")));
  return ["used_memory_rss", "used_memory"].map((name) =>
    Number(new RegExp(`${name}:(\\d+)`).exec(info)![1])
  );
}

Deno.test("KT51: a slow reader of a huge set does not make memory grow", async () => {
  await using server = await startServer({
    workers: 1,
    args: ["--background-threshold", "1000"],
  });
  using client = await server.client();
  const padding = "p".repeat(MEMBER_BYTES - 5);
  for (let from = 0; from < MEMBERS; from += BATCH) {
    const members = Array.from(
      { length: BATCH },
      (_, i) => `${10_000 + from + i}${padding}`,
    );
    assertEquals(plain(await client.run("SADD", "set", ...members)), BATCH);
  }
  const before = await memory(client);
  const most = [...before];
  const look = async () => {
    for (const [i, bytes] of (await memory(client)).entries()) {
      most[i] = Math.max(most[i]!, bytes);
    }
  };
  using reader = await Deno.connect({
    hostname: "127.0.0.1",
    port: server.port,
  });
  await reader.write(new TextEncoder().encode("SMEMBERS set\r\n"));
  await until(
    "the reply is held up by its reader",
    async () => await statistic(client, "sherd_lock_handles") === 1,
  );
  // Each is answered in a turn of its own, in which more could be written.
  for (let i = 0; i < 20; i++) await look();
  const chunk = new Uint8Array(1 << 16);
  let lookedAt = 0;
  for (let read = 0; read < REPLY_BYTES;) {
    const bytes = await reader.read(chunk);
    assert(bytes !== null, "the reply is whole");
    read += bytes;
    if (read - lookedAt < READ_BYTES) continue;
    lookedAt = read;
    await look();
  }
  await until(
    "the set is free",
    async () => await statistic(client, "sherd_lock_handles") === 0,
  );
  const grown = most.map((bytes, i) => bytes - before[i]!);
  for (const bytes of grown) {
    assert(bytes < GROWTH_BYTES_MAX, `grown by ${grown} of ${REPLY_BYTES}`);
  }
});
