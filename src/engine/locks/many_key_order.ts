/**
 * The keys of a command that has very many, in the one order in which all such
 * commands lock them: by shard, then by hash. As numbers, of which there may be a
 * million; the bytes stay with the arguments.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import { equalLong } from "../../core/base/bytes.ts";
import type { Call } from "../../core/commands/call.ts";
import type { Key } from "../../core/keyspace/key.ts";
import type { Arguments } from "../../core/resp/arguments.ts";

/** Keys that can be ordered: as many as a request has arguments. */
const KEYS_MAX = 2 ** 20;

/** Keys that are gone through between two looks at the clock. */
const KEYS_PER_LOOK = 16;
/** Names of more bytes are long enough for a look each. */
const LOOK_BYTES = 1 << 11;

/** The keys of one command. */
export class ManyKeyOrder {
  /** Keys that were given. */
  readonly count: number;
  /** Different keys among them. */
  readonly distinct: number;
  /** After so many keys one looks at the clock: names of some length take long. */
  readonly keysPerLook: number;
  /** By number: the argument that is the key. */
  readonly #positions: Int32Array;
  readonly #hashes: Int32Array;
  readonly #shards: Uint16Array;
  /** Numbers of the different keys, in the order; of one that came twice, the last. */
  readonly #order: Int32Array;
  /** By number: that of the same key in the order. */
  readonly #same: Int32Array;
  /** By number: how often it was given, if it stands in the order. */
  readonly #times: Int32Array;
  /** By shard: where the next one begins in the order. */
  readonly #ends: Int32Array;

  /** The keys of the call, which are these arguments; sorts them. */
  constructor(call: Call, positions: Int32Array) {
    const { keyCount: count, args } = call;
    assert(count <= KEYS_MAX, "a request has no more arguments");
    this.count = count;
    this.#positions = positions;
    this.#hashes = new Int32Array(count);
    this.#shards = new Uint16Array(count);
    this.#order = new Int32Array(count);
    this.#same = new Int32Array(count);
    this.#times = new Int32Array(count);
    this.#ends = new Int32Array(call.keyspaces.length);
    const counts = new Int32Array(call.keyspaces.length);
    let nameBytes = 0;
    for (let i = 0; i < count; i++) {
      const { hash, shard, length } = call.key(i);
      nameBytes += length;
      this.#hashes[i] = hash;
      this.#shards[i] = shard;
      counts[shard]!++;
    }
    this.keysPerLook = nameBytes > count * LOOK_BYTES ? 1 : KEYS_PER_LOOK;
    this.distinct = this.#sort(counts, args);
  }

  /** Shard of the key at a place of the order. */
  shardAt(at: number): number {
    return this.#shards[this.#order[at]!]!;
  }

  /** Where the keys of the same shard end in the order. */
  endOfShard(at: number): number {
    return this.#ends[this.shardAt(at)]!;
  }

  /** Number of the key at a place of the order. */
  numberAt(at: number): number {
    return this.#order[at]!;
  }

  /** Shard of the key with a number. */
  shardOf(i: number): number {
    return this.#shards[i]!;
  }

  /** The number that stands in the order for the key with a number. */
  sameAs(i: number): number {
    return this.#same[i]!;
  }

  /** How often the key with a number that stands in the order was given. */
  timesOf(i: number): number {
    return this.#times[i]!;
  }

  /** The argument that is the key with a number. */
  positionOf(i: number): number {
    return this.#positions[i]!;
  }

  /** Fills in the key with a number. */
  read(i: number, args: Arguments, key: Key): void {
    const at = this.#positions[i]!;
    key.buf = args.source(at);
    key.off = args.off[at]!;
    key.length = args.length[at]!;
    key.hash = this.#hashes[i]!;
    key.shard = this.#shards[i]!;
  }

  /** Sorts, and leaves out what came twice; returns how many there are. */
  #sort(counts: Int32Array, args: Arguments): number {
    const { count } = this;
    const places = new Float64Array(count);
    const starts = new Int32Array(counts.length);
    for (let shard = 1; shard < counts.length; shard++) {
      starts[shard] = starts[shard - 1]! + counts[shard - 1]!;
    }
    const next = starts.slice();
    for (let i = 0; i < count; i++) {
      const hash = this.#hashes[i]! >>> 0;
      places[next[this.#shards[i]!]!++] = hash * KEYS_MAX + i;
    }
    let kept = 0;
    for (let shard = 0; shard < counts.length; shard++) {
      const start = starts[shard]!;
      const end = start + counts[shard]!;
      const sorted = places.subarray(start, end).sort();
      for (let from = 0; from < sorted.length;) {
        const hash = Math.floor(sorted[from]! / KEYS_MAX);
        let to = from + 1;
        while (to < sorted.length && sorted[to]! < (hash + 1) * KEYS_MAX) to++;
        kept = this.#keep(sorted.subarray(from, to), args, kept);
        from = to;
      }
      this.#ends[shard] = kept;
    }
    return kept;
  }

  /** Keeps the different ones of the keys with one hash. */
  #keep(sorted: Float64Array, args: Arguments, kept: number): number {
    let end = kept;
    // From the last one on, since that is the one that counts.
    for (let at = sorted.length - 1; at >= 0; at--) {
      const i = sorted[at]! % KEYS_MAX;
      let known = kept;
      while (known < end && !this.#isSame(this.#order[known]!, i, args)) {
        known++;
      }
      if (known === end) this.#order[end++] = i;
      const same = this.#order[known]!;
      this.#same[i] = same;
      this.#times[same]!++;
    }
    return end;
  }

  #isSame(i: number, other: number, args: Arguments): boolean {
    const at = this.#positions[i]!;
    const otherAt = this.#positions[other]!;
    const length = args.length[at]!;
    return length === args.length[otherAt] && equalLong(
      args.source(at),
      args.off[at]!,
      args.source(otherAt),
      args.off[otherAt]!,
      length,
    );
  }
}
