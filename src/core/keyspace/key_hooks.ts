/**
 * What is told when a key changes: the count of changes, and whoever asks for
 * more by a bit of the shard's hook word (shard_control.ts).
 *
 * - sessions that watch keys (watched_keys.ts),
 * - commands that wait for keys (waiters.ts),
 * - clients with caches of their own (tracked_keys.ts),
 * - subscribers to events (key_events.ts),
 * - lists of all keys that are being made (key_pictures.ts).
 *
 * Who keeps old values (old_values.ts) is told before a key changes, as a snapshot
 * is.
 *
 * A command says what it has done when it is done, once for every key. While
 * nobody asks, that costs one test of the hook word. A snapshot has to see a key
 * before it changes: see snapshot_marks.ts.
 *
 * Every method asks that the caller holds the shard's latch.
 *
 * @module
 */

import { CHANGES } from "./counters.ts";
import { Key } from "./key.ts";
import {
  DEL,
  EVENT_CLASSES,
  KEY_MISS,
  type KeyEventListener,
  NEW,
  NOTIFY_MASK,
} from "./key_events.ts";
import type { KeyNotes } from "./key_notes.ts";
import { KeyPictures } from "./key_pictures.ts";
import { OldValues } from "./old_values.ts";
import type { Keyspace, KeyspaceContext } from "./keyspace.ts";
import type { ReadyKeys } from "./ready_keys.ts";
import {
  HOOK_BROADCAST,
  HOOK_PICTURES,
  HOOK_TRACKED,
  HOOK_WAITERS,
  HOOK_WATCH,
  SHARD_HOOKS,
  SHARD_TRACKED,
  SHARD_WAITERS,
  SHARD_WAITING,
  SHARD_WATCHED,
} from "./shard_control.ts";
import { TrackedKeys } from "./tracked_keys.ts";
import { Waiters } from "./waiters.ts";
import { WatchedKeys } from "./watched_keys.ts";

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

/** A watched key that is looked at. */
const WATCHED = new Key();

/** Who is told of changes in one shard. */
export class KeyHooks {
  /** What WATCH knows of the shard's keys. */
  readonly watched: WatchedKeys;
  /** The commands that wait for keys of the shard. */
  readonly waiters: Waiters;
  /** The lists of all keys that are being made. */
  readonly pictures: KeyPictures;
  /** What keys had before they changed, for those who still read it. */
  readonly oldValues: OldValues;
  /** Which clients may have which keys in caches of their own. */
  readonly tracked: TrackedKeys;
  readonly #space: Keyspace;
  readonly #control: Int32Array;
  readonly #counters: Float64Array;
  readonly #ready: ReadyKeys | undefined;
  readonly #events: KeyEventListener | undefined;
  readonly #caches: CacheListener | undefined;

  /** `notesAt` makes notes with a header at a word of the control block. */
  constructor(
    space: Keyspace,
    context: KeyspaceContext,
    notesAt: (header: number) => KeyNotes,
  ) {
    const { arena, control, dict, heap, shard } = space;
    this.watched = new WatchedKeys(notesAt(SHARD_WATCHED), space);
    this.waiters = new Waiters(
      notesAt(SHARD_WAITERS),
      heap,
      control,
      SHARD_WAITING,
      shard,
    );
    this.pictures = new KeyPictures(control, dict, notesAt);
    this.oldValues = new OldValues(space);
    this.tracked = new TrackedKeys(
      notesAt(SHARD_TRACKED),
      heap,
      dict,
      arena,
      control,
    );
    this.#space = space;
    this.#control = control;
    this.#counters = context.counters;
    this.#ready = context.ready;
    this.#events = context.events;
    this.#caches = context.caches;
  }

