/**
 * A light client for benches of what waits: raw sockets, bytes counted rather
 * than parsed, one scratch buffer for all who only read.
 *
 * @module
 */

import { concat } from "@std/bytes";

const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");
const READ_BYTES = 256 * 1024;

/** A command as the server reads it. */
export function command(...argv: (string | number)[]): Uint8Array<ArrayBuffer> {
  const parts = argv.map((part) => `$${String(part).length}\r\n${part}\r\n`);
  return encoder.encode(`*${argv.length}\r\n${parts.join("")}`);
}

/** One command several times. */
export function repeated(
  one: Uint8Array<ArrayBuffer>,
  count: number,
): Uint8Array<ArrayBuffer> {
  return concat(new Array(count).fill(one));
}

/** One connection. */
export class Wire implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  #isClosed = false;

  private constructor(
    conn: Deno.TcpConn,
    buffer: Uint8Array<ArrayBuffer>,
  ) {
    this.#conn = conn;
    this.#buffer = buffer;
  }

  /** Connects; `buffer` may be shared by all whose bytes nobody looks at. */
  static async connect(
    port: number,
    buffer: Uint8Array<ArrayBuffer> = new Uint8Array(READ_BYTES),
  ): Promise<Wire> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    return new Wire(conn, buffer);
  }

  /** A connection on worker `worker` of sherd; any of another server. */
  static async connectTo(port: number, worker: number): Promise<Wire> {
    for (let tries = 0; tries < 1000; tries++) {
      const wire = await Wire.connect(port);
      const text = await wire.ask("DEBUG", "WORKER");
      if (!text.startsWith(":") || text === `:${worker}\r\n`) return wire;
      wire.close();
    }
    throw new Error(`no connection is on worker ${worker}`);
  }

  /** Sends all of it. */
  async send(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    let sent = await this.#conn.write(bytes);
    while (sent < bytes.length) {
      sent += await this.#conn.write(bytes.subarray(sent));
    }
  }

  /** The number of bytes that have come, 0 at the end. */
  async read(): Promise<number> {
    try {
      return await this.#conn.read(this.#buffer) ?? 0;
    } catch (error) {
      if (this.#isClosed) return 0;
      throw error;
    }
  }

  /** Reads so many bytes. */
  async skip(count: number): Promise<void> {
    for (let left = count; left > 0;) {
      const got = await this.read();
      if (got === 0) throw new Error("the server closed the connection");
      left -= got;
    }
  }

  /** The reply to one command, if it is short. */
  async ask(...argv: (string | number)[]): Promise<string> {
    await this.send(command(...argv));
    const length = await this.read();
    return decoder.decode(this.#buffer.subarray(0, length));
  }

  /** Closes the connection. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#conn.close();
  }

  /** Same as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
