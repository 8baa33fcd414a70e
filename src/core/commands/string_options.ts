/**
 * The options of SET and GETEX, which say whether to act and what becomes of
 * the expire.
 *
 * - `NX` and `XX` exclude each other, and so do all that concern the expire:
 *   `EX`, `PX`, `EXAT`, `PXAT`, `KEEPTTL`, `PERSIST`.
 * - An option may be repeated; the last time given counts.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { argumentIs } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { MILLISECONDS, readExpireMs, SECONDS } from "./expire_time.ts";

/** Only if the key does not exist. */
export const NX = 1 << 0;
/** Only if the key exists. */
export const XX = 1 << 1;
/** Reply what the key held before. */
export const GET = 1 << 2;
/** The expire stays as it is. */
export const KEEPTTL = 1 << 3;
/** The expire is removed. */
export const PERSIST = 1 << 4;
/** Seconds from now. */
export const EX = 1 << 5;
/** Milliseconds from now. */
export const PX = 1 << 6;
/** Seconds of the epoch. */
export const EXAT = 1 << 7;
/** Milliseconds of the epoch. */
export const PXAT = 1 << 8;

const TIMES = EX | PX | EXAT | PXAT;
const ABOUT_EXPIRE = TIMES | KEEPTTL | PERSIST;

/** What SET takes. */
export const SET_OPTIONS = NX | XX | GET | KEEPTTL | TIMES;
/** What GETEX takes. */
export const GETEX_OPTIONS = PERSIST | TIMES;

const WORDS = ["nx", "xx", "get", "keepttl", "persist", "ex", "px", "exat"]
  .concat("pxat").map(bytesOf);

const GET_WORD = WORDS[2]!;

/** The options of one command; read anew for each. */
export class StringOptions {
  /** Bits of the options given. */
  flags = 0;
  #timeAt = 0;

  /** Reads the arguments from `from` on; false if they are no options. */
  read(call: Call, from: number, allowed: number): boolean {
    const argc = call.argc;
    let flags = 0;
    for (let i = from; i < argc; i++) {
      const option = optionAt(call, i) & allowed;
      if (option === 0 || (flags & excludedBy(option)) !== 0) return false;
      flags |= option;
      if ((option & TIMES) === 0) continue;
      if (++i === argc) return false;
      this.#timeAt = i;
    }
    this.flags = flags;
    return true;
  }

  /**
   * When the key shall expire, 0 if no time was given, or NaN after an error
   * reply, which names `command`.
   */
  readExpireMs(call: Call, command: string): number {
    const flags = this.flags;
    if ((flags & TIMES) === 0) return 0;
    return readExpireMs(
      call,
      this.#timeAt,
      (flags & (EX | EXAT)) !== 0 ? SECONDS : MILLISECONDS,
      (flags & (EX | PX)) !== 0 ? call.nowMs : 0,
      false,
      command,
    );
  }
}

/** The options that may not stand before this one. */
function excludedBy(option: number): number {
  if (option === NX) return XX;
  if (option === XX) return NX;
  return (option & ABOUT_EXPIRE) === 0 ? 0 : ABOUT_EXPIRE & ~option;
}

/** Whether argument `i` is the option GET. */
export function isGetAt(call: Call, i: number): boolean {
  return argumentIs(call, i, GET_WORD);
}

function optionAt(call: Call, i: number): number {
  for (let bit = 0; bit < WORDS.length; bit++) {
    if (argumentIs(call, i, WORDS[bit]!)) return 1 << bit;
  }
  return 0;
}
