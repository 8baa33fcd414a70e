/**
 * Commands of which others are to be told when they have run: those of clients
 * that keep what they have read (CLIENT TRACKING), and all commands while
 * somebody sees them (MONITOR).
 *
 * Such a command is run by a handler around its own, so that all others pay
 * nothing.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import {
  FLAG,
  type Handler,
  type LateReply,
} from "../../core/commands/command_spec.ts";
import type { Command } from "../../core/commands/command_table.ts";
import type { CommandLocks } from "../locks/command_locks.ts";
import type { ExecutorPorts } from "./executor_ports.ts";
import { GATE_MONITORED, type WorkerGate } from "./gate.ts";
import { GATE_MULTI, GATE_TRACKING, type Session } from "./session.ts";

/** Commands that MONITOR does not show. */
const HIDDEN_COMMANDS = FLAG.SKIP_MONITOR | FLAG.ADMIN;

/** One per worker. */
export class ToldCommands<C extends Call> {
  readonly #gate: WorkerGate;
  readonly #ports: Pick<ExecutorPorts<C>, "remember" | "show">;
  readonly #locks: CommandLocks;
  /** The command of {@linkcode #toldRun}. */
  #command: Command<C> | null = null;
  /** The reply to come of that command, if it is run in the background. */
  #late: Promise<LateReply> | null = null;

  /** `gate` is the executor. */
  constructor(
    gate: WorkerGate,
    locks: CommandLocks,
    ports: Pick<ExecutorPorts<C>, "remember" | "show">,
  ) {
    this.#gate = gate;
    this.#locks = locks;
    this.#ports = ports;
  }

  /** The handler of a command, also one of which others are to be told. */
  handlerOf(session: Session, command: Command<C>): Handler<C> {
    const isTold = (session.gate & GATE_TRACKING) !== 0 ||
      (this.#gate.gate & GATE_MONITORED) !== 0;
    if (!isTold) return command.run;
    this.#command = command;
    return this.#toldRun;
  }

  /**
   * Tells of a command, by its handler, that has begun in the background and will
   * have this reply.
   */
  tellBegun(
    call: C,
    command: Command<C>,
    handler: Handler<C>,
    late: Promise<LateReply>,
  ): void {
    if (handler === command.run) return;
    this.#late = late;
    handler(call);
  }

  /** Whether somebody is to see the command. */
  isShown(command: Command<C>): boolean {
    return (this.#gate.gate & GATE_MONITORED) !== 0 &&
      (command.flags & HIDDEN_COMMANDS) === 0;
  }

  /** Shows the command at hand to those who see all commands. */
  show(call: C, command: Command<C>): void {
    if (this.isShown(command)) this.#ports.show(call, command);
  }

  readonly #toldRun: Handler<C> = (call) => {
    const command = this.#command!;
    const late = this.#late ?? command.run(call);
    this.#late = null;
    const session = call.session as Session;
    if (
      (session.gate & GATE_TRACKING) !== 0 &&
      (command.flags & FLAG.READONLY) !== 0 && session.tracking!.remembers
    ) this.#ports.remember(call, session.id, session.tracking!.worker);
    if (!this.#gate.ignoresFlags && !this.#locks.hasParked) {
      this.show(call, command);
    }
    return late;
  };
}

/** CLIENT CACHING is for one command, or transaction, that is none of CLIENT. */
export function endCaching(
  session: Session,
  command: Command<never> | null,
): void {
  if ((session.gate & GATE_MULTI) !== 0) return;
  if (command?.fullName.startsWith("client|") === true) return;
  session.tracking!.isCachingGiven = false;
}
