/**
 * Replies of whole big collections, read slowly while others write, rename,
 * delete and flush what is being read, and while readers vanish half-way. Every
 * reader gets the picture of the instant at which its command ran, and nothing
 * of it is left in memory afterwards.
 *
 * A collection is a window of numbered elements: a writer adds at the upper end
 * and removes at the lower one, in turns. Whatever mixes two instants has a hole,
 * a double or more elements than the window.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { makeCommandTable } from "../../src/front/server/command_groups.ts";
import {
  sharedServers,
  startServer,
  tagsOnDistinctSlots,
  type TestServer,
} from "../_harness.ts";
import { pause, until } from "../_patience.ts";
import {
  type Argument,
  plain,
  type Reply,
  ReplyError,
  ReplyParser,
  type TestClient,
  toBinary,
} from "../_resp_client.ts";

/** How a collection is written and read. */
interface Collection {
  name: string;
  add: (key: string, i: number) => string[];
  remove: (key: string, i: number) => string[];
  read: (key: string) => string[];
  /** Whether elements are read in the order of their numbers. */
  isOrdered?: boolean;
}

const COUNT = 3000;
/** So long that a reply does not fit the buffers of a connection. */
const PADDING = "p".repeat(2000);
const text = (i: number) => `e:${i}:${PADDING}`;

const WORKERS = [1, 4];
const [A, B] = tagsOnDistinctSlots(2) as [string, string];
const KEY = `{${A}}big`;
const OTHER_KEY = `{${B}}other`;

const COLLECTIONS: readonly Collection[] = [
  {
    name: "HGETALL",
    add: (key, i) => ["HSET", key, `f:${i}`, text(i)],
    remove: (key, i) => ["HDEL", key, `f:${i}`],
    read: (key) => ["HGETALL", key],
  },
  {
    name: "SMEMBERS",
    add: (key, i) => ["SADD", key, text(i)],
    remove: (key, i) => ["SREM", key, text(i)],
    read: (key) => ["SMEMBERS", key],
  },
  {
    name: "LRANGE",
    add: (key, i) => ["RPUSH", key, text(i)],
    remove: (key) => ["LPOP", key],
    read: (key) => ["LRANGE", key, "0", "-1"],
    isOrdered: true,
  },
  {
    name: "ZRANGE",
    add: (key, i) => ["ZADD", key, String(i), text(i)],
    remove: (key, i) => ["ZREM", key, text(i)],
    read: (key) => ["ZRANGE", key, "0", "-1", "WITHSCORES"],
    isOrdered: true,
  },
  {
    name: "XRANGE",
    add: (key, i) => ["XADD", key, `${i + 1}-1`, "f", text(i)],
    remove: (key, i) => ["XDEL", key, `${i + 1}-1`],
    read: (key) => ["XRANGE", key, "-", "+"],
    isOrdered: true,
  },
];

/** Other ways to read them all. */
const VARIANTS: readonly (readonly [of: string, read: readonly string[]])[] = [
  ["HGETALL", ["HVALS", KEY]],
  ["HGETALL", ["HRANDFIELD", KEY, "1000000", "WITHVALUES"]],
  ["SMEMBERS", ["SRANDMEMBER", KEY, "1000000"]],
  ["SMEMBERS", ["SUNION", KEY, OTHER_KEY]],
  ["SMEMBERS", ["SORT", KEY, "ALPHA"]],
  ["LRANGE", ["SORT", KEY, "BY", "nosort", "GET", "#"]],
  ["ZRANGE", ["ZREVRANGEBYSCORE", KEY, "+inf", "-inf"]],
  ["ZRANGE", ["ZRANDMEMBER", KEY, "1000000", "WITHSCORES"]],
  ["ZRANGE", ["ZUNION", "2", KEY, OTHER_KEY, "WITHSCORES"]],
  ["XRANGE", ["XREVRANGE", KEY, "+", "-"]],
];

const READERS = 2;
const PIECE_BYTES = 64 * 1024;

const servers = new Map<number, TestServer>();
sharedServers(async (stack) => {
  for (const workers of WORKERS) {
    servers.set(workers, stack.use(await startServer({ workers })));
  }
});

