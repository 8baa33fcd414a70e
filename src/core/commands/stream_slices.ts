/**
 * Changes of long streams, in slices: many entries trimmed or deleted, many that
 * are pending acknowledged, or gone with their consumer or their group.
 *
 * @module
 */

import {
  CHANGED,
  XADD,
  XDEL,
  XGROUP_DELCONSUMER,
  XGROUP_DESTROY,
  XTRIM,
} from "../keyspace/key_events.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import { StreamId } from "../types/stream_id.ts";
import { StreamCounters } from "../types/stream_value.ts";
import type { SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import { RECORDED } from "./recorded.ts";
import type { IdList } from "./stream_args.ts";
import { type StreamOptions, trimStream } from "./stream_options.ts";
import { recordTrimmed } from "./stream_recorded.ts";
import { replyId } from "./stream_reply.ts";

/** Leaves of a stream's tree that are trimmed in one slice. */
const SLICE_LEAVES = 50;
/** Entries that are deleted, or not pending any more, in one slice. */
const SLICE_IDS = 256;
/** More are so in slices. */
export const SLICED_IDS_MIN = 2 * SLICE_IDS;

/** After so many leaves a trimming is gone on with in slices. */
export function leavesAtOnce({ trim }: StreamOptions): number {
  // What LIMIT says counts for all slices together.
  return trim.limit === 0 ? SLICE_LEAVES : Infinity;
}

/** XTRIM, or the end of XADD with an entry that was added already. */
export class StreamTrimming implements SlicedChange {
  readonly #options: StreamOptions;
  readonly #added: StreamId | null;
  #removed: number;

  /**
   * So many entries have been trimmed; the options are the change's own from now
   * on.
   */
  constructor(
    options: StreamOptions,
    removed: number,
    added: StreamId | null,
  ) {
    this.#options = options;
    this.#removed = removed;
    this.#added = added === null ? null : new StreamId();
    if (added !== null) this.#added!.set(added);
  }

  step(space: Keyspace, ref: number): boolean {
    const { trim } = this.#options;
    this.#removed += trimStream(space, ref, trim, SLICE_LEAVES);
    return space.values.streams.log.isTrimLeft;
  }

  finish(
    space: Keyspace,
    db: number,
    key: Key,
    args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const added = this.#added;
    const removed = this.#removed;
    if (added !== null) space.hooks.changed(db, key, XADD);
    if (added !== null && removed > 0) space.hooks.signal(db, key, XTRIM);
    if (added === null && removed > 0) {
      space.hooks.changed(db, key, XTRIM, removed);
    }
    const { hasSequence, trim } = this.#options;
    const hasOwnId = added !== null && !hasSequence;
    const isExact = !trim.isApproximate || added === null && removed === 0;
    if (effects.isOn && (hasOwnId || !isExact)) {
      const counters = new StreamCounters();
      space.values.streams.readCounters(space.peek(db, key), counters);
      recordTrimmed(
        { effects, args, db },
        this.#options,
        added === null ? RECORDED.XTRIM : RECORDED.XADD,
        hasOwnId ? added : null,
        counters,
      );
    }
    if (added !== null) return (reply) => replyId(reply, added);
    return (reply) => reply.integer(removed);
  }
}

/** XDEL of many entries. */
export class StreamDeletion implements SlicedChange {
  readonly #ids: IdList;
  readonly #id = new StreamId();
  #at = 0;
  #deleted = 0;

  /** The list is the change's own from now on. */
  constructor(ids: IdList) {
    this.#ids = ids;
  }

  step(space: Keyspace, ref: number): boolean {
    const { log } = space.values.streams;
    const end = Math.min(this.#at + SLICE_IDS, this.#ids.count);
    for (; this.#at < end; this.#at++) {
      this.#ids.read(this.#at, this.#id);
      if (log.delete(ref, this.#id)) this.#deleted++;
    }
    return end < this.#ids.count;
  }

  finish(space: Keyspace, db: number, key: Key): LateReply {
    const deleted = this.#deleted;
    if (deleted > 0) space.hooks.changed(db, key, XDEL, deleted);
    return (reply) => reply.integer(deleted);
  }
}

/** XACK of many entries. */
export class Acknowledgement implements SlicedChange {
  readonly #ids: IdList;
  readonly #group: number;
  readonly #id = new StreamId();
  #at = 0;
  #acknowledged = 0;

  /** The list is the change's own from now on. */
  constructor(ids: IdList, group: number) {
    this.#ids = ids;
    this.#group = group;
  }

  step(space: Keyspace): boolean {
    const { groups } = space.values.streams;
    const end = Math.min(this.#at + SLICE_IDS, this.#ids.count);
    for (; this.#at < end; this.#at++) {
      this.#ids.read(this.#at, this.#id);
      if (groups.acknowledge(this.#group, this.#id)) this.#acknowledged++;
    }
    return end < this.#ids.count;
  }

  finish(space: Keyspace, db: number, key: Key): LateReply {
    const acknowledged = this.#acknowledged;
    if (acknowledged > 0) space.hooks.changed(db, key, CHANGED, acknowledged);
    return (reply) => reply.integer(acknowledged);
  }
}

/** XGROUP DELCONSUMER of one with whom many entries are pending. */
export class ConsumerRemoval implements SlicedChange {
  readonly #group: number;
  readonly #consumer: number;
  readonly #pending: number;

  constructor(group: number, consumer: number, pending: number) {
    this.#group = group;
    this.#consumer = consumer;
    this.#pending = pending;
  }

  step(space: Keyspace): boolean {
    const { groups } = space.values.streams;
    return !groups.releaseOwned(this.#group, this.#consumer, SLICE_IDS);
  }

  finish(space: Keyspace, db: number, key: Key): LateReply {
    const { groups } = space.values.streams;
    groups.removeConsumer(this.#group, this.#consumer);
    space.hooks.changed(db, key, XGROUP_DELCONSUMER);
    return (reply) => reply.integer(this.#pending);
  }
}

/**
 * XGROUP DESTROY of a group with many entries, for which there is no memory to
 * leave it to others. It is in no list any more.
 */
export class GroupRemoval implements SlicedChange {
  readonly #group: number;

  constructor(group: number) {
    this.#group = group;
  }

  step(space: Keyspace): boolean {
    const { groups } = space.values.streams;
    return !groups.freeSlice(this.#group, SLICE_LEAVES);
  }

  finish(space: Keyspace, db: number, key: Key): LateReply {
    space.hooks.changed(db, key, XGROUP_DESTROY);
    return (reply) => reply.integer(1);
  }
}
