/**
 * Whole snapshot files, written and read without a server.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { bytesOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { Crc64 } from "../../../../src/core/base/crc64.ts";
import { Digest, digestValue } from "../../../../src/core/keyspace/digest.ts";
import {
  BadFile,
  type EntryNotes,
  type FileVisitor,
  RdbFileReader,
} from "../../../../src/core/rdb/rdb_file_reader.ts";
import {
  CLOCK_FREQUENCY,
  CLOCK_IDLE,
  CLOCK_NONE,
  fileVersion,
  writeAux,
  writeEntry,
  writeFileHead,
  writeResize,
  writeSelect,
} from "../../../../src/core/rdb/rdb_file_writer.ts";
import { RdbLoad } from "../../../../src/core/rdb/rdb_load.ts";
import type {
  RdbReader,
  RdbString,
} from "../../../../src/core/rdb/rdb_reader.ts";
import { skipValue } from "../../../../src/core/rdb/rdb_skip.ts";
import { OPCODE_END } from "../../../../src/core/rdb/rdb_types.ts";
import type { RdbWriter } from "../../../../src/core/rdb/rdb_writer.ts";
import { seeded } from "../../../_harness.ts";
import { Shards } from "../keyspace/_fixture.ts";
import { EXTERNALS, usedPages, written } from "./_format.ts";
import { LARGE_VALUES, VALUES } from "./_samples.ts";
import { Values } from "./_values.ts";

/** A file of a version with these records, and its checksum. */
function fileOf(version: number, body: (writer: RdbWriter) => void) {
  return written((writer) => {
    writeFileHead(writer, version);
    body(writer);
    writer.byte(OPCODE_END);
    if (version >= 5) writer.checksum();
  });
}

/** A record of a key, with the kind and value given. */
function putKey(writer: RdbWriter, name: string, value: Uint8Array): void {
  writer.byte(value[0]!);
  writer.string(bytesOf(name), 0, name.length);
  writer.raw(value, 1, value.length - 1);
}

/** Notes what it passes over. */
class Notes implements FileVisitor {
  readonly lines: string[] = [];

  aux(name: string, text: string): void {
    this.lines.push(`aux ${name}=${text}`);
  }

  library(code: RdbString): void {
    this.lines.push(`library of ${code.length} bytes`);
  }

  entry(
    reader: RdbReader,
    kind: number,
    key: RdbString,
    notes: EntryNotes,
  ): void {
    const name = String.fromCharCode(
      ...key.buf.subarray(key.off, key.off + key.length),
    );
    skipValue(reader, kind);
    const { db, expireAtMs, idleSeconds, frequency } = notes;
    this.lines.push(
      [db, name, kind, expireAtMs, idleSeconds, frequency].join(" "),
    );
  }
}

/** Reads a file, of which the source gives `piece` bytes at a time. */
function read(
  bytes: Uint8Array,
  visitor: FileVisitor,
  piece = Infinity,
  sums = true,
): RdbFileReader {
  let at = 0;
  const source = {
    read(buf: Uint8Array, off: number, length: number): number {
      const part = bytes.subarray(at, at + Math.min(piece, length));
      buf.set(part, off);
      at += part.length;
      return part.length;
    },
  };
  const reader = new RdbFileReader(source, visitor, EXTERNALS, sums);
  reader.readHead();
  while (reader.read(() => true));
  return reader;
}

function linesOf(bytes: Uint8Array, piece = Infinity): string[] {
  const notes = new Notes();
  read(bytes, notes, piece);
  return notes.lines;
}

function loadOf(shards: Shards, options: { nowMs?: number } = {}): RdbLoad {
  return new RdbLoad({
    keyspaces: shards.keyspaces,
    slotShards: new Uint16Array(16384),
    fillKey: (key, buf, off, length) => {
      const made = shards.key(
        String.fromCharCode(...buf.subarray(off, off + length)),
      );
      Object.assign(key, made, { shard: 0 });
    },
    isOwn: () => true,
    latches: shards.latches,
    clock: shards.clock,
    nowMs: options.nowMs ?? 0,
    replaces: false,
    keysMax: 1e6,
  });
}

