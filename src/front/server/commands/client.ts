/**
 * CLIENT: what a connection says of itself and asks of the server.
 *
 * The subcommands that look at other connections have files of their own.
 *
 * @module
 */

import type {
  CommandSpec,
  LateReply,
} from "../../../core/commands/command_spec.ts";
import { RequestView } from "../../../core/commands/command_keys.ts";
import {
  CLIENT_NAME_INVALID,
  CLIENT_UNBLOCK_REASON,
  clientInfoInvalid,
  clientInfoUnrecognized,
  NOT_AN_INTEGER,
  subcommandSyntax,
  SYNTAX_ERROR,
} from "../../../core/resp/error_reply.ts";
import {
  GATE_REPLY_OFF,
  GATE_REPLY_SKIP,
  GATE_REPLY_SKIP_NEXT,
} from "../../../engine/executor/session.ts";
import type { ServerCall } from "../server_call.ts";
import type { WorkerContext } from "../worker_context.ts";
import { integerAt, isAttribute, textAt } from "./_arguments.ts";
import { type HelpLines, writeHelp } from "./_help.ts";
import { answerClientKill, clientKillCommand } from "./client_kill.ts";
import {
  answerClientList,
  clientInfoCommand,
  clientListCommand,
} from "./client_list.ts";
import {
  answerClientPause,
  clientPauseCommand,
  clientUnpauseCommand,
} from "./client_pause.ts";
import {
  clientCachingCommand,
  clientGetredirCommand,
  clientTrackingCommand,
  clientTrackinginfoCommand,
} from "./client_tracking.ts";

const HELP: HelpLines = [
  ["CACHING (YES|NO)", "Whether this client keeps what it reads next."],
  ["GETNAME", "The name of this connection."],
  ["GETREDIR", "The id that invalidation messages go to; -1 for none."],
  ["ID", "The id of this connection."],
  ["INFO", "This connection as a line of CLIENT LIST."],
  ["KILL <ip:port>", "Closes the connection from that address."],
  [
    "KILL <option> <value> [<option> <value> [...]]",
    "Closes all connections that fit: ID <id>, TYPE <type>, USER <name>, " +
    "ADDR <ip:port>, LADDR <ip:port>, MAXAGE <seconds>, SKIPME (YES|NO).",
  ],
  [
    "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID <id> [...]]",
    "One line for each connection.",
  ],
  ["NO-EVICT (ON|OFF)", "Exempts this connection from client eviction."],
  ["NO-TOUCH (ON|OFF)", "Keeps commands from changing when keys were used."],
  ["PAUSE <timeout> [WRITE|ALL]", "Holds commands back, in milliseconds."],
  ["REPLY (ON|OFF|SKIP)", "Whether this connection gets replies."],
  ["SETINFO <option> <value>", "Tells LIB-NAME or LIB-VER of the client."],
  ["SETNAME <name>", "Names this connection."],
  [
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]] " +
    "[OPTIN] [OPTOUT] [NOLOOP]",
    "Tells this client when keys change that it keeps in a cache.",
  ],
  ["TRACKINGINFO", "How this connection tracks keys."],
  ["UNBLOCK <clientid> [TIMEOUT|ERROR]", "Wakes a blocked connection."],
  ["UNPAUSE", "Ends CLIENT PAUSE."],
];

/** Registers what a worker answers for CLIENT; called once, before it listens. */
export function answerClientQuestions(worker: WorkerContext): void {
  answerClientList(worker);
  answerClientKill(worker);
  answerClientPause(worker);
  worker.peers.answer(ASK_UNBLOCK, (question) => {
    const { id, withError } = question as { id: number; withError: boolean };
    return worker.blocked.unblock(id, withError) ||
      worker.acknowledgements.unblock(id, withError) ||
      worker.locks.commands.unblock(id, withError);
  });
}

/** `CLIENT ID` */
export function clientIdCommand({ reply, session }: ServerCall): void {
  reply.integer(session.id);
}

/** `CLIENT GETNAME` */
export function clientGetnameCommand({ reply, session }: ServerCall): void {
  if (session.name === "") reply.nullBulk();
  else reply.bulkText(session.name);
}

/** `CLIENT SETNAME connection-name` */
export function clientSetnameCommand(call: ServerCall): void {
  const { args, reply, session } = call;
  if (!isAttribute(args, 2)) return reply.error(CLIENT_NAME_INVALID);
  session.name = textAt(call, 2);
  reply.ok();
}

/** `CLIENT SETINFO <LIB-NAME libname | LIB-VER libver>` */
export function clientSetinfoCommand(call: ServerCall): void {
  const { args, reply, session } = call;
  const view = new RequestView(args);
  const isName = view.equalsIgnoreCase(2, "LIB-NAME");
  if (!isName && !view.equalsIgnoreCase(2, "LIB-VER")) {
    return reply.error(clientInfoUnrecognized(args.copy(2)));
  }
  if (!isAttribute(args, 3)) {
    return reply.error(clientInfoInvalid(args.copy(2)));
  }
  if (isName) session.libName = textAt(call, 3);
  else session.libVersion = textAt(call, 3);
  reply.ok();
}

