/**
 * Folding: the CRC-32C of many bytes by vector instructions of WebAssembly.
 *
 * A checksum is linear: bytes contribute the same if they are replaced by others,
 * nearer to the end. What is left in the end is a block of 64 bytes, whose
 * checksum is computed as usual.
 *
 * - Very many bytes: a multiple of the polynomial with few terms says of which
 *   sums a power of x is one. This one has six, and so has its 128th power, whose
 *   exponents are multiples of 128: so sixteen bytes may be replaced by adding
 *   them in five places behind ({@linkcode DELAYS}), without any table. Where the
 *   bytes end, 212 vectors are left.
 * - Those, or fewer: a word of four bytes is replaced by another one, 64 bytes
 *   nearer to the end. That is a sum of eight, one for each four bits of the word;
 *   looking up four bits of sixteen words at a time is one instruction
 *   (`swizzle`). For that a block lies in four vectors: the first bytes of its
 *   sixteen words, the second ones, and so on.
 *
 * 10 GB/s and 4, where tables in JavaScript reach 2. The bytes have to lie in
 * WebAssembly's memory.
 *
 * Source: folding is that of Gopal et al., "Fast CRC Computation for Generic
 * Polynomials Using PCLMULQDQ Instruction", with tables of four bits in the place
 * of carry-less products, which WebAssembly has not. Multiples with few terms:
 * Russell, "Chorba: A novel CRC32 implementation" (2024); this one is the
 * shortest with six terms, found by trying.
 *
 * @module
 */

import {
  advance,
  type Code,
  constant,
  functionBody,
  get,
  I32,
  I8X16_SHR_U,
  int,
  load,
  MODULE_HEAD,
  repeat,
  section,
  set,
  shuffle,
  store,
  SWIZZLE,
  text,
  V128,
  V_AND,
  V_XOR,
  vector128,
  VECTOR_BYTES,
} from "./wasm_code.ts";

/** Bytes of a block. */
export const FOLD_BYTES = 64;

const PAGE_BYTES = 65536;
/** Where the last block is left, in four vectors. */
const RESULT_AT = 1024;
/**
 * Where vectors lie to which others were added, {@linkcode PIECE_BYTES} at a time:
 * they stay in the nearest cache. Before them are the last of those before.
 */
const SUMS_AT = PAGE_BYTES;
const PIECE_BYTES = 32 * 1024;
/** Where the bytes begin whose checksum is wanted. */
const BYTES_AT = 2 * PAGE_BYTES;

/** Bytes of a word; vectors of a block. */
const WORD_BYTES = 4;

/**
 * How many vectors behind one are those to which it may be added instead: of
 * x^209 = x^144 + x^54 + x^39 + x^14 + 1, the differences to 209.
 */
const DELAYS = [65, 155, 170, 195, 209] as const;
const DELAYED_BYTES_MAX = 209 * VECTOR_BYTES;
/** Whole blocks for so many vectors. */
const TAIL_BYTES = Math.ceil(DELAYED_BYTES_MAX / FOLD_BYTES) * FOLD_BYTES;
/** Fewer bytes are better folded block by block. */
const SPARSE_FROM = 3 * TAIL_BYTES;

/** The functions of the module. */
interface Functions {
  /** Folds so many blocks from `at` on, each into the next one. */
  fold(at: number, blocks: number): void;
  /**
   * Copies so many blocks, and adds to each vector those whose delays end there;
   * `to` is {@linkcode DELAYED_BYTES_MAX} before the first of the copies.
   */
  delay(to: number, blocks: number, from: number): void;
  /** Adds `vectors` vectors from `from` on to those from `to` on. */
  add(to: number, from: number, vectors: number): void;
}

/** Memory of WebAssembly with bytes whose checksum is wanted; see the module. */
export class Crc32cMemory {
  readonly #memory: WebAssembly.Memory;
  readonly #functions: Functions;
  readonly #table: Int32Array;
  #all: Uint8Array<ArrayBuffer>;
  #bytes: Uint8Array<ArrayBuffer>;

