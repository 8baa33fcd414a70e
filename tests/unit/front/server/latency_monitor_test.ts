import { assertEquals } from "@std/assert";
import {
  LatencyMonitor,
  mergeEvents,
  SAMPLES_MAX,
} from "../../../../src/front/server/latency_monitor.ts";

Deno.test("LatencyMonitor notes what reaches the threshold", () => {
  const monitor = new LatencyMonitor();
  monitor.note("command", 500, 1000);
  assertEquals(monitor.events(), {});
  monitor.thresholdMs = 100;
  monitor.note("command", 99.9, 1000);
  assertEquals(monitor.events(), {});
  monitor.note("command", 100, 1000);
  assertEquals(monitor.events(), {
    command: { samples: [[1, 100]], maxMs: 100 },
  });
});

Deno.test("LatencyMonitor keeps the longest duration of a second", () => {
  const monitor = new LatencyMonitor();
  monitor.thresholdMs = 1;
  for (const ms of [20, 50, 30]) monitor.note("fork", ms, 7999);
  monitor.note("fork", 5, 8000);
  assertEquals(monitor.events().fork, {
    samples: [[7, 50], [8, 5]],
    maxMs: 50,
  });
});

Deno.test("LatencyMonitor remembers a bounded number of seconds", () => {
  const monitor = new LatencyMonitor();
  monitor.thresholdMs = 1;
  monitor.note("command", 999, 0);
  for (let second = 1; second <= SAMPLES_MAX; second++) {
    monitor.note("command", 2, second * 1000);
  }
  const { samples, maxMs } = monitor.events().command!;
  assertEquals(samples.length, SAMPLES_MAX);
  assertEquals(samples[0], [1, 2]);
  assertEquals(maxMs, 999);
});

Deno.test("LatencyMonitor.reset forgets what is named, or all", () => {
  const monitor = new LatencyMonitor();
  monitor.thresholdMs = 1;
  for (const event of ["a", "b", "c"]) monitor.note(event, 2, 0);
  assertEquals(monitor.reset(["b", "x"]), ["b"]);
  assertEquals(monitor.reset([]), ["a", "c"]);
  assertEquals(monitor.events(), {});
});

Deno.test("mergeEvents makes one history of those of all workers", () => {
  const merged = mergeEvents([
    { command: { samples: [[1, 10], [3, 30]], maxMs: 90 } },
    { command: { samples: [[1, 15], [2, 20]], maxMs: 20 } },
    { fork: { samples: [[9, 1]], maxMs: 1 } },
  ]);
  assertEquals([...merged], [
    ["command", { samples: [[1, 15], [2, 20], [3, 30]], maxMs: 90 }],
    ["fork", { samples: [[9, 1]], maxMs: 1 }],
  ]);
});
