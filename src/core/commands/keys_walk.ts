/**
 * KEYS over many keys: a picture of one instant, taken in small steps while
 * others go on. See key_pictures.ts for how.
 *
 * Long names are kept where they lie, and matched when no latch is held.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { equalBytes } from "../base/bytes.ts";
import { DOUBLE_ZERO } from "../base/steady_code.ts";
import { globMatchRun } from "../base/glob.ts";
import { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { ScanWalk, type ShardHolds } from "../keyspace/scan_walk.ts";
import { LONG_KEY_BYTES } from "../memory/known_keys.ts";
import { writePieces } from "../resp/bytes_source.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call, LockGate, ShardLatches } from "./call.ts";
import { type KeptName, KeptNames } from "./kept_names.ts";

/** Entries that are looked at in one turn, and bytes of their names. */
const TURN_ENTRIES = 2048;
const TURN_BYTES = 1 << 20;
/** Bytes of keys after which they go on in another buffer. */
const PIECE_BYTES = 1 << 18;
/** Distance of the positions of two buffers. */
const PIECE_STRIDE = 2 ** 32;
/** Keys of a step of the walk, and many more. */
const STEP_KEYS = 512;
/** Bytes of keys after which a latch is given back. */
const SLICE_BYTES = 1 << 15;
/** Room for them, and for what may exceed them, which is made before. */
const SLICE_ROOM_BYTES = 1 << 16;
/** Bytes of keys that are listed in one hold of all latches. */
const SHORT_BYTES = 1 << 17;
/** What a name costs that is kept, in bytes that are listed. */
const KEPT_BYTES = 1 << 10;
/** Notes that are taken in one hold of a latch. */
const NOTES_TAKEN = 512;
/** Pictures that may be spoiled before all latches are held instead. */
const ATTEMPTS_MAX = 8;

/** Stands for latches that are held already. */
const HELD: ShardHolds = { acquire() {}, release() {} };

/** What a step has brought. */
export type KeysOutcome =
  /** There is more to do. */
  | "more"
  /** All pictures are being taken by others, or this is not the time for one. */
  | "wait"
  | "done";

/** What came of listing short names at once; refused: it is not the time. */
export type ShortOutcome = "done" | "long" | "refused";

/** Lists the keys of a database. */
export class KeysWalk {
  /** The keys that were found, as bulk strings, in buffers none of which is large. */
  readonly #out: ReplyWriter[] = [new ReplyWriter()];
  /** How many. */
  #found = 0;
  /** Those of them that are long. */
  readonly #long: KeptNames;
  readonly #keyspaces: readonly Keyspace[];
  readonly #latches: ShardLatches;
  readonly #gate: LockGate;
  readonly #db: number;
  /** Null if every key matches. */
  readonly #pattern: Uint8Array | null;
  /** When the picture was taken. */
  #takenMs = DOUBLE_ZERO;
  #picture = -1;
  #attempts = 0;
  readonly #key = new Key();
  /** Bytes of names that may yet be listed in this hold; whether there are more. */
  #bytesMax = Infinity;
  #isLong = false;
  #walk: ScanWalk | null = null;
  /** Where the keys of the shard that is walked begin, and how many precede. */
  #shardStart = 0;
  #shardFound = 0;
  #shardLong = 0;
  /** Hash and position in `out` of each key of the shard. */
  #hashes = new Int32Array(1024);
  #positions = new Float64Array(1024);
  #count = 0;

  /** `pattern` is null if every key matches. */
  constructor(call: Call, pattern: Uint8Array | null) {
    this.#keyspaces = call.keyspaces;
    this.#long = new KeptNames(call.keyspaces[0]!.heap);
    this.#latches = call.latches;
    this.#gate = call.lockGate;
    this.#db = call.db;
    this.#pattern = pattern;
  }

