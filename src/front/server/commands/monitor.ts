/**
 * MONITOR.
 *
 * @module
 */

import type {
  CommandSpec,
  LateReply,
} from "../../../core/commands/command_spec.ts";
import { MONITOR_DENIED } from "../../../core/resp/error_reply.ts";
import { GATE_MONITOR } from "../../../engine/executor/session.ts";
import type { ServerCall } from "../server_call.ts";

/** `MONITOR`: who is one already gets no answer, as in Redis. */
function monitorCommand(call: ServerCall): void | Promise<LateReply> {
  const { reply, session, connection, worker } = call;
  if (!call.canWait) return reply.error(MONITOR_DENIED);
  if ((session.gate & GATE_MONITOR) !== 0) return;
  return worker.monitors.begin(connection).then(() => (late) => {
    late.ok();
    worker.monitors.ready(connection);
  });
}

/** The row of MONITOR. */
export const MONITOR_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "monitor",
    group: "server",
    since: "1.0.0",
    summary: "Shows all commands that the server runs, as they come.",
    arity: 1,
    flags: ["admin", "noscript", "loading", "stale"],
    replies: ["status"],
    run: monitorCommand,
  },
];
