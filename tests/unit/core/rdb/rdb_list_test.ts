/** Lists in the snapshot format: rdb_list.ts. */
import { assertEquals, assertThrows } from "@std/assert";
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { BadFormat } from "../../../../src/core/rdb/rdb_reader.ts";
import {
  RDB_LIST,
  RDB_LIST_QUICKLIST,
  RDB_LIST_QUICKLIST_2,
  RDB_LIST_ZIPLIST,
} from "../../../../src/core/rdb/rdb_types.ts";
import { TYPE_LIST } from "../../../../src/core/types/entry.ts";
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

function elementsOf(values: Values): string[] {
  const { lists } = values.space.values;
  return Array.from({ length: lists.length(values.ref) }, (_, i) => {
    lists.read(values.ref, i);
    const { buf, off, length } = lists.item;
    return asciiOf(buf, off, length);
  });
}

/** A quicklist of nodes; those that are texts are plain. */
function quicklist(...nodes: readonly (Uint8Array | string)[]): Uint8Array {
  return written((writer) => {
    writer.byte(RDB_LIST_QUICKLIST_2);
    writer.length(nodes.length);
    for (const node of nodes) {
      const bytes = typeof node === "string" ? latin1BytesOf(node) : node;
      writer.length(bytes === node ? 2 : 1);
      writer.string(bytes, 0, bytes.length);
    }
  });
}

Deno.test("lists are dumped as Redis dumps them", () => {
  const values = new Values();
  const bytes = hexBytes(
    "12 01 02 10 10 00 00 00 03 00 81 61 02 81 62 02 df ff 02 ff",
  );
  values.restore(bytes);
  assertEquals(elementsOf(values), ["a", "b", "-1"]);
  assertEquals(values.encoding, "listpack");
  assertEquals(values.dump(), bytes);
  values.end();
});

Deno.test("lists of every kind that there has been are read", () => {
  const values = new Values();
  const elements = ["a", "1", "", "x".repeat(100)];
  const cases: readonly [string, Uint8Array][] = [
    [
      "elements",
      bytesOf(
        ...[RDB_LIST, 4, 1, "a", 0xc0, 1, 0, 0x40, 100, "x".repeat(100)],
      ),
    ],
    ["ziplist", packed(RDB_LIST_ZIPLIST, ziplist(...elements))],
    [
      "ziplists",
      written((writer) => {
        writer.byte(RDB_LIST_QUICKLIST);
        writer.length(3);
        for (
          const node of [
            ziplist("a", [0xf2]),
            ziplist(),
            ziplist("", elements[3]!),
          ]
        ) writer.string(node, 0, node.length);
      }),
    ],
    [
      "listpacks",
      quicklist(
        listpack("a", 1),
        listpack(),
        listpack(""),
        elements[3]!,
      ),
    ],
  ];
  for (const [name, bytes] of cases) {
    values.restore(bytes);
    assertEquals(elementsOf(values), elements, name);
  }
  values.end();
});

Deno.test("a restored list keeps its nodes, if it is not small", () => {
  const values = new Values([["list-max-listpack-size", "4"]]);
  const nodes = ["abcde", "f", "ghijklmnop"].map((all) => listpack(...all));
  const bytes = quicklist(...nodes);
  values.restore(bytes);
  assertEquals(values.encoding, "quicklist");
  assertEquals(values.dump(), bytes);
  assertEquals(elementsOf(values).join(""), "abcdefghijklmnop");
  values.restore(quicklist(listpack(..."abcd")));
  assertEquals(values.encoding, "listpack");
  values.restore(quicklist(listpack(..."abcde")));
  assertEquals(values.encoding, "quicklist");
  values.restore(bytesOf(RDB_LIST, 5, 1, "a", 1, "b", 1, "c", 1, "d", 1, "e"));
  assertEquals(values.encoding, "quicklist");
  assertEquals(elementsOf(values).join(""), "abcde");
  values.end();
});

Deno.test("what is no list is refused", () => {
  const cases: readonly [string, Uint8Array][] = [
    ["no elements", bytesOf(RDB_LIST, 0)],
    ["fewer elements than it says", bytesOf(RDB_LIST, 2, 1, "a")],
    ["an empty ziplist", packed(RDB_LIST_ZIPLIST, ziplist())],
    ["no ziplist", packed(RDB_LIST_ZIPLIST, listpack("a"))],
    ["no ziplists", bytesOf(RDB_LIST_QUICKLIST, 0)],
    ["no nodes", quicklist()],
    ["an empty node", quicklist(listpack())],
    ["an empty element", quicklist("")],
    ["an unknown container", bytesOf(RDB_LIST_QUICKLIST_2, 1, 3, 1, "a")],
    ["no listpack", bytesOf(RDB_LIST_QUICKLIST_2, 1, 2, 1, "a")],
    ["fewer nodes than it says", bytesOf(RDB_LIST_QUICKLIST_2, 2, 1, 1, "a")],
  ];
  const values = new Values();
  values.shards.set("k", "old");
  for (const [what, bytes] of cases) {
    assertThrows(() => values.restore(bytes), BadFormat, "Cannot read", what);
    assertEquals(values.shards.get("k"), "old");
  }
  values.end();
});

seeded("lists come back as they were", (random) => {
  const values = new Values();
  const { space, key } = values;
  const { lists } = space.values;
  for (let i = 0; i < 30; i++) {
    values.limit([[
      "list-max-listpack-size",
      random.pick(["-2", "-1", "3", "128"]),
    ]]);
    if (values.ref !== 0) space.delete(0, values.ref);
    const ref = space.create(0, key, TYPE_LIST);
    const elements: string[] = [];
    for (let n = 1 + random.below(random.pick([5, 500])); n > 0; n--) {
      const element = random.chance(0.02)
        ? random.binary(random.below(20_000))
        : random.chance(0.5)
        ? random.binary(random.below(30))
        : String(random.below(2 ** random.below(40)));
      elements.push(element);
      lists.prepare(ref, element.length, 1, false);
      lists.push(ref, false, latin1BytesOf(element), 0, element.length);
    }
    const { encoding } = values;
    values.restore(values.dump(random.chance(0.5)));
    values.verify();
    assertEquals(elementsOf(values), elements);
    assertEquals(values.encoding, encoding);
  }
  values.end();
});
