import { assert, assertEquals, assertRejects } from "@std/assert";
import { concat } from "@std/bytes";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  LogDamage,
  LogDirectory,
} from "../../../../src/engine/persistence/log_directory.ts";
import {
  FILE_HEAD_BYTES,
  makeFileHead,
} from "../../../../src/engine/persistence/log_frame.ts";
import { FaultyDisk } from "../../../_faulty_disk.ts";
import type { Random } from "../../../_random.ts";
import { seeded } from "../../../_harness.ts";
import { commandsOn, readCommands, TestLog } from "./_log.ts";
import { frame } from "./_records.ts";

const FILE = "/log/a.1.incr.aof";

/** A log of files of frames, each with the ticket that it begins with. */
function logOf(
  ...files: readonly (readonly [number, readonly Uint8Array[]])[]
): LogDirectory {
  const disk = new FaultyDisk();
  const lines = files.map(([first, frames], i) => {
    const name = `a.${i + 1}.incr.aof`;
    disk.put(`/log/${name}`, concat([makeFileHead(first), ...frames]));
    return `file ${name} seq ${i + 1} type i\n`;
  });
  disk.put("/log/a.manifest", latin1BytesOf(lines.join("")));
  const directory = new LogDirectory(disk, "/log", "a");
  directory.read();
  return directory;
}

async function keysOf(directory: LogDirectory) {
  const { commands, report } = await readCommands(directory);
  const keys = commands.map(([, key]) => Number(key!.slice(4)));
  return { keys, report };
}

