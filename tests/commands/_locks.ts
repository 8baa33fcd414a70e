/**
 * Locked keys: holders of locks, driven through DEBUG KEYLOCK, and clients whose
 * commands wait for them, on several workers.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { until } from "../_patience.ts";
import type { Argument, Plain, TestClient } from "../_resp_client.ts";
import { ask } from "./_replies.ts";
import { commandSuite, type SuiteContext } from "./_suite.ts";
import { Crowd, type Waiting } from "./_waiting.ts";

/** The texts of a reply, whatever it is nested in. */
export function texts(reply: Plain): string[] {
  if (reply instanceof Map) return texts([...reply].flat());
  return Array.isArray(reply) ? reply.flatMap(texts) : [String(reply)];
}

/** Nothing is locked, waited for or watched any more. */
export function expectNothingLocked(client: TestClient): Promise<void> {
  return until("nothing is locked or watched", async () => {
    const counts = await ask(client, "DEBUG KEYLOCK COUNTS");
    return JSON.stringify(counts) === "[0,0,0,0,0,0,0]";
  });
}

let names = 0;

/** Code in the server that locks keys, on the worker of its connection. */
export class Holder {
  readonly client: TestClient;
  readonly worker: number;
  readonly name = `holder${++names}`;

  constructor({ client, worker }: Waiting) {
    this.client = client;
    this.worker = worker;
  }

  /** `DEBUG KEYLOCK what name words`. */
  do(what: string, ...words: Argument[]): Promise<Plain> {
    return ask(this.client, ["DEBUG", "KEYLOCK", what, this.name, ...words]);
  }

  /** Locks keys, written as `READ key WRITE key ...`; waits for them. */
  async take(words: string): Promise<void> {
    assertEquals(await this.do("TAKE", ...words.split(" ")), "OK");
  }

  /** Asks for locks without waiting for the answer. */
  async request(words: string): Promise<void> {
    const argv = ["DEBUG", "KEYLOCK", "TAKE", this.name, ...words.split(" ")];
    await this.client.sendCommands([argv]);
  }

  /** Releases everything. */
  async close(): Promise<void> {
    assertEquals(await this.do("CLOSE"), "OK");
  }
}

/** Holders and waiting clients of one test. */
export class LockRoom implements Disposable {
  readonly admin: TestClient;
  readonly crowd: Crowd;

  constructor({ client, server, resp }: SuiteContext) {
    this.admin = client;
    this.crowd = new Crowd(server, client, resp);
  }

  /** A holder; several of them are on different workers if there are several. */
  async holder(other?: Holder): Promise<Holder> {
    const joined = other === undefined
      ? await this.crowd.join()
      : await this.crowd.joinElsewhere({
        worker: other.worker,
      } as Waiting);
    return new Holder(joined);
  }

  /** A client whose command waits for locks by the time this returns. */
  async park(...argv: Argument[]): Promise<Waiting> {
    const waiting = await this.crowd.join();
    await waiting.client.sendCommands([argv]);
    await this.waitsForLock(waiting);
    return waiting;
  }

  /** Waits until CLIENT LIST shows that a client waits for locks. */
  async waitsForLock({ id }: Waiting): Promise<void> {
    await until("the command waits for a lock", async () => {
      const line = await ask(this.admin, `CLIENT LIST ID ${id}`);
      return / flags=\w*bl/.test(String(line));
    });
  }

  /** Waits until so many requests of code for locks wait for a key. */
  async waitersOf(key: string, count: number): Promise<void> {
    await until("somebody waits for the key", async () => {
      const info = texts(await ask(this.admin, ["LOCKS", "INFO", key]));
      return info.filter((text) => text.includes("worker=")).length === count;
    });
  }

  /** Nothing is locked or watched, nobody waits. */
  async expectNothing(): Promise<void> {
    await expectNothingLocked(this.admin);
    await this.crowd.expectNobody();
    const clients = String(await ask(this.admin, "INFO clients"));
    assertEquals(/sherd_blocked_on_locks:(\d+)/.exec(clients)?.[1], "0");
    const stats = String(await ask(this.admin, "INFO stats"));
    assertEquals(/sherd_locked_keys:(\d+)/.exec(stats)?.[1], "0");
    assertEquals(/sherd_lock_handles:(\d+)/.exec(stats)?.[1], "0");
  }

  /** After a failure: the next test must not find locks. */
  async clear(): Promise<void> {
    using client = await this.crowd.connect();
    const words = texts(await ask(client, "LOCKS LIST"));
    for (const [i, word] of words.entries()) {
      if (word === "id") await ask(client, `LOCKS KILL ${words[i + 1]}`);
    }
  }

  [Symbol.dispose](): void {
    this.crowd[Symbol.dispose]();
  }
}

/** A test with holders and waiters that leaves no lock behind. */
export function lockSuite(
  name: string,
  body: (room: LockRoom, context: SuiteContext) => Promise<void>,
): void {
  commandSuite(name, async (context) => {
    using room = new LockRoom(context);
    try {
      await body(room, context);
      await room.expectNothing();
    } catch (error) {
      await room.clear();
      throw error;
    }
  });
}
