import { assertEquals } from "@std/assert";
import {
  type SlowEntry,
  SlowLog,
} from "../../../../src/front/server/slow_log.ts";

function entry(id: number): SlowEntry {
  return { id, at: 0, microseconds: 1, args: [], address: "", name: "" };
}

Deno.test("SlowLog shows the newest entries first", () => {
  const log = new SlowLog();
  for (let id = 0; id < 5; id++) log.add(entry(id), 128);
  assertEquals(log.newest(2).map(({ id }) => id), [4, 3]);
  assertEquals(log.newest(99).map(({ id }) => id), [4, 3, 2, 1, 0]);
  assertEquals(log.newest(0), []);
});

Deno.test("SlowLog stays bounded and in order", () => {
  const log = new SlowLog();
  for (let id = 0; id < 1000; id++) log.add(entry(id), 10);
  assertEquals(log.count(10), 10);
  assertEquals(log.newest(10).map(({ id }) => id), [
    ...[999, 998, 997, 996, 995, 994, 993, 992, 991, 990],
  ]);
  assertEquals(log.count(Infinity) < 100, true);
  log.clear();
  assertEquals(log.count(10), 0);
});
