/**
 * Keyspace notifications: the events of keys that subscribers asked for, on
 * their way from the keyspace to the channels.
 *
 * An event happens while latches are held, and to publish takes latches; so the
 * keyspace's events are noted here, and published when the request that caused
 * them has run and holds nothing any more: a transaction's when it is complete,
 * those of an owner's cycle at the end of its turn. Each event is one message in
 * the channel of its key and one in the channel of its name, in this order, and
 * in the order in which the events happened.
 *
 * ```text
 * notes   [ event, hooks, database, length and place of the key ] ...
 * ```
 *
 * Nothing of this runs, and nothing is allocated, while no class of events is
 * turned on: then the keyspace does not call.
 *
 * @module
 */

import { bytesOf } from "../../core/base/bytes.ts";
import {
  EVENT_NAMES,
  type KeyEventListener,
  NOTIFY_KEYEVENT,
  NOTIFY_KEYSPACE,
} from "../../core/keyspace/key_events.ts";
import { NotedBytes } from "../../core/keyspace/noted_bytes.ts";
import { CHANNEL } from "../../core/keyspace/subscriber_counts.ts";
import type { Heap } from "../../core/memory/heap.ts";
import type { Tellings } from "../executor/tellings.ts";
import type { PubSub } from "./pubsub.ts";

const NOTE_WORDS = 5;
/** Room for the first few notes. */
const FIRST_WORDS = 16 * NOTE_WORDS;
/** Words that are kept when the notes have been published. */
const KEPT_WORDS = 4096;

const NAMES = EVENT_NAMES.map(bytesOf);

/** The events of one worker. */
export class KeyNotifications implements KeyEventListener {
  /** Events that wait to be published. */
  count = 0;
  /** Where they are published; set before the first one. */
  pubsub: Pick<PubSub, "publish"> | null = null;
  #notes = new Int32Array(FIRST_WORDS);
  readonly #keys: NotedBytes;
  readonly #tellings: Tellings;

  /**
   * Is asked by `tellings` to publish; `heap` gives any heap of the arena, or null:
   * see {@linkcode NotedBytes}.
   */
  constructor(tellings: Tellings, heap: () => Heap | null = () => null) {
    this.#tellings = tellings;
    this.#keys = new NotedBytes(heap);
    tellings.tell(() => this.publish());
  }

  keyEvent(
    hooks: number,
    event: number,
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): void {
    const at = this.count * NOTE_WORDS;
    if (at === this.#notes.length) this.#growNotes();
    const notes = this.#notes;
    notes[at] = event;
    notes[at + 1] = hooks;
    notes[at + 2] = db;
    notes[at + 3] = length;
    notes[at + 4] = this.#keys.add(buf, off, length);
    this.count++;
    this.#tellings.count++;
  }

  /** Publishes what has been noted; no latch may be held. */
  publish(): void {
    if (this.count === 0) return;
    const pubsub = this.pubsub!;
    const notes = this.#notes;
    for (let i = 0; i < this.count; i++) {
      const at = i * NOTE_WORDS;
      const hooks = notes[at + 1]!;
      const db = notes[at + 2]!;
      const name = NAMES[notes[at]!]!;
      // Messages may wait for their receivers, so they get bytes of their own.
      const key = this.#keys.copy(notes[at + 4]!, notes[at + 3]!);
      if ((hooks & NOTIFY_KEYSPACE) !== 0) {
        const channel = channelOf("keyspace", db, key);
        pubsub.publish(CHANNEL, channel, name, ignoreCount);
      }
      if ((hooks & NOTIFY_KEYEVENT) !== 0) {
        const channel = channelOf("keyevent", db, name);
        pubsub.publish(CHANNEL, channel, key, ignoreCount);
      }
    }
    this.count = 0;
    if (notes.length > KEPT_WORDS) this.#notes = new Int32Array(FIRST_WORDS);
    this.#keys.clear();
  }

  #growNotes(): void {
    const grown = new Int32Array(this.#notes.length * 2);
    grown.set(this.#notes);
    this.#notes = grown;
  }
}

/** `__keyspace@0__:key` or `__keyevent@0__:event`. */
function channelOf(kind: string, db: number, name: Uint8Array): Uint8Array {
  const prefix = bytesOf(`__${kind}@${db}__:`);
  const channel = new Uint8Array(prefix.length + name.length);
  channel.set(prefix);
  channel.set(name, prefix.length);
  return channel;
}

function ignoreCount(): void {}
