/**
 * What connections cost that wait: subscribers, idle ones, consumers of queues;
 * sherd and Debian's redis-server in turn.
 *
 * ```sh
 * deno run -A bench/waiting_bench.ts --only fanout,handoff --workers 2
 * ```
 *
 * - fanout: one publisher, 50 subscribers, messages of 16 bytes; P is how many
 *   messages the publisher sends before it waits for the replies.
 * - idle: resident bytes of a connection that has asked one thing and is silent.
 * - waiters: many BLPOP of one key, and a push every millisecond: how long until
 *   the element is there, and what a push costs, for several numbers of waiters.
 * - handoff: one consumer, one producer, on different workers; the key is that of
 *   another shard each time.
 *
 * Traps: see load.ts. Besides:
 * - Who reads by promises is slower than either server writes; so fan-out's
 *   connections are read by calls of the system (see _polled_sockets.ts).
 * - A subscriber that is slow makes the server's work cheaper, as several
 *   messages leave in one write; so the publisher waits for the slowest one.
 * - Delays of `waiters` are those of a generator in one thread, its own share
 *   included, and of its timers; redis-server's are measured in the same way.
 * - Resident memory is read when a connection's garbage had time to be collected,
 *   but V8 gives pages back late: the figure is an upper bound.
 *
 * @module
 */

import { concat } from "@std/bytes";
import { parseArgs } from "node:util";
import { withServers } from "./_measure.ts";
import { parseCount, parseCounts, parseNames } from "./_options.ts";
import { PolledSockets } from "./_polled_sockets.ts";
import {
  cpuBetween,
  type Server,
  type ServerSpec,
  settle,
  sleep,
  startServer,
} from "./_proc.ts";
import { markdown, median, print, progress, range } from "./_report.ts";
import { Sherd } from "./_sherd.ts";
import { command, repeated, Wire } from "./_waiting_client.ts";

const SUBSCRIBERS = 50;
const MESSAGE = "0123456789abcdef";
const CHANNEL = "news";
/** Bytes of a message as a subscriber gets it. */
const MESSAGE_BYTES =
  "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$16\r\n\r\n".length +
  MESSAGE.length;
/** Rounds before anything is measured: code is compiled while it runs. */
const WARM_UP = 40_000;
const WARM_UP_MS_MAX = 20_000;
/** Batches that a subscriber may be behind. */
const BEHIND_MAX = 4;

const USAGE = `Usage: deno run -A bench/waiting_bench.ts [OPTIONS]

  --only LIST      of fanout, idle, waiters, handoff (all)
  --rounds N       runs per server and case (3)
  --workers LIST   numbers of workers (1,2)
  --seconds N      length of a run, of fanout, waiters and handoff (2)
  --connections N  connections of idle (10000)
  --sherd CHOICE   what is measured; see load.ts
`;

interface Options {
  names: string[];
  rounds: number;
  workers: number[];
  seconds: number;
  connections: number;
  sherd: string | undefined;
}

/** Figures of one run, by name. */
type Figures = Record<string, number>;

/** Something to measure on one server. */
interface Case {
  name: string;
  run: (server: Server) => Figures | Promise<Figures>;
}

function fanOut(server: Server, pipeline: number, seconds: number): Figures {
  using sockets = new PolledSockets(server.port, SUBSCRIBERS + 1);
  const subscribe = command("SUBSCRIBE", CHANNEL);
  let confirmed = 0;
  for (let i = 0; i < SUBSCRIBERS; i++) sockets.send(i, subscribe);
  while (confirmed < SUBSCRIBERS) sockets.receive(() => confirmed++);
  const publish = repeated(command("PUBLISH", CHANNEL, MESSAGE), pipeline);
  const replyBytes = `:${SUBSCRIBERS}\r\n`.length * pipeline;
  const counts = new Float64Array(SUBSCRIBERS);
  let replied = 0;
  let published = 0;
  const receive = () =>
    sockets.receive((i, bytes) => {
      if (i === SUBSCRIBERS) replied += bytes;
      else counts[i]! += bytes;
    });
  const publishFor = (ms: number) => {
    const endMs = performance.now() + ms;
    while (performance.now() < endMs) {
      sockets.send(SUBSCRIBERS, publish);
      published += pipeline;
      const due = published / pipeline * replyBytes;
      const least = (published - BEHIND_MAX * pipeline) * MESSAGE_BYTES;
      while (replied < due || Math.min(...counts) < least) receive();
    }
    while (Math.min(...counts) < published * MESSAGE_BYTES) receive();
  };
  while (published < WARM_UP) publishFor(100);
  const before = server.cpuTimes();
  const startMs = performance.now();
  const from = published;
  publishFor(seconds * 1000);
  const elapsedMs = performance.now() - startMs;
  const { cpuMs } = cpuBetween(before, server.cpuTimes());
  const deliveries = (published - from) * SUBSCRIBERS;
  return {
    "CPU µs per delivery": cpuMs * 1000 / deliveries,
    "k deliveries/s": deliveries / elapsedMs,
  };
}

