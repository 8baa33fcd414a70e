/**
 * What several workers have changed at the same time, keys of each other's shards
 * among it, comes back from the log as it was.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { pause } from "../_patience.ts";
import { Random } from "../_random.ts";
import type { TestClient } from "../_resp_client.ts";
import { plain } from "../_resp_reply.ts";
import { Victim, withDirectory } from "./_victim.ts";

const CLIENTS = 8;
const BATCHES = 40;
const BATCH = 20;
const STREAMS = 6;

/** A command, or a transaction, on few keys of all types. */
function change(random: Random): string[][] {
  const name = (letter: string, count: number) =>
    `${letter}${random.below(count)}`;
  const [key, list, set] = [name("k", 60), name("l", 10), name("s", 10)];
  const [zset, hash, stream] = [name("z", 10), name("h", 10), name("x", 6)];
  const field = name("f", 9);
  const number = String(random.below(40) + 1);
  const rows: string[][][] = [
    [["SET", key, number]],
    [["SET", key, number, "PX", number]],
    [["INCR", key]],
    [["MSET", key, number, name("k", 60), "2"]],
    [["GETEX", key, "PX", "100000"]],
    [["RPUSH", list, "a", number]],
    [["LPOP", list]],
    [["LMOVE", list, name("l", 10), "LEFT", "RIGHT"]],
    [["BLPOP", list, name("l", 10), "0.01"]],
    [["COPY", list, name("l", 10), "REPLACE"]],
    [["SADD", set, number, number + "1", number + "2", "7"]],
    [["SPOP", set, String(random.below(4))]],
    [["SUNIONSTORE", set, name("s", 10), name("s", 10)]],
    [["SORT", set, "BY", "nosort", "STORE", list]],
    [["ZADD", zset, number, number]],
    [["ZPOPMIN", zset]],
    [["ZUNIONSTORE", zset, "2", name("z", 10), set]],
    [["HSET", hash, field, number]],
    [["HPEXPIRE", hash, number, "FIELDS", "1", field]],
    [["HINCRBYFLOAT", hash, field, "0.5"]],
    [["XADD", stream, "MAXLEN", "~", "100", "*", "f", number]],
    [["XGROUP", "CREATE", stream, "g", "0", "MKSTREAM"]],
    [[
      ...["XREADGROUP", "GROUP", "g", name("c", 3), "COUNT", "3"],
      ...["STREAMS", stream, ">"],
    ]],
    [["XAUTOCLAIM", stream, "g", "c1", "0", "0", "COUNT", "2"]],
    [["GET", key]],
    [
      ["MULTI"],
      ["INCR", key],
      ["SMOVE", set, name("s", 10), "7"],
      ["RENAME", list, name("l", 10)],
      ["EXEC"],
    ],
  ];
  return random.below(200) === 0 ? [["SWAPDB", "0", "1"]] : random.pick(rows);
}

/** All that there is, in so far as a log keeps it. */
async function describe(client: TestClient): Promise<string[]> {
  const lines = [String(plain(await client.run("DEBUG", "DIGEST")))];
  for (let i = 0; i < STREAMS; i++) {
    const reply = plain(await client.run("XINFO", "GROUPS", `x${i}`));
    lines.push(reply instanceof Error ? reply.message : JSON.stringify(reply));
  }
  return lines;
}

/** Waits until short times are over, and deletes what has expired. */
async function endTimes(client: TestClient): Promise<void> {
  await pause(100);
  const names = (letter: string, count: number) =>
    Array.from({ length: count }, (_, i) => `${letter}${i}`);
  for (const db of ["1", "0"]) {
    await client.pipeline([
      ["SELECT", db],
      ["EXISTS", ...names("k", 60)],
      ...names("h", 10).map((key) => ["HMGET", key, ...names("f", 9)]),
    ]);
  }
}

for (const route of ["IN-PLACE", "OWNER"]) {
  Deno.test(`changes at the same time are replayed (${route})`, () =>
    withDirectory(async (directory) => {
      const options = {
        directory,
        workers: 3,
        args: ["--appendfsync", "always"],
      };
      const first = await Victim.start(options);
      let before: string[] = [];
      try {
        using client = await first.client();
        await client.run("DEBUG", "ROUTE", route);
        await Promise.all(Array.from({ length: CLIENTS }, async (_, i) => {
          using other = await first.client();
          const random = new Random(i);
          for (let batch = 0; batch < BATCHES; batch++) {
            const commands = Array.from(
              { length: BATCH },
              () => change(random),
            );
            await other.pipeline(commands.flat());
          }
        }));
        await endTimes(client);
        before = await describe(client);
      } finally {
        await first.kill();
      }
      const second = await Victim.start({ ...options, workers: 2 });
      try {
        using client = await second.client();
        assertEquals(await describe(client), before);
      } finally {
        await second.kill();
      }
    }));
}
