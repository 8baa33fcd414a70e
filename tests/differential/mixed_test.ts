/**
 * Commands of all types on the same few keys: values of every type meet every
 * command, and are renamed, copied, expired, overwritten and deleted. Rows whose
 * command the table does not have are left out. What one type alone is about has
 * a family of its own.
 *
 * @module
 */
import { makeCommandTable } from "../../src/front/server/command_groups.ts";
import { differentialFamily } from "./_family.ts";
import {
  among,
  integer,
  key,
  maybe,
  milliseconds,
  offset,
  oneOf,
  options,
  type Part,
  pattern,
  repeat,
  type Row,
  row,
  seconds,
  sequence,
  unixSeconds,
  value,
  word,
} from "./_generate.ts";
import {
  sameElements,
  sameElementsAndNumbers,
  sameEncoding,
  sameNumbers,
  samePairs,
  sameShape,
  sameType,
  within,
} from "./_compare.ts";
import {
  consumer,
  count,
  element,
  field,
  fieldValue,
  floatIncrement,
  group,
  increment,
  lexBound,
  member,
  newStreamId,
  randomCount,
  rank,
  score,
  scoreBound,
  streamBound,
  streamId,
} from "./_elements.ts";

/** A key that errors quote as a whole. */
const shortKey: Part = ({ random, keys }) => {
  const short = keys.filter((name) => name.length < 100);
  return [short.length === 0 ? "k" : random.pick(short)];
};
const keys = repeat(key, 1, 4);
/** `numkeys key [key ...]`, at times with a wrong number. */
const numberedKeys: Part = (context) => {
  const chosen = keys(context);
  const { random } = context;
  const number = random.chance(0.93)
    ? String(chosen.length)
    : random.pick(["0", "-1", "abc", "9", "1"]);
  return [number, ...chosen];
};
const fields = repeat(field, 1, 4);
const members = repeat(member, 1, 5);
const elements = repeat(element, 1, 4);
const end = among("LEFT", "RIGHT", "LEFT", "RIGHT", "left", "MIDDLE");
const bit = among("0", "1", "7", "8", "100", "2000", "-1", "4294967296", "x");
const few = among("0", "1", "3", "-1", "-4", "100");
const limit = sequence(word("LIMIT"), rank, count);
const weights = sequence(
  word("WEIGHTS"),
  repeat(among("1", "2", "-1", "0", "0.5", "inf", "nan", "x"), 1, 3),
);
const aggregate = sequence(
  word("AGGREGATE"),
  among("SUM", "MIN", "MAX", "max", "AVG"),
);
const place = among("13.361389", "15.087269", "0", "-73.9", "181", "x");
const latitude = among("38.115556", "37.502669", "0", "40.7", "86", "x");
const radius = sequence(
  among("100", "5000", "0", "-1", "x"),
  among("m", "km", "mi", "ft", "yd"),
);
const shape = oneOf(
  sequence(word("BYRADIUS"), radius),
  sequence(word("BYBOX"), among("400", "-1"), radius),
);
const origin = oneOf(
  sequence(word("FROMMEMBER"), member),
  sequence(word("FROMLONLAT"), place, latitude),
);

const RARE = { weight: 0.3 };
const OFTEN = { weight: 2 };

const generic: readonly Row[] = [
  row("DEL", [repeat(key, 1, 2)], OFTEN),
  row("UNLINK", [keys]),
  row("EXISTS", [keys]),
  row("TOUCH", [keys]),
  row("TYPE", [key], OFTEN),
  row("RENAME", [key, key], OFTEN),
  row("RENAMENX", [key, key]),
  row("COPY", [key, key, maybe(word("REPLACE"), 0.7)], { weight: 3 }),
  row("MOVE", [key, among("0", "1")], RARE),
  row("EXPIRE", [key, seconds]),
  row("PEXPIRE", [key, milliseconds]),
  row("EXPIREAT", [key, unixSeconds]),
  row("PERSIST", [key]),
  row("TTL", [key], { check: within(2) }),
  row("OBJECT ENCODING", [key], { weight: 3, check: sameEncoding }),
  row("OBJECT IDLETIME", [key], { check: sameType }),
  row("OBJECT REFCOUNT", [key], { check: sameType }),
  row("MEMORY USAGE", [
    key,
    maybe(sequence(word("SAMPLES"), among("0", "5", "-1"))),
  ], { check: sameType }),
  row("KEYS", [pattern], { check: sameElements }),
  row("DBSIZE"),
  row("SCAN", [
    among("0"),
    options(
      sequence(word("COUNT"), among("1", "100")),
      sequence(
        word("TYPE"),
        among("string", "list", "set", "zset", "hash", "stream", "HASH", "x"),
      ),
    ),
  ], { weight: 2, scan: true }),
  row("DUMP", [key], { check: sameType }),
  row("RESTORE", [key, among("0", "100000", "-1"), value]),
  row("SORT", [
    key,
    options(
      word("ALPHA"),
      word("DESC"),
      limit,
      sequence(word("STORE"), key),
      sequence(word("GET"), among("#", "k*", "*->field")),
    ),
    word("ALPHA"),
  ]),
  // Without ALPHA, an earlier number out of range can make the reference fail.
  row("SORT_RO", [key, word("ALPHA"), maybe(word("DESC")), maybe(limit)]),
];

