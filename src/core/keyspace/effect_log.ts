/**
 * The effect log: where a worker records what it changes.
 *
 * While a log is kept ({@linkcode EffectLog.isOn}), whoever changes the data set
 * appends a record while it still holds the latches of what it changed, and
 * draws the record's ticket at the same time: so tickets order the changes of a
 * shard as they were made, and those of all shards as anyone can have seen them.
 *
 * What is recorded is what Redis would write into its append-only file:
 * - a command that changed something, as it was given, if it does the same
 *   whenever it is run;
 * - other commands in its place ({@linkcode EffectLog.replace}), where it
 *   depends on the time, on chance, or on what is not in the data set;
 * - commands before it ({@linkcode EffectLog.also}): a key that was found to
 *   have expired is deleted first.
 *
 * All that a command has recorded is one record, and so is all that a
 * transaction has. Outside of both, each command is a record of its own.
 *
 * The consumer sees records when they are published, which is once for a turn.
 *
 * What came as a request and is recorded as it was given is recorded as that
 * request, byte for byte. While nobody else draws tickets, requests of one key
 * each that lie behind each other are one record: nobody can come between them.
 * They get their ticket when the batch ends, or when anybody asks for it.
 *
 * Cost of a command that is recorded as it was given: its request is copied into
 * the ring, alone or together with those that it came with.
 * What finds no room in the ring waits in this worker's memory, which
 * {@linkcode EffectLog.isCongested} tells: nobody waits for room here. Long
 * arguments are copied before the command has its latches ({@linkcode
 * EffectLog.prepare}), also if other words will be recorded around them, and into
 * the ring when it has given them back.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { viewOf } from "../base/byte_view.ts";
import { bytesOf, copyBytes } from "../base/bytes.ts";
import type { Heap } from "../memory/heap.ts";
import type { Arguments } from "../resp/arguments.ts";
import { writeInt64 } from "../base/int64.ts";
import type { EffectDraft } from "./effect_draft.ts";
import type { EffectSink } from "./effect_sink.ts";
import {
  commandBytes,
  LONG_ARGUMENT_BYTES,
  PreparedRecord,
} from "./prepared_record.ts";
import { RecordPieces } from "./record_pieces.ts";
import type { BytePiece } from "./waiting_bytes.ts";
import {
  BATCH_MARK,
  BODY_BYTES_MAX,
  putVarint,
  putWord,
  RECORD_HEADER_BYTES,
  recordBytes,
  VARINT_BYTES_MAX,
} from "./effect_record.ts";
import {
  type EffectBuffers,
  LOG_IS_ON,
  LOG_NEXT_TICKET,
  LOG_WORDS,
  RING_DATA,
} from "./effect_ring.ts";
import { EffectRingWriter } from "./effect_ring_writer.ts";

/** Bytes that are copied in one step. */
const STEP = 8;
/** Up to here steps are faster than a call that copies. */
const STEPS_BYTES_MAX = 128;
/** Words of eight bytes begin where these bits are 0. */
const WORD_MASK = 7;
/** Room for the head of a record and of a batch, and behind its end. */
const HEAD_BYTES_MAX = RECORD_HEADER_BYTES + VARINT_BYTES_MAX + 2 + WORD_MASK +
  3 + STEP;
/** No request begins there. */
const NO_REQUESTS = -2;
/** Requests of more bytes are no longer added to. */
const BATCH_BYTES_MAX = 8192;
/** Buffers that grew beyond this are not kept. */
const KEPT_BYTES = 1 << 20;
/** Arguments from which on they are better copied later. */
const LASTING_BYTES_MIN = 1 << 16;
/** Records that are longer are put in parts, if they are of several commands. */
const PART_BYTES = 1 << 26;
/** Places where a record can be parted are a fraction of that apart, or more. */
const PLACES = 64;
/** What is longer is not copied where it can be given up. */
const COPIED_BYTES_MAX = 1 << 15;
/** Most bytes that a buffer gets beyond what is asked for. */
const SPARE_BYTES_MAX = 1 << 26;

