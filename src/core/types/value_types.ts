/**
 * The types of values that a keyspace has, strings aside: those are bytes of
 * their entry.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import {
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_ZSET,
} from "./entry.ts";
import { HashValue } from "./hash_value.ts";
import { ListValue } from "./list_value.ts";
import { SetValue } from "./set_value.ts";
import { StreamValue } from "./stream_value.ts";
import type { ValueMemory, ValueType } from "./value_type.ts";
import { ZsetValue } from "./zset_value.ts";

/** One object of each type. */
export class ValueTypes {
  /** What they have in common. */
  readonly memory: ValueMemory;
  /** Lists. */
  readonly lists: ListValue;
  /** Sets. */
  readonly sets: SetValue;
  /** Sorted sets. */
  readonly zsets: ZsetValue;
  /** Hashes. */
  readonly hashes: HashValue;
  /** Streams. */
  readonly streams: StreamValue;
  readonly #byType: (ValueType | undefined)[] = [];

  /** One object per keyspace. */
  constructor(memory: ValueMemory) {
    this.memory = memory;
    this.lists = new ListValue(memory);
    this.sets = new SetValue(memory);
    this.zsets = new ZsetValue(memory);
    this.hashes = new HashValue(memory);
    this.streams = new StreamValue(memory);
    this.#byType[TYPE_LIST] = this.lists;
    this.#byType[TYPE_SET] = this.sets;
    this.#byType[TYPE_ZSET] = this.zsets;
    this.#byType[TYPE_HASH] = this.hashes;
    this.#byType[TYPE_STREAM] = this.streams;
  }

  /** The type with this number, which is not that of strings. */
  of(type: number): ValueType {
    const found = this.#byType[type];
    assert(found !== undefined, "an entry has a type that there is");
    return found;
  }
}
