/**
 * Puts the keys of a snapshot into the shards.
 *
 * Several workers can load one file together: each reads all of it, and takes
 * the keys of its own shards. So there is nothing to hand out and nothing to
 * wait for, at the price that each passes over the keys of the others.
 *
 * Strings, of which there are most, are loaded a few at a time: their memory is
 * asked for first, so that the processor waits once for all.
 *
 * A key that is there already is a damaged file's: keys are loaded into empty
 * databases, unless the caller says that what is there is to be replaced.
 *
 * @module
 */

import { asciiOf } from "../base/bytes.ts";
import { hashSlot } from "../base/crc16.ts";
import type { AccessClock } from "../keyspace/access_clock.ts";
import { Key } from "../keyspace/key.ts";
import { LookAhead } from "../keyspace/look_ahead.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { EntryNotes, FileVisitor } from "./rdb_file_reader.ts";
import { BadFormat, type RdbReader, type RdbString } from "./rdb_reader.ts";
import { skipValue } from "./rdb_skip.ts";
import { RDB_STRING } from "./rdb_types.ts";
import { dropValue, readValue, storeValue } from "./rdb_value.ts";

/** A longer time would soon look like a short one: the clock is a circle. */
const IDLE_SECONDS_MAX = 2 ** 23;

/** Strings that are loaded together. */
const BATCH_KEYS = 32;

/** A key that is to be loaded. */
class PutKey {
  readonly key = new Key();
  db = 0;
  expireAtMs = 0;
  idleSeconds = -1;
  frequency = -1;
  /** Where its value begins. */
  valueAt = 0;
}

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
  /** More keys than these cannot be in the file, whatever it says. */
  readonly keysMax: number;
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
  readonly #ahead: LookAhead;
  /** Strings whose memory is brought near before they are loaded. */
  readonly #batch: readonly PutKey[] = Array.from(
    { length: BATCH_KEYS },
    () => new PutKey(),
  );
  #batched = 0;
  /** Where their values are. */
  #reader: RdbReader | null = null;
  readonly #now = new PutKey();

  /** See {@linkcode RdbLoadParts}. */
  constructor(parts: RdbLoadParts) {
    this.#parts = parts;
    this.#ahead = new LookAhead(parts.keyspaces[0]!.arena.i32);
  }

  aux(name: string, text: string): void {
    this.texts.set(name, text);
  }

  library(): void {
    this.libraries++;
  }

  sizes(db: number, keys: number, expires: number): void {
    const { keyspaces, isOwn, keysMax } = this.#parts;
    if (db >= keyspaces[0]!.databases || keys > keysMax) return;
    const shards = keyspaces.length;
    for (const space of keyspaces) {
      if (!isOwn(space.shard)) continue;
      this.#parts.latches.acquire(space.shard);
      space.expect(db, keys / shards, Math.min(keys, expires) / shards);
      this.#parts.latches.release(space.shard);
    }
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
    const batch = this.#batch;
    const isPutOff = kind === RDB_STRING && buf === reader.buf;
    const put = isPutOff ? batch[this.#batched]! : this.#now;
    parts.fillKey(put.key, buf, off, length);
    put.db = notes.db;
    put.expireAtMs = expireAtMs;
    put.idleSeconds = notes.idleSeconds;
    put.frequency = notes.frequency;
    if (!isPutOff) return this.#load(reader, kind, put);
    put.valueAt = reader.at;
    skipValue(reader, kind);
    this.#reader = reader;
    this.#ahead.add(space, put.db, put.key.hash);
    if (++this.#batched === batch.length) this.settle();
  }

  /** Loads the strings that were put off. */
  settle(): void {
    const count = this.#batched;
    if (count === 0) return;
    this.#batched = 0;
    this.#ahead.run();
    const reader = this.#reader!;
    const { at } = reader;
    for (let i = 0; i < count; i++) {
      const put = this.#batch[i]!;
      reader.at = put.valueAt;
      this.#load(reader, RDB_STRING, put);
    }
    reader.at = at;
  }

  /** Ends, whether all was loaded or not. */
  end(): void {
    const { keyspaces, isOwn, latches } = this.#parts;
    for (const space of keyspaces) {
      if (!isOwn(space.shard)) continue;
      latches.acquire(space.shard);
      for (let db = 0; db < space.databases; db++) space.expect(db, 0, 0);
      latches.release(space.shard);
    }
  }

  #load(reader: RdbReader, kind: number, put: PutKey): void {
    const parts = this.#parts;
    const { key } = put;
    const { shard } = key;
    const space = parts.keyspaces[shard]!;
    parts.latches.acquire(shard);
    try {
      readValue(reader, kind, space);
      this.#store(reader, kind, space, put);
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
    put: PutKey,
  ): void {
    const { key, db, expireAtMs, idleSeconds, frequency } = put;
    const existing = space.peek(db, key);
    if (existing !== 0 && !this.#parts.replaces) {
      throw new BadFormat(
        `key '${asciiOf(key.buf, key.off, Math.min(64, key.length))}' is ` +
          `there twice`,
      );
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
