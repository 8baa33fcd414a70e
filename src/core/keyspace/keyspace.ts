/**
 * One shard's share of the keyspace: its databases, entries and their expires.
 *
 * A keyspace is a handle on shared words; every worker has one per shard, and
 * none keeps anything between calls. Every method asks that the caller holds the
 * shard's latch.
 *
 * References of entries are good until the next call that may write: a change of
 * length or expire may move the entry.
 *
 * Size: all that writes an entry's header words stands here, so that what must
 * change together (dictionary, expires, accounting) can be read together.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import type { Prng } from "../base/prng.ts";
import {
  type Arena,
  byteOf,
  SEGMENT_SHIFT,
  UNIT_MASK,
  wordOf,
} from "../memory/arena.ts";
import { Dict, DICT_COUNT } from "../memory/dict.ts";
import { ExternalStrings } from "../memory/external.ts";
import { Heap, OutOfMemory } from "../memory/heap.ts";
import { Listpacks } from "../memory/listpack.ts";
import {
  EXPIRE_BYTES,
  HAS_EXPIRE,
  KEY_FLAGS_MASK,
  KEY_LENGTH_MASK,
  keyOffset,
  NODE_HASH,
  NODE_HEADER_BYTES,
  NODE_KEY,
  NODE_META,
  NODE_VALUE,
} from "../memory/node.ts";
import type { PagePool } from "../memory/page_pool.ts";
import { CLASS_OF, CLASS_UNITS_MAX } from "../memory/size_classes.ts";
import type { AccessClock } from "./access_clock.ts";
import {
  CHANGES,
  EXPIRED_KEYS,
  KEYSPACE_HITS,
  KEYSPACE_MISSES,
} from "./counters.ts";
import {
  CLOCK_MASK,
  CLOCK_SHIFT,
  encodingOf,
  entryMeta,
  EPOCH_BIT,
  EXTERNAL_BYTES_MIN,
  HAS_FIELD_EXPIRES,
  HAS_READERS,
  KIND_MASK,
  NOT_CLOCK_MASK,
  STRING_ENCODING_NAMES,
  STRING_EXTERNAL,
  TYPE_STREAM,
  TYPE_STRING,
  typeOf,
} from "../types/entry.ts";
import type { EncodingLimits } from "../types/value_type.ts";
import { ValueTypes } from "../types/value_types.ts";
import type { EffectLog } from "./effect_log.ts";
import { Key } from "./key.ts";
import {
  DEL,
  EVENT_CLASSES,
  EXPIRED,
  KEY_MISS,
  type KeyEventListener,
  NEW,
  NOTIFY_MASK,
} from "./key_events.ts";
import { KeyLocks, type LockSurroundings, mayBeLocked } from "./key_locks.ts";
import { KeyNotes } from "./key_notes.ts";
import { KeyPictures } from "./key_pictures.ts";
import {
  DATABASE_WORDS,
  databasesOf,
  expiresAt,
  fieldExpiresAt,
  FLAG_KEY_LOCKS,
  HOOK_BROADCAST,
  HOOK_PICTURES,
  HOOK_SNAPSHOT,
  HOOK_TRACKED,
  HOOK_WAITERS,
  HOOK_WATCH,
  keysAt,
  SHARD_CHANNELS,
  SHARD_DETACHED,
  SHARD_DETACHED_COUNT,
  SHARD_EPOCH,
  SHARD_FLAGS,
  SHARD_HEAP,
  SHARD_HOOKS,
  SHARD_LOCKS,
  SHARD_TRACKED,
  SHARD_WAITERS,
  SHARD_WAITING,
  SHARD_WATCHED,
} from "./shard_control.ts";
import type { ReadyKeys } from "./ready_keys.ts";
import { type EntrySaver, originOf } from "./snapshot_marks.ts";
import { leaveValue } from "./shared_value.ts";
import { SubscriberCounts } from "./subscriber_counts.ts";
import { type ClientVisitor, TrackedKeys } from "./tracked_keys.ts";
import type { WaiterRecords } from "./waiter_records.ts";
import { Waiters } from "./waiters.ts";
import { WatchedKeys } from "./watched_keys.ts";

/** What a worker's keyspaces have in common. */
export interface KeyspaceContext {
  /** The worker's views. */
  readonly arena: Arena;
  /** The page pool. */
  readonly pool: PagePool;
  /** The worker's statistics. */
  readonly counters: Float64Array;
  /** The worker's access clock. */
  readonly clock: AccessClock;
  /** The worker's source of randomness. */
  readonly random: Prng;
  /** Seed of the hash of keys, fields and members. */
  readonly hashSeed: readonly [number, number];
  /** The thresholds between encodings, as they are now. */
  readonly limits: EncodingLimits;
  /** Takes note of changed keys that commands wait for. */
  readonly ready?: ReadyKeys;
  /** Who is told of events, where a shard's hooks ask for it. */
  readonly events?: KeyEventListener;
  /** Where deletions that no command asks for are recorded. */
  readonly effects?: EffectLog;
  /** Who tells clients of changes of what they have in their caches. */
  readonly caches?: CacheListener;
  /** Saves entries that are about to change while a snapshot is under way. */
  readonly saver?: EntrySaver;
  /** What the key locks of all shards have in common. */
  readonly locks?: LockSurroundings;
}

/** For a keyspace of which nobody locks keys. */
const NO_LOCKS: LockSurroundings = {
  readersPass: true,
  isHolder: false,
  wake() {},
};

/** Who is told of changed keys that clients may have in caches of their own. */
export interface CacheListener {
  /**
   * A key has changed, of a shard whose hooks say that keys are tracked, or
   * prefixes. The bytes are lent for the call; latches are held.
   */
  keyChanged(
    space: Keyspace,
    hooks: number,
    event: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): void;
  /** Whole databases have changed; `forgotten` tracked keys are forgotten. */
  databasesChanged(forgotten: number): void;
}

/** Either of the hooks of a {@linkcode CacheListener}. */
const HOOK_CACHES = HOOK_TRACKED | HOOK_BROADCAST;

/** Values of more allocations are not freed at once, see reclaim.ts. */
const WEIGHT_MAX = 64;

