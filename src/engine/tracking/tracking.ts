/**
 * Client-side caching, over all workers: tells clients which keys to drop from
 * caches of their own.
 *
 * Which client has read which key stands with the keys, in shared memory
 * (tracked_keys.ts): noted under the latch of the read, taken under that of the
 * change, as a table if there are many. What was taken is told when the latches are
 * given back and before the reply of the change leaves, by one record to each
 * worker concerned, or, of many clients, to every worker. Clients
 * that asked for prefixes are told of a batch's changes together, at its end.
 *
 * ```text
 * INVALIDATE  writer u32, key, count u32, client u32 ...
 * BROADCAST   count u32, (writer u32, key) ...
 * ALL
 * ```
 * - A *tracker* is what a worker knows of a client whose messages go to one of
 *   its connections, which may not be the client's own (REDIRECT). Notes name the
 *   worker of the tracker.
 * - The messages for a connection are never behind what a reply to it knows:
 *   what is to be told is counted in shared memory under the latch under which
 *   the note was taken, so before anybody can see the change, or change the key
 *   anew; and a connection that gets such messages runs nothing while some to its
 *   worker are under way ({@linkcode Tracking.isBehind}).
 * - A client's notes outlive the client; messages to it lead nowhere.
 *
 * Source: https://redis.io/docs/latest/develop/reference/client-side-caching/
 *
 * @module
 */

import { asciiOf, latin1BytesOf } from "../../core/base/bytes.ts";
import type { Call } from "../../core/commands/call.ts";
import { EVICTED, EXPIRED } from "../../core/keyspace/key_events.ts";
import type { Key } from "../../core/keyspace/key.ts";
import type { ClientTable } from "../../core/keyspace/client_tables.ts";
import type { CacheListener } from "../../core/keyspace/key_hooks.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import {
  HOOK_BROADCAST,
  HOOK_TRACKED,
} from "../../core/keyspace/shard_control.ts";
import { NOTED, NOTED_FIRST } from "../../core/keyspace/tracked_keys.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import type { Tellings } from "../executor/tellings.ts";
import type { Latches } from "../latch/shard_latches.ts";
import type { FrameReader } from "../messages/frame.ts";
import type { Mesh } from "../messages/mesh.ts";
import {
  CACHE_ALL_RECORD,
  CACHE_BROADCAST_RECORD,
  CACHE_KEY_RECORD,
} from "../messages/record_kinds.ts";
import {
  PROCESS_CONNECTIONS,
  PROCESS_TRACKED_KEYS,
  PROCESS_TRACKING_CLIENTS,
} from "../messages/shared_state.ts";
import { CacheMessage } from "./cache_message.ts";
import { CacheNotes } from "./cache_notes.ts";
import type { Prefixes } from "./prefixes.ts";
import type { Trackers } from "./trackers.ts";

/** Clients of a key that may be noted however few connections there are. */
const CLIENTS_MIN = 64;
/** Keys forgotten at a time when there are more than the settings allow. */
const TRIM_KEYS = 256;

/** What the engine needs from the worker around it. */
export interface TrackingParts {
  readonly mesh: Mesh;
  readonly keyspaces: readonly Keyspace[];
  readonly latches: Latches;
  /** The process's words. */
  readonly process: Int32Array;
  /**
   * Records with which is told, by receiver and sender (workers times workers): of
   * a key, of a broadcast, that all keys have changed.
   */
  readonly sent: Int32Array;
  readonly tellings: Tellings;
  readonly trackers: Trackers;
  readonly prefixes: Prefixes;
  /** `tracking-table-max-keys`; 0 for no limit. */
  keysMax(): number;
  /** The session whose command runs; 0 if none does. */
  writer(): number;
  /** 32 random bits. */
  random(): number;
}

/** A connection that waits for records that are under way. */
interface Waiting {
  readonly sent: Int32Array;
  readonly run: () => void;
}

/** One per worker. */
export class Tracking implements CacheListener {
  readonly trackers: Trackers;
  readonly prefixes: Prefixes;
  readonly #parts: TrackingParts;
  readonly #self: number;
  readonly #workers: number;
  /** Changes of tracked keys that are to be told when no latch is held. */
  readonly #notes: CacheNotes;
  /** Changes that are to be told by prefix at the end of the batch. */
  readonly #changes: CacheNotes;
  /** The note at hand, and the last one of which each worker will be told. */
  #note = 0;
  readonly #counted: Float64Array;
  /** What has been heard of {@linkcode TrackingParts.sent}, by sender. */
  readonly #handled: Int32Array;
  #waiting: Waiting[] = [];

