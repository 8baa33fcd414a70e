/**
 * How long others wait: latencies of GET while something else goes on.
 *
 * @module
 */

import type { ProbeTask } from "./_latency_worker.ts";

/** What the askers saw. */
export interface Latency {
  count: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

/** Measures GETs of `keys`, which exist, while `during` runs. */
export async function latencyDuring(
  port: number,
  keys: readonly string[],
  connections: number,
  during: () => Promise<void>,
): Promise<Latency> {
  const worker = new Worker(
    new URL("./_latency_worker.ts", import.meta.url).href,
    { type: "module" },
  );
  try {
    const answer = new Promise<Float64Array>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message));
    });
    const task: ProbeTask = { port, connections, keys };
    worker.postMessage(task);
    await during();
    worker.postMessage("stop");
    return summary(await answer);
  } finally {
    worker.terminate();
  }
}

function summary(latencies: Float64Array): Latency {
  const sorted = latencies.sort();
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ??
      NaN;
  return {
    count: sorted.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
  };
}
