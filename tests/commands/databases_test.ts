import { assert, assertEquals } from "@std/assert";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const SYNTAX = "-ERR syntax error";
const NO_DB = "-ERR DB index is out of range";
const NOT_AN_INTEGER = "-ERR value is not an integer or out of range";
const NOT_AN_INT =
  "-ERR value is out of range, value must between -2147483648 and 2147483647";

commandSuite("SELECT chooses among sixteen databases", async ({ client }) => {
  await expectReplies(client, [
    ["SET a zero", "OK"],
    ["SELECT 15", "OK"],
    ["GET a", null],
    ["SET a fifteen", "OK"],
    ["SELECT 16", NO_DB],
    ["SELECT -1", NO_DB],
    ["SELECT x", NOT_AN_INTEGER],
    ["SELECT 1.5", NOT_AN_INTEGER],
    ["SELECT 99999999999", NOT_AN_INT],
    ["GET a", "fifteen"],
    ["SELECT 0", "OK"],
    ["GET a", "zero"],
  ]);
});

commandSuite("DBSIZE counts the selected database", async ({ client }) => {
  await expectReplies(client, [
    ["DBSIZE", 0],
    ["MSET a 1 b 2 c 3", "OK"],
    ["DBSIZE", 3],
    ["SELECT 1", "OK"],
    ["DBSIZE", 0],
  ]);
});

commandSuite(
  "SWAPDB exchanges databases for everyone",
  async ({ client, server }) => {
    using other = await server.client();
    await expectReplies(client, [
      ["MSET a 1 b 2", "OK"],
      ["EXPIRE a 1000", 1],
      ["SWAPDB 0 3", "OK"],
      ["DBSIZE", 0],
    ]);
    await expectReplies(other, [["SELECT 3", "OK"], ["MGET a b", ["1", "2"]]]);
    assert(await ask(other, "TTL a") as number > 990);
    await expectReplies(client, [
      ["SWAPDB 3 3", "OK"],
      ["SWAPDB x 1", "-ERR invalid first DB index"],
      ["SWAPDB 1 x", "-ERR invalid second DB index"],
      ["SWAPDB 1 99999999999", "-ERR invalid second DB index"],
      ["SWAPDB 0 16", NO_DB],
      ["SWAPDB -1 0", NO_DB],
      ["SWAPDB 3 0", "OK"],
      ["GET b", "2"],
    ]);
  },
);

commandSuite("FLUSHDB empties one database", async ({ client }) => {
  await expectReplies(client, [
    ["MSET a 1 b 2", "OK"],
    ["SELECT 2", "OK"],
    ["MSET c 3 d 4", "OK"],
    ["FLUSHDB", "OK"],
    ["DBSIZE", 0],
    ["FLUSHDB BOGUS", SYNTAX],
    ["FLUSHDB ASYNC SYNC", SYNTAX],
    ["SELECT 0", "OK"],
    ["DBSIZE", 2],
    ["FLUSHDB sync", "OK"],
    ["DBSIZE", 0],
    ["FLUSHDB ASYNC", "OK"],
  ]);
});

commandSuite("FLUSHALL empties all databases", async ({ client }) => {
  for (const mode of ["", " ASYNC", " SYNC"]) {
    await expectReplies(client, [
      ["SELECT 0", "OK"],
      ["SET a 1", "OK"],
      ["SELECT 9", "OK"],
      ["SET a 1 EX 100", "OK"],
      [`FLUSHALL${mode}`, "OK"],
      ["DBSIZE", 0],
      ["KEYS *", []],
      ["SELECT 0", "OK"],
      ["DBSIZE", 0],
    ]);
  }
  await expectReplies(client, [
    ["FLUSHALL BOGUS", SYNTAX],
    ["FLUSHALL SYNC SYNC", SYNTAX],
  ]);
});

commandSuite("flushing again and again never fails", async ({ client }) => {
  for (let round = 0; round < 40; round++) {
    const commands = Array.from(
      { length: 300 },
      (_, i) => ["SET", `key:${i}`, "x".repeat(round)],
    );
    await client.pipeline([
      ["SELECT", round % 16],
      ...commands,
      ["FLUSHDB"],
      ["SET", "left", round],
    ]);
  }
  await client.run("FLUSHALL");
  for (let db = 0; db < 16; db++) {
    await client.run("SELECT", db);
    assertEquals(await ask(client, "DBSIZE"), 0);
  }
});
