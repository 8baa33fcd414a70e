/**
 * Reasons for which the commands of a worker, or some of them, are held back or
 * refused: bits of {@linkcode Executor.gate}. While there are none, a command
 * pays one test.
 *
 * @module
 */

import { FLAG } from "../../core/commands/command_spec.ts";
import {
  type ErrorReply,
  LOADING,
  SNAPSHOT_MISCONFIGURED,
} from "../../core/resp/error_reply.ts";

/** CLIENT PAUSE holds commands back. */
export const GATE_PAUSE = 1;
/** The server is about to stop: all commands are held back. */
export const GATE_STOP = 2;
/** Data is being loaded: most commands are refused. */
export const GATE_LOADING = 4;
/** The last snapshot failed: what writes is refused. */
export const GATE_SNAPSHOT_FAILED = 8;

/** The log of changes cannot be written: what writes is refused. */
export const GATE_LOG_FAILED = 16;

/** Somebody sees all commands (MONITOR); holds nothing back. */
export const GATE_MONITORED = 32;

/**
 * The worker warms up, or is about to: all commands are held back. While data is
 * being loaded, which comes first, they are refused instead.
 */
export const GATE_COLD = 64;

/** While there is one of them, data does not change by itself. */
export const GATES_STILL: number = GATE_PAUSE | GATE_STOP | GATE_LOADING |
  GATE_LOG_FAILED;

/** What holds commands of a worker back, besides their sessions and keys. */
export interface WorkerGate {
  /** Bits of the reasons; 0 nearly always. */
  readonly gate: number;
  /** What commands that write are answered while the log cannot be written. */
  readonly logRefusal: ErrorReply | null;
  /** Whether held commands are only those that write. */
  readonly gateWritesOnly: boolean;
  /** Whether shards' flag words are ignored: this is the owner at work. */
  readonly ignoresFlags: boolean;
}

/**
 * Why a command with these flags is refused, or null; `logRefusal` is what those
 * are told that write while the log cannot be written.
 */
export function refusalBy(
  gate: number,
  flags: number,
  isPing: boolean,
  logRefusal: ErrorReply | null,
): ErrorReply | null {
  if (
    (gate & GATE_SNAPSHOT_FAILED) !== 0 &&
    ((flags & FLAG.WRITE) !== 0 || isPing)
  ) return SNAPSHOT_MISCONFIGURED;
  if (
    (gate & GATE_LOG_FAILED) !== 0 && ((flags & FLAG.WRITE) !== 0 || isPing)
  ) return logRefusal;
  if ((gate & GATE_LOADING) !== 0 && (flags & FLAG.LOADING) === 0) {
    return LOADING;
  }
  return null;
}
