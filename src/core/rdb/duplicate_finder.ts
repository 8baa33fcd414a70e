/**
 * Finds elements that are in a listpack twice, which none may be that comes from
 * a client and is to be kept as it is.
 *
 * Hashes of what was seen lie in a set; only where one is there already, which
 * by chance happens once in millions, the elements themselves are compared. So
 * it takes linear time.
 *
 * @module
 */

import { halfSipHash } from "../base/half_siphash.ts";
import { IntegerSet } from "../base/sampling.ts";
import { ListpackItem } from "../memory/listpack.ts";
import type { ValueMemory } from "../types/value_type.ts";

const ITEM = new ListpackItem();

/**
 * Whether any two elements of a listpack are equal, of which only every
 * `step`-th counts, from the first on.
 */
export function hasDuplicates(
  memory: ValueMemory,
  listpack: number,
  step: number,
): boolean {
  const { listpacks, hashSeed0, hashSeed1 } = memory;
  const seen = new IntegerSet(Math.ceil(listpacks.count(listpack) / step));
  const first = listpacks.first(listpack);
  for (let pos = first; pos !== 0;) {
    listpacks.read(listpack, pos, ITEM);
    const { buf, off, length } = ITEM;
    const hash = halfSipHash(buf, off, length, hashSeed0, hashSeed1);
    // 0 is not for the set.
    if (!seen.add(hash === 0 ? 1 : hash)) {
      const found = listpacks.find(listpack, first, buf, off, length, step - 1);
      if (found < pos) return true;
    }
    for (let i = 0; i < step && pos !== 0; i++) {
      pos = listpacks.next(listpack, pos);
    }
  }
  return false;
}
