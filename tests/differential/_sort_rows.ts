/**
 * Calls of SORT at random, and what they sort.
 *
 * @module
 */
import { tagsOnDistinctSlots } from "../_harness.ts";
import { sameElements, sameEncoding } from "./_compare.ts";
import {
  among,
  integer,
  key,
  maybe,
  oneOf,
  options,
  type Part,
  repeat,
  type Row,
  row,
  sequence,
  value,
  word,
} from "./_generate.ts";

const TAGS = tagsOnDistinctSlots(4);
const listKey = among("list", `{${TAGS[0]}}list`, `{${TAGS[1]}}list`);
const setKey = among("set", `{${TAGS[2]}}set`);
const zsetKey = among("zset", `{${TAGS[3]}}zset`);
const anyKey = oneOf(listKey, listKey, setKey, zsetKey, key);

const NUMBERS = [
  ...["1", "2", "3", "10", "9", "-1", "-1.5", "1.5", "1e1", "0x10", "inf"],
  ...["9007199254740993", "9223372036854775807", "-inf", "007", "+7", ".5"],
];
const WORDS = [
  "",
  "a",
  "b",
  "ab",
  "A",
  "nan",
  " 1",
  "1 ",
  "\xff",
  "_",
];
// No numbers out of range: once it has met one, Redis takes all others for such,
// since it never resets errno.
const NULS = ["1\x00", "1\x002", "a\x00b", "a\x00a", "\x00"];
const number = among(...NUMBERS);
const text = among(...NUMBERS, ...WORDS);
const anyText = among(...NUMBERS, ...WORDS, ...NULS);

/** What the patterns make of elements. */
function keyOf(pattern: string): Part {
  return (context) => [pattern.replace("*", anyText(context)[0]!)];
}

const weight = among("1", "2", "2", "3", "-1", "1.5", "", "x", "1\x00y", "2");
const STRINGS = ["w_*", `{${TAGS[1]}}w_*`, "*", "*_w*"];
const FIELDS = ["h_*->f", "h_*->g", "*->f"];
const NOWHERE = ["nosort", "NOSORT", "x", "", "#", "x\x00*"];
const ODD = [
  "h_*->",
  "w_*->f",
  "h_*",
  "*\x00",
  "h_*->\x00f",
  "->*",
  "*-",
  "#x",
];
const by = oneOf(
  among(...STRINGS, ...FIELDS),
  among(...STRINGS, ...FIELDS),
  among(...NOWHERE),
  among(...ODD),
);
const get = sequence(
  word("GET"),
  oneOf(among("#", "#\x00"), among(...STRINGS, ...FIELDS), by),
);
const index = oneOf(among("0", "1", "2", "-1", "100"), integer);
const direction = oneOf(word("ASC"), word("DESC"));
const limit = sequence(word("LIMIT"), index, index);
const store = sequence(word("STORE"), anyKey);

/** The rows of the family. */
export const SORT_ROWS: readonly Row[] = [
  row("RPUSH", [listKey, repeat(number, 1, 9)], { weight: 4 }),
  row("RPUSH", [listKey, repeat(text, 1, 5)], { weight: 2 }),
  row("RPUSH", [listKey, repeat(anyText, 1, 12)]),
  row("SADD", [setKey, repeat(number, 1, 9)], { weight: 2 }),
  row("SADD", [setKey, repeat(text, 1, 4)]),
  row("ZADD", [zsetKey, repeat(sequence(among("1", "2", "3"), text), 1, 6)], {
    weight: 2,
  }),
  row("SET", [keyOf("w_*"), weight], { weight: 4 }),
  row("SET", [keyOf(STRINGS[1]!), weight], { weight: 2 }),
  row("SET", [keyOf("*"), weight]),
  row("HSET", [keyOf("h_*"), repeat(sequence(among("f", "g"), weight), 1, 2)], {
    weight: 4,
  }),
  row("DEL", [anyKey]),
  row("SORT", [
    listKey,
    options(limit, direction, word("ALPHA"), get, sequence(word("BY"), by)),
  ], { weight: 9 }),
  row("SORT", [listKey, word("BY"), by, word("ALPHA"), limit, maybe(get)], {
    weight: 3,
  }),
  row("SORT_RO", [
    listKey,
    options(limit, direction, word("ALPHA"), get, sequence(word("BY"), by)),
    maybe(store, 0.1),
  ], { weight: 3 }),
  row("SORT", [
    listKey,
    options(limit, direction, word("ALPHA"), get, sequence(word("BY"), by)),
    store,
    options(direction, limit),
  ], { weight: 4 }),
  // What ties is in no order inside a set: strings are not sorted by others.
  row("SORT", [
    oneOf(setKey, zsetKey),
    options(limit, direction, word("ALPHA"), get),
    maybe(store),
  ], { weight: 4 }),
  row("SORT", [oneOf(setKey, zsetKey), word("BY"), among(...STRINGS)], {
    weight: 2,
  }),
  row("SORT", [setKey, word("BY"), word("NOSORT")], { check: sameElements }),
  row("SORT", [setKey, word("BY"), word("NOSORT"), store, maybe(limit)]),
  row("SORT", [
    zsetKey,
    word("BY"),
    among(...NOWHERE),
    options(limit, direction, get),
    maybe(store),
  ], { weight: 3 }),
  row("SORT", [anyKey, maybe(direction)]),
  row("SORT", [anyKey, options(among("LIMIT", "BY", "GET", "STORE"), limit)]),
  row("LRANGE", [listKey, among("0"), among("-1")], { weight: 4 }),
  row("TYPE", [anyKey]),
  row("OBJECT ENCODING", [listKey], { check: sameEncoding }),
  row("SET", [key, value]),
];
