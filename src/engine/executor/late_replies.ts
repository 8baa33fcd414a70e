/**
 * Replies of which parts come later: those of a transaction that asks other
 * workers something.
 *
 * @module
 */

import type { LateReply } from "../../core/commands/command_spec.ts";
import type { ReplyWriter } from "../../core/resp/reply_writer.ts";

/** A part that comes later, and where in the reply it belongs. */
export interface LatePiece {
  /** Position, counted from the reply's start. */
  readonly at: number;
  /** Writes it. */
  readonly promise: Promise<LateReply>;
}

/**
 * Takes back what was written from `start` on, and promises to write it again
 * together with the late pieces.
 */
export async function joinLateReplies(
  reply: ReplyWriter,
  start: number,
  pieces: readonly LatePiece[],
): Promise<LateReply> {
  const bytes = reply.buf.slice(start, reply.at);
  const spans = reply.rewind(start).map((span) => ({
    ...span,
    at: span.at - start,
  }));
  const late = await Promise.all(pieces.map((piece) => piece.promise));
  return (writer) => {
    let from = 0;
    const copyTo = (to: number) => {
      const inside = spans
        .filter(({ at }) => at > from && at <= to)
        .map((span) => ({ ...span, at: span.at - from }));
      writer.append(bytes.subarray(from, to), inside);
      from = to;
    };
    pieces.forEach((piece, i) => {
      copyTo(piece.at);
      late[i]!(writer);
    });
    copyTo(bytes.length);
  };
}
