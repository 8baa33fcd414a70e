/**
 * DEBUG: tools for those who test servers and clients.
 *
 * @module
 */

import { InvariantError } from "../../../core/base/assert.ts";
import { globMatch } from "../../../core/base/glob.ts";
import { readInteger } from "../../../core/commands/arg_reader.ts";
import type {
  CommandSpec,
  LateReply,
} from "../../../core/commands/command_spec.ts";
import { LATCH_HOLD_MAX } from "../../../core/keyspace/counters.ts";
import {
  expiresAt,
  keysAt,
  SHARD_FLAGS,
} from "../../../core/keyspace/shard_control.ts";
import {
  DICT_BUCKETS,
  DICT_COUNT,
  DICT_OVERFLOW,
} from "../../../core/memory/dict.ts";
import {
  DATABASE_OUT_OF_RANGE,
  DEBUG_NOT_ALLOWED,
  LOAD_LOG_FAILED,
  NO_LOG_TO_LOAD,
  RELOAD_FAILED,
  RELOAD_OPTION,
  SAVE_FAILED,
  SAVE_IN_PROGRESS,
  subcommandSyntax,
  SYNTAX_ERROR,
} from "../../../core/resp/error_reply.ts";
import {
  SLOW_STEPS_MICROSECONDS_MAX,
  SLOW_STEPS_PARTS,
  slowStepsWord,
} from "../../../engine/latch/slow_steps.ts";
import {
  PROCESS_COMPUTE_FAILURES,
  PROCESS_SLOW_STEPS,
} from "../../../engine/messages/shared_state.ts";
import { ROUTE_TO_OWNER } from "../../../engine/latch/shard_flags.ts";
import { PERMISSION } from "../../../core/settings/settings_table.ts";
import { isSaving } from "../append_only.ts";
import type { ServerCall } from "../server_call.ts";
import { ASK_ACTIVE_EXPIRE } from "../server_questions.ts";
import { ASK_RELOAD, saveData } from "../snapshot_requests.ts";
import { isLocal, textAt, textsFrom } from "./_arguments.ts";
import { debugKeylock } from "./debug_locks.ts";
import { describeObject, digest, digestValue } from "./debug_values.ts";
import { type HelpLines, writeHelp } from "./_help.ts";

interface Tool {
  /** Arguments, DEBUG and the tool's name included. */
  readonly argc: number;
  /** Whether there may be more. */
  readonly isOpen?: true;
  readonly run: (call: ServerCall) => void | Promise<LateReply>;
}

const HELP: HelpLines = [
  ["COMPUTE-FAILURES <count>", "How many commands in the background fail."],
  ["DIGEST", "A signature of all data."],
  ["DIGEST-VALUE <key> [<key> ...]", "A signature of each key's value."],
  ["HTSTATS <dbid>", "How the dictionaries of a database are filled."],
  ["KEYLOCK <subcommand> ...", "Takes key locks as code in the server does."],
  [
    "LATCHES",
    "Microseconds of the longest hold of latches since this was asked.",
  ],
  ["LOADAOF", "Empties all databases and loads the append-only log."],
  ["OBJECT <key>", "Where a value lies and how it is encoded."],
  ["PANIC", "Fails as if an invariant did not hold."],
  [
    "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
    "Takes a snapshot, empties all databases and loads it.",
  ],
  ["ROUTE <OWNER|IN-PLACE>", "Whether the owners of shards run all commands."],
  ["SET-ACTIVE-EXPIRE <0|1>", "Whether expired keys go before they are met."],
  ["SLEEP <seconds>", "Stops the worker of this connection for so long."],
  ["SLOW-STEPS <parts> <us>", "How often of 1000 times steps take up to <us>."],
  ["STRINGMATCH-LEN <pattern> <string>", "Whether a glob pattern matches."],
  ["WAITERS", "How many keys commands wait for, in all shards."],
  ["WORKER", "The number of this connection's worker."],
];

