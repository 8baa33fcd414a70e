/**
 * The options of XADD and XTRIM: how to trim, which ID to give.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import {
  LIMIT_WITHOUT_STRATEGY,
  LIMIT_WITHOUT_TILDE,
  STREAM_ID_INVALID,
  SYNTAX_ERROR,
  TRIM_LIMIT_NEGATIVE,
  TRIM_MAXLEN_NEGATIVE,
  TRIM_STRATEGIES,
  XTRIM_WITHOUT_STRATEGY,
} from "../resp/error_reply.ts";
import { ID_ANY_SEQUENCE, ID_INVALID, StreamId } from "../types/stream_id.ts";
import { StreamTrim } from "../types/stream_log.ts";
import { argumentIs, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { OPTIONS_MAX } from "./command_spec.ts";
import { argumentIsCharacter, readId } from "./stream_args.ts";
import { beginSpare } from "./stream_entry.ts";

const MAXLEN = bytesOf("maxlen");
const MINID = bytesOf("minid");
/** Limits how much work trimming may be. */
export const LIMIT: Uint8Array = bytesOf("limit");
const NOMKSTREAM = bytesOf("nomkstream");
const STAR = 0x2a;
const TILDE = 0x7e;
const EQUALS = 0x3d;

/** Nodes that approximate trimming takes at a time, unless LIMIT says it. */
const TRIMMED_NODES = 100;
const LIMIT_DEFAULT = 10_000;
const LIMIT_MAX = 1_000_000;

/** Nodes from which on those that go are freed later. */
const SPARED_NODES_MIN = 256;

/** The options, read anew by each command. */
export class StreamOptions {
  /** How to trim, if at all. */
  readonly trim: StreamTrim = new StreamTrim();
  /** Whether to trim. */
  hasTrim = false;
  /** Whether a stream that is not there is left alone. */
  isWithoutMaking = false;
  /** Whether an ID is given, in part or in full. */
  hasId = false;
  /** Whether its sequence number is. */
  hasSequence = false;
  /** That ID. */
  readonly id: StreamId = new StreamId();
  /** The argument of the ID. */
  idAt = 0;
  /** The argument of the threshold to trim to. */
  thresholdAt = 0;
  /** How often LIMIT is given. */
  limits = 0;
  #hasLimit = false;

  /** Reads the options behind the key; false after an error reply. */
  read(call: Call, isAdding: boolean): boolean {
    const { trim } = this;
    this.hasTrim = this.isWithoutMaking = this.#hasLimit = false;
    this.hasId = this.hasSequence = false;
    trim.maxLength = Infinity;
    trim.isApproximate = false;
    trim.limit = 0;
    this.limits = 0;
    const { argc, reply } = call;
    let i = 2;
    for (; i < argc; i++) {
      const hasMore = i + 1 < argc;
      if (i > OPTIONS_MAX) {
        reply.error(SYNTAX_ERROR);
        return false;
      }
      if (isAdding && argumentIsCharacter(call, i, STAR)) break;
      if (hasMore && argumentIs(call, i, MAXLEN)) i = this.#readMaxlen(call, i);
      else if (hasMore && argumentIs(call, i, MINID)) {
        i = this.#readMinid(call, i);
      } else if (hasMore && argumentIs(call, i, LIMIT)) {
        trim.limit = readInteger(call, ++i);
        if (Number.isNaN(trim.limit)) return false;
        if (trim.limit < 0) {
          reply.error(TRIM_LIMIT_NEGATIVE);
          return false;
        }
        this.#hasLimit = true;
        this.limits++;
      } else if (isAdding && argumentIs(call, i, NOMKSTREAM)) {
        this.isWithoutMaking = true;
      } else if (isAdding) {
        if (!this.#readNewId(call, i)) return false;
        break;
      } else {
        reply.error(SYNTAX_ERROR);
        return false;
      }
      if (i === 0) return false;
    }
    this.idAt = i;
    return this.#finish(call, isAdding);
  }

  /** Returns the argument that was read last, or 0 after an error reply. */
  #readMaxlen(call: Call, at: number): number {
    const i = this.#readOperator(call, at);
    if (i === 0) return 0;
    const n = readInteger(call, i);
    if (Number.isNaN(n)) return 0;
    if (n < 0) {
      call.reply.error(TRIM_MAXLEN_NEGATIVE);
      return 0;
    }
    this.trim.maxLength = n;
    return i;
  }

  #readMinid(call: Call, at: number): number {
    const i = this.#readOperator(call, at);
    return i !== 0 && readId(call, i, this.trim.minId) ? i : 0;
  }

  /** Reads `=` or `~`; returns the argument of the threshold. */
  #readOperator(call: Call, at: number): number {
    if (this.hasTrim) {
      call.reply.error(TRIM_STRATEGIES);
      return 0;
    }
    this.hasTrim = true;
    this.thresholdAt = this.#thresholdAt(call, at);
    return this.thresholdAt;
  }

  #thresholdAt(call: Call, at: number): number {
    if (at + 2 >= call.argc) return at + 1;
    if (argumentIsCharacter(call, at + 1, TILDE)) {
      this.trim.isApproximate = true;
      return at + 2;
    }
    return argumentIsCharacter(call, at + 1, EQUALS) ? at + 2 : at + 1;
  }

  #readNewId(call: Call, i: number): boolean {
    const { args } = call;
    const found = this.id.parse(args.source(i), args.off[i]!, args.length[i]!);
    if (found === ID_INVALID) {
      call.reply.error(STREAM_ID_INVALID);
      return false;
    }
    this.hasId = true;
    this.hasSequence = found !== ID_ANY_SEQUENCE;
    return true;
  }

  #finish(call: Call, isAdding: boolean): boolean {
    const { trim } = this;
    const { reply, settings } = call;
    if (trim.limit !== 0 && !this.hasTrim) {
      reply.error(LIMIT_WITHOUT_STRATEGY);
      return false;
    }
    if (!isAdding && !this.hasTrim) {
      reply.error(XTRIM_WITHOUT_STRATEGY);
      return false;
    }
    if (this.#hasLimit) {
      if (trim.isApproximate) return true;
      reply.error(LIMIT_WITHOUT_TILDE);
      return false;
    }
    if (trim.isApproximate) {
      const entries = TRIMMED_NODES * settings.streamNodeMaxEntries;
      trim.limit = entries <= 0 ? LIMIT_DEFAULT : Math.min(entries, LIMIT_MAX);
    }
    return true;
  }
}

/**
 * Trims a stream and returns how many entries went. What goes of a long one is
 * put aside, to be freed in slices. As {@linkcode StreamLog.trim}, it ends after
 * so many leaves.
 */
export function trimStream(
  space: Keyspace,
  ref: number,
  trim: StreamTrim,
  leaves = Infinity,
): number {
  const { streams } = space.values;
  if (streams.log.nodeCount(ref) < SPARED_NODES_MIN) {
    return streams.log.trim(ref, trim, 0, leaves);
  }
  const removed = streams.log.trim(ref, trim, beginSpare(space), leaves);
  space.begun.drop();
  return removed;
}
