/**
 * Requests that have come together in a pipeline.
 *
 * Those with one key are read first as far as their keys, so that what they need
 * is brought near for many at a time; and as long as the keys lie in one shard,
 * the requests are run under one hold of its latch.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import {
  type CommandTable,
  KEY_KIND,
} from "../../core/commands/command_table.ts";
import type { LookAhead } from "../../core/keyspace/look_ahead.ts";
import type { ReadyKeys } from "../../core/keyspace/ready_keys.ts";
import { SHARD_FLAGS } from "../../core/keyspace/shard_control.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import type { Serving } from "../blocking/serving.ts";
import type { Latches } from "../latch/shard_latches.ts";
import type { CommandRunner } from "./command_runner.ts";
import type { ExecutorPorts } from "./executor_ports.ts";
import type { WorkerGate } from "./gate.ts";
import { DONE } from "./outcome.ts";
import type { RequestKeys } from "./request_keys.ts";
import type { Session } from "./session.ts";
import type { Tellings } from "./tellings.ts";

/** Most requests that are run under one hold of a latch. */
const TOGETHER_MAX = 16;
/** Arguments of them after which no more are, and bytes of their replies. */
const TOGETHER_ARGUMENTS_MAX = 64;
const TOGETHER_BYTES_MAX = 16 * 1024;

/** The executor's parts that are needed here. */
export interface PipelineParts<C extends Call> {
  readonly table: CommandTable<C>;
  readonly call: C;
  /** The executor. */
  readonly gate: WorkerGate;
  readonly latches: Latches;
  readonly keys: RequestKeys<C>;
  readonly lookAhead: LookAhead;
  readonly runner: CommandRunner<C>;
  readonly serving: Serving<C>;
  readonly ports: Pick<ExecutorPorts<C>, "makeRoom" | "ready" | "tellings">;
}

/** One per worker. */
export class PipelineRunner<C extends Call> {
  /** Outcome of the last request that was run together with others. */
  outcome: number = DONE;
  readonly #table: CommandTable<C>;
  readonly #call: C;
  readonly #gate: WorkerGate;
  readonly #latches: Latches;
  readonly #keys: RequestKeys<C>;
  readonly #lookAhead: LookAhead;
  readonly #runner: CommandRunner<C>;
  readonly #serving: Serving<C>;
  readonly #ready: ReadyKeys;
  readonly #tellings: Tellings;
  readonly #ports: PipelineParts<C>["ports"];

  constructor(parts: PipelineParts<C>) {
    this.#table = parts.table;
    this.#call = parts.call;
    this.#gate = parts.gate;
    this.#latches = parts.latches;
    this.#keys = parts.keys;
    this.#lookAhead = parts.lookAhead;
    this.#runner = parts.runner;
    this.#serving = parts.serving;
    this.#ports = parts.ports;
    this.#ready = parts.ports.ready;
    this.#tellings = parts.ports.tellings;
  }

  /**
   * Reads the first `count` of `requests` as far as their keys, and brings near
   * what they will need. A hint; nothing is decided here.
   */
  lookAhead(
    session: Session,
    requests: readonly Arguments[],
    count: number,
  ): void {
    const { keyspaces } = this.#call;
    const ahead = this.#lookAhead;
    const { db } = session;
    for (let i = 0; i < count; i++) {
      const args = requests[i]!;
      this.#prepare(args);
      if (args.command < 0) continue;
      ahead.add(keyspaces[args.shard]!, db, args.hash);
    }
    ahead.run();
  }

  /** Looks up a request with one key, and hashes the key. */
  #prepare(args: Arguments): void {
    const command = this.#table.lookup(
      args.source(0),
      args.off[0]!,
      args.length[0]!,
    );
    if (
      command === undefined || command.keyKind !== KEY_KIND.SINGLE ||
      command.subcommands.length !== 0 || !command.allowsCount(args.count)
    ) return;
    this.#keys.hashKey(command, args);
  }

  /**
   * Runs requests that {@linkcode lookAhead} has read, from `from` on, as long as
   * their keys lie in one shard, under one hold of its latch: so a key that all
   * workers want changes hands once for several requests. Returns how many were
   * run, of which the last had {@linkcode outcome}; 0 if the first is nothing for
   * this, and is to be run by itself. None follows one that may take longer.
   */
  runTogether(
    session: Session,
    requests: readonly Arguments[],
    from: number,
    count: number,
  ): number {
    const first = requests[from]!;
    const { shard } = first;
    if (
      first.command < 0 || from + 1 >= count ||
      !isReadFor(requests[from + 1]!, shard) ||
      (session.gate | this.#gate.gate) !== 0 || !this.#ports.makeRoom()
    ) return 0;
    const call = this.#call;
    const { reply } = call;
    call.session = session;
    this.#latches.acquire(shard);
    let done = 0;
    const most = Math.min(count - from, TOGETHER_MAX);
    const endBytes = reply.pendingBytes + TOGETHER_BYTES_MAX;
    let argumentsLeft = TOGETHER_ARGUMENTS_MAX;
    const { control } = call.keyspaces[shard]!;
    // What the last one has changed may be waited for, or watched.
    while (
      done < most && control[SHARD_FLAGS] === 0 &&
      this.#ready.count === 0 && this.#tellings.count === 0 &&
      argumentsLeft > 0 && reply.pendingBytes < endBytes
    ) {
      const args = requests[from + done]!;
      if (!isReadFor(args, shard)) break;
      call.args = args;
      const command = this.#table.all[args.command]!;
      session.command = command;
      this.#keys.takeHashed(args, shard, args.hash);
      done++;
      this.outcome = this.#runner.run(command);
      if (this.outcome !== DONE || !command.isBrief) break;
      argumentsLeft -= args.count;
    }
    this.#latches.release(shard);
    if (this.#ready.count !== 0) this.#serving.serve();
    if (this.#tellings.count !== 0) this.#tellings.publish();
    return done;
  }
}

/** Whether a request was read ahead, and its key lies in a shard. */
function isReadFor(args: Arguments, shard: number): boolean {
  return args.command >= 0 && args.shard === shard && !args.hasBig;
}
