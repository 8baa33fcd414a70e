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
  /** Doubles of persistence_facts.ts. */
  readonly facts: SharedArrayBuffer;
  /** Path of the log's folder. */
  readonly folder: string;
  /** What the names of its files begin with. */
  readonly prefix: string;
  readonly policy: SyncPolicy;
  /** `aof-load-truncated` */
  readonly cutsTornEnd: boolean;
  /** The log does not have the data set, which it is to have from now on. */
  readonly waitsForBase: boolean;
  /** Channels to the workers, by their number. */
  readonly ports: readonly MessagePort[];
  /** The workers' bells, see bell.ts. */
  readonly bells: SharedArrayBuffer;
}

/** Main thread to log thread. */
export type ToLog =
  | LogStart
  /** Answers `load`: whether there are keys now of which no log knows. */
  | {
    readonly kind: "base loaded";
    readonly isUnlogged: boolean;
    readonly error: string | null;
  }
  /** Where is the next snapshot to be written? Answered by `rewriting`. */
  | { readonly kind: "rewrite" }
  /**
   * It is written, and was cut at this ticket, of 32 bits; answered by
   * `rewritten`.
   */
  | { readonly kind: "base"; readonly ticket: number }
  /** Write and sync what there is, and end; answered by `stopped`. */
  | { readonly kind: "stop" };

/** Log thread to main thread. */
export type FromLog =
  /** Load this snapshot; null: there is no log yet, and what is there counts. */
  | { readonly kind: "load"; readonly path: string | null }
  /** The data set is as the log has it, or the log waits for a snapshot of it. */
  | { readonly kind: "loaded"; readonly waitsForBase: boolean }
  | { readonly kind: "failed"; readonly text: string }
  | { readonly kind: "log"; readonly level: LogLevel; readonly text: string }
  | { readonly kind: "rewriting"; readonly name: string }
  | { readonly kind: "rewritten"; readonly error: string | null }
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
  /** As was asked. */
  | { readonly kind: "done" };

/** Log thread to worker. */
export type LogToWorker =
  /** The disk refuses what is logged, or no longer does. */
  | { readonly kind: "failing"; readonly reason: string | null }
  /** Run nothing while the data set is loaded; answered by "done". */
  | { readonly kind: "pause" }
  /** Drop all data; answered by "done". */
  | { readonly kind: "empty" }
  /** Replay this. */
  | { readonly kind: "records"; readonly chunk: RecordChunk }
  /** The log has the data set. */
  | { readonly kind: "on" }
  /** The data set is loaded: run commands. Answered by "done". */
  | { readonly kind: "loaded" }
  /** The log that was to be loaded again is. */
  | { readonly kind: "reloaded"; readonly error: string | null };
