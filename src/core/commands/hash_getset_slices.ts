/**
 * HGETDEL, HGETEX and HSETEX of many fields, in slices.
 *
 * @module
 */

import { latin1BytesOf } from "../base/bytes.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import { endHash, setFieldExpires } from "../keyspace/field_expires.ts";
import { HDEL, HEXPIRE, HPERSIST } from "../keyspace/key_events.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { KEEP_EXPIRE } from "../types/hash_value.ts";
import type { Call, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import { FieldChanges } from "./field_changes.ts";
import { type ChangeRecord, recordReworded } from "./given_record.ts";
import { FieldFinder } from "./hash_entry.ts";
import { FieldTime } from "./hash_expire_slices.ts";
import { replyFoundValue } from "./hash_replies.ts";
import { FieldSetting } from "./hash_slices.ts";
import { argumentWeight, endOfSlice } from "./many_arguments.ts";
import { RECORDED } from "./recorded.ts";

/** Changes fields that were found, and replies their values, or nulls. */
abstract class FieldValues extends FieldChanges {
  /** Changes the field that was found last, which is argument `i`. */
  protected abstract changeFound(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
  ): void;

  protected change(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
    isThere: boolean,
    reply: ReplyWriter,
  ): void {
    if (!isThere) return reply.nullBulk();
    replyFoundValue(space, ref, reply);
    this.changeFound(space, ref, args, i);
  }
}

/** HGETDEL: fields are deleted. */
export class FieldTaking extends FieldValues {
  /** The fields are the arguments from `from` on. */
  constructor(call: Call, from: number) {
    super(call, from, recordReworded(call, RECORDED.HDEL, [], from));
  }

  protected changeFound(space: Keyspace, ref: number): void {
    space.values.hashes.removeFound(ref);
    this.changed++;
  }

  protected get event(): number {
    return HDEL;
  }
}

/** HGETEX with a time: fields expire then. */
export class ExpiringValues extends FieldValues {
  readonly #time: FieldTime;

  /** The fields are the arguments from `from` on. */
  constructor(call: Call, from: number, time: FieldTime) {
    super(call, from, time.record);
    this.#time = time;
  }

  protected override begin(space: Keyspace, ref: number): void {
    this.#time.begin(space, ref);
  }

  protected changeFound(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
  ): void {
    this.#time.give(space, ref, args, i);
    this.changed++;
  }

  protected get event(): number {
    return this.#time.event;
  }
}

/** HGETEX with PERSIST: fields no longer expire. */
export class PersistingValues extends FieldValues {
  /** The fields are the arguments from `from` on. */
  constructor(call: Call, from: number) {
    super(call, from, recordReworded(call, RECORDED.HPERSIST, [], from - 2));
  }

  protected changeFound(space: Keyspace, ref: number): void {
    const { hashes } = space.values;
    if (hashes.expireAtMs === 0) return;
    hashes.setFoundExpire(ref, 0);
    this.changed++;
  }

  protected get event(): number {
    return HPERSIST;
  }
}

/** What HSETEX is told. */
export interface SettingOptions {
  /** Whether no field may be there. */
  readonly isFnx: boolean;
  /** Whether all must. */
  readonly isFxx: boolean;
  readonly keepsExpires: boolean;
  readonly hasTime: boolean;
  readonly expireAtMs: number;
  /** The argument that is the first field. */
  readonly fieldsAt: number;
  /** Fields, each with a value. */
  readonly count: number;
}

/** Whether a hash has all fields, or none, as a condition asks. */
class FieldCondition {
  /** False if one is there that must not be, or is not that must. */
  isMet = true;
  readonly #finder: FieldFinder;
  readonly #mustBeThere: boolean;
  #at: number;

  /** What is asked, if anything is, of a hash that is there. */
  constructor(call: Call, { isFnx, isFxx, fieldsAt }: SettingOptions) {
    this.#finder = new FieldFinder(call);
    this.#mustBeThere = isFxx;
    this.#at = isFnx || isFxx ? fieldsAt : call.argc;
  }

  /** Looks at the next fields; says whether it has, and all is not over. */
  look(space: Keyspace, ref: number, args: Arguments): boolean {
    if (this.#at >= args.count || !this.isMet) return false;
    const end = endOfSlice(args, this.#at, 2, argumentWeight(space, ref));
    for (; this.#at < end && this.isMet; this.#at += 2) {
      this.isMet =
        this.#finder.find(space, ref, args, this.#at) === this.#mustBeThere;
    }
    return this.isMet;
  }
}

const replyNotMet: LateReply = (reply) => reply.integer(0);
const replySet: LateReply = (reply) => reply.integer(1);

/** HSETEX. */
export class ConditionalSetting extends FieldSetting {
  protected override readonly expires: number;
  readonly #condition: FieldCondition | null;
  readonly #record: ChangeRecord | null = null;
  readonly #hasTime: boolean;
  readonly #db: number;

  /** The hash is there, or not. */
  constructor(call: Call, options: SettingOptions, isThere: boolean) {
    const { hasTime, keepsExpires, expireAtMs, fieldsAt } = options;
    super(call, false, fieldsAt, hasTime);
    this.expires = hasTime ? expireAtMs : keepsExpires ? KEEP_EXPIRE : 0;
    this.#condition = isThere ? new FieldCondition(call, options) : null;
    this.#hasTime = hasTime;
    this.#db = call.db;
    if (!hasTime) return;
    const time = [RECORDED.PXAT, latin1BytesOf(String(expireAtMs))];
    this.#record = recordReworded(call, RECORDED.HSETEX, time, fieldsAt - 2);
  }

  override step(space: Keyspace, found: number, args: Arguments): boolean {
    const condition = this.#condition;
    if (condition !== null) {
      if (condition.look(space, found, args)) return true;
      if (!condition.isMet) return false;
    }
    return super.step(space, found, args);
  }

  protected override prepare(
    space: Keyspace,
    ref: number,
    args: Arguments,
  ): void {
    // A hash that no key has yet must not be among those whose fields expire.
    if (this.#hasTime && this.#condition !== null) {
      setFieldExpires(space, this.#db, ref, true);
    }
    if (this.#hasTime) space.values.hashes.makeExpiring(ref);
    super.prepare(space, ref, args);
  }

  protected override end(space: Keyspace, db: number, ref: number): void {
    if (!this.#hasTime || this.#condition !== null) {
      return super.end(space, db, ref);
    }
    try {
      setFieldExpires(space, db, ref, true);
    } catch (cause) {
      // Nobody would remove its fields.
      space.delete(db, ref);
      this.changes = 0;
      throw cause;
    }
  }

  protected override recordUpTo(args: Arguments, end: number): void {
    if (!this.#hasTime) return super.recordUpTo(args, end);
    this.#record?.addUpTo(args, end);
  }

  protected override endRecord(effects: EffectLog): void {
    if (!this.#hasTime) return super.endRecord(effects);
    this.#record?.end(effects);
  }

  override finish(
    space: Keyspace,
    db: number,
    key: Key,
    args: Arguments,
    effects: EffectLog,
  ): LateReply {
    if (this.#condition?.isMet === false) {
      endHash(space, db, space.peek(db, key));
      return replyNotMet;
    }
    const late = super.finish(space, db, key, args, effects);
    if (this.#hasTime) space.hooks.signal(db, key, HEXPIRE);
    return late;
  }

  protected override reply(): LateReply {
    return replySet;
  }
}

/** HSETEX with a time that has come: fields are deleted. */
export class ConditionalRemoval implements SlicedChange {
  readonly #condition: FieldCondition;
  readonly #time: FieldTime;
  readonly #finder: FieldFinder;
  readonly #count: number;
  #at: number;
  #isChanged = false;

  /** Of a hash that is there. */
  constructor(call: Call, options: SettingOptions) {
    const { expireAtMs, fieldsAt, count } = options;
    this.#condition = new FieldCondition(call, options);
    this.#time = new FieldTime(call, expireAtMs, fieldsAt);
    this.#finder = new FieldFinder(call);
    this.#count = count;
    this.#at = fieldsAt;
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    const condition = this.#condition;
    if (condition.look(space, ref, args)) return true;
    if (!condition.isMet) return false;
    const end = endOfSlice(args, this.#at, 2, argumentWeight(space, ref));
    for (; this.#at < end; this.#at += 2) {
      if (!this.#finder.find(space, ref, args, this.#at)) continue;
      this.#time.give(space, ref, args, this.#at);
      this.#isChanged = true;
    }
    return end < args.count;
  }

  finish(
    space: Keyspace,
    db: number,
    key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const { isMet } = this.#condition;
    if (isMet) {
      space.hooks.noteChange(this.#count);
      effects.silence();
      if (this.#isChanged) {
        this.#time.record?.end(effects);
        space.hooks.signal(db, key, HDEL);
      }
    }
    endHash(space, db, space.peek(db, key));
    return isMet ? replySet : replyNotMet;
  }
}
