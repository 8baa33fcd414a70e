import { assert, assertEquals } from "@std/assert";
import { Bell, makeBells } from "../../../../src/engine/messages/bell.ts";
import { until } from "../../../_patience.ts";

const soon = (run: () => void) => void setTimeout(run, 0);

Deno.test("Bell.listen calls at once, and when it has been rung", async () => {
  const words = makeBells(2);
  const other = new Bell(words, 0, null);
  const bell = new Bell(words, 1, null);
  let heard = 0;
  bell.listen(() => heard++, soon);
  assertEquals(heard, 1);
  other.ring();
  bell.ring();
  bell.ring();
  await until("the bell is heard", () => heard === 2);
  bell.ring();
  await until("the bell is heard", () => heard === 3);
});

Deno.test("Bell.listen misses no ring while it calls", async () => {
  const bell = new Bell(makeBells(1), 0, null);
  let heard = 0;
  bell.listen(() => {
    if (heard++ < 5) bell.ring();
  }, soon);
  await until("the bell is heard", () => heard === 6);
});

Deno.test("Bell.sleep: the first who rings wakes the sleeper", () => {
  const words = makeBells(1);
  const woken: number[] = [];
  const bell = new Bell(words, 0, null);
  const ringer = new Bell(words, 0, (waker) => woken.push(waker));
  bell.awake();
  ringer.ring();
  assertEquals(woken, []);
  assert(!bell.sleep(7), "it has been rung");
  assert(bell.isRung && bell.take() && !bell.take());
  assert(bell.sleep(7));
  ringer.ring();
  ringer.ring();
  ringer.ringForPort();
  assertEquals(woken, [7]);
  assert(bell.take() && bell.takePosts() && !bell.takePosts());
  ringer.ringForPort();
  assert(!bell.sleep(7), "something has come through a port");
  assert(!bell.take() && bell.takePosts());
  assert(bell.sleep(7));
  ringer.ringForPort();
  assertEquals(woken, [7, 7]);
});
