/**
 * When two replies count as the same although their bytes differ: where Redis
 * promises no order, where a reply tells the time, where it tells what the
 * server is. Anything else is compared byte by byte. A check is asked only
 * after the bytes were found to differ, and never excuses an error reply.
 *
 * @module
 */
import { type Frame, plain, type Reply, toBinary } from "../_resp_reply.ts";

/** Whether the other server's reply is as good as the reference's. */
export type Check = (expected: Reply, actual: Reply) => boolean;

/** Whether two frames are the same for the command that caused them. */
export function isSame(
  expected: Frame,
  actual: Frame,
  check: Check | undefined,
): boolean {
  if (toBinary(expected.raw) === toBinary(actual.raw)) return true;
  if (check === undefined || expected.reply.type !== actual.reply.type) {
    return false;
  }
  return expected.reply.type !== "error" && check(expected.reply, actual.reply);
}

/** The same elements in any order. */
export function sameElements(expected: Reply, actual: Reply): boolean {
  const [a, b] = [plain(expected), plain(actual)];
  if (!Array.isArray(a) || !Array.isArray(b)) return false;
  return JSON.stringify(a.map(String).sort()) ===
    JSON.stringify(b.map(String).sort());
}

/** Any two values of one type: random choices, ids, implementation details. */
export function sameType(_expected: Reply, _actual: Reply): boolean {
  return true;
}

/** Integers that are near each other: the two servers ran one after another. */
export function within(distance: number): Check {
  return (expected, actual) => {
    if (expected.type !== "int" || actual.type !== "int") return false;
    // Small answers are codes (-1: no expire, -2: no key), not times.
    if (expected.value < 1000 || actual.value < 1000) return false;
    const apart = BigInt(expected.value) - BigInt(actual.value);
    return apart <= BigInt(distance) && apart >= -BigInt(distance);
  };
}

/** HELLO's reply but for the version and the client's id. */
export function sameHello(expected: Reply, actual: Reply): boolean {
  return helloText(expected) === helloText(actual);
}

function helloText(reply: Reply): string {
  const value = plain(reply);
  const flat = value instanceof Map ? [...value].flat() : value;
  if (!Array.isArray(flat)) return "no pairs";
  return JSON.stringify(
    flat.map((part, i) => {
      const name = flat[i - 1];
      return i % 2 === 1 && (name === "version" || name === "id") ? "*" : part;
    }),
  );
}