/** A collection on a server, with the writer that knows its elements. */
class Window {
  low = 0;
  high = COUNT;
  readonly #collection: Collection;
  readonly #client: TestClient;

  constructor(collection: Collection, client: TestClient) {
    this.#collection = collection;
    this.#client = client;
  }

  /** Runs commands that must succeed. */
  async run(...commands: (readonly Argument[])[]): Promise<void> {
    for (const reply of await this.#client.pipeline(commands)) {
      if (reply.type === "error") throw new ReplyError(reply.value);
    }
  }

  /** Makes the collection anew. */
  async fill(): Promise<void> {
    this.low = 0;
    this.high = COUNT;
    for (let i = 0; i < COUNT; i += 500) {
      await this.run(...Array.from(
        { length: 500 },
        (_, j) => this.#collection.add(KEY, i + j),
      ));
    }
  }

  /** Adds above and removes below, so many times. */
  async move(times: number, key = KEY): Promise<void> {
    const { add, remove } = this.#collection;
    const commands: string[][] = [];
    for (let i = 0; i < times; i++) {
      commands.push(add(key, this.high++), remove(key, this.low++));
    }
    await this.run(...commands);
  }
}

/** A reply of which only the beginning has been read. */
class SlowReader implements Disposable {
  readonly client: TestClient;
  readonly #parser = new ReplyParser();

  private constructor(client: TestClient) {
    this.client = client;
  }

  /** Asks, and waits for the first bytes: the command has run then. */
  static async start(
    server: TestServer,
    resp: 2 | 3,
    argv: readonly string[],
  ): Promise<SlowReader> {
    const reader = new SlowReader(await server.client({ resp }));
    await reader.client.sendCommands([argv]);
    await reader.readPiece();
    return reader;
  }

  /** Reads one piece more. */
  async readPiece(): Promise<void> {
    const bytes = await this.client.readBytes(PIECE_BYTES);
    if (bytes === null) throw new Error("Connection ended within a reply");
    this.#parser.feed(bytes);
  }

  /** Reads the rest, with pauses, and returns the numbers of the elements. */
  async finish(): Promise<number[]> {
    for (let pieces = 0;; pieces++) {
      const frame = this.#parser.next();
      if (frame !== null) {
        return numbersIn(frame.reply);
      }
      await this.readPiece();
      if (pieces % 8 === 0) await pause(1);
    }
  }

  [Symbol.dispose](): void {
    this.client.close();
  }
}

/** Numbers of the elements in a reply, whatever its shape. */
function numbersIn(reply: Reply, into: number[] = []): number[] {
  switch (reply.type) {
    case "bulk": {
      const { value } = reply;
      if (value.length < PADDING.length) break;
      const colon = value.indexOf(0x3a, 2);
      assertEquals(value.length, colon + 1 + PADDING.length);
      into.push(Number(toBinary(value.subarray(2, colon))));
      break;
    }
    case "map":
      for (const [key, value] of reply.value) {
        numbersIn(key, into);
        numbersIn(value, into);
      }
      break;
    case "array":
    case "set":
      for (const part of reply.value) numbersIn(part, into);
      break;
    case "error":
      throw new ReplyError(reply.value);
  }
  return into;
}

/** Checks that a reader saw a window of one instant; returns its lower end. */
function checkPicture(collection: Collection, numbers: number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  if (collection.isOrdered) assertEquals(numbers, sorted, "order");
  assert(
    sorted.length === COUNT || sorted.length === COUNT + 1,
    `${sorted.length} elements of ${COUNT}`,
  );
  for (let i = 1; i < sorted.length; i++) {
    assertEquals(sorted[i], sorted[i - 1]! + 1, "no hole and no double");
  }
  return sorted[0]!;
}

/**
 * Readers begin, one in three vanishes, `act` happens, another one vanishes, the
 * rest reads on to the end and must have seen the collection as it was.
 */
async function readWhile(
  server: TestServer,
  collection: Collection,
  window: Window,
  act: () => Promise<void>,
): Promise<void> {
  const argv = collection.read(KEY);
  using stack = new DisposableStack();
  const start = async (i: number) =>
    stack.use(await SlowReader.start(server, i % 2 === 0 ? 2 : 3, argv));
  const readers = await Promise.all(
    Array.from({ length: READERS }, (_, i) => start(i)),
  );
  const vanishing = await Promise.all([start(0), start(1)]);
  const { low } = window;
  vanishing[0]!.client.close();
  await act();
  vanishing[1]!.client.close();
  for (const numbers of await Promise.all(readers.map((r) => r.finish()))) {
    assertEquals(numbers.length, COUNT);
    assertEquals(checkPicture(collection, numbers), low);
  }
}

