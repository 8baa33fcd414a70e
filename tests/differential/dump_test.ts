/**
 * Dumped values of sherd and redis-server: each must take what the other gives,
 * for every type and encoding, and whoever gets nonsense must survive it.
 *
 * SHERD_FUZZ_ROUNDS: random values and damaged ones per type, times ten.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { framed, unframed } from "../_dump_frame.ts";
import {
  Random,
  seedsToRun,
  sharedServers,
  startServer,
  type TestServer,
} from "../_harness.ts";
import {
  hasRedisServer,
  type RedisServer,
  startRedisServer,
} from "../_redis_server.ts";
import {
  plain,
  type Reply,
  show,
  type TestClient,
  toBinary,
} from "../_resp_client.ts";
import {
  DUMP_CASES,
  type DumpCase,
  READS,
  UNORDERED,
  type ValueTypeName,
} from "./_dump_cases.ts";

const ROUNDS = Number(Deno.env.get("SHERD_FUZZ_ROUNDS") ?? "30");
const ignore = !hasRedisServer("dumped values of redis-server");
const TYPES = Object.keys(READS) as ValueTypeName[];

let redis: RedisServer;
let sherd: TestServer;
if (!ignore) {
  sharedServers(async (stack) => {
    redis = stack.use(await startRedisServer());
    sherd = stack.use(await startServer({ workers: 2 }));
  });
}

for (const type of TYPES) {
  test(
    `${type}: either restores what the other dumps`,
    async (ours, theirs) => {
      for (const one of casesOf(type)) {
        for (const client of [ours, theirs]) await make(client, one);
        await compare(one, ours, theirs);
        const [a, b] = [await dump(ours), await dump(theirs)];
        for (const client of [ours, theirs]) await client.run("DEL", "k");
        await restore(one, ours, b);
        await restore(one, theirs, a);
        await compare(one, ours, theirs);
      }
    },
  );
}

function test(
  name: string,
  body: (ours: TestClient, theirs: TestClient) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      using ours = await sherd.client();
      using theirs = await redis.client();
      await body(ours, theirs);
    },
  });
}

function casesOf(type: ValueTypeName): DumpCase[] {
  return DUMP_CASES.filter((one) => one.type === type);
}

async function make(client: TestClient, one: DumpCase): Promise<void> {
  const replies = await client.pipeline([["DEL", "k"], ...one.make]);
  for (const [i, reply] of replies.entries()) {
    assert(reply.type !== "error", `${one.make[i - 1]}: ${reply.value}`);
  }
}

async function dump(client: TestClient): Promise<Uint8Array> {
  const reply = await client.run("DUMP", "k");
  assert(reply.type === "bulk", `DUMP: ${reply.type}`);
  return reply.value;
}

async function restore(
  one: DumpCase,
  client: TestClient,
  bytes: Uint8Array,
): Promise<void> {
  const reply = plain(await client.run("RESTORE", "k", "0", bytes));
  assertEquals(
    reply,
    "OK",
    `${one.type} ${one.name}: ${show(toBinary(bytes))}`,
  );
}

/** Both have the same at "k". */
async function compare(
  one: DumpCase,
  ours: TestClient,
  theirs: TestClient,
): Promise<void> {
  const [a, b] = [
    await readAll(ours, one.type),
    await readAll(theirs, one.type),
  ];
  assertEquals(a, b, `${one.type} ${one.name}`);
  const digest = ["DEBUG", "DIGEST-VALUE", "k"] as const;
  if (hasSameDigest(one)) {
    assertEquals(
      plain(await ours.run(...digest)),
      plain(await theirs.run(...digest)),
      `${one.type} ${one.name}: digests`,
    );
  }
}

/** Redis 7.0 takes scores into digests with seventeen digits. */
function hasSameDigest(one: DumpCase): boolean {
  return one.type !== "zset" || !/scores|large|long member/.test(one.name);
}

/** Everything there is to be read of "k", comparable. */
async function readAll(
  client: TestClient,
  type: ValueTypeName,
): Promise<unknown[]> {
  const commands: (readonly string[])[] = [...READS[type]];
  if (type === "stream") {
    commands.push(["XINFO", "STREAM", "k", "FULL", "COUNT", "0"]);
  }
  const replies = await client.pipeline(commands);
  return replies.map((reply, i) => {
    const value = sortable(reply);
    if (!UNORDERED.has(type) || i > 0 || !Array.isArray(value)) return value;
    const size = type === "hash" ? 2 : 1;
    const elements: string[] = [];
    for (let at = 0; at < value.length; at += size) {
      elements.push(JSON.stringify(value.slice(at, at + size)));
    }
    return elements.sort();
  });
}

/** A reply as data; times that depend on the clock are left out. */
function sortable(reply: Reply): unknown {
  const value = plain(reply);
  if (!Array.isArray(value)) return value;
  return value;
}
