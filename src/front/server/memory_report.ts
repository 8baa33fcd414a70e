/**
 * What the memory is used for, as INFO and MEMORY tell it.
 *
 * ```text
 * used      = data + tables
 * data      = live objects of all shards' heaps, rounded up to their classes;
 *             what maxmemory is compared with
 * tables    = control blocks, statistics, slot table, page map of touched pages
 * overhead  = tables + dictionaries   of which data includes the dictionaries
 * active    = pages held by slabs and runs
 * resident  = pages that were ever held: the arena gives none back
 * ```
 * All of it is counted where it happens; nothing here is an estimate, and
 * nothing walks over keys.
 *
 * @module
 */

import {
  INPUT_BUFFER_BYTES,
  MEMORY_PEAK_BYTES,
  OUTPUT_BUFFER_BYTES,
} from "../../core/keyspace/counters.ts";
import { PAGE_BYTES, PAGE_MAP_WORDS } from "../../core/memory/arena.ts";
import { PagePool } from "../../core/memory/page_pool.ts";
import type { SharedState } from "../../engine/messages/shared_state.ts";
import { residentBytes } from "./host_facts.ts";
import type { WorkerContext } from "./worker_context.ts";
import { expiresAt, keysAt } from "../../core/keyspace/shard_control.ts";

/** The dictionaries of one database, over all shards. */
export interface DatabaseReport {
  readonly db: number;
  readonly keys: number;
  readonly expires: number;
  readonly keysTableBytes: number;
  readonly expiresTableBytes: number;
}

/** One look at the memory; all sizes in bytes. */
export interface MemoryReport {
  readonly usedBytes: number;
  readonly peakBytes: number;
  /** What was in use before there was any data. */
  readonly startupBytes: number;
  readonly overheadBytes: number;
  /** Not data, so `maxmemory` does not limit it. */
  readonly tableBytes: number;
  readonly datasetBytes: number;
  readonly allocatedBytes: number;
  readonly activeBytes: number;
  readonly residentBytes: number;
  /** Of the process. */
  readonly rssBytes: number;
  /** Buffers of the connections; on the workers' heaps, not in `usedBytes`. */
  readonly clientBytes: number;
  /** Databases that hold keys. */
  readonly databases: readonly DatabaseReport[];
}

/** Bytes in use; a few loads per shard. */
export function usedMemory(worker: WorkerContext): number {
  return dataBytes(worker) + tableBytes(worker);
}

/** Takes each shard's latch for a moment, none may be held. */
export function reportMemory(worker: WorkerContext): MemoryReport {
  const { keyspaces } = worker.call;
  const databases = reportDatabases(worker);
  const data = dataBytes(worker);
  const tables = tableBytes(worker);
  const dictionaries = databases.reduce(
    (sum, db) => sum + db.keysTableBytes + db.expiresTableBytes,
    0,
  );
  const { statistics } = worker;
  return {
    usedBytes: data + tables,
    peakBytes: Math.max(data + tables, statistics.max(MEMORY_PEAK_BYTES)),
    startupBytes: fixedTableBytes(worker.shared),
    overheadBytes: tables + dictionaries,
    tableBytes: tables,
    datasetBytes: data - dictionaries,
    allocatedBytes: data,
    activeBytes: keyspaces.reduce((sum, s) => sum + s.heap.heldBytes, 0),
    residentBytes: peakPages(worker) * PAGE_BYTES,
    rssBytes: residentBytes(),
    clientBytes: statistics.sum(INPUT_BUFFER_BYTES) +
      statistics.sum(OUTPUT_BUFFER_BYTES),
    databases,
  };
}

/** Databases that hold keys; see {@linkcode reportMemory}. */
function reportDatabases(worker: WorkerContext): DatabaseReport[] {
  const { keyspaces, latches } = worker.call;
  const rows = Array.from({ length: worker.shared.databases }, (_, db) => ({
    db,
    keys: 0,
    expires: 0,
    keysTableBytes: 0,
    expiresTableBytes: 0,
  }));
  for (const space of keyspaces) {
    const { control, dict } = space;
    latches.acquire(space.shard);
    for (const row of rows) {
      const keys = space.count(row.db);
      if (keys === 0) continue;
      row.keys += keys;
      row.expires += space.expiresCount(row.db);
      row.keysTableBytes += dict.tableBytes(control, keysAt(row.db));
      row.expiresTableBytes += dict.tableBytes(
        control,
        expiresAt(row.db),
      );
    }
    latches.release(space.shard);
  }
  return rows.filter((row) => row.keys > 0);
}

function dataBytes(worker: WorkerContext): number {
  let bytes = 0;
  for (const space of worker.call.keyspaces) bytes += space.heap.usedBytes;
  return bytes;
}

function tableBytes(worker: WorkerContext): number {
  return fixedTableBytes(worker.shared) +
    peakPages(worker) * PAGE_MAP_WORDS * 4;
}

function fixedTableBytes(shared: SharedState): number {
  let bytes = shared.slotShards.byteLength + shared.process.byteLength +
    shared.arena.pool.byteLength;
  for (const block of shared.controls) bytes += block.byteLength;
  for (const block of shared.counters) bytes += block.byteLength;
  return bytes;
}

function peakPages(worker: WorkerContext): number {
  return pagePool(worker).peakPages;
}

/** Only to be read, hence without a latch. */
function pagePool(worker: WorkerContext): PagePool {
  return new PagePool(worker.call.keyspaces[0]!.arena, false);
}
