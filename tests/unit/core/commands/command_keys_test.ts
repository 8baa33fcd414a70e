import { assertEquals } from "@std/assert";
import {
  findKeys,
  findKeysToRun,
  georadiusOtherKeys,
  hasKeys,
  KeyPositions,
  legacyKeyRange,
  RequestView,
  sortOtherKeys,
} from "../../../../src/core/commands/command_keys.ts";
import {
  KEY,
  KEY_FLAG_NAMES,
} from "../../../../src/core/commands/command_spec.ts";
import { request } from "./_request.ts";
import { ROWS, TABLE } from "./_table.ts";

function flagText(flags: number): string {
  return KEY_FLAG_NAMES.filter((_, i) => (flags & (1 << i)) !== 0).join(" ");
}

/** The keys of a command line with their flags, as `2:RO access`. */
function keysOf(line: string): string[] {
  const argv = line.split(" ").map((word) => word === '""' ? "" : word);
  const command = TABLE.byName(argv[0]!)!;
  const keys = new KeyPositions();
  keys.add(99, KEY.RO); // findKeys must forget what was there
  findKeys(command.spec, new RequestView(request(...argv)), keys);
  return Array.from({ length: keys.count }, (_, i) => {
    return `${keys.positions[i]}:${flagText(keys.flags[i]!)}`;
  });
}

// Checked against redis-server 7.0.
const LINES: [line: string, ...keys: string[]][] = [
  ["get a", "1:RO access"],
  ["ping a"],
  ["mset a 1 b 2", "1:OW update", "3:OW update"],
  ["rename a b", "1:RW access delete", "2:OW update"],
  ["pfmerge d a b", "1:RW access insert", "2:RO access", "3:RO access"],
  ["pfmerge d"],
  ["spublish channel x"],
  ["sintercard 2 a b limit 1", "2:RO access", "3:RO access"],
  ["sintercard 0 a"],
  ["sintercard 2 a"],
  ["sintercard -1 a"],
  ["sintercard 2x a b"],
  ["zunionstore d 2 a b", "1:OW update", "3:RO access", "4:RO access"],
  ["zunionstore d 3 a b"],
  ["eval s 1 a b", "3:RW access update"],
  ["eval s 0 a"],
  ["xread count 1 streams a b 0 0", "4:RO access", "5:RO access"],
  ["xread streams a b 0", "2:RO access"],
  ["xread count 1 streams"],
  ["xreadgroup group streams c streams a >", "5:RO access"],
  ["georadius a 1 2 3 m", "1:RO access"],
  ["georadius a 1 2 3 m store", "1:RO access"],
  ["georadius a 1 2 3 m Store b", "1:RO access", "7:OW update"],
  ["georadius a 1 2 3 store b", "1:RO access"],
  ["set a b", "1:OW update"],
  ["set a get", "1:OW update"],
  ["set a b ex 1 GET", "1:RW access update"],
  ["bitfield a", "1:RO access"],
  ["bitfield a overflow sat get u8 0", "1:RO access"],
  ["bitfield a get u8 0 set u8 0 1", "1:RW access update"],
  ["bitfield a get u8", "1:RW access update"],
  ["sort a by x get store limit store 1", "1:RO access"],
  ["sort a store b store c", "1:RO access", "5:OW update"],
  ["sort a store", "1:RO access"],
  ["sort_ro a get b", "1:RO access"],
  ["migrate h 1 a 0 1", "3:RW access delete"],
  ["migrate h 1 a 0 1 copy keys b"],
  [
    'migrate h 1 "" 0 1 copy keys b c',
    "8:RW access delete",
    "9:RW access delete",
  ],
  ['migrate h 1 "" 0 1 auth keys keys b', "9:RW access delete"],
  ['migrate h 1 "" 0 1 auth2 keys keys keys b', "10:RW access delete"],
];

Deno.test("findKeys finds the keys and what is done to them", () => {
  for (const [line, ...expected] of LINES) {
    assertEquals(keysOf(line), expected, line);
  }
});

