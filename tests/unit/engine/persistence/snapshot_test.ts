/**
 * Snapshots of shards without a server, onto a disk that fails when told to.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  canDetach,
  detachDatabase,
  reclaimSlice,
} from "../../../../src/core/keyspace/reclaim.ts";
import type { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import { isLargeValue } from "../../../../src/core/rdb/rdb_large_value.ts";
import { STRING_RAW, TYPE_HASH } from "../../../../src/core/types/entry.ts";
import { Latches } from "../../../../src/engine/latch/shard_latches.ts";
import {
  FACTS,
  LAST_SAVE_FAILED,
  SAVES,
  SAVING,
} from "../../../../src/engine/persistence/persistence_facts.ts";
import {
  PROCESS_KEEPS_OLD,
  PROCESS_SNAPSHOT_BYTES,
} from "../../../../src/engine/persistence/snapshot_protocol.ts";
import type { WatchedHold } from "../../../../src/engine/compute/value_holds.ts";
import { SnapshotSource } from "../../../../src/engine/persistence/snapshot_source.ts";
import { SnapshotTaker } from "../../../../src/engine/persistence/snapshot_taker.ts";
import { Snapshots } from "../../../../src/engine/persistence/snapshots.ts";
import { FaultyDisk } from "../../../_faulty_disk.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { digestsOf, digestsOfFile } from "../../../persistence/_snapshots.ts";
import { Shards } from "../../core/keyspace/_fixture.ts";
import {
  keepOld,
  keepOldOf,
} from "../../../../src/core/keyspace/snapshot_marks.ts";

const WORKERS = 3;
const PATH = "/data/dump.rdb";

/** Workers, taker and disk, in one thread; messages come in any order. */
class World {
  readonly disk = new FaultyDisk();
  readonly shards: Shards;
  readonly facts = new Float64Array(FACTS);
  readonly snapshots: Snapshots;
  readonly log: string[] = [];
  readonly #process = new Int32Array(new SharedArrayBuffer(256));
  readonly #sources: SnapshotSource[] = [];
  readonly random: Random;
  /** What is under way: a queue per sender and receiver, and timers. */
  readonly #queues = new Map<string, (() => void)[]>();
  /** What there was at the last cut. */
  atCut = new Map<string, string>();
  /** The worker that changes what is about to be changed. */
  changer = 0;
  /** Values that are held. */
  holds = 0;

