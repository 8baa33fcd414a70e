/** Sorted sets in the snapshot format: rdb_zset.ts. */
import { assertEquals, assertThrows } from "@std/assert";
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { BadFormat } from "../../../../src/core/rdb/rdb_reader.ts";
import {
  RDB_ZSET,
  RDB_ZSET_2,
  RDB_ZSET_LISTPACK,
  RDB_ZSET_ZIPLIST,
} from "../../../../src/core/rdb/rdb_types.ts";
import { TYPE_ZSET } from "../../../../src/core/types/entry.ts";
import { seeded } from "../../../_harness.ts";
import {
  bytesOf,
  hexBytes,
  listpack,
  packed,
  written,
  ziplist,
} from "./_format.ts";
import { Values } from "./_values.ts";

type Members = [member: string, score: number][];

function membersOf(values: Values): Members {
  const members: Members = [];
  const { zsets } = values.space.values;
  zsets.visit(values.ref, 0, zsets.length(values.ref), false, {
    member(buf, off, length, score) {
      members.push([asciiOf(buf, off, length), score]);
    },
  });
  return members;
}

/** Members with scores of eight bytes. */
function plain(members: Members): Uint8Array {
  return written((writer) => {
    writer.byte(RDB_ZSET_2);
    writer.length(members.length);
    for (const [member, score] of members) {
      writer.string(latin1BytesOf(member), 0, member.length);
      writer.double(score);
    }
  });
}

Deno.test("sorted sets are dumped as Redis dumps them", () => {
  const values = new Values();
  const small = hexBytes(
    "11 14 14 00 00 00 04 00 81 61 02 83 31 2e 35 04 81 62 02 02 01 ff",
  );
  values.restore(small);
  assertEquals(membersOf(values), [["a", 1.5], ["b", 2]]);
  assertEquals(values.encoding, "listpack");
  assertEquals(values.dump(), small);
  const large: Members = [["z", 7], ["m".repeat(65), 0.1], ["a", -Infinity]];
  values.restore(plain(large));
  assertEquals(values.encoding, "skiplist");
  assertEquals(membersOf(values), large.toReversed());
  assertEquals(values.dump(), plain(large));
  values.end();
});

Deno.test("sorted sets of every kind that there has been are read", () => {
  const expected: Members = [["b", -2], ["a", 1.5], ["a2", 1.5], ["c", 1e9]];
  const cases: readonly [string, Uint8Array][] = [
    [
      "texts",
      bytesOf(
        ...[RDB_ZSET, 4, 1, "a", 3, "1.5", 1, "b", 2, "-2"],
        ...[2, "a2", 4, "1.50", 1, "c", 3, "1e9"],
      ),
    ],
    ["numbers", plain([["c", 1e9], ["a2", 1.5], ["b", -2], ["a", 1.5]])],
    [
      "ziplist",
      packed(
        RDB_ZSET_ZIPLIST,
        ziplist("b", [0xfe, 0xfe], "a", "1.5", "a2", "1.5", "c", "1000000000"),
      ),
    ],
    [
      "listpack",
      packed(
        RDB_ZSET_LISTPACK,
        listpack("b", -2, "a", "1.5", "a2", "1.5", "c", 1e9),
      ),
    ],
  ];
  for (const [name, bytes] of cases) {
    const values = new Values();
    for (
      const [entries, encoding] of [["128", "listpack"], ["3", "skiplist"]]
    ) {
      values.limit([["zset-max-listpack-entries", entries!]]);
      values.restore(bytes);
      values.verify();
      assertEquals(membersOf(values), expected, name);
      assertEquals(values.encoding, encoding, name);
    }
    values.end();
  }
});

seeded("members come in any order", (random) => {
  const values = new Values();
  for (const length of [1, 2, 129, 1500]) {
    const members: Members = Array.from({ length }, (_, i) => [
      `m${String(i).padStart(5, "0")}`,
      // Scores that many have, and the greatest.
      i > length / 2 ? Infinity : Math.floor(i / 3),
    ]);
    const shuffled = members
      .map((member) => ({ member, at: random.uint32() }))
      .sort((a, b) => a.at - b.at).map(({ member }) => member);
    const nearly = members.slice();
    nearly.push(nearly.splice(random.below(length), 1)[0]!);
    for (const order of [members, members.toReversed(), shuffled, nearly]) {
      values.restore(plain(order));
      values.verify();
      assertEquals(membersOf(values), members);
      const twice = [...order, order[random.below(length)]!];
      assertThrows(() => values.restore(plain(twice)), BadFormat, "twice");
    }
  }
  values.end();
});

