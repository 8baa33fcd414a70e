/**
 * Conservation: whatever pushers, waiting clients, timeouts and disconnects do
 * at the same time on several workers, each element is received once or is left.
 *
 * Invariants 1, 2, 3, 8, 9, 11, 14, 28, 29 of blocking commands: with workers
 * that are slow at any step, and with clients that leave, or are thrown out, at
 * any step.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import {
  Random,
  seeded,
  startServer,
  tagsOnDistinctSlots,
  type TestServer,
} from "../_harness.ts";
import { PATIENCE_MS, pause } from "../_patience.ts";
import {
  type Argument,
  ConnectionClosedError,
  type Plain,
  plain,
  ReplyError,
  type TestClient,
} from "../_resp_client.ts";

const TAGS = tagsOnDistinctSlots(5);
const LISTS = TAGS.slice(0, 3).map((tag) => `{${tag}}list`);
const ZSETS = TAGS.slice(3).map((tag) => `{${tag}}zset`);
const MOVED = "{moved}list";
const CONSUMERS = 12;
const PUSHERS = 3;
const PUSHES = 100;
/** Steps of the workers that are slow, of a thousand, and for how long. */
const SLOW_PARTS = 25;
const SLOW_MICROSECONDS = 4000;

/** What a run has done so far. */
class Ledger {
  readonly received: string[] = [];
  readonly workers = new Set<number>();
  /** Session ids of the clients that wait now. */
  readonly waiting = new Set<number>();
  isOver = false;
  timeouts = 0;
  disconnects = 0;
  kills = 0;
  unblocked = 0;

  readonly #disconnects: boolean;

  constructor(disconnects: boolean) {
    this.#disconnects = disconnects;
  }

  /** Whether everything that a run is for has happened. */
  get isRich(): boolean {
    const isDisturbed = this.disconnects > 0 && this.kills > 0 &&
      this.unblocked > 0;
    return this.workers.size > 1 && this.received.length > 0 &&
      this.timeouts > 0 && isDisturbed === this.#disconnects;
  }

  take(reply: Plain): void {
    if (reply === null) this.timeouts++;
    else if (reply instanceof ReplyError) this.unblocked++;
    else this.received.push(...elementsOf(reply));
  }
}

/** The elements of a reply: of BLMOVE, BLPOP, BLMPOP, BZPOPMIN, or BZMPOP. */
function elementsOf(reply: Plain): string[] {
  if (!Array.isArray(reply)) return [String(reply)];
  const elements = reply[1]!;
  if (!Array.isArray(elements)) return [String(elements)];
  return elements.map((one) => String(Array.isArray(one) ? one[0] : one));
}

function someOf(random: Random, keys: readonly string[]): string[] {
  const some = keys.filter(() => random.chance(0.6));
  return some.length === 0 ? [random.pick(keys)] : some;
}

function waitingCommand(random: Random, inOrder: boolean): Argument[] {
  const lists = someOf(random, LISTS);
  const zsets = someOf(random, ZSETS);
  const timeout = random.pick([0.005, 0.02, 0.1]);
  switch (random.below(inOrder ? 3 : 8)) {
    case 0:
      return ["BLMPOP", timeout, lists.length, ...lists, "LEFT", "COUNT", 2];
    case 1:
    case 2:
      return ["BLPOP", ...lists, timeout];
    case 3:
      return ["BLMOVE", lists[0]!, MOVED, "LEFT", "RIGHT", timeout];
    case 4:
      return ["BRPOP", ...lists, timeout];
    case 5:
      return ["BLMPOP", timeout, lists.length, ...lists, "RIGHT", "COUNT", 3];
    case 6:
      return ["BZPOPMIN", ...zsets, timeout];
    default:
      return ["BZMPOP", timeout, zsets.length, ...zsets, "MAX", "COUNT", 2];
  }
}

function pauseBelow(ms: number, random: Random): Promise<void> {
  return pause(random.below(ms));
}

/** Waits again and again; with `disconnects`, is cut off now and then. */
async function consume(
  server: TestServer,
  random: Random,
  ledger: Ledger,
  disconnects: boolean,
  onReply: (reply: Plain) => void,
): Promise<void> {
  while (!ledger.isOver) {
    using client = await server.client({ checksReplyTypes: false });
    ledger.workers.add(Number(plain(await client.run("DEBUG", "WORKER"))));
    const id = Number(plain(await client.run("CLIENT", "ID")));
    let isCut = false;
    for (let i = 0; i < 20 && !ledger.isOver && !isCut; i++) {
      const argv = waitingCommand(random, !disconnects);
      await client.sendCommands([argv]);
      ledger.waiting.add(id);
      isCut = disconnects && random.chance(0.2);
      if (isCut) {
        await pauseBelow(8, random);
        // The server takes it for gone; what it has sent until then counts.
        await (client.conn as Deno.TcpConn).closeWrite();
        ledger.disconnects++;
      }
      const reply = await replyOrEnd(client);
      ledger.waiting.delete(id);
      if (reply === undefined) isCut = true;
      // What was moved has stayed with its list.
      else if (argv[0] !== "BLMOVE") {
        ledger.take(reply);
        onReply(reply);
      }
    }
  }
}

