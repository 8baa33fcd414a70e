/**
 * What the connections of one worker share.
 *
 * @module
 */

import {
  CONNECTIONS_BLOCKED,
  CONNECTIONS_OPEN,
} from "../../core/keyspace/counters.ts";
import { freeRuns } from "../../core/keyspace/own_arguments.ts";
import { SEGMENT_SHIFT } from "../../core/memory/arena.ts";
import type { ExternalStrings } from "../../core/memory/external.ts";
import { Arguments } from "../../core/resp/arguments.ts";
import type { ErrorReply } from "../../core/resp/error_reply.ts";
import { dropSpan } from "../../core/resp/reply_source.ts";
import { type LongStrings, ReplyWriter } from "../../core/resp/reply_writer.ts";
import type { Settings } from "../../core/settings/settings.ts";
import type { CommandTable } from "../../core/commands/command_table.ts";
import type { AcknowledgementWaits } from "../../engine/blocking/acknowledgement_waits.ts";
import type { BlockedSessions } from "../../engine/blocking/blocked_sessions.ts";
import type { Executor } from "../../engine/executor/executor.ts";
import type { Tellings } from "../../engine/executor/tellings.ts";
import { GATE_LOG_FAILED } from "../../engine/executor/gate.ts";
import {
  GATE_MONITOR,
  GATE_SUBSCRIBED,
} from "../../engine/executor/session.ts";
import type { Peers } from "../../engine/messages/peers.ts";
import {
  PROCESS_CONNECTIONS,
  type SharedState,
} from "../../engine/messages/shared_state.ts";
import type { WorkerLog } from "../../engine/persistence/worker_log.ts";
import { PROCESS_SNAPSHOT_BYTES } from "../../engine/persistence/snapshot_protocol.ts";
import type { PubSub } from "../../engine/pubsub/pubsub.ts";
import type { Tracking } from "../../engine/tracking/tracking.ts";
import type { Owner } from "../../engine/owner/owner.ts";
import { SettingsExchange } from "./apply_settings.ts";
import { checkLogGrowth } from "./append_only.ts";
import { BufferPool } from "./buffer_pool.ts";
import type { Connection } from "./connection.ts";
import { makeSharedInput } from "./input_buffer.ts";
import { type LogLink, SYNC_POLICIES } from "./log_link.ts";
import { LatencyMonitor } from "./latency_monitor.ts";
import type { Monitors } from "./monitors.ts";
import type { ServerCall } from "./server_call.ts";
import type { MainThread } from "./main_thread.ts";
import type { EventLoop } from "./network/event_loop.ts";
import { SlowLog } from "./slow_log.ts";
import { checkSavePoints } from "./snapshot_requests.ts";
import { Statistics } from "./statistics.ts";
import type { LogLevel } from "./thread_protocol.ts";
import { TurnEnd } from "./turn_end.ts";
import type { WorkerLocks } from "./worker_locks.ts";

/** Bytes of a snapshot that wait for the disk when requests have to wait, too. */
const SNAPSHOT_BYTES_MAX = 64 * 1024 * 1024;
/** Turns after the first whose changes are synced together, at most. */
const GATHERED_TURNS = 2;
/** Time until they are looked at again. */
const SNAPSHOT_LOOK_MS = 2;
/** Requests read ahead at a time. */
const AHEAD_MAX = 32;
/** Argument vectors kept for reuse. */
const ARGUMENTS_KEPT = 16;
/** Writers for messages that are kept for reuse. */
const WRITERS_KEPT = 16;
/** Argument vectors that grew beyond this are not kept. */
const ARGUMENTS_KEPT_MAX = 4096;

