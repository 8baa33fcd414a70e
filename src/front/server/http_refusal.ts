/**
 * What happens to a connection that speaks HTTP: it is closed without a word.
 *
 * A page in a browser can send requests to servers on the browser's machine. It
 * cannot choose how they begin, so whoever closes at `POST` or `Host:` runs
 * nothing of their bodies.
 *
 * @module
 */

import type { Session } from "../../engine/executor/session.ts";
import type { WorkerContext } from "./worker_context.ts";

/** Time between two lines of the log: an attacker must not fill the disk. */
const WARNING_MS = 60_000;

const warned = new WeakMap<WorkerContext, number>();

/** Closes the session's connection; once a minute, the log says so. */
export function refuseHttp(worker: WorkerContext, session: Session): void {
  const nowMs = worker.nowMs();
  if (nowMs - (warned.get(worker) ?? -Infinity) > WARNING_MS) {
    warned.set(worker, nowMs);
    worker.log(
      "Possible SECURITY ATTACK detected. It looks like somebody is sending " +
        "POST or Host: commands, perhaps from a browser (cross protocol " +
        `scripting). Connection from ${session.address} aborted.`,
      "warning",
    );
  }
  worker.connections.get(session.id)?.close();
}
