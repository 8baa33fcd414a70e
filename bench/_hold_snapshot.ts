/**
 * Cases of the bench of holds in which a snapshot has to have what commands change:
 * many values, each of which is small enough to be written in one hold.
 *
 * @module
 */

import { type Argv, cases, type HoldGroup } from "./_hold_lines.ts";
import { KEYS_AT_ONCE } from "./_hold_sizes.ts";
import { digits } from "./_type_cases.ts";

/** Keys of each type. */
const KEYS = 1500;
/** Elements of each value. */
const ELEMENTS = 100;
/** Bytes of each string and of each long name. */
const STRING_BYTES = 60_000;
/** Strings as long as that, and long names. */
const STRINGS = 300;

/** What is changed while a snapshot is taken. */
export function duringSnapshot(): HoldGroup {
  const text = Array.from({ length: STRING_BYTES / 10 }, (_, i) => digits(i))
    .join("").slice(0, STRING_BYTES);
  const range = (count: number, name: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => name(i));
  const fields = range(2 * ELEMENTS, (i) => `element of some bytes ${i}`);
  const hashes = range(KEYS, (i) => `hash:${i}`);
  const sets = range(KEYS, (i) => `set:${i}`);
  const strings = range(STRINGS, (i) => `string:${i}`);
  const named = range(STRINGS, (i) => `${text}${i}`);
  const names = {
    $hashes: hashes.slice(0, KEYS_AT_ONCE),
    $sets: sets.slice(0, KEYS_AT_ONCE),
    $strings: strings,
    $pairs: strings.flatMap((key) => [key, "v"]),
    $named: named.slice(0, 100),
    $few: hashes.slice(0, 12),
    $fewstrings: strings.slice(0, 12),
  };
  const before: Argv[] = [
    ["FLUSHALL"],
    ...hashes.map((key) => ["HSET", key, ...fields]),
    ...sets.map((key) => ["SADD", key, ...fields]),
    ...strings.map((key) => ["SET", key, text]),
    ...named.map((key) => ["SET", key, "v"]),
  ];
  const expiring = (keys: readonly string[]): Argv[] =>
    keys.map((key) => ["PEXPIRE", key, "1"]);
  const lines = `
    BGSAVE
    BGSAVE ; DEL $few ; DEL $fewstrings
    BGSAVE ; DEL $hashes
    BGSAVE ; UNLINK $sets
    BGSAVE ; DEL $strings
    BGSAVE ; MSET $pairs
    BGSAVE ; DEL $named
    BGSAVE ; FLUSHALL
  `;
  const end: Argv[] = [["SAVE"]];
  return {
    name: "during a snapshot",
    fill: () => [],
    cases: [
      ...cases(lines, names).map((one) => ({ ...one, before })),
      {
        name: "BGSAVE, and the expire cycle",
        before: [...before, ["DEBUG", "SET-ACTIVE-EXPIRE", "0"]],
        run: [
          ...expiring([...strings, ...hashes]),
          ["BGSAVE"],
          ["DEBUG", "SET-ACTIVE-EXPIRE", "1"],
          ["DEBUG", "SLEEP", "0.3"],
        ],
      },
    ].map((one) => ({ ...one, run: [...one.run, ...end] })),
  };
}
