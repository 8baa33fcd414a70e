/**
 * Values in one shard, dumped and restored without a server.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Digest, digestValue } from "../../../../src/core/keyspace/digest.ts";
import type { Key } from "../../../../src/core/keyspace/key.ts";
import type { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import {
  allocatedBytes,
  encodingName,
} from "../../../../src/core/keyspace/entry_facts.ts";
import { freeDetached } from "../../../../src/core/keyspace/detached_values.ts";
import { RdbReader } from "../../../../src/core/rdb/rdb_reader.ts";
import {
  dropValue,
  kindOf,
  readValue,
  storeValue,
  writeValue,
} from "../../../../src/core/rdb/rdb_value.ts";
import {
  TYPE_HASH,
  TYPE_LIST,
  TYPE_STREAM,
  TYPE_STRING,
  TYPE_ZSET,
} from "../../../../src/core/types/entry.ts";
import { Shards } from "../keyspace/_fixture.ts";
import { written } from "./_format.ts";

/** A shard with one key at a time, "k". */
export class Values {
  readonly shards: Shards;
  readonly space: Keyspace;
  readonly key: Key;

  /** The limits are Redis's unless `limits` say otherwise. */
  constructor(
    limits: readonly [name: string, value: string][] = [],
    arenaBytes = 16 << 20,
  ) {
    this.shards = new Shards({ shards: 1, arenaBytes });
    this.space = this.shards.keyspaces[0]!;
    this.key = this.shards.key("k");
    this.shards.settings.load([]);
    this.limit(limits);
  }

  /** Sets limits. */
  limit(limits: readonly (readonly [name: string, value: string])[]): void {
    const error = this.shards.settings.set(limits);
    assertEquals(error, undefined);
  }

  /** The entry of the key, or 0. */
  get ref(): number {
    return this.space.peek(0, this.key);
  }

  /** How the value is stored. */
  get encoding(): string {
    return encodingName(this.space, this.ref);
  }

  /** Kind and value, as DUMP has them before its footer. */
  dump(compresses = true): Uint8Array {
    return written((writer) => {
      writer.byte(kindOf(this.space, this.ref));
      writeValue(writer, this.space, this.ref);
    }, compresses);
  }

  /** Makes the key of what RESTORE takes before the footer. */
  restore(bytes: Uint8Array): void {
    const { space, key } = this;
    const reader = new RdbReader(space.externals, bytes, 0, bytes.length);
    try {
      const kind = reader.byte();
      readValue(reader, kind, space);
      storeValue(reader, kind, space, 0, key, this.ref, 0);
    } finally {
      dropValue(reader, space);
    }
  }

  /** What the value is, in an order that depends on nothing else. */
  contents(): string {
    const digest = new Digest();
    digestValue(digest, this.space, this.ref);
    return `${this.space.type(this.ref)} ${digest.hex}`;
  }

  /** Checks that the value is sound. */
  verify(): void {
    const { space, ref } = this;
    if (space.type(ref) !== TYPE_STRING) {
      assert(space.length(ref) > 0 || space.type(ref) === TYPE_STREAM);
    }
    assert(allocatedBytes(space, ref, 0) > 0);
    assert(this.encoding.length > 0);
    const { lists, zsets, hashes, streams } = space.values;
    switch (space.type(ref)) {
      case TYPE_LIST:
        return lists.verify(ref);
      case TYPE_ZSET:
        return zsets.verify(ref);
      case TYPE_HASH:
        return hashes.verify(ref);
      case TYPE_STREAM:
        return streams.verify(ref);
    }
  }

  /** Deletes the key and checks that nothing is left. */
  end(): void {
    if (this.ref !== 0) this.space.delete(0, this.ref);
    while (!freeDetached(this.space, 1e6));
    this.shards.verifyEmpty();
  }
}
