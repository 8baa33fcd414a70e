/**
 * The commands that a worker runs when it has just begun: those that may hold their
 * latches for long, and what they need.
 *
 * Those of strings are not among them, as far as others can do without: with them, a
 * transaction of five SETs took 8 % longer, for V8 had seen what else there is before
 * it saw a SET.
 *
 * @module
 */

/**
 * A line each, names and options as they are, words that begin with `$` as
 * {@linkcode warmUpWords} has it. `EACH` runs what follows for each element; `PACKED`
 * says how many elements are packed from here on, `SNAPSHOT` takes one.
 */
export const WARM_UP_LINES: readonly string[] = `
PACKED 64
PFADD p $members
PFADD q $pairs
PFCOUNT p q
PFMERGE o p q
SADD a $numbers
SADD b $members
SADD a $members
SMEMBERS a
SMISMEMBER a $members
SUNION a b
SINTER a b
SDIFF a b
SUNIONSTORE c a b
SINTERSTORE c a b
SDIFFSTORE c a b
SINTERCARD 2 a b
SRANDMEMBER a $half
SRANDMEMBER a $minus
SSCAN a 0 COUNT $count
COPY a c REPLACE
RENAME c d
RENAME d c
SPOP c $half
SREM c $members
SORT b ALPHA
SORT b ALPHA STORE c
SORT b BY nosort GET w:*
DUMP a
HSET h $pairs
HSET f $pairs
HSET h $pairs
HGETALL h
HKEYS h
HRANDFIELD h $half WITHVALUES
HRANDFIELD h $minus
HSCAN h 0 COUNT $count
HMGET h $members
COPY h g REPLACE
HPEXPIRE g 1000000 FIELDS $count $members
HGETEX g PX 1000000 FIELDS $count $members
HPERSIST g FIELDS $count $members
HGETDEL g FIELDS $count $members
DUMP h
HDEL h $members
PACKED 1000
HSET s $pairs
HSET s $pairs
HGETALL s
HRANDFIELD s $half WITHVALUES
HRANDFIELD s $minus
HMGET s $members
COPY s e REPLACE
HPEXPIRE e 1000000 FIELDS $count $members
HGETEX e PX 1000000 FIELDS $count $members
HPERSIST e FIELDS $count $members
HGETDEL e FIELDS $count $members
DUMP s
HDEL s $members
ZADD t $scored
ZADD t $scored
ZREM t $members
SADD w $members
SREM w $members
PACKED 64
ZADD z $scored
ZADD y $scored
ZADD l $level
ZRANGE z 0 -1 WITHSCORES
ZRANGE z 1 $half BYSCORE
ZRANGE l - + BYLEX
ZUNION 2 z y WITHSCORES
ZINTER 2 z y
ZDIFF 2 z y
ZUNIONSTORE x 2 z y
ZINTERSTORE x 2 z y
ZDIFFSTORE x 2 z y
ZRANGESTORE x z 0 -1
ZINTERCARD 2 z y
ZRANDMEMBER z $half
ZRANDMEMBER z $minus WITHSCORES
ZMSCORE z $members
ZSCAN z 0 COUNT $count
COPY z x REPLACE
ZREMRANGEBYRANK x 1 10
ZREMRANGEBYSCORE x 1 20
ZREMRANGEBYLEX l [m:000000001 [m:000000020
ZPOPMIN x 10
ZMPOP 1 x MAX COUNT 10
DUMP z
ZREM z $members
ZADD y $level
ZADD y $scored
ZREM y $members
GEOADD n $places
GEOSEARCH n FROMLONLAT 15 37 BYRADIUS 6000 km ASC WITHDIST
GEOSEARCH n FROMLONLAT 15 37 BYRADIUS 6000 km ASC COUNT 5
GEOSEARCHSTORE m n FROMLONLAT 15 37 BYRADIUS 60 km
GEORADIUS n 15 37 60 km STORE m
GEORADIUSBYMEMBER n m:000000001 60 km
GEOPOS n $members
GEOHASH n $members
RPUSH i $numbers
LPUSH j $members
LRANGE i 0 -1
LPOS i none
LPOS i 7 COUNT 0
LINSERT i AFTER none x
SORT i
SORT i BY w:* GET v:*
LREM j 0 none
COPY j k
LTRIM j 1 -2
DUMP j
LPOP j $half
LMPOP 1 j RIGHT COUNT 10
EACH XADD r 1-$i f v$i
XGROUP CREATE r one 0
XGROUP CREATE r two 0
XRANGE r - +
XREVRANGE r + -
XREAD COUNT $half STREAMS r 0
XREADGROUP GROUP one c COUNT $count STREAMS r >
XREADGROUP GROUP one c COUNT $count STREAMS r 0
XREADGROUP GROUP two c NOACK STREAMS r >
XPENDING r one - + $count
XPENDING r one
XCLAIM r one d 0 $ids
XCLAIM r one c 0 $ids JUSTID
XAUTOCLAIM r one d 0 0 COUNT $count
XINFO STREAM r FULL COUNT 0
XINFO STREAM r FULL COUNT 0
XINFO CONSUMERS r one
XINFO GROUPS r
COPY r u
DUMP r
XACK r one $ids
XDEL u $ids
XTRIM r MAXLEN 10
MEMORY USAGE n SAMPLES 0
SNAPSHOT
DEL p q o a b c h f g z y l x n m i j k r u
EXISTS $words
SADD $word a
EXISTS $words
DEL $word
PFADD p $words
SADD a $words
SADD a $words
SMISMEMBER a $words
SRANDMEMBER a $some
SMEMBERS a
SPOP a $some
SREM a $words
HSET h $wordpairs
HSET h $wordpairs
HMGET h $words
HGETALL h
HPEXPIRE h 1000000 FIELDS $long $words
HDEL h $words
ZADD z $wordscored
ZADD z $wordscored
ZMSCORE z $words
ZRANGE z 0 -1
ZREM z $words
ZADD l $wordlevel
ZLEXCOUNT l - ($word
ZRANGE l ($word + BYLEX LIMIT 0 5
GEOADD n $wordplaces
GEOPOS n $words
RPUSH i $words
LPUSH i $words
LRANGE i 0 -1
LPOS i $word COUNT 0
LREM i 0 $word
LINSERT i AFTER none x
XADD r 1-1 $words
XRANGE r - +
SNAPSHOT
DEL p a h z l n i r`.trim().split("\n");

