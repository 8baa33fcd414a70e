/**
 * The load bench: sherd and Debian's redis-server under the same load by
 * redis-benchmark, in turn, and what each operation costs the server.
 *
 * ```sh
 * deno run -A bench/load.ts --help
 * ```
 *
 * Both servers stay up while a configuration (workers x keys x command x
 * pipeline) is measured; after a warm-up they are loaded alternately, one at a
 * time, with the same number of operations. The first result is the ratio of
 * server CPU time per operation, because it depends less on the machine than
 * throughput and latency do; the table has these as well.
 *
 * Traps, and what is done about them:
 *
 * - On a shared machine absolute figures mean nothing. Only ratios between
 *   runs that lie seconds apart do, hence the alternation, the medians, and the
 *   range of the rounds' ratios beside them.
 * - Nor do ratios survive everything. A server that has to wait for a core
 *   finds more events at once when it gets it, and so spends less CPU per
 *   operation: redis-server at P=1 by a third. CPU time of processes outside
 *   the bench is measured, and the row marked "disturbed": run it again.
 * - The generator needs a core of its own. With more workers than the cores
 *   left over, throughput and latency measure the scheduler; CPU per operation
 *   stays meaningful. The targets for 8 workers are for 2 cores.
 * - The kernel charges loopback's receiving to whoever is sending, so part of
 *   the server's network cost lands on the generator; it does so for both.
 * - `/proc/PID/stat` ticks every 10 ms. Per-thread `schedstat` is in
 *   nanoseconds, but forgets a thread that has ended (see `_proc.ts`).
 * - redis-benchmark with `--threads` rounds its time to steps of 250 ms, so it
 *   runs with one thread. At P=64 that thread is often the slower side: then
 *   the ratio of throughput says less than the server could.
 * - Its latency is that of a whole pipeline, and is measured with the generator
 *   saturated: good for comparison only.
 * - Code is compiled while it runs, and per worker: the first run of each
 *   configuration is thrown away. Up to the last warm-up run, other code may
 *   have taught V8 other types; the order of configurations is therefore fixed.
 * - SO_REUSEPORT spreads 50 connections unevenly, differently in each run.
 * - Keys must exist: a GET that finds nothing is cheaper. Random keys from
 *   redis-benchmark repeat, so the bench fills the servers itself and checks a
 *   reply before each configuration. INCR has its own keys, with numbers.
 * - A dictionary may still be growing, and V8 still be compiling or
 *   collecting, after the last reply: runs begin when both servers are idle,
 *   and end 50 ms after the last reply. The idle server's CPU is checked.
 * - 50 connections are opened and closed within each run: less than 1 % at the
 *   default number of operations, but not with a small `--requests`.
 * - Transparent huge pages change memory and speed of both servers: the setting
 *   is printed. redis-server switches them off for itself.
 * - Resident memory per key counts all that grew since the idle start: compiled
 *   code and V8's heaps as well. With 2 M keys 2 MB of that are 1 byte per key.
 * - What is measured is the executable, which the bench makes first (`deno
 *   compile` needs its runtime: from the network, a cache, or DENORT_BIN). With
 *   `--sherd source` it is what `deno task start` runs: a command takes up to a
 *   tenth more then, and start-up longer, as modules are resolved and compiled;
 *   the targets are for the executable.
 * - A command for `--sherd` must start the server itself, not a wrapper: the CPU time of a
 *   wrapper's child would be missed. The bench refuses one.
 *
 * @module
 */

import { fillKeys } from "./_fill.ts";
import {
  measureMemory,
  measureStartup,
  type MemoryFigures,
  type StartupFigures,
} from "./_footprint.ts";
import { type Options, parseOptions, usage } from "./_options.ts";
import { measureRun, REPOSITORY, withServers } from "./_measure.ts";
import { type Server, type ServerSpec, startServer } from "./_proc.ts";
import {
  checkReply,
  COUNTER_PREFIX,
  KEY_PREFIX,
  type Load,
  runLoad,
} from "./_redis_benchmark.ts";
import {
  compare,
  type Configuration,
  loadTable,
  memoryTable,
  print,
  progress,
  startupTable,
} from "./_report.ts";
import { Sherd } from "./_sherd.ts";

interface Results {
  machine: Record<string, string>;
  options: Options;
  load: Configuration[];
  memory: MemoryFigures[];
  startup: StartupFigures[];
}

const RUN_SECONDS = 1.5;

async function main(args: string[]): Promise<void> {
  const options = readOptions(args);
  if (options === "help") return print(usage());
  const missing = await missingPrograms();
  if (missing.length > 0) {
    refuse(
      `${missing.join(" and ")} not found. On Debian and Ubuntu: ` +
        "apt-get update && apt-get install redis-server redis-tools",
    );
  }
  const machine = await describeMachine();
  const results: Results = {
    ...{ machine, options, load: [], memory: [], startup: [] },
  };
  for (const [name, value] of Object.entries(machine)) {
    print(`${name}: ${value}\n`);
  }
  using sherd = new Sherd(options.sherd);
  for (const workers of options.workers) {
    await withServers(
      { sherd, workers },
      (specs) => measure(results, workers, specs),
    );
    save(results);
  }
  report(results);
}

/** Takes the figures that the options name, with one number of workers. */
async function measure(
  results: Results,
  workers: number,
  specs: readonly ServerSpec[],
): Promise<void> {
  const { options } = results;
  if (options.memory) {
    for (const spec of specs) {
      progress(`memory: ${spec.name}, ${workers} workers`);
      results.memory.push(
        await measureMemory(spec, workers, options.memoryKeyCount),
      );
    }
  }
  if (options.startup) {
    // The first start fills the page cache and Deno's code cache.
    for (const spec of specs) await measureStartup(spec, workers);
    for (let round = 0; round < options.rounds; round++) {
      progress(`start-up: round ${round + 1}, ${workers} workers`);
      for (const spec of specs) {
        results.startup.push(await measureStartup(spec, workers));
      }
    }
  }
  if (!options.memory && !options.startup) {
    await measureLoads(results, workers, specs);
  }
}

