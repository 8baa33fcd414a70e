import { sameElements, sameShape, sameType } from "./_compare.ts";
import { member, randomCount } from "./_elements.ts";
import { differentialFamily } from "./_family.ts";
import {
  among,
  integer,
  key,
  maybe,
  oneOf,
  options,
  type Part,
  pattern,
  repeat,
  row,
  sequence,
  value,
  word,
} from "./_generate.ts";

const unordered = { check: sameElements };

/**
 * Sets that members are drawn from. The servers keep different ones then, so
 * nothing but how many they are is compared, until the sets are filled anew from
 * others that nobody draws from.
 */
const SOURCES: Readonly<Record<string, readonly string[]>> = {
  int: ["1", "-2", "300", "70000", "-5000000000", "9007199254740993"],
  text: [..."abcdefghijklm"],
  long: Array.from({ length: 40 }, (_, i) => `${i}`.padStart(66, "x")),
};
const kinds = Object.keys(SOURCES);
const drawnKey = among(...kinds.map((kind) => `{${kind}}drawn`));
const source: Part = ({ random }) => {
  const kind = random.pick(kinds);
  return [`{${kind}}source`, ...SOURCES[kind]!];
};
const drawnAndSource: Part = ({ random }) => {
  const kind = random.pick(kinds);
  return [`{${kind}}drawn`, `{${kind}}source`];
};

const cursor = among("abc", " 0", "-", "18446744073709551616", "1.5");
const scanOptions = options(
  sequence(word("MATCH"), oneOf(pattern, member)),
  sequence(word("COUNT"), oneOf(integer, among("1", "2", "10", "1000"))),
);
const keyCount: Part = ({ random }) => [
  random.chance(0.9)
    ? String(random.between(1, 3))
    : random.pick(["0", "-1", "100", "abc", "", "9223372036854775808", "01"]),
];
const limit = sequence(
  word("LIMIT"),
  oneOf(
    among("0", "1", "2", "3", "-1", "abc"),
    integer,
  ),
);

differentialFamily("set", [
  row("SADD", [key, repeat(member, 1, 5)], { weight: 9 }),
  row("SADD", [key, repeat(member, 5, 20)], { weight: 2 }),
  row("SREM", [key, repeat(member, 1, 4)], { weight: 3 }),
  row("SISMEMBER", [key, member], { weight: 2 }),
  row("SMISMEMBER", [key, repeat(member, 1, 6)], { weight: 2 }),
  row("SCARD", [key], { weight: 2 }),
  row("SMEMBERS", [key], { weight: 3, ...unordered }),
  row("SMOVE", [key, key, member], { weight: 4 }),
  row("SINTER", [repeat(key, 1, 4)], { weight: 2, ...unordered }),
  row("SUNION", [repeat(key, 1, 4)], { weight: 2, ...unordered }),
  row("SDIFF", [repeat(key, 1, 4)], { weight: 2, ...unordered }),
  row("SINTERSTORE", [key, repeat(key, 1, 4)], { weight: 2 }),
  row("SUNIONSTORE", [key, repeat(key, 1, 4)], { weight: 2 }),
  row("SDIFFSTORE", [key, repeat(key, 1, 4)], { weight: 2 }),
  row("SINTERCARD", [keyCount, repeat(key, 1, 3), maybe(limit)], {
    weight: 2,
  }),
  row("SINTERCARD", [keyCount, repeat(key, 1, 3), options(limit)]),
  row("SSCAN", [key, among("0"), scanOptions], { weight: 3, scan: true }),
  row("SSCAN", [key, cursor, scanOptions], { check: sameShape }),
  row("SSCAN", [key, among("0"), options(limit, value, word("NOVALUES"))], {
    check: sameType,
  }),
  row("SRANDMEMBER", [key], { check: sameShape }),
  row("SRANDMEMBER", [
    key,
    oneOf(randomCount, among("1000", "9223372036854775807")),
  ], { weight: 2, check: sameShape }),
  row("SRANDMEMBER", [key, randomCount, value], { check: sameShape }),
  row("SADD", [source], { weight: 2 }),
  row("SUNIONSTORE", [drawnAndSource], { weight: 3 }),
  row("SPOP", [drawnKey], { weight: 2, check: sameShape }),
  row("SPOP", [drawnKey, oneOf(randomCount, among("30", "35", "39"))], {
    weight: 2,
    check: sameShape,
  }),
  row("SPOP", [drawnKey, among("-1", "abc", "", "1.5", "0", "1000000")], {
    check: sameShape,
  }),
  row("SPOP", [drawnKey, randomCount, value], { check: sameShape }),
  row("SRANDMEMBER", [drawnKey, randomCount], { check: sameShape }),
  row("SCARD", [drawnKey], { weight: 2 }),
  row("SMEMBERS", [drawnKey], { check: sameShape }),
  row("SUNIONSTORE", [among("copy"), drawnKey]),
  row("EXISTS", [oneOf(key, drawnKey)]),
  row("TYPE", [key]),
  row("DEL", [repeat(key, 1, 2)]),
  row("COPY", [key, key, maybe(word("REPLACE"))]),
  row("RENAME", [key, key]),
  row("SET", [key, value]),
], { smallLimits: true });
