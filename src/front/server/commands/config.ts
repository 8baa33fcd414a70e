/**
 * CONFIG: the settings of the running server.
 *
 * @module
 */

import { globMatch } from "../../../core/base/glob.ts";
import { latin1BytesOf } from "../../../core/base/bytes.ts";
import type {
  CommandSpec,
  LateReply,
} from "../../../core/commands/command_spec.ts";
import {
  configRewriteFailed,
  configSetFailed,
  NO_CONFIG_FILE,
  SYNTAX_ERROR,
} from "../../../core/resp/error_reply.ts";
import {
  bytesToText,
  textToBytes,
} from "../../../core/settings/config_file.ts";
import { switchLog } from "../append_only.ts";
import { systemReason } from "../host_facts.ts";
import type { ServerCall } from "../server_call.ts";
import { ASK_RESET_STATISTICS, ASK_SETTINGS } from "../server_questions.ts";
import type { WorkerContext } from "../worker_context.ts";
import { bulkByteText, isLocal, textAt, textsFrom } from "./_arguments.ts";
import { type HelpLines, writeHelp } from "./_help.ts";

const HELP: HelpLines = [
  ["GET <pattern> [<pattern> ...]", "Settings whose names match a pattern."],
  ["SET <name> <value> [<name> <value> ...]", "Changes settings, all or none."],
  ["RESETSTAT", "Sets the counters that INFO shows back to zero."],
  ["REWRITE", "Writes the settings into the configuration file."],
];

/** `CONFIG GET parameter [parameter ...]` */
export function configGetCommand(call: ServerCall): void {
  const pairs = call.settings.get(textsFrom(call, 2), matchesName);
  call.reply.map(pairs.length);
  for (const [name, text] of pairs) {
    call.reply.bulkText(name);
    bulkByteText(call.reply, text);
  }
}

/**
 * `CONFIG SET parameter value [parameter value ...]`
 *
 * Answers when every worker has taken the change over.
 */
export function configSetCommand(
  call: ServerCall,
): void | Promise<LateReply> {
  if (call.argc % 2 !== 0) return call.reply.error(SYNTAX_ERROR);
  const pairs: [string, string][] = [];
  for (let i = 2; i < call.argc; i += 2) {
    pairs.push([textAt(call, i), textAt(call, i + 1)]);
  }
  const { peers, settingsExchange } = call.worker;
  const outcome = settingsExchange.set(pairs, isLocal(call.session));
  if ("error" in outcome) return call.reply.error(outcome.error);
  const { change } = outcome;
  const applied = peers.ask(ASK_SETTINGS, change);
  if (change.texts.appendonly === undefined) return applied.then(() => writeOk);
  return applied.then(() => changeLog(call.worker));
}

/** Logs changes or not, as `appendonly` says now; it is taken back otherwise. */
async function changeLog(worker: WorkerContext): Promise<LateReply> {
  if (await switchLog(worker) === "ok") return writeOk;
  const outcome = worker.settingsExchange.set([["appendonly", "no"]], true);
  if ("change" in outcome) {
    await worker.peers.ask(ASK_SETTINGS, outcome.change);
  }
  const reason = "Unable to turn on AOF. Check server logs.";
  return (reply) => reply.error(configSetFailed("appendonly", reason));
}

/** `CONFIG RESETSTAT` */
export function configResetstatCommand(call: ServerCall): Promise<LateReply> {
  return call.worker.peers.ask(ASK_RESET_STATISTICS, null).then(() => writeOk);
}

/** `CONFIG REWRITE` */
export function configRewriteCommand(
  call: ServerCall,
): void | Promise<LateReply> {
  const { worker } = call;
  if (worker.configFile === "") return call.reply.error(NO_CONFIG_FILE);
  return rewriteConfigFile(worker);
}

/** `CONFIG HELP` */
export function configHelpCommand(call: ServerCall): void {
  writeHelp(call, "CONFIG", HELP);
}

/**
 * Writes a new file and puts it in the place of the old one, so that a crash
 * leaves one or the other.
 */
async function rewriteConfigFile(worker: WorkerContext): Promise<LateReply> {
  const path = worker.configFile;
  const next = `${path}.${Deno.pid}.${worker.peers.self}.tmp`;
  try {
    const content = worker.settings.rewrite(await readByteText(path));
    const mode = await modeOf(path);
    await Deno.writeFile(next, textToBytes(content), { mode });
    await Deno.rename(next, path);
  } catch (cause) {
    await Deno.remove(next).catch(() => {});
    const reason = systemReason(cause);
    worker.log(`CONFIG REWRITE failed: ${reason}`, "warning");
    return (reply) => reply.error(configRewriteFailed(reason));
  }
  worker.log("CONFIG REWRITE executed with success.");
  return writeOk;
}

/** A file that is gone is written anew. */
async function readByteText(path: string): Promise<string> {
  try {
    return bytesToText(await Deno.readFile(path));
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return "";
    throw cause;
  }
}

async function modeOf(path: string): Promise<number> {
  try {
    return ((await Deno.stat(path)).mode ?? 0o644) & 0o777;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return 0o644;
    throw cause;
  }
}

function matchesName(pattern: string, name: string): boolean {
  return globMatch(
    latin1BytesOf(pattern),
    0,
    pattern.length,
    latin1BytesOf(name),
    0,
    name.length,
    true,
  );
}

const writeOk: LateReply = (reply) => reply.ok();

/** The commands of this file. */
export const CONFIG_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "config",
    group: "server",
    since: "2.0.0",
    summary: "Commands about the server's settings.",
    arity: -2,
    subcommands: [
      {
        name: "get",
        since: "2.0.0",
        summary: "Reads the settings whose names match the patterns.",
        complexity: "O(N)",
        arity: -3,
        flags: ["admin", "noscript", "loading", "stale"],
        syntax: "parameter...",
        replies: ["map"],
        run: configGetCommand,
      },
      {
        name: "help",
        since: "5.0.0",
        summary: "Lists the CONFIG subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        replies: ["array"],
        run: configHelpCommand,
      },
      {
        name: "resetstat",
        since: "2.0.0",
        summary: "Sets the counters that INFO shows back to zero.",
        complexity: "O(1)",
        arity: 2,
        flags: ["admin", "noscript", "loading", "stale"],
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        replies: ["status"],
        run: configResetstatCommand,
      },
      {
        name: "rewrite",
        since: "2.8.0",
        summary: "Writes the settings in force into the configuration file.",
        complexity: "O(1)",
        arity: 2,
        flags: ["admin", "noscript", "loading", "stale"],
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        replies: ["status"],
        run: configRewriteCommand,
      },
      {
        name: "set",
        since: "2.0.0",
        summary: "Changes settings while the server runs.",
        complexity: "O(N)",
        arity: -4,
        flags: ["admin", "noscript", "loading", "stale"],
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        syntax: "data:(parameter value)...",
        replies: ["status"],
        run: configSetCommand,
      },
    ],
  },
];
