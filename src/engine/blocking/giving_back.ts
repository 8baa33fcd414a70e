/**
 * Giving back: what a blocking command took for a client that is gone goes back
 * to the end of the key that it came from.
 *
 * The reply, which nobody will read, says what that was: a key with an element
 * (BLPOP), with elements (BLMPOP), with a member and its score (BZPOPMIN), or
 * with such pairs (BZMPOP). Out of it comes a command that puts it there again;
 * it runs like that of any client, so that the next one who waits is served.
 *
 * @module
 */

import { bytesOf } from "../../core/base/bytes.ts";
import type { WaitUndo } from "../../core/commands/call.ts";

const CR = 13;
const ARRAY = 42;
const BULK = 36;
const DOUBLE = 44;

/**
 * The arguments of the command that gives back what `reply` tells of; null if
 * that is nothing.
 */
export function giveBackArguments(
  undo: WaitUndo,
  reply: Uint8Array,
): Uint8Array[] | null {
  if (undo === "" || reply[0] !== ARRAY) return null;
  const texts = textsOf(reply);
  const key = texts.shift();
  if (key === undefined || texts.length === 0) return null;
  // Elements come in the order in which they were taken, so the last goes first.
  if (undo !== "ZADD") return [bytesOf(undo), key, ...texts.reverse()];
  const pairs: Uint8Array[] = [];
  for (let i = 0; i + 1 < texts.length; i += 2) {
    pairs.push(texts[i + 1]!, texts[i]!);
  }
  return [bytesOf(undo), key, ...pairs];
}

/** The strings and doubles of a reply, whatever arrays they are in. */
function textsOf(reply: Uint8Array): Uint8Array[] {
  const texts: Uint8Array[] = [];
  let at = 0;
  while (at < reply.length) {
    const kind = reply[at];
    const end = reply.indexOf(CR, at);
    const line = reply.subarray(at + 1, end);
    at = end + 2;
    if (kind === DOUBLE) texts.push(line);
    if (kind !== BULK) continue;
    let length = 0;
    for (const digit of line) length = length * 10 + digit - 48;
    texts.push(reply.subarray(at, at + length));
    at += length + 2;
  }
  return texts;
}
