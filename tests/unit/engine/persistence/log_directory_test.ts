import { assertEquals, assertThrows } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { DiskError } from "../../../../src/engine/persistence/disk.ts";
import { LogDirectory } from "../../../../src/engine/persistence/log_directory.ts";
import {
  CUT_TICKET,
  CUT_WANTED,
} from "../../../../src/engine/persistence/log_status.ts";
import { FaultyDisk } from "../../../_faulty_disk.ts";
import { Random } from "../../../_random.ts";
import { commandsOn, readCommands, TestLog } from "./_log.ts";

const SNAPSHOT = latin1BytesOf("REDIS0011");

/** A log that is cut behind ten records, with ten more. */
async function cutLog(disk: FaultyDisk): Promise<TestLog> {
  const log = await TestLog.open(disk, { workers: 2, policy: "always" });
  for (let i = 0; i < 10; i++) log.put(i % 2, "SET", `k${i}`, "1");
  log.words[CUT_TICKET] = 10;
  log.words[CUT_WANTED] = 1;
  for (let i = 10; i < 20; i++) log.put(i % 2, "SET", `k${i}`, "1");
  log.writer.wake();
  disk.put(log.directory.temporaryBase, SNAPSHOT);
  return log;
}

Deno.test("a switch of the manifest that fails leaves the old one", async () => {
  for (const operation of ["rename", "sync", "write", "open"] as const) {
    for (let passing = 0; passing < 3; passing++) {
      const disk = new FaultyDisk();
      const log = await cutLog(disk);
      failAfter(disk, operation, passing);
      let failed = false;
      try {
        log.directory.replaceBase(log.cuts[0]!.entry);
      } catch (cause) {
        if (!(cause instanceof DiskError)) throw cause;
        failed = true;
        // It knows what is there.
        const seen = new LogDirectory(disk, "/log", "a");
        seen.read();
        assertEquals(log.directory.manifest, seen.manifest);
      }
      disk.heal();
      // What belongs together is there, whole: all, or what the snapshot lacks.
      const after = disk.afterCrash(new Random(passing));
      const again = new LogDirectory(after, "/log", "a");
      again.open();
      const { commands } = await readCommands(again);
      const { base } = again.manifest;
      assertEquals(commands.length, base === null ? 20 : 10);
      if (base !== null) {
        assertEquals(after.contents(again.path(base.name)), SNAPSHOT);
      }
      if (!failed) assertEquals(base?.name, "a.1.base.rdb");
    }
  }
});

/** Lets an operation fail once, behind some that do not. */
function failAfter(
  disk: FaultyDisk,
  operation: "rename" | "sync" | "write" | "open",
  passing: number,
): void {
  const start = disk.counts.get(operation) ?? 0;
  const failure = {
    code: "EIO",
    get times(): number {
      return disk.counts.get(operation)! - start === passing + 1 ? 1 : 0;
    },
    set times(_: number) {
      // It counts by itself.
    },
  };
  disk.failures.set(operation, failure);
}

Deno.test("what was begun before an accident is removed", async () => {
  const disk = new FaultyDisk();
  const log = await cutLog(disk);
  log.directory.replaceBase(log.cuts[0]!.entry);
  disk.put("/log/temp-a.2.base.rdb", SNAPSHOT);
  disk.put("/log/a.7.incr.aof", SNAPSHOT);
  disk.put("/log/temp-a.manifest", SNAPSHOT);
  disk.put("/log/somebody's own", SNAPSHOT);
  const again = new LogDirectory(disk, "/log", "a");
  again.open();
  assertEquals(disk.list("/log").toSorted(), [
    "a.1.base.rdb",
    "a.2.incr.aof",
    "a.manifest",
    "somebody's own",
  ]);
  assertEquals((await commandsOn(disk)).length, 10);
});

Deno.test("a log is for one server at a time", () => {
  const disk = new FaultyDisk();
  const one = new LogDirectory(disk, "/log", "a");
  const other = new LogDirectory(disk, "/log", "a");
  const lock = one.lock();
  assertEquals(other.lock(), null);
  lock!.release();
  other.lock()!.release();
});

Deno.test("a manifest that is damaged is refused", () => {
  const disk = new FaultyDisk();
  disk.put("/log/a.manifest", latin1BytesOf("file a.1.incr.aof seq 1"));
  const log = new LogDirectory(disk, "/log", "a");
  assertThrows(() => log.open(), Error, "Bad manifest /log/a.manifest");
});
