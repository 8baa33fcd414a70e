/**
 * Servers that run nearly everything in the background, and how what a command
 * does there is compared with what it does in place.
 *
 * @module
 */
import { assert } from "@std/assert";
import {
  sharedServers,
  startServer,
  tagsOnDistinctSlots,
  type TestServer,
} from "../_harness.ts";
import {
  type Argument,
  type Plain,
  plain,
  ReplyError,
  type TestClient,
} from "../_resp_client.ts";

export const THRESHOLD = 100;
/** Elements of a value that is filled. */
export const COUNT = 400;
/** Hash tags on different shards. */
export const [A, B, C, D] = tagsOnDistinctSlots(4) as [
  string,
  string,
  string,
  string,
];
const WORKERS = [1, 3];
const servers = new Map<number, TestServer>();

sharedServers(async (stack) => {
  for (const workers of WORKERS) {
    const args = [
      ...["--background-threshold", String(THRESHOLD)],
      ...["--background-threshold-bytes", "1000"],
      ...["--notify-keyspace-events", "KEA"],
    ];
    servers.set(workers, stack.use(await startServer({ workers, args })));
  }
});

/** A test on one worker and on several, in either protocol. */
export function suite(
  name: string,
  body: (client: TestClient, server: TestServer) => Promise<void>,
): void {
  for (const [workers, resp] of [[1, 3], [3, 2]] as const) {
    Deno.test(`${name} (workers ${workers}, RESP${resp})`, async () => {
      const server = servers.get(workers)!;
      using client = await server.client({ resp });
      await client.run("FLUSHALL");
      await body(client, server);
      // What others have sent, or what was begun for them, may be under way.
      const endMs = performance.now() + 20_000;
      while (!await isQuiet(client)) {
        assert(performance.now() < endMs, "no lock is left");
      }
    });
  }
}

/** Whether the client is the only one, and nobody holds locks. */
async function isQuiet(client: TestClient): Promise<boolean> {
  const info = String(plain(await client.run("INFO", "everything")));
  return info.includes("connected_clients:1\r") &&
    info.includes("sherd_lock_handles:0\r") &&
    info.includes("sherd_locked_keys:0\r");
}

/** A number of INFO. */
export async function statistic(
  client: TestClient,
  name: string,
): Promise<number> {
  const info = String(plain(await client.run("INFO", "stats")));
  return Number(new RegExp(`${name}:(\\d+)`).exec(info)![1]);
}

/** What a command answers, and how many ran in the background for it. */
export async function runCounted(
  client: TestClient,
  ...argv: Argument[]
): Promise<[Plain, number]> {
  const before = await statistic(client, "sherd_background_commands");
  const reply = plain(await client.run(...argv));
  const after = await statistic(client, "sherd_background_commands");
  return [reply, after - before];
}

/** What a command answers inside of a transaction. */
export async function runInline(
  client: TestClient,
  ...argv: Argument[]
): Promise<Plain> {
  const replies = await client.pipeline([["MULTI"], argv, ["EXEC"]]);
  return (plain(replies[2]!) as Plain[])[0]!;
}

function words(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `word:${from + i}`);
}

function scored(from: number, count: number): string[] {
  return words(from, count).flatMap((word, i) => [String(i % 37), word]);
}

/** The keys that {@linkcode fill} fills, and two more. */
export const KEYS = {
  set1: `{${A}}set`,
  set2: `{${B}}set`,
  zset1: `{${A}}zset`,
  zset2: `{${C}}zset`,
  list: `{${B}}list`,
  hash: `{${C}}hash`,
  stream: `{${D}}stream`,
  text1: `{${A}}text`,
  text2: `{${D}}text`,
  target: `{${D}}target`,
  small: `{${A}}small`,
};

/** Makes a value of each kind. */
export async function fill(client: TestClient): Promise<void> {
  const { set1, set2, zset1, zset2, list, hash, stream } = KEYS;
  const numbers = Array.from(
    { length: COUNT },
    (_, i) => String((i * 7919) % 1009),
  );
  const replies = await client.pipeline([
    ["SADD", set1, ...words(0, COUNT)],
    ["SADD", set2, ...words(COUNT / 2, COUNT)],
    ["ZADD", zset1, ...scored(0, COUNT)],
    ["ZADD", zset2, ...scored(COUNT / 2, COUNT)],
    ["RPUSH", list, ...numbers],
    ["HSET", hash, ...words(0, 2 * COUNT)],
    ["HEXPIRE", hash, "1000", "FIELDS", "1", "word:0"],
    ...words(0, COUNT).map((
      word,
      i,
    ) => ["XADD", stream, `${i + 1}`, "f", word]),
    ["SET", KEYS.text1, "abcde".repeat(500)],
    ["SET", KEYS.text2, "bcdef".repeat(700)],
    ["SADD", KEYS.small, "a", "b"],
    ["PEXPIRE", zset1, "100000"],
  ]);
  assert(replies.every(({ type }) => type !== "error"));
}

/** A reply that can be compared: sets as their members in order. */
export function comparable(argv: readonly string[], reply: Plain): Plain {
  if (reply instanceof ReplyError) return `-${reply.message}`;
  const items = reply instanceof Set ? [...reply] : reply;
  return Array.isArray(items) && /^S(UNION|INTER|DIFF)$/.test(argv[0]!)
    ? items.map(String).sort()
    : items;
}

/** Everything that a database holds, times to live rounded. */
export async function contents(client: TestClient): Promise<Plain[]> {
  const keys = (plain(await client.run("KEYS", "*")) as string[]).sort();
  const replies = await client.pipeline(keys.flatMap((key) => [
    ["DEBUG", "DIGEST-VALUE", key],
    ["OBJECT", "ENCODING", key],
    ["PTTL", key],
  ]));
  return keys.map((key, i) => {
    const [digest, encoding, ttl] = replies.slice(3 * i, 3 * i + 3).map(plain);
    return [key, digest!, encoding!, Math.round(Number(ttl) / 50_000)];
  });
}
