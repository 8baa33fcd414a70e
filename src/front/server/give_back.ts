/**
 * Runs the command that puts back what was taken for a client that is gone.
 *
 * @module
 */

import type { WaitUndo } from "../../core/commands/call.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import { argumentsOf } from "../../core/resp/arguments.ts";
import { ReplyWriter } from "../../core/resp/reply_writer.ts";
import { dropSpan } from "../../core/resp/reply_source.ts";
import { giveBackArguments } from "../../engine/blocking/giving_back.ts";
import { guestSession } from "../../engine/executor/session.ts";
import type { WorkerContext } from "./worker_context.ts";

/** `late` writes the reply that nobody will read. */
export function giveBackLate(
  worker: WorkerContext,
  undo: WaitUndo,
  db: number,
  late: LateReply,
): void {
  const reply = new ReplyWriter();
  late(reply);
  for (const span of reply.spans ?? []) dropSpan(span, worker.externals);
  giveBack(worker, undo, db, reply.buf.subarray(0, reply.at));
}

/** `reply` was not read. No command may be running. */
export function giveBack(
  worker: WorkerContext,
  undo: WaitUndo,
  db: number,
  reply: Uint8Array,
): void {
  const argv = giveBackArguments(undo, reply);
  if (argv === null) return;
  const session = guestSession(0);
  session.db = db;
  const { executor } = worker;
  const args = argumentsOf(argv);
  const run = () => {
    executor.ignoresLimit = executor.mayPark = true;
    executor.runForwarded(session, args, new ReplyWriter(), worker.nowMs());
    executor.ignoresLimit = executor.mayPark = false;
    worker.planLook();
  };
  // Where the key is locked, it is tried again.
  session.onLockWake = run;
  run();
}
