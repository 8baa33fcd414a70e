/**
 * A worker's part in a snapshot: walks through the shards that it owns, saves
 * what it is about to change, and hands the bytes on.
 *
 * The walk is done in slices of a millisecond at most, in one hold of a latch
 * each. It waits while too many bytes are under way, so memory stays bounded by
 * what is changed meanwhile.
 *
 * A long name is kept while the latch is held, and written later and in slices. A
 * large value is only shared while the latch is held, and written later and in
 * slices, in pieces of its own (rdb_large_value.ts). Its key is locked for reading
 * until then, so that nobody has to copy the value who wants to change it: a
 * command that comes before the walk has the value written first
 * ({@linkcode SnapshotSource.reserve}), and waits for that. Only what cannot wait,
 * as one who holds locks himself, changes a copy.
 *
 * @module
 */

import { collectIfDue } from "../../core/base/young_buffers.ts";
import type { AccessClock } from "../../core/keyspace/access_clock.ts";
import type { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { isLongName } from "../../core/keyspace/long_names.ts";
import {
  type CutCounts,
  cutShard,
  endCut,
  type EntrySaver,
  keepOld,
  oldEntry,
  originOf,
  walkShard,
} from "../../core/keyspace/snapshot_marks.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import { NODE_KEY } from "../../core/memory/node.ts";
import {
  writeEntry,
  writeEntryHead,
  writeName,
} from "../../core/rdb/rdb_file_writer.ts";
import {
  isLargeValue,
  LargeValue,
  LongName,
  type RecordPart,
  WrittenBytes,
} from "../../core/rdb/rdb_large_value.ts";
import { writeValue } from "../../core/rdb/rdb_value.ts";
import { RdbWriter } from "../../core/rdb/rdb_writer.ts";
import { concat } from "@std/bytes";
import type { WatchedHold } from "../compute/value_holds.ts";
import type { Latches } from "../latch/shard_latches.ts";
import { type Piece, PieceWriter } from "./snapshot_pieces.ts";
import {
  PROCESS_CUT_WAITS,
  PROCESS_SLICED_CHANGES,
} from "../messages/shared_state.ts";
import {
  KEPT_FOR_SNAPSHOT,
  PROCESS_KEEPS_OLD,
  PROCESS_SNAPSHOT_BYTES,
  PROCESS_SNAPSHOT_OPEN,
  PROCESS_SNAPSHOT_OPEN_PIECES,
  type SnapshotOrder,
  type SnapshotReport,
  STREAMS_PER_WORKER,
} from "./snapshot_protocol.ts";

/** Longest time that a worker writes in one go, but for a single value. */
const SLICE_MS = 1;
/** Longest hold of a latch, with the same exception. */
const HOLD_MS = 0.25;
/** While more bytes are under way, the walk waits. */
const UNDER_WAY_BYTES_MAX = 8 * 1024 * 1024;
/** Pieces of a large value that may be under way. */
const PIECES_AHEAD_MAX = 16;
/** Large values, of those to be written, that somebody may hurry. */
const LOOKED_AT_MAX = 16;
/** Time until it looks again. */
const WAIT_MS = 2;

/** What the source needs from the worker around it. */
export interface SnapshotSourceParts {
  /** Number of the worker. */
  readonly worker: number;
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
  /** Holds an entry's value, if that is of use; see value_holds.ts. */
  hold(space: Keyspace, db: number, ref: number): WatchedHold | null;
  /** Monotonic milliseconds. */
  monotonicMs(): number;
  /** Calls back after so many milliseconds. */
  later(run: () => void, delayMs: number): void;
  /** Sends a report; a piece's buffer is given away. */
  report(report: SnapshotReport): void;
}

/** An entry with a large value, or a long name, that is yet to be written. */
interface LargeRecord {
  readonly space: Keyspace;
  readonly db: number;
  /** All of it, in its order. */
  readonly parts: readonly RecordPart[];
  /** How many of them are written. */
  partsWritten: number;
  /** Keeps others from changing the value; null if they may, and copy. */
  readonly hold: WatchedHold | null;
  /** Whether a command waits for it. */
  readonly isUrgent: boolean;
  isBegun: boolean;
}

/** One per worker. */
export class SnapshotSource implements EntrySaver {
  readonly #parts: SnapshotSourceParts;
  /** Most records. */
  #small: PieceWriter | null = null;
  /** Those of large values. */
  #large: PieceWriter | null = null;
  /** Large records that are to be written, the first one perhaps begun. */
  readonly #records: LargeRecord[] = [];
  readonly #headWriter = new RdbWriter();
  /** The hold of the value that is saved next. */
  #hold: WatchedHold | null = null;
  /** Whether a command waits for that value. */
  #isUrgent = false;
  /** Whether it is large; null if that is to be looked at. */
  #isLarge: boolean | null = null;
  #notes = 0;
  #share = 1;
  #isAborted = false;
  /** The next shard to be walked, among the owned ones. */
  #shardIndex = 0;
  /** Whether a part of the walk is at hand. */
  #isInWalk = false;
  /** Whether the walk was ordered and is not reported yet. */
  #isWalking = false;
  /** Whether the end was ordered and is not reported yet. */
  #isEnding = false;
  /** Whether the next turn of work is planned. */
  #isPlanned = false;

  /** Does nothing before it is ordered to. */
  constructor(parts: SnapshotSourceParts) {
    this.#parts = parts;
  }

  /** Follows an order. */
  order(order: SnapshotOrder): void {
    switch (order.step) {
      case "begin":
        return this.#begin(order.compresses, order.notes, order.share);
      case "cut":
        return this.#cut(order.cutsLog);
      case "walk":
        this.#shardIndex = 0;
        this.#isWalking = true;
        return this.#work();
      case "abort":
        this.#isAborted = true;
        return;
      case "uncut":
        return this.#uncut();
      case "flush":
        this.#isEnding = true;
        return this.#work();
    }
  }

  save(space: Keyspace, db: number, ref: number): void {
    if (this.#isAborted) return;
    const isLarge = this.#isLarge ?? isLargeValue(space, ref);
    this.#isLarge = null;
    const isLong = isLongName(space.word(ref, NODE_KEY));
    if ((isLarge || isLong) && this.#putOff(space, db, ref, isLarge, isLong)) {
      return;
    }
    const pieces = this.#small!;
    pieces.beginRecord(db);
    const { clock } = this.#parts;
    // Who is about to change it may do so with many more, under their latches.
    pieces.writer.isHurried = !this.#isInWalk;
    writeEntry(pieces.writer, space, ref, this.#notes, clock);
    pieces.endRecord();
  }

  /**
   * Locks a key whose value is large and not yet saved, until it is written; if
   * `isAsked`, says only whether that is to be done. The shard's latch is held.
   */
  reserve(space: Keyspace, db: number, key: Key, isAsked: boolean): boolean {
    if (this.#isAborted) return false;
    const ref = oldEntry(space, db, key);
    if (ref === 0 || !isLargeValue(space, ref)) return false;
    if (isAsked) return true;
    this.#isUrgent = true;
    this.#reserve(space, db, ref);
    if (this.#hold !== null) keepOld(space, db, ref);
    this.#isUrgent = false;
    return true;
  }

  /** Holds the value of an entry that is saved next. */
  #reserve(space: Keyspace, db: number, ref: number): void {
    const isThere = db < space.databases &&
      originOf(space.control, db) >= 0;
    this.#hold = isThere ? this.#parts.hold(space, db, ref) : null;
  }

  #begin(compresses: boolean, notes: number, share: number): void {
    const first = this.#parts.worker * STREAMS_PER_WORKER;
    this.#small = new PieceWriter(first, compresses, this.#send);
    this.#large = new PieceWriter(first + 1, compresses, this.#send);
    this.#notes = notes;
    this.#share = share;
    this.#isAborted = false;
    this.#parts.report({ step: "ready" });
  }

  readonly #send = (piece: Piece): void => {
    const { process, report } = this.#parts;
    Atomics.add(process, PROCESS_SNAPSHOT_BYTES, piece.bytes.length);
    report({ step: "piece", piece });
  };

  /**
   * Keeps an entry with a large value, or a long name, to be written later; false if
   * there is no memory.
   */
  #putOff(
    space: Keyspace,
    db: number,
    ref: number,
    isLarge: boolean,
    isLong: boolean,
  ): boolean {
    const hold = this.#hold;
    this.#hold = null;
    const parts: RecordPart[] = [];
    parts.push(this.#written((writer) => {
      writeEntryHead(writer, space, ref, this.#notes, this.#parts.clock);
      if (!isLong) writeName(writer, space, ref);
    }));
    if (isLong) parts.push(new LongName(space, ref));
    try {
      parts.push(
        isLarge
          ? new LargeValue(space, ref)
          : this.#written((writer) => writeValue(writer, space, ref)),
      );
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      for (const part of parts) part.release();
      // Latches are held.
      if (hold !== null) this.#parts.later(() => hold.release(), 0);
      return false;
    }
    const isUrgent = this.#isUrgent;
    const record = { space, db, parts, partsWritten: 0, hold, isUrgent };
    // What is waited for comes first, but for a record that has begun.
    let at = isUrgent ? 0 : this.#records.length;
    while (this.#records[at]?.isBegun || this.#records[at]?.isUrgent) at++;
    this.#records.splice(at, 0, { ...record, isBegun: false });
    // Latches are held.
    this.#plan(0);
    return true;
  }

  /** What is written now, uncompressed, to be a part of a record. */
  #written(write: (writer: RdbWriter) => void): WrittenBytes {
    const pieces: Uint8Array[] = [];
    const writer = this.#headWriter;
    writer.begin(
      {
        write: (buf, off, length) => {
          pieces.push(buf.slice(off, off + length));
        },
      },
      false,
      false,
    );
    write(writer);
    writer.flush();
    return new WrittenBytes(concat(pieces));
  }

  #cut(cutsLog: boolean): void {
    const { keyspaces, latches, process } = this.#parts;
    const counts: CutCounts = { keys: [], expires: [], fieldExpires: 0 };
    latches.acquireAll();
    if (Atomics.load(process, PROCESS_SLICED_CHANGES) !== 0) {
      // Some values are half changed; no more are begun now.
      Atomics.store(process, PROCESS_CUT_WAITS, 1);
      latches.releaseAll();
      return this.#parts.later(() => this.#cut(cutsLog), WAIT_MS);
    }
    Atomics.store(process, PROCESS_CUT_WAITS, 0);
    for (const space of keyspaces) cutShard(space, counts);
    Atomics.or(process, PROCESS_KEEPS_OLD, KEPT_FOR_SNAPSHOT);
    const ticket = this.#parts.nextTicket(cutsLog);
    const changes = this.#parts.changes();
    latches.releaseAll();
    this.#parts.report({ step: "cut", ticket, counts, changes });
  }

  #uncut(): void {
    const { keyspaces, latches, process } = this.#parts;
    latches.acquireAll();
    for (const space of keyspaces) endCut(space);
    Atomics.and(process, PROCESS_KEEPS_OLD, ~KEPT_FOR_SNAPSHOT);
    latches.releaseAll();
    this.#parts.report({ step: "uncut" });
  }

  #plan(delayMs: number): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.#parts.later(this.#turn, delayMs);
  }

  readonly #turn = (): void => {
    this.#isPlanned = false;
    this.#work();
  };

  /** One slice of work; more is planned if there is some. */
  #work(): void {
    const { monotonicMs } = this.#parts;
    const startMs = monotonicMs();
    const isOver = () => monotonicMs() - startMs >= SLICE_MS;
    let mayGoOn = true;
    while (mayGoOn && this.#hasWork() && !isOver()) {
      mayGoOn = this.#records.length > 0
        ? this.#writeLarge(isOver)
        : this.#walk();
    }
    if (!this.#hasWork()) return this.#tellDone();
    const tookMs = monotonicMs() - startMs;
    const restMs = this.#isWaitedFor() ? 0 : tookMs / this.#share - tookMs;
    this.#plan(mayGoOn ? restMs : WAIT_MS);
  }

  /** Whether a command waits for a value to be written. */
  #isWaitedFor(): boolean {
    const { length } = this.#records;
    for (let i = 0; i < LOOKED_AT_MAX && i < length; i++) {
      const { isUrgent, hold } = this.#records[i]!;
      if (isUrgent || hold !== null && hold.isWanted()) return true;
    }
    return false;
  }

  #hasWork(): boolean {
    return this.#records.length > 0 ||
      this.#isWalking && this.#shardIndex < this.#parts.owned.length;
  }

  #tellDone(): void {
    const { report } = this.#parts;
    if (this.#isWalking) {
      this.#isWalking = false;
      report({ step: "walked" });
    }
    if (!this.#isEnding) return;
    this.#isEnding = false;
    if (!this.#isAborted) {
      this.#small!.flush();
      this.#large!.flush();
    }
    this.#small = this.#large = null;
    report({ step: "flushed" });
  }

  /** Whether so much is under way that the disk should catch up first. */
  #isCongested(): boolean {
    return !this.#isAborted &&
      Atomics.load(this.#parts.process, PROCESS_SNAPSHOT_BYTES) >
        UNDER_WAY_BYTES_MAX;
  }

  /** Goes on with the walk; false if it has to wait. */
  #walk(): boolean {
    if (this.#isCongested()) return false;
    const { owned, latches, monotonicMs } = this.#parts;
    const space = owned[this.#shardIndex]!;
    collectIfDue();
    latches.acquire(space.shard);
    this.#isInWalk = true;
    const endMs = monotonicMs() + HOLD_MS;
    const isWalked = walkShard(
      space,
      () => monotonicMs() >= endMs || this.#records.length > 0,
      (db, ref) => {
        if (this.#isAborted) return;
        this.#isLarge = isLargeValue(space, ref);
        if (this.#isLarge) this.#reserve(space, db, ref);
      },
    );
    this.#isInWalk = false;
    latches.release(space.shard);
    if (isWalked) this.#shardIndex++;
    return true;
  }

  /** Goes on with the first large value; false if it has to wait. */
  #writeLarge(isOver: () => boolean): boolean {
    const record = this.#records[0]!;
    const pieces = this.#large!;
    if (this.#isAborted) {
      this.#drop(record);
      return true;
    }
    if (!record.isBegun) {
      if (this.#isCongested()) return false;
      record.isBegun = true;
      pieces.beginRecord(record.db);
    }
    if (this.#isAhead(pieces)) return false;
    const mustRest = () => isOver() || this.#isAhead(pieces);
    while (record.partsWritten < record.parts.length) {
      const part = record.parts[record.partsWritten]!;
      if (!part.write(pieces.writer, mustRest)) return true;
      record.partsWritten++;
    }
    pieces.endRecord();
    this.#drop(record);
    return true;
  }

  /**
   * Whether pieces of the record at hand wait: those of another record that is
   * being written come first, however much there is of them.
   */
  #isAhead(pieces: PieceWriter): boolean {
    if (pieces.sent === 0) return false;
    const { process, worker } = this.#parts;
    const open = worker * STREAMS_PER_WORKER + 2;
    const written = Atomics.load(process, PROCESS_SNAPSHOT_OPEN) === open
      ? Atomics.load(process, PROCESS_SNAPSHOT_OPEN_PIECES)
      : 0;
    return pieces.sent - written > PIECES_AHEAD_MAX;
  }

  #drop(record: LargeRecord): void {
    const { latches } = this.#parts;
    const { space: { shard }, parts, hold } = record;
    this.#records.shift();
    latches.acquire(shard);
    for (const part of parts) part.release();
    latches.release(shard);
    hold?.release();
  }
}
