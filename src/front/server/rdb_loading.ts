/**
 * Loads a worker's share of a snapshot, a slice at a time, so that those who
 * ask meanwhile are told that the server is loading.
 *
 * @module
 */

import {
  BadFile,
  type ByteSource,
  RdbFileReader,
} from "../../core/rdb/rdb_file_reader.ts";
import { RdbLoad } from "../../core/rdb/rdb_load.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import {
  type Disk,
  DiskError,
  type DiskFile,
} from "../../engine/persistence/disk.ts";
import { ownerOf } from "../../engine/messages/shared_state.ts";
import {
  LOADING_DONE_BYTES,
  LOADING_KEYS,
} from "../../engine/persistence/persistence_facts.ts";
import type { LoadJob, LoadOutcome } from "./thread_protocol.ts";
import type { WorkerContext } from "./worker_context.ts";

/**
 * Time between two looks at the event loop. V8 measures how long its tasks have to wait
 * there: from 50 ms on it ends its collections wherever the code is just then, perhaps
 * under a latch, and keeps to that for some time.
 */
const SLICE_MS = 40;
/** A kind, an empty key, an empty value. */
const KEY_BYTES_MIN = 3;

/** Loads the keys of the shards that the worker owns. Never rejects. */
export async function loadShare(
  worker: WorkerContext,
  disk: Disk,
  job: LoadJob,
): Promise<LoadOutcome> {
  const { call, shared, peers } = worker;
  const load = new RdbLoad({
    keyspaces: call.keyspaces,
    slotShards: call.slotShards,
    fillKey: (key, buf, off, length) => call.fillKey(key, buf, off, length),
    isOwn: (shard) => ownerOf(shard, shared.workers) === peers.self,
    latches: call.latches,
    clock: call.clock,
    nowMs: job.dropsExpired ? worker.nowMs() : 0,
    replaces: job.replaces,
    keysMax: bytesOf(disk, job.path) / KEY_BYTES_MIN,
  });
  call.clock.tell(worker.nowMs());
  let failure: string | null = null;
  let offset = -1;
  let file: DiskFile | null = null;
  try {
    file = disk.open(job.path, "read");
    const reader = new RdbFileReader(
      sourceOf(file),
      load,
      worker.externals,
      peers.self === 0 && worker.settings.rdbchecksum,
    );
    reader.readHead();
    for (;;) {
      const endMs = performance.now() + SLICE_MS;
      if (!reader.read(() => performance.now() > endMs)) break;
      if (peers.self === 0) noteProgress(worker, reader.offset);
      // A timer comes two milliseconds later; but setImmediate would not let
      // the sockets have their turn.
      await new Promise<void>((resolve) => worker.loop.later(resolve, 0));
    }
    if (peers.self === 0) noteProgress(worker, reader.offset);
  } catch (cause) {
    if (cause instanceof BadFile) ({ message: failure, offset } = cause);
    else if (cause instanceof OutOfMemory) failure = "there is no more memory";
    else if (cause instanceof DiskError) failure = cause.message;
    else throw cause;
  } finally {
    file?.close();
    load.end();
  }
  const { loaded: keys, expired, libraries } = load;
  return { keys, expired, libraries, failure, offset };
}

/** Length of a file; 0 if it cannot be opened, which is noticed elsewhere. */
function bytesOf(disk: Disk, path: string): number {
  try {
    const file = disk.open(path, "read");
    const bytes = file.size();
    file.close();
    return bytes;
  } catch (cause) {
    if (!(cause instanceof DiskError)) throw cause;
    return 0;
  }
}

/** The bytes of a file from the beginning on. */
export function sourceOf(file: DiskFile): ByteSource {
  let at = 0;
  return {
    read(buf, off, length) {
      const count = file.read(at, buf.subarray(off, off + length));
      at += count;
      return count;
    },
  };
}

/** What INFO and the log tell of the load under way. */
function noteProgress(worker: WorkerContext, offset: number): void {
  const { facts, call } = worker;
  facts[LOADING_DONE_BYTES] = offset;
  let keys = 0;
  for (const space of call.keyspaces) {
    for (let db = 0; db < space.databases; db++) keys += space.count(db);
  }
  facts[LOADING_KEYS] = keys;
}
