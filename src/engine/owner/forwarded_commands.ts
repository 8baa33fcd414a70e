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

/** What the owner needs from the worker around it. */
export interface ForwardedPorts {
  /** Runs a request, whatever the shards' flags say, and answers it. */
  run(command: ForwardedCommand, args: Arguments, reply: ReplyWriter): void;
  /** Adds an argument that lies in the run `run`. */
  addBig(args: Arguments, run: number, length: number): void;
  /** Frees the big arguments that the command did not keep. */
  freeBig(args: Arguments): void;
}

/** Serves forwarded commands that come over `mesh`. */
export function serveForwarded(mesh: Mesh, ports: ForwardedPorts): void {
  const args = new Arguments();
  const reply = new ReplyWriter();
  mesh.handle(COMMAND_RECORD, (from, reader) => {
    const command = readForwarded(reader, args, ports.addBig);
    reply.resp = command.resp;
    ports.run(command, args, reply);
    if (args.hasBig) ports.freeBig(args);
    writeForwardedReply(
      mesh.record(from, REPLY_RECORD),
      command.request,
      reply,
    );
  });
}
