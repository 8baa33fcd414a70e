/**
 * What is recorded brings back what was there: every command that may change
 * the data, run, recorded and replayed on an empty worker.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { FLAG } from "../../../../src/core/commands/command_spec.ts";
import { World } from "../../../_world.ts";
import type { Plain } from "../../../_resp_reply.ts";
import { linesOf, type RecordedEffect } from "../../core/keyspace/_effects.ts";

const NOW_MS = 1_700_000_000_000;

/** What there is before a command is tried. */
const BEFORE: readonly string[] = [
  "SET str value",
  "SET num 10 EX 1000",
  "SET bits \x0f\xf0",
  "SET soon 1 PX 50",
  "SET past 1 PX 1",
  "RPUSH list a b c d a",
  "RPUSH list2 x",
  "SADD set a b c d e f",
  "SADD ints 1 2 3 4 5",
  "HSET hash f v g 2 h 3.5",
  "HSET fields a 1 b 2 c 3 d 4",
  "HPEXPIRE fields 100000 FIELDS 1 a",
  "HPEXPIRE fields 1 FIELDS 1 d",
  "ZADD zset 1 a 2 b 3 c 4 d",
  "ZADD zset2 5 a 6 x",
  "GEOADD geo 13.361389 38.115556 palermo 15.087269 37.502669 catania",
  "PFADD hll a b c",
  "PFADD hll2 c d",
  "XADD stream 1-1 a 1 b 2",
  "XADD stream 2-1 a 1",
  "XADD stream 3-1 a 1",
  "XGROUP CREATE stream group 0",
  "XREADGROUP GROUP group alice COUNT 2 STREAMS stream >",
  "XDEL stream 1-1",
];

/**
 * Ways to change something, by command; a row of several lines is run as one
 * script. Lines that begin with `@` are as in effects_test.ts of the differential
 * tests.
 */
