/**
 * What XCLAIM is told: which entries are to be claimed, and what is to be made of
 * them. All of it is read before anything is done, that of a long request part by
 * part.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { DOUBLE_ZERO } from "../base/steady_code.ts";
import { Int64, parseInt64 } from "../base/int64.ts";
import {
  type ErrorReply,
  unrecognizedXclaimOption,
  XCLAIM_IDLE_INVALID,
  XCLAIM_RETRYCOUNT_INVALID,
  XCLAIM_TIME_INVALID,
} from "../resp/error_reply.ts";
import { StreamId } from "../types/stream_id.ts";
import { argumentIs, bigIntegerAt, safeIntegerAt } from "./arg_reader.ts";
import type { Output } from "./sliced_output.ts";
import { idAt, IdList, readId } from "./stream_args.ts";

const IDLE = bytesOf("idle");
const TIME = bytesOf("time");
const RETRYCOUNT = bytesOf("retrycount");
const FORCE = bytesOf("force");
const JUSTID = bytesOf("justid");
const LASTID = bytesOf("lastid");

/** The argument that is the first ID. */
export const FIRST_ID = 5;

/** Where arguments are read from, and errors replied. */
export type ClaimInput = Pick<Output, "args" | "reply" | "clockMs">;

const ID = new StreamId();

/** Read anew by each command. */
export class ClaimArguments {
  readonly ids: IdList = new IdList();
  isForced = false;
  isJustId = false;
  deliveredAtMs = DOUBLE_ZERO;
  hasDeliveries = false;
  readonly deliveries: Int64 = new Int64();
  readonly lastId: StreamId = new StreamId();
  /** The next argument. */
  #at = FIRST_ID;
  /** Whether it is an option, or an ID that may be one. */
  #isBehindIds = false;
  #atMs = DOUBLE_ZERO;

  /** Begins at the first ID. */
  begin({ clockMs }: ClaimInput): void {
    this.ids.clear();
    this.isForced = this.isJustId = this.hasDeliveries = false;
    this.lastId.setLeast();
    this.#at = FIRST_ID;
    this.#isBehindIds = false;
    this.#atMs = clockMs;
  }

  /** Whether there is more to be read. */
  isLeft({ args }: ClaimInput): boolean {
    return this.#at < args.count;
  }

  /** Reads up to `count` arguments or a few more; false after an error reply. */
  read(input: ClaimInput, count: number): boolean {
    const argc = input.args.count;
    const end = Math.min(argc, this.#at + count);
    for (; !this.#isBehindIds && this.#at < end; this.#at++) {
      this.#isBehindIds = !idAt(input, this.#at, ID);
      if (this.#isBehindIds) break;
      this.ids.add(ID);
    }
    for (; this.#at < end; this.#at++) {
      if (!this.#readOption(input, this.#at + 1 < argc)) return false;
    }
    // A time that makes no sense is no error: clocks differ.
    const { clockMs } = input;
    const atMs = this.#atMs;
    this.deliveredAtMs = atMs < 0 || atMs > clockMs ? clockMs : atMs;
    return true;
  }

  #readOption(input: ClaimInput, hasMore: boolean): boolean {
    const i = this.#at;
    if (argumentIs(input, i, FORCE)) this.isForced = true;
    else if (argumentIs(input, i, JUSTID)) this.isJustId = true;
    else if (hasMore && argumentIs(input, i, IDLE)) {
      const idleMs = readFor(input, ++this.#at, XCLAIM_IDLE_INVALID);
      this.#atMs = input.clockMs - idleMs;
    } else if (hasMore && argumentIs(input, i, TIME)) {
      this.#atMs = readFor(input, ++this.#at, XCLAIM_TIME_INVALID);
    } else if (hasMore && argumentIs(input, i, RETRYCOUNT)) {
      return this.#readDeliveries(input, ++this.#at);
    } else if (hasMore && argumentIs(input, i, LASTID)) {
      return readId(input, ++this.#at, this.lastId);
    } else {
      input.reply.error(unrecognizedXclaimOption(input.args.copy(i)));
      return false;
    }
    return !Number.isNaN(this.#atMs);
  }

  #readDeliveries({ args, reply }: ClaimInput, i: number): boolean {
    const { deliveries } = this;
    const off = args.off[i]!;
    if (!parseInt64(args.source(i), off, args.length[i]!, deliveries)) {
      reply.error(XCLAIM_RETRYCOUNT_INVALID);
      return false;
    }
    this.hasDeliveries = deliveries.hi >= 0;
    return true;
  }
}

/** Argument `i`, an integer of 64 bits; NaN after an error reply. */
export function readFor(
  input: Pick<ClaimInput, "args" | "reply">,
  i: number,
  error: ErrorReply,
): number {
  const n = safeIntegerAt(input, i);
  if (!Number.isNaN(n)) return n;
  const big = bigIntegerAt(input, i);
  if (big !== null) return Number(big);
  input.reply.error(error);
  return NaN;
}
