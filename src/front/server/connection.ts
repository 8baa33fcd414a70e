/**
 * A connection: turns bytes into requests, has them run, and sends the replies
 * in their order.
 *
 * ```text
 *            onInput                        onWritten
 *   reading ---------> processing -------------------> reading
 *                       |   ^  \
 *      parked or held   v   |   \ closing: nothing is run any more, what is
 *                      waiting   \          queued is sent, then the socket closes
 * ```
 *
 * - Everything that has come is processed in one go; the replies of a batch
 *   leave in one write.
 * - While a command is parked (its answer comes later) or held (CLIENT PAUSE),
 *   the requests behind it stay unread, so replies cannot overtake each other.
 * - A peer that does not read its replies is not read from.
 * - An idle connection holds a small input buffer and nothing else.
 *
 * @module
 */

import type { Session } from "../../engine/executor/session.ts";
import { DONE, HELD } from "../../engine/executor/executor.ts";
import {
  NET_INPUT_BYTES,
  NET_OUTPUT_BYTES,
  OUTPUT_BUFFER_DISCONNECTS,
  QUERY_BUFFER_DISCONNECTS,
  READS_PROCESSED,
  WRITES_PROCESSED,
} from "../../core/keyspace/counters.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import { OUT_OF_MEMORY } from "../../core/resp/error_reply.ts";
import {
  BIG,
  INCOMPLETE,
  REQUEST,
  RequestParser,
} from "../../core/resp/request_parser.ts";
import { BigArgument } from "./big_argument.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import { OutputQueue } from "./output_queue.ts";
import { Socket, type SocketHandler } from "./socket.ts";
import type { WorkerContext } from "./worker_context.ts";

/** Input buffer of an idle connection. */
const INPUT_BYTES_MIN = 2 * 1024;
/** Input buffer of one that keeps filling it. */
const INPUT_BYTES_BUSY = 16 * 1024;
/** Largest input buffer for whole requests, and for streaming arguments. */
const INPUT_BYTES_STREAM = 256 * 1024;
/** Replies that may wait before no further request is run. */
const OUTPUT_BYTES_HIGH = 1024 * 1024;
/** Free room below which the input buffer is compacted or grown. */
const INPUT_ROOM_MIN = 512;

/** One client's connection, living in one worker. */
export class Connection implements SocketHandler {
  /** Its Redis state. */
  readonly session: Session;
  readonly #worker: WorkerContext;
  readonly #socket: Socket;
  readonly #parser = new RequestParser();
  #input: Uint8Array<ArrayBuffer> = new Uint8Array(INPUT_BYTES_MIN);
  #end = 0;
  /** The last read filled the buffer: more is waiting. */
  #wasFilled = false;
  /** Arguments of a request that is not complete, or that waits. */
  #args: Arguments | null = null;
  #big: BigArgument | null = null;
  /** The request is refused because an argument found no memory. */
  #starved = false;
  /** A parked command's reply is awaited. */
  #isParked = false;
  /** The request in `#args` is to be run again when the gate opens. */
  #isHeld = false;
  /** Replies wait for the peer to read; no request is run. */
  #isStalled = false;
  #isClosing = false;
  #isClosed = false;
  #isProcessing = false;
  #sending: Uint8Array<ArrayBuffer> | null = null;
  #queue: OutputQueue | null = null;
  /** When the soft output limit was first exceeded, 0 if it is not. */
  #softLimitSinceMs = 0;

  /** Takes over an accepted connection. */
  constructor(worker: WorkerContext, conn: Deno.Conn, session: Session) {
    this.#worker = worker;
    this.session = session;
    this.#socket = new Socket(conn, this);
    this.#parser.bulkBytesMax = worker.settings.protoMaxBulkLen;
    this.#parser.unauthenticated = session.gate !== 0;
  }

  /** Begins to serve. */
  start(): void {
    this.#socket.start();
  }

  /** Bytes of input not yet processed. */
  get inputBytes(): number {
    return this.#end - this.#parser.position + (this.#big?.received ?? 0);
  }

  /** Size of the input buffer. */
  get inputBufferBytes(): number {
    return this.#input.length;
  }

