/**
 * What the bench of holds runs: commands on data of which there is very much, and
 * with very many or very long arguments.
 *
 * Keys have hash tags, so that those of one command lie in several shards.
 *
 * @module
 */

import {
  type Argv,
  cases,
  type HoldCase,
  type HoldGroup,
  member,
} from "./_hold_lines.ts";
import {
  longElements,
  longestName,
  longNames,
  longStrings,
  MEGABYTE,
} from "./_hold_long.ts";
import {
  expiredFields,
  expiredKeys,
  KEYS_AT_ONCE,
  middleSizes,
} from "./_hold_sizes.ts";
import { duringSnapshot } from "./_hold_snapshot.ts";
import { SMALL_DATA } from "./_hold_small.ts";
import { longWords } from "./_hold_words.ts";
import { digits, fillOne, fillStream } from "./_type_cases.ts";

/** How much data there is. */
export interface HoldSizes {
  /** Elements of each collection, and keys. */
  elements: number;
  /** Arguments of commands with very many. */
  arguments: number;
  /** Bytes of each long string. */
  stringBytes: number;
}

/** Elements of which some are just below what is done in slices. */
const MIDDLE_SIZES = [250, 500, 1000, 2000, 4000, 8000];

/** All groups. */
export function holdGroups(sizes: HoldSizes): readonly HoldGroup[] {
  return [
    manyElements(sizes.elements),
    manyArguments(sizes.arguments),
    manyKeys(sizes.elements, sizes.arguments),
    growth(sizes.arguments),
    streams(sizes.elements / 2),
    manyNodes(sizes.elements * 4),
    manyFields(),
    longElements(),
    longStrings(sizes.stringBytes),
    longNames("names of four megabytes", 4 * MEGABYTE, 40),
    longNames("names of 64 megabytes", 64 * MEGABYTE, 3),
    longestName(64),
    longWords(60_000),
    longWords(6_000),
    expiredFields(sizes.arguments),
    expiredKeys(sizes.arguments),
    duringSnapshot(),
    ...MIDDLE_SIZES.map(middleSizes),
    SMALL_DATA,
  ];
}

