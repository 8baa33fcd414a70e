import { assert, assertEquals } from "@std/assert";
import { equalBytes } from "../../../../src/core/base/bytes.ts";
import {
  byteOf,
  PAGE_BYTES,
  SEGMENT_SHIFT,
} from "../../../../src/core/memory/arena.ts";
import { CHANGED } from "../../../../src/core/keyspace/key_events.ts";
import { Key } from "../../../../src/core/keyspace/key.ts";
import type { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import { visitNotedNames } from "../../../../src/core/keyspace/noted_names.ts";
import { reclaimSlice } from "../../../../src/core/keyspace/reclaim.ts";
import { seeded } from "../../../_harness.ts";
import { Shards } from "./_fixture.ts";

/** Some are as long as others, one is short. */
const NAMES = [0, 1, 2, 3, 4].map((i) => "n".repeat(65_536 + (i >> 1)) + i);
NAMES.push("short");

/** A name in a run of the arena, as that of a long argument. */
function inRun(shards: Shards, name: string): { key: Key; drop: () => void } {
  const key = shards.key(name);
  const { externals } = shards.space(key);
  const run = externals.create(key.length);
  const bytes = externals.bytes(run);
  const off = externals.offset(run);
  bytes.set(key.buf, off);
  key.buf = bytes;
  key.off = off;
  const drop = () => {
    // Others may write there, unless it is kept.
    if (shards.keyspaces[0]!.heap.keepersOf(run) === 0) {
      bytes.fill(1, off, off + key.length);
    }
    externals.unpin(run);
  };
  return { key, drop };
}

function assertNamed(key: Key, name: Key): void {
  assert(
    key.hash === name.hash && equalBytes(
      key.buf,
      key.off,
      key.length,
      name.buf,
      name.off,
      name.length,
    ),
  );
}

seeded("notes about keys with long names", (random) => {
  const shards = new Shards({ shards: 2, databases: 2 });
  const watches: { space: Keyspace; name: Key; db: number; node: number }[] =
    [];
  const versions = new Map<number, number>();
  const found = new Key();
  for (let i = 0; i < 300; i++) {
    const name = random.pick(NAMES);
    const db = random.below(2);
    const plain = shards.key(name);
    const space = shards.space(plain);
    const { watched, tracked } = space.hooks;
    const { key, drop } = random.below(2) === 0
      ? inRun(shards, name)
      : { key: plain, drop: () => {} };
    switch (random.below(7)) {
      case 0:
      case 1: {
        const node = watched.watch(db, key);
        watches.push({ space, name: plain, db, node });
        versions.set(node, watched.version(node));
        break;
      }
      case 2:
        if (watches.length > 0) {
          const at = random.below(watches.length);
          const [gone] = watches.splice(at, 1);
          gone!.space.hooks.watched.unwatch(gone!.node);
        }
        break;
      case 3:
        shards.set(name, "v".repeat(random.below(100)), 0, db);
        break;
      case 4:
        shards.delete(name, db);
        break;
      case 5: {
        tracked.note(key, random.below(20), 0);
        const node = tracked.find(
          plain.buf,
          plain.off,
          plain.length,
          plain.hash,
        );
        assertNamed(tracked.keyOf(node), plain);
        if (random.below(3) === 0) {
          const taken = tracked.take(node, () => {});
          if (taken !== null) tracked.freeTaken(taken);
        }
        break;
      }
      default: {
        const own = watches.filter((each) =>
          each.space === space && each.db === db &&
          each.name.hash === plain.hash
        );
        space.hooks.signal(db, key, CHANGED);
        for (const { node } of own.slice(0, 1)) {
          const version = watched.version(node);
          assertEquals(version, versions.get(node)! + 1);
          versions.set(node, version);
        }
        if (name === "short") break;
        let noted = 0;
        visitNotedNames(space, db, plain, (run, off) => {
          noted++;
          const bytes = shards.arena.u8[run >>> SEGMENT_SHIFT]!;
          assert(off >= byteOf(run));
          found.buf = bytes;
          found.off = off;
          found.length = plain.length;
          found.hash = plain.hash;
          assertNamed(found, plain);
        });
        if (own.length > 0) assert(noted > 0);
      }
    }
    drop();
    for (const { space, name, db, node } of watches) {
      space.hooks.watched.keyOf(node, found);
      assertNamed(found, name);
      assertEquals(space.hooks.watched.databaseOf(node), db);
    }
  }
  for (const { space, node } of watches) space.hooks.watched.unwatch(node);
  for (const name of NAMES) for (const db of [0, 1]) shards.delete(name, db);
  for (const space of shards.keyspaces) {
    space.hooks.tracked.forget();
    while (reclaimSlice(space, 100));
  }
  shards.verify();
  for (const space of shards.keyspaces) {
    assertEquals(space.hooks.watched.count + space.hooks.tracked.count, 0);
  }
  // No run is kept that belongs to no heap.
  assertEquals(shards.pages.usedPages * PAGE_BYTES, shards.heldBytes);
});
