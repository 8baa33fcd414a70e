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
import { undoAtEnd } from "./_ending.ts";
import type { Sherd } from "./_sherd.ts";
import type { LoadResult } from "./_redis_benchmark.ts";
import { progress, type Run } from "./_report.ts";

/** Where the server's program is started. */
export const REPOSITORY: string = new URL("..", import.meta.url).pathname;

const AFTER_RUN_MS = 50;

/** Runs a load against one server while the other has nothing to do. */
export async function measureRun(
  run: () => LoadResult | Promise<LoadResult>,
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
 * what was started, also when the bench is interrupted; `only` leaves one of
 * them.
 */
export async function withServers<T>(
  options: {
    sherd: Sherd;
    workers: number;
    only?: string | undefined;
  },
  run: (specs: ServerSpec[]) => Promise<T>,
): Promise<T> {
  const { sherd, workers, only } = options;
  const redisDir = await Deno.makeTempDir({ prefix: "sherd-bench-" });
  using _end = undoAtEnd(() => {
    killAll();
    Deno.removeSync(redisDir, { recursive: true });
  });
  const specs: ServerSpec[] = [];
  if (only !== "redis-server") specs.push(sherdSpec(sherd, workers));
  if (only !== "sherd") specs.push(redisSpec(redisDir));
  return await run(specs);
}

/** How sherd is started with so many workers. */
export function sherdSpec(sherd: Sherd, workers: number): ServerSpec {
  return {
    name: "sherd",
    command: sherd.command.map((arg) =>
      arg.replaceAll("{workers}", `${workers}`)
    ),
    cwd: REPOSITORY,
  };
}

/** How redis-server is started, in an empty directory. */
export function redisSpec(dir: string): ServerSpec {
  return {
    name: "redis-server",
    command: [
      ...["redis-server", "--port", "{port}", "--bind", "127.0.0.1"],
      ...["--save", "", "--appendonly", "no", "--dir", dir],
    ],
    cwd: dir,
  };
}
