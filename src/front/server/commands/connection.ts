/**
 * Connection commands: who is on the other side, and how to talk to it.
 *
 * There is one user, `default`. It has the password of the `requirepass`
 * setting; without one, any password will do.
 *
 * @module
 */

import { bytesOf } from "../../../core/base/bytes.ts";
import type { CommandSpec } from "../../../core/commands/command_spec.ts";
import { RequestView } from "../../../core/commands/command_keys.ts";
import { AUTH_FAILURES } from "../../../core/keyspace/counters.ts";
import type { Arguments } from "../../../core/resp/arguments.ts";
import {
  AUTH_NOT_CONFIGURED,
  CLIENT_NAME_INVALID,
  helloOption,
  NO_AUTH_HELLO,
  NO_PROTO,
  PROTOCOL_VERSION_NOT_AN_INTEGER,
  SYNTAX_ERROR,
  WRONG_PASS,
  wrongNumberOfArguments,
} from "../../../core/resp/error_reply.ts";
import {
  DEFAULT_USER,
  GATE_AUTH,
  GATE_SUBSCRIBED,
} from "../../../engine/executor/session.ts";
import type { ServerCall } from "../server_call.ts";
import { REDIS_VERSION } from "../version.ts";
import { integerAt, isAttribute, textAt } from "./_arguments.ts";

const DEFAULT_USER_BYTES = bytesOf(DEFAULT_USER);

/** `AUTH [username] password` */
export function authCommand(call: ServerCall): void {
  const { argc, reply, settings } = call;
  if (argc > 3) return reply.error(SYNTAX_ERROR);
  if (argc === 2 && settings.requirepass.length === 0) {
    return reply.error(AUTH_NOT_CONFIGURED);
  }
  if (authenticate(call, argc === 3 ? 1 : -1, argc - 1)) reply.ok();
}

/**
 * `HELLO [protover [AUTH username password] [SETNAME clientname]]`
 *
 * All options are looked at before any takes effect.
 */
export function helloCommand(call: ServerCall): void {
  const { args, argc, reply, session } = call;
  let version: number = session.resp;
  if (argc > 1) {
    version = integerAt(call, 1);
    if (Number.isNaN(version)) {
      return reply.error(PROTOCOL_VERSION_NOT_AN_INTEGER);
    }
    if (version !== 2 && version !== 3) return reply.error(NO_PROTO);
  }
  const view = new RequestView(args);
  let userAt = 0;
  let nameAt = 0;
  for (let i = 2; i < argc; i++) {
    if (view.equalsIgnoreCase(i, "AUTH") && i + 2 < argc) {
      userAt = i + 1;
      i += 2;
    } else if (view.equalsIgnoreCase(i, "SETNAME") && i + 1 < argc) {
      nameAt = ++i;
      if (!isAttribute(args, i)) return reply.error(CLIENT_NAME_INVALID);
    } else return reply.error(helloOption(args.copy(i)));
  }
  if (userAt > 0 && !authenticate(call, userAt, userAt + 1)) return;
  if ((session.gate & GATE_AUTH) !== 0) return reply.error(NO_AUTH_HELLO);
  if (nameAt > 0) session.name = textAt(call, nameAt);
  session.resp = reply.resp = version as 2 | 3;
  reply.map(7);
  reply.bulkText("server");
  reply.bulkText("redis");
  reply.bulkText("version");
  reply.bulkText(REDIS_VERSION);
  reply.bulkText("proto");
  reply.integer(version);
  reply.bulkText("id");
  reply.integer(session.id);
  reply.bulkText("mode");
  reply.bulkText("standalone");
  reply.bulkText("role");
  reply.bulkText("master");
  reply.bulkText("modules");
  reply.array(0);
}

/** `PING [message]` */
export function pingCommand({ args, argc, reply, session }: ServerCall): void {
  if (argc > 2) return reply.error(wrongNumberOfArguments("ping"));
  if ((session.gate & GATE_SUBSCRIBED) !== 0 && reply.resp === 2) {
    reply.array(2);
    reply.bulkText("pong");
    if (argc === 1) return reply.bulkText("");
  } else if (argc === 1) return reply.simple("PONG");
  reply.bulk(args.source(1), args.off[1]!, args.length[1]!);
}

