/**
 * What a change in slices replies and records: it is kept, as bytes, until all is
 * done.
 *
 * It has the properties of a call that those read who write entries and record
 * them, so that they need not know which of the two they serve.
 *
 * @module
 */

import { EffectDraft } from "../keyspace/effect_draft.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import { type EffectSink, NOT_RECORDED } from "../keyspace/effect_sink.ts";
import type { Arguments } from "../resp/arguments.ts";
import { REPLY_BUFFER_BYTES, ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";
import type { StagedNodes } from "./staged_nodes.ts";
import {
  pieceOf,
  type ReplyPiece,
  replyPieces,
  writerLike,
} from "./gathered_reply.ts";

/** Bytes of most heads. */
const HEAD_BYTES = 64;

/** Where a command writes and records, and when it came. */
export interface Output {
  readonly reply: ReplyWriter;
  readonly effects: EffectSink;
  readonly args: Arguments;
  readonly db: number;
  /** As {@linkcode Call.nowMs}. */
  readonly nowMs: number;
  /** As {@linkcode Call.clockMs}. */
  readonly clockMs: number;
  /** As {@linkcode Call.staged}, of a command that is not in slices. */
  readonly staged?: StagedNodes | null;
}

/** The output of one change. */
export class SlicedOutput implements Output {
  readonly effects: EffectSink;
  readonly db: number;
  readonly nowMs: number;
  readonly clockMs: number;
  /** Those of the slice at hand. */
  args: Arguments;
  /** Where the slice at hand writes. */
  reply: ReplyWriter;
  readonly #draft: EffectDraft | null;
  readonly #pieces: ReplyPiece[] = [];

  constructor(
    { effects, db, nowMs, clockMs, args, reply }: Pick<
      Call,
      "effects" | "db" | "nowMs" | "clockMs" | "args" | "reply"
    >,
  ) {
    this.#draft = effects.isOn ? new EffectDraft() : null;
    this.effects = this.#draft ?? NOT_RECORDED;
    this.db = db;
    this.nowMs = nowMs;
    this.clockMs = clockMs;
    this.args = args;
    this.reply = writerLike(reply);
  }

  /** Takes what a command has replied so far, between two places. */
  takeReply(
    { reply }: Pick<Call, "reply">,
    from: number,
    to: number,
  ): void {
    const { bytes, spans } = pieceOf(reply, from, to);
    this.#pieces.push({ bytes: bytes.slice(), spans });
  }

  /** Takes what a command has recorded so far in its place. */
  takeEffects({ effects }: Call): void {
    if (this.#draft !== null) effects.moveInto(this.#draft);
  }

  /** Ends a piece: returns its number, before which others can be put. */
  endPiece(): number {
    const { reply } = this;
    if (reply.at > 0) {
      this.#pieces.push(pieceOf(reply, 0, reply.at));
      this.reply = writerLike(reply);
    }
    return this.#pieces.length;
  }

  /**
   * Forgets what stands between two places of what is being written: ends a piece
   * at the first, and with the second begins another, whose number it returns.
   */
  splitAt(before: number, from: number): number {
    const { bytes, spans } = pieceOf(this.reply, from, this.reply.at);
    const rest = { bytes: bytes.slice(), spans };
    this.reply.rewind(before);
    const piece = this.endPiece();
    this.#pieces.push(rest);
    return piece;
  }

  /** Puts what is written by `write` before a piece. */
  insert(piece: number, write: (reply: ReplyWriter) => void): void {
    const head = new ReplyWriter(HEAD_BYTES);
    head.resp = this.reply.resp;
    write(head);
    this.#pieces.splice(piece, 0, pieceOf(head, 0, head.at));
  }

  /** A slice has ended. */
  endSlice(): void {
    if (this.reply.at >= REPLY_BUFFER_BYTES) this.endPiece();
  }

  /** Records all, in the place of the command. */
  record(effects: EffectLog): void {
    // A log that has begun meanwhile begins with what is left.
    if (effects.isOn && this.#draft === null) effects.silence();
    else this.#draft?.recordIn(effects);
  }

  /** Replies all that was written. */
  writeTo(reply: ReplyWriter): void {
    this.endPiece();
    replyPieces(reply, this.#pieces);
  }
}