/** Shared state of a worker's connections. */
export class WorkerContext {
  /** The call that all of the worker's commands run with. */
  readonly call: ServerCall;
  /** The worker's executor. */
  readonly executor: Executor<ServerCall>;
  /** All commands. */
  readonly table: CommandTable<ServerCall>;
  /** The other workers. */
  readonly peers: Peers;
  /** What the workers share. */
  readonly shared: SharedState;
  /** Whether rules are checked and holds of latches measured; slower. */
  readonly checks: boolean;
  /** Words about the process as a whole. */
  readonly process: Int32Array;
  /** Strings in runs of their own. */
  readonly externals: ExternalStrings;
  /** The configuration. */
  readonly settings: Settings;
  /** How changes of the configuration reach the other workers. */
  readonly settingsExchange: SettingsExchange;
  /** The worker's statistics. */
  readonly counters: Float64Array;
  /** What is known about snapshots: doubles of persistence_facts.ts. */
  readonly facts: Float64Array;
  /** The main thread. */
  readonly main: MainThread;
  /** The current directory of the process when it was started. */
  readonly hostDir: string;
  /** Whether a snapshot was asked for because a save point was reached. */
  asksToSave = false;
  /** Whether the log is asked to be rewritten because it has grown. */
  asksToRewrite = false;
  /** When that was asked for last. */
  askedToRewriteMs = 0;
  /** The statistics of all workers. */
  readonly statistics: Statistics;
  /** What the worker does for its own shards; set before it listens. */
  owner: Owner | null = null;
  /** Completes the worker's changes in slices; no latch is held. */
  completeSlices: () => void = () => {};
  /** As {@linkcode SlicedChanges.keepArguments}, of a command that is parked. */
  keepArguments: () => void = () => {};
  /** Commands of this worker that took long. */
  readonly slowLog: SlowLog = new SlowLog();
  /** What made this worker slow. */
  readonly latency: LatencyMonitor = new LatencyMonitor();
  /** What all connections read into; null if each has a buffer of its own. */
  readonly sharedInput: Uint8Array<ArrayBuffer> | null;
  /** The writer of the batch that is being processed. */
  readonly writer: ReplyWriter = new ReplyWriter(0);
  /** Reply buffers. */
  readonly buffers: BufferPool = new BufferPool();
  /** Who listens to what. */
  readonly pubsub: PubSub;
  /** What is sent at the end of the turn. */
  readonly turnEnd: TurnEnd;
  /** Who has what in a cache of its own. */
  readonly tracking: Tracking;
  /** Who sees all commands. */
  readonly monitors: Monitors;
  /** What others are to be told of. */
  readonly tellings: Tellings;
  /** What is changed on its way to the disk. */
  readonly durability: WorkerLog;
  /** The way to the log thread; null while there is none. */
  logLink: LogLink | null = null;
  /** Key locks of this worker. */
  readonly locks: WorkerLocks;
  /** Sessions whose command waits for a key. */
  readonly blocked: BlockedSessions;
  /** Sessions whose command waits for changes to be acknowledged. */
  readonly acknowledgements: AcknowledgementWaits;
  /** Connections by session id. */
  readonly connections: Map<number, Connection> = new Map();
  /** Requests that are read ahead of the one that is run. */
  readonly ahead: Arguments[] = Array.from(
    { length: AHEAD_MAX },
    () => new Arguments(),
  );
  /** Where in the input each of them ends. */
  readonly aheadEnds: Int32Array = new Int32Array(AHEAD_MAX);
  /** The connection whose batch is being processed, or was last. */
  current: Connection | null = null;
  /** When what happens. */
  readonly loop: EventLoop;
  /** Wall clock, milliseconds. */
  readonly nowMs: () => number;
  /** Writes a line to the log. */
  readonly log: (text: string, level?: LogLevel) => void;
  /** Asks the main thread to shut the server down. */
  readonly shutdown: () => void;
  /** The configuration file, or "". */
  readonly configFile: string;
  /** Ends the process: an invariant does not hold. */
  readonly fail: (cause: unknown) => void;
  readonly #segments: readonly Uint8Array[];
  readonly #free: Arguments[] = [];
  readonly #waiting = new Set<Connection>();
  readonly #writers: ReplyWriter[] = [];
  #isLookPlanned = false;
  /** Turns that wait for one sync. */
  #turnsGathered = 0;

