/**
 * What WATCH sees: for every command that writes, and every type, that the
 * transaction of another client is called off if the key changes, and goes
 * through if the command has left the key as it was.
 *
 * A row is what makes the key, if anything does, and the command.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { splitWords, type TestServer } from "../_harness.ts";
import { hasRedisServer, startRedisServer } from "../_redis_server.ts";
import type { TestClient } from "../_resp_client.ts";
import { commandSuite } from "./_suite.ts";

const CHANGES = `
  SET k v
  SET k v -> SET k v
  SET k v -> SET k w GET
  SET k v -> GETSET k w
  SETNX k w
  SETEX k 100 v
  PSETEX k 100000 v
  SET k v -> GETDEL k
  SET k v -> GETEX k EX 100
  SETEX k 100 v -> GETEX k PERSIST
  MSET other 1 k 2
  MSETNX other 1 k 2
  APPEND k v
  SET k v -> APPEND k ""
  SET k v -> SETRANGE k 1 x
  INCR k
  SET k 1 -> DECRBY k 0
  SET k 1 -> INCRBYFLOAT k 0
  SETBIT k 3 0
  SETBIT k 3 1 -> SETBIT k 3 0
  SETBIT k 3 1 -> BITFIELD k INCRBY u8 0 1
  SET other x -> BITOP NOT k other
  SET k v -> BITOP AND k none
  PFADD k
  PFADD k a
  PFADD k a -> PFCOUNT k
  PFADD other a -> PFMERGE k other
  SET k v -> DEL k
  SET k v -> UNLINK k
  SET k v -> EXPIRE k 100
  SET k v -> EXPIRE k -1
  SETEX k 100 v -> PERSIST k
  SET k v -> RENAME k other
  SET other v -> RENAME other k
  SET k v -> RENAMENX k other
  SET other v -> COPY other k
  SET k v; SET other v -> COPY other k REPLACE
  SET k v -> MOVE k 1
  RPUSH other 2 1 -> SORT other STORE k
  SET k v -> SORT none STORE k
  LPUSH k a
  RPUSH k a
  RPUSH k a -> RPUSHX k b
  RPUSH k a -> LPOP k
  RPUSH k a b -> RPOP k
  RPUSH k a -> LMPOP 2 none k LEFT
  RPUSH k a -> LMPOP 2 k other LEFT
  RPUSH k a b -> LMOVE k other LEFT RIGHT
  RPUSH other a -> LMOVE other k LEFT RIGHT
  RPUSH k a b -> LMOVE k k LEFT RIGHT
  RPUSH k a -> LMOVE k k LEFT LEFT
  RPUSH k a -> RPOPLPUSH k other
  RPUSH k a -> LSET k 0 a
  RPUSH k a -> LINSERT k BEFORE a b
  RPUSH k a b -> LREM k 0 a
  RPUSH k a -> LTRIM k 0 -1
  RPUSH k a -> LTRIM k 5 9
  SADD k a
  SADD k a -> SADD k b a
  SADD k a -> SREM k a
  SADD k a b -> SPOP k
  SADD k a b -> SPOP k 2
  SADD k a -> SMOVE k other a
  SADD other a -> SMOVE other k a
  SADD other a -> SINTERSTORE k other
  SADD k a -> SINTERSTORE k none
  SADD k a -> SUNIONSTORE k k
  SADD k a -> SDIFFSTORE k k none
  ZADD k 1 a
  ZADD k 1 a -> ZADD k 2 a
  ZADD k 1 a -> ZADD k INCR 1 a
  ZINCRBY k 0 a
  ZADD k 1 a -> ZREM k a
  ZADD k 1 a -> ZPOPMIN k
  ZADD k 1 a -> ZMPOP 2 none k MIN
  ZADD k 1 a -> ZREMRANGEBYRANK k 0 0
  ZADD k 1 a -> ZREMRANGEBYSCORE k 0 1
  ZADD k 1 a -> ZREMRANGEBYLEX k - +
  ZADD other 1 a -> ZRANGESTORE k other 0 -1
  ZADD k 1 a -> ZRANGESTORE k none 0 -1
  ZADD other 1 a -> ZUNIONSTORE k 1 other
  ZADD k 1 a -> ZINTERSTORE k 1 none
  ZADD k 1 a -> ZDIFFSTORE k 1 k
  GEOADD k 1 1 a
  GEOADD other 1 1 a -> GEOSEARCHSTORE k other FROMLONLAT 1 1 BYRADIUS 1 km
  GEOADD k 1 1 a -> GEOSEARCHSTORE k none FROMLONLAT 1 1 BYRADIUS 1 km
  GEOADD other 1 1 a -> GEORADIUS other 1 1 1 km STORE k
  HSET k f v
  HSET k f v -> HSET k f v
  HSET k f v -> HMSET k f v
  HSET k f v -> HSETNX k g w
  HSET k f v -> HDEL k f
  HSET k f 1 -> HINCRBY k f 0
  HSET k f 1 -> HINCRBYFLOAT k g 0
  XADD k 1-1 f v
  XADD k 1-1 f v -> XADD k MAXLEN 1 2-1 f v
  XADD k 1-1 f v -> XDEL k 1-1
  XADD k 1-1 f v -> XTRIM k MAXLEN 0
  XGROUP CREATE k g 0 MKSTREAM
  SET k v -> FLUSHDB
  SET k v -> FLUSHALL
  SET k v -> SWAPDB 0 1
`;

const LEAVES = `
  SET k v -> SET k w NX
  SET k w XX
  SET k v -> SETNX k w
  GETDEL k
  SET k v -> GETEX k
  SET k v -> GETEX k PERSIST
  SET k v -> GET k
  SET k v -> MSETNX other 1 k 2
  SETRANGE k 0 ""
  SET k x -> INCR k
  SETBIT k 3 1 -> SETBIT k 3 1
  SETBIT k 3 1 -> BITFIELD k SET u1 3 1
  SETBIT k 3 1 -> BITFIELD k GET u1 3
  BITFIELD k OVERFLOW FAIL INCRBY u1 0 2
  BITOP AND k none
  PFADD k a -> PFADD k a
  PFADD k a; PFCOUNT k -> PFCOUNT k
  DEL k
  SET k v -> EXISTS k
  SET k v -> TOUCH k
  SET k v -> TYPE k
  SET k v -> EXPIRE k 100 XX
  EXPIRE k 100
  SET k v -> PERSIST k
  SET k v -> RENAME k k
  SET k v; SET other v -> RENAMENX other k
  SET k v; SET other v -> COPY other k
  SET k v -> COPY k other
  MOVE k 1
  SORT none STORE k
  RPUSH k 2 1 -> SORT k STORE other
  LPUSHX k a
  RPUSH k a b -> RPOP k 0
  RPOP k
  LMPOP 1 k LEFT
  LMOVE k other LEFT LEFT
  RPUSH k a -> LSET k 5 a
  RPUSH k a -> LINSERT k BEFORE x b
  RPUSH k a -> LREM k 0 x
  LTRIM k 0 1
  RPUSH k a -> LRANGE k 0 -1
  SADD k a -> SADD k a
  SADD k a -> SREM k b
  SADD k a b -> SPOP k 0
  SPOP k
  SADD k a -> SRANDMEMBER k
  SADD k a -> SMOVE k other b
  SADD k a -> SMOVE k k a
  SADD other a; SADD k a -> SMOVE other k a
  SINTERSTORE k none
  SADD k a -> SDIFFSTORE other k
  ZADD k 1 a -> ZADD k 1 a
  ZADD k 1 a -> ZADD k NX 2 a
  ZADD k 1 a -> ZADD k XX 2 b
  ZADD k 1 a -> ZADD k LT 2 a
  ZADD k 1 a -> ZADD k INCR 0 a
  ZADD k 1 a -> ZINCRBY k 0 a
  ZADD k 1 a -> ZREM k b
  ZADD k 1 a -> ZPOPMAX k 0
  ZPOPMIN k
  ZMPOP 1 k MIN
  ZADD k 1 a -> ZREMRANGEBYRANK k 5 9
  ZADD k 1 a -> ZREMRANGEBYSCORE k 2 3
  ZADD k 1 a -> ZREMRANGEBYLEX k [b [c
  ZRANGESTORE k none 0 -1
  ZADD k 1 a -> ZRANGESTORE other k 0 -1
  ZINTERSTORE k 1 none
  GEOADD k 1 1 a -> GEOADD k 1 1 a
  GEOADD k 1 1 a -> GEOADD k XX 1 1 b
  GEOSEARCHSTORE k none FROMLONLAT 1 1 BYRADIUS 1 km
  HSET k f v -> HSETNX k f w
  HSET k f v -> HDEL k g
  HSET k f x -> HINCRBY k f 1
  HSET k f v -> HGETALL k
  XADD k NOMKSTREAM 1-1 f v
  XADD k 1-1 f v -> XADD k 1-1 f v
  XADD k 1-1 f v -> XDEL k 2-1
  XADD k 1-1 f v -> XTRIM k MAXLEN 5
  XGROUP CREATE k g 0 MKSTREAM -> XGROUP CREATE k g 0
  XGROUP CREATE k g 0 MKSTREAM -> XGROUP DESTROY k h
  XGROUP CREATE k g 0 MKSTREAM; XGROUP CREATECONSUMER k g c -> XGROUP CREATECONSUMER k g c
  XGROUP CREATE k g 0 MKSTREAM -> XGROUP DELCONSUMER k g c
  XGROUP CREATE k g 0 MKSTREAM; XADD k 1-1 f v; XREADGROUP GROUP g c STREAMS k > -> XREADGROUP GROUP g c STREAMS k 0
  XADD k 1-1 f v -> XREAD STREAMS k 0
  FLUSHDB
  SWAPDB 0 1
`;

/** Redis does not tell those who watch of these. */
const GROUP_CHANGES = `
  XADD k 1-1 f v -> XSETID k 2-1
  XADD k 1-1 f v -> XGROUP CREATE k g 0
  XGROUP CREATE k g 0 MKSTREAM -> XGROUP SETID k g 1
  XGROUP CREATE k g 0 MKSTREAM -> XGROUP DESTROY k g
  XGROUP CREATE k g 0 MKSTREAM -> XGROUP CREATECONSUMER k g c
  XGROUP CREATE k g 0 MKSTREAM; XGROUP CREATECONSUMER k g c -> XGROUP DELCONSUMER k g c
  XGROUP CREATE k g 0 MKSTREAM; XADD k 1-1 f v -> XREADGROUP GROUP g c STREAMS k >
  XGROUP CREATE k g 0 MKSTREAM; XADD k 1-1 f v; XREADGROUP GROUP g c STREAMS k > -> XACK k g 1-1
  XGROUP CREATE k g 0 MKSTREAM; XADD k 1-1 f v; XREADGROUP GROUP g c STREAMS k > -> XCLAIM k g d 0 1-1
  XGROUP CREATE k g 0 MKSTREAM; XADD k 1-1 f v; XREADGROUP GROUP g c STREAMS k > -> XAUTOCLAIM k g d 0 0
`;

