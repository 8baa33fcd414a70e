/**
 * Puts the keys of a snapshot into the shards.
 *
 * Several workers can load one file together: each reads all of it, and takes
 * the keys of its own shards. So there is nothing to hand out and nothing to
 * wait for, at the price that each passes over the keys of the others.
 *
 * A key that is there already is a damaged file's: keys are loaded into empty
 * databases, unless the caller says that what is there is to be replaced.
 *
 * @module
 */

import { hashSlot } from "../base/crc16.ts";
import type { AccessClock } from "../keyspace/access_clock.ts";
import { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { EntryNotes, FileVisitor } from "./rdb_file_reader.ts";
import { BadFormat, type RdbReader, type RdbString } from "./rdb_reader.ts";
import { skipValue } from "./rdb_skip.ts";
import { RDB_STRING } from "./rdb_types.ts";
import { dropValue, readValue, storeValue } from "./rdb_value.ts";

/** A longer time would soon look like a short one: the clock is a circle. */
const IDLE_SECONDS_MAX = 2 ** 23;

/** Whose shards, and how. */
export interface RdbLoadParts {
  /** All shards. */
  readonly keyspaces: readonly Keyspace[];
  /** The shard of each hash slot. */
  readonly slotShards: Uint16Array;
  /** Fills in a key. */
  fillKey(key: Key, buf: Uint8Array, off: number, length: number): void;
  /** Whether a shard's keys are this loader's. */
  readonly isOwn: (shard: number) => boolean;
  /** Excludes others from a shard. */
  readonly latches: {
    acquire(shard: number): void;
    release(shard: number): void;
  };
  /** Gives entries their clocks. */
  readonly clock: AccessClock;
  /** Keys that expire until then are passed over; 0 for none. */
  readonly nowMs: number;
  /** Whether keys that are there are replaced. */
  readonly replaces: boolean;
}

/** Loads one file, or a worker's share of it. */
export class RdbLoad implements FileVisitor {
  /** Keys loaded. */
  loaded = 0;
  /** Keys passed over because they had expired. */
  expired = 0;
  /** Libraries of functions passed over. */
  libraries = 0;
  /** Texts about the file. */
  readonly texts: Map<string, string> = new Map();
  readonly #parts: RdbLoadParts;
  readonly #key = new Key();

  /** See {@linkcode RdbLoadParts}. */
  constructor(parts: RdbLoadParts) {
    this.#parts = parts;
  }

  aux(name: string, text: string): void {
    this.texts.set(name, text);
  }

  library(): void {
    this.libraries++;
  }

  entry(
    reader: RdbReader,
    kind: number,
    name: RdbString,
    notes: EntryNotes,
  ): void {
    const parts = this.#parts;
    const { buf, off, length } = name;
    const shard = parts.slotShards[hashSlot(buf, off, length)]!;
    if (!parts.isOwn(shard)) return skipValue(reader, kind);
    const { expireAtMs } = notes;
    if (expireAtMs !== 0 && expireAtMs <= parts.nowMs) {
      skipValue(reader, kind);
      this.expired++;
      return;
    }
    const space = parts.keyspaces[shard]!;
    if (notes.db >= space.databases) {
      throw new BadFormat(
        `database ${notes.db}, and there are ${space.databases} databases`,
      );
    }
    const key = this.#key;
    parts.fillKey(key, buf, off, length);
    parts.latches.acquire(shard);
    try {
      readValue(reader, kind, space);
      this.#store(reader, kind, space, key, notes);
      this.loaded++;
    } finally {
      if (kind !== RDB_STRING) dropValue(reader, space);
      else reader.end();
      parts.latches.release(shard);
    }
  }

  #store(
    reader: RdbReader,
    kind: number,
    space: Keyspace,
    key: Key,
    notes: EntryNotes,
  ): void {
    const { db, expireAtMs, idleSeconds, frequency } = notes;
    const existing = space.peek(db, key);
    if (existing !== 0 && !this.#parts.replaces) {
      throw new BadFormat("the key is there twice");
    }
    const ref = storeValue(reader, kind, space, db, key, existing, expireAtMs);
    const { clock } = this.#parts;
    if (frequency >= 0 && clock.isLfu) {
      space.setClock(ref, clock.withCounter(frequency));
    } else if (idleSeconds >= 0 && !clock.isLfu) {
      space.setClock(
        ref,
        clock.idleSince(Math.min(idleSeconds, IDLE_SECONDS_MAX)),
      );
    }
  }
}
