/**
 * Long elements of collections as replies: they are sent from where they lie,
 * piece by piece, so that no latch is held while megabytes are copied.
 *
 * As with replies of many elements, the value stays as it is until its bytes are
 * sent (see shared_value.ts), and its key is locked for reading.
 *
 * @module
 */

import type { ExternalStrings } from "../memory/external.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ReplySource } from "../resp/reply_source.ts";
import {
  LONG_STRING_BYTES_MIN,
  type LongStrings,
  type ReplyWriter,
} from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";
import { ValueReading } from "./value_reading.ts";

/** Bytes that are copied when others wait to change the value. */
const COPIED_BYTES_MAX = 1 << 20;

/** Takes over the long elements of the value of an entry. */
class LongElements implements LongStrings {
  #call: Call | null = null;
  #space: Keyspace | null = null;
  #ref = 0;
  #isHeld = false;

  /** As {@linkcode beginLongElements}. */
  begin(call: Call, space: Keyspace, ref: number, isHeld: boolean): void {
    this.#call = call;
    this.#space = space;
    this.#ref = ref;
    this.#isHeld = isHeld;
  }

  take(
    reply: ReplyWriter,
    source: Uint8Array,
    off: number,
    length: number,
  ): boolean {
    // What a value shows in a buffer of its own does not stay there.
    if (!(source.buffer instanceof SharedArrayBuffer)) return false;
    const reading = ValueReading.begin(
      this.#call!,
      this.#space!,
      this.#ref,
      this.#isHeld,
    );
    if (reading === null) return false;
    reply.bulkFrom(new ElementBytes(reading, source, off, length), length);
    return true;
  }
}

const LONG_ELEMENTS = new LongElements();

/**
 * From here on, long elements of the value of an entry that are written to the
 * call's reply are taken over, if it can stream. `isHeld` says whether others are
 * kept from changing the value meanwhile. The command must not change the value
 * afterwards, and undo this with {@linkcode endLongElements}.
 */
export function beginLongElements(
  call: Call,
  space: Keyspace,
  ref: number,
  isHeld: boolean,
): void {
  if (!call.reply.canStream) return;
  LONG_ELEMENTS.begin(call, space, ref, isHeld);
  call.reply.longs = LONG_ELEMENTS;
}

/** All elements are written. */
export function endLongElements({ reply }: Call): void {
  reply.longs = null;
}

/**
 * Replies an element of the value of an entry. The command must not change the
 * value once it has replied a long one.
 */
export function replyElement(
  call: Call,
  space: Keyspace,
  ref: number,
  buf: Uint8Array,
  off: number,
  length: number,
): void {
  const { reply } = call;
  if (length < LONG_STRING_BYTES_MIN) return reply.bulk(buf, off, length);
  beginLongElements(call, space, ref, true);
  reply.bulk(buf, off, length);
  endLongElements(call);
}

/**
 * Replies an element that has left its value, in a run of pages of its own that
 * nobody else has, and no heap any more; `off` is where its bytes lie in their
 * view. The reply must be one that can stream.
 */
export function replyRun(
  reply: ReplyWriter,
  { externals }: Keyspace,
  run: number,
  off: number,
  length: number,
): void {
  externals.adopt(run, length);
  reply.bulkFrom(new RunBytes(externals, run, off, length), length);
}

/** The bytes of a run that belongs to the reply. */
class RunBytes implements ReplySource {
  readonly #externals: ExternalStrings;
  readonly #run: number;
  readonly #end: number;
  #at: number;

  constructor(
    externals: ExternalStrings,
    run: number,
    off: number,
    length: number,
  ) {
    this.#externals = externals;
    this.#run = run;
    this.#at = off;
    this.#end = off + length;
  }

  write(writer: ReplyWriter, bytes: number): boolean {
    const to = Math.min(this.#end, this.#at + bytes);
    writer.raw(this.#externals.bytes(this.#run).subarray(this.#at, to));
    this.#at = to;
    if (to < this.#end) return false;
    this.drop();
    return true;
  }

  drop(): void {
    this.#externals.unpin(this.#run);
  }
}

/** The bytes of an element, sent from where they lie. */
class ElementBytes implements ReplySource {
  readonly #reading: ValueReading;
  #source: Uint8Array;
  #end: number;
  #at: number;
  #isReading = true;

  constructor(
    reading: ValueReading,
    source: Uint8Array,
    off: number,
    length: number,
  ) {
    this.#reading = reading;
    this.#source = source;
    this.#at = off;
    this.#end = off + length;
    reading.hurry = () => this.#hurry();
  }

  write(writer: ReplyWriter, bytes: number): boolean {
    const to = Math.min(this.#end, this.#at + bytes);
    writer.raw(this.#source.subarray(this.#at, to));
    this.#at = to;
    if (to < this.#end) return false;
    this.drop();
    return true;
  }

  drop(): void {
    if (this.#isReading) this.#reading.end();
    this.#isReading = false;
  }

  /** Copies what is left, if that is no more than a megabyte. */
  #hurry(): void {
    const left = this.#end - this.#at;
    if (left > COPIED_BYTES_MAX) return;
    this.#source = this.#source.slice(this.#at, this.#end);
    this.#at = 0;
    this.#end = left;
    this.drop();
  }
}
