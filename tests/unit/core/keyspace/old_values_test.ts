/**
 * Pictures of what keys had at one instant: src/core/keyspace/old_values.ts.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  type OldValues,
  PICTURE_EMPTIED,
  PICTURE_OPEN,
  PICTURE_SPOILED,
} from "../../../../src/core/keyspace/old_values.ts";
import { PLACE_IN_PLACE } from "../../../../src/core/keyspace/key_locks.ts";
import type { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import { lockKey, unlockKey } from "../../../../src/core/keyspace/locking.ts";
import {
  keepOld,
  keepOldOf,
} from "../../../../src/core/keyspace/snapshot_marks.ts";
import {
  FLAG_OLD_HASHES,
  SHARD_FLAGS,
  SHARD_HOOKS,
} from "../../../../src/core/keyspace/shard_control.ts";
import {
  isShared,
  unshareValue,
} from "../../../../src/core/keyspace/shared_value.ts";
import { TYPE_HASH } from "../../../../src/core/types/entry.ts";
import { Shards } from "./_fixture.ts";

const NOW_MS = 1_000_000;

/** A shard with a picture of `w_*` and of the fields `f` and `g` of `h_*_h`. */
class Pictured {
  readonly shards = new Shards({ shards: 1 });
  readonly space: Keyspace = this.shards.keyspaces[0]!;
  readonly old: OldValues = this.space.hooks.oldValues;
  picture = 0;

  begin(db = 0, isWhole = false): void {
    const pattern = (prefix: string, suffix: string) => ({
      prefix: latin1BytesOf(prefix),
      suffix: latin1BytesOf(suffix),
    });
    this.picture = this.old.begin({
      db,
      patterns: [pattern("w_", ""), pattern("h_", "_h")],
      fields: isWhole ? null : [latin1BytesOf("f"), latin1BytesOf("g")],
      nowMs: NOW_MS,
    });
  }

  /** What is noted of a key: "-" for nothing, null for no value. */
  noted(name: string, field = -1): string | null {
    const { old, picture, shards } = this;
    if (!old.find(picture, shards.key(name), field)) return "-";
    if (!old.isThere) return null;
    const bytes = old.buf.subarray(old.off, old.off + old.bytes);
    return String.fromCharCode(...bytes.slice(0, 20)) +
      (old.bytes > 20 ? `... ${old.bytes}` : "");
  }

  keep(...names: string[]): void {
    for (const name of names) keepOldOf(this.space, this.shards.key(name));
  }

  setHash(name: string, ...pairs: [string, string][]): void {
    const { space, shards } = this;
    const key = shards.key(name);
    const ref = space.peek(0, key) || space.create(0, key, TYPE_HASH);
    const { hashes } = space.values;
    for (const [field, value] of pairs) {
      const [a, b] = [latin1BytesOf(field), latin1BytesOf(value)];
      hashes.prepare(ref, 1, a.length + b.length);
      hashes.set(ref, a, 0, a.length, b, 0, b.length, 0);
    }
  }

  end(): void {
    this.old.close(this.picture);
    while (!this.old.free(this.picture, 2));
    assertEquals(this.space.control[SHARD_HOOKS], 0);
  }
}

Deno.test("a picture has what keys of its patterns had when it began", () => {
  const room = new Pictured();
  const { shards } = room;
  const long = "x".repeat(100_000);
  shards.set("w_1", "one");
  shards.set("w_2", "");
  shards.set("w_3", "three", NOW_MS);
  shards.set("w_4", "four", NOW_MS + 1);
  shards.set("v_1", "other");
  shards.set("h_h", "short");
  shards.set("w_db", "here", 0, 1);
  room.setHash("h_1_h", ["f", "F"], ["x", "X"]);
  room.setHash("w_h", ["g", long]);
  const used = shards.usedBytes;
  room.begin();
  const names = ["w_1", "w_2", "w_3", "w_4", "w_5", "v_1", "h_1_h", "w_h"];
  assertEquals(names.map((name) => room.noted(name)), names.map(() => "-"));
  room.keep(...names, "w_db", "h_h");
  for (const name of names) shards.set(name, "new");
  room.keep(...names);
  assertEquals(names.map((name) => room.noted(name)), [
    ...["one", "", null, "four", null, "-", null, null],
  ]);
  assertEquals(room.noted("h_1_h", 0), "F");
  assertEquals(room.noted("h_1_h", 1), null);
  assertEquals(room.noted("w_h", 1), `${"x".repeat(20)}... 100000`);
  // The prefix and the suffix do not overlap.
  assertEquals(room.noted("h_h"), "-");
  // The other database has a key of that name, this one had none.
  assertEquals(room.noted("w_db"), null);
  assertEquals(shards.get("w_db", 1), "here");
  for (const name of names) shards.delete(name);
  room.end();
  assert(shards.usedBytes < used);
  shards.delete("h_h");
  shards.delete("w_db", 1);

  shards.verify();
});

Deno.test("what comes, goes or lies in a run is noted, too", () => {
  const room = new Pictured();
  const { shards, space } = room;
  const key = shards.key("w_run");
  const run = space.externals.create(100_000);
  space.externals.setLength(run, 100_000);
  space.externals.bytes(run).fill(
    65,
    space.externals.offset(run),
    space.externals.offset(run) + 100_000,
  );
  space.strings.setExternal(0, key, 0, run, 0);
  shards.set("w_gone", "gone");
  room.begin();
  shards.set("w_new", "new");
  shards.delete("w_gone");
  keepOld(space, 0, space.peek(0, key));
  assert(space.externals.isShared(run));
  shards.delete("w_run");
  assertEquals(room.noted("w_new"), null);
  assertEquals(room.noted("w_gone"), "gone");
  assertEquals(room.noted("w_run"), `${"A".repeat(20)}... 100000`);
  assertEquals(room.old.run, run);
  room.end();
  shards.delete("w_new");
  shards.verifyEmpty();
});