const strings: readonly Row[] = [
  row("SET", [key, value], OFTEN),
  row("SET", [
    key,
    value,
    options(word("NX"), word("XX"), word("GET"), word("KEEPTTL")),
  ]),
  row("MSET", [repeat(sequence(key, value), 1, 3)]),
  row("MSETNX", [repeat(sequence(key, value), 1, 2)]),
  row("GET", [key], OFTEN),
  row("MGET", [keys]),
  row("GETSET", [key, value]),
  row("GETDEL", [key], RARE),
  row("GETEX", [key, maybe(word("PERSIST"))], RARE),
  row("APPEND", [key, value]),
  row("STRLEN", [key]),
  row("GETRANGE", [key, offset, offset]),
  row("SETRANGE", [key, among("0", "3", "70"), value]),
  row("INCR", [key]),
  row("INCRBYFLOAT", [key, floatIncrement], RARE),
  row("LCS", [key, key, maybe(word("LEN"))], RARE),
  row("SETBIT", [key, bit, among("0", "1", "2")], OFTEN),
  row("GETBIT", [key, bit]),
  row("BITCOUNT", [key, maybe(sequence(few, few))], { keepsArity: true }),
  row("BITPOS", [key, among("0", "1"), maybe(few)], { keepsArity: true }),
  row("BITOP", [among("AND", "OR", "XOR", "NOT", "NAND"), key, keys]),
  row("BITFIELD", [
    key,
    options(
      sequence(word("GET"), among("u8", "i5", "u64"), bit),
      sequence(word("SET"), among("u8", "i5"), among("0", "#2"), integer),
      sequence(word("INCRBY"), among("u2", "i64"), among("1", "#1"), integer),
      sequence(word("OVERFLOW"), among("WRAP", "SAT", "FAIL", "x")),
    ),
  ]),
  row("BITFIELD_RO", [
    key,
    repeat(sequence(word("GET"), among("u8", "i64", "u64"), bit), 0, 2),
  ]),
  row("PFADD", [key, repeat(element, 0, 5)], OFTEN),
  row("PFCOUNT", [keys]),
  row("PFMERGE", [key, keys]),
  row("PFDEBUG ENCODING", [key], RARE),
];

const hashes: readonly Row[] = [
  row("HSET", [key, repeat(sequence(field, fieldValue), 1, 4)], { weight: 3 }),
  row("HMSET", [key, repeat(sequence(field, fieldValue), 1, 3)], RARE),
  row("HSETNX", [key, field, fieldValue]),
  row("HGET", [key, field]),
  row("HMGET", [key, fields]),
  row("HGETALL", [key], { weight: 2, check: samePairs }),
  row("HKEYS", [key], { check: sameElements }),
  row("HVALS", [key], { check: sameElements }),
  row("HLEN", [key]),
  row("HEXISTS", [key, field]),
  row("HSTRLEN", [key, field]),
  row("HDEL", [key, fields], OFTEN),
  row("HINCRBY", [key, field, increment]),
  row("HINCRBYFLOAT", [key, field, floatIncrement]),
  row("HRANDFIELD", [key], { check: sameType }),
  row("HRANDFIELD", [key, randomCount, maybe(word("WITHVALUES"))], {
    check: sameShape,
  }),
  row("HSCAN", [
    key,
    among("0"),
    maybe(sequence(word("COUNT"), among("1", "100"))),
  ], {
    scan: true,
  }),
];

