/**
 * Changes of sets in slices: SADD and SPOP of many members. What is popped is kept
 * as bytes of the reply, and of the record, until all is done.
 *
 * @module
 */

import { SADD, SPOP } from "../keyspace/key_events.ts";
import { EffectDraft } from "../keyspace/effect_draft.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { OutOfMemory } from "../memory/heap.ts";
import type { Arguments } from "../resp/arguments.ts";
import { TYPE_SET } from "../types/entry.ts";
import type { SetMember } from "../types/set_member.ts";
import { SET_LISTPACK } from "../types/set_value.ts";
import { ArgumentAddition } from "./argument_addition.ts";
import type { Call, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import { GatheredReply } from "./gathered_reply.ts";
import { RECORDED } from "./recorded.ts";
import type { StagedNodes } from "./staged_nodes.ts";

/** Members popped in one slice. */
const SLICE_MEMBERS = 250;
/** Bytes of members after which a slice ends. */
export const SLICE_BYTES: number = 1 << 17;
/** More members than this are popped in slices. */
const SLICED_MEMBERS_MIN = 2 * SLICE_MEMBERS;
/** Sets of no more members are made anew as fast as a slice is done. */
const REMADE_MEMBERS_MAX = 2000;
/** Bytes of a set whose members are rather left where they are. */
const HEAVY_BYTES_MIN = 1 << 20;
/** Most members that one recorded command removes, as in Redis 7.2. */
const RECORDED_MEMBERS_MAX = 1024;

/** SADD: members that the arguments behind the key name. */
export class MemberAddition extends ArgumentAddition {
  readonly #staged: StagedNodes | null;

  constructor(call: Call) {
    super(call, { type: TYPE_SET, event: SADD, from: 2, width: 1 });
    this.#staged = call.staged;
  }

  protected prepare(space: Keyspace, ref: number, args: Arguments): void {
    const off = args.off[2]!;
    const length = args.length[2]!;
    const count = args.count - 2;
    space.values.sets.expect(ref, args.source(2), off, length, count);
  }

  protected add(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
  ): void {
    if (addMember(space, ref, args, i, this.#staged)) this.changes++;
  }

  protected reply(): LateReply {
    const added = this.changes;
    return (reply) => reply.integer(added);
  }
}

/** Adds the member that is argument `i`; says whether it is new. */
export function addMember(
  { values: { sets }, externals }: Keyspace,
  ref: number,
  args: Arguments,
  i: number,
  staged: StagedNodes | null,
): boolean {
  const buf = args.source(i);
  const off = args.off[i]!;
  const length = args.length[i]!;
  const hash = staged?.hashOf(i);
  if (hash === undefined || !sets.takesRun(ref, length)) {
    return sets.add(ref, buf, off, length);
  }
  if (sets.hasHashed(ref, buf, off, length, hash)) return false;
  const run = args.takeBig(i);
  externals.trim(run);
  sets.insertRun(ref, run, length, hash);
  return true;
}

/** Whether to pop so many members, but not all, in slices. */
export function popsLong(
  { settings, canWait, inSlices }: Call,
  space: Keyspace,
  ref: number,
  count: number,
): boolean {
  if (count <= SLICED_MEMBERS_MIN || !canWait || inSlices === null) {
    return false;
  }
  const { sets } = space.values;
  const stay = sets.length(ref) - count;
  return sets.isTable(ref) &&
    (stay <= REMADE_MEMBERS_MAX || stay > settings.setMaxListpackEntries);
}

/** Pops members, but not all. */
export class MemberPop implements SlicedChange {
  readonly isLong = true;
  readonly #db: number;
  readonly #count: number;
  /** Whether the members that stay become a new set. */
  readonly #remakes: boolean;
  readonly #members: GatheredReply;
  readonly #draft: EffectDraft | null;
  #popped = 0;

  /** `remakes` says whether what stays may become a packed set. */
  constructor(
    { db, effects, reply }: Call,
    space: Keyspace,
    ref: number,
    count: number,
    remakes: boolean,
  ) {
    const { sets } = space.values;
    this.#db = db;
    this.#count = count;
    this.#members = new GatheredReply(reply);
    this.#remakes = remakes &&
      sets.length(ref) - count <= REMADE_MEMBERS_MAX;
    this.#draft = effects.isOn ? new EffectDraft() : null;
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    const { sets } = space.values;
    const end = Math.min(this.#popped + SLICE_MEMBERS, this.#count);
    const members = this.#members;
    const limit = members.cost + SLICE_BYTES;
    for (; this.#popped < end && members.cost < limit; this.#popped++) {
      const member = sets.draw(ref);
      const buf = member.text();
      members.writer().bulk(buf, member.off, member.length);
      if (this.#draft !== null) this.#record(space, this.#draft, args, member);
      sets.removeDrawn(ref);
    }
    return this.#popped < this.#count;
  }

  /** Records a member, in another command if it is time to. */
  #record(
    { heap }: Keyspace,
    draft: EffectDraft,
    args: Arguments,
    member: SetMember,
  ): void {
    if (this.#popped % RECORDED_MEMBERS_MAX === 0) {
      const left = this.#count - this.#popped;
      const argc = 2 + Math.min(RECORDED_MEMBERS_MAX, left);
      draft.replace(this.#db, RECORDED.SREM, argc).argument(args, 1);
    }
    const { off, length } = member;
    draft.lasting(heap, member.text(), off, length);
  }

  finish(
    space: Keyspace,
    db: number,
    key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const count = this.#count;
    if (this.#remakes) remake(space, space.peek(db, key));
    // A log that has begun meanwhile begins with what is left.
    if (effects.isOn && this.#draft === null) effects.silence();
    else this.#draft?.recordIn(effects);
    space.hooks.changed(db, key, SPOP, count);
    return (reply) => {
      reply.set(count);
      this.#members.reply(reply);
    };
  }
}

/**
 * Whether to copy the members that stay, of a set of which most are popped, takes
 * longer than to remove those that do not.
 */
export function isHeavy({ values: { sets } }: Keyspace, ref: number): boolean {
  return sets.isTable(ref) && sets.length(ref) <= REMADE_MEMBERS_MAX &&
    sets.memoryBytes(ref, 0) >= HEAVY_BYTES_MIN;
}

/**
 * Makes a table anew, which may be smaller in its encoding, unless a member is too
 * long for that.
 */
export function remake(space: Keyspace, ref: number): void {
  const { sets, memory: { limits } } = space.values;
  let longest = 0;
  sets.visitAll(ref, {
    member: ({ length }) => longest = Math.max(longest, length),
  });
  if (longest > limits.setMaxListpackValue) return;
  try {
    const begun = space.begun.begin(TYPE_SET);
    sets.begin(begun, SET_LISTPACK);
    sets.visitAll(ref, { member: (member) => sets.addMember(begun, member) });
    space.begun.replace(ref);
  } catch (cause) {
    if (!(cause instanceof OutOfMemory)) throw cause;
    space.begun.drop();
  }
}
