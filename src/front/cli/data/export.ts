/**
 * `sherd export FILE`: takes the keys of a running server, or of a snapshot,
 * along: as a snapshot that Redis loads, or as commands that any server runs.
 *
 * @module
 */

import { Crc64, CRC64_BYTES } from "../../../core/base/crc64.ts";
import {
  writeAux,
  writeFileHead,
  writeSelect,
} from "../../../core/rdb/rdb_file_writer.ts";
import { BadFile } from "../../../core/rdb/rdb_file_reader.ts";
import {
  FILE_HEAD_BYTES,
  OPCODE_END,
  OPCODE_EXPIRE_MS,
  OPCODE_FREQUENCY,
  OPCODE_IDLE,
  RDB_VERSION_7_0,
} from "../../../core/rdb/rdb_types.ts";
import { RdbWriter } from "../../../core/rdb/rdb_writer.ts";
import {
  type DiskFile,
  readFully,
  writeFully,
} from "../../../engine/persistence/disk.ts";
import { DenoDisk } from "../../server/deno_disk.ts";
import { REDIS_VERSION } from "../../server/version.ts";
import { sortWords } from "./arguments.ts";
import {
  type DumpedKey,
  encodeCommand,
  recordOf,
  restoreCommand,
  selectCommand,
  versionOf,
} from "./dumped_key.ts";
import { FileKeys } from "./file_keys.ts";
import { LiveKeys } from "./live_keys.ts";
import { Progress, say } from "./progress.ts";
import { RespLink } from "./resp_link.ts";
import { saveOnServer } from "./server_snapshot.ts";

/** What `--help` prints. */
export const EXPORT_USAGE: string =
  `Usage: sherd export FILE.rdb|FILE.resp|- [--from SOURCE]

Writes a snapshot, or RESTORE commands as they are sent to a server, such as
redis-cli --pipe takes; - writes those to standard output.

Options:
  --from SOURCE  redis://[user:password@]host:port, a running server, or a
                 snapshot (dump.rdb) [redis://127.0.0.1:6379]
  --by scan|bgsave
                 how the keys of a running server are taken [scan]

With scan they are taken one after the other: each is as it was at one moment.
With bgsave the server saves them first, which overwrites its own snapshot, and all
are as they were at one moment; its folder must be readable on this machine.`;

const DEFAULT_SOURCE = "redis://127.0.0.1:6379";
const COPY_BYTES = 1024 * 1024;

/** Takes keys. */
interface KeySink {
  put(batch: readonly DumpedKey[]): void;
  end(): void;
}

/** Runs the tool; returns the exit code. */
export async function exportData(words: readonly string[]): Promise<number> {
  const sorted = sortWords(words, ["from", "by"]);
  if (typeof sorted === "string") return refuse(sorted);
  const [path] = sorted.others;
  if (sorted.others.length !== 1) return refuse(EXPORT_USAGE);
  const isSnapshot = path!.endsWith(".rdb");
  if (!isSnapshot && path !== "-" && !path!.endsWith(".resp")) {
    return refuse(EXPORT_USAGE);
  }
  const from = sorted.options.get("from") ?? DEFAULT_SOURCE;
  const by = sorted.options.get("by") ?? "scan";
  if (by !== "scan" && by !== "bgsave") {
    return refuse(`--by takes scan or bgsave`);
  }
  try {
    const sink = isSnapshot ? new SnapshotSink(path!) : new CommandSink(path!);
    const progress = new Progress("keys");
    for await (const { batch, total } of keysOf(from, by)) {
      sink.put(batch);
      progress.keys += batch.length;
      progress.tell(progress.keys, Math.max(progress.keys, total));
    }
    sink.end();
    say(`${progress.keys} keys in ${progress.seconds} s`);
    return 0;
  } catch (cause) {
    if (cause instanceof BadFile) {
      return refuse(`Damaged at offset ${cause.offset}: ${cause.message}`);
    }
    if (cause instanceof Error) return refuse(cause.message);
    throw cause;
  }
}

function refuse(text: string): number {
  say(text);
  return 1;
}

