/**
 * The manifest of an append-only log: which files belong together, in the form
 * that Redis gives it.
 *
 * ```text
 * file appendonly.aof.2.base.rdb seq 2 type b
 * file appendonly.aof.3.incr.aof seq 3 type i
 * file appendonly.aof.4.incr.aof seq 4 type i
 * # crc32c 1a2b3c4d
 * ```
 *
 * `b` is the snapshot that the log begins with, of which there is one at most,
 * `i` are the changes since then in their order, `h` is what is no longer
 * needed. Names with blanks or special characters are quoted as in redis.conf.
 *
 * The last line, which is a comment for Redis, is the checksum of those before: a
 * bit is enough to make an `i` an `h`. Without one, nothing is checked.
 *
 * Source: aof.c of Redis 7.
 *
 * @module
 */

import { crc32c } from "../../core/base/crc32c.ts";
import {
  bytesToText,
  splitWords,
  textToBytes,
} from "../../core/settings/config_file.ts";

/** A file of the log. */
export interface LogFile {
  /** Its name in the log's folder. */
  readonly name: string;
  /** Its number among those of its kind. */
  readonly seq: number;
}

/** What belongs together. */
export interface LogManifest {
  /** The snapshot to begin with. */
  readonly base: LogFile | null;
  /** The changes since then, oldest first. */
  readonly increments: readonly LogFile[];
  /** What may be removed. */
  readonly history: readonly (LogFile & { readonly kind: string })[];
}

/** The manifest of a log that has no files. */
export const EMPTY_MANIFEST: LogManifest = {
  base: null,
  increments: [],
  history: [],
};

/** Longest line. */
const LINE_BYTES_MAX = 1024;

/** What a manifest is called whose log is called `prefix`. */
export function manifestName(prefix: string): string {
  return `${prefix}.manifest`;
}

/** The next snapshot of a log. */
export function nextBase(prefix: string, manifest: LogManifest): LogFile {
  const seq = Math.max(
    manifest.base?.seq ?? 0,
    ...manifest.history.filter(({ name }) => name.endsWith(".base.rdb"))
      .map((file) => file.seq),
  ) + 1;
  return { name: `${prefix}.${seq}.base.rdb`, seq };
}

/** The next file of changes of a log. */
export function nextIncrement(prefix: string, manifest: LogManifest): LogFile {
  const seq = Math.max(
    0,
    ...manifest.increments.map((file) => file.seq),
    ...manifest.history.filter(({ name }) => name.endsWith(".incr.aof"))
      .map((file) => file.seq),
  ) + 1;
  return { name: `${prefix}.${seq}.incr.aof`, seq };
}

/** Reads a manifest; a text says what is wrong with it. */
export function parseManifest(bytes: Uint8Array): LogManifest | string {
  const text = bytesToText(bytes);
  if (text === "") return "the file is empty";
  const sum = text.match(/^# crc32c ([0-9a-f]{8})\n$/m);
  if (sum !== null && sum[1] !== checksum(bytes.subarray(0, sum.index))) {
    return "the checksum is wrong";
  }
  if (!text.endsWith("\n")) return "the last line has no end";
  const parsed = {
    base: null as LogFile | null,
    increments: [] as LogFile[],
    history: [] as (LogFile & { kind: string })[],
  };
  const lines = text.split("\n").slice(0, -1);
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!.replace(/\r$/, "");
    if (line.startsWith("#")) continue;
    const problem = parseLine(line, parsed);
    if (problem !== undefined) return `line ${i + 1}: ${problem}`;
  }
  return parsed;
}

function parseLine(
  line: string,
  parsed: {
    base: LogFile | null;
    increments: LogFile[];
    history: (LogFile & { kind: string })[];
  },
): string | undefined {
  if (line.length > LINE_BYTES_MAX) return "too long";
  const words = splitWords(line);
  if (words === undefined || words.length < 6 || words.length % 2 !== 0) {
    return "not a list of names and values";
  }
  const fields = new Map<string, string>();
  for (let i = 0; i < words.length; i += 2) {
    fields.set(words[i]!.toLowerCase(), words[i + 1]!);
  }
  const name = fileNameOf(fields.get("file") ?? "");
  const seq = Number(fields.get("seq"));
  if (name === "" || /[/\\]/.test(name)) return "no name of a file";
  if (!Number.isSafeInteger(seq) || seq < 1) return "no number";
  const type = fields.get("type");
  switch (type) {
    case "b":
      if (parsed.base !== null) return "a second snapshot";
      parsed.base = { name, seq };
      return;
    case "i":
      if (seq <= (parsed.increments.at(-1)?.seq ?? 0)) return "out of order";
      parsed.increments.push({ name, seq });
      return;
    case "h":
      parsed.history.push({ name, seq, kind: "h" });
      return;
  }
  return "no known type";
}

/** The bytes of a manifest. */
export function formatManifest(manifest: LogManifest): Uint8Array {
  const lines: string[] = [];
  const add = ({ name, seq }: LogFile, type: string) =>
    lines.push(`file ${quoted(name)} seq ${seq} type ${type}\n`);
  if (manifest.base !== null) add(manifest.base, "b");
  for (const file of manifest.history) add(file, "h");
  for (const file of manifest.increments) add(file, "i");
  const text = lines.join("");
  return textToBytes(`${text}# crc32c ${checksum(textToBytes(text))}\n`);
}

function checksum(bytes: Uint8Array): string {
  const sum = crc32c(bytes, 0, bytes.length) >>> 0;
  return sum.toString(16).padStart(8, "0");
}

/** Names of files are UTF-8; texts here have a character per byte. */
function fileNameOf(text: string): string {
  return new TextDecoder().decode(textToBytes(text));
}

function quoted(name: string): string {
  const text = bytesToText(new TextEncoder().encode(name));
  if (!/[^!-~]|["'\\]/.test(text)) return text;
  const escaped = text.replace(/["\\]|[^ -~]/g, (char) => {
    if (char === '"' || char === "\\") return `\\${char}`;
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return `"${escaped}"`;
}
