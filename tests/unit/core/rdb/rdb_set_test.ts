/** Sets in the snapshot format: rdb_set.ts. */
import { assertEquals, assertThrows } from "@std/assert";
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { BadFormat } from "../../../../src/core/rdb/rdb_reader.ts";
import {
  RDB_SET,
  RDB_SET_INTSET,
  RDB_SET_LISTPACK,
} from "../../../../src/core/rdb/rdb_types.ts";
import { TYPE_SET } from "../../../../src/core/types/entry.ts";
import { seeded } from "../../../_harness.ts";
import {
  bytesOf,
  hexBytes,
  listpack,
  littleEndian,
  packed,
} from "./_format.ts";
import { Values } from "./_values.ts";

/** Too long for a packed set; its length is one of 14 bits. */
const LONG = "x".repeat(65);

function membersOf(values: Values): string[] {
  const members: string[] = [];
  values.space.values.sets.visitAll(values.ref, {
    member(member) {
      const buf = member.text();
      members.push(asciiOf(buf, member.off, member.length));
    },
  });
  return members.sort();
}

Deno.test("sets are dumped as Redis dumps them", () => {
  const values = new Values();
  const integers = hexBytes(
    "0b 14 04 00 00 00 03 00 00 00 01 00 00 00 02 00 00 00 70 11 01 00",
  );
  values.restore(integers);
  assertEquals(membersOf(values), ["1", "2", "70000"]);
  assertEquals(values.encoding, "intset");
  assertEquals(values.dump(), integers);
  values.restore(hexBytes("02 01 01 61"));
  assertEquals(membersOf(values), ["a"]);
  assertEquals(values.encoding, "listpack");
  assertEquals(values.dump(), hexBytes("02 01 01 61"));
  values.end();
});

Deno.test("a restored set is encoded as the limits say", () => {
  const members = Array.from({ length: 200 }, (_, i) => `${i}`);
  const texts = members.map((member) => `m${member}`);
  const plain = (all: string[]) =>
    bytesOf(
      ...[RDB_SET, 0x40, 200],
      ...all.flatMap((member) => [member.length, member]),
    );
  const intset = packed(
    RDB_SET_INTSET,
    bytesOf(
      ...littleEndian(2),
      ...littleEndian(200),
      ...members.flatMap((member) => [Number(member), 0]),
    ),
  );
  const cases: readonly [string, string[], Uint8Array, string][] = [
    ["512", members, intset, "intset"],
    ["199", members, intset, "hashtable"],
    ["512", members, plain(members), "intset"],
    ["128", members, plain(members), "hashtable"],
    ["128", texts, plain(texts), "hashtable"],
    ["200", texts, plain(texts), "listpack"],
    ["200", texts, packed(RDB_SET_LISTPACK, listpack(...texts)), "listpack"],
    ["199", texts, packed(RDB_SET_LISTPACK, listpack(...texts)), "hashtable"],
  ];
  for (const [limit, expected, bytes, encoding] of cases) {
    const values = new Values([
      ["set-max-intset-entries", limit],
      ["set-max-listpack-entries", limit],
    ]);
    values.restore(bytes);
    assertEquals(membersOf(values), expected.toSorted());
    assertEquals(values.encoding, encoding, limit);
    values.end();
  }
});

