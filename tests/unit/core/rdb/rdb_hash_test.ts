/** Hashes in the snapshot format: rdb_hash.ts. */
import { assertEquals, assertThrows } from "@std/assert";
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { BadFormat } from "../../../../src/core/rdb/rdb_reader.ts";
import {
  RDB_HASH,
  RDB_HASH_LISTPACK,
  RDB_HASH_LISTPACK_EX,
  RDB_HASH_LISTPACK_EX_EARLY,
  RDB_HASH_METADATA,
  RDB_HASH_METADATA_EARLY,
  RDB_HASH_ZIPLIST,
  RDB_HASH_ZIPMAP,
} from "../../../../src/core/rdb/rdb_types.ts";
import type { RdbWriter } from "../../../../src/core/rdb/rdb_writer.ts";
import { TYPE_HASH } from "../../../../src/core/types/entry.ts";
import { seeded } from "../../../_harness.ts";
import {
  bytesOf,
  hexBytes,
  listpack,
  packed,
  written,
  ziplist,
  zipmap,
} from "./_format.ts";
import { Values } from "./_values.ts";
import {
  fieldsExpire,
  setFieldExpires,
} from "../../../../src/core/keyspace/field_expires.ts";

/** A field's value and when it expires, 0 for never. */
type Fields = Record<string, [value: string, expireAtMs: number]>;

const AT_MS = 1_700_000_000_000;

function fieldsOf(values: Values): Fields {
  const fields: Fields = {};
  const { hashes } = values.space.values;
  const end = hashes.endPlace(values.ref);
  for (let place = hashes.firstPlace(values.ref); place < end;) {
    place = hashes.visit(values.ref, place, {
      field(field, value, expireAtMs) {
        fields[asciiOf(field.buf, field.off, field.length)] = [
          asciiOf(value.buf, value.off, value.length),
          expireAtMs,
        ];
      },
    }, -Infinity);
  }
  return fields;
}

function setFields(values: Values, fields: Fields): void {
  const { space, key } = values;
  if (values.ref !== 0) space.delete(0, values.ref);
  const ref = space.create(0, key, TYPE_HASH);
  for (const [field, [value, expireAtMs]] of Object.entries(fields)) {
    space.values.hashes.set(
      ref,
      ...[latin1BytesOf(field), 0, field.length] as const,
      ...[latin1BytesOf(value), 0, value.length] as const,
      expireAtMs,
    );
  }
  setFieldExpires(space, 0, ref, space.values.hashes.hasExpires(ref));
}

function string(writer: RdbWriter, text: string): void {
  writer.string(latin1BytesOf(text), 0, text.length);
}

Deno.test("hashes are dumped as Redis dumps them", () => {
  const values = new Values();
  const small = hexBytes(
    "10 13 13 00 00 00 04 00 81 66 02 81 76 02 81 6e 02 c4 00 02 ff",
  );
  values.restore(small);
  assertEquals(fieldsOf(values), { f: ["v", 0], n: ["1024", 0] });
  assertEquals(values.encoding, "listpack");
  assertEquals(values.dump(), small);
  const large = hexBytes(
    "04 01 01 66 c3 09 40 41 01 76 76 e0 34 00 01 76 76",
  );
  values.restore(large);
  assertEquals(fieldsOf(values), { f: ["v".repeat(65), 0] });
  assertEquals(values.encoding, "hashtable");
  assertEquals(
    values.dump(false),
    bytesOf(4, 1, 1, "f", 0x40, 65, "v".repeat(65)),
  );
  values.end();
});

Deno.test("hashes of every kind that there has been are read", () => {
  const texts = ["a", "1", "b", "", "", "c"];
  const expected: Fields = { a: ["1", 0], b: ["", 0], "": ["c", 0] };
  const cases: readonly [string, Uint8Array][] = [
    ["zipmap", packed(RDB_HASH_ZIPMAP, zipmap(texts))],
    ["ziplist", packed(RDB_HASH_ZIPLIST, ziplist(...texts))],
    [
      "ziplist of integers",
      packed(
        RDB_HASH_ZIPLIST,
        ziplist("a", [0xf2], "b", "", "", "c"),
      ),
    ],
    ["listpack", packed(RDB_HASH_LISTPACK, listpack(...texts))],
    [
      "pairs",
      written((writer) => {
        writer.byte(RDB_HASH);
        writer.length(3);
        for (const text of texts) string(writer, text);
      }),
    ],
  ];
  for (const [name, bytes] of cases) {
    const values = new Values();
    values.restore(bytes);
    assertEquals(fieldsOf(values), expected, name);
    assertEquals(values.encoding, "listpack", name);
    values.limit([["hash-max-listpack-entries", "2"]]);
    values.restore(bytes);
    assertEquals(fieldsOf(values), expected, name);
    assertEquals(values.encoding, "hashtable", name);
    values.end();
  }
});

