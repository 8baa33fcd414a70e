/**
 * Cases of the bench of holds whose elements, strings or names are long.
 *
 * @module
 */

import { cases, type HoldGroup, member } from "./_hold_lines.ts";
import { digits } from "./_type_cases.ts";

/** Bytes of one. */
export const MEGABYTE = 1024 * 1024;
/** Elements of a megabyte in each collection. */
const LONG_ELEMENTS = 40;
/** Short elements that have a long one among them. */
const SHORT_ELEMENTS = 500;

/** Elements of a megabyte, alone and among short ones. */
export function longElements(): HoldGroup {
  const common = "x".repeat(MEGABYTE);
  const long = (i: number) => common + digits(i);
  const each = (make: (i: number) => string[]): string[] =>
    Array.from({ length: LONG_ELEMENTS }, (_, i) => make(i)).flat();
  const others = (i: number) => long(i + LONG_ELEMENTS);
  const names = {
    $1: [long(7)],
    $new: [others(7)],
    $all: each((i) => [long(i)]),
    $others: each((i) => [others(i)]),
    $pairs: each((i) => [long(i), others(i)]),
    $scored: each((i) => ["1", others(i)]),
    $points: each((i) => ["15", "37", others(i)]),
    $to: [`[${long(20)}`],
  };
  return {
    name: "elements of a megabyte",
    fill: function* () {
      for (let i = 0; i < LONG_ELEMENTS; i++) {
        yield ["SADD", "{a}s", long(i)];
        yield ["SADD", "{b}s", others(i)];
        yield ["ZADD", "{a}z", "1", long(i)];
        yield ["ZADD", "{b}z", "1", others(i)];
        yield ["HSET", "{a}h", long(i), others(i)];
        yield ["RPUSH", "{a}l", long(i)];
        yield ["GEOADD", "{a}geo", "15", "37", long(i)];
        yield ["XADD", "{a}x", "*", long(i), others(i)];
      }
      for (let i = 0; i < 3; i++) yield ["HSET", `w:${i}`, "f", long(i)];
      yield [
        ...["RPUSH", "{a}few"],
        ...Array.from({ length: 300 }, (_, i) => `${i % 3}`),
      ];
      const short = Array.from({ length: SHORT_ELEMENTS }, (_, i) => member(i));
      const one = common.repeat(4);
      yield ["SADD", "{a}one:s", ...short, one];
      yield [
        "HSET",
        "{a}one:h",
        ...short.flatMap((name) => [name, "v"]),
        one,
        "",
      ];
      yield [
        ...["GEOADD", "{a}one:z", "15", "37", one],
        ...short.flatMap((name) => ["15", "37", name]),
      ];
      for (let i = 0; i < 1000; i++) {
        yield ["SADD", "{a}hundreds", common.slice(0, 200_000) + digits(i)];
      }
    },
    cases: cases(
      `
      SMEMBERS {a}s
      SISMEMBER {a}s $1
      SMISMEMBER {a}s $all
      SUNION {a}s {b}s
      SINTER {a}s {b}s
      SUNIONSTORE {c}s {a}s {b}s
      SRANDMEMBER {a}s
      SRANDMEMBER {a}s 20
      SRANDMEMBER {a}s -200
      SSCAN {a}s 0 COUNT 100
      COPY {a}s {c}s REPLACE > SPOP {c}s
      COPY {a}s {c}s REPLACE > SPOP {c}s 20
      COPY {a}hundreds {c}s REPLACE > SPOP {c}s 900
      COPY {a}s {c}s REPLACE > SADD {c}s $others
      COPY {a}s {c}s REPLACE > SREM {c}s $all
      COPY {a}s {c}s REPLACE > SMOVE {c}s {d}s $1
      HGETALL {a}h
      HGET {a}h $1
      HMGET {a}h $all
      HKEYS {a}h
      HRANDFIELD {a}h -100 WITHVALUES
      HSCAN {a}h 0 COUNT 100
      COPY {a}h {c}h REPLACE > HSET {c}h $1 $new
      COPY {a}h {c}h REPLACE > HSET {c}h $pairs
      COPY {a}h {c}h REPLACE > HDEL {c}h $all
      COPY {a}h {c}h REPLACE > HPEXPIRE {c}h 0 FIELDS 2 $1 none
      COPY {a}h {c}h REPLACE > HPEXPIRE {c}h 1 FIELDS 1 $1 ; DEBUG SLEEP 0.005 ; HGET {c}h $1
      DEL {c}h > HSET {c}h $pairs
      ZRANGE {a}z 0 -1
      ZRANGE {a}z - $to BYLEX
      ZLEXCOUNT {a}z - $to
      ZSCORE {a}z $1
      ZRANK {a}z $1
      ZMSCORE {a}z $all
      ZUNION 2 {a}z {b}z
      ZINTERSTORE {c}z 2 {a}z {b}z
      ZSCAN {a}z 0 COUNT 100
      ZRANDMEMBER {a}z -100
      COPY {a}z {c}z REPLACE > ZADD {c}z 1 $new
      COPY {a}z {c}z REPLACE > ZADD {c}z $scored
      COPY {a}z {c}z REPLACE > ZINCRBY {c}z 1 $1
      COPY {a}z {c}z REPLACE > ZREM {c}z $1
      COPY {a}z {c}z REPLACE > ZREM {c}z $all
      COPY {a}z {c}z REPLACE > ZPOPMIN {c}z 20
      COPY {a}z {c}z REPLACE > ZREMRANGEBYLEX {c}z - $to
      COPY {a}geo {c}geo REPLACE > GEOADD {c}geo $points
      GEOSEARCH {a}geo FROMMEMBER $1 BYRADIUS 1 km
      GEODIST {a}geo $1 $1
      GEOPOS {a}geo $all
      LRANGE {a}l 0 -1
      LINDEX {a}l 20
      LPOS {a}l $1
      LPOS {a}l $new
      COPY {a}l {c}l REPLACE > LSET {c}l 20 $new
      COPY {a}l {c}l REPLACE > LREM {c}l 0 $1
      COPY {a}l {c}l REPLACE > LINSERT {c}l BEFORE $1 $new
      COPY {a}l {c}l REPLACE > LPUSH {c}l $others
      COPY {a}l {c}l REPLACE > LPOP {c}l 20
      COPY {a}l {c}l REPLACE > LMOVE {c}l {d}l LEFT LEFT
      COPY {a}l {c}l REPLACE > LTRIM {c}l 10 20
      SORT {a}l ALPHA
      SORT {a}l BY nosort GET #
      SORT {a}few BY nosort GET w:*->f GET w:*->f
      SORT {a}few LIMIT 0 40 GET w:*->f STORE {c}few
      XRANGE {a}x - +
      XREAD STREAMS {a}x 0
      DEL {c}x > XADD {c}x * $pairs
      COPY {a}x {c}x REPLACE > XTRIM {c}x MAXLEN 3
      DUMP {a}h
      DUMP {a}one:h
      COPY {a}one:h {c}one REPLACE
      SUNIONSTORE {c}one {a}one:s {a}none
      SINTERSTORE {c}one {a}one:s {a}one:s
      ZUNIONSTORE {c}one 2 {a}one:z {a}one:s
      ZRANGESTORE {c}one {a}one:z 0 -1
      GEOSEARCHSTORE {c}one {a}one:z FROMLONLAT 15 37 BYRADIUS 1 km
      GEORADIUS {a}one:z 15 37 1 km STORE {c}one
      DEL {c}p > PFADD {c}p $all
    `,
      names,
    ),
  };
}

