/**
 * Many connections of one thread, by calls of the system: poll(2), recv(2),
 * send(2). A read costs a fraction of what it costs by way of a promise, so that
 * a server with many readers is what is measured, and not who reads. Linux only.
 *
 * @module
 */

/** Bytes of a `struct pollfd`: descriptor, events asked for, events found. */
const POLLFD_BYTES = 8;
const POLLIN = 1;
const AF_INET = 2;
const SOCK_STREAM = 1;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const SCRATCH_BYTES = 256 * 1024;
/** Until a server that is silent is taken for one that has failed. */
const PATIENCE_MS = 10_000;

/** Connections by number, from 0 on. */
export class PolledSockets implements Disposable {
  readonly #libc = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    setsockopt: {
      parameters: ["i32", "i32", "i32", "buffer", "u32"],
      result: "i32",
    },
    poll: { parameters: ["buffer", "u32", "i32"], result: "i32" },
    recv: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
    send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
  readonly #descriptors: number[] = [];
  readonly #sockets: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);

  /** Connects `count` times to a port of this machine. */
  constructor(port: number, count: number) {
    this.#sockets = new Uint8Array(count * POLLFD_BYTES);
    this.#view = new DataView(this.#sockets.buffer);
    for (let i = 0; i < count; i++) this.#connect(i, port);
  }

  #connect(i: number, port: number): void {
    const { socket, connect, setsockopt } = this.#libc.symbols;
    const address = new Uint8Array(16);
    address.set([AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1]);
    const on = new Uint8Array([1, 0, 0, 0]);
    const descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(descriptor, address, address.length) !== 0) {
      throw new Error(`cannot connect to port ${port}`);
    }
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, on, on.length);
    this.#descriptors.push(descriptor);
    this.#view.setInt32(i * POLLFD_BYTES, descriptor, true);
    this.#view.setInt16(i * POLLFD_BYTES + 4, POLLIN, true);
  }

  /** Sends all of it on connection `i`. */
  send(i: number, bytes: Uint8Array<ArrayBuffer>): void {
    const { send } = this.#libc.symbols;
    const sent = send(this.#descriptors[i]!, bytes, bytes.length, 0);
    if (sent !== bytes.length) throw new Error(`sent ${sent} bytes`);
  }

  /** Waits until something has come, and says how much has come where. */
  receive(has: (i: number, bytes: number) => void): void {
    const { poll, recv } = this.#libc.symbols;
    const count = this.#descriptors.length;
    if (poll(this.#sockets, count, PATIENCE_MS) <= 0) {
      throw new Error("the server is silent");
    }
    for (let i = 0; i < count; i++) {
      if (this.#view.getInt16(i * POLLFD_BYTES + 6, true) === 0) continue;
      const descriptor = this.#descriptors[i]!;
      const got = recv(descriptor, this.#scratch, SCRATCH_BYTES, 0);
      if (got <= 0) throw new Error("the server closed the connection");
      has(i, got);
    }
  }

  /** Closes all. */
  [Symbol.dispose](): void {
    for (const descriptor of this.#descriptors) {
      this.#libc.symbols.close(descriptor);
    }
    this.#libc.close();
  }
}
