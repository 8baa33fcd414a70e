/**
 * `sherd import SOURCE`: brings the keys of a snapshot, of an append-only file
 * of Redis, or of a running server into a running server.
 *
 * Keys travel as DUMP and RESTORE have them. Each is read back and compared, by
 * its bytes or else by a digest that does not depend on how a side stores values. Commands of an
 * append-only file are run as they are.
 *
 * A copy from a running server notes how far it has come, and goes on from there
 * when it is started again.
 *
 * @module
 */

import { asciiOf, bytesOf, equalBytes } from "../../../core/base/bytes.ts";
import { Crc64 } from "../../../core/base/crc64.ts";
import { BadFile } from "../../../core/rdb/rdb_file_reader.ts";
import { BadFormat } from "../../../core/rdb/rdb_reader.ts";
import { FILE_MAGIC } from "../../../core/rdb/rdb_types.ts";
import {
  type Disk,
  DiskError,
  type DiskFile,
  readFully,
  readWhole,
} from "../../../engine/persistence/disk.ts";
import { FILE_MAGIC as LOG_MAGIC } from "../../../engine/persistence/log_frame.ts";
import { DenoDisk } from "../../server/deno_disk.ts";
import { sortWords } from "./arguments.ts";
import {
  type DumpedKey,
  recordOf,
  restoreCommand,
  selectCommand,
} from "./dumped_key.ts";
import { FileKeys } from "./file_keys.ts";
import { type CopyPlace, LiveKeys } from "./live_keys.ts";
import { BadLog, LogCommands } from "./log_commands.ts";
import { Progress, say } from "./progress.ts";
import { LinkError, RespLink } from "./resp_link.ts";
import { Scratch } from "./scratch.ts";

/** What `--help` prints. */
export const IMPORT_USAGE: string =
  `Usage: sherd import SOURCE [--to redis://host:port]

SOURCE is a snapshot (dump.rdb), an append-only file or directory of Redis, or
redis://[user:password@]host:port, a running server. The keys go to the server
at --to, redis://127.0.0.1:6379 if not given, and replace those of the same name.

Options:
  --to ADDRESS     where the keys go
  --verify yes|no  whether each key is read back and compared [yes]
  --state FILE     where a copy from a server notes how far it has come
                   [sherd-import.json]`;

const DEFAULT_TARGET = "redis://127.0.0.1:6379";
const DEFAULT_STATE = "sherd-import.json";
const DUMP = bytesOf("DUMP");
/** Keys and commands that failed and are named. */
const NAMED_MAX = 10;

/** Runs the tool; returns the exit code. */
export async function importData(words: readonly string[]): Promise<number> {
  const sorted = sortWords(words, ["to", "verify", "state"]);
  if (typeof sorted === "string") return refuse(sorted);
  const [source] = sorted.others;
  const verify = sorted.options.get("verify") ?? "yes";
  if (sorted.others.length !== 1 || !["yes", "no"].includes(verify)) {
    return refuse(IMPORT_USAGE);
  }
  try {
    using link = await RespLink.connect(
      sorted.options.get("to") ?? DEFAULT_TARGET,
    );
    const target = new ImportTarget(link, verify === "yes");
    if (source!.startsWith("redis://")) {
      const state = sorted.options.get("state") ?? DEFAULT_STATE;
      await importLive(source!, target, state);
    } else await importFiles(source!, target);
    return target.report();
  } catch (cause) {
    if (cause instanceof BadFile || cause instanceof BadLog) {
      return refuse(`Damaged at offset ${cause.offset}: ${cause.message}`);
    }
    if (cause instanceof DiskError || cause instanceof Error) {
      return refuse(cause.message);
    }
    throw cause;
  }
}

function refuse(text: string): number {
  say(text);
  return 1;
}

/** The server that gets the keys. */
class ImportTarget {
  readonly progress = new Progress("bytes");
  /** Keys left out because they had expired. */
  expired = 0;
  /** Commands run. */
  commands = 0;
  readonly #link: RespLink;
  readonly #scratch: Scratch | null;
  readonly #source = new KeySum();
  readonly #target = new KeySum();
  #db = -1;
  #failed = 0;
  #differing = 0;

  constructor(link: RespLink, verifies: boolean) {
    this.#link = link;
    this.#scratch = verifies ? new Scratch() : null;
  }

