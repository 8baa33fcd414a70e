/**
 * Many connections of one thread, by calls of the system: epoll(7), recv(2),
 * send(2). A read costs a fraction of what it costs by way of a promise, so that
 * a server with many readers is what is measured, and not who reads. Linux only.
 *
 * @module
 */

import {
  CAN_READ,
  CONTROL_ADD,
  EventList,
  systemCalls,
} from "../src/front/server/network/system_calls.ts";

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
  });
  readonly #calls = systemCalls!;
  readonly #poll = this.#calls.makePoll();
  readonly #events: EventList;
  readonly #descriptors: number[] = [];
  /** By descriptor. */
  readonly #numbers: number[] = [];
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);

  /** Connects `count` times to a port of this machine. */
  constructor(port: number, count: number) {
    this.#events = new EventList(count);
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
    this.#numbers[descriptor] = i;
    this.#calls.control(this.#poll, CONTROL_ADD, descriptor, CAN_READ);
  }

  /** Sends all of it on connection `i`. */
  send(i: number, bytes: Uint8Array<ArrayBuffer>): void {
    const sent = this.#calls.send(this.#descriptors[i]!, bytes, bytes.length);
    if (sent !== bytes.length) throw new Error(`sent ${sent} bytes`);
  }

  /** Waits until something has come, and says how much has come where. */
  receive(has: (i: number, bytes: number) => void): void {
    const found = this.#calls.wait(this.#poll, this.#events, PATIENCE_MS);
    if (found <= 0) throw new Error("the server is silent");
    for (let i = 0; i < found; i++) {
      const descriptor = this.#events.descriptor(i);
      const got = this.#calls.receive(descriptor, this.#scratch);
      if (got <= 0) throw new Error("the server closed the connection");
      has(this.#numbers[descriptor]!, got);
    }
  }

  /** Closes all. */
  [Symbol.dispose](): void {
    for (const descriptor of this.#descriptors) this.#calls.close(descriptor);
    this.#calls.close(this.#poll);
    this.#libc.close();
  }
}
