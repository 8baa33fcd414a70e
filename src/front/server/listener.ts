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
  type ErrorReply,
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
import type { WorkerContext } from "./worker_context.ts";

/** Rest after an error of accept, such as no file descriptors left. */
const RETRY_MS = 100;

/** A worker's listeners. */
export class Listeners {
  readonly #worker: WorkerContext;
  readonly #listeners: Deno.Listener[] = [];
  #isClosed = false;

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
        const listener = Deno.listen({
          hostname,
          port: bound,
          ...(reusePort ? { reusePort } : {}),
          tcpBacklog: settings.tcpBacklog,
        });
        bound = listener.addr.port;
        this.#serve(listener);
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
    let listener: Deno.UnixListener;
    try {
      listener = Deno.listen({ transport: "unix", path });
    } catch (cause) {
      throw new Error(
        `Failed opening Unix socket: bind: ${systemReason(cause)}`,
      );
    }
    if (permissions !== 0) Deno.chmodSync(path, permissions);
    this.#serve(listener);
  }

  /** Accepts nothing more. */
  close(): void {
    this.#isClosed = true;
    for (const listener of this.#listeners) {
      try {
        listener.close();
      } catch {
        // Closed already.
      }
    }
    this.#listeners.length = 0;
  }

  #serve(listener: Deno.Listener): void {
    this.#listeners.push(listener);
    this.#acceptLoop(listener).catch(this.#worker.fail);
  }

  async #acceptLoop(listener: Deno.Listener): Promise<void> {
    while (!this.#isClosed) {
      let conn: Deno.Conn;
      try {
        conn = await listener.accept();
      } catch (cause) {
        if (this.#isClosed || cause instanceof Deno.errors.BadResource) return;
        this.#worker.log(`Accepting client connection: ${cause}`);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        continue;
      }
      this.#accept(conn);
    }
  }

  #accept(conn: Deno.Conn): void {
    const worker = this.#worker;
    const open = Atomics.add(worker.process, PROCESS_CONNECTIONS, 1);
    const refusal = open >= worker.settings.maxclients
      ? MAX_CLIENTS_REACHED
      : this.#isTrusted(conn)
      ? null
      : PROTECTED_MODE;
    if (refusal !== null) {
      Atomics.sub(worker.process, PROCESS_CONNECTIONS, 1);
      this.#count(CONNECTIONS_REJECTED);
      refuse(conn, refusal);
      return;
    }
    this.#count(CONNECTIONS_RECEIVED);
    if (isTcp(conn)) {
      conn.setNoDelay(true);
      if (worker.settings.tcpKeepalive > 0) conn.setKeepAlive(true);
    }
    const session = new Session({
      id: Atomics.add(worker.process, PROCESS_LAST_ID, 1) + 1,
      nowMs: worker.nowMs(),
      address: addressOf(conn.remoteAddr, worker.settings.unixsocket),
      localAddress: addressOf(conn.localAddr, worker.settings.unixsocket),
      isUnix: !isTcp(conn),
    });
    if (worker.settings.requirepass.length > 0) session.gate |= GATE_AUTH;
    const connection = new Connection(worker, conn, session);
    worker.connectionOpened(connection);
    connection.start();
  }

  /** Without a password, protected mode serves this machine only. */
  #isTrusted(conn: Deno.Conn): boolean {
    const { settings } = this.#worker;
    if (!settings.protectedMode || settings.requirepass.length > 0) return true;
    if (!isTcp(conn)) return true;
    const { hostname } = conn.remoteAddr;
    return hostname.startsWith("127.") || hostname === "::1" ||
      hostname.startsWith("::ffff:127.");
  }

  #count(counter: number): void {
    const { counters } = this.#worker;
    counters[counter] = counters[counter]! + 1;
  }
}

function isTcp(conn: Deno.Conn): conn is Deno.TcpConn {
  return conn.remoteAddr.transport === "tcp";
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

function refuse(conn: Deno.Conn, reply: ErrorReply): void {
  conn.write(reply.bytes).catch(() => {}).finally(() => {
    try {
      conn.close();
    } catch {
      // The peer was faster.
    }
  });
}
