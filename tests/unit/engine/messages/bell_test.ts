import { assertEquals } from "@std/assert";
import { Bell } from "../../../../src/engine/messages/bell.ts";
import { until } from "../../../_patience.ts";

const soon = (run: () => void) => void setTimeout(run, 0);

Deno.test("Bell.listen calls at once, and when it has been rung", async () => {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const other = new Bell(words, 0);
  const bell = new Bell(words, 1);
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
  const bell = new Bell(new Int32Array(new SharedArrayBuffer(4)), 0);
  let heard = 0;
  bell.listen(() => {
    if (heard++ < 5) bell.ring();
  }, soon);
  await until("the bell is heard", () => heard === 6);
});
