/**
 * The bench of data types: commands on packed and on large values, sherd and
 * Debian's redis-server in turn, by CPU time per operation; with `--memory` the
 * resident bytes per element.
 *
 * ```sh
 * deno run -A bench/types_bench.ts --rounds 3 --only hset,hget --sizes large
 * ```
 *
 * The traps of load.ts are those of this bench too. Commands that take elements
 * away have their values made anew before each run, outside of the measured
 * time. Commands that add elements find more of them in each round; both
 * servers do.
 *
 * Memory: what a process takes once it is at work is no element's (compiled code,
 * V8's young generation, buffers, the first slab of each size). So both servers
 * first get the very commands that are to be measured, on a few thousand elements
 * that are deleted again, many times over; then the base line is taken. What a
 * million elements take from there on is one figure; the other is the slope: what
 * those take that make four times as many of them. Memory comes in huge pages of
 * 2 MB, which is two bytes of each of a million elements, and V8's heap grows and
 * shrinks by some megabytes whatever the elements are: the slope knows better. So
 * does what the servers say that they have allocated, pages left out of account.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { TestClient } from "../tests/_resp_client.ts";
import { sendCommands } from "./_commands.ts";
import {
  measureInTurn,
  measureRun,
  type Pair,
  withServers,
} from "./_measure.ts";
import { parseCount } from "./_options.ts";
import {
  type Server,
  type ServerSpec,
  settle,
  sleep,
  startServer,
} from "./_proc.ts";
import { type LoadResult, runCommand } from "./_redis_benchmark.ts";
import {
  markdown,
  median,
  print,
  progress,
  range,
  type Run,
} from "./_report.ts";
import { Sherd } from "./_sherd.ts";
import {
  digits,
  MEMORY_CASES,
  type MemoryCase,
  TYPE_CASES,
  type TypeCase,
} from "./_type_cases.ts";

const PIPELINE = 16;
const RUN_SECONDS = 1;
const IDLE_MS = 1_000;
/** The warm-up before memory is measured: so many elements, so many times. */
const WARM_UP_COUNT = 5_000;
const WARM_UP_ROUNDS = 100;
/** How many times its first elements a value has in the end. */
const GROWTH = 4;
const USAGE = `Usage: deno run -A bench/types_bench.ts [OPTIONS]

  --only LIST     commands, such as lpush,hget; with --memory words of names,
                  such as list,stream (all)
  --sizes LIST    of small, large (both)
  --rounds N      runs per server and case (3)
  --workers N     workers (1)
  --memory        measure resident bytes per element instead
  --sherd CHOICE  what is measured; see load.ts
`;

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string" },
      sizes: { type: "string", default: "small,large" },
      rounds: { type: "string", default: "3" },
      workers: { type: "string", default: "1" },
      memory: { type: "boolean", default: false },
      sherd: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return print(USAGE);
  using sherd = new Sherd(values.sherd);
  const workers = parseCount("workers", values.workers);
  await withServers({ sherd, workers }, async (specs) => {
    const only = values.only?.split(",");
    const rounds = parseCount("rounds", values.rounds);
    if (values.memory) return await measureMemory(specs, only, rounds);
    const sizes = values.sizes.split(",");
    await measureCommands(
      specs,
      TYPE_CASES.filter(({ name, size }) =>
        sizes.includes(size) && (only?.includes(name) ?? true)
      ),
      rounds,
    );
  });
}

async function measureCommands(
  specs: readonly ServerSpec[],
  cases: readonly TypeCase[],
  rounds: number,
): Promise<void> {
  const rows = await measureInTurn(specs, cases, rounds, {
    prepare,
    once: measureCase,
    row,
  });
  print(markdown(
    [
      ...["command", "values", "sherd us", "redis us", "CPU ratio", "range"],
      ...["throughput ratio", "verdict"],
    ],
    rows,
  ));
}

/** Fills and warms both servers up; returns the operations of a run. */
async function prepare(
  measured: TypeCase,
  sherd: Server,
  redis: Server,
): Promise<number> {
  const warmUp = measured.consumes ?? 20_000;
  let throughput = 0;
  for (const server of [sherd, redis]) {
    await fill(server, measured);
    await checkKind(server, measured);
    throughput = (await run(server, measured, warmUp)).throughput;
  }
  return measured.consumes ??
    Math.ceil(throughput * RUN_SECONDS / PIPELINE) * PIPELINE;
}

async function fill(server: Server, measured: TypeCase): Promise<void> {
  await sendCommands(server.port, [["FLUSHALL"]]);
  await sendCommands(server.port, measured.fill());
}

/** Throws if the command is refused. */
async function checkKind(server: Server, { argv }: TypeCase): Promise<void> {
  await sendCommands(server.port, [
    argv.map((arg) => arg.replaceAll("__rand_int__", digits(1))),
  ]);
}

