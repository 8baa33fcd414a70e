/**
 * Long arguments by which a command looks for fields or members, hashed and
 * compared with what there is before it has its latches.
 *
 * Under the latch only the nodes of the same hash and length are noted. They are
 * kept (page_pool.ts) until the command has run: so their bytes can be compared
 * without the latch, and whichever of them the command finds in a table is still
 * what was compared (known_keys.ts). What has come in between the command compares
 * by itself.
 *
 * @module
 */

import { halfSipHash } from "../base/half_siphash.ts";
import { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Heap } from "../memory/heap.ts";
import { KNOWN_KEYS, type KnownKey } from "../memory/known_keys.ts";
import { TYPE_HASH, TYPE_SET, TYPE_ZSET } from "../types/entry.ts";
import type { NodeTable } from "../types/node_table.ts";
import type { Call } from "./call.ts";

/** Bytes of a word. */
const WORD_BYTES = 4;

/** An argument. */
interface LookedFor {
  readonly buf: Uint8Array;
  readonly off: number;
  readonly length: number;
  readonly key: KnownKey;
}

/** A node that may have the bytes of an argument. */
interface Candidate {
  readonly argument: LookedFor;
  readonly tables: NodeTable;
  readonly heap: Heap;
  readonly node: number;
}

/** What has been compared for a command. */
export class ComparedArguments {
  readonly #candidates: Candidate[] = [];

  /** Finds what a key has that some arguments may be, and compares it. */
  compare(call: Call, keyAt: number, looked: readonly LookedFor[]): void {
    const candidates = candidatesOf(call, keyAt, looked);
    for (const { argument, tables, node } of candidates) {
      const { buf, off, length, key } = argument;
      const nodeBuf = tables.bytesOf(node);
      const isEqual = equalLong(nodeBuf, tables.keyOff(node), buf, off, length);
      key.nodes.set(node, isEqual);
    }
    this.#candidates.push(...candidates);
  }

  /** The command has run, or will not. */
  drop(): void {
    for (const { heap, node } of this.#candidates) heap.letGo(node);
    this.#candidates.length = 0;
    KNOWN_KEYS.clear();
  }
}

/**
 * Hashes the long ones of every `step`th argument from one on, up to `to`, and
 * compares them with what the keys have that are arguments `keysAt`.
 */
export function lookFor(
  call: Call,
  from: number,
  step = 1,
  to: number = call.argc,
  keysAt: readonly number[] = [1],
): void {
  const { args, nowMs, hashSeed: [seed0, seed1] } = call;
  // Nobody waits while records are replayed.
  if (nowMs === 0) return;
  const looked: LookedFor[] = [];
  for (let i = from; i < to; i += step) {
    if (args.bigAt(i) === 0) continue;
    const buf = args.source(i);
    const off = args.off[i]!;
    const length = args.length[i]!;
    const hash = call.staged?.hashOf(i) ??
      halfSipHash(buf, off, length, seed0, seed1);
    const key = { hash, nodes: new Map<number, boolean>() };
    KNOWN_KEYS.add(buf, off, length, key);
    looked.push({ buf, off, length, key });
  }
  if (looked.length === 0) return;
  const compared = new ComparedArguments();
  call.compared = compared;
  for (const keyAt of keysAt) compared.compare(call, keyAt, looked);
}

/** Makes a row's `stage` of a command that looks for arguments from one on. */
export function looksFor(
  from: number,
  step = 1,
): (call: Call) => void {
  return (call) => lookFor(call, from, step);
}

/** The nodes of a key that may have some of the arguments; they are kept. */
function candidatesOf(
  call: Call,
  keyAt: number,
  looked: readonly LookedFor[],
): Candidate[] {
  const { args, db, latches } = call;
  const candidates: Candidate[] = [];
  const off = args.off[keyAt]!;
  call.fillKey(KEY, args.source(keyAt), off, args.length[keyAt]!);
  const space = call.keyspace(KEY);
  const { heap } = space;
  latches.acquire(KEY.shard);
  const ref = space.peek(db, KEY);
  const values = ref === 0 ? null : valuesWithTables(space, space.type(ref));
  const table = values === null ? 0 : values.tableOf(ref);
  if (table !== 0) {
    const { tables } = values!;
    for (const argument of looked) {
      const { length, key: { hash } } = argument;
      tables.visitLike(table, length, hash, (node) => {
        heap.keep(node);
        candidates.push({ argument, tables, heap, node });
      });
    }
  }
  latches.release(KEY.shard);
  return candidates;
}

const KEY = new Key();

/** The values of a type whose elements may be in tables; null for others. */
function valuesWithTables(
  { values: { hashes, sets, zsets } }: Keyspace,
  type: number,
): { readonly tables: NodeTable; tableOf(ref: number): number } | null {
  switch (type) {
    case TYPE_HASH:
      return hashes;
    case TYPE_SET:
      return sets;
    case TYPE_ZSET:
      return zsets;
    default:
      return null;
  }
}

/** Whether two long runs have the same bytes, word by word where that is possible. */
export function equalLong(
  a: Uint8Array,
  aOff: number,
  b: Uint8Array,
  bOff: number,
  length: number,
): boolean {
  const aAt = a.byteOffset + aOff;
  const bAt = b.byteOffset + bOff;
  let done = 0;
  if (aAt % WORD_BYTES === 0 && bAt % WORD_BYTES === 0) {
    const count = Math.floor(length / WORD_BYTES);
    const aWords = new Int32Array(a.buffer, aAt, count);
    const bWords = new Int32Array(b.buffer, bAt, count);
    for (let i = 0; i < count; i++) if (aWords[i] !== bWords[i]) return false;
    done = count * WORD_BYTES;
  }
  for (let i = done; i < length; i++) {
    if (a[aOff + i] !== b[bOff + i]) return false;
  }
  return true;
}
