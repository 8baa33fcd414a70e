/**
 * Sends commands to the owners of their shards and hands the replies back.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import { COMMANDS_FORWARDED } from "../../core/keyspace/counters.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import { readForwardedReply, writeForwarded } from "../messages/forwarding.ts";
import type { Mesh } from "../messages/mesh.ts";
import { COMMAND_RECORD, REPLY_RECORD } from "../messages/record_kinds.ts";
import type { Session } from "./session.ts";

/** The sender's side; one per worker. */
export class Forwarder {
  readonly #mesh: Mesh;
  readonly #counters: Float64Array;
  readonly #open = new Map<number, (reply: LateReply) => void>();
  #last = 0;

  /** Replies come over `mesh`. */
  constructor(mesh: Mesh, counters: Float64Array) {
    this.#mesh = mesh;
    this.#counters = counters;
    mesh.handle(REPLY_RECORD, (_from, reader) => {
      const request = reader.u32();
      const settle = this.#open.get(request);
      assert(settle !== undefined, "a forwarded reply has a request");
      this.#open.delete(request);
      settle(readForwardedReply(reader));
    });
  }

  /** Sends a request to a worker; the promise never rejects. */
  forward(session: Session, args: Arguments, to: number): Promise<LateReply> {
    const request = this.#last = (this.#last + 1) >>> 0;
    this.#counters[COMMANDS_FORWARDED] = this.#counters[COMMANDS_FORWARDED]! +
      1;
    const { id, db, resp, noTouch, tracking } = session;
    const cacheWorker = tracking?.remembers === true ? tracking.worker : -1;
    writeForwarded(
      this.#mesh.record(to, COMMAND_RECORD),
      { request, session: id, db, resp, noTouch, cacheWorker },
      args,
    );
    return new Promise((settle) => this.#open.set(request, settle));
  }
}
