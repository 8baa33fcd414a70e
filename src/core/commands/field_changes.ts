/**
 * Something done in slices with many fields of a hash, of which each is replied
 * about.
 *
 * @module
 */

import type { EffectLog } from "../keyspace/effect_log.ts";
import { endHash, fieldsExpire } from "../keyspace/field_expires.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import { GatheredReply } from "./gathered_reply.ts";
import type { ChangeRecord } from "./given_record.ts";
import { FieldFinder } from "./hash_entry.ts";
import { argumentWeight, endOfSlice } from "./many_arguments.ts";

/** Bytes of replies after which a slice ends. */
const SLICE_BYTES = 1 << 18;

/** Changes fields, and replies an array of something about each. */
export abstract class FieldChanges implements SlicedChange {
  readonly isLong = true;
  /** Fields that have changed. */
  protected changed = 0;
  readonly #record: ChangeRecord | null;
  readonly #finder: FieldFinder;
  readonly #gathered: GatheredReply;
  readonly #count: number;
  #isBegun = false;
  #at: number;

  /** The fields are the arguments from `from` on. */
  constructor(call: Call, from: number, record: ChangeRecord | null) {
    this.#record = record;
    this.#finder = new FieldFinder(call);
    this.#gathered = new GatheredReply(call.reply);
    this.#count = call.argc - from;
    this.#at = from;
  }

  /** Gets the hash ready. */
  protected begin(_space: Keyspace, _ref: number): void {}

  /**
   * Changes the field in argument `i`, which was found if it `isThere`, and
   * replies.
   */
  protected abstract change(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
    isThere: boolean,
    reply: ReplyWriter,
  ): void;

  /** What has happened to the key. */
  protected abstract get event(): number;

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    if (!this.#isBegun) this.begin(space, ref);
    this.#isBegun = true;
    const gathered = this.#gathered;
    const most = gathered.cost + SLICE_BYTES;
    const end = endOfSlice(args, this.#at, 1, argumentWeight(space, ref));
    for (; this.#at < end && gathered.cost < most; this.#at++) {
      const i = this.#at;
      const isThere = this.#finder.find(space, ref, args, i);
      this.change(space, ref, args, i, isThere, gathered.writer());
    }
    this.#record?.addUpTo(args, this.#at);
    return this.#at < args.count;
  }

  finish(
    space: Keyspace,
    db: number,
    key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    if (this.changed > 0) {
      this.#record?.end(effects);
      space.hooks.changed(db, key, this.event, this.changed);
    }
    this.#end(space, db, key);
    return (reply) => {
      reply.array(this.#count);
      this.#gathered.reply(reply);
    };
  }

  drop(space: Keyspace, db: number, key: Key): void {
    this.#record?.drop?.();
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
