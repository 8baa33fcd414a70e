/**
 * Replies about very many arguments of a command that only reads, in slices: the
 * key is locked for reading meanwhile, and its value kept as it was.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import { releaseValue, shareValue } from "../keyspace/shared_value.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import { GatheredReply } from "./gathered_reply.ts";
import { argumentWeight, endOfSlice } from "./many_arguments.ts";

/** Bytes of replies after which a slice ends. */
const SLICE_BYTES = 1 << 17;

/**
 * Replies what the value of an entry, or of none if `ref` is 0, says about
 * argument `i`.
 */
export type Answer = (
  space: Keyspace,
  ref: number,
  args: Arguments,
  i: number,
  reply: ReplyWriter,
  nowMs: number,
) => void;

/** The array of what is replied about all arguments from one on. */
export class ArgumentAnswers implements SlicedChange {
  readonly isRead = true;
  readonly isLong = true;
  readonly #answer: Answer;
  readonly #nowMs: number;
  readonly #count: number;
  readonly #gathered: GatheredReply;
  /** Keeps the value; 0 for none. */
  #reading = 0;
  #isBegun = false;
  #at: number;

  constructor({ argc, nowMs, reply }: Call, answer: Answer, from = 2) {
    this.#answer = answer;
    this.#nowMs = nowMs;
    this.#at = from;
    this.#count = argc - from;
    this.#gathered = new GatheredReply(reply);
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    if (!this.#isBegun && ref !== 0) this.#reading = shareValue(space, ref);
    this.#isBegun = true;
    const gathered = this.#gathered;
    const most = gathered.cost + SLICE_BYTES;
    const end = endOfSlice(args, this.#at, 1, argumentWeight(space, ref));
    for (; this.#at < end && gathered.cost < most; this.#at++) {
      const writer = gathered.writer();
      this.#answer(space, this.#reading, args, this.#at, writer, this.#nowMs);
    }
    return this.#at < args.count;
  }

  finish(space: Keyspace): LateReply {
    this.drop(space);
    return (reply) => {
      reply.array(this.#count);
      this.#gathered.reply(reply);
    };
  }

  drop(space: Keyspace): void {
    if (this.#reading !== 0) releaseValue(space, this.#reading);
    this.#reading = 0;
  }
}