Deno.test("all records of a file are read, in pieces of any length", () => {
  const file = fileOf(12, (writer) => {
    writeAux(writer, "redis-ver", "7.4.0");
    writeAux(writer, "ctime", "1700000000");
    writer.byte(245);
    writer.string(bytesOf("#!lua name=lib"), 0, 14);
    writeSelect(writer, 0);
    writeResize(writer, 70000, 1);
    writer.raw(Uint8Array.of(244, 1, 2, 3), 0, 4);
    putKey(writer, "a", VALUES[0]![1]);
    writer.raw(Uint8Array.of(252, 1, 0, 0, 0, 0, 1, 0, 0), 0, 9);
    putKey(writer, "b", VALUES[0]![1]);
    writer.raw(Uint8Array.of(253, 0, 0, 0, 1, 248, 7), 0, 7);
    putKey(writer, "12345", VALUES[0]![1]);
    writeSelect(writer, 300);
    writer.raw(Uint8Array.of(249, 200), 0, 2);
    putKey(writer, "d", VALUES[0]![1]);
  });
  const expected = [
    "aux redis-ver=7.4.0",
    "aux ctime=1700000000",
    "library of 14 bytes",
    "0 a 0 0 -1 -1",
    `0 b 0 ${2 ** 40 + 1} -1 -1`,
    `0 12345 0 ${2 ** 24 * 1000} 7 -1`,
    "300 d 0 0 -1 200",
  ];
  for (const piece of [Infinity, 1, 3, 17]) {
    assertEquals(linesOf(file, piece), expected, `pieces of ${piece}`);
  }
});

Deno.test("a value is passed over to exactly where reading it ends", () => {
  for (const [name, value] of [...VALUES, ...LARGE_VALUES]) {
    const file = fileOf(12, (writer) => {
      putKey(writer, "before", value);
      putKey(writer, "behind", value);
    });
    assertEquals(
      linesOf(file).map((line) => line.split(" ")[1]),
      ["before", "behind"],
      name,
    );
  }
});

Deno.test("values of all kinds come back from a file as they were", () => {
  for (const [name, value] of [...VALUES, ...LARGE_VALUES]) {
    const values = new Values();
    values.restore(value);
    const before = values.contents();
    const { space } = values;
    const file = fileOf(12, (writer) => {
      writeSelect(writer, 3);
      const { clock } = values.shards;
      writeEntry(writer, space, values.ref, CLOCK_NONE, clock);
    });
    const shards = new Shards({ shards: 1 });
    shards.settings.load([]);
    const load = loadOf(shards);
    assert(read(file, load).isChecked);
    assertEquals(load.loaded, 1);
    const ref = shards.keyspaces[0]!.peek(3, shards.key("k"));
    const digest = new Digest();
    digestValue(digest, shards.keyspaces[0]!, ref);
    assertEquals(
      `${shards.keyspaces[0]!.type(ref)} ${digest.hex}`,
      before,
      name,
    );
  }
});

Deno.test("access clocks come back under the policy that they are of", () => {
  for (const notes of [CLOCK_IDLE, CLOCK_FREQUENCY]) {
    const shards = new Shards({ shards: 1 });
    shards.clock.isLfu = notes === CLOCK_FREQUENCY;
    const space = shards.keyspaces[0]!;
    const text = latin1BytesOf("v");
    const key = shards.key("k");
    const ref = space.strings.set(0, key, 0, text, 0, 1, 0, 0);
    space.setClock(
      ref,
      notes === CLOCK_IDLE
        ? shards.clock.idleSince(500)
        : shards.clock.withCounter(99),
    );
    const file = fileOf(10, (writer) => {
      writeEntry(writer, space, ref, notes, shards.clock);
    });
    const other = new Shards({ shards: 1 });
    other.clock.isLfu = shards.clock.isLfu;
    read(file, loadOf(other));
    const made = other.keyspaces[0]!.peek(0, other.key("k"));
    const clock = other.keyspaces[0]!.clockOf(made);
    if (notes === CLOCK_IDLE) assertEquals(other.clock.idleSeconds(clock), 500);
    else assertEquals(other.clock.decayed(clock), 99);
  }
});

Deno.test("keys that have expired are left out, if that is asked for", () => {
  const file = fileOf(10, (writer) => {
    writer.byte(252);
    writer.milliseconds(1000);
    putKey(writer, "a", VALUES[0]![1]);
    writer.byte(252);
    writer.milliseconds(0);
    putKey(writer, "b", VALUES[0]![1]);
    writer.byte(252);
    writer.milliseconds(2000);
    putKey(writer, "c", VALUES[0]![1]);
  });
  for (const [nowMs, loaded, expired] of [[0, 3, 0], [1000, 1, 2]] as const) {
    const load = loadOf(new Shards({ shards: 1 }), { nowMs });
    read(file, load);
    assertEquals([load.loaded, load.expired], [loaded, expired]);
  }
});

