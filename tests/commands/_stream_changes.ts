/**
 * Streams and commands that read, claim, acknowledge or forget many entries of
 * them, with what they are to reply.
 *
 * @module
 */
import type { Plain } from "../_resp_client.ts";

/** The stream, and a key of the same shard. */
export const STREAM = "{s}tream";
export const OTHER = "{s}other";

/** Streams that are read together with it. */
const SHORT = "{t}short";
const EMPTY = "{s}empty";
const LONG = "{u}long";
const LATER = "{v}later";
const TWIN = "{s}twin";
/** With more, they are gone through as very many are. */
const MANY_STREAMS = 11;
const MANY = Array.from({ length: MANY_STREAMS }, (_, i) => `{${i % 9}}${i}`);

/** One command, and the stream that it finds, by the number of its entries. */
export interface StreamChange {
  readonly name: string;
  /** The streams that it reads besides. */
  readonly others?: readonly string[];
  fill(entries: number): string[][];
  argv(entries: number): string[];
  /** What it replies, but for the fields of entries. */
  reply(entries: number): Plain;
  /** What is pending with each consumer afterwards; -1: it is not there. */
  pending(entries: number): Record<string, number>;
  /** Up to so many entries it is done at once. */
  readonly atOnce: number;
}

/** IDs from one number to another. */
export function idsBetween(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}-0`);
}

function addedTo(stream: string, entries: number): string[][] {
  return [
    ["XGROUP", "CREATE", stream, "g", "0", "MKSTREAM"],
    ...idsBetween(1, entries).map((id) => ["XADD", stream, id, "f", "v"]),
  ];
}

function added(entries: number): string[][] {
  return addedTo(STREAM, entries);
}

const DELIVER = ["XREADGROUP", "GROUP", "g", "a", "STREAMS", STREAM, ">"];

function delivered(entries: number): string[][] {
  return [...added(entries), DELIVER];
}

/** Every tenth entry, from the third on, is deleted. */
function isDeleted(i: number): boolean {
  return i % 10 === 2;
}

function withHoles(entries: number): string[][] {
  const ids = idsBetween(1, entries).filter((_, i) => isDeleted(i));
  return [...delivered(entries), ["XDEL", STREAM, ...ids]];
}

function kept(entries: number): string[] {
  return idsBetween(1, entries).filter((_, i) => !isDeleted(i));
}

function deleted(entries: number): string[] {
  return idsBetween(1, entries).filter((_, i) => isDeleted(i));
}

/** What XREADGROUP and XREAD reply. */
function read(ids: Plain): Plain {
  return [[STREAM, ids]];
}

export const STREAM_CHANGES: readonly StreamChange[] = [
  {
    name: "XREADGROUP of new entries",
    fill: added,
    argv: () => DELIVER,
    reply: (n) => read(idsBetween(1, n)),
    pending: (n) => ({ a: n }),
    atOnce: 160,
  },
  {
    name: "XREADGROUP with COUNT, for a consumer that is there",
    fill: (n) => [
      ...added(n),
      ["XGROUP", "CREATECONSUMER", STREAM, "g", "a"],
    ],
    argv: (n) => [
      ...["XREADGROUP", "GROUP", "g", "a", "COUNT", String(n - 3)],
      ...["STREAMS", STREAM, ">"],
    ],
    reply: (n) => read(idsBetween(1, n - 3)),
    pending: (n) => ({ a: n - 3 }),
    atOnce: 163,
  },
  {
    name: "XREADGROUP NOACK behind deleted entries",
    fill: (n) => [...added(n), ["XDEL", STREAM, ...deleted(n)]],
    argv: () => [
      ...["XREADGROUP", "GROUP", "g", "b", "NOACK"],
      ...["STREAMS", STREAM, ">"],
    ],
    reply: (n) => read(kept(n)),
    pending: () => ({ b: 0 }),
    atOnce: 177,
  },
  {
    name: "XREADGROUP of several streams",
    others: [SHORT, EMPTY, LONG],
    fill: (n) => [
      ...added(n),
      ...addedTo(SHORT, 5),
      ...addedTo(EMPTY, 0),
      ...addedTo(LONG, n),
    ],
    argv: () => [
      ...["XREADGROUP", "GROUP", "g", "a", "STREAMS"],
      ...[SHORT, STREAM, EMPTY, LONG, ">", ">", ">", ">"],
    ],
    reply: (n) => [
      [SHORT, idsBetween(1, 5)],
      [STREAM, idsBetween(1, n)],
      [LONG, idsBetween(1, n)],
    ],
    pending: (n) => ({ a: n }),
    atOnce: 77,
  },
  {
    name: "XREADGROUP of new entries and of pending ones",
    others: [LATER],
    fill: (n) => [...withHoles(n), ...addedTo(LATER, n)],
    argv: () => [
      ...["XREADGROUP", "GROUP", "g", "a", "STREAMS"],
      ...[STREAM, LATER, "0", ">"],
    ],
    reply: (n) => [
      [STREAM, idsBetween(1, n).map((id, i) => isDeleted(i) ? [id, null] : id)],
      [LATER, idsBetween(1, n)],
    ],
    pending: (n) => ({ a: n }),
    atOnce: 80,
  },
  {
    name: "XREADGROUP of a stream that comes twice",
    others: [TWIN],
    fill: (n) => [...added(n), ...addedTo(TWIN, n)],
    argv: (n) => [
      ...["XREADGROUP", "GROUP", "g", "a", "COUNT", String(n - 5)],
      ...["STREAMS", STREAM, TWIN, STREAM, TWIN, ">", ">", ">", ">"],
    ],
    reply: (n) => [
      [STREAM, idsBetween(1, n - 5)],
      [TWIN, idsBetween(1, n - 5)],
      [STREAM, idsBetween(n - 4, n)],
      [TWIN, idsBetween(n - 4, n)],
    ],
    pending: (n) => ({ a: n }),
    // All but the last ten entries are of the first two.
    atOnce: 80,
  },
  {
    name: "XREADGROUP of many streams",
    others: MANY,
    fill: (n) => [...added(n), ...MANY.flatMap((key) => addedTo(key, 1))],
    argv: () => [
      ...["XREADGROUP", "GROUP", "g", "a", "STREAMS"],
      ...[STREAM, ...MANY, ">", ...MANY.map(() => ">")],
    ],
    reply: (n) => [
      [STREAM, idsBetween(1, n)],
      ...MANY.map((key) => [key, idsBetween(1, 1)] as Plain),
    ],
    pending: (n) => ({ a: n }),
    atOnce: 160 - MANY_STREAMS,
  },
  {
    name: "XREADGROUP of what is pending",
    fill: withHoles,
    argv: () => ["XREADGROUP", "GROUP", "g", "a", "STREAMS", STREAM, "1-0"],
    reply: (n) =>
      read(
        idsBetween(1, n).map((id, i) => isDeleted(i) ? [id, null] : id).slice(
          1,
        ),
      ),
    pending: (n) => ({ a: n }),
    atOnce: 161,
  },
  {
    name: "XCLAIM",
    fill: withHoles,
    argv: (n) => ["XCLAIM", STREAM, "g", "b", "0", ...idsBetween(1, n)],
    reply: kept,
    pending: (n) => ({ a: 0, b: kept(n).length }),
    atOnce: 64,
  },
  {
    name: "XCLAIM FORCE JUSTID of entries in any order",
    fill: added,
    argv: (n) => [
      ...["XCLAIM", STREAM, "g", "b", "0", ...idsBetween(1, n).toReversed()],
      ...["FORCE", "JUSTID", "TIME", "1700000000000", "RETRYCOUNT", "7"],
      ...["LASTID", "5000-1"],
    ],
    reply: (n) => idsBetween(1, n).toReversed(),
    pending: (n) => ({ b: n }),
    // So are eight words behind the IDs.
    atOnce: 56,
  },
  {
    name: "XCLAIM of what is idle for too short a time",
    fill: delivered,
    argv: (n) => [
      ...["XCLAIM", STREAM, "g", "b", "100000000", ...idsBetween(1, n)],
      ...["LASTID", "5000-1"],
    ],
    reply: () => [],
    pending: (n) => ({ a: n, b: 0 }),
    atOnce: 62,
  },
  {
    name: "XAUTOCLAIM",
    fill: withHoles,
    argv: (n) => ["XAUTOCLAIM", STREAM, "g", "b", "0", "-", "COUNT", `${n}`],
    reply: (n) => ["0-0", kept(n), deleted(n)],
    pending: (n) => ({ a: 0, b: kept(n).length }),
    atOnce: 128,
  },
  {
    name: "XAUTOCLAIM JUSTID, not to the end",
    fill: withHoles,
    argv: (n) => [
      ...["XAUTOCLAIM", STREAM, "g", "b", "0", "2-0", "COUNT", `${n - 10}`],
      "JUSTID",
    ],
    reply: (n) => [
      `${n - 8}-0`,
      kept(n - 9).slice(1),
      deleted(n - 9),
    ],
    pending: (n) => ({
      a: n - kept(n - 9).length - deleted(n - 9).length + 1,
      b: kept(n - 9).length - 1,
    }),
    atOnce: 134,
  },
  {
    name: "XACK",
    fill: delivered,
    argv: (n) => ["XACK", STREAM, "g", ...idsBetween(2, n), "3-0"],
    reply: (n) => n - 1,
    pending: () => ({ a: 1 }),
    atOnce: 256,
  },
  {
    name: "XGROUP DELCONSUMER",
    fill: (n) => [
      ...delivered(n),
      ["XCLAIM", STREAM, "g", "b", "0", "3-0", "6-0"],
    ],
    argv: () => ["XGROUP", "DELCONSUMER", STREAM, "g", "a"],
    reply: (n) => n - 2,
    pending: () => ({ a: -1, b: 2 }),
    atOnce: 258,
  },
];
