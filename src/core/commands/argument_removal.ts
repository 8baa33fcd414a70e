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
import type { ComparedMembers } from "./compared_orders.ts";
import { type ChangeRecord, recordInSlices } from "./given_record.ts";
import { argumentWeight, endOfSlice } from "./many_arguments.ts";

/** Removes the elements that the arguments behind the key name. */
export abstract class ArgumentRemoval implements SlicedChange {
  readonly isLong = true;
  /** Null while the next member is to be compared. */
  place: null | undefined = undefined;
  readonly #record: ChangeRecord | null;
  /** Those that are compared before they are removed; null for none. */
  readonly #members: ComparedMembers | null;
  #at = 2;
  #removed = 0;

  constructor(call: Call, members: ComparedMembers | null = null) {
    this.#record = recordInSlices(call);
    this.#members = members;
  }

  hurry(): void {
    this.#members?.stop();
    this.place = undefined;
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
    if (this.place === null) {
      this.#members!.compare(this.#at, NaN);
      this.place = undefined;
      return true;
    }
    const end = endOfSlice(args, this.#at, 1, argumentWeight(space, ref));
    for (; this.#at < end; this.#at++) {
      // Nothing may be left to be removed, but perhaps to be recorded.
      if (space.length(ref) === 0) continue;
      if (this.#members?.wants(args, this.#at) === true) {
        this.place = null;
        break;
      }
      if (this.remove(space, ref, args, this.#at)) this.#removed++;
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

  constructor(
    call: Call,
    event: number,
    remove: RemoveMember,
    members: ComparedMembers | null = null,
  ) {
    super(call, members);
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
