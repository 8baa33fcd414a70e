/**
 * Cases of the bench of holds whose names and elements are of some length, and many:
 * each is short enough to be copied and compared where it is looked for.
 *
 * @module
 */

import { cases, type HoldGroup } from "./_hold_lines.ts";
import { digits } from "./_type_cases.ts";

/** Bytes of all of them together. */
const BYTES = 60_000_000;
/** Keys of commands that go through them in one hold, if their names are short. */
const FEW = 140;

/** Everything with words of so many bytes. */
export function longWords(bytes: number): HoldGroup {
  const common = "w".repeat(bytes);
  const count = Math.min(BYTES / bytes, 1190);
  const words = (from: number, length = count) =>
    Array.from({ length }, (_, i) => common + digits(from + i));
  const own = words(0);
  const others = words(count);
  const few = words(2 * count, FEW);
  const names = {
    $keys: own,
    $pairs: own.flatMap((word) => [word, "v"]),
    $newpairs: others.flatMap((word) => [word, "v"]),
    $others: others,
    $scored: own.flatMap((word, i) => [`${i}`, word]),
    $newscored: others.flatMap((word, i) => [`${i}`, word]),
    $points: others.flatMap((word) => ["15", "37", word]),
    $count: [`${count}`],
    $few: few,
    $fewcount: [`${few.length}`],
    $ids: few.map(() => "0"),
    $1: [own[7]!],
    $2: [few[77]!],
    $end: [`[${own[count - 7]!}`],
    $begin: [`[${own[7]!}`],
  };
  return {
    name: `words of ${bytes} bytes`,
    fill: function* () {
      yield ["HSET", "{a}h", ...names.$pairs];
      yield ["SADD", "{a}s", ...own];
      yield ["ZADD", "{a}z", ...names.$scored];
      yield ["ZADD", "{a}lex", ...own.flatMap((word) => ["0", word])];
      yield ["GEOADD", "{a}geo", ...own.flatMap((word) => ["15", "37", word])];
      yield ["RPUSH", "{a}l", ...own];
      yield ["XADD", "{a}x", "1-1", ...own];
      yield ["PFADD", "{a}hll", ...own];
    },
    cases: cases(
      `
      MSET $pairs
      MGET $keys
      EXISTS $keys
      TOUCH $keys
      WATCH $keys ; UNWATCH
      MSET $pairs > DEL $keys
      MSETNX $pairs
      UNLINK $keys
      SUNION $few
      SUNIONSTORE {c} $few
      ZUNION $fewcount $few
      PFCOUNT $few
      BITOP OR {c} $few
      LMPOP $fewcount $few LEFT
      ZMPOP $fewcount $few MIN
      XREAD STREAMS $few $ids
      BLPOP $few 0.01
      BZPOPMIN $few 0.01
      BLPOP $few 0 & RPUSH $2 v
      XREAD BLOCK 0 STREAMS $few $ids & XADD $2 1-1 f v
      DEL $2 > SET $1 v ; RENAME $1 $2
      HMGET {a}h $keys
      HTTL {a}h FIELDS $count $keys
      HEXPIRE {a}h 1000 FIELDS $count $keys
      HSET {a}h $pairs
      COPY {a}h {c} REPLACE > HSET {c} $newpairs
      COPY {a}h {c} REPLACE > HDEL {c} $keys
      HGETALL {a}h
      SMISMEMBER {a}s $keys
      COPY {a}s {c} REPLACE > SADD {c} $others
      COPY {a}s {c} REPLACE > SREM {c} $keys
      COPY {a}s {c} REPLACE > SPOP {c} 40
      SRANDMEMBER {a}s 40
      ZMSCORE {a}z $keys
      COPY {a}z {c} REPLACE > ZADD {c} $newscored
      COPY {a}z {c} REPLACE > ZREM {c} $keys
      ZRANGE {a}z 0 60
      ZRANK {a}z $1
      ZLEXCOUNT {a}lex $begin $end
      ZRANGEBYLEX {a}lex $begin $end LIMIT 0 10
      GEOPOS {a}geo $keys
      GEOADD {c}geo $points
      DEL {c} > RPUSH {c} $keys
      COPY {a}l {c} REPLACE > LPUSH {c} $keys
      LPOS {a}l $2
      COPY {a}l {c} REPLACE > LREM {c} 0 $1
      COPY {a}l {c} REPLACE > LINSERT {c} BEFORE $1 v
      LRANGE {a}l 0 60
      DEL {c} > XADD {c} 1-1 $keys
      XRANGE {a}x - +
      PFADD {a}hll $keys
    `,
      names,
    ),
  };
}
