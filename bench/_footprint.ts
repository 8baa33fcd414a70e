/**
 * What a server costs before and without load: memory per key, the time until
 * it answers, memory while idle.
 *
 * @module
 */

import { fillKeys } from "./_fill.ts";
import { type ServerSpec, settle, sleep, startServer } from "./_proc.ts";
import { KEY_PREFIX } from "./_redis_benchmark.ts";

/** Resident memory of one server before and after it was filled. */
export interface MemoryFigures {
  server: string;
  workers: number;
  keyCount: number;
  idleBytes: number;
  filledBytes: number;
}

/** One start of one server. */
export interface StartupFigures {
  server: string;
  workers: number;
  /** From exec until the first answer to PING. */
  startupMs: number;
  idleBytes: number;
}

const IDLE_MS = 1_000;

/** Fills a fresh server with `keyCount` keys of 16 and values of 32 bytes. */
export async function measureMemory(
  spec: ServerSpec,
  workers: number,
  keyCount: number,
): Promise<MemoryFigures> {
  await using server = await startServer(spec);
  await sleep(IDLE_MS);
  const idleBytes = server.residentBytes();
  await fillKeys(server.port, {
    prefix: KEY_PREFIX,
    count: keyCount,
    value: "bytes",
  });
  // The connection's buffers and an old table of a growing dictionary go
  // only some time after the last reply.
  await sleep(IDLE_MS);
  await settle([server]);
  const filledBytes = server.residentBytes();
  return { server: spec.name, workers, keyCount, idleBytes, filledBytes };
}

/** Starts a server, leaves it alone for a second, stops it. */
export async function measureStartup(
  spec: ServerSpec,
  workers: number,
): Promise<StartupFigures> {
  await using server = await startServer(spec);
  await sleep(IDLE_MS);
  return {
    server: spec.name,
    workers,
    startupMs: server.startupMs,
    idleBytes: server.residentBytes(),
  };
}
