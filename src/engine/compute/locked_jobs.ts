/**
 * Commands of very many keys that are run in the background: their keys are
 * locked already, slice by slice (many_keys.ts), so their values stay as they are
 * without being kept, and what was written takes its place as soon as it is there.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import { DOUBLE_ZERO } from "../../core/base/steady_code.ts";
import type { Call, ShardLatches } from "../../core/commands/call.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import { GivenRecord } from "../../core/commands/given_record.ts";
import type { KeyVisit } from "../../core/commands/many_keys.ts";
import type { EffectLog } from "../../core/keyspace/effect_log.ts";
import { fieldsExpire } from "../../core/keyspace/field_expires.ts";
import { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { keepOldOf } from "../../core/keyspace/snapshot_marks.ts";
import { SEGMENT_SHIFT } from "../../core/memory/arena.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import { ErrorReply, OUT_OF_MEMORY } from "../../core/resp/error_reply.ts";
import { STRING_EXTERNAL, TYPE_STRING } from "../../core/types/entry.ts";
import type { ManyKeyOrder } from "../locks/many_key_order.ts";
import { type ComputeResult, copyArguments, NO_VALUE } from "./compute_job.ts";
import type { ComputePool } from "./compute_pool.ts";
import {
  applyWritten,
  changesAnything,
  countResult,
  dropWritten,
  type JobKeys,
  lateReplyOf,
  takeMemory,
} from "./job_results.ts";
import { KeyPacker } from "./packed_keys.ts";

/** Arguments that are written down in a step. */
const RECORDED_PER_STEP = 256;
/** Events that are told under one latch. */
const EVENTS_PER_STEP = 256;

/** What these jobs need from the worker around them. */
export interface LockedJobPorts<C extends Call> {
  readonly call: C;
  readonly latches: ShardLatches;
  readonly effects: EffectLog;
  nowMs(): number;
  /** As {@linkcode ComputePool.runLocked}. */
  runJob: ComputePool<C>["runLocked"];
}

/** For whom a job is run. */
export interface LockedJobSource {
  /** The command's number in the table. */
  readonly command: number;
  readonly db: number;
  readonly resp: 2 | 3;
  readonly args: Arguments;
  readonly order: ManyKeyOrder;
  /** By number of a key: whether it may be written. */
  readonly writes: Uint8Array;
}

/** How a job has ended: it has to be run in place then, if it is not "done". */
export type LockedJobEnd = "done" | "in place";

/** One job. */
export class LockedJob<C extends Call> implements JobKeys {
  readonly #ports: LockedJobPorts<C>;
  readonly #source: LockedJobSource;
  readonly #packer: KeyPacker;
  /** By number of a key in the job: its number in the command. */
  readonly #numbers: Int32Array;
  readonly #key = new Key();
  #nowMs = DOUBLE_ZERO;
  #isRecorded = false;
  #result: ComputeResult | null = null;
  #hasRoom = true;

  /** Nothing has been done yet. */
  constructor(ports: LockedJobPorts<C>, source: LockedJobSource) {
    this.#ports = ports;
    this.#source = source;
    this.#packer = new KeyPacker(source.order.distinct);
    this.#numbers = new Int32Array(source.order.distinct);
  }