/** Strings of so many bytes. */
export function longStrings(bytes: number): HoldGroup {
  const end = String(bytes - 1);
  const longBytes = Math.min(bytes, 64 * MEGABYTE);
  const names = { $long: ["x".repeat(longBytes)] };
  // Of the quarter that a string gets more than it needs.
  const inRoom = String(Math.floor(longBytes * 1.2));
  return {
    name: "long strings",
    fill: () => [
      ["SETRANGE", "{a}t", end, "x"],
      ["SETRANGE", "{b}t", end, "y"],
    ],
    cases: cases(
      `
      GET {a}t
      GETRANGE {a}t 1 -2
      STRLEN {a}t
      BITCOUNT {a}t
      BITCOUNT {a}t 1 -2 BIT
      BITPOS {a}t 1
      BITOP XOR {c}t {a}t {b}t
      BITOP NOT {c}t {a}t
      LCS {a}t {b}t
      SET {c}t $long
      SET {c}t $long > SET {c}t $long GET
      SET {c}t $long > GETSET {c}t x
      SET {c}t $long > GETDEL {c}t
      SET {c}t $long > APPEND {c}t x
      SET {c}t $long ; APPEND {c}t x > SETRANGE {c}t ${inRoom} x
      COPY {a}t {c}t REPLACE > APPEND {c}t x
      COPY {a}t {c}t REPLACE > SETRANGE {c}t 1000 x
      COPY {a}t {c}t REPLACE > SETBIT {c}t 1000 1
      COPY {a}t {c}t REPLACE > RENAME {c}t {d}t
      DEL {c}t > SETRANGE {c}t ${end} x
      DEL {c}t > SETBIT {c}t ${end} 1
      MSET {c}t $long {d}t $long {e}t $long
      MGET {a}t {b}t
      INCR {a}t
      PFADD {a}t x
      DUMP {a}t
      OBJECT ENCODING {a}t
      DEBUG DIGEST-VALUE {a}t
    `,
      names,
    ),
  };
}