async function idle(server: Server, connections: number): Promise<Figures> {
  await settle([server]);
  const before = server.residentBytes();
  const wires: Wire[] = [];
  const scratch = new Uint8Array(1024);
  const open = async () => {
    const wire = await Wire.connect(server.port, scratch);
    await wire.ask("PING");
    wires.push(wire);
  };
  for (let i = 0; i < connections; i += 50) {
    await Promise.all(Array.from({ length: 50 }, open));
  }
  await sleep(3000);
  await settle([server]);
  const bytes = (server.residentBytes() - before) / wires.length;
  const cpuBefore = server.cpuTimes();
  await sleep(1000);
  const { cpuMs } = cpuBetween(cpuBefore, server.cpuTimes());
  for (const wire of wires) wire.close();
  await sleep(200);
  return { "resident KB per connection": bytes / 1024, "idle CPU ms/s": cpuMs };
}

async function waiters(
  server: Server,
  count: number,
  seconds: number,
): Promise<Figures> {
  const blpop = command("BLPOP", "queue", 0);
  const scratch = new Uint8Array(1024);
  const wires: Wire[] = [];
  const sentMs: number[] = [];
  const delays: number[] = [];
  let isMeasured = false;
  for (let i = 0; i < count; i++) {
    wires.push(await Wire.connect(server.port, scratch));
  }
  const loops = wires.map(async (wire) => {
    await wire.send(blpop);
    while (await wire.read() > 0) {
      // First in, first out: the longest under way is the one that came.
      const delayMs = performance.now() - sentMs.shift()!;
      received++;
      if (isMeasured) delays.push(delayMs);
      await wire.send(blpop);
    }
  });
  using pusher = await Wire.connect(server.port);
  const push = command("RPUSH", "queue", "x");
  const reader = (async () => {
    while (await pusher.read() > 0);
  })();
  let pushes = 0;
  let received = 0;
  const send = async () => {
    pushes++;
    sentMs.push(performance.now());
    await pusher.send(push);
  };
  const pushFor = async (ms: number) => {
    const startMs = performance.now();
    for (let pushed = 0;;) {
      const elapsedMs = performance.now() - startMs;
      if (elapsedMs > ms) break;
      if (pushed < elapsedMs) {
        pushed++;
        await send();
      } else await sleep(0);
    }
  };
  for (const endMs = performance.now() + WARM_UP_MS_MAX; pushes < WARM_UP;) {
    const before = received;
    await send();
    while (received === before) await nextTurn();
    if (performance.now() > endMs) break;
  }
  await sleep(50);
  isMeasured = true;
  pushes = 0;
  const before = server.cpuTimes();
  await pushFor(seconds * 1000);
  await sleep(50);
  const { cpuMs } = cpuBetween(before, server.cpuTimes());
  for (const wire of wires) wire.close();
  pusher.close();
  await Promise.all([...loops, reader]);
  delays.sort((a, b) => a - b);
  const at = (share: number) => delays[Math.floor(delays.length * share)]!;
  return {
    "p50 ms": at(0.5),
    "p99 ms": at(0.99),
    "CPU µs per push": cpuMs * 1000 / pushes,
  };
}

