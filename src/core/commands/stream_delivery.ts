/**
 * What a group gives a consumer to read: new entries, which become pending one by
 * one, or those that are pending with it already. Many are read in slices.
 *
 * Should memory end in between, the reply ends there, too, as if COUNT had said
 * so.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import { CHANGED } from "../keyspace/key_events.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { OutOfMemory } from "../memory/heap.ts";
import type { Arguments } from "../resp/arguments.ts";
import { TreePlace } from "../types/id_tree.ts";
import { PendingEntry } from "../types/stream_group.ts";
import { StreamId } from "../types/stream_id.ts";
import { addOne, entryNumber, hasDeletedFrom } from "../types/stream_lag.ts";
import { StreamCounters } from "../types/stream_value.ts";
import type { SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import type { Output, SlicedOutput } from "./sliced_output.ts";
import {
  type GroupPlace,
  recordClaim,
  recordConsumer,
  recordGroupId,
} from "./stream_recorded.ts";
import {
  replyEntry,
  replyId,
  replyStreamName,
  replyStreamsHead,
} from "./stream_reply.ts";

/** Entries that are read in one slice. */
const SLICE_ENTRIES = 128;
/** Entries that are read at once; more are gone on with in slices. */
export const ENTRIES_AT_ONCE: number = 2 * SLICE_ENTRIES;
/** A slice ends after the entry with which its reply has so many bytes. */
export const SLICE_BYTES: number = 1 << 20;

const ID = new StreamId();
const LAST = new StreamId();
const COUNTERS = new StreamCounters();
const READ = new Int64();
const PLACE = new TreePlace();
const PENDING_PLACE = new TreePlace();
const DELIVERED = new PendingEntry();
const SCRATCH = { id: new StreamId(), read: new Int64() };

/** One stream that is read for a consumer of a group. */
export class GroupReader implements GroupPlace {
  keyAt = 0;
  groupAt = 0;
  /** Whether entries are read that nobody of the group has got. */
  isNew = false;
  /** Whether they do not become pending. */
  isWithoutAck = false;
  /** Whether the consumer was made for this. */
  isMade = false;
  /** Most entries. */
  most = 0;
  /** Entries that were read. */
  done = 0;
  #group = 0;
  #consumer = 0;
  /** Of those that are pending, the next has no lesser ID. */
  readonly #next = new StreamId();

  /** Begins to read new entries of a stream, no more than `count` if not 0. */
  beginNew(length: number, group: number, consumer: number, count: number) {
    this.#begin(group, consumer);
    this.isNew = true;
    this.most = count === 0 ? length : Math.min(count, length);
  }

  /** Begins to read those that are pending with the consumer behind `after`. */
  beginPending(
    space: Keyspace,
    group: number,
    consumer: number,
    count: number,
    after: StreamId,
  ): void {
    this.#begin(group, consumer);
    this.isNew = false;
    const owned = space.values.streams.groups.ownedCount(consumer);
    this.most = count === 0 ? owned : Math.min(count, owned);
    this.#next.set(after);
    this.#next.increment();
  }

