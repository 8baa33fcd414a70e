/**
 * Long work that lets others go first: it goes on at once if nothing has happened
 * meanwhile, and else after a rest, so that it takes but a part of the time.
 *
 * @module
 */

import type { EventLoop } from "./event_loop.ts";

/** Calls back when others have had their turn. */
export function giveWay(loop: EventLoop, run: () => void): void {
  const { eventCount } = loop;
  loop.rest(() => {
    if (loop.eventCount === eventCount) run();
    else loop.later(run, 0);
  });
}
