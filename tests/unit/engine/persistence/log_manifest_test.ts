import { assertEquals } from "@std/assert";
import { bytesOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  EMPTY_MANIFEST,
  formatManifest,
  nextBase,
  nextIncrement,
  parseManifest,
} from "../../../../src/engine/persistence/log_manifest.ts";

Deno.test("a manifest is read as Redis writes it", () => {
  const text = "file appendonly.aof.2.base.rdb seq 2 type b\n" +
    "file appendonly.aof.1.base.rdb seq 1 type h\n" +
    "# a comment\n" +
    "file appendonly.aof.3.incr.aof seq 3 type i\n" +
    'file "with blank\\x0a.aof" seq 4 type i\n';
  const manifest = parseManifest(latin1BytesOf(text));
  assertEquals(manifest, {
    base: { name: "appendonly.aof.2.base.rdb", seq: 2 },
    increments: [
      { name: "appendonly.aof.3.incr.aof", seq: 3 },
      { name: "with blank\n.aof", seq: 4 },
    ],
    history: [{ name: "appendonly.aof.1.base.rdb", seq: 1, kind: "h" }],
  });
});

Deno.test("a manifest that is written is read again", () => {
  const manifest = {
    base: { name: 'ein "Name" é.1.base.rdb', seq: 1 },
    increments: [{ name: "a.1.incr.aof", seq: 1 }, {
      name: "a.7.incr.aof",
      seq: 7,
    }],
    history: [{ name: "a.0.base.rdb", seq: 9, kind: "h" }],
  };
  assertEquals(parseManifest(formatManifest(manifest)), manifest);
});

Deno.test("a bit that flips in a manifest is seen, or changes nothing", () => {
  const manifest = {
    base: { name: "a.1.base.rdb", seq: 1 },
    increments: [{ name: "a.1.incr.aof", seq: 1 }],
    history: [{ name: "a.0.incr.aof", seq: 1, kind: "h" }],
  };
  const bytes = formatManifest(manifest);
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1 << bit;
      const parsed = parseManifest(damaged);
      if (typeof parsed !== "string") assertEquals(parsed, manifest);
    }
  }
});

Deno.test("a manifest that is not right is refused", () => {
  const rows: [string, string][] = [
    ["", "the file is empty"],
    ["file a seq 1 type i", "the last line has no end"],
    ["file a seq 1\n", "line 1: not a list of names and values"],
    ["file a seq 1 type\n", "line 1: not a list of names and values"],
    ["file a seq x type i\n", "line 1: no number"],
    ["file ../a seq 1 type i\n", "line 1: no name of a file"],
    ["file a seq 1 type z\n", "line 1: no known type"],
    [
      "file a seq 1 type b\nfile b seq 2 type b\n",
      "line 2: a second snapshot",
    ],
    ["file a seq 2 type i\nfile b seq 1 type i\n", "line 2: out of order"],
    ["\n", "line 1: not a list of names and values"],
    [`file ${"a".repeat(1024)} seq 1 type i\n`, "line 1: too long"],
  ];
  for (const [text, problem] of rows) {
    assertEquals(parseManifest(bytesOf(text)), problem, text);
  }
});

Deno.test("files of a log are numbered on", () => {
  assertEquals(nextIncrement("a", EMPTY_MANIFEST), {
    name: "a.1.incr.aof",
    seq: 1,
  });
  const manifest = {
    base: { name: "a.2.base.rdb", seq: 2 },
    increments: [{ name: "a.5.incr.aof", seq: 5 }],
    history: [{ name: "a.3.base.rdb", seq: 3, kind: "h" }],
  };
  assertEquals(nextBase("a", manifest), { name: "a.4.base.rdb", seq: 4 });
  assertEquals(nextIncrement("a", manifest), { name: "a.6.incr.aof", seq: 6 });
});
