/**
 * Cases of the bench of holds that are not about very much: values of a size for
 * which a command may still do all in one hold, and what has expired and is still
 * there.
 *
 * @module
 */

import { type Argv, cases, type HoldGroup, member } from "./_hold_lines.ts";
import { digits, fillOne, fillStream } from "./_type_cases.ts";

/** Keys of one command that are noted, or combined, in one hold. */
const COMBINED_KEYS = 190;
/** Keys that are gone through in one hold. */
export const KEYS_AT_ONCE = 1190;
/** Fields that are. */
const FIELDS_AT_ONCE = 500;

/** Everything on values of so many elements. */
export function middleSizes(count: number): HoldGroup {
  const each = (make: (i: number) => string[]): string[] =>
    Array.from({ length: count }, (_, i) => make(i)).flat();
  const shuffled = (i: number) => `${i * 7919 % count}`;
  const sets = Array.from({ length: COMBINED_KEYS }, (_, i) => `set:${i}`);
  const names = {
    $members: each((i) => [member(i)]),
    $others: each((i) => [`o:${digits(i)}`]),
    $pairs: each((i) => [member(i), `v${i}`]),
    $scored: each((i) => [shuffled(i), member(i)]),
    $ids: each((i) => [`${i + 1}-1`]),
    $sets: sets,
    $count: [`${count}`],
    $half: [`${count >> 1}`],
    $most: [`${Math.floor(count * 0.98)}`],
    $drawn: [`-${count}`],
  };
  function* fill(): Iterable<Argv> {
    for (const [tag, from] of [["a", 0], ["b", count >> 1]] as const) {
      const at = (i: number) => member(from + i);
      yield* fillOne(["SADD", `{${tag}}s`], count, (i) => [at(i)]);
      yield* fillOne(["ZADD", `{${tag}}z`], count, (i) => [shuffled(i), at(i)]);
      yield* fillOne(["HSET", `{${tag}}h`], count, (i) => [at(i), `v${i}`]);
    }
    yield* fillOne(["ZADD", "{a}lex"], count, (i) => ["0", member(i)]);
    yield* fillOne(["SADD", "{a}ints"], count, (i) => [`${i * 7}`]);
    yield* fillOne(["RPUSH", "{a}nums"], count, (i) => [shuffled(i)]);
    yield* fillOne(["RPUSH", "{a}l"], count, (i) => [member(i)]);
    yield* fillOne(
      ["GEOADD", "{a}geo"],
      count,
      (i) => [`${i % 3600 / 100}`, `${i % 800 / 10}`, member(i)],
    );
    yield* fillOne(
      ["GEOADD", "{a}near"],
      count,
      (i) => [`${15 + i / 1e6}`, "37", member(i)],
    );
    yield* fillStream("{a}x", 0, count);
    yield ["XGROUP", "CREATE", "{a}x", "new", "0"];
    yield ["XGROUP", "CREATE", "{a}x", "all", "0"];
    yield ["XREADGROUP", "GROUP", "all", "c", "STREAMS", "{a}x", ">"];
    const share = Math.max(1, Math.floor(count / COMBINED_KEYS));
    for (const [i, key] of sets.entries()) {
      yield* fillOne(["SADD", key], share, (j) => [member(i * 7 + j)]);
    }
    yield ["SET", "{a}t", "abcdefgh".repeat(count)];
    yield ["SET", "{b}t", "bcdefgha".repeat(count)];
    yield ["SET", "{a}short", "ab".repeat(Math.min(count, 1000))];
  }
  return {
    name: `${count} elements`,
    fill,
    cases: cases(
      `
      SMEMBERS {a}s
      SUNION {a}s {b}s
      SINTER {a}s {b}s
      SINTER {a}s {a}ints
      SDIFF {a}s {b}s
      SUNION $sets
      SINTER $sets
      SDIFF $sets
      SUNIONSTORE {c}s $sets
      SUNIONSTORE {c}s {a}s {b}s
      SINTERSTORE {c}s {a}s {b}s
      SDIFFSTORE {c}s {a}s {b}s
      SINTERCARD 2 {a}s {b}s
      SRANDMEMBER {a}s $half
      SRANDMEMBER {a}s $most
      SRANDMEMBER {a}s $drawn
      SSCAN {a}s 0 COUNT $count
      COPY {a}s {c}s REPLACE
      COPY {a}s {c}s REPLACE > SPOP {c}s $half
      COPY {a}s {c}s REPLACE > SPOP {c}s $most
      COPY {a}s {c}s REPLACE > SREM {c}s $members
      COPY {a}s {c}s REPLACE > SADD {c}s $others
      COPY {a}ints {c}s REPLACE > SADD {c}s $members
      COPY {a}ints {c}s REPLACE > SADD {c}s x
      COPY {a}s {c}s REPLACE > RENAME {c}s {d}s
      COPY {a}s {c}s REPLACE > DEL {c}s
      DUMP {a}s
      SORT {a}nums
      SORT {a}nums STORE {c}l
      SORT {a}s ALPHA
      SORT {a}s ALPHA LIMIT 0 10
      SORT {a}nums BY w:* GET v:*
      SORT {a}nums BY nosort GET w:*
      HGETALL {a}h
      HRANDFIELD {a}h $half
      HRANDFIELD {a}h $most WITHVALUES
      HSCAN {a}h 0 COUNT $count
      COPY {a}h {c}h REPLACE
      DEL {c}h > HSET {c}h $pairs
      COPY {a}h {c}h REPLACE > HSET {c}h $pairs
      COPY {a}h {c}h REPLACE > HDEL {c}h $members
      HMGET {a}h $members
      COPY {a}h {c}h REPLACE > HPEXPIRE {c}h 1000000 FIELDS $count $members
      COPY {a}h {c}h REPLACE > HGETEX {c}h PX 1000000 FIELDS $count $members
      COPY {a}h {c}h REPLACE > HGETDEL {c}h FIELDS $count $members
      DUMP {a}h
      ZRANGE {a}z 0 -1 WITHSCORES
      ZRANGE {a}lex - + BYLEX
      ZRANDMEMBER {a}z $most
      ZRANDMEMBER {a}z $drawn WITHSCORES
      ZUNION 2 {a}z {b}z WITHSCORES
      ZINTER 2 {a}z {b}z
      ZDIFF 2 {a}z {b}z
      ZUNIONSTORE {c}z 2 {a}z {b}z
      ZINTERSTORE {c}z 2 {a}z {b}z
      ZDIFFSTORE {c}z 2 {a}z {b}z
      ZRANGESTORE {c}z {a}z 0 -1
      ZINTERCARD 2 {a}z {b}z
      COPY {a}z {c}z REPLACE
      COPY {a}z {c}z REPLACE > ZREMRANGEBYRANK {c}z 1 -2
      COPY {a}z {c}z REPLACE > ZREMRANGEBYSCORE {c}z 1 $half
      COPY {a}lex {c}z REPLACE > ZREMRANGEBYLEX {c}z - +
      COPY {a}z {c}z REPLACE > ZPOPMIN {c}z $half
      COPY {a}z {c}z REPLACE > ZMPOP 1 {c}z MAX COUNT $half
      DEL {c}z > ZADD {c}z $scored
      COPY {a}lex {c}z REPLACE > ZADD {c}z $scored
      COPY {a}z {c}z REPLACE > ZREM {c}z $members
      ZMSCORE {a}z $members
      DUMP {a}z
      GEOSEARCH {a}geo FROMLONLAT 15 37 BYRADIUS 6000 km ASC
      GEOSEARCH {a}near FROMLONLAT 15 37 BYRADIUS 60 km DESC WITHDIST WITHCOORD
      GEOSEARCH {a}near FROMLONLAT 15 37 BYRADIUS 60 km ASC COUNT 5
      GEOSEARCHSTORE {c}geo {a}near FROMLONLAT 15 37 BYRADIUS 60 km
      GEORADIUS {a}geo 15 37 6000 km STOREDIST {c}geo
      GEOPOS {a}geo $members
      GEOHASH {a}geo $members
      LRANGE {a}l 0 -1
      LPOS {a}l none
      LPOS {a}l m:000000001 COUNT 0
      COPY {a}l {c}l REPLACE
      COPY {a}l {c}l REPLACE > LREM {c}l 0 none
      COPY {a}l {c}l REPLACE > LTRIM {c}l $half $half
      COPY {a}l {c}l REPLACE > LPOP {c}l $most
      COPY {a}l {c}l REPLACE > LMPOP 1 {c}l RIGHT COUNT $half
      DEL {c}l > RPUSH {c}l $members
      DUMP {a}l
      XRANGE {a}x - +
      XREVRANGE {a}x + - COUNT $most
      XREAD COUNT $half STREAMS {a}x 0
      COPY {a}x {c}x REPLACE > XREADGROUP GROUP new c STREAMS {c}x >
      XREADGROUP GROUP all c COUNT $half STREAMS {a}x 0
      COPY {a}x {c}x REPLACE > XACK {c}x all $ids
      COPY {a}x {c}x REPLACE > XCLAIM {c}x all d 0 $ids
      COPY {a}x {c}x REPLACE > XCLAIM {c}x all d 0 $ids JUSTID
      COPY {a}x {c}x REPLACE > XAUTOCLAIM {c}x all d 0 0 COUNT $count
      COPY {a}x {c}x REPLACE > XDEL {c}x $ids
      COPY {a}x {c}x REPLACE > XTRIM {c}x MAXLEN 1
      COPY {a}x {c}x REPLACE > XADD {c}x MAXLEN 1 * f v
      COPY {a}x {c}x REPLACE > XGROUP DELCONSUMER {c}x all c
      COPY {a}x {c}x REPLACE > XGROUP DESTROY {c}x all
      XPENDING {a}x all - + $count
      XPENDING {a}x all IDLE 100000 - + 10
      XINFO STREAM {a}x FULL COUNT 0
      COPY {a}x {c}x REPLACE
      DUMP {a}x
      LCS {a}short {a}short IDX
      BITCOUNT {a}t
      BITOP XOR {c}t {a}t {b}t
      DEL {c}p > PFADD {c}p $members
      MEMORY USAGE {a}z SAMPLES 0
    `,
      names,
    ),
  };
}