  /** Serves the records that come over the mesh. */
  constructor(parts: TrackingParts) {
    this.#parts = parts;
    const heap = () => parts.keyspaces[0]!.heap;
    this.#notes = new CacheNotes(heap);
    this.#changes = new CacheNotes(heap);
    this.trackers = parts.trackers;
    this.prefixes = parts.prefixes;
    const { mesh, tellings } = parts;
    this.#self = mesh.self;
    this.#workers = mesh.count;
    this.#handled = new Int32Array(mesh.count);
    this.#counted = new Float64Array(mesh.count);
    tellings.tell(() => this.tell());
    tellings.tellBatch(() => this.#tellChanges());
    mesh.handle(CACHE_KEY_RECORD, (from, reader) => {
      this.#receiveKey(reader);
      this.#noteHandled(from, 1);
    });
    mesh.handle(CACHE_BROADCAST_RECORD, (from, reader) => {
      this.#receiveChanges(reader);
      this.#noteHandled(from, 1);
    });
    mesh.handle(CACHE_ALL_RECORD, (from) => {
      this.trackers.dropAll();
      this.#noteHandled(from, 1);
    });
  }

  /** Keys that are tracked, in all shards. */
  get keyCount(): number {
    return Atomics.load(this.#parts.process, PROCESS_TRACKED_KEYS);
  }

  /** Sessions that track, on all workers. */
  get clientCount(): number {
    return Atomics.load(this.#parts.process, PROCESS_TRACKING_CLIENTS);
  }

  /**
   * Notes that a client, whose messages go to `worker`, keeps what the command at
   * hand has read. The latches of the command's keys are held.
   */
  remember(call: Call, client: number, worker: number): void {
    for (let i = 0; i < call.keyCount; i++) {
      const key = call.key(i);
      this.rememberKey(call.keyspace(key), key, client, worker);
    }
  }

  /** The same of one key, whose latch is held. */
  rememberKey(
    space: Keyspace,
    key: Key,
    client: number,
    worker: number,
  ): void {
    let outcome = 0;
    try {
      outcome = space.hooks.tracked.note(key, client, worker);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      // What cannot be noted must not be kept.
      this.#begin(key.buf, key.off, key.length, 0);
      return this.#addClient(client, worker);
    }
    if (outcome === NOTED) this.#checkClients(space, key, client, worker);
    if (outcome === NOTED_FIRST) {
      Atomics.add(this.#parts.process, PROCESS_TRACKED_KEYS, 1);
      // Room is made when the latches are given back, in any shard.
      if (this.isOverLimit()) this.#parts.tellings.count++;
    }
  }

  /** A key cannot have more clients than there are connections: most are gone. */
  #checkClients(
    space: Keyspace,
    key: Key,
    client: number,
    worker: number,
  ): void {
    const { tracked } = space.hooks;
    const node = tracked.find(key.buf, key.off, key.length, key.hash);
    const clients = tracked.clients(node);
    if (clients <= CLIENTS_MIN) return;
    const connections = Atomics.load(this.#parts.process, PROCESS_CONNECTIONS);
    if (clients <= 2 * connections) return;
    this.#take(space, node, key.buf, key.off, key.length, 0);
    this.rememberKey(space, key, client, worker);
  }

  /** Whether there are more tracked keys than the settings allow. */
  isOverLimit(): boolean {
    const most = this.#parts.keysMax();
    return most !== 0 && this.keyCount > most;
  }

  /**
   * Forgets some keys, chosen at random, if there are too many: their clients are
   * told to drop them. No latch is held.
   */
  trim(): void {
    const { keyspaces, latches, random } = this.#parts;
    for (let i = 0; i < TRIM_KEYS && this.isOverLimit(); i++) {
      const first = (random() >>> 0) % keyspaces.length;
      const shard = this.#shardWithKeys(first);
      if (shard < 0) return;
      latches.acquire(shard);
      this.#forgetOne(keyspaces[shard]!);
      latches.release(shard);
    }
  }

  /** A shard that has tracked keys, from `first` on; -1 if there is none. */
  #shardWithKeys(first: number): number {
    const { keyspaces } = this.#parts;
    for (let i = 0; i < keyspaces.length; i++) {
      const shard = (first + i) % keyspaces.length;
      // Read without the latch: the shard is looked at again.
      if (keyspaces[shard]!.hooks.tracked.count > 0) return shard;
    }
    return -1;
  }

  /** Forgets a key of a shard, if it has one; its latch is held. */
  #forgetOne(space: Keyspace): void {
    const { tracked } = space.hooks;
    const node = tracked.draw(this.#parts.random);
    if (node === 0) return;
    const { buf, off, length } = tracked.keyOf(node);
    this.#take(space, node, buf, off, length, 0);
  }

  keyChanged(
    space: Keyspace,
    hooks: number,
    event: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): void {
    const writer = this.#parts.writer();
    if ((hooks & HOOK_TRACKED) !== 0) {
      const node = space.hooks.tracked.find(buf, off, length, hash);
      if (node !== 0) this.#take(space, node, buf, off, length, writer);
    }
    if ((hooks & HOOK_BROADCAST) === 0) return;
    // Whoever meets a key that has expired, or makes room, has not changed it.
    const isOwn = event !== EXPIRED && event !== EVICTED;
    this.#changes.begin(buf, off, length, isOwn ? writer : 0);
    this.#parts.tellings.batchCount++;
  }

  databasesChanged(forgotten: number): void {
    Atomics.sub(this.#parts.process, PROCESS_TRACKED_KEYS, forgotten);
    if (this.clientCount === 0) return;
    this.#notes.addAll();
    this.#parts.tellings.count++;
    this.#countOthers();
  }

  /** Whether records for trackers of this worker are under way. */
  isBehind(): boolean {
    const { sent } = this.#parts;
    const from = this.#self * this.#workers;
    for (let worker = 0; worker < this.#workers; worker++) {
      if (Atomics.load(sent, from + worker) !== this.#handled[worker]) {
        return true;
      }
    }
    return false;
  }

  /** Calls back when the records have come that are under way now. */
  whenCaughtUp(run: () => void): void {
    const from = this.#self * this.#workers;
    const sent = new Int32Array(this.#workers);
    for (let worker = 0; worker < this.#workers; worker++) {
      sent[worker] = Atomics.load(this.#parts.sent, from + worker);
    }
    this.#waiting.push({ sent, run });
  }

  #begin(buf: Uint8Array, off: number, length: number, writer: number): void {
    this.#notes.begin(buf, off, length, writer);
    this.#parts.tellings.count++;
    this.#note++;
  }

  /** Adds a client to the note at hand; the latch is held that it needs. */
  readonly #addClient = (client: number, worker: number): void => {
    this.#notes.addClient(client, worker);
    if (worker === this.#self || this.#counted[worker] === this.#note) return;
    this.#counted[worker] = this.#note;
    this.#count(worker);
  };

  #take(
    space: Keyspace,
    node: number,
    buf: Uint8Array,
    off: number,
    length: number,
    writer: number,
  ): void {
    this.#begin(buf, off, length, writer);
    const table = space.hooks.tracked.take(node, this.#addClient);
    if (table !== null) {
      this.#notes.addTable(space.shard, table);
      this.#countOthers();
    }
    Atomics.sub(this.#parts.process, PROCESS_TRACKED_KEYS, 1);
  }

  /**
   * Tells what has been noted so far. Asked for when latches are given back, and
   * before a transaction changes who tracks: it must hold all latches then.
   */
  tell(): void {
    if (this.isOverLimit()) this.trim();
    if (this.#notes.count === 0) return;
    this.#notes.take({
      key: (key, writer, clients) => this.#tellKey(key, writer, clients),
      keyOfMany: (key, writer, shard, table) =>
        this.#tellMany(key, writer, shard, table),
      all: () => {
        for (let worker = 0; worker < this.#workers; worker++) {
          if (worker === this.#self) continue;
          this.#parts.mesh.record(worker, CACHE_ALL_RECORD);
        }
        this.trackers.dropAll();
      },
    });
  }

  /** `clients` are pairs: a client, the worker where its messages go. */
  #tellKey(key: Uint8Array, writer: number, clients: readonly number[]): void {
    const byWorker = this.#noClients();
    for (let i = 0; i < clients.length; i += 2) {
      byWorker[clients[i + 1]!]!.push(clients[i]!);
    }
    this.#dropKey(key, writer, byWorker[this.#self]!);
    byWorker.forEach((there, worker) => {
      if (worker === this.#self || there.length === 0) return;
      this.#sendKey(worker, key, writer, there);
    });
  }

  /** The clients are in a table, which is let go. */
  #tellMany(
    key: Uint8Array,
    writer: number,
    shard: number,
    table: ClientTable,
  ): void {
    const { keyspaces, latches } = this.#parts;
    const { tracked } = keyspaces[shard]!.hooks;
    const byWorker = this.#noClients();
    tracked.visitTaken(table, (client, worker) => {
      byWorker[worker]!.push(client);
    });
    latches.acquire(shard);
    tracked.freeTaken(table);
    latches.release(shard);
    this.#dropKey(key, writer, byWorker[this.#self]!);
    // Each has been told to expect one.
    byWorker.forEach((there, worker) => {
      if (worker !== this.#self) this.#sendKey(worker, key, writer, there);
    });
  }

  #noClients(): number[][] {
    return Array.from({ length: this.#workers }, () => []);
  }

  /** Tells clients whose messages go to this worker, or sends that on. */
  #dropKey(
    key: Uint8Array,
    writer: number,
    clients: readonly number[],
  ): void {
    const message = new CacheMessage([key]);
    for (const client of clients) {
      if (!this.trackers.drop(client, writer, message)) {
        this.#forward(client, writer, key);
      }
    }
  }

  #sendKey(
    worker: number,
    key: Uint8Array,
    writer: number,
    clients: readonly number[],
  ): void {
    const record = this.#parts.mesh.record(worker, CACHE_KEY_RECORD);
    record.u32(writer);
    record.bytes(key, 0, key.length);
    record.u32(clients.length);
    for (const client of clients) record.u32(client);
  }

  /** Sends a message on that came too late for a tracker that has moved. */
  #forward(client: number, writer: number, key: Uint8Array): void {
    const worker = this.trackers.movedTo(client);
    if (worker < 0) return;
    this.#count(worker);
    this.#sendKey(worker, key, writer, [client]);
  }

  #receiveKey(reader: FrameReader): void {
    const writer = reader.u32();
    const key = reader.bytes();
    const count = reader.u32();
    const clients = Array.from({ length: count }, () => reader.u32());
    this.#dropKey(key, writer, clients);
  }

  /** Tells of changes by prefix. */
  #tellChanges(): void {
    if (this.#changes.count === 0) return;
    /** Who changed a key last. */
    const writers = new Map<string, number>();
    this.#changes.take({
      key: (key, writer) => {
        writers.set(asciiOf(key, 0, key.length), writer);
      },
      keyOfMany: () => {},
      all: () => {},
    });
    const byWorker: string[][] = Array.from(
      { length: this.#workers },
      () => [],
    );
    for (const key of writers.keys()) {
      this.prefixes.match(key, (clients) => {
        for (let worker = 0; worker < this.#workers; worker++) {
          const keys = byWorker[worker]!;
          if (clients[worker] !== 0 && keys.at(-1) !== key) keys.push(key);
        }
      });
    }
    byWorker.forEach((keys, worker) => {
      if (keys.length === 0 || worker === this.#self) return;
      this.#count(worker);
      const record = this.#parts.mesh.record(worker, CACHE_BROADCAST_RECORD);
      record.u32(keys.length);
      for (const key of keys) {
        const bytes = latin1BytesOf(key);
        record.u32(writers.get(key)!);
        record.bytes(bytes, 0, bytes.length);
      }
    });
    const own = byWorker[this.#self]!;
    if (own.length > 0) this.trackers.dropByPrefix(own, writers);
  }

  #receiveChanges(reader: FrameReader): void {
    const writers = new Map<string, number>();
    const count = reader.u32();
    for (let i = 0; i < count; i++) {
      const writer = reader.u32();
      const key = reader.bytes();
      writers.set(asciiOf(key, 0, key.length), writer);
    }
    this.trackers.dropByPrefix([...writers.keys()], writers);
  }

  #countOthers(): void {
    for (let worker = 0; worker < this.#workers; worker++) {
      if (worker !== this.#self) this.#count(worker);
    }
  }

  /** Counts a record that a worker will get. */
  #count(worker: number): void {
    Atomics.add(this.#parts.sent, worker * this.#workers + this.#self, 1);
  }

  #noteHandled(from: number, count: number): void {
    this.#handled[from]! += count;
    if (this.#waiting.length === 0) return;
    const handled = this.#handled;
    const hasCome = ({ sent }: Waiting) =>
      sent.every((count, worker) => ((handled[worker]! - count) | 0) >= 0);
    const ready = this.#waiting.filter(hasCome);
    this.#waiting = this.#waiting.filter((waiting) => !hasCome(waiting));
    for (const { run } of ready) run();
  }
}
