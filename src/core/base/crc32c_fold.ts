/**
 * Folding: the CRC-32C of many bytes by vector instructions of WebAssembly.
 *
 * A checksum is linear: a word of four bytes contributes the same if it is
 * replaced by another one, 64 bytes nearer to the end. So a block of 64 bytes can
 * be folded into the next one, and that into its next; what is left in the end is
 * one block, whose checksum is computed as usual. The word that stands for
 * another is a sum of eight, one for each four bits of it; looking up four bits of
 * sixteen words at a time is one instruction (`swizzle`). For that a block lies in
 * four vectors: the first bytes of its sixteen words, the second ones, and so on.
 *
 * 4 GB/s, the copy into WebAssembly's memory included, where tables in
 * JavaScript reach 2.
 *
 * Source: the idea is that of Gopal et al., "Fast CRC Computation for Generic
 * Polynomials Using PCLMULQDQ Instruction"; with tables of four bits in the place
 * of carry-less products, which WebAssembly has not. Its binary format:
 * WebAssembly Core Specification, chapter 5.
 *
 * @module
 */

/** Bytes of a block. */
export const FOLD_BYTES = 64;

const PAGE_BYTES = 65536;
/** Bytes that are copied into the memory at a time. */
const CHUNK_BYTES = 4 * PAGE_BYTES;
/** Where they lie in it. */
const CHUNK_AT = PAGE_BYTES;
/** Where the last block is left, in four vectors. */
const RESULT_AT = 1024;
const PAGES = (CHUNK_AT + CHUNK_BYTES) / PAGE_BYTES;

const VECTOR_BYTES = 16;
/** Bytes of a word; vectors of a block. */
const WORD_BYTES = 4;

/** Folds blocks; see the module. */
export class Crc32cFolder {
  readonly #memory: Uint8Array;
  readonly #fold: (at: number, blocks: number) => void;
  readonly #table: Int32Array;

  private constructor(
    memory: WebAssembly.Memory,
    fold: (at: number, blocks: number) => void,
    table: Int32Array,
  ) {
    this.#memory = new Uint8Array(memory.buffer);
    this.#memory.set(makeTables(table));
    this.#fold = fold;
    this.#table = table;
  }

  /**
   * Makes one, or null where there are no vector instructions. `table[b]` is what
   * byte `b` makes of a checksum of 0.
   */
  static make(table: Int32Array): Crc32cFolder | null {
    const bytes = makeModule();
    if (!WebAssembly.validate(bytes)) return null;
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    return new Crc32cFolder(
      exports[MEMORY_NAME] as WebAssembly.Memory,
      exports[FOLD_NAME] as (at: number, blocks: number) => void,
      table,
    );
  }

  /**
   * Goes on from `crc`, which is not inverted, by `length` bytes: two blocks or
   * more, and whole ones.
   */
  take(buf: Uint8Array, off: number, length: number, crc: number): number {
    const memory = this.#memory;
    const table = this.#table;
    const end = off + length;
    for (let at = off; at < end;) {
      // No block alone.
      const left = end - at;
      const most = left === CHUNK_BYTES + FOLD_BYTES
        ? CHUNK_BYTES / 2
        : CHUNK_BYTES;
      const bytes = Math.min(left, most);
      memory.set(buf.subarray(at, at + bytes), CHUNK_AT);
      for (let i = 0; i < WORD_BYTES; i++) {
        memory[CHUNK_AT + i]! ^= crc >>> 8 * i & 0xff;
      }
      this.#fold(CHUNK_AT, bytes / FOLD_BYTES - 1);
      crc = 0;
      for (let word = 0; word < VECTOR_BYTES; word++) {
        for (let i = 0; i < WORD_BYTES; i++) {
          const byte = memory[RESULT_AT + i * VECTOR_BYTES + word]!;
          crc = crc >>> 8 ^ table[(crc ^ byte) & 0xff]!;
        }
      }
      at += bytes;
    }
    return crc;
  }
}

/** Where the table for four bits lies: of byte `byte` of a word, to `to`. */
function tableAt(byte: number, isHigh: boolean, to: number): number {
  const half = byte * 2 + (isHigh ? 1 : 0);
  return (half * WORD_BYTES + to) * VECTOR_BYTES;
}

/** All these tables. */
function makeTables(table: Int32Array): Uint8Array {
  const bytes = new Uint8Array(RESULT_AT);
  for (let byte = 0; byte < WORD_BYTES; byte++) {
    for (const isHigh of [false, true]) {
      for (let bits = 0; bits < 16; bits++) {
        let word = bits << 8 * byte + (isHigh ? 4 : 0);
        for (let i = 0; i < FOLD_BYTES; i++) {
          word = word >>> 8 ^ table[word & 0xff]!;
        }
        for (let to = 0; to < WORD_BYTES; to++) {
          bytes[tableAt(byte, isHigh, to) + bits] = word >>> 8 * to;
        }
      }
    }
  }
  return bytes;
}

const MEMORY_NAME = "m";
const FOLD_NAME = "f";

type Code = readonly number[];

const I32 = 0x7f;
const V128 = 0x7b;
const END: Code = [0x0b];
const LOOP: Code = [0x03, 0x40];
const I32_ADD: Code = [0x6a];
const I32_SUB: Code = [0x6b];
const V_AND = vector(0x4e);
const V_XOR = vector(0x51);
const I8X16_SHR_U = vector(0x6d);
/** Indexes are below 16, where it does what the one that is not relaxed does. */
const SWIZZLE = vector(0x100);

