/**
 * What HSCAN, SSCAN and ZSCAN have in common: cursor, options, shape of the
 * reply.
 *
 * A packed value is returned as a whole, with cursor 0. A table is walked as
 * SCAN walks the keyspace: an element that is there from start to end is
 * returned.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { globMatch } from "../base/glob.ts";
import { INVALID_CURSOR, SYNTAX_ERROR } from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { argumentIs, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { parseCursor } from "./scan_cursor.ts";

const MATCH = bytesOf("match");
const COUNT = bytesOf("count");
const NOVALUES = bytesOf("novalues");
const COUNT_DEFAULT = 10;
const STAR = 0x2a;
/** Cursor positions visited per element asked for. */
export const POSITIONS_PER_ELEMENT = 10;

/** Visits the elements of one cursor position; returns the next cursor. */
export type ScanStep = (cursor: number) => number;

/** The arguments of a scan, read anew by each. */
export class ElementScan {
  /** Where to begin. */
  cursor = 0;
  /** Elements asked for. */
  count = COUNT_DEFAULT;
  /** Whether values or scores are left out. */
  isWithoutValues = false;
  #call: Call | undefined;
  #patternAt = 0;
  #start = 0;
  #written = 0;
  #met = 0;

  /** Reads the cursor, behind the key; false after an error reply. */
  readCursor(call: Call): boolean {
    const { args, reply } = call;
    this.#call = call;
    this.cursor = parseCursor(args.source(2), args.off[2]!, args.length[2]!);
    if (!Number.isNaN(this.cursor)) return true;
    reply.error(INVALID_CURSOR);
    return false;
  }

  /**
   * Reads the options, behind the cursor; false after an error reply. Nobody
   * complains about them where there is nothing to scan. `noValues` is the word
   * that leaves values out, if there are some.
   */
  readOptions(takesNoValues: boolean, noValues = NOVALUES): boolean {
    const call = this.#call!;
    const { args, argc, reply } = call;
    this.count = COUNT_DEFAULT;
    this.isWithoutValues = false;
    this.#patternAt = 0;
    for (let i = 3; i < argc; i++) {
      if (takesNoValues && argumentIs(call, i, noValues)) {
        this.isWithoutValues = true;
      } else if (i + 1 < argc && argumentIs(call, i, COUNT)) {
        this.count = readInteger(call, ++i);
        if (Number.isNaN(this.count)) return false;
        if (this.count < 1) {
          reply.error(SYNTAX_ERROR);
          return false;
        }
      } else if (i + 1 < argc && argumentIs(call, i, MATCH)) {
        i++;
        const matchesAll = args.length[i] === 1 &&
          args.source(i)[args.off[i]!] === STAR;
        this.#patternAt = matchesAll ? 0 : i;
      } else {
        reply.error(SYNTAX_ERROR);
        return false;
      }
    }
    return true;
  }

  /** Whether an element that is met is to be returned. */
  accepts(buf: Uint8Array, off: number, length: number): boolean {
    this.#met++;
    if (this.#patternAt === 0) return true;
    const { args } = this.#call!;
    return globMatch(
      args.source(this.#patternAt),
      args.off[this.#patternAt]!,
      args.length[this.#patternAt]!,
      buf,
      off,
      length,
      false,
    );
  }

  /** Counts replies that a visitor has written. */
  wrote(replies: number): void {
    this.#written += replies;
  }

  /** Steps through the value and replies cursor and elements. */
  run(step: ScanStep): void {
    const { reply } = this.#call!;
    this.#start = reply.at;
    this.#written = 0;
    this.#met = 0;
    let cursor = this.cursor;
    let positions = 0;
    do {
      cursor = step(cursor);
      positions++;
    } while (
      cursor !== 0 && this.#written < this.count && this.#met < this.count &&
      positions < this.count * POSITIONS_PER_ELEMENT
    );
    this.#finish(reply, cursor);
  }

  /** Replies that there is nothing. */
  replyEmpty(): void {
    const { reply } = this.#call!;
    reply.array(2);
    reply.bulkInteger(0);
    reply.array(0);
  }

  /** Puts the head, whose count shows only now, before the elements. */
  #finish(reply: ReplyWriter, cursor: number): void {
    const middle = reply.at;
    reply.array(2);
    reply.bulkInteger(cursor >>> 0);
    reply.array(this.#written);
    reply.exchange(this.#start, middle);
  }
}
