/**
 * The keys that a session watches, each once.
 *
 * There may be very many, and they are added with latches held: so they lie in
 * blocks, of which none is ever copied, and are found by tables of which each has a
 * small part of them, and grows by itself.
 *
 * @module
 */

/** Words of a watch: shard, node, version. */
const WATCH_WORDS = 3;
const NODE_WORD = 1;
const VERSION_WORD = 2;
/** Watches of a block: a power of two. */
const BLOCK_WATCHES = 1 << 10;
const BLOCK_SHIFT = 10;
/** More watches than these are looked up in tables. */
const FEW_WATCHES = 16;
/** Tables, by the upper bits of a hash. */
const TABLES = 256;
const TABLE_SHIFT = 24;
/** The lower bits of a hash are those of a multiple. */
const SLOT_SHIFT = 8;
const FIRST_SLOTS = 8;
/** The golden ratio: spreads numbers that are multiples of something. */
const FACTOR = 0x9e3779b1;

/** Watched keys. */
export class Watches {
  /** How many there are. */
  count = 0;
  readonly #blocks: Int32Array[] = [];
  /** Slots with the number of a watch, and one; null as long as they are few. */
  #tables: Int32Array[] | null = null;
  /** By table: slots that are taken. */
  #taken = new Int32Array(0);

  /** Adds one that it does not have. */
  add(shard: number, node: number, version: number): void {
    const i = this.count++;
    const block = this.#blockFor(i);
    const at = placeOf(i);
    block[at] = shard;
    block[at + NODE_WORD] = node;
    block[at + VERSION_WORD] = version;
    if (this.#tables !== null) this.#note(i);
  }

  /** Whether a node of a shard is watched. */
  has(shard: number, node: number): boolean {
    if (this.count <= FEW_WATCHES) {
      for (let i = 0; i < this.count; i++) {
        if (this.node(i) === node && this.shard(i) === shard) return true;
      }
      return false;
    }
    if (this.#tables === null) this.#noteAll();
    const hash = hashOf(node);
    const slots = this.#tables![hash >>> TABLE_SHIFT]!;
    const mask = slots.length - 1;
    for (
      let slot = hash >>> SLOT_SHIFT & mask;
      slots[slot] !== 0;
      slot = slot + 1 & mask
    ) {
      const i = slots[slot]! - 1;
      if (this.node(i) === node && this.shard(i) === shard) return true;
    }
    return false;
  }

  /** Shard of a watched key. */
  shard(i: number): number {
    return this.#blocks[i >>> BLOCK_SHIFT]![placeOf(i)]!;
  }

  /** Node of a watched key. */
  node(i: number): number {
    return this.#blocks[i >>> BLOCK_SHIFT]![placeOf(i) + NODE_WORD]!;
  }

  /** Version of a watched key when its watch began. */
  version(i: number): number {
    return this.#blocks[i >>> BLOCK_SHIFT]![placeOf(i) + VERSION_WORD]!;
  }

  /** Forgets all of them. */
  clear(): void {
    if (this.count === 0) return;
    this.count = 0;
    this.#blocks.length = 1;
    this.#tables = null;
  }

  /** The block of watch `i`, which is the next one. */
  #blockFor(i: number): Int32Array {
    const blocks = this.#blocks;
    if (i === blocks.length << BLOCK_SHIFT) {
      const watches = i === 0 ? FEW_WATCHES : BLOCK_WATCHES;
      blocks.push(new Int32Array(watches * WATCH_WORDS));
    } else if (i === FEW_WATCHES && placeOf(i) === blocks[0]!.length) {
      const first = new Int32Array(BLOCK_WATCHES * WATCH_WORDS);
      first.set(blocks[0]!);
      blocks[0] = first;
    }
    return blocks[i >>> BLOCK_SHIFT]!;
  }

  #noteAll(): void {
    this.#tables = Array.from(
      { length: TABLES },
      () => new Int32Array(FIRST_SLOTS),
    );
    this.#taken = new Int32Array(TABLES);
    for (let i = 0; i < this.count; i++) this.#note(i);
  }

  #note(i: number): void {
    const tables = this.#tables!;
    const hash = hashOf(this.node(i));
    const table = hash >>> TABLE_SHIFT;
    let slots = tables[table]!;
    if (2 * this.#taken[table]! >= slots.length) {
      const larger = new Int32Array(2 * slots.length);
      for (const number of slots) {
        if (number !== 0) put(larger, hashOf(this.node(number - 1)), number);
      }
      slots = tables[table] = larger;
    }
    put(slots, hash, i + 1);
    this.#taken[table]!++;
  }
}

function placeOf(i: number): number {
  return (i & BLOCK_WATCHES - 1) * WATCH_WORDS;
}

function hashOf(node: number): number {
  return Math.imul(node, FACTOR) >>> 0;
}

/** Puts a number into the first free slot. */
function put(slots: Int32Array, hash: number, number: number): void {
  const mask = slots.length - 1;
  let slot = hash >>> SLOT_SHIFT & mask;
  while (slots[slot] !== 0) slot = slot + 1 & mask;
  slots[slot] = number;
}
