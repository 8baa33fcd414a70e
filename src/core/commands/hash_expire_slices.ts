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
import type { EffectDraft } from "../keyspace/effect_draft.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import {
  endHash,
  fieldsExpire,
  setFieldExpires,
} from "../keyspace/field_expires.ts";
import { HDEL, HEXPIRE, HPERSIST } from "../keyspace/key_events.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { Call, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import { meetsExpireConditions } from "./expire.ts";
import { GatheredReply } from "./gathered_reply.ts";
import { draftFor, type GivenRecord, recordInSlices } from "./given_record.ts";
import { FieldFinder } from "./hash_entry.ts";
import { argumentWeight, endOfSlice } from "./many_arguments.ts";
import { RECORDED } from "./recorded.ts";

/** Replies for one field. */
export const NO_FIELD = -2;
export const NO_EXPIRE = -1;
export const CONDITION_NOT_MET = 0;
export const DONE = 1;
export const DELETED = 2;

/** Does something with fields, and replies a code for each. */
abstract class FieldCodes implements SlicedChange {
  /** Fields that have changed. */
  protected changed = 0;
  readonly #finder: FieldFinder;
  readonly #gathered: GatheredReply;
  readonly #count: number;
  #isBegun = false;
  #at: number;

  /** The fields are the arguments from `from` on. */
  constructor(call: Call, from: number) {
    this.#finder = new FieldFinder(call);
    this.#gathered = new GatheredReply(call.reply.resp);
    this.#count = call.argc - from;
    this.#at = from;
  }

  /** Gets the hash ready. */
  protected begin(_space: Keyspace, _ref: number): void {}

  /** Changes the field in argument `i`, which was found; returns the code. */
  protected abstract change(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
  ): number;

  /** Writes down what is recorded of the fields before argument `end`. */
  protected abstract recordUpTo(args: Arguments, end: number): void;

  /** What was written down is what the command has done. */
  protected abstract endRecord(effects: EffectLog): void;

  /** What has happened to the key. */
  protected abstract get event(): number;

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    if (!this.#isBegun) this.begin(space, ref);
    this.#isBegun = true;
    const gathered = this.#gathered;
    const end = endOfSlice(args, this.#at, 1, argumentWeight(space, ref));
    for (; this.#at < end; this.#at++) {
      const i = this.#at;
      const isThere = this.#finder.find(space, ref, args, i);
      gathered.writer().integer(
        isThere ? this.change(space, ref, args, i) : NO_FIELD,
      );
    }
    this.recordUpTo(args, end);
    return end < args.count;
  }

  finish(
    space: Keyspace,
    db: number,
    key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    if (this.changed > 0) {
      this.endRecord(effects);
      space.hooks.changed(db, key, this.event, this.changed);
    }
    this.#end(space, db, key);
    return (reply) => {
      reply.array(this.#count);
      this.#gathered.reply(reply);
    };
  }

  drop(space: Keyspace, db: number, key: Key): void {
    if (this.changed > 0) {
      space.hooks.changed(db, key, this.event, this.changed);
    }
    this.#end(space, db, key);
  }

  #end(space: Keyspace, db: number, key: Key): void {
    const ref = space.peek(db, key);
    if (fieldsExpire(space, ref) || space.length(ref) === 0) {
      endHash(space, db, ref);
    }
  }
}

/** HPEXPIRE and its like: fields expire, or go if the time has come. */
export class FieldExpiry extends FieldCodes {
  readonly #db: number;
  readonly #expireAtMs: number;
  readonly #condition: number;
  readonly #isDeletion: boolean;
  readonly #counters: Float64Array;
  readonly #draft: EffectDraft | null;
  /** The argument that is written down next. */
  #recorded = 3;

  constructor(
    call: Call,
    from: number,
    expireAtMs: number,
    condition: number,
  ) {
    super(call, from);
    const { args, db, effects, nowMs } = call;
    this.#db = db;
    this.#expireAtMs = expireAtMs;
    this.#condition = condition;
    this.#isDeletion = expireAtMs <= nowMs;
    this.#counters = call.counters;
    this.#draft = effects.isOn ? draftFor(args) : null;
    if (this.#draft === null || this.#isDeletion) return;
    this.#draft.replace(db, RECORDED.HPEXPIREAT, args.count)
      .argument(args, 1).constant(latin1BytesOf(String(expireAtMs)));
  }

  protected override begin(space: Keyspace, ref: number): void {
    if (this.#isDeletion) return;
    setFieldExpires(space, this.#db, ref, true);
    space.values.hashes.makeExpiring(ref);
  }

  protected change(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
  ): number {
    const { hashes } = space.values;
    const expireAtMs = this.#expireAtMs;
    if (
      !meetsExpireConditions(this.#condition, hashes.expireAtMs, expireAtMs)
    ) return CONDITION_NOT_MET;
    if (!this.#isDeletion) {
      hashes.setFoundExpire(ref, expireAtMs);
      this.changed++;
      return DONE;
    }
    hashes.removeFound(ref);
    this.changed++;
    const counters = this.#counters;
    counters[EXPIRED_SUBKEYS] = counters[EXPIRED_SUBKEYS]! + 1;
    const draft = this.#draft;
    if (draft !== null) {
      draft.replace(this.#db, RECORDED.HDEL, 3)
        .argument(args, 1).argument(args, i);
    }
    return DELETED;
  }

  protected recordUpTo(args: Arguments, end: number): void {
    if (this.#draft === null || this.#isDeletion) return;
    for (; this.#recorded < end; this.#recorded++) {
      this.#draft.argument(args, this.#recorded);
    }
  }

  protected endRecord(effects: EffectLog): void {
    if (this.#draft !== null && effects.isOn) effects.replaceWith(this.#draft);
  }

  protected get event(): number {
    return this.#isDeletion ? HDEL : HEXPIRE;
  }
}

/** HPERSIST: fields no longer expire. */
export class FieldPersistence extends FieldCodes {
  readonly #record: GivenRecord | null;

  constructor(call: Call, from: number) {
    super(call, from);
    this.#record = recordInSlices(call);
  }

  protected change(space: Keyspace, ref: number): number {
    const { hashes } = space.values;
    if (hashes.expireAtMs === 0) return NO_EXPIRE;
    hashes.setFoundExpire(ref, 0);
    // However many fields, it is one change.
    this.changed = 1;
    return DONE;
  }

  protected recordUpTo(args: Arguments, end: number): void {
    this.#record?.addUpTo(args, end);
  }

  protected endRecord(effects: EffectLog): void {
    this.#record?.end(effects);
  }

  protected get event(): number {
    return HPERSIST;
  }
}
