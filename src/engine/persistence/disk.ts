/**
 * The disk as persistence sees it: a port, so that tests can put a disk behind
 * it that fails.
 *
 * Contract:
 * - everything is synchronous, and meant for a thread that may wait, but for
 *   {@linkcode DiskFile.syncLater};
 * - what fails throws a {@linkcode DiskError} and nothing else;
 * - what was written is safe from the end of the process when `write` returns,
 *   from the end of the machine when `sync` returns after it;
 * - a new, renamed or removed file is safe from the end of the machine when
 *   `syncDirectory` of its folder returns.
 *
 * @module
 */

/** What a call to the disk was for. */
export type DiskOperation =
  | "open"
  | "read"
  | "write"
  | "sync"
  | "truncate"
  | "rename"
  | "remove"
  | "list"
  | "mkdir"
  | "lock";

/** The disk did not do what it was asked to. */
export class DiskError extends Error {
  override name = "DiskError";
  /** What was asked. */
  readonly operation: DiskOperation;
  /** The file or folder. */
  readonly path: string;
  /** The system's name of the error, such as `ENOSPC`; "" if it has none. */
  readonly code: string;
  /** What the system says, such as `No space left on device`. */
  readonly reason: string;

  /** `reason` is the system's own text. */
  constructor(
    operation: DiskOperation,
    path: string,
    code: string,
    reason: string,
  ) {
    super(`Cannot ${operation} ${path}: ${reason}`);
    this.operation = operation;
    this.path = path;
    this.code = code;
    this.reason = reason;
  }

  /** Whether the file or folder is not there. */
  get isMissing(): boolean {
    return this.code === "ENOENT";
  }
}

/** An open file. */
export interface DiskFile {
  /** Its path. */
  readonly path: string;
  /** Its length in bytes. */
  size(): number;
  /** Reads from `at` on; returns how many bytes, 0 at the end. */
  read(at: number, into: Uint8Array): number;
  /** Writes from `at` on; returns how many bytes, which may be fewer. */
  write(at: number, bytes: Uint8Array): number;
  /**
   * The same past the system's cache, where that can be, for very many bytes: it
   * takes memory from others, and a third of the time or less. Within what was
   * {@linkcode reserve}d there may be zeros behind the bytes, up to the end of a
   * block.
   */
  writeThrough(at: number, bytes: Uint8Array): number;
  /** Cuts it off. */
  truncate(length: number): void;
  /**
   * Has the file be so long and have room for all of it, in zeros where nothing
   * was written; false if that cannot be had, which does no harm.
   */
  reserve(length: number): boolean;
  /**
   * A descriptor by which any thread of the process can write it until it is
   * closed; -1 if there is none.
   */
  descriptor(): number;
  /** Waits until what was written is on the disk. */
  sync(): void;
  /** The same beside what else is done; rejects with a {@linkcode DiskError}. */
  syncLater(): Promise<void>;
  /** Lets go of it; never throws. */
  close(): void;
}

/** How a file is opened: `create` makes a new one, or empties an old one. */
export type OpenMode = "read" | "update" | "create";

/** A disk. Files are readable by their owner alone, and so are folders. */
export interface Disk {
  /** Opens a file. */
  open(path: string, mode: OpenMode): DiskFile;
  /** Puts a file in the place of another, all or nothing. */
  rename(from: string, to: string): void;
  /** Removes a file; one that is not there is no error. */
  remove(path: string): void;
  /** Names of the files in a folder; none if it is not there. */
  list(folder: string): string[];
  /** Makes a folder if it is not there. */
  makeDirectory(path: string): void;
  /** Waits until the names in a folder are on the disk. */
  syncDirectory(path: string): void;
  /**
   * Takes the exclusive lock of a file, which is made if it is not there; null
   * if another process has it. It ends with the process.
   */
  lock(path: string): DiskLock | null;
}

/** A lock that is held. */
export interface DiskLock {
  /** Gives it back. */
  release(): void;
}

/** Writes all of `bytes` from `at` on, however small the pieces. */
export function writeFully(
  file: DiskFile,
  at: number,
  bytes: Uint8Array,
): void {
  for (let done = 0; done < bytes.length;) {
    done += file.write(at + done, bytes.subarray(done));
  }
}

/** Reads as much of `into` as the file has from `at` on; returns how much. */
export function readFully(
  file: DiskFile,
  at: number,
  into: Uint8Array,
): number {
  let done = 0;
  while (done < into.length) {
    const count = file.read(at + done, into.subarray(done));
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** All of a file; null if it is not there. */
export function readWhole(disk: Disk, path: string): Uint8Array | null {
  let file: DiskFile;
  try {
    file = disk.open(path, "read");
  } catch (cause) {
    if (cause instanceof DiskError && cause.isMissing) return null;
    throw cause;
  }
  try {
    const bytes = new Uint8Array(file.size());
    return bytes.subarray(0, readFully(file, 0, bytes));
  } finally {
    file.close();
  }
}

/**
 * Puts `bytes` in the place of a file, so that after any accident there is the
 * old one or the new one.
 */
export function replaceFile(
  disk: Disk,
  folder: string,
  name: string,
  bytes: Uint8Array,
): void {
  const path = `${folder}/${name}`;
  const next = `${folder}/temp-${name}`;
  const file = disk.open(next, "create");
  try {
    writeFully(file, 0, bytes);
    file.sync();
  } finally {
    file.close();
  }
  disk.rename(next, path);
  disk.syncDirectory(folder);
}
