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
  | {
    readonly step: "piece";
    /** Whole records, if the ones before and this one are not open. */
    readonly bytes: Uint8Array;
    /** Whether the record at its end goes on in the worker's next piece. */
    readonly isOpen: boolean;
    /** Keys whose records end in it. */
    readonly keys: number;
  };

/** Word of the process: not 0 between a cut and its end. */
export const PROCESS_SNAPSHOT = 16;
/** Word of the process: bytes of pieces that are not yet written. */
export const PROCESS_SNAPSHOT_BYTES = 17;
