/**
 * The statistics of the whole server, read from any of its workers.
 *
 * Every worker counts in a block of shared memory of its own and may read those
 * of the others, so figures are sums over the blocks, and no message is needed.
 * What nobody counts is sampled by each worker's periodic work: its heap, its
 * connections' buffers, the peak of memory.
 *
 * @module
 */

import {
  CALLS,
  CHANGES,
  COMMAND_COUNTERS,
  COMMANDS_PROCESSED,
  CONNECTIONS_BLOCKED,
  CONNECTIONS_ON_LOCKS,
  CONNECTIONS_OPEN,
  COUNTER_COUNT,
  DURATION_BUCKETS,
  DURATIONS_AT,
  FAILED,
  HEAP_TOTAL_BYTES,
  HEAP_USED_BYTES,
  INPUT_BUFFER_BYTES,
  INPUT_BUFFER_MAX,
  LOCK_HANDLES,
  MEMORY_PEAK_BYTES,
  MICROSECONDS,
  NET_INPUT_BYTES,
  NET_OUTPUT_BYTES,
  OUTPUT_BUFFER_BYTES,
  OUTPUT_BUFFER_MAX,
  REJECTED,
} from "../../core/keyspace/counters.ts";
import { usedMemory } from "./memory_report.ts";
import type { WorkerContext } from "./worker_context.ts";

/** What CONFIG RESETSTAT leaves alone: it says how things are now. */
const KEPT: ReadonlySet<number> = new Set([
  CHANGES,
  CONNECTIONS_BLOCKED,
  CONNECTIONS_ON_LOCKS,
  CONNECTIONS_OPEN,
  HEAP_TOTAL_BYTES,
  HEAP_USED_BYTES,
  INPUT_BUFFER_BYTES,
  INPUT_BUFFER_MAX,
  LOCK_HANDLES,
  MEMORY_PEAK_BYTES,
  OUTPUT_BUFFER_BYTES,
  OUTPUT_BUFFER_MAX,
]);

/** Counters of which there is a rate per second. */
const RATED: readonly number[] = [
  COMMANDS_PROCESSED,
  NET_INPUT_BYTES,
  NET_OUTPUT_BYTES,
];
/** Samples that a rate is the mean of. */
const RATE_SAMPLES = 16;
/** Time between two looks at what takes longer to look at. */
const SLOW_SAMPLE_MS = 1000;

/** What is counted about one command. */
export interface CommandFigures {
  readonly calls: number;
  readonly microseconds: number;
  readonly rejected: number;
  readonly failed: number;
}

/** Reads the blocks of all workers. */
export class Statistics {
  readonly #blocks: readonly Float64Array[];
  readonly #before: number[] = RATED.map(() => 0);
  readonly #rates: number[][] = RATED.map(() => []);
  #sampledMs = 0;
  #slowlySampledMs = 0;

  /** `counters` are the workers' blocks. */
  constructor(counters: readonly SharedArrayBuffer[]) {
    this.#blocks = counters.map((buffer) => new Float64Array(buffer));
  }

  /** A counter's sum over all workers. */
  sum(counter: number): number {
    let sum = 0;
    for (const block of this.#blocks) sum += block[counter]!;
    return sum;
  }

  /** A counter's largest value in any worker. */
  max(counter: number): number {
    let max = 0;
    for (const block of this.#blocks) max = Math.max(max, block[counter]!);
    return max;
  }

  /** A counter's mean over the workers. */
  mean(counter: number): number {
    return this.sum(counter) / this.#blocks.length;
  }

  /** How fast one of the rated counters grows, per second. */
  rate(counter: number): number {
    const rates = this.#rates[RATED.indexOf(counter)]!;
    if (rates.length === 0) return 0;
    return rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  }

  /** The figures of the command with this index. */
  command(index: number): CommandFigures {
    const at = COUNTER_COUNT + index * COMMAND_COUNTERS;
    return {
      calls: this.sum(at + CALLS),
      microseconds: this.sum(at + MICROSECONDS),
      rejected: this.sum(at + REJECTED),
      failed: this.sum(at + FAILED),
    };
  }

  /**
   * How many calls of a command fell into each bucket of durations. Commands of
   * constant time are timed in some batches only, so their buckets are scaled
   * to the number of calls. Empty if none was timed.
   */
  durations(index: number): number[] {
    const buckets: number[] = [];
    let timed = 0;
    for (let bucket = 0; bucket < DURATION_BUCKETS; bucket++) {
      const at = DURATIONS_AT + index * DURATION_BUCKETS + bucket;
      buckets.push(this.sum(at));
      timed += buckets[bucket]!;
    }
    if (timed === 0) return [];
    const scale = this.command(index).calls / timed;
    return buckets.map((calls) => calls * scale);
  }

  /** The worker's periodic look at things, about ten times a second. */
  sample(worker: WorkerContext, nowMs: number): void {
    this.#sampleRates(nowMs);
    const { counters } = worker;
    counters[MEMORY_PEAK_BYTES] = Math.max(
      counters[MEMORY_PEAK_BYTES]!,
      usedMemory(worker),
    );
    if (nowMs - this.#slowlySampledMs < SLOW_SAMPLE_MS) return;
    this.#slowlySampledMs = nowMs;
    sampleHeap(counters);
    sampleBuffers(worker);
  }

  #sampleRates(nowMs: number): void {
    const elapsedMs = nowMs - this.#sampledMs;
    if (elapsedMs <= 0) return;
    const isFirst = this.#sampledMs === 0;
    this.#sampledMs = nowMs;
    RATED.forEach((counter, i) => {
      const now = this.sum(counter);
      // After a reset a counter is smaller than before.
      const grown = Math.max(0, now - this.#before[i]!);
      this.#before[i] = now;
      if (isFirst) return;
      const rates = this.#rates[i]!;
      rates.push(grown * 1000 / elapsedMs);
      if (rates.length > RATE_SAMPLES) rates.shift();
    });
  }
}

/** Sets a worker's own block back to zero. */
export function resetStatistics(worker: WorkerContext): void {
  const { counters, executor } = worker;
  for (let i = 0; i < counters.length; i++) if (!KEPT.has(i)) counters[i] = 0;
  executor.accounts.errorCounts.clear();
}

function sampleHeap(counters: Float64Array): void {
  const { heapUsed, heapTotal } = Deno.memoryUsage();
  counters[HEAP_USED_BYTES] = heapUsed;
  counters[HEAP_TOTAL_BYTES] = heapTotal;
}

function sampleBuffers({ counters, connections }: WorkerContext): void {
  let input = 0;
  let inputMax = 0;
  let output = 0;
  let outputMax = 0;
  for (const connection of connections.values()) {
    const { inputBufferBytes, outputBytes } = connection;
    input += inputBufferBytes;
    inputMax = Math.max(inputMax, inputBufferBytes);
    output += outputBytes;
    outputMax = Math.max(outputMax, outputBytes);
  }
  counters[INPUT_BUFFER_BYTES] = input;
  counters[INPUT_BUFFER_MAX] = inputMax;
  counters[OUTPUT_BUFFER_BYTES] = output;
  counters[OUTPUT_BUFFER_MAX] = outputMax;
}
