/**
 * A file that a snapshot is written to: under another name until it is complete
 * and on the disk, so that there is always the old one or the new one.
 *
 * @module
 */

import { type Disk, type DiskFile, writeFully } from "./disk.ts";
import type { SnapshotSink } from "./snapshot_taker.ts";

/** Bytes between two waits for the disk, which then has little left to do. */
const SYNC_BYTES = 32 * 1024 * 1024;

/** One file; ends with {@linkcode commit} or {@linkcode discard}. */
export class SnapshotFile implements SnapshotSink {
  /** Bytes written. */
  bytes = 0;
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: DiskFile;
  #syncedBytes = 0;
  #syncing: Promise<unknown> | null = null;
  #failure: { cause: unknown } | null = null;

  /** `unique` tells apart files that are written at the same time. */
  constructor(disk: Disk, folder: string, name: string, unique: string) {
    this.#disk = disk;
    this.#folder = folder;
    this.#path = `${folder}/${name}`;
    this.#temporary = `${folder}/temp-${unique}.rdb`;
    this.#file = disk.open(this.#temporary, "create");
  }

  write(bytes: Uint8Array): void {
    writeFully(this.#file, this.bytes, bytes);
    this.bytes += bytes.length;
    if (
      this.bytes - this.#syncedBytes < SYNC_BYTES || this.#syncing !== null
    ) return;
    this.#syncedBytes = this.bytes;
    this.#syncing = this.#file.syncLater().then(
      () => this.#syncing = null,
      // Who asks again is told that all is well: this one counts.
      (cause) => this.#failure = { cause },
    );
  }

  /** Waits for the disk and gives the file its name. */
  async commit(): Promise<void> {
    try {
      await this.#syncing;
      if (this.#failure !== null) throw this.#failure.cause;
      await this.#file.syncLater();
    } catch (cause) {
      this.discard();
      throw cause;
    }
    this.#file.close();
    try {
      this.#disk.rename(this.#temporary, this.#path);
      this.#disk.syncDirectory(this.#folder);
    } catch (cause) {
      this.#remove();
      throw cause;
    }
  }

  /** Forgets the file. */
  discard(): void {
    this.#file.close();
    this.#remove();
  }

  #remove(): void {
    try {
      this.#disk.remove(this.#temporary);
    } catch {
      // The disk that did not take the file may not take it back either.
    }
  }
}
