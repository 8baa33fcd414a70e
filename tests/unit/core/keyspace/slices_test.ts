/**
 * Big values do no big work at one time: what is freed, counted in allocations,
 * stays within the budget of a slice, and an element that is added costs a few
 * allocations, however large the value is.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import {
  detachDatabase,
  hasDetached,
  reclaimSlice,
} from "../../../../src/core/keyspace/reclaim.ts";
import {
  releaseValue,
  shareValue,
} from "../../../../src/core/keyspace/shared_value.ts";
import { Executor, hasCommand } from "../commands/_executor.ts";

/** How a large value of one kind is made. */
interface Kind {
  name: string;
  /** Adds element `i` to the value of `key`. */
  add: (key: string, i: number) => string[];
  /** What is done to the whole once its elements are there. */
  finish?: (key: string, count: number) => string[][];
  /** Commands that it takes. */
  needs: readonly string[];
}

const KINDS: readonly Kind[] = [
  {
    name: "hash",
    add: (key, i) => ["HSET", key, `field:${i}`, `value:${i}`],
    needs: ["hset"],
  },
  {
    name: "hash of fields that expire",
    add: (key, i) => ["HSET", key, `field:${i}`, `value:${i}`],
    finish: (key, count) =>
      Array.from(
        { length: count },
        (
          _,
          i,
        ) => ["HPEXPIRE", key, `${9e6 + i}`, "FIELDS", "1", `field:${i}`],
      ),
    needs: ["hset", "hpexpire"],
  },
  {
    name: "set",
    add: (key, i) => ["SADD", key, `member:${i}`],
    needs: ["sadd"],
  },
  {
    name: "set of integers",
    add: (key, i) => ["SADD", key, `${i * 7}`],
    needs: ["sadd"],
  },
  {
    name: "sorted set",
    add: (key, i) => ["ZADD", key, `${(i * 7919) % 10007}`, `member:${i}`],
    needs: ["zadd"],
  },
  {
    name: "list",
    add: (key, i) => ["RPUSH", key, `element:${i}:${"x".repeat(100)}`],
    needs: ["rpush"],
  },
  {
    name: "list of long elements",
    add: (key, i) => ["LPUSH", key, `${i}:${"x".repeat(20_000)}`],
    needs: ["lpush"],
  },
  {
    name: "stream",
    add: (key, i) => ["XADD", key, `${i + 1}-1`, "field", `value:${i}`],
    needs: ["xadd"],
  },
  {
    name: "stream with a group that has not acknowledged",
    add: (key, i) => ["XADD", key, `${i + 1}-1`, "field", `value:${i}`],
    finish: (key) => [
      ["XGROUP", "CREATE", key, "group", "0"],
      ["XREADGROUP", "GROUP", "group", "consumer", "STREAMS", key, ">"],
    ],
    needs: ["xadd", "xgroup|create", "xreadgroup"],
  },
];

const COUNT = 8000;
const BUDGET = 40;
/**
 * Most allocations that one slice frees: a bucket is freed as a whole, and with
 * an element may go what hangs on it.
 */
const SLICE_MAX = 4 * BUDGET;
/** Most allocations freed at once by whoever deletes a value: WEIGHT_MAX. */
const AT_ONCE_MAX = 64 + 4;
/** Most allocations that one more element makes. */
const ELEMENT_MAX = 12;

/** Counts what a shard's heap allocates and frees from now on. */
class Counted {
  allocated = 0;
  freed = 0;

  constructor(space: Keyspace) {
    const { heap } = space;
    const { tryAllocate, free } = heap;
    heap.tryAllocate = (units) => {
      this.allocated++;
      return tryAllocate.call(heap, units);
    };
    heap.free = (ref) => {
      this.freed++;
      free.call(heap, ref);
    };
  }

  /** Allocations freed by the call. */
  freedBy(call: () => void): number {
    const before = this.freed;
    call();
    return this.freed - before;
  }

  /** Allocations made by the call. */
  allocatedBy(call: () => void): number {
    const before = this.allocated;
    call();
    return this.allocated - before;
  }
}

/** One shard with a large value, and counters of its heap. */
function withLarge(kind: Kind): {
  executor: Executor;
  space: Keyspace;
  counted: Counted;
} {
  const executor = new Executor({ shards: 1, arenaBytes: 512 << 20 });
  const space = executor.shards.keyspaces[0]!;
  const counted = new Counted(space);
  fill(executor, kind, "big", COUNT);
  return { executor, space, counted };
}

function fill(executor: Executor, kind: Kind, key: string, count: number) {
  for (let i = 0; i < count; i++) executor.run(...kind.add(key, i));
  for (const argv of kind.finish?.(key, count) ?? []) executor.run(...argv);
}

/** Reclaims until nothing is left; each slice within its bound. */
function reclaimAll(space: Keyspace, counted: Counted, most: number): void {
  for (let isLeft = true; isLeft;) {
    const freed = counted.freedBy(() => {
      isLeft = reclaimSlice(space, BUDGET);
    });
    assert(freed <= most, `a slice freed ${freed} allocations`);
    assert(freed > 0 || !isLeft, "a slice frees something");
  }
  assert(!hasDetached(space));
}

for (const kind of KINDS.filter(({ needs }) => needs.every(hasCommand))) {
  Deno.test(`${kind.name}: DEL leaves a large value to slices`, () => {
    const { executor, space, counted } = withLarge(kind);
    const atOnce = counted.freedBy(() => {
      space.delete(0, space.peek(0, executor.shards.key("big")));
    });
    assert(atOnce <= AT_ONCE_MAX, `DEL freed ${atOnce} allocations`);
    reclaimAll(space, counted, SLICE_MAX);
    executor.shards.verifyEmpty();
  });

  Deno.test(`${kind.name}: emptying the database frees in slices`, () => {
    const { executor, space, counted } = withLarge(kind);
    for (let i = 0; i < 200; i++) fill(executor, kind, `small:${i}`, 5);
    const atOnce = counted.freedBy(() => detachDatabase(space, 0));
    assertEquals(atOnce, 0);
    // A slice counts entries; a small value of theirs is freed as a whole.
    reclaimAll(space, counted, SLICE_MAX * AT_ONCE_MAX);
    executor.shards.verifyEmpty();
  });

  Deno.test(`${kind.name}: the last reader leaves a value to slices`, () => {
    const { executor, space, counted } = withLarge(kind);
    const ref = space.peek(0, executor.shards.key("big"));
    const reading = shareValue(space, ref);
    assert(counted.freedBy(() => space.delete(0, ref)) <= AT_ONCE_MAX);
    reclaimAll(space, counted, SLICE_MAX);
    const atOnce = counted.freedBy(() => releaseValue(space, reading));
    assert(atOnce <= AT_ONCE_MAX, `a reader freed ${atOnce} allocations`);
    assert(hasDetached(space));
    reclaimAll(space, counted, SLICE_MAX);
    executor.shards.verifyEmpty();
  });

  Deno.test(`${kind.name}: an element more costs a few allocations`, () => {
    const { executor, space, counted } = withLarge(kind);
    for (let i = COUNT; i < 2 * COUNT; i++) {
      const argv = kind.add("big", i);
      const made = counted.allocatedBy(() => executor.run(...argv));
      assert(made <= ELEMENT_MAX, `${argv[0]} made ${made} allocations`);
    }
    space.delete(0, space.peek(0, executor.shards.key("big")));
    reclaimAll(space, counted, SLICE_MAX);
    executor.shards.verifyEmpty();
  });
}
