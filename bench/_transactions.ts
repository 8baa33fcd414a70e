/**
 * A load of transactions: MULTI, some SETs of random keys, EXEC.
 *
 * Requests are encoded before, replies are counted by their bytes, which all
 * transactions have alike; an error reply has others, and fails the run.
 *
 * @module
 */

import type { LoadResult } from "./_redis_benchmark.ts";
import { PolledSockets } from "./_polled_sockets.ts";
import { median } from "./_report.ts";

/** How much is sent. */
export interface TransactionLoad {
  readonly connections: number;
  /** Transactions under way on each connection. */
  readonly pipeline: number;
  /** SETs in each. */
  readonly sets: number;
  /** Keys to draw from. */
  readonly keys: number;
}

/** Different pipelines that are sent in turn. */
const PIPELINES = 64;
const VALUE = "v".repeat(32);
const OK = "+OK\r\n";
const QUEUED = "+QUEUED\r\n";

/** Sends at least `transactions`; counts one as one request. */
export function runTransactions(
  port: number,
  load: TransactionLoad,
  transactions: number,
): LoadResult {
  const { connections, pipeline, sets } = load;
  const pipelines = Array.from({ length: PIPELINES }, () => encode(load));
  const replyBytes = pipeline *
    (OK.length + sets * QUEUED.length + `*${sets}\r\n`.length +
      sets * OK.length);
  const rounds = Math.ceil(transactions / connections / pipeline);
  const sentMs = new Float64Array(connections);
  const missing = new Int32Array(connections);
  const latencies: number[] = [];
  using sockets = new PolledSockets(port, connections);
  let sent = 0;
  const send = (i: number) => {
    sentMs[i] = performance.now();
    missing[i] = replyBytes;
    sockets.send(i, pipelines[(i + sent++) % PIPELINES]!);
  };
  const startMs = performance.now();
  for (let i = 0; i < connections; i++) send(i);
  while (latencies.length < rounds * connections) {
    sockets.receive((i, bytes) => {
      const left = missing[i]! -= bytes;
      if (left < 0) throw new Error("a transaction failed");
      if (left > 0) return;
      latencies.push(performance.now() - sentMs[i]!);
      if (sent < rounds * connections) send(i);
    });
  }
  const seconds = (performance.now() - startMs) / 1000;
  const requests = rounds * connections * pipeline;
  latencies.sort((a, b) => a - b);
  const part = (share: number) =>
    latencies[Math.floor((latencies.length - 1) * share)]!;
  return {
    requests,
    throughput: requests / seconds,
    latencyMsP50: median(latencies),
    latencyMsP99: part(0.99),
    latencyMsP999: part(0.999),
  };
}

function encode(
  { pipeline, sets, keys }: TransactionLoad,
): Uint8Array<ArrayBuffer> {
  let text = "";
  for (let i = 0; i < pipeline; i++) {
    text += "*1\r\n$5\r\nMULTI\r\n";
    for (let set = 0; set < sets; set++) {
      const number = Math.floor(Math.random() * keys);
      const key = `key:${String(number).padStart(12, "0")}`;
      text += `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n` +
        `$${VALUE.length}\r\n${VALUE}\r\n`;
    }
    text += "*1\r\n$4\r\nEXEC\r\n";
  }
  return new TextEncoder().encode(text);
}