/** Commands that the reference does not know. */
const FIELD_EXPIRES = {
  changes: `
    HSET k f v -> HEXPIRE k 100 FIELDS 1 f
  HSET k f v -> HPEXPIREAT k 1 FIELDS 1 f
  HSET k f v g w -> HEXPIRE k 0 FIELDS 1 f
  HSETEX k EX 100 FIELDS 1 f v -> HPERSIST k FIELDS 1 f
  HSET k f v -> HGETDEL k FIELDS 1 f
  HSET k f v -> HGETEX k EX 100 FIELDS 1 f
  HSETEX k EX 100 FIELDS 1 f v -> HGETEX k PERSIST FIELDS 1 f
  HSETEX k FIELDS 1 f v
  HSET k f v -> HSETEX k EXAT 1 FIELDS 1 f v
`,
  leaves: `
  HSET k f v -> HEXPIRE k 100 XX FIELDS 1 f
  HSET k f v -> HEXPIRE k 100 FIELDS 1 g
  HSET k f v -> HPERSIST k FIELDS 1 f
  HSET k f v -> HGETDEL k FIELDS 1 g
  HSET k f v -> HGETEX k FIELDS 1 f
  HSET k f v -> HGETEX k PERSIST FIELDS 1 f
  HSET k f v -> HSETEX k FNX FIELDS 1 f w
  HSETEX k FXX FIELDS 1 f w
  HSET k f v -> HTTL k FIELDS 1 f
`,
};