/**
 * Long words, of which there are fewer: what goes through their bytes is compiled as
 * well then.
 */
const LONG_WORDS = 16;
const LONG_WORD = "w".repeat(10_000);

/** The words of a line's commands, on values of so many elements. */
export function* warmUpWords(
  line: string,
  elements: number,
): Generator<string[]> {
  if (!line.startsWith("EACH ")) {
    yield line.split(" ").flatMap((word) => wordsOf(word, elements));
    return;
  }
  for (let i = 1; i <= elements; i++) {
    yield line.slice("EACH ".length).replaceAll("$i", `${i}`).split(" ");
  }
}

function wordsOf(word: string, elements: number): string[] {
  const each = (words: (i: number) => string[]) =>
    Array.from({ length: elements }, (_, i) => words(i)).flat();
  const member = (i: number) => `m:${String(i).padStart(9, "0")}`;
  const long = (words: (i: number, word: string) => string[]) =>
    Array.from(
      { length: LONG_WORDS },
      (_, i) => words(i, `${LONG_WORD}${i}`),
    ).flat();
  switch (word) {
    case "$count":
      return [`${elements}`];
    case "$half":
      return [`${elements >> 1}`];
    case "$minus":
      return [`-${elements}`];
    case "$members":
      return each((i) => [member(i)]);
    case "$pairs":
      return each((i) => [member(i), `v${i}`]);
    case "$scored":
      return each((i) => [`${i}.5`, member(i)]);
    case "$level":
      return each((i) => ["0", member(i)]);
    case "$numbers":
      return each((i) => [`${i * 7919 % 1009}`]);
    case "$places":
      return each((i) => [`${15 + i / 999}`, `${37 - i / 999}`, member(i)]);
    case "$ids":
      return each((i) => [`1-${i + 1}`]);
    case "$long":
      return [`${LONG_WORDS}`];
    case "$some":
      return [`${LONG_WORDS >> 1}`];
    case "$word":
      return [`${LONG_WORD}7`];
    case "($word":
      return [`(${LONG_WORD}7`];
    case "$words":
      return long((_, each) => [each]);
    case "$wordpairs":
      return long((i, each) => [each, `v${i}`]);
    case "$wordscored":
      return long((i, each) => [`${i}`, each]);
    case "$wordlevel":
      return long((_, each) => ["0", each]);
    case "$wordplaces":
      return long((i, each) => [`${15 + i / 999}`, "37", each]);
  }
  return [word];
}