function manyElements(count: number): HoldGroup {
  function* fill(): Iterable<Argv> {
    const half = count / 2;
    for (const [tag, from] of [["a", 0], ["b", half]] as const) {
      const at = (i: number) => member(from + i);
      yield* fillOne(["SADD", `{${tag}}s`], count, (i) => [at(i)]);
      yield* fillOne(["ZADD", `{${tag}}z`], count, (i) => [`${i}`, at(i)]);
      yield* fillOne(["HSET", `{${tag}}h`], count, (i) => [at(i), `v${i}`]);
      yield* fillOne(["RPUSH", `{${tag}}l`], count, (i) => [at(i)]);
    }
    yield* fillOne(["ZADD", "{a}lex"], count, (i) => ["0", member(i)]);
    yield* fillOne(["SADD", "{a}ints"], count, (i) => [`${i * 7}`]);
    yield* fillOne(["RPUSH", "{a}nums"], count, (i) => [`${i * 7919 % count}`]);
    yield* fillOne(
      ["GEOADD", "{a}geo"],
      count,
      (i) => [`${i % 3600 / 100}`, `${i % 800 / 10}`, member(i)],
    );
    for (let i = 0; i < 1000; i++) yield ["HSET", `w:${i}`, "f", `${i}`];
  }
  const middle = count >> 1;
  return {
    name: "very many elements",
    fill,
    cases: cases(`
      SMEMBERS {a}s
      SRANDMEMBER {a}s 100000
      SRANDMEMBER {a}s -100000
      SSCAN {a}s 0 COUNT 1000000
      SSCAN {a}s 0 MATCH x* COUNT 1000000
      SUNION {a}s {b}s
      SINTER {a}s {b}s
      SDIFF {a}s {b}s
      SINTERCARD 2 {a}s {b}s LIMIT 400000
      SUNIONSTORE {c}s {a}s {b}s
      SUNIONSTORE {a}t {a}s {a}ints
      SDIFFSTORE {c}s {a}s {b}s
      COPY {a}s {c}pop REPLACE > SPOP {c}pop 100000
      COPY {a}s {c}pop REPLACE > SPOP {c}pop 1000
      COPY {a}s {c}del REPLACE > DEL {c}del
      COPY {a}s {c}del REPLACE > UNLINK {c}del
      COPY {a}s {c}mv REPLACE > RENAME {c}mv {d}mv
      COPY {a}s {c}mv REPLACE > RENAME {c}mv {c}mw
      COPY {a}s {c}mv REPLACE > SET {c}mv x
      COPY {a}s {c}mv REPLACE > EXPIRE {c}mv -1
      COPY {a}s {c}mv REPLACE > SADD {c}mv x
      COPY {a}ints {c}mv REPLACE > SADD {c}mv x
      DUMP {a}s
      OBJECT ENCODING {a}s
      MEMORY USAGE {a}s SAMPLES 0
      SORT {a}nums
      SORT {a}nums LIMIT 100000 10
      SORT {a}s ALPHA DESC LIMIT 0 10
      SORT {a}nums STORE {c}sorted
      SORT {a}nums BY w:*->f GET # GET w:*->f LIMIT 0 100000
      SORT {a}nums BY nosort GET w:*
      HGETALL {a}h
      HKEYS {a}h
      HVALS {a}h
      HRANDFIELD {a}h 100000 WITHVALUES
      HRANDFIELD {a}h -100000
      HSCAN {a}h 0 COUNT 1000000
      COPY {a}h {c}h REPLACE > HSET {c}h new 1
      COPY {a}h {c}h REPLACE > HPEXPIRE {c}h 100000 FIELDS 1 ${member(3)}
      ZRANGE {a}z 0 -1 WITHSCORES
      ZRANGE {a}z ${middle} ${middle + 100}
      ZRANGE {a}z -inf +inf BYSCORE LIMIT ${middle} 100
      ZRANGE {a}lex - + BYLEX LIMIT ${middle} 100
      ZREVRANGEBYSCORE {a}z +inf -inf WITHSCORES
      ZCOUNT {a}z 100 ${middle}
      ZLEXCOUNT {a}lex - +
      ZRANK {a}z ${member(middle)} WITHSCORE
      ZRANDMEMBER {a}z 100000
      ZRANDMEMBER {a}z -100000 WITHSCORES
      ZSCAN {a}z 0 COUNT 1000000
      ZUNION 2 {a}z {b}z
      ZINTER 2 {a}z {b}z WITHSCORES
      ZDIFF 2 {a}z {b}z
      ZINTERCARD 2 {a}z {b}z
      ZUNIONSTORE {c}z 2 {a}z {b}z WEIGHTS 2 3 AGGREGATE MAX
      ZINTERSTORE {c}z 2 {a}z {b}s
      ZRANGESTORE {c}z {a}z 0 -1
      COPY {a}z {c}z REPLACE > ZREMRANGEBYRANK {c}z 100 -100
      COPY {a}z {c}z REPLACE > ZREMRANGEBYSCORE {c}z -inf ${middle}
      COPY {a}lex {c}z REPLACE > ZREMRANGEBYLEX {c}z - +
      COPY {a}z {c}z REPLACE > ZPOPMIN {c}z 100000
      COPY {a}z {c}z REPLACE > ZMPOP 1 {c}z MAX COUNT 100000
      COPY {a}z {c}z REPLACE > BZMPOP 0 1 {c}z MAX COUNT 100000
      COPY {a}z {c}z REPLACE > ZADD {c}z 0.5 new
      GEOSEARCH {a}geo FROMLONLAT 15 37 BYRADIUS 6000 km ASC
      GEOSEARCH {a}geo FROMMEMBER ${member(5)} BYBOX 9000 9000 km COUNT 10
      GEOSEARCHSTORE {c}geo {a}geo FROMLONLAT 15 37 BYRADIUS 600 km
      LRANGE {a}l 0 -1
      LRANGE {a}l ${middle} ${middle + 100}
      LINDEX {a}l ${middle}
      LSET {a}l ${middle} x
      LPOS {a}l nothing
      LPOS {a}l ${member(middle)} COUNT 0
      LINSERT {a}l BEFORE ${member(middle)} x
      LREM {a}l 0 nothing
      COPY {a}l {c}l REPLACE > LTRIM {c}l 100 -100
      COPY {a}l {c}l REPLACE > LTRIM {c}l ${middle} ${middle}
      COPY {a}l {c}l REPLACE > LPOP {c}l 100000
      COPY {a}l {c}l REPLACE > LMPOP 1 {c}l RIGHT COUNT 100000
      COPY {a}l {c}l REPLACE > LMOVE {c}l {d}l LEFT RIGHT
    `),
  };
}

