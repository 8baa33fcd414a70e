/**
 * A listener of the {@linkcode PollingLoop}.
 *
 * Deno finds the address and listens there; connections are accepted by calls of
 * the system, for which the listener's descriptor is looked up.
 *
 * @module
 */

import { assert } from "../../../core/base/assert.ts";
import type { AcceptHandler } from "./event_loop.ts";
import type { PollingLoop, Watcher } from "./polling_loop.ts";
import { PolledSocket } from "./polled_socket.ts";
import type { Accepted, Socket, SocketHandler } from "./socket.ts";
import {
  ADDRESS_BYTES,
  CAN_READ,
  EAGAIN,
  ECONNABORTED,
  EINTR,
  type SystemCalls,
} from "./system_calls.ts";

/** Connections that are accepted in one turn. */
const ACCEPTS_MAX = 64;
/** Descriptors that other threads may take while one begins to listen. */
const DESCRIPTORS_SPARE = 1024;
/** Rest after an error, such as no descriptors left. */
const RETRY_MS = 100;

/** Reasons that a machine has sooner or later; see errno(3). */
const REASONS: Record<number, string> = {
  12: "Cannot allocate memory",
  23: "Too many open files in system",
  24: "Too many open files",
  105: "No buffer space available",
};

const FAMILY_UNIX = 1;
const FAMILY_IPV4 = 2;

/** Accepts at one address. */
export class PolledListener implements Watcher {
  readonly #loop: PollingLoop;
  readonly #handler: AcceptHandler;
  readonly #listener: Deno.Listener;
  readonly #descriptor: number;
  readonly #peer = new Uint8Array(ADDRESS_BYTES);
  #isWatched = true;
  #isClosed = false;

  /**
   * No other thread of the process may begin to listen at the same address
   * meanwhile.
   */
  constructor(
    loop: PollingLoop,
    open: () => Deno.Listener,
    handler: AcceptHandler,
  ) {
    this.#loop = loop;
    this.#handler = handler;
    const end = lowestFree(loop.calls) + DESCRIPTORS_SPARE;
    const before = listeners(loop.calls, end);
    this.#listener = open();
    const found = listeners(loop.calls, end)
      .filter((descriptor) => !before.includes(descriptor))
      .filter((descriptor) =>
        isAt(loop.calls, descriptor, this.#listener.addr)
      );
    assert(found.length === 1, "a listener has one descriptor");
    this.#descriptor = found[0]!;
    loop.watch(this.#descriptor, CAN_READ, this);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isWatched) this.#loop.unwatch(this.#descriptor);
    this.#listener.close();
  }

  /** After the sockets: a descriptor that they close may be given out again. */
  onReady(): void {
    this.#loop.soon(() => this.#accept());
  }

  #accept(): void {
    const { calls } = this.#loop;
    for (let i = 0; i < ACCEPTS_MAX && !this.#isClosed; i++) {
      const descriptor = calls.accept(this.#descriptor, this.#peer);
      if (descriptor >= 0) {
        const accepted = new PolledAccepted(this.#loop, descriptor, this.#peer);
        this.#handler.onAccepted(accepted);
        continue;
      }
      const errno = calls.errno();
      if (errno === EAGAIN) return;
      if (errno !== EINTR && errno !== ECONNABORTED) return this.#rest(errno);
    }
  }

  #rest(errno: number): void {
    this.#loop.unwatch(this.#descriptor);
    this.#isWatched = false;
    this.#handler.onAcceptFailed(REASONS[errno] ?? `errno ${errno}`);
    this.#loop.later(() => {
      if (this.#isClosed) return;
      this.#loop.watch(this.#descriptor, CAN_READ, this);
      this.#isWatched = true;
    }, RETRY_MS);
  }
}

class PolledAccepted implements Accepted {
  readonly remote: Deno.Addr;
  readonly local: Deno.Addr;
  readonly #loop: PollingLoop;
  readonly #descriptor: number;

  constructor(
    loop: PollingLoop,
    descriptor: number,
    peer: Uint8Array<ArrayBuffer>,
  ) {
    const own = new Uint8Array(ADDRESS_BYTES);
    loop.calls.ownAddress(descriptor, own);
    this.#loop = loop;
    this.#descriptor = descriptor;
    this.remote = addressOf(loop.calls, peer);
    this.local = addressOf(loop.calls, own);
  }

  setOptions(keepAliveSeconds: number): void {
    const { calls } = this.#loop;
    calls.setNoDelay(this.#descriptor);
    if (keepAliveSeconds > 0) {
      calls.setKeepAlive(this.#descriptor, keepAliveSeconds);
    }
  }

  open(handler: SocketHandler): Socket {
    return new PolledSocket(this.#loop, this.#descriptor, handler);
  }

  refuse(reply: Uint8Array): void {
    const { calls } = this.#loop;
    calls.send(this.#descriptor, new Uint8Array(reply), reply.length);
    calls.close(this.#descriptor);
  }
}

/** The descriptor that is given out next: the lowest that is free. */
function lowestFree(calls: SystemCalls): number {
  const descriptor = calls.makeWaker();
  calls.close(descriptor);
  return descriptor;
}

/** The descriptors below `end` of sockets of the process that listen. */
function listeners(calls: SystemCalls, end: number): number[] {
  const found: number[] = [];
  for (let descriptor = 0; descriptor < end; descriptor++) {
    if (calls.isListening(descriptor)) found.push(descriptor);
  }
  return found;
}

function isAt(
  calls: SystemCalls,
  descriptor: number,
  address: Deno.Addr,
): boolean {
  const own = new Uint8Array(ADDRESS_BYTES);
  calls.ownAddress(descriptor, own);
  const found = addressOf(calls, own);
  return found.transport === "tcp" && address.transport === "tcp"
    ? found.port === address.port
    : found.transport === address.transport;
}

/** What a `struct sockaddr` says. */
function addressOf(
  calls: SystemCalls,
  bytes: Uint8Array<ArrayBuffer>,
): Deno.Addr {
  const view = new DataView(bytes.buffer);
  const family = view.getUint16(0, true);
  if (family === FAMILY_UNIX) return { transport: "unix", path: "" };
  const host = family === FAMILY_IPV4
    ? bytes.subarray(4, 8)
    : bytes.subarray(8, 24);
  const hostname = calls.addressText(family, host);
  return { transport: "tcp", hostname, port: view.getUint16(2) };
}
