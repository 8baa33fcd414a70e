/**
 * Elements that many arguments name, removed from the value of a key in slices.
 *
 * @module
 */

import type { EffectLog } from "../keyspace/effect_log.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { Call, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import { type ChangeRecord, recordInSlices } from "./given_record.ts";
import { argumentWeight, endOfSlice } from "./many_arguments.ts";

/** Removes the elements that the arguments behind the key name. */
export abstract class ArgumentRemoval implements SlicedChange {
  readonly #record: ChangeRecord | null;
  #at = 2;
  #removed = 0;

  constructor(call: Call) {
    this.#record = recordInSlices(call);
  }

  /** Removes what argument `i` names; says whether it was there. */
  protected abstract remove(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
  ): boolean;

  /** So many were removed: tells of it, and of a key that is empty now. */
  protected abstract end(
    space: Keyspace,
    db: number,
    key: Key,
    removed: number,
  ): void;

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    const end = endOfSlice(args, this.#at, 1, argumentWeight(space, ref));
    this.#record?.addUpTo(args, end);
    for (; this.#at < end && space.length(ref) > 0; this.#at++) {
      if (this.remove(space, ref, args, this.#at)) this.#removed++;
    }
    // Nothing is left to be removed, but perhaps to be recorded.
    this.#at = end;
    return end < args.count;
  }

  finish(
    space: Keyspace,
    db: number,
    key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const removed = this.#removed;
    if (removed > 0) this.#record?.end(effects);
    this.end(space, db, key, removed);
    return (reply) => reply.integer(removed);
  }
}

/** Removes what bytes name; says whether it was there. */
export type RemoveMember = (
  space: Keyspace,
  ref: number,
  buf: Uint8Array,
  off: number,
  length: number,
) => boolean;

/** SREM and ZREM: members of a set, or of a sorted one. */
export class MemberRemoval extends ArgumentRemoval {
  readonly #event: number;
  readonly #remove: RemoveMember;

  constructor(call: Call, event: number, remove: RemoveMember) {
    super(call);
    this.#event = event;
    this.#remove = remove;
  }

  protected remove(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
  ): boolean {
    const off = args.off[i]!;
    return this.#remove(space, ref, args.source(i), off, args.length[i]!);
  }

  protected end(
    space: Keyspace,
    db: number,
    key: Key,
    removed: number,
  ): void {
    if (removed === 0) return;
    const isGone = space.deleteIfEmpty(db, space.peek(db, key));
    space.hooks.changedOrGone(db, key, this.#event, isGone, removed);
  }
}
