/**
 * The log writer: brings the workers' records to the disk.
 *
 * It works in passes. A pass takes what is in the rings, makes a frame of the
 * records of each, appends the frames to one file, and, under
 * `appendfsync always`, syncs it: one sync for all that has come since the last,
 * whoever waits for it. Then the watermark moves, behind which all tickets are
 * on the disk.
 *
 * - A pass is whole if the tickets of its records, and of those before, have no
 *   gaps: a worker that has drawn a ticket and not written its record yet leaves
 *   one. The watermark moves over whole passes only.
 * - While there is something to do it looks at the rings again after a while, as
 *   a worker would have to wake it at every turn otherwise; when there is not,
 *   it sleeps until a worker wakes it. Under `always` the thread stands still for
 *   a moment first: to be woken from that takes a fraction of what an event takes.
 * - What the disk refuses stays here, and in the rings, and is tried again. A
 *   file that could not be synced is written anew from where it was last synced,
 *   as the system may have forgotten what it could not write.
 * - Very many bytes are written past the system's cache, unless the disk is too
 *   slow for that; within what was reserved for them ({@linkcode
 *   DiskFile.writeThrough}).
 * - Under `always` room is reserved ahead: a sync has but the bytes to bring to the
 *   disk then, and not the file's length and where its blocks are. The zeros behind
 *   the last frame are cut off when the file is left; a reader knows them.
 * - While it rests, nobody has the file ({@linkcode LOG_HOLDER}): a worker that is
 *   the only one may write and sync its records then by itself
 *   (own_log_writing.ts). So it takes the file before it does anything with it.
 * - At a cut ({@linkcode CUT_WANTED}) the records from a ticket on go to a new
 *   file, exactly.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import type { EffectBuffers } from "../../core/keyspace/effect_ring.ts";
import { DiskError, type DiskFile, readFully, writeFully } from "./disk.ts";
import type { LogDirectory } from "./log_directory.ts";
import { FILE_HEAD_BYTES } from "./log_frame.ts";
import type { LogFile } from "./log_manifest.ts";
import {
  CUT_TICKET,
  CUT_WANTED,
  DURABLE_TICKET,
  HELD_BY_WRITER,
  LOG_BUFFERED,
  LOG_DESCRIPTOR,
  LOG_FILE_RESERVED,
  LOG_FILE_SIZE,
  LOG_FILE_TICKET,
  LOG_HOLDER,
  LOG_ON,
  LOG_SIZE,
  LOG_SIZE_BEFORE,
  LOG_STATE,
  LOG_SYNCING,
  LOG_SYNCS_DELAYED,
  LOG_UNSYNCED,
  type LogStatusBuffers,
  WANTS_DURABLE,
  WANTS_ROOM,
  wantsAt,
  WRITER_FAILING,
  WRITER_IDLE,
} from "./log_status.ts";
import { RingDrain } from "./ring_drain.ts";

/** When what was written is synced. */
export type SyncPolicy = "always" | "everysec" | "no";

/** Time between two looks at rings that something comes through. */
const LOOK_MS = 20;
/** Time between two syncs under `everysec`. */
const SYNC_MS = 1000;
/** Time after which what has failed is tried again. */
const RETRY_MS = 200;
/** Looks at the rings for a whole pass. */
const WHOLE_TRIES = 16;
/** Passes in a row before messages are looked at. */
const PASSES_MAX = 64;
/** How long the thread stands still for what comes next under `always`. */
const NAP_MS = 2;
/** Bytes that are reserved at a time under `always`, and ahead of very many. */
const RESERVE_BYTES = 1 << 20;
const RESERVE_MANY_BYTES = 32 << 20;
/** Blocks of disks are not longer. */
const BLOCK_BYTES_MAX = 4096;
/** From so many bytes on, the system's cache is passed by. */
const THROUGH_BYTES_MIN = 1 << 16;
/** How long it is not, if the rings have filled while the disk was written to. */
const THROUGH_PAUSE_MS = 2000;
/** Bytes that are written anew at a time. */
const REWRITE_BYTES = 1 << 20;

