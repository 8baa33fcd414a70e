/**
 * Damaged values of every kind: each is refused, with nothing left behind, or
 * restored as a value that is sound.
 *
 * @module
 */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import { BadFormat } from "../../../../src/core/rdb/rdb_reader.ts";
import { TYPE_STREAM } from "../../../../src/core/types/entry.ts";
import type { Random } from "../../../_random.ts";
import { seeded } from "../../../_harness.ts";
import { ROUNDS } from "../memory/_memory.ts";
import { VALUES } from "./_samples.ts";
import { Values } from "./_values.ts";

/** Damaged values per kind and seed. */
const DAMAGED = 400;
/** After so many, the heap must be empty. */
const CHECKED_EACH = 50;

/** Bytes that often mean something. */
const TELLING = [0, 1, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xf0, 0xfe, 0xff];

function damaged(random: Random, value: Uint8Array): Uint8Array {
  let bytes = value.slice();
  for (let n = random.below(3); n >= 0 && bytes.length > 0; n--) {
    // The kind stays, mostly.
    const at = random.chance(0.05) ? 0 : random.below(bytes.length);
    switch (random.below(10)) {
      case 0:
        bytes = bytes.slice(0, at);
        break;
      case 1:
        bytes.copyWithin(at, random.below(bytes.length));
        break;
      case 2:
      case 3:
        bytes[at] = random.pick(TELLING);
        break;
      case 4:
        bytes[at] = bytes[at]! + (random.chance(0.5) ? 1 : -1);
        break;
      default:
        bytes[at]! ^= 1 << random.below(8);
    }
  }
  return bytes;
}

/** Restores bytes and what comes of them; says whether they were good. */
function tryRestore(values: Values, bytes: Uint8Array): boolean {
  try {
    values.restore(bytes);
  } catch (error) {
    if (error instanceof BadFormat || error instanceof OutOfMemory) {
      return false;
    }
    throw error;
  }
  values.verify();
  const read = values.contents();
  const dumped = values.dump(false);
  values.restore(dumped);
  values.verify();
  assertEquals(values.contents(), read);
  // Groups and the like are no part of what a digest takes in.
  if (values.space.type(values.ref) === TYPE_STREAM) {
    assertEquals(values.dump(false), dumped);
  }
  return true;
}

for (const [name, value] of VALUES) {
  seeded(`damaged values do no harm: ${name}`, (random, seed) => {
    const values = new Values();
    assert(tryRestore(values, value), "the value itself is good");
    let restored = 0;
    for (let i = 0; i < DAMAGED; i++) {
      const bytes = damaged(random, value);
      try {
        if (tryRestore(values, bytes)) restored++;
      } catch (cause) {
        const hex = [...bytes].map((b) => b.toString(16).padStart(2, "0"));
        throw new Error(`value ${i} of ${seed}: ${hex.join(" ")}`, { cause });
      }
      if (i % CHECKED_EACH === 0) values.end();
    }
    values.end();
    assertGreater(DAMAGED, restored);
  }, { count: ROUNDS });
}
