/** Queues by expire: src/core/types/expire_queue.ts. */
import { assertEquals, assertThrows } from "@std/assert";
import { SEGMENT_SHIFT, UNIT_MASK } from "../../../../src/core/memory/arena.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import {
  CountedNodes,
  ExpireQueues,
} from "../../../../src/core/types/expire_queue.ts";
import { seeded } from "../../../_harness.ts";
import { Memory, ROUNDS } from "../memory/_memory.ts";

const OPERATIONS = 20_000;
const NODE_UNITS = 3;

/** A queue whose nodes have nothing but a time. */
class Queue {
  readonly memory: Memory;
  readonly queues: ExpireQueues;
  readonly queue: number;

  constructor(bytes: number) {
    this.memory = new Memory(bytes);
    this.queues = new ExpireQueues(this.memory.arena, this.memory.heap);
    this.queue = this.queues.create();
  }

  makeNode(expireAtMs: number): number {
    const node = this.memory.heap.allocate(NODE_UNITS);
    this.setTime(node, expireAtMs);
    return node;
  }

  setTime(node: number, expireAtMs: number): void {
    this.memory.arena.f64[node >>> SEGMENT_SHIFT]![(node & UNIT_MASK) + 2] =
      expireAtMs;
  }

  insert(expireAtMs: number): number {
    const node = this.makeNode(expireAtMs);
    this.queues.insert(this.queue, node);
    return node;
  }

  /** Takes the first node out and tells when it expired. */
  shift(): number {
    const { queues, queue } = this;
    const expireAtMs = queues.firstExpireAt(queue);
    const node = queues.first(queue);
    queues.remove(queue, node);
    this.memory.heap.free(node);
    return expireAtMs;
  }
}

Deno.test("an ExpireQueue gives its nodes in the order of their times", () => {
  const queue = new Queue(1 << 20);
  for (const expireAtMs of [500, 100, 400, 200, 300]) queue.insert(expireAtMs);
  const { queues } = queue;
  assertEquals(queues.count(queue.queue), 5);
  assertEquals(queues.countUntil(queue.queue, 99), 0);
  assertEquals(queues.countUntil(queue.queue, 300), 3);
  for (const most of [0, 1, 2, 3, 4]) {
    assertEquals(queues.countUntil(queue.queue, 300, most), Math.min(3, most));
  }

  const node = queues.first(queue.queue);
  queue.setTime(node, 450);
  queues.update(queue.queue, node);
  const other = queue.makeNode(50);
  queues.replace(queue.queue, node, other);
  queue.memory.heap.free(node);
  queues.verify(queue.queue);
  assertEquals(
    [1, 2, 3, 4, 5].map(() => queue.shift()),
    [50, 200, 300, 400, 500],
  );
  queues.free(queue.queue);
  assertEquals(queue.memory.heap.usedBytes, 0);
});

Deno.test("an ExpireQueue in a full arena stays as it was", () => {
  const queue = new Queue(1 << 20);
  const { queues, memory } = queue;
  for (let i = 0; i < 28; i++) queue.insert(i);
  const node = queue.makeNode(7);
  const fillers: number[] = [];
  for (let units = 1 << 14; units > 0; units >>= 1) {
    for (let ref; (ref = memory.heap.tryAllocate(units)) !== 0;) {
      fillers.push(ref);
    }
  }
  assertThrows(() => queues.insert(queue.queue, node), OutOfMemory);
  queues.verify(queue.queue);
  assertEquals(queues.count(queue.queue), 28);
  for (const ref of fillers) memory.heap.free(ref);
  queues.insert(queue.queue, node);
  queues.verify(queue.queue);
});

seeded("ExpireQueues agree with a sorted list", (random) => {
  const queue = new Queue(1 << 24);
  const { queues } = queue;
  const model = new Map<number, number>();
  const share = random.pick([0.3, 0.5, 0.7]);
  const times = random.pick([3, 1000, 1_000_000]);
  for (let i = 0; i < OPERATIONS; i++) {
    // Growing and shrinking in turn.
    const grows = i % 10_000 < 5000;
    const time = random.below(times);
    if (model.size === 0 || random.chance(grows ? 0.5 + share / 2 : share)) {
      model.set(queue.insert(time), time);
    } else {
      const nodes = [...model.keys()].slice(0, 50);
      const node = random.pick(nodes);
      switch (random.below(3)) {
        case 0:
          queues.remove(queue.queue, node);
          queue.memory.heap.free(node);
          model.delete(node);
          break;
        case 1:
          queue.setTime(node, time);
          queues.update(queue.queue, node);
          model.set(node, time);
          break;
        default: {
          const moved = queue.makeNode(time);
          queues.replace(queue.queue, node, moved);
          queue.memory.heap.free(node);
          model.delete(node);
          model.set(moved, time);
        }
      }
    }
    if (i % 500 > 0) continue;
    queues.verify(queue.queue);
    assertEquals(queues.count(queue.queue), model.size);
    const due = [...model.values()].filter((t) => t <= time).length;
    assertEquals(queues.countUntil(queue.queue, time), due);
    const counted = new CountedNodes();
    let most = 0;
    do {
      most = counted.count + random.between(1, 500);
      queues.countOn(queue.queue, time, counted, most);
    } while (counted.count === most);
    assertEquals(counted.count, due);
  }
  const expected = [...model.values()].sort((a, b) => a - b);
  assertEquals(expected.map(() => queue.shift()), expected);
  queues.free(queue.queue);
  assertEquals(queue.memory.heap.usedBytes, 0);
}, { count: ROUNDS });
