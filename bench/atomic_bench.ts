/**
 * What it costs to be atomic over shards: MSET and MGET of ten keys that lie
 * anywhere, transactions of five SETs, and one key that all workers write, for
 * sherd and Debian's redis-server in turn.
 *
 * ```sh
 * deno run -A bench/atomic_bench.ts --rounds 3
 * ```
 *
 * The figure is CPU time per operation (a transaction is one), and for the hot
 * key throughput as well.
 *
 * Traps: those of load.ts. The load of transactions is made by this process,
 * which needs a core of its own; where it is the slower side, throughput says
 * nothing. Eight workers on two cores wait for cores, so that only the ratio of
 * throughput means something there.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { fillKeys } from "./_fill.ts";
import {
  measureInTurn,
  measureRun,
  type Pair,
  withServers,
} from "./_measure.ts";
import { parseCount } from "./_options.ts";
import type { Server } from "./_proc.ts";
import { type LoadResult, runCommand, runLoad } from "./_redis_benchmark.ts";
import { markdown, median, print, range, type Run } from "./_report.ts";
import { Sherd } from "./_sherd.ts";
import { runTransactions } from "./_transactions.ts";

const KEYS = 500_000;
const RUN_SECONDS = 2;
/** Requests for each one of a pipeline: each worker compiles its own code. */
const WARM_UP_REQUESTS = 100_000;
const USAGE = `Usage: deno run -A bench/atomic_bench.ts [OPTIONS]

  --rounds N      runs per server and case (3)
  --only LIST     names of cases (all)
  --sherd CHOICE  what is measured; see load.ts
`;

/** One load on one number of workers. */
interface Case {
  readonly name: string;
  readonly workers: number;
  readonly pipeline: number;
  /** Most CPU time per operation, or least throughput, as a ratio to Redis's. */
  readonly target: { cpuMax?: number; throughputMin?: number };
  run(port: number, requests: number): LoadResult | Promise<LoadResult>;
}

function wide(command: "mset" | "mget", pipeline: number): Case {
  const load = { command, keys: "uniform", pipeline, keyCount: KEYS } as const;
  return {
    name: command,
    workers: 2,
    pipeline,
    target: { cpuMax: 1.2 },
    run: (port, requests) => runLoad(port, load, requests),
  };
}

function transaction(pipeline: number): Case {
  const load = { connections: 50, pipeline, sets: 5, keys: KEYS };
  return {
    name: "multi",
    workers: 2,
    pipeline,
    target: { cpuMax: 1.2 },
    run: (port, requests) => runTransactions(port, load, requests),
  };
}

function hot(pipeline: number): Case {
  return {
    name: "hot",
    workers: 8,
    pipeline,
    target: { throughputMin: 0.7 },
    run: (port, requests) =>
      runCommand(port, ["INCR", "hot"], pipeline, 0, requests),
  };
}

const CASES: readonly Case[] = [
  ...[wide("mset", 1), wide("mset", 16), wide("mget", 1), wide("mget", 16)],
  ...[transaction(1), transaction(16), hot(1), hot(16)],
];

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string", default: "3" },
      only: { type: "string" },
      sherd: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return print(USAGE);
  using sherd = new Sherd(values.sherd);
  const only = values.only?.split(",");
  const rounds = parseCount("rounds", values.rounds);
  const rows: string[][] = [];
  for (const measured of CASES) {
    if (only !== undefined && !only.includes(measured.name)) continue;
    const { workers } = measured;
    rows.push(
      ...await withServers(
        { sherd, workers },
        (specs) =>
          measureInTurn(specs, [measured], rounds, {
            prepare,
            once: measureCase,
            row,
          }),
      ),
    );
  }
  print(markdown(
    [
      ...["load", "workers", "P", "sherd us", "redis us", "CPU ratio", "range"],
      ...["throughput ratio", "verdict"],
    ],
    rows,
  ));
}

/** Fills and warms both servers up; returns the operations of a run. */
async function prepare(
  measured: Case,
  sherd: Server,
  redis: Server,
): Promise<number> {
  let requests = 0;
  for (const { port } of [sherd, redis]) {
    await fillKeys(port, { prefix: "key:", count: KEYS, value: "bytes" });
    const { throughput } = await measured.run(
      port,
      WARM_UP_REQUESTS * measured.pipeline,
    );
    requests = Math.ceil(throughput * RUN_SECONDS);
  }
  return requests;
}

function measureCase(
  measured: Case,
  requests: number,
  loaded: Server,
  idle: Server,
): Promise<Run> {
  return measureRun(() => measured.run(loaded.port, requests), loaded, idle);
}

function row(
  { name, workers, pipeline, target }: Case,
  runs: readonly Pair<Run>[],
): string[] {
  const cpu = runs.map((run) =>
    run.sherd.cpuMicrosPerOp / run.redis.cpuMicrosPerOp
  );
  const throughput = median(
    runs.map((run) => run.sherd.throughput / run.redis.throughput),
  );
  const { cpuMax = Infinity, throughputMin = 0 } = target;
  const isMet = median(cpu) <= cpuMax && throughput >= throughputMin;
  return [
    ...[name, `${workers}`, `${pipeline}`],
    median(runs.map((run) => run.sherd.cpuMicrosPerOp)).toFixed(2),
    median(runs.map((run) => run.redis.cpuMicrosPerOp)).toFixed(2),
    median(cpu).toFixed(2),
    range(cpu),
    throughput.toFixed(2),
    isMet ? "ok" : "missed",
  ];
}

if (import.meta.main) await main(Deno.args);
