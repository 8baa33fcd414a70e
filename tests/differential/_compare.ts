/**
 * When two replies count as the same although their bytes differ: where Redis
 * promises no order, where a reply tells the time, where it tells what the
 * server is. Anything else is compared byte by byte. A check is asked only
 * after the bytes were found to differ, and never excuses an error reply.
 *
 * @module
 */
import { formatDouble, formatDouble17 } from "../../src/core/base/double.ts";
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

/** The same elements in any order: of an array or a set, nested or not. */
export function sameElements(expected: Reply, actual: Reply): boolean {
  const [a, b] = [elementsOf(expected), elementsOf(actual)];
  return a !== null && b !== null && isEqual(a.sort(), b.sort());
}

/**
 * The same pairs in any order: of a map, of an array of fields and values in
 * turn, or of an array of arrays of two.
 */
export function samePairs(expected: Reply, actual: Reply): boolean {
  const [a, b] = [pairsOf(expected), pairsOf(actual)];
  return a !== null && b !== null && isEqual(a.sort(), b.sort());
}

/** Any two values of one type: random choices, ids, implementation details. */
export function sameType(_expected: Reply, _actual: Reply): boolean {
  return true;
}

/** The same types and counts at every level: random choices of several. */
export function sameShape(expected: Reply, actual: Reply): boolean {
  return sameTree(
    expected,
    actual,
    (a, b) => a.type === b.type,
  );
}

/**
 * The same but for the text of doubles, which the reference writes with 17
 * digits (`0.10000000000000001`) and later versions as short as possible.
 */
export function sameNumbers(expected: Reply, actual: Reply): boolean {
  return sameTree(expected, actual, (a, b) => {
    if (a.type === "double" && b.type === "double") return a.value === b.value;
    if (a.type === "bulk" && b.type === "bulk") {
      const [text, other] = [toBinary(a.value), toBinary(b.value)];
      return text === other || isSameDouble(text, other);
    }
    return isSameLeaf(a, b);
  });
}

/** As `sameNumbers`, elements in any order. */
export function sameElementsAndNumbers(
  expected: Reply,
  actual: Reply,
): boolean {
  const [a, b] = [membersOf(expected), membersOf(actual)];
  if (a === null || b === null || a.length !== b.length) return false;
  const left = [...b];
  return a.every((one) => {
    const at = left.findIndex((other) => sameNumbers(one, other));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

/**
 * The same but for the values of some fields, of which only the type counts,
 * wherever a map (or in RESP2 an array of fields and values) holds them.
 */
export function exceptFields(...names: readonly string[]): Check {
  const isFree = (name: Reply | undefined) =>
    name?.type === "bulk" && names.includes(toBinary(name.value));
  const same: Check = (expected, actual) => {
    if (expected.type !== actual.type) return false;
    const [a, b] = [childrenOf(expected), childrenOf(actual)];
    if (a === null || b === null) return isSameLeaf(expected, actual);
    return a.length === b.length &&
      a.every((one, i) =>
        i % 2 === 1 && isFree(a[i - 1])
          ? one.type === b[i]!.type
          : same(one, b[i]!)
      );
  };
  return same;
}

/**
 * An encoding, where later versions pack what the reference does not, and choose
 * that of a new value by the number of arguments, doubles among them too. SORT
 * of the reference unpacks the sorted set that it reads.
 */
export function sameEncoding(expected: Reply, actual: Reply): boolean {
  const [a, b] = [String(plain(expected)), String(plain(actual))];
  return a === b || OTHER_ENCODINGS[a]?.includes(b) === true;
}

const OTHER_ENCODINGS: Readonly<Record<string, readonly string[]>> = {
  quicklist: ["listpack"],
  intset: ["listpack", "hashtable"],
  hashtable: ["listpack"],
  listpack: ["skiplist"],
  skiplist: ["listpack"],
};

/** What any of the checks lets pass. */
export function anyOf(...checks: readonly Check[]): Check {
  return (expected, actual) => checks.some((check) => check(expected, actual));
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

/** What an aggregate holds, the pairs of a map one after the other. */
function childrenOf(reply: Reply): Reply[] | null {
  switch (reply.type) {
    case "array":
    case "set":
    case "push":
      return reply.value;
    case "map":
      return reply.value.flat();
    default:
      return null;
  }
}

/** As `childrenOf`, but a map's pairs are not members. */
function membersOf(reply: Reply): Reply[] | null {
  return reply.type === "map" ? null : childrenOf(reply);
}

function elementsOf(reply: Reply): string[] | null {
  return membersOf(reply)?.map(textOf) ?? null;
}

function pairsOf(reply: Reply): string[] | null {
  const children = childrenOf(reply);
  if (children === null) return null;
  const isNested = reply.type === "array" &&
    children.every((child) =>
      child.type === "array" && child.value.length === 2
    );
  if (isNested) return children.map(textOf);
  if (children.length % 2 !== 0) return null;
  const pairs: string[] = [];
  for (let i = 0; i < children.length; i += 2) {
    pairs.push(`${textOf(children[i]!)} ${textOf(children[i + 1]!)}`);
  }
  return pairs;
}

/** A text that tells replies apart. */
function textOf(reply: Reply): string {
  const children = childrenOf(reply);
  if (children !== null) {
    return `${reply.type}[${children.map(textOf).join()}]`;
  }
  return `${reply.type}:${JSON.stringify(String(plain(reply)))}`;
}

function isEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

function isSameLeaf(a: Reply, b: Reply): boolean {
  return textOf(a) === textOf(b);
}

/** Whether two replies have the same tree, with leaves that pass `check`. */
function sameTree(expected: Reply, actual: Reply, check: Check): boolean {
  if (expected.type !== actual.type) return false;
  const [a, b] = [childrenOf(expected), childrenOf(actual)];
  if (a === null || b === null) return check(expected, actual);
  return a.length === b.length &&
    a.every((one, i) => sameTree(one, b[i]!, check));
}

/** Whether one text is a double as C's `%.17g` writes it, the other as Redis 7.2. */
function isSameDouble(long: string, short: string): boolean {
  if (!/^-?\d/.test(long)) return false;
  const x = Number(long);
  return long === formatDouble17(x) && short === formatDouble(x);
}
