/**
 * Conservation: whatever pushers, waiting clients, timeouts and disconnects do
 * at the same time on several workers, each element is received once or is left.
 *
 * Invariants 1, 2, 3, 11, 14, 28 of blocking commands.
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
import {
  type Argument,
  ConnectionClosedError,
  type Plain,
  plain,
  type TestClient,
} from "../_resp_client.ts";

const KEYS = tagsOnDistinctSlots(4).map((tag) => `{${tag}}list`);
const MOVED = "{moved}list";
const CONSUMERS = 12;
const PUSHERS = 3;
const PUSHES = 120;

/** What a run has done so far. */
class Ledger {
  readonly received: string[] = [];
  readonly workers = new Set<number>();
  isOver = false;
  timeouts = 0;
  disconnects = 0;

  take(reply: Plain): void {
    if (reply === null) this.timeouts++;
    else this.received.push(...elementsOf(reply));
  }
}

/** The elements of a reply: of BLMOVE, BLPOP, or BLMPOP. */
function elementsOf(reply: Plain): string[] {
  if (!Array.isArray(reply)) return [String(reply)];
  const elements = reply[1]!;
  return Array.isArray(elements) ? elements.map(String) : [String(elements)];
}

function waitingCommand(random: Random, canMove: boolean): Argument[] {
  const keys = KEYS.filter(() => random.chance(0.6));
  if (keys.length === 0) keys.push(random.pick(KEYS));
  const timeout = random.pick([0.005, 0.02, 0.1]);
  switch (random.below(canMove ? 5 : 2)) {
    case 0:
      return ["BLMPOP", timeout, keys.length, ...keys, "LEFT", "COUNT", 2];
    case 3:
      return ["BLMOVE", keys[0]!, MOVED, "LEFT", "RIGHT", timeout];
    case 4:
      return ["BRPOP", ...keys, timeout];
    default:
      return ["BLPOP", ...keys, timeout];
  }
}

/** Waits again and again; with `disconnects`, is cut off now and then. */
async function consume(
  server: TestServer,
  random: Random,
  ledger: Ledger,
  disconnects: boolean,
  onReply: (argv: Argument[], reply: Plain) => void,
): Promise<void> {
  while (!ledger.isOver) {
    using client = await server.client({ checksReplyTypes: false });
    ledger.workers.add(Number(plain(await client.run("DEBUG", "WORKER"))));
    for (let i = 0; i < 20 && !ledger.isOver; i++) {
      const argv = waitingCommand(random, disconnects);
      await client.sendCommands([argv]);
      const isCut = disconnects && random.chance(0.2);
      if (isCut) {
        const pause = random.below(8);
        await new Promise((wake) => setTimeout(wake, pause));
        // The server takes it for gone; what it has sent until then counts.
        await (client.conn as Deno.TcpConn).closeWrite();
        ledger.disconnects++;
      }
      const reply = await replyOrEnd(client);
      // What was moved has stayed with its list.
      if (reply !== undefined && argv[0] !== "BLMOVE") {
        ledger.take(reply);
        onReply(argv, reply);
      }
      if (isCut) break;
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

async function push(
  server: TestServer,
  random: Random,
  name: string,
  pushed: string[],
): Promise<void> {
  using client = await server.client({ checksReplyTypes: false });
  for (let i = 0; i < PUSHES; i++) {
    const elements: string[] = [];
    for (let n = 1 + random.below(3); n > 0; n--) {
      elements.push(`${name}:${String(pushed.length + elements.length)}`);
    }
    pushed.push(...elements);
    const key = random.pick(KEYS);
    if (random.chance(0.2)) {
      await client.pipeline([["MULTI"], ["RPUSH", key, ...elements], ["EXEC"]]);
    } else await client.run("RPUSH", key, ...elements);
    if (random.chance(0.3)) {
      const pause = random.below(6);
      await new Promise((wake) => setTimeout(wake, pause));
    }
  }
}

async function runOnce(
  server: TestServer,
  random: Random,
  disconnects: boolean,
): Promise<void> {
  using client = await server.client({ checksReplyTypes: false });
  await client.run("FLUSHALL");
  const ledger = new Ledger();
  const lasts: Map<string, number>[] = [];
  const consumers = Array.from({ length: CONSUMERS }, (_, i) => {
    const last = lasts[i] = new Map<string, number>();
    return consume(
      server,
      new Random(random.uint32()),
      ledger,
      disconnects,
      (_argv, reply) => {
        if (disconnects || reply === null) return;
        const key = String((reply as Plain[])[0]);
        for (const element of elementsOf(reply)) {
          const [pusher, number] = element.split(":") as [string, string];
          const name = `${key} ${pusher}`;
          assert(Number(number) > (last.get(name) ?? -1), "order is kept");
          last.set(name, Number(number));
        }
      },
    );
  });
  const pushed: string[][] = Array.from({ length: PUSHERS }, () => []);
  await Promise.all(
    pushed.map((list, i) =>
      push(server, new Random(random.uint32()), `p${i}`, list)
    ),
  );
  ledger.isOver = true;
  await Promise.all(consumers);
  const endMs = performance.now() + 5000;
  while (plain(await client.run("DEBUG", "WAITERS")) !== 0) {
    assert(performance.now() < endMs, "no waiter is left");
  }
  const found = [...ledger.received];
  for (const key of [...KEYS, MOVED]) {
    found.push(
      ...(plain(await client.run("LRANGE", key, 0, -1)) as Plain[]).map(String),
    );
  }
  assertEquals(found.sort(), pushed.flat().sort());
  assert(ledger.workers.size > 1, "several workers took part");
  assert(ledger.received.length > 0 && ledger.timeouts > 0);
  assertEquals(ledger.disconnects > 0, disconnects);
}

for (const disconnects of [false, true]) {
  const name = `28: pushed is received or left, ${
    disconnects ? "with clients that leave" : "in order"
  }`;
  seeded(name, async (random) => {
    await using server = await startServer({ workers: 3 });
    await runOnce(server, random, disconnects);
  }, { count: 2 });
}
