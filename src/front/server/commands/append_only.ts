/**
 * The append-only log: BGREWRITEAOF and WAITAOF.
 *
 * @module
 */

import { readInteger } from "../../../core/commands/arg_reader.ts";
import type {
  CommandSpec,
  LateReply,
} from "../../../core/commands/command_spec.ts";
import {
  NO_LOG_TO_REWRITE,
  REWRITE_IN_PROGRESS,
  VALUE_NOT_POSITIVE,
  valueNotBetween,
  WAITAOF_WITHOUT_LOG,
} from "../../../core/resp/error_reply.ts";
import type { AcknowledgementWait } from "../../../engine/blocking/acknowledgement_waits.ts";
import type { WorkerLog } from "../../../engine/persistence/worker_log.ts";
import { askRewrite } from "../append_only.ts";
import type { ServerCall } from "../server_call.ts";
import { integerAt } from "./_arguments.ts";
import { readTimeoutMs } from "./_wait_timeout.ts";

const NOT_NONE_OR_ONE = valueNotBetween(0, 1);

/** `BGREWRITEAOF` */
export function bgrewriteaofCommand(
  { worker }: ServerCall,
): Promise<LateReply> {
  return askRewrite(worker).then((answer) => (reply) => {
    switch (answer) {
      case "busy":
        return reply.error(REWRITE_IN_PROGRESS);
      case "off":
        return reply.error(NO_LOG_TO_REWRITE);
    }
    reply.simple(`Background append only file rewriting ${answer}`);
  });
}

/**
 * `WAITAOF numlocal numreplicas timeout`
 *
 * There are no replicas: who waits for some waits until the time is over.
 */
export function waitaofCommand(call: ServerCall): void | Promise<LateReply> {
  const { reply, worker } = call;
  const numlocal = readInteger(call, 1);
  if (Number.isNaN(numlocal)) return;
  if (numlocal < 0 || numlocal > 1) return reply.error(NOT_NONE_OR_ONE);
  const numreplicas = integerAt(call, 2);
  if (Number.isNaN(numreplicas) || numreplicas < 0) {
    return reply.error(VALUE_NOT_POSITIVE);
  }
  const timeoutMs = readTimeoutMs(call, 3);
  if (Number.isNaN(timeoutMs)) return;
  const { durability } = worker;
  if (numlocal > 0 && !durability.isKept) {
    return reply.error(WAITAOF_WITHOUT_LOG);
  }
  const ticket = call.connection.lastTicket;
  const isSynced = () =>
    durability.isKept && (ticket < 0 || durability.isDurable(ticket + 1));
  const answer: LateReply = (writer) => {
    writer.array(2);
    writer.integer(isSynced() ? 1 : 0);
    writer.integer(0);
  };
  if (numreplicas === 0 && (numlocal === 0 || isSynced()) || !call.canWait) {
    return answer(reply);
  }
  const { acknowledgements } = worker;
  const wait = acknowledgements.begin(call.session.id, timeoutMs, answer);
  endWhen(wait, durability, () => numreplicas === 0 && isSynced());
  return wait.promise;
}

/** Ends a wait when what more synced changes may bring about holds. */
function endWhen(
  wait: AcknowledgementWait,
  durability: WorkerLog,
  holds: () => boolean,
): void {
  const look = () => {
    if (wait.isOver) return;
    if (holds()) return wait.end();
    durability.whenDurable(look);
    // It may have come before the log writer was asked to tell.
    if (holds()) wait.end();
  };
  look();
  if (!wait.isOver) durability.syncSoon();
}

/** The commands of this file. */
export const APPEND_ONLY_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "bgrewriteaof",
    group: "server",
    since: "1.0.0",
    summary: "Begins the log of changes anew, with a snapshot.",
    complexity: "O(1)",
    arity: 1,
    flags: ["admin", "noscript", "no_async_loading"],
    replies: ["status"],
    run: bgrewriteaofCommand,
  },
  {
    name: "waitaof",
    group: "generic",
    since: "7.2.0",
    summary: "Waits until the connection's changes are on the disk.",
    complexity: "O(1)",
    arity: 4,
    flags: ["blocking"],
    categories: ["slow", "blocking", "connection"],
    tips: ["request_policy:all_shards", "response_policy:agg_min"],
    syntax: "numlocal:integer numreplicas:integer timeout:integer",
    replies: ["array"],
    run: waitaofCommand,
  },
];