const CHANGES: Readonly<Record<string, readonly string[]>> = {
  "getdel": ["GETDEL str"],
  "getex": [
    "GETEX str EX 100 ; GETEX num PERSIST ; GETEX bits PXAT 1",
    "GETEX str PXAT 4102444800001",
  ],
  "getset": ["GETSET num 5"],
  "mset": ["MSET str 1 new 2 num 3"],
  "msetnx": ["MSETNX n1 1 n2 2"],
  "psetex": ["PSETEX str 100000 x"],
  "set": [
    "SET str 1 EX 100 ; SET num 1 KEEPTTL ; SET new 1 NX GET",
    "SET str 1 PX 20 ; @later ; INCR str",
    "SET str x PXAT 1 ; GET str",
  ],
  "setex": ["SETEX new 100 x"],
  "setnx": ["SETNX new x ; SETNX past y"],
  "decr": ["DECR num ; DECR past"],
  "decrby": ["DECRBY num 3"],
  "incr": ["INCR num ; INCR soon ; @later ; INCR soon"],
  "incrby": ["INCRBY num 3"],
  "incrbyfloat": ["INCRBYFLOAT num 0.1 ; INCRBYFLOAT new 3.0e3"],
  "append": ["APPEND str x ; APPEND new y"],
  "setrange": ["SETRANGE str 2 xx ; SETRANGE new 5 y"],
  "bitop": ["BITOP NOT new bits ; BITOP OR str bits str ; BITOP AND bits no"],
  "setbit": ["SETBIT bits 100 1 ; SETBIT new 1 0"],
  "bitfield": ["BITFIELD bits INCRBY u4 0 9 OVERFLOW SAT SET i5 #3 100"],
  "pfadd": ["PFADD hll x y z ; PFADD new"],
  "pfcount": ["PFCOUNT hll"],
  "pfdebug": ["PFDEBUG TODENSE hll", "PFDEBUG GETREG hll2"],
  "pfmerge": ["PFMERGE new hll hll2 ; PFMERGE hll2 hll"],
  "linsert": ["LINSERT list AFTER b x"],
  "lpush": ["LPUSH list x y ; LPUSH new x"],
  "lpushx": ["LPUSHX list x"],
  "lrem": ["LREM list 0 a ; LREM list2 0 x"],
  "lset": ["LSET list 1 x"],
  "ltrim": ["LTRIM list 1 2 ; LTRIM list2 5 9"],
  "rpush": ["RPUSH list x"],
  "rpushx": ["RPUSHX list x"],
  "lmove": ["LMOVE list list2 LEFT RIGHT ; LMOVE list list RIGHT LEFT"],
  "lmpop": ["LMPOP 2 no list LEFT COUNT 2 ; LMPOP 1 list2 RIGHT"],
  "lpop": ["LPOP list ; LPOP list 2 ; LPOP list2 9"],
  "rpop": ["RPOP list ; RPOP list 2"],
  "rpoplpush": ["RPOPLPUSH list list2 ; RPOPLPUSH list2 new"],
  "blmove": [
    "BLMOVE list list2 LEFT RIGHT 1",
    "@block BLMOVE new list RIGHT LEFT 0 ; RPUSH new 1 2",
  ],
  "blmpop": [
    "BLMPOP 1 1 list LEFT COUNT 3",
    "@block BLMPOP 0 1 new LEFT COUNT 3 ; RPUSH new 1 2",
  ],
  "blpop": ["BLPOP list 1", "@block BLPOP new 0 ; RPUSH new 1 2"],
  "brpop": ["BRPOP list 1", "@block BRPOP new 0 ; RPUSH new 1 2"],
  "brpoplpush": [
    "BRPOPLPUSH list list2 1",
    "@block BRPOPLPUSH new list 0 ; RPUSH new 1",
  ],
  "hdel": ["HDEL hash f nothing ; HDEL fields a b c d"],
  "hincrby": ["HINCRBY hash g 5 ; HINCRBY fields a 1 ; HINCRBY fields d 1"],
  "hincrbyfloat": [
    "HINCRBYFLOAT hash h 0.1",
    "HINCRBYFLOAT fields a 0.5 ; HINCRBYFLOAT fields b 0.5",
    "HINCRBYFLOAT fields d 0.5",
  ],
  "hmset": ["HMSET hash x 1 f 2"],
  "hset": ["HSET hash x 1 f 2 ; HSET fields a 9 d 9"],
  "hsetnx": ["HSETNX hash x 1 ; HSETNX fields d 1"],
  "hexpire": [
    "HEXPIRE hash 100 FIELDS 2 f no",
    "HEXPIRE hash 0 FIELDS 2 f no ; HEXPIRE hash -0 FIELDS 2 g h",
    "HEXPIRE fields 5000 GT FIELDS 2 a b ; HEXPIRE fields 0 LT FIELDS 1 a",
    "HEXPIRE fields 1000 FIELDS 2 d c",
  ],
  "hexpireat": [
    "HEXPIREAT hash 4102444800 FIELDS 1 f ; HEXPIREAT hash 1 FIELDS 1 g",
  ],
  "hpersist": ["HPERSIST fields FIELDS 3 a b d"],
  "hpexpire": [
    "HPEXPIRE hash 100000 FIELDS 1 f",
    "HPEXPIRE hash 20 FIELDS 1 f ; @later ; HSET hash f new ; HGET hash f",
    "HPEXPIRE hash 20 FIELDS 3 f g h ; @later ; HGETALL hash ; @cycle",
    "HPEXPIRE hash 20 FIELDS 3 f g h ; @later ; HMGET hash f g h ; HSET hash q 1",
  ],
  "hpexpireat": ["HPEXPIREAT hash 4102444800001 NX FIELDS 2 f g"],
  "hgetdel": ["HGETDEL hash FIELDS 2 f no ; HGETDEL fields FIELDS 1 d"],
  "hgetex": [
    "HGETEX hash EX 100 FIELDS 2 f no",
    "HGETEX hash PXAT 1 FIELDS 2 f g",
    "HGETEX fields PERSIST FIELDS 3 a b d",
  ],
  "hsetex": [
    "HSETEX hash EX 100 FIELDS 2 f 1 new 2",
    "HSETEX new FNX PX 100000 FIELDS 1 f 1 ; HSETEX hash FXX FIELDS 1 f 9",
    "HSETEX fields KEEPTTL FIELDS 2 a 9 b 9 ; HSETEX fields FIELDS 1 a 8",
    "HSETEX hash PXAT 1 FIELDS 2 f 1 new 2 ; HSETEX hash PXAT 1 FIELDS 1 no 1",
    "HSETEX fields EX 100 FIELDS 1 d 5",
  ],
  "sadd": ["SADD set x ; SADD new 1 2"],
  "smove": ["SMOVE set ints a"],
  "srem": ["SREM set a b no"],
  "spop": [
    "SPOP set ; SPOP ints",
    "SPOP set 2 ; SPOP ints 4",
    "SPOP set 5 ; SPOP ints 9",
    "@many ; SPOP many 2900 ; SPOP many 50 ; SPOP many 1",
  ],
  "sdiffstore": ["SDIFFSTORE new set ints ; SDIFFSTORE set no no2"],
  "sinterstore": ["SINTERSTORE new set set"],
  "sunionstore": ["SUNIONSTORE new set ints"],
  "zadd": ["ZADD zset CH 0.1 a 2 b", "ZADD zset INCR 0.1 a ; ZADD new 1 x"],
  "zincrby": ["ZINCRBY zset 0.1 a ; ZINCRBY zset 1 new"],
  "zmpop": ["ZMPOP 2 no zset MAX COUNT 2 ; ZMPOP 1 zset2 MIN"],
  "zpopmax": ["ZPOPMAX zset ; ZPOPMAX zset2 9"],
  "zpopmin": ["ZPOPMIN zset 2"],
  "zrem": ["ZREM zset a no"],
  "zrangestore": ["ZRANGESTORE new zset 0 1 REV ; ZRANGESTORE zset2 no 0 1"],
  "zremrangebylex": ["ZREMRANGEBYLEX zset - +"],
  "zremrangebyrank": ["ZREMRANGEBYRANK zset 0 1"],
  "zremrangebyscore": ["ZREMRANGEBYSCORE zset 2 (4"],
  "zdiffstore": ["ZDIFFSTORE new 2 zset zset2"],
  "zinterstore": ["ZINTERSTORE new 2 zset zset2 WEIGHTS 0.1 0.3"],
  "zunionstore": [
    "@many ; ZUNIONSTORE new 3 many zset set WEIGHTS 0.1 0.2 0.3",
    "@many ; ZUNIONSTORE new 1 many ; ZRANGESTORE n2 new 5 500 ; ZPOPMIN new 7",
    "ZUNIONSTORE new 3 zset zset2 set AGGREGATE SUM",
  ],
  "bzmpop": [
    "BZMPOP 1 1 zset MIN COUNT 2",
    "@block BZMPOP 0 1 new MAX ; ZADD new 1 a 2 b",
  ],
  "bzpopmax": ["BZPOPMAX zset 1", "@block BZPOPMAX new 0 ; ZADD new 1 a 2 b"],
  "bzpopmin": ["BZPOPMIN zset 1", "@block BZPOPMIN new 0 ; ZADD new 1 a 2 b"],
  "geoadd": [
    "GEOADD geo NX CH 1 2 new 1 2 palermo ; GEOADD geo XX 3 4 catania",
  ],
  "georadius": ["GEORADIUS geo 15 37 200 km STORE new"],
  "georadiusbymember": ["GEORADIUSBYMEMBER geo palermo 200 km STOREDIST new"],
  "geosearchstore": [
    "GEOSEARCHSTORE new geo FROMLONLAT 15 37 BYRADIUS 2000 km COUNT 1 ANY",
    "GEOSEARCHSTORE new geo FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1",
    "GEOSEARCHSTORE new geo FROMMEMBER palermo BYBOX 400 400 km STOREDIST",
  ],
  "xadd": [
    "XADD stream * a 1 ; XADD stream 9-* b 2",
    "XADD stream MAXLEN ~ 1 LIMIT 100 * a 1 ; XADD new MINID ~ 9999999999999 * a 1",
    "XADD stream NOMKSTREAM MAXLEN 2 * a 1 ; XADD stream MINID = 3 * a 1",
  ],
  "xdel": ["XDEL stream 2-1 9-9"],
  "xsetid": ["XSETID stream 9-9 ENTRIESADDED 20 MAXDELETEDID 5-5"],
  "xtrim": [
    "XTRIM stream MAXLEN ~ 0",
    "XTRIM stream MINID ~ 9 LIMIT 0",
    "XTRIM stream MAXLEN 1",
  ],
  "xreadgroup": [
    "XREADGROUP GROUP group bob STREAMS stream >",
    "XREADGROUP GROUP group bob NOACK STREAMS stream >",
    "XREADGROUP GROUP group alice STREAMS stream 0",
    "XREADGROUP GROUP group carol STREAMS stream 0",
    "XGROUP SETID stream group 0 ; XREADGROUP GROUP group bob STREAMS stream >",
    "XREADGROUP GROUP group bob STREAMS stream > ; " +
    "@block XREADGROUP GROUP group bob BLOCK 0 STREAMS stream > ; " +
    "XADD stream * a 1",
  ],
  "xack": ["XACK stream group 2-1"],
  "xgroup|create": [
    "XGROUP CREATE stream g2 $ ; XGROUP CREATE new g3 0 MKSTREAM",
    "XGROUP CREATE stream g2 2-1 ENTRIESREAD 2",
  ],
  "xgroup|createconsumer": ["XGROUP CREATECONSUMER stream group dave"],
  "xgroup|delconsumer": ["XGROUP DELCONSUMER stream group alice"],
  "xgroup|destroy": ["XGROUP DESTROY stream group"],
  "xgroup|setid": ["XGROUP SETID stream group 2-1 ENTRIESREAD 2"],
  "xautoclaim": [
    "XAUTOCLAIM stream group bob 0 0",
    "XAUTOCLAIM stream group bob 999999 0 JUSTID",
    "XAUTOCLAIM stream group bob 0 0 COUNT 1 JUSTID",
  ],
  "xclaim": [
    "XCLAIM stream group bob 0 1-1 2-1",
    "XCLAIM stream group bob 0 2-1 IDLE 5000 RETRYCOUNT 7",
    "XCLAIM stream group bob 0 3-1 FORCE JUSTID LASTID 3-1",
    "XCLAIM stream group bob 999999 2-1 ; XCLAIM stream group bob 0 9-9 LASTID 9-9",
  ],
  "copy": [
    "COPY num new ; COPY zset list REPLACE ; COPY fields str DB 3 ; COPY past q",
  ],
  "del": ["DEL str num nothing"],
  "move": ["MOVE num 2 ; MOVE fields 3 ; SELECT 3 ; HSET fields q 1"],
  "rename": ["RENAME num new ; RENAME zset str ; RENAME fields hash"],
  "renamenx": ["RENAMENX num new ; RENAMENX str past"],
  "unlink": ["UNLINK str list"],
  "expire": [
    "EXPIRE str 100 ; EXPIRE list 0 ; EXPIRE num 5 LT",
    "EXPIRE str 1 ; @later ; @cycle ; RPUSH str 1",
  ],
  "expireat": ["EXPIREAT str 4102444800 NX ; EXPIREAT list 1"],
  "persist": ["PERSIST num"],
  "pexpire": ["PEXPIRE str 100000 ; PEXPIRE list -1"],
  "pexpireat": ["PEXPIREAT str 4102444800001 ; PEXPIREAT set 1"],
  "sort": [
    "SORT ints DESC STORE new ; SORT list ALPHA LIMIT 0 2 STORE list2",
    "SORT set BY nosort STORE new ; SORT no STORE str",
    "@many ; SET w1 x ; SORT many BY nosort STORE new",
    "@many ; SORT many BY w* ALPHA STORE new ; SORT many BY w* STORE list",
    "@many ; SORT many BY nosort LIMIT 5 10 DESC GET # GET w* STORE new",
  ],
  "restore": [
    "@restore 0",
    "@restore 100000",
    "@restore 100000 REPLACE",
    "@restore 4102444800000 ABSTTL REPLACE",
    "@restore 1 ABSTTL REPLACE",
  ],
  "restore-asking": ["@restore-asking 100000 REPLACE"],
  "flushall": ["FLUSHALL ; SET a 1", "SELECT 1 ; SET a 1 ; FLUSHALL ASYNC"],
  "flushdb": ["SELECT 1 ; SET a 1 ; SELECT 0 ; FLUSHDB"],
  "swapdb": ["SWAPDB 0 1 ; SET a 1 ; SWAPDB 1 2"],
};

