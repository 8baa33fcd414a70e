/**
 * The figures the server must reach, and tables of the figures it has reached.
 *
 * Ratios are sherd / redis-server: below 1 is less CPU or memory, above 1 is
 * more throughput. The ratio that counts is that of the medians; in brackets
 * stands the range of the ratios of the single rounds, which says how much the
 * machine was disturbed.
 *
 * @module
 */

import type { MemoryFigures, StartupFigures } from "./_footprint.ts";
import type { Load, LoadResult } from "./_redis_benchmark.ts";

/** One run against one server. */
export interface Run extends LoadResult {
  /** The server's CPU time, and whether it was counted in nanoseconds. */
  cpuMs: number;
  cpuExact: boolean;
  cpuMicrosPerOp: number;
  /** CPU time of the other server, which had nothing to do, per time. */
  idleCpuShare: number;
  /** CPU time of processes that are no part of the bench, per time. */
  othersCpuShare: number;
}

/** All rounds of one configuration. */
export interface Configuration extends Load {
  workers: number;
  rounds: { sherd: Run; redis: Run }[];
}

interface Comparison {
  sherd: number;
  redis: number;
  /** Ratio of the medians. */
  ratio: number;
  /** Median, least and greatest of the rounds' ratios. */
  roundRatio: number;
  roundRatioMin: number;
  roundRatioMax: number;
}

/** Greatest ratio of CPU per operation, by command and pipeline, then workers. */
const CPU_RATIO_MAX: Record<string, Record<number, number>> = {
  "get 1": { 1: 1.15, 2: 1.40, 8: 1.65 },
  "set 1": { 1: 1.15, 2: 1.25, 8: 1.70 },
  "get 16": { 1: 0.85, 2: 1.00, 8: 1.05 },
  "set 16": { 1: 0.85, 2: 0.90, 8: 1.00 },
  "get 64": { 1: 0.80, 2: 0.75, 8: 0.80 },
  "set 64": { 1: 0.80, 2: 0.75, 8: 0.75 },
};

/** Least ratio of throughput, by pipeline, then workers. */
const THROUGHPUT_RATIO_MIN: Record<number, Record<number, number>> = {
  64: { 1: 1.15, 2: 1.40 },
};

const BYTES_PER_KEY_MAX = 100;
/** For the compiled program with two workers. */
const STARTUP_MS_MAX = 150;
const IDLE_BYTES_MAX = 80e6;

/** A server that costs more than this while idle spoils the other's figures. */
const IDLE_CPU_SHARE_MAX = 0.02;

/** Above this, in the median run, a configuration counts as disturbed. */
const OTHERS_CPU_SHARE_MAX = 0.1;

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The least and the greatest of some ratios, as tables show them. */
export function range(ratios: readonly number[]): string {
  return `${Math.min(...ratios).toFixed(2)}..${Math.max(...ratios).toFixed(2)}`;
}

/** Compares one figure of both servers over all rounds. */
export function compare(
  configuration: Configuration,
  figure: (run: Run) => number,
): Comparison {
  const { rounds } = configuration;
  const sherd = median(rounds.map((round) => figure(round.sherd)));
  const redis = median(rounds.map((round) => figure(round.redis)));
  const ratios = rounds.map((round) =>
    figure(round.sherd) / figure(round.redis)
  );
  return {
    sherd,
    redis,
    ratio: sherd / redis,
    roundRatio: median(ratios),
    roundRatioMin: Math.min(...ratios),
    roundRatioMax: Math.max(...ratios),
  };
}

/** Table of all configurations, with a verdict where there is a target. */
export function loadTable(
  configurations: readonly Configuration[],
  smoke: boolean,
): string {
  const rows = configurations.map((configuration) => {
    const { command, keys, pipeline, workers } = configuration;
    const cpu = compare(configuration, (run) => run.cpuMicrosPerOp);
    const throughput = compare(configuration, (run) => run.throughput);
    const uniform = keys === "uniform" && !smoke;
    const cpuMax = uniform
      ? CPU_RATIO_MAX[`${command} ${pipeline}`]?.[workers]
      : undefined;
    const throughputMin = uniform && cpuMax !== undefined
      ? THROUGHPUT_RATIO_MIN[pipeline]?.[workers]
      : undefined;
    const latency = (figure: (run: Run) => number): string => {
      const { sherd, redis } = compare(configuration, figure);
      return `${sherd.toFixed(2)} / ${redis.toFixed(2)}`;
    };
    return [
      `${command.toUpperCase()}${keys === "hot" ? ", hot key" : ""}`,
      `${pipeline}`,
      `${workers}`,
      `${cpu.sherd.toFixed(2)} / ${cpu.redis.toFixed(2)}`,
      spread(cpu),
      cpuMax === undefined ? "" : `<= ${cpuMax.toFixed(2)}`,
      `${thousands(throughput.sherd)} / ${thousands(throughput.redis)}`,
      spread(throughput),
      throughputMin === undefined ? "" : `>= ${throughputMin.toFixed(2)}`,
      latency((run) => run.latencyMsP50),
      latency((run) => run.latencyMsP99),
      latency((run) => run.latencyMsP999),
      verdict([
        cpuMax === undefined ? undefined : cpu.ratio <= cpuMax,
        throughputMin === undefined
          ? undefined
          : throughput.ratio >= throughputMin,
      ]) + (isDisturbed(configuration) ? " (disturbed)" : ""),
    ];
  });
  const head = [
    ...["command", "P", "workers", "CPU us/op", "ratio (range)", "target"],
    ...["k op/s", "ratio (range)", "target"],
    ...["p50 ms", "p99 ms", "p99.9 ms", "verdict"],
  ];
  return markdown(head, rows) + disturbances(configurations);
}

