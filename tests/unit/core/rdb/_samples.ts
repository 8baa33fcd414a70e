/**
 * One value of every kind that there has been, without its frame: those that
 * Redis 7.0 writes in its own bytes, the older ones made by hand.
 *
 * @module
 */
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  RDB_HASH,
  RDB_HASH_LISTPACK,
  RDB_HASH_LISTPACK_EX,
  RDB_HASH_LISTPACK_EX_EARLY,
  RDB_HASH_METADATA,
  RDB_HASH_METADATA_EARLY,
  RDB_HASH_ZIPLIST,
  RDB_HASH_ZIPMAP,
  RDB_SET,
  RDB_SET_LISTPACK,
} from "../../../../src/core/rdb/rdb_types.ts";
import {
  hexBytes,
  listpack,
  packed,
  written,
  ziplist,
  zipmap,
} from "./_format.ts";

const AT_MS = 1_700_000_000_000;
const TEXTS = ["a", "1", "bb", "-70000", "c", "x".repeat(70), "", "9000000000"];

/** Values by the name of their kind. */
export const VALUES: readonly (readonly [string, Uint8Array])[] = [
  ["a string", hexBytes("00 05 73 68 65 72 64")],
  ["an integer", hexBytes("00 c2 00 00 00 80")],
  [
    "a compressed string",
    hexBytes("00 c3 0b 3c 03 61 62 63 61 e0 2d 02 01 62 63"),
  ],
  ["a hash of pairs", strings(RDB_HASH, TEXTS, 2)],
  ["a packed hash", packed(RDB_HASH_LISTPACK, listpack(...TEXTS))],
  [
    "a hash in a ziplist",
    packed(
      RDB_HASH_ZIPLIST,
      ziplist(
        ...TEXTS,
        ...["i", [0xfd], "j", [0xc0, 1, 2], "k", [
          0xe0,
          1,
          2,
          3,
          4,
          5,
          6,
          7,
          8,
        ]],
      ),
    ),
  ],
  ["a hash in a zipmap", packed(RDB_HASH_ZIPMAP, zipmap(TEXTS, 1))],
  ["a hash of expiring fields", expiring(RDB_HASH_METADATA, AT_MS, [1, 0, 9])],
  ["an early one", expiring(RDB_HASH_METADATA_EARLY, 0, [AT_MS, 0, AT_MS])],
  [
    "a packed one",
    packed(
      RDB_HASH_LISTPACK_EX,
      listpack("a", "v", AT_MS, "b", "v", AT_MS + 5, "c", "v", 0),
      AT_MS,
    ),
  ],
  [
    "an early packed one",
    packed(
      RDB_HASH_LISTPACK_EX_EARLY,
      listpack("a", "v", AT_MS, "b", "v", AT_MS + 5, "c", "v", 0),
    ),
  ],
  ["a set of members", strings(RDB_SET, TEXTS, 1)],
  ["a set of numbers", strings(RDB_SET, ["1", "-2", "9000000000"], 1)],
  [
    "an intset",
    hexBytes(
      "0b 14 04 00 00 00 03 00 00 00 01 00 00 00 02 00 00 00 70 11 01 00",
    ),
  ],
  ["a packed set", packed(RDB_SET_LISTPACK, listpack(...TEXTS))],
];

const MANY = Array.from({ length: 1000 }, (_, i) => `element ${i}`);

/** Values that take many allocations. */
export const LARGE_VALUES: readonly (readonly [string, Uint8Array])[] = [
  ["a large hash", strings(RDB_HASH, MANY, 2)],
  ["a large packed hash", packed(RDB_HASH_LISTPACK, listpack(...MANY))],
  ["a large set", strings(RDB_SET, MANY, 1)],
  ["a large packed set", packed(RDB_SET_LISTPACK, listpack(...MANY))],
];

/** A count and strings, `size` of them an element. */
function strings(kind: number, texts: readonly string[], size: number) {
  return written((writer) => {
    writer.byte(kind);
    writer.length(texts.length / size);
    for (const text of texts) {
      writer.string(latin1BytesOf(text), 0, text.length);
    }
  }, false);
}

function expiring(kind: number, firstMs: number, expires: number[]) {
  return written((writer) => {
    writer.byte(kind);
    if (kind === RDB_HASH_METADATA) writer.milliseconds(firstMs);
    writer.length(expires.length);
    expires.forEach((expire, i) => {
      writer.length(expire);
      for (const text of [`field ${i}`, "v"]) {
        writer.string(latin1BytesOf(text), 0, text.length);
      }
    });
  });
}
