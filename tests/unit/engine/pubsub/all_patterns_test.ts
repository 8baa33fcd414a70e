import { assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { CHANGED_PATTERNS } from "../../../../src/core/keyspace/shard_control.ts";
import { PATTERN } from "../../../../src/core/keyspace/subscriber_counts.ts";
import { PROCESS_PATTERNS_VERSION } from "../../../../src/engine/messages/shared_state.ts";
import {
  AllPatterns,
  PATTERN_SHARD,
} from "../../../../src/engine/pubsub/all_patterns.ts";
import { seeded } from "../../../_harness.ts";
import type { Random } from "../../../_random.ts";
import { Shards } from "../../core/keyspace/_fixture.ts";

const WORKERS = 3;
const NAMES = 1500;

/** Subscriptions to patterns, and a plain model of them. */
class World {
  readonly shards = new Shards({ shards: 1 });
  readonly process = new Int32Array(new SharedArrayBuffer(256));
  /** Subscribers per worker, by pattern. */
  readonly model = new Map<string, number[]>();
  /** What others do before a latch is taken. */
  before: () => void = () => {};
  /** What the model had when the last number was drawn. */
  drawn = "";
  readonly all: readonly AllPatterns[];

  constructor() {
    const { keyspaces } = this.shards;
    this.all = Array.from({ length: WORKERS }, () =>
      new AllPatterns({
        keyspaces,
        process: this.process,
        workers: WORKERS,
        latches: { acquire: () => this.before(), release() {} },
        draw: () => {
          this.drawn = this.matching();
          return 1;
        },
      }));
  }

  change(name: string, worker: number, by: 1 | -1): void {
    const patterns = this.model.size;
    const counts = this.model.get(name) ?? Array(WORKERS).fill(0);
    if (by < 0 && counts[worker] === 0) return;
    counts[worker] += by;
    this.model.set(name, counts);
    if (counts.every((count: number) => count === 0)) this.model.delete(name);
    const version = ++this.process[PROCESS_PATTERNS_VERSION]!;
    const { channels } = this.shards.keyspaces[PATTERN_SHARD]!;
    const key = this.shards.key(name);
    const parts = { version, patterns, worker, workers: WORKERS };
    channels.countPattern(key, by, parts);
    assertEquals(
      channels.find(PATTERN, key) !== 0,
      this.model.has(name),
    );
  }

  changeSome(random: Random, count: number): void {
    for (let i = 0; i < count; i++) {
      const by = random.below(2) === 0 ? 1 : -1;
      // Some are longer than what is kept when nobody has it.
      const name = `p${random.below(NAMES)}`;
      const more = name.endsWith("99") ? "9".repeat(300) : "";
      this.change(`${name}${more}*`, random.below(WORKERS), by);
    }
  }

  matching(): string {
    const sums = Array(WORKERS).fill(0);
    for (const [name, counts] of this.model) {
      if (!"p77".startsWith(name.slice(0, -1))) continue;
      counts.forEach((count, worker) => sums[worker] += count);
    }
    return `${this.model.size} ${sums}`;
  }

  /** What a worker counts for a message. */
  publish(worker: number): string {
    const all = this.all[worker]!;
    all.catchUp();
    const sums = Array(WORKERS).fill(0);
    all.match(latin1BytesOf("p77"), (counts) => {
      counts.forEach((count, worker) => sums[worker] += count);
    });
    return `${all.count} ${sums}`;
  }

  expectEmpty(): void {
    for (const [name, counts] of [...this.model]) {
      counts.forEach((count, worker) => {
        for (let i = 0; i < count; i++) this.change(name, worker, -1);
      });
    }
    assertEquals(this.shards.usedBytes, 0);
  }
}

for (
  const [how, most] of [["few", 3], ["many", 2 * CHANGED_PATTERNS]] as const
) {
  seeded(
    `all patterns are known when a number is drawn: ${how} changes`,
    (random) => {
      const world = new World();
      world.changeSome(random, 3000);
      world.before = () => world.changeSome(random, random.below(most + 1));
      for (let step = 0; step < (how === "few" ? 200 : 20); step++) {
        world.changeSome(
          random,
          random.below(10) === 0 ? 800 : random.below(5),
        );
        const counted = world.publish(random.below(WORKERS));
        assertEquals(counted, world.drawn);
      }
      world.before = () => {};
      for (let worker = 0; worker < WORKERS; worker++) {
        assertEquals(world.publish(worker), world.matching());
      }
      world.expectEmpty();
    },
    { count: 3 },
  );
}
