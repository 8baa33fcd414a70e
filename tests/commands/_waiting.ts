/**
 * Clients that wait: for tests of blocking commands on several workers.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { TestServer } from "../_harness.ts";
import { until } from "../_patience.ts";
import {
  type Argument,
  type Plain,
  plain,
  ReplyError,
  type TestClient,
} from "../_resp_client.ts";
import { ask } from "./_replies.ts";

export { until };

/** A client, the worker it is on, and what its waiting command will reply. */
export interface Waiting {
  readonly client: TestClient;
  readonly id: number;
  readonly worker: number;
  /** Its commands' replies, in order. */
  reply(): Promise<Plain>;
}

/** Connections of one test; the first one asks, the others wait. */
export class Crowd implements Disposable {
  readonly #server: TestServer;
  readonly #resp: 2 | 3;
  readonly #asking: TestClient;
  readonly #clients: TestClient[] = [];
  readonly #workers = new Set<number>();

  constructor(server: TestServer, asking: TestClient, resp: 2 | 3) {
    this.#server = server;
    this.#asking = asking;
    this.#resp = resp;
  }

  /** Workers that clients of this crowd have been on. */
  get workers(): number {
    return this.#workers.size;
  }

  /** A connection of its own for the caller. */
  connect(): Promise<TestClient> {
    return this.#server.client({ resp: this.#resp });
  }

  /** A new client that does not wait yet. */
  async join(): Promise<Waiting> {
    const client = await this.#server.client({
      resp: this.#resp,
      checksReplyTypes: false,
    });
    this.#clients.push(client);
    const worker = Number(await ask(client, "DEBUG WORKER"));
    const id = Number(await ask(client, "CLIENT ID"));
    this.#workers.add(worker);
    const reply = async () => textOfErrors(plain(await client.readReply()));
    return { client, id, worker, reply };
  }

  /** A new client whose command waits by the time this returns. */
  async wait(...argv: Argument[]): Promise<Waiting> {
    const waiting = await this.join();
    await this.send(waiting, [argv]);
    return waiting;
  }

  /** Sends commands of which the first is to wait, and waits for that. */
  async send(
    waiting: Waiting,
    commands: readonly (readonly Argument[])[],
  ): Promise<void> {
    await waiting.client.sendCommands(commands);
    await until("the command waits", () => this.isBlocked(waiting));
  }

  /** As {@linkcode wait}, on a worker other than that of `other`, if it can. */
  async waitElsewhere(other: Waiting, ...argv: Argument[]): Promise<Waiting> {
    const waiting = await this.joinElsewhere(other);
    await this.send(waiting, [argv]);
    return waiting;
  }

  /** A client on another worker than that of `other`, if there is one. */
  async joinElsewhere(other: Waiting): Promise<Waiting> {
    for (let tries = 0; tries < 64; tries++) {
      const waiting = await this.join();
      if (this.#server.workers === 1 || waiting.worker !== other.worker) {
        return waiting;
      }
    }
    throw new Error("all connections are on one worker");
  }

  /** A client on worker `number`. */
  async joinAt(number: number): Promise<Waiting> {
    for (let tries = 0; tries < 64; tries++) {
      const waiting = await this.join();
      if (waiting.worker === number) return waiting;
    }
    throw new Error("no connection is on that worker");
  }

  /** Whether CLIENT LIST shows that a client waits. */
  async isBlocked({ id }: Waiting): Promise<boolean> {
    const line = await ask(this.#asking, `CLIENT LIST ID ${id}`);
    return / flags=b/.test(String(line));
  }

  /** Nobody is registered any more, and nobody waits. */
  async expectNobody(): Promise<void> {
    await until(
      "no waiter is left",
      async () =>
        await ask(this.#asking, "DEBUG WAITERS") === 0 &&
        /blocked_clients:0\r/.test(
          String(await ask(this.#asking, "INFO clients")),
        ),
    );
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients) client.close();
  }
}

function textOfErrors(reply: Plain): Plain {
  if (reply instanceof ReplyError) return `-${reply.message}`;
  return Array.isArray(reply) ? reply.map(textOfErrors) : reply;
}

/** The reply of a client, compared. */
export async function expectReply(
  waiting: Waiting,
  expected: Plain,
): Promise<void> {
  assertEquals(await waiting.reply(), expected);
}
