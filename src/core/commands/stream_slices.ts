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
import type { PreparedRecord } from "../keyspace/prepared_record.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import { type ErrorReply, STREAM_ID_INVALID } from "../resp/error_reply.ts";
import { ID_READ, StreamId } from "../types/stream_id.ts";
import { StreamCounters } from "../types/stream_value.ts";
import type { Call, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import { type ChangeRecord, recordInSlices } from "./given_record.ts";
import { endOfSlice } from "./many_arguments.ts";
import { RECORDED } from "./recorded.ts";
import { IdList } from "./stream_args.ts";
import { type StreamOptions, trimStream } from "./stream_options.ts";
import { recordTrimmed } from "./stream_recorded.ts";
import { replyId } from "./stream_reply.ts";

/** Leaves of a stream's tree that are trimmed in one slice. */
export const SLICE_LEAVES = 50;
/**
 * Entries that are deleted, or not pending any more, in one slice: each may lie in
 * a node of its own.
 */
const SLICE_IDS = 128;
/** With more, it is done in slices. */
export const SLICED_IDS_MIN = 2 * SLICE_IDS;

/** XTRIM, or the end of XADD with an entry that was added already. */
export class StreamTrimming implements SlicedChange {
  readonly #options: StreamOptions;
  readonly #added: StreamId | null;
  readonly #prepared: PreparedRecord | null;
  /** Most entries that may go in all; 0 for any number. */
  readonly #limit: number;
  #removed: number;

  /**
   * So many entries have been trimmed; the options are the change's own from now
   * on, and so is what was prepared for the log.
   */
  constructor(
    options: StreamOptions,
    removed: number,
    added: StreamId | null,
    prepared: PreparedRecord | null,
  ) {
    this.#options = options;
    this.#prepared = prepared;
    this.#limit = options.trim.limit;
    this.#removed = removed;
    this.#added = added === null ? null : new StreamId();
    if (added !== null) this.#added!.set(added);
  }

  step(space: Keyspace, ref: number): boolean {
    const { trim } = this.#options;
    if (this.#limit !== 0) {
      trim.limit = this.#limit - this.#removed;
      if (trim.limit === 0) return false;
    }
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
    const prepared = this.#prepared;
    if (prepared !== null) effects.resumePrepared(prepared, args);
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

/** What is done with IDs, all of which are read before the first is used. */
abstract class IdsChange implements SlicedChange {
  /** Set if an argument is no ID: then nothing was done. */
  error: ErrorReply | null = null;
  readonly #event: number;
  readonly #record: ChangeRecord | null;
  readonly #ids = new IdList();
  readonly #id = new StreamId();
  #read: number;
  #at = 0;
  #changed = 0;

  /** The IDs are the arguments from `from` on. */
  constructor(call: Call, event: number, from: number) {
    this.#event = event;
    this.#record = recordInSlices(call);
    this.#read = from;
  }

  /** Does it with an entry; says whether that changed something. */
  protected abstract act(space: Keyspace, ref: number, id: StreamId): boolean;

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    if (this.#read < args.count) {
      this.#readIds(args);
      return this.error === null;
    }
    const end = Math.min(this.#at + SLICE_IDS, this.#ids.count);
    for (; this.#at < end; this.#at++) {
      this.#ids.read(this.#at, this.#id);
      if (this.act(space, ref, this.#id)) this.#changed++;
    }
    return end < this.#ids.count;
  }

  #readIds(args: Arguments): void {
    const id = this.#id;
    const end = endOfSlice(args, this.#read, 1, 1);
    this.#record?.addUpTo(args, end);
    for (; this.#read < end; this.#read++) {
      const i = this.#read;
      const found = id.parse(args.source(i), args.off[i]!, args.length[i]!);
      if (found !== ID_READ) {
        this.error = STREAM_ID_INVALID;
        return;
      }
      this.#ids.add(id);
    }
  }

  finish(
    space: Keyspace,
    db: number,
    key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const { error } = this;
    if (error !== null) return (reply) => reply.error(error);
    const changed = this.#changed;
    if (changed > 0) {
      this.#record?.end(effects);
      space.hooks.changed(db, key, this.#event, changed);
    }
    return (reply) => reply.integer(changed);
  }
}

/** XDEL of many entries. */
export class StreamDeletion extends IdsChange {
  constructor(call: Call) {
    super(call, XDEL, 2);
  }

  protected act(space: Keyspace, ref: number, id: StreamId): boolean {
    return space.values.streams.log.delete(ref, id);
  }
}

/** XACK of many entries of a group. */
export class Acknowledgement extends IdsChange {
  readonly #group: number;

  constructor(call: Call, group: number) {
    super(call, CHANGED, 3);
    this.#group = group;
  }

  protected act(space: Keyspace, _ref: number, id: StreamId): boolean {
    return space.values.streams.groups.acknowledge(this.#group, id);
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
