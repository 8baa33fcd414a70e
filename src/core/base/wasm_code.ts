/**
 * Code of WebAssembly by hand: the instructions that this program's modules are
 * made of, and the sections around them.
 *
 * Source: WebAssembly Core Specification, chapter 5.
 *
 * @module
 */

/** Bytes of a module. */
export type Code = readonly number[];

/** Bytes of a vector. */
export const VECTOR_BYTES = 16;

/** Types of values. */
export const I32 = 0x7f;
export const V128 = 0x7b;

/** What a module begins with. */
export const MODULE_HEAD: Code = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

export const END: Code = [0x0b];
const LOOP: Code = [0x03, 0x40];
const I32_ADD: Code = [0x6a];
const I32_SUB: Code = [0x6b];
export const V_AND = vector(0x4e);
export const V_XOR = vector(0x51);
export const I8X16_SHR_U = vector(0x6d);
/** With indexes below 16, where it does what the one that is not relaxed does. */
export const SWIZZLE = vector(0x100);

/** Sets the local `into` to these words of those of `a` and `b`. */
export function shuffle(into: number, a: number, b: number, words: Code): Code {
  const bytes = words.flatMap((word) => [0, 1, 2, 3].map((i) => word * 4 + i));
  return [...get(a), ...get(b), ...vector(0x0d), ...bytes, ...set(into)];
}

/** Reads a local. */
export function get(local: number): Code {
  return [0x20, ...uint(local)];
}

/** Writes a local. */
export function set(local: number): Code {
  return [0x21, ...uint(local)];
}

/** Runs `body` as many times as the local `times` says, which is 0 then. */
export function repeat(times: number, body: Code): Code {
  const again = [...get(times), ...int(1), ...I32_SUB, ...tee(times), 0x0d, 0];
  return [...LOOP, ...body, ...again, ...END];
}

/** Adds to a local. */
export function advance(local: number, by: number): Code {
  return [...get(local), ...int(by), ...I32_ADD, ...set(local)];
}

/** Writes a local, and leaves it on the stack. */
function tee(local: number): Code {
  return [0x22, ...uint(local)];
}

/** A small number, signed as constants are. */
export function int(value: number): Code {
  return value < 64 ? [0x41, value] : [0x41, value & 0x7f | 0x80, value >> 7];
}

/** An instruction on vectors. */
export function vector(code: number): Code {
  return [0xfd, ...uint(code)];
}

/** Loads the vector at an address and `offset`. */
export function load(offset: number): Code {
  return [...vector(0), 4, ...uint(offset)];
}

/** Stores one there. */
export function store(offset: number): Code {
  return [...vector(0x0b), 4, ...uint(offset)];
}

/** A vector of one byte in all places. */
export function constant(byte: number): Code {
  return vector128(new Array(VECTOR_BYTES).fill(byte));
}

/** A vector of these bytes. */
export function vector128(bytes: Code): Code {
  return [...vector(0x0c), ...bytes];
}

/** A section of a module. */
export function section(id: number, bytes: Code): Code {
  return [id, ...counted(bytes)];
}

/** The body of a function that has `locals` more than its parameters. */
export function functionBody(locals: number, type: number, code: Code): Code {
  return counted([
    ...(locals === 0 ? [0] : [1, ...uint(locals), type]),
    ...[...code, ...END],
  ]);
}

/** Bytes behind their number. */
export function counted(bytes: Code): Code {
  return [...uint(bytes.length), ...bytes];
}

/** A name. */
export function text(word: string): Code {
  return counted([...word].map((char) => char.charCodeAt(0)));
}

/** LEB128, unsigned. */
export function uint(value: number): Code {
  return value < 0x80 ? [value] : [value & 0x7f | 0x80, ...uint(value >>> 7)];
}
