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
 * Size: one state machine; what an event does depends on all of its states.
 *
 * @module
 */

import { DOUBLE_ZERO } from "../../core/base/steady_code.ts";
import { FLAG } from "../../core/commands/command_spec.ts";
import {
  GATE_AUTH,
  GATE_MULTI,
  GATE_PUSHED,
  GATE_RECEIVES,
  GATE_SUBSCRIBED,
  type Session,
} from "../../engine/executor/session.ts";
import {
  PUSH_BYTE,
  type PushMessage,
} from "../../engine/pubsub/push_message.ts";
import type { Subscriber } from "../../engine/pubsub/pubsub.ts";
import type { CacheReceiver } from "../../engine/tracking/trackers.ts";
import { DONE, HELD } from "../../engine/executor/outcome.ts";
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
import { INPUT_BYTES_MAX, InputBuffer } from "./input_buffer.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import {
  REPLY_BUFFER_BYTES,
  type ReplyWriter,
} from "../../core/resp/reply_writer.ts";
import { giveBack } from "./give_back.ts";
import type { WorkerLog } from "../../engine/persistence/worker_log.ts";
import { isFull, OUTPUT_BYTES_HIGH, OutputLimit } from "./output_limit.ts";
import { OutputQueue } from "./output_queue.ts";
import { OwedReplies } from "./owed_replies.ts";
import type { Accepted, Socket, SocketHandler } from "./network/socket.ts";
import type { WorkerContext } from "./worker_context.ts";

/**
 * Input that is taken in while a command waits that will end by itself. Behind
 * one that may wait for ever all is taken in, as the end of the peer comes last.
 */
const PARKED_BYTES_MAX = 64 * 1024;
/** How long a peer may take no replies until more of its requests are read. */
const LATE_READER_MS = 100;
/** How a request begins that is not inline. */
const STAR = 42;
/** What is never counted against the limits of output: one reply buffer. */
const OUTPUT_BYTES_FREE = REPLY_BUFFER_BYTES;

/**
 * Milliseconds for which pieces are sent one right after the other. A peer that
 * reads as fast as they come would else keep the worker from everybody else.
 */
const SENDING_MS_MAX = 1;

/** One client's connection, living in one worker. */
export class Connection implements SocketHandler, Subscriber, CacheReceiver {
  /** Its Redis state. */
  readonly session: Session;
  readonly #worker: WorkerContext;
  readonly #socket: Socket;
  readonly #parser = new RequestParser();
  readonly #input: InputBuffer;
  /** Arguments of a request that is not complete, that runs, or that waits. */
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
  /** Meanwhile, requests are read: see `#awaitReader`. */
  #readsOn = false;
  /** Whether the peer reads will be looked at soon. */
  #awaitsReader = false;
  /** Writes that the system has taken as a whole. */
  #writesTaken = 0;
  /** Other workers have fallen behind, or this one; no request is run. */
  #isHeldUp = false;
  /** The peer has ended while requests were held up. */
  #hasEnded = false;
  /** Messages that no request asked for, to be sent at the end of the turn. */
  #pushes: ReplyWriter | null = null;
  /** The same, as a part of the worker's log; it ends at 0 if there are none. */
  #logStart = 0;
  #logEnd = 0;
  /**
   * They wait for the reply of the parked command: what it has read may be what
   * they say has changed.
   */
  #holdsPushes = false;
  #isClosing = false;
  #isClosed = false;
  #isProcessing = false;
  /** The socket reads into the room that it was given. */
  #isReading = false;
  #sending: Uint8Array<ArrayBuffer> | null = null;
  #sendingBytes = 0;
  /** Where what is being sent comes from. */
  #sendingFrom: Uint8Array | null = null;
  #queue: OutputQueue | null = null;
  #owed: OwedReplies | null = null;
  /** Since when pieces are sent without a look at anything else. */
  #sendingSinceMs = DOUBLE_ZERO;
  #outputLimit: OutputLimit | null = null;
  /** The ticket behind all that its unsent replies can tell of. */
  #seenTicket = 0;
  /** Ticket of its own last change; -1 for none, or one that is durable. */
  #ownTicket = -1;
  /** Ticket of the worker's last change before the batch. */
  #ticketBefore = 0;

