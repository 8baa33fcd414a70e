/**
 * The folder of an append-only log: its files, and the manifest that says which
 * of them belong together.
 *
 * What belongs together changes in one step, by a manifest that takes the place
 * of the one before. A file is made and synced before a manifest names it, and
 * removed when none does any more; so after any accident the manifest that is
 * there names files that are there.
 *
 * @module
 */

import {
  type Disk,
  DiskError,
  type DiskFile,
  type DiskLock,
  readWhole,
  replaceFile,
  writeFully,
} from "./disk.ts";
import { FILE_HEAD_BYTES, makeFileHead } from "./log_frame.ts";
import {
  EMPTY_MANIFEST,
  formatManifest,
  type LogFile,
  type LogManifest,
  manifestName,
  nextBase,
  nextIncrement,
  parseManifest,
} from "./log_manifest.ts";

/** A log that cannot be used as it is. */
export class LogDamage extends Error {
  override name = "LogDamage";
}

/** One log. */
export class LogDirectory {
  readonly disk: Disk;
  /** Path of the folder. */
  readonly folder: string;
  readonly #prefix: string;
  #manifest: LogManifest = EMPTY_MANIFEST;
  #exists = false;

  /** `prefix` is what the names of all files begin with. */
  constructor(disk: Disk, folder: string, prefix: string) {
    this.disk = disk;
    this.folder = folder;
    this.#prefix = prefix;
  }

  /** What belongs together. */
  get manifest(): LogManifest {
    return this.#manifest;
  }

  /** Whether there is a log. */
  get exists(): boolean {
    return this.#exists;
  }

  /** The path of a file of the log. */
  path(name: string): string {
    return `${this.folder}/${name}`;
  }

  /**
   * Reads the manifest, and removes what no manifest will name.
   *
   * @throws {LogDamage} if it is no manifest.
   * @throws {DiskError} if the disk fails.
   */
  open(): void {
    this.read();
    this.disk.makeDirectory(this.folder);
    const parent = this.folder.slice(0, this.folder.lastIndexOf("/"));
    if (!this.#exists && parent !== "") this.disk.syncDirectory(parent);
    this.#removeLeftovers();
  }

  /** Reads the manifest and changes nothing. */
  read(): void {
    const name = manifestName(this.#prefix);
    const bytes = readWhole(this.disk, this.path(name));
    this.#exists = bytes !== null;
    this.#manifest = EMPTY_MANIFEST;
    if (bytes === null) return;
    const manifest = parseManifest(bytes);
    if (typeof manifest === "string") {
      throw new LogDamage(`Bad manifest ${this.path(name)}: ${manifest}`);
    }
    this.#manifest = manifest;
  }

  /** Keeps other servers away from the log; null if there is one already. */
  lock(): DiskLock | null {
    return this.disk.lock(this.path(`${this.#prefix}.lock`));
  }

  /** Bytes of a file. */
  sizeOf({ name }: LogFile): number {
    const file = this.disk.open(this.path(name), "read");
    try {
      return file.size();
    } finally {
      file.close();
    }
  }

  /**
   * Makes a file of changes that begin with this ticket. It belongs to the log
   * when {@linkcode addIncrement} has said so; one that `waitsForBase`, and has
   * a temporary name, when {@linkcode replaceBase} has.
   */
  createIncrement(
    firstTicket: number,
    waitsForBase: boolean,
  ): { entry: LogFile; file: DiskFile } {
    const entry = nextIncrement(this.#prefix, this.#manifest);
    const name = waitsForBase ? `temp-${entry.name}` : entry.name;
    const file = this.disk.open(this.path(name), "create");
    try {
      writeFully(file, 0, makeFileHead(firstTicket));
      file.sync();
      this.disk.syncDirectory(this.folder);
    } catch (cause) {
      file.close();
      throw cause;
    }
    return { entry, file };
  }

  /** Puts a file of changes behind the others. */
  addIncrement(entry: LogFile): void {
    const { base, increments, history } = this.#manifest;
    this.#write({ base, history, increments: [...increments, entry] });
  }

  /** The path at which the next snapshot is to be written. */
  get temporaryBase(): string {
    return this.path(`temp-${nextBase(this.#prefix, this.#manifest).name}`);
  }

  /**
   * Puts the snapshot at {@linkcode temporaryBase}, which is synced, in the
   * place of all before it: the log is that and the files of changes from
   * `first` on.
   */
  replaceBase(first: LogFile): void {
    const before = this.#manifest;
    const base = nextBase(this.#prefix, before);
    this.disk.rename(this.temporaryBase, this.path(base.name));
    if (!before.increments.some(({ seq }) => seq === first.seq)) {
      const path = this.path(first.name);
      this.disk.rename(this.path(`temp-${first.name}`), path);
    }
    this.disk.syncDirectory(this.folder);
    const kept = before.increments.filter(({ seq }) => seq > first.seq);
    const old = before.increments.filter(({ seq }) => seq < first.seq);
    if (before.base !== null) old.push(before.base);
    this.#write({
      base,
      increments: [first, ...kept],
      history: [
        ...before.history,
        ...old.map((file) => ({ ...file, kind: "h" })),
      ],
    });
    this.#dropHistory();
  }

  #write(manifest: LogManifest): void {
    const name = manifestName(this.#prefix);
    try {
      replaceFile(this.disk, this.folder, name, formatManifest(manifest));
    } catch (cause) {
      this.#readAgain();
      throw cause;
    }
    this.#manifest = manifest;
    this.#exists = true;
  }

  /** What has failed may have put the new manifest there nevertheless. */
  #readAgain(): void {
    const manifest = this.#manifest;
    const exists = this.#exists;
    try {
      this.read();
    } catch {
      this.#manifest = manifest;
      this.#exists = exists;
    }
  }

  /** Removes what is no longer needed; what cannot be removed is tried again. */
  #dropHistory(): void {
    const { base, increments, history } = this.#manifest;
    if (history.length === 0) return;
    try {
      for (const { name } of history) this.disk.remove(this.path(name));
      this.#write({ base, increments, history: [] });
    } catch (cause) {
      if (!(cause instanceof DiskError)) throw cause;
    }
  }

  /** Files that were begun before an accident, and history. */
  #removeLeftovers(): void {
    this.#dropHistory();
    const { base, increments } = this.#manifest;
    const named = new Set(increments.map(({ name }) => name));
    if (base !== null) named.add(base.name);
    const start = `${this.#prefix}.`;
    for (const name of this.disk.list(this.folder)) {
      const isOurs = name.startsWith(`temp-${start}`) ||
        name.startsWith(start) && /\.\d+\.(incr\.aof|base\.rdb)$/.test(name);
      if (!isOurs || named.has(name)) continue;
      // The first start may have been cut off before there was a manifest.
      if (
        !this.#exists && !name.startsWith("temp-") &&
        this.sizeOf({ name, seq: 0 }) > FILE_HEAD_BYTES
      ) {
        throw new LogDamage(
          `There is ${this.path(name)}, but no manifest that names it`,
        );
      }
      this.disk.remove(this.path(name));
    }
  }
}