Deno.test("scores that are written in another way are written anew", () => {
  const values = new Values();
  const texts = ["-infinity", "+0.5", "1e1", "12.0", "+inf"];
  const scores = [-Infinity, 0.5, 10, 12, Infinity];
  values.restore(packed(
    RDB_ZSET_LISTPACK,
    listpack(...texts.flatMap((text, i) => [`m${i}`, text])),
  ));
  values.verify();
  assertEquals(values.encoding, "listpack");
  assertEquals(membersOf(values), scores.map((score, i) => [`m${i}`, score]));
  values.end();
});

Deno.test("infinite scores are read, and seventeen digits", () => {
  const values = new Values();
  values.restore(bytesOf(RDB_ZSET, 2, 1, "a", 255, 1, "b", 254));
  assertEquals(membersOf(values), [["a", -Infinity], ["b", Infinity]]);
  values.restore(packed(
    RDB_ZSET_LISTPACK,
    listpack("a", "-inf", "b", "0.10000000000000001", "c", "inf"),
  ));
  assertEquals(
    membersOf(values),
    [["a", -Infinity], ["b", 0.1], ["c", Infinity]],
  );
  values.end();
});

Deno.test("what is no sorted set is refused", () => {
  const inListpack = (...elements: (string | number)[]) =>
    packed(RDB_ZSET_LISTPACK, listpack(...elements));
  const cases: readonly [string, Uint8Array][] = [
    ["no members", plain([])],
    ["no number as a score", plain([["a", NaN]])],
    ["a member twice", plain([["a", 1], ["b", 1], ["a", 2]])],
    ["a member without a score", bytesOf(RDB_ZSET_2, 1, 1, "a")],
    ["no number as a score", bytesOf(RDB_ZSET, 1, 1, "a", 253)],
    ["a score that is none", bytesOf(RDB_ZSET, 1, 1, "a", 1, "x")],
    ["an empty ziplist", packed(RDB_ZSET_ZIPLIST, ziplist())],
    ["half a pair", packed(RDB_ZSET_ZIPLIST, ziplist("a"))],
    ["a score that is none", packed(RDB_ZSET_ZIPLIST, ziplist("a", "x"))],
    ["a member twice", packed(RDB_ZSET_ZIPLIST, ziplist("a", "1", "a", "2"))],
    ["an empty listpack", inListpack()],
    ["half a pair", inListpack("a", 1, "b")],
    ["a score that is none", inListpack("a", "x")],
    ["an empty score", inListpack("a", "")],
    ["no number as a score", inListpack("a", "nan")],
    ["a member twice", inListpack("a", 1, "a", 2)],
    ["scores that descend", inListpack("a", 2, "b", 1)],
    ["members that descend", inListpack("b", 1, "a", 1)],
  ];
  const values = new Values();
  values.shards.set("k", "old");
  for (const [what, bytes] of cases) {
    assertThrows(() => values.restore(bytes), BadFormat, "Cannot read", what);
    assertEquals(values.shards.get("k"), "old");
  }
  values.end();
});

seeded("sorted sets come back as they were", (random) => {
  const values = new Values([["zset-max-listpack-entries", "20"]]);
  const { space, key } = values;
  for (let i = 0; i < 40; i++) {
    if (values.ref !== 0) space.delete(0, values.ref);
    const ref = space.create(0, key, TYPE_ZSET);
    for (let n = 1 + random.below(60); n > 0; n--) {
      const member = random.binary(random.below(random.chance(0.1) ? 100 : 4));
      const score = random.pick([
        random.below(10),
        random.uint32() / 7,
        -random.uint32(),
        Infinity,
      ]);
      space.values.zsets.add(
        ref,
        ...[latin1BytesOf(member), 0, member.length] as const,
        score,
      );
    }
    const { encoding } = values;
    const members = membersOf(values);
    values.restore(values.dump(random.chance(0.5)));
    values.verify();
    assertEquals(membersOf(values), members);
    // A large one that would be small enough is packed, as in Redis.
    if (encoding === "listpack") assertEquals(values.encoding, encoding);
  }
  values.end();
});
