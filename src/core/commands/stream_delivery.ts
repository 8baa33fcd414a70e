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
import type { ChangePlace, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import type { Output, SlicedOutput } from "./sliced_output.ts";
import { addConsumer, consumerOf } from "./stream_entry.ts";
import {
  type GroupPlace,
  recordClaim,
  recordConsumer,
  recordGroupId,
} from "./stream_recorded.ts";
import {
  fieldsWeight,
  replyEntry,
  replyId,
  replyStreamName,
  replyStreamsHead,
} from "./stream_reply.ts";

/** Entries that are read in one slice. */
export const SLICE_ENTRIES = 80;
/** Entries that are read at once; more are gone on with in slices. */
export const ENTRIES_AT_ONCE: number = 2 * SLICE_ENTRIES;
/** A slice ends after the entry with which it has replied as much as so many bytes. */
export const SLICE_BYTES: number = 1 << 17;

/** To record an entry with long names takes as long as so many bytes of a reply. */
const RECORD_BYTES = 2048;
/** To seek an entry takes as long as so many bytes of a reply. */
const SEEK_BYTES = 2048;

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
  group = 0;
  /** What is pending behind it is read; or, if it is the greatest, new entries. */
  readonly behind: StreamId = new StreamId();
  /** Entries that are asked for; 0 for all. */
  count = 0;
  /** Whether they do not become pending. */
  isWithoutAck = false;
  /** Whether it has been opened. */
  isOpen = false;
  /** Most entries that there are to be read. */
  most = 0;
  /** Entries that were read. */
  done = 0;
  /** What was read last takes as long as so many bytes more than were written. */
  moreBytes = 0;
  /** Whether entries are read that nobody of the group has got. */
  #isNew = false;
  #consumer = 0;
  /** What an entry takes to be recorded, as bytes that are replied. */
  #recordBytes = 0;
  /** Whether the consumer was made for this. */
  #isMade = false;
  /** Of those that are pending, the next has no lesser ID. */
  readonly #next = new StreamId();

  /**
   * Begins to read for the consumer, which is made if need be; says whether there
   * is something. May throw OutOfMemory.
   */
  open(
    output: Output,
    place: ChangePlace,
    ref: number,
  ): boolean {
    const { args, effects, nowMs } = output;
    const { space } = place;
    const { groups, log } = space.values.streams;
    const { group } = this;
    const nameAt = this.groupAt + 1;
    this.done = 0;
    const hasLongName = args.bigAt(this.groupAt) !== 0 ||
      args.bigAt(nameAt) !== 0;
    this.#recordBytes = hasLongName && effects.isOn ? RECORD_BYTES : 0;
    this.#isNew = this.behind.isGreatest();
    this.#consumer = consumerOf(args, space, group, nameAt);
    this.#isMade = false;
    if (this.#consumer === 0) {
      this.#consumer = addConsumer(output, place, group, nameAt);
      this.#isMade = true;
    }
    this.isOpen = true;
    groups.setSeenAt(this.#consumer, nowMs);
    this.most = this.#mostOf(space, ref);
    if (!this.#isNew) {
      this.#next.set(this.behind);
      this.#next.increment();
      return true;
    }
    groups.readLastId(group, ID);
    if (log.readLastEntry(ref, LAST) && LAST.compare(ID) > 0) return true;
    if (this.#isMade && effects.isOn) recordConsumer(output, this, space);
    return false;
  }

  #mostOf({ values: { streams } }: Keyspace, ref: number): number {
    const { count } = this;
    const most = this.#isNew
      ? streams.length(ref)
      : streams.groups.ownedCount(this.#consumer);
    return count === 0 ? most : Math.min(count, most);
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
    this.moreBytes = 0;
    return this.#isNew
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
    const { group, isWithoutAck } = this;
    const consumer = this.#consumer;
    const before = this.done;
    streams.readCounters(ref, COUNTERS);
    groups.readEntriesRead(group, READ);
    groups.readLastId(group, ID);
    ID.increment();
    cursor.seek(ref, ID);
    let isOut = false;
    while (
      this.done < end && reply.cost + this.moreBytes < limit && cursor.next()
    ) {
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
      this.moreBytes += fieldsWeight(reply, cursor.entry) +
        this.#recordBytes;
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
    recordClaim(output, this, space, DELIVERED, LAST);
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
    const { group } = this;
    let isPlaced = false;
    groups.readLastId(group, LAST);
    let isThere = groups.firstOwned(this.#consumer, this.#next, PLACE);
    while (
      isThere && this.done < end && reply.cost + this.moreBytes < limit
    ) {
      groups.readOwned(PLACE, ID);
      const isKept = isPlaced
        ? log.findBehind(ref, ID, cursor)
        : log.find(ref, ID, cursor);
      if (isPlaced && !log.wasNear) this.moreBytes += SEEK_BYTES;
      isPlaced = true;
      if (isKept) {
        replyEntry(reply, cursor.entry);
        this.moreBytes += fieldsWeight(reply, cursor.entry) +
          this.#recordBytes;
        groups.findPending(group, ID, PENDING_PLACE);
        groups.setDeliveredAt(PENDING_PLACE, nowMs);
        groups.countDelivery(PENDING_PLACE);
        if (output.effects.isOn) {
          groups.readPending(PENDING_PLACE, DELIVERED);
          recordClaim(output, this, space, DELIVERED, LAST);
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
    if (!this.#isMade) return;
    space.values.streams.groups.removeConsumer(this.group, this.#consumer);
    space.hooks.noteChange(-1);
  }

  /** All has been read: records what is left to be recorded, and tells. */
  end(output: Output, space: Keyspace, key: Key): void {
    if (output.effects.isOn) {
      if (this.#isMade && (!this.#isNew || this.isWithoutAck)) {
        recordConsumer(output, this, space);
      }
      if (this.#isNew) {
        recordGroupId(output, this, space, this.group, SCRATCH);
      }
    }
    // Whoever reads what was delivered before changes nothing.
    if (this.#isNew) space.hooks.changed(output.db, key, CHANGED);
    else space.hooks.noteChange();
  }
}

/** Counts an entry that the group reads, as far as its number is known. */
function countRead(id: StreamId): void {
  const isKnown = (READ.hi & READ.lo) !== -1;
  if (isKnown && !hasDeletedFrom(COUNTERS, id)) addOne(READ);
  else entryNumber(COUNTERS, id, READ);
}

/** A stream that is to be read in slices. */
export interface ReadingPart extends ChangePlace {
  readonly reader: GroupReader;
}

/** The end of XREADGROUP, of which a first part has been done. */
export class GroupReading implements SlicedChange {
  readonly otherKeys: readonly Uint8Array[];
  readonly #parts: readonly ReadingPart[];
  readonly #output: SlicedOutput;
  /** Streams that have been read. */
  #served: number;
  /** The stream that is being read. */
  #at = 0;
  /** The piece of the reply with which its entries begin. */
  #piece: number;
  /** Whether memory has ended, and nothing more is read. */
  #isOut = false;
  /** Whether the command is still in the hold in which it has begun. */
  #isBeginning = true;

  /**
   * So many streams have been read; the entries of the first that is left begin
   * with a piece of the output. All is the change's own from now on.
   */
  constructor(
    served: number,
    parts: readonly ReadingPart[],
    otherKeys: readonly Uint8Array[],
    output: SlicedOutput,
    piece: number,
  ) {
    this.otherKeys = otherKeys;
    this.#parts = parts;
    this.#output = output;
    this.#served = served;
    this.#piece = piece;
  }

  get place(): ReadingPart {
    return this.#parts[Math.min(this.#at, this.#parts.length - 1)]!;
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    this.#output.args = args;
    if (this.#isBeginning) {
      // It has read a part already.
      this.#isBeginning = false;
      return true;
    }
    if (this.#read(space, ref, this.place)) return true;
    return ++this.#at < this.#parts.length && !this.#isOut;
  }

  /** Reads a part of the stream; says whether there is more. */
  #read(space: Keyspace, ref: number, part: ReadingPart): boolean {
    const output = this.#output;
    const { reader } = part;
    try {
      // Not before those in front have been read, of which one may be the same.
      if (!reader.isOpen && !reader.open(output, part, ref)) return false;
      const count = reader.done + SLICE_ENTRIES;
      const limit = output.reply.cost + SLICE_BYTES;
      if (reader.read(output, space, ref, count, limit)) {
        output.endSlice();
        return true;
      }
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      reader.takeBack(space);
      this.#isOut = true;
      return false;
    }
    this.#endStream(space, reader);
    return false;
  }

  #endStream(space: Keyspace, reader: GroupReader): void {
    const output = this.#output;
    const { buf, off, length } = this.place.key;
    const end = output.endPiece();
    output.insert(this.#piece, (reply) => {
      replyStreamName(reply, buf, off, length);
      reply.array(reader.done);
    });
    this.#piece = end + 1;
    this.#served++;
    reader.end(output, space, this.place.key);
  }

  finish(
    _space: Keyspace,
    _db: number,
    _key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const output = this.#output;
    output.record(effects);
    return (reply) => {
      replyStreamsHead(reply, this.#served);
      output.writeTo(reply);
    };
  }
}