  #begin(group: number, consumer: number): void {
    this.#group = group;
    this.#consumer = consumer;
    this.done = 0;
  }

  /**
   * Reads entries until `count` of them are read, those before included, or the
   * writer has passed `limit`; says whether there are more. May throw
   * OutOfMemory before the first one.
   */
  read(
    output: Output,
    space: Keyspace,
    ref: number,
    count: number,
    limit: number,
  ): boolean {
    const end = Math.min(this.most, count);
    return this.isNew
      ? this.#readNew(output, space, ref, end, limit)
      : this.#readPending(output, space, ref, end, limit);
  }

  #readNew(
    output: Output,
    space: Keyspace,
    ref: number,
    end: number,
    limit: number,
  ): boolean {
    const { reply, nowMs } = output;
    const { streams } = space.values;
    const { groups, cursor } = streams;
    const { isWithoutAck } = this;
    const group = this.#group;
    const consumer = this.#consumer;
    const before = this.done;
    streams.readCounters(ref, COUNTERS);
    groups.readEntriesRead(group, READ);
    groups.readLastId(group, ID);
    ID.increment();
    cursor.seek(ref, ID);
    let isOut = false;
    while (this.done < end && reply.at < limit && cursor.next()) {
      const { id } = cursor.entry;
      if (!isWithoutAck) {
        try {
          groups.deliver(group, consumer, id, nowMs);
        } catch (cause) {
          if (!(cause instanceof OutOfMemory) || this.done === 0) throw cause;
          isOut = true;
          break;
        }
      }
      countRead(id);
      LAST.set(id);
      if (!isWithoutAck && output.effects.isOn) this.#record(output, space);
      replyEntry(reply, cursor.entry);
      this.done++;
    }
    if (this.done > before) {
      groups.setLastId(group, LAST);
      groups.setEntriesRead(group, READ);
      if (!isWithoutAck) groups.setActiveAt(consumer, nowMs);
    }
    return !isOut && this.done < this.most && cursor.next();
  }

  /** Records that {@linkcode LAST} was delivered. */
  #record(output: Output, space: Keyspace): void {
    DELIVERED.id.set(LAST);
    DELIVERED.consumer = this.#consumer;
    DELIVERED.deliveredAtMs = output.nowMs;
    DELIVERED.deliveriesHi = 0;
    DELIVERED.deliveriesLo = 1;
    recordClaim(output, this, space.values.streams.groups, DELIVERED, LAST);
  }

  #readPending(
    output: Output,
    space: Keyspace,
    ref: number,
    end: number,
    limit: number,
  ): boolean {
    const { reply, nowMs } = output;
    const { log, groups, cursor } = space.values.streams;
    const group = this.#group;
    let isPlaced = false;
    groups.readLastId(group, LAST);
    let isThere = groups.firstOwned(this.#consumer, this.#next, PLACE);
    while (isThere && this.done < end && reply.at < limit) {
      groups.readOwned(PLACE, ID);
      const isKept = isPlaced
        ? log.findBehind(ref, ID, cursor)
        : log.find(ref, ID, cursor);
      isPlaced = true;
      if (isKept) {
        replyEntry(reply, cursor.entry);
        groups.findPending(group, ID, PENDING_PLACE);
        groups.setDeliveredAt(PENDING_PLACE, nowMs);
        groups.countDelivery(PENDING_PLACE);
        if (output.effects.isOn) {
          groups.readPending(PENDING_PLACE, DELIVERED);
          recordClaim(output, this, groups, DELIVERED, LAST);
        }
      } else {
        reply.array(2);
        replyId(reply, ID);
        reply.nullArray();
      }
      this.done++;
      isThere = groups.nextOwned(PLACE);
    }
    if (!isThere || this.done === this.most) return false;
    groups.readOwned(PLACE, this.#next);
    return true;
  }

  /** Nothing has been read for want of memory: removes the consumer again. */
  takeBack(space: Keyspace): void {
    if (!this.isMade) return;
    space.values.streams.groups.removeConsumer(this.#group, this.#consumer);
    space.hooks.noteChange(-1);
  }

  /** All has been read: records what is left to be recorded, and tells. */
  end(output: Output, space: Keyspace, key: Key): void {
    if (output.effects.isOn) {
      if (this.isMade && (!this.isNew || this.isWithoutAck)) {
        recordConsumer(output, this);
      }
      if (this.isNew) {
        const { streams } = space.values;
        recordGroupId(output, this, streams, this.#group, SCRATCH);
      }
    }
    // Whoever reads what was delivered before changes nothing.
    if (this.isNew) space.hooks.changed(output.db, key, CHANGED);
    else space.hooks.noteChange();
  }

  /** Bytes that are recorded for each entry, and in all. */
  recordedBytes({ length }: Arguments): number {
    const names = length[this.keyAt]! + length[this.groupAt]! +
      length[this.groupAt + 1]!;
    return (RECORDED_BYTES + names) * (this.most + 2);
  }
}

/** Bytes of a recorded claim but for the names in it. */
export const RECORDED_BYTES = 128;

/** Counts an entry that the group reads, as far as its number is known. */
function countRead(id: StreamId): void {
  const isKnown = (READ.hi & READ.lo) !== -1;
  if (isKnown && !hasDeletedFrom(COUNTERS, id)) addOne(READ);
  else entryNumber(COUNTERS, id, READ);
}

/** The end of XREADGROUP, of which a first part has been done. */
export class GroupReading implements SlicedChange {
  readonly #reader: GroupReader;
  readonly #output: SlicedOutput;

  /** The reader is the change's own from now on. */
  constructor(reader: GroupReader, output: SlicedOutput) {
    this.#reader = reader;
    this.#output = output;
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    const reader = this.#reader;
    const output = this.#output;
    output.args = args;
    const count = reader.done + SLICE_ENTRIES;
    const limit = output.reply.at + SLICE_BYTES;
    const isLeft = reader.read(output, space, ref, count, limit);
    output.endSlice();
    return isLeft;
  }

  finish(
    space: Keyspace,
    _db: number,
    key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const output = this.#output;
    const { done } = this.#reader;
    this.#reader.end(output, space, key);
    output.record(effects);
    return (reply) => {
      replyStreamsHead(reply, 1);
      replyStreamName(reply, key.buf, key.off, key.length);
      reply.array(done);
      output.writeTo(reply);
    };
  }
}
