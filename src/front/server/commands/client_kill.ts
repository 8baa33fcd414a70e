/**
 * CLIENT KILL: closes connections, on whichever worker they are.
 *
 * The connection that asks closes after its reply, the others at once.
 *
 * @module
 */

import type { LateReply } from "../../../core/commands/command_spec.ts";
import { RequestView } from "../../../core/commands/command_keys.ts";
import {
  CLIENT_ID_NOT_POSITIVE,
  type ErrorReply,
  MAXAGE_NOT_AN_INTEGER,
  MAXAGE_NOT_POSITIVE,
  NO_SUCH_CLIENT,
  noSuchUser,
  SYNTAX_ERROR,
  unknownClientType,
} from "../../../core/resp/error_reply.ts";
import { DEFAULT_USER } from "../../../engine/executor/session.ts";
import type { Connection } from "../connection.ts";
import type { ServerCall } from "../server_call.ts";
import type { WorkerContext } from "../worker_context.ts";
import { integerAt, textAt } from "./_arguments.ts";
import { clientTypeAt, clientTypeOf } from "./_client_type.ts";

/** Close those of your connections that pass the filter; which ones did? */
const ASK_KILL = "clients.kill";

/** What a connection must be to be closed; null is anything. */
type Filter = {
  id: number | null;
  type: string | null;
  user: string | null;
  address: string | null;
  localAddress: string | null;
  /** When it must have connected, at the latest, in seconds of the epoch. */
  connectedBySeconds: number | null;
  /** The connection that asks. */
  self: number;
  skipsSelf: boolean;
};

/** Registers the answer. */
export function answerClientKill(worker: WorkerContext): void {
  worker.peers.answer(ASK_KILL, (question) => {
    const filter = question as Filter;
    const killed: number[] = [];
    for (const [id, connection] of [...worker.connections]) {
      if (!passes(connection, filter)) continue;
      killed.push(id);
      if (id !== filter.self) connection.close();
    }
    return killed;
  });
}

/**
 * `CLIENT KILL ip:port`,
 * `CLIENT KILL [ID id] [TYPE type] [USER username] [ADDR ip:port]
 * [LADDR ip:port] [SKIPME yes|no] [MAXAGE seconds]`
 */
export function clientKillCommand(call: ServerCall): void | Promise<LateReply> {
  const filter: Filter = {
    id: null,
    type: null,
    user: null,
    address: null,
    localAddress: null,
    connectedBySeconds: null,
    self: call.session.id,
    skipsSelf: true,
  };
  const isOldForm = call.argc === 3;
  if (isOldForm) {
    filter.address = textAt(call, 2);
    filter.skipsSelf = false;
  } else {
    const error = readFilter(call, filter);
    if (error !== null) return call.reply.error(error);
  }
  const { connection } = call;
  return call.worker.peers.ask(ASK_KILL, filter).then((answers) => {
    const killed = (answers as number[][]).flat();
    return (reply) => {
      if (!isOldForm) reply.integer(killed.length);
      else if (killed.length === 0) reply.error(NO_SUCH_CLIENT);
      else reply.ok();
      if (killed.includes(filter.self)) connection.closeAfterReplies();
    };
  });
}

function readFilter(call: ServerCall, filter: Filter): ErrorReply | null {
  const { args, argc } = call;
  const view = new RequestView(args);
  for (let i = 2; i < argc; i += 2) {
    const at = i + 1;
    if (at === argc) return SYNTAX_ERROR;
    if (view.equalsIgnoreCase(i, "ID")) {
      filter.id = integerAt(call, at);
      if (!(filter.id > 0)) return CLIENT_ID_NOT_POSITIVE;
    } else if (view.equalsIgnoreCase(i, "TYPE")) {
      filter.type = clientTypeAt(call, at);
      if (filter.type === null) return unknownClientType(args.copy(at));
    } else if (view.equalsIgnoreCase(i, "USER")) {
      filter.user = textAt(call, at);
      if (filter.user !== DEFAULT_USER) return noSuchUser(args.copy(at));
    } else if (view.equalsIgnoreCase(i, "ADDR")) {
      filter.address = textAt(call, at);
    } else if (view.equalsIgnoreCase(i, "LADDR")) {
      filter.localAddress = textAt(call, at);
    } else if (view.equalsIgnoreCase(i, "SKIPME")) {
      filter.skipsSelf = view.equalsIgnoreCase(at, "YES");
      if (!filter.skipsSelf && !view.equalsIgnoreCase(at, "NO")) {
        return SYNTAX_ERROR;
      }
    } else if (view.equalsIgnoreCase(i, "MAXAGE")) {
      const seconds = integerAt(call, at);
      if (Number.isNaN(seconds)) return MAXAGE_NOT_AN_INTEGER;
      if (seconds <= 0) return MAXAGE_NOT_POSITIVE;
      filter.connectedBySeconds = Math.floor(call.nowMs / 1000) - seconds;
    } else return SYNTAX_ERROR;
  }
  return null;
}

function passes(connection: Connection, filter: Filter): boolean {
  const { session } = connection;
  const connectedSeconds = Math.floor(session.createdMs / 1000);
  return (filter.id === null || filter.id === session.id) &&
    (filter.type === null || filter.type === clientTypeOf(connection)) &&
    (filter.user === null || filter.user === session.user) &&
    (filter.address === null || filter.address === session.address) &&
    (filter.localAddress === null ||
      filter.localAddress === session.localAddress) &&
    (filter.connectedBySeconds === null ||
      connectedSeconds <= filter.connectedBySeconds) &&
    !(filter.skipsSelf && filter.self === session.id);
}
