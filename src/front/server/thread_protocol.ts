/**
 * What the main thread and its workers tell each other. Data never travels this
 * way; see engine/messages for what workers tell each other.
 *
 * @module
 */

import type { SettingsSnapshot } from "../../core/settings/settings.ts";
import type { Json } from "../../engine/messages/peers.ts";
import type {
  SnapshotOrder,
  SnapshotReport,
} from "../../engine/persistence/snapshot_protocol.ts";
import type { SharedState } from "../../engine/messages/shared_state.ts";

/** Everything a worker needs to begin. */
export interface WorkerStart {
  readonly kind: "start";
  /** Number of the worker. */
  readonly id: number;
  /** What all workers share. */
  readonly shared: SharedState;
  /** The configuration. */
  readonly settings: SettingsSnapshot;
  /** Cores and current directory, which defaults depend on. */
  readonly host: { readonly cores: number; readonly dir: string };
  /** Channels to the other workers, by their number; null at its own. */
  readonly ports: readonly (MessagePort | null)[];
  /** The configuration file, if there is one. */
  readonly configFile: string;
  /** Whether latches assert their rules. */
  readonly checks: boolean;
  /** Whether commands are refused until the data set is loaded. */
  readonly isLoading: boolean;
}

/** Everything a compute thread needs to begin. */
export interface ComputeStart {
  readonly kind: "compute";
  /** Number of the thread. */
  readonly id: number;
  /** What all threads share. */
  readonly shared: SharedState;
  /** The configuration. */
  readonly settings: SettingsSnapshot;
  /** Cores and current directory, which defaults depend on. */
  readonly host: { readonly cores: number; readonly dir: string };
  /** Channels to the workers, by their number. */
  readonly ports: readonly MessagePort[];
}

/** Main thread to worker, or to compute thread. */
export type ToWorker =
  | WorkerStart
  | ComputeStart
  /** There are compute threads now: channels to them, by their number. */
  | { readonly kind: "threads"; readonly ports: readonly MessagePort[] }
  /** Changes are logged; this is the way to the log thread. */
  | { readonly kind: "log"; readonly port: MessagePort }
  /** Changes are no longer logged. */
  | { readonly kind: "unlog" }
  /** Listen on this TCP port (0: any; -1: none) and perhaps the unix socket. */
  | { readonly kind: "listen"; readonly port: number; readonly unix: boolean }
  /** Run commands of your own; see warm_up.ts. */
  | { readonly kind: "warm-up" }
  /** Take part in a snapshot. */
  | { readonly kind: "snapshot"; readonly order: SnapshotOrder }
  /** Answer to an `ask`. */
  | { readonly kind: "answer"; readonly id: number; readonly answer: Json }
  /** Set or clear bits of the executor's gate. */
  | { readonly kind: "gate"; readonly set: number; readonly clear: number }
  /** Load the keys of your shards from a file. */
  | { readonly kind: "load"; readonly job: LoadJob }
  /** Empty all databases of all shards. */
  | { readonly kind: "empty" }
  /** The facts about snapshots have changed. */
  | { readonly kind: "facts" }
  /** Stop the server, with a snapshot before if there are save points. */
  | {
    readonly kind: "shutdown";
    /** Whether it stops although that failed. */
    readonly force: boolean;
  }
  /** Accept nothing more, answer what is under way, close. */
  | { readonly kind: "stop" };

/** A snapshot file to be loaded. */
export interface LoadJob {
  /** The file, absolute. */
  readonly path: string;
  /** Whether keys that have expired are passed over. */
  readonly dropsExpired: boolean;
  /** Whether keys that are there are replaced. */
  readonly replaces: boolean;
}

/** What a worker has loaded. */
export interface LoadOutcome {
  /** Keys. */
  readonly keys: number;
  /** Keys passed over because they had expired. */
  readonly expired: number;
  /** Libraries of functions passed over. */
  readonly libraries: number;
  /** Why the file cannot be loaded, or null. */
  readonly failure: string | null;
  /** Where in the file that is, or -1. */
  readonly offset: number;
}

/** Worker to main thread. */
export type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "listening"; readonly port: number }
  | { readonly kind: "failed"; readonly text: string }
  | { readonly kind: "log"; readonly level: LogLevel; readonly text: string }
  | { readonly kind: "shutdown" }
  /** Start the compute threads, if they are not there yet. */
  | { readonly kind: "compute" }
  | { readonly kind: "snapshot"; readonly report: SnapshotReport }
  /** A question to the main thread. */
  | {
    readonly kind: "ask";
    readonly id: number;
    readonly question: string;
    readonly data: Json;
  }
  | { readonly kind: "gated" }
  | { readonly kind: "unlogged" }
  | { readonly kind: "loaded"; readonly outcome: LoadOutcome }
  | { readonly kind: "emptied" }
  /** It has run commands of its own. */
  | { readonly kind: "warm" }
  /** It has stopped, all but for what may still wake it; see EventLoop.end. */
  | { readonly kind: "stopped"; readonly waker: number };

/** As `loglevel` names them. */
export type LogLevel = "debug" | "verbose" | "notice" | "warning";