  private constructor(
    memory: WebAssembly.Memory,
    functions: Functions,
    table: Int32Array,
  ) {
    this.#memory = memory;
    this.#functions = functions;
    this.#table = table;
    this.#all = viewOf(memory);
    this.#bytes = this.#all.subarray(BYTES_AT);
    this.#all.set(makeTables(table));
  }

  /**
   * Memory for so many bytes, or null where there are no vector instructions.
   * `table[b]` is what byte `b` makes of a checksum of 0.
   */
  static make(table: Int32Array, bytes: number): Crc32cMemory | null {
    const code = makeModule();
    if (!WebAssembly.validate(code)) return null;
    const initial = Math.ceil((BYTES_AT + bytes) / PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(code), {
      [IMPORTS_NAME]: { [MEMORY_NAME]: memory },
    });
    const functions = instance.exports as unknown as Functions;
    return new Crc32cMemory(memory, functions, table);
  }

  /** The bytes; another view after {@linkcode grow}. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /**
   * Has room for `bytes` bytes or more, behind those that are there.
   *
   * @throws {RangeError} There is not so much memory.
   */
  grow(bytes: number): void {
    const missing = bytes - this.#bytes.length;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    this.#all = viewOf(this.#memory);
    this.#bytes = this.#all.subarray(BYTES_AT);
  }

  /**
   * Goes on from `crc`, which is not inverted, by `length` of the bytes: two
   * blocks or more, and whole ones.
   */
  take(off: number, length: number, crc: number): number {
    const at = BYTES_AT + off;
    this.#addCrc(at, crc);
    if (length < SPARSE_FROM) this.#fold(at, length);
    else this.#foldMany(at, length);
    this.#addCrc(at, crc);
    return this.#crcOfResult();
  }

  /** Adds a checksum to the first of the bytes that follow it, or takes it back. */
  #addCrc(at: number, crc: number): void {
    for (let i = 0; i < WORD_BYTES; i++) this.#all[at + i]! ^= crc >>> 8 * i;
  }

  /** Folds blocks into one. */
  #fold(at: number, bytes: number): void {
    this.#functions.fold(at, bytes / FOLD_BYTES - 1);
  }

  /** The same of very many. */
  #foldMany(from: number, bytes: number): void {
    const all = this.#all;
    const { delay, add } = this.#functions;
    const before = SUMS_AT - DELAYED_BYTES_MAX;
    all.fill(0, before, SUMS_AT);
    const end = from + bytes - TAIL_BYTES;
    for (let at = from; at < end; at += PIECE_BYTES) {
      const piece = Math.min(PIECE_BYTES, end - at);
      delay(before, piece / FOLD_BYTES, at);
      // The last ones come before those that follow.
      all.copyWithin(before, before + piece, SUMS_AT + piece);
    }
    all.copyWithin(SUMS_AT, end, end + TAIL_BYTES);
    for (const by of DELAYS) add(SUMS_AT, SUMS_AT - by * VECTOR_BYTES, by);
    this.#fold(SUMS_AT, TAIL_BYTES);
  }

  #crcOfResult(): number {
    const all = this.#all;
    const table = this.#table;
    let crc = 0;
    for (let word = 0; word < VECTOR_BYTES; word++) {
      for (let i = 0; i < WORD_BYTES; i++) {
        const byte = all[RESULT_AT + i * VECTOR_BYTES + word]!;
        crc = crc >>> 8 ^ table[(crc ^ byte) & 0xff]!;
      }
    }
    return crc;
  }
}