/** What is changed by more than one command. */
const MORE: readonly string[] = [
  "MULTI ; INCR num ; SPOP set ; SELECT 2 ; SET a 1 EX 5 ; FLUSHALL ; " +
  "SWAPDB 0 2 ; XADD s * a 1 ; GET past ; EXEC ; SET after 1",
  "MULTI ; BLPOP list 0 ; XREADGROUP GROUP group z BLOCK 0 STREAMS stream > ; EXEC",
  "@later ; @cycle ; GET soon ; HGETALL fields",
  "@block BLPOP q 0 ; MULTI ; RPUSH q 1 2 ; LPOP q ; EXEC",
  "@blockgone BLPOP q 0 ; RPUSH q 1 2",
  "@evict ; SET more 1",
];

Deno.test("every command that may change something has a way here", () => {
  const missing = new World({ arenaBytes: 64 << 20 }).table.all
    .filter(({ flags, fullName, subcommands }) =>
      subcommands.length === 0 &&
      ((flags & FLAG.WRITE) !== 0 || fullName === "pfcount") &&
      CHANGES[fullName] === undefined
    )
    .map(({ fullName }) => fullName);
  assertEquals(missing, []);
});

for (const [name, scripts] of Object.entries({ ...CHANGES, more: MORE })) {
  Deno.test(`replayed, ${name} does what it has done`, async () => {
    for (const script of scripts) await replayScript(name, script);
  });
}

