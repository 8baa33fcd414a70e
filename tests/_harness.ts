/**
 * What black-box tests stand on: a sherd server as a process of its own, seeds
 * that can be repeated, and keys that live on different shards.
 *
 * SHERD_TEST_COMMAND runs the same tests against another program, for example
 * the compiled executable or redis-server. In it, `{port}` stands for a free
 * port, `{workers}` for the number of workers and `{dir}` for a directory of
 * the server's own:
 *
 *     redis-server --port {port} --save "" --dir {dir}
 *
 * @module
 */
import { type ConnectOptions, TestClient } from "./_resp_client.ts";
import { ServerProcess } from "./_server_process.ts";
import { Random } from "./_random.ts";

export { Random } from "./_random.ts";

// Latches of the servers under test assert their rules.
Deno.env.set("SHERD_CHECKS", "1");

/** What kind of server a test wants. */
export interface ServerOptions {
  workers: number;
  /** Protocol of the clients from `client()` that do not choose one. */
  resp?: 2 | 3;
  /** More flags, after the usual ones. */
  args?: readonly string[];
  /** A configuration file, which the flags override. */
  configFile?: string;
  /** Whether it may not call the system's library. */
  deniesFfi?: boolean;
}

/** A running server that ends with the scope that holds it. */
export class TestServer implements AsyncDisposable {
  readonly port: number;
  readonly workers: number;
  readonly #resp: 2 | 3;
  readonly #process: ServerProcess;

  constructor(process: ServerProcess, port: number, options: ServerOptions) {
    this.#process = process;
    this.port = port;
    this.workers = options.workers;
    this.#resp = options.resp ?? 2;
  }

  /** Process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** What the server has printed so far. */
  get stdout(): string {
    return this.#process.stdout;
  }

  /** What the server has complained about so far. */
  get stderr(): string {
    return this.#process.stderr;
  }

  /** How the server ended, null while it runs. */
  get status(): Deno.CommandStatus | null {
    return this.#process.status;
  }

  /** Resolves when the server has ended, by itself or not. */
  get exited(): Promise<Deno.CommandStatus> {
    return this.#process.exited;
  }

  /** A new connection, to be closed by the caller (`using`). */
  client(options: ConnectOptions = {}): Promise<TestClient> {
    return TestClient.connect(this.port, {
      resp: this.#resp,
      checksReplyTypes: true,
      ...options,
    });
  }

  /** Sends a signal to the server. */
  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Ends the server in order and tells how it ended. */
  stop(): Promise<Deno.CommandStatus> {
    return this.#process.stop();
  }

  /** Ends the server; throws if it has ended by itself before. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}

const ROOT = new URL("..", import.meta.url).pathname;

const SHERD_COMMAND = [
  ...[Deno.execPath(), "run", "--quiet", "-A", "--unstable-net"],
  ...["src/front/cli/main.ts", "--port", "0", "--workers", "{workers}"],
  ...["--save", "", "--appendonly", "no", "--dir", "{dir}"],
  // What it is good for, latencies, no test looks at; see server/process_test.ts.
  ...["--enable-debug-command", "yes", "--warm-up", "no"],
];

/** Starts a server and waits until it accepts connections. */
export async function startServer(options: ServerOptions): Promise<TestServer> {
  const chosen = Deno.env.get("SHERD_TEST_COMMAND");
  const template = chosen === undefined ? SHERD_COMMAND : splitWords(chosen);
  const command = template.map((word) =>
    word.replaceAll("{workers}", String(options.workers))
  );
  if (options.configFile !== undefined) {
    const first = command.findIndex((word) => word.startsWith("--port"));
    command.splice(first, 0, options.configFile);
  }
  const process = await ServerProcess.start({
    command: [...command, ...options.args ?? []].flatMap((word) =>
      word === "-A" && options.deniesFfi ? ["-A", "--deny-ffi"] : [word]
    ),
    cwd: ROOT,
    ready: /port[ =:]+(\d+)/i,
  });
  return new TestServer(process, Number(process.ready[1]), options);
}

/**
 * Servers for all tests of a file: `start` runs before the first test, and what
 * it has put on the stack ends after the last, also if `start` itself fails.
 * Started within a test they would count as its leaks.
 */
export function sharedServers(
  start: (stack: AsyncDisposableStack) => Promise<void>,
): void {
  const stack = new AsyncDisposableStack();
  Deno.test.beforeAll(() => start(stack));
  Deno.test.afterAll(() => stack.disposeAsync());
}

/** Words of a command line; single and double quotes group, nothing escapes. */
export function splitWords(line: string): string[] {
  const words = line.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? [];
  return words.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
}

/** The seeds to run: SHERD_SEED alone if it is set, else 1 to `count`. */
export function seedsToRun(count: number): number[] {
  const chosen = Deno.env.get("SHERD_SEED");
  if (chosen !== undefined) return [Number(chosen)];
  return Array.from({ length: count }, (_, i) => i + 1);
}

/**
 * A test that runs once per seed. A failure names the seed; SHERD_SEED=n runs
 * that one alone.
 */
export function seeded(
  name: string,
  body: (random: Random, seed: number) => void | Promise<void>,
  options: { count?: number; ignore?: boolean } = {},
): void {
  Deno.test({
    name,
    ignore: options.ignore ?? false,
    fn: async () => {
      for (const seed of seedsToRun(options.count ?? 3)) {
        try {
          await body(new Random(seed), seed);
        } catch (error) {
          throw new Error(`${name}: failed with SEED=${seed}`, {
            cause: error,
          });
        }
      }
    },
  });
}

const SLOTS = 16384;

/** The hash slot of a key, as Redis Cluster defines it. */
export function keySlot(key: string): number {
  const open = key.indexOf("{");
  const close = key.indexOf("}", open + 1);
  const hashed = open >= 0 && close > open + 1
    ? key.slice(open + 1, close)
    : key;
  let crc = 0; // CRC-16/XMODEM
  for (let i = 0; i < hashed.length; i++) {
    crc ^= hashed.charCodeAt(i) << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    }
  }
  return (crc & 0xffff) % SLOTS;
}

/**
 * Hash tags for `{tag}key` names that land on different shards, whether the
 * server gives slots to its shards by ranges or round robin.
 */
export function tagsOnDistinctSlots(count: number): string[] {
  const tags: string[] = [];
  for (let i = 0; tags.length < count; i++) {
    const tag = `t${i.toString(36)}`;
    const slot = keySlot(tag);
    const wanted = tags.length;
    const isInRange = Math.floor((slot * count) / SLOTS) === wanted;
    if (isInRange && slot % count === wanted) tags.push(tag);
  }
  return tags;
}
