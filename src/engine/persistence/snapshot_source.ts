/**
 * A worker's part in a snapshot: walks through the shards that it owns, saves
 * what it is about to change, and hands the bytes on.
 *
 * Records gather in a buffer, which is given away when it is nearly full: a
 * *piece*. Each piece begins with its database, so pieces of several workers can
 * be written in any order; only a record that is larger than a buffer goes out
 * in several pieces, which belong together.
 *
 * The walk is done in slices of a millisecond at most, in one hold of a latch
 * each; a single large value takes what it takes. It waits while too many bytes
 * are under way, so memory stays bounded by what is changed meanwhile.
 *
 * @module
 */

import type { AccessClock } from "../../core/keyspace/access_clock.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import {
  type CutCounts,
  cutShard,
  endCut,
  type EntrySaver,
  walkShard,
} from "../../core/keyspace/snapshot_marks.ts";
import { writeEntry, writeSelect } from "../../core/rdb/rdb_file_writer.ts";
import { type RdbSink, RdbWriter } from "../../core/rdb/rdb_writer.ts";
import type { Latches } from "../latch/shard_latches.ts";
import {
  PROCESS_SNAPSHOT,
  PROCESS_SNAPSHOT_BYTES,
  type SnapshotOrder,
  type SnapshotReport,
} from "./snapshot_protocol.ts";

/** Bytes of a buffer. */
const BUFFER_BYTES = 256 * 1024;
/** A buffer with so many bytes is given away. */
const PIECE_BYTES = 192 * 1024;
/** Longest hold of a latch, but for a single value. */
const SLICE_MS = 1;
/** While more bytes are under way, the walk waits. */
const UNDER_WAY_BYTES_MAX = 8 * 1024 * 1024;
/** Time until it looks again. */
const WAIT_MS = 2;

/** What the source needs from the worker around it. */
export interface SnapshotSourceParts {
  /** All shards. */
  readonly keyspaces: readonly Keyspace[];
  /** Those that the worker owns. */
  readonly owned: readonly Keyspace[];
  /** The worker's latches. */
  readonly latches: Latches;
  /** Says how long keys were not used. */
  readonly clock: AccessClock;
  /** Words of the process. */
  readonly process: Int32Array;
  /**
   * The ticket of the next change; with `cutsLog`, a log begins anew with it. All
   * latches are held.
   */
  nextTicket(cutsLog: boolean): number;
  /** Changes counted, over all workers. */
  changes(): number;
  /** Monotonic milliseconds. */
  monotonicMs(): number;
  /** Calls back after so many milliseconds. */
  later(run: () => void, delayMs: number): void;
  /** Sends a report; a piece's buffer is given away. */
  report(report: SnapshotReport): void;
}

/** One per worker. */
export class SnapshotSource implements EntrySaver, RdbSink {
  readonly #parts: SnapshotSourceParts;
  #writer: RdbWriter | null = null;
  #notes = 0;
  #share = 1;
  /** The database of what is in the buffer, or -1. */
  #db = -1;
  #isAborted = false;
  /** Keys whose records are in the buffer. */
  #keys = 0;
  /** Whether a part of the record at hand has gone out. */
  #isOpen = false;
  /** The next shard to be walked, among the owned ones. */
  #shardIndex = 0;

  /** Does nothing before it is ordered to. */
  constructor(parts: SnapshotSourceParts) {
    this.#parts = parts;
  }

  /** Follows an order. */
  order(order: SnapshotOrder): void {
    switch (order.step) {
      case "begin":
        this.#writer = new RdbWriter(BUFFER_BYTES);
        this.#writer.begin(this, order.compresses, false);
        this.#notes = order.notes;
        this.#share = order.share;
        this.#db = -1;
        this.#isAborted = false;
        this.#keys = 0;
        return this.#parts.report({ step: "ready" });
      case "cut":
        return this.#cut(order.cutsLog);
      case "walk":
        this.#shardIndex = 0;
        return this.#walk();
      case "abort":
        this.#isAborted = true;
        return;
      case "uncut":
        return this.#uncut();
      case "flush":
        if (!this.#isAborted) this.#givePiece(false);
        this.#writer = null;
        return this.#parts.report({ step: "flushed" });
    }
  }

  save(space: Keyspace, db: number, ref: number): void {
    if (this.#isAborted) return;
    const writer = this.#writer!;
    if (db !== this.#db) {
      writeSelect(writer, db);
      this.#db = db;
    }
    writeEntry(writer, space, ref, this.#notes, this.#parts.clock);
    this.#keys++;
    if (this.#isOpen || writer.at > PIECE_BYTES) this.#givePiece(false);
  }

  /** A part of a record that is larger than the buffer. */
  write(buf: Uint8Array, off: number, length: number): void {
    this.#isOpen = true;
    this.#send(buf.slice(off, off + length), true);
  }

  #givePiece(isOpen: boolean): void {
    const writer = this.#writer!;
    if (writer.at > 0 || this.#isOpen) this.#send(writer.takeBuffer(), isOpen);
    this.#isOpen = isOpen;
    this.#db = -1;
  }

  #send(bytes: Uint8Array, isOpen: boolean): void {
    Atomics.add(
      this.#parts.process,
      PROCESS_SNAPSHOT_BYTES,
      bytes.length,
    );
    const keys = isOpen ? 0 : this.#keys;
    if (!isOpen) this.#keys = 0;
    this.#parts.report({ step: "piece", bytes, isOpen, keys });
  }

  #cut(cutsLog: boolean): void {
    const { keyspaces, latches, process } = this.#parts;
    const counts: CutCounts = { keys: [], expires: [], fieldExpires: 0 };
    latches.acquireAll();
    for (const space of keyspaces) cutShard(space, counts);
    Atomics.store(process, PROCESS_SNAPSHOT, 1);
    const ticket = this.#parts.nextTicket(cutsLog);
    const changes = this.#parts.changes();
    latches.releaseAll();
    this.#parts.report({ step: "cut", ticket, counts, changes });
  }

  #uncut(): void {
    const { keyspaces, latches, process } = this.#parts;
    latches.acquireAll();
    for (const space of keyspaces) endCut(space);
    Atomics.store(process, PROCESS_SNAPSHOT, 0);
    latches.releaseAll();
    this.#parts.report({ step: "uncut" });
  }

  readonly #walk = (): void => {
    const { owned, latches, process, later, report } = this.#parts;
    if (
      !this.#isAborted &&
      Atomics.load(process, PROCESS_SNAPSHOT_BYTES) > UNDER_WAY_BYTES_MAX
    ) return later(this.#walk, WAIT_MS);
    const startMs = this.#parts.monotonicMs();
    const isOver = () => this.#parts.monotonicMs() - startMs >= SLICE_MS;
    while (this.#shardIndex < owned.length) {
      const space = owned[this.#shardIndex]!;
      latches.acquire(space.shard);
      const isWalked = walkShard(space, isOver);
      latches.release(space.shard);
      if (!isWalked) {
        const tookMs = this.#parts.monotonicMs() - startMs;
        return later(this.#walk, tookMs / this.#share - tookMs);
      }
      this.#shardIndex++;
    }
    report({ step: "walked" });
  };
}
