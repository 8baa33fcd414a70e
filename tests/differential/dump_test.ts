/**
 * Dumped values of sherd and redis-server: each must take what the other gives,
 * for every type and encoding, and whoever gets nonsense must survive it.
 *
 * SHERD_FUZZ_ROUNDS: random values and damaged ones per type, times twenty.
 *
 * @module
 */
import { assert, assertEquals, assertGreater } from "@std/assert";
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
import { type Plain, plain, show, type TestClient } from "../_resp_client.ts";
import {
  DUMP_CASES,
  type DumpCase,
  randomCase,
  READS,
  UNORDERED,
  type ValueTypeName,
} from "./_dump_cases.ts";

const ROUNDS = Number(Deno.env.get("SHERD_FUZZ_ROUNDS") ?? "15");
/** Damaged values per round. */
const DAMAGED = 20;
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
  test(`${type}: either restores what the other dumps`, async (pair) => {
    for (const one of DUMP_CASES) {
      if (one.type === type) await passAround(pair, one);
    }
  });

  test(`${type}: either restores random values of the other`, async (pair) => {
    for (const seed of seedsToRun(ROUNDS)) {
      const one = randomCase(type, new Random(seed));
      await passAround(pair, { ...one, name: `SEED=${seed}` });
    }
  });

  test(`${type}: damaged values are refused or of use`, async (pair) => {
    const values = await dumpedPlainly(pair, type);
    let restored = 0;
    for (const seed of seedsToRun(ROUNDS * DAMAGED)) {
      const random = new Random(seed);
      const bytes = damaged(random, random.pick(values), values);
      try {
        if (await restoresUseful(pair.ours, bytes)) restored++;
      } catch (cause) {
        throw new Error(`SEED=${seed}: ${hex(bytes)}`, { cause });
      }
    }
    if (ROUNDS >= 15) assertGreater(restored, 0);
    assertEquals(plain(await pair.ours.run("DBSIZE")), 0);
  });
}

test("DEBUG DIGEST and OBJECT tell the same of all values", async (pair) => {
  const { ours, theirs } = pair;
  for (const client of [ours, theirs]) {
    for (const [i, one] of DUMP_CASES.entries()) {
      // Scores with many digits: see hasSameDigest.
      if (one.type === "zset" && one.name !== "128 members") continue;
      await client.run("SELECT", `${i % 3 * 5}`);
      await make(client, one);
      await client.run("RENAME", "k", `${one.type} ${one.name}`);
      if (i % 4 === 0) {
        await client.run("EXPIRE", `${one.type} ${one.name}`, "1000");
      }
    }
    await client.run("SELECT", "0");
  }
  const argv = ["DEBUG", "DIGEST"] as const;
  assertEquals(
    plain(await ours.run(...argv)),
    plain(await theirs.run(...argv)),
  );
  for (const client of [ours, theirs]) {
    await client.run("RPUSH", "l", ...Array(3000).fill("element"));
  }
  const [here, there] = await Promise.all(
    [ours, theirs].map(async (client) =>
      String(plain(await client.run("DEBUG", "OBJECT", "l")))
        .replace(/at:0x\w+|lru\w*:\d+|serializedlength:\d+/g, "")
    ),
  );
  assertEquals(here, there);
  await Promise.all([ours.run("FLUSHALL"), theirs.run("FLUSHALL")]);
});

/** A connection to each. */
interface Pair {
  ours: TestClient;
  theirs: TestClient;
}

function test(name: string, body: (pair: Pair) => Promise<void>): void {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      using ours = await sherd.client();
      using theirs = await redis.client();
      await Promise.all([ours.run("FLUSHALL"), theirs.run("FLUSHALL")]);
      await body({ ours, theirs });
    },
  });
}

/** From redis-server here and back, and from here to redis-server. */
async function passAround(pair: Pair, one: DumpCase): Promise<void> {
  const { ours, theirs } = pair;
  const name = `${one.type} ${one.name}`;
  await make(theirs, one);
  const there = await readAll(theirs, one.type);
  await restore(ours, await dump(theirs), name);
  assertEquals(await readAll(ours, one.type), there, `${name}, restored here`);
  const encoding = await encodingOf(ours);
  if (one.type !== "zset" || hasSameDigest(there)) {
    assertEquals(await digest(ours), await digest(theirs), `${name}: digests`);
  }
  await restore(theirs, await dump(ours), name);
  assertEquals(await readAll(theirs, one.type), there, `${name}, sent back`);
  await make(ours, one);
  if (one.type !== "string") {
    assertEquals(encoding, await encodingOf(ours), `${name}: encoding`);
  }
  const here = await readAll(ours, one.type);
  await restore(theirs, await dump(ours), name);
  assertEquals(await readAll(theirs, one.type), here, `${name}, dumped here`);
}

async function make(client: TestClient, one: DumpCase): Promise<void> {
  const commands = [["DEL", "k"], ...one.make];
  const replies = await client.pipeline(commands);
  for (const [i, reply] of replies.entries()) {
    assert(
      reply.type !== "error",
      `${show(commands[i]!.join(" "))}: ${String(plain(reply))}`,
    );
  }
}

async function dump(client: TestClient): Promise<Uint8Array> {
  const reply = await client.run("DUMP", "k");
  assert(reply.type === "bulk", `DUMP: ${String(plain(reply))}`);
  return reply.value;
}

