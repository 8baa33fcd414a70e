import { assert, assertEquals } from "@std/assert";
import { Watches } from "../../../../src/engine/executor/watches.ts";
import { seeded } from "../../../_harness.ts";

const SHARDS = 4;
/** More than are looked up one by one, than a block has, and than that. */
const COUNTS = [0, 1, 16, 17, 1024, 1025, 20_000];

seeded("watched keys are found, each with its version", (random) => {
  const watches = new Watches();
  for (const count of COUNTS) {
    const model = new Map<string, number>();
    // Nodes of one size lie at multiples of it.
    const stride = 1 + random.below(64);
    for (let i = 0; i < count; i++) {
      const shard = random.below(SHARDS);
      const node = 1 + stride * random.below(2 * count);
      const id = `${shard} ${node}`;
      assertEquals(watches.has(shard, node), model.has(id));
      if (model.has(id)) continue;
      watches.add(shard, node, i);
      model.set(id, i);
    }
    assertEquals(watches.count, model.size);
    for (let i = 0; i < watches.count; i++) {
      const id = `${watches.shard(i)} ${watches.node(i)}`;
      assertEquals(model.get(id), watches.version(i));
      assert(watches.has(watches.shard(i), watches.node(i)));
      assert(!watches.has(SHARDS, watches.node(i)), "of another shard");
    }
    watches.clear();
    assertEquals(watches.count, 0);
  }
});
