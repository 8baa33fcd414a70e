/**
 * `sherd check-rdb FILE`: reads a snapshot to its end, every value included, and
 * says what is in it or what is wrong with it, and where.
 *
 * @module
 */

import { OutOfMemory } from "../../../core/memory/heap.ts";
import {
  BadFile,
  type EntryNotes,
  type FileVisitor,
  RdbFileReader,
} from "../../../core/rdb/rdb_file_reader.ts";
import type { RdbReader, RdbString } from "../../../core/rdb/rdb_reader.ts";
import { DiskError } from "../../../engine/persistence/disk.ts";
import { DenoDisk } from "../../server/deno_disk.ts";
import { sourceOf } from "../../server/rdb_loading.ts";
import { say } from "./progress.ts";
import { Scratch } from "./scratch.ts";

/** What `--help` prints. */
export const CHECK_RDB_USAGE: string = "Usage: sherd check-rdb FILE";

/** Reads all values, and counts. */
class Checker implements FileVisitor {
  readonly scratch = new Scratch();
  keys = 0;
  volatile = 0;
  expired = 0;
  libraries = 0;
  readonly databases = new Set<number>();
  readonly #nowMs = Date.now();

  aux(name: string, text: string): void {
    say(`${name} = '${text}'`);
  }

  library(): void {
    this.libraries++;
  }

  entry(
    reader: RdbReader,
    kind: number,
    _key: RdbString,
    notes: EntryNotes,
  ): void {
    this.scratch.check(reader, kind);
    this.keys++;
    this.databases.add(notes.db);
    if (notes.expireAtMs === 0) return;
    this.volatile++;
    if (notes.expireAtMs <= this.#nowMs) this.expired++;
  }
}

/** Runs the tool; returns the exit code. */
export function checkRdb(words: readonly string[]): number {
  const [path] = words;
  if (words.length !== 1 || path!.startsWith("-")) {
    say(CHECK_RDB_USAGE);
    return 1;
  }
  const checker = new Checker();
  let reader: RdbFileReader | null = null;
  try {
    const file = new DenoDisk().open(path!, "read");
    reader = new RdbFileReader(
      sourceOf(file),
      checker,
      checker.scratch.space.externals,
      true,
    );
    reader.readHead();
    while (reader.read(() => false));
    file.close();
  } catch (cause) {
    if (cause instanceof BadFile) {
      say(`${path} is damaged at offset ${cause.offset}: ${cause.message}`);
    } else if (cause instanceof DiskError) say(cause.message);
    else if (cause instanceof OutOfMemory) {
      say(`A value in ${path} does not fit into memory`);
    } else throw cause;
    if (checker.keys > 0) say(`${checker.keys} keys before it are whole`);
    return 1;
  }
  const sum = reader.isChecked ? "the checksum is right" : "no checksum";
  say(
    `${path} is whole: version ${reader.version}, ${sum}, ` +
      `${checker.keys} keys in ${checker.databases.size} databases, ` +
      `${checker.volatile} with an expire, ${checker.expired} expired, ` +
      `${checker.libraries} libraries of functions`,
  );
  return 0;
}