  /** Bytes of replies not yet sent. */
  get outputBytes(): number {
    return (this.#queue?.bytes ?? 0) + (this.#sending?.length ?? 0);
  }

  /** Whether it waits for something other than its peer. */
  get isWaiting(): boolean {
    return this.#isParked || this.#isHeld;
  }

  /** Whether the peer has been silent and is owed nothing. */
  get isIdle(): boolean {
    return !this.isWaiting && this.#sending === null;
  }

  /** Sends what is queued, runs nothing more, and closes. */
  closeAfterReplies(): void {
    this.#isClosing = true;
    if (this.#isProcessing || this.#sending !== null) return;
    if (this.#queue === null || this.#queue.bytes === 0) this.close();
  }

  /** Closes at once. */
  close(): void {
    this.#socket.close();
  }

  /** Sends bytes that no request asked for, such as a push. */
  deliver(write: LateReply): void {
    if (this.#isClosed) return;
    const writer = this.#worker.writer;
    const foreign = this.#isProcessing;
    if (!foreign) writer.resp = this.session.resp;
    write(writer);
    if (!foreign) this.#flush();
  }

  /** Goes on after a parked command: writes its reply, then the next ones. */
  unpark(reply: LateReply): void {
    if (this.#isClosed || !this.#isParked) return;
    this.#isParked = false;
    this.#worker.noteWaiting(this, false);
    this.#process(reply);
  }

  /** Goes on after the gate has opened. */
  release(): void {
    if (this.#isClosed || !this.#isHeld) return;
    this.#isHeld = false;
    this.#worker.noteWaiting(this, false);
    this.#process(null);
  }

  inputRoom(): Uint8Array<ArrayBuffer> {
    if (this.#parser.position === this.#end && !this.#parser.isMidRequest) {
      this.#parser.shift(this.#end);
      this.#end = 0;
    }
    const room = this.#input.length - this.#end;
    if (
      room < INPUT_ROOM_MIN || room < this.#parser.wants(this.#end) ||
      this.#wasFilled
    ) this.#makeInputRoom();
    this.#wasFilled = false;
    return this.#end === 0 ? this.#input : this.#input.subarray(this.#end);
  }

  onInput(count: number): void {
    const counters = this.#worker.counters;
    counters[NET_INPUT_BYTES] = counters[NET_INPUT_BYTES]! + count;
    counters[READS_PROCESSED] = counters[READS_PROCESSED]! + 1;
    this.#end += count;
    this.#wasFilled = this.#end === this.#input.length;
    if (
      this.#end > this.#worker.settings.clientQueryBufferLimit ||
      this.inputBytes > this.#worker.settings.clientQueryBufferLimit
    ) {
      counters[QUERY_BUFFER_DISCONNECTS] = counters[QUERY_BUFFER_DISCONNECTS]! +
        1;
      this.#worker.log("Closing client that reached max query buffer length");
      return this.close();
    }
    if (this.#isParked || this.#isHeld || this.#isStalled) {
      this.#socket.pauseInput();
      return;
    }
    this.#process(null);
  }

  onEnd(): void {
    // Requests that came before the end are answered; a parked one is not.
    if (this.isWaiting) return this.close();
    this.closeAfterReplies();
  }

  onWritten(): void {
    const sent = this.#sending!;
    this.#sending = null;
    this.#worker.buffers.give(sent);
    if (this.#queue !== null && this.#sendNext()) return;
    if (this.#isClosing) return this.close();
    if (this.#isStalled) {
      this.#isStalled = false;
      this.#process(null);
    }
  }

  onClose(): void {
    this.#isClosed = true;
    this.#big?.drop();
    if (this.#args !== null) this.#worker.dropArguments(this.#args);
    this.#args = null;
    this.#queue?.clear();
    this.#worker.connectionClosed(this);
  }

  /** Runs what can be run; begins with the reply of a parked command. */
  #process(late: LateReply | null): void {
    const worker = this.#worker;
    const executor = worker.executor;
    const writer = worker.writer;
    const session = this.session;
    const nowMs = worker.nowMs();
    writer.resp = session.resp;
    session.lastActiveMs = nowMs;
    worker.current = this;
    this.#isProcessing = true;
    executor.beginBatch(nowMs);
    if (late !== null) late(writer);
    const args = this.#args ?? worker.takeArguments();
    let keep = this.#args !== null && !this.#parser.isMidRequest;
    this.#args = null;
    args.buf = this.#input;
    while (!this.#isClosing) {
      if (!keep) {
        const found = this.#nextRequest(args);
        if (found !== REQUEST) {
          keep = this.#parser.isMidRequest;
          break;
        }
        if (args.count === 0) continue;
      }
      keep = false;
      const outcome = this.#starved
        ? this.#refuse()
        : executor.run(session, args);
      if (outcome !== DONE) keep = this.#wait(outcome);
      if (!keep && args.hasBig) worker.freeBig(args);
      if (outcome !== DONE) break;
      if (writer.pendingBytes > OUTPUT_BYTES_HIGH) {
        this.#isStalled = true;
        break;
      }
    }
    executor.endBatch();
    if (keep) this.#args = args;
    else worker.giveArguments(args);
    this.#isProcessing = false;
    if (this.#isClosed) return worker.discardReplies();
    this.#flush();
    if (!this.isWaiting && !this.#isStalled) this.#socket.resumeInput();
  }

  #nextRequest(args: Arguments): number {
    const parser = this.#parser;
    if (this.#big !== null && !this.#feedBig(args)) return INCOMPLETE;
    while (true) {
      const found = parser.next(args, this.#end);
      if (found === REQUEST || found === INCOMPLETE) return found;
      if (found === BIG) {
        this.#big = new BigArgument(
          this.#worker.externals,
          parser.bigLength,
        );
        if (!this.#feedBig(args)) return INCOMPLETE;
        continue;
      }
      this.#worker.writer.error(parser.error!);
      this.#isClosing = true;
      return found;
    }
  }

  /** Moves input into the big argument; says whether it is complete. */
  #feedBig(args: Arguments): boolean {
    const big = this.#big!;
    const from = this.#parser.position;
    const taken = big.take(this.#input, from, this.#end);
    this.#parser.position = from + taken;
    if (!big.isComplete) return false;
    if (big.ref === 0) {
      this.#starved = true;
      args.add(from, 0);
    } else this.#worker.addBig(args, big.ref, big.length);
    this.#big = null;
    this.#parser.bigDone(from + taken);
    return true;
  }

  #refuse(): number {
    this.#starved = false;
    this.#worker.writer.error(OUT_OF_MEMORY);
    return DONE;
  }

  /** Notes that a command waits; says whether its arguments are kept. */
  #wait(outcome: number): boolean {
    this.#worker.noteWaiting(this, true);
    if (outcome === HELD) {
      this.#isHeld = true;
      return true;
    }
    this.#isParked = true;
    const pending = this.#worker.executor.pending;
    if (pending !== null) {
      pending.then(
        (reply) => this.unpark(reply),
        (cause) => this.#worker.fail(cause),
      );
    }
    return false;
  }

  /** Hands the batch's replies to the socket, or queues them. */
  #flush(): void {
    const worker = this.#worker;
    const writer = worker.writer;
    const bytes = writer.pendingBytes;
    if (bytes === 0) {
      if (this.#isClosing && this.#sending === null) this.close();
      return;
    }
    const counters = worker.counters;
    counters[NET_OUTPUT_BYTES] = counters[NET_OUTPUT_BYTES]! + bytes;
    if (this.#sending === null && writer.spans === null) {
      this.#send(writer.buf, writer.at);
      writer.buf = worker.buffers.take();
      writer.at = 0;
      return;
    }
    this.#queue ??= new OutputQueue(worker.externals, worker.buffers);
    this.#queue.push(writer);
    if (this.#isOverLimit()) {
      counters[OUTPUT_BUFFER_DISCONNECTS] =
        counters[OUTPUT_BUFFER_DISCONNECTS]! + 1;
      worker.log("Closing client that reached max output buffer length");
      return this.close();
    }
    if (this.#queue.bytes > OUTPUT_BYTES_HIGH) this.#isStalled = true;
    if (this.#sending === null) this.#sendNext();
  }

  #sendNext(): boolean {
    const piece = this.#queue!.next();
    if (piece === null) {
      this.#queue = null;
      return false;
    }
    this.#send(piece.buffer, piece.length);
    return true;
  }

  #send(buffer: Uint8Array<ArrayBuffer>, length: number): void {
    const counters = this.#worker.counters;
    counters[WRITES_PROCESSED] = counters[WRITES_PROCESSED]! + 1;
    this.#sending = buffer;
    this.#socket.write(buffer, length);
  }

  #isOverLimit(): boolean {
    const limit = this.#worker.settings.clientOutputBufferLimit.normal;
    const bytes = this.#queue!.bytes;
    if (limit.hardBytes !== 0 && bytes > limit.hardBytes) return true;
    if (limit.softBytes === 0 || bytes <= limit.softBytes) {
      this.#softLimitSinceMs = 0;
      return false;
    }
    const nowMs = this.#worker.nowMs();
    if (this.#softLimitSinceMs === 0) this.#softLimitSinceMs = nowMs;
    return nowMs - this.#softLimitSinceMs > limit.softSeconds * 1000;
  }

  #makeInputRoom(): void {
    const unread = this.#args === null
      ? this.#parser.position
      : this.#firstUse();
    const used = this.#end - unread;
    const size = this.#input.length;
    let wanted = size;
    if (this.#big !== null) wanted = INPUT_BYTES_STREAM;
    else if (used > size >> 1 || size - used < this.#parser.wants(this.#end)) {
      wanted = Math.max(
        size * 2,
        used + this.#parser.wants(this.#end) + INPUT_ROOM_MIN,
      );
    } else if (size < INPUT_BYTES_BUSY && this.#wasFilled) {
      wanted = INPUT_BYTES_BUSY;
    }
    if (wanted > size) this.#replaceInput(unread, wanted);
    else this.#moveInput(unread);
  }

  /** Where the arguments of the request being read begin. */
  #firstUse(): number {
    let first = this.#parser.position;
    const args = this.#args!;
    for (let i = 0; i < args.count; i++) {
      if (args.source(i) === args.buf) {
        first = Math.min(first, args.off[i]!);
      }
    }
    return first;
  }

  #moveInput(from: number): void {
    if (from === 0) return;
    this.#input.copyWithin(0, from, this.#end);
    this.#shift(from);
  }

  #replaceInput(from: number, size: number): void {
    const grown = new Uint8Array(size);
    grown.set(this.#input.subarray(from, this.#end));
    this.#input = grown;
    this.#shift(from);
    if (this.#args !== null) this.#args.buf = grown;
  }

  #shift(by: number): void {
    this.#end -= by;
    this.#parser.shift(by);
    this.#args?.shift(by);
  }
}
