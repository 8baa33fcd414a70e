/**
 * What OBJECT, MEMORY and DEBUG tell of an entry.
 *
 * @module
 */

import {
  STRING_ENCODING_NAMES,
  STRING_EXTERNAL,
  TYPE_STRING,
} from "../types/entry.ts";
import type { Keyspace } from "./keyspace.ts";

/** Name of the encoding of an entry's value, as OBJECT ENCODING prints it. */
export function encodingName(space: Keyspace, ref: number): string {
  const type = space.type(ref);
  const names = type === TYPE_STRING
    ? STRING_ENCODING_NAMES
    : space.values.of(type).encodingNames;
  return names[space.encoding(ref)]!;
}

/**
 * Bytes of an entry with its value, as allocated; `samples` elements of a large
 * value are looked at, or all (0).
 */
export function allocatedBytes(
  space: Keyspace,
  ref: number,
  samples: number,
): number {
  const bytes = space.heap.unitsOf(ref) * 8;
  const type = space.type(ref);
  if (type !== TYPE_STRING) {
    return bytes + space.values.of(type).memoryBytes(ref, samples);
  }
  return space.encoding(ref) === STRING_EXTERNAL
    ? bytes + space.heap.unitsOf(space.valueRef(ref)) * 8
    : bytes;
}
