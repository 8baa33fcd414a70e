/**
 * Records beside redis-server's append-only file, row by row: every way in which
 * a command is recorded as another, or not at all, what expires, transactions,
 * and commands that have waited. Random scripts are in the tests of the families.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { until } from "../_patience.ts";
import { hasRedisServer } from "../_redis_server.ts";
import type { TestClient } from "../_resp_client.ts";
import { plain } from "../_resp_reply.ts";
import { World } from "../_world.ts";
import type { RecordedEffect } from "../unit/core/keyspace/_effects.ts";
import {
  type Effect,
  isAboutConsumer,
  isSameEffect,
  RecordingRedis,
  showEffect,
  withoutHistory,
} from "./_effects.ts";
import { send } from "./_run_effects.ts";

/** A moment in the future, in seconds. */
const FUTURE = "4102444800";

/** Looks, some milliseconds apart, for what the reference's cycle does. */
const CYCLE_TRIES = 2000;

/**
 * Commands, separated by ` ; `. What begins with `@` is no command:
 * - `@wait` lets short times pass;
 * - `@cycle` lets the server delete what has expired;
 * - `@block` sends a command from a second client, which waits.
 */
const ROWS: readonly string[] = [
  // Strings.
  "SET a 1 ; SET a 1 ; SET a 2 NX ; SET b 2 NX ; SET a 3 XX ; SET c 3 XX",
  "SET a 1 EX 100 ; SET a 1 PX 100000 ; SET a 1 px 100000 NX ; SET b 1 XX PX 99",
  `SET a 1 EXAT ${FUTURE} ; SET a 1 PXAT ${FUTURE}000 ; SET a 2 KEEPTTL`,
  "SET a 1 GET ; SET a 2 GET GET ; SET a 3 get KEEPTTL ; SET a 4 GET EX 100",
  "SET a 1 NX GET ; SET a 2 XX GET KEEPTTL get ; SET x 1 XX GET",
  "SETEX a 100 1 ; PSETEX a 100000 1 ; SETNX a 1 ; SETNX b 1 ; GETSET a 2",
  "GETSET n 1 ; GETDEL n ; GETDEL n ; SET e 1 EX 100 ; GETSET e 2 ; TTL e",
  "SET a 1 ; GETEX a ; GETEX a EX 100 ; GETEX a PX 100000 ; GETEX a PERSIST",
  `SET a 1 ; GETEX a EXAT ${FUTURE} ; GETEX a PXAT ${FUTURE}000 ; GETEX b EX 9`,
  "SET a 1 ; GETEX a PERSIST ; GETEX a EXAT 1 ; GETEX a",
  "APPEND a 1 ; APPEND a x ; SETRANGE a 0 yy ; SETRANGE a 0 ; STRLEN a",
  "SET a x ; SETRANGE a 3 \x00\xff ; SETRANGE b 0 ",
  "INCR a ; DECR a ; INCRBY a 5 ; DECRBY a 2 ; INCRBYFLOAT a 1.5 ; GET a",
  "SET a 10 EX 100 ; INCRBYFLOAT a 3.0e3 ; INCR a ; PTTL a",
  "MSET a 1 b 2 a 3 ; MSETNX a 1 c 2 ; MSETNX c 1 d 2 ; MGET a b",
  "SETBIT a 7 1 ; SETBIT a 7 1 ; BITOP NOT b a ; BITOP AND c x y ; BITOP OR b x",
  "BITFIELD a SET u8 0 255 GET u8 0 ; BITFIELD a GET u8 0 ; BITFIELD_RO a GET u8 0",
  "BITFIELD a OVERFLOW FAIL INCRBY u2 0 9 ; BITFIELD a SET u8 0 255",
  // Keys.
  "SET a 1 ; EXPIRE a 100 ; PEXPIRE a 100000 ; EXPIRE a 100 NX ; EXPIRE b 1",
  `SET a 1 ; EXPIREAT a ${FUTURE} ; PEXPIREAT a ${FUTURE}000 ; PERSIST a`,
  "SET a 1 ; EXPIRE a 1000 LT ; EXPIRE a 2000 GT ; EXPIRE a 3000 XX ; PERSIST b",
  "SET a 1 ; EXPIRE a 0 ; SET b 1 ; EXPIRE b -1 ; SET c 1 ; PEXPIREAT c 1",
  "SET a 1 ; PERSIST a ; TOUCH a ; UNLINK a b ; UNLINK b ; DEL b ; SET a 1 ; DEL a b",
  "SET a 1 ; RENAME a b ; RENAME b b ; RENAMENX b c ; SET a 1 ; RENAMENX a c",
  "SET a 1 ; COPY a b ; COPY a b ; COPY a b REPLACE ; COPY x y ; COPY a b DB 1",
  "SET a 1 ; MOVE a 1 ; MOVE a 1 ; SELECT 1 ; GET a ; MOVE a 0 ; SELECT 0",
  "SET a 1 ; SWAPDB 0 1 ; SWAPDB 0 1 ; SWAPDB 3 3 ; SELECT 3 ; SET x 1 ; FLUSHDB",
  "SET a 1 ; FLUSHDB ; FLUSHDB ASYNC ; FLUSHALL ; SET a 1 ; FLUSHALL SYNC",
  "RPUSH l 3 1 2 ; SORT l ; SORT l STORE m ; SORT x STORE m ; SORT x STORE m",
  "SADD s 3 1 2 ; SORT s BY nosort STORE m ; SORT_RO s",
  "SADD a 1 ; OBJECT ENCODING a ; DEBUG SLEEP 0 ; TYPE a ; SCAN 0 ; RANDOMKEY",
  // Lists.
  "LPUSH l a b ; RPUSH l c ; LPUSHX l x ; RPUSHX l y ; LPUSHX m x ; RPUSHX m y",
  "RPUSH l a b c d ; LPOP l ; RPOP l ; LPOP l 0 ; LPOP l 9 ; LPOP l ; RPOP l 2",
  "RPUSH l a b a ; LSET l 0 x ; LSET l 9 x ; LREM l 0 a ; LREM l 0 a ; LTRIM l 0 9",
  "RPUSH l a b a ; LTRIM l 1 1 ; LINSERT l BEFORE b x ; LINSERT l AFTER q x",
  "RPUSH l a b c ; LMOVE l m LEFT RIGHT ; RPOPLPUSH l m ; LMOVE x m LEFT RIGHT",
  "RPUSH l a b c ; LMPOP 2 x l LEFT ; LMPOP 1 l RIGHT COUNT 9 ; LMPOP 1 l LEFT",
  "RPUSH l a b c d ; BLPOP x l 1 ; BRPOP l 1 ; BLMOVE l m LEFT RIGHT 1",
  "RPUSH l a b c d ; BRPOPLPUSH l m 1 ; BLMPOP 1 2 x l LEFT COUNT 2",
  // Sets.
  "SADD s a b c ; SADD s a ; SREM s a ; SREM s a ; SMOVE s t b ; SMOVE s t x",
  "SADD s a ; SPOP s ; SPOP s ; SADD s a b c ; SPOP s 3 ; SADD s a ; SPOP s 0",
  "SADD s a b c d ; SADD t a ; SINTERSTORE u s t ; SDIFFSTORE u s t",
  "SADD s a b ; SUNIONSTORE u s x ; SINTERSTORE u s x ; SINTERSTORE u s x",
  "SADD s 1 2 3 ; SADD s 4 ; SRANDMEMBER s 2 ; SMEMBERS s",
  // Hashes.
  "HSET h a 1 b 2 ; HSET h a 1 ; HMSET h c 3 ; HSETNX h a 9 ; HSETNX h d 4",
  "HSET h a 1 ; HINCRBY h a 2 ; HINCRBY h n 3 ; HINCRBYFLOAT h a 1.5",
  "HINCRBYFLOAT h f 3.0e3 ; HDEL h f x ; HDEL h x ; HGETALL h",
  // Sorted sets.
  "ZADD z 1 a 2 b ; ZADD z 1 a ; ZADD z CH 5 a ; ZADD z NX 9 a ; ZADD z XX 9 q",
  "ZADD z 1 a ; ZADD z GT 0 a ; ZADD z LT 0 a ; ZADD z INCR 5 a ; ZINCRBY z 1 b",
  "ZADD z 1 a 2 b 3 c ; ZREM z a x ; ZREM z x ; ZPOPMIN z ; ZPOPMAX z 5 ; ZPOPMAX z",
  "ZADD z 1 a 2 b 3 c 4 d ; ZMPOP 1 z MIN ; ZMPOP 2 x z MAX COUNT 2 ; ZMPOP 1 x MIN",
  "ZADD z 1 a 2 b 3 c 4 d ; BZPOPMIN z 1 ; BZPOPMAX x z 1 ; BZMPOP 1 1 z MIN COUNT 9",
  "ZADD z 1 a 2 b 3 c 4 d ; ZREMRANGEBYRANK z 0 0 ; ZREMRANGEBYSCORE z 2 2",
  "ZADD z 0 a 0 b ; ZREMRANGEBYLEX z [a [a ; ZREMRANGEBYLEX z [x [y",
  "ZADD z 1 a 2 b ; ZRANGESTORE y z 0 -1 ; ZRANGESTORE y x 0 -1 ; ZRANGESTORE y x 0 1",
  "ZADD z 1 a ; ZADD y 2 a ; ZUNIONSTORE u 2 z y ; ZINTERSTORE u 2 z y WEIGHTS 2 3",
  "ZADD z 1 a ; ZDIFFSTORE u 2 z y ; ZINTERSTORE u 2 z y ; ZINTERSTORE u 2 z y",
  "GEOADD g 13.361389 38.115556 a 15.087269 37.502669 b ; GEOADD g NX CH 1 1 a",
  "GEOADD g 13 38 a ; GEOADD g XX CH 14 38 a ; GEOADD g 14 38 a",
  "GEOADD g 13 38 a 15 37 b ; GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km",
  "GEOADD g 13 38 a ; GEORADIUS g 13 38 9 km STORE d ; GEORADIUSBYMEMBER g a 1 m STOREDIST e",
  "GEOADD g 13 38 a ; GEOSEARCHSTORE d g FROMLONLAT 0 0 BYBOX 1 1 m STOREDIST",
  // HyperLogLogs.
  "PFADD p ; PFADD p ; PFADD p a b ; PFADD p a ; PFCOUNT p ; PFCOUNT p ; PFADD q x",
  "PFADD p a ; PFADD q b ; PFMERGE r p q ; PFMERGE r p ; PFCOUNT r ; PFCOUNT p q r",
  // Streams.
  "XADD s * a 1 ; XADD s 9999999999999-* b 2 ; XADD s 9999999999999-5 c 3",
  "XADD s NOMKSTREAM * a 1 ; XADD s 1-1 a 1 ; XADD s 1-1 a 1 ; XADD s NOMKSTREAM * b 2",
  "XADD s 1-1 a 1 ; XADD s 2-1 a 1 ; XADD s MAXLEN 1 3-1 a 1 ; XADD s MAXLEN = 1 * a 1",
  "XADD s 1-1 a 1 ; XADD s MAXLEN ~ 1 2-1 a 1 ; XADD s MINID ~ 2 LIMIT 5 3-1 a 1",
  "XADD s 1-1 a 1 ; XADD s 2-1 b 2 ; XTRIM s MAXLEN ~ 1 ; XTRIM s MAXLEN 1 ; XTRIM s MINID 9",
  "XADD s 1-1 a 1 ; XADD s 2-1 b 2 ; XDEL s 1-1 9-9 ; XDEL s 9-9 ; XSETID s 5-5",
  "XADD s 1-1 a 1 ; XSETID s 2-2 ENTRIESADDED 7 MAXDELETEDID 1-0 ; XTRIM s MAXLEN 0",
  "XGROUP CREATE s g $ MKSTREAM ; XGROUP CREATE s g $ ; XGROUP SETID s g 0 ENTRIESREAD 1",
  "XGROUP CREATE s g 0 MKSTREAM ; XGROUP CREATECONSUMER s g c ; XGROUP CREATECONSUMER s g c",
  "XGROUP CREATE s g 0 MKSTREAM ; XGROUP DELCONSUMER s g c ; XGROUP DESTROY s g ; XGROUP DESTROY s g",
  "XADD s 1-1 a 1 ; XADD s 2-1 a 1 ; XGROUP CREATE s g 0 ; XREADGROUP GROUP g c COUNT 1 STREAMS s > ; XREADGROUP GROUP g c STREAMS s > ; XREADGROUP GROUP g c STREAMS s > ; XACK s g 1-1 ; XACK s g 1-1",
  "XADD s 1-1 a 1 ; XADD s 2-1 a 1 ; XGROUP CREATE s g 0 ; XREADGROUP GROUP g c NOACK STREAMS s >",
  "XADD s 1-1 a 1 ; XADD t 2-1 a 1 ; XGROUP CREATE s g 0 ; XGROUP CREATE t g 0 ; XREADGROUP GROUP g c STREAMS s t > > ; XREADGROUP GROUP g c STREAMS s t 0 0",
  "XADD s 1-1 a 1 ; XADD s 2-1 a 1 ; XGROUP CREATE s g 0 ; XREADGROUP GROUP g c STREAMS s > ; XDEL s 1-1 ; XCLAIM s g d 0 1-1 2-1 ; XCLAIM s g e 0 2-1 JUSTID ; XCLAIM s g e 0 2-1 RETRYCOUNT 9 TIME 1000",
  "XADD s 1-1 a 1 ; XGROUP CREATE s g 0 ; XCLAIM s g d 0 1-1 ; XCLAIM s g d 0 1-1 FORCE ; XCLAIM s g d 0 1-1 LASTID 5-5 ; XCLAIM s g d 99999 1-1 LASTID 6-6",
  "XADD s 1-1 a 1 ; XADD s 2-1 a 1 ; XGROUP CREATE s g 0 ; XREADGROUP GROUP g c STREAMS s > ; XDEL s 1-1 ; XAUTOCLAIM s g d 0 0 ; XAUTOCLAIM s g e 0 0 JUSTID",
  "XADD s 1-1 a 1 ; XGROUP CREATE s g 0 ; XREADGROUP GROUP g c BLOCK 10 STREAMS s >",
  // Transactions.
  "MULTI ; SET a 1 ; INCR a ; GET a ; SPOP x ; EXEC ; MULTI ; GET a ; EXEC ; MULTI ; EXEC",
  "MULTI ; SET a 1 EX 100 ; SELECT 1 ; SET b 1 ; SELECT 0 ; EXEC ; MULTI ; SET a 1 ; DISCARD",
  "WATCH a ; SET a 1 ; MULTI ; SET a 2 ; EXEC ; MULTI ; INCR a ; LPUSH a 1 ; INCR a ; EXEC",
  "RPUSH l a b ; MULTI ; BLPOP l 1 ; LMPOP 1 l LEFT ; FLUSHALL ; SET a 1 ; SWAPDB 0 1 ; EXEC",
  "MULTI ; XADD s * a 1 ; XGROUP CREATE s g 0 ; XREADGROUP GROUP g c STREAMS s > ; EXEC",
  // What has expired.
  "SET a 1 PX 1 ; @wait ; GET a ; GET a ; SET b 1 PX 1 ; @wait ; SET b 2",
  "SET a 1 PX 1 ; SET b 1 PX 1 ; @wait ; INCR a ; MGET a b ; DEL b",
  "SET a 1 PX 1 ; @wait ; APPEND a x ; LPUSH l 1 ; PEXPIRE l 3 ; @wait ; RPUSH l 2",
  "SET a 1 PX 1 ; @wait ; RENAME a b ; SET c 1 PX 1 ; SET d 2 ; @wait ; RENAME d c",
  "SET a 1 PX 1 ; SET b 1 PX 1 ; @wait ; MULTI ; GET a ; SET c 1 ; INCR b ; EXEC",
  "SET a 1 PX 1 ; @wait ; @cycle ; GET a ; SELECT 2 ; SET b 1 PX 1 ; @wait ; @cycle",
  "SET a 1 PX 1 ; @wait ; EXISTS a ; TYPE a ; TTL a ; SET a 1 PX 1 ; @wait ; TTL a",
  "SADD s 1 ; SADD t 1 ; PEXPIRE s 3 ; @wait ; SUNIONSTORE u s t ; SINTERSTORE u s t",
  "SET a 1 PX 1 ; @wait ; COPY a b ; SET a 1 ; SET b 1 PX 1 ; @wait ; COPY a b",
  "SET a 1 PX 1 ; @wait ; RANDOMKEY ; DBSIZE",
  // Commands that have waited.
  "@block BLPOP a b 0 ; RPUSH b 1 ; RPUSH b 2",
  "@block BRPOP a 0 ; MULTI ; RPUSH a 1 2 ; DEL x ; EXEC",
  "@block BLMOVE a b LEFT RIGHT 0 ; RPUSH a 1 ; LRANGE b 0 -1",
  "@block BRPOPLPUSH a b 0 ; LPUSH a 1 2",
  "@block BLMPOP 0 2 a b RIGHT COUNT 2 ; RPUSH b 1 2 3",
  "@block BZPOPMIN a b 0 ; ZADD b 1 x 2 y",
  "@block BZPOPMAX a 0 ; ZADD a 1 x 2 y",
  "@block BZMPOP 0 1 a MAX COUNT 5 ; ZADD a 1 x 2 y",
  "XGROUP CREATE s g $ MKSTREAM ; @block XREADGROUP GROUP g c BLOCK 0 STREAMS s > ; XADD s * a 1",
  "XGROUP CREATE s g $ MKSTREAM ; @block XREADGROUP GROUP g c BLOCK 0 NOACK STREAMS s > ; XADD s 1-1 a 1",
  "XADD s 1-1 a 1 ; @block XREAD BLOCK 0 STREAMS s $ ; XADD s 2-1 a 1",
  "SELECT 1 ; @block BLPOP a 0 ; SELECT 0 ; RPUSH a 1 ; SELECT 1 ; RPUSH a 1",
];

