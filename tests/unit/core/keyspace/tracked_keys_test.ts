import { assert, assertEquals } from "@std/assert";
import { asciiOf } from "../../../../src/core/base/bytes.ts";
import type { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import {
  hasDetached,
  reclaimSlice,
} from "../../../../src/core/keyspace/reclaim.ts";
import {
  HOOK_TRACKED,
  SHARD_HOOKS,
} from "../../../../src/core/keyspace/shard_control.ts";
import {
  KNOWN,
  NOTED,
  NOTED_FIRST,
} from "../../../../src/core/keyspace/tracked_keys.ts";
import { seeded } from "../../../_harness.ts";
import { Shards } from "./_fixture.ts";

/** Takes a key and returns its clients with their workers. */
function take(
  shards: Shards,
  space: Keyspace,
  name: string,
): [number, number][] {
  const key = shards.key(name);
  const node = space.hooks.tracked.find(key.buf, key.off, key.length, key.hash);
  const clients: [number, number][] = [];
  if (node !== 0) {
    const { tracked } = space.hooks;
    const visit = (client: number, worker: number) => {
      clients.push([client, worker]);
    };
    const count = tracked.clients(node);
    const table = tracked.take(node, visit);
    if (table !== null) {
      assertEquals(clients.length, 0);
      tracked.visitTaken(table, visit);
      tracked.freeTaken(table);
    }
    assertEquals(clients.length, count);
  }
  return clients.sort((a, b) => a[0] - b[0]);
}

seeded("tracked keys hold what a map of sets holds", (random) => {
  const shards = new Shards({ shards: 1 });
  const space = shards.keyspaces[0]!;
  const before = shards.usedBytes;
  const model = new Map<string, Map<number, number>>();
  const names = Array.from({ length: 40 }, (_, i) => "k".repeat(i % 7) + i);
  const clientCount = random.pick([2, 5, 20, 200]);
  for (let i = 0; i < 5000; i++) {
    const name = random.pick(names);
    const known = model.get(name);
    if (random.chance(0.05)) {
      const expected = [...known ?? []].sort((a, b) => a[0] - b[0]);
      assertEquals(take(shards, space, name), expected);
      model.delete(name);
    } else {
      const client = 1 + random.below(clientCount);
      const worker = client % 3;
      const outcome = space.hooks.tracked.note(
        shards.key(name),
        client,
        worker,
      );
      if (known === undefined) {
        assertEquals(outcome, NOTED_FIRST);
        model.set(name, new Map([[client, worker]]));
      } else {
        assertEquals(outcome, known.has(client) ? KNOWN : NOTED);
        known.set(client, worker);
      }
    }
    assertEquals(space.hooks.tracked.count, model.size);
    let items = 0;
    for (const clients of model.values()) items += clients.size;
    assertEquals(space.hooks.tracked.items, items);
    const hooks = space.control[SHARD_HOOKS]! & HOOK_TRACKED;
    assertEquals(hooks !== 0, model.size > 0);
  }
  for (const name of names) take(shards, space, name);
  space.heap.verify();
  assertEquals(space.hooks.tracked.count, 0);
  assertEquals(shards.usedBytes, before);
});

seeded("tables hold thousands of clients", (random) => {
  const shards = new Shards({ shards: 1 });
  const space = shards.keyspaces[0]!;
  const { tracked } = space.hooks;
  const before = shards.usedBytes;
  for (let round = 0; round < 3; round++) {
    const expected = new Map<number, number>();
    const step = random.pick([1, 1 << 8, 1 << 16, -3]);
    for (let i = 0; i < 9000; i++) {
      // Some have the last bits of their numbers in common.
      const client = Math.imul(1 + random.below(6000), step);
      const outcome = tracked.note(shards.key("k"), client, i % 3);
      if (expected.size === 0) assertEquals(outcome, NOTED_FIRST);
      else assertEquals(outcome, expected.has(client) ? KNOWN : NOTED);
      if (outcome !== KNOWN) expected.set(client, i % 3);
    }
    assertEquals(tracked.items, expected.size);
    if (round === 2) {
      tracked.forget();
      while (reclaimSlice(space, 64));
    } else {
      assertEquals(
        take(shards, space, "k"),
        [...expected].sort((a, b) => a[0] - b[0]),
      );
    }
    assertEquals(shards.usedBytes, before);
  }
  space.heap.verify();
}, { count: 3 });

Deno.test("a drawn key is one of those that are tracked", () => {
  const shards = new Shards({ shards: 1 });
  const { tracked } = shards.keyspaces[0]!.hooks;
  const draw = () => tracked.draw(() => shards.random.nextUint32());
  assertEquals(draw(), 0);
  const seen = new Set<string>();
  for (let i = 0; i < 20; i++) {
    shards.keyspaces[0]!.hooks.tracked.note(shards.key(`k${i}`), 1, 0);
  }
  for (let i = 0; i < 2000; i++) {
    const { buf, off, length } = tracked.keyOf(draw());
    seen.add(asciiOf(buf, off, length));
  }
  assertEquals(seen.size, 20);
  for (let i = 0; i < 20; i++) take(shards, shards.keyspaces[0]!, `k${i}`);
  assertEquals(draw(), 0);
});

Deno.test("forgotten keys are freed in slices", () => {
  const shards = new Shards({ shards: 1 });
  const space = shards.keyspaces[0]!;
  const before = shards.usedBytes;
  for (let i = 0; i < 1000; i++) {
    for (let client = 1; client < 1 + i % 9; client++) {
      space.hooks.tracked.note(shards.key(`k${i}`), client, 0);
    }
  }
  const { count } = space.hooks.tracked;
  assertEquals(space.hooks.tracked.forget(), count);
  assertEquals([space.hooks.tracked.count, space.hooks.tracked.items], [0, 0]);
  assert(hasDetached(space));
  assertEquals(take(shards, space, "k5"), []);
  // There is one place for what waits; the next must wait until it is free.
  space.hooks.tracked.note(shards.key("k5"), 7, 1);
  assert(!space.hooks.tracked.canForget());
  assertEquals(space.hooks.tracked.forget(), 0);
  let slices = 0;
  while (reclaimSlice(space, 64)) slices++;
  assert(slices > 5, `${slices} slices`);
  assert(space.hooks.tracked.canForget() && !hasDetached(space));
  assertEquals(take(shards, space, "k5"), [[7, 1]]);
  assertEquals(shards.usedBytes, before);
  space.heap.verify();
});
