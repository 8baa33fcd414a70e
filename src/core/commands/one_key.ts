/**
 * A command of very many keys as the same command of one of them: what is run when
 * that key has what was asked for.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import type { KeysAt } from "../keyspace/waiter_records.ts";
import { type Arguments, argumentsOf } from "../resp/arguments.ts";

/**
 * Where keys stand: alone (BLPOP), behind their number (LMPOP), or before as many
 * IDs (XREAD).
 */
export type OneKeyForm = "alone" | "counted" | "with IDs";

const ONE = bytesOf("1");

/**
 * Of a command with so many arguments, those that remain if key number `key` stays
 * alone. `copy` is given the numbers of these, which go up, and copies them.
 */
export function oneKeyArguments(
  form: OneKeyForm,
  count: number,
  { first, count: keys }: KeysAt,
  key: number,
  copy: (numbers: readonly number[]) => Uint8Array[],
): Arguments {
  const kept: number[] = [];
  for (let i = 0; i < first; i++) kept.push(i);
  kept.push(first + key);
  if (form === "with IDs") kept.push(first + keys + key);
  else for (let i = first + keys; i < count; i++) kept.push(i);
  const argv = copy(kept);
  if (form === "counted") argv[first - 1] = ONE;
  return argumentsOf(argv);
}
