/**
 * Runs the commands that other workers forward to the owner of a shard.
 *
 * @module
 */

import { Arguments } from "../../core/resp/arguments.ts";
import { ReplyWriter } from "../../core/resp/reply_writer.ts";
import {
  type ForwardedCommand,
  readForwarded,
  writeForwardedReply,
} from "../messages/forwarding.ts";
import type { Mesh } from "../messages/mesh.ts";
import { COMMAND_RECORD, REPLY_RECORD } from "../messages/record_kinds.ts";

/** In whose name a forwarded command runs. */
export interface ForwardedSession {
  /** Runs the command again, when the locked keys that it has met are free. */
  onLockWake: (() => void) | null;
}

/** What the owner needs from the worker around it. */
export interface ForwardedPorts<S extends ForwardedSession> {
  /** The session of a command. */
  sessionOf(command: ForwardedCommand): S;
  /**
   * Runs a request, whatever the shards' flags say, and answers it; false if it
   * is to be tried again when the session's `onLockWake` is called.
   */
  run(session: S, args: Arguments, reply: ReplyWriter): boolean;
  /** Adds an argument that lies in the run `run`. */
  addBig(args: Arguments, run: number, length: number): void;
  /** Frees the big arguments that the command did not keep. */
  freeBig(args: Arguments): void;
}

/** Serves forwarded commands that come over `mesh`. */
export function serveForwarded<S extends ForwardedSession>(
  mesh: Mesh,
  ports: ForwardedPorts<S>,
): void {
  let args = new Arguments();
  const reply = new ReplyWriter();

  function run(
    from: number,
    { request, resp }: ForwardedCommand,
    session: S,
    args: Arguments,
  ): boolean {
    reply.resp = resp;
    if (!ports.run(session, args, reply)) return false;
    if (args.hasBig) ports.freeBig(args);
    writeForwardedReply(mesh.record(from, REPLY_RECORD), request, reply);
    return true;
  }

  mesh.handle(COMMAND_RECORD, (from, reader) => {
    const command = readForwarded(reader, args, ports.addBig);
    const session = ports.sessionOf(command);
    if (run(from, command, session, args)) return;
    // Its keys are locked: it keeps its arguments, which lie in the message.
    const own = args;
    args = new Arguments();
    session.onLockWake = () => run(from, command, session, own);
  });
}
