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
 * @module
 */

import { parseArgs } from "node:util";
import { sendCommands } from "./_commands.ts";
import { measureRun, withServers } from "./_measure.ts";
import { parseCount } from "./_options.ts";
import {
  type Server,
  type ServerSpec,
  settle,
  sleep,
  startServer,
} from "./_proc.ts";
import { type LoadResult, runCommand } from "./_redis_benchmark.ts";
import { markdown, median, print, progress, type Run } from "./_report.ts";
import {
  digits,
  MEMORY_CASES,
  TYPE_CASES,
  type TypeCase,
} from "./_type_cases.ts";

const PIPELINE = 16;
const RUN_SECONDS = 1;
const IDLE_MS = 1_000;
const WARM_UP_REQUESTS = 1_000_000;
const USAGE = `Usage: deno run -A bench/types_bench.ts [OPTIONS]

  --only LIST     commands, such as lpush,hget (all)
  --sizes LIST    of small, large (both)
  --rounds N      runs per server and case (3)
  --workers N     workers (1)
  --memory        measure resident bytes per element instead
  --sherd "CMD"   command that starts the server; see load.ts
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
  const workers = parseCount("workers", values.workers);
  await withServers({ sherd: values.sherd, workers }, async (specs) => {
    if (values.memory) return await measureMemory(specs);
    const only = values.only?.split(",");
    const sizes = values.sizes.split(",");
    await measureCommands(
      specs,
      TYPE_CASES.filter(({ name, size }) =>
        sizes.includes(size) && (only?.includes(name) ?? true)
      ),
      parseCount("rounds", values.rounds),
    );
  });
}

async function measureCommands(
  specs: readonly ServerSpec[],
  cases: readonly TypeCase[],
  rounds: number,
): Promise<void> {
  const [sherdSpec, redisSpec] = specs;
  await using sherd = await startServer(sherdSpec!);
  await using redis = await startServer(redisSpec!);
  const rows: string[][] = [];
  for (const measured of cases) {
    const requests = await prepare(measured, sherd, redis);
    const runs: { sherd: Run; redis: Run }[] = [];
    for (let round = 0; round < rounds; round++) {
      runs.push({
        sherd: await measureCase(measured, requests, sherd, redis),
        redis: await measureCase(measured, requests, redis, sherd),
      });
    }
    rows.push(row(measured, runs));
    progress(rows.at(-1)!.join("  "));
  }
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
  runs: readonly { sherd: Run; redis: Run }[],
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
    `${Math.min(...ratios).toFixed(2)}..${Math.max(...ratios).toFixed(2)}`,
    throughput.toFixed(2),
    sherd <= redis ? "ok" : others > 0.1 ? "missed, disturbed" : "missed",
  ];
}

/**
 * What a process takes once it is at work is no element's: compiled code, buffers
 * and the first slab of each size.
 */
async function warmUp({ port }: Server): Promise<void> {
  await runCommand(port, ["SET", "warm", "up"], PIPELINE, 1, WARM_UP_REQUESTS);
  await sendCommands(port, [["FLUSHALL"]]);
}

async function measureMemory(specs: readonly ServerSpec[]): Promise<void> {
  const rows: string[][] = [];
  for (const { name, elements, fill } of MEMORY_CASES) {
    const bytes: number[] = [];
    for (const spec of specs) {
      await using server = await startServer(spec);
      await warmUp(server);
      await sleep(IDLE_MS);
      const idleBytes = server.residentBytes();
      await sendCommands(server.port, fill());
      await sleep(IDLE_MS);
      await settle([server]);
      bytes.push((server.residentBytes() - idleBytes) / elements);
    }
    const [sherd, redis] = bytes as [number, number];
    rows.push([
      ...[name, sherd.toFixed(1), redis.toFixed(1)],
      ...[(sherd / redis).toFixed(2), sherd <= redis ? "ok" : "missed"],
    ]);
    progress(rows.at(-1)!.join("  "));
  }
  print(markdown(
    ["values", "sherd bytes", "redis bytes", "ratio", "verdict"],
    rows,
  ));
}

if (import.meta.main) await main(Deno.args);
