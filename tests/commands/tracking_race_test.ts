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
import { until } from "../_patience.ts";
import { plain, type Reply, type TestClient } from "../_resp_client.ts";

const KEYS = tagsOnDistinctSlots(8).map((tag) => `{${tag}}k`);
const RUN_MS = 800;
/** More checks than that each client makes in any case. */
const CHECKS_MIN = 5;

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

/** Who empties the database has it for himself. */
const writers = { inFlight: 0, mustWait: false };

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Empties the database now and then until time is up. */
async function flush(
  client: TestClient,
  random: Random,
  untilMs: number,
): Promise<void> {
  while (Date.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, random.below(120)));
    writers.mustWait = true;
    while (writers.inFlight > 0) await turn();
    for (const history of histories.values()) history.states.push(null);
    const command = random.pick([["FLUSHDB"], ["FLUSHALL"], [
      "SWAPDB",
      "0",
      "9",
    ]]);
    await client.run(...command);
    for (const history of histories.values()) {
      history.committed = history.states.length - 1;
    }
    if (command.length > 1) {
      await turn();
      await client.pipeline([["SELECT", "9"], ["FLUSHDB"], ["SELECT", "0"]]);
    }
    writers.mustWait = false;
  }
}

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
    while (writers.mustWait) await turn();
    writers.inFlight++;
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
    writers.inFlight--;
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
    // On a busy machine the time may be over before there was anything to check.
    while (Date.now() < untilMs || checks <= CHECKS_MIN) {
      const key = this.#random.pick(KEYS);
      if (this.#random.chance(0.02)) await this.#writeBig();
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

  /** A request that comes in pieces, between which messages are under way. */
  async #writeBig(): Promise<void> {
    const value = "x".repeat(100_000);
    const [reply] = await this.#ask(this.#client, [
      ["SET", "big", value],
      ["STRLEN", "big"],
    ]).then((replies) => replies.slice(1));
    // Or it has been flushed in between.
    assert([0, value.length].includes(plain(reply!) as number));
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
    const chunks = this.#random.chance(0.05) ? 5 + this.#random.below(40) : 0;
    await client.sendCommands(commands, chunks > 0 ? { chunks } : {});
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
    const flusher = stack.use(await server.client());
    writing.push(flush(flusher, random, untilMs));
    const checks = await Promise.all(caches.map((cache) => cache.run(untilMs)));
    await Promise.all(writing);
    assert(checks.every((count) => count > CHECKS_MIN));
  },
);

/** A client that begins to track somehow, does a little, and goes. */
async function comeAndGo(random: Random, ids: number[]): Promise<void> {
  const client = await server.client({ resp: random.pick([2, 3]) });
  try {
    ids.push(Number(plain(await client.run("CLIENT", "ID"))));
    const commands: string[][] = [];
    for (let i = random.between(1, 6); i > 0; i--) {
      const redirect = ["REDIRECT", String(random.pick(ids))];
      commands.push(random.pick([
        ["CLIENT", "TRACKING", "ON"],
        ["CLIENT", "TRACKING", "ON", ...redirect],
        ["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "{", ...redirect],
        ["CLIENT", "TRACKING", "ON", "BCAST", ...redirect],
        ["CLIENT", "TRACKING", "OFF"],
        ["MGET", ...KEYS],
        ["MSET", ...KEYS.flatMap((key) => [key, "1"])],
        ["SUBSCRIBE", "__redis__:invalidate"],
        ["RESET"],
        ["MONITOR"],
      ]));
    }
    await client.sendCommands(commands);
    // Some leave while they are asked about.
    if (random.chance(0.6)) await client.readReply();
  } finally {
    client.close();
  }
}

seeded("clients that come and go leave nothing behind", async (random) => {
  using admin = await server.client();
  const ids = [1];
  const lanes = Array.from({ length: 8 }, async () => {
    for (let i = 0; i < 25; i++) await comeAndGo(random, ids);
  });
  await Promise.all(lanes);
  const figure = async (name: string) => {
    const text = String(plain(await admin.run("INFO", "everything")));
    return Number(text.match(new RegExp(`^${name}:(\\d+)`, "m"))![1]);
  };
  await until("nobody is left", async () => {
    const names = ["tracking_clients", "tracking_total_prefixes"];
    for (const name of names) if (await figure(name) > 0) return false;
    return true;
  });
  await admin.run("FLUSHALL");
  assert(await figure("tracking_total_items") === 0);
});
