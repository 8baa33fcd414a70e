import { assert, assertEquals } from "@std/assert";
import {
  CUT_TICKET,
  CUT_WANTED,
  HELD_BY_WORKER,
  HELD_BY_WRITER,
  LOG_HOLDER,
  LOG_SIZE,
  LOG_UNSYNCED,
} from "../../../../src/engine/persistence/log_status.ts";
import { FaultyDisk } from "../../../_faulty_disk.ts";
import { Random } from "../../../_random.ts";
import { commandsOn, TestLog } from "./_log.ts";

/** A log whose writer rests, with room reserved. */
async function openLog(
  options: { policy?: "always" | "everysec"; ringBytes?: number } = {},
): Promise<TestLog> {
  const log = await TestLog.open(new FaultyDisk(), {
    policy: "always",
    ...options,
  });
  log.put(0, "SET", "first", "1");
  log.writer.wake();
  return log;
}

async function keysAfterCrash(log: TestLog): Promise<string[]> {
  const commands = await commandsOn(log.disk.afterCrash(new Random(1)));
  return commands.map(([, key]) => key!);
}

Deno.test("a worker that is alone writes and syncs what it recorded", async () => {
  const log = await openLog();
  const syncs = log.disk.counts.get("sync")!;
  for (let i = 0; i < 3; i++) {
    log.put(0, "SET", `a${i}`, "1");
    log.put(0, "SET", `b${i}`, "2");
    assert(log.writeOwn());
    assertEquals(log.durable, 3 + 2 * i);
    assertEquals(log.effects[0]!.undrainedBytes, 0);
  }
  assertEquals(log.disk.counts.get("sync"), syncs + 3);
  assertEquals(log.words[LOG_HOLDER], 0);
  assertEquals(log.figures[LOG_UNSYNCED], 0);
  // There is nothing more to do.
  assert(!log.writeOwn());
  // The log writer goes on where the worker has ended.
  log.put(0, "SET", "late", "1");
  log.writer.wake();
  const keys = ["first", "a0", "b0", "a1", "b1", "a2", "b2", "late"];
  assertEquals(await keysAfterCrash(log), keys);
  assertEquals(log.writer.close(), null);
  const size = log.disk.contents("/log/a.1.incr.aof").length;
  assertEquals(log.figures[LOG_SIZE], size);
  assertEquals(await keysAfterCrash(log), keys);
  // And the worker leaves it be from here on.
  log.put(0, "SET", "lost", "1");
  assert(!log.writeOwn());
});

Deno.test("what the disk refuses a worker is left to the log writer", async () => {
  for (const failure of ["short", "write", "sync"] as const) {
    const log = await openLog();
    const { disk } = log;
    if (failure === "short") disk.writeMax = 20;
    else disk.fail(failure, "EIO", 1);
    for (let i = 0; i < 5; i++) log.put(0, "SET", `k${i}`, "1");
    assert(!log.writeOwn());
    assertEquals(log.durable, 1);
    disk.heal();
    log.put(0, "SET", "k5", "1");
    // Not at once again: the log writer tries, and tells of it.
    assert(!log.writeOwn());
    log.writer.wake();
    assertEquals(log.durable, 7);
    const keys = ["first", "k0", "k1", "k2", "k3", "k4", "k5"];
    assertEquals(await keysAfterCrash(log), keys);
    await log.pass(1000);
    log.put(0, "SET", "k6", "1");
    assert(log.writeOwn());
    assertEquals(await keysAfterCrash(log), [...keys, "k6"]);
  }
});

Deno.test("a worker leaves alone what only the log writer knows of", async () => {
  const everysec = await openLog({ policy: "everysec" });
  everysec.put(0, "SET", "a", "1");
  await everysec.pass(5000);
  assert(!everysec.writeOwn());

  // More than the room that is reserved, or than a worker writes by itself.
  const log = await openLog({ ringBytes: 1 << 21 });
  log.put(0, "SET", "long", "v".repeat(300_000));
  assert(!log.writeOwn());
  log.writer.wake();
  let written = 2;
  do {
    log.put(0, "SET", "long", "v".repeat(200_000));
    written++;
  } while (log.writeOwn());
  assert(written > 3);
  log.writer.wake();
  assertEquals((await keysAfterCrash(log)).length, written);

  // A cut.
  log.put(0, "SET", "before", "1");
  log.words[CUT_TICKET] = log.durable + 1;
  log.words[CUT_WANTED] = 1;
  log.put(0, "SET", "after", "1");
  assert(!log.writeOwn());
  log.writer.wake();
  assertEquals(log.cuts.length, 1);
  log.put(0, "SET", "own", "1");
  assert(log.writeOwn());
  const keys = await keysAfterCrash(log);
  assertEquals(keys.slice(-3), ["before", "after", "own"]);

  // The log writer is at work.
  log.put(0, "SET", "a", "1");
  log.words[LOG_HOLDER] = HELD_BY_WRITER;
  assert(!log.writeOwn());
  assertEquals(log.words[LOG_HOLDER], HELD_BY_WRITER);
  log.words[LOG_HOLDER] = 0;
  assert(log.writeOwn());
});

Deno.test("a record that finds no room in the ring is the log writer's", async () => {
  const log = await openLog({ ringBytes: 1024 });
  log.put(0, "SET", "long", "v".repeat(3000));
  assert(!log.writeOwn());
  while (log.durable < 2) {
    log.writer.wake();
    log.effects[0]!.flush();
  }
  log.put(0, "SET", "short", "1");
  assert(log.writeOwn());
  assertEquals(await keysAfterCrash(log), ["first", "long", "short"]);
});

Deno.test("a slow disk is left to the log writer for a while", async () => {
  const log = await openLog();
  const write = (key: string) => {
    log.put(0, "SET", key, "1");
    return log.writeOwn();
  };
  // One that is slow is none of a slow disk.
  log.writeMs = 5;
  assert(write("a"));
  log.writeMs = 0;
  assert(write("b"));
  log.writeMs = 20;
  assert(write("c"));
  assert(!write("d"));
  await log.pass(100);
  assert(!write("e"));
  log.writer.wake();
  await log.pass(300);
  log.writeMs = 0;
  assert(write("f"));
  assertEquals(log.durable, 7);
});

Deno.test("the log writer waits for a worker that has the file", async () => {
  const log = await openLog();
  log.put(0, "SET", "a", "1");
  log.words[LOG_HOLDER] = HELD_BY_WORKER;
  log.onAwaited = () => {
    log.words[LOG_HOLDER] = 0;
    assert(log.writeOwn());
    log.put(0, "SET", "b", "1");
  };
  log.writer.wake();
  assertEquals(log.durable, 3);
  assertEquals(await keysAfterCrash(log), ["first", "a", "b"]);
});
