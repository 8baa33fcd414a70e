/**
 * The log of changes as the workers deal with it: what they ask the main thread
 * for, with the settings as they are now, and what INFO tells of it.
 *
 * @module
 */

import {
  LOG_BASE_SIZE,
  LOG_BUFFERED,
  LOG_OFF,
  LOG_REWRITE_FAILURES,
  LOG_REWRITE_PEAK_BYTES,
  LOG_REWRITE_SCHEDULED,
  LOG_REWRITE_SECONDS,
  LOG_REWRITE_STARTED_MS,
  LOG_REWRITES,
  LOG_SIZE,
  LOG_STATE,
  LOG_SYNCING,
  LOG_SYNCS_DELAYED,
  LOG_WAITS_FOR_BASE,
} from "../../engine/persistence/log_status.ts";
import { GATE_LOADING, GATE_STOP } from "../../engine/executor/gate.ts";
import { SAVING } from "../../engine/persistence/persistence_facts.ts";
import { ASK_LOG, ASK_REWRITE, type LogSwitch } from "./durable_log.ts";
import { SYNC_POLICIES } from "./log_link.ts";
import { dataFolder, saveData } from "./snapshot_requests.ts";
import type { WorkerContext } from "./worker_context.ts";

/** After so many failures in a row, automatic rewrites are rarer. */
const FAILURES_MAX = 3;
/** Time between two of them then. */
const RETRY_MS = 60_000;

/**
 * Asks for a rewrite; settles with "started", "scheduled" behind a snapshot, or
 * "busy", or "off" where no log is kept.
 */
export async function askRewrite(worker: WorkerContext): Promise<string> {
  return await worker.main.ask(ASK_REWRITE, snapshotData(worker)) as string;
}

/** Begins to log changes, or ends it, as `appendonly` says; "ok" if it worked. */
export async function switchLog(worker: WorkerContext): Promise<string> {
  const { settings, main } = worker;
  const data: LogSwitch = {
    log: settings.appendonly
      ? {
        folder: `${dataFolder(worker)}/${settings.appenddirname}`,
        prefix: settings.appendfilename,
        policy: SYNC_POLICIES[settings.appendfsync]!,
        cutsTornEnd: settings.aofLoadTruncated,
      }
      : null,
    snapshot: snapshotData(worker),
  };
  return await main.ask(ASK_LOG, data) as string;
}

function snapshotData(worker: WorkerContext) {
  const save = saveData(worker, false);
  const texts = save.texts.filter(([name]) => name !== "aof-base");
  return { ...save, texts: [...texts, ["aof-base", "1"] as [string, string]] };
}

/** Rewrites the log when it has grown enough; worker 0 looks at it. */
export function checkLogGrowth(worker: WorkerContext, nowMs: number): void {
  const { settings, durability } = worker;
  const percentage = settings.autoAofRewritePercentage;
  if (!durability.isKept || percentage === 0 || worker.asksToRewrite) return;
  if ((worker.executor.gate & (GATE_STOP | GATE_LOADING)) !== 0) return;
  const figures = logFigures(worker);
  const size = figures[LOG_SIZE]!;
  if (size <= settings.autoAofRewriteMinSize) return;
  if (isSaving(worker) || figures[LOG_REWRITE_SCHEDULED] !== 0) return;
  const growth = Math.floor(size * 100 / (figures[LOG_BASE_SIZE] || 1)) - 100;
  if (growth < percentage) return;
  if (
    figures[LOG_REWRITE_FAILURES]! >= FAILURES_MAX &&
    nowMs - worker.askedToRewriteMs < RETRY_MS
  ) return;
  worker.log(`Starting automatic rewriting of AOF on ${growth}% growth`);
  worker.asksToRewrite = true;
  worker.askedToRewriteMs = nowMs;
  askRewrite(worker).then(() => worker.asksToRewrite = false);
}

/** Whether a snapshot is being taken, for the log or for itself. */
export function isSaving(worker: WorkerContext): boolean {
  return logFigures(worker)[LOG_REWRITE_STARTED_MS] !== 0 ||
    worker.facts[SAVING] !== 0;
}

/** What INFO tells, in its order. */
export function logFields(
  worker: WorkerContext,
  nowMs: number,
): [string, string | number][] {
  const { durability } = worker;
  const figures = logFigures(worker);
  const figure = (index: number) => figures[index]!;
  const startedMs = figure(LOG_REWRITE_STARTED_MS);
  const failures = figure(LOG_REWRITE_FAILURES);
  const state = new Int32Array(durability.status.words)[LOG_STATE];
  const fields: [string, string | number][] = [
    ["aof_enabled", state === LOG_OFF ? 0 : 1],
    ["aof_rewrite_in_progress", startedMs === 0 ? 0 : 1],
    ["aof_rewrite_scheduled", figure(LOG_REWRITE_SCHEDULED)],
    ["aof_last_rewrite_time_sec", figure(LOG_REWRITE_SECONDS)],
    [
      "aof_current_rewrite_time_sec",
      startedMs === 0 ? -1 : Math.floor((nowMs - startedMs) / 1000),
    ],
    ["aof_last_bgrewrite_status", failures === 0 ? "ok" : "err"],
    ["aof_rewrites", figure(LOG_REWRITES)],
    ["aof_rewrites_consecutive_failures", failures],
    ["aof_last_write_status", durability.isFailing ? "err" : "ok"],
    ["aof_last_cow_size", figure(LOG_REWRITE_PEAK_BYTES)],
    ["module_fork_in_progress", 0],
    ["module_fork_last_cow_size", 0],
  ];
  if (state === LOG_OFF) return fields;
  return [
    ...fields,
    ["aof_current_size", figure(LOG_SIZE)],
    ["aof_base_size", figure(LOG_BASE_SIZE)],
    ["aof_pending_rewrite", state === LOG_WAITS_FOR_BASE ? 1 : 0],
    ["aof_buffer_length", figure(LOG_BUFFERED)],
    ["aof_pending_bio_fsync", figure(LOG_SYNCING)],
    ["aof_delayed_fsync", figure(LOG_SYNCS_DELAYED)],
  ];
}

function logFigures({ durability }: WorkerContext): Float64Array {
  return new Float64Array(durability.status.figures);
}
