/**
 * A disk in memory that fails when it is told to: writes that are short, a disk
 * that is full, syncs and renames that fail, bits that flip, and a machine that
 * stops with what was not synced lost.
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
} from "../src/engine/persistence/disk.ts";
import type { Random } from "./_random.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "No space left on device",
  EIO: "Input/output error",
  ENOENT: "No such file or directory",
};

/** Blocks of the disk. */
const BLOCK_BYTES = 512;

interface Inode {
  /** As those see it who read it. */
  bytes: Uint8Array;
  length: number;
  /** As it is on the disk. */
  synced: Uint8Array;
}

/** Implements {@linkcode Disk}. */
export class FaultyDisk implements Disk {
  /** Bytes that files may take together. */
  capacity = Infinity;
  /** Whether room can be reserved. */
  canReserve = true;
  /** Bytes that were written past the system's cache. */
  bytesThrough = 0;
  /** Some have been. */
  onThrough: () => void = () => {};
  /** Most bytes that one write takes. */
  writeMax = Infinity;
  /** How many times operations of a kind fail from now on, and how. */
  readonly failures = new Map<
    DiskOperation,
    { code: string; times: number }
  >();
  /** How often each operation was asked for. */
  readonly counts = new Map<DiskOperation, number>();
  #files = new Map<string, Inode>();
  /** Names as they are on the disk. */
  #syncedNames = new Map<string, Inode>();
  readonly #locks = new Set<string>();
  readonly #described: DiskFile[] = [];

  /** Lets the next `times` operations of a kind fail. */
  fail(operation: DiskOperation, code: string, times = Infinity): void {
    this.failures.set(operation, { code, times });
  }

  /** Nothing fails any more. */
  heal(): void {
    this.failures.clear();
    this.capacity = this.writeMax = Infinity;
  }

  /** What a file has. */
  contents(path: string): Uint8Array {
    const inode = this.#inode("read", path);
    return inode.bytes.slice(0, inode.length);
  }

  /** Puts a file there, synced. */
  put(path: string, bytes: Uint8Array): void {
    const inode = {
      bytes: bytes.slice(),
      length: bytes.length,
      synced: bytes.slice(),
    };
    this.#files.set(path, inode);
    this.#syncedNames.set(path, inode);
  }

  /** Turns a bit of a file over. */
  flipBit(path: string, at: number, bit: number): void {
    this.#inode("read", path).bytes[at]! ^= 1 << bit;
  }

  /**
   * The disk after the machine has stopped: of what was not synced, there is a
   * part, cut off or full of holes where `random` wants it.
   */
  afterCrash(random: Random): FaultyDisk {
    const after = new FaultyDisk();
    const names = random.chance(0.5) ? this.#files : this.#syncedNames;
    for (const [path, inode] of names) {
      after.put(path, survived(inode, random));
    }
    return after;
  }

