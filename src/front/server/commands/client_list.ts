/**
 * CLIENT LIST and CLIENT INFO: connections as lines of text, those of all
 * workers in the order in which they connected.
 *
 * A field that means nothing here has the value that says so in Redis: no file
 * descriptor (-1).
 *
 * @module
 */

import type { LateReply } from "../../../core/commands/command_spec.ts";
import { RequestView } from "../../../core/commands/command_keys.ts";
import {
  CHANNEL,
  PATTERN,
  SHARD_CHANNEL,
} from "../../../core/keyspace/subscriber_counts.ts";
import {
  CLIENT_ID_INVALID,
  SYNTAX_ERROR,
  unknownClientType,
} from "../../../core/resp/error_reply.ts";
import {
  GATE_MONITOR,
  GATE_SUBSCRIBED,
} from "../../../engine/executor/session.ts";
import type { Connection } from "../connection.ts";
import type { ServerCall } from "../server_call.ts";
import type { WorkerContext } from "../worker_context.ts";
import { integerAt } from "./_arguments.ts";
import { clientTypeAt, clientTypeOf } from "./_client_type.ts";
import { redirectOf } from "./client_tracking.ts";

/** What a connection takes without its buffers, about. */
const CONNECTION_BYTES = 2048;

/** Your connections as lines, by id; the question is their type, or null. */
const ASK_CLIENTS = "clients.list";

type Line = readonly [id: number, line: string];

/** Registers the answer. */
export function answerClientList(worker: WorkerContext): void {
  worker.peers.answer(ASK_CLIENTS, (type) => {
    const nowMs = worker.nowMs();
    const lines: Line[] = [];
    for (const [id, connection] of worker.connections) {
      if (type === null || type === clientTypeOf(connection)) {
        lines.push([id, lineOf(worker, connection, nowMs)]);
      }
    }
    return lines;
  });
}

/** `CLIENT INFO` */
export function clientInfoCommand(call: ServerCall): void {
  call.reply.verbatim("txt", lineOf(call.worker, call.connection, call.nowMs));
}

/** `CLIENT LIST [TYPE type | ID client-id [client-id ...]]` */
export function clientListCommand(call: ServerCall): void | Promise<LateReply> {
  const { args, argc, reply } = call;
  const view = new RequestView(args);
  let type: string | null = null;
  let ids: number[] | null = null;
  if (argc === 4 && view.equalsIgnoreCase(2, "TYPE")) {
    type = clientTypeAt(call, 3);
    if (type === null) return reply.error(unknownClientType(args.copy(3)));
  } else if (argc > 3 && view.equalsIgnoreCase(2, "ID")) {
    ids = [];
    for (let i = 3; i < argc; i++) {
      const id = integerAt(call, i);
      if (Number.isNaN(id)) return reply.error(CLIENT_ID_INVALID);
      ids.push(id);
    }
  } else if (argc !== 2) return reply.error(SYNTAX_ERROR);
  return call.worker.peers.ask(ASK_CLIENTS, type).then((answers) => {
    const lines = new Map(
      (answers as Line[][]).flat().sort((a, b) => a[0] - b[0]),
    );
    const chosen = ids === null
      ? [...lines.values()]
      : ids.map((id) => lines.get(id) ?? "");
    return (late) => late.verbatim("txt", chosen.join(""));
  });
}

/** One connection, its line end included. */
function lineOf(
  worker: WorkerContext,
  connection: Connection,
  nowMs: number,
): string {
  const subscriptions = worker.pubsub.subscriptionsOf(connection);
  const countOf = (kind: number) => subscriptions?.names(kind).size ?? 0;
  const { session } = connection;
  const { transaction } = session;
  const isOpen = transaction?.isOpen === true;
  const { inputBytes, inputBufferBytes, argumentBytes } = connection;
  const { sendingBufferBytes, queuedBytes } = connection;
  const memory = CONNECTION_BYTES + inputBufferBytes + argumentBytes +
    sendingBufferBytes + queuedBytes;
  return `id=${session.id} addr=${session.address}` +
    ` laddr=${session.localAddress} fd=${connection.descriptor} name=${session.name}` +
    ` age=${secondsBetween(session.createdMs, nowMs)}` +
    ` idle=${secondsBetween(session.lastActiveMs, nowMs)}` +
    ` flags=${flagsOf(connection)} db=${session.db}` +
    ` sub=${countOf(CHANNEL)} psub=${countOf(PATTERN)}` +
    ` ssub=${countOf(SHARD_CHANNEL)} multi=${isOpen ? transaction.count : -1}` +
    ` watch=${transaction?.watchCount ?? 0}` +
    ` qbuf=${inputBytes} qbuf-free=${
      Math.max(0, inputBufferBytes - inputBytes)
    }` +
    ` argv-mem=${argumentBytes} multi-mem=${isOpen ? transaction.bytes : 0}` +
    ` rbs=${sendingBufferBytes} rbp=${sendingBufferBytes}` +
    ` obl=${connection.sendingBytes} oll=${connection.queuedCount}` +
    ` omem=${queuedBytes} tot-mem=${memory}` +
    ` events=${connection.outputBytes > 0 ? "rw" : "r"}` +
    ` cmd=${session.command?.fullName ?? "NULL"} user=${session.user}` +
    ` redir=${redirectOf(session)} resp=${session.resp}` +
    ` lib-name=${session.libName} lib-ver=${session.libVersion}\n`;
}

function flagsOf(connection: Connection): string {
  const { session } = connection;
  let flags = "";
  if ((session.gate & GATE_MONITOR) !== 0) flags += "O";
  if ((session.gate & GATE_SUBSCRIBED) !== 0) flags += "P";
  if (session.transaction?.isOpen === true) flags += "x";
  if (connection.isWaiting) flags += "b";
  if (session.lockWait !== null) flags += "l";
  if (session.tracking?.isOn === true) {
    flags += "t";
    if (session.tracking.isBroken) flags += "R";
    if (session.tracking.options.isBroadcast) flags += "B";
  }
  if (connection.isClosing) flags += "c";
  if (session.isUnix) flags += "U";
  if (session.noEvict) flags += "e";
  if (session.noTouch) flags += "T";
  return flags || "N";
}

/** Redis counts in whole seconds of the epoch. */
function secondsBetween(fromMs: number, toMs: number): number {
  return Math.max(0, Math.floor(toMs / 1000) - Math.floor(fromMs / 1000));
}