function upTo(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

Deno.test("records of several workers are merged by their tickets", async () => {
  const log = logOf([0, [
    frame(0, 1),
    frame(4, 5, 9),
    frame(2, 7),
    frame(3, 6, 8),
    frame(10),
  ]]);
  const { keys, report } = await keysOf(log);
  assertEquals(keys, upTo(11));
  assertEquals(report.nextTicket, 11);
  assertEquals(report.torn, "");
  assertEquals(report.size, log.sizeOf({ name: "a.1.incr.aof", seq: 1 }));
});

Deno.test("a log goes on over several files", async () => {
  const { keys, report } = await keysOf(
    logOf([5, [frame(5, 6)]], [7, []], [7, [frame(7), frame(8)]]),
  );
  assertEquals(keys, upTo(4, 5));
  assertEquals(report.nextTicket, 9);
});

Deno.test("a log that is cut off anywhere ends before it", async () => {
  const frames = [frame(0, 1), frame(3), frame(2, 4), frame(5)];
  const whole = concat([makeFileHead(0), ...frames]);
  const lengths = frames.map(({ length }) => length);
  for (let end = FILE_HEAD_BYTES; end < whole.length; end++) {
    const log = logOf([0, frames]);
    (log.disk as FaultyDisk).put(FILE, whole.subarray(0, end));
    const { keys, report } = await keysOf(log);
    const [one, two, three] = lengths as [number, number, number];
    const body = end - FILE_HEAD_BYTES;
    const expected = body < one ? 0 : body < one + two + three ? 2 : 5;
    assertEquals(keys, upTo(expected));
    const size = expected === 0 ? 0 : expected === 2 ? one : one + two + three;
    assertEquals(report.size, FILE_HEAD_BYTES + size);
    assertEquals(report.tornBytes, body - size);
    assertEquals(report.torn === "", body === size);
  }
});

Deno.test("a ticket that is missing at the end cuts the log there", async () => {
  const { keys, report } = await keysOf(
    logOf([0, [frame(0, 1), frame(3, 4), frame(5)]]),
  );
  assertEquals(keys, [0, 1]);
  assertEquals(report.torn, "record 2 is missing");
});

Deno.test("a bit that flips anywhere is found, and nothing is guessed", async () => {
  const frames = [frame(0, 1), frame(3), frame(2, 4), frame(5, 6)];
  const whole = concat([makeFileHead(0), ...frames]);
  const lastAt = whole.length - frames.at(-1)!.length;
  for (let at = 0; at < whole.length; at++) {
    for (const bit of [0, 3, 7]) {
      const log = logOf([0, frames]);
      (log.disk as FaultyDisk).flipBit(FILE, at, bit);
      if (at < lastAt) {
        const error = await assertRejects(() => keysOf(log), LogDamage);
        assert(/^Bad file \/log\/a\.1\.incr\.aof at \d+: /.test(error.message));
      } else {
        const { keys, report } = await keysOf(log);
        assertEquals(keys, upTo(5));
        assert(report.torn !== "");
        assertEquals(report.size, lastAt);
      }
    }
  }
});

Deno.test("zeros at the end were reserved; anything else there is torn", async () => {
  const frames = [frame(0, 1), frame(2)];
  const whole = concat([makeFileHead(0), ...frames]);
  for (const zeros of [1, 3, 4, 40, 3_000_000]) {
    const log = logOf([0, frames], [3, [frame(3)]]);
    const bytes = concat([whole, new Uint8Array(zeros)]);
    (log.disk as FaultyDisk).put(FILE, bytes);
    const { keys, report } = await keysOf(log);
    assertEquals(keys, upTo(4));
    assertEquals(report.torn, "");
    for (const at of [0, zeros >> 1, zeros - 1]) {
      const alone = logOf([0, frames]);
      (alone.disk as FaultyDisk).put(FILE, bytes);
      (alone.disk as FaultyDisk).flipBit(FILE, whole.length + at, 3);
      const torn = await keysOf(alone);
      assertEquals(torn.keys, upTo(3));
      assert(torn.report.torn !== "");
      assertEquals(torn.report.size, whole.length);
    }
  }
});

Deno.test("a frame that is cut off before zeros is torn", async () => {
  const frames = [frame(0, 1), frame(2)];
  const whole = concat([makeFileHead(0), ...frames]);
  const lastAt = whole.length - frames[1]!.length;
  for (let end = lastAt + 1; end < whole.length - 3; end++) {
    const log = logOf([0, frames]);
    const bytes = new Uint8Array(whole.length + 1000);
    bytes.set(whole.subarray(0, end));
    (log.disk as FaultyDisk).put(FILE, bytes);
    const { keys, report } = await keysOf(log);
    assertEquals(keys, upTo(2));
    assert(report.torn !== "");
    assertEquals(report.size, lastAt);
  }
});

Deno.test("only the last file may be cut off", async () => {
  const torn = frame(1, 2).subarray(0, 40);
  await assertRejects(
    () => keysOf(logOf([0, [frame(0), torn]], [1, [frame(1)]])),
    LogDamage,
    "/log/a.1.incr.aof: the frame at",
  );
  await assertRejects(
    () => keysOf(logOf([0, [frame(0)]], [2, [frame(2)]])),
    LogDamage,
    "it begins with record 2, not 1",
  );
});

Deno.test("what somebody has stored is not taken for a frame", async () => {
  // A value that is a log itself, in a frame that is cut off.
  const disk = new FaultyDisk();
  disk.canReserve = false;
  const log = await TestLog.open(disk, { policy: "always" });
  log.put(0, "SET", "a", "1");
  log.writer.wake();
  log.put(0, "SET", "b", String.fromCharCode(...disk.contents(FILE)));
  log.writer.wake();
  const bytes = disk.contents(FILE);
  disk.put(FILE, bytes.subarray(0, bytes.length - 4));
  const directory = new LogDirectory(disk, "/log", "a");
  directory.read();
  const { commands, report } = await readCommands(directory);
  assertEquals(commands.length, 1);
  assert(report.torn !== "");
});

Deno.test("files without a manifest are not written over", () => {
  const disk = new FaultyDisk();
  disk.put(FILE, concat([makeFileHead(0), frame(0)]));
  const directory = new LogDirectory(disk, "/log", "a");
  try {
    directory.open();
    assert(false);
  } catch (error) {
    assert(error instanceof LogDamage);
  }
  disk.put(FILE, makeFileHead(0));
  directory.open();
  assertEquals(disk.list("/log"), []);
});

seeded(
  "always: after any crash, all that was acknowledged is there",
  async (random: Random) => {
    let disk = new FaultyDisk();
    const expected: string[] = [];
    let next = 0;
    for (let life = 0; life < 8; life++) {
      const workers = random.between(1, 4);
      const log = await TestLog.open(disk, {
        workers,
        policy: "always",
        ringBytes: 1 << random.between(8, 14),
      });
      const { commands } = await readCommands(log.directory);
      const keys = commands.map(([, key]) => key!);
      const acknowledged = expected.length;
      // A prefix of what was tried, at least as far as it was acknowledged.
      assertEquals(keys.slice(0, acknowledged), expected);
      next = keys.length;
      const start = next;
      for (let turn = random.below(60); turn > 0; turn--) {
        if (random.chance(0.1)) disk.fail("sync", "EIO", 1);
        if (random.chance(0.1)) disk.fail("write", "ENOSPC", 2);
        disk.writeMax = random.chance(0.3) ? random.between(1, 99) : Infinity;
        for (let i = random.below(9); i > 0; i--) {
          const value = "v".repeat(random.chance(0.1) ? 999 : 9);
          log.put(random.below(workers), "SET", `k${next++}`, value);
        }
        if (random.chance(0.1) && log.words[3] === 0) {
          log.words[4] = next;
          log.words[3] = 1;
        }
        for (const effects of log.effects) effects.flush();
        if (workers === 1 && random.chance(0.6)) log.writeOwn();
        if (random.chance(0.7)) log.writer.wake();
        if (random.chance(0.3)) await log.pass(random.below(400));
      }
      const durable = log.durable;
      expected.length = 0;
      for (let i = 0; i < durable; i++) expected.push(`k${i}`);
      assert(durable >= start);
      disk.heal();
      disk = random.chance(0.5) ? disk.afterKill() : disk.afterCrash(random);
    }
  },
  { count: 40 },
);

/** Fills the disk of a log with transactions that are recorded in parts. */
function putTransactions(log: TestLog, random: Random, first: number): void {
  for (let i = first; i < first + 12; i++) {
    const worker = random.below(2);
    const effects = log.effects[worker]!;
    effects.partBytes = 64;
    effects.begin();
    for (let left = random.below(6); left >= 0; left--) {
      const text = "x".repeat(1 + random.below(100));
      log.put(worker, "SET", `key:${i}`, text, String(left));
    }
    effects.end();
    if (random.below(2) === 0) effects.publish();
    if (random.below(3) === 0) log.writer.wake();
  }
  log.effects.forEach((effects) => effects.publish());
  log.writer.wake();
}

seeded("parts of a record count together, or not at all", async (random) => {
  const disk = new FaultyDisk();
  disk.canReserve = false;
  const options = { workers: 2, policy: "always" } as const;
  const before = await TestLog.open(disk, options);
  putTransactions(before, random, 0);
  const whole = disk.contents(FILE);
  const all = await commandsOn(disk);
  for (let times = 0; times < 20; times++) {
    const end = FILE_HEAD_BYTES +
      random.below(whole.length - FILE_HEAD_BYTES + 1);
    disk.put(FILE, whole.slice(0, end));
    const kept = await commandsOn(disk);
    assertEquals(kept, all.slice(0, kept.length));
    // The last command of a transaction says so.
    if (kept.length > 0) assertEquals(kept.at(-1)![3], "0");
    // It goes on behind parts that were cut off.
    const more = await TestLog.open(disk, options);
    putTransactions(more, random, 12);
    const { commands, report } = await readCommands(more.directory);
    assertEquals(commands.slice(0, kept.length), kept);
    const behind = commands.slice(kept.length);
    const keys = behind.filter((words) => words[3] === "0");
    assertEquals(
      keys.map((words) => words[1]).toSorted(),
      upTo(12, 12).map((i) => `key:${i}`),
    );
    assertEquals(report.nextTicket, more.writer.nextTicket);
    assertEquals(report.torn, "");
    more.writer.close();
  }
});
