/**
 * Publish and subscribe, over all workers.
 *
 * Every worker knows its own subscribers; how many each worker has is known to
 * all, in shared memory (subscriber_counts.ts). So PUBLISH counts its receivers
 * at the instant it runs, and sends the message only to workers that have some:
 * one record each, in the one channel there is between two workers, so the
 * messages of a publisher arrive in their order.
 *
 * Subscriptions and messages draw numbers from one sequence, under the latch
 * that guards the counts: a subscriber gets the messages with a higher number
 * than its subscription's, which are those that counted it, however long a
 * message was under way.
 *
 * Patterns are counted in the first shard. Every worker knows all of them
 * (all_patterns.ts).
 *
 * @module
 */

import { hashSlot } from "../../core/base/crc16.ts";
import { asciiOf, equalBytes, latin1BytesOf } from "../../core/base/bytes.ts";
import { halfSipHash } from "../../core/base/half_siphash.ts";
import { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import {
  CHANNEL,
  type NameVisitor,
  PATTERN,
  SHARD_CHANNEL,
} from "../../core/keyspace/subscriber_counts.ts";
import type { Latches } from "../latch/shard_latches.ts";
import type { FrameReader } from "../messages/frame.ts";
import type { Mesh } from "../messages/mesh.ts";
import {
  PROCESS_CHANNELS,
  PROCESS_PATTERNS,
  PROCESS_PATTERNS_VERSION,
  PROCESS_PUBSUB_SEQUENCE,
  PROCESS_SHARD_CHANNELS,
} from "../messages/shared_state.ts";
import { AllPatterns, PATTERN_SHARD } from "./all_patterns.ts";
import { PatternIndex } from "./pattern_index.ts";
import {
  MESSAGE,
  PATTERN_MESSAGE,
  PushLog,
  PushMessage,
  SHARD_MESSAGE,
} from "./push_message.ts";
import { PUBLISH_RECORD } from "../messages/record_kinds.ts";
import { Subscriptions } from "./subscriptions.ts";

/** Positions of a dictionary of names that are visited in one hold. */
const HOLD_POSITIONS = 16;
/** Words of the process that count names, by kind. */
const COUNT_WORDS = [
  PROCESS_CHANNELS,
  PROCESS_SHARD_CHANNELS,
  PROCESS_PATTERNS,
];

/** Somebody who listens: a connection. */
export interface Subscriber {
  /**
   * Sends a message that others get, too. It lies in a log of the turn, where it
   * is the last one.
   */
  pushShared(message: PushMessage): void;
}

/** Who listens on this worker, and since which number. */
type Listeners = Map<Subscriber, number>;

/** A pattern with its listeners on this worker. */
interface LocalPattern {
  readonly bytes: Uint8Array;
  readonly listeners: Listeners;
}

/** What the engine needs from the worker around it. */
export interface PubSubParts {
  readonly mesh: Mesh;
  readonly keyspaces: readonly Keyspace[];
  readonly slotShards: Uint16Array;
  readonly hashSeed: readonly [number, number];
  readonly latches: Latches;
  /** The process's words. */
  readonly process: Int32Array;
}

/** One per worker. */
export class PubSub {
  readonly #parts: PubSubParts;
  readonly #self: number;
  readonly #workers: number;
  /** Listeners by channel: of SUBSCRIBE, of SSUBSCRIBE. */
  readonly #channels: readonly Map<string, Listeners>[] = [
    new Map(),
    new Map(),
  ];
  readonly #patterns = new PatternIndex<LocalPattern>();
  readonly #subscriptions = new Map<Subscriber, Subscriptions>();
  readonly #allPatterns: AllPatterns;
  /** Receivers per worker of the message at hand. */
  readonly #receivers: Int32Array;
  readonly #key = new Key();
  /** Messages of this turn, in RESP2 and in RESP3. */
  readonly #logs: readonly PushLog[] = [new PushLog(), new PushLog()];
  readonly #message = new PushMessage(this.#logs);
  #messageSequence = 0;
  /** The channel of the last message, and its name. */
  #lastChannel = new Uint8Array(0);
  #lastName = "";

  /** Serves the records that come over the mesh. */
  constructor(parts: PubSubParts) {
    this.#parts = parts;
    this.#self = parts.mesh.self;
    this.#workers = parts.mesh.count;
    this.#receivers = new Int32Array(this.#workers);
    this.#allPatterns = new AllPatterns({
      ...parts,
      workers: this.#workers,
      draw: () => this.#draw(),
    });
    parts.mesh.handle(PUBLISH_RECORD, (_from, reader) => this.#receive(reader));
  }

  /** What a subscriber listens to; undefined if it never did. */
  subscriptionsOf(subscriber: Subscriber): Subscriptions | undefined {
    return this.#subscriptions.get(subscriber);
  }

  /** The messages of this turn to those who speak `resp`. */
  log(resp: 2 | 3): PushLog {
    return this.#logs[resp - 2]!;
  }

  /** Bytes of messages that some may still have to be sent. */
  get logBytes(): number {
    return this.#logs[0]!.at + this.#logs[1]!.at;
  }

  /** All have been sent their messages. */
  endTurn(): void {
    for (const log of this.#logs) log.clear();
  }

  /** Subscribers that listen to something. */
  get subscriberCount(): number {
    let count = 0;
    for (const subscriptions of this.#subscriptions.values()) {
      if (!subscriptions.isEmpty) count++;
    }
    return count;
  }

  /** Adds a subscription; returns all of the subscriber's. */
  subscribe(
    subscriber: Subscriber,
    kind: number,
    name: string,
  ): Subscriptions {
    let own = this.#subscriptions.get(subscriber);
    if (own === undefined) {
      own = new Subscriptions();
      this.#subscriptions.set(subscriber, own);
    }
    const names = own.names(kind);
    if (names.has(name)) return own;
    const bytes = latin1BytesOf(name);
    const sequence = this.#count(kind, bytes, 1);
    names.set(name, sequence);
    this.#listenersOf(kind, name, bytes).set(subscriber, sequence);
    return own;
  }

  /** Ends a subscription; says whether there was one. */
  unsubscribe(subscriber: Subscriber, kind: number, name: string): boolean {
    const own = this.#subscriptions.get(subscriber);
    if (own === undefined || !own.names(kind).delete(name)) return false;
    this.#count(kind, latin1BytesOf(name), -1);
    if (kind === PATTERN) {
      const { listeners } = this.#patterns.get(name)!;
      listeners.delete(subscriber);
      if (listeners.size === 0) this.#patterns.remove(name);
    } else {
      const channels = this.#channels[kind]!;
      const listeners = channels.get(name)!;
      listeners.delete(subscriber);
      if (listeners.size === 0) channels.delete(name);
    }
    return true;
  }

  /** Ends all subscriptions. */
  drop(subscriber: Subscriber): void {
    const own = this.#subscriptions.get(subscriber);
    if (own === undefined) return;
    for (const kind of [CHANNEL, SHARD_CHANNEL, PATTERN]) {
      for (const name of [...own.names(kind).keys()]) {
        this.unsubscribe(subscriber, kind, name);
      }
    }
    this.#subscriptions.delete(subscriber);
  }

  /**
   * Sends a message to all subscribers of a channel and returns how many there
   * are. Those on this worker get it at once, so the caller has answered before.
   */
  publish(
    kind: number,
    channel: Uint8Array,
    message: Uint8Array,
    answer: (receivers: number) => void,
  ): void {
    const { mesh } = this.#parts;
    const receivers = this.#receivers;
    receivers.fill(0);
    const sequence = this.#countReceivers(kind, channel);
    const patternSequence = kind === CHANNEL
      ? this.#countPatternReceivers(channel)
      : 0;
    let total = 0;
    for (let worker = 0; worker < this.#workers; worker++) {
      const count = receivers[worker]!;
      total += count;
      if (count === 0 || worker === this.#self) continue;
      const record = mesh.record(worker, PUBLISH_RECORD);
      record.u8(kind);
      record.u32(sequence);
      record.u32(patternSequence);
      record.bytes(channel, 0, channel.length);
      record.bytes(message, 0, message.length);
    }
    const isHere = receivers[this.#self]! > 0;
    answer(total);
    if (isHere) {
      this.#deliver(kind, channel, message, sequence, patternSequence);
    }
  }

  /** Subscribers of a name on all workers. */
  countOf(kind: number, name: Uint8Array): number {
    const key = this.#keyOf(kind, name);
    const { latches, keyspaces } = this.#parts;
    const { channels } = keyspaces[key.shard]!;
    latches.acquire(key.shard);
    const node = channels.find(kind, key);
    const count = node === 0 ? 0 : channels.total(node);
    latches.release(key.shard);
    return count;
  }

  /**
   * Visits all names of a kind that have subscribers, in small holds, shard after
   * shard; some may come twice.
   */
  visit(kind: number, visitor: NameVisitor): void {
    const { keyspaces, latches } = this.#parts;
    for (const { shard, channels } of keyspaces) {
      let cursor = 0;
      do {
        latches.acquire(shard);
        cursor = channels.visitFrom(kind, cursor, HOLD_POSITIONS, visitor);
        latches.release(shard);
      } while (cursor !== 0);
    }
  }

  /** How many names of a kind have subscribers. */
  nameCount(kind: number): number {
    return Atomics.load(this.#parts.process, COUNT_WORDS[kind]!);
  }

  /** Patterns that have subscribers, on all workers. */
  get patternCount(): number {
    return this.nameCount(PATTERN);
  }

  #listenersOf(kind: number, name: string, bytes: Uint8Array): Listeners {
    if (kind === PATTERN) {
      let pattern = this.#patterns.get(name);
      if (pattern === undefined) {
        pattern = { bytes, listeners: new Map() };
        this.#patterns.add(name, pattern);
      }
      return pattern.listeners;
    }
    const channels = this.#channels[kind]!;
    let listeners = channels.get(name);
    if (listeners === undefined) channels.set(name, listeners = new Map());
    return listeners;
  }

  /** Counts a subscription that begins or ends; returns its number. */
  #count(kind: number, name: Uint8Array, by: 1 | -1): number {
    const { latches, keyspaces, process } = this.#parts;
    const key = this.#keyOf(kind, name);
    const { channels } = keyspaces[key.shard]!;
    latches.acquire(key.shard);
    try {
      let isOnly = false;
      if (kind === PATTERN) isOnly = this.#countPattern(key, by);
      else if (by > 0) {
        isOnly = channels.add(kind, key, this.#self, this.#workers);
      } else isOnly = channels.remove(kind, key, this.#self);
      if (isOnly) Atomics.add(process, COUNT_WORDS[kind]!, by);
      return this.#draw();
    } finally {
      latches.release(key.shard);
    }
  }

  #countReceivers(kind: number, channel: Uint8Array): number {
    const { latches, keyspaces } = this.#parts;
    const key = this.#keyOf(kind, channel);
    const { channels } = keyspaces[key.shard]!;
    latches.acquire(key.shard);
    const node = channels.find(kind, key);
    if (node !== 0) {
      for (let worker = 0; worker < this.#workers; worker++) {
        this.#receivers[worker] = channels.on(node, worker);
      }
    }
    const sequence = this.#draw();
    latches.release(key.shard);
    return sequence;
  }

  /** The number is to be drawn after that, the latch being held. */
  #countPattern(key: Key, by: 1 | -1): boolean {
    const { keyspaces, process } = this.#parts;
    const version = process[PROCESS_PATTERNS_VERSION]! + 1 | 0;
    const isOnly = keyspaces[PATTERN_SHARD]!.channels.countPattern(key, by, {
      version,
      patterns: this.patternCount,
      worker: this.#self,
      workers: this.#workers,
    });
    Atomics.store(process, PROCESS_PATTERNS_VERSION, version);
    return isOnly;
  }

  /** Adds the receivers whose patterns match. */
  #countPatternReceivers(channel: Uint8Array): number {
    const all = this.#allPatterns;
    const sequence = all.catchUp();
    if (all.count === 0) return sequence;
    all.match(channel, (counts) => {
      for (let worker = 0; worker < this.#workers; worker++) {
        this.#receivers[worker]! += counts[worker]!;
      }
    });
    return sequence;
  }

  #draw(): number {
    return Atomics.add(this.#parts.process, PROCESS_PUBSUB_SEQUENCE, 1) | 0;
  }

  #receive(reader: FrameReader): void {
    const kind = reader.u8();
    const sequence = reader.u32() | 0;
    const patternSequence = reader.u32() | 0;
    const channel = reader.bytes();
    this.#deliver(kind, channel, reader.bytes(), sequence, patternSequence);
  }

  #deliver(
    kind: number,
    channel: Uint8Array,
    message: Uint8Array,
    sequence: number,
    patternSequence: number,
  ): void {
    const name = this.#nameOf(channel);
    const listeners = this.#channels[kind]!.get(name);
    if (listeners !== undefined) {
      const word = kind === CHANNEL ? MESSAGE : SHARD_MESSAGE;
      this.#message.become(word, null, channel, message);
      this.#push(listeners, sequence);
    }
    if (kind !== CHANNEL || this.#patterns.size === 0) return;
    this.#patterns.match(name, channel, ({ bytes, listeners }) => {
      this.#message.become(PATTERN_MESSAGE, bytes, channel, message);
      this.#push(listeners, patternSequence);
    });
  }

  /** Sends to those whose subscription is older than the message. */
  #push(listeners: Listeners, sequence: number): void {
    this.#messageSequence = sequence;
    listeners.forEach(this.#pushTo);
  }

  readonly #pushTo = (since: number, subscriber: Subscriber): void => {
    if (((this.#messageSequence - since) | 0) <= 0) return;
    subscriber.pushShared(this.#message);
  };

  /** The name of a channel as a string; often that of the message before. */
  #nameOf(channel: Uint8Array): string {
    const { length } = channel;
    const last = this.#lastChannel;
    if (!equalBytes(channel, 0, length, last, 0, last.length)) {
      this.#lastChannel = channel.slice();
      this.#lastName = asciiOf(channel, 0, length);
    }
    return this.#lastName;
  }

  #keyOf(kind: number, name: Uint8Array): Key {
    const { hashSeed, slotShards } = this.#parts;
    const key = this.#key;
    key.buf = name;
    key.off = 0;
    key.length = name.length;
    key.hash = halfSipHash(name, 0, name.length, hashSeed[0], hashSeed[1]);
    key.shard = kind === PATTERN
      ? PATTERN_SHARD
      : slotShards[hashSlot(name, 0, name.length)]!;
    return key;
  }
}