  /** The disk after the process has stopped: all that was written is there. */
  afterKill(): FaultyDisk {
    const after = new FaultyDisk();
    for (const path of this.#files.keys()) after.put(path, this.contents(path));
    return after;
  }

  open(path: string, mode: OpenMode): DiskFile {
    this.#check("open", path);
    if (mode === "create") {
      const old = this.#files.get(path);
      const synced = old?.synced ?? new Uint8Array(0);
      this.#files.set(path, { bytes: new Uint8Array(64), length: 0, synced });
    }
    return new FaultyFile(this, path, this.#inode("open", path));
  }

  rename(from: string, to: string): void {
    this.#check("rename", from);
    this.#files.set(to, this.#inode("rename", from));
    this.#files.delete(from);
  }

  remove(path: string): void {
    this.#check("remove", path);
    this.#files.delete(path);
  }

  list(folder: string): string[] {
    this.#check("list", folder);
    const start = `${folder}/`;
    return [...this.#files.keys()]
      .filter((path) => path.startsWith(start))
      .map((path) => path.slice(start.length));
  }

  makeDirectory(path: string): void {
    this.#check("mkdir", path);
  }

  syncDirectory(path: string): void {
    this.#check("sync", path);
    this.#syncedNames = new Map(this.#files);
  }

  lock(path: string): DiskLock | null {
    this.#check("lock", path);
    if (this.#locks.has(path)) return null;
    this.#locks.add(path);
    return { release: () => this.#locks.delete(path) };
  }

  /** Bytes of all files. */
  get used(): number {
    let sum = 0;
    for (const inode of this.#files.values()) sum += inode.length;
    return sum;
  }

  /** A descriptor of a file, for {@linkcode writeAt} and {@linkcode syncData}. */
  describe(file: DiskFile): number {
    this.#described.push(file);
    return this.#described.length - 1;
  }

  /** As pwrite(2). */
  writeAt(
    descriptor: number,
    bytes: Uint8Array,
    length: number,
    at: number,
  ): number {
    const file = this.#described[descriptor]!;
    return this.#attempt(() => file.write(at, bytes.subarray(0, length)));
  }

  /** Whether the file is on the disk. */
  syncData(descriptor: number): boolean {
    const file = this.#described[descriptor]!;
    return this.#attempt(() => (file.sync(), 0)) === 0;
  }

  #attempt(run: () => number): number {
    try {
      return run();
    } catch (cause) {
      if (!(cause instanceof DiskError)) throw cause;
      return -1;
    }
  }

  /** For the files: fails if it is to. */
  check(operation: DiskOperation, path: string): void {
    this.#check(operation, path);
  }

  #check(operation: DiskOperation, path: string): void {
    this.counts.set(operation, (this.counts.get(operation) ?? 0) + 1);
    const failure = this.failures.get(operation);
    if (failure === undefined || failure.times <= 0) return;
    failure.times--;
    throw errorOf(operation, path, failure.code);
  }

  #inode(operation: DiskOperation, path: string): Inode {
    const inode = this.#files.get(path);
    if (inode === undefined) throw errorOf(operation, path, "ENOENT");
    return inode;
  }
}

class FaultyFile implements DiskFile {
  readonly path: string;
  readonly #disk: FaultyDisk;
  readonly #inode: Inode;

  constructor(disk: FaultyDisk, path: string, inode: Inode) {
    this.#disk = disk;
    this.path = path;
    this.#inode = inode;
  }

  size(): number {
    return this.#inode.length;
  }

  descriptor(): number {
    return this.#disk.describe(this);
  }

  read(at: number, into: Uint8Array): number {
    this.#disk.check("read", this.path);
    const { bytes, length } = this.#inode;
    const count = Math.max(0, Math.min(into.length, length - at));
    into.set(bytes.subarray(at, at + count));
    return count;
  }

  write(at: number, bytes: Uint8Array): number {
    this.#disk.check("write", this.path);
    const inode = this.#inode;
    const room = this.#disk.capacity - this.#disk.used +
      Math.max(0, inode.length - at);
    const count = Math.min(bytes.length, this.#disk.writeMax, room);
    if (count <= 0) throw errorOf("write", this.path, "ENOSPC");
    const end = at + count;
    if (end > inode.bytes.length) {
      const grown = new Uint8Array(end * 2);
      grown.set(inode.bytes);
      inode.bytes = grown;
    }
    inode.bytes.set(bytes.subarray(0, count), at);
    inode.length = Math.max(inode.length, end);
    return count;
  }

  writeThrough(at: number, bytes: Uint8Array): number {
    const count = this.write(at, bytes);
    const end = at + count;
    const inode = this.#inode;
    const blockEnd = Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES;
    inode.bytes.fill(0, end, Math.min(blockEnd, inode.length));
    this.#disk.bytesThrough += count;
    this.#disk.onThrough();
    return count;
  }

  truncate(length: number): void {
    this.#disk.check("truncate", this.path);
    this.#inode.bytes.fill(0, length);
    this.#inode.length = length;
  }

  reserve(length: number): boolean {
    const inode = this.#inode;
    if (!this.#disk.canReserve || length <= inode.length) return false;
    const more = length - inode.length;
    if (this.#disk.used + more > this.#disk.capacity) return false;
    const grown = new Uint8Array(length * 2);
    grown.set(inode.bytes.subarray(0, inode.length));
    inode.bytes = grown;
    inode.length = length;
    return true;
  }

  sync(): void {
    this.#disk.check("sync", this.path);
    const { bytes, length } = this.#inode;
    this.#inode.synced = bytes.slice(0, length);
  }

  syncLater(): Promise<void> {
    const { bytes, length } = this.#inode;
    const now = bytes.slice(0, length);
    return Promise.resolve().then(() => {
      this.#disk.check("sync", this.path);
      if (this.#inode.synced.length <= now.length) this.#inode.synced = now;
    });
  }

  close(): void {}
}

function survived({ bytes, length, synced }: Inode, random: Random) {
  if (random.chance(0.3)) return synced;
  const end = synced.length > length
    ? length
    : random.between(synced.length, length);
  const after = bytes.slice(0, end);
  // A hole: pages go to the disk in any order.
  if (random.chance(0.3) && end > synced.length) {
    const from = random.between(synced.length, end);
    after.fill(0, from, random.between(from, end));
  }
  return after;
}

function errorOf(
  operation: DiskOperation,
  path: string,
  code: string,
): DiskError {
  return new DiskError(operation, path, code, REASONS[code] ?? code);
}
