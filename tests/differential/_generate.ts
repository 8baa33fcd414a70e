/**
 * Random scripts from tables. A family of commands is a list of rows, a row is
 * a command's name and the generators of its arguments; generators are built
 * from the few below. Everything a script contains follows from its seed.
 *
 * What finds mistakes, and is built in here so that rows need not repeat it:
 * - few keys and few values per script, so that commands meet each other;
 * - weights drawn anew for each script, some rows switched off, so that rare
 *   combinations get their turn;
 * - wrong arity, unknown and repeated options, any letter case, numbers at and
 *   beyond the limits, binary and empty strings, keys on several shards.
 *
 * What would differ between two right servers is avoided: times that come near
 * while a script runs, equal relative times (GT and LT would depend on the
 * millisecond), and what changed in Redis after the reference's version.
 *
 * @module
 */
import type { Random } from "../_random.ts";
import { tagsOnDistinctSlots } from "../_harness.ts";
import type { Check } from "./_compare.ts";

/** What generators draw from while one script is made. */
export interface Context {
  random: Random;
  keys: readonly string[];
  values: readonly string[];
  /** More strings that the script keeps, by what they are. */
  pools: Map<string, readonly string[]>;
}

/** Makes some arguments: none, one or several. */
export type Part = (context: Context) => string[];

/** One row of a family's table. */
export interface Row {
  name: readonly string[];
  parts: readonly Part[];
  weight: number;
  check?: Check;
  /** The command is a scan from cursor 0, to be followed to its end. */
  scan?: boolean;
  /** Arguments may be wrong, but their number is not: later versions take more. */
  keepsArity?: boolean;
}

/** One command of a script. */
export interface Step {
  argv: string[];
  check?: Check;
  scan?: boolean;
}

/** A row; the name may have several words: `OBJECT ENCODING`. */
export function row(
  name: string,
  parts: readonly Part[] = [],
  options: Partial<Pick<Row, "weight" | "check" | "scan" | "keepsArity">> = {},
): Row {
  return { name: name.split(" "), parts, weight: 1, ...options };
}

// --- Generators ------------------------------------------------------------

/** A fixed word, mostly in upper case. */
export function word(text: string): Part {
  return ({ random }) => [anyCase(random, text)];
}

/** One string of a list, as it is. */
export function among(...choices: readonly string[]): Part {
  return ({ random }) => [random.pick(choices)];
}

/** One of several generators. */
export function oneOf(...parts: readonly Part[]): Part {
  return (context) => context.random.pick(parts)(context);
}

/** The parts, one after the other. */
export function sequence(...parts: readonly Part[]): Part {
  return (context) => parts.flatMap((part) => part(context));
}

/** The part or nothing. */
export function maybe(part: Part, probability = 0.5): Part {
  return (context) => context.random.chance(probability) ? part(context) : [];
}

/** The part several times. */
export function repeat(part: Part, low: number, high: number): Part {
  return (context) =>
    Array.from(
      { length: context.random.between(low, high) },
      () => part(context),
    ).flat();
}

/** Some of the options in any order, at times repeated or unknown. */
export function options(...parts: readonly Part[]): Part {
  return (context) => {
    const { random } = context;
    const argv: string[] = [];
    while (random.chance(0.55)) {
      argv.push(
        ...random.chance(0.04) ? ["BOGUS"] : random.pick(parts)(context),
      );
    }
    return argv;
  };
}

/** One of the script's keys. */
export const key: Part = ({ random, keys }) => [random.pick(keys)];

/** One of the script's values. */
export const value: Part = ({ random, values }) => [random.pick(values)];

/** A small integer, at times a huge one or none at all. */
export const integer: Part = ({ random }) => [
  random.chance(0.7)
    ? String(random.between(-20, 20))
    : random.pick(LIMIT_INTEGERS),
];

/** An offset into a value: inside, around the ends, far outside. */
export const offset: Part = ({ random }) => [
  random.chance(0.6)
    ? String(random.between(-12, 12))
    : random.chance(0.6)
    ? random.pick(["45", "-45", "9999", "-10240", "10241", "20000"])
    : random.pick(LIMIT_INTEGERS),
];

/** A time in seconds from now, far enough not to come true; or a wrong one. */
export const seconds: Part = ({ random }) => [
  random.chance(0.85)
    ? String(random.between(10_000, 1_000_000_000))
    : random.pick(WRONG_TIMES),
];

/** As `seconds`, in milliseconds. */
export const milliseconds: Part = ({ random }) => [
  random.chance(0.85)
    ? `${random.between(10_000, 1_000_000_000)}000`
    : random.pick(WRONG_TIMES),
];

/** A moment in the far future in unix seconds, or a wrong one. */
export const unixSeconds: Part = ({ random }) => [
  random.chance(0.85)
    ? String(FAR_FUTURE_S + random.below(5))
    : random.pick(WRONG_TIMES),
];

/** As `unixSeconds`, in milliseconds. */
export const unixMilliseconds: Part = ({ random }) => [
  random.chance(0.85)
    ? `${FAR_FUTURE_S + random.below(5)}00${random.below(3)}`
    : random.pick(WRONG_TIMES),
];

/** A pattern as KEYS and SCAN MATCH take it. */
export const pattern: Part = among(
  ...["*", "**", "", "?", "k*", "k?y", "[a-k]*", "[k-a]*", "[^a]*", "[^"],
  ...["[", "[a", "a[", "\\*", "\\", "*\\", "{*}*", "*\xff*", "*[\r\n]*", "K"],
  ...["[a-", "[]a]", "h[a\\]l]*", "*k*k*", "????????*", "*e*y*"],
);

const FAR_FUTURE_S = 4102444800; // 2100-01-01

