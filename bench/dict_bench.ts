/**
 * The dictionary and the heap under it, without keyspace, commands and latches.
 *
 * Each iteration does {@linkcode OPERATIONS} operations; divide by that.
 *
 * Traps:
 * - What a lookup costs is two cache misses, one for the bucket and one for the
 *   node, so it depends on the size of the table far more than on the code; a
 *   table of a thousand nodes measures the code alone.
 * - Keys are drawn at random, but drawn before: the draw would cost as much as
 *   the lookup. The draw is long enough not to stay in the cache itself.
 * - A key of the bench lies in a buffer that the lookup reads too. A server's
 *   keys come out of the input buffer, which is in the cache; here they are one
 *   more miss in a large table. Compare with `command_bench.ts`.
 * - Growth is part of inserting: one split per eight inserts.
 *
 * @module
 */
import { halfSipHash } from "../src/core/base/half_siphash.ts";
import {
  Arena,
  byteOf,
  reserveArena,
  SEGMENT_SHIFT,
  wordOf,
} from "../src/core/memory/arena.ts";
import { Dict, DICT_HEADER_WORDS } from "../src/core/memory/dict.ts";
import { Heap, HEAP_WORDS } from "../src/core/memory/heap.ts";
import {
  NODE_HASH,
  NODE_HEADER_BYTES,
  NODE_KEY,
} from "../src/core/memory/node.ts";
import { PagePool } from "../src/core/memory/page_pool.ts";
import { Prng } from "../src/core/base/prng.ts";

const OPERATIONS = 1000;
const KEY_BYTES = 16;
const DRAWN = 1 << 20;

/** A dictionary full of nodes, their keys and a random order of them. */
class Filled {
  readonly control: Int32Array;
  readonly heap: Heap;
  readonly dict: Dict;
  readonly keys: Uint8Array;
  readonly hashes: Int32Array;
  readonly nodes: Int32Array;
  readonly order = new Int32Array(DRAWN);
  #at = 0;

  constructor(count: number) {
    const arena = new Arena(reserveArena(1 << 30));
    const pool = new PagePool(arena, false);
    pool.format();
    this.control = new Int32Array(
      new SharedArrayBuffer((HEAP_WORDS + DICT_HEADER_WORDS) * 4),
    );
    this.heap = new Heap(arena, pool, this.control, 0, 0);
    this.dict = new Dict(arena, this.heap);
    this.keys = new Uint8Array(count * KEY_BYTES);
    this.hashes = new Int32Array(count);
    this.nodes = new Int32Array(count);
    const random = new Prng(1);
    for (let i = 0; i < DRAWN; i++) this.order[i] = random.below(count);
    const encoder = new TextEncoder();
    for (let i = 0; i < count; i++) {
      const off = i * KEY_BYTES;
      const text = `key:${String(i).padStart(KEY_BYTES - 4, "0")}`;
      encoder.encodeInto(text, this.keys.subarray(off));
      const hash = halfSipHash(this.keys, off, KEY_BYTES, 1, 2);
      const node = this.heap.allocate(8);
      const words = arena.i32[node >>> SEGMENT_SHIFT]!;
      words[wordOf(node) + NODE_KEY] = KEY_BYTES;
      words[wordOf(node) + NODE_HASH] = hash;
      arena.u8[node >>> SEGMENT_SHIFT]!.set(
        this.keys.subarray(off, off + KEY_BYTES),
        byteOf(node) + NODE_HEADER_BYTES,
      );
      this.hashes[i] = hash;
      this.nodes[i] = node;
      this.dict.insert(this.control, HEAP_WORDS, node, hash);
    }
  }

  /** The next number of the random order. */
  next(): number {
    this.#at = (this.#at + 1) % DRAWN;
    return this.order[this.#at]!;
  }

  find(i: number, hash: number): number {
    const { dict, control, keys } = this;
    return dict.find(control, HEAP_WORDS, keys, i * KEY_BYTES, KEY_BYTES, hash);
  }
}

for (const count of [1000, 500_000]) {
  const table = new Filled(count);
  const { dict, control, hashes, nodes } = table;
  const group = `${count} nodes`;

  Deno.bench(`${OPERATIONS} x find, there`, { group }, () => {
    for (let n = 0; n < OPERATIONS; n++) {
      const i = table.next();
      if (table.find(i, hashes[i]!) !== nodes[i]) throw new Error("lost");
    }
  });

  Deno.bench(`${OPERATIONS} x find, not there`, { group }, () => {
    for (let n = 0; n < OPERATIONS; n++) {
      const i = table.next();
      if (table.find(i, ~hashes[i]!) !== 0) throw new Error("found");
    }
  });

  Deno.bench(`${OPERATIONS} x remove and insert`, { group }, () => {
    for (let n = 0; n < OPERATIONS; n++) {
      const i = table.next();
      dict.remove(control, HEAP_WORDS, nodes[i]!, hashes[i]!);
      dict.insert(control, HEAP_WORDS, nodes[i]!, hashes[i]!);
    }
  });

  let cursor = 0;
  Deno.bench(`${OPERATIONS} x scan step`, { group }, () => {
    let seen = 0;
    const visit = () => seen++;
    for (let n = 0; n < OPERATIONS; n++) {
      cursor = dict.scan(control, HEAP_WORDS, cursor, visit);
    }
    if (seen === 0) throw new Error("nothing seen");
  });
}

{
  const count = 100_000;
  const table = new Filled(count);
  const { dict, control, hashes, nodes } = table;
  const group = `${count} nodes, empty to full and back`;
  Deno.bench(`${count} x insert, after clear`, { group }, () => {
    dict.clear(control, HEAP_WORDS);
    for (let i = 0; i < count; i++) {
      dict.insert(control, HEAP_WORDS, nodes[i]!, hashes[i]!);
    }
  });
  Deno.bench(`${count} x remove, then insert`, { group }, () => {
    for (let i = 0; i < count; i++) {
      dict.remove(control, HEAP_WORDS, nodes[i]!, hashes[i]!);
    }
    for (let i = 0; i < count; i++) {
      dict.insert(control, HEAP_WORDS, nodes[i]!, hashes[i]!);
    }
  });
}

{
  const { heap } = new Filled(1);
  const live = new Int32Array(100_000);
  const random = new Prng(2);
  Deno.bench(`${OPERATIONS} x allocate or free`, { group: "heap" }, () => {
    for (let n = 0; n < OPERATIONS; n++) {
      const i = random.below(live.length);
      if (live[i] === 0) live[i] = heap.allocate(4 + (i & 15));
      else {
        heap.free(live[i]!);
        live[i] = 0;
      }
    }
  });
}
