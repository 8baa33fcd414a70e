/**
 * Caches of clients against writers on other workers: once a client has seen the
 * reply of a write, a round trip on the connection that tells a cache of changes
 * must be enough for that cache to know.
 *
 * Every key has one writer, which notes each state before it sends it, so what a
 * cache holds can be placed in the history of the key.
 *
 * @module
 */
import { assert } from "@std/assert";
import {
  type Random,
  seeded,
  sharedServers,
  startServer,
  tagsOnDistinctSlots,
  type TestServer,
} from "../_harness.ts";
import { plain, type Reply, type TestClient } from "../_resp_client.ts";

const KEYS = tagsOnDistinctSlots(8).map((tag) => `{${tag}}k`);
const RUN_MS = 1200;

let server: TestServer;
sharedServers(async (stack) => {
  server = stack.use(await startServer({ workers: 4 }));
});

/** All states that a key had or may have by now, in their order. */
class History {
  readonly states: (string | null)[] = [null];
  /** The last state whose write was answered. */
  committed = 0;

  /** Whether a value may still be what the key holds, or held since `floor`. */
  allows(value: string | null, floor: number): boolean {
    return this.states.indexOf(value, floor) >= 0;
  }
}

const histories = new Map<string, History>();

/** Writes keys of its own until time is up. */
async function write(
  client: TestClient,
  keys: readonly string[],
  random: Random,
  untilMs: number,
): Promise<void> {
  let last = 0;
  while (Date.now() < untilMs) {
    const chosen = keys.filter(() => random.chance(0.4));
    if (chosen.length === 0) continue;
    const kind = random.below(6);
    const begun = chosen.map((key) => {
      const history = histories.get(key)!;
      const value = kind === 0 ? null : `${key} ${++last}`;
      history.states.push(value);
      if (kind === 1) history.states.push(null);
      return { key, history, value, at: history.states.length - 1 };
    });
    const commands = kind === 0
      ? [["DEL", ...chosen]]
      : kind <= 2
      ? begun.map(({ key, value }) =>
        kind === 1
          ? ["SET", key, value!, "PX", String(1 + random.below(4))]
          : ["SET", key, value!]
      )
      : kind === 3
      ? [["MULTI"], ...begun.map(({ key, value }) => ["SET", key, value!]), [
        "EXEC",
      ]]
      : [["MSET", ...begun.flatMap(({ key, value }) => [key, value!])]];
    await client.pipeline(commands);
    for (const { history, at } of begun) {
      // What expires may do so later.
      history.committed = kind === 1 ? at - 1 : at;
    }
  }
}

/** A client with a cache; `news` is the connection that tells it of changes. */
class CachingClient {
  readonly cache = new Map<string, string | null>();
  /** Keys that are being read, and must not be kept if they change meanwhile. */
  readonly #reading = new Set<string>();
  readonly #client: TestClient;
  readonly #news: TestClient;
  readonly #random: Random;

  constructor(client: TestClient, news: TestClient, random: Random) {
    this.#client = client;
    this.#news = news;
    this.#random = random;
  }

  async run(untilMs: number): Promise<number> {
    let checks = 0;
    while (Date.now() < untilMs) {
      const key = this.#random.pick(KEYS);
      if (!this.cache.has(key)) await this.#read(key);
      else {
        await this.#check(key);
        checks++;
      }
    }
    return checks;
  }

  async #read(key: string): Promise<void> {
    const keys = [key, ...KEYS.filter(() => this.#random.chance(0.2))];
    const isOne = this.#client === this.#news;
    if (!isOne) { for (const each of keys) this.#reading.add(each); }
    let values: unknown[];
    switch (this.#random.below(3)) {
      case 0:
        values = await this.#ask(this.#client, [["MGET", ...keys]])
          .then((replies) => plain(replies[0]!) as unknown[]);
        break;
      case 1: {
        const gets = keys.map((each) => ["GET", each]);
        const replies = await this.#ask(this.#client, [
          ["MULTI"],
          ...gets,
          // Answered by all workers, so the whole reply comes later.
          ["CLIENT", "LIST", "ID", "1"],
          ["EXEC"],
        ]);
        values = plain(replies.at(-1)!) as unknown[];
        break;
      }
      default:
        values = (await this.#ask(
          this.#client,
          keys.map((each) => ["GET", each]),
        )).map(plain);
    }
    keys.forEach((each, i) => {
      if (isOne) return;
      if (!this.#reading.has(each)) return;
      this.#reading.delete(each);
      this.cache.set(each, values[i] as string | null);
    });
  }

