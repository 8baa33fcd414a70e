/**
 * Sizes in bytes as people write them in a configuration: digits and a unit.
 *
 * | unit | bytes | | unit | bytes |
 * | --- | --- | --- | --- | --- |
 * | none, `b` | 1 | | | |
 * | `k` | 1000 | | `kb` | 1024 |
 * | `m` | 1000^2 | | `mb` | 1024^2 |
 * | `g` | 1000^3 | | `gb` | 1024^3 |
 *
 * Units ignore case. Sizes are `bigint` because the largest ones that Redis
 * takes, and CONFIG GET must print again, lie beyond 2^53.
 *
 * @module
 */

const UNITS: ReadonlyMap<string, bigint> = new Map([
  ["", 1n],
  ["b", 1n],
  ["k", 1000n],
  ["kb", 1n << 10n],
  ["m", 1000_000n],
  ["mb", 1n << 20n],
  ["g", 1000_000_000n],
  ["gb", 1n << 30n],
]);

const BINARY_UNITS = [["gb", 30n], ["mb", 20n], ["kb", 10n]] as const;

/** More than any size needs; bounds the work on what a client sent. */
const LENGTH_MAX = 32;

/**
 * The bytes that `text` means; `undefined` if it is no size. Redis lets a
 * unit without digits pass as 0 and wraps around above 2^64: both are always
 * mistakes, so here they are no sizes.
 */
export function parseMemorySize(text: string): bigint | undefined {
  if (text.length > LENGTH_MAX) return undefined;
  const parts = /^(\d+)([a-z]*)$/i.exec(text);
  if (parts === null) return undefined;
  const [, digits, unit] = parts as unknown as [string, string, string];
  const scale = UNITS.get(unit.toLowerCase());
  if (scale === undefined) return undefined;
  const bytes = BigInt(digits) * scale;
  return bytes === BigInt.asUintN(64, bytes) ? bytes : undefined;
}

/** The shortest exact form in binary units: `3gb`, `100mb`, `1025`. */
export function formatMemorySize(bytes: bigint): string {
  if (bytes !== 0n) {
    for (const [unit, shift] of BINARY_UNITS) {
      const count = bytes >> shift;
      if (count << shift === bytes) return `${count}${unit}`;
    }
  }
  return String(bytes);
}
