/**
 * What the log writer and the workers tell each other in shared memory, so that
 * a worker that has logged something, or wants to know how far the log is, sends
 * a message only when the other sleeps.
 *
 * ```text
 * words     [0] durable  [1] idle  [2] failing  [3] cut wanted  [4] its ticket
 *           [5] state  [6] holder  [7] descriptor, then a cache line per worker:
 *           what it wants; its bell (bell.ts) tells it that it may have come
 * figures   doubles: some that INFO shows, some of the file that is written
 * ```
 *
 * @module
 */

/**
 * Word: the lower 32 bits of the first ticket that may be lost when the machine
 * stops; all before are on the disk.
 */
export const DURABLE_TICKET = 0;
/**
 * Word: the log writer sleeps; who sets it to 0 wakes those who wait at it.
 */
export const WRITER_IDLE = 1;
/** Word: writing or syncing fails. */
export const WRITER_FAILING = 2;
/**
 * Word: from {@linkcode CUT_TICKET} on, records go to a new file. Set with the
 * latches of all shards held, and taken back by the log writer.
 */
export const CUT_WANTED = 3;
/** Word: the lower 32 bits of that ticket. */
export const CUT_TICKET = 4;
/** Word: what there is of a log: see {@linkcode LOG_OFF} and its like. */
export const LOG_STATE = 5;

/**
 * Word: who has the file of the log: nobody (0), the log writer
 * ({@linkcode HELD_BY_WRITER}) or a worker ({@linkcode HELD_BY_WORKER}). What the
 * file's figures say is true while nobody has it, and for a worker that does.
 */
export const LOG_HOLDER = 6;
export const HELD_BY_WRITER = 1;
export const HELD_BY_WORKER = 2;
/**
 * Word: the descriptor by which a worker that takes the file may write it; -1 if
 * it may not, as something is left that only the log writer knows of.
 */
export const LOG_DESCRIPTOR = 7;

/** There is no log. */
export const LOG_OFF = 0;
/** Changes are logged, but there is no snapshot yet for them to begin with. */
export const LOG_WAITS_FOR_BASE = 1;
/** Changes are logged. */
export const LOG_ON = 2;

const WORKERS_AT = 16;
const WORKER_WORDS = 16;

/** Bit of what a worker wants to be told: that there is room in its ring. */
export const WANTS_ROOM = 1;
/** Bit: that more has become durable. */
export const WANTS_DURABLE = 2;

/** The word of what worker `worker` wants. */
export function wantsAt(worker: number): number {
  return WORKERS_AT + worker * WORKER_WORDS;
}

/** Figure: bytes of the files of changes and of the snapshot they begin with. */
export const LOG_SIZE = 0;
/** Figure: the same, when the log was last rewritten or loaded. */
export const LOG_BASE_SIZE = 1;
/** Figure: bytes that are written but not synced. */
export const LOG_UNSYNCED = 2;
/** Figure: whether a sync is under way. */
export const LOG_SYNCING = 3;
/** Figure: syncs that were put off because the last was still under way. */
export const LOG_SYNCS_DELAYED = 4;
/** Figure: bytes of the file of changes that is written; all are synced. */
export const LOG_FILE_SIZE = 5;
/** Figure: bytes that the file has room for without becoming longer. */
export const LOG_FILE_RESERVED = 6;
/** Figure: the ticket of the next record in it. */
export const LOG_FILE_TICKET = 7;
/** Figure: bytes taken out of the rings that are not written yet. */
export const LOG_BUFFERED = 8;
/** Figure: rewrites that have succeeded. */
export const LOG_REWRITES = 9;
/** Figure: rewrites in a row that have failed. */
export const LOG_REWRITE_FAILURES = 10;
/** Figure: when the rewrite that is under way began, 0 if there is none. */
export const LOG_REWRITE_STARTED_MS = 11;
/** Figure: seconds that the last rewrite took, -1 if there was none. */
export const LOG_REWRITE_SECONDS = 12;
/** Figure: whether a rewrite begins when a snapshot that is taken is done. */
export const LOG_REWRITE_SCHEDULED = 13;
/** Figure: most bytes that were held in memory for the last rewrite. */
export const LOG_REWRITE_PEAK_BYTES = 14;
/** Figure: bytes of the files before the one that is written. */
export const LOG_SIZE_BEFORE = 15;
const FIGURES = 32;

/** The two buffers; structured-cloneable. */
export interface LogStatusBuffers {
  readonly words: SharedArrayBuffer;
  readonly figures: SharedArrayBuffer;
}

/** Makes the buffers for so many workers. */
export function makeLogStatus(workers: number): LogStatusBuffers {
  const figures = new SharedArrayBuffer(FIGURES * 8);
  new Float64Array(figures)[LOG_REWRITE_SECONDS] = -1;
  const words = new SharedArrayBuffer(wantsAt(workers) * 4);
  new Int32Array(words)[LOG_DESCRIPTOR] = -1;
  return { words, figures };
}