async function handOff(server: Server, seconds: number): Promise<Figures> {
  using consumer = await Wire.connectTo(server.port, 0);
  using producer = await Wire.connectTo(
    server.port,
    server.name === "sherd" ? 1 : 0,
  );
  const keys = ["a", "b"];
  // Once the reply to PING is there, the command behind it waits.
  const wait = concat([command("PING"), command("BLPOP", ...keys, 0)]);
  const pushes = keys.map((key) => command("RPUSH", key, "x"));
  let count = 0;
  const exchangeFor = async (ms: number, most: number) => {
    const endMs = performance.now() + ms;
    for (; count < most && performance.now() < endMs; count++) {
      await consumer.send(wait);
      await consumer.skip("+PONG\r\n".length);
      await producer.send(pushes[count % 2]!);
      await Promise.all([producer.read(), consumer.read()]);
    }
  };
  await exchangeFor(WARM_UP_MS_MAX, WARM_UP);
  count = 0;
  const before = server.cpuTimes();
  const startMs = performance.now();
  await exchangeFor(seconds * 1000, Infinity);
  const elapsedMs = performance.now() - startMs;
  const { cpuMs } = cpuBetween(before, server.cpuTimes());
  return {
    "CPU µs per hand-off": cpuMs * 1000 / count,
    "k hand-offs/s": count / elapsedMs,
  };
}

function nextTurn(): Promise<void> {
  return new Promise((wake) => setImmediate(wake));
}

/** The cases by name. */
const CASES: Record<string, (options: Options) => Case[]> = {
  fanout: ({ seconds }) =>
    [1, 16].map((pipeline) => ({
      name: `fan-out, P=${pipeline}`,
      run: (server) => fanOut(server, pipeline, seconds),
    })),
  idle: ({ connections }) => [{
    name: `${connections} idle connections`,
    run: (server) => idle(server, connections),
  }],
  waiters: ({ seconds }) =>
    [10, 100, 1000].map((count) => ({
      name: `${count} BLPOP of one key`,
      run: (server) => waiters(server, count, seconds),
    })),
  handoff: ({ seconds }) => [{
    name: "hand-off",
    run: (server) => handOff(server, seconds),
  }],
};

function readOptions(): Options | "help" {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      only: { type: "string" },
      rounds: { type: "string", default: "3" },
      workers: { type: "string", default: "1,2" },
      seconds: { type: "string", default: "2" },
      connections: { type: "string", default: "10000" },
      sherd: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return "help";
  return {
    names: parseNames("only", values.only, Object.keys(CASES)),
    rounds: parseCount("rounds", values.rounds),
    workers: parseCounts("workers", values.workers),
    seconds: parseCount("seconds", values.seconds),
    connections: parseCount("connections", values.connections),
    sherd: values.sherd,
  };
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options === "help") return print(USAGE);
  const { connections } = options;
  using sherd = new Sherd(options.sherd);
  const rows: string[][] = [];
  for (const workers of options.workers) {
    await withServers({ sherd, workers }, async (specs) => {
      for (const spec of specs) {
        spec.command.push("--maxclients", `${connections + 1000}`);
      }
      if (!sherd.isGiven) {
        specs[0]!.command.push("--enable-debug-command", "yes");
      }
      for (const chosen of options.names) {
        if (chosen === "handoff" && workers === 1) continue;
        for (const { name, run } of CASES[chosen]!(options)) {
          progress(`${name}, ${workers} workers`);
          rows.push(
            ...await compare(specs, workers, options.rounds, name, run),
          );
        }
      }
    });
  }
  print(markdown(
    ["case", "workers", "figure", "sherd", "redis-server", "ratio (range)"],
    rows,
  ));
}

async function compare(
  specs: readonly ServerSpec[],
  workers: number,
  rounds: number,
  name: string,
  run: Case["run"],
): Promise<string[][]> {
  const results: Figures[][] = [[], []];
  for (let round = 0; round < rounds; round++) {
    for (const [i, spec] of specs.entries()) {
      await using server = await startServer(spec);
      results[i]!.push(await run(server));
    }
  }
  const [own, other] = results as [Figures[], Figures[]];
  return Object.keys(own[0]!).map((figure) => {
    const ratios = own.map((one, i) => one[figure]! / other[i]![figure]!);
    return [
      ...[name, `${workers}`, figure],
      median(own.map((one) => one[figure]!)).toFixed(2),
      median(other.map((one) => one[figure]!)).toFixed(2),
      `${median(ratios).toFixed(2)} (${range(ratios)})`,
    ];
  });
}

if (import.meta.main) await main();
