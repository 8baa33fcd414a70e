/**
 * MONITOR: shows the commands of all connections to those who ask for it, on all
 * workers.
 *
 * Every worker knows how many monitors each worker has; while there is one, a bit
 * of the executor's gate says so, and commands are shown when they have run: one
 * line, encoded once, for the monitors here and one record for each worker that
 * has some. So every monitor sees the commands of one worker in their order.
 *
 * @module
 */

import { latin1BytesOf } from "../../core/base/bytes.ts";
import type { Command } from "../../core/commands/command_table.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import type { Executor } from "../../engine/executor/executor.ts";
import { GATE_MONITORED } from "../../engine/executor/gate.ts";
import { GATE_MONITOR, GATE_SILENT } from "../../engine/executor/session.ts";
import type { Mesh } from "../../engine/messages/mesh.ts";
import {
  MONITOR_END_RECORD,
  MONITOR_LINE_RECORD,
} from "../../engine/messages/record_kinds.ts";
import type { Connection } from "./connection.ts";
import { isSecret, REDACTED } from "./secret_arguments.ts";
import type { ServerCall } from "./server_call.ts";
import { wallMicroseconds } from "./wall_clock.ts";

/** Bytes of an argument that a line shows. */
const ARGUMENT_BYTES_MAX = 1024 * 1024;
const MICROSECONDS = 1_000_000;

/** A monitor begins on this worker. */
const ASK_BEGIN = "monitors.begin";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const HEX = latin1BytesOf("0123456789abcdef");
const LINE_END = latin1BytesOf("\r\n");
/** What stands behind the backslash, by byte; 0 where there is none. */
const ESCAPES = new Uint8Array(256);
ESCAPES[QUOTE] = QUOTE;
ESCAPES[BACKSLASH] = BACKSLASH;
["\nn", "\rr", "\tt", "\x07a", "\bb"].forEach((pair) => {
  ESCAPES[pair.charCodeAt(0)] = pair.charCodeAt(1);
});

/** One per worker. */
export class Monitors {
  readonly #mesh: Mesh;
  readonly #executor: Pick<Executor<ServerCall>, "gate">;
  readonly #here = new Set<Connection>();
  /** How many there are on each worker. */
  readonly #counts: Int32Array;
  #line = new Uint8Array(1024);
  #end = 0;

  /** Serves the records and questions that come over the mesh. */
  constructor(mesh: Mesh, executor: Pick<Executor<ServerCall>, "gate">) {
    this.#mesh = mesh;
    this.#executor = executor;
    this.#counts = new Int32Array(mesh.count);
    mesh.answer(ASK_BEGIN, (worker) => {
      this.#count(worker as number, 1);
      return null;
    });
    mesh.handle(MONITOR_END_RECORD, (from) => this.#count(from, -1));
    mesh.handle(MONITOR_LINE_RECORD, (_from, reader) => {
      this.#send(reader.bytes());
    });
  }

  /**
   * Lets a connection see all commands that run from the promise's end on; they
   * are sent when it is {@linkcode Monitors.ready}.
   */
  async begin(connection: Connection): Promise<void> {
    this.#here.add(connection);
    await this.#mesh.ask(ASK_BEGIN, this.#mesh.self);
  }

  /** The connection has been answered. */
  ready(connection: Connection): void {
    if (this.#here.has(connection)) connection.session.gate |= GATE_MONITOR;
  }

  /** Ends that, if it sees commands. */
  end(connection: Connection): void {
    if (!this.#here.delete(connection)) return;
    connection.session.gate &= ~GATE_MONITOR;
    this.#count(this.#mesh.self, -1);
    for (let worker = 0; worker < this.#mesh.count; worker++) {
      if (worker !== this.#mesh.self) {
        this.#mesh.record(worker, MONITOR_END_RECORD);
      }
    }
  }

  /** Shows the command that has just run. */
  show(call: ServerCall, { fullName }: Command<ServerCall>): void {
    // Commands that the server runs by itself are shown to nobody.
    if (call.session.id === 0) return;
    this.#write(call, fullName);
    const line = this.#line.subarray(0, this.#end);
    this.#send(line);
    for (let worker = 0; worker < this.#mesh.count; worker++) {
      if (worker === this.#mesh.self || this.#counts[worker] === 0) continue;
      this.#mesh.record(worker, MONITOR_LINE_RECORD)
        .bytes(line, 0, line.length);
    }
    if (this.#line.length > ARGUMENT_BYTES_MAX) {
      this.#line = new Uint8Array(1024);
    }
  }

  #send(line: Uint8Array): void {
    for (const connection of this.#here) {
      const { gate } = connection.session;
      if ((gate & GATE_MONITOR) !== 0 && (gate & GATE_SILENT) === 0) {
        connection.pushLine(line);
      }
    }
  }

  #count(worker: number, by: 1 | -1): void {
    this.#counts[worker]! += by;
    const isWatched = this.#counts.some((count) => count > 0);
    if (isWatched) this.#executor.gate |= GATE_MONITORED;
    else this.#executor.gate &= ~GATE_MONITORED;
  }

  /** `+seconds.microseconds [database address] "argument" ...` */
  #write({ args, session }: ServerCall, command: string): void {
    const now = wallMicroseconds();
    const seconds = Math.floor(now / MICROSECONDS);
    const rest = String(now % MICROSECONDS).padStart(6, "0");
    this.#end = 0;
    const address = session.isUnix
      ? `unix:${session.localAddress.replace(/:0$/, "")}`
      : session.address;
    this.#text(`+${seconds}.${rest} [${session.db} ${address}]`);
    for (let i = 0; i < args.count; i++) {
      this.#text(isSecret(args, i, command) ? ` "${REDACTED}"` : ' "');
      if (!isSecret(args, i, command)) this.#quote(args, i);
    }
    this.#room(LINE_END.length);
    this.#line.set(LINE_END, this.#end);
    this.#end += LINE_END.length;
  }

  /** An argument and its closing quote; the opening one is there. */
  #quote(args: Arguments, i: number): void {
    const bytes = args.source(i);
    const off = args.off[i]!;
    const length = Math.min(args.length[i]!, ARGUMENT_BYTES_MAX);
    this.#room(4 * length + 1);
    const line = this.#line;
    let end = this.#end;
    for (let at = off; at < off + length; at++) {
      const byte = bytes[at]!;
      const escape = ESCAPES[byte]!;
      if (escape !== 0) {
        line[end++] = BACKSLASH;
        line[end++] = escape;
      } else if (byte >= SPACE && byte < 0x7f) line[end++] = byte;
      else {
        line[end++] = BACKSLASH;
        line[end++] = 0x78;
        line[end++] = HEX[byte >>> 4]!;
        line[end++] = HEX[byte & 15]!;
      }
    }
    line[end++] = QUOTE;
    this.#end = end;
    const missing = args.length[i]! - length;
    if (missing > 0) this.#text(`... (${missing} more bytes)`);
  }

  #text(text: string): void {
    this.#room(text.length);
    for (let i = 0; i < text.length; i++) {
      this.#line[this.#end++] = text.charCodeAt(i);
    }
  }

  #room(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#line.length) return;
    const grown = new Uint8Array(needed * 2);
    grown.set(this.#line.subarray(0, this.#end));
    this.#line = grown;
  }
}