const TOOLS: ReadonlyMap<string, Tool> = new Map<string, Tool>([
  ["compute-failures", { argc: 3, run: setComputeFailures }],
  ["digest", { argc: 2, run: digest }],
  ["digest-value", { argc: 2, isOpen: true, run: digestValue }],
  ["help", { argc: 2, run: (call) => writeHelp(call, "DEBUG", HELP) }],
  ["htstats", { argc: 3, run: hashTableStatistics }],
  ["keylock", { argc: 3, isOpen: true, run: debugKeylock }],
  ["latches", { argc: 2, run: longestHold }],
  ["loadaof", { argc: 2, run: loadLog }],
  ["object", { argc: 3, run: describeObject }],
  ["panic", { argc: 2, run: panic }],
  ["reload", { argc: 2, isOpen: true, run: reload }],
  ["route", { argc: 3, run: route }],
  ["set-active-expire", { argc: 3, run: setActiveExpire }],
  ["sleep", { argc: 3, run: sleep }],
  ["slow-steps", { argc: 4, run: setSlowSteps }],
  ["stringmatch-len", { argc: 4, run: matchString }],
  ["waiters", { argc: 2, run: countWaiters }],
  ["worker", {
    argc: 2,
    run: ({ reply, worker }) => reply.integer(worker.peers.self),
  }],
]);

/** `DEBUG subcommand [argument ...]` */
export function debugCommand(call: ServerCall): void | Promise<LateReply> {
  const permission = call.settings.enableDebugCommand;
  if (
    permission === PERMISSION.NO ||
    permission === PERMISSION.LOCAL && !isLocal(call.session)
  ) return call.reply.error(DEBUG_NOT_ALLOWED);
  const tool = TOOLS.get(textAt(call, 1).toLowerCase());
  if (
    tool === undefined || call.argc < tool.argc ||
    call.argc > tool.argc && tool.isOpen === undefined
  ) return call.reply.error(subcommandSyntax("DEBUG", call.args.copy(1)));
  return tool.run(call);
}

/** `DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]` */
function reload(call: ServerCall): void | Promise<LateReply> {
  const { worker, reply } = call;
  const words = textsFrom(call, 2).map((word) => word.toLowerCase());
  if (!words.every((word) => ["merge", "noflush", "nosave"].includes(word))) {
    return reply.error(RELOAD_OPTION);
  }
  const save = saveData(worker, true);
  const data = {
    save: words.includes("nosave") ? null : save,
    flush: !words.includes("noflush"),
    rewrite: save,
    file: {
      folder: save.folder,
      name: save.name,
      replaces: words.includes("merge"),
    },
  };
  return worker.main.ask(ASK_RELOAD, data).then((answer) => (reply) => {
    switch (answer) {
      case "ok":
        return reply.ok();
      case "busy":
        return reply.error(SAVE_IN_PROGRESS);
      case "not saved":
        return reply.error(SAVE_FAILED);
    }
    reply.error(RELOAD_FAILED);
  });
}

/** `DEBUG LOADAOF` */
function loadLog({ worker, reply }: ServerCall): void | Promise<LateReply> {
  if (worker.logLink === null || !worker.durability.isKept) {
    return reply.error(NO_LOG_TO_LOAD);
  }
  // The data that a snapshot is taken of must not go away under it.
  if (isSaving(worker)) return reply.error(SAVE_IN_PROGRESS);
  return worker.logLink.reload().then((error) => (reply) => {
    if (error === null) return reply.ok();
    reply.error(LOAD_LOG_FAILED);
  });
}

/** `DEBUG SLEEP seconds` */
function sleep(call: ServerCall): void {
  const seconds = parseFloat(textAt(call, 2));
  if (seconds > 0) {
    const word = new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(word, 0, 0, seconds * 1000);
  }
  call.reply.ok();
}

/** `DEBUG COMPUTE-FAILURES count` */
function setComputeFailures(call: ServerCall): void {
  const count = Number(textAt(call, 2));
  if (!(count >= 0)) return call.reply.error(SYNTAX_ERROR);
  call.worker.process[PROCESS_COMPUTE_FAILURES] = count;
  call.reply.ok();
}

/** `DEBUG SLOW-STEPS parts microseconds` */
function setSlowSteps(call: ServerCall): void {
  const parts = Number(textAt(call, 2));
  const microseconds = Number(textAt(call, 3));
  if (
    !(parts >= 0 && parts <= SLOW_STEPS_PARTS) ||
    !(microseconds >= 0 && microseconds <= SLOW_STEPS_MICROSECONDS_MAX)
  ) return call.reply.error(SYNTAX_ERROR);
  call.worker.process[PROCESS_SLOW_STEPS] = slowStepsWord(parts, microseconds);
  call.reply.ok();
}

