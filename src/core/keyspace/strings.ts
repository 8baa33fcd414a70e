/**
 * The strings of one shard: entries whose value is bytes.
 *
 * ```text
 * short  [ header | key | bytes ]          the entry holds them
 * long   [ header | key ] -> [ bytes ]     in a run of their own, from
 *                                          EXTERNAL_BYTES_MIN on, or less if
 *                                          the name is long (long_names.ts)
 * ```
 *
 * A long string stays in its run when it gets shorter. A run may have several
 * entries, and replies that still send it: whoever changes it then takes a copy
 * first (memory/external.ts).
 *
 * Every method asks that the caller holds the shard's latch.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import type { ExternalStrings } from "../memory/external.ts";
import { type Heap, OutOfMemory } from "../memory/heap.ts";
import {
  KEY_LENGTH_MASK,
  keyOffset,
  NODE_KEY,
  NODE_VALUE,
} from "../memory/node.ts";
import { kindOf, STRING_EXTERNAL, TYPE_STRING } from "../types/entry.ts";
import type { Key } from "./key.ts";
import type { Keyspace } from "./keyspace.ts";
import { isLongName, liesInEntry } from "./long_names.ts";

const EXTERNAL_KIND = kindOf(TYPE_STRING, STRING_EXTERNAL);

/** The strings of one shard. */
export class Strings {
  readonly #space: Keyspace;
  readonly #heap: Heap;
  readonly #externals: ExternalStrings;

  /** `space` has its heap and its externals already. */
  constructor(space: Keyspace) {
    this.#space = space;
    this.#heap = space.heap;
    this.#externals = space.externals;
  }

  /** Length of a string's value. */
  length(ref: number): number {
    const word = this.#space.word(ref, NODE_VALUE);
    return this.#isExternal(ref) ? this.#externals.length(word) : word;
  }

  /** The byte view that holds a string's value. */
  bytes(ref: number): Uint8Array {
    const space = this.#space;
    return this.#isExternal(ref)
      ? this.#externals.bytes(space.word(ref, NODE_VALUE))
      : space.bytes(ref);
  }

  /** Offset of a string's value in {@linkcode bytes}. */
  off(ref: number): number {
    const space = this.#space;
    return this.#isExternal(ref)
      ? this.#externals.offset(space.word(ref, NODE_VALUE))
      : space.keyOff(ref) + space.keyLength(ref);
  }

