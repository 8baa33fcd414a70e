/**
 * Big arguments that are made nodes before a command has its latches: under them a
 * node is linked, and no long value is copied.
 *
 * A node is written into a run of pages, which belongs to no heap yet.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { halfSipHash } from "../base/half_siphash.ts";
import { copyBytes } from "../base/bytes.ts";
import {
  EXTERNAL_HEADER_BYTES,
  type ExternalStrings,
} from "../memory/external.ts";
import { EXPIRE_BYTES } from "../memory/node.ts";
import { KNOWN_KEYS } from "../memory/known_keys.ts";
import type { Arguments } from "../resp/arguments.ts";
import { firstEntryBytesMax, writeFirstEntry } from "../types/stream_node.ts";
import type { Call } from "./call.ts";
import type { ComparedArguments } from "./compared_arguments.ts";

/** Nodes by an argument that is in them. */
export class StagedNodes {
  readonly #externals: ExternalStrings;
  /** Bytes of the fields and values of the entry that is a node, or will be. */
  entryBytes = 0;
  readonly #runs = new Map<number, number>();
  readonly #hashes = new Map<number, number>();
  /** Names by their arguments: several streams may need one. */
  readonly #names: { readonly at: number; readonly run: number }[] = [];

  constructor(externals: ExternalStrings) {
    this.#externals = externals;
  }

  /**
   * Makes a node of arguments `i` and `i + 1`, if there is memory, with room for
   * when it expires.
   */
  addPair(
    args: Arguments,
    i: number,
    compared: ComparedArguments | null,
  ): void {
    const off = args.off[i + 1]!;
    const end = off + args.length[i + 1]!;
    this.addField(args, i, args.source(i + 1).subarray(off, end), compared);
  }

  /** As above, of argument `i` and a value, which stands for the one behind it. */
  addField(
    args: Arguments,
    i: number,
    value: Uint8Array,
    compared: ComparedArguments | null,
  ): void {
    const externals = this.#externals;
    const first = args.length[i]!;
    const run = externals.create(EXPIRE_BYTES + first + value.length);
    if (run === 0) return;
    const into = externals.bytes(run);
    const at = externals.offset(run) + EXPIRE_BYTES;
    const buf = args.source(i);
    const off = args.off[i]!;
    copyBytes(buf, off, into, at, first);
    const known = KNOWN_KEYS.find(buf, off, first);
    if (known !== undefined) {
      known.nodes.set(run, true);
      compared?.add({ buf: into, off: at, length: first, key: known, at: i });
    }
    copyBytes(value, 0, into, at + first, value.length);
    this.#runs.set(i + 1, run);
  }

  /** Hashes an argument that will be a node where it lies. */
  addHash(args: Arguments, i: number, hash: number): void {
    assert(args.bigAt(i) !== 0, "the argument is a run");
    this.#hashes.set(i, hash);
  }

  /** Makes a node of a sorted set of argument `i`, whose score is to come. */
  addMember(args: Arguments, i: number, hash: number): void {
    const externals = this.#externals;
    const length = args.length[i]!;
    const run = externals.create(EXPIRE_BYTES + length);
    if (run === 0) return;
    const at = externals.offset(run) + EXPIRE_BYTES;
    const { off } = args;
    copyBytes(args.source(i), off[i]!, externals.bytes(run), at, length);
    this.#runs.set(i, run);
    this.#hashes.set(i, hash);
  }

  /** Makes a node of argument `i`, the name of what has so many bytes before it. */
  addName(args: Arguments, i: number, headBytes: number): void {
    const externals = this.#externals;
    const length = args.length[i]!;
    const run = externals.create(headBytes + length);
    if (run === 0) return;
    const at = externals.offset(run) - EXTERNAL_HEADER_BYTES + headBytes;
    const { off } = args;
    copyBytes(args.source(i), off[i]!, externals.bytes(run), at, length);
    this.#names.push({ at: i, run });
  }

  /** A node of the name that is argument `i`, the caller's now; 0 for none. */
  takeName(i: number): number {
    const place = this.#names.findIndex(({ at }) => at === i);
    return place < 0 ? 0 : this.#names.splice(place, 1)[0]!.run;
  }

