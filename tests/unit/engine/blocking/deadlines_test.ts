import { assertEquals } from "@std/assert";
import {
  Deadlines,
  type Timed,
} from "../../../../src/engine/blocking/deadlines.ts";
import { seeded } from "../../../_harness.ts";

class Item implements Timed {
  heapIndex = -1;
  constructor(readonly deadlineMs: number) {}
}

/** A clock with one timer that the test lets ring. */
class Clock {
  nowMs = 0;
  delayMs = -1;
  #run: (() => void) | null = null;

  readonly monotonicMs = (): number => this.nowMs;

  readonly startTimer = (run: () => void, delayMs: number): () => void => {
    assertEquals(this.#run, null, "one timer at a time");
    this.#run = run;
    this.delayMs = delayMs;
    return () => this.#run = null;
  };

  get isSet(): boolean {
    return this.#run !== null;
  }

  ring(): void {
    const run = this.#run!;
    this.#run = null;
    run();
  }
}

Deno.test("deadlines pass in their order, with one timer", () => {
  const clock = new Clock();
  const passed: number[] = [];
  const deadlines = new Deadlines<Item>(clock, (item) => {
    passed.push(item.deadlineMs);
  });
  const [late, soon, middle] = [30, 10, 20].map((ms) => new Item(ms));
  for (const item of [late!, soon!, middle!]) deadlines.add(item);
  assertEquals(clock.delayMs, 10);
  clock.nowMs = 10;
  clock.ring();
  assertEquals([passed, clock.delayMs], [[10], 10]);
  deadlines.remove(middle!);
  deadlines.remove(middle!);
  clock.nowMs = 20;
  clock.ring();
  assertEquals([passed, clock.delayMs], [[10], 10]);
  clock.nowMs = 31;
  clock.ring();
  assertEquals([passed, clock.isSet, deadlines.count], [[10, 30], false, 0]);
});

Deno.test("a deadline beyond what a timer takes is waited for in parts", () => {
  const clock = new Clock();
  let passed = 0;
  const deadlines = new Deadlines<Item>(clock, () => passed++);
  deadlines.add(new Item(2 ** 40));
  assertEquals(clock.delayMs, 2 ** 31 - 1);
  clock.nowMs = 2 ** 31 - 1;
  clock.ring();
  assertEquals([passed, clock.isSet], [0, true]);
  clock.nowMs = 2 ** 40;
  clock.ring();
  assertEquals([passed, clock.isSet], [1, false]);
});

Deno.test("waits that end early share a timer", () => {
  const clock = new Clock();
  let timers = 0;
  const deadlines = new Deadlines<Item>({
    monotonicMs: clock.monotonicMs,
    startTimer: (run, delayMs) => {
      timers++;
      return clock.startTimer(run, delayMs);
    },
  }, () => {});
  for (clock.nowMs = 0; clock.nowMs < 1000; clock.nowMs++) {
    const item = new Item(clock.nowMs + 5000);
    deadlines.add(item);
    deadlines.remove(item);
  }
  assertEquals([timers, deadlines.count], [1, 0]);
  clock.nowMs = 5000;
  clock.ring();
  assertEquals(clock.isSet, false);
});

seeded("deadlines agree with a sorted list", (random) => {
  const clock = new Clock();
  const model = new Set<Item>();
  const deadlines = new Deadlines<Item>(clock, (item) => {
    assertEquals(model.delete(item), true);
  });
  for (let step = 0; step < 2000; step++) {
    const kind = random.below(4);
    if (kind < 2) {
      const item = new Item(clock.nowMs + random.below(50));
      model.add(item);
      deadlines.add(item);
    } else if (kind === 2 && model.size > 0) {
      const item = random.pick([...model]);
      model.delete(item);
      deadlines.remove(item);
    } else {
      clock.nowMs += random.below(20);
      if (clock.isSet) clock.ring();
      for (const { deadlineMs } of model) {
        assertEquals(deadlineMs > clock.nowMs, true);
      }
    }
    assertEquals(deadlines.count, model.size);
    assertEquals(clock.isSet || model.size === 0, true);
  }
}, { count: 3 });
