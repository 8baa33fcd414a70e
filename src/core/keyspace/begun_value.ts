/**
 * The value that is being built: of any type but string, and no key has it yet.
 *
 * What it is filled with may still turn out to be too much, or wrong; the key
 * that gets it in the end keeps its old value until then. It lies in an entry
 * outside of all dictionaries. A command has that of its shard, one at a time,
 * which ends when it is stored, given in another's place or dropped; what is
 * built in slices has one of its own.
 *
 * Every method asks that the caller holds the shard's latch.
 *
 * @module
 */

import {
  NODE_HEADER_BYTES,
  NODE_KEY,
  NODE_META,
  NODE_VALUE,
} from "../memory/node.ts";
import type { Key } from "./key.ts";
import type { Keyspace } from "./keyspace.ts";
import { leaveValue } from "./shared_value.ts";

/** The value that is being built in one shard. */
export class BegunValue {
  readonly #space: Keyspace;
  /** Its entry, or 0. */
  #ref = 0;

  /** Of a shard. */
  constructor(space: Keyspace) {
    this.#space = space;
  }

  /** The entry of the value, 0 if none is being built. */
  get ref(): number {
    return this.#ref;
  }

  /** Begins an empty value and returns its entry; may throw OutOfMemory. */
  begin(type: number): number {
    this.drop();
    const space = this.#space;
    const ref = space.heap.allocate(NODE_HEADER_BYTES >> 3);
    space.setWord(ref, NODE_META, type);
    space.setWord(ref, NODE_KEY, 0);
    space.setWord(ref, NODE_VALUE, 0);
    this.#ref = ref;
    return ref;
  }

  /**
   * Gives the value to a key and returns its entry; `existing` is the key's
   * entry, whose value is freed, or 0. After OutOfMemory nothing has changed but
   * that the value is gone.
   */
  store(db: number, key: Key, existing: number, expireAtMs = 0): number {
    const space = this.#space;
    const begun = this.#ref;
    const type = space.type(begun);
    const ref = space.create(db, key, type, existing, expireAtMs);
    const kind = space.kind(begun);
    space.giveValue(ref, kind, space.takeValue(begun));
    this.#ref = 0;
    space.heap.free(begun);
    return ref;
  }

  /**
   * Puts the value in the place of an entry's, of the same type, which is freed
   * or left to its readers. Needs no memory.
   */
  replace(ref: number): void {
    const space = this.#space;
    const begun = this.#ref;
    if (space.hasReaders(ref)) leaveValue(space, ref);
    const kind = space.kind(begun);
    const root = space.takeValue(begun);
    const oldKind = space.kind(ref);
    space.giveValue(begun, oldKind, space.takeValue(ref));
    space.giveValue(ref, kind, root);
    this.drop();
  }

  /** Frees the value, if there is one. */
  drop(): void {
    const begun = this.#ref;
    if (begun === 0) return;
    this.#ref = 0;
    this.#space.freeEntry(begun);
  }
}
