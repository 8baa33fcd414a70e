/**
 * A load of transactions: MULTI, some SETs of random keys, EXEC.
 *
 * Requests are encoded before, replies are counted by their bytes, which all
 * transactions have alike; an error reply has others, and fails the run.
 *
 * @module
 */

import type { LoadResult } from "./_redis_benchmark.ts";
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
export async function runTransactions(
  port: number,
  load: TransactionLoad,
  transactions: number,
): Promise<LoadResult> {
  const { connections, pipeline, sets } = load;
  const pipelines = Array.from({ length: PIPELINES }, () => encode(load));
  const replyBytes = pipeline *
    (OK.length + sets * QUEUED.length + `*${sets}\r\n`.length +
      sets * OK.length);
  const rounds = Math.ceil(transactions / connections / pipeline);
  const latencies: number[] = [];
  const startMs = performance.now();
  await Promise.all(Array.from({ length: connections }, async (_, i) => {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    const buffer = new Uint8Array(64 * 1024);
    for (let round = 0; round < rounds; round++) {
      const sentMs = performance.now();
      const request = pipelines[(i + round) % PIPELINES]!;
      for (let sent = 0; sent < request.length;) {
        sent += await conn.write(request.subarray(sent));
      }
      let got = 0;
      while (got < replyBytes) got += await conn.read(buffer) ?? NaN;
      if (got !== replyBytes) throw new Error("a transaction failed");
      latencies.push(performance.now() - sentMs);
    }
  }));
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

function encode({ pipeline, sets, keys }: TransactionLoad): Uint8Array {
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