Deno.test("hashes are noted as a whole if all fields are asked for", () => {
  const room = new Pictured();
  const { old, shards, space } = room;
  const names = ["h_1_h", "h_2_h", "h_3_h"];
  const keys = names.map((name) => shards.key(name));
  const refs = () => keys.map((key) => space.peek(0, key));
  for (const name of names) room.setHash(name, ["f", "F"], ["x", "X"]);
  shards.set("w_1", "one");
  room.begin(0, true);
  const first = room.picture;
  room.begin(0, true);
  assertEquals(space.control[SHARD_FLAGS], FLAG_OLD_HASHES);
  const isKept = () => keys.map((key, i) => old.keepsHash(0, key, refs()[i]!));
  assertEquals(isKept(), [true, true, true]);
  assertEquals(old.keepsHash(1, keys[0]!, refs()[0]!), false);
  room.keep("h_1_h", "h_2_h", "w_1");
  // Two pictures share the same value.
  assertEquals(refs().map((ref) => isShared(space, ref)), [true, true, false]);
  unshareValue(space, refs()[0]!);
  room.setHash("h_1_h", ["f", "new"], ["y", "Y"]);
  shards.delete("h_2_h");
  assertEquals(isKept()[0], false);
  const value = (picture: number, name: string, field: string) => {
    if (!old.find(picture, shards.key(name), 7)) return "-";
    if (old.reading === 0) return null;
    const { hashes } = space.values;
    const bytes = latin1BytesOf(field);
    if (!hashes.find(old.reading, bytes, 0, 1, NOW_MS)) return null;
    const { buf, off, length } = hashes.value;
    return String.fromCharCode(...buf.subarray(off, off + length));
  };
  for (const picture of [first, room.picture]) {
    for (const name of ["h_1_h", "h_2_h"]) {
      assertEquals(value(picture, name, "f"), "F");
      assertEquals(value(picture, name, "x"), "X");
      assertEquals(value(picture, name, "y"), null);
    }
    assertEquals(value(picture, "h_3_h", "f"), "-");
    assertEquals(value(picture, "w_1", "f"), null);
  }
  assertEquals(room.noted("w_1"), "one");
  old.close(first);
  while (!old.free(first, 1));
  assertEquals(value(room.picture, "h_1_h", "f"), "F");
  assertEquals(space.control[SHARD_FLAGS], FLAG_OLD_HASHES);
  room.end();
  assertEquals(space.control[SHARD_FLAGS], 0);
  for (const name of ["h_1_h", "h_3_h", "w_1"]) shards.delete(name);
  shards.verifyEmpty();
});

Deno.test("a long value is kept where it lies", () => {
  const room = new Pictured();
  const { shards, space } = room;
  const long = "v".repeat(200_000);
  room.setHash("h_1_h", ["f", long], ["g", long]);
  room.begin();
  const used = shards.usedBytes;
  room.keep("h_1_h");
  assert(shards.usedBytes - used < long.length);
  space.delete(0, space.peek(0, shards.key("h_1_h")));
  for (const field of [0, 1]) {
    assertEquals(room.noted("h_1_h", field), `${"v".repeat(20)}... 200000`);
  }
  room.end();
  shards.verifyEmpty();
});

Deno.test("a key that is changed bit by bit is noted only afterwards", () => {
  const room = new Pictured();
  const { shards, space } = room;
  const key = shards.key("w_1");
  shards.set("w_1", "before");
  const place = lockKey(space, 0, key, true, 1, 0, NOW_MS, PLACE_IN_PLACE);
  const other = lockKey(space, 0, shards.key("w_2"), true, 2, 0, NOW_MS);
  room.begin();
  room.keep("w_1", "w_2");
  assertEquals(room.noted("w_1"), "-");
  assertEquals(room.noted("w_2"), null);
  shards.set("w_1", "after");
  unlockKey(space, place, NOW_MS);
  room.keep("w_1");
  assertEquals(room.noted("w_1"), "after");
  unlockKey(space, other, NOW_MS);
  shards.delete("w_1");
  room.end();
  shards.verifyEmpty();
});

Deno.test("a picture goes along with its database, and ends with it", () => {
  const room = new Pictured();
  const { old, shards } = room;
  room.begin(1);
  const first = room.picture;
  room.begin(0);
  old.swapped(1, 2);
  assertEquals([first, room.picture].map((each) => old.database(each)), [2, 0]);
  old.emptied(2);
  assertEquals(old.state(first), PICTURE_EMPTIED);
  assertEquals(old.state(room.picture), PICTURE_OPEN);
  old.close(first);
  assert(old.free(first, 1));
  room.end();
  shards.verifyEmpty();
});

Deno.test("a picture is spoiled when there is no memory for a note", () => {
  const room = new Pictured();
  const { old, shards, space } = room;
  room.begin();
  const taken: number[] = [];
  for (let units = 1 << 12; units > 0; units >>= 1) {
    for (;;) {
      const ref = space.heap.tryAllocate(units);
      if (ref === 0) break;
      taken.push(ref);
    }
  }
  for (let i = 0; old.state(room.picture) === PICTURE_OPEN; i++) {
    room.keep(`w_${i}`);
  }
  assertEquals(old.state(room.picture), PICTURE_SPOILED);
  for (const ref of taken) space.heap.free(ref);
  room.end();
  shards.verifyEmpty();
});