  /**
   * Makes the key a string of the given bytes, whatever it was before.
   * `existing` is its entry, or 0. `expireAtMs` is 0 for none. Returns the
   * entry. Throws OutOfMemory before anything is changed.
   */
  set(
    db: number,
    key: Key,
    existing: number,
    source: Uint8Array,
    off: number,
    length: number,
    encoding: number,
    expireAtMs: number,
  ): number {
    const space = this.#space;
    if (!liesInEntry(key.length, length)) {
      const run = this.#makeRun(length);
      copyBytes(
        source,
        off,
        this.#externals.bytes(run),
        this.#externals.offset(run),
        length,
      );
      return this.setExternal(db, key, existing, run, expireAtMs);
    }
    const ref = this.#makeShort(
      db,
      key,
      existing,
      length,
      encoding,
      expireAtMs,
    );
    copyBytes(
      source,
      off,
      space.bytes(ref),
      space.keyOff(ref) + key.length,
      length,
    );
    return ref;
  }

  /**
   * As {@linkcode set}, but the bytes are the caller's to write: until then they
   * are arbitrary.
   */
  make(
    db: number,
    key: Key,
    existing: number,
    length: number,
    encoding: number,
    expireAtMs: number,
  ): number {
    if (!liesInEntry(key.length, length)) {
      const run = this.#makeRun(length);
      return this.setExternal(db, key, existing, run, expireAtMs);
    }
    return this.#makeShort(db, key, existing, length, encoding, expireAtMs);
  }

  /** As {@linkcode make}, of a string that lies in its entry. */
  #makeShort(
    db: number,
    key: Key,
    existing: number,
    length: number,
    encoding: number,
    expireAtMs: number,
  ): number {
    const space = this.#space;
    const kind = kindOf(TYPE_STRING, encoding);
    const ref = space.make(db, key, existing, kind, length, expireAtMs);
    space.setWord(ref, NODE_VALUE, length);
    return ref;
  }

  /**
   * Makes the key a string whose bytes lie in `run`, an external string: the
   * entry takes over one reference to it, which is dropped if this throws.
   */
  setExternal(
    db: number,
    key: Key,
    existing: number,
    run: number,
    expireAtMs: number,
  ): number {
    const space = this.#space;
    try {
      const ref = space.make(db, key, existing, EXTERNAL_KIND, 0, expireAtMs);
      space.setWord(ref, NODE_VALUE, run);
      this.#heap.adoptRun(run);
      return ref;
    } catch (cause) {
      this.#externals.unpin(run);
      throw cause;
    }
  }

  /**
   * Gives a string's entry room for `length` bytes of value and keeps what is
   * there; the bytes beyond are the caller's to write. Returns the entry, which
   * may have moved. The encoding becomes `encoding` unless the value lives in a
   * run of its own.
   */
  resize(db: number, ref: number, length: number, encoding: number): number {
    const kept = Math.min(length, this.length(ref));
    if (this.#isExternal(ref)) {
      this.#resizeRun(ref, kept, length);
      return ref;
    }
    const space = this.#space;
    if (!liesInEntry(space.keyLength(ref), length)) {
      return this.#moveOut(db, ref, length);
    }
    const moved = this.#resizeEntry(db, ref, kept, length);
    space.setWord(moved, NODE_VALUE, length);
    space.setKind(moved, kindOf(TYPE_STRING, encoding));
    return moved;
  }

  /** Frees the value of an entry if it lies in a run of its own. */
  free(ref: number): void {
    if (!this.#isExternal(ref)) return;
    const run = this.#space.word(ref, NODE_VALUE);
    this.#heap.disownRun(run);
    this.#externals.unpin(run);
  }

  /** Makes room for `length` bytes in an entry, and keeps the first ones. */
  #resizeEntry(db: number, ref: number, kept: number, length: number): number {
    const space = this.#space;
    const keyWord = space.word(ref, NODE_KEY);
    if (isLongName(keyWord)) return ref;
    const head = keyOffset(keyWord) + (keyWord & KEY_LENGTH_MASK);
    const had = head + space.word(ref, NODE_VALUE);
    return space.resize(db, ref, head + kept, had, head + length);
  }

  #isExternal(ref: number): boolean {
    return this.#space.encoding(ref) === STRING_EXTERNAL;
  }

  #makeRun(length: number): number {
    const run = this.#externals.create(length);
    if (run === 0) throw new OutOfMemory();
    this.#externals.setLength(run, length);
    return run;
  }

  /** Moves a value out of its entry into a run with room for `length` bytes. */
  #moveOut(db: number, ref: number, length: number): number {
    const space = this.#space;
    const had = space.word(ref, NODE_VALUE);
    const run = this.#makeRun(length);
    copyBytes(
      space.bytes(ref),
      space.keyOff(ref) + space.keyLength(ref),
      this.#externals.bytes(run),
      this.#externals.offset(run),
      had,
    );
    this.#heap.adoptRun(run);
    const moved = this.#resizeEntry(db, ref, 0, 0);
    space.setWord(moved, NODE_VALUE, run);
    space.setKind(moved, EXTERNAL_KIND);
    return moved;
  }

  /** A shared run is left to its readers and replaced by a copy. */
  #resizeRun(ref: number, kept: number, length: number): void {
    const externals = this.#externals;
    const run = this.#space.word(ref, NODE_VALUE);
    if (!externals.isShared(run)) {
      if (length <= externals.capacity(run)) {
        externals.setLength(run, length);
        return;
      }
      this.#heap.disownRun(run);
      const grown = externals.extend(run, length);
      this.#heap.adoptRun(run);
      if (grown) {
        externals.setLength(run, length);
        return;
      }
    }
    // A quarter more than asked, so that appending stays linear.
    const room = length > kept ? length + (length >>> 2) : length;
    const made = externals.create(room) || externals.create(length);
    if (made === 0) throw new OutOfMemory();
    copyBytes(
      externals.bytes(run),
      externals.offset(run),
      externals.bytes(made),
      externals.offset(made),
      kept,
    );
    externals.setLength(made, length);
    this.#heap.adoptRun(made);
    this.#heap.disownRun(run);
    externals.unpin(run);
    this.#space.setWord(ref, NODE_VALUE, made);
  }
}
