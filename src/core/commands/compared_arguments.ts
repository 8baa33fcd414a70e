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

import { equalLong } from "../base/bytes.ts";
import { halfSipHash } from "../base/half_siphash.ts";
import { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Heap } from "../memory/heap.ts";
import { KNOWN_KEYS, type KnownKey } from "../memory/known_keys.ts";
import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from "../types/entry.ts";
import type { NodeTable } from "../types/node_table.ts";
import type { Call } from "./call.ts";
import type { ComparedNames } from "./compared_names.ts";
import { KeptNodes } from "./kept_nodes.ts";

/** An argument. */
export interface LookedFor {
  readonly buf: Uint8Array;
  readonly off: number;
  readonly length: number;
  readonly key: KnownKey;
  /** Which one it is. */
  readonly at: number;
}

/** A node that may have the bytes of an argument. */
interface Candidate {
  readonly argument: LookedFor;
  /** Where its bytes lie. */
  readonly buf: Uint8Array;
  readonly off: number;
  readonly heap: Heap;
  readonly node: number;
}

/** What has been compared for a command. */
export class ComparedArguments {
  /** The names of its keys, if some are long. */
  names: ComparedNames | null = null;
  readonly #kept = new KeptNodes();
  readonly #looked: LookedFor[] = [];

  /** Adds an argument that is looked for, wherever its bytes lie. */
  add(looked: LookedFor): void {
    this.#looked.push(looked);
    const { buf, off, length, key } = looked;
    KNOWN_KEYS.add(buf, off, length, key);
  }

  /** Arguments that are looked for so far. */
  get looked(): readonly LookedFor[] {
    return this.#looked;
  }

  /** A node has been kept, and compared, for a while. */
  keep(heap: Heap, node: number): void {
    this.#kept.add(heap, node);
  }

  /** What was found out is known again, in a slice of the command. */
  resume(): void {
    this.names?.resume();
    for (const { buf, off, length, key } of this.#looked) {
      KNOWN_KEYS.add(buf, off, length, key);
    }
  }

  /** Compares arguments with what they may be, which is kept. */
  compare(candidates: readonly Candidate[]): void {
    for (const { argument, buf, off, heap, node } of candidates) {
      const { length, key } = argument;
      const other = [argument.buf, argument.off] as const;
      key.nodes.set(node, equalLong(buf, off, ...other, length));
      this.#kept.add(heap, node);
    }
  }

  /** The command has run, or will not. */
  drop(): void {
    this.names?.drop();
    this.#kept.drop();
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
  const compared = new ComparedArguments();
  const looked: LookedFor[] = [];
  const different: LookedFor[] = [];
  /** By their hashes: an argument may be there twice. */
  const likes = new Map<number, LookedFor>();
  for (let i = from; i < to; i += step) {
    if (args.bigAt(i) === 0) continue;
    const buf = args.source(i);
    const off = args.off[i]!;
    const length = args.length[i]!;
    const hash = call.staged?.hashOf(i) ??
      halfSipHash(buf, off, length, seed0, seed1);
    const like = likes.get(hash);
    const isTwin = like !== undefined && like.length === length &&
      equalLong(buf, off, like.buf, like.off, length);
    const key = isTwin ? like.key : knownKey(hash);
    const run = call.staged?.runOf(args, i) ?? 0;
    if (run !== 0) key.nodes.set(run, true);
    const each = { buf, off, length, key, at: i };
    if (like === undefined) likes.set(hash, each);
    if (!isTwin) different.push(each);
    looked.push(each);
  }
  if (looked.length === 0) return;
  for (const each of looked) compared.add(each);
  call.compared = compared;
  for (const keyAt of keysAt) {
    compared.compare(candidatesOf(call, keyAt, different));
  }
}

/** Compares argument `i`, if it is long, with the first long elements of a list. */
export function lookForElement(call: Call, i: number): void {
  const { args, nowMs, latches } = call;
  if (nowMs === 0 || i >= call.argc || args.bigAt(i) === 0) return;
  const key = knownKey(0);
  const length = args.length[i]!;
  const argument = {
    buf: args.source(i),
    off: args.off[i]!,
    length,
    key,
    at: i,
  };
  const candidates: Candidate[] = [];
  const space = beginLooking(call, 1);
  const ref = space.peek(call.db, KEY);
  const { heap, values: { lists } } = space;
  if (ref !== 0 && space.type(ref) === TYPE_LIST) {
    lists.visitLike(ref, length, LOOKED_CHUNKS_MAX, (node, buf, off) => {
      heap.keep(node);
      candidates.push({ argument, buf, off, heap, node });
    });
  }
  latches.release(KEY.shard);
  call.compared = new ComparedArguments();
  call.compared.add(argument);
  call.compared.compare(candidates);
}

/** Pieces of a list that are looked at. */
export const LOOKED_CHUNKS_MAX = 1000;

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
  const space = beginLooking(call, keyAt);
  const candidates = candidatesIn(space, space.peek(call.db, KEY), looked);
  call.latches.release(KEY.shard);
  return candidates;
}

/** The same of an entry, or of none (0); the shard's latch is held. */
export function candidatesIn(
  space: Keyspace,
  ref: number,
  looked: readonly LookedFor[],
): Candidate[] {
  const candidates: Candidate[] = [];
  const { heap } = space;
  const values = ref === 0 ? null : valuesWithTables(space, space.type(ref));
  const table = values === null ? 0 : values.tableOf(ref);
  if (table !== 0) {
    const { tables } = values!;
    for (const argument of looked) {
      const { length, key: { hash } } = argument;
      tables.visitLike(table, length, hash, (node) => {
        heap.keep(node);
        const place = { buf: tables.bytesOf(node), off: tables.keyOff(node) };
        candidates.push({ argument, ...place, heap, node });
      });
    }
  }
  return candidates;
}

/** A key of which no more is known. */
export function knownKey(hash: number): KnownKey {
  return { hash, nodes: new Map(), orders: new Map(), run: 0 };
}

/** Takes the latch of the key, {@linkcode KEY}, that is argument `keyAt`. */
export function beginLooking(call: Call, keyAt: number): Keyspace {
  const { args } = call;
  const off = args.off[keyAt]!;
  call.fillKey(KEY, args.source(keyAt), off, args.length[keyAt]!);
  call.latches.acquire(KEY.shard);
  return call.keyspace(KEY);
}

/** The key of what is looked at. */
export const KEY = new Key();

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
