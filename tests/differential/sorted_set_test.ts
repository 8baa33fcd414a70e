import {
  anyOf,
  sameElementsAndNumbers,
  sameEncoding,
  sameNumbers,
  sameShape,
  sameType,
} from "./_compare.ts";
import {
  lexBound,
  member,
  randomCount,
  rank,
  score as anyScore,
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

/** Scores have their shortest text since 7.2, before that one of 17 digits. */
const numbers = { check: sameNumbers };

/**
 * A score. The sign of a zero is lost where it is packed, and 7.2 unpacks a set
 * before it adds too many members, not while it does.
 */
const score: Part = (context) => {
  const [text] = anyScore(context);
  return [text === "-0" ? "0" : text!];
};

/** An end of a range of scores, as `strtod` reads it. */
const scoreBound: Part = (context) => {
  const { random } = context;
  if (random.chance(0.25)) return [random.pick(["-inf", "+inf"])];
  if (random.chance(0.1)) {
    return [random.pick([
      ...["(", "((1", "[1", "(nan", "(abc", "-", "+", "nan", "1 ", "1x"],
      ...["", " 1", "\t(1", "( 2", "1\x00x", "(\x00", "1e400", "-1e400"],
      ...["1e-400", "0x10", "(0x1p1", "(+inf", "(-Infinity", ".5", "5."],
    ])];
  }
  const [bound] = score(context);
  return [random.chance(0.3) ? `(${bound}` : bound!];
};
const anyLexBound: Part = oneOf(
  lexBound,
  lexBound,
  lexBound,
  among("+\x00", "-\x00x", "+x", "[", "(", "-\x01"),
);

const addOptions = options(
  ...["NX", "XX", "GT", "LT", "CH", "INCR"].map((name) => word(name)),
);
const oneAddOption = oneOf(word("NX"), word("GT"), word("LT"), word("CH"));
const limit = sequence(
  word("LIMIT"),
  oneOf(among("0", "1", "2", "-1"), integer),
  oneOf(among("0", "1", "2", "3", "-1", "-2"), integer),
);
const withScores = word("WITHSCORES");
const rangeOptions = options(
  ...[word("BYSCORE"), word("BYLEX"), word("REV"), limit, withScores],
);
const storeOptions = options(
  ...[word("BYSCORE"), word("BYLEX"), word("REV"), limit],
);
const reverse = maybe(word("REV"));
const count: Part = oneOf(
  among("0", "1", "2", "3", "5", "100"),
  among("-1", "abc", "", "1.5", "9223372036854775807"),
);

/** A number of keys and as many keys; at times it is not the right one. */
const keys: Part = (context) => {
  const { random } = context;
  const wanted = random.between(1, 4);
  const found = repeat(oneOf(key, key, setKey), wanted, wanted)(context);
  const shown = random.chance(0.93)
    ? String(wanted)
    : random.pick(["0", "-1", "1", "9", "abc", "", "9223372036854775807"]);
  return [shown, ...found];
};
const setKey = among("set:1", "{t}set:2");
const aggregate = sequence(
  word("AGGREGATE"),
  oneOf(word("SUM"), word("MIN"), word("MAX"), among("AVG")),
);
const weight: Part = oneOf(
  among("1", "2", "0", "-1", "0.5", "inf", "-inf"),
  among("1", "2", "3", "abc", "nan"),
);
const weights: Part = sequence(word("WEIGHTS"), repeat(weight, 1, 4));
const algebraOptions = oneOf(
  options(weights, aggregate),
  maybe(aggregate),
  options(aggregate, withScores, weights),
);
const shownOptions = sequence(
  maybe(aggregate),
  maybe(weights, 0.3),
  maybe(withScores),
);

const cursor = among("abc", " 0", "-", "18446744073709551616", "1.5");
const scanOptions = options(
  sequence(word("MATCH"), oneOf(pattern, member)),
  sequence(word("COUNT"), oneOf(integer, among("1", "2", "10", "1000"))),
);

/**
 * Pairs, no member twice: 7.2 unpacks a set if as many pairs do not fit, whether
 * or not they add as many members.
 */
const pairs = distinctPairs(score, 3);
/** Members of one score, for ranges of members. */
const level = distinctPairs(among("0"), 6);
const levelKey = among("level:1", "{t}level:2");

function distinctPairs(scores: Part, most: number): Part {
  return (context) => {
    const found = new Map<string, string>();
    for (let i = context.random.between(1, most); i > 0; i--) {
      found.set(member(context)[0]!, scores(context)[0]!);
    }
    return [...found].flatMap(([name, text]) => [text, name]);
  };
}

/** Short, as both servers wait so long where there is nothing. */
const timeout = among("0.001", "0.001", "0.001", "0.001", "-1", "x", "");

differentialFamily("sorted set", [
  row("ZADD", [key, pairs], { weight: 9 }),
  row("ZADD", [key, oneAddOption, pairs], { weight: 4 }),
  row("ZADD", [key, addOptions, sequence(score, member)], {
    weight: 4,
    ...numbers,
  }),
  row("ZADD", [key, word("XX"), maybe(word("CH")), score, member], {
    weight: 2,
  }),
  row("ZADD", [key, word("INCR"), addOptions, pairs], numbers),
  row("ZINCRBY", [key, score, member], { weight: 4, ...numbers }),
  row(
    "ZINCRBY",
    [key, oneOf(value, word("NX"), word("INCR")), member],
    numbers,
  ),
  row("ZREM", [key, repeat(member, 1, 4)], { weight: 2 }),
  row("ZSCORE", [key, member], { weight: 2, ...numbers }),
  row("ZMSCORE", [key, repeat(member, 1, 5)], { weight: 2, ...numbers }),
  row("ZCARD", [key], { weight: 2 }),
  row("ZCOUNT", [key, scoreBound, scoreBound], { weight: 3 }),
  row("ZRANK", [key, member], { weight: 2, keepsArity: true }),
  row("ZREVRANK", [key, member], { weight: 2, keepsArity: true }),
  row("ZRANGE", [key, rank, rank, maybe(withScores)], {
    weight: 4,
    ...numbers,
  }),
  row("ZRANGE", [key, among("0"), among("-1"), withScores], {
    weight: 5,
    ...numbers,
  }),
  row("ZRANGE", [key, rank, rank, rangeOptions], { weight: 2, ...numbers }),
  row("ZRANGE", [key, scoreBound, scoreBound, rangeOptions], {
    weight: 2,
    ...numbers,
  }),
  row("ZRANGE", [
    ...[key, scoreBound, scoreBound, word("BYSCORE"), reverse],
    ...[maybe(limit), maybe(withScores)],
  ], { weight: 3, ...numbers }),
  row("ZREVRANGE", [key, rank, rank, maybe(withScores)], {
    weight: 2,
    ...numbers,
  }),
  row("ZREVRANGE", [key, rank, rank, rangeOptions], numbers),
  row("ZRANGEBYSCORE", [
    ...[key, scoreBound, scoreBound],
    options(limit, withScores),
  ], { weight: 2, ...numbers }),
  row("ZREVRANGEBYSCORE", [
    ...[key, scoreBound, scoreBound],
    options(limit, withScores),
  ], { weight: 2, ...numbers }),
  row("ZRANGESTORE", [key, key, rank, rank, reverse], { weight: 2 }),
  row("ZRANGESTORE", [key, key, scoreBound, scoreBound, storeOptions], {
    weight: 2,
  }),
  row("ZREMRANGEBYRANK", [key, rank, rank]),
  row("ZREMRANGEBYSCORE", [key, scoreBound, scoreBound]),

  row("ZADD", [levelKey, level], { weight: 5 }),
  row("ZLEXCOUNT", [levelKey, anyLexBound, anyLexBound], { weight: 3 }),
  row("ZRANGEBYLEX", [levelKey, anyLexBound, anyLexBound, maybe(limit)], {
    weight: 3,
  }),
  row("ZREVRANGEBYLEX", [levelKey, anyLexBound, anyLexBound, maybe(limit)], {
    weight: 3,
  }),
  row("ZRANGE", [
    ...[levelKey, anyLexBound, anyLexBound, word("BYLEX"), reverse],
    maybe(limit),
  ], { weight: 3 }),
  row("ZRANGE", [levelKey, anyLexBound, anyLexBound, rangeOptions]),
  row("ZRANGESTORE", [
    ...[levelKey, levelKey, anyLexBound, anyLexBound, word("BYLEX"), reverse],
    maybe(limit),
  ]),
  row("ZREMRANGEBYLEX", [levelKey, anyLexBound, anyLexBound]),
  row("ZREM", [levelKey, repeat(member, 1, 2)]),

  row("ZPOPMIN", [key], numbers),
  row("ZPOPMAX", [key], numbers),
  row("ZPOPMIN", [key, count], numbers),
  row("ZPOPMAX", [key, count], numbers),
  row("BZPOPMIN", [repeat(key, 1, 3), timeout], numbers),
  row("BZPOPMAX", [repeat(key, 1, 3), timeout], numbers),
  row("BZMPOP", [timeout, keys, oneOf(word("MIN"), word("MAX"))], numbers),
  row("ZMPOP", [
    keys,
    oneOf(word("MIN"), word("MAX")),
    maybe(sequence(word("COUNT"), count)),
  ], numbers),
  row(
    "ZMPOP",
    [keys, options(word("MIN"), word("MAX"), word("COUNT"), count)],
    {
      ...numbers,
    },
  ),

  row("SADD", [setKey, repeat(member, 1, 5)], { weight: 2 }),
  row("ZUNION", [keys, shownOptions], { weight: 3, ...numbers }),
  row("ZINTER", [keys, shownOptions], { weight: 3, ...numbers }),
  row("ZDIFF", [keys, maybe(withScores)], { weight: 3, ...numbers }),
  row("ZUNION", [keys, algebraOptions], numbers),
  row("ZINTER", [keys, algebraOptions], numbers),
  row("ZDIFF", [keys, algebraOptions], numbers),
  row("ZUNIONSTORE", [key, keys, algebraOptions], { weight: 2 }),
  row("ZINTERSTORE", [key, keys, algebraOptions], { weight: 2 }),
  row("ZDIFFSTORE", [key, keys, maybe(value, 0.1)], { weight: 2 }),
  row("ZINTERCARD", [keys, maybe(sequence(word("LIMIT"), count))], {
    weight: 2,
  }),
  row("ZINTERCARD", [keys, options(word("LIMIT"), count)]),

  row("ZRANDMEMBER", [key], { check: sameShape }),
  row("ZRANDMEMBER", [key, randomCount, maybe(withScores)], {
    weight: 2,
    check: sameShape,
  }),
  row("ZRANDMEMBER", [
    key,
    among("1000", "4611686018427387903", "4611686018427387904"),
    maybe(withScores),
  ], { check: anyOf(sameNumbers, sameElementsAndNumbers, sameShape) }),
  row("ZRANDMEMBER", [key, randomCount, value], { check: sameShape }),
  row("ZSCAN", [key, among("0"), scanOptions], {
    weight: 3,
    scan: true,
    keepsArity: true,
  }),
  row("ZSCAN", [key, cursor, scanOptions], { check: sameShape }),
  row("ZSCAN", [key, among("0"), options(limit, value)], { check: sameType }),

  row("OBJECT ENCODING", [oneOf(key, levelKey)], {
    weight: 3,
    check: sameEncoding,
  }),
  row("EXISTS", [key]),
  row("TYPE", [key]),
  row("DEL", [repeat(key, 1, 2)]),
  row("COPY", [key, key, maybe(word("REPLACE"))]),
  row("RENAME", [key, key]),
  row("SET", [key, value]),
], { smallLimits: true });
