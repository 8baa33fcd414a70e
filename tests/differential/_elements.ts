/**
 * Generators of what collections hold: fields, members, scores, elements, IDs.
 * Each draws from a pool of a few that a script keeps, so that commands meet
 * each other's elements, and the pool is large enough to cross the small limits
 * of packed values (see `_limits.ts`).
 *
 * @module
 */
import type { Random } from "../_random.ts";
import {
  among,
  type Context,
  integer,
  LIMIT_INTEGERS,
  oneOf,
  type Part,
} from "./_generate.ts";

/**
 * One of a few strings that the script keeps under `name`: between `low` and
 * `high` of those in `from`, or what the function makes.
 */
export function pooled(
  name: string,
  from: readonly string[] | ((random: Random) => string),
  low: number,
  high: number,
): Part {
  return (context) => {
    let pool = context.pools.get(name);
    if (pool === undefined) {
      pool = fill(context, from, context.random.between(low, high));
      context.pools.set(name, pool);
    }
    return [context.random.pick(pool)];
  };
}

function fill(
  { random }: Context,
  from: readonly string[] | ((random: Random) => string),
  count: number,
): string[] {
  const make = typeof from === "function" ? from : (r: Random) => r.pick(from);
  return Array.from({ length: count }, () => make(random));
}

/** Strings at the limits of packed encodings: 63, 64 and 65 bytes, and more. */
const LENGTHS = [12, 13, 63, 64, 65, 127, 128, 300];

const INTEGERS = [
  ...["0", "1", "2", "3", "-1", "12", "13", "127", "128", "-128", "-129"],
  ...["4095", "4096", "-4096", "-4097", "32767", "32768", "-32769", "65536"],
  ...["8388607", "8388608", "-8388609", "2147483647", "2147483648"],
  ...["-2147483649", "9223372036854775807", "-9223372036854775808"],
];

const WORDS = [
  ...["a", "b", "c", "d", "e", "aa", "ab", "b\x00", "A", "", " ", "\xff"],
  ...["9223372036854775808", "007", "+1", "-0", " 1", "1 ", "1.5", "nan"],
  ...["field", "member", "\r\n", "*", "\xe2\x82\xac", "\x00\x01\xff\r\n$5\r\n"],
];

function anyElement(random: Random): string {
  if (random.chance(0.3)) return random.pick(INTEGERS);
  if (random.chance(0.85)) return random.pick(WORDS);
  return random.pick(["x", "y", "\x80"]).repeat(random.pick(LENGTHS));
}

/** A field of a hash. */
export const field: Part = pooled("field", anyElement, 4, 14);

/** A value of a hash's field, at times a number to be counted up. */
export const fieldValue: Part = pooled("field value", anyElement, 4, 10);

/** An element of a list. */
export const element: Part = pooled("element", anyElement, 3, 10);

/**
 * A member of a set or sorted set. Some scripts have integers alone, most have
 * a few other strings among them or nothing else.
 */
export const member: Part = (context) => {
  const { random, pools } = context;
  let pool = pools.get("member");
  if (pool === undefined) {
    const integers = random.pick([1, 0.8, 0.3]);
    const make = (r: Random) =>
      r.chance(integers) ? r.pick(INTEGERS) : anyElement(r);
    pool = fill(context, make, random.between(4, 16));
    pools.set("member", pool);
  }
  return [random.pick(pool)];
};

const SCORES = [
  ...["0", "1", "2", "3", "-1", "1.5", "-2.5", "0.1", "0.2", "0.3", "3.0"],
  ...["inf", "+inf", "-inf", "Infinity", "-0", "1e3", "1e17", "1e21", "1e-7"],
  ...["9007199254740993", "-9223372036854775808", "18446744073709551616"],
  ...["1.7976931348623157e308", "5e-324", "0x10", "3.141592653589793"],
];
const WRONG_SCORES = ["nan", "abc", "", "1.5x", " 1", "1,5", "--1", "(1"];

