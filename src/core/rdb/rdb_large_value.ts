/**
 * Large values and long names, written a little at a time: what a snapshot does
 * with what would take longer than anyone may wait.
 *
 * A collection is shared (shared_value.ts) until all of it is written, and the
 * run of a string pinned: who wants to change it changes a copy, who deletes it
 * leaves it here. That of a name is kept.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import { releaseValue, shareValue } from "../keyspace/shared_value.ts";
import type { Heap } from "../memory/heap.ts";
import { STRING_EXTERNAL, TYPE_STREAM, TYPE_STRING } from "../types/entry.ts";
import type { ValueTypes } from "../types/value_types.ts";
import { beginHash, continueHash } from "./rdb_hash.ts";
import { beginList, continueList } from "./rdb_list.ts";
import { beginSet, continueSet } from "./rdb_set.ts";
import { streamInSteps } from "./rdb_stream.ts";
import {
  RDB_HASH,
  RDB_HASH_METADATA,
  RDB_LIST_QUICKLIST_2,
  RDB_SET,
  RDB_STREAM_LISTPACKS_2,
  RDB_ZSET_2,
} from "./rdb_types.ts";
import { kindOf } from "./rdb_value.ts";
import { COMPRESSED_BYTES_MAX, type RdbWriter } from "./rdb_writer.ts";
import { beginZset, continueZset } from "./rdb_zset.ts";

/** Elements from which on a value is large. */
const LARGE_ELEMENTS_MIN = 2048;
/** Bytes from which on it is. */
const LARGE_BYTES_MIN = 128 * 1024;
/** Looks at all elements: one that is long may be any of them. */
const ALL = 0;
/** Looks at a few first: where all are long, these tell. */
const SAMPLES = 16;
/** Nodes, pending entries and the like from which on a stream is large. */
const LARGE_WEIGHT_MIN = 64;
/** Bytes of a string that are written at once. */
const STRING_STEP_BYTES = 32 * 1024;

type Begin = (writer: RdbWriter, values: ValueTypes, ref: number) => number;
type Continue = (
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
  place: number,
) => number;

/** Writes a value; what it yields between two steps says nothing. */
type InSteps = (
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
) => Generator<void, void>;

/** How values are written whose kind allows it. */
const WAYS: ReadonlyMap<number, InSteps> = new Map([
  [RDB_HASH, collection(beginHash, continueHash)],
  [RDB_HASH_METADATA, collection(beginHash, continueHash)],
  [RDB_SET, collection(beginSet, continueSet)],
  [RDB_ZSET_2, collection(beginZset, continueZset)],
  [RDB_LIST_QUICKLIST_2, collection(beginList, continueList)],
  [RDB_STREAM_LISTPACKS_2, streamInSteps],
]);

function collection(begin: Begin, goOn: Continue): InSteps {
  return function* (writer, values, ref) {
    let place = begin(writer, values, ref);
    while (place >= 0) {
      place = goOn(writer, values, ref, place);
      yield;
    }
  };
}

/** Whether an entry's value is to be written as a {@linkcode LargeValue}. */
export function isLargeValue(space: Keyspace, ref: number): boolean {
  const type = space.type(ref);
  if (type === TYPE_STRING) return space.encoding(ref) === STRING_EXTERNAL;
  const values = space.values.of(type);
  if (type === TYPE_STREAM && values.weight(ref) >= LARGE_WEIGHT_MIN) {
    return true;
  }
  return WAYS.has(kindOf(space, ref)) &&
    (values.length(ref) >= LARGE_ELEMENTS_MIN ||
      values.memoryBytes(ref, SAMPLES) >= LARGE_BYTES_MIN ||
      values.memoryBytes(ref, ALL) >= LARGE_BYTES_MIN);
}

/** A part of a record that is written a little at a time. */
export interface RecordPart {
  /**
   * Writes on until `isOver` says so, which is asked often; says whether all is
   * written. No latch is needed.
   */
  write(writer: RdbWriter, isOver: () => boolean): boolean;
  /** Lets go of what is written; the shard's latch is held. */
  release(): void;
}

/** A long name of a key that is being written. */
export class LongName implements RecordPart {
  readonly #heap: Heap;
  readonly #run: number;
  readonly #bytes: Uint8Array;
  readonly #off: number;
  readonly #length: number;
  #steps: Generator<void, void> | null = null;

  /** Keeps the name of an entry; the shard's latch is held. */
  constructor(space: Keyspace, ref: number) {
    this.#heap = space.heap;
    this.#run = ref;
    this.#bytes = space.bytes(ref);
    this.#off = space.keyOff(ref);
    this.#length = space.keyLength(ref);
    space.heap.keep(ref);
  }

  write(writer: RdbWriter, isOver: () => boolean): boolean {
    this.#steps ??= stringInSteps(
      writer,
      this.#bytes,
      this.#off,
      this.#length,
    );
    while (this.#steps.next().done !== true) if (isOver()) return false;
    return true;
  }

  release(): void {
    this.#heap.letGo(this.#run);
  }
}

/** Bytes that are written already. */
export class WrittenBytes implements RecordPart {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  write(writer: RdbWriter): boolean {
    writer.raw(this.#bytes, 0, this.#bytes.length);
    return true;
  }

  release(): void {}
}

/** A value that is being written. */
export class LargeValue implements RecordPart {
  /** The shard of the value. */
  readonly space: Keyspace;
  /** What shares a collection, and can be read as an entry; or 0. */
  readonly reading: number;
  /** The run of a string, or 0. */
  readonly #run: number;
  readonly #way: InSteps;
  #steps: Generator<void, void> | null = null;

  /**
   * Shares the value of an entry, which {@linkcode isLargeValue}; the shard's
   * latch is held. May throw OutOfMemory.
   */
  constructor(space: Keyspace, ref: number) {
    this.space = space;
    if (space.type(ref) === TYPE_STRING) {
      const run = space.valueRef(ref);
      space.externals.pin(run);
      this.#run = run;
      this.reading = 0;
      const { externals } = space;
      this.#way = (writer) =>
        stringInSteps(
          writer,
          externals.bytes(run),
          externals.offset(run),
          externals.length(run),
        );
    } else {
      this.#way = WAYS.get(kindOf(space, ref))!;
      this.reading = shareValue(space, ref);
      this.#run = 0;
    }
  }

  write(writer: RdbWriter, isOver: () => boolean): boolean {
    this.#steps ??= this.#way(writer, this.space.values, this.reading);
    while (this.#steps.next().done !== true) if (isOver()) return false;
    return true;
  }

  release(): void {
    if (this.#run !== 0) this.space.externals.unpin(this.#run);
    else releaseValue(this.space, this.reading);
  }
}

/** A string that may be compressed is written in one step. */
function* stringInSteps(
  writer: RdbWriter,
  bytes: Uint8Array,
  off: number,
  length: number,
): Generator<void, void> {
  if (length <= COMPRESSED_BYTES_MAX) return writer.string(bytes, off, length);
  writer.length(length);
  for (let at = 0; at < length; at += STRING_STEP_BYTES) {
    const count = Math.min(STRING_STEP_BYTES, length - at);
    writer.raw(bytes, off + at, count);
    yield;
  }
}
