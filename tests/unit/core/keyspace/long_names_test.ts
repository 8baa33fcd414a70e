import { assert, assertEquals } from "@std/assert";
import type { Key } from "../../../../src/core/keyspace/key.ts";
import { prepareName } from "../../../../src/core/keyspace/long_names.ts";
import {
  copyEntry,
  moveEntry,
  moveToDatabase,
} from "../../../../src/core/keyspace/transfer.ts";
import { KNOWN_KEYS } from "../../../../src/core/memory/known_keys.ts";
import { TYPE_SET } from "../../../../src/core/types/entry.ts";
import { seeded } from "../../../_harness.ts";
import { nameOf, Shards } from "./_fixture.ts";

const LONG = "n".repeat(66_000);
/** What a set is in the model. */
const SET = "set";

/** Says what is known of a name, with a run for its entry. */
function know(shards: Shards, key: Key): { readonly run: number } {
  const { externals } = shards.space(key);
  const run = prepareName(externals, key);
  assert(run !== 0);
  const known = { hash: key.hash, nodes: new Map(), orders: new Map(), run };
  KNOWN_KEYS.add(key.buf, key.off, key.length, known);
  return known;
}

Deno.test("an entry takes the run that was made for its name", () => {
  const shards = new Shards();
  const key = shards.key(LONG);
  const space = shards.space(key);
  const known = know(shards, key);
  const { run } = known;
  const pages = shards.pages.usedPages;
  const ref = space.create(0, key, TYPE_SET, 0, 1000);
  assertEquals([ref, known.run], [run, 0]);
  assertEquals(space.setExpire(0, ref, 0), run + 1);
  // No dictionary has grown, but some have got their first bucket.
  assert(shards.pages.usedPages - pages < 20);
  assert(nameOf(space, space.peek(0, key)) === LONG);
  KNOWN_KEYS.clear();
  shards.delete(LONG);
  shards.verifyEmpty();
});

Deno.test("an entry with a long name stays where it is", () => {
  const shards = new Shards();
  const key = shards.key(LONG);
  const space = shards.space(key);
  shards.set(LONG, "v");
  const ref = space.peek(0, key);
  for (const value of ["v".repeat(64), "v".repeat(65), "v".repeat(70_000)]) {
    shards.set(LONG, value);
    assertEquals(space.peek(0, key), ref);
    assert(shards.get(LONG) === value);
  }
  const made = space.create(0, key, TYPE_SET, ref, 0);
  assertEquals(made, ref);
  assertEquals(space.create(0, key, TYPE_SET, ref, 7000), ref - 1);
  assertEquals(space.expireAt(ref - 1), 7000);
  shards.set(LONG, "v");
  assertEquals(space.peek(0, key), ref);
  shards.delete(LONG);
  shards.verifyEmpty();
});

seeded(
  "keys with long names agree with a model, and leak nothing",
  (random) => {
    const shards = new Shards({ shards: 2, databases: 2 });
    const model = new Map<string, string>();
    const expires = new Map<string, number>();
    const names = Array.from(
      { length: 8 },
      (_, i) => i < 4 ? `k${i}` : LONG + i,
    );
    const place = (): [string, number] => [random.pick(names), random.below(2)];
    for (let step = 0; step < 600; step++) {
      const [name, db] = place();
      const at = `${name},${db}`;
      const key = shards.key(name);
      const space = shards.space(key);
      const ref = space.peek(db, key);
      const known = name.length > 2 && random.chance(0.5)
        ? know(shards, key)
        : null;
      const expireAtMs = random.chance(0.5) ? 0 : 1 + random.below(1000);
      switch (random.below(6)) {
        case 0: {
          const value = "v".repeat(random.pick([1, 64, 65, 70_000]));
          shards.set(name, value, expireAtMs, db);
          model.set(at, value);
          expires.set(at, expireAtMs);
          break;
        }
        case 1: {
          const made = space.create(db, key, TYPE_SET, ref, expireAtMs);
          for (let i = 0; i < 4; i++) {
            space.values.sets.add(made, key.buf, i, 9);
          }
          model.set(at, SET);
          expires.set(at, expireAtMs);
          break;
        }
        case 2:
          if (ref === 0) {
            break;
          }
          space.setExpire(db, ref, expireAtMs);
          expires.set(at, expireAtMs);
          break;
        case 3:
          shards.delete(name, db);
          model.delete(at);
          break;
        case 4: {
          if (ref === 0 || space.peek(1 - db, key) !== 0) break;
          moveToDatabase(space, db, ref, 1 - db, key);
          const to = `${name},${1 - db}`;
          model.set(to, model.get(at)!);
          expires.set(to, expires.get(at)!);
          model.delete(at);
          break;
        }
        default: {
          const [toName, toDb] = place();
          const to = `${toName},${toDb}`;
          if (ref === 0 || to === at) break;
          const target = shards.key(toName);
          const other = shards.space(target);
          const existing = other.peek(toDb, target);
          const isMove = random.chance(0.5);
          if (isMove) moveEntry(space, db, ref, other, toDb, target, existing);
          else copyEntry(space, ref, other, toDb, target, existing);
          model.set(to, model.get(at)!);
          expires.set(to, expires.get(at)!);
          if (isMove) model.delete(at);
        }
      }
      if (known !== null && known.run !== 0) space.externals.unpin(known.run);
      KNOWN_KEYS.clear();
      shards.verify();
    }
    for (const name of names) {
      for (const db of [0, 1]) {
        const at = `${name},${db}`;
        const key = shards.key(name);
        const space = shards.space(key);
        const ref = space.peek(db, key);
        assertEquals(ref !== 0, model.has(at));
        if (ref === 0) continue;
        assertEquals(space.expireAt(ref), expires.get(at));
        if (model.get(at) === SET) assertEquals(space.type(ref), TYPE_SET);
        else assert(shards.get(name, db) === model.get(at));
        assert(nameOf(space, ref) === name);
        shards.delete(name, db);
      }
    }
    shards.verifyEmpty();
  },
);
