/**
 * Accepts connections for one worker.
 *
 * Every worker listens on the same TCP port (SO_REUSEPORT), and the kernel
 * spreads connections over them. The system lets any process of the same user
 * join such a port, so the first worker claims it: it listens alone for a
 * moment, which fails while anybody else does. The unix socket has one listener
 * only.
 *
 * @module
 */

import {
  CONNECTIONS_RECEIVED,
  CONNECTIONS_REJECTED,
} from "../../core/keyspace/counters.ts";
import {
  MAX_CLIENTS_REACHED,
  PROTECTED_MODE,
} from "../../core/resp/error_reply.ts";
import { GATE_AUTH, Session } from "../../engine/executor/session.ts";
import {
  PROCESS_CONNECTIONS,
  PROCESS_LAST_ID,
} from "../../engine/messages/shared_state.ts";
import { Connection } from "./connection.ts";
import { systemReason } from "./host_facts.ts";
import type { AcceptHandler } from "./network/event_loop.ts";
import type { Accepted } from "./network/socket.ts";
import type { WorkerContext } from "./worker_context.ts";

/** A worker's listeners. */
export class Listeners implements AcceptHandler {
  readonly #worker: WorkerContext;
  readonly #listeners: { close(): void }[] = [];

  /** Connections become `worker`'s. */
  constructor(worker: WorkerContext) {
    this.#worker = worker;
  }

  /**
   * Listens on the addresses of the `bind` setting; returns the port. An
   * address that begins with "-" may be missing on this machine, but may not be
   * another server's.
   *
   * @param claims Whether to make sure first that nobody else listens there.
   * @throws {Error} An address cannot be used; the message says which and why.
   */
  listenTcp(port: number, reusePort: boolean, claims: boolean): number {
    const { settings } = this.#worker;
    let bound = port;
    const failures: unknown[] = [];
    for (const address of settings.bind) {
      const optional = address.startsWith("-");
      const hostname = hostnameOf(optional ? address.slice(1) : address);
      try {
        if (claims && reusePort) Deno.listen({ hostname, port: bound }).close();
        this.#serve(() => {
          const listener = Deno.listen({
            hostname,
            port: bound,
            ...(reusePort ? { reusePort } : {}),
            tcpBacklog: settings.tcpBacklog,
          });
          bound = listener.addr.port;
          return listener;
        });
      } catch (cause) {
        const failure = new Error(
          `Could not create server TCP listening socket ${hostname}:${bound}: ` +
            systemReason(cause),
        );
        const isTaken = cause instanceof Deno.errors.AddrInUse && port !== 0;
        if (!optional || isTaken) throw failure;
        failures.push(failure);
      }
    }
    if (this.#listeners.length === 0 && failures.length > 0) throw failures[0];
    return bound;
  }

  /** Listens on a unix socket, replacing a stale file. */
  listenUnix(path: string, permissions: number): void {
    try {
      if (Deno.statSync(path).isSocket) Deno.removeSync(path);
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    }
    try {
      this.#serve(() => Deno.listen({ transport: "unix", path }));
    } catch (cause) {
      throw new Error(
        `Failed opening Unix socket: bind: ${systemReason(cause)}`,
      );
    }
    if (permissions !== 0) Deno.chmodSync(path, permissions);
  }

  /** Accepts nothing more. */
  close(): void {
    for (const listener of this.#listeners) listener.close();
    this.#listeners.length = 0;
  }

  #serve(open: () => Deno.Listener): void {
    this.#listeners.push(this.#worker.loop.listen(open, this));
  }

  onAcceptFailed(reason: string): void {
    this.#worker.log(`Accepting client connection: ${reason}`);
  }

  onAccepted(accepted: Accepted): void {
    const worker = this.#worker;
    const open = Atomics.add(worker.process, PROCESS_CONNECTIONS, 1);
    const refusal = open >= worker.settings.maxclients
      ? MAX_CLIENTS_REACHED
      : this.#isTrusted(accepted)
      ? null
      : PROTECTED_MODE;
    if (refusal !== null) {
      Atomics.sub(worker.process, PROCESS_CONNECTIONS, 1);
      this.#count(CONNECTIONS_REJECTED);
      return accepted.refuse(refusal.bytes);
    }
    this.#count(CONNECTIONS_RECEIVED);
    const { local, remote } = accepted;
    const isTcp = remote.transport === "tcp";
    if (isTcp) accepted.setOptions(worker.settings.tcpKeepalive);
    const session = new Session({
      id: Atomics.add(worker.process, PROCESS_LAST_ID, 1) + 1,
      nowMs: worker.nowMs(),
      address: addressOf(remote, worker.settings.unixsocket),
      localAddress: addressOf(local, worker.settings.unixsocket),
      isUnix: !isTcp,
    });
    if (worker.settings.requirepass.length > 0) session.gate |= GATE_AUTH;
    const connection = new Connection(worker, accepted, session);
    worker.connectionOpened(connection);
    connection.start();
  }

  /** Without a password, protected mode serves this machine only. */
  #isTrusted({ remote }: Accepted): boolean {
    const { settings } = this.#worker;
    if (!settings.protectedMode || settings.requirepass.length > 0) return true;
    if (remote.transport !== "tcp") return true;
    const { hostname } = remote;
    return hostname.startsWith("127.") || hostname === "::1" ||
      hostname.startsWith("::ffff:127.");
  }

  #count(counter: number): void {
    const { counters } = this.#worker;
    counters[counter] = counters[counter]! + 1;
  }
}

function addressOf(addr: Deno.Addr, unixPath: string): string {
  if (addr.transport !== "tcp") return `${unixPath}:0`;
  return addr.hostname.includes(":")
    ? `[${addr.hostname}]:${addr.port}`
    : `${addr.hostname}:${addr.port}`;
}

/** `*` is every address of its family. */
function hostnameOf(address: string): string {
  if (address === "*") return "0.0.0.0";
  return address === "::*" ? "::" : address;
}