/** Table of resident bytes per key. */
export function memoryTable(
  figures: readonly MemoryFigures[],
  smoke: boolean,
): string {
  const rows = figures.map((figure) => {
    const { server, workers, keyCount, idleBytes, filledBytes } = figure;
    const bytesPerKey = (filledBytes - idleBytes) / keyCount;
    const counts = server === "sherd" && !smoke;
    return [
      server,
      `${workers}`,
      `${keyCount}`,
      megabytes(idleBytes),
      megabytes(filledBytes),
      bytesPerKey.toFixed(1),
      counts ? `<= ${BYTES_PER_KEY_MAX}` : "",
      verdict([counts ? bytesPerKey <= BYTES_PER_KEY_MAX : undefined]),
    ];
  });
  const head = [
    ...["server", "workers", "keys", "idle MB", "filled MB"],
    ...["bytes/key", "target", "verdict"],
  ];
  return markdown(head, rows);
}

/** Table of start-up times and idle memory, medians over the rounds. */
export function startupTable(
  figures: readonly StartupFigures[],
  smoke: boolean,
): string {
  const groups = Map.groupBy(
    figures,
    ({ server, workers }) => `${server} ${workers}`,
  );
  const rows = [...groups.values()].map((group) => {
    const { server, workers } = group[0]!;
    const startups = group.map((figure) => figure.startupMs);
    const startupMs = median(startups);
    const idleBytes = median(group.map((figure) => figure.idleBytes));
    const counts = server === "sherd" && workers === 2 && !smoke;
    const range = `${Math.min(...startups).toFixed(0)}..${
      Math.max(...startups).toFixed(0)
    }`;
    return [
      server,
      `${workers}`,
      `${startupMs.toFixed(0)} (${range})`,
      counts ? `<= ${STARTUP_MS_MAX}` : "",
      megabytes(idleBytes),
      counts ? `<= ${megabytes(IDLE_BYTES_MAX)}` : "",
      verdict([
        counts ? startupMs <= STARTUP_MS_MAX : undefined,
        counts ? idleBytes <= IDLE_BYTES_MAX : undefined,
      ]),
    ];
  });
  const head = [
    ...["server", "workers", "first PING ms", "target"],
    ...["idle MB", "target", "verdict"],
  ];
  return markdown(head, rows);
}

/** What the reader must know before trusting the table; usually nothing. */
function disturbances(configurations: readonly Configuration[]): string {
  const runs = configurations.flatMap((configuration) =>
    configuration.rounds.flatMap(({ sherd, redis }) => [sherd, redis])
  );
  const busyIdle = runs.filter((run) => run.idleCpuShare > IDLE_CPU_SHARE_MAX);
  const inTicks = runs.filter((run) => !run.cpuExact);
  let text = "";
  const disturbed = configurations.filter(isDisturbed);
  if (disturbed.length > 0) {
    text += `\n${disturbed.length} of ${configurations.length} ` +
      "configurations are disturbed: in the median run, other processes used " +
      `more than ${OTHERS_CPU_SHARE_MAX * 100} % of a core.\n`;
  }
  if (busyIdle.length > 0) {
    const worst = Math.max(...busyIdle.map((run) => run.idleCpuShare));
    text += `\n${busyIdle.length} of ${runs.length} runs: the server not ` +
      `under load used up to ${(worst * 100).toFixed(1)} % of a core.\n`;
  }
  if (inTicks.length > 0) {
    text += `\n${inTicks.length} of ${runs.length} runs: threads ended, CPU ` +
      `time is counted in ticks of 10 ms.\n`;
  }
  return text;
}

function isDisturbed({ rounds }: Configuration): boolean {
  const shares = rounds.flatMap(({ sherd, redis }) => [
    sherd.othersCpuShare,
    redis.othersCpuShare,
  ]);
  return median(shares) > OTHERS_CPU_SHARE_MAX;
}

function verdict(checks: (boolean | undefined)[]): string {
  if (checks.includes(false)) return "FAIL";
  return checks.includes(true) ? "pass" : "";
}

function spread({ ratio, roundRatioMin, roundRatioMax }: Comparison): string {
  const range = `${roundRatioMin.toFixed(2)}..${roundRatioMax.toFixed(2)}`;
  return `${ratio.toFixed(2)} (${range})`;
}

function thousands(value: number): string {
  return (value / 1e3).toFixed(0);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

export function markdown(head: string[], rows: string[][]): string {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

/** Writes to the standard output, all of it. */
export function print(text: string): void {
  const bytes = new TextEncoder().encode(text);
  // A pipe may take less than all.
  for (let sent = 0; sent < bytes.length;) {
    sent += Deno.stdout.writeSync(bytes.subarray(sent));
  }
}

/** Tells who waits what is going on. */
export function progress(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text + "\n"));
}