Deno.test("a command that memory has ended is replayed as far as it came", () => {
  const world = new World({ arenaBytes: 16 << 20 });
  const session = world.session();
  const value = "v".repeat(2 << 20);
  world.run(session, ["SET", "a", "old", "EX", "100"]);
  world.run(session, ["HSET", "c", "field", "value"]);
  const argv = ["MSET", "b", "1"];
  for (const key of "acdefghij") argv.push(key, value);
  const reply = world.run(session, argv);
  assert(reply instanceof Error && reply.message.startsWith("OOM"), `${reply}`);
  const recorded: RecordedEffect[] = [];
  do {
    recorded.push(...world.drain.take());
    world.effects.flush();
  } while (world.effects.isCongested);
  recorded.push(...world.drain.take());
  const after = world.describe();
  assert(after.length > 2 && after.length < 10, "a part was done");
  const copy = new World({ arenaBytes: 32 << 20 });
  copy.replay(recorded);
  assertEquals(copy.describe(), after);
});

async function replayScript(name: string, script: string): Promise<void> {
  const world = new World({ arenaBytes: 64 << 20, seed: script.length });
  const session = world.session();
  world.nowMs = NOW_MS;
  const recorded: RecordedEffect[] = [];
  for (const line of BEFORE) check(world.run(session, line.split(" ")), line);
  recorded.push(...world.drain.take());
  world.nowMs += 10;
  const before = world.describe();
  for (const line of script.split(" ; ")) {
    await step(world, session, line.split(" "));
  }
  const effects = world.drain.take();
  recorded.push(...effects);
  const after = world.describe();
  assert(
    effects.length > 0 || after.join() === before.join(),
    `${script}: something has changed, and nothing was recorded`,
  );
  if (name !== "more") {
    assert(effects.length > 0, `${script}: nothing was recorded`);
  }
  recorded.forEach(({ ticket }, i) => assertEquals(ticket, i));

  // Another process has its tables in another order.
  const copy = new World({
    arenaBytes: 64 << 20,
    seed: script.length + 1,
    hashSeed: [3, 4],
  });
  copy.nowMs = NOW_MS + 1e9;
  copy.replay(recorded);
  assertEquals(
    copy.describe(),
    after,
    `${script}:\n${linesOf(effects).join("\n")}`,
  );
}