/** A worker's handle on one shard. */
export class Keyspace {
  /** Number of the shard. */
  readonly shard: number;
  /** The control block. */
  readonly control: Int32Array;
  /** Databases that clients can select; as many again are behind them. */
  readonly databases: number;
  /** The shard's heap. */
  readonly heap: Heap;
  /** Dictionary operations on the shard's heap. */
  readonly dict: Dict;
  /** Strings in runs of their own. */
  readonly externals: ExternalStrings;
  /** The types of values other than strings. */
  readonly values: ValueTypes;
  /** What WATCH knows of the shard's keys. */
  readonly watched: WatchedKeys;
  /** The commands that wait for keys of the shard. */
  readonly waiters: Waiters;
  /** Which keys of the shard are locked, and who waits for them. */
  readonly locks: KeyLocks;
  /** Who listens to the shard's channels. */
  readonly channels: SubscriberCounts;
  /** The lists of all keys that are being made. */
  readonly pictures: KeyPictures;
  /** Which clients may have which keys in caches of their own. */
  readonly tracked: TrackedKeys;
  /** The worker's views. */
  readonly arena: Arena;
  /** Whether reads leave the access clock alone (CLIENT NO-TOUCH). */
  noTouch = false;
  /**
   * Whether what has expired is not deleted by who meets it (CLIENT PAUSE); only
   * for commands that do not write.
   */
  keepsExpired = false;
  readonly #counters: Float64Array;
  readonly #clock: AccessClock;
  readonly #ready: ReadyKeys | undefined;
  readonly #events: KeyEventListener | undefined;
  readonly #effects: EffectLog | undefined;
  readonly #caches: CacheListener | undefined;
  readonly #saver: EntrySaver | undefined;
  /** The entry of a value that is being built, or 0. */
  #begun = 0;
  /** Whether a key that is made is not announced. */
  #isQuiet = false;

  /** `control` is the shard's control block. */
  constructor(context: KeyspaceContext, control: Int32Array, shard: number) {
    this.shard = shard;
    this.control = control;
    this.databases = databasesOf(control);
    this.arena = context.arena;
    this.heap = new Heap(
      context.arena,
      context.pool,
      control,
      SHARD_HEAP,
      shard,
    );
    this.dict = new Dict(context.arena, this.heap);
    this.externals = new ExternalStrings(context.arena, context.pool);
    this.values = new ValueTypes({
      arena: context.arena,
      heap: this.heap,
      dict: this.dict,
      listpacks: new Listpacks(context.arena, this.heap),
      hashSeed0: context.hashSeed[0],
      hashSeed1: context.hashSeed[1],
      limits: context.limits,
      random: context.random,
    });
    this.watched = new WatchedKeys(this.#notesAt(SHARD_WATCHED));
    this.channels = new SubscriberCounts(this.#notesAt(SHARD_CHANNELS));
    this.waiters = new Waiters(
      this.#notesAt(SHARD_WAITERS),
      this.heap,
      control,
      SHARD_WAITING,
      shard,
    );
    this.pictures = new KeyPictures(
      control,
      this.dict,
      (header) => this.#notesAt(header),
    );
    this.tracked = new TrackedKeys(
      this.#notesAt(SHARD_TRACKED),
      this.heap,
      this.dict,
      this.arena,
      control,
    );
    this.locks = new KeyLocks(
      this.#notesAt(SHARD_LOCKS),
      this.heap,
      control,
      context.locks ?? NO_LOCKS,
    );
    this.#counters = context.counters;
    this.#clock = context.clock;
    this.#ready = context.ready;
    this.#events = context.events;
    this.#effects = context.effects;
    this.#caches = context.caches;
    this.#saver = context.saver;
  }

  #notesAt(header: number): KeyNotes {
    return new KeyNotes(
      this.arena,
      this.heap,
      this.dict,
      this.control,
      header,
    );
  }

  /** Keys of a database, expired ones that still lie there included. */
  count(db: number): number {
    return this.control[keysAt(db) + DICT_COUNT]!;
  }

  /** Keys with an expire. */
  expiresCount(db: number): number {
    return this.control[expiresAt(db) + DICT_COUNT]!;
  }

  /** Hashes with fields that have an expire. */
  fieldExpiresCount(db: number): number {
    return this.control[fieldExpiresAt(db) + DICT_COUNT]!;
  }

  /** The entry of a key, expired or not, or 0; counts and touches nothing. */
  peek(db: number, key: Key): number {
    return this.dict.find(
      this.control,
      keysAt(db),
      key.buf,
      key.off,
      key.length,
      key.hash,
    );
  }

  /** As {@linkcode Dict.guessBucket}, of a database's keys. */
  guessBucket(db: number, hash: number): number {
    return this.dict.guessBucket(this.control, keysAt(db), hash);
  }

  /** The live entry of a key for a command that reads it, or 0. */
  lookupRead(db: number, key: Key, nowMs: number): number {
    return this.#countLookup(db, key, this.lookupWrite(db, key, nowMs));
  }

  /** The live entry of a key, or 0: as lookupRead, but not counted. */
  lookupWrite(db: number, key: Key, nowMs: number): number {
    const ref = this.peek(db, key);
    if (ref === 0) return 0;
    const words = this.arena.i32[ref >>> SEGMENT_SHIFT]!;
    const at = (ref & UNIT_MASK) << 1;
    if (words[at + NODE_KEY]! < 0 && this.expireAt(ref) <= nowMs) {
      this.meetExpired(db, ref);
      return 0;
    }
    if (!this.noTouch) {
      const meta = words[at + NODE_META]!;
      const clock = meta >>> CLOCK_SHIFT;
      const touched = this.#clock.touched(clock);
      if (touched !== clock) {
        words[at + NODE_META] = (meta & NOT_CLOCK_MASK) |
          touched << CLOCK_SHIFT;
      }
    }
    return ref;
  }

  /** As {@linkcode lookupWrite}, without touching the access clock. */
  lookupQuiet(db: number, key: Key, nowMs: number): number {
    const ref = this.peek(db, key);
    if (ref === 0 || !this.isExpired(ref, nowMs)) return ref;
    this.meetExpired(db, ref);
    return 0;
  }

  /** As {@linkcode lookupRead}, without touching the access clock. */
  lookupReadQuiet(db: number, key: Key, nowMs: number): number {
    return this.#countLookup(db, key, this.lookupQuiet(db, key, nowMs));
  }

  /** As {@linkcode lookupReadQuiet}; a miss counts, but is no event. */
  lookupInspected(db: number, key: Key, nowMs: number): number {
    const ref = this.lookupQuiet(db, key, nowMs);
    const counter = ref === 0 ? KEYSPACE_MISSES : KEYSPACE_HITS;
    this.#counters[counter] = this.#counters[counter]! + 1;
    return ref;
  }

  /** Word 0 of an entry. */
  meta(ref: number): number {
    return this.arena.i32[ref >>> SEGMENT_SHIFT]![(ref & UNIT_MASK) << 1]!;
  }

  /** Value type of an entry. */
  type(ref: number): number {
    return typeOf(this.meta(ref));
  }

  /** Encoding of an entry's value. */
  encoding(ref: number): number {
    return encodingOf(this.meta(ref));
  }

  /** Name of that encoding, as OBJECT ENCODING prints it. */
  encodingName(ref: number): string {
    const type = this.type(ref);
    const names = type === TYPE_STRING
      ? STRING_ENCODING_NAMES
      : this.values.of(type).encodingNames;
    return names[this.encoding(ref)]!;
  }

  /** Access clock of an entry. */
  clockOf(ref: number): number {
    return this.meta(ref) >>> CLOCK_SHIFT & CLOCK_MASK;
  }

  /** Sets the access clock of an entry. */
  setClock(ref: number, clock: number): void {
    this.#setWord(
      ref,
      NODE_META,
      (this.meta(ref) & NOT_CLOCK_MASK) | clock << CLOCK_SHIFT,
    );
  }