/** Commands on a hash that may not be changed meanwhile. */
function locked(commands: string): string {
  return `DEBUG KEYLOCK TAKE l READ {a}h ; ${commands} ; DEBUG KEYLOCK CLOSE l`;
}

/** A hash of which all fields but one have expired, and none is removed. */
export function expiredFields(count: number): HoldGroup {
  const fields = Array.from({ length: count }, (_, i) => member(i));
  const names = {
    $fields: fields.slice(0, FIELDS_AT_ONCE),
    $number: [`${FIELDS_AT_ONCE}`],
  };
  const before: Argv[] = [
    ["DEL", "{a}h"],
    ["HSET", "{a}h", "stays", "v", ...fields.flatMap((name) => [name, "v"])],
    ["HPEXPIRE", "{a}h", "1", "FIELDS", `${count}`, ...fields],
    ["DEBUG", "SLEEP", "0.01"],
  ];
  const lines = `
    HGETALL {a}h
    HKEYS {a}h
    HGETALL {a}h ; HGETALL {a}h
    HGETALL {a}h ; HRANDFIELD {a}h ; HRANDFIELD {a}h -2000 ; HRANDFIELD {a}h 10
    ${locked("HGETALL {a}h ; HVALS {a}h")}
    ${locked("HRANDFIELD {a}h")}
    ${locked("HRANDFIELD {a}h -10 WITHVALUES")}
    ${locked("HRANDFIELD {a}h 10")}
    ${locked("HTTL {a}h FIELDS $number $fields ; HPERSIST {a}h FIELDS 1 stays")}
    BGSAVE ; HGETALL {a}h ; HRANDFIELD {a}h -10 ; HRANDFIELD {a}h
    HLEN {a}h
    HGET {a}h stays
    HMGET {a}h $fields
    HRANDFIELD {a}h
    HRANDFIELD {a}h -10
    HSCAN {a}h 0 COUNT 100
    HDEL {a}h $fields
    HSET {a}h new v
    COPY {a}h {c}h REPLACE
    DUMP {a}h
    DEL {a}h
  `;
  return {
    name: "expired fields",
    fill: () => [["DEBUG", "SET-ACTIVE-EXPIRE", "0"]],
    cases: cases(lines, names).map((one) => ({ ...one, before })),
  };
}

/** Keys that have expired, none of which is deleted. */
export function expiredKeys(count: number): HoldGroup {
  const keys = Array.from({ length: count }, (_, i) => `key:${digits(i)}`);
  const names = { $keys: keys, $some: keys.slice(0, KEYS_AT_ONCE) };
  const before: Argv[] = [
    ...keys.map((key) => ["SET", key, "v", "PX", "1"]),
    ["DEBUG", "SLEEP", "0.01"],
  ];
  const lines = `
    EXISTS $some
    EXISTS $keys
    MGET $some
    MGET $keys
    DEL $some
    TOUCH $some
    KEYS *
    SCAN 0 COUNT 1000000
    RANDOMKEY
    DBSIZE
    FLUSHALL
  `;
  return {
    name: "expired keys",
    fill: () => [["DEBUG", "SET-ACTIVE-EXPIRE", "0"]],
    cases: cases(lines, names).map((one) => ({ ...one, before })),
  };
}
