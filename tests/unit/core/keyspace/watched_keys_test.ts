import { assert, assertEquals } from "@std/assert";
import { CHANGED, DEL } from "../../../../src/core/keyspace/key_events.ts";
import type { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import {
  canDetach,
  detachDatabase,
  reclaimSlice,
} from "../../../../src/core/keyspace/reclaim.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { Shards } from "./_fixture.ts";

const DATABASES = 3;
const KEYS = 12;

interface Watch {
  readonly db: number;
  readonly name: string;
  readonly node: number;
  version: number;
  isTouched: boolean;
}

/** A sweep over the watched keys, between two of its slices. */
interface Sweep {
  readonly exchanges: number;
  cursor: number;
}

/** Watched keys of a shard, beside a plain model that walks all watchers. */
class World {
  readonly shards = new Shards({ shards: 1, databases: DATABASES });
  readonly space: Keyspace = this.shards.keyspaces[0]!;
  readonly watched = this.space.hooks.watched;
  readonly present = Array.from({ length: DATABASES }, () => new Set<string>());
  watches: Watch[] = [];
  sweeps: Sweep[] = [];

  set(db: number, name: string): void {
    this.shards.set(name, "v", 0, db);
    this.space.hooks.signal(db, this.shards.key(name), CHANGED);
    this.present[db]!.add(name);
    this.#touch((watch) => watch.db === db && watch.name === name);
  }

  delete(db: number, name: string): void {
    if (!this.present[db]!.delete(name)) return;
    const key = this.shards.key(name);
    this.space.delete(db, this.space.peek(db, key));
    this.space.hooks.signal(db, key, DEL);
    this.#touch((watch) => watch.db === db && watch.name === name);
  }

  watch(db: number, name: string): void {
    const node = this.watched.watch(db, this.shards.key(name));
    const version = this.watched.version(node);
    this.watches.push({ db, name, node, version, isTouched: false });
  }

  renew(watch: Watch): void {
    this.watched.renew(watch.node);
    watch.version = this.watched.version(watch.node);
    watch.isTouched = false;
  }

  unwatch(watch: Watch): void {
    this.watched.unwatch(watch.node);
    this.watches = this.watches.filter((other) => other !== watch);
  }

  flush(db: number): void {
    while (!canDetach(this.space, 1)) reclaimSlice(this.space, 1000);
    const keys = this.present[db]!;
    this.#touch((watch) => watch.db === db && keys.has(watch.name));
    detachDatabase(this.space, db);
    keys.clear();
  }

  exchange(a: number, b: number): void {
    const { hooks } = this.space;
    hooks.signalDatabase(a);
    hooks.signalDatabase(b);
    this.space.swap(a, b);
    hooks.signalExchanged(a, b);
    const { present } = this;
    this.#touch(({ db, name }) =>
      (db === a || db === b) && (present[a]!.has(name) || present[b]!.has(name))
    );
    [present[a], present[b]] = [present[b]!, present[a]!];
  }

  sweep(random: Random): void {
    const { sweeps, watched } = this;
    if (sweeps.length === 0 || random.chance(0.2)) {
      sweeps.push({ exchanges: watched.exchanges, cursor: 0 });
    }
    const sweep = random.pick(sweeps);
    sweep.cursor = watched.settle(sweep.cursor, 1);
    if (sweep.cursor !== 0) return;
    watched.setSettled(sweep.exchanges);
    this.sweeps = sweeps.filter((other) => other !== sweep);
  }

  isTouched({ node, version }: Watch): boolean {
    return !this.space.hooks.isUntouched(node, version, 0);
  }

  #touch(isMeant: (watch: Watch) => boolean): void {
    for (const watch of this.watches) {
      if (isMeant(watch)) watch.isTouched = true;
    }
  }
}

function step(world: World, random: Random): void {
  const db = random.below(DATABASES);
  const name = `key:${random.below(KEYS)}`;
  const { watches } = world;
  const what = random.below(20);
  if (what < 3) world.set(db, name);
  else if (what < 6) world.delete(db, name);
  else if (what < 11) world.watch(db, name);
  else if (what < 13) world.flush(db);
  else if (what < 15) {
    const other = (db + 1 + random.below(DATABASES - 1)) % DATABASES;
    world.exchange(db, other);
  } else if (what < 17) world.sweep(random);
  else if (watches.length > 0) {
    const watch = random.pick(watches);
    assertEquals(world.isTouched(watch), watch.isTouched, watch.name);
    if (random.chance(0.3)) world.renew(watch);
    else if (random.chance(0.7)) world.unwatch(watch);
  }
}

seeded("watched keys change with their databases as if all were visited", (
  random,
) => {
  const world = new World();
  for (let i = 0; i < 150; i++) step(world, random);
  for (const watch of world.watches) {
    assertEquals(world.isTouched(watch), watch.isTouched, watch.name);
  }
  for (const watch of world.watches) world.unwatch(watch);
  assertEquals(world.watched.count, 0);
}, { count: 100 });

Deno.test("emptied and exchanged databases visit no watched key", () => {
  const world = new World();
  for (let i = 0; i < 1000; i++) world.watch(0, `key:${i}`);
  const { hooks } = world.space;
  let visits = 0;
  const peek = world.space.peek.bind(world.space);
  world.space.peek = (db, key) => (visits++, peek(db, key));
  world.set(0, "key:1");
  world.exchange(0, 1);
  assertEquals(visits, 1, "one by the test's own write");
  let slices = 0;
  const { exchanges } = hooks.watched;
  let cursor = 0;
  do {
    cursor = hooks.watched.settle(cursor, 4);
    slices++;
  } while (cursor !== 0);
  hooks.watched.setSettled(exchanges);
  assert(slices > 5, `${slices} slices`);
  visits = 0;
  world.flush(1);
  world.exchange(0, 2);
  assertEquals(visits, 0);
});
