/**
 * Changes of hashes in slices: many fields set or deleted.
 *
 * Whether a field has expired is asked of the time at which the command began.
 *
 * @module
 */

import { endHash, fieldsExpire } from "../keyspace/field_expires.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import { HDEL, HSET } from "../keyspace/key_events.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import { TYPE_HASH } from "../types/entry.ts";
import { PACKED_BYTES_MAX } from "../types/packed_limits.ts";
import { ArgumentAddition } from "./argument_addition.ts";
import { ArgumentRemoval } from "./argument_removal.ts";
import type { Call } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import { FieldFinder, setPair } from "./hash_entry.ts";
import type { StagedNodes } from "./staged_nodes.ts";
import { bytesFrom } from "./many_arguments.ts";

/** HSET and HMSET: the arguments behind the key, fields each with a value. */
export class FieldSetting extends ArgumentAddition {
  /** When the fields expire, as {@linkcode HashValue.set} has it. */
  protected readonly expires: number = 0;
  protected readonly finder: FieldFinder;
  readonly #repliesCount: boolean;
  readonly #staged: StagedNodes | null;
  #added = 0;

  /** Replies how many fields are new, or OK. */
  constructor(call: Call, repliesCount: boolean, from = 2, isReworded = false) {
    super(call, { type: TYPE_HASH, event: HSET, from, width: 2, isReworded });
    this.#repliesCount = repliesCount;
    this.#staged = call.staged;
    call.staged = null;
    this.finder = new FieldFinder(call);
  }

  protected prepare(space: Keyspace, ref: number, args: Arguments): void {
    const { from } = this.kind;
    const bytes = bytesFrom(args, from, PACKED_BYTES_MAX);
    space.values.hashes.prepare(ref, args.count - from >> 1, bytes);
  }

  protected add(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
  ): void {
    if (fieldsExpire(space, ref)) this.finder.find(space, ref, args, i);
    const { hashes } = space.values;
    const isNew = setPair(hashes, ref, args, i, this.#staged, this.expires);
    if (isNew) this.#added++;
    this.changes++;
  }

  protected override end(space: Keyspace, db: number, ref: number): void {
    if (fieldsExpire(space, ref)) endHash(space, db, ref);
  }

  override finish(
    space: Keyspace,
    db: number,
    key: Key,
    args: Arguments,
    effects: EffectLog,
  ): LateReply {
    this.#staged?.drop();
    return super.finish(space, db, key, args, effects);
  }

  override drop(space: Keyspace, db: number, key: Key): void {
    this.#staged?.drop();
    super.drop(space, db, key);
    const ref = space.peek(db, key);
    if (ref !== 0) endHash(space, db, ref);
  }

  protected reply(): LateReply {
    const added = this.#added;
    return this.#repliesCount
      ? (reply) => reply.integer(added)
      : (reply) => reply.ok();
  }
}

/** HDEL: the fields that the arguments behind the key name. */
export class FieldRemoval extends ArgumentRemoval {
  readonly #finder: FieldFinder;

  constructor(call: Call) {
    super(call);
    this.#finder = new FieldFinder(call);
  }

  protected remove(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
  ): boolean {
    if (!this.#finder.find(space, ref, args, i)) return false;
    space.values.hashes.removeFound(ref);
    return true;
  }

  protected end(
    space: Keyspace,
    db: number,
    key: Key,
    removed: number,
  ): void {
    if (removed > 0) space.hooks.changed(db, key, HDEL, removed);
    endHash(space, db, space.peek(db, key));
  }
}