const lists: readonly Row[] = [
  row("RPUSH", [key, elements], OFTEN),
  row("LPUSH", [key, elements], OFTEN),
  row("RPUSHX", [key, elements], RARE),
  row("LPUSHX", [key, elements], RARE),
  row("LPOP", [key, maybe(count)]),
  row("RPOP", [key, maybe(count)]),
  row("LLEN", [key]),
  row("LRANGE", [key, rank, rank], OFTEN),
  row("LINDEX", [key, rank]),
  row("LSET", [key, rank, element]),
  row("LINSERT", [key, among("BEFORE", "AFTER", "x"), element, element]),
  row("LREM", [key, rank, element]),
  row("LTRIM", [key, rank, rank]),
  row("LPOS", [
    key,
    element,
    options(
      sequence(word("RANK"), among("1", "-1", "2", "0", "100")),
      sequence(word("COUNT"), count),
      sequence(word("MAXLEN"), count),
    ),
  ]),
  row("LMOVE", [key, key, end, end]),
  row("RPOPLPUSH", [key, key]),
  row("LMPOP", [numberedKeys, end, maybe(sequence(word("COUNT"), count))]),
];

const sets: readonly Row[] = [
  row("SADD", [key, members], { weight: 3 }),
  row("SREM", [key, members]),
  row("SCARD", [key]),
  row("SISMEMBER", [key, member]),
  row("SMISMEMBER", [key, members]),
  row("SMEMBERS", [key], { weight: 2, check: sameElements }),
  row("SMOVE", [key, key, member]),
  row("SINTER", [keys], { check: sameElements }),
  row("SUNION", [keys], { check: sameElements }),
  row("SDIFF", [keys], { check: sameElements }),
  row("SINTERSTORE", [key, keys]),
  row("SUNIONSTORE", [key, keys]),
  row("SDIFFSTORE", [key, keys]),
  row("SINTERCARD", [numberedKeys, maybe(sequence(word("LIMIT"), count))]),
  // What one server takes at random, the other would not.
  row("SPOP", [key, among("0", "1000", "-1", "x")], {
    check: sameElements,
    keepsArity: true,
  }),
  row("SRANDMEMBER", [key], { check: sameType }),
  row("SRANDMEMBER", [key, randomCount], { check: sameShape }),
  row("SSCAN", [key, among("0")], { scan: true }),
];

const flags = options(
  ...[word("NX"), word("XX"), word("GT"), word("LT"), word("CH")],
);
const zsets: readonly Row[] = [
  row("ZADD", [key, repeat(sequence(score, member), 1, 4)], { weight: 3 }),
  row("ZADD", [key, flags, repeat(sequence(score, member), 1, 2)]),
  row("ZINCRBY", [key, score, member], { check: sameNumbers }),
  row("ZREM", [key, members]),
  row("ZCARD", [key]),
  row("ZSCORE", [key, member], { check: sameNumbers }),
  row("ZMSCORE", [key, members], { check: sameNumbers }),
  row("ZRANK", [key, member], { keepsArity: true }),
  row("ZREVRANK", [key, member], { keepsArity: true }),
  row("ZCOUNT", [key, scoreBound, scoreBound]),
  // Members in the order of their bytes, where scores differ, are unspecified.
  row("ZLEXCOUNT", [key, lexBound, lexBound], { check: sameType }),
  row("ZRANGE", [key, rank, rank, options(word("REV"), word("WITHSCORES"))], {
    weight: 2,
    check: sameNumbers,
  }),
  row("ZRANGE", [
    key,
    scoreBound,
    scoreBound,
    word("BYSCORE"),
    options(word("REV"), word("WITHSCORES"), limit),
  ], { check: sameNumbers }),
  row("ZRANGE", [key, lexBound, lexBound, word("BYLEX"), maybe(limit)], {
    check: sameType,
  }),
  row("ZRANGEBYSCORE", [key, scoreBound, scoreBound]),
  row("ZREVRANGEBYSCORE", [key, scoreBound, scoreBound]),
  row("ZRANGEBYLEX", [key, lexBound, lexBound], { check: sameType }),
  row("ZREVRANGEBYLEX", [key, lexBound, lexBound], { check: sameType }),
  row("ZREVRANGE", [key, rank, rank]),
  row("ZRANGESTORE", [key, key, rank, rank, maybe(word("REV"))]),
  row("ZREMRANGEBYRANK", [key, rank, rank], RARE),
  row("ZREMRANGEBYSCORE", [key, scoreBound, scoreBound], RARE),
  row("ZPOPMIN", [key, maybe(count)], { check: sameNumbers }),
  row("ZPOPMAX", [key, maybe(count)], { check: sameNumbers }),
  row("ZMPOP", [
    numberedKeys,
    among("MIN", "MAX", "x"),
    maybe(sequence(word("COUNT"), count)),
  ], { check: sameNumbers }),
  row("ZUNION", [numberedKeys, options(weights, aggregate)]),
  row("ZINTER", [numberedKeys, options(weights, aggregate)]),
  row("ZUNION", [numberedKeys, word("WITHSCORES")], {
    check: sameElementsAndNumbers,
  }),
  row("ZDIFF", [numberedKeys, maybe(word("WITHSCORES"))], {
    check: sameElementsAndNumbers,
  }),
  row("ZUNIONSTORE", [key, numberedKeys, options(weights, aggregate)]),
  row("ZINTERSTORE", [key, numberedKeys, options(weights, aggregate)]),
  row("ZDIFFSTORE", [key, numberedKeys]),
  row("ZINTERCARD", [numberedKeys, maybe(sequence(word("LIMIT"), count))]),
  row("ZRANDMEMBER", [key], { check: sameType }),
  row("ZRANDMEMBER", [key, randomCount, maybe(word("WITHSCORES"))], {
    check: sameShape,
  }),
  row("ZSCAN", [key, among("0")], { scan: true }),
  row("GEOADD", [key, repeat(sequence(place, latitude, member), 1, 2)]),
  row("GEOPOS", [key, members]),
  row("GEOHASH", [key, members]),
  row("GEODIST", [key, member, member, maybe(among("km", "mi", "yd"))]),
  row("GEOSEARCH", [key, origin, shape, maybe(word("ASC"))], {
    check: sameElements,
  }),
  row("GEOSEARCHSTORE", [key, key, origin, shape, maybe(word("STOREDIST"))]),
];

