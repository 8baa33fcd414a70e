/**
 * One shard's share of the keyspace: its databases, entries and their expires.
 *
 * A keyspace is a handle on shared words; every worker has one per shard, and
 * none keeps anything between calls. Every method asks that the caller holds the
 * shard's latch.
 *
 * References of entries are good until the next call that may write: a change of
 * length or expire may move the entry.
 * Subjects of their own are: strings.ts, begun_value.ts and ../types, values;
 * long_names.ts, names; key_hooks.ts and snapshot_marks.ts, who is told of changes;
 * locking.ts, shared_value.ts and detached_values.ts, entries that must stay.
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
import { Dict, DICT_COUNT, type NodeVisitor } from "../memory/dict.ts";
import { ExternalStrings } from "../memory/external.ts";
import { Heap } from "../memory/heap.ts";
import { LONG_KEY_BYTES } from "../memory/known_keys.ts";
import { Listpacks } from "../memory/listpack.ts";
import {
  EXPIRE_BYTES,
  HAS_EXPIRE,
  KEY_LENGTH_MASK,
  keyOffset,
  NODE_HASH,
  NODE_HEADER_BYTES,
  NODE_KEY,
  NODE_META,
  NODE_VALUE,
} from "../memory/node.ts";
import type { PagePool } from "../memory/page_pool.ts";
import { areOneClass } from "../memory/size_classes.ts";
import {
  CLOCK_MASK,
  CLOCK_SHIFT,
  encodingOf,
  HAS_FIELD_EXPIRES,
  HAS_READERS,
  KIND_MASK,
  NOT_CLOCK_MASK,
  STRING_EXTERNAL,
  TYPE_STREAM,
  TYPE_STRING,
  typeOf,
} from "../types/entry.ts";
import type { EncodingLimits } from "../types/value_type.ts";
import { ValueTypes } from "../types/value_types.ts";
import type { AccessClock } from "./access_clock.ts";
import { BegunValue } from "./begun_value.ts";
import { EXPIRED_KEYS, KEYSPACE_HITS, KEYSPACE_MISSES } from "./counters.ts";
import { isHeavy, putAside } from "./detached_values.ts";
import type { EffectLog } from "./effect_log.ts";
import { setFieldExpires } from "./field_expires.ts";
import { Key } from "./key.ts";
import { EXPIRED, KEY_MISS, type KeyEventListener, NEW } from "./key_events.ts";
import { type CacheListener, KeyHooks } from "./key_hooks.ts";
import { KeyLocks, type LockSurroundings } from "./key_locks.ts";
import { KeyNotes } from "./key_notes.ts";
import { lockNode } from "./locking.ts";
import type { ReadyKeys } from "./ready_keys.ts";
import { isLongName, makeLong, shiftEntry } from "./long_names.ts";
import { leaveValue } from "./shared_value.ts";
import {
  DATABASE_WORDS,
  databasesOf,
  expiresAt,
  fieldExpiresAt,
  HOOK_OLD_VALUES,
  HOOK_PICTURES,
  keysAt,
  SHARD_CHANNELS,
  SHARD_EPOCH,
  SHARD_HEAP,
  SHARD_HOOKS,
  SHARD_LOCKS,
} from "./shard_control.ts";
import { type EntrySaver, keepOld } from "./snapshot_marks.ts";
import { Strings } from "./strings.ts";
import { SubscriberCounts } from "./subscriber_counts.ts";

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
  /** The strings of the shard. */
  readonly strings: Strings;
  /** The value that is being built, before a key has it. */
  readonly begun: BegunValue;
  /** Who is told when a key of the shard changes. */
  readonly hooks: KeyHooks;
  /** Which keys of the shard are locked, and who waits for them. */
  readonly locks: KeyLocks;
  /** Who listens to the shard's channels. */
  readonly channels: SubscriberCounts;
  /** The worker's views. */
  readonly arena: Arena;
  /** Where deletions that no command asks for are recorded. */
  readonly effects: EffectLog | undefined;
  /** Saves entries that are about to change while a snapshot is under way. */
  readonly saver: EntrySaver | undefined;
  /** Whether reads leave the access clock alone (CLIENT NO-TOUCH). */
  noTouch = false;
  /**
   * Whether what has expired is not deleted by who meets it (CLIENT PAUSE); only
   * for commands that do not write.
   */
  keepsExpired = false;
  /** How many are deleted by the command at hand, if it meets so many. */
  expiriesLeft = Infinity;
  readonly #counters: Float64Array;
  readonly #clock: AccessClock;
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
    const notesAt = (header: number): KeyNotes =>
      new KeyNotes(this.arena, this.heap, this.dict, control, header);
    this.strings = new Strings(this);
    this.begun = new BegunValue(this);
    this.hooks = new KeyHooks(this, context, notesAt);
    this.channels = new SubscriberCounts(notesAt(SHARD_CHANNELS), control);
    this.locks = new KeyLocks(
      notesAt(SHARD_LOCKS),
      this.heap,
      control,
      context.locks ?? NO_LOCKS,
    );
    this.effects = context.effects;
    this.saver = context.saver;
    this.#counters = context.counters;
    this.#clock = context.clock;
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

  /** As {@linkcode Dict.visitLike}, of the entries that a key may have. */
  visitLike(db: number, key: Key, visit: NodeVisitor): void {
    const { control, dict } = this;
    dict.visitLike(control, keysAt(db), key.length, key.hash, visit);
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

  /** A word of an entry's header, see memory/node.ts. */
  word(ref: number, index: number): number {
    return this.arena.i32[ref >>> SEGMENT_SHIFT]![
      ((ref & UNIT_MASK) << 1) + index
    ]!;
  }

  /** Writes a word of an entry's header. */
  setWord(ref: number, index: number, value: number): void {
    this.arena.i32[ref >>> SEGMENT_SHIFT]![
      ((ref & UNIT_MASK) << 1) + index
    ] = value;
  }

  /** Value type of an entry. */
  type(ref: number): number {
    return typeOf(this.meta(ref));
  }

  /** Encoding of an entry's value. */
  encoding(ref: number): number {
    return encodingOf(this.meta(ref));
  }

  /** Access clock of an entry. */
  clockOf(ref: number): number {
    return this.meta(ref) >>> CLOCK_SHIFT & CLOCK_MASK;
  }

  /** Sets the access clock of an entry. */
  setClock(ref: number, clock: number): void {
    this.setWord(
      ref,
      NODE_META,
      (this.meta(ref) & NOT_CLOCK_MASK) | clock << CLOCK_SHIFT,
    );
  }

  /** Hash of an entry's key. */
  hashOf(ref: number): number {
    return this.word(ref, NODE_HASH);
  }

  /** The byte view that holds an entry. */
  bytes(ref: number): Uint8Array {
    return this.arena.u8[ref >>> SEGMENT_SHIFT]!;
  }

  /** Offset of an entry's key in {@linkcode bytes}. */
  keyOff(ref: number): number {
    return byteOf(ref) + keyOffset(this.word(ref, NODE_KEY));
  }

  /** Length of an entry's key. */
  keyLength(ref: number): number {
    return this.word(ref, NODE_KEY) & KEY_LENGTH_MASK;
  }

  /** When the entry expires, in milliseconds of the epoch; 0 for never. */
  expireAt(ref: number): number {
    if (this.word(ref, NODE_KEY) >= 0) return 0;
    return this.arena.f64[ref >>> SEGMENT_SHIFT]![(ref & UNIT_MASK) + 2]!;
  }

  /** Whether the entry's time has come. */
  isExpired(ref: number, nowMs: number): boolean {
    return this.word(ref, NODE_KEY) < 0 && this.expireAt(ref) <= nowMs;
  }

  /** Whether replies may still read an entry's value, see shared_value.ts. */
  hasReaders(ref: number): boolean {
    return (this.word(ref, NODE_KEY) & HAS_READERS) !== 0;
  }

  /** Reference of the run or root that word 2 of an entry names. */
  valueRef(ref: number): number {
    return this.word(ref, NODE_VALUE);
  }

  /**
   * An entry of the key for a value of this kind, with `tail` bytes behind the
   * key: made from `existing` in place where the size class stays the same. The
   * old value is freed; header and key are written, word 2 and the tail are the
   * caller's to write. Throws OutOfMemory before anything is changed.
   */
  make(
    db: number,
    key: Key,
    existing: number,
    kind: number,
    tail: number,
    expireAtMs: number,
  ): number {
    const meta = kind | this.#clockFor(existing) << CLOCK_SHIFT |
      this.control[SHARD_EPOCH]!;
    if (key.length >= LONG_KEY_BYTES) {
      const long = makeLong(this, db, key, existing, meta, expireAtMs);
      if (existing === 0 && !this.#isQuiet) this.hooks.signal(db, key, NEW);
      return long;
    }
    const has = expireAtMs !== 0;
    const size = NODE_HEADER_BYTES + (has ? EXPIRE_BYTES : 0) + key.length +
      tail;
    if (existing !== 0) {
      const had = this.word(existing, NODE_KEY) < 0;
      if (
        had === has && areOneClass(this.entryBytes(existing), size) &&
        !isHeavy(this, existing)
      ) {
        setFieldExpires(this, db, existing, false);
        this.#freeValue(existing);
        this.setWord(existing, NODE_META, meta);
        if (has) this.setExpireAt(existing, expireAtMs);
        return existing;
      }
    }
    const ref = this.heap.allocate((size + 7) >>> 3);
    const words = this.arena.i32[ref >>> SEGMENT_SHIFT]!;
    const at = wordOf(ref);
    words[at + NODE_META] = meta;
    words[at + NODE_KEY] = has ? key.length | HAS_EXPIRE : key.length;
    words[at + NODE_HASH] = key.hash;
    if (has) this.setExpireAt(ref, expireAtMs);
    copyBytes(key.buf, key.off, this.bytes(ref), this.keyOff(ref), key.length);
    try {
      if (existing === 0) this.#enter(db, ref, key.hash, has);
      else this.#exchange(db, existing, ref, has);
    } catch (cause) {
      this.heap.free(ref);
      throw cause;
    }
    if (existing === 0 && !this.#isQuiet) this.hooks.signal(db, key, NEW);
    return ref;
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
    const ref = this.make(db, key, existing, type, 0, expireAtMs);
    this.setWord(ref, NODE_VALUE, 0);
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

  /** Makes an empty key the owner of a value: see {@linkcode takeValue}. */
  giveValue(ref: number, kind: number, root: number): void {
    this.setKind(ref, kind);
    this.setWord(ref, NODE_VALUE, root);
  }

  /**
   * Takes the value from an entry, which is empty then; returns the root. The
   * kind of a value is type and encoding together.
   */
  takeValue(ref: number): number {
    const root = this.word(ref, NODE_VALUE);
    this.setKind(ref, this.type(ref));
    this.setWord(ref, NODE_VALUE, 0);
    return root;
  }

  /** Type and encoding of an entry's value, as one number. */
  kind(ref: number): number {
    return this.meta(ref) & KIND_MASK;
  }

  /** Sets type and encoding of an entry's value. */
  setKind(ref: number, kind: number): void {
    this.setWord(ref, NODE_META, (this.meta(ref) & ~KIND_MASK) | kind);
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
    if (this.word(ref, NODE_VALUE) === 0) this.delete(db, ref);
    else this.deleteIfEmpty(db, ref);
  }

  /**
   * Moves an entry of `from` bytes to a place for `to` bytes if its class
   * changes, keeping the first `kept` bytes; returns it. Throws OutOfMemory
   * before anything is changed, but never when the entry gets smaller: it stays
   * where it is if memory is short. Not for one with a long name.
   */
  resize(
    db: number,
    ref: number,
    kept: number,
    from: number,
    to: number,
  ): number {
    if (areOneClass(from, to)) return ref;
    const units = (to + 7) >>> 3;
    const moved = to < from
      ? this.heap.tryAllocate(units)
      : this.heap.allocate(units);
    if (moved === 0) return ref;
    this.relocate(db, ref, moved, kept);
    return moved;
  }

  /**
   * Copies the first `kept` bytes of an entry to another place of the heap; its
   * dictionaries follow, and the old place is freed.
   */
  relocate(db: number, ref: number, to: number, kept: number): void {
    copyBytes(this.bytes(ref), byteOf(ref), this.bytes(to), byteOf(to), kept);
    const { control, dict } = this;
    const hash = this.word(to, NODE_HASH);
    dict.replace(control, keysAt(db), ref, to, hash);
    const keyWord = this.word(to, NODE_KEY);
    if (keyWord < 0) dict.replace(control, expiresAt(db), ref, to, hash);
    if ((keyWord & HAS_FIELD_EXPIRES) !== 0) {
      dict.replace(control, fieldExpiresAt(db), ref, to, hash);
    }
    this.heap.free(ref);
  }

  /** Sets or removes (0) the expire of an entry; returns it, perhaps moved. */
  setExpire(db: number, ref: number, expireAtMs: number): number {
    const keyWord = this.word(ref, NODE_KEY);
    const had = keyWord < 0;
    const has = expireAtMs !== 0;
    let moved = ref;
    if (had !== has && isLongName(keyWord)) {
      moved = shiftEntry(this, db, ref);
    } else if (had !== has) {
      const size = this.entryBytes(ref);
      const key = keyWord & ~HAS_EXPIRE;
      if (had) {
        this.dict.remove(
          this.control,
          expiresAt(db),
          ref,
          this.word(ref, NODE_HASH),
        );
        this.#shiftBody(ref, size, -EXPIRE_BYTES);
        this.setWord(ref, NODE_KEY, key);
        moved = this.resize(
          db,
          ref,
          size - EXPIRE_BYTES,
          size,
          size - EXPIRE_BYTES,
        );
      } else {
        moved = this.resize(db, ref, size, size, size + EXPIRE_BYTES);
        // If this throws, the entry has got room that it does not need.
        this.dict.insert(
          this.control,
          expiresAt(db),
          moved,
          this.word(moved, NODE_HASH),
        );
        this.#shiftBody(moved, size, EXPIRE_BYTES);
        this.setWord(moved, NODE_KEY, key | HAS_EXPIRE);
      }
    }
    if (has) this.setExpireAt(moved, expireAtMs);
    return moved;
  }

  /** Deletes an entry and its value. */
  delete(db: number, ref: number): void {
    keepOld(this, db, ref);
    this.detach(db, ref);
    this.freeEntry(ref);
  }

  /** A command has met an entry whose time has come: deletes it if it may. */
  meetExpired(db: number, ref: number): void {
    if (this.mustStay(db, ref) || this.expiriesLeft-- <= 0) return;
    this.expire(db, ref);
  }

  /** Whether an entry stays as it is although its time, or a field's, has come. */
  mustStay(db: number, ref: number): boolean {
    if (this.keepsExpired) return true;
    const node = lockNode(this, db, ref);
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
    this.hooks.signalEntry(db, ref, event);
    this.effects?.deletion(
      db,
      this.bytes(ref),
      this.keyOff(ref),
      this.keyLength(ref),
    );
    this.delete(db, ref);
  }

  /**
   * Makes an entry that lies in this shard's heap, and in no dictionary, the one
   * of its key in a database; `existing` is the key's entry, which is freed, or
   * 0. Events are the caller's to signal, NEW as well. If this throws OutOfMemory,
   * nothing has changed.
   */
  adoptEntry(db: number, ref: number, existing: number): void {
    const hash = this.word(ref, NODE_HASH);
    const has = this.word(ref, NODE_KEY) < 0;
    const kind = this.kind(ref) | this.control[SHARD_EPOCH]!;
    this.setWord(ref, NODE_META, kind);
    this.setClock(ref, this.#clockFor(existing));
    if (existing === 0) this.#enter(db, ref, hash, has);
    else this.#exchange(db, existing, ref, has);
  }

  /** The key of an entry, good until it is moved or freed. */
  nameOf(ref: number): Key {
    const key = new Key();
    this.readName(ref, key);
    return key;
  }

  /** Fills in the key of an entry, which stays where it is meanwhile. */
  readName(ref: number, key: Key): void {
    key.buf = this.bytes(ref);
    key.off = this.keyOff(ref);
    key.length = this.keyLength(ref);
    key.hash = this.hashOf(ref);
    key.shard = this.shard;
  }

  /** Takes an entry out of its database; it is the caller's to free. */
  detach(db: number, ref: number): void {
    if ((this.control[SHARD_HOOKS]! & HOOK_PICTURES) !== 0) {
      this.hooks.pictures.noteGone(db, this.nameOf(ref), this.expireAt(ref));
    }
    const hash = this.word(ref, NODE_HASH);
    if (this.word(ref, NODE_KEY) < 0) {
      this.dict.remove(this.control, expiresAt(db), ref, hash);
    }
    this.dict.remove(this.control, keysAt(db), ref, hash);
    setFieldExpires(this, db, ref, false);
  }

  /** Puts a detached entry into a database; throws OutOfMemory or does it. */
  attach(db: number, ref: number, hash: number): void {
    this.#enter(db, ref, hash, this.word(ref, NODE_KEY) < 0);
  }

  /** Frees a detached entry and its value; a large value, in slices. */
  freeEntry(ref: number): void {
    if (this.hasReaders(ref)) leaveValue(this, ref);
    if (isHeavy(this, ref)) return putAside(this, ref);
    this.#freeValue(ref);
    this.heap.free(ref);
  }

  /**
   * Makes room for the names of so many keys, if the database has none yet; 0
   * takes it back.
   */
  expect(db: number, keys: number, expires: number): void {
    this.dict.expect(this.control, keysAt(db), keys);
    this.dict.expect(this.control, expiresAt(db), expires);
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
      this.hooks.signal(db, key, KEY_MISS);
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
    const hooks = control[SHARD_HOOKS]!;
    if ((hooks & (HOOK_PICTURES | HOOK_OLD_VALUES)) === 0) return;
    const key = this.nameOf(ref);
    if ((hooks & HOOK_PICTURES) !== 0) this.hooks.pictures.noteNew(db, key);
    if ((hooks & HOOK_OLD_VALUES) !== 0) this.hooks.oldValues.noteNew(db, key);
  }

  /** Puts `ref` in the place of `existing`, which is freed unless this throws. */
  #exchange(db: number, existing: number, ref: number, has: boolean): void {
    const { control, dict } = this;
    const hash = this.word(ref, NODE_HASH);
    const had = this.word(existing, NODE_KEY) < 0;
    const expires = expiresAt(db);
    // What may throw comes first.
    if (has && !had) dict.insert(control, expires, ref, hash);
    else if (has) dict.replace(control, expires, existing, ref, hash);
    else if (had) dict.remove(control, expires, existing, hash);
    dict.replace(control, keysAt(db), existing, ref, hash);
    setFieldExpires(this, db, existing, false);
    this.freeEntry(existing);
  }

  /** Moves everything behind the header, of an entry of `size` bytes. */
  #shiftBody(ref: number, size: number, by: number): void {
    const start = byteOf(ref) + NODE_HEADER_BYTES + (by < 0 ? -by : 0);
    this.bytes(ref).copyWithin(start + by, start, byteOf(ref) + size);
  }

  /** Bytes of an entry, its inline value included. */
  entryBytes(ref: number): number {
    const keyWord = this.word(ref, NODE_KEY);
    const meta = this.meta(ref);
    const inline = typeOf(meta) === TYPE_STRING &&
      encodingOf(meta) !== STRING_EXTERNAL;
    return keyOffset(keyWord) + (keyWord & KEY_LENGTH_MASK) +
      (inline ? this.word(ref, NODE_VALUE) : 0);
  }

  #freeValue(ref: number): void {
    const type = this.type(ref);
    if (type === TYPE_STRING) this.strings.free(ref);
    else this.values.of(type).free(ref);
  }

  /** Writes when an entry expires that has room for it. */
  setExpireAt(ref: number, expireAtMs: number): void {
    this.arena.f64[ref >>> SEGMENT_SHIFT]![(ref & UNIT_MASK) + 2] = expireAtMs;
  }
}