/** `CLIENT REPLY <ON | OFF | SKIP>`: only ON is answered. */
export function clientReplyCommand(call: ServerCall): void {
  const { args, reply, session } = call;
  const view = new RequestView(args);
  if (view.equalsIgnoreCase(2, "ON")) {
    session.gate &= ~(GATE_REPLY_OFF | GATE_REPLY_SKIP);
    reply.ok();
  } else if (view.equalsIgnoreCase(2, "OFF")) {
    session.gate |= GATE_REPLY_OFF;
  } else if (view.equalsIgnoreCase(2, "SKIP")) {
    if ((session.gate & GATE_REPLY_OFF) === 0) {
      session.gate |= GATE_REPLY_SKIP_NEXT;
    }
  } else reply.error(SYNTAX_ERROR);
}

/** `CLIENT NO-EVICT <ON | OFF>` */
export function clientNoEvictCommand(call: ServerCall): void {
  const isOn = readSwitch(call);
  if (isOn === null) return;
  call.session.noEvict = isOn;
  call.reply.ok();
}

/** `CLIENT NO-TOUCH <ON | OFF>` */
export function clientNoTouchCommand(call: ServerCall): void {
  const isOn = readSwitch(call);
  if (isOn === null) return;
  call.session.noTouch = isOn;
  call.reply.ok();
}

/** Unblock the session if it is yours and its command waits. */
const ASK_UNBLOCK = "clients.unblock";

/** `CLIENT UNBLOCK client-id [TIMEOUT | ERROR]`: wherever that client is. */
export function clientUnblockCommand(
  call: ServerCall,
): void | Promise<LateReply> {
  const { args, argc, reply } = call;
  if (argc > 4) return reply.error(subcommandSyntax("CLIENT", args.copy(1)));
  const view = new RequestView(args);
  if (
    argc === 4 && !view.equalsIgnoreCase(3, "TIMEOUT") &&
    !view.equalsIgnoreCase(3, "ERROR")
  ) return reply.error(CLIENT_UNBLOCK_REASON);
  const id = integerAt(call, 2);
  if (Number.isNaN(id)) return reply.error(NOT_AN_INTEGER);
  const withError = argc === 4 && view.equalsIgnoreCase(3, "ERROR");
  return call.worker.peers.ask(ASK_UNBLOCK, { id, withError }).then(
    (answers) => (late) => late.integer(answers.includes(true) ? 1 : 0),
  );
}

/** `CLIENT HELP` */
export function clientHelpCommand(call: ServerCall): void {
  writeHelp(call, "CLIENT", HELP);
}

/** ON or OFF at argument 2; null after an error reply. */
function readSwitch({ args, reply }: ServerCall): boolean | null {
  const view = new RequestView(args);
  if (view.equalsIgnoreCase(2, "ON")) return true;
  if (view.equalsIgnoreCase(2, "OFF")) return false;
  reply.error(SYNTAX_ERROR);
  return null;
}