  /** Notes the value of a key; each comes once. */
  readonly note = ({ space, db, key, i, nowMs }: KeyVisit): void => {
    const { order, writes } = this.#source;
    this.#nowMs = nowMs;
    this.#numbers[this.#packer.count] = i;
    const ref = space.lookupQuiet(db, key, nowMs);
    const isThere = ref !== 0;
    const kind = isThere ? space.kind(ref) : NO_VALUE;
    const isShort = isThere && space.type(ref) === TYPE_STRING &&
      space.encoding(ref) !== STRING_EXTERNAL;
    this.#packer.add(
      {
        at: order.positionOf(i),
        isWritten: writes[i] === 1,
        kind,
        root: isThere && !isShort ? space.valueRef(ref) : 0,
        expireAtMs: isThere ? space.expireAt(ref) : 0,
        hasFieldExpires: isThere && fieldsExpire(space, ref),
        clock: isThere ? space.clockOf(ref) : 0,
      },
      {
        segment: isShort ? ref >>> SEGMENT_SHIFT : -1,
        off: isShort ? space.strings.off(ref) : 0,
        length: isShort ? space.strings.length(ref) : 0,
      },
    );
  };

  /** Sends it; false if that is not possible now. `wake` is called at its end. */
  send(wake: () => void): boolean {
    const { runJob, effects } = this.#ports;
    const { args, command, db, resp } = this.#source;
    this.#isRecorded = effects.isOn;
    return runJob({
      ...copyArguments(args),
      ...{ command, db, resp, nowMs: this.#nowMs },
      packed: this.#packer.end(),
      shard: this.#target().shard,
      isRecorded: this.#isRecorded,
    }, (result) => {
      this.#result = result;
      wake();
    });
  }

  /** Whether the result is there. */
  get hasEnded(): boolean {
    return this.#result !== null;
  }

  /** Whether the result changes anything. */
  get isChange(): boolean {
    return changesAnything(this.#result!);
  }

  /**
   * Puts the result in its place, which must be allowed now; no latch is held
   * where it yields.
   */
  *apply(): Generator<void, LockedJobEnd> {
    const { effects, latches, call } = this.#ports;
    const { args, db } = this.#source;
    const result = this.#result!;
    const { changes, recorded, written } = result;
    let record: GivenRecord | null = null;
    if (this.#isRecorded && changes > 0 && recorded === null) {
      record = new GivenRecord(db, args, [], 0);
      for (let at = 0; at < args.count;) {
        at = Math.min(args.count, at + RECORDED_PER_STEP);
        record.addUpTo(args, at);
        yield;
      }
    }
    const own = new Set(written.map(({ key }) => key));
    yield* this.#tellOthers(result, own);
    const target = this.#target();
    latches.acquire(target.shard);
    takeMemory(this, target, result);
    const isGood = this.#isRecorded || !effects.isOn || !this.isChange;
    if (isGood) {
      const isOn = effects.isOn && (this.#isRecorded || this.isChange);
      if (isOn) effects.begin();
      this.#hasRoom = this.#apply(result, own);
      const isChange = this.#hasRoom && changes > 0;
      if (isOn) {
        if (isChange && recorded !== null) {
          effects.replaceWithCollected(recorded);
        } else if (isChange) record?.end(effects);
        effects.endCommand(db, args, isChange);
      }
    }
    if (!isGood || !this.#hasRoom) dropWritten(this, result);
    latches.release(target.shard);
    if (!isGood) return "in place";
    if (this.#hasRoom) countResult(call.counters, result);
    return "done";
  }

  /** How long it was worked at, in milliseconds. */
  get tookMs(): number {
    return this.#result!.microseconds / 1000;
  }

  /** The error that is replied, or null. */
  get error(): ErrorReply | null {
    if (!this.#hasRoom) return OUT_OF_MEMORY;
    const { error } = this.#result!;
    return error === "" ? null : new ErrorReply(error);
  }

  /** The reply. */
  reply(): LateReply {
    if (!this.#hasRoom) return (reply) => reply.error(OUT_OF_MEMORY);
    return lateReplyOf(this.#result!);
  }

  /** As {@linkcode JobKeys.key}. */
  key(i: number): Key {
    const { order, args } = this.#source;
    order.read(this.#numbers[i]!, args, this.#key);
    return this.#key;
  }

  /** As {@linkcode JobKeys.space}. */
  space(i: number): Keyspace {
    const { order } = this.#source;
    return this.#ports.call.keyspaces[order.shardOf(this.#numbers[i]!)]!;
  }

  /** As {@linkcode JobKeys.db}. */
  db(): number {
    return this.#source.db;
  }

  /** The keyspace of the key that may be written, or of any. */
  #target(): Keyspace {
    const { order, writes } = this.#source;
    const number = Math.max(0, writes.indexOf(1));
    return this.#ports.call.keyspaces[order.shardOf(number)]!;
  }

  /** Tells what has happened to keys that were not written. */
  *#tellOthers(
    { events }: ComputeResult,
    own: ReadonlySet<number>,
  ): Generator<void> {
    const { latches } = this.#ports;
    for (let at = 0; at < events.length;) {
      const end = Math.min(events.length, at + 2 * EVENTS_PER_STEP);
      for (; at < end; at += 2) {
        const i = events[at]!;
        if (own.has(i)) continue;
        const space = this.space(i);
        latches.acquire(space.shard);
        space.hooks.signal(this.db(), this.key(i), events[at + 1]!);
        latches.release(space.shard);
      }
      yield;
    }
  }

  #apply(
    { written, events }: ComputeResult,
    own: ReadonlySet<number>,
  ): boolean {
    const ownEvents: number[] = [];
    for (let at = 0; at < events.length && own.size > 0; at += 2) {
      if (own.has(events[at]!)) ownEvents.push(events[at]!, events[at + 1]!);
    }
    for (const i of own) {
      assert(this.space(i) === this.#target(), "a job writes in one shard");
      keepOldOf(this.space(i), this.key(i));
    }
    const changed = { written, events: ownEvents };
    return applyWritten(this, changed, this.#ports.nowMs());
  }
}
