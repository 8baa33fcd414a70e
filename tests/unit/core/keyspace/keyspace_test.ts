/** Entries of a shard: src/core/keyspace/keyspace.ts and transfer.ts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { equalBytes } from "../../../../src/core/base/bytes.ts";
import { hashSlot } from "../../../../src/core/base/crc16.ts";
import { halfSipHash } from "../../../../src/core/base/half_siphash.ts";
import {
  EXTERNAL_BYTES_MIN,
  STRING_EMBEDDED,
  STRING_EXTERNAL,
  STRING_RAW,
} from "../../../../src/core/types/entry.ts";
import { Key } from "../../../../src/core/keyspace/key.ts";
import type { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import { allocatedBytes } from "../../../../src/core/keyspace/entry_facts.ts";
import { defragmentEntry } from "../../../../src/core/keyspace/defragment.ts";
import {
  expiresAt,
  keysAt,
} from "../../../../src/core/keyspace/shard_control.ts";
import {
  copyEntry,
  moveEntry,
} from "../../../../src/core/keyspace/transfer.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import { CLASS_UNITS } from "../../../../src/core/memory/size_classes.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { randomMix, ROUNDS } from "../memory/_memory.ts";
import { Shards } from "./_fixture.ts";

const OPERATIONS = 60_000;
const DATABASES = 3;

Deno.test("a string grows in place, into a larger place, into its own run", () => {
  const shards = new Shards({ shards: 1 });
  const space = shards.keyspaces[0]!;
  shards.set("k", "0123456789");
  let ref = space.peek(0, shards.key("k"));
  for (const length of [12, 100, 20_000, EXTERNAL_BYTES_MIN, 200_000]) {
    ref = space.strings.resize(0, ref, length, STRING_RAW);
    assertEquals(space.peek(0, shards.key("k")), ref);
    assertEquals(space.strings.length(ref), length);
    assertEquals(shards.get("k")!.slice(0, 10), "0123456789");
    assertEquals(
      space.encoding(ref) === STRING_EXTERNAL,
      length >= EXTERNAL_BYTES_MIN,
    );
  }
  shards.delete("k");
  shards.verifyEmpty();
});

Deno.test("an expire comes and goes and the value stays", () => {
  const shards = new Shards({ shards: 1 });
  const space = shards.keyspaces[0]!;
  shards.set("k", "value");
  let ref = space.peek(0, shards.key("k"));
  ref = space.setExpire(0, ref, 5000);
  assertEquals([space.expiresCount(0), space.expireAt(ref)], [1, 5000]);
  assertEquals([space.isExpired(ref, 4999), space.isExpired(ref, 5000)], [
    false,
    true,
  ]);
  ref = space.setExpire(0, ref, 6000);
  assertEquals([space.expiresCount(0), space.expireAt(ref)], [1, 6000]);
  assertEquals(shards.get("k"), "value");
  ref = space.setExpire(0, ref, 0);
  assertEquals([space.expiresCount(0), space.expireAt(ref)], [0, 0]);
  assertEquals(shards.get("k"), "value");

  space.setExpire(0, ref, 7000);
  assertEquals(space.lookupWrite(0, shards.key("k"), 7000), 0);
  assertEquals([space.count(0), space.expiresCount(0)], [0, 0]);
  shards.verifyEmpty();
});

Deno.test("a run that a reply still sends is left alone", () => {
  const shards = new Shards({ shards: 1 });
  const space = shards.keyspaces[0]!;
  shards.set("k", "a".repeat(EXTERNAL_BYTES_MIN));
  const ref = space.peek(0, shards.key("k"));
  const run = space.valueRef(ref);
  space.externals.pin(run);
  const moved = space.strings.resize(
    0,
    ref,
    EXTERNAL_BYTES_MIN + 1,
    STRING_RAW,
  );
  space.strings.bytes(moved)[space.strings.off(moved)] = 98;
  shards.delete("k");
  assertEquals(space.externals.length(run), EXTERNAL_BYTES_MIN);
  assertEquals(space.externals.bytes(run)[space.externals.offset(run)], 97);
  space.externals.unpin(run);
  shards.verifyEmpty();
});

Deno.test("a write that finds no room has changed nothing", () => {
  const shards = new Shards({ shards: 1, arenaBytes: 160 << 10 });
  const fill = () => {
    for (let i = 0;; i++) shards.set(`fill:${i}`, "x".repeat(i % 300));
  };
  shards.set("k", "value");
  assertThrows(fill, OutOfMemory);
  shards.verify();
  const count = shards.count();
  assertThrows(() => shards.set("new", "x".repeat(9000)), OutOfMemory);
  assertThrows(() => shards.set("k", "x".repeat(9000)), OutOfMemory);
  assertThrows(() => shards.set("k", "x".repeat(90_000)), OutOfMemory);
  assertEquals([shards.get("k"), shards.get("new")], ["value", null]);
  assertEquals(shards.count(), count);
  shards.verify();
});

seeded("keyspaces do what a Map does", (random) => {
  new KeyspaceRun(random, 64 << 20).run();
}, { count: ROUNDS });

seeded("keyspaces in a full arena lose nothing", (random) => {
  const run = new KeyspaceRun(random, random.between(64 << 10, 512 << 10));
  run.run();
  assert(run.failures > 0, "the arena was full at times");
}, { count: ROUNDS * 4 });

/** What a key should be. */
interface Modelled {
  length: number;
  /** Byte `i` of the value is `seed + i * 7`. */
  seed: number;
  expireAtMs: number;
}

