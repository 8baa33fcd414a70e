/**
 * Arguments and sessions as commands about the server look at them.
 *
 * @module
 */

import { asciiOf, latin1BytesOf } from "../../../core/base/bytes.ts";
import {
  parseBigInteger,
  parseSafeInteger,
} from "../../../core/base/integer.ts";
import type { Arguments } from "../../../core/resp/arguments.ts";
import type { ReplyWriter } from "../../../core/resp/reply_writer.ts";
import type { Session } from "../../../engine/executor/session.ts";
import type { ServerCall } from "../server_call.ts";

/** An argument as a byte text. */
export function textAt({ args }: ServerCall, i: number): string {
  return asciiOf(args.source(i), args.off[i]!, args.length[i]!);
}

/** An argument as an integer of 64 bits, the nearest double; NaN if none. */
export function integerAt({ args }: ServerCall, i: number): number {
  const buf = args.source(i);
  const off = args.off[i]!;
  const length = args.length[i]!;
  const n = parseSafeInteger(buf, off, length);
  if (!Number.isNaN(n)) return n;
  const big = parseBigInteger(buf, off, length);
  return big === null ? NaN : Number(big);
}

/**
 * Whether an argument may become the name of a client or of its library: CLIENT
 * LIST stays easy to split as long as none has spaces or line ends.
 */
export function isAttribute(args: Arguments, i: number): boolean {
  const buf = args.source(i);
  const off = args.off[i]!;
  for (let at = off, end = off + args.length[i]!; at < end; at++) {
    if (buf[at]! < 0x21 || buf[at]! > 0x7e) return false;
  }
  return true;
}

/** The arguments from the i-th on, as byte texts. */
export function textsFrom(call: ServerCall, i: number): string[] {
  const texts: string[] = [];
  for (; i < call.argc; i++) texts.push(textAt(call, i));
  return texts;
}

/** Writes a byte text as a bulk string. */
export function bulkByteText(reply: ReplyWriter, text: string): void {
  reply.bulk(latin1BytesOf(text), 0, text.length);
}

/** Whether the client is on this machine, as far as its address tells. */
export function isLocal(session: Session): boolean {
  return session.isUnix || session.address.startsWith("127.") ||
    session.address.startsWith("[::1]") ||
    session.address.startsWith("[::ffff:127.");
}
