/**
 * The prefixes that clients want to be told of (CLIENT TRACKING BCAST), over all
 * workers.
 *
 * How many clients a prefix has on each worker stands in shared memory, as with
 * channels (subscriber_counts.ts), in the first shard. While there is one, a bit
 * of every shard's hook word says so, set under all latches: what is written
 * after that is told. Each worker keeps an index of all prefixes, made anew when
 * their version in shared memory has changed.
 *
 * @module
 */

import { asciiOf, latin1BytesOf } from "../../core/base/bytes.ts";
import { halfSipHash } from "../../core/base/half_siphash.ts";
import { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import {
  type NameVisitor,
  PREFIX,
} from "../../core/keyspace/subscriber_counts.ts";
import type { Latches } from "../latch/shard_latches.ts";
import {
  PROCESS_PREFIXES,
  PROCESS_PREFIXES_VERSION,
} from "../messages/shared_state.ts";

/** The shard that counts prefixes. */
const PREFIX_SHARD = 0;
/** Positions of the dictionary of prefixes that are visited in one hold. */
const HOLD_POSITIONS = 16;
/** Prefixes that are added or removed in one hold. */
const HOLD_PREFIXES = 64;
/** Bytes of these after which no more are. */
const HOLD_BYTES = 64 * 1024;

/** What the prefixes need from the worker around them. */
export interface PrefixParts {
  /** This worker, and how many there are. */
  readonly self: number;
  readonly workers: number;
  readonly keyspaces: readonly Keyspace[];
  readonly hashSeed: readonly [number, number];
  readonly latches: Latches;
  /** The process's words. */
  readonly process: Int32Array;
}

/** One per worker. */
export class Prefixes {
  readonly #parts: PrefixParts;
  /** Clients per worker, by the length of the prefix and by the prefix. */
  #index = new Map<number, Map<string, Int32Array>>();
  #version = 0;

  /** Knows of no prefix. */
  constructor(parts: PrefixParts) {
    this.#parts = parts;
  }

  /** Prefixes that clients have named, on all workers. */
  get count(): number {
    return Atomics.load(this.#parts.process, PROCESS_PREFIXES);
  }

  /**
   * Adds clients of this worker, one for each of the prefixes. Throws
   * OutOfMemory and has done nothing then.
   */
  add(prefixes: readonly string[]): void {
    let added = 0;
    try {
      this.#inHolds(prefixes, (key) => {
        this.#add(key);
        added++;
      });
    } catch (cause) {
      this.remove(prefixes.slice(0, added));
      throw cause;
    }
  }

  /** Takes clients of this worker away. */
  remove(prefixes: readonly string[]): void {
    this.#inHolds(prefixes, (key) => this.#remove(key));
  }

  /** Visits the prefixes that a key has, with their clients per worker. */
  match(key: string, visit: (clients: Int32Array) => void): void {
    const version = Atomics.load(this.#parts.process, PROCESS_PREFIXES_VERSION);
    if (version !== this.#version) this.#refresh();
    for (const [length, prefixes] of this.#index) {
      if (length > key.length) continue;
      const clients = prefixes.get(key.slice(0, length));
      if (clients !== undefined) visit(clients);
    }
  }

  /** Changes a few prefixes in one hold; shards know whether there are some. */
  #inHolds(
    prefixes: readonly string[],
    change: (key: Key) => void,
  ): void {
    const { latches, process } = this.#parts;
    for (let at = 0; at < prefixes.length;) {
      const keys: Key[] = [];
      let bytes = 0;
      while (
        at < prefixes.length && keys.length < HOLD_PREFIXES &&
        bytes < HOLD_BYTES
      ) {
        const key = this.#keyOf(prefixes[at++]!);
        keys.push(key);
        bytes += key.length;
      }
      let before = 0;
      latches.acquire(PREFIX_SHARD);
      try {
        before = this.count;
        keys.forEach(change);
      } finally {
        Atomics.add(process, PROCESS_PREFIXES_VERSION, 1);
        const isOther = (before > 0) !== (this.count > 0);
        latches.release(PREFIX_SHARD);
        if (isOther) this.#tellShards();
      }
    }
  }

  #tellShards(): void {
    const { keyspaces, latches } = this.#parts;
    latches.acquireAll();
    // Others may have changed them since, and tell the shards as well.
    for (const space of keyspaces) space.hooks.broadcast(this.count > 0);
    latches.releaseAll();
  }

  #add(key: Key): void {
    const { keyspaces, self, workers, process } = this.#parts;
    const { channels } = keyspaces[PREFIX_SHARD]!;
    const isFirst = channels.add(PREFIX, key, self, workers);
    if (isFirst) Atomics.add(process, PROCESS_PREFIXES, 1);
  }

  #remove(key: Key): void {
    const { keyspaces, self, process } = this.#parts;
    const { channels } = keyspaces[PREFIX_SHARD]!;
    const isLast = channels.remove(PREFIX, key, self);
    if (isLast) Atomics.sub(process, PROCESS_PREFIXES, 1);
  }

  #refresh(): void {
    const { keyspaces, latches, workers, process } = this.#parts;
    const { channels } = keyspaces[PREFIX_SHARD]!;
    const index = new Map<number, Map<string, Int32Array>>();
    // What changes meanwhile changes the version, and is seen next time.
    this.#version = Atomics.load(process, PROCESS_PREFIXES_VERSION);
    const learn: NameVisitor = (buf, off, length, node) => {
      const clients = new Int32Array(workers);
      for (let worker = 0; worker < workers; worker++) {
        clients[worker] = channels.on(node, worker);
      }
      const prefixes = index.get(length) ?? new Map<string, Int32Array>();
      index.set(length, prefixes);
      prefixes.set(asciiOf(buf, off, length), clients);
    };
    let cursor = 0;
    do {
      latches.acquire(PREFIX_SHARD);
      cursor = channels.visitFrom(PREFIX, cursor, HOLD_POSITIONS, learn);
      latches.release(PREFIX_SHARD);
    } while (cursor !== 0);
    this.#index = index;
  }

  #keyOf(prefix: string): Key {
    const { hashSeed } = this.#parts;
    const bytes = latin1BytesOf(prefix);
    const key = new Key();
    key.buf = bytes;
    key.off = 0;
    key.length = bytes.length;
    key.hash = halfSipHash(bytes, 0, bytes.length, hashSeed[0], hashSeed[1]);
    key.shard = PREFIX_SHARD;
    return key;
  }
}