Deno.test("sortOtherKeys knows when elements make names of keys", () => {
  const rows: [string, boolean][] = [
    ["sort a", false],
    ["sort a by nosort get # alpha limit by get store get", false],
    ["sort a by NoSort limit 0 1 get", false],
    ["sort a by w_*", true],
    ["sort a get # get w_*->f", true],
    ["sort a store get get #", false],
  ];
  for (const [line, expected] of rows) {
    const view = new RequestView(request(...line.split(" ")));
    assertEquals(sortOtherKeys(view, new KeyPositions()), expected, line);
  }
});

Deno.test("georadiusOtherKeys adds the key that counts", () => {
  const rows: [string, number[]][] = [
    ["georadius k 0 0 1 m asc", []],
    ["georadius k 0 0 1 m store a storedist b store c", [11]],
    ["georadiusbymember k m 1 m store storedist", [6]],
    ["georadius k 0 0 1 m store", []],
  ];
  for (const [line, expected] of rows) {
    const keys = new KeyPositions();
    const view = new RequestView(request(...line.split(" ")));
    assertEquals(georadiusOtherKeys(view, keys), false);
    assertEquals([...keys.positions.subarray(0, keys.count)], expected, line);
  }
});

Deno.test("findKeys takes more keys than KeyPositions began with", () => {
  const pairs = Array.from({ length: 100 }, (_, i) => `k${i} v`).join(" ");
  const found = keysOf(`mset ${pairs}`);
  assertEquals(found.length, 100);
  assertEquals(found[99], "199:OW update");
});

Deno.test("legacyKeyRange covers what one range can", () => {
  const rows: [name: string, range: [number, number, number, boolean]][] = [
    ["get", [1, 1, 1, false]],
    ["mset", [1, -1, 2, false]],
    ["rename", [1, 2, 1, false]],
    ["pfmerge", [1, -1, 1, false]],
    ["lmove", [1, 2, 1, false]],
    ["spublish", [1, 1, 1, false]],
    ["sort", [1, 1, 1, true]],
    ["zunionstore", [1, 1, 1, true]],
    ["georadius", [1, 1, 1, true]],
    ["migrate", [3, 3, 1, true]],
    ["eval", [0, 0, 0, true]],
    ["xread", [0, 0, 0, true]],
    ["ping", [0, 0, 0, false]],
  ];
  for (const [name, [first, last, step, movable]] of rows) {
    const row = ROWS.find((row) => row.name === name)!;
    const range = legacyKeyRange(row.keys ?? []);
    assertEquals(range, { first, last, step, movable }, name);
  }
});

Deno.test("hasKeys does not count channels", () => {
  const rows: [name: string, expected: boolean][] = [
    ["get", true],
    ["sort", true],
    ["ping", false],
    ["spublish", false],
  ];
  for (const [name, expected] of rows) {
    assertEquals(hasKeys(TABLE.byName(name)!.spec), expected, name);
  }
});

Deno.test("RequestView reads integers as Redis writes them", () => {
  const rows: [text: string, value: number][] = [
    ["0", 0],
    ["7", 7],
    ["-12", -12],
    ["123456789012345", 123456789012345],
    ["", NaN],
    ["-", NaN],
    ["-0", NaN],
    ["01", NaN],
    ["+1", NaN],
    [" 1", NaN],
    ["1.5", NaN],
    ["12345678901234567", NaN],
  ];
  for (const [text, value] of rows) {
    assertEquals(new RequestView(request("x", text)).integer(1), value, text);
  }
});

Deno.test("findKeysToRun() keeps the keys of the specs that fit", () => {
  const rows: [line: string, ...positions: number[]][] = [
    ["pfmerge d", 1],
    ["pfmerge d a b", 1, 2, 3],
    ["zunionstore d 3 a b", 1],
    ["sintercard 0 a"],
    ["set a b", 1],
  ];
  for (const [line, ...positions] of rows) {
    const argv = line.split(" ");
    const keys = new KeyPositions();
    const rules = TABLE.byName(argv[0]!)!.spec;
    findKeysToRun(rules, new RequestView(request(...argv)), keys);
    assertEquals([...keys.positions.subarray(0, keys.count)], positions, line);
  }
});
