/**
 * What a worker and a compute thread tell each other.
 *
 * A job is a command with the values of its keys as they were at one instant.
 * Values travel as references into the arena: they stay where they are, and as
 * they are, until the job is over. What a job has written comes back as entries
 * that no key has yet, in memory that is handed over with them.
 *
 * @module
 */

import type { HeapContents } from "../../core/memory/heap.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import type { PackedKeys } from "./packed_keys.ts";
import type { SettingsSnapshot } from "../../core/settings/settings.ts";

/** Stands for a command: copy the value of the job's one key. */
export const COPY_VALUE = -1;

/** Kind of a key that is not there. */
export const NO_VALUE = -1;
/** Entry of a key that the job has deleted. */
export const DELETED = 0;

/** One key of a job. */
export interface JobKey {
  /** The argument that names it. */
  readonly at: number;
  readonly db: number;
  /** Whether the command may change it. */
  readonly isWritten: boolean;
  /** Type and encoding, as {@linkcode Keyspace.kind}, or NO_VALUE. */
  readonly kind: number;
  /** The value's root, or the run of a long string. */
  readonly root: number;
  /** A short string; else null. */
  readonly bytes: Uint8Array | null;
  /** When it expires; 0 for never. */
  readonly expireAtMs: number;
  /** Whether fields of the hash have an expire. */
  readonly hasFieldExpires: boolean;
  /** Its access clock. */
  readonly clock: number;
}

/** An argument that lies in a run of the arena. */
export interface BigArgument {
  readonly at: number;
  readonly run: number;
  readonly length: number;
}

/** A command to be run. */
export interface ComputeJob {
  /** Number that the result will carry. */
  readonly id: number;
  /** The command's number in the table, or COPY_VALUE. */
  readonly command: number;
  /**
   * The arguments, one behind the other, and where each ends; big ones are empty
   * there.
   */
  readonly bytes: Uint8Array;
  readonly ends: Int32Array;
  readonly bigs: readonly BigArgument[];
  /** The database that is selected. */
  readonly db: number;
  readonly resp: 2 | 3;
  readonly nowMs: number;
  /** The shard in whose heap results are to lie. */
  readonly shard: number;
  readonly keys: readonly JobKey[];
  /** The keys if they are very many. */
  readonly packed?: PackedKeys;
  /** Whether changes are recorded. */
  readonly isRecorded: boolean;
  /** The settings, if they have changed since the last job. */
  readonly settings: SettingsSnapshot | null;
}

/** What has become of a key. */
export interface WrittenKey {
  /** Number of the key in the job. */
  readonly key: number;
  /** Its entry, in no dictionary; or DELETED. */
  readonly ref: number;
  /** Whether fields of the hash have an expire. */
  readonly hasFieldExpires: boolean;
  /** Its access clock. */
  readonly clock: number;
}

/** Bytes of a reply that lie in a run of the arena. */
export interface ResultSpan {
  readonly at: number;
  readonly ref: number;
  readonly from: number;
  readonly length: number;
}

/** What a command has done. */
export interface ComputeResult {
  readonly id: number;
  /** The reply, and the strings between its bytes; their runs change hands. */
  readonly reply: Uint8Array;
  readonly spans: readonly ResultSpan[];
  /** Text of the error, if the reply is one; else "". */
  readonly error: string;
  readonly written: readonly WrittenKey[];
  /** Pairs: number of a key in the job, event. */
  readonly events: readonly number[];
  /**
   * What is to be recorded in the place of the command, as
   * EffectLog.endCollected has it.
   */
  readonly recorded: Uint8Array<ArrayBuffer> | null;
  /** Changes of the data set, keys found and not found. */
  readonly changes: number;
  readonly hits: number;
  readonly misses: number;
  /**
   * Memory that comes along with the written keys, or that a job which failed has
   * left; null if there is none.
   */
  readonly contents: HeapContents | null;
  /** How long it took. */
  readonly microseconds: number;
}

/** A MessagePort between a worker and a compute thread, or a stand-in. */
export interface ComputePort<Sent, Received> {
  /** Sends; the buffers are transferred. */
  postMessage(message: Sent, transfer: Transferable[]): void;
  /** Called with what comes. */
  onmessage: ((event: MessageEvent<Received>) => void) | null;
}

/** What a job has of the arguments; big ones stay where they are. */
export function copyArguments(
  args: Arguments,
): Pick<ComputeJob, "bytes" | "ends" | "bigs"> {
  const bigs: BigArgument[] = [];
  let total = 0;
  for (let i = 0; i < args.count; i++) {
    const run = args.bigAt(i);
    const length = args.length[i]!;
    if (run === 0) total += length;
    else bigs.push({ at: i, run, length });
  }
  const bytes = new Uint8Array(total);
  const ends = new Int32Array(args.count);
  let at = 0;
  for (let i = 0; i < args.count; i++) {
    if (args.bigAt(i) === 0) {
      bytes.set(args.view(i), at);
      at += args.length[i]!;
    }
    ends[i] = at;
  }
  return { bytes, ends, bigs };
}