/** The commands of this file. */
export const CLIENT_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "client",
    group: "connection",
    since: "2.4.0",
    summary: "Commands about connections.",
    arity: -2,
    subcommands: [
      {
        name: "caching",
        since: "6.0.0",
        summary: "Says whether the client keeps what its next command reads.",
        complexity: "O(1)",
        arity: 3,
        flags: ["noscript", "loading", "stale"],
        syntax: "mode:(YES|NO)",
        replies: ["status"],
        run: clientCachingCommand,
      },
      {
        name: "getname",
        since: "2.6.9",
        summary: "Tells this connection's name.",
        complexity: "O(1)",
        arity: 2,
        flags: ["noscript", "loading", "stale"],
        replies: ["string", "null"],
        run: clientGetnameCommand,
      },
      {
        name: "getredir",
        since: "6.0.0",
        summary:
          "Tells which connection receives this one's invalidation messages.",
        complexity: "O(1)",
        arity: 2,
        flags: ["noscript", "loading", "stale"],
        replies: ["integer"],
        run: clientGetredirCommand,
      },
      {
        name: "help",
        since: "5.0.0",
        summary: "Lists the CLIENT subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        replies: ["array"],
        run: clientHelpCommand,
      },
      {
        name: "id",
        since: "5.0.0",
        summary: "Tells this connection's identifier.",
        complexity: "O(1)",
        arity: 2,
        flags: ["noscript", "loading", "stale"],
        replies: ["integer"],
        run: clientIdCommand,
      },
      {
        name: "info",
        since: "6.2.0",
        summary: "Describes this connection.",
        complexity: "O(1)",
        arity: 2,
        flags: ["noscript", "loading", "stale"],
        tips: ["nondeterministic_output"],
        replies: ["string"],
        run: clientInfoCommand,
      },
      {
        name: "kill",
        since: "2.4.0",
        summary: "Closes the connections that pass the filters.",
        complexity: "O(N)",
        arity: -3,
        flags: ["admin", "noscript", "loading", "stale"],
        syntax:
          "filter:(old-format{ip:port}!2.8.12|new-format:([ID client-id:integer@2.8.12]|[TYPE client-type:('normal'|'master'@3.2.0|'primary'@8.0.0|'slave'|'replica'@5.0.0|'pubsub')@2.8.12]|[USER username]|[ADDR addr{ip:port}]|[LADDR laddr{ip:port}@6.2.0]|[SKIPME skipme:(YES|NO)]|[MAXAGE maxage:integer@8.0.0])...)",
        replies: ["status", "integer"],
        run: clientKillCommand,
      },
      {
        name: "list",
        since: "2.4.0",
        summary: "Describes the open connections.",
        complexity: "O(N)",
        arity: -2,
        flags: ["admin", "noscript", "loading", "stale"],
        tips: ["nondeterministic_output"],
        syntax:
          "[TYPE client-type:('normal'|'master'|'replica'|'pubsub')@5.0.0] [ID client-id:integer@6.2.0...]",
        replies: ["string"],
        run: clientListCommand,
      },
      {
        name: "no-evict",
        since: "7.0.0",
        summary:
          "Exempts this connection from being closed when clients take too much memory.",
        complexity: "O(1)",
        arity: 3,
        flags: ["admin", "noscript", "loading", "stale"],
        syntax: "enabled:(ON|OFF)",
        replies: ["status"],
        run: clientNoEvictCommand,
      },
      {
        name: "no-touch",
        since: "7.2.0",
        summary:
          "Keeps this connection's commands from changing when keys were last used.",
        complexity: "O(1)",
        arity: 3,
        flags: ["noscript", "loading", "stale"],
        syntax: "enabled:(ON|OFF)",
        replies: ["status"],
        run: clientNoTouchCommand,
      },
      {
        name: "pause",
        since: "3.0.0",
        summary: "Holds back the commands of all clients for a while.",
        complexity: "O(1)",
        arity: -3,
        flags: ["admin", "noscript", "loading", "stale"],
        syntax: "timeout:integer [mode:(WRITE|ALL)@6.2.0]",
        replies: ["status"],
        run: clientPauseCommand,
      },
      {
        name: "reply",
        since: "3.2.0",
        summary: "Switches the replies to this connection on or off.",
        complexity: "O(1)",
        arity: 3,
        flags: ["noscript", "loading", "stale"],
        syntax: "action:(ON|OFF|SKIP)",
        replies: ["status"],
        run: clientReplyCommand,
      },
      {
        name: "setinfo",
        since: "7.2.0",
        summary: "Records a fact about the client's library.",
        complexity: "O(1)",
        arity: 4,
        flags: ["noscript", "loading", "stale"],
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        syntax: "attr:('lib-name' libname|'lib-ver' libver)",
        replies: ["status"],
        run: clientSetinfoCommand,
      },
      {
        name: "setname",
        since: "2.6.9",
        summary: "Gives this connection a name.",
        complexity: "O(1)",
        arity: 3,
        flags: ["noscript", "loading", "stale"],
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        syntax: "connection-name",
        replies: ["status"],
        run: clientSetnameCommand,
      },
      {
        name: "tracking",
        since: "6.0.0",
        summary: "Tells the client when keys change that it keeps in a cache.",
        complexity: "O(1)",
        arity: -3,
        flags: ["noscript", "loading", "stale"],
        syntax:
          "status:(ON|OFF) [REDIRECT client-id:integer] [PREFIX prefix]... [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
        replies: ["status"],
        run: clientTrackingCommand,
      },
      {
        name: "trackinginfo",
        since: "6.2.0",
        summary: "Tells how this connection tracks keys.",
        complexity: "O(1)",
        arity: 2,
        flags: ["noscript", "loading", "stale"],
        replies: ["map"],
        run: clientTrackinginfoCommand,
      },
      {
        name: "unblock",
        since: "5.0.0",
        summary: "Wakes another connection from a blocking command.",
        complexity: "O(log N)",
        arity: -3,
        flags: ["admin", "noscript", "loading", "stale"],
        syntax: "client-id:integer [unblock-type:(TIMEOUT|ERROR)]",
        replies: ["integer"],
        run: clientUnblockCommand,
      },
      {
        name: "unpause",
        since: "6.2.0",
        summary: "Ends CLIENT PAUSE.",
        complexity: "O(N)",
        arity: 2,
        flags: ["admin", "noscript", "loading", "stale"],
        replies: ["status"],
        run: clientUnpauseCommand,
      },
    ],
  },
];