function viewOf(memory: WebAssembly.Memory): Uint8Array<ArrayBuffer> {
  return new Uint8Array(memory.buffer as ArrayBuffer);
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

const IMPORTS_NAME = "env";
const MEMORY_NAME = "memory";
const FUNCTION_NAMES = ["fold", "delay", "add"] as const;

/** Locals: the parameters, and vectors. */
const AT = 0;
const BLOCKS = 1;
const FROM = 2;
const BLOCK = [2, 3, 4, 5] as const;
const FOLDED = [6, 7, 8, 9] as const;
const PARTS = [10, 11, 12, 13] as const;
const [LOW, HIGH] = PARTS;
const NEXT = [14, 15, 16, 17] as const;
const VECTORS = 16;

/** The module: its functions, on memory that is given to it. */
function makeModule(): Uint8Array<ArrayBuffer> {
  const exports = FUNCTION_NAMES.map((name, i) => [...text(name), 0, i]);
  return Uint8Array.from([
    ...MODULE_HEAD,
    // Two types, of two numbers and of three, without results.
    ...section(1, [2, 0x60, 2, I32, I32, 0, 0x60, 3, I32, I32, I32, 0]),
    ...section(2, [1, ...text(IMPORTS_NAME), ...text(MEMORY_NAME), 2, 0, 1]),
    ...section(3, [FUNCTION_NAMES.length, 0, 1, 1]),
    ...section(7, [exports.length, ...exports.flat()]),
    ...section(10, [
      FUNCTION_NAMES.length,
      ...functionBody(VECTORS, V128, foldCode()),
      ...functionBody(0, V128, delayCode()),
      ...functionBody(0, V128, addCode()),
    ]),
  ]);
}

/** Folds the block at `AT` into the next one, `BLOCKS` times. */
function foldCode(): Code {
  return [
    ...loadBlock(BLOCK),
    ...repeat(BLOCKS, [
      ...BLOCK.flatMap((vector, byte) => [
        ...[...get(vector), ...constant(0x0f), ...V_AND, ...set(LOW)],
        ...[...get(vector), ...int(4), ...I8X16_SHR_U, ...set(HIGH)],
        ...FOLDED.flatMap((folded, to) => [
          ...[...lookUp(byte, false, to), ...lookUp(byte, true, to), ...V_XOR],
          ...(byte === 0 ? [] : [...get(folded), ...V_XOR]),
          ...set(folded),
        ]),
      ]),
      ...advance(AT, FOLD_BYTES),
      ...loadBlock(NEXT),
      ...BLOCK.flatMap((vector, i) => [
        ...[...get(FOLDED[i]!), ...get(NEXT[i]!), ...V_XOR, ...set(vector)],
      ]),
    ]),
    ...BLOCK.flatMap((vector, i) => [
      ...[...int(0), ...get(vector), ...store(RESULT_AT + i * VECTOR_BYTES)],
    ]),
  ];
}

/** See {@linkcode Functions.delay}. */
function delayCode(): Code {
  const vectors = Array.from(
    { length: FOLD_BYTES / VECTOR_BYTES },
    (_, i) => i * VECTOR_BYTES,
  );
  return repeat(BLOCKS, [
    ...vectors.flatMap((offset) => {
      const own = offset + DELAYED_BYTES_MAX;
      return [
        ...[...get(AT), ...get(FROM), ...load(offset)],
        ...DELAYS.flatMap((by) => [
          ...[...get(AT), ...load(own - by * VECTOR_BYTES), ...V_XOR],
        ]),
        ...store(own),
      ];
    }),
    ...advance(AT, FOLD_BYTES),
    ...advance(FROM, FOLD_BYTES),
  ]);
}

/** See {@linkcode Functions.add}. */
function addCode(): Code {
  const [to, from, vectors] = [0, 1, 2];
  return repeat(vectors, [
    ...[...get(to), ...get(to), ...load(0), ...get(from), ...load(0)],
    ...[...V_XOR, ...store(0)],
    ...advance(to, VECTOR_BYTES),
    ...advance(from, VECTOR_BYTES),
  ]);
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
