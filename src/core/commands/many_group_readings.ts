/**
 * XREADGROUP of very many streams, which are locked: first all of them are looked
 * at, then they are read one after the other, in slices.
 *
 * @module
 */

import type { EffectLog } from "../keyspace/effect_log.ts";
import { unshareValue } from "../keyspace/shared_value.ts";
import { keepOldOf } from "../keyspace/snapshot_marks.ts";
import { WAITS_FOR_GROUP } from "../keyspace/waiter_records.ts";
import { OutOfMemory } from "../memory/heap.ts";
import {
  DOLLAR_IN_XREADGROUP,
  type ErrorReply,
  noGroupToRead,
  OUT_OF_MEMORY,
  STREAM_ID_INVALID,
  WRONG_TYPE,
} from "../resp/error_reply.ts";
import { takeBackReply } from "../resp/reply_source.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_STREAM } from "../types/entry.ts";
import { StreamId } from "../types/stream_id.ts";
import type { Call } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import { writerLike } from "./gathered_reply.ts";
import type {
  KeysPass,
  KeysSteps,
  KeysWait,
  KeyVisit,
  ManyKeysWork,
} from "./many_keys.ts";
import { SlicedOutput } from "./sliced_output.ts";
import { argumentIsCharacter, idAt } from "./stream_args.ts";
import { GroupReader, SLICE_BYTES, SLICE_ENTRIES } from "./stream_delivery.ts";
import { replyStreamName, replyStreamsHead } from "./stream_reply.ts";

const DOLLAR = 0x24;
const NEW = 0x3e;

const ID = new StreamId();

/** What is read. */
export interface GroupReadOptions {
  /** Entries per stream; 0 for all. */
  readonly count: number;
  /** Whether the client waits if there is nothing. */
  readonly isBlocking: boolean;
  /** For how long; 0 for ever. */
  readonly waitMs: number;
  /** Whether what is delivered does not become pending. */
  readonly isWithoutAck: boolean;
  /** Argument of the group's name; the consumer's is behind it. */
  readonly groupAt: number;
  /** Argument of the first key. */
  readonly keysAt: number;
  /** Keys. */
  readonly streams: number;
}

/** All of it. */
export class ManyGroupReadings implements ManyKeysWork, KeysSteps {
  readonly locking = "write";
  readonly changes = 0;
  readonly #options: GroupReadOptions;
  readonly #effects: EffectLog;
  readonly #writer: ReplyWriter;
  readonly #reader = new GroupReader();
  #output: SlicedOutput | null = null;
  #served = 0;
  /** The stream at hand has been begun. */
  #isBegun = false;
  /** The piece of the output with which its entries begin; -1 if there is none. */
  #piece = -1;
  isOver = false;
  error: ErrorReply | null = null;

  constructor({ effects, reply }: Call, options: GroupReadOptions) {
    this.#options = options;
    this.#effects = effects;
    this.#writer = writerLike(reply);
  }

