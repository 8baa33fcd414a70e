/**
 * The server itself: its clock, its role, its end, and a picture.
 *
 * @module
 */

import { bytesOf, equalsIgnoreCase } from "../../../core/base/bytes.ts";
import { parseSafeInteger } from "../../../core/base/integer.ts";
import type { Prng } from "../../../core/base/prng.ts";
import type {
  CommandSpec,
  LateReply,
} from "../../../core/commands/command_spec.ts";
import {
  NO_SHUTDOWN_IN_PROGRESS,
  NOT_AN_INTEGER,
  SHUTDOWN_FAILED,
  SYNTAX_ERROR,
} from "../../../core/resp/error_reply.ts";
import { ASK_SHUTDOWN, saveData } from "../snapshot_requests.ts";
import type { ServerCall } from "../server_call.ts";
import { REDIS_VERSION, SHERD_VERSION } from "../version.ts";
import { wallMicroseconds } from "../wall_clock.ts";
import { textsFrom } from "./_arguments.ts";

const VERSION = bytesOf("version");
const MICROSECONDS = 1_000_000;

/** `TIME` */
export function timeCommand(call: ServerCall): void {
  const now = wallMicroseconds();
  call.reply.array(2);
  call.reply.bulkInteger(Math.floor(now / MICROSECONDS));
  call.reply.bulkInteger(now % MICROSECONDS);
}

/** `ROLE` */
export function roleCommand({ reply }: ServerCall): void {
  reply.array(3);
  reply.bulkText("master");
  reply.integer(0);
  reply.array(0);
}

/**
 * `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`
 *
 * Without NOSAVE or SAVE a snapshot is taken if there are save points. While it
 * is taken all commands wait; they are run if it fails, unless that is forced.
 * Once the end has begun there is no reply: the client sees its connection close.
 */
export function shutdownCommand(call: ServerCall): void | Promise<LateReply> {
  const { reply, worker } = call;
  const words = textsFrom(call, 1).map((word) => word.toLowerCase());
  const has = (word: string) => words.includes(word);
  const isKnown = (word: string) =>
    ["nosave", "save", "now", "force", "abort"].includes(word);
  const others = words.some((word) => word !== "abort");
  if (
    !words.every(isKnown) || has("nosave") && has("save") ||
    has("abort") && others
  ) return reply.error(SYNTAX_ERROR);
  if (has("abort")) return reply.error(NO_SHUTDOWN_IN_PROGRESS);
  worker.log("User requested shutdown...", "warning");
  const saves = has("save") || worker.settings.save !== "" && !has("nosave");
  if (!saves) {
    worker.shutdown();
    return new Promise(() => {});
  }
  const data = { save: saveData(worker, true), force: has("force") };
  return worker.main.ask(ASK_SHUTDOWN, data).then((answer) =>
    answer === "ok"
      ? new Promise<LateReply>(() => {})
      : (reply) => reply.error(SHUTDOWN_FAILED)
  );
}

/**
 * `LOLWUT [VERSION version] [argument ...]`
 *
 * A sherd, different every time.
 */
export function lolwutCommand(call: ServerCall): void {
  const { args, reply } = call;
  if (
    call.argc > 2 &&
    equalsIgnoreCase(args.source(1), args.off[1]!, args.length[1]!, VERSION) &&
    Number.isNaN(
      parseSafeInteger(args.source(2), args.off[2]!, args.length[2]!),
    )
  ) return reply.error(NOT_AN_INTEGER);
  reply.verbatim(
    "txt",
    `${drawSherd(call.random)}\n` +
      `sherd ver. ${SHERD_VERSION}, Redis ver. ${REDIS_VERSION}\n`,
  );
}

const SHERD_COLUMNS = 44;
/** Bands of ornament as potters scratch them, repeated along the rim. */
const BANDS: readonly (readonly string[])[] = [
  ["/\\", "\\/"],
  ["<>"],
  ["~-"],
  ["|  |", "|__|"],
  ["o "],
  ["/ /"],
  ["=="],
  [".:"],
];

/** A piece of a pot: bands of ornament between two broken edges. */
export function drawSherd(random: Prng): string {
  const lines: string[] = [];
  let left = 2 + random.below(6);
  let right = SHERD_COLUMNS - random.below(6);
  for (let band = 0; band < 4; band++) {
    for (const motif of BANDS[random.below(BANDS.length)]!) {
      const whole = motif.repeat(SHERD_COLUMNS).slice(0, SHERD_COLUMNS);
      lines.push(" ".repeat(left) + whole.slice(left, right));
      left = Math.max(0, Math.min(18, left + random.below(5) - 1));
      right = Math.max(
        24,
        Math.min(SHERD_COLUMNS, right - random.below(4) + 1),
      );
    }
  }
  return lines.map((line) => line.trimEnd()).join("\n");
}

/** The commands of this file. */
export const SERVER_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "lolwut",
    group: "server",
    since: "5.0.0",
    summary: "Draws a picture and tells the server's version.",
    arity: -1,
    flags: ["readonly", "fast"],
    syntax: "[VERSION version:integer]",
    replies: ["string"],
    run: lolwutCommand,
  },
  {
    name: "role",
    group: "server",
    since: "2.8.12",
    summary: "Tells the server's part in replication.",
    complexity: "O(1)",
    arity: 1,
    flags: ["noscript", "loading", "stale", "fast"],
    categories: ["admin", "dangerous"],
    replies: ["array"],
    run: roleCommand,
  },
  {
    name: "shutdown",
    group: "server",
    since: "1.0.0",
    summary: "Stops the server, saving first where that is configured.",
    complexity: "O(N)",
    arity: -1,
    flags: ["admin", "noscript", "loading", "stale", "no_multi", "allow_busy"],
    syntax:
      "[abort-selector:(save-selector-block:([save-selector:(NOSAVE|SAVE)] [NOW@7.0.0] [FORCE@7.0.0])|ABORT@7.0.0)]",
    replies: ["status"],
    run: shutdownCommand,
  },
  {
    name: "time",
    group: "server",
    since: "2.6.0",
    summary: "Tells the server's time in seconds and microseconds.",
    complexity: "O(1)",
    arity: 1,
    flags: ["loading", "stale", "fast"],
    tips: ["nondeterministic_output"],
    replies: ["array"],
    run: timeCommand,
  },
];