  /** Hash of an entry's key. */
  hashOf(ref: number): number {
    return this.#word(ref, NODE_HASH);
  }

  /** The byte view that holds an entry. */
  bytes(ref: number): Uint8Array {
    return this.arena.u8[ref >>> SEGMENT_SHIFT]!;
  }

  /** Offset of an entry's key in {@linkcode bytes}. */
  keyOff(ref: number): number {
    return byteOf(ref) + keyOffset(this.#word(ref, NODE_KEY));
  }

  /** Length of an entry's key. */
  keyLength(ref: number): number {
    return this.#word(ref, NODE_KEY) & KEY_LENGTH_MASK;
  }

  /** When the entry expires, in milliseconds of the epoch; 0 for never. */
  expireAt(ref: number): number {
    if (this.#word(ref, NODE_KEY) >= 0) return 0;
    return this.arena.f64[ref >>> SEGMENT_SHIFT]![(ref & UNIT_MASK) + 2]!;
  }

  /** Whether the entry's time has come. */
  isExpired(ref: number, nowMs: number): boolean {
    return this.#word(ref, NODE_KEY) < 0 && this.expireAt(ref) <= nowMs;
  }

  /** Length of a string's value. */
  stringLength(ref: number): number {
    const word = this.#word(ref, NODE_VALUE);
    return this.encoding(ref) === STRING_EXTERNAL
      ? this.externals.length(word)
      : word;
  }

  /** The byte view that holds a string's value. */
  stringBytes(ref: number): Uint8Array {
    return this.encoding(ref) === STRING_EXTERNAL
      ? this.externals.bytes(this.#word(ref, NODE_VALUE))
      : this.bytes(ref);
  }

  /** Offset of a string's value in {@linkcode stringBytes}. */
  stringOff(ref: number): number {
    return this.encoding(ref) === STRING_EXTERNAL
      ? this.externals.offset(this.#word(ref, NODE_VALUE))
      : this.keyOff(ref) + this.keyLength(ref);
  }

  /** Reference of the run or root that word 2 of an entry names. */
  valueRef(ref: number): number {
    return this.#word(ref, NODE_VALUE);
  }

  /**
   * Makes the key a string of the given bytes, whatever it was before.
   * `existing` is its entry, or 0. `expireAtMs` is 0 for none. Returns the
   * entry. Throws OutOfMemory before anything is changed.
   */
  setString(
    db: number,
    key: Key,
    existing: number,
    source: Uint8Array,
    off: number,
    length: number,
    encoding: number,
    expireAtMs: number,
  ): number {
    if (length >= EXTERNAL_BYTES_MIN) {
      const run = this.externals.create(length);
      if (run === 0) throw new OutOfMemory();
      this.externals.setLength(run, length);
      copyBytes(
        source,
        off,
        this.externals.bytes(run),
        this.externals.offset(run),
        length,
      );
      return this.setExternal(db, key, existing, run, expireAtMs);
    }
    const ref = this.#reshape(
      db,
      key,
      existing,
      length,
      expireAtMs,
      entryMeta(TYPE_STRING, encoding, this.#clockFor(existing)),
    );
    this.#setWord(ref, NODE_VALUE, length);
    copyBytes(
      source,
      off,
      this.bytes(ref),
      this.keyOff(ref) + key.length,
      length,
    );
    return ref;
  }

  /**
   * As {@linkcode setString}, but the bytes are the caller's to write: until
   * then they are arbitrary.
   */
  makeString(
    db: number,
    key: Key,
    existing: number,
    length: number,
    encoding: number,
    expireAtMs: number,
  ): number {
    if (length >= EXTERNAL_BYTES_MIN) {
      const run = this.externals.create(length);
      if (run === 0) throw new OutOfMemory();
      this.externals.setLength(run, length);
      return this.setExternal(db, key, existing, run, expireAtMs);
    }
    const ref = this.#reshape(
      db,
      key,
      existing,
      length,
      expireAtMs,
      entryMeta(TYPE_STRING, encoding, this.#clockFor(existing)),
    );
    this.#setWord(ref, NODE_VALUE, length);
    return ref;
  }

  /**
   * Makes the key a string whose bytes lie in `run`, an external string: the
   * entry takes over one reference to it, which is dropped if this throws.
   */
  setExternal(
    db: number,
    key: Key,
    existing: number,
    run: number,
    expireAtMs: number,
  ): number {
    try {
      const clock = this.#clockFor(existing);
      const meta = entryMeta(TYPE_STRING, STRING_EXTERNAL, clock);
      const ref = this.#reshape(db, key, existing, 0, expireAtMs, meta);
      this.#setWord(ref, NODE_VALUE, run);
      this.heap.adoptRun(run);
      return ref;
    } catch (cause) {
      this.externals.unpin(run);
      throw cause;
    }
  }

  /**
   * Makes the key an empty value of any type but string; `existing` is its
   * entry, or 0. Who makes it fills it: a key is not seen empty.
   */
  create(
    db: number,
    key: Key,
    type: number,
    existing = 0,
    expireAtMs = 0,
  ): number {
    const meta = entryMeta(type, 0, this.#clockFor(existing));
    const ref = this.#reshape(db, key, existing, 0, expireAtMs, meta);
    this.#setWord(ref, NODE_VALUE, 0);
    return ref;
  }

  /** As {@linkcode create}, but the event NEW is the caller's to signal. */
  createQuietly(db: number, key: Key, type: number): number {
    this.#isQuiet = true;
    try {
      return this.create(db, key, type);
    } finally {
      this.#isQuiet = false;
    }
  }

  /**
   * Begins a value of any type but string that no key has yet: returns an entry
   * outside of all dictionaries, to be filled. There is one at a time; it ends
   * with {@linkcode storeValue} or {@linkcode dropValue}.
   */
  beginValue(type: number): number {
    this.dropValue();
    const ref = this.heap.allocate(NODE_HEADER_BYTES >> 3);
    this.#setWord(ref, NODE_META, type);
    this.#setWord(ref, NODE_KEY, 0);
    this.#setWord(ref, NODE_VALUE, 0);
    this.#begun = ref;
    return ref;
  }

  /**
   * Gives the value that was begun to a key and returns its entry; `existing`
   * is the key's entry, whose value is freed, or 0. After OutOfMemory nothing
   * has changed but that the value is gone.
   */
  storeValue(db: number, key: Key, existing: number, expireAtMs = 0): number {
    const begun = this.#begun;
    const type = this.type(begun);
    const ref = this.create(db, key, type, existing, expireAtMs);
    const kind = this.kind(begun);
    this.giveValue(ref, kind, this.takeValue(begun));
    this.#begun = 0;
    this.heap.free(begun);
    return ref;
  }

  /**
   * Puts the value that was begun in the place of an entry's, of the same type,
   * which is freed or left to its readers. Needs no memory.
   */
  replaceValue(ref: number): void {
    const begun = this.#begun;
    if (this.hasReaders(ref)) leaveValue(this, ref);
    const kind = this.kind(begun);
    const root = this.takeValue(begun);
    const oldKind = this.kind(ref);
    this.giveValue(begun, oldKind, this.takeValue(ref));
    this.giveValue(ref, kind, root);
    this.dropValue();
  }

  /** Frees the value that was begun, if there is one. */
  dropValue(): void {
    const begun = this.#begun;
    if (begun === 0) return;
    this.#begun = 0;
    this.freeEntry(begun);
  }

  /** Makes an empty key the owner of a value: see {@linkcode takeValue}. */
  giveValue(ref: number, kind: number, root: number): void {
    this.#setKind(ref, kind);
    this.#setWord(ref, NODE_VALUE, root);
  }

  /**
   * Takes the value from an entry, which is empty then; returns the root. The
   * kind of a value is type and encoding together.
   */
  takeValue(ref: number): number {
    const root = this.#word(ref, NODE_VALUE);
    this.#setKind(ref, this.type(ref));
    this.#setWord(ref, NODE_VALUE, 0);
    return root;
  }

  /** Type and encoding of an entry's value, as one number. */
  kind(ref: number): number {
    return this.meta(ref) & KIND_MASK;
  }

  /** Elements of a value that is no string. */
  length(ref: number): number {
    return this.values.of(this.type(ref)).length(ref);
  }

  /**
   * Deletes a key that has no elements left; says whether it did. A stream
   * stays.
   */
  deleteIfEmpty(db: number, ref: number): boolean {
    if (this.type(ref) === TYPE_STREAM || this.length(ref) > 0) return false;
    this.delete(db, ref);
    return true;
  }

  /** Deletes a key that was made but never filled: memory was short. */
  deleteIfUnfilled(db: number, key: Key): void {
    const ref = this.peek(db, key);
    if (ref === 0 || this.type(ref) === TYPE_STRING) return;
    // A root alone makes no value, but for a stream.
    if (this.#word(ref, NODE_VALUE) === 0) this.delete(db, ref);
    else this.deleteIfEmpty(db, ref);
  }

  /**
   * Says whether fields of the hash have an expire; such hashes are found
   * through a dictionary of their own.
   */
  setFieldExpires(db: number, ref: number, has: boolean): void {
    const keyWord = this.#word(ref, NODE_KEY);
    if (((keyWord & HAS_FIELD_EXPIRES) !== 0) === has) return;
    const header = fieldExpiresAt(db);
    const hash = this.#word(ref, NODE_HASH);
    if (has) this.dict.insert(this.control, header, ref, hash);
    else this.dict.remove(this.control, header, ref, hash);
    this.#setWord(ref, NODE_KEY, keyWord ^ HAS_FIELD_EXPIRES);
  }

  /** Whether fields of the hash have an expire. */
  hasFieldExpires(ref: number): boolean {
    return (this.#word(ref, NODE_KEY) & HAS_FIELD_EXPIRES) !== 0;
  }

  /**
   * Gives a string's entry room for `length` bytes of value and keeps what is
   * there; the bytes beyond are the caller's to write. Returns the entry, which
   * may have moved. The encoding becomes `encoding` unless the value lives in a
   * run of its own.
   */
  resizeString(
    db: number,
    ref: number,
    length: number,
    encoding: number,
  ): number {
    const kept = Math.min(length, this.stringLength(ref));
    if (this.encoding(ref) === STRING_EXTERNAL) {
      this.#resizeExternal(ref, kept, length);
      return ref;
    }
    if (length >= EXTERNAL_BYTES_MIN) {
      return this.#makeExternal(db, ref, kept, length);
    }
    const keyWord = this.#word(ref, NODE_KEY);
    const head = keyOffset(keyWord) + (keyWord & KEY_LENGTH_MASK);
    const moved = this.#resizeEntry(
      db,
      ref,
      head + kept,
      head + this.#word(ref, NODE_VALUE),
      head + length,
    );
    this.#setWord(moved, NODE_VALUE, length);
    this.#setKind(moved, TYPE_STRING | encoding << 4);
    return moved;
  }

  /** Sets or removes (0) the expire of an entry; returns it, perhaps moved. */
  setExpire(db: number, ref: number, expireAtMs: number): number {
    const keyWord = this.#word(ref, NODE_KEY);
    const had = keyWord < 0;
    const has = expireAtMs !== 0;
    let moved = ref;
    if (had !== has) {
      const size = this.#entryBytes(ref);
      const key = keyWord & ~HAS_EXPIRE;
      if (had) {
        this.dict.remove(
          this.control,
          expiresAt(db),
          ref,
          this.#word(ref, NODE_HASH),
        );
        this.#shiftBody(ref, size, -EXPIRE_BYTES);
        this.#setWord(ref, NODE_KEY, key);
        moved = this.#resizeEntry(
          db,
          ref,
          size - EXPIRE_BYTES,
          size,
          size - EXPIRE_BYTES,
        );
      } else {
        moved = this.#resizeEntry(db, ref, size, size, size + EXPIRE_BYTES);
        // If this throws, the entry has got room that it does not need.
        this.dict.insert(
          this.control,
          expiresAt(db),
          moved,
          this.#word(moved, NODE_HASH),
        );
        this.#shiftBody(moved, size, EXPIRE_BYTES);
        this.#setWord(moved, NODE_KEY, key | HAS_EXPIRE);
      }
    }
    if (has) this.#setExpireAt(moved, expireAtMs);
    return moved;
  }

  /** Deletes an entry and its value. */
  delete(db: number, ref: number): void {
    this.keepOld(db, ref);
    this.detach(db, ref);
    this.freeEntry(ref);
  }

  /**
   * A command has met an entry whose time has come: deletes it if it may, and if
   * nobody else has it locked.
   */
  meetExpired(db: number, ref: number): void {
    if (!this.mustStay(db, ref)) this.expire(db, ref);
  }

  /** Whether an entry stays as it is although its time, or a field's, has come. */
  mustStay(db: number, ref: number): boolean {
    if (this.keepsExpired) return true;
    const node = this.lockNode(db, ref);
    return node !== 0 && !this.locks.mayDelete(node);
  }

  /** Deletes an entry whose time has come, and counts it. */
  expire(db: number, ref: number): void {
    this.#counters[EXPIRED_KEYS] = this.#counters[EXPIRED_KEYS]! + 1;
    this.deleteUnasked(db, ref, EXPIRED);
  }

  /**
   * Deletes an entry that no command wants to be deleted. That is recorded at
   * once, and is no change of the command at hand.
   */
  deleteUnasked(db: number, ref: number, event: number): void {
    this.signalEntry(db, ref, event);
    this.#effects?.deletion(
      db,
      this.bytes(ref),
      this.keyOff(ref),
      this.keyLength(ref),
    );
    this.delete(db, ref);
  }

  /** Whether changes are recorded. */
  get isRecorded(): boolean {
    return this.#effects !== undefined && this.#effects.isOn;
  }

  /** Records that a field of a hash is removed because it has expired. */
  recordField(
    db: number,
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): void {
    this.#effects?.fieldDeletion(
      db,
      this.bytes(ref),
      this.keyOff(ref),
      this.keyLength(ref),
    ).bytes(buf, off, length);
  }

  /**
   * To be called before an entry changes or goes: hands it to the snapshot that
   * is under way, if there is one that has not saved it yet.
   */
  keepOld(db: number, ref: number): void {
    if ((this.control[SHARD_HOOKS]! & HOOK_SNAPSHOT) === 0) return;
    const meta = this.meta(ref);
    if ((meta & EPOCH_BIT) === this.control[SHARD_EPOCH]) return;
    this.#setWord(ref, NODE_META, meta ^ EPOCH_BIT);
    const origin = originOf(this.control, keysAt(db));
    if (origin >= 0) this.#saver!.save(this, origin, ref);
  }

  /** As {@linkcode keepOld}, for what a key has in any database. */
  keepOldOf(key: Key): void {
    if ((this.control[SHARD_HOOKS]! & HOOK_SNAPSHOT) === 0) return;
    for (let db = 0; db < this.databases; db++) {
      if (this.count(db) === 0) continue;
      const ref = this.peek(db, key);
      if (ref !== 0) this.keepOld(db, ref);
    }
  }

  /**
   * Makes an entry that lies in this shard's heap, and in no dictionary, the one
   * of its key in a database; `existing` is the key's entry, which is freed, or
   * 0. Events are the caller's to signal, NEW as well. If this throws OutOfMemory,
   * nothing has changed.
   */
  adoptEntry(db: number, ref: number, existing: number): void {
    const hash = this.#word(ref, NODE_HASH);
    const has = this.#word(ref, NODE_KEY) < 0;
    const kind = this.kind(ref) | this.control[SHARD_EPOCH]!;
    this.#setWord(ref, NODE_META, kind);
    this.setClock(ref, this.#clockFor(existing));
    if (existing === 0) this.#enter(db, ref, hash, has);
    else this.#exchange(db, existing, ref, has);
  }

  /** The key of an entry, good until it is moved or freed. */
  nameOf(ref: number): Key {
    const key = new Key();
    key.buf = this.bytes(ref);
    key.off = this.keyOff(ref);
    key.length = this.keyLength(ref);
    key.hash = this.hashOf(ref);
    key.shard = this.shard;
    return key;
  }

  /**
   * As {@linkcode expire}, unless the key is locked: it is gone for those who
   * look, and deleted when it is released. Says whether it was deleted.
   */
  tryExpire(db: number, ref: number): boolean {
    if (this.isLocked(db, ref)) return false;
    this.expire(db, ref);
    return true;
  }

  /** Whether the key of an entry is locked, so that the entry must stay. */
  isLocked(db: number, ref: number): boolean {
    const node = this.lockNode(db, ref);
    return node !== 0 && this.locks.isHeld(node);
  }

  /** What is known of the locks of an entry's key: a node, or 0. */
  lockNode(db: number, ref: number): number {
    const { control } = this;
    if ((control[SHARD_FLAGS]! & FLAG_KEY_LOCKS) === 0) return 0;
    const hash = this.hashOf(ref);
    if (!mayBeLocked(control, hash)) return 0;
    return this.locks.find(
      db,
      this.bytes(ref),
      this.keyOff(ref),
      this.keyLength(ref),
      hash,
    );
  }

  /** Takes an entry out of its database; it is the caller's to free. */
  detach(db: number, ref: number): void {
    if ((this.control[SHARD_HOOKS]! & HOOK_PICTURES) !== 0) {
      this.pictures.noteGone(db, this.nameOf(ref), this.expireAt(ref));
    }
    const hash = this.#word(ref, NODE_HASH);
    if (this.#word(ref, NODE_KEY) < 0) {
      this.dict.remove(this.control, expiresAt(db), ref, hash);
    }
    this.dict.remove(this.control, keysAt(db), ref, hash);
    this.setFieldExpires(db, ref, false);
  }

  /** Puts a detached entry into a database; throws OutOfMemory or does it. */
  attach(db: number, ref: number, hash: number): void {
    this.#enter(db, ref, hash, this.#word(ref, NODE_KEY) < 0);
  }

  /** Whether replies may still read an entry's value, see shared_value.ts. */
  hasReaders(ref: number): boolean {
    return (this.#word(ref, NODE_KEY) & HAS_READERS) !== 0;
  }

  /** Frees a detached entry and its value; a large value, in slices. */
  freeEntry(ref: number): void {
    if (this.hasReaders(ref)) leaveValue(this, ref);
    if (this.#isHeavy(ref)) return this.#putAside(ref);
    this.#freeValue(ref);
    this.heap.free(ref);
  }

  /** Entries that were put aside because their values are large. */
  detachedValues(): number {
    return this.control[SHARD_DETACHED_COUNT]!;
  }

  /**
   * Frees about `budget` allocations of what was put aside; says whether
   * nothing is left.
   */
  freeDetached(budget: number): boolean {
    const ref = this.control[SHARD_DETACHED]!;
    if (ref === 0) return true;
    if (this.values.of(this.type(ref)).freeSlice(ref, budget)) {
      this.control[SHARD_DETACHED] = this.#word(ref, NODE_HASH);
      this.control[SHARD_DETACHED_COUNT]!--;
      this.heap.free(ref);
    }
    return this.control[SHARD_DETACHED] === 0;
  }

  /** The chain of such entries goes through the word of the hash. */
  #putAside(ref: number): void {
    this.#setWord(ref, NODE_HASH, this.control[SHARD_DETACHED]!);
    this.control[SHARD_DETACHED] = ref;
    this.control[SHARD_DETACHED_COUNT]!++;
  }

  #isHeavy(ref: number): boolean {
    const type = this.type(ref);
    if (type === TYPE_STRING) return false;
    return this.hasReaders(ref) ||
      this.values.of(type).weight(ref) > WEIGHT_MAX;
  }

  /**
   * Says what a command has done to a key; an event of key_events.ts. To be
   * called when it is done, and for every key that has changed.
   */
  signal(db: number, key: Key, event: number): void {
    if (this.control[SHARD_HOOKS] === 0) return;
    this.#tell(db, key.buf, key.off, key.length, key.hash, event);
  }

  /** As {@linkcode signal}, of a key that has an entry. */
  signalEntry(db: number, ref: number, event: number): void {
    if (this.control[SHARD_HOOKS] === 0) return;
    this.#tell(
      db,
      this.bytes(ref),
      this.keyOff(ref),
      this.keyLength(ref),
      this.hashOf(ref),
      event,
    );
  }

  /** A database is about to lose all of its keys, or to get others. */
  signalDatabase(db: number): void {
    const hooks = this.control[SHARD_HOOKS]!;
    if ((hooks & HOOK_WATCH) !== 0) {
      this.watched.touchAll(db, (key) => this.peek(db, key) !== 0);
    }
    if ((hooks & HOOK_WAITERS) !== 0 && this.#ready !== undefined) {
      this.waiters.noteAll(db, this.#ready);
    }
    if ((hooks & HOOK_PICTURES) !== 0) this.pictures.spoilAll(db);
  }

  /** Commands that wait for a key shall look again: it has been released. */
  noteReleased(db: number, key: Key): void {
    if ((this.control[SHARD_HOOKS]! & HOOK_WAITERS) === 0) return;
    const { buf, off, length, hash } = key;
    if (this.waiters.find(db, buf, off, length, hash) === 0) return;
    this.#ready?.note(this.shard, db, buf, off, length, hash);
  }

  /** Adds a watcher of a key; returns what {@linkcode WatchedKeys} has of it. */
  watch(db: number, key: Key): number {
    const node = this.watched.watch(db, key);
    this.control[SHARD_HOOKS]! |= HOOK_WATCH;
    return node;
  }

  /** Drops a watcher of a key. */
  unwatch(node: number): void {
    this.watched.unwatch(node);
    if (this.watched.count === 0) this.control[SHARD_HOOKS]! &= ~HOOK_WATCH;
  }

  /** Lets a command wait for a key; may throw OutOfMemory. */
  addWaiter(
    db: number,
    key: Key,
    record: number,
    records: WaiterRecords,
  ): void {
    this.waiters.add(db, key, record, records);
    this.control[SHARD_HOOKS]! |= HOOK_WAITERS;
  }

  /** Ends a registration of a waiting command. */
  removeWaiter(registration: number): void {
    this.waiters.remove(registration);
    if (this.waiters.count === 0) this.control[SHARD_HOOKS]! &= ~HOOK_WAITERS;
  }

  /**
   * Notes that a client has read a key: as {@linkcode TrackedKeys.note}, which
   * may throw OutOfMemory.
   */
  track(key: Key, client: number, worker: number): number {
    const outcome = this.tracked.note(key, client, worker);
    this.control[SHARD_HOOKS]! |= HOOK_TRACKED;
    return outcome;
  }

  /** Forgets a tracked key and visits its clients. */
  untrack(node: number, visit: ClientVisitor): void {
    this.tracked.take(node, visit);
    if (this.tracked.count === 0) this.control[SHARD_HOOKS]! &= ~HOOK_TRACKED;
  }

  /** Forgets all tracked keys, if there is room; returns how many. */
  forgetTracked(): number {
    const { count } = this.tracked;
    if (count === 0 || !this.tracked.canForget()) return 0;
    this.tracked.forget();
    this.control[SHARD_HOOKS]! &= ~HOOK_TRACKED;
    return count;
  }

  /** Says whether changed keys are told by their prefix. */
  broadcast(isOn: boolean): void {
    const hooks = this.control[SHARD_HOOKS]!;
    this.control[SHARD_HOOKS] = isOn
      ? hooks | HOOK_BROADCAST
      : hooks & ~HOOK_BROADCAST;
  }

  /** Tells caches that databases have changed, in all shards. */
  signalCaches(forgotten: number): void {
    this.#caches?.databasesChanged(forgotten);
  }

  #tell(
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
    event: number,
  ): void {
    const hooks = this.control[SHARD_HOOKS]!;
    const changes = event !== NEW && event !== KEY_MISS;
    if ((hooks & HOOK_WATCH) !== 0 && changes) {
      this.watched.touch(db, buf, off, length, hash);
    }
    if (
      (hooks & HOOK_WAITERS) !== 0 && changes && this.#ready !== undefined &&
      this.waiters.find(db, buf, off, length, hash) !== 0
    ) this.#ready.note(this.shard, db, buf, off, length, hash);
    if ((hooks & HOOK_CACHES) !== 0 && changes) {
      this.#caches?.keyChanged(this, hooks, event, buf, off, length, hash);
    }
    if ((hooks & EVENT_CLASSES[event]!) !== 0) {
      this.#events?.keyEvent(hooks, event, db, buf, off, length);
    }
  }

  /** Sets which events the listener is told of: bits of key_events.ts. */
  notify(classes: number): void {
    const hooks = this.control[SHARD_HOOKS]!;
    this.control[SHARD_HOOKS] = hooks & ~NOTIFY_MASK | classes;
  }

  /** A command has changed a key: counts `count` changes and tells who asks. */
  changed(db: number, key: Key, event: number, count = 1): void {
    this.#counters[CHANGES] = this.#counters[CHANGES]! + count;
    if (this.control[SHARD_HOOKS] !== 0) this.signal(db, key, event);
  }

  /**
   * As {@linkcode changed}, and the key is gone where the change left nothing of
   * it.
   */
  changedOrGone(
    db: number,
    key: Key,
    event: number,
    isGone: boolean,
    count = 1,
  ): void {
    this.changed(db, key, event, count);
    if (isGone) this.signal(db, key, DEL);
  }

  /** Counts changes of the data set. */
  noteChange(count = 1): void {
    this.#counters[CHANGES] = this.#counters[CHANGES]! + count;
  }

  /**
   * Moves an entry to a better place if its slab is sparse; says whether it
   * did. Dictionaries follow; external values stay.
   */
  defragment(db: number, ref: number): boolean {
    if (!this.heap.isSparse(ref) || this.isLocked(db, ref)) return false;
    const size = this.#entryBytes(ref);
    const moved = this.heap.tryAllocate((size + 7) >>> 3);
    if (moved === 0) return false;
    this.#copyEntry(ref, moved, size);
    this.#repoint(db, ref, moved);
    this.heap.noteMoved((size + 7) >>> 3);
    this.heap.free(ref);
    return true;
  }

  /**
   * Bytes of an entry with its value, as allocated; `samples` elements of a
   * large value are looked at, or all (0).
   */
  entryAllocatedBytes(ref: number, samples: number): number {
    const bytes = this.heap.unitsOf(ref) * 8;
    const type = this.type(ref);
    if (type !== TYPE_STRING) {
      return bytes + this.values.of(type).memoryBytes(ref, samples);
    }
    return this.encoding(ref) === STRING_EXTERNAL
      ? bytes + this.heap.unitsOf(this.valueRef(ref)) * 8
      : bytes;
  }

  /**
   * Makes room for the names of so many keys, if the database has none yet; 0
   * takes it back.
   */
  expect(db: number, keys: number, expires: number): void {
    this.dict.expect(this.control, keysAt(db), keys);
    this.dict.expect(this.control, expiresAt(db), expires);
  }

  /** Index of the header of a database's dictionary of keys. */
  keysHeader(db: number): number {
    return keysAt(db);
  }

  /** Index of the header of a database's dictionary of keys with an expire. */
  expiresHeader(db: number): number {
    return expiresAt(db);
  }

  /** Index of the header of a database's dictionary of hashes with field expires. */
  fieldExpiresHeader(db: number): number {
    return fieldExpiresAt(db);
  }

  /** Exchanges two databases. */
  swap(a: number, b: number): void {
    for (let i = 0; i < DATABASE_WORDS; i++) {
      const x = this.control[keysAt(a) + i]!;
      this.control[keysAt(a) + i] = this.control[keysAt(b) + i]!;
      this.control[keysAt(b) + i] = x;
    }
  }

  #countLookup(db: number, key: Key, ref: number): number {
    if (ref === 0) {
      this.#counters[KEYSPACE_MISSES] = this.#counters[KEYSPACE_MISSES]! + 1;
      this.signal(db, key, KEY_MISS);
      return 0;
    }
    this.#counters[KEYSPACE_HITS] = this.#counters[KEYSPACE_HITS]! + 1;
    return ref;
  }

  /** Clock of a value that takes the place of `existing`, or of none. */
  #clockFor(existing: number): number {
    return existing !== 0 && this.#clock.isLfu
      ? this.clockOf(existing)
      : this.#clock.initial();
  }

  /**
   * An entry of the key with `tail` bytes of value behind the key, made from
   * `existing` in place where the size class stays the same. The old value is
   * freed; header and key are written.
   */
  #reshape(
    db: number,
    key: Key,
    existing: number,
    tail: number,
    expireAtMs: number,
    meta: number,
  ): number {
    const has = expireAtMs !== 0;
    const size = NODE_HEADER_BYTES + (has ? EXPIRE_BYTES : 0) + key.length +
      tail;
    const units = (size + 7) >>> 3;
    if (existing !== 0) {
      const had = this.#word(existing, NODE_KEY) < 0;
      if (
        had === has && this.#fits(this.#entryBytes(existing), size) &&
        !this.#isHeavy(existing)
      ) {
        this.setFieldExpires(db, existing, false);
        this.#freeValue(existing);
        this.#setWord(existing, NODE_META, meta | this.control[SHARD_EPOCH]!);
        if (has) this.#setExpireAt(existing, expireAtMs);
        return existing;
      }
    }
    const ref = this.heap.allocate(units);
    const words = this.arena.i32[ref >>> SEGMENT_SHIFT]!;
    const at = wordOf(ref);
    words[at + NODE_META] = meta | this.control[SHARD_EPOCH]!;
    words[at + NODE_KEY] = has ? key.length | HAS_EXPIRE : key.length;
    words[at + NODE_HASH] = key.hash;
    if (has) this.#setExpireAt(ref, expireAtMs);
    copyBytes(key.buf, key.off, this.bytes(ref), this.keyOff(ref), key.length);
    try {
      if (existing === 0) this.#enter(db, ref, key.hash, has);
      else this.#exchange(db, existing, ref, has);
    } catch (cause) {
      this.heap.free(ref);
      throw cause;
    }
    if (existing === 0 && !this.#isQuiet) this.signal(db, key, NEW);
    return ref;
  }

  /** Adds a new entry to both dictionaries, or to none if it throws. */
  #enter(db: number, ref: number, hash: number, has: boolean): void {
    const { control, dict } = this;
    dict.insert(control, keysAt(db), ref, hash);
    if (has) {
      try {
        dict.insert(control, expiresAt(db), ref, hash);
      } catch (cause) {
        dict.remove(control, keysAt(db), ref, hash);
        throw cause;
      }
    }
    if ((control[SHARD_HOOKS]! & HOOK_PICTURES) !== 0) {
      this.pictures.noteNew(db, this.nameOf(ref));
    }
  }

