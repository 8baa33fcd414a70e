/**
 * Splits an inline request into arguments, with the quoting of redis-cli:
 * `"..."` with escapes, `'...'` with `\'`.
 *
 * Quoted arguments are unescaped where they stand, which never makes them
 * longer.
 *
 * @module
 */

import type { Arguments } from "./arguments.ts";

const QUOTE = 34;
const APOSTROPHE = 39;
const BACKSLASH = 92;

/** Fills `args` from the line; false when quotes are unbalanced. */
export function splitInline(
  args: Arguments,
  from: number,
  to: number,
): boolean {
  const buf = args.buf;
  let p = from;
  while (true) {
    while (p < to && isSpace(buf[p]!)) p++;
    if (p >= to) return true;
    const start = p;
    let write = p;
    while (p < to && !isSpace(buf[p]!)) {
      const c = buf[p]!;
      if (c === 0) return true;
      if (c !== QUOTE && c !== APOSTROPHE) {
        buf[write++] = c;
        p++;
        continue;
      }
      p++;
      let closed = false;
      while (p < to && !closed) {
        const d = buf[p]!;
        if (d === c) {
          // A closing quote ends the argument.
          if (p + 1 < to && !isSpace(buf[p + 1]!)) return false;
          closed = true;
          p++;
        } else if (c === QUOTE && d === BACKSLASH && p + 1 < to) {
          p += unescape(buf, p, to, write++);
        } else if (
          c === APOSTROPHE && d === BACKSLASH && buf[p + 1] === APOSTROPHE &&
          p + 1 < to
        ) {
          buf[write++] = APOSTROPHE;
          p += 2;
        } else {
          buf[write++] = d;
          p++;
        }
      }
      if (!closed) return false;
    }
    args.add(start, write - start);
  }
}

/** Writes the character that the escape at `p` means; returns its length. */
function unescape(
  buf: Uint8Array,
  p: number,
  to: number,
  write: number,
): number {
  const c = buf[p + 1]!;
  if (c === 120 && p + 3 < to) {
    const high = hexDigit(buf[p + 2]!);
    const low = hexDigit(buf[p + 3]!);
    if (high >= 0 && low >= 0) {
      buf[write] = high * 16 + low;
      return 4;
    }
  }
  buf[write] = ESCAPES.get(c) ?? c;
  return 2;
}

const ESCAPES = new Map([[110, 10], [114, 13], [116, 9], [98, 8], [97, 7]]);

function hexDigit(c: number): number {
  if (c >= 48 && c <= 57) return c - 48;
  const lower = c | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

function isSpace(c: number): boolean {
  return c === 32 || (c >= 9 && c <= 13);
}