  /** One context per worker. */
  constructor(
    parts: {
      call: ServerCall;
      executor: Executor<ServerCall>;
      table: CommandTable<ServerCall>;
      peers: Peers;
      pubsub: PubSub;
      tracking: Tracking;
      monitors: Monitors;
      tellings: Tellings;
      durability: WorkerLog;
      blocked: BlockedSessions;
      acknowledgements: AcknowledgementWaits;
      locks: WorkerLocks;
      shared: SharedState;
      checks: boolean;
      externals: ExternalStrings;
      longs: LongStrings;
      loop: EventLoop;
      nowMs: () => number;
      log: (text: string, level?: LogLevel) => void;
      shutdown: () => void;
      main: MainThread;
      hostDir: string;
      configFile: string;
      fail: (cause: unknown) => void;
      segments: readonly Uint8Array[];
      receive: () => void;
    },
  ) {
    this.writer.buf = this.buffers.take();
    this.call = parts.call;
    this.executor = parts.executor;
    this.table = parts.table;
    this.peers = parts.peers;
    this.pubsub = parts.pubsub;
    this.tracking = parts.tracking;
    this.monitors = parts.monitors;
    this.tellings = parts.tellings;
    this.durability = parts.durability;
    this.turnEnd = new TurnEnd(
      parts.durability,
      parts.pubsub,
      parts.loop,
      parts.receive,
    );
    this.blocked = parts.blocked;
    this.acknowledgements = parts.acknowledgements;
    this.locks = parts.locks;
    this.shared = parts.shared;
    this.checks = parts.checks;
    this.process = new Int32Array(parts.shared.process);
    this.externals = parts.externals;
    this.settings = parts.call.settings;
    this.settingsExchange = new SettingsExchange(this.settings, this.process);
    this.counters = parts.call.counters;
    this.statistics = new Statistics(parts.shared.counters);
    this.loop = parts.loop;
    this.sharedInput = parts.loop.sharesRoom ? makeSharedInput() : null;
    this.nowMs = parts.nowMs;
    this.log = parts.log;
    this.shutdown = parts.shutdown;
    this.facts = new Float64Array(parts.shared.facts);
    this.main = parts.main;
    this.hostDir = parts.hostDir;
    this.configFile = parts.configFile;
    this.fail = parts.fail;
    this.#segments = parts.segments;
    this.writer.canStream = true;
    this.writer.longs = parts.longs;
    parts.call.reply = this.writer;
    parts.call.attach(this);
  }

  /** An empty argument vector. */
  takeArguments(): Arguments {
    return this.#free.pop() ?? new Arguments();
  }

  /** Takes an argument vector back. */
  giveArguments(args: Arguments): void {
    if (
      this.#free.length < ARGUMENTS_KEPT &&
      args.off.length <= ARGUMENTS_KEPT_MAX
    ) this.#free.push(args);
  }

  /** Takes back the arguments of a request that will not be run. */
  dropArguments(args: Arguments): void {
    if (args.hasBig) this.freeBig(args);
    this.giveArguments(args);
  }

  /** Adds an argument that streamed into the run `ref`. */
  addBig(args: Arguments, ref: number, length: number): void {
    args.addBig(
      ref,
      this.#segments,
      ref >>> SEGMENT_SHIFT,
      this.externals.offset(ref),
      length,
    );
  }

  /** Frees the big arguments that their command did not keep. */
  freeBig(args: Arguments): void {
    freeRuns(args, this.externals);
  }