Deno.test("expires of fields are read in all of their forms", () => {
  const metadata = (kind: number, firstMs: number, expires: number[]) =>
    written((writer) => {
      writer.byte(kind);
      if (kind === RDB_HASH_METADATA) writer.milliseconds(firstMs);
      writer.length(3);
      ["a", "b", "c"].forEach((field, i) => {
        writer.length(expires[i]!);
        string(writer, field);
        string(writer, "v");
      });
    });
  const triples = listpack("a", "v", AT_MS, "b", "v", AT_MS + 5, "c", "v", 0);
  const cases: readonly [string, Uint8Array][] = [
    ["relative", metadata(RDB_HASH_METADATA, AT_MS, [1, 6, 0])],
    ["absolute", metadata(RDB_HASH_METADATA_EARLY, 0, [AT_MS, AT_MS + 5, 0])],
    ["packed", packed(RDB_HASH_LISTPACK_EX, triples, AT_MS)],
    ["packed, early", packed(RDB_HASH_LISTPACK_EX_EARLY, triples)],
  ];
  for (const [name, bytes] of cases) {
    const values = new Values();
    for (const entries of ["512", "2"]) {
      values.limit([["hash-max-listpack-entries", entries]]);
      values.restore(bytes);
      assertEquals(
        fieldsOf(values),
        { a: ["v", AT_MS], b: ["v", AT_MS + 5], c: ["v", 0] },
        name,
      );
      assertEquals(
        values.encoding,
        entries === "2" ? "hashtable" : "listpackex",
        name,
      );
      assertEquals(fieldsExpire(values.space, values.ref), true);
      const dumped = values.dump();
      assertEquals(dumped[0], RDB_HASH_METADATA);
      const before = fieldsOf(values);
      values.restore(dumped);
      assertEquals(fieldsOf(values), before);
    }
    values.end();
  }
});

Deno.test("a hash without expires that had some is dumped as any other", () => {
  const values = new Values();
  setFields(values, { a: ["1", AT_MS], b: ["2", 0] });
  const { hashes } = values.space.values;
  hashes.locate(values.ref, latin1BytesOf("a"), 0, 1, -Infinity);
  hashes.setFoundExpire(values.ref, 0);
  assertEquals(values.encoding, "listpackex");
  assertEquals(values.dump(), bytesOf(4, 2, 1, "a", 0xc0, 1, 1, "b", 0xc0, 2));
  values.end();
});

Deno.test("what is no hash is refused", () => {
  const text = (n: number) => "x".repeat(n);
  const hash = (kind: number, count: number, ...parts: (string | number)[]) =>
    bytesOf(kind, count, ...parts);
  const cases: readonly [string, Uint8Array][] = [
    ["no fields", hash(RDB_HASH, 0)],
    ["a field without a value", hash(RDB_HASH, 1, 1, "a")],
    ["a field twice", hash(RDB_HASH, 2, 1, "a", 0, 1, "a", 0)],
    ["more fields than bytes", hash(RDB_HASH, 0x80, 0xff, 0xff, 0xff, 0xff, 0)],
    ["an empty listpack", packed(RDB_HASH_LISTPACK, listpack())],
    ["half a pair", packed(RDB_HASH_LISTPACK, listpack("a", "b", "c"))],
    ["a field twice", packed(RDB_HASH_LISTPACK, listpack("a", "", "a", ""))],
    ["a number twice", packed(RDB_HASH_LISTPACK, listpack("1", "", 1, ""))],
    ["no listpack", packed(RDB_HASH_LISTPACK, bytesOf(text(30)))],
    ["an empty ziplist", packed(RDB_HASH_ZIPLIST, ziplist())],
    ["half a pair", packed(RDB_HASH_ZIPLIST, ziplist("a"))],
    ["a field twice", packed(RDB_HASH_ZIPLIST, ziplist("a", "", "a", ""))],
    ["an empty zipmap", packed(RDB_HASH_ZIPMAP, zipmap([]))],
    ["a field twice", packed(RDB_HASH_ZIPMAP, zipmap(["a", "", "a", ""]))],
    ["half a triple", packed(RDB_HASH_LISTPACK_EX, listpack("a", "b"), 0)],
    [
      "an expire that is a text",
      packed(
        RDB_HASH_LISTPACK_EX,
        listpack("a", "b", "c"),
        0,
      ),
    ],
    [
      "an expire below 0",
      packed(
        RDB_HASH_LISTPACK_EX,
        listpack("a", "b", -1),
        0,
      ),
    ],
    [
      "an expire that is too late",
      packed(
        RDB_HASH_LISTPACK_EX,
        listpack("a", "b", 2 ** 48),
        0,
      ),
    ],
    [
      "a first expire below 0",
      bytesOf(
        RDB_HASH_METADATA,
        ...new Array(8).fill(0xff),
        ...[1, 1, 1, "a", 1, "b"],
      ),
    ],
    [
      "an expire that is too late",
      bytesOf(
        RDB_HASH_METADATA_EARLY,
        ...[1, 0x81, 0, 1, 0, 0, 0, 0, 0, 0, 1, "a", 1, "b"],
      ),
    ],
  ];
  const values = new Values();
  values.shards.set("k", "old");
  for (const [what, bytes] of cases) {
    assertThrows(() => values.restore(bytes), BadFormat, "Cannot read", what);
    assertEquals(values.shards.get("k"), "old");
  }
  values.end();
});

seeded("hashes come back as they were", (random) => {
  const values = new Values([["hash-max-listpack-entries", "20"]]);
  for (let i = 0; i < 30; i++) {
    const fields: Fields = {};
    const expires = random.chance(0.3);
    for (let n = 1 + random.below(60); n > 0; n--) {
      const field = random.binary(random.below(4));
      fields[field] = [
        random.chance(0.1) ? random.binary(100) : String(random.below(1e6)),
        expires && random.chance(0.5) ? AT_MS + random.below(1e6) : 0,
      ];
    }
    setFields(values, fields);
    const dumped = values.dump(random.chance(0.5));
    const { encoding } = values;
    assertEquals(fieldsOf(values), fields);
    values.restore(dumped);
    assertEquals(fieldsOf(values), fields);
    if (encoding === "listpack") assertEquals(values.encoding, encoding);
  }
  values.end();
});
