/**
 * How much a connection may owe its peer: before no further request is run, and
 * before it is closed (`client-output-buffer-limit`).
 *
 * @module
 */

import type { ReplyWriter } from "../../core/resp/reply_writer.ts";
import type { Settings } from "../../core/settings/settings.ts";

/** Replies that may wait before no further request is run. */
export const OUTPUT_BYTES_HIGH = 1024 * 1024;
/** Whether no further command is run before some of the replies are sent. */
export function isFull(writer: ReplyWriter): boolean {
  return writer.hasSource || writer.pendingBytes > OUTPUT_BYTES_HIGH;
}

/** The limit of one connection. */
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
