/**
 * Large collections, written a little at a time: what a snapshot does with a
 * value that would take longer than anyone may wait.
 *
 * The value is shared (shared_value.ts) until all of it is written: who wants to
 * change it changes a copy, who deletes it leaves it here.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import { releaseValue, shareValue } from "../keyspace/shared_value.ts";
import { beginHash, continueHash } from "./rdb_hash.ts";
import { beginList, continueList } from "./rdb_list.ts";
import { beginSet, continueSet } from "./rdb_set.ts";
import {
  RDB_HASH,
  RDB_HASH_METADATA,
  RDB_LIST_QUICKLIST_2,
  RDB_SET,
  RDB_ZSET_2,
} from "./rdb_types.ts";
import { kindOf } from "./rdb_value.ts";
import type { RdbWriter } from "./rdb_writer.ts";
import { beginZset, continueZset } from "./rdb_zset.ts";
import { TYPE_STREAM, TYPE_STRING } from "../types/entry.ts";
import type { ValueTypes } from "../types/value_types.ts";

/** Elements from which on a value is large. */
const LARGE_ELEMENTS_MIN = 2048;

type Begin = (writer: RdbWriter, values: ValueTypes, ref: number) => number;
type Continue = (
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
  place: number,
) => number;

/** How values are written whose kind allows it. */
const WAYS: ReadonlyMap<number, readonly [Begin, Continue]> = new Map([
  [RDB_HASH, [beginHash, continueHash]],
  [RDB_HASH_METADATA, [beginHash, continueHash]],
  [RDB_SET, [beginSet, continueSet]],
  [RDB_ZSET_2, [beginZset, continueZset]],
  [RDB_LIST_QUICKLIST_2, [beginList, continueList]],
]);

/** Whether an entry's value is to be written as a {@linkcode LargeValue}. */
export function isLargeValue(space: Keyspace, ref: number): boolean {
  const type = space.type(ref);
  return type !== TYPE_STRING && type !== TYPE_STREAM &&
    space.length(ref) >= LARGE_ELEMENTS_MIN && WAYS.has(kindOf(space, ref));
}

/** A value that is being written. */
export class LargeValue {
  /** The shard of the value. */
  readonly space: Keyspace;
  readonly #reading: number;
  readonly #begin: Begin;
  readonly #continue: Continue;
  /** Where to go on; undefined before the beginning. */
  #place: number | undefined;

  /**
   * Shares the value of an entry; the shard's latch is held. May throw
   * OutOfMemory.
   */
  constructor(space: Keyspace, ref: number) {
    this.space = space;
    [this.#begin, this.#continue] = WAYS.get(kindOf(space, ref))!;
    this.#reading = shareValue(space, ref);
  }

  /**
   * Writes on until `isOver` says so, which is asked often; says whether all is
   * written. No latch is needed.
   */
  write(writer: RdbWriter, isOver: () => boolean): boolean {
    const { values } = this.space;
    let place = this.#place ?? this.#begin(writer, values, this.#reading);
    while (place >= 0) {
      place = this.#continue(writer, values, this.#reading, place);
      if (place >= 0 && isOver()) {
        this.#place = place;
        return false;
      }
    }
    return true;
  }

  /** Lets go of the value; the shard's latch is held. */
  release(): void {
    releaseValue(this.space, this.#reading);
  }
}
