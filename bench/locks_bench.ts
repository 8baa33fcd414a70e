/**
 * What key locks cost commands that have nothing to do with them: with an empty
 * lock table, with one locked key in each shard, with 10 000 in all.
 *
 * Each iteration runs {@linkcode REQUESTS} requests in pipelines, from bytes to
 * bytes but without sockets, which are about half of a server's time per command:
 * a difference here is half as large in a server.
 *
 * Traps: as in command_bench.ts; and what one world teaches V8 of the way around
 * locked keys holds for the others, so all three are compiled alike.
 *
 * @module
 */
import { Prng } from "../src/core/base/prng.ts";
import { PIPELINE, World } from "./_command_world.ts";

const KEYS = 200_000;
const REQUESTS = 4096;
const RUNS = 16;

const encoder = new TextEncoder();
const random = new Prng(11);

function pipelines(count: number, request: () => string[]): Uint8Array[] {
  return Array.from({ length: count / PIPELINE }, () => {
    let text = "";
    for (let i = 0; i < PIPELINE; i++) {
      const words = request();
      text += `*${words.length}\r\n` +
        words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
    }
    return encoder.encode(text);
  });
}

const keyName = (number: number) => `key:${String(number).padStart(12, "0")}`;
const anyKey = () => keyName(random.below(KEYS));
const VALUE = "x".repeat(32);

const COMMANDS: Readonly<Record<string, () => string[]>> = {
  GET: () => ["GET", anyKey()],
  SET: () => ["SET", anyKey(), VALUE],
  "MGET of 10": () => ["MGET", ...Array.from({ length: 10 }, anyKey)],
};

/** Keys that are locked, none of them used; so many that each shard has some. */
const WORLDS = new Map([0, 64, 10_000].map((locked) => {
  const world = new World(true, false);
  world.lock(
    Array.from({ length: locked }, (_, i) => encoder.encode(`locked:${i}`)),
  );
  return [locked, world];
}));

let number = 0;
const filling = pipelines(KEYS, () => ["SET", keyName(number++), VALUE]);
for (const world of WORLDS.values()) world.run(filling, true);

for (const [name, request] of Object.entries(COMMANDS)) {
  const runs = Array.from({ length: RUNS }, () => pipelines(REQUESTS, request));
  for (const [locked, world] of WORLDS) {
    let at = 0;
    Deno.bench(
      `${REQUESTS} x ${name}, ${locked} keys locked`,
      { group: name, baseline: locked === 0 },
      () => world.run(runs[at++ % RUNS]!, true),
    );
  }
}
