/**
 * What the patterns of one call of SORT ask for together: how the names of all
 * keys begin and end that they make, and which fields of hashes they want.
 *
 * Whoever changes a key compares its name with these (old_values.ts), so they are
 * few and short: if there are more of them, all are covered by what they have in
 * common. Then more keys are noted than are asked for. If there are more fields,
 * hashes are noted as a whole.
 *
 * @module
 */

import { asciiOf } from "../base/bytes.ts";
import type { NamePattern } from "../keyspace/old_values.ts";
import type { SortPattern } from "./sort_pattern.ts";

/** Names that a changed key is compared with, and their bytes, at most. */
const NAMES_MAX = 256;
const NAME_BYTES_MAX = 1 << 14;
/** Bytes of what many names have in common that are looked for, at most. */
const COMMON_BYTES_MAX = 256;
/** Fields of which a changed key has to be asked, and their bytes, at most. */
const FIELDS_MAX = 16;
const FIELD_BYTES_MAX = 1 << 12;

/** Names of keys, and fields. */
export interface SortNames {
  readonly names: readonly NamePattern[];
  /** Null for all fields. */
  readonly fields: readonly Uint8Array[] | null;
}

/**
 * What patterns ask for that all name keys, each of which learns the number of its
 * field.
 */
export function namesOf(patterns: readonly SortPattern[]): SortNames {
  const names = distinct(patterns) ?? [inCommon(patterns)];
  return { names, fields: fieldsOf(patterns) };
}

/** All fields, each of them once; null if they are too many, or too long. */
function fieldsOf(patterns: readonly SortPattern[]): Uint8Array[] | null {
  const fields: Uint8Array[] = [];
  const numbers = new Map<string, number>();
  let bytes = 0;
  let isMany = false;
  for (const pattern of patterns) {
    const { field } = pattern;
    if (field === null) continue;
    pattern.fieldNumber = 0;
    if (field.length > FIELD_BYTES_MAX) isMany = true;
    if (isMany) continue;
    const text = asciiOf(field, 0, field.length);
    let number = numbers.get(text);
    if (number === undefined) {
      number = fields.push(field) - 1;
      numbers.set(text, number);
      bytes += field.length;
    }
    isMany = fields.length > FIELDS_MAX || bytes > FIELD_BYTES_MAX;
    pattern.fieldNumber = number;
  }
  return isMany ? null : fields;
}

/** All names, each of them once; null if they are too many. */
function distinct(patterns: readonly SortPattern[]): NamePattern[] | null {
  const names = new Map<string, NamePattern>();
  let bytes = 0;
  for (const { prefix, suffix } of patterns) {
    const length = prefix.length + suffix.length;
    if (length > NAME_BYTES_MAX) return null;
    const text = `${prefix.length} ` + asciiOf(prefix, 0, prefix.length) +
      asciiOf(suffix, 0, suffix.length);
    if (names.has(text)) continue;
    names.set(text, { prefix, suffix });
    bytes += length;
    if (names.size > NAMES_MAX || bytes > NAME_BYTES_MAX) return null;
  }
  return [...names.values()];
}

/** How all names begin and end, as far as that is the same. */
function inCommon(patterns: readonly SortPattern[]): NamePattern {
  const first = patterns[0]!;
  let prefix = first.prefix.subarray(0, COMMON_BYTES_MAX);
  let suffix = first.suffix.subarray(-COMMON_BYTES_MAX);
  for (const { prefix: begin, suffix: end } of patterns) {
    let same = 0;
    while (same < prefix.length && begin[same] === prefix[same]) same++;
    prefix = prefix.subarray(0, same);
    same = 0;
    while (
      same < suffix.length && same < end.length &&
      end[end.length - 1 - same] === suffix[suffix.length - 1 - same]
    ) same++;
    suffix = suffix.subarray(suffix.length - same);
  }
  return { prefix, suffix };
}