async function measureCase(
  measured: TypeCase,
  requests: number,
  loaded: Server,
  idle: Server,
): Promise<Run> {
  if (measured.consumes !== undefined) await fill(loaded, measured);
  return await measureRun(() => run(loaded, measured, requests), loaded, idle);
}

function run(
  { port }: Server,
  { argv, range }: TypeCase,
  requests: number,
): Promise<LoadResult> {
  return runCommand(port, argv, PIPELINE, range, requests);
}

function row(
  { name, size }: TypeCase,
  runs: readonly Pair<Run>[],
): string[] {
  const sherd = median(runs.map((round) => round.sherd.cpuMicrosPerOp));
  const redis = median(runs.map((round) => round.redis.cpuMicrosPerOp));
  const ratios = runs.map((round) =>
    round.sherd.cpuMicrosPerOp / round.redis.cpuMicrosPerOp
  );
  const throughput = median(runs.map((round) => round.sherd.throughput)) /
    median(runs.map((round) => round.redis.throughput));
  const others = median(runs.map((round) => round.sherd.othersCpuShare));
  return [
    ...[name, size, sherd.toFixed(2), redis.toFixed(2)],
    (sherd / redis).toFixed(2),
    range(ratios),
    throughput.toFixed(2),
    sherd <= redis ? "ok" : others > 0.1 ? "missed, disturbed" : "missed",
  ];
}

/** Resident bytes per element of one server. */
interface Footprint {
  /** Of the elements that are there first, from the base line on. */
  first: number;
  /** Of those that are added to them. */
  added: number;
  /** What the server says that it has allocated for these. */
  allocated: number;
}

async function measureMemory(
  specs: readonly ServerSpec[],
  only: readonly string[] | undefined,
  rounds: number,
): Promise<void> {
  const rows: string[][] = [];
  for (const measured of MEMORY_CASES) {
    const { name } = measured;
    if (!(only?.some((word) => name.includes(word)) ?? true)) continue;
    const runs: [Footprint, Footprint][] = [];
    for (let round = 0; round < rounds; round++) {
      runs.push([
        await measureFootprint(specs[0]!, measured),
        await measureFootprint(specs[1]!, measured),
      ]);
    }
    const sherd = middle(runs.map(([sherd]) => sherd));
    const redis = middle(runs.map(([, redis]) => redis));
    rows.push([
      name,
      `${sherd.first.toFixed(1)} / ${redis.first.toFixed(1)}`,
      (sherd.first / redis.first).toFixed(2),
      `${sherd.added.toFixed(1)} / ${redis.added.toFixed(1)}`,
      (sherd.added / redis.added).toFixed(2),
      `${sherd.allocated.toFixed(1)} / ${redis.allocated.toFixed(1)}`,
      sherd.first <= redis.first && sherd.added <= redis.added
        ? "ok"
        : sherd.added <= redis.added
        ? "ok but for what is no element's"
        : "missed",
    ]);
    progress(rows.at(-1)!.join("  "));
  }
  print(markdown(
    [
      ...["values", "bytes per element", "ratio"],
      ...[`bytes per element added, up to ${GROWTH} times`, "ratio"],
      ...["allocated for these", "verdict"],
    ],
    rows,
  ));
}

function middle(footprints: readonly Footprint[]): Footprint {
  return {
    first: median(footprints.map(({ first }) => first)),
    added: median(footprints.map(({ added }) => added)),
    allocated: median(footprints.map(({ allocated }) => allocated)),
  };
}

async function measureFootprint(
  spec: ServerSpec,
  { elementsEach, count, fill }: MemoryCase,
): Promise<Footprint> {
  await using server = await startServer(spec);
  const { port } = server;
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    await sendCommands(port, fill(0, WARM_UP_COUNT));
    await sendCommands(port, [["FLUSHALL"]]);
  }
  const base = await residentBytes(server);
  await sendCommands(port, fill(0, count));
  const filled = await residentBytes(server);
  const usedBefore = await usedBytes(port);
  await sendCommands(port, fill(count, count * GROWTH));
  const grown = await residentBytes(server);
  const elements = count * elementsEach;
  const added = elements * (GROWTH - 1);
  return {
    first: (filled - base) / elements,
    added: (grown - filled) / added,
    allocated: (await usedBytes(port) - usedBefore) / added,
  };
}

/** What a server says that it has allocated. */
async function usedBytes(port: number): Promise<number> {
  using client = await TestClient.connect(port);
  const reply = await client.run("INFO", "memory");
  const text = reply.type === "bulk"
    ? new TextDecoder().decode(reply.value)
    : "";
  return Number(/^used_memory:(\d+)\r$/m.exec(text)![1]);
}

/** Resident memory once all work is done that goes on after the last reply. */
async function residentBytes(server: Server): Promise<number> {
  await sleep(IDLE_MS);
  await settle([server]);
  return server.residentBytes();
}

if (import.meta.main) await main(Deno.args);
