/**
 * Forwarded commands: how a command travels to the owner of its shard, and its
 * reply back.
 *
 * ```text
 * COMMAND  request u32, session u32, database u32, protocol u8, no-touch u8,
 *          worker of the cache that keeps what is read u32, or 0xffffffff,
 *          count u32,
 *          argument*: length u32, run i32 (0: the bytes follow)
 * REPLY    request u32, errors u32, bytes, span count u32,
 *          span*: at u32, run i32, from u32, length u32
 * ```
 * A big argument travels as the reference of its run, and so do the long
 * strings of a reply: with the record, the run changes hands.
 *
 * @module
 */

import type { Arguments } from "../../core/resp/arguments.ts";
import type { ReplyWriter } from "../../core/resp/reply_writer.ts";
import type { FrameReader, FrameWriter } from "./frame.ts";

/** What a command takes along besides its arguments. */
export interface ForwardedCommand {
  /** Number that the reply will carry. */
  readonly request: number;
  /** Session whose command it is. */
  readonly session: number;
  /** Selected database. */
  readonly db: number;
  /** Protocol version of the reply. */
  readonly resp: 2 | 3;
  /** Whether reads leave the access clock alone. */
  readonly noTouch: boolean;
  /** Where the session's cache is told of changes, if it keeps what is read; -1. */
  readonly cacheWorker: number;
}

/** Writes a command; its big arguments change hands. */
export function writeForwarded(
  writer: FrameWriter,
  command: ForwardedCommand,
  args: Arguments,
): void {
  writer.u32(command.request);
  writer.u32(command.session);
  writer.u32(command.db);
  writer.u8(command.resp);
  writer.u8(command.noTouch ? 1 : 0);
  writer.u32(command.cacheWorker);
  writer.u32(args.count);
  for (let i = 0; i < args.count; i++) {
    const run = args.takeBig(i);
    writer.u32(args.length[i]!);
    writer.u32(run);
    if (run === 0) {
      writer.rawBytes(args.source(i), args.off[i]!, args.length[i]!);
    }
  }
}

/** Reads a command into `args`; `addBig` takes over a run. */
export function readForwarded(
  reader: FrameReader,
  args: Arguments,
  addBig: (args: Arguments, run: number, length: number) => void,
): ForwardedCommand {
  const request = reader.u32();
  const session = reader.u32();
  const db = reader.u32();
  const resp = reader.u8() === 3 ? 3 : 2;
  const noTouch = reader.u8() === 1;
  const cacheWorker = reader.i32();
  const count = reader.u32();
  args.clear();
  args.buf = reader.buf;
  for (let i = 0; i < count; i++) {
    const length = reader.u32();
    const run = reader.i32();
    if (run === 0) args.add(reader.skipBytes(length), length);
    else addBig(args, run, length);
  }
  return { request, session, db, resp, noTouch, cacheWorker };
}

/** Writes what a writer holds, and empties it; its runs change hands. */
export function writeForwardedReply(
  writer: FrameWriter,
  request: number,
  reply: ReplyWriter,
): void {
  writer.u32(request);
  writer.bytes(reply.buf, 0, reply.at);
  const spans = reply.spans ?? [];
  writer.u32(spans.length);
  for (const span of spans) {
    writer.u32(span.at);
    writer.u32(span.ref);
    writer.u32(span.from);
    writer.u32(span.length);
  }
  reply.reset();
}

/** Reads a reply and returns what writes it on; its runs change hands. */
export function readForwardedReply(
  reader: FrameReader,
): (reply: ReplyWriter) => void {
  const bytes = reader.bytes();
  const spans = Array.from({ length: reader.u32() }, () => ({
    at: reader.u32(),
    source: null,
    ref: reader.i32(),
    from: reader.u32(),
    length: reader.u32(),
  }));
  return (reply) => reply.append(bytes, spans);
}

/** As if a writer's reply had come from another worker; empties the writer. */
export function takeReply(reply: ReplyWriter): (reply: ReplyWriter) => void {
  const bytes = reply.buf.slice(0, reply.at);
  const spans = reply.spans ?? [];
  reply.reset();
  return (to) => to.append(bytes, spans);
}