async function restore(
  client: TestClient,
  bytes: Uint8Array,
  name: string,
): Promise<void> {
  const reply = await client.run("RESTORE", "k", "0", bytes, "REPLACE");
  assertEquals(String(plain(reply)), "OK", `${name}: ${hex(bytes)}`);
}

async function encodingOf(client: TestClient): Promise<Plain> {
  return plain(await client.run("OBJECT", "ENCODING", "k"));
}

async function digest(client: TestClient): Promise<Plain> {
  return plain(await client.run("DEBUG", "DIGEST-VALUE", "k"));
}

/**
 * Redis 7.0 takes scores in with seventeen digits, later versions with as few as
 * tell the score; the same may be laid out in other ways.
 */
function hasSameDigest(replies: readonly unknown[]): boolean {
  return (replies[0] as unknown[]).every((score, i) =>
    i % 2 === 0 || /^-?\d{1,6}(\.(5|25|75))?$/.test(String(score))
  );
}

/** Everything there is to be read of "k", comparable. */
async function readAll(
  client: TestClient,
  type: ValueTypeName,
): Promise<unknown[]> {
  const commands: readonly string[][] = READS[type];
  const replies = (await client.pipeline(commands)).map(plain);
  return replies.map((reply) => {
    if (!Array.isArray(reply)) return String(reply);
    return type === "stream"
      ? withoutDetails(reply)
      : type === "zset"
      ? withNumbers(reply)
      : UNORDERED.has(type)
      ? sorted(reply, type === "hash" ? 2 : 1)
      : reply;
  });
}

/** Members with scores that are numbers: 7.0 writes more digits of them. */
function withNumbers(reply: readonly Plain[]): unknown[] {
  return reply.map((part, i) =>
    i % 2 === 1 ? parseFloat(String(part).replace("inf", "Infinity")) : part
  );
}

/** The elements in an order of their own. */
function sorted(elements: readonly Plain[], size: number): string[] {
  const groups: string[] = [];
  for (let at = 0; at < elements.length; at += size) {
    groups.push(JSON.stringify(elements.slice(at, at + size)));
  }
  return groups.sort();
}

/** What XINFO says of a stream but for how it is stored, and what is new. */
function withoutDetails(reply: readonly Plain[]): Plain[] {
  const kept: Plain[] = [];
  for (let i = 0; i < reply.length; i++) {
    const part = reply[i]!;
    if (/^(radix-tree|active-time)/.test(String(part))) i++;
    else kept.push(Array.isArray(part) ? withoutDetails(part) : part);
  }
  return kept;
}

/** Values of a type without their frames, and without compression. */
async function dumpedPlainly(
  pair: Pair,
  type: ValueTypeName,
): Promise<Uint8Array[]> {
  const values: Uint8Array[] = [];
  for (const client of [pair.ours, pair.theirs]) {
    await client.run("CONFIG", "SET", "rdbcompression", "no");
    for (const one of DUMP_CASES.filter((one) => one.type === type)) {
      await make(client, one);
      const value = unframed(await dump(client));
      if (value.length < 5000) values.push(value);
    }
    await client.run("CONFIG", "SET", "rdbcompression", "yes");
    await client.run("DEL", "k");
  }
  return values;
}

/** A value with something wrong in it. */
function damaged(
  random: Random,
  value: Uint8Array,
  others: readonly Uint8Array[],
): Uint8Array {
  let bytes = value.slice();
  for (let n = random.below(3); n >= 0; n--) {
    const at = random.below(bytes.length);
    switch (random.below(8)) {
      case 0:
        bytes = bytes.slice(0, at);
        break;
      case 1: {
        const other = random.pick(others);
        const from = random.below(other.length);
        const piece = other.subarray(from, from + random.below(20));
        bytes.set(piece.subarray(0, bytes.length - at), at);
        break;
      }
      case 2:
        bytes[0] = random.below(26);
        break;
      case 3:
        bytes[at] = random.pick([
          0,
          1,
          0x7f,
          0x80,
          0x81,
          0xc0,
          0xc3,
          0xfe,
          0xff,
        ]);
        break;
      default:
        bytes[at]! ^= 1 << random.below(8);
    }
  }
  return framed(bytes);
}

/** Whether bytes were restored; what was can be read, dumped and deleted. */
async function restoresUseful(
  client: TestClient,
  bytes: Uint8Array,
): Promise<boolean> {
  const [reply, type] = (await client.pipeline([
    ["RESTORE", "k", "0", bytes],
    ["TYPE", "k"],
  ])).map((one) => String(plain(one)));
  if (reply !== "OK") {
    assertEquals(reply, "ReplyError: ERR Bad data format");
    assertEquals(type, "none");
    return false;
  }
  const before = await digest(client);
  const replies = await client.pipeline([
    ...READS[type as ValueTypeName],
    ["OBJECT", "ENCODING", "k"],
    ["MEMORY", "USAGE", "k", "SAMPLES", "0"],
    ["COPY", "k", "k2"],
    ["DUMP", "k2"],
    ["DEL", "k2"],
  ]);
  for (const one of replies) assert(one.type !== "error", String(plain(one)));
  const again = replies.at(-2)!;
  assert(again.type === "bulk");
  await restore(client, again.value, "dumped again");
  assertEquals(await digest(client), before);
  assertEquals(plain(await client.run("DEL", "k")), 1);
  return true;
}

function hex(bytes: Uint8Array): string {
  return [...bytes.subarray(0, 400)]
    .map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
