/**
 * Values of every type and encoding, for what dumps and restores them: how each
 * is made, and how each is read in whole.
 *
 * @module
 */
import { Random } from "../_random.ts";

/** A value at the key "k". */
export interface DumpCase {
  type: ValueTypeName;
  name: string;
  /** Commands that make it. */
  make: string[][];
}

/** A type, as TYPE names it. */
export type ValueTypeName = keyof typeof READS;

/** Commands that read everything about a value of a type. */
export const READS = {
  string: [["GET", "k"], ["STRLEN", "k"]],
  hash: [["HGETALL", "k"], ["HLEN", "k"]],
  list: [["LRANGE", "k", "0", "-1"], ["LLEN", "k"], ["LINDEX", "k", "-1"]],
  set: [["SMEMBERS", "k"], ["SCARD", "k"]],
  zset: [
    ["ZRANGE", "k", "0", "-1", "WITHSCORES"],
    ["ZREVRANGEBYSCORE", "k", "+inf", "-inf", "WITHSCORES"],
    ["ZCARD", "k"],
  ],
  stream: [
    ["XRANGE", "k", "-", "+"],
    ["XREVRANGE", "k", "+", "-"],
    ["XLEN", "k"],
    ["XINFO", "STREAM", "k", "FULL", "COUNT", "0"],
  ],
} satisfies Record<string, string[][]>;

/** Types whose elements have no order. */
export const UNORDERED: ReadonlySet<ValueTypeName> = new Set(["hash", "set"]);

/** Texts at the borders of encodings. */
const TEXTS = [
  ..."0 1 12 13 63 64 127 128 -1 255 256 4095 4096 -4096 -4097".split(" "),
  ..."32767 32768 -32768 -32769 65535 8388607 8388608 -8388609".split(" "),
  ..."2147483647 2147483648 -2147483648 -2147483649 4294967296".split(" "),
  ..."9007199254740991 9007199254740993 -9007199254740993".split(" "),
  ..."9223372036854775807 -9223372036854775808 9223372036854775808".split(" "),
  ..."-0 00 01 +1 1.5 1e3 -".split(" "),
  ...["", "a", "a\0\xff\r\n", "\0".repeat(21)],
  ...[20, 21, 44, 45, 63, 64, 65, 253, 254, 255, 4095, 4096, 16383, 16384]
    .map((length) => letters(length)),
  ...[21, 64, 264, 265, 70_000].map((length) => "z".repeat(length)),
];

const SMALL = TEXTS.filter((text) => text.length <= 64);
const SCORES = [
  ..."0 -0 1 -1 0.5 1.5 -2.25 3.0000000001 0.1 1e10 123456789012".split(" "),
  ..."1e21 1e-7 5e-324 1.7976931348623157e308 inf -inf".split(" "),
];

