/**
 * Replies of stream commands in one shape, whatever the protocol.
 *
 * @module
 */
import type { Plain } from "../_resp_client.ts";

/** A map, or in RESP2 names and values in turn, as a record. */
export function recordOf(reply: Plain): Record<string, Plain> {
  if (reply instanceof Map) {
    return Object.fromEntries([...reply].map(([k, v]) => [String(k), v]));
  }
  const flat = reply as Plain[];
  const record: Record<string, Plain> = {};
  for (let i = 0; i < flat.length; i += 2) {
    record[String(flat[i])] = flat[i + 1]!;
  }
  return record;
}

/** What XREAD and XREADGROUP reply, as pairs of key and entries; null if none. */
export function streamsOf(reply: Plain): Plain {
  return reply instanceof Map ? [...reply] : reply;
}

/** Entries as XRANGE has them, with one field `f`. */
export function entries(
  ...rows: readonly [id: string, value: string][]
): Plain {
  return rows.map(([id, value]) => [id, ["f", value]]);
}
