/**
 * Compares what COMMAND says about the rows of the table with what redis-server
 * says about the same commands.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import {
  replyCommandInfo,
  replyCommandKeys,
} from "../../../../src/core/commands/command_commands.ts";
import { Random } from "../../../_random.ts";
import { hasRedisServer, startRedisServer } from "../../../_redis_server.ts";
import { toBinary } from "../../../_resp_reply.ts";
import { makeCommandTable } from "../../../../src/front/server/command_groups.ts";
import { replyOf, request } from "../../core/commands/_request.ts";

const TABLE = makeCommandTable();

const ignore = !hasRedisServer("COMMAND compared with redis-server's");

/** Commands that are different since 7.0, the oldest version to compare with. */
const CHANGED = new Set([
  "acl|deluser",
  "acl|save",
  "acl|setuser",
  "blmove",
  "blpop",
  "brpop",
  "brpoplpush",
  "bzpopmax",
  "bzpopmin",
  "client|setname",
  "cluster|info",
  "cluster|myid",
  "cluster|nodes",
  "cluster|shards",
  "cluster|slots",
  "command|getkeys",
  "command|getkeysandflags",
  "config|resetstat",
  "config|rewrite",
  "latency|reset",
  "msetnx",
  "multi",
  "randomkey",
  "scan",
  "sinterstore",
  "wait",
  "watch",
  "zrank",
  "zrevrank",
]);

/** Commands whose whole reply can be compared, in either of two servers. */
const COMPARED = TABLE.all.filter((command) =>
  command.subcommands.length === 0 && !CHANGED.has(command.fullName)
);

/** Notes are prose: each server has its own. */
function withoutNotes(reply: string): string {
  return reply.replace(
    /[%*]\d\r\n\$5\r\nnotes\r\n\$\d+\r\n.*\r\n/g,
    (map) => map.startsWith("%") ? "%3\r\n" : "*6\r\n",
  );
}

for (const resp of [2, 3] as const) {
  Deno.test({
    name: `COMMAND INFO has the bytes of redis-server in RESP${resp}`,
    ignore,
    async fn() {
      await using server = await startRedisServer();
      using client = await server.client({ resp });
      for (const { fullName } of COMPARED) {
        const line = ["command", "info", fullName];
        const theirs = toBinary(await client.runRaw(...line));
        if (/^\*1\r\n(?:\$-1|_)\r\n$/.test(theirs)) continue; // newer than it
        const ours = replyOf(resp, (writer) => {
          replyCommandInfo(TABLE, request(...line), writer);
        });
        assertEquals(withoutNotes(ours), withoutNotes(theirs), fullName);
      }
    },
  });
}

// Words that key specs and key finders look out for, and others.
const WORDS = (
  "a b 0 1 2 3 9 -1 GET SET INCRBY OVERFLOW sat u8 STORE store STOREDIST by " +
  "LIMIT COUNT KEYS keys COPY AUTH AUTH2 STREAMS streams"
).split(" ").concat("");
const LINES_PER_COMMAND = 40;

Deno.test({
  name: "COMMAND GETKEYSANDFLAGS has the bytes of redis-server",
  ignore,
  async fn() {
    await using server = await startRedisServer();
    using client = await server.client();
    const seed = 20;
    const random = new Random(seed);
    for (const { fullName, arity } of COMPARED) {
      const known = await client.run("command", "info", fullName);
      if (known.type !== "array" || known.value[0]!.type === "null") continue;
      for (let i = 0; i < LINES_PER_COMMAND; i++) {
        const line = fullName.split("|");
        const length = Math.max(2, Math.abs(arity) + random.between(-1, 7));
        while (line.length < length) line.push(random.pick(WORDS));
        const argv = ["command", "getkeysandflags", ...line];
        const ours = replyOf(2, (writer) => {
          replyCommandKeys(TABLE, request(...argv), writer, true);
        });
        const theirs = toBinary(await client.runRaw(...argv));
        assertEquals(ours, theirs, `SEED=${seed} ${argv.join(" ")}`);
      }
    }
  },
});
