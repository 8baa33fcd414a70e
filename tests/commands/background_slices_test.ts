/**
 * Changes of long lists in slices: they do what they do in place, and nobody sees
 * a part of it.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import {
  type Plain,
  plain,
  type TestClient,
  toBinary,
} from "../_resp_client.ts";
import { A, runInline, suite } from "./_background.ts";
import { heard } from "./_heard.ts";

const LONG = 22_000;
const BASE = `{${A}}base`;
const LIST = `{${A}}list`;

async function fill(client: TestClient): Promise<void> {
  const numbers = Array.from({ length: LONG }, (_, i) => `n${i % 11_000}`);
  numbers[LONG - 1] = "last";
  // One that is too long for a node, near the end.
  numbers[LONG - 3] = "x".repeat(10_000);
  await client.run("RPUSH", BASE, ...numbers);
}

const CHANGES: readonly (readonly [argv: string[], by: number])[] = [
  [["LREM", LIST, "0", "n7"], -2],
  [["LREM", LIST, "1", "n10900"], -1],
  [["LREM", LIST, "-1", "n7"], -1],
  [["LREM", LIST, "0", "x".repeat(10_000)], -1],
  [["LREM", LIST, "0", "nothing"], 0],
  [["LINSERT", LIST, "BEFORE", "last", "new"], 1],
  [["LINSERT", LIST, "AFTER", "last", "y".repeat(20_000)], 1],
  [["LINSERT", LIST, "BEFORE", "x".repeat(10_000), "new"], 1],
  [["LINSERT", LIST, "BEFORE", "nothing", "new"], 0],
];

suite("LREM and LINSERT of long lists", async (client, server) => {
  await fill(client);
  using other = await server.client();
  for (const [argv, by] of CHANGES) {
    const text = argv.map((word) => word.slice(0, 20)).join(" ");
    const outcomes: Plain[][] = [];
    for (const isInline of [false, true]) {
      await client.run("COPY", BASE, LIST, "REPLACE");
      let reply: Plain = null;
      const sizes = new Set<Plain>();
      const events = await heard(server, client, async () => {
        if (isInline) reply = await runInline(client, ...argv);
        else {
          const [replies, size] = await Promise.all([
            client.pipeline([argv, ["LLEN", LIST]]),
            other.run("LLEN", LIST),
          ]);
          reply = plain(replies[0]!);
          assertEquals(plain(replies[1]!), LONG + by);
          sizes.add(plain(size));
        }
      });
      assert([...sizes].every((size) => size === LONG || size === LONG + by));
      const raw = await client.runRaw("LRANGE", LIST, "0", "-1");
      outcomes.push([reply, events, toBinary(raw)]);
    }
    assertEquals(outcomes[0], outcomes[1], text);
  }
});

suite("LREM of all elements of a long list", async (client, server) => {
  const equal = Array.from({ length: LONG }, () => "same");
  await client.run("RPUSH", LIST, ...equal);
  await client.run("CONFIG", "RESETSTAT");
  using leaver = await server.client();
  const removed = await client.pipeline([
    ["LREM", LIST, "11000", "same"],
    ["LREM", LIST, "0", "same"],
    ["EXISTS", LIST],
  ]);
  assertEquals(removed.map(plain), [LONG / 2, LONG / 2, 0]);
  const info = String(plain(await client.run("INFO", "commandstats")));
  assert(info.includes("cmdstat_lrem:calls=2,"), info);
  // It is done to its end for a client that leaves.
  await client.run("RPUSH", LIST, ...equal);
  await leaver.sendCommands([["LREM", LIST, "0", "same"]]);
  leaver.close();
  const endMs = performance.now() + 20_000;
  while (plain(await client.run("EXISTS", LIST)) !== 0) {
    assert(performance.now() < endMs, "the list is removed");
  }
});