Deno.test("what cannot be loaded is named, with its place", () => {
  const value = VALUES[0]![1];
  const cases: [string, Uint8Array, RegExp][] = [
    ["no file", bytesOf("*3\r\n$3\r\nSET"), /does not begin as a snapshot/],
    ["too short", bytesOf("REDIS0"), /does not begin as a snapshot/],
    ["too new", fileOf(13, () => {}), /its version is 0013/],
    ["no number", bytesOf("REDIS00x1..."), /its version is 00x1/],
    [
      "a key that is there twice",
      fileOf(10, (writer) => {
        putKey(writer, "a", value);
        putKey(writer, "a", value);
      }),
      /key 'a' is there twice/,
    ],
    [
      "a database too many",
      fileOf(10, (writer) => {
        writeSelect(writer, 4);
        putKey(writer, "a", value);
      }),
      /database 4, and there are 4 databases/,
    ],
    [
      "a module's value",
      fileOf(10, (writer) => putKey(writer, "a", Uint8Array.of(7, 1, 2))),
      /its kind is unknown|of a module/,
    ],
    [
      "a module's data",
      fileOf(10, (writer) => writer.byte(247)),
      /data of a module/,
    ],
    [
      "early functions",
      fileOf(10, (writer) => writer.byte(246)),
      /functions of a candidate/,
    ],
    [
      "an unknown kind",
      fileOf(10, (writer) => putKey(writer, "a", Uint8Array.of(99, 1))),
      /its kind is unknown/,
    ],
  ];
  for (const [name, file, message] of cases) {
    const error = assertThrows(
      () => read(file, loadOf(new Shards({ shards: 1 }))),
      BadFile,
      undefined,
      name,
    ) as BadFile;
    assert(message.test(error.message), `${name}: ${error.message}`);
    assert(error.offset >= 0 && error.offset <= file.length, name);
  }
});

Deno.test("a file without a checksum, or of a version without, is read", () => {
  const body = (writer: RdbWriter) => putKey(writer, "a", VALUES[0]![1]);
  for (const version of [1, 4]) {
    assertEquals(read(fileOf(version, body), new Notes()).isChecked, false);
  }
  const file = fileOf(9, body);
  assertEquals(read(file, new Notes()).isChecked, true);
  assertEquals(read(file, new Notes(), Infinity, false).isChecked, false);
  file.fill(0, file.length - 8);
  assertEquals(read(file, new Notes()).isChecked, false);
});

Deno.test("the version is as low as what is in the file allows", () => {
  assertEquals(fileVersion(false), 10);
  assertEquals(fileVersion(true), 12);
});

seeded("a damaged file is found out, wherever the damage is", (random) => {
  const file = fileOf(12, (writer) => {
    writeAux(writer, "redis-ver", "7.4.0");
    for (const [name, value] of VALUES) putKey(writer, name, value);
  });
  const before = usedPages();
  for (let n = 0; n < 300; n++) {
    const damaged = file.slice();
    const at = random.below(file.length);
    damaged[at]! ^= 1 << random.below(8);
    assertThrows(() => read(damaged, loadOf(loose())), BadFile);
    const cut = file.slice(0, random.below(file.length));
    assertThrows(
      () => read(cut, loadOf(loose()), 1 + random.below(50)),
      BadFile,
    );
  }
  assertEquals(usedPages(), before);
}, { count: 2 });

/** A small shard, for a load that will fail. */
function loose(): Shards {
  const shards = new Shards({ shards: 1, arenaBytes: 4 << 20 });
  shards.settings.load([]);
  return shards;
}

seeded("damage that no checksum tells of does not break anything", (random) => {
  for (let n = 0; n < 300; n++) {
    const [, value] = VALUES[random.below(VALUES.length)]!;
    const file = fileOf(12, (writer) => putKey(writer, "k", value));
    for (let i = 0; i < 3; i++) {
      file[9 + random.below(file.length - 9)] = random.below(256);
    }
    file.fill(0, file.length - 8);
    try {
      read(file, loadOf(loose()));
    } catch (cause) {
      if (!(cause instanceof BadFile)) throw cause;
    }
  }
}, { count: 3 });

Deno.test("the checksum is Redis's", () => {
  const crc = new Crc64();
  crc.update(bytesOf("123456789"), 0, 9);
  const sum = new Uint8Array(8);
  crc.write(sum, 0);
  assertEquals([...sum], [0xca, 0xd9, 0xb8, 0xc4, 0x14, 0xd9, 0xc6, 0xe9]);
});
