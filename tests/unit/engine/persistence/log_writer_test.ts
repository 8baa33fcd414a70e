import { assert, assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { LOG_NEXT_TICKET } from "../../../../src/core/keyspace/effect_ring.ts";
import {
  CUT_TICKET,
  CUT_WANTED,
  LOG_ON,
  LOG_SIZE,
  LOG_STATE,
  LOG_UNSYNCED,
  LOG_WAITS_FOR_BASE,
  WANTS_DURABLE,
  WANTS_ROOM,
  wantsAt,
  WRITER_IDLE,
} from "../../../../src/engine/persistence/log_status.ts";
import { FaultyDisk } from "../../../_faulty_disk.ts";
import { Random } from "../../../_random.ts";
import { commandsOn, TestLog } from "./_log.ts";

const FILE = "/log/a.1.incr.aof";

Deno.test("always: what was recorded is synced at once, by one sync", async () => {
  const disk = new FaultyDisk();
  const log = await TestLog.open(disk, { workers: 2, policy: "always" });
  log.put(0, "SET", "a", "1");
  log.put(1, "SET", "b", "2");
  log.put(0, "SET", "c", "3");
  assertEquals(log.durable, 0);
  log.words[wantsAt(1)] = WANTS_DURABLE;
  const before = disk.counts.get("sync")!;
  log.writer.wake();
  assertEquals(log.durable, 3);
  assertEquals(log.told, [1]);
  assertEquals(disk.counts.get("sync"), before + 1);
  assertEquals(log.words[WRITER_IDLE], 1);
  const after = disk.afterCrash(new Random(1));
  assertEquals(await commandsOn(after), [
    ["SET", "a", "1"],
    ["SET", "b", "2"],
    ["SET", "c", "3"],
  ]);
});

Deno.test("everysec: written soon, synced once a second", async () => {
  const disk = new FaultyDisk();
  const log = await TestLog.open(disk);
  log.put(0, "SET", "a", "1");
  log.writer.wake();
  assertEquals((await commandsOn(disk.afterKill())).length, 1);
  await log.pass(1);
  assertEquals(log.durable, 1);
  log.put(0, "SET", "b", "1");
  // No wake: it looks by itself.
  await log.pass(20);
  assertEquals((await commandsOn(disk.afterKill())).length, 2);
  assertEquals(log.durable, 1);
  assert(log.figures[LOG_UNSYNCED]! > 0);
  await log.pass(1000);
  assertEquals(log.durable, 2);
  assertEquals(log.figures[LOG_UNSYNCED], 0);
  assertEquals(log.figures[LOG_SIZE], disk.contents(FILE).length);
  assertEquals(log.words[WRITER_IDLE], 1);
});

Deno.test("no: nothing is synced unless somebody waits", async () => {
  const disk = new FaultyDisk();
  const log = await TestLog.open(disk, { policy: "no" });
  log.put(0, "SET", "a", "1");
  log.writer.wake();
  await log.pass(5000);
  assertEquals(log.durable, 0);
  log.writer.syncSoon();
  await log.pass(1);
  assertEquals(log.durable, 1);
});

Deno.test("the watermark does not move over a ticket that is missing", async () => {
  const disk = new FaultyDisk();
  const log = await TestLog.open(disk, { workers: 2, policy: "always" });
  const words = new Int32Array(log.buffers.words);
  log.put(0, "SET", "a", "1");
  // Worker 1 has drawn a ticket, and its record is not there yet.
  words[LOG_NEXT_TICKET]! += 1;
  log.put(0, "SET", "c", "1");
  log.writer.wake();
  assertEquals(log.durable, 0);
  words[LOG_NEXT_TICKET] = 1;
  log.put(1, "SET", "b", "1");
  words[LOG_NEXT_TICKET] = 3;
  log.writer.wake();
  assertEquals(log.durable, 3);
  assertEquals((await commandsOn(disk)).map(([, key]) => key), ["a", "b", "c"]);
});

Deno.test("a record larger than the ring goes through it", async () => {
  const disk = new FaultyDisk();
  const log = await TestLog.open(disk, { ringBytes: 1024, policy: "always" });
  log.put(0, "SET", "a", "x".repeat(10_000));
  log.put(0, "SET", "b", "1");
  log.words[wantsAt(0)] = WANTS_ROOM;
  log.writer.wake();
  assertEquals(log.told, [0]);
  for (let i = 0; log.durable < 2; i++) {
    assert(i < 100);
    log.effects[0]!.flush();
    log.writer.wake();
  }
  const [a, b] = await commandsOn(disk);
  assertEquals(a![2]!.length, 10_000);
  assertEquals(b, ["SET", "b", "1"]);
});

Deno.test("a full disk: nothing is lost, and it goes on when there is room", async () => {
  const disk = new FaultyDisk();
  disk.canReserve = false;
  const log = await TestLog.open(disk, { workers: 2, policy: "always" });
  log.put(0, "SET", "a", "1");
  log.writer.wake();
  disk.capacity = disk.used + 30;
  for (let i = 0; i < 20; i++) log.put(i % 2, "SET", `k${i}`, "value");
  log.writer.wake();
  assertEquals(log.durable, 1);
  assertEquals(log.failures, [`Cannot write ${FILE}: No space left on device`]);
  log.put(0, "SET", "late", "1");
  await log.pass(1000);
  assertEquals(log.durable, 1);
  assertEquals(log.failures.length, 1);
  // What was written in part is the end of the log.
  assertEquals((await commandsOn(disk.afterKill())).length, 1);
  disk.heal();
  await log.pass(1000);
  assertEquals(log.failures.at(-1), null);
  assertEquals(log.durable, 22);
  assertEquals((await commandsOn(disk)).length, 22);
});

Deno.test("always: room is reserved, known to a reader, and given up", async () => {
  const disk = new FaultyDisk();
  const log = await TestLog.open(disk, { workers: 2, policy: "always" });
  const expected: string[][] = [];
  const put = (worker: number, value: string) => {
    const words = ["SET", `k${expected.length}`, value];
    expected.push(words);
    log.put(worker, ...words);
    log.writer.wake();
  };
  for (let i = 0; i < 10; i++) put(i % 2, "value");
  assert(disk.contents(FILE).length > 1 << 20);
  assertEquals(log.figures[LOG_SIZE], log.figures[LOG_SIZE]! % (1 << 20));
  assertEquals(await commandsOn(disk), expected);
  // It is not synced as a whole each time, but all that counts is.
  assertEquals(await commandsOn(disk.afterCrash(new Random(5))), expected);
  for (let i = 0; i < 40; i++) put(0, "v".repeat(60_000));
  assertEquals(await commandsOn(disk), expected);
  // Who goes on after a kill cuts it off.
  const after = disk.afterKill();
  const next = await TestLog.open(after, { policy: "always" });
  next.put(0, "SET", "next", "1");
  next.writer.wake();
  assertEquals(await commandsOn(after), [...expected, ["SET", "next", "1"]]);
  assertEquals(log.writer.close(), null);
  const { length } = disk.contents(FILE);
  assertEquals(length, log.figures[LOG_SIZE]);
  assertEquals(await commandsOn(disk), expected);
});

Deno.test("always: a disk on which no room can be reserved, or given up", async () => {
  for (const what of ["reserve", "truncate"]) {
    const disk = new FaultyDisk();
    disk.canReserve = what !== "reserve";
    const log = await TestLog.open(disk, { policy: "always" });
    for (let i = 0; i < 5; i++) {
      log.put(0, "SET", `k${i}`, "1");
      log.writer.wake();
    }
    if (what === "truncate") disk.fail("truncate", "EIO");
    assertEquals(log.writer.close(), null);
    disk.heal();
    assertEquals((await commandsOn(disk)).length, 5);
  }
});

Deno.test("everysec: very many bytes pass the system's cache by", async () => {
  const disk = new FaultyDisk();
  const log = await TestLog.open(disk, { workers: 2, ringBytes: 1 << 18 });
  const expected: string[][] = [];
  const put = (bytes: number) => {
    const words = ["SET", `k${expected.length}`, "v".repeat(bytes)];
    log.put(expected.length % 2, ...words);
    expected.push(words);
  };
  const pass = async () => {
    const before = disk.bytesThrough;
    log.writer.wake();
    await log.pass(1);
    assertEquals(await commandsOn(disk.afterKill()), expected);
    return disk.bytesThrough - before;
  };
  put(100);
  assertEquals(await pass(), 0);
  put(40_000);
  put(40_000);
  assert(await pass() > 80_000);
  // Behind the last frame there is room for more.
  const size = log.figures[LOG_SIZE]!;
  assert(disk.contents(FILE).length > size + (1 << 20));
  put(100);
  assertEquals(await pass(), 0);
  for (const writeMax of [Infinity, 7000]) {
    disk.writeMax = writeMax;
    put(70_000);
    assert(await pass() > 70_000);
  }
  disk.writeMax = Infinity;
  await log.pass(1000);
  assertEquals(log.durable, expected.length);
  assertEquals(await commandsOn(disk.afterCrash(new Random(5))), expected);
  // Where no room can be had, it goes as usual.
  const poor = await TestLog.open(disk.afterKill());
  poor.disk.canReserve = false;
  poor.put(0, "SET", "more", "v".repeat(50_000));
  poor.put(0, "SET", "more", "v");
  poor.writer.wake();
  assertEquals((await commandsOn(poor.disk)).length, expected.length + 2);
  assertEquals(log.writer.close(), null);
  assertEquals(disk.contents(FILE).length, log.figures[LOG_SIZE]);
  assertEquals(await commandsOn(disk), expected);
});

Deno.test("everysec: a disk that is slower than what comes is not waited for", async () => {
  const disk = new FaultyDisk();
  const log = await TestLog.open(disk, { ringBytes: 1 << 18 });
  const put = () => log.put(0, "SET", "k", "v".repeat(100_000));
  const pass = async (ms: number) => {
    const before = disk.bytesThrough;
    await log.pass(ms);
    return disk.bytesThrough - before;
  };
  disk.onThrough = put;
  put();
  log.writer.wake();
  disk.onThrough = () => {};
  assert(disk.bytesThrough > 100_000);
  assertEquals(await pass(30), 0);
  put();
  assertEquals(await pass(30), 0);
  await log.pass(3000);
  const before = disk.bytesThrough;
  put();
  log.writer.wake();
  assert(disk.bytesThrough > before);
  assertEquals((await commandsOn(disk)).length, 4);
});

Deno.test("short writes are written on", async () => {
  const disk = new FaultyDisk();
  disk.writeMax = 5;
  const log = await TestLog.open(disk, { policy: "always" });
  for (let i = 0; i < 50; i++) log.put(0, "SET", `k${i}`, "value");
  log.writer.wake();
  assertEquals(log.durable, 50);
  assertEquals((await commandsOn(disk)).length, 50);
});

Deno.test("after a sync that failed, what was not synced is written anew", async () => {
  for (const policy of ["always", "everysec"] as const) {
    const disk = new FaultyDisk();
    const log = await TestLog.open(disk, { policy });
    log.put(0, "SET", "a", "1");
    log.writer.wake();
    await log.pass(2000);
    assertEquals(log.durable, 1);
    disk.fail("sync", "EIO", 1);
    log.put(0, "SET", "b", "1");
    log.writer.wake();
    await log.pass(20);
    assertEquals(log.durable, 1);
    assertEquals(log.failures, [`Cannot sync ${FILE}: Input/output error`]);
    // The system has forgotten what it could not write; not so the log.
    const writes = disk.counts.get("write")!;
    await log.pass(1000);
    assert(disk.counts.get("write")! > writes);
    assertEquals(log.failures.at(-1), null);
    assertEquals(log.durable, 2);
    const after = await commandsOn(disk.afterCrash(new Random(3)));
    assertEquals(after.length, 2);
  }
});

Deno.test("a cut: records from a ticket on are in a new file", async () => {
  const disk = new FaultyDisk();
  const log = await TestLog.open(disk, { workers: 2 });
  for (let i = 0; i < 10; i++) log.put(i % 2, "SET", `k${i}`, "1");
  log.words[CUT_TICKET] = 10;
  log.words[CUT_WANTED] = 1;
  for (let i = 10; i < 15; i++) log.put(i % 2, "SET", `k${i}`, "1");
  log.writer.wake();
  assertEquals(log.cuts, [
    { firstTicket: 10, entry: { name: "a.2.incr.aof", seq: 2 } },
  ]);
  assertEquals(log.words[CUT_WANTED], 0);
  await log.pass(100);
  const commands = await commandsOn(disk);
  assertEquals(commands.map(([, key]) => key), [
    ...Array.from({ length: 15 }, (_, i) => `k${i}`),
  ]);
  // The snapshot is done: the first file is no longer needed.
  disk.put(log.directory.temporaryBase, latin1BytesOf("REDIS"));
  log.directory.replaceBase(log.cuts[0]!.entry);
  log.writer.noteFiles();
  assertEquals(disk.list("/log").toSorted(), [
    "a.1.base.rdb",
    "a.2.incr.aof",
    "a.manifest",
  ]);
  assertEquals((await commandsOn(disk)).length, 5);
  assertEquals(
    log.figures[LOG_SIZE],
    disk.contents("/log/a.2.incr.aof").length + 5,
  );
});

Deno.test("a log that waits for its snapshot is nothing until it is there", async () => {
  const disk = new FaultyDisk();
  const old = await TestLog.open(disk, { policy: "always" });
  old.put(0, "SET", "old", "1");
  old.writer.wake();
  old.writer.close();
  const log = await TestLog.open(disk, { policy: "always" });
  log.words[LOG_STATE] = LOG_WAITS_FOR_BASE;
  for (const key of ["first", "second"]) {
    // The first snapshot fails.
    log.words[CUT_TICKET] = log.writer.nextTicket;
    log.words[CUT_WANTED] = 1;
    log.put(0, "SET", key, "1");
    log.writer.wake();
    assertEquals((await commandsOn(disk)).map(([, name]) => name), ["old"]);
  }
  disk.put(log.directory.temporaryBase, latin1BytesOf("REDIS"));
  log.directory.replaceBase(log.cuts.at(-1)!.entry);
  assertEquals((await commandsOn(disk)).map(([, name]) => name), ["second"]);
  log.words[LOG_STATE] = LOG_ON;
  log.put(0, "SET", "third", "1");
  log.writer.wake();
  assertEquals((await commandsOn(disk)).length, 2);
  assertEquals(disk.list("/log").toSorted(), [
    "a.1.base.rdb",
    "a.2.incr.aof",
    "a.manifest",
  ]);
});

Deno.test("a cut that the disk refuses comes later", async () => {
  const disk = new FaultyDisk();
  const log = await TestLog.open(disk, { policy: "always" });
  log.put(0, "SET", "a", "1");
  log.words[CUT_TICKET] = 1;
  log.words[CUT_WANTED] = 1;
  log.put(0, "SET", "b", "1");
  disk.fail("rename", "EIO");
  log.writer.wake();
  assertEquals(log.durable, 1);
  assertEquals(log.cuts, []);
  await log.pass(1000);
  disk.heal();
  await log.pass(1000);
  assertEquals(log.cuts.length, 1);
  assertEquals(log.durable, 2);
  assertEquals((await commandsOn(disk)).length, 2);
});

Deno.test("close() writes and syncs what is there", async () => {
  const disk = new FaultyDisk();
  const log = await TestLog.open(disk, { policy: "no" });
  for (let i = 0; i < 10; i++) log.put(0, "SET", `k${i}`, "1");
  assertEquals(log.writer.close(), null);
  const after = disk.afterCrash(new Random(1));
  assertEquals((await commandsOn(after)).length, 10);
});

Deno.test("tickets go on beyond 32 bits", async () => {
  const disk = new FaultyDisk();
  const first = await TestLog.open(disk, { policy: "always" });
  first.writer.close();
  const { makeFileHead } = await import(
    "../../../../src/engine/persistence/log_frame.ts"
  );
  disk.put(FILE, makeFileHead(2 ** 33 - 3));
  const log = await TestLog.open(disk, { workers: 2, policy: "always" });
  for (let i = 0; i < 9; i++) log.put(i % 2, "SET", `k${i}`, "1");
  log.writer.wake();
  assertEquals(log.durable, (2 ** 33 + 6) | 0);
  const again = await TestLog.open(disk.afterKill(), { policy: "always" });
  assertEquals(again.writer.nextTicket, 2 ** 33 + 6);
  again.put(0, "SET", "more", "1");
  again.writer.wake();
  assertEquals((await commandsOn(again.disk)).map(([, key]) => key), [
    ...Array.from({ length: 9 }, (_, i) => `k${i}`),
    "more",
  ]);
});
