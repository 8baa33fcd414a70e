/**
 * Changes in slices of when fields of hashes expire: HPEXPIRE and its like, and
 * HPERSIST, of many fields.
 *
 * Each replies an array of one code for each field that is named.
 *
 * @module
 */

import { latin1BytesOf } from "../base/bytes.ts";
import { EXPIRED_SUBKEYS } from "../keyspace/counters.ts";
import { EffectDraft } from "../keyspace/effect_draft.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import { setFieldExpires } from "../keyspace/field_expires.ts";
import { HDEL, HEXPIRE, HPERSIST } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";
import { meetsExpireConditions } from "./expire.ts";
import { FieldChanges } from "./field_changes.ts";
import {
  type ChangeRecord,
  recordInSlices,
  recordReworded,
} from "./given_record.ts";
import { RECORDED } from "./recorded.ts";

/** Replies for one field. */
export const NO_FIELD = -2;
export const NO_EXPIRE = -1;
export const CONDITION_NOT_MET = 0;
export const DONE = 1;
export const DELETED = 2;

/** Records that fields, each of which is noted, are deleted. */
class DeletionRecord implements ChangeRecord {
  readonly #db: number;
  readonly #draft = new EffectDraft();

  constructor({ db }: Call) {
    this.#db = db;
  }

  /** The field in argument `i` is deleted. */
  note({ heap }: Keyspace, args: Arguments, i: number): void {
    this.#draft.replace(this.#db, RECORDED.HDEL, 3)
      .argument(args, 1).lastingArgument(heap, args, i);
  }

  addUpTo(): void {}

  drop(): void {
    this.#draft.drop();
  }

  end(effects: EffectLog): void {
    this.#draft.recordIn(effects);
  }
}

/** A time at which fields are to expire; if it has come, they are deleted. */
export class FieldTime {
  /** What is recorded of it. */
  readonly record: ChangeRecord | null;
  /** Whether fields are deleted. */
  readonly isDeletion: boolean;
  /** In milliseconds of the epoch. */
  readonly expireAtMs: number;
  readonly #db: number;
  readonly #counters: Float64Array;
  readonly #deletions: DeletionRecord | null = null;

  /** The arguments from `from` on say of which fields it is recorded. */
  constructor(call: Call, expireAtMs: number, from: number) {
    this.#db = call.db;
    this.#counters = call.counters;
    this.expireAtMs = expireAtMs;
    this.isDeletion = expireAtMs <= call.nowMs;
    if (!this.isDeletion) {
      const text = latin1BytesOf(String(expireAtMs));
      this.record = recordReworded(call, RECORDED.HPEXPIREAT, [text], from);
    } else {
      if (call.effects.isOn) this.#deletions = new DeletionRecord(call);
      this.record = this.#deletions;
    }
  }

  /** What happens to the key. */
  get event(): number {
    return this.isDeletion ? HDEL : HEXPIRE;
  }

  /** Gets a hash ready for it. */
  begin(space: Keyspace, ref: number): void {
    if (this.isDeletion) return;
    setFieldExpires(space, this.#db, ref, true);
    space.values.hashes.makeExpiring(ref);
  }

  /** Gives it to the field that was found last, which is argument `i`. */
  give(space: Keyspace, ref: number, args: Arguments, i: number): void {
    const { hashes } = space.values;
    if (!this.isDeletion) return hashes.setFoundExpire(ref, this.expireAtMs);
    hashes.removeFound(ref);
    const counters = this.#counters;
    counters[EXPIRED_SUBKEYS] = counters[EXPIRED_SUBKEYS]! + 1;
    this.#deletions?.note(space, args, i);
  }
}

/** HPEXPIRE and its like. */
export class FieldExpiry extends FieldChanges {
  readonly #time: FieldTime;
  readonly #condition: number;

  /** The fields are the arguments from `from` on. */
  constructor(call: Call, from: number, time: FieldTime, condition: number) {
    super(call, from, time.record);
    this.#time = time;
    this.#condition = condition;
  }

  protected override begin(space: Keyspace, ref: number): void {
    this.#time.begin(space, ref);
  }

  protected change(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
    isThere: boolean,
    reply: ReplyWriter,
  ): void {
    if (!isThere) return reply.integer(NO_FIELD);
    const { hashes } = space.values;
    const time = this.#time;
    const { expireAtMs } = time;
    if (
      !meetsExpireConditions(this.#condition, hashes.expireAtMs, expireAtMs)
    ) return reply.integer(CONDITION_NOT_MET);
    time.give(space, ref, args, i);
    this.changed++;
    reply.integer(time.isDeletion ? DELETED : DONE);
  }

  protected get event(): number {
    return this.#time.event;
  }
}

/** HPERSIST: fields no longer expire. */
export class FieldPersistence extends FieldChanges {
  /** The fields are the arguments from `from` on. */
  constructor(call: Call, from: number) {
    super(call, from, recordInSlices(call));
  }

  protected change(
    space: Keyspace,
    ref: number,
    _args: Arguments,
    _i: number,
    isThere: boolean,
    reply: ReplyWriter,
  ): void {
    if (!isThere) return reply.integer(NO_FIELD);
    const { hashes } = space.values;
    if (hashes.expireAtMs === 0) return reply.integer(NO_EXPIRE);
    hashes.setFoundExpire(ref, 0);
    // However many fields, it is one change.
    this.changed = 1;
    reply.integer(DONE);
  }

  protected get event(): number {
    return HPERSIST;
  }
}
