/**
 * What a worker answers when a peer asks on behalf of a command about the whole
 * server. Answers are given at once, so they fall between two commands.
 *
 * @module
 */

import type { SettingsChange } from "./apply_settings.ts";
import { resetStatistics } from "./statistics.ts";
import type { WorkerContext } from "./worker_context.ts";

/** Take over a {@linkcode SettingsChange}. */
export const ASK_SETTINGS = "settings";
/** Set your statistics back to zero. */
export const ASK_RESET_STATISTICS = "statistics.reset";
/** How many error replies by prefix? */
export const ASK_ERRORS = "errors";
/** Your newest slow commands; the question is how many. */
export const ASK_SLOW = "slowlog.get";
/** How many slow commands do you remember, of at most so many? */
export const ASK_SLOW_COUNT = "slowlog.len";
/** Forget the slow commands. */
export const ASK_SLOW_RESET = "slowlog.reset";
/** Your latency events. */
export const ASK_LATENCY = "latency.events";
/** Forget these latency events, or all; which ones did you know? */
export const ASK_LATENCY_RESET = "latency.reset";

/** Delete expired keys although nobody asks for them, or do not. */
export const ASK_ACTIVE_EXPIRE = "expire.active";
/** Give back the memory that is held but not in use. */
export const ASK_PURGE = "memory.purge";

/** Registers the answers; called once, before the worker listens. */
export function answerServerQuestions(worker: WorkerContext): void {
  const { peers, settingsExchange, executor, slowLog, latency } = worker;
  peers.answer(ASK_SETTINGS, (change) => {
    settingsExchange.apply(change as SettingsChange);
    return null;
  });
  peers.answer(ASK_RESET_STATISTICS, () => {
    resetStatistics(worker);
    return null;
  });
  peers.answer(
    ASK_ERRORS,
    () => Object.fromEntries(executor.accounts.errorCounts),
  );
  peers.answer(ASK_SLOW, (count) => slowLog.newest(count as number));
  peers.answer(ASK_SLOW_COUNT, (most) => slowLog.count(most as number));
  peers.answer(ASK_SLOW_RESET, () => {
    slowLog.clear();
    return null;
  });
  peers.answer(ASK_LATENCY, () => latency.events());
  peers.answer(ASK_LATENCY_RESET, (names) => latency.reset(names as string[]));
  peers.answer(ASK_ACTIVE_EXPIRE, (isActive) => {
    if (worker.owner !== null) worker.owner.isExpireActive = isActive === true;
    return null;
  });
  peers.answer(ASK_PURGE, () => {
    worker.owner?.defragmenter.purge();
    return null;
  });
}
