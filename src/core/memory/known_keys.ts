/**
 * What is known of the long keys that the command at hand looks for: their
 * hashes, and which nodes have them. Both are found out before the command has its
 * latches (compared_arguments.ts), since each takes up to a millisecond per
 * megabyte.
 *
 * A key is known by where its bytes lie, whatever they are in: fields and members
 * of tables, that is. Nothing of it is good for longer than a command.
 *
 * @module
 */

import { equalLong } from "../base/bytes.ts";
import { halfSipHash } from "../base/half_siphash.ts";

/** Shorter keys are hashed and compared where they are looked for. */
export const LONG_KEY_BYTES = 1 << 16;

/** One key, which may lie in several places. */
export interface KnownKey {
  readonly hash: number;
  /** Nodes that have been compared with it, and whether they have it. */
  readonly nodes: Map<number, boolean>;
  /** Nodes of sorted sets, and the order of theirs and this one, as `memcmp`'s. */
  readonly orders: Map<number, number>;
  /** A run with the bytes for the entry that will have them; 0 for none. */
  run: number;
}

/** The long keys of a command. */
export class KnownKeys {
  readonly #bufs: Uint8Array[] = [];
  readonly #offs: number[] = [];
  readonly #lengths: number[] = [];
  readonly #keys: KnownKey[] = [];
  /** Where the last one was found: they are looked for in their order. */
  #at = 0;

  /** Adds a key that lies there. */
  add(buf: Uint8Array, off: number, length: number, key: KnownKey): void {
    this.#bufs.push(buf);
    this.#offs.push(off);
    this.#lengths.push(length);
    this.#keys.push(key);
  }

  /** The key that lies there, if it is known. */
  find(buf: Uint8Array, off: number, length: number): KnownKey | undefined {
    const count = this.#keys.length;
    for (let i = 0; i < count; i++) {
      if (this.#at >= count) this.#at = 0;
      const at = this.#at;
      if (
        this.#offs[at] === off && this.#lengths[at] === length &&
        this.#bufs[at] === buf
      ) return this.#keys[at];
      this.#at++;
    }
    return undefined;
  }

  /** A key that has the same bytes, wherever they lie. */
  alike(
    hash: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): KnownKey | undefined {
    const at = this.#keys.findIndex((key, i) =>
      key.hash === hash && this.#lengths[i] === length &&
      equalLong(this.#bufs[i]!, this.#offs[i]!, buf, off, length)
    );
    return this.#keys[at];
  }

  /** The hash of a long key. */
  hash(
    buf: Uint8Array,
    off: number,
    length: number,
    seed0: number,
    seed1: number,
  ): number {
    return this.find(buf, off, length)?.hash ??
      halfSipHash(buf, off, length, seed0, seed1);
  }

  /** Whether a node has a long key; undefined if they have not been compared. */
  has(
    node: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): boolean | undefined {
    return this.find(buf, off, length)?.nodes.get(node);
  }

  /** The order of a node's key and a long one; undefined if it is not known. */
  order(
    node: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number | undefined {
    return this.find(buf, off, length)?.orders.get(node);
  }

  /** How often a node has been compared, and is kept for that. */
  keepersOf(node: number): number {
    // A key may lie in several places.
    const keys = new Set(this.#keys);
    let count = 0;
    for (const { nodes } of keys) if (nodes.has(node)) count++;
    return count;
  }

  /** Forgets all. */
  clear(): void {
    if (this.#keys.length === 0) return;
    this.#bufs.length = 0;
    this.#offs.length = 0;
    this.#lengths.length = 0;
    this.#keys.length = 0;
    this.#at = 0;
  }
}

/** Those of this worker's command. */
export const KNOWN_KEYS: KnownKeys = new KnownKeys();
