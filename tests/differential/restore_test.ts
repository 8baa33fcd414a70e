/** RESTORE's arguments, and what becomes of keys that are restored. */
import {
  type Check,
  sameElements,
  sameEncoding,
  sameType,
  within,
} from "./_compare.ts";
import { differentialFamily } from "./_family.ts";
import {
  among,
  integer,
  key,
  milliseconds,
  oneOf,
  options,
  repeat,
  row,
  sequence,
  unixMilliseconds,
  value,
  word,
} from "./_generate.ts";

/** Dumped by Redis 7.0: a string, an integer, and one value of other types. */
const good = among(
  "\x00\x05sherd\x0a\x00\xa1\xc6\xef\x13\xe0\x17\x11\x1b",
  "\x00\xc0\x80\x0a\x00\x99\x66\x32\x6d\x2f\x0c\x5b\xd9",
  "\x02\x01\x01a\x0a\x00\x62\x96\xe9\x7e\x44\xd2\x1a\x6d",
  "\x10\x13\x13\x00\x00\x00\x04\x00\x81f\x02\x81v\x02\x81n\x02\xc4\x00\x02\xff" +
    "\x0a\x00\x54\x10\x72\x16\xb8\x93\x94\x25",
  "\x12\x01\x02\x10\x10\x00\x00\x00\x03\x00\x81a\x02\x81b\x02\xdf\xff\x02\xff" +
    "\x0a\x00\x91\xc5\x67\x8e\x5e\x30\x0b\x5a",
  "\x11\x14\x14\x00\x00\x00\x04\x00\x81a\x02\x831.5\x04\x81b\x02\x02\x01\xff" +
    "\x0a\x00\xfa\x02\xb4\x25\xaf\x18\x87\x63",
);
/** A checksum that is wrong, a value that is short, an unknown kind, no value. */
const bad = among(
  "\x00\x05sherd\x0a\x00\xa1\xc6\xef\x13\xe0\x17\x11\x1c",
  "\x02\x01\x01a\x0b\x01\x62\x96\xe9\x7e\x44\xd2\x1a\x6d",
  "\x00\x05",
);
const flags = options(
  ...[word("REPLACE"), word("REPLACE"), word("ABSTTL")],
  sequence(word("IDLETIME"), among("0", "500", "3000", "-1", "1.5")),
  sequence(word("FREQ"), oneOf(among("0", "5", "255", "256"), integer)),
);
const ttl = oneOf(among("0"), milliseconds, unixMilliseconds);

/** Idle times, of clocks that are a few seconds apart. */
const near: Check = (expected, actual) =>
  expected.type === "int" && actual.type === "int" &&
  Math.abs(Number(expected.value) - Number(actual.value)) <= 10;

differentialFamily("restore", [
  row("RESTORE", [key, ttl, oneOf(good, good, good, bad, value), flags], {
    weight: 8,
  }),
  row("RESTORE", [key, among("0"), good, word("REPLACE")], { weight: 4 }),
  row("DUMP", [key], { check: sameType }),
  row("TYPE", [key], { weight: 2 }),
  row("OBJECT ENCODING", [key], { check: sameEncoding }),
  row("OBJECT IDLETIME", [key], { weight: 2, check: near }),
  row("PTTL", [key], { weight: 2, check: within(2000) }),
  row("EXPIRETIME", [key], { check: within(2) }),
  row("GET", [key]),
  row("SMEMBERS", [key], { check: sameElements }),
  row("LRANGE", [key, among("0"), among("-1")]),
  row("SET", [key, value]),
  row("RENAME", [key, key]),
  row("DEL", [repeat(key, 1, 2)]),
  row("DBSIZE"),
]);
