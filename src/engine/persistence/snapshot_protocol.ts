/**
 * What the thread that takes a snapshot and the workers tell each other.
 *
 * ```text
 * taker                      worker
 * begin (to all)        ->   ready
 * cut (to worker 0)     ->   cut: all latches for an instant
 * walk (to all)         ->   piece *, walked
 * uncut (to worker 0)   ->   uncut: nobody saves anything any more
 * flush (to all)        ->   piece *, flushed
 * ```
 * Pieces come from every worker between the cut and its `flushed`, as each of
 * them saves what it is about to change. `abort` may come at any time behind the
 * cut: the walk goes on, since every entry must change its epoch, but nothing is
 * serialised any more.
 *
 * @module
 */

import type { Piece } from "./snapshot_pieces.ts";
import type { CutCounts } from "../../core/keyspace/snapshot_marks.ts";

/** To a worker. */
export type SnapshotOrder =
  | {
    readonly step: "begin";
    /** Whether strings are compressed. */
    readonly compresses: boolean;
    /** What of access clocks is written, CLOCK_* of rdb_file_writer.ts. */
    readonly notes: number;
    /** Share of the processor that the walk may take. */
    readonly share: number;
  }
  | {
    readonly step: "cut";
    /** Whether the log of changes begins anew at this instant. */
    readonly cutsLog: boolean;
  }
  | { readonly step: "walk" | "uncut" | "flush" | "abort" };

/** From a worker. */
export type SnapshotReport =
  | { readonly step: "ready" | "walked" | "uncut" | "flushed" }
  | {
    readonly step: "cut";
    /** The ticket of the first change that the snapshot does not have. */
    readonly ticket: number;
    readonly counts: CutCounts;
    /** Changes counted at the cut, over all workers. */
    readonly changes: number;
  }
  | { readonly step: "piece"; readonly piece: Piece };

/** Streams of pieces of a worker: one for most keys, one for large values. */
export const STREAMS_PER_WORKER = 2;

/**
 * Word of the process: not 0 while somebody has to be told of keys before they
 * change. {@linkcode KEPT_FOR_SNAPSHOT}, between a cut and its end, and {@linkcode
 * KEPT_FOR_COMMAND} for each command that reads what many keys had.
 */
export const PROCESS_KEEPS_OLD = 16;
/** Bit of that word. */
export const KEPT_FOR_SNAPSHOT = 1;
/** Added to that word. */
export const KEPT_FOR_COMMAND = 2;
/** Word of the process: bytes of pieces that are not yet written. */
export const PROCESS_SNAPSHOT_BYTES = 17;
/** Word of the process: the stream whose record is open, plus 1; or 0. */
export const PROCESS_SNAPSHOT_OPEN = 18;
/** Word of the process: pieces of that record that were written. */
export const PROCESS_SNAPSHOT_OPEN_PIECES = 19;