/** Locals: the parameters, and vectors. */
const AT = 0;
const BLOCKS = 1;
const BLOCK = [2, 3, 4, 5] as const;
const FOLDED = [6, 7, 8, 9] as const;
const PARTS = [10, 11, 12, 13] as const;
const [LOW, HIGH] = PARTS;
const NEXT = [14, 15, 16, 17] as const;
const VECTORS = 16;

/** The module: its memory, and a function that folds blocks. */
function makeModule(): Uint8Array<ArrayBuffer> {
  const body = [...uint(1), ...uint(VECTORS), V128, ...foldCode()];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    // One type, (i32, i32) -> (); one function of it; one memory; two exports.
    ...section(1, [1, 0x60, 2, I32, I32, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...uint(PAGES)]),
    ...section(7, [2, ...text(MEMORY_NAME), 2, 0, ...text(FOLD_NAME), 0, 0]),
    ...section(10, [1, ...counted(body)]),
  ]);
}

/** Folds the block at `AT` into the next one, `BLOCKS` times. */
function foldCode(): Code {
  return [
    ...loadBlock(BLOCK),
    ...LOOP,
    ...BLOCK.flatMap((vector, byte) => [
      ...[...get(vector), ...constant(0x0f), ...V_AND, ...set(LOW)],
      ...[...get(vector), ...int(4), ...I8X16_SHR_U, ...set(HIGH)],
      ...FOLDED.flatMap((folded, to) => [
        ...[...lookUp(byte, false, to), ...lookUp(byte, true, to), ...V_XOR],
        ...(byte === 0 ? [] : [...get(folded), ...V_XOR]),
        ...set(folded),
      ]),
    ]),
    ...[...get(AT), ...int(FOLD_BYTES), ...I32_ADD, ...set(AT)],
    ...loadBlock(NEXT),
    ...BLOCK.flatMap((vector, i) => [
      ...[...get(FOLDED[i]!), ...get(NEXT[i]!), ...V_XOR, ...set(vector)],
    ]),
    // Again unless that was the last one.
    ...[...get(BLOCKS), ...int(1), ...I32_SUB, 0x22, BLOCKS, 0x0d, 0],
    ...END,
    ...BLOCK.flatMap((vector, i) => [
      ...[...int(0), ...get(vector), ...store(RESULT_AT + i * VECTOR_BYTES)],
    ]),
    ...END,
  ];
}

function lookUp(byte: number, isHigh: boolean, to: number): Code {
  return [
    ...[...int(0), ...load(tableAt(byte, isHigh, to))],
    ...[...get(isHigh ? HIGH : LOW), ...SWIZZLE],
  ];
}

/** Loads the block at `AT` into four vectors, by the place of bytes in words. */
function loadBlock(into: readonly number[]): Code {
  const byPlace = [0, 1, 2, 3].flatMap((i) => [i, i + 4, i + 8, i + 12]);
  const [a, b, c, d] = into as [number, number, number, number];
  const [p, q, r, s] = PARTS;
  return [
    ...into.flatMap((vector, i) => [
      ...[...get(AT), ...load(i * VECTOR_BYTES)],
      ...[...vector128(byPlace), ...SWIZZLE, ...set(vector)],
    ]),
    // Four vectors of four words each: rows become columns.
    ...shuffle(p, a, b, [0, 4, 1, 5]),
    ...shuffle(q, c, d, [0, 4, 1, 5]),
    ...shuffle(r, a, b, [2, 6, 3, 7]),
    ...shuffle(s, c, d, [2, 6, 3, 7]),
    ...shuffle(a, p, q, [0, 1, 4, 5]),
    ...shuffle(b, p, q, [2, 3, 6, 7]),
    ...shuffle(c, r, s, [0, 1, 4, 5]),
    ...shuffle(d, r, s, [2, 3, 6, 7]),
  ];
}

/** Sets `into` to these words of those of `a` and `b`. */
function shuffle(into: number, a: number, b: number, words: Code): Code {
  const bytes = words.flatMap((word) => [0, 1, 2, 3].map((i) => word * 4 + i));
  return [...get(a), ...get(b), ...vector(0x0d), ...bytes, ...set(into)];
}

function get(local: number): Code {
  return [0x20, ...uint(local)];
}

function set(local: number): Code {
  return [0x21, ...uint(local)];
}

/** A small number, signed as constants are. */
function int(value: number): Code {
  return value < 64 ? [0x41, value] : [0x41, value & 0x7f | 0x80, value >> 7];
}

function vector(code: number): Code {
  return [0xfd, ...uint(code)];
}

function load(offset: number): Code {
  return [...vector(0), 4, ...uint(offset)];
}

function store(offset: number): Code {
  return [...vector(0x0b), 4, ...uint(offset)];
}

function constant(byte: number): Code {
  return vector128(new Array(VECTOR_BYTES).fill(byte));
}

function vector128(bytes: Code): Code {
  return [...vector(0x0c), ...bytes];
}

function section(id: number, bytes: Code): Code {
  return [id, ...counted(bytes)];
}

function counted(bytes: Code): Code {
  return [...uint(bytes.length), ...bytes];
}

function text(word: string): Code {
  return counted([...word].map((char) => char.charCodeAt(0)));
}

/** LEB128, unsigned. */
function uint(value: number): Code {
  return value < 0x80 ? [value] : [value & 0x7f | 0x80, ...uint(value >>> 7)];
}
