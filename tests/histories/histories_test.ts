/**
 * Strict serializability over shards, as clients see it: random operations of
 * many clients on several workers, with delays where workers may come in
 * between each other, and a proof that one order explains all replies.
 *
 * SHERD_SEED=n repeats the choices of one seed; SHERD_HISTORIES=n runs so many
 * rounds of each workload instead of a few.
 *
 * @module
 */
import { assert } from "@std/assert";
import { Random, seeded, startServer, type TestServer } from "../_harness.ts";
import { plain, type TestClient } from "../_resp_client.ts";
import { findOrder } from "./_linearize.ts";
import { miniRedis, type ModelReply } from "./_mini_redis.ts";
import { numbersOf, pairs } from "./_mini_values.ts";
import { connectAll, record, type Recorded } from "./_record.ts";
import { type Workload, WORKLOADS } from "./_workloads.ts";

const CLIENTS = 9;
/** Moves of each client in a round. */
const MOVES = 10;
/** Rounds of each workload, for each number of workers. */
const ROUNDS = Number(Deno.env.get("SHERD_HISTORIES") ?? 2);

/** Commands that make the keys that a workload begins with. */
function setup(keys: Readonly<Record<string, string>>): string[][] {
  return Object.entries(keys).map(([key, value]) => {
    const items = value.slice(1, -1).split(",");
    switch (value[0]) {
      case "[":
        return ["RPUSH", key, ...items];
      case "{":
        return ["SADD", key, ...items];
      case "%":
        return ["HSET", key, ...pairs(value).flat()];
      case "<":
        return ["ZADD", key, ...pairs(value).flatMap(([a, b]) => [b, a])];
      case "L":
        return ["RPUSH", key, ...numbers(value)];
      case "Z":
        return ["ZADD", key, ...numbers(value).flatMap((n) => [n, n])];
      default:
        return ["SET", key, value.slice(1)];
    }
  });
}

function numbers(value: string): string[] {
  const [from, to] = numbersOf(value);
  return Array.from({ length: to - from }, (_, i) => String(from + i));
}

async function runRound(
  clients: readonly TestClient[],
  workload: Workload,
  random: Random,
): Promise<void> {
  const databases = clients.map((_, i) =>
    workload.usesDatabases && i % 3 === 0 ? 1 : 0
  );
  for (const [i, client] of clients.entries()) {
    await client.run("SELECT", databases[i]!);
  }
  const admin = clients[1]!;
  const replies = await admin.pipeline([
    ["FLUSHALL"],
    ...setup(workload.keys),
  ]);
  assert(replies.every(({ type }) => type !== "error"));
  const { operations } = await record(
    clients,
    databases,
    random,
    MOVES,
    (own, client) => workload.next(own, client),
    (seed) => new Random(seed),
  );
  await workload.check?.(async (...argv) =>
    plain(await admin.run(...argv)) as ModelReply
  );
  const inOrder = [...operations].sort((a, b) => a.start - b.start);
  const order = findOrder(miniRedis(workload.keys), inOrder);
  assert(order !== null, `no order explains these replies:\n${show(inOrder)}`);
}

/** A history for people to read. */
function show(history: readonly Recorded[]): string {
  return history.map(({ client, input, output, start, end }) => {
    const commands = input.commands.map((argv) => argv.join(" ")).join("; ");
    const watched = input.watched === undefined
      ? ""
      : `watched ${JSON.stringify([...input.watched])} `;
    const what = input.isTransaction
      ? `EXEC ${watched}(${commands})`
      : commands;
    return `${start}..${end} client ${client} db ${input.db}: ${what} -> ${
      JSON.stringify(output)
    }`;
  }).join("\n");
}

/** Connections of which not all are on one worker, as the kernel may choose. */
async function connectWidely(
  server: TestServer,
  stack: DisposableStack,
): Promise<TestClient[]> {
  for (;;) {
    const clients = await connectAll(server, CLIENTS, stack);
    const places = new Set<number>();
    for (const client of clients) {
      places.add(Number(plain(await client.run("DEBUG", "WORKER"))));
    }
    if (places.size > 1) return clients;
  }
}

/** Everything that can be is run in the background. */
const IN_BACKGROUND = [
  ...["--background-threshold", "1", "--background-threshold-bytes", "1"],
  ...["--background-threshold-keys", "1"],
];

const SERVERS = [
  { workers: 2, delays: true, args: [] },
  { workers: 3, delays: false, args: [] },
  { workers: 8, delays: true, args: [] },
  { workers: 3, delays: true, args: IN_BACKGROUND },
];

for (const { workers, delays, args } of SERVERS) {
  const name = `${workers} workers${delays ? " with delays" : ""}${
    args.length > 0 ? " in the background" : ""
  }`;
  seeded(`histories are strictly serializable: ${name}`, async (random) => {
    await using server = await startServer({ workers, args });
    using stack = new DisposableStack();
    const clients = await connectWidely(server, stack);
    // Workers are slow, now and then, where others may come in between.
    if (delays) await clients[0]!.run("DEBUG", "SLOW-STEPS", 60, 400);
    for (const workload of WORKLOADS) {
      const rounds = workload.isDear ? Math.ceil(ROUNDS / 3) : ROUNDS;
      for (let round = 0; round < rounds; round++) {
        try {
          await runRound(clients, workload, random);
        } catch (cause) {
          throw new Error(`${workload.name}, round ${round}`, { cause });
        }
      }
    }
    const info = String(plain(await clients[0]!.run("INFO", "stats")));
    const inBackground = /sherd_background_commands:(\d+)/.exec(info)![1];
    assert(args.length === 0 || Number(inBackground) > 100);
  }, { count: 1 });
}
