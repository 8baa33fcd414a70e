/**
 * Direct calls of the system: bytes handed to the kernel by one call, where
 * Deno's way takes a promise and a turn of microtasks; and whether bytes have
 * come, which Deno says in its next turn only.
 *
 * A socket takes nearly everything at once, and then there is nothing to wait
 * for. What it does not take goes Deno's way, as do errors. Only where the
 * program may call the system's library (Linux with glibc, `--allow-ffi`); else
 * everything goes Deno's way.
 *
 * @module
 */

/** Not to wait, and no signal if the peer is gone. */
const SEND_FLAGS = 0x40 | 0x4000;

/**
 * Sends the first `length` bytes of `bytes`; returns how many were taken, or a
 * negative number.
 */
export type DirectSend = (
  descriptor: number,
  bytes: Uint8Array<ArrayBuffer>,
  length: number,
) => number;

/** Fills in which of `count` sockets have input, in place; returns how many. */
type DirectPoll = (sockets: Uint8Array<ArrayBuffer>, count: number) => number;

const calls = open();

/** How this thread sends directly; null if it cannot. */
export const directSend: DirectSend | null = calls?.send ?? null;

/** Where Deno keeps the descriptor of a connection; found with the first one. */
let descriptorKey: symbol | undefined = undefined;

/** The descriptor of a connection; -1 if it cannot be known. */
export function descriptorOf(conn: Deno.Conn): number {
  descriptorKey ??= Object.getOwnPropertySymbols(conn)
    .find(({ description }) => description === "Deno.internal.fd");
  if (descriptorKey === undefined) return -1;
  const value: unknown = Reflect.get(conn, descriptorKey);
  return typeof value === "number" && value >= 0 ? value : -1;
}

/** Sockets that are looked at together; more than these are forgotten. */
const LOOK_MAX = 16;
/** Bytes of a `struct pollfd`: descriptor, events asked for, events found. */
const POLLFD_BYTES = 8;
const POLLIN = 1;

/** Looks whether something has come on one of some sockets; see poll(2). */
export class InputLook {
  readonly #sockets = new Uint8Array(LOOK_MAX * POLLFD_BYTES);
  readonly #view = new DataView(this.#sockets.buffer);
  #count = 0;

  /** Forgets the sockets. */
  clear(): void {
    this.#count = 0;
  }

  /** Adds a socket that is read from. */
  add(descriptor: number): void {
    if (this.#count === LOOK_MAX) return;
    const at = this.#count++ * POLLFD_BYTES;
    this.#view.setInt32(at, descriptor, true);
    this.#view.setInt16(at + 4, POLLIN, true);
  }

  /** Whether there is something to be read; false where that cannot be known. */
  hasInput(): boolean {
    return this.#count > 0 && calls !== null &&
      calls.poll(this.#sockets, this.#count) > 0;
  }
}

function open(): { send: DirectSend; poll: DirectPoll } | null {
  if (Deno.build.os !== "linux") return null;
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return null;
  }
  try {
    const { symbols } = Deno.dlopen("libc.so.6", {
      // Lengths and results of 64 bits that fit into 32: as bigints they would
      // be allocated.
      send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
      poll: { parameters: ["buffer", "u32", "i32"], result: "i32" },
    });
    return {
      send: (descriptor, bytes, length) =>
        symbols.send(descriptor, bytes, length, SEND_FLAGS),
      poll: (sockets, count) => symbols.poll(sockets, count, 0),
    };
  } catch {
    return null;
  }
}