/** A score; the same few, so that members tie. */
export const score: Part = oneOfWeighted(
  pooled("score", SCORES, 3, 7),
  among(...WRONG_SCORES),
);

/** An end of a range of scores. */
export const scoreBound: Part = (context) => {
  const { random } = context;
  if (random.chance(0.25)) return [random.pick(["-inf", "+inf"])];
  if (random.chance(0.08)) {
    return [random.pick(["(", "((1", "[1", "(nan", "(abc", "-", "+"])];
  }
  const [bound] = score(context);
  return [random.chance(0.3) ? `(${bound}` : bound!];
};

/** An end of a range of members. */
export const lexBound: Part = (context) => {
  const { random } = context;
  if (random.chance(0.3)) return [random.pick(["-", "+"])];
  if (random.chance(0.08)) {
    return [random.pick(["", "a", "--", "+a", "(", "["])];
  }
  const [bound] = member(context);
  return [(random.chance(0.5) ? "[" : "(") + bound];
};

/** An index or rank: inside, at the ends, beyond; at times no number. */
export const rank: Part = ({ random }) => [
  random.chance(0.9)
    ? String(random.between(-9, 9))
    : random.chance(0.5)
    ? random.pick(["100", "-100", "1000000"])
    : random.pick(LIMIT_INTEGERS),
];

/** How many: few, none, negative; at times no number or a huge one. */
export const count: Part = ({ random }) => [
  random.chance(0.85)
    ? String(random.between(-2, 8))
    : random.pick(["100", "-100", "abc", "", "1.5", "-9223372036854775808"]),
];

/** COUNT of a random choice: nothing that makes a reply of millions. */
export const randomCount: Part = ({ random }) => [
  random.chance(0.9)
    ? String(random.between(-12, 12))
    : random.pick(["100", "-100", "abc", "", "1.5"]),
];

/** The ID of a stream's entry, complete, partial or wrong, never `*`. */
export const streamId: Part = ({ random }) => {
  if (random.chance(0.05)) {
    return [random.pick(["", "-", "a-1", "1-a", "1-1-1", "-1", "1-", "-1-1"])];
  }
  if (random.chance(0.03)) {
    return [random.pick([
      ...["18446744073709551615-18446744073709551615", "18446744073709551615"],
      ...["18446744073709551616-0", "0-18446744073709551615", "0-0"],
    ])];
  }
  const ms = random.between(0, 12);
  return [random.chance(0.2) ? String(ms) : `${ms}-${random.between(0, 3)}`];
};

/** The ID of an entry to be added: later than the last in most cases. */
export const newStreamId: Part = (context) => {
  const { random } = context;
  if (random.chance(0.3)) return streamId(context);
  const last = Number(context.pools.get("last ID")?.[0] ?? "0");
  const ms = last + random.below(3);
  context.pools.set("last ID", [String(ms)]);
  return [
    random.chance(0.6) ? `${ms}-*` : `${ms}-${random.between(0, 5)}`,
  ];
};

/** An end of a range of IDs. */
export const streamBound: Part = (context) => {
  const { random } = context;
  if (random.chance(0.35)) return [random.pick(["-", "+"])];
  const [id] = streamId(context);
  return [random.chance(0.2) ? `(${id}` : id!];
};

/** The name of a consumer group. */
export const group: Part = pooled("group", ["g", "group", "G", ""], 1, 3);

/** The name of a consumer. */
export const consumer: Part = pooled(
  "consumer",
  ["c", "alice", "bob", ""],
  1,
  3,
);

/** An increment: small, at the limits of an integer, or wrong. */
export const increment: Part = integer;

/** An increment of a float. */
export const floatIncrement: Part = oneOf(
  integer,
  among("0.1", "-0.1", "1.5", "0.3", "100.25", "3.0e3", "-2.5e-3", "1e-7"),
  among("1e400", "nan", "inf", "-inf", "infinity", "0x10", " 1", "1.", ".5"),
);

function oneOfWeighted(usual: Part, rare: Part): Part {
  return (context) =>
    context.random.chance(0.95) ? usual(context) : rare(context);
}
