/**
 * What the log thread is told, and tells: by the main thread, and by the workers
 * through a channel that it has to each of them.
 *
 * @module
 */

import type { EffectBuffers } from "../../core/keyspace/effect_ring.ts";
import type { LogStatusBuffers } from "../../engine/persistence/log_status.ts";
import type { SyncPolicy } from "../../engine/persistence/log_writer.ts";
import type { RecordChunk } from "../../engine/persistence/record_feeder.ts";
import type { LogLevel } from "./thread_protocol.ts";

/** Everything the log thread needs to begin. */
export interface LogStart {
  readonly kind: "start";
  readonly effects: EffectBuffers;
  readonly status: LogStatusBuffers;
  /** Path of the log's folder. */
  readonly folder: string;
  /** What the names of its files begin with. */
  readonly prefix: string;
  readonly policy: SyncPolicy;
  /** `aof-load-truncated` */
  readonly cutsTornEnd: boolean;
  /** Channels to the workers, by their number. */
  readonly ports: readonly MessagePort[];
}

/** Main thread to log thread. */
export type ToLog =
  | LogStart
  /** The workers have stopped: write and sync what there is, and end. */
  | { readonly kind: "stop" };

/** Log thread to main thread. */
export type FromLog =
  /** The data set is as the log has it, and changes are logged. */
  | { readonly kind: "loaded" }
  | { readonly kind: "failed"; readonly text: string }
  | { readonly kind: "log"; readonly level: LogLevel; readonly text: string }
  | { readonly kind: "stopped" };

/** Worker to log thread. */
export type WorkerToLog =
  /** There is something in the ring. */
  | { readonly kind: "look" }
  /** Somebody waits for a sync. */
  | { readonly kind: "sync" }
  /** `appendfsync` has changed. */
  | { readonly kind: "policy"; readonly policy: SyncPolicy }
  /** The next chunk is replayed; with an error, or how many keys there are. */
  | {
    readonly kind: "taken";
    readonly error: string | null;
    readonly keys: number;
  }
  /** Load the log again in the place of the data set (DEBUG LOADAOF). */
  | { readonly kind: "reload" }
  /** Nothing is run any more; after that, all keys are gone. */
  | { readonly kind: "done" };

/** Log thread to worker. */
export type LogToWorker =
  /** What the worker wants may have come. */
  | { readonly kind: "told" }
  /** The disk refuses what is logged, or no longer does. */
  | { readonly kind: "failing"; readonly reason: string | null }
  /** Run nothing while the data set is loaded; answered by "done". */
  | { readonly kind: "pause" }
  /** Drop the data of your shards; answered by "done". */
  | { readonly kind: "empty" }
  /** Replay this. */
  | { readonly kind: "records"; readonly chunk: RecordChunk }
  /** The data set is loaded: go on. */
  | { readonly kind: "loaded" }
  /** The log that was to be loaded again is. */
  | { readonly kind: "reloaded"; readonly error: string | null };
