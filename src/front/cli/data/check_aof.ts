/**
 * `sherd check-aof [--fix] <folder | manifest>`: reads a log as a server would,
 * and says what is wrong with it. With `--fix`, the last file is cut off where
 * it can no longer be read.
 *
 * Exit codes: 0 if all is well, or is now; 1 otherwise.
 *
 * @module
 */

import {
  CommandReader,
  readWord,
  RECORD_HEADER_BYTES,
  recordBytes,
} from "../../../core/keyspace/effect_record.ts";
import { DiskError } from "../../../engine/persistence/disk.ts";
import {
  LogDamage,
  LogDirectory,
} from "../../../engine/persistence/log_directory.ts";
import {
  emptyReport,
  type LogReport,
  readLog,
} from "../../../engine/persistence/log_reader.ts";
import { checkRdb } from "./check_rdb.ts";
import { DenoDisk } from "../../server/deno_disk.ts";

/** What `--help` prints. */
export const CHECK_AOF_USAGE: string =
  "Usage: sherd check-aof [--fix] <folder or manifest of a log>\n";
const MANIFEST = ".manifest";

/** Runs the command; `print` takes its output. Returns the exit code. */
export async function checkAof(
  argv: readonly string[],
  print: (text: string) => void,
  confirm: (question: string) => boolean = ask,
): Promise<number> {
  const fixes = argv[0] === "--fix";
  const [path, ...others] = fixes ? argv.slice(1) : argv;
  if (path === undefined || path.startsWith("-") || others.length > 0) {
    print(CHECK_AOF_USAGE);
    return 1;
  }
  try {
    return await new Check(findLog(path), print, confirm).run(fixes);
  } catch (cause) {
    if (!(cause instanceof LogDamage || cause instanceof DiskError)) {
      throw cause;
    }
    print(`${cause.message}\n`);
    return 1;
  }
}

/** The log that a folder or a manifest is about. */
function findLog(path: string): LogDirectory {
  const disk = new DenoDisk();
  const slash = path.lastIndexOf("/");
  if (path.endsWith(MANIFEST)) {
    const folder = slash < 0 ? "." : path.slice(0, slash);
    const name = path.slice(slash + 1, -MANIFEST.length);
    return new LogDirectory(disk, folder, name);
  }
  const folder = path.replace(/(?<=.)\/+$/, "");
  const names = disk.list(folder).filter((name) =>
    name.endsWith(MANIFEST) && !name.startsWith("temp-")
  );
  if (names.length !== 1) {
    throw new LogDamage(`There are ${names.length} manifests in ${folder}`);
  }
  return new LogDirectory(disk, folder, names[0]!.slice(0, -MANIFEST.length));
}

/** One check. */
class Check {
  readonly #log: LogDirectory;
  readonly #print: (text: string) => void;
  readonly #confirm: (question: string) => boolean;
  readonly #reader = new CommandReader();
  #commands = 0;

  constructor(
    log: LogDirectory,
    print: (text: string) => void,
    confirm: (question: string) => boolean,
  ) {
    this.#log = log;
    this.#print = print;
    this.#confirm = confirm;
  }

  async run(fixes: boolean): Promise<number> {
    const log = this.#log;
    log.read();
    if (!log.exists) throw new LogDamage(`There is no log in ${log.folder}`);
    const { base, increments } = log.manifest;
    if (base !== null && checkRdb([log.path(base.name)]) !== 0) {
      this.#print("The snapshot that the log begins with is not valid\n");
      return 1;
    }
    const report = emptyReport();
    let problem = "";
    try {
      await readLog(log, this, () => {}, report);
      problem = report.torn;
    } catch (cause) {
      if (!(cause instanceof LogDamage)) throw cause;
      problem = cause.message;
    }
    this.#print(
      `${report.records} records with ${this.#commands} commands in ` +
        `${increments.length} files are good\n`,
    );
    if (problem === "") {
      this.#print("The log is valid\n");
      return 0;
    }
    this.#print(`The log is not valid: ${problem}\n`);
    return this.#fix(report, fixes);
  }

  /** Takes the records that are good. */
  records(buf: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to;) {
      const body = readWord(buf, at);
      const reader = this.#reader;
      reader.reset(buf, at + RECORD_HEADER_BYTES, body);
      while (reader.next()) this.#commands++;
      if (reader.isDamaged) {
        throw new LogDamage(`Record ${readWord(buf, at + 4)} has no commands`);
      }
      at += recordBytes(body);
    }
  }

  /** Cuts off what is not good, if it is at the end of the log. */
  #fix({ file, size }: LogReport, fixes: boolean): number {
    const log = this.#log;
    if (file === null || file !== log.manifest.increments.at(-1)) {
      this.#print("What follows cannot be cut off: it is not the last file\n");
      return 1;
    }
    if (size === 0) {
      this.#print("The file cannot be mended: its head is not valid\n");
      return 1;
    }
    const path = log.path(file.name);
    const all = log.sizeOf(file);
    if (!fixes) {
      this.#print(
        `${path} is good up to ${size} of ${all} bytes. ` +
          `Use --fix to cut it off there\n`,
      );
      return 1;
    }
    const lock = log.lock();
    if (lock === null) throw new LogDamage("A server uses the log");
    try {
      const question = `This will shrink ${path} from ${all} bytes, ` +
        `with ${all - size} bytes, to ${size} bytes`;
      if (!this.#confirm(question)) {
        this.#print("Aborted\n");
        return 1;
      }
      const opened = log.disk.open(path, "update");
      try {
        opened.truncate(size);
        opened.sync();
      } finally {
        opened.close();
      }
      this.#print("The log is valid now\n");
      return 0;
    } finally {
      lock.release();
    }
  }
}

/** Asks who sits there; input that is no terminal is read as an answer, too. */
function ask(question: string): boolean {
  const encoder = new TextEncoder();
  Deno.stdout.writeSync(encoder.encode(`${question}\nContinue? [y/N]: `));
  const answer = new Uint8Array(64);
  const count = Deno.stdin.readSync(answer) ?? 0;
  return /^y/i.test(new TextDecoder().decode(answer.subarray(0, count)));
}
