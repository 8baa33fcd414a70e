/**
 * The disk of the machine, through Deno.
 *
 * @module
 */

import {
  type Disk,
  DiskError,
  type DiskFile,
  type DiskLock,
  type DiskOperation,
  type OpenMode,
} from "../../engine/persistence/disk.ts";
import { DirectWriting } from "./direct_writing.ts";
import { systemReason } from "./host_facts.ts";
import { systemCalls } from "./network/system_calls.ts";

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Implements {@linkcode Disk}. */
export class DenoDisk implements Disk {
  open(path: string, mode: OpenMode): DiskFile {
    return new DenoFile(path, openFile(path, mode));
  }

  rename(from: string, to: string): void {
    attempt("rename", from, () => Deno.renameSync(from, to));
  }

  remove(path: string): void {
    try {
      Deno.removeSync(path);
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return;
      throw errorOf("remove", path, cause);
    }
  }

  list(folder: string): string[] {
    try {
      return Array.from(Deno.readDirSync(folder), (entry) => entry.name);
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return [];
      throw errorOf("list", folder, cause);
    }
  }

  makeDirectory(path: string): void {
    attempt("mkdir", path, () => {
      Deno.mkdirSync(path, { recursive: true, mode: FOLDER_MODE });
    });
  }

  syncDirectory(path: string): void {
    // Windows knows no such thing.
    if (Deno.build.os === "windows") return;
    attempt("sync", path, () => {
      using folder = Deno.openSync(path, { read: true });
      folder.syncSync();
    });
  }

  lock(path: string): DiskLock | null {
    const file = openFile(path, "update", true);
    try {
      if (file.tryLockSync(true)) return { release: () => file.close() };
    } catch (cause) {
      file.close();
      throw errorOf("lock", path, cause);
    }
    file.close();
    return null;
  }
}

class DenoFile implements DiskFile {
  readonly path: string;
  readonly #file: Deno.FsFile;
  /** Where the next byte goes that is written without a seek. */
  #position = 0;
  /** A descriptor of its own; -1 while there is none. */
  #descriptor = -1;
  /** Up to where room is reserved. */
  #reservedEnd = 0;
  #direct: DirectWriting | null = null;

  constructor(path: string, file: Deno.FsFile) {
    this.path = path;
    this.#file = file;
  }

  size(): number {
    return attempt("read", this.path, () => this.#file.statSync().size);
  }

  read(at: number, into: Uint8Array): number {
    return attempt("read", this.path, () => {
      this.#seek(at);
      const count = this.#file.readSync(into) ?? 0;
      this.#position += count;
      return count;
    });
  }

  write(at: number, bytes: Uint8Array): number {
    this.#direct?.forget();
    return attempt("write", this.path, () => {
      this.#seek(at);
      const count = this.#file.writeSync(bytes);
      this.#position += count;
      return count;
    });
  }

  writeThrough(at: number, bytes: Uint8Array): number {
    if (systemCalls === null) return this.write(at, bytes);
    this.#direct ??= new DirectWriting(this.path, systemCalls);
    const written = this.#direct.write(at, bytes, this.#reservedEnd, this);
    return written > 0 ? written : this.write(at, bytes);
  }

  truncate(length: number): void {
    attempt("truncate", this.path, () => this.#file.truncateSync(length));
    this.#direct?.forget();
    this.#reservedEnd = Math.min(this.#reservedEnd, length);
  }

  reserve(length: number): boolean {
    const descriptor = this.descriptor();
    if (descriptor < 0) return false;
    const size = this.size();
    const isReserved = length <= size ||
      systemCalls!.reserveInFile(descriptor, size, length - size);
    if (isReserved) this.#reservedEnd = length;
    return isReserved;
  }

  descriptor(): number {
    if (this.#descriptor < 0 && systemCalls !== null) {
      this.#descriptor = systemCalls.openToWrite(this.path);
    }
    return this.#descriptor;
  }

  sync(): void {
    attempt("sync", this.path, () => this.#file.syncDataSync());
  }

  async syncLater(): Promise<void> {
    try {
      await this.#file.syncData();
    } catch (cause) {
      throw errorOf("sync", this.path, cause);
    }
  }

  close(): void {
    this.#direct?.close();
    if (this.#descriptor >= 0) systemCalls!.close(this.#descriptor);
    this.#descriptor = -1;
    try {
      this.#file.close();
    } catch {
      // There is nothing more that could be done about it.
    }
  }

  #seek(at: number): void {
    if (at === this.#position) return;
    this.#file.seekSync(at, Deno.SeekMode.Start);
    this.#position = at;
  }
}

function openFile(path: string, mode: OpenMode, create = false): Deno.FsFile {
  return attempt("open", path, () =>
    Deno.openSync(path, {
      read: true,
      write: mode !== "read",
      create: create || mode === "create",
      truncate: mode === "create",
      ...mode !== "read" && { mode: FILE_MODE },
    }));
}

function attempt<T>(
  operation: DiskOperation,
  path: string,
  run: () => T,
): T {
  try {
    return run();
  } catch (cause) {
    throw errorOf(operation, path, cause);
  }
}

function errorOf(
  operation: DiskOperation,
  path: string,
  cause: unknown,
): DiskError {
  if (!(cause instanceof Error)) throw cause;
  const { code } = cause as { code?: string };
  const reason = systemReason(cause);
  const missing = cause instanceof Deno.errors.NotFound ? "ENOENT" : "";
  return new DiskError(operation, path, code ?? missing, reason);
}
