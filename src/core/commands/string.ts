/**
 * String commands: values as plain bytes.
 *
 * @module
 */

import { WRONG_TYPE } from "../resp/error_reply.ts";
import { STRING_EMBEDDED, STRING_RAW, TYPE_STRING } from "../keyspace/entry.ts";
import type { Call } from "./call.ts";
import { type CommandSpec, KEY_RO_ACCESS, keyAt } from "./command_spec.ts";

function getCommand(call: Call): void {
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupRead(call.db, key, call.nowMs);
  if (ref === 0) return call.reply.nullBulk();
  if (space.type(ref) !== TYPE_STRING) return call.reply.error(WRONG_TYPE);
  call.reply.bulk(space.stringBytes(ref), space.stringOff(ref), space.stringLength(ref));
}

function setCommand(call: Call): void {
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.peek(call.db, key);
  const args = call.args;
  const length = args.length[2]!;
  space.setString(call.db, key, ref, args.source(2), args.off[2]!, length, length <= 44 ? STRING_EMBEDDED : STRING_RAW, 0);
  space.noteChange();
  call.reply.ok();
}

function pingCommand(call: Call): void {
  call.reply.simple("PONG");
}

/** Rows of the string commands. */
export const STRING_COMMANDS: readonly CommandSpec<Call>[] = [
  { name: "get", group: "string", since: "1.0.0", summary: "x", arity: 2, flags: ["readonly", "fast"], keys: KEY_RO_ACCESS, run: getCommand },
  { name: "set", group: "string", since: "1.0.0", summary: "x", arity: -3, complexity: "O(1)", flags: ["write", "denyoom"], keys: [keyAt(1, "RW update")], run: setCommand },
  { name: "ping", group: "connection", since: "1.0.0", summary: "x", arity: -1, flags: ["fast"], run: pingCommand },
];