const trim = oneOf(
  sequence(word("MAXLEN"), maybe(among("=")), count),
  sequence(word("MINID"), maybe(among("=")), streamId),
);
const streams: readonly Row[] = [
  row("XADD", [
    key,
    maybe(word("NOMKSTREAM"), 0.1),
    maybe(trim, 0.1),
    newStreamId,
    repeat(sequence(field, fieldValue), 1, 2),
  ], { weight: 3 }),
  row("XLEN", [key]),
  row("XRANGE", [
    key,
    streamBound,
    streamBound,
    maybe(sequence(word("COUNT"), count)),
  ], OFTEN),
  row("XREVRANGE", [key, streamBound, streamBound]),
  row("XDEL", [key, repeat(streamId, 1, 3)]),
  row("XTRIM", [key, trim]),
  row("XSETID", [key, streamId], RARE),
  row("XREAD", [word("STREAMS"), key, oneOf(streamId, among("$"))], {
    keepsArity: true,
  }),
  row("XGROUP CREATE", [
    shortKey,
    group,
    oneOf(streamId, among("$")),
    maybe(word("MKSTREAM")),
  ]),
  row("XGROUP DESTROY", [shortKey, group], RARE),
  row("XGROUP CREATECONSUMER", [shortKey, group, consumer], RARE),
  row("XGROUP DELCONSUMER", [shortKey, group, consumer], RARE),
  row("XREADGROUP", [
    ...[word("GROUP"), group, consumer, word("STREAMS"), shortKey],
    oneOf(among(">"), streamId),
  ], { weight: 2, keepsArity: true }),
  row("XACK", [key, group, repeat(streamId, 1, 3)]),
  row("XPENDING", [shortKey, group]),
];

const table = makeCommandTable();
/** Another program under test has them all. */
const isForeign = Deno.env.get("SHERD_TEST_COMMAND") !== undefined;

function isKnown({ name: [name, sub] }: Row): boolean {
  const command = table.byName(name!);
  if (isForeign) return true;
  return command !== undefined &&
    (command.subcommands.length === 0 || sub === undefined ||
      table.byName(`${name}|${sub}`) !== undefined);
}

differentialFamily(
  "all types",
  [generic, strings, hashes, lists, sets, zsets, streams].flat()
    .filter(isKnown),
  { smallLimits: true, workers: [1, 4, 8] },
);
