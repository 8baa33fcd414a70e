import { sameEncoding } from "./_compare.ts";
import { count, element, rank } from "./_elements.ts";
import { differentialFamily } from "./_family.ts";
import {
  among,
  key,
  maybe,
  oneOf,
  options,
  type Part,
  repeat,
  row,
  seconds,
  sequence,
  value,
  word,
} from "./_generate.ts";

const side: Part = oneOf(word("LEFT"), word("RIGHT"));
const anySide: Part = (context) =>
  context.random.chance(0.05) ? ["MIDDLE"] : side(context);
const place: Part = (context) =>
  context.random.chance(0.05)
    ? ["BESIDE"]
    : oneOf(word("BEFORE"), word("AFTER"))(context);
const keyCount: Part = ({ random }) => [
  random.chance(0.9)
    ? String(random.between(1, 3))
    : random.pick(["0", "-1", "100", "abc", "", "9223372036854775807", "01"]),
];
/** The least integer is refused by later versions than the reference. */
const symmetric = among(
  ...["0", "1", "2", "-1", "-2", "3", "-3", "5", "-5", "abc", "1.5", ""],
  ...["9223372036854775807", "-9223372036854775807", "9223372036854775808"],
);
/** The reference looks at the lower 32 bits of what LSET is given. */
const setIndex: Part = ({ random }) => [
  random.chance(0.9)
    ? String(random.between(-9, 9))
    : random.pick(["100", "-100", "abc", "", "1.5", "9223372036854775808"]),
];
const positionOptions = options(
  sequence(word("RANK"), symmetric),
  sequence(word("COUNT"), count),
  sequence(word("MAXLEN"), count),
);

/** Short, as both servers wait so long where there is nothing. */
const timeout = among("0.001", "0.001", "0.001", "0.001", "-1", "x", "");

differentialFamily("list", [
  row("RPUSH", [key, repeat(element, 1, 6)], { weight: 6 }),
  row("LPUSH", [key, repeat(element, 1, 6)], { weight: 6 }),
  row("RPUSH", [key, repeat(oneOf(element, value), 5, 40)], { weight: 2 }),
  row("LPUSHX", [key, repeat(element, 1, 3)], { weight: 2 }),
  row("RPUSHX", [key, repeat(element, 1, 3)], { weight: 2 }),
  row("LPOP", [key], { weight: 2 }),
  row("RPOP", [key], { weight: 2 }),
  row("LPOP", [key, count], { weight: 2 }),
  row("RPOP", [key, count], { weight: 2 }),
  row("LLEN", [key], { weight: 2 }),
  row("LINDEX", [key, rank], { weight: 3 }),
  row("LSET", [key, setIndex, oneOf(element, value)], { weight: 4 }),
  row("LINSERT", [key, place, element, oneOf(element, value)], { weight: 4 }),
  row("LRANGE", [key, rank, rank], { weight: 3 }),
  row("LRANGE", [key, among("0"), among("-1")], { weight: 4 }),
  row("LTRIM", [key, rank, rank]),
  row("LTRIM", [key, among("0", "1", "-8"), among("-1", "-2", "20")]),
  row("LREM", [key, symmetric, element], { weight: 3 }),
  row("LPOS", [key, element, positionOptions], { weight: 4 }),
  row("LMOVE", [key, key, anySide, anySide], { weight: 4 }),
  row("RPOPLPUSH", [key, key], { weight: 2 }),
  row("BLPOP", [repeat(key, 1, 3), timeout]),
  row("BRPOP", [repeat(key, 1, 3), timeout]),
  row("BLMOVE", [key, key, anySide, anySide, timeout]),
  row("BRPOPLPUSH", [key, key, timeout]),
  row("BLMPOP", [timeout, keyCount, repeat(key, 1, 3), anySide]),
  row("LMPOP", [keyCount, repeat(key, 1, 3), anySide], { weight: 2 }),
  row("LMPOP", [
    keyCount,
    repeat(key, 1, 3),
    anySide,
    options(sequence(word("COUNT"), count)),
  ], { weight: 2 }),
  row("OBJECT ENCODING", [key], { weight: 3, check: sameEncoding }),
  row("EXPIRE", [key, seconds]),
  row("PERSIST", [key]),
  row("EXISTS", [key]),
  row("TYPE", [key]),
  row("DEL", [repeat(key, 1, 2)]),
  row("COPY", [key, key, maybe(word("REPLACE"))]),
  row("RENAME", [key, key]),
  row("SET", [key, value]),
], { smallLimits: true });
