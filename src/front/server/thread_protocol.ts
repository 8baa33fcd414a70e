/**
 * What the main thread and its workers tell each other. Data never travels this
 * way; see engine/messages for what workers tell each other.
 *
 * @module
 */

import type { SettingsSnapshot } from "../../core/settings/settings.ts";
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

/** Main thread to worker. */
export type ToWorker =
  | WorkerStart
  /** Changes are logged; this is the way to the log thread. */
  | { readonly kind: "log"; readonly port: MessagePort }
  /** Listen on this TCP port (0: any; -1: none) and perhaps the unix socket. */
  | { readonly kind: "listen"; readonly port: number; readonly unix: boolean }
  /** Accept nothing more, answer what is under way, close. */
  | { readonly kind: "stop" };

/** Worker to main thread. */
export type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "listening"; readonly port: number }
  | { readonly kind: "failed"; readonly text: string }
  | { readonly kind: "log"; readonly level: LogLevel; readonly text: string }
  | { readonly kind: "shutdown" }
  | { readonly kind: "stopped" };

/** As `loglevel` names them. */
export type LogLevel = "debug" | "verbose" | "notice" | "warning";
