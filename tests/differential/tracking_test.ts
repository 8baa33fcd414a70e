/**
 * CLIENT TRACKING beside redis-server: random options and random reads and
 * changes on two connections; what the tracking one gets must be the same bytes
 * in the same order.
 */
import { assertEquals } from "@std/assert";
import {
  type Random,
  seeded,
  sharedServers,
  startServer,
  type TestServer,
} from "../_harness.ts";
import {
  hasRedisServer,
  type RedisServer,
  startRedisServer,
} from "../_redis_server.ts";
import { type TestClient, toBinary } from "../_resp_client.ts";

const ignore = !hasRedisServer("differential test of CLIENT TRACKING");
const WORKERS = [1, 4];
const STEPS = 60;

let reference: RedisServer;
const servers = new Map<number, TestServer>();
if (!ignore) {
  sharedServers(async (stack) => {
    reference = stack.use(await startRedisServer());
    for (const workers of WORKERS) {
      servers.set(workers, stack.use(await startServer({ workers })));
    }
  });
}

const KEYS = ["a1", "a2", "b1", "c", "{x}d"];

/** Options of CLIENT TRACKING; many of them do not fit together. */
function options(random: Random): string[] {
  const words = [
    ...["BCAST", "bcast", "OPTIN", "OPTOUT", "NOLOOP", "NOLOOP", "PREFIX"],
    ...["PREFIX a", "PREFIX b", "PREFIX a1", "REDIRECT", "REDIRECT 0"],
    ...["REDIRECT abc", "REDIRECT 999999", "REDIRECT 999999 x", "x"],
  ];
  const chosen: string[] = [];
  // A third prefix would meet a slip of Redis 7.0, which sends two replies.
  let prefixes = 0;
  while (random.chance(0.6)) {
    const word = random.pick(words);
    if (word.startsWith("PREFIX ") && ++prefixes > 2) continue;
    chosen.push(...word.split(" "));
  }
  return chosen;
}

function trackingCommand(random: Random): string[] {
  switch (random.below(8)) {
    case 0:
      return ["CLIENT", "TRACKINGINFO"];
    case 1:
      return ["CLIENT", "GETREDIR"];
    case 2:
      return ["CLIENT", "CACHING", random.pick(["YES", "NO", "yes", "x"])];
    case 3:
      return ["CLIENT", "TRACKING", random.pick(["OFF", "OFF", "x"])];
    case 4:
      return random.pick([
        ["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a", "PREFIX", "b"],
        ["CLIENT", "TRACKING", "ON", "BCAST"],
        ["CLIENT", "TRACKING", "ON", "OPTIN"],
        ["CLIENT", "TRACKING", "ON", "OPTOUT", "NOLOOP"],
        ["CLIENT", "TRACKING", "ON"],
      ]);
    default:
      return ["CLIENT", "TRACKING", "ON", ...options(random)];
  }
}

function keyCommand(random: Random): string[] {
  const key = random.pick(KEYS);
  const value = String(random.below(100));
  return random.pick([
    ...[["GET", key], ["MGET", ...KEYS], ["STRLEN", key], ["EXISTS", key]],
    ...[["TYPE", key], ["TOUCH", key], ["TTL", key]],
    ...[["SET", key, value], ["SET", key, value, "NX"], ["INCR", key]],
    ...[["MSET", key, value, random.pick(KEYS), value], ["DEL", ...KEYS]],
    ...[["DEL", key], ["EXPIRE", key, "100"], ["PERSIST", key]],
    ...[["LPUSH", key, value], ["LRANGE", key, "0", "-1"], ["LPOP", key]],
    ...[["SADD", key, value], ["SCARD", key], ["RENAME", key, "c"]],
    ...[["GETDEL", key], ["COPY", key, "b1"], ["SUNION", key, "c"]],
    ...[["SORT_RO", key], ["GETSET", key, value], ["GETEX", key]],
    ...[["HSET", key, "f", value], ["HGETALL", key], ["PFCOUNT", key]],
    ...[["BITCOUNT", key], ["ZADD", key, "1", value], ["ZRANK", key, value]],
    ...[["FLUSHDB"], ["FLUSHALL"], ["PING"], ["NOSUCH", key], ["GET"]],
  ]);
}

/** A step: commands that one of the two connections sends at once. */
function step(random: Random): { isOther: boolean; commands: string[][] } {
  const isOther = random.chance(0.35);
  const commands: string[][] = [];
  const isTransaction = random.chance(0.2);
  if (isTransaction) commands.push(["MULTI"]);
  do {
    const isAboutTracking = !isOther && random.chance(0.3);
    commands.push(
      isAboutTracking ? trackingCommand(random) : keyCommand(random),
    );
  } while (random.chance(0.6));
  if (isTransaction) commands.push([random.chance(0.9) ? "EXEC" : "DISCARD"]);
  // Which prefixes a change is told for is decided at the end of a batch here,
  // and when it is made in Redis: so prefixes change in a batch of their own.
  // And a batch ends where other workers are asked for a receiver.
  const alone = commands.find((words) =>
    words.some((word) => word.toUpperCase() === "BCAST" || word === "999999")
  );
  return { isOther, commands: alone === undefined ? commands : [alone] };
}

/** All that a connection gets until its last command is answered. */
async function hear(
  client: TestClient,
  commands: readonly string[][],
): Promise<string> {
  await client.sendCommands(commands);
  let heard = "";
  for (let missing = commands.length; missing > 0;) {
    const { reply, raw } = await client.readFrame();
    heard += toBinary(raw);
    if (reply.type !== "push") missing--;
  }
  return heard;
}

for (const workers of WORKERS) {
  seeded(`CLIENT TRACKING beside redis-server, workers ${workers}`, async (
    random,
    seed,
  ) => {
    const ours = servers.get(workers)!;
    using expected = await reference.client({ resp: 3 });
    using actual = await ours.client({ resp: 3 });
    using expectedOther = await reference.client();
    using actualOther = await ours.client();
    await expectedOther.run("FLUSHALL");
    await actualOther.run("FLUSHALL");
    const script: string[] = [];
    for (let i = 0; i < STEPS; i++) {
      const { isOther, commands } = step(random);
      script.push(
        (isOther ? "other: " : "") +
          commands.map((words) => words.join(" ")).join("; "),
      );
      if (isOther) {
        await expectedOther.pipeline(commands);
        await actualOther.pipeline(commands);
      }
      const own = isOther ? [] : commands;
      // One write is one batch, for both: what is told at its end comes there.
      const end = [["ECHO", `end of step ${i} with seed ${seed}`]];
      assertEquals(
        lines(await hear(actual, own) + await hear(actual, end)),
        lines(await hear(expected, own) + await hear(expected, end)),
        script.slice(-12).join("\n"),
      );
    }
  }, { count: 20, ignore });
}

function lines(text: string): string[] {
  return text.split("\r\n");
}
