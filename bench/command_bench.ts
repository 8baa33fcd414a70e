/**
 * Commands from request bytes to reply bytes, in process: parser, executor,
 * latches, keyspace and writer, without sockets.
 *
 * Each iteration runs {@linkcode REQUESTS} requests that came in pipelines;
 * divide by that. A run that looks ahead reads a pipeline's requests first and
 * brings their keys near together, as connections do.
 *
 * Traps:
 * - The store (500 000 keys of 16 bytes, values of 32) is larger than the
 *   second-level cache, and keys are drawn uniformly; with few keys everything
 *   is three times as fast and says nothing.
 * - The requests of a run are read once, in order, so they are misses too, which
 *   the processor foresees. In a server they have just been copied.
 * - Several worlds, with and without latches or records of changes, run the same
 *   code: what V8 learns of one holds for all.
 * - The first thousands of requests run before V8 has compiled them; the warm-up
 *   of `deno bench` and the filling of the store take care of that.
 *
 * @module
 */
import { Prng } from "../src/core/base/prng.ts";
import { PIPELINE, World } from "./_command_world.ts";

const KEYS = 500_000;
const REQUESTS = 4096;
const RUNS = 32;

const random = new Prng(7);
const encoder = new TextEncoder();

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n` +
    words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

function keyOf(number: number): string {
  return `key:${String(number).padStart(12, "0")}`;
}

function pipelinesOf(
  count: number,
  request: () => readonly string[],
): Uint8Array[] {
  return Array.from({ length: count / PIPELINE }, () => {
    let text = "";
    for (let i = 0; i < PIPELINE; i++) text += encode(request());
    return encoder.encode(text);
  });
}

/** Runs of pipelines, taken in turn. */
function runsOf(request: () => readonly string[]): () => Uint8Array[] {
  const runs = Array.from(
    { length: RUNS },
    () => pipelinesOf(REQUESTS, request),
  );
  let at = 0;
  return () => runs[at++ % RUNS]!;
}

const VALUE = "x".repeat(32);
const anyKey = () => keyOf(random.below(KEYS));
const COMMANDS: Readonly<Record<string, () => readonly string[]>> = {
  GET: () => ["GET", anyKey()],
  "GET of no key": () => ["GET", keyOf(KEYS + random.below(KEYS))],
  SET: () => ["SET", anyKey(), VALUE],
  "SET of another length": () => [
    ...["SET", anyKey()],
    "y".repeat(random.below(64)),
  ],
  INCR: () => ["INCR", `n:${random.below(10_000)}`],
  "MGET of 10": () => ["MGET", ...Array.from({ length: 10 }, anyKey)],
};

const worlds = new Map([
  ["", new World(false, false)],
  [", latched", new World(true, false)],
  [", recorded", new World(false, true)],
]);
let number = 0;
const filling = pipelinesOf(KEYS, () => ["SET", keyOf(number++), VALUE]);
for (const world of worlds.values()) world.run(filling, true);

for (const [name, request] of Object.entries(COMMANDS)) {
  const nextRun = runsOf(request);
  for (const [how, world] of worlds) {
    for (const looksAhead of [false, true]) {
      Deno.bench(
        `${REQUESTS} x ${name}${how}${looksAhead ? ", looking ahead" : ""}`,
        { group: name },
        () => world.run(nextRun(), looksAhead),
      );
    }
  }
}
