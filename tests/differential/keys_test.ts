import { differentialFamily } from "./_family.ts";
import {
  among,
  integer,
  key,
  maybe,
  milliseconds,
  oneOf,
  options,
  pattern,
  repeat,
  row,
  seconds,
  sequence,
  unixMilliseconds,
  unixSeconds,
  value,
  word,
} from "./_generate.ts";
import { sameElements, sameEncoding, sameType, within } from "./_compare.ts";

const condition = options(word("NX"), word("XX"), word("GT"), word("LT"));
const database = oneOf(among("0", "1", "15", "16", "-1", "abc"), integer);
const scanOptions = options(
  sequence(word("MATCH"), pattern),
  sequence(word("COUNT"), oneOf(among("1", "3", "1000"), integer)),
  sequence(
    word("TYPE"),
    among("string", "list", "STRING", "set", "zset", "hash", "stream"),
  ),
);

differentialFamily("keys", [
  row("SET", [key, value], { weight: 6 }),
  row("MSET", [repeat(sequence(key, value), 1, 6)], { weight: 2 }),
  row("GET", [key], { weight: 2 }),
  row("DEL", [repeat(key, 1, 5)]),
  row("UNLINK", [repeat(key, 1, 5)]),
  row("EXISTS", [repeat(key, 1, 5)]),
  row("TOUCH", [repeat(key, 1, 5)]),
  row("TYPE", [key]),
  row("KEYS", [pattern], { weight: 2, check: sameElements }),
  row("RANDOMKEY", [], { check: sameType }),
  row("DBSIZE"),
  row("RENAME", [key, key], { weight: 2 }),
  row("RENAMENX", [key, key], { weight: 2 }),
  row("COPY", [
    key,
    key,
    options(word("REPLACE"), sequence(word("DB"), database)),
  ], { weight: 3 }),
  row("MOVE", [key, database]),
  row("EXPIRE", [key, seconds, condition], { weight: 2 }),
  row("PEXPIRE", [key, milliseconds, condition], { weight: 2 }),
  row("EXPIREAT", [key, unixSeconds, condition], { weight: 2 }),
  row("PEXPIREAT", [key, unixMilliseconds, condition], { weight: 2 }),
  row("TTL", [key], { weight: 2, check: within(2) }),
  row("PTTL", [key], { weight: 2, check: within(2000) }),
  row("EXPIRETIME", [key], { check: within(2) }),
  row("PEXPIRETIME", [key], { check: within(2000) }),
  row("PERSIST", [key]),
  row("OBJECT ENCODING", [key], { check: sameEncoding }),
  row("OBJECT REFCOUNT", [key], { check: sameType }),
  row("OBJECT IDLETIME", [key], { check: sameType }),
  row("OBJECT FREQ", [key]),
  row("OBJECT BOGUS", [maybe(key)]),
  row("SCAN", [among("0"), scanOptions], { weight: 2, scan: true }),
  row("SCAN", [among("abc", "1.5", "1x", "18446744073709551616")]),
]);