  /** A command has changed a key: counts `count` changes and tells who asks. */
  changed(db: number, key: Key, event: number, count = 1): void {
    this.#counters[CHANGES] = this.#counters[CHANGES]! + count;
    if (this.#control[SHARD_HOOKS] !== 0) this.signal(db, key, event);
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
   * Says what a command has done to a key; an event of key_events.ts. To be
   * called when it is done, and for every key that has changed.
   */
  signal(db: number, key: Key, event: number): void {
    if (this.#control[SHARD_HOOKS] === 0) return;
    this.#tell(db, key.buf, key.off, key.length, key.hash, event);
  }

  /** As {@linkcode signal}, of a key that has an entry. */
  signalEntry(db: number, ref: number, event: number): void {
    if (this.#control[SHARD_HOOKS] === 0) return;
    const space = this.#space;
    this.#tell(
      db,
      space.bytes(ref),
      space.keyOff(ref),
      space.keyLength(ref),
      space.hashOf(ref),
      event,
    );
  }

  /** A database is about to lose all of its keys, or to get others. */
  signalDatabase(db: number): void {
    const hooks = this.#control[SHARD_HOOKS]!;
    if ((hooks & HOOK_WATCH) !== 0) this.watched.touchAll(db);
    if ((hooks & HOOK_WAITERS) !== 0) {
      this.#ready?.noteAll(this.#space.shard, db);
    }
    if ((hooks & HOOK_PICTURES) !== 0) this.pictures.spoilAll(db);
  }

  /** Two databases have got each other's keys. */
  signalExchanged(first: number, second: number): void {
    this.signalDatabase(first);
    this.signalDatabase(second);
    const hooks = this.#control[SHARD_HOOKS]!;
    if ((hooks & HOOK_WATCH) !== 0) this.watched.noteExchange();
  }

  /**
   * Whether a watched key, which had this version, has neither changed since nor
   * expired.
   */
  isUntouched(node: number, version: number, nowMs: number): boolean {
    return this.untouchedUntil(node, version, nowMs) > nowMs;
  }

  /**
   * When a watched key, which had this version, expires, in milliseconds of the
   * epoch: infinite for never, 0 if it has changed, or expired already.
   */
  untouchedUntil(node: number, version: number, nowMs: number): number {
    const { watched } = this;
    if (watched.version(node) !== version) return 0;
    watched.keyOf(node, WATCHED);
    const ref = this.#space.peek(watched.databaseOf(node), WATCHED);
    if (ref === 0) return Infinity;
    if (this.#space.isExpired(ref, nowMs)) return 0;
    return this.#space.expireAt(ref) || Infinity;
  }

  /** Commands that wait for a key shall look again: it has been released. */
  noteReleased(db: number, key: Key): void {
    if ((this.#control[SHARD_HOOKS]! & HOOK_WAITERS) === 0) return;
    this.#noteReady(db, key.buf, key.off, key.length, key.hash);
  }

  /** Sets which events the listener is told of: bits of key_events.ts. */
  notify(classes: number): void {
    const hooks = this.#control[SHARD_HOOKS]!;
    this.#control[SHARD_HOOKS] = hooks & ~NOTIFY_MASK | classes;
  }

  /** Says whether changed keys are told by their prefix. */
  broadcast(isOn: boolean): void {
    const hooks = this.#control[SHARD_HOOKS]!;
    this.#control[SHARD_HOOKS] = isOn
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
    const hooks = this.#control[SHARD_HOOKS]!;
    const changes = event !== NEW && event !== KEY_MISS;
    if ((hooks & HOOK_WATCH) !== 0 && changes) {
      this.watched.touch(db, buf, off, length, hash);
    }
    if ((hooks & HOOK_WAITERS) !== 0 && changes) {
      this.#noteReady(db, buf, off, length, hash);
    }
    if ((hooks & HOOK_CACHES) !== 0 && changes) {
      this.#caches
        ?.keyChanged(this.#space, hooks, event, buf, off, length, hash);
    }
    if ((hooks & EVENT_CLASSES[event]!) !== 0) {
      this.#events?.keyEvent(hooks, event, db, buf, off, length);
    }
  }

  #noteReady(
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): void {
    const ready = this.#ready;
    if (ready === undefined) return;
    if (this.waiters.find(db, buf, off, length, hash) === 0) return;
    ready.note(this.#space.shard, db, buf, off, length, hash);
  }
}