const ignore = !hasRedisServer("records beside an append-only file");

Deno.test({
  name: "records are those of redis-server's append-only file, row by row",
  ignore,
  fn: async () => {
    await using redis = await RecordingRedis.start();
    const failures: string[] = [];
    for (const row of ROWS) {
      const difference = await compareRow(redis, row);
      if (difference !== null) failures.push(difference);
    }
    assertEquals(failures.join("\n\n"), "");
  },
});

Deno.test({
  name: "RESTORE is recorded as in redis-server's append-only file",
  ignore,
  fn: async () => {
    await using redis = await RecordingRedis.start();
    using client = await redis.client();
    await send(client, ["SET", "a", "value"]);
    const payload = String(plain(await client.run("DUMP", "a")));
    const failures: string[] = [];
    for (
      const options of [
        ["0"],
        ["100000"],
        ["100000", "REPLACE"],
        [`${FUTURE}000`, "ABSTTL"],
        [`${FUTURE}000`, "REPLACE", "ABSTTL"],
        ["1", "ABSTTL", "REPLACE"],
        ["0", "IDLETIME", "100", "REPLACE"],
        ["0", "FREQ", "10"],
      ]
    ) {
      const [ttl, ...rest] = options;
      for (const before of [[], [["SET", "b", "1"]]]) {
        const argv = ["RESTORE", "b", ttl!, payload, ...rest];
        const difference = await compare(redis, [...before, argv]);
        if (difference !== null) failures.push(difference);
      }
    }
    assertEquals(failures.join("\n\n"), "");
  },
});

