/**
 * Snapshots: SAVE, BGSAVE and LASTSAVE.
 *
 * @module
 */

import { bytesOf } from "../../../core/base/bytes.ts";
import { argumentIs } from "../../../core/commands/arg_reader.ts";
import type {
  CommandSpec,
  LateReply,
} from "../../../core/commands/command_spec.ts";
import {
  ANOTHER_CHILD_ACTIVE,
  SAVE_FAILED,
  SAVE_IN_PROGRESS,
  SYNTAX_ERROR,
} from "../../../core/resp/error_reply.ts";
import { LAST_SAVE_S } from "../../../engine/persistence/persistence_facts.ts";
import type { ServerCall } from "../server_call.ts";
import { ASK_BGSAVE, ASK_SAVE, saveData } from "../snapshot_requests.ts";

const SCHEDULE = bytesOf("schedule");

/**
 * `SAVE`
 *
 * Others go on meanwhile, on this worker too; what they change is not in the
 * snapshot.
 */
export function saveCommand({ worker }: ServerCall): Promise<LateReply> {
  return worker.main.ask(ASK_SAVE, saveData(worker, true)).then(
    (answer) => (reply) => {
      if (answer === "ok") return reply.ok();
      reply.error(answer === "busy" ? SAVE_IN_PROGRESS : SAVE_FAILED);
    },
  );
}

/** `BGSAVE [SCHEDULE]` */
export function bgsaveCommand(
  call: ServerCall,
): void | Promise<LateReply> {
  const { reply, worker, argc } = call;
  const schedule = argc === 2 && argumentIs(call, 1, SCHEDULE);
  if (argc > 1 && !schedule) return reply.error(SYNTAX_ERROR);
  const data = { save: saveData(worker, false), schedule };
  return worker.main.ask(ASK_BGSAVE, data).then((answer) => (reply) => {
    switch (answer) {
      case "busy":
        return reply.error(SAVE_IN_PROGRESS);
      case "other":
        return reply.error(ANOTHER_CHILD_ACTIVE);
      case "scheduled":
        return reply.simple("Background saving scheduled");
    }
    reply.simple("Background saving started");
  });
}

/** `LASTSAVE` */
export function lastsaveCommand({ reply, worker }: ServerCall): void {
  reply.integer(worker.facts[LAST_SAVE_S]!);
}

/** The commands of this file. */
export const SNAPSHOT_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "bgsave",
    group: "server",
    since: "1.0.0",
    summary: "Takes a snapshot of all databases while the server goes on.",
    complexity: "O(1)",
    arity: -1,
    flags: ["admin", "noscript", "no_async_loading"],
    syntax: "[SCHEDULE@3.2.2]",
    replies: ["status"],
    run: bgsaveCommand,
  },
  {
    name: "lastsave",
    group: "server",
    since: "1.0.0",
    summary: "Tells when the last snapshot was complete, as a Unix time.",
    complexity: "O(1)",
    arity: 1,
    flags: ["loading", "stale", "fast"],
    categories: ["admin", "dangerous"],
    tips: ["nondeterministic_output"],
    replies: ["integer"],
    run: lastsaveCommand,
  },
  {
    name: "save",
    group: "server",
    since: "1.0.0",
    summary:
      "Takes a snapshot of all databases and waits until it is complete.",
    complexity: "O(N)",
    arity: 1,
    flags: ["admin", "noscript", "no_multi", "no_async_loading"],
    replies: ["status"],
    run: saveCommand,
  },
];