  readonly passes: readonly KeysPass[] = [
    { order: "given", isLatched: true, visit: (at) => this.#look(at) },
  ];

  get steps(): KeysSteps {
    return this;
  }

  get wait(): KeysWait | null {
    const { isBlocking, waitMs } = this.#options;
    return isBlocking && this.#served === 0 && this.error === null
      ? { kind: WAITS_FOR_GROUP, waitMs, undo: "", replaced: null }
      : null;
  }

  step(at: KeyVisit): boolean {
    const output = this.#outputOf(at);
    const { space, db, key } = at;
    const ref = space.peek(db, key);
    const before = output.reply.at;
    try {
      if (this.#isBegun) return this.#goOn(output, at, ref);
      return this.#begin(output, at, ref, before);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      this.#reader.takeBack(space);
      takeBackReply(output.reply, before, space.externals);
      if (this.#served === 0) this.error = OUT_OF_MEMORY;
      this.isOver = true;
      return false;
    }
  }

  /** Begins with a stream; says whether there is more of it. */
  #begin(
    output: SlicedOutput,
    { space, key, i }: KeyVisit,
    ref: number,
    before: number,
  ): boolean {
    if (space.hasReaders(ref)) unshareValue(space, ref);
    keepOldOf(space, key);
    const { reply, args } = output;
    const { groupAt, keysAt, streams, count, isWithoutAck } = this.#options;
    const reader = this.#reader;
    reader.keyAt = keysAt + i;
    reader.groupAt = groupAt;
    reader.group = space.values.streams.findGroup(
      ref,
      args.source(groupAt),
      args.off[groupAt]!,
      args.length[groupAt]!,
    );
    this.#readId(args, keysAt + streams + i);
    reader.behind.set(ID);
    reader.count = count;
    reader.isWithoutAck = isWithoutAck;
    if (!reader.open(output, { space, key }, ref)) return false;
    replyStreamName(reply, key.buf, key.off, key.length);
    const head = reply.at;
    reply.array(reader.most);
    const from = reply.at;
    if (this.#read(output, space, ref)) {
      this.#piece = output.splitAt(before, from);
      this.#isBegun = true;
      return true;
    }
    reply.recount(head, reader.done);
    this.#served++;
    reader.end(output, space, key);
    output.endSlice();
    return false;
  }

  /** Goes on with a stream, of which a part has been read. */
  #goOn(
    output: SlicedOutput,
    { space, key }: KeyVisit,
    ref: number,
  ): boolean {
    const reader = this.#reader;
    if (this.#read(output, space, ref)) {
      output.endSlice();
      return true;
    }
    output.endPiece();
    output.insert(this.#piece, (reply) => {
      replyStreamName(reply, key.buf, key.off, key.length);
      reply.array(reader.done);
    });
    this.#isBegun = false;
    this.#served++;
    reader.end(output, space, key);
    return false;
  }

  #read(
    output: SlicedOutput,
    space: KeyVisit["space"],
    ref: number,
  ): boolean {
    const count = this.#reader.done + SLICE_ENTRIES;
    const limit = output.reply.cost + SLICE_BYTES;
    return this.#reader.read(output, space, ref, count, limit);
  }

  record(effects: EffectLog): void {
    if (this.#output === null) effects.silence();
    else this.#output.record(effects);
  }

  reply(): LateReply {
    if (this.#served === 0) return (reply) => reply.nullArray();
    return (reply) => {
      replyStreamsHead(reply, this.#served);
      this.#output!.writeTo(reply);
    };
  }

  #outputOf({ db, nowMs, args }: KeyVisit): SlicedOutput {
    return this.#output ??= new SlicedOutput({
      ...{ effects: this.#effects, reply: this.#writer },
      ...{ db, args, nowMs, clockMs: nowMs },
    });
  }

  /** Looks for what is wrong with a stream, before any is read. */
  #look({ space, db, key, i, args, nowMs }: KeyVisit): void {
    if (this.isOver) return;
    const { groupAt, keysAt, streams } = this.#options;
    const ref = space.lookupRead(db, key, nowMs);
    const idAt = keysAt + streams + i;
    if (ref !== 0 && space.type(ref) !== TYPE_STREAM) {
      this.error = WRONG_TYPE;
    } else if (
      ref === 0 || space.values.streams.findGroup(
          ref,
          args.source(groupAt),
          args.off[groupAt]!,
          args.length[groupAt]!,
        ) === 0
    ) this.error = noGroupToRead(args.view(keysAt + i), args.view(groupAt));
    else if (argumentIsCharacter({ args }, idAt, DOLLAR)) {
      this.error = DOLLAR_IN_XREADGROUP;
    } else if (!this.#readId(args, idAt)) this.error = STREAM_ID_INVALID;
    this.isOver = this.error !== null;
  }

  #readId(args: KeyVisit["args"], at: number): boolean {
    if (!argumentIsCharacter({ args }, at, NEW)) return idAt({ args }, at, ID);
    ID.setGreatest();
    return true;
  }
}