async function replyOrEnd(client: TestClient): Promise<Plain | undefined> {
  try {
    return plain(await client.readReply());
  } catch (error) {
    if (error instanceof ConnectionClosedError) return undefined;
    throw error;
  }
}

/** Throws those out who wait, or ends their waiting. */
async function disturb(
  server: TestServer,
  random: Random,
  ledger: Ledger,
): Promise<void> {
  using client = await server.client({ checksReplyTypes: false });
  while (!ledger.isOver) {
    await pauseBelow(8, random);
    const ids = [...ledger.waiting];
    if (ids.length === 0) continue;
    const id = random.pick(ids);
    if (random.chance(0.5)) {
      ledger.kills += Number(
        plain(await client.run("CLIENT", "KILL", "ID", id)),
      );
    } else await client.run("CLIENT", "UNBLOCK", id, "ERROR");
  }
}

async function push(
  server: TestServer,
  random: Random,
  name: string,
  pushed: string[],
  ledger: Ledger,
): Promise<void> {
  using client = await server.client({ checksReplyTypes: false });
  // Longer where the machine is so quick or slow that little has happened yet.
  const endMs = performance.now() + PATIENCE_MS;
  const goesOn = (pushes: number) =>
    pushes < PUSHES || !ledger.isRich && performance.now() < endMs;
  for (let i = 0; goesOn(i); i++) {
    const elements: string[] = [];
    for (let n = 1 + random.below(3); n > 0; n--) {
      elements.push(`${name}:${String(pushed.length + elements.length)}`);
    }
    pushed.push(...elements);
    const command = random.chance(0.7)
      ? ["RPUSH", random.pick(LISTS), ...elements]
      : [
        "ZADD",
        random.pick(ZSETS),
        ...elements.flatMap((element) => [random.below(9), element]),
      ];
    if (random.chance(0.2)) {
      await client.pipeline([["MULTI"], command, ["EXEC"]]);
    } else await client.run(...command);
    if (random.chance(0.3)) await pauseBelow(6, random);
  }
}

/** Elements of a pusher come out of each key in the order they went in. */
class Order {
  readonly #lasts = new Map<string, number>();

  check(reply: Plain): void {
    const key = String((reply as Plain[])[0]);
    for (const element of elementsOf(reply)) {
      const [pusher, number] = element.split(":") as [string, string];
      const name = `${key} ${pusher}`;
      assert(Number(number) > (this.#lasts.get(name) ?? -1), "order is kept");
      this.#lasts.set(name, Number(number));
    }
  }
}

async function leftIn(client: TestClient): Promise<string[]> {
  const left: string[] = [];
  for (const key of [...LISTS, MOVED]) {
    const reply = plain(await client.run("LRANGE", key, 0, -1));
    left.push(...(reply as Plain[]).map(String));
  }
  for (const key of ZSETS) {
    const reply = plain(await client.run("ZRANGE", key, 0, -1));
    left.push(...(reply as Plain[]).map(String));
  }
  return left;
}

async function runOnce(
  server: TestServer,
  random: Random,
  disconnects: boolean,
): Promise<void> {
  using client = await server.client({ checksReplyTypes: false });
  await client.run("FLUSHALL");
  await client.run("DEBUG", "SLOW-STEPS", SLOW_PARTS, SLOW_MICROSECONDS);
  const ledger = new Ledger(disconnects);
  const others = Array.from({ length: CONSUMERS }, () => {
    const order = new Order();
    const own = new Random(random.uint32());
    return consume(server, own, ledger, disconnects, (reply) => {
      if (!disconnects && reply !== null) order.check(reply);
    });
  });
  if (disconnects) {
    others.push(disturb(server, new Random(random.uint32()), ledger));
  }
  const pushed: string[][] = Array.from({ length: PUSHERS }, () => []);
  await Promise.all(
    pushed.map((list, i) =>
      push(server, new Random(random.uint32()), `p${i}`, list, ledger)
    ),
  );
  ledger.isOver = true;
  await Promise.all(others);
  await client.run("DEBUG", "SLOW-STEPS", 0, 0);
  const endMs = performance.now() + PATIENCE_MS;
  while (plain(await client.run("DEBUG", "WAITERS")) !== 0) {
    assert(performance.now() < endMs, "no waiter is left");
  }
  // What the last ones to leave give back may still be on its way.
  const expected = pushed.flat().sort();
  let found: string[] = [];
  do {
    await pause(5);
    found = [...ledger.received, ...await leftIn(client)].sort();
  } while (found.length < expected.length && performance.now() < endMs);
  assertEquals(found, expected);
  assert(ledger.isRich, "several workers took part, and all has happened");
  assertEquals(ledger.disconnects > 0, disconnects);
  assertEquals(ledger.kills > 0, disconnects);
  assertEquals(ledger.unblocked > 0, disconnects);
}

for (const workers of [2, 3, 8]) {
  for (const disconnects of [false, true]) {
    const name = `28, 29: pushed is received or left, ${
      disconnects ? "with clients that leave" : "in order"
    } (workers ${workers})`;
    seeded(name, async (random) => {
      await using server = await startServer({ workers });
      await runOnce(server, random, disconnects);
    }, { count: 2 });
  }
}