/** Waits until nothing is stored and nothing waits to be freed. */
async function expectNothingLeft(client: TestClient): Promise<void> {
  await client.run("FLUSHALL");
  await until("no memory is left", async () => {
    const info = String(plain(await client.run("INFO", "memory")));
    return info.includes("used_memory_dataset:0\r") &&
      info.includes("lazyfree_pending_objects:0\r");
  });
}

async function runScenario(
  server: TestServer,
  collection: Collection,
): Promise<void> {
  using client = await server.client();
  const window = new Window(collection, client);
  await expectNothingLeft(client);
  await window.fill();
  const acts: [name: string, act: () => Promise<void>][] = [
    ["written to", () => window.move(100)],
    ["renamed and written to", async () => {
      await window.run(["RENAME", KEY, OTHER_KEY]);
      await window.move(20, OTHER_KEY);
      await window.run(["RENAME", OTHER_KEY, KEY]);
      await window.move(20);
    }],
    ["copied, the copy written to", async () => {
      const { low, high } = window;
      await window.run(["COPY", KEY, OTHER_KEY]);
      await window.move(20, OTHER_KEY);
      Object.assign(window, { low, high });
      await window.run(["DEL", OTHER_KEY]);
    }],
    ["deleted and made anew", async () => {
      await window.run(["DEL", KEY]);
      await window.fill();
    }],
    ["overwritten", async () => {
      await window.run(["SET", KEY, "a string"], ["DEL", KEY]);
      await window.fill();
    }],
    ["expired", async () => {
      await window.run(["PEXPIRE", KEY, "1"]);
      await pause(20);
      await window.fill();
    }],
    ["flushed", async () => {
      await window.run(["FLUSHALL"]);
      await window.fill();
    }],
    ["swapped away and flushed", async () => {
      await window.run(["SWAPDB", "0", "1"], ["FLUSHALL", "SYNC"]);
    }],
  ];
  for (const [name, act] of acts) {
    try {
      await readWhile(server, collection, window, act);
    } catch (cause) {
      throw new Error(`A collection that is ${name}`, { cause });
    }
  }
  await expectNothingLeft(client);
}

/** Readers begin while the writer is at it, so nobody knows which instant. */
async function runRace(
  server: TestServer,
  collection: Collection,
): Promise<void> {
  using client = await server.client();
  const window = new Window(collection, client);
  await window.fill();
  let isOver = false;
  const writing = (async () => {
    while (!isOver) await window.move(1);
  })();
  const reading = Array.from({ length: READERS }, async (_, i) => {
    for (let round = 0; round < 3; round++) {
      using reader = await SlowReader.start(
        server,
        (i + round) % 2 === 0 ? 2 : 3,
        collection.read(KEY),
      );
      if ((i + round) % 3 === 0) continue; // vanishes
      checkPicture(collection, await reader.finish());
    }
  });
  try {
    await Promise.all(reading);
  } finally {
    isOver = true;
    await writing;
  }
  await expectNothingLeft(client);
}

const table = makeCommandTable();
const known = COLLECTIONS.filter(({ name }) => table.byName(name));

for (const collection of known) {
  for (const workers of WORKERS) {
    Deno.test(
      `${collection.name}: slow readers see one instant (workers ${workers})`,
      () => runScenario(servers.get(workers)!, collection),
    );
    Deno.test(
      `${collection.name}: slow readers race a writer (workers ${workers})`,
      () => runRace(servers.get(workers)!, collection),
    );
  }
}

for (const [of, argv] of VARIANTS) {
  const collection = known.find(({ name }) => name === of);
  if (collection === undefined || !table.byName(argv[0]!)) continue;
  const variant = { ...collection, read: () => [...argv], isOrdered: false };
  Deno.test(
    `${argv[0]} (${of}): slow readers race a writer`,
    () => runRace(servers.get(4)!, variant),
  );
}