  async #check(key: string): Promise<void> {
    const history = histories.get(key)!;
    const floor = history.committed;
    await this.#ask(this.#news, [["PING"]]);
    if (!this.cache.has(key)) return;
    const value = this.cache.get(key)!;
    assert(
      history.allows(value, floor),
      `${key} is cached as ${value}, and has been since written: ` +
        history.states.slice(floor),
    );
  }

  /** Sends commands; what is read in one connection is kept as it comes. */
  async #ask(
    client: TestClient,
    commands: readonly (readonly string[])[],
  ): Promise<Reply[]> {
    await client.sendCommands(commands);
    const replies: Reply[] = [];
    while (replies.length < commands.length) {
      const reply = await client.readReply();
      if (this.#isNews(client, reply)) continue;
      const command = commands[replies.length]!;
      replies.push(reply);
      if (client !== this.#news || this.#client !== this.#news) continue;
      this.#keep(commands, command, reply);
    }
    return replies;
  }

  /** In one connection the order of replies and messages says what is new. */
  #keep(
    commands: readonly (readonly string[])[],
    command: readonly string[],
    reply: Reply,
  ): void {
    const value = plain(reply);
    if (command[0] === "EXEC") {
      commands.slice(1).forEach(([name, key], i) => {
        if (name !== "GET") return;
        this.cache.set(key!, (value as (string | null)[])[i]!);
      });
    } else if (command[0] === "MGET") {
      command.slice(1).forEach((key, i) => {
        this.cache.set(key, (value as (string | null)[])[i]!);
      });
    } else if (command[0] === "GET" && value !== "QUEUED") {
      this.cache.set(command[1]!, value as string | null);
    }
  }

  /** Drops what a message says; says whether it was one. */
  #isNews(client: TestClient, reply: Reply): boolean {
    if (client !== this.#news) return false;
    const value = plain(reply);
    if (!Array.isArray(value)) return false;
    const keys = value[0] === "invalidate"
      ? value[1]
      : value[0] === "message"
      ? value[2]
      : undefined;
    if (keys === undefined) return false;
    for (const key of keys === null ? KEYS : keys as string[]) {
      this.cache.delete(key);
      this.#reading.delete(key);
    }
    return true;
  }
}

type Mode = "default" | "broadcast" | "opt-out" | "redirect" | "push";
const MODES: readonly Mode[] = [
  ...["default", "default", "broadcast", "opt-out", "redirect"] as const,
  ...["redirect", "push"] as const,
];

async function connect(
  stack: DisposableStack,
  mode: Mode,
  random: Random,
): Promise<CachingClient> {
  const isOne = mode !== "redirect" && mode !== "push";
  const client = stack.use(await server.client({ resp: isOne ? 3 : 2 }));
  if (isOne) {
    const options = mode === "broadcast"
      ? ["BCAST", "PREFIX", "{"]
      : mode === "opt-out"
      ? ["OPTOUT"]
      : [];
    await client.run("CLIENT", "TRACKING", "ON", ...options);
    return new CachingClient(client, client, random);
  }
  const news = stack.use(
    await server.client({ resp: mode === "push" ? 3 : 2 }),
  );
  const id = String(plain(await news.run("CLIENT", "ID")));
  if (mode === "redirect") await news.run("SUBSCRIBE", "__redis__:invalidate");
  const reply = await client.run("CLIENT", "TRACKING", "ON", "REDIRECT", id);
  assert(plain(reply) === "OK");
  return new CachingClient(client, news, random);
}

seeded(
  "a client's cache is never stale behind a round trip",
  async (random) => {
    using stack = new DisposableStack();
    const admin = stack.use(await server.client());
    await admin.run("FLUSHALL");
    for (const key of KEYS) histories.set(key, new History());
    const untilMs = Date.now() + RUN_MS;
    const caches: CachingClient[] = [];
    for (const mode of MODES) caches.push(await connect(stack, mode, random));
    const writing: Promise<void>[] = [];
    for (let i = 0; i < 4; i++) {
      const writer = stack.use(await server.client());
      const keys = KEYS.filter((_, k) => k % 4 === i);
      writing.push(write(writer, keys, random, untilMs));
    }
    const checks = await Promise.all(caches.map((cache) => cache.run(untilMs)));
    await Promise.all(writing);
    assert(checks.every((count) => count > 5), `few checks: ${checks}`);
  },
);