function compareRow(redis: RecordingRedis, row: string) {
  return compare(redis, row.split(" ; ").map((line) => line.split(" ")));
}

/** The first step whose records differ; null if there is none. */
async function compare(
  redis: RecordingRedis,
  steps: readonly (readonly string[])[],
): Promise<string | null> {
  using client = await redis.client();
  using other = await redis.client();
  await send(client, ["FLUSHALL"]);
  await send(client, ["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
  redis.take();
  const world = new World({ arenaBytes: 64 << 20 });
  const session = world.session();
  const second = world.session();
  let isDone = false;
  let waits: Promise<unknown> = Promise.resolve();
  for (const [at, argv] of steps.entries()) {
    world.nowMs = Date.now();
    const written: Effect[] = [];
    let recorded: RecordedEffect[] = [];
    switch (argv[0]) {
      case "@wait":
        await delay(6);
        continue;
      case "@cycle":
        world.runExpireCycle();
        recorded = world.drain.take();
        await send(client, ["DEBUG", "SET-ACTIVE-EXPIRE", "1"]);
        // The cycle of the reference may come in several parts.
        for (let tries = 0; tries < CYCLE_TRIES; tries++) {
          written.push(...redis.take());
          if (written.flat().length >= commandsIn(recorded)) break;
          await delay(5);
        }
        await send(client, ["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
        break;
      case "@block": {
        await send(other, ["SELECT", String(session.db)]);
        waits = other.pipeline([argv.slice(1)])
          .then(() => isDone = true, () => {});
        await isBlocked(client);
        second.db = session.db;
        const reply = world.run(second, argv.slice(1));
        waits = Promise.all([waits, reply]);
        break;
      }
      default: {
        await send(client, argv);
        if (!world.has(argv)) continue;
        const reply = world.run(session, argv);
        if (!(reply instanceof Promise)) break;
        world.endWait(session);
        await reply;
      }
    }
    written.push(...redis.take());
    recorded.push(...world.drain.take());
    const expected = commandsOf(written);
    const actual = commandsOf(
      recorded.map(({ commands }) => withoutHistory(argv, commands)),
    );
    const same = steps.some(([name]) => name === "@block")
      // Redis wraps what it has served together with what has served it.
      ? isSameEffect(expected.flat(), actual.flat())
      : expected.length === actual.length &&
        expected.every((effect, i) => isSameEffect(effect, actual[i]!));
    if (same) continue;
    return [
      steps.map((words, i) => `${i === at ? ">" : " "} ${words.join(" ")}`)
        .join("\n"),
      `  redis: ${expected.map(showEffect).join(" | ")}`,
      `  sherd: ${actual.map(showEffect).join(" | ")}`,
    ].join("\n");
  }
  if (steps.some(([name]) => name === "@block")) {
    if (!isDone) return `${steps.join(" ; ")}: still waits`;
    await waits;
  }
  return null;
}

function commandsOf(effects: readonly Effect[]): Effect[] {
  return effects.filter((effect) => !isAboutConsumer(effect));
}

function commandsIn(effects: readonly RecordedEffect[]): number {
  return effects.reduce((sum, { commands }) => sum + commands.length, 0);
}

/** Waits until a client of the reference waits. */
function isBlocked(client: TestClient): Promise<void> {
  return until("the client of the reference waits", async () => {
    const info = plain(await client.run("INFO", "clients"));
    return String(info).includes("blocked_clients:1");
  });
}