  /** Commands have run: at the end of the turn, the log writer hears of it. */
  planLook(): void {
    if (!this.durability.hasNews || this.#isLookPlanned) return;
    this.#isLookPlanned = true;
    queueMicrotask(this.#look);
  }

  readonly #look = (): void => {
    // What has come meanwhile shares the sync that others wait for.
    if (
      this.durability.holdsReplies && this.#turnsGathered < GATHERED_TURNS &&
      this.loop.hasInput()
    ) {
      this.#turnsGathered++;
      return this.loop.soon(this.#look);
    }
    this.#turnsGathered = 0;
    this.#isLookPlanned = false;
    this.durability.endTurn();
  };

  /** Takes over `appendfsync`. */
  followSyncPolicy(): void {
    const { durability, logLink, settings } = this;
    logLink?.followPolicy();
    durability.holdsReplies = logLink !== null && durability.isKept &&
      SYNC_POLICIES[settings.appendfsync] === "always";
    if (!durability.holdsReplies) this.turnEnd.letGo();
  }

  /** Refuses commands that write while the log cannot be written. */
  refuseWrites(error: ErrorReply | null): void {
    const { executor } = this;
    executor.logRefusal = error;
    if (error === null) executor.gate &= ~GATE_LOG_FAILED;
    else executor.gate |= GATE_LOG_FAILED;
  }

  /** Whether no further request may be run, as others have fallen behind. */
  get isCongested(): boolean {
    return this.peers.isCongested || this.durability.isCongested ||
      this.#isSnapshotBehind();
  }

  /** Whether a snapshot has more in memory than it may: the disk is slow. */
  #isSnapshotBehind(): boolean {
    return this.process[PROCESS_SNAPSHOT_BYTES]! > SNAPSHOT_BYTES_MAX;
  }

  /** Calls back when that may have changed. */
  whenFree(run: () => void): void {
    if (this.#isSnapshotBehind()) this.loop.later(run, SNAPSHOT_LOOK_MS);
    else if (this.peers.isCongested) this.peers.whenFree(run);
    else this.durability.whenRoom(run);
  }

  /** A writer for messages that no request asked for. */
  takeWriter(): ReplyWriter {
    const writer = this.#writers.pop() ?? new ReplyWriter(0);
    if (writer.buf.length === 0) writer.buf = this.buffers.take();
    return writer;
  }

  /** Takes it back; its buffer may have been handed over. */
  giveWriter(writer: ReplyWriter): void {
    if (this.#writers.length < WRITERS_KEPT) this.#writers.push(writer);
    else this.buffers.give(writer.buf);
  }

  /** Forgets replies to a connection that was closed while it was served. */
  discardReplies(): void {
    for (const span of this.writer.spans ?? []) dropSpan(span, this.externals);
    this.writer.reset();
  }

  /** Notes that a connection waits for something, or no longer does. */
  noteWaiting(connection: Connection, waits: boolean): void {
    if (waits) this.#waiting.add(connection);
    else this.#waiting.delete(connection);
    this.counters[CONNECTIONS_BLOCKED] = this.#waiting.size;
  }

  /** Lets the connections go on that the gate held up. */
  releaseHeld(): void {
    for (const connection of [...this.#waiting]) connection.release();
  }

  /** Adds an accepted connection. */
  connectionOpened(connection: Connection): void {
    this.connections.set(connection.session.id, connection);
    this.counters[CONNECTIONS_OPEN] = this.connections.size;
  }

  /** Forgets a connection. */
  connectionClosed(connection: Connection): void {
    if (!this.connections.delete(connection.session.id)) return;
    Atomics.sub(this.process, PROCESS_CONNECTIONS, 1);
    this.counters[CONNECTIONS_OPEN] = this.connections.size;
    this.noteWaiting(connection, false);
  }

  /** The periodic work, ten times a second. */
  cron(): void {
    const nowMs = this.nowMs();
    this.statistics.sample(this, nowMs);
    // The limit may have been lowered.
    if (this.tracking.isOverLimit()) this.tellings.publish();
    if (this.peers.self === 0) this.#checkFiles(nowMs);
    this.locks.watch(nowMs);
    this.turnEnd.goOn();
    this.durability.cron();
    if (nowMs - this.#timeoutsCheckedMs >= 1000) {
      this.#timeoutsCheckedMs = nowMs;
      this.#closeIdle(nowMs);
      for (const connection of this.connections.values()) {
        connection.checkOutputLimit();
        connection.forgetDurable();
      }
    }
  }

  #checkFiles(nowMs: number): void {
    checkSavePoints(this, nowMs);
    checkLogGrowth(this, nowMs);
  }

  #timeoutsCheckedMs = 0;

  /**
   * Closes connections that were silent for longer than `timeout`, but those
   * that are there to listen.
   */
  #closeIdle(nowMs: number): void {
    const seconds = this.settings.timeout;
    if (seconds === 0) return;
    for (const connection of this.connections.values()) {
      const { gate, lastActiveMs } = connection.session;
      const listens = (gate & (GATE_SUBSCRIBED | GATE_MONITOR)) !== 0;
      const silentMs = nowMs - lastActiveMs;
      if (connection.isIdle && !listens && silentMs > seconds * 1000) {
        this.log("Closing idle client", "verbose");
        connection.close();
      }
    }
  }
}
