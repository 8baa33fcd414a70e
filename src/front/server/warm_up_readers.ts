/**
 * Those who read values for long, as the warm-up has them: peers that take a reply
 * bit by bit, and a snapshot. Values are locked meanwhile, as a worker does it.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import type { CallContext, ValueHold } from "../../core/commands/call.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import type { EntrySaver } from "../../core/keyspace/snapshot_marks.ts";
import { CLOCK_NONE } from "../../core/rdb/rdb_file_writer.ts";
import { ReplyWriter } from "../../core/resp/reply_writer.ts";
import {
  HOLD_FOR_REPLY,
  HOLD_FOR_SNAPSHOT,
  ValueHolds,
} from "../../engine/compute/value_holds.ts";
import type { Latches } from "../../engine/latch/shard_latches.ts";
import { LockManager } from "../../engine/locks/lock_manager.ts";
import { LockWaits } from "../../engine/locks/lock_waits.ts";
import { LockedCommands } from "../../engine/locks/locked_commands.ts";
import { PROCESS_WORDS } from "../../engine/messages/shared_state.ts";
import {
  PROCESS_SNAPSHOT_BYTES,
  type SnapshotReport,
} from "../../engine/persistence/snapshot_protocol.ts";
import { SnapshotSource } from "../../engine/persistence/snapshot_source.ts";

/** Bytes that a peer takes at once. */
const TAKEN_BYTES = 1 << 14;

/** Of one warm-up. */
export class WarmUpReaders implements EntrySaver {
  readonly #holds: ValueHolds;
  readonly #source: SnapshotSource;
  readonly #taken = new ReplyWriter();
  readonly #process: Int32Array;
  /** What is to be done when no latch is held. */
  readonly #due: (() => void)[] = [];
  /** Whether values count as large: every other one does. */
  #isLarge = false;

  /** Reads what is in the keyspaces of a call. */
  constructor(
    { keyspaces, slotShards, hashSeed, counters, clock }: CallContext,
    latches: Latches,
  ) {
    const words = new SharedArrayBuffer(PROCESS_WORDS * 4);
    const process = this.#process = new Int32Array(words);
    const monotonicMs = () => performance.now();
    const soon = (run: () => void) => void this.#due.push(run);
    const manager = new LockManager({
      ...{ keyspaces, latches, counters, monotonicMs, soon },
      waits: new LockWaits({
        ...{ keyspaces, latches, process, monotonicMs, soon },
        worker: 0,
        startTimer: never,
        send: never,
      }),
      placing: { slotShards, hashSeed },
      commands: new LockedCommands({
        inspect: never,
        run: never,
        externals: keyspaces[0]!.externals,
      }),
      nowMs: Date.now,
      holdTimeoutMs: () => 0,
      holdWarningMs: () => 0,
      settle: () => {},
      rest: never,
      warn: never,
    });
    this.#holds = new ValueHolds({
      smallMax: () => {
        this.#isLarge = !this.#isLarge;
        return this.#isLarge ? 0 : Infinity;
      },
      smallBytesMax: () => Infinity,
      canCopy: () => false,
      lock: (spec) => manager.tryLockHeld(spec),
      isWaitedFor: never,
      copyValue: never,
      monotonicMs,
      later: () => {},
    });
    this.#source = new SnapshotSource({
      worker: 0,
      owned: keyspaces,
      ...{ keyspaces, latches, clock, process, monotonicMs },
      nextTicket: () => 1,
      changes: () => 0,
      hold: (space, db, ref) =>
        this.#holds.hold(space, db, ref, HOLD_FOR_SNAPSHOT),
      later: soon,
      report: (report) => this.#write(report),
    });
  }

  /** As {@linkcode CallContext.holdValue}. */
  holdForReply(space: Keyspace, db: number, ref: number): ValueHold | null {
    return this.#holds.hold(space, db, ref, HOLD_FOR_REPLY);
  }

  /** As {@linkcode EntrySaver.save}. */
  save(space: Keyspace, db: number, ref: number): void {
    this.#source.save(space, db, ref);
  }

  /** Takes a reply, to the end. */
  takeReply(reply: ReplyWriter): void {
    for (const { source } of reply.spans ?? []) {
      while (source?.write(this.#taken, TAKEN_BYTES) === false) {
        this.#taken.rewind(0);
      }
    }
    this.#taken.rewind(0);
    reply.rewind(0);
    this.#doDue();
  }

  /** Takes a snapshot, which goes nowhere. */
  takeSnapshot(): void {
    const source = this.#source;
    source.order({
      step: "begin",
      compresses: true,
      notes: CLOCK_NONE,
      share: 1,
    });
    source.order({ step: "cut", cutsLog: false });
    source.order({ step: "walk" });
    this.#doDue();
    source.order({ step: "uncut" });
    source.order({ step: "flush" });
    this.#doDue();
  }

  #write(report: SnapshotReport): void {
    if (report.step !== "piece") return;
    const { bytes } = report.piece;
    Atomics.sub(this.#process, PROCESS_SNAPSHOT_BYTES, bytes.length);
  }

  #doDue(): void {
    for (let run = this.#due.shift(); run; run = this.#due.shift()) run();
  }
}

/** Nobody else is there to be asked, told or waited for. */
function never(): never {
  assert(false, "a warm-up is alone");
}
