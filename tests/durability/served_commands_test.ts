/**
 * Invariant 18 of blocking: what a served command did reaches the log as its
 * effect, so that it does not come back after a restart.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { TestClient } from "../_resp_client.ts";
import { plain } from "../_resp_reply.ts";
import { Victim, withDirectory } from "./_victim.ts";

/** Commands that wait, and what serves them. */
const CASES: readonly { wait: string; serve: string }[] = [
  { wait: "BLPOP {a}list {b}list 0", serve: "RPUSH {b}list 1 2 3" },
  { wait: "BRPOP {c}list 0", serve: "RPUSH {c}list 1 2 3" },
  { wait: "BLMOVE {d}list {e}list LEFT RIGHT 0", serve: "RPUSH {d}list 1 2" },
  { wait: "BLMPOP 0 1 {f}list LEFT COUNT 2", serve: "RPUSH {f}list 1 2 3" },
  { wait: "BZPOPMIN {g}zset 0", serve: "ZADD {g}zset 1 a 2 b" },
  { wait: "BZMPOP 0 1 {h}zset MAX COUNT 2", serve: "ZADD {h}zset 1 a 2 b 3 c" },
  {
    wait: "XREADGROUP GROUP g c BLOCK 0 STREAMS {i}stream >",
    serve: "XADD {i}stream 1-1 f v",
  },
];

async function ask(client: TestClient, line: string): Promise<unknown> {
  return plain(await client.run(...line.split(" ")));
}

/** Everything that the commands have touched. */
async function describe(client: TestClient): Promise<unknown[]> {
  return [
    await ask(client, "DEBUG DIGEST"),
    await ask(client, "LRANGE {b}list 0 -1"),
    await ask(client, "LRANGE {e}list 0 -1"),
    await ask(client, "ZRANGE {h}zset 0 -1"),
    await ask(client, "XPENDING {i}stream g"),
  ];
}

for (const workers of [1, 3]) {
  Deno.test(`18: what was served stays served after a kill (workers ${workers})`, () =>
    withDirectory(async (directory) => {
      const options = { directory, workers, args: ["--appendfsync", "always"] };
      const first = await Victim.start(options);
      let before: unknown[] = [];
      try {
        using client = await first.client();
        await ask(client, "XGROUP CREATE {i}stream g $ MKSTREAM");
        for (const { wait, serve } of CASES) {
          using waiting = await first.client();
          await waiting.sendCommands([wait.split(" ")]);
          while (
            !String(await ask(client, "INFO clients"))
              .includes("blocked_clients:1\r")
          );
          await ask(client, serve);
          assert(plain(await waiting.readReply()) !== null, wait);
        }
        before = await describe(client);
        assertEquals(before.slice(1, 3), [["2", "3"], ["1"]]);
      } finally {
        await first.kill();
      }
      const second = await Victim.start(options);
      try {
        using client = await second.client();
        assertEquals(await describe(client), before);
      } finally {
        await second.kill();
      }
    }));
}
