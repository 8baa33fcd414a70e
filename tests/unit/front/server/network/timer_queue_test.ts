import { assertEquals } from "@std/assert";
import { TimerQueue } from "../../../../../src/front/server/network/timer_queue.ts";
import { Random } from "../../../../_random.ts";

Deno.test("TimerQueue.runDue runs what is due, in its order", () => {
  const timers = new TimerQueue();
  const ran: string[] = [];
  const add = (name: string, dueMs: number) =>
    timers.add(() => ran.push(name), dueMs);
  assertEquals(timers.nextMs, Infinity);
  add("c", 30);
  add("a", 10);
  const stop = add("b", 20);
  add("a2", 10);
  assertEquals(timers.nextMs, 10);
  stop();
  stop();
  timers.runDue(9);
  assertEquals(ran, []);
  timers.runDue(25);
  assertEquals(ran, ["a", "a2"]);
  assertEquals(timers.nextMs, 30);
  timers.runDue(30);
  assertEquals(ran, ["a", "a2", "c"]);
  assertEquals(timers.nextMs, Infinity);
});

Deno.test("TimerQueue: a timer may prevent the next one, and add others", () => {
  const timers = new TimerQueue();
  const ran: string[] = [];
  let stop = () => {};
  timers.add(() => {
    ran.push("first");
    stop();
    timers.add(() => ran.push("third"), 20);
  }, 10);
  stop = timers.add(() => ran.push("second"), 10);
  timers.runDue(10);
  assertEquals(ran, ["first"]);
  timers.runDue(20);
  assertEquals(ran, ["first", "third"]);
  stop();
});

Deno.test("TimerQueue is as a list that is sorted", () => {
  const random = new Random(20);
  const timers = new TimerQueue();
  let nowMs = 0;
  let number = 0;
  let model: { number: number; dueMs: number; stop: () => void }[] = [];
  let ran: number[] = [];
  for (let step = 0; step < 3000; step++) {
    const what = random.below(10);
    if (what < 5) {
      const own = number++;
      const dueMs = nowMs + 1 + random.below(50);
      const stop = timers.add(() => ran.push(own), dueMs);
      model.push({ number: own, dueMs, stop });
    } else if (what < 7 && model.length > 0) {
      model.splice(random.below(model.length), 1)[0]!.stop();
    } else {
      nowMs += random.below(20);
      timers.runDue(nowMs);
      const due = model.filter(({ dueMs }) => dueMs <= nowMs)
        .sort((a, b) => a.dueMs - b.dueMs || a.number - b.number);
      assertEquals(ran, due.map(({ number }) => number));
      model = model.filter(({ dueMs }) => dueMs > nowMs);
      ran = [];
    }
    const next = Math.min(...model.map(({ dueMs }) => dueMs));
    assertEquals(timers.nextMs, next);
  }
});
