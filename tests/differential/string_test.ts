import { differentialFamily } from "./_family.ts";
import {
  among,
  integer,
  key,
  milliseconds,
  offset,
  oneOf,
  options,
  repeat,
  row,
  seconds,
  sequence,
  unixMilliseconds,
  unixSeconds,
  value,
  word,
} from "./_generate.ts";
import { sameEncoding, within } from "./_compare.ts";

const expireOptions = [
  sequence(word("EX"), seconds),
  sequence(word("PX"), milliseconds),
  sequence(word("EXAT"), unixSeconds),
  sequence(word("PXAT"), unixMilliseconds),
];
const setOptions = options(
  ...expireOptions,
  ...[word("NX"), word("XX"), word("GET"), word("KEEPTTL")],
);
const float = oneOf(
  integer,
  value,
  among("0.1", "-0.1", "1.5", "0.3", "100.25", "3.0e3", "-2.5e-3", "1e-7"),
  among("1e400", "nan", "inf", "-inf", "infinity", "0x10", " 1", "1.", ".5"),
  among("1.7976931348623157e308", "123456789.123456789", "5e-324", "1,5"),
);
// A long LCS takes memory by the product of the lengths: short values only.
const lcsKey = among("lcs:1", "lcs:2", "{t}lcs:3");
const lcsText = among("ohmytext", "mynewtext", "", "aaaa", "abab", "\x00b\xff");

differentialFamily("string", [
  row("SET", [key, value, setOptions], { weight: 5 }),
  row("SET", [key, value], { weight: 2 }),
  row("GET", [key], { weight: 3 }),
  row("GETSET", [key, value]),
  row("GETDEL", [key]),
  row("GETEX", [key, options(...expireOptions, word("PERSIST"))], {
    weight: 2,
  }),
  row("TTL", [key], { check: within(2) }),
  row("PTTL", [key], { check: within(2000) }),
  row("MGET", [repeat(key, 1, 10)]),
  row("MSET", [repeat(sequence(key, value), 1, 6)]),
  row("MSETNX", [repeat(sequence(key, value), 1, 4)]),
  row("SETNX", [key, value]),
  row("SETEX", [key, seconds, value]),
  row("PSETEX", [key, milliseconds, value]),
  row("APPEND", [key, value], { weight: 2 }),
  row("STRLEN", [key]),
  row("GETRANGE", [key, offset, offset], { weight: 3 }),
  row("SUBSTR", [key, offset, offset]),
  row("SETRANGE", [key, offset, value], { weight: 3 }),
  row("INCR", [key], { weight: 2 }),
  row("DECR", [key]),
  row("INCRBY", [key, integer], { weight: 2 }),
  row("DECRBY", [key, integer], { weight: 2 }),
  row("INCRBYFLOAT", [key, float], { weight: 2 }),
  row("OBJECT ENCODING", [key], { weight: 2, check: sameEncoding }),
  row("DEL", [repeat(key, 1, 3)]),
  row("SET", [lcsKey, lcsText], { weight: 2 }),
  row("LCS", [
    lcsKey,
    lcsKey,
    options(
      ...[word("LEN"), word("IDX"), word("WITHMATCHLEN")],
      sequence(word("MINMATCHLEN"), integer),
    ),
  ], { weight: 3 }),
]);
