/**
 * Cases of the bench of holds about no data to speak of: nearly every command that
 * works with keys, once. What they take is for code that has not run yet.
 *
 * @module
 */

import { cases, type HoldGroup } from "./_hold_lines.ts";

const FILL = `
  SET s hello
  SET n 10
  RPUSH l e1 e2 e3 e4
  SADD e e1 e2 e3
  SADD f e2 e4
  HSET h e1 1 e2 2 e3 3
  ZADD z 1 e1 2 e2 3 e3
  ZADD y 1 e1 2 e5
  GEOADD g 13.3 38.1 a 15.1 37.5 b
  PFADD pf a b
  PFADD pg b c
  XADD x 1-1 f v
  XADD x 2-1 f v
  XGROUP CREATE x gr 0
  XREADGROUP GROUP gr c COUNT 1 STREAMS x >`;

const CASES = `
  GET s
  SET k v
  SETEX k 100 v
  GETEX s EX 100
  GETDEL s
  GETSET s v
  INCR n
  INCRBYFLOAT n 1.5
  APPEND s x
  SETRANGE s 5 abc
  GETRANGE s 0 3
  SETBIT s 100 1
  GETBIT s 3
  BITCOUNT s
  BITPOS s 1
  BITFIELD s INCRBY i8 0 1
  BITOP AND d s n
  LCS s n
  MSET a v b v c v
  MGET a b c
  MSETNX a v b v
  DEL s n
  UNLINK s n
  EXISTS s n
  TOUCH s l
  TYPE s
  EXPIRE s 100
  PERSIST s
  TTL s
  PEXPIREAT s 1
  RENAME s t
  RENAMENX s t
  MOVE s 1
  COPY s s2
  COPY l l2
  COPY e e2
  COPY z z2
  COPY h h2
  COPY x x2
  DUMP s
  DUMP l
  DUMP e
  DUMP z
  DUMP h
  DUMP x
  OBJECT ENCODING s
  RANDOMKEY
  KEYS *
  SCAN 0
  DBSIZE
  FLUSHALL
  FLUSHDB
  SWAPDB 0 1
  SORT l ALPHA
  SORT l ALPHA STORE d
  LPUSH l a b c
  RPUSH l a b c
  LPOP l
  RPOP l 2
  LRANGE l 0 -1
  LINDEX l 1
  LSET l 1 x
  LINSERT l BEFORE e1 x
  LREM l 0 e1
  LTRIM l 0 1
  LPOS l e1
  LMOVE l m LEFT RIGHT
  LMPOP 1 l LEFT
  RPUSH l e1 > BLPOP l 0
  RPUSH l e1 > BLMOVE l m LEFT LEFT 0
  RPOPLPUSH l m
  SADD e a b c
  SREM e e1
  SMEMBERS e
  SPOP e
  SPOP e 2
  SRANDMEMBER e
  SRANDMEMBER e -5
  SMOVE e f e1
  SINTER e f
  SUNION e f
  SDIFF e f
  SINTERSTORE d e f
  SUNIONSTORE d e f
  SDIFFSTORE d e f
  SINTERCARD 2 e f
  SMISMEMBER e e1 e2
  SSCAN e 0
  HSET h a v b v
  HGET h e1
  HMGET h e1 e2
  HGETALL h
  HKEYS h
  HDEL h e1
  HINCRBY h n 1
  HINCRBYFLOAT h n 1
  HRANDFIELD h 2
  HRANDFIELD h -5 WITHVALUES
  HSCAN h 0
  HEXPIRE h 100 FIELDS 1 e1
  HPEXPIREAT h 1 FIELDS 1 e1
  HPERSIST h FIELDS 1 e1
  HGETEX h EX 100 FIELDS 1 e1
  HSETEX h EX 100 FIELDS 1 e1 v
  HGETDEL h FIELDS 1 e1
  ZADD z 1 a 2 b
  ZINCRBY z 1 e1
  ZREM z e1
  ZRANGE z 0 -1
  ZRANGE z 0 1 BYSCORE WITHSCORES
  ZRANGE z [a [z BYLEX
  ZRANGESTORE d z 0 -1
  ZRANK z e1
  ZCOUNT z 0 5
  ZLEXCOUNT z - +
  ZPOPMIN z
  ZMPOP 1 z MAX
  BZPOPMIN z 0
  ZMSCORE z e1 e2
  ZRANDMEMBER z 2
  ZREMRANGEBYRANK z 0 1
  ZREMRANGEBYSCORE z 0 1
  ZUNION 2 z y
  ZINTER 2 z y
  ZDIFF 2 z y
  ZUNIONSTORE d 2 z y
  ZINTERSTORE d 2 z y
  ZDIFFSTORE d 2 z y
  ZINTERCARD 2 z y
  ZSCAN z 0
  GEOADD g 13 38 p
  GEODIST g a b
  GEOHASH g a
  GEOPOS g a
  GEOSEARCH g FROMMEMBER a BYRADIUS 500 km WITHDIST
  GEOSEARCHSTORE d g FROMMEMBER a BYRADIUS 500 km
  PFADD pf c d
  PFCOUNT pf
  PFCOUNT pf pg
  PFMERGE d pf pg
  XADD x * f v
  XADD x MAXLEN 2 * f v
  XRANGE x - +
  XREVRANGE x + -
  XREAD STREAMS x 0
  XREADGROUP GROUP gr c STREAMS x >
  XGROUP CREATE x g2 0
  XACK x gr 1-1
  XPENDING x gr
  XPENDING x gr - + 10
  XCLAIM x gr d 0 1-1
  XAUTOCLAIM x gr d 0 0
  XDEL x 1-1
  XTRIM x MAXLEN 1
  XINFO STREAM x FULL
  XINFO GROUPS x
  XSETID x 9-9
  MULTI ; INCR n ; SET s v ; EXEC
  WATCH s ; MULTI ; SET s v ; EXEC
  SAVE
  BGSAVE
  PUBLISH c m
  INFO
  MEMORY USAGE z
  DEBUG DIGEST`;

/** Every command on a few elements. */
export const SMALL_DATA: HoldGroup = {
  name: "a few elements",
  fill: () => FILL.trim().split("\n").map((line) => line.trim().split(" ")),
  cases: cases(CASES),
};
