import { assert, assertEquals } from "@std/assert";
import { DEFRAG_HITS } from "../../../../src/core/keyspace/counters.ts";
import {
  Defragmenter,
  type DefragmentSettings,
} from "../../../../src/core/keyspace/defragment.ts";
import { seeded } from "../../../_harness.ts";
import { Shards } from "./_fixture.ts";

type Writable<T> = { -readonly [P in keyof T]: T[P] };

function defragmenterOf(
  shards: Shards,
): { defragmenter: Defragmenter; settings: Writable<DefragmentSettings> } {
  const settings = {
    activedefrag: true,
    activeDefragIgnoreBytes: 1 << 20,
    activeDefragThresholdLower: 10,
    activeDefragThresholdUpper: 100,
    activeDefragCycleMin: 1,
    activeDefragCycleMax: 25,
  };
  const { keyspaces, latches, counters, monotonicMs } = shards;
  const defragmenter = new Defragmenter({
    ...{ keyspaces, latches, settings, counters, monotonicMs },
  });
  return { defragmenter, settings };
}

/** Fills and then deletes all but each `nth` key. */
function thinOut(shards: Shards, count: number, nth: number): void {
  for (let i = 0; i < count; i++) shards.set(`key:${i}`, "x".repeat(i % 90));
  for (let i = 0; i < count; i++) if (i % nth !== 0) shards.delete(`key:${i}`);
}

Deno.test("Defragmenter gives pages back and keeps every value", () => {
  const shards = new Shards();
  const { defragmenter } = defragmenterOf(shards);
  thinOut(shards, 60_000, 4);
  const before = shards.heldBytes;
  assert(defragmenter.cyclePercent() > 20);
  while (defragmenter.run(1));
  assert(
    shards.heldBytes < before * 0.6,
    `${before} bytes before, ${shards.heldBytes} after`,
  );
  assert(shards.counters[DEFRAG_HITS]! > 5000);
  assertEquals(defragmenter.cyclePercent(), 0);
  for (let i = 0; i < 60_000; i += 4) {
    assertEquals(shards.get(`key:${i}`), "x".repeat(i % 90));
  }
  shards.verify();
});

Deno.test("Defragmenter does nothing unless it is asked to", () => {
  const shards = new Shards();
  const { defragmenter, settings } = defragmenterOf(shards);
  thinOut(shards, 20_000, 4);
  settings.activedefrag = false;
  assertEquals(defragmenter.cyclePercent(), 0);
  assert(!defragmenter.run(1000));
  settings.activedefrag = true;
  settings.activeDefragIgnoreBytes = 100 << 20;
  assert(!defragmenter.run(1000));
  assertEquals(shards.latches.holds, 0);
});

Deno.test("Defragmenter.purge() begins a pass whatever the settings say", () => {
  const shards = new Shards();
  const { defragmenter, settings } = defragmenterOf(shards);
  thinOut(shards, 60_000, 4);
  settings.activedefrag = false;
  const before = shards.heldBytes;
  defragmenter.purge();
  assert(defragmenter.isRunning);
  while (defragmenter.run(1));
  assert(shards.heldBytes < before * 0.6);
  assert(!defragmenter.run(1));
});

seeded("Defragmenter loses nothing while keys change", (random) => {
  const shards = new Shards({ shards: 2, databases: 2 });
  const { defragmenter } = defragmenterOf(shards);
  const model = new Map<string, string>();
  for (let step = 0; step < 30_000; step++) {
    const db = random.below(2);
    const name = `k${random.below(5000)}`;
    if (random.chance(0.5)) {
      const value = random.binary(
        random.below(random.chance(0.01) ? 9000 : 99),
      );
      shards.set(name, value, random.chance(0.2) ? 5 : 0, db);
      model.set(`${db}${name}`, value);
    } else {
      shards.delete(name, db);
      model.delete(`${db}${name}`);
    }
    if (step % 1000 === 0) defragmenter.purge();
    if (random.chance(0.05)) defragmenter.run(0.05);
  }
  for (const [name, value] of model) {
    assertEquals(shards.get(name.slice(1), Number(name[0])), value);
  }
  assertEquals(shards.count(0) + shards.count(1), model.size);
  shards.verify();
  for (const name of model.keys()) {
    shards.delete(name.slice(1), Number(name[0]));
  }
  while (defragmenter.run(1));
  shards.verifyEmpty();
});