async function step(
  world: World,
  session: ReturnType<World["session"]>,
  argv: readonly string[],
): Promise<void> {
  switch (argv[0]) {
    case "@later":
      world.nowMs += 2000;
      return;
    case "@cycle":
      return world.runExpireCycle();
    case "@many":
      return void world.run(session, [
        ...["SADD", "many"],
        ...Array.from({ length: 3000 }, (_, i) => `member ${i}`),
      ]);
    case "@evict": {
      world.settings.set([["maxmemory", "100"], [
        "maxmemory-policy",
        "allkeys-random",
      ]]);
      const keys = world.describe().length;
      world.evictor.makeRoom();
      assert(world.describe().length < keys, "keys are evicted");
      world.effects.publish();
      world.settings.set([["maxmemory", "0"]]);
      return;
    }
    case "@restore":
    case "@restore-asking": {
      const payload = String(world.run(session, ["DUMP", "hash"]));
      const [ttl, ...options] = argv.slice(1);
      const name = argv[0].slice(1);
      const key = options.includes("REPLACE") ? "str" : "new";
      world.run(session, [name, key, ttl!, payload, ...options]);
      return;
    }
    case "@block":
    case "@blockgone": {
      const second = world.session();
      const reply = world.run(second, argv.slice(1));
      assert(reply instanceof Promise, `${argv}: waits`);
      if (argv[0] === "@blockgone") world.drop(second);
      return;
    }
  }
  const reply = world.run(session, argv);
  assert(!(reply instanceof Promise), `${argv.join(" ")}: does not wait`);
  // What was served, or given back, comes in microtasks.
  await Promise.resolve();
  await new Promise((done) => setTimeout(done, 0));
}

function check(reply: Plain | Promise<Plain>, line: string): void {
  assert(!(reply instanceof Error), `${line}: ${reply}`);
}
