/**
 * Long members of sorted sets, compared with those of equal scores before a command
 * has its latches.
 *
 * A search in the tree is tried, under the latch, up to the first node whose order
 * is not known: that is kept, and compared without the latch, and the search is
 * tried again. So when the command searches it knows what it meets, but for what
 * has come in between.
 *
 * A command that changes several members does so in slices, as each change may lead
 * the search for the next one elsewhere: the set is locked, and between two slices
 * the next long member is compared.
 *
 * @module
 */

import { compareLong } from "../base/bytes.ts";
import { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { KNOWN_KEYS } from "../memory/known_keys.ts";
import type { Arguments } from "../resp/arguments.ts";
import { TYPE_ZSET } from "../types/entry.ts";
import type { Call, ShardLatches } from "./call.ts";
import {
  ComparedArguments,
  knownKey,
  type LookedFor,
  lookFor,
} from "./compared_arguments.ts";

/** Nodes that one argument is compared with, at most. */
const ROUNDS_MAX = 100;
const SQUARE = 0x5b;
const ROUND = 0x28;

/**
 * The score that a member will have which is argument `i`, and has one, or NaN;
 * NaN if it will not be looked for by that.
 */
export type ScoreToBe = (call: Call, i: number, score: number) => number;

/** A sorted set that is looked at under its latch, which nobody holds so far. */
interface ComparedSet {
  readonly latches: ShardLatches;
  readonly space: Keyspace;
  /** Its entry, or 0; the latch is held. */
  entry(): number;
}

/**
 * Compares the arguments that were looked for as members of the first key, with
 * those of the scores that they have and will have.
 */
export function compareOrders(
  call: Call,
  scoreToBe: ScoreToBe | null = null,
): void {
  const { compared, staged } = call;
  if (compared === null) return;
  const set = setOfKey(call, 1);
  for (const looked of [...compared.looked]) {
    const { key, at } = looked;
    const own = staged?.runOf(call.args, at);
    let node = 0;
    for (const [each, isEqual] of key.nodes) {
      if (isEqual && each !== own) node = each;
    }
    compareMember(
      compared,
      set,
      looked,
      node,
      (score) => scoreToBe === null ? NaN : scoreToBe(call, at, score),
    );
  }
  staged?.know(compared);
}

/** Compares a member, whose node is known, or 0, with those that it is among. */
function compareMember(
  compared: ComparedArguments,
  set: ComparedSet,
  looked: LookedFor,
  node: number,
  scoreToBe: (score: number) => number,
): void {
  const { tables } = set.space.values.zsets;
  const score = node === 0 ? NaN : tables.double(node);
  if (node !== 0) {
    // The search for it reads it where it lies.
    const own = { buf: tables.bytesOf(node), off: tables.keyOff(node) };
    compared.add({ ...looked, ...own });
    compareWith(compared, set, looked, score, node);
  }
  const next = scoreToBe(score);
  if (Number.isNaN(next) || next === score) return;
  compareWith(compared, set, looked, next, node);
}

/** The set of the key that is argument `keyAt`. */
function setOfKey(call: Call, keyAt: number): ComparedSet {
  const { args, db, latches } = call;
  const key = new Key();
  const off = args.off[keyAt]!;
  call.fillKey(key, args.source(keyAt), off, args.length[keyAt]!);
  const space = call.keyspace(key);
  return { latches, space, entry: () => space.peek(db, key) };
}

/**
 * The long members that a command changes in slices, each of which is compared
 * before the slice that changes it.
 */
export class ComparedMembers {
  readonly #compared: ComparedArguments | null;
  readonly #set: ComparedSet;
  /** The argument that was compared last, or -1. */
  #at = -1;

  /**
   * `entryOf` says the entry of the set, which is locked, if it is not the first
   * key's.
   */
  constructor(call: Call, entryOf: () => number = () => 0) {
    const { latches, db, compared, staged } = call;
    const { buf, off, length, hash, shard } = call.key(0);
    const name = buf.slice(off, off + length);
    const key = Object.assign(new Key(), { buf: name, length, hash, shard });
    const space = call.keyspace(key);
    const entry = () => entryOf() || space.peek(db, key);
    this.#set = { latches, space, entry };
    this.#compared = compared;
    if (compared !== null) staged?.know(compared);
  }

  /** Whether argument `i` is to be compared before it is looked for. */
  wants(args: Arguments, i: number): boolean {
    return this.#compared !== null && this.#at < i && args.bigAt(i) !== 0;
  }

  /**
   * Compares argument `i`, which will have a score, or NaN if it will be removed;
   * no latch is held.
   */
  compare(i: number, score: number): void {
    this.#at = i;
    const compared = this.#compared!;
    const looked = compared.looked.find(({ at }) => at === i)!;
    compared.resume();
    const node = this.#nodeOf(looked);
    compareMember(compared, this.#set, looked, node, () => score);
    KNOWN_KEYS.clear();
  }

  /** Nothing is compared any more, as latches are held. */
  stop(): void {
    this.#at = Infinity;
  }

  #nodeOf({ buf, off, length }: LookedFor): number {
    const { latches, space } = this.#set;
    latches.acquire(space.shard);
    const { tables } = space.values.zsets;
    const table = tableOf(space, this.#set.entry());
    const node = table === 0 ? 0 : tables.find(table, buf, off, length);
    latches.release(space.shard);
    return node;
  }
}

/** The table of a sorted set that is large, else 0. */
function tableOf(space: Keyspace, ref: number): number {
  return ref !== 0 && space.type(ref) === TYPE_ZSET
    ? space.values.zsets.tableOf(ref)
    : 0;
}

/** Makes a row's `stage` of a command that looks for ranks of arguments. */
export function ranks(from: number): (call: Call) => void {
  return (call) => {
    lookFor(call, from);
    compareOrders(call);
  };
}

/** Makes that of one whose arguments `min` and `min + 1` are ends of a range. */
export function ranges(keyAt: number, min: number): (call: Call) => void {
  return (call) => {
    const { args, argc, nowMs } = call;
    if (nowMs === 0) return;
    for (let i = min; i < Math.min(min + 2, argc); i++) {
      if (args.bigAt(i) === 0) continue;
      const buf = args.source(i);
      const off = args.off[i]! + 1;
      const first = buf[off - 1];
      if (first !== SQUARE && first !== ROUND) continue;
      const length = args.length[i]! - 1;
      const looked = { buf, off, length, key: knownKey(0), at: i };
      call.compared ??= new ComparedArguments();
      call.compared.add(looked);
      compareWith(call.compared, setOfKey(call, keyAt), looked, NaN, 0);
    }
  };
}

/**
 * Compares an argument with what a search for it would, one by one; `score` and
 * `own` are those of {@linkcode ZsetValue.firstUnknown}.
 */
function compareWith(
  compared: ComparedArguments,
  { latches, space, entry }: ComparedSet,
  { buf, off, length, key }: LookedFor,
  score: number,
  own: number,
): void {
  const { heap, values: { zsets } } = space;
  const { tables } = zsets;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    latches.acquire(space.shard);
    const ref = entry();
    const node = tableOf(space, ref) === 0
      ? 0
      : zsets.firstUnknown(ref, score, own, buf, off, length);
    if (node !== 0) heap.keep(node);
    latches.release(space.shard);
    if (node === 0) return;
    compared.keep(heap, node);
    const order = compareLong(
      tables.bytesOf(node),
      tables.keyOff(node),
      tables.keyLength(node),
      buf,
      off,
      length,
    );
    key.orders.set(node, order);
  }
}