  constructor(random: Random) {
    this.random = random;
    this.shards = new Shards({
      shards: 6,
      saver: {
        save: (space, db, ref) =>
          this.#sources[this.changer]!.save(space, db, ref),
      },
    });
    this.shards.settings.load([]);
    const { keyspaces, counters, clock } = this.shards;
    const controls = keyspaces.map(({ control }) => control);
    let elapsedMs = 0;
    const taker: SnapshotTaker = new SnapshotTaker({
      workers: WORKERS,
      process: this.#process,
      order: (worker, order) =>
        this.#post(`to ${worker}`, () => {
          this.changer = worker;
          this.#sources[worker]!.order(order);
        }),
      progress: () => {},
    });
    for (let worker = 0; worker < WORKERS; worker++) {
      this.#sources.push(
        new SnapshotSource({
          worker,
          keyspaces,
          owned: keyspaces.filter(({ shard }) => shard % WORKERS === worker),
          latches: new Latches(controls, counters, false, true),
          clock,
          process: this.#process,
          nextTicket: () => 7,
          changes: () => 0,
          hold: () => this.random.chance(0.5) ? null : this.#hold(),
          monotonicMs: () => elapsedMs += 0.3,
          later: (run) =>
            this.#post(`timer ${worker}`, () => {
              this.changer = worker;
              run();
            }),
          report: (report) =>
            this.#post(`from ${worker}`, () => taker.report(report)),
        }),
      );
    }
    this.snapshots = new Snapshots({
      taker,
      disk: this.disk,
      facts: this.facts,
      nowMs: () => 1_000_000,
      unique: "test",
      log: (_level, text) => this.log.push(text),
      statusChanged: () => {},
    });
  }

  #hold(): WatchedHold {
    let isHeld = true;
    this.holds++;
    return {
      hurry: null,
      isWanted: () => this.random.chance(0.1),
      release: () => {
        if (isHeld) this.holds--;
        isHeld = false;
      },
    };
  }

  #post(queue: string, run: () => void): void {
    const queued = this.#queues.get(queue);
    if (queued === undefined) this.#queues.set(queue, [run]);
    else queued.push(run);
  }

  /** Takes a snapshot; `between` is called between any two messages. */
  async save(between: () => void = () => {}): Promise<string | null> {
    let outcome: string | null | undefined;
    let wasCut = false;
    const saving = this.snapshots.save({
      folder: "/data",
      name: "dump.rdb",
      compresses: true,
      sums: true,
      notes: 0,
      share: 0.5,
      texts: [["redis-ver", "7.2.4"]],
    }).then((settled) => outcome = settled);
    for (let n = 0; outcome === undefined; n++) {
      assert(n < 1_000_000, "the snapshot ends");
      const names = [...this.#queues.keys()];
      if (names.length > 0) {
        const name = this.random.pick(names);
        const queue = this.#queues.get(name)!;
        queue.shift()!();
        if (queue.length === 0) this.#queues.delete(name);
        this.changer = this.random.below(WORKERS);
        if (this.isCut && !wasCut) this.atCut = digestsOf(this.shards);
        wasCut = this.isCut;
        between();
      }
      await Promise.resolve();
      if (names.length === 0) await new Promise((r) => setTimeout(r, 0));
    }
    await saving;
    assertEquals(this.#process[PROCESS_KEEPS_OLD], 0);
    assertEquals(this.#process[PROCESS_SNAPSHOT_BYTES], 0);
    assertEquals(this.facts[SAVING], 0);
    assertEquals(this.holds, 0);
    return outcome;
  }

  /** Whether the cut has been made, and is not over. */
  get isCut(): boolean {
    return this.#process[PROCESS_KEEPS_OLD] !== 0;
  }

  /** A hash of so many fields. */
  makeHash(name: string, fields: number, value: string): void {
    const key = this.shards.key(name);
    const space = this.shards.space(key);
    const begun = space.begun.begin(TYPE_HASH);
    const bytes = latin1BytesOf(value);
    for (let i = 0; i < fields; i++) {
      const field = latin1BytesOf(`field ${i}`);
      space.values.hashes.set(
        ...[begun, field, 0, field.length] as const,
        ...[bytes, 0, bytes.length, 0] as const,
      );
    }
    const existing = space.peek(0, key);
    if (existing !== 0) keepOld(space, 0, existing);
    space.begun.store(0, key, existing, 0);
  }

  /** Gives a hash a value of so many bytes; returns where it is. */
  lengthen(name: string, field: number, bytes: number): [Keyspace, number] {
    const key = this.shards.key(name);
    const space = this.shards.space(key);
    const ref = space.peek(0, key);
    const text = latin1BytesOf(`field ${field}`);
    space.values.hashes.set(
      ...[ref, text, 0, text.length] as const,
      ...[new Uint8Array(bytes).fill(65), 0, bytes, 0] as const,
    );
    return [space, ref];
  }

  fill(): void {
    for (let i = 0; i < 600; i++) {
      this.shards.set(`key:${i}`, `${i}`.repeat(i % 40), 0, i % 3);
    }
    for (let i = 0; i < 5; i++) {
      this.makeHash(`large:${i}`, 2500, "v".repeat(99));
    }
    // One field of many.
    this.makeHash("large:5", 300, "v".repeat(99));
    this.lengthen("large:5", 200, 150_000);
    this.shards.set("string:0", "0".repeat(70_000));
    // Too long to be compressed.
    this.shards.set("string:1", "1".repeat(1_050_000));
  }

  /** Changes something, saving what it was. */
  change(random: Random): void {
    const { shards } = this;
    if (random.chance(0.02)) {
      for (const space of shards.keyspaces) {
        space.hooks.signalDatabase(1);
        space.swap(1, 2);
      }
      return;
    }
    if (random.chance(0.01)) {
      if (!shards.keyspaces.every((space) => canDetach(space, 1))) return;
      for (const space of shards.keyspaces) detachDatabase(space, 2);
      return;
    }
    if (random.chance(0.1)) {
      for (const space of shards.keyspaces) reclaimSlice(space, 50);
      return;
    }
    const name = random.chance(0.03)
      ? `large:${random.below(6)}`
      : random.chance(0.02)
      ? `string:${random.below(2)}`
      : `key:${random.below(700)}`;
    const key = shards.key(name);
    const space = shards.space(key);
    if (random.chance(0.5)) {
      this.#sources[this.changer]!.reserve(space, 0, key, false);
    }
    keepOldOf(space, key);
    const db = name.startsWith("key") ? random.below(3) : 0;
    if (name.startsWith("string") && random.chance(0.7)) {
      const ref = space.peek(0, key);
      if (ref === 0) return;
      // In its place, unless somebody reads it.
      const length = space.strings.length(ref) + 9;
      space.strings.resize(0, ref, length, STRING_RAW);
      space.strings.bytes(ref).fill(
        65,
        space.strings.off(ref),
        space.strings.off(ref) + length,
      );
      return;
    }
    if (random.chance(0.5)) shards.delete(name, db);
    else if (db !== 0 || name.startsWith("key")) {
      shards.set(name, "new".repeat(random.below(20)), 0, db);
    }
  }

  /** Frees all, and checks that nothing is left. */
  end(): void {
    for (const space of this.shards.keyspaces) {
      for (let db = 0; db < space.databases; db++) {
        while (reclaimSlice(space, 1 << 20));
        detachDatabase(space, db);
        while (reclaimSlice(space, 1 << 20));
      }
    }
    this.shards.verifyEmpty();
  }
}

seeded("a snapshot is as at its cut, whatever changes", async (random) => {
  const world = new World(random);
  world.fill();
  for (let n = 0; n < 3; n++) {
    const outcome = await world.save(() => world.change(random));
    assertEquals(outcome, null);
    assertEquals(world.facts[SAVES], n + 1);
    assertEquals(
      [...digestsOfFile(world.disk.contents(PATH))].sort(),
      [...world.atCut].sort(),
    );
    world.shards.verify();
  }
  world.end();
}, { count: 8 });

seeded("a long element makes a value large, wherever it lies", (random) => {
  const world = new World(random);
  for (let field = 0; field < 600; field += 50) {
    world.makeHash("hash", 600, "v".repeat(99));
    const [space, ref] = world.lengthen("hash", field, 99);
    assert(!isLargeValue(space, ref));
    world.lengthen("hash", field, 150_000);
    assert(isLargeValue(space, ref));
  }
  world.end();
}, { count: 1 });

/** Ways in which a disk fails, and what is said of it. */
const FAILURES: readonly [string, RegExp, (disk: FaultyDisk) => void][] = [
  ["no room", /No space left/, (disk) => disk.capacity = disk.used + 20_000],
  ["no file", /Cannot open/, (disk) => disk.fail("open", "EIO")],
  ["a write", /Cannot write/, (disk) => disk.fail("write", "EIO", 1)],
  ["a sync", /Cannot sync/, (disk) => disk.fail("sync", "EIO", 1)],
  ["the rename", /Cannot rename/, (disk) => disk.fail("rename", "EIO", 1)],
];

seeded(
  "a disk that fails costs the new file, never the old one",
  async (random) => {
    const world = new World(random);
    world.fill();
    assertEquals(await world.save(), null);
    for (const [name, message, breakDisk] of FAILURES) {
      const old = world.disk.contents(PATH);
      breakDisk(world.disk);
      const outcome = await world.save(() => world.change(random));
      assertMatch(String(outcome), message, name);
      assertEquals(world.facts[LAST_SAVE_FAILED], 1);
      world.disk.heal();
      assertEquals(world.disk.contents(PATH), old);
      assertEquals(world.disk.list("/data"), ["dump.rdb"], name);
      // Nothing of it is left in the shards: the next one is complete.
      assertEquals(await world.save(() => world.change(random)), null);
      assertEquals(world.facts[LAST_SAVE_FAILED], 0);
      assertEquals(
        [...digestsOfFile(world.disk.contents(PATH))].sort(),
        [...world.atCut].sort(),
        name,
      );
      world.shards.verify();
    }
    world.end();
  },
  { count: 3 },
);

seeded("short writes make a whole file", async (random) => {
  const world = new World(random);
  world.fill();
  world.disk.writeMax = 1000;
  assertEquals(await world.save(() => world.change(random)), null);
  assertEquals(
    [...digestsOfFile(world.disk.contents(PATH))].sort(),
    [...world.atCut].sort(),
  );
  assert(world.log.at(-1)!.startsWith("DB saved on disk"));
}, { count: 1 });
