/**
 * PFCOUNT and PFMERGE of many HyperLogLogs, in slices: all keys are locked at one
 * instant, and merged one by one. A dense one takes some 20 us.
 *
 * @module
 */

import type { Key } from "../keyspace/key.ts";
import { PFADD } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { entryForReaders } from "../keyspace/locking.ts";
import {
  type ErrorReply,
  HYPERLOGLOG_CORRUPT,
  NOT_A_HYPERLOGLOG,
  WRONG_TYPE,
} from "../resp/error_reply.ts";
import { TYPE_STRING } from "../types/entry.ts";
import {
  countRegisters,
  HLL_DENSE,
  HLL_REGISTERS,
  HyperLogLogEditor,
  mergeInto,
} from "../types/hyperloglog.ts";
import type { Call, ChangeLocks, ChangePlace, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import {
  encodingAt,
  isHll,
  load,
  replyCount,
  storeEditor,
} from "./hyperloglog_entry.ts";

/** More keys than these are merged in slices. */
const MERGED_AT_ONCE_MAX = 16;
/** So are sparse ones of more bytes together: each register is looked for. */
const SPARSE_BYTES_AT_ONCE_MAX = 1000;
/** Registers that are raised in one slice. */
const SLICE_REGISTERS = 1024;

/** Whether the keys of a command that only reads them are merged in slices. */
export function isLongUnion({ keyCount, canWait }: Call): boolean {
  return canWait && keyCount > MERGED_AT_ONCE_MAX;
}

/** The same, if the union becomes the value of a key. */
export function isLongMerge(call: Call): boolean {
  if (isLongUnion(call)) return true;
  let sparseBytes = 0;
  for (let i = 0; i < call.keyCount; i++) {
    const key = call.key(i);
    const space = call.keyspace(key);
    const ref = space.peek(call.db, key);
    if (ref === 0 || space.type(ref) !== TYPE_STRING) continue;
    // A dense one makes it quick to raise them.
    if (!isHll(space, ref) || encodingAt(space, ref) === HLL_DENSE) {
      return false;
    }
    sparseBytes += space.strings.length(ref);
  }
  return call.canWait && sparseBytes > SPARSE_BYTES_AT_ONCE_MAX;
}

/** A key that is merged. */
interface Source extends ChangePlace {
  /** Whether it had a value when the command began. */
  readonly isThere: boolean;
}

/** The union of the HyperLogLogs of a command's keys. */
abstract class Union implements SlicedChange {
  /** Set if a value is none that can be merged: then nothing is done. */
  error: ErrorReply | null = null;
  readonly locks: ChangeLocks;
  protected readonly db: number;
  protected readonly registers = new Uint8Array(HLL_REGISTERS);
  protected hasDense = false;
  protected readonly sources: Source[] = [];
  /** The error of the key behind the sources; null if they are all. */
  #lastError: ErrorReply | null = null;
  readonly #first: ChangePlace;
  #merged = 0;

  /** So many of the first keys are to be changed. */
  constructor(call: Call, written: number) {
    const { db, nowMs, keyCount } = call;
    this.db = db;
    const names: Uint8Array[] = [];
    for (let i = 0; i < keyCount; i++) {
      const { buf, off, length, hash, shard } = call.key(i);
      const name = buf.slice(off, off + length);
      names.push(name);
      if (this.#lastError !== null) continue;
      const key: Key = { buf: name, off: 0, length, hash, shard };
      const space = call.keyspace(key);
      const ref = space.lookupRead(db, key, nowMs);
      if (ref !== 0) this.#lastError = errorOf(space, ref);
      this.sources.push({ space, key, isThere: ref !== 0 });
    }
    this.#first = this.sources[0]!;
    if (this.#lastError !== null) this.sources.pop();
    this.locks = {
      read: names.slice(written),
      write: names.slice(0, written),
    };
  }

  get place(): ChangePlace {
    return this.sources[this.#merged] ?? this.#first;
  }

  step(space: Keyspace): boolean {
    if (this.#merged < this.sources.length) {
      this.#merge(this.sources[this.#merged++]!);
      return this.error === null;
    }
    this.error ??= this.#lastError;
    return this.error === null && this.proceed(space);
  }

  #merge({ space, key, isThere }: Source): void {
    if (!isThere) return;
    const ref = entryForReaders(space, this.db, key);
    const { strings } = space;
    const bytes = strings.bytes(ref);
    const off = strings.off(ref);
    if (!mergeInto(this.registers, bytes, off, strings.length(ref))) {
      this.error = HYPERLOGLOG_CORRUPT;
    } else if (encodingAt(space, ref) === HLL_DENSE) this.hasDense = true;
  }

  /**
   * All is merged: does a slice of what follows, with the first key; says whether
   * some is left.
   */
  protected abstract proceed(space: Keyspace): boolean;

  finish(space: Keyspace, db: number, key: Key): LateReply {
    const { error } = this;
    if (error !== null) return (reply) => reply.error(error);
    return this.end(space, db, key);
  }

  /** Does what is left to be done. */
  protected abstract end(space: Keyspace, db: number, key: Key): LateReply;
}

function errorOf(space: Keyspace, ref: number): ErrorReply | null {
  if (space.type(ref) !== TYPE_STRING) return WRONG_TYPE;
  return isHll(space, ref) ? null : NOT_A_HYPERLOGLOG;
}

/** PFCOUNT: the keys are only read. */
export class UnionCounting extends Union {
  constructor(call: Call) {
    super(call, 0);
  }

  protected proceed(): boolean {
    return false;
  }

  protected end(): LateReply {
    const count = countRegisters(this.registers);
    return (reply) => replyCount(reply, count);
  }
}

/** PFMERGE: the first key is one of the sources, and gets the union. */
export class UnionStoring extends Union {
  readonly #editor = new HyperLogLogEditor();
  readonly #sparseBytesMax: number;
  #isLoaded = false;
  #raised = 0;

  constructor(call: Call) {
    super(call, 1);
    this.#sparseBytesMax = call.settings.hllSparseMaxBytes;
  }

  protected proceed(space: Keyspace): boolean {
    const editor = this.#editor;
    if (!this.#isLoaded) {
      this.#isLoaded = true;
      if (!this.#load(space)) this.error = HYPERLOGLOG_CORRUPT;
      return this.error === null;
    }
    const end = this.#raised + SLICE_REGISTERS;
    for (; this.#raised < end; this.#raised++) {
      const value = this.registers[this.#raised]!;
      if (value > 0) editor.raise(this.#raised, value, this.#sparseBytesMax);
    }
    return end < HLL_REGISTERS;
  }

  #load(space: Keyspace): boolean {
    const editor = this.#editor;
    const { key, isThere } = this.sources[0]!;
    if (!isThere) editor.clear();
    else if (!load(editor, space, space.peek(this.db, key))) return false;
    return !this.hasDense || editor.makeDense();
  }

  protected end(space: Keyspace, db: number, key: Key): LateReply {
    storeEditor(this.#editor, space, db, key, space.peek(db, key));
    space.hooks.changed(db, key, PFADD);
    return (reply) => reply.ok();
  }
}
