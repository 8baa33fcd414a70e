import {
  sameElements,
  sameEncoding,
  samePairs,
  sameShape,
  sameType,
} from "./_compare.ts";
import {
  field,
  fieldValue,
  floatIncrement,
  increment,
  randomCount,
} from "./_elements.ts";
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

const pair = sequence(field, fieldValue);

/** A key that values of other types never have: its encodings are the same. */
const hashKey = among("{t}hash");

/**
 * Pairs of different fields: where one comes twice, later versions guess by
 * their number that a hash is large.
 */
const pairs: Part = (context) => {
  const fields = new Map<string, string>();
  for (let left = context.random.between(1, 12); left > 0; left--) {
    const [name, text] = pair(context) as [string, string];
    fields.set(name, text);
  }
  return [...fields].flat();
};

const cursor = among("abc", " 0", "-", "18446744073709551616", "1.5");
const scanOptions = options(
  sequence(word("MATCH"), oneOf(pattern, field)),
  sequence(word("COUNT"), oneOf(integer, among("1", "2", "10", "1000"))),
);
const withValues = word("WITHVALUES");

differentialFamily("hash", [
  row("HSET", [key, pair], { weight: 6 }),
  row("HSET", [key, pairs], { weight: 6 }),
  row("HMSET", [key, pairs], { weight: 2 }),
  row("HSETNX", [key, pair], { weight: 2 }),
  row("HGET", [key, field], { weight: 3 }),
  row("HMGET", [key, repeat(field, 1, 6)], { weight: 2 }),
  row("HGETALL", [key], { weight: 3, check: samePairs }),
  row("HKEYS", [key], { weight: 2, check: sameElements }),
  row("HVALS", [key], { weight: 2, check: sameElements }),
  row("HLEN", [key], { weight: 2 }),
  row("HEXISTS", [key, field], { weight: 2 }),
  row("HSTRLEN", [key, field], { weight: 2 }),
  row("HDEL", [key, repeat(field, 1, 4)], { weight: 4 }),
  row("HINCRBY", [key, field, increment], { weight: 5 }),
  row("HINCRBYFLOAT", [key, field, floatIncrement], { weight: 4 }),
  row("HRANDFIELD", [key], { check: sameShape }),
  row("HRANDFIELD", [
    key,
    oneOf(randomCount, among("1000", "4611686018427387904")),
  ], { weight: 2, check: sameShape }),
  row("HRANDFIELD", [
    key,
    oneOf(
      randomCount,
      among("1000", "9223372036854775807", "-9223372036854775808"),
    ),
    oneOf(withValues, value),
  ], { weight: 2, check: sameShape }),
  row("HSCAN", [key, among("0"), scanOptions], { weight: 3, scan: true }),
  row("HSCAN", [key, cursor, scanOptions], { check: sameShape }),
  row("HSCAN", [key, among("0"), options(value, withValues)], {
    check: sameType,
  }),
  row("OBJECT ENCODING", [key], { check: sameEncoding }),
  row("HSET", [hashKey, pairs], { weight: 3 }),
  row("HINCRBY", [hashKey, field, increment]),
  row("HDEL", [hashKey, field]),
  row("COPY", [hashKey, key, maybe(word("REPLACE"))]),
  row("OBJECT ENCODING", [hashKey], { weight: 3 }),
  row("TYPE", [key]),
  row("EXISTS", [key]),
  row("DEL", [repeat(key, 1, 2)]),
  row("COPY", [key, key, maybe(word("REPLACE"))], { weight: 2 }),
  row("RENAME", [key, key], { weight: 2 }),
  row("SET", [key, value]),
], { smallLimits: true });