/** The rows after which the transaction did not do what it should. */
async function wrongRows(
  { client, server }: {
    client: TestClient;
    server: Pick<TestServer, "client">;
  },
  rows: string,
  changes: boolean,
): Promise<string[]> {
  using other = await server.client({ resp: 2 });
  const wrong: string[] = [];
  for (const row of rows.trim().split("\n")) {
    const [command, setup] = row.split(" -> ").reverse();
    const made = setup === undefined ? [] : setup.split("; ");
    await client.pipeline([
      ["FLUSHALL"],
      ...made.map((line) => splitWords(line.trim())),
      ["WATCH", "k"],
      ["MULTI"],
    ]);
    await other.run(...splitWords(command!.trim()));
    const { type } = await client.run("EXEC");
    if ((type === "null") !== changes) wrong.push(row.trim());
  }
  return wrong;
}

commandSuite("WATCH sees every change", async (context) => {
  assertEquals(await wrongRows(context, CHANGES, true), []);
  assertEquals(await wrongRows(context, GROUP_CHANGES, true), []);
  assertEquals(await wrongRows(context, FIELD_EXPIRES.changes, true), []);
});

commandSuite("WATCH does not see what changes nothing", async (context) => {
  assertEquals(await wrongRows(context, LEAVES, false), []);
  assertEquals(await wrongRows(context, FIELD_EXPIRES.leaves, false), []);
});

Deno.test({
  name: "WATCH on redis-server sees the same",
  ignore: !hasRedisServer("what WATCH sees"),
  fn: async () => {
    await using server = await startRedisServer();
    using client = await server.client({ resp: 2 });
    assertEquals(await wrongRows({ client, server }, CHANGES, true), []);
    assertEquals(await wrongRows({ client, server }, LEAVES, false), []);
    assertEquals(await wrongRows({ client, server }, GROUP_CHANGES, false), []);
  },
});
