/**
 * The two servers that benches compare, and one measured run against one of
 * them.
 *
 * @module
 */

import {
  cpuBetween,
  killAll,
  othersCpuMs,
  type Server,
  type ServerSpec,
  settle,
  sleep,
  startServer,
} from "./_proc.ts";
import { DEFAULT_SHERD, splitCommand } from "./_options.ts";
import type { LoadResult } from "./_redis_benchmark.ts";
import { progress, type Run } from "./_report.ts";

/** Where the server's program is started. */
export const REPOSITORY: string = new URL("..", import.meta.url).pathname;

const AFTER_RUN_MS = 50;
const INTERRUPTS = ["SIGINT", "SIGTERM"] as const;

/** Runs a load against one server while the other has nothing to do. */
export async function measureRun(
  run: () => Promise<LoadResult>,
  loaded: Server,
  idle: Server,
): Promise<Run> {
  await settle([loaded, idle]);
  const before = loaded.cpuTimes();
  const idleBefore = idle.cpuTimes();
  const othersBeforeMs = othersCpuMs();
  const startMs = performance.now();
  const result = await run();
  await sleep(AFTER_RUN_MS);
  const { cpuMs, exact } = cpuBetween(before, loaded.cpuTimes());
  const idleCpu = cpuBetween(idleBefore, idle.cpuTimes());
  const elapsedMs = performance.now() - startMs;
  const othersMs = othersCpuMs() - othersBeforeMs - cpuMs - idleCpu.cpuMs;
  return {
    ...result,
    cpuMs,
    cpuExact: exact,
    cpuMicrosPerOp: cpuMs * 1e3 / result.requests,
    idleCpuShare: idleCpu.cpuMs / elapsedMs,
    // Rounding to ticks can make nothing less than nothing.
    othersCpuShare: Math.max(0, othersMs) / elapsedMs,
  };
}

/** One result of either server. */
export interface Pair<T> {
  sherd: T;
  redis: T;
}

/**
 * Starts both servers and measures them in turn, case by case, `rounds` times
 * each. `prepare` fills and warms them up; what it returns is given to `once`,
 * which loads one while the other has nothing to do. `row` makes a line of the
 * table.
 */
export async function measureInTurn<C, P, T>(
  specs: readonly ServerSpec[],
  cases: readonly C[],
  rounds: number,
  ways: {
    prepare(measured: C, sherd: Server, redis: Server): Promise<P>;
    once(measured: C, prepared: P, loaded: Server, idle: Server): Promise<T>;
    row(measured: C, runs: readonly Pair<T>[]): string[];
  },
): Promise<string[][]> {
  const [sherdSpec, redisSpec] = specs;
  await using sherd = await startServer(sherdSpec!);
  await using redis = await startServer(redisSpec!);
  const rows: string[][] = [];
  for (const measured of cases) {
    const prepared = await ways.prepare(measured, sherd, redis);
    const runs: Pair<T>[] = [];
    for (let round = 0; round < rounds; round++) {
      runs.push({
        sherd: await ways.once(measured, prepared, sherd, redis),
        redis: await ways.once(measured, prepared, redis, sherd),
      });
    }
    rows.push(ways.row(measured, runs));
    progress(rows.at(-1)!.join("  "));
  }
  return rows;
}

/**
 * Hands the two servers to `run`, as the options of a bench name them, and ends
 * what was started, also when the bench is interrupted. `sherd` is a command
 * line or an argument vector; `only` leaves one of them.
 */
export async function withServers<T>(
  options: {
    sherd: string | readonly string[] | undefined;
    workers: number;
    only?: string | undefined;
  },
  run: (specs: ServerSpec[]) => Promise<T>,
): Promise<T> {
  const { sherd, workers, only } = options;
  const command = typeof sherd === "string"
    ? splitCommand(sherd)
    : sherd ?? DEFAULT_SHERD;
  const redisDir = await Deno.makeTempDir({ prefix: "sherd-bench-" });
  const end = (): void => {
    killAll();
    Deno.removeSync(redisDir, { recursive: true });
  };
  const interrupt = (): void => {
    end();
    Deno.exit(130);
  };
  for (const name of INTERRUPTS) Deno.addSignalListener(name, interrupt);
  try {
    return await run(
      serverSpecs(command, workers, redisDir)
        .filter(({ name }) => only === undefined || name === only),
    );
  } finally {
    for (const name of INTERRUPTS) Deno.removeSignalListener(name, interrupt);
    end();
  }
}

/**
 * How both servers are started: `sherd` is an argument vector with
 * `{workers}` in it, `redisDir` an empty directory.
 */
export function serverSpecs(
  sherd: readonly string[],
  workers: number,
  redisDir: string,
): [ServerSpec, ServerSpec] {
  return [
    {
      name: "sherd",
      command: sherd.map((arg) => arg.replaceAll("{workers}", `${workers}`)),
      cwd: REPOSITORY,
    },
    {
      name: "redis-server",
      command: [
        ...["redis-server", "--port", "{port}", "--bind", "127.0.0.1"],
        ...["--save", "", "--appendonly", "no", "--dir", redisDir],
      ],
      cwd: redisDir,
    },
  ];
}