function manyArguments(count: number): HoldGroup {
  const each = (make: (i: number) => string[]): string[] =>
    Array.from({ length: count }, (_, i) => make(i)).flat();
  const names = {
    $members: each((i) => [member(i)]),
    $others: each((i) => [`o:${digits(i)}`]),
    $pairs: each((i) => [member(i), `v${i}`]),
    $scored: each((i) => [`${i}`, member(i)]),
    $same: each((i) => ["1", member(i)]),
    $points: each((i) => [`${i % 3600 / 20}`, `${i % 80}`, member(i)]),
    $offsets: each((i) => ["SET", "u8", `${i * 800}`, "1"]),
    $ids: each((i) => [`${i + 1}-1`]),
    $count: [String(count)],
  };
  return {
    name: "very many arguments",
    fill: function* () {
      yield ["SADD", "{a}s", ...names.$members];
      yield ["ZADD", "{a}z", ...names.$scored];
      yield ["HSET", "{a}h", ...names.$pairs];
      yield ["GEOADD", "{a}geo", ...names.$points];
      yield* fillStream("{a}x", 0, count);
      yield ["XGROUP", "CREATE", "{a}x", "g", "0"];
      yield ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "{a}x", ">"];
    },
    cases: cases(
      `
      DEL {c}k > SADD {c}k $members
      COPY {a}s {c}k REPLACE > SADD {c}k $others
      COPY {a}s {c}k REPLACE > SREM {c}k $members
      SMISMEMBER {a}s $members
      DEL {c}k > HSET {c}k $pairs
      COPY {a}h {c}k REPLACE > HSET {c}k $pairs
      COPY {a}h {c}k REPLACE > HDEL {c}k $members
      HMGET {a}h $members
      COPY {a}h {c}k REPLACE > HPEXPIRE {c}k 1000000 FIELDS $count $members
      HTTL {a}h FIELDS $count $members
      COPY {a}h {c}k REPLACE > HGETEX {c}k PX 1000000 FIELDS $count $members
      COPY {a}h {c}k REPLACE > HGETDEL {c}k FIELDS $count $members
      DEL {c}k > ZADD {c}k $scored
      DEL {c}k > ZADD {c}k $same
      COPY {a}z {c}k REPLACE > ZADD {c}k GT CH $same
      COPY {a}z {c}k REPLACE > ZREM {c}k $members
      ZMSCORE {a}z $members
      DEL {c}k > GEOADD {c}k $points
      GEOPOS {a}geo $members
      GEOHASH {a}geo $members
      DEL {c}k > LPUSH {c}k $members
      DEL {c}k > RPUSH {c}k $members
      RPUSH {c}k x > RPUSHX {c}k $members
      DEL {c}k > PFADD {c}k $members
      DEL {c}k > BITFIELD {c}k $offsets
      DEL {c}k > XADD {c}k * $pairs
      COPY {a}x {c}k REPLACE > XACK {c}k g $ids
      COPY {a}x {c}k REPLACE > XCLAIM {c}k g d 0 $ids
      COPY {a}x {c}k REPLACE > XDEL {c}k $ids
    `,
      names,
    ),
  };
}

