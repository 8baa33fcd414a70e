import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import {
  GAVE_UP,
  replayWordsBytes,
} from "../../../../src/engine/persistence/replay.ts";
import { seeded } from "../../../_harness.ts";
import type { Random } from "../../../_random.ts";
import { mix } from "./_cells.ts";
import { batch, record } from "./_records.ts";
import type { ReplayTask } from "./_replay_worker.ts";

const CELLS = 24;
const RECORDS = 4000;
const CHUNKS = 5;

/** Lets workers replay; what each says. */
async function replay(
  workers: number,
  chunks: readonly Uint8Array[][],
  cells: SharedArrayBuffer,
): Promise<(string | null)[]> {
  let first = 0;
  const shared = chunks.map((records) => {
    const bytes = concat(records);
    const chunk = { bytes: new SharedArrayBuffer(bytes.length), first };
    new Uint8Array(chunk.bytes).set(bytes);
    first += records.length;
    return chunk;
  });
  const words = new SharedArrayBuffer(replayWordsBytes(workers));
  return await Promise.all(
    Array.from({ length: workers }, async (_, self) => {
      const thread = new Worker(
        new URL("./_replay_worker.ts", import.meta.url),
        { type: "module" },
      );
      const task: ReplayTask = { self, workers, cells, words, chunks: shared };
      const said = await new Promise<string | null>((resolve) => {
        thread.onmessage = (event) => resolve(event.data);
        thread.postMessage(task);
      });
      thread.terminate();
      return said;
    }),
  );
}

seeded("replay has the effect of the records in their order", async (
  random: Random,
) => {
  const workers = random.between(1, 4);
  const wide = random.pick([0, 0.001, 0.05, 0.5, 1]);
  const expected = new Int32Array(CELLS);
  const chunks: Uint8Array[][] = Array.from({ length: CHUNKS }, () => []);
  for (let i = 0; i < RECORDS; i++) {
    const chunk = chunks[Math.floor(i * CHUNKS / RECORDS)]!;
    if (random.chance(0.3)) {
      const commands = Array.from({ length: random.between(1, 16) }, () => {
        const cell = random.below(CELLS);
        const value = random.below(1000);
        mix(expected, [cell], value);
        return ["MIX", String(cell), String(value)];
      });
      chunk.push(batch(i, ...commands));
      // One request may have any number of keys.
      if (random.chance(wide)) {
        const cells = [random.below(CELLS), random.below(CELLS)];
        mix(expected, cells, i);
        chunk.push(batch(i, ["MIX", cells.join(" "), String(i)]));
      }
      continue;
    }
    const count = random.chance(wide) ? random.between(2, 4) : 1;
    const cells = Array.from({ length: count }, () => random.below(CELLS));
    const value = random.below(1000);
    mix(expected, cells, value);
    chunk.push(record(i, "MIX", cells.join(" "), String(value)));
  }
  const cells = new SharedArrayBuffer(CELLS * 4);
  const said = await replay(workers, chunks, cells);
  assertEquals(said, said.map(() => null));
  assertEquals([...new Int32Array(cells)], [...expected]);
}, { count: 4 });

Deno.test("a batch is of commands of one key each", async () => {
  const records = [batch(0, ["MIX", "0", "1"], ["MIX", "0 1", "1"])];
  const cells = new SharedArrayBuffer(CELLS * 4);
  const said = await replay(3, [records], cells);
  const told = said.filter((error) => error !== null && error !== GAVE_UP);
  assertEquals(new Set(told), new Set(["record 0 is no batch"]));
});

Deno.test("a command that fails ends the replay of all workers", async () => {
  const records = Array.from(
    { length: 1000 },
    (_, i) =>
      record(i, "MIX", i % 3 === 0 ? "0 1" : "2", i === 600 ? "-1" : "1"),
  );
  const cells = new SharedArrayBuffer(CELLS * 4);
  const said = await replay(3, [records], cells);
  const told = said.filter((error) => error !== null && error !== GAVE_UP);
  assertEquals(told, ["record 600: MIX: ERR negative"]);
});
