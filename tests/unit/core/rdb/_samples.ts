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
  RDB_LIST,
  RDB_LIST_QUICKLIST,
  RDB_LIST_QUICKLIST_2,
  RDB_LIST_ZIPLIST,
  RDB_SET,
  RDB_SET_LISTPACK,
  RDB_ZSET,
  RDB_ZSET_2,
  RDB_ZSET_LISTPACK,
  RDB_ZSET_ZIPLIST,
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

const ELEMENTS = ["a", "1", "bb", "-70000", "", "x".repeat(70), "9000000000"];
const SCORED = ["a", -3, "b", "0.5", "bb", "0.5", "cc", 9, "d", "inf"];

/** The one node of these streams: 1-1 and 1-2 with a field a, 2-1 with b. */
const STREAM_NODE = "10 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 01 " +
  "35 35 00 00 00 16 00 03 01 00 01 01 01 81 61 02 00 01 02 01 00 01 00 01 " +
  "01 01 04 01 02 01 00 01 01 01 02 01 04 01 00 01 01 01 00 01 01 01 81 62 " +
  "02 03 01 06 01 ff";
/** A pending entry, and its consumer but for what comes before its entries. */
const PENDING = "00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 01";
const AT = "c1 48 b9 14 a2 01 00 00";
const STREAM = `13 01 ${STREAM_NODE} 03 02 01 01 01 00 00 03 ` +
  `01 01 67 01 01 01 01 ${PENDING} ${AT} 01 01 01 63 ${AT} 01 ${PENDING}`;
const EARLY_STREAM = `0f 01 ${STREAM_NODE} 03 02 01 ` +
  `01 01 67 01 01 01 ${PENDING} ${AT} 01 01 01 63 ${AT} 01 ${PENDING}`;
const LATE_STREAM = `15 01 ${STREAM_NODE} 03 02 01 01 01 00 00 03 ` +
  `01 01 67 01 01 01 01 ${PENDING} ${AT} 01 01 01 63 ${AT} ${AT} 01 ${PENDING}`;

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
  ["a list of elements", strings(RDB_LIST, ELEMENTS, 1)],
  ["a list in a ziplist", packed(RDB_LIST_ZIPLIST, ziplist(...ELEMENTS))],
  [
    "a list of ziplists",
    nodes(RDB_LIST_QUICKLIST, [
      ziplist(...ELEMENTS),
      ziplist("b", [0xf3], [0xf0, 1, 2, 3]),
    ]),
  ],
  [
    "a list of listpacks",
    nodes(RDB_LIST_QUICKLIST_2, [
      listpack(...ELEMENTS),
      "a plain element",
      listpack("b", 7),
    ]),
  ],
  [
    "a sorted set with texts as scores",
    written((writer) => {
      writer.byte(RDB_ZSET);
      writer.length(3);
      for (const [member, score] of [["a", "1.5"], ["b", "-2"], ["c", "1e9"]]) {
        writer.string(latin1BytesOf(member!), 0, 1);
        writer.byte(score!.length);
        writer.raw(latin1BytesOf(score!), 0, score!.length);
      }
    }),
  ],
  [
    "a sorted set of members",
    written((writer) => {
      writer.byte(RDB_ZSET_2);
      writer.length(4);
      for (const [i, score] of [3, 0.5, -Infinity, 3].entries()) {
        writer.string(latin1BytesOf(`m${i}`), 0, 2);
        writer.double(score);
      }
    }),
  ],
  [
    "a sorted set in a ziplist",
    packed(
      RDB_ZSET_ZIPLIST,
      ziplist("a", [0xf2], "b", "2.5", "c", [0xd0, 1, 2, 3, 4]),
    ),
  ],
  ["a packed sorted set", packed(RDB_ZSET_LISTPACK, listpack(...SCORED))],
  ["a set of members", strings(RDB_SET, TEXTS, 1)],
  ["a set of numbers", strings(RDB_SET, ["1", "-2", "9000000000"], 1)],
  ["a stream with a group", hexBytes(STREAM)],
  ["a stream of Redis 5", hexBytes(EARLY_STREAM)],
  ["a stream of Redis 7.2", hexBytes(LATE_STREAM)],
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
  [
    "a large list",
    nodes(
      RDB_LIST_QUICKLIST_2,
      Array.from({ length: 50 }, () => listpack(...MANY.slice(0, 100))),
    ),
  ],
  ["a list of many elements", strings(RDB_LIST, MANY, 1)],
  [
    "a large sorted set",
    written((writer) => {
      writer.byte(RDB_ZSET_2);
      writer.length(MANY.length);
      MANY.forEach((member, i) => {
        writer.string(latin1BytesOf(member), 0, member.length);
        writer.double(i * 7919 % 1000);
      });
    }),
  ],
  [
    "a large packed sorted set",
    packed(
      RDB_ZSET_LISTPACK,
      listpack(...MANY.flatMap((member, i) => [member, i])),
    ),
  ],
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

/** A count and nodes of a list, those of texts being plain. */
function nodes(kind: number, parts: readonly (Uint8Array | string)[]) {
  return written((writer) => {
    writer.byte(kind);
    writer.length(parts.length);
    for (const part of parts) {
      const bytes = typeof part === "string" ? latin1BytesOf(part) : part;
      if (kind === RDB_LIST_QUICKLIST_2) writer.length(bytes === part ? 2 : 1);
      writer.string(bytes, 0, bytes.length);
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
