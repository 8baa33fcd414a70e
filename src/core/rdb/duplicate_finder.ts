/**
 * Finds elements that are in a listpack twice, which none may be that comes from
 * a client and is to be kept as it is.
 *
 * Elements are equal if their bytes are. Those seen lie in a table by a hash that
 * is quickly made, which somebody could make collisions for: where there are more
 * of them than chance makes, all begins anew with the hash that has a seed. So it
 * takes linear time, whatever the elements are.
 *
 * @module
 */

import { equalBytes } from "../base/bytes.ts";
import { halfSipHash } from "../base/half_siphash.ts";
import { byteOf, SEGMENT_SHIFT } from "../memory/arena.ts";
import { LISTPACK_HEADER_BYTES } from "../memory/listpack.ts";
import { elementBytes } from "../memory/listpack_format.ts";
import type { ValueMemory } from "../types/value_type.ts";

/** Slots of a table that is kept for the next listpack. */
const KEPT_SLOTS_MAX = 1 << 14;
/** Elements with a slot that is taken, for each element: chance makes a half. */
const COLLISIONS_MAX = 4;
const COLLISIONS_ALLOWED = 64;

const NONE = 0;
const SOME = 1;
const TOO_MANY_COLLISIONS = 2;

/** By slot: hash and place of the element in it, place 0 for none. */
let hashes = new Int32Array(256);
let places = new Int32Array(256);

/**
 * Whether any two elements of a listpack are equal, of which only every
 * `step`-th counts, from the first on.
 */
export function hasDuplicates(
  memory: ValueMemory,
  listpack: number,
  step: number,
): boolean {
  const count = Math.ceil(memory.listpacks.count(listpack) / step);
  const found = look(memory, listpack, step, count, true);
  return found === TOO_MANY_COLLISIONS
    ? look(memory, listpack, step, count, false) === SOME
    : found === SOME;
}

function look(
  memory: ValueMemory,
  listpack: number,
  step: number,
  count: number,
  isQuick: boolean,
): number {
  const { arena, listpacks, hashSeed0, hashSeed1 } = memory;
  const buf = arena.u8[listpack >>> SEGMENT_SHIFT]!;
  const start = byteOf(listpack);
  const end = start + listpacks.bytes(listpack) - 1;
  const slots = makeTable(count);
  const mask = slots - 1;
  // The upper bits of a product are the ones that depend on all bytes.
  const shift = Math.clz32(slots) + 1;
  let collisions = isQuick
    ? count * COLLISIONS_MAX + COLLISIONS_ALLOWED
    : Infinity;
  for (let at = start + LISTPACK_HEADER_BYTES; at < end;) {
    const bytes = elementBytes(buf, at);
    const hash = isQuick
      ? quickHash(buf, at, bytes)
      : halfSipHash(buf, at, bytes, hashSeed0, hashSeed1);
    let slot = hash >>> shift;
    for (; places[slot] !== 0; slot = (slot + 1) & mask) {
      if (
        hashes[slot] === hash &&
        equalBytes(buf, places[slot]!, bytes, buf, at, bytes)
      ) return SOME;
      if (--collisions < 0) return TOO_MANY_COLLISIONS;
    }
    hashes[slot] = hash;
    places[slot] = at;
    at += bytes;
    for (let i = 1; i < step && at < end; i++) at += elementBytes(buf, at);
  }
  return NONE;
}

/** Makes the table empty, with room for so many elements; returns its slots. */
function makeTable(count: number): number {
  const slots = 2 << (32 - Math.clz32(count));
  if (slots > places.length || places.length > KEPT_SLOTS_MAX) {
    hashes = new Int32Array(slots);
    places = new Int32Array(slots);
  } else places.fill(0, 0, slots);
  return slots;
}

function quickHash(buf: Uint8Array, off: number, length: number): number {
  let hash = length;
  let at = off;
  const end = off + length;
  for (const last = end - 4; at <= last; at += 4) {
    hash = Math.imul(
      hash ^ (buf[at]! | buf[at + 1]! << 8 | buf[at + 2]! << 16 |
        buf[at + 3]! << 24),
      0x9e3779b1,
    );
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ buf[at]!, 0x9e3779b1);
  return Math.imul(hash ^ hash >>> 15, 0x85ebca6b);
}
