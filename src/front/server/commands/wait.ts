/**
 * WAIT: how many replicas have a connection's changes.
 *
 * There are no replicas: none has acknowledged anything, and who waits for some
 * waits until the time is over.
 *
 * @module
 */

import { readInteger } from "../../../core/commands/arg_reader.ts";
import type {
  CommandSpec,
  LateReply,
} from "../../../core/commands/command_spec.ts";
import type { ServerCall } from "../server_call.ts";
import { readTimeoutMs } from "./_wait_timeout.ts";

/** `WAIT numreplicas timeout` */
export function waitCommand(call: ServerCall): void | Promise<LateReply> {
  const numreplicas = readInteger(call, 1);
  if (Number.isNaN(numreplicas)) return;
  const timeoutMs = readTimeoutMs(call, 2);
  if (Number.isNaN(timeoutMs)) return;
  if (numreplicas <= 0 || !call.canWait) return call.reply.integer(0);
  const { worker, session } = call;
  return worker.acknowledgements
    .begin(session.id, timeoutMs, (writer) => writer.integer(0)).promise;
}

/** The commands of this file. */
export const WAIT_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "wait",
    group: "generic",
    since: "3.0.0",
    summary: "Waits until replicas have the connection's changes.",
    complexity: "O(1)",
    arity: 3,
    flags: ["blocking"],
    categories: ["slow", "blocking", "connection"],
    tips: ["request_policy:all_shards", "response_policy:agg_min"],
    syntax: "numreplicas:integer timeout:integer",
    replies: ["integer"],
    run: waitCommand,
  },
];