/** A text that does not repeat itself. */
function letters(length: number): string {
  const random = new Random(length);
  let text = "";
  while (text.length < length) {
    text += String.fromCharCode(97 + random.below(26));
  }
  return text;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** A command with more elements than one request should have, in several. */
function many(name: string, elements: readonly (readonly string[])[]) {
  const commands: string[][] = [];
  for (let i = 0; i < elements.length; i += 500) {
    commands.push([name, "k", ...elements.slice(i, i + 500).flat()]);
  }
  return commands;
}

function cases(
  type: ValueTypeName,
  table: readonly (readonly [name: string, make: string[][]])[],
): DumpCase[] {
  return table.map(([name, make]) => ({ type, name, make }));
}

const STRINGS = cases("string", [
  ...TEXTS.map((text): [string, string[][]] => [
    text.length > 30 ? `${text[0]}... of ${text.length}` : text,
    [["SET", "k", text]],
  ]),
  ["appended digits", [["SET", "k", "12"], ["APPEND", "k", "34"]]],
  ["1.5 MB", [["SET", "k", letters(1_500_000)]]],
  ["1.5 MB of zeros", [["SETRANGE", "k", "1500000", "x"]]],
  ["a HyperLogLog", [["PFADD", "k", ...TEXTS]]],
]);

const HASHES = cases("hash", [
  ["one field", [["HSET", "k", "f", "v"]]],
  ["small", many("HSET", SMALL.map((text, i) => [text, SMALL.at(-1 - i)!]))],
  ["of a long value", [["HSET", "k", "f", "v".repeat(65)]]],
  ["large", many("HSET", TEXTS.map((text, i) => [text, TEXTS.at(-1 - i)!]))],
  ["512 fields", many("HSET", range(512).map((i) => [`${i}`, `v${i}`]))],
  ["513 fields", many("HSET", range(513).map((i) => [`${i}`, `v${i}`]))],
  ["5000 fields", many("HSET", range(5000).map((i) => [`f${i}`, `${i * i}`]))],
]);

const LISTS = cases("list", [
  ["one element", [["RPUSH", "k", "e"]]],
  ["small", many("RPUSH", SMALL.map((text) => [text]))],
  ["large", many("RPUSH", TEXTS.map((text) => [text]))],
  ["of integers", many("LPUSH", range(3000).map((i) => [`${i * 7919}`]))],
  ["of long elements", many("RPUSH", range(9).map((i) => [letters(9000 + i)]))],
  ["5000 elements", many("RPUSH", range(5000).map((i) => [`element:${i}`]))],
]);

const SETS = cases("set", [
  ["an integer", [["SADD", "k", "7"]]],
  ["of 16 bits", many("SADD", ["-32768", "32767", "0"].map((n) => [n]))],
  ["of 32 bits", many("SADD", ["-2147483648", "1", "40000"].map((n) => [n]))],
  ["of 64 bits", [["SADD", "k", "9223372036854775807", "-1", "2147483648"]]],
  ["512 integers", many("SADD", range(512).map((i) => [`${i * 3 - 600}`]))],
  ["513 integers", many("SADD", range(513).map((i) => [`${i * 3 - 600}`]))],
  ["a string", [["SADD", "k", "member"]]],
  ["small", many("SADD", SMALL.map((text) => [text]))],
  ["128 strings", many("SADD", range(128).map((i) => [`m${i}`]))],
  ["large", many("SADD", TEXTS.map((text) => [text]))],
  ["5000 strings", many("SADD", range(5000).map((i) => [`m${i}`]))],
]);

const ZSETS = cases("zset", [
  ["a member", [["ZADD", "k", "1", "m"]]],
  ["of all scores", many("ZADD", SCORES.map((score, i) => [score, `m${i}`]))],
  ["small", many("ZADD", SMALL.map((text, i) => [`${i % 5}.25`, text]))],
  ["of a long member", [["ZADD", "k", "0.1", "m".repeat(65), "2", "n"]]],
  ["large", many("ZADD", TEXTS.map((text, i) => [SCORES[i % 17]!, text]))],
  ["128 members", many("ZADD", range(128).map((i) => [`${i % 7}`, `m${i}`]))],
  ["129 members", many("ZADD", range(129).map((i) => [`${i % 7}`, `m${i}`]))],
  ["5000 members", many("ZADD", range(5000).map((i) => [`${i / 8}`, `m${i}`]))],
]);

const GROUP: string[][] = [
  ["XGROUP", "CREATE", "k", "g", "0"],
  ["XGROUP", "CREATE", "k", "late", "$"],
  ["XGROUP", "CREATE", "k", "counted", "5-0", "ENTRIESREAD", "3"],
  ["XGROUP", "CREATECONSUMER", "k", "g", "idle"],
  ["XREADGROUP", "GROUP", "g", "a", "COUNT", "3", "STREAMS", "k", ">"],
  ["XREADGROUP", "GROUP", "g", "b", "COUNT", "2", "STREAMS", "k", ">"],
  ["XACK", "k", "g", "2-0"],
  ["XCLAIM", "k", "g", "b", "0", "3-0"],
];

function entries(count: number): string[][] {
  return range(count).map((i) => [
    ...["XADD", "k", `${i + 1}-0`, "field", `${i}`],
    ...i % 3 === 0 ? ["more", TEXTS[i % TEXTS.length]!] : [],
  ]);
}

const STREAMS = cases("stream", [
  ["an entry", [["XADD", "k", "1-1", "f", "v"]]],
  ["empty", [["XADD", "k", "1-1", "f", "v"], ["XDEL", "k", "1-1"]]],
  ["of a group alone", [["XGROUP", "CREATE", "k", "g", "$", "MKSTREAM"]]],
  ["small", entries(20)],
  [
    "of same fields",
    range(50).map((i) => [
      ...["XADD", "k", `5-${i}`, "a", `${i}`, "b", TEXTS[i % TEXTS.length]!],
    ]),
  ],
  ["of far IDs", [
    ["XADD", "k", "0-1", "a", "1"],
    ["XADD", "k", "4294967296-4294967297", "a", "1"],
    ["XADD", "k", "18446744073709551615-18446744073709551614", "a", "1"],
  ]],
  ["with deleted entries", [
    ...entries(20),
    ["XDEL", "k", "1-0", "7-0", "8-0", "20-0"],
  ]],
  ["trimmed", [...entries(350), ["XTRIM", "k", "MAXLEN", "120"]]],
  ["set", [
    ...entries(5),
    ...[["XSETID", "k", "100-5", "ENTRIESADDED", "40", "MAXDELETEDID", "6-0"]],
  ]],
  ["with groups", [...entries(12), ...GROUP]],
  ["with groups and deleted entries", [
    ...entries(12),
    ...GROUP,
    ["XDEL", "k", "1-0", "4-0"],
  ]],
  ["1000 entries", entries(1000)],
]);

/** All of them. */
export const DUMP_CASES: readonly DumpCase[] = [
  ...STRINGS,
  ...HASHES,
  ...LISTS,
  ...SETS,
  ...ZSETS,
  ...STREAMS,
];

/** A random value of a type. */
export function randomCase(type: ValueTypeName, random: Random): DumpCase {
  const count = random.pick([1, 2, 10, 100, 600]);
  const texts = TEXTS.filter((text) => text.length < 300);
  const own = Array.from({ length: 10 }, () => random.binary(random.below(80)));
  const text = () =>
    random.chance(0.3)
      ? random.pick(texts)
      : random.chance(0.3)
      ? random.pick(own)
      : String(random.below(2 ** random.below(40)));
  const score = () =>
    random.chance(0.2)
      ? random.pick(SCORES)
      : String(random.below(4000) / 4 - 500);
  const several = (element: () => string[]) => range(count).map(element);
  return { type, name: "random", make: make() };

  function make(): string[][] {
    switch (type) {
      case "string":
        return [["SET", "k", several(() => [text()]).join("")]];
      case "hash":
        return many("HSET", several(() => [text(), text()]));
      case "list":
        return many("RPUSH", several(() => [text()]));
      case "set":
        return many("SADD", several(() => [text()]));
      case "zset":
        return many("ZADD", several(() => [score(), text()]));
      case "stream":
        return randomStream();
    }
  }

  function randomStream(): string[][] {
    let id = 0;
    const commands = several(() => {
      id += 1 + random.below(random.chance(0.1) ? 1e9 : 3);
      const fields = range(1 + random.below(3)).map((i) => [`f${i}`, text()]);
      return ["XADD", "k", `${id}-${random.below(5)}`, ...fields.flat()];
    });
    const ids = commands.map((argv) => argv[2]!);
    if (random.chance(0.5)) {
      const deleted = ids.filter(() => random.chance(0.2));
      if (deleted.length > 0) commands.push(["XDEL", "k", ...deleted]);
    }
    for (let n = random.below(3); n > 0; n--) {
      commands.push(["XGROUP", "CREATE", "k", `g${n}`, random.pick(ids)]);
      for (let m = random.below(4); m > 0; m--) {
        commands.push([
          ...["XREADGROUP", "GROUP", `g${n}`, `c${m}`],
          ...["COUNT", `${1 + random.below(20)}`, "STREAMS", "k", ">"],
        ]);
      }
      if (random.chance(0.5)) {
        commands.push(["XACK", "k", `g${n}`, ...ids.slice(0, 20)]);
      }
    }
    return commands;
  }
}
