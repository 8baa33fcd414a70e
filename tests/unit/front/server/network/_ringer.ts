/// <reference lib="deno.worker" />
/**
 * A thread that rings a bell now and then.
 *
 * @module
 */
import { Bell } from "../../../../../src/engine/messages/bell.ts";
import { wakeWorker } from "../../../../../src/front/server/network/system_calls.ts";

self.onmessage = ({ data }: MessageEvent<SharedArrayBuffer>) => {
  const bell = new Bell(data, 0, wakeWorker);
  setInterval(() => bell.ring(), 2);
};

self.postMessage("ready");
