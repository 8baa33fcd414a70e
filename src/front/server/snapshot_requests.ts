/**
 * Snapshots as the workers ask for them: with the settings as they are now.
 *
 * @module
 */

import { latin1BytesOf } from "../../core/base/bytes.ts";
import { isLfuPolicy } from "../../core/keyspace/evict.ts";
import { MAXMEMORY_POLICY } from "../../core/settings/settings_table.ts";
import {
  CLOCK_FREQUENCY,
  CLOCK_IDLE,
  CLOCK_NONE,
} from "../../core/rdb/rdb_file_writer.ts";
import {
  GATE_LOADING,
  GATE_SNAPSHOT_FAILED,
  GATE_STOP,
} from "../../engine/executor/gate.ts";
import {
  LAST_SAVE_CHANGES,
  LAST_SAVE_FAILED,
  LAST_SAVE_S,
  LAST_TRY_MS,
  SAVING,
} from "../../engine/persistence/persistence_facts.ts";
import { CHANGES } from "../../core/keyspace/counters.ts";
import { usedMemory } from "./memory_report.ts";
import { REDIS_VERSION } from "./version.ts";
import type { WorkerContext } from "./worker_context.ts";

/** Begin a snapshot; answered when its instant has come. */
export const ASK_BGSAVE = "snapshot.begin";
/** Take a snapshot; answered when it is complete. */
export const ASK_SAVE = "snapshot.take";
/** Take a snapshot and load it again. */
export const ASK_RELOAD = "snapshot.reload";
/** Stop the server, with a snapshot before if one is asked for. */
export const ASK_SHUTDOWN = "server.shutdown";

/** What goes with the questions: a SaveRequest that JSON can hold. */
export type SaveData = {
  readonly folder: string;
  readonly name: string;
  readonly compresses: boolean;
  readonly sums: boolean;
  readonly notes: number;
  readonly share: number;
  readonly texts: [string, string][];
};

/** Share of the processor that a snapshot in the background may take. */
const BACKGROUND_SHARE = 0.5;
/** The same while somebody waits for it. */
const FOREGROUND_SHARE = 0.9;
/** Time until a save point is tried again after a failure. */
const RETRY_MS = 5000;

/** A snapshot with the settings as they are. */
export function saveData(
  worker: WorkerContext,
  isAwaited: boolean,
): SaveData {
  const { settings, nowMs } = worker;
  return {
    folder: dataFolder(worker),
    name: settings.dbfilename,
    compresses: settings.rdbcompression,
    sums: settings.rdbchecksum,
    notes: clockNotes(settings.maxmemoryPolicy),
    share: isAwaited ? FOREGROUND_SHARE : BACKGROUND_SHARE,
    texts: [
      ["redis-ver", REDIS_VERSION],
      ["redis-bits", "64"],
      ["ctime", String(Math.floor(nowMs() / 1000))],
      ["used-mem", String(usedMemory(worker))],
      ["aof-base", "0"],
    ],
  };
}

/** The folder of the server's files, absolute. */
export function dataFolder(worker: WorkerContext): string {
  const { dir } = worker.settings;
  return dir.startsWith("/") ? dir : `${worker.hostDir}/${dir}`;
}

/** CONFIG SET dir takes folders that are there, as a change of directory does. */
export function guardDataFolder(worker: WorkerContext): void {
  worker.settings.guard("dir", (text) => {
    const path = new TextDecoder().decode(latin1BytesOf(text));
    const absolute = path.startsWith("/") ? path : `${worker.hostDir}/${path}`;
    try {
      return Deno.statSync(absolute).isDirectory
        ? undefined
        : "Not a directory";
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) return String(cause);
      return "No such file or directory";
    }
  });
}

/** What of access clocks is of use to who reads the file. */
function clockNotes(policy: number): number {
  if (isLfuPolicy(policy)) return CLOCK_FREQUENCY;
  return policy === MAXMEMORY_POLICY.ALLKEYS_LRU ||
      policy === MAXMEMORY_POLICY.VOLATILE_LRU
    ? CLOCK_IDLE
    : CLOCK_NONE;
}

/** Pairs of seconds and changes after which a snapshot is due. */
function savePoints(text: string): [seconds: number, changes: number][] {
  const words = text === "" ? [] : text.split(" ").map(Number);
  const points: [number, number][] = [];
  for (let i = 0; i < words.length; i += 2) {
    points.push([words[i]!, words[i + 1]!]);
  }
  return points;
}

/** Begins a snapshot if a save point is reached; worker 0 looks at them. */
export function checkSavePoints(worker: WorkerContext, nowMs: number): void {
  const { settings, facts, statistics, main } = worker;
  if (settings.save === "" || facts[SAVING] !== 0 || worker.asksToSave) return;
  if ((worker.executor.gate & (GATE_STOP | GATE_LOADING)) !== 0) return;
  const changes = statistics.sum(CHANGES) - facts[LAST_SAVE_CHANGES]!;
  const seconds = nowMs / 1000 - facts[LAST_SAVE_S]!;
  const mayTry = facts[LAST_SAVE_FAILED] === 0 ||
    nowMs - facts[LAST_TRY_MS]! > RETRY_MS;
  if (!mayTry) return;
  for (const [afterSeconds, afterChanges] of savePoints(settings.save)) {
    if (changes < afterChanges || seconds <= afterSeconds) continue;
    worker.log(
      `${afterChanges} changes in ${afterSeconds} seconds. Saving...`,
    );
    worker.asksToSave = true;
    const data = { save: saveData(worker, false), schedule: false };
    main.ask(ASK_BGSAVE, data).then(() => worker.asksToSave = false);
    return;
  }
}

/**
 * Asks for the end of the server, as SIGTERM does: with a snapshot before if
 * there are save points. If that fails the server goes on, unless it is forced.
 */
export function shutDown(worker: WorkerContext, force: boolean): void {
  if (worker.settings.save === "") return worker.shutdown();
  const data = { save: saveData(worker, true), force };
  worker.main.ask(ASK_SHUTDOWN, data).then((answer) => {
    if (answer === "ok") return;
    worker.log(
      "Errors trying to save the data, the server does not stop",
      "warning",
    );
  });
}

/** Refuses writes after a snapshot that failed, if that is wished. */
export function followSnapshots(worker: WorkerContext): void {
  const { settings, facts, executor } = worker;
  const refuses = settings.stopWritesOnBgsaveError && settings.save !== "" &&
    facts[LAST_SAVE_FAILED] !== 0;
  if (refuses) executor.gate |= GATE_SNAPSHOT_FAILED;
  else executor.gate &= ~GATE_SNAPSHOT_FAILED;
}
