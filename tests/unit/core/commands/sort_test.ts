/** SORT without a server: what it takes for a number, and memory. */
import { assert, assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { scoreOf } from "../../../../src/core/commands/sort_order.ts";
import { reclaimSlice } from "../../../../src/core/keyspace/reclaim.ts";
import { ReplyError } from "../../../_resp_reply.ts";
import { seeded } from "../../../_harness.ts";
import { Shards } from "../keyspace/_fixture.ts";
import { Commands } from "./_commands.ts";

Deno.test("scoreOf() reads what strtod reads to the end", () => {
  const rows: [string, number][] = [
    ["", 0],
    ["0", 0],
    ["-1.5", -1.5],
    ["+7", 7],
    [" \t\r\n\v\f12", 12],
    ["0x10", 16],
    ["inf", Infinity],
    ["-Infinity", -Infinity],
    ["1\x00 and more", 1],
    ["\x00", 0],
    ["2.2250738585072014e-308", 2.2250738585072014e-308],
    ["9007199254740993", 9007199254740992],
    // No numbers, or out of range.
    [" ", NaN],
    ["1 ", NaN],
    ["x", NaN],
    ["nan", NaN],
    ["1e", NaN],
    ["1e400", NaN],
    ["1e-310", NaN],
    ["1e-400", NaN],
  ];
  for (const [text, score] of rows) {
    const bytes = latin1BytesOf(`9${text}9`);
    assertEquals(scoreOf(bytes, 1, text.length), score, JSON.stringify(text));
  }
});

/** Fills the memory up but for `free` bytes or so. */
function fillUp(commands: Commands, free: number): void {
  let i = 0;
  for (let bytes = free; bytes >= 64; bytes >>= 1) {
    while (
      !isOutOfMemory(commands.run("SET", `fill:${i}`, "x".repeat(bytes)))
    ) {
      i++;
    }
  }
  for (let at = i; at > 0 && free > 0; at--) {
    const key = `fill:${at - 1}`;
    const length = String(commands.run("GET", key)).length;
    commands.run("DEL", key);
    free -= length;
  }
}

function isOutOfMemory(reply: unknown): boolean {
  return reply instanceof ReplyError && reply.prefix === "OOM";
}

seeded("STORE without memory changes nothing", (random) => {
  for (let round = 0; round < 10; round++) {
    const shards = new Shards({ shards: 2, databases: 1, arenaBytes: 1 << 20 });
    const commands = new Commands(shards);
    const elements = Array.from({ length: 3000 }, (_, i) => `element:${i}`);
    commands.run("RPUSH", "list", ...elements);
    const places = elements.flatMap((name, i) => [`${i / 30}`, "1", name]);
    commands.run("GEOADD", "geo", ...places.slice(0, 1500));
    commands.run("SET", "{a}target", "kept");
    fillUp(commands, 4096 + random.below(40_000));
    const used = shards.usedBytes;
    const replies = [
      commands.run(..."SORT list ALPHA STORE {a}target".split(" ")),
      commands.run(..."SORT list ALPHA STORE list".split(" ")),
      commands.run(
        ..."GEORADIUS geo 0 0 9999 km STORE {b}x STORE {a}target".split(" "),
      ),
      commands.run(
        ..."GEOSEARCHSTORE {a}target geo FROMLONLAT 0 0 BYRADIUS 9999 km"
          .split(" "),
      ),
    ];
    for (const reply of replies) assert(isOutOfMemory(reply), String(reply));
    assertEquals(commands.run("GET", "{a}target"), "kept");
    assertEquals(commands.run("LRANGE", "list", "0", "-1"), elements);
    assertEquals(shards.usedBytes, used);
    shards.verify();
    commands.run("FLUSHALL");
    for (const space of shards.keyspaces) while (reclaimSlice(space, 500));
    shards.verifyEmpty();
  }
});