/** `DEBUG WAITERS` */
function countWaiters(call: ServerCall): void {
  let count = 0;
  call.latches.acquireAll();
  for (const space of call.keyspaces) count += space.hooks.waiters.count;
  call.latches.releaseAll();
  call.reply.integer(count);
}

/**
 * `DEBUG LATCHES`
 *
 * The longest processor time (by the clock, where threads have none of their own)
 * for which a worker has held latches since this was called last; 0 with one worker, which takes none; null unless the server checks its
 * rules, as it does with SHERD_CHECKS=1.
 */
function longestHold(call: ServerCall): void {
  if (!call.worker.checks) return call.reply.nullBulk();
  let microseconds = 0;
  for (const buffer of call.worker.shared.counters) {
    const counters = new Float64Array(buffer);
    microseconds = Math.max(microseconds, counters[LATCH_HOLD_MAX]!);
    counters[LATCH_HOLD_MAX] = 0;
  }
  call.reply.integer(Math.ceil(microseconds));
}

/** `DEBUG PANIC` */
function panic(): never {
  throw new InvariantError("DEBUG PANIC was called");
}

/**
 * `DEBUG ROUTE OWNER|IN-PLACE`
 *
 * With OWNER every command with keys takes the way of those that must wait: it
 * travels to the owner of its shard, and its reply back.
 */
function route(call: ServerCall): void {
  const where = textAt(call, 2).toLowerCase();
  if (where !== "owner" && where !== "in-place") {
    return call.reply.error(SYNTAX_ERROR);
  }
  call.latches.acquireAll();
  for (const { control } of call.keyspaces) {
    if (where === "owner") control[SHARD_FLAGS]! |= ROUTE_TO_OWNER;
    else control[SHARD_FLAGS]! &= ~ROUTE_TO_OWNER;
  }
  call.latches.releaseAll();
  call.reply.ok();
}

/** `DEBUG SET-ACTIVE-EXPIRE 0|1` */
function setActiveExpire(call: ServerCall): Promise<LateReply> {
  const isActive = (parseInt(textAt(call, 2)) || 0) !== 0;
  return call.worker.peers.ask(ASK_ACTIVE_EXPIRE, isActive)
    .then(() => (reply) => reply.ok());
}

/** `DEBUG STRINGMATCH-LEN pattern string` */
function matchString(call: ServerCall): void {
  const { args } = call;
  const matches = globMatch(
    args.source(2),
    args.off[2]!,
    args.length[2]!,
    args.source(3),
    args.off[3]!,
    args.length[3]!,
    false,
  );
  call.reply.integer(matches ? 1 : 0);
}

/** `DEBUG HTSTATS dbid` */
function hashTableStatistics(call: ServerCall): void {
  const db = readInteger(call, 2);
  if (Number.isNaN(db)) return;
  if (db < 0 || db >= call.worker.shared.databases) {
    return call.reply.error(DATABASE_OUT_OF_RANGE);
  }
  const describe = (header: number) => {
    let [elements, buckets, overflow] = [0, 0, 0];
    for (const space of call.keyspaces) {
      elements += space.control[header + DICT_COUNT]!;
      buckets += space.control[header + DICT_BUCKETS]!;
      overflow += space.control[header + DICT_OVERFLOW]!;
    }
    if (elements === 0) return "No stats available for empty dictionaries\n";
    return "Hash table 0 stats (main hash table):\n" +
      ` table size: ${buckets}\n number of elements: ${elements}\n` +
      ` overflow buckets: ${overflow}\n` +
      ` elements per bucket: ${(elements / buckets).toFixed(2)}\n`;
  };
  call.reply.verbatim(
    "txt",
    `[Dictionary HT]\n${describe(keysAt(db))}` +
      `[Expires HT]\n${describe(expiresAt(db))}`,
  );
}

/** The commands of this file. */
export const DEBUG_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "debug",
    group: "server",
    since: "1.0.0",
    summary: "Tools for those who test the server.",
    arity: -2,
    flags: ["admin", "noscript", "loading", "stale", "protected"],
    docFlags: ["syscmd"],
    replies: ["any"],
    run: debugCommand,
  },
];
