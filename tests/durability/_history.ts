/**
 * A load on a server that is going to be killed, which remembers what it has
 * sent, what was acknowledged and when, and judges what is there afterwards.
 *
 * - Lists: each client pushes 0, 1, 2 ... to a list of its own, several at a
 *   time. What is there must be a beginning.
 * - Transactions: each changes keys of several shards to the same number.
 * - A chain: a number is written over one connection, and when that is
 *   acknowledged over another; so the second is never ahead of the first.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { pause } from "../_patience.ts";
import type { Random } from "../_random.ts";
import { plain, type TestClient } from "../_resp_client.ts";
import type { Victim } from "./_victim.ts";

const LISTS = 3;
const TRANSACTIONS = 2;
/** How many lives have long values, and of those, how many and how long. */
const LONG = 0.3;
const LONG_KEYS = 8;
const LONG_BYTES = 10_000;

/** Numbers that ascend: how far they were sent, and acknowledged, and when. */
class Progress {
  sent = 0;
  acknowledged = 0;
  readonly #times: { count: number; ms: number }[] = [];

  acknowledge(count: number): void {
    this.acknowledged = count;
    this.#times.push({ count, ms: performance.now() });
  }

  /** What was acknowledged before that instant. */
  before(ms: number): number {
    return this.#times.findLast((time) => time.ms < ms)?.count ?? 0;
  }
}

/** What a server was asked to do in one life. */
export class History {
  readonly #life: number;
  readonly #random: Random;
  readonly #lists = Array.from({ length: LISTS }, () => new Progress());
  readonly #transactions = Array.from(
    { length: TRANSACTIONS },
    () => new Progress(),
  );
  readonly #first = new Progress();
  readonly #second = new Progress();
  #isOver = false;

  /** Keys of each life are its own. */
  constructor(life: number, random: Random) {
    this.#life = life;
    this.#random = random;
  }

  /** How many writes were acknowledged. */
  get acknowledged(): number {
    return [...this.#lists, ...this.#transactions, this.#first, this.#second]
      .reduce((sum, progress) => sum + progress.acknowledged, 0);
  }

  /** Loads the server until it is gone, or {@linkcode end} is called. */
  async load(victim: Victim, rewrites: boolean): Promise<void> {
    const parts = [
      ...this.#lists.map((list, i) => this.#push(victim, i, list)),
      ...this.#transactions.map((done, i) => this.#transact(victim, i, done)),
      this.#chain(victim),
    ];
    if (rewrites) parts.push(this.#rewrite(victim));
    if (this.#random.chance(LONG)) parts.push(this.#long(victim));
    await Promise.all(parts);
  }

  /** Sends nothing more. */
  end(): void {
    this.#isOver = true;
  }

  /**
   * Looks at what is there. All that was acknowledged before `sinceMs` must be,
   * and nothing that was not sent.
   */
  async check(client: TestClient, sinceMs: number): Promise<void> {
    const within = (what: string, count: number, progress: Progress) => {
      const least = progress.before(sinceMs);
      const counts = `${least} <= ${count} <= ${progress.sent}`;
      assert(
        least <= count && count <= progress.sent,
        `life ${this.#life}: ${what}: ${counts}`,
      );
    };
    for (const [i, list] of this.#lists.entries()) {
      const there = plain(
        await client.run("LRANGE", this.#key("list", i), "0", "-1"),
      ) as string[];
      assertEquals(there, there.map((_, n) => String(n)));
      within(`list ${i}`, there.length, list);
    }
    for (const [i, progress] of this.#transactions.entries()) {
      const keys = this.#transactionKeys(i);
      const values = plain(await client.run("MGET", ...keys)) as string[];
      const [first] = values;
      assertEquals(values, keys.map(() => first!), "whole transactions");
      within(`transaction ${i}`, Number(first ?? 0), progress);
    }
    const [first, second] = plain(
      await client.run("MGET", this.#key("chain", 0), this.#key("chain", 1)),
    ) as string[];
    within("chain", Number(first ?? 0), this.#first);
    within("chain", Number(second ?? 0), this.#second);
    const ahead = Number(first ?? 0) - Number(second ?? 0);
    assert(ahead === 0 || ahead === 1, `the chain is ${ahead} links apart`);
  }

  #key(what: string, i: number): string {
    return `${what}:${this.#life}:${i}`;
  }

  #transactionKeys(i: number): string[] {
    return ["a", "b", "c", "d"].map((name) => this.#key(`exec${name}`, i));
  }

  async #push(victim: Victim, i: number, list: Progress): Promise<void> {
    const key = this.#key("list", i);
    await this.#connected(victim, 1, async ([client]) => {
      while (!this.#isOver) {
        const count = this.#random.between(1, 16);
        const commands = Array.from(
          { length: count },
          (_, n) => ["RPUSH", key, list.sent + n],
        );
        list.sent += count;
        await client!.sendCommands(commands);
        for (let n = 0; n < count; n++) {
          list.acknowledge(Number(plain(await client!.readReply())));
        }
      }
    });
  }

  async #transact(victim: Victim, i: number, done: Progress): Promise<void> {
    const [one, two, three, four] = this.#transactionKeys(i);
    await this.#connected(victim, 1, async ([client]) => {
      while (!this.#isOver) {
        const n = ++done.sent;
        await client!.sendCommands([
          ["MULTI"],
          ["SET", one!, n],
          ["INCR", two!],
          ["MSET", three!, n, four!, n],
          ["EXEC"],
        ]);
        for (let r = 0; r < 4; r++) await client!.readReply();
        assertEquals(plain(await client!.readReply()), ["OK", n, "OK"]);
        done.acknowledge(n);
      }
    });
  }

  async #chain(victim: Victim): Promise<void> {
    const keys = [this.#key("chain", 0), this.#key("chain", 1)];
    await this.#connected(victim, 2, async (clients) => {
      while (!this.#isOver) {
        for (const [i, progress] of [this.#first, this.#second].entries()) {
          const n = ++progress.sent;
          await clients[i]!.run("SET", keys[i]!, n);
          progress.acknowledge(n);
        }
      }
    });
  }

  /** So many bytes that the log passes the system's cache by. */
  async #long(victim: Victim): Promise<void> {
    const sets = Array.from(
      { length: LONG_KEYS },
      (_, i) => ["SET", `long:${i}`, "v".repeat(LONG_BYTES)],
    );
    await this.#connected(victim, 1, async ([client]) => {
      while (!this.#isOver) await client!.pipeline(sets);
    });
  }

  async #rewrite(victim: Victim): Promise<void> {
    await this.#connected(victim, 1, async ([client]) => {
      while (!this.#isOver) {
        await client!.run("BGREWRITEAOF");
        await pause(3);
      }
    });
  }

  /** Ends without an error when the server is gone. */
  async #connected(
    victim: Victim,
    count: number,
    body: (clients: TestClient[]) => Promise<void>,
  ): Promise<void> {
    const clients: TestClient[] = [];
    try {
      for (let i = 0; i < count; i++) clients.push(await victim.client());
      await body(clients);
    } catch (cause) {
      if (!(cause instanceof Error) || cause.name === "AssertionError") {
        throw cause;
      }
    } finally {
      for (const client of clients) client.close();
    }
  }
}
