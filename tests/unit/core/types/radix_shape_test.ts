/** Nodes of a radix tree that is not there: src/core/types/radix_shape.ts. */
import { assertEquals } from "@std/assert";
import { RadixShape } from "../../../../src/core/types/radix_shape.ts";
import { StreamId } from "../../../../src/core/types/stream_id.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { idOf } from "./_streams.ts";

function shapeOf(ids: readonly StreamId[]): number {
  const shape = new RadixShape();
  for (const id of ids) shape.add(id);
  return shape.count();
}

/** The sixteen bytes by which Redis knows an ID. */
function keyOf({ msHigh, msLow, seqHigh, seqLow }: StreamId): string {
  const hex = (n: number) => (n >>> 0).toString(16).padStart(8, "0");
  return hex(msHigh) + hex(msLow) + hex(seqHigh) + hex(seqLow);
}

/** Counts as one builds the tree: a run of bytes without a choice is a node. */
function nodesUnder(keys: readonly string[], from: number): number {
  if (from === 32) return 1;
  let depth = from;
  const byteAt = (key: string) => key.slice(depth, depth + 2);
  while (depth < 32 && new Set(keys.map(byteAt)).size === 1) depth += 2;
  const run = depth > from ? 1 : 0;
  if (depth === 32) return run + 1;
  const groups = Map.groupBy(keys, byteAt);
  let nodes = run + 1;
  for (const group of groups.values()) nodes += nodesUnder(group, depth + 2);
  return nodes;
}

Deno.test("RadixShape counts what redis-server counts", () => {
  const rows: [ids: string[], nodes: number][] = [
    [[], 1],
    [["1-0"], 2],
    [["1-0", "101-0"], 6],
    [["1-0", "101-0", "201-0"], 8],
    [["0-1", "0-2"], 4],
    [["0-255", "0-256"], 6],
  ];
  for (const [ids, nodes] of rows) {
    assertEquals(shapeOf(ids.map(idOf)), nodes, ids.join());
  }
});

seeded("RadixShape counts the nodes of the tree", (random) => {
  for (let i = 0; i < 50; i++) {
    const ids = draw(random).sort((a, b) => a.compare(b))
      .filter((id, at, all) => at === 0 || id.compare(all[at - 1]!) !== 0);
    assertEquals(shapeOf(ids), nodesUnder(ids.map(keyOf), 0));
  }
}, { count: 3 });

function draw(random: Random): StreamId[] {
  const word = () =>
    random.chance(0.6) ? 0 : random.below(4) << (8 * random.below(4));
  return Array.from({ length: random.between(1, 40) }, () => {
    const id = new StreamId();
    id.msHigh = word();
    id.msLow = word();
    id.seqHigh = word();
    id.seqLow = word();
    return id;
  });
}
