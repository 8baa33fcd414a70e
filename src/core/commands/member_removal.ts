/**
 * Members of a set, or a sorted set, that many arguments name, removed in slices.
 *
 * @module
 */

import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";

/** Members removed in one slice. */
const SLICE_MEMBERS = 500;
/** Of more arguments, members are removed in slices. */
export const SLICED_ARGUMENTS_MIN = 4 * SLICE_MEMBERS;

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
  #at = 2;
  #removed = 0;

  constructor(event: number, remove: RemoveMember) {
    this.#event = event;
    this.#remove = remove;
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    const end = Math.min(this.#at + SLICE_MEMBERS, args.count);
    for (; this.#at < end && space.length(ref) > 0; this.#at++) {
      const i = this.#at;
      const off = args.off[i]!;
      if (this.#remove(space, ref, args.source(i), off, args.length[i]!)) {
        this.#removed++;
      }
    }
    return end < args.count && space.length(ref) > 0;
  }

  finish(space: Keyspace, db: number, key: Key): LateReply {
    const removed = this.#removed;
    if (removed > 0) {
      const isGone = space.deleteIfEmpty(db, space.peek(db, key));
      space.hooks.changedOrGone(db, key, this.#event, isGone, removed);
    }
    return (reply) => reply.integer(removed);
  }
}
