/**
 * Replies that are written while the peer takes them.
 *
 * The elements of a large collection are not turned into one large reply: the
 * command writes the head and leaves a source behind it, which is asked for
 * more whenever the socket has room.
 *
 * @module
 */

import type { ExternalStrings } from "../memory/external.ts";
import type { ReplySpan, ReplyWriter } from "./reply_writer.ts";

/** The rest of a reply. No latch is held when it is called. */
export interface ReplySource {
  /**
   * Writes about `bytes` more, whole elements only, or nothing yet, if it has
   * looked for long; says whether that was all, and lets go of what it held then.
   */
  write(writer: ReplyWriter, bytes: number): boolean;
  /** Lets go: the rest is not wanted. */
  drop(): void;
}

/** Lets go of what a mark stands for. */
export function dropSpan(span: ReplySpan, externals: ExternalStrings): void {
  if (span.source !== null) span.source.drop();
  else externals.unpin(span.ref);
}

/** Takes back what was written from `at` on, and what it is read from. */
export function takeBackReply(
  reply: ReplyWriter,
  at: number,
  externals: ExternalStrings,
): void {
  for (const span of reply.rewind(at)) dropSpan(span, externals);
}