/** What the log writer needs from the thread around it. */
export interface LogWriterPorts {
  /** Monotonic milliseconds. */
  monotonicMs(): number;
  /** Calls back once; returns what makes it not to. */
  later(run: () => void, delayMs: number): () => void;
  /**
   * Stands still until {@linkcode WRITER_IDLE} is 0, or for so long; says whether
   * it is 0.
   */
  nap(ms: number): boolean;
  /** Stands still until a worker may have given back the file. */
  awaitFile(): void;
  /** Calls {@linkcode LogWriter.wake} when that word is 0. */
  whenWoken(): void;
  /** Tells a worker that what it wanted has come. */
  tell(worker: number): void;
  /** Writing fails from now on, or no longer. */
  failing(cause: DiskError | null): void;
  /** Records from `firstTicket` on go to a new file. */
  cut(firstTicket: number, entry: LogFile): void;
}

/** Where the log goes on. */
export interface LogEnd {
  /** The last file of changes; null if there is none before the next cut. */
  readonly file: DiskFile | null;
  /** Its length. */
  readonly size: number;
  /** The ticket that the next record has. */
  readonly nextTicket: number;
}

/** One per server. */
export class LogWriter {
  readonly #directory: LogDirectory;
  readonly #ports: LogWriterPorts;
  readonly #words: Int32Array;
  readonly #figures: Float64Array;
  readonly #drains: readonly RingDrain[];
  #policy: SyncPolicy = "everysec";
  #file: DiskFile | null;
  /** Bytes of the file, and of those the ones that are synced. */
  #size: number;
  #syncedSize: number;
  /** What the file's length is with what was reserved, or less. */
  #reservedSize = 0;
  #canReserve = true;
  /** When the system's cache may be passed by again. */
  #throughFromMs = 0;
  /** Whether the file is this writer's: nobody else writes it. */
  #hasFile = false;
  /** All tickets before it are in the file. */
  #nextTicket: number;
  /** Records in the file behind it, and the last of their tickets. */
  #aheadCount = 0;
  #aheadLast = -1;
  /** The frames that are being written: which, and how much of it. */
  #frame = 0;
  #frameDone = 0;
  #hasFrames = false;
  #failure: DiskError | null = null;
  /** The last sync has failed: what is behind it must be written anew. */
  #isSuspect = false;
  #isSyncing = false;
  #wantsSync = false;
  #syncedMs = -Infinity;
  #stopLooking: (() => void) | null = null;
  #stopSyncTimer: (() => void) | null = null;
  #stopRetry: (() => void) | null = null;
  #isClosed = false;

