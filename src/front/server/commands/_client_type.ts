/**
 * The kinds of clients that CLIENT LIST and CLIENT KILL tell apart.
 *
 * @module
 */

import { GATE_SUBSCRIBED } from "../../../engine/executor/session.ts";
import type { Connection } from "../connection.ts";
import type { ServerCall } from "../server_call.ts";
import { textAt } from "./_arguments.ts";

/** `replica` is what Redis also calls `slave`. */
export type ClientType = "normal" | "pubsub" | "replica" | "master";

const TYPES = new Map<string, ClientType>([
  ["normal", "normal"],
  ["pubsub", "pubsub"],
  ["replica", "replica"],
  ["slave", "replica"],
  ["master", "master"],
]);

/** The type that an argument names, or null. */
export function clientTypeAt(call: ServerCall, i: number): ClientType | null {
  return TYPES.get(textAt(call, i).toLowerCase()) ?? null;
}

/** What a connection is. */
export function clientTypeOf(connection: Connection): ClientType {
  return (connection.session.gate & GATE_SUBSCRIBED) === 0
    ? "normal"
    : "pubsub";
}
