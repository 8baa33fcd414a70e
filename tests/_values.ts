/**
 * Values of every type and encoding, for tests of what must hold for all: how to
 * make one, read all of it, and change it.
 *
 * @module
 */
import type { Plain } from "./_resp_reply.ts";

/** A way to make a value, and to read all of it. */
export interface Kind {
  name: string;
  encoding: string;
  /** Commands that make a value at a key, of elements that `salt` changes. */
  make(key: string, salt: number): readonly (readonly string[])[];
  read(key: string): readonly string[];
  /** A command that changes the value. */
  change(key: string): readonly string[];
}

/** Enough elements for every large encoding, and for streamed replies. */
export const MANY = 2100;

function numbers(count: number, salt: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i * 7 + salt));
}

function words(count: number, salt: number): string[] {
  return numbers(count, salt).map((n) => `element:${n}`);
}

function pairs(elements: readonly string[]): string[] {
  return elements.flatMap((element, i) => [element, String(i % 50)]);
}

function kind(
  name: string,
  encoding: string,
  command: string,
  elements: (salt: number) => string[],
  read: string,
  change: string,
): Kind {
  return {
    name: `${name} (${encoding})`,
    encoding,
    make: (key, salt) => [[command, key, ...elements(salt)]],
    read: (key) => read.replace("$", key).split(" "),
    change: (key) => change.replace("$", key).split(" "),
  };
}

export const KINDS: readonly Kind[] = [
  ...["int", "embstr", "raw"].map((encoding) =>
    kind(
      "string",
      encoding,
      "SET",
      (salt) => [
        encoding === "int"
          ? String(salt)
          : `text ${salt}`.repeat(encoding === "raw" ? 20 : 1),
      ],
      "GET $",
      "APPEND $ more",
    )
  ),
  kind(
    "string, long",
    "raw",
    "SET",
    (salt) => [
      `text ${salt}`.repeat(20_000),
    ],
    "GET $",
    "APPEND $ more",
  ),
  ...[20, MANY].map((count) =>
    kind(
      "list",
      count === MANY ? "quicklist" : "listpack",
      "RPUSH",
      (salt) => words(count, salt),
      "LRANGE $ 0 -1",
      "RPUSH $ another",
    )
  ),
  kind(
    "set",
    "intset",
    "SADD",
    (salt) => numbers(50, salt),
    "SMEMBERS $",
    "SADD $ 5 -1",
  ),
  ...[20, MANY].map((count) =>
    kind(
      "set",
      count === MANY ? "hashtable" : "listpack",
      "SADD",
      (salt) => words(count, salt),
      "SMEMBERS $",
      "SADD $ another",
    )
  ),
  ...[20, MANY].map((count) =>
    kind(
      "zset",
      count === MANY ? "skiplist" : "listpack",
      "ZADD",
      (salt) => words(count, salt).flatMap((word, i) => [String(i % 50), word]),
      "ZRANGE $ 0 -1 WITHSCORES",
      "ZADD $ 1 another",
    )
  ),
  ...[20, MANY].map((count) =>
    kind(
      "hash",
      count === MANY ? "hashtable" : "listpack",
      "HSET",
      (salt) => pairs(words(count, salt)),
      "HGETALL $",
      "HSET $ another value",
    )
  ),
  ...["listpackex", "hashtable"].map((encoding): Kind => {
    const fields = words(encoding === "hashtable" ? MANY : 20, 0);
    return {
      name: `hash, fields expire (${encoding})`,
      encoding,
      make: (key, salt) => [
        ["HSET", key, ...pairs(fields), "salt", String(salt)],
        ["HPEXPIRE", key, "9000000", "FIELDS", "2", fields[3]!, fields[7]!],
      ],
      read: (key) => ["HGETALL", key],
      change: (key) => ["HSET", key, "another", "value"],
    };
  }),
  ...[20, MANY].map((count): Kind => ({
    name: `stream of ${count}`,
    encoding: "stream",
    make: (key, salt) => [
      ...numbers(count, 1).map((
        n,
      ) => ["XADD", key, `${n}-1`, "field", `${salt}`]),
      ["XGROUP", "CREATE", key, "group", "0"],
      ["XREADGROUP", "GROUP", "group", "me", "COUNT", "5", "STREAMS", key, ">"],
    ],
    read: (key) => ["XRANGE", key, "-", "+"],
    change: (key) => ["XADD", key, "9999999-1", "field", "value"],
  })),
];

/** The type's name, as TYPE prints it. */
export function typeOf(kind: Kind): string {
  return kind.name.match(/^[a-z]+/)![0];
}

/** All of a value, in an order that does not depend on where it lies. */
export function contents(kind: Kind, reply: Plain): string {
  const isHash = kind.read("")[0] === "HGETALL";
  const flat = reply instanceof Map
    ? [...reply].flat()
    : reply instanceof Set
    ? [...reply]
    : reply;
  if (!Array.isArray(flat)) return String(flat);
  const elements = isHash
    ? flat.flatMap((field, i) => i % 2 === 0 ? [`${field}=${flat[i + 1]}`] : [])
    : flat.map(String);
  if (kind.read("")[0] !== "LRANGE") elements.sort();
  return elements.join(" ");
}
