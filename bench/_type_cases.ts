/**
 * What the bench of data types measures: commands on many small values, which
 * are packed, and on one large value of a million elements.
 *
 * @module
 */

/** Sizes of values. */
export type Size = "small" | "large";

/** One command on values of one size. */
export interface TypeCase {
  name: string;
  size: Size;
  /** The command; `__rand_int__` is 12 digits below `range`. */
  argv: readonly string[];
  range: number;
  /** Makes the values. */
  fill: () => Iterable<readonly string[]>;
  /** Operations per run where each takes something away: fill before each. */
  consumes?: number;
}

const RANDOM = "__rand_int__";
const SMALL_KEYS = 20_000;
/** For replies of many elements. */
const FEW_KEYS = 2_000;
/** For commands that add: each value stays small. */
const ADDED_KEYS = 200_000;
const LARGE = 1_000_000;
const CONSUMED = 400_000;
const PER_COMMAND = 500;

/** Twelve digits, as redis-benchmark writes them. */
export function digits(n: number): string {
  return String(n).padStart(12, "0");
}

/** Commands that give one key `count` elements, made by `element`. */
export function fillOne(
  head: readonly string[],
  count: number,
  element: (i: number) => readonly string[],
): Iterable<readonly string[]> {
  return fillRange(head, 0, count, element);
}

/** As {@linkcode fillOne}, with the elements from `from` to `to`, exclusive. */
function* fillRange(
  head: readonly string[],
  from: number,
  to: number,
  element: (i: number) => readonly string[],
): Iterable<readonly string[]> {
  for (let i = from; i < to; i += PER_COMMAND) {
    const argv = [...head];
    const end = Math.min(to, i + PER_COMMAND);
    for (let j = i; j < end; j++) argv.push(...element(j));
    yield argv;
  }
}

/** Commands that give each of `keys` keys `count` elements. */
export function* fillMany(
  command: string,
  prefix: string,
  keys: number,
  count: number,
  element: (i: number) => readonly string[],
): Iterable<readonly string[]> {
  const elements: string[] = [];
  for (let i = 0; i < count; i++) elements.push(...element(i));
  for (let key = 0; key < keys; key++) {
    yield [command, prefix + digits(key), ...elements];
  }
}

/** Commands that give a stream the entries from `from` to `to`, exclusive. */
export function* fillStream(
  key: string,
  from: number,
  to: number,
): Iterable<readonly string[]> {
  for (let i = from; i < to; i++) {
    yield ["XADD", key, `${i + 1}-1`, "field", "value"];
  }
}

function* streams(keys: number, count: number): Iterable<readonly string[]> {
  for (let key = 0; key < keys; key++) {
    yield* fillStream(`x:${digits(key)}`, 0, count);
  }
}

function* hashRange(from: number, to: number): Iterable<readonly string[]> {
  const pairs = [0, 1, 2, 3, 4].flatMap((i) => [`f${i}`, `value${i}`]);
  for (let key = from; key < to; key++) {
    yield ["HSET", `h:${digits(key)}`, ...pairs];
  }
}

/** Six hundred of these stay below the 8 kB of a packed list. */
const brief = (i: number): string[] => [`v:${String(i).padStart(8, "0")}`];
const text = (i: number): string[] => [`v:${digits(i)}`];
const member = (i: number): string[] => [`m:${digits(i)}`];
const field = (i: number): string[] => [`f:${digits(i)}`, `v:${digits(i)}`];
const counter = (i: number): string[] => [`f:${digits(i)}`, `${i}`];
const scored = (i: number): string[] => [`${i}`, `m:${digits(i)}`];
const nothing = (): Iterable<readonly string[]> => [];

function small(
  name: string,
  argv: string,
  fill: () => Iterable<readonly string[]>,
  more: { range?: number; consumes?: number } = {},
): TypeCase {
  const { range = SMALL_KEYS, ...rest } = more;
  const size = "small";
  return { name, size, argv: words(argv), range, fill, ...rest };
}

function large(
  name: string,
  argv: string,
  fill: () => Iterable<readonly string[]>,
  more: { range?: number; consumes?: number } = {},
): TypeCase {
  const { range = LARGE, ...rest } = more;
  const size = "large";
  return { name, size, argv: words(argv), range, fill, ...rest };
}

function words(line: string): string[] {
  return line.replaceAll("#", RANDOM).split(" ");
}

const list = () => fillOne(["RPUSH", "big"], LARGE, text);
const set = () => fillOne(["SADD", "big"], LARGE, member);
const hash = () => fillOne(["HSET", "big"], LARGE, field);
const counters = () => fillOne(["HSET", "big"], LARGE, counter);
const zset = () => fillOne(["ZADD", "big"], LARGE, scored);

