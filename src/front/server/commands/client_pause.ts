/**
 * CLIENT PAUSE: holds the commands of all clients back for a while, on all
 * workers.
 *
 * A pause is a state of each worker's executor: commands that meet it are kept
 * by their connections, unread ones behind them, and run when it ends. A second
 * pause never shortens the first, nor lets through what the first holds back.
 *
 * @module
 */

import type { LateReply } from "../../../core/commands/command_spec.ts";
import { RequestView } from "../../../core/commands/command_keys.ts";
import {
  CLIENT_PAUSE_MODE,
  subcommandSyntax,
  TIMEOUT_NEGATIVE,
  TIMEOUT_NOT_AN_INTEGER,
  TIMEOUT_OUT_OF_RANGE,
} from "../../../core/resp/error_reply.ts";
import { GATE_PAUSE } from "../../../engine/executor/gate.ts";
import type { ServerCall } from "../server_call.ts";
import type { WorkerContext } from "../worker_context.ts";
import { integerAt } from "./_arguments.ts";

/** Hold commands back; the question is a {@linkcode Pause}. */
const ASK_PAUSE = "clients.pause";
/** Hold nothing back any more. */
const ASK_UNPAUSE = "clients.unpause";

/** Longest delay that a timer takes. */
const TIMER_MS_MAX = 2 ** 31 - 1;
/** Largest time that Redis can count to, rounded. */
const TIME_MS_MAX = 2 ** 63;

type Pause = { untilMs: number; writesOnly: boolean };

/** Registers the answers. */
export function answerClientPause(worker: WorkerContext): void {
  const { peers, executor, loop } = worker;
  let untilMs = 0;
  let stopTimer = () => {};

  function end(): void {
    stopTimer();
    untilMs = 0;
    executor.gate &= ~GATE_PAUSE;
    executor.gateWritesOnly = false;
    // Not right away: the connection whose command this is, is at work.
    queueMicrotask(() => worker.releaseHeld());
  }

  function wait(): void {
    const leftMs = untilMs - worker.nowMs();
    if (leftMs <= 0) return end();
    stopTimer = loop.startTimer(wait, Math.min(leftMs, TIMER_MS_MAX));
  }

  peers.answer(ASK_PAUSE, (question) => {
    const pause = question as Pause;
    if (pause.untilMs <= worker.nowMs()) return null;
    const isPaused = (executor.gate & GATE_PAUSE) !== 0;
    executor.gateWritesOnly = pause.writesOnly &&
      (!isPaused || executor.gateWritesOnly);
    executor.gate |= GATE_PAUSE;
    untilMs = Math.max(untilMs, pause.untilMs);
    stopTimer();
    wait();
    return null;
  });
  peers.answer(ASK_UNPAUSE, () => {
    end();
    return null;
  });
}

/** `CLIENT PAUSE timeout [WRITE | ALL]` */
export function clientPauseCommand(
  call: ServerCall,
): void | Promise<LateReply> {
  const { args, argc, reply } = call;
  if (argc > 4) return reply.error(subcommandSyntax("CLIENT", args.copy(1)));
  const view = new RequestView(args);
  const writesOnly = argc === 4 && view.equalsIgnoreCase(3, "WRITE");
  if (argc === 4 && !writesOnly && !view.equalsIgnoreCase(3, "ALL")) {
    return reply.error(CLIENT_PAUSE_MODE);
  }
  const timeoutMs = integerAt(call, 2);
  if (Number.isNaN(timeoutMs)) return reply.error(TIMEOUT_NOT_AN_INTEGER);
  if (timeoutMs < 0) return reply.error(TIMEOUT_NEGATIVE);
  const untilMs = call.nowMs + timeoutMs;
  if (untilMs >= TIME_MS_MAX) return reply.error(TIMEOUT_OUT_OF_RANGE);
  const pause: Pause = { untilMs, writesOnly };
  return call.worker.peers.ask(ASK_PAUSE, pause).then(() => writeOk);
}

/** `CLIENT UNPAUSE` */
export function clientUnpauseCommand(call: ServerCall): Promise<LateReply> {
  return call.worker.peers.ask(ASK_UNPAUSE, null).then(() => writeOk);
}

const writeOk: LateReply = (reply) => reply.ok();