function manyKeys(count: number, named: number): HoldGroup {
  const keys = (prefix: string, length: number): string[] =>
    Array.from({ length }, (_, i) => prefix + digits(i));
  const some = Math.min(named, 4000);
  const names = {
    $keys: keys("key:", named),
    $1190: keys("key:", KEYS_AT_ONCE),
    $pairs: keys("key:", named).flatMap((key) => [key, "v"]),
    $new: keys("new:", named).flatMap((key) => [key, "v"]),
    $empty: keys("none:", named),
    $sets: keys("set:", some),
    $zsets: keys("zset:", some),
    $logs: keys("hll:", some),
    $texts: keys("key:", some),
    $streams: keys("stream:", some),
    $30: keys("stream:", 30),
    $ids: keys("", some).map(() => "0"),
    $30ids: keys("", 30).map(() => "0"),
    $latest: keys("", some).map(() => ">"),
    $last: keys("", named).map(() => "$"),
    $some: [String(some)],
    $count: [String(named)],
  };
  const restored = names.$pairs;
  return {
    name: "very many keys",
    fill: function* () {
      for (let i = 0; i < count; i++) yield ["SET", `key:${digits(i)}`, "v"];
      for (const key of names.$sets) yield ["SADD", key, "a", "b", key];
      for (const key of names.$zsets) yield ["ZADD", key, "1", "a", "2", key];
      for (const key of names.$logs) yield ["PFADD", key, "a", key];
      for (const key of names.$streams) {
        yield ["XADD", key, "1-1", "f", "v"];
        yield ["XGROUP", "CREATE", key, "g", "0"];
      }
    },
    cases: [
      ...cases(
        `
      MGET $keys
      MGET $1190
      MSET $pairs
      MSETNX $pairs
      EXISTS $keys
      EXISTS $1190
      TOUCH $keys
      MSET $new > DEL $new
      MSET $new > UNLINK $new
      WATCH $keys ; UNWATCH
      WATCH $1190 ; UNWATCH
      WATCH $keys ; MULTI ; EXEC
      SUNION $sets
      SINTER $sets
      SUNIONSTORE {c}to $sets
      ZUNION $some $zsets
      ZUNIONSTORE {c}to $some $zsets
      BITOP OR {c}to $texts
      PFCOUNT $logs
      PFMERGE {c}log $logs
      XREAD COUNT 1 STREAMS $streams $ids
      XREAD COUNT 1 STREAMS $30 $30ids
      XREADGROUP GROUP g c COUNT 1 STREAMS $streams $latest
      XREAD BLOCK 10 STREAMS $empty $last
      LMPOP $count $empty LEFT
      ZMPOP $count $empty MIN
      BLPOP $empty 0.01
      BZPOPMIN $empty 0.01
      KEYS *
      KEYS none*
      SCAN 0 COUNT 1000000
      SCAN 0 MATCH none* COUNT 1000000
      SCAN 0 TYPE hash COUNT 1000000
      RANDOMKEY
      DBSIZE
      SWAPDB 0 1 ; SWAPDB 0 1
      SORT {c}list BY key:* GET key:*
    `,
        names,
      ),
      {
        name: "FLUSHALL",
        before: [["MSET", ...restored]],
        run: [["FLUSHALL"]],
      },
    ],
  };
}

/** Tables that grow element by element, in pipelines. */
function growth(count: number): HoldGroup {
  const each = (name: string, make: (i: number) => Argv): HoldCase => ({
    name: `${name}, one by one`,
    before: [["DEL", "{c}grown"]],
    run: Array.from({ length: count * 4 }, (_, i) => make(i)),
  });
  return {
    name: "growth",
    fill: () => [],
    cases: [
      each("SADD", (i) => ["SADD", "{c}grown", member(i)]),
      each("HSET", (i) => ["HSET", "{c}grown", member(i), "v"]),
      each("ZADD", (i) => ["ZADD", "{c}grown", `${i * 31 % 977}`, member(i)]),
      each("RPUSH", (i) => ["RPUSH", "{c}grown", member(i)]),
      each("XADD", () => ["XADD", "{c}grown", "*", "f", "v"]),
      each("SET", (i) => ["SET", `{c}${digits(i)}`, "v"]),
      each("PEXPIRE", (i) => ["PEXPIRE", `{c}${digits(i)}`, "50"]),
      each("APPEND", () => ["APPEND", "{c}grown", "0123456789"]),
      each("SETBIT", (i) => ["SETBIT", "{c}grown", `${i * 977}`, "1"]),
    ],
  };
}