  /** Puts `ref` in the place of `existing`, which is freed unless this throws. */
  #exchange(db: number, existing: number, ref: number, has: boolean): void {
    const { control, dict } = this;
    const hash = this.#word(ref, NODE_HASH);
    const had = this.#word(existing, NODE_KEY) < 0;
    const expires = expiresAt(db);
    // What may throw comes first.
    if (has && !had) dict.insert(control, expires, ref, hash);
    else if (has) dict.replace(control, expires, existing, ref, hash);
    else if (had) dict.remove(control, expires, existing, hash);
    dict.replace(control, keysAt(db), existing, ref, hash);
    this.setFieldExpires(db, existing, false);
    this.freeEntry(existing);
  }

  /**
   * Moves an entry of `from` bytes to a place for `to` bytes if its class
   * changes, keeping the first `kept` bytes. Throws before anything is changed,
   * but never when the entry gets smaller: it stays where it is if memory is
   * short.
   */
  #resizeEntry(
    db: number,
    ref: number,
    kept: number,
    from: number,
    to: number,
  ): number {
    if (this.#fits(from, to)) return ref;
    const units = (to + 7) >>> 3;
    const moved = to < from
      ? this.heap.tryAllocate(units)
      : this.heap.allocate(units);
    if (moved === 0) return ref;
    this.#copyEntry(ref, moved, kept);
    this.#repoint(db, ref, moved);
    this.heap.free(ref);
    return moved;
  }

  /** Whether objects of both sizes lie in the same class. */
  #fits(from: number, to: number): boolean {
    const a = (from + 7) >>> 3;
    const b = (to + 7) >>> 3;
    if (a <= CLASS_UNITS_MAX && b <= CLASS_UNITS_MAX) {
      return CLASS_OF[a] === CLASS_OF[b];
    }
    return a > CLASS_UNITS_MAX && b > CLASS_UNITS_MAX &&
      (from + 4095) >>> 12 === (to + 4095) >>> 12;
  }

  #repoint(db: number, from: number, to: number): void {
    const hash = this.#word(to, NODE_HASH);
    this.dict.replace(this.control, keysAt(db), from, to, hash);
    const keyWord = this.#word(to, NODE_KEY);
    if ((keyWord & KEY_FLAGS_MASK) === 0) return;
    if (keyWord < 0) {
      this.dict.replace(this.control, expiresAt(db), from, to, hash);
    }
    if ((keyWord & HAS_FIELD_EXPIRES) !== 0) {
      this.dict.replace(this.control, fieldExpiresAt(db), from, to, hash);
    }
  }

  #copyEntry(from: number, to: number, bytes: number): void {
    copyBytes(
      this.bytes(from),
      byteOf(from),
      this.bytes(to),
      byteOf(to),
      bytes,
    );
  }

  /** Moves everything behind the header, of an entry of `size` bytes. */
  #shiftBody(ref: number, size: number, by: number): void {
    const start = byteOf(ref) + NODE_HEADER_BYTES + (by < 0 ? -by : 0);
    this.bytes(ref).copyWithin(start + by, start, byteOf(ref) + size);
  }

  /** Bytes of an entry, its inline value included. */
  #entryBytes(ref: number): number {
    const keyWord = this.#word(ref, NODE_KEY);
    const meta = this.meta(ref);
    const inline = typeOf(meta) === TYPE_STRING &&
      encodingOf(meta) !== STRING_EXTERNAL;
    return keyOffset(keyWord) + (keyWord & KEY_LENGTH_MASK) +
      (inline ? this.#word(ref, NODE_VALUE) : 0);
  }

  #makeExternal(db: number, ref: number, kept: number, length: number): number {
    const run = this.externals.create(length);
    if (run === 0) throw new OutOfMemory();
    copyBytes(
      this.stringBytes(ref),
      this.stringOff(ref),
      this.externals.bytes(run),
      this.externals.offset(run),
      kept,
    );
    this.externals.setLength(run, length);
    this.heap.adoptRun(run);
    const keyWord = this.#word(ref, NODE_KEY);
    const head = keyOffset(keyWord) + (keyWord & KEY_LENGTH_MASK);
    const moved = this.#resizeEntry(
      db,
      ref,
      head,
      head + this.#word(ref, NODE_VALUE),
      head,
    );
    this.#setWord(moved, NODE_VALUE, run);
    this.#setKind(moved, TYPE_STRING | STRING_EXTERNAL << 4);
    return moved;
  }

  /** A shared run is left to its readers and replaced by a copy. */
  #resizeExternal(ref: number, kept: number, length: number): void {
    const run = this.#word(ref, NODE_VALUE);
    if (!this.externals.isShared(run)) {
      if (length <= this.externals.capacity(run)) {
        this.externals.setLength(run, length);
        return;
      }
      this.heap.disownRun(run);
      const grown = this.externals.extend(run, length);
      this.heap.adoptRun(run);
      if (grown) {
        this.externals.setLength(run, length);
        return;
      }
    }
    // A quarter more than asked, so that appending stays linear.
    const room = length > kept ? length + (length >>> 2) : length;
    const made = this.externals.create(room) || this.externals.create(length);
    if (made === 0) throw new OutOfMemory();
    copyBytes(
      this.externals.bytes(run),
      this.externals.offset(run),
      this.externals.bytes(made),
      this.externals.offset(made),
      kept,
    );
    this.externals.setLength(made, length);
    this.heap.adoptRun(made);
    this.heap.disownRun(run);
    this.externals.unpin(run);
    this.#setWord(ref, NODE_VALUE, made);
  }

  #freeValue(ref: number): void {
    const meta = this.meta(ref);
    if (typeOf(meta) !== TYPE_STRING) {
      return this.values.of(typeOf(meta)).free(ref);
    }
    if (encodingOf(meta) !== STRING_EXTERNAL) return;
    const run = this.#word(ref, NODE_VALUE);
    this.heap.disownRun(run);
    this.externals.unpin(run);
  }

  #setKind(ref: number, kind: number): void {
    this.#setWord(ref, NODE_META, (this.meta(ref) & ~KIND_MASK) | kind);
  }

  #setExpireAt(ref: number, expireAtMs: number): void {
    this.arena.f64[ref >>> SEGMENT_SHIFT]![(ref & UNIT_MASK) + 2] = expireAtMs;
  }

  #word(ref: number, index: number): number {
    return this.arena.i32[ref >>> SEGMENT_SHIFT]![
      ((ref & UNIT_MASK) << 1) + index
    ]!;
  }

  #setWord(ref: number, index: number, value: number): void {
    this.arena.i32[ref >>> SEGMENT_SHIFT]![
      ((ref & UNIT_MASK) << 1) + index
    ] = value;
  }
}
