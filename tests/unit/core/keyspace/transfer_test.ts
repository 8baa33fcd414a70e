import { assertEquals } from "@std/assert";
import {
  copyEntry,
  moveEntry,
} from "../../../../src/core/keyspace/transfer.ts";
import { seeded } from "../../../_harness.ts";
import { Shards } from "./_fixture.ts";

const LONG = "long".repeat(20_000);

function transfer(
  shards: Shards,
  how: "copy" | "move",
  [from, db]: [string, number],
  [to, toDb]: [string, number],
): void {
  const [source, target] = [shards.key(from), shards.key(to)];
  const [space, other] = [shards.space(source), shards.space(target)];
  const ref = space.peek(db, source);
  const existing = other.peek(toDb, target);
  if (how === "move") {
    moveEntry(space, db, ref, other, toDb, target, existing);
  } else copyEntry(space, ref, other, toDb, target, existing);
}

Deno.test("copyEntry() shares a long string until one of the two goes", () => {
  const shards = new Shards();
  shards.set("a", LONG, 7000);
  const pages = shards.pages.usedPages;
  transfer(shards, "copy", ["a", 0], ["b", 1]);
  assertEquals(shards.pages.usedPages - pages < 20, true);
  transfer(shards, "copy", ["b", 1], ["b", 2]);
  transfer(shards, "copy", ["a", 0], ["b", 1]);
  shards.delete("a");
  assertEquals(shards.get("b", 1), LONG);
  shards.set("b", "short", 0, 1);
  assertEquals(shards.get("b", 2), LONG);
  const key = shards.key("b");
  const space = shards.space(key);
  assertEquals(space.expireAt(space.peek(2, key)), 7000);
  shards.delete("b", 1);
  shards.delete("b", 2);
  shards.verifyEmpty();
});

seeded("copies and moves agree with a model and leak nothing", (random) => {
  const shards = new Shards({ shards: 3, databases: 2 });
  const model = new Map<string, string>();
  const place = (): [string, number] => [
    `k${random.below(40)}`,
    random.below(2),
  ];
  for (let step = 0; step < 5000; step++) {
    const from = place();
    const to = place();
    const value = model.get(`${from}`);
    const action = random.below(10);
    if (action < 4) {
      const fresh = random.chance(0.05)
        ? LONG
        : random.binary(random.below(200));
      shards.set(from[0], fresh, random.below(2) * 5000, from[1]);
      model.set(`${from}`, fresh);
    } else if (action < 6) {
      shards.delete(...from);
      model.delete(`${from}`);
    } else if (value !== undefined && `${from}` !== `${to}`) {
      transfer(shards, action < 8 ? "copy" : "move", from, to);
      model.set(`${to}`, value);
      if (action >= 8) model.delete(`${from}`);
    }
  }
  shards.verify();
  for (let i = 0; i < 40; i++) {
    for (const db of [0, 1]) {
      assertEquals(shards.get(`k${i}`, db), model.get(`k${i},${db}`) ?? null);
      shards.delete(`k${i}`, db);
    }
  }
  shards.verifyEmpty();
});