const NO_BYTES: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** One per worker. */
export class EffectLog implements EffectSink {
  readonly #words: Int32Array;
  /** Whether nobody else draws tickets. */
  readonly #isAlone: boolean;
  readonly #ring: EffectRingWriter;
  /** Any heap of the arena in which arguments may lie; null if none is known. */
  heap: Heap | null = null;
  /** How long a record becomes before it is put in parts. */
  partBytes = PART_BYTES;
  /** How long a command can be that is recorded. */
  commandBytesMax = BODY_BYTES_MAX;
  #lastTicket = -1;
  /**
   * Requests that are recorded as they came, not in the ring yet: where they lie
   * in `#source`. {@linkcode NO_REQUESTS} ends none.
   */
  #requestsStart = 0;
  #requestsEnd = NO_REQUESTS;
  #requestsDb = 0;
  /** How many commands and transactions are being recorded, one in another. */
  #depth = 0;
  /** Whether the command at hand is not recorded as it was given. */
  #isReplaced = false;
  /** Where the last arguments lay, and a view that reads it in steps. */
  #source: Uint8Array = NO_BYTES;
  #sourceView: DataView = new DataView(NO_BYTES.buffer);
  /**
   * Pieces of a record in the making, if it is a long one; its head is left out
   * until it is done.
   */
  readonly #ended = new RecordPieces();
  /** What follows them. */
  #staged: Uint8Array<ArrayBuffer> = new Uint8Array(1024);
  /** Where its body begins. */
  #bodyStart = RECORD_HEADER_BYTES;
  #stagedEnd = RECORD_HEADER_BYTES;
  /** Whether pieces lie before it in the same buffer. */
  #isSplit = false;
  /** Arguments that the last command in it still wants. */
  #missing = 0;
  /** What was made ready for the command that runs; null for nothing. */
  #prepared: PreparedRecord | null = null;