async function* keysOf(
  source: string,
  by: "scan" | "bgsave",
): AsyncGenerator<{ batch: readonly DumpedKey[]; total: number }> {
  let path = source;
  if (source.startsWith("redis://")) {
    using link = await RespLink.connect(source);
    if (by === "scan") {
      const keys = new LiveKeys(link);
      for await (const batch of keys.batches(null)) {
        yield { batch, total: keys.total };
      }
      return;
    }
    path = await saveOnServer(link);
  }
  const file = new DenoDisk().open(path, "read");
  try {
    const keys = new FileKeys(file);
    for (const batch of keys.batches()) yield { batch, total: 0 };
    if (keys.libraries > 0) {
      say(`${keys.libraries} libraries of functions were left out`);
    }
  } finally {
    file.close();
  }
}

/** Writes a snapshot; its version is known at the end, and so its checksum. */
class SnapshotSink implements KeySink {
  readonly #disk = new DenoDisk();
  readonly #path: string;
  readonly #file: DiskFile;
  readonly #writer = new RdbWriter();
  #bytes = 0;
  #db = -1;
  #version = RDB_VERSION_7_0;

  constructor(path: string) {
    this.#path = path;
    this.#file = this.#disk.open(`${path}.part`, "create");
    this.#writer.begin(
      {
        write: (buf, off, length) => {
          writeFully(this.#file, this.#bytes, buf.subarray(off, off + length));
          this.#bytes += length;
        },
      },
      false,
      false,
    );
    writeFileHead(this.#writer, this.#version);
    writeAux(this.#writer, "redis-ver", REDIS_VERSION);
    writeAux(this.#writer, "redis-bits", "64");
    writeAux(this.#writer, "ctime", String(Math.floor(Date.now() / 1000)));
  }

  put(batch: readonly DumpedKey[]): void {
    const writer = this.#writer;
    for (const dumped of batch) {
      if (dumped.db !== this.#db) writeSelect(writer, dumped.db);
      this.#db = dumped.db;
      if (dumped.expireAtMs !== 0) {
        writer.byte(OPCODE_EXPIRE_MS);
        writer.milliseconds(dumped.expireAtMs);
      }
      if (dumped.idleSeconds >= 0) {
        writer.byte(OPCODE_IDLE);
        writer.length(dumped.idleSeconds);
      } else if (dumped.frequency >= 0) {
        writer.byte(OPCODE_FREQUENCY);
        writer.byte(dumped.frequency);
      }
      const record = recordOf(dumped.payload);
      writer.byte(record[0]!);
      writer.string(dumped.key, 0, dumped.key.length);
      writer.raw(record, 1, record.length - 1);
      this.#version = Math.max(this.#version, versionOf(dumped.payload));
    }
  }

  end(): void {
    this.#writer.byte(OPCODE_END);
    this.#writer.flush();
    const head = new RdbWriter();
    head.begin({ write() {} }, false, false);
    writeFileHead(head, this.#version);
    const file = this.#file;
    writeFully(file, 0, head.buf.subarray(0, FILE_HEAD_BYTES));
    const crc = new Crc64();
    const piece = new Uint8Array(COPY_BYTES);
    for (let at = 0; at < this.#bytes;) {
      const count = readFully(file, at, piece);
      crc.update(piece, 0, count);
      at += count;
    }
    const sum = new Uint8Array(CRC64_BYTES);
    crc.write(sum, 0);
    writeFully(file, this.#bytes, sum);
    file.sync();
    file.close();
    this.#disk.rename(file.path, this.#path);
  }
}

/** Writes commands. */
class CommandSink implements KeySink {
  readonly #file: Deno.FsFile | null;
  #db = -1;

  constructor(path: string) {
    this.#file = path === "-" ? null : Deno.openSync(path, {
      write: true,
      create: true,
      truncate: true,
      mode: 0o600,
    });
  }

  put(batch: readonly DumpedKey[]): void {
    for (const dumped of batch) {
      if (dumped.db !== this.#db) this.#write(selectCommand(dumped.db));
      this.#db = dumped.db;
      this.#write(restoreCommand(dumped));
    }
  }

  #write(argv: readonly Uint8Array[]): void {
    const bytes = encodeCommand(argv);
    const out = this.#file ?? Deno.stdout;
    for (let at = 0; at < bytes.length;) {
      at += out.writeSync(bytes.subarray(at));
    }
  }

  end(): void {
    this.#file?.syncSync();
    this.#file?.close();
  }
}
