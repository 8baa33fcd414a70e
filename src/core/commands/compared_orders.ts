/**
 * Long members of sorted sets, compared with those of equal scores before a command
 * has its latches.
 *
 * A search in the tree is tried, under the latch, up to the first node whose order
 * is not known: that is kept, and compared without the latch, and the search is
 * tried again. So when the command searches it knows what it meets, but for what
 * has come in between.
 *
 * @module
 */

import { compareLong } from "../base/bytes.ts";
import { TYPE_ZSET } from "../types/entry.ts";
import type { Call } from "./call.ts";
import {
  beginLooking,
  ComparedArguments,
  KEY,
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
  for (const looked of [...compared.looked]) {
    const { key, at } = looked;
    let node = 0;
    for (const [each, isEqual] of key.nodes) if (isEqual) node = each;
    const { tables } = call.keyspaces[0]!.values.zsets;
    const score = node === 0 ? NaN : tables.double(node);
    if (node !== 0) {
      // The search for it reads it where it lies.
      const own = { buf: tables.bytesOf(node), off: tables.keyOff(node) };
      compared.add({ ...looked, ...own });
      compareWith(call, 1, looked, score, node);
    }
    const next = scoreToBe === null ? NaN : scoreToBe(call, at, score);
    if (Number.isNaN(next)) continue;
    compareWith(call, 1, looked, next, node);
  }
  staged?.know(compared);
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
      compareWith(call, keyAt, looked, NaN, 0);
    }
  };
}

/**
 * Compares an argument with what a search for it would, one by one; `score` and
 * `own` are those of {@linkcode ZsetValue.firstUnknown}.
 */
function compareWith(
  call: Call,
  keyAt: number,
  { buf, off, length, key }: LookedFor,
  score: number,
  own: number,
): void {
  const { db, latches, compared } = call;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const space = beginLooking(call, keyAt);
    const { heap, values: { zsets } } = space;
    const ref = space.peek(db, KEY);
    const isLarge = ref !== 0 && space.type(ref) === TYPE_ZSET &&
      zsets.tableOf(ref) !== 0;
    const node = isLarge
      ? zsets.firstUnknown(ref, score, own, buf, off, length)
      : 0;
    if (node !== 0) heap.keep(node);
    latches.release(KEY.shard);
    if (node === 0) return;
    compared!.keep(heap, node);
    const { tables } = zsets;
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