function report({ options, load, memory, startup }: Results): void {
  if (memory.length > 0) print("\n" + memoryTable(memory, options.smoke));
  if (startup.length > 0) print("\n" + startupTable(startup, options.smoke));
  if (load.length > 0) {
    print("\nBoth figures of a cell are sherd / redis-server.\n\n");
    print(loadTable(load, options.smoke));
  }
}

async function measureLoads(
  results: Results,
  workers: number,
  specs: readonly ServerSpec[],
): Promise<void> {
  const { options } = results;
  await using sherd = await startServer(specs[0]!);
  await using redis = await startServer(specs[1]!);
  for (const server of [sherd, redis]) {
    progress(`filling ${server.name}, ${workers} workers`);
    const count = options.keyCount;
    await fillKeys(server.port, { prefix: KEY_PREFIX, count, value: "bytes" });
    if (!options.commands.includes("incr")) continue;
    await fillKeys(
      server.port,
      { prefix: COUNTER_PREFIX, count, value: "zero" },
    );
  }
  for (const keys of options.keys) {
    for (const command of options.commands) {
      for (const pipeline of options.pipelines) {
        const keyCount = options.keyCount;
        const load: Load = { command, keys, pipeline, keyCount };
        const requests = await warmUp(load, sherd, redis, options.requests);
        const configuration: Configuration = { ...load, workers, rounds: [] };
        for (let round = 0; round < options.rounds; round++) {
          configuration.rounds.push({
            sherd: await measureRun(
              () => runLoad(sherd.port, load, requests),
              sherd,
              redis,
            ),
            redis: await measureRun(
              () => runLoad(redis.port, load, requests),
              redis,
              sherd,
            ),
          });
        }
        results.load.push(configuration);
        const cpu = compare(configuration, (run) => run.cpuMicrosPerOp);
        progress(
          `${command} ${keys} P=${pipeline} workers=${workers} ` +
            `n=${requests}: CPU ratio ${cpu.ratio.toFixed(2)}`,
        );
        // An interrupted bench keeps what it has measured.
        save(results);
      }
    }
  }
}

/**
 * Lets both servers compile and cache, and returns how many operations a run
 * has: what redis-server did in the warm-up, scaled to RUN_SECONDS.
 */
async function warmUp(
  load: Load,
  sherd: Server,
  redis: Server,
  fixedRequests: number | undefined,
): Promise<number> {
  await checkReply(sherd.port, load);
  await checkReply(redis.port, load);
  const manyKeys = load.command === "mget" || load.command === "mset";
  const guess = 100_000 * load.pipeline ** 0.75 / (manyKeys ? 4 : 1);
  const requests = wholePipelines(fixedRequests ?? guess, load);
  await runLoad(sherd.port, load, requests);
  const { throughput } = await runLoad(redis.port, load, requests);
  return fixedRequests === undefined
    ? wholePipelines(throughput * RUN_SECONDS, load)
    : requests;
}

/** redis-benchmark sends whole pipelines: rounds up, so that none is uncounted. */
function wholePipelines(requests: number, { pipeline }: Load): number {
  return Math.ceil(requests / pipeline) * pipeline;
}

async function missingPrograms(): Promise<string[]> {
  const missing: string[] = [];
  for (const name of ["redis-server", "redis-benchmark"]) {
    if (await firstLine(name, "--version") === undefined) missing.push(name);
  }
  return missing;
}

function readOptions(args: string[]): Options | "help" {
  try {
    return parseOptions(args);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    refuse(`${error.message}\n\n${usage()}`);
  }
}

function refuse(reason: string): never {
  progress(`load bench: ${reason}`);
  Deno.exit(2);
}

async function describeMachine(): Promise<Record<string, string>> {
  const hugePages = "/sys/kernel/mm/transparent_hugepage/enabled";
  const cpuInfo = await readFirst("/proc/cpuinfo", /^model name\s*: (.*)$/m);
  return {
    date: new Date().toISOString().slice(0, 16),
    commit: await firstLine(
      ...["git", "-C", REPOSITORY, "describe", "--always", "--dirty"],
    ) ?? "unknown",
    cpu: `${navigator.hardwareConcurrency} x ${cpuInfo}`,
    load: Deno.loadavg().map((value) => value.toFixed(2)).join(" "),
    hugePages: await readFirst(hugePages, /\[(\w+)\]/),
    kernel: Deno.osRelease(),
    deno: `${Deno.version.deno}, V8 ${Deno.version.v8}`,
    redis: await firstLine("redis-server", "--version") ?? "unknown",
  };
}

async function readFirst(path: string, pattern: RegExp): Promise<string> {
  const text = await Deno.readTextFile(path).catch(() => "");
  return pattern.exec(text)?.[1] ?? "unknown";
}

/** What a command prints first; nothing if it is missing or fails. */
async function firstLine(...argv: string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(argv[0]!, {
      args: argv.slice(1),
      stderr: "null",
    }).output();
    if (!success) return undefined;
    return new TextDecoder().decode(stdout).split("\n")[0]!;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function save(results: Results): void {
  const { json } = results.options;
  if (json === undefined) return;
  Deno.writeTextFileSync(json, JSON.stringify(results, null, 1) + "\n");
}

if (import.meta.main) await main(Deno.args);