  /** Sleeps until it is woken. */
  constructor(
    parts: {
      directory: LogDirectory;
      buffers: EffectBuffers;
      status: LogStatusBuffers;
      end: LogEnd;
      ports: LogWriterPorts;
    },
  ) {
    this.#directory = parts.directory;
    this.#ports = parts.ports;
    this.#words = new Int32Array(parts.status.words);
    this.#figures = new Float64Array(parts.status.figures);
    this.#drains = parts.buffers.rings.map((ring) => new RingDrain(ring));
    const { file, size, nextTicket } = parts.end;
    this.#file = file;
    this.#size = this.#syncedSize = size;
    this.#nextTicket = nextTicket;
    Atomics.store(this.#words, LOG_HOLDER, HELD_BY_WRITER);
    this.#hasFile = true;
    this.noteFiles();
    Atomics.store(this.#words, DURABLE_TICKET, nextTicket | 0);
    this.#giveFile();
    Atomics.store(this.#words, WRITER_IDLE, 1);
    this.#ports.whenWoken();
  }

  /** The ticket behind all those that are in the file. */
  get nextTicket(): number {
    return this.#nextTicket;
  }

  /** When what is written is synced. */
  set policy(policy: SyncPolicy) {
    this.#policy = policy;
    if (policy === "always") this.wake();
  }

  /** Looks at the rings. */
  wake(): void {
    if (this.#isClosed) return;
    this.#stopLooking?.();
    this.#stopLooking = null;
    Atomics.store(this.#words, WRITER_IDLE, 0);
    this.#takeFile();
    this.#run();
  }

  /** Syncs soon whatever the policy says: somebody waits for it. */
  syncSoon(): void {
    this.#wantsSync = true;
    this.wake();
    this.#planSync();
  }

  /** Counts the bytes of the files again that are before the last. */
  noteFiles(): void {
    const { base, increments } = this.#directory.manifest;
    const before = increments.slice(0, -1);
    if (base !== null) before.push(base);
    this.#figures[LOG_SIZE_BEFORE] = before.reduce(
      (sum, file) => sum + this.#directory.sizeOf(file),
      0,
    );
    this.#noteFigures();
  }

  /**
   * Writes and syncs all that there is, and ends; the workers have stopped. What
   * the disk refuses now is lost.
   */
  close(): DiskError | null {
    for (
      const stop of [this.#stopLooking, this.#stopSyncTimer, this.#stopRetry]
    ) {
      stop?.();
    }
    // For good: whoever goes on with the log begins with a file of its own.
    this.#takeFile();
    try {
      this.flush();
      return null;
    } catch (cause) {
      if (!(cause instanceof DiskError)) throw cause;
      return cause;
    } finally {
      this.#isClosed = true;
      this.#giveUpReserved();
      this.#file?.close();
    }
  }

  /** Writes and syncs all that is in the rings. */
  flush(): void {
    const hadFile = this.#hasFile;
    this.#takeFile();
    if (this.#isSuspect) this.#writeAnew();
    if (this.#hasFrames) this.#writeFrames();
    while (this.#pass());
    this.#syncNow();
    if (!hadFile) this.#giveFile();
  }

  /** The file is this writer's from here on. */
  #takeFile(): void {
    if (this.#hasFile) return;
    const words = this.#words;
    while (
      Atomics.compareExchange(words, LOG_HOLDER, 0, HELD_BY_WRITER) !== 0
    ) this.#ports.awaitFile();
    this.#hasFile = true;
    const figures = this.#figures;
    const size = figures[LOG_FILE_SIZE]!;
    if (size !== this.#size) this.#size = this.#syncedSize = size;
    this.#nextTicket = figures[LOG_FILE_TICKET]!;
  }

  /** Whoever takes it may have the file. */
  #giveFile(): void {
    const figures = this.#figures;
    figures[LOG_FILE_SIZE] = this.#size;
    figures[LOG_FILE_RESERVED] = this.#reservedSize;
    figures[LOG_FILE_TICKET] = this.#nextTicket;
    const words = this.#words;
    words[LOG_DESCRIPTOR] = this.#canShare() ? this.#file!.descriptor() : -1;
    this.#hasFile = false;
    Atomics.store(words, LOG_HOLDER, 0);
  }

  /** Whether all that there is to know of the file is in its figures. */
  #canShare(): boolean {
    return this.#policy === "always" && this.#file !== null &&
      this.#failure === null && !this.#isSuspect && !this.#isSyncing &&
      this.#aheadCount === 0 && this.#size === this.#syncedSize &&
      this.#drains.every((drain) => drain.heldBytes === 0) &&
      Atomics.load(this.#words, LOG_STATE) === LOG_ON;
  }

  #run(): void {
    for (let passes = 0; passes < PASSES_MAX; passes++) {
      if (this.#failure !== null || this.#isClosed) return;
      try {
        const moved = this.#pass();
        if (this.#policy === "always") this.#syncNow();
        if (!moved) {
          if (this.#rest()) continue;
          return;
        }
      } catch (cause) {
        return this.#fail(cause);
      }
      if (this.#policy !== "always") {
        this.#planSync();
        return this.#lookAgain(LOOK_MS);
      }
    }
    this.#lookAgain(0);
  }

  #lookAgain(delayMs: number): void {
    this.#stopLooking = this.#ports.later(() => {
      this.#stopLooking = null;
      this.#run();
    }, delayMs);
  }

  /**
   * Nothing was in the rings: the next one who puts something there wakes the
   * writer. Says whether that has happened already.
   */
  #rest(): boolean {
    const words = this.#words;
    this.#giveFile();
    Atomics.store(words, WRITER_IDLE, 1);
    const hasMore = this.#drains.some((drain) => drain.available !== 0);
    if (hasMore) Atomics.store(words, WRITER_IDLE, 0);
    if (hasMore || this.#policy === "always" && this.#ports.nap(NAP_MS)) {
      this.#takeFile();
      return true;
    }
    this.#ports.whenWoken();
    return false;
  }

  /** Takes what there is and writes it; false if there was nothing. */
  #pass(): boolean {
    const taken = this.#take();
    if (this.#drains.some((drain) => drain.count > 0)) {
      if (this.#file === null) this.#skipFrames();
      else {
        this.#sealFrames();
        this.#writeFrames();
      }
    }
    this.#tellAll(WANTS_ROOM);
    const rotated = this.#rotateAtCut();
    return taken > 0 || rotated;
  }

  /** Empties the rings; tries to end where no ticket is missing. */
  #take(): number {
    let taken = 0;
    for (let tries = 0; tries < WHOLE_TRIES; tries++) {
      let more = 0;
      for (const drain of this.#drains) more += drain.fill();
      // Read after the rings: what was logged after a cut came after its mark.
      const hasCut = Atomics.load(this.#words, CUT_WANTED) !== 0;
      const cut = Atomics.load(this.#words, CUT_TICKET);
      for (const drain of this.#drains) drain.scan(hasCut, cut);
      taken += more;
      if (more === 0 && tries > 0 || this.#isWhole()) break;
    }
    return taken;
  }

  /** Whether no ticket would be missing in the file behind the frames. */
  #isWhole(): boolean {
    let count = this.#aheadCount;
    let last = this.#aheadLast;
    for (const drain of this.#drains) {
      if (drain.count === 0) continue;
      count += drain.count;
      last = Math.max(last, this.#wideTicket(drain.lastTicket));
    }
    return count === 0 || last + 1 - this.#nextTicket === count;
  }

  /** All bits of a ticket, of which the lower 32 are known. */
  #wideTicket(low: number): number {
    return this.#nextTicket + (low - this.#nextTicket | 0);
  }

  #sealFrames(): void {
    for (const drain of this.#drains) {
      if (drain.count > 0) drain.seal(this.#wideTicket(drain.firstTicket));
    }
    this.#hasFrames = true;
    this.#frame = this.#frameDone = 0;
  }

  /** Writes the sealed frames, or what is left of them after a failure. */
  #writeFrames(): void {
    const file = this.#file!;
    let bytes = 0;
    for (const { frameBytes } of this.#drains) bytes += frameBytes;
    const isThrough = this.#goesThrough(bytes);
    if (this.#policy === "always") this.#reserve(file, bytes, RESERVE_BYTES);
    else if (isThrough) this.#reserve(file, bytes, RESERVE_MANY_BYTES);
    for (; this.#frame < this.#drains.length; this.#frame++) {
      const drain = this.#drains[this.#frame]!;
      const { frameBytes } = drain;
      while (this.#frameDone < frameBytes) {
        const piece = drain.frame(this.#frameDone);
        const written = isThrough
          ? file.writeThrough(this.#size, piece)
          : file.write(this.#size, piece);
        this.#frameDone += written;
        this.#size += written;
      }
      this.#frameDone = 0;
    }
    this.#hasFrames = false;
    this.#skipFrames();
    this.#noteFigures();
    if (isThrough && this.#drains.some((drain) => drain.isFilling)) {
      this.#throughFromMs = this.#ports.monotonicMs() + THROUGH_PAUSE_MS;
    }
  }

  /**
   * Whether so many bytes are written past the system's cache. A disk that is too
   * slow for what comes gets it from there, so that nobody waits for it.
   */
  #goesThrough(bytes: number): boolean {
    return bytes >= THROUGH_BYTES_MIN && this.#policy !== "always" &&
      this.#ports.monotonicMs() >= this.#throughFromMs;
  }

  /** Reserves room for so many bytes, and for what follows them. */
  #reserve(file: DiskFile, bytes: number, ahead: number): void {
    // Blocks may end behind the bytes.
    const end = this.#size + bytes + BLOCK_BYTES_MAX;
    if (!this.#canReserve || end <= this.#reservedSize) return;
    const length = end + ahead;
    this.#canReserve = file.reserve(length);
    if (this.#canReserve) this.#reservedSize = length;
  }

  /** Gives up what was reserved and not written. */
  #giveUpReserved(): void {
    if (this.#reservedSize <= this.#size) return;
    try {
      this.#file!.truncate(this.#size);
    } catch (cause) {
      // Zeros stay that mean nothing.
      if (!(cause instanceof DiskError)) throw cause;
    }
    this.#reservedSize = 0;
  }

  /** Counts the frames as written, and forgets them. */
  #skipFrames(): void {
    for (const drain of this.#drains) {
      if (drain.count === 0) continue;
      this.#aheadCount += drain.count;
      this.#aheadLast = Math.max(
        this.#aheadLast,
        this.#wideTicket(drain.lastTicket),
      );
    }
    for (const drain of this.#drains) drain.drop();
    if (this.#aheadLast + 1 - this.#nextTicket !== this.#aheadCount) return;
    this.#nextTicket += this.#aheadCount;
    this.#aheadCount = 0;
    this.#aheadLast = -1;
  }

  /** Goes on with a new file once all before the cut is in the old one. */
  #rotateAtCut(): boolean {
    if (Atomics.load(this.#words, CUT_WANTED) === 0) return false;
    const cut = Atomics.load(this.#words, CUT_TICKET);
    if ((cut - this.#nextTicket | 0) !== 0) return false;
    assert(this.#aheadCount === 0, "a cut is where no ticket is missing");
    // The snapshot of an earlier cut may have failed: that file counts nothing.
    const waits = Atomics.load(this.#words, LOG_STATE) !== LOG_ON;
    this.#giveUpReserved();
    if (!waits) this.#syncNow();
    const { entry, file } = this.#directory.createIncrement(
      this.#nextTicket,
      waits,
    );
    try {
      if (!waits) this.#directory.addIncrement(entry);
    } catch (cause) {
      file.close();
      throw cause;
    }
    this.#file?.close();
    this.#file = file;
    this.#size = this.#syncedSize = FILE_HEAD_BYTES;
    this.#reservedSize = 0;
    this.#canReserve = true;
    this.noteFiles();
    Atomics.store(this.#words, CUT_WANTED, 0);
    this.#ports.cut(this.#nextTicket, entry);
    return true;
  }

  #syncNow(): void {
    const file = this.#file;
    if (file === null) return;
    if (this.#size !== this.#syncedSize) {
      this.#isSuspect = true;
      file.sync();
      this.#isSuspect = false;
    }
    this.#synced(this.#size, this.#nextTicket);
  }

  #synced(size: number, ticket: number): void {
    this.#syncedSize = Math.max(this.#syncedSize, size);
    this.#syncedMs = this.#ports.monotonicMs();
    const words = this.#words;
    if ((ticket - Atomics.load(words, DURABLE_TICKET) | 0) > 0) {
      Atomics.store(words, DURABLE_TICKET, ticket | 0);
    }
    this.#tellAll(WANTS_DURABLE);
    this.#noteFigures();
  }

  /** Under `everysec`: syncs beside what else is done, once a second. */
  #planSync(): void {
    if (this.#stopSyncTimer !== null || this.#failure !== null) return;
    if (this.#policy === "always" || this.#file === null) return;
    if (this.#policy === "no" && !this.#wantsSync) return;
    if (this.#size === this.#syncedSize) {
      if (this.#wantsSync) this.#synced(this.#size, this.#nextTicket);
      this.#wantsSync = false;
      return;
    }
    const nowMs = this.#ports.monotonicMs();
    const restMs = this.#policy === "no"
      ? 0
      : Math.max(0, this.#syncedMs + SYNC_MS - nowMs);
    this.#stopSyncTimer = this.#ports.later(() => {
      this.#stopSyncTimer = null;
      this.#syncBeside();
    }, restMs);
  }

  #syncBeside(): void {
    const file = this.#file;
    if (file === null || this.#failure !== null || this.#isClosed) return;
    // Passes sync by themselves, and the file may be a worker's.
    if (this.#policy === "always") return;
    if (this.#isSyncing) {
      this.#figures[LOG_SYNCS_DELAYED]! += 1;
      return;
    }
    this.#isSyncing = true;
    this.#wantsSync = false;
    const size = this.#size;
    const ticket = this.#nextTicket;
    this.#noteFigures();
    file.syncLater().then(() => {
      this.#isSyncing = false;
      if (this.#isClosed) return;
      // Another file by now: it was synced before it was left.
      if (this.#file === file && !this.#isSuspect) this.#synced(size, ticket);
      this.#planSync();
    }, (cause) => {
      this.#isSyncing = false;
      if (this.#isClosed || this.#file !== file) return;
      this.#isSuspect = true;
      this.#fail(cause);
    });
  }

  #fail(cause: unknown): void {
    if (!(cause instanceof DiskError)) throw cause;
    this.#takeFile();
    const isNew = this.#failure === null;
    this.#failure = cause;
    Atomics.store(this.#words, WRITER_FAILING, 1);
    if (isNew) this.#ports.failing(cause);
    this.#stopRetry ??= this.#ports.later(() => {
      this.#stopRetry = null;
      this.#retry();
    }, RETRY_MS);
  }

  #retry(): void {
    try {
      if (this.#isSuspect) this.#writeAnew();
      if (this.#hasFrames) this.#writeFrames();
      this.#rotateAtCut();
      if (this.#policy === "always") this.#syncNow();
    } catch (cause) {
      return this.#fail(cause);
    }
    this.#failure = null;
    this.#canReserve = true;
    Atomics.store(this.#words, WRITER_FAILING, 0);
    this.#ports.failing(null);
    this.wake();
    this.#planSync();
  }

  /** Writes anew what was not synced, and syncs it. */
  #writeAnew(): void {
    const file = this.#file!;
    const bytes = new Uint8Array(REWRITE_BYTES);
    for (let at = this.#syncedSize; at < this.#size;) {
      const piece = bytes.subarray(0, Math.min(bytes.length, this.#size - at));
      const count = readFully(file, at, piece);
      if (count === 0) {
        throw new DiskError("read", file.path, "EIO", "The file is too short");
      }
      writeFully(file, at, piece.subarray(0, count));
      at += count;
    }
    file.sync();
    this.#isSuspect = false;
    this.#synced(this.#size, this.#nextTicket);
  }

  /** Tells the workers that want to know. */
  #tellAll(want: number): void {
    const words = this.#words;
    for (let worker = 0; worker < this.#drains.length; worker++) {
      const at = wantsAt(worker);
      if ((Atomics.load(words, at) & want) === 0) continue;
      Atomics.and(words, at, ~want);
      this.#ports.tell(worker);
    }
  }

  #noteFigures(): void {
    const figures = this.#figures;
    const size = this.#hasFile ? this.#size : figures[LOG_FILE_SIZE]!;
    figures[LOG_SIZE] = figures[LOG_SIZE_BEFORE]! + size;
    figures[LOG_UNSYNCED] = this.#size - this.#syncedSize;
    figures[LOG_SYNCING] = this.#isSyncing ? 1 : 0;
    let held = 0;
    for (const drain of this.#drains) held += drain.heldBytes;
    figures[LOG_BUFFERED] = held;
  }
}