/** A run that a reply refers to, and what it should hold. */
interface Pinned {
  space: Keyspace;
  run: number;
  value: Modelled;
}

const SOURCE = new Uint8Array(1 << 17);

/** One random script over several shards and databases. */
class KeyspaceRun {
  failures = 0;
  readonly #random: Random;
  readonly #shards: Shards;
  /** Per database, by the key's number. */
  readonly #model = Array.from(
    { length: DATABASES },
    () => new Map<number, Modelled>(),
  );
  readonly #pinned: Pinned[] = [];
  readonly #keyCount: number;

  constructor(random: Random, arenaBytes: number) {
    this.#random = random;
    this.#shards = new Shards({ shards: 2, databases: DATABASES, arenaBytes });
    this.#keyCount = random.pick([10, 300, 3000]);
  }

  run(): void {
    const draw = randomMix(this.#random, [
      ...["set", "set", "make", "resize", "expire", "delete", "check"],
      ...["move", "copy", "defragment", "pin", "unpin", "swap"],
    ]);
    for (let i = 0; i < OPERATIONS; i++) {
      const name = draw();
      try {
        this.#apply(name);
      } catch (error) {
        if (!(error instanceof OutOfMemory)) throw error;
        this.failures++;
        // Somebody goes, so that not all of the run is failures.
        if (this.#random.chance(0.3)) this.#delete();
      }
      if (i % 4000 === 0) this.#verify();
    }
    this.#verify();
    while (this.#pinned.length > 0) this.#unpin();
    for (let db = 0; db < DATABASES; db++) {
      for (const id of [...this.#model[db]!.keys()]) this.#deleteId(db, id);
    }
    this.#shards.verifyEmpty();
  }

  #apply(name: string): void {
    if (name === "set") this.#set();
    else if (name === "make") this.#make();
    else if (name === "resize") this.#resize();
    else if (name === "expire") this.#expire();
    else if (name === "delete") this.#delete();
    else if (name === "check") this.#check(this.#db(), this.#id());
    else if (name === "move" || name === "copy") this.#transfer(name);
    else if (name === "defragment") this.#defragment();
    else if (name === "pin") this.#pin();
    else if (name === "unpin") this.#unpin();
    else this.#swap();
  }

  #db(): number {
    return this.#random.below(DATABASES);
  }

  #id(): number {
    return this.#random.below(this.#keyCount);
  }

  /** Keys are any bytes, of many lengths. */
  #key(id: number): Key {
    const key = new Key();
    key.off = id % 5;
    key.length = id % 40 === 39 ? 300 : 3 + id % 30;
    key.buf = new Uint8Array(key.off + key.length).fill(id * 31);
    key.buf[key.off] = id;
    key.buf[key.off + 1] = id >> 8;
    key.hash = halfSipHash(key.buf, key.off, key.length, 3, 4);
    key.shard = hashSlot(key.buf, key.off, key.length) % 2;
    return key;
  }

  /** Lengths around the borders of size classes, and of external strings. */
  #length(): number {
    const random = this.#random;
    if (random.chance(0.5)) return random.between(0, 100);
    if (random.chance(0.2)) return random.between(0, 70_000);
    if (random.chance(0.1)) return EXTERNAL_BYTES_MIN + random.between(-3, 3);
    const border = CLASS_UNITS[random.below(CLASS_UNITS.length)]! * 8;
    return Math.max(0, border - 30 + random.between(-20, 12));
  }

  #expireAtMs(): number {
    return this.#random.chance(0.5) ? 0 : this.#random.between(1, 1 << 30);
  }

  #set(): void {
    const [db, id] = [this.#db(), this.#id()];
    const key = this.#key(id);
    const space = this.#shards.space(key);
    const value = this.#newValue();
    write(value, SOURCE, 5, 0);
    space.strings.set(
      db,
      key,
      space.peek(db, key),
      SOURCE,
      5,
      value.length,
      value.length <= 44 ? STRING_EMBEDDED : STRING_RAW,
      value.expireAtMs,
    );
    this.#model[db]!.set(id, value);
  }

  #make(): void {
    const [db, id] = [this.#db(), this.#id()];
    const key = this.#key(id);
    const space = this.#shards.space(key);
    const existing = space.peek(db, key);
    const value = this.#newValue();
    const { length, expireAtMs } = value;
    const ref = space.strings.make(
      db,
      key,
      existing,
      length,
      STRING_RAW,
      expireAtMs,
    );
    write(value, space.strings.bytes(ref), space.strings.off(ref), 0);
    this.#model[db]!.set(id, value);
  }

  #newValue(): Modelled {
    return {
      length: this.#length(),
      seed: this.#random.below(256),
      expireAtMs: this.#expireAtMs(),
    };
  }

  #resize(): void {
    const { db, space, ref, value } = this.#anyEntry();
    if (ref === 0) return;
    const kept = value.length;
    const length = this.#random.chance(0.5)
      ? this.#length()
      : kept + this.#random.between(0, 20);
    const moved = space.strings.resize(db, ref, length, STRING_RAW);
    value.length = length;
    const [bytes, off] = [space.strings.bytes(moved), space.strings.off(moved)];
    write(value, bytes, off, Math.min(kept, length));
  }

  #expire(): void {
    const { db, space, ref, value } = this.#anyEntry();
    if (ref === 0) return;
    const expireAtMs = this.#expireAtMs();
    space.setExpire(db, ref, expireAtMs);
    value.expireAtMs = expireAtMs;
  }

  #delete(): void {
    const db = this.#db();
    this.#deleteId(db, this.#id());
  }

  #deleteId(db: number, id: number): void {
    const key = this.#key(id);
    const space = this.#shards.space(key);
    const ref = space.peek(db, key);
    assertEquals(ref !== 0, this.#model[db]!.delete(id));
    if (ref !== 0) space.delete(db, ref);
  }

  #transfer(name: "move" | "copy"): void {
    const { db, id, space, ref, value } = this.#anyEntry();
    const [toDb, toId] = [this.#db(), this.#id()];
    if (ref === 0 || (toDb === db && toId === id)) return;
    const key = this.#key(toId);
    const target = this.#shards.space(key);
    const existing = target.peek(toDb, key);
    if (name === "move") {
      moveEntry(space, db, ref, target, toDb, key, existing);
      this.#model[db]!.delete(id);
    } else copyEntry(space, ref, target, toDb, key, existing);
    this.#model[toDb]!.set(toId, { ...value });
  }

  #defragment(): void {
    for (const { heap } of this.#shards.keyspaces) heap.preferFullSlabs();
    for (let i = 0; i < 10; i++) {
      const { db, space, ref } = this.#anyEntry();
      if (ref !== 0) defragmentEntry(space, db, ref);
    }
  }

  #pin(): void {
    const { space, ref, value } = this.#anyEntry();
    if (ref === 0 || space.encoding(ref) !== STRING_EXTERNAL) return;
    const run = space.valueRef(ref);
    space.externals.pin(run);
    this.#pinned.push({ space, run, value: { ...value } });
  }

  #unpin(): void {
    const pinned = this.#pinned.shift();
    if (pinned === undefined) return;
    const { space: { externals }, run, value } = pinned;
    assertEquals(externals.length(run), value.length);
    check(value, externals.bytes(run), externals.offset(run));
    externals.unpin(run);
  }

  #swap(): void {
    const [a, b] = [this.#db(), this.#db()];
    for (const space of this.#shards.keyspaces) space.swap(a, b);
    const model = this.#model[a]!;
    this.#model[a] = this.#model[b]!;
    this.#model[b] = model;
  }

  #anyEntry(): {
    db: number;
    id: number;
    space: Keyspace;
    ref: number;
    value: Modelled;
  } {
    const [db, id] = [this.#db(), this.#id()];
    const key = this.#key(id);
    const space = this.#shards.space(key);
    const value = this.#model[db]!.get(id);
    const ref = space.peek(db, key);
    assertEquals(ref !== 0, value !== undefined);
    return { db, id, space, ref, value: value! };
  }

  #check(db: number, id: number): void {
    const key = this.#key(id);
    const space = this.#shards.space(key);
    const ref = space.peek(db, key);
    const value = this.#model[db]!.get(id);
    if (value === undefined) return assertEquals(ref, 0);
    assert(ref !== 0, "a key is lost");
    assertEquals(space.strings.length(ref), value.length);
    assertEquals(space.expireAt(ref), value.expireAtMs);
    assert(
      equalBytes(
        key.buf,
        key.off,
        key.length,
        space.bytes(ref),
        space.keyOff(ref),
        space.keyLength(ref),
      ),
    );
    check(value, space.strings.bytes(ref), space.strings.off(ref));
  }

  /** All values, the invariants, and that every byte is accounted for. */
  #verify(): void {
    this.#shards.verify();
    for (let db = 0; db < DATABASES; db++) {
      const model = this.#model[db]!;
      assertEquals(this.#shards.count(db), model.size);
      let expires = 0;
      for (const [id, value] of model) {
        this.#check(db, id);
        if (value.expireAtMs !== 0) expires++;
      }
      const spaces = this.#shards.keyspaces;
      assertEquals(
        spaces.reduce((sum, space) => sum + space.expiresCount(db), 0),
        expires,
      );
    }
    for (const space of this.#shards.keyspaces) {
      let bytes = 0;
      for (let db = 0; db < DATABASES; db++) {
        const { control, dict } = space;
        const keys = keysAt(db);
        bytes += dict.tableBytes(control, keys);
        bytes += dict.tableBytes(control, expiresAt(db));
        let cursor = 0;
        do {
          cursor = dict.scan(control, keys, cursor, (ref) => {
            bytes += allocatedBytes(space, ref, 0);
          });
        } while (cursor !== 0);
      }
      assertEquals(space.heap.usedBytes, bytes);
    }
  }
}

function write(
  { length, seed }: Modelled,
  bytes: Uint8Array,
  off: number,
  from: number,
): void {
  for (let i = from; i < length; i++) bytes[off + i] = seed + i * 7;
}

function check(
  { length, seed }: Modelled,
  bytes: Uint8Array,
  off: number,
): void {
  for (let i = 0; i < length; i++) {
    if (bytes[off + i] === (seed + i * 7 & 255)) continue;
    throw new Error(`byte ${i} of ${length} is wrong`);
  }
}