Deno.test("what is no set is refused", () => {
  const intset = (width: number, count: number, ...bytes: number[]) =>
    packed(
      RDB_SET_INTSET,
      bytesOf(...littleEndian(width), ...littleEndian(count), ...bytes),
    );
  const cases: readonly [string, Uint8Array][] = [
    ["no members", bytesOf(RDB_SET, 0)],
    ["a member twice", bytesOf(RDB_SET, 2, 1, "a", 1, "a")],
    ["a number twice", bytesOf(RDB_SET, 2, 1, "7", 0xc0, 7)],
    [
      "twice before a long one",
      bytesOf(RDB_SET, 3, 1, "a", 1, "a", 0x40, 65, LONG),
    ],
    [
      "a long one twice",
      bytesOf(RDB_SET, 3, 1, "a", 0x40, 65, LONG, 0x40, 65, LONG),
    ],
    ["many more than there are", bytesOf(RDB_SET, 0x80, 9, 9, 9, 9, 1, "a")],
    ["fewer members than it says", bytesOf(RDB_SET, 3, 1, "a", 1, "b")],
    ["an empty intset", intset(2, 0)],
    ["an unknown width", intset(3, 1, 1, 0, 0)],
    ["half a member", intset(2, 1, 1)],
    ["more members than it says", intset(2, 1, 1, 0, 2, 0)],
    ["members that descend", intset(2, 2, 2, 0, 1, 0)],
    ["a member twice", intset(2, 2, 1, 0, 1, 0)],
    ["an empty listpack", packed(RDB_SET_LISTPACK, listpack())],
    ["a member twice", packed(RDB_SET_LISTPACK, listpack("a", "b", "a"))],
    ["a number twice", packed(RDB_SET_LISTPACK, listpack("1", 1))],
    ["no listpack", packed(RDB_SET_LISTPACK, bytesOf("no listpack"))],
  ];
  const values = new Values();
  values.shards.set("k", "old");
  for (const [what, bytes] of cases) {
    assertThrows(() => values.restore(bytes), BadFormat, "Cannot read", what);
    assertEquals(values.shards.get("k"), "old");
  }
  values.end();
});

/**
 * Members that all have one hash where no seed is in it: what the change of one
 * word makes of the hash, that of the next word takes back.
 */
function collidingMembers(): string[] {
  return Array.from({ length: 1 << 7 }, (_, n) => {
    const bytes = new Uint8Array(59).fill(0x6d);
    for (let pair = 0; pair < 7; pair++) {
      if ((n >> pair & 1) === 0) continue;
      bytes[8 * pair + 6]! ^= 0x80;
      bytes[8 * pair + 9]! ^= 0x01;
      bytes[8 * pair + 10]! ^= 0x80;
    }
    return asciiOf(bytes, 0, bytes.length);
  });
}

Deno.test("members of one hash are told apart", () => {
  const values = new Values();
  const members = collidingMembers();
  const plain = (all: string[]) =>
    bytesOf(
      ...[RDB_SET, 0x40, all.length],
      ...all.flatMap((member) => [member.length, member]),
    );
  for (const way of ["plain", "listpack"]) {
    const bytes = (all: string[]) =>
      way === "plain" ? plain(all) : packed(RDB_SET_LISTPACK, listpack(...all));
    values.restore(bytes(members));
    assertEquals(values.encoding, "listpack");
    assertEquals(membersOf(values), members.toSorted());
    const twice = [...members.slice(0, 100), ...members.slice(50, 51)];
    assertThrows(() => values.restore(bytes(twice)), BadFormat, "twice");
  }
  values.end();
});

seeded("sets come back as they were", (random) => {
  const values = new Values([
    ["set-max-intset-entries", "20"],
    ["set-max-listpack-entries", "20"],
  ]);
  const { space, key } = values;
  for (let i = 0; i < 50; i++) {
    if (values.ref !== 0) space.delete(0, values.ref);
    const ref = space.create(0, key, TYPE_SET);
    const isOfIntegers = random.chance(0.5);
    const members = new Set<string>();
    for (let n = 1 + random.below(60); n > 0; n--) {
      const member = isOfIntegers
        ? String(random.below(2 ** random.below(33)) - 1000)
        : random.binary(random.below(random.chance(0.1) ? 100 : 4));
      members.add(member);
      space.values.sets.add(ref, latin1BytesOf(member), 0, member.length);
    }
    const { encoding } = values;
    values.restore(values.dump(random.chance(0.5)));
    assertEquals(membersOf(values), [...members].sort());
    // One that once had a string stays what it is, as in Redis.
    if (!isOfIntegers) assertEquals(values.encoding, encoding);
  }
  values.end();
});
