/**
 * ZADD and GEOADD of many members, in slices.
 *
 * All scores are read before the first member is added, as one that is none is
 * an error that leaves the set as it was. What the key holds is looked at then,
 * since Redis complains about the scores first.
 *
 * @module
 */

import { parseDouble } from "../base/double.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import type { Key } from "../keyspace/key.ts";
import { ZADD } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { unshareValue } from "../keyspace/shared_value.ts";
import type { Arguments } from "../resp/arguments.ts";
import {
  type ErrorReply,
  NOT_A_FLOAT,
  WRONG_TYPE,
} from "../resp/error_reply.ts";
import { TYPE_ZSET } from "../types/entry.ts";
import type { ZsetValue } from "../types/zset_value.ts";
import { ArgumentAddition } from "./argument_addition.ts";
import type { Call } from "./call.ts";
import { ComparedMembers } from "./compared_orders.ts";
import type { LateReply } from "./command_spec.ts";
import { endOfSlice } from "./many_arguments.ts";
import type { StagedNodes } from "./staged_nodes.ts";

/** Which members are added or changed, and what is counted. */
export interface AdditionRules {
  /** Members that are there stay as they are. */
  readonly onlyNew: boolean;
  /** No members are added. */
  readonly onlyOld: boolean;
  /** Scores change only to greater ones. */
  readonly onlyGreater: boolean;
  /** Scores change only to smaller ones. */
  readonly onlyLess: boolean;
  /** The reply counts changed members, too. */
  readonly countsChanges: boolean;
}

/** Adds members, which are the last of the arguments that make each. */
export class ScoredAddition extends ArgumentAddition {
  /** Why nothing was added, if so. */
  error: ErrorReply | null = null;
  /** Null while the next member is to be compared. */
  place: null | undefined = undefined;
  readonly #rules: AdditionRules;
  readonly #scores: Float64Array;
  readonly #staged: StagedNodes | null;
  readonly #members: ComparedMembers;
  /** Arguments whose scores are read. */
  #read: number;
  /** Whether the key holds what members can be added to. */
  #isChecked = false;
  /** Whether there is nothing to be done. */
  #isIdle = false;
  #added = 0;

  /** Elements begin at argument `from`, and have `width` arguments each. */
  constructor(
    call: Call,
    from: number,
    width: number,
    rules: AdditionRules,
    isReworded = false,
  ) {
    super(call, { type: TYPE_ZSET, event: ZADD, from, width, isReworded });
    this.#rules = rules;
    this.#staged = call.staged;
    this.#members = new ComparedMembers(call, () => this.begun);
    call.staged = null;
    this.#scores = new Float64Array((call.argc - from) / width);
    this.#read = from;
  }

  /** The score of the element at argument `i`, or what is wrong with it. */
  protected scoreOf(args: Arguments, i: number): number | ErrorReply {
    const score = parseDouble(args.source(i), args.off[i]!, args.length[i]!);
    return score !== score ? NOT_A_FLOAT : score;
  }

  /** The score that was read of the element at argument `i`. */
  protected scoreAt(i: number): number {
    return this.#scores[(i - this.kind.from) / this.kind.width]!;
  }

  hurry(): void {
    this.#members.stop();
    this.place = undefined;
  }

  protected override defers(args: Arguments, i: number): boolean {
    if (!this.#members.wants(args, i + this.kind.width - 1)) return false;
    this.place = null;
    return true;
  }

  override step(space: Keyspace, ref: number, args: Arguments): boolean {
    if (this.place === null) {
      const member = this.at + this.kind.width - 1;
      this.#members.compare(member, this.scoreAt(this.at));
      this.place = undefined;
      return true;
    }
    if (this.#read < args.count) {
      this.#readScores(args);
      return this.error === null;
    }
    if (!this.#isChecked) this.#check(space, ref);
    if (this.error !== null || this.#isIdle) return false;
    return super.step(space, ref, args);
  }

  #readScores(args: Arguments): void {
    const { from, width } = this.kind;
    const end = endOfSlice(args, this.#read, width, 1);
    for (; this.#read < end; this.#read += width) {
      const score = this.scoreOf(args, this.#read);
      if (typeof score !== "number") {
        this.error = score;
        return;
      }
      this.#scores[(this.#read - from) / width] = score;
    }
  }

  #check(space: Keyspace, ref: number): void {
    if (ref === 0) this.#isIdle = this.#rules.onlyOld;
    else if (space.type(ref) !== TYPE_ZSET) this.error = WRONG_TYPE;
    else if (space.hasReaders(ref)) unshareValue(space, ref);
    this.#isChecked = true;
  }

  protected prepare(space: Keyspace, ref: number): void {
    space.values.zsets.expect(ref, this.#scores.length);
  }

  protected add(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
  ): void {
    const { zsets } = space.values;
    const { onlyNew, onlyOld, onlyGreater, onlyLess } = this.#rules;
    const at = i + this.kind.width - 1;
    const buf = args.source(at);
    const off = args.off[at]!;
    const length = args.length[at]!;
    const score = this.scoreAt(i);
    if (!locateMember(zsets, ref, args, at, this.#staged)) {
      if (onlyOld) return;
      insertMember(zsets, ref, args, at, score, this.#staged);
      this.#added++;
    } else {
      const old = zsets.score;
      if (
        onlyNew || score === old || onlyGreater && score <= old ||
        onlyLess && score >= old
      ) return;
      zsets.setFound(ref, buf, off, length, score);
    }
    this.changes++;
  }

  override finish(
    space: Keyspace,
    db: number,
    key: Key,
    args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const { error } = this;
    this.#staged?.drop();
    if (error !== null) return (reply) => reply.error(error);
    if (this.#isIdle) return this.reply();
    return super.finish(space, db, key, args, effects);
  }

  override drop(space: Keyspace, db: number, key: Key): void {
    this.#staged?.drop();
    super.drop(space, db, key);
  }

  protected reply(): LateReply {
    const count = this.#rules.countsChanges ? this.changes : this.#added;
    return (reply) => reply.integer(count);
  }
}

/** Looks for the member that is argument `i`. */
export function locateMember(
  zsets: ZsetValue,
  ref: number,
  args: Arguments,
  i: number,
  staged: StagedNodes | null,
): boolean {
  const buf = args.source(i);
  const off = args.off[i]!;
  const length = args.length[i]!;
  const hash = staged?.hashOf(i);
  return hash === undefined
    ? zsets.find(ref, buf, off, length)
    : zsets.findHashed(ref, buf, off, length, hash);
}

/** Adds the member that is argument `i`, which was just not found. */
export function insertMember(
  zsets: ZsetValue,
  ref: number,
  args: Arguments,
  i: number,
  score: number,
  staged: StagedNodes | null,
): void {
  const length = args.length[i]!;
  const hash = staged?.hashOf(i);
  if (hash !== undefined && zsets.takesRun(ref, length)) {
    const run = staged!.take(i);
    if (run !== 0) return zsets.insertRun(ref, run, length, hash, score);
  }
  zsets.insertMissing(ref, args.source(i), args.off[i]!, length, score);
}