const lists = (count: number, keys = SMALL_KEYS) => () =>
  fillMany("RPUSH", "l:", keys, count, brief);
const sets = (count: number) => () =>
  fillMany("SADD", "s:", SMALL_KEYS, count, member);
const hashes = () => fillMany("HSET", "h:", SMALL_KEYS, 10, field);
const counterHashes = () => fillMany("HSET", "h:", SMALL_KEYS, 10, counter);
const zsets = (count: number) => () =>
  fillMany("ZADD", "z:", SMALL_KEYS, count, scored);

const consumes = CONSUMED;
const F3 = field(3)[0]!;
const M3 = member(3)[0]!;
const added = { range: ADDED_KEYS };

/** All of them, each with its name and size. */
export const TYPE_CASES: readonly TypeCase[] = [
  small("lpush", "LPUSH l:# v:#", nothing, added),
  small("rpush", "RPUSH l:# v:#", nothing, added),
  small("lpop", "LPOP l:#", lists(40), { consumes }),
  small("sadd", "SADD s:# m:#", nothing, added),
  small("spop", "SPOP s:#", sets(40), { consumes }),
  small("sismember", `SISMEMBER s:# ${M3}`, sets(10)),
  small("hset", `HSET h:# ${F3} v:#`, hashes),
  small("hget", `HGET h:# ${F3}`, hashes),
  small("hincrby", `HINCRBY h:# ${F3} 1`, counterHashes),
  small("zadd", `ZADD z:# # ${M3}`, zsets(10)),
  small("zscore", `ZSCORE z:# ${M3}`, zsets(10)),
  small("zrank", `ZRANK z:# ${M3}`, zsets(10)),
  small("zrange100", "ZRANGE z:# 0 99", zsets(100)),
  small("zpopmin", "ZPOPMIN z:#", zsets(40), { consumes }),
  small("lrange100", "LRANGE l:# 0 99", lists(100, FEW_KEYS), {
    range: FEW_KEYS,
  }),
  small("lrange600", "LRANGE l:# 0 599", lists(600, FEW_KEYS), {
    range: FEW_KEYS,
  }),
  small("xadd", "XADD x:# * field value", nothing, added),
  small("xrange100", "XRANGE x:# - +", () => streams(FEW_KEYS, 100), {
    range: FEW_KEYS,
  }),
  large("lpush", "LPUSH big v:#", list),
  large("rpush", "RPUSH big v:#", list),
  large("lpop", "LPOP big", list, { consumes }),
  large("sadd", "SADD big m:#", set, { range: 100 * LARGE }),
  large("spop", "SPOP big", set, { consumes }),
  large("sismember", "SISMEMBER big m:#", set),
  large("hset", "HSET big f:# v:#", hash),
  large("hget", "HGET big f:#", hash),
  large("hincrby", "HINCRBY big f:# 1", counters),
  large("zadd", "ZADD big # m:#", zset),
  large("zscore", "ZSCORE big m:#", zset),
  large("zrank", "ZRANK big m:#", zset),
  large("zrange100", "ZRANGE big 500000 500099", zset),
  large("zpopmin", "ZPOPMIN big", zset, { consumes }),
  large("lrange100", "LRANGE big 0 99", list),
  large("lrange600", "LRANGE big 0 599", list),
  large("xadd", "XADD big * field value", nothing),
  large(
    "xrange100",
    "XRANGE big 500000 + COUNT 100",
    () => fillStream("big", 0, LARGE),
  ),
];

/** A value, or many of them, whose resident bytes per element are compared. */
export interface MemoryCase {
  name: string;
  /** Elements of each value, whose number is what is filled in. */
  elementsEach: number;
  /** How many of what `fill` counts are there first. */
  count: number;
  /** Adds those from `from` to `to`, exclusive. */
  fill: (from: number, to: number) => Iterable<readonly string[]>;
}

function one(
  name: string,
  command: string,
  element: (i: number) => readonly string[],
): MemoryCase {
  return {
    name,
    elementsEach: 1,
    count: LARGE,
    fill: (from, to) => fillRange([command, "big"], from, to, element),
  };
}

/** Values whose resident bytes per element are compared. */
export const MEMORY_CASES: readonly MemoryCase[] = [
  one("hash of 1 M fields", "HSET", field),
  one("set of 1 M members", "SADD", member),
  one("zset of 1 M members", "ZADD", scored),
  one("list of 1 M elements", "RPUSH", text),
  {
    name: "stream of 1 M entries",
    elementsEach: 1,
    count: LARGE,
    fill: (from, to) => fillStream("big", from, to),
  },
  {
    name: "1 M hashes of 5 fields",
    elementsEach: 5,
    count: LARGE,
    fill: hashRange,
  },
];
