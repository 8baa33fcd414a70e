/**
 * Direct sends: bytes handed to the kernel by one call, where Deno's way takes a
 * promise and a turn of microtasks.
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

/** How this thread sends directly; null if it cannot. */
export const directSend: DirectSend | null = open();

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

function open(): DirectSend | null {
  if (Deno.build.os !== "linux") return null;
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return null;
  }
  try {
    const { symbols } = Deno.dlopen("libc.so.6", {
      // Lengths and results of 64 bits that fit into 32: as bigints they would
      // be allocated.
      send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
    });
    return (descriptor, bytes, length) =>
      symbols.send(descriptor, bytes, length, SEND_FLAGS);
  } catch {
    return null;
  }
}
