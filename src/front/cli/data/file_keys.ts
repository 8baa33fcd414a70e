/**
 * The keys of a snapshot file, batch by batch.
 *
 * @module
 */

import { ExternalStrings } from "../../../core/memory/external.ts";
import { Arena, reserveArena } from "../../../core/memory/arena.ts";
import { PagePool } from "../../../core/memory/page_pool.ts";
import {
  type EntryNotes,
  type FileVisitor,
  RdbFileReader,
} from "../../../core/rdb/rdb_file_reader.ts";
import type { RdbReader, RdbString } from "../../../core/rdb/rdb_reader.ts";
import { skipValue } from "../../../core/rdb/rdb_skip.ts";
import { RDB_VERSION_7_0 } from "../../../core/rdb/rdb_types.ts";
import { versionOfKind } from "../../../core/rdb/rdb_value.ts";
import type { DiskFile } from "../../../engine/persistence/disk.ts";
import { sourceOf } from "../../server/rdb_loading.ts";
import { type DumpedKey, framePayload } from "./dumped_key.ts";

/** Bytes of values after which a batch ends. */
const BATCH_BYTES = 1024 * 1024;
const BATCH_KEYS = 1024;
/** For keys that are compressed, which are short. */
const ARENA_BYTES = 2 ** 30;

/** Reads a file; ends when its end was read, wherever the file's own is. */
export class FileKeys implements FileVisitor {
  /** Texts about the file. */
  readonly texts: Map<string, string> = new Map();
  /** Libraries of functions, which are passed over. */
  libraries = 0;
  readonly #reader: RdbFileReader;
  #batch: DumpedKey[] = [];
  #bytes = 0;

  /** `file` is a snapshot. */
  constructor(file: DiskFile) {
    const arena = new Arena(reserveArena(ARENA_BYTES));
    const pool = new PagePool(arena, false);
    pool.format();
    this.#reader = new RdbFileReader(
      sourceOf(file),
      this,
      new ExternalStrings(arena, pool),
      true,
    );
  }

  /** Bytes read. */
  get offset(): number {
    return this.#reader.offset;
  }

  /** The keys. Throws BadFile. */
  *batches(): Generator<readonly DumpedKey[]> {
    this.#reader.readHead();
    for (;;) {
      const isMore = this.#reader.read(() =>
        this.#bytes > BATCH_BYTES || this.#batch.length > BATCH_KEYS
      );
      const batch = this.#batch;
      this.#batch = [];
      this.#bytes = 0;
      if (batch.length > 0) yield batch;
      if (!isMore) return;
    }
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
    { buf, off, length }: RdbString,
    notes: EntryNotes,
  ): void {
    const key = buf.slice(off, off + length);
    const start = reader.at;
    skipValue(reader, kind);
    const value = reader.buf.subarray(start, reader.at);
    const version = Math.max(RDB_VERSION_7_0, versionOfKind(kind));
    const { db, expireAtMs, idleSeconds, frequency } = notes;
    this.#batch.push({
      db,
      key,
      payload: framePayload(kind, value, version),
      expireAtMs,
      idleSeconds,
      frequency,
    });
    this.#bytes += value.length;
  }
}
