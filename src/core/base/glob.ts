/**
 * Glob patterns as KEYS, SCAN and PSUBSCRIBE understand them, byte for byte.
 *
 * - `*` any run of bytes, also none; `?` any byte;
 * - `[abc]` one of these bytes, `[a-z]` one of a range (its ends in any order),
 *   `[^abc]` none of these; `\` takes the next byte literally, also in a class;
 * - a class that is not closed ends with the pattern, a `\` at the end of the
 *   pattern is itself;
 * - bytes are compared as Redis's `char`: 0x80 to 0xff come before 0x00 in a
 *   range;
 * - without case, ASCII letters are equal, but not escaped ones in a class;
 * - an empty text is matched by the empty pattern only, not by `*`.
 *
 * A mismatch goes back to the last `*` and lets it take one byte more. Earlier
 * stars need not be tried again: they could only leave less text to the rest.
 * So the time is at most the product of both lengths, not exponential. As in
 * Redis, a pattern with more than 1000 stars matches nothing if the match gets
 * so far.
 *
 * @module
 */

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;
const CARET = 0x5e;
const DASH = 0x2d;

/** Groups of stars that a match may go through. */
const STARS_MAX = 1000;

/** Whether the text matches the pattern; both are runs of bytes. */
export function globMatch(
  pat: Uint8Array,
  patOff: number,
  patLen: number,
  str: Uint8Array,
  strOff: number,
  strLen: number,
  nocase: boolean,
): boolean {
  const patEnd = patOff + patLen;
  const strEnd = strOff + strLen;
  let p = patOff;
  let s = strOff;
  if (s === strEnd) return p === patEnd;

  let stars = 0;
  /** Where the pattern goes on after the last star; -1 before the first. */
  let afterStar = -1;
  /** Where the text goes on after what the last star takes. */
  let resume = 0;
  while (true) {
    if (p < patEnd && pat[p] === STAR) {
      do p++; while (p < patEnd && pat[p] === STAR);
      if (p === patEnd) return true;
      if (++stars > STARS_MAX) return false;
      afterStar = p;
      resume = s;
    }
    if (p < patEnd && matchesOne(pat, p, patEnd, str[s]!, nocase)) {
      p = afterOne(pat, p, patEnd);
      s++;
      if (s < strEnd) continue;
      // The text is used up: so must be the pattern, but for stars.
      while (p < patEnd && pat[p] === STAR) p++;
      return p === patEnd;
    }
    if (afterStar < 0) return false;
    p = afterStar;
    s = ++resume;
    if (s === strEnd) return false;
  }
}

/** Whether a run matches, case included; a pattern that is null matches any. */
export function globMatchRun(
  pattern: Uint8Array | null,
  { buf, off, length }: {
    readonly buf: Uint8Array;
    readonly off: number;
    readonly length: number;
  },
): boolean {
  return pattern === null ||
    globMatch(pattern, 0, pattern.length, buf, off, length, false);
}

/**
 * How many bytes at the beginning of a pattern stand for themselves: all of
 * them if the pattern is a plain text.
 */
export function globLiteralPrefix(
  pat: Uint8Array,
  patOff: number,
  patLen: number,
): number {
  for (let i = 0; i < patLen; i++) {
    switch (pat[patOff + i]) {
      case STAR:
      case QUESTION:
      case OPEN:
      case BACKSLASH:
        return i;
    }
  }
  return patLen;
}

/** Whether the part of the pattern at `p`, not a star, stands for `byte`. */
function matchesOne(
  pat: Uint8Array,
  p: number,
  end: number,
  byte: number,
  nocase: boolean,
): boolean {
  let expected = pat[p]!;
  if (expected === QUESTION) return true;
  if (expected === OPEN) return matchesClass(pat, p + 1, end, byte, nocase);
  if (expected === BACKSLASH && p + 1 < end) expected = pat[p + 1]!;
  if (expected === byte) return true;
  return nocase && lower(expected) === lower(byte);
}

/** Where the pattern goes on after the part at `p`, which is not a star. */
function afterOne(pat: Uint8Array, p: number, end: number): number {
  if (pat[p] === BACKSLASH && p + 1 < end) return p + 2;
  return pat[p] === OPEN ? afterClass(pat, p + 1, end) : p + 1;
}

/** Whether the class whose inside begins at `p` contains `byte`. */
function matchesClass(
  pat: Uint8Array,
  p: number,
  end: number,
  byte: number,
  nocase: boolean,
): boolean {
  const negated = p < end && pat[p] === CARET;
  if (negated) p++;
  let found = false;
  while (p < end && pat[p] !== CLOSE && !found) {
    if (pat[p] === BACKSLASH && p + 1 < end) {
      found = pat[p + 1] === byte;
      p += 2;
    } else if (isRange(pat, p, end)) {
      found = inRange(pat[p]!, pat[p + 2]!, byte, nocase);
      p += 3;
    } else {
      found = pat[p] === byte || nocase && lower(pat[p]!) === lower(byte);
      p++;
    }
  }
  return found !== negated;
}

/** Where the pattern goes on after the class whose inside begins at `p`. */
function afterClass(pat: Uint8Array, p: number, end: number): number {
  if (p < end && pat[p] === CARET) p++;
  while (p < end && pat[p] !== CLOSE) {
    if (pat[p] === BACKSLASH && p + 1 < end) p += 2;
    else p += isRange(pat, p, end) ? 3 : 1;
  }
  return p < end ? p + 1 : end;
}

/** Whether `a-b` stands at `p`; `b` may be anything, also a bracket. */
function isRange(pat: Uint8Array, p: number, end: number): boolean {
  return p + 2 < end && pat[p + 1] === DASH;
}

function inRange(
  one: number,
  other: number,
  byte: number,
  nocase: boolean,
): boolean {
  // Signed, and ordered before the case is dropped, both as in Redis.
  let low = signed(one);
  let high = signed(other);
  if (low > high) [low, high] = [high, low];
  if (nocase) {
    low = lower(low);
    high = lower(high);
    byte = lower(byte);
  }
  const value = signed(byte);
  return value >= low && value <= high;
}

function signed(byte: number): number {
  return byte << 24 >> 24;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
}
