/**
 * A command of very many keys as the same command of one of them: what is run when
 * that key has what was asked for.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import type { KeysAt } from "../keyspace/waiter_records.ts";
import type { ArgumentPart } from "../keyspace/own_arguments.ts";

/**
 * Where keys stand: alone (BLPOP), behind their number (LMPOP), or before as many
 * IDs (XREAD).
 */
export type OneKeyForm = "alone" | "counted" | "with IDs";

const ONE = bytesOf("1");

/**
 * Of a command with so many arguments, those that remain if key number `key` stays
 * alone. `partsOf` is given the numbers of these, which go up.
 */
export function oneKeyArguments(
  form: OneKeyForm,
  count: number,
  { first, count: keys }: KeysAt,
  key: number,
  partsOf: (numbers: readonly number[]) => ArgumentPart[],
): ArgumentPart[] {
  const kept: number[] = [];
  for (let i = 0; i < first; i++) kept.push(i);
  kept.push(first + key);
  if (form === "with IDs") kept.push(first + keys + key);
  else for (let i = first + keys; i < count; i++) kept.push(i);
  const parts = partsOf(kept);
  if (form === "counted") parts[first - 1] = ONE;
  return parts;
}
