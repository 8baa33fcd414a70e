/**
 * What an executor needs from the worker around it.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import type { KeyPositions } from "../../core/commands/command_keys.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import type { Command } from "../../core/commands/command_table.ts";
import type { ManyKeysWork } from "../../core/commands/many_keys.ts";
import type { ReadyKeys } from "../../core/keyspace/ready_keys.ts";
import type { WaiterRecords } from "../../core/keyspace/waiter_records.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import type { ReplyWriter } from "../../core/resp/reply_writer.ts";
import type { BlockedSessions } from "../blocking/blocked_sessions.ts";
import type { CommandLocks } from "../locks/command_locks.ts";
import type { EndedCommand } from "./command_timer.ts";
import type { LockAskingParts } from "./lock_asking.ts";
import type { Session } from "./session.ts";
import type { Tellings } from "./tellings.ts";
import type { BigAdder } from "./transaction.ts";

/** Given to {@linkcode Executor}. */
export interface ExecutorPorts<C extends Call> {
  /** Monotonic milliseconds, with fractions. */
  monotonicMs(): number;
  /** Milliseconds of the epoch. */
  nowMs(): number;
  /** Calls back when others have had their turn; no latch is held. */
  rest(run: () => void): void;
  /**
   * Sends a request to the owner of `shard`, or returns null when that is this
   * worker.
   */
  forward(
    session: Session,
    args: Arguments,
    shard: number,
  ): Promise<LateReply> | null;
  /** Notes a command that took as long as the threshold, or longer. */
  slow(ended: EndedCommand<C>): void;
  /** Makes room when memory is short; says whether a write may go on. */
  makeRoom(): boolean;
  /** Adds an argument that lies in a run of the arena. */
  readonly addBig: BigAdder;
  /** Closes the connection of a peer that speaks HTTP, without a reply. */
  refuseHttp(session: Session): void;
  /** Frees the big arguments that the command did not keep. */
  freeBig(args: Arguments): void;
  /** Number of the worker. */
  readonly worker: number;
  /** How many workers there are. */
  readonly workers: number;
  /** Changed keys that commands wait for. */
  readonly ready: ReadyKeys;
  /** The commands that wait, in shared memory. */
  readonly records: WaiterRecords;
  /** This worker's sessions whose commands wait. */
  readonly blocked: BlockedSessions;
  /**
   * Hands the reply of a command that waited to the worker of its session, and
   * empties the writer.
   */
  served(worker: number, session: number, reply: ReplyWriter): void;
  /** As {@linkcode served}, of a reply that is there when all slices are done. */
  servedLater(
    worker: number,
    session: number,
    late: Promise<LateReply>,
  ): void;
  /** Keeps the arguments of a command that goes on in slices. */
  keepArguments(): void;
  /**
   * Begins to run a command in the background; null if it has to be run here.
   */
  background(
    command: Command<C>,
    call: C,
    positions: KeyPositions,
    resp: 2 | 3,
  ): Promise<LateReply> | null;
  /** As {@linkcode ManyKeys.begin}. */
  manyKeys(
    command: Command<C>,
    work: ManyKeysWork,
    positions: KeyPositions,
  ): Promise<LateReply> | null;
  /** What commands have caused that others are to be told of. */
  readonly tellings: Tellings;
  /**
   * Notes that a client keeps what the command at hand has read, and the worker
   * where its messages go; the latches of the command's keys are held.
   */
  remember(call: C, client: number, worker: number): void;
  /** Shows the command at hand to those who see all commands. */
  show(call: C, command: Command<C>): void;
  /** Words of the process. */
  readonly process: Int32Array;
  /** Parks commands that meet locked keys. */
  readonly locks: CommandLocks;
  /** As {@linkcode LockAskingParts.reserve}. */
  readonly reserve: LockAskingParts<C>["reserve"];
  /** Serves keys that are ready and tells of events; no latch is held. */
  settle(): void;
  /** Notes a command that has waited for locked keys before it ran. */
  waited(command: Command<C>, waitedMs: number): void;
}
