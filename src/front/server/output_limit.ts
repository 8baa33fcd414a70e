/**
 * Whether a connection owes its peer more than `client-output-buffer-limit`
 * allows: at all, or for longer than it allows.
 *
 * @module
 */

import type { Settings } from "../../core/settings/settings.ts";

/** Of one connection. */
export class OutputLimit {
  /** When the soft limit was first exceeded, 0 if it is not. */
  #softSinceMs = 0;

  /** Whether `bytes` that wait to be sent are too many at that time. */
  isExceeded(
    settings: Settings,
    isSubscriber: boolean,
    bytes: number,
    nowMs: number,
  ): boolean {
    const limits = settings.clientOutputBufferLimit;
    const limit = isSubscriber ? limits.pubsub : limits.normal;
    if (limit.hardBytes !== 0 && bytes > limit.hardBytes) return true;
    if (limit.softBytes === 0 || bytes <= limit.softBytes) {
      this.#softSinceMs = 0;
      return false;
    }
    if (this.#softSinceMs === 0) this.#softSinceMs = nowMs;
    return nowMs - this.#softSinceMs > limit.softSeconds * 1000;
  }
}