/** Integers at and beyond the limits, and what is none. */
export const LIMIT_INTEGERS: readonly string[] = [
  ...["9223372036854775807", "-9223372036854775808", "9223372036854775808"],
  ...["-9223372036854775809", "9223372036854775806", "-9223372036854775807"],
  ...["4294967295", "4294967296", "2147483648", "-2147483649", "536870912"],
  ...["18446744073709551615", "100000000000000000000000", "-0", "+1", "01"],
  ...[" 1", "1 ", "", "1.0", "1e3", "0x10", "abc", "1\x00", "-"],
];

const WRONG_TIMES = [
  ...["0", "-1", "-100000", "9223372036854775807", "-9223372036854775808"],
  ...["9223372036854775808", "9223372036854776", "92233720368547758070"],
  ...["abc", "", "1.5", " 100", "+100", "0100"],
];

const TAGS = tagsOnDistinctSlots(8);

const KEYS = [
  ...TAGS.map((tag) => `{${tag}}key`),
  ...[
    "k",
    "K",
    "key",
    "hello",
    "",
    "\x00",
    "a key",
    "\xff\xfe\r\n",
    "*",
    "[a]",
  ],
  ...["{}k", "{", "key{", `{${TAGS[0]}}other`, "\\k", "9", "k".repeat(300)],
];

const SHORT_VALUES = [
  ...["", "0", "1", "-1", "10", "9999", "10000", "007", " 1", "1 ", "+1", "-0"],
  ...["2147483647", "4294967296", "9223372036854775806", "9223372036854775807"],
  ...["-9223372036854775808", "9223372036854775808", "99999999999999999999"],
  ...["1.5", "-0.5", "3.0e3", "0.1", "1e17", "nan", "inf", "-inf", "1.", ".5"],
  ...[
    "value",
    "hello world",
    "\x00\x01\xff\r\n$5\r\n",
    "\xe2\x82\xac",
    "-",
    ".",
  ],
  ...["a".repeat(44), "b".repeat(45), "c".repeat(63), "d".repeat(64)],
  ...["1".repeat(20), "e".repeat(255), "f".repeat(256)],
];

const LONG_VALUES = ["0123456789".repeat(1024), "\x00".repeat(4096)];

// --- Values of other types -------------------------------------------------

type OtherType = "list" | "hash" | "set" | "zset" | "stream";

/** One command that makes a value of the type. */
const MAKE: Readonly<Record<OtherType, readonly [string, ...string[]]>> = {
  list: ["RPUSH", "one", "two"],
  hash: ["HSET", "field", "value"],
  set: ["SADD", "1", "2", "three"],
  zset: ["ZADD", "1.5", "member"],
  stream: ["XADD", "1-1", "field", "value"],
};

/**
 * The types beside strings that the server under test knows; values of these
 * are mixed into every family to meet WRONGTYPE. SHERD_FUZZ_TYPES (names with
 * commas) overrides it.
 */
const KNOWN_TYPES: readonly OtherType[] = [
  "list",
  "hash",
  "set",
  "zset",
  "stream",
];

const typesInUse = Deno.env.get("SHERD_FUZZ_TYPES")?.split(",") ?? KNOWN_TYPES;

const otherTypes: readonly Row[] = typesInUse.map((type) => {
  const made = MAKE[type as OtherType];
  if (made === undefined) {
    throw new TypeError(`Cannot make values: unknown type ${type}`);
  }
  const [command, ...args] = made;
  return row(command, [key, () => args], { weight: 2 });
});

// --- Scripts ---------------------------------------------------------------

/** Makes a script of `length` commands. */
export function generateScript(
  rows: readonly Row[],
  random: Random,
  length: number,
): Step[] {
  const context: Context = {
    random,
    keys: sample(random, KEYS, random.between(2, 6)),
    values: [
      ...sample(random, SHORT_VALUES, random.between(3, 10)),
      ...random.chance(0.3) ? [random.pick(LONG_VALUES)] : [],
    ],
    pools: new Map(),
  };
  const weights = [...rows, ...otherTypes].map((candidate) =>
    [
      candidate,
      random.chance(0.15)
        ? 0
        : candidate.weight * (0.2 + random.below(100) / 50),
    ] as const
  );
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  return Array.from({ length }, () => {
    let left = random.below(1 << 20) / (1 << 20) * total;
    const chosen = weights.find(([, weight]) => (left -= weight) < 0);
    return makeStep(chosen?.[0] ?? rows[0]!, context);
  });
}

/** Commands whose last argument is how long both servers are to wait. */
const WAITS = /^b(lpop|rpop|rpoplpush|lmove|zpopmin|zpopmax)$/i;

function makeStep(chosen: Row, context: Context): Step {
  const { random } = context;
  const name = chosen.name.map((part) => anyCase(random, part));
  let args = chosen.parts.flatMap((part) => part(context));
  const { check, scan } = chosen;
  if (chosen.keepsArity !== true && random.chance(0.04)) {
    // Errors here quote less of a long argument than the reference's do.
    const extra = value(context)[0]!.slice(0, 100);
    const more = WAITS.test(name[0]!) ? [extra, ...args] : [...args, extra];
    args = random.pick([args.slice(0, -1), more, []]);
  }
  return {
    argv: [...name, ...args],
    ...(check === undefined ? {} : { check }),
    ...(scan === true ? { scan } : {}),
  };
}

function anyCase(random: Random, text: string): string {
  if (random.chance(0.85)) return text;
  if (random.chance(0.5)) return text.toLowerCase();
  return [...text].map((c) => random.chance(0.5) ? c.toLowerCase() : c).join(
    "",
  );
}

function sample(
  random: Random,
  from: readonly string[],
  count: number,
): string[] {
  return Array.from({ length: count }, () => random.pick(from));
}
