/**
 * Many connections at once, each with a long pipeline of random commands on
 * keys of all shards, its byte stream cut at random places. Every connection
 * knows the bytes that must come back, in which order, and stops at the first
 * that differs. Some read slowly, some vanish in the middle of an argument.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import {
  Random,
  seedsToRun,
  sharedServers,
  startServer,
  tagsOnDistinctSlots,
  type TestServer,
} from "../_harness.ts";
import {
  encodeCommands,
  fromBinary,
  plain,
  show,
  type TestClient,
} from "../_resp_client.ts";
import { ConnectionModel, type Exchange } from "./_model.ts";

const CONNECTIONS = 50;
const VANISHING = 10;
const COMMANDS = 300;
const WORKERS = [1, 4];
const TAGS = tagsOnDistinctSlots(16);

const servers = new Map<number, TestServer>();
sharedServers(async (stack) => {
  for (const workers of WORKERS) {
    servers.set(workers, stack.use(await startServer({ workers })));
  }
});

for (const workers of WORKERS) {
  for (const resp of [2, 3] as const) {
    Deno.test({
      name: `pipelining: ${CONNECTIONS} connections get every reply in order ` +
        `(workers ${workers}, RESP${resp})`,
      fn: async () => {
        for (const seed of seedsToRun(1)) {
          await torture(servers.get(workers)!, resp, seed);
        }
      },
    });
  }
}

async function torture(
  server: TestServer,
  resp: 2 | 3,
  seed: number,
): Promise<void> {
  using control = await server.client({ resp });
  await control.run("FLUSHALL");
  const models: ConnectionModel[] = [];
  const outcomes = await Promise.allSettled(
    Array.from({ length: CONNECTIONS }, async (_, id) => {
      const random = new Random(seed * 1000 + id);
      const keys = TAGS.map((tag) => `{${tag}}${id}`);
      const model = new ConnectionModel(random, keys, resp);
      using client = await server.client({ resp });
      if (id < VANISHING) return await vanish(client, model, random);
      models.push(model);
      await converse(client, model, random);
    }),
  );
  const failures = outcomes.flatMap((outcome, id) =>
    outcome.status === "rejected" ? [`connection ${id}: ${outcome.reason}`] : []
  );
  if (failures.length > 0) {
    throw new Error(`SEED=${seed}\n${failures.slice(0, 5).join("\n")}`);
  }
  const expected = models.reduce((sum, model) => sum + model.size, 0);
  assertEquals(plain(await control.run("DBSIZE")), expected);
  await control.run("SELECT", 1);
  assertEquals(plain(await control.run("EXISTS", "cut")), 0);
}

/** Sends everything, and compares what comes with what must. */
async function converse(
  client: TestClient,
  model: ConnectionModel,
  random: Random,
): Promise<void> {
  const script = Array.from({ length: COMMANDS }, () => model.next());
  const expected = fromBinary(script.map(({ reply }) => reply).join(""));
  const sending = send(client, script, random);
  sending.catch(() => {}); // the reader fails too, and says more
  const readLimit = random.pick([512, 16384, 65536]);
  for (let at = 0; at < expected.length;) {
    const bytes = await client.readBytes(readLimit);
    if (bytes === null) throw new Error(`ended ${at} bytes into the replies`);
    const want = expected.subarray(at, at + bytes.length);
    const wrong = firstDifference(want, bytes);
    if (wrong >= 0) throw new Error(explain(script, at + wrong, bytes, wrong));
    at += bytes.length;
  }
  await sending;
}

/** Works in database 1 and goes away within the value of the last SET. */
async function vanish(
  client: TestClient,
  model: ConnectionModel,
  random: Random,
): Promise<void> {
  // What they leave unread has to fit into the sockets' buffers: a server that
  // rightly waits for its reader would keep them from reaching the cut.
  const script: Exchange[] = [];
  for (let i = random.below(60), unread = 0; i > 0 && unread < 100_000; i--) {
    const exchange = model.next();
    unread += exchange.reply.length;
    script.push(exchange);
  }
  const bytes = encodeCommands([
    ["SELECT", "1"],
    ...script.map(({ argv }) => argv),
    ["SET", "cut", random.binary(random.pick([10, 1000, 100_000]))],
  ]);
  const sent = bytes.subarray(0, bytes.length - random.between(1, 8));
  await client.sendRaw(sent, { chunks: cuts(random, sent.length) });
  // Some take replies before they go, some leave them behind.
  if (random.chance(0.5)) await client.readBytes();
}

async function send(
  client: TestClient,
  script: readonly Exchange[],
  random: Random,
): Promise<void> {
  const bytes = encodeCommands(script.map(({ argv }) => argv));
  await client.sendRaw(bytes, { chunks: cuts(random, bytes.length) });
}

/** Sizes of pieces: single bytes, around the buffers' sizes, very large. */
function cuts(random: Random, length: number): number[] {
  const largest = random.pick([64, 4096, 65536, 1 << 20]);
  const sizes: number[] = [];
  for (let left = length; left > 0 && sizes.length < 1000;) {
    const size = random.chance(0.2)
      ? random.between(1, 3)
      : random.between(1, largest);
    sizes.push(size);
    left -= size;
  }
  return sizes;
}

function firstDifference(want: Uint8Array, got: Uint8Array): number {
  for (let i = 0; i < got.length; i++) {
    if (want[i] !== got[i]) return i;
  }
  return -1;
}

/** Names the command whose reply holds the byte at `at`. */
function explain(
  script: readonly Exchange[],
  at: number,
  bytes: Uint8Array,
  wrong: number,
): string {
  let before = 0;
  let index = 0;
  for (; index < script.length; index++) {
    const end = before + script[index]!.reply.length;
    if (at < end) break;
    before = end;
  }
  const exchange = script[index];
  if (exchange === undefined) return `more replies than commands`;
  return `wrong reply to command ${index}: ` +
    exchange.argv.map((argument) => show(argument, 40)).join(" ") +
    `\n  at byte ${at - before} of ${show(exchange.reply, 120)}` +
    `\n  came ${show(bytes.subarray(wrong), 120)}`;
}