/** Some keys, groups and consumers whose names have so many bytes. */
export function longNames(
  group: string,
  bytes: number,
  count: number,
): HoldGroup {
  const name = (i: number) => `{${i}}` + "n".repeat(bytes);
  // Some of 64 megabytes are enough.
  const streams = Array.from(
    { length: bytes > 16 * MEGABYTE ? 4 : 150 },
    (_, i) => `s:${i}`,
  );
  const names = {
    $a: [name(1)],
    $b: [name(2)],
    $c: [name(3)],
    $many: Array.from({ length: count }, (_, i) => name(i + 1)),
    $pairs: Array.from({ length: count }, (_, i) => [name(i + 1), "v"]).flat(),
    "$>": [">"],
    $ids: Array.from({ length: count }, () => "0"),
    $none: Array.from({ length: 300 }, (_, i) => `none:${i}`),
    $streams: streams,
    "$>s": streams.map(() => ">"),
  };
  const many = ["DEL $streams"].concat(
    streams.map((key) => `XGROUP CREATE ${key} $a $ MKSTREAM`),
  ).join(" ; ");
  return {
    name: group,
    fill: function* () {
      yield ["MSET", ...names.$pairs];
      yield ["XGROUP", "CREATE", "{a}x", name(1), "0", "MKSTREAM"];
      yield ["XGROUP", "CREATE", "{a}x", name(2), "0"];
      yield ["XGROUP", "CREATECONSUMER", "{a}x", name(1), name(1)];
      yield ["XGROUP", "CREATECONSUMER", "{a}x", name(1), name(2)];
      for (let i = 0; i < 40; i++) yield ["XADD", "{a}x", "*", "f", "v"];
      yield [
        ...["XREADGROUP", "GROUP", name(1), name(1), "COUNT", "30"],
        ...["STREAMS", "{a}x", ">"],
      ];
    },
    cases: cases(
      `
      GET $a
      EXISTS $many
      MGET $many
      SET $a x
      DEL $c > SET $c x
      DEL $c > RENAME $a $c ; RENAME $c $a
      DEL $c > COPY $a $c
      MSET $pairs
      DEL $many ; MSET $pairs
      DEL $many > MSETNX $pairs
      KEYS *
      KEYS *x
      SCAN 0 COUNT 100
      SCAN 0 MATCH *x COUNT 100
      RANDOMKEY
      EXPIRE $a 1000
      WATCH $many ; UNWATCH
      WATCH $c ; UNWATCH
      CONFIG SET notify-keyspace-events KEA ; SET $a x ; SET $a y ; CONFIG SET notify-keyspace-events ''
      HELLO 3 ; CLIENT TRACKING ON BCAST ; SET $a x ; CLIENT TRACKING OFF ; HELLO 2
      HELLO 3 ; CLIENT TRACKING ON ; MGET $many ; SET $a x ; CLIENT TRACKING OFF ; HELLO 2
      DEL $c > BLPOP $c 0.01
      DEL $many > BLPOP $many 0.01
      DEL $many > XREAD BLOCK 10 STREAMS $many $ids
      DEL $c ; RPUSH $c a b > BLPOP $c 1
      DEL $c ; RPUSH $c a b > BLMPOP 1 1 $c LEFT COUNT 2
      DEL $c ; ZADD $c 1 a > BZPOPMIN $c 1
      DEL l $c > BLMOVE l $c LEFT LEFT 0 & RPUSH l v
      DEL l $c > BLMOVE $c l LEFT LEFT 0 & RPUSH $c v
      DEL l $c > BLPOP l $c 0 & RPUSH l v
      DEL l $many > BLMPOP 0 2 l $c LEFT & RPUSH $c a b
      DEL $many ; RPUSH $c v > BLPOP $none $c 0
      DEL $many > BLPOP $none $c 0 & RPUSH $c v
      DEL y ; XGROUP CREATE y $a $ MKSTREAM > XREADGROUP GROUP $a $b BLOCK 0 STREAMS y $> & XADD y * f v
      ${many} > XREADGROUP GROUP $a $b BLOCK 0 STREAMS $streams $>s & XADD s:3 * f v
      ${many} ; XADD s:3 * f v ; XADD s:2 * f v > XREADGROUP GROUP $a $b STREAMS $streams $>s
      DEL $b $c ; XADD $b 1-1 f v ; XADD $c 1-1 f v > XREAD STREAMS $b $c 0 0
      MSET $pairs > DEL $many ; MSET $pairs
      MSET $pairs > BGSAVE ; BLPOP none 0.5
      MSET $pairs > BGREWRITEAOF ; BLPOP none 0.5
      XGROUP DESTROY {a}x $c > XGROUP CREATE {a}x $c 0
      XGROUP DELCONSUMER {a}x $a $c > XGROUP CREATECONSUMER {a}x $a $c
      COPY {a}x {c}x REPLACE > XGROUP DELCONSUMER {c}x $a $a
      COPY {a}x {c}x REPLACE > XGROUP DESTROY {c}x $a
      COPY {a}x {c}x REPLACE > XREADGROUP GROUP $a $b STREAMS {c}x $>
      COPY {a}x {c}x REPLACE > XREADGROUP GROUP $b $c STREAMS {c}x $>
      XREADGROUP GROUP $a $a STREAMS {a}x 0
      COPY {a}x {c}x REPLACE > XCLAIM {c}x $a $b 0 1-1
      COPY {a}x {c}x REPLACE > XAUTOCLAIM {c}x $a $c 0 0
      XACK {a}x $a 1-1
      XPENDING {a}x $a
      XPENDING {a}x $a - + 10
      XINFO GROUPS {a}x
      XINFO CONSUMERS {a}x $a
      XINFO STREAM {a}x FULL
    `,
      names,
    ),
  };
}