  /** Takes over an accepted connection. */
  constructor(worker: WorkerContext, accepted: Accepted, session: Session) {
    this.#worker = worker;
    this.session = session;
    this.#input = new InputBuffer(worker.sharedInput);
    this.#socket = accepted.open(this);
    this.mustAuthenticate = (session.gate & GATE_AUTH) !== 0;
  }

  /** Whether requests are held to the limits of those who may be anybody. */
  set mustAuthenticate(value: boolean) {
    this.#parser.unauthenticated = value;
  }

  /** Begins to serve. */
  start(): void {
    this.#socket.start();
  }

  /** The socket's number in the system; -1 if that is not known. */
  get descriptor(): number {
    return this.#socket.descriptor;
  }

  /** Bytes of input that are kept: of the request that runs, of queued ones. */
  get inputBytes(): number {
    return this.#input.end + (this.#big?.received ?? 0) +
      (this.session.transaction?.bytes ?? 0);
  }

  /** Size of the input buffer. */
  get inputBufferBytes(): number {
    return this.#input.bufferBytes;
  }

  /** Bytes of the arguments of the request that comes in, runs or waits. */
  get argumentBytes(): number {
    const args = this.#isProcessing ? this.#worker.call.args : this.#args;
    let bytes = 0;
    if (args !== null) {
      for (let i = 0; i < args.count; i++) bytes += args.length[i]!;
    }
    return bytes;
  }

  /** Bytes of replies that the socket has been given. */
  get sendingBytes(): number {
    return this.#sendingBytes;
  }

  /** Size of the buffer that the socket has been given. */
  get sendingBufferBytes(): number {
    return this.#sending?.length ?? 0;
  }

  /** Bytes of replies that wait behind those. */
  get queuedBytes(): number {
    return this.#queue?.bytes ?? 0;
  }

  /** Reply buffers that wait behind those. */
  get queuedCount(): number {
    return this.#queue?.count ?? 0;
  }

  /** Bytes of replies not yet sent. */
  get outputBytes(): number {
    return this.#sendingBytes + this.queuedBytes;
  }

  /** Ticket of its own last change that is not known to be durable, or -1. */
  get lastTicket(): number {
    const { lastTicket } = this.#worker.durability.effects;
    return this.#isProcessing && lastTicket !== this.#ticketBefore
      ? lastTicket
      : this.#ownTicket;
  }