/** `ECHO message` */
export function echoCommand({ args, reply }: ServerCall): void {
  reply.bulk(args.source(1), args.off[1]!, args.length[1]!);
}

/** `QUIT` */
export function quitCommand(call: ServerCall): void {
  call.reply.ok();
  call.connection.closeAfterReplies();
}

/** `RESET` */
export function resetCommand(call: ServerCall): void {
  const mustAuthenticate = call.settings.requirepass.length > 0;
  call.endTransaction();
  call.worker.pubsub.drop(call.connection);
  call.worker.tracking.trackers.end(call.session);
  call.worker.monitors.end(call.connection);
  call.session.reset(mustAuthenticate);
  call.connection.mustAuthenticate = mustAuthenticate;
  call.reply.resp = call.session.resp;
  call.reply.simple("RESET");
}

/**
 * Lets the session in if the user (argument `userAt`; the default user if it is
 * negative) has the password at `passwordAt`; else replies the error. A session
 * that was let in before stays so.
 */
function authenticate(
  call: ServerCall,
  userAt: number,
  passwordAt: number,
): boolean {
  const { args, settings, session, counters } = call;
  const isKnown = userAt < 0 || equalsSecret(args, userAt, DEFAULT_USER_BYTES);
  const password = settings.requirepass;
  const isPassword = password.length === 0 ||
    equalsSecret(args, passwordAt, password);
  if (!isKnown || !isPassword) {
    counters[AUTH_FAILURES] = counters[AUTH_FAILURES]! + 1;
    call.reply.error(WRONG_PASS);
    return false;
  }
  session.user = DEFAULT_USER;
  session.gate &= ~GATE_AUTH;
  call.connection.mustAuthenticate = false;
  return true;
}

/**
 * Whether an argument is the secret. How long it takes depends on the argument
 * alone, so it tells nothing of the secret.
 */
function equalsSecret(args: Arguments, i: number, secret: Uint8Array): boolean {
  const source = args.source(i);
  const off = args.off[i]!;
  const length = args.length[i]!;
  let difference = length ^ secret.length;
  for (let k = 0; k < length; k++) {
    difference |= source[off + k]! ^ secret[k % secret.length]!;
  }
  return difference === 0;
}

/** The commands of this file. */
export const CONNECTION_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "auth",
    group: "connection",
    since: "1.0.0",
    summary: "Proves to be a user by a password.",
    complexity: "O(N)",
    arity: -2,
    flags: ["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"],
    syntax: "[username@6.0.0] password",
    replies: ["status"],
    run: authCommand,
  },
  {
    name: "echo",
    group: "connection",
    since: "1.0.0",
    summary: "Sends the message back.",
    complexity: "O(1)",
    arity: 2,
    flags: ["loading", "stale", "fast"],
    syntax: "message",
    replies: ["string"],
    run: echoCommand,
  },
  {
    name: "hello",
    group: "connection",
    since: "6.0.0",
    summary:
      "Chooses the protocol version; can authenticate and name the connection too.",
    complexity: "O(1)",
    arity: -1,
    flags: ["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"],
    syntax:
      "[arguments:(protover:integer [AUTH auth:(username password)] [SETNAME clientname])]",
    replies: ["map"],
    run: helloCommand,
  },
  {
    name: "ping",
    group: "connection",
    since: "1.0.0",
    summary: "Answers PONG, or the message given.",
    complexity: "O(1)",
    arity: -1,
    flags: ["fast"],
    tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
    syntax: "[message]",
    replies: ["status", "string"],
    run: pingCommand,
  },
  {
    name: "quit",
    group: "connection",
    since: "1.0.0",
    summary: "Closes the connection.",
    complexity: "O(1)",
    arity: -1,
    flags: ["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"],
    replies: ["status"],
    docFlags: ["deprecated"],
    deprecatedSince: "7.2.0",
    replacedBy: "just closing the connection",
    run: quitCommand,
  },
  {
    name: "reset",
    group: "connection",
    since: "6.2.0",
    summary: "Puts the connection back into its initial state.",
    complexity: "O(1)",
    arity: 1,
    flags: ["noscript", "loading", "stale", "fast", "no_auth", "allow_busy"],
    replies: ["status"],
    run: resetCommand,
  },
];