  /** Replies the keys that were found. */
  reply(reply: ReplyWriter): void {
    reply.array(this.#found + this.#long.count);
    this.#long.reply(reply);
    const pieces = this.#out.map(({ buf, at }) => buf.subarray(0, at));
    writePieces(reply, pieces);
  }

  /**
   * Lists all keys in one hold of all latches, unless `mustWait` says then that
   * this is not the time; says whether it has.
   */
  listAtOnce(nowMs: number, mustWait: () => boolean): boolean {
    return this.#listHeld(nowMs, mustWait, Infinity);
  }

  /**
   * The same of keys whose names are short. If they are not, they are to be listed
   * in steps: nothing has been found then.
   */
  listShort(nowMs: number, mustWait: () => boolean): ShortOutcome {
    if (this.#listHeld(nowMs, mustWait, SHORT_BYTES)) return "done";
    if (!this.#isLong) return "refused";
    this.#forget();
    return "long";
  }

  #listHeld(
    nowMs: number,
    mustWait: () => boolean,
    bytesMax: number,
  ): boolean {
    this.#takenMs = nowMs;
    this.#bytesMax = bytesMax;
    this.#isLong = false;
    this.#latches.acquireAll();
    if (mustWait()) {
      this.#latches.releaseAll();
      return false;
    }
    const walk = new ScanWalk(this.#keyspaces, HELD, this.#db, 0);
    while (!walk.isDone && !this.#isLong) {
      walk.step(this.#visitAny, Infinity, Infinity);
    }
    this.#latches.releaseAll();
    if (this.#isLong) return false;
    this.#filterLong(0);
    return true;
  }

  readonly #visitAny = (space: Keyspace, ref: number): void => {
    if (this.#isLong || space.isExpired(ref, this.#takenMs)) return;
    const key = this.#key;
    space.readName(ref, key);
    this.#bytesMax -= costOf(key);
    if (this.#bytesMax < 0) this.#isLong = true;
    else if (key.length >= LONG_KEY_BYTES) this.#long.add(key);
    else if (this.#matches(key)) this.#write(key);
  };

  /** Does a little; no latch is held. */
  step(nowMs: number): KeysOutcome {
    if (this.#attempts > ATTEMPTS_MAX) {
      const isDone = this.listAtOnce(nowMs, () => !this.#gate.mayLook());
      return isDone ? "done" : "wait";
    }
    if (this.#picture < 0 && !this.#begin(nowMs)) return "wait";
    this.#walk ??= this.#beginShard(0);
    const walk = this.#walk;
    const endEntries = walk.entries + TURN_ENTRIES;
    const { shard } = walk;
    let turnBytes = 0;
    while (
      walk.shard === shard && walk.entries < endEntries &&
      turnBytes < TURN_BYTES
    ) {
      // Under the latch, that would take long.
      if (this.#count + STEP_KEYS > this.#hashes.length) this.#growNotes();
      this.#writer().reserve(SLICE_ROOM_BYTES);
      let bytes = 0;
      const long = this.#long.count;
      walk.isFull = false;
      walk.step(
        (space, ref) => {
          bytes += this.#visit(space, ref);
          if (bytes > SLICE_BYTES) walk.isFull = true;
        },
        Infinity,
        Infinity,
      );
      turnBytes += bytes;
      this.#filterLong(long);
      if (walk.hasShrunk) {
        // Some keys may have come twice: the shard is walked anew.
        this.#dropShard();
        this.#walk = this.#beginShard(shard);
        return "more";
      }
    }
    if (walk.shard === shard) return "more";
    if (!this.#endShard(this.#keyspaces[shard]!)) {
      this.#startAnew();
      return "more";
    }
    if (shard + 1 === this.#keyspaces.length) {
      this.#giveBack();
      return "done";
    }
    this.#walk = this.#beginShard(shard + 1);
    return "more";
  }

  /** Takes the picture; false if that is not possible now. */
  #begin(nowMs: number): boolean {
    this.#takenMs = nowMs;
    this.#latches.acquireAll();
    const picture = this.#gate.mayLook()
      ? this.#keyspaces[0]!.hooks.pictures.findFree()
      : -1;
    if (picture >= 0) {
      for (const { hooks } of this.#keyspaces) {
        hooks.pictures.begin(picture, this.#db, nowMs);
      }
    }
    this.#latches.releaseAll();
    this.#picture = picture;
    return picture >= 0;
  }

  #beginShard(shard: number): ScanWalk {
    this.#shardStart = this.#end();
    this.#shardFound = this.#found;
    this.#shardLong = this.#long.count;
    this.#count = 0;
    return new ScanWalk(this.#keyspaces, this.#latches, this.#db, shard);
  }

  #dropShard(): void {
    this.#rewind(this.#shardStart);
    this.#found = this.#shardFound;
    this.#long.filter(this.#shardLong, () => false);
  }

  /** Returns what the name costs. */
  #visit(space: Keyspace, ref: number): number {
    if (space.isExpired(ref, this.#takenMs)) return 0;
    const key = this.#key;
    space.readName(ref, key);
    const isLong = key.length >= LONG_KEY_BYTES;
    if (
      (isLong || this.#matches(key)) &&
      !space.hooks.pictures.isNew(this.#picture, key)
    ) {
      if (isLong) this.#long.add(key);
      else this.#write(key);
    }
    return costOf(key);
  }

  /** Forgets the long names from a number on that do not match; takes no latch. */
  #filterLong(from: number): void {
    this.#long.filter(from, (name) => this.#matches(name));
  }

  #matches(name: KeptName | Key): boolean {
    return globMatchRun(this.#pattern, name);
  }

  #growNotes(): void {
    const hashes = new Int32Array(this.#hashes.length * 2);
    const positions = new Float64Array(this.#hashes.length * 2);
    hashes.set(this.#hashes);
    positions.set(this.#positions);
    this.#hashes = hashes;
    this.#positions = positions;
  }

  #write(key: Key): void {
    if (this.#count === this.#hashes.length) this.#growNotes();
    this.#writer().bulk(key.buf, key.off, key.length);
    this.#hashes[this.#count] = key.hash;
    this.#positions[this.#count] = this.#end() - 2 - key.length;
    this.#count++;
    this.#found++;
  }

  /** Adds the keys that were there and are gone; false if all was for nothing. */
  #endShard(space: Keyspace): boolean {
    const picture = this.#picture;
    const { shard } = space;
    const { pictures } = space.hooks;
    this.#latches.acquire(shard);
    const isSpoiled = pictures.isSpoiled(picture);
    pictures.close(picture);
    this.#latches.release(shard);
    if (isSpoiled) return false;
    const gone: { bytes: Uint8Array; hash: number }[] = [];
    const long = this.#long.count;
    this.#takeNotes(space, (key) => {
      if (key.length >= LONG_KEY_BYTES) return this.#long.add(key);
      if (!this.#matches(key)) return;
      const bytes = key.buf.slice(key.off, key.off + key.length);
      gone.push({ bytes, hash: key.hash });
    });
    this.#filterLong(long);
    this.#long.filter(
      long,
      (name) => !this.#long.has(name, this.#shardLong, long),
    );
    this.#addGone(gone);
    return true;
  }

  #takeNotes(space: Keyspace, visit: (key: Key) => void): void {
    for (let isLeft = true; isLeft;) {
      this.#latches.acquire(space.shard);
      isLeft = space.hooks.pictures.takeNotes(
        this.#picture,
        NOTES_TAKEN,
        visit,
      );
      this.#latches.release(space.shard);
    }
  }

  /** Writes those of the keys that were not met before they went. */
  #addGone(gone: readonly { bytes: Uint8Array; hash: number }[]): void {
    if (gone.length === 0) return;
    const wanted = new Set(gone.map(({ hash }) => hash));
    const met = new Map<number, number[]>();
    for (let i = 0; i < this.#count; i++) {
      const hash = this.#hashes[i]!;
      if (!wanted.has(hash)) continue;
      const places = met.get(hash);
      if (places === undefined) met.set(hash, [this.#positions[i]!]);
      else places.push(this.#positions[i]!);
    }
    for (const { bytes, hash } of gone) {
      const isMet = (met.get(hash) ?? []).some((at) => this.#isAt(bytes, at));
      if (isMet) continue;
      this.#writer().bulk(bytes, 0, bytes.length);
      this.#found++;
    }
  }

  /** Whether the key that was written at a position is this one. */
  #isAt(bytes: Uint8Array, at: number): boolean {
    const { buf } = this.#out[Math.floor(at / PIECE_STRIDE)]!;
    const from = at % PIECE_STRIDE;
    const { length } = bytes;
    return equalBytes(buf, from, length, bytes, 0, length) &&
      buf[from + length] === 13 && buf[from - 1] === 10;
  }

  /** The buffer for one more key. */
  #writer(): ReplyWriter {
    const last = this.#out.at(-1)!;
    if (last.at < PIECE_BYTES) return last;
    const writer = new ReplyWriter();
    this.#out.push(writer);
    return writer;
  }

  /** Position behind the last key. */
  #end(): number {
    const last = this.#out.length - 1;
    return last * PIECE_STRIDE + this.#out[last]!.at;
  }

  #rewind(position: number): void {
    const last = Math.floor(position / PIECE_STRIDE);
    this.#out.length = last + 1;
    this.#out[last]!.rewind(position % PIECE_STRIDE);
  }

  /** The picture is spoiled: gives it back, and forgets what was found. */
  #startAnew(): void {
    this.#giveBack();
    this.#attempts++;
    this.#walk = null;
    this.#picture = -1;
    this.#forget();
  }

  #forget(): void {
    this.#rewind(0);
    this.#long.filter(0, () => false);
    this.#found = 0;
    this.#count = 0;
  }

  #giveBack(): void {
    const picture = this.#picture;
    assert(picture >= 0, "a picture is given back once");
    // The first shard tells whether a picture is free: it comes last.
    for (const space of this.#keyspaces.toReversed()) {
      this.#latches.acquire(space.shard);
      space.hooks.pictures.close(picture);
      this.#latches.release(space.shard);
      this.#takeNotes(space, () => {});
      this.#latches.acquire(space.shard);
      space.hooks.pictures.end(picture);
      this.#latches.release(space.shard);
    }
  }
}

/** What it costs to list a name, in bytes. */
function costOf({ length }: Key): number {
  return length >= LONG_KEY_BYTES ? KEPT_BYTES : length;
}