  /**
   * Whether all that its replies tell of is on the disk; while the disk fails,
   * all that it has changed itself.
   */
  mayTell(log: WorkerLog): boolean {
    if (this.#isClosed || !log.holdsReplies) return true;
    if (!log.isFailing) return log.isDurable(this.#seenTicket);
    return this.#ownTicket < 0 || log.isDurable(this.#ownTicket + 1);
  }

  /** Tickets are compared modulo 2^32: old ones must not stay. */
  forgetDurable(): void {
    const log = this.#worker.durability;
    if (this.#ownTicket >= 0 && log.isDurable(this.#ownTicket + 1)) {
      this.#ownTicket = -1;
    }
  }

  /** Whether nothing more will be run. */
  get isClosing(): boolean {
    return this.#isClosing;
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
    if (this.#queue === null || this.#queue.count === 0) this.close();
  }

  /** Closes at once; replies that only wait for the end of the turn are sent. */
  close(): void {
    if (
      this.#sendingFrom !== null && !this.#isClosed &&
      this.mayTell(this.#worker.durability)
    ) {
      this.#handOver();
      this.#socket.sendLast(this.#sending!, this.#sendingBytes);
    }
    this.#socket.close();
  }

  /**
   * Sends a message that no request asked for; in RESP3, as a push. While a
   * command runs, the message waits for its reply.
   */
  push(message: Uint8Array): void {
    if (this.#isClosed) return;
    // What waits in the log came before.
    if (this.#logEnd !== 0) this.#leaveLog();
    const writer = this.#pushWriter();
    const { at } = writer;
    writer.raw(message);
    if (this.session.resp === 3) writer.buf[at] = PUSH_BYTE;
  }

  pushShared(message: PushMessage): void {
    if (this.#isClosed) return;
    const { resp } = this.session;
    const start = message.placeIn(resp);
    const log = this.#worker.pubsub.log(resp);
    if (this.#isProcessing || this.#holdsPushes || this.#pushes !== null) {
      return this.#pushPart(log.buf, start, log.at);
    }
    if (this.#logEnd === 0) {
      this.#logStart = start;
      this.#worker.turnEnd.planPush(this);
    } else if (this.#logEnd !== start) {
      // Others have got something in between.
      this.#leaveLog();
      return this.#pushPart(log.buf, start, log.at);
    }
    this.#logEnd = log.at;
  }

  /** Adds a part of a log to the messages that wait. */
  #pushPart(buf: Uint8Array, from: number, to: number): void {
    this.#pushWriter().raw(buf.subarray(from, to));
  }

  #pushWriter(): ReplyWriter {
    if (this.#pushes === null) {
      this.#pushes = this.#worker.takeWriter();
      if (this.#isProcessing) this.session.gate |= GATE_PUSHED;
      else if (!this.#holdsPushes) this.#worker.turnEnd.planPush(this);
    }
    return this.#pushes;
  }

  /** Takes the messages out of the log. */
  #leaveLog(): void {
    const { buf } = this.#worker.pubsub.log(this.session.resp);
    const writer = this.#pushes = this.#worker.takeWriter();
    writer.raw(buf.subarray(this.#logStart, this.#logEnd));
    this.#logEnd = 0;
  }

  /** Sends messages as they lie in the log, if the socket takes them. */
  #sendLog(): void {
    const from = this.#logStart;
    const length = this.#logEnd - from;
    if (this.#isClosed) return void (this.#logEnd = 0);
    if (this.#sending !== null || this.#worker.durability.holdsReplies) {
      return this.#leaveLog();
    }
    const { buf } = this.#worker.pubsub.log(this.session.resp);
    const bytes = from === 0 ? buf : buf.subarray(from, this.#logEnd);
    const sent = this.#socket.sendNow(bytes, length);
    if (sent > 0) this.#countSent(sent);
    this.#logStart = from + sent;
    if (sent < length) this.#leaveLog();
    else this.#logEnd = 0;
  }

  /** As {@linkcode push}, as it is: a line of MONITOR. */
  pushLine(line: Uint8Array): void {
    if (!this.#isClosed) this.#pushWriter().raw(line);
  }

  /** Hands on the messages that wait, at the end of a turn. */
  sendPlannedPushes(): void {
    if (!this.#holdsPushes) this.sendPushes();
  }

  /** The parked command waits, and has read nothing that messages could change. */
  letPushesGo(): void {
    this.#holdsPushes = false;
    if (this.#pushes !== null) this.#worker.turnEnd.planPush(this);
  }

  /** Hands on the messages that wait. */
  sendPushes(): void {
    if (this.#logEnd !== 0) this.#sendLog();
    const writer = this.#pushes;
    if (writer === null) return;
    this.#pushes = null;
    if (this.#isClosed) return;
    this.session.gate &= ~GATE_PUSHED;
    if (this.#isProcessing) {
      this.#worker.writer.raw(writer.buf.subarray(0, writer.at));
      writer.reset();
    } else this.#flush(writer);
    this.#worker.giveWriter(writer);
  }

  /** Goes on after a parked command: writes its reply, then the next ones. */
  unpark(reply: LateReply): void {
    if (this.#isClosed) {
      // What it brings along must be let go.
      reply(this.#worker.writer);
      return this.#worker.discardReplies();
    }
    if (!this.#isParked) return;
    this.#isParked = false;
    this.#worker.noteWaiting(this, false);
    this.#process(reply);
  }

  /** Goes on after the gate has opened. */
  release(): void {
    if (this.#isClosed || !this.#isHeld) return;
    this.#isHeld = false;
    // A peer that does not read must not keep those behind it in the queue.
    if (this.#isStalled) {
      this.#worker.locks.commands.withdraw(this.session, false);
    }
    this.#worker.noteWaiting(this, false);
    this.#process(null);
  }

  inputRoom(): Uint8Array<ArrayBuffer> {
    this.#isReading = true;
    return this.#input.room(this.#parser, this.#args, this.#big !== null);
  }

  onInput(count: number): void {
    this.#takeInput(count);
    if (!this.#isClosed) this.#input.leaveShared(this.#parser, this.#args);
  }

  #takeInput(count: number): void {
    this.#isReading = false;
    this.#worker.turnEnd.goOn();
    const counters = this.#worker.counters;
    counters[NET_INPUT_BYTES] = counters[NET_INPUT_BYTES]! + count;
    counters[READS_PROCESSED] = counters[READS_PROCESSED]! + 1;
    // Nobody will look at it, but it must not keep the peer from reading.
    if (this.#isClosing) return;
    this.#input.add(count);
    if (this.#isOverInputLimit()) {
      counters[QUERY_BUFFER_DISCONNECTS] = counters[QUERY_BUFFER_DISCONNECTS]! +
        1;
      this.#worker.log("Closing client that reached max query buffer length");
      return this.close();
    }
    // While a command waits, reading on is how the end of the peer is noticed.
    if (
      (this.#isParked || this.session.lockWait !== null) &&
      this.#hasParkedRoom()
    ) return;
    if (this.isWaiting || this.#isHeldUp) return this.#socket.pauseInput();
    if (this.#isStalled) return this.#awaitReader();
    this.#process(null);
  }

  /**
   * Reads nothing while replies wait for the peer to take them: who sends faster
   * than it reads is slowed down. But one that takes nothing at all may be about
   * to send a whole pipeline before it looks at the first reply, and would wait
   * for ever. Its requests are taken in, up to `client-query-buffer-limit`, and
   * run when it reads; they are usually shorter than their replies.
   */
  #awaitReader(): void {
    if (this.#readsOn) return;
    this.#socket.pauseInput();
    if (this.#awaitsReader) return;
    this.#awaitsReader = true;
    const writes = this.#writesTaken;
    const unsent = this.#socket.unsentBytes;
    this.#worker.loop.later(() => {
      this.#awaitsReader = false;
      if (this.#isClosed || !this.#isStalled) return;
      const isReading = this.#writesTaken !== writes ||
        this.#socket.unsentBytes < unsent;
      if (isReading) return this.#awaitReader();
      this.#readsOn = true;
      if (!this.isWaiting && !this.#isHeldUp) this.#socket.resumeInput();
    }, LATE_READER_MS);
  }

  onEnd(): void {
    this.#worker.turnEnd.goOn();
    // Requests that came before the end are answered; a parked one is not.
    if (this.isWaiting) return this.close();
    if (this.#isHeldUp) this.#hasEnded = true;
    else this.closeAfterReplies();
  }

  onWritten(): void {
    if (
      this.#queue === null ||
      performance.now() - this.#sendingSinceMs < SENDING_MS_MAX
    ) return this.#afterWrite();
    // A timer, as sockets might not have their turn before what comes soon.
    this.#worker.loop.later(() => {
      this.#sendingSinceMs = performance.now();
      if (!this.#isClosed) this.#afterWrite();
    }, 0);
  }

  #afterWrite(): void {
    const sent = this.#sending!;
    this.#writesTaken++;
    this.#sending = null;
    this.#sendingBytes = 0;
    this.#worker.buffers.give(sent);
    if (this.#queue !== null && this.#sendNext()) return;
    if (this.#isClosing) return this.close();
    if (this.#isStalled) {
      this.#isStalled = this.#readsOn = false;
      if (!this.isWaiting && !this.#isHeldUp) this.#process(null);
    }
  }

  onClose(): void {
    this.#worker.turnEnd.goOn();
    this.#isClosed = this.#isClosing = true;
    this.#big?.drop();
    // A command that closes its own connection still has what it works with.
    if (!this.#isProcessing) this.#dropSession();
    this.#queue?.clear();
    this.#input.release();
    this.#worker.connectionClosed(this);
  }

  /** Closes a connection whose peer leaves too much unread for too long. */
  checkOutputLimit(): void {
    const bytes = this.outputBytes - OUTPUT_BYTES_FREE;
    if (this.#isClosed || bytes <= 0) return void (this.#outputLimit = null);
    const isSubscriber = (this.session.gate & GATE_SUBSCRIBED) !== 0;
    const { settings, nowMs } = this.#worker;
    const limit = this.#outputLimit ??= new OutputLimit();
    if (!limit.isExceeded(settings, isSubscriber, bytes, nowMs())) return;
    const { counters, log } = this.#worker;
    counters[OUTPUT_BUFFER_DISCONNECTS] = counters[OUTPUT_BUFFER_DISCONNECTS]! +
      1;
    log("Closing client that reached max output buffer length");
    this.close();
  }

  /** Runs what can be run; begins with the reply of a parked command. */
  #process(late: LateReply | null): void {
    const worker = this.#worker;
    const executor = worker.executor;
    const writer = worker.writer;
    const session = this.session;
    const nowMs = worker.nowMs();
    // What came before these requests is sent before their replies.
    const holdsPushes = this.#holdsPushes;
    this.#holdsPushes = false;
    if (!holdsPushes) this.sendPushes();
    // Messages that these requests' replies must not overtake are under way.
    const isBehind = (session.gate & GATE_RECEIVES) !== 0 &&
      worker.tracking.isBehind();
    writer.resp = session.resp;
    this.#parser.bulkBytesMax = worker.settings.protoMaxBulkLen;
    session.lastActiveMs = nowMs;
    worker.current = this;
    this.#isProcessing = true;
    const { durability } = worker;
    this.#ticketBefore = durability.effects.lastTicket;
    executor.beginBatch(nowMs);
    if (late !== null) {
      this.#writeLate(late);
      this.#isStalled = isFull(writer);
    }
    if (holdsPushes) this.sendPushes();
    const args = this.#args ?? worker.takeArguments();
    let keep = this.#args !== null && !this.#parser.isMidRequest;
    this.#args = args;
    args.buf = this.#input.bytes;
    while (!this.#isClosing && !this.#isStalled && !isBehind) {
      if ((session.gate & GATE_PUSHED) !== 0) this.sendPushes();
      if (!keep) {
        const outcome = this.#runAhead();
        if (outcome !== DONE) {
          keep = this.#wait(outcome);
          break;
        }
        if (this.#isClosing || this.#isStalled) break;
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
      if (isFull(writer)) {
        this.#isStalled = true;
        break;
      }
    }
    if (isBehind) keep ||= this.#parser.isMidRequest;
    executor.endBatch();
    this.#ownTicket = this.lastTicket;
    // What was done elsewhere in its name has one of the tickets so far.
    if (late !== null && durability.isOn) {
      this.#ownTicket = (durability.nextTicket - 1) >>> 0;
    }
    worker.planLook();
    if ((session.gate & GATE_PUSHED) !== 0) this.sendPushes();
    this.#isProcessing = false;
    if (this.#isClosed) {
      this.#dropSession();
      return worker.discardReplies();
    }
    if (!keep) this.#dropArguments();
    this.#flush(writer);
    if (isBehind) {
      return this.#holdUp((run) => worker.tracking.whenCaughtUp(run));
    }
    if (worker.isCongested) {
      return this.#holdUp((run) => worker.whenFree(run));
    }
    this.#readOn();
  }

  /** Goes on reading, so long as what comes can be run or kept. */
  #readOn(): void {
    // While a command waits, reading on is how the end of the peer is noticed.
    const mayRead = this.#isParked || this.session.lockWait !== null
      ? this.#hasParkedRoom()
      : !this.isWaiting && !this.#isStalled;
    if (mayRead) this.#socket.resumeInput();
  }

  #hasParkedRoom(): boolean {
    const flags = this.session.command?.flags ?? 0;
    return this.#input.end < PARKED_BYTES_MAX || (flags & FLAG.BLOCKING) !== 0;
  }

  /** Writes the reply of a parked command. */
  #writeLate(late: LateReply): void {
    const { blocked, writer } = this.#worker;
    const undo = blocked.undoOf(this.session.id);
    if (undo === "") return late(writer);
    const start = writer.at;
    // What may have to go back is written as a whole.
    writer.canStream = false;
    late(writer);
    writer.canStream = true;
    if (writer.at === start) return;
    this.#owed ??= new OwedReplies();
    this.#owed.add(undo, this.session.db, start, writer.at);
  }

  /** Runs nothing more until the other workers have caught up, or this one. */
  #holdUp(whenOver: (run: () => void) => void): void {
    if (this.#isHeldUp) return;
    this.#isHeldUp = true;
    this.#socket.pauseInput();
    whenOver(() => {
      this.#isHeldUp = false;
      if (this.#isClosed) return;
      if (this.isWaiting || this.#isStalled) return this.#readOn();
      this.#process(null);
      if (this.#hasEnded && !this.#isClosed) this.onEnd();
    });
  }

  /**
   * Runs the whole requests that have come, a number of them at a time: they
   * are read first, so that the memory that they need can be brought near
   * together. What is special (a request that is not complete, a big argument,
   * an error, a session that must authenticate) is left to be read again one by
   * one. Returns the outcome of the last request that was run.
   */
  #runAhead(): number {
    const { executor, ahead, aheadEnds, writer } = this.#worker;
    const parser = this.#parser;
    const session = this.session;
    let count = ahead.length;
    while (
      count === ahead.length && mayReadAhead(session) && this.#big === null &&
      !parser.isMidRequest
    ) {
      count = this.#readAhead();
      if (count > 1) executor.pipelines.lookAhead(session, ahead, count);
      for (let i = 0; i < count; i++) {
        const args = ahead[i]!;
        if (args.count === 0) continue;
        const ran = executor.sharesLatches
          ? executor.pipelines.runTogether(session, ahead, i, count)
          : 0;
        const outcome = ran > 0
          ? executor.pipelines.outcome
          : executor.run(session, args);
        if (ran > 0) i += ran - 1;
        this.#isStalled ||= isFull(writer);
        if (
          outcome === DONE && !this.#isStalled && !this.#isClosing &&
          mayReadAhead(session)
        ) continue;
        if (outcome === HELD) {
          const held = ahead[i]!;
          ahead[i] = this.#args!;
          this.#args = held;
        }
        if (i + 1 < count) parser.rewind(aheadEnds[i]!);
        return outcome;
      }
    }
    return DONE;
  }

  /** Reads whole requests into the worker's vectors; returns how many. */
  #readAhead(): number {
    const { ahead, aheadEnds } = this.#worker;
    const parser = this.#parser;
    let count = 0;
    const { bytes, end } = this.#input;
    while (count < ahead.length) {
      const start = parser.position;
      // Reading an inline request changes it, so it cannot be read twice.
      if (bytes[start] !== STAR) break;
      const args = ahead[count]!;
      args.buf = bytes;
      if (parser.next(args, end) !== REQUEST) {
        if (parser.position !== start || parser.isMidRequest) {
          parser.rewind(start);
        }
        break;
      }
      aheadEnds[count++] = parser.position;
    }
    return count;
  }

  #nextRequest(args: Arguments): number {
    const parser = this.#parser;
    while (true) {
      if (this.#big !== null) {
        if (!this.#feedBig(args)) return INCOMPLETE;
        if (!parser.isMidRequest) return REQUEST;
      }
      const found = parser.next(args, this.#input.end);
      if (found === REQUEST || found === INCOMPLETE) return found;
      if (found !== BIG) {
        this.#worker.executor.refuse(this.session, parser.error!);
        this.#isClosing = true;
        return found;
      }
      const { externals } = this.#worker;
      this.#big = new BigArgument(externals, parser.bigLength);
    }
  }

  /** Moves input into the big argument; says whether it is complete. */
  #feedBig(args: Arguments): boolean {
    const big = this.#big!;
    const from = this.#parser.position;
    const taken = big.take(this.#input.bytes, from, this.#input.end);
    if (!big.isComplete) {
      // All input was taken, so what comes next may use the same room; but not
      // what is being read, as it may be after a parked command.
      if (this.#isReading) this.#parser.position = this.#input.end;
      else this.#input.end = from;
      return false;
    }
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
    this.#worker.executor.refuse(this.session, OUT_OF_MEMORY);
    return DONE;
  }

  /** Notes that a command waits; says whether its arguments are kept. */
  #wait(outcome: number): boolean {
    this.#worker.noteWaiting(this, true);
    if (outcome === HELD) {
      this.#isHeld = true;
      return true;
    }
    this.#worker.keepArguments();
    this.#isParked = true;
    this.#holdsPushes = this.#worker.executor.pendingHasRead;
    const pending = this.#worker.executor.pending;
    if (pending !== null) {
      pending.then(
        (reply) => this.unpark(reply),
        (cause) => this.#worker.fail(cause),
      );
    }
    return false;
  }

  #isOverInputLimit(): boolean {
    const limit = this.#worker.settings.clientQueryBufferLimit;
    return this.inputBytes > limit || this.#input.end >= INPUT_BYTES_MAX;
  }

  /** Hands what was written to the socket, or queues it. */
  #flush(writer: ReplyWriter): void {
    const worker = this.#worker;
    const bytes = writer.pendingBytes;
    this.#owed?.waitIn(writer.buf);
    if (bytes === 0) {
      if (this.#isClosing && this.#sending === null) this.close();
      return;
    }
    const { durability } = worker;
    if (durability.holdsReplies) this.#seenTicket = durability.nextTicket;
    if (this.#sending === null && writer.spans === null) {
      this.#sendingFrom = writer.buf;
      this.#send(writer.buf, writer.at);
      writer.buf = worker.buffers.take();
      writer.at = 0;
      if (bytes > OUTPUT_BYTES_FREE) this.checkOutputLimit();
      return;
    }
    this.#queue ??= new OutputQueue(worker.externals, worker.buffers);
    this.#queue.push(writer);
    if (this.outputBytes > OUTPUT_BYTES_FREE) this.checkOutputLimit();
    if (this.#isClosed) return;
    if (this.#queue.bytes > OUTPUT_BYTES_HIGH) this.#isStalled = true;
    if (this.#sending !== null) return;
    this.#sendingSinceMs = performance.now();
    this.#sendNext();
  }

  #sendNext(): boolean {
    this.#sendingFrom = this.#queue!.nextBuffer;
    const piece = this.#queue!.next();
    if (piece === null) {
      this.#queue = null;
      return false;
    }
    this.#send(piece.buffer, piece.length);
    return true;
  }

  #send(buffer: Uint8Array<ArrayBuffer>, length: number): void {
    this.#countSent(length);
    this.#sending = buffer;
    this.#sendingBytes = length;
    this.#worker.turnEnd.planSend(this);
  }

  /** The socket gets what is to be sent. */
  #handOver(): void {
    if (this.#owed?.handOver(this.#sendingFrom!)) this.#owed = null;
    this.#sendingFrom = null;
  }

  #countSent(bytes: number): void {
    const { counters } = this.#worker;
    counters[WRITES_PROCESSED] = counters[WRITES_PROCESSED]! + 1;
    counters[NET_OUTPUT_BYTES] = counters[NET_OUTPUT_BYTES]! + bytes;
  }

  /** Writes what is to be sent; called at the end of the turn. */
  sendPlanned(): void {
    if (this.#isClosed || this.#sendingFrom === null) return;
    this.#handOver();
    this.#socket.write(this.#sending!, this.#sendingBytes);
  }

  /** Lets go of all that the session holds. */
  #dropSession(): void {
    this.#dropArguments();
    this.#worker.blocked.drop(this.session.id);
    this.#worker.acknowledgements.drop(this.session.id);
    this.#worker.locks.drop(this.session);
    this.#worker.pubsub.drop(this);
    this.#worker.tracking.trackers.end(this.session);
    this.#worker.monitors.end(this);
    this.#worker.executor.endTransaction(this.session);
    const worker = this.#worker;
    this.#owed?.takeBack(worker.writer.buf, (undo, db, reply) => {
      // A command may be running that has closed the connection.
      queueMicrotask(() => giveBack(worker, undo, db, reply));
    });
    this.#owed = null;
  }

  #dropArguments(): void {
    if (this.#args !== null) this.#worker.dropArguments(this.#args);
    this.#args = null;
  }
}

/** Whether requests may be read ahead: no gate but that of MULTI is closed. */
function mayReadAhead(session: Session): boolean {
  return (session.gate & ~GATE_MULTI) === 0;
}
