import { assertEquals, assertMatch } from "@std/assert";
import {
  diagnose,
  drawEvent,
} from "../../../../../src/front/server/commands/latency.ts";

Deno.test("drawEvent has a column per sample and its age below", () => {
  const drawing = drawEvent("command", {
    samples: [[100, 10], [130, 20], [3700, 45]],
    maxMs: 90,
  }, 3710);
  assertEquals(
    drawing.split("\n"),
    [
      "command - high 45 ms, low 10 ms (all time high 90 ms)",
      "-".repeat(80),
      "  #",
      "  |",
      " _|",
      "_||",
      "",
      "151",
      "h90",
      " ms",
      "",
    ].map((line) => line),
  );
});

Deno.test("diagnose tells what was seen and what helps", () => {
  assertMatch(diagnose(new Map(), true), /^Latency is not monitored/);
  assertMatch(diagnose(new Map(), false), /^Nothing has taken/);
  const text = diagnose(
    new Map([["command", { samples: [[1, 10], [3, 30]], maxMs: 40 }]]),
    false,
  );
  assertEquals(
    text.split("\n")[0],
    "command: 2 latency spikes (average 20ms, mean deviation 10ms, " +
      "period 2.00 sec). Worst all time event 40ms.",
  );
  assertMatch(text, /SLOWLOG GET/);
});
