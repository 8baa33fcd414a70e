/**
 * Very many keys of a job, in one array: so a message with all of them is copied
 * in no time. They are locked, so even short strings are read where they lie.
 *
 * @module
 */

import type { JobKey } from "./compute_job.ts";

/** What a message has of them: {@linkcode WORDS} of each key. */
export type PackedKeys = Float64Array<ArrayBuffer>;

const AT = 0;
const IS_WRITTEN = 1;
const KIND = 2;
const ROOT = 3;
/** Segment of a short string, or -1 if it is none. */
const SEGMENT = 4;
const OFF = 5;
const LENGTH = 6;
const EXPIRE_AT = 7;
const HAS_FIELD_EXPIRES = 8;
const CLOCK = 9;
const WORDS = 10;

/** Where a short string lies. */
export interface StringPlace {
  /** Segment of the arena; -1 for no short string. */
  readonly segment: number;
  /** First byte in it. */
  readonly off: number;
  readonly length: number;
}

/** Packs keys, one after the other. */
export class KeyPacker {
  /** How many there are. */
  count = 0;
  readonly #words: PackedKeys;

  /** Has room for so many. */
  constructor(most: number) {
    this.#words = new Float64Array(most * WORDS);
  }

  /** Adds a key, whose value may be a short string. */
  add(key: Omit<JobKey, "db" | "bytes">, string: StringPlace): void {
    const words = this.#words;
    const at = this.count++ * WORDS;
    words[at + AT] = key.at;
    words[at + IS_WRITTEN] = Number(key.isWritten);
    words[at + KIND] = key.kind;
    words[at + ROOT] = key.root;
    words[at + SEGMENT] = string.segment;
    words[at + OFF] = string.off;
    words[at + LENGTH] = string.length;
    words[at + EXPIRE_AT] = key.expireAtMs;
    words[at + HAS_FIELD_EXPIRES] = Number(key.hasFieldExpires);
    words[at + CLOCK] = key.clock;
  }

  /** All of them. */
  end(): PackedKeys {
    return this.#words;
  }
}

/** The keys, which are in one database; `segments` are those of the arena. */
export function unpackKeys(
  words: PackedKeys,
  db: number,
  segments: readonly Uint8Array[],
): JobKey[] {
  const keys: JobKey[] = [];
  for (let at = 0; at < words.length; at += WORDS) {
    const off = words[at + OFF]!;
    const segment = words[at + SEGMENT]!;
    keys.push({
      at: words[at + AT]!,
      db,
      isWritten: words[at + IS_WRITTEN] === 1,
      kind: words[at + KIND]!,
      root: words[at + ROOT]!,
      bytes: segment < 0
        ? null
        : segments[segment]!.subarray(off, off + words[at + LENGTH]!),
      expireAtMs: words[at + EXPIRE_AT]!,
      hasFieldExpires: words[at + HAS_FIELD_EXPIRES] === 1,
      clock: words[at + CLOCK]!,
    });
  }
  return keys;
}
