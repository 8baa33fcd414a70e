/**
 * Members of a set, or a sorted set, that many arguments name, removed in slices.
 *
 * @module
 */

import type { EffectLog } from "../keyspace/effect_log.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { Call, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import { type GivenRecord, recordInSlices } from "./given_record.ts";
import { endOfSlice } from "./many_arguments.ts";

/** Removes what an argument names; says whether it was there. */
export type RemoveMember = (
  space: Keyspace,
  ref: number,
  buf: Uint8Array,
  off: number,
  length: number,
) => boolean;

/** Removes the members that the arguments behind the key name. */
export class MemberRemoval implements SlicedChange {
  readonly #event: number;
  readonly #remove: RemoveMember;
  readonly #record: GivenRecord | null;
  #at = 2;
  #removed = 0;

  constructor(call: Call, event: number, remove: RemoveMember) {
    this.#event = event;
    this.#remove = remove;
    this.#record = recordInSlices(call);
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    const end = endOfSlice(args, this.#at, 1, 1);
    this.#record?.addUpTo(args, end);
    for (; this.#at < end && space.length(ref) > 0; this.#at++) {
      const i = this.#at;
      const off = args.off[i]!;
      if (this.#remove(space, ref, args.source(i), off, args.length[i]!)) {
        this.#removed++;
      }
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
    if (removed > 0) {
      this.#record?.end(effects);
      const isGone = space.deleteIfEmpty(db, space.peek(db, key));
      space.hooks.changedOrGone(db, key, this.#event, isGone, removed);
    }
    return (reply) => reply.integer(removed);
  }
}