  /** The log of a worker; without buffers, one that is never on. */
  constructor(buffers?: EffectBuffers, worker = 0) {
    const ring = buffers?.rings[worker] ?? new SharedArrayBuffer(RING_DATA);
    this.#words = new Int32Array(
      buffers?.words ?? new SharedArrayBuffer(LOG_WORDS * 4),
    );
    this.#isAlone = buffers === undefined || buffers.rings.length === 1;
    this.#ring = new EffectRingWriter(ring);
  }

  /** Ticket of the worker's last record; -1 if there was none. */
  get lastTicket(): number {
    this.drawTickets();
    return this.#lastTicket;
  }

  /** Whatever was recorded has its ticket from here on. */
  drawTickets(): void {
    if (this.#requestsEnd >= 0) this.#putRequests();
  }

  /** Whether changes are recorded. */
  get isOn(): boolean {
    return this.#words[LOG_IS_ON] !== 0;
  }

  /**
   * Whether more than half of the ring is full, or something waits for room in
   * it: the worker must take no more requests, and delete nothing of its own
   * accord, until {@linkcode flush} finds that the ring has been drained.
   */
  get isCongested(): boolean {
    return this.#ring.isCongested;
  }

  /** Bytes that the consumer has not taken yet, and could. */
  get undrainedBytes(): number {
    return this.#ring.undrainedBytes;
  }

  /**
   * Lets the consumer see what has been recorded; to be called when a turn of
   * commands, or of other work, has ended.
   */
  publish(): void {
    this.drawTickets();
    this.#ring.publish();
  }

  /** Puts what waits for room into the ring, as far as there is room. */
  flush(): void {
    this.#ring.flush();
  }

  /**
   * Makes ready what will be recorded if the command that is to be run next is
   * recorded as it was given, or its long arguments in other words: so that
   * nothing long is copied under its latches. {@linkcode
   * EffectLog.forgetPrepared} must follow when it has run. False if it is too long.
   */
  prepare(db: number, args: Arguments): boolean {
    if (commandBytes(args) > this.commandBytesMax) return false;
    this.#prepared = new PreparedRecord(db, args);
    return true;
  }

  /** The command for which a record was prepared has run. */
  forgetPrepared(): void {
    this.#prepared = null;
  }

  /**
   * What was prepared for a command that goes on in slices; null for nothing.
   * What becomes of it is said by {@linkcode replaceWithPrepared} or {@linkcode
   * resumePrepared}.
   */
  takePrepared(args: Arguments): PreparedRecord | null {
    const prepared = this.#prepared;
    if (prepared === null || prepared.args !== args) return null;
    this.#prepared = null;
    return prepared;
  }

  /**
   * What was taken is again what was prepared for a command, whose arguments are
   * its own by now, and which is about to be recorded. A log that has ended wants
   * nothing.
   */
  resumePrepared(prepared: PreparedRecord, args: Arguments): void {
    if (!this.isOn) return;
    prepared.args = args;
    this.#prepared = prepared;
  }

  /**
   * Begins a command or, around several, a transaction: what is recorded from
   * here to {@linkcode end} is one record. Latches are held from here to there.
   */
  begin(): void {
    this.#depth++;
    this.#isReplaced = false;
  }

  /**
   * Ends a command, which is recorded as it was given if it `isChange` and has
   * not been replaced.
   */
  endCommand(db: number, args: Arguments, isChange: boolean): void {
    if (isChange && !this.#isReplaced) {
      if (this.#follows(db, args)) return void this.#depth--;
      this.#record(db, args);
    }
    this.end();
  }

  /**
   * Whether a command was a request that lies behind those that are recorded as
   * they came; it is one of them then.
   */
  #follows(db: number, args: Arguments): boolean {
    if (
      args.start !== this.#requestsEnd || args.buf !== this.#source ||
      db !== this.#requestsDb || args.command < 0 || args.hasBig ||
      this.#depth !== 1 || this.#prepared !== null || !this.#isEmpty()
    ) return false;
    this.#requestsEnd = args.end;
    if (args.end - this.#requestsStart > BATCH_BYTES_MAX) this.#putRequests();
    return true;
  }

  /** Ends a transaction. */
  end(): void {
    if (--this.#depth === 0) this.#commitStaged();
  }

  /**
   * Whether a log without buffers collects what is recorded in the place of a
   * command, for {@linkcode EffectLog.endCollected}.
   */
  set collects(value: boolean) {
    this.#words[LOG_IS_ON] = value ? 1 : 0;
  }

  /**
   * Records the command at hand as it was given, unless something else is recorded
   * in its place; of a log that collects.
   */
  collectGiven(db: number, args: Arguments): void {
    if (this.#isReplaced) return;
    this.#isReplaced = true;
    this.#stageGiven(db, args);
  }

  /**
   * Ends a command of a log that collects; returns what is to be recorded in its
   * place, behind room for a record's head, or null for the command as it was
   * given.
   */
  endCollected(): Uint8Array<ArrayBuffer> | null {
    this.#depth--;
    this.#endPiece();
    const collected = this.#ended.joined();
    this.#clearStaged();
    assert(this.#missing === 0, "a recorded command has all its arguments");
    assert(
      this.#isReplaced || collected.length === RECORD_HEADER_BYTES,
      "nothing goes before",
    );
    return this.#isReplaced ? collected : null;
  }

  /** Ends a command of a log that collects, and forgets what it has recorded. */
  dropCollected(): void {
    this.#depth--;
    this.#clearStaged();
    this.#missing = 0;
  }

  /**
   * Records what was collected in the place of the command at hand; it is given
   * up.
   */
  replaceWithCollected(collected: Uint8Array<ArrayBuffer>): void {
    this.#isReplaced = true;
    const end = collected.length;
    this.#stagePieces([{ buf: collected, from: RECORD_HEADER_BYTES, end }]);
  }

  /**
   * Records the command at hand as it was given; for commands that take latches
   * themselves, before they let go of them.
   */
  asGiven(db: number, args: Arguments): void {
    if (!this.isOn) return;
    this.#depth++;
    this.#record(db, args);
    this.end();
  }

  /**
   * Begins a command that is recorded in the place of the one at hand; its name
   * is given, the other arguments must follow.
   */
  replace(db: number, name: Uint8Array, argc: number): this {
    this.#isReplaced = true;
    return this.also(db, name, argc);
  }

  /** As {@linkcode replace}, but before the one at hand. */
  also(db: number, name: Uint8Array, argc: number): this {
    this.#stageHead(db, argc);
    return this.constant(name);
  }

  /**
   * Records a draft in the place of the command at hand, which is given up: a
   * long one is not copied.
   */
  replaceWith(draft: EffectDraft): void {
    this.#isReplaced = true;
    this.#stagePieces(draft.take());
  }

  /**
   * Records the command at hand as it was given, from what was prepared when it
   * began; a log that has ended wants nothing.
   */
  replaceWithPrepared(prepared: PreparedRecord): void {
    if (!this.isOn) return;
    assert(this.#missing === 0, "a recorded command has all its arguments");
    this.#isReplaced = true;
    if (this.#stagePrepared(prepared)) return;
    const { buf, start, end } = prepared;
    this.#stagePieces([{ buf, from: start, end }]);
  }

  /**
   * Moves what the command at hand has recorded in its place into a draft, which
   * is to be recorded when more has been done.
   */
  moveInto(draft: EffectDraft): void {
    assert(this.#missing === 0, "a recorded command has all its arguments");
    assert(this.#depth === 1, "no transaction is recorded");
    this.#endPiece();
    this.#ended.moveTo(draft);
    this.#clearStaged();
    this.silence();
  }

  /** The command at hand is not recorded as it was given. */
  silence(): void {
    this.#isReplaced = true;
  }

  /** Adds an argument that is argument `i` of the command at hand. */
  argument(args: Arguments, i: number): this {
    const length = args.length[i]!;
    if (
      this.#prepared === null || length < LONG_ARGUMENT_BYTES ||
      !this.#stagePreparedArgument(this.#prepared, args, i)
    ) this.#stageArgument(args.source(i), args.off[i]!, length);
    return this.#endArgument();
  }

  /** Adds the arguments of the command at hand from `from` on. */
  rest(args: Arguments, from: number): this {
    const prepared = this.#prepared;
    if (
      prepared?.args === args && from < args.count &&
      this.#staged !== prepared.buf &&
      this.#stageBehind(prepared, prepared.startOf(from), prepared.end)
    ) {
      this.#missing -= args.count - from - 1;
      return this.#endArgument();
    }
    for (let i = from; i < args.count; i++) this.argument(args, i);
    return this;
  }

  /** Adds an argument. */
  constant(bytes: Uint8Array): this {
    return this.bytes(bytes, 0, bytes.length);
  }

  /** Adds an argument; one in the arena as {@linkcode lasting}, if that is known. */
  bytes(buf: Uint8Array, off: number, length: number): this {
    if (length >= LASTING_BYTES_MIN && this.heap !== null) {
      return this.lasting(this.heap, buf, off, length);
    }
    this.#stageArgument(buf, off, length);
    return this.#endArgument();
  }

  /**
   * Adds an argument that lies in the arena; a long one in a steady run is copied
   * when no latch is held any more.
   */
  lasting(heap: Heap, buf: Uint8Array, off: number, length: number): this {
    const run = length < LASTING_BYTES_MIN ? 0 : heap.steadyRunAt(buf, off);
    if (run !== 0) return this.#keep(heap, run, buf, off, length);
    this.#stageArgument(buf, off, length);
    return this.#endArgument();
  }

  /**
   * As {@linkcode lasting}, of argument `i` of the command at hand, of which
   * nothing was prepared.
   */
  lastingArgument(heap: Heap, args: Arguments, i: number): this {
    const run = args.bigAt(i);
    const off = args.off[i]!;
    return run === 0
      ? this.argument(args, i)
      : this.#keep(heap, run, args.source(i), off, args.length[i]!);
  }

  #keep(
    heap: Heap,
    run: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): this {
    heap.keep(run);
    this.#reserveStaged(VARINT_BYTES_MAX);
    this.#stagedEnd = putVarint(this.#staged, this.#stagedEnd, length);
    this.#splitPiece();
    const done = () => heap.letGo(run);
    this.#ended.add({ buf, from: off, end: off + length, done });
    return this.#endArgument();
  }

  #endArgument(): this {
    if (--this.#missing === 0 && this.#depth === 0) this.#commitStaged();
    return this;
  }

  /** Adds an argument: an integer of up to 64 bits in decimal. */
  integer(value: number): this {
    const text = String(Number.isSafeInteger(value) ? value : BigInt(value));
    const buf = DIGITS;
    for (let i = 0; i < text.length; i++) buf[i] = text.charCodeAt(i);
    return this.bytes(buf, 0, text.length);
  }

  /** Adds an argument: an integer of two words in decimal. */
  int64(hi: number, lo: number): this {
    return this.bytes(DIGITS, 0, writeInt64(hi, lo, DIGITS, 0));
  }

  /** Records the deletion of a key. */
  deletion(db: number, buf: Uint8Array, off: number, length: number): void {
    if (!this.isOn) return;
    this.also(db, DEL, 2).bytes(buf, off, length);
  }

  /** Records the deletion of a field of a hash; its name must follow. */
  fieldDeletion(
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): this {
    return this.also(db, HDEL, 3).bytes(buf, off, length);
  }

  #record(db: number, args: Arguments): void {
    const prepared = this.#prepared;
    if (prepared !== null && args === prepared.args && this.#depth === 1) {
      this.#prepared = null;
      if (this.#stagePrepared(prepared)) return;
    }
    if (
      args.start >= 0 && !args.hasBig && this.#depth === 1 && this.#isEmpty()
    ) return this.#takeRequest(db, args);
    this.#stageGiven(db, args);
  }

  #stageGiven(db: number, args: Arguments): void {
    this.#stageHead(db, args.count);
    for (let i = 0; i < args.count; i++) {
      this.#stageArgument(args.source(i), args.off[i]!, args.length[i]!);
    }
    this.#missing = 0;
  }

  /**
   * Records a command as the request that it came as; others may follow it if
   * nobody else draws tickets meanwhile.
   */
  #takeRequest(db: number, args: Arguments): void {
    this.drawTickets();
    if (args.buf !== this.#source) this.#lookAt(args.buf);
    this.#requestsStart = args.start;
    this.#requestsEnd = args.end;
    this.#requestsDb = db;
    // Others change their keys between two of this worker's latches.
    if (!this.#isAlone || args.command < 0) this.#putRequests();
  }

  /** Writes what has been taken into the ring, as one record. */
  #putRequests(): void {
    const from = this.#requestsStart;
    const bytes = this.#requestsEnd - from;
    this.#requestsEnd = NO_REQUESTS;
    const ring = this.#ring;
    const start = ring.roomFor(HEAD_BYTES_MAX + bytes);
    if (start < 0) return this.#putRequestsInPieces(from, bytes);
    // Before the bytes are written: drawing a ticket waits for all that this
    // processor has written, and for the ring's lines that another one has.
    const ticket = this.#drawTicket();
    const { data, view, words } = ring;
    let at = this.#putBatchHead(data, start + RECORD_HEADER_BYTES);
    const source = this.#source;
    if (bytes <= STEPS_BYTES_MAX && from + bytes + STEP <= source.length) {
      const sourceView = this.#sourceView;
      // The last step may go beyond the bytes, into room that is still free.
      for (let done = 0; done < bytes; done += STEP) {
        const eight = sourceView.getBigUint64(from + done, true);
        view.setBigUint64(at + done, eight, true);
      }
    } else copyBytes(source, from, data, at, bytes);
    at += bytes;
    view.setUint32(at, 0, true);
    words[start >> 2] = at - start - RECORD_HEADER_BYTES;
    words[(start >> 2) + 1] = ticket;
    ring.took((at + 3 & ~3) - start);
  }

  /** Puts the head of a batch at `at`; what follows lies as in the source. */
  #putBatchHead(buf: Uint8Array, at: number): number {
    const mark = putVarint(buf, at, this.#requestsDb);
    buf[mark] = BATCH_MARK;
    const first = mark + 2;
    const from = this.#source.byteOffset + this.#requestsStart;
    const padding = from - (buf.byteOffset + first) & WORD_MASK;
    buf[mark + 1] = padding;
    for (let i = 0; i < padding; i++) buf[first + i] = 0;
    return first + padding;
  }

  /** The same where the ring begins anew, or is full. */
  #putRequestsInPieces(from: number, bytes: number): void {
    const record = new Uint8Array(HEAD_BYTES_MAX + bytes);
    const at = this.#putBatchHead(record, RECORD_HEADER_BYTES);
    copyBytes(this.#source, from, record, at, bytes);
    this.#putWhole(record, 0, at + bytes);
  }

  #lookAt(source: Uint8Array): void {
    this.#source = source;
    this.#sourceView = viewOf(source);
  }

  /** Draws so many tickets; returns the first. */
  #drawTicket(count = 1): number {
    const words = this.#words;
    let ticket: number;
    if (this.#isAlone) {
      ticket = words[LOG_NEXT_TICKET]!;
      words[LOG_NEXT_TICKET] = ticket + count;
    } else ticket = Atomics.add(words, LOG_NEXT_TICKET, count);
    this.#lastTicket = ticket + count - 1 >>> 0;
    return ticket;
  }

  #commitStaged(): void {
    if (this.#isEmpty()) return;
    assert(this.#missing === 0, "a recorded command has all its arguments");
    this.drawTickets();
    this.#reserveStaged(3);
    if (this.#ended.bytes > 0) return this.#commitPieces();
    const staged = this.#staged;
    // A record that lies in what was prepared may begin anywhere.
    const start = this.#bodyStart - RECORD_HEADER_BYTES;
    const end = this.#stagedEnd;
    this.#clearStaged();
    this.#putWhole(staged, start, end);
  }

  /** The pieces of a long record wait, whatever room there is. */
  #commitPieces(): void {
    this.#endPiece();
    const { waiting } = this.#ring;
    const ends = this.#ended.partEnds(this.partBytes);
    const ticket = this.#drawTicket(ends.length);
    if (ends.length === 1) this.#ended.putInto(waiting, ticket);
    else this.#ended.putPartsInto(waiting, ends, ticket);
    this.#clearStaged();
    this.#ring.defer();
  }

  /**
   * Draws a ticket and puts a record into the ring, or what finds no room there
   * behind all that waits; room for the padding is behind it.
   */
  #putWhole(
    staged: Uint8Array<ArrayBuffer>,
    start: number,
    end: number,
  ): void {
    const bodyBytes = end - start - RECORD_HEADER_BYTES;
    assert(bodyBytes <= BODY_BYTES_MAX, "a command fits into a record");
    putWord(staged, start, bodyBytes);
    putWord(staged, start + 4, this.#drawTicket());
    const bytes = recordBytes(bodyBytes);
    staged.fill(0, end, start + bytes);
    if (bytes <= KEPT_BYTES) return this.#ring.put(staged, start, bytes);
    this.#ring.waiting.take({ buf: staged, from: start, end: start + bytes });
    this.#ring.defer();
  }

  #isEmpty(): boolean {
    return this.#ended.bytes === 0 && this.#stagedEnd === this.#bodyStart;
  }

  /**
   * Adds bytes to the record in the making, whose buffers are given up unless they
   * are few. The first piece lies behind room for a record's head.
   */
  #stagePieces(pieces: readonly BytePiece[]): void {
    assert(this.#missing === 0, "a recorded command has all its arguments");
    this.#beginPart();
    let bytes = 0;
    for (const { from, end } of pieces) bytes += end - from;
    if (bytes <= COPIED_BYTES_MAX) {
      this.#reserveStaged(bytes);
      for (const { buf, from, end } of pieces) {
        copyBytes(buf, from, this.#staged, this.#stagedEnd, end - from);
        this.#stagedEnd += end - from;
      }
      return;
    }
    this.#endPiece();
    for (const piece of pieces) this.#ended.add(piece);
  }

  /** A command begins here: a long record may be parted. */
  #beginPart(): void {
    const staged = this.#stagedEnd - this.#bodyStart;
    if (this.#ended.bytesOfPart + staged < this.partBytes / PLACES) return;
    this.#endPiece();
    this.#ended.beginPart();
  }

  /** What is staged becomes a piece of the record. */
  #endPiece(): void {
    if (this.#stagedEnd === this.#bodyStart && !this.#isSplit) return;
    this.#splitPiece();
    this.#stage(
      new Uint8Array(1024),
      RECORD_HEADER_BYTES,
      RECORD_HEADER_BYTES,
    );
  }

  /** The same, but what follows lies behind it in its buffer. */
  #splitPiece(): void {
    const buf = this.#staged;
    const from = this.#bodyStart;
    const end = this.#stagedEnd;
    if (end === from) return;
    this.#ended.add({ buf, from, end });
    // None of it is to be written over.
    if (this.#prepared?.buf === buf) this.#prepared = null;
    this.#bodyStart = end;
    this.#isSplit = true;
  }

  /** Makes the record in the making one that lies in `buf`. */
  #stage(buf: Uint8Array<ArrayBuffer>, bodyStart: number, end: number): void {
    this.#staged = buf;
    this.#bodyStart = bodyStart;
    this.#stagedEnd = end;
    this.#isSplit = false;
  }

  #clearStaged(): void {
    if (this.#prepared?.buf === this.#staged) this.#prepared = null;
    if (this.#staged.length > KEPT_BYTES || this.#isSplit) {
      this.#staged = new Uint8Array(1024);
    }
    this.#bodyStart = this.#stagedEnd = RECORD_HEADER_BYTES;
    this.#isSplit = false;
    this.#ended.clear();
  }

  /**
   * Puts what has been recorded so far before what was prepared, if it finds
   * room there, and goes on in its buffer.
   */
  #stagePrepared(prepared: PreparedRecord): boolean {
    return this.#stageBehind(prepared, prepared.start, prepared.end);
  }

  /** As {@linkcode #stagePrepared}, with one argument of it. */
  #stagePreparedArgument(
    prepared: PreparedRecord,
    args: Arguments,
    i: number,
  ): boolean {
    if (prepared.args !== args) return false;
    const from = prepared.startOf(i);
    const end = prepared.startOf(i + 1);
    if (this.#staged !== prepared.buf) {
      return this.#stageBehind(prepared, from, end);
    }
    // What lies behind the end has not been written over.
    if (this.#stagedEnd !== from) return false;
    this.#stagedEnd = end;
    return true;
  }

  #stageBehind(prepared: PreparedRecord, from: number, end: number): boolean {
    const length = this.#stagedEnd - this.#bodyStart;
    const bodyStart = from - length;
    if (bodyStart < RECORD_HEADER_BYTES) return false;
    const { buf } = prepared;
    copyBytes(this.#staged, this.#bodyStart, buf, bodyStart, length);
    this.#stage(buf, bodyStart, end);
    return true;
  }

  #stageHead(db: number, argc: number): void {
    assert(this.#missing === 0, "a recorded command has all its arguments");
    this.#beginPart();
    this.#missing = argc;
    this.#reserveStaged(2 * VARINT_BYTES_MAX);
    this.#stagedEnd = putVarint(
      this.#staged,
      putVarint(this.#staged, this.#stagedEnd, db),
      argc,
    );
  }

  #stageArgument(buf: Uint8Array, off: number, length: number): void {
    this.#reserveStaged(VARINT_BYTES_MAX + length);
    const at = putVarint(this.#staged, this.#stagedEnd, length);
    copyBytes(buf, off, this.#staged, at, length);
    this.#stagedEnd = at + length;
  }

  #reserveStaged(bytes: number): void {
    if (this.#stagedEnd + bytes <= this.#staged.length) return;
    if (this.#stagedEnd - this.#bodyStart > KEPT_BYTES) this.#endPiece();
    const needed = this.#stagedEnd + bytes;
    const grown = new Uint8Array(
      needed + Math.min(needed >>> 1, SPARE_BYTES_MAX),
    );
    grown.set(this.#staged.subarray(0, this.#stagedEnd));
    this.#staged = grown;
  }
}

const DEL = bytesOf("DEL");
const HDEL = bytesOf("HDEL");
const DIGITS = new Uint8Array(24);