  /** Says that the members in nodes are what was compared of the arguments. */
  know(compared: ComparedArguments): void {
    const externals = this.#externals;
    for (const looked of [...compared.looked]) {
      const run = this.#runs.get(looked.at) ?? 0;
      if (run === 0) continue;
      const off = externals.offset(run) + EXPIRE_BYTES;
      compared.add({ ...looked, buf: externals.bytes(run), off });
    }
  }

  /** The node that argument `i` will be if it is added, 0 for none yet. */
  runOf(args: Arguments, i: number): number {
    return this.#runs.get(i) ?? (this.#hashes.has(i) ? args.bigAt(i) : 0);
  }

  /** The hash of argument `i` if it was hashed. */
  hashOf(i: number): number | undefined {
    return this.#hashes.get(i);
  }

  /**
   * Makes a node of a stream of the pairs of arguments from one on, which have so
   * many bytes.
   */
  addEntry(args: Arguments, from: number, bytes: number): void {
    this.entryBytes = bytes;
    const externals = this.#externals;
    const count = (args.count - from) >> 1;
    const run = externals.create(firstEntryBytesMax(args, from, count));
    if (run === 0) return;
    const start = externals.offset(run) - EXTERNAL_HEADER_BYTES;
    writeFirstEntry(externals.bytes(run), start, args, from, count);
    this.#runs.set(from, run);
  }

  /**
   * The node of the member that is argument `i`, of the pair that ends with argument `i`, or of the entry that begins
   * with it, which is the caller's now; 0 for none.
   */
  take(i: number): number {
    const run = this.#runs.get(i) ?? 0;
    if (run !== 0) this.#runs.delete(i);
    return run;
  }

  /** Frees the nodes that nobody has taken. */
  drop(): void {
    for (const run of this.#runs.values()) this.#drop(run);
    for (const { run } of this.#names) this.#drop(run);
    this.#runs.clear();
    this.#names.length = 0;
  }

  #drop(run: number): void {
    this.#externals.adopt(run, 0);
    this.#externals.unpin(run);
  }
}

/** Makes nodes of pairs of arguments, from one on, of which one is big. */
export function stagePairs(call: Call, from: number): void {
  const { args, argc } = call;
  const staged = new StagedNodes(call.keyspaces[0]!.externals);
  for (let i = from; i + 1 < argc; i += 2) {
    if (args.bigAt(i + 1) === 0 && args.bigAt(i) === 0) continue;
    staged.addPair(args, i, call.compared);
  }
  call.staged = staged;
}

/** Makes a node of argument 2 and the value that it will have. */
export function stageField(call: Call, value: Uint8Array): void {
  call.staged = new StagedNodes(call.keyspaces[0]!.externals);
  call.staged.addField(call.args, 2, value, call.compared);
}

/** Hashes the big ones among the arguments from one on, which are members. */
export function stageMembers(call: Call, from: number): void {
  stageHashed(call, from, (staged, i, hash) => {
    staged.addHash(call.args, i, hash);
  });
}

/** Makes nodes of sorted sets of the big ones among the arguments from one on. */
export function stageScored(call: Call, from: number): void {
  stageHashed(call, from, (staged, i, hash) => {
    staged.addMember(call.args, i, hash);
  });
}

/** Hashes the big ones among the arguments from one on by another function. */
export function stagePlaces(
  call: Call,
  from: number,
  placeOf: (buf: Uint8Array, off: number, length: number) => number,
): void {
  const { args, argc } = call;
  const staged = new StagedNodes(call.keyspaces[0]!.externals);
  for (let i = from; i < argc; i++) {
    if (args.bigAt(i) === 0) continue;
    const place = placeOf(args.source(i), args.off[i]!, args.length[i]!);
    staged.addHash(args, i, place);
  }
  call.staged = staged;
}

function stageHashed(
  call: Call,
  from: number,
  add: (staged: StagedNodes, i: number, hash: number) => void,
): void {
  const { args, argc, hashSeed: [seed0, seed1] } = call;
  const staged = new StagedNodes(call.keyspaces[0]!.externals);
  for (let i = from; i < argc; i++) {
    if (args.bigAt(i) === 0) continue;
    const off = args.off[i]!;
    const length = args.length[i]!;
    const hash = halfSipHash(args.source(i), off, length, seed0, seed1);
    add(staged, i, hash);
  }
  call.staged = staged;
}