  /** Makes keys. */
  async restore(batch: readonly DumpedKey[]): Promise<void> {
    const nowMs = Date.now();
    const alive = batch.filter(({ expireAtMs }) =>
      expireAtMs === 0 || expireAtMs > nowMs
    );
    this.expired += batch.length - alive.length;
    for (let from = 0; from < alive.length;) {
      const { db } = alive[from]!;
      let to = from;
      while (to < alive.length && alive[to]!.db === db) to++;
      await this.#restore(db, alive.slice(from, to));
      from = to;
    }
  }

  async #restore(db: number, keys: readonly DumpedKey[]): Promise<void> {
    const selects = db === this.#db ? [] : [selectCommand(db)];
    this.#db = db;
    const replies = await this.#link.batch([
      ...selects,
      ...keys.map(restoreCommand),
    ]);
    const made: DumpedKey[] = [];
    replies.forEach((reply, i) => {
      if (!(reply instanceof LinkError)) {
        if (i >= selects.length) made.push(keys[i - selects.length]!);
        return;
      }
      if (i < selects.length) throw new Error(`SELECT ${db}: ${reply.text}`);
      this.#fail(keys[i - selects.length]!, reply.text);
    });
    this.progress.keys += made.length;
    if (this.#scratch !== null) await this.#verify(made);
  }

  async #verify(keys: readonly DumpedKey[]): Promise<void> {
    const replies = await this.#link.batch(keys.map(({ key }) => [DUMP, key]));
    keys.forEach((dumped, i) => {
      const payload = replies[i]!;
      this.#source.add(dumped);
      if (payload instanceof Uint8Array) {
        const made = { ...dumped, payload };
        // What is equal counts as the same, in whatever form it is stored.
        if (this.#areEqual(dumped, made)) return this.#target.add(dumped);
        this.#target.add(made);
      } else if (dumped.expireAtMs !== 0 && dumped.expireAtMs <= Date.now()) {
        // It has expired since.
        return this.#target.add(dumped);
      }
      this.#differing++;
      if (this.#differing <= NAMED_MAX) {
        say(`${nameOf(dumped)} is not there as it was given`);
      }
    });
  }

  #areEqual(given: DumpedKey, made: DumpedKey): boolean {
    const a = recordOf(given.payload);
    const b = recordOf(made.payload);
    return equalBytes(a, 0, a.length, b, 0, b.length) ||
      this.#digest(given) === this.#digest(made);
  }

  #digest(dumped: DumpedKey): string {
    try {
      return this.#scratch!.digest(dumped).hex;
    } catch (cause) {
      if (!(cause instanceof BadFormat)) throw cause;
      throw new Error(`${nameOf(dumped)}: ${cause.what}`, { cause });
    }
  }

  #fail(dumped: DumpedKey, text: string): void {
    if (++this.#failed <= NAMED_MAX) {
      say(`${nameOf(dumped)} was not taken: ${text}`);
    }
  }

  /** Runs commands. */
  async run(bytes: Uint8Array, count: number): Promise<void> {
    const replies = await this.#link.raw([bytes], count);
    this.commands += count;
    // A transaction's commands have their errors in the reply of EXEC.
    for (const reply of replies.flat(1)) {
      if (!(reply instanceof LinkError)) continue;
      if (++this.#failed <= NAMED_MAX) say(`A command failed: ${reply.text}`);
    }
  }

  /** Says what was done; the exit code. */
  report(): number {
    const { keys, seconds } = this.progress;
    say(
      `${keys} keys` +
        (this.commands > 0 ? ` and ${this.commands} commands` : "") +
        ` in ${seconds} s, ${this.expired} expired keys left out`,
    );
    if (this.#scratch !== null && keys > 0) {
      say(`digest of the source ${this.#source.hex}`);
      say(`digest of the target ${this.#target.hex}`);
    }
    if (this.#failed > 0) say(`${this.#failed} failed`);
    if (this.#differing > 0) say(`${this.#differing} keys differ`);
    return this.#failed + this.#differing > 0 ? 1 : 0;
  }
}

/** A sum of keys and values in which their order does not matter. */
class KeySum {
  #high = 0;
  #low = 0;
  readonly #crc = new Crc64();

  add({ db, key, payload }: DumpedKey): void {
    const crc = this.#crc;
    const record = recordOf(payload);
    crc.reset();
    crc.update(Uint8Array.of(db, db >>> 8), 0, 2);
    crc.update(key, 0, key.length);
    crc.update(record, 0, record.length);
    this.#high = (this.#high + crc.high) | 0;
    this.#low = (this.#low + crc.low) | 0;
  }

  get hex(): string {
    return [this.#high, this.#low]
      .map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

function nameOf({ db, key }: DumpedKey): string {
  return `Key '${asciiOf(key, 0, Math.min(64, key.length))}' of database ${db}`;
}

async function importLive(
  address: string,
  target: ImportTarget,
  statePath: string,
): Promise<void> {
  const disk = new DenoDisk();
  using link = await RespLink.connect(address);
  const keys = new LiveKeys(link);
  const start = readState(disk, statePath, address);
  if (start !== null) {
    say(`Going on at cursor ${start.cursor} of database ${start.db}`);
  }
  let seen = 0;
  for await (const batch of keys.batches(start)) {
    await target.restore(batch);
    seen += batch.length;
    target.progress.tell(seen, Math.max(seen, keys.total));
    if (keys.place !== null) writeState(statePath, address, keys.place);
  }
  disk.remove(statePath);
}

/** Where an earlier copy from the same address has come to, or null. */
function readState(
  disk: Disk,
  path: string,
  address: string,
): CopyPlace | null {
  const bytes = readWhole(disk, path);
  if (bytes === null) return null;
  try {
    const state = JSON.parse(asciiOf(bytes, 0, bytes.length));
    return state.source === hostOf(address) ? state.place : null;
  } catch {
    throw new Error(`${path} is no state of an import: remove it`);
  }
}

/** A password is not for a file. */
function hostOf(address: string): string {
  return new URL(address).host;
}

function writeState(path: string, address: string, place: CopyPlace): void {
  const next = `${path}.next`;
  Deno.writeTextFileSync(
    next,
    JSON.stringify({ source: hostOf(address), place }),
    {
      mode: 0o600,
    },
  );
  Deno.renameSync(next, path);
}

async function importFiles(path: string, target: ImportTarget): Promise<void> {
  const disk = new DenoDisk();
  if (!Deno.statSync(path).isDirectory) {
    return await importFile(disk, path, target);
  }
  const manifests = disk.list(path).filter((name) =>
    name.endsWith(".manifest")
  );
  if (manifests.length !== 1) {
    throw new Error(`${path} has ${manifests.length} manifests, not one`);
  }
  const bytes = readWhole(disk, `${path}/${manifests[0]}`)!;
  for (const name of filesIn(asciiOf(bytes, 0, bytes.length))) {
    say(`Reading ${name}`);
    await importFile(disk, `${path}/${name}`, target);
  }
}

/** Files that a manifest names, the base first, in their order. */
function filesIn(manifest: string): string[] {
  const files: { name: string; seq: number; isBase: boolean }[] = [];
  for (const line of manifest.split("\n")) {
    const found = line.match(/^file (\S+) seq (\d+) type ([bhi])/);
    if (found === null) {
      if (line.trim() === "" || line.startsWith("#")) continue;
      throw new Error(`The manifest has a line that is none: ${line}`);
    }
    const [, name, seq, type] = found;
    if (type === "h") continue;
    files.push({ name: name!, seq: Number(seq), isBase: type === "b" });
  }
  files.sort((a, b) => Number(b.isBase) - Number(a.isBase) || a.seq - b.seq);
  return files.map(({ name }) => name);
}

async function importFile(
  disk: Disk,
  path: string,
  target: ImportTarget,
): Promise<void> {
  const file = disk.open(path, "read");
  try {
    const size = file.size();
    let offset = 0;
    if (beginsWith(file, LOG_MAGIC)) {
      throw new Error(
        `${path} is a log of sherd: a server that is started in its directory ` +
          `loads it`,
      );
    }
    if (beginsWith(file, FILE_MAGIC)) {
      const keys = new FileKeys(file);
      for (const batch of keys.batches()) {
        await target.restore(batch);
        target.progress.tell(keys.offset, size);
      }
      offset = keys.offset;
      if (keys.libraries > 0) {
        say(`${keys.libraries} libraries of functions were left out`);
      }
      // Behind a snapshot of its own there is nothing of interest.
      if (
        keys.texts.get("aof-base") !== "1" &&
        keys.texts.get("aof-preamble") !== "1"
      ) {
        return;
      }
    }
    const commands = new LogCommands(file, offset);
    for (const { bytes, count } of commands.pieces()) {
      await target.run(bytes, count);
      target.progress.tell(commands.offset, size);
    }
    if (commands.offset < size) {
      say(`${path} ends within a command, at offset ${commands.offset}`);
    }
  } finally {
    file.close();
  }
}

function beginsWith(file: DiskFile, magic: string): boolean {
  const head = new Uint8Array(magic.length);
  const count = readFully(file, 0, head);
  return asciiOf(head, 0, count) === magic;
}
