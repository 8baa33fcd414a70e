/**
 * The same option, again and again: as often as anybody may want it is read as
 * redis-server reads it; beyond that it is an error, since options are read with a
 * latch held.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { sharedServers, startServer, type TestServer } from "../_harness.ts";
import { plain, ReplyError, type TestClient } from "../_resp_client.ts";

/** Options that are read, and options that are not. */
const SOME = 400;
const TOO_MANY = 2000;

let server: TestServer;
sharedServers(async (stack) => {
  server = stack.use(await startServer({ workers: 2 }));
});

const SYNTAX = "ERR syntax error";
const NUMBER = "ERR value is not a valid float";
const wrong = (name: string) =>
  `ERR wrong number of arguments for '${name}' command`;

/** A command: before the options, one option, behind them; its error if too many. */
interface Case {
  readonly head: string;
  readonly option: string;
  readonly tail?: string;
  readonly error: string;
}

const CASES: readonly Case[] = [
  { head: "SET k v", option: "KEEPTTL", error: wrong("set") },
  { head: "GETEX k", option: "PERSIST", error: wrong("getex") },
  { head: "EXPIRE k 100", option: "NX", error: wrong("expire") },
  { head: "COPY k k2", option: "REPLACE", error: wrong("copy") },
  { head: "LPOS l x", option: "RANK 1", error: wrong("lpos") },
  { head: "LCS k k", option: "LEN", error: wrong("lcs") },
  { head: "SCAN 0", option: "COUNT 10", error: wrong("scan") },
  { head: "SSCAN s 0", option: "COUNT 10", error: wrong("sscan") },
  { head: "ZRANGE z 0 -1", option: "WITHSCORES", error: wrong("zrange") },
  { head: "XRANGE x - +", option: "COUNT 1", error: wrong("xrange") },
  // What comes after so many is a number, or none.
  { head: "ZADD z", option: "CH", tail: "1 a", error: NUMBER },
  { head: "GEOADD g", option: "CH", tail: "1 2 a", error: NUMBER },
  { head: "XADD x", option: "NOMKSTREAM", tail: "* f v", error: SYNTAX },
  { head: "XREAD", option: "COUNT 1", tail: "STREAMS x 0", error: SYNTAX },
  { head: "ZUNION 1 z", option: "AGGREGATE SUM", error: SYNTAX },
  { head: "SINTERCARD 1 s", option: "LIMIT 1", error: SYNTAX },
  {
    head: "HSETEX h",
    option: "KEEPTTL",
    tail: "FIELDS 1 f v",
    error: wrong("hsetex"),
  },
];

function wordsOf({ head, option, tail = "" }: Case, times: number): string[] {
  const options = new Array<string>(times).fill(option).join(" ");
  return `${head} ${options} ${tail}`.trim().split(" ");
}

const run = async (client: TestClient, words: readonly string[]) =>
  plain(await client.run(...words as [string]));

for (const one of CASES) {
  const name = `${one.head} ${one.option} ${one.tail ?? ""}`.trim();
  Deno.test(`many options: ${name}`, async () => {
    using client = await server.client();
    await client.run("FLUSHALL");
    await client.run("SET", "k", "v");
    await client.run("XADD", "x", "1-1", "f", "v");
    const some = await run(client, wordsOf(one, SOME));
    assertEquals(some instanceof ReplyError, false);
    assertEquals(
      await run(client, wordsOf(one, TOO_MANY)),
      new ReplyError(one.error),
    );
  });
}

Deno.test("a transaction is told of too many options at once", async () => {
  using client = await server.client();
  await client.run("MULTI");
  assertEquals(
    await run(client, wordsOf(CASES[0]!, TOO_MANY)),
    new ReplyError(wrong("set")),
  );
  assertEquals(
    await run(client, ["EXEC"]),
    new ReplyError(
      "EXECABORT Transaction discarded because of previous errors.",
    ),
  );
});