function streams(count: number): HoldGroup {
  const ids = { $ids: Array.from({ length: 400 }, (_, i) => `${i + 1}-1`) };
  function* fill(): Iterable<Argv> {
    yield* fillStream("{a}x", 0, count);
    yield ["XGROUP", "CREATE", "{a}x", "all", "0"];
    yield [
      ...["XREADGROUP", "GROUP", "all", "c", "COUNT", "1000000"],
      ...["STREAMS", "{a}x", ">"],
    ];
    for (let i = 0; i < 20_000; i++) {
      yield ["XGROUP", "CREATECONSUMER", "{a}x", "all", `consumer:${i}`];
      yield ["XGROUP", "CREATE", "{a}x", `group:${i}`, "0"];
    }
  }
  return {
    name: "streams",
    fill,
    cases: cases(
      `
      XRANGE {a}x - +
      XREVRANGE {a}x + - COUNT 100000
      XREAD STREAMS {a}x 0
      XREAD COUNT 100000 STREAMS {a}x 0
      XREADGROUP GROUP group:1 c COUNT 100000 STREAMS {a}x >
      XREADGROUP GROUP group:2 c COUNT 400 STREAMS {a}x >
      XREADGROUP GROUP all c COUNT 100000 STREAMS {a}x 0
      XPENDING {a}x all
      XPENDING {a}x all - + 100000
      XPENDING {a}x all IDLE 1000000 - + 10 nobody
      XAUTOCLAIM {a}x all d 0 0 COUNT 100000
      XCLAIM {a}x all e 0 $ids
      XINFO STREAM {a}x FULL COUNT 0
      XINFO GROUPS {a}x
      XINFO CONSUMERS {a}x all
      COPY {a}x {c}x REPLACE > XACK {c}x all $ids
      COPY {a}x {c}x REPLACE > XDEL {c}x $ids
      COPY {a}x {c}x REPLACE > XTRIM {c}x MAXLEN 10
      COPY {a}x {c}x REPLACE > XTRIM {c}x MAXLEN ~ 10
      COPY {a}x {c}x REPLACE > XADD {c}x MAXLEN 10 * f v
      COPY {a}x {c}x REPLACE > XGROUP DELCONSUMER {c}x all c
      COPY {a}x {c}x REPLACE > XGROUP DESTROY {c}x all
      COPY {a}x {c}x REPLACE > XGROUP SETID {c}x all 0
      COPY {a}x {c}x REPLACE > DEL {c}x
      DUMP {a}x
    `,
      ids,
    ),
  };
}

/** A stream of nodes of one entry each, of which a part is read. */
function manyNodes(count: number): HoldGroup {
  return {
    name: "stream of very many nodes",
    fill: function* () {
      yield ["CONFIG", "SET", "stream-node-max-entries", "1"];
      yield* fillStream("{a}x", 0, count);
    },
    cases: cases(`
      XRANGE {a}x - +
      XRANGE {a}x 2 +
      XREVRANGE {a}x + 2 COUNT ${count - 10}
      XREAD STREAMS {a}x 1-1
      XREAD COUNT ${count - 10} STREAMS {a}x 2-1
    `),
  };
}

/** Fields of each entry. */
const MANY_FIELDS = 300_000;

function manyFields(): HoldGroup {
  const pairs = Array.from(
    { length: MANY_FIELDS },
    (_, i) => [`f:${digits(i)}`, "v"],
  ).flat();
  const group = (key: string) =>
    `COPY {a}x ${key} REPLACE ; XGROUP CREATE ${key} g 0`;
  const delivered = `${group("{c}x")} ; XREADGROUP GROUP g c STREAMS {c}x $new`;
  return {
    name: "entries of very many fields",
    fill: function* () {
      for (let i = 0; i < 3; i++) {
        yield ["XADD", "{a}x", `${i + 1}-1`, ...pairs];
      }
    },
    cases: cases(
      `
      XRANGE {a}x - +
      XRANGE {a}x 2 + COUNT 1
      XREVRANGE {a}x + - COUNT 1
      XREAD COUNT 1 STREAMS {a}x 1
      XINFO STREAM {a}x
      XINFO STREAM {a}x FULL
      ${group("{c}x")} > XREADGROUP GROUP g c COUNT 1 STREAMS {c}x $new
      ${group("{c}x")} > XREADGROUP GROUP g c STREAMS {c}x $new
      ${delivered} > XREADGROUP GROUP g c STREAMS {c}x 0
      ${delivered} > XCLAIM {c}x g d 0 1-1
      ${delivered} > XCLAIM {c}x g d 0 1-1 2-1 3-1
      ${delivered} > XAUTOCLAIM {c}x g d 0 -
      DEL {c}x > XADD {c}x * $pairs
      COPY {a}x {c}x REPLACE > XADD {c}x * $pairs
      COPY {a}x {c}x REPLACE > XADD {c}x * f v
      COPY {a}x {c}x REPLACE > XADD {c}x MAXLEN 1 * f v
      COPY {a}x {c}x REPLACE > XDEL {c}x 1-1
      COPY {a}x {c}x REPLACE > XDEL {c}x 2-1
      COPY {a}x {c}x REPLACE > XTRIM {c}x MAXLEN 1
      COPY {a}x {c}x REPLACE > XTRIM {c}x MINID 3
      COPY {a}x {c}x REPLACE > XSETID {c}x 9-1
      COPY {a}x {c}x REPLACE
      DUMP {a}x
    `,
      { $pairs: pairs, $new: [">"] },
    ),
  };
}
