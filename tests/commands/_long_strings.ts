/**
 * Commands with long strings, and what keys have after them.
 *
 * @module
 */
import { assert } from "@std/assert";
import { equalBytes } from "../../src/core/base/bytes.ts";
import { type Argument, plain, type TestClient } from "../_resp_client.ts";
import { Random } from "../_random.ts";

/** Long enough to come by itself. */
const LONG = 66_000;
/** Long enough for the log not to take it at once. */
const LONGER = 1_060_000;
/** Long enough to be appended in slices. */
const LONGEST = 2_200_000;

function bytesOfLength(length: number): Uint8Array {
  const random = new Random(length);
  const words = Uint32Array.from(
    { length: (length >> 2) + 1 },
    () => random.below(1 << 30) * 4 + 3,
  );
  return new Uint8Array(words.buffer, 0, length);
}

const SET_OPTIONS = [
  ...["", "EX 1000", "PX 1000000", "EXAT 4102444800", "PXAT 4102444800123"],
  ...["KEEPTTL", "GET", "XX", "NX", "GET EX 1000", "EX 1000 GET XX"],
  ...["NX EX 1000", "XX KEEPTTL GET", "EX 0", "EX x", "PXAT 1"],
  ...["KEEPTTL EX 1", "GET GET"],
];
const OTHERS = [
  ...["SETEX K 1000 V", "PSETEX K 1000000 V", "SETEX K 0 V", "SETNX K V"],
  ...["GETSET K V", "APPEND K V", "SETRANGE K 5 V", "SETRANGE K 0 V"],
  ...["SETRANGE K 100000 V", "SETRANGE K -1 V", "SETRANGE K 536870911 V"],
  ...["MSET K V K2 V", "MSETNX K V K2 V"],
];
/** Who was found to have expired is deleted before. */
const BEFORE = ["SET K V PXAT 4102444800000", "RPUSH K a", "SET K old PXAT 1"];
const WITH_LONGER = [
  ...["SET K V EX 1000", "SET K V GET", "SETEX K 1000 V", "GETSET K V"],
  "SETRANGE K 5 V",
];

/** Commands, each behind those that it needs. */
export function longCommands(): Argument[][] {
  const commands: Argument[][] = [];
  let count = 0;
  const add = (length: number, text: string, ...before: string[]) => {
    const key = `key${count++}`;
    const value = bytesOfLength(length);
    for (const line of [...before, text]) {
      commands.push(
        line.split(" ").map((word) =>
          word === "V" ? value : word.replace(/^K/, key)
        ),
      );
    }
  };
  const sets = SET_OPTIONS.map((options) => `SET K V ${options}`.trim());
  for (const [i, text] of [...sets, ...OTHERS].entries()) {
    add(LONG, text);
    add(LONG, text, "SET K old EX 500");
    add(LONG, text, BEFORE[i % BEFORE.length]!);
  }
  for (const text of WITH_LONGER) {
    add(LONGER, text, "SET K old PXAT 1");
    add(LONGER, text, "SET K V PXAT 4102444800000");
  }
  for (const text of ["APPEND K V", "SETRANGE K 7 V"]) {
    add(LONGEST, text);
    add(LONGEST, text, "SET K V EX 1000");
    add(LONGEST, text, "SET K old");
  }
  const queued = ["SET K V EX 1000", "APPEND K V", "GETSET K V", "SETEX K 9 V"];
  add(LONGER, "EXEC", "MULTI", ...queued, "SETRANGE K 9 V", "PERSIST K");
  add(LONG, "GETEX K PX 1000000", "SET K V");
  add(LONG, "GETEX K PERSIST", "SET K V EX 1000");
  return commands;
}

/** With what a reply begins that is an error. */
const ERROR = "-".charCodeAt(0);

/** What keys have. */
export type Values = Map<string, { value: Uint8Array; expireAt: unknown }>;

/** All keys, their values as they are replied, and when they expire. */
export async function valuesOf(client: TestClient): Promise<Values> {
  const keys = plain(await client.run("KEYS", "*")) as string[];
  const values: Values = new Map();
  for (const key of keys.sort()) {
    let value = await client.runRaw("GET", key);
    if (value[0] === ERROR) value = await client.runRaw("LRANGE", key, 0, -1);
    const expireAt = plain(await client.run("PEXPIRETIME", key));
    values.set(key, { value: value.slice(), expireAt });
  }
  return values;
}

/** Whether all is the same; `margin` is that of the times. */
export function assertSameValues(
  actual: Values,
  expected: Values,
  marginMs = 0,
): void {
  assert(actual.size === expected.size, `${actual.size} ${expected.size}`);
  for (const [key, { value, expireAt }] of expected) {
    const other = actual.get(key);
    assert(other !== undefined, key);
    assert(
      value.length === other.value.length &&
        equalBytes(value, 0, value.length, other.value, 0, value.length),
      `${key}: ${value.length} ${other.value.length}`,
    );
    const late = Math.abs(Number(expireAt) - Number(other.expireAt));
    assert(late <= marginMs, `${key}: ${expireAt} ${other.expireAt}`);
  }
}
