/**
 * The hash of a command's key, and its fields that have expired.
 *
 * A field that has expired is as good as gone. It is removed where a command
 * meets it, or else by the shard's owner; so a command looks at each field that
 * it is asked about, never at the others.
 *
 * @module
 */

import { EXPIRED_SUBKEYS } from "../keyspace/counters.ts";
import { HEXPIRED } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { keepOld } from "../keyspace/snapshot_marks.ts";
import {
  expireFields,
  fieldsExpire,
  recordFieldOf,
} from "../keyspace/field_expires.ts";
import type { Arguments } from "../resp/arguments.ts";
import { TYPE_HASH } from "../types/entry.ts";
import type { HashValue } from "../types/hash_value.ts";
import type { Call } from "./call.ts";
import type { StagedNodes } from "./staged_nodes.ts";
import { readEntry, writeEntry } from "./typed_entry.ts";

/** Expired fields, fewer than which are counted under the latch. */
const EXPIRED_MAX = 512;
/** So many of more are removed by who meets them. */
const REMOVED_AT_ONCE = 128;

/** As {@linkcode readEntry}, for a hash. */
export function readHash(call: Call, i: number): number {
  return readEntry(call, i, TYPE_HASH);
}

/** As {@linkcode writeEntry}, for a hash. */
export function writeHash(call: Call, i: number): number {
  return writeEntry(call, i, TYPE_HASH);
}

/** Makes an empty hash of key `i`, which is not there; to be filled. */
export function makeHash(call: Call, i: number): number {
  const key = call.key(i);
  return call.keyspace(key).create(call.db, key, TYPE_HASH);
}

/**
 * Makes a hash ready for `fields` fields and their values, which are the
 * arguments from `from` on.
 */
export function prepareFields(
  call: Call,
  space: Keyspace,
  ref: number,
  from: number,
  fields: number,
): void {
  const { args } = call;
  let bytes = 0;
  for (let i = from; i < from + fields * 2; i++) bytes += args.length[i]!;
  space.values.hashes.prepare(ref, fields, bytes);
}

/**
 * Finds the field in argument `i`, for the methods of a hash on the field that
 * was found. One that has expired is removed on the way: {@linkcode endHash}
 * must follow.
 */
export function findField(
  call: Call,
  space: Keyspace,
  ref: number,
  i: number,
): boolean {
  const { args } = call;
  const { hashes } = space.values;
  const isFound = hashes.locate(
    ref,
    args.source(i),
    args.off[i]!,
    args.length[i]!,
    call.nowMs,
  );
  if (!isFound && hashes.isExpiredFound) {
    removeExpiredField(call, space, ref, i);
  }
  return isFound;
}

/** Removes the field that was met last; replies may still read it. */
function removeExpiredField(
  call: Call,
  space: Keyspace,
  ref: number,
  i: number,
): void {
  if (space.hasReaders(ref) || space.mustStay(call.db, ref)) return;
  removeField(space, call.db, ref, call.args, i, call.counters);
}

function removeField(
  space: Keyspace,
  db: number,
  ref: number,
  args: Arguments,
  i: number,
  counters: Float64Array,
): void {
  keepOld(space, db, ref);
  // Who has just noted the hash as a whole reads it as it is.
  if (space.hasReaders(ref)) return;
  space.values.hashes.removeFound(ref);
  counters[EXPIRED_SUBKEYS] = counters[EXPIRED_SUBKEYS]! + 1;
  const { effects, heap } = space;
  if (effects?.isOn) {
    recordFieldOf(effects, space, db, ref).lastingArgument(heap, args, i);
  }
  space.hooks.signalEntry(db, ref, HEXPIRED);
}

/**
 * For a command that counts the fields that have not expired: where very many have,
 * it removes some of these. Says whether it is left with so many that they are
 * better counted without the latch.
 */
export function hasManyExpired(
  { db, nowMs, counters }: Call,
  space: Keyspace,
  ref: number,
): boolean {
  if (ref === 0 || !fieldsExpire(space, ref)) return false;
  const { hashes } = space.values;
  if (!hashes.hasExpired(ref, nowMs, EXPIRED_MAX)) return false;
  if (space.mustStay(db, ref)) return true;
  const removed = expireFields(space, db, ref, nowMs, REMOVED_AT_ONCE);
  counters[EXPIRED_SUBKEYS] = counters[EXPIRED_SUBKEYS]! + removed;
  return removed === 0 || hashes.hasExpired(ref, nowMs, EXPIRED_MAX);
}

/** As {@linkcode findField}, for a command that goes on when its call is over. */
export class FieldFinder {
  readonly #db: number;
  readonly #nowMs: number;
  readonly #counters: Float64Array;

  constructor({ db, nowMs, counters }: Call) {
    this.#db = db;
    this.#nowMs = nowMs;
    this.#counters = counters;
  }

  /** Finds the field in argument `i`; the hash is locked for writing. */
  find(space: Keyspace, ref: number, args: Arguments, i: number): boolean {
    const { hashes } = space.values;
    const off = args.off[i]!;
    const length = args.length[i]!;
    const nowMs = this.#nowMs;
    if (hashes.locate(ref, args.source(i), off, length, nowMs)) return true;
    if (hashes.isExpiredFound) {
      removeField(space, this.#db, ref, args, i, this.#counters);
    }
    return false;
  }
}

/**
 * Sets the field that is argument `i` to the argument behind it, with an expire as
 * {@linkcode HashValue.set} has it; says whether it is new.
 */
export function setPair(
  hashes: HashValue,
  ref: number,
  args: Arguments,
  i: number,
  staged: StagedNodes | null,
  expireAtMs = 0,
): boolean {
  const run = staged === null ? 0 : staged.take(i + 1);
  const length = args.length[i + 1]!;
  if (run !== 0) {
    return hashes.setRun(ref, run, args.length[i]!, length, expireAtMs);
  }
  return hashes.set(
    ref,
    args.source(i),
    args.off[i]!,
    args.length[i]!,
    args.source(i + 1),
    args.off[i + 1]!,
    length,
    expireAtMs,
  );
}