/** Commands that make a key, or have its entry changed, of a very long name. */
/** One key with a very long name, and whatever can make it. */
export function longestName(megabytes: number): HoldGroup {
  const names = {
    $n: ["{n}" + "n".repeat(megabytes * MEGABYTE)],
    $text: ["x".repeat(100)],
    $many: Array.from({ length: 20000 }, (_, i) => `k${i}`),
    $pairs: Array.from({ length: 20000 }, (_, i) => [`k${i}`, "x"]).flat(),
    $several: Array.from(
      { length: 20000 },
      (_, i) => i % 2 === 0 ? "{a}s" : `j${i}`,
    ),
  };
  const few = Array.from({ length: 100 }, (_, i) => `${i}`);
  const emptied = "SELECT 1 ; FLUSHDB ; SELECT 0";
  const making = [
    "SET $n x",
    "SET $n $text EX 1000",
    "MSETNX $n x {b}k x",
    "INCR $n",
    "APPEND $n $text",
    "SETRANGE $n 1000 x",
    "SETBIT $n 1000 1",
    "BITOP NOT $n {a}t",
    "PFADD $n x",
    "LPUSH $n x",
    "LMOVE {a}l $n LEFT LEFT",
    "HSET $n f x",
    "HINCRBY $n f 1",
    "SADD $n x",
    "SMOVE {a}s $n 0",
    "SUNIONSTORE $n {a}s {b}s",
    "ZADD $n 1 x",
    "ZUNIONSTORE $n 1 {a}s",
    "GEOADD $n 1 1 x",
    "XADD $n * f x",
    "XGROUP CREATE $n g $ MKSTREAM",
    "SORT {a}s STORE $n",
    "RENAME {a}t $n",
    "RENAMENX {c}s $n",
    "COPY {a}l $n",
    "COPY $n $n DB 1",
    "MSET $n x $pairs",
    "MSETNX $n x $pairs",
    "SADD $n $many",
    "ZUNIONSTORE $n 2 {a}s {b}many",
    "SUNIONSTORE $n {a}s {b}many",
    "SUNIONSTORE $n $several",
  ];
  const changing = [
    "SET $n x EX 1000",
    "SET $n $text",
    "APPEND $n $text",
    "GETSET $n y",
    "GETEX $n EX 1000",
    "EXPIRE $n 1000",
    "EXPIRE $n 1000 ; PERSIST $n",
    "SUNIONSTORE $n {a}s {b}s",
    "RENAME $n {c}t ; RENAME {c}t $n",
    "MOVE $n 1",
    "DEL $n",
    "MSET $n y $pairs",
    "MGET $n $many",
    "DEL $n $many",
    "EXISTS $n $many",
  ];
  return {
    name: `a name of ${megabytes} megabytes`,
    fill: () => [
      ["MSET", "{a}t", "x", "{b}t", "x"],
      ["SADD", "{a}s", ...few],
      ["SADD", "{b}s", ...few],
      ["RPUSH", "{a}l", ...few],
      ["SADD", "{b}many", ...names.$many],
    ],
    cases: cases(
      making.map((line) =>
        `${emptied} ; DEL $n ; SET {a}t x ; SADD {c}s 1 > ${line}`
      )
        .concat(changing.map((line) => `${emptied} ; SET $n x > ${line}`)).join(
          "\n",
        ),
      names,
    ),
  };
}
